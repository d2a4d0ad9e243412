/* tests/e2e_admin.c - the calls of the admin server and what is refused, as its
 * clients see it: libcurl over the Unix socket, raw sockets for clients that
 * misbehave.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e_admin_unix_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "controller/abilities.h"
#include "core/recorder.h"

/* --- plain calls ------------------------------------------------------- */

START_TEST(index_can_be_pasted)
{
	char line[1024], *p, *end;
	struct answer a;
	FILE *f;
	int pasted = 0;

	ask(&a, "GET", "/");
	ck_assert_int_eq(a.status, 200);
	has(a.head.p, "Content-Type: text/plain");
	has(a.body.p, "curl -s --unix-socket ");
	has(a.body.p, tailbox__admin_path());
	for (p = a.body.p; (end = strchr(p, '\n')) != NULL; p = end + 1) {
		if ((size_t)(end - p) >= sizeof(line))
			continue;
		memcpy(line, p, (size_t)(end - p));
		line[end - p] = '\0';
		if (strncmp(line, "curl", 4) != 0 ||
		    strstr(line, "format=text'") == NULL ||
		    strstr(line, "POST") != NULL)
			continue;
		/* As a shell takes it; a machine may lack the curl command. */
		f = popen(line, "r");
		ck_assert_ptr_nonnull(f);
		if (fgets(line, sizeof(line), f) != NULL)
			pasted++;
		pclose(f);
	}
	ck_assert_msg(pasted == 0 || pasted == 7, "%d", pasted);
	forget(&a);
}
END_TEST

START_TEST(health_is_ok)
{
	expect("GET", "/healthz", 200, "ok\n");
}
END_TEST

START_TEST(every_get_has_json_text_and_head)
{
	static const struct {
		const char *path, *json, *text;
	} calls[] = {
		{ "/status", "\"service\": \"shop\"", "lost  " },
		{ "/requests", "\"requests\": []", "0 open" },
		{ "/workers", "\"workers\": [", "INDEX" },
		{ "/artifacts", "\"artifacts\": []", "0 in " },
	};
	struct answer a;
	char target[64];

	ask(&a, "GET", calls[_i].path);
	ck_assert_int_eq(a.status, 200);
	has(a.head.p, "Content-Type: application/json\r\n");
	has(a.body.p, calls[_i].json);
	ck_assert_int_eq(a.body.p[a.body.n - 1], '\n');
	forget(&a);
	snprintf(target, sizeof(target), "%s?format=json", calls[_i].path);
	expect("GET", target, 200, calls[_i].json);
	snprintf(target, sizeof(target), "%s?format=text", calls[_i].path);
	ask(&a, "GET", target);
	ck_assert_int_eq(a.status, 200);
	has(a.head.p, "Content-Type: text/plain; charset=utf-8\r\n");
	has(a.body.p, calls[_i].text);
	forget(&a);
	ask(&a, "HEAD", target);
	ck_assert_int_eq(a.status, 200);
	ck_assert_uint_eq(a.body.n, 0);
	has(a.head.p, "Content-Length: ");
	forget(&a);
}
END_TEST

/* Tried on a connected socket, and not by the function under test. */
static bool may_ask_tcp(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	struct tcp_info info;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	int c = socket(AF_INET, SOCK_STREAM, 0), rc;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert(s >= 0 && c >= 0);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(s, 1), 0);
	ck_assert_int_eq(getsockname(s, (struct sockaddr *)&at, &len), 0);
	ck_assert_int_eq(connect(c, (struct sockaddr *)&at, len), 0);
	len = sizeof(info);
	rc = getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len);
	close(c);
	close(s);
	return rc == 0;
}

START_TEST(status_counts)
{
	struct answer a;

	some_requests(100);
	ask(&a, "GET", "/status");
	has(a.body.p, "\"begun\": 100,");
	has(a.body.p, "\"finished\": 100,");
	has(a.body.p, "\"spans\": 100,");
	has(a.body.p, "\"open_requests\": 0,");
	has(a.body.p, "\"on\": true");
	has(a.body.p, "\"why_not\": null");
	has(a.body.p, "\"last_error\": null");
	has(a.body.p, "\"mhd_version\": \"");
	has(a.body.p, tailbox__ability_mhd_linked()[1] == 'h'
	                      ? "\"mhd_linked\": \"shared\""
	                      : "\"mhd_linked\": \"static\"");
	has(a.body.p, may_ask_tcp() ? "\"tcp_info\": true"
	                            : "\"tcp_info\": false");
	has(a.body.p, tailbox__recorder.has_membarrier
	                      ? "\"membarrier\": true"
	                      : "\"membarrier\": false");
	forget(&a);
	/* Losses are the first line. */
	ask(&a, "GET", "/status?format=text");
	ck_assert_int_eq(strncmp(a.body.p, "lost ", 5), 0);
	forget(&a);
}
END_TEST

