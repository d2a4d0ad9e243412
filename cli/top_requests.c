/* cli/top_requests.c - open requests: where they are, and behind whom.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/top_internal.h"

#include <stdlib.h>
#include <string.h>

#include <tailbox.h>

#include "cli/from_tape.h"
#include "core/alloc.h"

_Static_assert(CLI__TOP_ID_MAX == TAILBOX_ID_MAX, "room for an id");

struct cli__top_where cli__top_where(const struct cli__top_source *s,
                                     const struct tailbox__slot *q)
{
	const uint32_t kind = tailbox__slot_where(q);
	const uint32_t names = TAILBOX__GET(q->where);
	struct cli__top_where w = { false, false, "", "", 0 };

	if (kind != TAILBOX_SPAN_STAGE && kind != TAILBOX_SPAN_WAIT)
		return w;
	w.is_in = true;
	w.is_wait = kind == TAILBOX_SPAN_WAIT;
	w.name = tailbox__reader_name(s->reader, (uint16_t)names, NULL);
	w.site = tailbox__reader_name(s->reader, (uint16_t)(names >> 16), NULL);
	w.for_ns = cli__top_ns(s, TAILBOX__GET(q->where_since));
	return w;
}

/* The bytes kept as id, whatever they are. */
static void copy_id(const struct tailbox__slot *q, char *text)
{
	for (size_t i = 0; i < CLI__TOP_ID_MAX / 8; i++) {
		const uint64_t word = TAILBOX__GET(q->id_text[i]);
		memcpy(text + i * 8, &word, 8);
	}
	text[CLI__TOP_ID_MAX] = '\0';
}

/* While no response has earned it a name, the middleware leaves what the route
 * would be called in the place of the id. */
const char *cli__top_route(const struct cli__top_source *s,
                           const struct tailbox__slot *q, char *text)
{
	const uint32_t flags = TAILBOX__GET(q->flags);
	const uint16_t route = TAILBOX__GET(q->route);

	text[0] = '\0';
	if (route)
		return tailbox__reader_name(s->reader, route, NULL);
	if (!(flags & (TAILBOX__REQ_CORE | TAILBOX__REQ_HAS_ID)))
		copy_id(q, text);
	return text;
}

const struct tailbox__slot *
cli__top_holder(const struct cli__top_source *s,
                const struct tailbox__thread_entry *e)
{
	const struct cli__tape_view v = { .slots = s->slots,
		                          .slot_count = s->slot_count };

	return cli__tape_held(&v, e);
}

/* --- behind whom ---------------------------------------------------------- */

static void put_behind(const struct cli__top_source *s,
                       const struct tailbox__slot *q,
                       struct cli__top_request *r)
{
	const struct tailbox__thread_entry *e =
	        (long)r->worker < s->thread_count ? &s->threads[r->worker]
	                                          : NULL;
	const struct tailbox__slot *holder =
	        e && TAILBOX__GET(e->worker) ? cli__top_holder(s, e) : NULL;

	r->behind.route = "";
	r->behind.worker = UINT32_MAX;
	if (holder && holder != q && !r->is_suspended) {
		r->behind.number = TAILBOX__GET(holder->number);
		r->behind.held_ns =
		        cli__top_ns(s, TAILBOX__GET(e->hold_since));
		r->behind.route = tailbox__reader_name(
		        s->reader, TAILBOX__GET(e->hold_route), NULL);
		r->behind.worker = r->worker;
	} else if (tailbox__slot_ingress(q) &&
	           TAILBOX__GET(q->holder_number)) {
		const uint32_t names = TAILBOX__GET(q->holder);
		r->behind.number = TAILBOX__GET(q->holder_number);
		r->behind.held_ns =
		        (uint64_t)TAILBOX__GET(q->holder_ms) * 1000000;
		r->behind.route = tailbox__reader_name(
		        s->reader, (uint16_t)names, NULL);
		r->behind.worker = names >> 16;
		r->behind.is_ingress = true;
	}
}

/* --- one request ---------------------------------------------------------- */

/* Those that are over, and the one under way up to now. */
static void put_phases(const struct cli__top_source *s,
                       const struct tailbox__slot *q,
                       struct cli__top_request *r)
{
	const uint32_t known = TAILBOX__GET(q->known);
	const uint64_t ticks[TAILBOX__PHASE_COUNT] = {
		[TAILBOX__PHASE_INGRESS] = TAILBOX__GET(q->ingress),
		[TAILBOX__PHASE_HEADERS] = TAILBOX__GET(q->headers),
		[TAILBOX__PHASE_BODY] = TAILBOX__GET(q->body),
		[TAILBOX__PHASE_HANDLER] = TAILBOX__GET(q->handler),
		[TAILBOX__PHASE_SUSPENDED] = TAILBOX__GET(q->suspended),
		[TAILBOX__PHASE_RESUME] = TAILBOX__GET(q->resume),
	};
	const uint32_t phase = TAILBOX__GET(q->phase);

	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++)
		r->phases_ns[i] =
		        i != TAILBOX__PHASE_SEND && known & 1u << i
		                ? tailbox__ticks_to_ns(s->scale, ticks[i])
		                : TAILBOX__NONE;
	if (phase >= TAILBOX__PHASE_COUNT)
		return;
	if (r->phases_ns[phase] == TAILBOX__NONE)
		r->phases_ns[phase] = 0;
	r->phases_ns[phase] += r->phase_ns;
}

