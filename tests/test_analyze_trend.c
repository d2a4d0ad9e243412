/* tests/test_analyze_trend.c - which gauge grows, and how fast.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 4, each step of the comparison alone: two gauges
 * that differ in nothing that stands before it, in both orders of input.
 */
#include <errno.h>

#include "tests/analyze_fixture.h"

static struct tailbox__report_trend trend;

static void find(void)
{
	const struct tailbox__part part = {
		.run = run,
		.gauges = run->inflight.items,
		.gauge_count = run->inflight.count
	};

	memset(&trend, 0xff, sizeof(trend));
	ck_assert_int_eq(tailbox__trend_find(&part, &trend), 0);
}

static const char *winner(void)
{
	find();
	return trend.is_known ? tailbox__run_text(run, trend.gauge, NULL) : "";
}

/* Counts of one gauge, a sample each 1000 us from `at`. */
static void add_counts(const char *name, uint64_t at, const char *counts)
{
	for (; *counts; counts++, at += 1000)
		add_gauge(name, at, (uint64_t)(*counts - '0'));
}

static void expect(uint64_t samples, uint64_t peak, uint64_t p95, int64_t delta)
{
	ck_assert(trend.is_known);
	ck_assert_uint_eq(trend.sample_count, samples);
	ck_assert_uint_eq(trend.peak_count, peak);
	ck_assert_uint_eq(trend.p95_count, p95);
	ck_assert_int_eq(trend.growth_delta, delta);
}

static void expect_rate(int64_t rate)
{
	ck_assert(trend.has_rate);
	ck_assert_int_eq(trend.growth_per_sec_milli, rate);
}

/* --- episodes ---------------------------------------------------------- */

START_TEST(without_a_positive_count_there_is_no_trend)
{
	ck_assert_str_eq(winner(), "");
	add_counts("g", 0, "000");
	ck_assert_str_eq(winner(), "");
	ck_assert_uint_eq(trend.sample_count, 0);
	add_counts("h", 0, "1");
	ck_assert_str_eq(winner(), "h");
	expect(1, 1, 1, 0);
	ck_assert(!trend.has_rate);
}
END_TEST

