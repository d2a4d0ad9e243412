/* analyzer/apart.h - one request at a time: what each thing in it took.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each instant of a request belongs to the wait or stage that began last of
 * those it is in; what waits and stages cover is taken off the phase they lie
 * in, the handler first. So no time is counted twice, what things took is
 * their own time, and what is left of the latency is unexplained.
 * Threads: one thread per object.
 */
#ifndef TAILBOX_ANALYZER_APART_H
#define TAILBOX_ANALYZER_APART_H 1

#include "core/run.h"

struct tailbox__index; /* analyzer/analysis.h */
struct tailbox__apart_event;
struct tailbox__apart_edge;

/* The wait that tells of the phase TAILBOX__PHASE_INGRESS. */
#define TAILBOX__INGRESS_WAIT "mhd.ingress"

enum tailbox__piece_kind {
	TAILBOX__PIECE_PHASE, /* the middleware's */
	TAILBOX__PIECE_WAIT,
	TAILBOX__PIECE_STAGE,
	TAILBOX__PIECE_READER /* of the phase SEND: in the content reader */
};

struct tailbox__apart_piece {
	enum tailbox__piece_kind kind;
	unsigned phase;    /* PHASE: enum tailbox__phase */
	tailbox__str name; /* else */
	uint64_t us;       /* own time in the present request */
};

struct tailbox__apart {
	/* What was met so far: phases in their order, the reader, then waits
	 * and stages.
	 * The number of one never changes. */
	struct tailbox__apart_piece *pieces;
	size_t count, room;
	/* The present request: numbers of what took time in it, and what is
	 * left of its latency. */
	uint32_t *seen;
	size_t seen_count, seen_room;
	uint64_t left_us;
	/* Of all requests so far: events without an interval. Their durations
	 * were taken one after the other, so that parallel ones may have
	 * counted twice. */
	uint64_t approximate_events;

	/* The rest is of the inside. */
	const struct tailbox__run *run;
	const struct tailbox__index *index;
	uint32_t *piece_of[2]; /* by string; [0] stages, [1] waits */
	tailbox__str ingress;  /* the name of what is a phase already; 0 */
	struct tailbox__apart_event *events;
	struct tailbox__apart_edge *edges;
	uint32_t *open;
	size_t event_room;
};

/* Of a normalized run and its index, which both stay the caller's and must
 * outlive it. 0 or -ENOMEM; always safe to fini. */
int tailbox__apart_init(struct tailbox__apart *a,
                        const struct tailbox__run *run,
                        const struct tailbox__index *index);
void tailbox__apart_fini(struct tailbox__apart *a);

/* Take a request apart; it becomes the present one. 0 or -ENOMEM. */
int tailbox__apart_request(struct tailbox__apart *a, uint32_t request);

#endif
