/* tests/test_analyze.c - the scores of an analysis, by runs whose figures
 * follow from how they are made.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 5 and the table of section 20. Expected scores are
 * written as the sum of their terms. Caps, notes, quality and warnings are in
 * test_analyze_rank.c and test_analyze_quality.c, stages in
 * test_analyze_stage.c, routes and segments in suites of their own.
 */
#include "tests/analyze_fixture.h"

#define A TAILBOX__SUSPECT_QUEUE
#define B TAILBOX__SUSPECT_BLOCKING
#define C TAILBOX__SUSPECT_EXECUTOR
#define D TAILBOX__SUSPECT_DOWNSTREAM
#define NONE TAILBOX__NONE

/* --- figures ----------------------------------------------------------- */

START_TEST(figures_of_no_requests_are_unknown_and_nothing_is_suspected)
{
	analyze();
	ck_assert_uint_eq(rep.whole.request_count, 0);
	ck_assert_uint_eq(rep.whole.p50_us, NONE);
	ck_assert_uint_eq(rep.whole.p99_us, NONE);
	ck_assert_uint_eq(rep.whole.p95_queue_permille, NONE);
	ck_assert_uint_eq(rep.whole.p95_service_permille, NONE);
	ck_assert(!rep.trend.is_known);
	ck_assert_uint_eq(rep.whole.suspect_count, 1);
	ck_assert_int_eq(rep.whole.suspects[0].kind, TAILBOX__SUSPECT_UNKNOWN);
	ck_assert_uint_eq(rep.whole.suspects[0].score, 50);
	ck_assert_uint_eq(rep.whole.suspects[0].evidence.count, 1);
	ck_assert_uint_eq(rep.whole.suspects[0].next_checks.count, 2);
	ck_assert_uint_eq(rep.whole.suspects[0].notes.count, 0);
}
END_TEST

START_TEST(shares_pool_all_queues_and_skip_requests_without_latency)
{
	add_request("/r", 0, 1000);
	add_queue(0, 0, 300, NONE);
	add_queue(0, 200, 500, NONE)->name = tailbox__run_cstr(run, "other");
	add_queue(0, 600, 900, NONE)->flags |= TAILBOX__PARTIAL;
	analyze();
	ck_assert_uint_eq(rep.whole.p95_queue_permille, 500);
	ck_assert_uint_eq(rep.whole.p95_service_permille, 500);

	/* One without events gives 0 and 1000, one of 0 us nothing. */
	add_request("/r", 5000, 700);
	add_request("/r", 9000, 0);
	analyze();
	ck_assert_uint_eq(rep.whole.p50_us, 700);
	ck_assert_uint_eq(rep.whole.p95_us, 1000);
	ck_assert_uint_eq(rep.whole.p95_queue_permille, 500);
	ck_assert_uint_eq(rep.whole.p95_service_permille, 1000);

	again();
	add_request("/r", 9000, 0);
	analyze();
	ck_assert_uint_eq(rep.whole.p95_us, 0);
	ck_assert_uint_eq(rep.whole.p95_queue_permille, NONE);
}
END_TEST

START_TEST(figures_near_2_64_saturate)
{
	const uint64_t max = UINT64_MAX;

	add_request("/r", 0, max);
	add_queue(0, 0, max / 2, max - 1);
	add_stage(0, "db", 0, max);
	analyze();
	ck_assert_uint_eq(rep.whole.p95_us, max);
	/* The product is cut off before the division. */
	ck_assert_uint_eq(rep.whole.p95_queue_permille, 1);
	ck_assert_uint_eq(rep.whole.p95_service_permille, 1);
	for (uint32_t i = 1; i < 3; i++) {
		add_request("/r", 0, max);
		add_stage(i, "db", 0, max);
	}
	/* T = C = 2^64/2^64 = 1 */
	ck_assert_uint_eq(score_of(D), 24 + 0 + 0);
	ck_assert(tells(&suspect(D)->evidence, "18446744073709551615"));
}
END_TEST

/* --- A ----------------------------------------------------------------- */

static unsigned score_a(unsigned n, uint64_t q, uint64_t depth, bool is_growing)
{
	again();
	add_requests(n);
	wait_in_all(q, depth);
	if (is_growing)
		add_growth();
	return score_of(A);
}

