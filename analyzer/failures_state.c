/* analyzer/failures_state.c - how what a group waited for was used then.
 *
 * SPDX-License-Identifier: MIT
 *
 * "Then" is while at least one member was in the wait: the looks of the
 * sampler inside the union of these spans. A pool is known by its name, which
 * is that of the wait; of the wait for a worker the workers are the pool. The
 * looks are few and single, so what they show most of is a lower bound.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/failures_internal.h"
#include "core/alloc.h"
#include "core/metrics.h"

#define BOTH (TAILBOX__HAS_START_US | TAILBOX__HAS_END_US)

/* --- once ----------------------------------------------------------------- */

static int by_time(const void *va, const void *vb)
{
	const struct tailbox__fail_look *a = va, *b = vb;

	if (a->at_us != b->at_us)
		return a->at_us < b->at_us ? -1 : 1;
	return (a->snapshot > b->snapshot) - (a->snapshot < b->snapshot);
}

static int take_looks(struct tailbox__fail_work *w)
{
	const size_t n = w->run->snapshots.count;

	w->looks = tailbox__alloc(n, sizeof(*w->looks));
	w->values_of = tailbox__zalloc(n + 1, sizeof(*w->values_of));
	if (!w->looks || !w->values_of)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (w->run->snapshots.items[i].flags & TAILBOX__HAS_START_US)
			w->looks[w->look_count++] = (struct tailbox__fail_look){
				w->run->snapshots.items[i].at_us, (uint32_t)i
			};
	if (w->look_count > 0)
		qsort(w->looks, w->look_count, sizeof(*w->looks), by_time);
	/* Values are in the order of their snapshots. */
	for (size_t i = 0; i < w->run->values.count; i++)
		if (w->run->values.items[i].snapshot < n)
			w->values_of[w->run->values.items[i].snapshot + 1]++;
	for (size_t i = 0; i < n; i++)
		w->values_of[i + 1] += w->values_of[i];
	return 0;
}

int tailbox__fail_state_init(struct tailbox__fail_work *w)
{
	const size_t n = tailbox__run_str_count(w->run);

	w->open_by_name = tailbox__zalloc(n + 1, sizeof(*w->open_by_name));
	if (!w->open_by_name)
		return -ENOMEM;
	for (size_t i = 0; i < w->run->open.count; i++) {
		const struct tailbox__run_open *o = &w->run->open.items[i];

		if (o->where)
			w->open_by_name[o->where]++;
		else if (o->phase < TAILBOX__PHASE_COUNT)
			w->open_by_phase[o->phase]++;
	}
	return take_looks(w);
}

/* --- when members were in the wait ---------------------------------------- */

static int add_span(struct tailbox__fail_work *w, uint64_t from, uint64_t to)
{
	struct tailbox__interval *s = tailbox__list_add(&w->spans);

	if (!s)
		return -ENOMEM;
	*s = (struct tailbox__interval){ from, to };
	return 0;
}

/* Waits by that name; and how many were ahead of them. */
static int take_waits(struct tailbox__fail_work *w,
                      struct tailbox__failure_group *g, uint32_t request)
{
	const struct tailbox__children *q = &w->index.queues;

