/* tests/test_assert.c - assertions: their grammar, and who judges what.
 *
 * SPDX-License-Identifier: MIT
 *
 * Expected figures are counted by hand from the requests that are written
 * here: percentile p of n values is number ceil((n - 1) * p / 100) from 0.
 */
#include <errno.h>
#include <stdlib.h>

#include "analyzer/assert_internal.h"
#include "tests/analyze_fixture.h"

#define MS 1000u
#define OK TAILBOX__ASSERT_OK
#define FAILED TAILBOX__ASSERT_FAILED
#define CANNOT TAILBOX__ASSERT_CANNOT_JUDGE

static struct tailbox__asserts list;

static void begin_all(void)
{
	begin();
	list = (struct tailbox__asserts){ .came_count = 0 };
}

static void end_all(void)
{
	tailbox__asserts_fini(&list);
	end();
}

static void once_more(void)
{
	end_all();
	begin_all();
}

/* --- the grammar ---------------------------------------------------------- */

static int add(const char *text, struct tailbox__error *err)
{
	*err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	return tailbox__asserts_add(&list, text, false, err);
}

static const struct tailbox__assertion *parsed(const char *text)
{
	struct tailbox__error err;

	ck_assert_msg(add(text, &err) == 0, "%s: %s", text, err.text);
	return &list.items.items[list.items.count - 1];
}

