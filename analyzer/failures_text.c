/* analyzer/failures_text.c - bad requests as lines of at most 80 columns.
 *
 * SPDX-License-Identifier: MIT
 *
 * One sentence for each group, with the state of what it waited for; below it
 * what its members have in common. The largest groups only: this is for
 * somebody who was just woken up.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "analyzer/failures.h"
#include "analyzer/report_page.h"
#include "analyzer/timeline_model.h"
#include "analyzer/timeline_text.h"

/* What may be long: at most so many columns, as lines break at blanks only. */
enum { GROUPS_SHOWN = 3, INDENT = 6, NAME = 40, TAG_KEY = 20, TAG_VALUE = 36 };

struct writer {
	struct tailbox__page page;
	FILE *line;
	const struct tailbox__run *run;
	const struct tailbox__failures *failures;
};

static const char *const nouns[TAILBOX__FAILURE_COUNT] = {
	"error", "timeout", "cancelled request", "rejected request",
	"slow request"
};

static const char *const phase_words[TAILBOX__PHASE_COUNT] = {
	[TAILBOX__PHASE_INGRESS] = "waited for a worker",
	[TAILBOX__PHASE_HEADERS] = "stayed before the handler",
	[TAILBOX__PHASE_BODY] = "stayed in the upload of the body",
	[TAILBOX__PHASE_HANDLER] = "stayed in the handler",
	[TAILBOX__PHASE_SUSPENDED] = "stayed suspended",
	[TAILBOX__PHASE_RESUME] = "waited to be resumed",
	[TAILBOX__PHASE_SEND] = "stayed in sending",
};

static const char *const trait_words[TAILBOX__TRAIT_COUNT] = {
	"route", "worker", "a worker held by", "tag", "a wait on",
	"failure of stage"
};

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void put_text(const struct writer *w, tailbox__str s, size_t columns)
{
	size_t len;
	const char *text = tailbox__run_text(w->run, s, &len);

	tailbox__show_text(w->line, text, len, columns);
}

static void put_name(const struct writer *w, tailbox__str s)
{
	put_text(w, s, NAME);
}

/* "12%", "0.3%". */
static void put_percent(const struct writer *w, uint64_t part, uint64_t whole)
{
	const uint64_t permille = tailbox__permille(part, whole);

	if (permille >= 100)
		fprintf(w->line, "%" PRIu64 "%%", permille / 10);
	else if (permille > 0 || part == 0)
		fprintf(w->line, "%" PRIu64 ".%" PRIu64 "%%", permille / 10,
		        permille % 10);
	else
		fputs("under 0.1%", w->line);
}

/* --- head ----------------------------------------------------------------- */

static void put_caveat(struct writer *w, uint64_t n, const char *what)
{
	if (n == 0)
		return;
	fprintf(w->line, "%s: %" PRIu64, what, n);
	tailbox__page_end(&w->page, INDENT);
}

static void put_head(struct writer *w)
{
	const struct tailbox__failures *f = w->failures;
	const struct tailbox__run_meta *m = &w->run->meta;
	char when[TAILBOX__SHOW_ROOM], length[TAILBOX__SHOW_ROOM];

	put_name(w, m->service_name);
	if (m->service_version) {
		fputc(' ', w->line);
		put_name(w, m->service_version);
	}
	fprintf(w->line, "  %s UTC (%s)  %" PRIu64 " request%s",
	        tailbox__show_utc(when, m->started_ms),
	        tailbox__show_us(length, tailbox__tl_run_end_us(w->run)),
	        f->requests, plural(f->requests));
	tailbox__page_end(&w->page, INDENT);
	put_caveat(w, f->lost, "items LOST or CUT OFF");
	put_caveat(w, f->excluded, "requests that are not valid, LEFT OUT");
	put_caveat(w, f->unfinished,
	           "requests that had not finished, LEFT OUT");
	put_caveat(w, f->unknown_outcomes,
	           "requests with an outcome of their own, not taken as "
	           "failed");
}

static void put_counts(struct writer *w)
{
	const struct tailbox__failures *f = w->failures;
	char slow[TAILBOX__SHOW_ROOM];
	bool has_any = false;

	if (f->slow_us != TAILBOX__NONE)
		tailbox__show_us(slow, f->slow_us);
	for (unsigned k = 0; k < TAILBOX__FAILURE_COUNT; k++) {
		const uint64_t n = f->kinds[k].count;
		if (n == 0)
			continue;
		fprintf(w->line, "%s%" PRIu64 " %s%s", has_any ? ", " : "", n,
		        nouns[k], plural(n));
		if (k == TAILBOX__FAILURE_SLOW)
			fprintf(w->line, " (%s or longer)", slow);
		has_any = true;
	}
	if (!has_any) {
		fputs("no request failed", w->line);
		if (f->slow_us != TAILBOX__NONE)
			fprintf(w->line, ", and none took %s or longer", slow);
	}
	tailbox__page_end(&w->page, INDENT);
}

