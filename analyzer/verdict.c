/* analyzer/verdict.c - the report in a word and in a sentence.
 *
 * SPDX-License-Identifier: MIT
 *
 * A verdict must not soothe: "healthy" is said only where nothing speaks
 * against it, and what speaks against it need not be a suspect. Requests that
 * fail fast or never end leave the percentiles as they were.
 *
 * The headline is for lists, so it is made of what decides first: its end (the
 * figures) is built before the title, which takes the room that is left.
 */
#include "analyzer/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "analyzer/timeline_model.h"
#include "analyzer/timeline_text.h"

enum { TITLE_LEAST = 30 }; /* bytes, or there is no place for other things */

/* --- vitals --------------------------------------------------------------- */

static bool is_word(const struct tailbox__run *run, tailbox__str s,
                    const char *want)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	return len == strlen(want) && !memcmp(text, want, len);
}

static bool has_failed(const struct tailbox__run *run,
                       const struct tailbox__run_request *r, bool *has_status)
{
	const unsigned status = r->ext && r->ext <= run->ext.count
	                                ? run->ext.items[r->ext - 1].status
	                                : 0;

	*has_status = status != 0;
	if (status)
		return status >= 500;
	return is_word(run, r->outcome, "error") ||
	       is_word(run, r->outcome, "timeout");
}

static void look_at_open(const struct tailbox__run *run,
                         struct tailbox__vitals *v)
{
	const uint64_t end = tailbox__tl_run_end_us(run);

	v->unfinished = run->meta.unfinished_count;
	if (run->open.count > v->unfinished)
		v->unfinished = run->open.count;
	for (size_t i = 0; i < run->open.count; i++) {
		const uint64_t start = run->open.items[i].start_us;
		uint64_t us = end > start ? end - start : 0;

		if (start == TAILBOX__NONE)
			continue;
		v->hanging += us >= TAILBOX__HANGS_US;
		if (v->oldest_open_us == TAILBOX__NONE ||
		    us > v->oldest_open_us)
			v->oldest_open_us = us;
	}
}

void tailbox__vitals_of(const struct tailbox__run *run,
                        struct tailbox__vitals *v)
{
	const struct tailbox__run_truncation *t = &run->truncation;

	*v = (struct tailbox__vitals){ .slowest = SIZE_MAX,
		                       .is_by_status = run->requests.count > 0,
		                       .oldest_open_us = TAILBOX__NONE };
	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_request *r = &run->requests.items[i];
		bool has_status;

		v->failed += has_failed(run, r, &has_status);
		v->is_by_status = v->is_by_status && has_status;
		if (v->slowest == SIZE_MAX ||
		    r->latency_us > run->requests.items[v->slowest].latency_us)
			v->slowest = i;
	}
	look_at_open(run, v);
	for (size_t i = 0; i < run->meta.extra.count; i++)
		if (tailbox__tl_is_loss(run, &run->meta.extra.items[i])) {
			v->is_loss_known = true;
			v->lost = tailbox__sat_add(
			        v->lost, run->meta.extra.items[i].number);
		}
	v->cut = tailbox__sat_add(t->dropped_requests, t->dropped_stages);
	v->cut = tailbox__sat_add(v->cut, t->dropped_queues);
	v->cut = tailbox__sat_add(v->cut, t->dropped_inflight_snapshots);
	v->cut = tailbox__sat_add(v->cut, t->dropped_runtime_snapshots);
	v->is_cut = t->limits_hit || v->cut > 0;
}

/* --- the verdict ---------------------------------------------------------- */

bool tailbox__is_long(uint64_t p50_us, uint64_t p99_us)
{
	return p99_us >= TAILBOX__LONG_FLOOR_US &&
	       p99_us >= tailbox__sat_mul(p50_us, TAILBOX__LONG_TIMES);
}

bool tailbox__is_slow(uint64_t p99_us)
{
	return p99_us >= TAILBOX__SLOW_US;
}

