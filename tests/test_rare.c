/* tests/test_rare.c - rare requests: which are kept, for how long, and how
 * they are read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "controller_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include <tailbox/span.h>

#include "core/kept.h"
#include "core/run.h"
#include "core/tape_run.h"

enum { TAPE = 1 << 20, RING = TAPE / 16 - 128 };

static _Atomic uint64_t now = 1000000000000;

static uint64_t tick(void)
{
	return now;
}

static struct tailbox__reader *reader;

static void open_all(uint64_t tape, uint64_t rare)
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

static void setup(void)
{
	open_all(TAPE, UINT64_MAX);
}

static void teardown(void)
{
	tailbox__reader_close(reader);
	controller_close();
	tailbox__tape_set_rare(UINT64_MAX);
	tailbox__rare_set(0);
	tailbox__clock_inject(NULL, 0);
}

/* --- what is there --------------------------------------------------------- */

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

static int see(void *cls, const struct tailbox__kept_request *k)
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

static void look_at(struct tailbox__reader *r)
{
	seen.count = 0;
	ck_assert_int_eq(tailbox__reader_kept(r, see, r), 0);
}

static struct tailbox__kept_status told(void)
{
	struct tailbox__kept_status s;

	tailbox__kept_status(reader, &s);
	return s;
}

/* What was noted is put into the ring when the follower's rest is over. */
static void settle(uint64_t kept)
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

/* --- requests --------------------------------------------------------------- */

static void request(const char *route, uint64_t ms, const char *outcome)
{
	tailbox_request r = tailbox_request_begin(route, "job");

	ck_assert_ptr_nonnull(r);
	now += ms * 1000000;
	tailbox_request_finish(r, outcome);
	now += 1000;
}

static void slow_with_spans(const char *route)
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

static void flood(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		request("/fast", 1, NULL);
		if (i % 1000 == 0)
			ck_assert_int_eq(tailbox__follow(), 0);
	}
}

/* As MHD's requests end. */
static void served(const char *route, unsigned status, unsigned termination)
{
	struct tailbox__thread *t = tailbox__thread_get();
	struct tailbox__slot *s = tailbox__slot_take(t);

	ck_assert_ptr_nonnull(s);
	tailbox__request_open(t, s, tailbox__name_cstr(route),
	                      TAILBOX__NAME_HTTP, 0, TAILBOX__PHASE_HEADERS);
	TAILBOX__SET(s->status, (uint16_t)status);
	now += 1000;
	tailbox__request_close(t, s, now, termination, 0);
	tailbox__slot_give(t, s);
}

/* --- which are kept ---------------------------------------------------------- */

START_TEST(slow_failed_and_cancelled_are_kept_and_fast_ones_are_not)
{
	static const struct {
		const char *route;
		uint32_t why;
	} want[] = {
		{ "/at", TAILBOX__RARE_SLOW },
		{ "/error", TAILBOX__RARE_FAILED },
		{ "/timeout", TAILBOX__RARE_FAILED | TAILBOX__RARE_SLOW },
		{ "/cancelled", TAILBOX__RARE_CANCELLED },
		{ "/500", TAILBOX__RARE_FAILED },
		{ "/with_error", TAILBOX__RARE_FAILED },
		{ "/timed_out", TAILBOX__RARE_FAILED },
		{ "/gone", TAILBOX__RARE_CANCELLED },
		{ "/unread", TAILBOX__RARE_CANCELLED },
		{ "/shutdown", TAILBOX__RARE_CANCELLED },
	};

	request("/fast", 1, NULL);
	request("/below", 499, "ok");
	request("/at", 500, NULL);
	request("/rejected", 1, "rejected");
	request("/error", 1, "error");
	request("/timeout", 700, "timeout");
	request("/cancelled", 1, "cancelled");
	served("/200", 200, TAILBOX__TERM_COMPLETED);
	served("/499", 499, TAILBOX__TERM_COMPLETED);
	served("/500", 500, TAILBOX__TERM_COMPLETED);
	served("/with_error", 200, TAILBOX__TERM_WITH_ERROR);
	served("/timed_out", 0, TAILBOX__TERM_TIMEOUT);
	served("/gone", 200, TAILBOX__TERM_CLIENT_ABORT);
	served("/unread", 0, TAILBOX__TERM_READ_ERROR);
	served("/shutdown", 0, TAILBOX__TERM_DAEMON_SHUTDOWN);
	settle(sizeof(want) / sizeof(want[0]));
	ck_assert_uint_eq(seen.count, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < seen.count; i++) {
		ck_assert_str_eq(seen.items[i].route, want[i].route);
		ck_assert_uint_eq(seen.items[i].why, want[i].why);
		ck_assert_uint_eq(seen.items[i].spans, 0);
	}
	ck_assert_uint_eq(told().slow_ns, 500000000);
}
END_TEST

