/* tests/test_failures_resource.c - what is known about the pool or the workers
 * that a group waited for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/failures_fixture.h"

/* Two waits: 10 ms to 20 ms and 15 ms to 30 ms; another one up to 35 ms. */
static void add_two_waits(void)
{
	uint32_t r = bad("/a", 10 * MS, 25 * MS, "timeout");
	wait_in(r, "pool", 0, 10 * MS, 4);
	add_stage(r, "work", 10 * MS, 19 * MS);
	wait_in(r, "lock", 21 * MS, 25 * MS, 50);
	r = bad("/a", 15 * MS, 20 * MS, "timeout");
	wait_in(r, "pool", 0, 15 * MS, 9);
}

START_TEST(a_pool_is_looked_at_while_members_wait)
{
	add_two_waits();
	add_look(10 * MS - 1, "pool", 10, 10, 99); /* just before */
	add_look(10 * MS, "pool", 9, 10, 3);
	add_look(18 * MS, "pool", 10, 10, 37); /* in both: once */
	add_value(TAILBOX__METRIC_POOL_OLDEST_US,
	          tailbox__run_cstr(run, "pool"), 5000);
	add_look(25 * MS, "other", 99, 99, 99);
	add_look(30 * MS, "pool", 10, 10, 5);
	add_look(30 * MS + 1, "pool", 10, 12, 99); /* just after */
	make(TAILBOX__NONE);
	const struct tailbox__failure_group *g =
	        group(TAILBOX__FAILURE_TIMEOUT, 0);
	ck_assert(g->is_wait && !g->is_for_worker);
	ck_assert_uint_eq(g->usage.samples, 3);
	ck_assert_uint_eq(g->usage.sized, 3);
	ck_assert_uint_eq(g->usage.full, 2);
	ck_assert_uint_eq(g->usage.in_use, 10);
	ck_assert_uint_eq(g->usage.size, 10);
	ck_assert_uint_eq(g->usage.waiting, 37);
	ck_assert_uint_eq(g->usage.oldest_us, 5000);
	ck_assert_uint_eq(g->depth, 9);
}
END_TEST

START_TEST(what_no_look_tells_is_not_known)
{
	const struct tailbox__failure_group *g;

	add_two_waits();
	for (size_t i = 0; i < run->queues.count; i++)
		run->queues.items[i].depth = TAILBOX__NONE;
	add_look(18 * MS, "other", 1, 1, 1);
	make(TAILBOX__NONE);
	g = group(TAILBOX__FAILURE_TIMEOUT, 0);
	ck_assert_uint_eq(g->usage.samples, 0);
	ck_assert_uint_eq(g->usage.in_use, TAILBOX__NONE);
	ck_assert_uint_eq(g->usage.size, TAILBOX__NONE);
	ck_assert_uint_eq(g->usage.waiting, TAILBOX__NONE);
	ck_assert_uint_eq(g->depth, TAILBOX__NONE);
	add_look(19 * MS, "pool", TAILBOX__NONE, 10, 0); /* in use unknown */
	add_look(19 * MS, "pool", 0, TAILBOX__NONE, TAILBOX__NONE);
	run->snapshots.items[run->snapshots.count - 1].flags = 0; /* when? */
	make(TAILBOX__NONE);
	g = group(TAILBOX__FAILURE_TIMEOUT, 0);
	ck_assert_uint_eq(g->usage.samples, 0);
	ck_assert_uint_eq(g->usage.waiting, 0);
	add_look(19 * MS, "pool", 0, TAILBOX__NONE, TAILBOX__NONE);
	make(TAILBOX__NONE);
	g = group(TAILBOX__FAILURE_TIMEOUT, 0);
	ck_assert_uint_eq(g->usage.samples, 1);
	ck_assert_uint_eq(g->usage.in_use, 0);
	ck_assert_uint_eq(g->usage.size, TAILBOX__NONE);
	ck_assert_uint_eq(g->usage.sized, 0);
	for (size_t i = 0; i < run->queues.count; i++)
		run->queues.items[i].flags = 0; /* when did they wait? */
	make(TAILBOX__NONE);
	ck_assert_uint_eq(group(TAILBOX__FAILURE_TIMEOUT, 0)->usage.samples,
	                  0);
}
END_TEST

