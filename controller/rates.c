/* controller/rates.c - rate and percentiles of the last 10 seconds.
 *
 * SPDX-License-Identifier: MIT
 *
 * One log-linear histogram of ticks per second, ten of them in a ring: 32
 * buckets per doubling bound the error of a percentile to 1/32 = 3%. Ticks
 * are converted when somebody asks. A second counts as the follower sees it,
 * at most one of its passes after the request ended.
 */
#include "controller/internal.h"

#include <string.h>

#define SECOND_NS 1000000000u

void tailbox__rates_init(struct tailbox__rates *r, uint64_t now_ns,
                         uint64_t tickets)
{
	memset(r, 0, sizeof(*r));
	r->start_ns = now_ns;
	r->slices[0].tickets = tickets;
}

void tailbox__rates_turn(struct tailbox__rates *r, uint64_t now_ns,
                         uint64_t tickets)
{
	const uint64_t second = (now_ns - r->start_ns) / SECOND_NS;

	/* After a long stop every slice is stale, and cleared once. */
	if (second > r->second + TAILBOX__RATE_SLICES)
		r->second = second - TAILBOX__RATE_SLICES;
	while (r->second < second) {
		struct tailbox__rate_slice *s =
		        &r->slices[++r->second % TAILBOX__RATE_SLICES];
		memset(s, 0, sizeof(*s));
		s->second = r->second;
		s->tickets = tickets;
	}
}

struct merged {
	uint64_t count, max;
	uint64_t buckets[TAILBOX__RATE_BUCKETS];
};

/* The value that `percent` of all are not above, in us. */
static uint64_t percentile(const struct merged *m, unsigned percent,
                           struct tailbox__clock_scale scale)
{
	const uint64_t rank = (m->count * percent + 99) / 100;
	uint64_t seen = 0, ticks = m->max;

	for (unsigned b = 0; b < TAILBOX__RATE_BUCKETS; b++) {
		seen += m->buckets[b];
		if (seen >= rank) {
			ticks = tailbox__bucket_middle(b, TAILBOX__RATE_SUB);
			break;
		}
	}
	if (ticks > m->max)
		ticks = m->max;
	return tailbox__ticks_to_ns(scale, ticks) / 1000;
}

static bool is_stale(const struct tailbox__rates *r, unsigned i, uint64_t second)
{
	const struct tailbox__rate_slice *s = &r->slices[i];

	return s->second > r->second || s->second % TAILBOX__RATE_SLICES != i ||
	       s->second + TAILBOX__RATE_SLICES <= second;
}

/* Of those that are not stale; NULL: all are. */
static const struct tailbox__rate_slice *oldest(const struct tailbox__rates *r,
                                                uint64_t second)
{
	const struct tailbox__rate_slice *o = NULL;

	for (unsigned i = 0; i < TAILBOX__RATE_SLICES; i++)
		if (!is_stale(r, i, second) &&
		    (!o || r->slices[i].second < o->second))
			o = &r->slices[i];
	return o;
}

/* What is in all of those. */
static void merge(const struct tailbox__rates *r, uint64_t second,
                  struct merged *m)
{
	memset(m, 0, sizeof(*m));
	for (unsigned i = 0; i < TAILBOX__RATE_SLICES; i++) {
		const struct tailbox__rate_slice *s = &r->slices[i];
		if (!s->count || is_stale(r, i, second))
			continue;
		m->count += s->count;
		if (s->max > m->max)
			m->max = s->max;
		for (unsigned b = 0; b < TAILBOX__RATE_BUCKETS; b++)
			m->buckets[b] += s->buckets[b];
	}
}

uint64_t tailbox__rates_taken(const struct tailbox__rates *r, uint64_t now_ns,
                              uint64_t tickets, uint64_t *span_ms)
{
	const struct tailbox__rate_slice *o =
	        oldest(r, (now_ns - r->start_ns) / SECOND_NS);

	*span_ms = 0;
	if (!o)
		return 0;
	*span_ms = (now_ns - r->start_ns - o->second * SECOND_NS) / 1000000;
	return tickets > o->tickets ? tickets - o->tickets : 0;
}

void tailbox__rates_tell(const struct tailbox__rates *r, uint64_t now_ns,
                         uint64_t tickets, uint64_t blocks_max,
                         struct tailbox__recorder_status *out)
{
	const struct tailbox__clock_scale scale =
	        tailbox__scale_of_hz(tailbox__clock.hz);
	struct merged m;
	uint64_t span_ms;
	const uint64_t taken =
	        tailbox__rates_taken(r, now_ns, tickets, &span_ms);

	out->p50_us = out->p95_us = out->p99_us = out->max_us = TAILBOX__NONE;
	out->history_ms = TAILBOX__NONE;
	out->rate_milli = 0;
	merge(r, (now_ns - r->start_ns) / SECOND_NS, &m);
	/* Blocks that the first moments took say nothing of a rate. */
	if (span_ms >= 1000 && taken)
		out->history_ms = (uint64_t)((unsigned __int128)blocks_max *
		                             span_ms / taken);
	if (span_ms)
		out->rate_milli = m.count * 1000000 / span_ms;
	if (!m.count)
		return;
	out->p50_us = percentile(&m, 50, scale);
	out->p95_us = percentile(&m, 95, scale);
	out->p99_us = percentile(&m, 99, scale);
	out->max_us = tailbox__ticks_to_ns(scale, m.max) / 1000;
}
