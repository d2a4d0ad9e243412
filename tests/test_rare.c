/* tests/test_rare.c - rare requests: which are kept, and for how long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/rare_fixture.h"

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

/* --- for how long ------------------------------------------------------- */

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

/* --- a tape without ----------------------------------------------------- */

START_TEST(tape_without_room_for_them_keeps_none)
{
	rare_close();
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
		rare_close();
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

static Suite *suite(void)
{
	Suite *s = suite_create("rare");
	TCase *t = tcase_create("rare");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, rare_open, rare_close);
	tcase_add_test(
	        t, slow_failed_and_cancelled_are_kept_and_fast_ones_are_not);
	tcase_add_test(t, wait_before_the_line_counts);
	tcase_add_test(t, threshold_changes_while_it_runs);
	tcase_add_test(t, flood_of_fast_ones_does_not_push_it_out);
	tcase_add_test(t, ring_holds_what_fits_and_then_loses_the_oldest);
	tcase_add_test(t, entries_go_round_the_end_of_the_ring);
	tcase_add_test(t, too_many_at_once_are_counted);
	tcase_add_test(t, tape_without_room_for_them_keeps_none);
	tcase_add_test(t, size_is_held_within_its_bounds);
	tcase_add_test(t, nothing_is_written_while_recording_is_off);
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
