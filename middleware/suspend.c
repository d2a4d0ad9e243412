/* middleware/suspend.c - suspended connections, and the request of one.
 *
 * SPDX-License-Identifier: MIT
 *
 * A connection is suspended on its own thread and resumed on any. The resumer
 * must not ask the server for the descriptor: libmicrohttpd 1.0 answers into
 * one union per connection, which the owner may be reading. So who is
 * suspended stands in a small table by the connection's address, taken and
 * left by compare-and-swap. No room: the resume is simply not seen, and the
 * suspension ends where the handler runs again.
 */
#include <tailbox/mhd.h>

#include "core/run.h"
#include "middleware/hooks.h"

#define PLACES 1024u
#define PROBES 16u

typedef _Atomic(struct tailbox__conn *) place;

static place places[PLACES];

static uint32_t place_of(const struct MHD_Connection *c, uint32_t probe)
{
	uint64_t h = (uint64_t)(uintptr_t)c * 0x9e3779b97f4a7c15ull;

	return ((uint32_t)(h >> 48) + probe) % PLACES;
}

static void enter(struct tailbox__conn *s, const struct MHD_Connection *c)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		struct tailbox__conn *none = NULL;
		uint32_t at = place_of(c, i);
		/* Release: the resumer reads the slot through it. */
		if (atomic_compare_exchange_strong_explicit(
		            &places[at], &none, s, memory_order_release,
		            memory_order_relaxed)) {
			s->suspend_place = at + 1;
			return;
		}
	}
}

struct tailbox__conn *tailbox__suspend_find(const struct MHD_Connection *c)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		/* Pairs with the release of enter(). */
		struct tailbox__conn *s = atomic_load_explicit(
		        &places[place_of(c, i)], memory_order_acquire);
		if (s != NULL && tailbox__conn_is(s, c))
			return s;
	}
	return NULL;
}

/* Take it out of the table: NULL when it is not in it (any more). */
static struct tailbox__conn *take(const struct MHD_Connection *c)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		place *p = &places[place_of(c, i)];
		/* Pairs with the release of enter(). */
		struct tailbox__conn *s =
		        atomic_load_explicit(p, memory_order_acquire);
		if (s != NULL &&
		    atomic_load_explicit(&s->connection,
		                         memory_order_relaxed) == c &&
		    atomic_compare_exchange_strong_explicit(
		            p, &s, NULL, memory_order_acq_rel,
		            memory_order_relaxed))
			return s;
	}
	return NULL;
}

void tailbox__suspend_forget(struct tailbox__conn *s)
{
	struct tailbox__conn *self = s;

	if (s->suspend_place == 0)
		return;
	/* The resumer may have taken it, and another be in its place. */
	atomic_compare_exchange_strong_explicit(
	        &places[s->suspend_place - 1], &self, NULL,
	        memory_order_relaxed, memory_order_relaxed);
	s->suspend_place = 0;
}

static bool is_suspended(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(
	        c, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);

	return i != NULL && i->suspended == MHD_YES;
}

static void mark_suspended(struct tailbox__conn *s, struct MHD_Connection *c)
{
	TAILBOX__SET(s->resumed_at, 0);
	tailbox__conn_set_aside(s, tailbox__now());
	enter(s, c);
}

bool tailbox__suspended(struct tailbox__conn *s, struct MHD_Connection *c)
{
	if (s->suspended_at != 0)
		return true;
	/* By a plain MHD_suspend_connection()? */
	if (!is_suspended(c))
		return false;
	mark_suspended(s, c);
	return true;
}

/* --- public ------------------------------------------------------------ */

void tailbox_mhd_suspend_connection(struct MHD_Connection *c)
{
	struct tailbox__conn *s = tailbox__conn_of(c);

	if (s != NULL && tailbox__conn_records(s) && s->suspended_at == 0)
		mark_suspended(s, c);
	MHD_suspend_connection(c);
}

static void mark_resumed(struct tailbox__conn *s)
{
	struct tailbox__slot *slot = s->slot;
	struct tailbox__thread *t = tailbox__thread_get();
	uint64_t now = tailbox__now();

	TAILBOX__SET(s->resumed_at, now);
	if (t == NULL || t->epoch != s->epoch)
		return;
	if (TAILBOX__GET(slot->thread) != t->index)
		TAILBOX__ADD(t->entry->resumes, 1);
	if (TAILBOX__GET(slot->phase) == TAILBOX__PHASE_SUSPENDED) {
		TAILBOX__SET(slot->phase_since, now);
		TAILBOX__SET(slot->phase, TAILBOX__PHASE_RESUME);
	}
}

void tailbox_mhd_resume_connection(struct MHD_Connection *c)
{
	struct tailbox__conn *s = take(c);

	/* Before the call: after it the connection may be gone. */
	if (s != NULL)
		mark_resumed(s);
	MHD_resume_connection(c);
}

tailbox_request tailbox_request_of(struct MHD_Connection *c)
{
	struct tailbox__conn *s = tailbox__conn_of(c);

	if (s == NULL || !tailbox__conn_records(s) ||
	    s->epoch != TAILBOX__GET(tailbox__recorder.epoch))
		return NULL;
	return tailbox__handle_of(s->slot);
}

tailbox_request tailbox__request_here(void)
{
	struct MHD_Connection *c = atomic_load_explicit(
	        &tailbox__looked.last->connection, memory_order_relaxed);

	return c != NULL ? tailbox_request_of(c) : NULL;
}
