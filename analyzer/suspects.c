/* analyzer/suspects.c - waiting in queues, offload pool, workers; and nothing.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md sections 5 (A, B, C, E) and 6. Scores are the formulas of
 * the specification as they stand; how many sentences there are, and in which
 * order, is part of it too. The stages (D) are in suspect_stage.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "core/alloc.h"

#define ADD(list, ...) tailbox__texts_add(list, __VA_ARGS__)

unsigned tailbox__sample_credit(uint64_t n)
{
	return n >= 100 ? 8 : n >= 40 ? 5 : n >= 20 ? 3 : n >= 8 ? 1 : 0;
}

unsigned tailbox__score(uint64_t raw, unsigned cap, bool is_clean)
{
	const uint64_t capped = is_clean ? raw : tailbox__min_u64(raw, cap);

	return (unsigned)tailbox__min_u64(capped, 100);
}

struct tailbox__suspect *tailbox__suspect_find(const struct tailbox__case *c,
                                               enum tailbox__suspect_kind kind)
{
	for (size_t i = 0; i < c->slice->suspect_count; i++)
		if (c->slice->suspects[i].kind == kind)
			return &c->slice->suspects[i];
	return NULL;
}

struct tailbox__suspect *tailbox__suspect_add(struct tailbox__case *c,
                                              enum tailbox__suspect_kind kind,
                                              unsigned score)
{
	struct tailbox__report_slice *s = c->slice;
	struct tailbox__suspect *new;

	new = tailbox__list_grow((void **)&s->suspects, &s->suspect_count,
	                         &s->suspect_room, sizeof(*new));
	if (new) {
		new->kind = kind;
		new->score = score;
		new->explained_by = TAILBOX__SUSPECT_COUNT;
	}
	return new;
}

int tailbox__growth_line(const struct tailbox__case *c,
                         struct tailbox__texts *to)
{
	const struct tailbox__report_trend *t = &c->figures->trend;
	const char *name = tailbox__run_text(c->part->run, t->gauge, NULL);
	bool in_run_order = true;
	char rate[96];

	for (size_t i = 0; i < c->part->gauge_count; i++)
		if (c->part->gauges[i].gauge == t->gauge)
			in_run_order = in_run_order &&
			               c->part->gauges[i].flags &
			                       TAILBOX__HAS_START_US;
	if (t->has_rate)
		snprintf(rate, sizeof(rate),
		         "%" PRId64 " thousandths per second",
		         t->growth_per_sec_milli);
	else if (!in_run_order)
		snprintf(rate, sizeof(rate),
		         "ordered by wall clock only, so no rate");
	else
		snprintf(rate, sizeof(rate), "no exact rate is available");
	return ADD(to,
	           "'%s' in flight grew by %" PRId64 " over %" PRIu64
	           " samples (p95 %" PRIu64 ", peak %" PRIu64 "); %s",
	           name, t->growth_delta, t->sample_count, t->p95_count,
	           t->peak_count, rate);
}

static int add_checks(struct tailbox__suspect *s, const char *const *checks)
{
	int rc = 0;

	for (; rc == 0 && *checks; checks++)
		rc = ADD(&s->next_checks, "%s", *checks);
	return rc;
}

/* --- A: queues ------------------------------------------------------------- */

struct waiting {
	uint64_t share; /* Q; NONE = no series */
	uint64_t depth; /* D */
	unsigned score;
	bool is_eligible;
};

static struct waiting weigh_waiting(const struct tailbox__case *c,
                                    uint64_t share, uint64_t depth)
{
	const uint64_t n = c->figures->completed.count;
	const bool grows = c->figures->is_growing;
	struct waiting w = { share, depth, 0, false };
	uint64_t raw;

	if (share == TAILBOX__NONE ||
	    share < c->part->o->v[TAILBOX__OPT_QUEUEING_TRIGGER_PERMILLE])
		return w;
	raw = 22 + tailbox__min_u64(share, 1000) / 14 +
	      tailbox__min_u64(depth, 40) * 2 / 3 + (grows ? 5 : 0) +
	      tailbox__sample_credit(n);
	w.score = tailbox__score(raw, 95, share >= 985 && depth >= 12 &&
	                                          n >= 20 && grows);
	w.is_eligible = true;
	return w;
}

