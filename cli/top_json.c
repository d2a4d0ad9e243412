/* cli/top_json.c - a frame of top for programs.
 *
 * SPDX-License-Identifier: MIT
 *
 * What is not known is null; names are those of GET /workers and /requests.
 */
#include <inttypes.h>

#include "cli/top_lines.h"
#include "core/json_put.h"

static void us(struct tailbox__json *j, const char *key, uint64_t ns)
{
	put_num(j, key, ns == TAILBOX__NONE ? ns : ns / 1000);
}

static void index_or_null(struct tailbox__json *j, const char *key,
                          uint32_t index)
{
	put_num(j, key, index == UINT32_MAX ? TAILBOX__NONE : index);
}

static void or_null(struct tailbox__json *j, const char *key, uint64_t n)
{
	put_num(j, key, n ? n : TAILBOX__NONE);
}

static void put_where(struct tailbox__json *j, const struct cli__top_where *w)
{
	tailbox__json_key(j, "where");
	if (!w->is_in) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	put_word_or_null(j, "kind", w->is_wait ? "wait" : "stage");
	put_word_or_null(j, "name", w->name);
	put_word_or_null(j, "site", w->site);
	us(j, "for_us", w->for_ns);
	tailbox__json_end_object(j);
}

static void put_frame(struct tailbox__json *j, const struct cli__top_frame *f)
{
	char address[24];

	snprintf(address, sizeof(address), "0x%" PRIx64, f->address);
	tailbox__json_begin_object(j);
	put_word_or_null(j, "function", f->function);
	put_num(j, "function_offset",
	        *f->function ? f->function_offset : TAILBOX__NONE);
	put_word_or_null(j, "module", f->module);
	put_word_or_null(j, "build_id", f->build_id);
	put_word_or_null(j, "address", address);
	put_flag(j, "guessed", f->is_guessed);
	tailbox__json_end_object(j);
}

static void put_stack(struct tailbox__json *j, const struct cli__top_worker *w)
{
	tailbox__json_key(j, "stack");
	if (!w->stack_count) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	us(j, "age_us", w->stack_ns);
	tailbox__json_key(j, "frames");
	tailbox__json_begin_array(j);
	for (unsigned i = 0; i < w->stack_count; i++)
		put_frame(j, &w->stack[i]);
	tailbox__json_end_array(j);
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
	put_word_or_null(j, "kind", w->held);
	put_word_or_null(j, "route", w->route);
	or_null(j, "number", w->number);
	us(j, "for_us", w->held_ns);
	put_where(j, &w->where);
	put_stack(j, w);
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
	put_num(j, "behind", cli__top_behind(w));
	put_word_or_null(j, "state", state);
	put_word_or_null(j, "wchan", w->wchan);
	put_num(j, "finished", w->finished);
	put_num(j, "connections", w->connections);
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
	put_num(j, "number", r->behind.number);
	put_word_or_null(j, "route", r->behind.route);
	index_or_null(j, "worker", r->behind.worker);
	us(j, "held_us", r->behind.held_ns);
	put_flag(j, "before_it_was_read", r->behind.is_ingress);
	tailbox__json_end_object(j);
}

static void put_request(struct tailbox__json *j,
                        const struct cli__top_request *r)
{
	tailbox__json_begin_object(j);
	put_num(j, "number", r->number);
	put_word_or_null(j, "id", r->id);
	put_word_or_null(j, "route", r->route);
	put_word_or_null(j, "kind", r->kind);
	us(j, "age_us", r->age_ns);
	put_word_or_null(j, "phase", r->phase);
	us(j, "phase_age_us", r->phase_ns);
	put_where(j, &r->where);
	put_behind(j, r);
	index_or_null(j, "worker", r->worker);
	or_null(j, "daemon", r->daemon);
	or_null(j, "connection", r->connection);
	put_flag(j, "suspended", r->is_suspended);
	tailbox__json_end_object(j);
}

static void put_rates(struct tailbox__json *j, const struct cli__top_rates *r)
{
	tailbox__json_key(j, "last_10_s");
	tailbox__json_begin_object(j);
	us(j, "span_us", r->span_ns ? r->span_ns : TAILBOX__NONE);
	put_num(j, "finished", r->span_ns ? r->finished : TAILBOX__NONE);
	put_num(j, "per_second_milli",
	    r->span_ns ? (uint64_t)((unsigned __int128)r->finished *
	                            1000000000000u / r->span_ns)
	               : TAILBOX__NONE);
	put_num(j, "status_5xx", r->span_ns ? r->status_5xx : TAILBOX__NONE);
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
		put_word_or_null(j, "name", q->name);
		put_num(j, "waiting", q->waiting);
		us(j, "oldest_us", q->oldest_ns);
		put_flag(j, "is_pool", q->is_pool);
		put_num(j, "pool_waiting", q->pool_waiting);
		put_num(j, "busy", q->busy);
		put_num(j, "capacity", q->capacity);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
	tailbox__json_key(j, "accept_queues");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < t->accept_count; i++) {
		tailbox__json_begin_object(j);
		put_num(j, "daemon", t->accepts[i].daemon);
		put_num(j, "now", t->accepts[i].now);
		put_num(j, "limit", t->accepts[i].limit);
		put_num(j, "connection_limit", t->accepts[i].connection_limit);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
	tailbox__json_key(j, "gauges");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < t->gauge_count; i++) {
		tailbox__json_begin_object(j);
		put_word_or_null(j, "name", t->gauges[i].name);
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

	put_word_or_null(j, "source", "tape");
	put_word_or_null(j, "service", t->service);
	put_word_or_null(j, "version", t->version);
	put_num(j, "pid", t->pid);
	put_word_or_null(j, "state", states[t->writer]);
	put_flag(j, "recording", t->is_recording);
	tailbox__json_key(j, "lost");
	tailbox__json_begin_object(j);
	for (size_t i = 0; i < t->loss_count; i++)
		put_num(j, t->losses[i].key, t->losses[i].count);
	tailbox__json_end_object(j);
	put_num(j, "recorded_since_unix_ms", t->started_ms);
	put_num(j, "as_of_unix_ms", t->as_of_ms);
	put_flag(j, "ages_frozen", t->is_frozen);
	us(j, "last_record_age_us", t->last_record_ns);
	put_num(j, "tape_bytes", t->tape_bytes);
	us(j, "history_us", t->history_ns);
	us(j, "recorder_cpu_us", t->own_cpu_ns);
	put_num(j, "recorder_cpu_ppm", t->own_ppm);
	put_num(j, "recorder_process_ppm", t->process_ppm);
	put_num(j, "begun", t->begun);
	put_num(j, "finished", t->done);
	put_num(j, "open", t->open);
	put_num(j, "process_cpu_ppm", t->cpu_ppm);
	us(j, "sample_age_us", t->sample_age_ns);
	put_num(j, "connections", t->connections);
	put_num(j, "suspended", t->suspended);
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
