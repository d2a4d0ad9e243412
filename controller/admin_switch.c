/* controller/admin_switch.c - POST /recorder: the kill switch.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <tailbox.h>

#include "controller/admin_internal.h"

static enum MHD_Result answer(struct tailbox__admin_request *q, bool is_changed)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__switch_status s;
	struct tailbox__json j;

	tailbox__switch_status(&s);
	const uint64_t window = is_changed ? s.window : 0;
	if (q->as_text) {
		tailbox__text_add(&t, "recording is %s%s\n",
		                  s.is_on ? "on" : "off",
		                  is_changed ? "" : ", as it was");
		if (window)
			tailbox__text_add(&t, "window %" PRIu64
			                      " is closed, its artifact is written\n",
			                  window);
		return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_bool(&j, "on", s.is_on);
	tailbox__admin_put_bool(&j, "changed", is_changed);
	tailbox__admin_put_u64(&j, "closed_window",
	                       tailbox__admin_or_none(window));
	tailbox__admin_put_switch(&j, &s);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}

void tailbox__admin_put_switch(struct tailbox__json *j,
                               const struct tailbox__switch_status *s)
{
	tailbox__admin_put_text(j, "switched_by", s->by);
	tailbox__admin_put_u64(j, "switched_at_unix_ms", s->at_ms);
	tailbox__admin_put_u64(j, "switched", s->count);
	tailbox__admin_put_u64(j, "cut_requests", s->cut);
}

enum MHD_Result tailbox__admin_recorder(struct tailbox__admin_request *q)
{
	const char *text = tailbox__admin_param(q, "on");
	char by[TAILBOX__PEER_TEXT];
	uint64_t on;
	int rc;

	if (text == NULL || !tailbox__admin_count(text, 0, 1, &on))
		return tailbox__admin_error(q, MHD_HTTP_BAD_REQUEST,
		                            "bad_parameter",
		                            "parameter on %s 0 or 1",
		                            text ? "takes" : "is missing:");
	tailbox__admin_peer(q, by);
	rc = tailbox__switch(on != 0, by);
	if (rc == -EBUSY)
		return tailbox__admin_error_header(
		        q, MHD_HTTP_CONFLICT, "window_closing", "Retry-After",
		        "1", "the window that was closed by switching off is "
		             "still being written");
	if (rc < 0)
		return tailbox__admin_error(q, MHD_HTTP_SERVICE_UNAVAILABLE,
		                            "not_recorded", "%s",
		                            tailbox__admin_facts->why_not);
	return answer(q, rc > 0);
}
