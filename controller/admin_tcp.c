/* controller/admin_tcp.c - the admin server's TCP socket.
 *
 * SPDX-License-Identifier: MIT
 *
 * Addresses are numbers, not names: a resolver may block, and may say
 * something else tomorrow. Without an address it is loopback, so that nothing
 * is reachable from outside by leaving something out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/admin_internal.h"

#define BACKLOG 128

static int bad(struct tailbox__error *err, const char *text)
{
	return tailbox__fail(err, -EINVAL,
	                     "[admin] listen \"%.64s\" is not ADDRESS:PORT, "
	                     "such as 127.0.0.1:9180 or [::1]:9180",
	                     text);
}

int tailbox__tcp_address(const char *text, struct tailbox__tcp_address *a,
                         struct tailbox__error *err)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&a->addr;
	struct sockaddr_in *four = (struct sockaddr_in *)(void *)&a->addr;
	const char *colon = strrchr(text, ':');
	const char *digits = colon != NULL ? colon + 1 : text;
	size_t n = colon != NULL ? (size_t)(colon - text) : 0;
	char host[64] = "127.0.0.1";
	uint64_t port;

	memset(a, 0, sizeof(*a));
	if (!tailbox__admin_count(digits, 0, 65535, &port) || n >= sizeof(host))
		return bad(err, text);
	if (n > 0 && !(n == 9 && strncmp(text, "localhost", 9) == 0)) {
		memcpy(host, text, n);
		host[n] = '\0';
	}
	n = strlen(host);
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		a->len = sizeof(*six);
		if (inet_pton(AF_INET6, host + 1, &six->sin6_addr) != 1)
			return bad(err, text);
		return 0;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons((uint16_t)port);
	a->len = sizeof(*four);
	return inet_pton(AF_INET, host, &four->sin_addr) == 1 ? 0
	                                                      : bad(err, text);
}

static int set_up(int fd, const struct tailbox__tcp_address *a)
{
	const int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0)
		return -errno;
	/* "::" would take IPv4 as well, which nobody asked for. */
	if (a->addr.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&a->addr, a->len) != 0 ||
	    listen(fd, BACKLOG) != 0)
		return -errno;
	return 0;
}

/* What it got: the port, when any would do. */
static int read_back(int fd, char text[TAILBOX__TCP_TEXT], uint16_t *port)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char host[INET6_ADDRSTRLEN];

	if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		return -errno;
	if (a.ss_family == AF_INET6) {
		const struct sockaddr_in6 *s = (void *)&a;
		*port = ntohs(s->sin6_port);
		(void)inet_ntop(AF_INET6, &s->sin6_addr, host, sizeof(host));
		snprintf(text, TAILBOX__TCP_TEXT, "[%s]:%u", host,
		         (unsigned)*port);
	} else {
		const struct sockaddr_in *s = (void *)&a;
		*port = ntohs(s->sin_port);
		(void)inet_ntop(AF_INET, &s->sin_addr, host, sizeof(host));
		snprintf(text, TAILBOX__TCP_TEXT, "%s:%u", host,
		         (unsigned)*port);
	}
	return 0;
}

int tailbox__tcp_listen(const char *listen, char text[TAILBOX__TCP_TEXT],
                        uint16_t *port, struct tailbox__error *err)
{
	struct tailbox__tcp_address a;
	int fd, rc = tailbox__tcp_address(listen, &a, err);

	if (rc != 0)
		return rc;
	fd = socket(a.addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	            0);
	if (fd < 0)
		return tailbox__fail(err, -errno, "cannot make a socket: %s",
		                     tailbox_strerror(errno));
	rc = set_up(fd, &a);
	if (rc == 0)
		rc = read_back(fd, text, port);
	if (rc == 0)
		return fd;
	close(fd);
	return tailbox__fail(err, rc, "cannot listen on %.64s: %s", listen,
	                     tailbox_strerror(rc));
}
