/* tests/e2e_admin_browser.c - the admin server on TCP for browsers: sessions in
 * place of the token, what Host and Origin must be, and answers that are safe
 * there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e_admin_tcp_client.h"

/* --- sessions ---------------------------------------------------------- */

/* "Cookie: tailbox_session=...\r\n" of an answer. */
static void cookie_of(const struct bytes *b, char to[256])
{
	const char *p = strstr(b->p, "Set-Cookie: tailbox_session=");

	ck_assert_msg(p != NULL, "%s", b->p);
	p += strlen("Set-Cookie: ");
	snprintf(to, 256, "Cookie: %.*s\r\n", (int)strcspn(p, ";\r\n"), p);
}

START_TEST(session_from_begin_to_end)
{
	char cookie[256], headers[512];
	struct bytes b;

	if (_i == 0)
		b = ask("POST", "/session", BEARER, NULL);
	else if (_i == 1)
		b = ask("POST", "/session",
		        "Content-Type: application/json; charset=utf-8\r\n",
		        "{\"token\": \"" TOKEN "\"}");
	else
		b = ask("POST", "/session",
		        "Content-Type: application/x-www-form-urlencoded\r\n",
		        "token=" TOKEN);
	ck_assert_msg(status_of(&b) == 200, "%s", b.p);
	ck_assert_ptr_nonnull(strstr(b.p, "; HttpOnly; SameSite=Strict; "
	                                  "Path=/; Max-Age=43200"));
	cookie_of(&b, cookie);
	ck_assert_ptr_null(strstr(b.p, TOKEN));
	free(b.p);
	expect("GET", "/status", cookie, NULL, 200, "\"service\"");
	expect("POST", "/arm", cookie, NULL, 200, "armed");
	/* From a page of ours, and typed by hand. */
	snprintf(headers, sizeof(headers), "%sSec-Fetch-Site: same-origin\r\n"
	         "Origin: http://127.0.0.1:%u\r\n", cookie, (unsigned)tcp_port);
	expect("GET", "/status", headers, NULL, 200, "\"service\"");
	expect("POST", "/disarm", headers, NULL, 200, "result");
	snprintf(headers, sizeof(headers), "%sSec-Fetch-Site: none\r\n",
	         cookie);
	expect("GET", "/status", headers, NULL, 200, "\"service\"");
	/* From a page of others. */
	snprintf(headers, sizeof(headers), "%sSec-Fetch-Site: cross-site\r\n",
	         cookie);
	expect("GET", "/status", headers, NULL, 403, "cross_origin");
	snprintf(headers, sizeof(headers), "%sSec-Fetch-Site: same-site\r\n",
	         cookie);
	expect("GET", "/status", headers, NULL, 403, "cross_origin");
	snprintf(headers, sizeof(headers), "%sOrigin: http://evil.example\r\n",
	         cookie);
	expect("GET", "/status", headers, NULL, 403, "cross_origin");
	expect("POST", "/arm", headers, NULL, 403, "cross_origin");
	expect("DELETE", "/session", headers, NULL, 403, "cross_origin");
	expect("GET", "/status", cookie, NULL, 200, "\"service\"");
	expect("DELETE", "/session", cookie, NULL, 200, "Max-Age=0");
	expect("GET", "/status", cookie, NULL, 401, "session is over");
}
END_TEST

START_TEST(session_bodies_that_are_refused)
{
	static char big[8192];
	const char *form = "Content-Type: application/x-www-form-urlencoded\r\n";
	const char *json = "Content-Type: application/json\r\n";

	expect("POST", "/session", "", NULL, 415, "bad_body");
	expect("POST", "/session", "", "token=" TOKEN, 415, "bad_body");
	expect("POST", "/session", "Content-Type: text/plain\r\n",
	       "token=" TOKEN, 415, "bad_body");
	expect("POST", "/session", form, "nonsense", 400, "bad_body");
	expect("POST", "/session", json, "token=" TOKEN, 400, "bad_body");
	expect("POST", "/session", BEARER, "token=" TOKEN, 400,
	       "unexpected_body");
	expect("POST", "/session?token=" TOKEN, "", NULL, 400, "token");
	memset(big, 'x', sizeof(big) - 1);
	memcpy(big, "token=", 6);
	expect("POST", "/session", form, big, 413, "body_too_large");
	big[4096] = '\0';
	expect("POST", "/session", form, big, 401, "unauthorized");
	expect("POST", "/session", "Origin: http://evil.example\r\n"
	       "Content-Type: application/json\r\n",
	       "{\"token\": \"" TOKEN "\"}", 403, "cross_origin");
}
END_TEST

START_TEST(unix_socket_asks_for_nothing)
{
	static const char *const headers[] = {
		"", "Authorization: Bearer wrong-wrong-wrong\r\n",
		"Origin: http://evil.example\r\n",
		"Cookie: tailbox_session=x\r\n",
	};
	struct bytes b;

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		b = ask_port(0, "GET", "/status", headers[i], NULL);
		ck_assert_int_eq(status_of(&b), 200);
		ck_assert_ptr_nonnull(strstr(b.p, "Cache-Control: no-cache"));
		free(b.p);
	}
	b = ask_port(0, "POST", "/session", "", NULL);
	ck_assert_int_eq(status_of(&b), 404);
	free(b.p);
}
END_TEST

