/* analyzer/assert_metric.c - a figure against a limit.
 *
 * SPDX-License-Identifier: MIT
 *
 * A run may lack requests: dropped by a limit, lost on the tape, unfinished,
 * not valid. Each figure is therefore an interval: what it would be if all of
 * those had been as low as possible, and as high. Every assertion compares one
 * figure with a limit, so it holds for all values between if it holds at both
 * ends; where the ends disagree nobody can tell. With nothing missing the ends
 * are the figure. Rejected: to refuse every run with a loss. One request of a
 * million that had not ended is no reason for a gate to say nothing of p50.
 *
 * A percentile of few requests is the largest of them under another name: it
 * is judged from the number on where at least one lies above it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/assert_internal.h"
#include "analyzer/timeline.h"

#define PPM 1000000u

typedef unsigned __int128 wide;

struct fraction {
	wide num;
	uint64_t den; /* 0: above every number */
};
static const struct fraction nothing = { 0, 1 }, beyond = { 1, 0 };

struct bounds {
	struct fraction value, low, high;
};

/* --- comparing ------------------------------------------------------------ */

static bool holds(const struct tailbox__assertion *a, struct fraction f)
{
	const wide limit = (wide)a->limit * f.den;

	switch (a->op) {
	case TAILBOX__ASSERT_LT:
		return f.den > 0 && f.num < limit;
	case TAILBOX__ASSERT_LE:
		return f.den > 0 && f.num <= limit;
	case TAILBOX__ASSERT_GT:
		return f.den == 0 || f.num > limit;
	case TAILBOX__ASSERT_GE:
		return f.den == 0 || f.num >= limit;
	}
	return false;
}

static void compare(struct tailbox__assertion *a, const struct bounds *b,
                    const struct tailbox__missing *m)
{
	const wide value = b->value.num / b->value.den;
	const bool is_low_good = holds(a, b->low);
	char text[160];

	a->has_value = true;
	a->value = value > UINT64_MAX ? UINT64_MAX : (uint64_t)value;
	if (is_low_good != holds(a, b->high)) {
		tailbox__assert_cannot(
			a, "%s", tailbox__missing_text(m, text, sizeof(text)));
		return;
	}
	a->verdict = is_low_good ? TAILBOX__ASSERT_OK : TAILBOX__ASSERT_FAILED;
}

/* --- metrics -------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static struct fraction whole(uint64_t value, uint64_t scale)
{
	return (struct fraction){ (wide)value * scale, 1 };
}

/* The p-th percentile: what is missing lies below all, or at the ceiling. It
 * moves the place of the percentile as well. */
static struct bounds bound_rank(struct tailbox__series *s, unsigned p,
                                const struct tailbox__missing *m,
                                uint64_t scale, struct fraction ceiling)
{
	const uint64_t n = s->count;
	const uint64_t total = tailbox__sat_add(n, m->count);
	const uint64_t at = tailbox__percentile_at(total, p);
	struct bounds b;

	qsort(s->items, s->count, sizeof(*s->items), ascending);
	b.value = whole(s->items[tailbox__percentile_at(n, p)], scale);
	b.low = at < m->count ? nothing : whole(s->items[at - m->count], scale);
	b.high = at < n ? whole(s->items[at], scale) : ceiling;
	if (m->is_unbounded) {
		/* The largest of all is not less than the largest known. */
		b.low = p == 100 ? b.value : nothing;
		b.high = ceiling;
	}
	return b;
}

static struct bounds bound_mean(const struct tailbox__series *s,
                                const struct tailbox__missing *m)
{
	struct bounds b;
	wide sum = 0;

	for (size_t i = 0; i < s->count; i++)
		sum += s->items[i];
	b.value = b.low = b.high = (struct fraction){ sum, s->count };
	if (m->count > 0) {
		b.low.den = tailbox__sat_add(s->count, m->count);
		b.high = beyond;
	}
	if (m->is_unbounded)
		b.low = nothing;
	return b;
}

static struct bounds bound_count(uint64_t n, const struct tailbox__missing *m)
{
	return (struct bounds){
		.value = whole(n, 1),
		.low = whole(n, 1),
		.high = m->is_unbounded
		                ? beyond
		                : whole(tailbox__sat_add(n, m->count), 1),
	};
}

