/* tests/test_analyze_series.c - percentiles.
 *
 * SPDX-License-Identifier: MIT
 *
 * Expected values come from a sorted copy, and the place in it is looked for
 * step by step: no code and no formula is shared with analyzer/series.c.
 */
#include "tests/analyze_fixture.h"

#define MOST_VALUES 65536u

static uint64_t values[MOST_VALUES];
static size_t value_count;

static int ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The first item of the sorted ones that at least p percent of the way to the
 * last one is behind. By looking, not by the formula. */
static uint64_t slow_percentile(unsigned p)
{
	uint64_t *sorted = malloc((value_count + 1) * sizeof(*sorted));
	size_t at = 0;
	uint64_t found;

	ck_assert_ptr_nonnull(sorted);
	memcpy(sorted, values, value_count * sizeof(*sorted));
	qsort(sorted, value_count, sizeof(*sorted), ascending);
	while (at < value_count - 1 && at * 100 < (value_count - 1) * p)
		at++;
	found = sorted[at];
	free(sorted);
	return found;
}

static void expect_percentiles(const char *what)
{
	static const unsigned ps[] = { 50, 95, 99 };

	for (size_t i = 0; i < COUNT(ps); i++) {
		struct tailbox__series s = { .items = NULL };

		for (size_t k = 0; k < value_count; k++)
			SAMPLE_MUST(tailbox__series_add(&s, values[k]) == 0);
		const uint64_t got = tailbox__series_percentile(&s, ps[i]);
		const uint64_t want = slow_percentile(ps[i]);
		ck_assert_msg(got == want, "p%u of %zu %s", ps[i], value_count,
		              what);
		/* Items moved, none got lost: asked again it is the same. */
		ck_assert_uint_eq(tailbox__series_percentile(&s, ps[i]), want);
		tailbox__series_fini(&s);
		ck_assert_ptr_null(s.items);
	}
}

/* Each one asked for leaves the items where the next one looks less. */
static void expect_any_order(void)
{
	static const unsigned ps[] = { 50, 95, 40, 99, 60, 0, 100, 1, 50 };
	struct tailbox__series s = { .items = NULL };

	for (size_t k = 0; k < value_count; k++)
		SAMPLE_MUST(tailbox__series_add(&s, values[k]) == 0);
	for (size_t i = 0; i < COUNT(ps); i++)
		ck_assert_uint_eq(tailbox__series_percentile(&s, ps[i]),
		                  slow_percentile(ps[i]));
	/* Emptied and filled again, with as many: the others are forgotten. */
	s.count = 0;
	for (size_t k = value_count; k-- > 0;)
		SAMPLE_MUST(tailbox__series_add(&s, values[k] / 2) == 0);
	ck_assert_uint_eq(tailbox__series_percentile(&s, 95),
	                  slow_percentile(95) / 2);
	tailbox__series_fini(&s);
}

static const size_t sizes[] = { 1,  2,  3,   7,   19,  20,  21,   24,   25,
	                        26, 99, 100, 101, 102, 257, 1000, 65536 };

START_TEST(percentile_of_an_empty_series_is_none)
{
	struct tailbox__series s = { .items = NULL };

	ck_assert_uint_eq(tailbox__series_percentile(&s, 50), TAILBOX__NONE);
	ck_assert_uint_eq(tailbox__series_percentile(&s, 99), TAILBOX__NONE);
}
END_TEST

