/* analyzer/segments.c - did it change between the two halves of the time?
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 13. Samples are taken from the run as it was before
 * it was normalized: a worker count of zero that lies in one half concerns
 * that half only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "core/alloc.h"
#include "core/assemble_plan.h"

#define BOTH (TAILBOX__HAS_START_US | TAILBOX__HAS_END_US)

struct segment {
	const char *name;
	const uint32_t *requests;
	size_t count;
	uint64_t start_ms, end_ms, start_us, end_us;
	bool has_run_window;
	bool is_by_wall; /* a sample was taken by wall clock all the same */
	struct tailbox__run_snapshot *snapshots;
	struct tailbox__run_gauge *gauges;
	size_t snapshot_count, gauge_count;
};

/* --- order ------------------------------------------------------------------------ */

static __thread const struct tailbox__run *sorted_run; /* for qsort */
static __thread bool sorted_by_run;

static int in_time(const void *a, const void *b)
{
	const struct tailbox__run_request *x, *y;

	x = &sorted_run->requests.items[*(const uint32_t *)a];
	y = &sorted_run->requests.items[*(const uint32_t *)b];
	if (sorted_by_run && x->start_us != y->start_us)
		return x->start_us < y->start_us ? -1 : 1;
	if (x->start_ms != y->start_ms)
		return x->start_ms < y->start_ms ? -1 : 1;
	return tailbox__run_compare(sorted_run, x->id, y->id);
}

static uint64_t time_of(const struct tailbox__run_request *r)
{
	return sorted_by_run ? r->start_us : r->start_ms;
}

/* Whether each begins after the one before: as if sorted, and no ties. */
static bool is_in_order(const struct tailbox__run *run, uint32_t *order)
{
	const struct tailbox__run_request *r = run->requests.items;

	for (size_t i = 0; i < run->requests.count; i++) {
		if (i > 0 && time_of(&r[i]) <= time_of(&r[i - 1]))
			return false;
		order[i] = (uint32_t)i;
	}
	return true;
}

/* Indexes of the requests in time. By a linear sort on the first key, then the
 * few that are equal in it among themselves. */
static int put_in_order(const struct tailbox__run *run, uint32_t *order)
{
	const size_t n = run->requests.count;
	struct tailbox__key *keys;

	sorted_run = run;
	sorted_by_run = true;
	for (size_t i = 0; i < n; i++)
		sorted_by_run = sorted_by_run &&
		                run->requests.items[i].flags &
		                        TAILBOX__HAS_START_US;
	if (is_in_order(run, order))
		return 0;
	keys = tailbox__alloc(n, 2 * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		keys[i] = (struct tailbox__key){
			time_of(&run->requests.items[i]), (uint32_t)i, 0
		};
	tailbox__sort_keys(keys, keys + n, n);
	for (size_t i = 0; i < n; i++)
		order[i] = keys[i].index;
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && keys[to].tick == keys[from].tick;
		     to++)
			;
		if (to - from > 1)
			qsort(order + from, to - from, sizeof(*order), in_time);
	}
	tailbox__free(keys);
	return 0;
}

/* --- one segment ------------------------------------------------------------------- */

static void find_windows(const struct tailbox__run *run, struct segment *s)
{
	s->start_ms = s->start_us = UINT64_MAX;
	s->has_run_window = true;
	for (size_t i = 0; i < s->count; i++) {
		const struct tailbox__run_request *r =
		        &run->requests.items[s->requests[i]];

		if (r->start_ms < s->start_ms)
			s->start_ms = r->start_ms;
		if (r->end_ms > s->end_ms)
			s->end_ms = r->end_ms;
		if ((r->flags & BOTH) != BOTH) {
			s->has_run_window = false;
			continue;
		}
		if (r->start_us < s->start_us)
			s->start_us = r->start_us;
		if (r->end_us > s->end_us)
			s->end_us = r->end_us;
	}
}

