/* cli/tail.c - finished requests of a tape, as it fills.
 *
 * SPDX-License-Identifier: MIT
 *
 * A request's waits are records of their own, in other blocks, and all of them
 * were published before the request's own record was. So whatever a look finds
 * of requests is kept until the next look has found all of their waits.
 *
 * What was skipped is known by the writers' own counters: requests that were
 * recorded since the start, less those that were read.
 */
#include "cli/tail.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

/* So many waits are kept before it is asked whose they are. */
#define WAITS_LOOK 4096u

struct wait {
	uint64_t number, ticks;
	uint16_t name;
	bool is_orphan; /* as far as the look before could tell */
};

struct found {
	uint64_t end, number;
	size_t at, bytes; /* its records, in the text of its look */
};

/* What one look found. */
struct batch {
	TAILBOX__LIST(struct found) requests;
	char *records;
	size_t len, room;
};

struct cli__tail {
	struct tailbox__reader *reader;
	struct cli__tail_filter filter;
	uint64_t since;
	struct batch batches[2]; /* of this look, of the one before */
	unsigned now;            /* which is of this one */
	TAILBOX__LIST(struct wait) waits;
	size_t waits_look;
	uint64_t base, read, skipped, lost_blocks;
	bool is_first;
};

bool cli__tail_status(const char *text, struct cli__tail_filter *f)
{
	if (text[0] < '1' || text[0] > '5' || strlen(text) != 3)
		return false;
	const unsigned first = (unsigned)(text[0] - '0') * 100;

	f->status_from = first;
	f->status_to = first + 99;
	if (!strcmp(text + 1, "xx"))
		return true;
	if (strspn(text, "0123456789") != 3)
		return false;
	f->status_from = f->status_to = (unsigned)strtoul(text, NULL, 10);
	return true;
}

static uint64_t finished(struct tailbox__reader *r)
{
	return tailbox__reader_sum(
	        r, offsetof(struct tailbox__thread_entry, finished));
}

struct cli__tail *cli__tail_create(struct tailbox__reader *r,
                                   const struct cli__tail_filter *filter,
                                   uint64_t since)
{
	struct cli__tail *t = tailbox__zalloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->reader = r;
	t->filter = *filter;
	t->since = since;
	t->is_first = true;
	t->waits_look = WAITS_LOOK;
	return t;
}

void cli__tail_destroy(struct cli__tail *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < 2; i++) {
		tailbox__free(t->batches[i].requests.items);
		tailbox__free(t->batches[i].records);
	}
	tailbox__free(t->waits.items);
	tailbox__free(t);
}

/* --- a look --------------------------------------------------------------- */

static bool keep_records(struct batch *b, const char *records, size_t bytes)
{
	if (bytes == 0) /* there may be no memory to add nothing to */
		return true;
	if (b->room - b->len < bytes) {
		const size_t room = b->room + b->room / 2 + bytes + 4096;
		char *grown = tailbox__realloc(b->records, room, 1);
		if (!grown)
			return false;
		b->records = grown;
		b->room = room;
	}
	memcpy(b->records + b->len, records, bytes);
	b->len += bytes;
	return true;
}

static int take_requests(struct cli__tail *t, const char *records, size_t bytes)
{
	struct batch *b = &t->batches[t->now];
	struct tailbox__rec_request q;

	for (size_t at = 0; at + sizeof(q) <= bytes; at += sizeof(q)) {
		memcpy(&q, records + at, sizeof(q));
		if (q.type != TAILBOX__REC_REQUEST)
			continue;
		const uint64_t end = q.line + tailbox__unpack(q.total);
		t->read++;
		size_t size = ((size_t)q.more + 1) * sizeof(q);
		if (size > bytes - at)
			size = bytes - at;
		if (end < t->since)
			size = 0; /* only its waits are taken off */
		struct found *f = tailbox__list_add(&b->requests);
		if (!f)
			return -ENOMEM;
		*f = (struct found){ end, q.number, b->len, size };
		if (!keep_records(b, records + at, size))
			return -ENOMEM;
	}
	return 0;
}

static int take_spans(struct cli__tail *t, const char *records, size_t bytes)
{
	struct tailbox__rec_span s;

	for (size_t at = 0; at + sizeof(s) <= bytes; at += sizeof(s)) {
		memcpy(&s, records + at, sizeof(s));
		if (s.type != TAILBOX__SPAN_WAIT)
			continue;
		struct wait *w = tailbox__list_add(&t->waits);
		if (!w)
			return -ENOMEM;
		*w = (struct wait){ s.number, tailbox__unpack(s.dur), s.name,
			            false };
	}
	return 0;
}

static int take(void *cls, unsigned kind, uint32_t thread, const char *records,
                size_t bytes)
{
	(void)thread;
	if (kind == TAILBOX__BLOCK_REQUESTS)
		return take_requests(cls, records, bytes);
	if (kind == TAILBOX__BLOCK_SPANS)
		return take_spans(cls, records, bytes);
	return 0;
}

/* --- what it found -------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const struct wait *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int by_end(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Waits of the request, which are taken off: they stand together. */
static void add_waits(struct cli__tail *t, uint64_t number,
                      struct tailbox__line *line)
{
	const struct tailbox__clock_scale scale =
	        tailbox__reader_scale(t->reader);
	const struct wait key = { .number = number };
	struct wait *items = t->waits.items;
	struct wait *w = t->waits.count ? bsearch(&key, items, t->waits.count,
	                                          sizeof(key), by_number)
	                                : NULL;

	if (!w)
		return;
	while (w > items && w[-1].number == number)
		w--;
	for (; w < items + t->waits.count && w->number == number; w++) {
		if (line && w->name)
			tailbox__line_wait(
			        line,
			        tailbox__reader_name(t->reader, w->name, NULL),
			        tailbox__ticks_to_ns(scale, w->ticks));
		w->name = 0; /* taken */
	}
}

