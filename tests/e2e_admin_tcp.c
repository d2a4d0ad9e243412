/* tests/e2e_admin_tcp.c - the admin server on TCP: its start, the token that
 * every call needs, limits, and files in parts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e_admin_tcp_client.h"

/* --- start ------------------------------------------------------------- */

START_TEST(tcp_needs_an_address_and_a_token)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct bytes b;

	ck_assert_int_eq(start_tcp(NULL, TOKEN, &err), 0);
	ck_assert_str_eq(tailbox__admin_tcp(), "");
	ck_assert_int_eq(start_tcp("127.0.0.1:0", NULL, &err), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "token_file"));
	err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	ck_assert_int_eq(start_tcp("127.0.0.1:0", "short", &err), -EINVAL);
	err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	ck_assert_int_eq(start_tcp("nowhere:1", TOKEN, &err), -EINVAL);
	ck_assert_str_eq(tailbox__admin_tcp(), "");
	/* None of that was held against it. */
	ck_assert_int_eq(start_tcp("127.0.0.1:0", TOKEN, &err), 1);
	b = ask_port(0, "GET", "/status", "", NULL);
	ck_assert_ptr_nonnull(strstr(b.p, "\"tcp\": \"127.0.0.1:"));
	free(b.p);
	err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	ck_assert_int_eq(start_tcp("127.0.0.1:0", TOKEN, &err),
	                 -TAILBOX_ESTATE);
}
END_TEST

START_TEST(taken_port_leaves_the_unix_socket)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char text[TAILBOX__TCP_TEXT];
	struct bytes b;
	uint16_t port;
	int fd = tailbox__tcp_listen("127.0.0.1:0", text, &port, &err);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(start_tcp(text, TOKEN, &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, text));
	close(fd);
	b = ask_port(0, "GET", "/status", "", NULL);
	ck_assert_int_eq(status_of(&b), 200);
	ck_assert_ptr_nonnull(strstr(b.p, "\"tcp\": null"));
	free(b.p);
}
END_TEST

/* --- token ------------------------------------------------------------- */

START_TEST(every_call_needs_the_token)
{
	static const struct {
		const char *method, *target;
		long status; /* with the token */
	} calls[] = {
		{ "GET", "/", 200 }, { "GET", "/status", 200 },
		{ "GET", "/requests", 200 }, { "GET", "/workers", 200 },
		{ "GET", "/artifacts", 200 }, { "GET", "/artifacts/1", 404 },
		{ "GET", "/artifacts/1.tailbox", 404 },
		{ "DELETE", "/artifacts/1", 404 }, { "POST", "/arm", 200 },
		{ "POST", "/disarm", 200 }, { "GET", "/nothing", 404 },
		{ "BREW", "/status", 405 }, { "GET", "/status?x=1", 400 },
		{ "DELETE", "/session", 200 }, { "HEAD", "/status", 200 },
		{ "GET", "http://127.0.0.1/status", 404 },
	};
	static const char *const wrong[] = {
		"", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n",
		"Authorization: Basic " TOKEN "\r\n",
		"Authorization: " TOKEN "\r\n",
		"Cookie: tailbox_session=" TOKEN "\r\n",
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		expect(calls[i].method, calls[i].target, "", NULL, 401,
		       "WWW-Authenticate: Bearer");
		expect(calls[i].method, calls[i].target, BEARER, NULL,
		       calls[i].status, "");
	}
	/* In a query it is not a token. */
	expect("GET", "/status?token=" TOKEN, "", NULL, 401, "");
	expect("GET", "/status?token=" TOKEN, BEARER, NULL, 400, "token");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect("GET", "/status", wrong[i], NULL, 401, "unauthorized");
	expect("GET", "/status", "authorization: bearer   " TOKEN "\r\n", NULL,
	       200, "\"service\"");
	expect("GET", "/status", BEARER BEARER, NULL, 400, "bad_header");
	expect("GET", "/healthz", "", NULL, 200, "ok\n");
	expect("HEAD", "/healthz", "", NULL, 200, "");
	expect("POST", "/healthz", "", NULL, 401, "");
	expect("GET", "/healthz/x", "", NULL, 401, "");
}
END_TEST

START_TEST(token_of_every_length)
{
	char header[400];

	for (size_t n = 0; n <= 300; n++) {
		size_t at = (size_t)snprintf(header, sizeof(header),
		                             "Authorization: Bearer ");
		for (size_t i = 0; i < n; i++)
			header[at + i] = i < strlen(TOKEN) ? TOKEN[i] : 'x';
		memcpy(header + at + n, "\r\n", 3);
		/* Later ones would be answered late: a new window for each. */
		tailbox__guard_forgive();
		ck_assert_msg(status("GET", "/status", header) ==
		                      (n == strlen(TOKEN) ? 200 : 401),
		              "%zu bytes", n);
	}
}
END_TEST

#define WRONG "Authorization: Bearer wrong-wrong-wrong\r\n"

