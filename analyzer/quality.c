/* analyzer/quality.c - how good the evidence is, and what it lacks.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 10.
 */
#include <inttypes.h>

#include "analyzer/analysis.h"

#define LACKS(status)                                                          \
	((status) == TAILBOX__EVIDENCE_MISSING ||                              \
	 (status) == TAILBOX__EVIDENCE_TRUNCATED)

static enum tailbox__evidence events_status(uint64_t dropped, size_t count,
                                            size_t partial)
{
	return dropped > 0    ? TAILBOX__EVIDENCE_TRUNCATED
	       : count == 0   ? TAILBOX__EVIDENCE_MISSING
	       : partial != 0 ? TAILBOX__EVIDENCE_PARTIAL
	                      : TAILBOX__EVIDENCE_PRESENT;
}

static void set_statuses(const struct tailbox__case *c, uint64_t least)
{
	const struct tailbox__figures *f = c->figures;
	struct tailbox__report_quality *q = &c->slice->quality;
	const struct tailbox__run_truncation *t = &q->truncation;

	q->request_status = q->requests == 0 ? TAILBOX__EVIDENCE_MISSING
	                    : t->dropped_requests > 0
	                            ? TAILBOX__EVIDENCE_TRUNCATED
	                    : q->requests < least ? TAILBOX__EVIDENCE_PARTIAL
	                                          : TAILBOX__EVIDENCE_PRESENT;
	q->queue_status = events_status(t->dropped_queues, f->queue_count,
	                                f->queue_partial);
	q->stage_status = events_status(t->dropped_stages, f->stage_count,
	                                f->stage_partial);
	q->inflight_status = events_status(t->dropped_inflight_snapshots,
	                                   (size_t)q->inflight, 0);
	q->snapshot_status = events_status(
	        t->dropped_runtime_snapshots, (size_t)q->snapshots,
	        f->has_no_blocking || f->has_no_local || f->has_no_global);
}

static enum tailbox__quality judge(const struct tailbox__report_quality *q,
                                   uint64_t least, bool has_partial)
{
	const enum tailbox__evidence t = TAILBOX__EVIDENCE_TRUNCATED;

	if (q->requests == 0 || q->requests < least ||
	    q->truncation.dropped_requests > 0 ||
	    (q->queues == 0 && q->stages == 0 && q->snapshots == 0))
		return TAILBOX__QUALITY_WEAK;
	if (q->queue_status == t || q->stage_status == t ||
	    q->snapshot_status == t || q->inflight_status == t ||
	    (q->queues == 0 && q->stages == 0) ||
	    q->snapshot_status == TAILBOX__EVIDENCE_PARTIAL || has_partial)
		return TAILBOX__QUALITY_PARTIAL;
	return TAILBOX__QUALITY_STRONG;
}

static int limit(const struct tailbox__case *c, uint64_t least,
                 bool has_partial)
{
	const struct tailbox__figures *f = c->figures;
	struct tailbox__report_quality *q = &c->slice->quality;
	struct tailbox__texts *to = &q->limitations;
	int rc = 0;

	if (has_partial)
		rc = tailbox__texts_add(
		        to,
		        "some evidence is unfinished and gives lower bounds "
		        "(queues: %zu finished, %zu not; stages: %zu finished, "
		        "%zu not)",
		        f->queue_count - f->queue_partial, f->queue_partial,
		        f->stage_count - f->stage_partial, f->stage_partial);
	if (rc == 0 && q->requests < least)
		rc = tailbox__texts_add(to,
		                        "few requests (%" PRIu64 ", fewer than "
		                        "%" PRIu64 "): the ranking is unstable",
		                        q->requests, least);
	if (rc == 0 && LACKS(q->queue_status) && LACKS(q->stage_status))
		rc = tailbox__texts_add(to, "without queues and stages the "
		                            "application cannot be told from "
		                            "what is behind it");
	if (rc == 0 && q->snapshots == 0)
		rc = tailbox__texts_add(to, "no samples of the runtime: nothing "
		                            "is known of workers and offload "
		                            "pools");
	else if (rc == 0 && q->snapshot_status == TAILBOX__EVIDENCE_PARTIAL)
		rc = tailbox__texts_add(to, "some depths are missing in the "
		                            "samples: workers and pools are "
		                            "hard to tell apart");
	if (rc == 0 && q->truncation.limits_hit)
		rc = tailbox__texts_add(to, "evidence was dropped by the "
		                            "limits of the capture");
	return rc;
}

int tailbox__quality_judge(struct tailbox__case *c)
{
	const struct tailbox__part *p = c->part;
	const struct tailbox__run_truncation *t = &p->run->truncation;
	struct tailbox__report_quality *q = &c->slice->quality;
	const uint64_t least = p->o->v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS];
	const bool has_partial =
	        c->figures->queue_partial > 0 || c->figures->stage_partial > 0;

	q->requests = p->request_count;
	q->queues = c->figures->queue_count;
	q->stages = c->figures->stage_count;
	q->snapshots = p->snapshot_count;
	q->inflight = p->gauge_count;
	q->truncation = *t;
	q->truncation.limits_hit =
	        t->limits_hit || t->dropped_requests || t->dropped_stages ||
	        t->dropped_queues || t->dropped_inflight_snapshots ||
	        t->dropped_runtime_snapshots;
	set_statuses(c, least);
	q->quality = judge(q, least, has_partial);
	return limit(c, least, has_partial);
}
