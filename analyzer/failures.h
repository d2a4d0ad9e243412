/* analyzer/failures.h - what the bad requests have in common.
 *
 * SPDX-License-Identifier: MIT
 *
 * Failed, timed out, cancelled, rejected and, when asked for, slow requests,
 * each kind in groups by where its requests were blocked: the piece
 * (analyzer/apart.h) that took most of their time, each request for itself.
 * Of each group: what its members share more than others do, when they came,
 * and how the resource that they waited for was used then.
 *
 * Shared is what two members and at least 80% of all have, at least twice as
 * often as all other requests of the run, and so often that chance alone would
 * give it in less than 1 of 1000 random picks of as many requests from the run
 * (Fisher's exact test). What is not known of a member counts as not shared;
 * another request of which it is not known is left out.
 */
#ifndef TAILBOX_ANALYZER_FAILURES_H
#define TAILBOX_ANALYZER_FAILURES_H 1

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/anatomy.h"
#include "core/json.h"
#include "core/run.h"

#define TAILBOX__SHARED_PERMILLE 800u /* of the members, at least */
#define TAILBOX__SHARED_TIMES 2u      /* the share of all others, at least */
#define TAILBOX__SHARED_CHANCE 0.001  /* below it */
#define TAILBOX__FAILURES_HOLDERS 3u  /* that are named */

enum tailbox__failure { /* a request is in the first that fits */
	TAILBOX__FAILURE_ERROR, /* by outcome */
	TAILBOX__FAILURE_TIMEOUT,
	TAILBOX__FAILURE_CANCELLED,
	TAILBOX__FAILURE_REJECTED,
	TAILBOX__FAILURE_SLOW, /* any other outcome; as long as slow_us */
	TAILBOX__FAILURE_COUNT
};
/* "error", "timeout", "cancelled", "rejected", "slow" */
extern const char *const tailbox__failure_names[TAILBOX__FAILURE_COUNT];

enum tailbox__trait_kind {
	TAILBOX__TRAIT_ROUTE,
	TAILBOX__TRAIT_WORKER, /* known of requests that tailbox recorded */
	TAILBOX__TRAIT_HOLDER, /* route that held the worker; as above */
	TAILBOX__TRAIT_TAG,    /* as above */
	TAILBOX__TRAIT_WAIT,   /* was in such a wait; not the group's own */
	TAILBOX__TRAIT_FAILED_STAGE, /* such a stage ended without success */
	TAILBOX__TRAIT_COUNT
};
/* "route", "worker", "holder", "tag", "wait", "failed_stage" */
extern const char *const tailbox__trait_names[TAILBOX__TRAIT_COUNT];

struct tailbox__trait {
	uint32_t kind;    /* enum tailbox__trait_kind */
	tailbox__str key; /* TAG; else 0 */
	uint32_t value;   /* WORKER: its number; else tailbox__str */
};

/* How many of a group have something, and how many of all other requests. */
struct tailbox__share {
	uint64_t members; /* of the group's count */
	uint64_t others, others_known;
};

struct tailbox__shared {
	struct tailbox__trait trait;
	struct tailbox__share share;
};

/* A span of time that begins with a member's start and ends with one's. */
struct tailbox__moment {
	bool is_known; /* false: no span stands out, or no starts are known */
	uint64_t from_us, to_us; /* run offsets */
	struct tailbox__share share; /* requests that start in it */
};

/* How a resource was used in the sampler's looks while members were blocked.
 * NONE: not known. */
struct tailbox__usage {
	uint64_t samples; /* looks that tell how many are in use */
	uint64_t in_use;  /* most in use */
	uint64_t size;    /* the size at that time */
	uint64_t sized;   /* looks that tell both */
	uint64_t full;    /* of those: all in use */
	uint64_t waiting; /* most that waited */
	uint64_t oldest_us; /* longest wait so far of one that waited */
};

struct tailbox__holder {
	tailbox__str route;
	uint64_t count; /* members */
};

struct tailbox__failure_group {
	bool is_explained; /* false: most of the time nothing tells of */
	struct tailbox__piece piece; /* its sums are not used */
	uint64_t count; /* members, at least 1 */
	/* Time in the piece, and latencies. */
	uint64_t blocked_us, latency_us; /* sums */
	uint64_t p50_blocked_us, max_blocked_us;
	uint32_t longest; /* request with the most time in the piece */
	/* In the order of kinds, then by text. */
	struct tailbox__shared *shared;
	size_t shared_count, shared_room;
	struct tailbox__moment moment;
	/* Waits: the pool of that name. Wait for a worker: the workers. */
	bool is_wait, is_for_worker;
	struct tailbox__usage usage;
	uint64_t depth; /* waits: most that were ahead at a start; or NONE */
	/* Wait for a worker: routes that held one, most members first. */
	struct tailbox__holder holders[TAILBOX__FAILURES_HOLDERS];
	size_t holder_count;
	uint64_t other_held; /* members held by further routes */
	uint64_t unknown_held; /* members of which no holder is known */
	/* Requests that had not ended with the run and were in the piece. */
	uint64_t open;
};

struct tailbox__failure_kind {
	uint64_t count; /* requests */
	struct tailbox__failure_group *groups; /* largest first */
	size_t group_count, group_room;
};

struct tailbox__failures {
	uint64_t requests;
	uint64_t slow_us; /* NONE: slow ones were not asked for */
	uint64_t lost;    /* items, of any kind */
	uint64_t excluded; /* requests that are not valid and left out */
	uint64_t unfinished; /* requests */
	uint64_t unknown_outcomes; /* neither of the five; not taken as failed */
	struct tailbox__failure_kind kinds[TAILBOX__FAILURE_COUNT];
};

/* Group. slow_us: what counts as slow, NONE = nothing does. The run is
 * normalized in place on the way, and must outlive the result.
 * 0 or -ENOMEM; out is always safe to fini. One thread; no clock. */
int tailbox__failures_make(struct tailbox__run *run, uint64_t slow_us,
                           struct tailbox__failures *out);
void tailbox__failures_fini(struct tailbox__failures *f);

/* As lines of 80 columns, with a newline after each; write errors stay on the
 * stream. 0 or -ENOMEM. */
int tailbox__failures_text(const struct tailbox__failures *f,
                           const struct tailbox__run *run, FILE *out);
/* As one JSON object. 0 or -ENOMEM (the writer has failed). */
int tailbox__failures_json(const struct tailbox__failures *f,
                           const struct tailbox__run *run,
                           struct tailbox__json *j);

/* Whether that is shared of n members: the rule at the top. What was chosen
 * by looking at the members, a span of time, has tries > 1, by which the
 * chance is multiplied, and `fixed` members that are in it for being what it
 * was made of; else 1 and 0. */
bool tailbox__is_shared(const struct tailbox__share *s, uint64_t n,
                        double tries, uint64_t fixed);

#endif
