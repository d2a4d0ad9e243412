/* controller/admin_status_text.c - GET /status for people.
 *
 * SPDX-License-Identifier: MIT
 *
 * Losses stand first: whoever reads on has to know what is missing.
 */
#include <inttypes.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/admin_status.h"
#include "core/kept.h"
#include "core/recorder.h"

static void add_losses(struct tailbox__text *t, const struct tailbox__status *s)
{
	const struct tailbox__status_number *n = tailbox__status_losses;
	const char *gap = "";

	tailbox__text_add(t, "lost\t");
	if (!s->has_numbers)
		tailbox__text_add(t, "not known");
	else if (tailbox__status_lost(s) == 0)
		tailbox__text_add(t, "nothing");
	for (; s->has_numbers && n->key != NULL; n++) {
		uint64_t v = tailbox__status_value(s, n);
		if (v == 0)
			continue;
		tailbox__text_add(t, "%s%" PRIu64 " %s", gap, v, n->words);
		gap = ", ";
	}
	tailbox__text_add(t, "\n");
}

static void add_switch(struct tailbox__text *t, const struct tailbox__status *s)
{
	const struct tailbox__switch_status *f = &s->flip;
	char at[TAILBOX__UNIT_TEXT];

	if (f->count == 0)
		return;
	tailbox__text_add(t, "switched\t%s by %s at %s; %" PRIu64 " time%s in "
	                     "all, %" PRIu64 " open requests cut\n",
	                  f->is_on ? "on" : "off", f->by,
	                  tailbox__text_time(at, f->at_ms), f->count,
	                  f->count == 1 ? "" : "s", f->cut);
}

static void add_service(struct tailbox__text *t,
                        const struct tailbox__status *s)
{
	const struct tailbox__admin_facts *f = s->facts;
	char up[TAILBOX__UNIT_TEXT], at[TAILBOX__UNIT_TEXT];

	tailbox__text_add(t, "service\t%s%s%s  %s pid %ld, up %s, since %s\n",
	                  f->service, f->service_version[0] ? " " : "",
	                  f->service_version, s->host, (long)getpid(),
	                  tailbox__text_us(up, s->uptime_ms * 1000),
	                  tailbox__text_time(at, f->started_ms));
	tailbox__text_add(t, "recorded\t%s%s\n", s->is_on ? "yes" : "no: ",
	                  s->is_on ? "" : tailbox__status_why_not(s));
	add_switch(t, s);
	tailbox__text_add(t, "admin\t%s%s%s\n", tailbox__admin_path(),
	                  tailbox__admin_tcp()[0] ? ", tcp " : "",
	                  tailbox__admin_tcp());
}

/* What is wished, else what a minute would take. */
static void add_size(struct tailbox__text *t, const struct tailbox__status *s)
{
	const bool is_known = s->has_numbers &&
	                      s->rec.history_ms != TAILBOX__NONE;
	const uint64_t wished = s->facts->wish.history_ms;
	const uint64_t ms = wished ? wished : 60000;
	const uint64_t bytes = wished ? tailbox__status_next_tape(s)
	                              : tailbox__status_tape_for(s, ms);
	char a[TAILBOX__UNIT_TEXT], b[TAILBOX__UNIT_TEXT];

	if (is_known)
		tailbox__text_add(
			t, ", %s at the present rate",
			tailbox__text_us(a, s->rec.history_ms * 1000));
	if (wished)
		tailbox__text_add(t, "; %s wished: ",
		                  tailbox__text_us(a, ms * 1000));
	else if (is_known && s->rec.history_ms < ms && bytes != TAILBOX__NONE)
		tailbox__text_add(t, "; 60 s would take %s",
		                  tailbox__show_bytes(b, bytes));
	if (wished && bytes == TAILBOX__NONE)
		tailbox__text_add(t, "the rate is not known yet");
	else if (wished)
		tailbox__text_add(t, "%s at the next start",
		                  tailbox__show_bytes(b, bytes));
}

static void add_tape(struct tailbox__text *t, const struct tailbox__status *s)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	const char *what = tailbox__status_survives(s->facts);
	char a[TAILBOX__UNIT_TEXT];

	if (!s->facts->is_recorded)
		return;
	tailbox__text_add(t, "tape\t%s, %s", tape->path,
	                  tailbox__show_bytes(a, tape->file_bytes));
	add_size(t, s);
	tailbox__text_add(t, "\nsurvives\t%s\n",
	                  what != NULL ? what : "not known");
	tailbox__text_add(t,
	                  "clock\t%s, %" PRIu64 " Hz, resolution %u ns; "
	                  "jiffy %s\n",
	                  tailbox__status_clock_name(), tailbox__clock.hz,
	                  (unsigned)tailbox__clock.res_ns,
	                  tailbox__text_us(a, tailbox__clock.jiffy_us));
}

