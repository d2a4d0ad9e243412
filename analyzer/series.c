/* analyzer/series.c - percentiles of a series, in linear time.
 *
 * SPDX-License-Identifier: MIT
 *
 * A percentile is one item of the sorted series, so nothing is sorted:
 * quickselect, and where the pivots stay bad (values can be chosen so) the
 * rest is sorted after all.
 */
#include <errno.h>
#include <stdlib.h>

#include "analyzer/analysis.h"
#include "analyzer/timeline.h"
#include "core/alloc.h"

#define FEW 24 /* sorted by insertion */

int tailbox__series_reserve(struct tailbox__series *s, size_t n)
{
	uint64_t *items;

	if (n <= s->room)
		return 0;
	items = tailbox__realloc(s->items, n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	s->items = items;
	s->room = n;
	return 0;
}

int tailbox__series_add_slowly(struct tailbox__series *s, uint64_t value)
{
	if (!tailbox__list_grow((void **)&s->items, &s->count, &s->room,
	                        sizeof(*s->items)))
		return -ENOMEM;
	s->items[s->count - 1] = value;
	return 0;
}

void tailbox__series_fini(struct tailbox__series *s)
{
	tailbox__free(s->items);
	*s = (struct tailbox__series){ .items = NULL };
}

static int ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void sort_few(uint64_t *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const uint64_t x = v[i];
		size_t k = i;

		for (; k > 0 && v[k - 1] > x; k--)
			v[k] = v[k - 1];
		v[k] = x;
	}
}

static uint64_t middle_of(uint64_t a, uint64_t b, uint64_t c)
{
	if (a > b) {
		const uint64_t t = a;
		a = b, b = t;
	}
	return c < a ? a : c > b ? b : c;
}

/* What is less than the pivot goes to the front, what is greater to the back;
 * the pivots between are [*low, *high). */
static void partition(uint64_t *v, size_t n, uint64_t pivot, size_t *low,
                      size_t *high)
{
	size_t i = 0;

	*low = 0;
	*high = n;
	while (i < *high) {
		const uint64_t x = v[i];
		if (x < pivot) {
			v[i++] = v[*low];
			v[(*low)++] = x;
		} else if (x > pivot) {
			v[i] = v[--*high];
			v[*high] = x;
		} else {
			i++;
		}
	}
}

/* The item that is at `at` when v is sorted. */
static uint64_t select_item(uint64_t *v, size_t n, size_t at)
{
	for (unsigned bad = 0; n > FEW; ) {
		const size_t before = n;
		size_t low, high;

		partition(v, n, middle_of(v[n / 4], v[n / 2], v[n - 1 - n / 4]),
		          &low, &high);
		if (at >= low && at < high)
			return v[at];
		if (at < low) {
			n = low;
		} else {
			v += high;
			n -= high;
			at -= high;
		}
		if (n > before - before / 8 && ++bad == 16) {
			qsort(v, n, sizeof(*v), ascending);
			return v[at];
		}
	}
	sort_few(v, n);
	return v[at];
}

uint64_t tailbox__series_percentile(struct tailbox__series *s, unsigned p)
{
	const size_t at = (size_t)tailbox__percentile_at(s->count, p);
	size_t from = 0, to = s->count;
	uint64_t value;

	if (s->count == 0)
		return TAILBOX__NONE;
	if (at >= s->known)
		from = s->known;
	else
		to = s->known;
	value = select_item(s->items + from, to - from, at - from);
	s->known = at;
	return value;
}

uint64_t tailbox__shares_percentile(const struct tailbox__shares *s, unsigned p)
{
	uint64_t at, before = 0;

	if (s->count == 0)
		return TAILBOX__NONE;
	at = tailbox__percentile_at(s->count, p);
	for (uint64_t share = 0; share < 1000; share++) {
		before += s->of[share];
		if (before > at)
			return share;
	}
	return 1000;
}
