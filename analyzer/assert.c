/* analyzer/assert.c - is it as asserted, is it not, or can nobody tell?
 *
 * SPDX-License-Identifier: MIT
 *
 * Each assertion is judged by itself, on its requests: all, or those of its
 * route. A report tells of routes only where they differ, and then of a few,
 * so what is said of a route is worked out here, with the parts that the
 * analysis is made of.
 */
#include "analyzer/assert.h"

#include <errno.h>
#include <stdarg.h>

#include "analyzer/assert_internal.h"
#include "core/alloc.h"

const char *const tailbox__assert_verdicts[TAILBOX__ASSERT_VERDICTS] = {
	"ok", "failed", "cannot_judge"
};

void tailbox__assert_cannot(struct tailbox__assertion *a, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(a->reason, sizeof(a->reason), fmt, args);
	va_end(args);
	a->verdict = TAILBOX__ASSERT_CANNOT_JUDGE;
}

/* --- before --------------------------------------------------------------- */

static bool knows_route(const struct tailbox__run *run,
                        const struct tailbox__assertion *a)
{
	for (size_t i = 0; i < run->requests.count; i++)
		if (tailbox__assert_is_route(run, run->requests.items[i].route,
		                             a))
			return true;
	for (size_t i = 0; i < run->open.count; i++)
		if (tailbox__assert_is_route(run, run->open.items[i].route, a))
			return true;
	for (size_t i = 0; i < run->meta.unfinished.count; i++)
		if (tailbox__assert_is_route(
			    run, run->meta.unfinished.items[i].route, a))
			return true;
	return false;
}

int tailbox__asserts_begin(struct tailbox__asserts *a,
                           const struct tailbox__run *run,
                           struct tailbox__error *err)
{
	a->came_count = run->requests.count;
	for (size_t i = 0; i < a->items.count; i++) {
		const struct tailbox__assertion *one = &a->items.items[i];
		struct tailbox__missing m;

		if (!one->route || knows_route(run, one))
			continue;
		/* All of its requests may be among those. */
		tailbox__missing_find(run, one, a->came_count, &m);
		if (m.count == 0 && !m.is_unbounded)
			return tailbox__fail(
				err, -ENOENT, "%s: no request of route %.*s",
				one->text, (int)one->route_len, one->route);
	}
	return 0;
}

/* --- after ---------------------------------------------------------------- */

static int make_index(struct tailbox__assert_context *c)
{
	if (c->has_index)
		return 0;
	c->has_index = true; /* what there is of it is safe to fini */
	c->requests = tailbox__alloc(c->run->requests.count + 1,
	                             sizeof(*c->requests));
	if (!c->requests)
		return -ENOMEM;
	int rc = tailbox__index_make(c->run, &c->index);
	if (rc == 0 && c->run->ext.count > 0 && !c->report->is_compat) {
		c->has_own = true;
		rc = tailbox__own_make(c->run, &c->index, &c->scratch,
		                       &c->own);
	}
	return rc;
}

static void choose(struct tailbox__assert_context *c,
                   const struct tailbox__assertion *a, struct tailbox__part *p)
{
	const struct tailbox__run *run = c->run;

	*p = (struct tailbox__part){ .run = run,
		                     .index = &c->index,
		                     .o = c->o,
		                     .request_count = run->requests.count,
		                     .workers = TAILBOX__WORKERS_NONE,
		                     .own = c->has_own ? &c->own : NULL };
	if (!a->route)
		return;
	p->requests = c->requests;
	p->request_count = 0;
	for (size_t i = 0; i < run->requests.count; i++)
		if (tailbox__assert_is_route(run, run->requests.items[i].route,
		                             a))
			c->requests[p->request_count++] = (uint32_t)i;
}

static int judge_suspect_of_route(struct tailbox__assert_context *c,
                                  const struct tailbox__part *p,
                                  struct tailbox__assertion *a,
                                  const struct tailbox__missing *m)
{
	struct tailbox__report_slice slice;
	int rc = tailbox__analyze_part(p, &c->scratch, &slice, NULL);

	if (rc == 0)
		tailbox__assert_suspect(c, &slice, a, m);
	tailbox__report_slice_fini(&slice);
	return rc;
}

static int judge(struct tailbox__assert_context *c,
                 struct tailbox__assertion *a)
{
	struct tailbox__missing m;
	struct tailbox__part p;
	int rc;

	a->has_value = false;
	a->reason[0] = '\0';
	tailbox__missing_find(c->run, a, c->came_count, &m);
	if (a->metric == TAILBOX__ASSERT_SUSPECT && !a->route) {
		tailbox__assert_suspect(c, &c->report->whole, a, &m);
		return 0;
	}
	rc = make_index(c);
	if (rc < 0)
		return rc;
	choose(c, a, &p);
	return a->metric == TAILBOX__ASSERT_SUSPECT
	               ? judge_suspect_of_route(c, &p, a, &m)
	               : tailbox__assert_metric(c, &p, a, &m);
}

int tailbox__asserts_judge(struct tailbox__asserts *a,
                           const struct tailbox__run *run,
                           const struct tailbox__analyzer_options *o,
                           const struct tailbox__report *report)
{
	struct tailbox__assert_context c = { .run = run,
		                             .report = report,
		                             .o = o,
		                             .came_count = a->came_count };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < a->items.count; i++)
		rc = judge(&c, &a->items.items[i]);
	if (c.has_own)
		tailbox__own_fini(&c.own);
	if (c.has_index)
		tailbox__index_fini(&c.index);
	tailbox__scratch_fini(&c.scratch);
	tailbox__free(c.requests);
	return rc;
}

uint64_t tailbox__asserts_count(const struct tailbox__asserts *a,
                                enum tailbox__assert_verdict v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < a->items.count; i++)
		n += a->items.items[i].verdict == v;
	return n;
}
