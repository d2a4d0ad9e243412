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

struct tailbox__inspection; /* core/validate.h */

enum tailbox__suspect_kind { /* in the order of a tie */
	TAILBOX__SUSPECT_QUEUE,      /* application_queue_saturation */
	TAILBOX__SUSPECT_BLOCKING,   /* blocking_pool_pressure */
	TAILBOX__SUSPECT_EXECUTOR,   /* executor_pressure_suspected */
	TAILBOX__SUSPECT_DOWNSTREAM, /* downstream_stage_dominates */
	TAILBOX__SUSPECT_UNKNOWN,    /* insufficient_evidence */
	/* Ours: only from what tailbox alone records (doc/analysis.md). */
	TAILBOX__SUSPECT_CPU,            /* cpu_starvation */
	TAILBOX__SUSPECT_CONNECTIONS,    /* connection_limit_reached */
	TAILBOX__SUSPECT_LOCK,           /* lock_contention */
	TAILBOX__SUSPECT_SPINNING,       /* spinning_handler */
	TAILBOX__SUSPECT_WORKER_BLOCKED, /* worker_blocked */
	TAILBOX__SUSPECT_UPLOAD,         /* slow_client_upload */
	TAILBOX__SUSPECT_DOWNLOAD,       /* slow_client_download */
	TAILBOX__SUSPECT_RESUME,         /* resume_delay */
	TAILBOX__SUSPECT_ACCEPT,         /* accept_queue_pressure */
	TAILBOX__SUSPECT_LOOP,           /* event_loop_stall */
	TAILBOX__SUSPECT_COUNT
};
#define TAILBOX__SUSPECT_OWN TAILBOX__SUSPECT_CPU /* the first of ours */
extern const char *const tailbox__suspect_names[TAILBOX__SUSPECT_COUNT];
/* In words, at most 50 bytes: "threads wait for a CPU". */
extern const char *const tailbox__suspect_meanings[TAILBOX__SUSPECT_COUNT];

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

/* A figure of a suspect of ours, for programs. */
struct tailbox__figure {
	const char *key; /* with its unit: "longest_us" */
	tailbox__str name; /* of the run; 0: the value is the number */
	uint64_t value;  /* NONE = not known */
};

struct tailbox__suspect {
	enum tailbox__suspect_kind kind;
	unsigned score; /* 0..100 */
	enum tailbox__confidence confidence;
	struct tailbox__texts evidence, next_checks, notes;
	/* Another suspect that accounts for the same time and lies deeper;
	 * COUNT = none. Comes behind that one. */
	enum tailbox__suspect_kind explained_by;
	/* What it is, in at most 60 bytes, with the name of whose fault it is:
	 * "worker blocked by GET /report". */
	char *title;
	TAILBOX__LIST(struct tailbox__figure) figures; /* of ours; else none */
};

enum tailbox__ruling { /* of one kind of suspect, of the whole run */
	TAILBOX__RULING_LIKELY, /* it is among the suspects */
	TAILBOX__RULING_OUT,
	TAILBOX__RULING_CANNOT_TELL
};
extern const char *const tailbox__ruling_names[3];

struct tailbox__finding {
	enum tailbox__suspect_kind kind;
	enum tailbox__ruling ruling;
	/* OUT: the figure that does, short, "max 0 of 511"; CANNOT_TELL: what
	 * is missing; LIKELY: NULL. */
	char *text;
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

enum tailbox__report_verdict { /* in a word; verdict.h has the rule of each */
	TAILBOX__REPORT_LIKELY,
	TAILBOX__REPORT_HEALTHY,
	TAILBOX__REPORT_TOO_FEW,
	TAILBOX__REPORT_UNCLEAR
};
extern const char *const tailbox__report_verdict_names[4];
#define TAILBOX__HEADLINE_MAX 120u /* bytes */

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
	/* Ours; the standard has none of these. */
	struct tailbox__anatomy anatomy;
	/* One of each kind but UNKNOWN, in their order. */
	TAILBOX__LIST(struct tailbox__finding) findings;
	enum tailbox__report_verdict verdict;
	/* The verdict as a sentence: valid UTF-8, no control characters. */
	char headline[TAILBOX__HEADLINE_MAX + 1];
	bool is_compat; /* for the renderers: leave out what is ours */
	const struct tailbox__asserts *asserts; /* judged, for JSON; or NULL */
};

/* Analyse (spec section 2). The run is normalized in place, permissively, on
 * the way: it is not the same afterwards; texts of names in the report are
 * those of its pool, so it must outlive the report. Never rejects a run.
 * o must be valid. is_compat: without suspects of ours, and without what they
 * change of others. 0 or -ENOMEM; out is always safe to fini.
 * One thread; no clock, no locale. */
int tailbox__analyze(struct tailbox__run *run,
                     const struct tailbox__analyzer_options *o,
                     bool is_compat, struct tailbox__report *out);
/* The same with an inspection of the run that was made already. It is used up:
 * empty afterwards, safe to fini. */
int tailbox__analyze_inspected(struct tailbox__run *run,
                               struct tailbox__inspection *in,
                               const struct tailbox__analyzer_options *o,
                               bool is_compat, struct tailbox__report *out);
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
