/* core/alloc.c - the one allocator, so that tests can make it fail.
 *
 * SPDX-License-Identifier: MIT
 *
 * The two counters are shared by all threads. That is fine here: nothing on
 * the recording path allocates. They only count, and order nothing, so every
 * access is relaxed.
 */
#include "core/alloc.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Blocks of this many bytes get huge pages when they are wanted. */
#define LARGE_BYTES ((size_t)4 << 20)
#define HUGE_PAGE ((uintptr_t)2 << 20)

static atomic_bool wants_huge;
static atomic_long allowed = -1; /* allocations to let through; -1 = all */
static atomic_long live;

/* Take one from what may still succeed. */
static bool may_allocate(void)
{
	long n = atomic_load_explicit(&allowed, memory_order_relaxed);

	while (n > 0)
		if (atomic_compare_exchange_weak_explicit(
		            &allowed, &n, n - 1, memory_order_relaxed,
		            memory_order_relaxed))
			return true;
	return n < 0;
}

static void count_live(long change)
{
	atomic_fetch_add_explicit(&live, change, memory_order_relaxed);
}

/* n * size, 1 for nothing (malloc(0) may give NULL), 0 on overflow. */
static size_t total_bytes(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > PTRDIFF_MAX)
		return 0;
	return bytes ? bytes : 1;
}

/* Only advice, so what comes of it does not matter. */
static void advise(void *p, size_t bytes)
{
	const uintptr_t begin = ((uintptr_t)p + HUGE_PAGE - 1) & -HUGE_PAGE;
	const uintptr_t end = ((uintptr_t)p + bytes) & -HUGE_PAGE;

	if (p && bytes >= LARGE_BYTES && begin < end &&
	    atomic_load_explicit(&wants_huge, memory_order_relaxed))
		madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

/* realloc() moves a large block by its pages, and huge ones that come to lie
 * at another place in theirs are broken up. So copy. */
static void *resize_large(void *p, size_t bytes)
{
	void *q = malloc(bytes);

	if (!q)
		return NULL;
	const size_t have = malloc_usable_size(p);
	advise(q, bytes);
	memcpy(q, p, have < bytes ? have : bytes);
	free(p);
	return q;
}

void tailbox__alloc_prefer_huge(void)
{
	atomic_store_explicit(&wants_huge, true, memory_order_relaxed);
}

void *tailbox__alloc(size_t n, size_t size)
{
	size_t bytes = total_bytes(n, size);

	if (!bytes || !may_allocate())
		return NULL;
	void *p = malloc(bytes);
	if (p)
		count_live(1);
	advise(p, bytes);
	return p;
}

void *tailbox__zalloc(size_t n, size_t size)
{
	size_t bytes = total_bytes(n, size);

	if (!bytes || !may_allocate())
		return NULL;
	/* Not malloc and memset: calloc knows which pages are zero. */
	void *p = calloc(1, bytes);
	if (p)
		count_live(1);
	advise(p, bytes);
	return p;
}

void *tailbox__realloc(void *p, size_t n, size_t size)
{
	size_t bytes = total_bytes(n, size);

	if (!bytes || !may_allocate())
		return NULL;
	if (p && bytes >= LARGE_BYTES &&
	    atomic_load_explicit(&wants_huge, memory_order_relaxed))
		return resize_large(p, bytes);
	void *q = realloc(p, bytes);
	if (q && !p)
		count_live(1);
	advise(q, bytes);
	return q;
}

void tailbox__free(void *p)
{
	if (!p)
		return;
	count_live(-1);
	free(p);
}

char *tailbox__strdup(const char *s)
{
	if (!s)
		return NULL;
	size_t bytes = strlen(s) + 1;
	char *copy = tailbox__alloc(bytes, 1);
	return copy ? memcpy(copy, s, bytes) : NULL;
}

void tailbox__alloc_fail_after(long n)
{
	atomic_store_explicit(&allowed, n < 0 ? -1 : n, memory_order_relaxed);
}

long tailbox__alloc_live(void)
{
	return atomic_load_explicit(&live, memory_order_relaxed);
}
