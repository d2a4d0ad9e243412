/* core/recorder.c - the recorder: open and close, on and off.
 *
 * SPDX-License-Identifier: MIT
 *
 * The kill switch advances `epoch` to an even number, as a close does, so that
 * every thread finds itself without an entry (core/crews.c); and it puts the
 * number back, so that threads and connections go on with the entry and the
 * slot that were theirs. Nothing changes hands meanwhile: who has gone is put
 * on a list, and is taken off the tape when recording goes on.
 */
#include "core/recorder.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/daemons.h"
#include "core/internal.h"

struct tailbox__recorder tailbox__recorder = {
	.tape = { .fd = -1 },
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
	struct tailbox__recorder *r = &tailbox__recorder;

	pthread_mutex_init(&r->lock, NULL);
	atomic_store(&r->on, 0);
	tailbox__tape_in_child(&r->tape);
	atomic_store(&r->is_open, 0);
	if (tailbox__is_recording())
		atomic_fetch_add(&r->epoch, 1);
	r->is_off = false;
	r->hash_seed = 0;
	tailbox__crews_in_child();
	tailbox__daemons_in_child();
}

static void set_up_once(void)
{
	tailbox__crews_init();
	pthread_atfork(NULL, NULL, in_child);
}

/* exit() without tailbox_stop(): not a crash. */
__attribute__((destructor)) static void at_exit(void)
{
	struct tailbox__tape_header *h = tailbox__recorder.tape.header;

	if (h != NULL && h->pid == (uint32_t)getpid())
		atomic_store_explicit(&h->end_state, TAILBOX__END_EXITED,
		                      memory_order_release);
}

void tailbox__loss(enum tailbox__loss what)
{
	struct tailbox__tape_header *h = tailbox__recorder.tape.header;

	if (h != NULL && tailbox__is_recording())
		atomic_fetch_add_explicit(&h->losses[what], 1,
		                          memory_order_relaxed);
}

void tailbox__lost_to_table(void)
{
	tailbox__loss(TAILBOX__LOSS_THREADS);
}

/* For readers of the tape. */
static void tell_hold_min(void)
{
	const struct tailbox__recorder *r = &tailbox__recorder;
	const uint64_t min = TAILBOX__GET(r->hold_min);

	TAILBOX__SET(r->tape.header->hold_min, min != UINT64_MAX ? min : 0);
}

/* --- open and close ---------------------------------------------------- */

static uint64_t random_seed(void)
{
	uint64_t seed = 0;
	struct tailbox__anchor a;

	if (syscall(SYS_getrandom, &seed, sizeof(seed), 1 /* non-blocking */) !=
	    (long)sizeof(seed)) {
		tailbox__anchor_take(&a);
		seed = a.tick * 0x9e3779b97f4a7c15ull ^ a.wall_ns;
	}
	return seed | 1;
}

/* What stays for the life of the process, for workers may be reading it when
 * tailbox is started again. A child is another process. */