/* --- errors ------------------------------------------------------------ */

static const struct {
	const char *method, *target;
	long status;
	const char *error, *header;
} errors[] = {
	{ "GET", "/nothing", 404, "not_found", NULL },
	{ "GET", "/status/", 404, "not_found", NULL },
	{ "GET", "//status", 404, "not_found", NULL },
	{ "GET", "/artifacts/", 404, "not_found", NULL },
	{ "POST", "/", 405, "method_not_allowed",
	  "Allow: GET, HEAD\r" },
	{ "POST", "/status", 405, "method_not_allowed",
	  "Allow: GET, HEAD\r" },
	{ "GET", "/arm", 405, "method_not_allowed", "Allow: POST\r" },
	{ "OPTIONS", "/disarm", 405, "method_not_allowed",
	  "Allow: POST\r" },
	{ "PUT", "/artifacts/1", 405, "method_not_allowed",
	  "Allow: GET, HEAD, POST, DELETE\r" },
	{ "DELETE", "/artifacts", 405, "method_not_allowed",
	  "Allow: GET, HEAD\r" },
	{ "GET", "/artifacts/99", 404, "not_found", NULL },
	{ "GET", "/artifacts/99.tailbox", 404, "not_found", NULL },
	{ "DELETE", "/artifacts/99", 404, "not_found", NULL },
	{ "GET", "/artifacts/a%2fb", 400, "bad_id", NULL },
	{ "GET", "/artifacts/../x", 400, "bad_id", NULL },
	{ "GET", "/artifacts/%c3%a9", 400, "bad_id", NULL },
	{ "GET", "/status?x=1", 400, "bad_parameter", NULL },
	{ "GET", "/status?format=xml", 400, "bad_parameter", NULL },
	{ "GET", "/status?format=json&format=json", 400,
	  "bad_parameter", NULL },
	{ "GET", "/status?mode=light", 400, "bad_parameter", NULL },
	{ "GET", "/status?format=json%00x", 400, "bad_parameter",
	  NULL },
	{ "POST", "/disarm?mode=light", 400, "bad_parameter", NULL },
	{ "POST", "/arm?mode=heavy", 400, "bad_parameter", NULL },
	{ "POST", "/arm?mode=light&mode=light", 400, "bad_parameter",
	  NULL },
	{ "POST", "/arm?mode", 400, "bad_parameter", NULL },
	{ "POST", "/arm?duration=30", 400, "bad_parameter", NULL },
	{ "POST", "/arm?duration=0s", 400, "bad_parameter", NULL },
	{ "POST", "/arm?duration=25h", 400, "bad_parameter", NULL },
	{ "POST", "/arm?max_requests=-1", 400, "bad_parameter", NULL },
	{ "POST", "/arm?max_stages=10000001", 400, "bad_parameter",
	  NULL },
	{ "POST", "/arm?max_queues=x", 400, "bad_parameter", NULL },
	{ "POST", "/arm?policy=stop", 400, "bad_parameter", NULL },
	{ "POST", "/arm?strict=2", 400, "bad_parameter", NULL },
	{ "POST", "/arm?sample_interval=9ms", 400, "bad_parameter",
	  NULL },
	{ "POST", "/arm?sample_interval=61s", 400, "bad_parameter",
	  NULL },
	{ "POST", "/arm?note=a%0ab", 400, "bad_parameter", NULL },
	{ "POST", "/arm?note=%ff", 400, "bad_parameter", NULL },
	{ "POST", "/arm?dwration=1s", 400, "bad_parameter", NULL },
};

