/* analyzer/options.h - what an analysis can be told: 30 options.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md sections 16 and 17. One table (options.c) has each option's
 * path, default, type and help; everything else is by its number. Defaults,
 * then a file, then overrides in their order.
 */
#ifndef TAILBOX_ANALYZER_OPTIONS_H
#define TAILBOX_ANALYZER_OPTIONS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"
#include "core/json.h"
#include "core/run.h" /* TAILBOX__LIST */

enum tailbox__option { /* in the order of the registry */
	TAILBOX__OPT_QUEUEING_TRIGGER_PERMILLE,
	TAILBOX__OPT_BLOCKING_MIN_NONZERO_SAMPLES,
	TAILBOX__OPT_BLOCKING_STRONG_P95,
	TAILBOX__OPT_BLOCKING_STRONG_PEAK,
	TAILBOX__OPT_BLOCKING_STRONG_NONZERO_PERMILLE,
	TAILBOX__OPT_BLOCKING_STRONG_MIN_SAMPLES,
	TAILBOX__OPT_EXECUTOR_MIN_GLOBAL_P95,
	TAILBOX__OPT_EXECUTOR_MIN_PER_WORKER_MILLI,
	TAILBOX__OPT_DOWNSTREAM_MIN_STAGE_SAMPLES,
	TAILBOX__OPT_DOWNSTREAM_PATTERNS, /* the list */
	TAILBOX__OPT_DOWNSTREAM_MARGIN,
	TAILBOX__OPT_CONFIDENCE_MEDIUM,
	TAILBOX__OPT_CONFIDENCE_HIGH,
	TAILBOX__OPT_CONFIDENCE_AMBIGUITY_MIN_SCORE,
	TAILBOX__OPT_CONFIDENCE_AMBIGUITY_GAP,
	TAILBOX__OPT_EVIDENCE_LOW_REQUESTS,
	TAILBOX__OPT_ROUTE_MIN_REQUESTS,
	TAILBOX__OPT_ROUTE_LIMIT,
	TAILBOX__OPT_ROUTE_ON_DIVERGENT,
	TAILBOX__OPT_ROUTE_FASTEST_NUM,
	TAILBOX__OPT_ROUTE_FASTEST_DEN,
	TAILBOX__OPT_ROUTE_GLOBAL_NUM,
	TAILBOX__OPT_ROUTE_GLOBAL_DEN,
	TAILBOX__OPT_TEMPORAL_MIN_REQUESTS,
	TAILBOX__OPT_TEMPORAL_MIN_SEGMENT_REQUESTS,
	TAILBOX__OPT_TEMPORAL_SHARE_SHIFT_PERMILLE,
	TAILBOX__OPT_TEMPORAL_P95_NUM,
	TAILBOX__OPT_TEMPORAL_P95_DEN,
	TAILBOX__OPT_TEMPORAL_ON_SHIFT,
	TAILBOX__OPT_TEMPORAL_SUPPRESS_SPARSE,
	TAILBOX__OPT_COUNT
};

struct tailbox__analyzer_options {
	/* Numbers, and 0 or 1 for a bool; [.._PATTERNS] is not used. */
	uint64_t v[TAILBOX__OPT_COUNT];
	TAILBOX__LIST(char *) patterns; /* NUL-terminated, ours */
};

/* The defaults. 0 or -ENOMEM; always safe to fini. */
int tailbox__analyzer_options_init(struct tailbox__analyzer_options *o);
void tailbox__analyzer_options_fini(struct tailbox__analyzer_options *o);

/* One override, "PATH=VALUE"; afterwards the whole set is validated. On an
 * error nothing is changed and err says what (spec 17: argument; path and
 * suggestion; path, value and expected form; path and broken rule). 0,
 * -EINVAL, -ENOMEM. */
int tailbox__analyzer_options_set(struct tailbox__analyzer_options *o,
                                  const char *argument,
                                  struct tailbox__error *err);
/* A file's text (TOML, table [analyzer]), on top of what o has. name: what an
 * error calls it; errors have "NAME:LINE:COLUMN: reason" where there is a
 * line. On an error nothing is changed. 0, -TAILBOX_EMALFORMED, -EINVAL,
 * -ENOMEM. */
int tailbox__analyzer_options_load(struct tailbox__analyzer_options *o,
                                   const char *name, const char *text,
                                   size_t len, struct tailbox__error *err);
/* spec 16.1, the first violation. 0 or -EINVAL. */
int tailbox__analyzer_options_validate(
	const struct tailbox__analyzer_options *o, struct tailbox__error *err);

/* Whether an option has another value than its default. */
bool tailbox__option_differs(const struct tailbox__analyzer_options *o,
                             enum tailbox__option which);
/* "queueing.trigger_permille" */
const char *tailbox__option_path(enum tailbox__option which);
/* The value as a report tells it: decimal, true or false, a list joined by
 * ",". For tailbox__free(); NULL when out of memory. */
char *tailbox__option_text(const struct tailbox__analyzer_options *o,
                           enum tailbox__option which);
/* The report's `analyzer_config` as a member of the present object, with its
 * key; nothing when every option has its default. Sorted by path. 0 or
 * -ENOMEM. */
int tailbox__analyzer_options_json(const struct tailbox__analyzer_options *o,
                          struct tailbox__json *j);
/* Every option: path, default, type and range, what it affects, effect of
 * raising and of lowering it. At most 80 columns. */
void tailbox__analyzer_options_help(FILE *out);

#endif
