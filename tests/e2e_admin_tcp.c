/* tests/e2e_admin_tcp.c - the admin server on TCP: token, session, Host,
 * Origin, limits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e_admin_tcp_client.h"

#include <fcntl.h>

#include "controller/admin_token.h"
#include "controller/internal.h"

/* --- parsing (white box) ----------------------------------------------- */

static const struct {
	const char *text;
	int family; /* 0 = refused */
	unsigned port;
	const char *host;
} addresses[] = {
	{ "127.0.0.1:9180", AF_INET, 9180, "127.0.0.1" },
	{ "[::1]:9180", AF_INET6, 9180, "::1" },
	{ "[::]:1", AF_INET6, 1, "::" },
	{ "0.0.0.0:0", AF_INET, 0, "0.0.0.0" },
	{ "localhost:80", AF_INET, 80, "127.0.0.1" },
	/* Nothing said is loopback. */
	{ ":9180", AF_INET, 9180, "127.0.0.1" },
	{ "9180", AF_INET, 9180, "127.0.0.1" },
	{ "127.0.0.1:65535", AF_INET, 65535, "127.0.0.1" },
	{ "127.0.0.1:65536", 0, 0, NULL },
	{ "127.0.0.1", 0, 0, NULL },
	{ "127.0.0.1:", 0, 0, NULL },
	{ "127.0.0.1: 80", 0, 0, NULL },
	{ "127.0.0.1:-1", 0, 0, NULL },
	{ "::1", 0, 0, NULL },
	{ "::1:80", 0, 0, NULL },
	{ "[::1]", 0, 0, NULL },
	{ "[]:1", 0, 0, NULL },
	{ "[:1", 0, 0, NULL },
	{ "example.org:80", 0, 0, NULL },
	{ "*:80", 0, 0, NULL },
	{ "127.1:80", 0, 0, NULL },
	{ "", 0, 0, NULL },
};

START_TEST(listen_takes_an_address_and_a_port)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__tcp_address a;
	char host[INET6_ADDRSTRLEN];
	int rc = tailbox__tcp_address(addresses[_i].text, &a, &err);

	if (addresses[_i].family == 0) {
		ck_assert_int_eq(rc, -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, addresses[_i].text));
		return;
	}
	ck_assert_msg(rc == 0, "%s: %s", addresses[_i].text, err.text);
	ck_assert_int_eq(a.addr.ss_family, addresses[_i].family);
	if (a.addr.ss_family == AF_INET) {
		const struct sockaddr_in *s = (void *)&a.addr;
		ck_assert_uint_eq(ntohs(s->sin_port), addresses[_i].port);
		inet_ntop(AF_INET, &s->sin_addr, host, sizeof(host));
	} else {
		const struct sockaddr_in6 *s = (void *)&a.addr;
		ck_assert_uint_eq(ntohs(s->sin6_port), addresses[_i].port);
		inet_ntop(AF_INET6, &s->sin6_addr, host, sizeof(host));
	}
	ck_assert_str_eq(host, addresses[_i].host);
}
END_TEST

static const struct {
	const char *text;
	bool is_host; /* with local address 10.0.0.7 and port 9180 */
	bool is_allowed; /* by ops.example and gate.example:8443 */
} hosts[] = {
	{ "localhost:9180", true, false },
	{ "LOCALHOST:9180", true, false },
	{ "127.0.0.1:9180", true, false },
	{ "[::1]:9180", true, false },
	{ "[0:0:0:0:0:0:0:1]:9180", true, false },
	{ "10.0.0.7:9180", true, false },
	{ "10.0.0.8:9180", false, false },
	{ "localhost", false, false },
	{ "localhost:80", false, false },
	{ "localhost.:9180", false, false },
	{ "localhost:9180.evil.example", false, false },
	{ "localhost:9180x", false, false },
	{ "localhost:09180", true, false },
	{ "evil.example:9180", false, false },
	{ "127.0.0.1.evil.example:9180", false, false },
	{ "a@127.0.0.1:9180", false, false },
	{ "[::1:9180", false, false },
	{ "[::1]9180", false, false },
	{ "::1", false, false },
	{ ":9180", false, false },
	{ "", false, false },
	{ "ops.example", false, true },
	{ "OPS.example:1234", false, true },
	{ "ops.example.evil", false, false },
	{ "xops.example", false, false },
	{ "gate.example:8443", false, true },
	{ "gate.example:8444", false, false },
	{ "gate.example", false, false },
};

