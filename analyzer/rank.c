/* analyzer/rank.c - from scores to confidence and order.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md sections 7 to 9. A cap lowers the confidence of a suspect,
 * a note says why. Both are rows of one table, in the order of the notes.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/analysis.h"

enum cause {
	WEAK,
	NO_REQUESTS,
	FEW_REQUESTS,
	DROPPED_REQUESTS,
	OBSERVED_QUEUES,
	DROPPED_QUEUES,
	NO_QUEUES,
	OBSERVED_STAGES,
	DROPPED_STAGES,
	NO_STAGES,
	DROPPED_SNAPSHOTS,
	NO_SNAPSHOTS,
	MISSING_DEPTHS,
	NO_LOCAL,
	AMBIGUOUS_WORKERS,
	CLUSTER,
	CAUSE_COUNT
};

#define FEW "few finished requests limit what can be said"
#define DROPPED                                                                \
	"evidence was dropped by the limits of the capture, which may change " \
	"the ranking"

static const struct {
	const char *note; /* NULL = none */
	enum tailbox__confidence cap;
	bool is_always_told; /* also when nothing was lowered */
} rows[CAUSE_COUNT] = {
	[WEAK] = { NULL, TAILBOX__CONFIDENCE_MEDIUM, false },
	[NO_REQUESTS] = { FEW, TAILBOX__CONFIDENCE_LOW, false },
	[FEW_REQUESTS] = { FEW, TAILBOX__CONFIDENCE_MEDIUM, false },
	[DROPPED_REQUESTS] = { DROPPED, TAILBOX__CONFIDENCE_MEDIUM, false },
	[OBSERVED_QUEUES] = { "unfinished waits are a good part of this; their "
		              "times are lower bounds, so medium at most",
		              TAILBOX__CONFIDENCE_MEDIUM, true },
	[DROPPED_QUEUES] = { DROPPED, TAILBOX__CONFIDENCE_MEDIUM, false },
	[NO_QUEUES] = { "there is no evidence of queues",
		        TAILBOX__CONFIDENCE_MEDIUM, false },
	[OBSERVED_STAGES] = { "unfinished stages are a good part of this; "
		              "their times are lower bounds, so medium at most",
		              TAILBOX__CONFIDENCE_MEDIUM, true },
	[DROPPED_STAGES] = { DROPPED, TAILBOX__CONFIDENCE_MEDIUM, false },
	[NO_STAGES] = { "there is no evidence of stages",
		        TAILBOX__CONFIDENCE_MEDIUM, false },
	[DROPPED_SNAPSHOTS] = { DROPPED, TAILBOX__CONFIDENCE_MEDIUM, false },
	[NO_SNAPSHOTS] = { "there are no samples of the runtime",
		           TAILBOX__CONFIDENCE_MEDIUM, false },
	[MISSING_DEPTHS] = { "some depths of the runtime were never recorded",
		             TAILBOX__CONFIDENCE_MEDIUM, false },
	[NO_LOCAL] = { "local depths are missing, so the figure per worker is "
		       "a lower bound and medium is the most",
		       TAILBOX__CONFIDENCE_MEDIUM, true },
	[AMBIGUOUS_WORKERS] = { "", /* tell() says which */
		                TAILBOX__CONFIDENCE_MEDIUM, true },
	[CLUSTER] = { "the scores of the leading suspects are close",
		      TAILBOX__CONFIDENCE_MEDIUM, true },
};

static void causes_of_kind(const struct tailbox__case *c,
                           enum tailbox__suspect_kind kind,
                           bool is[CAUSE_COUNT])
{
	const struct tailbox__report_quality *q = &c->slice->quality;
	const struct tailbox__run_truncation *t = &q->truncation;
	const struct tailbox__figures *f = c->figures;
	const struct tailbox__limits_found *found = &c->found[kind];

	switch (kind) {
	case TAILBOX__SUSPECT_QUEUE:
		is[OBSERVED_QUEUES] = found->is_observed;
		is[DROPPED_QUEUES] = t->dropped_queues > 0;
		is[NO_QUEUES] = q->queues == 0;
		break;
	case TAILBOX__SUSPECT_DOWNSTREAM:
		is[OBSERVED_STAGES] = found->is_observed;
		is[DROPPED_STAGES] = t->dropped_stages > 0;
		is[NO_STAGES] = q->stages == 0;
		break;
	case TAILBOX__SUSPECT_EXECUTOR:
		is[NO_LOCAL] = found->lacks_local;
		is[AMBIGUOUS_WORKERS] = found->has_ambiguous_workers;
		__attribute__((fallthrough));
	case TAILBOX__SUSPECT_BLOCKING:
		is[DROPPED_SNAPSHOTS] = t->dropped_runtime_snapshots > 0;
		is[NO_SNAPSHOTS] = q->snapshots == 0;
		is[MISSING_DEPTHS] = f->has_no_blocking || f->has_no_local ||
		                     f->has_no_global;
		break;
	default:
		break;
	}
}

