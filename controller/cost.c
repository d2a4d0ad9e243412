/* controller/cost.c - what the recorder itself costs.
 *
 * SPDX-License-Identifier: MIT
 *
 * Two parts. Our threads: the kernel counts their CPU time. The application's
 * threads, in which requests are recorded: that cannot be told apart from the
 * application by a clock, so it is an estimate, requests times what a request
 * took in a loop at the start. In a server it is more, since the server's own
 * code has pushed ours out of the nearest caches: doc/numbers.md says how much.
 *
 * Once a second the follower notes how things stand; the difference to ten
 * seconds ago is "the last 10 s". While it sleeps /status notes for itself.
 */
#include "controller/internal.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "core/alloc.h"
#include "core/daemons.h"
#include "core/recorder.h"

enum {
	BATCH = 63, /* requests; as many records as a block has */
	BATCHES_MAX = 200,
	CALIBRATE_NS = 1000000,
	NOTE_NS = 1000000000
};

static uint64_t cpu_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- per request ------------------------------------------------------- */

/* Everything that a request is written to, none of it on the tape. */
struct scratch {
	_Alignas(64) struct tailbox__thread thread;
	_Alignas(64) struct tailbox__thread_entry entry;
	_Alignas(64) struct tailbox__slot slot;
	_Alignas(64) char block[TAILBOX__BLOCK_MOST];
};

static void batch(struct scratch *s)
{
	struct tailbox__out *o =
	        &TAILBOX__OUT(&s->thread, TAILBOX__BLOCK_REQUESTS);

	o->block = (void *)s->block;
	o->next = s->block + sizeof(struct tailbox__block);
	o->end = s->block + sizeof(s->block);
	o->pub = 0;
	for (int i = 0; i < BATCH; i++) {
		tailbox__request_open(&s->thread, &s->slot,
		                      TAILBOX__NAME_UNMATCHED,
		                      TAILBOX__NAME_HTTP, 0,
		                      TAILBOX__PHASE_HANDLER);
		TAILBOX__SET(s->slot.known, 0);
		tailbox__request_close(&s->thread, &s->slot, tailbox__now(),
		                       TAILBOX__TERM_COMPLETED, 0);
	}
}

/* The fastest batch: what was in its way was not ours. */
uint64_t tailbox__cost_measure(void)
{
	const size_t line = _Alignof(struct scratch);
	char *memory = tailbox__zalloc(1, sizeof(struct scratch) + line);
	uint64_t best = UINT64_MAX;

	if (!memory)
		return TAILBOX__NONE;
	struct scratch *s =
	        (void *)(memory + (line - (uintptr_t)memory % line) % line);
	s->thread.entry = &s->entry;
	s->thread.needs_fence = !tailbox__recorder.has_membarrier;
	const uint64_t start = tailbox__mono_ns();
	uint64_t from = start, now = start;
	for (int i = 0; i < BATCHES_MAX && now - start < CALIBRATE_NS; i++) {
		batch(s);
		now = tailbox__mono_ns();
		if (now - from < best)
			best = now - from;
		from = now;
	}
	tailbox__free(memory);
	return best * 1000 / BATCH;
}

/* --- in all ------------------------------------------------------------ */

static uint64_t finished(void)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	const uint64_t used = TAILBOX__GET(tape->header->threads_used);
	uint64_t n = 0;

	for (uint64_t i = 0; i < used; i++)
		n += TAILBOX__GET(tape->threads[i].finished);
	return n;
}

static struct tailbox__cost_note look(void)
{
	return (struct tailbox__cost_note){
		.at_ns = tailbox__mono_ns(),
		.threads_ns = tailbox__own_threads_cpu_ns(),
		.process_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID),
		.finished = finished(),
	};
}

/* With lock held. */
static void keep(struct tailbox__costs *c, struct tailbox__cost_note now)
{
	const struct tailbox__cost_note *last =
	        &c->notes[(c->count + TAILBOX__COST_NOTES - 1) %
	                  TAILBOX__COST_NOTES];

	/* A little early is not skipped: the wait before it may have been cut
	 * short. */
	if (c->count && now.at_ns - last->at_ns < NOTE_NS / 2)
		return;
	c->notes[c->count++ % TAILBOX__COST_NOTES] = now;
}

void tailbox__cost_note(void)
{
	const struct tailbox__cost_note now = look();

	tailbox__lock();
	keep(&tailbox__c.costs, now);
	tailbox__unlock();
}

/* The oldest note of the last ten seconds and a half that is old enough to
 * say something; NULL: there is none. */
static const struct tailbox__cost_note *
oldest(const struct tailbox__costs *c, uint64_t now_ns)
{
	const uint64_t count =
	        c->count < TAILBOX__COST_NOTES ? c->count : TAILBOX__COST_NOTES;
	const struct tailbox__cost_note *best = NULL;

	for (uint64_t i = 0; i < count; i++) {
		const struct tailbox__cost_note *n = &c->notes[i];
		const uint64_t age = now_ns - n->at_ns;
		if (age < NOTE_NS / 2 || age > 10ull * NOTE_NS + NOTE_NS / 2)
			continue;
		if (!best || n->at_ns < best->at_ns)
			best = n;
	}
	return best;
}

/* part / whole in millionths. */
static uint64_t share(uint64_t part, uint64_t whole)
{
	return (uint64_t)((unsigned __int128)part * 1000000 / whole);
}

void tailbox__cost_shares(const struct tailbox__cost_note *from,
                          const struct tailbox__cost_note *to,
                          uint64_t request_milli_ns,
                          struct tailbox__cost_status *out)
{
	const uint64_t threads = to->threads_ns - from->threads_ns;
	const uint64_t process = to->process_ns - from->process_ns;

	out->threads_ppm = share(threads, to->at_ns - from->at_ns);
	/* Of nothing there is no share. */
	if (request_milli_ns == TAILBOX__NONE || process == 0)
		return;
	out->process_ppm =
	        share(threads + (to->finished - from->finished) *
	                                request_milli_ns / 1000,
	              process);
}

void tailbox__cost_status(struct tailbox__cost_status *out)
{
	struct tailbox__costs *c = &tailbox__c.costs;

	*out = (struct tailbox__cost_status){ TAILBOX__NONE, TAILBOX__NONE,
		                              TAILBOX__NONE, TAILBOX__NONE };
	if (!tailbox__recorder_is_open())
		return;
	const struct tailbox__cost_note now = look();
	out->threads_ns = now.threads_ns;
	tailbox__lock();
	if (tailbox__c.is_started) {
		const struct tailbox__cost_note *from = oldest(c, now.at_ns);
		out->request_milli_ns = c->request_milli_ns;
		if (from)
			tailbox__cost_shares(from, &now, c->request_milli_ns,
			                     out);
		keep(c, now);
	}
	tailbox__unlock();
}
