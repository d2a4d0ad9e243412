/* tests/test_analyze_routes.c - which routes are told, and what of them.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 12, each rule at its edge.
 */
#include "tests/analyze_fixture.h"

#define A TAILBOX__SUSPECT_QUEUE
#define B TAILBOX__SUSPECT_BLOCKING
#define C TAILBOX__SUSPECT_EXECUTOR
#define D TAILBOX__SUSPECT_DOWNSTREAM
#define NONE TAILBOX__NONE
#define W9 "routes have different primary suspects"
#define R1 "belong to the whole server"
#define R2 "routes with fewer than 3 requests"

/* n requests of a route, one after the other. */
static void add_route(const char *route, unsigned n, uint64_t latency)
{
	for (unsigned i = 0; i < n; i++)
		add_request(route, run->requests.count * 10000, latency);
}

static const char *route_name(size_t i)
{
	ck_assert_uint_lt(i, rep.routes.count);
	return tailbox__run_text(run, rep.routes.items[i].route, NULL);
}

START_TEST(two_routes_need_three_requests_each)
{
	for (unsigned n = 2; n <= 3; n++) {
		again();
		add_route("/slow", n, 9000);
		add_route("/fast", 3, 1000);
		analyze();
		ck_assert_uint_eq(rep.routes.count, n < 3 ? 0 : 2);
	}
	ck_assert_str_eq(route_name(0), "/slow");
	ck_assert_uint_eq(rep.routes.items[0].slice.request_count, 3);
	ck_assert_uint_eq(rep.routes.items[0].slice.p50_us, 9000);
	ck_assert_uint_eq(rep.routes.items[1].slice.p99_us, 1000);
	o.v[TAILBOX__OPT_ROUTE_MIN_REQUESTS] = 4;
	analyze();
	ck_assert_uint_eq(rep.routes.count, 0);
	/* One alone is not told, though it would be as slow as itself. */
	add_route("/slow", 1, 9000);
	o.v[TAILBOX__OPT_ROUTE_FASTEST_NUM] = 1;
	o.v[TAILBOX__OPT_ROUTE_FASTEST_DEN] = 1;
	analyze();
	ck_assert_uint_eq(rep.routes.count, 0);
	o.v[TAILBOX__OPT_ROUTE_MIN_REQUESTS] = 0;
	analyze();
	ck_assert_uint_eq(rep.routes.count, 2);
}
END_TEST

START_TEST(the_slowest_against_the_fastest_is_3_to_2)
{
	for (uint64_t slow = 1499; slow <= 1500; slow++) {
		again();
		add_route("/a", 3, 1000);
		add_route("/b", 3, slow);
		add_route("/c", 3, 1200);
		analyze();
		ck_assert_uint_eq(rep.routes.count, slow < 1500 ? 0 : 3);
	}
	again(); /* one that takes no time */
	add_route("/a", 3, 0);
	add_route("/b", 3, 100);
	analyze();
	ck_assert_uint_eq(rep.routes.count, 0);
}
END_TEST

START_TEST(the_slowest_against_the_whole_is_5_to_4)
{
	/* 3 of 100 are above the p95 of the whole. */
	for (uint64_t slow = 1249; slow <= 1250; slow++) {
		again();
		add_route("/slow", 3, slow);
		add_route("/a", 97, 1000);
		analyze();
		ck_assert_uint_eq(rep.whole.p95_us, 1000);
		ck_assert_uint_eq(rep.routes.count, slow < 1250 ? 0 : 2);
	}
	o.v[TAILBOX__OPT_ROUTE_GLOBAL_NUM] = 6;
	analyze();
	ck_assert_uint_eq(rep.routes.count, 0);
}
END_TEST

/* As many requests as a letter says of each route: waits, stages, nothing. */
static void add_divergent(const char *route, char what, unsigned n,
                          uint64_t latency)
{
	for (unsigned i = 0; i < n; i++) {
		const uint32_t r = add_request(
		        route, run->requests.count * 10000, latency);
		if (what == 'A')
			add_queue(r, 0, latency / 2, NONE);
		else if (what == 'D')
			add_stage(r, "db", 0, latency / 2);
	}
}

START_TEST(different_suspects_are_told_if_that_is_wanted)
{
	add_divergent("/a", 'A', 3, 1000);
	add_divergent("/b", 'D', 3, 1000);
	analyze();
	ck_assert_uint_eq(rep.routes.count, 2);
	ck_assert_int_eq(rep.routes.items[0].slice.suspects[0].kind, A);
	ck_assert_int_eq(rep.routes.items[1].slice.suspects[0].kind, D);
	ck_assert(tells(&rep.whole.warnings, W9));
	o.v[TAILBOX__OPT_ROUTE_ON_DIVERGENT] = 0;
	analyze();
	ck_assert_uint_eq(rep.routes.count, 0);
	ck_assert(!tells(&rep.whole.warnings, W9));
	/* Told for another reason, the warning still depends on it. */
	add_divergent("/c", 'D', 3, 9000);
	analyze();
	ck_assert_uint_eq(rep.routes.count, 3);
	ck_assert(!tells(&rep.whole.warnings, W9));
	o.v[TAILBOX__OPT_ROUTE_ON_DIVERGENT] = 1;
	analyze();
	ck_assert(tells(&rep.whole.warnings, W9));
}
END_TEST

