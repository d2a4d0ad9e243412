/* middleware/reader.c - the content reader of a response: how long it takes.
 *
 * SPDX-License-Identifier: MIT
 *
 * The server calls a content reader on the worker, between sends and under the
 * response's lock, and says neither for which connection nor for which
 * request. That has to be known otherwise:
 *   - with a thread for each connection it is the thread's own;
 *   - else tailbox_mhd_queue_response() says who has the response queued. As
 *     long as that is one request, each call is for it.
 * Once two had it at the same time, or a call came on a thread that does not
 * serve the one, it can no longer be told: the time of the calls is that of no
 * request, and what had been added up for one is taken back. Not known is not
 * 0. The worker was held all the same; its holds have no request then.
 *
 * A response is an opaque pointer, so those that have a reader of ours stand in
 * a table by their address. An entry's key is only compared; its reader is
 * looked at by who holds the response itself, which keeps the entry there. No
 * room in it: the response is one of which nothing can be told.
 */
#include <tailbox/mhd.h>

#include "core/alloc.h"
#include "core/run.h"
#include "middleware/hooks.h"
#include "middleware/ingress.h"

#define PLACES 1024u
#define PROBES 16u

/* Of tailbox__reader.sender: more than one, or one and somebody else. */
static struct tailbox__conn several;

struct tailbox__reader {
	MHD_ContentReaderCallback read;
	MHD_ContentReaderFreeCallback end; /* NULL = none */
	void *cls;
	struct place *place; /* NULL = not in the table */
	/* Who has the response queued: NULL nobody, &several for good. */
	_Atomic(struct tailbox__conn *) sender;
	/* Index of the thread that serves it: others leave it alone. */
	tailbox__a32 thread;
	/* One of the response, one of each request that has it queued: the
	 * server may drop a response before it reports a completion. */
	tailbox__a32 refs;
};

/* --- responses --------------------------------------------------------- */

static struct place {
	_Atomic(const void *) response; /* or &places: being filled */
	struct tailbox__reader *reader;
} places[PLACES];
/* Taken places; where it is 0 nothing is looked up. */
static tailbox__a32 places_used;

static struct place *place_of(const struct MHD_Response *r, uint32_t probe)
{
	uint64_t h = (uint64_t)(uintptr_t)r * 0x9e3779b97f4a7c15ull;

	return &places[((uint32_t)(h >> 48) + probe) % PLACES];
}

static void enter(struct tailbox__reader *r, const struct MHD_Response *of)
{
	for (uint32_t i = 0; i < PROBES && of != NULL; i++) {
		struct place *p = place_of(of, i);
		const void *none = NULL;

		/* Acquire: pairs with leave() of the place's last one. */
		if (!atomic_compare_exchange_strong_explicit(
		            &p->response, &none, places, memory_order_acquire,
		            memory_order_relaxed))
			continue;
		p->reader = r;
		r->place = p;
		/* Pairs with reader_of(). */
		atomic_store_explicit(&p->response, of, memory_order_release);
		atomic_fetch_add_explicit(&places_used, 1,
		                          memory_order_relaxed);
		return;
	}
}

static void leave(struct tailbox__reader *r)
{
	if (r->place == NULL)
		return;
	atomic_store_explicit(&r->place->response, NULL, memory_order_release);
	atomic_fetch_sub_explicit(&places_used, 1, memory_order_relaxed);
}

static struct tailbox__reader *reader_of(const struct MHD_Response *of)
{
	/* Relaxed: whoever has the response had it from where it was made. */
	if (of == NULL || TAILBOX__GET(places_used) == 0)
		return NULL;
	for (uint32_t i = 0; i < PROBES; i++) {
		struct place *p = place_of(of, i);

		if (atomic_load_explicit(&p->response, memory_order_acquire) ==
		    of)
			return p->reader;
	}
	return NULL;
}

static void unref(struct tailbox__reader *r)
{
	/* Release what was done with it, acquire what others did. */
	if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
		tailbox__free(r);
}

/* --- who has it queued ------------------------------------------------- */

static void take(struct tailbox__reader *r, struct tailbox__conn *s)
{
	struct tailbox__conn *none = NULL;

	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	TAILBOX__SET(r->thread, TAILBOX__GET(s->slot->thread));
	/* Release, pairs with sender_of(): who sees it knows whose it is. */
	if (!atomic_compare_exchange_strong_explicit(
	            &r->sender, &none, s, memory_order_release,
	            memory_order_relaxed))
		atomic_store_explicit(&r->sender, &several,
		                      memory_order_relaxed);
	s->reader = r;
	s->aside |= TAILBOX__ASIDE_READER;
}

/* By a request that is not recorded, or not known: it is another one. */
static void take_unknown(struct tailbox__reader *r)
{
	if (TAILBOX__GET(r->sender) != NULL)
		TAILBOX__SET(r->sender, &several);
}

/* False: it was not the only one. */
static bool release(struct tailbox__conn *s)
{
	struct tailbox__reader *r = s->reader;
	struct tailbox__conn *self = s;
	const bool was_alone = atomic_compare_exchange_strong_explicit(
	        &r->sender, &self, NULL, memory_order_relaxed,
	        memory_order_relaxed);

	s->aside &= (uint8_t)~TAILBOX__ASIDE_READER;
	s->reader = NULL;
	unref(r);
	return was_alone;
}

