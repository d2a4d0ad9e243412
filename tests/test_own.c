/* tests/test_own.c - suspects of ours from the phases of requests.
 *
 * SPDX-License-Identifier: MIT
 *
 * doc/analysis.md, "Suspects of tailbox's own". What is expected is counted by
 * hand from what is written here.
 */
#include "tests/own_fixture.h"

#define BLOCKED TAILBOX__SUSPECT_WORKER_BLOCKED

/* --- scores and single phases ------------------------------------------ */

START_TEST(a_score_adds_up_and_is_capped_unless_all_points_the_same_way)
{
	ck_assert_uint_eq(tailbox__own_score(0, 0, 0), 24);
	ck_assert_uint_eq(tailbox__own_score(11, 0, 0), 25);
	ck_assert_uint_eq(tailbox__own_score(10, 35, 0), 25);
	ck_assert_uint_eq(tailbox__own_score(10, 34, 7), 24);
	ck_assert_uint_eq(tailbox__own_score(10, 34, 8), 25);
	ck_assert_uint_eq(tailbox__own_score(500, 100, 100), 24 + 45 + 2 + 8);
	ck_assert_uint_eq(tailbox__own_score(960, 920, 20), 100);
	ck_assert_uint_eq(tailbox__own_score(959, 920, 20), 95);
	ck_assert_uint_eq(tailbox__own_score(960, 919, 20), 95);
	ck_assert_uint_eq(tailbox__own_score(960, 920, 19), 95);
	ck_assert_uint_eq(tailbox__own_score(NONE, NONE, 0), 95);
}
END_TEST

static const struct {
	enum tailbox__suspect_kind kind;
	enum tailbox__phase phase;
} phases[] = {
	{ TAILBOX__SUSPECT_UPLOAD, TAILBOX__PHASE_BODY },
	{ TAILBOX__SUSPECT_DOWNLOAD, TAILBOX__PHASE_SEND },
	{ TAILBOX__SUSPECT_RESUME, TAILBOX__PHASE_RESUME },
};

/* So much of a phase over the first n of 20 requests. */
static void spread(size_t which, uint32_t n, uint64_t us)
{
	again();
	base(20);
	for (uint32_t i = 0; i < n; i++) {
		phase(i, phases[which].phase, us / n + (i == 0 ? us % n : 0));
		ext(i)->bytes_out = 16384;
	}
}

START_TEST(a_phase_is_told_from_a_fifth_of_the_time_in_three_requests)
{
	for (size_t k = 0; k < COUNT(phases); k++) {
		const enum tailbox__suspect_kind kind = phases[k].kind;

		spread(k, 4, 3999);
		analyze();
		EXPECT_OUT(kind, "19.9% of slow requests' time");
		spread(k, 4, 4000);
		ck_assert_uint_eq(score_of(kind), 24 + 18 + 5);
		EXPECT_LIKELY(kind);
		ck_assert_uint_eq(figure(kind, "tail_permille"), 200);
		ck_assert_uint_eq(figure(kind, "requests"), 4);
		ck_assert(tells(&suspect(kind)->evidence,
		                "20.0% of the slowest requests' time"));
		ck_assert(tells(&suspect(kind)->evidence, "in 4 of 20"));
		ck_assert_uint_eq(suspect(kind)->next_checks.count, 2);
		spread(k, 3, 4020);
		ck_assert_uint_eq(score_of(kind), 24 + 18 + 5);
		ck_assert_uint_eq(figure(kind, "tail_permille"), 201);
		spread(k, 2, 20000);
		analyze();
		EXPECT_OUT(kind, "100.0% of slow requests' time");
		spread(k, 20, 20000);
		ck_assert_uint_eq(score_of(kind), 100);
	}
}
END_TEST

START_TEST(tail_and_all_are_told_apart)
{
	/* Of 20 the slowest is p95: 1 ms of 20 ms is slow time. */
	for (uint32_t i = 0; i < 20; i++) {
		add_request("/r", i * 1000, i < 19 ? 1000 - 1 : 1000);
		phase(i, TAILBOX__PHASE_BODY, i == 7 ? 500 : i >= 17 ? 220 : 0);
	}
	/* T = 220, C = 1160 / 19981 = 58 */
	ck_assert_uint_eq(score_of(TAILBOX__SUSPECT_UPLOAD), 24 + 20 + 1);
	ck_assert_uint_eq(figure(TAILBOX__SUSPECT_UPLOAD, "tail_permille"),
	                  220);
}
END_TEST

