/* analyzer/compare_rows.c - which requests are compared with which.
 *
 * SPDX-License-Identifier: MIT
 *
 * Two runs have two pools of strings, so routes are matched by text: those of
 * both are sorted together, and equal neighbours are one row. The cost does
 * not grow with the product of their numbers, however many a hostile
 * artifact has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "analyzer/compare_internal.h"
#include "core/alloc.h"

struct route { /* of one run, then merged: of both */
	const char *text;
	size_t len;
	uint64_t requests[TAILBOX__SIDES];
	tailbox__str number[TAILBOX__SIDES]; /* 0 = not in that run */
};

struct routes {
	struct route *items;
	size_t count;
	/* By string of a run's pool: how many requests, later the row. */
	uint32_t *of[TAILBOX__SIDES];
};

void tailbox__cmp_sample_fini(struct tailbox__cmp_sample *s)
{
	tailbox__free(s->items);
	tailbox__free(s->grouped);
	tailbox__free(s->first);
	tailbox__free(s->with_ingress);
	*s = (struct tailbox__cmp_sample){ .run = NULL };
}

/* --- routes --------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	const struct route *x = a, *y = b;
	const size_t len = x->len < y->len ? x->len : y->len;
	const int order = memcmp(x->text, y->text, len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static int by_requests(const void *a, const void *b)
{
	const struct route *x = a, *y = b;
	const uint64_t n = x->requests[0] + x->requests[1];
	const uint64_t m = y->requests[0] + y->requests[1];

	return n != m ? (n < m) - (n > m) : by_text(a, b);
}

static int count_routes(const struct tailbox__run *run, uint32_t **out,
                        size_t *distinct)
{
	uint32_t *of = tailbox__zalloc((size_t)tailbox__run_str_count(run) + 1,
	                               sizeof(*of));

	*out = of;
	if (!of)
		return -ENOMEM;
	for (size_t i = 0; i < run->requests.count; i++)
		*distinct += of[run->requests.items[i].route]++ == 0;
	return 0;
}

static void list_routes(const struct tailbox__run *run, unsigned side,
                        struct routes *r)
{
	const uint32_t *of = r->of[side];

	for (uint32_t s = 0; s <= tailbox__run_str_count(run); s++) {
		if (of[s] == 0)
			continue;
		struct route *one = &r->items[r->count++];
		one->text = tailbox__run_text(run, s, &one->len);
		one->requests[side] = of[s];
		one->number[side] = s;
	}
}

static void merge_equal(struct routes *r)
{
	size_t kept = 0;

	qsort(r->items, r->count, sizeof(*r->items), by_text);
	for (size_t i = 0; i < r->count; i++) {
		struct route *last = kept ? &r->items[kept - 1] : NULL;
		if (!last || by_text(last, &r->items[i]) != 0) {
			r->items[kept++] = r->items[i];
			continue;
		}
		for (unsigned s = 0; s < TAILBOX__SIDES; s++) {
			last->requests[s] += r->items[i].requests[s];
			if (r->items[i].number[s])
				last->number[s] = r->items[i].number[s];
		}
	}
	r->count = kept;
}

static void keep_wanted(struct routes *r, const char *wanted)
{
	const size_t len = strlen(wanted);
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++)
		if (r->items[i].len == len &&
		    !memcmp(r->items[i].text, wanted, len))
			r->items[kept++] = r->items[i];
	r->count = kept;
}

static int find_routes(const struct tailbox__cmp_sample *s,
                       const char *wanted, struct routes *r)
{
	size_t distinct = 0;

	for (unsigned k = 0; k < TAILBOX__SIDES; k++)
		if (count_routes(s[k].run, &r->of[k], &distinct) < 0)
			return -ENOMEM;
	r->items = tailbox__zalloc(distinct, sizeof(*r->items));
	if (!r->items)
		return -ENOMEM;
	for (unsigned k = 0; k < TAILBOX__SIDES; k++)
		list_routes(s[k].run, k, r);
	merge_equal(r);
	if (wanted)
		keep_wanted(r, wanted);
	qsort(r->items, r->count, sizeof(*r->items), by_requests);
	return 0;
}

/* Rows of the result; `of` then has the row of each route of a run. */
static int make_rows(struct routes *r, const struct tailbox__cmp_sample *s,
                     bool has_whole, struct tailbox__compare *c)
{
	const size_t most = TAILBOX__COMPARE_ROUTES_MAX;
	const size_t routes = r->count < most ? r->count : most;

	c->more_routes = r->count - routes;
	c->rows = tailbox__zalloc(routes + has_whole, sizeof(*c->rows));
	if (!c->rows)
		return -ENOMEM;
	c->row_count = routes + has_whole;
	for (unsigned k = 0; k < TAILBOX__SIDES; k++) {
		memset(r->of[k], 0xff,
		       ((size_t)tailbox__run_str_count(s[k].run) + 1) *
		               sizeof(*r->of[k]));
		if (has_whole)
			c->rows[0].requests[k] = s[k].run->requests.count;
	}
	for (size_t i = 0; i < routes; i++) {
		struct tailbox__compare_row *row = &c->rows[i + has_whole];
		row->route = r->items[i].text;
		row->route_len = r->items[i].len;
		for (unsigned k = 0; k < TAILBOX__SIDES; k++) {
			row->requests[k] = r->items[i].requests[k];
			if (row->requests[k])
				r->of[k][r->items[i].number[k]] =
				        (uint32_t)(i + has_whole);
		}
	}
	return 0;
}

