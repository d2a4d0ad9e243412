/* core/assemble_requests.c - finished requests, their ids and extensions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/assemble_plan.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/tailbox.h"
#include "core/utf8.h"

enum { TEXT_MAX = 2 * sizeof(((struct tailbox__rec_id *)0)->text) };

/* --- names and ids ----------------------------------------------------- */

tailbox__str tailbox__plan_text(struct tailbox__run *run, const char *text,
                                size_t len)
{
	char copy[512];
	size_t n = 0;

	for (size_t i = 0; i < len && n < sizeof(copy);) {
		uint32_t cp;
		size_t bytes = tailbox__utf8_next(text + i, len - i, &cp);
		if (cp == TAILBOX__UTF8_INVALID) {
			copy[n++] = '?';
		} else {
			if (bytes > sizeof(copy) - n)
				break;
			memcpy(copy + n, text + i, bytes);
			n += bytes;
		}
		i += bytes;
	}
	return tailbox__run_str(run, copy, n);
}

tailbox__str tailbox__plan_name(struct tailbox__plan *p, uint16_t name)
{
	if (name == TAILBOX__NAME_NONE)
		return 0;
	if (!p->names[name]) {
		size_t len;
		const char *text =
		        tailbox__reader_name(p->a->reader, name, &len);
		p->names[name] = tailbox__plan_text(p->run, text, len);
	}
	return p->names[name];
}

tailbox__str tailbox__plan_required_name(struct tailbox__plan *p, uint16_t name)
{
	if (name != TAILBOX__NAME_NONE && p->names[name])
		return p->names[name];
	size_t len;
	const char *text = tailbox__reader_name(p->a->reader, name, &len);
	if (name == TAILBOX__NAME_NONE || tailbox__is_blank(text, len))
		return p->other;
	return tailbox__plan_name(p, name);
}

static bool is_alnum(uint32_t cp)
{
	return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') ||
	       (cp >= '0' && cp <= '9');
}

static size_t put_number(char *to, uint64_t number)
{
	char digits[20];
	size_t n = 0, len = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	to[len++] = '-';
	while (n)
		to[len++] = digits[--n];
	return len;
}

/* ROUTE-WALL_MS-NUMBER (spec 7.2). */
static tailbox__str make_id(struct tailbox__plan *p, tailbox__str route,
                            const struct tailbox__entry *e)
{
	char id[256];
	size_t len, n = 0;
	const char *text = tailbox__run_text(p->run, route, &len);

	for (size_t i = 0; i < len && n < sizeof(id) - 2 * 21;) {
		uint32_t cp;
		i += tailbox__utf8_next(text + i, len - i, &cp);
		id[n++] = is_alnum(cp) ? (char)cp : '_';
	}
	n += put_number(id + n, tailbox__plan_ms(
	                                p, tailbox__plan_us(p, e->start)));
	n += put_number(id + n, e->number);
	return tailbox__run_str(p->run, id, n);
}

/* An id of the application as it is; a blank one would be no id. */
tailbox__str tailbox__plan_id(struct tailbox__plan *p, tailbox__str route,
                              const struct tailbox__entry *e, const char *text,
                              size_t len)
{
	if (tailbox__is_blank(text, len))
		return make_id(p, route, e);
	return tailbox__plan_text(p->run, text, len);
}

/* --- requests ---------------------------------------------------------- */

/* A request's records, put apart. */
struct group {
	struct tailbox__rec_request request;
	struct tailbox__rec_more more;
	struct tailbox__rec_trace trace;
	bool has_more, has_trace, has_reader;
	uint64_t reader; /* ticks */
	size_t id_len;
	char id[TEXT_MAX];
};

static void add_id(struct group *g, const struct tailbox__unit *u)
{
	struct tailbox__rec_id r;

	memcpy(&r, u, sizeof(r));
	size_t len = r.len < sizeof(r.text) ? r.len : sizeof(r.text);
	if (len > sizeof(g->id) - g->id_len)
		len = sizeof(g->id) - g->id_len;
	memcpy(g->id + g->id_len, r.text, len);
	g->id_len += len;
}

