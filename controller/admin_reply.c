/* controller/admin_reply.c - answers and errors of the admin server.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every answer closes its connection. Their number is bounded, and as many
 * clients that keep theirs idle would shut out the one who needs /status; a
 * new connection on a Unix socket costs some microseconds.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "controller/admin_internal.h"
#include "core/alloc.h"
#include "core/json_put.h"

/* Where there is a token, a browser may be: nothing is kept in its cache, and
 * nothing that is sent here runs, or is shown in a page of others. */
static void add_for_browsers(struct MHD_Response *r)
{
	MHD_add_response_header(r, "Cache-Control", "no-store");
	MHD_add_response_header(r, "Content-Security-Policy",
	                        "default-src 'none'; frame-ancestors 'none'");
	MHD_add_response_header(r, "Cross-Origin-Resource-Policy",
	                        "same-origin");
	MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
}

enum MHD_Result tailbox__admin_send(struct tailbox__admin_request *q,
                                    unsigned status, struct MHD_Response *r)
{
	enum MHD_Result rc;

	if (r == NULL)
		return MHD_NO;
	MHD_add_response_header(r, "Connection", "close");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	if (q->via == TAILBOX__VIA_UNIX)
		/* Values of a moment: no cache keeps them, but may ask
		 * again. */
		MHD_add_response_header(r, "Cache-Control", "no-cache");
	else
		add_for_browsers(r);
	if (q->is_job) {
		q->response = r;
		q->status = status;
		return MHD_YES;
	}
	rc = MHD_queue_response(q->connection, status, r);
	MHD_destroy_response(r);
	return rc;
}

static struct MHD_Response *whole(char *buf, size_t len, const char *type)
{
	struct MHD_Response *r;

	r = MHD_create_response_from_buffer_with_free_callback(len, buf,
	                                                       tailbox__free);
	if (r == NULL)
		tailbox__free(buf);
	else
		MHD_add_response_header(r, "Content-Type", type);
	return r;
}

struct MHD_Response *tailbox__admin_of_json(struct tailbox__json *j)
{
	size_t len;
	char *buf = tailbox__json_take(j, &len);

	if (buf == NULL)
		return NULL;
	buf[len++] = '\n'; /* in place of the NUL, for terminals */
	return whole(buf, len, "application/json");
}

static struct MHD_Response *of_text(struct tailbox__text *t)
{
	char *buf = t->buf;
	size_t len = t->len;

	if (t->has_failed || buf == NULL) {
		tailbox__text_fini(t);
		return NULL;
	}
	*t = (struct tailbox__text)TAILBOX__TEXT_INIT;
	return whole(buf, len, "text/plain; charset=utf-8");
}

enum MHD_Result tailbox__admin_send_json(struct tailbox__admin_request *q,
                                         unsigned status,
                                         struct tailbox__json *j)
{
	return tailbox__admin_send(q, status, tailbox__admin_of_json(j));
}

enum MHD_Result tailbox__admin_send_text(struct tailbox__admin_request *q,
                                         unsigned status,
                                         struct tailbox__text *t)
{
	return tailbox__admin_send(q, status, of_text(t));
}

/* --- errors ------------------------------------------------------------ */

static struct MHD_Response *error_body(const struct tailbox__admin_request *q,
                                       const char *code, const char *detail,
                                       uint64_t id)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__json j;

	if (q->as_text) {
		tailbox__text_add(&t, "%s: %s\n", code, detail);
		return of_text(&t);
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_text(&j, "error", code);
	tailbox__admin_put_text(&j, "detail", detail);
	if (id != TAILBOX__NONE)
		tailbox__admin_put_u64(&j, "id", id);
	tailbox__json_end_object(&j);
	return tailbox__admin_of_json(&j);
}

enum MHD_Result tailbox__admin_error_id(struct tailbox__admin_request *q,
                                        unsigned status, const char *code,
                                        const char *detail, uint64_t id)
{
	return tailbox__admin_send(q, status, error_body(q, code, detail, id));
}

enum MHD_Result tailbox__admin_error_header(struct tailbox__admin_request *q,
                                            unsigned status, const char *code,
                                            const char *header,
                                            const char *value,
                                            const char *detail)
{
	struct MHD_Response *r = error_body(q, code, detail, TAILBOX__NONE);

	if (r != NULL)
		MHD_add_response_header(r, header, value);
	return tailbox__admin_send(q, status, r);
}

enum MHD_Result tailbox__admin_error(struct tailbox__admin_request *q,
                                     unsigned status, const char *code,
                                     const char *fmt, ...)
{
	char detail[1024];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(detail, sizeof(detail), fmt, args) < 0)
		detail[0] = '\0';
	va_end(args);
	return tailbox__admin_error_id(q, status, code, detail, TAILBOX__NONE);
}

/* --- members ----------------------------------------------------------- */

void tailbox__admin_put_u64(struct tailbox__json *j, const char *key,
                            uint64_t value)
{
	put_num(j, key, value);
}

void tailbox__admin_put_text(struct tailbox__json *j, const char *key,
                             const char *value)
{
	put_word_or_null(j, key, value);
}

void tailbox__admin_put_bool(struct tailbox__json *j, const char *key,
                             bool value)
{
	put_flag(j, key, value);
}

void tailbox__admin_put_milli(struct tailbox__json *j, const char *key,
                              uint64_t value)
{
	char text[32];
	int n;

	tailbox__json_key(j, key);
	if (value == TAILBOX__NONE) {
		tailbox__json_null(j);
		return;
	}
	n = snprintf(text, sizeof(text), "%" PRIu64 ".%03u", value / 1000,
	             (unsigned)(value % 1000));
	tailbox__json_raw(j, text, (size_t)n);
}