static int tell_waiting(struct tailbox__case *c, struct tailbox__suspect *s,
                        const struct waiting *w, bool is_observed)
{
	const struct tailbox__figures *f = c->figures;
	int rc;

	if (is_observed) {
		const uint64_t of = f->own_completed_p95 == TAILBOX__NONE
		                            ? 0
		                            : f->own_completed_p95;
		rc = ADD(&s->evidence,
		         "finished waits alone took " PERCENT_FORMAT
		         " of request time at p95", PERCENT(of));
		if (rc == 0)
			rc = ADD(&s->evidence,
			         "waiting took at least " PERCENT_FORMAT
			         " of request time at p95; a lower bound, for "
			         "%zu waits were unfinished",
			         PERCENT(w->share), f->queue_partial);
	} else {
		rc = ADD(&s->evidence,
		         "waiting in queues took " PERCENT_FORMAT
		         " of request time at p95", PERCENT(w->share));
	}
	if (rc == 0 && w->depth > 0)
		rc = ADD(&s->evidence,
		         "up to %" PRIu64 " stood in a queue when a wait began",
		         w->depth);
	return rc == 0 && f->is_growing ? tailbox__growth_line(c, &s->evidence)
	                                : rc;
}

int tailbox__suspect_queue(struct tailbox__case *c)
{
	static const char *const checks[] = {
		"check admission limits and bursts of arrivals at the queues",
		"measure the waits again with more worker threads",
		NULL
	};
	const struct tailbox__figures *f = c->figures;
	const struct waiting completed =
	        weigh_waiting(c, f->own_completed_p95, f->completed_depth);
	const struct waiting observed =
	        weigh_waiting(c, f->own_observed_p95, f->observed_depth);
	const bool is_observed =
	        observed.is_eligible &&
	        (!completed.is_eligible || observed.score > completed.score);
	const struct waiting *w = is_observed ? &observed : &completed;
	struct tailbox__suspect *s;

	if (!w->is_eligible)
		return 0;
	s = tailbox__suspect_add(c, TAILBOX__SUSPECT_QUEUE, w->score);
	if (!s || tell_waiting(c, s, w, is_observed) < 0)
		return -ENOMEM;
	c->found[TAILBOX__SUSPECT_QUEUE].is_observed = is_observed;
	return add_checks(s, checks);
}

/* --- B: the offload pool ---------------------------------------------------- */

int tailbox__suspect_blocking(struct tailbox__case *c)
{
	static const char *const checks[] = {
		"find blocking work that can leave the pool or be shortened",
		"look at the jobs with long CPU or I/O time",
		NULL
	};
	struct tailbox__series *series = &c->figures->blocking;
	const uint64_t *v = c->part->o->v;
	const uint64_t total = series->count;
	uint64_t peak = 0, above = 0, p95, share;
	struct tailbox__suspect *s;

	for (size_t i = 0; i < series->count; i++) {
		above += series->items[i] > 0;
		if (series->items[i] > peak)
			peak = series->items[i];
	}
	p95 = tailbox__series_percentile(series, 95);
	if (total == 0 ||
	    (p95 == 0 && above < v[TAILBOX__OPT_BLOCKING_MIN_NONZERO_SAMPLES]))
		return 0;
	share = above * 1000 / total;
	c->blocking_score = tailbox__score(
	        32 + tailbox__min_u64(p95, 24) + tailbox__min_u64(peak, 24) / 2 +
	                share / 80 + tailbox__sample_credit(total),
	        94, p95 >= 16 && peak >= 24 && share >= 900);
	c->is_blocking_strong =
	        p95 >= v[TAILBOX__OPT_BLOCKING_STRONG_P95] &&
	        peak >= v[TAILBOX__OPT_BLOCKING_STRONG_PEAK] &&
	        share >= v[TAILBOX__OPT_BLOCKING_STRONG_NONZERO_PERMILLE] &&
	        total >= v[TAILBOX__OPT_BLOCKING_STRONG_MIN_SAMPLES];
	s = tailbox__suspect_add(c, TAILBOX__SUSPECT_BLOCKING,
	                         c->blocking_score);
	if (!s ||
	    ADD(&s->evidence,
	        "jobs waited for the offload pool: p95 %" PRIu64
	        ", peak %" PRIu64 ", in %" PRIu64 " of %" PRIu64 " samples",
	        p95, peak, above, total) < 0)
		return -ENOMEM;
	return add_checks(s, checks);
}

