/* tests/test_top.c - frames of top: what they hold, how they read.
 *
 * SPDX-License-Identifier: MIT
 *
 * A lock is never seen from inside the process that holds it, so a tape of this
 * process reads as one of a dead process: times stand still at its last record.
 */
#include "recorder_fixture.h"

#include <tailbox/span.h>

#include "analyzer/json_tree.h"
#include "analyzer/timeline_text.h"
#include "cli/tail.h"
#include "cli/top_model.h"
#include "core/alloc.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)

static uint64_t now = 1000 * S;

static uint64_t tick(void)
{
	return now;
}

static struct cli__top_source *source;
static char tape[256];

static void setup(void)
{
	tailbox__clock_inject(tick, 1000000000);
	fixture_open((uint64_t)1 << 20);
	snprintf(tape, sizeof(tape), "%s/test.%ld.tape", fixture_dir,
	         (long)getpid());
	/* Closing it drops the recorder's lock: nothing here needs that. */
	source = cli__top_open(tape);
	ck_assert_ptr_nonnull(source);
}

static void teardown(void)
{
	cli__top_close(source);
	source = NULL;
	fixture_close();
	tailbox__clock_inject(NULL, 0);
}

static const struct cli__top *frame(void)
{
	const char *why;
	const struct cli__top *t = cli__top_frame(source, &why);

	ck_assert_msg(t != NULL, "%s", why);
	return t;
}

static void request(const char *route, uint64_t ms)
{
	tailbox_request r = tailbox_request_begin(route, "job");

	ck_assert_ptr_nonnull(r);
	now += ms * MS;
	tailbox_request_finish(r, NULL);
}

/* --- what a frame holds --------------------------------------------------- */

START_TEST(new_tape_has_nothing_and_says_so)
{
	const struct cli__top *t = frame();

	ck_assert_str_eq(t->service, "test");
	ck_assert_uint_eq(t->open, 0);
	ck_assert_uint_eq(t->loss_count, 0);
	ck_assert_uint_eq(t->rates.finished, 0);
	ck_assert_uint_eq(t->rates.p99_ns, TAILBOX__NONE);
	ck_assert_uint_eq(t->connections, TAILBOX__NONE);
	ck_assert_uint_eq(t->sample_age_ns, TAILBOX__NONE);
}
END_TEST

START_TEST(open_requests_are_oldest_first_with_where_they_are)
{
	tailbox_request a = tailbox_request_begin("/first", "job"), b;
	struct tailbox_span span;
	static struct tailbox_site site = { "db_pool", "x/pool.c", "get", 12,
		                            TAILBOX_SPAN_WAIT, 0 };

	now += 5 * MS;
	b = tailbox_request_begin("/second", NULL);
	tailbox_request_set_id(b, "id 7");
	tailbox_request_tag(b, "tenant", "blue");
	now += 2 * MS;
	tailbox_span_begin(&span, b, &site, 0);
	now += 3 * MS;
	request("/done", 1); /* the last record */
	const struct cli__top *t = frame();
	ck_assert_uint_eq(t->request_count, 2);
	const struct cli__top_request *r = t->requests;
	ck_assert_str_eq(r[0].route, "/first");
	ck_assert_uint_eq(r[0].age_ns, 11 * MS);
	ck_assert(!r[0].where.is_in);
	ck_assert_str_eq(r[1].route, "/second");
	ck_assert_str_eq(r[1].id, "id 7");
	ck_assert_uint_eq(r[1].age_ns, 6 * MS);
	ck_assert(r[1].where.is_in && r[1].where.is_wait);
	ck_assert_str_eq(r[1].where.name, "db_pool");
	ck_assert_str_eq(r[1].where.site, "pool.c:12 get");
	ck_assert_uint_eq(r[1].where.for_ns, 4 * MS);
	ck_assert_uint_eq(r[1].tag_count, 1);
	ck_assert_str_eq(r[1].tags[0].value, "blue");
	ck_assert_uint_eq(t->queue_count, 1);
	ck_assert_str_eq(t->queues[0].name, "db_pool");
	ck_assert_uint_eq(t->queues[0].waiting, 1);
	ck_assert_uint_eq(t->queues[0].oldest_ns, 4 * MS);
	/* Time stands still at the last record. */
	now += 3600 * S;
	t = frame();
	ck_assert(t->is_frozen);
	ck_assert_uint_eq(t->requests[0].age_ns, 11 * MS);
	tailbox_span_end(&span, 1);
	tailbox_request_finish(a, NULL);
	tailbox_request_finish(b, NULL);
	ck_assert_uint_eq(frame()->open, 0);
}
END_TEST