static void add_kept(struct tailbox__text *t, const struct tailbox__status *s)
{
	char a[TAILBOX__UNIT_TEXT], b[TAILBOX__UNIT_TEXT];
	struct tailbox__kept_status k = { 0 };

	if (!s->facts->is_recorded)
		return;
	tailbox__kept_status_of(&tailbox__recorder.tape, &k);
	if (!k.bytes) {
		tailbox__text_add(t, "kept\tno slow or failed requests: the "
		                     "tape has no room for them\n");
		return;
	}
	tailbox__text_add(t, "kept\t%" PRIu64 " slow or failed requests in %s",
	                  k.kept - k.overwritten,
	                  tailbox__show_bytes(a, k.bytes));
	if (k.slow_ns)
		tailbox__text_add(t, ", from %s on",
		                  tailbox__text_us(b, k.slow_ns / 1000));
	if (k.overwritten)
		tailbox__text_add(t, "; %" PRIu64 " older ones overwritten",
		                  k.overwritten);
	if (k.passed_over)
		tailbox__text_add(t, "; %" PRIu64 " passed over, too many at "
		                     "once", k.passed_over);
	if (k.cut_spans)
		tailbox__text_add(t, "; %" PRIu64 " of their spans cut",
		                  k.cut_spans);
	tailbox__text_add(t, "\n");
}

static void add_numbers(struct tailbox__text *t,
                        const struct tailbox__status *s, const char *what,
                        const struct tailbox__status_number *n)
{
	tailbox__text_add(t, "%s", what);
	for (const char *gap = "\t"; n->key != NULL; n++, gap = ", ") {
		const uint64_t v = tailbox__status_value(s, n);
		if (v == TAILBOX__NONE)
			tailbox__text_add(t, "%s- %s", gap, n->words);
		else
			tailbox__text_add(t, "%s%" PRIu64 " %s", gap, v,
			                  n->words);
	}
	tailbox__text_add(t, "\n");
}

static void add_traffic(struct tailbox__text *t,
                        const struct tailbox__status *s)
{
	const struct tailbox__status_number *n = tailbox__status_latencies;
	char buf[TAILBOX__UNIT_TEXT];

	if (!s->has_numbers)
		return;
	add_numbers(t, s, "counted", tailbox__status_counters);
	add_numbers(t, s, "now", tailbox__status_present);
	if (s->rec.rate_milli == TAILBOX__NONE)
		tailbox__text_add(t, "last 10 s\t-/s");
	else
		tailbox__text_add(t, "last 10 s\t%" PRIu64 ".%u/s",
		                  s->rec.rate_milli / 1000,
		                  (unsigned)(s->rec.rate_milli % 1000 / 100));
	for (; n->key != NULL; n++)
		tailbox__text_add(
			t, ", %s %s", n->words,
			tailbox__text_us(buf, tailbox__status_value(s, n)));
	tailbox__text_add(t, "\n");
}

static void add_window(struct tailbox__text *t, const struct tailbox__status *s)
{
	const struct tailbox__window_status *w = &s->window;
	char buf[TAILBOX__UNIT_TEXT];

	if (!s->has_window)
		return;
	if (w->state == TAILBOX__WINDOW_DISABLED) {
		tailbox__text_add(
			t, "window\tnone armed, the next is %" PRIu64 "\n",
			w->id);
	} else {
		tailbox__text_add(t,
		                  "window\t%" PRIu64
		                  " %s%s, %s, since %s, %u in flight, "
		                  "%" PRIu64 " requests%s\n",
		                  w->id, tailbox__status_state_name(w->state),
		                  w->is_finalizing ? " (finalizing)" : "",
		                  tailbox__status_mode_name(w->activation.mode),
		                  tailbox__text_time(buf, w->started_ms),
		                  (unsigned)w->in_flight, w->spooled_requests,
		                  w->limits_hit ? ", LIMITS HIT" : "");
		tailbox__text_add(t, "artifact\t%s\n", w->artifact);
		if (w->activation.note[0] != '\0')
			tailbox__text_add(t, "armed for\t%s\n",
			                  w->activation.note);
	}
	if (w->last_error[0] != '\0')
		tailbox__text_add(t, "last error\t%s\n", w->last_error);
	if (s->after.name[0] != '\0')
		tailbox__text_add(t, "last one\t%s: %s\n", s->after.name,
		                  s->after.headline[0] != '\0'
		                          ? s->after.headline
		                          : "-");
	if (s->snapshot.made || s->snapshot.failed)
		tailbox__text_add(t,
		                  "snapshots\t%" PRIu64 " made, %" PRIu64
		                  " failed%s%s\n",
		                  s->snapshot.made, s->snapshot.failed,
		                  s->snapshot.last_error[0] != '\0' ? ": " : "",
		                  s->snapshot.last_error);
}