static void add_reader(struct group *g, const struct tailbox__unit *u)
{
	struct tailbox__rec_reader r;

	memcpy(&r, u, sizeof(r));
	g->reader = r.ticks;
	g->has_reader = true;
}

static void read_group(const struct tailbox__assembly *a, uint32_t at,
                       struct group *g)
{
	const struct tailbox__unit *u = &a->units.items[at];

	g->has_more = g->has_trace = g->has_reader = false;
	g->id_len = 0;
	memcpy(&g->request, u, sizeof(g->request));
	for (unsigned i = 1; i <= g->request.more; i++) {
		switch (*(const uint8_t *)&u[i]) {
		case TAILBOX__REC_MORE:
			memcpy(&g->more, &u[i], sizeof(g->more));
			g->has_more = true;
			break;
		case TAILBOX__REC_TRACE:
			memcpy(&g->trace, &u[i], sizeof(g->trace));
			g->has_trace = true;
			break;
		case TAILBOX__REC_READER:
			add_reader(g, &u[i]);
			break;
		case TAILBOX__REC_ID:
			add_id(g, &u[i]);
			break;
		}
	}
}

static uint64_t packed_ns(const struct tailbox__plan *p, uint32_t packed)
{
	return tailbox__ticks_to_ns(p->scale, tailbox__unpack(packed));
}

static void put_phases(const struct tailbox__plan *p, const struct group *g,
                       struct tailbox__run_ext *x)
{
	const struct tailbox__rec_request *r = &g->request;
	const uint32_t packed[TAILBOX__PHASE_COUNT] = {
		[TAILBOX__PHASE_INGRESS] = g->has_more ? g->more.ingress : 0,
		[TAILBOX__PHASE_HEADERS] = r->headers,
		[TAILBOX__PHASE_BODY] = r->body,
		[TAILBOX__PHASE_HANDLER] = r->handler,
		[TAILBOX__PHASE_SUSPENDED] = r->suspended,
		[TAILBOX__PHASE_RESUME] = g->has_more ? g->more.resume : 0,
		[TAILBOX__PHASE_SEND] = r->send,
	};
	unsigned known = r->known & ~1u;

	if (!g->has_more)
		known &= ~(unsigned)TAILBOX__KNOWN_RESUME;
	if (packed[TAILBOX__PHASE_INGRESS])
		known |= 1u << TAILBOX__PHASE_INGRESS;
	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++)
		x->phase_ns[i] = known >> i & 1 ? packed_ns(p, packed[i])
		                                : TAILBOX__NONE;
}

static int put_more(struct tailbox__plan *p,
                    const struct tailbox__rec_more *more,
                    struct tailbox__run_ext *x)
{
	if (x->bytes_in != TAILBOX__NONE)
		x->bytes_in = more->bytes_in;
	x->bytes_out = more->bytes_out;
	x->daemon = more->daemon;
	if (more->ingress && (more->holder_number || more->holder_route)) {
		x->holder_number = more->holder_number;
		x->holder_ns = (uint64_t)more->holder_ms * 1000000;
		x->holder_route = tailbox__plan_name(p, more->holder_route);
		if (more->holder_route && !x->holder_route)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < more->tag_count && i < 4; i++) {
		x->tag_key[i] = tailbox__plan_required_name(
		        p, (uint16_t)more->tags[i]);
		x->tag_value[i] = tailbox__plan_required_name(
		        p, (uint16_t)(more->tags[i] >> 16));
		if (!x->tag_key[i] || !x->tag_value[i])
			return -ENOMEM;
	}
	return 0;
}

/* Big endian, as the header `traceparent` has it. */
static void put_bytes(uint8_t *to, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(value >> (56 - 8 * i));
}

static int put_ext(struct tailbox__plan *p, const struct group *g,
                   struct tailbox__run_ext *x)
{
	const struct tailbox__rec_request *r = &g->request;

