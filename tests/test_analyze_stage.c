/* tests/test_analyze_stage.c - the stage that takes the time, if one does.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 5.D: the formula, its cap and clean edges, which
 * candidate is best, and how the pool's backlog is taken into account.
 */
#include "tests/analyze_fixture.h"

#define B TAILBOX__SUSPECT_BLOCKING
#define D TAILBOX__SUSPECT_DOWNSTREAM
#define NONE TAILBOX__NONE

static const char *first_evidence(void)
{
	return suspect(D)->evidence.items[0];
}
#define EXPECT_NAME(name)                                                      \
	ck_assert_msg(strstr(first_evidence(), "'" name "'") != NULL, "%s",    \
	              first_evidence())

START_TEST(score_of_a_stage_is_the_sum_of_its_terms)
{
	/* T 500, C 400, n 8: one tail request of 10000 us, 19 of 1000. */
	add_requests(19);
	add_request("/r", 50000, 10000);
	add_stage(19, "db", 0, 5000);
	for (uint32_t i = 0; i < 7; i++)
		add_stage(i, "db", 0, i < 6 ? 943 : 942);
	ck_assert_uint_eq(score_of(D), 24 + 45 + 11 + 1);
	EXPECT_TEXTS(&suspect(D)->evidence, "'db' took 5000 us at p95 over 8 ",
	             "'db' took 11600 us in all, 40.0%", "'db' took 50.0%");
	ck_assert_uint_eq(suspect(D)->next_checks.count, 3);
	ck_assert(tells(&suspect(D)->next_checks, "'db'"));

	/* T 870, C 640, n 45: the raw 126 is capped. */
	again();
	for (uint32_t i = 0; i < 45; i++) {
		add_request("/r", i * 20000, i < 42 ? 1000 : 10000);
		add_stage(i, "db", 0, i >= 42 ? 8700 : i < 30 ? 476 : 475);
	}
	ck_assert_uint_eq(score_of(D), 95);
	EXPECT_TEXTS(&suspect(D)->evidence, "over 45 ",
	             "46080 us in all, 64.0%", "'db' took 87.0%");
}
END_TEST

static unsigned score_d(unsigned n, uint64_t us)
{
	again();
	add_requests(n);
	stage_in_all("db", us);
	return score_of(D);
}

START_TEST(a_stage_is_capped_at_95_and_clean_from_960_920_20_on)
{
	ck_assert_uint_eq(score_d(3, 10), 24 + 0 + 0);
	ck_assert_uint_eq(score_d(3, 11), 24 + 1 + 0);
	ck_assert_uint_eq(score_d(3, 35), 24 + 3 + 1);
	ck_assert_uint_eq(score_d(8, 560), 24 + 50 + 16 + 1);
	ck_assert_uint_eq(score_d(20, 560), 24 + 50 + 16 + 3);
	ck_assert_uint_eq(score_d(20, 561), 24 + 51 + 16 + 3);
	ck_assert_uint_eq(score_d(40, 560), 95);
	ck_assert_uint_eq(score_d(40, 572), 95); /* 24 + 52 + 16 + 5 */
	ck_assert_uint_eq(score_d(20, 960), 100);
	ck_assert_uint_eq(score_d(20, 959), 95);
	ck_assert_uint_eq(score_d(19, 960), 95);
	/* T is 960 of the last, C 920 or 919 of all. */
	for (uint32_t less = 0; less < 2; less++) {
		again();
		add_requests(19);
		add_request("/r", 50000, 1001);
		add_stage(19, "db", 0, 961);
		for (uint32_t i = 0; i < 19; i++)
			add_stage(i, "db", 0, (i < 17 ? 918 : 917) -
			                              (i == 0 ? less : 0));
		ck_assert_uint_eq(score_of(D), less ? 95 : 100);
		ck_assert(tells(&suspect(D)->evidence,
		                less ? " 91.9%" : " 92.0%"));
	}
}
END_TEST

