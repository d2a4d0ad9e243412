/* analyzer/anatomy.c - take slow and ordinary requests apart.
 *
 * SPDX-License-Identifier: MIT
 *
 * Only the requests of the two groups are looked at, about a fifth. The events
 * of one are swept in time: at each edge the time since the edge before goes
 * to the event that began last of those that are open. Open events are kept in
 * a list in the order of their beginning, so that its last one is the one; an
 * event that ends is looked for from the end, where it usually is.
 */
#include "analyzer/anatomy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "core/alloc.h"

#define BOTH (TAILBOX__HAS_START_US | TAILBOX__HAS_END_US)

struct edge {
	uint64_t at;
	uint32_t event; /* in events */
	bool is_end;
};
struct event {
	const struct tailbox__run_span *span;
	bool is_wait;
};

struct sweep {
	const struct tailbox__run *run;
	const struct tailbox__index *index;
	struct tailbox__anatomy *out;
	uint32_t *piece_of[2]; /* by string; [0] stages, [1] waits */
	tailbox__str ingress;  /* the name of what is a phase already; 0 */
	struct event *events;
	struct edge *edges;
	uint32_t *open;
	size_t room;
	bool is_tail;
};

/* --- pieces ---------------------------------------------------------------------- */

static void add(struct sweep *s, struct tailbox__piece *p, uint64_t us)
{
	uint64_t *to = s->is_tail ? &p->tail_us : &p->typical_us;

	*to = tailbox__sat_add(*to, us);
}

static int add_named(struct sweep *s, const struct event *e, uint64_t us)
{
	uint32_t *of = &s->piece_of[e->is_wait][e->span->name];
	struct tailbox__anatomy *a = s->out;

	if (*of == UINT32_MAX) {
		struct tailbox__piece *p = tailbox__list_grow(
		        (void **)&a->pieces, &a->count, &a->room,
		        sizeof(*a->pieces));
		if (!p)
			return -ENOMEM;
		p->kind = e->is_wait ? TAILBOX__PIECE_WAIT
		                     : TAILBOX__PIECE_STAGE;
		p->name = e->span->name;
		*of = (uint32_t)(a->count - 1);
	}
	add(s, &a->pieces[*of], us);
	return 0;
}

/* --- the events of one request --------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	/* Ends first, so that what follows at once is not nested. Of what
	 * begins together the longer one came first: edges of one event are
	 * made in the order of the input, outer ones end last. */
	if (x->is_end != y->is_end)
		return x->is_end ? -1 : 1;
	return (x->event > y->event) - (x->event < y->event);
}

static bool make_room(struct sweep *s, size_t n)
{
	const size_t room = n + n / 2;
	void *p;

	if (n <= s->room)
		return true;
	p = tailbox__realloc(s->events, room, sizeof(*s->events));
	if (!p)
		return false;
	s->events = p;
	p = tailbox__realloc(s->edges, room, 2 * sizeof(*s->edges));
	if (!p)
		return false;
	s->edges = p;
	p = tailbox__realloc(s->open, room, sizeof(*s->open));
	if (!p)
		return false;
	s->open = p;
	s->room = room;
	return true;
}

static size_t collect(struct sweep *s, const struct tailbox__children *of,
                      const struct tailbox__run_span *items, bool is_wait,
                      uint32_t request, size_t n)
{
	for (uint32_t i = of->first[request]; i < of->first[request + 1]; i++) {
		const struct tailbox__run_span *e = &items[of->events[i]];

		if (!is_wait || e->name != s->ingress)
			s->events[n++] = (struct event){ e, is_wait };
	}
	return n;
}

static int longest_first(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->span->end_us != y->span->end_us)
		return x->span->end_us > y->span->end_us ? -1 : 1;
	return (x->is_wait > y->is_wait) - (x->is_wait < y->is_wait);
}

