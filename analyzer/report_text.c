/* analyzer/report_text.c - a report for people.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 15. Whoever reads it was called out of bed: the
 * facts and the first suspect come before anything else and fit a small
 * screen, what is doubtful comes before what to do. A section that has nothing
 * to say is not there; a figure that is not known says so.
 */
#include "analyzer/report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzer/report_page.h"
#include "analyzer/timeline_text.h"
#include "core/alloc.h"

enum {
	LABEL = 12, /* columns of a label of the head */
	ENTRY = 4,  /* columns before the text of an entry */
	ANATOMY_ROWS = 6
};

/* --- pieces of a line ----------------------------------------------------- */

static void put_name(struct tailbox__page *p, const struct tailbox__run *run,
                     tailbox__str s)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	tailbox__page_text(p, text, len);
}

static void put_label(struct tailbox__page *p, const char *label)
{
	fprintf(p->line, "%-*s", LABEL, label);
}

static void put_us(struct tailbox__page *p, const char *name, uint64_t us,
                   bool is_known)
{
	if (is_known)
		fprintf(p->line, "%s %" PRIu64 " us", name, us);
	else
		fprintf(p->line, "%s not available", name);
}

static void put_share(struct tailbox__page *p, const char *name,
                      uint64_t permille)
{
	if (permille == TAILBOX__NONE)
		fprintf(p->line, "%s not available", name);
	else
		fprintf(p->line, "%s %" PRIu64 ".%" PRIu64 "%%", name,
		        permille / 10, permille % 10);
}

