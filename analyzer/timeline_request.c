/* analyzer/timeline_request.c - one request as lines of a waterfall.
 *
 * SPDX-License-Identifier: MIT
 *
 * Phases come as durations without a place. Three places are known all the
 * same: the ingress wait is the beginning, headers follow it, and sending is
 * the end. What lies between is laid out in the order in which phases happen;
 * where there was more than one handler call or a suspend, that is a guess
 * and marked as one.
 *
 * Spans have a place. One that lies inside another is shown under it. Spans
 * of one name under one parent share a line when there are more than three:
 * two hundred queries are then one line whose bar shows all of them.
 */
#include "analyzer/timeline_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

#define NS_PER_US 1000u
#define SHARE_FROM 4u /* spans of one name that share a line */

static uint64_t us_to_ns(uint64_t us)
{
	return us > UINT64_MAX / NS_PER_US ? UINT64_MAX : us * NS_PER_US;
}

static struct tailbox__tl_row *add_row(struct tailbox__tl_request *r,
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

/* --- phases ---------------------------------------------------------------- */

/* Whether the phases between headers and sending follow each other simply. */
static bool is_simple(const struct tailbox__run_ext *e)
{
	uint64_t body = e->phase_ns[TAILBOX__PHASE_BODY];
	uint64_t suspended = e->phase_ns[TAILBOX__PHASE_SUSPENDED];

	return (body == TAILBOX__NONE || !body) &&
	       (suspended == TAILBOX__NONE || !suspended);
}

static int add_phases(struct tailbox__tl_request *r)
{
	const struct tailbox__run_ext *e = r->ext;
	uint64_t at = 0;

	for (unsigned p = 0; e && p < TAILBOX__PHASE_COUNT; p++) {
		uint64_t ns = e->phase_ns[p];
		if (ns == TAILBOX__NONE ||
		    (p == TAILBOX__PHASE_INGRESS && !ns))
			continue;
		struct tailbox__tl_row *row = add_row(r, TAILBOX__TL_PHASE);
		if (!row)
			return -ENOMEM;
		if (p == TAILBOX__PHASE_SEND)
			at = r->latency_ns > ns ? r->latency_ns - ns : 0;
		row->phase = p;
		row->has_start = true;
		row->is_start_guessed = p >= TAILBOX__PHASE_BODY &&
		                        p <= TAILBOX__PHASE_RESUME &&
		                        !is_simple(e);
		row->start_ns = at < r->latency_ns ? at : r->latency_ns;
		row->total_ns = ns;
		at += ns < UINT64_MAX - at ? ns : UINT64_MAX - at;
		r->phases_ns += ns < UINT64_MAX - r->phases_ns
		                        ? ns
		                        : UINT64_MAX - r->phases_ns;
	}
	r->phase_rows = r->rows.count;
	return 0;
}

/* --- spans ----------------------------------------------------------------- */

/* The wait that is the ingress phase is on the phase's line already. */
static bool is_ingress(const struct tailbox__run *run,
                       const struct tailbox__tl_request *r,
                       const struct tailbox__run_span *s)
{
	static const char name[] = "mhd.ingress";
	size_t len;
	const char *text = tailbox__run_text(run, s->name, &len);

	return r->phase_rows && r->rows.items[0].phase ==
	                                TAILBOX__PHASE_INGRESS &&
	       len == sizeof(name) - 1 && !memcmp(text, name, len);
}

static void place(struct tailbox__tl_item *item,
                  const struct tailbox__tl_request *r)
{
	const struct tailbox__run_span *s = item->span;
	unsigned both = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
	uint64_t zero = r->request->start_us;

	if ((s->flags & both) != both || s->end_us < s->start_us ||
	    !(r->request->flags & TAILBOX__HAS_START_US) ||
	    s->start_us < zero)
		return;
	item->has_place = true;
	item->start_ns = us_to_ns(s->start_us - zero);
	item->end_ns = us_to_ns(s->end_us - zero);
	if (item->end_ns > r->latency_ns)
		item->end_ns = r->latency_ns;
	if (item->start_ns > item->end_ns)
		item->start_ns = item->end_ns;
}

static int add_items(const struct tailbox__run *run,
                     struct tailbox__tl_request *r,
                     const struct tailbox__run_span *spans, size_t count,
                     bool is_wait)
{
	for (size_t i = 0; i < count; i++) {
		const struct tailbox__run_span *s = &spans[i];
		if (s->request != r->request->id ||
		    (is_wait && is_ingress(run, r, s)))
			continue;
		if (r->items.count >= TAILBOX__TL_ITEMS_MAX) {
			r->hidden_items++;
			continue;
		}
		struct tailbox__tl_item *item = tailbox__list_add(&r->items);
		if (!item)
			return -ENOMEM;
		item->span = s;
		item->is_wait = is_wait;
		item->next = TAILBOX__TL_NO_ROW;
		place(item, r);
	}
	return 0;
}

/* By start, the containing one first; what has no place comes last. */
static int by_start(const void *a, const void *b)
{
	const struct tailbox__tl_item *x = a, *y = b;

	if (x->has_place != y->has_place)
		return x->has_place ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	if (x->end_ns != y->end_ns)
		return x->end_ns > y->end_ns ? -1 : 1;
	if (x->is_wait != y->is_wait)
		return x->is_wait ? -1 : 1;
	return x->span < y->span ? -1 : x->span > y->span;
}

/* A line for an item that starts it, under the line of the item's parent. */
static struct tailbox__tl_row *span_row(struct tailbox__tl_request *r,
                                        const struct tailbox__tl_item *item)
{
	struct tailbox__tl_row *row = add_row(
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

/* Time inside any span; the items are in the order of their start. */
static uint64_t covered(const struct tailbox__tl_request *r)
{
	uint64_t reached = 0, sum = 0;

	for (size_t i = 0; i < r->items.count; i++) {
		const struct tailbox__tl_item *item = &r->items.items[i];
		uint64_t from = item->start_ns > reached ? item->start_ns
		                                         : reached;
		if (item->has_place && item->end_ns > from) {
			sum += item->end_ns - from;
			reached = item->end_ns;
		}
	}
	return sum;
}

static int add_spans(const struct tailbox__run *run,
                     struct tailbox__tl_request *r)
{
	int rc = add_items(run, r, run->queues.items, run->queues.count, true);

	if (rc == 0)
		rc = add_items(run, r, run->stages.items, run->stages.count,
		               false);
	if (rc < 0 || !r->items.count)
		return rc;
	qsort(r->items.items, r->items.count, sizeof(*r->items.items),
	      by_start);
	rc = make_rows(r);
	if (rc == 0)
		rc = link_rows(r);
	r->covered_ns = covered(r);
	return rc;
}

int tailbox__tl_request(const struct tailbox__run *run, size_t index,
                        struct tailbox__tl_request *out)
{
	memset(out, 0, sizeof(*out));
	out->request = &run->requests.items[index];
	out->latency_ns = us_to_ns(out->request->latency_us);
	out->first_span_row = out->last_span_row = TAILBOX__TL_NO_ROW;
	if (out->request->ext && out->request->ext <= run->ext.count)
		out->ext = &run->ext.items[out->request->ext - 1];
	int rc = add_phases(out);
	if (rc == 0)
		rc = add_spans(run, out);
	if (rc < 0)
		tailbox__tl_request_fini(out);
	return rc;
}

void tailbox__tl_request_fini(struct tailbox__tl_request *r)
{
	tailbox__free(r->rows.items);
	tailbox__free(r->items.items);
	memset(r, 0, sizeof(*r));
}

const char *tailbox__tl_row_name(const struct tailbox__run *run,
                                 const struct tailbox__tl_row *row,
                                 size_t *len)
{
	static const char *const shown[TAILBOX__PHASE_COUNT] = {
		[TAILBOX__PHASE_INGRESS] = "mhd.ingress",
		[TAILBOX__PHASE_HEADERS] = "headers",
		[TAILBOX__PHASE_BODY] = "body",
		[TAILBOX__PHASE_HANDLER] = "handler",
		[TAILBOX__PHASE_SUSPENDED] = "suspended",
		[TAILBOX__PHASE_RESUME] = "resume delay",
		[TAILBOX__PHASE_SEND] = "send",
	};

	if (row->kind != TAILBOX__TL_PHASE)
		return tailbox__run_text(run, row->name, len);
	*len = strlen(shown[row->phase]);
	return shown[row->phase];
}