void tailbox__reader_forget(struct tailbox__conn *s)
{
	if (s->reader != NULL)
		release(s);
}

void tailbox__reader_finish(struct tailbox__conn *s)
{
	struct tailbox__slot *slot = s->slot;

	if (s->reader != NULL && !release(s) && !s->mhd->is_per_connection)
		TAILBOX__SET(slot->known, TAILBOX__GET(slot->known) &
		                                  ~TAILBOX__KNOWN_READER);
}

/* The request that a call on this thread is for, NULL when that cannot be
 * told. */
static struct tailbox__conn *sender_of(struct tailbox__reader *r,
                                       const struct tailbox__thread *t)
{
	struct tailbox__conn *own = tailbox__looked.last;
	struct tailbox__conn *s =
	        atomic_load_explicit(&r->sender, memory_order_acquire);

	if (own->mhd != NULL && own->mhd->is_per_connection) {
		s = own;
	} else if (s != NULL && s != &several &&
	           TAILBOX__GET(r->thread) != t->index) {
		/* Queued past us as well, or served by changing threads. */
		TAILBOX__SET(r->sender, &several);
		return NULL;
	}
	if (s == NULL || s == &several || !tailbox__conn_records(s) ||
	    s->epoch != t->epoch ||
	    TAILBOX__GET(s->slot->thread) != t->index)
		return NULL;
	return s;
}

/* --- calls ------------------------------------------------------------- */

static ssize_t read_timed(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct tailbox__reader *r = cls;
	struct tailbox__thread *t = NULL;
	struct tailbox__conn *s;
	uint64_t since, now;
	uint32_t epoch;
	ssize_t n;

	if (tailbox__recorder_is_on())
		t = tailbox__thread_get();
	if (t == NULL)
		return r->read(r->cls, pos, buf, max);
	epoch = t->epoch;
	s = sender_of(r, t);
	since = tailbox__now();
	if (s != NULL)
		tailbox__hold_begin(t, s, TAILBOX__HOLD_READER, since);
	else
		tailbox__hold_begin_of(t, TAILBOX__NAME_NONE, UINT32_MAX,
		                       TAILBOX__HOLD_READER, since);
	n = r->read(r->cls, pos, buf, max);
	if (!tailbox__thread_stayed(epoch))
		return n;
	now = tailbox__now();
	tailbox__hold_end(t, s, since, now);
	if (s != NULL)
		TAILBOX__SUM(s->slot, reader, TAILBOX__KNOWN_READER,
		             now - since);
	return n;
}

/* The server lets go of the response. */
static void ended(void *cls)
{
	struct tailbox__reader *r = cls;

	leave(r);
	if (r->end != NULL)
		r->end(r->cls);
	unref(r);
}

/* --- public ------------------------------------------------------------ */

struct MHD_Response *tailbox_mhd_create_response_from_callback(
        uint64_t size, size_t block_size, MHD_ContentReaderCallback crc,
        void *crc_cls, MHD_ContentReaderFreeCallback crfc)
{
	struct tailbox__reader *r = NULL;
	struct MHD_Response *response;

	if (crc != NULL && tailbox__recorder.tape.header != NULL)
		r = tailbox__zalloc(1, sizeof(*r));
	if (r == NULL)
		return MHD_create_response_from_callback(size, block_size, crc,
		                                         crc_cls, crfc);
	r->read = crc;
	r->end = crfc;
	r->cls = crc_cls;
	TAILBOX__SET(r->refs, 1);
	response = MHD_create_response_from_callback(size, block_size,
	                                             read_timed, r, ended);
	if (response == NULL)
		tailbox__free(r);
	else
		enter(r, response);
	return response;
}

/* Whether this thread serves the request of a connection. */
static bool is_served_here(const struct tailbox__conn *s)
{
	const struct tailbox__thread *t = tailbox__thread_get();

	return tailbox__conn_records(s) && t != NULL && s->epoch == t->epoch &&
	       TAILBOX__GET(s->slot->thread) == t->index;
}

/* The state of a connection that a response is queued on: by its own thread, or
 * by another while it is suspended, when its own leaves it alone. No question to
 * the server; see suspend.c. */
static struct tailbox__conn *queued_on(struct MHD_Connection *c)
{
	struct tailbox__conn *s = tailbox__looked.last;
	const struct tailbox__thread *t;

	if (!tailbox__conn_is(s, c))
		s = *tailbox__recent_of(c);
	if (tailbox__conn_is(s, c) && is_served_here(s))
		return s;
	s = tailbox__suspend_find(c);
	if (s == NULL || !tailbox__conn_records(s))
		return NULL;
	/* One of the crew that the slot is of, so that it is there. */
	t = tailbox__thread_get();
	return t != NULL && s->epoch == t->epoch ? s : NULL;
}

enum MHD_Result tailbox_mhd_queue_response(struct MHD_Connection *c,
                                           unsigned int status,
                                           struct MHD_Response *response)
{
	struct tailbox__reader *r = c != NULL ? reader_of(response) : NULL;
	struct tailbox__conn *s = r != NULL ? queued_on(c) : NULL;
	enum MHD_Result result;

	/* Before the call: the server may read in it. */
	if (r != NULL && s == NULL)
		take_unknown(r);
	if (s != NULL && s->reader == NULL)
		take(r, s);
	else
		s = NULL;
	result = MHD_queue_response(c, status, response);
	if (result != MHD_YES && s != NULL)
		release(s);
	return result;
}
