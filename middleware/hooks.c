/* middleware/hooks.c - a request's line and its completion.
 *
 * SPDX-License-Identifier: MIT
 *
 * Three hooks see a request: its line and its completion here, each call of
 * the handler in handler.c. What they add to it is the price of tailbox, so
 * the way of a plain GET is in one piece, and everything that is seldom is in
 * phases.c. It takes four clock reads: line, entry, exit, completion. Line and
 * entry are two because headers may come in pieces; what lies between is not
 * the handler's.
 *
 * When recording is off the hooks only keep what parity with a bare server
 * needs: our URI_LOG makes the server report completion of requests that the
 * application would never have heard of; STEP_SEEN tells which.
 *
 * Each hook passes its arguments on by a jump, to the function for the state
 * the connection is in: off, and the connection that was looked at last, cost
 * a few instructions each.
 *
 * No hook allocates, locks or enters the kernel, but for tailbox__conn_bytes
 * and the looks of ingress.c, which are rationed.
 */
#include "middleware/hooks.h"

#include <string.h>

#include "core/patterns.h"
#include "core/run.h"
#include "middleware/hint.h"
#include "middleware/ingress.h"
#include "middleware/route.h"

/* --- request line ------------------------------------------------------ */

static void *user_uri_log(struct tailbox__mhd *m, const char *uri,
                          struct MHD_Connection *c)
{
	return m->uri_log ? m->uri_log(m->uri_log_cls, uri, c) : NULL;
}

static void keep_pending(struct tailbox__conn *s,
                         const struct tailbox__route *r)
{
	uint64_t text[sizeof(s->slot->id_text) / 8] = { 0 };
	size_t n = r->len;

	s->pending_len = (uint8_t)r->len;
	memcpy(s->pending, r->label, r->len);
	/* Readers of a request that is stuck want to know which it is: while
	 * an MHD request has no route and no id, its id is the route to be. */
	if (n >= sizeof(text)) /* at a character, and with its NUL */
		for (n = sizeof(text) - 1; (r->label[n] & 0xc0) == 0x80; n--)
			;
	memcpy(text, r->label, n);
	for (size_t i = 0; i < sizeof(text) / 8; i++)
		TAILBOX__SET(s->slot->id_text[i], text[i]);
}

/* What a connection's first request settles. */
static void first_request(struct tailbox__thread *t, struct tailbox__conn *s)
{
	uint32_t number = TAILBOX__GET(s->mhd->number);

	/* Not known yet when the connection was made before
	 * MHD_start_daemon() returned. */
	TAILBOX__SET(s->slot->daemon, number);
	if (number != 0)
		TAILBOX__SET(t->entry->worker, number << 16 | 1);
}

/* The route of the target before when this is the same one, else 0. */
static inline uint16_t last_route(const struct tailbox__conn *s,
                                  const char *uri)
{
	size_t n = s->last_len;

	for (size_t i = 0; i < n; i++)
		if (uri[i] != s->last_target[i]) /* its end, too */
			return TAILBOX__NAME_NONE;
	/* Relaxed: a worker that learns of new patterns a moment later is as
	 * one whose request came a moment earlier. */
	return s->last_generation ==
	                       atomic_load_explicit(
	                               &tailbox__patterns.generation,
	                               memory_order_relaxed) &&
	                       (uri[n] == '\0' || uri[n] == '?')
	               ? s->last_route
	               : TAILBOX__NAME_NONE;
}

/* Keep it for the next request. A client that never repeats itself pays for
 * four copies in sixteen only. */
static void keep_target(struct tailbox__conn *s, const char *uri,
                        uint16_t name, uint32_t generation)
{
	size_t n = 0;

	if (s->misses++ & 12)
		return;
	while (uri[n] != '\0' && uri[n] != '?' && n < sizeof(s->last_target)) {
		s->last_target[n] = uri[n];
		n++;
	}
	s->last_route = name;
	s->last_len = (uint8_t)n;
	s->last_generation = uri[n] == '\0' || uri[n] == '?' ? generation : 0;
}

