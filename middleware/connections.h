/* middleware/connections.h - the state of each connection, by descriptor.
 *
 * SPDX-License-Identifier: MIT
 *
 * A descriptor is one connection's from STARTED to CLOSED, and the server
 * closes it only after CLOSED; so a table by descriptor needs neither the
 * application's *req_cls nor its socket context. State is written by the
 * thread that owns the connection at that time. With a thread for each
 * connection STARTED and CLOSED run on the listening thread, before that
 * thread is made and after it is joined.
 */
#ifndef TAILBOX_MIDDLEWARE_CONNECTIONS_H
#define TAILBOX_MIDDLEWARE_CONNECTIONS_H 1

#include "core/recorder.h"
#include "middleware/daemon.h"
#include "middleware/tcp_info.h"

enum tailbox__step {
	TAILBOX__STEP_NONE,   /* no request, or one that is not recorded */
	TAILBOX__STEP_SEEN,   /* not recorded, handler not called yet */
	TAILBOX__STEP_LINE,   /* request line seen, handler not called yet */
	TAILBOX__STEP_HOLD,   /* GET: first call returned, its hold goes on */
	TAILBOX__STEP_BODY,   /* more of the body is expected */
	TAILBOX__STEP_AGAIN,  /* nothing queued, the handler is called again */
	TAILBOX__STEP_QUEUED  /* a response is queued */
};

enum { /* what completion has to look at */
	TAILBOX__ASIDE_SUSPENDED = 1u << 0, /* suspended_at is not 0 */
	TAILBOX__ASIDE_READER = 1u << 1     /* reader is not NULL */
};

struct tailbox__reader;

struct tailbox__conn {
	/* Line 0, every hook. At `connection`, NULL when free, threads which
	 * do not own the connection may look, and at `step`. */
	_Alignas(64) _Atomic(struct MHD_Connection *) connection;
	struct tailbox__slot *slot; /* NULL = none could be had. May be gone,
	                               but to a thread that is of `epoch` */
	uint64_t mark;       /* tick of the last edge: line, start or end of a
	                        hold, queued */
	uint64_t previous_end; /* tick; of the request before */
	struct tailbox__mhd *mhd;
	uint32_t epoch;      /* of the recorder that the slot belongs to; 0
	                        without a slot */
	uint32_t slot_index;
	tailbox__a8 step; /* looked at by other threads, for nothing */
	bool is_first;       /* the next call is (again) the first one */
	bool has_body;       /* upload data was seen */
	bool was_called;     /* the handler, for this recorded request */
	bool has_baseline;   /* bytes_out_before is exact now */
	bool is_tcp;
	bool is_upgraded;
	bool was_accepted_late; /* waited in the accept queue; not yet told */
	uint32_t requests;
	uint16_t spin;       /* final calls in a row that queued nothing */
	uint8_t aside;       /* TAILBOX__ASIDE_..., of a recorded request */
	uint8_t pending_len; /* a route that has no name yet; 0 = none */

	/* Line 1, seldom. Ticks; 0 = not. */
	uint64_t suspended_at; /* tailbox__conn_set_aside() */
	tailbox__a64 resumed_at; /* stored by the resuming thread */
	uint64_t body;           /* time of the body so far; by has_body */
	uint64_t opened;
	uint64_t bytes_out_before; /* handed to the kernel before now */
	int fd;
	uint32_t suspend_place;  /* in the table of suspend.c, plus 1 */
	struct tailbox__reader *reader; /* of the response queued, or NULL */
	char pending[TAILBOX_NAME_MAX];

	/* The target before, without its query, and its route: clients that
	 * keep a connection tend to ask for the same again. */
	_Alignas(64) uint16_t last_route;
	uint8_t last_len;
	uint8_t misses;
	uint32_t last_generation; /* of the patterns; 0 = none is kept */
	char last_target[56];
};

/* Make the table; descriptors up to the hard limit of this process, at most
 * TAILBOX__FD_MAX. Idempotent. 0 or -ENOMEM. */
#define TAILBOX__FD_MAX (1u << 20)
int tailbox__connections_init(void);
/* Tests: pretend that the table ends here; 0 = as it was made. */
void tailbox__connections_limit(uint32_t fds);

/* The connections that this thread looked at: the last one, never NULL, and
 * some before, by address of what MHD calls them; neither is ever NULL. */
#define TAILBOX__RECENT_BITS 6
struct tailbox__looked {
	struct tailbox__conn *last;
	struct tailbox__conn *recent[1 << TAILBOX__RECENT_BITS];
};
extern __thread struct tailbox__looked tailbox__looked
        __attribute__((tls_model("initial-exec"), visibility("hidden")));
static inline struct tailbox__conn **
tailbox__recent_of(const struct MHD_Connection *c)
{
	return &tailbox__looked.recent[(uintptr_t)c * 0x9e3779b97f4a7c15ull >>
	                               (64 - TAILBOX__RECENT_BITS)];
}
/* Where the one goes that had the place before. */
static inline struct tailbox__conn **
tailbox__recent_beside(struct tailbox__conn **place)
{
	const size_t i = (size_t)(place - tailbox__looked.recent);

	return &tailbox__looked.recent[i ^ 1];
}
/* Look it up; makes it the last one, or NULL. */
struct tailbox__conn *tailbox__conn_find(struct MHD_Connection *c);

/* Certain: `connection` is set from STARTED to CLOSED only, and c is alive, so
 * no two entries name it. */
static inline bool tailbox__conn_is(const struct tailbox__conn *s,
                                    const struct MHD_Connection *c)
{
	return atomic_load_explicit(&s->connection, memory_order_relaxed) == c;
}

/* The state of a connection, NULL when it has none; tailbox__looked.last is the
 * same then, unless it is NULL. On the thread that owns the connection. */
static inline struct tailbox__conn *
tailbox__conn_of(struct MHD_Connection *c)
{
	struct tailbox__conn *s = tailbox__looked.last;

	if (__builtin_expect(tailbox__conn_is(s, c), 1))
		return s;
	return tailbox__conn_find(c);
}

/* Whether a request is open on it that is recorded. */
static inline bool tailbox__conn_records(const struct tailbox__conn *s)
{
	return TAILBOX__GET(s->step) > TAILBOX__STEP_SEEN;
}

/* It was suspended at this tick; 0: it is not. */
static inline void tailbox__conn_set_aside(struct tailbox__conn *s,
                                           uint64_t at)
{
	s->suspended_at = at;
	s->aside &= (uint8_t)~TAILBOX__ASIDE_SUSPENDED;
	if (at != 0)
		s->aside |= TAILBOX__ASIDE_SUSPENDED;
}

/* A slot for the connection, with what is known of it. False: none. */
bool tailbox__conn_take_slot(struct tailbox__thread *t,
                             struct tailbox__conn *s);

/* The bytes of the request that just ended, into its slot. */
void tailbox__conn_bytes(struct tailbox__conn *s);

/* MHD_OPTION_NOTIFY_CONNECTION; cls: struct tailbox__mhd. */
void tailbox__hook_connection(void *cls, struct MHD_Connection *c,
                              void **socket_context,
                              enum MHD_ConnectionNotificationCode toe);

#endif
