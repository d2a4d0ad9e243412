/* analyzer/attribute.c - how much of a request its events cover.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 3: the union of the events' run intervals, so that
 * nested and parallel ones count once; where one has no interval, the sum of
 * the durations. Either way at most the request's latency.
 */
#include <errno.h>
#include <stdlib.h>

#include "analyzer/analysis.h"
#include "core/alloc.h"

#define BOTH (TAILBOX__HAS_START_US | TAILBOX__HAS_END_US)
#define FEW 16 /* sorted by insertion: what a request usually has */

void tailbox__scratch_fini(struct tailbox__scratch *s)
{
	tailbox__free(s->intervals);
	tailbox__free(s->events);
	tailbox__stages_fini(s);
	tailbox__free(s->touched);
	*s = (struct tailbox__scratch){ .intervals = NULL };
}

static bool make_room(struct tailbox__scratch *s, size_t n)
{
	struct tailbox__interval *grown;

	if (n <= s->interval_room)
		return true;
	grown = tailbox__realloc(s->intervals, n + n / 2, sizeof(*grown));
	if (!grown)
		return false;
	s->intervals = grown;
	s->interval_room = n + n / 2;
	return true;
}

int tailbox__scratch_events(struct tailbox__scratch *s, size_t n)
{
	uint32_t *grown;

	if (n <= s->event_room)
		return 0;
	grown = tailbox__realloc(s->events, n + n / 2, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->events = grown;
	s->event_room = n + n / 2;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct tailbox__interval *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

static void sort(struct tailbox__interval *v, size_t n)
{
	if (n > FEW) {
		qsort(v, n, sizeof(*v), by_start);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		const struct tailbox__interval x = v[i];
		size_t k = i;

		for (; k > 0 && by_start(&v[k - 1], &x) > 0; k--)
			v[k] = v[k - 1];
		v[k] = x;
	}
}

/* The length of the union; touching ones are one. */
static uint64_t covered(struct tailbox__interval *v, size_t n)
{
	uint64_t sum = 0;
	size_t i = 0;

	sort(v, n);
	while (i < n) {
		const uint64_t start = v[i].start;
		uint64_t end = v[i].end;

		for (i++; i < n && v[i].start <= end; i++)
			if (v[i].end > end)
				end = v[i].end;
		sum = tailbox__sat_add(sum, end > start ? end - start : 0);
	}
	return sum;
}

static uint64_t length(const struct tailbox__run_span *e)
{
	if ((e->flags & BOTH) != BOTH)
		return e->dur_us;
	return e->end_us > e->start_us ? e->end_us - e->start_us : 0;
}

/* Intervals of some events behind those that are there; room must be. */
struct events {
	size_t count; /* of intervals */
	uint64_t durations;
	bool has_all;
};

static void collect(struct tailbox__scratch *s, struct events *to,
                    const struct tailbox__run_span *items,
                    const uint32_t *events, size_t n, bool completed_only)
{
	for (size_t i = 0; i < n; i++) {
		const struct tailbox__run_span *e = &items[events[i]];

		if (completed_only && (e->flags & TAILBOX__PARTIAL))
			continue;
		to->has_all = to->has_all && (e->flags & BOTH) == BOTH;
		to->durations = tailbox__sat_add(to->durations, e->dur_us);
		s->intervals[to->count++] = (struct tailbox__interval){
			e->start_us, e->end_us
		};
	}
}

uint64_t tailbox__attributed(struct tailbox__scratch *s,
                             const struct tailbox__run_span *items,
                             const uint32_t *events, size_t n,
                             bool completed_only, uint64_t cap, int *rc)
{
	struct events all = { 0, 0, true };

	if (n == 1) /* the usual case */
		return completed_only && (items[*events].flags &
		                          TAILBOX__PARTIAL)
		               ? 0
		               : tailbox__min_u64(length(&items[*events]), cap);
	if (!make_room(s, n)) {
		*rc = -ENOMEM;
		return 0;
	}
	collect(s, &all, items, events, n, completed_only);
	return tailbox__min_u64(all.has_all ? covered(s->intervals, all.count)
	                                    : all.durations, cap);
}

uint64_t tailbox__attributed_both(struct tailbox__scratch *s,
                                  const struct tailbox__run *run,
                                  const uint32_t *waits, size_t wait_count,
                                  const uint32_t *stages, size_t stage_count,
                                  uint64_t cap, int *rc)
{
	struct events all = { 0, 0, true };

	if (!make_room(s, wait_count + stage_count)) {
		*rc = -ENOMEM;
		return 0;
	}
	collect(s, &all, run->queues.items, waits, wait_count, false);
	collect(s, &all, run->stages.items, stages, stage_count, false);
	return tailbox__min_u64(all.has_all ? covered(s->intervals, all.count)
	                                    : all.durations, cap);
}
