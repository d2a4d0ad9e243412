/* core/assemble_rules.c - who is in, and what is dropped.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md 7.5 to 7.7 and 10.4, applied in tick order:
 *
 *   requests  the first N by the tick of their line, finished or open
 *   children  joined by number; of those that lie inside their finished
 *             request the first N by the tick of their end
 *   gauges    played in tick order: assemble_gauges.c
 *   samples   the first N by tick
 *   holds     the first N by start: assemble_holds.c
 *   stacks    the first N: assemble_stacks.c
 *
 * Under the sealing policy the first overflow of any section closes the
 * admission at its tick S. The plan is then made once more with until = S + 1:
 * every event up to S belongs to a request that began by then, so the second
 * plan overflows at the same tick and the two need not be repeated.
 */
#include "core/assemble_plan.h"

#include <errno.h>

#include "core/alloc.h"

int tailbox__plan_reserve(tailbox__key_list *keys, size_t count)
{
	keys->count = 0;
	if (count <= keys->room && keys->items)
		return 0;
	tailbox__free(keys->items);
	keys->room = 0;
	keys->items = tailbox__alloc(count, sizeof(*keys->items));
	if (!keys->items)
		return -ENOMEM;
	keys->room = count;
	return 0;
}

static void push(tailbox__key_list *keys, uint64_t tick, size_t index,
                 size_t entry)
{
	keys->items[keys->count++] = (struct tailbox__key){
		tick, (uint32_t)index, (uint32_t)entry
	};
}

static int sort(struct tailbox__plan *p, tailbox__key_list *keys)
{
	int ret = tailbox__plan_reserve(&p->tmp, keys->count);

	if (ret == 0)
		tailbox__sort_keys(keys->items, p->tmp.items, keys->count);
	return ret;
}

/* Keep the first `max` of sorted keys. Gives the number cut off. */
static uint64_t keep_first(struct tailbox__plan *p, tailbox__key_list *keys,
                           uint64_t max)
{
	if (keys->count <= max)
		return 0;
	uint64_t dropped = keys->count - max;
	if (keys->items[max].tick < p->overflow)
		p->overflow = keys->items[max].tick;
	keys->count = (size_t)max;
	return dropped;
}

/* --- joining by number ------------------------------------------------- */

/* Numbers are thread << 40 | count; a multiplicative hash spreads both. */
static size_t place_of(const struct tailbox__plan *p, uint64_t number)
{
	return (size_t)(number * 0x9e3779b97f4a7c15u >> (64 - p->table_bits));
}

struct tailbox__entry *tailbox__plan_find(const struct tailbox__plan *p,
                                          uint64_t number)
{
	const size_t mask = ((size_t)1 << p->table_bits) - 1;

	for (size_t i = place_of(p, number); p->table[i]; i = (i + 1) & mask) {
		struct tailbox__entry *e =
		        &p->a->entries.items[p->table[i] - 1];
		if (e->number == number)
			return e;
	}
	return NULL;
}

static void put_in_table(struct tailbox__plan *p, uint32_t entry)
{
	const size_t mask = ((size_t)1 << p->table_bits) - 1;
	size_t i = place_of(p, p->a->entries.items[entry].number);

	while (p->table[i])
		i = (i + 1) & mask;
	p->table[i] = entry + 1;
}

/* Finished requests first, then those that were open when the slots were
 * read and have no record; a number that comes twice counts once. */
static int make_table(struct tailbox__plan *p)
{
	const size_t count = p->a->entries.count;

	if (count >= UINT32_MAX / 2)
		return -ENOMEM;
	p->table_bits = 4;
	while (((size_t)1 << p->table_bits) < 2 * count)
		p->table_bits++;
	p->table = tailbox__zalloc((size_t)1 << p->table_bits,
	                           sizeof(*p->table));
	if (!p->table)
		return -ENOMEM;
	for (int is_open = 0; is_open < 2; is_open++)
		for (uint32_t i = 0; i < count; i++) {
			struct tailbox__entry *e = &p->a->entries.items[i];
			if (e->is_open == is_open &&
			    !tailbox__plan_find(p, e->number))
				put_in_table(p, i);
		}
	return 0;
}

