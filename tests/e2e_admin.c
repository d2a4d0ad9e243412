/* tests/e2e_admin.c - the admin server as its clients see it: libcurl over the
 * Unix socket, raw sockets for clients that misbehave.
 *
 * SPDX-License-Identifier: MIT
 *
 * Windows hold requests made through core: what a daemon records has tests of
 * its own. The one wrapped daemon here is there to get stuck.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <curl/curl.h>

#include <tailbox.h>
#include <tailbox/mhd.h>

#include "controller/abilities.h"
#include "controller/admin.h"
#include "controller/admin_internal.h"
#include "core/alloc.h"
#include "core/artifact.h"
#include "core/recorder.h"
#include "core/run_json.h"
#include "core/validate.h"

static char folder[64];

static void start(void)
{
	snprintf(folder, sizeof(folder), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	unsetenv("TAILBOX");
	unsetenv("TAILBOX_ARTIFACTS");
	unsetenv("STATE_DIRECTORY");
	setenv("TAILBOX_DIR", folder, 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void stop(void)
{
	tailbox_stop();
	unsetenv("TAILBOX_DIR");
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Between two looks of something that is waited for. */
static void moment(void)
{
	struct timespec ts = { 0, 2000000 };

	nanosleep(&ts, NULL);
}

/* --- a client ---------------------------------------------------------- */

struct bytes {
	char *p; /* with a NUL behind */
	size_t n;
};

struct answer {
	long status;
	struct bytes head, body;
	CURLcode rc;
};

static size_t append(char *data, size_t size, size_t n, void *cls)
{
	struct bytes *b = cls;

	b->p = realloc(b->p, b->n + size * n + 1);
	memcpy(b->p + b->n, data, size * n);
	b->n += size * n;
	b->p[b->n] = '\0';
	return size * n;
}

static void forget(struct answer *a)
{
	free(a->head.p);
	free(a->body.p);
	memset(a, 0, sizeof(*a));
}

/* body: NULL = none. header: NULL, or one line. Not decompressed. */
static void ask_with(struct answer *a, const char *method, const char *target,
                     const char *header, const char *body, size_t len)
{
	CURL *c = curl_easy_init();
	struct curl_slist *list = NULL;
	char url[2048];

	memset(a, 0, sizeof(*a));
	append((char[]){ "" }, 1, 0, &a->head);
	append((char[]){ "" }, 1, 0, &a->body);
	snprintf(url, sizeof(url), "http://localhost%s", target);
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, tailbox__admin_path());
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, append);
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

