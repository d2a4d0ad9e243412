/* tests/e2e_admin_windows.c - windows that are armed and ended through the
 * admin server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e_admin_unix_client.h"

START_TEST(arm_takes_every_parameter)
{
	struct answer a;

	ask(&a, "POST",
	    "/arm?mode=investigation&duration=30s&note=caf%C3%A9%20%26%20tea"
	    "&max_requests=11&max_stages=12&max_queues=13"
	    "&max_inflight_snapshots=14&max_runtime_snapshots=15"
	    "&policy=auto_seal_on_limits_hit&strict=1&sample_interval=250ms"
	    "&format=json");
	ck_assert_int_eq(a.status, 200);
	has(a.body.p, "\"id\": 1,");
	has(a.body.p, "\"artifact\": \"shop-");
	forget(&a);
	ask(&a, "GET", "/status");
	has(a.body.p, "\"state\": \"active\"");
	has(a.body.p, "\"mode\": \"investigation\"");
	has(a.body.p, "\"duration_ms\": 30000");
	has(a.body.p, "\"note\": \"caf\xc3\xa9 & tea\"");
	has(a.body.p, "\"max_requests\": 11,");
	has(a.body.p, "\"max_stages\": 12,");
	has(a.body.p, "\"max_queues\": 13,");
	has(a.body.p, "\"max_inflight_snapshots\": 14,");
	has(a.body.p, "\"max_runtime_snapshots\": 15,");
	has(a.body.p, "\"policy\": \"auto_seal_on_limits_hit\"");
	has(a.body.p, "\"strict\": true");
	has(a.body.p, "\"sample_interval_ms\": 250");
	forget(&a);
	expect("GET", "/status?format=text", 200, "armed for  caf");
	ask(&a, "POST", "/arm");
	ck_assert_int_eq(a.status, 409);
	has(a.body.p, "\"error\": \"already_armed\"");
	has(a.body.p, "\"id\": 1");
	forget(&a);
	expect("POST", "/arm?format=text", 409, "already_armed: ");
	expect("POST", "/disarm", 200, "\"id\": 1,");
	wait_for_artifact("/artifacts/1");
	wait_until_disabled();
	ask(&a, "POST", "/disarm");
	ck_assert_int_eq(a.status, 200);
	has(a.body.p, "\"result\": \"already_disabled\"");
	has(a.body.p, "\"id\": null");
	forget(&a);
	expect("POST", "/disarm?format=text", 200, "already_disabled\n");
	expect("POST", "/arm?format=text", 200, "armed window 2, artifact ");
	expect("POST", "/disarm?format=text", 200, " window 2, 0 in flight");
}
END_TEST

START_TEST(duration_ends_a_window)
{
	expect("POST", "/arm?duration=50ms", 200, "armed");
	some_requests(5);
	wait_for_artifact("/artifacts/1");
	expect("GET", "/artifacts", 200, "\"requests\": 5,");
}
END_TEST

START_TEST(open_request_keeps_the_window_closing)
{
	tailbox_request r;
	struct answer a;

	expect("POST", "/arm", 200, "armed");
	r = tailbox_request_begin("/slow", "http");
	expect("POST", "/disarm", 200, "\"result\": \"closing\"");
	expect("POST", "/disarm", 200, "\"in_flight\": 1,");
	ask(&a, "GET", "/artifacts/1");
	ck_assert_int_eq(a.status, 404);
	has(a.body.p, "\"error\": \"not_ready\"");
	has(a.head.p, "Retry-After: 1");
	forget(&a);
	expect("GET", "/status", 200, "\"state\": \"closing\"");
	tailbox_request_finish(r, "ok");
	wait_for_artifact("/artifacts/1");
	expect("GET", "/artifacts/1", 200, "\"route\": \"/slow\"");
}
END_TEST

/* Whoever sees it in the list and asks for it at once gets it. */
START_TEST(listed_artifact_can_be_had)
{
	char path[48], id[32];

	for (int i = 1; i <= 100; i++) {
		bool is_listed = false;

		snprintf(path, sizeof(path), "/artifacts/%d", i);
		snprintf(id, sizeof(id), "\"id\": \"%d\",", i);
		expect("POST", "/arm", 200, "armed");
		expect("POST", "/disarm", 200, "\"result\": ");
		while (!is_listed) {
			struct answer a;

			ask(&a, "GET", "/artifacts");
			ck_assert_int_eq(a.status, 200);
			is_listed = strstr(a.body.p, id) != NULL;
			forget(&a);
		}
		expect("GET", path, 200, "run_id");
	}
}
END_TEST

/* A load takes a thread and suspends its client: neither may be in the way of
 * a stop, wherever it meets them. */
START_TEST(stop_while_artifacts_are_loading)
{
	for (int round = 0; round < 20; round++) {
		struct timespec wait = { 0, round * 200000 };
		int fd[6];
		if (round > 0)
			ck_assert_int_eq(tailbox_start("shop", NULL), 0);
		capture(3000, "/artifacts/1");
		for (int i = 0; i < 6; i++) {
			fd[i] = dial();
			say(fd[i], "GET /artifacts/1 HTTP/1.1\r\n"
			           "Host: x\r\n\r\n");
		}
		nanosleep(&wait, NULL);
		tailbox_stop();
		for (int i = 0; i < 6; i++)
			close(fd[i]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin_windows");
	TCase *t = tcase_create("http");

	tcase_add_checked_fixture(t, start_recorder, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, arm_takes_every_parameter);
	tcase_add_test(t, duration_ends_a_window);
	tcase_add_test(t, open_request_keeps_the_window_closing);
	tcase_add_test(t, listed_artifact_can_be_had);
	tcase_add_test(t, stop_while_artifacts_are_loading);
	suite_add_tcase(s, t);
	return run_suite(s);
}
