/* core/assemble_stacks.c - where held workers were.
 *
 * SPDX-License-Identifier: MIT
 *
 * A stack belongs to the run by its own instant, as a sample does; the hold
 * that it was taken in may have begun before, and be over or not. Its request
 * is named where it is in the run.
 */
#include "core/assemble_plan.h"

#include <errno.h>
#include <string.h>

int tailbox__plan_stacks(struct tailbox__plan *p)
{
	struct tailbox__assembly *a = p->a;
	tailbox__key_list *keys = &p->stacks;

	if (tailbox__plan_reserve(keys, a->stacks.count) < 0 ||
	    tailbox__plan_reserve(&p->tmp, a->stacks.count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < a->stacks.count; i++)
		if (a->stacks.items[i].tick < p->until &&
		    a->stacks.items[i].tick >= a->past.from_tick)
			keys->items[keys->count++] = a->stacks.items[i];
	tailbox__sort_keys(keys->items, p->tmp.items, keys->count);
	p->dropped_stacks = p->is_sealed ? 0 : a->dropped_stacks;
	if (keys->count > TAILBOX__STACKS_MAX) {
		p->dropped_stacks += keys->count - TAILBOX__STACKS_MAX;
		keys->count = TAILBOX__STACKS_MAX;
	}
	return 0;
}

static int put_frame(struct tailbox__plan *p, uint64_t frame, bool is_guessed)
{
	struct tailbox__run_frame *f = tailbox__list_add(&p->run->frames);
	const uint16_t path = tailbox__frame_path(frame);
	const uint16_t build = tailbox__frame_build(frame);

	if (!f)
		return -ENOMEM;
	f->stack = (uint32_t)(p->run->stacks.count - 1);
	f->module = tailbox__plan_name(p, path);
	f->build_id = tailbox__plan_name(p, build);
	f->offset = tailbox__frame_offset(frame);
	f->flags = is_guessed ? TAILBOX__FRAME_GUESSED : 0;
	return (path && !f->module) || (build && !f->build_id) ? -ENOMEM : 0;
}

static int put_frames(struct tailbox__plan *p, const struct tailbox__unit *u,
                      const struct tailbox__rec_stack *head)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= head->more; i++) {
		struct tailbox__rec_frames r;
		memcpy(&r, &u[i], sizeof(r));
		if (r.type != TAILBOX__REC_FRAMES)
			continue;
		for (unsigned k = 0; k < r.count &&
		                     k < TAILBOX__FRAMES_PER_RECORD &&
		                     n < head->count &&
		                     n < TAILBOX__STACK_DEPTH;
		     k++, n++) {
			int ret = put_frame(p, r.frame[k],
			                    head->guessed >> n & 1);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static int put_stack(struct tailbox__plan *p, const struct tailbox__key *k)
{
	const struct tailbox__unit *u = &p->a->units.items[k->index];
	struct tailbox__run_stack *s = tailbox__list_add(&p->run->stacks);
	struct tailbox__rec_stack r;

	if (!s)
		return -ENOMEM;
	memcpy(&r, u, sizeof(r));
	const struct tailbox__entry *e =
	        r.number ? tailbox__plan_find(p, r.number) : NULL;
	const uint16_t route =
	        e && !r.route ? tailbox__plan_route_of(p, e) : r.route;
	s->request = e && e->is_admitted ? e->id : 0;
	s->route = tailbox__plan_name(p, route);
	s->at_us = tailbox__plan_us(p, r.tick);
	s->held_us = r.hold <= r.tick
	                     ? tailbox__plan_duration_us(p, r.hold, r.tick)
	                     : TAILBOX__NONE;
	s->number = r.number;
	s->worker = r.thread;
	s->kind = r.kind < TAILBOX__HOLD_KINDS ? r.kind : 0;
	s->end = r.end < TAILBOX__STACK_ENDS ? r.end : TAILBOX__STACK_UNSOUND;
	if (route && !s->route)
		return -ENOMEM;
	return put_frames(p, u, &r);
}

int tailbox__plan_put_stacks(struct tailbox__plan *p)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < p->stacks.count; i++)
		ret = put_stack(p, &p->stacks.items[i]);
	if (ret == 0 && p->dropped_stacks)
		ret = tailbox__run_set_extra(p->run, "dropped_stacks", NULL,
		                             p->dropped_stacks);
	return ret;
}
