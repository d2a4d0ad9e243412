/* core/assemble.c - collect records, and make a run of them.
 *
 * SPDX-License-Identifier: MIT
 *
 * Collecting keeps raw copies of what may belong. Finishing is one walk:
 *
 *   assemble_rules.c    who is admitted, which children belong, what is
 *                       dropped, where a seal falls (a plan: sorted keys)
 *   assemble_gauges.c   the values of gauges
 *   assemble_requests.c finished requests, ids
 *   assemble_spans.c    stages, queues and open requests
 *   assemble_samples.c  samples and their values
 *   assemble_holds.c    callbacks that held their worker for long
 *   assemble_stacks.c   where held workers were
 *   assemble_meta.c     times, metadata, warnings
 *   assemble_past.c     what is older than the run, and why it is not in it
 *
 * All comparing is done in ticks and only the result is converted, by one
 * monotone scale. So a child that lies inside its request in ticks lies
 * inside it in microseconds, and strict validation has nothing to find.
 *
 * Records may be hostile (any file may call itself a tape): the lengths that
 * they name are checked against the batch, sums of ticks against wrapping.
 */
#include "core/assemble_plan.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/tailbox.h"

enum { UNIT = sizeof(struct tailbox__unit) };

static int copy_text(struct tailbox__run *facts, const char **text,
                     tailbox__str *str)
{
	if (!*text)
		return 0;
	*str = tailbox__plan_text(facts, *text, strlen(*text));
	*text = NULL;
	return *str ? 0 : -ENOMEM;
}

int tailbox__assembly_create(struct tailbox__reader *reader,
                             const struct tailbox__assembly_config *config,
                             struct tailbox__assembly **out)
{
	*out = NULL;
	struct tailbox__assembly *a = tailbox__zalloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->reader = reader;
	a->config = *config;
	if (tailbox__run_create(&a->facts) != 0 ||
	    copy_text(a->facts, &a->config.run_id, &a->run_id) != 0 ||
	    copy_text(a->facts, &a->config.note, &a->note) != 0 ||
	    copy_text(a->facts, &a->config.end_detail, &a->end_detail) != 0) {
		tailbox__assembly_destroy(a);
		return -ENOMEM;
	}
	*out = a;
	return 0;
}

void tailbox__assembly_destroy(struct tailbox__assembly *a)
{
	if (!a)
		return;
	tailbox__free(a->units.items);
	tailbox__free(a->entries.items);
	tailbox__free(a->spans.items);
	tailbox__free(a->moves.items);
	tailbox__free(a->holds.items);
	tailbox__free(a->samples.items);
	tailbox__free(a->stacks.items);
	tailbox__free(a->open.items);
	tailbox__free(a->older_open.items);
	tailbox__run_destroy(a->facts);
	tailbox__free(a);
}

/* --- which records may belong ------------------------------------------ */

static bool is_within(const struct tailbox__assembly_config *c, uint64_t tick)
{
	return tick >= c->from_tick && tick < c->until_tick;
}

/* Bytes of the group of records at `at`, and whether it may belong. A group
 * is a request, a sample or a stack with what belongs to it. */
static size_t group_at(const struct tailbox__assembly_config *c, unsigned kind,
                       const char *at, size_t left, bool *may_belong)
{
	union {
		struct tailbox__rec_request request;
		struct tailbox__rec_sample sample;
		struct tailbox__rec_stack stack;
	} r;
	size_t bytes = UNIT;

	memcpy(&r, at, UNIT);
	*may_belong = false;
	if (kind == TAILBOX__BLOCK_REQUESTS &&
	    r.request.type == TAILBOX__REC_REQUEST) {
		bytes += (size_t)r.request.more * UNIT;
		*may_belong = is_within(c, r.request.line);
	} else if (kind == TAILBOX__BLOCK_SAMPLES &&
	           r.sample.type == TAILBOX__REC_SAMPLE) {
		bytes += (size_t)r.sample.more * UNIT;
		*may_belong = is_within(c, r.sample.tick);
	} else if (kind == TAILBOX__BLOCK_SAMPLES &&
	           r.stack.type == TAILBOX__REC_STACK) {
		bytes += (size_t)r.stack.more * UNIT;
		*may_belong = is_within(c, r.stack.tick);
	}
	if (bytes <= left)
		return bytes;
	*may_belong = false;
	return left;
}

