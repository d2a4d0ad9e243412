/* tests/e2e_headline.c - headlines of windows in lists and status, with the
 * built command and with commands that misbehave.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <signal.h>
#include <time.h>

#include "controller/command.h"
#include "tests/e2e_scripts.h"

#define LINE "echo \"likely: $2\" | tr / .\n"

static struct tailbox__child_limits limits; /* as they are in services */

static void start(void)
{
	if (limits.wall_ms == 0)
		limits = tailbox__report_limits;
	tailbox__report_limits = limits;
	scripts_start("");
}

static void script_and_capture(const char *text)
{
	script(text);
	capture(3);
}

static bool says(const char *path, const char *what)
{
	struct service_reply r = service_admin("GET", path);
	const bool is = strstr(r.text, what) != NULL;

	free(r.text);
	return is;
}

static void wait_until(const char *path, const char *what)
{
	/* The command runs at nice 19. */
	for (int i = 0; !says(path, what); i++) {
		/* libcheck cannot say more than 8 KiB. */
		ck_assert_msg(i < 20000, "%s never said %s: %.4000s", path,
		              what, service_admin("GET", path).text);
		usleep(2000);
	}
}

/* The reason that status gives, and no headline anywhere. */
static void expect_none(const char *why)
{
	wait_until("/status", why);
	ck_assert(says("/status", "\"headline\": null"));
	ck_assert(says("/artifacts", "\"headline\": null"));
	ck_assert(!says("/artifacts", "\"headline\": \""));
	ck_assert(has_no_child());
	ck_assert_int_eq(service_call("GET", "/healthz"), 200);
}

/* The file beside the last artifact, by the suffix. */
static bool lies_beside(const char *suffix)
{
	struct service_reply r = service_admin("GET", "/artifacts");
	char path[512], name[128], dir[256];
	const char *at = strstr(r.text, "\"name\": \"");
	const char *where = strstr(r.text, "\"folder\": \"");
	struct stat st;

	ck_assert_ptr_nonnull(where);
	ck_assert_int_eq(sscanf(where, "\"folder\": \"%255[^\"]", dir), 1);
	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(sscanf(at, "\"name\": \"%127[^\"]", name), 1);
	free(r.text);
	snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
	return stat(path, &st) == 0;
}

START_TEST(the_built_command_makes_them)
{
	const char *build = getenv("top_builddir");
	char path[512];

	snprintf(path, sizeof(path), "%s/tailbox", build ? build : ".");
	ck_assert_msg(path[0] == '/' && access(path, X_OK) == 0,
	              "%s is not there: set top_builddir", path);
	name_command(path);
	ck_assert(says("/status", "\"last_artifact\": null"));
	capture(7);
	wait_until("/status", "\"headline\": \"too few: 7 requests");
	wait_until("/artifacts", "\"headline\": \"too few: 7 requests");
	wait_until("/status?format=text", ": too few: 7 requests");
	wait_until("/artifacts?format=text", "too few: 7 requests");
	ck_assert(says("/status", "\"made\": 1"));
	ck_assert(lies_beside(".headline"));
	/* It says of an artifact without requests that it has none. */
	capture(0);
	wait_until("/status", "exit status 1: ");
	ck_assert(says("/status", "no request to analyze"));
	ck_assert(says("/status?format=text", "last one"));
	ck_assert(says("/artifacts?format=text", "  -\n"));
	ck_assert(says("/artifacts", "\"headline\": \"too few"));
}
END_TEST

START_TEST(a_snapshot_has_one_too)
{
	script_and_capture("echo likely: $(basename \"$2\" .tailbox)\n");
	wait_until("/status", "-1\"");
	ck_assert_int_eq(service_call("POST", "/snapshot"), 200);
	wait_until("/status", "-s1\"");
	wait_until("/artifacts?format=text", "-s1\n");
	wait_until("/status", "\"made\": 2");
}
END_TEST

START_TEST(without_a_command_nothing_is_tried)
{
	capture(3);
	expect_none("no command: /nowhere/tailbox: ");
	ck_assert(says("/status", "\"failed\": 0"));
	name_command("bin/tailbox");
	capture(3);
	expect_none("no command: bin/tailbox: the path is not absolute");
	ck_assert(!lies_beside(".headline"));
}
END_TEST

/* Each has its turn before the next script takes its place. */
static void expect_failure(int number, const char *text, const char *why)
{
	char failed[32];

	snprintf(failed, sizeof(failed), "\"failed\": %d,", number);
	script_and_capture(text);
	wait_until("/status", failed);
	expect_none(why);
}

START_TEST(what_is_no_headline_is_not_kept)
{
	const char *foreign = "printed something that is no headline";

	expect_failure(1, "echo one; echo two", foreign);
	expect_failure(2, "printf 'a\\033[31mb\\n'", foreign);
	expect_failure(3, "printf 'no newline'", foreign);
	expect_failure(4, "head -c 121 /dev/zero | tr '\\0' x; echo", foreign);
	expect_failure(5, "exit 0", foreign);
	expect_failure(6, "echo well; exit 3",
	               "exit status 3: it does not say why");
	expect_failure(7, "kill -SEGV $$", "was ended by signal 11");
	expect_failure(8, "yes", "printed more than 4096 bytes");
	ck_assert(!lies_beside(".headline"));
	script_and_capture("head -c 120 /dev/zero | tr '\\0' x; echo");
	wait_until("/artifacts", "xxxxx");
}
END_TEST

