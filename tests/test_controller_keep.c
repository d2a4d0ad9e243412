/* tests/test_controller_keep.c - which artifacts stay: caps, pins, and what
 * killed processes left.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/file.h>

#include "tests/keep_fixture.h"

/* --- caps --------------------------------------------------------------- */

START_TEST(the_oldest_go_beyond_the_count)
{
	again((struct tailbox__controller_config){ .max_count = 3 });
	for (uint64_t i = 1; i <= 3; i++)
		capture(1);
	ck_assert_int_eq(count(), 3); /* at the cap: none */
	ck_assert_uint_eq(folder().deleted, 0);
	capture(1);
	ck_assert_int_eq(count(), 3);
	ck_assert(!is_there(1));
	ck_assert(is_there(2));
	capture(1);
	ck_assert(!is_there(2));
	ck_assert(is_there(5));
	ck_assert_uint_eq(folder().deleted, 2);
	ck_assert_uint_gt(folder().deleted_bytes, 128);
	ck_assert(was_said("deleted test-"));
}
END_TEST

START_TEST(the_oldest_go_beyond_the_bytes)
{
	uint64_t bytes;

	capture(0);
	bytes = entry(1).bytes;
	/* Room for three of these, and not for a byte more. */
	again((struct tailbox__controller_config){ .max_size = 3 * bytes });
	for (uint64_t i = 1; i <= 4; i++)
		capture(0);
	ck_assert_int_eq(count(), 3);
	ck_assert(!is_there(1));
	ck_assert(is_there(2));
	ck_assert_uint_eq(folder().deleted, 2); /* and the earlier process's */
	again((struct tailbox__controller_config){ .max_size = 3 * bytes - 1 });
	capture(0);
	ck_assert_int_eq(count(), 2);
}
END_TEST

START_TEST(the_newest_stays_whatever_the_caps)
{
	again((struct tailbox__controller_config){ .max_count = 1,
	                                           .max_size = 1 });
	capture(100);
	ck_assert_int_eq(count(), 1);
	capture(1);
	ck_assert_int_eq(count(), 1);
	ck_assert(is_there(2));
}
END_TEST

START_TEST(what_is_not_ours_stays)
{
	char path[512];

	again((struct tailbox__controller_config){ .max_count = 1 });
	capture(1);
	snprintf(path, sizeof(path), "%s/test-20200101T000000Z-1.tailbox",
	         artifact_dir);
	put_file(path, "named as ours, but no artifact");
	snprintf(path, sizeof(path), "%s/other-20200101T000000Z-1.tailbox",
	         artifact_dir);
	put_file(path, "of another service");
	snprintf(path, sizeof(path), "%s/test-20200101T000000Z-2.part",
	         artifact_dir);
	put_file(path, "left by a dead process");
	snprintf(path, sizeof(path), "%s/notes.txt", artifact_dir);
	put_file(path, "of the operator");
	capture(1);
	ck_assert_int_eq(count(), 1);
	ck_assert(exists("test-20200101T000000Z-1", ".tailbox"));
	ck_assert(exists("other-20200101T000000Z-1", ".tailbox"));
	ck_assert(exists("test-20200101T000000Z-2", ".part"));
	ck_assert(exists("notes", ".txt"));
	ck_assert_uint_eq(folder().deleted, 1);
}
END_TEST

START_TEST(no_settings_are_the_defaults)
{
	ck_assert_uint_eq(folder().max_count, 100);
	ck_assert_uint_eq(folder().max_size, (uint64_t)256 << 20);
	for (int i = 0; i < 101; i++)
		capture(0);
	ck_assert_int_eq(count(), 100);
	ck_assert(!is_there(1));
	ck_assert(is_there(2));
}
END_TEST

START_TEST(without_memory_nothing_is_deleted)
{
	int dirfd;

	for (int i = 0; i < 3; i++)
		capture(0);
	again((struct tailbox__controller_config){ .max_count = 1 });
	dirfd = open(artifact_dir, O_RDONLY | O_DIRECTORY);
	for (long n = 0;; n++) {
		tailbox__alloc_fail_after(n);
		tailbox__folder_trim(dirfd, "");
		tailbox__alloc_fail_after(-1);
		if (folder().deleted != 0)
			break;
		ck_assert_int_eq(count(), 3);
		ck_assert_int_lt(n, 10);
	}
	ck_assert_int_eq(count(), 1);
	close(dirfd);
}
END_TEST

/* --- pins --------------------------------------------------------------- */

START_TEST(what_is_pinned_stays_also_after_a_restart)
{
	struct tailbox__artifact_entry e, again_e;

	again((struct tailbox__controller_config){ .max_count = 2 });
	capture(1);
	e = entry(1);
	ck_assert(!e.is_pinned);
	ck_assert_int_eq(tailbox__artifact_pin(&e, true), 0);
	ck_assert_int_eq(tailbox__artifact_pin(&e, true), 0);
	ck_assert(e.is_pinned);
	ck_assert(entry(1).is_pinned);
	again((struct tailbox__controller_config){ .max_count = 2 });
	for (int i = 0; i < 3; i++)
		capture(1);
	/* It counts: one is left beside it. */
	ck_assert_int_eq(count(), 2);
	ck_assert_int_eq(tailbox__artifact_find(e.name, &again_e), 0);
	ck_assert(again_e.is_pinned);
	ck_assert(is_there(3));
	ck_assert(!is_there(2));
	/* Unpinned it is the oldest again. */
	ck_assert_int_eq(tailbox__artifact_pin(&again_e, false), 0);
	ck_assert_int_eq(tailbox__artifact_pin(&again_e, false), 0);
	ck_assert(!exists(e.name, ".pin"));
	capture(1);
	ck_assert_int_eq(tailbox__artifact_find(e.name, &again_e), -ENOENT);
}
END_TEST

