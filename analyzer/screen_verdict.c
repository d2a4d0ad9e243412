/* analyzer/screen_verdict.c - the first screen: the verdict and its evidence.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "analyzer/screen_line.h"
#include "analyzer/timeline_text.h"

#define INDENT TAILBOX__SL_INDENT
#define WIDTH TAILBOX__SCREEN_WIDTH

enum { TITLE = 50 }; /* columns */

static void tell_suspect(struct tailbox__sl_string *t,
                         const struct tailbox__suspect *s,
                         const struct tailbox__suspect *lead)
{
	char title[4 * TITLE + 1];

	tailbox__suspect_title(s, title, sizeof(title), TITLE);
	const bool is_explained = lead && s->explained_by == lead->kind;

	tailbox__sl_add(t, "%s (%u, %s%s)", title, s->score,
	                tailbox__confidence_names[s->confidence],
	                !is_explained ? "" :
	                lead->kind == TAILBOX__SUSPECT_LOOP ?
	                                ", of less time" :
	                                ", the same time");
}

/* Whether the screen says below that it is not this one. */
static bool is_ruled_out(const struct tailbox__report *r,
                         enum tailbox__suspect_kind kind)
{
	for (size_t i = 0; i < r->findings.count; i++)
		if (r->findings.items[i].kind == kind)
			return r->findings.items[i].ruling ==
			       TAILBOX__RULING_OUT;
	return false;
}

/* All suspects but the lead; "" when there are none. Beside one that is likely,
 * those that are ruled out are no help. */
static void tell_others(const struct tailbox__sl_screen *s,
                        struct tailbox__sl_string *t,
                        const struct tailbox__suspect *lead)
{
	const struct tailbox__report_slice *w = &s->r->whole;

	for (size_t i = 0; i < w->suspect_count; i++) {
		const struct tailbox__suspect *one = &w->suspects[i];

		if (one == lead || one->kind == TAILBOX__SUSPECT_UNKNOWN ||
		    (s->r->verdict == TAILBOX__REPORT_LIKELY &&
		     is_ruled_out(s->r, one->kind)))
			continue;
		if (t->len)
			tailbox__sl_add(t, "; ");
		tell_suspect(t, one, lead);
	}
}

/* "p99 is 2.2 times p50"; with a p50 of 0 there is no such number. */
static void tell_ratio(const struct tailbox__sl_screen *s,
                       struct tailbox__sl_string *t)
{
	const struct tailbox__report_slice *w = &s->r->whole;
	char p99[TAILBOX__SHOW_ROOM];

	if (w->p50_us == 0) {
		tailbox__sl_add(t, "p99 is %s",
		                tailbox__show_us(p99, w->p99_us));
		return;
	}
	const double ratio = (double)w->p99_us / (double)w->p50_us;
	tailbox__sl_add(t, "p99 is %.*f times p50", ratio < 10 ? 1 : 0, ratio);
}

static unsigned put_texts(struct tailbox__sl_screen *s,
                          const struct tailbox__texts *t, const char *before,
                          unsigned used)
{
	for (size_t i = 0; i < t->count; i++) {
		struct tailbox__sl_string one = { .len = 0 };

		if (used >= s->budget->evidence) {
			s->is_cut = true;
			break;
		}
		tailbox__sl_add(&one, "%s%s", before, t->items[i]);
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
	struct tailbox__sl_string note = { .len = 0 };
	struct tailbox__sl_string others = { .len = 0 };
	unsigned used;

	put_lead(s, lead);
	used = put_texts(s, &lead->evidence, "", 0);
	if (used < s->budget->evidence && !tailbox__is_long(w->p50_us,
	                                                    w->p99_us)) {
		tell_ratio(s, &note);
		tailbox__sl_add(&note,
		                ": all requests are like that, not only the "
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
	struct tailbox__sl_string t = { .len = 0 };
	struct tailbox__sl_string others = { .len = 0 };

	tell_ratio(s, &t);
	tailbox__sl_add(&t, "; a tail is long from %d times and %d ms on",
	    TAILBOX__LONG_TIMES, TAILBOX__LONG_FLOOR_US / 1000);
	tailbox__sl_wrap(s, "HEALTHY", INDENT, t.at, 1);
	tell_others(s, &others, NULL);
	if (others.len) {
		struct tailbox__sl_string seen = { .len = 0 };

		tailbox__sl_add(&seen, "seen, of no weight here: %s",
		                others.at);
		tailbox__sl_wrap(s, "", INDENT, seen.at, s->budget->others);
	}
}

static void put_too_few(struct tailbox__sl_screen *s)
{
	const uint64_t least = s->o->v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS];
	const uint64_t n = s->r->whole.request_count;
	struct tailbox__sl_string t = { .len = 0 };
	struct tailbox__sl_string others = { .len = 0 };

	if (n == 0)
		tailbox__sl_add(&t, "no request has ended");
	else if (n < least)
		tailbox__sl_add(&t, "%" PRIu64 " request%s of the %" PRIu64
		        " that a verdict takes", n, n == 1 ? "" : "s", least);
	else
		tailbox__sl_add(&t, "nothing to rank");
	tailbox__sl_wrap(s, "TOO FEW", INDENT, t.at, 1);
	tell_others(s, &others, NULL);
	if (others.len) {
		struct tailbox__sl_string far = { .len = 0 };

		tailbox__sl_add(&far, "so far: %s", others.at);
		tailbox__sl_wrap(s, "", INDENT, far.at, s->budget->others);
	}
}

/* What is wrong with the run, whoever did it. */
static void tell_trouble(const struct tailbox__sl_screen *s,
                         struct tailbox__sl_string *t)
{
	const struct tailbox__report_slice *w = &s->r->whole;
	const struct tailbox__vitals *v = &s->vitals;
	char time[TAILBOX__SHOW_ROOM];

	tell_ratio(s, t);
	if (tailbox__is_slow(w->p99_us) && w->p50_us > 0)
		tailbox__sl_add(t, ", %s", tailbox__show_us(time, w->p99_us));
	if (tailbox__is_failing(s->r, v))
		tailbox__sl_add(t, "; %" PRIu64 "%% of requests failed",
		    tailbox__permille(v->failed, w->request_count) / 10);
	if (v->hanging)
		tailbox__sl_add(t,
		                "; %" PRIu64 " request%s had not ended, the oldest "
		       "after %s", v->hanging, v->hanging == 1 ? "" : "s",
		    tailbox__show_us(time, v->oldest_open_us));
}

static void put_unclear(struct tailbox__sl_screen *s)
{
	const struct tailbox__suspect *lead = tailbox__lead(s->r);
	struct tailbox__sl_string t = { .len = 0 };
	struct tailbox__sl_string others = { .len = 0 };
	unsigned used;

	tell_trouble(s, &t);
	if (!lead)
		tailbox__sl_add(&t, "; no suspect for it");
	tailbox__sl_wrap(s, "UNCLEAR", INDENT, t.at, 2);
	if (lead) {
		tailbox__sl_add(&others, "perhaps: ");
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
