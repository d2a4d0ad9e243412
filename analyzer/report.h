/* analyzer/report.h - what an analysis found.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 14. A slice is what one core analysis says: of the
 * whole run, of one route, or of one half of the time. Texts are the report's
 * and live as long as it does.
 */
#ifndef TAILBOX_ANALYZER_REPORT_H
#define TAILBOX_ANALYZER_REPORT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/anatomy.h"
#include "analyzer/options.h"
#include "core/json.h"
#include "core/run.h"

/* Unknown figures are TAILBOX__NONE and become null. */

enum tailbox__suspect_kind { /* in the order of a tie */
	TAILBOX__SUSPECT_QUEUE,      /* application_queue_saturation */
	TAILBOX__SUSPECT_BLOCKING,   /* blocking_pool_pressure */
	TAILBOX__SUSPECT_EXECUTOR,   /* executor_pressure_suspected */
	TAILBOX__SUSPECT_DOWNSTREAM, /* downstream_stage_dominates */
	TAILBOX__SUSPECT_UNKNOWN,    /* insufficient_evidence */
	TAILBOX__SUSPECT_COUNT
};
extern const char *const tailbox__suspect_names[TAILBOX__SUSPECT_COUNT];

enum tailbox__confidence {
	TAILBOX__CONFIDENCE_LOW,
	TAILBOX__CONFIDENCE_MEDIUM,
	TAILBOX__CONFIDENCE_HIGH
};
extern const char *const tailbox__confidence_names[3];

struct tailbox__texts { /* items are NUL-terminated, valid UTF-8 */
	char **items;
	size_t count, room;
};

struct tailbox__suspect {
	enum tailbox__suspect_kind kind;
	unsigned score; /* 0..100 */
	enum tailbox__confidence confidence;
	struct tailbox__texts evidence, next_checks, notes;
};

enum tailbox__evidence { /* status of a family of evidence */
	TAILBOX__EVIDENCE_PRESENT,
	TAILBOX__EVIDENCE_MISSING,
	TAILBOX__EVIDENCE_PARTIAL,
	TAILBOX__EVIDENCE_TRUNCATED
};
extern const char *const tailbox__evidence_names[4];

enum tailbox__quality {
	TAILBOX__QUALITY_WEAK,
	TAILBOX__QUALITY_PARTIAL,
	TAILBOX__QUALITY_STRONG
};
extern const char *const tailbox__quality_names[3];

struct tailbox__report_quality {
	uint64_t requests, queues, stages, snapshots, inflight; /* counts */
	enum tailbox__evidence request_status, queue_status, stage_status;
	enum tailbox__evidence snapshot_status, inflight_status;
	struct tailbox__run_truncation truncation; /* limits_hit: truncated */
	enum tailbox__quality quality;
	struct tailbox__texts limitations;
};

struct tailbox__report_slice {
	uint64_t request_count;
	uint64_t p50_us, p95_us, p99_us;
	uint64_t p95_queue_permille, p95_service_permille;
	struct tailbox__report_quality quality;
	/* Final order; the first is the primary one. Never empty. */
	struct tailbox__suspect *suspects;
	size_t suspect_count, suspect_room;
	struct tailbox__texts warnings;
};

struct tailbox__report_trend {
	bool is_known; /* false: null */
	tailbox__str gauge;
	uint64_t sample_count, peak_count, p95_count;
	int64_t growth_delta;
	bool has_rate;
	int64_t growth_per_sec_milli;
};

struct tailbox__report_route {
	tailbox__str route;
	struct tailbox__report_slice slice;
};

struct tailbox__report_segment {
	const char *name; /* "early", "late" */
	uint64_t start_ms, end_ms;
	struct tailbox__report_slice slice;
};

struct tailbox__asserts; /* analyzer/assert.h */

struct tailbox__report {
	struct tailbox__report_slice whole;
	struct tailbox__report_trend trend;
	TAILBOX__LIST(struct tailbox__report_route) routes;
	TAILBOX__LIST(struct tailbox__report_segment) segments; /* 0 or 2 */
	struct tailbox__anatomy anatomy; /* ours; the standard has none */
	bool is_compat; /* for the renderers: leave out what is ours */
	const struct tailbox__asserts *asserts; /* judged, for JSON; or NULL */
};

/* Analyse (spec section 2). The run is normalized in place, permissively, on
 * the way: it is not the same afterwards; texts of names in the report are
 * those of its pool, so it must outlive the report. Never rejects a run.
 * o must be valid. 0 or -ENOMEM; out is always safe to fini.
 * One thread; no clock, no locale. */
int tailbox__analyze(struct tailbox__run *run,
                     const struct tailbox__analyzer_options *o,
                     struct tailbox__report *out);
void tailbox__report_fini(struct tailbox__report *r);

/* The report as one JSON object, members in the order of the spec; ours come
 * last, in one named "tailbox". 0 or -ENOMEM (the writer has failed). */
int tailbox__report_json(const struct tailbox__report *r,
                         const struct tailbox__run *run,
                         const struct tailbox__analyzer_options *o,
                         struct tailbox__json *j);
/* The report as lines (spec section 15), without more than 80 columns where
 * the texts allow it; write errors stay on the stream. 0 or -ENOMEM. */
int tailbox__report_text(const struct tailbox__report *r,
                         const struct tailbox__run *run,
                         const struct tailbox__analyzer_options *o, FILE *out);

/* --- for those who make it ---------------------------------------------- */

/* Append a formatted text. 0 or -ENOMEM. */
int tailbox__texts_add(struct tailbox__texts *t, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
void tailbox__texts_fini(struct tailbox__texts *t);

#endif