bool tailbox__is_failing(const struct tailbox__report *r,
                         const struct tailbox__vitals *v)
{
	return v->failed > 0 &&
	       tailbox__permille(v->failed, r->whole.request_count) >=
	               TAILBOX__FAILED_PERMILLE;
}

static bool matters(const struct tailbox__report *r,
                    const struct tailbox__suspect *s)
{
	return s->kind >= TAILBOX__SUSPECT_OWN ||
	       (s->kind != TAILBOX__SUSPECT_UNKNOWN &&
	        r->whole.p99_us >= TAILBOX__LONG_FLOOR_US);
}

const struct tailbox__suspect *tailbox__lead(const struct tailbox__report *r)
{
	for (size_t i = 0; i < r->whole.suspect_count; i++)
		if (matters(r, &r->whole.suspects[i]))
			return &r->whole.suspects[i];
	return NULL;
}

static bool has_doubt(const struct tailbox__report *r)
{
	for (size_t i = 0; i < r->whole.suspect_count; i++) {
		const struct tailbox__suspect *s = &r->whole.suspects[i];

		if (s->kind >= TAILBOX__SUSPECT_OWN ||
		    (matters(r, s) && s->confidence > TAILBOX__CONFIDENCE_LOW))
			return true;
	}
	return false;
}

static enum tailbox__report_verdict
decide(const struct tailbox__report *r, const struct tailbox__vitals *v,
       const struct tailbox__analyzer_options *o)
{
	const struct tailbox__report_slice *s = &r->whole;
	const struct tailbox__suspect *lead = tailbox__lead(r);

	if (s->request_count == 0 || s->suspect_count == 0 ||
	    s->request_count < o->v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS])
		return TAILBOX__REPORT_TOO_FEW;
	if (lead && lead->confidence > TAILBOX__CONFIDENCE_LOW)
		return TAILBOX__REPORT_LIKELY;
	if (has_doubt(r) || tailbox__is_long(s->p50_us, s->p99_us) ||
	    tailbox__is_slow(s->p99_us) || tailbox__is_failing(r, v) ||
	    v->hanging > 0)
		return TAILBOX__REPORT_UNCLEAR;
	return TAILBOX__REPORT_HEALTHY;
}

/* --- the headline --------------------------------------------------------- */

struct sentence {
	char text[TAILBOX__HEADLINE_MAX + 1];
	size_t len;
};

