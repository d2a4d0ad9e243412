/* controller/admin_look.c - look at what is under way now.
 *
 * SPDX-License-Identifier: MIT
 *
 * Read from the tape as any other process would, by pread from its
 * descriptor: no lock, and nothing that a stuck or dead thread could hold.
 * The descriptor is the recorder's own. Opening the path again would be a
 * trap: closing that would drop the lock that says we are alive.
 *
 * What is read changes meanwhile. A slot is of one request (the reader sees
 * to that), but its phase or its span may be a moment newer than its start,
 * so every difference of times is cut at 0.
 */
#include "controller/admin_look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <tailbox.h>

#include "core/recorder.h"

static struct tailbox__reader *reader;

struct tailbox__reader *tailbox__admin_reader(void)
{
	if (!tailbox__admin_facts->is_recorded)
		return NULL;
	if (reader == NULL &&
	    tailbox__reader_open_fd(tailbox__recorder.tape.fd, &reader, NULL))
		return NULL;
	/* For the second anchor; when it fails the first one serves. */
	(void)tailbox__reader_refresh(reader);
	return reader;
}

void tailbox__admin_reader_close(void)
{
	tailbox__reader_close(reader), reader = NULL;
}

/* Not closed: the parent's thread may have been in the midst of a change. */
void tailbox__admin_reader_in_child(void)
{
	reader = NULL;
}

int tailbox__look(struct tailbox__look *l)
{
	l->r = tailbox__admin_reader();
	if (l->r == NULL)
		return tailbox__admin_facts->is_recorded ? -ENOMEM : -ENODATA;
	/* What it says then is how things were when it was switched off. */
	if (!tailbox__recorder_is_on())
		return -ECANCELED;
	l->slot_count = tailbox__reader_slots(l->r, &l->slots);
	if (l->slot_count < 0)
		return (int)l->slot_count;
	l->thread_count = tailbox__reader_threads(l->r, &l->threads);
	if (l->thread_count < 0)
		return (int)l->thread_count;
	l->scale = tailbox__reader_scale(l->r);
	l->now = tailbox__reader_now(l->r);
	return 0;
}

uint64_t tailbox__look_us(const struct tailbox__look *l, uint64_t tick)
{
	return l->now > tick
	               ? tailbox__ticks_to_ns(l->scale, l->now - tick) / 1000
	               : 0;
}

/* Switched off. That is no failure, and not the same as nothing there. */
static enum MHD_Result nothing_seen(struct tailbox__admin_request *q)
{
	static const char why[] = "recording is switched off: what is under "
	                          "way is not seen";
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__json j;

	if (q->as_text) {
		tailbox__text_add(&t, "%s\n", why);
		return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__admin_put_u64(&j, "count", TAILBOX__NONE);
	tailbox__admin_put_text(&j, "why_not", why);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}

enum MHD_Result tailbox__look_failed(struct tailbox__admin_request *q, int rc)
{
	if (rc == -ENODATA)
		return tailbox__admin_error(q, MHD_HTTP_SERVICE_UNAVAILABLE,
		                            "not_recorded", "%s",
		                            tailbox__admin_facts->why_not);
	if (rc == -ECANCELED)
		return nothing_seen(q);
	return tailbox__admin_error(q, MHD_HTTP_INTERNAL_SERVER_ERROR,
	                            "tape_unreadable", "%s",
	                            tailbox_strerror(rc));
}

/* --- which request, and where it is ------------------------------------ */

size_t tailbox__look_id(const struct tailbox__slot *s,
                        char text[TAILBOX_ID_MAX + 1])
{
	uint64_t words[TAILBOX_ID_MAX / 8];

	for (size_t i = 0; i < TAILBOX_ID_MAX / 8; i++)
		words[i] = TAILBOX__GET(s->id_text[i]);
	memcpy(text, words, TAILBOX_ID_MAX);
	text[TAILBOX_ID_MAX] = '\0';
	return strlen(text);
}

void tailbox__look_route(const struct tailbox__look *l,
                         const struct tailbox__slot *s,
                         char text[TAILBOX_NAME_MAX + 1])
{
	uint32_t flags = TAILBOX__GET(s->flags);
	uint16_t route = TAILBOX__GET(s->route);

	text[0] = '\0';
	if (route != TAILBOX__NAME_NONE)
		snprintf(text, TAILBOX_NAME_MAX + 1, "%s",
		         tailbox__reader_name(l->r, route, NULL));
	else if (!(flags & (TAILBOX__REQ_CORE | TAILBOX__REQ_HAS_ID)))
		tailbox__look_id(s, text);
}

struct tailbox__where tailbox__look_where(const struct tailbox__look *l,
                                          const struct tailbox__slot *s)
{
	uint32_t kind = tailbox__slot_where(s);
	uint32_t names = TAILBOX__GET(s->where);
	struct tailbox__where w = { NULL, "", "", 0 };

	if (kind != TAILBOX_SPAN_STAGE && kind != TAILBOX_SPAN_WAIT)
		return w;
	w.kind = kind == TAILBOX_SPAN_STAGE ? "stage" : "wait";
	w.name = tailbox__reader_name(l->r, (uint16_t)names, NULL);
	w.site = tailbox__reader_name(l->r, (uint16_t)(names >> 16), NULL);
	w.for_us = tailbox__look_us(l, TAILBOX__GET(s->where_since));
	return w;
}

void tailbox__look_put_where(struct tailbox__json *j,
                             const struct tailbox__where *w)
{
	tailbox__json_key(j, "where");
	if (w->kind == NULL) {
		tailbox__json_null(j);
		return;
	}
	tailbox__json_begin_object(j);
	tailbox__admin_put_text(j, "kind", w->kind);
	tailbox__admin_put_text(j, "name", w->name);
	tailbox__admin_put_text(j, "site", w->site);
	tailbox__admin_put_u64(j, "for_us", w->for_us);
	tailbox__json_end_object(j);
}

void tailbox__look_add_where(struct tailbox__text *t,
                             const struct tailbox__where *w)
{
	char buf[TAILBOX__UNIT_TEXT];

	if (w->kind == NULL)
		tailbox__text_add(t, "-\t-\t-");
	else
		tailbox__text_add(t, "%s %s\t%s\t%s", w->kind, w->name,
		                  tailbox__text_us(buf, w->for_us),
		                  w->site[0] != '\0' ? w->site : "-");
}
