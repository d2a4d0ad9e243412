/* tests/compare_fixture.h - runs whose truth is known.
 *
 * SPDX-License-Identifier: MIT
 *
 * Requests come at random; a load that wanders (it is forgotten in half a
 * second) makes neighbours slow together, and now and then the service stands
 * still and all that come meanwhile wait for its end.
 */
#ifndef TESTS_COMPARE_FIXTURE_H
#define TESTS_COMPARE_FIXTURE_H 1

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/alloc.h"
#include "core/run.h"

struct plan {
	uint64_t seed;
	unsigned seconds, per_second;
	double stalls_per_second;
	double load; /* how much it wanders, in units of e */
	/* Latencies of `route` (6 = all) above its p95 become that much. */
	unsigned route;
	double factor;
};
enum { PLAN_ROUTES = 6, ALL_ROUTES = 6 };
static const char *const plan_routes[PLAN_ROUTES] = {
	"GET /", "/items/{id}", "GET /search", "POST /cart", "GET /report",
	"POST /login"
};

static double plan_unit(uint64_t *state) /* in (0, 1); xorshift64* */
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return ((double)((*state * UINT64_C(2685821657736338717)) >> 11) +
	        0.5) / 9007199254740992.0;
}

static double plan_normal(uint64_t *state)
{
	const double u = plan_unit(state), v = plan_unit(state);

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static struct tailbox__run *plan_run(void)
{
	struct tailbox__run *run;

	if (tailbox__run_create(&run) < 0)
		abort();
	run->meta.run_id = tailbox__run_cstr(run, "shop-1");
	run->meta.service_name = tailbox__run_cstr(run, "shop");
	run->meta.started_ms = 1763608361000;
	run->meta.finalized_ms = 1763608961000;
	return run;
}

static struct tailbox__run_request *plan_add(struct tailbox__run *run,
                                             const char *route,
                                             uint64_t start_us, uint64_t us)
{
	struct tailbox__run_request *r = tailbox__list_add(&run->requests);
	char id[24];

	if (!r)
		abort();
	snprintf(id, sizeof(id), "r%zu", run->requests.count);
	r->id = tailbox__run_cstr(run, id);
	r->route = tailbox__run_cstr(run, route);
	r->outcome = tailbox__run_cstr(run, "ok");
	r->start_ms = run->meta.started_ms + start_us / 1000;
	r->end_ms = run->meta.started_ms + (start_us + us) / 1000;
	r->start_us = start_us;
	r->end_us = start_us + us;
	r->latency_us = us;
	r->flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
	return r;
}

static int plan_ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Make the slowest 5% of the planned route slower. */
static void plan_plant(struct tailbox__run *run, const struct plan *p)
{
	const tailbox__str route =
	        p->route == ALL_ROUTES
	                ? 0
	                : tailbox__run_cstr(run, plan_routes[p->route]);
	uint64_t *all = calloc(run->requests.count, sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < run->requests.count; i++)
		if (!route || run->requests.items[i].route == route)
			all[n++] = run->requests.items[i].latency_us;
	qsort(all, n, sizeof(*all), plan_ascending);
	for (size_t i = 0; i < run->requests.count; i++) {
		struct tailbox__run_request *r = &run->requests.items[i];
		if ((route && r->route != route) ||
		    r->latency_us < all[n * 95 / 100])
			continue;
		r->latency_us = (uint64_t)((double)r->latency_us * p->factor);
		r->end_us = r->start_us + r->latency_us;
		r->end_ms = run->meta.started_ms + r->end_us / 1000;
	}
	free(all);
}

static struct tailbox__run *plan_make(const struct plan *p)
{
	static const double share[PLAN_ROUTES] = { .40, .65, .80, .90, .96, 1 };
	static const double base_us[PLAN_ROUTES] = { 900,  2500, 8000,
		                                     4000, 40000, 15000 };
	struct tailbox__run *run = plan_run();
	uint64_t s = p->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	double at = 0, step = 0, load = 0, stall_end = 0;

	for (unsigned i = 0; i < 8; i++)
		plan_unit(&s);
	while ((at += -log(plan_unit(&s)) * 1e6 / p->per_second) <
	       p->seconds * 1e6) {
		for (; step < at; step += 50000) {
			load = 0.9 * load + 0.43589 * plan_normal(&s);
			if (plan_unit(&s) < p->stalls_per_second * 0.05)
				stall_end = step + 60000 +
				            80000 * plan_unit(&s);
		}
		const double u = plan_unit(&s);
		unsigned route = 0;
		while (u > share[route])
			route++;
		double us = base_us[route] *
		            exp(0.45 * plan_normal(&s) + p->load * load);
		if (at < stall_end)
			us += stall_end - at;
		plan_add(run, plan_routes[route], (uint64_t)at, (uint64_t)us);
	}
	if (p->factor != 0)
		plan_plant(run, p);
	return run;
}

#endif