START_TEST(score_of_queues_is_the_sum_of_its_terms)
{
	ck_assert_uint_eq(score_a(24, 833, 12, false), 22 + 59 + 8 + 3);
	EXPECT_TEXTS(&suspect(A)->evidence, " 83.3% ", "12");
	ck_assert_uint_eq(suspect(A)->next_checks.count, 2);
	ck_assert_uint_eq(score_a(100, 990, 40, true), 100);
	ck_assert_uint_eq(score_a(100, 990, 40, false), 95);
	ck_assert_uint_eq(score_a(7, 300, NONE, false), 22 + 21);
	EXPECT_TEXTS(&suspect(A)->evidence, " 30.0% ");
	ck_assert_uint_eq(score_a(7, 300, NONE, true), 22 + 21 + 5);
	EXPECT_TEXTS(&suspect(A)->evidence, " 30.0% ", "'g' in flight");
	ck_assert_uint_eq(score_a(8, 307, 0, false), 22 + 21 + 1);
	EXPECT_TEXTS(&suspect(A)->evidence, " 30.7% ");
	ck_assert_uint_eq(score_a(8, 308, 1, false), 22 + 22 + 0 + 1);
	ck_assert_uint_eq(score_a(20, 308, 2, false), 22 + 22 + 1 + 3);
	ck_assert_uint_eq(score_a(40, 308, 39, false), 22 + 22 + 26 + 5);
	ck_assert_uint_eq(score_a(40, 308, 41, false), 22 + 22 + 26 + 5);
	ck_assert_uint_eq(score_a(100, 308, NONE - 1, false), 22 + 22 + 26 + 8);
}
END_TEST

START_TEST(queues_are_suspected_from_their_trigger_on)
{
	ck_assert_uint_eq(score_a(1, 299, NONE, false), 0);
	ck_assert_uint_eq(score_a(1, 300, NONE, false), 22 + 21);
	o.v[TAILBOX__OPT_QUEUEING_TRIGGER_PERMILLE] = 301;
	ck_assert_uint_eq(score_of(A), 0);
	/* By the p95: 2 of 41 are not enough, 3 are. */
	for (uint32_t k = 2; k < 4; k++) {
		again();
		add_requests(41);
		for (uint32_t i = 0; i < k; i++)
			add_queue(i, 0, 1000, NONE);
		ck_assert_uint_eq(score_of(A), k == 2 ? 0 : 95);
	}
}
END_TEST

START_TEST(queues_are_clean_from_985_12_20_and_growing_on)
{
	ck_assert_uint_eq(score_a(20, 985, 12, true), 100);
	ck_assert_uint_eq(score_a(20, 984, 12, true), 95);
	ck_assert_uint_eq(score_a(20, 985, 11, true), 95);
	ck_assert_uint_eq(score_a(19, 985, 12, true), 95);
	ck_assert_uint_eq(score_a(20, 985, 12, false), 95);
	ck_assert_uint_eq(score_a(20, 986, 13, true), 100);
	/* At the cap and around it: 22 + Q/14 + D*2/3 + 3 */
	ck_assert_uint_eq(score_a(20, 839, 15, false), 22 + 59 + 10 + 3);
	ck_assert_uint_eq(score_a(20, 840, 15, false), 22 + 60 + 10 + 3);
	ck_assert_uint_eq(score_a(20, 854, 15, false), 95);
}
END_TEST

/* Two requests of 1000 us: a completed wait each, and an unfinished one. */
static void add_two_bases(uint64_t completed, uint64_t observed, uint64_t depth)
{
	add_requests(2);
	for (uint32_t i = 0; i < 2; i++) {
		add_queue(i, 0, completed, NONE);
		add_queue(i, 0, observed, depth)->flags |= TAILBOX__PARTIAL;
	}
}

START_TEST(observed_waits_need_a_higher_score)
{
	/* 500 and 503 are both 35 fourteenths. */
	add_two_bases(500, 503, NONE);
	ck_assert_uint_eq(score_of(A), 22 + 35);
	EXPECT_TEXTS(&suspect(A)->evidence, " 50.0% ");
	again();
	add_two_bases(500, 504, NONE);
	ck_assert_uint_eq(score_of(A), 22 + 36);
	EXPECT_TEXTS(&suspect(A)->evidence, " 50.0% ", " 50.4% ");
	ck_assert(tells(&suspect(A)->evidence, "2 waits"));
	/* A depth of unfinished waits counts for the observed ones only. */
	again();
	add_two_bases(500, 503, 3);
	ck_assert_uint_eq(score_of(A), 22 + 35 + 2);
	EXPECT_TEXTS(&suspect(A)->evidence, " 50.0% ", " 50.3% ", "3");
	/* Only they are eligible. */
	again();
	add_two_bases(100, 300, NONE);
	ck_assert_uint_eq(score_of(A), 22 + 21);
	EXPECT_TEXTS(&suspect(A)->evidence, " 10.0% ", " 30.0% ");
}
END_TEST

