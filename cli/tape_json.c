/* cli/tape_json.c - status of a process that does not answer, for programs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/from_tape.h"

#include <stddef.h>

#include "core/kept.h"

#define COUNTER(field) offsetof(struct tailbox__thread_entry, field)

static void num(struct tailbox__json *j, const char *key, uint64_t value)
{
	tailbox__json_key(j, key);
	tailbox__json_u64(j, value);
}

static void str(struct tailbox__json *j, const char *key, const char *text)
{
	if (!text || !*text)
		return;
	tailbox__json_key(j, key);
	tailbox__json_cstr(j, text);
}

static void name(struct tailbox__json *j, struct cli__tape_view *v,
                 const char *key, uint16_t number)
{
	size_t len;
	const char *text = tailbox__reader_name(v->reader, number, &len);

	if (!number)
		return;
	tailbox__json_key(j, key);
	tailbox__json_string(j, text, len);
}

static void json_worker(struct tailbox__json *j, struct cli__tape_view *v,
                        long i)
{
	const struct tailbox__thread_entry *t = &v->threads[i];
	const struct tailbox__slot *slot = cli__tape_held(v, t);
	struct tailbox__task task;

	tailbox__json_begin_object(j);
	num(j, "worker", (uint64_t)i);
	num(j, "tid", TAILBOX__GET(t->tid));
	if (TAILBOX__GET(t->hold_since)) {
		str(j, "in", cli__tape_hold(TAILBOX__GET(t->hold_kind)));
		name(j, v, "route", TAILBOX__GET(t->hold_route));
		num(j, "held_us",
		    cli__tape_age_ns(v, TAILBOX__GET(t->hold_since)) / 1000);
		if (slot)
			num(j, "number", TAILBOX__GET(slot->number));
		tailbox__task_json(j, cli__tape_task(v, t, &task) ? &task
		                                                  : NULL);
	}
	tailbox__json_end_object(j);
}

static void json_request(struct tailbox__json *j, struct cli__tape_view *v,
                         const struct tailbox__slot *s)
{
	uint32_t where = TAILBOX__GET(s->where);

	tailbox__json_begin_object(j);
	num(j, "number", TAILBOX__GET(s->number));
	name(j, v, "route", TAILBOX__GET(s->route));
	num(j, "open_us", cli__tape_age_ns(v, cli__tape_start(s)) / 1000);
	str(j, "phase", cli__tape_phase(TAILBOX__GET(s->phase)));
	num(j, "phase_us",
	    cli__tape_age_ns(v, tailbox__slot_phase_since(s)) / 1000);
	if (tailbox__slot_where(s)) {
		name(j, v, "in", (uint16_t)where);
		name(j, v, "site", (uint16_t)(where >> 16));
		num(j, "in_us",
		    cli__tape_age_ns(v, TAILBOX__GET(s->where_since)) / 1000);
	}
	if (TAILBOX__GET(s->connection))
		num(j, "connection_id", TAILBOX__GET(s->connection));
	tailbox__json_end_object(j);
}

void cli__tape_json(struct cli__tape_view *v, struct tailbox__json *j)
{
	static const char *const states[] = { "live", "stopped", "closed",
	                                      "dead" };
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(v->reader);

	tailbox__json_begin_object(j);
	str(j, "source", "tape");
	str(j, "service", h->service);
	str(j, "version", h->service_version);
	num(j, "pid", h->pid);
	str(j, "state", states[v->writer]);
	num(j, "recorded_since_unix_ms", h->anchor_wall_ns / 1000000);
	num(j, "as_of_unix_ms",
	    tailbox__reader_wall_ns(v->reader, v->now) / 1000000);
	for (const struct cli__tape_loss *l = cli__tape_losses; l->key; l++)
		num(j, l->key, cli__tape_lost(v, l));
	num(j, "begun", tailbox__reader_sum(v->reader, COUNTER(begun)));
	num(j, "finished", tailbox__reader_sum(v->reader, COUNTER(finished)));
	num(j, "open", v->open_count);
	struct tailbox__kept_status kept;
	tailbox__kept_status(v->reader, &kept);
	num(j, "kept", kept.kept);
	num(j, "kept_overwritten", kept.overwritten);
	num(j, "kept_passed_over", kept.passed_over);
	tailbox__json_key(j, "workers");
	tailbox__json_begin_array(j);
	for (long i = 0; i < v->thread_count; i++)
		if (TAILBOX__GET(v->threads[i].tid))
			json_worker(j, v, i);
	tailbox__json_end_array(j);
	tailbox__json_key(j, "requests");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < v->open_count; i++)
		json_request(j, v, v->open[i]);
	tailbox__json_end_array(j);
	tailbox__json_end_object(j);
}
