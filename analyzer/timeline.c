/* analyzer/timeline.c - the page around the waterfalls: whose run it is, what
 * is missing from it, the routes, what had not ended.
 *
 * SPDX-License-Identifier: MIT
 *
 * Read from the top: who and when, then whether the figures can be trusted,
 * then the figures. The worst route comes first.
 */
#include "analyzer/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzer/timeline_model.h"
#include "analyzer/timeline_text.h"
#include "core/alloc.h"

enum { ROUTES = 20, OPEN_SHOWN = 5, WARNINGS_SHOWN = 5 };

struct page {
	const struct tailbox__run *run;
	FILE *out;
	size_t width;
};

void tailbox__timeline_options_init(struct tailbox__timeline_options *o)
{
	memset(o, 0, sizeof(*o));
	o->width = TAILBOX__TIMELINE_WIDTH;
	o->slowest = TAILBOX__TIMELINE_SLOWEST;
	o->max_routes = ROUTES;
}

static void put_str(const struct page *p, tailbox__str s, size_t columns)
{
	size_t len;
	const char *text = tailbox__run_text(p->run, s, &len);

	tailbox__show_text(p->out, text, len, columns);
}

/* --- head ----------------------------------------------------------------- */

static void put_who(const struct page *p)
{
	const struct tailbox__run_meta *m = &p->run->meta;

	put_str(p, m->service_name, 24);
	if (m->service_version) {
		fputc(' ', p->out);
		put_str(p, m->service_version, 16);
	}
	if (m->host) {
		fputs("  on ", p->out);
		put_str(p, m->host, 20);
	}
	if (m->has_pid)
		fprintf(p->out, "  pid %" PRIu32, m->pid);
	fputc('\n', p->out);
}

static void put_when(const struct page *p)
{
	const struct tailbox__run_meta *m = &p->run->meta;
	char from[TAILBOX__SHOW_ROOM], to[TAILBOX__SHOW_ROOM];
	char dur[TAILBOX__SHOW_ROOM];
	const uint64_t day = 86400000;

	tailbox__show_utc(from, m->started_ms);
	if (m->finalized_ms == TAILBOX__NONE) {
		fprintf(p->out, "%s UTC, still open: a live snapshot", from);
	} else {
		if (m->started_ms / day == m->finalized_ms / day)
			tailbox__show_clock(to, m->finalized_ms);
		else
			tailbox__show_utc(to, m->finalized_ms);
		uint64_t ms = m->finalized_ms > m->started_ms
		                      ? m->finalized_ms - m->started_ms
		                      : 0;
		if (ms > UINT64_MAX / 1000)
			ms = UINT64_MAX / 1000;
		fprintf(p->out, "%s - %s UTC (%s)", from, to,
		        tailbox__show_us(dur, ms * 1000));
	}
	fprintf(p->out, "  %s\n",
	        m->mode == TAILBOX__MODE_INVESTIGATION ? "investigation"
	                                               : "light");
	const struct tailbox__run_pair *note =
	        tailbox__run_extra(p->run, "note");
	if (note && note->text) {
		fputs("note: ", p->out);
		put_str(p, note->text, p->width - 6);
		fputc('\n', p->out);
	}
}

/* Extensions that count losses, "lost_blocks 3". Returns whether any. */
static bool put_losses(const struct page *p)
{
	const struct tailbox__run_meta *m = &p->run->meta;
	bool any = false;
	size_t column = 0;

	for (size_t i = 0; i < m->extra.count; i++) {
		const struct tailbox__run_pair *pair = &m->extra.items[i];
		char text[64];
		size_t len;
		if (!pair->number || !tailbox__tl_is_loss(p->run, pair))
			continue;
		const char *key = tailbox__run_text(p->run, pair->key, &len);
		if (!strncmp(key, "lost_", 5))
			key += 5;
		snprintf(text, sizeof(text), "%.32s %" PRIu64, key,
		         pair->number);
		for (char *c = text; *c; c++)
			if (*c == '_' || (unsigned char)*c < 0x20 ||
			    (unsigned char)*c > 0x7e)
				*c = ' ';
		if (any && column + 2 + strlen(text) > p->width) {
			fputs(",\n   ", p->out);
			column = 3;
		} else {
			column += (size_t)fprintf(p->out, "%s",
			                          any ? ", " : "LOST  ");
		}
		column += (size_t)fprintf(p->out, "%s", text);
		any = true;
	}
	if (any)
		fputc('\n', p->out);
	return any;
}

/* What the run's limits cut off. Returns whether anything was. */
static bool put_cuts(const struct page *p)
{
	const struct tailbox__run_truncation *t = &p->run->truncation;
	struct tailbox__tl_cut cuts[TAILBOX__TL_CUTS];
	bool any = false;

	tailbox__tl_cuts(p->run, cuts);
	for (size_t i = 0; i < TAILBOX__TL_CUTS; i++) {
		if (!cuts[i].n)
			continue;
		fprintf(p->out, "%s%s %" PRIu64, any ? ", " : "CUT OFF  ",
		        cuts[i].what, cuts[i].n);
		any = true;
	}
	if (any)
		fputs(", beyond the limits\n", p->out);
	else if (t->limits_hit)
		fputs("CUT OFF  a limit was reached\n", p->out);
	return any || t->limits_hit;
}