START_TEST(an_observed_share_hidden_by_the_cap_changes_nothing)
{
	add_requests(100);
	wait_in_all(960, 40);
	for (uint32_t i = 0; i < 100; i++)
		add_queue(i, 0, 1000, 100)->flags |= TAILBOX__PARTIAL;
	ck_assert_uint_eq(score_of(A), 95);
	EXPECT_TEXTS(&suspect(A)->evidence, " 96.0% ", "40");
	/* Clean, it is not hidden. */
	add_growth();
	ck_assert_uint_eq(score_of(A), 100);
	EXPECT_TEXTS(&suspect(A)->evidence, " 96.0% ", " 100.0% ", "100",
	             "'g' in flight");
}
END_TEST

/* --- B ----------------------------------------------------------------- */

/* `zeros` samples of 0, one of `peak`, the others of `value`. */
static unsigned score_b(unsigned total, unsigned zeros, uint64_t value,
                        uint64_t peak)
{
	again();
	add_snapshots(zeros, NONE, NONE, 0, 0);
	add_snapshots(1, NONE, NONE, peak, 0);
	add_snapshots(total - zeros - 1, NONE, NONE, value, 0);
	add_snapshots(3, NONE, NONE, NONE, 0); /* not of the series */
	return score_of(B);
}

START_TEST(score_of_the_pool_is_the_sum_of_its_terms)
{
	ck_assert_uint_eq(score_b(30, 2, 20, 30), 32 + 20 + 12 + 11 + 3);
	EXPECT_TEXTS(&suspect(B)->evidence,
	             "p95 20, peak 30, in 28 of 30 samples");
	ck_assert_uint_eq(suspect(B)->next_checks.count, 2);
	ck_assert_uint_eq(score_b(1, 0, 1, 1), 32 + 1 + 0 + 12);
	ck_assert_uint_eq(score_b(100, 0, 24, 24), 32 + 24 + 12 + 12 + 8);
	ck_assert_uint_eq(score_b(100, 0, 25, 99), 32 + 24 + 12 + 12 + 8);
	ck_assert_uint_eq(score_b(100, 0, NONE - 1, NONE - 1), 88);
	ck_assert_uint_eq(score_b(40, 20, 7, 9), 32 + 7 + 4 + 6 + 5);
	ck_assert_uint_eq(score_b(25, 1, 7, 9), 32 + 7 + 4 + 12 + 3); /* 960 */
	ck_assert_uint_eq(score_b(25, 2, 7, 9), 32 + 7 + 4 + 11 + 3);
	ck_assert_uint_eq(score_b(8, 0, 23, 23), 32 + 23 + 11 + 12 + 1);
}
END_TEST

START_TEST(the_pool_is_suspected_by_its_p95_or_by_two_samples)
{
	ck_assert_uint_eq(score_b(41, 39, 1, 1), 32 + 0 + 0 + 0 + 5);
	ck_assert_uint_eq(score_b(41, 40, 1, 1), 0);
	o.v[TAILBOX__OPT_BLOCKING_MIN_NONZERO_SAMPLES] = 1;
	ck_assert_uint_eq(score_of(B), 32 + 0 + 0 + 0 + 5);
	ck_assert_uint_eq(score_b(20, 19, 1, 1), 32 + 1 + 0 + 0 + 3);
	again();
	add_snapshots(9, NONE, NONE, 0, 0);
	ck_assert_uint_eq(score_of(B), 0);
	o.v[TAILBOX__OPT_BLOCKING_MIN_NONZERO_SAMPLES] = 0;
	ck_assert_uint_eq(score_of(B), 32 + 1);
	again(); /* no series */
	add_snapshots(9, NONE, NONE, NONE, 0);
	o.v[TAILBOX__OPT_BLOCKING_MIN_NONZERO_SAMPLES] = 0;
	ck_assert_uint_eq(score_of(B), 0);
}
END_TEST

/* --- C ----------------------------------------------------------------- */

