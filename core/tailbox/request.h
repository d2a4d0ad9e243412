/* tailbox/request.h - requests: the handle, names, ids, tags.
 *
 * SPDX-License-Identifier: MIT
 *
 * A handle is an opaque number in the shape of a pointer: never dereference
 * it. It stays safe for ever: used after its request has ended, a call does
 * nothing and what it would have recorded counts as late. NULL is allowed
 * everywhere and does nothing.
 */
#ifndef TAILBOX_REQUEST_H
#define TAILBOX_REQUEST_H 1

#include <tailbox/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tailbox_request_handle;
typedef struct tailbox_request_handle *tailbox_request;

/* Longest route, stage, wait, gauge, tag and site text in bytes; longer text
 * is cut at a character boundary. */
#define TAILBOX_NAME_MAX 111u
/* Longest request id in bytes that tailbox_request_set_id() keeps. */
#define TAILBOX_ID_MAX 96u
/* Tags kept per request; more are counted as lost. */
#define TAILBOX_TAGS_MAX 4u

/* Begin a request that did not come through libmicrohttpd.
 * route: a low-cardinality name; NULL or blank counts as "{other}".
 * kind:  "job" and the like; NULL = unknown.
 * Returns NULL when nothing is recorded (not started, off, no free slot: the
 * last is counted). No lock, allocation or system call.
 * Threads: any thread. Since 0.1. */
TAILBOX_API tailbox_request tailbox_request_begin(const char *route,
                                                  const char *kind);

/* End a request made with tailbox_request_begin(). The first end wins.
 * outcome: "ok", "error", "timeout", "cancelled", "rejected" or your own
 * word; NULL or blank = "ok".
 * Threads: any thread that holds the request. Since 0.1. */
TAILBOX_API void tailbox_request_finish(tailbox_request r, const char *outcome);

/* Name the route, a pattern such as "/items/{id}". The last call before the
 * end wins. Threads: any thread that holds the request. Since 0.1. */
TAILBOX_API void tailbox_request_set_route(tailbox_request r,
                                           const char *route);

/* Give the request an id of your own (at most TAILBOX_ID_MAX bytes; cut at a
 * character boundary, invalid UTF-8 replaced). Uniqueness is yours to keep:
 * validation rejects two finished requests with one id.
 * Threads: any thread that holds the request. Since 0.1. */
TAILBOX_API void tailbox_request_set_id(tailbox_request r, const char *id);

/* Override the outcome that the HTTP status gives. Since 0.1. */
TAILBOX_API void tailbox_request_set_outcome(tailbox_request r,
                                             const char *outcome);

/* Attach key=value; both are interned, so keep them few. Since 0.1. */
TAILBOX_API void tailbox_request_tag(tailbox_request r, const char *key,
                                     const char *value);

/* Leave this request out of the recording altogether. Since 0.1. */
TAILBOX_API void tailbox_request_discard(tailbox_request r);

/* The number of the request in this process, 0 for NULL or ended. It is the
 * last part of the request id in artifacts. Since 0.1. */
TAILBOX_API uint64_t tailbox_request_number(tailbox_request r);

/* Write a W3C traceparent header value for a call this request makes
 * downstream: the trace id that came in (or one made of this request's
 * number), and this request as the parent.
 * buf: at least 56 bytes. Returns 55, the length without the final NUL, or 0
 * with an empty string when r is NULL or ended. Since 0.1. */
TAILBOX_API int tailbox_request_traceparent(tailbox_request r, char *buf,
                                            size_t bufsize);

#ifdef __cplusplus
}
#endif
#endif
