/* analyzer/own.c - what requests were in, and what held up others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/apart.h"
#include "core/alloc.h"
#include "core/assemble_plan.h"

/* --- requests by their number --------------------------------------------- */

/* The request of the key; the first one of several. */
static uint32_t find(const struct tailbox__key *of, size_t n, uint64_t number)
{
	size_t low = 0, high = n;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (of[mid].tick < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && of[low].tick == number ? of[low].index : UINT32_MAX;
}

/* The first request of each connection, by the time of its beginning. Sorting
 * is stable, so of equal ones it is the first of the input. */
static void mark_first(struct tailbox__own *own, struct tailbox__key *of)
{
	const struct tailbox__run *run = own->run;
	const struct tailbox__run_request *r = run->requests.items;
	size_t n = 0;

	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_ext *x = tailbox__own_ext(run, &r[i]);

		if (x && x->number)
			of[n++] = (struct tailbox__key){ x->connection,
				                         (uint32_t)i, 0 };
	}
	tailbox__sort_keys(of, of + n, n);
	for (size_t i = 0, first = 0; i < n; i++) {
		if (of[i].tick != of[first].tick ||
		    r[of[i].index].start_us < r[of[first].index].start_us)
			first = i;
		if (i + 1 == n || of[i + 1].tick != of[i].tick)
			own->split[of[first].index].is_first =
			        of[first].tick != 0;
	}
}

static int by_route(const void *a, const void *b)
{
	const struct tailbox__own_hold *x = a, *y = b;

	if (x->route != y->route)
		return x->route < y->route ? -1 : 1;
	return (x->us > y->us) - (x->us < y->us);
}

/* How long each of those held that did, so that a part need not look at all
 * requests again. */
static int list_holds(struct tailbox__own *own)
{
	const struct tailbox__run *run = own->run;
	size_t most = 0;

	for (size_t i = 0; i < run->requests.count; i++)
		most += own->split[i].has_held;
	own->holds = tailbox__alloc(most, sizeof(*own->holds));
	if (!own->holds)
		return -ENOMEM;
	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__own_link *l = &own->links[i];

		if (own->split[i].has_held && l->handler_us != TAILBOX__NONE)
			own->holds[own->hold_count++] =
				(struct tailbox__own_hold){ l->handler_us,
				                            l->route };
	}
	qsort(own->holds, own->hold_count, sizeof(*own->holds), by_route);
	return 0;
}

/* Requests are numbered as they begin, and who held another up was there
 * before. So whatever a run says nobody holds itself, or others in a ring. */
static bool can_be_held(const struct tailbox__run_ext *x)
{
	return x && x->holder_number &&
	       (x->number == 0 || x->holder_number < x->number);
}

static struct tailbox__own_link link_of(const struct tailbox__run_request *r,
                                        const struct tailbox__run_ext *x,
                                        uint32_t holder)
{
	const uint64_t ns =
	        x ? x->phase_ns[TAILBOX__PHASE_HANDLER] : TAILBOX__NONE;

	return (struct tailbox__own_link){
		.handler_us = ns == TAILBOX__NONE ? ns : ns / 1000,
		.holder = holder,
		.route = r->route,
		.holder_route = x ? x->holder_route : 0,
		.is_held = x && (x->holder_number || x->holder_route),
	};
}

/* Who held up whom. */
static int link_holders(struct tailbox__own *own)
{
	const struct tailbox__run *run = own->run;
	struct tailbox__key *of =
	        tailbox__alloc(run->requests.count, 2 * sizeof(*of));
	size_t n = 0;

	if (!of)
		return -ENOMEM;
	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_ext *x =
		        tailbox__own_ext(run, &run->requests.items[i]);

		if (x && x->number)
			of[n++] = (struct tailbox__key){ x->number,
				                         (uint32_t)i, 0 };
	}
	tailbox__sort_keys(of, of + n, n);
	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_ext *x =
		        tailbox__own_ext(run, &run->requests.items[i]);
		const uint32_t holder = can_be_held(x)
		                                ? find(of, n, x->holder_number)
		                                : UINT32_MAX;

		own->split[i].holder = holder;
		own->links[i] = link_of(&run->requests.items[i], x, holder);
		if (holder != UINT32_MAX)
			own->split[holder].has_held = true;
	}
	mark_first(own, of);
	tailbox__free(of);
	return list_holds(own);
}

/* --- what a request was in ------------------------------------------------ */

