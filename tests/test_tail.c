/* tests/test_tail.c - finished requests as lines, and the tape followed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "recorder_fixture.h"

#include <tailbox/span.h>

#include "analyzer/json_tree.h"
#include "cli/tail.h"

static uint64_t now = 1000000000000;

static uint64_t tick(void)
{
	return now;
}

static struct tailbox__reader *reader;

static void setup(void)
{
	tailbox__clock_inject(tick, 1000000000);
	fixture_open((uint64_t)1 << 20);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, NULL),
	                 0);
}

static void teardown(void)
{
	tailbox__reader_close(reader);
	fixture_close();
	tailbox__clock_inject(NULL, 0);
}

static void request_waits(const char *route, uint64_t ms, uint64_t wait_ms)
{
	tailbox_request r = tailbox_request_begin(route, "job");

	ck_assert_ptr_nonnull(r);
	for (int i = 0; wait_ms && i < 2; i++)
		TAILBOX_WAIT(r, "db_pool", 0) {
			now += wait_ms * 1000000;
		}
	now += ms * 1000000;
	tailbox_request_finish(r, NULL);
}

/* --- lines ---------------------------------------------------------------- */

static struct tailbox__line line_of(const char *route)
{
	struct tailbox__line l = {
		.number = 7,
		.id = "",
		.route = route,
		.kind = "http",
		.outcome = "ok",
		.holder_route = "",
		.end_wall_ns = 1763608361007999999u,
		.total_ns = 1234567,
		.bytes_in = TAILBOX__NONE,
		.bytes_out = 0,
		.reader_ns = TAILBOX__NONE,
		.status = 200,
		.worker = 3,
	};

	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++)
		l.phases_ns[i] = TAILBOX__NONE;
	return l;
}

START_TEST(line_has_what_is_known_and_nothing_else)
{
	struct tailbox__line l = line_of("/a");
	char buf[TAILBOX__LINE_MAX];

	l.phases_ns[TAILBOX__PHASE_HANDLER] = 999999;
	tailbox__line_wait(&l, "db_pool", 500000);
	tailbox__line_wait(&l, "a b=\"c\\", 1000);
	tailbox__line_wait(&l, "db_pool", 100000);
	tailbox__line_logfmt(&l, buf, sizeof(buf));
	ck_assert_str_eq(buf, "time=2025-11-20T03:12:41.007Z id=7 route=/a "
	                      "kind=http status=200 outcome=ok total_ms=1.234 "
	                      "handler_ms=0.999 wait.db_pool_ms=0.600 "
	                      "wait.a_b__c__ms=0.001 worker=3 bytes_out=0");
}
END_TEST

START_TEST(time_in_the_content_reader_is_a_field)
{
	struct tailbox__line l = line_of("/a");
	char buf[TAILBOX__LINE_MAX];

	l.phases_ns[TAILBOX__PHASE_SEND] = 5000000;
	l.reader_ns = 3210000;
	tailbox__line_logfmt(&l, buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, " send_ms=5.000 reader_ms=3.210 "));
}
END_TEST

START_TEST(texts_are_quoted_where_logfmt_needs_it)
{
	static const char *const texts[][2] = {
		{ "/a b", "\"/a b\"" },
		{ "a=b", "\"a=b\"" },
		{ "say \"x\"", "\"say \\\"x\\\"\"" },
		{ "back\\slash", "\"back\\\\slash\"" },
		{ "\x1b[2J\n", "\"\\u001b[2J\\u000a\"" },
		{ "\xe2\x80\xae", "\"\\u202e\"" },
		{ "\xc2\x9b", "\"\\u009b\"" },
		{ "\xff", "\"\xef\xbf\xbd\"" },
		{ "caf\xc3\xa9", "\"caf\xc3\xa9\"" },
		{ "/items/{id}", "/items/{id}" },
	};
	char buf[TAILBOX__LINE_MAX], want[128];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct tailbox__line l = line_of(texts[i][0]);
		tailbox__line_logfmt(&l, buf, sizeof(buf));
		snprintf(want, sizeof(want), " route=%s kind=", texts[i][1]);
		ck_assert_msg(strstr(buf, want) != NULL, "%s", buf);
	}
}
END_TEST