/* --- C: workers -------------------------------------------------------------- */

static const char *status_name(enum tailbox__workers status)
{
	switch (status) {
	case TAILBOX__WORKERS_INVALID_ZERO:
		return "InvalidZero";
	case TAILBOX__WORKERS_INCONSISTENT:
		return "Inconsistent";
	case TAILBOX__WORKERS_PARTIAL:
		return "Partial";
	case TAILBOX__WORKERS_HISTORICAL_ABSENT:
		return "HistoricalAbsent";
	case TAILBOX__WORKERS_COMPLETE:
	case TAILBOX__WORKERS_NONE:
		break;
	}
	return "Complete";
}

/* p95 of what waits per worker, in thousandths; whether a local depth lacks. */
static int per_worker(const struct tailbox__part *p, uint64_t *p95, bool *lacks)
{
	struct tailbox__series s = { .items = NULL };

	*lacks = false;
	for (size_t i = 0; i < p->snapshot_count; i++) {
		const struct tailbox__run_snapshot *at = &p->snapshots[i];
		unsigned __int128 r;

		if (at->global_queue_depth == TAILBOX__NONE)
			continue;
		r = at->global_queue_depth;
		if (at->local_queue_depth != TAILBOX__NONE)
			r += at->local_queue_depth;
		else
			*lacks = true;
		r = r * 1000 / p->worker_count;
		if (tailbox__series_add(&s, r > UINT64_MAX ? UINT64_MAX
		                                           : (uint64_t)r) < 0) {
			tailbox__series_fini(&s);
			return -ENOMEM;
		}
	}
	*p95 = tailbox__series_percentile(&s, 95);
	tailbox__series_fini(&s);
	return 0;
}

static unsigned band_of(uint64_t r)
{
	static const struct {
		uint64_t below;
		unsigned band;
	} bands[] = { { 500, 0 }, { 1000, 5 }, { 2000, 15 }, { 4000, 25 },
		      { 8000, 40 } };

	for (size_t i = 0; i < sizeof(bands) / sizeof(bands[0]); i++)
		if (r < bands[i].below)
			return bands[i].band;
	return 55;
}

static int tell_depths(struct tailbox__case *c, struct tailbox__suspect *s)
{
	const struct tailbox__figures *f = c->figures;
	const bool is_complete =
	        c->part->workers == TAILBOX__WORKERS_COMPLETE;
	int rc;

	rc = ADD(&s->evidence,
	         "waiting connections and ready requests: p95 %" PRIu64 "%s",
	         f->global_p95,
	         is_complete ? "" : ", a sign that workers cannot keep up");
	if (rc == 0 && f->local.count > 0)
		rc = ADD(&s->evidence,
		         "requests stuck behind busy workers: p95 %" PRIu64,
		         f->local_p95);
	if (rc == 0 && f->alive.count > 0)
		rc = ADD(&s->evidence, "open requests: p95 %" PRIu64,
		         f->alive_p95);
	if (rc == 0 && f->is_growing)
		rc = tailbox__growth_line(c, &s->evidence);
	return rc;
}

