/* tailbox/pool.h - let the sampler see the application's pools and queues.
 *
 * SPDX-License-Identifier: MIT
 *
 * A pool is a bounded set of things that work borrows (connections, buffers,
 * threads); an offload pool is one whose jobs run on threads of its own. The
 * application counts, the sampler reads: nothing here blocks or calls back.
 * The oldest wait is found by itself where the wait is marked with
 * TAILBOX_WAIT under the pool's name.
 */
#ifndef TAILBOX_POOL_H
#define TAILBOX_POOL_H 1

#include <tailbox.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tailbox_pool;

/* Pools that can be registered at one time. */
#define TAILBOX_POOLS_MAX 64u

enum {
	TAILBOX_POOL_RESOURCE = 0, /* waits block the caller */
	TAILBOX_POOL_OFFLOAD = 1   /* queued jobs: `blocking_queue_depth` */
};

/* Register a pool. name: non-blank, cut to TAILBOX_NAME_MAX. kind: as above.
 * capacity: things in the pool; 0 = unbounded or unknown.
 * Returns NULL when there are TAILBOX_POOLS_MAX already, name is NULL or
 * blank, or kind is unknown; the calls below accept NULL. May be called before
 * tailbox_start(). Threads: any thread; takes a lock. Since 0.1. */
TAILBOX_API struct tailbox_pool *tailbox_pool_register(const char *name,
                                                       int kind,
                                                       uint32_t capacity);

/* Forget a pool. The pointer is dead afterwards. NULL does nothing.
 * Threads: one thread, after the last other call on it. Since 0.1. */
TAILBOX_API void tailbox_pool_unregister(struct tailbox_pool *p);

/* How many wait for the pool / how many of its things are in use now, by
 * difference. Values below 0 read as 0. Threads: any thread. Since 0.1. */
TAILBOX_API void tailbox_pool_waiting_add(struct tailbox_pool *p, int delta);
TAILBOX_API void tailbox_pool_busy_add(struct tailbox_pool *p, int delta);

/* How many wait now; for `depth` of TAILBOX_WAIT. 0 for NULL. Since 0.1. */
TAILBOX_API uint32_t tailbox_pool_waiting(const struct tailbox_pool *p);

#ifdef __cplusplus
}
#endif
#endif
