/* analyzer/failures_json.c - bad requests for programs.
 *
 * SPDX-License-Identifier: MIT
 *
 * All groups, in the order of the text. Times in microseconds; what is not
 * known is null. doc/analysis.md has the members.
 */
#include <errno.h>

#include "analyzer/analysis.h"
#include "analyzer/failures.h"
#include "core/json_put.h"

static void put_share(struct tailbox__json *j, const struct tailbox__share *s)
{
	put_num(j, "requests", s->members);
	put_num(j, "other_requests", s->others);
	put_num(j, "other_requests_known", s->others_known);
}

static void put_shared(struct tailbox__json *j, const struct tailbox__run *run,
                       const struct tailbox__shared *s)
{
	tailbox__json_begin_object(j);
	put_word(j, "what", tailbox__trait_names[s->trait.kind]);
	put_str(j, run, "key", s->trait.key);
	if (s->trait.kind == TAILBOX__TRAIT_WORKER)
		put_num(j, "value", s->trait.value);
	else
		put_str(j, run, "value", s->trait.value);
	put_share(j, &s->share);
	tailbox__json_end_object(j);
}

static void put_moment(struct tailbox__json *j, const struct tailbox__moment *m)
{
	tailbox__json_key(j, "moment");
	if (!m->is_known) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	put_num(j, "from_run_us", m->from_us);
	put_num(j, "to_run_us", m->to_us);
	put_share(j, &m->share);
	tailbox__json_end_object(j);
}

static void put_holders(struct tailbox__json *j, const struct tailbox__run *run,
                        const struct tailbox__failure_group *g)
{
	tailbox__json_key(j, "holders");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < g->holder_count; i++) {
		tailbox__json_begin_object(j);
		put_str(j, run, "route", g->holders[i].route);
		put_num(j, "requests", g->holders[i].count);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
	put_num(j, "other_holders_requests", g->other_held);
	put_num(j, "unknown_holder_requests", g->unknown_held);
}

static void put_resource(struct tailbox__json *j,
                         const struct tailbox__run *run,
                         const struct tailbox__failure_group *g)
{
	const struct tailbox__usage *u = &g->usage;

	tailbox__json_key(j, "resource");
	if (!g->is_wait && !g->is_for_worker) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	put_num(j, "samples", u->samples);
	put_num(j, "max_in_use", u->in_use);
	put_num(j, "size", u->size);
	put_num(j, "full_samples", u->sized > 0 ? u->full : TAILBOX__NONE);
	put_num(j, "max_waiting", u->waiting);
	put_num(j, "max_oldest_wait_us", u->oldest_us);
	put_num(j, "max_depth_at_start", g->depth);
	if (g->is_for_worker)
		put_holders(j, run, g);
	tailbox__json_end_object(j);
}

static void put_group(struct tailbox__json *j, const struct tailbox__run *run,
                      const struct tailbox__failure_group *g)
{
	tailbox__json_begin_object(j);
	tailbox__json_key(j, "blocked");
	tailbox__json_begin_object(j);
	if (g->is_explained) {
		tailbox__piece_json(run, &g->piece, j);
	} else {
		put_word(j, "kind", "unexplained");
		put_word(j, "name", NULL);
	}
	tailbox__json_end_object(j);
	put_num(j, "requests", g->count);
	put_num(j, "blocked_permille",
	        tailbox__permille(g->blocked_us, g->latency_us));
	put_num(j, "p50_blocked_us", g->p50_blocked_us);
	put_num(j, "max_blocked_us", g->max_blocked_us);
	put_str(j, run, "longest_request_id",
	        run->requests.items[g->longest].id);
	put_num(j, "unfinished_there", g->open);
	put_resource(j, run, g);
	tailbox__json_key(j, "shared");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < g->shared_count; i++)
		put_shared(j, run, &g->shared[i]);
	tailbox__json_end_array(j);
	put_moment(j, &g->moment);
	tailbox__json_end_object(j);
}

static void put_kind(struct tailbox__json *j, const struct tailbox__run *run,
                     const struct tailbox__failures *f, unsigned kind)
{
	const struct tailbox__failure_kind *k = &f->kinds[kind];

	tailbox__json_begin_object(j);
	put_word(j, "kind", tailbox__failure_names[kind]);
	put_num(j, "requests", k->count);
	tailbox__json_key(j, "groups");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < k->group_count; i++)
		put_group(j, run, &k->groups[i]);
	tailbox__json_end_array(j);
	tailbox__json_end_object(j);
}

int tailbox__failures_json(const struct tailbox__failures *f,
                           const struct tailbox__run *run,
                           struct tailbox__json *j)
{
	tailbox__json_begin_object(j);
	put_str(j, run, "run_id", run->meta.run_id);
	put_str(j, run, "service_name", run->meta.service_name);
	put_str(j, run, "service_version", run->meta.service_version);
	put_num(j, "started_at_unix_ms", run->meta.started_ms);
	put_num(j, "requests", f->requests);
	put_num(j, "slow_us", f->slow_us);
	put_num(j, "lost_items", f->lost);
	put_num(j, "excluded_requests", f->excluded);
	put_num(j, "unfinished_requests", f->unfinished);
	put_num(j, "other_outcomes", f->unknown_outcomes);
	tailbox__json_key(j, "kinds");
	tailbox__json_begin_array(j);
	for (unsigned k = 0; k < TAILBOX__FAILURE_COUNT; k++)
		if (k != TAILBOX__FAILURE_SLOW || f->slow_us != TAILBOX__NONE)
			put_kind(j, run, f, k);
	tailbox__json_end_array(j);
	tailbox__json_end_object(j);
	return tailbox__json_ok(j) ? 0 : -ENOMEM;
}
