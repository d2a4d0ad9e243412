/* analyzer/timeline_json.c - a timeline for programs.
 *
 * SPDX-License-Identifier: MIT
 *
 * One object: service, requests, losses first, then routes, slowest. All
 * times in microseconds; what is not known is left out.
 */
#include "analyzer/timeline.h"

#include <errno.h>

#include "analyzer/timeline_model.h"

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
	put_str(j, run, "site", item->span->site);
	tailbox__json_end_object(j);
}

static void put_ext(struct tailbox__json *j, const struct tailbox__run *run,
                    const struct tailbox__run_ext *e)
{
	if (e->status)
		put_num(j, "status", e->status);
	if (e->number)
		put_num(j, "number", e->number);
	if (e->worker != UINT32_MAX)
		put_num(j, "worker", e->worker);
	if (e->connection)
		put_num(j, "connection_id", e->connection);
	tailbox__json_key(j, "phases_us");
	tailbox__json_begin_object(j);
	for (unsigned p = 0; p < TAILBOX__PHASE_COUNT; p++)
		if (e->phase_ns[p] != TAILBOX__NONE)
			put_num(j, tailbox__phase_names[p],
			        e->phase_ns[p] / 1000);
	tailbox__json_end_object(j);
	put_str(j, run, "held_by_route", e->holder_route);
	if (e->holder_number)
		put_num(j, "held_by_number", e->holder_number);
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
	if (r.ext)
		put_ext(j, run, r.ext);
	tailbox__json_key(j, "spans");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < r.items.count; i++)
		put_span(j, run, &r.items.items[i]);
	tailbox__json_end_array(j);
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

static void put_head(struct tailbox__json *j, const struct tailbox__run *run,
                     const struct tailbox__tl_summary *s)
{
	const struct tailbox__run_meta *m = &run->meta;
	const struct tailbox__run_truncation *t = &run->truncation;

	put_str(j, run, "run_id", m->run_id);
	put_str(j, run, "service_name", m->service_name);
	put_str(j, run, "service_version", m->service_version);
	put_str(j, run, "host", m->host);
	if (m->has_pid)
		put_num(j, "pid", m->pid);
	put_num(j, "started_at_unix_ms", m->started_ms);
	if (m->finalized_ms != TAILBOX__NONE)
		put_num(j, "finalized_at_unix_ms", m->finalized_ms);
	tailbox__json_key(j, "truncated");
	tailbox__json_bool(j, t->limits_hit || t->dropped_requests ||
	                              t->dropped_stages || t->dropped_queues ||
	                              t->dropped_inflight_snapshots ||
	                              t->dropped_runtime_snapshots);
	put_num(j, "dropped_requests", t->dropped_requests);
	put_num(j, "unfinished_requests", m->unfinished_count);
	tailbox__json_key(j, "all");
	put_route(j, run, &s->all);
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
