/* sampler/modules.h - from addresses to places in files.
 *
 * SPDX-License-Identifier: MIT
 *
 * No symbols: whoever reads a stack looks those up. A module goes onto the
 * tape as two names, its path and its build id, so that a stack says all there
 * is to know by itself, wherever it is read and however old it is.
 */
#ifndef TAILBOX_SAMPLER_MODULES_H
#define TAILBOX_SAMPLER_MODULES_H 1

#include "sampler/stack_walk.h"

/* A stack as frames of core/record.h. */
struct tailbox__stack {
	uint32_t count;   /* at least 1 */
	uint32_t guessed; /* bit n: as in struct tailbox__rec_stack */
	enum tailbox__stack_end end;
	uint64_t frame[TAILBOX__STACK_DEPTH];
};

/* Find the modules of a walk's addresses, and among the words beside the
 * innermost frame those that follow a call: they come right after the first
 * frame, TAILBOX__STACK_GUESSES at most. Not from a signal's handler: it takes
 * the dynamic linker's lock and interns names. */
#define TAILBOX__STACK_GUESSES 8u
void tailbox__stack_resolve(const struct tailbox__stack_raw *raw,
                            struct tailbox__stack *out);

#endif