START_TEST(host_is_ours_or_allowed)
{
	static struct tailbox__config_list l;
	const char *text = hosts[_i].text;

	l.count = 2;
	strncpy(l.items[0], "ops.example", sizeof(l.items[0]) - 1);
	strncpy(l.items[1], "gate.example:8443", sizeof(l.items[1]) - 1);
	ck_assert_msg(tailbox__admin_is_host(text, "10.0.0.7", 9180) ==
	                      hosts[_i].is_host, "%s", text);
	ck_assert_msg(tailbox__admin_is_allowed_host(&l, text) ==
	                      hosts[_i].is_allowed, "%s", text);
	/* At port 80 it may be left out. */
	ck_assert(tailbox__admin_is_host("localhost", "", 80));
	ck_assert(!tailbox__admin_is_host("", "", 80));
}
END_TEST

START_TEST(token_is_compared_as_a_whole)
{
	static struct tailbox__config_admin c;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__token t;
	char text[600];

	/* Every length of a token... */
	for (size_t len = 0; len <= 255; len++) {
		memset(&c, 0, sizeof(c));
		memset(c.token, 'a', len);
		err = (struct tailbox__error)TAILBOX__ERROR_INIT;
		if (len > 0 && len < TAILBOX__TOKEN_MIN) {
			ck_assert_int_eq(tailbox__token_read(&c, &t, &err),
			                 -EINVAL);
			ck_assert_ptr_nonnull(strstr(err.text, "bytes"));
			continue;
		}
		ck_assert_int_eq(tailbox__token_read(&c, &t, &err), 0);
		ck_assert_uint_eq(t.len, len);
		/* ...against every length of what is given. */
		memset(text, 'a', sizeof(text));
		for (size_t given = 0; given <= sizeof(text); given++)
			ck_assert(tailbox__token_is(&t, text, given) ==
			          (given == len && len > 0));
		/* One wrong byte anywhere. */
		for (size_t i = 0; i < len; i++) {
			text[i] ^= 1;
			ck_assert(!tailbox__token_is(&t, text, len));
			text[i] ^= 1;
		}
	}
}
END_TEST

static int token_of_file(const char *content, size_t n, mode_t mode,
                         struct tailbox__token *t, struct tailbox__error *err)
{
	static struct tailbox__config_admin c;
	int fd, rc;

	memset(&c, 0, sizeof(c));
	snprintf(c.token_file, sizeof(c.token_file), "/tmp/tailbox-test-XXXXXX");
	fd = mkstemp(c.token_file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, n), (ssize_t)n);
	fchmod(fd, mode);
	close(fd);
	*err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	rc = tailbox__token_read(&c, t, err);
	unlink(c.token_file);
	return rc;
}

