/* tests/analyze_fixture.h - runs to analyse, and what was found of them.
 *
 * SPDX-License-Identifier: MIT
 *
 * Everything that is built here is sound (spec/run-artifact.md section 9), so
 * that a report has no summaries unless a test asks for them: children lie in
 * their request, and wall times follow the run offsets.
 */
#ifndef TAILBOX_TESTS_ANALYZE_FIXTURE_H
#define TAILBOX_TESTS_ANALYZE_FIXTURE_H 1

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "core/alloc.h"
#include "tests/sample_runs.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BOTH_ENDS (TAILBOX__HAS_START_US | TAILBOX__HAS_END_US)
#define WALL_ZERO 1000u /* wall ms of run offset 0 */

static struct tailbox__run *run;
static struct tailbox__analyzer_options o;
static struct tailbox__report rep;

static inline uint64_t wall_of(uint64_t us)
{
	return WALL_ZERO + us / 1000;
}

static inline void make_run(void)
{
	run = sample_empty();
	run->meta.run_id = tailbox__run_cstr(run, "run-1");
	run->meta.service_name = tailbox__run_cstr(run, "shop");
	run->meta.started_ms = WALL_ZERO;
	run->meta.finalized_ms = TAILBOX__NONE - 1;
}

static inline void begin(void)
{
	make_run();
	ck_assert_int_eq(tailbox__analyzer_options_init(&o), 0);
	memset(&rep, 0, sizeof(rep));
}

