/* core/tape_feed.h - give an assembly what a tape holds, if it can be.
 *
 * SPDX-License-Identifier: MIT
 *
 * A tape has no checksums, and a file that calls itself a tape may hold
 * anything: what cannot be is left out, counted, and told in the run. For
 * whoever makes a run of a tape that need not be ours.
 */
#ifndef TAILBOX_CORE_TAPE_FEED_H
#define TAILBOX_CORE_TAPE_FEED_H 1

#include "core/assemble.h"
#include "core/reader.h"
#include "core/run.h"

/* What was left out because no writer writes such a thing. */
struct tailbox__tape_damage {
	uint64_t blocks, records, slots, names;
	uint64_t kept; /* places of kept requests */
};

/* Damaged things in all. */
static inline uint64_t
tailbox__tape_damaged(const struct tailbox__tape_damage *d)
{
	return d->blocks + d->records + d->slots + d->names + d->kept;
}

struct tailbox__tape_feed {
	struct tailbox__reader *reader; /* borrowed, as the assembly is */
	struct tailbox__assembly *assembly; /* to be set before it is fed */
	uint64_t first, last; /* ticks that can be */
	struct tailbox__tape_damage damage;
};

void tailbox__tape_feed_init(struct tailbox__tape_feed *f,
                             struct tailbox__reader *r);
/* The open requests: first, see core/tape_run.c. 0, -ENOMEM, -errno. */
int tailbox__tape_feed_slots(struct tailbox__tape_feed *f);
/* Records, as tailbox__reader_poll() hands them out. 0 or -ENOMEM. */
int tailbox__tape_feed(struct tailbox__tape_feed *f, unsigned kind,
                       uint32_t thread, const char *records, size_t bytes);
/* When the run is made: give it those requests that the tape has kept and that
 * are not in it, as run->kept. Those that began before `from` are left out.
 * Keys "kept_requests", "kept_older" and, of all that the tape ever kept,
 * "kept_overwritten" and others: doc/format.md. 0, -ENOMEM, -errno. */
int tailbox__tape_feed_kept(struct tailbox__tape_feed *f,
                            struct tailbox__run *run, uint64_t from);
/* When the run is made, for names that are damaged show no earlier: what was
 * left out, as key "damaged" and, unless that is 0, a warning. 0 or -ENOMEM. */
int tailbox__tape_feed_tell(struct tailbox__tape_feed *f,
                            struct tailbox__run *run);
/* Where the run is from: keys "source" and "writer". 0 or -ENOMEM. */
int tailbox__tape_put_source(struct tailbox__assembly *a,
                             enum tailbox__writer_state writer);

#endif