START_TEST(wait_before_the_line_counts)
{
	struct tailbox__thread *t = tailbox__thread_get();

	for (unsigned ms = 399; ms <= 400; ms++) {
		struct tailbox__slot *s = tailbox__slot_take(t);
		const uint64_t line = tailbox__request_open(
		        t, s, tailbox__name_cstr("/late"), TAILBOX__NAME_HTTP,
		        0, TAILBOX__PHASE_HEADERS);
		TAILBOX__SET(s->status, 200);
		TAILBOX__SET(s->ingress, ms * 1000000u);
		TAILBOX__KNOW(s, TAILBOX__KNOWN_INGRESS);
		now += 100000000;
		ck_assert_uint_le(line, now);
		tailbox__request_close(t, s, now, TAILBOX__TERM_COMPLETED, 0);
		tailbox__slot_give(t, s);
	}
	settle(1);
	ck_assert_str_eq(seen.items[0].route, "/late");
	ck_assert_uint_eq(seen.items[0].why, TAILBOX__RARE_SLOW);
	ck_assert_uint_eq(seen.items[0].units, 2);
}
END_TEST

START_TEST(threshold_changes_while_it_runs)
{
	request("/a", 600, NULL);
	settle(1);
	tailbox__rare_set(2000);
	request("/b", 1999, NULL);
	request("/c", 2000, NULL);
	settle(2);
	ck_assert_str_eq(seen.items[1].route, "/c");
	tailbox__rare_set(0);
	request("/d", 100000, NULL);
	request("/e", 1, "error");
	settle(3);
	ck_assert_str_eq(seen.items[2].route, "/e");
	ck_assert_uint_eq(seen.items[2].why, TAILBOX__RARE_FAILED);
	ck_assert_uint_eq(told().slow_ns, 0);
}
END_TEST

/* --- for how long ------------------------------------------------------------ */

START_TEST(flood_of_fast_ones_does_not_push_it_out)
{
	request("/slow", 800, NULL);
	settle(1);
	flood(10 * TAPE / 64 + 1000);
	look_at(reader);
	ck_assert_uint_eq(seen.count, 1);
	ck_assert_str_eq(seen.items[0].route, "/slow");
	ck_assert_uint_eq(told().kept, 1);
	ck_assert_uint_eq(told().overwritten, 0);
	/* And its own record is long gone. */
	struct fixture_records c = { 0 };
	tailbox__reader_rewind(reader);
	ck_assert_int_eq(tailbox__reader_poll(reader, fixture_collect, &c), 0);
	for (size_t i = 0; i < c.len[TAILBOX__BLOCK_REQUESTS]; i += 64) {
		struct tailbox__rec_request q;
		memcpy(&q, c.bytes[TAILBOX__BLOCK_REQUESTS] + i, 64);
		ck_assert_uint_ne(q.number, seen.items[0].number);
	}
	fixture_forget(&c);
}
END_TEST

