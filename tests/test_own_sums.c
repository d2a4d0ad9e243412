/* tests/test_own_sums.c - where the time of requests went: along chains of
 * holders, and to waits, to stages and to neither.
 *
 * SPDX-License-Identifier: MIT
 *
 * doc/analysis.md, "Suspects of tailbox's own". What is expected is counted by
 * hand from what is written here.
 */
#include "tests/own_fixture.h"

/* --- chains ------------------------------------------------------------ */

/* 2 waits 900 us behind 1 (300 us), which waited behind 0 (400 us). */
static void chain(void)
{
	again();
	base(20);
	handler(0, "/a", 400);
	handler(1, "/b", 300);
	behind(1, 0, 0);
	behind(2, 1, 900);
}

#define ALL(p, time) (p).of[TAILBOX__OWN_##time].all_us

START_TEST(time_behind_several_is_shared_out_along_the_chain)
{
	struct tailbox__own_part p;

	chain();
	p = sums(); /* the first of its connection: 200 before it was taken */
	ck_assert_uint_eq(ALL(p, INGRESS), 700);
	ck_assert_uint_eq(ALL(p, ACCEPT), 200);
	ck_assert_uint_eq(ALL(p, BEHIND_BARE), 700);
	ck_assert_uint_eq(p.waits, 1);
	ck_assert_uint_eq(p.holders, 2);
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_HOLDER], "/a"));
	/* Directly behind /b, but what it waited for was /a. */
	ck_assert_uint_eq(behind_count, 1);
	run->requests.items[2].start_us += 1;
	ext(3)->connection = 3; /* has one more, which is later */
	ck_assert_uint_eq(ALL(sums(), ACCEPT), 200);
	ext(0)->connection = 3; /* has one before */
	p = sums();
	ck_assert_uint_eq(ALL(p, INGRESS), 900);
	ck_assert_uint_eq(ALL(p, ACCEPT), 0);
	ck_assert_uint_eq(ALL(p, BEHIND_BARE), 900);
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_HOLDER], "/a"));
	ext(2)->connection = 0; /* not known */
	ck_assert_uint_eq(ALL(sums(), ACCEPT), 0);
}
END_TEST

START_TEST(who_waits_behind_a_route_did_so_for_a_time)
{
	chain();
	handler(0, "/a", 900);
	handler(1, "/b", 0);
	behind_route = "/b";
	sums();
	ck_assert_uint_eq(behind_count, 0);
	handler(1, "/b", 1);
	sums();
	ck_assert_uint_eq(behind_count, 1);
	behind_route = "/a";
	sums();
	ck_assert_uint_eq(behind_count, 1);
	handler(0, "/a", 0); /* the rest is its wait to be accepted */
	sums();
	ck_assert_uint_eq(behind_count, 0);
	ext(2)->connection = 0;
	sums();
	ck_assert_uint_eq(behind_count, 1);
	behind_route = NULL;
}
END_TEST

START_TEST(the_rest_is_behind_the_first_of_the_chain)
{
	chain();
	handler(0, "/a", 100);
	ext(2)->connection = 0; /* 500 are left, none of them to be accepted */
	ck_assert(is_name(sums().top[TAILBOX__OWN_BY_HOLDER], "/a"));
}
END_TEST

START_TEST(names_and_lines_are_those_of_slow_requests)
{
	struct tailbox__own_part p;

	/* Of 40 the last two are the slow ones: p95 is the 39th. */
	for (uint32_t i = 0; i < 40; i++) {
		add_request("/r", i * 1000, i < 38 ? 900 : 1000);
		ext(i)->connection = 0;
	}
	handler(0, "/fast", 1000);
	add_queue(0, 0, 500, NONE);
	handler(1, "/slow", 500);
	for (uint32_t i = 2; i < 38; i++)
		behind(i, 0, 800);
	behind(38, 1, 450);
	behind(39, 1, 450);
	p = sums();
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_HOLDER], "/slow"));
	ck_assert_uint_eq(p.top[TAILBOX__OWN_BY_WAIT], 0);
	ck_assert_uint_eq(p.waits, 2);
	ck_assert_uint_eq(p.holders, 2);
	ck_assert_uint_eq(behind_count, 2);
	/* T = 900 / 2000; C = 29700 waited and 500 + 500 held, unmarked,
	 * of 36200. */
	ck_assert_uint_eq(score_of(BLOCKED), 24 + 40 + 848 / 35 + 3);
	/* Two that wait are too few to tell; what was done meanwhile is. Own:
	 * 500 of those that held; behind: 900. */
	for (uint32_t i = 2; i < 38; i++)
		ext(i)->phase_ns[TAILBOX__PHASE_INGRESS] = NONE;
	ext(0)->phase_ns[TAILBOX__PHASE_HANDLER] = NONE;
	for (uint32_t i = 0; i < 5; i++) {
		sample(i * 1000);
		value(i, TAILBOX__METRIC_WORKER_STATE, 0, 'R');
		value(i, TAILBOX__METRIC_WORKER_HELD_US, 0, 1000);
	}
	ck_assert_uint_eq(score_of(TAILBOX__SUSPECT_SPINNING),
	                  24 + 40 + 1400 * 1000 / 36200 / 35);
}
END_TEST