/* --- the sections ------------------------------------------------------ */

/* By line, ties by number: hence two stable sorts. */
static int admit(struct tailbox__plan *p)
{
	struct tailbox__assembly *a = p->a;
	tailbox__key_list *keys = &p->admitted;

	int ret = tailbox__plan_reserve(keys, a->entries.count);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < a->entries.count; i++) {
		struct tailbox__entry *e = &a->entries.items[i];
		e->is_admitted = false;
		e->refused = 0;
		if (e->line < p->until && e->line >= a->past.from_tick &&
		    tailbox__plan_find(p, e->number) == e)
			push(keys, e->number, 0, i);
	}
	ret = sort(p, keys);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < keys->count; i++)
		keys->items[i].tick =
		        a->entries.items[keys->items[i].entry].line;
	ret = sort(p, keys);
	if (ret < 0)
		return ret;
	p->truncation.dropped_requests =
	        keep_first(p, keys, a->config.limits.max_requests);
	for (size_t i = 0; i < keys->count; i++)
		a->entries.items[keys->items[i].entry].is_admitted = true;
	return 0;
}

/* Where a span goes; NULL = nowhere. A span that lies outside its request is
 * late: it ended after it, on another thread. */
static tailbox__key_list *list_of(struct tailbox__plan *p,
                                  const struct tailbox__rec_span *s,
                                  uint64_t end, const struct tailbox__entry *e)
{
	if (!e || !e->is_admitted || e->is_open)
		return NULL;
	if (s->start < e->start || end < s->start || end > e->end) {
		p->late_spans++;
		return NULL;
	}
	return s->type == TAILBOX__SPAN_STAGE ? &p->stages : &p->queues;
}

static int join_spans(struct tailbox__plan *p)
{
	struct tailbox__assembly *a = p->a;

	if (tailbox__plan_reserve(&p->stages, a->stages) < 0 ||
	    tailbox__plan_reserve(&p->queues, a->spans.count - a->stages +
	                                              p->admitted.count) < 0)
		return -ENOMEM;
	p->late_spans = 0;
	for (size_t i = 0; i < a->spans.count; i++) {
		const struct tailbox__rec_span *s = &a->spans.items[i];
		const struct tailbox__entry *e =
		        tailbox__plan_find(p, s->number);
		const uint64_t end = s->start + tailbox__unpack(s->dur);
		tailbox__key_list *to = list_of(p, s, end, e);
		if (to)
			push(to, end, i, (size_t)(e - a->entries.items));
	}
	for (size_t i = 0; i < p->admitted.count; i++) {
		const uint32_t at = p->admitted.items[i].entry;
		const struct tailbox__entry *e = &a->entries.items[at];
		if (!e->is_open && e->start < e->line)
			push(&p->queues, e->line, TAILBOX__INGRESS_KEY, at);
	}
	if (sort(p, &p->stages) < 0 || sort(p, &p->queues) < 0)
		return -ENOMEM;
	p->truncation.dropped_stages =
	        keep_first(p, &p->stages, a->config.limits.max_stages);
	p->truncation.dropped_queues =
	        keep_first(p, &p->queues, a->config.limits.max_queues);
	return 0;
}

/* The sampler ends by itself at its own retention, which is no truncation
 * (spec 11); what it took counts against the run's limit. */
static int pick_samples(struct tailbox__plan *p)
{
	struct tailbox__assembly *a = p->a;
	const struct tailbox__run_sampler_config *s = &a->config.sampler;

	int ret = tailbox__plan_reserve(&p->samples, a->samples.count);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < a->samples.count; i++)
		if (a->samples.items[i].tick < p->until &&
		    a->samples.items[i].tick >= a->past.from_tick)
			p->samples.items[p->samples.count++] =
			        a->samples.items[i];
	ret = sort(p, &p->samples);
	if (ret < 0)
		return ret;
	if (s->present && p->samples.count > s->retention)
		p->samples.count = (size_t)s->retention;
	p->truncation.dropped_runtime_snapshots = keep_first(
	        p, &p->samples, a->config.limits.max_runtime_snapshots);
	return 0;
}