START_TEST(one_that_hangs_is_killed)
{
	tailbox__report_limits.wall_ms = 200;
	script_and_capture("echo $$ >$d/pid; exec sleep 1000");
	expect_none("took longer than 200 ms");
}
END_TEST

#define WAITS "echo $$ >$d/began; until test -e $d/go; do sleep 0.01; done\n"

/* Neither the end of the window, nor the next one, nor a call. */
START_TEST(nothing_waits_for_one)
{
	script(WAITS LINE);
	capture(3);
	WAIT_FOR_FILE("began");
	capture(3);
	capture(3);
	ck_assert(says("/status", "\"waiting\": 2"));
	ck_assert(says("/artifacts", "\"headline\": null"));
	ck_assert_int_eq(service_call("GET", "/artifacts/2"), 200);
	write_file(file("go"), "x", 0600);
	wait_until("/status", "\"made\": 3");
	ck_assert(says("/status", "-3.tailbox\""));
	ck_assert(!says("/artifacts", "\"headline\": null"));
	ck_assert(has_no_child());
}
END_TEST

/* There is one child at a time: a report has its turn after it. */
START_TEST(a_report_comes_after_it)
{
	struct service_reply r;

	script("test \"$4\" != line || {\n" WAITS LINE "exit\n}\n"
	       "test -e $d/go && echo a report\n");
	capture(3);
	WAIT_FOR_FILE("began");
	pid_t helper = fork();
	if (helper == 0) {
		usleep(50000);
		write_file(file("go"), "x", 0600);
		_exit(0);
	}
	r = service_admin("GET", "/artifacts/1/report?format=text");
	ck_assert_int_eq(r.status, 200);
	ck_assert_str_eq(r.text, "a report\n");
	free(r.text);
	ck_assert_int_eq(waitpid(helper, NULL, 0), helper);
	wait_until("/status", "\"made\": 1");
}
END_TEST

START_TEST(one_of_a_deleted_artifact_is_not_kept)
{
	char folder_of[160], path[300];

	script(WAITS LINE);
	capture(3);
	WAIT_FOR_FILE("began");
	ck_assert_int_eq(service_call("DELETE", "/artifacts/1"), 200);
	write_file(file("go"), "x", 0600);
	capture(3);
	wait_until("/status", "\"made\": 1");
	ck_assert(says("/status", "\"failed\": 0"));
	ck_assert(lies_beside(".headline"));
	/* With its artifact it goes. */
	ck_assert_int_eq(service_call("DELETE", "/artifacts/2"), 200);
	snprintf(folder_of, sizeof(folder_of), "%s/artifacts", service_dir);
	snprintf(path, sizeof(path), "ls -A %s | grep -q headline", folder_of);
	FILE *ls = popen(path, "r");
	ck_assert_ptr_nonnull(ls);
	ck_assert_int_ne(pclose(ls), 0);
}
END_TEST

START_TEST(it_can_be_left_out_for_windows_to_come)
{
	script(WAITS LINE);
	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	more_config = "[artifacts]\nheadline = false\n";
	name_command(file("command"));
	/* The armed one keeps what it has. */
	ck_assert_int_eq(service_call("POST", "/disarm"), 200);
	WAIT_FOR_FILE("began");
	unlink(file("began"));
	capture(3);
	write_file(file("go"), "x", 0600);
	wait_until("/status", "\"made\": 1");
	ck_assert(says("/status", "-2\","));
	ck_assert(!file_is_there((void *)(uintptr_t)file("began")));
	ck_assert(!lies_beside(".headline"));
}
END_TEST

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

START_TEST(stopping_ends_it)
{
	long pid;
	double from;

	tailbox__report_limits.wall_ms = 3600000;
	script("trap '' TERM INT\n" WAITS LINE);
	capture(3);
	WAIT_FOR_FILE("began");
	pid = number_in(file("began"));
	/* This one is written while we stop, and gets none. */
	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	from = seconds();
	tailbox_stop();
	ck_assert_msg(seconds() - from < 5, "%.1f s", seconds() - from);
	ck_assert_int_eq(kill((pid_t)pid, 0), -1);
	ck_assert(has_no_child());
}
END_TEST

static Suite *headline_suite(void)
{
	Suite *s = suite_create("headline");
	TCase *t = tcase_create("headline");

	tcase_add_checked_fixture(t, start, scripts_stop);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, the_built_command_makes_them);
	tcase_add_test(t, a_snapshot_has_one_too);
	tcase_add_test(t, without_a_command_nothing_is_tried);
	tcase_add_test(t, what_is_no_headline_is_not_kept);
	tcase_add_test(t, one_that_hangs_is_killed);
	tcase_add_test(t, nothing_waits_for_one);
	tcase_add_test(t, a_report_comes_after_it);
	tcase_add_test(t, one_of_a_deleted_artifact_is_not_kept);
	tcase_add_test(t, it_can_be_left_out_for_windows_to_come);
	tcase_add_test(t, stopping_ends_it);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(headline_suite());

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
