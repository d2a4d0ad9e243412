/* sampler/scan.c - one look over the tape's threads and open slots.
 *
 * SPDX-License-Identifier: MIT
 *
 * We are inside the service's process, so entries and slots are read where
 * they are, by relaxed loads, while their owners go on writing. A slot may
 * become another request's between two loads. For counts that is right as
 * well (each load was true at its instant); where two words must belong
 * together the first is read again after the second. No acquire: on a machine
 * that reorders, a route could be one hold off for one sample, and the
 * writers' hot path is not worth slowing down for that.
 *
 * Requests behind a held worker. The worker is in the application, so what
 * arrives on its other connections lies in their sockets; only the kernel
 * knows, and one poll() with zero timeout asks it about all of them. Polling
 * takes nothing out of a socket and disturbs nobody. A connection may close
 * and its number be given away meanwhile; therefore a ready descriptor counts
 * only when the slot is still the same connection and still waits after the
 * poll. A peer that closed its idle connection makes it ready too, but with no
 * bytes to read: that is no request.
 *
 * Only holds of some length are looked at. On a busy server each worker is
 * held for some microseconds at almost every look, and what is ready then is
 * simply the next in turn.
 *
 * Requests that wait though no handler holds their worker. MHD's epoll loop
 * fetches 128 events at a time, and when it got as many it asks for more, and
 * sleeps, before it serves the first of them: with exactly 128 connections
 * ready (or 256, ...) and nothing else to wake it, all of them wait. So a
 * worker with as many connections that is in no callback is looked at too.
 * That it had not just been woken is told by workers.c: it sleeps after the
 * look, and ran no callback since before it.
 */
#include "sampler/scan.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/alloc.h"
#include "core/run.h"

/* Fewest descriptors polled per worker when there are many to look at. */
#define BEHIND_MIN 16u

int tailbox__scan_init(struct tailbox__scan *s)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;

	s->threads = tailbox__zalloc(h->threads_max, sizeof(*s->threads));
	s->next = tailbox__zalloc(h->slots_max, sizeof(*s->next));
	if (s->threads && s->next)
		return 0;
	tailbox__scan_fini(s);
	return -ENOMEM;
}

void tailbox__scan_fini(struct tailbox__scan *s)
{
	tailbox__free(s->threads), s->threads = NULL;
	tailbox__free(s->next), s->next = NULL;
}

/* --- threads -------------------------------------------------------------- */

static void look_at_hold(struct tailbox__scan_thread *t,
                         struct tailbox__thread_entry *e, uint64_t now)
{
	uint64_t since = TAILBOX__GET(e->hold_since);
	uint16_t route = TAILBOX__GET(e->hold_route);
	uint32_t slot = TAILBOX__GET(e->hold_slot);

	/* It ended, or the next one began, since we took the time. */
	if (since == 0 || since >= now || since != TAILBOX__GET(e->hold_since))
		return;
	t->held_ticks = now - since;
	t->route = route;
	t->hold_slot = slot;
}

static void scan_threads(struct tailbox__scan *s, uint64_t now)
{
	struct tailbox__tape *tape = &tailbox__recorder.tape;
	uint64_t used = TAILBOX__GET(tape->header->threads_used);

	if (used > tape->header->threads_max)
		used = tape->header->threads_max;
	s->thread_count = (uint32_t)used;
	s->resumes = 0;
	memset(s->threads, 0, (size_t)used * sizeof(*s->threads));
	for (uint32_t i = 0; i < used; i++) {
		struct tailbox__thread_entry *e = &tape->threads[i];
		struct tailbox__scan_thread *t = &s->threads[i];

		/* Counters go on under the next thread of the entry. */
		s->resumes += TAILBOX__GET(e->resumes);
		t->behind = t->ready = TAILBOX__UNKNOWN;
		t->last_seen = TAILBOX__GET(e->last_seen);
		t->tid = TAILBOX__GET(e->tid);
		t->daemon = TAILBOX__GET(e->worker) >> 16;
		if (t->tid != 0)
			look_at_hold(t, e, now);
	}
}

/* --- pools ---------------------------------------------------------------- */

static void add_pool(struct tailbox__scan *s,
                     const struct tailbox__pool_look *look)
{
	uint16_t name = tailbox__name_cstr(look->name);
	struct tailbox__scan_pool *p = s->pools;

	/* Two pools of one name are one to whoever reads the sample. */
	while (p < s->pools + s->pool_count && p->name != name)
		p++;
	if (p == s->pools + s->pool_count) {
		*p = (struct tailbox__scan_pool){
			.name = name,
			.kind = look->kind,
			.oldest_ticks = TAILBOX__UNKNOWN,
		};
		s->pool_count++;
	}
	p->waiting += look->waiting;
	p->busy += look->busy;
	if (look->capacity == 0 || p->capacity == TAILBOX__UNKNOWN)
		p->capacity = TAILBOX__UNKNOWN;
	else
		p->capacity += look->capacity;
}

