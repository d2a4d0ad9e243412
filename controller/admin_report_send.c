/* controller/admin_report_send.c - what became of a report, as an answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tailbox.h>

#include "controller/admin_report.h"

/* The library has two names for it, and warns of the older one. */
#define CANNOT_ANALYZE 422u

static enum MHD_Result send_report(struct tailbox__admin_request *q,
                                   const struct tailbox__report_made *m)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		m->child.len, m->child.out, MHD_RESPMEM_MUST_COPY);

	if (r != NULL)
		MHD_add_response_header(r, "Content-Type",
		                        m->as_text ? "text/plain; charset=utf-8"
		                                   : "application/json");
	return tailbox__admin_send(q, MHD_HTTP_OK, r);
}

enum MHD_Result tailbox__report_failed(struct tailbox__admin_request *q,
                                       const char *detail, const char *more)
{
	return tailbox__admin_error(q, MHD_HTTP_BAD_GATEWAY, "report_failed",
	                            "the command %s%s", detail, more);
}

enum MHD_Result tailbox__report_no_command(struct tailbox__admin_request *q,
                                           const char *command, const char *why)
{
	return tailbox__admin_error(
		q, MHD_HTTP_NOT_IMPLEMENTED, "no_command",
		"%.600s: %s; fetch the artifact (its name and .tailbox) and "
		"run where it is installed: tailbox analyze FILE",
		command, why);
}

static enum MHD_Result send_exited(struct tailbox__admin_request *q,
                                   struct tailbox__report_made *m)
{
	const struct tailbox__child *c = &m->child;
	char line[TAILBOX__CHILD_SAID_MAX], number[16];

	/* The command prints all of a report or nothing, and its last byte is
	 * a newline: that has to do where the exit status is not known. */
	if ((c->end == TAILBOX__CHILD_UNKNOWN || c->code == 0) && c->len > 0 &&
	    c->out[c->len - 1] == '\n')
		return send_report(q, m);
	if (c->end == TAILBOX__CHILD_UNKNOWN)
		return tailbox__report_failed(
			q,
			"printed no report, and its exit status was "
			"taken by the application: ",
			tailbox__child_last_words(c, line, sizeof(line)));
	if (c->code == 1)
		return tailbox__admin_error(q, CANNOT_ANALYZE, "cannot_analyze",
		                            "%s", tailbox__child_last_words(c, line, sizeof(line)));
	if (c->code == 0)
		return tailbox__report_failed(q, "printed no report", "");
	snprintf(number, sizeof(number), "%d", c->code);
	return tailbox__report_failed(q, "ended with exit status ", number);
}

enum MHD_Result tailbox__report_send(struct tailbox__admin_request *q,
                                     struct tailbox__report_made *m)
{
	const struct tailbox__child_limits *l = &tailbox__report_limits;
	const struct tailbox__child *c = &m->child;
	char number[16];

	switch (c->end) {
	case TAILBOX__CHILD_EXITED:
	case TAILBOX__CHILD_UNKNOWN:
		break;
	case TAILBOX__CHILD_KILLED:
		snprintf(number, sizeof(number), "%d", c->code);
		return tailbox__report_failed(q, "was ended by signal ",
		                              number);
	case TAILBOX__CHILD_LATE:
		return tailbox__admin_error(
			q, MHD_HTTP_GATEWAY_TIMEOUT, "report_timeout",
			"the command took longer than %" PRIu64 " ms, or than "
			"%" PRIu64 " s of CPU time, and was killed",
			l->wall_ms, l->cpu_s);
	case TAILBOX__CHILD_TOO_MUCH:
		return tailbox__admin_error(
			q, MHD_HTTP_BAD_GATEWAY, "report_too_large",
			"the command printed more than %zu bytes, and was "
			"killed",
			l->output_bytes);
	case TAILBOX__CHILD_STOPPED:
		return tailbox__admin_error(q, MHD_HTTP_SERVICE_UNAVAILABLE,
		                            "stopping", "tailbox stops");
	case TAILBOX__CHILD_NO_START:
		if (c->code == -ENOENT || c->code == -EACCES ||
		    c->code == -ENOTDIR || c->code == -ENOEXEC)
			return tailbox__report_no_command(
				q, m->command, tailbox_strerror(c->code));
		return tailbox__report_failed(
			q, "does not start: ", tailbox_strerror(c->code));
	}
	return send_exited(q, m);
}
