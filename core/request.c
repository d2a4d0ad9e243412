/* core/request.c - the life of a request on the tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * While it is open its facts are in its slot; when it ends they become one
 * record of 64 bytes, with further records behind it only where there is
 * more to say. The order is what readers build on: STARTING before the clock
 * is read, OPEN when line and number are there, the record published before
 * IDLE.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/internal.h"
#include "core/run.h"

/* tailbox__slot_phase_since() has them as numbers. */
_Static_assert(TAILBOX__PHASE_HANDLER == 3 && TAILBOX__PHASE_SEND == 6,
               "phases");

#define WORD TAILBOX__WORD
#define WORD4 TAILBOX__WORD4

static uint16_t saturate16(uint32_t v)
{
	return v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
}

static char *put_more(char *to, const struct tailbox__slot *s, uint32_t flags,
                      uint32_t known)
{
	struct tailbox__rec_more m = { .type = TAILBOX__REC_MORE };
	uint32_t holder = TAILBOX__GET(s->holder);

	if (known & TAILBOX__KNOWN_BYTES_IN)
		m.bytes_in = TAILBOX__GET(s->bytes_in);
	m.bytes_out = known & TAILBOX__KNOWN_BYTES_OUT
	                      ? TAILBOX__GET(s->bytes_out)
	                      : UINT64_MAX;
	if (known & TAILBOX__KNOWN_INGRESS) {
		m.ingress = tailbox__pack(TAILBOX__GET(s->ingress));
		m.holder_number = TAILBOX__GET(s->holder_number);
		m.holder_route = (uint16_t)holder;
		m.holder_thread = (uint16_t)(holder >> 16);
		m.holder_ms = TAILBOX__GET(s->holder_ms);
	}
	if (known & TAILBOX__KNOWN_RESUME)
		m.resume = tailbox__pack(TAILBOX__GET(s->resume));
	m.daemon = (uint16_t)TAILBOX__GET(s->daemon);
	if (flags & TAILBOX__REQ_HAS_TAGS) {
		m.tag_count = TAILBOX__GET(s->tag_count);
		for (int i = 0; i < m.tag_count && i < 4; i++)
			m.tags[i] = TAILBOX__GET(s->tags[i]);
	}
	tailbox__store(to, &m, sizeof(m));
	return to + sizeof(m);
}

static char *put_reader(char *to, const struct tailbox__slot *s)
{
	struct tailbox__rec_reader r = { .type = TAILBOX__REC_READER };

	r.ticks = TAILBOX__GET(s->reader);
	tailbox__store(to, &r, sizeof(r));
	return to + sizeof(r);
}

static char *put_trace(char *to, const struct tailbox__slot *s)
{
	struct tailbox__rec_trace r = { .type = TAILBOX__REC_TRACE };

	r.flags = (uint8_t)TAILBOX__GET(s->trace_flags);
	r.hi = TAILBOX__GET(s->trace_hi);
	r.lo = TAILBOX__GET(s->trace_lo);
	r.parent = TAILBOX__GET(s->trace_parent);
	tailbox__store(to, &r, sizeof(r));
	return to + sizeof(r);
}

static char *put_id(char *to, const struct tailbox__slot *s, unsigned len)
{
	uint64_t text[TAILBOX_ID_MAX / 8];

	for (size_t i = 0; i < TAILBOX_ID_MAX / 8; i++)
		text[i] = TAILBOX__GET(s->id_text[i]);
	for (unsigned at = 0; at < len; at += 56) {
		struct tailbox__rec_id r = { .type = TAILBOX__REC_ID };
		r.len = (uint8_t)(len - at < 56 ? len - at : 56);
		memcpy(r.text, (const char *)text + at, r.len);
		tailbox__store(to, &r, sizeof(r));
		to += sizeof(r);
	}
	return to;
}

#define PACK_HIGH(field)                                                       \
	((uint64_t)tailbox__pack(TAILBOX__GET(field)) << 32)

