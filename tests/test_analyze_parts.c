/* tests/test_analyze_parts.c - the parts of an analysis, one by one:
 * attributed time, worker counts, credit, limit and ratio.
 *
 * SPDX-License-Identifier: MIT
 *
 * Attributed time is expected to be what counting unit by unit gives. The
 * percentiles and the trend have suites of their own.
 */
#include "tests/analyze_fixture.h"

/* --- attributed time --------------------------------------------------- */

static struct tailbox__scratch scratch;

static void end_scratch(void)
{
	tailbox__scratch_fini(&scratch);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

static struct tailbox__run_span event(uint64_t start, uint64_t end)
{
	return (struct tailbox__run_span){ .start_us = start,
		                           .end_us = end,
		                           .dur_us = end - start,
		                           .flags = BOTH_ENDS };
}

static uint64_t attributed(const struct tailbox__run_span *items, size_t n,
                           bool completed_only, uint64_t cap)
{
	uint32_t events[64] = { 0 };
	uint64_t got;
	int rc = 0;

	for (uint32_t i = 0; i < n; i++)
		events[i] = (uint32_t)n - 1 - i; /* through the indexes */
	got = tailbox__attributed(&scratch, items, events, n, completed_only,
	                          cap, &rc);
	ck_assert_int_eq(rc, 0);
	return got;
}

START_TEST(attributed_time_of_nothing_is_nothing)
{
	struct tailbox__run_span e = event(5, 9);

	ck_assert_uint_eq(attributed(&e, 0, false, 100), 0);
	e.flags |= TAILBOX__PARTIAL;
	ck_assert_uint_eq(attributed(&e, 1, true, 100), 0);
	ck_assert_uint_eq(attributed(&e, 1, false, 100), 4);
}
END_TEST

START_TEST(attributed_time_counts_what_overlaps_once)
{
	const struct tailbox__run_span nested[] = { event(0, 100),
		                                    event(10, 20),
		                                    event(30, 90) };
	const struct tailbox__run_span touching[] = { event(10, 20),
		                                      event(0, 10),
		                                      event(20, 30) };
	const struct tailbox__run_span parallel[] = { event(0, 10),
		                                      event(0, 10),
		                                      event(5, 15) };
	const struct tailbox__run_span gap[] = { event(0, 10), event(11, 20) };
	const struct tailbox__run_span empty[] = { event(7, 7), event(3, 3) };

	ck_assert_uint_eq(attributed(nested, 3, false, 1000), 100);
	ck_assert_uint_eq(attributed(touching, 3, false, 1000), 30);
	ck_assert_uint_eq(attributed(parallel, 3, false, 1000), 15);
	ck_assert_uint_eq(attributed(gap, 2, false, 1000), 19);
	ck_assert_uint_eq(attributed(gap, 2, false, 20), 19);
	ck_assert_uint_eq(attributed(gap, 2, false, 19), 19);
	ck_assert_uint_eq(attributed(gap, 2, false, 18), 18);
	ck_assert_uint_eq(attributed(gap, 2, false, 0), 0);
	ck_assert_uint_eq(attributed(empty, 2, false, 5), 0);
}
END_TEST

START_TEST(one_event_without_interval_makes_durations_count)
{
	struct tailbox__run_span e[] = { event(0, 10), event(0, 10),
		                         event(0, 10) };

	ck_assert_uint_eq(attributed(e, 3, false, 1000), 10);
	e[1].flags = TAILBOX__HAS_START_US;
	ck_assert_uint_eq(attributed(e, 3, false, 1000), 30);
	e[1].flags = TAILBOX__HAS_END_US;
	ck_assert_uint_eq(attributed(e, 3, false, 1000), 30);
	ck_assert_uint_eq(attributed(e, 3, false, 29), 29);
	/* One that does not count has no say. */
	e[1].flags = TAILBOX__PARTIAL;
	ck_assert_uint_eq(attributed(e, 3, true, 1000), 10);
	ck_assert_uint_eq(attributed(e, 3, false, 1000), 30);
}
END_TEST

START_TEST(attributed_time_saturates)
{
	struct tailbox__run_span e[] = { event(0, UINT64_MAX),
		                         event(1, UINT64_MAX) };

	ck_assert_uint_eq(attributed(e, 2, false, UINT64_MAX), UINT64_MAX);
	e[0].flags = 0;
	e[0].dur_us = UINT64_MAX - 1;
	e[1].dur_us = 2;
	ck_assert_uint_eq(attributed(e, 2, false, UINT64_MAX), UINT64_MAX);
	e[1].dur_us = 1;
	ck_assert_uint_eq(attributed(e, 2, false, UINT64_MAX - 1),
	                  UINT64_MAX - 1);
}
END_TEST

/* Counted: how many of the units of time are covered. */
static uint64_t slow_attributed(const struct tailbox__run_span *e, size_t n,
                                bool completed_only, uint64_t cap)
{
	bool is_covered[64] = { false }, has_all = true;
	uint64_t sum = 0, units = 0;

	for (size_t i = 0; i < n; i++) {
		if (completed_only && e[i].flags & TAILBOX__PARTIAL)
			continue;
		if (!(e[i].flags & TAILBOX__HAS_START_US) ||
		    !(e[i].flags & TAILBOX__HAS_END_US))
			has_all = false;
		sum += e[i].dur_us;
		for (uint64_t t = e[i].start_us; t < e[i].end_us; t++)
			is_covered[t] = true;
	}
	for (size_t t = 0; t < COUNT(is_covered); t++)
		units += is_covered[t];
	if (!has_all)
		units = sum;
	return units < cap ? units : cap;
}

START_TEST(attributed_time_is_what_counting_gives)
{
	uint64_t seed = 3;

	for (int round = 0; round < 20000; round++) {
		struct tailbox__run_span e[40];
		const size_t n = below(&seed, round % 8 ? 6 : 41);
		const uint64_t cap = below(&seed, 80);
		const bool lacks = below(&seed, 4) == 0;

		for (size_t i = 0; i < n; i++) {
			const uint64_t a = below(&seed, 64);
			const uint64_t b = a + below(&seed, 64 - a);
			e[i] = event(a, b);
			if (below(&seed, 3) == 0)
				e[i].flags |= TAILBOX__PARTIAL;
			if (lacks && below(&seed, 8) == 0)
				e[i].flags &= ~(1u << below(&seed, 2));
		}
		ck_assert_uint_eq(attributed(e, n, false, cap),
		                  slow_attributed(e, n, false, cap));
		ck_assert_uint_eq(attributed(e, n, true, cap),
		                  slow_attributed(e, n, true, cap));
	}
}
END_TEST

/* --- worker counts ----------------------------------------------------- */

START_TEST(worker_counts_are_classified_by_the_first_match)
{
	/* A letter is a snapshot: digits are counts, '-' has none; lower case
	 * letters are the same without a global depth: z is 0, a is 1. */
	static const struct {
		const char *snapshots;
		enum tailbox__workers status;
		uint64_t count;
	} rows[] = {
		{ "", TAILBOX__WORKERS_HISTORICAL_ABSENT, 0 },
		{ "-", TAILBOX__WORKERS_HISTORICAL_ABSENT, 0 },
		{ "aaz", TAILBOX__WORKERS_HISTORICAL_ABSENT, 0 },
		{ "-a", TAILBOX__WORKERS_HISTORICAL_ABSENT, 0 },
		{ "0", TAILBOX__WORKERS_INVALID_ZERO, 0 },
		{ "40", TAILBOX__WORKERS_INVALID_ZERO, 0 },
		{ "04", TAILBOX__WORKERS_INVALID_ZERO, 0 },
		{ "2-30", TAILBOX__WORKERS_INVALID_ZERO, 0 },
		{ "23", TAILBOX__WORKERS_INCONSISTENT, 0 },
		{ "2-3", TAILBOX__WORKERS_INCONSISTENT, 0 },
		{ "232", TAILBOX__WORKERS_INCONSISTENT, 0 },
		{ "223", TAILBOX__WORKERS_INCONSISTENT, 0 },
		{ "2-", TAILBOX__WORKERS_PARTIAL, 0 },
		{ "-2", TAILBOX__WORKERS_PARTIAL, 0 },
		{ "4", TAILBOX__WORKERS_COMPLETE, 4 },
		{ "444", TAILBOX__WORKERS_COMPLETE, 4 },
		{ "z4a", TAILBOX__WORKERS_COMPLETE, 4 },
		{ "4aa", TAILBOX__WORKERS_COMPLETE, 4 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tailbox__run_snapshot s[8] = { { .flags = 0 } };
		enum tailbox__workers status;
		uint64_t count;
		size_t n = 0;

		for (const char *c = rows[i].snapshots; *c; c++, n++) {
			if (*c != '-')
				s[n].flags = TAILBOX__HAS_WORKERS;
			s[n].worker_count =
			        *c == '-'               ? 7
			        : *c >= '0' && *c <= '9' ? (uint32_t)(*c - '0')
			        : *c == 'z'             ? 0
			                                : 1;
			if (*c >= 'a')
				s[n].global_queue_depth = TAILBOX__NONE;
		}
		tailbox__classify_workers(s, n, &status, &count);
		ck_assert_msg(status == rows[i].status, "%s: %d",
		              rows[i].snapshots, (int)status);
		if (status == TAILBOX__WORKERS_COMPLETE)
			ck_assert_uint_eq(count, rows[i].count);
	}
}
END_TEST

/* --- credit, limit, ratio ---------------------------------------------- */

START_TEST(sample_credit_changes_at_its_edges)
{
	static const struct {
		uint64_t n;
		unsigned credit;
	} rows[] = { { 0, 0 },  { 7, 0 },   { 8, 1 },   { 19, 1 },
		     { 20, 3 }, { 39, 3 },  { 40, 5 },  { 99, 5 },
		     { 100, 8 }, { 101, 8 }, { UINT64_MAX, 8 } };

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_uint_eq(tailbox__sample_credit(rows[i].n),
		                  rows[i].credit);
}
END_TEST

START_TEST(a_score_is_limited_by_its_cap_unless_clean_and_by_100)
{
	ck_assert_uint_eq(tailbox__score(94, 95, false), 94);
	ck_assert_uint_eq(tailbox__score(95, 95, false), 95);
	ck_assert_uint_eq(tailbox__score(96, 95, false), 95);
	ck_assert_uint_eq(tailbox__score(96, 95, true), 96);
	ck_assert_uint_eq(tailbox__score(100, 95, true), 100);
	ck_assert_uint_eq(tailbox__score(101, 95, true), 100);
	ck_assert_uint_eq(tailbox__score(UINT64_MAX, 95, true), 100);
	ck_assert_uint_eq(tailbox__score(UINT64_MAX, 95, false), 95);
	ck_assert_uint_eq(tailbox__score(1000, 101, false), 100);
	ck_assert_uint_eq(tailbox__score(0, 95, true), 0);
}
END_TEST

START_TEST(ratio_is_exact_and_128_bits_wide)
{
	const uint64_t max = UINT64_MAX;

	ck_assert(tailbox__ratio(3, 2, 3, 2));
	ck_assert(!tailbox__ratio(2, 2, 3, 2));
	ck_assert(tailbox__ratio(1500, 1000, 3, 2));
	ck_assert(!tailbox__ratio(1499, 1000, 3, 2));
	ck_assert(tailbox__ratio(5, 5, 1, 1));
	ck_assert(!tailbox__ratio(4, 5, 1, 1));
	ck_assert(!tailbox__ratio(5, 0, 3, 2));
	ck_assert(!tailbox__ratio(0, 0, 1, 1));
	ck_assert(!tailbox__ratio(0, 1, 1, 1));
	ck_assert(!tailbox__ratio(max, max, 3, 2));
	ck_assert(tailbox__ratio(max, max, 1, 1));
	ck_assert(tailbox__ratio(max, max / 3 * 2, 3, 2));
	ck_assert(!tailbox__ratio(max, max / 3 * 2 + 1, 3, 2));
	ck_assert(tailbox__ratio(max, 1, max, 1));
	ck_assert(!tailbox__ratio(max - 1, 1, max, 1));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze_parts");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, NULL, end_scratch);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, attributed_time_of_nothing_is_nothing);
	tcase_add_test(t, attributed_time_counts_what_overlaps_once);
	tcase_add_test(t, one_event_without_interval_makes_durations_count);
	tcase_add_test(t, attributed_time_saturates);
	tcase_add_test(t, attributed_time_is_what_counting_gives);
	tcase_add_test(t, worker_counts_are_classified_by_the_first_match);
	tcase_add_test(t, sample_credit_changes_at_its_edges);
	tcase_add_test(t,
	               a_score_is_limited_by_its_cap_unless_clean_and_by_100);
	tcase_add_test(t, ratio_is_exact_and_128_bits_wide);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
