/* analyzer/own.h - suspects of ours: from what tailbox alone records.
 *
 * SPDX-License-Identifier: MIT
 *
 * Phases of requests, who held a worker, and samples of workers, CPU and
 * connections. Scores are on the scale of the standard's stages (spec 5.D): of
 * the time of the slow requests, and of all, how much is this? So they can be
 * ranked among the standard ones. Where two suspects account for the same time
 * the one that lies deeper explains the other (own_join.c). doc/analysis.md
 * has formulas and thresholds.
 */
#ifndef TAILBOX_ANALYZER_OWN_H
#define TAILBOX_ANALYZER_OWN_H 1

#include "analyzer/analysis.h"

/* What a request was in its handler: marked waits first, then stages, the
 * rest is bare. Waits for a worker are none of it. */
struct tailbox__own_split {
	uint64_t wait_us, stage_us, bare_us;
	tailbox__str wait, stage; /* the longest of each; 0 = none */
	uint32_t holder;          /* index of the request that held its worker,
	                             UINT32_MAX = none that is in the run */
	uint32_t wait_count;      /* events */
	bool has_held;            /* a worker, while others waited */
	bool is_first;            /* of its connection in the run */
};

/* What a chain of holders is walked along by, in one cache line with others. */
struct tailbox__own_link {
	uint64_t handler_us; /* NONE = not known */
	uint32_t holder;     /* as in the split */
	tailbox__str route, holder_route;
	bool is_held; /* waited for somebody, known or not */
};

/* A request that held a worker, while others waited. */
struct tailbox__own_hold {
	uint64_t us; /* in its handler */
	tailbox__str route;
};

/* A worker in one sample. NONE = not known. */
struct tailbox__own_look {
	uint32_t worker;
	tailbox__str wchan; /* 0 = not known */
	uint64_t at_us;     /* run offset */
	uint64_t cpu_us, runq_us; /* since the look before */
	uint64_t held_us;
	uint64_t connections;
	uint64_t unserved; /* requests before it, while it slept */
	uint64_t ready_us; /* run queue time up to here, of all steps */
	uint8_t state;     /* letter, 0 = not known */
};
/* From one look at a worker to the next: what it used between them. */
struct tailbox__own_step {
	uint64_t from_us, to_us; /* run offsets */
	uint64_t cpu_us, runq_us;
};

/* Made once of a normalized run that has extension data. */
struct tailbox__own {
	const struct tailbox__run *run;
	tailbox__str ingress;             /* "mhd.ingress"; 0 = none */
	struct tailbox__own_split *split; /* by request */
	struct tailbox__own_link *links;  /* by request */
	struct tailbox__own_look *looks;  /* by worker, then by time */
	size_t look_count;
	struct tailbox__own_hold *holds; /* by route, then by length */
	size_t hold_count;
	/* Sums by name for one part at a time: all 0 between parts. */
	uint64_t *sums[3];
	tailbox__str *touched;
	size_t touched_count;
};

/* 0 or -ENOMEM; always safe to fini. */
int tailbox__own_make(const struct tailbox__run *run,
                      const struct tailbox__index *index,
                      struct tailbox__scratch *scratch,
                      struct tailbox__own *out);
void tailbox__own_fini(struct tailbox__own *own);
/* The waits of request i but for that for a worker, into the scratch's
 * events. 0 or -ENOMEM. */
int tailbox__own_waits(const struct tailbox__own *own,
                       const struct tailbox__children *of,
                       struct tailbox__scratch *scratch, size_t i, size_t *n);
/* own_looks.c */
int tailbox__own_looks_make(struct tailbox__own *own);
/* The step that ends with look i; false: there is none that can be told. */
bool tailbox__own_step(const struct tailbox__own *own, size_t i,
                       struct tailbox__own_step *out);
/* First and last value of a total, in the order of time, and the time from the
 * one to the other. false: there are no two, or it went down. */
struct tailbox__own_total {
	uint64_t grown, span_us;
};
bool tailbox__own_total(const struct tailbox__run *run, unsigned metric,
                        struct tailbox__own_total *out);
/* Extension data of a request; NULL = none. */
static inline const struct tailbox__run_ext *
tailbox__own_ext(const struct tailbox__run *run,
                 const struct tailbox__run_request *r)
{
	return r->ext && r->ext <= run->ext.count ? &run->ext.items[r->ext - 1]
	                                          : NULL;
}

/* --- of one part ---------------------------------------------------------- */

