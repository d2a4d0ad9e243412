/* controller/follower.c - the thread that reads the tape as it fills.
 *
 * SPDX-License-Identifier: MIT
 *
 * Twenty times a second it reads what is new: every batch of records feeds
 * the rolling figures and, while a window is open, its spool. It never
 * delays a writer; when it comes too late for a block, that block is lost to
 * the window and counted. The finisher makes one pass of its own, after the
 * last request of a window has ended.
 *
 * While recording is off it sleeps, after one pass over what was written last.
 *
 * Cost: `lock` twice and a few nanoseconds per record; doc/numbers.md.
 */
#include "controller/internal.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "controller/trigger_watch.h"
#include "core/cover.h"
#include "core/daemons.h"
#include "core/recorder.h"
#include "core/tailbox.h"

enum { PASS_NS = 50000000, ANCHOR_NS = 1000000000 };

static uint64_t tickets(void)
{
	return TAILBOX__GET(tailbox__recorder.tape.header->next_ticket);
}

/* What one pass goes by: settings count from the next one on. */
struct pass {
	struct tailbox__slow_pass slow;
	struct tailbox__triggers *triggers;
};

static uint32_t total_at(const char *record)
{
	uint32_t total;

	memcpy(&total,
	       record + offsetof(struct tailbox__rec_request, total),
	       sizeof(total));
	return total;
}

static unsigned known_at(const char *record)
{
	uint16_t known;

	memcpy(&known,
	       record + offsetof(struct tailbox__rec_request, known),
	       sizeof(known));
	return known;
}

static __attribute__((noinline)) void look_closer(struct tailbox__slow_pass *p,
                                                  const char *records,
                                                  size_t at, size_t bytes,
                                                  uint64_t total)
{
	if (p->ticks != UINT64_MAX &&
	    (total >= p->ticks ||
	     known_at(records + at) & TAILBOX__KNOWN_INGRESS))
		tailbox__slow_log_note(p, at);
	tailbox__rare_note(records + at, bytes - at);
}

/* Most requests are fast and good, and few of their fields are all that is
 * looked at. Those that may be slow, or rare, are noted; an ingress wait is not
 * in `total`. */
static void add_latencies(struct tailbox__rates *r,
                          struct tailbox__slow_pass *slow, const char *records,
                          size_t bytes)
{
	struct tailbox__rate_slice *s = tailbox__rates_now(r);
	const uint64_t ticks = slow->ticks < slow->rare_ticks
	                               ? slow->ticks
	                               : slow->rare_ticks;
	const unsigned late = ticks == UINT64_MAX ? 0 : TAILBOX__KNOWN_INGRESS;

	for (size_t at = 0; at + sizeof(struct tailbox__rec_request) <= bytes;
	     at += sizeof(struct tailbox__rec_request)) {
		if (records[at] != TAILBOX__REC_REQUEST)
			continue;
		const uint64_t total = tailbox__unpack(total_at(records + at));
		tailbox__slice_add(s, total);
		if (__builtin_expect(total >= ticks ||
		                             known_at(records + at) & late ||
		                             tailbox__rare_may_be(records + at),
		                     0))
			look_closer(slow, records, at, bytes, total);
	}
}

/* Ticks that a request waited before its line; only what has more than one
 * record can tell. */
static uint64_t ingress_of(const struct tailbox__rec_request *q,
                           const char *next, size_t left)
{
	struct tailbox__rec_more m;

	if (!q->more || left < sizeof(m))
		return 0;
	memcpy(&m, next, sizeof(m));
	return m.type == TAILBOX__REC_MORE ? tailbox__unpack(m.ingress) : 0;
}

static void add_figures(struct tailbox__triggers *t, const char *records,
                        size_t bytes)
{
	struct tailbox__rec_request q;

	if (!tailbox__triggers_want_requests(t))
		return;
	for (size_t at = 0; at + sizeof(q) <= bytes; at += sizeof(q)) {
		memcpy(&q, records + at, sizeof(q));
		if (q.type != TAILBOX__REC_REQUEST)
			continue;
		const size_t next = at + sizeof(q);
		const uint64_t ticks =
		        tailbox__unpack(q.total) +
		        ingress_of(&q, records + next, bytes - next);
		tailbox__triggers_request(t, ticks, &q,
		                          tailbox__request_is_failed(&q));
	}
}

