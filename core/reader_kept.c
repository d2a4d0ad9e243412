/* core/reader_kept.c - rare requests of a tape, and the spans of requests.
 *
 * SPDX-License-Identifier: MIT
 *
 * An entry is read, and then it is asked whether the writer has passed it
 * meanwhile: what the answer lets through was whole when it was read. What is
 * no entry in spite of that is damage; the next is looked for unit by unit,
 * as each says where it stands.
 */
#include "core/kept.h"

#include <stddef.h>
#include <string.h>
#include <zlib.h>

#include "core/alloc.h"
#include "core/reader_internal.h"

enum {
	UNIT = 32,
	SPAN_BLOCKS_MAX = 4096,
	THREADS = 1024, /* a tape has no more */
	ALL_OF_IT = 1   /* no tick */
};

struct places {
	uint64_t first, next;
};

static bool has_rare(const struct tailbox__reader *r)
{
	const struct tailbox__tape_header *h = &r->header;

	return h->rare_bytes >= TAILBOX__RARE_LEAST &&
	       h->rare_bytes <= TAILBOX__RARE_MAX && h->rare_bytes % 64 == 0 &&
	       h->rare_off >= 896 && h->rare_off % 8 == 0 &&
	       h->rare_off <= h->file_bytes &&
	       h->rare_bytes <= h->file_bytes - h->rare_off;
}

static uint64_t ring_bytes(const struct tailbox__reader *r)
{
	return r->header.rare_bytes - sizeof(struct tailbox__rare);
}

static int read_places(struct tailbox__reader *r, struct places *p)
{
	return tailbox__reader_at(r, p, sizeof(*p), r->header.rare_off);
}

/* Bytes of the ring, round its end. */
static int read_ring(struct tailbox__reader *r, void *to, size_t bytes,
                     uint64_t place)
{
	const uint64_t ring = r->header.rare_off + sizeof(struct tailbox__rare);
	const uint64_t at = place % ring_bytes(r);
	const uint64_t left = ring_bytes(r) - at;
	const size_t first = bytes < left ? bytes : (size_t)left;
	int rc = tailbox__reader_at(r, to, first, ring + at);

	if (rc == 0 && first < bytes)
		rc = tailbox__reader_at(r, (char *)to + first, bytes - first,
		                        ring);
	return rc;
}

static bool can_be(const struct tailbox__kept *k, uint64_t place,
                   uint64_t next)
{
	return k->magic == TAILBOX__KEPT_MAGIC && k->at == place &&
	       k->units > 0 && k->units <= TAILBOX__KEPT_UNITS_MAX &&
	       k->spans <= TAILBOX__KEPT_SPANS_MAX &&
	       k->bytes == sizeof(*k) + 64u * k->units + 32u * k->spans &&
	       k->bytes <= next - place;
}

static bool is_whole(const char *entry, struct tailbox__kept head)
{
	const uint32_t checksum = head.checksum;

	head.checksum = 0;
	uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)&head, sizeof(head));
	crc = (uint32_t)crc32_z(crc, (const Bytef *)entry + sizeof(head),
	                        head.bytes - sizeof(head));
	return crc == checksum;
}

/* One entry in memory of our own. */
struct entry {
	struct tailbox__kept head;
	char bytes[TAILBOX__KEPT_BYTES_MAX];
	bool is_gone; /* overwritten meanwhile; `first` is where it goes on */
	bool is_good;
	uint64_t first;
};

static int read_entry(struct tailbox__reader *r, uint64_t at, uint64_t next,
                      struct entry *e)
{
	struct places now;
	int rc = read_ring(r, &e->head, sizeof(e->head), at);

	e->is_good = rc == 0 && can_be(&e->head, at, next);
	if (e->is_good)
		rc = read_ring(r, e->bytes, e->head.bytes, at);
	if (rc == 0)
		rc = read_places(r, &now);
	if (rc != 0)
		return rc;
	e->first = now.first;
	e->is_gone = now.first > at;
	e->is_good = e->is_good &&
	             memcmp(e->bytes, &e->head, sizeof(e->head)) == 0 &&
	             is_whole(e->bytes, e->head);
	return 0;
}

