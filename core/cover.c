/* core/cover.c - how far back a tape reaches.
 *
 * SPDX-License-Identifier: MIT
 *
 * A record is written when a thing ends, and blocks are recycled in the order
 * in which they were taken, whoever took them. So neither the oldest record
 * nor the oldest block tells from when on everything is there: a slow thread
 * may fill a block for an hour, and lose it a second after it was full.
 *
 * What tells is each thread's own blocks. A thread takes the next block of a
 * kind when the last one is full, and blocks are numbered (`order`) by thread
 * and kind. Go back from the newest one by one: where the next is missing, the
 * missing one was full when the one after it was taken. What was in it had
 * ended by then, so it had begun by then; whatever begins later was not in it.
 * The latest such instant over all threads is the answer. A thread whose first
 * block is there has lost nothing, however young it is or however long idle.
 *
 * Blocks that are being filled are never recycled, so a thread without any
 * found none free when it last looked (seldom: its losses are counted). What it
 * had was overwritten by blocks that were taken later, and the youngest of all
 * blocks is the bound.
 */
#include "core/cover.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "core/alloc.h"
#include "core/reader_internal.h"
#include "core/run.h"

enum { KINDS = TAILBOX__BLOCK_SAMPLES };

struct kept {
	uint32_t thread;
	uint32_t kind;
	uint64_t order, first_tick;
};

typedef TAILBOX__LIST(struct kept) kept_list;

struct look {
	struct tailbox__reader *r;
	kept_list blocks;
	uint64_t youngest;      /* first tick of all blocks */
	bool has_gone_round;
	struct tailbox__cover *out;
};

/* Kind by kind, thread by thread, the newest first. */
static int by_owner(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->thread != y->thread)
		return x->thread < y->thread ? -1 : 1;
	return x->order > y->order ? -1 : x->order < y->order;
}

/* A block that is just being taken is as good as not there: it is empty. */
static int look_at(struct look *l, uint64_t place)
{
	const struct tailbox__tape_header *h = tailbox__reader_header(l->r);
	const uint64_t at = h->blocks_off + place * h->block_bytes;
	struct tailbox__block b;
	uint64_t pub, again;

	/* pub first, and the head last: between them all is of one ticket. */
	int rc = tailbox__reader_at(l->r, &pub, sizeof(pub),
	                            at + offsetof(struct tailbox__block, pub));
	if (rc == 0)
		rc = tailbox__reader_at(l->r, &b, sizeof(b), at);
	if (rc == 0)
		rc = tailbox__reader_at(l->r, &again, sizeof(again), at);
	if (rc < 0)
		return rc;
	const unsigned kind = TAILBOX__HEAD_KIND(again);
	if (TAILBOX__HEAD_TICKET(again) == 0 || kind < 1 || kind > KINDS ||
	    pub >> 16 != (TAILBOX__HEAD_TICKET(again) & 0xffffffffffffull))
		return 0;
	struct kept *k = tailbox__list_add(&l->blocks);
	if (!k)
		return -ENOMEM;
	k->thread = (uint32_t)TAILBOX__GET(b.thread);
	k->kind = kind;
	k->order = TAILBOX__GET(b.order);
	k->first_tick = TAILBOX__GET(b.first_tick);
	if (k->first_tick > l->youngest)
		l->youngest = k->first_tick;
	return 0;
}

static void lost_until(struct look *l, unsigned kind, uint64_t tick)
{
	uint64_t *bound = kind == TAILBOX__BLOCK_SAMPLES
	                          ? &l->out->samples_tick
	                          : &l->out->from_tick;

	/* It may have begun and ended within that tick. */
	if (tick >= *bound)
		*bound = tick < UINT64_MAX ? tick + 1 : tick;
}

/* The blocks of one thread and kind, of which there is at least one. */
static void judge(struct look *l, const struct kept *k, size_t count)
{
	size_t last = 0;

	while (last + 1 < count && k[last + 1].order + 1 == k[last].order)
		last++;
	/* Where nobody counted, all that may be lost is taken to be. */
	if (k[0].order == 0)
		last = count - 1;
	if (k[last].order > 1 || (k[last].order == 0 && l->has_gone_round))
		lost_until(l, k->kind, k[last].first_tick);
	if (k[0].order > count)
		l->out->overwritten += k[0].order - count;
}

/* What a thread has written, as far as it counts. */
static uint64_t written(const struct tailbox__thread_entry *t, unsigned kind)
{
	const uint64_t spans = TAILBOX__GET(t->spans) + TAILBOX__GET(t->moves);
	const uint64_t lost = TAILBOX__GET(t->lost_spans);

	if (kind == TAILBOX__BLOCK_REQUESTS)
		return TAILBOX__GET(t->finished);
	if (kind == TAILBOX__BLOCK_SPANS && spans > lost)
		return spans - lost;
	return 0;
}

static bool has_block(const struct look *l, uint32_t thread, unsigned kind)
{
	size_t from = 0, to = l->blocks.count;

	while (from < to) {
		const size_t middle = from + (to - from) / 2;
		const struct kept *k = &l->blocks.items[middle];
		if (k->kind < kind || (k->kind == kind && k->thread < thread))
			from = middle + 1;
		else
			to = middle;
	}
	return from < l->blocks.count &&
	       l->blocks.items[from].kind == kind &&
	       l->blocks.items[from].thread == thread;
}

static void judge_all(struct look *l, const struct tailbox__thread_entry *t,
                      long threads)
{
	const struct kept *k = l->blocks.items;
	const size_t count = l->blocks.count;

	if (count)
		qsort(l->blocks.items, count, sizeof(*k), by_owner);
	for (size_t i = 0, n; i < count; i += n) {
		for (n = 1; i + n < count && k[i + n].kind == k[i].kind &&
		            k[i + n].thread == k[i].thread;
		     n++)
			;
		judge(l, &k[i], n);
	}
	for (long i = 0; i < threads; i++)
		for (unsigned kind = 1; kind < KINDS; kind++)
			if (written(&t[i], kind) &&
			    !has_block(l, (uint32_t)i, kind))
				lost_until(l, kind, l->youngest);
}

int tailbox__cover(struct tailbox__reader *r, struct tailbox__cover *out)
{
	const struct tailbox__tape_header *h = tailbox__reader_header(r);
	const struct tailbox__thread_entry *threads;
	struct look l = { .r = r, .out = out };

	*out = (struct tailbox__cover){ 0 };
	/* Before the blocks: what was counted by then is in one of them. */
	const long n = tailbox__reader_threads(r, &threads);
	int rc = n < 0 ? (int)n : tailbox__reader_refresh(r);
	l.has_gone_round = TAILBOX__GET(h->next_ticket) >= h->blocks_max;
	for (uint64_t i = 0; rc == 0 && i < h->blocks_max; i++)
		rc = look_at(&l, i);
	if (rc == 0)
		judge_all(&l, threads, n);
	tailbox__free(l.blocks.items);
	return rc;
}

uint64_t tailbox__cover_from(const struct tailbox__reader *r,
                             const struct tailbox__cover *c, uint64_t asked)
{
	const struct tailbox__tape_header *h = tailbox__reader_header(r);
	const uint64_t bounds[] = {
		c->from_tick, h->anchor_tick,
		TAILBOX__GET(h->recorder_on) ? TAILBOX__GET(h->switched) : 0
	};

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		if (bounds[i] > asked)
			asked = bounds[i];
	return asked;
}
