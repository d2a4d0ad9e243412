/* tests/test_trigger_watch.c - triggers at work: from a record, a call or a
 * signal to an artifact, or to none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>

#include <tailbox.h>

#include "controller/settings.h"
#include "controller/trigger_watch.h"
#include "core/config.h"
#include "tests/controller_fixture.h"

static struct tailbox__config settings;
static struct tailbox__config_triggers *c;

static void open_all(void)
{
	const struct tailbox__settings_environment env = { 0 };
	struct tailbox_options o;

	tailbox_options_init(&o);
	tailbox__settings_open("test", &o, &env);
	tailbox__config_init(&settings);
	c = &settings.triggers;
	c->after = 0;
	controller_open();
}

static void close_all(void)
{
	tailbox__trigger_signal_clear();
	signal(SIGUSR2, SIG_DFL);
	controller_close();
}

static const struct tailbox__trigger_status *status(void)
{
	static struct tailbox__trigger_status s;

	tailbox__trigger_status(&s);
	return &s;
}

/* Until so many have been counted: nothing is said of losers. */
static void wait_until_fired(enum tailbox__trigger_kind kind, uint64_t count)
{
	for (int i = 0; i < wait_s() * 1000; i++) {
		const struct timespec ms = { .tv_nsec = 1000000 };
		if (status()->desk.counts[kind].fired >= count)
			return;
		nanosleep(&ms, NULL);
	}
	ck_abort_msg("fired %llu times",
	             (unsigned long long)status()->desk.counts[kind].fired);
}

static struct tailbox__run *load_kept(const char *id)
{
	struct tailbox__artifact_entry e;
	struct tailbox__run *run;

	/* A window's is placed by another thread. */
	for (int i = 0; tailbox__artifact_find(id, &e) != 0; i++) {
		const struct timespec ms = { .tv_nsec = 1000000 };
		ck_assert_int_lt(i, wait_s() * 1000);
		nanosleep(&ms, NULL);
	}
	const int fd = tailbox__artifact_open(&e);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tailbox__artifact_read(fd, &run, NULL), 0);
	close(fd);
	return run;
}

static void cause_is(const struct tailbox__run *run, const char *text)
{
	const struct tailbox__run_pair *x = tailbox__run_extra(run, "cause");

	ck_assert_ptr_nonnull(x);
	ck_assert_str_eq(tailbox__run_text(run, x->text, NULL), text);
}

START_TEST(a_storm_of_calls_makes_one_artifact_and_999_are_counted)
{
	tailbox__trigger_set(c);
	requests(5);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(tailbox_trigger("storm\n\xff"), 0);
	wait_for("snapshot s1 keeps it");
	wait_until_fired(TAILBOX__TRIGGER_CALL, 1000);
	const struct tailbox__trigger_status *s = status();

	ck_assert_uint_eq(s->desk.counts[TAILBOX__TRIGGER_CALL].fired, 1000);
	ck_assert_uint_eq(s->desk.counts[TAILBOX__TRIGGER_CALL].made, 1);
	ck_assert_uint_eq(s->desk.counts[TAILBOX__TRIGGER_CALL].covered +
	                          s->desk.counts[TAILBOX__TRIGGER_CALL].cooling,
	                  999);
	ck_assert_uint_gt(s->cooling_ms, 50000);
	struct tailbox__artifact_entry e[3];
	ck_assert_int_eq(tailbox__artifacts(e, 3, NULL), 1);
	struct tailbox__run *run = load_kept("s1");
	ck_assert_uint_eq(run->requests.count, 5);
	cause_is(run, "call storm??");
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_slow_request_is_in_the_artifact_that_it_makes)
{
	/* No other one takes as long, however late the scheduler is. */
	const struct timespec ms = { .tv_nsec = 400000000 };

	c->slow = 400;
	tailbox__trigger_set(c);
	requests(3);
	tailbox_request r = tailbox_request_begin("/slow", NULL);
	nanosleep(&ms, NULL);
	tailbox_request_finish(r, NULL);
	wait_for("trigger: slow /slow: ");
	wait_for("snapshot s1 keeps it");
	struct tailbox__run *run = load_kept("s1");
	bool is_there = false;

	for (size_t i = 0; i < run->requests.count; i++)
		is_there |= strcmp(tailbox__run_text(
		                           run, run->requests.items[i].route,
		                           NULL), "/slow") == 0;
	ck_assert(is_there);
	ck_assert_uint_ge(run->requests.count, 4);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_request_that_does_not_end_fires_once)
{
	c->open = 5;
	c->cooldown = 0;
	tailbox__trigger_set(c);
	tailbox_request r = tailbox_request_begin("/stuck", NULL);
	wait_for("trigger: open /stuck: ");
	wait_for("snapshot s1 keeps it");
	const uint64_t passes = 3 * 50;

	/* Some looks later it has still fired once. */
	for (uint64_t i = 0; i < passes; i++) {
		const struct timespec ms = { .tv_nsec = 1000000 };
		nanosleep(&ms, NULL);
	}
	ck_assert_uint_eq(status()->desk.counts[TAILBOX__TRIGGER_OPEN].fired, 1);
	tailbox_request_finish(r, NULL);
}
END_TEST

