/* analyzer/compare_json.c - a comparison for programs.
 *
 * SPDX-License-Identifier: MIT
 *
 * Times in microseconds, changes in thousandths of the value before; what is
 * not known is null.
 */
#include <errno.h>

#include "analyzer/compare_internal.h"
#include "core/json_put.h"

static const char *const words[TAILBOX__SIDES] = { "before", "after" };

static void put_permille(struct tailbox__json *j, const char *key,
                         bool is_known, int64_t ppm)
{
	tailbox__json_key(j, key);
	if (is_known)
		tailbox__json_i64(j, tailbox__cmp_permille(ppm));
	else
		tailbox__json_null(j);
}

static void put_side(struct tailbox__json *j, const char *key,
                     const struct tailbox__compare_side *s,
                     const struct tailbox__run *run)
{
	tailbox__json_key(j, key);
	tailbox__json_begin_object(j);
	put_str(j, run, "run_id", run->meta.run_id);
	put_str(j, run, "service_name", run->meta.service_name);
	put_str(j, run, "service_version", run->meta.service_version);
	put_num(j, "started_at_unix_ms", run->meta.started_ms);
	put_num(j, "requests", s->requests);
	put_num(j, "lost_items", s->lost);
	put_num(j, "excluded_requests", s->excluded);
	put_num(j, "unfinished_requests", s->unfinished);
	put_num(j, "block_us", s->block_us);
	put_num(j, "p95_queue_share_permille", s->queue_permille);
	put_num(j, "p95_service_share_permille", s->service_permille);
	tailbox__json_end_object(j);
}

static void put_cell(struct tailbox__json *j,
                     const struct tailbox__compare_row *row,
                     enum tailbox__compare_metric m)
{
	const struct tailbox__compare_cell *cell = &row->cells[m];
	const struct tailbox__boot_tail *tails = cell->tails;

	tailbox__json_begin_object(j);
	put_word(j, "metric", tailbox__compare_metrics[m]);
	put_num(j, "before_us", cell->us[TAILBOX__BEFORE]);
	put_num(j, "after_us", cell->us[TAILBOX__AFTER]);
	put_permille(j, "change_permille",
	             row->requests[TAILBOX__BEFORE] &&
	                     row->requests[TAILBOX__AFTER],
	             cell->change_ppm);
	put_permille(j, "low_permille", cell->has_interval, cell->low_ppm);
	put_permille(j, "high_permille", cell->has_interval, cell->high_ppm);
	put_num(j, "tail_blocks_before", tails[TAILBOX__BEFORE].effective);
	put_num(j, "tail_blocks_after", tails[TAILBOX__AFTER].effective);
	put_num(j, "step_us", cell->step_us);
	put_word(j, "verdict", tailbox__verdicts[cell->verdict]);
	put_word(j, "reason",
	         cell->reason == TAILBOX__UNJUDGED_NOT
	                 ? NULL
	                 : tailbox__unjudged_names[cell->reason]);
	tailbox__json_end_object(j);
}

static void put_row(struct tailbox__json *j,
                    const struct tailbox__compare_row *row)
{
	tailbox__json_begin_object(j);
	tailbox__json_key(j, "route");
	if (row->route)
		tailbox__json_string(j, row->route, row->route_len);
	else
		tailbox__json_null(j);
	put_num(j, "requests_before", row->requests[TAILBOX__BEFORE]);
	put_num(j, "requests_after", row->requests[TAILBOX__AFTER]);
	put_num(j, "blocks_before", row->blocks[TAILBOX__BEFORE]);
	put_num(j, "blocks_after", row->blocks[TAILBOX__AFTER]);
	tailbox__json_key(j, "metrics");
	tailbox__json_begin_array(j);
	for (unsigned m = 0; m < TAILBOX__COMPARE_METRICS; m++)
		if (row->cells[m].is_wanted)
			put_cell(j, row, (enum tailbox__compare_metric)m);
	tailbox__json_end_array(j);
	tailbox__json_end_object(j);
}

static void put_suspect(struct tailbox__json *j,
                        const struct tailbox__compare_suspect *s,
                        enum tailbox__suspect_kind kind)
{
	tailbox__json_begin_object(j);
	put_word(j, "kind", tailbox__suspect_names[kind]);
	put_word(j, "change",
	         !s->is_there[TAILBOX__AFTER]    ? "went"
	         : !s->is_there[TAILBOX__BEFORE] ? "came"
	                                         : "stayed");
	for (unsigned k = 0; k < TAILBOX__SIDES; k++) {
		tailbox__json_key(j, words[k]);
		if (!s->is_there[k]) {
			tailbox__json_null(j);
			continue;
		}
		tailbox__json_begin_object(j);
		put_num(j, "score", s->score[k]);
		put_word(j, "confidence",
		         tailbox__confidence_names[s->confidence[k]]);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_object(j);
}

static void put_lists(struct tailbox__json *j, const struct tailbox__compare *c)
{
	tailbox__json_key(j, "rows");
	tailbox__json_begin_array(j);
	for (size_t r = 0; r < c->row_count; r++)
		put_row(j, &c->rows[r]);
	tailbox__json_end_array(j);
	tailbox__json_key(j, "suspects");
	tailbox__json_begin_array(j);
	for (unsigned k = 0; k < TAILBOX__SUSPECT_COUNT; k++)
		if (c->suspects[k].is_there[TAILBOX__BEFORE] ||
		    c->suspects[k].is_there[TAILBOX__AFTER])
			put_suspect(j, &c->suspects[k],
			            (enum tailbox__suspect_kind)k);
	tailbox__json_end_array(j);
}

int tailbox__compare_json(const struct tailbox__compare *c,
                          const struct tailbox__run *before,
                          const struct tailbox__run *after,
                          struct tailbox__json *j)
{
	tailbox__json_begin_object(j);
	put_word(j, "verdict", tailbox__verdicts[c->verdict]);
	tailbox__json_key(j, "counts");
	tailbox__json_begin_object(j);
	for (unsigned v = 0; v < TAILBOX__VERDICT_COUNT; v++)
		put_num(j, tailbox__verdicts[v], c->counts[v]);
	tailbox__json_end_object(j);
	put_num(j, "min_effect_permille", c->min_effect_permille);
	put_num(j, "draws", TAILBOX__BOOT_DRAWS);
	put_num(j, "routes_not_compared", c->more_routes);
	put_side(j, "before", &c->sides[TAILBOX__BEFORE], before);
	put_side(j, "after", &c->sides[TAILBOX__AFTER], after);
	put_lists(j, c);
	tailbox__json_end_object(j);
	return tailbox__json_ok(j) ? 0 : -ENOMEM;
}
