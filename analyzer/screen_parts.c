/* analyzer/screen_parts.c - the first screen: head and verdict.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "analyzer/screen_line.h"
#include "analyzer/timeline_model.h"
#include "analyzer/timeline_text.h"

#define INDENT TAILBOX__SL_INDENT
#define WIDTH TAILBOX__SCREEN_WIDTH

enum { TITLE = 50 }; /* columns */

/* A text that is put together and cut where it becomes too long. */
struct text {
	char at[800];
	size_t len;
};

static void add(struct text *t, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *format, ...)
{
	const size_t room = sizeof(t->at) - t->len;
	va_list args;

	va_start(args, format);
	const int n = vsnprintf(t->at + t->len, room, format, args);
	va_end(args);
	t->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* --- head ----------------------------------------------------------------- */

static void tell_when(const struct tailbox__sl_screen *s, struct text *t)
{
	const struct tailbox__run_meta *m = &s->run->meta;
	char text[TAILBOX__SHOW_ROOM];

	add(t, "%s UTC", tailbox__show_utc(text, m->started_ms));
	if (m->finalized_ms == TAILBOX__NONE)
		add(t, ", still open");
	else if (m->finalized_ms >= m->started_ms &&
	         m->finalized_ms - m->started_ms <= UINT64_MAX / 1000)
		add(t, ", %s",
		    tailbox__show_us(text, (m->finalized_ms - m->started_ms) *
		                                   1000));
}

/* "0 lost" is for recorders that count what they lose. */
static void tell_state(const struct tailbox__vitals *v, struct text *t)
{
	if (v->lost > 0 || v->is_cut)
		add(t, "INCOMPLETE");
	else if (v->unfinished == 0)
		add(t, v->is_loss_known ? "complete, 0 lost"
		                        : "nothing cut off");
	else
		add(t, "%s, %" PRIu64 " not ended",
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
	struct text when = { .len = 0 }, state = { .len = 0 };

	tell_when(s, &when);
	tell_state(&s->vitals, &state);
	put_names(s);
	if (tailbox__sl_left(s) < when.len + state.len + 6)
		tailbox__sl_begin(s, "", 0);
	else
		tailbox__sl_put(s, "   ");
	tailbox__sl_put(s, "%s   %s", when.at, state.at);
}

static void tell_lost(const struct tailbox__sl_screen *s, struct text *t)
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
		add(t, "%s%s %" PRIu64, t->len ? ", " : "", word,
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
	struct text t = { .len = 0 };
	const char *before;

	if (s->vitals.lost == 0 && !s->vitals.is_cut)
		return;
	tell_lost(s, &t);
	before = t.len ? "; beyond the limits: " : "beyond the limits: ";
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		if (!cuts[i].n)
			continue;
		add(&t, "%s%s %" PRIu64, before, cuts[i].what, cuts[i].n);
		before = ", ";
	}
	if (t.len == 0)
		add(&t, "a limit was reached");
	if (s->vitals.unfinished)
		add(&t, "; %" PRIu64 " not ended", s->vitals.unfinished);
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
	const uint64_t max = s->run->requests.items[s->vitals.slowest].latency_us;
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
}

/* --- the verdict ---------------------------------------------------------- */

static void tell_suspect(struct text *t, const struct tailbox__suspect *s,
                         const struct tailbox__suspect *lead)
{
	char title[4 * TITLE + 1];

	tailbox__suspect_title(s, title, sizeof(title), TITLE);
	add(t, "%s (%u, %s%s)", title, s->score,
	    tailbox__confidence_names[s->confidence],
	    lead && s->explained_by == lead->kind ? ", the same time" : "");
}

/* All suspects but the lead; "" when there are none. */
static void tell_others(const struct tailbox__sl_screen *s, struct text *t,
                        const struct tailbox__suspect *lead)
{
	const struct tailbox__report_slice *w = &s->r->whole;

	for (size_t i = 0; i < w->suspect_count; i++) {
		const struct tailbox__suspect *one = &w->suspects[i];

		if (one == lead || one->kind == TAILBOX__SUSPECT_UNKNOWN)
			continue;
		if (t->len)
			add(t, "; ");
		tell_suspect(t, one, lead);
	}
}

/* "p99 is 2.2 times p50"; with a p50 of 0 there is no such number. */
static void tell_ratio(const struct tailbox__sl_screen *s, struct text *t)
{
	const struct tailbox__report_slice *w = &s->r->whole;
	char p99[TAILBOX__SHOW_ROOM];

	if (w->p50_us == 0) {
		add(t, "p99 is %s", tailbox__show_us(p99, w->p99_us));
		return;
	}
	const double ratio = (double)w->p99_us / (double)w->p50_us;
	add(t, "p99 is %.*f times p50", ratio < 10 ? 1 : 0, ratio);
}

static unsigned put_texts(struct tailbox__sl_screen *s,
                          const struct tailbox__texts *t, const char *before,
                          unsigned used)
{
	for (size_t i = 0; i < t->count; i++) {
		struct text one = { .len = 0 };

		if (used >= s->budget->evidence) {
			s->is_cut = true;
			break;
		}
		add(&one, "%s%s", before, t->items[i]);
		used += tailbox__sl_wrap(s, "", INDENT, one.at,
		                         s->budget->evidence - used);
	}
	return used;
}

static void put_lead(struct tailbox__sl_screen *s,
                     const struct tailbox__suspect *lead)
{
	char title[TAILBOX__SL_BYTES], score[40];
	size_t n = tailbox__suspect_title(lead, title, sizeof(title),
	                                  WIDTH - INDENT);
	const size_t columns = tailbox__show_columns(title, n);

	snprintf(score, sizeof(score), "score %u, %s", lead->score,
	         tailbox__confidence_names[lead->confidence]);
	tailbox__sl_begin(s, "LIKELY", INDENT);
	tailbox__sl_text(s, title, n, WIDTH);
	if (tailbox__sl_left(s) < strlen(score) + 2)
		tailbox__sl_begin(s, "", INDENT);
	else
		tailbox__sl_put(s, "%*s", (int)(WIDTH - INDENT - columns -
		                                strlen(score)), "");
	tailbox__sl_put(s, "%s", score);
}

static void put_likely(struct tailbox__sl_screen *s)
{
	const struct tailbox__report_slice *w = &s->r->whole;
	const struct tailbox__suspect *lead = tailbox__lead(s->r);
	struct text note = { .len = 0 }, others = { .len = 0 };
	unsigned used;

	put_lead(s, lead);
	used = put_texts(s, &lead->evidence, "", 0);
	if (used < s->budget->evidence && !tailbox__is_long(w->p50_us,
	                                                    w->p99_us)) {
		tell_ratio(s, &note);
		add(&note, ": all requests are like that, not only the "
		           "slowest");
		used += tailbox__sl_wrap(s, "", INDENT, note.at, 1);
	}
	if (used < s->budget->evidence && lead->notes.count > 0)
		put_texts(s, &lead->notes, "not higher: ",
		          s->budget->evidence - 1);
	tell_others(s, &others, lead);
	if (others.len)
		tailbox__sl_wrap(s, "then", INDENT, others.at,
		                 s->budget->others);
}

static void put_healthy(struct tailbox__sl_screen *s)
{
	struct text t = { .len = 0 }, others = { .len = 0 };

	tell_ratio(s, &t);
	add(&t, "; a tail is long from %d times and %d ms on",
	    TAILBOX__LONG_TIMES, TAILBOX__LONG_FLOOR_US / 1000);
	tailbox__sl_wrap(s, "HEALTHY", INDENT, t.at, 1);
	tell_others(s, &others, NULL);
	if (others.len) {
		struct text seen = { .len = 0 };

		add(&seen, "seen, of no weight here: %s", others.at);
		tailbox__sl_wrap(s, "", INDENT, seen.at, s->budget->others);
	}
}

static void put_too_few(struct tailbox__sl_screen *s)
{
	const uint64_t least = s->o->v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS];
	const uint64_t n = s->r->whole.request_count;
	struct text t = { .len = 0 }, others = { .len = 0 };

	if (n == 0)
		add(&t, "no request has ended");
	else if (n < least)
		add(&t, "%" PRIu64 " request%s of the %" PRIu64
		        " that a verdict takes", n, n == 1 ? "" : "s", least);
	else
		add(&t, "nothing to rank");
	tailbox__sl_wrap(s, "TOO FEW", INDENT, t.at, 1);
	tell_others(s, &others, NULL);
	if (others.len) {
		struct text far = { .len = 0 };

		add(&far, "so far: %s", others.at);
		tailbox__sl_wrap(s, "", INDENT, far.at, s->budget->others);
	}
}

