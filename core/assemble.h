/* core/assemble.h - from tape records to a run: where the rules are applied.
 *
 * SPDX-License-Identifier: MIT
 *
 * The writer records facts, the reader applies the rules (spec sections 7 and
 * 10): which requests belong to the window, the first N of each section, what
 * was dropped, gauge values, late spans, unfinished requests, wall times.
 * Used by the controller for windows and by the command for a whole tape.
 */
#ifndef TAILBOX_CORE_ASSEMBLE_H
#define TAILBOX_CORE_ASSEMBLE_H 1

#include "core/reader.h"
#include "core/run.h"

struct tailbox__assembly; /* collects records */

/* Holds of one run; those beyond are counted. They are no section of the spec
 * and have no limit of their own there. */
#define TAILBOX__HOLDS_MAX 200000u
/* The same of stacks. */
#define TAILBOX__STACKS_MAX 20000u

struct tailbox__assembly_config {
	/* A request belongs when from <= line < until. Spans and gauge moves
	 * belong with their request. Samples, stacks and holds: from <= tick
	 * of the sample, of the stack, of the hold's start < until. */
	uint64_t from_tick, until_tick;
	uint64_t armed_tick; /* for tailbox.armed_at_run_us; 0 = no window */
	uint64_t cut_tick; /* of a snapshot: when the run ends; 0 = none */
	enum tailbox__mode mode;
	struct tailbox__limits limits;
	bool strict_lifecycle;
	bool seal_on_limits; /* auto_seal_on_limits_hit: everything after the
	                        tick of the first overflow is left out */
	enum tailbox__end_reason end_reason;
	const char *run_id;  /* NULL = "run-" and a random UUID */
	const char *note;    /* NULL = none */
	const char *end_detail; /* "duration" ...; NULL = none */
	struct tailbox__run_sampler_config sampler;
	bool is_live; /* finalized_at null */
	/* The result is to become the kept one of this run: it shares its
	 * strings and has no metadata. NULL = a run of its own. */
	struct tailbox__run *kept_of;
};

/* reader: borrowed; gives names, clock, identity. 0 or -ENOMEM. */
int tailbox__assembly_create(struct tailbox__reader *reader,
                             const struct tailbox__assembly_config *config,
                             struct tailbox__assembly **out);
void tailbox__assembly_destroy(struct tailbox__assembly *a);

/* Feed records as tailbox__reader_poll hands them out; copies what may
 * belong. Also the form of a spool: the same bytes. 0 or -ENOMEM. */
int tailbox__assembly_add(struct tailbox__assembly *a, unsigned kind,
                          uint32_t thread, const char *records, size_t bytes);
/* Whether a batch holds anything that may belong (the follower's filter: it
 * spools only such records). Returns the number of bytes kept, moved to the
 * front of `records`. */
size_t tailbox__assembly_filter(const struct tailbox__assembly_config *config,
                                unsigned kind, char *records, size_t bytes);

/* Requests that are open now, to be listed as unfinished. Those with a record
 * fed are left out by number. slots: from the first one on, as a reader gives
 * them (threads know the slot that holds them by its place). */
int tailbox__assembly_add_open(struct tailbox__assembly *a,
                               const struct tailbox__slot *slots,
                               size_t count);

/* A run that begins in the past of its tape, which may not reach as far back
 * as was asked for: how far it does is known after the tape was read. Requests
 * and samples before from_tick are left out and the requests counted. Before
 * finish. */
struct tailbox__past {
	uint64_t asked_ms;  /* 0 = all that is there */
	uint64_t from_tick; /* not before config.from_tick */
	uint64_t to_tick;   /* back from here: the cut, or the arming */
	uint64_t samples_tick; /* no sample from here on was overwritten */
	uint64_t overwritten;  /* blocks, since the tape began */
	uint64_t older;     /* requests that the caller left out for it */
};
void tailbox__assembly_set_past(struct tailbox__assembly *a,
                                const struct tailbox__past *past);

/* Events that the caller did not feed because they were beyond the limits
 * anyway (a spool is bounded): they count as dropped. */
void tailbox__assembly_add_dropped(struct tailbox__assembly *a,
                                   uint64_t requests, uint64_t stages,
                                   uint64_t queues, uint64_t moves);
void tailbox__assembly_add_dropped_holds(struct tailbox__assembly *a,
                                         uint64_t holds, uint64_t stacks);

/* Facts for metadata.tailbox that the caller knows: losses and so on; what it
 * does not give is taken from the whole tape. late_spans: those that the
 * assembly finds come on top. text: of less than 512 bytes, UTF-8. */
int tailbox__assembly_set_extra(struct tailbox__assembly *a, const char *key,
                                const char *text, uint64_t number);

/* Make the run; a may only be destroyed afterwards. strict_lifecycle with
 * open requests: -TAILBOX_ESTATE and err names the number; the assembly may
 * be finished again later. -ENOMEM. */
int tailbox__assembly_finish(struct tailbox__assembly *a,
                             struct tailbox__run **out,
                             struct tailbox__error *err);

#endif
