/* tests/e2e_client.c - clients for the end-to-end tests.
 *
 * SPDX-License-Identifier: MIT
 */
#define E2E_WITH_CURL 1
#include "tests/e2e_client.h"

#include <arpa/inet.h>
#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* --- failures ---------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	char text[256]; /* the first */
} elsewhere = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Returns on another thread only. */
static void __attribute__((format(printf, 1, 2))) failed(const char *fmt, ...)
{
	char text[sizeof(elsewhere.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (gettid() == getpid())
		ck_abort_msg("%s", text);
	pthread_mutex_lock(&elsewhere.lock);
	if (elsewhere.text[0] == '\0')
		memcpy(elsewhere.text, text, sizeof(text));
	pthread_mutex_unlock(&elsewhere.lock);
}

void e2e_start(pthread_t *t, void *(*fn)(void *), void *cls)
{
	ck_assert_int_eq(pthread_create(t, NULL, fn, cls), 0);
}

void e2e_join(pthread_t t)
{
	char text[sizeof(elsewhere.text)];

	ck_assert_int_eq(pthread_join(t, NULL), 0);
	pthread_mutex_lock(&elsewhere.lock);
	memcpy(text, elsewhere.text, sizeof(text));
	elsewhere.text[0] = '\0';
	pthread_mutex_unlock(&elsewhere.lock);
	ck_assert_msg(text[0] == '\0', "on another thread: %s", text);
}

/* --- a raw client ------------------------------------------------------ */

uint16_t e2e_port(struct MHD_Daemon *d)
{
	const union MHD_DaemonInfo *i;

	i = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
	ck_assert_ptr_nonnull(i);
	return i->port;
}

uint64_t e2e_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int e2e_connect(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		                 .sin_port = htons(port) };
	struct timeval limit = { E2E_PATIENCE_MS / 1000, 0 };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fd >= 0 && connect(fd, (void *)&a, sizeof(a)) == 0)
		return fd;
	failed("connect to port %u: %s", port, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void e2e_send_bytes(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0) /* the server had enough */
			return;
		p += n;
		len -= (size_t)n;
	}
}

void e2e_send(int fd, const char *text)
{
	e2e_send_bytes(fd, text, strlen(text));
}

void e2e_reset(int fd)
{
	struct linger l = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}

/* One byte more is always there, for the NUL. */
static bool read_some(int fd, struct e2e_bytes *b, size_t *room, size_t most)
{
	ssize_t n;

	if (*room - b->len < 4096) {
		*room = *room ? 2 * *room : 8192;
		b->text = realloc(b->text, *room);
		if (b->text == NULL)
			abort();
	}
	if (most > *room - b->len - 1)
		most = *room - b->len - 1;
	n = recv(fd, b->text + b->len, most, 0);
	if (n < 0 && errno != ECONNRESET)
		failed("read: %s", strerror(errno));
	if (n > 0)
		b->len += (size_t)n;
	b->text[b->len] = '\0';
	return n > 0;
}

struct e2e_bytes e2e_read_len(int fd, size_t len)
{
	struct e2e_bytes b = { NULL, 0 };
	size_t room = 0;

	while (b.len < len && read_some(fd, &b, &room, len - b.len))
		;
	return b;
}

struct e2e_bytes e2e_read_all(int fd)
{
	return e2e_read_len(fd, SIZE_MAX);
}

/* Byte by byte through the head: what follows may be the next response. */
struct e2e_bytes e2e_read_reply(int fd, bool is_head)
{
	struct e2e_bytes b = { NULL, 0 };
	size_t room = 0, body = 0;
	const char *p;

	while (b.len < 4 || memcmp(b.text + b.len - 4, "\r\n\r\n", 4) != 0)
		if (!read_some(fd, &b, &room, 1))
			return b;
	p = strcasestr(b.text, "\r\nContent-Length:");
	if (p != NULL && !is_head)
		body = strtoul(p + 17, NULL, 10);
	body += b.len;
	while (b.len < body && read_some(fd, &b, &room, body - b.len))
		;
	return b;
}

int e2e_status(const struct e2e_bytes *reply)
{
	if (reply->len < 12 || memcmp(reply->text, "HTTP/1.", 7) != 0)
		return 0;
	return (int)strtol(reply->text + 9, NULL, 10);
}

struct e2e_bytes e2e_exchange(uint16_t port, const char *text)
{
	int fd = e2e_connect(port);
	struct e2e_bytes b;

	e2e_send(fd, text);
	b = e2e_read_all(fd);
	close(fd);
	return b;
}

void e2e_wait(bool (*fn)(void *), void *cls, const char *what)
{
	const struct timespec ms = { 0, 1000000 };
	uint64_t until = e2e_now_ns() + E2E_PATIENCE_MS * 1000000ull;

	while (!fn(cls)) {
		if (e2e_now_ns() > until) {
			failed("waited in vain for %s", what);
			return;
		}
		nanosleep(&ms, NULL);
	}
}

/* --- load -------------------------------------------------------------- */

static size_t discard(char *data, size_t size, size_t n, void *cls)
{
	(void)data;
	(void)cls;
	return size * n;
}

static CURL *get(const char *url)
{
	CURL *e = curl_easy_init();

	ck_assert_ptr_nonnull(e);
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)E2E_PATIENCE_MS);
	return e;
}

/* Those that are done: count, and start again while there is work. */
static long reap(CURLM *m, long *left, int *active)
{
	struct CURLMsg *msg;
	long ok = 0, status;
	int n;

	while ((msg = curl_multi_info_read(m, &n)) != NULL) {
		CURL *e = msg->easy_handle;
		status = 0;
		if (msg->data.result == CURLE_OK)
			curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
		ok += status == 200;
		curl_multi_remove_handle(m, e);
		--*active;
		if (*left > 0) {
			--*left;
			++*active;
			curl_multi_add_handle(m, e);
		}
	}
	return ok;
}

long e2e_load(uint16_t port, const char *path, long count, int connections)
{
	CURL *easy[64];
	CURLM *m = curl_multi_init();
	long ok = 0, left = count;
	int active = 0, made = 0, running;
	char url[512];

	ck_assert_ptr_nonnull(m);
	ck_assert_int_le(connections, 64);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
	for (; made < connections && left > 0; made++, left--, active++) {
		easy[made] = get(url);
		curl_multi_add_handle(m, easy[made]);
	}
	while (active > 0) {
		ck_assert_int_eq(curl_multi_perform(m, &running), CURLM_OK);
		ok += reap(m, &left, &active);
		if (active > 0)
			curl_multi_poll(m, NULL, 0, 1000, NULL);
	}
	for (int i = 0; i < made; i++)
		curl_easy_cleanup(easy[i]);
	curl_multi_cleanup(m);
	return ok;
}