/* What is wrong with the run, whoever did it. */
static void tell_trouble(const struct tailbox__sl_screen *s, struct text *t)
{
	const struct tailbox__report_slice *w = &s->r->whole;
	const struct tailbox__vitals *v = &s->vitals;
	char time[TAILBOX__SHOW_ROOM];

	tell_ratio(s, t);
	if (tailbox__is_slow(w->p99_us) && w->p50_us > 0)
		add(t, ", %s", tailbox__show_us(time, w->p99_us));
	if (tailbox__is_failing(s->r, v))
		add(t, "; %" PRIu64 "%% of requests failed",
		    tailbox__permille(v->failed, w->request_count) / 10);
	if (v->hanging)
		add(t, "; %" PRIu64 " request%s had not ended, the oldest "
		       "after %s", v->hanging, v->hanging == 1 ? "" : "s",
		    tailbox__show_us(time, v->oldest_open_us));
}

static void put_unclear(struct tailbox__sl_screen *s)
{
	const struct tailbox__suspect *lead = tailbox__lead(s->r);
	struct text t = { .len = 0 }, others = { .len = 0 };
	unsigned used;

	tell_trouble(s, &t);
	if (!lead)
		add(&t, "; no suspect for it");
	tailbox__sl_wrap(s, "UNCLEAR", INDENT, t.at, 2);
	if (lead) {
		add(&others, "perhaps: ");
		tell_suspect(&others, lead, NULL);
		tailbox__sl_wrap(s, "", INDENT, others.at, 1);
		used = put_texts(s, &lead->evidence, "", 0);
		if (used < s->budget->evidence)
			put_texts(s, &lead->notes, "not higher: ", used);
		others.len = 0;
	}
	tell_others(s, &others, lead);
	if (others.len)
		tailbox__sl_wrap(s, "then", INDENT, others.at,
		                 s->budget->others);
}

void tailbox__sl_verdict(struct tailbox__sl_screen *s)
{
	switch (s->r->verdict) {
	case TAILBOX__REPORT_LIKELY:
		put_likely(s);
		break;
	case TAILBOX__REPORT_HEALTHY:
		put_healthy(s);
		break;
	case TAILBOX__REPORT_TOO_FEW:
		put_too_few(s);
		break;
	case TAILBOX__REPORT_UNCLEAR:
		put_unclear(s);
		break;
	}
}