/* A warning, on at most four lines that break at blanks. */
static void put_note(const struct page *p, tailbox__str s)
{
	size_t len, room = p->width - 6;
	const char *text = tailbox__run_text(p->run, s, &len);

	for (unsigned line = 0; line < 4 && (len || !line); line++) {
		size_t n = len;
		if (len > room && line < 3) {
			for (n = room; n && text[n] != ' ';)
				n--;
			n = n ? n : room;
		}
		fputs(line ? "      " : "NOTE  ", p->out);
		tailbox__show_text(p->out, text, n, room);
		fputc('\n', p->out);
		n += n < len && text[n] == ' ';
		text += n;
		len -= n;
	}
}

static void put_quality(const struct page *p)
{
	const struct tailbox__run_meta *m = &p->run->meta;
	bool any = put_losses(p);

	any |= put_cuts(p);
	if (m->unfinished_count) {
		fprintf(p->out, "OPEN  %" PRIu64 " had not ended\n",
		        m->unfinished_count);
		any = true;
	}
	for (size_t i = 0; i < m->warnings.count; i++) {
		if (i == WARNINGS_SHOWN) {
			fprintf(p->out, "NOTE  and %zu more\n",
			        m->warnings.count - i);
			break;
		}
		put_note(p, m->warnings.items[i]);
		any = true;
	}
	if (!any)
		fputs("complete: nothing lost, nothing cut off\n", p->out);
}

/* --- figures -------------------------------------------------------------- */

static void put_times(const struct page *p, const struct tailbox__tl_route *r)
{
	const uint64_t values[] = { r->p50, r->p95, r->p99, r->max };
	char text[TAILBOX__SHOW_ROOM];

	for (size_t i = 0; i < 4; i++)
		fprintf(p->out, " %8s", tailbox__show_us(text, values[i]));
}

/* The route column takes what the others leave. */
static void put_table(const struct page *p,
                      const struct tailbox__tl_summary *s, size_t max)
{
	size_t column = p->width - 9 - 4 * 9 - 8, len, rest = 0;
	const struct tailbox__tl_route *r = s->routes;

	fprintf(p->out, "\n%-*s %8s %8s %8s %8s %8s %7s\n", (int)column,
	        "route", "n", "p50", "p95", "p99", "max", "errors");
	for (size_t i = 0; i < s->route_count && i < max; i++, r++) {
		const char *text = tailbox__run_text(p->run, r->route, &len);
		tailbox__show_padded(p->out, text, len, column);
		fprintf(p->out, " %8zu", r->n);
		put_times(p, r);
		fprintf(p->out, " %7zu\n", r->errors);
	}
	for (size_t i = max; i < s->route_count; i++)
		rest += s->routes[i].n;
	if (rest)
		fprintf(p->out, "... %zu more routes, %zu requests, p99 %s\n",
		        s->route_count - max, rest, "below these");
	if (s->route_count > 1) {
		tailbox__show_padded(p->out, "all", 3, column);
		fprintf(p->out, " %8zu", s->all.n);
		put_times(p, &s->all);
		fprintf(p->out, " %7zu\n", s->all.errors);
	}
}

/* ceil((n - 1) * 99 / 100) is n - 1 up to 100 values: say what p99 is. */
static void put_thin(const struct page *p, const struct tailbox__tl_summary *s)
{
	if (s->all.n > 1 && s->all.n <= 100)
		fprintf(p->out, "(p99 of %zu requests is the slowest one)\n",
		        s->all.n);
}

static void put_count(const struct page *p,
                      const struct tailbox__tl_summary *s)
{
	uint64_t us = tailbox__tl_run_end_us(p->run);

	fprintf(p->out, "%zu request%s", s->all.n, s->all.n == 1 ? "" : "s");
	if (s->all.n < p->run->requests.count)
		fprintf(p->out, " of %zu", p->run->requests.count);
	if (us >= 1000000) {
		double rate = (double)s->all.n * 1e6 / (double)us;
		fprintf(p->out, ", %.*f/s", rate < 10 ? 2 : rate < 100 ? 1 : 0,
		        rate);
	}
	fputc('\n', p->out);
}

/* --- what had not ended --------------------------------------------------- */

