/* tests/test_assert.c - assertions that are judged: of metrics, routes and
 * suspects.
 *
 * SPDX-License-Identifier: MIT
 *
 * Expected figures are counted by hand from the requests that are written
 * here: percentile p of n values is number ceil((n - 1) * p / 100) from 0.
 */
#include <errno.h>

#include "tests/assert_fixture.h"

#define MS 1000u

/* --- judging -------------------------------------------------------------- */

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
	TCase *c = assert_case(s);

	tcase_add_test(c, each_operator_at_its_edge);
	tcase_add_test(c, each_metric_is_what_the_report_has);
	tcase_add_test(c, a_mean_is_exact);
	tcase_add_test(c, shares_at_their_edge);
	tcase_add_test(c, a_percentile_needs_a_request_above_it);
	tcase_add_test(c, a_route_is_judged_by_its_own_requests);
	tcase_add_test(c, a_route_that_is_not_there_is_an_error);
	tcase_add_test(c, a_route_of_open_requests_is_there);
	tcase_add_test(c, a_suspect_that_is_there_fails);
	tcase_add_test(c, a_suspect_that_is_not_there_was_looked_for);
	tcase_add_test(c, stages_are_looked_for_too);
	tcase_add_test(c, few_requests_rule_nothing_out);
	tcase_add_test(c, shares_need_waits);
	tcase_add_test(c, every_allocation_may_fail);
	return sample_run_suite(s);
}
