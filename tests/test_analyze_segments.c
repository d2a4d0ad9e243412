/* tests/test_analyze_segments.c - the two halves of the time.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 13, each rule at its edge.
 */
#include "tests/analyze_fixture.h"

#define A TAILBOX__SUSPECT_QUEUE
#define B TAILBOX__SUSPECT_BLOCKING
#define C TAILBOX__SUSPECT_EXECUTOR
#define D TAILBOX__SUSPECT_DOWNSTREAM
#define E TAILBOX__SUSPECT_UNKNOWN
#define NONE TAILBOX__NONE
#define W9 "routes have different primary suspects"
#define W10 "the halves of the time have different"
#define W11 "p95 latency moved"
#define T1 "by wall clock: approximate"
#define T2 "are sparse in this segment"
#define T3 "windows of the segments overlap"

/* n requests, 10 ms each from 0 on; the later half has another latency. */
static void add_halves(unsigned n, uint64_t early, uint64_t late)
{
	for (unsigned i = 0; i < n; i++)
		add_request("/r", i * 10000u, i < n / 2 ? early : late);
}

static const struct tailbox__report_slice *half(size_t i)
{
	ck_assert_uint_eq(rep.segments.count, 2);
	return &rep.segments.items[i].slice;
}

START_TEST(halves_need_twenty_requests_and_eight_each)
{
	for (unsigned n = 19; n <= 21; n++) {
		again();
		add_halves(n, 1000, 9000);
		analyze();
		ck_assert_uint_eq(rep.segments.count, n < 20 ? 0 : 2);
	}
	ck_assert_uint_eq(half(0)->request_count, 10);
	ck_assert_uint_eq(half(1)->request_count, 11);
	ck_assert_str_eq(rep.segments.items[0].name, "early");
	ck_assert_str_eq(rep.segments.items[1].name, "late");
	ck_assert_uint_eq(rep.segments.items[0].start_ms, WALL_ZERO);
	ck_assert_uint_eq(rep.segments.items[0].end_ms, WALL_ZERO + 91);
	ck_assert_uint_eq(rep.segments.items[1].start_ms, WALL_ZERO + 100);
	ck_assert_uint_eq(rep.segments.items[1].end_ms, WALL_ZERO + 209);
	o.v[TAILBOX__OPT_TEMPORAL_MIN_SEGMENT_REQUESTS] = 11;
	analyze();
	ck_assert_uint_eq(rep.segments.count, 0);
	o.v[TAILBOX__OPT_TEMPORAL_MIN_SEGMENT_REQUESTS] = 10;
	analyze();
	ck_assert_uint_eq(rep.segments.count, 2);
}
END_TEST

START_TEST(a_move_of_the_p95_is_3_to_2_either_way)
{
	for (uint64_t late = 1499; late <= 1500; late++) {
		again();
		add_halves(20, 1000, late);
		analyze();
		ck_assert_uint_eq(rep.segments.count, late < 1500 ? 0 : 2);
		ck_assert_int_eq(tells(&rep.whole.warnings, W11), late == 1500);
		again();
		add_halves(20, late, 1000);
		analyze();
		ck_assert_uint_eq(rep.segments.count, late < 1500 ? 0 : 2);
	}
	ck_assert_uint_eq(half(0)->p95_us, 1500);
	ck_assert_uint_eq(half(1)->p95_us, 1000);
}
END_TEST

START_TEST(shares_that_move_by_200_are_told_without_a_warning)
{
	for (uint64_t wait = 199; wait <= 200; wait++) {
		for (unsigned from = 0; from < 20; from += 10) {
			again();
			add_halves(20, 1000, 1000);
			for (uint32_t i = 0; i < 10; i++)
				add_queue(from + i, 0, wait, NONE);
			analyze();
			ck_assert_uint_eq(rep.segments.count,
			                  wait < 200 ? 0 : 2);
			ck_assert(!tells(&rep.whole.warnings, W10));
			ck_assert(!tells(&rep.whole.warnings, W11));
		}
	}
	/* The p95 of service alone: all but one of a half wait. */
	again();
	add_halves(20, 1000, 1000);
	for (uint32_t i = 0; i < 20; i++)
		add_queue(i, 0, i == 0 ? 0 : 200, NONE);
	analyze();
	ck_assert_uint_eq(half(0)->p95_queue_permille, 200);
	ck_assert_uint_eq(half(1)->p95_queue_permille, 200);
	ck_assert_uint_eq(half(0)->p95_service_permille, 1000);
	ck_assert_uint_eq(half(1)->p95_service_permille, 800);
	/* Unknown shares do not move, of one half or of both. */
	again();
	add_halves(20, 0, 1000);
	analyze();
	ck_assert_uint_eq(rep.segments.count, 0);
	again();
	add_halves(20, 0, 0);
	for (unsigned i = 10; i < 20; i++)
		add_queue(i, 0, 0, NONE);
	analyze();
	ck_assert_uint_eq(rep.segments.count, 0);
}
END_TEST

