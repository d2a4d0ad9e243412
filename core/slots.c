/* core/slots.c - open slots: one per connection or core request.
 *
 * SPDX-License-Identifier: MIT
 *
 * Free slots wait on a lock-free stack of their crew's; each thread keeps up
 * to 16 at hand, so that connections that come and go on one worker touch
 * nothing shared. A slot that was never used is taken by advancing the
 * high-water mark, which is also how far readers look.
 */
#include "core/internal.h"

#define BATCH 8u

/* Whose stacks are meant: the thread's own crew's, or without one the present
 * one's. */
static struct tailbox__crew *crew_of(const struct tailbox__thread *t)
{
	return t != NULL ? t->crew : tailbox__recorder.crew;
}

static void push(struct tailbox__crew *c, uint32_t index)
{
	uint64_t old = atomic_load_explicit(&c->free_slots,
	                                    memory_order_relaxed);
	uint64_t new;

	do {
		TAILBOX__SET(c->links[index], (uint32_t)old);
		new = ((old >> 32) + 1) << 32 | (index + 1);
	} while (!atomic_compare_exchange_weak_explicit(
	        &c->free_slots, &old, new, memory_order_release,
	        memory_order_relaxed));
}

/* Index plus 1, or 0. */
static uint32_t pop(struct tailbox__crew *c)
{
	uint64_t old = atomic_load_explicit(&c->free_slots,
	                                    memory_order_acquire);
	uint64_t new;

	do {
		if ((uint32_t)old == 0)
			return 0;
		/* The link may be stale when another thread was faster; then
		 * the tag has changed and the swap fails. */
		new = ((old >> 32) + 1) << 32 |
		      TAILBOX__GET(c->links[(uint32_t)old - 1]);
	} while (!atomic_compare_exchange_weak_explicit(
	        &c->free_slots, &old, new, memory_order_acquire,
	        memory_order_acquire));
	return (uint32_t)old;
}

static uint32_t fresh(struct tailbox__tape_header *h)
{
	uint64_t used = TAILBOX__GET(h->slots_used);

	do {
		if (used >= h->slots_max)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(
	        &h->slots_used, &used, used + 1, memory_order_acq_rel,
	        memory_order_relaxed));
	return (uint32_t)used + 1;
}

/* Whoever is in the middle of something has one header and finds the rest by
 * it: another tape may be opened at any moment. */
static struct tailbox__slot *slot_at(const struct tailbox__tape_header *h,
                                     uint32_t index)
{
	return (struct tailbox__slot *)(uintptr_t)((const char *)h +
	                                           h->slots_off) +
	       index;
}

/* SLOTS_MOST: it is of another tape. By a worker that was in the middle of
 * something when tailbox was stopped and started. */
static uint32_t index_of(const struct tailbox__crew *c,
                         const struct tailbox__slot *s)
{
	const struct tailbox__tape_header *h = TAILBOX__GET(c->header);
	const uintptr_t first = (uintptr_t)slot_at(h, 0);
	const uintptr_t index = ((uintptr_t)s - first) / sizeof(*s);

	return index < h->slots_max ? (uint32_t)index : TAILBOX__SLOTS_MOST;
}

uint32_t tailbox__slot_index(const struct tailbox__thread *t,
                             const struct tailbox__slot *s)
{
	return index_of(t->crew, s);
}

struct tailbox__slot *tailbox__slot_take(struct tailbox__thread *t)
{
	struct tailbox__tape_header *h = t->crew->header;
	struct tailbox__slot *s;
	uint32_t index;

	/* Stopped or switched off just now. */
	if (t->epoch != TAILBOX__GET(tailbox__recorder.epoch))
		return NULL;
	if (t->free_slot_count > 0) {
		index = t->free_slots[--t->free_slot_count];
	} else {
		index = pop(t->crew);
		if (index == 0)
			index = fresh(h);
		if (index == 0) {
			tailbox__loss(TAILBOX__LOSS_SLOTS);
			return NULL;
		}
		index--;
	}
	s = slot_at(h, index);
	TAILBOX__SET(s->thread, t->index);
	TAILBOX__SET(s->flags, 0);
	TAILBOX__SET(s->connection, 0);
	TAILBOX__SET(s->opened, 0);
	TAILBOX__SET(s->fd, 0);
	TAILBOX__SET(s->requests, 0);
	TAILBOX__SET(s->daemon, 0);
	TAILBOX__SET(s->where_kind, 0);
	atomic_store_explicit(&s->state, TAILBOX__SLOT_IDLE,
	                      memory_order_release);
	return s;
}

