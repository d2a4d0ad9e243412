/* analyzer/routes.c - do routes differ from each other, or from the whole?
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 12.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "core/alloc.h"

struct groups { /* requests by route: requests[first[g]..first[g + 1]) */
	tailbox__str *routes;
	uint32_t *first, *requests;
	size_t count, room;
};

static void groups_fini(struct groups *g)
{
	tailbox__free(g->routes);
	tailbox__free(g->first);
	tailbox__free(g->requests);
}

/* Number the routes as they come; of[string] becomes the number. */
static int number_routes(const struct tailbox__run *run, uint32_t *of,
                         struct groups *g)
{
	for (size_t i = 0; i < run->requests.count; i++) {
		const tailbox__str route = run->requests.items[i].route;
		tailbox__str *to;

		if (of[route] != UINT32_MAX)
			continue;
		of[route] = (uint32_t)g->count;
		to = tailbox__list_grow((void **)&g->routes, &g->count,
		                        &g->room, sizeof(*g->routes));
		if (!to)
			return -ENOMEM;
		*to = route;
	}
	return 0;
}

static int group(const struct tailbox__run *run, struct groups *g)
{
	const size_t strings = tailbox__run_str_count(run);
	const size_t n = run->requests.count;
	uint32_t *of = tailbox__alloc(strings + 1, sizeof(*of));
	int rc;

	if (!of)
		return -ENOMEM;
	for (size_t i = 0; i <= strings; i++)
		of[i] = UINT32_MAX;
	rc = number_routes(run, of, g);
	g->first = tailbox__zalloc(g->count + 2, sizeof(*g->first));
	g->requests = tailbox__alloc(n, sizeof(*g->requests));
	if (rc == 0 && g->first && g->requests) {
		for (size_t i = 0; i < n; i++)
			g->first[of[run->requests.items[i].route] + 2]++;
		for (size_t r = 2; r < g->count + 2; r++)
			g->first[r] += g->first[r - 1];
		for (size_t i = 0; i < n; i++)
			g->requests[g->first[of[run->requests.items[i].route] +
			                     1]++] = (uint32_t)i;
	} else {
		rc = -ENOMEM;
	}
	tailbox__free(of);
	return rc;
}

static int analyze_group(const struct tailbox__part *whole,
                         struct tailbox__scratch *scratch,
                         const struct groups *g, size_t at,
                         struct tailbox__report *out)
{
	struct tailbox__part part = {
		.run = whole->run,
		.index = whole->index,
		.o = whole->o,
		.own = whole->own,
		.requests = g->requests + g->first[at],
		.request_count = g->first[at + 1] - g->first[at],
		.workers = TAILBOX__WORKERS_NONE
	};
	struct tailbox__report_route *r = tailbox__list_add(&out->routes);
	int rc;

	if (!r)
		return -ENOMEM;
	r->route = g->routes[at];
	rc = tailbox__analyze_part(&part, scratch, &r->slice, NULL);
	return rc != 0 ? rc
	               : tailbox__texts_add(
	                         &r->slice.warnings,
	                         "signals of the runtime and of what is in "
	                         "flight belong to the whole server, not to "
	                         "this route");
}

static bool kinds_differ(const struct tailbox__report *r)
{
	for (size_t i = 1; i < r->routes.count; i++)
		if (r->routes.items[i].slice.suspects[0].kind !=
		    r->routes.items[0].slice.suspects[0].kind)
			return true;
	return false;
}

static bool is_worth_telling(const struct tailbox__part *whole,
                             const struct tailbox__report *r)
{
	const uint64_t *v = whole->o->v;
	uint64_t slowest = 0, fastest = UINT64_MAX;

	for (size_t i = 0; i < r->routes.count; i++) {
		const uint64_t p95 = r->routes.items[i].slice.p95_us;
		slowest = p95 > slowest ? p95 : slowest;
		fastest = p95 < fastest ? p95 : fastest;
	}
	return (v[TAILBOX__OPT_ROUTE_ON_DIVERGENT] && kinds_differ(r)) ||
	       tailbox__ratio(slowest, fastest,
	                      v[TAILBOX__OPT_ROUTE_FASTEST_NUM],
	                      v[TAILBOX__OPT_ROUTE_FASTEST_DEN]) ||
	       tailbox__ratio(slowest, r->whole.p95_us,
	                      v[TAILBOX__OPT_ROUTE_GLOBAL_NUM],
	                      v[TAILBOX__OPT_ROUTE_GLOBAL_DEN]);
}

static void cut(struct tailbox__report *r, size_t keep)
{
	while (r->routes.count > keep)
		tailbox__report_slice_fini(
		        &r->routes.items[--r->routes.count].slice);
}

static __thread const struct tailbox__run *sorted_run; /* qsort has no context */

static int slowest_first(const void *a, const void *b)
{
	const struct tailbox__report_route *x = a, *y = b;

	if (x->slice.p95_us != y->slice.p95_us)
		return x->slice.p95_us > y->slice.p95_us ? -1 : 1;
	if (x->slice.request_count != y->slice.request_count)
		return x->slice.request_count > y->slice.request_count ? -1 : 1;
	return tailbox__run_compare(sorted_run, x->route, y->route);
}

int tailbox__analyze_routes(const struct tailbox__part *whole,
                            struct tailbox__scratch *scratch,
                            struct tailbox__report *out)
{
	const uint64_t *v = whole->o->v;
	const uint64_t least = v[TAILBOX__OPT_ROUTE_MIN_REQUESTS];
	struct groups g = { .routes = NULL };
	size_t eligible = 0;
	int rc = group(whole->run, &g);

	for (size_t i = 0; rc == 0 && i < g.count; i++)
		eligible += g.first[i + 1] - g.first[i] >= least;
	for (size_t i = 0; rc == 0 && eligible >= 2 && i < g.count; i++)
		if (g.first[i + 1] - g.first[i] >= least)
			rc = analyze_group(whole, scratch, &g, i, out);
	if (rc == 0 && !is_worth_telling(whole, out))
		cut(out, 0);
	if (rc == 0 && out->routes.count > 0) {
		sorted_run = whole->run;
		qsort(out->routes.items, out->routes.count,
		      sizeof(*out->routes.items), slowest_first);
		if (v[TAILBOX__OPT_ROUTE_LIMIT] < out->routes.count)
			cut(out, (size_t)v[TAILBOX__OPT_ROUTE_LIMIT]);
	}
	for (size_t i = 0; rc == 0 && eligible < g.count &&
	                   i < out->routes.count; i++)
		rc = tailbox__texts_add(&out->routes.items[i].slice.warnings,
		                        "routes with fewer than %" PRIu64
		                        " requests are left out", least);
	if (rc == 0 && v[TAILBOX__OPT_ROUTE_ON_DIVERGENT] && kinds_differ(out))
		rc = tailbox__texts_add(&out->whole.warnings,
		                        "routes have different primary "
		                        "suspects: see route_breakdowns");
	groups_fini(&g);
	return rc;
}