static void ask(struct answer *a, const char *method, const char *target)
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
static void expect(const char *method, const char *target, long status,
                   const char *what)
{
	struct answer a;

	ask(&a, method, target);
	ck_assert_msg(a.status == status, "%s %s: %ld, not %ld: %s", method,
	              target, a.status, status, a.body.p);
	has(a.body.p, what);
	forget(&a);
}

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", tailbox__admin_path());
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	size_t n = strlen(text);

	ck_assert_int_eq(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* All that comes until the end. */
static struct bytes hear(int fd)
{
	struct bytes b = { NULL, 0 };
	char buf[65536];
	ssize_t n;

	append(buf, 1, 0, &b);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		append(buf, 1, (size_t)n, &b);
	close(fd);
	return b;
}

/* --- windows ----------------------------------------------------------- */

static void some_requests(int n)
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

static void wait_for_artifact(const char *target)
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
static void wait_until_disabled(void)
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

static void capture(int n, const char *target)
{
	expect("POST", "/arm", 200, "\"state\": \"armed\"");
	some_requests(n);
	expect("POST", "/disarm", 200, "\"result\": \"");
	wait_for_artifact(target);
	wait_until_disabled();
}

/* Where artifact 1 lies. */
static void path_of_first(char *path, size_t size)
{
	struct answer a;
	char name[256];

	ask(&a, "HEAD", "/artifacts/1.tailbox");
	ck_assert_int_eq(sscanf(strstr(a.head.p, "filename=\""),
	                        "filename=\"%255[^\"]\"", name), 1);
	forget(&a);
	snprintf(path, size, "%s/artifacts/%s", folder, name);
}

/* What the native form of it is as Run JSON: made by the same writer, but
 * neither through HTTP nor through the stream. */
static struct bytes as_json(const struct bytes *native, size_t *requests)
{
	int fd = memfd_create("native", MFD_CLOEXEC);
	int out = memfd_create("json", MFD_CLOEXEC);
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run;
	int rc;

	ck_assert_int_eq(write(fd, native->p, native->n), (ssize_t)native->n);
	lseek(fd, 0, SEEK_SET);
	rc = tailbox__artifact_read(fd, &run, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	*requests = run->requests.count;
	ck_assert_int_eq(tailbox__run_json_write(run, out), 0);
	tailbox__run_destroy(run);
	lseek(out, 0, SEEK_SET);
	close(fd);
	return hear(out);
}

static struct bytes gunzip(const struct bytes *in)
{
	struct bytes out = { NULL, 0 };
	char buf[65536];
	z_stream z;
	int rc;

	memset(&z, 0, sizeof(z));
	ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)in->p;
	z.avail_in = (uInt)in->n;
	do {
		z.next_out = (Bytef *)buf;
		z.avail_out = sizeof(buf);
		rc = inflate(&z, Z_NO_FLUSH);
		ck_assert(rc == Z_OK || rc == Z_STREAM_END);
		append(buf, 1, sizeof(buf) - z.avail_out, &out);
	} while (rc != Z_STREAM_END);
	ck_assert_uint_eq(z.avail_in, 0);
	inflateEnd(&z);
	return out;
}

static void same(const struct bytes *a, const struct bytes *b)
{
	ck_assert_uint_eq(a->n, b->n);
	ck_assert_int_eq(memcmp(a->p, b->p, a->n), 0);
}

/* The value of a header, quotes and all. */
static void header_of(const struct answer *a, const char *name, char *to,
                      size_t room)
{
	const char *p = strstr(a->head.p, name);

	ck_assert_msg(p != NULL, "no %s in %s", name, a->head.p);
	p += strlen(name) + 2;
	snprintf(to, room, "%.*s", (int)strcspn(p, "\r\n"), p);
}

/* --- parsing (white box) ----------------------------------------------- */

START_TEST(accept_encoding_is_weighed)
{
	static const struct {
		const char *header;
		bool is_gzip;
	} rows[] = {
		{ NULL, false },
		{ "", false },
		{ "gzip", true },
		{ "GZIP", true },
		{ "x-gzip", true },
		{ "deflate, gzip, br", true },
		{ "deflate,br", false },
		{ "gzip;q=0", false },
		{ "gzip; q=0.0", false },
		{ "gzip ; q = 0.001", true },
		{ "gzip;q=0.5, identity", false },
		{ "gzip;q=0.5, identity;q=0.4", true },
		{ "identity;q=1, gzip;q=1", true },
		{ "*", true },
		{ "*;q=0", false },
		{ "gzip;q=0, *", false },
		{ "gzip;q=x", false },
		{ "gzipped", false },
		{ ",,;;q=1,", false },
		{ "gzip;foo=1;q=0", false },
	};
	ck_assert_msg(tailbox__admin_wants_gzip(rows[_i].header) ==
	                      rows[_i].is_gzip,
	              "%s", rows[_i].header);
}
END_TEST

START_TEST(if_none_match_is_a_list)
{
	static const struct {
		const char *header;
		bool has;
	} rows[] = {
		{ NULL, false },
		{ "", false },
		{ "\"a\"", true },
		{ "W/\"a\"", true },
		{ "*", true },
		{ "\"b\", \"a\"", true },
		{ "\"b\",W/\"a\"", true },
		{ "\"b,\"a\"", false },
		{ "\"x, \"a\"\"", false },
		{ "a", false },
		{ "\"ab\"", false },
		{ "\"", false },
		{ "b, \"a\"", true },
	};
	ck_assert_msg(tailbox__admin_has_tag(rows[_i].header, "\"a\"") ==
	                      rows[_i].has,
	              "%s", rows[_i].header);
}
END_TEST

START_TEST(numbers_have_limits)
{
	uint64_t v = 0;

	ck_assert(tailbox__admin_count("0", 0, 5, &v) && v == 0);
	ck_assert(tailbox__admin_count("5", 0, 5, &v) && v == 5);
	ck_assert(!tailbox__admin_count("6", 0, 5, &v));
	ck_assert(!tailbox__admin_count("1", 2, 5, &v));
	ck_assert(!tailbox__admin_count("", 0, 5, &v));
	ck_assert(!tailbox__admin_count("-1", 0, 5, &v));
	ck_assert(!tailbox__admin_count("+1", 0, 5, &v));
	ck_assert(!tailbox__admin_count("1 ", 0, 5, &v));
	ck_assert(!tailbox__admin_count("0x1", 0, 5, &v));
	ck_assert(!tailbox__admin_count("99999999999999999999", 0, UINT64_MAX,
	                                &v));
	ck_assert(tailbox__admin_duration("500ms", 1, 1000, &v) && v == 500);
	ck_assert(tailbox__admin_duration("1s", 1, 1000, &v) && v == 1000);
	ck_assert(tailbox__admin_duration("2m", 1, 120000, &v) && v == 120000);
	ck_assert(tailbox__admin_duration("1h", 1, 3600000, &v));
	ck_assert(!tailbox__admin_duration("1001ms", 1, 1000, &v));
	ck_assert(!tailbox__admin_duration("2s", 1, 1000, &v));
	ck_assert(!tailbox__admin_duration("0s", 1, 1000, &v));
	ck_assert(!tailbox__admin_duration("9223372036854775807h", 1,
	                                   UINT64_MAX, &v));
	ck_assert(!tailbox__admin_duration("1", 1, 1000, &v));
	ck_assert(!tailbox__admin_duration("s", 1, 1000, &v));
	ck_assert(!tailbox__admin_duration("1.5s", 1, 5000, &v));
	ck_assert(!tailbox__admin_duration("1sec", 1, 5000, &v));
}
END_TEST

START_TEST(ranges_are_cut_to_the_file)
{
	static const struct {
		const char *header;
		int rc;
		uint64_t first, count;
	} rows[] = {
		{ NULL, 0, 0, 0 },
		{ "bytes=0-9", 1, 0, 10 },
		{ "Bytes=5-5", 1, 5, 1 },
		{ "bytes=9-", 1, 9, 91 },
		{ "bytes=99-", 1, 99, 1 },
		{ "bytes=100-", -1, 0, 0 },
		{ "bytes=0-900000000000000000", 1, 0, 100 },
		{ "bytes=0-99999999999999999999", 0, 0, 0 },
		{ "bytes=-1", 1, 99, 1 },
		{ "bytes=-1000", 1, 0, 100 },
		{ "bytes=-0", -1, 0, 0 },
		{ "bytes=-", 0, 0, 0 },
		{ "bytes=2-1", 0, 0, 0 },
		{ "bytes=0-1,3-4", 0, 0, 0 },
		{ "lines=0-1", 0, 0, 0 },
		{ "bytes=a-b", 0, 0, 0 },
	};
	uint64_t first = 0, count = 0;

	ck_assert_int_eq(tailbox__admin_range(rows[_i].header, 100, &first,
	                                      &count), rows[_i].rc);
	if (rows[_i].rc == 1) {
		ck_assert_uint_eq(first, rows[_i].first);
		ck_assert_uint_eq(count, rows[_i].count);
	}
}
END_TEST

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

START_TEST(errors_have_their_status)
{
	static const struct {
		const char *method, *target;
		long status;
		const char *error, *header;
	} rows[] = {
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
	char want[64], target[128];
	struct answer a;

	if (_i >= (int)(sizeof(rows) / sizeof(rows[0])))
		return;
	ask(&a, rows[_i].method, rows[_i].target);
	ck_assert_msg(a.status == rows[_i].status, "%s: %ld",
	              rows[_i].target, a.status);
	snprintf(want, sizeof(want), "\"error\": \"%s\"", rows[_i].error);
	has(a.body.p, want);
	has(a.body.p, "\"detail\": \"");
	if (rows[_i].header != NULL)
		has(a.head.p, rows[_i].header);
	forget(&a);
	/* The same as a line of text. */
	if (strstr(rows[_i].target, "format") == NULL) {
		snprintf(target, sizeof(target), "%s%cformat=text",
		         rows[_i].target,
		         strchr(rows[_i].target, '?') ? '&' : '?');
		ask(&a, rows[_i].method, target);
		ck_assert_int_eq(a.status, rows[_i].status);
		snprintf(want, sizeof(want), "%s: ", rows[_i].error);
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

/* --- windows ----------------------------------------------------------- */

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

START_TEST(window_is_downloaded_in_both_forms)
{
	struct answer native, json, gzip, a;
	struct bytes want, plain;
	char tag[64], gzip_tag[64], native_tag[64], text[128];
	char name[300], target[600];
	size_t requests;

	capture(1000, "/artifacts/1");

	ask(&native, "GET", "/artifacts/1.tailbox");
	ck_assert_int_eq(native.status, 200);
	has(native.head.p, "Content-Type: application/octet-stream");
	header_of(&native, "Content-Disposition", text, sizeof(text));
	ck_assert_int_eq(sscanf(text, "attachment; filename=\"%255[^\"]\"",
	                        name), 1);
	ck_assert_int_eq(strncmp(name, "shop-", 5), 0);
	ck_assert_str_eq(name + strlen(name) - 10, "-1.tailbox");
	want = as_json(&native.body, &requests);
	ck_assert_uint_eq(requests, 1000);

	ask(&json, "GET", "/artifacts/1");
	ck_assert_int_eq(json.status, 200);
	has(json.head.p, "Content-Type: application/json");
	has(json.head.p, "Vary: Accept-Encoding");
	has_not(json.head.p, "Content-Encoding");
	same(&json.body, &want);

	ask_with(&gzip, "GET", "/artifacts/1", "Accept-Encoding: br, gzip",
	         NULL, 0);
	ck_assert_int_eq(gzip.status, 200);
	has(gzip.head.p, "Content-Encoding: gzip");
	ck_assert_uint_lt(gzip.body.n, json.body.n / 4);
	plain = gunzip(&gzip.body);
	same(&plain, &want);

	/* By its full name. */
	name[strlen(name) - strlen(".tailbox")] = '\0';
	snprintf(target, sizeof(target), "/artifacts/%s", name);
	ask(&a, "GET", target);
	same(&a.body, &want);
	forget(&a);
	snprintf(target, sizeof(target), "/artifacts/%s.tailbox", name);
	ask(&a, "GET", target);
	same(&a.body, &native.body);
	forget(&a);

	/* Three tags; each is good for its own form. */
	header_of(&json, "ETag", tag, sizeof(tag));
	header_of(&gzip, "ETag", gzip_tag, sizeof(gzip_tag));
	header_of(&native, "ETag", native_tag, sizeof(native_tag));
	ck_assert_str_ne(tag, gzip_tag);
	ck_assert_str_ne(tag, native_tag);
	snprintf(text, sizeof(text), "If-None-Match: \"x\", %s", tag);
	ask_with(&a, "GET", "/artifacts/1", text, NULL, 0);
	ck_assert_int_eq(a.status, 304);
	ck_assert_uint_eq(a.body.n, 0);
	has(a.head.p, tag);
	forget(&a);
	snprintf(text, sizeof(text), "If-None-Match: %s", gzip_tag);
	ask_with(&a, "GET", "/artifacts/1", text, NULL, 0);
	ck_assert_int_eq(a.status, 200);
	forget(&a);
	snprintf(text, sizeof(text), "If-None-Match: %s", native_tag);
	ask_with(&a, "GET", "/artifacts/1.tailbox", text, NULL, 0);
	ck_assert_int_eq(a.status, 304);
	forget(&a);
	ask(&a, "HEAD", "/artifacts/1");
	ck_assert_int_eq(a.status, 200);
	ck_assert_uint_eq(a.body.n, 0);
	has(a.head.p, tag);
	forget(&a);
	ask(&a, "HEAD", "/artifacts/1.tailbox");
	has(a.head.p, native_tag);
	snprintf(text, sizeof(text), "Content-Length: %zu\r", native.body.n);
	has(a.head.p, text);
	forget(&a);

	snprintf(text, sizeof(text), "\"bytes\": %zu,", native.body.n);
	expect("GET", "/artifacts", 200, text);
	expect("GET", "/artifacts", 200, "\"requests\": 1000,");
	expect("GET", "/artifacts", 200, "\"ours\": true");
	expect("GET", "/artifacts?format=text", 200, name);

	expect("DELETE", "/artifacts/1", 200, "\"result\": \"deleted\"");
	expect("GET", "/artifacts/1", 404, "not_found");
	expect("DELETE", "/artifacts/1", 404, "not_found");
	expect("GET", "/artifacts", 200, "\"artifacts\": []");
	forget(&native);
	forget(&json);
	forget(&gzip);
	free(want.p);
	free(plain.p);
}
END_TEST

START_TEST(artifacts_are_pinned)
{
	capture(1, "/artifacts/1");
	expect("POST", "/artifacts/1/pin", 200, "\"pinned\": true");
	expect("GET", "/artifacts", 200, "\"pinned\": true");
	expect("GET", "/artifacts?format=text", 200, "  pinned");
	expect("POST", "/artifacts/1.tailbox/pin?on=0&format=text", 200,
	       "unpinned shop-");
	expect("GET", "/artifacts", 200, "\"pinned\": false");
	expect("POST", "/artifacts/1/pin?on=2", 400, "takes 0 or 1");
	expect("POST", "/artifacts/9/pin", 404, "no artifact 9");
	expect("POST", "/artifacts/../1/pin", 400, "bad_id");
	expect("POST", "/artifacts/1/pin/pin", 400, "bad_id");
	expect("POST", "/artifacts/1/nip", 404, "/artifacts/ID/pin");
	expect("POST", "/artifacts//pin", 404, "/artifacts/ID/pin");
	expect("POST", "/artifacts/1", 404, "/artifacts/ID/pin");
	expect("PUT", "/artifacts/1/pin", 405, "POST");
	expect("GET", "/status", 200, "\"max_count\": 100");
	expect("GET", "/status?format=text", 200, "100 artifacts, 256");
}
END_TEST

/* Listed are 1000; that there are more is told. */
START_TEST(older_artifacts_are_counted)
{
	char from[600], to[600];

	capture(1, "/artifacts/1");
	expect("GET", "/artifacts", 200, "\"older\": 0,");
	path_of_first(from, sizeof(from));
	for (int i = 1; i <= 1001; i++) {
		snprintf(to, sizeof(to),
		         "%s/artifacts/shop-20200101T000000Z-%d.tailbox",
		         folder, i);
		ck_assert_int_eq(link(from, to), 0);
	}
	expect("GET", "/artifacts", 200, "\"older\": 2,");
	expect("GET", "/artifacts?format=text", 200, ", and 2 older ones");
}
END_TEST

START_TEST(native_file_comes_in_parts)
{
	struct answer whole, a;
	char tag[64], text[128];

	capture(100, "/artifacts/1");
	ask(&whole, "GET", "/artifacts/1.tailbox");
	has(whole.head.p, "Accept-Ranges: bytes");
	header_of(&whole, "ETag", tag, sizeof(tag));
	ask_with(&a, "GET", "/artifacts/1.tailbox", "Range: bytes=100-199",
	         NULL, 0);
	ck_assert_int_eq(a.status, 206);
	ck_assert_uint_eq(a.body.n, 100);
	ck_assert_int_eq(memcmp(a.body.p, whole.body.p + 100, 100), 0);
	snprintf(text, sizeof(text), "Content-Range: bytes 100-199/%zu\r",
	         whole.body.n);
	has(a.head.p, text);
	forget(&a);
	snprintf(text, sizeof(text), "Range: bytes=%zu-", whole.body.n);
	ask_with(&a, "GET", "/artifacts/1.tailbox", text, NULL, 0);
	ck_assert_int_eq(a.status, 416);
	snprintf(text, sizeof(text), "Content-Range: bytes */%zu\r",
	         whole.body.n);
	has(a.head.p, text);
	forget(&a);
	/* Begun with another file. */
	ask_with(&a, "GET", "/artifacts/1.tailbox",
	         "Range: bytes=100-199\r\nIf-Range: \"other\"", NULL, 0);
	ck_assert_int_eq(a.status, 200);
	same(&a.body, &whole.body);
	forget(&a);
	snprintf(text, sizeof(text), "Range: bytes=100-199\r\nIf-Range: %s",
	         tag);
	ask_with(&a, "GET", "/artifacts/1.tailbox", text, NULL, 0);
	ck_assert_int_eq(a.status, 206);
	forget(&a);
	forget(&whole);
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

START_TEST(damaged_artifact_is_an_error)
{
	unsigned char bytes[8];
	char path[600];
	off_t at;
	int fd;

	capture(10, "/artifacts/1");
	path_of_first(path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	/* In the middle: the header, and with it the list, stay good. Each
	 * bit is turned, whatever it was. */
	at = lseek(fd, 0, SEEK_END) / 2;
	ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), at), sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] ^= 0xff;
	ck_assert_int_eq(pwrite(fd, bytes, sizeof(bytes), at), sizeof(bytes));
	close(fd);
	expect("GET", "/artifacts/1", 500, "artifact_unreadable");
	expect("GET", "/healthz", 200, "ok");
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

/* --- what is open ------------------------------------------------------ */

START_TEST(requests_are_shown_oldest_first)
{
	tailbox_request old = tailbox_request_begin("/old", "job");
	tailbox_request young = tailbox_request_begin("/young", "job");
	struct answer a;
	char number[64];

	tailbox_request_set_id(old, "order-7");
	TAILBOX_STAGE(young, "db_query") {
		ask(&a, "GET", "/requests");
		has(a.body.p, "\"count\": 2");
		ck_assert(strstr(a.body.p, "/old") <
		          strstr(a.body.p, "/young"));
		has(a.body.p, "\"id\": \"order-7\"");
		snprintf(number, sizeof(number), "\"number\": %llu,",
		         (unsigned long long)tailbox_request_number(old));
		has(a.body.p, number);
		has(a.body.p, "\"kind\": \"stage\"");
		has(a.body.p, "\"name\": \"db_query\"");
		has(a.body.p, "\"site\": \"e2e_admin.c:");
		has(a.body.p, "\"phase\": \"handler\"");
		has(a.body.p, "\"connection\": null");
		has(a.body.p, "\"suspended\": false");
		forget(&a);
		expect("GET", "/requests?format=text", 200, "stage db_query");
	}
	ask(&a, "GET", "/requests");
	has_not(a.body.p, "db_query");
	forget(&a);
	tailbox_request_finish(young, NULL);
	tailbox_request_finish(old, NULL);
	expect("GET", "/requests", 200, "\"count\": 0");
	expect("GET", "/requests?kept=1", 200, "\"kept\": []");
	expect("GET", "/requests?kept=1&format=text", 200, "0 kept\n");
	expect("GET", "/requests?kept=0", 200, "\"requests\": []");
	expect("GET", "/requests?kept=yes", 400, "bad_parameter");
	expect("GET", "/requests?kept=", 400, "bad_parameter");
}
END_TEST

START_TEST(request_list_is_bounded)
{
	enum { OPEN = 1100 };
	static tailbox_request r[OPEN];
	const char *p;
	struct answer a;
	int shown = 0;

	for (int i = 0; i < OPEN; i++) {
		r[i] = tailbox_request_begin(i ? "/many" : "/first", NULL);
		ck_assert_ptr_nonnull(r[i]);
	}
	ask(&a, "GET", "/requests");
	has(a.body.p, "\"count\": 1100");
	has(a.body.p, "/first");
	for (p = a.body.p; (p = strstr(p, "\"number\"")) != NULL; p++)
		shown++;
	ck_assert_int_eq(shown, 1000);
	forget(&a);
	expect("GET", "/requests?format=text", 200,
	       "1100 open, the 1000 oldest\n");
	for (int i = 0; i < OPEN; i++)
		tailbox_request_finish(r[i], NULL);
}
END_TEST

/* --- many clients, slow clients ---------------------------------------- */

static void *busy_client(void *arg)
{
	long *good = arg;

	for (int i = 0; i < 20; i++) {
		struct answer a;
		ask_with(&a, "GET", i % 2 ? "/status" : "/artifacts/1", NULL,
		         NULL, 0);
		/* More than four downloads at a time are told to wait. */
		*good += a.rc == CURLE_OK &&
		         (a.status == 200 ||
		          (i % 2 == 0 && a.status == 503));
		forget(&a);
	}
	return NULL;
}

START_TEST(sixteen_clients_at_a_time)
{
	pthread_t t[16];
	long good[16] = { 0 };

	capture(1000, "/artifacts/1");
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, busy_client,
		                                &good[i]), 0);
	for (int i = 0; i < 16; i++) {
		pthread_join(t[i], NULL);
		ck_assert_int_eq(good[i], 20);
	}
}
END_TEST

/* A busy machine may delay one answer; behind a worker all would be late. */
static void is_quick(const char *target, struct answer *a)
{
	uint64_t begin, took;

	for (int i = 0; i < 20; i++) {
		begin = now_us();
		ask(a, "GET", target);
		took = now_us() - begin;
		ck_assert_int_eq(a->status, 200);
		if (took < 50000)
			return;
		if (i < 19)
			forget(a);
	}
	ck_abort_msg("%s took %llu us, 20 times", target,
	             (unsigned long long)took);
}

START_TEST(slow_readers_do_not_block_status)
{
	int slow[5];
	struct answer a;
	struct bytes b;

	capture(3000, "/artifacts/1");
	for (int i = 0; i < 5; i++) {
		char c;
		slow[i] = dial();
		say(slow[i], "GET /artifacts/1 HTTP/1.1\r\nHost: x\r\n\r\n");
		/* The first byte: the answer is under way. */
		ck_assert_int_eq(read(slow[i], &c, 1), 1);
		ck_assert_int_eq(c, 'H');
	}
	is_quick("/status", &a);
	forget(&a);
	/* The fifth was sent away. */
	b = hear(slow[4]);
	has(b.p, "TTP/1.1 503 ");
	has(b.p, "Retry-After: 1");
	has(b.p, "\"error\": \"busy\"");
	free(b.p);
	/* One goes away, one reads all of it. */
	close(slow[0]);
	b = hear(slow[1]);
	has(b.p, "TTP/1.1 200 ");
	ck_assert_str_eq(b.p + b.n - 5, "0\r\n\r\n");
	free(b.p);
	for (int i = 0;; i++) {
		ask(&a, "GET", "/artifacts/1");
		if (a.status == 200)
			break;
		ck_assert_int_lt(i, 5000);
		forget(&a);
		moment();
	}
	forget(&a);
	/* Stopping with two of them on the line. */
	tailbox_stop();
	close(slow[2]);
	close(slow[3]);
}
END_TEST

/* --- every worker stuck ------------------------------------------------ */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int stuck;
	bool go;
} gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false };