static int tell_workers(struct tailbox__case *c, struct tailbox__suspect *s,
                        uint64_t r, bool lacks_local)
{
	const enum tailbox__workers status = c->part->workers;
	int rc;

	if (status == TAILBOX__WORKERS_HISTORICAL_ABSENT)
		return ADD(&s->evidence, "no worker count was recorded, so "
		                         "absolute depths were scored");
	if (status != TAILBOX__WORKERS_COMPLETE)
		return ADD(&s->evidence,
		           "worker counts cannot be used (%s): absolute depths "
		           "were scored, no count was guessed",
		           status_name(status));
	rc = ADD(&s->evidence,
	         "waiting per worker: p95 %" PRIu64 " thousandths over %zu "
	         "samples, %" PRIu64 " workers",
	         r, c->figures->global.count, c->part->worker_count);
	if (rc == 0 && lacks_local)
		rc = ADD(&s->evidence,
		         "that is a lower bound: local depths that are missing "
		         "counted as 0");
	return rc;
}

/* The score; 0 = no suspect. */
static int weigh_workers(struct tailbox__case *c, unsigned *score, uint64_t *r,
                         bool *lacks_local)
{
	const struct tailbox__figures *f = c->figures;
	const struct tailbox__part *p = c->part;
	const uint64_t n = f->global.count, *v = p->o->v;
	const unsigned credit =
	        (f->is_growing ? 4 : 0) + tailbox__sample_credit(n);

	*score = 0;
	*lacks_local = false;
	if (p->workers == TAILBOX__WORKERS_COMPLETE) {
		if (per_worker(p, r, lacks_local) < 0)
			return -ENOMEM;
		if (*r >= v[TAILBOX__OPT_EXECUTOR_MIN_PER_WORKER_MILLI])
			*score = tailbox__score(34 + band_of(*r) + credit, 100,
			                        true);
		return 0;
	}
	if (f->global_p95 < v[TAILBOX__OPT_EXECUTOR_MIN_GLOBAL_P95])
		return 0;
	*score = tailbox__score(
	        34 + tailbox__min_u64(f->global_p95, 150) / 4 +
	                (f->local.count
	                         ? tailbox__min_u64(f->local_p95, 60) / 6
	                         : 0) +
	                (f->alive.count
	                         ? tailbox__min_u64(f->alive_p95, 400) / 40
	                         : 0) +
	                credit,
	        94, f->global_p95 >= 140 && n >= 30);
	return 0;
}

int tailbox__suspect_executor(struct tailbox__case *c)
{
	static const char *const checks[] = {
		"look for handlers that hold a worker thread for long, and for "
		"uneven load over workers",
		"compare with stage times to find the part that occupies "
		"workers",
		NULL
	};
	struct tailbox__limits_found *found =
	        &c->found[TAILBOX__SUSPECT_EXECUTOR];
	const enum tailbox__workers status = c->part->workers;
	struct tailbox__suspect *s;
	uint64_t r = 0;
	unsigned score;
	bool lacks_local;

	if (status == TAILBOX__WORKERS_NONE || c->figures->global.count == 0)
		return 0;
	if (weigh_workers(c, &score, &r, &lacks_local) < 0)
		return -ENOMEM;
	if (score == 0)
		return 0;
	s = tailbox__suspect_add(c, TAILBOX__SUSPECT_EXECUTOR, score);
	if (!s || tell_depths(c, s) < 0 ||
	    tell_workers(c, s, r, lacks_local) < 0)
		return -ENOMEM;
	found->lacks_local = lacks_local;
	found->has_ambiguous_workers =
	        status == TAILBOX__WORKERS_INVALID_ZERO ||
	        status == TAILBOX__WORKERS_INCONSISTENT ||
	        status == TAILBOX__WORKERS_PARTIAL;
	return add_checks(s, checks);
}

/* --- E: none of them ---------------------------------------------------------- */

int tailbox__suspect_unknown(struct tailbox__case *c)
{
	static const char *const checks[] = {
		"wrap important waits with TAILBOX_WAIT and calls with "
		"TAILBOX_STAGE",
		"switch the sampler on",
		NULL
	};
	struct tailbox__suspect *s =
	        tailbox__suspect_add(c, TAILBOX__SUSPECT_UNKNOWN, 50);

	if (!s || ADD(&s->evidence, "not enough evidence of queues, stages or "
	                            "the runtime for a ranking") < 0)
		return -ENOMEM;
	return add_checks(s, checks);
}
