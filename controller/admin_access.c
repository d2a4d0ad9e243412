/* controller/admin_access.c - who may ask, on TCP and in a mounted form.
 *
 * SPDX-License-Identifier: MIT
 *
 * A browser on the machine reaches a loopback port for any page that it shows.
 * So before the token: Host must be a name of ours, or a page whose name was
 * bound anew to 127.0.0.1 would be of the same origin as we are; and Origin
 * and Sec-Fetch-Site, which pages cannot forge, must say that the request is
 * from a page of ours. No CORS header is ever sent. Programs send neither.
 *
 * Of a header that decides here there may be one: which of two would count is
 * a matter of the reader, and that is how things are smuggled.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "controller/admin_internal.h"
#include "controller/admin_guard.h"
#include "controller/admin_token.h"
#include "controller/internal.h"

#define COOKIE "tailbox_session"

struct tailbox__admin_remote tailbox__admin_remote;

/* --- headers ----------------------------------------------------------- */

struct seen {
	const char *name, *value;
	unsigned count;
	bool has_nul;
};

static enum MHD_Result see(void *cls, enum MHD_ValueKind kind, const char *key,
                           size_t key_len, const char *value, size_t value_len)
{
	struct seen *s = cls;

	(void)kind, (void)key_len;
	if (key == NULL || strcasecmp(key, s->name) != 0)
		return MHD_YES;
	s->value = value != NULL ? value : "";
	s->has_nul |= value != NULL && strlen(value) != value_len;
	s->count++;
	return MHD_YES;
}

/* The one header of that name; NULL = none. False: there are several. */
static bool only(const struct tailbox__admin_request *q, const char *name,
                 const char **value)
{
	struct seen s = { name, NULL, 0, false };

	MHD_get_connection_values_n(q->connection, MHD_HEADER_KIND, see, &s);
	*value = s.value;
	return s.count <= 1 && !s.has_nul;
}

/* --- Host -------------------------------------------------------------- */

struct authority {
	char host[256]; /* without brackets */
	uint64_t port;  /* 0 = none given */
};

/* HOST or HOST:PORT; an IPv6 address in brackets, or bare without port. */
static bool split(const char *text, struct authority *a)
{
	const char *end, *colon = strchr(text, ':');
	size_t n;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		colon = end[1] == ':' ? end + 1 : NULL;
	} else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
		end = text + strlen(text);
		colon = NULL;
	} else {
		end = colon != NULL ? colon : text + strlen(text);
	}
	n = (size_t)(end - text);
	if (n == 0 || n >= sizeof(a->host))
		return false;
	memcpy(a->host, text, n);
	a->host[n] = '\0';
	a->port = 0;
	return colon == NULL ||
	       tailbox__admin_count(colon + 1, 1, 65535, &a->port);
}

/* An address as it is written in its shortest form; other text as it is. */
static void normalize(char host[256])
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET6, host, bytes) == 1)
		(void)inet_ntop(AF_INET6, bytes, host, INET6_ADDRSTRLEN);
}

/* The address of ours that a connection came in by. */
static void local_address(struct MHD_Connection *c, char to[INET6_ADDRSTRLEN])
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	        c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	to[0] = '\0';
	if (info == NULL ||
	    getsockname(info->connect_fd, (struct sockaddr *)&a, &len) != 0)
		return;
	if (a.ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr,
		                to, INET6_ADDRSTRLEN);
	else if (a.ss_family == AF_INET6)
		(void)inet_ntop(AF_INET6,
		                &((struct sockaddr_in6 *)&a)->sin6_addr, to,
		                INET6_ADDRSTRLEN);
}

bool tailbox__admin_is_allowed_host(const struct tailbox__config_list *allowed,
                                    const char *text)
{
	struct authority given, a;

	if (!split(text, &given))
		return false;
	for (uint32_t i = 0; i < allowed->count; i++)
		if (split(allowed->items[i], &a) &&
		    strcasecmp(a.host, given.host) == 0 &&
		    (a.port == 0 || a.port == (given.port ? given.port : 80)))
			return true;
	return false;
}

bool tailbox__admin_is_host(const char *text, const char *local, uint16_t port)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
	struct authority a;

	if (!split(text, &a) || (a.port ? a.port : 80) != port)
		return false;
	normalize(a.host);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(a.host, names[i]) == 0)
			return true;
	return local[0] != '\0' && strcasecmp(a.host, local) == 0;
}

static bool is_our_host(const struct tailbox__admin_request *q,
                        const char *host)
{
	char local[INET6_ADDRSTRLEN];

	local_address(q->connection, local);
	return tailbox__admin_is_host(host, local,
	                              tailbox__admin_remote.port) ||
	       tailbox__admin_is_allowed_host(
	               &tailbox__admin_remote.allow_hosts, host);
}

/* --- Origin ------------------------------------------------------------ */

bool tailbox__admin_is_origin(const char *origin, const char *host)
{
	if (strncasecmp(origin, "http://", 7) == 0)
		origin += 7;
	else if (strncasecmp(origin, "https://", 8) == 0)
		origin += 8;
	else
		return false; /* "null" too */
	return host != NULL && host[0] != '\0' && strcasecmp(origin, host) == 0;
}

