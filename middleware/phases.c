/* middleware/phases.c - what is not on the way of a plain GET.
 *
 * SPDX-License-Identifier: MIT
 *
 * Uploads, suspension, handlers that are called again, requests that end
 * without an answer. Each edge takes one clock read and books the time since
 * the edge before (conn.mark) to the phase that lies between.
 *
 * A handler that returns MHD_YES from the final call and neither queues nor
 * suspends is called again at once, millions of times a second, until it
 * times out. After SPIN_PRECISE such calls the clock is read at every
 * SPIN_PRECISE-th return only, and what lies between is all the handler's.
 * That includes what the worker did for others in between, which is little:
 * the event loop is spinning.
 *
 * A phase that the end of the request cuts short has its time up to the end.
 */
#include <stdlib.h>
#include <strings.h>

#include "core/run.h"
#include "middleware/hooks.h"
#include "middleware/ingress.h"

#define SPIN_PRECISE 64u

static void set_phase(struct tailbox__slot *slot, enum tailbox__phase phase,
                      uint64_t since)
{
	if (phase == TAILBOX__PHASE_SEND)
		TAILBOX__SET(slot->queued_at, since);
	TAILBOX__SET(slot->phase_since, since);
	TAILBOX__KNOW(slot, TAILBOX__KNOWN_PHASE_SINCE);
	TAILBOX__SET(slot->phase, phase);
}

static void add_handler(struct tailbox__conn *s, uint64_t now)
{
	TAILBOX__SUM(s->slot, handler, TAILBOX__KNOWN_HANDLER, now - s->mark);
}

static void tell_body(struct tailbox__conn *s)
{
	TAILBOX__SET(s->slot->body, s->body);
	TAILBOX__KNOW(s->slot, TAILBOX__KNOWN_BODY);
}

/* --- suspension -------------------------------------------------------- */

/* The suspension is over; next: tick of the handler's call, 0 = none. */
static void resumed(struct tailbox__thread *t, struct tailbox__conn *s,
                    uint64_t next)
{
	struct tailbox__slot *slot = s->slot;
	uint64_t at = TAILBOX__GET(s->resumed_at);

	if (at != 0 && at >= s->suspended_at) {
		TAILBOX__SUM(slot, suspended, TAILBOX__KNOWN_SUSPENDED,
		             at - s->suspended_at);
		if (next != 0)
			TAILBOX__SUM(slot, resume, TAILBOX__KNOWN_RESUME,
			             next > at ? next - at : 0);
	} else if (next != 0) {
		/* Resumed past us; by another thread, for this one was not in
		 * the application. */
		TAILBOX__SUM(slot, suspended, TAILBOX__KNOWN_SUSPENDED,
		             next - s->suspended_at);
		TAILBOX__ADD(t->entry->resumes, 1);
	}
	atomic_fetch_and_explicit(&slot->flags, ~TAILBOX__REQ_SUSPENDED,
	                          memory_order_relaxed);
	tailbox__suspend_forget(s);
	tailbox__conn_set_aside(s, 0);
}

static void suspended(struct tailbox__conn *s)
{
	uint64_t at = TAILBOX__GET(s->resumed_at);

	/* Atomic, because another thread may name or tag the request now. */
	atomic_fetch_or_explicit(&s->slot->flags, TAILBOX__REQ_SUSPENDED,
	                         memory_order_relaxed);
	if (at != 0) /* already: the other thread was quick */
		set_phase(s->slot, TAILBOX__PHASE_RESUME, at);
	else
		set_phase(s->slot, TAILBOX__PHASE_SUSPENDED, s->suspended_at);
}

/* --- calls of the handler ---------------------------------------------- */

