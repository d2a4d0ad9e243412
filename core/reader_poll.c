/* core/reader_poll.c - follow the blocks of a tape as they fill.
 *
 * SPDX-License-Identifier: MIT
 *
 * Blocks are known by ticket. The reader keeps a list of tickets that may
 * still give records; new ones join as header.next_ticket advances. A ticket
 * whose block carries an older, active head was skipped by its writer (or,
 * seldom, the writer is between ticket and claim): it is looked for a few
 * more times and then found, if at all, through the thread entries, which
 * name the block each thread writes to.
 *
 * A record is good when the head before and after reading it carries the same
 * ticket: the writer of the next round changes the head before any record.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <tailbox.h>

#include "core/alloc.h"
#include "core/reader_internal.h"
#include "core/run.h"

#define LOOKS_MAX 3
/* No tape gets that far; a number over it is damage, and counting up to it
 * would not end. */
#define TICKETS_MAX ((uint64_t)1 << 48)

void tailbox__reader_rewind(struct tailbox__reader *r)
{
	r->follow.count = 0;
	r->next_ticket = 0;
	r->first_poll = true;
}

uint64_t tailbox__reader_lost_blocks(const struct tailbox__reader *r)
{
	return r->lost_blocks;
}

uint64_t tailbox__reader_damaged_blocks(const struct tailbox__reader *r)
{
	return r->damaged_blocks;
}

uint64_t tailbox__reader_damaged_names(const struct tailbox__reader *r)
{
	return r->damaged_names;
}

static int add(struct tailbox__reader *r, uint64_t ticket)
{
	struct tailbox__followed *f = tailbox__list_add(&r->follow);

	if (f == NULL)
		return -ENOMEM;
	f->ticket = ticket;
	return 0;
}

struct block_head {
	uint64_t head, pub, thread, first_tick;
};

void tailbox__reader_map(struct tailbox__reader *r, const void *tape,
                         uint64_t bytes)
{
	r->map = tape;
	r->map_bytes = bytes;
}

/* Whole words of a block, in their order. Writers store words, so there is no
 * race in the mapping; each load is an acquire, which costs nothing here, so
 * that a head is read before what follows it and again after it. */
static int words_at(struct tailbox__reader *r, void *to, size_t bytes,
                    uint64_t offset)
{
	if (r->map == NULL || offset > r->map_bytes ||
	    bytes > r->map_bytes - offset)
		return tailbox__reader_at(r, to, bytes, offset);
	const tailbox__a64 *from = (const void *)(r->map + offset);
	uint64_t *words = to;

#pragma GCC unroll 8
	for (size_t i = 0; i < bytes / 8; i++)
		words[i] = atomic_load_explicit(&from[i], memory_order_acquire);
	return 0;
}

static uint64_t block_offset(const struct tailbox__reader *r, uint64_t ticket)
{
	return r->header.blocks_off +
	       ticket % r->header.blocks_max * r->header.block_bytes;
}

/* The first poll: a block whose thread was still filling it when the pool came
 * round has an older ticket than its place should have. It was passed over
 * then, may be full since, and no thread names it: its place does. */
static int add_passed_over(struct tailbox__reader *r, uint64_t first)
{
	int rc = 0;

	for (uint64_t i = 0; i < r->header.blocks_max && rc == 0; i++) {
		uint64_t head = 0;
		rc = words_at(r, &head, sizeof(head), block_offset(r, i));
		if (rc == 0 && TAILBOX__HEAD_TICKET(head) != 0 &&
		    TAILBOX__HEAD_TICKET(head) < first &&
		    TAILBOX__HEAD_TICKET(head) % r->header.blocks_max == i)
			rc = add(r, TAILBOX__HEAD_TICKET(head));
	}
	return rc;
}

