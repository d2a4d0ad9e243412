/* sampler/stack_place.h - where a worker answers, and the signal that asks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_SAMPLER_STACK_PLACE_H
#define TAILBOX_SAMPLER_STACK_PLACE_H 1

#include <stdatomic.h>

#include "sampler/modules.h"

/* Whose turn it is: see sampler/stack_place.c. */
enum tailbox__stack_turn {
	TAILBOX__STACK_FREE,
	TAILBOX__STACK_ASKED,
	TAILBOX__STACK_ANSWERED,
	TAILBOX__STACK_LATE
};

struct tailbox__stack_place {
	_Atomic uint32_t turn;
	uint32_t tid; /* who was asked last */
	/* asked */
	uint64_t hold;
	struct tailbox__rec_stack rec;
	uintptr_t low, high; /* of the stack */
	/* answered */
	uint64_t tick;
	struct tailbox__stack_raw raw;
	/* The sampler's: the last hold that it asked about, and under its lock
	 * the last stack. */
	uint64_t last_hold;
	uint64_t shown_hold, shown_tick;
	struct tailbox__stack shown;
};

/* TAILBOX__THREADS_MAX of them, never freed; NULL before the first signal was
 * taken. */
struct tailbox__stack_place *tailbox__stack_places(void);

/* Take a signal whose disposition is the default. NULL, or why not: static. */
const char *tailbox__stack_take(int number);
/* Put the default back; what is pending is dropped. Does nothing when it is not
 * ours any more. */
void tailbox__stack_give_back(int number);
/* Whether our handler is the signal's. */
bool tailbox__stack_is_ours(int number);
/* The sampler's again, unless it was answered. */
void tailbox__stack_withdraw(struct tailbox__stack_place *p);

#endif