START_TEST(routes_are_sorted_by_p95_count_and_name_and_cut)
{
	add_route("/z", 3, 9000);
	add_route("/b", 4, 5000);
	add_route("/c", 5, 5000);
	add_route("/bb", 4, 5000);
	add_route("/a", 9, 1000);
	analyze();
	static const char *const want[] = { "/z", "/c", "/b", "/bb", "/a" };
	ck_assert_uint_eq(rep.routes.count, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++)
		ck_assert_str_eq(route_name(i), want[i]);
	o.v[TAILBOX__OPT_ROUTE_LIMIT] = 3;
	analyze();
	ck_assert_uint_eq(rep.routes.count, 3);
	ck_assert_str_eq(route_name(2), "/b");
}
END_TEST

START_TEST(the_warning_is_about_the_routes_that_are_kept)
{
	add_divergent("/a", 'A', 3, 3000);
	add_divergent("/b", 'A', 3, 2000);
	add_divergent("/c", 'D', 3, 1000);
	o.v[TAILBOX__OPT_ROUTE_LIMIT] = 2;
	analyze();
	ck_assert_uint_eq(rep.routes.count, 2);
	ck_assert(!tells(&rep.whole.warnings, W9));
	o.v[TAILBOX__OPT_ROUTE_LIMIT] = 3;
	analyze();
	ck_assert(tells(&rep.whole.warnings, W9));
}
END_TEST

START_TEST(a_route_has_its_events_no_samples_and_the_losses_of_the_run)
{
	add_divergent("/a", 'A', 20, 1000);
	add_divergent("/b", 'D', 20, 1000);
	run->stages.items[0].flags |= TAILBOX__PARTIAL;
	add_snapshots(3, 9, 9, 9, 0);
	add_growth();
	run->truncation.dropped_stages = 5;
	run->requests.items[0].flags = 0; /* a summary, of the whole only */
	analyze();
	ck_assert_uint_eq(rep.routes.count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct tailbox__report_slice *s =
		        &rep.routes.items[i].slice;

		ck_assert_uint_eq(s->quality.requests, 20);
		ck_assert_uint_eq(s->quality.queues, i == 0 ? 20 : 0);
		ck_assert_uint_eq(s->quality.stages, i == 0 ? 0 : 20);
		ck_assert_uint_eq(s->quality.snapshots, 0);
		ck_assert_uint_eq(s->quality.inflight, 0);
		ck_assert_ptr_null(find_in(s, B));
		ck_assert_ptr_null(find_in(s, C));
		if (i == 0)
			EXPECT_TEXTS(&s->warnings, "a limit of the capture",
			             "5 stages were dropped",
			             "no samples of the runtime", R1);
		else /* D of 24 + 45 + 14 + 3 is excused */
			EXPECT_TEXTS(&s->warnings, "a limit of the capture",
			             "5 stages were dropped", R1);
		ck_assert(!tells(&s->quality.limitations, "cleaned up"));
		/* No growth either: there are no gauges. */
		ck_assert(!tells(&s->suspects[0].evidence, "in flight"));
	}
	ck_assert(!tells(&rep.routes.items[0].slice.quality.limitations,
	                 "unfinished"));
	ck_assert(tells(&rep.routes.items[1].slice.quality.limitations,
	                "stages: 19 finished, 1 not"));
}
END_TEST

START_TEST(rare_routes_are_left_out_which_all_are_told)
{
	add_route("/slow", 3, 9000);
	add_route("/fast", 3, 1000);
	add_route("/rare", 2, 90000);
	analyze();
	ck_assert_uint_eq(rep.routes.count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct tailbox__texts *w =
		        &rep.routes.items[i].slice.warnings;
		ck_assert_uint_ge(w->count, 2);
		ck_assert(strstr(w->items[w->count - 2], R1) != NULL);
		ck_assert(strstr(w->items[w->count - 1], R2) != NULL);
	}
	add_route("/rare", 1, 90000);
	analyze();
	ck_assert_uint_eq(rep.routes.count, 3);
	ck_assert(!tells(&rep.routes.items[0].slice.warnings, R2));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze_routes");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, two_routes_need_three_requests_each);
	tcase_add_test(t, the_slowest_against_the_fastest_is_3_to_2);
	tcase_add_test(t, the_slowest_against_the_whole_is_5_to_4);
	tcase_add_test(t, different_suspects_are_told_if_that_is_wanted);
	tcase_add_test(t, routes_are_sorted_by_p95_count_and_name_and_cut);
	tcase_add_test(t, the_warning_is_about_the_routes_that_are_kept);
	tcase_add_test(
	        t, a_route_has_its_events_no_samples_and_the_losses_of_the_run);
	tcase_add_test(t, rare_routes_are_left_out_which_all_are_told);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
