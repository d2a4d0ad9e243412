/* tests/test_failures.c - what bad requests have in common.
 *
 * SPDX-License-Identifier: MIT
 *
 * Expected figures are counted by hand from what is written here; the chance
 * of the rule is checked against binomial coefficients by Pascal's triangle.
 */
#include <errno.h>
#include <stdlib.h>

#include "analyzer/failures.h"
#include "core/metrics.h"
#include "tests/analyze_fixture.h"

#define S 1000000u
#define MS 1000u

static struct tailbox__failures f;

static void setup(void)
{
	begin();
	memset(&f, 0, sizeof(f));
}

static void teardown(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__failures_fini(&f);
	end();
}

static void make(uint64_t slow_us)
{
	tailbox__failures_fini(&f);
	ck_assert_int_eq(tailbox__failures_make(run, slow_us, &f), 0);
}

static const struct tailbox__failure_group *
group(enum tailbox__failure kind, size_t i)
{
	ck_assert_uint_lt(i, f.kinds[kind].group_count);
	return &f.kinds[kind].groups[i];
}

/* The piece of a group as text. */
static const char *where(const struct tailbox__failure_group *g)
{
	static char label[80];

	if (!g->is_explained)
		return "unexplained";
	tailbox__piece_label(run, &g->piece, label, sizeof(label));
	return label;
}

static uint32_t bad(const char *route, uint64_t start_us, uint64_t us,
                    const char *outcome)
{
	const uint32_t r = add_request(route, start_us, us);

	run->requests.items[r].outcome = tailbox__run_cstr(run, outcome);
	return r;
}

/* n good ones, 1 ms each, one every gap. */
static void add_good(unsigned n, const char *route, uint64_t from,
                     uint64_t gap)
{
	for (unsigned i = 0; i < n; i++)
		add_request(route, from + i * gap, MS);
}

static struct tailbox__run_ext *ext_of(uint32_t request)
{
	struct tailbox__run_request *r = &run->requests.items[request];

	return r->ext ? &run->ext.items[r->ext - 1] : sample_add_ext(run, r);
}

static void wait_in(uint32_t request, const char *name, uint64_t from,
                    uint64_t to, uint64_t depth)
{
	struct tailbox__run_span *q = add_queue(request, from, to, depth);

	q->name = tailbox__run_cstr(run, name);
}

static void add_value(enum tailbox__metric metric, uint32_t subject,
                      uint64_t value)
{
	struct tailbox__run_value *v = tailbox__list_add(&run->values);

	v->snapshot = (uint32_t)run->snapshots.count - 1;
	v->metric = (uint16_t)metric;
	v->subject = subject;
	v->value = value;
}

/* A look at a pool; NONE: not known. */
static void add_look(uint64_t at_us, const char *pool, uint64_t busy,
                     uint64_t capacity, uint64_t waiting)
{
	const uint32_t name = tailbox__run_cstr(run, pool);

	add_snapshot(at_us, TAILBOX__NONE, TAILBOX__NONE, TAILBOX__NONE);
	if (waiting != TAILBOX__NONE)
		add_value(TAILBOX__METRIC_POOL_WAITING, name, waiting);
	if (busy != TAILBOX__NONE)
		add_value(TAILBOX__METRIC_POOL_BUSY, name, busy);
	if (capacity != TAILBOX__NONE)
		add_value(TAILBOX__METRIC_POOL_CAPACITY, name, capacity);
}

static const struct tailbox__shared *
shared_of(const struct tailbox__failure_group *g, enum tailbox__trait_kind kind)
{
	for (size_t i = 0; i < g->shared_count; i++)
		if (g->shared[i].trait.kind == kind)
			return &g->shared[i];
	return NULL;
}

#define ASSERT_SHARE(s, m, o, k)                                               \
	do {                                                                   \
		ck_assert_uint_eq((s).members, m);                             \
		ck_assert_uint_eq((s).others, o);                              \
		ck_assert_uint_eq((s).others_known, k);                        \
	} while (0)

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

/* 4 timeouts of /r on worker 3, held by /h, tagged, failing in a stage and
 * having been in another wait; 96 others, 10 of /r. */
static void add_alike(void)
{
	for (unsigned i = 0; i < 4; i++) {
		const uint32_t r = bad("/r", i * 20 * S, 1000, "timeout");
		struct tailbox__run_ext *x = ext_of(r);

		x->worker = 3;
		x->holder_route = tailbox__run_cstr(run, "/h");
		x->tag_key[i % 4] = tailbox__run_cstr(run, "tenant");
		x->tag_value[i % 4] = tailbox__run_cstr(run, "acme");
		wait_in(r, "own", 0, 700, 0);
		wait_in(r, "twice", 800, 810, 0);
		wait_in(r, "twice", 820, 830, 0);
		add_stage(r, "call", 850, 900)->flags |= TAILBOX__FAILED;
	}
	add_good(10, "/r", 500, S);
	add_good(86, "/x", 600, S);
	for (uint32_t i = 4; i < 100; i++) {
		ext_of(i)->worker = i % 4;
		ext_of(i)->tag_key[1] = tailbox__run_cstr(run, "tenant");
		ext_of(i)->tag_value[1] = tailbox__run_cstr(run, "else");
		add_stage(i, "call", 0, 10);
	}
}

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

