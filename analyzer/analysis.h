/* analyzer/analysis.h - between the parts of an analysis.
 *
 * SPDX-License-Identifier: MIT
 *
 * A part is what one core analysis looks at (spec/analysis.md sections 3 to
 * 11): all requests of a normalized run, those of a route, or those of a half
 * of its time. Events are found through one index of the run, so that many
 * parts cost no more than one: each request's events are looked at once per
 * part that the request is in.
 */
#ifndef TAILBOX_ANALYZER_ANALYSIS_H
#define TAILBOX_ANALYZER_ANALYSIS_H 1

#include <inttypes.h>

#include "analyzer/report.h"

/* Figures are 64 bits wide and saturate (spec section 1). */
static inline uint64_t tailbox__sat_add(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}
static inline uint64_t tailbox__sat_mul(uint64_t a, uint64_t b)
{
	uint64_t r;

	return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}
static inline uint64_t tailbox__min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}
/* Of a whole, in thousandths; 0 of nothing. */
static inline uint64_t tailbox__permille(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : tailbox__sat_mul(part, 1000) / whole;
}

/* --- series.c: numbers ---------------------------------------------------- */

struct tailbox__series {
	uint64_t *items;
	size_t count, room;
	/* The last one asked for: items before it are not greater, those behind
	 * not less. 0 = none, or items were added since. */
	size_t known;
};
/* Room for n in all, so that adding them moves nothing. 0 or -ENOMEM. */
int tailbox__series_reserve(struct tailbox__series *s, size_t n);
int tailbox__series_add_slowly(struct tailbox__series *s, uint64_t value);
static inline int tailbox__series_add(struct tailbox__series *s, uint64_t value)
{
	s->known = 0;
	if (s->count == s->room)
		return tailbox__series_add_slowly(s, value);
	s->items[s->count++] = value;
	return 0;
}
void tailbox__series_fini(struct tailbox__series *s);
/* The P-th percentile (spec section 3); NONE of an empty one. Moves the items
 * about. Linear, whatever the values are. */
uint64_t tailbox__series_percentile(struct tailbox__series *s, unsigned p);

/* Shares in permille, 0 to 1000: counted, since there are so few. */
struct tailbox__shares {
	uint32_t of[1001];
	size_t count;
};
static inline void tailbox__shares_add(struct tailbox__shares *s,
                                       uint64_t permille)
{
	s->of[tailbox__min_u64(permille, 1000)]++;
	s->count++;
}
uint64_t tailbox__shares_percentile(const struct tailbox__shares *s,
                                    unsigned p);

/* --- index.c: events by request ------------------------------------------- */

struct tailbox__children { /* of request r: events[first[r]..first[r + 1]) */
	uint32_t *first;
	uint32_t *events; /* indexes, in input order within a request */
	size_t partial_count; /* events that are partial, in all */
};
struct tailbox__index {
	struct tailbox__children queues, stages;
	/* Stage names are numbered from 0: by string of the pool. */
	uint32_t *name_of;
	tailbox__str *names;
	size_t name_count;
};
/* Of a normalized run. 0 or -ENOMEM; always safe to fini. */
int tailbox__index_make(const struct tailbox__run *run,
                        struct tailbox__index *out);
void tailbox__index_fini(struct tailbox__index *index);

/* --- compare_side.c ------------------------------------------------------- */

/* Items that are missing in a run, of any kind: cut off at a limit, or lost
 * by the recorder; 1 where a limit was hit and nobody counted. */
uint64_t tailbox__losses_of(const struct tailbox__run *run);

/* --- parts ---------------------------------------------------------------- */

enum tailbox__workers { /* spec 5.C */
	TAILBOX__WORKERS_NONE, /* routes have none: no suspect C */
	TAILBOX__WORKERS_INVALID_ZERO,
	TAILBOX__WORKERS_HISTORICAL_ABSENT,
	TAILBOX__WORKERS_INCONSISTENT,
	TAILBOX__WORKERS_PARTIAL,
	TAILBOX__WORKERS_COMPLETE
};