/* Of so many ms, after four requests. */
static void trigger_a_window(uint64_t duration)
{
	c->action = TAILBOX__ACTION_ARM;
	c->duration = duration;
	tailbox__trigger_set(c);
	requests(4);
	tailbox_trigger(NULL);
}

START_TEST(arm_makes_a_window_that_covers_what_fires_in_it)
{
	trigger_a_window(600000);
	wait_for("window 1 armed");
	tailbox_trigger("again");
	wait_until_fired(TAILBOX__TRIGGER_CALL, 2);
	requests(2);
	ck_assert_int_ge(tailbox__disarm(NULL, NULL, NULL), 0);
	wait_for("window 1 keeps it");
	const struct tailbox__trigger_status *s = status();

	ck_assert_uint_eq(s->desk.counts[TAILBOX__TRIGGER_CALL].made, 1);
	ck_assert_uint_eq(s->desk.counts[TAILBOX__TRIGGER_CALL].covered, 1);
	struct tailbox__run *run = load_kept("1");
	ck_assert_uint_eq(run->requests.count, 6);
	cause_is(run, "call");
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_window_that_a_trigger_armed_ends_by_itself)
{
	trigger_a_window(20);
	wait_for("window 1 keeps it");
	struct tailbox__run *run = load_kept("1");

	ck_assert_uint_eq(run->requests.count, 4);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(what_cannot_be_kept_is_told_and_not_tried_again_at_once)
{
	c->action = TAILBOX__ACTION_ARM;
	tailbox__trigger_set(c);
	arm(NULL);
	tailbox_trigger("why");
	wait_for("trigger: nothing was kept: window 1");
	wait_until_fired(TAILBOX__TRIGGER_CALL, 1);
	tailbox_trigger("again");
	wait_until_fired(TAILBOX__TRIGGER_CALL, 2);
	const struct tailbox__trigger_status *s = status();

	ck_assert_uint_eq(s->desk.counts[TAILBOX__TRIGGER_CALL].failed, 1);
	ck_assert_uint_eq(s->desk.counts[TAILBOX__TRIGGER_CALL].cooling, 1);
	ck_assert_ptr_nonnull(strstr(s->desk.error, "armed already"));
}
END_TEST

START_TEST(a_signal_that_is_free_is_taken_and_given_back)
{
	struct sigaction now;

	snprintf(c->signal, sizeof(c->signal), "SIGUSR2");
	tailbox__trigger_set(c);
	ck_assert_str_eq(status()->signal_trouble, "");
	raise(SIGUSR2);
	wait_for("trigger: signal SIGUSR2");
	wait_for("snapshot s1 keeps it");
	ck_assert_uint_eq(status()->desk.counts[TAILBOX__TRIGGER_SIGNAL].fired,
	                  1);
	/* A reload without it: as it was. */
	c->signal[0] = '\0';
	tailbox__trigger_set(c);
	sigaction(SIGUSR2, NULL, &now);
	ck_assert(now.sa_handler == SIG_DFL);
}
END_TEST

static void application_s(int number)
{
	(void)number;
}

START_TEST(a_signal_of_the_application_is_left_alone)
{
	struct sigaction now;

	for (int is_ignored = 0; is_ignored < 2; is_ignored++) {
		signal(SIGUSR2, is_ignored ? SIG_IGN : application_s);
		snprintf(c->signal, sizeof(c->signal), "SIGUSR2");
		tailbox__trigger_set(c);
		wait_for("SIGUSR2 is no trigger: it ");
		ck_assert_ptr_nonnull(strstr(status()->signal_trouble,
		                             is_ignored ? "ignored"
		                                        : "handler"));
		sigaction(SIGUSR2, NULL, &now);
		ck_assert(now.sa_handler ==
		          (is_ignored ? SIG_IGN : application_s));
		tailbox__trigger_signal_clear();
	}
	/* Taken by us first, then by the application: it is theirs. */
	signal(SIGUSR2, SIG_DFL);
	tailbox__trigger_set(c);
	signal(SIGUSR2, application_s);
	ck_assert_ptr_nonnull(strstr(status()->signal_trouble, "taken"));
	tailbox__trigger_signal_clear();
	sigaction(SIGUSR2, NULL, &now);
	ck_assert(now.sa_handler == application_s);
}
END_TEST

START_TEST(what_fired_before_a_stop_is_kept)
{
	c->after = 600000;
	tailbox__trigger_set(c);
	requests(3);
	tailbox_trigger("last words");
	wait_for("trigger: call last words");
	tailbox__controller_stop();
	wait_for("snapshot s1 keeps it");
	start_with(0);
}
END_TEST

START_TEST(while_off_a_call_is_refused)
{
	tailbox__trigger_set(c);
	tailbox__switch(false, "test");
	ck_assert_int_eq(tailbox_trigger("x"), -ECANCELED);
	tailbox__switch(true, "test");
	ck_assert_int_eq(tailbox_trigger("x"), 0);
	wait_for("snapshot s1 keeps it");
}
END_TEST

START_TEST(calls_can_be_turned_off)
{
	c->call = false;
	c->slow = 1;
	tailbox__trigger_set(c);
	const struct timespec ms = { .tv_nsec = 1000000 };
	ck_assert_int_eq(tailbox_trigger("x"), 0);
	tailbox_request r = tailbox_request_begin("/slow", NULL);
	nanosleep(&ms, NULL);
	tailbox_request_finish(r, NULL);
	wait_for("trigger: slow");
	ck_assert_uint_eq(status()->desk.counts[TAILBOX__TRIGGER_CALL].fired, 0);
}
END_TEST

static void *pass_after_pass(void *cls)
{
	const _Atomic bool *is_over = cls;

	while (!*is_over)
		tailbox__trigger_pass();
	return NULL;
}

/* Whatever pass is under way then: one that had the settings of before once
 * threw such calls away. */
START_TEST(a_call_is_judged_by_the_settings_it_was_made_under)
{
	static _Atomic bool is_over;
	const unsigned rounds = 1000;
	pthread_t thread;

	is_over = false;
	c->call = false;
	tailbox__trigger_set(c);
	ck_assert_int_eq(pthread_create(&thread, NULL, pass_after_pass,
	                                (void *)&is_over), 0);
	for (unsigned i = 0; i < rounds; i++) {
		c->call = true;
		tailbox__trigger_set(c);
		tailbox_trigger(NULL);
		wait_until_fired(TAILBOX__TRIGGER_CALL, i + 1);
		c->call = false;
		tailbox__trigger_set(c);
	}
	is_over = true;
	pthread_join(thread, NULL);
	ck_assert_uint_eq(status()->desk.counts[TAILBOX__TRIGGER_CALL].fired,
	                  rounds);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trigger_watch");
	TCase *tc = tcase_create("watch");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, open_all, close_all);
	tcase_add_test(tc,
	               a_storm_of_calls_makes_one_artifact_and_999_are_counted);
	tcase_add_test(tc, a_slow_request_is_in_the_artifact_that_it_makes);
	tcase_add_test(tc, a_request_that_does_not_end_fires_once);
	tcase_add_test(tc, arm_makes_a_window_that_covers_what_fires_in_it);
	tcase_add_test(tc, a_window_that_a_trigger_armed_ends_by_itself);
	tcase_add_test(tc,
	               what_cannot_be_kept_is_told_and_not_tried_again_at_once);
	tcase_add_test(tc, a_signal_that_is_free_is_taken_and_given_back);
	tcase_add_test(tc, a_signal_of_the_application_is_left_alone);
	tcase_add_test(tc, what_fired_before_a_stop_is_kept);
	tcase_add_test(tc, while_off_a_call_is_refused);
	tcase_add_test(tc, calls_can_be_turned_off);
	tcase_add_test(tc, a_call_is_judged_by_the_settings_it_was_made_under);
	suite_add_tcase(s, tc);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