static int make(struct tailbox__plan *p, uint64_t until)
{
	p->until = until;
	p->overflow = UINT64_MAX;
	p->truncation = (struct tailbox__run_truncation){ 0 };
	if (admit(p) < 0 || join_spans(p) < 0 || tailbox__plan_gauges(p) < 0 ||
	    pick_samples(p) < 0 || tailbox__plan_holds(p) < 0 ||
	    tailbox__plan_stacks(p) < 0)
		return -ENOMEM;
	return 0;
}

/* What the caller left out comes on top. After a seal it does not: those
 * requests found the window closed (spec 10.4: refused without counting). */
static void add_dropped(struct tailbox__plan *p)
{
	struct tailbox__run_truncation *t = &p->truncation;

	if (!p->is_sealed) {
		t->dropped_requests += p->a->dropped_requests;
		t->dropped_stages += p->a->dropped_stages;
		t->dropped_queues += p->a->dropped_queues;
		t->dropped_inflight_snapshots += p->a->dropped_moves;
	}
	t->limits_hit = t->dropped_requests || t->dropped_stages ||
	                t->dropped_queues || t->dropped_inflight_snapshots ||
	                t->dropped_runtime_snapshots;
}

static void see(struct tailbox__plan *p, uint64_t tick)
{
	if (tick < p->zero)
		p->zero = tick;
	if (tick > p->last && tick != UINT64_MAX)
		p->last = tick;
}

/* Zero is the earliest of all, so that no offset is negative. */
static void find_zero(struct tailbox__plan *p)
{
	const struct tailbox__assembly *a = p->a;

	p->zero = UINT64_MAX;
	p->last = 0;
	if (a->config.armed_tick)
		see(p, a->config.armed_tick);
	if (a->past.to_tick)
		see(p, a->past.from_tick);
	for (size_t i = 0; i < p->admitted.count; i++) {
		const struct tailbox__entry *e =
		        &a->entries.items[p->admitted.items[i].entry];
		see(p, e->start);
		see(p, e->is_open ? e->line : e->end);
	}
	for (size_t i = 0; i < p->samples.count; i++)
		see(p, p->samples.items[i].tick);
	for (size_t i = 0; i < p->stacks.count; i++)
		see(p, p->stacks.items[i].tick);
	for (size_t i = 0; i < p->holds.count; i++) {
		const struct tailbox__rec_span *h =
		        &a->holds.items[p->holds.items[i].index];
		see(p, h->start);
		see(p, tailbox__plan_hold_end(h));
	}
	if (p->zero != UINT64_MAX)
		return;
	/* Nothing at all: begin where the tape does. */
	see(p, a->config.from_tick
	               ? a->config.from_tick
	               : tailbox__reader_header(a->reader)->anchor_tick);
}

int tailbox__plan_make(struct tailbox__plan *p)
{
	const struct tailbox__assembly_config *c = &p->a->config;

	p->names = tailbox__zalloc(TAILBOX__NAMES, sizeof(*p->names));
	p->other = tailbox__run_cstr(p->run, "{other}");
	if (!p->names || !p->other || make_table(p) < 0 ||
	    make(p, c->until_tick) < 0)
		return -ENOMEM;
	/* An overflow while draining comes after another reason to end. */
	if (c->seal_on_limits && p->overflow < c->until_tick) {
		p->is_sealed = true;
		if (make(p, p->overflow + 1) < 0)
			return -ENOMEM;
	}
	add_dropped(p);
	find_zero(p);
	return 0;
}

void tailbox__plan_fini(struct tailbox__plan *p)
{
	tailbox__free(p->admitted.items);
	tailbox__free(p->stages.items);
	tailbox__free(p->queues.items);
	tailbox__free(p->samples.items);
	tailbox__free(p->holds.items);
	tailbox__free(p->stacks.items);
	tailbox__free(p->tmp.items);
	tailbox__free(p->table);
	tailbox__free(p->names);
	tailbox__free(p->refused.items);
	tailbox__run_destroy(p->run);
	p->run = NULL;
}
