/* analyzer/own_findings.c - what is so of each kind of suspect.
 *
 * SPDX-License-Identifier: MIT
 *
 * A reader wants to know what it is not, and what could not be looked at, as
 * much as what it is. Suspects of ours have said so of themselves; this adds
 * the standard ones, and what a run without data of ours leaves open.
 */
#include "analyzer/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>


static int rule_queue(struct tailbox__case *c)
{
	const struct tailbox__figures *f = c->figures;

	if (f->own_queue_count == 0)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_QUEUE,
		                         TAILBOX__RULING_CANNOT_TELL,
		                         "no wait is marked");
	return tailbox__own_rule(c, TAILBOX__SUSPECT_QUEUE,
	                         TAILBOX__RULING_OUT,
	                         PERCENT_FORMAT " of request time at p95",
	                         PERCENT(f->own_completed_p95 == TAILBOX__NONE
	                                         ? 0
	                                         : f->own_completed_p95));
}

static int rule_blocking(struct tailbox__case *c)
{
	struct tailbox__series *s = &c->figures->blocking;

	if (s->count == 0)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_BLOCKING,
		                         TAILBOX__RULING_CANNOT_TELL,
		                         "no offload pool is registered");
	return tailbox__own_rule(c, TAILBOX__SUSPECT_BLOCKING,
	                         TAILBOX__RULING_OUT,
	                         "depth %" PRIu64 " at p95",
	                         tailbox__series_percentile(s, 95));
}

static int rule_executor(struct tailbox__case *c)
{
	const struct tailbox__figures *f = c->figures;

	if (f->global.count == 0)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_EXECUTOR,
		                         TAILBOX__RULING_CANNOT_TELL,
		                         "no samples");
	return tailbox__own_rule(c, TAILBOX__SUSPECT_EXECUTOR,
	                         TAILBOX__RULING_OUT,
	                         "%" PRIu64 " wait at p95", f->global_p95);
}

static int rule_downstream(struct tailbox__case *c)
{
	if (c->figures->stage_count == 0)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_DOWNSTREAM,
		                         TAILBOX__RULING_CANNOT_TELL,
		                         "no stage is marked");
	return tailbox__own_rule(c, TAILBOX__SUSPECT_DOWNSTREAM,
	                         TAILBOX__RULING_OUT,
	                         "no stage above " PERCENT_FORMAT
	                         " of slow requests' time",
	                         PERCENT(c->stage_tail));
}

static int by_kind(const void *a, const void *b)
{
	const struct tailbox__finding *x = a, *y = b;

	return (x->kind > y->kind) - (x->kind < y->kind);
}

int tailbox__own_findings(struct tailbox__case *c)
{
	static int (*const rules[])(struct tailbox__case *) = {
		[TAILBOX__SUSPECT_QUEUE] = rule_queue,
		[TAILBOX__SUSPECT_BLOCKING] = rule_blocking,
		[TAILBOX__SUSPECT_EXECUTOR] = rule_executor,
		[TAILBOX__SUSPECT_DOWNSTREAM] = rule_downstream,
	};
	int rc = 0;

	if (!c->report || c->report->is_compat)
		return 0;
	for (unsigned k = 0; rc == 0 && k < TAILBOX__SUSPECT_UNKNOWN; k++) {
		const struct tailbox__suspect *s = tailbox__suspect_find(c, k);

		/* A standard suspect of low confidence is none. */
		rc = s && s->confidence > TAILBOX__CONFIDENCE_LOW
		             ? tailbox__own_rule(c, k, TAILBOX__RULING_LIKELY,
		                                 NULL)
		             : rules[k](c);
	}
	for (unsigned k = TAILBOX__SUSPECT_OWN;
	     rc == 0 && k < TAILBOX__SUSPECT_COUNT; k++)
		rc = tailbox__own_rule(c, k, TAILBOX__RULING_CANNOT_TELL,
		                       "not in this artifact");
	if (rc == 0)
		qsort(c->report->findings.items, c->report->findings.count,
		      sizeof(*c->report->findings.items), by_kind);
	return rc;
}
