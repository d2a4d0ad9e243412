/* core/assemble_gauges.c - the values of gauges out of their moves.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md 7.7. A move is +1 or -1 through a request; the moves of
 * admitted requests, finished or open, are played in tick order.
 *
 * A label that is refused (too many are live) makes its guard a dead one: the
 * move down that belongs to it must not count even if the label has become
 * live since through another request. Moves carry no guard, so a request
 * remembers its refused labels, and its next move down of such a label is
 * taken to be that guard's.
 *
 * The run's strings identify labels, because two numbers of the tape may have
 * the same text.
 */
#include "core/assemble_plan.h"

#include <errno.h>

#include "core/alloc.h"

struct player {
	struct tailbox__plan *p;
	tailbox__key_list moves; /* by tick */
	uint64_t *values;        /* by string of the run */
	uint64_t live;           /* labels that are not 0 */
};

static void drop(struct player *g, uint64_t tick)
{
	g->p->truncation.dropped_inflight_snapshots++;
	if (tick < g->p->overflow)
		g->p->overflow = tick;
}

static int append(struct player *g, tailbox__str gauge, uint64_t tick)
{
	struct tailbox__run *run = g->p->run;

	if (run->inflight.count >=
	    g->p->a->config.limits.max_inflight_snapshots) {
		drop(g, tick);
		return 0;
	}
	struct tailbox__run_gauge *s = tailbox__list_add(&run->inflight);
	if (!s)
		return -ENOMEM;
	s->gauge = gauge;
	s->at_us = tick; /* converted when the run's zero is known */
	s->count = g->values[gauge];
	return 0;
}

static int refuse(struct player *g, struct tailbox__entry *e,
                  tailbox__str gauge, uint64_t tick)
{
	drop(g, tick);
	/* Nothing is ever live: no move down could count. */
	if (g->p->a->config.limits.max_inflight_snapshots == 0)
		return 0;
	struct tailbox__refused *r = tailbox__list_add(&g->p->refused);
	if (!r)
		return -ENOMEM;
	r->gauge = gauge;
	r->next = e->refused;
	e->refused = (uint32_t)g->p->refused.count;
	return 0;
}

/* Whether the move down of a request belongs to a refused one; takes it. */
static bool take_refused(struct player *g, struct tailbox__entry *e,
                         tailbox__str gauge)
{
	for (uint32_t *at = &e->refused; *at;) {
		struct tailbox__refused *r =
		        &g->p->refused.items[*at - 1];
		if (r->gauge == gauge) {
			*at = r->next;
			return true;
		}
		at = &r->next;
	}
	return false;
}

static int move_up(struct player *g, struct tailbox__entry *e,
                   tailbox__str gauge, uint64_t tick)
{
	if (g->values[gauge] == 0 &&
	    g->live >= g->p->a->config.limits.max_inflight_snapshots)
		return refuse(g, e, gauge, tick);
	g->live += g->values[gauge]++ == 0;
	return append(g, gauge, tick);
}

static int move_down(struct player *g, struct tailbox__entry *e,
                     tailbox__str gauge, uint64_t tick)
{
	if (take_refused(g, e, gauge) || g->values[gauge] == 0)
		return 0;
	g->live -= --g->values[gauge] == 0;
	return append(g, gauge, tick);
}

/* The moves of admitted requests in tick order; equal ticks stay as they
 * came, which is their order on one thread. Interns every label, so that the
 * strings are known before values are laid out by them. */
static int pick_moves(struct player *g)
{
	struct tailbox__plan *p = g->p;
	struct tailbox__assembly *a = p->a;

	if (tailbox__plan_reserve(&g->moves, a->moves.count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < a->moves.count; i++) {
		const struct tailbox__rec_span *m = &a->moves.items[i];
		struct tailbox__entry *e = tailbox__plan_find(p, m->number);
		if (!e || !e->is_admitted)
			continue;
		if (!tailbox__plan_required_name(p, m->name))
			return -ENOMEM;
		g->moves.items[g->moves.count++] = (struct tailbox__key){
			m->start, (uint32_t)i,
			(uint32_t)(e - a->entries.items)
		};
	}
	if (tailbox__plan_reserve(&p->tmp, g->moves.count) < 0)
		return -ENOMEM;
	tailbox__sort_keys(g->moves.items, p->tmp.items, g->moves.count);
	return 0;
}

static int play(struct player *g)
{
	struct tailbox__plan *p = g->p;

	g->values = tailbox__zalloc((size_t)tailbox__run_str_count(p->run) + 1,
	                            sizeof(*g->values));
	if (!g->values)
		return -ENOMEM;
	for (size_t i = 0; i < g->moves.count; i++) {
		const struct tailbox__key *k = &g->moves.items[i];
		const struct tailbox__rec_span *m = &p->a->moves.items[k->index];
		struct tailbox__entry *e = &p->a->entries.items[k->entry];
		tailbox__str gauge = tailbox__plan_required_name(p, m->name);
		int ret = m->type == TAILBOX__SPAN_GAUGE_UP
		                  ? move_up(g, e, gauge, k->tick)
		                  : move_down(g, e, gauge, k->tick);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int tailbox__plan_gauges(struct tailbox__plan *p)
{
	struct player g = { .p = p };

	p->run->inflight.count = 0;
	p->refused.count = 0;
	int ret = pick_moves(&g);
	if (ret == 0)
		ret = play(&g);
	tailbox__free(g.values);
	tailbox__free(g.moves.items);
	return ret;
}

int tailbox__plan_put_gauges(struct tailbox__plan *p)
{
	for (size_t i = 0; i < p->run->inflight.count; i++) {
		struct tailbox__run_gauge *s = &p->run->inflight.items[i];
		s->at_us = tailbox__plan_us(p, s->at_us);
		s->at_ms = tailbox__plan_ms(p, s->at_us);
		s->flags = TAILBOX__HAS_START_US;
	}
	TAILBOX__FORGET(&p->a->moves);
	return 0;
}