static void settle(struct tailbox__recorder *r)
{
	r->hash_seed = random_seed();
	r->trace_id = random_seed();
	r->has_membarrier =
	        syscall(SYS_membarrier,
	                MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

/* With lock. */
static void set_hold_min(uint64_t min_us)
{
	struct tailbox__recorder *r = &tailbox__recorder;
	const uint64_t min = tailbox__us_to_ticks(min_us);
	const uint64_t eighth =
	        tailbox__us_to_ticks(tailbox__clock.jiffy_us) / 8;

	TAILBOX__SET(r->hold_min, min ? min : UINT64_MAX);
	TAILBOX__SET(r->hold_notice, min && min < eighth ? min : eighth);
	if (tailbox__recorder_is_open() && !r->is_off)
		tell_hold_min();
}

int tailbox__recorder_open(int dirfd, const char *dir, const char *service,
                           const char *version, uint64_t tape_bytes,
                           struct tailbox__error *err)
{
	struct tailbox__recorder *r = &tailbox__recorder;
	struct tailbox__crew *crew;
	int rc;

	if (tailbox__recorder_is_open())
		return tailbox__fail(err, -EALREADY, "already started");
	pthread_once(&once, set_up_once);
	tailbox__clock_init();
	if (tailbox__crew_take(&crew) != 0)
		return tailbox__fail(err, -ENOMEM, "out of memory");
	if (r->hash_seed == 0)
		settle(r);
	rc = tailbox__tape_open(&r->tape, dirfd, dir, service, version,
	                        tape_bytes, err);
	if (rc != 0) {
		tailbox__crew_put(crew);
		return rc;
	}
	pthread_mutex_lock(&r->lock);
	tailbox__crew_open(crew, &r->tape);
	/* Release: who sees it finds the tape's pointers. */
	atomic_store_explicit(&r->is_open, 1, memory_order_release);
	set_hold_min(TAILBOX__HOLD_MIN_US);
	atomic_fetch_add(&r->epoch, 1);
	atomic_store(&r->on, 1);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

void tailbox__recorder_set_hold_min(uint64_t min_us)
{
	pthread_mutex_lock(&tailbox__recorder.lock);
	set_hold_min(min_us);
	pthread_mutex_unlock(&tailbox__recorder.lock);
}

void tailbox__recorder_close(bool keep_file)
{
	struct tailbox__recorder *r = &tailbox__recorder;

	if (!tailbox__recorder_is_open())
		return;
	pthread_mutex_lock(&r->lock);
	atomic_store(&r->on, 0);
	atomic_store(&r->is_open, 0);
	if (!r->is_off)
		atomic_fetch_add(&r->epoch, 1);
	r->is_off = false;
	pthread_mutex_unlock(&r->lock);
	tailbox__tape_close(&r->tape, TAILBOX__END_CLOSED, !keep_file);
	pthread_mutex_lock(&r->lock);
	tailbox__crew_close();
	pthread_mutex_unlock(&r->lock);
}

/* Requests of the server that were open: their ends were not seen, or will
 * be seen with a gap before it. Until the next one the connection is idle.
 * Requests of the application are still open, or they would have been given
 * back. */
static void close_slots(void)
{
	struct tailbox__tape *tape = &tailbox__recorder.tape;
	const uint64_t used = TAILBOX__GET(tape->header->slots_used);

	for (uint64_t i = 0; i < used; i++) {
		struct tailbox__slot *s = &tape->slots[i];
		const uint64_t state = TAILBOX__GET(s->state);
		if (state == TAILBOX__SLOT_STARTING ||
		    (state == TAILBOX__SLOT_OPEN &&
		     !(TAILBOX__GET(s->flags) & TAILBOX__REQ_CORE)))
			TAILBOX__SET(s->state, TAILBOX__SLOT_IDLE);
	}
}

/* Threads that have gone, and what the others held when it went off. */
static void close_entries(void)
{
	struct tailbox__tape *tape = &tailbox__recorder.tape;
	const uint64_t used = TAILBOX__GET(tape->header->threads_used);

	for (uint64_t i = 0; i < used; i++)
		TAILBOX__SET(tape->threads[i].hold_since, 0);
	tailbox__threads_settle();
}

static void switch_on(void)
{
	struct tailbox__recorder *r = &tailbox__recorder;

	close_slots();
	close_entries();
	r->is_off = false;
	TAILBOX__SET(r->tape.header->switched, tailbox__now());
	TAILBOX__SET(r->tape.header->recorder_on, 1);
	tell_hold_min();
	/* Release: whoever sees it finds the slots as they are now. */
	atomic_store_explicit(&r->epoch, TAILBOX__GET(r->epoch) - 1,
	                      memory_order_release);
	tailbox__slots_settle();
	atomic_store_explicit(&r->on, 1, memory_order_release);
}

static void switch_off(void)
{
	struct tailbox__recorder *r = &tailbox__recorder;

	TAILBOX__SET(r->tape.header->switched, tailbox__now());
	TAILBOX__SET(r->tape.header->recorder_on, 0);
	atomic_store_explicit(&r->on, 0, memory_order_relaxed);
	r->is_off = true;
	atomic_fetch_add(&r->epoch, 1);
	/* What a thread asks from here on, it is told. */
	tailbox__barrier();
}

bool tailbox__recorder_set(bool on)
{
	struct tailbox__recorder *r = &tailbox__recorder;
	bool is_changed;

	pthread_mutex_lock(&r->lock);
	is_changed = tailbox__recorder_is_open() && on == r->is_off;
	if (is_changed && on)
		switch_on();
	else if (is_changed)
		switch_off();
	pthread_mutex_unlock(&r->lock);
	return is_changed;
}

int tailbox_is_recording(void)
{
	return tailbox__recorder_is_on();
}

/* Since the anchor before; the first one is of the start. */
static void check_clock(const struct tailbox__tape_header *h,
                        const struct tailbox__anchor *now)
{
	struct tailbox__anchor before = { TAILBOX__GET(h->now_tick),
		                          TAILBOX__GET(h->now_mono_ns), 0 };

	if (before.mono_ns == 0) {
		before.tick = h->anchor_tick;
		before.mono_ns = h->anchor_mono_ns;
	}
	if (h->clock_kind == TAILBOX__CLOCK_TSC &&
	    tailbox__clock_has_stepped(&before, now, h->clock_hz))
		tailbox__loss(TAILBOX__LOSS_CLOCK_STEPS);
}

void tailbox__recorder_anchor(void)
{
	struct tailbox__recorder *r = &tailbox__recorder;
	struct tailbox__tape_header *h = r->tape.header;
	struct tailbox__anchor a;
	uint64_t seq;

	/* Not after it was switched off. */
	pthread_mutex_lock(&r->lock);
	if (r->is_off || !tailbox__recorder_is_open())
		goto out;
	tailbox__slots_settle();
	tailbox__anchor_take(&a);
	check_clock(h, &a);
	/* One writer. Odd while it changes; every store is a release, so none
	 * is seen before the odd number, and the even one is seen last. */
	seq = TAILBOX__GET(h->now_seq);
	TAILBOX__SET(h->now_seq, seq + 1);
	atomic_store_explicit(&h->now_tick, a.tick, memory_order_release);
	atomic_store_explicit(&h->now_mono_ns, a.mono_ns, memory_order_release);
	atomic_store_explicit(&h->now_wall_ns, a.wall_ns, memory_order_release);
	atomic_store_explicit(&h->now_seq, seq + 2, memory_order_release);
out:
	pthread_mutex_unlock(&r->lock);
}

void tailbox__barrier(void)
{
	if (tailbox__recorder.has_membarrier)
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	/* Otherwise every begin has a full fence of its own. */
}