START_TEST(phases_that_nobody_recorded_cannot_be_told)
{
	base(20);
	analyze();
	EXPECT_CANNOT(TAILBOX__SUSPECT_UPLOAD, "no such phase recorded");
	EXPECT_CANNOT(TAILBOX__SUSPECT_DOWNLOAD, "no such phase recorded");
	EXPECT_CANNOT(TAILBOX__SUSPECT_RESUME, "no such phase recorded");
	EXPECT_CANNOT(BLOCKED, "waits for a worker were not recorded");
	/* Phases are recorded, and these did not occur. */
	phase(3, TAILBOX__PHASE_HANDLER, 0);
	analyze();
	EXPECT_OUT(TAILBOX__SUSPECT_UPLOAD, "no request had a body");
	EXPECT_CANNOT(TAILBOX__SUSPECT_DOWNLOAD, "no such phase recorded");
	EXPECT_OUT(TAILBOX__SUSPECT_RESUME, "no request was suspended");
	EXPECT_CANNOT(BLOCKED, "waits for a worker were not recorded");
	/* On TCP, where accept queues are seen, waits would have been. */
	value(sample(0), TAILBOX__METRIC_ACCEPT_QUEUE, 1, 0);
	analyze();
	EXPECT_OUT(BLOCKED, "no request waited for one");
	phase(3, TAILBOX__PHASE_BODY, 0);
	phase(3, TAILBOX__PHASE_INGRESS, 0);
	analyze();
	EXPECT_OUT(TAILBOX__SUSPECT_UPLOAD, "0.0% of slow requests' time");
	EXPECT_OUT(BLOCKED, "0.0% of slow requests' time waiting");
}
END_TEST

START_TEST(content_readers_are_not_the_fault_of_clients)
{
	spread(1, 20, 20000); /* 1 ms each, all of it */
	for (uint32_t i = 0; i < 20; i++)
		ext(i)->reader_ns = 801000;
	analyze();
	EXPECT_OUT(TAILBOX__SUSPECT_DOWNLOAD, "19.9% of slow requests' time");
	for (uint32_t i = 0; i < 20; i++)
		ext(i)->reader_ns = 700000;
	analyze();
	EXPECT_LIKELY(TAILBOX__SUSPECT_DOWNLOAD);
	ck_assert_uint_eq(figure(TAILBOX__SUSPECT_DOWNLOAD, "tail_permille"),
	                  300);
	/* More than sending took: none is left. */
	for (uint32_t i = 0; i < 20; i++)
		ext(i)->reader_ns = 5000000;
	analyze();
	EXPECT_OUT(TAILBOX__SUSPECT_DOWNLOAD, "0.0% of slow requests' time");
}
END_TEST

START_TEST(small_answers_are_not_the_fault_of_clients)
{
	static const uint64_t bytes[] = { 16383, NONE, 0 };

	for (size_t k = 0; k < COUNT(bytes); k++) {
		spread(1, 20, 20000);
		for (uint32_t i = 0; i < 20; i++)
			ext(i)->bytes_out = bytes[k];
		analyze();
		EXPECT_OUT(TAILBOX__SUSPECT_DOWNLOAD,
		           "0.0% of slow requests' time");
	}
}
END_TEST

/* --- a held worker ----------------------------------------------------- */

/* Request 0 holds for 1 ms; n others wait, so long in all. */
static void held(uint32_t n, uint64_t us)
{
	again();
	base(20);
	handler(0, "/h", 1000);
	for (uint32_t i = 1; i <= n; i++)
		behind(i, 0, us / n + (i == 1 ? us % n : 0));
}