START_TEST(a_stage_needs_samples_and_a_request_is_one)
{
	ck_assert_uint_eq(score_d(2, 900), 0);
	add_stage(0, "db", 900, 950); /* three events of two requests */
	ck_assert_uint_eq(score_of(D), 0);
	o.v[TAILBOX__OPT_DOWNSTREAM_MIN_STAGE_SAMPLES] = 2;
	ck_assert_uint_eq(score_of(D), 95); /* 24 + 83 + 26 */
	/* Even with 0 a run without stages has none. */
	again();
	add_requests(4);
	o.v[TAILBOX__OPT_DOWNSTREAM_MIN_STAGE_SAMPLES] = 0;
	ck_assert_uint_eq(score_of(D), 0);
	/* Only unfinished: with 0, completed is a candidate of no samples. */
	stage_in_all("db", 500);
	for (uint32_t i = 0; i < 4; i++)
		run->stages.items[i].flags |= TAILBOX__PARTIAL;
	ck_assert_uint_eq(score_of(D), 24 + 45 + 14);
	ck_assert_ptr_nonnull(strstr(first_evidence(), "at least 500 us"));
	for (uint32_t i = 0; i < 4; i++) { /* of no length: a tie */
		run->stages.items[i].end_us = run->stages.items[i].start_us;
		run->stages.items[i].dur_us = 0;
	}
	ck_assert_uint_eq(score_of(D), 24);
	ck_assert_ptr_nonnull(strstr(first_evidence(), "took 0 us at p95 over "
	                                               "0 requests"));
}
END_TEST

/* --- the best of them -------------------------------------------------- */

START_TEST(time_of_a_name_overlapping_itself_counts_once)
{
	add_requests(3);
	stage_in_all("db", 400);
	for (uint32_t i = 0; i < 3; i++)
		add_stage(i, "db", 200, 500);
	/* Another name does not add to it. */
	for (uint32_t i = 0; i < 3; i++)
		add_stage(i, "dc", 500, 900);
	ck_assert_uint_eq(score_of(D), 24 + 45 + 14);
	EXPECT_TEXTS(&suspect(D)->evidence, "'db' took 500 us at p95 over 3 ",
	             "'db' took 1500 us in all, 50.0%", "'db' took 50.0%");
}
END_TEST

START_TEST(unfinished_stages_need_a_better_candidate)
{
	/* A tie: wholly overlapped, it changes nothing (trap 14). */
	add_requests(4);
	stage_in_all("db", 500);
	add_stage(0, "db", 100, 200)->flags |= TAILBOX__PARTIAL;
	ck_assert_uint_eq(score_of(D), 24 + 45 + 14);
	EXPECT_TEXTS(&suspect(D)->evidence, "'db' took 500 us at p95 over 4 ",
	             "'db' took 2000 us", "'db' took 50.0%");
	/* The same score, but a T of 501. */
	again();
	add_requests(4);
	stage_in_all("db", 500);
	for (uint32_t i = 0; i < 4; i++)
		add_stage(i, "db", 100, 501)->flags |= TAILBOX__PARTIAL;
	ck_assert_uint_eq(score_of(D), 24 + 45 + 14);
	EXPECT_TEXTS(&suspect(D)->evidence,
	             "'db' took at least 501 us at p95 over 4 requests, a "
	             "lower bound: 4 unfinished",
	             "'db' took at least 2004 us", "'db' took at least 50.1%");
}
END_TEST

/* Four requests of 1000 us and a tail one of 2000 us; times of each name. */
static void add_pair(const char *x, const uint64_t *of_x, const char *y,
                     const uint64_t *of_y)
{
	again();
	add_requests(4);
	add_request("/r", 9000, 2000);
	for (uint32_t i = 0; i < 5; i++) {
		add_stage(i, x, 0, of_x[i]);
		add_stage(i, y, 0, of_y[i]);
	}
	analyze();
}