/* Whether a sample lies in the segment; both ends do. */
static bool is_within(struct segment *s, uint32_t flags, uint64_t at_us,
                      uint64_t at_ms)
{
	bool is_in;

	if (s->has_run_window && flags & TAILBOX__HAS_START_US)
		return at_us >= s->start_us && at_us <= s->end_us;
	is_in = at_ms >= s->start_ms && at_ms <= s->end_ms;
	s->is_by_wall = s->is_by_wall || (is_in && s->has_run_window);
	return is_in;
}

static bool is_blank(const struct tailbox__run *run, tailbox__str s)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	return tailbox__is_blank(text, len);
}

static int take_samples(const struct tailbox__run *run,
                        const struct tailbox__original *o, struct segment *s)
{
	s->snapshots = tailbox__alloc(o->snapshot_count, sizeof(*s->snapshots));
	s->gauges = tailbox__alloc(o->gauge_count, sizeof(*s->gauges));
	if (!s->snapshots || !s->gauges)
		return -ENOMEM;
	for (size_t i = 0; i < o->snapshot_count; i++)
		if (is_within(s, o->snapshots[i].flags, o->snapshots[i].at_us,
		              o->snapshots[i].at_ms))
			s->snapshots[s->snapshot_count++] = o->snapshots[i];
	for (size_t i = 0; i < o->gauge_count; i++)
		if (is_within(s, o->gauges[i].flags, o->gauges[i].at_us,
		              o->gauges[i].at_ms) &&
		    !is_blank(run, o->gauges[i].gauge))
			s->gauges[s->gauge_count++] = o->gauges[i];
	return 0;
}

static bool is_of_runtime(const struct tailbox__report_slice *s)
{
	return s->suspects[0].kind == TAILBOX__SUSPECT_BLOCKING ||
	       s->suspects[0].kind == TAILBOX__SUSPECT_EXECUTOR;
}

static bool is_sparse(const struct tailbox__report_slice *s)
{
	return s->quality.snapshot_status != TAILBOX__EVIDENCE_PRESENT ||
	       s->quality.inflight_status != TAILBOX__EVIDENCE_PRESENT;
}

static int analyze_segment(const struct tailbox__part *whole,
                           struct tailbox__scratch *scratch,
                           const struct segment *s,
                           struct tailbox__report_segment *out)
{
	struct tailbox__part part = {
		.run = whole->run,
		.index = whole->index,
		.o = whole->o,
		.own = whole->own,
		.requests = s->requests,
		.request_count = s->count,
		.snapshots = s->snapshots,
		.snapshot_count = s->snapshot_count,
		.gauges = s->gauges,
		.gauge_count = s->gauge_count
	};
	struct tailbox__texts *w = &out->slice.warnings;
	int rc;

	out->name = s->name;
	out->start_ms = s->start_ms;
	out->end_ms = s->end_ms;
	tailbox__classify_workers(s->snapshots, s->snapshot_count,
	                          &part.workers, &part.worker_count);
	rc = tailbox__analyze_part(&part, scratch, &out->slice, NULL);
	if (rc == 0 && (!s->has_run_window || s->is_by_wall))
		rc = tailbox__texts_add(w, "samples were attributed to this "
		                           "segment by wall clock: approximate");
	if (rc == 0 && is_of_runtime(&out->slice) && is_sparse(&out->slice))
		rc = tailbox__texts_add(w, "samples of the runtime or of what "
		                           "is in flight are sparse in this "
		                           "segment");
	return rc;
}

/* --- both --------------------------------------------------------------------------- */

static bool moved(uint64_t a, uint64_t b, uint64_t least)
{
	return a != TAILBOX__NONE && b != TAILBOX__NONE &&
	       (a > b ? a - b : b - a) >= least;
}

