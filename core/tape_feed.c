/* core/tape_feed.c - from a tape to an assembly: what can be, and no more.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each record is looked at before the assembly gets it. The rules are those
 * that a writer cannot break: types, the range of numbers and of ticks. So
 * damage that makes another possible value of a value goes through, and is not
 * found by anybody.
 */
#include "core/tape_feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tailbox.h>

#include "core/alloc.h"
#include "core/kept.h"

enum { UNIT = sizeof(struct tailbox__rec_request) };

void tailbox__tape_feed_init(struct tailbox__tape_feed *f,
                             struct tailbox__reader *r)
{
	*f = (struct tailbox__tape_feed){ .reader = r };
	tailbox__reader_range(r, &f->first, &f->last);
}

static bool is_tick(const struct tailbox__tape_feed *f, uint64_t tick)
{
	return tick >= f->first && tick <= f->last;
}

static bool is_name(const struct tailbox__tape_feed *f, uint32_t name)
{
	return name < tailbox__reader_header(f->reader)->names_max;
}

/* --- records ------------------------------------------------------------- */

static bool request_is_good(const struct tailbox__tape_feed *f,
                            const struct tailbox__rec_request *r)
{
	return r->number != 0 && is_tick(f, r->line) &&
	       tailbox__unpack(r->total) <= f->last - r->line &&
	       is_name(f, r->route) && is_name(f, r->kind) &&
	       is_name(f, r->outcome) && r->status < 1000 &&
	       r->phase <= TAILBOX__PHASE_COUNT &&
	       r->termination < TAILBOX__TERM_COUNT;
}

static bool is_more(unsigned type)
{
	return type == TAILBOX__REC_MORE || type == TAILBOX__REC_TRACE ||
	       type == TAILBOX__REC_ID || type == TAILBOX__REC_READER;
}

static bool stack_is_good(const struct tailbox__tape_feed *f,
                          const struct tailbox__rec_stack *r)
{
	return is_tick(f, r->tick) && r->hold <= r->tick &&
	       is_name(f, r->route) && r->end < TAILBOX__STACK_ENDS &&
	       r->count <= TAILBOX__STACK_DEPTH &&
	       r->more <= (TAILBOX__STACK_DEPTH +
	                   TAILBOX__FRAMES_PER_RECORD - 1) /
	                          TAILBOX__FRAMES_PER_RECORD;
}

static bool belongs(unsigned head, unsigned type)
{
	switch (head) {
	case TAILBOX__REC_REQUEST:
		return is_more(type);
	case TAILBOX__REC_SAMPLE:
		return type == TAILBOX__REC_VALUES;
	case TAILBOX__REC_STACK:
		return type == TAILBOX__REC_FRAMES;
	default:
		return false;
	}
}

/* What stands at `at`: bytes of a good group, or 0. */
static size_t group_at(const struct tailbox__tape_feed *f, unsigned kind,
                       const char *at, size_t left)
{
	union {
		struct tailbox__rec_request request;
		struct tailbox__rec_sample sample;
		struct tailbox__rec_stack stack;
		struct tailbox__rec_connection connection;
	} r;
	unsigned more = 0;

	memcpy(&r, at, UNIT);
	if (kind == TAILBOX__BLOCK_REQUESTS) {
		if (r.request.type == TAILBOX__REC_CONNECTION)
			return UNIT;
		if (r.request.type != TAILBOX__REC_REQUEST ||
		    !request_is_good(f, &r.request))
			return 0;
		more = r.request.more;
	} else if (r.stack.type == TAILBOX__REC_STACK) {
		if (!stack_is_good(f, &r.stack))
			return 0;
		more = r.stack.more;
	} else {
		if (r.sample.type != TAILBOX__REC_SAMPLE ||
		    !is_tick(f, r.sample.tick))
			return 0;
		more = r.sample.more;
	}
	if (((size_t)more + 1) * UNIT > left)
		return 0;
	for (unsigned i = 1; i <= more; i++)
		if (!belongs(r.sample.type, (unsigned char)at[i * UNIT]))
			return 0;
	return ((size_t)more + 1) * UNIT;
}

static bool span_is_good(const struct tailbox__tape_feed *f,
                         const struct tailbox__rec_span *s)
{
	return s->type >= TAILBOX__SPAN_STAGE &&
	       s->type <= TAILBOX__SPAN_HOLD && is_tick(f, s->start) &&
	       tailbox__unpack(s->dur) <= f->last - s->start &&
	       is_name(f, s->name) && is_name(f, s->site);
}

