/* tests/test_timeline.c - the timeline of runs that are built by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/json_tree.h"
#include "analyzer/timeline.h"
#include "analyzer/timeline_model.h"
#include "analyzer/timeline_text.h"
#include "core/alloc.h"

#define MS 1000u /* in us */

static void allow_all(void)
{
	tailbox__alloc_fail_after(-1);
}

/* --- building runs -------------------------------------------------------- */

static struct tailbox__run *new_run(void)
{
	struct tailbox__run *run;

	ck_assert_int_eq(tailbox__run_create(&run), 0);
	run->meta.run_id = tailbox__run_cstr(run, "shop-generation-3");
	run->meta.service_name = tailbox__run_cstr(run, "shop");
	run->meta.service_version = tailbox__run_cstr(run, "1.4.2");
	run->meta.host = tailbox__run_cstr(run, "web-7");
	run->meta.has_pid = true;
	run->meta.pid = 912;
	run->meta.started_ms = 1763608361000; /* 2025-11-20 03:12:41 */
	run->meta.finalized_ms = 1763608421000;
	return run;
}

static size_t add_request(struct tailbox__run *run, const char *id,
                          const char *route, uint64_t start_us, uint64_t us,
                          const char *outcome)
{
	struct tailbox__run_request *r = tailbox__list_add(&run->requests);

	ck_assert_ptr_nonnull(r);
	r->id = tailbox__run_cstr(run, id);
	r->route = tailbox__run_cstr(run, route);
	r->outcome = tailbox__run_cstr(run, outcome);
	r->start_ms = run->meta.started_ms + start_us / 1000;
	r->end_ms = r->start_ms + us / 1000;
	r->start_us = start_us;
	r->end_us = start_us + us;
	r->latency_us = us;
	r->flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
	return run->requests.count - 1;
}

static struct tailbox__run_ext *add_ext(struct tailbox__run *run, size_t i,
                                        unsigned status)
{
	struct tailbox__run_ext *e = tailbox__list_add(&run->ext);

	ck_assert_ptr_nonnull(e);
	e->status = (uint16_t)status;
	e->worker = UINT32_MAX;
	e->bytes_in = e->bytes_out = e->reader_ns = TAILBOX__NONE;
	for (unsigned p = 0; p < TAILBOX__PHASE_COUNT; p++)
		e->phase_ns[p] = TAILBOX__NONE;
	run->requests.items[i].ext = (uint32_t)run->ext.count;
	return e;
}

/* `at` counts from the start of request i. */
static struct tailbox__run_span *add_span(struct tailbox__run *run, bool wait,
                                          size_t i, const char *name,
                                          uint64_t at, uint64_t us)
{
	struct tailbox__run_span *s = wait ? tailbox__list_add(&run->queues)
	                                   : tailbox__list_add(&run->stages);

	ck_assert_ptr_nonnull(s);
	s->request = run->requests.items[i].id;
	s->name = tailbox__run_cstr(run, name);
	s->start_us = run->requests.items[i].start_us + at;
	s->end_us = s->start_us + us;
	s->dur_us = us;
	s->depth = TAILBOX__NONE;
	s->flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
	return s;
}

/* A report that waited for a worker and a connection, then did ten queries. */
static void add_report(struct tailbox__run *run)
{
	size_t i = add_request(run, "report-1", "GET /report", 3000 * MS,
	                       1330 * MS, "ok");
	struct tailbox__run_ext *e = add_ext(run, i, 200);

	e->number = 81;
	e->worker = 3;
	e->connection = 17;
	e->bytes_in = 0;
	e->bytes_out = 12345;
	e->phase_ns[TAILBOX__PHASE_INGRESS] = 198000000;
	e->phase_ns[TAILBOX__PHASE_HEADERS] = 90000;
	e->phase_ns[TAILBOX__PHASE_HANDLER] = 1098000000;
	e->phase_ns[TAILBOX__PHASE_SEND] = 30000000;
	e->reader_ns = 12000000;
	e->holder_number = 80;
	e->holder_ns = 204000000;
	e->holder_route = tailbox__run_cstr(run, "GET /report");
	memset(e->trace_id, 0xab, sizeof(e->trace_id));
	add_span(run, true, i, "mhd.ingress", 0, 198 * MS);
	struct tailbox__run_span *s =
	        add_span(run, true, i, "db_pool", 200 * MS, 420 * MS);
	s->depth = 3;
	s->site = tailbox__run_cstr(run, "shop_db.c:88 pool_get");
	add_span(run, false, i, "build", 630 * MS, 600 * MS);
	for (unsigned k = 0; k < 10; k++)
		add_span(run, false, i, "db_query", (640 + 55 * k) * MS,
		         50 * MS);
}

