/* analyzer/timeline_request.c - one request as lines of a waterfall.
 *
 * SPDX-License-Identifier: MIT
 *
 * Phases come as durations without a place. Three places are known all the
 * same: the ingress wait is the beginning, headers follow it, and sending is
 * the end. What lies between is laid out in the order in which phases happen;
 * where there was more than one handler call or a suspend, that is a guess
 * and marked as one.
 */
#include "analyzer/timeline_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

#define NS_PER_US 1000u

static uint64_t us_to_ns(uint64_t us)
{
	return us > UINT64_MAX / NS_PER_US ? UINT64_MAX : us * NS_PER_US;
}

/* --- phases --------------------------------------------------------------- */

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
		struct tailbox__tl_row *row =
		        tailbox__tl_add_row(r, TAILBOX__TL_PHASE);
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

/* --- spans ---------------------------------------------------------------- */

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
	rc = tailbox__tl_make_rows(r);
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
