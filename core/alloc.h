/* core/alloc.h - the one allocator, so that tests can make it fail.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_ALLOC_H
#define TAILBOX_CORE_ALLOC_H 1

#include <stddef.h>

/* n * size bytes, overflow checked; NULL on failure. n or size 0 gives a
 * pointer that may be freed. */
void *tailbox__alloc(size_t n, size_t size);
void *tailbox__zalloc(size_t n, size_t size);
/* Resize to n * size bytes; p stays valid on failure. */
void *tailbox__realloc(void *p, size_t n, size_t size);
void tailbox__free(void *p);
/* A copy of s, NULL on failure or for NULL. */
char *tailbox__strdup(const char *s);

/* From now on ask for huge pages behind large blocks, if the machine gives
 * them to who asks. For a command that fills hundreds of megabytes; a service
 * that is observed keeps the pages it chose. Any thread. */
void tailbox__alloc_prefer_huge(void);

/* Tests only, before start: let the next `n` allocations succeed and every
 * later one fail; -1 = never fail (the default). */
void tailbox__alloc_fail_after(long n);
/* Blocks handed out and not freed. */
long tailbox__alloc_live(void);

#endif