/* A checkout that failed: suspended, with a failed and a partial stage. */
static void add_checkout(struct tailbox__run *run)
{
	size_t i = add_request(run, "checkout-1", "POST /checkout", 5000 * MS,
	                       800 * MS, "error");
	struct tailbox__run_ext *e = add_ext(run, i, 503);

	e->phase_ns[TAILBOX__PHASE_HEADERS] = 0;
	e->phase_ns[TAILBOX__PHASE_HANDLER] = 200000000;
	e->phase_ns[TAILBOX__PHASE_SUSPENDED] = 500000000;
	e->phase_ns[TAILBOX__PHASE_SEND] = 800000;
	add_span(run, false, i, "tx", 10 * MS, 180 * MS)->flags |=
	        TAILBOX__FAILED;
	add_span(run, false, i, "supplier", 200 * MS, 400 * MS)->flags |=
	        TAILBOX__PARTIAL | TAILBOX__FAILED;
}

static struct tailbox__run *sample(void)
{
	struct tailbox__run *run = new_run();

	for (unsigned k = 0; k < 8; k++) {
		char id[16];
		snprintf(id, sizeof(id), "item-%u", k);
		add_request(run, id, "/items/{id}", k * 10 * MS, MS + 100 * k,
		            k ? "ok" : "timeout");
	}
	add_report(run);
	add_checkout(run);
	return run;
}

static char *text_of(const struct tailbox__run *run,
                     const struct tailbox__timeline_options *o)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(tailbox__timeline_text(run, o, f, &err), 0);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

static size_t longest_line(const char *text)
{
	size_t longest = 0;

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, "\n");
		longest = len > longest ? len : longest;
		p += len + (p[len] == '\n');
	}
	return longest;
}

/* --- golden texts --------------------------------------------------------- */

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

/* --- choosing ------------------------------------------------------------- */

START_TEST(route_and_request_choose)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__timeline_options o;
	struct tailbox__tl_summary s;
	struct tailbox__run *run = sample();

	tailbox__timeline_options_init(&o);
	o.route = "/items/{id}";
	ck_assert_int_eq(tailbox__tl_summarize(run, &o, &s, &err), 0);
	ck_assert_uint_eq(s.all.n, 8);
	ck_assert_uint_eq(s.route_count, 1);
	ck_assert_uint_eq(s.slowest_count, 5);
	ck_assert_uint_eq(s.slowest[0], 7);
	tailbox__tl_summary_fini(&s);

	static const char *const ways[] = {
		"report-1", "81", "abababababababababababababababab"
	};
	o.route = NULL;
	for (size_t i = 0; i < 3; i++) {
		o.request = ways[i];
		ck_assert_int_eq(tailbox__tl_summarize(run, &o, &s, &err), 0);
		ck_assert_uint_eq(s.slowest_count, 1);
		ck_assert_uint_eq(s.slowest[0], 8);
		tailbox__tl_summary_fini(&s);
	}
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(what_is_not_there_is_an_error_and_prints_nothing)
{
	static const char *const wrong[] = {
		"", "0", "82", "report", "00000000000000000000000000000000"
	};
	struct tailbox__timeline_options o;
	struct tailbox__run *run = sample();
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	tailbox__timeline_options_init(&o);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		o.request = wrong[i];
		ck_assert_int_eq(tailbox__timeline_text(run, &o, f, &err),
		                 -ENOENT);
		ck_assert_str_ne(err.text, "");
	}
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	o.request = NULL;
	o.route = "/none";
	ck_assert_int_eq(tailbox__timeline_text(run, &o, f, &err), -ENOENT);
	ck_assert_str_eq(err.text, "no request of route /none");
	fclose(f);
	ck_assert_uint_eq(size, 0);
	free(text);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(slowest_is_bounded_by_what_there_is)
{
	struct tailbox__timeline_options o;
	struct tailbox__tl_summary s;
	struct tailbox__run *run = sample();

	tailbox__timeline_options_init(&o);
	for (o.slowest = 0; o.slowest < 13; o.slowest++) {
		ck_assert_int_eq(tailbox__tl_summarize(run, &o, &s, NULL), 0);
		ck_assert_uint_eq(s.slowest_count,
		                  o.slowest < 10 ? o.slowest : 10);
		const struct tailbox__run_request *q = run->requests.items;
		for (size_t i = 1; i < s.slowest_count; i++)
			ck_assert_uint_ge(q[s.slowest[i - 1]].latency_us,
			                  q[s.slowest[i]].latency_us);
		tailbox__tl_summary_fini(&s);
	}
	tailbox__run_destroy(run);
}
END_TEST