START_TEST(another_suspect_is_told_if_that_is_wanted)
{
	/* A and D of 100 permille; nothing moves by 200. */
	o.v[TAILBOX__OPT_QUEUEING_TRIGGER_PERMILLE] = 50;
	add_halves(20, 1000, 1000);
	for (uint32_t i = 0; i < 10; i++)
		add_queue(i, 0, 100, NONE);
	for (uint32_t i = 10; i < 20; i++)
		add_stage(i, "db", 0, 100);
	analyze();
	ck_assert_int_eq(half(0)->suspects[0].kind, A);
	ck_assert_int_eq(half(1)->suspects[0].kind, D);
	ck_assert(tells(&rep.whole.warnings, W10));
	ck_assert(!tells(&rep.whole.warnings, W11));
	o.v[TAILBOX__OPT_TEMPORAL_ON_SHIFT] = 0;
	analyze();
	ck_assert_uint_eq(rep.segments.count, 0);
	ck_assert(!tells(&rep.whole.warnings, W10));
	/* With a movement they are told, without that warning. */
	o.v[TAILBOX__OPT_TEMPORAL_SHARE_SHIFT_PERMILLE] = 100;
	analyze();
	ck_assert_uint_eq(rep.segments.count, 2);
	ck_assert(!tells(&rep.whole.warnings, W10));
}
END_TEST

/* B in the later half: samples in it, and a gauge in either. */
static void add_late_pool(void)
{
	again();
	add_halves(20, 1000, 1000);
	for (unsigned i = 0; i < 4; i++)
		add_snapshot(i * 60000, 0, 0, i < 2 ? 0 : 9);
	add_gauge("g", 1000, 5);
	add_gauge("g", 150000, 5);
	analyze();
}

START_TEST(a_shift_that_rests_on_sparse_samples_is_not_told)
{
	add_late_pool();
	ck_assert_int_eq(half(0)->suspects[0].kind, E);
	ck_assert_int_eq(half(1)->suspects[0].kind, B);
	ck_assert(!tells(&half(1)->warnings, T2));
	/* The gauge is missing in one half: either will do. */
	for (int i = 0; i < 2; i++) {
		add_late_pool();
		run->inflight.items[i].at_us = 99999999;
		analyze();
		ck_assert_uint_eq(rep.segments.count, 0);
		ck_assert(!tells(&rep.whole.warnings, W10));
		o.v[TAILBOX__OPT_TEMPORAL_SUPPRESS_SPARSE] = 0;
		analyze();
		ck_assert_uint_eq(rep.segments.count, 2);
		ck_assert(tells(&rep.whole.warnings, W10));
		ck_assert_int_eq(tells(&half(1)->warnings, T2), i == 1);
		ck_assert(!tells(&half(0)->warnings, T2));
	}
	/* So is a depth. */
	add_late_pool();
	for (unsigned i = 0; i < 2; i++)
		run->snapshots.items[i].local_queue_depth = NONE;
	analyze();
	ck_assert_uint_eq(rep.segments.count, 0);
	/* A movement supports it. */
	o.v[TAILBOX__OPT_TEMPORAL_P95_NUM] = 1;
	o.v[TAILBOX__OPT_TEMPORAL_P95_DEN] = 1;
	analyze();
	ck_assert_uint_eq(rep.segments.count, 2);
	ck_assert(tells(&rep.whole.warnings, W10));
	ck_assert(tells(&rep.whole.warnings, W11));
	/* Where B and C are not concerned, sparse samples are no excuse. */
	add_late_pool();
	run->snapshots.count = run->inflight.count = 0;
	o.v[TAILBOX__OPT_QUEUEING_TRIGGER_PERMILLE] = 50;
	for (uint32_t i = 0; i < 10; i++)
		add_queue(i, 0, 100, NONE);
	analyze();
	ck_assert_uint_eq(rep.segments.count, 2);
}
END_TEST

