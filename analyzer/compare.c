/* analyzer/compare.c - two runs side by side: verdicts.
 *
 * SPDX-License-Identifier: MIT
 *
 * A cell is a percentile of a row. What it takes to claim a difference:
 *
 *  1. its interval excludes 0. The intervals of all judged cells hold
 *     together with 99.9%, so more routes make each wider and the chance of
 *     any false claim stays one in a thousand comparisons, not per cell;
 *  2. the interval reaches --min-effect: it is not shown to be less than that.
 *     The estimate itself is not asked to reach it: of changes that are just
 *     min-effect, every other estimate falls short by chance, and a gate would
 *     miss half of them. With 1. this means that an estimate below half of
 *     min-effect is never claimed (an interval of e - h to e + h with e > h
 *     and e + h >= E has e > E / 2), and that the more requests there are, the
 *     closer to min-effect it must be;
 *  3. the percentiles differ by a step of the clock, or of the kernel's
 *     jiffies where so many requests waited in the socket that the percentile
 *     may be one of those: that wait is known to a jiffy only.
 *
 * What cannot be judged is said to be so: an interval needs blocks, and
 * requests beyond the percentile. An interval that holds both "the same" and
 * "twice" or "half" tells nothing either.
 *
 * The claim is about these two spans of time. Where the load changes by the
 * hour, two runs of the same program differ, and that is what is shown.
 */
#include "analyzer/compare.h"

#include <errno.h>
#include <string.h>

#include "analyzer/compare_internal.h"
#include "analyzer/timeline.h"
#include "core/alloc.h"

#define DRAWS TAILBOX__BOOT_DRAWS
#define PPM 1000000

const char *const tailbox__compare_metrics[TAILBOX__COMPARE_METRICS] = {
	"p50", "p95", "p99"
};
static const unsigned percents[TAILBOX__COMPARE_METRICS] = { 50, 95, 99 };

const char *const tailbox__verdicts[TAILBOX__VERDICT_COUNT] = {
	"no_difference_shown", "improved", "regressed", "cannot_judge"
};

const char *const tailbox__unjudged_names[TAILBOX__UNJUDGED_COUNT] = {
	"none",         "no_requests_before", "no_requests_after",
	"few_requests", "few_blocks",         "few_tail_blocks",
	"wide_interval"
};

/* Fixed, one for each run: they must not be drawn alike. "tailbox" */
static const uint64_t seeds[TAILBOX__SIDES] = {
	UINT64_C(0x7461696c626f7801), UINT64_C(0x7461696c626f7802)
};

void tailbox__compare_options_init(struct tailbox__compare_options *o)
{
	*o = (struct tailbox__compare_options){
		.min_effect_permille = TAILBOX__COMPARE_EFFECT_PERMILLE,
		.metric = TAILBOX__COMPARE_METRICS
	};
}

uint64_t tailbox__compare_needed(enum tailbox__compare_metric m)
{
	const unsigned beyond = 100 - percents[m];

	return (TAILBOX__COMPARE_BEYOND_MIN * 100 + beyond - 1) / beyond;
}

/* --- a cell --------------------------------------------------------------- */

static uint64_t number_of(const struct tailbox__run *run, const char *key)
{
	const struct tailbox__run_pair *pair = tailbox__run_extra(run, key);

	return pair && !pair->text ? pair->number : 0;
}

static uint64_t step_of(const struct tailbox__cmp_sample *s, size_t row,
                        uint64_t requests, unsigned percent)
{
	const uint64_t ns = number_of(s->run, "clock_resolution_ns");
	const uint64_t jiffy = number_of(s->run, "jiffy_us");
	uint64_t step = ns / 1000 + (ns % 1000 != 0);

	if (step == 0)
		step = 1; /* latencies are whole microseconds */
	/* So many waited that the percentile may be one of them. */
	if (s->with_ingress[row] > 0 &&
	    s->with_ingress[row] >= requests * (100 - percent) / 100 &&
	    jiffy > step)
		step = jiffy;
	return step;
}

static enum tailbox__unjudged
reason_of(const struct tailbox__compare_row *row,
          enum tailbox__compare_metric m, uint64_t *needed)
{
	const struct tailbox__boot_tail *tail = row->cells[m].tails;
	const uint64_t *n = row->requests;
	const uint32_t *blocks = row->blocks;

	if (n[TAILBOX__BEFORE] == 0)
		return TAILBOX__UNJUDGED_NONE_BEFORE;
	if (n[TAILBOX__AFTER] == 0)
		return TAILBOX__UNJUDGED_NONE_AFTER;
	*needed = tailbox__compare_needed(m);
	if (n[TAILBOX__BEFORE] < *needed || n[TAILBOX__AFTER] < *needed)
		return TAILBOX__UNJUDGED_FEW_REQUESTS;
	*needed = TAILBOX__COMPARE_BLOCKS_MIN;
	if (blocks[TAILBOX__BEFORE] < *needed ||
	    blocks[TAILBOX__AFTER] < *needed)
		return TAILBOX__UNJUDGED_FEW_BLOCKS;
	*needed = TAILBOX__COMPARE_TAIL_MIN;
	if (tail[TAILBOX__BEFORE].effective < *needed ||
	    tail[TAILBOX__AFTER].effective < *needed)
		return TAILBOX__UNJUDGED_FEW_TAIL_BLOCKS;
	*needed = 0;
	return TAILBOX__UNJUDGED_NOT;
}

