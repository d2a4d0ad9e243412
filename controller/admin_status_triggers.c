/* controller/admin_status_triggers.c - /status: what fired, and what came of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "controller/admin_status.h"

/* Whether anything can fire. */
static bool is_set(const struct tailbox__config_triggers *c,
                   enum tailbox__trigger_kind kind)
{
	switch (kind) {
	case TAILBOX__TRIGGER_SLOW:
		return c->slow != 0;
	case TAILBOX__TRIGGER_OPEN:
		return c->open != 0;
	case TAILBOX__TRIGGER_HELD:
		return c->held != 0;
	case TAILBOX__TRIGGER_ROUTE_P99:
		return c->route_p99.count != 0;
	case TAILBOX__TRIGGER_P99_FACTOR:
		return c->p99_factor != 0;
	case TAILBOX__TRIGGER_ERROR_RATE:
		return c->error_rate[0] != '\0';
	case TAILBOX__TRIGGER_ACCEPT_QUEUE:
		return c->accept_queue[0] != '\0';
	case TAILBOX__TRIGGER_CALL:
		return c->call;
	case TAILBOX__TRIGGER_SIGNAL:
		return c->signal[0] != '\0';
	case TAILBOX__TRIGGER_KINDS:
		break;
	}
	return false;
}

/* Entry i of those that are kept, the newest first; NULL: no more. */
static const struct tailbox__trigger_entry *
entry_at(const struct tailbox__trigger_desk *d, uint64_t i)
{
	if (i >= d->entries || i >= TAILBOX__TRIGGER_LAST)
		return NULL;
	return &d->last[(d->entries - 1 - i) % TAILBOX__TRIGGER_LAST];
}

/* --- for programs -------------------------------------------------------- */

static const char *state_name(const struct tailbox__trigger_status *s)
{
	switch (s->desk.state) {
	case TAILBOX__DESK_IDLE:
		return "ready";
	case TAILBOX__DESK_TAKEN:
	case TAILBOX__DESK_CUT:
		return "under_way";
	case TAILBOX__DESK_COOLING:
		return s->cooling_ms ? "cooling" : "ready";
	}
	return NULL;
}

static void put_counts(struct tailbox__json *j,
                       const struct tailbox__trigger_status *s)
{
	tailbox__json_key(j, "counts");
	tailbox__json_begin_object(j);
	for (unsigned i = 0; i < TAILBOX__TRIGGER_KINDS; i++) {
		tailbox__json_key(j, tailbox__trigger_names[i]);
		tailbox__json_begin_object(j);
		tailbox__admin_put_bool(j, "on",
		                        is_set(&s->config,
		                               (enum tailbox__trigger_kind)i));
		tailbox__admin_put_u64(j, "fired", s->desk.counts[i].fired);
		tailbox__admin_put_u64(j, "made", s->desk.counts[i].made);
		tailbox__admin_put_u64(j, "covered", s->desk.counts[i].covered);
		tailbox__admin_put_u64(j, "cooling", s->desk.counts[i].cooling);
		tailbox__admin_put_u64(j, "failed", s->desk.counts[i].failed);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_object(j);
}

static void put_figure(struct tailbox__json *j, const char *key,
                       const struct tailbox__firing *f, uint64_t figure)
{
	if (f->kind == TAILBOX__TRIGGER_ERROR_RATE) /* percent */
		tailbox__admin_put_milli(j, key, figure / 10);
	else
		tailbox__admin_put_u64(j, key, figure);
}

static const char *unit_of(enum tailbox__trigger_kind kind)
{
	switch (kind) {
	case TAILBOX__TRIGGER_SLOW:
	case TAILBOX__TRIGGER_OPEN:
	case TAILBOX__TRIGGER_HELD:
	case TAILBOX__TRIGGER_ROUTE_P99:
	case TAILBOX__TRIGGER_P99_FACTOR:
		return "us";
	case TAILBOX__TRIGGER_ERROR_RATE:
		return "percent";
	case TAILBOX__TRIGGER_ACCEPT_QUEUE:
		return "connections";
	case TAILBOX__TRIGGER_CALL:
	case TAILBOX__TRIGGER_SIGNAL:
	case TAILBOX__TRIGGER_KINDS:
		break;
	}
	return NULL;
}

static void put_entry(struct tailbox__json *j,
                      const struct tailbox__trigger_entry *e)
{
	const struct tailbox__firing *f = &e->firing;

	tailbox__json_begin_object(j);
	tailbox__admin_put_u64(j, "at_unix_ms", e->at_ms);
	tailbox__admin_put_text(j, "trigger", tailbox__trigger_names[f->kind]);
	tailbox__admin_put_u64(j, "count", f->count);
	tailbox__admin_put_text(j, "what", f->what);
	put_figure(j, "figure", f, f->figure);
	put_figure(j, "bound", f, f->bound);
	tailbox__admin_put_text(j, "unit", unit_of(f->kind));
	tailbox__admin_put_text(j, "result",
	                        tailbox__trigger_results[e->result]);
	tailbox__admin_put_text(j, "artifact", e->artifact);
	tailbox__json_end_object(j);
}

void tailbox__status_put_triggers(struct tailbox__json *j,
                                  const struct tailbox__status *s)
{
	const struct tailbox__trigger_status *t = &s->triggers;
	const struct tailbox__trigger_entry *e;

	tailbox__json_key(j, "triggers");
	if (!s->has_window) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "state", state_name(t));
	tailbox__admin_put_u64(j, "cooling_ms", t->cooling_ms);
	put_counts(j, t);
	tailbox__json_key(j, "last");
	tailbox__json_begin_array(j);
	for (uint64_t i = 0; (e = entry_at(&t->desk, i)) != NULL; i++)
		put_entry(j, e);
	tailbox__json_end_array(j);
	tailbox__admin_put_text(j, "last_error", t->desk.error);
	tailbox__admin_put_text(j, "signal_trouble", t->signal_trouble);
	tailbox__json_end_object(j);
}

