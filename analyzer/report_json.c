/* analyzer/report_json.c - a report for programs.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 14. Other readers of this form exist, so the order
 * of the members, null for what is not known and arrays that are there when
 * empty are all part of it. The whole run, a route and a segment are the same
 * slice with other members around it; the whole run's warnings alone stand
 * before its evidence.
 */
#include "analyzer/report.h"

#include <errno.h>

#include "analyzer/assert.h"

static void put_num(struct tailbox__json *j, const char *key, uint64_t value)
{
	tailbox__json_key(j, key);
	tailbox__json_u64(j, value);
}

/* An integer or null. */
static void put_known(struct tailbox__json *j, const char *key, uint64_t value,
                      bool is_known)
{
	tailbox__json_key(j, key);
	if (is_known)
		tailbox__json_u64(j, value);
	else
		tailbox__json_null(j);
}

static void put_word(struct tailbox__json *j, const char *key, const char *text)
{
	tailbox__json_key(j, key);
	tailbox__json_cstr(j, text);
}

/* A name of the run: may hold NULs. */
static void put_name(struct tailbox__json *j, const char *key,
                     const struct tailbox__run *run, tailbox__str s)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	tailbox__json_key(j, key);
	tailbox__json_string(j, text, len);
}

static void put_texts(struct tailbox__json *j, const char *key,
                      const struct tailbox__texts *t)
{
	tailbox__json_key(j, key);
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < t->count; i++)
		tailbox__json_cstr(j, t->items[i]);
	tailbox__json_end_array(j);
}

/* A latency may have the value of TAILBOX__NONE, a share may not. */
static void put_figures(struct tailbox__json *j,
                        const struct tailbox__report_slice *s)
{
	const uint64_t q = s->p95_queue_permille, v = s->p95_service_permille;
	const bool has_any = s->request_count > 0;

	put_known(j, "p50_latency_us", s->p50_us, has_any);
	put_known(j, "p95_latency_us", s->p95_us, has_any);
	put_known(j, "p99_latency_us", s->p99_us, has_any);
	put_known(j, "p95_queue_share_permille", q, q != TAILBOX__NONE);
	put_known(j, "p95_service_share_permille", v, v != TAILBOX__NONE);
}

static void put_trend(struct tailbox__json *j, const struct tailbox__run *run,
                      const struct tailbox__report_trend *t)
{
	tailbox__json_key(j, "inflight_trend");
	if (!t->is_known) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	put_name(j, "gauge", run, t->gauge);
	put_num(j, "sample_count", t->sample_count);
	put_num(j, "peak_count", t->peak_count);
	put_num(j, "p95_count", t->p95_count);
	tailbox__json_key(j, "growth_delta");
	tailbox__json_i64(j, t->growth_delta);
	tailbox__json_key(j, "growth_per_sec_milli");
	if (t->has_rate)
		tailbox__json_i64(j, t->growth_per_sec_milli);
	else
		tailbox__json_null(j);
	tailbox__json_end_object(j);
}

static void put_quality(struct tailbox__json *j,
                        const struct tailbox__report_quality *q)
{
	const struct tailbox__run_truncation *t = &q->truncation;
	const char *const *status = tailbox__evidence_names;

	tailbox__json_key(j, "evidence_quality");
	tailbox__json_begin_object(j);
	put_num(j, "request_count", q->requests);
	put_num(j, "queue_event_count", q->queues);
	put_num(j, "stage_event_count", q->stages);
	put_num(j, "runtime_snapshot_count", q->snapshots);
	put_num(j, "inflight_snapshot_count", q->inflight);
	put_word(j, "requests", status[q->request_status]);
	put_word(j, "queues", status[q->queue_status]);
	put_word(j, "stages", status[q->stage_status]);
	put_word(j, "runtime_snapshots", status[q->snapshot_status]);
	put_word(j, "inflight_snapshots", status[q->inflight_status]);
	tailbox__json_key(j, "truncated");
	tailbox__json_bool(j, t->limits_hit);
	put_num(j, "dropped_requests", t->dropped_requests);
	put_num(j, "dropped_stages", t->dropped_stages);
	put_num(j, "dropped_queues", t->dropped_queues);
	put_num(j, "dropped_inflight_snapshots", t->dropped_inflight_snapshots);
	put_num(j, "dropped_runtime_snapshots", t->dropped_runtime_snapshots);
	put_word(j, "quality", tailbox__quality_names[q->quality]);
	put_texts(j, "limitations", &q->limitations);
	tailbox__json_end_object(j);
}

static void put_suspect(struct tailbox__json *j,
                        const struct tailbox__suspect *s)
{
	tailbox__json_begin_object(j);
	put_word(j, "kind", tailbox__suspect_names[s->kind]);
	put_num(j, "score", s->score);
	put_word(j, "confidence", tailbox__confidence_names[s->confidence]);
	put_texts(j, "evidence", &s->evidence);
	put_texts(j, "next_checks", &s->next_checks);
	put_texts(j, "confidence_notes", &s->notes);
	tailbox__json_end_object(j);
}

/* What every slice has after its figures and, of the whole, the trend. */
static void put_findings(struct tailbox__json *j,
                         const struct tailbox__report_slice *s)
{
	put_quality(j, &s->quality);
	tailbox__json_key(j, "primary_suspect");
	put_suspect(j, &s->suspects[0]);
	tailbox__json_key(j, "secondary_suspects");
	tailbox__json_begin_array(j);
	for (size_t i = 1; i < s->suspect_count; i++)
		put_suspect(j, &s->suspects[i]);
	tailbox__json_end_array(j);
}

