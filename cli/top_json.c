/* cli/top_json.c - a frame of top for programs.
 *
 * SPDX-License-Identifier: MIT
 *
 * What is not known is null; names are those of GET /workers and /requests.
 */
#include "cli/top_lines.h"

static void num(struct tailbox__json *j, const char *key, uint64_t value)
{
	tailbox__json_key(j, key);
	if (value == TAILBOX__NONE)
		tailbox__json_null(j);
	else
		tailbox__json_u64(j, value);
}

static void us(struct tailbox__json *j, const char *key, uint64_t ns)
{
	num(j, key, ns == TAILBOX__NONE ? ns : ns / 1000);
}

static void str(struct tailbox__json *j, const char *key, const char *text)
{
	tailbox__json_key(j, key);
	tailbox__json_cstr(j, *text ? text : NULL);
}

static void flag(struct tailbox__json *j, const char *key, bool value)
{
	tailbox__json_key(j, key);
	tailbox__json_bool(j, value);
}

static void index_or_null(struct tailbox__json *j, const char *key,
                          uint32_t index)
{
	num(j, key, index == UINT32_MAX ? TAILBOX__NONE : index);
}

static void or_null(struct tailbox__json *j, const char *key, uint64_t n)
{
	num(j, key, n ? n : TAILBOX__NONE);
}

static void put_where(struct tailbox__json *j, const struct cli__top_where *w)
{
	tailbox__json_key(j, "where");
	if (!w->is_in) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	str(j, "kind", w->is_wait ? "wait" : "stage");
	str(j, "name", w->name);
	str(j, "site", w->site);
	us(j, "for_us", w->for_ns);
	tailbox__json_end_object(j);
}

static void put_held(struct tailbox__json *j, const struct cli__top_worker *w)
{
	tailbox__json_key(j, "held");
	if (!*w->held) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	str(j, "kind", w->held);
	str(j, "route", w->route);
	or_null(j, "number", w->number);
	us(j, "for_us", w->held_ns);
	put_where(j, &w->where);
	tailbox__json_end_object(j);
}

static void put_worker(struct tailbox__json *j, const struct cli__top_worker *w)
{
	const char state[2] = { w->state, '\0' };

	tailbox__json_begin_object(j);
	index_or_null(j, "index", w->index);
	or_null(j, "tid", w->tid);
	or_null(j, "daemon", w->daemon);
	put_held(j, w);
	us(j, "idle_us", w->idle_ns);
	num(j, "behind", cli__top_behind(w));
	str(j, "state", state);
	str(j, "wchan", w->wchan);
	num(j, "finished", w->finished);
	num(j, "connections", w->connections);
	tailbox__json_end_object(j);
}

static void put_behind(struct tailbox__json *j,
                       const struct cli__top_request *r)
{
	tailbox__json_key(j, "behind");
	if (!r->behind.number) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	num(j, "number", r->behind.number);
	str(j, "route", r->behind.route);
	index_or_null(j, "worker", r->behind.worker);
	us(j, "held_us", r->behind.held_ns);
	flag(j, "before_it_was_read", r->behind.is_ingress);
	tailbox__json_end_object(j);
}

static void put_request(struct tailbox__json *j,
                        const struct cli__top_request *r)
{
	tailbox__json_begin_object(j);
	num(j, "number", r->number);
	str(j, "id", r->id);
	str(j, "route", r->route);
	str(j, "kind", r->kind);
	us(j, "age_us", r->age_ns);
	str(j, "phase", r->phase);
	us(j, "phase_age_us", r->phase_ns);
	put_where(j, &r->where);
	put_behind(j, r);
	index_or_null(j, "worker", r->worker);
	or_null(j, "daemon", r->daemon);
	or_null(j, "connection", r->connection);
	flag(j, "suspended", r->is_suspended);
	tailbox__json_end_object(j);
}