void tailbox__phase_enter(struct tailbox__thread *t, struct tailbox__conn *s,
                          size_t upload)
{
	struct tailbox__slot *slot = s->slot;
	uint64_t now;

	if (s->spin >= SPIN_PRECISE && s->suspended_at == 0) {
		tailbox__hold_begin(t, s, TAILBOX__HOLD_HANDLER, s->mark);
		return;
	}
	now = tailbox__now();
	if (s->suspended_at != 0)
		resumed(t, s, now);
	else if (TAILBOX__GET(s->step) == TAILBOX__STEP_BODY)
		s->body += now - s->mark;
	else if (TAILBOX__GET(s->step) == TAILBOX__STEP_HOLD) /* a GET with a body */
		s->body = now - s->mark;
	if (upload != 0)
		s->has_body = true;
	else if (s->has_body)
		tell_body(s);
	s->mark = now;
	set_phase(slot, TAILBOX__PHASE_HANDLER, now);
	tailbox__hold_begin(t, s, TAILBOX__HOLD_HANDLER, now);
}

/* A call that moved nothing; true: not even worth a clock read. */
static bool is_spinning(struct tailbox__thread *t, struct tailbox__conn *s,
                        const struct tailbox__call *call)
{
	if (call->was_first || call->consumed != 0 || call->result != MHD_YES) {
		s->spin = 0;
		return false;
	}
	s->spin++;
	if (s->spin <= SPIN_PRECISE || s->spin % SPIN_PRECISE == 0)
		return false;
	TAILBOX__SET(t->entry->hold_since, 0);
	return true;
}

void tailbox__phase_leave(struct tailbox__thread *t, struct tailbox__conn *s,
                          struct MHD_Connection *c,
                          const struct tailbox__call *call)
{
	struct tailbox__slot *slot = s->slot;
	bool is_suspended = s->suspended_at != 0 ||
	                    (s->mhd->can_suspend && tailbox__suspended(s, c));
	uint64_t now;

	if (!is_suspended && is_spinning(t, s, call))
		return;
	now = tailbox__now();
	add_handler(s, now);
	tailbox__hold_end(t, s, s->mark, now);
	s->mark = now;
	TAILBOX__SET(s->step, TAILBOX__STEP_AGAIN);
	if (call->was_first)
		s->body = 0;
	if (is_suspended) {
		s->spin = 0;
		suspended(s);
		return; /* is_first stays: the same call is made again */
	}
	s->is_first = false;
	if (call->result != MHD_YES)
		return; /* the server cuts the connection */
	if (call->was_first || call->upload != 0) {
		TAILBOX__SET(s->step, TAILBOX__STEP_BODY);
		set_phase(slot, TAILBOX__PHASE_BODY, now);
	}
}

