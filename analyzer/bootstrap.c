/* analyzer/bootstrap.c - how far a percentile may be off: block bootstrap.
 *
 * SPDX-License-Identifier: MIT
 *
 * Requests that start together wait for the same things, so their latencies
 * are not independent, and the textbook's error of a percentile is too small.
 * Blocks of half a second keep neighbours together: H. R. Kuensch, The
 * jackknife and the bootstrap for general stationary observations, Annals of
 * Statistics 17 (1989). Ours do not overlap (E. Carlstein, 14, 1986), since
 * then a block is a column of counts that is made once; overlapping ones are
 * a little more efficient and would have to be counted for each draw.
 *
 * A draw does not sort. Latencies are binned as an HDR histogram, 256 bins to
 * the octave; table[bin][block] counts the block's requests up to that bin. A
 * draw is a weight per block, and a binary search over bins of dot products
 * finds the percentile.
 *
 * Integers only, and our own generator from a fixed seed: the same runs give
 * the same verdict on every machine.
 */
#include "analyzer/bootstrap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/timeline.h"
#include "core/alloc.h"

#define DRAWS TAILBOX__BOOT_DRAWS
enum {
	SUB_BITS = 8,
	METRICS_MAX = TAILBOX__BOOT_METRICS_MAX
};

struct table {
	uint32_t *up_to; /* [column * blocks + block], cumulated */
	uint64_t *value; /* of a column */
	size_t columns, blocks;
};

/* --- blocks of time ------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const struct tailbox__boot_item *x = a, *y = b;

	return (x->time_us > y->time_us) - (x->time_us < y->time_us);
}

/* Equal latencies by time too: the order must not depend on qsort. */
static int by_latency(const void *a, const void *b)
{
	const struct tailbox__boot_item *x = a, *y = b;

	if (x->latency_us != y->latency_us)
		return x->latency_us < y->latency_us ? -1 : 1;
	return by_time(a, b);
}

void tailbox__boot_sort(struct tailbox__boot_item *items, size_t n)
{
	if (n > 1)
		qsort(items, n, sizeof(*items), by_latency);
}

static uint32_t deal(struct tailbox__boot_item *items, size_t n, uint64_t us)
{
	uint32_t blocks = 0;

	for (size_t i = 0; i < n; i++) {
		if (i == 0 ||
		    items[i].time_us / us != items[i - 1].time_us / us)
			blocks++;
		items[i].block = blocks - 1;
	}
	return blocks;
}

uint32_t tailbox__boot_blocks(struct tailbox__boot_item *items, size_t n,
                              uint64_t *block_us)
{
	uint64_t us = TAILBOX__BOOT_BLOCK_US;
	uint32_t blocks;
	bool is_sorted = true;

	for (size_t i = 1; is_sorted && i < n; i++)
		is_sorted = items[i - 1].time_us <= items[i].time_us;
	if (!is_sorted)
		qsort(items, n, sizeof(*items), by_time);
	/* Ends: twice 2^62 us would hold every time there is in few blocks. */
	while ((blocks = deal(items, n, us)) > TAILBOX__BOOT_BLOCKS_MAX)
		us *= 2;
	*block_us = us;
	return blocks;
}

/* --- the table ------------------------------------------------------------ */

/* Numbers of the bins ascend with the latency; each is 1/256 wide or less. */
static uint32_t bin_of(uint64_t us)
{
	unsigned bits = us ? 64 - (unsigned)__builtin_clzll(us) : 0;
	unsigned shift = bits > SUB_BITS + 1 ? bits - SUB_BITS - 1 : 0;

	return (shift << SUB_BITS) + (uint32_t)(us >> shift);
}

static size_t count_bins(const struct tailbox__boot_item *items, size_t n,
                         unsigned coarser)
{
	size_t bins = 1;

	for (size_t i = 1; i < n; i++)
		bins += bin_of(items[i].latency_us) >> coarser !=
		        bin_of(items[i - 1].latency_us) >> coarser;
	return bins;
}

/* Number the blocks that have an item from 0; the others get UINT32_MAX. */
static size_t number_blocks(const struct tailbox__boot_item *items, size_t n,
                            uint32_t *number, uint32_t block_count)
{
	size_t used = 0;

	memset(number, 0xff, block_count * sizeof(*number));
	for (size_t i = 0; i < n; i++)
		number[items[i].block] = 0;
	for (uint32_t b = 0; b < block_count; b++)
		if (number[b] == 0)
			number[b] = (uint32_t)used++;
	return used;
}

static void table_fini(struct table *t)
{
	tailbox__free(t->up_to);
	tailbox__free(t->value);
	*t = (struct table){ NULL, NULL, 0, 0 };
}