void tailbox__slot_give(struct tailbox__thread *t, struct tailbox__slot *s)
{
	struct tailbox__crew *c = crew_of(t);
	const uint32_t index = index_of(c, s);

	atomic_store_explicit(&s->state, TAILBOX__SLOT_FREE,
	                      memory_order_release);
	if (index == TAILBOX__SLOTS_MOST)
		return;
	if (t == NULL) {
		push(c, index);
		return;
	}
	if (t->free_slot_count == sizeof(t->free_slots) / sizeof(uint32_t))
		for (uint32_t i = 0; i < BATCH; i++)
			push(t->crew, t->free_slots[--t->free_slot_count]);
	t->free_slots[t->free_slot_count++] = index;
}

void tailbox__slot_owe(struct tailbox__slot *s)
{
	struct tailbox__crew *c;
	uint32_t index, old;

	if (!tailbox__recorder_is_open())
		return;
	c = tailbox__recorder.crew;
	index = index_of(c, s);
	if (index == TAILBOX__SLOTS_MOST)
		return;
	old = atomic_load_explicit(&c->owed_slots, memory_order_relaxed);
	do {
		TAILBOX__SET(c->links[index], old);
		/* Release: whoever takes the list finds the link. */
	} while (!atomic_compare_exchange_weak_explicit(
	        &c->owed_slots, &old, index + 1, memory_order_release,
	        memory_order_relaxed));
}

void tailbox__slots_settle(void)
{
	struct tailbox__crew *c = tailbox__recorder.crew;
	const struct tailbox__tape_header *h = TAILBOX__GET(c->header);
	uint32_t next, at;

	/* Taken whole, so no link of it can be stale. */
	at = atomic_exchange_explicit(&c->owed_slots, 0, memory_order_acquire);
	for (; at != 0; at = next) {
		next = TAILBOX__GET(c->links[at - 1]);
		atomic_store_explicit(&slot_at(h, at - 1)->state,
		                      TAILBOX__SLOT_FREE, memory_order_release);
		push(c, at - 1);
	}
}

void tailbox__slots_flush(struct tailbox__thread *t)
{
	while (t->free_slot_count > 0)
		push(t->crew, t->free_slots[--t->free_slot_count]);
}

/* A handle: the low bits of thread and count of the request's number, mixed
 * with what only this tape has, above the slot's index plus 1. It is compared
 * with the number the slot has now, so a handle that outlived its request
 * matches nothing, but for one request in 2^34 of one thread in one slot, nor
 * does one of another tape, where the numbers begin again. (Where a pointer
 * has 32 bits, one in 2^12.) */
#define INDEX_BITS 20
#define COUNT_BITS 34

static uintptr_t handle(const struct tailbox__crew *c, uint64_t number,
                        uint32_t index)
{
	uint64_t h = (number >> 40 & 0x3ff) << COUNT_BITS |
	             (number & (((uint64_t)1 << COUNT_BITS) - 1));

	h ^= TAILBOX__GET(c->salt) >> INDEX_BITS;
	return (uintptr_t)(h << INDEX_BITS | (index + 1));
}

tailbox_request tailbox__handle_of(const struct tailbox__slot *s)
{
	const struct tailbox__crew *c = tailbox__recorder.crew;

	return (tailbox_request)handle(c, TAILBOX__GET(s->number),
	                               index_of(c, s));
}

static struct tailbox__slot *find(const struct tailbox__crew *c,
                                  tailbox_request r)
{
	const uint32_t index =
	        (uint32_t)((uintptr_t)r & ((1u << INDEX_BITS) - 1));
	const struct tailbox__tape_header *h = TAILBOX__GET(c->header);
	struct tailbox__slot *s;

	if (index == 0 || index > h->slots_max)
		return NULL;
	s = slot_at(h, index - 1);
	if (TAILBOX__GET(s->state) != TAILBOX__SLOT_OPEN ||
	    (uintptr_t)r != handle(c, TAILBOX__GET(s->number), index - 1))
		return NULL;
	return s;
}

struct tailbox__slot *tailbox__slot_of(tailbox_request r)
{
	return r != NULL && tailbox__recorder_is_open()
	               ? find(tailbox__recorder.crew, r)
	               : NULL;
}

struct tailbox__slot *tailbox__slot_in(const struct tailbox__thread *t,
                                       tailbox_request r)
{
	return t != NULL && r != NULL ? find(t->crew, r) : tailbox__slot_of(r);
}

uint32_t tailbox__open_before(uint64_t tick)
{
	struct tailbox__tape *t = &tailbox__recorder.tape;
	uint64_t used = TAILBOX__GET(t->header->slots_used);
	uint32_t n = 0;

	for (uint64_t i = 0; i < used; i++) {
		/* Pairs with the release that ends a request: when the slot is
		 * seen idle, the record is published. */
		uint64_t state = atomic_load_explicit(&t->slots[i].state,
		                                      memory_order_acquire);
		if (state == TAILBOX__SLOT_STARTING ||
		    (state == TAILBOX__SLOT_OPEN &&
		     TAILBOX__GET(t->slots[i].line) < tick))
			n++;
	}
	return n;
}
