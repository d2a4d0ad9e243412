/* core/tape_run.c - all that a tape holds, as one run.
 *
 * SPDX-License-Identifier: MIT
 *
 * Open slots are copied first, then blocks are read: a request that ends in
 * between is in both, and the assembly takes its record. The other way round
 * it would be in neither.
 */
#include "core/tape_run.h"

#include <tailbox.h>

static int feed(void *cls, unsigned kind, uint32_t thread, const char *records,
                size_t bytes)
{
	return tailbox__tape_feed(cls, kind, thread, records, bytes);
}

/* --- which part of it ---------------------------------------------------- */

/* The tick from which on the newest bytes were written, and how many blocks
 * are older. A block that was skipped tells another ticket: the next one. */
static uint64_t newest_from(struct tailbox__tape_feed *f, uint64_t bytes,
                            uint64_t *left_out)
{
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(f->reader);
	const uint64_t blocks = bytes / h->block_bytes;
	const uint64_t last = TAILBOX__GET(h->next_ticket);
	const uint64_t there = last < h->blocks_max ? last : h->blocks_max;

	*left_out = 0;
	if (bytes == 0 || there <= blocks)
		return 0;
	return tailbox__reader_taken(f->reader, last - blocks + 1, last,
	                             left_out);
}

/* --- all of it ----------------------------------------------------------- */

static int put_facts(struct tailbox__tape_feed *f, uint64_t left_out)
{
	int rc = tailbox__tape_put_source(f->assembly,
	                                  tailbox__reader_writer(f->reader));

	if (rc == 0 && left_out > 0)
		rc = tailbox__assembly_set_extra(f->assembly, "left_out_blocks",
		                                 NULL, left_out);
	return rc;
}

static int collect(struct tailbox__tape_feed *f,
                   const struct tailbox__tape_run_options *o,
                   struct tailbox__run **out, struct tailbox__error *err)
{
	struct tailbox__assembly_config config = {
		.until_tick = UINT64_MAX,
		.limits = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
		            UINT64_MAX },
		.end_detail = o->is_crash ? "crash" : NULL,
	};
	uint64_t left_out;

	config.from_tick = newest_from(f, o->newest_bytes, &left_out);
	int rc = tailbox__assembly_create(f->reader, &config, &f->assembly);
	if (rc == 0)
		rc = tailbox__tape_feed_slots(f);
	if (rc == 0)
		rc = tailbox__reader_poll(f->reader, feed, f);
	if (rc == 0)
		rc = put_facts(f, left_out);
	if (rc == 0)
		rc = tailbox__assembly_finish(f->assembly, out, err);
	if (rc == 0)
		rc = tailbox__tape_feed_kept(f, *out, 0);
	if (rc == 0)
		rc = tailbox__tape_feed_tell(f, *out);
	return rc;
}

int tailbox__tape_run(struct tailbox__reader *r,
                      const struct tailbox__tape_run_options *o,
                      struct tailbox__run **out,
                      struct tailbox__tape_damage *damage,
                      struct tailbox__error *err)
{
	static const struct tailbox__tape_run_options all = { 0 };
	struct tailbox__tape_feed f;

	*out = NULL;
	tailbox__tape_feed_init(&f, r);
	const int rc = collect(&f, o != NULL ? o : &all, out, err);
	tailbox__assembly_destroy(f.assembly);
	if (damage != NULL)
		*damage = f.damage;
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
