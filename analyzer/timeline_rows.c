/* analyzer/timeline_rows.c - which spans of a request get which line.
 *
 * SPDX-License-Identifier: MIT
 *
 * A span that lies inside another is shown under it. Spans of one name under
 * one parent share a line when there are more than three: two hundred queries
 * are then one line whose bar shows all of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/timeline_model.h"
#include "core/alloc.h"

#define NS_PER_US 1000u
#define SHARE_FROM 4u /* spans of one name that share a line */

static uint64_t us_to_ns(uint64_t us)
{
	return us > UINT64_MAX / NS_PER_US ? UINT64_MAX : us * NS_PER_US;
}

struct tailbox__tl_row *tailbox__tl_add_row(struct tailbox__tl_request *r,
                                            enum tailbox__tl_kind kind)
{
	struct tailbox__tl_row *row = tailbox__list_add(&r->rows);

	if (!row)
		return NULL;
	row->kind = kind;
	row->count = 1;
	row->ahead = TAILBOX__NONE;
	row->parent = row->next = TAILBOX__TL_NO_ROW;
	row->first_child = row->last_child = TAILBOX__TL_NO_ROW;
	row->first_item = TAILBOX__TL_NO_ROW;
	return row;
}

/* A line for an item that starts it, under the line of the item's parent. */
static struct tailbox__tl_row *span_row(struct tailbox__tl_request *r,
                                        const struct tailbox__tl_item *item)
{
	struct tailbox__tl_row *row = tailbox__tl_add_row(
	        r, item->is_wait ? TAILBOX__TL_WAIT : TAILBOX__TL_STAGE);

	if (!row)
		return NULL;
	row->count = 0;
	row->name = item->span->name;
	row->parent = item->row;
	row->depth = item->depth;
	row->has_start = item->has_place;
	row->start_ns = item->start_ns;
	row->site = item->span->site;
	return row;
}

static void put_on_row(struct tailbox__tl_request *r, size_t at, size_t index)
{
	struct tailbox__tl_row *row = &r->rows.items[at];
	struct tailbox__tl_item *item = &r->items.items[index];
	uint64_t ns = us_to_ns(item->span->dur_us);
	uint64_t depth = item->span->depth;

	row->count++;
	row->total_ns += ns < UINT64_MAX - row->total_ns
	                         ? ns
	                         : UINT64_MAX - row->total_ns;
	row->is_partial |= (item->span->flags & TAILBOX__PARTIAL) != 0;
	row->is_failed |= !item->is_wait &&
	                  !(item->span->flags & TAILBOX__PARTIAL) &&
	                  (item->span->flags & TAILBOX__FAILED);
	if (depth != TAILBOX__NONE &&
	    (row->ahead == TAILBOX__NONE || depth > row->ahead))
		row->ahead = depth;
	item->row = at;
	item->next = row->first_item;
	row->first_item = index;
}

/* Find the item that contains each one. Items are in the order of their
 * start, so the ones that may are on a stack. */
static void nest(struct tailbox__tl_request *r)
{
	size_t stack[TAILBOX__TL_DEPTH_MAX];
	unsigned depth = 0;

	for (size_t i = 0; i < r->items.count; i++) {
		struct tailbox__tl_item *item = &r->items.items[i];
		const struct tailbox__tl_item *outer;
		if (!item->has_place)
			depth = 0;
		for (; depth; depth--) {
			outer = &r->items.items[stack[depth - 1]];
			if (outer->end_ns >= item->end_ns &&
			    outer->end_ns > item->start_ns)
				break;
		}
		item->outer = depth ? stack[depth - 1] : TAILBOX__TL_NO_ROW;
		item->depth = depth;
		if (item->has_place && depth < TAILBOX__TL_DEPTH_MAX)
			stack[depth++] = i;
	}
}

struct member { /* an item that needs a line */
	size_t parent, index;
	tailbox__str name;
	bool is_wait;
};

static bool is_same_line(const struct member *x, const struct member *y)
{
	return x->parent == y->parent && x->name == y->name &&
	       x->is_wait == y->is_wait;
}

static int by_line(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	if (x->is_wait != y->is_wait)
		return x->is_wait ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Lines for members 0..n-1, which are sorted. */
static int rows_of_level(struct tailbox__tl_request *r, const struct member *m,
                         size_t n)
{
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && is_same_line(&m[i], &m[end]);)
			end++;
		bool is_shared = end - i >= SHARE_FROM;
		for (size_t k = i; k < end; k++) {
			size_t index = m[k].index;
			r->items.items[index].row = m[k].parent;
			if ((k == i || !is_shared) &&
			    !span_row(r, &r->items.items[index]))
				return -ENOMEM;
			put_on_row(r, r->rows.count - 1, index);
		}
	}
	return 0;
}

/* Give every item a line, level by level, so that the line of the one that
 * contains it is known. */
static int make_rows(struct tailbox__tl_request *r)
{
	struct member *m = tailbox__alloc(r->items.count, sizeof(*m));
	int rc = m ? 0 : -ENOMEM;

	nest(r);
	for (unsigned d = 0; rc == 0 && d <= TAILBOX__TL_DEPTH_MAX; d++) {
		size_t n = 0;
		for (size_t i = 0; i < r->items.count; i++) {
			const struct tailbox__tl_item *item =
			        &r->items.items[i];
			if (item->depth != d)
				continue;
			size_t parent = TAILBOX__TL_NO_ROW;
			if (item->outer != TAILBOX__TL_NO_ROW)
				parent = r->items.items[item->outer].row;
			m[n++] = (struct member){ parent, i, item->span->name,
				                  item->is_wait };
		}
		qsort(m, n, sizeof(*m), by_line);
		rc = rows_of_level(r, m, n);
	}
	tailbox__free(m);
	return rc;
}

struct order {
	uint64_t start_ns;
	bool has_start;
	size_t row;
};

static int by_row_start(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->has_start != y->has_start)
		return x->has_start ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

/* Chain siblings in the order of their start. */
static int link_rows(struct tailbox__tl_request *r)
{
	size_t n = r->rows.count - r->phase_rows;
	struct order *order = tailbox__alloc(n, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t at = r->phase_rows + i;
		order[i] = (struct order){ r->rows.items[at].start_ns,
			                   r->rows.items[at].has_start, at };
	}
	qsort(order, n, sizeof(*order), by_row_start);
	for (size_t i = 0; i < n; i++) {
		size_t at = order[i].row, parent = r->rows.items[at].parent;
		size_t *first = &r->first_span_row, *last = &r->last_span_row;
		if (parent != TAILBOX__TL_NO_ROW) {
			first = &r->rows.items[parent].first_child;
			last = &r->rows.items[parent].last_child;
		}
		if (*first == TAILBOX__TL_NO_ROW)
			*first = at;
		else
			r->rows.items[*last].next = at;
		*last = at;
	}
	tailbox__free(order);
	return 0;
}

int tailbox__tl_make_rows(struct tailbox__tl_request *r)
{
	int rc = make_rows(r);

	return rc == 0 ? link_rows(r) : rc;
}
