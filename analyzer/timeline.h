/* analyzer/timeline.h - a run as a table of routes and waterfalls.
 *
 * SPDX-License-Identifier: MIT
 *
 * What was measured, without judging it: per-route latencies, and the slowest
 * requests with their phases, waits and stages on the request's own time axis.
 */
#ifndef TAILBOX_ANALYZER_TIMELINE_H
#define TAILBOX_ANALYZER_TIMELINE_H 1

#include <stdbool.h>
#include <stdio.h>

#include "core/json.h"
#include "core/run.h"

#define TAILBOX__TIMELINE_WIDTH 80u
#define TAILBOX__TIMELINE_WIDTH_MIN 64u
#define TAILBOX__TIMELINE_WIDTH_MAX 400u
#define TAILBOX__TIMELINE_SLOWEST 5u
#define TAILBOX__TIMELINE_SLOWEST_MAX 1000u

struct tailbox__timeline_options {
	size_t width;        /* columns; 0 = 80 */
	size_t slowest;      /* how many waterfalls; 0 = none */
	size_t max_routes;   /* rows of the table; 0 = 20 */
	const char *route;   /* only this route; NULL = all */
	const char *request; /* only this request: id, number in its process or
	                        trace id; NULL = the slowest */
};
/* The defaults: 80 columns, 5 waterfalls, 20 routes. */
void tailbox__timeline_options_init(struct tailbox__timeline_options *o);

/* Write it to out; write errors stay on the stream. 0, -ENOMEM, or -ENOENT:
 * the run has no such route or request, err says so and nothing was written.
 */
int tailbox__timeline_text(const struct tailbox__run *run,
                           const struct tailbox__timeline_options *o,
                           FILE *out, struct tailbox__error *err);
/* The same facts as one JSON object. */
int tailbox__timeline_json(const struct tailbox__run *run,
                           const struct tailbox__timeline_options *o,
                           struct tailbox__json *j, struct tailbox__error *err);

/* Where the p-th percentile of n >= 1 ascending values is (spec/analysis.md
 * section 3): min(n - 1, ceil((n - 1) * p / 100)), without overflow. */
static inline uint64_t tailbox__percentile_at(uint64_t n, unsigned p)
{
	const uint64_t m = n - 1; /* p <= 100, so it is m at most */

	return m / 100 * p + (m % 100 * p + 99) / 100;
}
/* The value that is there. */
uint64_t tailbox__percentile(const uint64_t *ascending, size_t n, unsigned p);

#endif
