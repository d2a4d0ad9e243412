/* analyzer/assert.h - what a run is asserted to be: gates for CI.
 *
 * SPDX-License-Identifier: MIT
 *
 *	METRIC[(ROUTE)] OP VALUE	p99(/checkout) < 200ms
 *	no SUSPECT[(ROUTE)] [above N]	no application_queue_saturation
 *
 * The grammar is in doc/analysis.md. A verdict stands only if the requests
 * that the run lacks (dropped, lost, unfinished, not valid) could not change
 * it, whatever they were; else the assertion cannot be judged.
 */
#ifndef TAILBOX_ANALYZER_ASSERT_H
#define TAILBOX_ANALYZER_ASSERT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/report.h"

#define TAILBOX__ASSERTIONS_MAX 100u
#define TAILBOX__ASSERTION_BYTES_MAX 512u

enum tailbox__metric_asserted {
	TAILBOX__ASSERT_P50,
	TAILBOX__ASSERT_P95,
	TAILBOX__ASSERT_P99,
	TAILBOX__ASSERT_MAX,
	TAILBOX__ASSERT_MEAN,
	TAILBOX__ASSERT_COUNT,
	TAILBOX__ASSERT_ERROR_RATE,
	TAILBOX__ASSERT_QUEUE_SHARE,
	TAILBOX__ASSERT_SERVICE_SHARE,
	TAILBOX__ASSERT_METRICS,
	/* Not a metric: that a suspect is not there. */
	TAILBOX__ASSERT_SUSPECT = TAILBOX__ASSERT_METRICS
};

enum tailbox__assert_unit { /* of values and limits */
	                    TAILBOX__UNIT_US,
	                    TAILBOX__UNIT_PPM, /* shares, written in % */
	                    TAILBOX__UNIT_REQUESTS,
	                    TAILBOX__UNIT_SCORE
};

struct tailbox__assert_metric {
	const char *name;
	enum tailbox__assert_unit unit;
	unsigned percent; /* which percentile; 100 = the largest; 0 = none */
};
extern const struct tailbox__assert_metric
	tailbox__assert_metrics[TAILBOX__ASSERT_METRICS];

enum tailbox__assert_op {
	TAILBOX__ASSERT_LT,
	TAILBOX__ASSERT_LE,
	TAILBOX__ASSERT_GT,
	TAILBOX__ASSERT_GE
};

enum tailbox__assert_verdict {
	TAILBOX__ASSERT_OK,
	TAILBOX__ASSERT_FAILED,
	TAILBOX__ASSERT_CANNOT_JUDGE,
	TAILBOX__ASSERT_VERDICTS
};
/* "ok", "failed", "cannot_judge" */
extern const char *const tailbox__assert_verdicts[TAILBOX__ASSERT_VERDICTS];

/* What rules a suspect out when it is not in a report: evidence of this kind
 * that is there and whole. */
enum tailbox__assert_basis {
	TAILBOX__BASIS_UNKNOWN, /* its absence proves nothing */
	TAILBOX__BASIS_REQUESTS,
	TAILBOX__BASIS_QUEUES,
	TAILBOX__BASIS_STAGES,
	TAILBOX__BASIS_BLOCKING,  /* samples that know the offload pools */
	TAILBOX__BASIS_RUN_QUEUES, /* samples that know what waits for workers */
	TAILBOX__BASIS_FINDING /* ours: what the report says of the kind */
};
struct tailbox__assert_suspect {
	enum tailbox__assert_basis basis;
	bool has_routes;  /* it is told of single routes too */
	bool is_standard; /* it exists with --compat */
};
/* What is not set up is of the whole run, ours, and of an unknown basis. */
extern const struct tailbox__assert_suspect
	tailbox__assert_suspects[TAILBOX__SUSPECT_COUNT];

struct tailbox__assertion {
	const char *text; /* borrowed */
	enum tailbox__metric_asserted metric;
	enum tailbox__assert_op op;
	uint64_t limit;    /* in the unit; of a suspect: scores up to it pass */
	bool is_any_score; /* of a suspect: no limit was given */
	enum tailbox__suspect_kind suspect;
	const char *route; /* in text; NULL = all requests */
	size_t route_len;
	/* Valid when judged. */
	enum tailbox__assert_verdict verdict;
	bool has_value;
	uint64_t value;                      /* in the unit, rounded down */
	enum tailbox__confidence confidence; /* of a suspect with a value */
	char reason[200];                    /* CANNOT_JUDGE: why; else empty */
};

struct tailbox__asserts { /* starts zeroed */
	TAILBOX__LIST(struct tailbox__assertion) items;
	uint64_t came_count; /* requests before normalization */
};
void tailbox__asserts_fini(struct tailbox__asserts *a);

/* Parse and add one. text is borrowed until _fini. is_compat: suspects of
 * ours do not exist.
 * 0, -ENOMEM, -E2BIG (too many, too long), -EINVAL (syntax), -ENOENT (no such
 * metric or suspect); err has the byte offset and why. Nothing was added then.
 */
int tailbox__asserts_add(struct tailbox__asserts *a, const char *text,
                         bool is_compat, struct tailbox__error *err);
/* Before the analysis, of the run as it was loaded: every route is there.
 * 0, or -ENOENT and err. One that may have been lost passes. */
int tailbox__asserts_begin(struct tailbox__asserts *a,
                           const struct tailbox__run *run,
                           struct tailbox__error *err);
/* After it: the run is normalized, report and o are of the same analysis.
 * 0 or -ENOMEM. */
int tailbox__asserts_judge(struct tailbox__asserts *a,
                           const struct tailbox__run *run,
                           const struct tailbox__analyzer_options *o,
                           const struct tailbox__report *report);
uint64_t tailbox__asserts_count(const struct tailbox__asserts *a,
                                enum tailbox__assert_verdict v);

/* "assert p99(/a) < 200ms: failed, 243 ms" and a newline. */
void tailbox__assertion_text(const struct tailbox__assertion *a, FILE *out);
/* The value of the member "assertions" of a report. */
void tailbox__asserts_json(const struct tailbox__asserts *a,
                           struct tailbox__json *j);

#endif
