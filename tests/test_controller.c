/* tests/test_controller.c - windows from arm to artifact.
 *
 * SPDX-License-Identifier: MIT
 */
#include <tailbox/span.h>

#include "tests/controller_fixture.h"

/* --- the state machine -------------------------------------------------- */

START_TEST(before_the_first_window_it_is_disabled)
{
	const struct tailbox__window_status s = window();
	uint64_t id;

	ck_assert_int_eq(s.state, TAILBOX__WINDOW_DISABLED);
	ck_assert_uint_eq(s.id, 1);
	ck_assert_int_eq(tailbox__disarm(&id, NULL, NULL),
	                 TAILBOX__DISARM_ALREADY);
	ck_assert_uint_eq(id, 1);
}
END_TEST

START_TEST(a_window_has_what_began_in_it_and_nothing_else)
{
	requests(3);
	ck_assert_uint_eq(arm(NULL), 1);
	requests(5);
	disarm();
	requests(7);
	struct tailbox__run *run = load(1);

	ck_assert_uint_eq(run->requests.count, 5);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_MANUAL_DISARM);
	ck_assert_str_eq(tailbox__run_text(run, run->meta.run_id, NULL),
	                 "test-generation-1");
	ck_assert_uint_eq(extra(run, "window"), 1);
	ck_assert_uint_eq(extra(run, "lost_requests"), 0);
	ck_assert_uint_eq(extra(run, "lost_blocks"), 0);
	ck_assert_uint_eq(run->meta.unfinished_count, 0);
	tailbox__run_destroy(run);
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_DISABLED);
	ck_assert_uint_eq(window().id, 2);
}
END_TEST

START_TEST(an_armed_window_says_so_and_refuses_another)
{
	struct tailbox__activation a = light();
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	uint64_t id = 0;

	snprintf(a.note, sizeof(a.note), "why");
	a.limits.max_requests = 9;
	arm(&a);
	ck_assert_int_eq(tailbox__arm(&a, &id, &err), -TAILBOX_ESTATE);
	ck_assert_uint_eq(id, 1);
	ck_assert_ptr_nonnull(strstr(err.text, "window 1"));
	const struct tailbox__window_status s = window();

	ck_assert_int_eq(s.state, TAILBOX__WINDOW_ACTIVE);
	ck_assert(s.is_accepting && !s.is_closing && !s.is_finalizing);
	ck_assert_str_eq(s.activation.note, "why");
	ck_assert_uint_eq(s.activation.limits.max_requests, 9);
	ck_assert(strncmp(s.artifact, "test-20", 7) == 0);
	ck_assert_str_eq(s.last_error, "");
	disarm();
	struct tailbox__run *run = load(1);
	ck_assert_str_eq(
	        tailbox__run_text(run, tailbox__run_extra(run, "note")->text,
	                          NULL),
	        "why");
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_bad_activation_is_refused_and_uses_up_no_number)
{
	struct tailbox__activation bad[5];

	for (int i = 0; i < 5; i++)
		bad[i] = light();
	bad[0].mode = (enum tailbox__mode)7;
	bad[1].policy = (enum tailbox__run_end_policy)7;
	bad[2].sample_interval_ms = 9;
	bad[3].sample_interval_ms = 60001;
	memset(bad[4].note, 'x', sizeof(bad[4].note));
	for (int i = 0; i < 5; i++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		ck_assert_int_eq(tailbox__arm(&bad[i], NULL, &err), -EINVAL);
		ck_assert_str_ne(err.text, "");
	}
	ck_assert_uint_eq(arm(NULL), 1);
}
END_TEST

