/* tests/e2e_report.c - GET /artifacts/ID/report, with the built command and
 * with commands that misbehave.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nothing waits for a time: scripts that hang do so until a file is there or
 * until they are killed.
 */
#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <tailbox.h>
#include <tailbox/admin.h>

#include "controller/admin_report.h"
#include "tests/e2e_admin_client.h"
#include "tests/e2e_client.h"
#include "tests/e2e_scripts.h"

#define REPORT "/artifacts/1/report?format=text"
#define DONE "printf 'a report\\n'\n"

static struct tailbox__child_limits limits; /* as they are in services */

static void start(void)
{
	if (limits.wall_ms == 0)
		limits = tailbox__report_limits;
	tailbox__report_limits = limits;
	/* Each child here is one of a report. */
	scripts_start("[artifacts]\nheadline = false\n");
	capture(30);
}

static void stop(void)
{
	scripts_stop();
}

static void expect_of(const char *path, long status, const char *what)
{
	struct service_reply r = service_admin("GET", path);

	ck_assert_msg(r.status == status, "%s: %ld, not %ld: %s", path,
	              r.status, status, r.text);
	ck_assert_msg(strstr(r.text, what) != NULL, "no %s in: %s", what,
	              r.text);
	free(r.text);
	ck_assert(has_no_child());
	ck_assert_int_eq(service_call("GET", "/healthz"), 200);
}

static void expect(long status, const char *what)
{
	expect_of(REPORT, status, what);
}

/* --- raw clients -------------------------------------------------------- */

static int begin_raw_as(const char *method, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[256];

	ck_assert_uint_lt(strlen(service_socket), sizeof(a.sun_path));
	memcpy(a.sun_path, service_socket, strlen(service_socket) + 1);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	snprintf(text, sizeof(text),
	         "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method,
	         path);
	e2e_send(fd, text);
	/* One thread takes them in order: in the round after the next one the
	 * first was seen. */
	ck_assert_int_eq(service_call("GET", "/healthz"), 200);
	ck_assert_int_eq(service_call("GET", "/healthz"), 200);
	return fd;
}

static int begin_raw(const char *path)
{
	return begin_raw_as("GET", path);
}

static void end_raw(int fd, int status, const char *what)
{
	struct e2e_bytes b = e2e_read_all(fd);

	close(fd);
	ck_assert_msg(e2e_status(&b) == status, "%s", b.text);
	ck_assert_msg(strstr(b.text, what) != NULL, "%s", b.text);
	free(b.text);
}

/* --- what it answers ---------------------------------------------------- */

START_TEST(the_built_command_reports)
{
	const char *build = getenv("top_builddir");
	char path[512];

	snprintf(path, sizeof(path), "%s/tailbox", build ? build : ".");
	ck_assert_msg(path[0] == '/' && access(path, X_OK) == 0,
	              "%s is not there: set top_builddir", path);
	name_command(path);
	expect(200, "30 requests");
	expect_of("/artifacts/1/report", 200, "\"request_count\": 30");
	end_raw(begin_raw_as("HEAD", REPORT), 200, "HTTP/1.1 200");
	expect_of("/artifacts/2/report", 404, "not_found");
	expect_of("/artifacts/1.tailbox/report", 404, "without .tailbox");
	expect_of("/artifacts/x%20y/report", 400, "bad_id");
	expect_of("/artifacts/1/report?slow=1", 400, "bad_parameter");
	ck_assert_int_eq(service_call("POST", "/artifacts/1/report"), 404);
	/* What it says of an artifact without requests is the answer. */
	capture(0);
	expect_of("/artifacts/2/report", 422, "no request to analyze");
	expect_of("/artifacts/2/report?format=text", 422,
	          "cannot_analyze: /");
}
END_TEST

START_TEST(a_command_that_is_not_there_is_501)
{
	expect(501, "no_command: /nowhere/tailbox: ");
	expect_of("/artifacts/1/report", 501, "tailbox analyze FILE");
	end_raw(begin_raw_as("HEAD", REPORT), 501, "HTTP/1.1 501");
	name_command("bin/tailbox");
	expect(501, "the path is not absolute");
	name_command("/tmp"); /* may be entered, not run */
	expect(501, "no_command: /tmp: ");
	write_file(file("plain"), "hello\n", 0600);
	name_command(file("plain"));
	expect(501, "Permission denied");
	write_file(file("format"), "hello\n", 0700);
	name_command(file("format"));
	expect(501, "no_command: ");
}
END_TEST

