/* tests/test_failures_shared.c - what the members of a group share and others
 * do not: the rule, the traits, the moment.
 *
 * SPDX-License-Identifier: MIT
 *
 * The chance of the rule is checked against binomial coefficients by Pascal's
 * triangle.
 */
#include "tests/failures_fixture.h"

/* --- the rule ------------------------------------------------------------- */

static bool rule(uint64_t members, uint64_t n, uint64_t others,
                 uint64_t others_known)
{
	const struct tailbox__share s = { members, others, others_known };

	return tailbox__is_shared(&s, n, 1, 0);
}

START_TEST(shared_needs_four_fifths)
{
	ck_assert(rule(8, 10, 0, 1000));
	ck_assert(!rule(7, 10, 0, 1000));
	ck_assert(rule(800, 1000, 0, 1000));
	ck_assert(!rule(799, 1000, 0, 1000));
	ck_assert(rule(4, 5, 0, 1000));
	ck_assert(!rule(3, 4, 0, 1000)); /* 75% */
}
END_TEST

START_TEST(shared_needs_twice_the_share_of_others)
{
	ck_assert(rule(30, 30, 50, 100));
	ck_assert(!rule(30, 30, 51, 100));
	ck_assert(rule(24, 30, 40, 100));
	ck_assert(!rule(24, 30, 41, 100));
	ck_assert(!rule(30, 30, 100, 100)); /* everybody has it */
	ck_assert(!rule(30, 30, 0, 0)); /* nobody to compare with */
	ck_assert(rule(UINT32_MAX, UINT32_MAX, 0, UINT32_MAX));
}
END_TEST

START_TEST(shared_is_not_by_chance)
{
	/* All three of 20 have it: 1 of C(20, 3) = 1140; C(19, 3) = 969. */
	ck_assert(rule(3, 3, 0, 17));
	ck_assert(!rule(3, 3, 0, 16));
	/* Two: C(46, 2) = 1035, C(45, 2) = 990. One never shares. */
	ck_assert(rule(2, 2, 0, 44));
	ck_assert(!rule(2, 2, 0, 43));
	ck_assert(!rule(1, 1, 0, 1000000));
	/* A group that is most of the run: it is about the few others. */
	ck_assert(!rule(85000, 100000, 2, 5));
	ck_assert(rule(85000, 100000, 40, 100));
	ck_assert(rule(100000, 100000, 0, 10));
}
END_TEST

static double choose(unsigned n, unsigned k)
{
	static double row[64][64];

	for (unsigned i = 0; row[63][0] < 1 && i < 64; i++)
		for (unsigned j = 0; j <= i; j++)
			row[i][j] = j == 0 || j == i ? 1
			                             : row[i - 1][j - 1] +
			                                       row[i - 1][j];
	return k > n ? 0 : row[n][k];
}

START_TEST(the_chance_is_that_of_fishers_test)
{
	for (unsigned n = 2; n <= 14; n++)
	for (unsigned m = (n * 4 + 4) / 5; m <= n; m++)
	for (unsigned r = 1; r <= 40; r++)
	for (unsigned k = 0; k <= r && 2 * k * n <= m * r; k++) {
		double sum = 0;

		for (unsigned x = m; x <= n && x <= m + k; x++)
			sum += choose(m + k, x) * choose(n + r - m - k, n - x);
		sum /= choose(n + r, n);
		ck_assert_msg(m + k == n + r ||
		                      rule(m, n, k, r) == (sum < 0.001),
		              "%u of %u, %u of %u: %g", m, n, k, r, sum);
	}
}
END_TEST

START_TEST(what_was_chosen_has_to_be_rarer)
{
	const struct tailbox__share s = { 4, 0, 100 };

	/* Two of four are fixed: 1 of C(102, 2) = 5151, six pairs: > 0.001 */
	ck_assert(tailbox__is_shared(&s, 4, 5, 2));
	ck_assert(!tailbox__is_shared(&s, 4, 6, 2));
}
END_TEST

/* --- traits --------------------------------------------------------------- */

