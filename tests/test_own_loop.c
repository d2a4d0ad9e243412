/* tests/test_own_loop.c - the event loop that sleeps with requests before it.
 *
 * SPDX-License-Identifier: MIT
 *
 * doc/analysis.md, "The event loop's sleep". 20 requests of 1000 us are 20000
 * us in all, and all of them are slow ones: with 5000 us more that were waited
 * those are 200 of 1000.
 */
#include <errno.h>

#include "core/alloc.h"
#include "tests/own_fixture.h"

#define LOOP TAILBOX__SUSPECT_LOOP
#define METRIC(name) TAILBOX__METRIC_##name

/* A look at a worker of 200 connections; unserved NONE: not known. */
static void looked(uint32_t worker, uint64_t at_us, uint64_t unserved)
{
	const uint32_t s = sample(at_us);

	value(s, METRIC(WORKER_CONNECTIONS), worker, 200);
	if (unserved != NONE)
		value(s, METRIC(WORKER_READY), worker, unserved);
}

/* Looks of worker 0, so far apart, the first at 0. */
static void looks(unsigned n, uint64_t step_us, uint64_t unserved)
{
	again();
	base(20);
	for (unsigned i = 0; i < n; i++)
		looked(0, i * step_us, unserved);
	analyze();
}

START_TEST(below_128_connections_on_a_worker_it_cannot_be)
{
	base(20);
	sample(0);
	analyze();
	EXPECT_CANNOT(LOOP, "connections of workers were not sampled");
	value(0, METRIC(WORKER_CONNECTIONS), 0, 127);
	value(0, METRIC(WORKER_CONNECTIONS), 1, 3);
	analyze();
	EXPECT_OUT(LOOP, "max 127 of 128 on a worker");
	for (uint32_t n = 128; n <= 129; n++) {
		value(0, METRIC(WORKER_CONNECTIONS), n, n);
		analyze();
		EXPECT_CANNOT(LOOP, "no sample has the requests before a "
		                    "sleeping worker");
	}
}
END_TEST

START_TEST(it_is_told_from_64_unserved_requests_on)
{
	static const uint64_t enough[] = { 64,  65,  127, 128,
		                           129, 255, 256, 257 };

	looks(3, 1000, 0);
	EXPECT_OUT(LOOP, "at most 0 requests ready while a worker slept");
	looks(3, 1000, 63);
	EXPECT_OUT(LOOP, "at most 63 requests ready while a worker slept");
	for (size_t i = 0; i < sizeof(enough) / sizeof(enough[0]); i++) {
		looks(3, 1000, enough[i]);
		EXPECT_LIKELY(LOOP);
		ck_assert_uint_eq(figure(LOOP, "unserved_max"), enough[i]);
		ck_assert_uint_eq(figure(LOOP, "waited_us"), 2000 * enough[i]);
	}
}
END_TEST

START_TEST(one_sample_of_it_tells_nothing)
{
	looks(1, 1000, 128);
	EXPECT_CANNOT(LOOP, "128 requests unserved in only 1 of 1 samples");
	looked(0, 1000, 0);
	looked(0, 2000, NONE);
	analyze();
	EXPECT_CANNOT(LOOP, "128 requests unserved in only 1 of 3 samples");
	looked(0, 3000, 128);
	analyze();
	EXPECT_LIKELY(LOOP);
	ck_assert_uint_eq(figure(LOOP, "samples"), 4);
	ck_assert_uint_eq(figure(LOOP, "samples_so"), 2);
}
END_TEST

START_TEST(it_is_told_from_a_fifth_of_the_slow_requests_time)
{
	base(20);
	looked(0, 0, 0);
	looked(0, 25, 100);
	looked(0, 50, 100); /* 100 requests for 50 us */
	ck_assert_uint_eq(score_of(LOOP), 24 + 18 + 5);
	ck_assert_uint_eq(figure(LOOP, "tail_permille"), 200);
	ck_assert_uint_eq(figure(LOOP, "waited_us"), 5000);
	run->snapshots.items[2].at_us = 49;
	analyze();
	EXPECT_OUT(LOOP, "19.6% of slow requests' time");
	/* What is not slow counts for C alone: 30 of 1000 us, 470 of 10. */
	again();
	base(500);
	for (uint32_t i = 30; i < 500; i++) {
		run->requests.items[i].latency_us = 10;
		run->requests.items[i].end_us =
		        run->requests.items[i].start_us + 10;
	}
	looked(0, 0, 0);
	looked(0, 100, 100);
	looked(0, 200, 100); /* 20000 us */
	/* 20000 of 50000, and of 54700 */
	ck_assert_uint_eq(score_of(LOOP), 24 + 400 / 11 + 365 / 35);
}
END_TEST

