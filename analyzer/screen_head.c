/* analyzer/screen_head.c - the first screen: whose run it is, what is missing
 * from it, the figures.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "analyzer/screen_line.h"
#include "analyzer/timeline_model.h"
#include "analyzer/timeline_text.h"

#define INDENT TAILBOX__SL_INDENT

static void tell_when(const struct tailbox__sl_screen *s,
                      struct tailbox__sl_string *t)
{
	const struct tailbox__run_meta *m = &s->run->meta;
	char text[TAILBOX__SHOW_ROOM];

	tailbox__sl_add(t, "%s UTC", tailbox__show_utc(text, m->started_ms));
	if (m->finalized_ms == TAILBOX__NONE)
		tailbox__sl_add(t, ", still open");
	else if (m->finalized_ms >= m->started_ms &&
	         m->finalized_ms - m->started_ms <= UINT64_MAX / 1000)
		tailbox__sl_add(t, ", %s",
		    tailbox__show_us(text, (m->finalized_ms - m->started_ms) *
		                                   1000));
}

/* "0 lost" is for recorders that count what they lose. */
static void tell_state(const struct tailbox__vitals *v,
                       struct tailbox__sl_string *t)
{
	if (v->lost > 0 || v->is_cut)
		tailbox__sl_add(t, "INCOMPLETE");
	else if (v->unfinished == 0)
		tailbox__sl_add(t, v->is_loss_known ? "complete, 0 lost"
		                        : "nothing cut off");
	else
		tailbox__sl_add(t, "%s, %" PRIu64 " not ended",
		    v->is_loss_known ? "0 lost" : "nothing cut off",
		    v->unfinished);
}

/* Service, version, host and pid: 79 columns at most. */
static void put_names(struct tailbox__sl_screen *s)
{
	const struct tailbox__run_meta *m = &s->run->meta;

	tailbox__sl_begin(s, "", 0);
	tailbox__sl_name(s, m->service_name, 28);
	if (m->service_version) {
		tailbox__sl_put(s, " ");
		tailbox__sl_name(s, m->service_version, 12);
	}
	if (m->host) {
		tailbox__sl_put(s, "  ");
		tailbox__sl_name(s, m->host, 20);
	}
	if (m->has_pid)
		tailbox__sl_put(s, " pid %" PRIu32, m->pid);
}

static void put_identity(struct tailbox__sl_screen *s)
{
	struct tailbox__sl_string when = { .len = 0 };
	struct tailbox__sl_string state = { .len = 0 };

	tell_when(s, &when);
	tell_state(&s->vitals, &state);
	put_names(s);
	if (tailbox__sl_left(s) < when.len + state.len + 6)
		tailbox__sl_begin(s, "", 0);
	else
		tailbox__sl_put(s, "   ");
	tailbox__sl_put(s, "%s   %s", when.at, state.at);
}

static void tell_lost(const struct tailbox__sl_screen *s,
                      struct tailbox__sl_string *t)
{
	const struct tailbox__run_meta *m = &s->run->meta;

	for (size_t i = 0; i < m->extra.count; i++) {
		const struct tailbox__run_pair *pair = &m->extra.items[i];
		if (!pair->number || !tailbox__tl_is_loss(s->run, pair))
			continue;
		const char *key = tailbox__run_text(s->run, pair->key, NULL);
		const bool is_late = !strcmp(key, "late_spans");
		char word[40];

		tailbox__show_into(word, sizeof(word),
		                   is_late ? "late spans" : key + 5,
		                   strlen(is_late ? "late spans" : key + 5),
		                   24);
		tailbox__sl_add(t, "%s%s %" PRIu64, t->len ? ", " : "", word,
		    pair->number);
	}
}

static void put_losses(struct tailbox__sl_screen *s)
{
	const struct tailbox__run_truncation *c = &s->run->truncation;
	const struct {
		const char *what;
		uint64_t n;
	} cuts[] = {
		{ "requests", c->dropped_requests },
		{ "stages", c->dropped_stages },
		{ "waits", c->dropped_queues },
		{ "gauge moves", c->dropped_inflight_snapshots },
		{ "samples", c->dropped_runtime_snapshots },
	};
	struct tailbox__sl_string t = { .len = 0 };
	const char *before;

	if (s->vitals.lost == 0 && !s->vitals.is_cut)
		return;
	tell_lost(s, &t);
	before = t.len ? "; beyond the limits: " : "beyond the limits: ";
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		if (!cuts[i].n)
			continue;
		tailbox__sl_add(&t, "%s%s %" PRIu64, before, cuts[i].what,
		                cuts[i].n);
		before = ", ";
	}
	if (t.len == 0)
		tailbox__sl_add(&t, "a limit was reached");
	if (s->vitals.unfinished)
		tailbox__sl_add(&t, "; %" PRIu64 " not ended",
		                s->vitals.unfinished);
	tailbox__sl_wrap(s, "LOST", INDENT, t.at, 2);
}

