/* core/buckets.h - log-linear histograms of times.
 *
 * SPDX-License-Identifier: MIT
 *
 * `per` buckets for each doubling, a power of two: a value is known to 1/per.
 * Below 2 * per each value has a bucket of its own.
 */
#ifndef TAILBOX_CORE_BUCKETS_H
#define TAILBOX_CORE_BUCKETS_H 1

#include <stdint.h>

/* Of any value it is less than (65 - log2(per)) * per. */
static inline unsigned tailbox__bucket(uint64_t value, unsigned per)
{
	if (value < 2 * (uint64_t)per)
		return (unsigned)value;
	const unsigned shift = 63 - (unsigned)__builtin_clzll(value) -
	                       (unsigned)__builtin_ctz(per);

	return (shift + 1) * per + (unsigned)((value >> shift) - per);
}

/* The middle of a bucket. */
static inline uint64_t tailbox__bucket_middle(unsigned bucket, unsigned per)
{
	if (bucket < 2 * per)
		return bucket;
	const unsigned shift = bucket / per - 1;
	const uint64_t base = (uint64_t)(per + bucket % per) << shift;

	return base + ((uint64_t)1 << shift) / 2;
}

#endif