static enum MHD_Result stuck(void *cls, struct MHD_Connection *c,
                             const char *url, const char *method,
                             const char *version, const char *data,
                             size_t *size, void **req_cls)
{
	static char text[] = "late";
	static int seen;
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)cls, (void)url, (void)method, (void)version, (void)data;
	(void)size;
	if (*req_cls == NULL) {
		*req_cls = &seen;
		return MHD_YES;
	}
	TAILBOX_WAIT(tailbox_request_of(c), "gate", 0) {
		pthread_mutex_lock(&gate.lock);
		gate.stuck++;
		pthread_cond_broadcast(&gate.changed);
		while (!gate.go)
			pthread_cond_wait(&gate.changed, &gate.lock);
		pthread_mutex_unlock(&gate.lock);
	}
	r = MHD_create_response_from_buffer(4, text, MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return rc;
}

static uint16_t port_of(struct MHD_Daemon *d)
{
	return MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static void *http_client(void *arg)
{
	CURL *c = curl_easy_init();
	struct bytes b = { NULL, 0 };
	CURLcode rc;

	curl_easy_setopt(c, CURLOPT_URL, arg);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, append);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &b);
	rc = curl_easy_perform(c);
	curl_easy_cleanup(c);
	free(b.p);
	return rc == CURLE_OK ? arg : NULL;
}

