/* analyzer/compare_side.c - what is told of one of the two runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "analyzer/compare_internal.h"

static bool is_loss(const struct tailbox__run *run,
                    const struct tailbox__run_pair *pair)
{
	size_t len;
	const char *key = tailbox__run_text(run, pair->key, &len);

	return !pair->text && len > 5 && !memcmp(key, "lost_", 5);
}

static uint64_t losses_of(const struct tailbox__run *run)
{
	const struct tailbox__run_truncation *t = &run->truncation;
	/* Saturated: a file may say anything. */
	unsigned __int128 n = (unsigned __int128)t->dropped_requests +
	                      t->dropped_stages + t->dropped_queues +
	                      t->dropped_inflight_snapshots +
	                      t->dropped_runtime_snapshots;

	for (size_t i = 0; i < run->meta.extra.count; i++)
		if (is_loss(run, &run->meta.extra.items[i]))
			n += run->meta.extra.items[i].number;
	if (n == 0 && t->limits_hit)
		n = 1;
	return n > UINT64_MAX ? UINT64_MAX : (uint64_t)n;
}

static void take_suspects(const struct tailbox__report *report, unsigned side,
                          struct tailbox__compare *c)
{
	const struct tailbox__report_slice *s = &report->whole;

	for (size_t i = 0; i < s->suspect_count; i++) {
		struct tailbox__compare_suspect *to =
		        &c->suspects[s->suspects[i].kind];
		/* Of a kind the first is the strongest. */
		if (to->is_there[side])
			continue;
		to->is_there[side] = true;
		to->score[side] = s->suspects[i].score;
		to->confidence[side] = s->suspects[i].confidence;
	}
}

/* The analysis normalizes the run, and what is compared after is the same
 * requests that the report counts. */
int tailbox__cmp_side(struct tailbox__run *run,
                      const struct tailbox__analyzer_options *o, unsigned side,
                      struct tailbox__compare *c)
{
	struct tailbox__compare_side *to = &c->sides[side];
	const size_t count = run->requests.count;
	struct tailbox__report report;
	int rc;

	to->lost = losses_of(run);
	to->unfinished = run->meta.unfinished_count;
	rc = tailbox__analyze(run, o, false, &report);
	if (rc == 0) {
		to->requests = run->requests.count;
		to->excluded = count - run->requests.count;
		to->queue_permille = report.whole.p95_queue_permille;
		to->service_permille = report.whole.p95_service_permille;
		take_suspects(&report, side, c);
	}
	tailbox__report_fini(&report);
	return rc;
}
