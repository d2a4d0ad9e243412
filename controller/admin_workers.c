/* controller/admin_workers.c - GET /workers: who holds each of them.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every thread that records, and the threads of a daemon that never ran a
 * callback: those have no entry on the tape, and an idle worker beside a held
 * one is what one wants to see.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "controller/admin_look.h"
#include "core/alloc.h"
#include "core/daemons.h"
#include "core/task.h"

/* One line of the table: a thread that records, or one that never did. */
struct worker {
	long index;           /* -1 = never ran a callback */
	uint32_t tid, daemon; /* 0 = a thread of the application */
	const struct tailbox__thread_entry *entry;
};

struct hold {
	const char *kind; /* NULL = not in the application */
	char route[TAILBOX_NAME_MAX + 1];
	uint64_t number, for_us;
	struct tailbox__where where;
	bool has_task; /* looked at: held for a clock tick or longer */
	struct tailbox__task task;
};

static struct hold hold_of(const struct tailbox__look *l,
                           const struct worker *w)
{
	static const char *const kinds[] = { NULL, "handler", "uri_log",
		                             "completed", "connection",
		                             "reader" };
	const struct tailbox__thread_entry *e = w->entry;
	uint64_t since = e ? TAILBOX__GET(e->hold_since) : 0;
	struct hold h = { .number = TAILBOX__NONE };
	uint32_t kind, slot;

	if (since == 0)
		return h;
	kind = TAILBOX__GET(e->hold_kind);
	slot = TAILBOX__GET(e->hold_slot);
	h.kind = kind > 0 && kind < sizeof(kinds) / sizeof(kinds[0])
	                 ? kinds[kind]
	                 : "callback";
	h.for_us = tailbox__look_us(l, since);
	h.has_task = h.for_us >= tailbox__clock.jiffy_us;
	if (h.has_task)
		tailbox__task_look(0, w->tid, &h.task);
	if (slot < (uint32_t)l->slot_count &&
	    TAILBOX__GET(l->slots[slot].state) == TAILBOX__SLOT_OPEN) {
		const struct tailbox__slot *s = &l->slots[slot];
		h.number = TAILBOX__GET(s->number);
		h.where = tailbox__look_where(l, s);
		tailbox__look_route(l, s, h.route);
	}
	if (h.route[0] == '\0')
		snprintf(h.route, sizeof(h.route), "%s",
		         tailbox__reader_name(
		                 l->r, TAILBOX__GET(e->hold_route), NULL));
	return h;
}

static uint64_t connections_of(const struct tailbox__look *l,
                               const struct worker *w)
{
	uint64_t n = 0;

	for (long i = 0; w->entry != NULL && i < l->slot_count; i++)
		n += TAILBOX__GET(l->slots[i].state) != TAILBOX__SLOT_FREE &&
		     TAILBOX__GET(l->slots[i].connection) != 0 &&
		     TAILBOX__GET(l->slots[i].thread) == (uint32_t)w->index;
	return n;
}

static void put_worker(struct tailbox__json *j, const struct tailbox__look *l,
                       const struct worker *w)
{
	struct hold h = hold_of(l, w);
	uint64_t seen = w->entry ? TAILBOX__GET(w->entry->last_seen) : 0;

	tailbox__json_begin_object(j);
	tailbox__admin_put_u64(
		j, "index", w->index < 0 ? TAILBOX__NONE : (uint64_t)w->index);
	tailbox__admin_put_u64(j, "tid", w->tid);
	tailbox__admin_put_u64(j, "daemon", tailbox__admin_or_none(w->daemon));
	tailbox__json_key(j, "held");
	if (h.kind == NULL) {
		tailbox__json_null(j);
	} else {
		tailbox__json_begin_object(j);
		tailbox__admin_put_text(j, "kind", h.kind);
		tailbox__admin_put_text(j, "route", h.route);
		tailbox__admin_put_u64(j, "number", h.number);
		tailbox__admin_put_u64(j, "for_us", h.for_us);
		tailbox__look_put_where(j, &h.where);
		tailbox__task_json(j, h.has_task ? &h.task : NULL);
		tailbox__json_end_object(j);
	}
	tailbox__admin_put_u64(j, "idle_us",
	                       seen != 0 && h.kind == NULL
	                               ? tailbox__look_us(l, seen)
	                               : TAILBOX__NONE);
	tailbox__admin_put_u64(j, "finished",
	                       w->entry ? TAILBOX__GET(w->entry->finished) : 0);
	tailbox__admin_put_u64(j, "connections", connections_of(l, w));
	tailbox__json_end_object(j);
}

