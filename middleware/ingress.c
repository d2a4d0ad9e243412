/* middleware/ingress.c - holds, and who waited behind them.
 *
 * SPDX-License-Identifier: MIT
 *
 * While a worker is in the application, data for its other connections lies
 * in their sockets and no timer of the server's side has started. The kernel
 * knows since when: tcpi_last_data_recv, right to a jiffy. A read costs about
 * as much as all our hooks together, so it is made when there may be
 * something to see: for some requests after a hold of a jiffy or more, and
 * after each read that saw a wait, else once per thread and millisecond.
 *
 * The figure alone is not evidence. It may be a jiffy too long, and a request
 * behind others on its own connection has "waited" for them. So the wait
 * starts no earlier than
 *   - the run of callbacks that the worker was in: before it, it was idle and
 *     would have served us;
 *   - the end of the request before on the same connection;
 * and it counts from two jiffies up, and with a holder: the hold on this
 * thread that covers most of it. A worker that was idle a jiffy ago therefore
 * never shows a wait, whatever the kernel says, and is not even asked.
 *
 * A connection's first request may have waited in the accept queue instead,
 * where no hold need be the cause (the connection limit may be); that is
 * asked at STARTED and needs no holder.
 */
#include "middleware/ingress.h"

#define HELD 16u       /* size of the ring in struct tailbox__thread */
#define LOOKS_AFTER 4u /* reads after a hold, or after one that saw a wait */

void tailbox__hold_long(struct tailbox__thread *t,
                        const struct tailbox__conn *s, uint64_t since,
                        uint64_t now)
{
	const unsigned kind = TAILBOX__GET(t->entry->hold_kind);
	/* A callback for the connection itself is no request's. */
	const bool is_request = s != NULL && kind != TAILBOX__HOLD_CONNECTION;
	const uint64_t number = is_request ? TAILBOX__GET(s->slot->number) : 0;
	const uint16_t route = is_request ? TAILBOX__GET(s->slot->route)
	                                  : TAILBOX__NAME_NONE;
	const uint64_t jiffy =
	        s ? s->mhd->jiffy
	          : tailbox__us_to_ticks(tailbox__clock.jiffy_us);

	if (now - since >= jiffy / 8)
		t->held[t->held_count++ % HELD] = (struct tailbox__held){
			since, now, number, route
		};
	if (now - since >= jiffy) {
		t->look = LOOKS_AFTER;
		t->look_at = 0;
	}
	if (now - since >= TAILBOX__GET(tailbox__recorder.hold_min))
		tailbox__hold_record(t, kind, route, number, since, now);
}

void tailbox__hold_named(struct tailbox__thread *t, uint64_t number,
                         uint16_t route)
{
	for (uint32_t i = 0; i < HELD && i < t->held_count; i++)
		if (t->held[i].number == number && t->held[i].route == 0)
			t->held[i].route = route;
}

/* The hold that covers most of from..to, NULL when none does. */
static const struct tailbox__held *
holder_of(const struct tailbox__thread *t, uint64_t from, uint64_t to)
{
	const struct tailbox__held *best = NULL;
	uint64_t most = 0;

	for (uint32_t i = 0; i < HELD && i < t->held_count; i++) {
		const struct tailbox__held *h = &t->held[i];
		uint64_t a = h->start > from ? h->start : from;
		uint64_t b = h->end < to ? h->end : to;
		if (b > a && b - a > most) {
			most = b - a;
			best = h;
		}
	}
	return best;
}

/* Whether the present run of callbacks has a hold that holder_of() could
 * find: they are remembered in the order of their ends. */
static bool has_held(const struct tailbox__thread *t)
{
	return t->held_count != 0 &&
	       t->held[(t->held_count - 1) % HELD].end > t->busy_since;
}

static void tell(struct tailbox__thread *t, struct tailbox__conn *s,
                 uint64_t wait, const struct tailbox__held *h)
{
	struct tailbox__slot *slot = s->slot;
	uint64_t ms = h ? (h->end - h->start) / s->mhd->millisecond : 0;

	TAILBOX__SET(slot->ingress, wait);
	TAILBOX__KNOW(slot, TAILBOX__KNOWN_INGRESS);
	TAILBOX__SET(slot->holder_number, h ? h->number : 0);
	TAILBOX__SET(slot->holder, h ? h->route | t->index << 16 : 0);
	TAILBOX__SET(slot->holder_ms,
	             ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms);
}

/* The wait of a request whose last data came `idle` ticks before its line;
 * 0 = none that counts. */
static uint64_t wait_of(const struct tailbox__thread *t,
                        const struct tailbox__conn *s, uint64_t idle)
{
	uint64_t start = idle < s->mark ? s->mark - idle : 0;

	if (start < t->busy_since)
		start = t->busy_since;
	if (start < s->previous_end)
		start = s->previous_end;
	if (start >= s->mark || s->mark - start < 2 * s->mhd->jiffy)
		return 0;
	return s->mark - start;
}

/* When the next read is worth its price. */
static void next_look(struct tailbox__thread *t, const struct tailbox__conn *s,
                      bool saw_wait)
{
	if (saw_wait)
		t->look = LOOKS_AFTER;
	else if (t->look > 0)
		t->look--;
	t->look_at = t->look > 0 ? 0 : s->mark + s->mhd->millisecond;
}

void tailbox__ingress_look(struct tailbox__thread *t, struct tailbox__conn *s)
{
	const struct tailbox__held *h = NULL;
	struct tailbox__tcp i;
	uint64_t idle, wait = 0;
	bool was_late = s->was_accepted_late;

	s->was_accepted_late = false;
	if (!s->is_tcp || (!was_late && s->mhd->is_per_connection)) {
		t->look = 0;
		t->look_at = s->mark + s->mhd->millisecond;
		return;
	}
	/* No run of callbacks long enough to have kept anyone waiting; while
	 * a look is due it stays due. */
	if (!was_late && s->mark - t->busy_since < 2 * s->mhd->jiffy) {
		if (t->look == 0)
			t->look_at = t->busy_since + 2 * s->mhd->jiffy;
		return;
	}
	/* A run without a hold to speak of: no wait would have a holder. */
	if (!was_late && !has_held(t)) {
		t->look = 0;
		t->look_at = s->mark + s->mhd->millisecond;
		return;
	}
	if (!tailbox__tcp_info(s->fd, &i)) {
		s->is_tcp = false;
		return;
	}
	idle = i.idle_ms * s->mhd->millisecond;
	if (was_late && idle >= 2 * s->mhd->jiffy &&
	    s->mark - idle < s->opened) {
		/* Its data was there before it was accepted. */
		wait = idle;
		h = holder_of(t, s->mark - idle, s->mark);
	} else if (!s->mhd->is_per_connection) {
		wait = wait_of(t, s, idle);
		h = wait ? holder_of(t, s->mark - wait, s->mark) : NULL;
		if (h == NULL)
			wait = 0;
	}
	if (wait != 0)
		tell(t, s, wait, h);
	next_look(t, s, wait != 0);
}

void tailbox__ingress_accepted(struct tailbox__conn *s,
                               const struct tailbox__tcp *i)
{
	s->was_accepted_late =
	        i->idle_ms * s->mhd->millisecond >= 2 * s->mhd->jiffy;
}