START_TEST(gauges_are_what_open_requests_hold)
{
	tailbox_request a = tailbox_request_begin("/a", NULL);
	tailbox_request b = tailbox_request_begin("/b", NULL);

	tailbox_gauge_up(a, "uploads");
	tailbox_gauge_up(b, "uploads");
	tailbox_gauge_up(b, "uploads");
	tailbox_gauge_down(b, "uploads");
	const struct cli__top *t = frame();
	ck_assert_uint_eq(t->gauge_count, 1);
	ck_assert_int_eq(t->gauges[0].value, 2);
	tailbox_request_finish(a, NULL);
	t = frame();
	ck_assert_int_eq(t->gauges[0].value, 1);
	tailbox_request_finish(b, NULL);
	ck_assert_uint_eq(frame()->gauge_count, 0);
}
END_TEST

/* Within 1% of what a list of all would give. */
static void near(uint64_t ns, uint64_t ms)
{
	ck_assert_msg(ns >= ms * MS * 99 / 100 && ns <= ms * MS * 101 / 100,
	              "%lu ns is not %lu ms", (unsigned long)ns,
	              (unsigned long)ms);
}

START_TEST(rates_are_of_the_last_ten_seconds)
{
	for (int i = 0; i < 50; i++)
		request("/old", 100); /* 5 s */
	now += 20 * S;
	for (uint64_t ms = 1; ms <= 100; ms++)
		request("/new", ms); /* 5.05 s */
	const struct cli__top_rates *r = &frame()->rates;
	ck_assert_uint_eq(r->finished, 100);
	ck_assert_uint_ge(r->span_ns, 9 * S);
	ck_assert_uint_le(r->span_ns, 10 * S);
	near(r->p50_ns, 50);
	near(r->p95_ns, 95);
	near(r->p99_ns, 99);
	ck_assert_uint_eq(r->max_ns, 100 * MS);
}
END_TEST

/* At 2000 a second the tape holds a few seconds: the rate must not count those
 * that were overwritten as seconds without requests. */
START_TEST(rates_of_a_tape_that_was_overwritten_are_of_what_is_whole)
{
	for (int i = 0; i < 200000; i++) {
		tailbox_request r = tailbox_request_begin("/a", NULL);
		now += MS / 2;
		tailbox_request_finish(r, NULL);
	}
	const struct cli__top *t = frame();
	ck_assert(t->has_wrapped);
	ck_assert_uint_gt(t->history_ns, 3 * S);
	ck_assert_uint_lt(t->history_ns, 10 * S);
	ck_assert_uint_le(t->rates.span_ns, t->history_ns);
	const uint64_t rate = t->rates.finished * S / t->rates.span_ns;
	ck_assert_uint_ge(rate, 1990);
	ck_assert_uint_le(rate, 2010);
	ck_assert_uint_eq(t->loss_count, 0);
}
END_TEST

