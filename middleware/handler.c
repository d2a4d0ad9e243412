/* middleware/handler.c - the access handler: calls of the application.
 *
 * SPDX-License-Identifier: MIT
 *
 * A plain GET takes two calls: the first, with the headers, in which most
 * applications only make a context, and the final one, which answers. They
 * follow at once, so they are one hold: the clock is not read in between.
 * A GET that has a body does not fit. Whether it has one costs a search of the
 * headers to know; it is so rare that the second call finds out: the time up
 * to it is then booked as body. (Until it comes the worker looks held, unless
 * another connection calls.)
 *
 * Once the status is seen it is not asked for again.
 *
 * The thread's state is taken before the call and kept over it: tailbox may be
 * stopped and started meanwhile. If the application then asks something of it,
 * this thread has another entry, or none, and the request goes on unrecorded.
 */
#include "middleware/hooks.h"

#include <string.h>

#include "core/run.h"
#include "middleware/hint.h"
#include "middleware/ingress.h"

/* GET and HEAD: the only methods whose second call follows at once. */
static inline bool has_no_body(const char *method)
{
	return (method[0] == 'G' && method[1] == 'E' && method[2] == 'T' &&
	        method[3] == '\0') ||
	       UNLIKELY(strcmp(method, "HEAD") == 0);
}

static inline void first_call(struct tailbox__thread *t,
                              struct tailbox__conn *s,
                              struct MHD_Connection *c)
{
	struct tailbox__slot *slot = s->slot;
	uint64_t now = tailbox__now();

	TAILBOX__SET(slot->headers, now - s->mark);
	TAILBOX__KNOW(slot, TAILBOX__KNOWN_HEADERS);
	TAILBOX__SET(slot->phase, TAILBOX__PHASE_HANDLER);
	TAILBOX__SET(slot->calls, 1);
	s->mark = now;
	s->was_called = true;
	tailbox__hold_begin(t, s, TAILBOX__HOLD_HANDLER, now);
	tailbox__trace_look(c, slot);
}

static inline void count_call(struct tailbox__conn *s)
{
	uint32_t calls = TAILBOX__GET(s->slot->calls) + 1;

	if (LIKELY(calls != 0)) /* saturates */
		TAILBOX__SET(s->slot->calls, calls);
}

/* The handler returned and a response is queued. */
static inline __attribute__((always_inline)) void
queued(struct tailbox__thread *t, struct tailbox__conn *s, unsigned status)
{
	struct tailbox__slot *slot = s->slot;
	uint64_t now = tailbox__now(), time = now - s->mark;
	uint32_t known = TAILBOX__GET(slot->known);

	if (UNLIKELY(known & TAILBOX__KNOWN_HANDLER))
		time += TAILBOX__GET(slot->handler);
	TAILBOX__SET(slot->handler, time);
	TAILBOX__SET(slot->known, known | TAILBOX__KNOWN_HANDLER);
	TAILBOX__SET(slot->status, (uint16_t)status);
	TAILBOX__SET(slot->queued_at, now);
	TAILBOX__SET(slot->phase, TAILBOX__PHASE_SEND);
	/* The name first, so that the hold is remembered with it. */
	if (UNLIKELY(s->pending_len != 0))
		tailbox__phase_name(t, s, status);
	tailbox__hold_end(t, s, s->mark, now);
	s->mark = now;
	TAILBOX__SET(s->step, TAILBOX__STEP_QUEUED);
	if (UNLIKELY(status == MHD_HTTP_SWITCHING_PROTOCOLS))
		tailbox__phase_upgraded(t, s, now);
}

/* What the first call left, where it was not a plain GET that goes on. */
static NOINLINE void first_left(struct tailbox__thread *t,
                                struct tailbox__conn *s,
                                struct MHD_Connection *c, const char *method,
                                enum MHD_Result result)
{
	const struct tailbox__call call = { true, result, 0, 0 };
	unsigned status = tailbox__status_of(c);

	if (status == 0) {
		tailbox__phase_leave(t, s, c, &call);
		return;
	}
	queued(t, s, status);
	if (!has_no_body(method))
		tailbox__phase_early(s, c);
}

static NOINLINE void final_left(struct tailbox__thread *t,
                                struct tailbox__conn *s,
                                struct MHD_Connection *c,
                                enum MHD_Result result)
{
	const struct tailbox__call call = { false, result, 0, 0 };

	tailbox__phase_leave(t, s, c, &call);
}

/* --- the hook; its arguments are passed on by a jump ------------------- */

#define PARAMETERS                                                             \
	struct MHD_Connection *c, const char *url, const char *method,         \
	        const char *version, const char *data, size_t *size,           \
	        void **req_cls
#define ARGUMENTS c, url, method, version, data, size, req_cls

static NOINLINE bool is_lost_indeed(struct tailbox__conn *s)
{
	const struct tailbox__thread *t = tailbox__thread_get();

	if (t != NULL && t->epoch == s->epoch)
		return false;
	if (t == NULL)
		tailbox__lost_to_table();
	tailbox__request_over(s, s->previous_end);
	return true;
}

/* Whether this thread may write the connection's slot; else the request goes
 * on unrecorded. */
static inline bool is_lost(struct tailbox__conn *s)
{
	return UNLIKELY(!tailbox__thread_is_of(s->epoch)) && is_lost_indeed(s);
}

/* The call has returned; the thread has another tape now, so that the slot may
 * be gone. */
static inline bool has_left(struct tailbox__conn *s)
{
	if (LIKELY(tailbox__thread_stayed(s->epoch)))
		return false;
	tailbox__request_over(s, s->previous_end);
	return true;
}

