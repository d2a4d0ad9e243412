/* controller/trigger_routes.c - percentiles of routes, and what they used to
 * be.
 *
 * SPDX-License-Identifier: MIT
 *
 * The rolling value is that of a histogram which forgets a sixteenth every
 * 5 s: about the last minute and a half, without the 5 s that are being
 * counted. The first 64 routes with a request have one each; of those that
 * are named in route_p99 each has its place at once.
 */
#include "controller/trigger.h"

#include <string.h>

#include "core/clock.h"

#define FORGET (1.0f / 16)

/* "/checkout 250ms" names "/checkout" and what any method makes of it. */
static bool is_route(const char *name, const char *wanted, size_t len)
{
	if (strlen(name) == len && memcmp(name, wanted, len) == 0)
		return true;
	const char *blank = strchr(name, ' ');
	return wanted[0] == '/' && blank && strlen(blank + 1) == len &&
	       memcmp(blank + 1, wanted, len) == 0;
}

/* The bound that the settings give a route; UINT64_MAX: none. */
static uint64_t bound_of(const struct tailbox__triggers *t, const char *name)
{
	const struct tailbox__config_list *list = &t->config.route_p99;

	for (uint32_t i = 0; i < list->count; i++) {
		size_t len;
		uint64_t ms;

		if (tailbox__config_route_bound(list->items[i], &len, &ms) &&
		    is_route(name, list->items[i], len))
			return (uint64_t)((unsigned __int128)ms * t->hz /
			                  1000);
	}
	return UINT64_MAX;
}

static struct tailbox__trigger_route *place_of(struct tailbox__triggers *t,
                                               const char *name)
{
	struct tailbox__trigger_route *r;
	const uint64_t bound = bound_of(t, name);
	const uint32_t named = t->config.route_p99.count;
	/* Those that are named always find a place. */
	const uint32_t room = bound != UINT64_MAX ||
	                                      named > TAILBOX__TRIGGER_ROUTES
	                              ? TAILBOX__TRIGGER_ROUTES
	                              : TAILBOX__TRIGGER_ROUTES - named;

	/* Two numbers may carry the same text. */
	for (uint32_t i = 0; i < t->route_count; i++)
		if (strcmp(t->routes[i].name, name) == 0)
			return &t->routes[i];
	if ((bound == UINT64_MAX && !t->config.p99_factor) ||
	    t->route_count >= room)
		return NULL;
	r = &t->routes[t->route_count++];
	memset(r, 0, sizeof(*r));
	strncpy(r->name, name, sizeof(r->name) - 1);
	r->bound = bound;
	r->factor_bound = UINT64_MAX;
	return r;
}

struct tailbox__trigger_route *
tailbox__triggers_find(struct tailbox__triggers *t, uint16_t route)
{
	const char *name = route < 4096 && t->name ? t->name(t->name_cls, route)
	                                           : NULL;

	if (!route || !name)
		return NULL; /* looked for again */
	struct tailbox__trigger_route *r = place_of(t, name);
	t->route_of[route] = r ? (uint8_t)(r - t->routes + 1) : 255;
	return r;
}

/* --- values -------------------------------------------------------------- */

/* Of the last 5 to 10 s, but never below what the counting says. */
static uint64_t p99_now(const struct tailbox__trigger_route *r, uint64_t bound)
{
	const uint64_t n = (uint64_t)r->count[0] + r->count[1];
	const uint64_t rank = (n * 99 + 99) / 100;
	uint64_t seen = 0, ticks = bound;

	for (unsigned b = 0; b < TAILBOX__TRIGGER_BUCKETS; b++) {
		seen += (uint64_t)r->buckets[0][b] + r->buckets[1][b];
		if (seen >= rank) {
			ticks = tailbox__bucket_middle(b, TAILBOX__TRIGGER_SUB);
			break;
		}
	}
	return ticks < bound ? bound : ticks;
}

static uint64_t p99_rolling(const struct tailbox__trigger_route *r)
{
	const float rank = r->rolling_count * 0.99f;
	float seen = 0;

	for (unsigned b = 0; b < TAILBOX__TRIGGER_BUCKETS; b++) {
		seen += r->rolling[b];
		if (seen >= rank)
			return tailbox__bucket_middle(b, TAILBOX__TRIGGER_SUB);
	}
	return tailbox__bucket_middle(TAILBOX__TRIGGER_BUCKETS - 1, TAILBOX__TRIGGER_SUB);
}

/* --- judging ------------------------------------------------------------- */

static bool judge(struct tailbox__triggers *t,
                  const struct tailbox__trigger_route *r, bool was_over,
                  enum tailbox__trigger_kind kind, uint64_t bound,
                  const uint32_t over[2])
{
	const uint64_t n = (uint64_t)r->count[0] + r->count[1];
	const uint64_t n_over = (uint64_t)over[0] + over[1];
	const bool is_over = bound != UINT64_MAX &&
	                     n >= t->config.min_count && n_over * 100 > n;

	if (is_over && !was_over)
		tailbox__triggers_fire(t, kind, 1,
		                       tailbox__triggers_us(t,
		                                            p99_now(r, bound)),
		                       tailbox__triggers_us(t, bound), 0,
		                       r->name);
	return is_over;
}

void tailbox__triggers_judge_routes(struct tailbox__triggers *t)
{
	for (uint32_t i = 0; i < t->route_count; i++) {
		struct tailbox__trigger_route *r = &t->routes[i];

		r->is_over = judge(t, r, r->is_over,
		                   TAILBOX__TRIGGER_ROUTE_P99, r->bound,
		                   r->over);
		r->is_over_factor = judge(t, r, r->is_over_factor,
		                          TAILBOX__TRIGGER_P99_FACTOR,
		                          r->factor_bound, r->over_factor);
	}
}

/* The half that ended goes into the rolling value, the next one is emptied;
 * t->half is the next one already. */
static void turn(struct tailbox__triggers *t, struct tailbox__trigger_route *r)
{
	const uint8_t next = t->half, last = t->half ^ 1;
	float sum = 0;

	for (unsigned b = 0; b < TAILBOX__TRIGGER_BUCKETS; b++) {
		r->rolling[b] -= r->rolling[b] * FORGET;
		r->rolling[b] += (float)r->buckets[last][b];
		sum += r->rolling[b];
	}
	r->rolling_count = sum;
	memset(r->buckets[next], 0, sizeof(r->buckets[next]));
	r->count[next] = r->over[next] = r->over_factor[next] = 0;
	if (!t->config.p99_factor || sum < (float)t->config.min_count)
		return;
	/* The half that ended was counted against another bound. */
	uint64_t bound = p99_rolling(r) * t->config.p99_factor;
	const uint64_t floor = (uint64_t)((unsigned __int128)t->config.p99_floor *
	                                  t->hz / 1000);
	if (bound < floor)
		bound = floor;
	r->factor_bound = bound;
}

void tailbox__triggers_turn_routes(struct tailbox__triggers *t)
{
	for (uint32_t i = 0; i < t->route_count; i++)
		turn(t, &t->routes[i]);
}
