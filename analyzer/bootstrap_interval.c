/* analyzer/bootstrap_interval.c - from draws to an interval that can be held.
 *
 * SPDX-License-Identifier: MIT
 *
 * What is drawn is the ratio after / before, both runs on their own. The
 * interval is Efron's percentile interval (An Introduction to the Bootstrap,
 * 1993, chapter 13): it is the same whether one thinks of the ratio or of its
 * logarithm, so that neither has to be chosen. Three corrections make it wider,
 * see tailbox__boot_widen():
 *  - A comparison of 20 routes has 60 chances to be wrong (Bonferroni).
 *  - With few blocks it is known to be too narrow: a Student quantile is used
 *    for the normal one. A block here is one that tells of the tail: when a
 *    service stood still five times, p99 has five observations, not 3000.
 *  - Half a second is short for a load that wanders; then blocks are not
 *    independent, and the bootstrap misses it. The autocovariance of what
 *    each block adds to the tail says by how much (Bartlett's weights: W.
 *    Newey, K. West, Econometrica 55, 1987).
 */
#include "analyzer/bootstrap.h"

#include <errno.h>
#include <stdlib.h>

#include "core/alloc.h"

#define DRAWS TAILBOX__BOOT_DRAWS
enum {
	TAIL = 1,    /* of 4000 draws less than 0.05% are below it */
	LAGS_MAX = 8 /* blocks apart: 4 s */
};

uint64_t tailbox__boot_ratio(uint64_t before, uint64_t after)
{
	const unsigned __int128 r = (unsigned __int128)(after ? after : 1) *
	                            1000000 / (before ? before : 1);

	/* Never 0, so that it can be divided by. */
	return r > TAILBOX__BOOT_RATIO_MAX ? TAILBOX__BOOT_RATIO_MAX
	       : r                         ? (uint64_t)r
	                                   : 1;
}

static int ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void tailbox__boot_interval(const uint64_t *before, uint64_t *after,
                            uint64_t *low, uint64_t *high)
{
	for (size_t i = 0; i < DRAWS; i++)
		after[i] = tailbox__boot_ratio(before[i], after[i]);
	qsort(after, DRAWS, sizeof(*after), ascending);
	*low = after[TAIL];
	*high = after[DRAWS - 1 - TAIL];
}

/* --- the tail over time --------------------------------------------------- */

static uint64_t root(uint64_t n)
{
	uint64_t r = n, next_r = (n + 1) / 2;

	while (next_r < r) {
		r = next_r;
		next_r = (r + n / r) / 2;
	}
	return r;
}

/* e: what each block has more of the tail than its share. */
static uint32_t dependence_of(const int64_t *e, uint32_t blocks)
{
	const uint32_t lags = blocks / 5 < LAGS_MAX ? blocks / 5 : LAGS_MAX;
	__int128 own = 0, sum = 0;

	for (uint32_t b = 0; b < blocks; b++)
		own += (__int128)e[b] * e[b];
	if (own == 0)
		return 1000;
	for (uint32_t k = 1; k <= lags; k++)
		for (uint32_t b = 0; b + k < blocks; b++)
			sum += (__int128)e[b] * e[b + k] * (lags + 1 - k);
	/* own and sum: below 2^110, since e is below 2^48. */
	__int128 more = sum * 2 / (lags + 1) * 1000 / own;
	/* One standard error of it on top, 2 sqrt(2.5 / blocks) of independent
	 * blocks: of few blocks it often comes out as none, and too little of
	 * it claims what is not. */
	more += (__int128)root(10000000 / blocks);
	return more > 0 ? 1000 + (uint32_t)more : 1000;
}

int tailbox__boot_tail(const struct tailbox__boot_item *items, size_t n,
                       size_t rank, uint32_t block_count,
                       struct tailbox__boot_tail *out)
{
	uint32_t *all = tailbox__zalloc(block_count, sizeof(*all));
	int64_t *tail = tailbox__zalloc(block_count, sizeof(*tail));
	unsigned __int128 squares = 0;
	int rc = all && tail ? 0 : -ENOMEM;