START_TEST(a_damaged_block_is_told)
{
	for (int i = 0; i < 3; i++)
		request("/a", 10);
	ck_assert_uint_eq(frame()->loss_count, 0);
	struct tailbox__block *b = fixture_block(1);
	TAILBOX__SET(b->pub, TAILBOX__PUB(1, 0xffff));
	const struct cli__top *t = frame();
	ck_assert_uint_eq(t->loss_count, 1);
	ck_assert_str_eq(t->losses[0].key, "damaged");
	ck_assert_uint_eq(t->losses[0].count, 1);
}
END_TEST

START_TEST(later_frames_go_on_from_the_earlier)
{
	for (int i = 0; i < 3; i++) {
		request("/a", 10);
		ck_assert_uint_eq(frame()->rates.finished, (uint64_t)i + 1);
	}
}
END_TEST

/* --- how they read -------------------------------------------------------- */

/* Everything that a frame may have, with values that do not change. */
static struct cli__top made(void)
{
	static struct cli__top_loss losses[] = {
		{ "lost_spans", "stages or waits (no block was free)", 3 }
	};
	static struct cli__top_worker workers[] = {
		{ .index = 0, .tid = 911, .daemon = 1, .held = "handler",
		  .held_ns = 171 * MS, .idle_ns = TAILBOX__NONE,
		  .number = 1099511627780, .route = "/report",
		  .where = { true, false, "report_query",
		             "shop_db.c:123 db_report", 170 * MS },
		  .behind_unread = 3, .behind_open = 1, .finished = 70,
		  .connections = 9, .state = 'S', .wchan = "futex_wait" },
		{ .index = 1, .tid = 912, .daemon = 1, .held = "",
		  .idle_ns = 2 * MS, .route = "", .where = { .name = "", .site = "" },
		  .wchan = "" },
		{ .index = UINT32_MAX, .daemon = 1, .held = "",
		  .idle_ns = TAILBOX__NONE, .route = "",
		  .where = { .name = "", .site = "" }, .state = 'S', .wchan = "" },
	};
	static struct cli__top_request requests[] = {
		{ .number = 1099511627780, .connection = 4,
		  .age_ns = 172 * MS, .phase_ns = 171 * MS, .route = "/report",
		  .kind = "http", .phase = "handler",
		  .where = { true, false, "report_query",
		             "shop_db.c:123 db_report", 170 * MS },
		  .behind = { .route = "", .worker = UINT32_MAX } },
		{ .number = 1099511627781, .connection = 5,
		  .age_ns = 20 * MS, .phase_ns = 19 * MS,
		  .id = "\x1b[31m\xe6\x97\xa5", .route = "/items/{id}",
		  .kind = "http", .phase = "send", .where = { .name = "", .site = "" },
		  .behind = { .number = 1099511627780, .held_ns = 171 * MS,
		              .route = "/report", .worker = 0 } },
	};
	static struct cli__top_queue queues[] = {
		{ "db_pool", true, 2, 120 * MS, 2, 2, 2 },
		{ "stock_lock", false, 1, 5 * MS, TAILBOX__NONE, TAILBOX__NONE,
		  TAILBOX__NONE },
	};
	static struct cli__top_accept accepts[] = { { 1, 0, 511, 1000 } };
	static struct cli__top_gauge gauges[] = { { "uploads", 2 } };

	return (struct cli__top){
		.service = "shop", .version = "1.4.2", .pid = 910,
		.writer = TAILBOX__WRITER_STOPPED, .is_recording = true,
		.started_ms = 1763608361000, .as_of_ms = 1763608421007,
		.is_frozen = true, .last_record_ns = 4200 * MS,
		.tape_bytes = 16777216, .history_ns = 42 * S,
		.has_wrapped = true, .own_cpu_ns = 13 * MS, .own_ppm = 260,
		.process_ppm = 3100, .losses = losses, .loss_count = 1,
		.begun = 73, .done = 71, .open = 2,
		.rates = { 9900 * MS, 11781, 12, 1400000, 9100000, 171 * MS,
		           1330 * MS },
		.connections = 17, .suspended = 0, .sample_age_ns = 300 * MS,
		.cpu_ppm = 1600000, .workers = workers, .worker_count = 3,
		.held_count = 1, .requests = requests, .request_count = 2,
		.queues = queues, .queue_count = 2, .accepts = accepts,
		.accept_count = 1, .gauges = gauges, .gauge_count = 1,
	};
}

