/* tests/test_assemble_snapshots.c - the gauges of a run, and its samples.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/metrics.h"
#include "tests/assemble_fixture.h"

/* --- gauges ------------------------------------------------------------ */

static void assert_gauge(size_t i, const char *gauge, uint64_t count,
                         uint64_t at_us)
{
	ck_assert_uint_lt(i, fixture_run->inflight.count);
	const struct tailbox__run_gauge *g = &fixture_run->inflight.items[i];

	ck_assert_str_eq(text(g->gauge), gauge);
	ck_assert_uint_eq(g->count, count);
	ck_assert_uint_eq(g->at_us, at_us);
}

START_TEST(gauges_count_the_moves_of_admitted_requests_in_tick_order)
{
	feed_request(1, 0, 100 * US);
	feed_open(2, 0);
	feed_down(1, 4 * US, "jobs"); /* fed first, happens last */
	feed_up(1, 1 * US, "jobs");
	feed_up(2, 2 * US, "jobs"); /* of an unfinished request: counts */
	feed_up(9, 2 * US, "jobs"); /* of nobody: does not */
	feed_down(2, 3 * US, "other"); /* never up */
	finish();
	ck_assert_uint_eq(fixture_run->inflight.count, 3);
	assert_gauge(0, "jobs", 1, 1);
	assert_gauge(1, "jobs", 2, 2);
	assert_gauge(2, "jobs", 1, 4);
}
END_TEST

START_TEST(a_gauge_that_falls_to_zero_closes_with_zero_and_may_begin_anew)
{
	feed_request(1, 0, 100 * US);
	feed_up(1, 1 * US, "jobs");
	feed_down(1, 2 * US, "jobs");
	feed_down(1, 3 * US, "jobs"); /* at 0: ignored */
	feed_up(1, 4 * US, "jobs");
	finish();
	ck_assert_uint_eq(fixture_run->inflight.count, 3);
	assert_gauge(1, "jobs", 0, 2);
	assert_gauge(2, "jobs", 1, 4);
}
END_TEST

START_TEST(a_full_section_drops_snapshots_but_keeps_the_value)
{
	fixture_config.limits.max_inflight_snapshots = 2;
	feed_request(1, 0, 100 * US);
	for (uint64_t i = 1; i <= 3; i++)
		feed_up(1, i * US, "jobs");
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->inflight.count, 2);
	ck_assert_uint_eq(run->truncation.dropped_inflight_snapshots, 1);
	ck_assert(run->truncation.limits_hit);
}
END_TEST

START_TEST(a_label_over_the_limit_is_refused_and_its_way_down_too)
{
	fixture_config.limits.max_inflight_snapshots = 1;
	feed_request(1, 0, 100 * US);
	feed_request(2, 0, 100 * US);
	feed_up(1, 1 * US, "a");   /* live: a */
	feed_up(2, 2 * US, "b");   /* refused */
	feed_down(1, 3 * US, "a"); /* live: none; the section is full */
	feed_up(1, 4 * US, "b");   /* live: b */
	feed_down(2, 5 * US, "b"); /* of the refused guard: nothing */
	feed_up(2, 6 * US, "a");   /* refused: b is live still */
	feed_down(1, 7 * US, "b"); /* of the live one: no room for it */
	const struct tailbox__run *run = finish();

	assert_gauge(0, "a", 1, 1);
	/* b at 2, a at 3, b at 4, a at 6, b at 7; had the move at 5 counted,
	 * it would have been dropped too, and the one at 6 not be refused. */
	ck_assert_uint_eq(run->truncation.dropped_inflight_snapshots, 5);
}
END_TEST

START_TEST(with_no_room_for_gauges_every_way_up_is_a_drop)
{
	fixture_config.limits.max_inflight_snapshots = 0;
	feed_request(1, 0, 100 * US);
	feed_up(1, 1 * US, "a");
	feed_down(1, 2 * US, "a");
	feed_up(1, 3 * US, "b");
	ck_assert_uint_eq(finish()->truncation.dropped_inflight_snapshots, 2);
}
END_TEST

/* --- samples ----------------------------------------------------------- */

START_TEST(samples_of_the_window_in_tick_order)
{
	const uint64_t length = fixture_config.until_tick - T0;

	feed_sample(3 * US);
	feed_sample(length);
	feed_sample(length - 1);
	feed_sample((uint64_t)-1);
	feed_sample(0);
	const struct tailbox__run *run = finish();
	const struct tailbox__run_snapshot *s = run->snapshots.items;

	ck_assert_uint_eq(run->snapshots.count, 3);
	ck_assert_uint_eq(s[0].at_us, 0);
	ck_assert_uint_eq(s[1].at_us, 3);
	ck_assert_uint_eq(s[1].alive_tasks, 3 * US);
	ck_assert_uint_eq(s[1].global_queue_depth, TAILBOX__NONE);
	ck_assert_uint_eq(s[1].worker_count, 4);
	ck_assert(s[1].flags & TAILBOX__HAS_WORKERS);
}
END_TEST