START_TEST(token_file_is_private_and_trimmed)
{
	static struct tailbox__config_admin c;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__token t;
	char text[5000];

	ck_assert_int_eq(token_of_file(" \t" TOKEN "\r\n", sizeof(TOKEN) + 3,
	                               0600, &t, &err), 0);
	ck_assert(tailbox__token_is(&t, TOKEN, strlen(TOKEN)));
	ck_assert_int_eq(token_of_file(TOKEN, strlen(TOKEN), 0400, &t, &err),
	                 0);
	for (mode_t bit = 1; bit <= 040; bit <<= 1) {
		ck_assert_int_eq(token_of_file(TOKEN, strlen(TOKEN), 0600 | bit,
		                               &t, &err), -EPERM);
		ck_assert_ptr_nonnull(strstr(err.text, "chmod 600"));
		ck_assert_uint_eq(t.len, 0);
	}
	memset(text, 'x', sizeof(text));
	for (size_t n = 0; n <= 300; n++)
		ck_assert_int_eq(token_of_file(text, n, 0600, &t, &err),
		                 n >= 16 && n <= 256 ? 0 : -EINVAL);
	ck_assert_int_eq(token_of_file(text, sizeof(text), 0600, &t, &err),
	                 -EINVAL);
	/* Nothing in it but visible ASCII; the error does not show it. */
	for (int byte = 0; byte < 256; byte++) {
		memset(text, 'x', 20);
		text[10] = (char)byte;
		ck_assert_int_eq(token_of_file(text, 20, 0600, &t, &err),
		                 byte > 0x20 && byte < 0x7f ? 0 : -EINVAL);
		ck_assert_ptr_null(strstr(err.text, "xxxx"));
	}
	memset(&c, 0, sizeof(c));
	snprintf(c.token_file, sizeof(c.token_file), "/nonexistent/token");
	ck_assert_int_eq(tailbox__token_read(&c, &t, &err), -ENOENT);
	snprintf(c.token_file, sizeof(c.token_file), "/tmp");
	ck_assert_int_eq(tailbox__token_read(&c, &t, &err), -EINVAL);
	snprintf(c.token, sizeof(c.token), TOKEN);
	err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	ck_assert_int_eq(tailbox__token_read(&c, &t, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "both"));
}
END_TEST

START_TEST(sessions_end_and_the_oldest_goes)
{
	char text[TAILBOX__SESSIONS_MAX + 1][TAILBOX__SESSION_TEXT + 1];
	const uint64_t life = TAILBOX__SESSION_S * UINT64_C(1000000000);
	uint64_t now = 1000;

	tailbox__sessions_clear();
	for (size_t i = 0; i <= TAILBOX__SESSIONS_MAX; i++) {
		ck_assert_int_eq(tailbox__session_make(text[i], now + i), 0);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(text[k], text[i]);
	}
	ck_assert(!tailbox__session_is(text[0], now + 20));
	ck_assert(tailbox__session_is(text[1], now + 20));
	ck_assert(tailbox__session_is(text[1], now + 1 + life - 1));
	ck_assert(!tailbox__session_is(text[1], now + 1 + life));
	tailbox__session_end(text[2]);
	ck_assert(!tailbox__session_is(text[2], now + 20));
	tailbox__session_end(text[2]);
	tailbox__session_end("");
	/* Nothing that is free is a session of zeros. */
	ck_assert(!tailbox__session_is("", now));
	text[3][0] ^= 1;
	ck_assert(!tailbox__session_is(text[3], now + 20));
	text[3][0] ^= 1;
	text[3][TAILBOX__SESSION_TEXT - 1] = '\0';
	ck_assert(!tailbox__session_is(text[3], now + 20));
	tailbox__sessions_clear();
	ck_assert(!tailbox__session_is(text[4], now + 20));
}
END_TEST

static const struct {
	bool is_json;
	const char *body, *token; /* NULL = refused */
} bodies[] = {
	{ false, "token=abc", "abc" },
	{ false, "token=a%2Bb+c%41", "a+b cA" },
	{ false, "token=", "" },
	{ false, "token=a%2", NULL },
	{ false, "token=a%zz", NULL },
	{ false, "token=a&x=1", NULL },
	{ false, "x=1&token=a", NULL },
	{ false, "toke=abc", NULL },
	{ false, "", NULL },
	{ true, "{\"token\":\"abc\"}", "abc" },
	{ true, " { \"token\" :\n\"abc\" } \r\n", "abc" },
	{ true, "{\"token\":\"\\u0041\\\"\\\\\\/\"}", "A\"\\/" },
	{ true, "{\"token\":\"\"}", "" },
	{ true, "{\"token\":\"abc\",\"x\":1}", NULL },
	{ true, "{\"token\":\"abc\"", NULL },
	{ true, "{\"token\":\"abc", NULL },
	{ true, "{\"token\":\"abc\\", NULL },
	{ true, "{\"token\":\"\\u00e9\"}", NULL },
	{ true, "{\"token\":\"\\u004\"}", NULL },
	{ true, "{\"token\":\"\\n\"}", NULL },
	{ true, "{\"token\":1}", NULL },
	{ true, "{\"token\":\"abc\"}x", NULL },
	{ true, "[\"token\"]", NULL },
	{ true, "", NULL },
};