START_TEST(a_wait_that_the_last_holder_covers_goes_no_further)
{
	struct tailbox__own_part p;

	chain();
	behind(2, 1, 300);
	p = sums();
	ck_assert_uint_eq(ALL(p, INGRESS), 300);
	ck_assert_uint_eq(ALL(p, ACCEPT), 0);
	ck_assert_uint_eq(p.holders, 1);
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_HOLDER], "/b"));
	behind(2, 1, 0);
	p = sums();
	ck_assert_uint_eq(p.waits, 0);
	ck_assert_uint_eq(p.of[TAILBOX__OWN_INGRESS].count, 0);
}
END_TEST

START_TEST(where_the_chain_breaks_the_rest_is_behind_what_broke_it)
{
	struct tailbox__own_part p;

	chain();
	ext(1)->holder_number = 999; /* is not in the run */
	ext(1)->holder_route = tailbox__run_cstr(run, "/gone");
	p = sums();
	ck_assert_uint_eq(ALL(p, INGRESS), 900);
	ck_assert_uint_eq(ALL(p, ACCEPT), 0);
	ck_assert_uint_eq(p.holders, 1);
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_HOLDER], "/gone"));
	/* The handler time of the first one is not known. */
	chain();
	ext(0)->phase_ns[TAILBOX__PHASE_HANDLER] = NONE;
	p = sums();
	ck_assert_uint_eq(ALL(p, INGRESS), 900);
	ck_assert_uint_eq(ALL(p, ACCEPT), 0);
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_HOLDER], "/a"));
}
END_TEST

START_TEST(a_wait_without_a_holder_is_one_to_be_accepted)
{
	struct tailbox__own_part p;

	base(20);
	for (uint32_t i = 0; i < 4; i++)
		phase(i, TAILBOX__PHASE_INGRESS, 1000);
	p = sums();
	ck_assert_uint_eq(ALL(p, ACCEPT), 4000);
	ck_assert_uint_eq(p.of[TAILBOX__OWN_ACCEPT].count, 4);
	ck_assert_uint_eq(ALL(p, INGRESS), 0);
	ck_assert_uint_eq(p.waits, 0);
	analyze();
	EXPECT_LIKELY(TAILBOX__SUSPECT_ACCEPT);
	ck_assert_uint_eq(suspect(TAILBOX__SUSPECT_ACCEPT)->score,
	                  24 + 18 + 5);
	EXPECT_OUT(BLOCKED, "0.0% of slow requests' time waiting");
}
END_TEST

START_TEST(a_chain_has_an_end)
{
	struct tailbox__own_part p;

	base(400);
	for (uint32_t i = 0; i < 399; i++) {
		handler(i, i < 334 ? "/far" : "/near", 1);
		if (i > 0)
			behind(i, i - 1, 0);
	}
	behind(399, 398, 1000);
	p = sums(); /* 64 links, from 398 down to 335; 334 would be next */
	ck_assert_uint_eq(p.holders, 64);
	ck_assert_uint_eq(ALL(p, INGRESS), 1000);
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_HOLDER], "/near"));
	handler(334, "/far", 1);
	behind(335, 334, 0);
	ck_assert(is_name(sums().top[TAILBOX__OWN_BY_HOLDER], "/far"));
}
END_TEST

START_TEST(rings_are_no_chains)
{
	struct tailbox__own_part p;

	base(20);
	handler(0, "/a", 10);
	handler(1, "/b", 10);
	behind(1, 1, 1000); /* itself */
	p = sums();
	ck_assert_uint_eq(p.holders, 0);
	ck_assert_uint_eq(ALL(p, INGRESS), 1000);
	ck_assert_uint_eq(ALL(p, BARE_HELD), 0);
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_HOLDER], "/b"));
	behind(1, 0, 1000); /* and 0 behind 1 */
	behind(0, 1, 0);
	p = sums();
	ck_assert_uint_eq(p.holders, 1);
	ck_assert_uint_eq(ALL(p, INGRESS), 1000);
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_HOLDER], "/b"));
	ext(5)->number = 0; /* of no number: nobody's holder */
	ext(5)->holder_number = 1;
	phase(5, TAILBOX__PHASE_INGRESS, 10);
	ck_assert_uint_eq(sums().holders, 2);
}
END_TEST

/* --- handler time: waits, stages, bare --------------------------------- */

#define EXPECT_SPLIT(waits, stages, bare)                                      \
	do {                                                                   \
		const struct tailbox__own_part p_ = sums();                    \
		ck_assert_uint_eq(ALL(p_, WAITS), waits);                      \
		ck_assert_uint_eq(ALL(p_, STAGES), stages);                    \
		ck_assert_uint_eq(ALL(p_, BARE), bare);                        \
	} while (0)

