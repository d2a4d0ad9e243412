/* tests/rare_fixture.h - a recorder that keeps rare requests, on a clock that
 * goes on when a test says so, and what a reader finds of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_RARE_FIXTURE_H
#define TAILBOX_TESTS_RARE_FIXTURE_H 1

#include <tailbox/span.h>

#include "core/kept.h"
#include "core/run.h"
#include "core/tape_run.h"
#include "tests/controller_fixture.h"

enum { TAPE = 1 << 20, RING = TAPE / 16 - 128 };

static _Atomic uint64_t now = 1000000000000;

static inline uint64_t tick(void)
{
	return now;
}

static struct tailbox__reader *reader;

static inline void open_all(uint64_t tape, uint64_t rare)
{
	tailbox__clock_inject(tick, 1000000000);
	tailbox__tape_set_rare(rare);
	if (fixture_dirfd < 0)
		fixture_folder();
	ck_assert_int_eq(tailbox__recorder_open(fixture_dirfd, fixture_dir,
	                                        "test", "1.0", tape, NULL),
	                 0);
	snprintf(artifact_dir, sizeof(artifact_dir), "%s/a/b", fixture_dir);
	tailbox__rare_set(500);
	start_with(0);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, NULL),
	                 0);
}

static inline void rare_open(void)
{
	open_all(TAPE, UINT64_MAX);
}

static inline void rare_close(void)
{
	tailbox__reader_close(reader);
	controller_close();
	tailbox__tape_set_rare(UINT64_MAX);
	tailbox__rare_set(0);
	tailbox__clock_inject(NULL, 0);
}

/* --- what is there ------------------------------------------------------ */

enum { SEEN_MAX = 1024 };

static struct {
	size_t count;
	struct {
		uint64_t number, end;
		char route[64];
		uint32_t why, cut;
		size_t spans, units;
		uint64_t span_ticks;
	} items[SEEN_MAX];
} seen;

static inline int see(void *cls, const struct tailbox__kept_request *k)
{
	struct tailbox__reader *r = cls;
	struct tailbox__rec_request q;

	ck_assert_uint_lt(seen.count, SEEN_MAX);
	memcpy(&q, k->records, sizeof(q));
	seen.items[seen.count].number = q.number;
	seen.items[seen.count].end = q.line + tailbox__unpack(q.total);
	snprintf(seen.items[seen.count].route, 64, "%s",
	         tailbox__reader_name(r, q.route, NULL));
	seen.items[seen.count].why = k->why;
	seen.items[seen.count].cut = k->cut_spans;
	seen.items[seen.count].spans = k->span_count;
	seen.items[seen.count].units = k->record_bytes / 64;
	seen.items[seen.count].span_ticks = 0;
	for (size_t i = 0; i < k->span_count; i++) {
		ck_assert_uint_eq(k->spans[i].number, q.number);
		seen.items[seen.count].span_ticks +=
		        tailbox__unpack(k->spans[i].dur);
	}
	seen.count++;
	return 0;
}

static inline void look_at(struct tailbox__reader *r)
{
	seen.count = 0;
	ck_assert_int_eq(tailbox__reader_kept(r, see, r), 0);
}

static inline struct tailbox__kept_status told(void)
{
	struct tailbox__kept_status s;

	tailbox__kept_status(reader, &s);
	return s;
}

/* What was noted is put into the ring when the follower's rest is over. */
static inline void settle(uint64_t kept)
{
	for (int i = 0; i < wait_s() * 1000; i++) {
		const struct timespec ms = { .tv_nsec = 1000000 };
		ck_assert_int_eq(tailbox__follow(), 0);
		if (told().kept >= kept)
			break;
		nanosleep(&ms, NULL);
	}
	ck_assert_uint_eq(told().kept, kept);
	look_at(reader);
}

static inline char *ring_at(uint64_t place)
{
	return (char *)(tailbox__recorder.tape.rare + 1) + place % RING;
}

/* --- requests ----------------------------------------------------------- */

static inline void request(const char *route, uint64_t ms, const char *outcome)
{
	tailbox_request r = tailbox_request_begin(route, "job");

	ck_assert_ptr_nonnull(r);
	now += ms * 1000000;
	tailbox_request_finish(r, outcome);
	now += 1000;
}

static inline void slow_with_spans(const char *route)
{
	tailbox_request r = tailbox_request_begin(route, "job");

	TAILBOX_STAGE(r, "work") {
		now += 700000000;
	}
	TAILBOX_WAIT(r, "pool", 3) {
		now += 100000000;
	}
	tailbox_request_finish(r, "timeout");
	now += 1000;
}

static inline void flood(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		request("/fast", 1, NULL);
		if (i % 1000 == 0)
			ck_assert_int_eq(tailbox__follow(), 0);
	}
}

/* --- in a run ----------------------------------------------------------- */

static inline size_t times_in(const struct tailbox__run *run, uint64_t number)
{
	size_t n = 0;

	for (size_t i = 0; run && i < run->requests.count; i++)
		n += run->ext.items[run->requests.items[i].ext - 1].number ==
		     number;
	return n;
}

/* Each that was seen is in the run or beside it, and once. */
static inline void seen_are_there_once(const struct tailbox__run *run)
{
	ck_assert_uint_gt(seen.count, 0);
	for (size_t i = 0; i < seen.count; i++)
		ck_assert_uint_eq(times_in(run, seen.items[i].number) +
		                          times_in(run->kept,
		                                   seen.items[i].number),
		                  1);
}

#endif