START_TEST(a_held_worker_is_told_from_a_tenth_of_the_time_on)
{
	held(4, 1999);
	analyze();
	EXPECT_OUT(BLOCKED, "9.9% of slow requests' time waiting");
	held(4, 2000);
	/* What held counts with them: 3000 of 20000. */
	ck_assert_uint_eq(score_of(BLOCKED), 24 + 13 + 4);
	EXPECT_LIKELY(BLOCKED);
	ck_assert_str_eq(suspect(BLOCKED)->title, "worker blocked by /h");
	ck_assert_uint_eq(figure(BLOCKED, "tail_permille"), 100);
	ck_assert(is_name((tailbox__str)figure(BLOCKED, "route"), "/h"));
	ck_assert_uint_eq(figure(BLOCKED, "holds"), 1);
	ck_assert_uint_eq(figure(BLOCKED, "median_us"), 1000);
	ck_assert_uint_eq(figure(BLOCKED, "longest_us"), 1000);
	ck_assert_uint_eq(figure(BLOCKED, "requests_behind"), 4);
	EXPECT_TEXTS(&suspect(BLOCKED)->evidence,
	             "1 of its requests held a worker while others waited "
	             "(median 1.00 ms, longest 1.00 ms); 4 requests",
	             "10.0% of the slowest requests' time",
	             "4 of 20 requests waited for one; their waits are known "
	             "to one clock tick", "marks no wait");
	ck_assert_uint_eq(suspect(BLOCKED)->next_checks.count, 1);
	run->meta.has_pid = true;
	run->meta.pid = 912;
	analyze();
	ck_assert(tells(&suspect(BLOCKED)->next_checks, "gdb -p 912"));
	ck_assert_int_eq(tailbox__run_set_extra(run, "writer", "dead", 0), 0);
	analyze(); /* nothing can be asked of it any more */
	ck_assert(!tells(&suspect(BLOCKED)->next_checks, "gdb -p 912"));
	held(3, 2020);
	ck_assert_uint_eq(score_of(BLOCKED), 24 + 13 + 4);
	ck_assert_uint_eq(figure(BLOCKED, "tail_permille"), 101);
	held(2, 2000);
	analyze();
	EXPECT_OUT(BLOCKED, "10.0% of slow requests' time waiting");
}
END_TEST

START_TEST(holds_of_the_route_are_counted_in_the_whole_run)
{
	base(40);
	/* Holds of 100, 200, 300, 1000 us by /h, of 5 ms by /other. */
	static const uint64_t us[] = { 1000, 200, 300, 100 };
	for (uint32_t i = 0; i < 4; i++) {
		handler(i, "/h", us[i]);
		behind(20 + i, i, 1000);
		ext(20 + i)->connection = 0; /* not its first one */
	}
	handler(4, "/other", 5000);
	behind(24, 4, 1);
	handler(5, "/h", 7777); /* held up nobody */
	handler(6, "/h", 1);
	ext(6)->phase_ns[TAILBOX__PHASE_HANDLER] = NONE;
	behind(25, 6, 1);
	analyze();
	ck_assert_uint_eq(figure(BLOCKED, "holds"), 4);
	/* ceil(3 * 50 / 100) = 2: the third */
	ck_assert_uint_eq(figure(BLOCKED, "median_us"), 300);
	ck_assert_uint_eq(figure(BLOCKED, "longest_us"), 1000);
	ck_assert_uint_eq(figure(BLOCKED, "requests_behind"), 5);
}
END_TEST

static void long_hold(const char *name, uint64_t us)
{
	struct tailbox__run_hold *h = tailbox__list_add(&run->holds);

	h->route = name ? tailbox__run_cstr(run, name) : 0;
	h->dur_us = us;
}

/* Recorded one by one: also those that nobody waited for. */
START_TEST(holds_that_were_recorded_are_told_exactly)
{
	held(4, 2000);
	long_hold("/h", 1333000);
	long_hold("/h", 50000);
	long_hold("/other", 9000000);
	long_hold("/h", 140000);
	long_hold(NULL, 8000000);
	analyze();
	ck_assert_uint_eq(suspect(BLOCKED)->evidence.count, 4);
	tailbox__run_set_extra(run, "hold_min_us", NULL, 50000);
	analyze();
	EXPECT_TEXTS(&suspect(BLOCKED)->evidence, "1 of its requests held",
	             "in all it held a worker for 50.0 ms or longer 3 times "
	             "(median 140 ms, longest 1.33 s)",
	             "10.0% of the slowest requests' time",
	             "4 of 20 requests waited for one", "marks no wait");
	ck_assert_uint_eq(figure(BLOCKED, "holds"), 1);
}
END_TEST

/* A stack of frames "module:function", "module" alone, or "?module:function",
 * the innermost first. */
static void stack(const char *route, const char *const *frames)
{
	struct tailbox__run_stack *k = tailbox__list_add(&run->stacks);

	k->route = route ? tailbox__run_cstr(run, route) : 0;
	for (; *frames != NULL; frames++) {
		struct tailbox__run_frame *f = tailbox__list_add(&run->frames);
		const char *module = *frames + (**frames == '?');
		const char *colon = strchr(module, ':');
		f->stack = (uint32_t)run->stacks.count - 1;
		f->flags = **frames == '?' ? TAILBOX__FRAME_GUESSED : 0;
		f->offset = 0x4711;
		f->module = tailbox__run_str(
		        run, module,
		        colon ? (size_t)(colon - module) : strlen(module));
		f->function = colon ? tailbox__run_cstr(run, colon + 1) : 0;
	}
}
#define STACK(route, ...) stack(route, (const char *[]){ __VA_ARGS__, NULL })