START_TEST(token_is_read_from_a_body)
{
	char text[TAILBOX__TOKEN_MAX + 1], body[1000];
	/* At the very end of a block, so that a sanitizer sees a step over. */
	size_t n = strlen(bodies[_i].body), len = 0;
	char *copy = malloc(n + 1);
	bool ok;

	memcpy(copy, bodies[_i].body, n);
	ok = (bodies[_i].is_json ? tailbox__session_json
	                         : tailbox__session_form)(copy, copy + n, text,
	                                                  &len);
	free(copy);
	ck_assert_msg(ok == (bodies[_i].token != NULL), "%s", bodies[_i].body);
	if (ok) {
		ck_assert_uint_eq(len, strlen(bodies[_i].token));
		ck_assert_int_eq(memcmp(text, bodies[_i].token, len), 0);
	}
	/* Longer than any token stays longer. */
	memset(body, 'x', sizeof(body));
	memcpy(body, "token=", 6);
	ck_assert(tailbox__session_form(body, body + sizeof(body), text, &len));
	ck_assert_uint_eq(len, TAILBOX__TOKEN_MAX + 1);
}
END_TEST

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

START_TEST(wrong_tokens_are_answered_late_and_right_ones_are_not)
{
	const char *wrong = "Authorization: Bearer wrong-wrong-wrong\r\n";
	int fds[TAILBOX__HELD_MAX];
	struct bytes b;
	uint64_t begin;
	char text[256];
	size_t n;

	for (unsigned i = 0; i < TAILBOX__WRONG_MAX; i++)
		ck_assert_int_eq(status("GET", "/status", wrong), 401);
	n = (size_t)snprintf(text, sizeof(text),
	                     "GET /status HTTP/1.1\r\nHost: localhost:%u\r\n"
	                     "%s\r\n",
	                     (unsigned)tcp_port, wrong);
	begin = now_us();
	for (unsigned i = 0; i < TAILBOX__HELD_MAX; i++) {
		fds[i] = dial_port(tcp_port);
		ck_assert_int_eq(send(fds[i], text, n, 0), (ssize_t)n);
	}
	/* The next is too many; that it comes shows that these are held. */
	for (int i = 0;; i++) {
		b = ask("GET", "/status", wrong, NULL);
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
	const char *wrong = "Authorization: Bearer wrong-wrong-wrong\r\n";
	char text[256];
	size_t n;
	int fd, ready;

	for (unsigned i = 0; i < TAILBOX__WRONG_MAX; i++)
		ck_assert_int_eq(status("GET", "/status", wrong), 401);
	n = (size_t)snprintf(text, sizeof(text),
	                     "GET /status HTTP/1.1\r\nHost: localhost:%u\r\n"
	                     "%s\r\n",
	                     (unsigned)tcp_port, wrong);
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
	TCase *parse = tcase_create("parse"), *bare = tcase_create("start");
	TCase *t = tcase_create("http");
	SRunner *r;
	int failed;

	tcase_add_loop_test(parse, listen_takes_an_address_and_a_port, 0,
	                    sizeof(addresses) / sizeof(addresses[0]));
	tcase_add_loop_test(parse, host_is_ours_or_allowed, 0,
	                    sizeof(hosts) / sizeof(hosts[0]));
	tcase_add_test(parse, token_is_compared_as_a_whole);
	tcase_add_test(parse, token_file_is_private_and_trimmed);
	tcase_add_test(parse, sessions_end_and_the_oldest_goes);
	tcase_add_loop_test(parse, token_is_read_from_a_body, 0,
	                    sizeof(bodies) / sizeof(bodies[0]));
	tcase_set_timeout(parse, 60);
	suite_add_tcase(s, parse);
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
	tcase_add_loop_test(t, session_from_begin_to_end, 0, 3);
	tcase_add_test(t, session_bodies_that_are_refused);
	tcase_add_test(t, unix_socket_asks_for_nothing);
	tcase_add_test(t, host_decides);
	tcase_add_test(t, origin_decides);
	tcase_add_test(t, answers_are_safe_in_a_browser);
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