static const char *workers_name(enum tailbox__workers status)
{
	return status == TAILBOX__WORKERS_PARTIAL        ? "Partial"
	       : status == TAILBOX__WORKERS_INCONSISTENT ? "Inconsistent"
	                                                 : "InvalidZero";
}

static int tell(const struct tailbox__case *c, struct tailbox__suspect *s,
                const bool is[CAUSE_COUNT])
{
	for (size_t i = 0; i < CAUSE_COUNT; i++) {
		bool is_new = is[i] && rows[i].note != NULL;
		int rc;

		for (size_t k = 0; is_new && k < i; k++)
			is_new = !is[k] || rows[k].note == NULL ||
			         strcmp(rows[k].note, rows[i].note) != 0;
		if (!is_new)
			continue;
		rc = i == AMBIGUOUS_WORKERS
		             ? tailbox__texts_add(
		                       &s->notes,
		                       "worker counts cannot be used (%s), "
		                       "absolute depths were scored, so medium "
		                       "at most",
		                       workers_name(c->part->workers))
		             : tailbox__texts_add(&s->notes, "%s",
		                                  rows[i].note);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* --- one suspect --------------------------------------------------------------- */

static int judge(const struct tailbox__case *c, struct tailbox__suspect *s,
                 bool is_in_cluster)
{
	const struct tailbox__report_quality *q = &c->slice->quality;
	const uint64_t *v = c->part->o->v;
	bool is[CAUSE_COUNT] = { false }, is_told = false;
	enum tailbox__confidence initial;

	initial = s->score >= v[TAILBOX__OPT_CONFIDENCE_HIGH]
	                  ? TAILBOX__CONFIDENCE_HIGH
	          : s->score >= v[TAILBOX__OPT_CONFIDENCE_MEDIUM]
	                  ? TAILBOX__CONFIDENCE_MEDIUM
	                  : TAILBOX__CONFIDENCE_LOW;
	s->confidence = initial;
	if (s->kind == TAILBOX__SUSPECT_UNKNOWN)
		return 0;
	is[WEAK] = q->quality == TAILBOX__QUALITY_WEAK;
	is[NO_REQUESTS] = q->requests == 0;
	is[FEW_REQUESTS] = q->requests > 0 &&
	                   q->requests <
	                           v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS];
	is[DROPPED_REQUESTS] = q->truncation.dropped_requests > 0;
	is[CLUSTER] = is_in_cluster;
	causes_of_kind(c, s->kind, is);
	for (size_t i = 0; i < CAUSE_COUNT; i++) {
		if (!is[i])
			continue;
		if (rows[i].cap < s->confidence)
			s->confidence = rows[i].cap;
		is_told = is_told || rows[i].is_always_told;
	}
	return is_told || s->confidence != initial ? tell(c, s, is) : 0;
}

/* --- all of them --------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct tailbox__suspect *x = a, *y = b;
	const bool xe = x->kind == TAILBOX__SUSPECT_UNKNOWN;
	const bool ye = y->kind == TAILBOX__SUSPECT_UNKNOWN;

	if (xe != ye)
		return xe ? 1 : -1;
	if (x->confidence != y->confidence)
		return x->confidence > y->confidence ? -1 : 1;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

int tailbox__rank(struct tailbox__case *c)
{
	struct tailbox__report_slice *s = c->slice;
	const uint64_t *v = c->part->o->v;
	const uint64_t least = v[TAILBOX__OPT_CONFIDENCE_AMBIGUITY_MIN_SCORE];
	const uint64_t gap = v[TAILBOX__OPT_CONFIDENCE_AMBIGUITY_GAP];
	unsigned top = 0;
	size_t members = 0;

	for (size_t i = 0; i < s->suspect_count; i++)
		if (s->suspects[i].kind != TAILBOX__SUSPECT_UNKNOWN &&
		    s->suspects[i].score > top)
			top = s->suspects[i].score;
#define IS_MEMBER(suspect)                                                     \
	((suspect)->kind != TAILBOX__SUSPECT_UNKNOWN && top >= least &&        \
	 (suspect)->score >= least && top - (suspect)->score <= gap)
	for (size_t i = 0; i < s->suspect_count; i++)
		members += IS_MEMBER(&s->suspects[i]);
	c->is_ambiguous = members >= 2;
	for (size_t i = 0; i < s->suspect_count; i++) {
		const int rc = judge(c, &s->suspects[i],
		                     c->is_ambiguous &&
		                             IS_MEMBER(&s->suspects[i]));
		if (rc < 0)
			return rc;
	}
#undef IS_MEMBER
	qsort(s->suspects, s->suspect_count, sizeof(*s->suspects), compare);
	return 0;
}