static void say(struct sentence *s, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* All of it or nothing: half a figure would be another one. */
static void say(struct sentence *s, const char *format, ...)
{
	const size_t room = sizeof(s->text) - s->len;
	va_list args;

	va_start(args, format);
	const int n = vsnprintf(s->text + s->len, room, format, args);
	va_end(args);
	if (n >= 0 && (size_t)n < room)
		s->len += (size_t)n;
	s->text[s->len] = '\0';
}

/* What the slowest spend most of their time in, if it is a good part. */
static void say_where(struct sentence *s, const struct tailbox__anatomy *a,
                      const struct tailbox__run *run)
{
	uint64_t left = tailbox__permille(a->tail_left_us, a->tail_us);
	uint64_t top = a->count ? tailbox__permille(a->pieces[0].tail_us,
	                                            a->tail_us)
	                        : 0;
	char label[32];

	if (top < 250 && left < 250)
		return;
	if (left > top)
		snprintf(label, sizeof(label), "unexplained");
	else
		tailbox__piece_label(run, &a->pieces[0], label, sizeof(label));
	say(s, ", slowest: %" PRIu64 "%% %s",
	    ((left > top ? left : top) + 5) / 10, label);
}

/* What has to be known beside any verdict. */
static void say_beside(struct sentence *s, const struct tailbox__report *r,
                       const struct tailbox__vitals *v)
{
	char time[TAILBOX__SHOW_ROOM];

	if (v->lost > 0 || v->is_cut)
		say(s, "; incomplete");
	if (tailbox__is_failing(r, v))
		say(s, "; %" PRIu64 "%% failed",
		    tailbox__permille(v->failed, r->whole.request_count) / 10);
	if (v->hanging > 0)
		say(s, "; %" PRIu64 " had not ended, one for %s", v->hanging,
		    tailbox__show_us(time, v->oldest_open_us));
}

/* room: for all of it, with its NUL. */
static void say_likely(struct sentence *s, const struct tailbox__report *r,
                       const struct tailbox__run *run, size_t room)
{
	const struct tailbox__suspect *lead = tailbox__lead(r);
	const char *confidence = tailbox__confidence_names[lead->confidence];
	char time[TAILBOX__SHOW_ROOM], title[TAILBOX__HEADLINE_MAX + 1];
	struct sentence end = { .len = 0 };

	say(&end, ": p99 %s", tailbox__show_us(time, r->whole.p99_us));
	const size_t without = end.len;
	say_where(&end, &r->anatomy, run);
	if (end.len + TITLE_LEAST > room)
		end.len = without;
	say(&end, " (%s)", confidence);
	tailbox__suspect_title(lead, title,
	                       room > end.len ? room - end.len : 1, SIZE_MAX);
	say(s, "%s%s", title, end.text);
}

static void say_unclear(struct sentence *s, const struct tailbox__report *r,
                        const struct tailbox__run *run, size_t room)
{
	const struct tailbox__report_slice *w = &r->whole;
	const struct tailbox__suspect *lead = tailbox__lead(r);
	char time[TAILBOX__SHOW_ROOM], title[41];

	say(s, "unclear: p99 %s", tailbox__show_us(time, w->p99_us));
	if (tailbox__is_long(w->p50_us, w->p99_us) && w->p50_us > 0)
		say(s, ", %" PRIu64 " times p50", w->p99_us / w->p50_us);
	if (!lead) {
		const size_t without = s->len;

		say_where(s, &r->anatomy, run);
		if (s->len >= room)
			s->text[s->len = without] = '\0';
		return;
	}
	tailbox__suspect_title(lead, title, sizeof(title), SIZE_MAX);
	if (s->len + strlen(title) + sizeof(", perhaps  (medium)") <= room)
		say(s, ", perhaps %s (%s)", title,
		    tailbox__confidence_names[lead->confidence]);
}

void tailbox__judge(struct tailbox__report *r, const struct tailbox__run *run,
                    const struct tailbox__analyzer_options *o)
{
	const uint64_t n = r->whole.request_count;
	struct sentence s = { .len = 0 }, beside = { .len = 0 };
	char time[TAILBOX__SHOW_ROOM];
	struct tailbox__vitals v;

	tailbox__vitals_of(run, &v);
	r->verdict = decide(r, &v, o);
	say_beside(&beside, r, &v);
	switch (r->verdict) {
	case TAILBOX__REPORT_LIKELY:
		say_likely(&s, r, run, sizeof(s.text) - beside.len);
		break;
	case TAILBOX__REPORT_HEALTHY:
		say(&s, "healthy: %" PRIu64 " request%s, p99 %s", n,
		    n == 1 ? "" : "s",
		    tailbox__show_us(time, r->whole.p99_us));
		break;
	case TAILBOX__REPORT_TOO_FEW:
		say(&s, "too few: %" PRIu64 " request%s", n, n == 1 ? "" : "s");
		break;
	case TAILBOX__REPORT_UNCLEAR:
		say_unclear(&s, r, run, sizeof(s.text) - beside.len);
		break;
	}
	say(&s, "%s", beside.text);
	memcpy(r->headline, s.text, s.len + 1);
}

size_t tailbox__suspect_title(const struct tailbox__suspect *s, char *buf,
                              size_t size, size_t columns)
{
	const char *text = s->title && s->title[0]
	                           ? s->title
	                           : tailbox__suspect_meanings[s->kind];

	return tailbox__show_into(buf, size, text, strlen(text), columns);
}