/* Entries of 128 bytes: the ring holds so many of them and not one more. */
START_TEST(ring_holds_what_fits_and_then_loses_the_oldest)
{
	enum { FIT = RING / 128 };
	uint64_t done = 0, first = 0;

	ck_assert_uint_eq(told().bytes, TAPE / 16);
	for (unsigned i = 0; i < FIT + 1; i++) {
		request("/failed", 1, "error");
		if (i % 32 == 31 || i >= FIT - 2) {
			done = i + 1;
			settle(done);
			ck_assert_uint_eq(told().overwritten, done > FIT);
			ck_assert_uint_eq(seen.count, done > FIT ? FIT : done);
		}
		if (i == FIT - 1)
			first = seen.items[1].number;
	}
	ck_assert_uint_eq(seen.items[0].number, first);
	ck_assert_uint_eq(tailbox__reader_damaged_kept(reader), 0);
	for (size_t i = 1; i < seen.count; i++)
		ck_assert_uint_gt(seen.items[i].end, seen.items[i - 1].end);
}
END_TEST

/* Sizes that do not divide the ring: an entry goes round its end. */
START_TEST(entries_go_round_the_end_of_the_ring)
{
	for (unsigned i = 0; i < 1500; i++) {
		tailbox_request r = tailbox_request_begin("/failed", NULL);
		for (unsigned k = 0; k < i % 7; k++)
			TAILBOX_STAGE(r, "work") {
				now += 10;
			}
		if (i % 3 == 0)
			tailbox_request_set_id(r, "an id of the application");
		now += 1000;
		tailbox_request_finish(r, "error");
		if (i % 32 == 31)
			settle(i + 1);
	}
	settle(1500);
	ck_assert_uint_gt(told().overwritten, 0);
	ck_assert_uint_eq(seen.count, 1500 - told().overwritten);
	for (size_t i = 0; i < seen.count; i++) {
		const size_t n = 1500 - seen.count + i;
		ck_assert_uint_eq(seen.items[i].spans, n % 7);
		ck_assert_uint_eq(seen.items[i].units, n % 3 ? 1 : 2);
	}
	ck_assert_uint_eq(tailbox__reader_damaged_kept(reader), 0);
}
END_TEST

START_TEST(too_many_at_once_are_counted)
{
	enum { NOTES = 64 };

	pthread_mutex_lock(&tailbox__c.follow_lock);
	for (unsigned i = 0; i < NOTES + 2; i++)
		request("/failed", 1, "error");
	pthread_mutex_unlock(&tailbox__c.follow_lock);
	settle(NOTES);
	ck_assert_uint_eq(told().passed_over, 2);
	request("/failed", 1, "error");
	settle(NOTES + 1);
	ck_assert_uint_eq(told().passed_over, 2);
}
END_TEST

/* --- their spans --------------------------------------------------------------- */

static void *stage_elsewhere(void *arg)
{
	TAILBOX_STAGE((tailbox_request)arg, "elsewhere") {
		now += 5000;
	}
	return NULL;
}

START_TEST(spans_of_all_threads_and_passes_are_kept)
{
	tailbox_request other = tailbox_request_begin("/other", NULL);
	tailbox_request r = tailbox_request_begin("/slow", NULL);
	pthread_t thread;

	TAILBOX_STAGE(r, "before") {
		now += 100;
	}
	ck_assert_int_eq(tailbox__follow(), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, stage_elsewhere, r), 0);
	pthread_join(thread, NULL);
	TAILBOX_STAGE(other, "not mine") {
		now += 600000000;
	}
	tailbox_gauge_up(r, "busy");
	TAILBOX_WAIT(r, "pool", 3) {
		now += 30;
	}
	tailbox_gauge_down(r, "busy");
	now += 1;
	tailbox_request_finish(r, NULL);
	settle(1);
	ck_assert_uint_eq(seen.items[0].spans, 3);
	ck_assert_uint_eq(seen.items[0].span_ticks, 100 + 5000 + 30);
	ck_assert_uint_eq(seen.items[0].cut, 0);
	ck_assert_uint_eq(seen.items[0].why, TAILBOX__RARE_SLOW);
	tailbox_request_finish(other, NULL);
	settle(2);
	ck_assert_uint_eq(seen.items[1].spans, 1);
	ck_assert_uint_eq(seen.items[1].span_ticks, 600000000);
}
END_TEST

