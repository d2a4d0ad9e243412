/* tests/test_assemble_spans.c - the stages and queues of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/assemble_fixture.h"

START_TEST(spans_join_their_request_and_stand_in_end_order)
{
	feed_stage(1, 6 * US, 2 * US); /* its request comes later */
	feed_stage(1, 1 * US, 3 * US);
	feed_wait(1, 0, 1 * US);
	feed_request(1, 0, 10 * US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->stages.count, 2);
	ck_assert_uint_eq(run->stages.items[0].end_us, 4);
	ck_assert_uint_eq(run->stages.items[1].end_us, 8);
	ck_assert_uint_eq(run->stages.items[1].dur_us, 2);
	ck_assert_uint_eq(run->stages.items[0].request,
	                  run->requests.items[0].id);
	ck_assert_uint_eq(run->queues.count, 1);
	ck_assert_str_eq(text(run->queues.items[0].name), "db_pool");
	ck_assert_uint_eq(run->queues.items[0].depth, TAILBOX__NONE);
}
END_TEST

START_TEST(spans_of_requests_that_are_not_in_are_ignored_in_silence)
{
	fixture_config.limits.max_requests = 1;
	feed_request(1, 0, 10 * US);
	feed_request(2, US, 10 * US); /* dropped */
	feed_open(3, 0);              /* dropped as well: number 3 */
	feed_stage(2, US, US);
	feed_stage(3, US, US);
	feed_stage(99, US, US); /* unheard of */
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->stages.count, 0);
	ck_assert_uint_eq(run->truncation.dropped_stages, 0);
	ck_assert_uint_eq(run->truncation.dropped_requests, 2);
	ck_assert_uint_eq(extra("late_spans"), 0);
}
END_TEST

START_TEST(spans_of_an_unfinished_request_are_left_out)
{
	feed_open(1, 0);
	feed_stage(1, US, US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->stages.count, 0);
	ck_assert_uint_eq(extra("late_spans"), 0);
}
END_TEST

/* Ends one tick before, with, and one tick after its request. */
START_TEST(a_span_that_ends_after_its_request_is_late)
{
	feed_request(1, 0, 1000);
	feed_stage(1, 500, (uint64_t)(500 + _i - 1));
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->stages.count, _i < 2);
	ck_assert_uint_eq(extra("late_spans"), _i == 2);
	ck_assert(!run->truncation.limits_hit);
}
END_TEST

START_TEST(a_span_that_begins_before_its_request_is_left_out_too)
{
	feed_request(1, 1000, 1000);
	feed_stage(1, 999, 10);
	finish();
	ck_assert_uint_eq(fixture_run->stages.count, 0);
	ck_assert_uint_eq(extra("late_spans"), 1);
}
END_TEST

START_TEST(late_spans_add_to_what_the_caller_knows)
{
	feed_request(1, 0, 1000);
	feed_stage(1, 500, 501);
	ck_assert_int_eq(tailbox__assembly_set_extra(assembly(), "late_spans",
	                                             NULL, 41), 0);
	finish();
	ck_assert_uint_eq(extra("late_spans"), 42);
}
END_TEST

START_TEST(partial_and_failed_spans_say_so)
{
	struct tailbox__rec_span s[4];

	feed_request(1, 0, 100 * US);
	s[0] = span(TAILBOX__SPAN_STAGE, 1, US, US, "a");
	s[1] = span(TAILBOX__SPAN_STAGE, 1, 2 * US, US, "a");
	s[1].flags = TAILBOX__SPAN_FAILED;
	s[2] = span(TAILBOX__SPAN_STAGE, 1, 3 * US, US, "a");
	s[2].flags = TAILBOX__SPAN_PARTIAL;
	s[3] = span(TAILBOX__SPAN_WAIT, 1, 4 * US, US, "b");
	s[3].flags = TAILBOX__SPAN_PARTIAL | TAILBOX__SPAN_FAILED;
	s[3].depth = 7;
	s[3].site = tailbox__name_cstr("shop.c:12 pay");
	feed(TAILBOX__BLOCK_SPANS, s, sizeof(s));
	const struct tailbox__run *run = finish();
	const uint32_t mask = TAILBOX__PARTIAL | TAILBOX__FAILED;

	ck_assert_uint_eq(run->stages.items[0].flags & mask, 0);
	ck_assert_uint_eq(run->stages.items[1].flags & mask, TAILBOX__FAILED);
	ck_assert_uint_eq(run->stages.items[2].flags & mask, mask);
	ck_assert_uint_eq(run->queues.items[0].flags & mask, TAILBOX__PARTIAL);
	ck_assert_uint_eq(run->queues.items[0].depth, 7);
	ck_assert_str_eq(text(run->queues.items[0].site), "shop.c:12 pay");
}
END_TEST