static int hand_out(const struct entry *e, tailbox__kept_fn fn, void *cls)
{
	struct tailbox__rec_span spans[TAILBOX__KEPT_SPANS_MAX];
	const char *records = e->bytes + sizeof(e->head);
	const struct tailbox__kept_request k = {
		.why = e->head.why,
		.cut_spans = e->head.cut_spans,
		.records = records,
		.record_bytes = 64u * e->head.units,
		.spans = spans,
		.span_count = e->head.spans,
	};

	memcpy(spans, records + k.record_bytes,
	       k.span_count * sizeof(spans[0]));
	return fn(cls, &k);
}

/* Where the entries are; none, and counted, where that makes no sense. */
static int find_places(struct tailbox__reader *r, struct places *p)
{
	*p = (struct places){ 0, 0 };
	if (!has_rare(r)) {
		r->damaged_kept += r->header.rare_bytes != 0;
		return 0;
	}
	const int rc = read_places(r, p);
	if (rc == 0 && p->next >= p->first &&
	    p->next - p->first <= ring_bytes(r) && p->first % UNIT == 0 &&
	    p->next % UNIT == 0)
		return 0;
	r->damaged_kept += rc == 0;
	*p = (struct places){ 0, 0 };
	return rc;
}

int tailbox__reader_kept(struct tailbox__reader *r, tailbox__kept_fn fn,
                         void *cls)
{
	bool was_good = true;
	struct places p;
	struct entry e;
	int rc = find_places(r, &p);

	for (uint64_t at = p.first; rc == 0 && at < p.next;) {
		rc = read_entry(r, at, p.next, &e);
		if (rc != 0)
			break;
		if (e.is_gone) { /* or `first` is nonsense now: the end */
			at = e.first;
			continue;
		}
		at += e.is_good ? e.head.bytes : UNIT;
		if (e.is_good)
			rc = hand_out(&e, fn, cls);
		else /* units of one gap count once */
			r->damaged_kept += was_good;
		was_good = e.is_good;
	}
	return rc;
}

uint64_t tailbox__reader_damaged_kept(const struct tailbox__reader *r)
{
	return r->damaged_kept;
}

void tailbox__kept_status(struct tailbox__reader *r,
                          struct tailbox__kept_status *out)
{
	struct tailbox__rare rare;

	memset(out, 0, sizeof(*out));
	if (!has_rare(r) || tailbox__reader_at(r, &rare, sizeof(rare),
	                                       r->header.rare_off) != 0)
		return;
	out->bytes = r->header.rare_bytes;
	out->slow_ns = tailbox__kept_slow_ns(tailbox__reader_scale(r),
	                                     TAILBOX__GET(rare.slow));
	out->kept = TAILBOX__GET(rare.kept);
	out->overwritten = TAILBOX__GET(rare.overwritten);
	out->passed_over = TAILBOX__GET(rare.passed_over);
	out->cut_spans = TAILBOX__GET(rare.cut_spans);
}

/* --- spans ---------------------------------------------------------------- */

struct block_head {
	uint64_t head, pub, thread, first_tick, order;
};

/* Records of a block of spans, if it is still the one that its head says. */
static int hand_spans(struct tailbox__reader *r, uint64_t at,
                      const struct block_head *b, tailbox__records_fn fn,
                      void *cls)
{
	const uint64_t ticket = TAILBOX__HEAD_TICKET(b->head);
	const size_t bytes = (size_t)(b->pub & 0xffff) * TAILBOX__UNIT;
	uint64_t again = 0;

	if (b->pub >> 16 != (ticket & 0xffffffffffffull) || bytes == 0 ||
	    bytes > r->header.block_bytes - sizeof(struct tailbox__block))
		return 0;
	int rc = tailbox__reader_at(r, r->buf, bytes,
	                            at + sizeof(struct tailbox__block));
	if (rc == 0)
		rc = tailbox__reader_at(r, &again, sizeof(again), at);
	if (rc != 0 || TAILBOX__HEAD_TICKET(again) != ticket)
		return rc;
	return fn(cls, TAILBOX__BLOCK_SPANS, (uint32_t)b->thread, r->buf,
	          bytes);
}

