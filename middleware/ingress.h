/* middleware/ingress.h - holds, and who waited behind them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_MIDDLEWARE_INGRESS_H
#define TAILBOX_MIDDLEWARE_INGRESS_H 1

#include "middleware/connections.h"

/* The application is entered at tick `since`: what readers show of a worker
 * that does not come back. Relaxed: a reader that sees a mix of two holds is
 * a reader that looked at the edge between them. */
static inline void tailbox__hold_begin_of(struct tailbox__thread *t,
                                          uint16_t route, uint32_t slot,
                                          unsigned kind, uint64_t since)
{
	struct tailbox__thread_entry *e = t->entry;

	TAILBOX__SET(e->hold_word, kind | (uint64_t)route << 16 |
	                                   (uint64_t)slot << 32);
	TAILBOX__SET(e->hold_since, since);
}
static inline void tailbox__hold_begin(struct tailbox__thread *t,
                                       const struct tailbox__conn *s,
                                       unsigned kind, uint64_t since)
{
	tailbox__hold_begin_of(t, TAILBOX__GET(s->slot->route), s->slot_index,
	                       kind, since);
}

/* A hold that is worth a look (recorder.hold_notice): remember it for those
 * who wait, record it, or both. s: NULL = of no request that is known. */
void tailbox__hold_long(struct tailbox__thread *t,
                        const struct tailbox__conn *s, uint64_t since,
                        uint64_t now);

/* The application returned; since: when the hold began. */
static inline void tailbox__hold_end(struct tailbox__thread *t,
                                     const struct tailbox__conn *s,
                                     uint64_t since, uint64_t now)
{
	struct tailbox__thread_entry *e = t->entry;

	TAILBOX__SET(e->hold_since, 0);
	TAILBOX__ADD(e->hold_ticks, now - since);
	TAILBOX__SET(e->last_seen, now);
	if (__builtin_expect(
	            now - since >= TAILBOX__GET(tailbox__recorder.hold_notice),
	            0))
		tailbox__hold_long(t, s, since, now);
}

/* The application had returned, and nobody saw when: not a hold. since: when
 * it began. Another hold of this thread may have begun meanwhile. */
static inline void tailbox__hold_forget(struct tailbox__thread *t,
                                        uint64_t since)
{
	if (TAILBOX__GET(t->entry->hold_since) == since)
		TAILBOX__SET(t->entry->hold_since, 0);
}

/* The holder's route got its name after its hold had ended. */
void tailbox__hold_named(struct tailbox__thread *t, uint64_t number,
                         uint16_t route);

/* A read of TCP_INFO is due at a request line: fills the slot's ingress. */
void tailbox__ingress_look(struct tailbox__thread *t,
                           struct tailbox__conn *s);

/* At a request line, whose tick is s->mark: an idle jiffy ends a run of
 * callbacks; idle for less is finer than what is measured. */
static inline void tailbox__ingress_run(struct tailbox__thread *t,
                                        const struct tailbox__conn *s)
{
	if (s->mark - TAILBOX__GET(t->entry->last_seen) >= s->mhd->jiffy)
		t->busy_since = s->mark;
}
/* Whether a read is due then. */
static inline bool tailbox__ingress_is_due(const struct tailbox__thread *t,
                                           const struct tailbox__conn *s)
{
	return s->mark >= t->look_at || s->was_accepted_late;
}

/* A connection was accepted: did it wait to be? */
void tailbox__ingress_accepted(struct tailbox__conn *s,
                               const struct tailbox__tcp *i);

#endif