static void fill(struct table *t, const struct tailbox__boot_item *items,
                 size_t n, const uint32_t *number, unsigned coarser)
{
	size_t c = 0, first = 0;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && bin_of(items[i].latency_us) >> coarser !=
		                     bin_of(items[first].latency_us) >>
		                             coarser) {
			memcpy(t->up_to + (c + 1) * t->blocks,
			       t->up_to + c * t->blocks,
			       t->blocks * sizeof(*t->up_to));
			c++;
			first = i;
		}
		t->up_to[c * t->blocks + number[items[i].block]]++;
		/* The middle of what is in it, without an overflow. */
		t->value[c] = items[first].latency_us +
		              (items[i].latency_us - items[first].latency_us) /
		                      2;
	}
}

static int table_make(struct table *t, const struct tailbox__boot_item *items,
                      size_t n, uint32_t block_count)
{
	uint32_t *number = tailbox__alloc(block_count, sizeof(*number));
	unsigned coarser = 0;
	int rc = -ENOMEM;

	*t = (struct table){ NULL, NULL, 0, 0 };
	if (!number)
		return -ENOMEM;
	t->blocks = number_blocks(items, n, number, block_count);
	t->columns = count_bins(items, n, 0);
	while (t->columns > TAILBOX__BOOT_CELLS_MAX / t->blocks)
		t->columns = count_bins(items, n, ++coarser);
	t->value = tailbox__alloc(t->columns, sizeof(*t->value));
	t->up_to = tailbox__zalloc(t->columns * t->blocks, sizeof(*t->up_to));
	if (t->value && t->up_to) {
		fill(t, items, n, number, coarser);
		rc = 0;
	}
	tailbox__free(number);
	return rc;
}

/* --- draws ---------------------------------------------------------------- */

/* splitmix64: Steele, Lea, Flood, Fast splittable pseudorandom number
 * generators, OOPSLA 2014. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* How often each block is drawn. Of 2^32 the 512 at most have no bias that
 * 4000 draws could see. */
static void draw_weights(uint32_t *weight, size_t blocks, uint64_t *state)
{
	memset(weight, 0, blocks * sizeof(*weight));
	for (size_t i = 0; i < blocks; i++)
		weight[(next(state) >> 32) * blocks >> 32]++;
}

static uint64_t drawn_up_to(const struct table *t, const uint32_t *weight,
                            size_t column)
{
	const uint32_t *up_to = t->up_to + column * t->blocks;
	uint64_t sum = 0;

	for (size_t b = 0; b < t->blocks; b++)
		sum += (uint64_t)weight[b] * up_to[b];
	return sum;
}

/* The first column that reaches the rank. Draws of a percentile lie close
 * together, so the search begins at the last one and looks ever farther. */
static size_t find_column(const struct table *t, const uint32_t *weight,
                          uint64_t rank, size_t near)
{
	size_t low = 0, high = t->columns - 1, step = 4;

	if (drawn_up_to(t, weight, near) >= rank) {
		high = near;
		for (; high - low > step; step *= 2) {
			if (drawn_up_to(t, weight, high - step) < rank) {
				low = high - step + 1;
				break;
			}
			high -= step;
		}
	} else {
		low = near + 1;
		for (; high - low > step; step *= 2) {
			if (drawn_up_to(t, weight, low + step) >= rank) {
				high = low + step;
				break;
			}
			low += step + 1;
		}
	}
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (drawn_up_to(t, weight, middle) >= rank)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int tailbox__boot_draw(const struct tailbox__boot_item *items, size_t n,
                       uint32_t block_count, uint64_t seed,
                       const unsigned *percents, size_t metrics,
                       uint64_t *draws)
{
	size_t near[METRICS_MAX] = { 0 };
	struct table t;
	uint32_t *weight = NULL;
	int rc = table_make(&t, items, n, block_count);

	if (rc == 0)
		weight = tailbox__alloc(t.blocks, sizeof(*weight));
	if (!weight)
		rc = -ENOMEM;
	for (size_t i = 0; rc == 0 && i < DRAWS; i++) {
		draw_weights(weight, t.blocks, &seed);
		const uint64_t drawn = drawn_up_to(&t, weight, t.columns - 1);
		for (size_t m = 0; m < metrics; m++) {
			const uint64_t rank = /* from 1 */
			        tailbox__percentile_at(drawn, percents[m]) + 1;
			near[m] = find_column(&t, weight, rank, near[m]);
			draws[m * DRAWS + i] = t.value[near[m]];
		}
	}
	tailbox__free(weight);
	table_fini(&t);
	return rc;
}