static void put_routes(struct tailbox__json *j, const struct tailbox__run *run,
                       const struct tailbox__report *r)
{
	tailbox__json_key(j, "route_breakdowns");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < r->routes.count; i++) {
		const struct tailbox__report_route *one = &r->routes.items[i];
		tailbox__json_begin_object(j);
		put_name(j, "route", run, one->route);
		put_num(j, "request_count", one->slice.request_count);
		put_figures(j, &one->slice);
		put_findings(j, &one->slice);
		put_texts(j, "warnings", &one->slice.warnings);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
}

static void put_segments(struct tailbox__json *j,
                         const struct tailbox__report *r)
{
	tailbox__json_key(j, "temporal_segments");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < r->segments.count; i++) {
		const struct tailbox__report_segment *one =
		        &r->segments.items[i];
		tailbox__json_begin_object(j);
		put_word(j, "name", one->name);
		put_num(j, "request_count", one->slice.request_count);
		put_num(j, "started_at_unix_ms", one->start_ms);
		put_num(j, "finished_at_unix_ms", one->end_ms);
		put_figures(j, &one->slice);
		put_findings(j, &one->slice);
		put_texts(j, "warnings", &one->slice.warnings);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
}

/* A text that may be missing. */
static void put_maybe(struct tailbox__json *j, const char *key,
                      const char *text)
{
	tailbox__json_key(j, key);
	if (text)
		tailbox__json_cstr(j, text);
	else
		tailbox__json_null(j);
}

/* Those of one ruling, with what is told of each under `name`. */
static void put_rulings(struct tailbox__json *j, const char *key,
                        const struct tailbox__report *r,
                        enum tailbox__ruling ruling, const char *name)
{
	tailbox__json_key(j, key);
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < r->findings.count; i++) {
		const struct tailbox__finding *f = &r->findings.items[i];
		if (f->ruling != ruling)
			continue;
		tailbox__json_begin_object(j);
		put_word(j, "kind", tailbox__suspect_names[f->kind]);
		put_maybe(j, name, f->text);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
}

static void put_suspect_figures(struct tailbox__json *j,
                                const struct tailbox__run *run,
                                const struct tailbox__suspect *s)
{
	tailbox__json_key(j, "figures");
	tailbox__json_begin_object(j);
	for (size_t i = 0; i < s->figures.count; i++) {
		const struct tailbox__figure *f = &s->figures.items[i];
		if (f->name)
			put_name(j, f->key, run, f->name);
		else
			put_known(j, f->key, f->value,
			          f->value != TAILBOX__NONE);
	}
	tailbox__json_end_object(j);
}

/* What the standard's form of a suspect has no place for. */
static void put_details(struct tailbox__json *j, const struct tailbox__run *run,
                        const struct tailbox__report *r)
{
	tailbox__json_key(j, "suspects");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < r->whole.suspect_count; i++) {
		const struct tailbox__suspect *s = &r->whole.suspects[i];
		tailbox__json_begin_object(j);
		put_word(j, "kind", tailbox__suspect_names[s->kind]);
		put_maybe(j, "title", s->title);
		put_maybe(j, "explained_by",
		          s->explained_by < TAILBOX__SUSPECT_COUNT
		                  ? tailbox__suspect_names[s->explained_by]
		                  : NULL);
		put_suspect_figures(j, run, s);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
}

/* What the standard has not, in one member. */
static int put_own(const struct tailbox__report *r,
                   const struct tailbox__run *run, struct tailbox__json *j)
{
	tailbox__json_key(j, "tailbox");
	tailbox__json_begin_object(j);
	put_word(j, "verdict", tailbox__report_verdict_names[r->verdict]);
	put_word(j, "headline", r->headline);
	tailbox__json_key(j, "tail_anatomy");
	const int rc = tailbox__anatomy_json(&r->anatomy, run, j);
	put_rulings(j, "ruled_out", r, TAILBOX__RULING_OUT, "figure");
	put_rulings(j, "cannot_tell", r, TAILBOX__RULING_CANNOT_TELL,
	            "missing");
	put_details(j, run, r);
	if (r->asserts && r->asserts->items.count > 0) {
		tailbox__json_key(j, "assertions");
		tailbox__asserts_json(r->asserts, j);
	}
	tailbox__json_end_object(j);
	return rc;
}

int tailbox__report_json(const struct tailbox__report *r,
                         const struct tailbox__run *run,
                         const struct tailbox__analyzer_options *o,
                         struct tailbox__json *j)
{
	tailbox__json_begin_object(j);
	put_num(j, "request_count", r->whole.request_count);
	put_figures(j, &r->whole);
	put_trend(j, run, &r->trend);
	put_texts(j, "warnings", &r->whole.warnings);
	put_findings(j, &r->whole);
	put_routes(j, run, r);
	put_segments(j, r);
	int rc = tailbox__analyzer_options_json(o, j);
	if (rc == 0 && !r->is_compat)
		rc = put_own(r, run, j);
	tailbox__json_end_object(j);
	return rc < 0 || !tailbox__json_ok(j) ? -ENOMEM : 0;
}