/* What triggers go by; with follow_lock, without lock. */
static void feed_triggers(struct tailbox__triggers *t, unsigned kind,
                          const char *records, size_t bytes)
{
	if (kind == TAILBOX__BLOCK_REQUESTS)
		add_figures(t, records, bytes);
	else if (kind == TAILBOX__BLOCK_SAMPLES)
		tailbox__triggers_samples(t, records, bytes);
}

static void spool_batch(struct tailbox__spool *spool, uint64_t until,
                        unsigned kind, uint32_t thread, const char *records,
                        size_t bytes)
{
	struct tailbox__controller *c = &tailbox__c;

	tailbox__spool_add(spool, until, kind, thread, records, bytes);
	tailbox__lock();
	c->window.counts = tailbox__spool_counts(spool);
	tailbox__window_look();
	tailbox__unlock();
}

static int take_batch(void *cls, unsigned kind, uint32_t thread,
                      const char *records, size_t bytes)
{
	struct tailbox__controller *c = &tailbox__c;
	struct pass *p = cls;
	struct tailbox__slow_pass *slow = &p->slow;

	slow->count = 0;
	tailbox__lock();
	if (kind == TAILBOX__BLOCK_REQUESTS)
		add_latencies(&c->rates, slow, records, bytes);
	c->follower_records += bytes / (kind == TAILBOX__BLOCK_SPANS ? 32 : 64);
	/* Asked after the batch was read: see internal.h. Before its past, a
	 * window takes nothing: it will find this batch there. */
	struct tailbox__spool *spool =
	        c->window.is_past_due ? NULL : c->window.spool;
	const uint64_t until = c->window.until;
	tailbox__unlock();
	feed_triggers(p->triggers, kind, records, bytes);
	if (spool)
		spool_batch(spool, until, kind, thread, records, bytes);
	if (slow->count)
		tailbox__slow_log_batch(slow, c->reader, records, bytes);
	return 0;
}

/* --- the past of a window ----------------------------------------------- */

/* A window with a lookback is armed while records go on, and some of those
 * before it have not been read yet. All that the follower has read by now is
 * the past, and is read once more, by a reader of its own; all else is still to
 * come, and the follower will read it. So at the seam no record is there twice
 * and none is missing, wherever the instant of arming lies in it. */
struct past {
	struct tailbox__spool *spool;
	uint64_t from, older;
};

static uint64_t count_older(const struct past *p, const char *records,
                            size_t bytes)
{
	struct tailbox__rec_request q;
	uint64_t count = 0;

	for (size_t at = 0; at + sizeof(q) <= bytes; at += sizeof(q)) {
		memcpy(&q, records + at, sizeof(q));
		count += q.type == TAILBOX__REC_REQUEST && q.line < p->from;
	}
	return count;
}

static int take_past(void *cls, unsigned kind, uint32_t thread,
                     const char *records, size_t bytes)
{
	struct past *p = cls;

	if (kind == TAILBOX__BLOCK_REQUESTS)
		p->older += count_older(p, records, bytes);
	tailbox__lock();
	const uint64_t until = tailbox__c.window.until;
	tailbox__unlock();
	spool_batch(p->spool, until, kind, thread, records, bytes);
	return 0;
}

/* How far back the tape reaches is asked before, for the spool's bounds, and
 * after, when what was recycled meanwhile is known. */
static int read_past(struct past *p, struct tailbox__past *out)
{
	struct tailbox__cover cover;
	struct tailbox__reader *r;

	int ret = tailbox__reader_open_fd(tailbox__recorder.tape.fd, &r, NULL);
	if (ret < 0)
		return ret;
	ret = tailbox__cover(r, &cover);
	if (ret == 0) {
		p->from = tailbox__cover_from(r, &cover, p->from);
		tailbox__spool_set_from(p->spool, p->from);
		ret = tailbox__reader_poll_past(r, tailbox__c.reader, take_past,
		                                p);
	}
	if (ret == 0)
		ret = tailbox__cover(r, &cover);
	if (ret == 0) {
		out->from_tick = tailbox__cover_from(r, &cover, p->from);
		out->samples_tick = cover.samples_tick;
		out->overwritten = cover.overwritten;
		out->older = p->older;
	}
	tailbox__reader_close(r);
	return ret;
}

