/* tests/e2e_admin_mount.c - the admin server's calls below a prefix of the
 * application's own daemon.
 *
 * SPDX-License-Identifier: MIT
 *
 * A disk that hangs is a lock that the test holds: each job takes the
 * controller's on its way to the folder.
 */
#include "tests/e2e_admin_tcp_client.h"

#include <tailbox/admin.h>
#include <tailbox/mhd.h>

#include "controller/internal.h"
#include "core/artifact.h"

static struct MHD_Daemon *daemon_of_app;
static uint16_t app_port;

static enum MHD_Result app(void *cls, struct MHD_Connection *c, const char *url,
                           const char *method, const char *version,
                           const char *data, size_t *size, void **req_cls)
{
	static char text[] = "hello";
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)cls, (void)version, (void)data;
	if (strncmp(url, "/ops", 4) == 0)
		return tailbox_admin_handle(c, "/ops", 0, url, method);
	if (strncmp(url, "/open", 5) == 0)
		return tailbox_admin_handle(c, "/open", TAILBOX_ADMIN_TRUSTED,
		                            url, method);
	if (*req_cls == NULL) {
		*req_cls = text;
		return MHD_YES;
	}
	*size = 0;
	r = MHD_create_response_from_buffer(strlen(text), text,
	                                    MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return rc;
}

/* What it gets is what it has put there, and nothing of ours. */
static void completed(void *cls, struct MHD_Connection *c, void **req_cls,
                      enum MHD_RequestTerminationCode why)
{
	(void)cls, (void)c, (void)why;
	if (*req_cls != NULL && strcmp(*req_cls, "hello") != 0)
		abort();
}

static void start_app(unsigned flags)
{
	const union MHD_DaemonInfo *info;

	daemon_of_app = tailbox_mhd_start_daemon(
	        flags, 0, NULL, NULL, app, NULL, MHD_OPTION_NOTIFY_COMPLETED,
	        completed, NULL, MHD_OPTION_END);
	ck_assert_ptr_nonnull(daemon_of_app);
	info = MHD_get_daemon_info(daemon_of_app, MHD_DAEMON_INFO_BIND_PORT);
	ck_assert_ptr_nonnull(info);
	app_port = info->port;
}

static const unsigned modes[] = {
	MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD,
	MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD,
	MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD |
	        MHD_USE_THREAD_PER_CONNECTION,
	MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD |
	        MHD_ALLOW_SUSPEND_RESUME,
};

static void start_all(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	start_recorder();
	ck_assert_int_eq(start_tcp(NULL, TOKEN, &err), 0);
}

static void stop_all(void)
{
	tailbox_mhd_stop_daemon(daemon_of_app), daemon_of_app = NULL;
	stop();
}

static void want(const char *method, const char *target, const char *headers,
                 long status_wanted, const char *what)
{
	struct bytes b = ask_port(app_port, method, target, headers, NULL);

	ck_assert_msg(status_of(&b) == status_wanted, "%s %s: not %ld: %s",
	              method, target, status_wanted, b.p);
	ck_assert_msg(strstr(b.p, what) != NULL, "%s %s: no %s in %s", method,
	              target, what, b.p);
	free(b.p);
}

/* Until it is no longer said to be under way. */
static struct bytes patiently(const char *method, const char *target,
                              const char *headers)
{
	for (int i = 0; i < 5000; i++) {
		struct bytes b = ask_port(app_port, method, target, headers,
		                          NULL);
		if (strstr(b.p, "under_way") == NULL &&
		    strstr(b.p, "\"not_ready\"") == NULL)
			return b;
		free(b.p);
		moment();
	}
	ck_abort_msg("%s %s did not end", method, target);
	return (struct bytes){ NULL, 0 };
}

