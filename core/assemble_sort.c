/* core/assemble_sort.c - sort records by tick.
 *
 * SPDX-License-Identifier: MIT
 *
 * Ticks of one window share their upper bits, and 900,000 spans are usual, so
 * this is a radix sort from the low digit up over the bits that differ: linear
 * and stable, where qsort() costs ten times as much and keeps no order among
 * equals. Records come in blocks of one thread each, so that they are often
 * in order already; that is looked at first.
 */
#include "core/assemble_plan.h"

#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static bool is_sorted(const struct tailbox__key *keys, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (keys[i].tick < keys[i - 1].tick)
			return false;
	return true;
}

static void range_of(const struct tailbox__key *keys, size_t n, uint64_t *low,
                     uint64_t *high)
{
	*low = *high = keys[0].tick;
	for (size_t i = 1; i < n; i++) {
		if (keys[i].tick < *low)
			*low = keys[i].tick;
		if (keys[i].tick > *high)
			*high = keys[i].tick;
	}
}

/* Move `from` to `to`, ordered by one digit. */
static void pass(const struct tailbox__key *from, struct tailbox__key *to,
                 size_t n, uint64_t low, unsigned shift)
{
	size_t start[DIGITS] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		start[(from[i].tick - low) >> shift & (DIGITS - 1)]++;
	for (size_t d = 0; d < DIGITS; d++) {
		size_t count = start[d];
		start[d] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[start[(from[i].tick - low) >> shift & (DIGITS - 1)]++] =
		        from[i];
}

void tailbox__sort_keys(struct tailbox__key *keys, struct tailbox__key *tmp,
                        size_t n)
{
	struct tailbox__key *from = keys, *to = tmp;
	uint64_t low, high;

	if (is_sorted(keys, n))
		return;
	range_of(keys, n, &low, &high);
	for (unsigned shift = 0; shift < 64 && (high - low) >> shift;
	     shift += DIGIT_BITS) {
		pass(from, to, n, low, shift);
		struct tailbox__key *swap = from;
		from = to;
		to = swap;
	}
	if (from != keys)
		memcpy(keys, from, n * sizeof(*keys));
}