/* struct tailbox__rec_request, word by word. Always inline: as a call its nine
 * arguments cost a tenth of begin+finish. */
static inline __attribute__((always_inline)) void
put_request(char *to, const struct tailbox__slot *s, uint64_t now,
            unsigned termination, uint64_t send, unsigned more, uint32_t thread,
            uint64_t flags, uint64_t known)
{
	tailbox__a64 *w = (tailbox__a64 *)(void *)to;
	uint64_t line = TAILBOX__GET(s->line), calls = 0;
	uint64_t w3 = tailbox__pack_up(now > line ? now - line : 0);
	uint64_t w4 = 0, w5 = (uint64_t)tailbox__pack(send) << 32;

	if (known & (TAILBOX__KNOWN_HEADERS | TAILBOX__KNOWN_HANDLER)) {
		if (known & TAILBOX__KNOWN_HEADERS)
			w3 |= PACK_HIGH(s->headers);
		if (known & TAILBOX__KNOWN_BODY)
			w4 = tailbox__pack(TAILBOX__GET(s->body));
		if (known & TAILBOX__KNOWN_HANDLER) {
			w4 |= PACK_HIGH(s->handler);
			calls = saturate16(TAILBOX__GET(s->calls));
		}
		if (known & TAILBOX__KNOWN_SUSPENDED)
			w5 |= tailbox__pack(TAILBOX__GET(s->suspended));
	}
	TAILBOX__SET(w[0], WORD4(TAILBOX__REC_REQUEST | more << 8,
	                         termination | TAILBOX__GET(s->phase) << 8,
	                         thread, known));
	TAILBOX__SET(w[1], TAILBOX__GET(s->number));
	TAILBOX__SET(w[2], line);
	TAILBOX__SET(w[3], w3);
	TAILBOX__SET(w[4], w4);
	TAILBOX__SET(w[5], w5);
	TAILBOX__SET(w[6], TAILBOX__GET(s->names_word));
	TAILBOX__SET(w[7], WORD(flags | calls << 16,
	                        (uint32_t)TAILBOX__GET(s->connection)));
}

/* What makes a request more than one record, or none. */
#define RARE_FLAGS                                                             \
	(TAILBOX__REQ_DISCARD | TAILBOX__REQ_HAS_TRACE | TAILBOX__REQ_HAS_ID | \
	 TAILBOX__REQ_HAS_TAGS)
#define HAS_MORE                                                               \
	(TAILBOX__KNOWN_INGRESS | TAILBOX__KNOWN_RESUME |                      \
	 TAILBOX__KNOWN_BYTES_IN | TAILBOX__KNOWN_BYTES_OUT)
#define MORE_KNOWN (HAS_MORE | TAILBOX__KNOWN_READER)

static void lose(struct tailbox__thread *t)
{
	TAILBOX__ADD(t->entry->lost_requests, 1);
}

static __attribute__((noinline)) void
close_rare(struct tailbox__thread *t, struct tailbox__slot *s, uint64_t now,
           unsigned termination, uint64_t send)
{
	uint32_t flags = TAILBOX__GET(s->flags), known = TAILBOX__GET(s->known);
	bool has_more = known & HAS_MORE || flags & TAILBOX__REQ_HAS_TAGS;
	bool has_trace = flags & TAILBOX__REQ_HAS_TRACE;
	bool has_reader = known & TAILBOX__KNOWN_READER;
	unsigned id_len = flags & TAILBOX__REQ_HAS_ID ? TAILBOX__GET(s->id_len)
	                                              : 0;
	unsigned more = has_more + has_trace + has_reader + (id_len + 55) / 56;
	size_t bytes = 64 * (1 + (size_t)more);
	char *to;

	if (flags & TAILBOX__REQ_DISCARD) {
		TAILBOX__ADD(t->entry->discarded, 1);
		return;
	}
	to = tailbox__reserve(t, TAILBOX__BLOCK_REQUESTS, bytes);
	if (to == NULL) {
		lose(t);
		return;
	}
	put_request(to, s, now, termination, send, more, t->index,
	            flags & 0xffff, known & 0xffff);
	to += sizeof(struct tailbox__rec_request);
	if (has_more)
		to = put_more(to, s, flags, known);
	if (has_reader)
		to = put_reader(to, s);
	if (has_trace)
		to = put_trace(to, s);
	put_id(to, s, id_len);
	tailbox__publish(t, TAILBOX__BLOCK_REQUESTS, bytes);
	TAILBOX__ADD(t->entry->finished, 1);
}

