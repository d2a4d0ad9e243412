/* controller/spool.c - the armed window's records, in a file.
 *
 * SPDX-License-Identifier: MIT
 *
 * Frames of {kind, thread, bytes} and the records as they were on the tape,
 * through a buffer. It is bounded by the window's limits:
 *
 *   requests  When the first N are spooled a cutoff is set to now: N lines are
 *             before it, so a later line cannot be among the first N. What
 *             still comes is bounded by what is open.
 *   spans     Four times the limit of each kind: some of them may not belong
 *             (late, or of a request that was begun before the window).
 *   stacks    What a run takes: they come in their order.
 *   holds     Twice what a run takes: it takes the first by their starts, and
 *             they come in the order of their ends.
 *   samples   The sampler's own retention, which ends them without a word.
 *
 * What is left out is counted; the assembly counts it as dropped.
 *
 * When the disk is full the file is emptied, so that the service has the room
 * back, and the window is lost: its error stands in status.
 */
#include "controller/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/fd.h"
#include "core/record.h"

enum {
	BUFFER_BYTES = 65536,
	BATCH_BYTES = TAILBOX__BLOCK_MOST,
	BOUND_MIN = 65536 /* so that small limits lose nothing to the bound */
};

struct frame {
	uint32_t kind, thread;
	uint64_t bytes;
};

struct tailbox__spool {
	int fd;
	uint64_t from;
	uint64_t cutoff; /* tick; UINT64_MAX = none yet */
	uint64_t max_requests, max_samples;
	uint64_t bound_stages, bound_waits, bound_moves;
	struct tailbox__spool_counts counts;
	size_t used;
	char buffer[BUFFER_BYTES];
};

static uint64_t bound_of(uint64_t limit)
{
	if (limit > UINT64_MAX / 4)
		return UINT64_MAX;
	return limit < BOUND_MIN / 4 ? BOUND_MIN : 4 * limit;
}

struct tailbox__spool *tailbox__spool_create(int fd, uint64_t from,
                                             const struct tailbox__limits *l,
                                             uint64_t max_samples)
{
	struct tailbox__spool *s = tailbox__alloc(1, sizeof(*s));

	if (!s)
		return NULL;
	/* Not the buffer: it is 64 KB. */
	memset(s, 0, offsetof(struct tailbox__spool, buffer));
	s->fd = fd;
	s->from = from;
	s->max_requests = l->max_requests;
	s->cutoff = l->max_requests ? UINT64_MAX : 0;
	s->bound_stages = bound_of(l->max_stages);
	s->bound_waits = bound_of(l->max_queues);
	s->bound_moves = bound_of(l->max_inflight_snapshots);
	s->max_samples = max_samples;
	return s;
}

void tailbox__spool_destroy(struct tailbox__spool *s)
{
	if (!s)
		return;
	close(s->fd);
	tailbox__free(s);
}

void tailbox__spool_forget(struct tailbox__spool *s)
{
	if (s)
		close(s->fd);
}

void tailbox__spool_set_from(struct tailbox__spool *s, uint64_t from)
{
	s->from = from;
}

void tailbox__spool_fail(struct tailbox__spool *s, int error)
{
	if (!s->counts.error)
		s->counts.error = error;
}

struct tailbox__spool_counts
tailbox__spool_counts(const struct tailbox__spool *s)
{
	struct tailbox__spool_counts counts = s->counts;

	counts.bytes += s->used;
	return counts;
}

int tailbox__spool_flush(struct tailbox__spool *s)
{
	if (s->counts.error)
		return s->counts.error;
	const int ret = tailbox__fd_write(s->fd, s->buffer, s->used);
	if (ret == 0) {
		s->counts.bytes += s->used;
	} else {
		s->counts.error = ret;
		s->counts.bytes = 0;
		/* If even this fails the file goes with the window. */
		if (ftruncate(s->fd, 0) != 0)
			errno = 0;
	}
	s->used = 0;
	return ret;
}

/* --- taking records ---------------------------------------------------- */

/* A batch is copied once, into the buffer, and made smaller where it lies:
 * keep() moves what stays to the front. */
struct batch {
	char *at;
	size_t kept;
};

static void keep(struct batch *b, size_t from, size_t bytes)
{
	if (from != b->kept)
		memmove(b->at + b->kept, b->at + from, bytes);
	b->kept += bytes;
}

/* An ingress wait is a queue event of its own. */
static bool has_ingress(const char *group, unsigned more)
{
	struct tailbox__rec_more m;

	if (!more)
		return false;
	memcpy(&m, group + sizeof(struct tailbox__rec_request), sizeof(m));
	return m.type == TAILBOX__REC_MORE && m.ingress;
}

static void keep_requests(struct tailbox__spool *s, struct batch *b,
                          size_t bytes)
{
	struct tailbox__spool_counts *c = &s->counts;
	struct tailbox__rec_request r;

	for (size_t at = 0; at + sizeof(r) <= bytes;) {
		memcpy(&r, b->at + at, sizeof(r));
		const size_t n = sizeof(r) * (1 + (size_t)r.more);
		if (r.line > s->cutoff) {
			c->left_requests++;
		} else {
			c->requests++;
			c->waits += has_ingress(b->at + at, r.more);
			keep(b, at, n);
			if (c->requests >= s->max_requests &&
			    s->cutoff == UINT64_MAX)
				s->cutoff = tailbox__now();
		}
		at += n;
	}
}