START_TEST(score_of_workers_is_by_bands_when_their_count_is_known)
{
	static const struct {
		uint64_t r;
		unsigned band;
	} rows[] = { { 0, 0 },     { 499, 0 },   { 500, 5 },   { 999, 5 },
		     { 1000, 15 }, { 1999, 15 }, { 2000, 25 }, { 3999, 25 },
		     { 4000, 40 }, { 7999, 40 }, { 8000, 55 },
		     { UINT64_MAX - 1, 55 } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		again();
		add_snapshots(1, rows[i].r, 0, NONE, 1000);
		ck_assert_uint_eq(score_of(C),
		                  rows[i].band ? 34 + rows[i].band : 0);
		o.v[TAILBOX__OPT_EXECUTOR_MIN_PER_WORKER_MILLI] = 0;
		ck_assert_uint_eq(score_of(C), 34 + rows[i].band);
	}
	again();
	add_snapshots(40, 5, 0, NONE, 2);
	add_growth();
	ck_assert_uint_eq(score_of(C), 34 + 25 + 4 + 5);
	EXPECT_TEXTS(&suspect(C)->evidence, "p95 5", "p95 0", "'g' in flight",
	             "p95 2500 thousandths over 40 samples, 2 workers");
	ck_assert_uint_eq(suspect(C)->next_checks.count, 2);
	run->inflight.count = 0;
	ck_assert_uint_eq(score_of(C), 34 + 25 + 5);
	again(); /* 101: no cap but 100 */
	add_snapshots(100, 9000, 9000, NONE, 1);
	add_growth();
	ck_assert_uint_eq(score_of(C), 100);
}
END_TEST

START_TEST(per_worker_figures_add_local_depths_in_128_bits)
{
	/* 2^64 - 2 twice is 2 per worker and more than 64 bits. */
	add_snapshots(1, NONE - 1, NONE - 1, NONE, UINT32_MAX);
	ck_assert_uint_eq(score_of(C), 34 + 55);
	ck_assert(tells(&suspect(C)->evidence, "p95 8589934593999 "));
	again();
	add_snapshots(1, NONE - 1, NONE - 1, NONE, 1);
	ck_assert_uint_eq(score_of(C), 34 + 55);
	ck_assert(tells(&suspect(C)->evidence, "p95 18446744073709551615 "));
	again();
	add_snapshots(1, 3, 2, NONE, 2);
	ck_assert_uint_eq(score_of(C), 34 + 25);
	ck_assert(tells(&suspect(C)->evidence, "p95 2500 "));
	/* Sums, not the p95 of each: 1+9, 9+1. */
	again();
	add_snapshots(1, 1, 9, NONE, 4);
	add_snapshots(1, 9, 1, NONE, 4);
	ck_assert_uint_eq(score_of(C), 34 + 25);
	ck_assert(tells(&suspect(C)->evidence, "p95 2500 "));
}
END_TEST

START_TEST(missing_local_depths_count_as_0_and_are_told)
{
	add_snapshots(1, 4, NONE, NONE, 2);
	add_snapshots(1, 3, 3, NONE, 2);
	ck_assert_uint_eq(score_of(C), 34 + 25); /* 2000 and 3000 */
	EXPECT_TEXTS(&suspect(C)->evidence, "p95 4", "p95 3",
	             "p95 3000 thousandths over 2 samples, 2 workers",
	             "a lower bound");
	ck_assert_uint_eq(suspect(C)->notes.count > 0, true);
	/* Of a sample without global depth it does not matter. */
	again();
	add_snapshots(1, NONE, NONE, NONE, 9);
	add_snapshots(1, 3, 3, NONE, 2);
	analyze();
	EXPECT_TEXTS(&suspect(C)->evidence, "p95 3", "p95 3",
	             "p95 3000 thousandths over 1 samples, 2 workers");
}
END_TEST

static unsigned score_c(unsigned n, uint64_t p, uint64_t l, uint64_t a)
{
	again();
	add_snapshots(n, p, l, NONE, 0);
	for (unsigned i = 0; i < n; i++)
		run->snapshots.items[i].alive_tasks = a;
	return score_of(C);
}