static void scan_pools(struct tailbox__scan *s)
{
	uint32_t count = tailbox__pools(s->looks);

	s->pool_count = 0;
	for (uint32_t i = 0; i < count; i++)
		add_pool(s, &s->looks[i]);
}

/* Whether two names of the tape have the same text. */
static bool is_same_name(uint16_t a, uint16_t b)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;

	if (a == b)
		return true;
	if (a >= tape->header->names_max || b >= tape->header->names_max)
		return false;
	struct tailbox__name *x = &tape->names[a], *y = &tape->names[b];
	/* Pairs with the release that makes a name known. */
	uint32_t n = atomic_load_explicit(&x->ready, memory_order_acquire);
	uint32_t m = atomic_load_explicit(&y->ready, memory_order_acquire);
	return n > 1 && n == m && n <= sizeof(x->text) && x->hash == y->hash &&
	       memcmp(x->text, y->text, n - 1) == 0;
}

/* The slot is in a marked wait: it may be the oldest of its pool. */
static void look_at_wait(struct tailbox__scan *s, struct tailbox__slot *slot,
                         uint64_t now)
{
	uint32_t where = TAILBOX__GET(slot->where);
	uint64_t since = TAILBOX__GET(slot->where_since);
	uint16_t name = where & 0xffff;

	if (tailbox__slot_where(slot) != TAILBOX_SPAN_WAIT ||
	    TAILBOX__GET(slot->where) != where ||
	    TAILBOX__GET(slot->where_since) != since || since > now)
		return;
	/* Names beyond the table are all called the same. */
	if (name == TAILBOX__NAME_NONE || name == TAILBOX__NAME_OTHER)
		return;
	for (uint32_t i = 0; i < s->pool_count; i++) {
		struct tailbox__scan_pool *p = &s->pools[i];

		if (!is_same_name(p->name, name))
			continue;
		if (p->oldest_ticks == TAILBOX__UNKNOWN ||
		    p->oldest_ticks < now - since)
			p->oldest_ticks = now - since;
		return;
	}
}

/* --- slots ---------------------------------------------------------------- */

/* Whether what arrives on this connection waits for its worker: it has no
 * request, or one that the handler has not been called for. */
static bool is_waiting(struct tailbox__slot *slot, uint64_t state)
{
	if (state == TAILBOX__SLOT_IDLE)
		return true;
	return state == TAILBOX__SLOT_OPEN &&
	       TAILBOX__GET(slot->phase) == TAILBOX__PHASE_HEADERS;
}

/* Whether the kernel is to be asked about the connections of a worker, if it
 * has enough of them. */
static bool is_looked_at(const struct tailbox__scan_thread *t,
                         uint64_t long_hold)
{
	return t->held_ticks == 0 || t->held_ticks >= long_hold;
}

static void look_at_connection(struct tailbox__scan *s, uint32_t index,
                               uint64_t state, uint64_t long_hold)
{
	struct tailbox__slot *slot = &tailbox__recorder.tape.slots[index];
	uint32_t thread = TAILBOX__GET(slot->thread);

	s->connections++;
	if (thread >= s->thread_count)
		return;
	struct tailbox__scan_thread *t = &s->threads[thread];
	t->connections++;
	/* The slot that holds the worker is in phase HEADERS too while the
	 * application's URI logger runs. */
	if (!is_looked_at(t, long_hold) || !is_waiting(slot, state) ||
	    (t->held_ticks != 0 && index == t->hold_slot))
		return;
	s->next[index] = t->first;
	t->first = index + 1;
	t->candidates++;
}

static void scan_slots(struct tailbox__scan *s, uint64_t now,
                       uint64_t long_hold)
{
	struct tailbox__tape *tape = &tailbox__recorder.tape;
	uint64_t used = TAILBOX__GET(tape->header->slots_used);

	if (used > tape->header->slots_max)
		used = tape->header->slots_max;
	s->open = s->connections = s->suspended = 0;
	for (uint32_t i = 0; i < used; i++) {
		struct tailbox__slot *slot = &tape->slots[i];
		uint64_t state = TAILBOX__GET(slot->state);

		if (state == TAILBOX__SLOT_FREE)
			continue;
		if (state != TAILBOX__SLOT_IDLE) {
			s->open++;
			s->suspended += (TAILBOX__GET(slot->flags) &
			                 TAILBOX__REQ_SUSPENDED) != 0;
			if (s->pool_count)
				look_at_wait(s, slot, now);
		}
		/* Requests of core have no socket. */
		if (TAILBOX__GET(slot->fd) != 0)
			look_at_connection(s, i, state, long_hold);
	}
}

/* --- who waits for a worker ----------------------------------------------- */

/* Evenly spread over the chain when there are more than the quota; other ones
 * with another shift, which is below the number of candidates. */
