/* tests/test_start_fork.c - fork() in a process that records.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <sys/wait.h>

#include "tests/start_fixture.h"

static int in_child(int to_parent)
{
	char answer = 0;

	if (tailbox_is_recording() || tailbox_request_begin("/", NULL) ||
	    tailbox__admin_path()[0] != '\0')
		return 1;
	tailbox_stop(); /* not started here */
	if (tailbox_start("shop", NULL) != 0)
		return 2;
	if (!exists(run, own("shop", "tape")) ||
	    !exists(run, own("shop", "sock")))
		return 3;
	tailbox_request_finish(tailbox_request_begin("/", NULL), NULL);
	if (strstr(status(), "\"begun\": 1,") == NULL)
		return 4;
	tailbox_stop();
	if (exists(run, own("shop", "tape")))
		return 5;
	return write(to_parent, &answer, 1) == 1 ? 0 : 6;
}

/* TSan does not allow threads in the child of a process with threads. */
#if defined(__SANITIZE_THREAD__)
#define MAY_START_IN_CHILD 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MAY_START_IN_CHILD 0
#endif
#endif
#ifndef MAY_START_IN_CHILD
#define MAY_START_IN_CHILD 1
#endif

/* The C library's allocator can be used in a child whatever its parent's other
 * threads were doing; that of ASan (clang 14, gcc 12) has locks that fork() does
 * not look after. A child hung once under ASan; that this was why is likely and
 * not shown. */
#if defined(__SANITIZE_ADDRESS__)
#define FORKS_AT_ANY_TIME 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FORKS_AT_ANY_TIME 0
#endif
#endif
#ifndef FORKS_AT_ANY_TIME
#define FORKS_AT_ANY_TIME 1
#endif

/* Whether all threads but this one sleep. */
static bool others_sleep(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *e;
	bool all = true;

	ck_assert_ptr_nonnull(dir);
	while ((e = readdir(dir)) != NULL) {
		char path[300], stat[512] = "";
		FILE *f;

		if (e->d_name[0] == '.' ||
		    strtol(e->d_name, NULL, 10) == (long)gettid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/stat",
		         e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		stat[fread(stat, 1, sizeof(stat) - 1, f)] = '\0';
		fclose(f);

		const char *end = strrchr(stat, ')');

		all &= end != NULL && end[1] == ' ' && end[2] == 'S';
	}
	closedir(dir);
	return all;
}

static void wait_for_a_good_time(void)
{
	for (int i = 0; !FORKS_AT_ANY_TIME && i < 10000 && !others_sleep(); i++)
		usleep(1000);
}

START_TEST(forked_child_records_on_its_own)
{
	int to_parent[2], state;
	char answer;
	pid_t pid;

	if (!MAY_START_IN_CHILD)
		return;
	ck_assert_int_eq(pipe2(to_parent, O_CLOEXEC), 0);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	has(status(), "HTTP/1.1 200");
	wait_for_a_good_time();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(in_child(to_parent[1]));
	/* The parent goes on meanwhile. */
	tailbox_request_finish(tailbox_request_begin("/", NULL), NULL);
	has(status(), "\"begun\": 1,");
	ck_assert_int_eq(waitpid(pid, &state, 0), pid);
	ck_assert_msg(WIFEXITED(state) && WEXITSTATUS(state) == 0,
	              "the child ended with %x", (unsigned)state);
	ck_assert_int_eq(read(to_parent[0], &answer, 1), 1);
	ck_assert(exists(run, own("shop", "tape")));
	has(status(), "\"on\": true");
	close(to_parent[0]);
	close(to_parent[1]);
}
END_TEST

START_TEST(child_does_not_keep_the_socket_of_its_parent)
{
	int hold[2], ready[2], state, fd;
	char path[256], c = 'x';
	pid_t pid;

	ck_assert_int_eq(pipe2(hold, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	snprintf(path, sizeof(path), "%s", tailbox__admin_path());
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(hold[1]);
		if (write(ready[1], &c, 1) != 1)
			_exit(2);
		_exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
	}
	/* Until it is past fork(), what runs there has the socket still. */
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	/* Keep the file, so that only a listener could answer. */
	snprintf(path, sizeof(path), "%s/kept", base);
	ck_assert_int_eq(link(tailbox__admin_path(), path), 0);
	tailbox_stop();
	fd = dial(path);
	ck_assert_int_eq(fd, -ECONNREFUSED);
	close(hold[0]);
	close(hold[1]);
	close(ready[0]);
	close(ready[1]);
	ck_assert_int_eq(waitpid(pid, &state, 0), pid);
	ck_assert_int_eq(state, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("start_fork");
	TCase *t = tcase_create("start_fork");

	tcase_add_checked_fixture(t, start_setup, start_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, forked_child_records_on_its_own);
	tcase_add_test(t, child_does_not_keep_the_socket_of_its_parent);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
