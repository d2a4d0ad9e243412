/* cli/tape_text.c - status of a process that does not answer, for people.
 *
 * SPDX-License-Identifier: MIT
 *
 * What was lost comes before what was seen.
 */
#include "cli/from_tape.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "analyzer/timeline_text.h"
#include "core/kept.h"

enum { SHOWN_MAX = 40 };

#define COUNTER(field) offsetof(struct tailbox__thread_entry, field)

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
	fprintf(out, "tape      recorded since %s UTC\n",
	        tailbox__show_utc(from, h->anchor_wall_ns / 1000000));
	if (!v->is_now_exact)
		fprintf(out, "          last sign of life %s UTC; times count "
		             "up to it\n",
		        tailbox__show_utc(to, tailbox__reader_wall_ns(
		                                      v->reader, v->now) /
		                                      1000000));
	if (TAILBOX__GET(h->end_state) == TAILBOX__END_OPEN &&
	    !TAILBOX__GET(h->recorder_on))
		fputs("RECORDING IS OFF\n", out);
}

static void put_counts(struct cli__tape_view *v)
{
	FILE *out = cli__out();
	bool any = false;

	for (const struct cli__tape_loss *l = cli__tape_losses; l->key; l++) {
		uint64_t n = cli__tape_lost(v, l);
		if (n)
			fprintf(out, "LOST  %" PRIu64 " %s\n", n, l->text);
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

static void put_kept(struct cli__tape_view *v)
{
	struct tailbox__kept_status k;

	tailbox__kept_status(v->reader, &k);
	if (k.kept > k.overwritten)
		fprintf(cli__out(),
		        "kept      %" PRIu64 " slow or failed requests: tailbox "
		        "tail --kept\n", k.kept - k.overwritten);
}

static void put_worker(struct cli__tape_view *v, long i)
{
	const struct tailbox__thread_entry *t = &v->threads[i];
	const struct tailbox__slot *slot = cli__tape_held(v, t);
	uint64_t since = TAILBOX__GET(t->hold_since);
	char text[TAILBOX__SHOW_ROOM], kernel[160];
	struct tailbox__task task;
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
	fprintf(out, "%-10s %9s  ", cli__tape_hold(TAILBOX__GET(t->hold_kind)),
	        tailbox__show_ns(text, cli__tape_age_ns(v, since)));
	put_name(v, TAILBOX__GET(t->hold_route), 26, true);
	if (slot)
		fprintf(out, "  %" PRIu64, TAILBOX__GET(slot->number));
	fputc('\n', out);
	if (!cli__tape_task(v, t, &task))
		return;
	tailbox__task_text(kernel, sizeof(kernel), &task);
	fprintf(out, "%15s  kernel: %s\n", "", kernel);
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

static void put_request(struct cli__tape_view *v, const struct tailbox__slot *s)
{
	uint32_t where = TAILBOX__GET(s->where);
	bool is_within = tailbox__slot_where(s) != 0 && where & 0xffff;
	char age[TAILBOX__SHOW_ROOM], since[TAILBOX__SHOW_ROOM];
	FILE *out = cli__out();

	fprintf(out, "%9s  ",
	        tailbox__show_ns(age, cli__tape_age_ns(v, cli__tape_start(s))));
	put_name(v, TAILBOX__GET(s->route), 24, true);
	fprintf(out, " %-12s", cli__tape_phase(TAILBOX__GET(s->phase)));
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

int cli__tape_status(const char *path, bool is_json)
{
	struct cli__tape_view v;
	int rc = CLI__DONE;

	if (!cli__tape_view_open(&v, path))
		return CLI__NO;
	if (is_json) {
		struct tailbox__json j;
		tailbox__json_init(&j, true);
		cli__tape_json(&v, &j);
		rc = cli__put_json(&j);
	} else {
		put_who(&v);
		put_counts(&v);
		put_kept(&v);
		put_workers(&v);
		put_open(&v);
	}
	cli__tape_view_close(&v);
	return rc;
}