static NOINLINE uint16_t find_route(struct tailbox__conn *s, const char *uri,
                                    struct tailbox__route *r)
{
	const uint32_t generation = tailbox__patterns_generation();
	uint16_t name;

	if (!tailbox__route_match(r, uri))
		tailbox__route_make(r, uri);
	name = tailbox__name_find(r->hash, r->label, r->len);
	if (name != TAILBOX__NAME_NONE)
		keep_target(s, uri, name, generation);
	return name;
}

/* In place both times: as a call it would save what the other saves too. */
static inline __attribute__((always_inline)) void
open_line(struct tailbox__conn *s, uint16_t name)
{
	s->mark = tailbox__request_open(tailbox__self, s->slot, name,
	                                TAILBOX__NAME_HTTP, 0,
	                                TAILBOX__PHASE_HEADERS);
	TAILBOX__SET(s->step, TAILBOX__STEP_LINE);
	s->is_first = true;
	s->has_body = false;
	s->was_called = false;
	s->spin = 0;
	s->aside = 0;
	s->pending_len = 0;
	TAILBOX__SET(s->slot->requests, ++s->requests);
}

/* The connection has a slot that is ours to write, and no request. */
static inline bool is_ready(const struct tailbox__conn *s)
{
	return tailbox__thread_is_of(s->epoch) &&
	       TAILBOX__GET(s->step) == TAILBOX__STEP_NONE;
}

static NOINLINE bool make_ready(struct tailbox__conn *s)
{
	struct tailbox__thread *t = tailbox__thread_get();

	if (t == NULL) {
		tailbox__lost_to_table();
		return false;
	}
	if (s->slot == NULL || s->epoch != t->epoch)
		return tailbox__conn_take_slot(t, s);
	tailbox__request_cut(t, s);
	return true;
}

/* With an application's URI_LOG. */
static NOINLINE void *user_uri_log_timed(struct tailbox__thread *t,
                                         struct tailbox__conn *s,
                                         const char *uri,
                                         struct MHD_Connection *c)
{
	uint64_t since = s->mark;
	void *result;

	tailbox__hold_begin(t, s, TAILBOX__HOLD_URI_LOG, since);
	result = s->mhd->uri_log(s->mhd->uri_log_cls, uri, c);
	if (tailbox__thread_stayed(s->epoch))
		tailbox__hold_end(t, s, since, tailbox__now());
	return result;
}

/* What is seldom of an opened line. */
static NOINLINE void *line_rest(struct tailbox__mhd *m, const char *uri,
                                struct MHD_Connection *c)
{
	struct tailbox__conn *s = tailbox__looked.last;
	struct tailbox__thread *t = tailbox__self;

	if (s->requests == 1)
		first_request(t, s);
	if (tailbox__ingress_is_due(t, s))
		tailbox__ingress_look(t, s);
	return m->uri_log ? user_uri_log_timed(t, s, uri, c) : NULL;
}

static NOINLINE void *new_target(struct tailbox__mhd *m, const char *uri,
                                 struct MHD_Connection *c)
{
	struct tailbox__conn *s = tailbox__looked.last;
	struct tailbox__route r;
	uint16_t name = find_route(s, uri, &r);

	open_line(s, name);
	if (name == TAILBOX__NAME_NONE)
		keep_pending(s, &r);
	tailbox__ingress_run(tailbox__self, s);
	return line_rest(m, uri, c);
}

static NOINLINE void *unready_uri_log(struct tailbox__mhd *m, const char *uri,
                                      struct MHD_Connection *c)
{
	struct tailbox__conn *s = tailbox__looked.last;

	if (make_ready(s))
		return new_target(m, uri, c);
	TAILBOX__SET(s->step, TAILBOX__STEP_SEEN);
	s->has_baseline = false;
	return user_uri_log(m, uri, c);
}

/* Everything that is seldom is passed on by a jump: no register is saved. */
static NOINLINE void *recorded_uri_log(struct tailbox__mhd *m, const char *uri,
                                       struct MHD_Connection *c)
{
	struct tailbox__conn *s = tailbox__looked.last;
	uint16_t name;

