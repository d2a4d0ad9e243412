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

/* A pass of the follower that has begun goes by the setting before. */
static void set(uint64_t ms)
{
	tailbox__slow_log_set(ms);
	ck_assert_int_eq(tailbox__follow(), 0);
}

static void request(const char *route, uint64_t ms)
{
	tailbox_request r = tailbox_request_begin(route, "job");

	ck_assert_ptr_nonnull(r);
	now += ms * 1000000;
	tailbox_request_finish(r, NULL);
	now += 1000;
}

/* Under log_lock. */
static size_t said_now(const char *part)
{
	size_t n = 0;

	for (size_t i = 0; i < log_count; i++)
		n += strstr(log_lines[i], part) != NULL;
	return n;
}

static size_t said(const char *part)
{
	pthread_mutex_lock(&log_lock);
	const size_t n = said_now(part);
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
	set(200);
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
	set(2000);
	request("/now fast", 1999);
	tailbox__slow_log_set(0);
	request("/now off", 9000);
	ck_assert_int_eq(tailbox__follow(), 0);
	ck_assert_uint_eq(said("/now"), 0);
}
END_TEST

/* Requests that have a line or are counted in one that says how many have none.
 * Lines of two threads come in any order. */
static unsigned long told(unsigned long *more)
{
	static const char key[] = "that were not logged\" count=";

	*more = 0;
	for (size_t i = 0; i < log_count; i++) {
		const char *at = strstr(log_lines[i], key);
		if (at)
			*more += strtoul(at + sizeof(key) - 1, NULL, 10);
	}
	return *more + said_now("route=/storm");
}

/* The second is the kernel's, so up to three of them may pass here. What has
 * no line is said by the follower when its second is over. */
START_TEST(ten_a_second_and_the_rest_is_counted)
{
	enum { STORM = 500 };
	unsigned long all, more;

	set(1);
	for (unsigned n = 0; n < STORM; n++)
		request("/storm", 2);
	ck_assert_int_eq(tailbox__follow(), 0);
	pthread_mutex_lock(&log_lock);
	while ((all = told(&more)) < STORM)
		pthread_cond_wait(&log_said, &log_lock);
	pthread_mutex_unlock(&log_lock);
	ck_assert_uint_eq(all, STORM);
	ck_assert_uint_ge(more, STORM - 30);
	ck_assert_uint_le(more, STORM - 10);
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