/* The time that n events with intervals cover; each instant to one of them. */
static int paint(struct sweep *s, size_t n, uint64_t *covered)
{
	size_t edges = 0, open = 0;
	uint64_t last = 0;

	qsort(s->events, n, sizeof(*s->events), longest_first);
	for (size_t i = 0; i < n; i++) {
		const struct tailbox__run_span *e = s->events[i].span;
		s->edges[edges++] = (struct edge){ e->start_us, (uint32_t)i,
			                           false };
		s->edges[edges++] = (struct edge){ e->end_us, (uint32_t)i,
			                           true };
	}
	qsort(s->edges, edges, sizeof(*s->edges), by_time);
	for (size_t i = 0; i < edges; i++) {
		const struct edge *e = &s->edges[i];
		size_t k = open;

		if (open > 0 && e->at > last) {
			*covered = tailbox__sat_add(*covered, e->at - last);
			if (add_named(s, &s->events[s->open[open - 1]],
			              e->at - last) < 0)
				return -ENOMEM;
		}
		last = e->at;
		if (!e->is_end) {
			s->open[open++] = e->event;
			continue;
		}
		while (k > 0 && s->open[k - 1] != e->event)
			k--;
		if (k == 0)
			continue; /* of no length: its end came first */
		memmove(&s->open[k - 1], &s->open[k],
		        (open - k) * sizeof(*s->open));
		open--;
	}
	return 0;
}

/* Events that began and ended at one instant stay open by the order of edges;
 * they are left out, as they cover nothing. */
static size_t keep_long(struct sweep *s, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (s->events[i].span->end_us > s->events[i].span->start_us)
			s->events[kept++] = s->events[i];
	return kept;
}