START_TEST(score_then_tail_then_total_then_name_make_the_best)
{
	static const uint64_t base[] = { 100, 100, 100, 100, 220 };
	static const uint64_t more[] = { 140, 140, 140, 140, 220 };
	static const uint64_t tail[] = { 100, 100, 100, 100, 222 };
	static const uint64_t total[] = { 106, 100, 100, 100, 220 };

	/* 620 and 780 of 6000 are 103 and 130: 2 and 3 for C. T is 110. */
	add_pair("a", base, "b", more);
	ck_assert_uint_eq(suspect(D)->score, 24 + 10 + 3);
	EXPECT_NAME("b");
	add_pair("b", more, "a", base);
	EXPECT_NAME("b");
	add_pair("a", base, "b", tail);
	ck_assert_uint_eq(suspect(D)->score, 24 + 10 + 2);
	EXPECT_NAME("b");
	add_pair("b", tail, "a", base);
	EXPECT_NAME("b");
	add_pair("a", total, "b", tail); /* T before C */
	EXPECT_NAME("b");
	add_pair("a", base, "b", total);
	EXPECT_NAME("b");
	add_pair("b", total, "a", base);
	EXPECT_NAME("b");
	add_pair("b", base, "a", base);
	EXPECT_NAME("a");
	add_pair("ab", base, "a", base);
	EXPECT_NAME("a");
	add_pair("a", base, "ab", base);
	EXPECT_NAME("a");
	add_pair("\xc3\xa4", base, "z", base);
	EXPECT_NAME("z");
}
END_TEST

START_TEST(completed_is_before_observed_and_that_before_the_name)
{
	/* "a" is only unfinished, "b" is finished, all figures are equal. */
	add_requests(4);
	stage_in_all("a", 500);
	for (uint32_t i = 0; i < 4; i++)
		run->stages.items[i].flags |= TAILBOX__PARTIAL;
	stage_in_all("b", 500);
	ck_assert_uint_eq(score_of(D), 24 + 45 + 14);
	EXPECT_NAME("b");
}
END_TEST

START_TEST(many_stages_of_a_request_are_told_apart)
{
	/* More than are sorted by insertion, in a mixed order. */
	add_requests(3);
	for (uint32_t r = 0; r < 3; r++) {
		for (uint32_t i = 0; i < 90; i++) {
			char name[8];
			const uint64_t at = i * 11;

			snprintf(name, sizeof(name), "s%u", i * 7 % 9);
			add_stage(r, name, at, at + (i * 7 % 9 == 4 ? 11 : 9));
		}
	}
	ck_assert_uint_eq(score_of(D), 24 + 110 / 11 + 110 / 35);
	EXPECT_TEXTS(&suspect(D)->evidence, "'s4' took 110 us at p95 over 3 ",
	             "'s4' took 330 us in all, 11.0%", "'s4' took 11.0%");
}
END_TEST

/* --- the pool ---------------------------------------------------------- */

/* Stages that score 95, and a pool of which `zeros` samples are 0. */
static void add_correlation(const char *name, unsigned total, unsigned zeros,
                            uint64_t p95, uint64_t peak)
{
	again();
	add_requests(40);
	stage_in_all(name, 900);
	add_snapshots(zeros, NONE, NONE, 0, 0);
	add_snapshots(total - zeros - 1, NONE, NONE, p95, 0);
	add_snapshots(1, NONE, NONE, peak, 0);
	analyze();
}

static bool is_correlated(void)
{
	return suspect(D)->evidence.count == 4;
}

START_TEST(a_stage_of_the_pool_stays_below_a_strong_pool)
{
	add_correlation("my Blocking_PATH here", 30, 0, 20, 20);
	ck_assert_uint_eq(suspect(B)->score, 32 + 20 + 10 + 12 + 3);
	ck_assert_uint_eq(suspect(D)->score, 32 + 20 + 10 + 12 + 3 - 2);
	ck_assert(is_correlated());
	ck_assert(strstr(suspect(D)->evidence.items[3], "'my Blocking_PATH") !=
	          NULL);
	o.v[TAILBOX__OPT_DOWNSTREAM_MARGIN] = 0;
	ck_assert_uint_eq(score_of(D), 77);
	o.v[TAILBOX__OPT_DOWNSTREAM_MARGIN] = 76;
	ck_assert_uint_eq(score_of(D), 1);
	o.v[TAILBOX__OPT_DOWNSTREAM_MARGIN] = 77;
	score_of(D);
	ck_assert_uint_eq(suspect(D)->score, 0);
	o.v[TAILBOX__OPT_DOWNSTREAM_MARGIN] = 100;
	score_of(D);
	ck_assert_uint_eq(suspect(D)->score, 0);
	ck_assert(is_correlated());
}
END_TEST

