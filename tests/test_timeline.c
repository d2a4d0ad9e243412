/* tests/test_timeline.c - what a timeline shows of a run, as text and as JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/json_tree.h"
#include "tests/timeline_fixture.h"

static const char golden[] =
        "shop 1.4.2  on web-7  pid 912\n"
        "2025-11-20 03:12:41 - 03:13:41 UTC (60.0 s)  light\n"
        "note: slow since noon\n"
        "LOST  spans 12, late spans 3\n"
        "CUT OFF  requests 120, waits 2, beyond the limits\n"
        "OPEN  1 had not ended\n"
        "10 requests, 0.17/s\n"
        "\n"
        "route                              n      p50      p95      p99      "
        "max  errors\n"
        "GET /report                        1   1.33 s   1.33 s   1.33 s   "
        "1.33 s       0\n"
        "POST /checkout                     1   800 ms   800 ms   800 ms   "
        "800 ms       1\n"
        "/items/{id}                        8  1.40 ms  1.70 ms  1.70 ms  "
        "1.70 ms       1\n"
        "all                               10  1.50 ms   1.33 s   1.33 s   "
        "1.33 s       2\n"
        "(p99 of 10 requests is the slowest one)\n"
        "\n"
        "not ended\n"
        "   20.0 s  GET /report                   in db_pool for 19.0 s\n"
        "           number 90 at shop_db.c:88 pool_get\n"
        "\n"
        "slowest 2\n"
        "  = phase   . wait   # stage   X failed   > given up: took at least "
        "that long\n"
        "  ~ a start that is laid out, not recorded   : too short to draw\n"
        "\n"
        "  1  1.33 s  GET /report  200 ok\n"
        "    03:12:44.000 UTC (+3.00 s)  worker 3  connection 17  in 0 B  out "
        "12.0 KiB\n"
        "    number 81  trace abababababababababababababababab  id report-1\n"
        "                            start      time  0                       "
        "    1.33 s\n"
        " wait mhd.ingress               0    198 ms |=====                   "
        "          |\n"
        "   behind GET /report (80), which held the worker 204 ms; +-4 ms\n"
        " headers                   198 ms     90 us |     :                  "
        "          |\n"
        " handler                   198 ms    1.10 s |     "
        "============================ |\n"
        "   wait db_pool            200 ms    420 ms |     ...........        "
        "          |\n"
        "     3 waited before it, at shop_db.c:88 pool_get\n"
        "   stage build             630 ms    600 ms |                "
        "###############   |\n"
        "     stage db_query x10    640 ms    500 ms |                "
        "##############:   |\n"
        "   in none of these                 78.0 ms\n"
        " send                      1.30 s   30.0 ms |                        "
        "         =|\n"
        "   in the content reader            12.0 ms\n"
        "\n"
        "  2  800 ms  POST /checkout  503 error\n"
        "    03:12:46.000 UTC (+5.00 s)  id checkout-1\n"
        "                            start      time  0                       "
        "    800 ms\n"
        " headers                        0         0 |                        "
        "          |\n"
        " handler                       ~0    200 ms |=========               "
        "          |\n"
        " suspended                ~200 ms    500 ms |         "
        "=====================    |\n"
        "   stage tx               10.0 ms    180 ms |XXXXXXXX                "
        "          |\n"
        "   stage supplier          200 ms  >=400 ms |         "
        "################>        |\n"
        " send                      799 ms    800 us |                        "
        "         :|\n"
        " in no known phase                  99.2 ms\n";

static struct tailbox__run *golden_run(void)
{
	struct tailbox__run *run = sample();

	run->truncation.limits_hit = true;
	run->truncation.dropped_requests = 120;
	run->truncation.dropped_queues = 2;
	run->meta.unfinished_count = 1;
	tailbox__run_set_extra(run, "note", "slow since noon", 0);
	tailbox__run_set_extra(run, "jiffy_us", NULL, 4000);
	tailbox__run_set_extra(run, "lost_spans", NULL, 12);
	tailbox__run_set_extra(run, "late_spans", NULL, 3);
	tailbox__run_set_extra(run, "lost_blocks", NULL, 0);
	struct tailbox__run_open *open = tailbox__list_add(&run->open);
	open->id = tailbox__run_cstr(run, "open-1");
	open->route = tailbox__run_cstr(run, "GET /report");
	open->start_us = 40000 * MS;
	open->since_us = 41000 * MS;
	open->where = tailbox__run_cstr(run, "db_pool");
	open->site = tailbox__run_cstr(run, "shop_db.c:88 pool_get");
	open->number = 90;
	open->phase = TAILBOX__PHASE_HANDLER;
	return run;
}

START_TEST(timeline_of_a_small_run_is_this_text)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = golden_run();

	tailbox__timeline_options_init(&o);
	o.slowest = 2;
	char *text = text_of(run, &o);
	/* Too long for one of check's messages. */
	if (strcmp(text, golden))
		fputs(text, stderr);
	ck_assert_msg(!strcmp(text, golden), "another text, see above");
	ck_assert_uint_le(longest_line(text), 80);
	free(text);
	tailbox__run_destroy(run);
}
END_TEST

