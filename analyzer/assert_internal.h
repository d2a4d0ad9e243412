/* analyzer/assert_internal.h - between the parts that judge an assertion.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_ANALYZER_ASSERT_INTERNAL_H
#define TAILBOX_ANALYZER_ASSERT_INTERNAL_H 1

#include "analyzer/own.h"
#include "analyzer/assert.h"

/* --- assert_missing.c: what a run does not hold --------------------------- */

struct tailbox__missing {
	uint64_t dropped, lost, invalid;
	uint64_t unfinished;    /* of the route, or of no known one */
	uint64_t misnamed;      /* under "{other}": may be the route's */
	uint64_t count;         /* all of these */
	bool is_unbounded;      /* and an unknown number of others */
	bool has_lost_requests; /* other than unfinished ones */
	bool has_lost_waits, has_lost_stages;
};
/* Of a route, or of all requests; came: requests before normalization. */
void tailbox__missing_find(const struct tailbox__run *run,
                           const struct tailbox__assertion *a, uint64_t came,
                           struct tailbox__missing *out);
/* "requests are missing (5 dropped, 1 unfinished)"; gives buf. */
const char *tailbox__missing_text(const struct tailbox__missing *m, char *buf,
                                  size_t size);
/* Whether the text of the pool is the route that it is about. */
bool tailbox__assert_is_route(const struct tailbox__run *run, tailbox__str s,
                              const struct tailbox__assertion *a);

/* --- judging -------------------------------------------------------------- */

struct tailbox__assert_context {
	const struct tailbox__run *run;
	const struct tailbox__report *report;
	const struct tailbox__analyzer_options *o;
	uint64_t came_count;
	struct tailbox__index index; /* made when first needed */
	struct tailbox__own own;     /* with the index, of what has it */
	bool has_index, has_own;
	struct tailbox__scratch scratch;
	uint32_t *requests; /* those of the route in hand; room for all */
};

/* The verdict is that it cannot be judged, and why. */
void tailbox__assert_cannot(struct tailbox__assertion *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* assert_metric.c. 0 or -ENOMEM. */
int tailbox__assert_metric(struct tailbox__assert_context *c,
                           const struct tailbox__part *p,
                           struct tailbox__assertion *a,
                           const struct tailbox__missing *m);
/* assert_suspect.c: of the whole or of a route. */
void tailbox__assert_suspect(const struct tailbox__assert_context *c,
                             const struct tailbox__report_slice *s,
                             struct tailbox__assertion *a,
                             const struct tailbox__missing *m);

#endif