/* --- Host and Origin --------------------------------------------------- */

START_TEST(host_decides)
{
	static const struct {
		const char *host; /* %u: the port; NULL = no header */
		long status;
	} table[] = {
		{ "127.0.0.1:%u", 200 }, { "localhost:%u", 200 },
		{ "[::1]:%u", 200 }, { "ops.example", 200 },
		{ "gate.example:8443", 200 }, { "gate.example", 421 },
		{ "evil.example:%u", 421 }, { "127.0.0.1", 421 },
		{ "127.0.0.1:1", 421 }, { "127.0.0.2:%u", 421 },
		{ "localhost.evil.example:%u", 421 }, { "", 421 },
		{ "localhost:%u\r\nHost: evil.example", 400 },
	};
	char host[128], text[512];
	struct bytes b;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		snprintf(host, sizeof(host), table[i].host, (unsigned)tcp_port);
		snprintf(text, sizeof(text),
		         "GET /status HTTP/1.1\r\nHost: %s\r\n" BEARER "\r\n",
		         host);
		b = talk(dial_port(tcp_port), text, strlen(text));
		ck_assert_msg(status_of(&b) == table[i].status, "%s: %s", host,
		              b.p);
		ck_assert_ptr_null(strcasestr(b.p, "access-control"));
		free(b.p);
		/* Without a token nothing is said but that. */
		snprintf(text, sizeof(text),
		         "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", host);
		b = talk(dial_port(tcp_port), text, strlen(text));
		ck_assert_int_eq(status_of(&b), table[i].status);
		free(b.p);
	}
	b = talk(dial_port(tcp_port), "GET /status HTTP/1.0\r\n" BEARER "\r\n",
	         strlen("GET /status HTTP/1.0\r\n" BEARER "\r\n"));
	ck_assert_msg(strstr(b.p, " 421 ") != NULL, "%s", b.p);
	free(b.p);
}
END_TEST

START_TEST(origin_decides)
{
	static const struct {
		const char *origin; /* %u: the port */
		bool is_ours;
	} table[] = {
		{ "http://127.0.0.1:%u", true },
		{ "https://127.0.0.1:%u", true },
		{ "http://localhost:%u", false }, /* Host is 127.0.0.1 */
		{ "http://127.0.0.1", false },
		{ "http://127.0.0.1:%u.evil.example", false },
		{ "http://evil.example", false }, { "null", false },
		{ "", false }, { "127.0.0.1:%u", false },
		{ "file://127.0.0.1:%u", false },
	};
	char origin[128], headers[256];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		snprintf(origin, sizeof(origin), table[i].origin,
		         (unsigned)tcp_port);
		snprintf(headers, sizeof(headers), BEARER "Origin: %s\r\n",
		         origin);
		ck_assert_msg(status("POST", "/disarm", headers) ==
		                      (table[i].is_ours ? 200 : 403),
		              "%s", origin);
		ck_assert_int_eq(status("DELETE", "/artifacts/1", headers),
		                 table[i].is_ours ? 404 : 403);
		/* Who has the token in hand may read from anywhere. */
		ck_assert_int_eq(status("GET", "/status", headers), 200);
	}
	/* A preflight is not answered as one. */
	expect("OPTIONS", "/arm", "Origin: http://evil.example\r\n"
	       "Access-Control-Request-Method: POST\r\n", NULL, 403, "");
}
END_TEST

START_TEST(answers_are_safe_in_a_browser)
{
	struct bytes b = ask("GET", "/status", BEARER, NULL);

	ck_assert_ptr_nonnull(strstr(b.p, "Cache-Control: no-store"));
	ck_assert_ptr_nonnull(strstr(b.p, "X-Content-Type-Options: nosniff"));
	ck_assert_ptr_nonnull(strstr(b.p, "Content-Security-Policy: "
	                                  "default-src 'none'"));
	ck_assert_ptr_null(strcasestr(b.p, "access-control"));
	free(b.p);
	/* The index shows how, and not what with. */
	b = ask("GET", "/", BEARER, NULL);
	ck_assert_ptr_nonnull(strstr(b.p, "Bearer $TAILBOX_TOKEN"));
	ck_assert_ptr_nonnull(strstr(b.p, "'http://127.0.0.1:"));
	ck_assert_ptr_null(strstr(b.p, TOKEN));
	free(b.p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin_browser");
	TCase *t = tcase_create("http");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, session_from_begin_to_end, 0, 3);
	tcase_add_test(t, session_bodies_that_are_refused);
	tcase_add_test(t, unix_socket_asks_for_nothing);
	tcase_add_test(t, host_decides);
	tcase_add_test(t, origin_decides);
	tcase_add_test(t, answers_are_safe_in_a_browser);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
