/* core/run_json_events.c - Run JSON: the arrays of events, and the end.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md sections 3.5 to 3.10.
 */
#include "core/run_json_out.h"

void tailbox__run_json_array_end(struct tailbox__run_json_out *c)
{
	tailbox__json_end_array(&c->json);
}

static size_t request_count(const struct tailbox__run *run)
{
	return run->requests.count;
}

static void requests_begin(struct tailbox__run_json_out *c)
{
	tailbox__json_key(&c->json, "requests");
	tailbox__json_begin_array(&c->json);
}

static void request(struct tailbox__run_json_out *c, size_t i)
{
	const struct tailbox__run_request *r = &c->run->requests.items[i];

	tailbox__json_begin_object(&c->json);
	put_str(c, "request_id", r->id);
	put_str(c, "route", r->route);
	put_str_or_null(c, "kind", r->kind);
	put_num(c, "started_at_unix_ms", r->start_ms);
	if (r->flags & TAILBOX__HAS_START_US)
		put_num(c, "started_at_run_us", r->start_us);
	put_num(c, "finished_at_unix_ms", r->end_ms);
	if (r->flags & TAILBOX__HAS_END_US)
		put_num(c, "finished_at_run_us", r->end_us);
	put_num(c, "latency_us", r->latency_us);
	put_str(c, "outcome", r->outcome);
	tailbox__run_json_request_ext(&c->json, c->run, r);
	tailbox__json_end_object(&c->json);
}

static size_t stage_count(const struct tailbox__run *run)
{
	return run->stages.count;
}

static void stages_begin(struct tailbox__run_json_out *c)
{
	tailbox__json_key(&c->json, "stages");
	tailbox__json_begin_array(&c->json);
}

static void span_end(struct tailbox__run_json_out *c,
                     const struct tailbox__run_span *s)
{
	if (s->flags & TAILBOX__PARTIAL)
		put_bool(c, "completed", false);
	tailbox__run_json_span_ext(&c->json, c->run, s);
	tailbox__json_end_object(&c->json);
}

static void stage(struct tailbox__run_json_out *c, size_t i)
{
	const struct tailbox__run_span *s = &c->run->stages.items[i];

	tailbox__json_begin_object(&c->json);
	put_str(c, "request_id", s->request);
	put_str(c, "stage", s->name);
	put_num(c, "started_at_unix_ms", s->start_ms);
	if (s->flags & TAILBOX__HAS_START_US)
		put_num(c, "started_at_run_us", s->start_us);
	put_num(c, "finished_at_unix_ms", s->end_ms);
	if (s->flags & TAILBOX__HAS_END_US)
		put_num(c, "finished_at_run_us", s->end_us);
	put_num(c, "latency_us", s->dur_us);
	put_bool(c, "success", !(s->flags & TAILBOX__FAILED));
	span_end(c, s);
}

static size_t queue_count(const struct tailbox__run *run)
{
	return run->queues.count;
}

static void queues_begin(struct tailbox__run_json_out *c)
{
	tailbox__json_key(&c->json, "queues");
	tailbox__json_begin_array(&c->json);
}

static void queue(struct tailbox__run_json_out *c, size_t i)
{
	const struct tailbox__run_span *s = &c->run->queues.items[i];

	tailbox__json_begin_object(&c->json);
	put_str(c, "request_id", s->request);
	put_str(c, "queue", s->name);
	put_num(c, "waited_from_unix_ms", s->start_ms);
	if (s->flags & TAILBOX__HAS_START_US)
		put_num(c, "waited_from_run_us", s->start_us);
	put_num(c, "waited_until_unix_ms", s->end_ms);
	if (s->flags & TAILBOX__HAS_END_US)
		put_num(c, "waited_until_run_us", s->end_us);
	put_num(c, "wait_us", s->dur_us);
	put_num_or_null(c, "depth_at_start", s->depth);
	span_end(c, s);
}

static size_t inflight_count(const struct tailbox__run *run)
{
	return run->inflight.count;
}

static void inflight_begin(struct tailbox__run_json_out *c)
{
	tailbox__json_key(&c->json, "inflight");
	tailbox__json_begin_array(&c->json);
}