START_TEST(what_is_in_flight_at_the_disarm_is_in_and_later_ones_are_not)
{
	uint32_t in_flight = 0;

	tailbox_request before = tailbox_request_begin("/before", NULL);
	arm(NULL);
	tailbox_request r = tailbox_request_begin("/in", NULL);
	ck_assert_uint_eq(window().in_flight, 1);
	ck_assert_int_eq(tailbox__disarm(NULL, &in_flight, NULL),
	                 TAILBOX__DISARM_CLOSING);
	ck_assert_uint_eq(in_flight, 1);
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_CLOSING);
	tailbox_request late = tailbox_request_begin("/late", NULL);
	TAILBOX_STAGE(r, "after the disarm") { }
	tailbox_request_finish(r, NULL);
	wait_for(": test-");
	tailbox_request_finish(late, NULL);
	tailbox_request_finish(before, NULL);
	struct tailbox__run *run = load(1);

	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_str_eq(
	        tailbox__run_text(run, run->requests.items[0].route, NULL),
	        "/in");
	ck_assert_uint_eq(run->stages.count, 1);
	ck_assert_uint_gt(run->requests.items[0].end_us,
	                  extra(run, "sealed_at_run_us"));
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(what_never_ends_is_unfinished_after_the_drain_timeout)
{
	tailbox__controller_stop();
	start_with(1);
	arm(NULL);
	tailbox_request r = tailbox_request_begin("/hangs", NULL);
	struct tailbox_site site = { .name = "stuck", .file = "a/b.c",
		                     .function = "f", .line = 3,
		                     .kind = TAILBOX_SPAN_STAGE };
	struct tailbox_span s;
	tailbox_span_begin(&s, r, &site, TAILBOX_DEPTH_UNKNOWN);
	requests(2);
	disarm();
	struct tailbox__run *run = load(1);

	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_uint_eq(run->meta.unfinished_count, 1);
	ck_assert_uint_eq(run->open.count, 1);
	ck_assert_str_eq(tailbox__run_text(run, run->open.items[0].where, NULL),
	                 "stuck");
	ck_assert_str_eq(tailbox__run_text(run, run->open.items[0].site, NULL),
	                 "b.c:3 f");
	ck_assert_uint_eq(run->meta.warnings.count, 1);
	tailbox__run_destroy(run);
	tailbox_span_end(&s, 1);
	tailbox_request_finish(r, NULL);
	/* It is of window 1: not of the next. */
	arm(NULL);
	disarm();
	run = load(2);
	ck_assert_uint_eq(run->requests.count, 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_discarded_request_is_waited_for_by_nobody)
{
	arm(NULL);
	tailbox_request r = tailbox_request_begin("/health", NULL);
	tailbox_request_discard(r);
	ck_assert_uint_eq(window().in_flight, 0);
	disarm();
	tailbox_request_finish(r, NULL);
	struct tailbox__run *run = load(1);
	ck_assert_uint_eq(run->requests.count + run->open.count, 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_duration_ends_the_window_by_itself)
{
	struct tailbox__activation a = light();

	a.duration_ms = 1;
	arm(&a);
	wait_for(": test-");
	struct tailbox__run *run = load(1);

	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_MANUAL_DISARM);
	ck_assert_str_eq(
	        tailbox__run_text(
	                run, tailbox__run_extra(run, "end_detail")->text, NULL),
	        "duration");
	ck_assert_uint_ge(extra(run, "sealed_at_run_us"), 1000);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(stop_seals_at_once_with_what_is_open)
{
	arm(NULL);
	tailbox_request r = tailbox_request_begin("/hangs", NULL);
	requests(3);
	tailbox__controller_stop();
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_DISABLED);
	tailbox_request_finish(r, NULL);
	start_with(0);
	struct tailbox__artifact_entry e;
	ck_assert_int_eq(tailbox__artifacts(&e, 1, NULL), 1);
	ck_assert(!e.is_ours); /* of the controller before */
	struct tailbox__run *run;
	const int fd = tailbox__artifact_open(&e);
	ck_assert_int_eq(tailbox__artifact_read(fd, &run, NULL), 0);
	close(fd);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_SHUTDOWN);
	ck_assert_uint_eq(run->requests.count, 3);
	ck_assert_uint_eq(run->meta.unfinished_count, 1);
	tailbox__run_destroy(run);
}
END_TEST

/* --- strict lifecycle --------------------------------------------------- */