static int feed_spans(struct tailbox__tape_feed *f, uint32_t thread,
                      const char *records, size_t bytes)
{
	struct tailbox__rec_span s;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at + sizeof(s) <= bytes;
	     at += sizeof(s)) {
		memcpy(&s, records + at, sizeof(s));
		if (span_is_good(f, &s))
			rc = tailbox__assembly_add(f->assembly,
			                           TAILBOX__BLOCK_SPANS, thread,
			                           records + at, sizeof(s));
		else
			f->damage.records++;
	}
	return rc;
}

int tailbox__tape_feed(struct tailbox__tape_feed *f, unsigned kind,
                       uint32_t thread, const char *records, size_t bytes)
{
	int rc = 0;

	if (kind == TAILBOX__BLOCK_SPANS)
		return feed_spans(f, thread, records, bytes);
	for (size_t at = 0; rc == 0 && at + UNIT <= bytes;) {
		const size_t n = group_at(f, kind, records + at, bytes - at);
		if (n > 0)
			rc = tailbox__assembly_add(f->assembly, kind, thread,
			                           records + at, n);
		else
			f->damage.records++;
		at += n > 0 ? n : UNIT;
	}
	return rc;
}

/* --- open requests ------------------------------------------------------- */

static bool slot_is_good(const struct tailbox__tape_feed *f,
                         const struct tailbox__slot *s)
{
	const uint32_t where = TAILBOX__GET(s->where);

	return TAILBOX__GET(s->number) != 0 &&
	       is_tick(f, TAILBOX__GET(s->line)) &&
	       TAILBOX__GET(s->phase) < TAILBOX__PHASE_COUNT &&
	       is_name(f, TAILBOX__GET(s->route)) &&
	       is_name(f, TAILBOX__GET(s->kind)) &&
	       (!tailbox__slot_where(s) ||
	        (tailbox__slot_where(s) <= TAILBOX_SPAN_WAIT &&
	         is_name(f, where & 0xffff) && is_name(f, where >> 16) &&
	         TAILBOX__GET(s->where_since) <= f->last));
}

/* A copy, so that what is damaged can be taken out of it. */
int tailbox__tape_feed_slots(struct tailbox__tape_feed *f)
{
	const struct tailbox__slot *slots;
	const long n = tailbox__reader_slots(f->reader, &slots);

	if (n <= 0)
		return (int)n;
	struct tailbox__slot *copy = tailbox__alloc((size_t)n, sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, slots, (size_t)n * sizeof(*copy));
	for (long i = 0; i < n; i++) {
		const uint64_t state = TAILBOX__GET(copy[i].state);
		if (state <= TAILBOX__SLOT_STARTING ||
		    (state == TAILBOX__SLOT_OPEN && slot_is_good(f, &copy[i])))
			continue;
		TAILBOX__SET(copy[i].state, TAILBOX__SLOT_FREE);
		f->damage.slots++;
	}
	const int rc = tailbox__assembly_add_open(f->assembly, copy, (size_t)n);
	tailbox__free(copy);
	return rc;
}

/* --- what was left out ---------------------------------------------------- */

/* Names that are damaged show only while the run is made, so this is last. */
int tailbox__tape_feed_tell(struct tailbox__tape_feed *f,
                            struct tailbox__run *run)
{
	struct tailbox__tape_damage *d = &f->damage;
	char text[240];

	d->blocks = tailbox__reader_damaged_blocks(f->reader);
	d->names = tailbox__reader_damaged_names(f->reader);
	d->kept = tailbox__reader_damaged_kept(f->reader);
	int rc = tailbox__run_set_extra(run, "damaged", NULL,
	                                tailbox__tape_damaged(d));
	if (rc < 0 || tailbox__tape_damaged(d) == 0)
		return rc;
	snprintf(text, sizeof(text),
	         "the tape is damaged: left out are %" PRIu64 " blocks, "
	         "%" PRIu64 " records and %" PRIu64 " open requests that "
	         "cannot be, and %" PRIu64 " places of kept requests; %" PRIu64
	         " names are not known",
	         d->blocks, d->records, d->slots, d->kept, d->names);
	tailbox__str *warning = tailbox__list_add(&run->meta.warnings);
	if (warning == NULL)
		return -ENOMEM;
	*warning = tailbox__run_cstr(run, text);
	return *warning ? 0 : -ENOMEM;
}

int tailbox__tape_put_source(struct tailbox__assembly *a,
                             enum tailbox__writer_state writer)
{
	static const char *const states[] = { "live", "stopped", "closed",
		                              "dead" };
	int rc = tailbox__assembly_set_extra(a, "source", "tape", 0);

	if (rc == 0)
		rc = tailbox__assembly_set_extra(a, "writer", states[writer],
		                                 0);
	return rc;
}