START_TEST(line_that_does_not_fit_ends_with_a_whole_field)
{
	struct tailbox__line l = line_of("/a\nb");
	char whole[TAILBOX__LINE_MAX], buf[TAILBOX__LINE_MAX];
	const size_t len = tailbox__line_logfmt(&l, whole, sizeof(whole));

	for (size_t size = 64; size <= len + 1; size++) {
		const size_t n = tailbox__line_logfmt(&l, buf, size);
		ck_assert_uint_lt(n, size);
		ck_assert_uint_eq(strlen(buf), n);
		ck_assert_int_eq(memcmp(buf, whole, n), 0);
		ck_assert(whole[n] == ' ' || whole[n] == '\0');
	}
	ck_assert_str_eq(buf, whole);
}
END_TEST

START_TEST(more_waits_than_there_is_room_for_are_one)
{
	struct tailbox__line l = line_of("/a");
	char names[20][8];

	for (unsigned i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "w%u", i);
		tailbox__line_wait(&l, names[i], 1);
	}
	ck_assert_uint_eq(l.wait_count, TAILBOX__LINE_WAITS_MAX);
	ck_assert_str_eq(l.waits[TAILBOX__LINE_WAITS_MAX - 1].name, "other");
	ck_assert_uint_eq(l.waits[TAILBOX__LINE_WAITS_MAX - 1].ns, 13);
}
END_TEST

START_TEST(json_of_any_text_is_json)
{
	struct tailbox__line l = line_of("\x1b\"\xff");
	struct tailbox__json j;

	tailbox__json_init(&j, false);
	tailbox__line_wait(&l, "q\n", 2000);
	tailbox__line_json(&l, &j);
	tailbox__tree *t = tailbox__tree_parse(j.buf, j.len);
	ck_assert_ptr_nonnull(t);
	ck_assert_str_eq(tailbox__tree_text(t, "id"), "7");
	ck_assert_uint_eq(tailbox__tree_number(t, "total_us", 0), 1234);
	ck_assert_uint_eq(tailbox__tree_number(
	                          tailbox__tree_member(t, "waits_us"), "q\n",
	                          0),
	                  2);
	ck_assert_ptr_null(memchr(j.buf, '\n', j.len));
	tailbox__tree_free(t);
	tailbox__json_fini(&j);
}
END_TEST

/* --- following ------------------------------------------------------------ */

struct got {
	unsigned count;
	struct tailbox__line last;
	uint64_t end;
	int stop_at; /* 0 = never */
};

static int get(void *cls, const struct tailbox__line *l)
{
	struct got *g = cls;

	ck_assert_uint_ge(l->end, g->end); /* in order */
	g->end = l->end;
	g->last = *l;
	g->count++;
	return g->stop_at && (int)g->count == g->stop_at ? 77 : 0;
}

static struct cli__tail *follow(struct cli__tail_filter f, uint64_t since)
{
	struct cli__tail *t = cli__tail_create(reader, &f, since);

	ck_assert_ptr_nonnull(t);
	return t;
}