/* With follow_lock held. */
static void follow_past(struct tailbox__controller *c)
{
	struct tailbox__window *w = &c->window;
	struct past p = { 0 };

	tailbox__lock();
	if (w->is_past_due)
		p.spool = w->spool;
	p.from = w->from;
	struct tailbox__past past = { .asked_ms = w->activation.lookback_ms,
		                      .to_tick = w->armed };
	tailbox__unlock();
	if (!p.spool)
		return;
	const int ret = read_past(&p, &past);
	/* A window without what has been passed over since is worth nothing. */
	if (ret < 0)
		tailbox__spool_fail(p.spool, ret);
	tailbox__lock();
	w->is_past_due = false;
	w->counts = tailbox__spool_counts(p.spool);
	if (ret == 0) {
		w->past = past;
		w->from = past.from_tick;
	}
	tailbox__window_look();
	tailbox__unlock();
}

int tailbox__follow(void)
{
	struct tailbox__controller *c = &tailbox__c;
	struct pass p;

	pthread_mutex_lock(&c->follow_lock);
	follow_past(c);
	tailbox__slow_log_begin(&p.slow);
	p.slow.rare_ticks = tailbox__rare_begin();
	p.triggers = tailbox__trigger_figures();
	tailbox__lock();
	tailbox__rates_turn(&c->rates, tailbox__mono_ns(), tickets());
	tailbox__unlock();
	const int ret = tailbox__reader_poll(c->reader, take_batch, &p);
	tailbox__slow_log_end(&p.slow);
	tailbox__rare_end(c->reader, false);
	tailbox__lock();
	c->lost_blocks = tailbox__reader_lost_blocks(c->reader);
	tailbox__unlock();
	pthread_mutex_unlock(&c->follow_lock);
	tailbox__slow_log_say(&p.slow);
	return ret;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Say once what is wrong, not twenty times a second. */
static void tell(int before, int now)
{
	if (now < 0 && now != before)
		tailbox__log("cannot follow the tape: %s",
		             tailbox_strerror(now));
}

static void *follow_thread(void *arg)
{
	struct tailbox__controller *c = &tailbox__c;
	uint64_t anchor_ns = 0;

	(void)arg;
	tailbox__own_thread(true);
	tailbox__lock();
	while (c->has_follower) {
		const bool was_on = tailbox__recorder_is_on();
		tailbox__unlock();
		const uint64_t now = tailbox__mono_ns();
		if (now - anchor_ns >= ANCHOR_NS) {
			tailbox__recorder_anchor();
			tailbox__cost_note();
			tailbox__fill_note(now);
			anchor_ns = now;
		}
		const int ret = tailbox__follow();
		tailbox__trigger_pass();
		tell(c->follow_error, ret);
		c->follow_error = ret; /* this thread's own */
		tailbox__lock();
		c->follower_cpu_ns = cpu_ns();
		if (c->has_follower && was_on)
			tailbox__wait(&c->wake_follower, PASS_NS);
		while (c->has_follower && !was_on && !tailbox__recorder_is_on())
			pthread_cond_wait(&c->wake_follower, &c->lock);
	}
	tailbox__unlock();
	tailbox__own_thread(false);
	return NULL;
}

int tailbox__follower_start(void)
{
	struct tailbox__controller *c = &tailbox__c;

	c->has_follower = true;
	const int ret = tailbox__thread_start(&c->follower, follow_thread,
	                                      "tailbox-follow");
	if (ret < 0)
		c->has_follower = false;
	return ret;
}

void tailbox__follower_stop(void)
{
	struct tailbox__controller *c = &tailbox__c;

	tailbox__lock();
	c->has_follower = false;
	pthread_cond_signal(&c->wake_follower);
	tailbox__unlock();
	pthread_join(c->follower, NULL);
}

/* --- what the recorder has done ---------------------------------------- */

/* The writers' counters, as they are now. */
static void sum_counters(struct tailbox__recorder_status *out)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	const uint64_t used = TAILBOX__GET(tape->header->threads_used);

	for (uint64_t i = 0; i < used; i++) {
		const struct tailbox__thread_entry *t = &tape->threads[i];
		out->begun += TAILBOX__GET(t->begun);
		out->finished += TAILBOX__GET(t->finished);
		out->discarded += TAILBOX__GET(t->discarded);
		out->spans += TAILBOX__GET(t->spans);
		out->moves += TAILBOX__GET(t->moves);
		out->lost_requests += TAILBOX__GET(t->lost_requests);
		out->lost_spans += TAILBOX__GET(t->lost_spans);
		out->holds += TAILBOX__GET(t->holds);
		out->lost_holds += TAILBOX__GET(t->lost_holds);
		out->late_spans += TAILBOX__GET(t->late_spans);
		out->lost_tags += TAILBOX__GET(t->lost_tags);
	}
}

