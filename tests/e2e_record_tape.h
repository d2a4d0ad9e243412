/* tests/e2e_record_tape.h - the requests and connections that a daemon leaves
 * on the tape, read back by its reader.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_E2E_RECORD_TAPE_H
#define TAILBOX_TESTS_E2E_RECORD_TAPE_H 1

#include <stddef.h>

#include "core/run.h"
#include "tests/e2e_client.h"
#include "tests/recorder_fixture.h"

static struct tailbox__reader *reader;
static struct fixture_records got;

struct seen {
	struct tailbox__rec_request r;
	struct tailbox__rec_more m;
	struct tailbox__rec_trace t;
	bool has_more, has_trace;
};
static struct seen seen[64];
static size_t seen_count;
static struct tailbox__rec_connection connections[16];
static size_t connection_count;

static inline size_t take(const char *p)
{
	struct seen *s = &seen[seen_count < 64 ? seen_count++ : 63];
	size_t n = 64;

	memset(s, 0, sizeof(*s));
	memcpy(&s->r, p, 64);
	for (int i = 0; i < s->r.more; i++, n += 64) {
		if (p[n] == TAILBOX__REC_MORE) {
			memcpy(&s->m, p + n, 64);
			s->has_more = true;
		} else if (p[n] == TAILBOX__REC_TRACE) {
			memcpy(&s->t, p + n, 64);
			s->has_trace = true;
		}
	}
	return n;
}

/* Blocks of different threads come in no order. */
static inline int by_line(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return x->r.line < y->r.line ? -1 : x->r.line > y->r.line;
}

static inline int by_opened(const void *a, const void *b)
{
	const struct tailbox__rec_connection *x = a, *y = b;

	return x->opened < y->opened ? -1 : x->opened > y->opened;
}

/* All that was recorded so far; the first 64 requests in detail. */
static inline void look(void)
{
	const size_t kind = TAILBOX__BLOCK_REQUESTS;

	fixture_forget(&got);
	tailbox__reader_rewind(reader);
	ck_assert_int_eq(tailbox__reader_poll(reader, fixture_collect, &got),
	                 0);
	seen_count = connection_count = 0;
	for (size_t at = 0; at < got.len[kind];) {
		const char *p = got.bytes[kind] + at;
		if (*p == TAILBOX__REC_REQUEST) {
			at += take(p);
			continue;
		}
		ck_assert_int_eq(*p, TAILBOX__REC_CONNECTION);
		if (connection_count < 16)
			memcpy(&connections[connection_count++], p, 64);
		at += 64;
	}
	qsort(seen, seen_count, sizeof(seen[0]), by_line);
	qsort(connections, connection_count, sizeof(connections[0]), by_opened);
}

static inline uint64_t sum(size_t field)
{
	return tailbox__reader_sum(reader, field);
}
#define SUM_OF(name) sum(offsetof(struct tailbox__thread_entry, name))

static inline double ms_of(uint32_t packed)
{
	return (double)tailbox__ticks_to_ns(tailbox__reader_scale(reader),
	                                    tailbox__unpack(packed)) / 1e6;
}

static inline const char *route_of(const struct seen *s)
{
	return tailbox__reader_name(reader, s->r.route, NULL);
}

static inline bool is_recorded(void *cls)
{
	look();
	return seen_count >= *(size_t *)cls;
}

/* Wait for `n` requests and no more than that. */
static inline void want(size_t n)
{
	e2e_wait(is_recorded, &n, "records");
	ck_assert_uint_eq(seen_count, n);
}

static inline uint32_t known(const struct seen *s, uint32_t bits)
{
	return s->r.known & bits;
}

/* What holds of every request. */
static inline void check_sane(const struct seen *s)
{
	double total = ms_of(s->r.total);
	double parts = ms_of(s->r.headers) + ms_of(s->r.body) +
	               ms_of(s->r.handler) + ms_of(s->r.suspended) +
	               ms_of(s->r.send);

	ck_assert_uint_ne(s->r.number, 0);
	ck_assert_uint_ne(s->r.connection, 0);
	ck_assert_str_eq(tailbox__reader_name(reader, s->r.kind, NULL), "http");
	/* Suspended time runs from the call, in which the handler still is. */
	if (s->r.known & TAILBOX__KNOWN_SUSPENDED)
		parts -= ms_of(s->r.handler);
	ck_assert_msg(parts <= total + 0.001, "%f of %f ms", parts, total);
}

/* Is there a request in phase *cls? */
static inline bool has_open(void *cls)
{
	const struct tailbox__slot *slots;
	long n = tailbox__reader_slots(reader, &slots);

	for (long i = 0; i < n; i++)
		if (TAILBOX__GET(slots[i].state) == TAILBOX__SLOT_OPEN &&
		    TAILBOX__GET(slots[i].phase) == *(uint32_t *)cls)
			return true;
	return false;
}

static inline void reach(uint32_t phase)
{
	e2e_wait(has_open, &phase, tailbox__phase_names[phase]);
}

static inline void tape_open(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	fixture_open((uint64_t)4 << 20);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, &err), 0);
}

static inline void tape_close(void)
{
	tailbox__reader_close(reader);
	reader = NULL;
	fixture_forget(&got);
	fixture_close();
}

#endif
