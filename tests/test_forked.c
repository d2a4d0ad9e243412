/* tests/test_forked.c - fork() while another thread holds a lock of ours, or is
 * about to start us.
 *
 * SPDX-License-Identifier: MIT
 *
 * In the child that thread is not there, and its lock would never be free. To
 * leave nothing to luck this program is linked with --wrap: a thread that is
 * told to stops right after it took its next lock, and then we fork.
 */
#include <check.h>
#include <ftw.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tailbox/mhd.h>
#include <tailbox/pool.h>

#define PATIENCE_S 30u

static _Thread_local int stops_in_lock;
static sem_t is_held, may_go;

int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	const int rc = __real_pthread_mutex_lock(m);

	if (stops_in_lock) {
		stops_in_lock = 0;
		sem_post(&is_held);
		sem_wait(&may_go);
	}
	return rc;
}

/* The same, while it maps its tape. */
static _Thread_local bool stops_in_start;

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd,
                  off_t from);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd,
                  off_t from);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd,
                  off_t from)
{
	void *p = __real_mmap(at, bytes, prot, flags, fd, from);

	if (stops_in_start && (flags & MAP_SHARED) && fd >= 0) {
		stops_in_start = false;
		sem_post(&is_held);
		sem_wait(&may_go);
	}
	return p;
}

static char base[64];
static struct MHD_Daemon *daemons[2];

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	(void)cls, (void)c, (void)url, (void)method, (void)version;
	(void)data, (void)size, (void)req_cls;
	return MHD_NO;
}

/* Without threads of its own: a child can stop it. */
static struct MHD_Daemon *daemon_without_threads(void)
{
	struct MHD_Daemon *d = tailbox_mhd_start_daemon(
	        MHD_NO_FLAG, 0, NULL, NULL, answer, NULL, MHD_OPTION_END);

	ck_assert_ptr_nonnull(d);
	return d;
}

static void make_folder(void)
{
	snprintf(base, sizeof(base), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	setenv("TAILBOX_DIR", base, 1);
	unsetenv("TAILBOX");
	unsetenv("TAILBOX_CONFIG");
	ck_assert_int_eq(sem_init(&is_held, 0, 0), 0);
	ck_assert_int_eq(sem_init(&may_go, 0, 0), 0);
}

static void setup(void)
{
	make_folder();
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void teardown(void)
{
	tailbox_stop();
	nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- what takes a lock ------------------------------------------------- */

static void stop_daemon(int i)
{
	tailbox_mhd_stop_daemon(daemons[i]);
}

static void register_pool(int i)
{
	(void)i;
	tailbox_pool_unregister(tailbox_pool_register("pool", 0, 1));
}

__attribute__((unused)) static void start_again(int i)
{
	(void)i;
	(void)tailbox_start("shop", NULL);
}

static const struct {
	void (*call)(int i); /* 0: by the thread, 1: by the child */
	bool is_started;
} rows[] = {
	{ stop_daemon, true },   { stop_daemon, false },
	{ register_pool, true }, { register_pool, false },
#ifndef __SANITIZE_THREAD__ /* which ends a child that makes threads */
	{ start_again, true },
#endif
};

static void *stops_with_a_lock(void *arg)
{
	const int *row = arg;

	stops_in_lock = 1;
	rows[*row].call(0);
	return NULL;
}

START_TEST(a_child_does_not_wait_for_who_is_not_there)
{
	pthread_t thread;
	int status, row = _i;
	pid_t pid;

	for (int i = 0; i < 2; i++)
		daemons[i] = daemon_without_threads();
	if (!rows[row].is_started)
		tailbox_stop();
	ck_assert_int_eq(pthread_create(&thread, NULL, stops_with_a_lock,
	                                &row), 0);
	ck_assert_int_eq(sem_wait(&is_held), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL); /* libcheck's is inherited */
		alarm(PATIENCE_S);
		rows[row].call(1);
		_exit(0);
	}
	sem_post(&may_go);
	pthread_join(thread, NULL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM,
	              "the child waited in vain");
	ck_assert_int_eq(status, 0);
	if (rows[row].call != stop_daemon)
		tailbox_mhd_stop_daemon(daemons[0]);
	tailbox_mhd_stop_daemon(daemons[1]);
}
END_TEST

/* --- in the middle of a start ------------------------------------------ */

static void *starts(void *arg)
{
	const struct tailbox_options *larger = arg;

	stops_in_start = true;
	ck_assert_int_eq(tailbox_start("shop", larger), 0);
	return NULL;
}

/* The first start of a process, or one with a larger tape than before. */
START_TEST(a_child_of_a_start_is_well)
{
	struct tailbox_options larger = { .size = sizeof(larger) };
	pthread_t thread;
	int status;
	pid_t pid;

	if (_i)
		ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	tailbox_stop();
	larger.tape_bytes = 32 << 20;
	ck_assert_int_eq(pthread_create(&thread, NULL, starts, &larger), 0);
	ck_assert_int_eq(sem_wait(&is_held), 0);
	pid = fork();
	if (pid == 0) {
		tailbox_request_finish(tailbox_request_begin("/", NULL), NULL);
		_exit(tailbox_is_recording());
	}
	sem_post(&may_go);
	pthread_join(thread, NULL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("forked");
	TCase *t = tcase_create("forked");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 3 * PATIENCE_S);
	tcase_add_loop_test(t, a_child_does_not_wait_for_who_is_not_there, 0,
	                    sizeof(rows) / sizeof(rows[0]));
	suite_add_tcase(s, t);
	t = tcase_create("start");
	tcase_add_checked_fixture(t, make_folder, teardown);
	tcase_add_loop_test(t, a_child_of_a_start_is_well, 0, 2);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