struct look {
	uint64_t from, to;
	tailbox__records_fn fn;
	void *cls;
	/* Of each thread: its present block, and when the oldest one that was
	 * found was taken. */
	uint64_t present[THREADS], reach[THREADS];
	size_t open; /* threads whose reach is neither 0 nor ALL_OF_IT */
};

static void found(struct look *l, const struct block_head *b)
{
	uint64_t *reach = &l->reach[b->thread % THREADS];

	l->open -= *reach > ALL_OF_IT;
	if (b->first_tick <= l->from || b->order == 1)
		*reach = ALL_OF_IT;
	else if (*reach != ALL_OF_IT)
		*reach = b->first_tick;
	l->open += *reach > ALL_OF_IT;
}

/* The block of a ticket; *is_old: it was taken before `from`. */
static int look_at(struct tailbox__reader *r, struct look *l, uint64_t ticket,
                   bool is_present, bool *is_old)
{
	const struct tailbox__tape_header *h = &r->header;
	const uint64_t at =
	        h->blocks_off + ticket % h->blocks_max * h->block_bytes;
	struct block_head b;
	int rc = tailbox__reader_at(r, &b, sizeof(b), at);

	*is_old = rc == 0 && b.first_tick <= l->from;
	/* What is skipped carries an older ticket. */
	if (rc != 0 || TAILBOX__HEAD_KIND(b.head) != TAILBOX__BLOCK_SPANS ||
	    TAILBOX__HEAD_TICKET(b.head) != ticket)
		return rc;
	const size_t thread = b.thread % THREADS;
	if (is_present)
		l->present[thread] = ticket;
	else if (l->present[thread] == ticket ||
	         l->reach[thread] == ALL_OF_IT)
		return 0;
	found(l, &b);
	return b.first_tick > l->to ? 0
	                            : hand_spans(r, at, &b, l->fn, l->cls);
}

/* The block that each thread writes to, however old it is; then the others,
 * newest first, until they are older than `from` and no thread has one of before
 * to be found: an older one was full by then. */
static int look_at_all(struct tailbox__reader *r, struct look *l)
{
	const struct tailbox__thread_entry *t;
	const long threads = tailbox__reader_threads(r, &t);
	uint64_t last = 0;
	bool is_old = false;
	int rc = threads < 0 ? (int)threads : 0;

	for (long i = 0; rc == 0 && i < threads; i++) {
		const uint64_t ticket =
		        TAILBOX__GET(t[i].block_ticket[TAILBOX__BLOCK_SPANS]);
		if (ticket != 0)
			rc = look_at(r, l, ticket, true, &is_old);
	}
	if (rc == 0)
		rc = tailbox__reader_at(r, &last, sizeof(last),
		                        offsetof(struct tailbox__tape_header,
		                                 next_ticket));
	uint64_t count = last < r->header.blocks_max ? last
	                                             : r->header.blocks_max;
	if (count > SPAN_BLOCKS_MAX)
		count = SPAN_BLOCKS_MAX;
	is_old = false;
	for (uint64_t i = 0; rc == 0 && i < count && (!is_old || l->open); i++)
		rc = look_at(r, l, last - i, false, &is_old);
	return rc;
}

int tailbox__reader_spans(struct tailbox__reader *r, uint64_t from, uint64_t to,
                          tailbox__records_fn fn, void *cls,
                          uint64_t *whole_from)
{
	struct look l = { .from = from, .to = to, .fn = fn, .cls = cls };
	const int rc = look_at_all(r, &l);

	*whole_from = rc != 0 ? UINT64_MAX : 0;
	for (size_t i = 0; rc == 0 && i < THREADS; i++)
		if (l.reach[i] > ALL_OF_IT && l.reach[i] > *whole_from)
			*whole_from = l.reach[i];
	return rc;
}