struct tailbox__own; /* analyzer/own.h */

struct tailbox__part {
	const struct tailbox__run *run; /* normalized */
	const struct tailbox__index *index;
	const struct tailbox__analyzer_options *o;
	const uint32_t *requests; /* indexes; NULL = the first request_count */
	size_t request_count;
	const struct tailbox__run_snapshot *snapshots;
	size_t snapshot_count;
	const struct tailbox__run_gauge *gauges; /* no blank labels */
	size_t gauge_count;
	enum tailbox__workers workers;
	uint64_t worker_count; /* COMPLETE */
	/* What suspects of ours are made of; NULL = none of ours. */
	struct tailbox__own *own;
};
static inline const struct tailbox__run_request *
tailbox__part_request(const struct tailbox__part *p, size_t i, uint32_t *index)
{
	*index = p->requests ? p->requests[i] : (uint32_t)i;
	return &p->run->requests.items[*index];
}

/* Classify; before a run is normalized. */
void tailbox__classify_workers(const struct tailbox__run_snapshot *s, size_t n,
                               enum tailbox__workers *status, uint64_t *count);

/* --- attribute.c: time in events ------------------------------------------ */

struct tailbox__interval {
	uint64_t start, end;
};
struct tailbox__stage; /* suspect_stage.c */
struct tailbox__scratch { /* grows, is used again by the next part */
	struct tailbox__interval *intervals;
	uint32_t *events;
	size_t interval_room, event_room;
	struct tailbox__stage *stages; /* by number of the name, all empty */
	size_t stage_count;
	uint32_t *touched; /* names that the present part has */
	size_t touched_count;
};
void tailbox__stages_fini(struct tailbox__scratch *s); /* suspect_stage.c */
void tailbox__scratch_fini(struct tailbox__scratch *s);
/* Room for n events. 0 or -ENOMEM. */
int tailbox__scratch_events(struct tailbox__scratch *s, size_t n);
/* Attributed time of n events of `items` under a cap; only the completed ones
 * when asked for. NONE never: -ENOMEM through rc. */
uint64_t tailbox__attributed(struct tailbox__scratch *s,
                             const struct tailbox__run_span *items,
                             const uint32_t *events, size_t n,
                             bool completed_only, uint64_t cap, int *rc);

/* The same of waits and stages together, finished or not. */
uint64_t tailbox__attributed_both(struct tailbox__scratch *s,
                                  const struct tailbox__run *run,
                                  const uint32_t *waits, size_t wait_count,
                                  const uint32_t *stages, size_t stage_count,
                                  uint64_t cap, int *rc);

/* --- figures.c: what every suspect is built from -------------------------- */

struct tailbox__figures {
	struct tailbox__series latency; /* of all requests */
	struct tailbox__shares completed, observed, service;
	uint64_t p50, p95, p99;
	uint64_t completed_p95, observed_p95, service_p95; /* permille */
	/* The same without waits for a worker, which are a suspect of ours;
	 * where ours are left out they are those above. The second is empty
	 * where no wait of the run is partial: it is the first then. */
	struct tailbox__shares own_completed, own_observed;
	uint64_t own_completed_p95, own_observed_p95;
	size_t own_queue_count;
	uint64_t latency_sum, tail_sum;
	size_t queue_count, queue_partial; /* events */
	size_t stage_count, stage_partial;
	uint64_t completed_depth, observed_depth; /* largest, 0 if none */
	struct tailbox__series blocking, global, local, alive; /* not null */
	uint64_t global_p95, local_p95, alive_p95;
	bool has_no_blocking, has_no_global, has_no_local; /* null in all */
	struct tailbox__report_trend trend;
	bool is_growing;
};
/* 0 or -ENOMEM; always safe to fini. */
int tailbox__figures_make(const struct tailbox__part *p,
                          struct tailbox__scratch *scratch,
                          struct tailbox__figures *f);
void tailbox__figures_fini(struct tailbox__figures *f);