int tailbox__own_waits(const struct tailbox__own *own,
                       const struct tailbox__children *of,
                       struct tailbox__scratch *scratch, size_t i, size_t *n)
{
	const uint32_t from = of->first[i], to = of->first[i + 1];

	*n = 0;
	if (tailbox__scratch_events(scratch, to - from) < 0)
		return -ENOMEM;
	for (uint32_t k = from; k < to; k++)
		if (own->run->queues.items[of->events[k]].name != own->ingress)
			scratch->events[(*n)++] = of->events[k];
	return 0;
}

/* Of equal ones that with the lower text: the order of the input is nothing. */
static tailbox__str longest(const struct tailbox__run *run,
                            const struct tailbox__run_span *items,
                            const uint32_t *events, size_t n)
{
	const struct tailbox__run_span *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct tailbox__run_span *e = &items[events[i]];

		if (!best || e->dur_us > best->dur_us ||
		    (e->dur_us == best->dur_us && e->name != best->name &&
		     tailbox__run_compare(run, e->name, best->name) < 0))
			best = e;
	}
	return best ? best->name : 0;
}

/* A wait may lie in a stage, which then has the rest, or beside it: the union
 * of both knows, and is only looked for where there are both. */
static int split(struct tailbox__own *own, const struct tailbox__index *index,
                 struct tailbox__scratch *scratch, size_t i)
{
	const struct tailbox__run *run = own->run;
	const struct tailbox__run_request *r = &run->requests.items[i];
	const struct tailbox__run_ext *x = tailbox__own_ext(run, r);
	struct tailbox__own_split *s = &own->split[i];
	const uint32_t *stages =
	        index->stages.events + index->stages.first[i];
	const size_t stage_count =
	        index->stages.first[i + 1] - index->stages.first[i];
	uint64_t marked, handler = 0;
	size_t waits;
	int rc = tailbox__own_waits(own, &index->queues, scratch, i, &waits);

	if (rc < 0)
		return rc;
	s->wait_count = (uint32_t)waits;
	s->wait = longest(run, run->queues.items, scratch->events, waits);
	s->stage = longest(run, run->stages.items, stages, stage_count);
	s->wait_us = tailbox__attributed(scratch, run->queues.items,
	                                 scratch->events, waits, false,
	                                 r->latency_us, &rc);
	marked = stage_count == 0
	                 ? s->wait_us
	                 : tailbox__attributed_both(
	                           scratch, run, scratch->events, waits,
	                           stages, stage_count, r->latency_us, &rc);
	if (rc < 0)
		return rc;
	/* Intervals and durations may contradict each other. */
	marked = marked > s->wait_us ? marked : s->wait_us;
	s->stage_us = marked - s->wait_us;
	if (x && x->phase_ns[TAILBOX__PHASE_HANDLER] != TAILBOX__NONE)
		handler = x->phase_ns[TAILBOX__PHASE_HANDLER] / 1000;
	s->bare_us = handler > marked ? handler - marked : 0;
	return 0;
}

int tailbox__own_make(const struct tailbox__run *run,
                      const struct tailbox__index *index,
                      struct tailbox__scratch *scratch,
                      struct tailbox__own *out)
{
	const size_t strings = tailbox__run_str_count(run);
	int rc = 0;

	*out = (struct tailbox__own){ .run = run };
	out->ingress = tailbox__run_find(run, TAILBOX__INGRESS_WAIT);
	out->split = tailbox__zalloc(run->requests.count, sizeof(*out->split));
	out->links = tailbox__alloc(run->requests.count, sizeof(*out->links));
	out->touched = tailbox__alloc(strings + 1, 3 * sizeof(*out->touched));
	for (int k = 0; k < TAILBOX__OWN_BY; k++)
		out->sums[k] = tailbox__zalloc(strings + 1, sizeof(uint64_t));
	if (!out->split || !out->links || !out->touched || !out->sums[0] ||
	    !out->sums[1] || !out->sums[2])
		return -ENOMEM;
	for (size_t i = 0; rc == 0 && i < run->requests.count; i++)
		rc = split(out, index, scratch, i);
	if (rc == 0)
		rc = link_holders(out);
	return rc == 0 ? tailbox__own_looks_make(out) : rc;
}

void tailbox__own_fini(struct tailbox__own *own)
{
	tailbox__free(own->split);
	tailbox__free(own->links);
	tailbox__free(own->looks);
	tailbox__free(own->holds);
	tailbox__free(own->touched);
	for (int k = 0; k < TAILBOX__OWN_BY; k++)
		tailbox__free(own->sums[k]);
	*own = (struct tailbox__own){ .run = NULL };
}