START_TEST(only_with_20_samples_it_is_certain)
{
	/* 128 requests for 18 * 100 ms, for 19: nearly all of the time. */
	looks(19, 100000, 128);
	ck_assert_uint_eq(suspect(LOOP)->score, 95);
	looks(20, 100000, 128);
	ck_assert_uint_eq(suspect(LOOP)->score, 100);
	ck_assert_int_eq(rep.verdict, TAILBOX__REPORT_LIKELY);
	ck_assert_int_eq(rep.whole.suspects[0].kind, LOOP);
	/* T is 959 at most: W = 20000 * 959 / 41 */
	looks(20, 192, 128);
	ck_assert_uint_eq(figure(LOOP, "tail_permille"), 958);
	ck_assert_uint_eq(suspect(LOOP)->score, 95);
	looks(20, 198, 128);
	ck_assert_uint_eq(figure(LOOP, "tail_permille"), 960);
	ck_assert_uint_eq(suspect(LOOP)->score, 100);
}
END_TEST

START_TEST(a_stretch_is_of_one_worker_and_without_a_gap)
{
	static const struct {
		uint32_t worker;
		uint64_t at_us, unserved;
	} all[] = {
		{ 1, 0, 128 },     { 1, 10000, 128 }, { 1, 20000, 0 },
		{ 1, 30000, 128 }, { 1, 70000, 256 }, { 1, 75000, 130 },
		{ 1, 80000, NONE }, { 1, 90000, 128 }, { 2, 100000, 128 },
	};

	base(20);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		looked(all[i].worker, all[i].at_us, all[i].unserved);
	analyze();
	ck_assert_uint_eq(figure(LOOP, "longest_us"), 45000);
	ck_assert_uint_eq(figure(LOOP, "samples_so"), 7);
	ck_assert_uint_eq(figure(LOOP, "waited_us"),
	                  128 * 10000 + 128 * 10000 + 256 * 40000 +
	                          130 * 5000 + 128 * 10000);
	ck_assert_uint_eq(figure(LOOP, "connections_max"), 200);
	/* A look at a time that is not known belongs to no stretch. */
	run->snapshots.items[4].flags = 0;
	analyze();
	ck_assert_uint_eq(figure(LOOP, "longest_us"), 45000);
	ck_assert_uint_eq(figure(LOOP, "waited_us"),
	                  128 * 10000 + 128 * 10000 + 130 * 45000 +
	                          128 * 10000);
}
END_TEST

START_TEST(what_it_says_has_the_figures)
{
	looks(21, 100000, 128);
	ck_assert_str_eq(suspect(LOOP)->title,
	                 "the event loop sleeps with 128 requests ready");
	EXPECT_TEXTS(
		&suspect(LOOP)->evidence,
		"a worker slept with up to 128 requests unserved in 21 of 21 "
		"samples, 2.00 s at a stretch (samples are 100 ms apart)",
		"clients waited 256 s for it in all, which no request shows: "
		"99.9% of slow requests' time with it",
		"MHD's epoll loop sleeps when exactly 128 events or a multiple "
		"are ready; a worker had up to 200 connections");
	ck_assert_uint_eq(suspect(LOOP)->next_checks.count, 3);
	ck_assert(tells(&suspect(LOOP)->next_checks,
	                "fewer than 128 connections on a worker"));
}
END_TEST

/* 40 requests; the slow ones waited behind a hold, all that is recorded. */
static void behind_and_asleep(uint64_t step_us)
{
	again();
	base(40);
	handler(0, "/slow", 1000);
	for (uint32_t i = 1; i < 40; i++)
		behind(i, 0, 1000);
	for (unsigned i = 0; i < 3; i++)
		looked(0, i * step_us, i == 0 ? 0 : 100);
	analyze();
	EXPECT_LIKELY(LOOP);
	EXPECT_LIKELY(TAILBOX__SUSPECT_WORKER_BLOCKED);
}

