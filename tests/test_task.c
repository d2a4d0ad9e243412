/* tests/test_task.c - what a thread does in the kernel.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/json.h"
#include "core/task.h"

static void moment(void)
{
	const struct timespec ts = { 0, 2000000 };

	nanosleep(&ts, NULL);
}

/* --- texts ----------------------------------------------------------------- */

START_TEST(a_system_call_is_a_number_with_arguments)
{
	static const char *const broken[] = {
		"", "\n", "running\n", "x", "7", "7\n", "-2 0x1 0x2", "-1",
		"0x7 1", "1234567890 0x0"
	};
	int64_t n = 5;

	ck_assert(tailbox__parse_syscall("202 0x7f 0x80 0x0 0x0 0x0 0x0 "
	                                 "0x7ffc 0x7f3a\n", &n));
	ck_assert_int_eq(n, 202);
	ck_assert(tailbox__parse_syscall("0 0x3", &n));
	ck_assert_int_eq(n, 0);
	ck_assert(tailbox__parse_syscall("-1 0x7ffc 0x7f3a\n", &n));
	ck_assert_int_eq(n, -1);
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		ck_assert_msg(!tailbox__parse_syscall(broken[i], &n), "%s",
		              broken[i]);
	ck_assert_int_eq(n, -1); /* left alone */
}
END_TEST

#if defined(__x86_64__)
START_TEST(system_calls_have_the_names_of_this_machine)
{
	static const struct {
		long number;
		const char *name;
	} of[] = {
		{ SYS_read, "read" }, { SYS_poll, "poll" },
		{ SYS_nanosleep, "nanosleep" }, { SYS_futex, "futex" },
		{ SYS_epoll_wait, "epoll_wait" },
		{ SYS_clock_nanosleep, "clock_nanosleep" },
		{ SYS_rseq, "rseq" }, { SYS_pidfd_send_signal,
		                        "pidfd_send_signal" },
		{ SYS_io_uring_enter, "io_uring_enter" },
		{ SYS_epoll_pwait2, "epoll_pwait2" },
	};

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++)
		ck_assert_str_eq(
		        tailbox__syscall_name((uint64_t)of[i].number),
		        of[i].name);
	ck_assert_str_eq(tailbox__syscall_name(334), "rseq");
	ck_assert_ptr_null(tailbox__syscall_name(335));
	ck_assert_ptr_null(tailbox__syscall_name(423));
	ck_assert_str_eq(tailbox__syscall_name(458), "listmount");
	ck_assert_ptr_null(tailbox__syscall_name(459));
	ck_assert_ptr_null(tailbox__syscall_name(UINT64_MAX));
}
END_TEST
#endif

/* --- threads --------------------------------------------------------------- */

static _Atomic uint32_t tid;
static atomic_bool is_over;
static sem_t gate;

static void *in_futex(void *arg)
{
	(void)arg;
	tid = (uint32_t)syscall(SYS_gettid);
	while (sem_wait(&gate) != 0)
		;
	return NULL;
}

static void *in_sleep(void *arg)
{
	const struct timespec ts = { 0, 100000000 };

	(void)arg;
	tid = (uint32_t)syscall(SYS_gettid);
	while (!is_over)
		nanosleep(&ts, NULL);
	return NULL;
}

static void *in_loop(void *arg)
{
	(void)arg;
	tid = (uint32_t)syscall(SYS_gettid);
	while (!is_over)
		;
	return NULL;
}

/* Until it is where it is going: or the kernel tells nothing at all. */
static void look_for(const char *call, struct tailbox__task *t)
{
	for (int i = 0; i < 5000; i++) {
		tailbox__task_look(0, tid, t);
		if (strstr(t->syscall, call) != NULL && t->wchan[0] != '\0')
			return;
		moment();
	}
	ck_assert_msg(t->syscall[0] != '\0' || t->syscall_why != NULL,
	              "neither a call nor a reason");
	ck_assert_msg(t->wchan[0] != '\0' || t->wchan_why != NULL,
	              "neither a place nor a reason");
}

static void start(pthread_t *thread, void *(*fn)(void *))
{
	tid = 0;
	is_over = false;
	sem_init(&gate, 0, 0);
	ck_assert_int_eq(pthread_create(thread, NULL, fn, NULL), 0);
	while (tid == 0)
		moment();
}