static void add_daemons(struct tailbox__text *t,
                        const struct tailbox__status *s)
{
	for (uint32_t i = 0; i < s->daemon_count; i++) {
		const struct tailbox__daemon *d = &s->daemons[i];
		tailbox__text_add(t, "daemon %u\t%s", (unsigned)d->number,
		                  tailbox__status_daemon_mode(d->mode));
		if (d->mode == TAILBOX__DAEMON_POOL)
			tailbox__text_add(t, " of %u", (unsigned)d->workers);
		if (d->port != 0)
			tailbox__text_add(t, ", port %u", (unsigned)d->port);
		if (d->connection_limit != 0)
			tailbox__text_add(t, ", at most %u connections",
			                  (unsigned)d->connection_limit);
		tailbox__text_add(
			t, "%s%s\n",
			d->is_recorded ? "" : ", NOT RECORDED: ", d->note);
	}
}

static void add_percent(struct tailbox__text *t, uint64_t ppm, const char *of)
{
	if (ppm == TAILBOX__NONE)
		tailbox__text_add(t, " - of %s", of);
	else
		tailbox__text_add(t, " %" PRIu64 ".%03u%% of %s", ppm / 10000,
		                  (unsigned)(ppm % 10000 / 10), of);
}

/* One line: what a person wants to know before it is left on. */
static void add_own_cost(struct tailbox__text *t,
                         const struct tailbox__status *s)
{
	const struct tailbox__cost_status *c = &s->cost;
	char buf[TAILBOX__UNIT_TEXT];

	tailbox__text_add(t, "own cost\t");
	if (c->request_milli_ns == TAILBOX__NONE)
		tailbox__text_add(t, "- ns a request");
	else
		tailbox__text_add(t, "%" PRIu64 " ns a request",
		                  (c->request_milli_ns + 500) / 1000);
	tailbox__text_add(t, "; threads %s of CPU",
	                  tailbox__text_us(buf,
	                                   c->threads_ns == TAILBOX__NONE
	                                           ? TAILBOX__NONE
	                                           : c->threads_ns / 1000));
	tailbox__text_add(t, "; last 10 s:");
	add_percent(t, c->process_ppm, "the process's CPU");
	tailbox__text_add(t, ",");
	add_percent(t, c->threads_ppm, "one CPU by threads");
	if (s->facts->is_recorded)
		tailbox__text_add(t, "; tape %s",
		                  tailbox__show_bytes(
		                          buf,
		                          tailbox__recorder.tape.file_bytes));
	tailbox__text_add(t, "\n");
}

static void add_cost(struct tailbox__text *t, const struct tailbox__status *s)
{
	uint64_t ns = tailbox__status_follower_ns_milli(s), up = s->uptime_ms;
	uint64_t ppm = up ? s->sampler.cpu_ns / up : 0; /* of one processor */

	add_own_cost(t, s);
	tailbox__text_add(t, "of that\t");
	if (s->facts->has_sampler)
		tailbox__text_add(
			t, "sampler %u.%04u%% of a CPU (%" PRIu64 " samples)",
			(unsigned)(ppm / 10000), (unsigned)(ppm % 10000),
			s->sampler.samples);
	else
		tailbox__text_add(t, "no sampler");
	if (ns != TAILBOX__NONE)
		tailbox__text_add(t, ", follower %" PRIu64 ".%u ns a record",
		                  ns / 1000, (unsigned)(ns % 1000 / 100));
	tailbox__text_add(t, "\n");
}

static void add_headlines(struct tailbox__text *t,
                          const struct tailbox__after_status *a)
{
	if (a->headline_error[0] == '\0')
		return;
	tailbox__text_add(t, "headlines\t%" PRIu64 " made", a->headlines);
	if (a->headlines_failed != 0)
		tailbox__text_add(t, ", %" PRIu64 " failed",
		                  a->headlines_failed);
	if (a->headlines_dropped != 0)
		tailbox__text_add(t, ", %" PRIu64 " dropped",
		                  a->headlines_dropped);
	tailbox__text_add(t, "; the last that is missing: %s\n",
	                  a->headline_error);
}

