/* core/span.c - stages, waits, gauge moves and holds.
 *
 * SPDX-License-Identifier: MIT
 *
 * A span writes its start nowhere but in the caller's struct and, for readers
 * of a hung process, in the request's slot. When it ends it is one record of
 * 32 bytes in the block of the thread that ended it. Which request it belongs
 * to, and whether it came too late, is the reader's business: the record has
 * the request's number and both ticks.
 */
#include <stdio.h>
#include <string.h>

#include <tailbox/span.h>

#include "core/internal.h"

enum { ACTIVE = 1 };

/* name | site << 16, interned at the site's first use after a start. */
static uint32_t site_names(struct tailbox_site *site)
{
	uint64_t cache = __atomic_load_n(&site->cache_, __ATOMIC_RELAXED);
	uint32_t epoch = TAILBOX__GET(tailbox__recorder.epoch);
	const char *file;
	char text[256];
	uint32_t names;

	if (cache >> 32 == epoch)
		return (uint32_t)cache;
	file = site->file ? strrchr(site->file, '/') : NULL;
	file = file ? file + 1 : site->file;
	snprintf(text, sizeof(text), "%s:%u %s", file ? file : "?",
	         (unsigned)site->line, site->function ? site->function : "?");
	names = tailbox__name_cstr(site->name);
	if (names == 0)
		names = TAILBOX__NAME_OTHER;
	names |= (uint32_t)tailbox__name_cstr(site->file ? text : NULL) << 16;
	__atomic_store_n(&site->cache_, (uint64_t)epoch << 32 | names,
	                 __ATOMIC_RELAXED);
	return names;
}

void tailbox_span_begin(struct tailbox_span *s, tailbox_request r,
                        struct tailbox_site *site, uint32_t depth)
{
	struct tailbox__slot *slot = tailbox__slot_of(r);

	memset(s, 0, sizeof(*s));
	if (slot == NULL)
		return;
	/* The number first, then whether it still is the handle's: the slot may
	 * have gone to another request since the look above. */
	s->id_ = TAILBOX__GET(slot->number);
	if (tailbox__slot_of(r) == NULL)
		return;
	s->request_ = r;
	s->kind_ = site->kind == TAILBOX_SPAN_WAIT ? TAILBOX_SPAN_WAIT
	                                           : TAILBOX_SPAN_STAGE;
	s->names_ = site_names(site);
	s->depth_ = depth;
	s->outer_ = TAILBOX__GET(slot->where);
	s->outer_since_ = TAILBOX__GET(slot->where_since);
	s->state_ = (uint8_t)(ACTIVE | TAILBOX__GET(slot->where_kind) << 4);
	TAILBOX__SET(slot->where, s->names_);
	s->start_ = tailbox__now();
	TAILBOX__SET(slot->where_since, s->start_);
	TAILBOX__SET(slot->where_kind, s->kind_);
}

/* False: there is no room. */
static bool store(struct tailbox__thread *t,
                  const struct tailbox__rec_span *rec)
{
	char *to = tailbox__reserve(t, TAILBOX__BLOCK_SPANS, sizeof(*rec));

	if (to == NULL)
		return false;
	tailbox__store(to, rec, sizeof(*rec));
	tailbox__publish(t, TAILBOX__BLOCK_SPANS, sizeof(*rec));
	return true;
}

static void put(struct tailbox__thread *t, const struct tailbox__rec_span *rec)
{
	if (!store(t, rec))
		TAILBOX__ADD(t->entry->lost_spans, 1);
}

static void finish(struct tailbox_span *s, unsigned flags)
{
	struct tailbox__rec_span rec;
	struct tailbox__thread *t;
	struct tailbox__slot *slot;
	uint64_t now;

	if (!(s->state_ & ACTIVE))
		return;
	now = tailbox__now();
	t = tailbox__thread_get();
	slot = tailbox__slot_in(t, s->request_);
	if (slot != NULL) {
		TAILBOX__SET(slot->where, s->outer_);
		TAILBOX__SET(slot->where_since, s->outer_since_);
		TAILBOX__SET(slot->where_kind, (uint32_t)s->state_ >> 4);
	}
	s->state_ = 0;
	if (t == NULL) {
		tailbox__lost_to_table();
		return;
	}
	if (slot == NULL) {
		TAILBOX__ADD(t->entry->late_spans, 1);
		return;
	}
	rec.type = s->kind_;
	rec.flags = (uint8_t)flags;
	rec.name = (uint16_t)s->names_;
	rec.site = (uint16_t)(s->names_ >> 16);
	rec.dur = tailbox__pack(now > s->start_ ? now - s->start_ : 0);
	rec.number = s->id_;
	rec.start = s->start_;
	rec.thread = (uint16_t)t->index;
	rec.depth = s->depth_;
	put(t, &rec);
	TAILBOX__ADD(t->entry->spans, 1);
}

void tailbox_span_end(struct tailbox_span *s, int success)
{
	finish(s, success ? 0 : TAILBOX__SPAN_FAILED);
}

void tailbox_span_abandon(struct tailbox_span *s)
{
	finish(s, TAILBOX__SPAN_PARTIAL | TAILBOX__SPAN_FAILED);
}

static void move(tailbox_request r, const char *name, unsigned type)
{
	struct tailbox__rec_span rec;
	struct tailbox__thread *t;
	struct tailbox__slot *slot;

	if (r == NULL)
		return;
	t = tailbox__thread_get();
	slot = tailbox__slot_in(t, r);
	if (slot == NULL)
		return;
	if (t == NULL) {
		tailbox__lost_to_table();
		return;
	}
	memset(&rec, 0, sizeof(rec));
	rec.name = tailbox__name_cstr(name);
	if (rec.name == 0)
		return;
	rec.type = (uint8_t)type;
	rec.number = TAILBOX__GET(slot->number);
	rec.start = tailbox__now();
	rec.thread = (uint16_t)t->index;
	put(t, &rec);
	TAILBOX__ADD(t->entry->moves, 1);
}

void tailbox_gauge_up(tailbox_request r, const char *name)
{
	move(r, name, TAILBOX__SPAN_GAUGE_UP);
}

void tailbox_gauge_down(tailbox_request r, const char *name)
{
	move(r, name, TAILBOX__SPAN_GAUGE_DOWN);
}

void tailbox__hold_record(struct tailbox__thread *t, unsigned kind,
                          uint16_t route, uint64_t number, uint64_t since,
                          uint64_t now)
{
	const struct tailbox__rec_span rec = {
		.type = TAILBOX__SPAN_HOLD,
		.flags = (uint8_t)kind,
		.name = route,
		.dur = tailbox__pack(now > since ? now - since : 0),
		.number = number,
		.start = since,
		.thread = (uint16_t)t->index,
	};

	if (store(t, &rec))
		TAILBOX__ADD(t->entry->holds, 1);
	else
		TAILBOX__ADD(t->entry->lost_holds, 1);
}
