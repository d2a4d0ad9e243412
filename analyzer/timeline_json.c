/* analyzer/timeline_json.c - a timeline for programs.
 *
 * SPDX-License-Identifier: MIT
 *
 * One object with what the page has: service, what was lost and cut off, then
 * routes, what had not ended, the longest holds, the slowest. Facts of a request
 * have the keys that they have in an artifact (doc/format.md). All times in
 * microseconds; what is not known is left out.
 */
#include "analyzer/timeline.h"

#include <errno.h>

#include "analyzer/timeline_model.h"
#include "core/run_json.h"

static void put_num(struct tailbox__json *j, const char *key, uint64_t value)
{
	tailbox__json_key(j, key);
	tailbox__json_u64(j, value);
}

static void put_str(struct tailbox__json *j, const struct tailbox__run *run,
                    const char *key, tailbox__str s)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	if (!s)
		return;
	tailbox__json_key(j, key);
	tailbox__json_string(j, text, len);
}

static void put_route(struct tailbox__json *j, const struct tailbox__run *run,
                      const struct tailbox__tl_route *r)
{
	tailbox__json_begin_object(j);
	put_str(j, run, "route", r->route);
	put_num(j, "requests", r->n);
	if (r->n) {
		put_num(j, "p50_us", r->p50);
		put_num(j, "p95_us", r->p95);
		put_num(j, "p99_us", r->p99);
		put_num(j, "max_us", r->max);
	}
	put_num(j, "errors", r->errors);
	tailbox__json_end_object(j);
}

static void put_span(struct tailbox__json *j, const struct tailbox__run *run,
                     const struct tailbox__tl_item *item)
{
	tailbox__json_begin_object(j);
	tailbox__json_key(j, "kind");
	tailbox__json_cstr(j, item->is_wait ? "wait" : "stage");
	put_str(j, run, "name", item->span->name);
	if (item->has_place)
		put_num(j, "start_us", item->start_ns / 1000);
	put_num(j, "duration_us", item->span->dur_us);
	put_num(j, "depth", item->depth);
	tailbox__json_key(j, "completed");
	tailbox__json_bool(j, !(item->span->flags & TAILBOX__PARTIAL));
	if (!item->is_wait && !(item->span->flags & TAILBOX__PARTIAL)) {
		tailbox__json_key(j, "success");
		tailbox__json_bool(j, !(item->span->flags & TAILBOX__FAILED));
	}
	if (item->span->depth != TAILBOX__NONE)
		put_num(j, "depth_at_start", item->span->depth);
	put_str(j, run, "site", item->span->site);
	tailbox__json_end_object(j);
}

static int put_request(struct tailbox__json *j, const struct tailbox__run *run,
                       size_t index)
{
	struct tailbox__tl_request r;

	if (tailbox__tl_request(run, index, &r) < 0)
		return -ENOMEM;
	tailbox__json_begin_object(j);
	put_str(j, run, "request_id", r.request->id);
	put_str(j, run, "route", r.request->route);
	put_str(j, run, "outcome", r.request->outcome);
	put_num(j, "latency_us", r.request->latency_us);
	put_num(j, "started_at_unix_ms", r.request->start_ms);
	if (r.request->flags & TAILBOX__HAS_START_US)
		put_num(j, "started_at_run_us", r.request->start_us);
	if (r.ext)
		tailbox__run_json_request_facts(j, run, r.ext);
	if (r.phase_rows)
		put_num(j, "in_known_phases_us", r.phases_ns / 1000);
	put_num(j, "in_spans_us", r.covered_ns / 1000);
	tailbox__json_key(j, "spans");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < r.items.count; i++)
		put_span(j, run, &r.items.items[i]);
	tailbox__json_end_array(j);
	if (r.hidden_items)
		put_num(j, "more_spans", r.hidden_items);
	tailbox__json_end_object(j);
	tailbox__tl_request_fini(&r);
	return 0;
}

/* In no figure of the run; oldest first. */
static int put_kept(struct tailbox__json *j, const struct tailbox__run *run)
{
	const size_t n = tailbox__tl_kept_count(run);
	struct tailbox__run view;
	int rc = 0;

	if (n == 0)
		return 0;
	view = tailbox__tl_kept_view(run);
	tailbox__json_key(j, "kept");
	tailbox__json_begin_array(j);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = put_request(j, &view, i);
	tailbox__json_end_array(j);
	return rc;
}