/* --- trend.c -------------------------------------------------------------- */

int tailbox__trend_find(const struct tailbox__part *p,
                        struct tailbox__report_trend *out);

/* "12.3%" of 123 permille */
#define PERCENT_FORMAT "%" PRIu64 ".%" PRIu64 "%%"
#define PERCENT(permille) (permille) / 10, (permille) % 10

/* --- suspects ------------------------------------------------------------- */

/* What the ranking has to know of a suspect beside what the report tells. */
struct tailbox__limits_found {
	bool is_observed; /* A, D: basis with unfinished events */
	bool lacks_local; /* C */
	bool has_ambiguous_workers; /* C */
};
struct tailbox__case {
	const struct tailbox__part *part;
	struct tailbox__figures *figures;
	struct tailbox__scratch *scratch;
	struct tailbox__report_slice *slice;
	struct tailbox__report *report; /* of the whole run; NULL in a part */
	struct tailbox__limits_found found[TAILBOX__SUSPECT_COUNT];
	bool is_blocking_strong;
	unsigned blocking_score;
	uint64_t stage_tail; /* of the best stage: permille of the tail */
	bool is_ambiguous; /* rank.c: leading scores are high and close */
};
/* S(n) and the limit of a score (spec section 3). */
unsigned tailbox__sample_credit(uint64_t n);
unsigned tailbox__score(uint64_t raw, unsigned cap, bool is_clean);
/* The suspect of a kind that the slice has; NULL = none. */
struct tailbox__suspect *tailbox__suspect_find(const struct tailbox__case *c,
                                               enum tailbox__suspect_kind kind);
/* A suspect of the slice, to be filled; NULL when out of memory. */
struct tailbox__suspect *tailbox__suspect_add(struct tailbox__case *c,
                                              enum tailbox__suspect_kind kind,
                                              unsigned score);
/* The line about a growing gauge (A4, C4). */
int tailbox__growth_line(const struct tailbox__case *c,
                         struct tailbox__texts *to);
/* Each adds its suspect if there is one. 0 or -ENOMEM. */
int tailbox__suspect_queue(struct tailbox__case *c);
int tailbox__suspect_blocking(struct tailbox__case *c);
int tailbox__suspect_executor(struct tailbox__case *c);
int tailbox__suspect_downstream(struct tailbox__case *c);
int tailbox__suspect_unknown(struct tailbox__case *c);
/* rank.c: confidence, caps, notes, final order (spec 7 to 9). */
int tailbox__rank(struct tailbox__case *c);
/* quality.c: section 10; warnings.c: section 11 (W1 to W7), after the rank. */
int tailbox__quality_judge(struct tailbox__case *c);
int tailbox__warn(struct tailbox__case *c);

/* --- the pipeline ----------------------------------------------------------
 */

/* One core analysis. whole: where what there is once goes, the trend and the
 * findings; NULL for a route or segment. 0 or -ENOMEM. */
int tailbox__analyze_part(const struct tailbox__part *p,
                          struct tailbox__scratch *scratch,
                          struct tailbox__report_slice *out,
                          struct tailbox__report *whole);
/* a / b >= num / den, where a and b are known and b > 0. */
bool tailbox__ratio(uint64_t high, uint64_t low, uint64_t num, uint64_t den);
/* routes.c (section 12), segments.c (section 13); may add W9, W10, W11. */
int tailbox__analyze_routes(const struct tailbox__part *whole,
                            struct tailbox__scratch *scratch,
                            struct tailbox__report *out);
/* What segments need of the run as it was before it was normalized. */
struct tailbox__original {
	struct tailbox__run_snapshot *snapshots;
	size_t snapshot_count;
	struct tailbox__run_gauge *gauges;
	size_t gauge_count;
};
int tailbox__analyze_segments(const struct tailbox__part *whole,
                              const struct tailbox__original *original,
                              struct tailbox__scratch *scratch,
                              struct tailbox__report *out);
void tailbox__report_slice_fini(struct tailbox__report_slice *s);

#endif