/* It runs for longer than the tape reaches back. */
START_TEST(spans_that_are_gone_before_it_ends_are_told)
{
	tailbox_request r = tailbox_request_begin("/long", NULL);

	TAILBOX_STAGE(r, "early") {
		now += 700000000;
	}
	for (unsigned i = 0; i < 2 * TAPE / 64; i++) {
		tailbox_request other = tailbox_request_begin("/fast", NULL);
		TAILBOX_STAGE(other, "work") {
			now += 10;
		}
		tailbox_request_finish(other, NULL);
		if (i % 1000 == 0)
			ck_assert_int_eq(tailbox__follow(), 0);
	}
	TAILBOX_STAGE(r, "late") {
		now += 1000;
	}
	tailbox_request_finish(r, NULL);
	settle(1);
	ck_assert_uint_eq(seen.items[0].spans, 1);
	ck_assert_uint_eq(seen.items[0].span_ticks, 1000);
	ck_assert_uint_eq(seen.items[0].why,
	                  TAILBOX__RARE_SLOW | TAILBOX__RARE_INCOMPLETE);
	/* The next one is not. */
	slow_with_spans("/slow");
	settle(2);
	ck_assert_uint_eq(seen.items[1].why,
	                  TAILBOX__RARE_SLOW | TAILBOX__RARE_FAILED);
	ck_assert_uint_eq(seen.items[1].spans, 2);
}
END_TEST

/* The longest stay: here the last ones. */
START_TEST(spans_beyond_the_maximum_are_cut_and_counted)
{
	enum { MAX = TAILBOX__KEPT_SPANS_MAX };
	uint64_t cut = 0;

	for (unsigned n = MAX - 1; n <= MAX + 6; n += n < MAX + 1 ? 1 : 5) {
		tailbox_request r = tailbox_request_begin("/slow", NULL);
		uint64_t sum = 0;
		const size_t i = seen.count;
		for (unsigned k = 1; k <= n; k++) {
			TAILBOX_STAGE(r, "part") {
				now += k;
			}
			sum += k > n - (n < MAX ? n : MAX) ? k : 0;
		}
		now += 1;
		tailbox_request_finish(r, "error");
		settle(i + 1);
		ck_assert_uint_eq(seen.items[i].spans, n < MAX ? n : MAX);
		ck_assert_uint_eq(seen.items[i].cut, n < MAX ? 0 : n - MAX);
		ck_assert_uint_eq(seen.items[i].span_ticks, sum);
		cut += n < MAX ? 0 : n - MAX;
	}
	ck_assert_uint_eq(seen.count, 4);
	ck_assert_uint_eq(told().cut_spans, cut);
}
END_TEST

/* --- damage ------------------------------------------------------------------- */

static char *ring_at(uint64_t place)
{
	return (char *)(tailbox__recorder.tape.rare + 1) + place % RING;
}

START_TEST(torn_entry_is_left_out_and_the_others_are_not)
{
	for (unsigned i = 0; i < 5; i++)
		request("/failed", 1, "error");
	settle(5);
	ck_assert_uint_eq(seen.count, 5);
	/* A byte of a record, of a length, of a place. */
	static const size_t bytes[] = { 64 + 8, 16, 8, 4, 0, 127 };
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		const uint64_t before = tailbox__reader_damaged_kept(reader);
		*ring_at(2 * 128 + bytes[i]) ^= 1;
		look_at(reader);
		ck_assert_uint_eq(seen.count, 4);
		ck_assert_uint_eq(tailbox__reader_damaged_kept(reader),
		                  before + 1);
		*ring_at(2 * 128 + bytes[i]) ^= 1;
	}
	look_at(reader);
	ck_assert_uint_eq(seen.count, 5);
}
END_TEST

/* As a writer leaves it that is killed between its steps. */
START_TEST(half_an_entry_is_not_seen)
{
	struct tailbox__rare *rare = tailbox__recorder.tape.rare;

	for (unsigned i = 0; i < 3; i++)
		request("/failed", 1, "error");
	settle(3);
	memset(ring_at(TAILBOX__GET(rare->next)), 0x5a, 100);
	TAILBOX__SET(rare->first, 128);
	look_at(reader);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_uint_eq(tailbox__reader_damaged_kept(reader), 0);
}
END_TEST

