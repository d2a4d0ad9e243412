/* tests/test_holds.c - callbacks that held a worker: the threshold, the record,
 * the loss, and which of them are in a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "middleware/ingress.h"
#include "tests/assemble_fixture.h"

static struct tailbox__mhd mhd;
static struct tailbox__conn conn;
static struct tailbox__thread *self;
static struct fixture_records got;

static void setup(void)
{
	assemble_open();
	self = tailbox__thread_get();
	ck_assert_ptr_nonnull(self);
	mhd.jiffy = tailbox__us_to_ticks(tailbox__clock.jiffy_us);
	mhd.eighth = mhd.jiffy / 8;
	conn = (struct tailbox__conn){ .mhd = &mhd };
	conn.slot = tailbox__slot_take(self);
	ck_assert_ptr_nonnull(conn.slot);
	tailbox__request_open(self, conn.slot, tailbox__name_cstr("/report"),
	                      TAILBOX__NAME_HTTP, 0, TAILBOX__PHASE_HANDLER);
}

static void teardown(void)
{
	fixture_forget(&got);
	assemble_close();
}

static void hold(unsigned kind, uint64_t ticks)
{
	const uint64_t since = fixture_now;

	tailbox__hold_begin(self, &conn, kind, since);
	fixture_now += ticks;
	tailbox__hold_end(self, &conn, since, fixture_now);
}

static size_t records(void)
{
	fixture_forget(&got);
	tailbox__reader_rewind(fixture_reader);
	ck_assert_int_eq(tailbox__reader_poll(fixture_reader, fixture_collect,
	                                      &got), 0);
	return got.len[TAILBOX__BLOCK_SPANS] / sizeof(struct tailbox__rec_span);
}

static struct tailbox__rec_span record(size_t i)
{
	struct tailbox__rec_span s;

	ck_assert_uint_lt(i, records());
	memcpy(&s, got.bytes[TAILBOX__BLOCK_SPANS] + i * sizeof(s), sizeof(s));
	return s;
}

/* --- recording ---------------------------------------------------------- */

START_TEST(a_hold_is_recorded_from_the_threshold_on)
{
	const uint64_t at = fixture_now + MS - 1;

	hold(TAILBOX__HOLD_HANDLER, MS - 1);
	ck_assert_uint_eq(records(), 0);
	hold(TAILBOX__HOLD_HANDLER, MS);
	ck_assert_uint_eq(records(), 1);
	hold(TAILBOX__HOLD_URI_LOG, MS + 1);
	ck_assert_uint_eq(records(), 2);
	const struct tailbox__rec_span s = record(0);
	ck_assert_uint_eq(s.type, TAILBOX__SPAN_HOLD);
	ck_assert_uint_eq(s.flags, TAILBOX__HOLD_HANDLER);
	ck_assert_uint_eq(s.name, tailbox__name_cstr("/report"));
	ck_assert_uint_eq(s.number, TAILBOX__GET(conn.slot->number));
	ck_assert_uint_eq(s.start, at);
	ck_assert_uint_eq(tailbox__unpack(s.dur), MS);
	ck_assert_uint_eq(s.thread, self->index);
	ck_assert_uint_eq(s.site | s.depth, 0);
	ck_assert_uint_eq(record(1).flags, TAILBOX__HOLD_URI_LOG);
	/* The short one is in the sum alone. */
	ck_assert_uint_eq(TAILBOX__GET(self->entry->hold_ticks), 3 * MS);
	ck_assert_uint_eq(TAILBOX__GET(self->entry->holds), 2);
	ck_assert_uint_eq(TAILBOX__GET(self->entry->lost_holds), 0);
}
END_TEST