/* --- the sentence of a group ---------------------------------------------- */

static void put_place(const struct writer *w,
                      const struct tailbox__failure_group *g)
{
	if (!g->is_explained) {
		fputs("stayed where nothing was measured", w->line);
	} else if (g->is_for_worker) {
		fputs(phase_words[TAILBOX__PHASE_INGRESS], w->line);
	} else if (g->piece.kind == TAILBOX__PIECE_PHASE) {
		fputs(phase_words[g->piece.phase], w->line);
	} else if (g->piece.kind == TAILBOX__PIECE_READER) {
		fputs("stayed in the content reader", w->line);
	} else {
		fputs(g->is_wait ? "waited on " : "stayed in stage ", w->line);
		put_name(w, g->piece.name);
	}
}

static void put_usage(const struct writer *w,
                      const struct tailbox__failure_group *g)
{
	const struct tailbox__usage *u = &g->usage;
	const char *what = g->is_for_worker ? "busy" : "in use";
	const bool is_full = u->full > 0;
	char time[TAILBOX__SHOW_ROOM];

	if (u->samples > 0 && u->size != TAILBOX__NONE)
		fprintf(w->line, ", %s%" PRIu64 " of %" PRIu64 " %s",
		        is_full ? "" : "at most ", u->in_use, u->size, what);
	else if (u->samples > 0)
		fprintf(w->line, ", up to %" PRIu64 " %s", u->in_use, what);
	if (is_full)
		fprintf(w->line, " (%" PRIu64 " of %" PRIu64 " sample%s)",
		        u->full, u->sized, plural(u->sized));
	else if (u->samples > 0)
		fprintf(w->line, " (%" PRIu64 " sample%s)", u->samples,
		        plural(u->samples));
	if (u->waiting != TAILBOX__NONE)
		fprintf(w->line, ", up to %" PRIu64 " waiting", u->waiting);
	if (u->oldest_us != TAILBOX__NONE && u->oldest_us > 0)
		fprintf(w->line, " for up to %s",
		        tailbox__show_us(time, u->oldest_us));
	if (g->depth != TAILBOX__NONE)
		fprintf(w->line, ", up to %" PRIu64 " ahead", g->depth);
}

static void put_times(struct writer *w, const struct tailbox__failure_group *g)
{
	char median[TAILBOX__SHOW_ROOM], most[TAILBOX__SHOW_ROOM];

	tailbox__show_us(median, g->p50_blocked_us);
	tailbox__show_us(most, g->max_blocked_us);
	fprintf(w->line, "%*s", INDENT, "");
	put_percent(w, g->blocked_us, g->latency_us);
	if (g->count == 1)
		fprintf(w->line, " of its time, %s", most);
	else
		fprintf(w->line, " of their time, median %s, at most %s",
		        median, most);
	if (g->open > 0)
		fprintf(w->line, "; %" PRIu64 " more %s not ended there",
		        g->open, g->open == 1 ? "has" : "have");
	tailbox__page_end(&w->page, INDENT + 2);
}

/* --- what they have in common --------------------------------------------- */

static void put_share(const struct writer *w,
                      const struct tailbox__failure_group *g,
                      const struct tailbox__share *s)
{
	fprintf(w->line, "%" PRIu64 " of %" PRIu64 " (", s->members, g->count);
	if (s->others == 0)
		fputs("no other", w->line);
	else
		put_percent(w, s->others, s->others_known);
	fputs(s->others == 0 ? " request)" : " of all others)", w->line);
}

static void put_shared(struct writer *w, const struct tailbox__failure_group *g)
{
	for (size_t i = 0; i < g->shared_count; i++) {
		const struct tailbox__trait *t = &g->shared[i].trait;

		fprintf(w->line, "%*sshared: %s ", INDENT, "",
		        trait_words[t->kind]);
		if (t->kind == TAILBOX__TRAIT_WORKER) {
			fprintf(w->line, "%" PRIu32, t->value);
		} else if (t->kind == TAILBOX__TRAIT_TAG) {
			put_text(w, t->key, TAG_KEY);
			fputc('=', w->line);
			put_text(w, t->value, TAG_VALUE);
		} else {
			put_name(w, t->value);
		}
		fputs(": ", w->line);
		put_share(w, g, &g->shared[i].share);
		tailbox__page_end(&w->page, INDENT + 2);
	}
}