/* --- requests ------------------------------------------------------------- */

static uint64_t start_of(const struct tailbox__run *run,
                         const struct tailbox__run_request *r)
{
	if (r->flags & TAILBOX__HAS_START_US)
		return r->start_us;
	/* The same axis, to a millisecond: of no weight in 500 of them. */
	return r->start_ms > run->meta.started_ms
	               ? tailbox__sat_mul(r->start_ms - run->meta.started_ms,
	                                  1000)
	               : 0;
}

static bool has_ingress(const struct tailbox__run *run,
                        const struct tailbox__run_request *r)
{
	if (r->ext == 0 || r->ext > run->ext.count)
		return false;
	const uint64_t ns =
	        run->ext.items[r->ext - 1].phase_ns[TAILBOX__PHASE_INGRESS];
	return ns != TAILBOX__NONE && ns > 0;
}

static void fill_items(struct tailbox__cmp_sample *s, const uint32_t *row_of,
                       bool has_whole)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct tailbox__run_request *r =
		        &s->run->requests.items[i];
		const uint32_t row = row_of[r->route];
		s->items[i] = (struct tailbox__boot_item){
			start_of(s->run, r), r->latency_us, row, 0
		};
		if (!has_ingress(s->run, r))
			continue;
		s->with_ingress[0] += has_whole;
		if (row != UINT32_MAX)
			s->with_ingress[row]++;
	}
}

/* Stable, so each row rises as all of them do. */
static void group(struct tailbox__cmp_sample *s, size_t rows)
{
	size_t at = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].row != UINT32_MAX)
			s->first[s->items[i].row]++;
	for (size_t r = 0; r <= rows; r++) {
		const size_t n = s->first[r];
		s->first[r] = at;
		at += n;
	}
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].row != UINT32_MAX)
			s->grouped[s->first[s->items[i].row]++] = s->items[i];
	/* Each is where the next one began. */
	memmove(s->first + 1, s->first, rows * sizeof(*s->first));
	s->first[0] = 0;
}

static int make_sample(struct tailbox__cmp_sample *s, const uint32_t *row_of,
                       size_t rows, bool has_whole, uint64_t *block_us)
{
	s->count = s->run->requests.count;
	s->items = tailbox__alloc(s->count, sizeof(*s->items));
	s->grouped = tailbox__alloc(s->count, sizeof(*s->grouped));
	s->first = tailbox__zalloc(rows + 1, sizeof(*s->first));
	s->with_ingress = tailbox__zalloc(rows + 1, sizeof(*s->with_ingress));
	if (!s->items || !s->grouped || !s->first || !s->with_ingress)
		return -ENOMEM;
	fill_items(s, row_of, has_whole);
	s->blocks = tailbox__boot_blocks(s->items, s->count, block_us);
	tailbox__boot_sort(s->items, s->count);
	group(s, rows);
	return 0;
}

const struct tailbox__boot_item *
tailbox__cmp_items(const struct tailbox__cmp_sample *s,
                   const struct tailbox__compare *c, size_t row, size_t *n)
{
	if (!c->rows[row].route) {
		*n = s->count;
		return s->items;
	}
	*n = s->first[row + 1] - s->first[row];
	return s->grouped + s->first[row];
}

int tailbox__cmp_rows(const struct tailbox__compare_options *o,
                      struct tailbox__cmp_sample s[TAILBOX__SIDES],
                      struct tailbox__compare *c, struct tailbox__error *err)
{
	struct routes r = { NULL, 0, { NULL, NULL } };
	const bool has_whole = !o->route;
	int rc = find_routes(s, o->route, &r);

	if (rc == 0 && o->route && r.count == 0)
		rc = tailbox__fail(err, -ENOENT,
		                   "no request of route %s in either run",
		                   o->route);
	if (rc == 0)
		rc = make_rows(&r, s, has_whole, c);
	for (unsigned k = 0; rc == 0 && k < TAILBOX__SIDES; k++)
		rc = make_sample(&s[k], r.of[k], c->row_count, has_whole,
		                 &c->sides[k].block_us);
	tailbox__free(r.items);
	tailbox__free(r.of[TAILBOX__BEFORE]);
	tailbox__free(r.of[TAILBOX__AFTER]);
	return rc;
}