/* Where a kind of span is counted, and how many of it are kept. */
static bool count_span(struct tailbox__spool *s, unsigned type)
{
	struct tailbox__spool_counts *c = &s->counts;
	uint64_t *kept = &c->moves, *left = &c->left_moves;
	uint64_t bound = s->bound_moves;

	if (type == TAILBOX__SPAN_STAGE) {
		kept = &c->stages;
		left = &c->left_stages;
		bound = s->bound_stages;
	} else if (type == TAILBOX__SPAN_WAIT) {
		kept = &c->waits;
		left = &c->left_waits;
		bound = s->bound_waits;
	} else if (type == TAILBOX__SPAN_HOLD) {
		kept = &c->holds;
		left = &c->left_holds;
		bound = 2 * TAILBOX__HOLDS_MAX;
	}
	const bool is_kept = *kept < bound;
	++*(is_kept ? kept : left);
	return is_kept;
}

static void keep_spans(struct tailbox__spool *s, struct batch *b, size_t bytes)
{
	const size_t n = sizeof(struct tailbox__rec_span);

	for (size_t at = 0; at + n <= bytes; at += n)
		if (count_span(s, (unsigned char)b->at[at]))
			keep(b, at, n);
}

static void keep_samples(struct tailbox__spool *s, struct batch *b,
                         size_t bytes)
{
	union {
		struct tailbox__rec_sample sample;
		struct tailbox__rec_stack stack;
	} r;
	struct tailbox__spool_counts *c = &s->counts;

	for (size_t at = 0; at + sizeof(r) <= bytes;) {
		memcpy(&r, b->at + at, sizeof(r));
		const bool is_stack = r.stack.type == TAILBOX__REC_STACK;
		const unsigned more = is_stack ? r.stack.more : r.sample.more;
		const size_t n = sizeof(r) * (1 + (size_t)more);
		const bool is_kept = is_stack
		                             ? c->stacks < TAILBOX__STACKS_MAX
		                             : c->samples < s->max_samples;
		if (is_stack)
			++*(is_kept ? &c->stacks : &c->left_stacks);
		else
			c->samples += is_kept;
		if (is_kept)
			keep(b, at, n);
		at += n;
	}
}

void tailbox__spool_add(struct tailbox__spool *s, uint64_t until, unsigned kind,
                        uint32_t thread, const char *records, size_t bytes)
{
	const struct tailbox__assembly_config c = { .from_tick = s->from,
		                                    .until_tick = until };
	struct frame f = { kind, thread, 0 };

	if (s->counts.error || bytes > BATCH_BYTES)
		return;
	if (s->used + sizeof(f) + bytes > sizeof(s->buffer) &&
	    tailbox__spool_flush(s) != 0)
		return;
	struct batch b = { s->buffer + s->used + sizeof(f), 0 };
	memcpy(b.at, records, bytes);
	bytes = tailbox__assembly_filter(&c, kind, b.at, bytes);
	if (kind == TAILBOX__BLOCK_REQUESTS)
		keep_requests(s, &b, bytes);
	else if (kind == TAILBOX__BLOCK_SPANS)
		keep_spans(s, &b, bytes);
	else if (kind == TAILBOX__BLOCK_SAMPLES)
		keep_samples(s, &b, bytes);
	if (!b.kept)
		return;
	f.bytes = b.kept;
	memcpy(s->buffer + s->used, &f, sizeof(f));
	s->used += sizeof(f) + b.kept;
}

/* --- giving them back -------------------------------------------------- */

static int read_at(int fd, void *to, size_t bytes, uint64_t offset)
{
	size_t done = 0;

	while (done < bytes) {
		const ssize_t n = pread(fd, (char *)to + done, bytes - done,
		                        (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* somebody else cut the file */
		done += (size_t)n;
	}
	return 0;
}

/* Feed the whole frames at the front of a buffer; gives what they took. */
static long feed_frames(struct tailbox__assembly *a, const char *buffer,
                        size_t bytes)
{
	size_t at = 0;
	struct frame f;

	while (at + sizeof(f) <= bytes) {
		memcpy(&f, buffer + at, sizeof(f));
		if (f.bytes > BATCH_BYTES)
			return -EIO;
		if (f.bytes > bytes - at - sizeof(f))
			break;
		const int ret =
		        tailbox__assembly_add(a, f.kind, f.thread,
		                              buffer + at + sizeof(f), f.bytes);
		if (ret < 0)
			return ret;
		at += sizeof(f) + f.bytes;
	}
	return (long)at;
}

int tailbox__spool_feed(const struct tailbox__spool *s, uint64_t bytes,
                        struct tailbox__assembly *a)
{
	char *buffer = tailbox__alloc(BUFFER_BYTES, 1);
	long ret = buffer ? 0 : -ENOMEM;

	for (uint64_t at = 0; ret >= 0 && at < bytes; at += (uint64_t)ret) {
		const size_t n = bytes - at < BUFFER_BYTES
		                         ? (size_t)(bytes - at)
		                         : BUFFER_BYTES;
		ret = read_at(s->fd, buffer, n, at);
		if (ret == 0)
			ret = feed_frames(a, buffer, n);
		if (ret == 0)
			ret = -EIO; /* a frame that does not end */
	}
	tailbox__free(buffer);
	return ret < 0 ? (int)ret : 0;
}
