/* tests/test_failures.c - what bad requests have in common: their kinds,
 * and where a group of them was.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "tests/failures_fixture.h"

/* --- kinds ---------------------------------------------------------------- */

START_TEST(a_request_is_in_the_first_kind_that_fits)
{
	bad("/a", 0, 500 * MS, "error"); /* slow as well */
	bad("/a", 0, 10, "timeout");
	bad("/a", 0, 10, "cancelled");
	bad("/a", 0, 10, "rejected");
	bad("/a", 0, 200 * MS, "ok");
	bad("/a", 0, 200 * MS - 1, "ok");
	bad("/a", 0, 300 * MS, "odd");
	bad("/a", 0, 10, "errors"); /* no words of ours */
	bad("/a", 0, 10, "okay");
	make(200 * MS);
	for (unsigned k = 0; k < TAILBOX__FAILURE_SLOW; k++)
		ck_assert_uint_eq(f.kinds[k].count, 1);
	ck_assert_uint_eq(f.kinds[TAILBOX__FAILURE_SLOW].count, 2);
	ck_assert_uint_eq(f.unknown_outcomes, 3);
	ck_assert_uint_eq(f.requests, 9);
	make(TAILBOX__NONE);
	ck_assert_uint_eq(f.kinds[TAILBOX__FAILURE_SLOW].count, 0);
	ck_assert_uint_eq(f.kinds[TAILBOX__FAILURE_ERROR].count, 1);
}
END_TEST

START_TEST(nothing_of_a_run_without_failures)
{
	make(0); /* an empty run, and every request would be slow */
	ck_assert_uint_eq(f.requests, 0);
	add_good(3, "/a", 0, S);
	make(TAILBOX__NONE);
	for (unsigned k = 0; k < TAILBOX__FAILURE_COUNT; k++)
		ck_assert_uint_eq(f.kinds[k].group_count, 0);
}
END_TEST

START_TEST(losses_and_what_is_left_out_are_told)
{
	add_good(3, "/a", 0, S);
	bad(" ", 0, 10, "error"); /* a blank route is not valid */
	run->truncation.dropped_stages = 7;
	run->meta.unfinished_count = 2;
	make(TAILBOX__NONE);
	ck_assert_uint_eq(f.excluded, 1);
	ck_assert_uint_eq(f.lost, 7);
	ck_assert_uint_eq(f.unfinished, 2);
	ck_assert_uint_eq(f.requests, 3);
	ck_assert_uint_eq(f.kinds[TAILBOX__FAILURE_ERROR].count, 0);
}
END_TEST

/* --- where ---------------------------------------------------------------- */

START_TEST(a_group_is_what_took_most_of_a_request)
{
	uint32_t r = bad("/a", 0, 1000, "error");
	add_stage(r, "outer", 0, 900); /* 400 of its own */
	add_stage(r, "inner", 100, 550); /* 450 */
	add_queue(r, 550, 600, 0);
	r = bad("/a", S, 1000, "error"); /* twice 200 is more than 350 */
	wait_in(r, "pool", 0, 200, 0);
	add_stage(r, "inner", 200, 550);
	wait_in(r, "pool", 600, 800, 0);
	r = bad("/a", 2 * S, 1000, "error"); /* 501 of nothing */
	add_stage(r, "inner", 0, 499);
	make(TAILBOX__NONE);
	ck_assert_uint_eq(f.kinds[TAILBOX__FAILURE_ERROR].group_count, 3);
	ck_assert_str_eq(where(group(TAILBOX__FAILURE_ERROR, 0)),
	                 "unexplained");
	ck_assert_uint_eq(group(TAILBOX__FAILURE_ERROR, 0)->blocked_us, 501);
	ck_assert_str_eq(where(group(TAILBOX__FAILURE_ERROR, 1)),
	                 "stage inner");
	ck_assert_uint_eq(group(TAILBOX__FAILURE_ERROR, 1)->blocked_us, 450);
	ck_assert_str_eq(where(group(TAILBOX__FAILURE_ERROR, 2)), "wait pool");
	ck_assert_uint_eq(group(TAILBOX__FAILURE_ERROR, 2)->blocked_us, 400);
	ck_assert_uint_eq(group(TAILBOX__FAILURE_ERROR, 2)->latency_us, 1000);
}
END_TEST

