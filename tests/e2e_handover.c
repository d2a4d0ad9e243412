/* tests/e2e_handover.c - a program that is started with each artifact: real
 * windows, and programs that fail, hang, flood, or are not there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <signal.h>
#include <time.h>

#include "controller/after.h"
#include "tests/e2e_scripts.h"

static char settings[300];

static void start(void)
{
	tailbox__handover_times = (struct tailbox__handover_times){
		.pause_ms = { 1, 2 }, .term_ms = 100 };
	setenv("TAILBOX_TOKEN", "secret", 1);
	scripts_start("");
}

/* The next windows are handed to a script that finds itself in $d. */
static void hand_to(const char *text, const char *more)
{
	char all[2048];

	snprintf(all, sizeof(all), "#!/bin/sh\nd=%s\n%s", folder, text);
	unlink(file("program"));
	write_file(file("program"), all, 0700);
	snprintf(settings, sizeof(settings),
	         "[artifacts]\non_artifact = \"%s\"\n%s", file("program"),
	         more);
	more_config = settings;
	name_command("/nowhere/tailbox");
}

static bool says(const char *path, const char *what)
{
	struct service_reply r = service_admin("GET", path);
	const bool is = strstr(r.text, what) != NULL;

	free(r.text);
	return is;
}

static void wait_until(const char *what)
{
	for (int i = 0; !says("/status", what); i++) {
		ck_assert_msg(i < 5000, "status never said %s: %s", what,
		              service_admin("GET", "/status").text);
		usleep(2000);
	}
	ck_assert_int_eq(service_call("GET", "/healthz"), 200);
}

static void has_line(const char *path, const char *what)
{
	char text[4096] = "";
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	ck_assert_msg(strstr(text, what) != NULL, "no %s in: %s", what, text);
}

START_TEST(a_program_gets_each_artifact)
{
	char text[300];

	setenv("PATH", "/usr/bin:/bin:/of/the/test", 1); /* too late */
	hand_to("env >$d/env\necho $#-$1- >$d/arguments\n"
	        "ls /proc/self/fd | tr '\\n' ' ' >$d/fds\n"
	        "test -s \"$1\" && cp \"$TAILBOX_ARTIFACT\" $d/copy\n", "");
	ck_assert(says("/status", "\"last\": null"));
	capture(3);
	wait_until("\"result\": \"succeeded\"");
	ck_assert(has_no_child());
	has_line(file("env"), "TAILBOX_ID=1\n");
	has_line(file("env"), "TAILBOX_KIND=window\n");
	has_line(file("env"), "TAILBOX_SERVICE=e2e\n");
	has_line(file("env"), "TAILBOX_NAME=e2e-20");
	has_line(file("env"), "TAILBOX_HEADLINE=\n"); /* no command */
	has_line(file("env"), "PATH=");
	snprintf(text, sizeof(text), "TAILBOX_ARTIFACT=%s/", service_dir);
	has_line(file("env"), text);
	has_line(file("fds"), "0 1 2 3 ");
	snprintf(text, sizeof(text), "1-%s/", service_dir);
	has_line(file("arguments"), text);
	has_line(file("copy"), "TBXRUN");
	const int fd = open(file("env"), O_RDONLY | O_CLOEXEC);
	char env[4096] = "";
	ck_assert_int_gt(read(fd, env, sizeof(env) - 1), 0);
	close(fd);
	ck_assert_ptr_null(strstr(env, "SECRET_OF_THE_SERVICE"));
	ck_assert_ptr_null(strstr(env, "TAILBOX_TOKEN"));
	ck_assert_ptr_null(strstr(env, "TAILBOX_CONFIG"));
	ck_assert_ptr_null(strstr(env, "/of/the/test"));
	capture(3);
	wait_until("\"succeeded\": 2");
	has_line(file("env"), "TAILBOX_ID=2\n");
	ck_assert(says("/status?format=text", "handed over"));
}
END_TEST

