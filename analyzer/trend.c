/* analyzer/trend.c - is the number of requests in flight growing?
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 4. Of each gauge the last episode, from the first
 * count above zero to the zero that closes it, is its candidate.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "core/alloc.h"

struct moment {
	tailbox__str gauge;
	uint32_t at; /* position in the input */
	uint64_t key;
};

struct candidate {
	struct tailbox__report_trend trend;
	bool is_active, is_growing;
};

static int by_gauge_and_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->gauge != y->gauge)
		return x->gauge < y->gauge ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int by_gauge(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->gauge != y->gauge)
		return x->gauge < y->gauge ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

/* Samples of a run come in order; then there is nothing to sort. */
static void sort(struct moment *m, size_t n,
                 int (*compare)(const void *, const void *))
{
	for (size_t i = 1; i < n; i++) {
		if (compare(&m[i - 1], &m[i]) > 0) {
			qsort(m, n, sizeof(*m), compare);
			return;
		}
	}
}

/* Signed difference, clamped to what 64 bits hold on both sides. */
static int64_t growth(uint64_t first, uint64_t last)
{
	const uint64_t most = INT64_MAX;

	if (last >= first)
		return (int64_t)tailbox__min_u64(last - first, most);
	return -(int64_t)tailbox__min_u64(first - last, most);
}

static void rate(struct tailbox__report_trend *t, uint64_t elapsed_us)
{
	const __int128 milli =
	        (__int128)t->growth_delta * 1000000000 / elapsed_us;

	t->has_rate = true;
	t->growth_per_sec_milli = milli > INT64_MAX   ? INT64_MAX
	                          : milli < INT64_MIN ? INT64_MIN
	                                              : (int64_t)milli;
}

/* The moments of one gauge, in order. */
static int examine(const struct tailbox__part *p, const struct moment *m,
                   size_t n, bool in_run_order, struct candidate *out)
{
	struct tailbox__series counts = { .items = NULL };
	const struct tailbox__run_gauge *of = p->gauges;
	size_t begin = n, end = 0;
	bool is_open = false;
	struct tailbox__report_trend *t = &out->trend;

	for (size_t i = 0; i < n; i++) {
		if (of[m[i].at].count > 0) {
			if (!is_open)
				begin = i;
			is_open = true;
			end = i + 1;
		} else if (is_open) {
			is_open = false;
			end = i + 1;
		}
	}
	*out = (struct candidate){ .is_active = is_open };
	if (begin == n)
		return 0;
	for (size_t i = begin; i < end; i++) {
		const uint64_t count = of[m[i].at].count;
		if (count > t->peak_count)
			t->peak_count = count;
		if (tailbox__series_add(&counts, count) < 0) {
			tailbox__series_fini(&counts);
			return -ENOMEM;
		}
	}
	t->is_known = true;
	t->gauge = m[0].gauge;
	t->sample_count = end - begin;
	t->growth_delta = growth(of[m[begin].at].count,
	                         of[m[end - 1].at].count);
	t->p95_count = tailbox__series_percentile(&counts, 95);
	tailbox__series_fini(&counts);
	if (end - begin >= 2 && in_run_order &&
	    m[end - 1].key > m[begin].key)
		rate(t, m[end - 1].key - m[begin].key);
	out->is_growing = t->sample_count >= 2 && t->growth_delta > 0;
	return 0;
}

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Above 0: a is the greater candidate. */
static int compare(const struct tailbox__run *run, const struct candidate *a,
                   const struct candidate *b)
{
	const struct tailbox__report_trend *x = &a->trend, *y = &b->trend;
	int c = order(a->is_active, b->is_active);

	if (c == 0)
		c = order(a->is_growing, b->is_growing);
	if (c == 0 && a->is_growing) { /* then both grow, by more than 0 */
		c = order((uint64_t)x->growth_delta, (uint64_t)y->growth_delta);
		if (c == 0)
			c = order(x->has_rate && x->growth_per_sec_milli > 0
			                  ? (uint64_t)x->growth_per_sec_milli
			                  : 0,
			          y->has_rate && y->growth_per_sec_milli > 0
			                  ? (uint64_t)y->growth_per_sec_milli
			                  : 0);
	}
	if (c == 0)
		c = order(x->p95_count, y->p95_count);
	if (c == 0)
		c = order(x->peak_count, y->peak_count);
	if (c != 0)
		return c;
	return tailbox__run_compare(run, y->gauge, x->gauge);
}

/* One gauge: m[0..n), in input order. */
static int gauge(const struct tailbox__part *p, struct moment *m, size_t n,
                 struct candidate *best)
{
	bool in_run_order = true;
	struct candidate c;
	int rc;

	for (size_t i = 0; i < n; i++)
		in_run_order = in_run_order && p->gauges[m[i].at].flags &
		                                       TAILBOX__HAS_START_US;
	for (size_t i = 0; i < n; i++)
		m[i].key = in_run_order ? p->gauges[m[i].at].at_us
		                        : p->gauges[m[i].at].at_ms;
	sort(m, n, by_gauge_and_time);
	rc = examine(p, m, n, in_run_order, &c);
	if (rc == 0 && c.trend.is_known &&
	    (!best->trend.is_known || compare(p->run, &c, best) > 0))
		*best = c;
	return rc;
}

int tailbox__trend_find(const struct tailbox__part *p,
                        struct tailbox__report_trend *out)
{
	struct candidate best = { .is_active = false };
	struct moment *m;
	int rc = 0;

	*out = best.trend;
	if (p->gauge_count == 0)
		return 0;
	m = tailbox__alloc(p->gauge_count, sizeof(*m));
	if (!m)
		return -ENOMEM;
	for (size_t i = 0; i < p->gauge_count; i++)
		m[i] = (struct moment){ p->gauges[i].gauge, (uint32_t)i, 0 };
	sort(m, p->gauge_count, by_gauge);
	for (size_t i = 0, next; rc == 0 && i < p->gauge_count; i = next) {
		for (next = i + 1; next < p->gauge_count &&
		                   m[next].gauge == m[i].gauge; next++)
			;
		rc = gauge(p, m + i, next - i, &best);
	}
	tailbox__free(m);
	*out = best.trend;
	return rc;
}
