/* analyzer/assert_missing.c - the requests that a run does not hold.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nothing says of which route a request was that is not there, so of a route
 * as many may be missing as of all. Only of unfinished requests there is a
 * list, though a bounded one.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/assert_internal.h"

#define OTHER "{other}" /* routes beyond the table of names: core/names.c */

static uint64_t extra(const struct tailbox__run *run, const char *key)
{
	const struct tailbox__run_pair *p = tailbox__run_extra(run, key);

	return p && !p->text ? p->number : 0;
}

bool tailbox__assert_is_route(const struct tailbox__run *run, tailbox__str s,
                              const struct tailbox__assertion *a)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	return s && len == a->route_len && !memcmp(text, a->route, len);
}

static uint64_t unfinished(const struct tailbox__run *run,
                           const struct tailbox__assertion *a)
{
	const struct tailbox__run_meta *m = &run->meta;
	uint64_t others = 0;

	for (size_t i = 0; a->route && i < m->unfinished.count; i++)
		others += !tailbox__assert_is_route(
			run, m->unfinished.items[i].route, a);
	/* A file may list more than it counts. */
	return others < m->unfinished_count ? m->unfinished_count - others : 0;
}

static uint64_t misnamed(const struct tailbox__run *run,
                         const struct tailbox__assertion *a)
{
	const struct tailbox__assertion other = { .route = OTHER,
		                                  .route_len = strlen(OTHER) };
	uint64_t n = 0;

	if (!a->route || !extra(run, "lost_names") ||
	    (a->route_len == other.route_len &&
	     !memcmp(a->route, OTHER, other.route_len)))
		return 0;
	for (size_t i = 0; i < run->requests.count; i++)
		n += tailbox__assert_is_route(run, run->requests.items[i].route,
		                              &other);
	return n;
}

void tailbox__missing_find(const struct tailbox__run *run,
                           const struct tailbox__assertion *a, uint64_t came,
                           struct tailbox__missing *m)
{
	const struct tailbox__run_truncation *t = &run->truncation;
	/* Something was dropped, and nobody says what. */
	const bool is_vague = t->limits_hit && !t->dropped_requests &&
	                      !t->dropped_stages && !t->dropped_queues &&
	                      !t->dropped_inflight_snapshots &&
	                      !t->dropped_runtime_snapshots;
	const bool has_lost_spans = extra(run, "lost_spans") > 0 ||
	                            extra(run, "lost_blocks") > 0 || is_vague;

	*m = (struct tailbox__missing){
		.dropped = t->dropped_requests,
		.lost = extra(run, "lost_requests"),
		.invalid = came > run->requests.count
		                   ? came - run->requests.count
		                   : 0,
		.unfinished = unfinished(run, a),
		.misnamed = misnamed(run, a),
		.is_unbounded = extra(run, "lost_blocks") ||
		                extra(run, "lost_threads") ||
		                extra(run, "lost_connections") || is_vague,
		.has_lost_waits = t->dropped_queues > 0 || has_lost_spans,
		.has_lost_stages = t->dropped_stages > 0 || has_lost_spans,
	};
	m->has_lost_requests = m->dropped || m->lost || m->invalid ||
	                       m->misnamed || m->is_unbounded;
	m->count = tailbox__sat_add(m->dropped, m->lost);
	m->count = tailbox__sat_add(m->count, m->invalid);
	m->count = tailbox__sat_add(m->count, m->unfinished);
	m->count = tailbox__sat_add(m->count, m->misnamed);
}

const char *tailbox__missing_text(const struct tailbox__missing *m, char *buf,
                                  size_t size)
{
	const struct {
		uint64_t n;
		const char *what;
	} parts[] = {
		{ m->dropped, "dropped" },       { m->lost, "lost" },
		{ m->unfinished, "unfinished" }, { m->invalid, "not valid" },
		{ m->misnamed, "named " OTHER },
	};
	size_t at = (size_t)snprintf(buf, size, "requests are missing (");
	const char *comma = "";

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (!parts[i].n || at >= size)
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s%" PRIu64 " %s",
		                       comma, parts[i].n, parts[i].what);
		comma = ", ";
	}
	if (at < size)
		snprintf(buf + at, size - at, "%s)",
		         !m->is_unbounded ? ""
		         : *comma         ? ", and an unknown number"
		                          : "an unknown number");
	return buf;
}
