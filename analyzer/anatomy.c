/* analyzer/anatomy.c - take slow and ordinary requests apart.
 *
 * SPDX-License-Identifier: MIT
 *
 * Only the requests of the two groups are looked at, about a fifth.
 */
#include "analyzer/anatomy.h"

#include <errno.h>
#include <stdlib.h>

#include "analyzer/analysis.h"
#include "analyzer/apart.h"
#include "core/alloc.h"

struct groups {
	const struct tailbox__run *run;
	struct tailbox__apart apart;
	struct tailbox__anatomy *out;
};

static void add(uint64_t *to, uint64_t us)
{
	*to = tailbox__sat_add(*to, us);
}

/* A request of one of the groups: its own times onto the sums of that. */
static int take(struct groups *g, uint32_t request, bool is_tail)
{
	const uint64_t latency = g->run->requests.items[request].latency_us;
	struct tailbox__apart *apart = &g->apart;
	struct tailbox__anatomy *a = g->out;
	int rc = tailbox__apart_request(apart, request);

	if (rc < 0)
		return rc;
	while (a->count < apart->count) {
		const struct tailbox__apart_piece *from = &apart->pieces[a->count];
		struct tailbox__piece *p = tailbox__list_grow(
		        (void **)&a->pieces, &a->count, &a->room, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->kind = from->kind;
		p->phase = from->phase;
		p->name = from->name;
	}
	for (size_t i = 0; i < apart->seen_count; i++) {
		struct tailbox__piece *p = &a->pieces[apart->seen[i]];
		add(is_tail ? &p->tail_us : &p->typical_us,
		    apart->pieces[apart->seen[i]].us);
	}
	*(is_tail ? &a->tail_count : &a->typical_count) += 1;
	add(is_tail ? &a->tail_us : &a->typical_us, latency);
	add(is_tail ? &a->tail_left_us : &a->typical_left_us, apart->left_us);
	return 0;
}

/* --- all of them ---------------------------------------------------------- */

static int find_bounds(const struct tailbox__run *run, uint64_t *p40,
                       uint64_t *p60, uint64_t *p99)
{
	struct tailbox__series s = { .items = NULL };

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

static int take_all(struct groups *g)
{
	const struct tailbox__run *run = g->run;
	uint64_t p40 = 0, p60 = 0, p99 = 0;
	bool has_above = false;
	int rc = find_bounds(run, &p40, &p60, &p99);

	for (size_t i = 0; i < run->requests.count; i++)
		has_above = has_above || run->requests.items[i].latency_us > p99;
	for (size_t i = 0; rc == 0 && i < run->requests.count; i++) {
		const uint64_t us = run->requests.items[i].latency_us;

		if (us > p99 || (us == p99 && !has_above))
			rc = take(g, (uint32_t)i, true);
		if (rc == 0 && us >= p40 && us <= p60)
			rc = take(g, (uint32_t)i, false);
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

int tailbox__anatomy_make(const struct tailbox__run *run,
                          const struct tailbox__index *index,
                          struct tailbox__anatomy *out)
{
	struct groups g = { .run = run, .out = out };
	int rc;

	*out = (struct tailbox__anatomy){ .pieces = NULL };
	rc = tailbox__apart_init(&g.apart, run, index);
	if (rc == 0 && run->requests.count > 0)
		rc = take_all(&g);
	out->approximate_events = g.apart.approximate_events;
	tailbox__apart_fini(&g.apart);
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
