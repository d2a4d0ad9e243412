/* cli/from_tape.c - status of a process that does not answer, from its tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nothing here asks the process for anything: it may be stopped, hung in its
 * admin thread, or dead for a week. How long something lasts is told up to
 * now where the process still is, else up to the last sign of life on the
 * tape. What was lost comes before what was seen.
 */
#include "cli/from_tape.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/timeline_text.h"
#include "core/alloc.h"
#include "core/run.h"

enum { SHOWN_MAX = 40 };

#define COUNTER(field) offsetof(struct tailbox__thread_entry, field)

uint64_t cli__tape_start(const struct tailbox__slot *s)
{
	uint64_t line = TAILBOX__GET(s->line), wait = tailbox__slot_ingress(s);

	return line > wait ? line - wait : line;
}

uint64_t cli__tape_age_ns(const struct cli__tape_view *v, uint64_t tick)
{
	if (!tick || tick > v->now)
		return 0;
	return tailbox__ticks_to_ns(tailbox__reader_scale(v->reader),
	                            v->now - tick);
}

/* --- the view -------------------------------------------------------------- */

static void later(uint64_t *last, uint64_t tick)
{
	if (tick > *last && tick < UINT64_MAX / 2)
		*last = tick;
}

/* The last tick that anything on the tape names. */
static uint64_t last_sign(const struct cli__tape_view *v)
{
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(v->reader);
	uint64_t last = h->anchor_tick;

	later(&last, TAILBOX__GET(h->now_tick));
	for (long i = 0; i < v->thread_count; i++) {
		later(&last, TAILBOX__GET(v->threads[i].last_seen));
		later(&last, TAILBOX__GET(v->threads[i].hold_since));
	}
	for (long i = 0; i < v->slot_count; i++) {
		later(&last, TAILBOX__GET(v->slots[i].line));
		later(&last, tailbox__slot_phase_since(&v->slots[i]));
		later(&last, TAILBOX__GET(v->slots[i].where_since));
	}
	return last;
}

static int by_age(const void *a, const void *b)
{
	const struct tailbox__slot *x = *(const struct tailbox__slot *const *)a;
	const struct tailbox__slot *y = *(const struct tailbox__slot *const *)b;
	uint64_t s = cli__tape_start(x), t = cli__tape_start(y);

	return s < t ? -1 : s > t;
}

static bool collect_open(struct cli__tape_view *v)
{
	v->open = tailbox__alloc((size_t)v->slot_count, sizeof(*v->open));
	if (!v->open)
		return false;
	for (long i = 0; i < v->slot_count; i++)
		if (TAILBOX__GET(v->slots[i].state) == TAILBOX__SLOT_OPEN)
			v->open[v->open_count++] = &v->slots[i];
	if (v->open_count)
		qsort(v->open, v->open_count, sizeof(*v->open), by_age);
	return true;
}

bool cli__tape_view_open(struct cli__tape_view *v, const char *path)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	memset(v, 0, sizeof(*v));
	if (tailbox__reader_open(path, &v->reader, &err) < 0) {
		cli__say("%s: %s", path, err.text);
		return false;
	}
	v->writer = tailbox__reader_writer(v->reader);
	v->slot_count = tailbox__reader_slots(v->reader, &v->slots);
	v->thread_count = tailbox__reader_threads(v->reader, &v->threads);
	if (v->slot_count < 0 || v->thread_count < 0 || !collect_open(v)) {
		cli__say("%s: cannot read it whole", path);
		cli__tape_view_close(v);
		return false;
	}
	if (v->writer == TAILBOX__WRITER_LIVE ||
	    v->writer == TAILBOX__WRITER_STOPPED)
		v->now = tailbox__reader_now(v->reader);
	v->is_now_exact = v->now != 0;
	if (!v->now)
		v->now = last_sign(v);
	return true;
}

void cli__tape_view_close(struct cli__tape_view *v)
{
	tailbox__free(v->open);
	tailbox__reader_close(v->reader);
	memset(v, 0, sizeof(*v));
}

/* --- as text --------------------------------------------------------------- */

static void put_name(struct cli__tape_view *v, uint16_t name, size_t columns,
                     bool is_padded)
{
	size_t len;
	const char *text = tailbox__reader_name(v->reader, name, &len);

	if (!name) {
		text = "-";
		len = 1;
	}
	if (is_padded)
		tailbox__show_padded(cli__out(), text, len, columns);
	else
		tailbox__show_text(cli__out(), text, len, columns);
}