static void put_suspect(struct tailbox__page *p,
                        const struct tailbox__suspect *s)
{
	fprintf(p->line, "%s, %s confidence, score %u",
	        tailbox__suspect_names[s->kind],
	        tailbox__confidence_names[s->confidence], s->score);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* --- the head ------------------------------------------------------------- */

static void put_title(struct tailbox__page *p, const struct tailbox__run *run)
{
	const struct tailbox__run_meta *m = &run->meta;
	char from[TAILBOX__SHOW_ROOM], dur[TAILBOX__SHOW_ROOM];

	fputs("analysis of ", p->line);
	put_name(p, run, m->service_name);
	if (m->service_version) {
		fputc(' ', p->line);
		put_name(p, run, m->service_version);
	}
	if (m->host) {
		fputs(" on ", p->line);
		put_name(p, run, m->host);
	}
	if (m->has_pid)
		fprintf(p->line, ", pid %" PRIu32, m->pid);
	fprintf(p->line, ", %s UTC", tailbox__show_utc(from, m->started_ms));
	uint64_t ms = m->finalized_ms - m->started_ms;
	if (m->finalized_ms != TAILBOX__NONE &&
	    m->finalized_ms >= m->started_ms && ms <= UINT64_MAX / 1000)
		fprintf(p->line, " (%s)", tailbox__show_us(dur, ms * 1000));
	tailbox__page_end(p, ENTRY);
}

static void put_latency(struct tailbox__page *p,
                        const struct tailbox__report_slice *s)
{
	const bool has_any = s->request_count > 0;

	put_label(p, "requests");
	fprintf(p->line, "%" PRIu64, s->request_count);
	tailbox__page_end(p, LABEL);
	put_label(p, "latency");
	put_us(p, "p50", s->p50_us, has_any);
	put_us(p, ", p95", s->p95_us, has_any);
	put_us(p, ", p99", s->p99_us, has_any);
	tailbox__page_end(p, LABEL);
	put_label(p, "p95 shares");
	put_share(p, "queue share", s->p95_queue_permille);
	put_share(p, ", service share", s->p95_service_permille);
	/* Or the reader wonders why they do not add up. */
	if (s->p95_queue_permille != TAILBOX__NONE)
		fputs(" (each its own p95)", p->line);
	tailbox__page_end(p, LABEL);
}

static void put_rate(struct tailbox__page *p, int64_t milli)
{
	/* Not -milli: of the least number there is no such thing. */
	uint64_t n = milli < 0 ? 0 - (uint64_t)milli : (uint64_t)milli;

	fprintf(p->line, ", rate %c%" PRIu64 ".%03" PRIu64 "/s",
	        milli < 0 ? '-' : '+', n / 1000, n % 1000);
}

static void put_trend(struct tailbox__page *p, const struct tailbox__run *run,
                      const struct tailbox__report_trend *t)
{
	put_label(p, "in flight");
	if (!t->is_known) {
		fputs("none", p->line);
		tailbox__page_end(p, LABEL);
		return;
	}
	put_name(p, run, t->gauge);
	fprintf(p->line,
	        ": %" PRIu64 " sample%s, peak %" PRIu64 ", p95 %" PRIu64,
	        t->sample_count, plural(t->sample_count), t->peak_count,
	        t->p95_count);
	if (t->sample_count < 2)
		fputs(", net growth not available", p->line);
	else
		fprintf(p->line, ", net growth %+" PRId64, t->growth_delta);
	if (t->has_rate)
		put_rate(p, t->growth_per_sec_milli);
	else
		fputs(", rate not available", p->line);
	tailbox__page_end(p, LABEL);
}

static void put_primary(struct tailbox__page *p,
                        const struct tailbox__report_slice *s)
{
	put_label(p, "suspect");
	put_suspect(p, &s->suspects[0]);
	tailbox__page_end(p, LABEL);
	put_label(p, "");
	fputs(tailbox__suspect_meanings[s->suspects[0].kind], p->line);
	tailbox__page_end(p, LABEL);
}

static void put_quality(struct tailbox__page *p,
                        const struct tailbox__report_quality *q)
{
	const struct tailbox__texts *t = &q->limitations;

	put_label(p, "quality");
	fputs(tailbox__quality_names[q->quality], p->line);
	if (t->count) {
		fputs(": ", p->line);
		tailbox__page_text(p, t->items[0], strlen(t->items[0]));
	}
	if (t->count > 1)
		fprintf(p->line, " (and %zu more)", t->count - 1);
	tailbox__page_end(p, LABEL);
}

/* --- sections ------------------------------------------------------------- */

static void put_heading(struct tailbox__page *p, const char *text)
{
	tailbox__page_end(p, 0);
	fputs(text, p->line);
	tailbox__page_end(p, 0);
}

static void begin_entry(struct tailbox__page *p)
{
	fprintf(p->line, "%*s", ENTRY, "- ");
}

static void put_texts(struct tailbox__page *p, const char *heading,
                      const struct tailbox__texts *t)
{
	if (t->count)
		put_heading(p, heading);
	for (size_t i = 0; i < t->count; i++) {
		begin_entry(p);
		tailbox__page_text(p, t->items[i], strlen(t->items[i]));
		tailbox__page_end(p, ENTRY);
	}
}

/* What is behind a suspect that is not the first: the standard has no place
 * for it. */
static void put_behind(struct tailbox__page *p,
                       const struct tailbox__suspect *s)
{
	if (s->title) {
		fprintf(p->line, "%*s", ENTRY, "");
		tailbox__page_text(p, s->title, strlen(s->title));
		tailbox__page_end(p, ENTRY);
	}
	if (s->explained_by < TAILBOX__SUSPECT_COUNT) {
		fprintf(p->line, "%*s%s %s", ENTRY, "",
		        s->explained_by == TAILBOX__SUSPECT_LOOP
		                ? "of less time than"
		                : "the same time as",
		        tailbox__suspect_names[s->explained_by]);
		tailbox__page_end(p, ENTRY);
	}
	for (size_t i = 0; i < s->evidence.count; i++) {
		fprintf(p->line, "%*s", ENTRY, "");
		tailbox__page_text(p, s->evidence.items[i],
		                   strlen(s->evidence.items[i]));
		tailbox__page_end(p, ENTRY);
	}
}

static void put_others(struct tailbox__page *p, const struct tailbox__report *r)
{
	const struct tailbox__report_slice *s = &r->whole;

	if (s->suspect_count > 1)
		put_heading(p, "other suspects");
	for (size_t i = 1; i < s->suspect_count; i++) {
		begin_entry(p);
		put_suspect(p, &s->suspects[i]);
		tailbox__page_end(p, ENTRY);
		if (!r->is_compat)
			put_behind(p, &s->suspects[i]);
	}
}

static void put_rulings(struct tailbox__page *p,
                        const struct tailbox__report *r,
                        enum tailbox__ruling ruling, const char *heading)
{
	bool has_heading = false;

	for (size_t i = 0; i < r->findings.count; i++) {
		const struct tailbox__finding *f = &r->findings.items[i];

		if (r->is_compat || f->ruling != ruling)
			continue;
		if (!has_heading)
			put_heading(p, heading);
		has_heading = true;
		begin_entry(p);
		fputs(tailbox__suspect_names[f->kind], p->line);
		if (f->text) {
			fputs(": ", p->line);
			tailbox__page_text(p, f->text, strlen(f->text));
		}
		tailbox__page_end(p, ENTRY);
	}
}

/* The rest of a line about a part of the run. */
static void put_slice(struct tailbox__page *p,
                      const struct tailbox__report_slice *s)
{
	fprintf(p->line, ": %" PRIu64 " request%s, ", s->request_count,
	        plural(s->request_count));
	put_us(p, "p95", s->p95_us, s->request_count > 0);
	fprintf(p->line, ", %s (%s)",
	        tailbox__suspect_names[s->suspects[0].kind],
	        tailbox__confidence_names[s->suspects[0].confidence]);
	tailbox__page_end(p, ENTRY);
}

static void put_routes(struct tailbox__page *p, const struct tailbox__run *run,
                       const struct tailbox__report *r)
{
	if (r->routes.count)
		put_heading(p, "routes, and the first suspect of each");
	for (size_t i = 0; i < r->routes.count; i++) {
		begin_entry(p);
		put_name(p, run, r->routes.items[i].route);
		put_slice(p, &r->routes.items[i].slice);
	}
}

static int put_options(struct tailbox__page *p,
                       const struct tailbox__analyzer_options *o)
{
	bool has_heading = false;

	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		if (!tailbox__option_differs(o, (enum tailbox__option)i))
			continue;
		char *text = tailbox__option_text(o, (enum tailbox__option)i);
		if (!text)
			return -ENOMEM;
		if (!has_heading)
			put_heading(p, "options that are not the default");
		has_heading = true;
		begin_entry(p);
		fprintf(p->line, "%s = ",
		        tailbox__option_path((enum tailbox__option)i));
		tailbox__page_text(p, text, strlen(text));
		tailbox__page_end(p, ENTRY);
		tailbox__free(text);
	}
	return 0;
}

