/* sampler/pools.c - the registry of the application's pools and queues.
 *
 * SPDX-License-Identifier: MIT
 *
 * The application counts by difference and the sampler reads, so a pool is
 * two counters and the facts about it. A pool starts on a cache line of its
 * own: many threads write its counters and two pools must not slow each
 * other down. The counters order nothing, hence relaxed; they are wide and
 * signed, because an application may take the busy mark away on one thread
 * before another thread has put it there, and the sum has to come out right.
 *
 * The lock guards the list of places, not the counters. It is held for a
 * copy of at most TAILBOX_POOLS_MAX pools; the calls of the hot path do not
 * take it. An array of places and no list: the maximum is small, and a place
 * that is given back is the next one taken.
 */
#include "sampler/pools.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "core/alloc.h"
#include "core/run.h"
#include "core/utf8.h"

enum { CACHE_LINE = 64 };

struct tailbox_pool {
	_Atomic int64_t waiting, busy;
	void *memory; /* what the allocator gave; the pool begins later */
	int kind;
	uint32_t capacity;
	char name[TAILBOX_NAME_MAX + 1];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tailbox_pool *places[TAILBOX_POOLS_MAX];

/* Bytes of name to keep: at most TAILBOX_NAME_MAX, no character cut. */
static size_t kept_length(const char *name, size_t len)
{
	size_t kept = 0;

	while (kept < len) {
		uint32_t cp;
		size_t n = tailbox__utf8_next(name + kept, len - kept, &cp);

		if (kept + n > TAILBOX_NAME_MAX)
			break;
		kept += n;
	}
	return kept;
}

/* A pool in no place yet, NULL without memory. Rounded up to whole lines, so
 * that what lies behind it in memory is not on its last one. */
static struct tailbox_pool *pool_create(const char *name, int kind,
                                        uint32_t capacity)
{
	size_t bytes = sizeof(struct tailbox_pool) + 2 * CACHE_LINE;
	void *memory = tailbox__zalloc(1, bytes);

	if (!memory)
		return NULL;
	uintptr_t at = (uintptr_t)memory + CACHE_LINE - 1;
	struct tailbox_pool *p = (void *)(at - at % CACHE_LINE);

	p->memory = memory;
	p->kind = kind;
	p->capacity = capacity;
	memcpy(p->name, name, kept_length(name, strlen(name)));
	return p;
}

static struct tailbox_pool **free_place(void)
{
	for (unsigned i = 0; i < TAILBOX_POOLS_MAX; i++)
		if (!places[i])
			return &places[i];
	return NULL;
}

struct tailbox_pool *tailbox_pool_register(const char *name, int kind,
                                           uint32_t capacity)
{
	if (!name || tailbox__is_blank(name, strlen(name)))
		return NULL;
	if (kind != TAILBOX_POOL_RESOURCE && kind != TAILBOX_POOL_OFFLOAD)
		return NULL;
	struct tailbox_pool *p = pool_create(name, kind, capacity);

	if (!p)
		return NULL;
	pthread_mutex_lock(&lock);
	struct tailbox_pool **place = free_place();
	if (place)
		*place = p;
	pthread_mutex_unlock(&lock);
	if (!place) {
		tailbox__free(p->memory);
		p = NULL;
	}
	return p;
}

void tailbox_pool_unregister(struct tailbox_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < TAILBOX_POOLS_MAX; i++)
		if (places[i] == p)
			places[i] = NULL;
	pthread_mutex_unlock(&lock);
	tailbox__free(p->memory);
}

void tailbox_pool_waiting_add(struct tailbox_pool *p, int delta)
{
	if (p)
		atomic_fetch_add_explicit(&p->waiting, delta,
		                          memory_order_relaxed);
}

void tailbox_pool_busy_add(struct tailbox_pool *p, int delta)
{
	if (p)
		atomic_fetch_add_explicit(&p->busy, delta,
		                          memory_order_relaxed);
}

static uint64_t count_of(const _Atomic int64_t *counter)
{
	int64_t n = atomic_load_explicit(counter, memory_order_relaxed);

	return n > 0 ? (uint64_t)n : 0;
}

uint32_t tailbox_pool_waiting(const struct tailbox_pool *p)
{
	uint64_t n = p ? count_of(&p->waiting) : 0;

	/* UINT32_MAX would read as TAILBOX_DEPTH_UNKNOWN. */
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX - 1;
}

uint32_t tailbox__pools(struct tailbox__pool_look *out)
{
	uint32_t count = 0;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < TAILBOX_POOLS_MAX; i++) {
		const struct tailbox_pool *p = places[i];

		if (!p)
			continue;
		struct tailbox__pool_look *o = &out[count++];
		memcpy(o->name, p->name, sizeof(o->name));
		o->kind = p->kind;
		o->capacity = p->capacity;
		o->waiting = count_of(&p->waiting);
		o->busy = count_of(&p->busy);
	}
	pthread_mutex_unlock(&lock);
	return count;
}

void tailbox__pools_in_child(void)
{
	lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}