/* --- the resource then ---------------------------------------------------- */

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

/* n members waited for a worker from 10 ms on, for 10 ms. */
static void wait_for_worker(unsigned n, const char *holder)
{
	for (unsigned i = 0; i < n; i++) {
		const uint32_t r = bad("/a", 10 * MS, 12 * MS, "error");
		struct tailbox__run_ext *x = ext_of(r);

		x->phase_ns[TAILBOX__PHASE_INGRESS] = 10 * MS * 1000;
		x->holder_route = holder ? tailbox__run_cstr(run, holder) : 0;
		wait_in(r, "mhd.ingress", 0, 10 * MS, TAILBOX__NONE);
	}
}

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

/* --- shown ---------------------------------------------------------------- */

static char *text_of(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(tailbox__failures_text(&f, run, out), 0);
	fclose(out);
	return text;
}

static void expect_text(const char *want)
{
	char *text = text_of();

	ck_assert_msg(strstr(text, want) != NULL, "no \"%s\" in\n%s", want,
	              text);
	free(text);
}

/* The example of the manual: 12 of 14 timeouts. */
static void add_outage(void)
{
	for (unsigned i = 0; i < 14; i++) {
		const uint32_t r = bad("/report", 10 * S + i * 100 * MS, 2 * S,
		                       "timeout");
		if (i < 12)
			wait_in(r, "db_pool", 0, 1900 * MS, i);
		else
			add_stage(r, "render", 0, 1900 * MS);
	}
	add_good(200, "/x", 0, 300 * MS);
	add_look(11 * S, "db_pool", 10, 10, 37);
	add_look(12 * S, "db_pool", 10, 10, 12);
}

START_TEST(text_says_it_in_one_sentence)
{
	add_outage();
	make(TAILBOX__NONE);
	expect_text("14 timeouts\n");
	expect_text("\n  12 of 14 timeouts waited on db_pool, 10 of 10 in use "
	            "(2 of 2 samples), up to\n      37 waiting, up to 11 "
	            "ahead\n");
	expect_text("      95% of their time, median 1.90 s, at most 1.90 s\n");
	expect_text("      shared: route /report: 12 of 12 (0.9% of all "
	            "others)\n");
	expect_text("      shared: began at 00:00:11.000 within 1.10 s of ");
	expect_text("  2 of 14 timeouts stayed in stage render\n");
	expect_text("next: tailbox timeline TARGET --request r00001\n");
}
END_TEST

START_TEST(text_shows_three_groups_and_counts_the_rest)
{
	for (unsigned i = 0; i < 15; i++) {
		char name[] = { 'w', (char)('a' + (i < 5 ? i : i < 9 ? i - 5
		                           : i < 12 ? i - 9 : 0)), 0 };
		wait_in(bad("/r", i * S, 1000, "error"), name, 0, 900, 0);
	}
	make(TAILBOX__NONE); /* wa 6, wb 3, wc 3, wd 2, we 1 */
	expect_text("  6 of 15 errors waited on wa");
	expect_text("  3 of 15 errors waited on wc");
	expect_text("  3 more in 2 smaller groups: see --json\n");
	char *text = text_of();
	ck_assert_ptr_null(strstr(text, "waited on wd"));
	free(text);
}
END_TEST

START_TEST(text_tells_when_there_is_nothing)
{
	add_good(3, "/x", 0, S);
	make(TAILBOX__NONE);
	expect_text("\nno request failed\n");
	make(2 * S);
	expect_text("no request failed, and none took 2.00 s or longer\n");
	bad("/r", 0, 10, "error");
	make(2 * S);
	expect_text("\n1 error\n");
	expect_text("  1 of 1 error stayed where nothing was measured\n"
	            "      100% of its time, 10 us\n");
	char *text = text_of();
	ck_assert_ptr_null(strstr(text, "in common"));
	free(text);
	bad("/r", 7 * S, 10, "error");
	make(2 * S);
	expect_text("nothing else in common that stands out");
}
END_TEST