enum tailbox__own_time {
	TAILBOX__OWN_INGRESS, /* waited for a worker that something held */
	TAILBOX__OWN_ACCEPT,  /* waited to be accepted */
	TAILBOX__OWN_BODY,
	TAILBOX__OWN_SEND,   /* of answers that no socket buffer takes whole */
	TAILBOX__OWN_RESUME,
	TAILBOX__OWN_BARE,      /* in the handler, nothing marked */
	TAILBOX__OWN_BARE_HELD, /* the same, of requests that held others up */
	/* INGRESS by what the holder was in */
	TAILBOX__OWN_BEHIND_BARE,
	TAILBOX__OWN_BEHIND_WAIT,
	TAILBOX__OWN_BEHIND_STAGE,
	TAILBOX__OWN_WAITS, /* marked, own */
	TAILBOX__OWN_STAGES,
	TAILBOX__OWN_TIMES
};
struct tailbox__own_sum {
	uint64_t tail_us, all_us;
	size_t count; /* requests that have any */
};
enum { /* sums by name: which */
	TAILBOX__OWN_BY_HOLDER, /* route that held the worker: INGRESS */
	TAILBOX__OWN_BY_WAIT,   /* wait that the holder was in */
	TAILBOX__OWN_BY_STAGE,
	TAILBOX__OWN_BY
};
struct tailbox__own_part {
	struct tailbox__own_sum of[TAILBOX__OWN_TIMES];
	tailbox__str top[TAILBOX__OWN_BY]; /* of the tail; 0 = none */
	size_t with_ext, tail_count; /* requests */
	/* Of the tail: waits for a held worker, and all that held it then. */
	uint64_t waits, holders;
	size_t phases_known[TAILBOX__PHASE_COUNT]; /* requests */
};
/* Allocates nothing: sums lie in own. */
void tailbox__own_part_make(struct tailbox__case *c,
                            struct tailbox__own_part *out);
/* The route with most bare time in the tail; 0 = none. */
tailbox__str tailbox__own_bare_route(struct tailbox__case *c);
/* The wait with most time in marked ones, in the tail; 0 = none. */
tailbox__str tailbox__own_wait(struct tailbox__case *c);
/* How many requests of the part waited for a worker that the route held. */
size_t tailbox__own_behind(const struct tailbox__part *p, tailbox__str route);
/* Share of the slow requests' time, of all time: thousandths. */
uint64_t tailbox__own_tail(const struct tailbox__case *c, uint64_t us);
uint64_t tailbox__own_all(const struct tailbox__case *c, uint64_t us);
/* 24 + T/11 + C/35 + credit for n, cap 95 (spec 5.D). */
unsigned tailbox__own_score(uint64_t tail_permille, uint64_t all_permille,
                            size_t n);

enum { /* thousandths of the slow requests' time from which on it is told */
	TAILBOX__OWN_LEAST_TAIL = 200,
	TAILBOX__OWN_LEAST_BEHIND = 100, /* waiting for a held worker */
	TAILBOX__OWN_MOST = 500 /* so much of a time explains it */
};

/* --- telling -------------------------------------------------------------- */

/* A suspect of ours with its title. NULL: out of memory. */
struct tailbox__suspect *tailbox__own_add(struct tailbox__case *c,
                                          enum tailbox__suspect_kind kind,
                                          unsigned score, const char *title,
                                          ...)
        __attribute__((format(printf, 4, 5)));
/* Its title, once. 0 or -ENOMEM. */
int tailbox__own_title(struct tailbox__suspect *s, const char *title, ...)
        __attribute__((format(printf, 2, 3)));
int tailbox__own_figure(struct tailbox__suspect *s, const char *key,
                        uint64_t value);
int tailbox__own_name(struct tailbox__suspect *s, const char *key,
                      tailbox__str name);
enum { TAILBOX__OWN_NAME_SIZE = 64 };
/* A name that is safe to show, cut to what the buffer takes. */
const char *tailbox__own_label(const struct tailbox__run *run, tailbox__str s,
                               char buf[TAILBOX__OWN_NAME_SIZE]);
/* What is so of the kind in the whole run; of a part nothing is kept. Text
 * NULL for LIKELY. The first one said of a kind stays. */
int tailbox__own_rule(struct tailbox__case *c, enum tailbox__suspect_kind kind,
                      enum tailbox__ruling ruling, const char *text, ...)
        __attribute__((format(printf, 4, 5)));

/* own_stacks.c: where the route was while it held a worker, as evidence, when
 * stacks were taken of it. 0 or -ENOMEM. */
int tailbox__own_tell_stacks(const struct tailbox__run *run,
                             tailbox__str route, struct tailbox__suspect *s);

/* --- the suspects --------------------------------------------------------- */

/* What the deeper ones need of the others. */
struct tailbox__own_case {
	struct tailbox__own_part part;
	bool is_starved; /* of CPU, so much that everything takes longer */
	uint64_t ready;  /* permille of the time that workers wanted a CPU */
	/* Permille that was waited for a sleeping event loop, of the slow
	 * requests' time and that; 0 = it is none. */
	uint64_t asleep;
};
int tailbox__own_requests(struct tailbox__case *c, struct tailbox__own_case *o);
int tailbox__own_held(struct tailbox__case *c, struct tailbox__own_case *o);
int tailbox__own_cpu(struct tailbox__case *c, struct tailbox__own_case *o);
int tailbox__own_connections(struct tailbox__case *c,
                             struct tailbox__own_case *o);
int tailbox__own_loop(struct tailbox__case *c, struct tailbox__own_case *o);
int tailbox__own_join(struct tailbox__case *c,
                      const struct tailbox__own_case *o);
/* All of them, after the standard ones. 0 or -ENOMEM. */
int tailbox__own_suspects(struct tailbox__case *c);
/* Rulings on the standard kinds and on what was not looked at. */
int tailbox__own_findings(struct tailbox__case *c);

#endif
