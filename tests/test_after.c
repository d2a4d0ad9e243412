/* tests/test_after.c - headlines: what is one, the file beside the artifact,
 * the line of those that wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "controller/after.h"
#include "controller/settings.h"
#include "tests/controller_fixture.h"

static bool takes(const char *line, size_t len)
{
	char out[TAILBOX__HEADLINE_ROOM];
	const bool is = tailbox__headline_take(line, len, out);

	ck_assert_int_eq(is, out[0] != '\0');
	if (is) {
		ck_assert_uint_eq(strlen(out), len - 1);
		ck_assert_int_eq(memcmp(out, line, len - 1), 0);
	}
	return is;
}

#define TAKES(line) takes(line, sizeof(line) - 1)

START_TEST(a_headline_is_one_line_of_text)
{
	char line[200];

	ck_assert(TAKES("x\n"));
	ck_assert(TAKES("likely: p99 1 ms\n"));
	ck_assert(TAKES("~ \xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f\n"));
	ck_assert(TAKES("\xc2\xa0 first after C1\n"));
	ck_assert(!TAKES(""));
	ck_assert(!TAKES("\n"));
	ck_assert(!TAKES("x"));
	ck_assert(!TAKES("one\ntwo\n"));
	ck_assert(!TAKES("x\r\n"));
	ck_assert(!TAKES("a\tb\n"));
	ck_assert(!TAKES("a\0b\n"));
	ck_assert(!TAKES("a\x1f\n"));
	ck_assert(!TAKES("a\x7f\n"));
	ck_assert(!TAKES("a\xc2\x80\n"));
	ck_assert(!TAKES("a\xc2\x9f\n"));
	ck_assert(!TAKES("a\xc3\n"));
	ck_assert(!TAKES("\xff\n"));
	ck_assert(!TAKES("\xed\xa0\x80\n"));
	memset(line, 'x', sizeof(line));
	for (size_t n = 119; n <= 122; n++) {
		line[n] = '\n';
		ck_assert_int_eq(takes(line, n + 1), n <= 120);
		line[n] = 'x';
	}
}
END_TEST

/* --- beside an artifact ------------------------------------------------- */

static uint64_t capture(void)
{
	const uint64_t id = arm(NULL);

	requests(1);
	disarm();
	return id;
}

static struct tailbox__artifact_entry entry(uint64_t id)
{
	struct tailbox__artifact_entry e;
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, id);
	ck_assert_int_eq(tailbox__artifact_find(number, &e), 0);
	return e;
}

static const char *beside(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s.headline", artifact_dir, name);
	return path;
}

static bool is_beside(const char *name)
{
	struct stat st;

	return lstat(beside(name), &st) == 0;
}

static int place(const char *name, const char *headline)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const int dirfd = open(artifact_dir, O_RDONLY | O_DIRECTORY);

	ck_assert_int_ge(dirfd, 0);
	const int ret =
	        tailbox__folder_place_headline(dirfd, name, headline, &err);
	close(dirfd);
	return ret;
}

static void put_file(const char *path, const char *text)
{
	const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)),
	                 (ssize_t)strlen(text));
	close(fd);
}

