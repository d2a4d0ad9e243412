/* core/tape_run.c - all that a tape holds, as one run.
 *
 * SPDX-License-Identifier: MIT
 *
 * Open slots are copied first, then blocks are read: a request that ends in
 * between is in both, and the assembly takes its record. The other way round
 * it would be in neither.
 *
 * Each record is looked at before the assembly gets it. The rules are those
 * that a writer cannot break: types, the range of numbers and of ticks. So
 * damage that makes another possible value of a value goes through, and is not
 * found by anybody.
 */
#include "core/tape_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tailbox.h>

#include "core/alloc.h"
#include "core/assemble.h"

enum { UNIT = sizeof(struct tailbox__rec_request) };

struct work {
	const struct tailbox__tape_header *header;
	struct tailbox__reader *reader;
	struct tailbox__assembly *assembly;
	uint64_t first, last; /* ticks that can be */
	struct tailbox__tape_damage damage;
};

static bool is_tick(const struct work *w, uint64_t tick)
{
	return tick >= w->first && tick <= w->last;
}

static bool is_name(const struct work *w, uint32_t name)
{
	return name < w->header->names_max;
}

/* --- records ------------------------------------------------------------- */

static bool request_is_good(const struct work *w,
                            const struct tailbox__rec_request *r)
{
	return r->number != 0 && is_tick(w, r->line) &&
	       tailbox__unpack(r->total) <= w->last - r->line &&
	       is_name(w, r->route) && is_name(w, r->kind) &&
	       is_name(w, r->outcome) && r->status < 1000 &&
	       r->phase <= TAILBOX__PHASE_COUNT &&
	       r->termination < TAILBOX__TERM_COUNT;
}

static bool is_more(unsigned type)
{
	return type == TAILBOX__REC_MORE || type == TAILBOX__REC_TRACE ||
	       type == TAILBOX__REC_ID;
}

/* What stands at `at`: bytes of a good group, or 0. */
static size_t group_at(const struct work *w, unsigned kind, const char *at,
                       size_t left)
{
	union {
		struct tailbox__rec_request request;
		struct tailbox__rec_sample sample;
		struct tailbox__rec_connection connection;
	} r;
	unsigned more = 0;

	memcpy(&r, at, UNIT);
	if (kind == TAILBOX__BLOCK_REQUESTS) {
		if (r.request.type == TAILBOX__REC_CONNECTION)
			return UNIT;
		if (r.request.type != TAILBOX__REC_REQUEST ||
		    !request_is_good(w, &r.request))
			return 0;
		more = r.request.more;
	} else {
		if (r.sample.type != TAILBOX__REC_SAMPLE ||
		    !is_tick(w, r.sample.tick))
			return 0;
		more = r.sample.more;
	}
	if (((size_t)more + 1) * UNIT > left)
		return 0;
	for (unsigned i = 1; i <= more; i++) {
		const unsigned type = (unsigned char)at[i * UNIT];
		if (kind == TAILBOX__BLOCK_REQUESTS
		            ? !is_more(type)
		            : type != TAILBOX__REC_VALUES)
			return 0;
	}
	return ((size_t)more + 1) * UNIT;
}

static bool span_is_good(const struct work *w,
                         const struct tailbox__rec_span *s)
{
	return s->type >= TAILBOX__SPAN_STAGE &&
	       s->type <= TAILBOX__SPAN_HOLD && is_tick(w, s->start) &&
	       tailbox__unpack(s->dur) <= w->last - s->start &&
	       is_name(w, s->name) && is_name(w, s->site);
}

static int feed_spans(struct work *w, uint32_t thread, const char *records,
                      size_t bytes)
{
	struct tailbox__rec_span s;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at + sizeof(s) <= bytes;
	     at += sizeof(s)) {
		memcpy(&s, records + at, sizeof(s));
		if (span_is_good(w, &s))
			rc = tailbox__assembly_add(w->assembly,
			                           TAILBOX__BLOCK_SPANS, thread,
			                           records + at, sizeof(s));
		else
			w->damage.records++;
	}
	return rc;
}

static int feed(void *cls, unsigned kind, uint32_t thread, const char *records,
                size_t bytes)
{
	struct work *w = cls;
	int rc = 0;

	if (kind == TAILBOX__BLOCK_SPANS)
		return feed_spans(w, thread, records, bytes);
	for (size_t at = 0; rc == 0 && at + UNIT <= bytes;) {
		const size_t n = group_at(w, kind, records + at, bytes - at);
		if (n > 0)
			rc = tailbox__assembly_add(w->assembly, kind, thread,
			                           records + at, n);
		else
			w->damage.records++;
		at += n > 0 ? n : UNIT;
	}
	return rc;
}

/* --- open requests ------------------------------------------------------- */

static bool slot_is_good(const struct work *w, const struct tailbox__slot *s)
{
	const uint32_t where = TAILBOX__GET(s->where);

	return TAILBOX__GET(s->number) != 0 &&
	       is_tick(w, TAILBOX__GET(s->line)) &&
	       TAILBOX__GET(s->phase) < TAILBOX__PHASE_COUNT &&
	       is_name(w, TAILBOX__GET(s->route)) &&
	       is_name(w, TAILBOX__GET(s->kind)) &&
	       (!tailbox__slot_where(s) ||
	        (tailbox__slot_where(s) <= TAILBOX_SPAN_WAIT &&
	         is_name(w, where & 0xffff) && is_name(w, where >> 16) &&
	         TAILBOX__GET(s->where_since) <= w->last));
}