static void put_rates(struct tailbox__json *j, const struct cli__top_rates *r)
{
	tailbox__json_key(j, "last_10_s");
	tailbox__json_begin_object(j);
	us(j, "span_us", r->span_ns ? r->span_ns : TAILBOX__NONE);
	num(j, "finished", r->span_ns ? r->finished : TAILBOX__NONE);
	num(j, "per_second_milli",
	    r->span_ns ? (uint64_t)((unsigned __int128)r->finished *
	                            1000000000000u / r->span_ns)
	               : TAILBOX__NONE);
	num(j, "status_5xx", r->span_ns ? r->status_5xx : TAILBOX__NONE);
	us(j, "p50_us", r->p50_ns);
	us(j, "p95_us", r->p95_ns);
	us(j, "p99_us", r->p99_ns);
	us(j, "max_us", r->max_ns);
	tailbox__json_end_object(j);
}

static void put_queues(struct tailbox__json *j, const struct cli__top *t)
{
	tailbox__json_key(j, "queues");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < t->queue_count; i++) {
		const struct cli__top_queue *q = &t->queues[i];
		tailbox__json_begin_object(j);
		str(j, "name", q->name);
		num(j, "waiting", q->waiting);
		us(j, "oldest_us", q->oldest_ns);
		flag(j, "is_pool", q->is_pool);
		num(j, "pool_waiting", q->pool_waiting);
		num(j, "busy", q->busy);
		num(j, "capacity", q->capacity);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
	tailbox__json_key(j, "accept_queues");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < t->accept_count; i++) {
		tailbox__json_begin_object(j);
		num(j, "daemon", t->accepts[i].daemon);
		num(j, "now", t->accepts[i].now);
		num(j, "limit", t->accepts[i].limit);
		num(j, "connection_limit", t->accepts[i].connection_limit);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
	tailbox__json_key(j, "gauges");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < t->gauge_count; i++) {
		tailbox__json_begin_object(j);
		str(j, "name", t->gauges[i].name);
		tailbox__json_key(j, "value");
		tailbox__json_i64(j, t->gauges[i].value);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
}

static void put_who(struct tailbox__json *j, const struct cli__top *t)
{
	static const char *const states[] = { "live", "stopped", "closed",
		                              "dead" };

	str(j, "source", "tape");
	str(j, "service", t->service);
	str(j, "version", t->version);
	num(j, "pid", t->pid);
	str(j, "state", states[t->writer]);
	flag(j, "recording", t->is_recording);
	tailbox__json_key(j, "lost");
	tailbox__json_begin_object(j);
	for (size_t i = 0; i < t->loss_count; i++)
		num(j, t->losses[i].key, t->losses[i].count);
	tailbox__json_end_object(j);
	num(j, "recorded_since_unix_ms", t->started_ms);
	num(j, "as_of_unix_ms", t->as_of_ms);
	flag(j, "ages_frozen", t->is_frozen);
	us(j, "last_record_age_us", t->last_record_ns);
	num(j, "tape_bytes", t->tape_bytes);
	us(j, "history_us", t->history_ns);
	us(j, "recorder_cpu_us", t->own_cpu_ns);
	num(j, "recorder_cpu_ppm", t->own_ppm);
	num(j, "recorder_process_ppm", t->process_ppm);
	num(j, "begun", t->begun);
	num(j, "finished", t->done);
	num(j, "open", t->open);
	num(j, "process_cpu_ppm", t->cpu_ppm);
	us(j, "sample_age_us", t->sample_age_ns);
	num(j, "connections", t->connections);
	num(j, "suspended", t->suspended);
}

void cli__top_json(const struct cli__top *t, struct tailbox__json *j)
{
	tailbox__json_begin_object(j);
	put_who(j, t);
	put_rates(j, &t->rates);
	put_queues(j, t);
	tailbox__json_key(j, "workers");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < t->worker_count; i++)
		put_worker(j, &t->workers[i]);
	tailbox__json_end_array(j);
	tailbox__json_key(j, "requests");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < t->request_count; i++)
		put_request(j, &t->requests[i]);
	tailbox__json_end_array(j);
	tailbox__json_end_object(j);
}
