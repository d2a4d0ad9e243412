/* core/kept.h - rare requests: put them into the tape's ring, read them back.
 *
 * SPDX-License-Identifier: MIT
 *
 * Slow, failed and cancelled requests with their spans, in a section of the
 * tape that fast ones do not wear out. The layout is in core/record.h.
 */
#ifndef TAILBOX_CORE_KEPT_H
#define TAILBOX_CORE_KEPT_H 1

#include "core/reader.h"
#include "core/tape.h"

struct tailbox__kept_request {
	uint32_t why;       /* TAILBOX__RARE_..., one or more */
	uint32_t cut_spans; /* it had so many more */
	const char *records; /* its record and those that belong to it */
	size_t record_bytes; /* 64 to 64 * TAILBOX__KEPT_UNITS_MAX */
	const struct tailbox__rec_span *spans; /* in no order */
	size_t span_count; /* up to TAILBOX__KEPT_SPANS_MAX */
};

/* Put one in; the oldest go. Only the one thread that writes to the section,
 * of a tape that has it. No allocation, no system call. */
void tailbox__kept_put(struct tailbox__tape *tape,
                       const struct tailbox__kept_request *k);

/* What a tape says of its section. */
struct tailbox__kept_status {
	uint64_t bytes; /* of the section; 0 = it has none */
	uint64_t slow_ns; /* as slow as that; 0 = slow ones are not kept */
	uint64_t kept, overwritten, passed_over, cut_spans; /* ever */
};
/* As it was asked for: to the nearest microsecond. */
static inline uint64_t tailbox__kept_slow_ns(struct tailbox__clock_scale scale,
                                             uint64_t ticks)
{
	return (tailbox__ticks_to_ns(scale, ticks) + 500) / 1000 * 1000;
}
void tailbox__kept_status(struct tailbox__reader *r,
                          struct tailbox__kept_status *out);
/* The same of a tape of this process. Any thread. */
void tailbox__kept_status_of(const struct tailbox__tape *tape,
                             struct tailbox__kept_status *out);

/* Call fn for each that is there, oldest first. Those that are overwritten
 * meanwhile are left out, damaged ones are counted. fn returns 0, or a value
 * that ends it. What fn is given is good until it returns, and may be anything
 * where the tape is a stranger's: it is checked no further than its lengths
 * and its checksum. 0, fn's value, -errno. */
typedef int (*tailbox__kept_fn)(void *cls,
                                const struct tailbox__kept_request *k);
int tailbox__reader_kept(struct tailbox__reader *r, tailbox__kept_fn fn,
                         void *cls);
/* Damaged places met so far. */
uint64_t tailbox__reader_damaged_kept(const struct tailbox__reader *r);

/* Call fn for the spans of all blocks that may hold one that was published
 * between two ticks, and for others. Of a tape of many blocks only of the
 * newest 4096. *whole_from: what was published since that tick was there, and
 * some of what was before may have been overwritten; 0: all was there. Not from
 * within another call for the same reader. As tailbox__reader_poll(). */
int tailbox__reader_spans(struct tailbox__reader *r, uint64_t from, uint64_t to,
                          tailbox__records_fn fn, void *cls,
                          uint64_t *whole_from);

#endif