START_TEST(nonsense_in_the_head_is_damage_and_no_more)
{
	struct tailbox__rare *rare = tailbox__recorder.tape.rare;
	static const uint64_t places[][2] = {
		{ 0, UINT64_MAX },        { UINT64_MAX, 0 },
		{ 64, 0 },                { 0, RING + 32 },
		{ 1, 129 },               { UINT64_MAX - 31, UINT64_MAX },
		{ 0, RING },
	};

	pthread_mutex_lock(&tailbox__c.follow_lock);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const uint64_t before = tailbox__reader_damaged_kept(reader);
		TAILBOX__SET(rare->first, places[i][0]);
		TAILBOX__SET(rare->next, places[i][1]);
		look_at(reader);
		ck_assert_uint_eq(seen.count, 0);
		ck_assert_uint_eq(tailbox__reader_damaged_kept(reader),
		                  before + 1);
	}
	/* The writer goes on from nonsense, too. */
	TAILBOX__SET(rare->first, 0);
	TAILBOX__SET(rare->next, RING);
	pthread_mutex_unlock(&tailbox__c.follow_lock);
	request("/failed", 1, "error");
	settle(1);
	ck_assert_uint_eq(seen.count, 1);
}
END_TEST

/* --- a tape without ------------------------------------------------------------ */

START_TEST(tape_without_room_for_them_keeps_none)
{
	teardown();
	open_all(TAPE, 0);
	ck_assert_ptr_null(tailbox__recorder.tape.rare);
	request("/slow", 800, "error");
	ck_assert_int_eq(tailbox__follow(), 0);
	look_at(reader);
	ck_assert_uint_eq(seen.count, 0);
	ck_assert_uint_eq(told().bytes, 0);
	ck_assert_uint_eq(tailbox__reader_damaged_kept(reader), 0);
}
END_TEST

START_TEST(size_is_held_within_its_bounds)
{
	static const uint64_t sizes[][2] = {
		{ 1, TAILBOX__RARE_LEAST },
		{ TAILBOX__RARE_LEAST - 1, TAILBOX__RARE_LEAST },
		{ TAILBOX__RARE_LEAST, TAILBOX__RARE_LEAST },
		{ TAILBOX__RARE_LEAST + 1, TAILBOX__RARE_LEAST },
		{ TAPE / 2 - 1, TAPE / 2 - 64 },
		{ TAPE / 2, TAPE / 2 },
		{ TAPE / 2 + 1, TAPE / 2 },
		{ UINT64_MAX - 1, TAPE / 2 },
		{ UINT64_MAX, TAPE / TAILBOX__RARE_SHARE },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		teardown();
		open_all(TAPE, sizes[i][0]);
		ck_assert_uint_eq(told().bytes, sizes[i][1]);
		/* All of it within the file, and none in another's place. */
		const struct tailbox__tape_header *h =
		        tailbox__reader_header(reader);
		ck_assert_uint_le(h->rare_off + h->rare_bytes, h->blocks_off);
		ck_assert_uint_le(h->slots_off + (uint64_t)h->slots_max * 384,
		                  h->rare_off);
		ck_assert_uint_le(h->blocks_off + (uint64_t)h->blocks_max *
		                                          h->block_bytes,
		                  TAPE);
		request("/failed", 1, "error");
		settle(1);
	}
}
END_TEST

START_TEST(nothing_is_written_while_recording_is_off)
{
	static char before[TAPE], after[TAPE];
	const int fd = tailbox__recorder.tape.fd;

	pthread_mutex_lock(&tailbox__c.follow_lock);
	request("/failed", 1, "error");
	pthread_mutex_unlock(&tailbox__c.follow_lock);
	tailbox__recorder_set(false);
	ck_assert_int_eq(pread(fd, before, TAPE, 0), TAPE);
	ck_assert_int_eq(tailbox__follow(), 0);
	ck_assert_int_eq(pread(fd, after, TAPE, 0), TAPE);
	const uint64_t kept = told().kept;
	ck_assert(kept == 1 || memcmp(before, after, TAPE) == 0);
	tailbox__recorder_set(true);
	settle(1);
}
END_TEST

/* --- in a run ------------------------------------------------------------------ */