START_TEST(strict_lifecycle_waits_for_the_last_request)
{
	struct tailbox__activation a = light();

	tailbox__controller_stop();
	start_with(1);
	a.strict_lifecycle = true;
	arm(&a);
	tailbox_request r = tailbox_request_begin("/slow", NULL);
	tailbox__disarm(NULL, NULL, NULL);
	wait_for("stays open");
	struct tailbox__window_status s = window();
	ck_assert_int_eq(s.state, TAILBOX__WINDOW_CLOSING);
	ck_assert_ptr_nonnull(strstr(s.last_error, "1 requests"));
	/* Asked again: tried again. */
	ck_assert_int_eq(tailbox__disarm(NULL, NULL, NULL),
	                 TAILBOX__DISARM_CLOSING);
	wait_for("stays open");
	ck_assert_int_eq(tailbox__arm(&a, NULL, NULL), -TAILBOX_ESTATE);
	tailbox_request_finish(r, NULL);
	wait_for(": test-");
	struct tailbox__run *run = load(1);
	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(run->meta.unfinished_count, 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(strict_lifecycle_and_stop_leave_no_artifact)
{
	struct tailbox__activation a = light();

	a.strict_lifecycle = true;
	arm(&a);
	tailbox_request r = tailbox_request_begin("/slow", NULL);
	tailbox__controller_stop();
	wait_for("is lost");
	tailbox_request_finish(r, NULL);
	start_with(0);
	struct tailbox__artifact_entry e;
	ck_assert_int_eq(tailbox__artifacts(&e, 1, NULL), 0);
}
END_TEST

/* --- what it tells ------------------------------------------------------ */

START_TEST(calls_without_a_controller_do_nothing)
{
	const struct tailbox__activation a = light();
	struct tailbox__recorder_status s;
	struct tailbox__artifact_entry e;

	tailbox__controller_stop();
	tailbox__controller_stop();
	ck_assert_int_eq(tailbox__arm(&a, NULL, NULL), -TAILBOX_ESTATE);
	ck_assert_int_eq(tailbox__disarm(NULL, NULL, NULL),
	                 TAILBOX__DISARM_ALREADY);
	ck_assert_int_lt(tailbox__artifacts(&e, 1, NULL), 0);
	ck_assert_int_eq(tailbox__artifact_find("1", &e), -ENOENT);
	tailbox__recorder_status(&s);
	ck_assert_uint_eq(s.rate_milli, 0);
}
END_TEST

START_TEST(the_recorder_status_tells_what_was_recorded)
{
	struct tailbox__recorder_status s;

	arm(NULL);
	requests(200);
	tailbox_request r = tailbox_request_begin("/open", NULL);
	TAILBOX_STAGE(r, "s") { }
	wait_until_spooled(200);
	tailbox__recorder_status(&s);
	ck_assert_uint_eq(s.begun, 201);
	ck_assert_uint_eq(s.finished, 200);
	ck_assert_uint_eq(s.spans, 1);
	ck_assert_uint_eq(s.open_requests, 1);
	ck_assert_uint_gt(s.rate_milli, 0);
	ck_assert_uint_le(s.p50_us, s.p95_us);
	ck_assert_uint_le(s.p95_us, s.p99_us);
	ck_assert_uint_le(s.p99_us, s.max_us);
	ck_assert_uint_ge(s.follower_records, 200);
	ck_assert_uint_eq(s.lost_requests + s.lost_spans + s.lost_blocks, 0);
	tailbox_request_finish(r, NULL);
}
END_TEST

static Suite *controller_suite(void)
{
	Suite *s = suite_create("controller");
	TCase *t = tcase_create("controller");

	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, before_the_first_window_it_is_disabled);
	tcase_add_test(t, a_window_has_what_began_in_it_and_nothing_else);
	tcase_add_test(t, an_armed_window_says_so_and_refuses_another);
	tcase_add_test(t, a_bad_activation_is_refused_and_uses_up_no_number);
	tcase_add_test(
	        t,
	        what_is_in_flight_at_the_disarm_is_in_and_later_ones_are_not);
	tcase_add_test(t,
	               what_never_ends_is_unfinished_after_the_drain_timeout);
	tcase_add_test(t, a_discarded_request_is_waited_for_by_nobody);
	tcase_add_test(t, a_duration_ends_the_window_by_itself);
	tcase_add_test(t, stop_seals_at_once_with_what_is_open);
	tcase_add_test(t, strict_lifecycle_waits_for_the_last_request);
	tcase_add_test(t, strict_lifecycle_and_stop_leave_no_artifact);
	tcase_add_test(t, calls_without_a_controller_do_nothing);
	tcase_add_test(t, the_recorder_status_tells_what_was_recorded);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(controller_suite());

	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