START_TEST(it_is_kept_beside_and_goes_with_it)
{
	struct tailbox__artifact_entry e;
	struct stat st;

	capture();
	e = entry(1);
	ck_assert_str_eq(e.headline, "");
	ck_assert_uint_eq(e.headline_bytes, 0);
	ck_assert_int_eq(place(e.name, "all is well"), 0);
	ck_assert_int_eq(stat(beside(e.name), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	e = entry(1);
	ck_assert_str_eq(e.headline, "all is well");
	ck_assert_uint_eq(e.headline_bytes, 12);
	/* What is there stays: whose is it? */
	ck_assert_int_eq(place(e.name, "another"), -EEXIST);
	ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	ck_assert(!is_beside(e.name));
	/* Deleted meanwhile. */
	ck_assert_int_eq(place(e.name, "too late"), -ENOENT);
	ck_assert(!is_beside(e.name));
}
END_TEST

START_TEST(what_lies_there_is_looked_at)
{
	struct tailbox__artifact_entry e;

	capture();
	e = entry(1);
	put_file(beside(e.name), "forged \x1b[2J\n");
	ck_assert_str_eq(entry(1).headline, "");
	ck_assert_uint_eq(entry(1).headline_bytes, 12);
	unlink(beside(e.name));
	put_file(beside(e.name), "");
	ck_assert_str_eq(entry(1).headline, "");
	unlink(beside(e.name));
	ck_assert_int_eq(symlink("/etc/hostname", beside(e.name)), 0);
	ck_assert_str_eq(entry(1).headline, "");
	ck_assert_uint_eq(entry(1).headline_bytes, 0);
	unlink(beside(e.name));
	/* Nobody waits for who would write into it. */
	ck_assert_int_eq(mkfifo(beside(e.name), 0600), 0);
	ck_assert_str_eq(entry(1).headline, "");
	unlink(beside(e.name));
}
END_TEST

START_TEST(it_counts_in_the_bytes)
{
	struct tailbox__controller_config c = { .max_count = 0 };
	uint64_t bytes;

	capture();
	ck_assert_int_eq(place(entry(1).name, "0123456789"), 0);
	bytes = entry(1).bytes;
	for (int i = 0; i < 2; i++) {
		tailbox__controller_stop();
		/* Both artifacts, and the headline but for a byte. */
		c.max_size = 2 * bytes + 11 - (unsigned)i;
		start_as(c);
		capture();
		ck_assert_uint_eq(entry(1).bytes, bytes);
		struct tailbox__artifact_entry all[3], e = entry(1);
		ck_assert_int_eq(tailbox__artifacts(all, 3, NULL), i == 0 ? 2 : 1);
		ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	}
}
END_TEST

/* --- the line ----------------------------------------------------------- */

static struct tailbox__after_status status(void)
{
	struct tailbox__after_status s;

	tailbox__after_status(&s);
	return s;
}

static const char *mark(const char *name)
{
	static char paths[2][200];
	static unsigned next;
	char *p = paths[next++ % 2];

	snprintf(p, sizeof(paths[0]), "%s/%s", fixture_dir, name);
	return p;
}

/* A command that waits for a file before it speaks. */
static void set_command(const char *text)
{
	static const struct tailbox__settings_environment none = { NULL, NULL,
		                                                   false };
	static struct tailbox__config_report report;
	struct tailbox_options o;
	char all[600];

	snprintf(all, sizeof(all), "#!/bin/sh\nd=%s\n%s", fixture_dir, text);
	put_file(mark("command"), all);
	ck_assert_int_eq(chmod(mark("command"), 0700), 0);
	snprintf(all, sizeof(all), "[admin]\nreport_command = \"%s\"\n",
	         mark("command"));
	put_file(mark("conf"), all);
	tailbox_options_init(&o);
	tailbox__settings_open("test", &o, &none);
	ck_assert_int_eq(tailbox__settings_load(mark("conf"), &report), 0);
}

static void wait_for_made(uint64_t made)
{
	for (int i = 0; status().headlines < made; i++) {
		const struct timespec ms = { .tv_nsec = 1000000 };
		ck_assert_int_lt(i, wait_s() * 1000);
		nanosleep(&ms, NULL);
	}
}

static void wait_for_file(const char *path)
{
	for (int i = 0; access(path, F_OK) != 0; i++) {
		const struct timespec ms = { .tv_nsec = 1000000 };
		ck_assert_int_lt(i, wait_s() * 1000);
		nanosleep(&ms, NULL);
	}
}

static struct tailbox__after one(unsigned number)
{
	struct tailbox__after a = { .kind = "window", .wishes.headline = true };
	char path[400];

	snprintf(a.id, sizeof(a.id), "%u", number);
	snprintf(a.name, sizeof(a.name), "x-%u", number);
	snprintf(path, sizeof(path), "%s/%s.tailbox", artifact_dir, a.name);
	put_file(path, "x");
	return a;
}

static void clean_marks(void)
{
	static const char *const names[] = { "command", "conf", "go", "began" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(mark(names[i]));
}

START_TEST(the_line_has_a_bound)
{
	struct tailbox__after a;

	set_command("echo x >$d/began\n"
	            "until test -e $d/go; do sleep 0.01; done\necho $2 | tr / .");
	a = one(0);
	tailbox__after(&a);
	wait_for_file(mark("began")); /* it is in hand, and does not wait */
	for (unsigned i = 1; i <= TAILBOX__AFTER_MAX; i++) {
		a = one(i);
		tailbox__after(&a);
		ck_assert_uint_eq(status().headlines_waiting, i);
	}
	ck_assert_uint_eq(status().headlines_dropped, 0);
	ck_assert_str_eq(status().headline_error, "");
	a = one(TAILBOX__AFTER_MAX + 1);
	tailbox__after(&a);
	ck_assert_uint_eq(status().headlines_dropped, 1);
	ck_assert_uint_eq(status().headlines_waiting, TAILBOX__AFTER_MAX);
	ck_assert_ptr_nonnull(strstr(status().headline_error, "x-17: too many"));
	ck_assert_str_eq(status().name, "x-17");
	put_file(mark("go"), "");
	wait_for_made(TAILBOX__AFTER_MAX + 1);
	ck_assert(is_beside("x-16"));
	ck_assert(!is_beside("x-17"));
	/* Its thread has gone; another one comes. */
	a = one(18);
	tailbox__after(&a);
	wait_for_made(TAILBOX__AFTER_MAX + 2);
	ck_assert_ptr_nonnull(strstr(status().headline, "x-18.tailbox"));
	ck_assert_uint_eq(status().headlines_failed, 0);
	clean_marks();
}
END_TEST

/* The same for the program, whose line is its own. */
START_TEST(hand_overs_have_a_line_of_their_own)
{
	struct tailbox__handover_status s;
	struct tailbox__after a;

	set_command("echo x >$d/began\n"
	            "until test -e $d/go; do sleep 0.01; done\n"
	            "test $TAILBOX_ID != 3");
	tailbox__handover_times = (struct tailbox__handover_times){
		.pause_ms = { 1, 1 }, .term_ms = 100 };
	for (unsigned i = 0; i <= TAILBOX__AFTER_MAX + 1; i++) {
		a = one(i);
		a.wishes.headline = false;
		memcpy(a.wishes.program, mark("command"),
		       strlen(mark("command")) + 1);
		a.wishes.program_ms = 60000;
		tailbox__after(&a);
		if (i == 0)
			wait_for_file(mark("began"));
		s = status().handover;
		ck_assert_uint_eq(s.waiting, i <= TAILBOX__AFTER_MAX
		                                     ? i
		                                     : TAILBOX__AFTER_MAX);
		ck_assert_uint_eq(s.dropped, i > TAILBOX__AFTER_MAX);
	}
	ck_assert_str_eq(s.name, "x-17");
	ck_assert_str_eq(s.result, "dropped");
	ck_assert_ptr_nonnull(strstr(s.detail, "too many"));
	put_file(mark("go"), "");
	wait_for("x-16 was handed to ");
	s = status().handover;
	ck_assert_uint_eq(s.succeeded, TAILBOX__AFTER_MAX);
	ck_assert_uint_eq(s.failed, 1);
	ck_assert_uint_eq(s.started, TAILBOX__AFTER_MAX + 3);
	ck_assert_uint_eq(s.dropped, 1);
	ck_assert_uint_eq(s.waiting, 0);
	clean_marks();
}
END_TEST

START_TEST(who_waits_at_a_stop_is_left)
{
	struct tailbox__after a;
	int how;

	set_command("echo x >$d/began; exec sleep 1000");
	a = one(0);
	tailbox__after(&a);
	wait_for_file(mark("began"));
	a = one(1);
	tailbox__after(&a);
	unlink(mark("began"));
	tailbox__controller_stop();
	/* Killed, though at nice 19 it may not have got its turn to die while
	 * the stop had patience. */
	while (waitpid(-1, &how, 0) > 0)
		ck_assert(WIFSIGNALED(how));
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_int_eq(access(mark("began"), F_OK), -1);
	ck_assert(!is_beside("x-0"));
	/* After the stop nothing begins. */
	a = one(2);
	tailbox__after(&a);
	ck_assert_int_eq(access(mark("began"), F_OK), -1);
	start_with(0);
	ck_assert_uint_eq(status().headlines_dropped, 0);
	clean_marks();
}
END_TEST

START_TEST(who_wants_nothing_gets_nothing)
{
	struct tailbox__after a = one(0);

	set_command("echo x");
	a.wishes.headline = false;
	tailbox__after(&a);
	ck_assert_str_eq(status().name, "x-0");
	ck_assert_str_eq(status().kind, "window");
	ck_assert_str_eq(status().headline, "");
	a = one(1);
	tailbox__after(&a);
	wait_for_made(1);
	ck_assert(!is_beside("x-0"));
	ck_assert(is_beside("x-1"));
	clean_marks();
}
END_TEST

static Suite *after_suite(void)
{
	Suite *s = suite_create("after");
	TCase *plain = tcase_create("text"), *t = tcase_create("folder");

	tcase_add_test(plain, a_headline_is_one_line_of_text);
	suite_add_tcase(s, plain);
	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, it_is_kept_beside_and_goes_with_it);
	tcase_add_test(t, what_lies_there_is_looked_at);
	tcase_add_test(t, it_counts_in_the_bytes);
	tcase_add_test(t, the_line_has_a_bound);
	tcase_add_test(t, hand_overs_have_a_line_of_their_own);
	tcase_add_test(t, who_waits_at_a_stop_is_left);
	tcase_add_test(t, who_wants_nothing_gets_nothing);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(after_suite());

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