START_TEST(handler_time_is_waits_then_stages_then_bare)
{
	base(20);
	handler(0, "/a", 800);
	EXPECT_SPLIT(0, 0, 800);
	add_queue(0, 100, 300, NONE);
	EXPECT_SPLIT(200, 0, 600);
	add_stage(0, "db", 50, 350); /* around it */
	EXPECT_SPLIT(200, 100, 500);
	add_stage(0, "beside", 400, 600);
	EXPECT_SPLIT(200, 300, 300);
	add_queue(0, 550, 700, NONE); /* half in, half out */
	EXPECT_SPLIT(350, 250, 200);
	handler(0, "/a", 600);
	EXPECT_SPLIT(350, 250, 0);
	handler(0, "/a", 599);
	EXPECT_SPLIT(350, 250, 0);
	ext(0)->phase_ns[TAILBOX__PHASE_HANDLER] = NONE;
	EXPECT_SPLIT(350, 250, 0);
}
END_TEST

START_TEST(waits_for_a_worker_are_none_of_the_handler)
{
	struct tailbox__run_span *s;

	base(20);
	handler(0, "/a", 800);
	s = add_queue(0, 0, 500, NONE);
	s->name = tailbox__run_cstr(run, "mhd.ingress");
	EXPECT_SPLIT(0, 0, 800);
	s->name = tailbox__run_str(run, "mhd.ingress\0x", 13);
	EXPECT_SPLIT(500, 0, 300);
	s->name = tailbox__run_cstr(run, "mhd.ingres");
	EXPECT_SPLIT(500, 0, 300);
}
END_TEST

START_TEST(durations_alone_count_as_far_as_they_go)
{
	struct tailbox__run_span *s;

	base(20);
	handler(0, "/a", 800);
	add_queue(0, 100, 300, NONE);
	s = add_stage(0, "db", 0, 100);
	s->flags = 0;
	EXPECT_SPLIT(200, 100, 500);
	s->dur_us = 5000; /* not above the latency */
	EXPECT_SPLIT(200, 800, 0);
	/* A wait whose duration and interval contradict each other. */
	s->dur_us = 5;
	run->queues.items[0].dur_us = 1;
	EXPECT_SPLIT(200, 0, 600);
	run->queues.items[0].end_us = run->queues.items[0].start_us;
	EXPECT_SPLIT(0, 6, 794);
}
END_TEST

START_TEST(time_behind_a_holder_is_what_that_was_in)
{
	struct tailbox__own_part p;

	base(20);
	handler(0, "/h", 1000);
	add_queue(0, 0, 300, NONE);
	add_stage(0, "db", 300, 500);
	behind(1, 0, 500);
	p = sums();
	ck_assert_uint_eq(ALL(p, BEHIND_WAIT), 150);
	ck_assert_uint_eq(ALL(p, BEHIND_STAGE), 100);
	ck_assert_uint_eq(ALL(p, BEHIND_BARE), 250);
	ck_assert_uint_eq(ALL(p, BARE_HELD), 500);
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_WAIT], "pool"));
	ck_assert(is_name(p.top[TAILBOX__OWN_BY_STAGE], "db"));
	behind(1, 0, 3); /* rounded down, the rest is bare */
	p = sums();
	ck_assert_uint_eq(ALL(p, BEHIND_WAIT), 0);
	ck_assert_uint_eq(ALL(p, BEHIND_BARE), 3);
}
END_TEST

START_TEST(of_equal_ones_the_lower_name_is_the_longest)
{
	for (unsigned turn = 0; turn < 2; turn++) {
		again();
		base(20);
		handler(0, "/h", 1000);
		add_stage(0, turn ? "b" : "a", 0, 300);
		add_stage(0, turn ? "a" : "b", 300, 600);
		add_stage(0, "0", 600, 899);
		behind(1, 0, 1000);
		ck_assert(is_name(sums().top[TAILBOX__OWN_BY_STAGE], "a"));
		handler(2, turn ? "/x" : "/y", 700);
		handler(3, turn ? "/y" : "/x", 700);
		sums();
		ck_assert(is_name(bare_route, "/x"));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("own_sums");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, time_behind_several_is_shared_out_along_the_chain);
	tcase_add_test(t, who_waits_behind_a_route_did_so_for_a_time);
	tcase_add_test(t, the_rest_is_behind_the_first_of_the_chain);
	tcase_add_test(t, names_and_lines_are_those_of_slow_requests);
	tcase_add_test(t, a_wait_that_the_last_holder_covers_goes_no_further);
	tcase_add_test(
	        t, where_the_chain_breaks_the_rest_is_behind_what_broke_it);
	tcase_add_test(t, a_wait_without_a_holder_is_one_to_be_accepted);
	tcase_add_test(t, a_chain_has_an_end);
	tcase_add_test(t, rings_are_no_chains);
	tcase_add_test(t, handler_time_is_waits_then_stages_then_bare);
	tcase_add_test(t, waits_for_a_worker_are_none_of_the_handler);
	tcase_add_test(t, durations_alone_count_as_far_as_they_go);
	tcase_add_test(t, time_behind_a_holder_is_what_that_was_in);
	tcase_add_test(t, of_equal_ones_the_lower_name_is_the_longest);
	suite_add_tcase(s, t);
	return sample_run_suite(s);
}