START_TEST(it_goes_before_less_waiting_for_a_held_worker)
{
	const struct tailbox__suspect *held;

	behind_and_asleep(200); /* 40000 us of 80000 */
	held = suspect(TAILBOX__SUSPECT_WORKER_BLOCKED);
	ck_assert_uint_eq(figure(LOOP, "tail_permille"), 500);
	ck_assert_int_eq(held->explained_by, LOOP);
	ck_assert(tells(&held->notes, "which no request shows"));
	ck_assert_int_eq(rep.whole.suspects[0].kind, LOOP);
	behind_and_asleep(199);
	held = suspect(TAILBOX__SUSPECT_WORKER_BLOCKED);
	ck_assert_uint_eq(figure(LOOP, "tail_permille"), 498);
	ck_assert_int_eq(held->explained_by, TAILBOX__SUSPECT_COUNT);
	ck_assert_int_eq(rep.whole.suspects[0].kind,
	                 TAILBOX__SUSPECT_WORKER_BLOCKED);
}
END_TEST

START_TEST(huge_figures_saturate)
{
	looks(3, UINT64_MAX / 4, UINT64_MAX - 1);
	ck_assert_uint_eq(figure(LOOP, "waited_us"), UINT64_MAX);
	ck_assert_uint_eq(figure(LOOP, "tail_permille"), 999);
}
END_TEST

/* Neither the order of the samples nor the numbers of workers matter. */
START_TEST(order_and_numbers_of_workers_do_not_matter)
{
	enum { N = 40 };
	uint64_t want[3], state = 7;

	for (unsigned round = 0; round < 20; round++) {
		unsigned order[N];

		again();
		base(20);
		for (unsigned i = 0; i < N; i++)
			order[i] = i;
		for (unsigned i = N - 1; round > 0 && i > 0; i--) {
			const unsigned k =
			        (unsigned)(next_random(&state) % (i + 1));
			const unsigned was = order[i];

			order[i] = order[k];
			order[k] = was;
		}
		for (unsigned i = 0; i < N; i++)
			looked((order[i] % 3 + round) * 7,
			       order[i] * 1000u + order[i] % 7,
			       order[i] % 5 ? 120 + order[i] : 3);
		analyze();
		const uint64_t have[3] = { figure(LOOP, "waited_us"),
			                   figure(LOOP, "longest_us"),
			                   suspect(LOOP)->score };
		if (round == 0)
			memcpy(want, have, sizeof(want));
		ck_assert_mem_eq(want, have, sizeof(want));
	}
}
END_TEST

START_TEST(without_memory_it_is_reported_and_leaks_nothing)
{
	int rc;
	long n = 0;

	do {
		again();
		base(20);
		for (unsigned i = 0; i < 4; i++)
			looked(0, i * 1000, 128);
		const long live = tailbox__alloc_live();
		tailbox__alloc_fail_after(n++);
		rc = tailbox__analyze(run, &o, false, &rep);
		tailbox__alloc_fail_after(-1);
		if (rc != 0) {
			ck_assert_int_eq(rc, -ENOMEM);
			tailbox__report_fini(&rep);
			ck_assert_int_eq(tailbox__alloc_live(), live);
		}
	} while (rc != 0);
	EXPECT_LIKELY(LOOP);
	ck_assert_int_gt(n, 20);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("own_loop");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, below_128_connections_on_a_worker_it_cannot_be);
	tcase_add_test(t, it_is_told_from_64_unserved_requests_on);
	tcase_add_test(t, one_sample_of_it_tells_nothing);
	tcase_add_test(t, it_is_told_from_a_fifth_of_the_slow_requests_time);
	tcase_add_test(t, only_with_20_samples_it_is_certain);
	tcase_add_test(t, a_stretch_is_of_one_worker_and_without_a_gap);
	tcase_add_test(t, what_it_says_has_the_figures);
	tcase_add_test(t, it_goes_before_less_waiting_for_a_held_worker);
	tcase_add_test(t, huge_figures_saturate);
	tcase_add_test(t, order_and_numbers_of_workers_do_not_matter);
	tcase_add_test(t, without_memory_it_is_reported_and_leaks_nothing);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
