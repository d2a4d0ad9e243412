/* agent/real.h - the libmicrohttpd that the program brings.
 *
 * SPDX-License-Identifier: MIT
 *
 * The agent links no libmicrohttpd, so that a process without one stays
 * without. What middleware and controller call is defined in agent/real.c and
 * goes to the library that the program uses, found when it first starts a
 * daemon. A process may have more than one; only the first is recorded.
 */
#ifndef TAILBOX_AGENT_REAL_H
#define TAILBOX_AGENT_REAL_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* A function of the library by its name; of static storage, at NULL. */
struct tailbox__real {
	const char *name;
	_Atomic(void *) at; /* once it was found in the global scope */
};

/* The function that `caller`, an address in the program's code, would have
 * reached without the agent: the next one in the global scope, else one in
 * what the caller's object brings along (a plugin and its own libraries).
 * NULL: there is none. Any thread. */
void *tailbox__real_of(struct tailbox__real *r, const void *caller);

/* Take the library that `caller` uses as the one to be recorded, and hold it in
 * memory from now on. True: it has all we call. False: why says what is wrong
 * with it. Once, under the caller's lock. */
bool tailbox__real_take(const void *caller, char *why, size_t size);
/* Whether a daemon that `caller` starts is of the library that was taken; if
 * not, the next function looks closer from then on. Any thread. */
bool tailbox__real_is_taken(const void *caller);
/* The same for calls about what was started. Any thread, costs a load while
 * the process has one library. */
bool tailbox__real_may_take(const void *caller);

/* Not 0 while this thread is inside a call of ours into the library: what the
 * library calls through an exported name comes by the agent again. */
extern __thread int tailbox__real_inside
        __attribute__((tls_model("initial-exec"), visibility("hidden")));

#endif
