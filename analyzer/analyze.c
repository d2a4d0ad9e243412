/* analyzer/analyze.c - the pipeline: from a run to a report.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 2. Worker counts and the samples of time segments
 * are judged by the run as it came, everything else by what permissive
 * normalization leaves of it. Normalization is in place, so what is needed of
 * the run as it was is copied before: the samples, which are few.
 */
#include <errno.h>
#include <string.h>

#include "analyzer/own.h"
#include "analyzer/verdict.h"
#include "core/alloc.h"
#include "core/validate.h"

bool tailbox__ratio(uint64_t high, uint64_t low, uint64_t num, uint64_t den)
{
	return low > 0 && (unsigned __int128)high * den >=
	                          (unsigned __int128)low * num;
}

/* --- one part
 * ------------------------------------------------------------------ */

static int build_suspects(struct tailbox__case *c)
{
	int rc = tailbox__suspect_queue(c);

	if (rc == 0)
		rc = tailbox__suspect_blocking(c);
	if (rc == 0)
		rc = tailbox__suspect_executor(c);
	if (rc == 0)
		rc = tailbox__suspect_downstream(c);
	if (rc == 0)
		rc = tailbox__own_suspects(c);
	if (rc == 0 && c->slice->suspect_count == 0)
		rc = tailbox__suspect_unknown(c);
	return rc;
}

int tailbox__analyze_part(const struct tailbox__part *p,
                          struct tailbox__scratch *scratch,
                          struct tailbox__report_slice *out,
                          struct tailbox__report *whole)
{
	struct tailbox__figures f;
	struct tailbox__case c = {
		.part = p, .figures = &f, .scratch = scratch, .slice = out,
		.report = whole
	};
	int rc;

	*out = (struct tailbox__report_slice){ .suspects = NULL };
	rc = tailbox__figures_make(p, scratch, &f);
	if (rc == 0)
		rc = build_suspects(&c);
	if (rc == 0)
		rc = tailbox__quality_judge(&c);
	if (rc == 0)
		rc = tailbox__rank(&c);
	if (rc == 0)
		rc = tailbox__own_findings(&c);
	if (rc == 0)
		rc = tailbox__warn(&c);
	out->request_count = p->request_count;
	out->p50_us = f.p50;
	out->p95_us = f.p95;
	out->p99_us = f.p99;
	out->p95_queue_permille = f.completed_p95;
	out->p95_service_permille = f.service_p95;
	if (whole)
		whole->trend = f.trend;
	tailbox__figures_fini(&f);
	return rc;
}

/* --- the run as it was
 * ----------------------------------------------------------- */

static int copy(void **out, const void *from, size_t n, size_t size)
{
	*out = tailbox__alloc(n, size);
	if (!*out)
		return -ENOMEM;
	if (n > 0)
		memcpy(*out, from, n * size);
	return 0;
}

static int keep_original(const struct tailbox__run *run,
                         struct tailbox__original *o)
{
	int rc;

	*o = (struct tailbox__original){ NULL, run->snapshots.count, NULL,
		                         run->inflight.count };
	rc = copy((void **)&o->snapshots, run->snapshots.items,
	          o->snapshot_count, sizeof(*o->snapshots));
	return rc != 0 ? rc
	               : copy((void **)&o->gauges, run->inflight.items,
	                      o->gauge_count, sizeof(*o->gauges));
}

static int add_text(void *cls, const char *text)
{
	return tailbox__texts_add(cls, "%s", text);
}

/* Normalize; what was found goes to `summaries`. */
static int normalize(struct tailbox__run *run, struct tailbox__inspection *in,
                     struct tailbox__texts *summaries)
{
	int rc = tailbox__summaries(in, false, add_text, summaries);

	if (rc == 0)
		tailbox__normalize(run, in);
	tailbox__inspection_fini(in);
	return rc;
}

/* --- the whole
 * ------------------------------------------------------------------- */

/* Summaries stand before the warnings, and each limits the analysis. */
static int put_summaries(struct tailbox__report_slice *s,
                         struct tailbox__texts *summaries)
{
	struct tailbox__texts warnings = s->warnings;