START_TEST(of_equals_waits_come_first_and_then_the_text)
{
	uint32_t r = bad("/a", 0, 1000, "error");

	add_stage(r, "b", 0, 300);
	add_stage(r, "a", 300, 600);
	wait_in(r, "z", 600, 900, 0);
	r = bad("/a", S, 1000, "error");
	add_stage(r, "b", 0, 300);
	add_stage(r, "a", 300, 600);
	ext_of(r)->phase_ns[TAILBOX__PHASE_HANDLER] = 900 * 1000;
	r = bad("/a", 2 * S, 1000, "error"); /* nothing takes as much: known */
	add_stage(r, "c", 0, 500);
	bad("/a", 3 * S, 0, "error"); /* no time at all */
	make(TAILBOX__NONE);
	ck_assert_str_eq(where(group(TAILBOX__FAILURE_ERROR, 0)), "stage c");
	ck_assert_str_eq(where(group(TAILBOX__FAILURE_ERROR, 1)), "wait z");
	ck_assert_str_eq(where(group(TAILBOX__FAILURE_ERROR, 2)), "stage a");
	ck_assert_str_eq(where(group(TAILBOX__FAILURE_ERROR, 3)),
	                 "unexplained");
}
END_TEST

START_TEST(groups_come_by_size_and_know_their_times)
{
	for (unsigned i = 0; i < 5; i++) {
		const uint32_t r = bad("/a", i * S, 1000, "timeout");
		wait_in(r, i < 2 ? "few" : "many", 0, 500 + 100 * i, 0);
	}
	make(TAILBOX__NONE);
	const struct tailbox__failure_group *g =
	        group(TAILBOX__FAILURE_TIMEOUT, 0);
	ck_assert_str_eq(where(g), "wait many");
	ck_assert_uint_eq(g->count, 3);
	ck_assert_uint_eq(g->blocked_us, 700 + 800 + 900);
	ck_assert_uint_eq(g->latency_us, 3000);
	ck_assert_uint_eq(g->p50_blocked_us, 800);
	ck_assert_uint_eq(g->max_blocked_us, 900);
	ck_assert_uint_eq(g->longest, 4);
	ck_assert_uint_eq(group(TAILBOX__FAILURE_TIMEOUT, 1)->count, 2);
}
END_TEST

/* --- anything ------------------------------------------------------------- */

/* Most of those of /d fail, and few others. */
static void any_request(uint64_t *state)
{
	static const char *const words[] = { "ok", "error", "timeout",
		                             "rejected" };
	static const char *const names[] = { "/a", "/b", "/c", "/d" };
	const unsigned route = (unsigned)below(state, 4);
	const bool is_bad = route == 3 || below(state, 30) == 0;
	const uint32_t r = bad(names[route], below(state, S), 1000,
	                       words[is_bad ? below(state, 4) : 0]);

	if (below(state, 3)) {
		struct tailbox__run_ext *x = ext_of(r);
		if (below(state, 4))
			x->worker = (uint32_t)below(state, 3);
		for (unsigned i = 0; i < 4; i++) {
			if (!below(state, 2))
				continue;
			x->tag_key[i] = tailbox__run_cstr(
				run, names[below(state, 2)]);
			x->tag_value[i] = tailbox__run_cstr(
				run, names[below(state, 2)]);
		}
	}
	for (unsigned i = (unsigned)below(state, 4); i > 0; i--)
		wait_in(r, names[is_bad ? below(state, 2) : below(state, 4)], 0,
		        1 + below(state, 900), 0);
}