/* What is known without a draw. */
static int look_at(const struct tailbox__cmp_sample *s, size_t at,
                   const struct tailbox__boot_item *const *items,
                   struct tailbox__compare_row *row,
                   enum tailbox__compare_metric m)
{
	struct tailbox__compare_cell *cell = &row->cells[m];

	for (unsigned k = 0; k < TAILBOX__SIDES; k++) {
		const size_t n = (size_t)row->requests[k];
		const size_t rank = n ? (size_t)tailbox__percentile_at(n, percents[m])
			                      : 0;
		cell->us[k] = n ? items[k][rank].latency_us : TAILBOX__NONE;
		if (tailbox__boot_tail(items[k], n, rank, s[k].blocks,
		                       &cell->tails[k]) < 0)
			return -ENOMEM;
		row->blocks[k] = cell->tails[k].blocks;
		const uint64_t step = step_of(&s[k], at, n, percents[m]);
		if (step > cell->step_us)
			cell->step_us = step;
	}
	cell->reason = reason_of(row, m, &cell->needed);
	if (row->requests[TAILBOX__BEFORE] && row->requests[TAILBOX__AFTER])
		cell->change_ppm =
		        (int64_t)tailbox__boot_ratio(cell->us[TAILBOX__BEFORE],
		                                     cell->us[TAILBOX__AFTER]) -
		        PPM;
	return 0;
}

static enum tailbox__verdict judge(const struct tailbox__compare_cell *cell,
                                   int64_t effect_ppm)
{
	const uint64_t a = cell->us[TAILBOX__BEFORE];
	const uint64_t b = cell->us[TAILBOX__AFTER];

	if (cell->reason != TAILBOX__UNJUDGED_NOT)
		return TAILBOX__VERDICT_CANNOT_JUDGE;
	if ((a > b ? a - b : b - a) < cell->step_us)
		return TAILBOX__VERDICT_NO_DIFFERENCE;
	if (cell->low_ppm > 0 && cell->high_ppm >= effect_ppm)
		return TAILBOX__VERDICT_REGRESSED;
	if (cell->high_ppm < 0 && cell->low_ppm <= -effect_ppm)
		return TAILBOX__VERDICT_IMPROVED;
	return TAILBOX__VERDICT_NO_DIFFERENCE;
}

/* --- a row ---------------------------------------------------------------- */

static int draw_row(const struct tailbox__cmp_sample *s,
                    const struct tailbox__boot_item *const *items,
                    struct tailbox__compare_row *row, uint64_t *draws)
{
	const size_t each = (size_t)DRAWS * TAILBOX__COMPARE_METRICS;

	for (unsigned k = 0; k < TAILBOX__SIDES; k++) {
		int rc = tailbox__boot_draw(
		        items[k], (size_t)row->requests[k], s[k].blocks,
		        seeds[k], percents, TAILBOX__COMPARE_METRICS,
		        draws + k * each);
		if (rc < 0)
			return rc;
	}
	for (unsigned m = 0; m < TAILBOX__COMPARE_METRICS; m++) {
		struct tailbox__compare_cell *cell = &row->cells[m];
		uint64_t low, high;
		if (cell->reason != TAILBOX__UNJUDGED_NOT || !cell->is_wanted)
			continue;
		tailbox__boot_interval(draws + m * DRAWS,
		                       draws + each + m * DRAWS, &low, &high);
		cell->low_ppm = (int64_t)low - PPM;
		cell->high_ppm = (int64_t)high - PPM;
		cell->has_interval = true;
	}
	return 0;
}

/* Percentiles, and intervals as if the cell were the only one. */
static int measure_row(const struct tailbox__cmp_sample *s,
                       const struct tailbox__compare_options *o, size_t at,
                       struct tailbox__compare *c, uint64_t *draws)
{
	const struct tailbox__boot_item *items[TAILBOX__SIDES];
	struct tailbox__compare_row *row = &c->rows[at];
	bool is_drawn = false;

	for (unsigned k = 0; k < TAILBOX__SIDES; k++) {
		size_t n;
		items[k] = tailbox__cmp_items(&s[k], c, at, &n);
	}
	for (unsigned m = 0; m < TAILBOX__COMPARE_METRICS; m++) {
		if (look_at(s, at, items, row,
		            (enum tailbox__compare_metric)m) < 0)
			return -ENOMEM;
		row->cells[m].is_wanted =
		        o->metric == TAILBOX__COMPARE_METRICS || o->metric == m;
		is_drawn |= row->cells[m].is_wanted &&
		            row->cells[m].reason == TAILBOX__UNJUDGED_NOT;
	}
	return is_drawn ? draw_row(s, items, row, draws) : 0;
}

