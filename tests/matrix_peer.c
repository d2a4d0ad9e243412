/* tests/matrix_peer.c - a client of a daemon, over whatever it listens on.
 *
 * SPDX-License-Identifier: MIT
 *
 * TLS by libcurl, which gives a connection of bytes whatever library it uses
 * underneath.
 */
#include "tests/matrix_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>

#include "tests/e2e_client.h"

struct matrix_peer {
	int fd;
	CURL *tls; /* NULL: plain */
	char *text;
	size_t len, room;
	size_t reply; /* where the present response begins */
};

static bool connect_tls(struct matrix_peer *p, const struct sockaddr *to)
{
	const struct sockaddr_in *a = (const void *)to;
	curl_socket_t fd;
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%u/", ntohs(a->sin_port));
	p->tls = curl_easy_init();
	if (p->tls == NULL)
		return false;
	curl_easy_setopt(p->tls, CURLOPT_URL, url);
	curl_easy_setopt(p->tls, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(p->tls, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(p->tls, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(p->tls, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(p->tls, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(p->tls, CURLOPT_SSL_ENABLE_ALPN, 0L);
	curl_easy_setopt(p->tls, CURLOPT_TIMEOUT_MS, (long)E2E_PATIENCE_MS);
	if (curl_easy_perform(p->tls) != CURLE_OK ||
	    curl_easy_getinfo(p->tls, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK)
		return false;
	p->fd = fd;
	return true;
}

struct matrix_peer *matrix_connect(const struct sockaddr *to, socklen_t len,
                                   bool is_tls)
{
	struct matrix_peer *p = calloc(1, sizeof(*p));
	bool is_there;

	if (p == NULL)
		abort();
	p->text = calloc(1, p->room = 16384);
	p->fd = -1;
	if (is_tls) {
		is_there = connect_tls(p, to);
	} else {
		p->fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		is_there = p->fd >= 0 && connect(p->fd, to, len) == 0;
	}
	if (is_there && p->text != NULL)
		return p;
	matrix_disconnect(p);
	return NULL;
}

static bool is_ready(const struct matrix_peer *p, short events)
{
	struct pollfd f = { p->fd, events, 0 };

	return poll(&f, 1, E2E_PATIENCE_MS) == 1;
}

void matrix_send(struct matrix_peer *p, const char *text)
{
	size_t left = strlen(text), n;

	while (left > 0) {
		if (p->tls != NULL) {
			CURLcode rc = curl_easy_send(p->tls, text, left, &n);
			if (rc == CURLE_AGAIN && is_ready(p, POLLOUT))
				continue;
			if (rc != CURLE_OK)
				return;
		} else {
			ssize_t sent = send(p->fd, text, left, MSG_NOSIGNAL);
			if (sent < 0)
				return; /* the server had enough */
			n = (size_t)sent;
		}
		text += n;
		left -= n;
	}
}

/* Up to `most` bytes; 0: the end, or too long nothing. */
static size_t receive(struct matrix_peer *p, size_t most)
{
	size_t n = 0;
	ssize_t got;

	if (p->room - p->len <= most) {
		p->room = 2 * p->room + most;
		p->text = realloc(p->text, p->room);
		if (p->text == NULL)
			abort();
	}
	if (p->tls != NULL) {
		CURLcode rc;
		do
			rc = curl_easy_recv(p->tls, p->text + p->len, most,
			                    &n);
		while (rc == CURLE_AGAIN && is_ready(p, POLLIN));
		if (rc != CURLE_OK)
			n = 0;
	} else if (is_ready(p, POLLIN)) {
		got = recv(p->fd, p->text + p->len, most, 0);
		n = got > 0 ? (size_t)got : 0;
	}
	p->len += n;
	p->text[p->len] = '\0';
	return n;
}

bool matrix_read_bytes(struct matrix_peer *p, size_t n)
{
	const size_t end = p->len + n;

	while (p->len < end)
		if (receive(p, end - p->len) == 0)
			return false;
	return true;
}

bool matrix_read_reply(struct matrix_peer *p, bool is_head)
{
	const char *length;

	p->reply = p->len;
	while (p->len < p->reply + 4 ||
	       memcmp(p->text + p->len - 4, "\r\n\r\n", 4) != 0)
		if (receive(p, 1) == 0)
			return false;
	length = strcasestr(p->text + p->reply, "\r\nContent-Length:");
	if (length == NULL || is_head)
		return true;
	return matrix_read_bytes(p, strtoul(length + 17, NULL, 10));
}

void matrix_read_all(struct matrix_peer *p)
{
	while (receive(p, 4096) > 0)
		;
}

const char *matrix_text(const struct matrix_peer *p)
{
	return p->text;
}

void matrix_disconnect(struct matrix_peer *p)
{
	if (p == NULL)
		return;
	if (p->tls != NULL)
		curl_easy_cleanup(p->tls);
	else if (p->fd >= 0)
		close(p->fd);
	free(p->text);
	free(p);
}