START_TEST(for_a_worker_the_workers_are_the_resource)
{
	wait_for_worker(2, NULL);
	wait_for_worker(1, "/c");
	wait_for_worker(4, "/b");
	wait_for_worker(2, "/d");
	wait_for_worker(1, "/a");
	wait_for_worker(3, "/e");
	add_snapshots(3, 0, 0, 0, 4);
	for (unsigned i = 0; i < 3; i++)
		run->snapshots.items[i].at_us = 11 * MS + i * 7 * MS;
	for (unsigned i = 0; i < 3; i++) {
		struct tailbox__run_value *v = tailbox__list_add(&run->values);
		v->snapshot = i;
		v->metric = TAILBOX__METRIC_BUSY_WORKERS;
		v->value = i + 3; /* the third one is after the wait */
	}
	make(TAILBOX__NONE);
	const struct tailbox__failure_group *g =
	        group(TAILBOX__FAILURE_ERROR, 0);
	ck_assert_str_eq(where(g), "wait for a worker");
	ck_assert(g->is_for_worker && !g->is_wait);
	ck_assert_uint_eq(g->usage.samples, 2);
	ck_assert_uint_eq(g->usage.in_use, 4);
	ck_assert_uint_eq(g->usage.size, 4);
	ck_assert_uint_eq(g->usage.full, 1);
	ck_assert_uint_eq(g->holder_count, 3);
	ck_assert_str_eq(tailbox__run_text(run, g->holders[0].route, NULL),
	                 "/b");
	ck_assert_uint_eq(g->holders[0].count, 4);
	ck_assert_str_eq(tailbox__run_text(run, g->holders[1].route, NULL),
	                 "/e");
	ck_assert_str_eq(tailbox__run_text(run, g->holders[2].route, NULL),
	                 "/d");
	ck_assert_uint_eq(g->other_held, 2);
	ck_assert_uint_eq(g->unknown_held, 2);
}
END_TEST

START_TEST(the_wait_for_a_worker_is_not_what_its_group_shares)
{
	wait_for_worker(4, "/b");
	add_good(96, "/x", 0, S);
	for (uint32_t i = 4; i < 100; i++)
		ext_of(i);
	make(TAILBOX__NONE);
	const struct tailbox__failure_group *g =
	        group(TAILBOX__FAILURE_ERROR, 0);
	ck_assert_ptr_null(shared_of(g, TAILBOX__TRAIT_WAIT));
	ASSERT_SHARE(shared_of(g, TAILBOX__TRAIT_HOLDER)->share, 4, 0, 96);
	teardown();
	setup();
	wait_for_worker(4, NULL);
	run->ext.count = 0; /* another recorder's: the wait is all there is */
	for (uint32_t i = 0; i < 4; i++)
		run->requests.items[i].ext = 0;
	add_good(96, "/x", 0, S);
	make(TAILBOX__NONE);
	g = group(TAILBOX__FAILURE_ERROR, 0);
	ck_assert(g->is_for_worker && g->is_wait);
	ck_assert_ptr_null(shared_of(g, TAILBOX__TRAIT_WAIT));
	ck_assert_uint_eq(g->unknown_held, 4);
}
END_TEST

START_TEST(requests_that_have_not_ended_there_are_counted)
{
	struct tailbox__run_open *x;

	add_two_waits();
	for (unsigned i = 0; i < 3; i++) {
		x = tailbox__list_add(&run->open);
		x->where = tailbox__run_cstr(run, i < 2 ? "pool" : "other");
		x->phase = TAILBOX__PHASE_HANDLER;
	}
	const uint32_t r = bad("/a", 0, 1000, "error");
	ext_of(r)->phase_ns[TAILBOX__PHASE_HANDLER] = 900 * 1000;
	x = tailbox__list_add(&run->open);
	x->phase = TAILBOX__PHASE_HANDLER;
	x = tailbox__list_add(&run->open);
	x->phase = TAILBOX__PHASE_COUNT;
	make(TAILBOX__NONE);
	ck_assert_uint_eq(group(TAILBOX__FAILURE_TIMEOUT, 0)->open, 2);
	ck_assert_uint_eq(group(TAILBOX__FAILURE_ERROR, 0)->open, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("failures_resource");
	TCase *t = failures_case(s);

	tcase_add_test(t, a_pool_is_looked_at_while_members_wait);
	tcase_add_test(t, what_no_look_tells_is_not_known);
	tcase_add_test(t, for_a_worker_the_workers_are_the_resource);
	tcase_add_test(t, the_wait_for_a_worker_is_not_what_its_group_shares);
	tcase_add_test(t, requests_that_have_not_ended_there_are_counted);
	return sample_run_suite(s);
}
