/* tests/test_assert_missing.c - what assertions say of runs in which requests
 * are missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/assert_fixture.h"

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

int main(void)
{
	Suite *s = suite_create("assert_missing");
	TCase *c = assert_case(s);

	tcase_add_test(c, dropped_requests_count_as_anything);
	tcase_add_test(c, an_error_rate_has_errors_that_are_certain);
	tcase_add_test(c, losses_of_every_kind_are_named);
	tcase_add_test(c, requests_that_are_not_valid_are_missing);
	tcase_add_test(c, unfinished_requests_of_other_routes_do_not_matter);
	tcase_add_test(c, routes_without_a_name_may_be_the_one);
	return sample_run_suite(s);
}