START_TEST(samples_belong_by_offset_and_both_ends_are_inside)
{
	/* Windows: 0 .. 91000 and 100000 .. 199000. */
	static const uint64_t at[] = { 0,      91000,  91001, 99999,
		                       100000, 199000, 199001 };

	add_halves(20, 1000, 9000);
	for (size_t i = 0; i < COUNT(at); i++) {
		add_snapshot(at[i], 0, 0, 0)->at_ms = 1;
		add_gauge("g", at[i], 1)->at_ms = 1;
	}
	analyze();
	ck_assert_uint_eq(half(0)->quality.snapshots, 2);
	ck_assert_uint_eq(half(0)->quality.inflight, 2);
	ck_assert_uint_eq(half(1)->quality.snapshots, 2);
	ck_assert_uint_eq(half(1)->quality.inflight, 2);
	ck_assert(!tells(&half(0)->warnings, T1));
	ck_assert(!tells(&half(0)->warnings, T3));
}
END_TEST

START_TEST(without_an_offset_the_wall_clock_decides_and_is_told)
{
	add_halves(20, 1000, 9000);
	add_snapshot(0, 0, 0, 0)->flags = 0; /* in the first half */
	run->snapshots.items[0].at_ms = WALL_ZERO + 91;
	add_snapshot(0, 0, 0, 0)->flags = 0;
	run->snapshots.items[1].at_ms = WALL_ZERO + 92; /* in none */
	analyze();
	ck_assert_uint_eq(half(0)->quality.snapshots, 1);
	ck_assert_uint_eq(half(1)->quality.snapshots, 0);
	ck_assert(tells(&half(0)->warnings, T1));
	ck_assert(!tells(&half(1)->warnings, T1));
	/* A blank gauge has decided it before it is removed. */
	run->snapshots.count = 0;
	add_gauge(" ", 0, 1)->flags = 0;
	run->inflight.items[0].at_ms = WALL_ZERO + 150;
	analyze();
	ck_assert_uint_eq(half(1)->quality.inflight, 0);
	ck_assert(!tells(&half(0)->warnings, T1));
	ck_assert(tells(&half(1)->warnings, T1));
}
END_TEST

START_TEST(a_half_without_run_window_goes_by_wall_clock)
{
	add_halves(20, 1000, 9000);
	run->requests.items[19].flags = 0;
	add_snapshot(100000, 0, 0, 0)->at_ms = WALL_ZERO;
	analyze();
	/* By offset in none of the first half, by wall not in the other; and
	 * so the requests are in order of the wall clock, too. */
	ck_assert_uint_eq(half(0)->quality.snapshots, 0);
	ck_assert_uint_eq(half(1)->quality.snapshots, 0);
	ck_assert(!tells(&half(0)->warnings, T1));
	ck_assert(tells(&half(1)->warnings, T1));
	run->snapshots.items[0].at_ms = WALL_ZERO + 100;
	analyze();
	ck_assert_uint_eq(half(1)->quality.snapshots, 1);
}
END_TEST

START_TEST(requests_are_in_order_of_offset_wall_time_and_id)
{
	/* Ten start at 0 by all clocks; ids tell the slow ones apart. */
	for (unsigned i = 0; i < 20; i++)
		add_request("/r", 5000, i % 2 ? 9000 : 1000);
	for (unsigned i = 0; i < 20; i++) {
		char id[8];

		snprintf(id, sizeof(id), "%c%u", i % 2 ? 'b' : 'a', i);
		run->requests.items[i].id = tailbox__run_cstr(run, id);
	}
	analyze();
	ck_assert_uint_eq(half(0)->p95_us, 1000);
	ck_assert_uint_eq(half(1)->p50_us, 9000);
	/* The wall clock is before the id .. */
	for (unsigned i = 0; i < 20; i++)
		run->requests.items[i].start_ms = i % 2 ? 900 : 901;
	analyze();
	ck_assert_uint_eq(half(0)->p50_us, 9000);
	ck_assert_uint_eq(half(1)->p95_us, 1000);
	/* .. and the offset before it. */
	for (unsigned i = 0; i < 20; i++) {
		struct tailbox__run_request *r = &run->requests.items[i];
		const uint64_t by = i % 2 ? 1 : 0;

		r->start_us += by;
		r->end_us += by;
	}
	analyze();
	ck_assert_uint_eq(half(0)->p95_us, 1000);
	ck_assert_uint_eq(half(1)->p50_us, 9000);
	/* One without offsets: by the wall clock again. */
	run->requests.items[0].flags = 0;
	analyze();
	ck_assert_uint_eq(half(0)->p50_us, 9000);
	ck_assert_uint_eq(half(1)->p95_us, 1000);
}
END_TEST

