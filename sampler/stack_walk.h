/* sampler/stack_walk.h - return addresses on a stack, by frame pointers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_SAMPLER_STACK_WALK_H
#define TAILBOX_SAMPLER_STACK_WALK_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/record.h"

#if defined(__x86_64__) || defined(__aarch64__)
#define TAILBOX__STACK_SUPPORTED 1
#else
#define TAILBOX__STACK_SUPPORTED 0
#endif

/* Words beside the innermost frame that are kept to look for a return address
 * in: of functions that keep no frame pointer, as those of many a libc. */
#define TAILBOX__STACK_WORDS 128u

/* Where a thread was, as a signal's context has it, and its stack. */
struct tailbox__stack_from {
	uintptr_t pc, sp, fp;
	uintptr_t link; /* aarch64: x30; 0 = none */
	uintptr_t low, high; /* bounds of the stack; high 0 = not known */
};

/* What the walk found. */
struct tailbox__stack_raw {
	uint32_t count; /* of pc, at least 1 */
	uint32_t word_count;
	enum tailbox__stack_end end;
	uintptr_t pc[TAILBOX__STACK_DEPTH]; /* the first is where it was */
	/* From the stack pointer up to the innermost frame, in that order; any
	 * of them may be a return address, most are not. */
	uintptr_t word[TAILBOX__STACK_WORDS];
};

/* Reads [sp, high) of the stack and nothing else, and of that only what frame
 * pointers that rise, aligned, within it lead to. Async-signal-safe; bounded.
 */
void tailbox__stack_walk(const struct tailbox__stack_from *from,
                         struct tailbox__stack_raw *out);

/* Whether the instruction that ends at `at` is a call, so that `at` may be a
 * return address; before: the bytes before it that may be read, at most 8 are.
 * x86-64 and aarch64, by what this is compiled for; false elsewhere. */
bool tailbox__stack_is_after_call(const unsigned char *at, size_t before);
/* Whether it is at, or right behind, the instruction that enters the kernel:
 * a system call that a signal interrupted is begun again, or it is over. after:
 * the bytes from `at` on. */
bool tailbox__stack_is_at_syscall(const unsigned char *at, size_t before,
                                  size_t after);

#endif