static void put_open_row(const struct page *p,
                         const struct tailbox__run_open *o, uint64_t end_us)
{
	char text[TAILBOX__SHOW_ROOM];
	size_t len;
	const char *route = tailbox__run_text(p->run, o->route, &len);

	fprintf(p->out, "%9s  ",
	        o->start_us == TAILBOX__NONE
	                ? "?"
	                : tailbox__show_us(text, end_us > o->start_us
	                                                 ? end_us - o->start_us
	                                                 : 0));
	tailbox__show_padded(p->out, route, len, 28);
	if (o->where) {
		fputs("  in ", p->out);
		put_str(p, o->where, 20);
	} else {
		fprintf(p->out, "  %s",
		        o->phase < TAILBOX__PHASE_COUNT
		                ? tailbox__phase_names[o->phase]
		                : "");
	}
	if (o->since_us != TAILBOX__NONE && end_us >= o->since_us)
		fprintf(p->out, " for %s",
		        tailbox__show_us(text, end_us - o->since_us));
	fputc('\n', p->out);
	if (!o->site && !o->number)
		return;
	fputs("          ", p->out);
	if (o->number)
		fprintf(p->out, " number %" PRIu64, o->number);
	if (o->site) {
		fputs(" at ", p->out);
		put_str(p, o->site, p->width - 44);
	}
	fputc('\n', p->out);
}

static void put_open(const struct page *p)
{
	uint64_t end_us = tailbox__tl_run_end_us(p->run);
	size_t n = p->run->open.count;

	if (!n)
		return;
	fprintf(p->out, "\nnot ended%s\n",
	        n > OPEN_SHOWN ? ", the first of them" : "");
	for (size_t i = 0; i < n && i < OPEN_SHOWN; i++)
		put_open_row(p, &p->run->open.items[i], end_us);
}

/* --- holds ----------------------------------------------------------------- */

static void put_hold(const struct page *p, const struct tailbox__run_hold *h)
{
	char text[TAILBOX__SHOW_ROOM];
	size_t len;
	const char *route = tailbox__run_text(p->run, h->route, &len);

	fprintf(p->out, "%9s  ", tailbox__show_us(text, h->dur_us));
	tailbox__show_padded(p->out, len ? route : "-", len ? len : 1, 28);
	fprintf(p->out, "  %-10s",
	        h->kind && h->kind < TAILBOX__HOLD_KINDS
	                ? tailbox__hold_names[h->kind]
	                : "?");
	if (h->worker != UINT32_MAX)
		fprintf(p->out, " worker %" PRIu32, h->worker);
	if (h->start_us != TAILBOX__NONE)
		fprintf(p->out, " at +%s", tailbox__show_us(text, h->start_us));
	fputc('\n', p->out);
}

static void put_holds(const struct page *p)
{
	const size_t n = p->run->holds.count;
	size_t shown[TAILBOX__TL_HOLDS];
	const size_t count = tailbox__tl_longest_holds(p->run, shown);

	if (n)
		fprintf(p->out, "\nlongest holds of a worker, of %zu\n", n);
	for (size_t i = 0; i < count; i++)
		put_hold(p, &p->run->holds.items[shown[i]]);
}

/* --- all ------------------------------------------------------------------ */

static int put_slowest(const struct page *p,
                       const struct tailbox__timeline_options *o,
                       const struct tailbox__tl_summary *s,
                       const struct tailbox__run *run)
{
	if (!s->slowest_count)
		return 0;
	if (!o->request)
		fprintf(p->out, "\nslowest %zu\n", s->slowest_count);
	else
		fputc('\n', p->out);
	tailbox__tl_legend(p->out);
	for (size_t i = 0; i < s->slowest_count; i++) {
		struct tailbox__tl_request r;
		int rc = tailbox__tl_request(run, s->slowest[i], &r);
		if (rc < 0)
			return rc;
		fputc('\n', p->out);
		tailbox__tl_draw(run, &r, i + 1, p->width, p->out);
		tailbox__tl_request_fini(&r);
	}
	return 0;
}

int tailbox__timeline_text(const struct tailbox__run *run,
                           const struct tailbox__timeline_options *o,
                           FILE *out, struct tailbox__error *err)
{
	struct page p = { run, out, o->width ? o->width
		                             : TAILBOX__TIMELINE_WIDTH };
	struct tailbox__tl_summary s;
	const struct tailbox__run *of;
	struct tailbox__run kept;

	if (p.width < TAILBOX__TIMELINE_WIDTH_MIN)
		p.width = TAILBOX__TIMELINE_WIDTH_MIN;
	if (p.width > TAILBOX__TIMELINE_WIDTH_MAX)
		p.width = TAILBOX__TIMELINE_WIDTH_MAX;
	int rc = tailbox__tl_summarize_any(run, o, &s, &kept, &of, err);
	if (rc < 0)
		return rc;
	put_who(&p);
	put_when(&p);
	put_quality(&p);
	if (of == run)
		put_count(&p, &s);
	else
		fputs("kept from before\n", out);
	if (!o->request && s.all.n) {
		put_table(&p, &s, o->max_routes ? o->max_routes : ROUTES);
		put_thin(&p, &s);
	}
	if (!o->request) {
		put_open(&p);
		put_holds(&p);
		tailbox__tl_put_stacks(run, out, p.width);
	}
	rc = put_slowest(&p, o, &s, of);
	if (!o->request)
		tailbox__tl_kept(run, out);
	tailbox__tl_summary_fini(&s);
	return rc < 0 ? tailbox__fail(err, rc, "out of memory") : 0;
}
