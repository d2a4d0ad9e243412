/* sampler/stack.h - the stack of a worker that is held, by a signal.
 *
 * SPDX-License-Identifier: MIT
 *
 * Off unless a signal is named. The sampler's thread asks a worker that one
 * callback has held for long, once per hold; the worker's own handler writes
 * down where it was; the sampler puts that onto the tape.
 */
#ifndef TAILBOX_SAMPLER_STACK_H
#define TAILBOX_SAMPLER_STACK_H 1

#include "sampler/modules.h"

/* Signals sent in a second at most, to all workers together. */
#define TAILBOX__STACKS_PER_SECOND 20u

/* Take the signal (its number; 0 = none, then off) for workers that are held
 * for after_ms; the one before is given back. name: as people know it. NULL or
 * why it is not taken: static text. Any thread. */
const char *tailbox__stack_set(int number, const char *name,
                               uint64_t after_ms);
/* Give the signal back. Any thread; the sampler has stopped or may run. */
void tailbox__stack_clear(void);
/* In a forked child, which has no sampler. */
void tailbox__stack_in_child(void);

/* One look at all workers: ask those that are due, put onto the tape what was
 * answered. Gives when to look again, ns of CLOCK_MONOTONIC; UINT64_MAX while
 * it is off. The sampler's thread only. */
uint64_t tailbox__stack_look(void);

/* What was taken in this hold (tick of its start) of this thread (index).
 * False: nothing. Any thread. */
bool tailbox__stack_of(uint32_t thread, uint64_t hold,
                       struct tailbox__stack *out, uint64_t *tick);

struct tailbox__stack_status {
	char signal[16]; /* "" = none is named */
	bool is_on;
	uint64_t after_ms;
	char trouble[160]; /* why not, or not quite; "" = none */
	uint64_t asked;
	uint64_t taken;   /* of those; on the tape */
	uint64_t late;    /* the hold had ended when the signal came */
	uint64_t blocked; /* holds not asked about: the thread blocks it */
	uint64_t failed;  /* it could not be sent, or there was no room on the
	                     tape */
};
void tailbox__stack_status(struct tailbox__stack_status *out);

#endif