static struct tailbox__run *snapshot(uint64_t last_ms, uint64_t max_requests)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char name[256], id[TAILBOX__ARTIFACT_ID_BYTES];
	struct tailbox__artifact_entry e;
	struct tailbox__artifact_key key;
	struct tailbox__snapshot s;
	struct tailbox__run *run;

	tailbox__snapshot_init(&s, TAILBOX__MODE_LIGHT);
	s.limits.max_requests = max_requests;
	s.last_ms = last_ms;
	ck_assert_msg(tailbox__snapshot_take(&s, &key, name, &err) == 0, "%s",
	              err.text);
	ck_assert_int_eq(tailbox__artifact_find(
	                         tailbox__artifact_id(id, &key), &e),
	                 0);
	const int fd = tailbox__artifact_open(&e);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tailbox__artifact_read(fd, &run, NULL), 0);
	close(fd);
	return run;
}

static size_t times_in(const struct tailbox__run *run, uint64_t number)
{
	size_t n = 0;

	for (size_t i = 0; run && i < run->requests.count; i++)
		n += run->ext.items[run->requests.items[i].ext - 1].number ==
		     number;
	return n;
}

/* Each that was kept is in the run or beside it, and once. */
static void each_is_there_once(const struct tailbox__run *run)
{
	look_at(reader);
	ck_assert_uint_gt(seen.count, 0);
	for (size_t i = 0; i < seen.count; i++)
		ck_assert_uint_eq(times_in(run, seen.items[i].number) +
		                          times_in(run->kept,
		                                   seen.items[i].number),
		                  1);
}

static const char *text(const struct tailbox__run *run, tailbox__str s)
{
	return tailbox__run_text(run, s, NULL);
}