static void count_slots(struct tailbox__recorder_status *out)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	const uint64_t used = TAILBOX__GET(tape->header->slots_used);

	for (uint64_t i = 0; i < used; i++) {
		const struct tailbox__slot *s = &tape->slots[i];
		const uint64_t state = atomic_load_explicit(
		        &s->state, memory_order_acquire); /* with its flags */
		if (state == TAILBOX__SLOT_FREE)
			continue;
		out->connections += TAILBOX__GET(s->connection) != 0;
		if (state == TAILBOX__SLOT_IDLE)
			continue;
		out->open_requests++;
		out->suspended += (TAILBOX__GET(s->flags) &
		                   TAILBOX__REQ_SUSPENDED) != 0;
	}
}

void tailbox__losses_now(struct tailbox__loss_counts *out)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	struct tailbox__recorder_status s = { 0 };

	sum_counters(&s);
	*out = (struct tailbox__loss_counts){
		.requests = s.lost_requests,
		.spans = s.lost_spans,
		.holds = s.lost_holds,
		.late_spans = s.late_spans,
		.tags = s.lost_tags,
		.names = TAILBOX__GET(h->losses[TAILBOX__LOSS_NAMES]),
		.threads = TAILBOX__GET(h->losses[TAILBOX__LOSS_THREADS]),
		.slots = TAILBOX__GET(h->losses[TAILBOX__LOSS_SLOTS]),
		.connections =
		        TAILBOX__GET(h->losses[TAILBOX__LOSS_CONNECTIONS]),
		.clock_steps =
		        TAILBOX__GET(h->losses[TAILBOX__LOSS_CLOCK_STEPS]),
	};
}

void tailbox__recorder_status(struct tailbox__recorder_status *out)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	struct tailbox__controller *c = &tailbox__c;

	memset(out, 0, sizeof(*out));
	out->history_ms = out->fill = TAILBOX__NONE;
	out->p50_us = out->p95_us = out->p99_us = out->max_us = TAILBOX__NONE;
	if (!h)
		return;
	sum_counters(out);
	count_slots(out);
	out->lost_names = TAILBOX__GET(h->losses[TAILBOX__LOSS_NAMES]);
	out->lost_threads = TAILBOX__GET(h->losses[TAILBOX__LOSS_THREADS]);
	out->lost_slots = TAILBOX__GET(h->losses[TAILBOX__LOSS_SLOTS]);
	out->lost_connections =
	        TAILBOX__GET(h->losses[TAILBOX__LOSS_CONNECTIONS]);
	out->clock_steps = TAILBOX__GET(h->losses[TAILBOX__LOSS_CLOCK_STEPS]);
	tailbox__lock();
	if (c->is_started) {
		tailbox__rates_tell(&c->rates, tailbox__mono_ns(), tickets(),
		                    h->blocks_max, out);
		if (c->fill.kept)
			out->fill = c->fill.kept;
		out->lost_blocks = c->lost_blocks;
		out->follower_cpu_ns = c->follower_cpu_ns;
		out->follower_records = c->follower_records;
	}
	tailbox__unlock();
}