static int count_of(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

START_TEST(every_worker_stuck_is_shown_with_its_request)
{
	enum { WORKERS = 2 };
	struct MHD_Daemon *d;
	pthread_t t[WORKERS];
	struct answer a, status;
	char url[64];
	void *ok;

	d = tailbox_mhd_start_daemon(
	        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, stuck, NULL,
	        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)WORKERS,
	        MHD_OPTION_END);
	ck_assert_ptr_nonnull(d);
	/* Idle workers that never ran a callback are there too. */
	ask(&a, "GET", "/workers");
	ck_assert_int_ge(count_of(a.body.p, "\"daemon\": 1"), WORKERS);
	has_not(a.body.p, "\"route\"");
	forget(&a);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/report", port_of(d));
	pthread_mutex_lock(&gate.lock);
	gate.go = false;
	gate.stuck = 0;
	for (int i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(pthread_create(&t[i], NULL, http_client, url),
		                 0);
		/* A worker takes what comes while it is free: one by one, so
		 * that each of them gets one. */
		while (gate.stuck <= i)
			pthread_cond_wait(&gate.changed, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);

	is_quick("/status", &status);
	has(status.body.p, "\"open_requests\": 2,");
	has(status.body.p, "\"mode\": \"pool\"");
	is_quick("/workers", &a);
	ck_assert_int_eq(count_of(a.body.p, "\"kind\": \"handler\""), WORKERS);
	ck_assert_int_eq(count_of(a.body.p, "\"route\": \"/report\""), WORKERS);
	ck_assert_int_eq(count_of(a.body.p, "\"name\": \"gate\""), WORKERS);
	ck_assert_int_eq(count_of(a.body.p, "\"number\": null"), 0);
	ck_assert_int_ge(count_of(a.body.p, "\"for_us\": "), WORKERS);
	forget(&a);
	/* Held for a clock tick by now or in a moment. */
	for (int i = 0, n = 0; n < WORKERS; i++) {
		ck_assert_int_lt(i, 5000);
		moment();
		ask(&a, "GET", "/workers");
		n = count_of(a.body.p, "\"syscall\": \"futex\"");
		/* Where the kernel tells, a sleeper has one, else a reason. */
		if (n == WORKERS)
			ck_assert_int_eq(count_of(a.body.p, "\"wchan\": \"") +
			                         count_of(a.body.p,
			                                  "\"wchan_why_not\": \""),
			                 WORKERS);
		forget(&a);
	}
	is_quick("/workers?format=text", &a);
	ck_assert_int_eq(count_of(a.body.p, "/report"), WORKERS);
	forget(&a);
	is_quick("/requests", &a);
	has(a.body.p, "\"count\": 2");
	ck_assert_int_eq(count_of(a.body.p, "\"connection\": null"), 0);
	forget(&a);
	forget(&status);

	pthread_mutex_lock(&gate.lock);
	gate.go = true;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(t[i], &ok);
		ck_assert_ptr_eq(ok, url);
	}
	tailbox_mhd_stop_daemon(d);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("admin");
	TCase *parse = tcase_create("parse"), *t = tcase_create("http");

	tcase_add_loop_test(parse, accept_encoding_is_weighed, 0, 20);
	tcase_add_loop_test(parse, if_none_match_is_a_list, 0, 13);
	tcase_add_test(parse, numbers_have_limits);
	tcase_add_loop_test(parse, ranges_are_cut_to_the_file, 0, 16);
	suite_add_tcase(s, parse);

	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, index_can_be_pasted);
	tcase_add_test(t, health_is_ok);
	tcase_add_loop_test(t, every_get_has_json_text_and_head, 0, 4);
	tcase_add_test(t, status_counts);
	tcase_add_loop_test(t, errors_have_their_status, 0, 38);
	tcase_add_test(t, long_values_are_refused);
	tcase_add_test(t, bodies_are_not_taken);
	tcase_add_test(t, garbage_does_no_harm);
	tcase_add_test(t, arm_takes_every_parameter);
	tcase_add_test(t, duration_ends_a_window);
	tcase_add_test(t, window_is_downloaded_in_both_forms);
	tcase_add_test(t, artifacts_are_pinned);
	tcase_add_test(t, older_artifacts_are_counted);
	tcase_add_test(t, native_file_comes_in_parts);
	tcase_add_test(t, stop_while_artifacts_are_loading);
	tcase_add_test(t, damaged_artifact_is_an_error);
	tcase_add_test(t, open_request_keeps_the_window_closing);
	tcase_add_test(t, listed_artifact_can_be_had);
	tcase_add_test(t, requests_are_shown_oldest_first);
	tcase_add_test(t, request_list_is_bounded);
	tcase_add_test(t, sixteen_clients_at_a_time);
	tcase_add_test(t, slow_readers_do_not_block_status);
	tcase_add_test(t, every_worker_stuck_is_shown_with_its_request);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r;
	int failed;

	curl_global_init(CURL_GLOBAL_ALL);
	r = srunner_create(suite());
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	curl_global_cleanup();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