START_TEST(snapshot_has_what_the_blocks_forgot_and_nothing_twice)
{
	slow_with_spans("/before");
	settle(1);
	flood(3 * TAPE / 64);
	request("/after", 600, NULL);
	request("/failed", 1, "error");
	settle(3);
	struct tailbox__run *run = snapshot(0, UINT64_MAX);
	ck_assert_ptr_nonnull(run->kept);
	ck_assert_uint_eq(run->kept->requests.count, 1);
	const struct tailbox__run_request *q = &run->kept->requests.items[0];
	ck_assert_str_eq(text(run, q->route), "/before");
	ck_assert_str_eq(text(run, q->outcome), "timeout");
	ck_assert_uint_eq(q->latency_us, 800000);
	ck_assert_uint_lt(q->start_ms, run->meta.started_ms);
	ck_assert_uint_eq(run->kept->stages.count, 1);
	ck_assert_str_eq(text(run, run->kept->stages.items[0].name), "work");
	ck_assert_uint_eq(run->kept->stages.items[0].dur_us, 700000);
	ck_assert_uint_eq(run->kept->stages.items[0].request, q->id);
	ck_assert_uint_eq(run->kept->queues.count, 1);
	ck_assert_uint_eq(run->kept->queues.items[0].depth, 3);
	ck_assert_uint_eq(run->kept->queues.items[0].start_us, 700000);
	ck_assert_uint_eq(extra(run, "kept_requests"), 1);
	ck_assert_uint_eq(extra(run, "kept_older"), 0);
	ck_assert_uint_eq(extra(run, "kept_slow_us"), 500000);
	ck_assert_uint_eq(extra(run, "kept_overwritten"), 0);
	each_is_there_once(run);
	/* The time of the run is not stretched by it. */
	ck_assert_uint_eq(run->requests.items[0].latency_us, 1000);
	ck_assert_uint_eq(extra(run, "covered_from_run_us"), 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(snapshot_leaves_out_what_was_not_asked_for)
{
	slow_with_spans("/before");
	settle(1);
	now += 60ull * 1000000000;
	flood(3 * TAPE / 64);
	struct tailbox__run *run = snapshot(60000, UINT64_MAX);
	ck_assert_ptr_null(run->kept);
	ck_assert_uint_eq(extra(run, "kept_requests"), 0);
	ck_assert_uint_eq(extra(run, "kept_older"), 1);
	tailbox__run_destroy(run);
}
END_TEST

/* Beyond the limit a run drops the last ones, whatever they were. */
START_TEST(dropped_ones_are_beside_the_run)
{
	request("/fast", 1, NULL);
	request("/first", 600, NULL);
	request("/second", 700, "error");
	settle(2);
	struct tailbox__run *run = snapshot(0, 2);
	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_uint_eq(run->truncation.dropped_requests, 1);
	ck_assert_ptr_nonnull(run->kept);
	ck_assert_uint_eq(run->kept->requests.count, 1);
	ck_assert_str_eq(text(run, run->kept->requests.items[0].route),
	                 "/second");
	each_is_there_once(run);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(one_id_for_many_is_no_reason_to_lose_one)
{
	for (unsigned i = 0; i < 3; i++) {
		tailbox_request r = tailbox_request_begin("/again", NULL);
		tailbox_request_set_id(r, "the client's own");
		now += 600000000;
		tailbox_request_finish(r, NULL);
	}
	settle(3);
	flood(3 * TAPE / 64);
	struct tailbox__run *run = snapshot(0, UINT64_MAX);
	ck_assert_uint_eq(run->kept->requests.count, 3);
	each_is_there_once(run);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(window_has_none)
{
	slow_with_spans("/before");
	settle(1);
	flood(3 * TAPE / 64);
	const uint64_t id = arm(NULL);
	request("/in it", 600, NULL);
	disarm();
	struct tailbox__run *run = load(id);
	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_ptr_null(run->kept);
	ck_assert_ptr_null(tailbox__run_extra(run, "kept_requests"));
	tailbox__run_destroy(run);
}
END_TEST

/* What cannot be is left out and told, and the rest is there. */
START_TEST(damaged_ring_leaves_the_run_as_it_is)
{
	struct tailbox__tape_damage damage;
	struct tailbox__run *run;

	request("/failed", 1, "error");
	slow_with_spans("/before");
	settle(2);
	flood(3 * TAPE / 64);
	*ring_at(64 + 20) ^= 0x40;
	ck_assert_int_eq(tailbox__tape_run(reader, NULL, &run, &damage, NULL),
	                 0);
	ck_assert_uint_eq(damage.kept, 1);
	ck_assert_uint_eq(tailbox__tape_damaged(&damage), 1);
	ck_assert_uint_eq(extra(run, "damaged"), 1);
	ck_assert_uint_gt(run->requests.count, 1000);
	ck_assert_uint_eq(run->kept->requests.count, 1);
	ck_assert_str_eq(text(run, run->kept->requests.items[0].route),
	                 "/before");
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	struct tailbox__run *run = NULL;
	int ret = -ENOMEM;
	long n = 0;

	slow_with_spans("/before");
	request("/failed", 1, "error");
	settle(2);
	flood(2 * TAPE / 64);
	tailbox__controller_stop(); /* nobody else allocates */
	tailbox__reader_close(reader);
	const long live = tailbox__alloc_live();
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, NULL),
	                 0);
	for (; ret == -ENOMEM; n++) {
		tailbox__reader_rewind(reader);
		tailbox__alloc_fail_after(n);
		ret = tailbox__tape_run(reader, NULL, &run, NULL, NULL);
		tailbox__alloc_fail_after(-1);
		ck_assert(ret == -ENOMEM ? run == NULL : ret == 0);
	}
	ck_assert_int_gt((int)n, 10);
	ck_assert_ptr_nonnull(run->kept);
	ck_assert_uint_eq(run->kept->requests.count, 2);
	tailbox__run_destroy(run);
	tailbox__reader_close(reader);
	ck_assert_int_eq(tailbox__alloc_live(), live);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, NULL),
	                 0);
}
END_TEST

/* --- after a crash -------------------------------------------------------------- */

static void service_that_dies(int to)
{
	open_all(TAPE, UINT64_MAX);
	tailbox_request r = tailbox_request_begin("/slow", NULL);
	TAILBOX_STAGE(r, "work") {
		now += 700000000;
	}
	tailbox_request_finish(r, NULL);
	settle(1);
	flood(3 * TAPE / 64);
	dprintf(to, "%s\n", tailbox__recorder.tape.path);
	for (;;) /* goes on writing until it is killed */
		request("/failed", 1, "error");
}