static void add_worker(struct tailbox__text *t, const struct tailbox__look *l,
                       const struct worker *w)
{
	struct hold h = hold_of(l, w);
	char kernel[160] = "-";
	char buf[TAILBOX__UNIT_TEXT];

	if (w->index < 0)
		tailbox__text_add(t, "-\t");
	else
		tailbox__text_add(t, "%ld\t", w->index);
	tailbox__text_add(t, "%u\t", (unsigned)w->tid);
	if (w->daemon == 0)
		tailbox__text_add(t, "application\t");
	else
		tailbox__text_add(t, "daemon %u\t", (unsigned)w->daemon);
	tailbox__text_add(t, "%" PRIu64 "\t%" PRIu64 "\t",
	                  w->entry ? TAILBOX__GET(w->entry->finished) : 0,
	                  connections_of(l, w));
	if (h.kind == NULL) {
		tailbox__text_add(t, "-\t-\t-\t-\t-\t-\t-\t-\n");
		return;
	}
	tailbox__text_add(t, "%s\t%s\t", h.kind,
	                  tailbox__text_us(buf, h.for_us));
	if (h.number == TAILBOX__NONE)
		tailbox__text_add(t, "-\t");
	else
		tailbox__text_add(t, "%" PRIu64 "\t", h.number);
	tailbox__text_add(t, "%s\t", h.route[0] != '\0' ? h.route : "-");
	tailbox__look_add_where(t, &h.where);
	if (h.has_task)
		tailbox__task_text(kernel, sizeof(kernel), &h.task);
	tailbox__text_add(t, "\t%s\n", kernel);
}

static bool is_listed(const struct tailbox__look *l, uint32_t tid)
{
	for (long i = 0; i < l->thread_count; i++)
		if (TAILBOX__GET(l->threads[i].tid) == tid)
			return true;
	return false;
}

/* A daemon that was stopped behind our back leaves its list behind. */
static bool is_thread(uint32_t tid)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/task/%u", (unsigned)tid);
	return access(path, F_OK) == 0;
}

typedef void (*worker_fn)(void *to, const struct tailbox__look *l,
                          const struct worker *w);

static void each_idle(const struct tailbox__look *l, worker_fn fn, void *to)
{
	struct tailbox__daemon *d;
	uint32_t n;

	d = tailbox__alloc(TAILBOX__DAEMONS_MAX, sizeof(*d));
	if (d == NULL)
		return;
	n = tailbox__daemons(d);
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < d[i].tid_count && k < 64; k++) {
			struct worker w = { -1, d[i].tids[k], d[i].number,
				            NULL };
			if (!is_listed(l, w.tid) && is_thread(w.tid) &&
			    !tailbox__is_own_thread(w.tid))
				fn(to, l, &w);
		}
	}
	tailbox__free(d);
}

static void each_worker(const struct tailbox__look *l, worker_fn fn, void *to)
{
	for (long i = 0; i < l->thread_count; i++) {
		const struct tailbox__thread_entry *e = &l->threads[i];
		struct worker w = { i, TAILBOX__GET(e->tid),
			            TAILBOX__GET(e->worker) >> 16, e };
		if (w.tid != 0 && !tailbox__is_own_thread(w.tid))
			fn(to, l, &w);
	}
	each_idle(l, fn, to);
}

static void worker_to_json(void *to, const struct tailbox__look *l,
                           const struct worker *w)
{
	put_worker(to, l, w);
}

static void worker_to_text(void *to, const struct tailbox__look *l,
                           const struct worker *w)
{
	add_worker(to, l, w);
}

enum MHD_Result tailbox__admin_workers(struct tailbox__admin_request *q)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;
	struct tailbox__text rows = TAILBOX__TEXT_INIT;
	struct tailbox__json j;
	struct tailbox__look l;
	int rc = tailbox__look(&l);

	if (rc != 0)
		return tailbox__look_failed(q, rc);
	if (q->as_text) {
		tailbox__text_add(&rows,
		                  ">INDEX\t>TID\tOF\t>FINISHED\t>CONNECTIONS\t"
		                  "HELD BY\t>FOR\t>REQUEST\tROUTE\tIN\t>FOR\t"
		                  "AT\tKERNEL\n");
		each_worker(&l, worker_to_text, &rows);
		tailbox__text_table(&t, &rows);
		tailbox__text_fini(&rows);
		return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
	}
	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__json_key(&j, "workers");
	tailbox__json_begin_array(&j);
	each_worker(&l, worker_to_json, &j);
	tailbox__json_end_array(&j);
	tailbox__json_end_object(&j);
	return tailbox__admin_send_json(q, MHD_HTTP_OK, &j);
}