START_TEST(what_members_share_is_told_with_the_share_of_others)
{
	add_alike();
	make(TAILBOX__NONE);
	const struct tailbox__failure_group *g =
	        group(TAILBOX__FAILURE_TIMEOUT, 0);
	/* A quarter of the others is on worker 3: by chance 1 of 189. */
	ck_assert_ptr_null(shared_of(g, TAILBOX__TRAIT_WORKER));
	ck_assert_uint_eq(g->shared_count, 5);
	ASSERT_SHARE(shared_of(g, TAILBOX__TRAIT_ROUTE)->share, 4, 10, 96);
	ASSERT_SHARE(shared_of(g, TAILBOX__TRAIT_HOLDER)->share, 4, 0, 96);
	ASSERT_SHARE(shared_of(g, TAILBOX__TRAIT_TAG)->share, 4, 0, 96);
	ASSERT_SHARE(shared_of(g, TAILBOX__TRAIT_FAILED_STAGE)->share, 4, 0,
	             96);
	const struct tailbox__shared *s = shared_of(g, TAILBOX__TRAIT_WAIT);
	ASSERT_SHARE(s->share, 4, 0, 96); /* each request once; not "own" */
	ck_assert_str_eq(tailbox__run_text(run, s->trait.value, NULL), "twice");
	for (unsigned k = 1; k < g->shared_count; k++)
		ck_assert_uint_lt(g->shared[k - 1].trait.kind,
		                  g->shared[k].trait.kind);
}
END_TEST

START_TEST(a_worker_is_shared_when_others_are_not_on_it)
{
	add_alike();
	for (uint32_t i = 4; i < 100; i++)
		ext_of(i)->worker = i < 14 ? 3 : 0;
	make(TAILBOX__NONE);
	const struct tailbox__shared *s = shared_of(
	        group(TAILBOX__FAILURE_TIMEOUT, 0), TAILBOX__TRAIT_WORKER);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->trait.value, 3);
	ASSERT_SHARE(s->share, 4, 10, 96);
	for (uint32_t i = 0; i < 4; i++)
		ext_of(i)->worker = UINT32_MAX; /* that is no worker */
	make(TAILBOX__NONE);
	ck_assert_ptr_null(shared_of(group(TAILBOX__FAILURE_TIMEOUT, 0),
	                             TAILBOX__TRAIT_WORKER));
}
END_TEST

START_TEST(the_unknown_counts_against_members_and_not_for_others)
{
	add_alike();
	ext_of(0)->worker = UINT32_MAX; /* 3 of 4 */
	run->requests.items[1].ext = 0;
	for (uint32_t i = 4; i < 100; i++) {
		ext_of(i)->worker = i < 54 ? UINT32_MAX : 0;
		if (i < 34)
			run->requests.items[i].ext = 0;
	}
	make(TAILBOX__NONE);
	const struct tailbox__failure_group *g =
	        group(TAILBOX__FAILURE_TIMEOUT, 0);
	ck_assert_ptr_null(shared_of(g, TAILBOX__TRAIT_WORKER));
	ck_assert_ptr_null(shared_of(g, TAILBOX__TRAIT_TAG)); /* 3 of 4 */
	teardown();
	setup();
	add_alike();
	for (uint32_t i = 4; i < 100; i++) {
		ext_of(i)->worker = i < 54 ? UINT32_MAX : 0;
		if (i < 34)
			run->requests.items[i].ext = 0;
	}
	make(TAILBOX__NONE);
	g = group(TAILBOX__FAILURE_TIMEOUT, 0);
	ASSERT_SHARE(shared_of(g, TAILBOX__TRAIT_WORKER)->share, 4, 0, 46);
	ASSERT_SHARE(shared_of(g, TAILBOX__TRAIT_TAG)->share, 4, 0, 66);
	ASSERT_SHARE(shared_of(g, TAILBOX__TRAIT_ROUTE)->share, 4, 10, 96);
}
END_TEST

START_TEST(others_are_all_other_requests_bad_ones_too)
{
	for (unsigned i = 0; i < 6; i++) {
		const uint32_t r = bad("/r", i * S, 1000,
		                       i < 3 ? "timeout" : "error");
		wait_in(r, "own", 0, 700, 0);
	}
	add_good(94, "/x", 0, S);
	make(TAILBOX__NONE);
	ASSERT_SHARE(shared_of(group(TAILBOX__FAILURE_TIMEOUT, 0),
	                       TAILBOX__TRAIT_ROUTE)->share,
	             3, 3, 97);
	ASSERT_SHARE(shared_of(group(TAILBOX__FAILURE_ERROR, 0),
	                       TAILBOX__TRAIT_ROUTE)->share,
	             3, 3, 97);
}
END_TEST

START_TEST(nothing_is_shared_when_all_requests_are_in_the_group)
{
	for (unsigned i = 0; i < 50; i++)
		bad("/r", i, 1000, "error");
	make(TAILBOX__NONE);
	ck_assert_uint_eq(group(TAILBOX__FAILURE_ERROR, 0)->count, 50);
	ck_assert_uint_eq(group(TAILBOX__FAILURE_ERROR, 0)->shared_count, 0);
	ck_assert(!group(TAILBOX__FAILURE_ERROR, 0)->moment.is_known);
}
END_TEST

