/* analyzer/apart.c - take one request apart.
 *
 * SPDX-License-Identifier: MIT
 *
 * The events of a request are swept in time: at each edge the time since the
 * edge before goes to the event that began last of those that are open. Open
 * events are kept in a list in the order of their beginning, so that its last
 * one is the one; an event that ends is looked for from the end, where it
 * usually is.
 */
#include "analyzer/apart.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "core/alloc.h"

#define BOTH (TAILBOX__HAS_START_US | TAILBOX__HAS_END_US)

struct tailbox__apart_edge {
	uint64_t at;
	uint32_t event; /* in events */
	bool is_end;
};
struct tailbox__apart_event {
	const struct tailbox__run_span *span;
	bool is_wait;
};

/* --- pieces --------------------------------------------------------------- */

static int add(struct tailbox__apart *a, uint32_t number, uint64_t us)
{
	struct tailbox__apart_piece *p = &a->pieces[number];

	if (us == 0)
		return 0;
	if (p->us == 0) {
		uint32_t *seen = tailbox__list_grow(
		        (void **)&a->seen, &a->seen_count, &a->seen_room,
		        sizeof(*a->seen));
		if (!seen)
			return -ENOMEM;
		*seen = number;
	}
	p->us = tailbox__sat_add(p->us, us);
	return 0;
}