START_TEST(a_threshold_of_0_records_none)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;

	ck_assert_uint_eq(TAILBOX__GET(h->hold_min), MS);
	tailbox__recorder_set_hold_min(0);
	ck_assert_uint_eq(TAILBOX__GET(h->hold_min), 0);
	hold(TAILBOX__HOLD_HANDLER, 5000 * (uint64_t)MS);
	ck_assert_uint_eq(records(), 0);
	/* Who waits behind it is still told by whom. */
	ck_assert_uint_eq(self->held_count, 1);
	tailbox__recorder_set_hold_min(2000);
	hold(TAILBOX__HOLD_HANDLER, 2 * MS - 1);
	ck_assert_uint_eq(records(), 0);
	hold(TAILBOX__HOLD_HANDLER, 2 * MS);
	ck_assert_uint_eq(records(), 1);
}
END_TEST

START_TEST(a_threshold_below_what_others_wait_for)
{
	tailbox__recorder_set_hold_min(10);
	hold(TAILBOX__HOLD_HANDLER, 10 * US - 1);
	hold(TAILBOX__HOLD_HANDLER, 10 * US);
	ck_assert_uint_eq(records(), 1);
	ck_assert_uint_eq(self->held_count, 0);
	hold(TAILBOX__HOLD_HANDLER, mhd.eighth);
	ck_assert_uint_eq(self->held_count, 1);
	ck_assert_uint_eq(records(), 2);
}
END_TEST

START_TEST(a_hold_for_the_connection_is_no_requests)
{
	hold(TAILBOX__HOLD_CONNECTION, MS);
	ck_assert_uint_eq(record(0).number, 0);
	ck_assert_uint_eq(record(0).name, TAILBOX__NAME_NONE);
	ck_assert_uint_eq(record(0).flags, TAILBOX__HOLD_CONNECTION);
}
END_TEST

/* The kill switch: the tape keeps what it said until it is on again. */
START_TEST(a_threshold_that_changes_while_off)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;

	ck_assert(tailbox__recorder_set(false));
	tailbox__recorder_set_hold_min(5000);
	ck_assert_uint_eq(TAILBOX__GET(h->hold_min), MS);
	ck_assert(tailbox__recorder_set(true));
	ck_assert_uint_eq(TAILBOX__GET(h->hold_min), 5 * MS);
}
END_TEST

START_TEST(a_hold_that_finds_no_block_is_counted)
{
	TAILBOX__SET(self->crew->blocks_active,
	             tailbox__recorder.tape.header->blocks_max);
	hold(TAILBOX__HOLD_HANDLER, MS);
	hold(TAILBOX__HOLD_HANDLER, MS - 1);
	ck_assert_uint_eq(TAILBOX__GET(self->entry->lost_holds), 1);
	ck_assert_uint_eq(TAILBOX__GET(self->entry->holds), 0);
	ck_assert_uint_eq(TAILBOX__GET(self->entry->lost_spans), 0);
	ck_assert_uint_eq(records(), 0);
}
END_TEST

/* More than the tape holds: what is gone is told, and nothing torn is. */
START_TEST(holds_that_were_overwritten_are_counted)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	const size_t per_block =
	        (h->block_bytes - sizeof(struct tailbox__block)) / 32;
	const size_t n = 2 * h->blocks_max * per_block;

	ck_assert_int_eq(tailbox__reader_poll(fixture_reader, fixture_collect,
	                                      &got), 0);
	for (size_t i = 0; i < n; i++)
		hold(TAILBOX__HOLD_HANDLER, MS + i);
	fixture_forget(&got);
	ck_assert_int_eq(tailbox__reader_poll(fixture_reader, fixture_collect,
	                                      &got), 0);
	const size_t have = got.len[TAILBOX__BLOCK_SPANS] / 32;
	ck_assert_uint_gt(tailbox__reader_lost_blocks(fixture_reader), 0);
	ck_assert_uint_eq(have + per_block *
	                          tailbox__reader_lost_blocks(fixture_reader),
	                  n);
	ck_assert_uint_eq(TAILBOX__GET(self->entry->holds), n);
}
END_TEST

/* --- which of them are in a run ------------------------------------------ */