START_TEST(how_a_command_ends_is_told)
{
	script(DONE);
	expect(200, "a report\n");
	script(DONE "exit 7");
	expect(502, "ended with exit status 7");
	script("echo 'tailbox: bad file' >&2; echo '  here' >&2; exit 1");
	expect(422, "cannot_analyze: bad file   here\n");
	script("exit 1");
	expect(422, "it does not say why");
	script("kill -SEGV $$");
	expect(502, "was ended by signal 11");
	script("exit 0");
	expect(502, "printed no report");
	script("printf 'cut off'");
	expect(502, "printed no report");
	script("exec 1>&- 2>&-; exit 0");
	expect(502, "printed no report");
}
END_TEST

START_TEST(one_that_hangs_is_killed)
{
	long pid;

	tailbox__report_limits.wall_ms = 300;
	script("echo $$ >$d/pid; exec sleep 1000");
	expect(504, "report_timeout: the command took longer than 300 ms");
	if (file_is_there((void *)(uintptr_t)file("pid"))) {
		pid = number_in(file("pid"));
		ck_assert_int_eq(kill((pid_t)pid, 0), -1);
	}
	script("exec 1>&- 2>&-; exec sleep 1000");
	expect(504, "report_timeout");
	script("trap '' TERM INT XCPU; while :; do echo no >&2; done");
	expect(504, "report_timeout");
	/* It stops itself, which is no end. */
	script("kill -STOP $$");
	expect(504, "report_timeout");
}
END_TEST

START_TEST(one_that_spins_is_killed)
{
	tailbox__report_limits.cpu_s = 1;
	/* At nice 19 a busy machine may take minutes to give it that. */
	tailbox__report_limits.wall_ms = 250000;
	script("while :; do :; done");
	expect(504, "or than 1 s of CPU time");
}
END_TEST

START_TEST(output_has_a_limit)
{
	script("head -c 100000000 /dev/zero");
	expect(502, "report_too_large: the command printed more than 4194304");
	tailbox__report_limits.output_bytes = 9;
	script(DONE);
	expect(200, "a report\n");
	tailbox__report_limits.output_bytes = 8;
	expect(502, "report_too_large");
	/* More than a pipe holds, and complete. */
	tailbox__report_limits.output_bytes = 1 << 20;
	script("i=0; while test $i -lt 20000; do echo 0123456789; i=$((i+1)); "
	       "done; echo the end");
	expect(200, "the end\n");
}
END_TEST

START_TEST(a_grandchild_goes_too)
{
	long pid;

	script("sleep 1000 & echo $! >$d/pid\n" DONE);
	expect(200, "a report\n");
	pid = number_in(file("pid"));
	e2e_wait(is_dead, &pid, "the end of the grandchild");
}
END_TEST

/* --- what it is given --------------------------------------------------- */

START_TEST(a_command_has_nothing_of_the_service)
{
	int leak = open("/dev/null", O_RDONLY); /* not O_CLOEXEC */

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_ge(leak, 3);
	/* Limits come a moment after its start. */
	script("until test $(nice) = 19; do :; done\n"
	       "until test $(ulimit -t) = 20; do :; done\n"
	       "until test $(cat /proc/$$/oom_score_adj) = 1000; do :; done\n"
	       "echo dir $(pwd)\n"
	       "echo fds $(ls /proc/self/fd)\n"
	       "echo stdin $(readlink /proc/$$/fd/0)\n"
	       "echo core $(ulimit -c)\n"
	       "echo secret $SECRET_OF_THE_SERVICE.$TAILBOX_CONFIG.\n"
	       "grep SigBlk /proc/$$/status | tr '\\t' ' '\n"
	       /* Beyond 28 come those that the C library uses itself. */
	       "sed -n 's/^\\(SigIgn:\\).*\\(.......\\)$/\\1 \\2/p' "
	       "/proc/$$/status\n"
	       "echo $1 $3 | sed s,$2,,\n");
	expect(200, "fds 0 1 2 3\n"); /* 3: the folder that ls reads */
	expect(200, "dir /\n");
	expect(200, "stdin /dev/null\n");
	expect(200, "core 0\n");
	expect(200, "secret ..\n");
	expect(200, "SigBlk: 0000000000000000\n");
	expect(200, "SigIgn: 0000000\n");
	expect(200, "analyze\n");
	expect_of("/artifacts/1/report", 200, "analyze --json\n");
	close(leak);
}
END_TEST

