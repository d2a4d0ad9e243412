/* core/assemble_plan.h - the assembly seen from inside its own files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_ASSEMBLE_PLAN_H
#define TAILBOX_CORE_ASSEMBLE_PLAN_H 1

#include "core/assemble.h"

/* One record of 64 bytes, aligned. */
struct tailbox__unit {
	uint64_t word[8];
};

/* A finished or open request; all times are ticks. */
struct tailbox__entry {
	uint64_t line, number;
	uint64_t start; /* line minus the ingress wait */
	uint64_t end;   /* UINT64_MAX while open */
	uint32_t at;    /* index of its record in units, or in open */
	tailbox__str id; /* set when the request is put into the run */
	uint32_t refused; /* gauge moves up that were refused: number of the
	                     last one in plan.refused; 0 = none */
	bool is_open, is_admitted;
	bool is_holder; /* open, and its worker is in a callback of it */
};

/* What is sorted: 16 bytes. */
struct tailbox__key {
	uint64_t tick;
	uint32_t index; /* of the raw record */
	uint32_t entry; /* of its request */
};

typedef TAILBOX__LIST(struct tailbox__key) tailbox__key_list;

/* Stable, by tick; tmp: room for n. Linear. */
void tailbox__sort_keys(struct tailbox__key *keys, struct tailbox__key *tmp,
                        size_t n);

struct tailbox__assembly {
	struct tailbox__reader *reader;
	struct tailbox__assembly_config config; /* texts: in facts */
	/* Carries extras and copied texts until there is a run to put them
	 * in. */
	struct tailbox__run *facts;
	tailbox__str run_id, note, end_detail;
	TAILBOX__LIST(struct tailbox__unit) units;
	TAILBOX__LIST(struct tailbox__entry) entries;
	TAILBOX__LIST(struct tailbox__rec_span) spans, moves, holds;
	size_t stages; /* of spans */
	tailbox__key_list samples, stacks; /* index: in units */
	TAILBOX__LIST(struct tailbox__slot) open;
	/* Left out by the caller because they were over the limits. */
	uint64_t dropped_requests, dropped_stages, dropped_queues;
	uint64_t dropped_moves, dropped_holds, dropped_stacks;
	struct tailbox__past past; /* to_tick 0: begins when it was armed */
	uint64_t older; /* finished requests fed that began before from_tick */
	/* And open ones; sorted. */
	TAILBOX__LIST(struct tailbox__older {
		uint64_t number;
		bool is_done; /* has a record */
	}) older_open;
	bool is_consumed; /* finish() went past the point of no return */
};

/* Index of queue keys that stand for an ingress wait. */
#define TAILBOX__INGRESS_KEY UINT32_MAX

/* What the rules make of the records. */
struct tailbox__plan {
	struct tailbox__assembly *a;
	struct tailbox__run *run;
	struct tailbox__clock_scale scale;
	uint64_t until;    /* of admission: the seal may be before the config's */
	uint64_t overflow; /* tick of the first; UINT64_MAX = none */
	bool is_sealed;
	uint64_t zero, last; /* first and last tick of the evidence */
	uint64_t late_spans;
	struct tailbox__run_truncation truncation;
	tailbox__key_list admitted; /* by line; index is unused */
	tailbox__key_list stages, queues; /* by end */
	tailbox__key_list samples;
	tailbox__key_list holds; /* by start */
	uint64_t dropped_holds;
	tailbox__key_list stacks; /* by when they were taken */
	uint64_t dropped_stacks;
	tailbox__key_list tmp;
	/* number -> entry plus 1 */
	uint32_t *table;
	unsigned table_bits;
	/* What each name is in the run; 0 = not yet known. */
	tailbox__str *names;
	tailbox__str other; /* "{other}" */
	/* Gauge moves up that were refused, chained by request. */
	TAILBOX__LIST(struct tailbox__refused {
		tailbox__str gauge;
		uint32_t next;
	}) refused;
};

#define TAILBOX__NAMES 65536u /* what a name number can be */

/* Exactly as much room as is needed: growing step by step would hold two
 * copies and half as much again. */
#define TAILBOX__RESERVE(list, n)                                              \
	((list)->items = tailbox__alloc((n), sizeof(*(list)->items)),          \
	 (list)->room = (list)->items ? (n) : 0, (list)->items ? 0 : -ENOMEM)

#define TAILBOX__FORGET(list)                                                  \
	(tailbox__free((list)->items), (list)->items = NULL,                   \
	 (list)->count = (list)->room = 0)

/* Run offset of a tick. Monotone, so that what lies inside an interval in
 * ticks lies inside it in microseconds. */