START_TEST(begins_where_it_is_told_and_has_the_waits)
{
	struct got g = { 0 };

	request_waits("/old", 5, 1);
	now += 1000000;
	struct cli__tail *t =
	        follow((struct cli__tail_filter){ .slow_ns = 0 }, now);
	ck_assert_int_eq(cli__tail_poll(t, get, &g), 0);
	request_waits("/new", 5, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(cli__tail_poll(t, get, &g), 0);
	ck_assert_uint_eq(g.count, 1);
	ck_assert_str_eq(g.last.route, "/new");
	ck_assert_uint_eq(g.last.total_ns, 11000000);
	ck_assert_uint_eq(g.last.wait_count, 1);
	ck_assert_str_eq(g.last.waits[0].name, "db_pool");
	ck_assert_uint_eq(g.last.waits[0].ns, 6000000);
	ck_assert_uint_eq(cli__tail_skipped(t), 0);
	cli__tail_destroy(t);
}
END_TEST

START_TEST(filters)
{
	struct got g = { 0 };
	struct cli__tail *t = follow(
	        (struct cli__tail_filter){ .slow_ns = 20000000,
	                                   .route = "/a" },
	        0);

	request_waits("/a", 19, 0);
	request_waits("/a", 20, 0);
	request_waits("/b", 30, 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(cli__tail_poll(t, get, &g), 0);
	ck_assert_uint_eq(g.count, 1);
	ck_assert_uint_eq(g.last.total_ns, 20000000);
	cli__tail_destroy(t);
}
END_TEST

START_TEST(status_filters_are_three_digits_or_a_class)
{
	struct cli__tail_filter f;

	ck_assert(cli__tail_status("5xx", &f));
	ck_assert_uint_eq(f.status_from, 500);
	ck_assert_uint_eq(f.status_to, 599);
	ck_assert(cli__tail_status("404", &f));
	ck_assert_uint_eq(f.status_from, 404);
	ck_assert_uint_eq(f.status_to, 404);
	for (const char *const *bad =
	             (const char *const[]){ "", "5", "5x", "0xx", "6xx", "50x",
	                                    "5xxx", "-50", NULL };
	     *bad; bad++)
		ck_assert(!cli__tail_status(*bad, &f));
}
END_TEST

START_TEST(ends_when_the_caller_says_so)
{
	struct got g = { .stop_at = 2 };
	struct cli__tail *t =
	        follow((struct cli__tail_filter){ .slow_ns = 0 }, 0);

	for (int i = 0; i < 5; i++)
		request_waits("/a", 1, 0);
	ck_assert_int_eq(cli__tail_poll(t, get, &g), 0);
	ck_assert_int_eq(cli__tail_poll(t, get, &g), 77);
	ck_assert_uint_eq(g.count, 2);
	cli__tail_destroy(t);
}
END_TEST

/* Far more than a tape of 1 MiB holds, between two looks. */
START_TEST(what_was_overwritten_is_counted_exactly)
{
	const unsigned n = 30000;
	struct got g = { 0 };
	struct cli__tail *t =
	        follow((struct cli__tail_filter){ .slow_ns = 0 }, 0);

	ck_assert_int_eq(cli__tail_poll(t, get, &g), 0);
	for (unsigned i = 0; i < n; i++)
		request_waits("/a", 1, 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(cli__tail_poll(t, get, &g), 0);
	ck_assert_uint_gt(g.count, 1000);
	ck_assert_uint_lt(g.count, n);
	ck_assert_uint_eq(cli__tail_skipped(t), n - g.count);
	cli__tail_destroy(t);
}
END_TEST

/* More is published in it than it has room for. */
START_TEST(a_damaged_block_is_left_out_and_counted)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	struct got g = { 0 };
	struct cli__tail *t =
	        follow((struct cli__tail_filter){ .slow_ns = 0 }, 0);

	while (TAILBOX__GET(h->next_ticket) < 3)
		request_waits("/a", 1, 0);
	struct tailbox__block *b = fixture_block(1);
	TAILBOX__SET(b->pub, TAILBOX__PUB(1, 0xffff));
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(cli__tail_poll(t, get, &g), 0);
	ck_assert_uint_eq(g.count, (h->block_bytes - sizeof(*b)) / 64 + 1);
	ck_assert_uint_eq(cli__tail_damaged(t), 1);
	cli__tail_destroy(t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tail");
	TCase *t = tcase_create("tail");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, line_has_what_is_known_and_nothing_else);
	tcase_add_test(t, time_in_the_content_reader_is_a_field);
	tcase_add_test(t, texts_are_quoted_where_logfmt_needs_it);
	tcase_add_test(t, line_that_does_not_fit_ends_with_a_whole_field);
	tcase_add_test(t, more_waits_than_there_is_room_for_are_one);
	tcase_add_test(t, json_of_any_text_is_json);
	tcase_add_test(t, begins_where_it_is_told_and_has_the_waits);
	tcase_add_test(t, filters);
	tcase_add_test(t, status_filters_are_three_digits_or_a_class);
	tcase_add_test(t, ends_when_the_caller_says_so);
	tcase_add_test(t, what_was_overwritten_is_counted_exactly);
	tcase_add_test(t, a_damaged_block_is_left_out_and_counted);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
