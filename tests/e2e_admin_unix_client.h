/* tests/e2e_admin_unix_client.h - the admin server on its Unix socket, asked by
 * libcurl or byte by byte, and windows that are armed there.
 *
 * SPDX-License-Identifier: MIT
 *
 * Windows hold requests made through core: what a daemon records has tests of
 * its own.
 */
#ifndef TAILBOX_TESTS_E2E_ADMIN_UNIX_CLIENT_H
#define TAILBOX_TESTS_E2E_ADMIN_UNIX_CLIENT_H 1

#include <stdbool.h>

#include <curl/curl.h>

#include "tests/e2e_admin_service.h"

struct answer {
	long status;
	struct bytes head, body;
	CURLcode rc;
};

static inline size_t collect(char *data, size_t size, size_t n, void *cls)
{
	append(cls, data, size * n);
	return size * n;
}

static inline void forget(struct answer *a)
{
	free(a->head.p);
	free(a->body.p);
	memset(a, 0, sizeof(*a));
}

/* body: NULL = none. header: NULL, or one line. Not decompressed. */
static inline void ask_with(struct answer *a, const char *method,
                            const char *target, const char *header,
                            const char *body, size_t len)
{
	CURL *c = curl_easy_init();
	struct curl_slist *list = NULL;
	char url[2048];

	memset(a, 0, sizeof(*a));
	append(&a->head, "", 0);
	append(&a->body, "", 0);
	snprintf(url, sizeof(url), "http://localhost%s", target);
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, tailbox__admin_path());
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &a->body);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &a->head);
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, "POST") == 0 || body != NULL) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, body ? body : "");
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)len);
	}
	if (strcmp(method, "HEAD") != 0 && strcmp(method, "GET") != 0)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	if (header != NULL)
		list = curl_slist_append(list, header);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	a->rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
	curl_slist_free_all(list);
	curl_easy_cleanup(c);
}

static inline void ask(struct answer *a, const char *method, const char *target)
{
	ask_with(a, method, target, NULL, NULL, 0);
	ck_assert_msg(a->rc == CURLE_OK, "%s %s: %s", method, target,
	              curl_easy_strerror(a->rc));
}

#define has(text, what)                                                        \
	ck_assert_msg(strstr(text, what) != NULL, "no %s in: %s", what, text)
#define has_not(text, what)                                                    \
	ck_assert_msg(strstr(text, what) == NULL, "%s in: %s", what, text)

/* Ask, look at status and one text of the body. */
static inline void expect(const char *method, const char *target, long status,
                          const char *what)
{
	struct answer a;

	ask(&a, method, target);
	ck_assert_msg(a.status == status, "%s %s: %ld, not %ld: %s", method,
	              target, a.status, status, a.body.p);
	has(a.body.p, what);
	forget(&a);
}

static inline int dial(void)
{
	int fd = dial_unix();

	ck_assert_int_ge(fd, 0);
	return fd;
}

static inline void say(int fd, const char *text)
{
	size_t n = strlen(text);

	ck_assert_int_eq(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* --- windows ----------------------------------------------------------- */

static inline void some_requests(int n)
{
	for (int i = 0; i < n; i++) {
		tailbox_request r = tailbox_request_begin(
		        i % 3 ? "/items/{id}" : "/cart", "http");
		TAILBOX_STAGE(r, "db_query") {
			tailbox_request_tag(r, "shard", i % 2 ? "a" : "b");
		}
		tailbox_request_finish(r, i % 10 ? "ok" : "error");
	}
}

static inline void wait_for_artifact(const char *target)
{
	for (int i = 0; i < 5000; i++) {
		struct answer a;
		long status;
		ask(&a, "HEAD", target);
		status = a.status;
		forget(&a);
		if (status == 200)
			return;
		ck_assert_int_eq(status, 404);
		moment();
	}
	ck_abort_msg("%s did not come", target);
}

/* The artifact is there a moment before its window is over. */
static inline void wait_until_disabled(void)
{
	for (int i = 0; i < 5000; i++) {
		struct answer a;
		bool is_over;
		ask(&a, "GET", "/status");
		is_over = strstr(a.body.p, "\"state\": \"disabled\"") != NULL;
		forget(&a);
		if (is_over)
			return;
		moment();
	}
	ck_abort_msg("the window did not end");
}

static inline void capture(int n, const char *target)
{
	expect("POST", "/arm", 200, "\"state\": \"armed\"");
	some_requests(n);
	expect("POST", "/disarm", 200, "\"result\": \"");
	wait_for_artifact(target);
	wait_until_disabled();
}

/* --- the suites -------------------------------------------------------- */

static inline int run_suite(Suite *s)
{
	SRunner *r;
	int failed;

	curl_global_init(CURL_GLOBAL_ALL);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	curl_global_cleanup();
	return failed != 0;
}

#endif