void tailbox__phase_early(struct tailbox__conn *s, struct MHD_Connection *c)
{
	const char *len = MHD_lookup_connection_value(
	        c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	bool has_body = len != NULL && strtoull(len, NULL, 10) != 0;

	if (!has_body && MHD_lookup_connection_value(
	                         c, MHD_HEADER_KIND,
	                         MHD_HTTP_HEADER_TRANSFER_ENCODING) == NULL)
		return;
	atomic_fetch_or_explicit(&s->slot->flags, TAILBOX__REQ_BODY_DISCARDED,
	                         memory_order_relaxed);
}

/* --- names ------------------------------------------------------------- */

/* A path earns a name by a response that does not say that it is wrong, or
 * bots would fill the table. */
static bool earns_a_name(unsigned status)
{
	return status != 0 && status != MHD_HTTP_BAD_REQUEST &&
	       status != MHD_HTTP_NOT_FOUND &&
	       status != MHD_HTTP_METHOD_NOT_ALLOWED;
}

void tailbox__phase_name(struct tailbox__thread *t, struct tailbox__conn *s,
                         unsigned status)
{
	uint16_t name = TAILBOX__NAME_UNMATCHED, none = TAILBOX__NAME_NONE;

	if (s->pending_len == 0)
		return;
	/* The application's own name goes before. */
	if (TAILBOX__GET(s->slot->route) == TAILBOX__NAME_NONE) {
		if (earns_a_name(status))
			name = tailbox__name(s->pending, s->pending_len);
		atomic_compare_exchange_strong_explicit(
		        &s->slot->route, &none, name, memory_order_relaxed,
		        memory_order_relaxed);
	}
	s->pending_len = 0;
	/* Its first calls may have been long holds without a name. */
	tailbox__hold_named(t, TAILBOX__GET(s->slot->number),
	                    TAILBOX__GET(s->slot->route));
}

/* --- ends -------------------------------------------------------------- */

/* An upgraded request ends here: what follows is a tunnel, not a response.
 * The server reports its completion much later, and then without status. */
void tailbox__phase_upgraded(struct tailbox__thread *t,
                             struct tailbox__conn *s, uint64_t now)
{
	atomic_fetch_or_explicit(&s->slot->flags, TAILBOX__REQ_UPGRADED,
	                         memory_order_relaxed);
	tailbox__request_close(t, s->slot, now, TAILBOX__TERM_COMPLETED, 0);
	tailbox__request_over(s, now);
	s->is_upgraded = true;
	s->has_baseline = false;
}

void tailbox__request_over(struct tailbox__conn *s, uint64_t now)
{
	if (s->suspended_at != 0)
		tailbox__suspend_forget(s);
	tailbox__conn_set_aside(s, 0);
	tailbox__reader_forget(s);
	s->previous_end = now;
	TAILBOX__SET(s->step, TAILBOX__STEP_NONE);
}

/* What the end cuts short. */
static void book_rest(struct tailbox__thread *t, struct tailbox__conn *s,
                      uint64_t now, unsigned status)
{
	struct tailbox__slot *slot = s->slot;

	switch ((enum tailbox__step)TAILBOX__GET(s->step)) {
	case TAILBOX__STEP_LINE:
		if (status != 0)
			break; /* answered by the server, headers or not */
		TAILBOX__SET(slot->headers, now - s->mark);
		TAILBOX__KNOW(slot, TAILBOX__KNOWN_HEADERS);
		break;
	case TAILBOX__STEP_HOLD:
		/* The call had returned, and the end came in place of the
		 * next one: the client's body never did. No worker was held
		 * all that time. */
		add_handler(s, now);
		tailbox__hold_forget(t, s->mark);
		break;
	case TAILBOX__STEP_BODY:
		s->body += now - s->mark;
		tell_body(s);
		break;
	case TAILBOX__STEP_AGAIN:
	case TAILBOX__STEP_QUEUED:
	case TAILBOX__STEP_NONE:
	case TAILBOX__STEP_SEEN:
		break;
	}
}

uint64_t tailbox__phase_finish(struct tailbox__thread *t,
                               struct tailbox__conn *s,
                               struct MHD_Connection *c, uint64_t now)
{
	struct tailbox__slot *slot = s->slot;
	uint64_t since = s->mark, resumed_at = TAILBOX__GET(s->resumed_at);
	bool is_known = false;
	unsigned status = TAILBOX__GET(slot->status);

	if (status == 0) {
		status = tailbox__status_of(c);
		TAILBOX__SET(slot->status, (uint16_t)status);
	}
	book_rest(t, s, now, status);
	if (s->suspended_at != 0) {
		/* Answered while it was suspended: when is known only where
		 * the handler did it, and sending began at the resume. */
		is_known = TAILBOX__GET(s->step) == TAILBOX__STEP_QUEUED && resumed_at != 0;
		if (resumed_at > since)
			since = resumed_at;
		resumed(t, s, 0);
	}
	if (status != 0) {
		set_phase(slot, TAILBOX__PHASE_SEND, since);
		if (!s->was_called)
			atomic_fetch_or_explicit(&slot->flags,
			                         TAILBOX__REQ_NO_HANDLER,
			                         memory_order_relaxed);
	}
	tailbox__phase_name(t, s, status);
	if (!is_known)
		return 0;
	TAILBOX__KNOW(slot, TAILBOX__KNOWN_SEND);
	return now > since ? now - since : 0;
}

void tailbox__request_cut(struct tailbox__thread *t, struct tailbox__conn *s)
{
	uint64_t now;

	if (!tailbox__conn_records(s)) {
		TAILBOX__SET(s->step, TAILBOX__STEP_NONE);
		return;
	}
	now = tailbox__now();
	book_rest(t, s, now, TAILBOX__GET(s->slot->status));
	if (s->suspended_at != 0)
		resumed(t, s, 0);
	tailbox__phase_name(t, s, TAILBOX__GET(s->slot->status));
	tailbox__reader_finish(s);
	tailbox__request_close(t, s->slot, now, TAILBOX__TERM_UNKNOWN, 0);
	tailbox__request_over(s, now);
}