static bool is_reading(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* --- token and session ------------------------------------------------- */

static enum MHD_Result say_unauthorized(struct tailbox__admin_request *q,
                                        const char *why)
{
	return tailbox__admin_error_header(q, MHD_HTTP_UNAUTHORIZED,
	                                   "unauthorized", "WWW-Authenticate",
	                                   "Bearer realm=\"tailbox\"", why);
}

enum MHD_Result tailbox__admin_refuse(struct tailbox__admin_request *q)
{
	return say_unauthorized(q, "wrong token");
}

enum MHD_Result tailbox__admin_wrong_token(struct tailbox__admin_request *q)
{
	uint64_t now = tailbox__mono_ns();

	q->is_refused = true;
	if (!tailbox__guard_wrong(now))
		return tailbox__admin_refuse(q);
	if (q->via == TAILBOX__VIA_TCP && tailbox__guard_hold(q->connection, now))
		return MHD_YES; /* tailbox__admin_refuse() later */
	return tailbox__admin_error_header(q, MHD_HTTP_TOO_MANY_REQUESTS,
	                                   "too_many_wrong_tokens",
	                                   "Retry-After", "1", "wrong token");
}

/* The token of `Authorization: Bearer TOKEN`, NULL when it is not one. */
static const char *bearer(const char *header)
{
	if (strncasecmp(header, "Bearer", 6) != 0 || header[6] != ' ')
		return NULL;
	return header + 6 + strspn(header + 6, " ");
}

bool tailbox__admin_is_token(const char *text, size_t len)
{
	return tailbox__token_is(&tailbox__admin_remote.token, text, len);
}

const char *tailbox__admin_session(const struct tailbox__admin_request *q)
{
	return MHD_lookup_connection_value(q->connection, MHD_COOKIE_KIND,
	                                   COOKIE);
}

/* By header; else by a cookie, which a browser sends along without being
 * asked: then the request must be from a page of ours. */
static bool is_known(struct tailbox__admin_request *q, const char *header,
                     const char *origin, const char *host,
                     enum MHD_Result *sent)
{
	const char *token, *session, *site;

	if (header != NULL) {
		token = bearer(header);
		if (token != NULL &&
		    tailbox__admin_is_token(token, strlen(token)))
			return true;
		*sent = tailbox__admin_wrong_token(q);
		return false;
	}
	session = tailbox__admin_session(q);
	if (session == NULL || !tailbox__session_is(session,
	                                            tailbox__mono_ns())) {
		*sent = say_unauthorized(
		        q, session != NULL
		                   ? "the session is over; POST /session"
		                   : "say Authorization: Bearer TOKEN, or "
		                     "begin a session with POST /session");
		return false;
	}
	if (!only(q, "Sec-Fetch-Site", &site) ||
	    (site != NULL && strcmp(site, "same-origin") != 0 &&
	     strcmp(site, "none") != 0) ||
	    (origin != NULL && !tailbox__admin_is_origin(origin, host))) {
		*sent = tailbox__admin_error(q, MHD_HTTP_FORBIDDEN,
		                             "cross_origin",
		                             "a session is for pages of this "
		                             "server only");
		return false;
	}
	q->is_by_session = true;
	return true;
}

/* --- all of it --------------------------------------------------------- */

static bool is_from_here(struct tailbox__admin_request *q, const char *method,
                         const char *origin, const char *host,
                         enum MHD_Result *sent)
{
	if (q->via == TAILBOX__VIA_TCP &&
	    (host == NULL || !is_our_host(q, host))) {
		*sent = tailbox__admin_error(
		        q, MHD_HTTP_MISDIRECTED_REQUEST, "wrong_host",
		        "%s is not a name of this server; [admin] allow_hosts "
		        "takes more names",
		        host != NULL ? "the Host header" : "no Host header");
		return false;
	}
	if (origin != NULL && !is_reading(method) &&
	    !tailbox__admin_is_origin(origin, host)) {
		*sent = tailbox__admin_error(q, MHD_HTTP_FORBIDDEN,
		                             "cross_origin",
		                             "only pages of this server may "
		                             "change something here");
		return false;
	}
	return true;
}

/* It takes the token from its body. */
static bool begins_session(const char *method, const char *path)
{
	return strcmp(method, "POST") == 0 && strcmp(path, "/session") == 0;
}

bool tailbox__admin_may(struct tailbox__admin_request *q, const char *method,
                        const char *path, enum MHD_Result *sent)
{
	const char *host, *origin, *header;

	if (!only(q, "Host", &host) || !only(q, "Origin", &origin) ||
	    !only(q, "Authorization", &header)) {
		*sent = tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST,
		                             "bad_header",
		                             "Host, Origin and Authorization "
		                             "may be given once");
		return false;
	}
	if (!is_from_here(q, method, origin, host, sent))
		return false;
	if (q->is_trusted || (is_reading(method) &&
	                      strcmp(path, "/healthz") == 0))
		return true;
	if (header == NULL && begins_session(method, path))
		return true;
	if (!is_known(q, header, origin, host, sent))
		return false;
	q->is_known = true;
	if (q->via == TAILBOX__VIA_TCP)
		tailbox__guard_admit(q->connection);
	return true;
}
