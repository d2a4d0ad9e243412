/* tests/test_slow_log.c - slow requests in the application's log.
 *
 * SPDX-License-Identifier: MIT
 */
#include "controller_fixture.h"

static uint64_t now = 1000000000000;

static uint64_t tick(void)
{
	return now;
}

static void setup(void)
{
	tailbox__clock_inject(tick, 1000000000);
	controller_open();
	tailbox__slow_log_set(0);
}

static void teardown(void)
{
	tailbox__slow_log_set(0);
	tailbox__controller_stop();
	remove_folder(artifact_dir);
	fixture_close();
	tailbox__clock_inject(NULL, 0);
	log_count = log_seen = 0;
}

static void request(const char *route, uint64_t ms)
{
	tailbox_request r = tailbox_request_begin(route, "job");

	ck_assert_ptr_nonnull(r);
	now += ms * 1000000;
	tailbox_request_finish(r, NULL);
	now += 1000;
}

static size_t said(const char *part)
{
	size_t n = 0;

	pthread_mutex_lock(&log_lock);
	for (size_t i = 0; i < log_count; i++)
		n += strstr(log_lines[i], part) != NULL;
	pthread_mutex_unlock(&log_lock);
	return n;
}

START_TEST(is_off_by_default)
{
	request("/slow", 5000);
	ck_assert_int_eq(tailbox__follow(), 0);
	ck_assert_uint_eq(said("slow request"), 0);
}
END_TEST

START_TEST(as_slow_as_that_is_logged_and_faster_is_not)
{
	tailbox__slow_log_set(200);
	request("/below", 199);
	request("/at", 200);
	request("/a bove", 1234);
	ck_assert_int_eq(tailbox__follow(), 0);
	const char *line = wait_for("route=/at");
	ck_assert_ptr_nonnull(strstr(line, "msg=\"slow request\" time=20"));
	ck_assert_ptr_nonnull(strstr(line, "total_ms=200.000"));
	ck_assert_ptr_nonnull(strstr(line, "kind=job outcome=ok"));
	wait_for("route=\"/a bove\"");
	ck_assert_uint_eq(said("/below"), 0);
	/* The setting may change while it runs. */
	tailbox__slow_log_set(2000);
	request("/now fast", 1999);
	tailbox__slow_log_set(0);
	request("/now off", 9000);
	ck_assert_int_eq(tailbox__follow(), 0);
	ck_assert_uint_eq(said("/now"), 0);
}
END_TEST

/* The second is the kernel's, so up to three of them may pass here. */
START_TEST(ten_a_second_and_the_rest_is_counted)
{
	unsigned n = 0;

	tailbox__slow_log_set(1);
	for (; n < 500; n++)
		request("/storm", 2);
	ck_assert_int_eq(tailbox__follow(), 0);
	ck_assert_uint_ge(said("route=/storm"), 10);
	ck_assert_uint_le(said("route=/storm"), 30);
	/* Said by the follower when the second is over. */
	const char *line = wait_for("that were not logged\" count=");
	const unsigned long more = strtoul(strstr(line, "count=") + 6, NULL, 10);
	ck_assert_uint_ge(more, 470);
	ck_assert_uint_le(more, 490);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("slow_log");
	TCase *t = tcase_create("slow_log");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, is_off_by_default);
	tcase_add_test(t, as_slow_as_that_is_logged_and_faster_is_not);
	tcase_add_test(t, ten_a_second_and_the_rest_is_counted);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