/* A copy, so that what is damaged can be taken out of it. */
static int feed_slots(struct work *w)
{
	const struct tailbox__slot *slots;
	const long n = tailbox__reader_slots(w->reader, &slots);

	if (n <= 0)
		return (int)n;
	struct tailbox__slot *copy = tailbox__alloc((size_t)n, sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, slots, (size_t)n * sizeof(*copy));
	for (long i = 0; i < n; i++) {
		const uint64_t state = TAILBOX__GET(copy[i].state);
		if (state <= TAILBOX__SLOT_STARTING ||
		    (state == TAILBOX__SLOT_OPEN && slot_is_good(w, &copy[i])))
			continue;
		TAILBOX__SET(copy[i].state, TAILBOX__SLOT_FREE);
		w->damage.slots++;
	}
	const int rc = tailbox__assembly_add_open(w->assembly, copy, (size_t)n);
	tailbox__free(copy);
	return rc;
}

/* --- which part of it ---------------------------------------------------- */

/* The tick from which on the newest bytes were written, and how many blocks
 * are older. A block that was skipped tells another ticket: the next one. */
static uint64_t newest_from(struct work *w, uint64_t bytes, uint64_t *left_out)
{
	const struct tailbox__tape_header *h = w->header;
	const uint64_t blocks = bytes / h->block_bytes;
	const uint64_t last = TAILBOX__GET(h->next_ticket);
	const uint64_t there = last < h->blocks_max ? last : h->blocks_max;

	*left_out = 0;
	if (bytes == 0 || there <= blocks)
		return 0;
	return tailbox__reader_taken(w->reader, last - blocks + 1, last,
	                             left_out);
}

/* --- all of it ----------------------------------------------------------- */

static int put_facts(struct work *w, uint64_t left_out)
{
	static const char *const states[] = { "live", "stopped", "closed",
		                              "dead" };
	const enum tailbox__writer_state writer =
	        tailbox__reader_writer(w->reader);
	int rc = tailbox__assembly_set_extra(w->assembly, "source", "tape", 0);

	if (rc == 0)
		rc = tailbox__assembly_set_extra(w->assembly, "writer",
		                                 states[writer], 0);
	if (rc == 0 && left_out > 0)
		rc = tailbox__assembly_set_extra(w->assembly, "left_out_blocks",
		                                 NULL, left_out);
	return rc;
}

/* Names that are damaged show only while the run is made, so this is last. */
static int tell_damage(struct work *w, struct tailbox__run *run)
{
	struct tailbox__tape_damage *d = &w->damage;
	char text[240];

	d->blocks = tailbox__reader_damaged_blocks(w->reader);
	d->names = tailbox__reader_damaged_names(w->reader);
	int rc = tailbox__run_set_extra(run, "damaged", NULL,
	                                tailbox__tape_damaged(d));
	if (rc < 0 || tailbox__tape_damaged(d) == 0)
		return rc;
	snprintf(text, sizeof(text),
	         "the tape is damaged: left out are %" PRIu64 " blocks, %" PRIu64
	         " records and %" PRIu64 " open requests that cannot be; %" PRIu64
	         " names are not known", d->blocks, d->records, d->slots,
	         d->names);
	tailbox__str *warning = tailbox__list_add(&run->meta.warnings);
	if (warning == NULL)
		return -ENOMEM;
	*warning = tailbox__run_cstr(run, text);
	return *warning ? 0 : -ENOMEM;
}

static int collect(struct work *w, const struct tailbox__tape_run_options *o,
                   struct tailbox__run **out, struct tailbox__error *err)
{
	struct tailbox__assembly_config config = {
		.until_tick = UINT64_MAX,
		.limits = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
		            UINT64_MAX },
		.end_detail = o->is_crash ? "crash" : NULL,
	};
	uint64_t left_out;

	config.from_tick = newest_from(w, o->newest_bytes, &left_out);
	int rc = tailbox__assembly_create(w->reader, &config, &w->assembly);
	if (rc == 0)
		rc = feed_slots(w);
	if (rc == 0)
		rc = tailbox__reader_poll(w->reader, feed, w);
	if (rc == 0)
		rc = put_facts(w, left_out);
	if (rc == 0)
		rc = tailbox__assembly_finish(w->assembly, out, err);
	if (rc == 0)
		rc = tell_damage(w, *out);
	return rc;
}

int tailbox__tape_run(struct tailbox__reader *r,
                      const struct tailbox__tape_run_options *o,
                      struct tailbox__run **out,
                      struct tailbox__tape_damage *damage,
                      struct tailbox__error *err)
{
	static const struct tailbox__tape_run_options all = { 0 };
	struct work w = { .header = tailbox__reader_header(r), .reader = r };

	*out = NULL;
	tailbox__reader_range(r, &w.first, &w.last);
	const int rc = collect(&w, o != NULL ? o : &all, out, err);
	tailbox__assembly_destroy(w.assembly);
	if (damage != NULL)
		*damage = w.damage;
	if (rc == 0)
		return 0;
	tailbox__run_destroy(*out);
	*out = NULL;
	return tailbox__fail(err, rc, "cannot read the tape: %s",
	                     tailbox_strerror(rc));
}

uint64_t tailbox__tape_run_second(const struct tailbox__run *run)
{
	return run->meta.finalized_ms == TAILBOX__NONE
	               ? 0
	               : run->meta.finalized_ms / 1000;
}