/* --- figures -------------------------------------------------------------- */

START_TEST(percentile_takes_the_index_of_the_spec)
{
	uint64_t v[1000];

	for (size_t i = 0; i < 1000; i++)
		v[i] = i;
	for (size_t n = 1; n <= 1000; n++) {
		static const unsigned ps[] = { 50, 95, 99 };
		for (size_t k = 0; k < 3; k++) {
			size_t at = ((n - 1) * ps[k] + 99) / 100;
			at = at < n - 1 ? at : n - 1;
			ck_assert_uint_eq(tailbox__percentile(v, n, ps[k]),
			                  at);
		}
	}
}
END_TEST

START_TEST(times_have_three_digits_and_their_unit)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 812, "0.81 us" },
		{ 9996, "10.0 us" },
		{ 90000, "90 us" },
		{ 999499, "999 us" },
		{ 999500, "1.00 ms" },
		{ 999000, "999 us" },
		{ 1400000, "1.40 ms" },
		{ 9996000, "10.0 ms" },
		{ 99960000, "100 ms" },
		{ 999499999, "999 ms" },
		{ 999500000, "1.00 s" },
		{ 1330000000, "1.33 s" },
		{ 75200000000, "75.2 s" },
		{ UINT64_MAX, "18446744074 s" },
	};
	char buf[TAILBOX__SHOW_ROOM];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(tailbox__show_ns(buf, cases[i].ns),
		                 cases[i].text);
	ck_assert_str_eq(tailbox__show_us(buf, 29), "29 us");
	ck_assert_str_eq(tailbox__show_us(buf, UINT64_MAX),
	                 "18446744073710 s");
	ck_assert_str_eq(tailbox__show_coarse(buf, 23456789, 4000000),
	                 "23 ms");
	ck_assert_str_eq(tailbox__show_bytes(buf, 1023), "1023 B");
	ck_assert_str_eq(tailbox__show_bytes(buf, 1024), "1.0 KiB");
	ck_assert_str_eq(tailbox__show_bytes(buf, (1 << 20) - 1), "1023.9 KiB");
	ck_assert_str_eq(tailbox__show_bytes(buf, UINT64_MAX), "15.9 EiB");
	ck_assert_str_eq(tailbox__show_utc(buf, 1763608361007),
	                 "2025-11-20 03:12:41");
	ck_assert_str_eq(tailbox__show_clock_ms(buf, 1763608361007),
	                 "03:12:41.007");
	ck_assert_str_eq(tailbox__show_utc(buf, UINT64_MAX), "?");
}
END_TEST

START_TEST(foreign_text_is_cut_to_its_columns)
{
	static const struct {
		const char *in;
		size_t columns;
		const char *out;
	} cases[] = {
		{ "abc", 3, "abc" },     { "abcd", 3, "a.." },
		{ "abcd", 2, ".." },     { "abcd", 1, "." },
		{ "abcd", 0, "" },
		{ "\xc3\xa9\xc3\xa9", 2, "\xc3\xa9\xc3\xa9" },
		{ "\n", 4, "\\x0a" },    { "\n", 3, ".." },
		{ "", 3, "" },           { "a\nb", 5, "a.." },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = NULL;
		size_t size;
		FILE *f = open_memstream(&text, &size);
		size_t used = tailbox__show_text(f, cases[i].in,
		                                 strlen(cases[i].in),
		                                 cases[i].columns);
		fclose(f);
		ck_assert_str_eq(text, cases[i].out);
		ck_assert_uint_le(used, cases[i].columns);
		free(text);
	}
}
END_TEST

