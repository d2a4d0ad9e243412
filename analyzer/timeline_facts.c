/* analyzer/timeline_facts.c - what both forms of a timeline say of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "analyzer/timeline_model.h"

uint64_t tailbox__tl_run_end_us(const struct tailbox__run *run)
{
	const struct tailbox__run_meta *m = &run->meta;
	uint64_t end = 0;

	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_request *r = &run->requests.items[i];
		if ((r->flags & TAILBOX__HAS_END_US) && r->end_us > end)
			end = r->end_us;
	}
	if (m->finalized_ms != TAILBOX__NONE &&
	    m->finalized_ms > m->started_ms &&
	    m->finalized_ms - m->started_ms < UINT64_MAX / 1000) {
		uint64_t us = (m->finalized_ms - m->started_ms) * 1000;
		if (us > end)
			end = us;
	}
	return end;
}

bool tailbox__tl_is_loss(const struct tailbox__run *run,
                         const struct tailbox__run_pair *pair)
{
	size_t len;
	const char *key = tailbox__run_text(run, pair->key, &len);

	return !pair->text && len == strlen(key) &&
	       (!strncmp(key, "lost_", 5) || !strcmp(key, "late_spans"));
}

void tailbox__tl_cuts(const struct tailbox__run *run,
                      struct tailbox__tl_cut cuts[TAILBOX__TL_CUTS])
{
	const struct tailbox__run_truncation *t = &run->truncation;
	const struct tailbox__run_pair *holds =
	        tailbox__run_extra(run, "dropped_holds");
	const struct tailbox__tl_cut all[TAILBOX__TL_CUTS] = {
		{ "dropped_requests", "requests", t->dropped_requests },
		{ "dropped_stages", "stages", t->dropped_stages },
		{ "dropped_queues", "waits", t->dropped_queues },
		{ "dropped_inflight_snapshots", "gauge moves",
		  t->dropped_inflight_snapshots },
		{ "dropped_runtime_snapshots", "samples",
		  t->dropped_runtime_snapshots },
		{ "dropped_holds", "holds",
		  holds && !holds->text ? holds->number : 0 },
	};

	memcpy(cuts, all, sizeof(all));
}

size_t tailbox__tl_longest_holds(const struct tailbox__run *run,
                                 size_t shown[TAILBOX__TL_HOLDS])
{
	const struct tailbox__run_hold *items = run->holds.items;
	size_t count = 0;

	for (size_t i = 0; i < run->holds.count; i++) {
		size_t at = count;
		while (at > 0 && items[shown[at - 1]].dur_us < items[i].dur_us)
			at--;
		if (at == TAILBOX__TL_HOLDS)
			continue;
		count += count < TAILBOX__TL_HOLDS;
		memmove(shown + at + 1, shown + at,
		        (count - at - 1) * sizeof(*shown));
		shown[at] = i;
	}
	return count;
}