/* What the recorder lost, and what the limits cut off. */
static void put_quality(struct tailbox__json *j, const struct tailbox__run *run)
{
	const struct tailbox__run_meta *m = &run->meta;
	struct tailbox__tl_cut cuts[TAILBOX__TL_CUTS];
	bool is_cut = run->truncation.limits_hit;
	size_t len;

	tailbox__json_key(j, "lost");
	tailbox__json_begin_object(j);
	for (size_t i = 0; i < m->extra.count; i++) {
		const struct tailbox__run_pair *x = &m->extra.items[i];
		if (x->number && tailbox__tl_is_loss(run, x))
			put_num(j, tailbox__run_text(run, x->key, &len),
			        x->number);
	}
	tailbox__json_end_object(j);
	tailbox__tl_cuts(run, cuts);
	for (size_t i = 0; i < TAILBOX__TL_CUTS; i++) {
		put_num(j, cuts[i].key, cuts[i].n);
		is_cut |= cuts[i].n > 0;
	}
	tailbox__json_key(j, "truncated");
	tailbox__json_bool(j, is_cut);
	put_num(j, "unfinished_requests", m->unfinished_count);
	tailbox__json_key(j, "warnings");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < m->warnings.count; i++) {
		const char *text =
		        tailbox__run_text(run, m->warnings.items[i], &len);
		tailbox__json_string(j, text, len);
	}
	tailbox__json_end_array(j);
}

static void put_extra(struct tailbox__json *j, const struct tailbox__run *run,
                      const char *key)
{
	const struct tailbox__run_pair *x = tailbox__run_extra(run, key);

	if (x && x->text)
		put_str(j, run, key, x->text);
	else if (x)
		put_num(j, key, x->number);
}

static void put_head(struct tailbox__json *j, const struct tailbox__run *run,
                     const struct tailbox__tl_summary *s)
{
	const struct tailbox__run_meta *m = &run->meta;

	put_str(j, run, "run_id", m->run_id);
	put_str(j, run, "service_name", m->service_name);
	put_str(j, run, "service_version", m->service_version);
	put_str(j, run, "host", m->host);
	if (m->has_pid)
		put_num(j, "pid", m->pid);
	put_num(j, "started_at_unix_ms", m->started_ms);
	if (m->finalized_ms != TAILBOX__NONE)
		put_num(j, "finalized_at_unix_ms", m->finalized_ms);
	tailbox__json_key(j, "mode");
	tailbox__json_cstr(j, m->mode == TAILBOX__MODE_INVESTIGATION
	                              ? "investigation"
	                              : "light");
	put_extra(j, run, "note");
	put_extra(j, run, "jiffy_us");
	put_quality(j, run);
	put_num(j, "requests_in_run", run->requests.count);
	tailbox__json_key(j, "all");
	put_route(j, run, &s->all);
}

/* All that had not ended, and the longest holds. */
static void put_open_and_holds(struct tailbox__json *j,
                               const struct tailbox__run *run)
{
	size_t shown[TAILBOX__TL_HOLDS];
	const size_t n = tailbox__tl_longest_holds(run, shown);

	tailbox__json_key(j, "open_requests");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < run->open.count; i++)
		tailbox__run_json_open_request(j, run, &run->open.items[i]);
	tailbox__json_end_array(j);
	put_num(j, "holds", run->holds.count);
	tailbox__json_key(j, "longest_holds");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < n; i++)
		tailbox__run_json_hold(j, run, &run->holds.items[shown[i]]);
	tailbox__json_end_array(j);
}

int tailbox__timeline_json(const struct tailbox__run *run,
                           const struct tailbox__timeline_options *o,
                           struct tailbox__json *j, struct tailbox__error *err)
{
	struct tailbox__tl_summary s;
	const struct tailbox__run *of;
	struct tailbox__run kept;
	int rc = tailbox__tl_summarize_any(run, o, &s, &kept, &of, err);

	if (rc < 0)
		return rc;
	tailbox__json_begin_object(j);
	put_head(j, run, &s);
	tailbox__json_key(j, "routes");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < s.route_count; i++)
		put_route(j, run, &s.routes[i]);
	tailbox__json_end_array(j);
	if (!o->request) {
		put_open_and_holds(j, run);
		tailbox__tl_put_stacks_json(j, run);
	}
	tailbox__json_key(j, "slowest");
	tailbox__json_begin_array(j);
	for (size_t i = 0; rc == 0 && i < s.slowest_count; i++)
		rc = put_request(j, of, s.slowest[i]);
	tailbox__json_end_array(j);
	if (rc == 0 && !o->request)
		rc = put_kept(j, run);
	tailbox__json_end_object(j);
	tailbox__tl_summary_fini(&s);
	if (rc < 0 || !tailbox__json_ok(j))
		return tailbox__fail(err, -ENOMEM, "out of memory");
	return 0;
}
