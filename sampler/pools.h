/* sampler/pools.h - the registered pools, for the sampler and status.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_SAMPLER_POOLS_H
#define TAILBOX_SAMPLER_POOLS_H 1

#include <stdint.h>

#include <tailbox/pool.h>

/* One pool as it was at the moment of the look. */
struct tailbox__pool_look {
	char name[TAILBOX_NAME_MAX + 1];
	int kind;          /* TAILBOX_POOL_RESOURCE or _OFFLOAD */
	uint32_t capacity; /* 0 = unbounded or unknown */
	uint64_t waiting, busy;
};

/* Copy all registered pools into out (room for TAILBOX_POOLS_MAX), in the
 * order of their places; returns the number. Any thread; takes a lock that
 * nobody holds for long. */
uint32_t tailbox__pools(struct tailbox__pool_look *out);
/* In a forked child: the lock may be held by a thread that is not there. The
 * pools themselves live on, the child has its copy of them. */
void tailbox__pools_in_child(void);

#endif