	*out = (struct tailbox__boot_tail){ 0, 0, 1000 };
	/* All of an equal latency, or only the last in time would count. */
	while (rank > 0 &&
	       items[rank - 1].latency_us == items[rank].latency_us)
		rank--;
	const uint64_t beyond = n - rank;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		all[items[i].block]++;
		tail[items[i].block] += i >= rank;
	}
	for (uint32_t b = 0; rc == 0 && b < block_count; b++) {
		squares += (unsigned __int128)tail[b] * (uint64_t)tail[b];
		out->blocks += all[b] > 0;
		/* Thousandths of a request: n may be any. */
		tail[b] = tail[b] * 1000 -
		          (int64_t)(all[b] * (beyond * 1000 / (n ? n : 1)));
	}
	if (squares > 0) {
		out->effective = (uint32_t)((unsigned __int128)beyond * beyond /
		                            squares);
		out->dependence = dependence_of(tail, block_count);
	}
	tailbox__free(all);
	tailbox__free(tail);
	return rc;
}

/* --- wider ---------------------------------------------------------------- */

/* In thousandths: the two-sided normal quantile of 0.001 / together, with
 * `together` rounded up to a power of 2; as Student's with that many degrees
 * of freedom (Abramowitz and Stegun, 26.7.5, two terms). */
static uint64_t quantile(uint64_t together, uint32_t freedom)
{
	static const uint16_t normal[] = { 3291, 3481, 3662, 3836, 4003, 4164,
		                           4320, 4470, 4616, 4758, 4896 };
	size_t i = 0;

	while (i < sizeof(normal) / sizeof(normal[0]) - 1 &&
	       UINT64_C(1) << i < together)
		i++;
	const uint64_t z = normal[i], z3 = z * z * z / 1000000;
	const uint64_t z5 = z3 * z / 1000 * z / 1000, f = freedom;
	return z + (z3 + z) / (4 * f) +
	       (5 * z5 + 16 * z3 + 3 * z) / (96 * f * f);
}

/* a * b / c, where c > 0, saturated. */
static uint64_t scaled(uint64_t a, uint64_t b, uint64_t c)
{
	const unsigned __int128 r = (unsigned __int128)a * b / c;

	return r > TAILBOX__BOOT_RATIO_MAX ? TAILBOX__BOOT_RATIO_MAX
	                                   : (uint64_t)r;
}

/* By how much an interval is widened, in thousandths. */
static uint64_t factor_of(uint64_t together,
                          const struct tailbox__boot_tail tails[2])
{
	uint64_t dependence = 1000, blocks = UINT64_MAX;

	for (unsigned k = 0; k < 2; k++) {
		const struct tailbox__boot_tail *t = &tails[k];
		const uint64_t n =
		        (uint64_t)t->effective * 1000 / t->dependence;
		if (t->dependence > dependence)
			dependence = t->dependence;
		if (n < blocks)
			blocks = n;
	}
	const uint64_t q =
	        quantile(together, blocks > 2 ? (uint32_t)blocks - 1 : 1);
	return q * root(dependence * 1000) / 3291;
}

void tailbox__boot_widen(uint64_t ratio, uint64_t together,
                         const struct tailbox__boot_tail tails[2],
                         uint64_t *low, uint64_t *high)
{
	const uint64_t million = 1000000;
	const uint64_t factor = factor_of(together, tails);

	if (*low > ratio)
		*low = ratio;
	if (*high < ratio)
		*high = ratio;
	/* Both sides as multiples of the ratio, so that exchanging the runs
	 * gives the reciprocal interval. */
	uint64_t up = scaled(*high, million, ratio) - million;
	uint64_t down = scaled(ratio, million, *low) - million;
	up = scaled(up, factor, 1000);
	down = scaled(down, factor, 1000);
	*high = scaled(ratio, million + up, million);
	*low = scaled(ratio, million, million + down);
}
