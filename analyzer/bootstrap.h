/* analyzer/bootstrap.h - how far a percentile may be off: block bootstrap.
 *
 * SPDX-License-Identifier: MIT
 *
 * The requests of a run are dealt into blocks of time; a run that might as
 * well have happened is made by drawing as many blocks, with replacement.
 */
#ifndef TAILBOX_ANALYZER_BOOTSTRAP_H
#define TAILBOX_ANALYZER_BOOTSTRAP_H 1

#include <stddef.h>
#include <stdint.h>

#define TAILBOX__BOOT_DRAWS 4000u
#define TAILBOX__BOOT_BLOCK_US 500000u
#define TAILBOX__BOOT_METRICS_MAX 4u
/* More blocks are joined, pair by pair, in time. */
#define TAILBOX__BOOT_BLOCKS_MAX 512u
#define TAILBOX__BOOT_CELLS_MAX (4u << 20) /* of the table of a sample */

struct tailbox__boot_item { /* a request */
	uint64_t time_us, latency_us;
	uint32_t row; /* the caller's */
	uint32_t block;
};

/* Sort by time and give each item its block, numbered from 0 without gaps: a
 * block without requests is none. Gives their number; *block_us is their
 * length. */
uint32_t tailbox__boot_blocks(struct tailbox__boot_item *items, size_t n,
                              uint64_t *block_us);
/* Sort by latency. */
void tailbox__boot_sort(struct tailbox__boot_item *items, size_t n);

/* Of n >= 1 items that ascend by latency: percentile percents[m] of each of
 * BOOT_DRAWS draws, draws[m * BOOT_DRAWS + i]. Off by 0.4% at most, in rare
 * cases of very many values and blocks by 1.6%. 0 or -ENOMEM. */
int tailbox__boot_draw(const struct tailbox__boot_item *items, size_t n,
                       uint32_t block_count, uint64_t seed,
                       const unsigned *percents, size_t metrics,
                       uint64_t *draws);
/* How the requests from a percentile on are spread over time. */
struct tailbox__boot_tail {
	uint32_t blocks;    /* that have any item */
	uint32_t effective; /* that they would fill evenly (Kish's effective
	                       number, sum^2 / sum of squares) */
	/* How much more the mean of blocks varies than if they were
	 * independent: variance, in thousandths, >= 1000. */
	uint32_t dependence;
};
/* Of n items that ascend by latency, those as slow as items[rank] or slower.
 * 0 or -ENOMEM. */
int tailbox__boot_tail(const struct tailbox__boot_item *items, size_t n,
                       size_t rank, uint32_t block_count,
                       struct tailbox__boot_tail *out);

/* after / before in millionths, saturated at RATIO_MAX; 0 counts as 1. */
#define TAILBOX__BOOT_RATIO_MAX UINT64_C(1000000000000000)
uint64_t tailbox__boot_ratio(uint64_t before, uint64_t after);
/* The 99.9% interval of the ratio of a cell, from draws of both runs; `after`
 * is overwritten. */
void tailbox__boot_interval(const uint64_t *before, uint64_t *after,
                            uint64_t *low, uint64_t *high);
/* Widen such an interval about `ratio` so that `together` of them hold at
 * once, by what is known of the tails of both runs. */
void tailbox__boot_widen(uint64_t ratio, uint64_t together,
                         const struct tailbox__boot_tail tails[2],
                         uint64_t *low, uint64_t *high);

#endif
