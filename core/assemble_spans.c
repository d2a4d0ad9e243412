/* core/assemble_spans.c - stages, queues and open requests.
 *
 * SPDX-License-Identifier: MIT
 *
 * Raw records are freed as soon as they are in the run: this happens inside a
 * service, and both at once are the peak of its memory.
 */
#include "core/assemble_plan.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"

/* --- stages and queues ------------------------------------------------- */

static void put_interval(const struct tailbox__plan *p,
                         struct tailbox__run_span *s, uint64_t start,
                         uint64_t end)
{
	s->start_us = tailbox__plan_us(p, start);
	s->end_us = tailbox__plan_us(p, end);
	s->start_ms = tailbox__plan_ms(p, s->start_us);
	s->end_ms = tailbox__plan_ms(p, s->end_us);
	s->dur_us = tailbox__plan_duration_us(p, start, end);
	s->flags |= TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
}

static int put_ingress(struct tailbox__plan *p, struct tailbox__run_span *s,
                       const struct tailbox__entry *e)
{
	s->request = e->id;
	s->name = tailbox__plan_required_name(p, TAILBOX__NAME_INGRESS);
	s->depth = TAILBOX__NONE;
	put_interval(p, s, e->start, e->line);
	return s->name ? 0 : -ENOMEM;
}

static int put_span(struct tailbox__plan *p, struct tailbox__run_span *s,
                    const struct tailbox__key *k)
{
	const struct tailbox__entry *e = &p->a->entries.items[k->entry];

	if (k->index == TAILBOX__INGRESS_KEY)
		return put_ingress(p, s, e);

	const struct tailbox__rec_span *r = &p->a->spans.items[k->index];
	s->request = e->id;
	s->name = tailbox__plan_required_name(p, r->name);
	s->site = tailbox__plan_name(p, r->site);
	s->depth = r->depth == UINT32_MAX || r->type != TAILBOX__SPAN_WAIT
	                   ? TAILBOX__NONE
	                   : r->depth;
	/* A partial stage is never a success (spec 3.6). */
	if (r->flags & TAILBOX__SPAN_PARTIAL)
		s->flags |= TAILBOX__PARTIAL;
	if (r->type == TAILBOX__SPAN_STAGE &&
	    (r->flags & (TAILBOX__SPAN_PARTIAL | TAILBOX__SPAN_FAILED)))
		s->flags |= TAILBOX__FAILED;
	put_interval(p, s, r->start, k->tick);
	return !s->name || (r->site && !s->site) ? -ENOMEM : 0;
}

int tailbox__plan_put_spans(struct tailbox__plan *p)
{
	struct tailbox__run *run = p->run;
	int ret = TAILBOX__RESERVE(&run->stages, p->stages.count);

	if (ret == 0)
		ret = TAILBOX__RESERVE(&run->queues, p->queues.count);
	/* Within the room just made: _list_add cannot fail. */
	for (size_t i = 0; ret == 0 && i < p->stages.count; i++)
		ret = put_span(p, tailbox__list_add(&run->stages),
		               &p->stages.items[i]);
	for (size_t i = 0; ret == 0 && i < p->queues.count; i++)
		ret = put_span(p, tailbox__list_add(&run->queues),
		               &p->queues.items[i]);
	TAILBOX__FORGET(&p->a->spans);
	TAILBOX__FORGET(&p->stages);
	TAILBOX__FORGET(&p->queues);
	return ret;
}

/* --- open requests ----------------------------------------------------- */

static int put_open(struct tailbox__plan *p, struct tailbox__entry *e)
{
	const struct tailbox__slot *s = &p->a->open.items[e->at];
	struct tailbox__run_open *o = tailbox__list_add(&p->run->open);
	char id[sizeof(s->id_text)];
	size_t len = 0;

	if (!o)
		return -ENOMEM;
	if (TAILBOX__GET(s->flags) & TAILBOX__REQ_HAS_ID) {
		for (size_t i = 0; i < sizeof(id) / 8; i++) {
			uint64_t word = TAILBOX__GET(s->id_text[i]);
			memcpy(id + 8 * i, &word, 8);
		}
		len = TAILBOX__GET(s->id_len);
		if (len > sizeof(id))
			len = sizeof(id);
	}
	o->route = tailbox__plan_required_name(p, TAILBOX__GET(s->route));
	if (!o->route)
		return -ENOMEM;
	o->id = e->id = tailbox__plan_id(p, o->route, e, id, len);
	o->start_us = tailbox__plan_us(p, e->start);
	o->number = e->number;
	o->worker = TAILBOX__GET(s->thread);
	o->phase = (uint8_t)TAILBOX__GET(s->phase);
	o->connection = TAILBOX__GET(s->connection);

	uint64_t since = tailbox__slot_phase_since(s);
	const uint32_t in = tailbox__slot_where(s);
	o->phase_since_us = tailbox__plan_us(p, since);
	o->flags = TAILBOX__OPEN_HAS_PHASE_SINCE;
	if (e->is_holder)
		o->flags |= TAILBOX__OPEN_HOLDS_WORKER;
	if (in) {
		const uint32_t where = TAILBOX__GET(s->where);
		since = TAILBOX__GET(s->where_since);
		o->where = tailbox__plan_name(p, (uint16_t)where);
		o->site = tailbox__plan_name(p, (uint16_t)(where >> 16));
		if (in < TAILBOX__OPEN_IN_COUNT)
			o->where_kind = (uint8_t)in;
	}
	o->since_us = tailbox__plan_us(p, since);
	return o->id ? 0 : -ENOMEM;
}

/* In the order of their lines; the first five are the spec's sample. */
int tailbox__plan_put_open(struct tailbox__plan *p)
{
	struct tailbox__run_meta *meta = &p->run->meta;

	for (size_t i = 0; i < p->admitted.count; i++) {
		struct tailbox__entry *e =
		        &p->a->entries.items[p->admitted.items[i].entry];
		if (!e->is_open)
			continue;
		if (put_open(p, e) < 0)
			return -ENOMEM;
		if (meta->unfinished_count++ >= 5)
			continue;
		struct tailbox__run_unfinished *u =
		        tailbox__list_add(&meta->unfinished);
		if (!u)
			return -ENOMEM;
		u->id = e->id;
		u->route = p->run->open.items[p->run->open.count - 1].route;
	}
	return 0;
}