START_TEST(windows_that_overlap_are_told_when_there_are_samples)
{
	for (uint64_t end = 99; end <= 100; end++) {
		again();
		add_halves(20, 1000, 9000);
		run->requests.items[3].end_ms = WALL_ZERO + end;
		analyze();
		ck_assert(!tells(&half(0)->warnings, T3));
		add_gauge(" ", 0, 1); /* does not count */
		analyze();
		ck_assert(!tells(&half(0)->warnings, T3));
		add_gauge("g", 0, 1);
		analyze();
		ck_assert_int_eq(tells(&half(0)->warnings, T3), end == 100);
		ck_assert_int_eq(tells(&half(1)->warnings, T3), end == 100);
	}
}
END_TEST

START_TEST(a_worker_count_of_zero_concerns_its_half_and_the_whole)
{
	add_halves(20, 1000, 9000);
	for (unsigned i = 0; i < 4; i++) {
		struct tailbox__run_snapshot *s =
		        add_snapshot(i * 60000, 9, 0, 0);
		s->flags |= TAILBOX__HAS_WORKERS;
		s->worker_count = i == 0 ? 0 : 4;
	}
	analyze();
	ck_assert(tells(&suspect(C)->evidence, "InvalidZero"));
	ck_assert(tells(&find_in(half(0), C)->evidence, "InvalidZero"));
	ck_assert(tells(&find_in(half(1), C)->evidence, "4 workers"));
	/* One count in each half is Inconsistent for the whole alone. */
	again();
	add_halves(20, 1000, 9000);
	for (unsigned i = 0; i < 4; i++) {
		struct tailbox__run_snapshot *s =
		        add_snapshot(i * 60000, 9, 0, 0);
		s->flags |= TAILBOX__HAS_WORKERS;
		s->worker_count = i < 2 ? 3 : 4;
	}
	analyze();
	ck_assert(tells(&suspect(C)->evidence, "Inconsistent"));
	ck_assert(tells(&find_in(half(0), C)->evidence, "3 workers"));
	ck_assert(tells(&find_in(half(1), C)->evidence, "4 workers"));
}
END_TEST

START_TEST(warnings_9_10_and_11_come_last_and_in_order)
{
	add_halves(20, 1000, 9000);
	for (uint32_t i = 0; i < 20; i++) {
		if (i < 10)
			add_queue(i, 0, 900, NONE)->flags |= TAILBOX__PARTIAL;
		else
			add_stage(i, "db", 0, 8000);
		run->requests.items[i].route =
		        tailbox__run_cstr(run, i < 10 ? "/a" : "/b");
	}
	analyze();
	const struct tailbox__texts *w = &rep.whole.warnings;
	ck_assert_uint_ge(w->count, 4);
	ck_assert(strstr(w->items[w->count - 4], "unfinished") != NULL);
	ck_assert(strstr(w->items[w->count - 3], W9) != NULL);
	ck_assert(strstr(w->items[w->count - 2], W10) != NULL);
	ck_assert(strstr(w->items[w->count - 1], W11) != NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze_segments");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, halves_need_twenty_requests_and_eight_each);
	tcase_add_test(t, a_move_of_the_p95_is_3_to_2_either_way);
	tcase_add_test(t, shares_that_move_by_200_are_told_without_a_warning);
	tcase_add_test(t, another_suspect_is_told_if_that_is_wanted);
	tcase_add_test(t, a_shift_that_rests_on_sparse_samples_is_not_told);
	tcase_add_test(t, samples_belong_by_offset_and_both_ends_are_inside);
	tcase_add_test(t,
	               without_an_offset_the_wall_clock_decides_and_is_told);
	tcase_add_test(t, a_half_without_run_window_goes_by_wall_clock);
	tcase_add_test(t, requests_are_in_order_of_offset_wall_time_and_id);
	tcase_add_test(t, windows_that_overlap_are_told_when_there_are_samples);
	tcase_add_test(
	        t, a_worker_count_of_zero_concerns_its_half_and_the_whole);
	tcase_add_test(t, warnings_9_10_and_11_come_last_and_in_order);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