	if (UNLIKELY(!is_ready(s)))
		return unready_uri_log(m, uri, c);
	name = last_route(s, uri);
	if (UNLIKELY(name == TAILBOX__NAME_NONE))
		return new_target(m, uri, c);
	open_line(s, name);
	tailbox__ingress_run(tailbox__self, s);
	if (UNLIKELY(tailbox__ingress_is_due(tailbox__self, s)) ||
	    UNLIKELY(m->uri_log != NULL))
		return line_rest(m, uri, c);
	return NULL;
}

static inline void *found_uri_log(struct tailbox__mhd *m, const char *uri,
                                  struct MHD_Connection *c,
                                  struct tailbox__conn *s)
{
	tailbox__looked.last = s;
	if (LIKELY(tailbox__recorder_is_on()))
		return recorded_uri_log(m, uri, c);
	/* Unrecorded, and its bytes are nobody's. */
	TAILBOX__SET(s->step, TAILBOX__STEP_SEEN);
	s->has_baseline = false;
	return user_uri_log(m, uri, c);
}

static NOINLINE void *uncached_uri_log(struct tailbox__mhd *m, const char *uri,
                                       struct MHD_Connection *c)
{
	struct tailbox__conn *s =
	        *tailbox__recent_beside(tailbox__recent_of(c));

	if (!tailbox__conn_is(s, c))
		s = tailbox__conn_find(c);
	return s != NULL ? found_uri_log(m, uri, c, s)
	                 : user_uri_log(m, uri, c);
}

void *tailbox__hook_uri_log(void *cls, const char *uri,
                            struct MHD_Connection *c)
{
	struct tailbox__conn *s = *tailbox__recent_of(c);

	if (UNLIKELY(!tailbox__conn_is(s, c)))
		return uncached_uri_log(cls, uri, c);
	return found_uri_log(cls, uri, c, s);
}

/* --- completion -------------------------------------------------------- */

/* Would a bare server have reported this completion? It does so for requests
 * whose handler was called, and with a URI_LOG of the application's for all
 * whose line was seen. Where the connection has no state, the best that can
 * be told is whether anybody put something into *req_cls. */
static bool is_reported(const struct tailbox__mhd *m,
                        const struct tailbox__conn *s, void **req_cls,
                        enum MHD_RequestTerminationCode toe)
{
	if (m->completed == NULL)
		return false;
	if (m->uri_log != NULL)
		return true;
	if (s != NULL)
		return tailbox__conn_records(s)
		               ? s->was_called
		               : TAILBOX__GET(s->step) != TAILBOX__STEP_SEEN;
	return *req_cls != NULL || toe == MHD_REQUEST_TERMINATED_COMPLETED_OK;
}

static void user_completed(struct tailbox__thread *t, struct tailbox__conn *s,
                           struct MHD_Connection *c, void **req_cls,
                           enum MHD_RequestTerminationCode toe, uint64_t now)
{
	struct tailbox__mhd *m = s->mhd;

	tailbox__hold_begin(t, s, TAILBOX__HOLD_COMPLETED, now);
	m->completed(m->completed_cls, c, req_cls, toe);
	if (tailbox__thread_stayed(s->epoch))
		tailbox__hold_end(t, s, now, tailbox__now());
}

static unsigned termination_of(enum MHD_RequestTerminationCode toe)
{
	_Static_assert((int)TAILBOX__TERM_CLIENT_ABORT ==
	                       MHD_REQUEST_TERMINATED_CLIENT_ABORT + 1,
	               "terminations are those of MHD plus 1");
	return (unsigned)toe + 1 < TAILBOX__TERM_COUNT ? (unsigned)toe + 1
	                                               : TAILBOX__TERM_UNKNOWN;
}

static NOINLINE void plain_completed(struct tailbox__mhd *m,
                                     struct MHD_Connection *c, void **req_cls,
                                     enum MHD_RequestTerminationCode toe)
{
	if (is_reported(m, tailbox__conn_of(c), req_cls, toe))
		m->completed(m->completed_cls, c, req_cls, toe);
}

