/* analyzer/compare.h - two runs side by side: what got slower, what faster?
 *
 * SPDX-License-Identifier: MIT
 *
 * Of all requests and of each route p50, p95 and p99, each with an interval
 * for its relative change. The intervals hold together: with 99.9% all of a
 * comparison contain the true change, if the runs differ in nothing else.
 * How they are made: analyzer/bootstrap.h and compare.c.
 *
 * A difference is claimed when its interval excludes 0, is not excluded to be
 * min_effect_permille or more, and has at least one step of the clock.
 */
#ifndef TAILBOX_ANALYZER_COMPARE_H
#define TAILBOX_ANALYZER_COMPARE_H 1

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/bootstrap.h"
#include "analyzer/report.h"

/* What it takes to judge a percentile, in each of the runs. */
#define TAILBOX__COMPARE_BLOCKS_MIN 20u /* with a request of the row */
#define TAILBOX__COMPARE_BEYOND_MIN 30u /* requests above the percentile */
#define TAILBOX__COMPARE_TAIL_MIN 10u   /* blocks that those are in */
/* Routes that are compared: those with the most requests. */
#define TAILBOX__COMPARE_ROUTES_MAX 100u
#define TAILBOX__COMPARE_EFFECT_PERMILLE 100u
#define TAILBOX__COMPARE_EFFECT_MIN 10u /* permille */
#define TAILBOX__COMPARE_EFFECT_MAX 10000u

enum { TAILBOX__BEFORE, TAILBOX__AFTER, TAILBOX__SIDES };

enum tailbox__compare_metric {
	TAILBOX__COMPARE_P50,
	TAILBOX__COMPARE_P95,
	TAILBOX__COMPARE_P99,
	TAILBOX__COMPARE_METRICS
};
extern const char *const
        tailbox__compare_metrics[TAILBOX__COMPARE_METRICS]; /* "p50" */

enum tailbox__verdict {
	TAILBOX__VERDICT_NO_DIFFERENCE, /* none shown; not: there is none */
	TAILBOX__VERDICT_IMPROVED,
	TAILBOX__VERDICT_REGRESSED,
	TAILBOX__VERDICT_CANNOT_JUDGE,
	TAILBOX__VERDICT_COUNT
};
/* "no_difference_shown", "improved", "regressed", "cannot_judge" */
extern const char *const tailbox__verdicts[TAILBOX__VERDICT_COUNT];

enum tailbox__unjudged { /* why not; the first that applies */
	TAILBOX__UNJUDGED_NOT, /* it is judged */
	TAILBOX__UNJUDGED_NONE_BEFORE,
	TAILBOX__UNJUDGED_NONE_AFTER,
	TAILBOX__UNJUDGED_FEW_REQUESTS,
	TAILBOX__UNJUDGED_FEW_BLOCKS,
	TAILBOX__UNJUDGED_FEW_TAIL_BLOCKS, /* a few bad moments */
	TAILBOX__UNJUDGED_WIDE, /* 0 and a factor of 2 are both possible */
	TAILBOX__UNJUDGED_COUNT
};
extern const char *const tailbox__unjudged_names[TAILBOX__UNJUDGED_COUNT];

struct tailbox__compare_cell {
	uint64_t us[TAILBOX__SIDES]; /* TAILBOX__NONE of no request */
	/* Relative to before, in millionths; saturated. A percentile of 0 us
	 * counts as 1 us here. Valid if both percentiles are there. */
	int64_t change_ppm;
	int64_t low_ppm, high_ppm; /* valid if has_interval */
	struct tailbox__boot_tail tails[TAILBOX__SIDES];
	uint64_t step_us;          /* the finest difference that counts */
	uint64_t needed;           /* FEW_...: how many */
	enum tailbox__verdict verdict;
	enum tailbox__unjudged reason;
	bool has_interval;
	bool is_wanted; /* the options ask for this metric */
};

struct tailbox__compare_row {
	const char *route; /* in a run's pool; NULL = all requests */
	size_t route_len;
	uint64_t requests[TAILBOX__SIDES];
	uint32_t blocks[TAILBOX__SIDES]; /* that have one of its requests */
	struct tailbox__compare_cell cells[TAILBOX__COMPARE_METRICS];
};

struct tailbox__compare_side {
	uint64_t requests;
	uint64_t excluded; /* requests that are not valid and left out */
	uint64_t lost;     /* cut off, lost by the recorder (of any kind) */
	uint64_t unfinished;
	uint64_t block_us; /* length of its blocks */
	uint64_t queue_permille, service_permille; /* shares at p95, or NONE */
};

struct tailbox__compare_suspect { /* by enum tailbox__suspect_kind */
	bool is_there[TAILBOX__SIDES];
	unsigned score[TAILBOX__SIDES];
	enum tailbox__confidence confidence[TAILBOX__SIDES];
};

struct tailbox__compare {
	struct tailbox__compare_side sides[TAILBOX__SIDES];
	/* All requests first (not if a route was asked for), then routes by
	 * falling number of requests of both runs. */
	struct tailbox__compare_row *rows;
	size_t row_count;
	uint64_t more_routes; /* beyond ROUTES_MAX: not compared */
	struct tailbox__compare_suspect suspects[TAILBOX__SUSPECT_COUNT];
	uint64_t counts[TAILBOX__VERDICT_COUNT]; /* cells */
	/* Any cell regressed; else the first row cannot be judged in a cell;
	 * else any improved; else no difference shown. */
	enum tailbox__verdict verdict;
	bool is_first_unjudged; /* the first row, in a cell that is wanted */
	unsigned min_effect_permille;
};

struct tailbox__compare_options {
	const char *route; /* only this; NULL = all requests and each route */
	unsigned min_effect_permille;        /* EFFECT_MIN..EFFECT_MAX */
	enum tailbox__compare_metric metric; /* only this; METRICS = all */
};
/* Everything, 10%. */
void tailbox__compare_options_init(struct tailbox__compare_options *o);

/* Compare. Both runs are normalized in place and must outlive the result,
 * which borrows names of routes. They may not be the same object. The same
 * runs give the same result: no clock, no entropy, no floating point.
 * 0, -ENOMEM, or -ENOENT: neither has the route, err says so. out is always
 * safe to fini. One thread. */
int tailbox__compare(struct tailbox__run *before, struct tailbox__run *after,
                     const struct tailbox__compare_options *o,
                     struct tailbox__compare *out, struct tailbox__error *err);
void tailbox__compare_fini(struct tailbox__compare *c);

/* At most 80 columns, losses and thin samples first. */
void tailbox__compare_text(const struct tailbox__compare *c,
                           const struct tailbox__run *before,
                           const struct tailbox__run *after, FILE *out);
/* One object. 0 or -ENOMEM. */
int tailbox__compare_json(const struct tailbox__compare *c,
                          const struct tailbox__run *before,
                          const struct tailbox__run *after,
                          struct tailbox__json *j);

/* How many requests a run needs for this metric to be judged. */
uint64_t tailbox__compare_needed(enum tailbox__compare_metric m);

#endif