	x->number = r->number;
	x->connection = r->connection;
	/* A further record is written where there is a body. */
	x->bytes_in = r->flags & TAILBOX__REQ_CORE ? TAILBOX__NONE : 0;
	x->bytes_out = TAILBOX__NONE;
	x->termination =
	        r->termination < TAILBOX__TERM_COUNT ? r->termination : 0;
	x->status = r->status;
	x->worker = r->thread;
	x->handler_calls = r->calls;
	if (r->flags & TAILBOX__REQ_NO_HANDLER)
		x->ext_flags |= TAILBOX__EXT_NO_HANDLER;
	if (r->flags & TAILBOX__REQ_UPGRADED)
		x->ext_flags |= TAILBOX__EXT_UPGRADED;
	if (r->flags & TAILBOX__REQ_BODY_DISCARDED)
		x->ext_flags |= TAILBOX__EXT_BODY_DISCARDED;
	put_phases(p, g, x);
	x->reader_ns = g->has_reader
	                       ? tailbox__ticks_to_ns(p->scale, g->reader)
	                       : TAILBOX__NONE;
	if (g->has_trace) {
		put_bytes(x->trace_id, g->trace.hi);
		put_bytes(x->trace_id + 8, g->trace.lo);
		put_bytes(x->parent_id, g->trace.parent);
		x->trace_flags = g->trace.flags;
	}
	return g->has_more ? put_more(p, &g->more, x) : 0;
}

static tailbox__str outcome_of(struct tailbox__plan *p,
                               const struct tailbox__rec_request *r)
{
	if (r->outcome)
		return tailbox__plan_required_name(p, r->outcome);
	const unsigned term =
	        r->termination < TAILBOX__TERM_COUNT ? r->termination : 0;
	return tailbox__run_cstr(
	        p->run, tailbox__outcome_of(
	                        r->status, (enum tailbox__termination)term));
}

static int put_request(struct tailbox__plan *p, struct tailbox__entry *e)
{
	struct tailbox__run_request *r = tailbox__list_add(&p->run->requests);
	struct tailbox__run_ext *x = tailbox__list_add(&p->run->ext);
	struct group g;

	if (!r || !x)
		return -ENOMEM;
	read_group(p->a, e->at, &g);
	r->route = tailbox__plan_required_name(p, g.request.route);
	r->kind = tailbox__plan_name(p, g.request.kind);
	r->outcome = outcome_of(p, &g.request);
	r->id = e->id = tailbox__plan_id(p, r->route, e, g.id, g.id_len);
	if (!r->route || (g.request.kind && !r->kind) || !r->outcome || !r->id)
		return -ENOMEM;
	r->start_us = tailbox__plan_us(p, e->start);
	r->end_us = tailbox__plan_us(p, e->end);
	r->start_ms = tailbox__plan_ms(p, r->start_us);
	r->end_ms = tailbox__plan_ms(p, r->end_us);
	r->latency_us = tailbox__plan_duration_us(p, e->start, e->end);
	r->flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
	r->ext = (uint32_t)p->run->ext.count;
	return put_ext(p, &g, x);
}

/* In finish order; equal ends in the order of admission. */
int tailbox__plan_put_requests(struct tailbox__plan *p)
{
	struct tailbox__assembly *a = p->a;
	tailbox__key_list finished = { 0 };

	int ret = tailbox__plan_reserve(&finished, p->admitted.count);
	for (size_t i = 0; ret == 0 && i < p->admitted.count; i++) {
		const uint32_t entry = p->admitted.items[i].entry;
		const struct tailbox__entry *e = &a->entries.items[entry];
		if (!e->is_open)
			finished.items[finished.count++] =
			        (struct tailbox__key){ e->end, 0, entry };
	}
	if (ret == 0)
		ret = tailbox__plan_reserve(&p->tmp, finished.count);
	if (ret == 0) {
		tailbox__sort_keys(finished.items, p->tmp.items,
		                   finished.count);
		ret = TAILBOX__RESERVE(&p->run->requests, finished.count);
	}
	if (ret == 0)
		ret = TAILBOX__RESERVE(&p->run->ext, finished.count);
	for (size_t i = 0; ret == 0 && i < finished.count; i++)
		ret = put_request(
		        p, &a->entries.items[finished.items[i].entry]);
	tailbox__free(finished.items);
	return ret;
}