/* Any but a plain GET that was answered at once. */
static NOINLINE void other_completed(struct tailbox__mhd *m,
                                     struct MHD_Connection *c, void **req_cls,
                                     enum MHD_RequestTerminationCode toe)
{
	struct tailbox__conn *s = tailbox__looked.last;
	struct tailbox__thread *t = tailbox__thread_get();
	struct tailbox__slot *slot = s->slot;
	uint64_t now, send;

	if (t == NULL || t->epoch != s->epoch) {
		if (t == NULL)
			tailbox__lost_to_table();
		tailbox__request_over(s, s->previous_end);
		if (!s->was_called)
			TAILBOX__SET(s->step, TAILBOX__STEP_SEEN);
		plain_completed(m, c, req_cls, toe);
		return;
	}
	now = tailbox__now();
	send = now - s->mark;
	tailbox__reader_finish(s);
	if (TAILBOX__GET(s->step) != TAILBOX__STEP_QUEUED || s->aside != 0)
		send = tailbox__phase_finish(t, s, c, now);
	else
		TAILBOX__KNOW(slot, TAILBOX__KNOWN_SEND);
	if (now - TAILBOX__GET(slot->line) >= m->long_request ||
	    s->requests == 1)
		tailbox__conn_bytes(s);
	else
		s->has_baseline = false;
	TAILBOX__SET(t->entry->last_seen, now);
	/* The application may still speak of the request; its end is past. */
	if (m->completed != NULL && is_reported(m, s, req_cls, toe))
		user_completed(t, s, c, req_cls, toe, now);
	s->previous_end = now;
	TAILBOX__SET(s->step, TAILBOX__STEP_NONE);
	if (tailbox__thread_stayed(s->epoch))
		tailbox__request_close(t, slot, now, termination_of(toe), send);
}

/* The same for that one. How long it took is known only after the clock was
 * read; a long one pays for a second reading. */
static NOINLINE void recorded_completed(struct tailbox__mhd *m,
                                        struct MHD_Connection *c,
                                        void **req_cls,
                                        enum MHD_RequestTerminationCode toe)
{
	struct tailbox__conn *s = tailbox__looked.last;
	struct tailbox__slot *slot = s->slot;
	struct tailbox__thread *t = tailbox__self;
	uint32_t known;
	uint64_t now;

	if (UNLIKELY(TAILBOX__GET(s->step) != TAILBOX__STEP_QUEUED) || UNLIKELY(s->aside != 0) ||
	    UNLIKELY(s->requests == 1) || m->completed != NULL ||
	    UNLIKELY(!tailbox__thread_is_of(s->epoch))) {
		other_completed(m, c, req_cls, toe);
		return;
	}
	now = tailbox__now();
	if (UNLIKELY(now - TAILBOX__GET(slot->line) >= m->long_request)) {
		other_completed(m, c, req_cls, toe);
		return;
	}
	known = TAILBOX__GET(slot->known) | TAILBOX__KNOWN_SEND;
	TAILBOX__SET(slot->known, known);
	TAILBOX__SET(t->entry->last_seen, now);
	s->has_baseline = false;
	s->previous_end = now;
	TAILBOX__SET(s->step, TAILBOX__STEP_NONE);
	tailbox__request_close_usual(t, slot, now, termination_of(toe),
	                             now - s->mark, known);
}

static NOINLINE void uncached_completed(struct tailbox__mhd *m,
                                        struct MHD_Connection *c,
                                        void **req_cls,
                                        enum MHD_RequestTerminationCode toe)
{
	if (tailbox__conn_find(c) != NULL)
		tailbox__hook_completed(m, c, req_cls, toe);
	else if (m->completed != NULL)
		plain_completed(m, c, req_cls, toe);
}

void tailbox__hook_completed(void *cls, struct MHD_Connection *c,
                             void **req_cls,
                             enum MHD_RequestTerminationCode toe)
{
	struct tailbox__mhd *m = cls;
	struct tailbox__conn *s = tailbox__looked.last;

	if (UNLIKELY(!tailbox__conn_is(s, c)))
		uncached_completed(m, c, req_cls, toe);
	else if (LIKELY(tailbox__conn_records(s)))
		recorded_completed(m, c, req_cls, toe);
	else if (m->completed != NULL)
		plain_completed(m, c, req_cls, toe);
}
