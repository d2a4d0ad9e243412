/* tests/e2e_admin_tcp_client.h - the admin server on TCP, and a client that
 * sends what it is told to, byte by byte.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_E2E_ADMIN_TCP_CLIENT_H
#define TAILBOX_TESTS_E2E_ADMIN_TCP_CLIENT_H 1

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>

#include "controller/admin_guard.h"
#include "controller/admin_internal.h"
#include "tests/e2e_admin_service.h"

#define TOKEN "correct-horse-battery-staple"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"

static uint16_t tcp_port;

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

/* --- clients ----------------------------------------------------------- */

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

/* Send, and hear all that comes until the end; closes fd. */
static inline struct bytes talk(int fd, const char *text, size_t n)
{
	/* It may answer and close before it has all: no reason to fail. */
	if (fd >= 0)
		(void)!send(fd, text, n, MSG_NOSIGNAL);
	return hear(fd);
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