static int add_new(struct tailbox__reader *r)
{
	uint64_t last = 0, first = r->next_ticket + 1;
	const bool is_first = r->first_poll;
	int rc = tailbox__reader_at(r, &last, sizeof(last),
	                            offsetof(struct tailbox__tape_header,
	                                     next_ticket));

	if (rc != 0)
		return rc;
	if (last > TICKETS_MAX)
		return -TAILBOX_EDAMAGED;
	/* Older ones have been recycled since. */
	if (last > r->header.blocks_max &&
	    first <= last - r->header.blocks_max) {
		if (!r->first_poll)
			r->lost_blocks += last - r->header.blocks_max - first +
			                  1;
		first = last - r->header.blocks_max + 1;
	}
	for (uint64_t t = first; t <= last && rc == 0; t++) {
		rc = add(r, t);
		if (rc == 0)
			r->next_ticket = t;
	}
	if (rc == 0 && is_first && first > 1)
		rc = add_passed_over(r, first);
	r->first_poll = false;
	return rc;
}

static bool is_followed(const struct tailbox__reader *r, uint64_t ticket)
{
	for (size_t i = r->follow.count; i-- > 0;)
		if (r->follow.items[i].ticket == ticket)
			return true;
	return false;
}

/* Tickets that threads say they write to and that were given up. */
static int add_named(struct tailbox__reader *r)
{
	const struct tailbox__thread_entry *t;
	long n = tailbox__reader_threads(r, &t);
	int rc = 0;

	if (n < 0)
		return (int)n;
	for (long i = 0; i < n && rc == 0; i++) {
		for (int kind = 1; kind < 4 && rc == 0; kind++) {
			uint64_t ticket = TAILBOX__GET(t[i].block_ticket[kind]);
			if (ticket != 0 && ticket <= r->next_ticket &&
			    !is_followed(r, ticket))
				rc = add(r, ticket);
		}
	}
	return rc;
}

enum { KEEP, DROP };

/* Units of a block that a reader has handed out. What it does not follow any
 * more it has read to the end. */
static uint32_t units_read(const struct tailbox__reader *r, uint64_t ticket)
{
	for (size_t i = 0; i < r->follow.count; i++)
		if (r->follow.items[i].ticket == ticket)
			return r->follow.items[i].units;
	return ticket <= r->next_ticket ? UINT32_MAX : 0;
}

static bool is_kind(unsigned kind)
{
	return kind >= TAILBOX__BLOCK_REQUESTS &&
	       kind <= TAILBOX__BLOCK_SAMPLES;
}

/* A ticket is of one place, and the counter was advanced before the head. */
static bool can_be(struct tailbox__reader *r, const struct tailbox__followed *f,
                   const struct block_head *b)
{
	const uint64_t ticket = TAILBOX__HEAD_TICKET(b->head);
	uint64_t last = 0;

	if (b->head == 0)
		return true;
	if (!is_kind(TAILBOX__HEAD_KIND(b->head)) ||
	    ticket % r->header.blocks_max != f->ticket % r->header.blocks_max)
		return false;
	return ticket <= r->next_ticket ||
	       (tailbox__reader_at(r, &last, sizeof(last),
	                           offsetof(struct tailbox__tape_header,
	                                    next_ticket)) == 0 &&
	        ticket <= last);
}

/* The block does not carry our ticket. */
static int absent(struct tailbox__reader *r, struct tailbox__followed *f,
                  const struct block_head *b)
{
	if (!can_be(r, f, b)) {
		r->damaged_blocks++;
		return DROP;
	}
	if (TAILBOX__HEAD_TICKET(b->head) > f->ticket) {
		if (f->seen || !f->is_skip)
			r->lost_blocks++;
		return DROP;
	}
	if (TAILBOX__HEAD_ACTIVE(b->head))
		f->is_skip = 1;
	if (f->looks < 255)
		f->looks++;
	return f->is_skip && f->looks >= LOOKS_MAX ? DROP : KEEP;
}