/* --- the moment ----------------------------------------------------------- */

START_TEST(a_burst_is_a_moment)
{
	add_good(100, "/x", 0, S); /* at 0 s, 1 s, ... 99 s */
	for (unsigned i = 0; i < 10; i++)
		bad("/r", 40 * S + i * 500 * MS, 1000, "error");
	make(TAILBOX__NONE);
	const struct tailbox__moment *m =
	        &group(TAILBOX__FAILURE_ERROR, 0)->moment;
	ck_assert(m->is_known);
	ck_assert_uint_eq(m->from_us, 40 * S);
	ck_assert_uint_eq(m->to_us, 44 * S + 500 * MS);
	ASSERT_SHARE(m->share, 10, 5, 100); /* 40 s to 44 s */
}
END_TEST

START_TEST(a_moment_leaves_out_the_stray_ones)
{
	/* From 36 s to 50 s would stand out as well, but four times as long. */
	add_good(100, "/x", 0, S);
	bad("/r", 36 * S, 1000, "error");
	for (unsigned i = 0; i < 8; i++)
		bad("/r", 40 * S + i * 500 * MS, 1000, "error");
	bad("/r", 50 * S, 1000, "error");
	make(TAILBOX__NONE);
	const struct tailbox__moment *m =
	        &group(TAILBOX__FAILURE_ERROR, 0)->moment;
	ck_assert_uint_eq(m->from_us, 40 * S);
	ck_assert_uint_eq(m->to_us, 43 * S + 500 * MS);
	ASSERT_SHARE(m->share, 8, 4, 100);
}
END_TEST

START_TEST(no_moment_where_others_came_at_the_same_time_or_none_is_known)
{
	add_good(60, "/x", 40 * S, 70 * MS);
	add_good(40, "/x", 0, 2 * S);
	for (unsigned i = 0; i < 10; i++)
		bad("/r", 40 * S + i * 400 * MS, 1000, "error");
	make(TAILBOX__NONE);
	ck_assert(!group(TAILBOX__FAILURE_ERROR, 0)->moment.is_known);
	for (uint32_t i = 0; i < 100; i++) /* not comparable: all in it */
		run->requests.items[i].start_us = i < 40 ? 40 * S + i : i * S;
	for (uint32_t i = 0; i < 100; i++)
		run->requests.items[i].end_us =
		        run->requests.items[i].start_us + MS;
	for (uint32_t i = 100; i < 103; i++) /* 7 of 10 are known */
		run->requests.items[i].flags = 0;
	make(TAILBOX__NONE);
	ck_assert(!group(TAILBOX__FAILURE_ERROR, 0)->moment.is_known);
}
END_TEST

START_TEST(spread_failures_have_no_moment)
{
	uint64_t state = 11;

	for (unsigned round = 0; round < 200; round++) {
		add_good(500, "/x", 0, S);
		for (unsigned i = 0; i < 12; i++)
			bad("/r", below(&state, 500 * S), 1000, "error");
		make(TAILBOX__NONE);
		ck_assert(!group(TAILBOX__FAILURE_ERROR, 0)->moment.is_known);
		tailbox__failures_fini(&f);
		again();
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("failures_shared");
	TCase *t = failures_case(s);

	tcase_add_test(t, shared_needs_four_fifths);
	tcase_add_test(t, shared_needs_twice_the_share_of_others);
	tcase_add_test(t, shared_is_not_by_chance);
	tcase_add_test(t, the_chance_is_that_of_fishers_test);
	tcase_add_test(t, what_was_chosen_has_to_be_rarer);
	tcase_add_test(t, what_members_share_is_told_with_the_share_of_others);
	tcase_add_test(t, a_worker_is_shared_when_others_are_not_on_it);
	tcase_add_test(t, the_unknown_counts_against_members_and_not_for_others);
	tcase_add_test(t, others_are_all_other_requests_bad_ones_too);
	tcase_add_test(t, nothing_is_shared_when_all_requests_are_in_the_group);
	tcase_add_test(t, a_burst_is_a_moment);
	tcase_add_test(t, a_moment_leaves_out_the_stray_ones);
	tcase_add_test(
	        t,
	        no_moment_where_others_came_at_the_same_time_or_none_is_known);
	tcase_add_test(t, spread_failures_have_no_moment);
	return sample_run_suite(s);
}