START_TEST(a_thread_that_sleeps_says_where)
{
	static const struct {
		void *(*fn)(void *);
		const char *call;
	} of[] = { { in_futex, "futex" }, { in_sleep, "nanosleep" } };
	struct tailbox__task t;
	pthread_t thread;
	char text[160];

	start(&thread, of[_i].fn);
	look_for(of[_i].call, &t);
	ck_assert_int_eq(t.state, 'S');
	if (t.syscall[0] != '\0') {
		ck_assert_ptr_nonnull(strstr(t.syscall, of[_i].call));
		ck_assert_ptr_null(t.syscall_why);
		tailbox__task_text(text, sizeof(text), &t);
		ck_assert_int_eq(strncmp(text, "S in ", 5), 0);
		ck_assert_ptr_nonnull(strstr(text, of[_i].call));
	}
	is_over = true;
	sem_post(&gate);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_thread_that_runs_is_in_no_call)
{
	struct tailbox__task t;
	pthread_t thread;

	start(&thread, in_loop);
	tailbox__task_look(0, tid, &t);
	is_over = true;
	pthread_join(thread, NULL);
	ck_assert_int_eq(t.state, 'R');
	ck_assert_str_eq(t.syscall, "");
	ck_assert_ptr_nonnull(t.syscall_why);
	ck_assert_str_eq(t.wchan, "");
	ck_assert_ptr_nonnull(t.wchan_why);
}
END_TEST

START_TEST(of_another_process)
{
	struct tailbox__task t;
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	ck_assert_int_gt(child, 0);
	for (int i = 0; i < 5000; i++) {
		tailbox__task_look((uint32_t)child, (uint32_t)child, &t);
		if (t.state == 'S')
			break;
		moment();
	}
	ck_assert_int_eq(t.state, 'S');
	/* It may be refused, and says so then. */
	ck_assert((t.syscall[0] != '\0') == (t.syscall_why == NULL));
	ck_assert((t.wchan[0] != '\0') == (t.wchan_why == NULL));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	tailbox__task_look((uint32_t)child, (uint32_t)child, &t);
	ck_assert_int_eq(t.state, 0);
	ck_assert_ptr_nonnull(strstr(t.syscall_why, "no such thread"));
	ck_assert_ptr_eq(t.wchan_why, t.syscall_why);
}
END_TEST

START_TEST(what_is_not_known_is_null_with_its_reason)
{
	struct tailbox__task t = { .state = 'S', .wchan = "futex_wait",
		                   .syscall_why = "not permitted" };
	struct tailbox__json j;
	char text[80];
	char *json;

	tailbox__json_init(&j, false);
	tailbox__json_begin_object(&j);
	tailbox__task_json(&j, &t);
	tailbox__json_end_object(&j);
	json = tailbox__json_take(&j, NULL);
	ck_assert_str_eq(json, "{\"kernel\":{\"state\":\"S\",\"syscall\":null,"
	                       "\"syscall_why_not\":\"not permitted\","
	                       "\"wchan\":\"futex_wait\"}}");
	tailbox__free(json);
	tailbox__task_text(text, sizeof(text), &t);
	ck_assert_str_eq(text, "S in futex_wait");
	t.state = 0;
	t.wchan[0] = '\0';
	tailbox__task_text(text, sizeof(text), &t);
	ck_assert_str_eq(text, "?: not permitted");
	tailbox__json_init(&j, false);
	tailbox__json_begin_object(&j);
	tailbox__task_json(&j, NULL);
	tailbox__json_end_object(&j);
	json = tailbox__json_take(&j, NULL);
	ck_assert_str_eq(json, "{\"kernel\":null}");
	tailbox__free(json);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("task");
	TCase *t = tcase_create("task");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_system_call_is_a_number_with_arguments);
#if defined(__x86_64__)
	tcase_add_test(t, system_calls_have_the_names_of_this_machine);
#endif
	tcase_add_loop_test(t, a_thread_that_sleeps_says_where, 0, 2);
	tcase_add_test(t, a_thread_that_runs_is_in_no_call);
	tcase_add_test(t, of_another_process);
	tcase_add_test(t, what_is_not_known_is_null_with_its_reason);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