START_TEST(values_are_taken_in_every_unit)
{
	static const struct {
		const char *text;
		enum tailbox__metric_asserted metric;
		enum tailbox__assert_op op;
		uint64_t limit;
	} rows[] = {
		{ "p50 < 1us", TAILBOX__ASSERT_P50, TAILBOX__ASSERT_LT, 1 },
		{ "p95<=200ms", TAILBOX__ASSERT_P95, TAILBOX__ASSERT_LE,
		  200000 },
		{ " p99\t> 1.5 s ", TAILBOX__ASSERT_P99, TAILBOX__ASSERT_GT,
		  1500000 },
		{ "max >= 0.001ms", TAILBOX__ASSERT_MAX, TAILBOX__ASSERT_GE,
		  1 },
		{ "mean < 1.000000s", TAILBOX__ASSERT_MEAN, TAILBOX__ASSERT_LT,
		  1000000 },
		{ "count > 0", TAILBOX__ASSERT_COUNT, TAILBOX__ASSERT_GT, 0 },
		{ "count<18446744073709551615", TAILBOX__ASSERT_COUNT,
		  TAILBOX__ASSERT_LT, UINT64_MAX },
		{ "error_rate < 0.0001%", TAILBOX__ASSERT_ERROR_RATE,
		  TAILBOX__ASSERT_LT, 1 },
		{ "queue_share <= 100%", TAILBOX__ASSERT_QUEUE_SHARE,
		  TAILBOX__ASSERT_LE, 1000000 },
		{ "service_share > 12.5 %", TAILBOX__ASSERT_SERVICE_SHARE,
		  TAILBOX__ASSERT_GT, 125000 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct tailbox__assertion *a = parsed(rows[i].text);

		ck_assert_int_eq(a->metric, rows[i].metric);
		ck_assert_int_eq(a->op, rows[i].op);
		ck_assert_uint_eq(a->limit, rows[i].limit);
		ck_assert_ptr_null(a->route);
	}
}
END_TEST

START_TEST(a_route_ends_at_the_last_parenthesis)
{
	static const struct {
		const char *text, *route;
	} rows[] = {
		{ "p99(/checkout) < 200ms", "/checkout" },
		{ "p99 ( GET /a (old) x ) < 200ms", "GET /a (old) x" },
		{ "p99(<) > 1s", "<" },
		{ "no insufficient_evidence(/a above 3) above 4",
		  "/a above 3" },
		{ "no downstream_stage_dominates ({other})", "{other}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct tailbox__assertion *a = parsed(rows[i].text);

		ck_assert_uint_eq(a->route_len, strlen(rows[i].route));
		ck_assert_int_eq(
			memcmp(a->route, rows[i].route, a->route_len), 0);
	}
}
END_TEST

START_TEST(wrong_ones_say_where_and_why)
{
	static const struct {
		const char *text;
		int code;
		uint64_t offset;
		const char *why;
	} rows[] = {
		{ "", -EINVAL, 0, "a metric or \"no\" is expected" },
		{ "  < 3ms", -EINVAL, 2, "a metric or \"no\"" },
		{ "p98 < 3ms", -ENOENT, 0, "no metric \"p98\"; there are p50," },
		{ "P99 < 3ms", -ENOENT, 0, "no metric \"P99\"" },
		{ "insufficient_evidence", -EINVAL, 0, "write \"no insuff" },
		{ "p99", -EINVAL, 3, "<, <=, > or >= is expected" },
		{ "p99 = 3ms", -EINVAL, 4, "<, <=, > or >= is expected" },
		{ "p99 == 3ms", -EINVAL, 4, "<, <=, > or >= is expected" },
		{ "p99(/a < 3ms", -EINVAL, 3, "is not closed" },
		{ "p99() < 3ms", -EINVAL, 4, "a route is expected" },
		{ "p99( \t) < 3ms", -EINVAL, 4, "a route is expected" },
		{ "p99 <", -EINVAL, 5, "a number is expected" },
		{ "p99 < ms", -EINVAL, 6, "a number is expected" },
		{ "p99 < -3ms", -EINVAL, 6, "a number is expected" },
		{ "p99 < .5ms", -EINVAL, 6, "a number is expected" },
		{ "p99 < 5.ms", -EINVAL, 7, "takes us, ms or s" },
		{ "p99 < 1.2.3ms", -EINVAL, 9, "takes us, ms or s" },
		{ "p99 < 3", -EINVAL, 7, "takes us, ms or s, as in 200ms" },
		{ "p99 < 3%", -EINVAL, 7, "takes us, ms or s" },
		{ "p99 < 3m", -EINVAL, 7, "takes us, ms or s" },
		{ "p99 < 3ns", -EINVAL, 7, "takes us, ms or s" },
		{ "error_rate < 3", -EINVAL, 14, "takes %, as in 0.1%" },
		{ "error_rate < 100.0001%", -EINVAL, 13, "at most 100%" },
		{ "error_rate < 0.00001%", -EINVAL, 13, "finer than 0.0001%" },
		{ "count > 3ms", -EINVAL, 9, "takes no unit" },
		{ "count > 3.5", -EINVAL, 8, "finer than 1" },
		{ "p99 < 0.5us", -EINVAL, 6, "finer than 1us" },
		{ "p99 < 0.0001ms", -EINVAL, 6, "finer than 1us" },
		{ "p99 < 18446744073709551616us", -EINVAL, 6, "too large" },
		{ "p99 < 18446744073709552s", -EINVAL, 6, "too large" },
		{ "p99 < 0.00000000000000000000001s", -EINVAL, 6,
		  "too large" },
		{ "p99 < 3ms 4", -EINVAL, 10, "nothing may follow" },
		{ "no", -EINVAL, 2, "a suspect is expected" },
		{ "no (/a)", -EINVAL, 3, "a suspect is expected" },
		{ "no luck", -ENOENT, 3, "no suspect \"luck\"; there are app" },
		{ "no p99", -ENOENT, 3, "no suspect \"p99\"" },
		{ "no blocking_pool_pressure (/a)", -EINVAL, 26,
		  "told of the whole run only" },
		{ "no executor_pressure_suspected(/a)", -EINVAL, 30,
		  "told of the whole run only" },
		{ "no insufficient_evidence above", -EINVAL, 30,
		  "a number is expected" },
		{ "no insufficient_evidence above 101", -EINVAL, 31,
		  "at most 100" },
		{ "no insufficient_evidence above 5 x", -EINVAL, 33,
		  "takes no unit" },
		{ "no insufficient_evidence below 5", -EINVAL, 25,
		  "nothing may follow" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tailbox__error err;
		int rc = add(rows[i].text, &err);

		ck_assert_msg(rc == rows[i].code, "%s: %d", rows[i].text, rc);
		ck_assert_int_eq(err.code, rc);
		ck_assert_msg(err.offset == rows[i].offset, "%s: at %u",
		              rows[i].text, (unsigned)err.offset);
		ck_assert_msg(strstr(err.text, rows[i].why) != NULL, "%s: %s",
		              rows[i].text, err.text);
		ck_assert_int_eq(tailbox__asserts_add(&list, rows[i].text,
		                                      false, NULL),
		                 rc);
	}
	ck_assert_uint_eq(list.items.count, 0);
}
END_TEST

START_TEST(length_and_number_have_limits)
{
	char text[TAILBOX__ASSERTION_BYTES_MAX + 2];
	struct tailbox__error err;

	memset(text, ' ', sizeof(text));
	memcpy(text, "p99 < 3ms", 9);
	text[TAILBOX__ASSERTION_BYTES_MAX - 1] = '\0';
	parsed(text);
	text[TAILBOX__ASSERTION_BYTES_MAX - 1] = ' ';
	text[TAILBOX__ASSERTION_BYTES_MAX] = '\0';
	parsed(text);
	text[TAILBOX__ASSERTION_BYTES_MAX] = ' ';
	text[TAILBOX__ASSERTION_BYTES_MAX + 1] = '\0';
	ck_assert_int_eq(add(text, &err), -E2BIG);
	ck_assert_uint_eq(err.offset, TAILBOX__ASSERTION_BYTES_MAX);
	/* A wrong word of any length fits the error. */
	memset(text, 'x', TAILBOX__ASSERTION_BYTES_MAX);
	text[TAILBOX__ASSERTION_BYTES_MAX] = '\0';
	ck_assert_int_eq(add(text, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "service_share"));

	while (list.items.count < TAILBOX__ASSERTIONS_MAX)
		parsed("p99 < 3ms");
	ck_assert_int_eq(add("p99 < 3ms", &err), -E2BIG);
	ck_assert_uint_eq(err.offset, UINT64_MAX);
	ck_assert_uint_eq(list.items.count, TAILBOX__ASSERTIONS_MAX);
}
END_TEST

/* Whoever adds a suspect says here what rules it out. */
START_TEST(every_suspect_can_be_ruled_out)
{
	for (unsigned k = 0; k < TAILBOX__SUSPECT_COUNT; k++) {
		const struct tailbox__assert_suspect *s =
			&tailbox__assert_suspects[k];
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		char text[128];

		snprintf(text, sizeof(text), "no %s",
		         tailbox__suspect_names[k]);
		ck_assert_uint_eq(parsed(text)->suspect, k);
		ck_assert_msg(s->basis != TAILBOX__BASIS_UNKNOWN,
		              "%s has no basis in assert_parse.c", text);
		ck_assert_int_eq(tailbox__asserts_add(&list, text, true, &err),
		                 s->is_standard ? 0 : -ENOENT);
		tailbox__asserts_fini(&list);
	}
}
END_TEST

/* --- judging -------------------------------------------------------------- */

/* The only assertion, judged of the run as it is. */
static const struct tailbox__assertion *judged(const char *text)
{
	tailbox__asserts_fini(&list);
	parsed(text);
	ck_assert_int_eq(tailbox__asserts_begin(&list, run, NULL), 0);
	analyze();
	ck_assert_int_eq(tailbox__asserts_judge(&list, run, &o, &rep), 0);
	return &list.items.items[0];
}

static void expect(const char *text, enum tailbox__assert_verdict want)
{
	const struct tailbox__assertion *a = judged(text);

	ck_assert_msg(a->verdict == want, "%s: %s %s", text,
	              tailbox__assert_verdicts[a->verdict], a->reason);
	ck_assert_int_eq(want == CANNOT, a->reason[0] != '\0');
	for (unsigned v = 0; v < TAILBOX__ASSERT_VERDICTS; v++)
		ck_assert_uint_eq(tailbox__asserts_count(
					  &list,
					  (enum tailbox__assert_verdict)v),
		                  v == want);
}

static void expect_why(const char *text, const char *why)
{
	expect(text, CANNOT);
	ck_assert_msg(strstr(list.items.items[0].reason, why) != NULL,
	              "%s: %s", text, list.items.items[0].reason);
}

/* n requests of /r with latencies of 1 ms, 2 ms ... */
static void add_steps(unsigned n)
{
	for (unsigned i = 1; i <= n; i++)
		add_request("/r", i * 1000000u, i * MS);
}

START_TEST(each_operator_at_its_edge)
{
	add_steps(101); /* p99 is number 99: 100 ms */
	expect("p99 < 100ms", FAILED);
	expect("p99 < 100.001ms", OK);
	expect("p99 <= 100ms", OK);
	expect("p99 <= 99.999ms", FAILED);
	expect("p99 > 100ms", FAILED);
	expect("p99 > 99.999ms", OK);
	expect("p99 >= 100ms", OK);
	expect("p99 >= 100.001ms", FAILED);
	ck_assert_uint_eq(judged("p99 < 1s")->value, 100 * MS);
}
END_TEST

START_TEST(each_metric_is_what_the_report_has)
{
	add_steps(201);
	for (unsigned i = 0; i < 3; i++)
		run->requests.items[i].outcome =
			tailbox__run_cstr(run, "error");
	wait_in_all(500, 1);
	ck_assert_uint_eq(judged("p50 < 1s")->value, 101 * MS);
	ck_assert_uint_eq(list.items.items[0].value, rep.whole.p50_us);
	ck_assert_uint_eq(judged("p95 < 1s")->value, rep.whole.p95_us);
	ck_assert_uint_eq(judged("p99 < 1s")->value, 199 * MS);
	ck_assert_uint_eq(judged("max < 1s")->value, 201 * MS);
	ck_assert_uint_eq(judged("mean < 1s")->value, 101 * MS);
	ck_assert_uint_eq(judged("count < 1")->value, 201);
	/* 3 of 201 */
	ck_assert_uint_eq(judged("error_rate < 1%")->value, 14925);
	ck_assert_uint_eq(judged("queue_share < 1%")->value,
	                  rep.whole.p95_queue_permille * 1000);
	ck_assert_uint_eq(judged("service_share < 1%")->value,
	                  rep.whole.p95_service_permille * 1000);
	/* Exact, not rounded: 3/201 is above 1.4925%. */
	expect("error_rate <= 1.4925%", FAILED);
	expect("error_rate <= 1.4926%", OK);
}
END_TEST

START_TEST(a_mean_is_exact)
{
	add_request("/r", 0, 1);
	add_request("/r", 10, 2);
	expect("mean <= 1us", FAILED);
	expect("mean < 2us", OK);
	ck_assert_uint_eq(list.items.items[0].value, 1);
}
END_TEST

START_TEST(shares_at_their_edge)
{
	add_requests(30);
	wait_in_all(300, 1);
	expect("queue_share < 30%", FAILED);
	expect("queue_share <= 30%", OK);
	expect("service_share >= 70%", OK);
	expect("service_share > 70%", FAILED);
}
END_TEST

START_TEST(a_percentile_needs_a_request_above_it)
{
	static const struct {
		const char *text;
		unsigned least;
		const char *why;
	} rows[] = {
		{ "p50 < 1s", 3, "p50 needs 3 requests, there are 2" },
		{ "p95 < 1s", 21, "p95 needs 21 requests, there are 20" },
		{ "p99 < 1s", 101, "p99 needs 101 requests, there are 100" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		once_more();
		add_steps(rows[i].least - 1);
		expect_why(rows[i].text, rows[i].why);
		once_more();
		add_steps(rows[i].least);
		expect(rows[i].text, OK);
	}
	once_more();
	add_steps(1);
	expect("max < 1s", OK);
	expect("mean < 1s", OK);
	expect("error_rate < 1%", OK);
	expect_why("p50 < 1s", "p50 needs 3 requests, there is 1");
}
END_TEST

START_TEST(a_route_is_judged_by_its_own_requests)
{
	for (unsigned i = 0; i < 30; i++) {
		add_request("/fast", i * 1000u, 100);
		add_queue(add_request("/slow", i * 1000u, 1000), 0, 900, 9);
	}
	run->requests.items[0].outcome = tailbox__run_cstr(run, "timeout");
	expect("p95(/fast) < 1ms", OK);
	expect("p95(/slow) < 1ms", FAILED);
	expect("p95 < 1ms", FAILED);
	expect("count(/slow) >= 31", FAILED);
	expect("count(/slow) >= 30", OK);
	expect("error_rate(/slow) < 0.1%", OK);
	expect("error_rate(/fast) < 3.3%", FAILED);
	expect("queue_share(/slow) < 90%", FAILED);
	expect("queue_share(/fast) < 0.1%", OK);
	expect("no application_queue_saturation(/slow)", FAILED);
	expect_why("no application_queue_saturation(/fast)",
	           "no wait was recorded");
}
END_TEST

START_TEST(a_route_that_is_not_there_is_an_error)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	add_requests(3);
	parsed("p50(/r) < 1s");
	parsed("p50(/x) < 1s");
	ck_assert_int_eq(tailbox__asserts_begin(&list, run, &err), -ENOENT);
	ck_assert_str_eq(err.text, "p50(/x) < 1s: no request of route /x");
	/* Dropped ones may have been of it. */
	run->truncation.dropped_requests = 1;
	expect_why("p50(/x) < 1s", "p50 needs 3 requests, there are 0");
	expect_why("error_rate(/x) < 1%", "no request of it has ended");
	expect_why("count(/x) < 1", "requests are missing (1 dropped)");
	expect("count(/x) < 2", OK);
}
END_TEST

START_TEST(a_route_of_open_requests_is_there)
{
	add_requests(3);
	struct tailbox__run_open *open = tailbox__list_add(&run->open);
	open->route = tailbox__run_cstr(run, "/open");
	struct tailbox__run_unfinished *u =
		tailbox__list_add(&run->meta.unfinished);
	u->id = tailbox__run_cstr(run, "u");
	u->route = tailbox__run_cstr(run, "/hangs");
	run->meta.unfinished_count = 1;
	expect_why("max(/hangs) < 1s", "max needs 1 request, there are 0");
	expect_why("max(/open) < 1s", "max needs 1 request, there are 0");
	expect_why("error_rate(/hangs) < 1%", "no request of it has ended");
}
END_TEST

/* --- what is missing ------------------------------------------------------ */

START_TEST(dropped_requests_count_as_anything)
{
	add_requests(1000); /* of 1 ms each */
	run->truncation.dropped_requests = 10;
	/* p99 of 1010 is number 999, which is there. */
	expect("p99 < 2ms", OK);
	expect("p99 < 1ms", FAILED);
	expect("p50 < 2ms", OK);
	expect("count >= 1000", OK);
	expect_why("count < 1010", "requests are missing (10 dropped)");
	expect("count < 1011", OK);
	expect_why("count > 1000", "10 dropped");
	expect("max > 0us", OK);
	expect("max < 1ms", FAILED);
	expect_why("max < 2ms", "10 dropped");
	expect_why("mean < 2ms", "10 dropped");
	expect("mean > 0.99ms", OK); /* 1000 ms / 1010 = 0.9901 */
	expect_why("mean > 0.991ms", "10 dropped");
	expect_why("error_rate < 0.9%", "10 dropped");
	expect("error_rate < 1%", OK); /* at most 10 of 1010 */
	run->truncation.dropped_requests = 11;
	/* p99 of 1011 is number 1000, which may be anything. */
	expect_why("p99 < 2ms", "11 dropped");
	ck_assert(list.items.items[0].has_value);
	ck_assert_uint_eq(list.items.items[0].value, 1000);
	expect("p99 > 0us", OK); /* number 989 at least */
	/* So many that all of the others lie above. */
	run->truncation.dropped_requests = 5000;
	expect_why("p50 > 0us", "5000 dropped");
	expect("p50 >= 0us", OK);
}
END_TEST

START_TEST(an_error_rate_has_errors_that_are_certain)
{
	add_requests(90);
	for (unsigned i = 0; i < 9; i++)
		run->requests.items[i].outcome =
			tailbox__run_cstr(run, "rejected");
	run->truncation.dropped_requests = 10;
	expect("error_rate >= 9%", OK); /* 9 of 100 at least, 19 at most */
	expect_why("error_rate > 9%", "10 dropped");
	expect("error_rate <= 19%", OK);
	expect_why("error_rate < 19%", "10 dropped");
}
END_TEST

START_TEST(losses_of_every_kind_are_named)
{
	static const struct {
		const char *key, *why;
	} rows[] = {
		{ "lost_requests", "requests are missing (3 lost)" },
		{ "lost_blocks", "requests are missing (an unknown number)" },
		{ "lost_threads", "(an unknown number)" },
		{ "lost_connections", "(an unknown number)" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		once_more();
		add_requests(30);
		ck_assert_int_eq(tailbox__run_set_extra(run, rows[i].key, NULL,
		                                        3),
		                 0);
		expect_why("max < 2ms", rows[i].why);
		expect_why("count < 32", rows[i].why);
		expect("count >= 30", OK);
		expect("max >= 1ms", OK);
		stage_in_all("db", 1);
		expect_why("no application_queue_saturation", rows[i].why);
	}
	once_more();
	add_requests(30);
	run->truncation.limits_hit = true;
	expect_why("mean > 0us", "(an unknown number)");
	expect_why("p50 > 0us", "(an unknown number)");
	expect_why("p50 < 2ms", "(an unknown number)");
	expect_why("error_rate < 100%", "(an unknown number)");
	expect("error_rate <= 100%", OK);
	wait_in_all(1, 0);
	expect_why("queue_share < 50%", "waits are missing");
	run->truncation.dropped_requests = 1;
	run->meta.unfinished_count = 2;
	expect_why("max < 2ms", "missing (1 dropped, 2 unfinished)");
}
END_TEST

START_TEST(requests_that_are_not_valid_are_missing)
{
	add_requests(30);
	add_request(" ", 40000, 5);
	expect_why("count < 31", "requests are missing (1 not valid)");
	expect("count < 32", OK); /* the second analysis finds nothing */
	ck_assert_uint_eq(list.items.items[0].value, 30);
}
END_TEST

START_TEST(unfinished_requests_of_other_routes_do_not_matter)
{
	add_requests(30);
	struct tailbox__run_unfinished *u =
		tailbox__list_add(&run->meta.unfinished);
	u->id = tailbox__run_cstr(run, "u");
	u->route = tailbox__run_cstr(run, "/hangs");
	run->meta.unfinished_count = 1;
	expect("max(/r) < 2ms", OK);
	expect_why("max < 2ms", "requests are missing (1 unfinished)");
	/* The list is bounded: nobody knows what the second one is. */
	run->meta.unfinished_count = 2;
	expect_why("max(/r) < 2ms", "requests are missing (1 unfinished)");
	/* They are no loss of evidence. */
	wait_in_all(1, 0);
	expect("no application_queue_saturation", OK);
	/* A file that lists more than it counts. */
	run->meta.unfinished_count = 0;
	expect("max(/r) < 2ms", OK);
}
END_TEST

START_TEST(routes_without_a_name_may_be_the_one)
{
	add_requests(30);
	add_request("{other}", 40000, 5000);
	add_request("{other}", 50000, 5000);
	expect("max(/r) < 2ms", OK);
	tailbox__run_set_extra(run, "lost_names", NULL, 1);
	expect_why("max(/r) < 2ms", "(2 named {other})");
	expect("count(/r) < 33", OK);
	expect("max({other}) < 6ms", OK);
	expect("max < 6ms", OK);
}
END_TEST

/* --- suspects ------------------------------------------------------------- */

START_TEST(a_suspect_that_is_there_fails)
{
	add_requests(30);
	wait_in_all(900, 9);
	expect("no application_queue_saturation", FAILED);
	const struct tailbox__assertion *a = &list.items.items[0];
	const unsigned score = (unsigned)a->value;
	char text[64];

	ck_assert(a->has_value);
	ck_assert_uint_eq(score, suspect(TAILBOX__SUSPECT_QUEUE)->score);
	ck_assert_uint_eq(a->confidence,
	                  suspect(TAILBOX__SUSPECT_QUEUE)->confidence);
	snprintf(text, sizeof(text), "no application_queue_saturation above %u",
	         score);
	expect(text, OK);
	snprintf(text, sizeof(text), "no application_queue_saturation above %u",
	         score - 1);
	expect(text, FAILED);
	/* Losses do not take back what was found. */
	run->truncation.dropped_requests = 1000;
	run->truncation.dropped_queues = 1000;
	expect("no application_queue_saturation", FAILED);
}
END_TEST

START_TEST(a_suspect_that_is_not_there_was_looked_for)
{
	add_requests(30);
	expect_why("no application_queue_saturation", "no wait was recorded");
	expect_why("no downstream_stage_dominates", "no stage was recorded");
	expect_why("no blocking_pool_pressure",
	           "no sample knows the offload pools");
	expect_why("no executor_pressure_suspected",
	           "no sample knows what waits for workers");
	expect("no insufficient_evidence", FAILED);

	wait_in_all(1, 0);
	expect("no application_queue_saturation", OK);
	run->truncation.dropped_queues = 1;
	expect_why("no application_queue_saturation", "waits are missing");
	expect_why("queue_share < 50%", "waits are missing");

	stage_in_all("db", 1);
	add_snapshots(5, TAILBOX__NONE, TAILBOX__NONE, TAILBOX__NONE, 0);
	expect_why("no blocking_pool_pressure", "knows the offload pools");
	add_snapshots(5, TAILBOX__NONE, 0, TAILBOX__NONE, 0);
	expect_why("no blocking_pool_pressure", "knows the offload pools");
	expect("no executor_pressure_suspected", OK);
	add_snapshots(5, TAILBOX__NONE, TAILBOX__NONE, 0, 0);
	expect("no blocking_pool_pressure", OK);
	run->truncation.dropped_runtime_snapshots = 1;
	expect_why("no executor_pressure_suspected", "samples are missing");
	expect_why("no blocking_pool_pressure", "samples are missing");
}
END_TEST

START_TEST(stages_are_looked_for_too)
{
	add_requests(30);
	add_stage(0, "db", 0, 1); /* far too few to suspect it */
	wait_in_all(900, 9);
	expect("no downstream_stage_dominates", OK);
	tailbox__run_set_extra(run, "lost_spans", NULL, 1);
	expect_why("no downstream_stage_dominates", "stages are missing");
	expect("no insufficient_evidence", OK);
}
END_TEST

START_TEST(few_requests_rule_nothing_out)
{
	add_requests(19);
	wait_in_all(1, 0);
	expect_why("no application_queue_saturation",
	           "it needs 20 requests, there are 19");
	once_more();
	add_requests(20);
	wait_in_all(1, 0);
	expect("no application_queue_saturation", OK);
	expect("no application_queue_saturation(/r)", OK);
}
END_TEST

START_TEST(shares_need_waits)
{
	add_requests(30);
	expect_why("queue_share < 50%", "no wait was recorded");
	expect_why("service_share > 50%", "no wait was recorded");
	once_more();
	for (unsigned i = 0; i < 30; i++)
		add_queue(add_request("/r", i * 1000u, 0), 0, 0, 0);
	expect_why("queue_share < 50%", "needs 21 requests, there are 0");
}
END_TEST

/* --- what is printed ------------------------------------------------------ */

static void expect_line(const char *text, const char *want)
{
	char *line = NULL;
	size_t size;
	FILE *f;

	judged(text);
	f = open_memstream(&line, &size);
	tailbox__assertion_text(&list.items.items[0], f);
	fclose(f);
	ck_assert_str_eq(line, want);
	free(line);
}

START_TEST(lines_have_all_digits)
{
	add_request("/a\x1b", 0, 243117);
	add_request("/b", 0, 900);
	add_request("/c", 0, 12000000);
	add_request("/d", 0, 1000001);
	run->requests.items[0].outcome = tailbox__run_cstr(run, "error");
	expect_line("max(/b) < 200ms",
	            "assert max(/b) < 200ms: ok, 900 us\n");
	expect_line("max(/c) < 200ms",
	            "assert max(/c) < 200ms: failed, 12 s\n");
	expect_line("max(/d) < 200ms",
	            "assert max(/d) < 200ms: failed, 1.000001 s\n");
	expect_line("max(/a\x1b) < 200ms",
	            "assert max(/a\\x1b) < 200ms: failed, 243.117 ms\n");
	expect_line("count > 9", "assert count > 9: failed, 4\n");
	expect_line("error_rate < 1%", "assert error_rate < 1%: failed, 25%\n");
	expect_line("p99 < 1s", "assert p99 < 1s: cannot be judged: p99 needs "
	                        "101 requests, there are 4\n");
	run->truncation.dropped_requests = 3;
	expect_line("max < 15 s",
	            "assert max < 15 s: cannot be judged: requests are missing "
	            "(3 dropped); what is there: 12 s\n");
	expect_line("error_rate < 1%",
	            "assert error_rate < 1%: failed, 25%\n");
	expect_line("no insufficient_evidence above 49",
	            "assert no insufficient_evidence above 49: failed, score "
	            "50, low confidence\n");
}
END_TEST

static char *report_json(void)
{
	struct tailbox__json j;
	size_t len;

	rep.asserts = &list;
	tailbox__json_init(&j, true);
	ck_assert_int_eq(tailbox__report_json(&rep, run, &o, &j), 0);
	return tailbox__json_take(&j, &len);
}

START_TEST(json_has_them_in_our_member)
{
	static const char want[] =
		"    \"assertions\": [\n"
		"      {\n"
		"        \"assertion\": \"max < 2ms\",\n"
		"        \"verdict\": \"ok\",\n"
		"        \"value\": 1000,\n"
		"        \"unit\": \"us\",\n"
		"        \"reason\": null\n"
		"      },\n"
		"      {\n"
		"        \"assertion\": \"p99 < 2ms\",\n"
		"        \"verdict\": \"cannot_judge\",\n"
		"        \"value\": null,\n"
		"        \"unit\": \"us\",\n"
		"        \"reason\": \"p99 needs 101 requests, there are 30\"\n"
		"      }\n"
		"    ]\n";
	char *text;

	add_requests(30);
	parsed("max < 2ms");
	parsed("p99 < 2ms");
	ck_assert_int_eq(tailbox__asserts_begin(&list, run, NULL), 0);
	analyze();
	ck_assert_int_eq(tailbox__asserts_judge(&list, run, &o, &rep), 0);
	text = report_json();
	ck_assert_ptr_nonnull(strstr(text, want));
	tailbox__free(text);
	rep.is_compat = true;
	text = report_json();
	ck_assert_ptr_null(strstr(text, "assertions"));
	tailbox__free(text);
}
END_TEST

/* --- out of memory -------------------------------------------------------- */

START_TEST(every_allocation_may_fail)
{
	static const char *const texts[] = {
		"p99(/r) < 1s", "queue_share < 50%",
		"no application_queue_saturation(/r)", "max < 1s"
	};
	int rc = -ENOMEM;

	add_requests(120);
	wait_in_all(100, 1);
	stage_in_all("db", 100);
	for (size_t i = 0; i < COUNT(texts); i++) {
		tailbox__alloc_fail_after(0);
		if (i == 0)
			ck_assert_int_eq(tailbox__asserts_add(&list, texts[i],
			                                      false, NULL),
			                 -ENOMEM);
		tailbox__alloc_fail_after(-1);
		parsed(texts[i]);
	}
	ck_assert_int_eq(tailbox__asserts_begin(&list, run, NULL), 0);
	analyze();
	const long before = (long)tailbox__alloc_live();
	for (int n = 0; rc != 0; n++) {
		tailbox__alloc_fail_after(n);
		rc = tailbox__asserts_judge(&list, run, &o, &rep);
		tailbox__alloc_fail_after(-1);
		ck_assert_int_eq((long)tailbox__alloc_live(), before);
		ck_assert(rc == 0 || rc == -ENOMEM);
		ck_assert_msg(rc == 0 || n < 1000, "it never ends");
	}
	ck_assert_uint_eq(tailbox__asserts_count(&list, OK), 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("assert");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, begin_all, end_all);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, values_are_taken_in_every_unit);
	tcase_add_test(c, a_route_ends_at_the_last_parenthesis);
	tcase_add_test(c, wrong_ones_say_where_and_why);
	tcase_add_test(c, length_and_number_have_limits);
	tcase_add_test(c, every_suspect_can_be_ruled_out);
	tcase_add_test(c, each_operator_at_its_edge);
	tcase_add_test(c, each_metric_is_what_the_report_has);
	tcase_add_test(c, a_mean_is_exact);
	tcase_add_test(c, shares_at_their_edge);
	tcase_add_test(c, a_percentile_needs_a_request_above_it);
	tcase_add_test(c, a_route_is_judged_by_its_own_requests);
	tcase_add_test(c, a_route_that_is_not_there_is_an_error);
	tcase_add_test(c, a_route_of_open_requests_is_there);
	tcase_add_test(c, dropped_requests_count_as_anything);
	tcase_add_test(c, an_error_rate_has_errors_that_are_certain);
	tcase_add_test(c, losses_of_every_kind_are_named);
	tcase_add_test(c, requests_that_are_not_valid_are_missing);
	tcase_add_test(c, unfinished_requests_of_other_routes_do_not_matter);
	tcase_add_test(c, routes_without_a_name_may_be_the_one);
	tcase_add_test(c, a_suspect_that_is_there_fails);
	tcase_add_test(c, a_suspect_that_is_not_there_was_looked_for);
	tcase_add_test(c, stages_are_looked_for_too);
	tcase_add_test(c, few_requests_rule_nothing_out);
	tcase_add_test(c, shares_need_waits);
	tcase_add_test(c, lines_have_all_digits);
	tcase_add_test(c, json_has_them_in_our_member);
	tcase_add_test(c, every_allocation_may_fail);
	suite_add_tcase(s, c);

	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