static const char golden[] =
	"shop 1.4.2  pid 910  STOPPED  since 2025-11-20 03:12:41 UTC\n"
	"times count up to its last record, 03:13:41.007 UTC, 4.20 s ago\n"
	"LOST  3 stages or waits (no block was free)\n"
	"tape      16.0 MiB, 42.0 s of history\n"
	"recorder  13.0 ms of CPU  0.02% of one CPU  0.31% of the process\n"
	"last 9.9 s 1190.0/s  p50 1.40 ms  p95 9.10 ms  p99 171 ms  max 1.33 s"
	"  5xx 12\n"
	"requests  2 open, 71 finished   connections 17 of 1000   CPUs 1.60\n"
	"queues    accept 0 of 511   pool db_pool 2 waiting, oldest 120 ms,"
	" busy 2 of 2\n"
	"          wait stock_lock 1 waiting, oldest 5.00 ms\n"
	"gauges    uploads 2\n"
	"\n"
	"WORKER      TID S  IN               FOR BEHIND  ROUTE, REQUEST\n"
	"     0      911 S  handler       171 ms      4  /report         "
	"1099511627780\n"
	"           in stage report_query for 170 ms  at shop_db.c:123"
	" db_report\n"
	"     1      912 -  idle         2.00 ms\n"
	"     -        - S  idle               -\n"
	"\n"
	" OPEN FOR  ROUTE                    PHASE              FOR WORKER"
	"  REQUEST\n"
	"   172 ms  /report                  handler         171 ms      0"
	"  1099511627780\n"
	"           in stage report_query for 170 ms  at shop_db.c:123"
	" db_report\n"
	"  20.0 ms  /items/{id}              send           19.0 ms      0"
	"  \\x1b[31m\xe6\x97\xa5\n"
	"           behind /report (1099511627780), which holds worker 0 for"
	" 171 ms\n";

START_TEST(text_on_eighty_columns)
{
	const struct cli__top t = made();
	const struct cli__top_view v = { .columns = 80, .filter = "" };
	struct cli__top_text text = { .len = 0 };

	cli__top_render(&t, &v, &text);
	ck_assert_str_eq(text.text, golden);
	cli__top_text_fini(&text);
}
END_TEST

static void is_harmless(const struct cli__top_text *text, unsigned columns)
{
	ck_assert(!text->has_failed);
	for (size_t i = 0; i < text->row_count; i++) {
		const struct cli__top_row *r = &text->rows[i];
		const char *s = text->text + r->at;
		ck_assert_uint_le(tailbox__show_columns(s, r->len), columns);
		ck_assert(tailbox__show_is_plain(s, r->len));
		ck_assert_int_eq(s[r->len], '\n');
	}
}

START_TEST(no_width_and_no_name_breaks_it)
{
	struct cli__top t = made();
	struct cli__top_text text = { .len = 0 };

	for (unsigned columns = 20; columns <= 400; columns++) {
		const struct cli__top_view v = { .columns = columns,
			                         .filter = "" };
		cli__top_render(&t, &v, &text);
		is_harmless(&text, columns);
		cli__top_text_fini(&text);
		for (size_t i = 0; i < t.worker_count; i++)
			cli__top_render_worker(&t, &t.workers[i], columns,
			                       &text);
		for (size_t i = 0; i < t.request_count; i++)
			cli__top_render_request(&t, &t.requests[i], columns,
			                        &text);
		is_harmless(&text, columns);
		cli__top_text_fini(&text);
	}
}
END_TEST