void tailbox__request_close(struct tailbox__thread *t, struct tailbox__slot *s,
                            uint64_t now, unsigned termination, uint64_t send)
{
	uint32_t flags = TAILBOX__GET(s->flags), known = TAILBOX__GET(s->known);
	char *to = TAILBOX__OUT(t, TAILBOX__BLOCK_REQUESTS).next;

	/* Blocks hold 63 records, so there is room for all or for none. */
	if (__builtin_expect((flags & RARE_FLAGS) || (known & MORE_KNOWN) ||
	                             to == TAILBOX__OUT(t, TAILBOX__BLOCK_REQUESTS).end,
	                     0)) {
		close_rare(t, s, now, termination, send);
	} else {
		put_request(to, s, now, termination, send, 0, t->index,
		            flags & 0xffff, known & 0xffff);
		tailbox__publish(t, TAILBOX__BLOCK_REQUESTS, 64);
		TAILBOX__ADD(t->entry->finished, 1);
	}
	atomic_store_explicit(&s->state, TAILBOX__SLOT_IDLE,
	                      memory_order_release);
}

/* --- requests of the application --------------------------------------- */

tailbox_request tailbox_request_begin(const char *route, const char *kind)
{
	struct tailbox__thread *t;
	struct tailbox__slot *s;
	uint16_t name, kind_name;

	if (!tailbox__recorder_is_on())
		return NULL;
	t = tailbox__thread_get();
	if (t == NULL) {
		tailbox__lost_to_table();
		return NULL;
	}
	s = tailbox__slot_take(t);
	if (s == NULL)
		return NULL;
	name = tailbox__name_cstr(route);
	if (name == 0 || tailbox__is_blank(route, strnlen(route, 4096)))
		name = TAILBOX__NAME_OTHER;
	kind_name = tailbox__name_cstr(kind);
	tailbox__request_open(t, s, name, kind_name, TAILBOX__REQ_CORE,
	                      TAILBOX__PHASE_HANDLER);
	return tailbox__handle_of(s);
}

/* Atomic: the server's thread may mark a request suspended while another
 * thread, which works on it, names it. */
static void set_flag(struct tailbox__slot *s, uint32_t flag)
{
	atomic_fetch_or_explicit(&s->flags, flag, memory_order_release);
}

static uint16_t outcome_name(const char *outcome)
{
	if (outcome == NULL ||
	    tailbox__is_blank(outcome, strnlen(outcome, 4096)))
		return TAILBOX__NAME_OK;
	return tailbox__name_cstr(outcome);
}

void tailbox_request_finish(tailbox_request r, const char *outcome)
{
	struct tailbox__thread *t;
	struct tailbox__slot *s;
	uint64_t now;

	if (r == NULL)
		return;
	t = tailbox__thread_get();
	s = tailbox__slot_in(t, r);
	if (s == NULL || !(TAILBOX__GET(s->flags) & TAILBOX__REQ_CORE))
		return;
	if (TAILBOX__GET(s->outcome) == 0)
		TAILBOX__SET(s->outcome, outcome_name(outcome));
	if (t == NULL) {
		tailbox__lost_to_table();
		tailbox__slot_give(NULL, s);
		return;
	}
	now = tailbox__now();
	tailbox__request_close(t, s, now, TAILBOX__TERM_UNKNOWN, 0);
	tailbox__slot_give(t, s);
}