START_TEST(score_of_workers_without_counts_is_by_depths)
{
	ck_assert_uint_eq(score_c(20, 37, 6, 120), 34 + 9 + 1 + 3 + 0 + 3);
	EXPECT_TEXTS(&suspect(C)->evidence, "p95 37", "p95 6", "p95 120",
	             "no worker count was recorded");
	ck_assert_uint_eq(score_c(1, 0, 60, 400), 0);
	ck_assert_uint_eq(score_c(1, 1, NONE, NONE), 34);
	EXPECT_TEXTS(&suspect(C)->evidence, "p95 1",
	             "no worker count was recorded");
	ck_assert_uint_eq(score_c(1, 3, 0, 0), 34);
	ck_assert_uint_eq(score_c(1, 4, 5, 39), 34 + 1);
	ck_assert_uint_eq(score_c(1, 4, 59, 399), 34 + 1 + 9 + 9);
	ck_assert_uint_eq(score_c(1, 4, 60, 400), 34 + 1 + 10 + 10);
	ck_assert_uint_eq(score_c(1, 4, 99, 999), 34 + 1 + 10 + 10);
	ck_assert_uint_eq(score_c(1, 149, 0, 0), 34 + 37);
	ck_assert_uint_eq(score_c(1, 151, 0, 0), 34 + 37);
	ck_assert_uint_eq(score_c(1, NONE - 1, NONE - 1, NONE - 1), 91);
}
END_TEST

START_TEST(depths_are_clean_from_140_and_30_samples_on)
{
	/* 34 + 35 + 10 + 10 + 5 = 94 at 40 samples: the cap itself */
	ck_assert_uint_eq(score_c(40, 140, 60, 400), 94);
	ck_assert_uint_eq(score_c(100, 140, 60, 400), 34 + 35 + 20 + 8);
	ck_assert_uint_eq(score_c(100, 139, 60, 400), 94);
	/* G = 4 makes the difference for 29 and 30. */
	for (unsigned n = 29; n <= 30; n++) {
		score_c(n, 150, 60, 400);
		add_growth();
		ck_assert_uint_eq(score_of(C), n < 30 ? 94 : 34 + 37 + 20 + 7);
	}
}
END_TEST

START_TEST(local_and_open_requests_are_of_all_samples)
{
	add_snapshots(1, 4, 0, NONE, 0);
	add_snapshots(1, NONE, 60, NONE, 0);
	run->snapshots.items[1].alive_tasks = 400;
	ck_assert_uint_eq(score_of(C), 34 + 1 + 10 + 10);
}
END_TEST

START_TEST(unusable_worker_counts_are_told_by_their_status)
{
	static const struct {
		uint32_t first, second; /* 0: none; 9: zero */
		const char *name;
	} rows[] = { { 2, 3, "Inconsistent" },
		     { 2, 0, "Partial" },
		     { 2, 9, "InvalidZero" } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		again();
		add_snapshots(1, 8, NONE, NONE, rows[i].first);
		add_snapshots(1, 8, NONE, NONE, rows[i].second);
		if (rows[i].second == 9)
			run->snapshots.items[1].worker_count = 0;
		ck_assert_uint_eq(score_of(C), 34 + 2);
		EXPECT_TEXTS(&suspect(C)->evidence, "p95 8", rows[i].name);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(
	        t, figures_of_no_requests_are_unknown_and_nothing_is_suspected);
	tcase_add_test(
	        t, shares_pool_all_queues_and_skip_requests_without_latency);
	tcase_add_test(t, figures_near_2_64_saturate);
	tcase_add_test(t, score_of_queues_is_the_sum_of_its_terms);
	tcase_add_test(t, queues_are_suspected_from_their_trigger_on);
	tcase_add_test(t, queues_are_clean_from_985_12_20_and_growing_on);
	tcase_add_test(t, observed_waits_need_a_higher_score);
	tcase_add_test(t, an_observed_share_hidden_by_the_cap_changes_nothing);
	tcase_add_test(t, score_of_the_pool_is_the_sum_of_its_terms);
	tcase_add_test(t, the_pool_is_suspected_by_its_p95_or_by_two_samples);
	tcase_add_test(
	        t, score_of_workers_is_by_bands_when_their_count_is_known);
	tcase_add_test(t, per_worker_figures_add_local_depths_in_128_bits);
	tcase_add_test(t, missing_local_depths_count_as_0_and_are_told);
	tcase_add_test(t, score_of_workers_without_counts_is_by_depths);
	tcase_add_test(t, depths_are_clean_from_140_and_30_samples_on);
	tcase_add_test(t, local_and_open_requests_are_of_all_samples);
	tcase_add_test(t, unusable_worker_counts_are_told_by_their_status);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
