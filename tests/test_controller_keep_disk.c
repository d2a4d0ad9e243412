/* tests/test_controller_keep_disk.c - a full disk under the artifact folder,
 * and a folder that vanished: what is lost and what is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/mount.h>

#include "tests/keep_fixture.h"

/* A small tmpfs over the artifact folder, until small_disk_end(). */
static bool small_disk(unsigned kib)
{
	char how[32];

	snprintf(how, sizeof(how), "size=%uk,mode=700", kib);
	if (mount("none", artifact_dir, "tmpfs", 0, how) == 0)
		return true;
	fprintf(stderr, "NOT TESTED, a full disk: no right to mount: %s\n",
	        strerror(errno));
	return false;
}

static void small_disk_end(void)
{
	if (artifact_dir[0])
		umount2(artifact_dir, MNT_DETACH);
	controller_close();
}

static void fill(const char *name)
{
	char path[256], block[4096] = "x";

	snprintf(path, sizeof(path), "%s/%s", artifact_dir, name);
	const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}

static void drain(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", artifact_dir, name);
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(full_while_spooling_loses_that_window_only)
{
	if (!small_disk(1024))
		return;
	capture(10);
	const uint64_t id = arm(NULL);
	fill("filler");
	requests(5000);
	ck_assert_int_ge(tailbox__disarm(NULL, NULL, NULL), 0);
	wait_for("is lost: ");
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_FAILED);
	ck_assert_uint_eq(window().id, id);
	ck_assert_msg(strstr(window().last_error, "space") != NULL, "%s",
	              window().last_error);
	ck_assert(!is_there(id));
	drain("filler");
	ck_assert_uint_eq(capture(10), id + 1);
	ck_assert(is_there(id + 1));
	ck_assert(is_there(1));
	ck_assert_int_eq(count(), 2);
}
END_TEST

START_TEST(full_while_placing_loses_that_window_only)
{
	if (!small_disk(1024))
		return;
	const uint64_t id = arm(NULL);
	requests(2000);
	wait_until_spooled(2000);
	fill("filler"); /* what is spooled has its room */
	ck_assert_int_ge(tailbox__disarm(NULL, NULL, NULL), 0);
	wait_for("is lost: ");
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_FAILED);
	ck_assert_msg(strstr(window().last_error, "space") != NULL, "%s",
	              window().last_error);
	drain("filler");
	capture(10);
	ck_assert(!is_there(id));
	ck_assert(is_there(id + 1));
	ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(full_while_writing_json_loses_the_json_only)
{
	if (!small_disk(400))
		return;
	again((struct tailbox__controller_config){ .local_json = true });
	/* Natively 64 bytes a request and more; as JSON some 400. */
	capture(900);
	ck_assert(is_there(1));
	tailbox__run_destroy(load(1));
	ck_assert_uint_eq(entry(1).json_bytes, 0);
	ck_assert_uint_eq(folder().json_lost, 1);
	ck_assert_msg(strstr(folder().json_error, "space") != NULL, "%s",
	              folder().json_error);
	/* The temporary file is gone, or nothing would fit now. */
	capture(50);
	ck_assert_uint_gt(entry(2).json_bytes, 0);
	ck_assert_uint_eq(folder().json_written, 1);
}
END_TEST

START_TEST(a_folder_that_vanished_is_made_again)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const struct tailbox__activation a = light();
	char parent[128];

	capture(1);
	snprintf(parent, sizeof(parent), "%s/a", fixture_dir);
	/* While a window is open, too: its spool has a descriptor. */
	arm(NULL);
	requests(5);
	remove_folder(artifact_dir);
	remove_folder(parent);
	disarm();
	ck_assert_uint_eq(entry(2).requests, 5);
	/* Something else in its place: said, and over when that has gone. */
	remove_folder(artifact_dir);
	put_file(artifact_dir, "");
	ck_assert_int_lt(tailbox__arm(&a, NULL, &err), 0);
	ck_assert_msg(strstr(err.text, artifact_dir) != NULL, "%s", err.text);
	unlink(artifact_dir);
	capture(1);
	ck_assert_int_eq(count(), 1);
}
END_TEST

static Suite *controller_keep_disk_suite(void)
{
	Suite *s = suite_create("controller_keep_disk");
	TCase *t = tcase_create("controller_keep_disk");

	tcase_add_checked_fixture(t, controller_open, small_disk_end);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, full_while_spooling_loses_that_window_only);
	tcase_add_test(t, full_while_placing_loses_that_window_only);
	tcase_add_test(t, full_while_writing_json_loses_the_json_only);
	tcase_add_test(t, a_folder_that_vanished_is_made_again);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(controller_keep_disk_suite());

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