START_TEST(stacks_say_where_it_was)
{
	held(4, 2000);
	STACK("/other", "/usr/bin/shop:elsewhere");
	STACK("/h", "/usr/lib/libc.so.6:nanosleep");
	STACK("/h", "/usr/lib/libc.so.6:nanosleep", "?/usr/bin/shop:nap",
	      "/usr/bin/shop:answer");
	STACK(NULL, "/usr/bin/shop:elsewhere");
	STACK("/h", "/usr/bin/shop:answer");
	STACK("/h", "/usr/lib/ld-linux.so.2", "?/usr/bin/shop:nap");
	STACK("/other", "/usr/bin/shop:elsewhere");
	analyze();
	EXPECT_TEXTS(&suspect(BLOCKED)->evidence, "1 of its requests held",
	             "2 of 4 stacks taken of it meanwhile were in nap of shop, "
	             "as it looks",
	             "10.0% of the slowest requests' time",
	             "4 of 20 requests waited for one", "marks no wait");
	/* Without names: the place, and whom to ask. */
	held(4, 2000);
	STACK("/h", "/usr/lib/libtailbox.so.0:final", "/usr/bin/shop");
	STACK("/h", "/usr/bin/shop");
	analyze();
	ck_assert(tells(&suspect(BLOCKED)->evidence,
	                "2 of 2 stacks taken of it meanwhile were in shop at "
	                "0x4711: addr2line -fie FILE 0x4711"));
	/* Nobody of the application in any of them: nothing is said. */
	held(4, 2000);
	STACK("/h", "/usr/lib/libc.so.6:nanosleep");
	analyze();
	ck_assert(!tells(&suspect(BLOCKED)->evidence, "stacks"));
}
END_TEST

START_TEST(a_holder_that_is_not_in_the_run_is_named_all_the_same)
{
	base(20);
	for (uint32_t i = 10; i < 14; i++) {
		phase(i, TAILBOX__PHASE_INGRESS, 1000);
		ext(i)->holder_number = i % 2 ? 5000 : 0;
		ext(i)->holder_route = tailbox__run_cstr(run, "/gone");
	}
	analyze();
	ck_assert_str_eq(suspect(BLOCKED)->title, "worker blocked by /gone");
	ck_assert_uint_eq(figure(BLOCKED, "holds"), 0);
	ck_assert_uint_eq(figure(BLOCKED, "median_us"), NONE);
	ck_assert_uint_eq(figure(BLOCKED, "longest_us"), NONE);
	ck_assert_uint_eq(figure(BLOCKED, "requests_behind"), 4);
	ck_assert(tells(&suspect(BLOCKED)->evidence, "are not in the run"));
	for (uint32_t i = 10; i < 14; i++) {
		ext(i)->holder_number = 3; /* and nobody knows its route */
		ext(i)->holder_route = 0;
	}
	ext(2)->number = 0;
	analyze();
	ck_assert_str_eq(suspect(BLOCKED)->title,
	                 "workers are held, by whom is not known");
}
END_TEST

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

/* The holder is in a wait and a stage for so long of its 1000 us. */
static void busy_holder(uint64_t wait, uint64_t stage)
{
	held(4, 4000);
	add_queue(0, 0, wait, NONE);
	add_stage(0, "db", wait, wait + stage);
	analyze();
}

