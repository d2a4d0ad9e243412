/* controller/trigger_watch.c - the follower's part of the triggers.
 *
 * SPDX-License-Identifier: MIT
 *
 * Requests and samples come as the follower reads them. Open requests and
 * holds are looked at where they stand, eight times in the time of their bound
 * and at most once a pass: a line of 64 bytes for each slot in use. Calls and
 * signals lie in a box that any thread may put into.
 *
 * State: `figures` belongs to whoever holds follow_lock. `wanted` and `desk`
 * are guarded by lock; new settings count from the next pass on.
 */
#include "controller/trigger_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/internal.h"
#include "core/recorder.h"
#include "core/tailbox.h"
#include "core/utf8.h"

#define LOOK_LONGEST_NS 1000000000u

static struct {
	struct tailbox__triggers figures;
	struct tailbox__config_triggers wanted;
	bool is_new;      /* `wanted` is not in `figures` yet */
	uint64_t open_ns, held_ns; /* the next look */
} watch;

/* --- the box ------------------------------------------------------------- */

enum { EMPTY, FILLING, FULL };

static struct {
	_Atomic uint64_t calls, signals;
	/* The first reason since the last pass; the rest are counted. */
	_Atomic int state;
	char reason[TAILBOX__TRIGGER_REASON + 1];
	uint64_t seen_calls, seen_signals; /* follow_lock */
} box;

int tailbox_trigger(const char *reason)
{
	int empty = EMPTY;

	if (!tailbox__recorder_is_on())
		return -ECANCELED;
	/* Acquire pairs with the release that empties it. */
	if (reason != NULL && reason[0] != '\0' &&
	    atomic_compare_exchange_strong_explicit(
	            &box.state, &empty, FILLING, memory_order_acquire,
	            memory_order_relaxed)) {
		size_t n = strnlen(reason, TAILBOX__TRIGGER_REASON + 1);

		if (n > TAILBOX__TRIGGER_REASON) /* not within a character */
			for (n--; n > 0 && ((unsigned char)reason[n] & 0xc0) ==
			                           0x80; n--)
				;
		memcpy(box.reason, reason, n);
		box.reason[n] = '\0';
		atomic_store_explicit(&box.state, FULL, memory_order_release);
	}
	/* Released after the reason: whoever sees the call finds it. */
	atomic_fetch_add_explicit(&box.calls, 1, memory_order_release);
	return 0;
}

void tailbox__trigger_signalled(void)
{
	atomic_fetch_add_explicit(&box.signals, 1, memory_order_release);
}

/* One line of UTF-8, in whatever it is shown. */
static void clean(char *text)
{
	size_t len = strlen(text), n;
	uint32_t c;

	for (char *p = text; len > 0; p += n, len -= n) {
		n = tailbox__utf8_next(p, len, &c);
		if (c == TAILBOX__UTF8_INVALID || c < 0x20 || c == 0x7f)
			memset(p, '?', n);
	}
}

/* How many there have been. Looked at before the settings, and with acquire:
 * what was asked for under new settings is never judged by the old ones. */
struct asked {
	uint64_t calls, signals;
};

static struct asked look_into_box(void)
{
	return (struct asked){
		.calls = atomic_load_explicit(&box.calls, memory_order_acquire),
		.signals = atomic_load_explicit(&box.signals,
		                                memory_order_acquire),
	};
}

static void take_calls(struct tailbox__triggers *t, uint64_t calls)
{
	const uint64_t count = calls - box.seen_calls;
	char reason[TAILBOX__TRIGGER_REASON + 1] = "";

	if (!count)
		return;
	box.seen_calls = calls;
	if (atomic_load_explicit(&box.state, memory_order_acquire) == FULL) {
		memcpy(reason, box.reason, sizeof(reason));
		clean(reason);
		atomic_store_explicit(&box.state, EMPTY, memory_order_release);
	}
	if (t->config.call)
		tailbox__triggers_asked(t, TAILBOX__TRIGGER_CALL, count,
		                        reason);
}

static void take_signals(struct tailbox__triggers *t, uint64_t signals)
{
	tailbox__triggers_asked(t, TAILBOX__TRIGGER_SIGNAL,
	                        signals - box.seen_signals, t->config.signal);
	box.seen_signals = signals;
}

/* --- settings ------------------------------------------------------------ */

static const char *name_of(void *cls, uint16_t number)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;

	(void)cls;
	if (number >= tape->header->names_max)
		return NULL;
	struct tailbox__name *n = &tape->names[number];
	/* Pairs with the release that makes a name known. The text has a NUL
	 * behind it: a name has at most 111 bytes. */
	const uint32_t ready = atomic_load_explicit(&n->ready,
	                                            memory_order_acquire);
	return ready > 1 && ready <= sizeof(n->text) ? n->text : NULL;
}

