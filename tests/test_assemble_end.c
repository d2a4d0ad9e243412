/* tests/test_assemble_end.c - how a run ends: sealed by its limits, with
 * requests that are unfinished, and for good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/assemble_fixture.h"

/* --- the seal ---------------------------------------------------------- */

START_TEST(a_seal_ends_the_window_at_the_first_request_too_many)
{
	fixture_config.seal_on_limits = true;
	fixture_config.limits.max_requests = 2;
	feed_request(1, 1 * US, 50 * US); /* in flight at the seal: in */
	feed_request(2, 2 * US, US);
	feed_request(3, 4 * US, US); /* the overflow */
	feed_request(4, 5 * US, US); /* found it closed */
	feed_sample(4 * US);
	feed_sample(4 * US + 1);
	feed_stage(1, 30 * US, US); /* after the seal, but of the window */
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_uint_eq(run->truncation.dropped_requests, 1);
	ck_assert_uint_eq(run->snapshots.count, 1);
	ck_assert_uint_eq(run->stages.count, 1);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_AUTO_SEAL);
	ck_assert_uint_eq(extra("sealed_at_run_us"), 4);
}
END_TEST

/* 0: stages, 1: queues, 2: gauges, 3: samples. */
START_TEST(the_overflow_of_any_section_seals)
{
	fixture_config.seal_on_limits = true;
	fixture_config.limits.max_stages = 1;
	fixture_config.limits.max_queues = 1;
	fixture_config.limits.max_inflight_snapshots = 1;
	fixture_config.limits.max_runtime_snapshots = 1;
	feed_request(1, 0, 50 * US);
	feed_request(2, 3 * US, US); /* began before the seal */
	feed_request(3, 4 * US + 1, US);
	feed_request(4, 90 * US, US);
	for (uint64_t i = 2; i <= 4; i += 2) {
		if (_i == 0)
			feed_stage(1, i * US - US, US);
		if (_i == 1)
			feed_wait(1, i * US - US, US);
		if (_i == 2)
			feed_up(1, i * US, "jobs");
		if (_i == 3)
			feed_sample(i * US);
	}
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_uint_eq(run->truncation.dropped_requests, 0);
	ck_assert(run->truncation.limits_hit);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_AUTO_SEAL);
	ck_assert_uint_eq(extra("sealed_at_run_us"), 4);
}
END_TEST

START_TEST(after_a_seal_nobody_counts_what_found_it_closed)
{
	fixture_config.seal_on_limits = true;
	fixture_config.limits.max_requests = 1;
	feed_request(1, US, US);
	feed_request(2, 2 * US, US);
	tailbox__assembly_add_dropped(assembly(), 100, 0, 0, 0);
	ck_assert_uint_eq(finish()->truncation.dropped_requests, 1);
}
END_TEST

START_TEST(without_an_overflow_nothing_seals)
{
	fixture_config.seal_on_limits = true;
	fixture_config.limits.max_requests = 2;
	feed_request(1, US, US);
	feed_request(2, US, US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_MANUAL_DISARM);
	ck_assert_uint_eq(extra("sealed_at_run_us"), 1000000);
}
END_TEST

START_TEST(an_overflow_while_draining_comes_too_late_to_seal)
{
	const uint64_t length = fixture_config.until_tick - T0;

	fixture_config.seal_on_limits = true;
	fixture_config.limits.max_stages = 0;
	feed_request(1, 0, 2 * length);
	feed_stage(1, length, US);
	const struct tailbox__run *run = finish();

	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_MANUAL_DISARM);
	ck_assert_uint_eq(run->truncation.dropped_stages, 1);
}
END_TEST

/* --- unfinished requests ----------------------------------------------- */

START_TEST(unfinished_requests_are_counted_sampled_and_listed)
{
	for (uint64_t i = 7; i > 0; i--)
		feed_open(i, i * US);
	const struct tailbox__run *run = finish();
	const struct tailbox__run_meta *m = &run->meta;

	ck_assert_uint_eq(m->unfinished_count, 7);
	ck_assert_uint_eq(m->unfinished.count, 5);
	ck_assert_uint_eq(run->open.count, 7);
	for (size_t i = 0; i < 7; i++)
		ck_assert_uint_eq(run->open.items[i].number, i + 1);
	ck_assert_uint_eq(m->unfinished.items[4].id, run->open.items[4].id);
	ck_assert_str_eq(text(m->unfinished.items[0].route), "/report");
	ck_assert_uint_eq(m->warnings.count, 1);
	ck_assert_ptr_nonnull(
	        strstr(text(m->warnings.items[0]), "7 requests"));
}
END_TEST

