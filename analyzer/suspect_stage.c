/* analyzer/suspect_stage.c - one stage takes the time of the slow requests.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 5.D. Each name is a candidate twice: by its
 * completed events, and by all of them. Where none of a name is partial the
 * second is the first again, and the first wins ties; so it is not computed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/own.h"
#include "core/alloc.h"

enum { COMPLETED, OBSERVED, BASES };

struct sums { /* of one name by one basis */
	struct tailbox__series times; /* per request */
	uint64_t sum, tail_sum;
};
struct tailbox__stage {
	struct sums of[BASES];
	uint64_t partial; /* events */
};

struct candidate {
	tailbox__str name; /* 0 = none */
	unsigned basis, score;
	uint64_t n, p95, sum, share, tail_share, partial;
};

/* --- collecting
 * --------------------------------------------------------------- */

static int put(struct sums *to, uint64_t time, bool is_tail)
{
	to->sum = tailbox__sat_add(to->sum, time);
	if (is_tail)
		to->tail_sum = tailbox__sat_add(to->tail_sum, time);
	return tailbox__series_add(&to->times, time);
}

/* n events of one name of one request. */
static int collect_name(struct tailbox__case *c, const uint32_t *events,
                        size_t n, uint64_t latency)
{
	const struct tailbox__run_span *items = c->part->run->stages.items;
	const uint32_t name = c->part->index->name_of[items[events[0]].name];
	struct tailbox__stage *to = &c->scratch->stages[name];
	const bool is_tail = latency >= c->figures->p95;
	size_t partial = 0;
	uint64_t all, completed;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		partial += (items[events[i]].flags & TAILBOX__PARTIAL) != 0;
	if (to->of[OBSERVED].times.count == 0)
		c->scratch->touched[c->scratch->touched_count++] = name;
	to->partial += partial;
	all = tailbox__attributed(c->scratch, items, events, n, false, latency,
	                          &rc);
	completed = partial == 0 ? all
	                         : tailbox__attributed(c->scratch, items,
	                                               events, n, true, latency,
	                                               &rc);
	if (rc == 0 && partial < n)
		rc = put(&to->of[COMPLETED], completed, is_tail);
	return rc == 0 ? put(&to->of[OBSERVED], all, is_tail) : rc;
}

struct named {
	tailbox__str name;
	uint32_t event;
};

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return (x->event > y->event) - (x->event < y->event);
}