static bool is_wanted(const struct cli__tail_filter *f,
                      const struct tailbox__line *l)
{
	return l->total_ns >= f->slow_ns &&
	       (!f->route || !strcmp(f->route, l->route)) &&
	       (!f->status_to ||
	        (l->status >= f->status_from && l->status <= f->status_to));
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Waits of requests that are neither open nor just found: theirs were
 * overwritten, or cut by the kill switch, or never will be. A request that ended
 * after the look is neither, too, so it takes two looks. */
static int forget_orphans(struct cli__tail *t)
{
	const struct batch *b = &t->batches[t->now];
	const struct tailbox__slot *slots;
	const long n = tailbox__reader_slots(t->reader, &slots);
	size_t count = 0, kept = 0;

	if (n < 0)
		return (int)n;
	uint64_t *numbers = tailbox__alloc((size_t)n + b->requests.count + 1,
	                                   sizeof(*numbers));
	if (!numbers)
		return -ENOMEM;
	for (long i = 0; i < n; i++)
		if (TAILBOX__GET(slots[i].state) == TAILBOX__SLOT_OPEN)
			numbers[count++] = TAILBOX__GET(slots[i].number);
	for (size_t i = 0; i < b->requests.count; i++)
		numbers[count++] = b->requests.items[i].number;
	qsort(numbers, count, sizeof(*numbers), by_value);
	size_t orphans = 0;
	for (size_t i = 0; i < t->waits.count; i++) {
		struct wait w = t->waits.items[i];
		const bool was = w.is_orphan;
		w.is_orphan = !bsearch(&w.number, numbers, count,
		                       sizeof(*numbers), by_value);
		orphans += w.is_orphan && !was;
		if (!w.is_orphan || !was)
			t->waits.items[kept++] = w;
	}
	tailbox__free(numbers);
	t->waits.count = kept;
	t->waits_look = orphans == 0 && 2 * kept > WAITS_LOOK ? 2 * kept
	                                                       : WAITS_LOOK;
	return 0;
}

static int forget_taken(struct cli__tail *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->waits.count; i++)
		if (t->waits.items[i].name)
			t->waits.items[kept++] = t->waits.items[i];
	t->waits.count = kept;
	return kept > t->waits_look ? forget_orphans(t) : 0;
}

static int hand_out(struct cli__tail *t, struct batch *b, cli__tail_fn fn,
                    void *cls)
{
	struct tailbox__line line;
	int rc = 0;

	if (t->waits.count)
		qsort(t->waits.items, t->waits.count, sizeof(*t->waits.items),
		      by_number);
	if (b->requests.count)
		qsort(b->requests.items, b->requests.count,
		      sizeof(*b->requests.items), by_end);
	for (size_t i = 0; i < b->requests.count && rc == 0; i++) {
		const struct found *f = &b->requests.items[i];
		const bool is = f->bytes &&
		                tailbox__line_read(&line, t->reader,
		                                   b->records + f->at,
		                                   f->bytes) &&
		                is_wanted(&t->filter, &line);
		add_waits(t, f->number, is ? &line : NULL);
		if (is)
			rc = fn(cls, &line);
	}
	b->requests.count = 0;
	b->len = 0;
	const int forgotten = forget_taken(t);
	return rc ? rc : forgotten;
}

/* Skipped blocks may have held spans only: the counters tell. */
static void count_skipped(struct cli__tail *t, uint64_t recorded)
{
	const uint64_t lost = tailbox__reader_lost_blocks(t->reader);

	if (lost == t->lost_blocks)
		return;
	if (recorded - t->base > t->read)
		t->skipped = recorded - t->base - t->read;
}

int cli__tail_poll(struct cli__tail *t, cli__tail_fn fn, void *cls)
{
	(void)tailbox__reader_refresh(t->reader); /* for the clock's scale */
	/* Before the look: all that is counted here it finds, or is lost. */
	const uint64_t recorded = finished(t->reader);
	t->now ^= 1;
	int rc = tailbox__reader_poll(t->reader, take, t);
	if (rc < 0)
		return rc;
	if (t->is_first) {
		/* What was overwritten before is none of ours. */
		t->is_first = false;
		t->base = recorded > t->read ? recorded - t->read : 0;
		t->lost_blocks = tailbox__reader_lost_blocks(t->reader);
	}
	count_skipped(t, recorded);
	return hand_out(t, &t->batches[t->now ^ 1], fn, cls);
}

uint64_t cli__tail_skipped(const struct cli__tail *t)
{
	return t->skipped;
}

uint64_t cli__tail_damaged(const struct cli__tail *t)
{
	return tailbox__reader_damaged_blocks(t->reader) +
	       tailbox__reader_damaged_names(t->reader);
}

/* --- kept ones -------------------------------------------------------------- */

struct kept {
	struct tailbox__reader *reader;
	const struct cli__tail_filter *filter;
	uint64_t since;
	cli__tail_fn fn;
	void *cls;
};

static int take_kept(void *cls, const struct tailbox__kept_request *k)
{
	const struct kept *t = cls;
	struct tailbox__line line;

	if (!tailbox__line_kept(&line, t->reader, k) || line.end < t->since ||
	    !is_wanted(t->filter, &line))
		return 0;
	return t->fn(t->cls, &line);
}

int cli__tail_kept(struct tailbox__reader *r,
                   const struct cli__tail_filter *filter, uint64_t since,
                   cli__tail_fn fn, void *cls)
{
	struct kept t = { r, filter, since, fn, cls };

	return tailbox__reader_kept(r, take_kept, &t);
}