static size_t requests_shown(enum cli__top_sort sort, const char *filter,
                             size_t rows_max, size_t *first)
{
	const struct cli__top t = made();
	const struct cli__top_view v = { 80, rows_max, sort, filter };
	struct cli__top_text text = { .len = 0 };
	size_t n = 0;

	cli__top_render(&t, &v, &text);
	for (size_t i = text.row_count; i-- > 0;) {
		if (text.rows[i].kind != CLI__TOP_REQUEST ||
		    !text.rows[i].is_first)
			continue;
		*first = text.rows[i].item;
		n++;
	}
	cli__top_text_fini(&text);
	return n;
}

START_TEST(requests_are_sorted_filtered_and_cut)
{
	size_t first = 9;

	ck_assert_uint_eq(requests_shown(CLI__TOP_BY_AGE, "", 0, &first), 2);
	ck_assert_uint_eq(first, 0);
	ck_assert_uint_eq(requests_shown(CLI__TOP_BY_ROUTE, "", 0, &first), 2);
	ck_assert_uint_eq(first, 1);
	ck_assert_uint_eq(requests_shown(CLI__TOP_BY_AGE, "ITEMS", 0, &first),
	                  1);
	ck_assert_uint_eq(first, 1);
	ck_assert_uint_eq(
	        requests_shown(CLI__TOP_BY_AGE, "shop_db.c", 0, &first), 1);
	ck_assert_uint_eq(first, 0);
	ck_assert_uint_eq(requests_shown(CLI__TOP_BY_AGE, "no", 0, &first), 0);
	ck_assert_uint_eq(requests_shown(CLI__TOP_BY_AGE, "", 1, &first), 1);
}
END_TEST

START_TEST(json_has_it_all)
{
	const struct cli__top top = made();
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	cli__top_json(&top, &j);
	tailbox__tree *t = tailbox__tree_parse(j.buf, j.len);
	ck_assert_ptr_nonnull(t);
	ck_assert_str_eq(tailbox__tree_text(t, "state"), "stopped");
	ck_assert(tailbox__tree_is_true(t, "ages_frozen"));
	ck_assert_uint_eq(tailbox__tree_number(
	                          tailbox__tree_member(t, "lost"), "lost_spans",
	                          0),
	                  3);
	tailbox__tree *w = tailbox__tree_member(t, "workers");
	ck_assert_uint_eq(tailbox__tree_count(w), 3);
	w = tailbox__tree_at(w, 0);
	ck_assert_uint_eq(tailbox__tree_number(w, "behind", 9), 4);
	w = tailbox__tree_member(tailbox__tree_member(w, "held"), "where");
	ck_assert_str_eq(tailbox__tree_text(w, "site"),
	                 "shop_db.c:123 db_report");
	w = tailbox__tree_at(tailbox__tree_member(t, "requests"), 1);
	ck_assert_uint_eq(
	        tailbox__tree_number(tailbox__tree_member(w, "behind"),
	                             "number", 0),
	        1099511627780);
	ck_assert_uint_eq(
	        tailbox__tree_number(tailbox__tree_member(t, "last_10_s"),
	                             "per_second_milli", 0),
	        1190000);
	tailbox__tree_free(t);
	tailbox__json_fini(&j);
}
END_TEST

/* --- damaged tapes -------------------------------------------------------- */

static int drop(void *cls, const struct tailbox__line *l)
{
	char buf[TAILBOX__LINE_MAX];

	(void)cls;
	tailbox__line_logfmt(l, buf, sizeof(buf));
	return 0;
}