/* --- for people ---------------------------------------------------------- */

static void add_counts(struct tailbox__text *t,
                       const struct tailbox__trigger_status *s)
{
	const char *gap = "";

	tailbox__text_add(t, "triggers\t");
	for (unsigned i = 0; i < TAILBOX__TRIGGER_KINDS; i++) {
		const uint64_t fired = s->desk.counts[i].fired;
		const uint64_t lost = s->desk.counts[i].covered +
		                      s->desk.counts[i].cooling;
		if (!is_set(&s->config, (enum tailbox__trigger_kind)i) && !fired)
			continue;
		tailbox__text_add(t, "%s%s %" PRIu64, gap,
		                  tailbox__trigger_names[i], fired);
		if (lost)
			tailbox__text_add(t, " (%" PRIu64 " without an "
			                  "artifact of their own)", lost);
		gap = ", ";
	}
	tailbox__text_add(t, "%s", *gap ? "" : "none");
	if (s->cooling_ms)
		tailbox__text_add(t, "; cooling for %" PRIu64 " s",
		                  (s->cooling_ms + 999) / 1000);
	tailbox__text_add(t, "\n");
}

static void add_result(struct tailbox__text *t,
                       const struct tailbox__trigger_entry *e)
{
	switch (e->result) {
	case TAILBOX__TRIGGER_UNDER_WAY:
		tailbox__text_add(t, "under way");
		break;
	case TAILBOX__TRIGGER_MADE:
		tailbox__text_add(t, "artifact %s", e->artifact);
		break;
	case TAILBOX__TRIGGER_COVERED:
		if (e->artifact[0])
			tailbox__text_add(t, "covered by %s", e->artifact);
		else
			tailbox__text_add(t, "covered by the one under way");
		break;
	case TAILBOX__TRIGGER_COOLING:
		if (e->artifact[0])
			tailbox__text_add(t, "cooling down after %s",
			                  e->artifact);
		else
			tailbox__text_add(t, "cooling down");
		break;
	case TAILBOX__TRIGGER_FAILED:
		tailbox__text_add(t, "FAILED");
		break;
	case TAILBOX__TRIGGER_RESULTS:
		break;
	}
}

void tailbox__status_add_triggers(struct tailbox__text *t,
                                  const struct tailbox__status *s)
{
	const struct tailbox__trigger_status *g = &s->triggers;
	const struct tailbox__trigger_entry *e;
	char at[TAILBOX__UNIT_TEXT], what[TAILBOX__TRIGGER_WHAT + 160];

	if (!s->has_window)
		return;
	add_counts(t, g);
	for (uint64_t i = 0; i < 6 && (e = entry_at(&g->desk, i)); i++) {
		tailbox__text_add(t, "fired\t%s %s",
		                  tailbox__text_time(at, e->at_ms),
		                  tailbox__firing_text(what, sizeof(what),
		                                       &e->firing));
		if (e->firing.count > 1)
			tailbox__text_add(t, " (%" PRIu64 " times)",
			                  e->firing.count);
		tailbox__text_add(t, ": ");
		add_result(t, e);
		tailbox__text_add(t, "\n");
	}
	if (g->desk.error[0])
		tailbox__text_add(t, "trigger error\t%s\n", g->desk.error);
	if (g->signal_trouble[0])
		tailbox__text_add(t, "signal\t%s\n", g->signal_trouble);
}