static nfds_t choose(struct tailbox__scan *s,
                     const struct tailbox__scan_thread *t, uint32_t quota,
                     uint32_t shift)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	uint64_t taken = 0, seen = 0;
	nfds_t n = 0;

	for (uint32_t at = t->first; at != 0; at = s->next[at - 1]) {
		struct tailbox__slot *slot = &tape->slots[at - 1];

		seen++;
		if (t->candidates > quota &&
		    (seen * quota + shift) / t->candidates == taken)
			continue;
		taken++;
		uint64_t connection = TAILBOX__GET(slot->connection);
		uint32_t fd = TAILBOX__GET(slot->fd);
		if (fd == 0)
			continue;
		s->fds[n].fd = (int)(fd - 1);
		s->fds[n].events = POLLIN | POLLRDHUP;
		s->polled[n] = at - 1;
		s->connection[n] = connection;
		n++;
	}
	return n;
}

static bool is_request(const struct tailbox__scan *s, nfds_t i,
                       uint32_t thread)
{
	struct tailbox__slot *slot =
	        &tailbox__recorder.tape.slots[s->polled[i]];
	const struct pollfd *p = &s->fds[i];
	int bytes = 0;

	if (!(p->revents & POLLIN))
		return false;
	if ((p->revents & (POLLRDHUP | POLLHUP | POLLERR)) &&
	    (ioctl(p->fd, FIONREAD, &bytes) != 0 || bytes <= 0))
		return false;
	return is_waiting(slot, TAILBOX__GET(slot->state)) &&
	       TAILBOX__GET(slot->connection) == s->connection[i] &&
	       TAILBOX__GET(slot->fd) == (uint32_t)p->fd + 1 &&
	       TAILBOX__GET(slot->thread) == thread;
}

/* Requests that lie in the sockets of the worker's connections. */
static uint64_t count_waiting(struct tailbox__scan *s, uint32_t thread,
                              uint32_t quota, uint32_t shift)
{
	const struct tailbox__scan_thread *t = &s->threads[thread];
	nfds_t n = choose(s, t, quota, shift);
	uint64_t ready = 0;

	if (n == 0)
		return 0;
	if (poll(s->fds, n, 0) < 0)
		return TAILBOX__UNKNOWN;
	for (nfds_t i = 0; i < n; i++)
		ready += is_request(s, i, thread);
	return t->candidates > quota ? (ready * t->candidates + n / 2) / n :
	                               ready;
}

/* Whether it has many connections and, for as long as a long hold, nothing to
 * do. A busy worker never is: that costs nothing then. */
static bool is_idle_with_many(const struct tailbox__scan_thread *t,
                              uint64_t now, uint64_t long_hold)
{
	return t->tid != 0 && t->held_ticks == 0 &&
	       t->connections >= TAILBOX__LOOP_EVENTS &&
	       t->last_seen < now && now - t->last_seen >= long_hold;
}

/* An idle worker has nothing before it nearly always, and to poll hundreds of
 * sockets with cold caches is as dear as the rest of the sample: so a few
 * first, other ones each time, and all only if one of those is ready. */
static uint64_t count_unserved(struct tailbox__scan *s, uint32_t thread,
                               uint32_t quota)
{
	const struct tailbox__scan_thread *t = &s->threads[thread];
	uint32_t first = t->candidates / 32;
	uint64_t n;

	if (t->candidates == 0)
		return 0;
	if (first < TAILBOX__LOOP_FIRST)
		first = TAILBOX__LOOP_FIRST;
	if (first > quota)
		first = quota;
	n = count_waiting(s, thread, first, s->turn * 97u % t->candidates);
	return n != 0 && n != TAILBOX__UNKNOWN ?
	               count_waiting(s, thread, quota, 0) :
	               n;
}

bool tailbox__scan_is_still(const struct tailbox__scan *s, uint32_t thread)
{
	struct tailbox__thread_entry *e =
	        &tailbox__recorder.tape.threads[thread];

	return TAILBOX__GET(e->hold_since) == 0 &&
	       TAILBOX__GET(e->last_seen) == s->threads[thread].last_seen;
}

static void scan_waiting(struct tailbox__scan *s, uint64_t now,
                         uint64_t long_hold)
{
	uint32_t polled = 0, quota = TAILBOX__BEHIND_MAX;

	for (uint32_t i = 0; i < s->thread_count; i++)
		polled += s->threads[i].held_ticks >= long_hold ||
		          is_idle_with_many(&s->threads[i], now, long_hold);
	if (polled * quota > TAILBOX__BEHIND_TOTAL_MAX)
		quota = TAILBOX__BEHIND_TOTAL_MAX / polled;
	if (quota < BEHIND_MIN)
		quota = BEHIND_MIN;
	for (uint32_t i = 0; i < s->thread_count; i++) {
		struct tailbox__scan_thread *t = &s->threads[i];

		if (t->held_ticks >= long_hold)
			t->behind = count_waiting(s, i, quota, 0);
		else if (is_idle_with_many(t, now, long_hold))
			t->ready = count_unserved(s, i, quota);
	}
}

void tailbox__scan(struct tailbox__scan *s, uint64_t now, uint64_t long_hold)
{
	if (long_hold == 0)
		long_hold = 1; /* 0 is "not held" */
	scan_threads(s, now);
	scan_pools(s);
	scan_slots(s, now, long_hold);
	s->turn++;
	scan_waiting(s, now, long_hold);
}