/* --- rows ----------------------------------------------------------------- */

static size_t count_rows(const struct tailbox__tl_request *r, const char *name,
                         const struct tailbox__run *run, size_t *parent)
{
	size_t n = 0, len;

	for (size_t i = r->phase_rows; i < r->rows.count; i++) {
		const struct tailbox__tl_row *row = &r->rows.items[i];
		if (strcmp(tailbox__tl_row_name(run, row, &len), name))
			continue;
		n++;
		*parent = row->parent;
	}
	return n;
}

START_TEST(four_spans_of_a_name_share_a_line_three_do_not)
{
	for (unsigned n = 1; n <= 6; n++) {
		struct tailbox__run *run = new_run();
		struct tailbox__tl_request r;
		size_t parent;
		size_t i = add_request(run, "a", "/a", 0, 100 * MS, "ok");
		for (unsigned k = 0; k < n; k++)
			add_span(run, false, i, "q", k * 10 * MS, 5 * MS);
		ck_assert_int_eq(tailbox__tl_request(run, i, &r), 0);
		ck_assert_uint_eq(count_rows(&r, "q", run, &parent),
		                  n < 4 ? n : 1);
		ck_assert_uint_eq(r.covered_ns, n * 5000000ull);
		tailbox__tl_request_fini(&r);
		tailbox__run_destroy(run);
	}
}
END_TEST