/* A span of a request of the window cannot have begun before the window.
 * Those that begin after it may belong to a request that is draining. A hold
 * is of the worker's time, not of a request: it goes by its own start. */
static bool span_may_belong(const struct tailbox__assembly_config *c,
                            const struct tailbox__rec_span *s)
{
	if (s->type == TAILBOX__SPAN_HOLD)
		return is_within(c, s->start);
	return s->start >= c->from_tick && s->type >= TAILBOX__SPAN_STAGE &&
	       s->type <= TAILBOX__SPAN_GAUGE_DOWN;
}

size_t tailbox__assembly_filter(const struct tailbox__assembly_config *config,
                                unsigned kind, char *records, size_t bytes)
{
	size_t kept = 0, at = 0;

	if (kind == TAILBOX__BLOCK_SPANS) {
		struct tailbox__rec_span s;
		for (; at + sizeof(s) <= bytes; at += sizeof(s)) {
			memcpy(&s, records + at, sizeof(s));
			if (!span_may_belong(config, &s))
				continue;
			if (kept != at)
				memcpy(records + kept, &s, sizeof(s));
			kept += sizeof(s);
		}
		return kept;
	}
	while (at + UNIT <= bytes) {
		bool may_belong;
		size_t n = group_at(config, kind, records + at, bytes - at,
		                    &may_belong);
		if (may_belong) {
			if (kept != at)
				memmove(records + kept, records + at, n);
			kept += n;
		}
		at += n;
	}
	return kept;
}

/* --- collecting -------------------------------------------------------- */

/* Append a group to the units; gives the index of its first. */
static int add_units(struct tailbox__assembly *a, const char *from,
                     size_t bytes, uint32_t *index)
{
	if (a->units.count > UINT32_MAX - 256)
		return -ENOMEM;
	*index = (uint32_t)a->units.count;
	for (size_t i = 0; i < bytes / UNIT; i++) {
		struct tailbox__unit *u = tailbox__list_add(&a->units);
		if (!u)
			return -ENOMEM;
		memcpy(u, from + i * UNIT, UNIT);
	}
	return 0;
}

/* Ticks of the ingress wait that a request's group tells. */
static uint64_t ingress_of(const struct tailbox__assembly *a, uint32_t at)
{
	struct tailbox__rec_request r;

	memcpy(&r, &a->units.items[at], sizeof(r));
	for (uint32_t i = 1; i <= r.more; i++) {
		struct tailbox__rec_more more;
		memcpy(&more, &a->units.items[at + i], sizeof(more));
		if (more.type == TAILBOX__REC_MORE)
			return tailbox__unpack(more.ingress);
	}
	return 0;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return b < UINT64_MAX - 1 - a ? a + b : UINT64_MAX - 1;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return b < a ? a - b : 0;
}

static int add_request(struct tailbox__assembly *a, const char *group,
                       size_t bytes)
{
	struct tailbox__rec_request r;
	uint32_t at;

	int ret = add_units(a, group, bytes, &at);
	if (ret < 0)
		return ret;
	struct tailbox__entry *e = tailbox__list_add(&a->entries);
	if (!e)
		return -ENOMEM;
	memcpy(&r, group, sizeof(r));
	e->line = r.line;
	e->number = r.number;
	e->at = at;
	e->start = minus(r.line, ingress_of(a, at));
	e->end = plus(r.line, tailbox__unpack(r.total));
	return 0;
}

