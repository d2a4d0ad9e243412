/* core/normalize.c - permissive normalization, in place.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md section 9.1, last column: what the inspection excluded
 * goes, offsets and worker counts it distrusts are cleared, everything else
 * stays as it is and in its order. Nothing is repaired and nothing is
 * allocated, so this cannot fail half-way.
 */
#include "core/validate.h"

#include "core/alloc.h"

#define BOTH_US (TAILBOX__HAS_START_US | TAILBOX__HAS_END_US)

static void normalize_requests(struct tailbox__run *run,
                               const uint16_t *excluded, const uint8_t *cleared)
{
	size_t kept = 0;

	for (size_t i = 0; i < run->requests.count; i++) {
		struct tailbox__run_request *r = &run->requests.items[kept];

		if (excluded && excluded[i])
			continue;
		*r = run->requests.items[i];
		if (cleared && cleared[i]) {
			r->flags &= ~(uint32_t)BOTH_US;
			r->start_us = r->end_us = 0;
		}
		kept++;
	}
	run->requests.count = kept;
}

static void normalize_spans(struct tailbox__run_span *items, size_t *count,
                            const uint16_t *excluded, const uint8_t *cleared)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		struct tailbox__run_span *s = &items[kept];

		if (excluded && excluded[i])
			continue;
		*s = items[i];
		if (cleared && cleared[i]) {
			s->flags &= ~(uint32_t)BOTH_US;
			s->start_us = s->end_us = 0;
		}
		kept++;
	}
	*count = kept;
}

static void normalize_inflight(struct tailbox__run *run,
                               const uint16_t *excluded)
{
	size_t kept = 0;

	for (size_t i = 0; i < run->inflight.count; i++)
		if (!excluded || !excluded[i])
			run->inflight.items[kept++] = run->inflight.items[i];
	run->inflight.count = kept;
}

static void normalize_snapshots(struct tailbox__run *run,
                                const uint8_t *cleared)
{
	for (size_t i = 0; i < run->snapshots.count; i++) {
		struct tailbox__run_snapshot *x = &run->snapshots.items[i];

		if (cleared && cleared[i]) {
			x->flags &= ~(uint32_t)TAILBOX__HAS_WORKERS;
			x->worker_count = 0;
		}
	}
}

/* Whether each request's extension data stands at its turn and none is left
 * over: the usual run, in which nothing has to be moved, or even looked at. */
static bool is_ext_whole(const struct tailbox__run *run)
{
	uint32_t next = 0;

	for (size_t i = 0; i < run->requests.count; i++) {
		const uint32_t ext = run->requests.items[i].ext;

		if (ext && ext != ++next)
			return false;
	}
	return next == run->ext.count;
}

/* Drop the extension data of requests that are gone. The new numbers stand
 * in a spare member of the old entries until those are moved, which only
 * ever goes down. */
static void normalize_ext(struct tailbox__run *run)
{
	struct tailbox__run_ext *ext = run->ext.items;
	uint32_t kept = 0;

	if (is_ext_whole(run))
		return;
	for (size_t i = 0; i < run->ext.count; i++)
		ext[i].reserved2 = 0;
	for (size_t i = 0; i < run->requests.count; i++) {
		struct tailbox__run_request *r = &run->requests.items[i];

		if (r->ext > run->ext.count)
			r->ext = 0;
		if (r->ext)
			ext[r->ext - 1].reserved2 = 1;
	}
	for (size_t i = 0; i < run->ext.count; i++)
		if (ext[i].reserved2)
			ext[i].reserved2 = ++kept;
	for (size_t i = 0; i < run->requests.count; i++) {
		struct tailbox__run_request *r = &run->requests.items[i];

		if (r->ext)
			r->ext = ext[r->ext - 1].reserved2;
	}
	for (size_t i = 0; i < run->ext.count; i++) {
		const uint32_t number = ext[i].reserved2;

		if (number == 0)
			continue;
		ext[number - 1] = ext[i];
		ext[number - 1].reserved2 = 0;
	}
	run->ext.count = kept;
}

static void normalize_events(struct tailbox__run *run,
                             const struct tailbox__inspection *in)
{
	normalize_requests(run, in->excluded[TAILBOX__SECTION_REQUESTS],
	                   in->cleared[TAILBOX__SECTION_REQUESTS]);
	normalize_spans(run->stages.items, &run->stages.count,
	                in->excluded[TAILBOX__SECTION_STAGES],
	                in->cleared[TAILBOX__SECTION_STAGES]);
	normalize_spans(run->queues.items, &run->queues.count,
	                in->excluded[TAILBOX__SECTION_QUEUES],
	                in->cleared[TAILBOX__SECTION_QUEUES]);
	normalize_inflight(run, in->excluded[TAILBOX__SECTION_INFLIGHT]);
	normalize_snapshots(run, in->cleared[TAILBOX__SECTION_SNAPSHOTS]);
}

void tailbox__normalize(struct tailbox__run *run,
                        const struct tailbox__inspection *in)
{
	if (in->changes > 0) /* or all would be moved to where they are */
		normalize_events(run, in);
	normalize_ext(run);
}