static void add_handover(struct tailbox__text *t,
                         const struct tailbox__handover_status *h)
{
	char at[TAILBOX__UNIT_TEXT];

	if (h->name[0] == '\0')
		return;
	tailbox__text_add(t,
	                  "handed over\t%" PRIu64 ", %" PRIu64 " failed, %" PRIu64
	                  " dropped, %" PRIu64 " unknown; %" PRIu64
	                  " tries, %" PRIu64 " timed out; %" PRIu64 " waiting\n",
	                  h->succeeded, h->failed, h->dropped, h->unknown,
	                  h->started, h->timed_out, h->waiting);
	tailbox__text_add(t, "last hand-over\t%s: %s, try %u, %s%s%s\n",
	                  h->name, h->result, h->tries,
	                  tailbox__text_time(at, h->at_ms),
	                  h->detail[0] != '\0' ? ": " : "", h->detail);
}

static void add_folder(struct tailbox__text *t, const struct tailbox__status *s)
{
	const struct tailbox__folder_status *f = &s->folder;
	char max[TAILBOX__UNIT_TEXT], gone[TAILBOX__UNIT_TEXT];

	tailbox__text_add(t, "folder\t%s\n", s->facts->artifact_dir);
	if (!s->has_window)
		return;
	tailbox__text_add(t, "keeps\t%" PRIu64 " artifacts, %s in all",
	                  f->max_count, tailbox__show_bytes(max, f->max_size));
	if (f->deleted != 0)
		tailbox__text_add(t, "; %" PRIu64 " of the oldest deleted, %s",
		                  f->deleted,
		                  tailbox__show_bytes(gone, f->deleted_bytes));
	tailbox__text_add(t, "\n");
	if (f->crashes.recovered != 0)
		tailbox__text_add(t, "crashes\t%" PRIu64 " recovered at the "
		                  "start, the last: %s\n",
		                  f->crashes.recovered, f->crashes.last);
	if (f->crashes.kept != 0 || f->crashes.removed != 0)
		tailbox__text_add(t, "tapes\t%" PRIu64 " of crashes could not be "
		                  "recovered, %" PRIu64 " removed: %s\n",
		                  f->crashes.kept + f->crashes.removed,
		                  f->crashes.removed, f->crashes.error);
	if (f->json_lost != 0)
		tailbox__text_add(t, "json\t%" PRIu64 " lost, the last: %s\n",
		                  f->json_lost, f->json_error);
	add_headlines(t, &s->after);
	add_handover(t, &s->after.handover);
}

static void add_config(struct tailbox__text *t,
                       const struct tailbox__settings_status *c)
{
	char buf[TAILBOX__UNIT_TEXT];

	if (c->file[0] == '\0')
		return;
	tailbox__text_add(t, "config\t%s", c->file);
	if (!c->is_loaded)
		tailbox__text_add(t, ", NOT LOADED");
	if (c->reload_ms != TAILBOX__NONE)
		tailbox__text_add(t, ", last reload %s%s",
		                  tailbox__text_time(buf, c->reload_ms),
		                  c->error[0] != '\0' ? " FAILED" : "");
	tailbox__text_add(t, "\n");
	if (c->error[0] != '\0')
		tailbox__text_add(t, "config error\t%s\n", c->error);
	if (c->trouble[0] != '\0')
		tailbox__text_add(t, "config trouble\t%s\n", c->trouble);
	if (c->restart[0] != '\0')
		tailbox__text_add(t, "restart for\t%s\n", c->restart);
}

enum MHD_Result tailbox__status_text(struct tailbox__admin_request *q,
                                     const struct tailbox__status *s)
{
	struct tailbox__text rows = TAILBOX__TEXT_INIT;
	struct tailbox__text t = TAILBOX__TEXT_INIT;

	add_losses(&rows, s);
	add_service(&rows, s);
	add_tape(&rows, s);
	add_kept(&rows, s);
	add_traffic(&rows, s);
	add_window(&rows, s);
	tailbox__status_add_triggers(&rows, s);
	tailbox__status_add_stacks(&rows, s);
	add_daemons(&rows, s);
	add_cost(&rows, s);
	add_folder(&rows, s);
	tailbox__text_add(&rows,
	                  "versions\ttailbox %s, libmicrohttpd %s\n",
	                  tailbox_version(), MHD_get_version());
	add_config(&rows, &s->settings);
	for (uint32_t i = 0; i < s->facts->note_count; i++)
		tailbox__text_add(&rows, "note\t%s\n", s->facts->notes[i]);
	tailbox__text_table(&t, &rows);
	tailbox__text_fini(&rows);
	return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
}
