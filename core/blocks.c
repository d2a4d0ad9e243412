/* core/blocks.c - who writes where on the tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * A block is claimed by a ticket and one compare-and-swap (core/record.h), and
 * then has one writer until that is done with it. Tickets go round the pool, so
 * blocks are recycled oldest first; one that is still being written is passed
 * over.
 *
 * There may be more writers than blocks, so a thread first books a block, by
 * the number of those that are in use: without a booking there is none, and no
 * record searches for it. With one there is a block that nobody writes in, for
 * as long as the search takes: whoever retires a block does so before it gives
 * its booking back, and whoever claims one has booked before. A search that
 * gave up after so many busy blocks would lose records while others are free,
 * as soon as a crowd of threads has taken a row of them and has nothing to say.
 *
 * The price of a search is one look for each block in use, at most; with half
 * of them in use it is two on average.
 */
#include "core/internal.h"

static uint32_t kinds(void)
{
	return sizeof(((struct tailbox__thread *)NULL)->out) /
	       sizeof(struct tailbox__out);
}

static bool book(const struct tailbox__thread *t)
{
	const uint32_t max = t->crew->header->blocks_max;
	tailbox__a32 *const active = &t->crew->blocks_active;

	/* No writing to it while there is nothing to be had. */
	if (TAILBOX__GET(*active) >= max)
		return false;
	/* Acquire, pairs with unbook(): what was retired is seen as that. */
	if (atomic_fetch_add_explicit(active, 1, memory_order_acquire) < max)
		return true;
	atomic_fetch_sub_explicit(active, 1, memory_order_relaxed);
	return false;
}

static void unbook(const struct tailbox__thread *t)
{
	atomic_fetch_sub_explicit(&t->crew->blocks_active, 1,
	                          memory_order_release);
}

/* False: there was none. The booking stays. */
static bool retire(struct tailbox__thread *t, unsigned kind)
{
	struct tailbox__out *o = &TAILBOX__OUT(t, kind);
	struct tailbox__block *b = o->block;

	if (b == NULL)
		return false;
	o->block = NULL;
	o->next = o->end = NULL;
	TAILBOX__SET(t->entry->block_ticket[kind], 0);
	/* Release: whoever recycles it has our records behind it. */
	atomic_store_explicit(&b->head, TAILBOX__HEAD(o->pub >> 16, kind, 0),
	                      memory_order_release);
	return true;
}

static bool claim(struct tailbox__thread *t, unsigned kind)
{
	struct tailbox__tape_header *h = t->crew->header;
	struct tailbox__out *o = &TAILBOX__OUT(t, kind);
	uint64_t ticket = 1 + atomic_fetch_add_explicit(&h->next_ticket, 1,
	                                                memory_order_relaxed);
	struct tailbox__block *b =
	        (void *)((char *)h + h->blocks_off +
	                 ticket % h->blocks_max * h->block_bytes);
	uint64_t old = atomic_load_explicit(&b->head, memory_order_relaxed);

	/* Active: its thread is still filling it. Newer: we were asleep
	 * between ticket and look, and the pool has gone round. */
	if (TAILBOX__HEAD_ACTIVE(old) || TAILBOX__HEAD_TICKET(old) >= ticket)
		return false;
	if (!atomic_compare_exchange_strong_explicit(
	            &b->head, &old, TAILBOX__HEAD(ticket, kind, 1),
	            memory_order_acq_rel, memory_order_relaxed))
		return false;
#if !defined(__x86_64__) && !defined(__i386__)
	/* Where stores may pass the compare-and-swap: no record of ours may be
	 * seen under the old head. */
	atomic_thread_fence(memory_order_release);
#endif
	TAILBOX__SET(b->thread, t->index);
	TAILBOX__SET(b->first_tick, tailbox__now());
	TAILBOX__SET(b->order, ++o->blocks);
	/* Release: where pub names the ticket, those three are of it too. */
	atomic_store_explicit(&b->pub, TAILBOX__PUB(ticket, 0),
	                      memory_order_release);
	o->block = b;
	o->pub = TAILBOX__PUB(ticket, 0);
	o->next = (char *)(b + 1);
	o->end = (char *)b + h->block_bytes;
	for (size_t i = 0; i < TAILBOX__AHEAD; i += 64)
		__builtin_prefetch(o->next + i, 1);
	TAILBOX__SET(t->entry->block_ticket[kind], ticket);
	return true;
}

char *tailbox__reserve_slow(struct tailbox__thread *t, unsigned kind,
                            size_t bytes)
{
	if (bytes > TAILBOX__BLOCK_LEAST - sizeof(struct tailbox__block))
		return NULL;
	/* From block to block the booking is kept: all processors write to
	 * that line. */
	const bool is_booked = retire(t, kind);
	/* A worker in the middle of something of a tape before (off or closed
	 * is one more): what it writes nobody reads. */
	if (TAILBOX__GET(tailbox__recorder.epoch) - t->epoch > 1) {
		if (is_booked)
			unbook(t);
		return NULL;
	}
	if (!is_booked && !book(t))
		return NULL;
	/* A round finds it; the free one may move on before us a few times. */
	const uint64_t rounds = (uint64_t)t->crew->header->blocks_max * 8;
	for (uint64_t i = 0; i < rounds; i++)
		if (claim(t, kind))
			return TAILBOX__OUT(t, kind).next;
	unbook(t);
	return NULL;
}

uint32_t tailbox__blocks_of(const struct tailbox__thread *t)
{
	uint32_t n = 0;

	for (uint32_t kind = 1; kind <= kinds(); kind++)
		n += TAILBOX__OUT(t, kind).block != NULL;
	return n;
}

void tailbox__blocks_retire(struct tailbox__thread *t)
{
	for (uint32_t kind = 1; kind <= kinds(); kind++)
		if (retire(t, kind))
			unbook(t);
}