/* --- all of them ---------------------------------------------------------- */

static void widen(struct tailbox__compare_cell *cell, uint64_t together)
{
	uint64_t low = (uint64_t)(cell->low_ppm + PPM);
	uint64_t high = (uint64_t)(cell->high_ppm + PPM);

	tailbox__boot_widen((uint64_t)(cell->change_ppm + PPM), together,
	                    cell->tails, &low, &high);
	cell->low_ppm = (int64_t)low - PPM;
	cell->high_ppm = (int64_t)high - PPM;
	if (cell->low_ppm <= 0 && cell->high_ppm >= 0 &&
	    (cell->low_ppm <= -PPM / 2 || cell->high_ppm >= PPM))
		cell->reason = TAILBOX__UNJUDGED_WIDE;
}

/* There is a first row: all requests, or the route that was asked for. */
static bool is_first_unjudged(const struct tailbox__compare *c)
{
	for (unsigned m = 0; m < TAILBOX__COMPARE_METRICS; m++) {
		const struct tailbox__compare_cell *cell = &c->rows[0].cells[m];
		if (cell->is_wanted &&
		    cell->verdict == TAILBOX__VERDICT_CANNOT_JUDGE)
			return true;
	}
	return false;
}

static enum tailbox__verdict overall(const struct tailbox__compare *c)
{
	if (c->counts[TAILBOX__VERDICT_REGRESSED] > 0)
		return TAILBOX__VERDICT_REGRESSED;
	if (c->is_first_unjudged)
		return TAILBOX__VERDICT_CANNOT_JUDGE;
	return c->counts[TAILBOX__VERDICT_IMPROVED] > 0
	               ? TAILBOX__VERDICT_IMPROVED
	               : TAILBOX__VERDICT_NO_DIFFERENCE;
}

static void conclude(struct tailbox__compare *c)
{
	const int64_t effect_ppm = (int64_t)c->min_effect_permille * 1000;
	uint64_t together = 0;

	for (size_t r = 0; r < c->row_count; r++)
		for (unsigned m = 0; m < TAILBOX__COMPARE_METRICS; m++)
			together += c->rows[r].cells[m].has_interval;
	for (size_t r = 0; r < c->row_count; r++)
		for (unsigned m = 0; m < TAILBOX__COMPARE_METRICS; m++) {
			struct tailbox__compare_cell *cell =
			        &c->rows[r].cells[m];
			if (!cell->is_wanted)
				continue;
			if (cell->has_interval)
				widen(cell, together);
			cell->verdict = judge(cell, effect_ppm);
			c->counts[cell->verdict]++;
		}
	c->is_first_unjudged = is_first_unjudged(c);
	c->verdict = overall(c);
}

static int compare(struct tailbox__run *const runs[TAILBOX__SIDES],
                   const struct tailbox__compare_options *o,
                   struct tailbox__compare *c, struct tailbox__error *err)
{
	struct tailbox__cmp_sample s[TAILBOX__SIDES] = {
		{ .run = runs[TAILBOX__BEFORE] },
		{ .run = runs[TAILBOX__AFTER] }
	};
	uint64_t *draws = tailbox__alloc(
	        (size_t)DRAWS * TAILBOX__COMPARE_METRICS * TAILBOX__SIDES,
	        sizeof(*draws));
	int rc = draws ? tailbox__cmp_rows(o, s, c, err) : -ENOMEM;

	for (size_t r = 0; rc == 0 && r < c->row_count; r++)
		rc = measure_row(s, o, r, c, draws);
	if (rc == 0)
		conclude(c);
	tailbox__free(draws);
	for (unsigned k = 0; k < TAILBOX__SIDES; k++)
		tailbox__cmp_sample_fini(&s[k]);
	return rc;
}

int tailbox__compare(struct tailbox__run *before, struct tailbox__run *after,
                     const struct tailbox__compare_options *o,
                     struct tailbox__compare *out, struct tailbox__error *err)
{
	struct tailbox__run *const runs[TAILBOX__SIDES] = { before, after };
	struct tailbox__analyzer_options options;
	int rc = tailbox__analyzer_options_init(&options);

	*out = (struct tailbox__compare){
		.min_effect_permille = o->min_effect_permille
	};
	for (unsigned k = 0; rc == 0 && k < TAILBOX__SIDES; k++)
		rc = tailbox__cmp_side(runs[k], &options, k, out);
	if (rc == 0)
		rc = compare(runs, o, out, err);
	tailbox__analyzer_options_fini(&options);
	if (rc == -ENOMEM)
		tailbox__fail(err, rc, "out of memory");
	return rc;
}

void tailbox__compare_fini(struct tailbox__compare *c)
{
	tailbox__free(c->rows);
	*c = (struct tailbox__compare){ .rows = NULL };
}