/* Of 0, 1, .. n-1 in any order the item is its own index. */
START_TEST(percentile_indexes_round_up)
{
	static const struct {
		unsigned n, p50, p95, p99;
	} rows[] = {
		{ 1, 0, 0, 0 },      { 2, 1, 1, 1 },       { 3, 1, 2, 2 },
		{ 19, 9, 18, 18 },   { 20, 10, 19, 19 },   { 21, 10, 19, 20 },
		{ 41, 20, 38, 40 },  { 100, 50, 95, 99 },  { 101, 50, 95, 99 },
		{ 102, 51, 96, 100 }, { 201, 100, 190, 198 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tailbox__series s = { .items = NULL };

		for (unsigned k = 0; k < rows[i].n; k++)
			tailbox__series_add(&s, rows[i].n - 1 - k);
		ck_assert_uint_eq(tailbox__series_percentile(&s, 50),
		                  rows[i].p50);
		ck_assert_uint_eq(tailbox__series_percentile(&s, 95),
		                  rows[i].p95);
		ck_assert_uint_eq(tailbox__series_percentile(&s, 99),
		                  rows[i].p99);
		tailbox__series_fini(&s);
	}
}
END_TEST

START_TEST(percentiles_of_random_series_are_those_of_sorted_ones)
{
	static const uint64_t ranges[] = { 1, 2, 3, 10, 1000, UINT64_MAX };
	uint64_t seed = 1;

	for (size_t i = 0; i < COUNT(sizes); i++) {
		value_count = sizes[i];
		for (size_t r = 0; r < COUNT(ranges); r++) {
			for (size_t k = 0; k < value_count; k++)
				values[k] = below(&seed, ranges[r]);
			expect_percentiles("random");
			expect_any_order();
		}
	}
}
END_TEST

START_TEST(percentiles_hold_for_shapes_and_near_2_64)
{
	for (size_t i = 0; i < COUNT(sizes); i++) {
		const size_t n = value_count = sizes[i];

		for (size_t k = 0; k < n; k++)
			values[k] = k;
		expect_percentiles("ascending");
		for (size_t k = 0; k < n; k++)
			values[k] = k < n / 2 ? k : n - k;
		expect_percentiles("up and down");
		for (size_t k = 0; k < n; k++)
			values[k] = k * 7919 % 16;
		expect_percentiles("saw teeth");
		for (size_t k = 0; k < n; k++)
			values[k] = UINT64_MAX - k % 5;
		expect_percentiles("near 2^64");
		for (size_t k = 0; k < n; k++)
			values[k] = k == n - 1 ? 1 : UINT64_MAX;
		expect_percentiles("one small");
	}
}
END_TEST

/* Values against the choice of pivots: at each step the three that are looked
 * at are the smallest, so that hardly anything is cut off. */
START_TEST(percentiles_hold_for_values_chosen_against_the_pivots)
{
	static uint32_t at[MOST_VALUES], rest[MOST_VALUES];
	static bool is_set[MOST_VALUES];
	uint64_t next = 0;
	size_t n = MOST_VALUES;

	value_count = n;
	for (uint32_t k = 0; k < n; k++)
		at[k] = k;
	for (unsigned step = 0; step < 60; step++) {
		const size_t three[] = { n / 4, n / 2, n - 1 - n / 4 };
		uint64_t v[3];

		for (int k = 0; k < 3; k++) {
			const uint32_t of = at[three[k]];
			if (!is_set[of])
				values[of] = next++;
			is_set[of] = true;
			v[k] = values[of];
		}
		qsort(v, 3, sizeof(*v), ascending);
		/* As partition() leaves the greater ones. */
		size_t i = 0, low = 0, high = n;
		while (i < high) {
			const uint32_t x = at[i];
			if (is_set[x] && values[x] < v[1]) {
				at[i++] = at[low];
				at[low++] = x;
			} else if (is_set[x] && values[x] == v[1]) {
				i++;
			} else {
				at[i] = at[--high];
				at[high] = x;
			}
		}
		memcpy(rest, at + high, (n - high) * sizeof(*rest));
		n -= high;
		memcpy(at, rest, n * sizeof(*at));
	}
	ck_assert_uint_gt(n, MOST_VALUES * 7 / 8); /* it is bad indeed */
	uint64_t seed = 2;
	for (size_t k = 0; k < MOST_VALUES; k++)
		if (!is_set[k])
			values[k] = next + below(&seed, 100000);
	expect_percentiles("against the pivots");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze_series");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, percentile_of_an_empty_series_is_none);
	tcase_add_test(t, percentile_indexes_round_up);
	tcase_add_test(t,
	               percentiles_of_random_series_are_those_of_sorted_ones);
	tcase_add_test(t, percentiles_hold_for_shapes_and_near_2_64);
	tcase_add_test(
	        t, percentiles_hold_for_values_chosen_against_the_pivots);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