static struct bounds bound_errors(const struct tailbox__part *p,
                                  const struct tailbox__missing *m)
{
	const uint64_t n = p->request_count;
	const uint64_t total = tailbox__sat_add(n, m->count);
	uint64_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t at;
		const struct tailbox__run_request *r =
			tailbox__part_request(p, i, &at);
		bad += strcmp(tailbox__run_text(p->run, r->outcome, NULL),
		              "ok") != 0;
	}
	struct bounds b = {
		.value = { (wide)bad * PPM, n },
		.low = { (wide)bad * PPM, total },
		.high = { (wide)tailbox__sat_add(bad, m->count) * PPM, total },
	};
	if (m->is_unbounded) {
		b.low = nothing;
		b.high = whole(PPM, 1);
	}
	return b;
}

/* How many it takes that one lies above the percentile. */
static uint64_t needed(unsigned percent)
{
	return percent == 0 || percent == 100 ? 1 : 100 / (100 - percent) + 1;
}

static void judge_series(struct tailbox__assertion *a,
                         struct tailbox__series *s,
                         const struct tailbox__missing *m)
{
	const struct tailbox__assert_metric *metric =
		&tailbox__assert_metrics[a->metric];
	const uint64_t least = needed(metric->percent);
	const bool is_share = metric->unit == TAILBOX__UNIT_PPM;
	struct bounds b;

	if (s->count < least) {
		tailbox__assert_cannot(
			a, "%s needs %" PRIu64 " request%s, there %s %zu",
			metric->name, least, least == 1 ? "" : "s",
			s->count == 1 ? "is" : "are", s->count);
		return;
	}
	/* Shares are in thousandths, which makes 1000 ppm. */
	b = metric->percent == 0
	            ? bound_mean(s, m)
	            : bound_rank(s, metric->percent, m, is_share ? 1000 : 1,
	                         is_share ? whole(PPM, 1) : beyond);
	compare(a, &b, m);
}

static int judge_share(struct tailbox__assert_context *c,
                       struct tailbox__assertion *a,
                       const struct tailbox__shares *shares,
                       const struct tailbox__missing *m)
{
	struct tailbox__series s = { .items = NULL };
	int rc = 0;

	/* 0% of nothing that was looked for is no finding. */
	if (c->run->queues.count == 0) {
		tailbox__assert_cannot(a, "no wait was recorded");
		return 0;
	}
	/* Each may have been in any request, and as long as that. */
	if (m->has_lost_waits) {
		tailbox__assert_cannot(a, "waits are missing");
		return 0;
	}
	for (unsigned i = 0; i <= 1000; i++)
		for (uint32_t k = 0; rc == 0 && k < shares->of[i]; k++)
			rc = tailbox__series_add(&s, i);
	if (rc == 0)
		judge_series(a, &s, m);
	tailbox__series_fini(&s);
	return rc;
}

int tailbox__assert_metric(struct tailbox__assert_context *c,
                           const struct tailbox__part *p,
                           struct tailbox__assertion *a,
                           const struct tailbox__missing *m)
{
	struct tailbox__figures f = { .p50 = 0 };
	struct bounds b;
	int rc = 0;

	switch (a->metric) {
	case TAILBOX__ASSERT_COUNT:
		b = bound_count(p->request_count, m);
		compare(a, &b, m);
		return 0;
	case TAILBOX__ASSERT_ERROR_RATE:
		if (p->request_count == 0) {
			tailbox__assert_cannot(a, "no request of it has ended");
			return 0;
		}
		b = bound_errors(p, m);
		compare(a, &b, m);
		return 0;
	case TAILBOX__ASSERT_P50:
	case TAILBOX__ASSERT_P95:
	case TAILBOX__ASSERT_P99:
	case TAILBOX__ASSERT_MAX:
	case TAILBOX__ASSERT_MEAN:
	case TAILBOX__ASSERT_QUEUE_SHARE:
	case TAILBOX__ASSERT_SERVICE_SHARE:
	case TAILBOX__ASSERT_SUSPECT:
		break;
	}
	rc = tailbox__figures_make(p, &c->scratch, &f);
	if (rc < 0)
		;
	else if (a->metric == TAILBOX__ASSERT_QUEUE_SHARE)
		rc = judge_share(c, a, &f.completed, m);
	else if (a->metric == TAILBOX__ASSERT_SERVICE_SHARE)
		rc = judge_share(c, a, &f.service, m);
	else
		judge_series(a, &f.latency, m);
	tailbox__figures_fini(&f);
	return rc;
}