static void inflight(struct tailbox__run_json_out *c, size_t i)
{
	const struct tailbox__run_gauge *g = &c->run->inflight.items[i];

	tailbox__json_begin_object(&c->json);
	put_str(c, "gauge", g->gauge);
	put_num(c, "at_unix_ms", g->at_ms);
	if (g->flags & TAILBOX__HAS_START_US)
		put_num(c, "at_run_us", g->at_us);
	put_num(c, "count", g->count);
	tailbox__json_end_object(&c->json);
}

static size_t snapshot_count(const struct tailbox__run *run)
{
	return run->snapshots.count;
}

static void snapshots_begin(struct tailbox__run_json_out *c)
{
	tailbox__json_key(&c->json, "runtime_snapshots");
	tailbox__json_begin_array(&c->json);
}

/* The values of snapshot i; c->value walks along, as both are in order. */
static void snapshot_ext(struct tailbox__run_json_out *c, size_t i)
{
	const struct tailbox__run *run = c->run;
	size_t from = c->value;

	while (from < run->values.count && run->values.items[from].snapshot < i)
		from++;
	size_t to = from;
	while (to < run->values.count && run->values.items[to].snapshot == i)
		to++;
	c->value = to;
	if (to > from)
		tailbox__run_json_snapshot_ext(&c->json, run,
		                               run->values.items + from,
		                               to - from);
}

static void snapshot(struct tailbox__run_json_out *c, size_t i)
{
	const struct tailbox__run_snapshot *s = &c->run->snapshots.items[i];

	tailbox__json_begin_object(&c->json);
	put_num(c, "at_unix_ms", s->at_ms);
	if (s->flags & TAILBOX__HAS_START_US)
		put_num(c, "at_run_us", s->at_us);
	put_num_or_null(c, "alive_tasks", s->alive_tasks);
	if (s->flags & TAILBOX__HAS_WORKERS)
		put_num(c, "worker_count", s->worker_count);
	put_num_or_null(c, "global_queue_depth", s->global_queue_depth);
	put_num_or_null(c, "local_queue_depth", s->local_queue_depth);
	put_num_or_null(c, "blocking_queue_depth", s->blocking_queue_depth);
	put_num_or_null(c, "remote_schedule_count", s->remote_schedule_count);
	snapshot_ext(c, i);
	tailbox__json_end_object(&c->json);
}

static void snapshots_end(struct tailbox__run_json_out *c)
{
	const struct tailbox__run_truncation *t = &c->run->truncation;

	tailbox__json_end_array(&c->json);
	tailbox__json_key(&c->json, "truncation");
	tailbox__json_begin_object(&c->json);
	put_bool(c, "limits_hit", t->limits_hit);
	put_num(c, "dropped_requests", t->dropped_requests);
	put_num(c, "dropped_stages", t->dropped_stages);
	put_num(c, "dropped_queues", t->dropped_queues);
	put_num(c, "dropped_inflight_snapshots",
	        t->dropped_inflight_snapshots);
	put_num(c, "dropped_runtime_snapshots", t->dropped_runtime_snapshots);
	tailbox__json_end_object(&c->json);
}

/* `tailbox` of the document: its arrays, those that are not empty. */
static void ext_array_begin(struct tailbox__run_json_out *c, size_t count,
                            const char *key)
{
	if (!count)
		return;
	if (!c->has_ext) {
		tailbox__json_key(&c->json, "tailbox");
		tailbox__json_begin_object(&c->json);
		c->has_ext = true;
	}
	tailbox__json_key(&c->json, key);
	tailbox__json_begin_array(&c->json);
}

static void ext_array_end(struct tailbox__run_json_out *c, size_t count)
{
	if (count)
		tailbox__json_end_array(&c->json);
}

static size_t open_count(const struct tailbox__run *run)
{
	return run->open.count;
}

static void open_begin(struct tailbox__run_json_out *c)
{
	ext_array_begin(c, open_count(c->run), "open_requests");
}

static void open_request(struct tailbox__run_json_out *c, size_t i)
{
	tailbox__run_json_open_request(&c->json, c->run,
	                               &c->run->open.items[i]);
}

static void open_end(struct tailbox__run_json_out *c)
{
	ext_array_end(c, open_count(c->run));
}

static size_t hold_count(const struct tailbox__run *run)
{
	return run->holds.count;
}

static void holds_begin(struct tailbox__run_json_out *c)
{
	ext_array_begin(c, hold_count(c->run), "holds");
}