static int hand_out(struct tailbox__reader *r, struct tailbox__followed *f,
                    const struct block_head *b, uint32_t units,
                    tailbox__records_fn fn, void *cls, int *result)
{
	uint64_t at = block_offset(r, f->ticket), again = 0;
	size_t from = sizeof(struct tailbox__block) +
	              (size_t)f->units * TAILBOX__UNIT;
	size_t bytes = (size_t)(units - f->units) * TAILBOX__UNIT;
	int rc = words_at(r, r->buf, bytes, at + from);

	if (rc == 0)
		rc = words_at(r, &again, sizeof(again), at);
	if (rc != 0) {
		*result = rc;
		return KEEP;
	}
	if (TAILBOX__HEAD_TICKET(again) != f->ticket) {
		r->lost_blocks++;
		return DROP;
	}
	*result = fn(cls, TAILBOX__HEAD_KIND(b->head), (uint32_t)b->thread,
	             r->buf, bytes);
	if (*result == 0)
		f->units = units;
	return KEEP;
}

static int look(struct tailbox__reader *r, struct tailbox__followed *f,
                tailbox__records_fn fn, void *cls, int *result)
{
	struct block_head b;
	uint32_t units;
	int keep;

	*result = words_at(r, &b, sizeof(b), block_offset(r, f->ticket));
	if (*result != 0)
		return KEEP;
	if (TAILBOX__HEAD_TICKET(b.head) != f->ticket ||
	    !is_kind(TAILBOX__HEAD_KIND(b.head)))
		return absent(r, f, &b);
	f->seen = 1;
	/* Retired: pub is final, but only a look after this one sees it. */
	if (!TAILBOX__HEAD_ACTIVE(b.head)) {
		*result = words_at(r, &b.pub, sizeof(b.pub),
		                   block_offset(r, f->ticket) +
		                           offsetof(struct tailbox__block,
		                                    pub));
		if (*result != 0)
			return KEEP;
	}
	/* The head was read before pub, so of this ticket pub may still be
	 * an old one: then nothing is published yet. */
	units = b.pub >> 16 == (f->ticket & 0xffffffffffffull)
	                ? (uint32_t)(b.pub & 0xffff)
	                : 0;
	if (units > (r->header.block_bytes - sizeof(struct tailbox__block)) /
	                    TAILBOX__UNIT) {
		r->damaged_blocks++;
		return DROP;
	}
	if (r->ahead != NULL && units > f->units) {
		const uint32_t read = units_read(r->ahead, f->ticket);
		units = read < units ? read : units;
	}
	if (units > f->units) {
		keep = hand_out(r, f, &b, units, fn, cls, result);
		if (keep == DROP || *result != 0)
			return keep;
	}
	/* Not active in the same look that gave pub: it is complete. */
	return TAILBOX__HEAD_ACTIVE(b.head) ? KEEP : DROP;
}

uint64_t tailbox__reader_taken(struct tailbox__reader *r, uint64_t first,
                               uint64_t last, uint64_t *before)
{
	const uint64_t max = r->header.blocks_max;

	*before = 0;
	if (last > TICKETS_MAX)
		return 0;
	for (uint64_t t = first; t <= last; t++) {
		struct block_head b;
		if (words_at(r, &b, sizeof(b), block_offset(r, t)) != 0)
			return 0;
		if (TAILBOX__HEAD_TICKET(b.head) != t)
			continue;
		*before = t - 1 < max - (last - t + 1) ? t - 1
		                                       : max - (last - t + 1);
		return b.first_tick;
	}
	return 0;
}

int tailbox__reader_poll(struct tailbox__reader *r, tailbox__records_fn fn,
                         void *cls)
{
	size_t kept = 0;
	int rc = add_new(r), result = 0;

	if (rc == 0)
		rc = add_named(r);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < r->follow.count; i++) {
		struct tailbox__followed *f = &r->follow.items[i];
		if (result != 0 || look(r, f, fn, cls, &result) == KEEP)
			r->follow.items[kept++] = *f;
	}
	r->follow.count = kept;
	return result;
}

int tailbox__reader_poll_past(struct tailbox__reader *r,
                              const struct tailbox__reader *ahead,
                              tailbox__records_fn fn, void *cls)
{
	r->ahead = ahead;
	const int rc = tailbox__reader_poll(r, fn, cls);
	r->ahead = NULL;
	return rc;
}