START_TEST(its_process_group_is_its_own)
{
	/* Fields of stat: pid (comm) state ppid pgrp. */
	script("set -- $(cat /proc/$$/stat)\n"
	       "test $5 = $$ && echo a group of its own\n");
	expect(200, "a group of its own\n");
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
START_TEST(memory_has_a_limit)
{
	script("until test $(ulimit -v) = 1048576; do :; done\n" DONE);
	expect(200, "a report\n");
}
END_TEST
#endif

struct sleeper {
	int epoll, wake, rc, error;
};

static void *sleep_in_epoll(void *arg)
{
	struct sleeper *s = arg;
	struct epoll_event e;

	s->rc = epoll_wait(s->epoll, &e, 1, -1);
	s->error = errno;
	return NULL;
}

/* No handler, no EINTR: its end is not heard of. */
START_TEST(no_thread_of_the_application_is_woken)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct sleeper s = { epoll_create1(EPOLL_CLOEXEC),
		             eventfd(0, EFD_CLOEXEC), 0, 0 };
	sigset_t child, before;
	pthread_t thread;

	ck_assert_int_eq(epoll_ctl(s.epoll, EPOLL_CTL_ADD, s.wake, &e), 0);
	script(DONE);
	e2e_start(&thread, sleep_in_epoll, &s);
	/* So that this thread is the only one that it could go to. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &child, &before);
	for (int i = 0; i < 10; i++)
		expect(200, "a report\n");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ck_assert_int_eq(eventfd_write(s.wake, 1), 0);
	e2e_join(thread);
	ck_assert_msg(s.rc == 1, "%s", strerror(s.error));
	close(s.epoll);
	close(s.wake);
}
END_TEST

static sig_atomic_t heard;
static pthread_t hearer;

static void hear(int signal_number)
{
	(void)signal_number;
	hearer = pthread_self();
	heard = 1;
}

START_TEST(a_handler_runs_where_it_always_does)
{
	struct sigaction sa = { .sa_handler = hear };

	script(DONE);
	ck_assert_int_eq(sigaction(SIGCHLD, &sa, NULL), 0);
	expect(200, "a report\n");
	ck_assert_int_eq(heard, 1);
	ck_assert(pthread_equal(hearer, pthread_self()));
	signal(SIGCHLD, SIG_DFL);
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

START_TEST(an_application_may_reap_what_it_likes)
{
	int stop_now = 0;
	pthread_t thread;

	script(DONE);
	signal(SIGCHLD, SIG_IGN);
	expect(200, "a report\n");
	script("exit 1");
	expect(502, "its exit status was taken by the application");
	signal(SIGCHLD, SIG_DFL);
	script(DONE);
	e2e_start(&thread, reap, &stop_now);
	for (int i = 0; i < 20; i++)
		expect(200, "a report\n");
	__atomic_store_n(&stop_now, 1, __ATOMIC_RELAXED);
	e2e_join(thread);
}
END_TEST

/* --- beside it ---------------------------------------------------------- */

#define WAITS "echo $$ >>$d/began; until test -e $d/go; do sleep 0.01; done\n"

START_TEST(others_are_answered_meanwhile)
{
	int fds[4];
	struct service_reply r;

	script(WAITS DONE);
	fds[0] = begin_raw(REPORT);
	WAIT_FOR_FILE("began");
	ck_assert_int_eq(service_call("GET", "/status"), 200);
	ck_assert_int_eq(service_call("GET", "/artifacts/1"), 200);
	/* Another one has to wait; the same is shared, but not by all. */
	r = service_admin("GET", "/artifacts/1/report");
	ck_assert_int_eq(r.status, 503);
	ck_assert_ptr_nonnull(strstr(r.text, "busy"));
	free(r.text);
	for (int i = 1; i < 4; i++)
		fds[i] = begin_raw(REPORT);
	end_raw(begin_raw(REPORT), 503, "Retry-After: 1");
	ck_assert_int_eq(service_call("GET", "/status"), 200);
	write_file(file("go"), "x", 0600);
	for (int i = 0; i < 4; i++)
		end_raw(fds[i], 200, "a report\n");
	ck_assert_int_eq(number_in(file("began")) > 0, 1);
	struct stat st;
	ck_assert_int_eq(stat(file("began"), &st), 0);
	ck_assert_int_lt(st.st_size, 12); /* one line: it ran once */
	expect(200, "a report\n");
}
END_TEST

START_TEST(a_client_that_leaves_harms_nobody)
{
	int fd;

	script(WAITS DONE);
	fd = begin_raw(REPORT);
	WAIT_FOR_FILE("began");
	e2e_reset(fd);
	write_file(file("go"), "x", 0600);
	for (int i = 0;; i++) {
		struct service_reply r = service_admin("GET", REPORT);
		const long status = r.status;

		free(r.text);
		if (status == 200)
			break;
		ck_assert_int_eq(status, 503);
		ck_assert_int_lt(i, 5000);
		usleep(2000);
	}
}
END_TEST

START_TEST(stopping_kills_it)
{
	long pid;
	int fd;

	tailbox__report_limits.wall_ms = 3600000; /* it is not that */
	script(WAITS DONE);
	fd = begin_raw(REPORT);
	WAIT_FOR_FILE("began");
	pid = number_in(file("began"));
	tailbox_stop();
	ck_assert_int_eq(kill((pid_t)pid, 0), -1);
	ck_assert(has_no_child());
	close(fd);
}
END_TEST

static unsigned count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static bool is_as_before(void *cls)
{
	return count_descriptors() <= *(const unsigned *)cls;
}

START_TEST(no_descriptor_is_left)
{
	unsigned before;

	script(DONE);
	expect(200, "a report\n");
	/* One that is closing may count: five leaks show all the same. */
	before = count_descriptors();
	tailbox__report_limits.wall_ms = 100;
	for (int i = 0; i < 5; i++) {
		script(DONE);
		ck_assert_int_ne(service_call("GET", REPORT), 0);
		script("sleep 1000");
		expect(504, "report_timeout");
		name_command("/tmp");
		expect(501, "no_command");
	}
	/* Connections are closed a moment after their answers. */
	e2e_wait(is_as_before, &before, "no more descriptors than before");
}
END_TEST

/* --- mounted ------------------------------------------------------------ */

static enum MHD_Result mounted(void *cls, struct MHD_Connection *c,
                               const char *url, const char *method,
                               const char *version, const char *data,
                               size_t *size, void **req_cls)
{
	(void)cls, (void)version, (void)data, (void)size, (void)req_cls;
	return tailbox_admin_handle(c, "/t", TAILBOX_ADMIN_TRUSTED, url,
	                            method);
}

START_TEST(a_mounted_form_does_not_wait)
{
	struct MHD_Daemon *d = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, mounted, NULL,
		MHD_OPTION_END);
	const uint16_t port = e2e_port(d);
	struct e2e_bytes b;
	int status;

	script(WAITS DONE);
	for (int i = 0;; i++) {
		b = e2e_exchange(port, "GET /t" REPORT " HTTP/1.1\r\n"
		                       "Host: localhost\r\n"
		                       "Connection: close\r\n\r\n");
		status = e2e_status(&b);
		if (status == 200)
			break;
		ck_assert_int_eq(status, 503);
		ck_assert_ptr_nonnull(strstr(b.text, "under_way"));
		free(b.text);
		ck_assert_int_lt(i, 5000);
		WAIT_FOR_FILE("began");
		write_file(file("go"), "x", 0600);
		usleep(2000);
	}
	ck_assert_ptr_nonnull(strstr(b.text, "a report\n"));
	free(b.text);
	MHD_stop_daemon(d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("report");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed;

	curl_global_init(CURL_GLOBAL_ALL);
	tcase_add_checked_fixture(c, start, stop);
	tcase_set_timeout(c, 300);
	tcase_add_test(c, the_built_command_reports);
	tcase_add_test(c, a_command_that_is_not_there_is_501);
	tcase_add_test(c, how_a_command_ends_is_told);
	tcase_add_test(c, one_that_hangs_is_killed);
	tcase_add_test(c, one_that_spins_is_killed);
	tcase_add_test(c, output_has_a_limit);
	tcase_add_test(c, a_grandchild_goes_too);
	tcase_add_test(c, a_command_has_nothing_of_the_service);
	tcase_add_test(c, its_process_group_is_its_own);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	tcase_add_test(c, memory_has_a_limit);
#endif
	tcase_add_test(c, no_thread_of_the_application_is_woken);
	tcase_add_test(c, a_handler_runs_where_it_always_does);
	tcase_add_test(c, an_application_may_reap_what_it_likes);
	tcase_add_test(c, others_are_answered_meanwhile);
	tcase_add_test(c, a_client_that_leaves_harms_nobody);
	tcase_add_test(c, stopping_kills_it);
	tcase_add_test(c, no_descriptor_is_left);
	tcase_add_test(c, a_mounted_form_does_not_wait);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	curl_global_cleanup();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
