/* controller/admin_session.c - POST and DELETE /session.
 *
 * SPDX-License-Identifier: MIT
 *
 * A browser has no place for a bearer token that a page's script could not
 * read, so it hands the token in once and gets a cookie that no script can
 * read (HttpOnly) and that is not sent along for pages of others (SameSite).
 * The token comes as Authorization header, or in the body as a form or as
 * JSON: {"token": "..."} and nothing else. It is never taken from the query,
 * which ends up in logs and histories.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <tailbox.h>

#include "controller/admin_internal.h"
#include "controller/admin_token.h"
#include "controller/internal.h"

#define NAME "tailbox_session"

/* What a token is read into: one more byte than any has, so that a longer one
 * is wrong and not cut. */
struct taken {
	size_t len;
	char text[TAILBOX__TOKEN_MAX + 1];
};

static void take(struct taken *t, unsigned char c)
{
	if (t->len < sizeof(t->text))
		t->text[t->len++] = (char)c;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* --- application/x-www-form-urlencoded --------------------------------- */

bool tailbox__session_form(const char *p, const char *end, char *text,
                           size_t *len)
{
	struct taken t = { 0 };

	if ((size_t)(end - p) < 6 || memcmp(p, "token=", 6) != 0)
		return false;
	for (p += 6; p < end; p++) {
		if (*p == '&' || *p == '\0')
			return false; /* nothing else is known here */
		if (*p == '+') {
			take(&t, ' ');
		} else if (*p != '%') {
			take(&t, (unsigned char)*p);
		} else {
			if (end - p < 3 || hex(p[1]) < 0 || hex(p[2]) < 0)
				return false;
			take(&t, (unsigned char)(hex(p[1]) << 4 | hex(p[2])));
			p += 2;
		}
	}
	memcpy(text, t.text, t.len);
	*len = t.len;
	return true;
}

/* --- JSON -------------------------------------------------------------- */

static const char *skip_space(const char *p, const char *end)
{
	while (p < end &&
	       (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* Behind `what` and the space around it; NULL when it is not there. */
static const char *expect(const char *p, const char *end, const char *what)
{
	size_t n = strlen(what);

	if (p == NULL)
		return NULL;
	p = skip_space(p, end);
	if ((size_t)(end - p) < n || memcmp(p, what, n) != 0)
		return NULL;
	return skip_space(p + n, end);
}

/* Tokens are ASCII; of escapes only those that stand for it are read. */
static const char *escape(const char *p, const char *end, struct taken *t)
{
	int v = 0;

	if (p == end)
		return NULL;
	if (*p == '"' || *p == '\\' || *p == '/') {
		take(t, (unsigned char)*p);
		return p + 1;
	}
	if (*p != 'u' || end - p < 5)
		return NULL;
	for (int i = 1; i <= 4; i++) {
		if (hex(p[i]) < 0)
			return NULL;
		v = v << 4 | hex(p[i]);
	}
	if (v < 0x20 || v > 0x7e)
		return NULL;
	take(t, (unsigned char)v);
	return p + 5;
}

static const char *string(const char *p, const char *end, struct taken *t)
{
	while (p != NULL && p < end && *p != '"') {
		if (*p == '\\')
			p = escape(p + 1, end, t);
		else if ((unsigned char)*p < 0x20)
			return NULL;
		else
			take(t, (unsigned char)*p++);
	}
	return p != NULL && p < end ? p + 1 : NULL;
}

bool tailbox__session_json(const char *p, const char *end, char *text,
                           size_t *len)
{
	struct taken t = { 0 };

	p = expect(p, end, "{");
	p = expect(p, end, "\"token\"");
	p = expect(p, end, ":");
	if (p == NULL || p == end || *p != '"')
		return false;
	p = expect(string(p + 1, end, &t), end, "}");
	if (p != end)
		return false;
	memcpy(text, t.text, t.len);
	*len = t.len;
	return true;
}

/* --- the calls --------------------------------------------------------- */

static bool is_type(const char *header, const char *type)
{
	size_t n = strlen(type);

	return strncasecmp(header, type, n) == 0 &&
	       (header[n] == '\0' || header[n] == ';' || header[n] == ' ');
}

/* 1, 0 (not that syntax) or -1 (another type). */
static int read_body(const struct tailbox__admin_request *q, char *text,
                     size_t *len)
{
	const char *type = MHD_lookup_connection_value(
	        q->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
	const char *body = q->body != NULL ? q->body : "";
	const char *end = body + q->body_bytes;

	if (type == NULL)
		return -1;
	if (is_type(type, "application/json"))
		return tailbox__session_json(body, end, text, len);
	if (is_type(type, "application/x-www-form-urlencoded"))
		return tailbox__session_form(body, end, text, len);
	return -1;
}

static enum MHD_Result no_session_here(struct tailbox__admin_request *q)
{
	return tailbox__admin_error(q, MHD_HTTP_NOT_FOUND, "no_sessions",
	                            "here no token is asked for, so there are "
	                            "no sessions");
}

static enum MHD_Result begin(struct tailbox__admin_request *q)
{
	char text[TAILBOX__SESSION_TEXT + 1], cookie[512];
	struct MHD_Response *r;
	struct tailbox__json j;
	int rc = tailbox__session_make(text, tailbox__mono_ns());

	if (rc != 0)
		return tailbox__admin_error(q, MHD_HTTP_SERVICE_UNAVAILABLE,
		                            "no_random_numbers", "%s",
		                            tailbox_strerror(rc));
	snprintf(cookie, sizeof(cookie),
	         NAME "=%s; HttpOnly; SameSite=Strict; Path=%.256s; Max-Age=%u",
	         text, q->prefix[0] != '\0' ? q->prefix : "/",
	         TAILBOX__SESSION_S);
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_text(&j, "result", "session");
	tailbox__admin_put_u64(&j, "expires_in_s", TAILBOX__SESSION_S);
	tailbox__json_end_object(&j);
	r = tailbox__admin_of_json(&j);
	if (r != NULL)
		MHD_add_response_header(r, "Set-Cookie", cookie);
	return tailbox__admin_send(q, MHD_HTTP_OK, r);
}

enum MHD_Result tailbox__admin_session_begin(struct tailbox__admin_request *q)
{
	char text[TAILBOX__TOKEN_MAX + 1];
	size_t len = 0;
	int rc;

	if (q->via == TAILBOX__VIA_UNIX || q->is_trusted)
		return no_session_here(q);
	if (q->is_known && q->body_bytes > 0)
		return tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST,
		                            "unexpected_body",
		                            "the token is in the header "
		                            "already");
	if (q->is_known)
		return begin(q);
	rc = read_body(q, text, &len);
	if (rc < 0)
		return tailbox__admin_error(
		        q, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "bad_body",
		        "the token comes as Authorization header, as form or "
		        "as application/json");
	if (rc == 0)
		return tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST, "bad_body",
		                            "token=TOKEN or {\"token\": "
		                            "\"TOKEN\"}, and nothing else");
	if (!tailbox__admin_is_token(text, len))
		return tailbox__admin_wrong_token(q);
	return begin(q);
}

enum MHD_Result tailbox__admin_session_end(struct tailbox__admin_request *q)
{
	const char *session = tailbox__admin_session(q);
	struct MHD_Response *r;
	struct tailbox__json j;
	char cookie[384];

	if (q->via == TAILBOX__VIA_UNIX || q->is_trusted)
		return no_session_here(q);
	if (session != NULL)
		tailbox__session_end(session);
	snprintf(cookie, sizeof(cookie),
	         NAME "=; HttpOnly; SameSite=Strict; Path=%.256s; Max-Age=0",
	         q->prefix[0] != '\0' ? q->prefix : "/");
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_text(&j, "result", "logged_out");
	tailbox__json_end_object(&j);
	r = tailbox__admin_of_json(&j);
	if (r != NULL)
		MHD_add_response_header(r, "Set-Cookie", cookie);
	return tailbox__admin_send(q, MHD_HTTP_OK, r);
}