static void put_rest(const struct cli__top_source *s,
                     const struct tailbox__slot *q, struct cli__top_request *r)
{
	const uint32_t flags = TAILBOX__GET(q->flags);
	const uint32_t known = TAILBOX__GET(q->known);

	r->bytes_in = known & TAILBOX__KNOWN_BYTES_IN
	                      ? TAILBOX__GET(q->bytes_in)
	                      : TAILBOX__NONE;
	r->bytes_out = known & TAILBOX__KNOWN_BYTES_OUT
	                       ? TAILBOX__GET(q->bytes_out)
	                       : TAILBOX__NONE;
	r->calls = known & TAILBOX__KNOWN_HANDLER ? TAILBOX__GET(q->calls)
	                                          : TAILBOX__NONE;
	if (flags & TAILBOX__REQ_HAS_TRACE) {
		r->trace_hi = TAILBOX__GET(q->trace_hi);
		r->trace_lo = TAILBOX__GET(q->trace_lo);
	}
	if (flags & TAILBOX__REQ_HAS_TAGS)
		r->tag_count = TAILBOX__GET(q->tag_count);
	if (r->tag_count > 4)
		r->tag_count = 4;
	for (unsigned i = 0; i < r->tag_count; i++) {
		const uint32_t names = TAILBOX__GET(q->tags[i]);
		r->tags[i].key = tailbox__reader_name(s->reader,
		                                      (uint16_t)names, NULL);
		r->tags[i].value = tailbox__reader_name(
		        s->reader, (uint16_t)(names >> 16), NULL);
	}
}

static void put_request(const struct cli__top_source *s,
                        const struct tailbox__slot *q,
                        struct cli__top_request *r)
{
	const uint32_t flags = TAILBOX__GET(q->flags);

	memset(r, 0, sizeof(*r));
	r->number = TAILBOX__GET(q->number);
	r->connection = TAILBOX__GET(q->connection);
	r->age_ns = cli__top_ns(s, cli__tape_start(q));
	r->since_ms = tailbox__reader_wall_ns(s->reader, cli__tape_start(q)) /
	              1000000;
	if (flags & TAILBOX__REQ_HAS_ID)
		copy_id(q, r->id);
	/* What is no name is copied when the array stands still: below. */
	r->route = TAILBOX__GET(q->route)
	                   ? cli__top_route(s, q, r->route_text)
	                   : NULL;
	if (!r->route)
		cli__top_route(s, q, r->route_text);
	r->kind = tailbox__reader_name(s->reader, TAILBOX__GET(q->kind), NULL);
	r->phase = cli__tape_phase(TAILBOX__GET(q->phase));
	r->phase_ns = cli__top_ns(s, tailbox__slot_phase_since(q));
	r->where = cli__top_where(s, q);
	r->worker = TAILBOX__GET(q->thread);
	r->daemon = TAILBOX__GET(q->daemon);
	r->is_suspended = flags & TAILBOX__REQ_SUSPENDED;
	put_behind(s, q, r);
	put_phases(s, q, r);
	put_rest(s, q, r);
}

static int by_age(const void *a, const void *b)
{
	const struct cli__top_request *x = a, *y = b;

	if (x->age_ns != y->age_ns)
		return x->age_ns > y->age_ns ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

bool cli__top_put_requests(struct cli__top_source *s)
{
	struct cli__top *t = &s->frame;
	size_t n = 0;

	for (long i = 0; i < s->slot_count; i++)
		n += TAILBOX__GET(s->slots[i].state) == TAILBOX__SLOT_OPEN;
	t->open = n;
	t->requests = tailbox__alloc(n + 1, sizeof(*t->requests));
	if (!t->requests)
		return false;
	for (long i = 0; i < s->slot_count; i++)
		if (TAILBOX__GET(s->slots[i].state) == TAILBOX__SLOT_OPEN)
			put_request(s, &s->slots[i],
			            &t->requests[t->request_count++]);
	if (n)
		qsort(t->requests, n, sizeof(*t->requests), by_age);
	for (size_t i = 0; i < n; i++)
		if (!t->requests[i].route)
			t->requests[i].route = t->requests[i].route_text;
	return true;
}