/* A hold for each ms; the sixth is all that may be unknown. */
static void add_holds(struct tailbox__run *run)
{
	static const uint64_t ms[] = { 5, 70, 6, 1333, 70, 8, 7 };

	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		struct tailbox__run_hold *h = tailbox__list_add(&run->holds);
		h->route = i == 5 ? 0 : tailbox__run_cstr(run, "GET /report");
		h->start_us = (i + 1) * MS;
		h->dur_us = ms[i] * 1000;
		h->worker = i == 5 ? UINT32_MAX : (uint32_t)i;
		h->kind = i == 5 ? 4 : 1;
	}
	tailbox__run_set_extra(run, "dropped_holds", NULL, 3);
}

static char *json_of(const struct tailbox__run *run,
                     const struct tailbox__timeline_options *o)
{
	struct tailbox__json j;

	tailbox__json_init(&j, false);
	ck_assert_int_eq(tailbox__timeline_json(run, o, &j, NULL), 0);
	char *text = strndup(j.buf, j.len);
	tailbox__json_fini(&j);
	tailbox__tree *t = tailbox__tree_parse(text, strlen(text));
	ck_assert_ptr_nonnull(t);
	tailbox__tree_free(t);
	return text;
}

/* Everything that the text above has, under the keys of an artifact. */
static const char *const golden_json[] = {
	"\"service_name\":\"shop\",\"service_version\":\"1.4.2\","
	"\"host\":\"web-7\",\"pid\":912,"
	"\"started_at_unix_ms\":1763608361000,"
	"\"finalized_at_unix_ms\":1763608421000,\"mode\":\"light\","
	"\"note\":\"slow since noon\",\"jiffy_us\":4000",
	"\"lost\":{\"lost_spans\":12,\"late_spans\":3}",
	"\"dropped_requests\":120,\"dropped_stages\":0,\"dropped_queues\":2,"
	"\"dropped_inflight_snapshots\":0,\"dropped_runtime_snapshots\":0,"
	"\"dropped_holds\":3,\"truncated\":true,\"unfinished_requests\":1,"
	"\"warnings\":[\"mind the gap\"],\"requests_in_run\":10",
	"\"open_requests\":[{\"request_id\":\"open-1\","
	"\"route\":\"GET /report\",\"started_at_run_us\":40000000,"
	"\"number\":90,\"phase\":\"handler\",\"since_run_us\":41000000,"
	"\"in\":\"db_pool\",\"site\":\"shop_db.c:88 pool_get\",\"worker\":0}]",
	"\"holds\":7,\"longest_holds\":[{\"worker\":3,\"kind\":\"handler\","
	"\"route\":\"GET /report\",\"started_at_run_us\":4000,"
	"\"held_us\":1333000},{\"worker\":1,\"kind\":\"handler\","
	"\"route\":\"GET /report\",\"started_at_run_us\":2000,"
	"\"held_us\":70000},{\"worker\":4,",
	"{\"kind\":\"connection\",\"started_at_run_us\":6000,"
	"\"held_us\":8000}",
	"\"started_at_run_us\":3000000,\"status\":200,\"bytes_in\":0,"
	"\"bytes_out\":12345,\"worker\":3,\"connection_id\":17,"
	"\"phases_us\":{\"ingress_wait\":198000,\"headers\":90,"
	"\"handler\":1098000,\"send\":30000},\"reader_us\":12000,"
	"\"trace_id\":\"abababababababababababababababab\"",
	"\"held_by\":{\"number\":80,\"route\":\"GET /report\","
	"\"held_us\":204000}",
	"\"tags\":{\"tenant\":\"blue\"}",
	"\"in_known_phases_us\":1326090,\"in_spans_us\":1020000",
	"\"name\":\"db_pool\",\"start_us\":200000,\"duration_us\":420000,"
	"\"depth\":0,\"completed\":true,\"depth_at_start\":3,"
	"\"site\":\"shop_db.c:88 pool_get\"",
};