/* It is left out: because it is too old? */
static void look_older(struct tailbox__assembly *a, const char *group)
{
	struct tailbox__rec_request r;

	memcpy(&r, group, sizeof(r));
	if (r.type == TAILBOX__REC_REQUEST && r.line < a->config.from_tick)
		tailbox__older_done(a, r.number);
}

/* A sample, or a stack. */
static int add_sample(struct tailbox__assembly *a, const char *group,
                      size_t bytes)
{
	union {
		struct tailbox__rec_sample sample;
		struct tailbox__rec_stack stack;
	} r;
	uint32_t at;

	int ret = add_units(a, group, bytes, &at);
	if (ret < 0)
		return ret;
	memcpy(&r, group, sizeof(r));
	const bool is_stack = r.stack.type == TAILBOX__REC_STACK;
	struct tailbox__key *k =
	        tailbox__list_add(is_stack ? &a->stacks : &a->samples);
	if (!k)
		return -ENOMEM;
	k->tick = is_stack ? r.stack.tick : r.sample.tick;
	k->index = at;
	return 0;
}

static int add_spans(struct tailbox__assembly *a, const char *records,
                     size_t bytes)
{
	struct tailbox__rec_span s;

	for (size_t at = 0; at + sizeof(s) <= bytes; at += sizeof(s)) {
		memcpy(&s, records + at, sizeof(s));
		if (!span_may_belong(&a->config, &s))
			continue;
		bool is_move = s.type >= TAILBOX__SPAN_GAUGE_UP;
		if (a->spans.count >= UINT32_MAX - 1 ||
		    a->moves.count >= UINT32_MAX - 1 ||
		    a->holds.count >= UINT32_MAX - 1)
			return -ENOMEM;
		struct tailbox__rec_span *to =
		        s.type == TAILBOX__SPAN_HOLD
		                ? tailbox__list_add(&a->holds)
		        : is_move ? tailbox__list_add(&a->moves)
		                  : tailbox__list_add(&a->spans);
		if (!to)
			return -ENOMEM;
		*to = s;
		a->stages += s.type == TAILBOX__SPAN_STAGE;
	}
	return 0;
}

int tailbox__assembly_add(struct tailbox__assembly *a, unsigned kind,
                          uint32_t thread, const char *records, size_t bytes)
{
	(void)thread; /* is in the records */
	if (kind == TAILBOX__BLOCK_SPANS)
		return add_spans(a, records, bytes);
	for (size_t at = 0; at + UNIT <= bytes;) {
		bool may_belong;
		size_t n = group_at(&a->config, kind, records + at, bytes - at,
		                    &may_belong);
		int ret = 0;
		if (may_belong)
			ret = kind == TAILBOX__BLOCK_REQUESTS
			              ? add_request(a, records + at, n)
			              : add_sample(a, records + at, n);
		else if (kind == TAILBOX__BLOCK_REQUESTS)
			look_older(a, records + at);
		if (ret < 0)
			return ret;
		at += n;
	}
	return 0;
}

static bool is_holder(const struct tailbox__thread_entry *threads, long count,
                      size_t slot)
{
	for (long i = 0; i < count; i++)
		if (TAILBOX__GET(threads[i].hold_since) &&
		    TAILBOX__GET(threads[i].hold_slot) == slot)
			return true;
	return false;
}