static inline uint64_t tailbox__plan_us(const struct tailbox__plan *p,
                                        uint64_t tick)
{
	return tick <= p->zero
	               ? 0
	               : tailbox__ticks_to_ns(p->scale, tick - p->zero) / 1000;
}
/* Wall clock of a run offset: always from the anchor of the run, or a wall
 * clock that is set back would invert intervals (spec 7.1). */
static inline uint64_t tailbox__plan_ms(const struct tailbox__plan *p,
                                        uint64_t us)
{
	return p->run->meta.started_ms + us / 1000;
}
static inline uint64_t tailbox__plan_duration_us(const struct tailbox__plan *p,
                                                 uint64_t from, uint64_t to)
{
	return tailbox__ticks_to_ns(p->scale, to - from) / 1000;
}

/* --- assemble_rules.c: who is in, what is dropped ----------------------- */

/* Fill the plan from the records: admission, children, gauges, samples, the
 * seal. p->run gets its gauges. 0 or -ENOMEM. */
int tailbox__plan_make(struct tailbox__plan *p);
void tailbox__plan_fini(struct tailbox__plan *p);
/* The request of that number, admitted or not; NULL = not of the window. */
struct tailbox__entry *tailbox__plan_find(const struct tailbox__plan *p,
                                          uint64_t number);
/* Room for `count` keys; what they held is lost. 0 or -ENOMEM. */
int tailbox__plan_reserve(tailbox__key_list *keys, size_t count);

/* --- assemble_gauges.c ------------------------------------------------- */

/* Play the moves; snapshots go to run->inflight with their tick in at_us.
 * Gives what was dropped and lowers p->overflow. 0 or -ENOMEM. */
int tailbox__plan_gauges(struct tailbox__plan *p);

/* --- assemble_past.c --------------------------------------------------- */

/* A record, or a slot, of a request that began before from_tick; after the
 * slots, sort. 0 or -ENOMEM. */
void tailbox__older_done(struct tailbox__assembly *a, uint64_t number);
int tailbox__older_add_open(struct tailbox__assembly *a, uint64_t number);
void tailbox__older_sort(struct tailbox__assembly *a);
int tailbox__plan_put_past(struct tailbox__plan *p);
/* --- assemble_holds.c -------------------------------------------------- */

/* Those of the plan's time, the first TAILBOX__HOLDS_MAX by their start; they
 * are no section that a seal looks at. 0 or -ENOMEM. */
int tailbox__plan_holds(struct tailbox__plan *p);
/* A tape may say anything: what would wrap is cut. */
static inline uint64_t tailbox__plan_hold_end(const struct tailbox__rec_span *h)
{
	const uint64_t dur = tailbox__unpack(h->dur);

	return dur < UINT64_MAX - 1 - h->start ? h->start + dur
	                                       : UINT64_MAX - 1;
}
/* Into the run, after its requests. */
int tailbox__plan_put_holds(struct tailbox__plan *p);
/* The route as the request's record or slot has it. */
uint16_t tailbox__plan_route_of(const struct tailbox__plan *p,
                                const struct tailbox__entry *e);

/* --- assemble_stacks.c ------------------------------------------------- */

/* As the two of holds; the first TAILBOX__STACKS_MAX. */
int tailbox__plan_stacks(struct tailbox__plan *p);
int tailbox__plan_put_stacks(struct tailbox__plan *p);

/* --- assemble_requests.c, _spans.c, _samples.c: the run's arrays -------- */

/* The run's string of a name of the tape; 0 for none and without memory.
 * required: none and blank become "{other}", so 0 means out of memory. */
tailbox__str tailbox__plan_name(struct tailbox__plan *p, uint16_t name);
tailbox__str tailbox__plan_required_name(struct tailbox__plan *p,
                                         uint16_t name);
/* Any bytes as a string of the run: what is not UTF-8 becomes '?'. 0 when out
 * of memory. */
tailbox__str tailbox__plan_text(struct tailbox__run *run, const char *text,
                                size_t len);
/* An id of the application as it is; a blank one is none, and ROUTE-MS-NUMBER
 * is made instead. */
tailbox__str tailbox__plan_id(struct tailbox__plan *p, tailbox__str route,
                              const struct tailbox__entry *e, const char *text,
                              size_t len);
int tailbox__plan_put_requests(struct tailbox__plan *p);
int tailbox__plan_put_spans(struct tailbox__plan *p);
int tailbox__plan_put_open(struct tailbox__plan *p);
int tailbox__plan_put_gauges(struct tailbox__plan *p);
int tailbox__plan_put_samples(struct tailbox__plan *p);

/* --- assemble_meta.c --------------------------------------------------- */

/* started_ms and finalized_ms: first of all, the others need them. */
void tailbox__plan_put_times(struct tailbox__plan *p);
int tailbox__plan_put_meta(struct tailbox__plan *p);
/* After the arrays: normalize, and say what that changed (spec 7.8). */
int tailbox__plan_normalize(struct tailbox__plan *p);

#endif