START_TEST(all_pinned_is_more_than_the_cap)
{
	struct tailbox__artifact_entry e;

	again((struct tailbox__controller_config){ .max_count = 2 });
	for (uint64_t i = 1; i <= 4; i++) {
		capture(1);
		e = entry(i);
		ck_assert_int_eq(tailbox__artifact_pin(&e, true), 0);
	}
	ck_assert_int_eq(count(), 4);
	ck_assert_uint_eq(folder().deleted, 0);
}
END_TEST

START_TEST(a_pin_goes_with_its_artifact)
{
	struct tailbox__artifact_entry e;

	capture(1);
	e = entry(1);
	ck_assert_int_eq(tailbox__artifact_pin(&e, true), 0);
	/* By hand it can be deleted all the same. */
	ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	ck_assert(!exists(e.name, ".pin"));
	ck_assert_int_eq(tailbox__artifact_pin(&e, true), -ENOENT);
	ck_assert(!exists(e.name, ".pin"));
	ck_assert_int_eq(tailbox__artifact_delete(&e), -ENOENT);
}
END_TEST

/* --- what killed processes left ----------------------------------------- */

enum { KEEP_LOCKED = 1, IS_YOUNG = 2 };

/* A file in the artifact folder, an hour old; its descriptor, which has it
 * locked or not. */
static int left_behind(const char *file, int how)
{
	const struct timespec old[2] = { { time(NULL) - 3600, 0 },
		                         { time(NULL) - 3600, 0 } };
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", artifact_dir, file);
	put_file(path, "half");
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	if (how & KEEP_LOCKED)
		ck_assert_int_eq(flock(fd, LOCK_SH), 0);
	if (!(how & IS_YOUNG))
		ck_assert_int_eq(futimens(fd, old), 0);
	return fd;
}

START_TEST(what_a_killed_process_left_goes)
{
	static const struct {
		const char *file;
		int how;
		bool stays;
	} all[] = {
		{ "test-20260102T030405Z-7.part", 0, false },
		{ ".test-20260102T030405Z-7.tailbox.12.34.tmp", 0, false },
		{ "test-20260102T030406Z-8.part", KEEP_LOCKED, true },
		{ ".test-20260102T030406Z-8.json.12.34.tmp", KEEP_LOCKED, true },
		{ "test-20260102T030407Z-9.part", IS_YOUNG, true },
		{ "other-20260102T030405Z-7.part", 0, true },
		{ ".other-20260102T030405Z-7.tailbox.12.34.tmp", 0, true },
		{ "test-notes.part", 0, true },
		{ "test.tmp", 0, true },
		{ ".test.last.tmp", 0, true },
	};
	enum { COUNT = sizeof(all) / sizeof(all[0]) };
	int fd[COUNT];

	capture(1);
	for (int i = 0; i < COUNT; i++)
		fd[i] = left_behind(all[i].file, all[i].how);
	capture(1);
	for (int i = 0; i < COUNT; i++) {
		ck_assert_msg(exists(all[i].file, "") == all[i].stays, "%s",
		              all[i].file);
		close(fd[i]);
	}
	ck_assert(was_said("removed 2 files of 8 bytes"));
	ck_assert_int_eq(count(), 2);
}
END_TEST

/* Writes a file, and finds its descriptor's lock in the way of another's. */
static int try_lock(const void *cls, int fd)
{
	bool *was_locked = *(bool *const *)cls;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	const int own = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(own, 0);
	*was_locked = flock(own, LOCK_EX | LOCK_NB) != 0;
	close(own);
	return 0;
}

START_TEST(what_is_being_written_is_locked)
{
	bool was_locked = false, *const told = &was_locked;

	struct tailbox__artifact_key key = { .kind = TAILBOX__ARTIFACT_WINDOW,
		                             .second = 1, .id = 1 };
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char name[256], path[512];
	const int part =
	        tailbox__folder_reserve(artifact_dir, "test", &key, name, &err);

	ck_assert_int_ge(part, 0);
	snprintf(path, sizeof(path), "%s/%s.part", artifact_dir, name);
	const int fd = open(path, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), -1);
	close(part);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
	const int dirfd = tailbox__folder_open(artifact_dir, &err);
	ck_assert_int_ge(dirfd, 0);
	ck_assert_int_eq(tailbox__file_place(try_lock, &told, dirfd, "it",
	                                     &err), 0);
	close(dirfd);
	ck_assert(was_locked);
}
END_TEST

static Suite *controller_keep_suite(void)
{
	Suite *s = suite_create("controller_keep");
	TCase *t = tcase_create("controller_keep");

	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_oldest_go_beyond_the_count);
	tcase_add_test(t, the_oldest_go_beyond_the_bytes);
	tcase_add_test(t, the_newest_stays_whatever_the_caps);
	tcase_add_test(t, what_is_not_ours_stays);
	tcase_add_test(t, no_settings_are_the_defaults);
	tcase_add_test(t, without_memory_nothing_is_deleted);
	tcase_add_test(t, what_is_pinned_stays_also_after_a_restart);
	tcase_add_test(t, all_pinned_is_more_than_the_cap);
	tcase_add_test(t, a_pin_goes_with_its_artifact);
	tcase_add_test(t, what_a_killed_process_left_goes);
	tcase_add_test(t, what_is_being_written_is_locked);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(controller_keep_suite());

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
