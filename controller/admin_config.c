/* controller/admin_config.c - GET /config and POST /reload.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <tailbox.h>

#include "controller/admin_internal.h"
#include "controller/settings.h"
#include "core/alloc.h"

static void add_text(void *cls, const char *text, size_t len)
{
	tailbox__text_add(cls, "%.*s", (int)len, text);
}

enum MHD_Result tailbox__admin_config(struct tailbox__admin_request *q)
{
	struct tailbox__config *c = tailbox__alloc(1, sizeof(*c));
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__json j;

	if (c == NULL)
		return MHD_NO;
	tailbox__settings_copy(c);
	if (q->as_text) {
		tailbox__config_show(c, add_text, &t);
		tailbox__free(c);
		return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
	}
	tailbox__json_init(&j, true);
	tailbox__config_json(c, &j);
	tailbox__free(c);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}

/* --- reload ------------------------------------------------------------- */

static void put_messages(struct tailbox__json *j,
                         const struct tailbox__config_report *r,
                         bool warnings)
{
	tailbox__json_key(j, warnings ? "warnings" : "errors");
	tailbox__json_begin_array(j);
	for (uint32_t i = 0; i < r->count; i++) {
		const struct tailbox__config_message *m = &r->items[i];
		if (m->is_warning != warnings)
			continue;
		tailbox__json_begin_object(j);
		tailbox__admin_put_u64(j, "line",
		                       tailbox__admin_or_none(m->line));
		tailbox__admin_put_u64(j, "column",
		                       tailbox__admin_or_none(m->column));
		tailbox__admin_put_text(j, "text", m->text);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
}

static void add_messages(struct tailbox__text *t, const char *file,
                         const struct tailbox__config_report *r)
{
	char line[TAILBOX__CONFIG_PATH_MAX + 320];

	for (uint32_t i = 0; i < r->count; i++) {
		tailbox__config_message_text(line, sizeof(line), file,
		                             &r->items[i]);
		tailbox__text_add(t, "%s\n", line);
	}
}

static enum MHD_Result reloaded(struct tailbox__admin_request *q,
                                const struct tailbox__settings_status *s,
                                const struct tailbox__config_report *r)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__json j;

	if (q->as_text) {
		tailbox__text_add(&t, "%s is loaded; an armed window keeps "
		                      "its settings\n", s->file);
		if (s->restart[0] != '\0')
			tailbox__text_add(&t, "changed, and in force after a "
			                      "restart: %s\n", s->restart);
		add_messages(&t, s->file, r);
		return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_text(&j, "result", "reloaded");
	tailbox__admin_put_text(&j, "file", s->file);
	tailbox__admin_put_text(&j, "restart_needed", s->restart);
	put_messages(&j, r, true);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}

static enum MHD_Result refused(struct tailbox__admin_request *q,
                               const struct tailbox__settings_status *s,
                               const struct tailbox__config_report *r)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__json j;

	if (q->as_text) {
		add_messages(&t, s->file, r);
		tailbox__text_add(&t, "the settings stay as they are\n");
		return tailbox__admin_send_text(q, MHD_HTTP_BAD_REQUEST, &t);
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_text(&j, "error", "bad_config");
	tailbox__admin_put_text(&j, "detail", s->error);
	tailbox__admin_put_text(&j, "file", s->file);
	put_messages(&j, r, false);
	put_messages(&j, r, true);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_BAD_REQUEST, &j);
}

enum MHD_Result tailbox__admin_reload(struct tailbox__admin_request *q)
{
	struct work {
		struct tailbox__config_report report;
		struct tailbox__settings_status status;
	} *w = tailbox__zalloc(1, sizeof(*w));
	enum MHD_Result sent;
	int rc;

	if (w == NULL)
		return MHD_NO;
	rc = tailbox__reload(&w->report);
	tailbox__settings_status(&w->status);
	if (rc == -ENOENT)
		sent = tailbox__admin_error(
		        q, MHD_HTTP_NOT_FOUND, "no_config",
		        "the service has no configuration file: name one in "
		        "TAILBOX_CONFIG or in the options of tailbox_start(), "
		        "and start it again");
	else
		sent = rc == 0 ? reloaded(q, &w->status, &w->report)
		               : refused(q, &w->status, &w->report);
	tailbox__free(w);
	return sent;
}