START_TEST(kill_9_leaves_them_readable)
{
	char path[400] = "";
	int ends[2], status;

	fixture_folder();
	ck_assert_int_eq(pipe(ends), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		service_that_dies(ends[1]);
		_exit(0);
	}
	ck_assert_int_gt(pid, 0);
	close(ends[1]);
	FILE *from = fdopen(ends[0], "r");
	ck_assert_ptr_nonnull(fgets(path, sizeof(path), from));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	path[strcspn(path, "\n")] = '\0';
	struct tailbox__reader *r;
	ck_assert_int_eq(tailbox__reader_open(path, &r, NULL), 0);
	ck_assert_int_eq(tailbox__reader_writer(r), TAILBOX__WRITER_DEAD);
	look_at(r);
	ck_assert_uint_eq(tailbox__reader_damaged_kept(r), 0);
	ck_assert_uint_ge(seen.count, 1);
	if (!strcmp(seen.items[0].route, "/slow")) {
		ck_assert_uint_eq(seen.items[0].spans, 1);
		ck_assert_uint_eq(seen.items[0].span_ticks, 700000000);
	} else { /* those that failed since have overwritten it */
		struct tailbox__kept_status s;
		tailbox__kept_status(r, &s);
		ck_assert_uint_gt(s.overwritten, 0);
	}
	/* And so does what recover makes of it. */
	struct tailbox__run *run;
	ck_assert_int_eq(tailbox__tape_run(r, NULL, &run, NULL, NULL), 0);
	ck_assert_uint_gt(run->requests.count, 0);
	for (size_t i = 0; i < seen.count; i++)
		ck_assert_uint_eq(times_in(run, seen.items[i].number) +
		                          times_in(run->kept,
		                                   seen.items[i].number),
		                  1);
	tailbox__run_destroy(run);
	tailbox__reader_close(r);
	fclose(from);
	/* What it left behind. */
	snprintf(artifact_dir, sizeof(artifact_dir), "%s/a/b", fixture_dir);
	controller_close();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("rare");
	TCase *t = tcase_create("rare");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(
	        t, slow_failed_and_cancelled_are_kept_and_fast_ones_are_not);
	tcase_add_test(t, wait_before_the_line_counts);
	tcase_add_test(t, threshold_changes_while_it_runs);
	tcase_add_test(t, flood_of_fast_ones_does_not_push_it_out);
	tcase_add_test(t, ring_holds_what_fits_and_then_loses_the_oldest);
	tcase_add_test(t, entries_go_round_the_end_of_the_ring);
	tcase_add_test(t, too_many_at_once_are_counted);
	tcase_add_test(t, spans_of_all_threads_and_passes_are_kept);
	tcase_add_test(t, spans_that_are_gone_before_it_ends_are_told);
	tcase_add_test(t, spans_beyond_the_maximum_are_cut_and_counted);
	tcase_add_test(t, torn_entry_is_left_out_and_the_others_are_not);
	tcase_add_test(t, half_an_entry_is_not_seen);
	tcase_add_test(t, nonsense_in_the_head_is_damage_and_no_more);
	tcase_add_test(t, tape_without_room_for_them_keeps_none);
	tcase_add_test(t, size_is_held_within_its_bounds);
	tcase_add_test(t, nothing_is_written_while_recording_is_off);
	tcase_add_test(t,
	               snapshot_has_what_the_blocks_forgot_and_nothing_twice);
	tcase_add_test(t, snapshot_leaves_out_what_was_not_asked_for);
	tcase_add_test(t, dropped_ones_are_beside_the_run);
	tcase_add_test(t, one_id_for_many_is_no_reason_to_lose_one);
	tcase_add_test(t, window_has_none);
	tcase_add_test(t, damaged_ring_leaves_the_run_as_it_is);
	tcase_add_test(t, every_allocation_may_fail);
	suite_add_tcase(s, t);
	t = tcase_create("crash");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, kill_9_leaves_them_readable);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
