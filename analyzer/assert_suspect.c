/* analyzer/assert_suspect.c - that a suspect is not there.
 *
 * SPDX-License-Identifier: MIT
 *
 * A suspect that was not found is ruled out only where the evidence that would
 * have shown it is there, and whole: a service that marks no wait has no queue
 * saturation in its reports whatever happens. One that was found is found,
 * however much is missing.
 */
#include <inttypes.h>

#include "analyzer/assert_internal.h"

static const struct tailbox__suspect *
find(const struct tailbox__report_slice *s, enum tailbox__suspect_kind kind)
{
	const struct tailbox__suspect *best = NULL;

	for (size_t i = 0; i < s->suspect_count; i++)
		if (s->suspects[i].kind == kind &&
		    (!best || s->suspects[i].score > best->score))
			best = &s->suspects[i];
	return best;
}

/* Samples that know a depth which this suspect rests on. */
static bool has_depths(const struct tailbox__run *run,
                       enum tailbox__assert_basis basis)
{
	for (size_t i = 0; i < run->snapshots.count; i++) {
		const struct tailbox__run_snapshot *s =
			&run->snapshots.items[i];

		if (basis == TAILBOX__BASIS_BLOCKING
		            ? s->blocking_queue_depth != TAILBOX__NONE
		            : s->global_queue_depth != TAILBOX__NONE ||
		                      s->local_queue_depth != TAILBOX__NONE)
			return true;
	}
	return false;
}

/* What is missing to tell of a kind in this run; NULL = nothing is. */
static const char *gap(const struct tailbox__report *r,
                       enum tailbox__suspect_kind kind)
{
	for (size_t i = 0; i < r->findings.count; i++)
		if (r->findings.items[i].kind == kind)
			return r->findings.items[i].ruling ==
			                       TAILBOX__RULING_CANNOT_TELL
			               ? r->findings.items[i].text
			               : NULL;
	return "it was not looked for";
}

/* Why nothing follows from its absence; NULL = it is ruled out. */
static const char *doubt(const struct tailbox__assert_context *c,
                         const struct tailbox__report_slice *s,
                         enum tailbox__suspect_kind kind,
                         const struct tailbox__missing *m)
{
	const enum tailbox__assert_basis basis =
		tailbox__assert_suspects[kind].basis;
	const struct tailbox__report_quality *q = &s->quality;
	const bool lacks_waits = m->has_lost_waits,
		   lacks_stages = m->has_lost_stages,
		   lacks_samples = q->truncation.dropped_runtime_snapshots > 0;

	switch (basis) {
	case TAILBOX__BASIS_REQUESTS:
		return NULL;
	case TAILBOX__BASIS_QUEUES:
		return lacks_waits      ? "waits are missing"
		       : q->queues == 0 ? "no wait was recorded"
		                        : NULL;
	case TAILBOX__BASIS_STAGES:
		return lacks_stages     ? "stages are missing"
		       : q->stages == 0 ? "no stage was recorded"
		                        : NULL;
	case TAILBOX__BASIS_BLOCKING:
		return lacks_samples ? "samples are missing"
		       : !has_depths(c->run, basis)
		               ? "no sample knows the offload pools"
		               : NULL;
	case TAILBOX__BASIS_RUN_QUEUES:
		return lacks_samples ? "samples are missing"
		       : !has_depths(c->run, basis)
		               ? "no sample knows what waits for workers"
		               : NULL;
	case TAILBOX__BASIS_FINDING:
		return lacks_samples ? "samples are missing"
		                     : gap(c->report, kind);
	case TAILBOX__BASIS_UNKNOWN:
		break;
	}
	return "that it was not found does not rule it out";
}

static void judge_absence(const struct tailbox__assert_context *c,
                          const struct tailbox__report_slice *s,
                          struct tailbox__assertion *a,
                          const struct tailbox__missing *m)
{
	const uint64_t least = c->o->v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS];
	const enum tailbox__assert_basis basis =
		tailbox__assert_suspects[a->suspect].basis;
	const char *why = doubt(c, s, a->suspect, m);
	char text[160];

	if (basis == TAILBOX__BASIS_REQUESTS)
		a->verdict = TAILBOX__ASSERT_OK;
	else if (s->request_count < least)
		tailbox__assert_cannot(
			a, "it needs %" PRIu64 " requests, there %s %" PRIu64,
			least, s->request_count == 1 ? "is" : "are",
			s->request_count);
	else if (m->has_lost_requests)
		tailbox__assert_cannot(
			a, "%s", tailbox__missing_text(m, text, sizeof(text)));
	else if (why)
		tailbox__assert_cannot(a, "%s", why);
	else
		a->verdict = TAILBOX__ASSERT_OK;
}

void tailbox__assert_suspect(const struct tailbox__assert_context *c,
                             const struct tailbox__report_slice *s,
                             struct tailbox__assertion *a,
                             const struct tailbox__missing *m)
{
	const struct tailbox__suspect *found = find(s, a->suspect);

	a->has_value = found != NULL;
	if (found) {
		a->value = found->score;
		a->confidence = found->confidence;
	}
	if (found && (a->is_any_score || found->score > a->limit))
		a->verdict = TAILBOX__ASSERT_FAILED;
	else
		judge_absence(c, s, a, m);
}