static void want_later(const char *method, const char *target,
                       const char *headers, long wanted, const char *what)
{
	struct bytes b = patiently(method, target, headers);

	ck_assert_msg(status_of(&b) == wanted, "%s %s: not %ld: %s", method,
	              target, wanted, b.p);
	ck_assert_msg(strstr(b.p, what) != NULL, "%s %s: no %s in %s", method,
	              target, what, b.p);
	free(b.p);
}

/* What changes something goes on by itself when it takes long: asked once. */
static void begun(const char *method, const char *target, const char *headers)
{
	struct bytes b = ask_port(app_port, method, target, headers, NULL);

	ck_assert_msg(status_of(&b) == 200 || status_of(&b) == 202,
	              "%s %s: %s", method, target, b.p);
	free(b.p);
}

/* Wait for a state of the window. */
static void wait_for(const char *state)
{
	for (int i = 0;; i++) {
		struct bytes b = ask_port(app_port, "GET", "/ops/status",
		                          BEARER, NULL);
		bool is = strstr(b.p, state) != NULL;
		free(b.p);
		if (is)
			return;
		ck_assert_int_lt(i, 5000);
		moment();
	}
}

START_TEST(token_is_asked_for_unless_trusted)
{
	char cookie[256] = "Cookie: ";
	struct bytes b;
	const char *p;

	start_app(modes[_i]);
	want("GET", "/ops/status", "", 401, "WWW-Authenticate: Bearer");
	want("GET", "/ops/status", "Authorization: Bearer wrong-wrong\r\n",
	     401, "unauthorized");
	want("GET", "/ops/status", BEARER, 200, "\"service\": \"shop\"");
	want("GET", "/ops", BEARER, 200, "http://127.0.0.1:");
	want("GET", "/ops/", BEARER, 200, "/ops/status?format=text");
	want("GET", "/ops/healthz", "", 200, "ok\n");
	want("GET", "/opsstatus", BEARER, 404, "not_found");
	want("GET", "/ops/nothing", BEARER, 404, "not_found");
	want("BREW", "/ops/status", BEARER, 405, "Allow: GET");
	want("GET", "/ops/status?x=1", BEARER, 400, "bad_parameter");
	want("GET", "/ops/requests?format=text", BEARER, 200, "open");
	want("GET", "/ops/workers", BEARER, 200, "workers");
	want("POST", "/ops/disarm", BEARER "Origin: http://evil.example\r\n",
	     403, "cross_origin");
	/* By a session, whose cookie is for the prefix only. */
	b = ask_port(app_port, "POST", "/ops/session", BEARER, NULL);
	ck_assert_int_eq(status_of(&b), 200);
	ck_assert_ptr_nonnull(strstr(b.p, "Path=/ops;"));
	p = strstr(b.p, "tailbox_session=");
	snprintf(cookie, sizeof(cookie), "Cookie: %.*s\r\n",
	         (int)strcspn(p, ";"), p);
	free(b.p);
	want("GET", "/ops/status", cookie, 200, "\"service\"");
	want("DELETE", "/ops/session", cookie, 200, "logged_out");
	want("GET", "/ops/status", cookie, 401, "");
	/* The application's own word. */
	want("GET", "/open/status", "", 200, "\"service\"");
	want("POST", "/open/disarm", "Origin: http://evil.example\r\n", 403,
	     "cross_origin");
	want("POST", "/open/session", "", 404, "no_sessions");
	want("GET", "/hello", "", 200, "hello");
	/* A body is not taken; the answer does not wait for it. */
	b = ask_port(app_port, "POST", "/ops/arm", BEARER, "duration=1s");
	ck_assert_msg(status_of(&b) == 400, "%s", b.p);
	free(b.p);
}
END_TEST

START_TEST(guessing_ends_in_429)
{
	const char *wrong = "Authorization: Bearer wrong-wrong-wrong\r\n";

	start_app(modes[0]);
	for (unsigned i = 0; i < TAILBOX__WRONG_MAX; i++)
		want("GET", "/ops/status", wrong, 401, "");
	want("GET", "/ops/status", wrong, 429, "Retry-After: 1");
	want("GET", "/ops/status", BEARER, 200, "\"service\"");
}
END_TEST

