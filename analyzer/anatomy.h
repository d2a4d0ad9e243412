/* analyzer/anatomy.h - where the slowest requests spend their time, beside
 * where ordinary ones do.
 *
 * SPDX-License-Identifier: MIT
 *
 * The slowest are those above p99 (or at it, where none is above), ordinary
 * ones those from p40 to p60. What belongs to what: analyzer/apart.h.
 */
#ifndef TAILBOX_ANALYZER_ANATOMY_H
#define TAILBOX_ANALYZER_ANATOMY_H 1

#include <stdio.h>

#include "analyzer/apart.h"
#include "core/json.h"
#include "core/run.h"

struct tailbox__piece {
	enum tailbox__piece_kind kind;
	unsigned phase;    /* PHASE: enum tailbox__phase */
	tailbox__str name; /* else */
	/* Sums over the requests of each group. */
	uint64_t tail_us, typical_us;
};

struct tailbox__anatomy {
	/* Largest part of the slowest first; those with nothing are left out. */
	struct tailbox__piece *pieces;
	size_t count, room;
	uint64_t tail_count, typical_count; /* requests */
	uint64_t tail_us, typical_us;       /* sums of their latencies */
	uint64_t tail_left_us, typical_left_us; /* unexplained */
	/* Events without an interval: their durations were taken one after the
	 * other, so that parallel ones may have counted twice. */
	uint64_t approximate_events;
};

struct tailbox__index; /* analyzer/analysis.h */

/* Of a normalized run and its index. 0 or -ENOMEM; always safe to fini. */
int tailbox__anatomy_make(const struct tailbox__run *run,
                          const struct tailbox__index *index,
                          struct tailbox__anatomy *out);
void tailbox__anatomy_fini(struct tailbox__anatomy *a);

/* "wait for a worker", "wait db_pool", "stage render", "handler": at most
 * `size` >= 16 bytes with the NUL, harmless, cut at a character. */
void tailbox__piece_label(const struct tailbox__run *run,
                          const struct tailbox__piece *p, char *buf,
                          size_t size);
/* Members "kind" ("phase", "wait", "stage") and "name" of the present object.
 */
void tailbox__piece_json(const struct tailbox__run *run,
                         const struct tailbox__piece *p,
                         struct tailbox__json *j);
/* The value of the member "tail_anatomy". 0 or -ENOMEM. */
int tailbox__anatomy_json(const struct tailbox__anatomy *a,
                          const struct tailbox__run *run,
                          struct tailbox__json *j);
/* At most `rows` pieces with a bar each, the rest and what is unexplained;
 * nothing of an empty one. Each line begins with its newline. 80 columns. */
void tailbox__anatomy_text(const struct tailbox__anatomy *a,
                           const struct tailbox__run *run, size_t rows,
                           FILE *out);

#endif