/* Tell both, or none. */
static int judge(const struct tailbox__part *whole, struct tailbox__report *out)
{
	struct tailbox__report_segment *early = &out->segments.items[0];
	struct tailbox__report_segment *late = early + 1;
	const struct tailbox__report_slice *a = &early->slice, *b = &late->slice;
	const uint64_t *v = whole->o->v;
	const uint64_t share = v[TAILBOX__OPT_TEMPORAL_SHARE_SHIFT_PERMILLE];
	const bool p95_moved = tailbox__ratio(
	        a->p95_us > b->p95_us ? a->p95_us : b->p95_us,
	        a->p95_us > b->p95_us ? b->p95_us : a->p95_us,
	        v[TAILBOX__OPT_TEMPORAL_P95_NUM],
	        v[TAILBOX__OPT_TEMPORAL_P95_DEN]);
	const bool has_moved =
	        p95_moved ||
	        moved(a->p95_queue_permille, b->p95_queue_permille, share) ||
	        moved(a->p95_service_permille, b->p95_service_permille, share);
	const bool is_excused =
	        v[TAILBOX__OPT_TEMPORAL_SUPPRESS_SPARSE] &&
	        (is_sparse(a) || is_sparse(b)) &&
	        (is_of_runtime(a) || is_of_runtime(b)) && !has_moved;
	const bool is_told_shift =
	        v[TAILBOX__OPT_TEMPORAL_ON_SHIFT] &&
	        a->suspects[0].kind != b->suspects[0].kind && !is_excused;
	const bool overlaps =
	        early->end_ms >= late->start_ms &&
	        (a->quality.snapshots || a->quality.inflight ||
	         b->quality.snapshots || b->quality.inflight);
	int rc = 0;

	if (!is_told_shift && !has_moved) {
		tailbox__report_slice_fini(&early->slice);
		tailbox__report_slice_fini(&late->slice);
		out->segments.count = 0;
		return 0;
	}
	if (is_told_shift)
		rc = tailbox__texts_add(&out->whole.warnings,
		                        "the halves of the time have different "
		                        "primary suspects: see "
		                        "temporal_segments");
	if (rc == 0 && p95_moved)
		rc = tailbox__texts_add(&out->whole.warnings,
		                        "p95 latency moved strongly between "
		                        "the halves of the time");
	for (int i = 0; rc == 0 && overlaps && i < 2; i++)
		rc = tailbox__texts_add(
		        &out->segments.items[i].slice.warnings,
		        "the windows of the segments overlap: which samples "
		        "belong to which is approximate");
	return rc;
}

static int analyze_both(const struct tailbox__part *whole,
                        const struct tailbox__original *original,
                        struct tailbox__scratch *scratch, struct segment *two,
                        struct tailbox__report *out)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < 2; i++) {
		struct tailbox__report_segment *to;

		find_windows(whole->run, &two[i]);
		rc = take_samples(whole->run, original, &two[i]);
		to = rc == 0 ? tailbox__list_add(&out->segments) : NULL;
		if (rc == 0)
			rc = to ? analyze_segment(whole, scratch, &two[i], to)
			        : -ENOMEM;
	}
	return rc == 0 ? judge(whole, out) : rc;
}

int tailbox__analyze_segments(const struct tailbox__part *whole,
                              const struct tailbox__original *original,
                              struct tailbox__scratch *scratch,
                              struct tailbox__report *out)
{
	const uint64_t *v = whole->o->v;
	const size_t n = whole->request_count, half = n / 2;
	const uint64_t least = v[TAILBOX__OPT_TEMPORAL_MIN_SEGMENT_REQUESTS];
	struct segment two[2] = { { .name = "early" }, { .name = "late" } };
	uint32_t *order;
	int rc;

	if (n < v[TAILBOX__OPT_TEMPORAL_MIN_REQUESTS] || half < least ||
	    n - half < least)
		return 0;
	order = tailbox__alloc(n, sizeof(*order));
	if (!order)
		return -ENOMEM;
	rc = put_in_order(whole->run, order);
	two[0].requests = order;
	two[0].count = half;
	two[1].requests = order + half;
	two[1].count = n - half;
	if (rc == 0)
		rc = analyze_both(whole, original, scratch, two, out);
	for (int i = 0; i < 2; i++) {
		tailbox__free(two[i].snapshots);
		tailbox__free(two[i].gauges);
	}
	tailbox__free(order);
	return rc;
}