/* One more figure, on the next line where there is no room. */
static void put_figure(struct tailbox__sl_screen *s, const char *text)
{
	if (tailbox__sl_left(s) < strlen(text) + 2)
		tailbox__sl_begin(s, "", 4);
	else
		tailbox__sl_put(s, "  ");
	tailbox__sl_put(s, "%s", text);
}

/* In the unit of all of them, with three digits where there are so many. */
static void put_time(struct tailbox__sl_screen *s, const char *name,
                     uint64_t us, bool is_in_s, const char *unit)
{
	const double value = (double)us / (is_in_s ? 1e6 : 1e3);
	char text[64];

	snprintf(text, sizeof(text), "%s %.*f%s", name,
	         value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit);
	put_figure(s, text);
}

static void put_latency(struct tailbox__sl_screen *s)
{
	const struct tailbox__report_slice *w = &s->r->whole;
	char time[TAILBOX__SHOW_ROOM], text[64];

	if (w->request_count == 0 || s->vitals.slowest == SIZE_MAX)
		return;
	const uint64_t max =
	        s->run->requests.items[s->vitals.slowest].latency_us;
	const bool is_in_s = w->p99_us >= 10000000;

	put_time(s, "p50", w->p50_us, is_in_s, "");
	put_time(s, "p95", w->p95_us, is_in_s, "");
	/* Of up to 100 requests the percentile is the last one. */
	if (w->request_count > 100) {
		put_time(s, "p99", w->p99_us, is_in_s, is_in_s ? " s" : " ms");
		snprintf(text, sizeof(text), "max %s",
		         tailbox__show_us(time, max));
		put_figure(s, text);
	} else {
		put_time(s, "p99 = max", w->p99_us, is_in_s,
		         is_in_s ? " s" : " ms");
	}
}

static void put_failed(struct tailbox__sl_screen *s)
{
	const struct tailbox__vitals *v = &s->vitals;
	const uint64_t n = s->r->whole.request_count;
	const uint64_t permille = tailbox__permille(v->failed, n);
	const char *what = v->is_by_status ? "5xx" : "failed";
	char text[48];

	if (n == 0)
		return;
	if (v->failed == 0)
		snprintf(text, sizeof(text), "%s 0", what);
	else if (permille == 0)
		snprintf(text, sizeof(text), "%s <0.1%%", what);
	else
		snprintf(text, sizeof(text), "%s %" PRIu64 ".%" PRIu64 "%%",
		         what, permille / 10, permille % 10);
	put_figure(s, text);
}

/* In no figure above. */
static void put_kept(struct tailbox__sl_screen *s)
{
	const size_t n = tailbox__tl_kept_count(s->run);
	char text[TAILBOX__SHOW_ROOM];
	uint64_t first = UINT64_MAX;

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (s->run->kept->requests.items[i].start_ms < first)
			first = s->run->kept->requests.items[i].start_ms;
	tailbox__sl_begin(s, "KEPT", INDENT);
	tailbox__sl_put(s, "%zu slow or failed request%s from before, since %s "
	                   "UTC", n, n == 1 ? "" : "s",
	                tailbox__show_utc(text, first));
}

void tailbox__sl_head(struct tailbox__sl_screen *s)
{
	const uint64_t n = s->r->whole.request_count;
	const uint64_t us = tailbox__tl_run_end_us(s->run);

	put_identity(s);
	put_losses(s);
	tailbox__sl_begin(s, "", 0);
	tailbox__sl_put(s, "%" PRIu64 " request%s", n, n == 1 ? "" : "s");
	if (us >= 1000000 && n > 0) {
		const double rate = (double)n * 1e6 / (double)us;
		tailbox__sl_put(s, " %.*f/s",
		                rate < 10 ? 2 : rate < 100 ? 1 : 0, rate);
	}
	put_latency(s);
	put_failed(s);
	put_kept(s);
}