START_TEST(what_the_holder_was_in_is_told_when_most_is_known)
{
	const char *const none = "marks no wait and no stage";

	busy_holder(299, 200);
	ck_assert(tells(&suspect(BLOCKED)->evidence, none));
	busy_holder(300, 200);
	ck_assert(!tells(&suspect(BLOCKED)->evidence, none));
	ck_assert(tells(&suspect(BLOCKED)->evidence, "in wait 'pool'"));
	busy_holder(200, 301);
	ck_assert(tells(&suspect(BLOCKED)->evidence, "in stage 'db'"));
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

/* --- input that makes no sense ----------------------------------------- */

START_TEST(the_largest_numbers_do_no_harm)
{
	base(20);
	for (uint32_t i = 0; i < 20; i++) {
		run->requests.items[i].latency_us = NONE;
		for (unsigned k = 0; k < TAILBOX__PHASE_COUNT; k++)
			ext(i)->phase_ns[k] = NONE - 1;
		if (i > 0)
			ext(i)->holder_number = i;
		ext(i)->bytes_out = NONE - 1;
		add_stage(i, "s", 0, 10)->dur_us = NONE;
		add_queue(i, 0, 10, NONE - 1)->flags = 0;
	}
	for (uint32_t i = 0; i < 5; i++) {
		sample(i * 1000);
		for (uint16_t m = 0; m < TAILBOX__METRIC_COUNT; m++)
			if (!tailbox__metric_is_name(m))
				value(i, m, 0, NONE - i % 2);
	}
	sums();
	analyze();
	ck_assert_uint_eq(rep.findings.count, TAILBOX__SUSPECT_COUNT - 1);
}
END_TEST

START_TEST(no_requests_and_no_phases_give_no_suspects)
{
	add_requests(3);
	sample_add_ext(run, &run->requests.items[0]);
	analyze();
	for (unsigned k = TAILBOX__SUSPECT_OWN; k < TAILBOX__SUSPECT_COUNT; k++)
		ck_assert_ptr_null(suspect(k));
	again();
	tailbox__list_add(&run->ext); /* of a request that is not there */
	analyze();
	for (unsigned k = TAILBOX__SUSPECT_OWN; k < TAILBOX__SUSPECT_COUNT; k++)
		EXPECT_CANNOT(k, "not in this artifact");
	again();
	base(20);
	for (uint32_t i = 0; i < 20; i++) {
		run->requests.items[i].latency_us = 0;
		phase(i, TAILBOX__PHASE_BODY, 1000);
	}
	analyze();
	EXPECT_OUT(TAILBOX__SUSPECT_UPLOAD, "0.0% of slow requests' time");
}
END_TEST

START_TEST(names_are_shown_in_sixty_bytes_without_controls)
{
	static const struct {
		const char *name;
		size_t len;
		const char *shown;
	} rows[] = {
		{ "/0123456789012345678901234567890123456x9", 40,
		  "/0123456789012345678901234567890123456x9" },
		{ "/0123456789012345678901234567890123456x89", 41,
		  "/012345678901234567890123456789012345..." },
		/* 37 bytes end within the last letter but two */
		{ "/01234567890123456789012345678901234\u00e9\u00e9\u00e9", 42,
		  "/01234567890123456789012345678901234..." },
		{ "a\n\x1b[1m\x7f\0b", 9, "a??[1m??b" },
		{ "a\xc2\x85\xc2\x9f\u00a0", 7, "a??\u00a0" },
		{ "a\xff\xc3z\xe2\x82", 6, "a??z?" },
		{ "", 0, "(no name)" },
	};
	char buf[TAILBOX__OWN_NAME_SIZE];

	for (size_t i = 0; i < COUNT(rows); i++) {
		const tailbox__str s =
		        tailbox__run_str(run, rows[i].name, rows[i].len);
		const char *shown = tailbox__own_label(run, s, buf);

		ck_assert_str_eq(shown, rows[i].shown);
		ck_assert(is_clean(shown));
		ck_assert_uint_le(strlen(shown), 40);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("own");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 120);
	tcase_add_test(
	        t,
	        a_score_adds_up_and_is_capped_unless_all_points_the_same_way);
	tcase_add_test(
	        t, a_phase_is_told_from_a_fifth_of_the_time_in_three_requests);
	tcase_add_test(t, tail_and_all_are_told_apart);
	tcase_add_test(t, phases_that_nobody_recorded_cannot_be_told);
	tcase_add_test(t, content_readers_are_not_the_fault_of_clients);
	tcase_add_test(t, small_answers_are_not_the_fault_of_clients);
	tcase_add_test(t, a_held_worker_is_told_from_a_tenth_of_the_time_on);
	tcase_add_test(t, holds_of_the_route_are_counted_in_the_whole_run);
	tcase_add_test(t, holds_that_were_recorded_are_told_exactly);
	tcase_add_test(t, stacks_say_where_it_was);
	tcase_add_test(t,
	               a_holder_that_is_not_in_the_run_is_named_all_the_same);
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
	tcase_add_test(t, what_the_holder_was_in_is_told_when_most_is_known);
	tcase_add_test(t, of_equal_ones_the_lower_name_is_the_longest);
	tcase_add_test(t, the_largest_numbers_do_no_harm);
	tcase_add_test(t, no_requests_and_no_phases_give_no_suspects);
	tcase_add_test(t, names_are_shown_in_sixty_bytes_without_controls);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