START_TEST(it_comes_after_the_headline)
{
	script("echo likely: it");
	hand_to("env >$d/env\n", "");
	name_command(file("command"));
	capture(3);
	wait_until("\"succeeded\": 1");
	has_line(file("env"), "TAILBOX_HEADLINE=likely: it\n");
}
END_TEST

START_TEST(one_that_fails_has_three_tries)
{
	hand_to("echo x >>$d/tries; echo 'no room' >&2; exit 4", "");
	capture(3);
	wait_until("\"result\": \"failed\"");
	ck_assert(says("/status", "\"detail\": \"exit status 4: no room\""));
	ck_assert(says("/status", "\"started\": 3"));
	ck_assert(says("/status", "\"failed\": 1"));
	has_line(file("tries"), "x\nx\nx\n");
	/* The second try does it. */
	unlink(file("tries"));
	hand_to("echo x >>$d/tries; test $(wc -l <$d/tries) = 2", "");
	capture(3);
	wait_until("\"result\": \"succeeded\"");
	ck_assert(says("/status", "\"tries\": 2"));
	ck_assert(says("/status", "\"started\": 5"));
	ck_assert(has_no_child());
}
END_TEST

START_TEST(one_that_is_not_there_starts_nothing)
{
	hand_to("", "");
	unlink(file("program"));
	capture(3);
	wait_until("\"result\": \"failed\"");
	ck_assert(says("/status", "does not start: "));
	ck_assert(says("/status", "\"started\": 0"));
	ck_assert(has_no_child());
}
END_TEST

/* One of three tries is at its trap within the time, on any machine that runs
 * these tests; then it has a minute to hear. */
START_TEST(one_that_hangs_is_asked_to_end)
{
	tailbox__handover_times.term_ms = 60000;
	hand_to("trap 'echo heard >$d/heard; exit 0' TERM\n"
	        "while :; do sleep 0.01; done",
	        "on_artifact_timeout = \"500ms\"\n");
	capture(3);
	wait_until("\"result\": \"failed\"");
	ck_assert(says("/status", "\"timed_out\": 3"));
	ck_assert(says("/status", "took longer than 500 ms, and was ended"));
	has_line(file("heard"), "heard");
}
END_TEST

START_TEST(one_that_does_not_hear_is_killed)
{
	/* Nor do those that it has started. */
	hand_to("trap '' TERM\necho $$ >$d/pid\n"
	        "sleep 1000 & echo $! >$d/grandchild\nwait",
	        "on_artifact_timeout = \"100ms\"\n");
	capture(3);
	wait_until("\"result\": \"failed\"");
	ck_assert(says("/status", "\"timed_out\": 3"));
	ck_assert(has_no_child());
	if (file_is_there((void *)(uintptr_t)file("grandchild"))) {
		long pid = number_in(file("grandchild"));
		e2e_wait(is_dead, &pid, "the end of the grandchild");
	}
}
END_TEST

START_TEST(output_harms_nobody)
{
	hand_to("head -c 3000000 /dev/zero; head -c 1000000 /dev/zero >&2", "");
	capture(3);
	wait_until("\"result\": \"succeeded\"");
	hand_to("while :; do echo no; echo no >&2; done",
	        "on_artifact_timeout = \"100ms\"\n");
	capture(3);
	wait_until("\"result\": \"failed\"");
	ck_assert(has_no_child());
}
END_TEST

#define WAITS "echo $$ >$d/began; until test -e $d/go; do sleep 0.01; done\n"

START_TEST(others_wait_and_nobody_else_does)
{
	hand_to(WAITS "echo $TAILBOX_ID >>$d/ids", "");
	capture(3);
	WAIT_FOR_FILE("began");
	capture(3);
	capture(3);
	capture(3);
	wait_until("\"waiting\": 3");
	/* One that is deleted before its turn. */
	ck_assert_int_eq(service_call("DELETE", "/artifacts/3"), 200);
	write_file(file("go"), "x", 0600);
	wait_until("\"succeeded\": 3");
	has_line(file("ids"), "1\n2\n4\n");
	ck_assert(says("/status", "\"dropped\": 1,"));
}
END_TEST