	for (uint32_t i = q->first[request]; i < q->first[request + 1]; i++) {
		const struct tailbox__run_span *e =
		        &w->run->queues.items[q->events[i]];

		if (e->name != g->piece.name)
			continue;
		if (e->depth != TAILBOX__NONE &&
		    (g->depth == TAILBOX__NONE || e->depth > g->depth))
			g->depth = e->depth;
		if ((e->flags & BOTH) == BOTH &&
		    add_span(w, e->start_us, e->end_us) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int take_ingress(struct tailbox__fail_work *w, uint32_t request)
{
	const struct tailbox__run_request *r = &w->run->requests.items[request];
	const struct tailbox__run_ext *x = tailbox__fail_ext(w->run, r);
	const uint64_t ns =
	        x ? x->phase_ns[TAILBOX__PHASE_INGRESS] : TAILBOX__NONE;

	if (ns == TAILBOX__NONE || !(r->flags & TAILBOX__HAS_START_US))
		return 0;
	return add_span(w, r->start_us,
	                tailbox__sat_add(r->start_us, ns / 1000));
}

static int by_start(const void *va, const void *vb)
{
	const struct tailbox__interval *a = va, *b = vb;

	return (a->start > b->start) - (a->start < b->start);
}

/* --- what the looks show -------------------------------------------------- */

static void keep_most(uint64_t *most, uint64_t value)
{
	if (value != TAILBOX__NONE && (*most == TAILBOX__NONE || value > *most))
		*most = value;
}

static void take_use(struct tailbox__usage *u, uint64_t in_use, uint64_t size)
{
	if (in_use == TAILBOX__NONE)
		return;
	if (u->samples == 0 || in_use > u->in_use) {
		u->in_use = in_use;
		u->size = size;
	}
	u->samples++;
	if (size == TAILBOX__NONE)
		return;
	u->sized++;
	u->full += in_use >= size;
}

static void look_at(const struct tailbox__fail_work *w, uint32_t snapshot,
                    struct tailbox__failure_group *g)
{
	const struct tailbox__run_snapshot *s =
	        &w->run->snapshots.items[snapshot];
	uint64_t in_use = TAILBOX__NONE, size = TAILBOX__NONE;

	if (g->is_for_worker && s->flags & TAILBOX__HAS_WORKERS)
		size = s->worker_count;
	for (uint32_t i = w->values_of[snapshot];
	     i < w->values_of[snapshot + 1]; i++) {
		const struct tailbox__run_value *v = &w->run->values.items[i];

		if (g->is_for_worker) {
			if (v->metric == TAILBOX__METRIC_BUSY_WORKERS)
				in_use = v->value;
			continue;
		}
		if (v->metric == TAILBOX__METRIC_POOL_BUSY &&
		    v->subject == g->piece.name)
			in_use = v->value;
		else if (v->metric == TAILBOX__METRIC_POOL_CAPACITY &&
		         v->subject == g->piece.name)
			size = v->value;
		else if (v->metric == TAILBOX__METRIC_POOL_WAITING &&
		         v->subject == g->piece.name)
			keep_most(&g->usage.waiting, v->value);
		else if (v->metric == TAILBOX__METRIC_POOL_OLDEST_US &&
		         v->subject == g->piece.name)
			keep_most(&g->usage.oldest_us, v->value);
	}
	take_use(&g->usage, in_use, size);
}

/* Each look in the union of the spans, once. */
static void take_usage(struct tailbox__fail_work *w,
                       struct tailbox__failure_group *g)
{
	size_t at = 0;

	if (w->spans.count == 0)
		return;
	qsort(w->spans.items, w->spans.count, sizeof(*w->spans.items),
	      by_start);
	for (size_t i = 0; i < w->spans.count; i++) {
		const struct tailbox__interval *s = &w->spans.items[i];
		size_t n = w->look_count - at;

		while (n > 0) { /* the first look that is not before it */
			const size_t half = n / 2;

			if (w->looks[at + half].at_us < s->start) {
				at += half + 1;
				n -= half + 1;
			} else {
				n = half;
			}
		}
		for (; at < w->look_count && w->looks[at].at_us <= s->end; at++)
			look_at(w, w->looks[at].snapshot, g);
	}
}

/* --- who held the workers ------------------------------------------------- */

static int by_value(const void *va, const void *vb)
{
	const tailbox__str *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

/* A route among the first ones; the one that falls out is counted. */
static void place_holder(const struct tailbox__run *run,
                         struct tailbox__failure_group *g,
                         struct tailbox__holder h)
{
	for (size_t i = 0; i < g->holder_count; i++) {
		const struct tailbox__holder other = g->holders[i];

		if (h.count < other.count ||
		    (h.count == other.count &&
		     tailbox__run_compare(run, h.route, other.route) > 0))
			continue;
		g->holders[i] = h;
		h = other;
	}
	if (g->holder_count < TAILBOX__FAILURES_HOLDERS)
		g->holders[g->holder_count++] = h;
	else
		g->other_held += h.count;
}

static int take_holders(const struct tailbox__run *run,
                        struct tailbox__failure_group *g,
                        const struct tailbox__fail_member *members, size_t n)
{
	tailbox__str *routes = tailbox__alloc(n, sizeof(*routes));
	size_t known = 0, end;

	if (!routes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct tailbox__run_ext *x = tailbox__fail_ext(
		        run, &run->requests.items[members[i].request]);

		if (x && x->holder_route)
			routes[known++] = x->holder_route;
	}
	g->unknown_held = n - known;
	if (known > 0)
		qsort(routes, known, sizeof(*routes), by_value);
	for (size_t i = 0; i < known; i = end) {
		for (end = i + 1; end < known && routes[end] == routes[i];)
			end++;
		place_holder(run, g,
		             (struct tailbox__holder){ routes[i], end - i });
	}
	tailbox__free(routes);
	return 0;
}

/* How many open requests are where the group was. Of a content reader there is
 * only the phase that it is a part of. */
static uint64_t open_in(const struct tailbox__fail_work *w,
                        const struct tailbox__failure_group *g)
{
	switch (g->piece.kind) {
	case TAILBOX__PIECE_PHASE:
		return w->open_by_phase[g->piece.phase];
	case TAILBOX__PIECE_READER:
		return w->open_by_phase[TAILBOX__PHASE_SEND];
	case TAILBOX__PIECE_WAIT:
	case TAILBOX__PIECE_STAGE:
		break;
	}
	return w->open_by_name[g->piece.name];
}

/* --- a group -------------------------------------------------------------- */

int tailbox__fail_state(struct tailbox__fail_work *w,
                        struct tailbox__failure_group *g,
                        const struct tailbox__fail_member *members, size_t n)
{
	int rc = 0;

	g->depth = TAILBOX__NONE;
	g->usage = (struct tailbox__usage){ .in_use = TAILBOX__NONE,
		                            .size = TAILBOX__NONE,
		                            .waiting = TAILBOX__NONE,
		                            .oldest_us = TAILBOX__NONE };
	if (g->is_explained)
		g->open = open_in(w, g);
	if (!g->is_wait && !g->is_for_worker)
		return 0;
	w->spans.count = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = g->is_wait ? take_waits(w, g, members[i].request)
		                : take_ingress(w, members[i].request);
	if (rc < 0)
		return rc;
	take_usage(w, g);
	return g->is_for_worker ? take_holders(w->run, g, members, n) : 0;
}
