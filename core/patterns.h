/* core/patterns.h - the route patterns in force.
 *
 * SPDX-License-Identifier: MIT
 *
 * A set of patterns does not change once it is published, and it stays in
 * memory until the tailbox_stop() after the one that ends it, so that a worker
 * may go on with one that was replaced: no lock, no count. The same patterns again are the same set;
 * what may pile up is the sets that differ, TAILBOX__PATTERN_SETS_MAX.
 */
#ifndef TAILBOX_CORE_PATTERNS_H
#define TAILBOX_CORE_PATTERNS_H 1

#include <stdatomic.h>
#include <stdint.h>

#include <tailbox.h>

struct tailbox__config_list;

#define TAILBOX__PATTERN_SETS_MAX 256u

struct tailbox__pattern {
	uint32_t len; /* of text; it is also the route's label */
	char text[TAILBOX_NAME_MAX + 1];
};

struct tailbox__pattern_set {
	struct tailbox__pattern_set *older;
	uint32_t count;
	struct tailbox__pattern items[];
};

struct tailbox__patterns {
	/* NULL = none. */
	_Atomic(const struct tailbox__pattern_set *) set;
	/* Never 0; advances with every set that is put in force. Routes that
	 * were found under another generation are not to be used. */
	_Atomic uint32_t generation;
};
extern struct tailbox__patterns tailbox__patterns
        __attribute__((visibility("hidden")));

/* Put patterns in force, which the checks of the configuration have seen.
 * 0, -ENOMEM, -ENOSPC (too many different sets since the start): then what
 * was in force stays. Any thread; takes a lock. */
int tailbox__patterns_set(const struct tailbox__config_list *list);
/* None in force; what was before the last clear is freed. Requests may run. */
void tailbox__patterns_clear(void);
void tailbox__patterns_in_child(void);

/* For one who fills a cache: the generation first, then the set. */
static inline uint32_t tailbox__patterns_generation(void)
{
	/* Pairs with the release in _set: this generation's set is seen. */
	return atomic_load_explicit(&tailbox__patterns.generation,
	                            memory_order_acquire);
}
static inline const struct tailbox__pattern_set *tailbox__patterns_get(void)
{
	/* Pairs with the release in _set: what is in the set is seen. */
	return atomic_load_explicit(&tailbox__patterns.set,
	                            memory_order_acquire);
}

#endif