START_TEST(an_open_request_tells_where_it_is)
{
	struct tailbox__slot s = open_slot(4, 3 * US, "/report");
	const uint64_t id[2] = { 0x4142434445464748, 0x49 };

	TAILBOX__SET(s.phase, TAILBOX__PHASE_HANDLER);
	TAILBOX__SET(s.where_kind, TAILBOX_SPAN_STAGE);
	TAILBOX__SET(s.where, tailbox__name_cstr("sum") |
	                              (uint32_t)tailbox__name_cstr("r.c:9 f")
	                                      << 16);
	TAILBOX__SET(s.where_since, T0 + 9 * US);
	TAILBOX__SET(s.ingress, 2 * US);
	TAILBOX__SET(s.known, TAILBOX__KNOWN_INGRESS);
	TAILBOX__SET(s.connection, 5);
	TAILBOX__SET(s.flags, TAILBOX__REQ_HAS_ID);
	TAILBOX__SET(s.id_text[0], id[0]);
	TAILBOX__SET(s.id_text[1], id[1]);
	TAILBOX__SET(s.id_len, 9);
	ck_assert_int_eq(tailbox__assembly_add_open(assembly(), &s, 1), 0);
	const struct tailbox__run_open *o = &finish()->open.items[0];

	ck_assert_uint_eq(o->start_us, 1);
	ck_assert_uint_eq(o->since_us, 9);
	ck_assert_uint_eq(o->phase, TAILBOX__PHASE_HANDLER);
	ck_assert_str_eq(text(o->where), "sum");
	ck_assert_str_eq(text(o->site), "r.c:9 f");
	ck_assert_uint_eq(o->connection, 5);
	ck_assert_str_eq(text(o->id), "HGFEDCBAI");
}
END_TEST

START_TEST(an_open_request_with_a_record_is_finished)
{
	feed_open(1, 5);
	feed_request(1, 5, US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(run->meta.unfinished_count, 0);
	ck_assert_uint_eq(run->meta.warnings.count, 0);
}
END_TEST

START_TEST(slots_that_are_no_open_request_of_the_window_are_passed_over)
{
	struct tailbox__slot s[4] = {
		open_slot(1, 0, "/"),
		open_slot(2, 0, "/"),
		open_slot(3, fixture_config.until_tick - T0, "/"),
		open_slot(4, (uint64_t)-1, "/"),
	};

	TAILBOX__SET(s[0].state, TAILBOX__SLOT_IDLE);
	TAILBOX__SET(s[1].flags, TAILBOX__REQ_DISCARD);
	ck_assert_int_eq(tailbox__assembly_add_open(assembly(), s, 4), 0);
	ck_assert_uint_eq(finish()->meta.unfinished_count, 0);
}
END_TEST

START_TEST(strict_lifecycle_refuses_while_a_request_is_open_and_can_go_on)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	fixture_config.strict_lifecycle = true;
	feed_open(1, 5);
	ck_assert_int_eq(tailbox__assembly_finish(assembly(), &fixture_run,
	                                          &err),
	                 -TAILBOX_ESTATE);
	ck_assert_ptr_null(fixture_run);
	ck_assert_ptr_nonnull(strstr(err.text, "1 requests"));
	feed_request(1, 5, US);
	ck_assert_uint_eq(finish()->requests.count, 1);
	ck_assert(fixture_run->meta.core.strict_lifecycle);
}
END_TEST

START_TEST(a_live_run_is_not_finalized)
{
	fixture_config.is_live = true;
	feed_open(1, 5);
	ck_assert_uint_eq(finish()->meta.finalized_ms, TAILBOX__NONE);
}
END_TEST

START_TEST(facts_of_the_caller_win_over_those_of_the_tape)
{
	fixture_config.note = "before the fix";
	fixture_config.end_detail = "duration";
	ck_assert_int_eq(tailbox__assembly_set_extra(assembly(), "lost_names",
	                                             NULL, 3), 0);
	ck_assert_int_eq(tailbox__assembly_set_extra(assembly(), "daemons",
	                                             "1 pool 2", 0), 0);
	finish();
	ck_assert_uint_eq(extra("lost_names"), 3);
	ck_assert_str_eq(
	        text(tailbox__run_extra(fixture_run, "daemons")->text),
	        "1 pool 2");
	ck_assert_str_eq(text(tailbox__run_extra(fixture_run, "note")->text),
	                 "before the fix");
	ck_assert_str_eq(
	        text(tailbox__run_extra(fixture_run, "end_detail")->text),
	        "duration");
}
END_TEST

START_TEST(a_finished_assembly_cannot_be_finished_again)
{
	struct tailbox__run *run;

	finish();
	ck_assert_int_eq(tailbox__assembly_finish(assembly(), &run, NULL),
	                 -TAILBOX_ESTATE);
	ck_assert_ptr_null(run);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("assemble_end");
	TCase *t = tcase_create("rules");

	tcase_add_checked_fixture(t, assemble_open, assemble_close);
	tcase_add_test(t, a_seal_ends_the_window_at_the_first_request_too_many);
	tcase_add_loop_test(t, the_overflow_of_any_section_seals, 0, 4);
	tcase_add_test(t, after_a_seal_nobody_counts_what_found_it_closed);
	tcase_add_test(t, without_an_overflow_nothing_seals);
	tcase_add_test(t, an_overflow_while_draining_comes_too_late_to_seal);
	tcase_add_test(t, unfinished_requests_are_counted_sampled_and_listed);
	tcase_add_test(t, an_open_request_tells_where_it_is);
	tcase_add_test(t, an_open_request_with_a_record_is_finished);
	tcase_add_test(
	        t,
	        slots_that_are_no_open_request_of_the_window_are_passed_over);
	tcase_add_test(
	        t,
	        strict_lifecycle_refuses_while_a_request_is_open_and_can_go_on);
	tcase_add_test(t, a_live_run_is_not_finalized);
	tcase_add_test(t, facts_of_the_caller_win_over_those_of_the_tape);
	tcase_add_test(t, a_finished_assembly_cannot_be_finished_again);
	suite_add_tcase(s, t);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