/* limit = 5 + _i - 1 against 5 stages and 5 waits. */
START_TEST(span_limits_one_below_at_and_above)
{
	const uint64_t limit = (uint64_t)(5 + _i - 1);

	fixture_config.limits.max_stages = limit;
	fixture_config.limits.max_queues = limit;
	feed_request(1, 0, 100 * US);
	for (uint64_t i = 5; i > 0; i--) {
		feed_stage(1, i * US, US);
		feed_wait(1, i * US, US);
	}
	const struct tailbox__run *run = finish();
	const size_t kept = limit < 5 ? 4 : 5;

	ck_assert_uint_eq(run->stages.count, kept);
	ck_assert_uint_eq(run->queues.count, kept);
	ck_assert_uint_eq(run->stages.items[kept - 1].end_us, kept + 1);
	ck_assert_uint_eq(run->truncation.dropped_stages, limit < 5);
	ck_assert_uint_eq(run->truncation.dropped_queues, limit < 5);
	ck_assert_int_eq(run->truncation.limits_hit, limit < 5);
}
END_TEST

START_TEST(an_ingress_wait_is_a_queue_event_with_its_holder)
{
	struct long_request r = { .request = request(2, 60 * MS, MS, "/") };
	struct tailbox__rec_more *m = &r.rest[0].more;

	m->type = TAILBOX__REC_MORE;
	m->ingress = tailbox__pack(50 * MS);
	m->bytes_out = UINT64_MAX;
	m->holder_number = 1;
	m->holder_ms = 55;
	m->holder_route = tailbox__name_cstr("/report");
	feed_long(&r, 1);
	const struct tailbox__run *run = finish();
	const struct tailbox__run_span *q = &run->queues.items[0];
	const struct tailbox__run_ext *x = &run->ext.items[0];

	ck_assert_uint_eq(run->queues.count, 1);
	ck_assert_str_eq(text(q->name), "mhd.ingress");
	ck_assert_uint_eq(q->start_us, 10000);
	ck_assert_uint_eq(q->end_us, 60000);
	ck_assert_uint_eq(q->dur_us, 50000);
	ck_assert_uint_eq(run->requests.items[0].start_us, 10000);
	ck_assert_uint_eq(run->requests.items[0].latency_us, 51000);
	ck_assert_uint_eq(x->phase_ns[TAILBOX__PHASE_INGRESS], 50 * MS);
	ck_assert_uint_eq(x->holder_number, 1);
	ck_assert_uint_eq(x->holder_ns, 55 * (uint64_t)MS);
	ck_assert_str_eq(text(x->holder_route), "/report");
}
END_TEST

START_TEST(zero_is_the_earliest_start_even_before_the_arming)
{
	struct long_request r = { .request = request(2, 5 * MS, MS, "/") };

	r.rest[0].more.type = TAILBOX__REC_MORE;
	r.rest[0].more.ingress = tailbox__pack(25 * MS);
	feed_long(&r, 1);
	feed_sample(1 * MS);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.items[0].start_us, 0);
	ck_assert_uint_eq(extra("armed_at_run_us"), 20000);
	ck_assert_uint_eq(extra("sealed_at_run_us"), 1020000);
	ck_assert_uint_eq(run->snapshots.items[0].at_us, 21000);
	ck_assert_uint_eq(run->snapshots.items[0].at_ms,
	                  run->meta.started_ms + 21);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("assemble_spans");
	TCase *t = tcase_create("rules");

	tcase_add_checked_fixture(t, assemble_open, assemble_close);
	tcase_add_test(t, spans_join_their_request_and_stand_in_end_order);
	tcase_add_test(
	        t, spans_of_requests_that_are_not_in_are_ignored_in_silence);
	tcase_add_test(t, spans_of_an_unfinished_request_are_left_out);
	tcase_add_loop_test(t, a_span_that_ends_after_its_request_is_late, 0,
	                    3);
	tcase_add_test(t,
	               a_span_that_begins_before_its_request_is_left_out_too);
	tcase_add_test(t, late_spans_add_to_what_the_caller_knows);
	tcase_add_test(t, partial_and_failed_spans_say_so);
	tcase_add_loop_test(t, span_limits_one_below_at_and_above, 0, 3);
	tcase_add_test(t, an_ingress_wait_is_a_queue_event_with_its_holder);
	tcase_add_test(t, zero_is_the_earliest_start_even_before_the_arming);
	suite_add_tcase(s, t);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