static void feed_hold(uint64_t number, uint64_t start, uint64_t dur,
                      const char *route)
{
	struct tailbox__rec_span s =
	        span(TAILBOX__SPAN_HOLD, number, 0, dur, "");

	s.start = start;
	s.name = route ? tailbox__name_cstr(route) : TAILBOX__NAME_NONE;
	s.flags = TAILBOX__HOLD_HANDLER;
	s.thread = 3;
	s.depth = 0;
	feed(TAILBOX__BLOCK_SPANS, &s, sizeof(s));
}

START_TEST(a_hold_names_its_request_and_has_its_route)
{
	feed_request(7, 10 * MS, 30 * MS);
	feed_open(8, 60 * MS);
	feed_hold(8, T0 + 61 * MS, 1500 * US, NULL);
	feed_hold(7, T0 + 12 * MS, 20 * MS, NULL); /* its name came later */
	feed_hold(7, T0 + 11 * MS, MS, "/before");
	feed_hold(99, T0 + 90 * MS, MS, "/dropped");
	feed_hold(0, T0 + 91 * MS, MS, NULL);
	const struct tailbox__run *run = finish();
	const struct tailbox__run_hold *h = run->holds.items;

	ck_assert_uint_eq(run->holds.count, 5);
	ck_assert_uint_eq(h[0].start_us, 11000); /* by their starts */
	ck_assert_str_eq(text(h[0].route), "/before");
	ck_assert_uint_eq(h[1].request, run->requests.items[0].id);
	ck_assert_str_eq(text(h[1].route), "/items/{id}");
	ck_assert_uint_eq(h[1].dur_us, 20000);
	ck_assert_uint_eq(h[1].number, 7);
	ck_assert_uint_eq(h[1].worker, 3);
	ck_assert_uint_eq(h[1].kind, TAILBOX__HOLD_HANDLER);
	ck_assert_uint_eq(h[2].request, run->open.items[0].id);
	ck_assert_str_eq(text(h[2].route), "/report");
	ck_assert_uint_eq(h[2].dur_us, 1500);
	ck_assert_uint_eq(h[3].request, 0);
	ck_assert_str_eq(text(h[3].route), "/dropped");
	ck_assert_uint_eq(h[4].request | h[4].route, 0);
	ck_assert_uint_eq(extra("hold_min_us"), 1000);
	ck_assert_uint_eq(extra("lost_holds"), 0);
	ck_assert_ptr_null(tailbox__run_extra(run, "dropped_holds"));
}
END_TEST

START_TEST(a_hold_belongs_by_its_start)
{
	const uint64_t from = fixture_config.from_tick = T0 + 10 * MS;
	const uint64_t until = fixture_config.until_tick = T0 + 20 * MS;

	fixture_config.armed_tick = from;
	feed_hold(1, from - 1, 5 * MS, "/a");
	feed_hold(2, from, 50 * MS, "/a");
	feed_hold(3, until - 1, 50 * MS, "/a");
	feed_hold(4, until, MS, "/a");
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->holds.count, 2);
	ck_assert_uint_eq(run->holds.items[0].number, 2);
	ck_assert_uint_eq(run->holds.items[0].start_us, 0);
	ck_assert_uint_eq(run->holds.items[1].number, 3);
	ck_assert_uint_eq(run->holds.items[1].start_us, 9999);
}
END_TEST

START_TEST(a_spool_keeps_what_belongs)
{
	struct tailbox__rec_span s[3];

	for (unsigned i = 0; i < 3; i++) {
		s[i] = span(TAILBOX__SPAN_HOLD, i, 0, MS, "/a");
		s[i].start = fixture_config.until_tick - 1 + i;
	}
	s[1].type = TAILBOX__SPAN_HOLD + 1; /* of a later version */
	s[1].start = fixture_config.from_tick;
	ck_assert_uint_eq(tailbox__assembly_filter(
	                          &fixture_config, TAILBOX__BLOCK_SPANS,
	                          (char *)s, sizeof(s)), sizeof(s[0]));
	ck_assert_uint_eq(s[0].number, 0);
}
END_TEST