START_TEST(the_settings_are_those_of_the_arm)
{
	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	hand_to("echo $TAILBOX_ID >>$d/ids", "");
	ck_assert_int_eq(service_call("POST", "/disarm"), 200);
	for (int i = 0; !says("/status", "\"state\": \"disabled\""); i++) {
		ck_assert_int_lt(i, 5000);
		usleep(2000);
	}
	capture(3);
	wait_until("\"succeeded\": 1");
	has_line(file("ids"), "2\n");
}
END_TEST

static void *reap(void *arg)
{
	const int *stop_now = arg;

	while (!__atomic_load_n(stop_now, __ATOMIC_RELAXED)) {
		(void)waitpid(-1, NULL, WNOHANG);
		usleep(100);
	}
	return NULL;
}

/* Whoever takes the exit status: it is not tried again. */
START_TEST(an_application_may_reap_what_it_likes)
{
	pthread_t thread;
	int stop_now = 0;

	signal(SIGCHLD, SIG_IGN);
	hand_to("echo x >>$d/tries; exit 1", "");
	capture(3);
	wait_until("\"result\": \"unknown\"");
	ck_assert(says("/status", "\"unknown\": 1"));
	ck_assert(says("/status", "\"started\": 1"));
	signal(SIGCHLD, SIG_DFL);
	e2e_start(&thread, reap, &stop_now);
	hand_to("exit 0", "");
	capture(3);
	for (int i = 0; says("/status", "\"result\": \"running\""); i++) {
		ck_assert_int_lt(i, 5000);
		usleep(2000);
	}
	__atomic_store_n(&stop_now, 1, __ATOMIC_RELAXED);
	e2e_join(thread);
	ck_assert(!says("/status", "\"failed\": 1,"));
}
END_TEST

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void stop_within(double most)
{
	const double from = seconds();

	tailbox_stop();
	ck_assert_msg(seconds() - from < most, "%.2f s", seconds() - from);
	ck_assert(has_no_child());
}

START_TEST(stopping_ends_it)
{
	long pid;

	tailbox__handover_times.term_ms = 60000;
	hand_to("trap '' TERM\n" WAITS, "");
	capture(3);
	WAIT_FOR_FILE("began");
	pid = number_in(file("began"));
	capture(3); /* it waits */
	stop_within(5); /* under load; alone 0.3 s */
	ck_assert_int_eq(kill((pid_t)pid, 0), -1);
}
END_TEST

START_TEST(stopping_ends_a_pause)
{
	tailbox__handover_times.pause_ms[0] = 3600000;
	hand_to("echo x >$d/began; exit 1", "");
	capture(3);
	WAIT_FOR_FILE("began");
	wait_until("\"started\": 1");
	stop_within(5);
}
END_TEST

static Suite *handover_suite(void)
{
	Suite *s = suite_create("handover");
	TCase *t = tcase_create("handover");

	tcase_add_checked_fixture(t, start, scripts_stop);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_program_gets_each_artifact);
	tcase_add_test(t, it_comes_after_the_headline);
	tcase_add_test(t, one_that_fails_has_three_tries);
	tcase_add_test(t, one_that_is_not_there_starts_nothing);
	tcase_add_test(t, one_that_hangs_is_asked_to_end);
	tcase_add_test(t, one_that_does_not_hear_is_killed);
	tcase_add_test(t, output_harms_nobody);
	tcase_add_test(t, others_wait_and_nobody_else_does);
	tcase_add_test(t, the_settings_are_those_of_the_arm);
	tcase_add_test(t, an_application_may_reap_what_it_likes);
	tcase_add_test(t, stopping_ends_it);
	tcase_add_test(t, stopping_ends_a_pause);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(handover_suite());

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
