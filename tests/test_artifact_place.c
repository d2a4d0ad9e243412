/* tests/test_artifact_place.c - native artifacts are written, and placed in a
 * folder whole or not at all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "core/tailbox.h"
#include "tests/sample_runs.h"

/* Stands before the C library's when this program is linked, so that a file
 * system without RENAME_NOREPLACE can be played. */
static int rename_error;

int renameat2(int from_dir, const char *from, int to_dir, const char *to,
              unsigned flags)
{
	if (rename_error) {
		errno = rename_error;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

static char folder[64];
static int folder_fd = -1;

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/test_artifact.XXXXXX");
	SAMPLE_MUST(mkdtemp(folder));
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SAMPLE_MUST(folder_fd >= 0);
}

/* Names in the folder, "." and ".." not counted. */
static unsigned name_count(bool unlink_them)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	unsigned count = 0;

	SAMPLE_MUST(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		count++;
		if (unlink_them)
			unlinkat(folder_fd, e->d_name, 0);
	}
	closedir(dir);
	return count;
}

static void remove_folder(void)
{
	tailbox__alloc_fail_after(-1);
	rename_error = 0;
	name_count(true);
	close(folder_fd);
	rmdir(folder);
}

START_TEST(full_disk_is_an_error)
{
	struct tailbox__run *run = sample_tiny();
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(tailbox__artifact_write(run, fd), -ENOSPC);
	ck_assert_int_eq(tailbox__artifact_write(run, -1), -EBADF);
	close(fd);
	tailbox__run_destroy(run);
}
END_TEST

static const int rename_errors[] = { 0, EINVAL, ENOSYS };

START_TEST(artifact_is_placed_whole)
{
	struct tailbox__run *run = sample_full(), *back;
	struct stat st;

	rename_error = rename_errors[_i];
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, "a.tailbox",
	                                         NULL),
	                 0);
	ck_assert_uint_eq(name_count(false), 1);
	int fd = openat(folder_fd, "a.tailbox", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(tailbox__artifact_read(fd, &back, NULL), 0);
	close(fd);
	tailbox__run_destroy(back);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(existing_name_is_left_alone)
{
	struct tailbox__run *run = sample_tiny();
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char text[8] = "";

	int fd = openat(folder_fd, "old", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, "mine", 4), 4);
	rename_error = rename_errors[_i];
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, "old", &err),
	                 -EEXIST);
	ck_assert_int_eq(err.code, -EEXIST);
	ck_assert_uint_eq(name_count(false), 1);
	ck_assert_int_eq(pread(fd, text, sizeof(text), 0), 4);
	ck_assert_str_eq(text, "mine");
	close(fd);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(failed_rename_leaves_nothing)
{
	struct tailbox__run *run = sample_tiny();

	rename_error = EIO;
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, "a", NULL),
	                 -EIO);
	ck_assert_uint_eq(name_count(false), 0);
	tailbox__run_destroy(run);
}
END_TEST

/* The limit on file sizes plays the full disk: it cuts a write in the
 * middle. */
START_TEST(failed_write_leaves_nothing)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct rlimit old, small;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1000;
	/* No check in between: libcheck writes a file, too. */
	const int set = setrlimit(RLIMIT_FSIZE, &small);
	int rc = tailbox__artifact_place(run, folder_fd, "a", &err);
	setrlimit(RLIMIT_FSIZE, &old);
	ck_assert_int_eq(set, 0);
	ck_assert_int_eq(rc, -EFBIG);
	ck_assert_int_eq(err.code, -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.text, "write"));
	ck_assert_uint_eq(name_count(false), 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(only_file_names_are_taken)
{
	static const char *const wrong[] = { "", ".", "..", "a/b", "/a" };
	struct tailbox__run *run = sample_tiny();
	char name[300];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(tailbox__artifact_place(run, folder_fd,
		                                         wrong[i], NULL),
		                 -EINVAL);
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, NULL, NULL),
	                 -EINVAL);
	ck_assert_int_eq(tailbox__artifact_place(run, -1, "a", NULL), -EBADF);
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, name, NULL),
	                 -EINVAL);
	ck_assert_uint_eq(name_count(false), 0);
	name[255] = '\0';
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, name, NULL),
	                 0);
	ck_assert_uint_eq(name_count(false), 1);
	tailbox__run_destroy(run);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("artifact_place");
	TCase *t = tcase_create("artifact_place");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, make_folder, remove_folder);
	tcase_add_test(t, full_disk_is_an_error);
	tcase_add_loop_test(t, artifact_is_placed_whole, 0, 3);
	tcase_add_loop_test(t, existing_name_is_left_alone, 0, 3);
	tcase_add_test(t, failed_rename_leaves_nothing);
	tcase_add_test(t, failed_write_leaves_nothing);
	tcase_add_test(t, only_file_names_are_taken);
	suite_add_tcase(suite, t);
	return suite;
}

int main(void)
{
	return sample_run_suite(make_suite());
}