/* By looking at each request for each trait. */
static bool has_trait(uint32_t request, const struct tailbox__trait *t)
{
	const struct tailbox__run_request *r = &run->requests.items[request];
	const struct tailbox__run_ext *x =
	        r->ext ? &run->ext.items[r->ext - 1] : NULL;

	if (t->kind == TAILBOX__TRAIT_ROUTE)
		return r->route == t->value;
	if (t->kind == TAILBOX__TRAIT_WORKER)
		return x && x->worker == t->value;
	for (unsigned i = 0; x && t->kind == TAILBOX__TRAIT_TAG && i < 4; i++)
		if (x->tag_key[i] == t->key && x->tag_value[i] == t->value)
			return true;
	for (size_t i = 0;
	     t->kind == TAILBOX__TRAIT_WAIT && i < run->queues.count; i++)
		if (run->queues.items[i].request == r->id &&
		    run->queues.items[i].name == t->value)
			return true;
	return false;
}

START_TEST(counts_agree_with_looking_at_each_request)
{
	uint64_t state = 5, seen = 0;

	for (unsigned round = 0; round < 150; round++) {
		for (unsigned i = 20 + (unsigned)below(&state, 150); i > 0; i--)
			any_request(&state);
		make(below(&state, 2) ? 1000 : TAILBOX__NONE);
		for (unsigned k = 0; k < TAILBOX__FAILURE_COUNT; k++) {
			uint64_t sum = 0;

			for (size_t i = 0; i < f.kinds[k].group_count; i++) {
				const struct tailbox__failure_group *g =
				        group(k, i);
				sum += g->count;
				for (size_t s = 0; s < g->shared_count; s++) {
					const struct tailbox__shared *x =
					        &g->shared[s];
					uint64_t n = 0;
					for (uint32_t r = 0;
					     r < run->requests.count; r++)
						n += has_trait(r, &x->trait);
					ck_assert_uint_eq(
					        n, x->share.members +
					                   x->share.others);
					seen++;
				}
			}
			ck_assert_uint_eq(sum, f.kinds[k].count);
		}
		tailbox__failures_fini(&f);
		again();
	}
	ck_assert_uint_gt(seen, 50);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	struct tailbox__json j;
	int rc = -ENOMEM;
	long n;

	add_outage();
	add_alike();
	wait_for_worker(3, "/h");
	for (n = 0; rc != 0; n++) {
		const long live = tailbox__alloc_live();

		tailbox__alloc_fail_after(n);
		rc = tailbox__failures_make(run, 100 * MS, &f);
		tailbox__alloc_fail_after(-1);
		ck_assert(rc == 0 || rc == -ENOMEM);
		if (rc != 0) {
			tailbox__failures_fini(&f);
			ck_assert_int_eq(tailbox__alloc_live(), live);
		}
	}
	ck_assert_int_gt(n, 20);
	rc = -ENOMEM;
	for (n = 0; rc != 0; n++) {
		tailbox__json_init(&j, false);
		tailbox__alloc_fail_after(n);
		rc = tailbox__failures_json(&f, run, &j);
		tailbox__alloc_fail_after(-1);
		ck_assert(rc == 0 || rc == -ENOMEM);
		tailbox__json_fini(&j);
	}
	rc = -ENOMEM;
	for (n = 0; rc != 0; n++) {
		FILE *out = fopen("/dev/null", "w");

		tailbox__alloc_fail_after(n);
		rc = tailbox__failures_text(&f, run, out);
		tailbox__alloc_fail_after(-1);
		ck_assert(rc == 0 || rc == -ENOMEM);
		fclose(out);
	}
	ck_assert_int_gt(n, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("failures");
	TCase *t = failures_case(s);

	tcase_add_test(t, a_request_is_in_the_first_kind_that_fits);
	tcase_add_test(t, nothing_of_a_run_without_failures);
	tcase_add_test(t, losses_and_what_is_left_out_are_told);
	tcase_add_test(t, a_group_is_what_took_most_of_a_request);
	tcase_add_test(t, of_equals_waits_come_first_and_then_the_text);
	tcase_add_test(t, groups_come_by_size_and_know_their_times);
	tcase_add_test(t, counts_agree_with_looking_at_each_request);
	tcase_add_test(t, every_allocation_may_fail);
	return sample_run_suite(s);
}