static void hold(struct tailbox__run_json_out *c, size_t i)
{
	tailbox__run_json_hold(&c->json, c->run, &c->run->holds.items[i]);
}

static void holds_end(struct tailbox__run_json_out *c)
{
	ext_array_end(c, hold_count(c->run));
}

static size_t stack_count(const struct tailbox__run *run)
{
	return run->stacks.count;
}

static void stacks_begin(struct tailbox__run_json_out *c)
{
	ext_array_begin(c, stack_count(c->run), "stacks");
}

static void stack(struct tailbox__run_json_out *c, size_t i)
{
	tailbox__run_json_stack(&c->json, c->run, &c->run->stacks.items[i]);
}

static void stacks_end(struct tailbox__run_json_out *c)
{
	ext_array_end(c, stack_count(c->run));
}

/* No frame without its stack. */
static size_t frame_count(const struct tailbox__run *run)
{
	return stack_count(run) ? run->frames.count : 0;
}

static void frames_begin(struct tailbox__run_json_out *c)
{
	ext_array_begin(c, frame_count(c->run), "stack_frames");
}

static void frame(struct tailbox__run_json_out *c, size_t i)
{
	tailbox__run_json_frame(&c->json, c->run, &c->run->frames.items[i]);
}

static void frames_end(struct tailbox__run_json_out *c)
{
	ext_array_end(c, frame_count(c->run));
}

/* --- kept requests: as those of the run -------------------------------- */

static void put_kept(struct tailbox__run_json_out *c, size_t i,
                     void (*put)(struct tailbox__run_json_out *c, size_t i))
{
	const struct tailbox__run *run = c->run;

	c->run = run->kept;
	put(c, i);
	c->run = run;
}

static size_t kept_request_count(const struct tailbox__run *run)
{
	return run->kept ? run->kept->requests.count : 0;
}

static void kept_requests_begin(struct tailbox__run_json_out *c)
{
	ext_array_begin(c, kept_request_count(c->run), "kept_requests");
}

static void kept_request(struct tailbox__run_json_out *c, size_t i)
{
	put_kept(c, i, request);
}

static void kept_requests_end(struct tailbox__run_json_out *c)
{
	ext_array_end(c, kept_request_count(c->run));
}

static size_t kept_stage_count(const struct tailbox__run *run)
{
	return run->kept ? run->kept->stages.count : 0;
}

static void kept_stages_begin(struct tailbox__run_json_out *c)
{
	ext_array_begin(c, kept_stage_count(c->run), "kept_stages");
}

static void kept_stage(struct tailbox__run_json_out *c, size_t i)
{
	put_kept(c, i, stage);
}

static void kept_stages_end(struct tailbox__run_json_out *c)
{
	ext_array_end(c, kept_stage_count(c->run));
}

static size_t kept_queue_count(const struct tailbox__run *run)
{
	return run->kept ? run->kept->queues.count : 0;
}

static void kept_queues_begin(struct tailbox__run_json_out *c)
{
	ext_array_begin(c, kept_queue_count(c->run), "kept_queues");
}

static void kept_queue(struct tailbox__run_json_out *c, size_t i)
{
	put_kept(c, i, queue);
}

static void kept_queues_end(struct tailbox__run_json_out *c)
{
	ext_array_end(c, kept_queue_count(c->run));
	if (c->has_ext)
		tailbox__json_end_object(&c->json);
	tailbox__json_end_object(&c->json); /* the document */
}

const struct tailbox__run_json_section tailbox__run_json_events[12] = {
	{ requests_begin, request_count, request, tailbox__run_json_array_end },
	{ stages_begin, stage_count, stage, tailbox__run_json_array_end },
	{ queues_begin, queue_count, queue, tailbox__run_json_array_end },
	{ inflight_begin, inflight_count, inflight,
	  tailbox__run_json_array_end },
	{ snapshots_begin, snapshot_count, snapshot, snapshots_end },
	{ open_begin, open_count, open_request, open_end },
	{ holds_begin, hold_count, hold, holds_end },
	{ stacks_begin, stack_count, stack, stacks_end },
	{ frames_begin, frame_count, frame, frames_end },
	{ kept_requests_begin, kept_request_count, kept_request,
	  kept_requests_end },
	{ kept_stages_begin, kept_stage_count, kept_stage, kept_stages_end },
	{ kept_queues_begin, kept_queue_count, kept_queue, kept_queues_end },
};
