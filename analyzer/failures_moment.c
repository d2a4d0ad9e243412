/* analyzer/failures_moment.c - whether a group came all at once.
 *
 * SPDX-License-Identifier: MIT
 *
 * By the starts of requests, which members and others both have. The shortest
 * span with 80% of the members is looked for; where all of them fit into
 * twice its length, the span is that of all. Whether it stands out is a
 * question of how many of the other requests came then: a group is not "all
 * at once" when everybody else was, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/failures_internal.h"
#include "core/alloc.h"

static int ascending(const void *va, const void *vb)
{
	const uint64_t *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

/* Starts that are known, of the members or, NULL, of all requests. */
static size_t take_starts(const struct tailbox__run *run,
                          const struct tailbox__fail_member *members, size_t n,
                          uint64_t *out)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct tailbox__run_request *r =
		        &run->requests.items[members ? members[i].request : i];

		if (r->flags & TAILBOX__HAS_START_US)
			out[count++] = r->start_us;
	}
	if (count > 0)
		qsort(out, count, sizeof(*out), ascending);
	return count;
}

static int starts_of_all(struct tailbox__fail_work *w)
{
	const size_t n = w->run->requests.count;

	if (w->starts)
		return 0;
	w->starts = tailbox__alloc(n, sizeof(*w->starts));
	if (!w->starts)
		return -ENOMEM;
	w->start_count = take_starts(w->run, NULL, n, w->starts);
	return 0;
}

/* How many of n ascending values are below `limit`, or at it as well. */
static size_t count_to(const uint64_t *values, size_t n, uint64_t limit,
                       bool is_at_as_well)
{
	size_t low = 0;

	while (n > 0) {
		const size_t half = n / 2;
		const uint64_t value = values[low + half];

		if (value < limit || (is_at_as_well && value == limit)) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static uint64_t count_in(const uint64_t *values, size_t n, uint64_t from,
                         uint64_t to)
{
	return count_to(values, n, to, true) - count_to(values, n, from, false);
}

/* Whether the span stands out; then it is the moment. */
static bool take_span(const struct tailbox__fail_work *w,
                      const uint64_t *starts, size_t known, uint64_t from,
                      uint64_t to, struct tailbox__failure_group *g)
{
	const double n = (double)g->count;
	struct tailbox__moment m = { .is_known = true, .from_us = from,
		                     .to_us = to };

	m.share.members = count_in(starts, known, from, to);
	m.share.others = count_in(w->starts, w->start_count, from, to) -
	                 m.share.members;
	m.share.others_known = w->start_count - known;
	if (!tailbox__is_shared(&m.share, g->count, n * (n - 1) / 2, 2))
		return false;
	g->moment = m;
	return true;
}

static void find_span(const struct tailbox__fail_work *w,
                      const uint64_t *starts, size_t known,
                      struct tailbox__failure_group *g)
{
	const uint64_t n = g->count;
	const size_t most = (size_t)(n - n * (1000 - TAILBOX__SHARED_PERMILLE) /
	                                         1000);
	size_t at = 0;

	if (n < 2 || known < most)
		return;
	for (size_t i = 1; i + most <= known; i++)
		if (starts[i + most - 1] - starts[i] <
		    starts[at + most - 1] - starts[at])
			at = i;
	const uint64_t from = starts[at], to = starts[at + most - 1];
	const uint64_t whole = starts[known - 1] - starts[0];
	if (whole / 2 <= to - from &&
	    take_span(w, starts, known, starts[0], starts[known - 1], g))
		return;
	take_span(w, starts, known, from, to, g);
}

int tailbox__fail_moment(struct tailbox__fail_work *w,
                         struct tailbox__failure_group *g,
                         const struct tailbox__fail_member *members, size_t n)
{
	uint64_t *starts;

	if (n < 2)
		return 0;
	if (starts_of_all(w) < 0)
		return -ENOMEM;
	starts = tailbox__alloc(n, sizeof(*starts));
	if (!starts)
		return -ENOMEM;
	find_span(w, starts, take_starts(w->run, members, n, starts), g);
	tailbox__free(starts);
	return 0;
}
