/* core/assemble_holds.c - callbacks that held their worker for long.
 *
 * SPDX-License-Identifier: MIT
 *
 * A hold belongs to the run by its own start, not by its request: what a
 * worker did while requests of the window waited for it is evidence also when
 * its own request began before the window, or is of no connection's request.
 * Where the request is in the run the hold names it by its id, and has its
 * route, which may have been known only after the hold had ended.
 */
#include "core/assemble_plan.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"

int tailbox__plan_holds(struct tailbox__plan *p)
{
	struct tailbox__assembly *a = p->a;
	tailbox__key_list *keys = &p->holds;

	if (tailbox__plan_reserve(keys, a->holds.count) < 0 ||
	    tailbox__plan_reserve(&p->tmp, a->holds.count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < a->holds.count; i++)
		if (a->holds.items[i].start < p->until)
			keys->items[keys->count++] = (struct tailbox__key){
				a->holds.items[i].start, (uint32_t)i, 0
			};
	tailbox__sort_keys(keys->items, p->tmp.items, keys->count);
	p->dropped_holds = p->is_sealed ? 0 : a->dropped_holds;
	if (keys->count > TAILBOX__HOLDS_MAX) {
		p->dropped_holds += keys->count - TAILBOX__HOLDS_MAX;
		keys->count = TAILBOX__HOLDS_MAX;
	}
	return 0;
}

uint16_t tailbox__plan_route_of(const struct tailbox__plan *p,
                                const struct tailbox__entry *e)
{
	struct tailbox__rec_request r;

	if (e->is_open)
		return TAILBOX__GET(p->a->open.items[e->at].route);
	memcpy(&r, &p->a->units.items[e->at], sizeof(r));
	return r.route;
}

static int put_hold(struct tailbox__plan *p, const struct tailbox__rec_span *r)
{
	struct tailbox__run_hold *h = tailbox__list_add(&p->run->holds);
	const struct tailbox__entry *e =
	        r->number ? tailbox__plan_find(p, r->number) : NULL;
	uint16_t route = r->name;

	if (e && !route)
		route = tailbox__plan_route_of(p, e);
	/* One that was dropped has no id. */
	h->request = e && e->is_admitted ? e->id : 0;
	h->route = tailbox__plan_name(p, route);
	h->start_us = tailbox__plan_us(p, r->start);
	h->dur_us = tailbox__plan_duration_us(p, r->start,
	                                      tailbox__plan_hold_end(r));
	h->number = r->number;
	h->worker = r->thread;
	h->kind = r->flags < TAILBOX__HOLD_KINDS ? r->flags : 0;
	return route && !h->route ? -ENOMEM : 0;
}

int tailbox__plan_put_holds(struct tailbox__plan *p)
{
	int ret = TAILBOX__RESERVE(&p->run->holds, p->holds.count);

	/* Within the room just made: _list_add cannot fail. */
	for (size_t i = 0; ret == 0 && i < p->holds.count; i++)
		ret = put_hold(p, &p->a->holds.items[p->holds.items[i].index]);
	TAILBOX__FORGET(&p->a->holds);
	return ret;
}