int tailbox__assembly_add_open(struct tailbox__assembly *a,
                               const struct tailbox__slot *slots, size_t count)
{
	const struct tailbox__thread_entry *threads;
	const long n = tailbox__reader_threads(a->reader, &threads);

	for (size_t i = 0; i < count; i++) {
		const struct tailbox__slot *s = &slots[i];
		const uint64_t line = TAILBOX__GET(s->line);

		if (TAILBOX__GET(s->state) != TAILBOX__SLOT_OPEN ||
		    (TAILBOX__GET(s->flags) & TAILBOX__REQ_DISCARD))
			continue;
		if (line < a->config.from_tick &&
		    tailbox__older_add_open(a, TAILBOX__GET(s->number)) < 0)
			return -ENOMEM;
		if (!is_within(&a->config, line))
			continue;
		struct tailbox__entry *e = tailbox__list_add(&a->entries);
		struct tailbox__slot *copy = tailbox__list_add(&a->open);
		if (!e || !copy)
			return -ENOMEM;
		memcpy(copy, s, sizeof(*copy));
		e->line = line;
		e->number = TAILBOX__GET(s->number);
		e->at = (uint32_t)(a->open.count - 1);
		e->start = minus(line, tailbox__slot_ingress(s));
		e->end = UINT64_MAX;
		e->is_open = true;
		e->is_holder = is_holder(threads, n, i);
	}
	tailbox__older_sort(a);
	return 0;
}

void tailbox__assembly_add_dropped(struct tailbox__assembly *a,
                                   uint64_t requests, uint64_t stages,
                                   uint64_t queues, uint64_t moves)
{
	a->dropped_requests += requests;
	a->dropped_stages += stages;
	a->dropped_queues += queues;
	a->dropped_moves += moves;
}

void tailbox__assembly_add_dropped_holds(struct tailbox__assembly *a,
                                         uint64_t holds, uint64_t stacks)
{
	a->dropped_holds += holds;
	a->dropped_stacks += stacks;
}

int tailbox__assembly_set_extra(struct tailbox__assembly *a, const char *key,
                                const char *text, uint64_t number)
{
	return tailbox__run_set_extra(a->facts, key, text, number);
}

/* --- finishing --------------------------------------------------------- */

/* Strict lifecycle: an admitted request that is open forbids the end. */
static int check_lifecycle(const struct tailbox__plan *p,
                           struct tailbox__error *err)
{
	uint64_t open = 0;

	if (!p->a->config.strict_lifecycle || p->a->config.is_live)
		return 0;
	for (size_t i = 0; i < p->admitted.count; i++)
		open += p->a->entries.items[p->admitted.items[i].entry].is_open;
	if (!open)
		return 0;
	return tailbox__fail(err, -TAILBOX_ESTATE,
	                     "strict lifecycle: %llu requests are still open",
	                     (unsigned long long)open);
}

static int fill(struct tailbox__plan *p)
{
	static int (*const steps[])(struct tailbox__plan *) = {
		tailbox__plan_put_gauges, tailbox__plan_put_requests,
		tailbox__plan_put_spans,  tailbox__plan_put_open,
		tailbox__plan_put_samples, tailbox__plan_put_holds,
		tailbox__plan_put_stacks, tailbox__plan_put_meta,
		tailbox__plan_normalize,
	};

	tailbox__plan_put_times(p);
	p->run->truncation = p->truncation;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int ret = steps[i](p);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int tailbox__assembly_finish(struct tailbox__assembly *a,
                             struct tailbox__run **out,
                             struct tailbox__error *err)
{
	struct tailbox__plan p = { .a = a };

	*out = NULL;
	if (a->is_consumed)
		return tailbox__fail(err, -TAILBOX_ESTATE,
		                     "the assembly was finished already");
	(void)tailbox__reader_refresh(a->reader); /* else the older anchor */
	p.scale = tailbox__reader_scale(a->reader);
	int ret = a->config.kept_of
	                  ? tailbox__run_create_kept(a->config.kept_of, &p.run)
	                  : tailbox__run_create(&p.run);
	if (ret == 0)
		ret = tailbox__plan_make(&p);
	if (ret == 0)
		ret = check_lifecycle(&p, err);
	if (ret == 0) {
		a->is_consumed = true;
		ret = fill(&p);
	}
	if (ret == 0) {
		*out = p.run;
		p.run = NULL;
	} else if (ret == -ENOMEM) {
		tailbox__fail(err, ret, "no memory to assemble %zu requests",
		              a->entries.count);
	}
	tailbox__plan_fini(&p);
	return ret;
}