START_TEST(the_last_episode_counts_and_a_zero_closes_it)
{
	static const struct {
		const char *counts;
		uint64_t samples, peak;
		int64_t delta;
	} rows[] = {
		{ "123", 3, 3, 2 },   { "0123", 3, 3, 2 },
		{ "12340", 5, 4, -1 }, { "123400", 5, 4, -1 },
		{ "9901", 1, 1, 0 },  { "990013", 2, 3, 2 },
		{ "99020", 2, 2, -2 }, { "5432", 4, 5, -3 },
		{ "90807", 1, 7, 0 }, { "00500", 2, 5, -5 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		again();
		add_counts("g", 0, rows[i].counts);
		find();
		ck_assert_msg(trend.sample_count == rows[i].samples &&
		                      trend.peak_count == rows[i].peak &&
		                      trend.growth_delta == rows[i].delta,
		              "%s", rows[i].counts);
	}
}
END_TEST

START_TEST(p95_of_21_counts_is_not_their_peak)
{
	for (unsigned i = 0; i < 21; i++)
		add_gauge("g", i, i + 1);
	find();
	expect(21, 21, 20, 20);
}
END_TEST

/* --- order ------------------------------------------------------------- */

START_TEST(run_offsets_give_the_order_and_ties_the_input)
{
	add_gauge("g", 3000, 9)->at_ms = 1;
	add_gauge("g", 1000, 1)->at_ms = 9;
	add_gauge("g", 2000, 4)->at_ms = 5;
	find();
	expect(3, 9, 9, 8);
	expect_rate(4000000);

	again();
	add_gauge("g", 1000, 5);
	add_gauge("h", 0, 1); /* lies between */
	add_gauge("g", 1000, 7);
	add_gauge("g", 1000, 6);
	find();
	expect(3, 7, 7, 1);
	ck_assert(!trend.has_rate); /* no time went by */
}
END_TEST

START_TEST(one_sample_without_offset_makes_wall_order_without_rate)
{
	add_gauge("g", 1000, 1)->at_ms = 30;
	add_gauge("g", 2000, 5)->at_ms = 20;
	struct tailbox__run_gauge *last = add_gauge("g", 3000, 2);

	last->at_ms = 10;
	last->flags = 0;
	find();
	expect(3, 5, 5, -1); /* 2, 5, 1 */
	ck_assert(!trend.has_rate);
	/* Of another gauge it does not matter. */
	last->gauge = tailbox__run_cstr(run, "h");
	find();
	expect(2, 5, 5, 4);
	expect_rate(4000000);
}
END_TEST

/* --- figures at their limits ------------------------------------------- */

START_TEST(the_rate_is_cut_towards_zero)
{
	add_gauge("g", 0, 3);
	add_gauge("g", 3000000, 1);
	find();
	expect_rate(-666); /* -2 in 3 s */
	again();
	add_gauge("g", 0, 1);
	add_gauge("g", 3000000, 3);
	find();
	expect_rate(666);
	again();
	add_gauge("g", 0, 1);
	add_gauge("g", 1000000001, 2);
	find();
	expect_rate(0);
}
END_TEST

START_TEST(growth_is_clamped_to_63_bits_either_way)
{
	static const struct {
		uint64_t first, last;
		int64_t delta;
	} rows[] = {
		{ 1, (uint64_t)INT64_MAX, INT64_MAX - 1 },
		{ 1, (uint64_t)INT64_MAX + 1, INT64_MAX },
		{ 1, (uint64_t)INT64_MAX + 2, INT64_MAX },
		{ 1, UINT64_MAX, INT64_MAX },
		{ (uint64_t)INT64_MAX + 1, 0, -INT64_MAX },
		{ (uint64_t)INT64_MAX, 0, -INT64_MAX },
		{ (uint64_t)INT64_MAX - 1, 0, -INT64_MAX + 1 },
		{ UINT64_MAX, 0, -INT64_MAX },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		again();
		add_gauge("g", 0, rows[i].first);
		add_gauge("g", 1000000000, rows[i].last);
		find();
		ck_assert_int_eq(trend.growth_delta, rows[i].delta);
		/* 10^9 us and 10^9 thousandths */
		expect_rate(rows[i].delta);
		run->inflight.items[1].at_us--;
		find();
		ck_assert(rows[i].delta < 0
		                  ? trend.growth_per_sec_milli == INT64_MIN
		                  : trend.growth_per_sec_milli == INT64_MAX);
	}
}
END_TEST

/* --- the greatest candidate -------------------------------------------- */

struct side {
	uint64_t at[3], counts[3]; /* as long as counts are not 0 */
	bool is_closed, is_by_wall;
};

static void add_side(const char *name, const struct side *s)
{
	int n = 0;

	for (; n < 3 && s->counts[n]; n++)
		add_gauge(name, s->at[n], s->counts[n])->flags =
		        s->is_by_wall ? 0 : TAILBOX__HAS_START_US;
	if (s->is_closed)
		add_gauge(name, s->at[n - 1] + 1, 0)->flags =
		        s->is_by_wall ? 0 : TAILBOX__HAS_START_US;
}

/* `better` wins, whatever their names and the order of input. */
static void expect_better(const struct side *better, const struct side *worse)
{
	again();
	add_side("b", better);
	add_side("a", worse);
	ck_assert_str_eq(winner(), "b");
	again();
	add_side("a", worse);
	add_side("b", better);
	ck_assert_str_eq(winner(), "b");
	again();
	add_side("b", worse);
	add_side("a", better);
	ck_assert_str_eq(winner(), "a");
}
#define SIDE(...) (&(const struct side){ .at = __VA_ARGS__ })

START_TEST(an_active_gauge_is_before_one_that_ended)
{
	expect_better(SIDE({ 0 }, { 1 }),
	              SIDE({ 0, 1000 }, { 50, 90 }, .is_closed = true));
	expect_better(SIDE({ 0, 1000 }, { 9, 8 }),
	              SIDE({ 0, 1000 }, { 50, 90 }, .is_closed = true));
}
END_TEST

START_TEST(a_growing_gauge_is_before_one_that_does_not_grow)
{
	expect_better(SIDE({ 0, 1000 }, { 1, 2 }),
	              SIDE({ 0, 1000 }, { 90, 90 }));
	expect_better(SIDE({ 0, 1000 }, { 1, 2 }), SIDE({ 0 }, { 90 }));
	expect_better(SIDE({ 0, 1000 }, { 1, 2 }),
	              SIDE({ 0, 1000 }, { 90, 80 }));
}
END_TEST

START_TEST(of_two_that_grow_the_larger_delta_is_first)
{
	expect_better(SIDE({ 0, 9000 }, { 1, 4 }),
	              SIDE({ 0, 1000 }, { 90, 92 }));
	/* Of two that do not, it is not looked at. */
	expect_better(SIDE({ 0, 1000 }, { 90, 80 }),
	              SIDE({ 0, 1000 }, { 50, 49 }));
	expect_better(SIDE({ 0, 1000 }, { 90, 80 }),
	              SIDE({ 0, 1000 }, { 50, 50 }));
}
END_TEST

START_TEST(of_equal_deltas_the_larger_rate_is_first)
{
	expect_better(SIDE({ 0, 1000 }, { 1, 3 }),
	              SIDE({ 0, 1001 }, { 90, 92 }));
	/* Null and 0 are below every positive one .. */
	expect_better(SIDE({ 0, 1000000000 }, { 1, 2 }),
	              SIDE({ 0, 1 }, { 90, 91 }, .is_by_wall = true));
	expect_better(SIDE({ 0, 1000000000 }, { 1, 2 }),
	              SIDE({ 5, 5 }, { 90, 91 }));
	expect_better(SIDE({ 0, 1000000000 }, { 1, 2 }),
	              SIDE({ 0, 1000000001 }, { 90, 91 }));
	/* .. and equal among themselves. */
	expect_better(SIDE({ 0, 1 }, { 90, 91 }, .is_by_wall = true),
	              SIDE({ 0, 1000000001 }, { 1, 2 }));
	expect_better(SIDE({ 0, 1000000001 }, { 90, 91 }),
	              SIDE({ 0, 1 }, { 1, 2 }, .is_by_wall = true));
	/* Of two that do not grow it is not looked at. */
	expect_better(SIDE({ 0, 9000 }, { 91, 90 }),
	              SIDE({ 0, 9000000 }, { 51, 50 }));
}
END_TEST

START_TEST(then_the_larger_p95_then_the_larger_peak)
{
	expect_better(SIDE({ 0, 1000 }, { 2, 3 }), SIDE({ 0, 1000 }, { 1, 2 }));
	expect_better(SIDE({ 0 }, { 7 }), SIDE({ 0 }, { 6 }));
	again();
	/* 21 samples each: the peak alone is above the p95. */
	for (unsigned i = 0; i < 21; i++) {
		add_gauge("a", i, i == 5 ? 50 : 10);
		add_gauge("b", i, i == 5 ? 51 : 10);
		add_gauge("c", i, i == 5 ? 51 : 10);
	}
	ck_assert_str_eq(winner(), "b");
	expect(21, 51, 10, 0);
	/* p95 is asked first. */
	for (unsigned i = 0; i < 21; i++)
		add_gauge("d", i, 11);
	ck_assert_str_eq(winner(), "d");
}
END_TEST

START_TEST(at_last_the_smaller_label_by_bytes)
{
	static const char *const labels[] = { "a", "aa", "a~", "b",
		                              "\xc3\xa4" };

	for (size_t skip = 0; skip < COUNT(labels); skip++) {
		again();
		for (size_t i = COUNT(labels); i-- > skip; )
			add_gauge(labels[i], 0, 1);
		ck_assert_str_eq(winner(), labels[skip]);
		again();
		for (size_t i = skip; i < COUNT(labels); i++)
			add_gauge(labels[i], 0, 1);
		ck_assert_str_eq(winner(), labels[skip]);
	}
	/* Up to a NUL they are the same. */
	again();
	add_gauge("x", 0, 1)->gauge = tailbox__run_str(run, "x\0b", 3);
	add_gauge("x", 0, 1)->gauge = tailbox__run_str(run, "x\0a", 3);
	find();
	ck_assert_uint_eq(trend.gauge, run->inflight.items[1].gauge);
}
END_TEST

START_TEST(a_failing_allocation_is_reported_and_leaks_nothing)
{
	struct tailbox__part p = { .run = run, .gauge_count = 40 };
	long n = 0;
	int rc;

	for (unsigned i = 0; i < 40; i++)
		add_gauge("g", i, i + 1);
	p.gauges = run->inflight.items;
	const long live = tailbox__alloc_live();
	do {
		tailbox__alloc_fail_after(n++);
		rc = tailbox__trend_find(&p, &trend);
		tailbox__alloc_fail_after(-1);
		ck_assert(rc == 0 || rc == -ENOMEM);
		ck_assert_int_eq(tailbox__alloc_live(), live);
	} while (rc != 0);
	ck_assert_int_ge(n, 3);
	expect(40, 40, 39, 39);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze_trend");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, without_a_positive_count_there_is_no_trend);
	tcase_add_test(t, the_last_episode_counts_and_a_zero_closes_it);
	tcase_add_test(t, p95_of_21_counts_is_not_their_peak);
	tcase_add_test(t, run_offsets_give_the_order_and_ties_the_input);
	tcase_add_test(
	        t, one_sample_without_offset_makes_wall_order_without_rate);
	tcase_add_test(t, the_rate_is_cut_towards_zero);
	tcase_add_test(t, growth_is_clamped_to_63_bits_either_way);
	tcase_add_test(t, an_active_gauge_is_before_one_that_ended);
	tcase_add_test(t, a_growing_gauge_is_before_one_that_does_not_grow);
	tcase_add_test(t, of_two_that_grow_the_larger_delta_is_first);
	tcase_add_test(t, of_equal_deltas_the_larger_rate_is_first);
	tcase_add_test(t, then_the_larger_p95_then_the_larger_peak);
	tcase_add_test(t, at_last_the_smaller_label_by_bytes);
	tcase_add_test(t,
	               a_failing_allocation_is_reported_and_leaks_nothing);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