/* Nothing is left behind, whatever the test did. */
static inline void end(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__report_fini(&rep);
	tailbox__analyzer_options_fini(&o);
	tailbox__run_destroy(run);
	run = NULL;
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

/* From the beginning, with the default options; for loops over variants. */
static inline void again(void)
{
	end();
	begin();
}

static inline uint32_t add_request(const char *route, uint64_t start_us,
                                   uint64_t latency_us)
{
	struct tailbox__run_request *r = tailbox__list_add(&run->requests);
	char id[24];

	snprintf(id, sizeof(id), "r%05zu", run->requests.count);
	r->id = tailbox__run_cstr(run, id);
	r->route = tailbox__run_cstr(run, route);
	r->outcome = tailbox__run_cstr(run, "ok");
	r->start_us = start_us;
	r->end_us = start_us + latency_us;
	r->start_ms = wall_of(r->start_us);
	r->end_ms = wall_of(r->end_us);
	r->latency_us = latency_us;
	r->flags = BOTH_ENDS;
	return (uint32_t)run->requests.count - 1;
}

static inline void fill_span(struct tailbox__run_span *s, uint32_t request,
                             const char *name, uint64_t from, uint64_t to)
{
	const struct tailbox__run_request *r = &run->requests.items[request];

	s->request = r->id;
	s->name = tailbox__run_cstr(run, name);
	s->start_us = r->start_us + from;
	s->end_us = r->start_us + to;
	s->start_ms = wall_of(s->start_us);
	s->end_ms = wall_of(s->end_us);
	s->dur_us = to - from;
	s->depth = TAILBOX__NONE;
	s->flags = BOTH_ENDS;
}

/* From and to count from the start of the request. */
static inline struct tailbox__run_span *
add_stage(uint32_t request, const char *name, uint64_t from, uint64_t to)
{
	struct tailbox__run_span *s = tailbox__list_add(&run->stages);

	fill_span(s, request, name, from, to);
	return s;
}

static inline struct tailbox__run_span *add_queue(uint32_t request,
                                                  uint64_t from, uint64_t to,
                                                  uint64_t depth)
{
	struct tailbox__run_span *s = tailbox__list_add(&run->queues);

	fill_span(s, request, "pool", from, to);
	s->depth = depth;
	return s;
}

static inline struct tailbox__run_gauge *
add_gauge(const char *name, uint64_t at_us, uint64_t count)
{
	struct tailbox__run_gauge *g = tailbox__list_add(&run->inflight);

	g->gauge = tailbox__run_cstr(run, name);
	g->flags = TAILBOX__HAS_START_US;
	g->at_us = at_us;
	g->at_ms = wall_of(at_us);
	g->count = count;
	return g;
}

/* Two samples: the gauge grows. */
static inline void add_growth(void)
{
	add_gauge("g", 0, 1);
	add_gauge("g", 1000, 2);
}

static inline struct tailbox__run_snapshot *
add_snapshot(uint64_t at_us, uint64_t global, uint64_t local, uint64_t blocking)
{
	struct tailbox__run_snapshot *s = tailbox__list_add(&run->snapshots);

	s->at_us = at_us;
	s->at_ms = wall_of(at_us);
	s->flags = TAILBOX__HAS_START_US;
	s->alive_tasks = s->remote_schedule_count = TAILBOX__NONE;
	s->global_queue_depth = global;
	s->local_queue_depth = local;
	s->blocking_queue_depth = blocking;
	return s;
}

/* n of them, with w workers (0: not known). */
static inline void add_snapshots(unsigned n, uint64_t global, uint64_t local,
                                 uint64_t blocking, uint32_t w)
{
	for (unsigned i = 0; i < n; i++) {
		struct tailbox__run_snapshot *s =
		        add_snapshot(i, global, local, blocking);

		s->worker_count = w;
		s->flags |= w ? TAILBOX__HAS_WORKERS : 0u;
	}
}

/* n requests, of 1000 us each, one after the other. */
static inline void add_requests(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		add_request("/r", i * 1000u, 1000);
}

/* Every request waits so long in a queue so deep. */
static inline void wait_in_all(uint64_t us, uint64_t depth)
{
	for (uint32_t i = 0; i < run->requests.count; i++)
		add_queue(i, 0, us, depth);
}

static inline void stage_in_all(const char *name, uint64_t us)
{
	for (uint32_t i = 0; i < run->requests.count; i++)
		add_stage(i, name, 0, us);
}

static inline void analyze(void)
{
	tailbox__report_fini(&rep);
	ck_assert_int_eq(tailbox__analyze(run, &o, false, &rep), 0);
	ck_assert_uint_ge(rep.whole.suspect_count, 1);
}

static inline const struct tailbox__suspect *
find_in(const struct tailbox__report_slice *slice,
        enum tailbox__suspect_kind kind)
{
	for (size_t i = 0; i < slice->suspect_count; i++)
		if (slice->suspects[i].kind == kind)
			return &slice->suspects[i];
	return NULL;
}

static inline const struct tailbox__suspect *
suspect(enum tailbox__suspect_kind kind)
{
	return find_in(&rep.whole, kind);
}

/* The score after an analysis; 0 = there is no such suspect. */
static inline unsigned score_of(enum tailbox__suspect_kind kind)
{
	const struct tailbox__suspect *s;

	analyze();
	s = suspect(kind);
	return s ? s->score : 0;
}

static inline bool tells(const struct tailbox__texts *t, const char *part)
{
	for (size_t i = 0; i < t->count; i++)
		if (strstr(t->items[i], part))
			return true;
	return false;
}

/* A text for each entry, in order: what it must hold; then NULL. */
static inline void expect_texts(const struct tailbox__texts *t,
                                const char *const *want)
{
	size_t n = 0;

	for (; want[n]; n++) {
		ck_assert_msg(n < t->count, "lacks \"%s\"", want[n]);
		ck_assert_msg(strstr(t->items[n], want[n]) != NULL,
		              "[%zu] \"%s\" lacks \"%s\"", n, t->items[n],
		              want[n]);
	}
	ck_assert_msg(n == t->count, "\"%s\" is too much",
	              n < t->count ? t->items[n] : "");
}
#define EXPECT_TEXTS(texts, ...)                                               \
	expect_texts(texts, (const char *const[]){ __VA_ARGS__, NULL })

/* A generator of numbers that is the same everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline uint64_t below(uint64_t *state, uint64_t limit)
{
	return next_random(state) % limit;
}

#endif
