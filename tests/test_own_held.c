/* tests/test_own_held.c - workers that are held: by whom, for how long, and
 * what the holder was in.
 *
 * SPDX-License-Identifier: MIT
 *
 * doc/analysis.md, "Suspects of tailbox's own". What is expected is counted by
 * hand from what is written here.
 */
#include "tests/own_fixture.h"

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

int main(void)
{
	Suite *s = suite_create("own_held");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_held_worker_is_told_from_a_tenth_of_the_time_on);
	tcase_add_test(t, holds_of_the_route_are_counted_in_the_whole_run);
	tcase_add_test(t, holds_that_were_recorded_are_told_exactly);
	tcase_add_test(t, stacks_say_where_it_was);
	tcase_add_test(t,
	               a_holder_that_is_not_in_the_run_is_named_all_the_same);
	tcase_add_test(t, what_the_holder_was_in_is_told_when_most_is_known);
	suite_add_tcase(s, t);
	return sample_run_suite(s);
}