/* Requests that a native artifact holds; none of a route that begins with
 * `never`. It may be named all the same: as what held a worker. */
static uint64_t requests_of(const struct bytes *b, const char *never)
{
	const char *body = strstr(b->p, "\r\n\r\n") + 4;
	size_t n = b->n - (size_t)(body - b->p);
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	FILE *f = tmpfile();
	struct tailbox__run *run;
	uint64_t count;
	int rc;

	ck_assert_uint_eq(fwrite(body, 1, n, f), n);
	rewind(f);
	rc = tailbox__artifact_read(fileno(f), &run, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	count = run->requests.count;
	for (size_t i = 0; i < count; i++) {
		const char *route = tailbox__run_text(
		        run, run->requests.items[i].route, NULL);
		ck_assert_msg(strncmp(route, never, strlen(never)) != 0, "%s",
		              route);
	}
	tailbox__run_destroy(run);
	fclose(f);
	return count;
}

START_TEST(its_requests_are_not_recorded)
{
	struct bytes a, b;
	char etag[64], headers[256];
	const char *p;

	start_app(modes[_i]);
	begun("POST", "/ops/arm", BEARER);
	wait_for("\"state\": \"active\"");
	for (int i = 0; i < 10; i++) {
		want("GET", "/hello", "", 200, "hello");
		want("GET", "/ops/status", BEARER, 200, "\"service\"");
		want("GET", "/ops/status", "", 401, "");
		want("GET", "/open/nothing", "", 404, "");
		want_later("GET", "/ops/artifacts", BEARER, 200, "folder");
	}
	begun("POST", "/ops/disarm", BEARER);
	wait_for("\"state\": \"disabled\"");
	a = patiently("GET", "/ops/artifacts/1.tailbox", BEARER);
	ck_assert_msg(status_of(&a) == 200, "%s", a.p);
	ck_assert_uint_eq(requests_of(&a, "/ops"), 10);
	/* The same bytes as by the socket; and a part of them. */
	b = ask_port(0, "GET", "/artifacts/1.tailbox", "", NULL);
	p = strstr(a.p, "\r\n\r\n");
	ck_assert_uint_eq(a.n - (size_t)(p - a.p),
	                  b.n - (size_t)(strstr(b.p, "\r\n\r\n") - b.p));
	ck_assert_int_eq(memcmp(p, strstr(b.p, "\r\n\r\n"),
	                        a.n - (size_t)(p - a.p)), 0);
	free(b.p);
	b = patiently("GET", "/ops/artifacts/1.tailbox",
	              BEARER "Range: bytes=100-199\r\n");
	ck_assert_int_eq(status_of(&b), 206);
	ck_assert_int_eq(memcmp(strstr(b.p, "\r\n\r\n") + 4, p + 4 + 100, 100),
	                 0);
	free(b.p);
	p = strstr(a.p, "ETag: ") + 6;
	snprintf(etag, sizeof(etag), "%.*s", (int)strcspn(p, "\r\n"), p);
	snprintf(headers, sizeof(headers), BEARER "If-None-Match: %s\r\n",
	         etag);
	want_later("GET", "/ops/artifacts/1.tailbox", headers, 304, "");
	free(a.p);
	/* As JSON, twice at a time. */
	a = patiently("GET", "/ops/artifacts/1", BEARER);
	b = patiently("GET", "/ops/artifacts/1", BEARER);
	ck_assert_int_eq(status_of(&a), 200);
	ck_assert_ptr_nonnull(strstr(a.p, "\"schema_version\": 2"));
	ck_assert_str_eq(strstr(a.p, "\r\n\r\n"), strstr(b.p, "\r\n\r\n"));
	free(a.p);
	free(b.p);
	begun("DELETE", "/ops/artifacts/1", BEARER);
	for (int i = 0;; i++) {
		b = patiently("GET", "/ops/artifacts/1", BEARER);
		if (status_of(&b) == 404)
			break;
		ck_assert_int_lt(i, 5000);
		free(b.p);
		moment();
	}
	free(b.p);
}
END_TEST

START_TEST(disk_that_hangs_holds_no_worker)
{
	static const char *const targets[] = {
		"/ops/artifacts", "/ops/artifacts?format=text",
		"/ops/artifacts/1", "/ops/artifacts/2",
	};
	struct bytes b;

	start_app(modes[_i]);
	tailbox__lock();
	/* A worker has one thread: if it waited, nothing would answer. */
	for (int i = 0; i < 4; i++)
		want("GET", targets[i], BEARER, 503, "under_way");
	want("GET", targets[0], BEARER, 503, "Retry-After: 1"); /* joined */
	want("GET", "/ops/artifacts/3", BEARER, 503, "\"busy\"");
	want("POST", "/ops/arm", BEARER, 503, "\"busy\"");
	for (int i = 0; i < 20; i++)
		want("GET", "/hello", "", 200, "hello");
	want("GET", "/ops/healthz", BEARER, 200, "ok");
	tailbox__unlock();
	want_later("GET", targets[0], BEARER, 200, "\"folder\"");
	want_later("GET", targets[1], BEARER, 200, "0 in ");
	want_later("GET", targets[2], BEARER, 404, "not_found");
	want_later("GET", targets[3], BEARER, 404, "not_found");
	/* Of the calls before, one that was asked for again may still run. */
	for (bool is_busy = true; is_busy; free(b.p)) {
		tailbox__lock();
		b = ask_port(app_port, "POST", "/ops/arm", BEARER, NULL);
		tailbox__unlock();
		is_busy = strstr(b.p, "\"busy\"") != NULL;
		ck_assert_msg(is_busy || status_of(&b) == 202, "%s", b.p);
	}
	/* It goes on to its end, unasked. */
	wait_for("\"state\": \"active\"");
}
END_TEST

START_TEST(stop_waits_for_jobs_and_answers_go_on)
{
	start_app(modes[0]);
	tailbox__lock();
	want("GET", "/ops/artifacts", BEARER, 503, "under_way");
	tailbox__unlock();
	/* Its result is kept for who asks again; nobody does. */
	tailbox_stop();
	want("GET", "/ops/status", BEARER, 503, "not_started");
	want("GET", "/open/status", "", 503, "not_started");
	want("GET", "/hello", "", 200, "hello");
}
END_TEST

START_TEST(without_a_token_only_who_is_trusted)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	ck_assert_int_eq(start_tcp(NULL, NULL, &err), 0);
	start_app(modes[0]);
	want("GET", "/ops/status", "", 503, "no_token");
	want("GET", "/ops/status", "Authorization: Bearer \r\n", 503,
	     "no_token");
	want("GET", "/open/status", "", 200, "\"service\"");
}
END_TEST

START_TEST(nothing_given_is_no_crash)
{
	ck_assert_int_eq(tailbox_admin_handle(NULL, "/x", 0, "/x", "GET"),
	                 MHD_NO);
}
END_TEST

int main(void)
{
	const int mode_count = sizeof(modes) / sizeof(modes[0]);
	Suite *s = suite_create("admin_mount");
	TCase *t = tcase_create("mount"), *bare = tcase_create("no token");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, start_all, stop_all);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, token_is_asked_for_unless_trusted, 0,
	                    mode_count);
	tcase_add_test(t, guessing_ends_in_429);
	tcase_add_loop_test(t, its_requests_are_not_recorded, 0, mode_count);
	tcase_add_loop_test(t, disk_that_hangs_holds_no_worker, 0, 2);
	tcase_add_test(t, stop_waits_for_jobs_and_answers_go_on);
	tcase_add_test(t, nothing_given_is_no_crash);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(bare, start_recorder, stop_all);
	tcase_add_test(bare, without_a_token_only_who_is_trusted);
	suite_add_tcase(s, bare);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
