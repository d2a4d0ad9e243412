/* analyzer/warnings.c - what a reader has to know before the ranking.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 11, W1 to W7; the others are of the whole run.
 */
#include <inttypes.h>

#include "analyzer/analysis.h"

static int warn_of_losses(struct tailbox__case *c)
{
	const struct tailbox__run_truncation *t = &c->slice->quality.truncation;
	const struct {
		uint64_t dropped;
		const char *what, *key;
	} rows[] = {
		{ t->dropped_requests, "requests", "max_requests" },
		{ t->dropped_stages, "stages", "max_stages" },
		{ t->dropped_queues, "queues", "max_queues" },
		{ t->dropped_inflight_snapshots, "in-flight samples",
		  "max_inflight_snapshots" },
		{ t->dropped_runtime_snapshots, "runtime samples",
		  "max_runtime_snapshots" },
	};
	int rc = 0;

	if (t->limits_hit)
		rc = tailbox__texts_add(&c->slice->warnings,
		                        "a limit of the capture was hit");
	for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].dropped > 0)
			rc = tailbox__texts_add(
			        &c->slice->warnings,
			        "%" PRIu64 " %s were dropped: limit %s",
			        rows[i].dropped, rows[i].what, rows[i].key);
	return rc;
}

static bool has_kind(const struct tailbox__report_slice *s,
                     enum tailbox__suspect_kind kind)
{
	for (size_t i = 0; i < s->suspect_count; i++)
		if (s->suspects[i].kind == kind)
			return true;
	return false;
}

static bool is_certain_without_runtime(const struct tailbox__case *c)
{
	const struct tailbox__suspect *s = &c->slice->suspects[0];

	return (s->kind == TAILBOX__SUSPECT_QUEUE ||
	        s->kind == TAILBOX__SUSPECT_DOWNSTREAM) &&
	       s->score >= c->part->o->v[TAILBOX__OPT_CONFIDENCE_HIGH];
}

int tailbox__warn(struct tailbox__case *c)
{
	const struct tailbox__report_quality *q = &c->slice->quality;
	const enum tailbox__suspect_kind primary = c->slice->suspects[0].kind;
	struct tailbox__texts *to = &c->slice->warnings;
	int rc = warn_of_losses(c);

	if (rc == 0 &&
	    q->requests < c->part->o->v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS])
		rc = tailbox__texts_add(to, "few requests: %" PRIu64,
		                        q->requests);
	if (rc == 0 && primary == TAILBOX__SUSPECT_QUEUE && q->queues == 0)
		rc = tailbox__texts_add(to, "queues are suspected without any "
		                            "evidence of queues");
	if (rc == 0 && primary == TAILBOX__SUSPECT_DOWNSTREAM && q->stages == 0)
		rc = tailbox__texts_add(to, "a stage is suspected without any "
		                            "evidence of stages");
	if (rc == 0 && q->snapshots == 0 && !is_certain_without_runtime(c))
		rc = tailbox__texts_add(to, "there are no samples of the "
		                            "runtime: its side is unknown");
	if (rc == 0 && q->snapshots > 0 &&
	    (has_kind(c->slice, TAILBOX__SUSPECT_BLOCKING) ||
	     has_kind(c->slice, TAILBOX__SUSPECT_EXECUTOR)) &&
	    (c->figures->has_no_blocking || c->figures->has_no_local))
		rc = tailbox__texts_add(to, "to tell workers from offload pools "
		                            "blocking and local depths are "
		                            "needed, and one is missing");
	if (rc == 0 && c->is_ambiguous)
		rc = tailbox__texts_add(to, "the ranking is ambiguous: check "
		                            "both leading suspects");
	return rc;
}