static void put_who(struct cli__tape_view *v)
{
	static const char *const states[] = {
		"LIVE", "STOPPED by a signal or debugger", "CLOSED in order",
		"DEAD: ended without closing its tape"
	};
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(v->reader);
	char from[TAILBOX__SHOW_ROOM], to[TAILBOX__SHOW_ROOM];
	FILE *out = cli__out();

	tailbox__show_text(out, h->service, strlen(h->service), 40);
	if (h->service_version[0]) {
		fputc(' ', out);
		tailbox__show_text(out, h->service_version,
		                  strlen(h->service_version), 16);
	}
	fprintf(out, "  pid %" PRIu32 "  %s\n", h->pid, states[v->writer]);
	fprintf(out, "recorded since %s UTC",
	        tailbox__show_utc(from, h->anchor_wall_ns / 1000000));
	if (!v->is_now_exact)
		fprintf(out, ", last sign of life %s UTC",
		        tailbox__show_utc(to, tailbox__reader_wall_ns(
		                                      v->reader, v->now) /
		                                      1000000));
	fprintf(out, "  (from its tape)\n");
	if (TAILBOX__GET(h->end_state) == TAILBOX__END_OPEN &&
	    !TAILBOX__GET(h->recorder_on))
		fputs("RECORDING IS OFF\n", out);
}

static const struct {
	const char *key, *text;
	bool is_header;
	size_t at;
} losses[] = {
	{ "lost_requests", "requests (no block was free)", false,
	  COUNTER(lost_requests) },
	{ "lost_spans", "stages or waits (no block was free)", false,
	  COUNTER(lost_spans) },
	{ "late_spans", "stages or waits that outlived their request", false,
	  COUNTER(late_spans) },
	{ "lost_tags", "tags", false, COUNTER(lost_tags) },
	{ "lost_names", "names, shown as {other}", true, TAILBOX__LOSS_NAMES },
	{ "lost_threads", "requests on threads without an entry", true,
	  TAILBOX__LOSS_THREADS },
	{ "lost_slots", "requests or connections without a slot", true,
	  TAILBOX__LOSS_SLOTS },
	{ "lost_connections", "connections beyond the table", true,
	  TAILBOX__LOSS_CONNECTIONS },
};

static uint64_t loss(struct cli__tape_view *v, size_t i)
{
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(v->reader);

	return losses[i].is_header
	               ? TAILBOX__GET(h->losses[losses[i].at])
	               : tailbox__reader_sum(v->reader, losses[i].at);
}

static void put_counts(struct cli__tape_view *v)
{
	FILE *out = cli__out();
	bool any = false;

	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		uint64_t n = loss(v, i);
		if (n)
			fprintf(out, "LOST  %" PRIu64 " %s\n", n,
			        losses[i].text);
		any |= n != 0;
	}
	if (!any)
		fputs("lost      nothing\n", out);
	fprintf(out,
	        "requests  %" PRIu64 " begun, %" PRIu64 " finished, %zu open\n",
	        tailbox__reader_sum(v->reader, COUNTER(begun)),
	        tailbox__reader_sum(v->reader, COUNTER(finished)),
	        v->open_count);
}

static const char *hold_name(uint32_t kind)
{
	static const char *const names[] = { "idle", "handler", "uri log",
	                                     "completed", "connection" };

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}

/* The slot that a worker is held by; NULL when it is not (any longer). */
static const struct tailbox__slot *
held_slot(const struct cli__tape_view *v, const struct tailbox__thread_entry *t)
{
	uint32_t i = TAILBOX__GET(t->hold_slot);

	if (!TAILBOX__GET(t->hold_since) || (long)i >= v->slot_count ||
	    TAILBOX__GET(v->slots[i].state) != TAILBOX__SLOT_OPEN)
		return NULL;
	return &v->slots[i];
}

static void put_worker(struct cli__tape_view *v, long i)
{
	const struct tailbox__thread_entry *t = &v->threads[i];
	const struct tailbox__slot *slot = held_slot(v, t);
	uint64_t since = TAILBOX__GET(t->hold_since);
	char text[TAILBOX__SHOW_ROOM];
	FILE *out = cli__out();

	fprintf(out, "%6ld %8" PRIu32 "  ", i, TAILBOX__GET(t->tid));
	if (!since) {
		uint64_t seen = TAILBOX__GET(t->last_seen);
		fprintf(out, "%-10s %9s\n", "idle",
		        seen ? tailbox__show_ns(text,
		                                cli__tape_age_ns(v, seen))
		             : "-");
		return;
	}
	fprintf(out, "%-10s %9s  ", hold_name(TAILBOX__GET(t->hold_kind)),
	        tailbox__show_ns(text, cli__tape_age_ns(v, since)));
	put_name(v, TAILBOX__GET(t->hold_route), 26, true);
	if (slot)
		fprintf(out, "  %" PRIu64, TAILBOX__GET(slot->number));
	fputc('\n', out);
}