/* As many as are answered at once, and the text of the next. */
static size_t wrong_once_more(char text[256])
{
	for (unsigned i = 0; i < TAILBOX__WRONG_MAX; i++)
		ck_assert_int_eq(status("GET", "/status", WRONG), 401);
	return (size_t)snprintf(text, 256,
	                        "GET /status HTTP/1.1\r\n"
	                        "Host: localhost:%u\r\n" WRONG "\r\n",
	                        (unsigned)tcp_port);
}

START_TEST(wrong_tokens_are_answered_late_and_right_ones_are_not)
{
	int fds[TAILBOX__HELD_MAX];
	struct bytes b;
	uint64_t begin;
	char text[256];
	size_t n;

	n = wrong_once_more(text);
	begin = now_us();
	for (unsigned i = 0; i < TAILBOX__HELD_MAX; i++) {
		fds[i] = dial_port(tcp_port);
		ck_assert_int_eq(send(fds[i], text, n, 0), (ssize_t)n);
	}
	/* The next is too many; that it comes shows that these are held. */
	for (int i = 0;; i++) {
		b = ask("GET", "/status", WRONG, NULL);
		if (status_of(&b) == 429)
			break;
		ck_assert_int_eq(status_of(&b), 401);
		ck_assert_int_lt(i, 20);
		free(b.p);
	}
	ck_assert_ptr_nonnull(strstr(b.p, "Retry-After: 1"));
	free(b.p);
	/* All the while who knows the token is served. */
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(status("GET", "/status", BEARER), 200);
	for (unsigned i = 0; i < TAILBOX__HELD_MAX; i++) {
		b = talk(fds[i], "", 0);
		ck_assert_int_eq(status_of(&b), 401);
		free(b.p);
	}
	/* No sooner than said; how much later is up to the machine. */
	ck_assert_uint_ge(now_us() - begin, TAILBOX__WRONG_DELAY_MS * 1000);
	/* In the body of /session too. */
	begin = now_us();
	expect("POST", "/session",
	       "Content-Type: application/x-www-form-urlencoded\r\n",
	       "token=wrong-wrong-wrong", 401, "unauthorized");
	ck_assert_uint_ge(now_us() - begin, TAILBOX__WRONG_DELAY_MS * 1000);
}
END_TEST

START_TEST(stop_while_answers_are_held)
{
	char text[256];
	size_t n;
	int fd, ready;

	n = wrong_once_more(text);
	fd = dial_port(tcp_port);
	ck_assert_int_eq(send(fd, text, n, 0), (ssize_t)n);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(status("GET", "/healthz", ""), 200);
		if (tailbox__guard_held() > 0)
			break;
	}
	ready = poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0);
	ck_assert_int_eq(ready, 0);
	/* The fixture stops now; the library would abort us. */
	tailbox_stop();
	ck_assert_uint_eq(tailbox__guard_held(), 0);
	close(fd);
}
END_TEST

/* --- limits ------------------------------------------------------------ */

START_TEST(what_is_too_large_is_refused)
{
	static char big[70000], body[5000];
	struct bytes text = { NULL, 0 }, b;

	memset(big, 'a', sizeof(big) - 1);
	append(&text, "GET /", 5);
	append(&text, big, 60000);
	append(&text, " HTTP/1.1\r\nHost: x\r\n\r\n", 22);
	b = talk(dial_port(tcp_port), text.p, text.n);
	ck_assert_msg(strstr(b.p, " 414 ") != NULL || b.n == 0, "%s", b.p);
	free(b.p);
	text.n = 0;
	append(&text, "GET / HTTP/1.1\r\nHost: x\r\nX: ", 28);
	append(&text, big, 60000);
	append(&text, "\r\n\r\n", 4);
	b = talk(dial_port(tcp_port), text.p, text.n);
	ck_assert_msg(strstr(b.p, " 431 ") != NULL || b.n == 0, "%s", b.p);
	free(b.p);
	free(text.p);
	memset(body, 'x', sizeof(body) - 1);
	expect("POST", "/arm", BEARER, body, 413, "body_too_large");
	/* A stranger's is not even looked at. */
	expect("POST", "/arm", "", body, 401, "unauthorized");
	expect("GET", "/status", BEARER, NULL, 200, "\"service\"");
}
END_TEST

START_TEST(crowd_of_idle_connections_gives_way)
{
	int fds[200], n = 0;
	struct bytes b;

	for (int i = 0; i < 200; i++) {
		fds[n] = dial_port(tcp_port);
		/* Some say nothing, some begin. */
		if (fds[n] >= 0 && i % 2)
			(void)!send(fds[n], "GET /status HT", 14, MSG_NOSIGNAL);
		n += fds[n] >= 0;
		if (i % 20 == 0) {
			b = ask_port(0, "GET", "/status", "", NULL);
			ck_assert_int_eq(status_of(&b), 200);
			free(b.p);
			ck_assert_int_eq(status("GET", "/status", BEARER), 200);
		}
	}
	ck_assert_int_gt(n, 150);
	/* They gave way to those who came after them, and did not just run
	 * out of time; status tells. */
	b = ask_port(0, "GET", "/status", "", NULL);
	ck_assert_ptr_nonnull(strstr(b.p, "\"strangers_gave_way\": "));
	ck_assert_ptr_null(strstr(b.p, "\"strangers_gave_way\": 0"));
	ck_assert_ptr_nonnull(strstr(b.p, "\"wrong_tokens\": 0"));
	free(b.p);
	/* The first of them was cut off. */
	ck_assert_int_eq(poll(&(struct pollfd){ fds[0], POLLIN, 0 }, 1, 30000),
	                 1);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(status("GET", "/status", BEARER), 200);
	while (n > 0)
		close(fds[--n]);
}
END_TEST

