/* tests/failures_fixture.h - bad requests, and the groups that were found of
 * them.
 *
 * SPDX-License-Identifier: MIT
 *
 * Expected figures of the tests are counted by hand from what is written here
 * and there.
 */
#ifndef TAILBOX_TESTS_FAILURES_FIXTURE_H
#define TAILBOX_TESTS_FAILURES_FIXTURE_H 1

#include <stdlib.h>

#include "analyzer/failures.h"
#include "core/metrics.h"
#include "tests/analyze_fixture.h"

#define S 1000000u
#define MS 1000u

static struct tailbox__failures f;

static inline void setup(void)
{
	begin();
	memset(&f, 0, sizeof(f));
}

static inline void teardown(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__failures_fini(&f);
	end();
}

static inline void make(uint64_t slow_us)
{
	tailbox__failures_fini(&f);
	ck_assert_int_eq(tailbox__failures_make(run, slow_us, &f), 0);
}

static inline const struct tailbox__failure_group *
group(enum tailbox__failure kind, size_t i)
{
	ck_assert_uint_lt(i, f.kinds[kind].group_count);
	return &f.kinds[kind].groups[i];
}

/* The piece of a group as text. */
static inline const char *where(const struct tailbox__failure_group *g)
{
	static char label[80];

	if (!g->is_explained)
		return "unexplained";
	tailbox__piece_label(run, &g->piece, label, sizeof(label));
	return label;
}

static inline uint32_t bad(const char *route, uint64_t start_us, uint64_t us,
                           const char *outcome)
{
	const uint32_t r = add_request(route, start_us, us);

	run->requests.items[r].outcome = tailbox__run_cstr(run, outcome);
	return r;
}

/* n good ones, 1 ms each, one every gap. */
static inline void add_good(unsigned n, const char *route, uint64_t from,
                            uint64_t gap)
{
	for (unsigned i = 0; i < n; i++)
		add_request(route, from + i * gap, MS);
}

static inline struct tailbox__run_ext *ext_of(uint32_t request)
{
	struct tailbox__run_request *r = &run->requests.items[request];

	return r->ext ? &run->ext.items[r->ext - 1] : sample_add_ext(run, r);
}

static inline void wait_in(uint32_t request, const char *name, uint64_t from,
                           uint64_t to, uint64_t depth)
{
	struct tailbox__run_span *q = add_queue(request, from, to, depth);

	q->name = tailbox__run_cstr(run, name);
}

static inline void add_value(enum tailbox__metric metric, uint32_t subject,
                             uint64_t value)
{
	struct tailbox__run_value *v = tailbox__list_add(&run->values);

	v->snapshot = (uint32_t)run->snapshots.count - 1;
	v->metric = (uint16_t)metric;
	v->subject = subject;
	v->value = value;
}

/* A look at a pool; NONE: not known. */
static inline void add_look(uint64_t at_us, const char *pool, uint64_t busy,
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

static inline const struct tailbox__shared *
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

/* 4 timeouts of /r on worker 3, held by /h, tagged, failing in a stage and
 * having been in another wait; 96 others, 10 of /r. */
static inline void add_alike(void)
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

/* n members waited for a worker from 10 ms on, for 10 ms. */
static inline void wait_for_worker(unsigned n, const char *holder)
{
	for (unsigned i = 0; i < n; i++) {
		const uint32_t r = bad("/a", 10 * MS, 12 * MS, "error");
		struct tailbox__run_ext *x = ext_of(r);

		x->phase_ns[TAILBOX__PHASE_INGRESS] = 10 * MS * 1000;
		x->holder_route = holder ? tailbox__run_cstr(run, holder) : 0;
		wait_in(r, "mhd.ingress", 0, 10 * MS, TAILBOX__NONE);
	}
}

/* The example of the manual: 12 of 14 timeouts. */
static inline void add_outage(void)
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

static inline TCase *failures_case(Suite *s)
{
	TCase *t = tcase_create("failures");

	tcase_add_checked_fixture(t, setup, teardown);
	/* The largest numbers take seconds on an idle machine. */
	tcase_set_timeout(t, 240);
	suite_add_tcase(s, t);
	return t;
}

#endif