START_TEST(text_is_harmless_and_narrow)
{
	char name[200];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memcpy(name, "a\x1b[2J\n\xe2\x80\xae", 9);
	run->meta.service_name = run->meta.service_version =
	        tailbox__run_cstr(run, name);
	for (unsigned i = 0; i < 6; i++) {
		const uint32_t r = bad(name, i * MS, 1000, "error");
		struct tailbox__run_ext *x = ext_of(r);

		if (i < 3)
			wait_in(r, name, 0, 900, UINT64_MAX - 1);
		else
			x->phase_ns[TAILBOX__PHASE_INGRESS] = 900 * 1000;
		add_stage(r, name, 900, 950)->flags |= TAILBOX__FAILED;
		x->holder_route = x->tag_key[0] = x->tag_value[0] =
		        tailbox__run_cstr(run, name);
	}
	add_good(300, "/x", 0, S);
	for (uint32_t i = 6; i < 306; i++)
		ext_of(i);
	add_look(500, name, UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1);
	make(1);
	char *text = text_of();
	for (const char *c = text; *c; c++)
		ck_assert((unsigned char)*c >= 0x20 || *c == '\n');
	ck_assert_ptr_null(strstr(text, "\xe2\x80\xae"));
	ck_assert_ptr_nonnull(strstr(text, "a\\x1b[2J\\x0a"));
	for (const char *line = text; *line;) {
		const size_t n = strcspn(line, "\n");
		ck_assert_msg(n <= 80, "%.*s", (int)n, line);
		line += n + (line[n] == '\n');
	}
	free(text);
}
END_TEST

START_TEST(json_has_every_group_and_null_for_the_unknown)
{
	struct tailbox__json j;

	add_outage();
	bad("/r", 0, 10, "error");
	make(TAILBOX__NONE);
	tailbox__json_init(&j, false);
	ck_assert_int_eq(tailbox__failures_json(&f, run, &j), 0);
	char *text = tailbox__json_take(&j, NULL);
	static const char *const want[] = {
		"\"requests\":215,\"slow_us\":null,",
		"{\"kind\":\"cancelled\",\"requests\":0,\"groups\":[]}",
		"{\"blocked\":{\"kind\":\"wait\",\"name\":\"db_pool\"},"
		"\"requests\":12,\"blocked_permille\":950,"
		"\"p50_blocked_us\":1900000,\"max_blocked_us\":1900000,"
		"\"longest_request_id\":\"r00001\",\"unfinished_there\":0,",
		"\"resource\":{\"samples\":2,\"max_in_use\":10,\"size\":10,"
		"\"full_samples\":2,\"max_waiting\":37,"
		"\"max_oldest_wait_us\":null,\"max_depth_at_start\":11}",
		"{\"what\":\"route\",\"key\":null,\"value\":\"/report\","
		"\"requests\":12,\"other_requests\":2,"
		"\"other_requests_known\":203}",
		/* Together: clang takes them for a lost comma otherwise. */
		("\"moment\":{\"from_run_us\":10000000,"
		 "\"to_run_us\":11100000,\"requests\":12,"),
		"{\"blocked\":{\"kind\":\"unexplained\",\"name\":null},",
		"\"resource\":null,\"shared\":[],\"moment\":null}",
	};
	for (size_t i = 0; i < COUNT(want); i++)
		ck_assert_msg(strstr(text, want[i]) != NULL, "no %s in\n%s",
		              want[i], text);
	ck_assert_ptr_null(strstr(text, "\"kind\":\"slow\""));
	tailbox__free(text);
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
	TCase *t = tcase_create("failures");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_request_is_in_the_first_kind_that_fits);
	tcase_add_test(t, nothing_of_a_run_without_failures);
	tcase_add_test(t, losses_and_what_is_left_out_are_told);
	tcase_add_test(t, a_group_is_what_took_most_of_a_request);
	tcase_add_test(t, of_equals_waits_come_first_and_then_the_text);
	tcase_add_test(t, groups_come_by_size_and_know_their_times);
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
	tcase_add_test(t, a_pool_is_looked_at_while_members_wait);
	tcase_add_test(t, what_no_look_tells_is_not_known);
	tcase_add_test(t, for_a_worker_the_workers_are_the_resource);
	tcase_add_test(t, the_wait_for_a_worker_is_not_what_its_group_shares);
	tcase_add_test(t, requests_that_have_not_ended_there_are_counted);
	tcase_add_test(t, text_says_it_in_one_sentence);
	tcase_add_test(t, text_shows_three_groups_and_counts_the_rest);
	tcase_add_test(t, text_tells_when_there_is_nothing);
	tcase_add_test(t, text_is_harmless_and_narrow);
	tcase_add_test(t, json_has_every_group_and_null_for_the_unknown);
	tcase_add_test(t, counts_agree_with_looking_at_each_request);
	tcase_add_test(t, every_allocation_may_fail);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
