/* analyzer/timeline_model.c - the figures of a timeline: routes, and which
 * requests were slowest.
 *
 * SPDX-License-Identifier: MIT
 *
 * One array of request numbers is sorted by (route, latency): each route is
 * then a stretch of it in the order its percentiles need. Equal routes have
 * equal string numbers, so no text is compared until the table is sorted.
 */
#include "analyzer/timeline_model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

uint64_t tailbox__percentile(const uint64_t *ascending, size_t n, unsigned p)
{
	return ascending[tailbox__percentile_at(n, p)];
}

struct sorted {
	tailbox__str route;
	uint64_t latency;
	size_t index;
	bool is_error;
};

static int by_route(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->route != y->route)
		return x->route < y->route ? -1 : 1;
	if (x->latency != y->latency)
		return x->latency < y->latency ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int by_latency(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->latency != y->latency)
		return x->latency < y->latency ? -1 : 1;
	/* Of equals the earlier one counts as slower. */
	return x->index > y->index ? -1 : x->index < y->index;
}

static int by_badness(const void *a, const void *b)
{
	const struct tailbox__tl_route *x = a, *y = b;

	if (x->p99 != y->p99)
		return x->p99 > y->p99 ? -1 : 1;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return x->route < y->route ? -1 : x->route > y->route;
}

static bool is_text(const struct tailbox__run *run, tailbox__str s,
                    const char *want)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	return len == strlen(want) && !memcmp(text, want, len);
}

/* Whether a request is the one asked for: by id, by its number in the
 * process, or by trace id. */
static bool is_asked(const struct tailbox__run *run,
                     const struct tailbox__run_request *r, const char *want)
{
	char text[40];
	int len = 0;

	if (is_text(run, r->id, want))
		return true;
	if (!r->ext || r->ext > run->ext.count)
		return false;
	const struct tailbox__run_ext *e = &run->ext.items[r->ext - 1];
	snprintf(text, sizeof(text), "%" PRIu64, e->number);
	if (e->number && !strcmp(text, want))
		return true;
	for (size_t i = 0; i < sizeof(e->trace_id); i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%02x",
		                e->trace_id[i]);
	return !strcmp(text, want) && strspn(want, "0") != strlen(want);
}

static void figures(struct tailbox__tl_route *to, const struct sorted *s,
                    uint64_t *values, size_t n)
{
	to->n = n;
	to->errors = 0;
	for (size_t i = 0; i < n; i++) {
		values[i] = s[i].latency;
		to->errors += s[i].is_error;
	}
	if (!n)
		return;
	to->p50 = tailbox__percentile(values, n, 50);
	to->p95 = tailbox__percentile(values, n, 95);
	to->p99 = tailbox__percentile(values, n, 99);
	to->max = values[n - 1];
}

static int routes_of(struct tailbox__tl_summary *out, const struct sorted *s,
                     uint64_t *values, size_t n)
{
	size_t routes = 0;

	for (size_t i = 0; i < n; i++)
		routes += !i || s[i].route != s[i - 1].route;
	out->routes = tailbox__zalloc(routes, sizeof(*out->routes));
	if (!out->routes)
		return -ENOMEM;
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && s[end].route == s[i].route; end++)
			;
		struct tailbox__tl_route *r = &out->routes[out->route_count++];
		r->route = s[i].route;
		figures(r, s + i, values, end - i);
	}
	qsort(out->routes, out->route_count, sizeof(*out->routes), by_badness);
	return 0;
}

/* s is sorted by latency: the last ones, or the one asked for. */
static int slowest_of(const struct tailbox__run *run,
                      const struct tailbox__timeline_options *o,
                      struct tailbox__tl_summary *out, const struct sorted *s,
                      size_t n)
{
	size_t want = o->slowest < n ? o->slowest : n;

	if (o->request)
		want = n;
	out->slowest = tailbox__alloc(want, sizeof(*out->slowest));
	if (!out->slowest)
		return -ENOMEM;
	for (size_t i = 0; i < want; i++) {
		size_t index = s[n - 1 - i].index;
		if (!o->request ||
		    is_asked(run, &run->requests.items[index], o->request))
			out->slowest[out->slowest_count++] = index;
	}
	if (out->slowest_count > TAILBOX__TIMELINE_SLOWEST_MAX)
		out->slowest_count = TAILBOX__TIMELINE_SLOWEST_MAX;
	return 0;
}

/* The requests that are asked about, into s; returns their number. */
static size_t pick(const struct tailbox__run *run,
                   const struct tailbox__timeline_options *o, struct sorted *s)
{
	size_t n = 0;

	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_request *r = &run->requests.items[i];
		if (o->route && !is_text(run, r->route, o->route))
			continue;
		s[n++] = (struct sorted){
			.route = r->route,
			.latency = r->latency_us,
			.index = i,
			.is_error = is_text(run, r->outcome, "error") ||
			            is_text(run, r->outcome, "timeout"),
		};
	}
	return n;
}

int tailbox__tl_summarize(const struct tailbox__run *run,
                          const struct tailbox__timeline_options *o,
                          struct tailbox__tl_summary *out,
                          struct tailbox__error *err)
{
	int rc = -ENOMEM;

	memset(out, 0, sizeof(*out));
	struct sorted *s = tailbox__alloc(run->requests.count, sizeof(*s));
	uint64_t *values = tailbox__alloc(run->requests.count, sizeof(*values));
	if (!s || !values)
		goto done;
	size_t n = pick(run, o, s);
	qsort(s, n, sizeof(*s), by_route);
	rc = routes_of(out, s, values, n);
	if (rc < 0)
		goto done;
	qsort(s, n, sizeof(*s), by_latency);
	figures(&out->all, s, values, n);
	rc = slowest_of(run, o, out, s, n);
	if (rc < 0)
		goto done;
	if (o->route && !n)
		rc = tailbox__fail(err, -ENOENT, "no request of route %.100s",
		                   o->route);
	else if (o->request && !out->slowest_count)
		rc = tailbox__fail(err, -ENOENT,
		                   "no request %.100s among the %zu",
		                   o->request, n);
done:
	tailbox__free(values);
	tailbox__free(s);
	if (rc == -ENOMEM)
		tailbox__fail(err, rc, "out of memory");
	if (rc < 0)
		tailbox__tl_summary_fini(out);
	return rc;
}

void tailbox__tl_summary_fini(struct tailbox__tl_summary *s)
{
	tailbox__free(s->routes);
	tailbox__free(s->slowest);
	memset(s, 0, sizeof(*s));
}
