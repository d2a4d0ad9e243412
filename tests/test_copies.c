/* tests/test_copies.c - two copies of tailbox in one process.
 *
 * SPDX-License-Identifier: MIT
 *
 * An application that is linked with the static library, and a plugin, or the
 * preload agent, that brings the shared one: neither knows of the other. Here
 * this program is the first and libtailbox.so the second. A lock of fcntl()
 * does not tell them apart, for it is the process's; and whoever opens and
 * closes the other's tape drops it.
 */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>


static char base[64], tape[128], sock[128], library[4096];

struct copy {
	int (*start)(const char *service, const struct tailbox_options *opts);
	void (*stop)(void);
	int (*is_recording)(void);
};

static struct copy ours = { tailbox_start, tailbox_stop,
	                    tailbox_is_recording };
static struct copy theirs;

static void *symbol(void *from, const char *name)
{
	void *at = dlsym(from, name);

	ck_assert_msg(at != NULL, "%s", dlerror());
	return at;
}

static void setup(void)
{
	void *so = dlopen(library, RTLD_NOW | RTLD_LOCAL);

	ck_assert_msg(so != NULL, "%s", dlerror());
	*(void **)&theirs.start = symbol(so, "tailbox_start");
	*(void **)&theirs.stop = symbol(so, "tailbox_stop");
	*(void **)&theirs.is_recording = symbol(so, "tailbox_is_recording");
	ck_assert(theirs.start != ours.start);
	snprintf(base, sizeof(base), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	setenv("TAILBOX_DIR", base, 1);
	unsetenv("TAILBOX");
	unsetenv("TAILBOX_CONFIG");
	snprintf(tape, sizeof(tape), "%s/shop.%ld.tape", base, (long)getpid());
	snprintf(sock, sizeof(sock), "%s/shop.%ld.sock", base, (long)getpid());
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void teardown(void)
{
	ours.stop();
	theirs.stop();
	nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Asked by another process: our own locks are nothing to us. */
static bool is_locked(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		const int fd = open(path, O_RDWR);
		_exit(fd >= 0 && fcntl(fd, F_GETLK, &l) == 0 &&
		              l.l_type != F_UNLCK && l.l_pid == getppid()
		              ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status == 0;
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	ck_assert_msg(stat(path, &st) == 0, "%s is gone", path);
	return st.st_ino;
}

static void check_order(const struct copy *first, const struct copy *second)
{
	ino_t tape_ino, sock_ino;

	ck_assert_int_eq(first->start("shop", NULL), 0);
	tape_ino = inode_of(tape);
	sock_ino = inode_of(sock);
	ck_assert(is_locked(tape));
	for (int i = 0; i < 2; i++) {
		/* Twice: the stop must not take what is not its own, either. */
		ck_assert_int_eq(second->start("shop", NULL), -EBUSY);
		ck_assert_int_eq(second->is_recording(), 0);
		ck_assert_int_eq(first->is_recording(), 1);
		second->stop();
		ck_assert_uint_eq(inode_of(tape), tape_ino);
		ck_assert_uint_eq(inode_of(sock), sock_ino);
		ck_assert_msg(is_locked(tape), "the lock was dropped");
	}
	first->stop();
	ck_assert_int_ne(access(tape, F_OK), 0);
	ck_assert_int_eq(second->start("shop", NULL), 0);
	ck_assert(is_locked(tape));
	second->stop();
}

START_TEST(the_second_goes_unrecorded)
{
	if (_i == 0)
		check_order(&ours, &theirs);
	else
		check_order(&theirs, &ours);
}
END_TEST

static atomic_bool has_looked;

static void log_line(void *cls, const char *line)
{
	(void)cls;
	if (strstr(line, "shop.2.tape") != NULL)
		atomic_store(&has_looked, true);
}

static void write_file(const char *path)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs("left behind", f);
	fclose(f);
}

/* With other names there are two tapes, and "shop" looks at its start for tapes
 * that a crash left: those of a service "shop.1" look like its own. What cannot
 * be read comes after it, by its time, and says that all was looked at. */
START_TEST(names_that_look_alike_keep_their_locks)
{
	const struct timespec ms = { 0, 1000000 };
	struct timespec later[2] = { { 0, UTIME_NOW }, { 0, 0 } };
	struct tailbox_options o;
	char other[160], last[160];

	snprintf(other, sizeof(other), "%s/shop.1.%ld.tape", base,
	         (long)getpid());
	snprintf(last, sizeof(last), "%s/shop.2.tape", base);
	tailbox_options_init(&o);
	o.log = log_line;
	ck_assert_int_eq(theirs.start("shop.1", NULL), 0);
	write_file(last);
	later[1].tv_sec = time(NULL) + 1000;
	ck_assert_int_eq(utimensat(AT_FDCWD, last, later, 0), 0);
	ck_assert_int_eq(ours.start("shop", &o), 0);
	for (int i = 0; i < 20000 && !atomic_load(&has_looked); i++)
		nanosleep(&ms, NULL);
	ck_assert(atomic_load(&has_looked));
	ck_assert_int_eq(theirs.is_recording(), 1);
	ck_assert_msg(is_locked(other), "the lock was dropped");
}
END_TEST

/* What a dead process of our number left is no other copy's. */
START_TEST(a_tape_that_nobody_has_open_is_moved_aside)
{
	char aside[160];

	write_file(tape);
	ck_assert_int_eq(ours.start("shop", NULL), 0);
	snprintf(aside, sizeof(aside), "%s/shop.%ld.1.tape", base,
	         (long)getpid());
	ck_assert_int_eq(access(aside, F_OK), 0);
}
END_TEST

int main(void)
{
	const char *build = getenv("top_builddir");
	Suite *s = suite_create("copies");
	TCase *t = tcase_create("copies");
	SRunner *sr;
	int failed;

	snprintf(library, sizeof(library), "%s/.libs/libtailbox.so",
	         build ? build : ".");
	if (access(library, R_OK) != 0) {
		printf("SKIP: no shared library was built\n");
		return 77;
	}
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, the_second_goes_unrecorded, 0, 2);
	tcase_add_test(t, names_that_look_alike_keep_their_locks);
	tcase_add_test(t, a_tape_that_nobody_has_open_is_moved_aside);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