static void put_moment(struct writer *w, const struct tailbox__failure_group *g)
{
	const struct tailbox__moment *m = &g->moment;
	const uint64_t run_us = tailbox__tl_run_end_us(w->run);
	char at[TAILBOX__SHOW_ROOM], length[TAILBOX__SHOW_ROOM];
	char whole[TAILBOX__SHOW_ROOM];

	if (!m->is_known)
		return;
	tailbox__show_clock_ms(at, tailbox__sat_add(w->run->meta.started_ms,
	                                            m->from_us / 1000));
	tailbox__show_us(length, m->to_us - m->from_us);
	tailbox__show_us(whole, run_us);
	fprintf(w->line, "%*sshared: began at %s within %s of %s: ", INDENT, "",
	        at, length, whole);
	put_share(w, g, &m->share);
	tailbox__page_end(&w->page, INDENT + 2);
}

static void put_holders(struct writer *w,
                        const struct tailbox__failure_group *g)
{
	if (!g->is_for_worker || g->holder_count == 0)
		return;
	fprintf(w->line, "%*sheld by: ", INDENT, "");
	for (size_t i = 0; i < g->holder_count; i++) {
		fputs(i > 0 ? ", " : "", w->line);
		put_name(w, g->holders[i].route);
		fprintf(w->line, " (%" PRIu64 ")", g->holders[i].count);
	}
	if (g->other_held > 0)
		fprintf(w->line, ", others (%" PRIu64 ")", g->other_held);
	if (g->unknown_held > 0)
		fprintf(w->line, ", not known (%" PRIu64 ")", g->unknown_held);
	tailbox__page_end(&w->page, INDENT + 2);
}

static void put_group(struct writer *w, enum tailbox__failure kind,
                      const struct tailbox__failure_group *g)
{
	const uint64_t all = w->failures->kinds[kind].count;

	fprintf(w->line, "  %" PRIu64 " of %" PRIu64 " %s%s ", g->count, all,
	        nouns[kind], plural(all));
	put_place(w, g);
	put_usage(w, g);
	tailbox__page_end(&w->page, INDENT);
	put_times(w, g);
	put_holders(w, g);
	put_shared(w, g);
	put_moment(w, g);
	if (g->count > 1 && g->shared_count == 0 && !g->moment.is_known) {
		fprintf(w->line, "%*s%s", INDENT, "",
		        g->count == w->failures->requests
		                ? "no other requests to compare them with"
		                : "nothing else in common that stands out");
		tailbox__page_end(&w->page, INDENT + 2);
	}
}

static void put_kind(struct writer *w, enum tailbox__failure kind)
{
	const struct tailbox__failure_kind *k = &w->failures->kinds[kind];
	uint64_t hidden = 0;

	if (k->count == 0)
		return;
	tailbox__page_end(&w->page, 0);
	for (size_t i = 0; i < k->group_count; i++) {
		if (i < GROUPS_SHOWN)
			put_group(w, kind, &k->groups[i]);
		else
			hidden += k->groups[i].count;
	}
	if (hidden == 0)
		return;
	fprintf(w->line, "  %" PRIu64 " more in %zu smaller group%s: see --json",
	        hidden, k->group_count - GROUPS_SHOWN,
	        plural(k->group_count - GROUPS_SHOWN));
	tailbox__page_end(&w->page, INDENT);
}

/* --- foot ----------------------------------------------------------------- */

/* The worst of the largest group is the one to look at. */
static void put_next(struct writer *w)
{
	const struct tailbox__failure_group *most = NULL;

	for (unsigned k = 0; k < TAILBOX__FAILURE_COUNT; k++) {
		const struct tailbox__failure_kind *kind =
		        &w->failures->kinds[k];

		if (kind->group_count > 0 &&
		    (!most || kind->groups[0].count > most->count))
			most = &kind->groups[0];
	}
	if (!most)
		return;
	tailbox__page_end(&w->page, 0);
	fprintf(w->line,
	        "shared: by at least %u%% of a group, at least %u times as "
	        "often as by all others, and not by chance (1 in 1000).",
	        TAILBOX__SHARED_PERMILLE / 10, TAILBOX__SHARED_TIMES);
	tailbox__page_end(&w->page, INDENT + 2);
	fputs("next: tailbox timeline TARGET --request ", w->line);
	put_name(w, w->run->requests.items[most->longest].id);
	tailbox__page_end(&w->page, INDENT);
}

int tailbox__failures_text(const struct tailbox__failures *f,
                           const struct tailbox__run *run, FILE *out)
{
	struct writer w = { .run = run, .failures = f };
	int rc = tailbox__page_init(&w.page, out);

	if (rc == 0) {
		w.line = w.page.line;
		put_head(&w);
		put_counts(&w);
		for (unsigned k = 0; k < TAILBOX__FAILURE_COUNT; k++)
			put_kind(&w, (enum tailbox__failure)k);
		put_next(&w);
		rc = tailbox__page_fini(&w.page);
		fputc('\n', out);
	}
	return rc;
}