/* All that top and tail do with a tape. Says whether it could be opened. */
static bool use(const char *path)
{
	const struct cli__tail_filter all = { .slow_ns = 0 };
	struct cli__top_view v = { .columns = 80, .filter = "" };
	struct cli__top_text text = { .len = 0 };
	struct tailbox__reader *r;
	struct tailbox__json j;
	const char *why;

	if (tailbox__reader_open(path, &r, NULL) < 0)
		return false;
	struct cli__tail *tail = cli__tail_create(r, &all, 0);
	for (int i = 0; i < 3; i++)
		(void)cli__tail_poll(tail, drop, NULL);
	cli__tail_destroy(tail);
	tailbox__reader_close(r);
	struct cli__top_source *s = cli__top_open(path);
	const struct cli__top *t = s ? cli__top_frame(s, &why) : NULL;
	if (t) {
		cli__top_render(t, &v, &text);
		is_harmless(&text, 80);
		cli__top_text_fini(&text);
		tailbox__json_init(&j, false);
		cli__top_json(t, &j);
		tailbox__tree *tree = tailbox__tree_parse(j.buf, j.len);
		ck_assert_ptr_nonnull(tree);
		tailbox__tree_free(tree);
		tailbox__json_fini(&j);
	}
	cli__top_close(s);
	return true;
}

static int creat_copy(const char *path)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* Half of the flips in what is not blocks: there is more to go wrong. */
static void flip(int fd, uint32_t *seed, uint64_t blocks_off, uint64_t size)
{
	for (int i = 0; i < 8; i++) {
		unsigned char c;
		*seed = *seed * 1664525u + 1013904223u;
		const off_t at = (off_t)((*seed >> 4) %
		                         (i % 2 ? size
		                          : i % 4 ? blocks_off : 4096));
		if (pread(fd, &c, 1, at) != 1)
			continue;
		*seed = *seed * 1664525u + 1013904223u;
		c ^= (unsigned char)(1u << (*seed >> 29));
		ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
	}
}

START_TEST(damaged_tapes_give_an_error_or_a_part)
{
	tailbox_request one = tailbox_request_begin("/open", "job");
	char path[300];
	unsigned opened = 0;
	uint32_t seed = 1;

	tailbox_gauge_up(one, "g");
	for (int i = 0; i < 3000; i++)
		request(i % 2 ? "/a" : "/b", 1);
	snprintf(path, sizeof(path), "%s/copy.tape", fixture_dir);
	const uint64_t size = tailbox__recorder.tape.file_bytes;
	const uint64_t blocks = tailbox__recorder.tape.header->blocks_off;
	char *whole = malloc(size);
	ck_assert_int_eq(pread(tailbox__recorder.tape.fd, whole, size, 0),
	                 (ssize_t)size);
	fclose(stderr); /* cli__top_open() tells */
	for (int i = 0; i < 150; i++) {
		int fd = creat_copy(path);
		ck_assert_int_eq(pwrite(fd, whole, size, 0), (ssize_t)size);
		flip(fd, &seed, blocks, size);
		if (i % 10 == 9)
			ck_assert_int_eq(
			        ftruncate(fd, (off_t)(seed % size)), 0);
		close(fd);
		opened += use(path);
	}
	free(whole);
	ck_assert_uint_gt(opened, 50);
	ck_assert_uint_lt(opened, 150);
	tailbox_request_finish(one, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("top");
	TCase *t = tcase_create("top");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, new_tape_has_nothing_and_says_so);
	tcase_add_test(t, open_requests_are_oldest_first_with_where_they_are);
	tcase_add_test(t, gauges_are_what_open_requests_hold);
	tcase_add_test(t, rates_are_of_the_last_ten_seconds);
	tcase_add_test(
	        t, rates_of_a_tape_that_was_overwritten_are_of_what_is_whole);
	tcase_add_test(t, a_damaged_block_is_told);
	tcase_add_test(t, later_frames_go_on_from_the_earlier);
	tcase_add_test(t, text_on_eighty_columns);
	tcase_add_test(t, no_width_and_no_name_breaks_it);
	tcase_add_test(t, requests_are_sorted_filtered_and_cut);
	tcase_add_test(t, json_has_it_all);
	tcase_add_test(t, damaged_tapes_give_an_error_or_a_part);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