START_TEST(correlation_is_told_also_when_the_score_is_lower_anyway)
{
	again();
	add_requests(40);
	stage_in_all("blocking", 110);
	add_snapshots(30, NONE, NONE, 20, 0);
	ck_assert_uint_eq(score_of(D), 24 + 10 + 3 + 5);
	ck_assert(is_correlated());
}
END_TEST

START_TEST(the_pool_is_strong_from_each_of_its_thresholds_on)
{
	add_correlation("blocking", 30, 9, 12, 20); /* Z = 700 */
	ck_assert(is_correlated());
	add_correlation("blocking", 30, 9, 11, 20);
	ck_assert(!is_correlated());
	ck_assert_uint_eq(suspect(D)->score, 95);
	add_correlation("blocking", 30, 9, 12, 19);
	ck_assert(!is_correlated());
	add_correlation("blocking", 30, 10, 12, 20); /* Z = 666 */
	ck_assert(!is_correlated());
	add_correlation("blocking", 29, 0, 12, 20);
	ck_assert(!is_correlated());
	o.v[TAILBOX__OPT_BLOCKING_STRONG_MIN_SAMPLES] = 29;
	analyze();
	ck_assert(is_correlated());
	o.v[TAILBOX__OPT_BLOCKING_STRONG_P95] = 13;
	analyze();
	ck_assert(!is_correlated());
	/* Not eligible, it is not strong, whatever the thresholds are. */
	add_correlation("blocking", 2, 1, 0, 0);
	for (int i = TAILBOX__OPT_BLOCKING_STRONG_P95;
	     i <= TAILBOX__OPT_BLOCKING_STRONG_MIN_SAMPLES; i++)
		o.v[i] = 0;
	analyze();
	ck_assert_ptr_null(suspect(B));
	ck_assert(!is_correlated());
}
END_TEST

START_TEST(patterns_are_trimmed_and_found_whatever_the_case)
{
	char *const default_0 = o.patterns.items[0];
	char mine[] = "\t dB.X \n";
	static const struct {
		const char *name;
		bool is_found;
	} rows[] = { { "db.x", true },    { "a DB.X b", true },
		     { "xdb.", false },   { "db.", false },
		     { "db.db.x", true }, { "d", false },
		     { "db x", false },   { "spawn_blocking", true } };

	ck_assert_uint_eq(o.patterns.count, 3);
	ck_assert_str_eq(default_0, "spawn_blocking");
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *kept;

		add_correlation(rows[i].name, 30, 0, 20, 20);
		kept = o.patterns.items[1];
		o.patterns.items[1] = mine;
		analyze();
		o.patterns.items[1] = kept;
		ck_assert_msg(is_correlated() == rows[i].is_found, "%s",
		              rows[i].name);
	}
	/* Letters beyond ASCII are what they are. */
	add_correlation("bloc\xc3\x84king", 30, 0, 20, 20);
	ck_assert(!is_correlated());
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze_stage");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, score_of_a_stage_is_the_sum_of_its_terms);
	tcase_add_test(t,
	               a_stage_is_capped_at_95_and_clean_from_960_920_20_on);
	tcase_add_test(t, a_stage_needs_samples_and_a_request_is_one);
	tcase_add_test(t, time_of_a_name_overlapping_itself_counts_once);
	tcase_add_test(t, unfinished_stages_need_a_better_candidate);
	tcase_add_test(t, score_then_tail_then_total_then_name_make_the_best);
	tcase_add_test(t,
	               completed_is_before_observed_and_that_before_the_name);
	tcase_add_test(t, many_stages_of_a_request_are_told_apart);
	tcase_add_test(t, a_stage_of_the_pool_stays_below_a_strong_pool);
	tcase_add_test(
	        t, correlation_is_told_also_when_the_score_is_lower_anyway);
	tcase_add_test(t, the_pool_is_strong_from_each_of_its_thresholds_on);
	tcase_add_test(t, patterns_are_trimmed_and_found_whatever_the_case);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