static void put_workers(struct cli__tape_view *v)
{
	FILE *out = cli__out();
	long shown = 0, more = 0;

	fprintf(out, "\n%6s %8s  %-10s %9s  %-26s  %s\n", "WORKER", "TID", "IN",
	        "FOR", "ROUTE", "REQUEST");
	for (long i = 0; i < v->thread_count; i++) {
		if (!TAILBOX__GET(v->threads[i].tid))
			continue;
		if (shown >= SHOWN_MAX) {
			more++;
			continue;
		}
		put_worker(v, i);
		shown++;
	}
	if (more)
		fprintf(out, "... and %ld more\n", more);
	if (!shown)
		fputs("     -  no thread has recorded\n", out);
}

static const char *phase_name(uint32_t phase)
{
	return phase < TAILBOX__PHASE_COUNT ? tailbox__phase_names[phase] : "?";
}

static void put_request(struct cli__tape_view *v, const struct tailbox__slot *s)
{
	uint32_t where = TAILBOX__GET(s->where);
	bool is_within = tailbox__slot_where(s) != 0 && where & 0xffff;
	char age[TAILBOX__SHOW_ROOM], since[TAILBOX__SHOW_ROOM];
	FILE *out = cli__out();

	fprintf(out, "%9s  ",
	        tailbox__show_ns(age, cli__tape_age_ns(v, cli__tape_start(s))));
	put_name(v, TAILBOX__GET(s->route), 24, true);
	fprintf(out, " %-12s", phase_name(TAILBOX__GET(s->phase)));
	tailbox__show_ns(since, cli__tape_age_ns(
	                                v, tailbox__slot_phase_since(s)));
	fprintf(out, " %9s  %" PRIu64 "\n", since, TAILBOX__GET(s->number));
	if (!is_within)
		return;
	fprintf(out, "           in %s ",
	        tailbox__slot_where(s) == TAILBOX__SPAN_WAIT ? "wait"
	                                                          : "stage");
	put_name(v, (uint16_t)where, 24, false);
	fprintf(out, " for %s",
	        tailbox__show_ns(since, cli__tape_age_ns(
	                                        v, TAILBOX__GET(
	                                                   s->where_since))));
	if (where >> 16) {
		fputs("  at ", out);
		put_name(v, (uint16_t)(where >> 16), 60, false);
	}
	fputc('\n', out);
}

static void put_open(struct cli__tape_view *v)
{
	FILE *out = cli__out();

	if (!v->open_count)
		return;
	fprintf(out, "\n%9s  %-24s %-12s %9s  %s\n", "OPEN FOR", "ROUTE",
	        "PHASE", "FOR", "REQUEST");
	for (size_t i = 0; i < v->open_count && i < SHOWN_MAX; i++)
		put_request(v, v->open[i]);
	if (v->open_count > SHOWN_MAX)
		fprintf(out, "... and %zu younger ones\n",
		        v->open_count - SHOWN_MAX);
}

/* --- as JSON --------------------------------------------------------------- */

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
	const struct tailbox__slot *slot = held_slot(v, t);

	tailbox__json_begin_object(j);
	num(j, "worker", (uint64_t)i);
	num(j, "tid", TAILBOX__GET(t->tid));
	if (TAILBOX__GET(t->hold_since)) {
		str(j, "in", hold_name(TAILBOX__GET(t->hold_kind)));
		name(j, v, "route", TAILBOX__GET(t->hold_route));
		num(j, "held_us",
		    cli__tape_age_ns(v, TAILBOX__GET(t->hold_since)) / 1000);
		if (slot)
			num(j, "number", TAILBOX__GET(slot->number));
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
	str(j, "phase", phase_name(TAILBOX__GET(s->phase)));
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

	str(j, "service", h->service);
	str(j, "version", h->service_version);
	num(j, "pid", h->pid);
	str(j, "state", states[v->writer]);
	num(j, "recorded_since_unix_ms", h->anchor_wall_ns / 1000000);
	num(j, "as_of_unix_ms",
	    tailbox__reader_wall_ns(v->reader, v->now) / 1000000);
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		num(j, losses[i].key, loss(v, i));
	num(j, "begun", tailbox__reader_sum(v->reader, COUNTER(begun)));
	num(j, "finished", tailbox__reader_sum(v->reader, COUNTER(finished)));
	num(j, "open", v->open_count);
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
}

int cli__tape_status(const char *path, bool is_json)
{
	struct cli__tape_view v;
	int rc = CLI__DONE;

	if (!cli__tape_view_open(&v, path))
		return CLI__NO;
	if (is_json) {
		struct tailbox__json j;
		tailbox__json_init(&j, true);
		tailbox__json_begin_object(&j);
		str(&j, "source", "tape");
		cli__tape_json(&v, &j);
		tailbox__json_end_object(&j);
		rc = cli__put_json(&j);
	} else {
		put_who(&v);
		put_counts(&v);
		put_workers(&v);
		put_open(&v);
	}
	cli__tape_view_close(&v);
	return rc;
}