START_TEST(json_has_what_the_text_has)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = golden_run();
	const size_t report = run->ext.count - 2;

	add_holds(run);
	*tailbox__list_add(&run->meta.warnings) =
	        tailbox__run_cstr(run, "mind the gap");
	run->ext.items[report].tag_key[0] = tailbox__run_cstr(run, "tenant");
	run->ext.items[report].tag_value[0] = tailbox__run_cstr(run, "blue");
	tailbox__timeline_options_init(&o);
	char *text = json_of(run, &o);
	for (size_t i = 0; i < sizeof(golden_json) / sizeof(*golden_json); i++)
		if (!strstr(text, golden_json[i])) {
			fputs(text, stderr);
			ck_abort_msg("no %s", golden_json[i]);
		}
	free(text);
	/* Of one request: what had not ended is not its. */
	o.request = "report-1";
	text = json_of(run, &o);
	ck_assert_ptr_null(strstr(text, "open_requests"));
	ck_assert_ptr_null(strstr(text, "longest_holds"));
	ck_assert_ptr_nonnull(strstr(text, "\"held_by\""));
	free(text);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(the_longest_holds_are_shown)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = sample();

	add_holds(run);
	tailbox__timeline_options_init(&o);
	char *text = text_of(run, &o);
	const char *at = strstr(text, "\nlongest holds");
	ck_assert_ptr_nonnull(at);
	char *end = strstr(at + 1, "\n\n");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	ck_assert_str_eq(
	        at,
	        "\nlongest holds of a worker, of 7\n"
	        "   1.33 s  GET /report                   handler    worker 3 "
	        "at +4.00 ms\n"
	        "  70.0 ms  GET /report                   handler    worker 1 "
	        "at +2.00 ms\n"
	        "  70.0 ms  GET /report                   handler    worker 4 "
	        "at +5.00 ms\n"
	        "  8.00 ms  -                             connection at +6.00 "
	        "ms\n"
	        "  7.00 ms  GET /report                   handler    worker 6 "
	        "at +7.00 ms");
	ck_assert_ptr_nonnull(strstr(text, "CUT OFF  holds 3, beyond the "
	                                   "limits"));
	ck_assert_uint_le(longest_line(at), 80);
	free(text);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(timeline_of_an_empty_run_has_no_figures)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = new_run();

	run->meta.finalized_ms = TAILBOX__NONE;
	tailbox__timeline_options_init(&o);
	char *text = text_of(run, &o);
	ck_assert_str_eq(text,
	                 "shop 1.4.2  on web-7  pid 912\n"
	                 "2025-11-20 03:12:41 UTC, still open: a live snapshot"
	                 "  light\n"
	                 "complete: nothing lost, nothing cut off\n"
	                 "0 requests\n");
	free(text);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(every_width_is_kept)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = sample();
	char name[300];

	memset(name, 'r', sizeof(name));
	name[299] = '\0';
	size_t i = add_request(run, name, name, 9000 * MS, 2000 * MS, name);
	add_ext(run, i, 200)->phase_ns[TAILBOX__PHASE_HANDLER] = 1999999999;
	struct tailbox__run_span *s =
	        add_span(run, true, i, name, MS, 1900 * MS);
	s->site = tailbox__run_cstr(run, name);
	s->depth = UINT64_MAX - 1;
	run->meta.host = tailbox__run_cstr(run, name);
	tailbox__timeline_options_init(&o);
	for (size_t w = 0; w < 500; w += 20) {
		o.width = w;
		size_t want = w == 0 ? 80 : w < 64 ? 64 : w > 400 ? 400 : w;
		want = want < 80 ? 80 : want; /* the legend is that wide */
		char *text = text_of(run, &o);
		ck_assert_uint_le(longest_line(text), want);
		free(text);
	}
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(unknown_phases_are_not_shown_as_zero)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = new_run();
	size_t i = add_request(run, "a", "/a", 0, 10 * MS, "ok");

	add_ext(run, i, 200)->phase_ns[TAILBOX__PHASE_HANDLER] = 9000000;
	tailbox__timeline_options_init(&o);
	char *text = text_of(run, &o);
	ck_assert_ptr_nonnull(strstr(text, "\n handler "));
	ck_assert_ptr_null(strstr(text, "\n headers "));
	ck_assert_ptr_null(strstr(text, "\n send "));
	ck_assert_ptr_null(strstr(text, "\n suspended "));
	ck_assert_ptr_nonnull(strstr(text, "no stage or wait is marked"));
	free(text);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(what_moves_a_terminal_is_escaped)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = new_run();

	add_request(run, "id\033]0;x\a", "/a\033[2J\xe2\x80\xae\xff", 0, MS,
	            "ok\n");
	tailbox__timeline_options_init(&o);
	char *text = text_of(run, &o);
	for (const char *p = text; *p; p++)
		ck_assert_msg((unsigned char)*p >= 0x20 || *p == '\n', "%d",
		              *p);
	ck_assert_ptr_null(strstr(text, "\xe2\x80\xae"));
	ck_assert_ptr_nonnull(
	        strstr(text, "/a\\x1b[2J\\xe2\\x80\\xae\\xff"));
	free(text);
	tailbox__run_destroy(run);
}
END_TEST

static Suite *timeline_suite(void)
{
	Suite *s = suite_create("timeline");
	TCase *t = tcase_create("timeline");

	tcase_add_checked_fixture(t, NULL, sample_allow_all);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, timeline_of_a_small_run_is_this_text);
	tcase_add_test(t, json_has_what_the_text_has);
	tcase_add_test(t, the_longest_holds_are_shown);
	tcase_add_test(t, timeline_of_an_empty_run_has_no_figures);
	tcase_add_test(t, every_width_is_kept);
	tcase_add_test(t, unknown_phases_are_not_shown_as_zero);
	tcase_add_test(t, what_moves_a_terminal_is_escaped);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(timeline_suite());

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