/* --- ranges ------------------------------------------------------------ */

START_TEST(native_file_in_parts)
{
	char headers[512], tag[64], at[64];
	struct bytes whole, b;
	const char *p, *body;
	size_t size;

	expect("POST", "/arm", BEARER, NULL, 200, "armed");
	for (int i = 0; i < 100; i++)
		tailbox_request_finish(tailbox_request_begin("/x", "http"),
		                       "ok");
	expect("POST", "/disarm", BEARER, NULL, 200, "result");
	for (int i = 0; status("GET", "/artifacts/1.tailbox", BEARER) != 200;
	     i++) {
		ck_assert_int_lt(i, 5000);
		moment();
	}
	whole = ask("GET", "/artifacts/1.tailbox", BEARER, NULL);
	ck_assert_ptr_nonnull(strstr(whole.p, "Accept-Ranges: bytes"));
	body = strstr(whole.p, "\r\n\r\n") + 4;
	size = whole.n - (size_t)(body - whole.p);
	p = strstr(whole.p, "ETag: ") + 6;
	snprintf(tag, sizeof(tag), "%.*s", (int)strcspn(p, "\r\n"), p);
	/* In three parts, as who goes on after a break. */
	for (int i = 0; i < 3; i++) {
		size_t from = size / 3 * (size_t)i;
		size_t to = i == 2 ? size - 1 : size / 3 * (size_t)(i + 1) - 1;
		snprintf(headers, sizeof(headers), BEARER
		         "Range: bytes=%zu-%zu\r\nIf-Range: %s\r\n", from, to,
		         tag);
		b = ask("GET", "/artifacts/1.tailbox", headers, NULL);
		ck_assert_int_eq(status_of(&b), 206);
		snprintf(at, sizeof(at), "bytes %zu-%zu/%zu\r\n", from, to,
		         size);
		ck_assert_ptr_nonnull(strstr(b.p, at));
		p = strstr(b.p, "\r\n\r\n") + 4;
		ck_assert_uint_eq(b.n - (size_t)(p - b.p), to - from + 1);
		ck_assert_int_eq(memcmp(p, body + from, to - from + 1), 0);
		free(b.p);
	}
	/* Another file than it began with, or a weak tag: the whole. */
	expect("GET", "/artifacts/1.tailbox",
	       BEARER "Range: bytes=1-2\r\nIf-Range: \"00000000\"\r\n", NULL,
	       200, "Accept-Ranges");
	snprintf(headers, sizeof(headers), BEARER
	         "Range: bytes=1-2\r\nIf-Range: W/%s\r\n", tag);
	expect("GET", "/artifacts/1.tailbox", headers, NULL, 200, "");
	/* Behind the end: 416, unless it is another file anyhow. */
	snprintf(headers, sizeof(headers), BEARER "Range: bytes=%zu-\r\n",
	         size);
	snprintf(at, sizeof(at), "Content-Range: bytes */%zu", size);
	expect("GET", "/artifacts/1.tailbox", headers, NULL, 416, at);
	snprintf(headers, sizeof(headers), BEARER "Range: bytes=%zu-\r\n"
	         "If-Range: \"00000000\"\r\n", size);
	expect("GET", "/artifacts/1.tailbox", headers, NULL, 200, "");
	/* No token, no part. */
	expect("GET", "/artifacts/1.tailbox", "Range: bytes=0-9\r\n", NULL, 401,
	       "unauthorized");
	/* One that has it already. */
	snprintf(headers, sizeof(headers), BEARER "If-None-Match: %s\r\n", tag);
	expect("GET", "/artifacts/1.tailbox", headers, NULL, 304, "");
	free(whole.p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin_tcp");
	TCase *bare = tcase_create("start"), *t = tcase_create("http");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(bare, start_recorder, stop);
	tcase_set_timeout(bare, 60);
	tcase_add_test(bare, tcp_needs_an_address_and_a_token);
	tcase_add_test(bare, taken_port_leaves_the_unix_socket);
	suite_add_tcase(s, bare);
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, every_call_needs_the_token);
	tcase_add_test(t, token_of_every_length);
	tcase_add_test(t, wrong_tokens_are_answered_late_and_right_ones_are_not);
	tcase_add_test(t, stop_while_answers_are_held);
	tcase_add_test(t, what_is_too_large_is_refused);
	tcase_add_test(t, crowd_of_idle_connections_gives_way);
	tcase_add_test(t, native_file_in_parts);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
