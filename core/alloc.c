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

#define HUGE_PAGE ((size_t)2 << 20)
/* Blocks of this many bytes get huge pages when they are wanted. */
#define LARGE_BYTES HUGE_PAGE
/* A last page that would be used but for this much is a huge one too. */
#define SPARE_BYTES ((size_t)256 << 10)
/* So much of the heap is of huge pages too, and so much it keeps. */
#define HEAP_BYTES (16 << 20)
#define HEAP_KEEP_BYTES (32 << 20)

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

static bool is_large(size_t bytes)
{
	return bytes >= LARGE_BYTES &&
	       atomic_load_explicit(&wants_huge, memory_order_relaxed);
}

/* Only advice, so what comes of it does not matter. */
static void advise(void *p, size_t bytes)
{
	const uintptr_t begin = ((uintptr_t)p + HUGE_PAGE - 1) & -HUGE_PAGE;
	const uintptr_t end = ((uintptr_t)p + bytes) & -HUGE_PAGE;

	if (p && is_large(bytes) && begin < end)
		madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

/* Huge pages lie at multiples of their size: a block that begins at one has
 * no small pages in front, and few behind. */
static void *allocate(size_t bytes)
{
	const size_t whole = (bytes + HUGE_PAGE - 1) & -HUGE_PAGE;
	void *p;

	if (!is_large(bytes))
		return malloc(bytes);
	if (whole - bytes <= SPARE_BYTES)
		bytes = whole;
	if (posix_memalign(&p, HUGE_PAGE, bytes) != 0)
		return NULL;
	advise(p, bytes);
	return p;
}

/* realloc() moves a large block by its pages, and huge ones that come to lie
 * at another place in theirs are broken up. So copy. */
static void *resize_large(void *p, size_t bytes)
{
	void *q = allocate(bytes);

	if (!q)
		return NULL;
	const size_t have = malloc_usable_size(p);
	memcpy(q, p, have < bytes ? have : bytes);
	free(p);
	return q;
}

/* What is smaller comes from one heap that keeps what it has: pages that were
 * given back would have to be found and emptied anew. Nothing of it is there
 * before it is used, but the advice counts from now on. */
void tailbox__alloc_prefer_huge(void)
{
	atomic_store_explicit(&wants_huge, true, memory_order_relaxed);
	mallopt(M_MMAP_THRESHOLD, HEAP_KEEP_BYTES);
	mallopt(M_TRIM_THRESHOLD, HEAP_KEEP_BYTES);
	void *heap = malloc(HEAP_BYTES);
	advise(heap, HEAP_BYTES);
	free(heap);
	mallopt(M_MMAP_THRESHOLD, (int)LARGE_BYTES);
}

void *tailbox__alloc(size_t n, size_t size)
{
	size_t bytes = total_bytes(n, size);

	if (!bytes || !may_allocate())
		return NULL;
	void *p = allocate(bytes);
	if (p)
		count_live(1);
	return p;
}

void *tailbox__zalloc(size_t n, size_t size)
{
	size_t bytes = total_bytes(n, size);

	if (!bytes || !may_allocate())
		return NULL;
	/* Where they are small calloc knows which pages are zero. */
	void *p = is_large(bytes) ? allocate(bytes) : calloc(1, bytes);
	if (p && is_large(bytes))
		memset(p, 0, bytes);
	if (p)
		count_live(1);
	return p;
}

void *tailbox__realloc(void *p, size_t n, size_t size)
{
	size_t bytes = total_bytes(n, size);

	if (!bytes || !may_allocate())
		return NULL;
	if (p && is_large(bytes))
		return resize_large(p, bytes);
	void *q = p ? realloc(p, bytes) : allocate(bytes);
	if (q && !p)
		count_live(1);
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