/* With follow_lock held. */
static void renew(void)
{
	static struct tailbox__config_triggers c; /* 16 KiB */

	tailbox__lock();
	const bool is_new = watch.is_new;
	if (is_new)
		c = watch.wanted;
	watch.is_new = false;
	tailbox__unlock();
	if (!is_new)
		return;
	tailbox__triggers_fini(&watch.figures);
	const int ret = tailbox__triggers_init(&watch.figures, &c,
	                                       tailbox__clock.hz, name_of,
	                                       NULL);
	watch.open_ns = watch.held_ns = 0;
	if (ret < 0)
		tailbox__log("triggers: no percentiles of routes: %s",
		             tailbox_strerror(ret));
}

void tailbox__trigger_set(const struct tailbox__config_triggers *c)
{
	tailbox__lock();
	watch.wanted = *c;
	watch.is_new = true;
	tailbox__unlock();
	tailbox__trigger_signal_set(c->signal);
}

void tailbox__trigger_open(void)
{
	tailbox__lock();
	watch.is_new = true;
	memset(&tailbox__c.desk, 0, sizeof(tailbox__c.desk));
	tailbox__unlock();
	box.seen_calls = atomic_load_explicit(&box.calls, memory_order_relaxed);
	box.seen_signals = atomic_load_explicit(&box.signals,
	                                        memory_order_relaxed);
}

void tailbox__trigger_close(void)
{
	tailbox__triggers_fini(&watch.figures);
}

void tailbox__trigger_forget(void)
{
	memset(&watch, 0, sizeof(watch));
	atomic_store_explicit(&box.state, EMPTY, memory_order_relaxed);
}

void tailbox__trigger_config(struct tailbox__config_triggers *out)
{
	tailbox__lock();
	*out = watch.wanted;
	tailbox__unlock();
}

/* --- what the follower reads -------------------------------------------- */

struct tailbox__triggers *tailbox__trigger_figures(void)
{
	renew();
	return &watch.figures;
}

static uint64_t interval_ns(uint64_t bound_ms)
{
	const uint64_t ns = bound_ms * 1000000 / 8;

	return ns < LOOK_LONGEST_NS ? ns : LOOK_LONGEST_NS;
}

static void look_at_slots(struct tailbox__triggers *t)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	const uint64_t used = TAILBOX__GET(tape->header->slots_used);
	const uint64_t now = tailbox__now();

	for (uint64_t i = 0; i < used && i < tape->header->slots_max; i++) {
		const struct tailbox__slot *s = &tape->slots[i];
		const uint64_t number = TAILBOX__GET(s->number);

		if (TAILBOX__GET(s->state) != TAILBOX__SLOT_OPEN)
			continue;
		const uint64_t line = TAILBOX__GET(s->line);
		const uint16_t route = TAILBOX__GET(s->route);
		if (TAILBOX__GET(s->flags) & TAILBOX__REQ_DISCARD ||
		    TAILBOX__GET(s->number) != number)
			continue;
		tailbox__triggers_open(t, now, line, number, route);
	}
	tailbox__triggers_looked_open(t, now);
}

static void look_at_threads(struct tailbox__triggers *t)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	const uint64_t used = TAILBOX__GET(tape->header->threads_used);
	const uint64_t now = tailbox__now();

	for (uint64_t i = 0; i < used && i < tape->header->threads_max; i++) {
		const struct tailbox__thread_entry *e = &tape->threads[i];
		const uint64_t since = TAILBOX__GET(e->hold_since);
		const uint16_t route = TAILBOX__GET(e->hold_route);
		const uint32_t tid = TAILBOX__GET(e->tid);

		if (since && tid && TAILBOX__GET(e->hold_since) == since)
			tailbox__triggers_held(t, now, since, tid, route);
	}
	tailbox__triggers_looked_held(t, now);
}

static void look(struct tailbox__triggers *t, uint64_t now_ns)
{
	if (t->config.open && now_ns >= watch.open_ns) {
		look_at_slots(t);
		watch.open_ns = now_ns + interval_ns(t->config.open);
	}
	if (t->config.held && now_ns >= watch.held_ns) {
		look_at_threads(t);
		watch.held_ns = now_ns + interval_ns(t->config.held);
	}
}

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void tailbox__trigger_pass(void)
{
	struct tailbox__controller *c = &tailbox__c;
	struct tailbox__firing fired[TAILBOX__TRIGGER_KINDS];
	const uint64_t now = tailbox__mono_ns();

	pthread_mutex_lock(&c->follow_lock);
	const struct asked asked = look_into_box();
	struct tailbox__triggers *t = tailbox__trigger_figures();
	look(t, now);
	take_calls(t, asked.calls);
	take_signals(t, asked.signals);
	const unsigned n = tailbox__triggers_judge(t, now, fired);
	pthread_mutex_unlock(&c->follow_lock);
	if (!n)
		return;
	const uint64_t ms = wall_ms();
	tailbox__lock();
	for (unsigned i = 0; i < n; i++)
		if (tailbox__desk_take(&c->desk, &fired[i], now, ms))
			pthread_cond_signal(&c->wake_actor);
	tailbox__unlock();
}