/* The first call. */
static NOINLINE enum MHD_Result first_handler(struct tailbox__mhd *m,
                                              PARAMETERS)
{
	struct tailbox__conn *s = tailbox__looked.last;
	struct tailbox__thread *t;
	enum MHD_Result result;

	if (is_lost(s))
		return m->handler(m->handler_cls, ARGUMENTS);
	t = tailbox__self;
	first_call(t, s, c);
	result = m->handler(m->handler_cls, ARGUMENTS);
	if (has_left(s))
		return result;
	if (LIKELY(tailbox__status_of(c) == 0 && result == MHD_YES &&
	           has_no_body(method)) &&
	    !(m->can_suspend && tailbox__suspended(s, c))) {
		s->is_first = false;
		TAILBOX__SET(s->step, TAILBOX__STEP_HOLD);
		return result;
	}
	first_left(t, s, c, method, result);
	return result;
}

/* Neither the first call nor the second of a GET. */
static NOINLINE enum MHD_Result other_handler(struct tailbox__mhd *m,
                                              PARAMETERS)
{
	struct tailbox__conn *s = tailbox__looked.last;
	struct tailbox__call call = { s->is_first, MHD_NO, *size, 0 };
	struct tailbox__thread *t;
	unsigned status;

	if (is_lost(s))
		return m->handler(m->handler_cls, ARGUMENTS);
	t = tailbox__self;
	count_call(s);
	tailbox__phase_enter(t, s, call.upload);
	call.result = m->handler(m->handler_cls, ARGUMENTS);
	if (has_left(s))
		return call.result;
	if (call.upload != 0) {
		call.consumed = call.upload - *size;
		TAILBOX__SUM(s->slot, bytes_in, TAILBOX__KNOWN_BYTES_IN,
		             call.consumed);
	}
	status = tailbox__status_of(c);
	if (status == 0) {
		tailbox__phase_leave(t, s, c, &call);
		return call.result;
	}
	queued(t, s, status);
	if (call.was_first)
		tailbox__phase_early(s, c);
	return call.result;
}

/* The second call of a GET; it has no body, unless it has. */
static NOINLINE enum MHD_Result final_handler(struct tailbox__mhd *m,
                                              PARAMETERS)
{
	struct tailbox__conn *s = tailbox__looked.last;
	struct tailbox__thread *t;
	enum MHD_Result result;
	unsigned status;

	if (UNLIKELY(*size != 0))
		return other_handler(m, ARGUMENTS);
	if (is_lost(s))
		return m->handler(m->handler_cls, ARGUMENTS);
	t = tailbox__self;
	TAILBOX__SET(s->slot->calls, 2);
	result = m->handler(m->handler_cls, ARGUMENTS);
	if (has_left(s))
		return result;
	status = tailbox__status_of(c);
	if (LIKELY(status != 0))
		queued(t, s, status);
	else
		final_left(t, s, c, result);
	return result;
}

/* Of a request that is not recorded. */
static NOINLINE enum MHD_Result plain_handler(struct tailbox__mhd *m,
                                              PARAMETERS)
{
	return m->handler(m->handler_cls, ARGUMENTS);
}

/* The first call of one. */
static NOINLINE enum MHD_Result plain_first_handler(struct tailbox__mhd *m,
                                                    PARAMETERS)
{
	TAILBOX__SET(tailbox__looked.last->step, TAILBOX__STEP_NONE);
	return m->handler(m->handler_cls, ARGUMENTS);
}

static NOINLINE enum MHD_Result uncached_handler(struct tailbox__mhd *m,
                                                 PARAMETERS)
{
	if (tailbox__conn_find(c) != NULL)
		return tailbox__hook_handler(m, ARGUMENTS);
	return m->handler(m->handler_cls, ARGUMENTS);
}

/* By step and, beyond them, for a connection that has to be looked up. One
 * jump and no branch before it: else the compiler takes the arguments off the
 * stack and puts them back. */
#define UNCACHED 8u
_Static_assert(TAILBOX__STEP_QUEUED < UNCACHED, "steps fit below");

enum MHD_Result tailbox__hook_handler(void *cls, PARAMETERS)
{
	static enum MHD_Result (*const by_step[2 * UNCACHED])(
	        struct tailbox__mhd *, PARAMETERS) = {
		[TAILBOX__STEP_NONE] = plain_handler,
		[TAILBOX__STEP_SEEN] = plain_first_handler,
		[TAILBOX__STEP_LINE] = first_handler,
		[TAILBOX__STEP_HOLD] = final_handler,
		[TAILBOX__STEP_BODY] = other_handler,
		[TAILBOX__STEP_AGAIN] = other_handler,
		[TAILBOX__STEP_QUEUED] = other_handler,
		[UNCACHED + TAILBOX__STEP_NONE] = uncached_handler,
		[UNCACHED + TAILBOX__STEP_SEEN] = uncached_handler,
		[UNCACHED + TAILBOX__STEP_LINE] = uncached_handler,
		[UNCACHED + TAILBOX__STEP_HOLD] = uncached_handler,
		[UNCACHED + TAILBOX__STEP_BODY] = uncached_handler,
		[UNCACHED + TAILBOX__STEP_AGAIN] = uncached_handler,
		[UNCACHED + TAILBOX__STEP_QUEUED] = uncached_handler
	};
	const struct tailbox__conn *s = tailbox__looked.last;
	const unsigned step = TAILBOX__GET(s->step);

	return by_step[step + UNCACHED * !tailbox__conn_is(s, c)](cls,
	                                                          ARGUMENTS);
}