START_TEST(children_stay_under_the_stage_that_contains_them)
{
	struct tailbox__run *run = new_run();
	struct tailbox__tl_request r;
	size_t len, seen = 0;
	size_t i = add_request(run, "a", "/a", 7, 100 * MS, "ok");

	add_span(run, false, i, "inner", 60 * MS, 10 * MS);
	add_span(run, false, i, "outer", 50 * MS, 40 * MS);
	add_span(run, false, i, "inner", 10 * MS, 10 * MS);
	add_span(run, false, i, "outer", 0, 40 * MS);
	add_span(run, true, i, "alone", 35 * MS, 20 * MS); /* crosses both */
	ck_assert_int_eq(tailbox__tl_request(run, i, &r), 0);
	ck_assert_uint_eq(r.rows.count, 5);
	for (size_t k = 0; k < r.rows.count; k++) {
		const struct tailbox__tl_row *row = &r.rows.items[k];
		const char *name = tailbox__tl_row_name(run, row, &len);
		if (strcmp(name, "inner")) {
			ck_assert_uint_eq(row->parent, TAILBOX__TL_NO_ROW);
			continue;
		}
		const struct tailbox__tl_row *outer =
		        &r.rows.items[row->parent];
		ck_assert_str_eq(tailbox__tl_row_name(run, outer, &len),
		                 "outer");
		ck_assert_uint_eq(row->start_ns - outer->start_ns, 10000000);
		seen++;
	}
	ck_assert_uint_eq(seen, 2);
	tailbox__tl_request_fini(&r);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(spans_without_place_and_outside_are_harmless)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = new_run();
	size_t i = add_request(run, "a", "/a", 100 * MS, 10 * MS, "ok");
	struct tailbox__run_span *s;

	add_span(run, false, i, "none", 0, 5 * MS)->flags = 0;
	add_span(run, false, i, "after", 50 * MS, 5 * MS);
	add_span(run, false, i, "long", 0, UINT64_MAX / 2);
	s = add_span(run, false, i, "back", 5 * MS, MS);
	s->end_us = s->start_us - 3;
	s = add_span(run, true, i, "before", 0, MS);
	s->start_us = 1;
	add_span(run, true, i, "huge", 0, UINT64_MAX)->depth = UINT64_MAX - 1;
	add_ext(run, i, 0)->phase_ns[TAILBOX__PHASE_SEND] = UINT64_MAX - 1;
	run->ext.items[0].phase_ns[TAILBOX__PHASE_INGRESS] = UINT64_MAX - 1;
	tailbox__timeline_options_init(&o);
	free(text_of(run, &o));
	run->requests.items[i].latency_us = 0;
	free(text_of(run, &o));
	run->requests.items[i].latency_us = UINT64_MAX;
	free(text_of(run, &o));
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(spans_nest_to_a_limit)
{
	struct tailbox__run *run = new_run();
	struct tailbox__tl_request r;
	size_t i = add_request(run, "a", "/a", 0, 1000 * MS, "ok");

	for (unsigned k = 0; k < 30; k++) {
		char name[8];
		snprintf(name, sizeof(name), "s%u", k);
		add_span(run, false, i, name, k * MS, (1000 - 2 * k) * MS);
	}
	ck_assert_int_eq(tailbox__tl_request(run, i, &r), 0);
	ck_assert_uint_eq(r.rows.count, 30);
	for (size_t k = 0; k < 30; k++)
		ck_assert_uint_le(r.rows.items[k].depth,
		                  TAILBOX__TL_DEPTH_MAX);
	tailbox__tl_request_fini(&r);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(spans_beyond_the_limit_are_counted)
{
	struct tailbox__run *run = new_run();
	struct tailbox__tl_request r;
	size_t i = add_request(run, "a", "/a", 0, 1000 * MS, "ok");

	for (unsigned extra = 0; extra < 3; extra++) {
		while (run->stages.count < TAILBOX__TL_ITEMS_MAX - 1 + extra)
			add_span(run, false, i, "q", run->stages.count, 1);
		ck_assert_int_eq(tailbox__tl_request(run, i, &r), 0);
		ck_assert_uint_eq(r.hidden_items, extra > 1 ? extra - 1 : 0);
		ck_assert_uint_eq(r.rows.count, 1);
		tailbox__tl_request_fini(&r);
	}
	tailbox__run_destroy(run);
}
END_TEST

/* --- memory --------------------------------------------------------------- */

/* --- kept requests --------------------------------------------------------- */

/* Of a day before the run; each takes longer than the one before. */
static struct tailbox__run *sample_with_kept(unsigned count)
{
	struct tailbox__run *run = sample();

	ck_assert_int_eq(tailbox__run_create_kept(run, &run->kept), 0);
	run->kept->meta.started_ms = run->meta.started_ms - 86400000;
	for (unsigned i = 0; i < count; i++) {
		char id[16];
		snprintf(id, sizeof(id), "kept-%u", i);
		add_request(run->kept, id, "GET /a/route/that/is/long/{id}",
		            i * 60000 * MS, (5000 + i) * MS, "cancelled");
		add_ext(run->kept, i, 503)->number =
		        ((uint64_t)1023 << 40) + i;
		add_span(run->kept, false, i, "lost in time", 1000 * MS,
		         3000 * MS);
	}
	return run;
}

START_TEST(kept_ones_are_listed_and_in_no_figure)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *plain = sample(), *run = sample_with_kept(11);
	char want[200];

	tailbox__timeline_options_init(&o);
	char *without = text_of(plain, &o), *with = text_of(run, &o);
	const size_t n = strlen(without);
	ck_assert_int_eq(strncmp(with, without, n), 0);
	ck_assert_ptr_nonnull(
	        strstr(with + n, "\nkept from before, in no figure above: 11 "
	                         "slow, failed or cancelled, the last:\n"));
	snprintf(want, sizeof(want),
	         "--request\n   5.01 s  GET /a/route/that/..  cancelled "
	         "2025-11-19 03:22:46  %llu\n",
	         (1023ull << 40) + 10);
	ck_assert_msg(strstr(with + n, want) != NULL, "%s", with + n);
	/* The oldest is one too many. */
	snprintf(want, sizeof(want), "  %llu\n", 1023ull << 40);
	ck_assert_ptr_null(strstr(with + n, want));
	ck_assert_uint_le(longest_line(with + n), 80);
	free(with);
	free(without);
	tailbox__run_destroy(run);
	tailbox__run_destroy(plain);
}
END_TEST

START_TEST(kept_one_is_drawn_when_it_is_asked_for)
{
	struct tailbox__timeline_options o;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run = sample_with_kept(3);

	tailbox__timeline_options_init(&o);
	o.request = "kept-1";
	char *text = text_of(run, &o);
	ck_assert_ptr_nonnull(strstr(text, "\nkept from before\n"));
	ck_assert_ptr_nonnull(strstr(text, "2025-11-19 03:13:41 UTC"));
	ck_assert_ptr_nonnull(strstr(text, "stage lost in time"));
	ck_assert_ptr_null(strstr(text, "in no figure above"));
	free(text);
	o.request = "item-1"; /* one of the run */
	text = text_of(run, &o);
	ck_assert_ptr_null(strstr(text, "kept from before"));
	free(text);
	o.request = "nobody";
	FILE *f = open_memstream(&text, &(size_t){ 0 });
	ck_assert_int_eq(tailbox__timeline_text(run, &o, f, &err), -ENOENT);
	fclose(f);
	free(text);
	ck_assert_str_eq(err.text, "no request nobody among the 10");
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(kept_ones_have_a_member_of_their_own)
{
	struct tailbox__timeline_options o;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run = sample_with_kept(2);
	struct tailbox__json j;

	tailbox__timeline_options_init(&o);
	tailbox__json_init(&j, false);
	ck_assert_int_eq(tailbox__timeline_json(run, &o, &j, &err), 0);
	char *text = strndup(j.buf, j.len), *kept = strstr(text, "\"kept\":[");
	ck_assert_ptr_nonnull(kept);
	ck_assert_ptr_nonnull(strstr(kept, "\"request_id\":\"kept-0\""));
	ck_assert_ptr_nonnull(strstr(kept, "\"request_id\":\"kept-1\""));
	ck_assert_ptr_nonnull(strstr(kept, "lost in time"));
	*kept = '\0';
	ck_assert_ptr_null(strstr(text, "kept-"));
	free(text);
	tailbox__json_fini(&j);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = sample_with_kept(2);
	long live = tailbox__alloc_live();
	int rc = -ENOMEM;

	tailbox__timeline_options_init(&o);
	for (long n = 0; rc != 0; n++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		char *text = NULL;
		size_t size;
		FILE *f = open_memstream(&text, &size);
		tailbox__alloc_fail_after(n);
		rc = tailbox__timeline_text(run, &o, f, &err);
		tailbox__alloc_fail_after(-1);
		fclose(f);
		free(text);
		ck_assert_int_eq(tailbox__alloc_live(), live);
		if (rc != 0) {
			ck_assert_int_eq(rc, -ENOMEM);
			ck_assert_str_eq(err.text, "out of memory");
		}
	}
	rc = -ENOMEM;
	o.request = "kept-1";
	for (long n = 0; rc != 0; n++) {
		struct tailbox__json j;
		tailbox__json_init(&j, false);
		tailbox__alloc_fail_after(n);
		rc = tailbox__timeline_json(run, &o, &j, NULL);
		tailbox__alloc_fail_after(-1);
		tailbox__json_fini(&j);
		ck_assert_int_eq(tailbox__alloc_live(), live);
	}
	tailbox__run_destroy(run);
}
END_TEST

static Suite *timeline_suite(void)
{
	Suite *s = suite_create("timeline");
	TCase *t = tcase_create("timeline");

	tcase_add_checked_fixture(t, NULL, allow_all);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, timeline_of_a_small_run_is_this_text);
	tcase_add_test(t, json_has_what_the_text_has);
	tcase_add_test(t, the_longest_holds_are_shown);
	tcase_add_test(t, timeline_of_an_empty_run_has_no_figures);
	tcase_add_test(t, every_width_is_kept);
	tcase_add_test(t, unknown_phases_are_not_shown_as_zero);
	tcase_add_test(t, what_moves_a_terminal_is_escaped);
	tcase_add_test(t, route_and_request_choose);
	tcase_add_test(t, what_is_not_there_is_an_error_and_prints_nothing);
	tcase_add_test(t, slowest_is_bounded_by_what_there_is);
	tcase_add_test(t, percentile_takes_the_index_of_the_spec);
	tcase_add_test(t, times_have_three_digits_and_their_unit);
	tcase_add_test(t, foreign_text_is_cut_to_its_columns);
	tcase_add_test(t, four_spans_of_a_name_share_a_line_three_do_not);
	tcase_add_test(t, children_stay_under_the_stage_that_contains_them);
	tcase_add_test(t, spans_without_place_and_outside_are_harmless);
	tcase_add_test(t, spans_nest_to_a_limit);
	tcase_add_test(t, spans_beyond_the_limit_are_counted);
	tcase_add_test(t, kept_ones_are_listed_and_in_no_figure);
	tcase_add_test(t, kept_one_is_drawn_when_it_is_asked_for);
	tcase_add_test(t, kept_ones_have_a_member_of_their_own);
	tcase_add_test(t, every_allocation_may_fail);
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