START_TEST(the_samplers_own_retention_is_no_truncation)
{
	fixture_config.sampler = (struct tailbox__run_sampler_config){
		.present = true, .cadence_ms = 500, .retention = 2
	};
	for (uint64_t i = 0; i < 5; i++)
		feed_sample(i);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->snapshots.count, 2);
	ck_assert(!run->truncation.limits_hit);
	ck_assert_uint_eq(run->meta.sampler.retention, 2);
}
END_TEST

START_TEST(sample_limit_one_below_at_and_above)
{
	const uint64_t limit = (uint64_t)(5 + _i - 1);

	fixture_config.limits.max_runtime_snapshots = limit;
	for (uint64_t i = 0; i < 5; i++)
		feed_sample(i);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->snapshots.count, limit < 5 ? 4 : 5);
	ck_assert_uint_eq(run->truncation.dropped_runtime_snapshots,
	                  limit < 5);
}
END_TEST

START_TEST(values_stand_by_scope_and_subject_with_names_as_texts)
{
	const uint16_t pool = tailbox__name_cstr("db");
	struct {
		struct tailbox__rec_sample sample;
		struct tailbox__rec_values values[2];
	} r = {
		.sample = { .type = TAILBOX__REC_SAMPLE, .more = 2,
		            .tick = T0, .worker_count = 0 },
		.values = {
			{ .type = TAILBOX__REC_VALUES, .count = 4,
			  .of = { { TAILBOX__METRIC_POOL_BUSY, pool },
			          { TAILBOX__METRIC_WORKER_ROUTE, 1 },
			          { TAILBOX__METRIC_WORKER_CPU_US, 0 },
			          { 9999, 0 } },
			  .value = { 3, tailbox__name_cstr("/report"), 11,
			             1 } },
			{ .type = TAILBOX__REC_VALUES, .count = 2,
			  .of = { { TAILBOX__METRIC_RSS_BYTES, 0 },
			          { TAILBOX__METRIC_OPEN_FDS, 0 } },
			  .value = { 4096, UINT64_MAX } },
		},
	};

	feed(TAILBOX__BLOCK_SAMPLES, &r, sizeof(r));
	const struct tailbox__run *run = finish();
	const struct tailbox__run_value *v = run->values.items;

	ck_assert_uint_eq(run->values.count, 4);
	ck_assert_uint_eq(v[0].metric, TAILBOX__METRIC_RSS_BYTES);
	ck_assert_uint_eq(v[1].metric, TAILBOX__METRIC_WORKER_CPU_US);
	ck_assert_uint_eq(v[1].value, 11);
	ck_assert_uint_eq(v[2].metric, TAILBOX__METRIC_WORKER_ROUTE);
	ck_assert_str_eq(text((tailbox__str)v[2].value), "/report");
	ck_assert_uint_eq(v[3].metric, TAILBOX__METRIC_POOL_BUSY);
	ck_assert_str_eq(text(v[3].subject), "db");
	/* A count of 0 workers would be a finding of the validation. */
	ck_assert(!(run->snapshots.items[0].flags & TAILBOX__HAS_WORKERS));
	ck_assert_uint_eq(run->meta.warnings.count, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("assemble_snapshots");
	TCase *t = tcase_create("rules");

	tcase_add_checked_fixture(t, assemble_open, assemble_close);
	tcase_add_test(
	        t, gauges_count_the_moves_of_admitted_requests_in_tick_order);
	tcase_add_test(
	        t,
	        a_gauge_that_falls_to_zero_closes_with_zero_and_may_begin_anew);
	tcase_add_test(t, a_full_section_drops_snapshots_but_keeps_the_value);
	tcase_add_test(
	        t, a_label_over_the_limit_is_refused_and_its_way_down_too);
	tcase_add_test(t, with_no_room_for_gauges_every_way_up_is_a_drop);
	tcase_add_test(t, samples_of_the_window_in_tick_order);
	tcase_add_test(t, the_samplers_own_retention_is_no_truncation);
	tcase_add_loop_test(t, sample_limit_one_below_at_and_above, 0, 3);
	tcase_add_test(
	        t, values_stand_by_scope_and_subject_with_names_as_texts);
	suite_add_tcase(s, t);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