static void put_segments(struct tailbox__page *p,
                         const struct tailbox__report *r)
{
	if (r->segments.count)
		put_heading(p, "halves, and the first suspect of each");
	for (size_t i = 0; i < r->segments.count; i++) {
		begin_entry(p);
		fputs(r->segments.items[i].name, p->line);
		put_slice(p, &r->segments.items[i].slice);
	}
}

/* Between lines of the page, which is written line by line. */
static void put_anatomy(struct tailbox__page *p, const struct tailbox__run *run,
                        const struct tailbox__report *r)
{
	if (r->is_compat || r->anatomy.tail_count == 0)
		return;
	put_heading(p, "where the time goes");
	tailbox__anatomy_text(&r->anatomy, run, ANATOMY_ROWS, p->out);
}

int tailbox__report_text(const struct tailbox__report *r,
                         const struct tailbox__run *run,
                         const struct tailbox__analyzer_options *o, FILE *out)
{
	const struct tailbox__suspect *first = &r->whole.suspects[0];
	struct tailbox__page p;
	int rc = tailbox__page_init(&p, out), end;

	if (rc == 0) {
		put_title(&p, run);
		put_latency(&p, &r->whole);
		put_trend(&p, run, &r->trend);
		put_primary(&p, &r->whole);
		put_quality(&p, &r->whole.quality);
		put_anatomy(&p, run, r);
		put_texts(&p, "warnings", &r->whole.warnings);
		put_texts(&p, "evidence", &first->evidence);
		put_texts(&p, "why the confidence is not higher",
		          &first->notes);
		put_texts(&p, "next checks", &first->next_checks);
		put_others(&p, r);
		put_rulings(&p, r, TAILBOX__RULING_OUT, "ruled out");
		put_rulings(&p, r, TAILBOX__RULING_CANNOT_TELL, "cannot tell");
		put_routes(&p, run, r);
		rc = put_options(&p, o);
		put_segments(&p, r);
	}
	end = tailbox__page_fini(&p);
	return rc < 0 ? rc : end;
}