void tailbox_request_set_route(tailbox_request r, const char *route)
{
	struct tailbox__slot *s = tailbox__slot_of(r);
	uint16_t name;

	if (s == NULL || route == NULL ||
	    tailbox__is_blank(route, strnlen(route, 4096)))
		return;
	name = tailbox__name_cstr(route);
	if (name == 0)
		return;
	TAILBOX__SET(s->route, name);
	set_flag(s, TAILBOX__REQ_ROUTE_SET);
}

void tailbox_request_set_id(tailbox_request r, const char *id)
{
	struct tailbox__slot *s = tailbox__slot_of(r);
	uint64_t text[TAILBOX_ID_MAX / 8] = { 0 };
	size_t len;

	if (s == NULL || id == NULL ||
	    tailbox__is_blank(id, strnlen(id, 4096)))
		return;
	len = tailbox__clean_text((char *)text, sizeof(text), id,
	                          strnlen(id, 4096));
	for (size_t i = 0; i < TAILBOX_ID_MAX / 8; i++)
		TAILBOX__SET(s->id_text[i], text[i]);
	TAILBOX__SET(s->id_len, (uint16_t)len);
	set_flag(s, TAILBOX__REQ_HAS_ID);
}

void tailbox_request_set_outcome(tailbox_request r, const char *outcome)
{
	struct tailbox__slot *s = tailbox__slot_of(r);

	if (s != NULL && outcome != NULL)
		TAILBOX__SET(s->outcome, outcome_name(outcome));
}

void tailbox_request_tag(tailbox_request r, const char *key, const char *value)
{
	struct tailbox__slot *s = tailbox__slot_of(r);
	uint32_t flags, count, k, v;
	struct tailbox__thread *t;

	if (s == NULL || key == NULL || value == NULL)
		return;
	flags = TAILBOX__GET(s->flags);
	count = flags & TAILBOX__REQ_HAS_TAGS ? TAILBOX__GET(s->tag_count) : 0;
	k = tailbox__name_cstr(key);
	v = tailbox__name_cstr(value);
	if (count >= TAILBOX_TAGS_MAX || k == 0 || v == 0) {
		t = tailbox__thread_get();
		if (t != NULL)
			TAILBOX__ADD(t->entry->lost_tags, 1);
		return;
	}
	TAILBOX__SET(s->tags[count], k | v << 16);
	TAILBOX__SET(s->tag_count, (uint16_t)(count + 1));
	set_flag(s, TAILBOX__REQ_HAS_TAGS);
}

void tailbox_request_discard(tailbox_request r)
{
	struct tailbox__slot *s = tailbox__slot_of(r);

	if (s != NULL)
		set_flag(s, TAILBOX__REQ_DISCARD);
}

uint64_t tailbox_request_number(tailbox_request r)
{
	struct tailbox__slot *s = tailbox__slot_of(r);

	return s ? TAILBOX__GET(s->number) : 0;
}

int tailbox_request_traceparent(tailbox_request r, char *buf, size_t bufsize)
{
	struct tailbox__slot *s = tailbox__slot_of(r);
	uint64_t number, hi, lo;
	unsigned flags = 0;

	if (buf == NULL || bufsize == 0)
		return 0;
	buf[0] = '\0';
	if (s == NULL || bufsize < 56)
		return 0;
	number = TAILBOX__GET(s->number);
	/* No trace came in: make one of what is unique to this request. */
	hi = tailbox__recorder.trace_id;
	lo = number;
	if (TAILBOX__GET(s->flags) & TAILBOX__REQ_HAS_TRACE) {
		hi = TAILBOX__GET(s->trace_hi);
		lo = TAILBOX__GET(s->trace_lo);
		flags = (unsigned)TAILBOX__GET(s->trace_flags) & 0xff;
	}
	return snprintf(buf, bufsize, "00-%016llx%016llx-%016llx-%02x",
	                (unsigned long long)hi, (unsigned long long)lo,
	                (unsigned long long)(number + 1), flags);
}