static int add_named(struct tailbox__apart *a,
                     const struct tailbox__apart_event *e, uint64_t us)
{
	uint32_t *of = &a->piece_of[e->is_wait][e->span->name];

	if (*of == UINT32_MAX) {
		struct tailbox__apart_piece *p = tailbox__list_grow(
		        (void **)&a->pieces, &a->count, &a->room, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->kind = e->is_wait ? TAILBOX__PIECE_WAIT
		                     : TAILBOX__PIECE_STAGE;
		p->name = e->span->name;
		*of = (uint32_t)(a->count - 1);
	}
	return add(a, *of, us);
}

/* --- the events of one request ------------------------------------------- */

static int by_time(const void *va, const void *vb)
{
	const struct tailbox__apart_edge *x = va, *y = vb;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	/* Ends first, so that what follows at once is not nested. Of what
	 * begins together the longer one came first: edges of one event are
	 * made in the order of the input, outer ones end last. */
	if (x->is_end != y->is_end)
		return x->is_end ? -1 : 1;
	return (x->event > y->event) - (x->event < y->event);
}

static bool make_room(struct tailbox__apart *a, size_t n)
{
	const size_t room = n + n / 2;
	void *p;

	if (n <= a->event_room)
		return true;
	p = tailbox__realloc(a->events, room, sizeof(*a->events));
	if (!p)
		return false;
	a->events = p;
	p = tailbox__realloc(a->edges, room, 2 * sizeof(*a->edges));
	if (!p)
		return false;
	a->edges = p;
	p = tailbox__realloc(a->open, room, sizeof(*a->open));
	if (!p)
		return false;
	a->open = p;
	a->event_room = room;
	return true;
}

static size_t collect(struct tailbox__apart *a,
                      const struct tailbox__children *of,
                      const struct tailbox__run_span *items, bool is_wait,
                      uint32_t request, size_t n)
{
	for (uint32_t i = of->first[request]; i < of->first[request + 1]; i++) {
		const struct tailbox__run_span *e = &items[of->events[i]];

		if (is_wait && e->name == a->ingress)
			continue;
		a->events[n++] = (struct tailbox__apart_event){ e, is_wait };
	}
	return n;
}

static int longest_first(const void *va, const void *vb)
{
	const struct tailbox__apart_event *x = va, *y = vb;

	if (x->span->end_us != y->span->end_us)
		return x->span->end_us > y->span->end_us ? -1 : 1;
	return (x->is_wait > y->is_wait) - (x->is_wait < y->is_wait);
}

/* The time that n events with intervals cover; each instant to one of them. */
static int paint(struct tailbox__apart *a, size_t n, uint64_t *covered)
{
	size_t edges = 0, open = 0;
	uint64_t last = 0;

	qsort(a->events, n, sizeof(*a->events), longest_first);
	for (size_t i = 0; i < n; i++) {
		const struct tailbox__run_span *e = a->events[i].span;
		const uint32_t k = (uint32_t)i;
		a->edges[edges++] = (struct tailbox__apart_edge){
			e->start_us, k, false
		};
		a->edges[edges++] = (struct tailbox__apart_edge){
			e->end_us, k, true
		};
	}
	qsort(a->edges, edges, sizeof(*a->edges), by_time);
	for (size_t i = 0; i < edges; i++) {
		const struct tailbox__apart_edge *e = &a->edges[i];
		size_t k = open;

		if (open > 0 && e->at > last) {
			*covered = tailbox__sat_add(*covered, e->at - last);
			if (add_named(a, &a->events[a->open[open - 1]],
			              e->at - last) < 0)
				return -ENOMEM;
		}
		last = e->at;
		if (!e->is_end) {
			a->open[open++] = e->event;
			continue;
		}
		while (k > 0 && a->open[k - 1] != e->event)
			k--;
		if (k == 0)
			continue; /* of no length: its end came first */
		memmove(&a->open[k - 1], &a->open[k],
		        (open - k) * sizeof(*a->open));
		open--;
	}
	return 0;
}

/* Events that began and ended at one instant stay open by the order of edges;
 * they are left out, as they cover nothing. */
static size_t keep_long(struct tailbox__apart *a, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (a->events[i].span->end_us > a->events[i].span->start_us)
			a->events[kept++] = a->events[i];
	return kept;
}

static int take_apart_events(struct tailbox__apart *a, uint32_t request,
                             uint64_t latency, uint64_t *covered)
{
	const struct tailbox__children *q = &a->index->queues;
	const struct tailbox__children *st = &a->index->stages;
	const size_t most = q->first[request + 1] - q->first[request] +
	                    st->first[request + 1] - st->first[request];
	bool has_all = true;
	size_t n;

	*covered = 0;
	if (most == 0)
		return 0;
	if (!make_room(a, most))
		return -ENOMEM;
	n = collect(a, st, a->run->stages.items, false, request, 0);
	n = collect(a, q, a->run->queues.items, true, request, n);
	for (size_t i = 0; i < n; i++)
		has_all = has_all && (a->events[i].span->flags & BOTH) == BOTH;
	if (has_all)
		return paint(a, keep_long(a, n), covered);
	for (size_t i = 0; i < n; i++) {
		const uint64_t us = tailbox__min_u64(
		        a->events[i].span->dur_us, latency - *covered);

		a->approximate_events++;
		*covered += us;
		if (add_named(a, &a->events[i], us) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* --- one request ---------------------------------------------------------- */

/* Phases less what events cover of them, in the order in which they may hold
 * any. What is left of `*rest` is unexplained. */
static int take_apart_phases(struct tailbox__apart *a,
                             const struct tailbox__run_ext *ext,
                             uint64_t covered, uint64_t *rest)
{
	static const enum tailbox__phase order[] = {
		TAILBOX__PHASE_HANDLER, TAILBOX__PHASE_SUSPENDED,
		TAILBOX__PHASE_BODY,    TAILBOX__PHASE_SEND,
		TAILBOX__PHASE_RESUME,  TAILBOX__PHASE_HEADERS,
		TAILBOX__PHASE_INGRESS
	};
	const bool has_reader = ext->reader_ns != TAILBOX__NONE;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const uint64_t ns = ext->phase_ns[order[i]];
		uint64_t us = ns == TAILBOX__NONE ? 0 : ns / 1000, off;

		if (order[i] != TAILBOX__PHASE_INGRESS) {
			off = tailbox__min_u64(us, covered);
			us -= off;
			covered -= off;
		}
		us = tailbox__min_u64(us, *rest);
		*rest -= us;
		/* The pieces of phases are the first ones, in their order. */
		if (order[i] == TAILBOX__PHASE_SEND && has_reader) {
			off = tailbox__min_u64(us, ext->reader_ns / 1000);
			us -= off;
			if (add(a, TAILBOX__PHASE_COUNT, off) < 0)
				return -ENOMEM;
		}
		if (add(a, order[i], us) < 0)
			return -ENOMEM;
	}
	return 0;
}

int tailbox__apart_request(struct tailbox__apart *a, uint32_t request)
{
	const struct tailbox__run_request *r = &a->run->requests.items[request];
	uint64_t covered;
	int rc;

	for (size_t i = 0; i < a->seen_count; i++)
		a->pieces[a->seen[i]].us = 0;
	a->seen_count = 0;
	rc = take_apart_events(a, request, r->latency_us, &covered);
	a->left_us = r->latency_us > covered ? r->latency_us - covered : 0;
	if (rc == 0 && r->ext != 0 && r->ext <= a->run->ext.count)
		rc = take_apart_phases(a, &a->run->ext.items[r->ext - 1],
		                       covered, &a->left_us);
	return rc;
}

/* --- all of them ---------------------------------------------------------- */

int tailbox__apart_init(struct tailbox__apart *a,
                        const struct tailbox__run *run,
                        const struct tailbox__index *index)
{
	const size_t n = tailbox__run_str_count(run);

	*a = (struct tailbox__apart){ .run = run, .index = index };
	for (unsigned i = 0; i <= TAILBOX__PHASE_COUNT; i++) {
		struct tailbox__apart_piece *p = tailbox__list_grow(
		        (void **)&a->pieces, &a->count, &a->room, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->phase = i;
		if (i == TAILBOX__PHASE_COUNT)
			p->kind = TAILBOX__PIECE_READER;
	}
	for (int k = 0; k < 2; k++) {
		a->piece_of[k] = tailbox__alloc(n + 1, sizeof(uint32_t));
		if (!a->piece_of[k])
			return -ENOMEM;
		memset(a->piece_of[k], 0xff, (n + 1) * sizeof(uint32_t));
	}
	/* A wait by its name, a phase by its length: once is enough. Where
	 * there are no phases the wait is what tells of it. */
	if (run->ext.count > 0)
		a->ingress = tailbox__run_find(run, TAILBOX__INGRESS_WAIT);
	return 0;
}

void tailbox__apart_fini(struct tailbox__apart *a)
{
	tailbox__free(a->pieces);
	tailbox__free(a->seen);
	tailbox__free(a->piece_of[0]);
	tailbox__free(a->piece_of[1]);
	tailbox__free(a->events);
	tailbox__free(a->edges);
	tailbox__free(a->open);
	*a = (struct tailbox__apart){ .run = NULL };
}