START_TEST(errors_have_their_status)
{
	char want[64], target[128];
	struct answer a;

	ask(&a, errors[_i].method, errors[_i].target);
	ck_assert_msg(a.status == errors[_i].status, "%s: %ld",
	              errors[_i].target, a.status);
	snprintf(want, sizeof(want), "\"error\": \"%s\"", errors[_i].error);
	has(a.body.p, want);
	has(a.body.p, "\"detail\": \"");
	if (errors[_i].header != NULL)
		has(a.head.p, errors[_i].header);
	forget(&a);
	/* The same as a line of text. */
	if (strstr(errors[_i].target, "format") == NULL) {
		snprintf(target, sizeof(target), "%s%cformat=text",
		         errors[_i].target,
		         strchr(errors[_i].target, '?') ? '&' : '?');
		ask(&a, errors[_i].method, target);
		ck_assert_int_eq(a.status, errors[_i].status);
		snprintf(want, sizeof(want), "%s: ", errors[_i].error);
		ck_assert_int_eq(strncmp(a.body.p, want, strlen(want)), 0);
		ck_assert_ptr_eq(strchr(a.body.p, '\n'),
		                 a.body.p + a.body.n - 1);
		has(a.head.p, "Content-Type: text/plain");
		forget(&a);
	}
	/* Nothing was armed by any of it. */
	expect("GET", "/status", 200, "\"state\": \"disabled\"");
}
END_TEST

START_TEST(long_values_are_refused)
{
	char target[512] = "/arm?note=";
	size_t n = strlen(target);

	memset(target + n, 'n', 256);
	expect("POST", target, 400, "parameter note takes");
	target[n + 255] = '\0';
	expect("POST", target, 200, "armed");
}
END_TEST

START_TEST(bodies_are_not_taken)
{
	static char body[5000];
	struct answer a;
	struct bytes b;
	int fd;

	memset(body, 'x', sizeof(body));
	ask_with(&a, "POST", "/arm", NULL, body, sizeof(body));
	ck_assert_int_eq(a.status, 413);
	has(a.body.p, "\"error\": \"body_too_large\"");
	forget(&a);
	/* At the limit it is read, and still no place for parameters. */
	ask_with(&a, "POST", "/arm", NULL, body, 4096);
	ck_assert_int_eq(a.status, 400);
	has(a.body.p, "\"error\": \"unexpected_body\"");
	forget(&a);
	ask_with(&a, "POST", "/arm", NULL, "duration=1s", 11);
	ck_assert_int_eq(a.status, 400);
	forget(&a);
	/* One that does not say its size. */
	fd = dial();
	say(fd, "POST /arm HTTP/1.1\r\nHost: x\r\n"
	        "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 5; i++) {
		say(fd, "400\r\n");
		ck_assert_int_eq(send(fd, body, 1024, MSG_NOSIGNAL), 1024);
		say(fd, "\r\n");
	}
	say(fd, "0\r\n\r\n");
	b = hear(fd);
	has(b.p, "HTTP/1.1 413 ");
	free(b.p);
	/* One that does, and sends it all before it listens. */
	fd = dial();
	say(fd, "POST /arm HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	        "Content-Length: 1000000\r\n\r\n");
	for (size_t i = 0; i < 1000000 / sizeof(body); i++)
		ck_assert_int_eq(send(fd, body, sizeof(body), MSG_NOSIGNAL),
		                 sizeof(body));
	b = hear(fd);
	has(b.p, "HTTP/1.1 413 ");
	free(b.p);
	expect("GET", "/status", 200, "\"state\": \"disabled\"");
	expect("POST", "/arm", 200, "armed");
}
END_TEST

START_TEST(garbage_does_no_harm)
{
	static const char *const texts[] = {
		"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\xff\xfe",
		"GET /status HTTP/1.1\r\n\r\n",
		"POST /arm HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		("POST /arm HTTP/1.1\r\nHost: x\r\nContent-Length: "
		 "99999999999999999999999\r\n\r\n"),
	};
	static char big[100000];
	int fd;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fd = dial();
		say(fd, texts[i]);
		shutdown(fd, SHUT_WR);
		free(hear(fd).p);
	}
	memset(big, 'a', sizeof(big) - 1);
	memcpy(big, "GET /", 5);
	fd = dial();
	(void)!send(fd, big, sizeof(big), MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	free(hear(fd).p);
	expect("GET", "/status", 200, "\"state\": \"disabled\"");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin");
	TCase *t = tcase_create("http");

	tcase_add_checked_fixture(t, start_recorder, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, index_can_be_pasted);
	tcase_add_test(t, health_is_ok);
	tcase_add_loop_test(t, every_get_has_json_text_and_head, 0, 4);
	tcase_add_test(t, status_counts);
	tcase_add_loop_test(t, errors_have_their_status, 0,
	                    sizeof(errors) / sizeof(errors[0]));
	tcase_add_test(t, long_values_are_refused);
	tcase_add_test(t, bodies_are_not_taken);
	tcase_add_test(t, garbage_does_no_harm);
	suite_add_tcase(s, t);
	return run_suite(s);
}
