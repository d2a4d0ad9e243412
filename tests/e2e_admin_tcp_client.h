/* tests/e2e_admin_tcp_client.h - the admin server on TCP, and a client that
 * sends what it is told to, byte by byte.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_E2E_ADMIN_TCP_CLIENT_H
#define TAILBOX_TESTS_E2E_ADMIN_TCP_CLIENT_H 1

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/admin.h"
#include "controller/admin_guard.h"
#include "controller/admin_internal.h"

#define TOKEN "correct-horse-battery-staple"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"

static char folder[64];
static uint16_t tcp_port;

static inline void start_recorder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	unsetenv("TAILBOX");
	unsetenv("TAILBOX_ARTIFACTS");
	unsetenv("STATE_DIRECTORY");
	unsetenv("TAILBOX_CONFIG");
	setenv("TAILBOX_DIR", folder, 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
}

/* NULL: not set. The settings are large, so they are not on the stack. */
static inline int start_tcp(const char *listen, const char *token,
                            struct tailbox__error *err)
{
	static struct tailbox__config_admin c;
	const char *colon;
	int rc;

	memset(&c, 0, sizeof(c));
	if (listen != NULL)
		snprintf(c.listen, sizeof(c.listen), "%s", listen);
	if (token != NULL)
		snprintf(c.token, sizeof(c.token), "%s", token);
	c.allow_hosts.count = 2;
	snprintf(c.allow_hosts.items[0], sizeof(c.allow_hosts.items[0]),
	         "ops.example");
	snprintf(c.allow_hosts.items[1], sizeof(c.allow_hosts.items[1]),
	         "gate.example:8443");
	rc = tailbox__admin_start_tcp(&c, err);
	colon = strrchr(tailbox__admin_tcp(), ':');
	tcp_port = colon != NULL ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
	return rc;
}

static inline void start(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	start_recorder();
	ck_assert_msg(start_tcp("127.0.0.1:0", TOKEN, &err) == 1, "%s",
	              err.text);
}

static inline int remove_one(const char *path, const struct stat *st, int type,
                             struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void stop(void)
{
	tailbox_stop();
	unsetenv("TAILBOX_DIR");
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static inline void moment(void)
{
	struct timespec ts = { 0, 2000000 };

	nanosleep(&ts, NULL);
}

/* --- bytes ------------------------------------------------------------- */

struct bytes {
	char *p; /* with a NUL behind */
	size_t n;
};

static inline void append(struct bytes *b, const char *data, size_t n)
{
	b->p = realloc(b->p, b->n + n + 1);
	if (b->p == NULL)
		abort();
	memcpy(b->p + b->n, data, n);
	b->n += n;
	b->p[b->n] = '\0';
}

/* -1 when it was refused. */
static inline int dial_port(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		                 .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline int dial_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", tailbox__admin_path());
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Send, and hear all that comes until the end; closes fd. */
static inline struct bytes talk(int fd, const char *text, size_t n)
{
	struct bytes b = { NULL, 0 };
	char buf[65536];
	ssize_t got;

	append(&b, "", 0);
	if (fd < 0)
		return b;
	/* It may answer and close before it has all: no reason to fail. */
	(void)!send(fd, text, n, MSG_NOSIGNAL);
	while ((got = read(fd, buf, sizeof(buf))) > 0)
		append(&b, buf, (size_t)got);
	close(fd);
	return b;
}

/* The status line's number, 0 when there was none. */
static inline long status_of(const struct bytes *b)
{
	return strncmp(b->p, "HTTP/1.1 ", 9) == 0 ? strtol(b->p + 9, NULL, 10)
	                                          : 0;
}

/* METHOD TARGET, with a right Host and what else (lines that end in CRLF)
 * and a body (NULL = none). port 0: the Unix socket. */
static inline struct bytes ask_port(uint16_t port, const char *method,
                                    const char *target, const char *headers,
                                    const char *body)
{
	struct bytes text = { NULL, 0 }, b;
	char head[256];

	append(&text, method, strlen(method));
	append(&text, " ", 1);
	append(&text, target, strlen(target));
	snprintf(head, sizeof(head),
	         " HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n",
	         (unsigned)port);
	append(&text, head, strlen(head));
	append(&text, headers, strlen(headers));
	if (body != NULL) {
		snprintf(head, sizeof(head), "Content-Length: %zu\r\n",
		         strlen(body));
		append(&text, head, strlen(head));
	}
	append(&text, "\r\n", 2);
	if (body != NULL)
		append(&text, body, strlen(body));
	b = talk(port != 0 ? dial_port(port) : dial_unix(), text.p, text.n);
	free(text.p);
	return b;
}

static inline struct bytes ask(const char *method, const char *target,
                               const char *headers, const char *body)
{
	return ask_port(tcp_port, method, target, headers, body);
}

static inline long status(const char *method, const char *target,
                          const char *headers)
{
	struct bytes b = ask(method, target, headers, NULL);
	long s = status_of(&b);

	free(b.p);
	return s;
}

/* Ask, look at status and one text of head or body. */
static inline void expect(const char *method, const char *target,
                          const char *headers, const char *body, long want,
                          const char *what)
{
	struct bytes b = ask(method, target, headers, body);

	ck_assert_msg(status_of(&b) == want, "%s %s %s: not %ld: %s", method,
	              target, headers, want, b.p);
	ck_assert_msg(strstr(b.p, what) != NULL, "%s %s: no %s in %s", method,
	              target, what, b.p);
	free(b.p);
}

#endif
