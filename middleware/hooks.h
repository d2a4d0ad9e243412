/* middleware/hooks.h - what is called in place of the application.
 *
 * SPDX-License-Identifier: MIT
 *
 * cls of each hook: struct tailbox__mhd.
 */
#ifndef TAILBOX_MIDDLEWARE_HOOKS_H
#define TAILBOX_MIDDLEWARE_HOOKS_H 1

#include "middleware/connections.h"

/* MHD_OPTION_URI_LOG_CALLBACK */
void *tailbox__hook_uri_log(void *cls, const char *uri,
                            struct MHD_Connection *c);
/* the access handler */
enum MHD_Result tailbox__hook_handler(void *cls, struct MHD_Connection *c,
                                      const char *url, const char *method,
                                      const char *version, const char *data,
                                      size_t *size, void **req_cls);
/* MHD_OPTION_NOTIFY_COMPLETED */
void tailbox__hook_completed(void *cls, struct MHD_Connection *c,
                             void **req_cls,
                             enum MHD_RequestTerminationCode toe);

/* --- phases.c: what is not on the way of a plain GET ------------------- */

/* The status that is queued on a connection, 0 = none yet. */
static inline unsigned tailbox__status_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(
	        c, MHD_CONNECTION_INFO_HTTP_STATUS);

	return i ? i->http_status & ~MHD_ICY_FLAG : 0;
}

/* A handler call that is not the first, nor the second of a GET. upload:
 * bytes that it is offered. */
void tailbox__phase_enter(struct tailbox__thread *t, struct tailbox__conn *s,
                          size_t upload);
struct tailbox__call {
	bool was_first;
	enum MHD_Result result;
	size_t upload, consumed;
};
/* The handler returned and nothing is queued. */
void tailbox__phase_leave(struct tailbox__thread *t, struct tailbox__conn *s,
                          struct MHD_Connection *c,
                          const struct tailbox__call *call);
/* A response was queued that ends the request or its body early. */
void tailbox__phase_upgraded(struct tailbox__thread *t,
                             struct tailbox__conn *s, uint64_t now);
void tailbox__phase_early(struct tailbox__conn *s, struct MHD_Connection *c);
/* Completed in another state than queued. Returns the send phase, which is
 * valid when the slot's known words say so. */
uint64_t tailbox__phase_finish(struct tailbox__thread *t,
                               struct tailbox__conn *s,
                               struct MHD_Connection *c, uint64_t now);
/* The route's name, now that the status is known. */
void tailbox__phase_name(struct tailbox__thread *t, struct tailbox__conn *s,
                         unsigned status);
/* The connection goes and its request was never completed; also nothing. */
void tailbox__request_cut(struct tailbox__thread *t, struct tailbox__conn *s);
/* The request is over: the state is that of an idle connection. */
void tailbox__request_over(struct tailbox__conn *s, uint64_t now);

/* --- suspend.c --------------------------------------------------------- */

/* Whether the handler that just returned left its connection suspended; then
 * suspended_at is set. */
bool tailbox__suspended(struct tailbox__conn *s, struct MHD_Connection *c);
/* For one that is called from inside a handler and not told of the connection:
 * the request that this thread serves; NULL: not recorded. */
tailbox_request tailbox__request_here(void);
/* It runs again: forget the place in the table of suspended ones. */
void tailbox__suspend_forget(struct tailbox__conn *s);

/* The suspended connection of that name, NULL when it is not known as one.
 * Any thread; asks the server nothing. */
struct tailbox__conn *tailbox__suspend_find(const struct MHD_Connection *c);

/* --- reader.c: s->reader, a response of tailbox_mhd_create_response_... -- */

/* The request ends: what is known of its content reader is in its slot. */
void tailbox__reader_finish(struct tailbox__conn *s);
/* The same, and its slot is not to be touched. Both: also nothing. */
void tailbox__reader_forget(struct tailbox__conn *s);

/* --- trace.c ----------------------------------------------------------- */

/* A value of that header, into the slot if it is valid. */
void tailbox__trace_keep(struct tailbox__slot *slot, const char *text,
                         size_t len);
/* Look for a W3C traceparent among the request's headers. */
static inline void tailbox__trace_look(struct MHD_Connection *c,
                                       struct tailbox__slot *slot)
{
	static const char name[] = "traceparent";
	const char *text;
	size_t len;

	if (__builtin_expect(MHD_lookup_connection_value_n(
	                             c, MHD_HEADER_KIND, name, sizeof(name) - 1,
	                             &text, &len) == MHD_YES, 0) &&
	    text != NULL)
		tailbox__trace_keep(slot, text, len);
}
struct tailbox__traceparent {
	uint64_t hi, lo, parent;
	uint8_t flags;
};
/* Parse a header value strictly; false: not valid, out is not touched. */
bool tailbox__trace_parse(const char *text, size_t len,
                          struct tailbox__traceparent *out);

#endif