/* Feed n of them, not in the order of their starts. */
static void first_of_many(size_t n)
{
	struct tailbox__rec_span batch[400];
	size_t wrong = 0;

	for (size_t i = 0; i < n; i += 400) {
		const size_t k = n - i < 400 ? n - i : 400;
		for (size_t j = 0; j < k; j++) {
			batch[j] = (struct tailbox__rec_span){
				.type = TAILBOX__SPAN_HOLD,
				.start = T0 + ((i + j) ^ 1) * US,
			};
		}
		feed(TAILBOX__BLOCK_SPANS, batch, k * sizeof(batch[0]));
	}
	ck_assert_uint_eq(finish()->holds.count, TAILBOX__HOLDS_MAX);
	for (size_t i = 0; i < TAILBOX__HOLDS_MAX; i++)
		wrong += fixture_run->holds.items[i].start_us != i;
	ck_assert_uint_eq(wrong, 0);
}

START_TEST(as_many_holds_as_a_run_takes)
{
	ck_assert_uint_eq(TAILBOX__HOLDS_MAX % 2, 0);
	first_of_many(TAILBOX__HOLDS_MAX);
	ck_assert_ptr_null(tailbox__run_extra(fixture_run, "dropped_holds"));
}
END_TEST

START_TEST(more_holds_than_a_run_takes)
{
	tailbox__assembly_add_dropped_holds(assembly(), 5, 0);
	first_of_many(TAILBOX__HOLDS_MAX + 2);
	ck_assert_uint_eq(extra("dropped_holds"), 7);
}
END_TEST

START_TEST(records_that_nobody_writes_do_no_harm)
{
	struct tailbox__rec_span s =
	        span(TAILBOX__SPAN_HOLD, UINT64_MAX, 0, 0, "/a");

	fixture_config.until_tick = UINT64_MAX;
	s.flags = 200; /* no such kind */
	s.dur = UINT32_MAX;
	s.name = UINT16_MAX;
	feed(TAILBOX__BLOCK_SPANS, &s, sizeof(s));
	s.start = UINT64_MAX - 1;
	feed(TAILBOX__BLOCK_SPANS, &s, sizeof(s));
	ck_assert_int_eq(tailbox__assembly_finish(assembly(), &fixture_run,
	                                          NULL), 0);
	ck_assert_uint_eq(fixture_run->holds.count, 2);
	ck_assert_uint_eq(fixture_run->holds.items[0].kind, 0);
	ck_assert_str_eq(text(fixture_run->holds.items[0].route), "{damaged}");
}
END_TEST

/* A tape of a version that knew no holds: that there are none says nothing. */
START_TEST(a_tape_without_a_threshold)
{
	TAILBOX__SET(tailbox__recorder.tape.header->hold_min, 0);
	feed_request(1, MS, MS);
	ck_assert_uint_eq(finish()->holds.count, 0);
	ck_assert_ptr_null(tailbox__run_extra(fixture_run, "hold_min_us"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("holds");
	TCase *t = tcase_create("record");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_hold_is_recorded_from_the_threshold_on);
	tcase_add_test(t, a_threshold_of_0_records_none);
	tcase_add_test(t, a_threshold_below_what_others_wait_for);
	tcase_add_test(t, a_hold_for_the_connection_is_no_requests);
	tcase_add_test(t, a_threshold_that_changes_while_off);
	tcase_add_test(t, a_hold_that_finds_no_block_is_counted);
	tcase_add_test(t, holds_that_were_overwritten_are_counted);
	suite_add_tcase(s, t);
	t = tcase_create("assemble");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_hold_names_its_request_and_has_its_route);
	tcase_add_test(t, a_hold_belongs_by_its_start);
	tcase_add_test(t, a_spool_keeps_what_belongs);
	tcase_add_test(t, as_many_holds_as_a_run_takes);
	tcase_add_test(t, more_holds_than_a_run_takes);
	tcase_add_test(t, records_that_nobody_writes_do_no_harm);
	tcase_add_test(t, a_tape_without_a_threshold);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