static int take_apart_events(struct sweep *s, uint32_t request,
                             uint64_t latency, uint64_t *covered)
{
	const struct tailbox__children *q = &s->index->queues;
	const struct tailbox__children *st = &s->index->stages;
	const size_t most = q->first[request + 1] - q->first[request] +
	                    st->first[request + 1] - st->first[request];
	bool has_all = true;
	size_t n;

	*covered = 0;
	if (most == 0)
		return 0;
	if (!make_room(s, most))
		return -ENOMEM;
	n = collect(s, st, s->run->stages.items, false, request, 0);
	n = collect(s, q, s->run->queues.items, true, request, n);
	for (size_t i = 0; i < n; i++)
		has_all = has_all && (s->events[i].span->flags & BOTH) == BOTH;
	if (has_all)
		return paint(s, keep_long(s, n), covered);
	for (size_t i = 0; i < n; i++) {
		const uint64_t us = tailbox__min_u64(
		        s->events[i].span->dur_us, latency - *covered);

		s->out->approximate_events++;
		*covered += us;
		if (add_named(s, &s->events[i], us) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* --- one request ------------------------------------------------------------------ */

/* Phases less what events cover of them, in the order in which they may hold
 * any. Returns the time of phases that is left. */
static uint64_t take_apart_phases(struct sweep *s,
                                  const struct tailbox__run_ext *ext,
                                  uint64_t covered, uint64_t room)
{
	static const enum tailbox__phase order[] = {
		TAILBOX__PHASE_HANDLER, TAILBOX__PHASE_SUSPENDED,
		TAILBOX__PHASE_BODY,    TAILBOX__PHASE_SEND,
		TAILBOX__PHASE_RESUME,  TAILBOX__PHASE_HEADERS,
		TAILBOX__PHASE_INGRESS
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const uint64_t ns = ext->phase_ns[order[i]];
		uint64_t us = ns == TAILBOX__NONE ? 0 : ns / 1000, off;

		if (order[i] != TAILBOX__PHASE_INGRESS) {
			off = tailbox__min_u64(us, covered);
			us -= off;
			covered -= off;
		}
		us = tailbox__min_u64(us, room - sum);
		sum += us;
		/* The pieces of phases are the first ones, in their order. */
		add(s, &s->out->pieces[order[i]], us);
	}
	return sum;
}

static int take_apart(struct sweep *s, uint32_t request)
{
	const struct tailbox__run_request *r = &s->run->requests.items[request];
	uint64_t *sum = s->is_tail ? &s->out->tail_us : &s->out->typical_us;
	uint64_t *left = s->is_tail ? &s->out->tail_left_us
	                            : &s->out->typical_left_us;
	uint64_t covered, rest;
	int rc = take_apart_events(s, request, r->latency_us, &covered);

	if (rc < 0)
		return rc;
	*sum = tailbox__sat_add(*sum, r->latency_us);
	*(s->is_tail ? &s->out->tail_count : &s->out->typical_count) += 1;
	rest = r->latency_us > covered ? r->latency_us - covered : 0;
	if (r->ext != 0 && r->ext <= s->run->ext.count)
		rest -= take_apart_phases(s, &s->run->ext.items[r->ext - 1],
		                          covered, rest);
	*left = tailbox__sat_add(*left, rest);
	return 0;
}

/* --- all of them ------------------------------------------------------------------- */

static int find_bounds(const struct tailbox__run *run, uint64_t *p40,
                       uint64_t *p60, uint64_t *p99)
{
	struct tailbox__series s = { NULL, 0, 0 };

	if (tailbox__series_reserve(&s, run->requests.count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < run->requests.count; i++)
		s.items[s.count++] = run->requests.items[i].latency_us;
	*p40 = tailbox__series_percentile(&s, 40);
	*p60 = tailbox__series_percentile(&s, 60);
	*p99 = tailbox__series_percentile(&s, 99);
	tailbox__series_fini(&s);
	return 0;
}

static int sweep_all(struct sweep *s)
{
	const struct tailbox__run *run = s->run;
	uint64_t p40 = 0, p60 = 0, p99 = 0;
	bool has_above = false;
	int rc = find_bounds(run, &p40, &p60, &p99);

	for (size_t i = 0; i < run->requests.count; i++)
		has_above = has_above || run->requests.items[i].latency_us > p99;
	for (size_t i = 0; rc == 0 && i < run->requests.count; i++) {
		const uint64_t us = run->requests.items[i].latency_us;

		if (us > p99 || (us == p99 && !has_above)) {
			s->is_tail = true;
			rc = take_apart(s, (uint32_t)i);
		}
		if (rc == 0 && us >= p40 && us <= p60) {
			s->is_tail = false;
			rc = take_apart(s, (uint32_t)i);
		}
	}
	return rc;
}

static int compare(const void *a, const void *b)
{
	const struct tailbox__piece *x = a, *y = b;

	if (x->tail_us != y->tail_us)
		return x->tail_us > y->tail_us ? -1 : 1;
	if (x->typical_us != y->typical_us)
		return x->typical_us > y->typical_us ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->phase != y->phase)
		return x->phase < y->phase ? -1 : 1;
	return (x->name > y->name) - (x->name < y->name);
}

static int prepare(struct sweep *s)
{
	const size_t n = tailbox__run_str_count(s->run);

	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++) {
		struct tailbox__piece *p = tailbox__list_grow(
		        (void **)&s->out->pieces, &s->out->count,
		        &s->out->room, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->phase = i;
	}
	for (int k = 0; k < 2; k++) {
		s->piece_of[k] = tailbox__alloc(n + 1, sizeof(uint32_t));
		if (!s->piece_of[k])
			return -ENOMEM;
		memset(s->piece_of[k], 0xff, (n + 1) * sizeof(uint32_t));
	}
	/* A wait by its name, a phase by its length: once is enough. Where
	 * there are no phases the wait is what tells of it. */
	for (uint32_t i = 1; s->run->ext.count > 0 && i <= n; i++)
		if (strcmp(tailbox__run_text(s->run, i, NULL), "mhd.ingress") ==
		    0)
			s->ingress = i;
	return 0;
}

int tailbox__anatomy_make(const struct tailbox__run *run,
                          const struct tailbox__index *index,
                          struct tailbox__anatomy *out)
{
	struct sweep s = { .run = run, .index = index, .out = out };
	int rc;

	*out = (struct tailbox__anatomy){ .pieces = NULL };
	rc = prepare(&s);
	if (rc == 0 && run->requests.count > 0)
		rc = sweep_all(&s);
	tailbox__free(s.piece_of[0]);
	tailbox__free(s.piece_of[1]);
	tailbox__free(s.events);
	tailbox__free(s.edges);
	tailbox__free(s.open);
	if (out->count > 0)
		qsort(out->pieces, out->count, sizeof(*out->pieces), compare);
	while (out->count > 0 && out->pieces[out->count - 1].tail_us == 0 &&
	       out->pieces[out->count - 1].typical_us == 0)
		out->count--;
	return rc;
}

void tailbox__anatomy_fini(struct tailbox__anatomy *a)
{
	tailbox__free(a->pieces);
	*a = (struct tailbox__anatomy){ .pieces = NULL };
}