	for (size_t i = 0; i < summaries->count; i++)
		if (tailbox__texts_add(&s->quality.limitations,
		                       "the run was cleaned up: %s",
		                       summaries->items[i]) < 0)
			return -ENOMEM;
	/* Theirs becomes the list, ours is moved behind. */
	s->warnings = *summaries;
	*summaries = (struct tailbox__texts){ NULL, 0, 0 };
	for (size_t i = 0; i < warnings.count; i++) {
		char **to = tailbox__list_grow((void **)&s->warnings.items,
		                               &s->warnings.count,
		                               &s->warnings.room,
		                               sizeof(*s->warnings.items));
		if (!to) {
			for (; i < warnings.count; i++)
				tailbox__free(warnings.items[i]);
			tailbox__free(warnings.items);
			return -ENOMEM;
		}
		*to = warnings.items[i];
	}
	tailbox__free(warnings.items);
	return 0;
}

/* A warning that is there already goes. They are few. */
static void drop_repeated(struct tailbox__texts *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++) {
		bool is_new = true;

		for (size_t k = 0; is_new && k < kept; k++)
			is_new = strcmp(t->items[k], t->items[i]) != 0;
		if (is_new)
			t->items[kept++] = t->items[i];
		else
			tailbox__free(t->items[i]);
	}
	t->count = kept;
}

static int analyze_whole(const struct tailbox__part *whole,
                         struct tailbox__scratch *scratch,
                         const struct tailbox__original *original,
                         struct tailbox__texts *summaries,
                         struct tailbox__report *out)
{
	struct tailbox__report_slice *s = &out->whole;
	int rc = tailbox__analyze_part(whole, scratch, s, out);

	if (rc == 0 && (whole->index->queues.partial_count > 0 ||
	                whole->index->stages.partial_count > 0))
		rc = tailbox__texts_add(
		        &s->warnings,
		        "some waits or stages are unfinished: their times are "
		        "lower bounds and stay out of the percentiles of "
		        "finished ones");
	if (rc == 0)
		rc = put_summaries(s, summaries);
	if (rc == 0)
		rc = tailbox__analyze_routes(whole, scratch, out);
	if (rc == 0)
		rc = tailbox__analyze_segments(whole, original, scratch, out);
	if (rc == 0)
		drop_repeated(&s->warnings);
	return rc;
}

int tailbox__analyze_inspected(struct tailbox__run *run,
                               struct tailbox__inspection *in,
                               const struct tailbox__analyzer_options *o,
                               bool is_compat, struct tailbox__report *out)
{
	struct tailbox__scratch scratch = { .intervals = NULL };
	struct tailbox__texts summaries = { NULL, 0, 0 };
	struct tailbox__index index = { .name_of = NULL };
	struct tailbox__original original;
	struct tailbox__own own = { .run = NULL };
	struct tailbox__part whole = { .run = run, .index = &index, .o = o };
	int rc;

	*out = (struct tailbox__report){ .is_compat = is_compat };
	tailbox__classify_workers(run->snapshots.items, run->snapshots.count,
	                          &whole.workers, &whole.worker_count);
	rc = keep_original(run, &original);
	if (rc == 0)
		rc = normalize(run, in, &summaries);
	if (rc == 0)
		rc = tailbox__index_make(run, &index);
	if (rc == 0 && !is_compat && run->ext.count > 0) {
		rc = tailbox__own_make(run, &index, &scratch, &own);
		whole.own = &own;
	}
	whole.request_count = run->requests.count;
	whole.snapshots = run->snapshots.items;
	whole.snapshot_count = run->snapshots.count;
	whole.gauges = run->inflight.items;
	whole.gauge_count = run->inflight.count;
	if (rc == 0)
		rc = analyze_whole(&whole, &scratch, &original, &summaries,
		                   out);
	if (rc == 0)
		rc = tailbox__anatomy_make(run, &index, &out->anatomy);
	if (rc == 0)
		tailbox__judge(out, run, o);
	tailbox__own_fini(&own);
	tailbox__index_fini(&index);
	tailbox__scratch_fini(&scratch);
	tailbox__texts_fini(&summaries);
	tailbox__free(original.snapshots);
	tailbox__free(original.gauges);
	return rc;
}

int tailbox__analyze(struct tailbox__run *run,
                     const struct tailbox__analyzer_options *o,
                     bool is_compat, struct tailbox__report *out)
{
	struct tailbox__inspection in;
	int rc = tailbox__inspect(run, &in);

	*out = (struct tailbox__report){ .whole = { .suspects = NULL } };
	if (rc == 0)
		rc = tailbox__analyze_inspected(run, &in, o, is_compat,
		                                out);
	tailbox__inspection_fini(&in);
	return rc;
}
