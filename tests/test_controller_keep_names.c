/* tests/test_controller_keep_names.c - names of artifacts, which are never
 * used again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/file.h>

#include "tests/keep_fixture.h"

static int reserve(uint64_t id, uint64_t *second, char name[256])
{
	struct tailbox__artifact_key key = { TAILBOX__ARTIFACT_WINDOW, *second,
		                             id };
	const int fd = tailbox__folder_reserve(artifact_dir, "test", &key, name,
	                                       NULL);

	ck_assert_int_ge(fd, 0);
	close(fd);
	*second = key.second;
	tailbox__folder_remove_part(artifact_dir, name);
	return fd;
}

START_TEST(a_name_is_never_used_again)
{
	uint64_t second = 1763608272;
	char name[256];

	/* Taken and gone, as after a delete. */
	reserve(1, &second, name);
	ck_assert_str_eq(name, "test-20251120T031112Z-1");
	reserve(2, &second, name);
	ck_assert_str_eq(name, "test-20251120T031112Z-2");
	/* Another process, in the same second. */
	reserve(1, &second, name);
	ck_assert_str_eq(name, "test-20251120T031113Z-1");
	/* The clock is set back. */
	second = 1763608000;
	reserve(1, &second, name);
	ck_assert_str_eq(name, "test-20251120T031114Z-1");
	second = 1763608274 - 3600;
	reserve(2, &second, name);
	ck_assert_str_eq(name, "test-20251120T031114Z-2");
	/* By more than an hour: it was wrong before. */
	second = 1763608274 - 3601;
	reserve(1, &second, name);
	ck_assert_str_eq(name, "test-20251120T021113Z-1");
	/* Another service has names of its own. */
	struct tailbox__artifact_key key = { TAILBOX__ARTIFACT_WINDOW,
		                             1763608272, 1 };
	close(tailbox__folder_reserve(artifact_dir, "rest", &key, name, NULL));
	ck_assert_str_eq(name, "rest-20251120T031112Z-1");
	/* So has each kind, the second before the first one too. */
	key.kind = TAILBOX__ARTIFACT_CRASH;
	for (int i = 0; i < 2; i++) {
		key.second = 1763608272;
		close(tailbox__folder_reserve(artifact_dir, "rest", &key, name,
		                              NULL));
		tailbox__folder_remove_part(artifact_dir, name);
	}
	ck_assert_str_eq(name, "rest-20251120T031113Z-c1");
}
END_TEST

START_TEST(across_restarts_and_deletes_names_differ)
{
	static char seen[20][256];
	struct tailbox__artifact_entry e;

	for (int i = 0; i < 20; i++) {
		capture(0);
		e = entry(1);
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(seen[k], e.name);
		memcpy(seen[i], e.name, sizeof(e.name));
		ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
		again((struct tailbox__controller_config){ 0 });
	}
}
END_TEST

START_TEST(a_last_name_that_cannot_be_read_is_done_without)
{
	static const char *const texts[] = { "", "x", "12", "-3 4 5",
		                             "99999999999999999999999 1" };
	uint64_t second = 1763608272;
	char path[256], name[256];

	snprintf(path, sizeof(path), "%s/.test.last", artifact_dir);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		unlink(path);
		put_file(path, texts[i]);
		second = 1763608272 + i;
		reserve(1, &second, name);
		ck_assert_uint_eq(second, 1763608272 + i);
	}
	unlink(path);
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	reserve(1, &second, name);
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0); /* must not block */
	reserve(1, &second, name);
	unlink(path);
	/* A process is stopped while it has the lock. */
	put_file(path, "");
	const int fd = open(path, O_RDWR);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	reserve(1, &second, name);
	close(fd);
}
END_TEST

static Suite *controller_keep_names_suite(void)
{
	Suite *s = suite_create("controller_keep_names");
	TCase *t = tcase_create("controller_keep_names");

	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_name_is_never_used_again);
	tcase_add_test(t, across_restarts_and_deletes_names_differ);
	tcase_add_test(t, a_last_name_that_cannot_be_read_is_done_without);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(controller_keep_names_suite());

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