/* Many events: sorted by name, so that it stays linear but for a logarithm. */
static int sort_by_name(const struct tailbox__run_span *items, uint32_t *events,
                        size_t n)
{
	struct named *v = tailbox__alloc(n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		v[i] = (struct named){ items[events[i]].name, events[i] };
	qsort(v, n, sizeof(*v), by_name);
	for (size_t i = 0; i < n; i++)
		events[i] = v[i].event;
	tailbox__free(v);
	return 0;
}

static int group_by_name(const struct tailbox__run_span *items,
                         uint32_t *events, size_t n)
{
	if (n > 32)
		return sort_by_name(items, events, n);
	for (size_t i = 1; i < n; i++) {
		const uint32_t x = events[i];
		size_t k = i;

		for (; k > 0 && items[events[k - 1]].name > items[x].name; k--)
			events[k] = events[k - 1];
		events[k] = x;
	}
	return 0;
}

static int collect_request(struct tailbox__case *c, size_t i)
{
	const struct tailbox__run_span *items = c->part->run->stages.items;
	const struct tailbox__children *of = &c->part->index->stages;
	const struct tailbox__run_request *r;
	uint32_t at, *events;
	size_t n;
	int rc;

	r = tailbox__part_request(c->part, i, &at);
	n = of->first[at + 1] - of->first[at];
	if (n == 0)
		return 0;
	if (tailbox__scratch_events(c->scratch, n) < 0)
		return -ENOMEM;
	events = c->scratch->events;
	memcpy(events, of->events + of->first[at], n * sizeof(*events));
	rc = group_by_name(items, events, n);
	for (size_t from = 0, to; rc == 0 && from < n; from = to) {
		for (to = from + 1; to < n && items[events[to]].name ==
		                                      items[events[from]].name;
		     to++)
			;
		rc = collect_name(c, events + from, to - from, r->latency_us);
	}
	return rc;
}

/* --- weighing
 * ------------------------------------------------------------------ */

/* Whether a is better than b. */
static bool is_better(const struct tailbox__run *run, const struct candidate *a,
                      const struct candidate *b)
{
	if (b->name == 0 || a->score != b->score)
		return b->name == 0 || a->score > b->score;
	if (a->tail_share != b->tail_share)
		return a->tail_share > b->tail_share;
	if (a->share != b->share)
		return a->share > b->share;
	if (a->basis != b->basis)
		return a->basis < b->basis;
	return tailbox__run_compare(run, a->name, b->name) < 0;
}

static void weigh(const struct tailbox__case *c, struct tailbox__stage *stage,
                  tailbox__str name, unsigned basis, struct candidate *best)
{
	struct sums *s = &stage->of[basis];
	struct candidate a = { .name = name, .basis = basis };
	const uint64_t raw_credit = tailbox__sample_credit(s->times.count);

	a.n = s->times.count;
	if (a.n < c->part->o->v[TAILBOX__OPT_DOWNSTREAM_MIN_STAGE_SAMPLES])
		return;
	a.p95 = a.n == 0 ? 0 : tailbox__series_percentile(&s->times, 95);
	a.sum = s->sum;
	a.partial = stage->partial;
	a.share = tailbox__permille(s->sum, c->figures->latency_sum);
	a.tail_share = tailbox__permille(s->tail_sum, c->figures->tail_sum);
	a.score = tailbox__score(
		tailbox__sat_add(
			24 + tailbox__min_u64(a.tail_share, 1000) / 11 +
				raw_credit,
			a.share / 35),
		95, a.tail_share >= 960 && a.share >= 920 && a.n >= 20);
	if (is_better(c->part->run, &a, best))
		*best = a;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool begins_so(const char *text, const char *pattern, size_t n)
{
	size_t i = 0;

	while (i < n && lower(text[i]) == lower(pattern[i]))
		i++;
	return i == n;
}

/* A name's text holds a pattern's, whatever their case, the pattern trimmed. */
static bool holds(const char *text, size_t len, const char *pattern)
{
	size_t n = strlen(pattern);

	tailbox__trim(&pattern, &n);
	for (size_t at = 0; n > 0 && at + n <= len; at++)
		if (begins_so(text + at, pattern, n))
			return true;
	return false;
}

/* The stage looks like work of the offload pool, and the pool is strong. */
static bool is_correlated(const struct tailbox__case *c, tailbox__str name)
{
	const struct tailbox__analyzer_options *o = c->part->o;
	size_t len;
	const char *text = tailbox__run_text(c->part->run, name, &len);

	if (!c->is_blocking_strong)
		return false;
	for (size_t i = 0; i < o->patterns.count; i++)
		if (holds(text, len, o->patterns.items[i]))
			return true;
	return false;
}

/* --- telling
 * -------------------------------------------------------------------- */

static int tell(struct tailbox__suspect *s, const struct candidate *best,
                const char *name, bool is_correlated)
{
	const char *bound = best->basis == OBSERVED ? " at least" : "";
	char partial[64] = "";
	int rc;

	if (best->basis == OBSERVED)
		snprintf(partial, sizeof(partial),
		         ", a lower bound: %" PRIu64 " unfinished",
		         best->partial);
	rc = tailbox__texts_add(&s->evidence,
	                        "stage '%s' took%s %" PRIu64
	                        " us at p95 over %" PRIu64 " requests%s",
	                        name, bound, best->p95, best->n, partial);
	if (rc == 0)
		rc = tailbox__texts_add(
		        &s->evidence,
		        "stage '%s' took%s %" PRIu64 " us in all, %" PRIu64
		        ".%" PRIu64 "%% of request time",
		        name, bound, best->sum, best->share / 10,
		        best->share % 10);
	if (rc == 0)
		rc = tailbox__texts_add(
		        &s->evidence,
		        "stage '%s' took%s %" PRIu64 ".%" PRIu64
		        "%% of the time of the slowest requests",
		        name, bound, best->tail_share / 10,
		        best->tail_share % 10);
	if (rc == 0 && is_correlated)
		rc = tailbox__texts_add(
		        &s->evidence,
		        "stage '%s' looks like work of the offload pool, which "
		        "has a strong backlog: the pool stays the first lead",
		        name);
	if (rc == 0)
		rc = tailbox__texts_add(&s->next_checks,
		                        "look at what is behind stage '%s'",
		                        name);
	if (rc == 0)
		rc = tailbox__texts_add(&s->next_checks,
		                        "get its own timings and retries for "
		                        "the slow periods");
	if (rc == 0)
		rc = tailbox__texts_add(&s->next_checks,
		                        "compare its service goals with the "
		                        "retry and back-off settings");
	return rc;
}

static int add_best(struct tailbox__case *c, const struct candidate *best)
{
	const char *name = tailbox__run_text(c->part->run, best->name, NULL);
	const bool is_corr = is_correlated(c, best->name);
	const uint64_t margin =
	        c->part->o->v[TAILBOX__OPT_DOWNSTREAM_MARGIN];
	char label[TAILBOX__OWN_NAME_SIZE];
	unsigned score = best->score;
	struct tailbox__suspect *s;

	if (is_corr) {
		const unsigned most =
		        c->blocking_score > margin
		                ? c->blocking_score - (unsigned)margin
		                : 0;
		score = score < most ? score : most;
	}
	s = tailbox__suspect_add(c, TAILBOX__SUSPECT_DOWNSTREAM, score);
	if (!s)
		return -ENOMEM;
	if (tailbox__own_title(s, "time goes to stage %s",
	                       tailbox__own_label(c->part->run, best->name,
	                                          label)) < 0)
		return -ENOMEM;
	c->stage_tail = best->tail_share;
	c->found[TAILBOX__SUSPECT_DOWNSTREAM].is_observed =
	        best->basis == OBSERVED;
	return tell(s, best, name, is_corr);
}

/* The table of stages is made once for all parts and is empty between them. */
static bool make_stages(struct tailbox__case *c)
{
	const size_t n = c->part->index->name_count;
	struct tailbox__scratch *s = c->scratch;

	if (!s->stages) {
		s->stages = tailbox__zalloc(n, sizeof(*s->stages));
		s->stage_count = n;
	}
	if (!s->touched)
		s->touched = tailbox__alloc(n, sizeof(*s->touched));
	return s->stages && s->touched;
}

/* The memory of the times stays: the next part has the same names. */
static void empty_stages(struct tailbox__scratch *s)
{
	for (size_t i = 0; i < s->touched_count; i++) {
		struct tailbox__stage *stage = &s->stages[s->touched[i]];

		for (unsigned basis = 0; basis < BASES; basis++) {
			stage->of[basis].sum = stage->of[basis].tail_sum = 0;
			stage->of[basis].times.count = 0;
		}
		stage->partial = 0;
	}
	s->touched_count = 0;
}

void tailbox__stages_fini(struct tailbox__scratch *s)
{
	for (size_t i = 0; s->stages && i < s->stage_count; i++)
		for (unsigned basis = 0; basis < BASES; basis++)
			tailbox__series_fini(&s->stages[i].of[basis].times);
	tailbox__free(s->stages);
	s->stages = NULL;
	s->stage_count = 0;
}

int tailbox__suspect_downstream(struct tailbox__case *c)
{
	struct tailbox__scratch *s = c->scratch;
	struct candidate best = { .name = 0 };
	int rc = 0;

	if (c->part->request_count == 0 || c->figures->stage_count == 0)
		return 0;
	if (!make_stages(c))
		return -ENOMEM;
	for (size_t i = 0; rc == 0 && i < c->part->request_count; i++)
		rc = collect_request(c, i);
	for (size_t i = 0; rc == 0 && i < s->touched_count; i++) {
		struct tailbox__stage *stage = &s->stages[s->touched[i]];
		const tailbox__str name = c->part->index->names[s->touched[i]];

		weigh(c, stage, name, COMPLETED, &best);
		if (stage->partial > 0)
			weigh(c, stage, name, OBSERVED, &best);
	}
	empty_stages(s);
	return rc == 0 && best.name != 0 ? add_best(c, &best) : rc;
}
