/* core/recorder.c - threads, and the recorder that they record with.
 *
 * SPDX-License-Identifier: MIT
 *
 * A thread registers at its first use: it takes an entry (and with it the
 * part-filled blocks of the thread that had the entry before) and gives it
 * back when it ends. That takes a lock and a system call once in the life of
 * a thread. All else is lock-free: core/blocks.c.
 *
 * The private tables live as long as the process: a thread's pointer into
 * them never dangles, and `epoch` tells whether it still means anything.
 *
 * The kill switch advances `epoch` to an even number, as a close does, so that
 * every thread finds itself without an entry; and it puts the number back, so
 * that threads and connections go on with the entry and the slot that were
 * theirs. Nothing changes hands meanwhile: who has gone is put on a list, and
 * is taken off the tape when recording goes on.
 */
#include "core/recorder.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/daemons.h"
#include "core/internal.h"

struct tailbox__recorder tailbox__recorder = { .tape = { .fd = -1 } };
__thread struct tailbox__thread *tailbox__self
        __attribute__((tls_model("initial-exec")));
__thread uint32_t tailbox__self_epoch
        __attribute__((tls_model("initial-exec")));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int has_key;
/* Twice TAILBOX__THREADS_MAX, never freed. The tapes of a process use one half
 * and the other in turn: a worker that was in a callback of the application
 * when tailbox was stopped and started does not share its state with a thread
 * of the new tape. */
static struct tailbox__thread *tables, *threads;
/* Entries of threads that have gone, the last one on top; those below `bare`
 * have no blocks any more. With lock; the count is a hint for who has none. */
static uint32_t free_threads[TAILBOX__THREADS_MAX], bare, kept_blocks;
static tailbox__a32 free_count;
static bool is_off; /* with lock: switched off, epoch is one too many */

/* Which of the tables the open tape uses. */
static unsigned half(void)
{
	return threads != tables;
}

/* Open, and not switched off. */
static bool is_recording(void)
{
	return TAILBOX__GET(tailbox__recorder.epoch) & 1;
}

static void forget_self(void)
{
	tailbox__self = NULL;
	tailbox__self_epoch = 0;
}

/* Whether `epoch` is that of the tape that is open, on or off. With lock. */
static bool is_of_tape(uint32_t epoch)
{
	const uint32_t now = TAILBOX__GET(tailbox__recorder.epoch);

	return is_off ? epoch + 1 == now : (now & 1) && epoch == now;
}

/* Nobody's: as readers see it. */
static void clear_entry(struct tailbox__thread *t)
{
	TAILBOX__SET(t->entry->hold_since, 0);
	TAILBOX__SET(t->entry->worker, 0);
	TAILBOX__SET(t->entry->tid, 0);
}

static void no_free_threads(void)
{
	TAILBOX__SET(free_count, 0);
	bare = kept_blocks = 0;
}

/* Part-filled blocks of threads that have gone wait for those that come, but a
 * crowd that has gone would keep all there are. Beyond an eighth the longest
 * kept go back. What was written in them stays, as in any other. */
static void trim_kept_blocks(void)
{
	const uint32_t most = tailbox__recorder.tape.header->blocks_max / 8;

	while (kept_blocks > most && bare < TAILBOX__GET(free_count)) {
		struct tailbox__thread *t = &threads[free_threads[bare++]];
		kept_blocks -= tailbox__blocks_of(t);
		tailbox__blocks_retire(t);
	}
}

static void put_entry(struct tailbox__thread *t)
{
	const uint32_t n = TAILBOX__GET(free_count);

	free_threads[n] = t->index;
	TAILBOX__SET(free_count, n + 1);
	kept_blocks += tailbox__blocks_of(t);
	if (!is_off)
		trim_kept_blocks();
}

/* The thread ends: its entry, blocks and spare slots go to the next one. */
static void thread_gone(void *arg)
{
	struct tailbox__thread *t = arg;

	pthread_mutex_lock(&lock);
	if (is_of_tape(tailbox__self_epoch)) {
		tailbox__slots_flush(t);
		if (!is_off)
			clear_entry(t);
		t->held_count = t->look = 0;
		t->look_at = t->busy_since = 0;
		put_entry(t);
	}
	pthread_mutex_unlock(&lock);
	forget_self();
}

static void in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	atomic_store(&tailbox__recorder.on, 0);
	tailbox__tape_in_child(&tailbox__recorder.tape);
	atomic_store(&tailbox__recorder.is_open, 0);
	if (is_recording())
		atomic_fetch_add(&tailbox__recorder.epoch, 1);
	is_off = false;
	no_free_threads();
	tailbox__recorder.hash_seed = 0;
	forget_self();
	tailbox__daemons_in_child();
}

static void set_up_once(void)
{
	has_key = pthread_key_create(&key, thread_gone) == 0;
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

static struct tailbox__thread *take_entry(void)
{
	struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	const uint32_t n = TAILBOX__GET(free_count);
	struct tailbox__thread *t;
	uint64_t used;

	if (n > 0) {
		t = &threads[free_threads[n - 1]];
		TAILBOX__SET(free_count, n - 1);
		if (bare >= n)
			bare = n - 1;
		kept_blocks -= tailbox__blocks_of(t);
		return t;
	}
	used = TAILBOX__GET(h->threads_used);
	if (used >= h->threads_max)
		return NULL;
	t = &threads[used];
	memset(t, 0, sizeof(*t));
	t->index = (uint32_t)used;
	t->half = (uint8_t)half();
	t->number_base = used << 40;
	t->needs_fence = !tailbox__recorder.has_membarrier;
	t->entry = &tailbox__recorder.tape.threads[used];
	t->epoch = TAILBOX__GET(tailbox__recorder.epoch);
	atomic_store_explicit(&h->threads_used, used + 1, memory_order_release);
	return t;
}

/* A hint: whoever is told so by mistake is told the truth the next time. */
static bool is_full(void)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;

	return h != NULL && TAILBOX__GET(free_count) == 0 &&
	       TAILBOX__GET(h->threads_used) >= h->threads_max;
}

struct tailbox__thread *tailbox__thread_register(void)
{
	struct tailbox__thread *t = NULL;

	/* What the thread has waits for it while it is off; a callback of the
	 * application that is running has to find it there when it returns.
	 * Beyond the table nobody queues for the lock, with each callback. */
	if (!is_recording() || (tailbox__self == NULL && is_full()))
		return NULL;
	pthread_mutex_lock(&lock);
	if (tailbox__self != NULL &&
	    tailbox__self_epoch == TAILBOX__GET(tailbox__recorder.epoch)) {
		pthread_mutex_unlock(&lock); /* it went on just now */
		return tailbox__self;
	}
	forget_self();
	if (is_recording()) {
		t = take_entry();
		if (t != NULL)
			tailbox__self_epoch = t->epoch;
	}
	pthread_mutex_unlock(&lock);
	if (t == NULL)
		return NULL;
	if (!has_key || pthread_setspecific(key, t) != 0) {
		thread_gone(t);
		return NULL;
	}
	t->self = pthread_self();
	/* Release: whoever finds the tid finds the handle. */
	atomic_store_explicit(&t->entry->tid, (uint32_t)syscall(SYS_gettid),
	                      memory_order_release);
	tailbox__self = t;
	return t;
}

bool tailbox__thread_stack(uint32_t index, uint32_t tid, uintptr_t *low,
                           uintptr_t *high)
{
	pthread_attr_t attr;
	void *at = NULL;
	size_t bytes = 0;
	bool is_known = false;

	/* With the lock a thread that is there cannot go: thread_gone() has to
	 * wait, and so the handle stays good. */
	pthread_mutex_lock(&lock);
	if (is_recording() && index < TAILBOX__THREADS_MAX &&
	    threads[index].entry != NULL &&
	    atomic_load_explicit(&threads[index].entry->tid,
	                         memory_order_acquire) == tid &&
	    pthread_getattr_np(threads[index].self, &attr) == 0) {
		is_known = pthread_attr_getstack(&attr, &at, &bytes) == 0;
		pthread_attr_destroy(&attr);
	}
	pthread_mutex_unlock(&lock);
	*low = (uintptr_t)at;
	*high = (uintptr_t)at + bytes;
	return is_known && *high > *low;
}

void tailbox__loss(enum tailbox__loss what)
{
	struct tailbox__tape_header *h = tailbox__recorder.tape.header;

	if (h != NULL && is_recording())
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

/* On a cache line, which the allocator does not promise. */
static bool make_threads(void)
{
	static char *memory; /* kept: what is never freed is no leak */
	const size_t line = _Alignof(struct tailbox__thread);

	memory = tailbox__zalloc(
	        1, 2 * TAILBOX__THREADS_MAX * sizeof(*tables) + line);
	if (memory == NULL)
		return false;
	tables = (void *)(memory + (line - (uintptr_t)memory % line) % line);
	return true;
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

int tailbox__recorder_open(int dirfd, const char *dir, const char *service,
                           const char *version, uint64_t tape_bytes,
                           struct tailbox__error *err)
{
	struct tailbox__recorder *r = &tailbox__recorder;
	int rc;

	if (tailbox__recorder_is_open())
		return tailbox__fail(err, -EALREADY, "already started");
	pthread_once(&once, set_up_once);
	tailbox__clock_init();
	if (tables == NULL && !make_threads())
		return tailbox__fail(err, -ENOMEM, "out of memory");
	if (r->hash_seed == 0)
		settle(r);
	rc = tailbox__tape_open(&r->tape, dirfd, dir, service, version,
	                        tape_bytes, err);
	if (rc != 0)
		return rc;
	tailbox__names_open();
	tailbox__slots_open();
	pthread_mutex_lock(&lock);
	threads = threads == tables ? tables + TAILBOX__THREADS_MAX : tables;
	no_free_threads();
	TAILBOX__SET(r->blocks_active[half()], 0);
	pthread_mutex_unlock(&lock);
	/* Release: who sees it finds the tape's pointers. */
	atomic_store_explicit(&r->is_open, 1, memory_order_release);
	tailbox__recorder_set_hold_min(TAILBOX__HOLD_MIN_US);
	atomic_fetch_add(&r->epoch, 1);
	atomic_store(&r->on, 1);
	return 0;
}

void tailbox__recorder_set_hold_min(uint64_t min_us)
{
	struct tailbox__recorder *r = &tailbox__recorder;
	const uint64_t min = tailbox__us_to_ticks(min_us);
	const uint64_t eighth =
	        tailbox__us_to_ticks(tailbox__clock.jiffy_us) / 8;

	pthread_mutex_lock(&lock);
	TAILBOX__SET(r->hold_min, min ? min : UINT64_MAX);
	TAILBOX__SET(r->hold_notice, min && min < eighth ? min : eighth);
	if (tailbox__recorder_is_open() && !is_off)
		tell_hold_min();
	pthread_mutex_unlock(&lock);
}

void tailbox__recorder_close(bool keep_file)
{
	struct tailbox__recorder *r = &tailbox__recorder;

	if (!tailbox__recorder_is_open())
		return;
	atomic_store(&r->on, 0);
	pthread_mutex_lock(&lock);
	atomic_store(&r->is_open, 0);
	if (!is_off)
		atomic_fetch_add(&r->epoch, 1);
	is_off = false;
	no_free_threads();
	pthread_mutex_unlock(&lock);
	tailbox__slots_close();
	tailbox__tape_close(&r->tape, TAILBOX__END_CLOSED, !keep_file);
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
	for (uint32_t i = 0; i < TAILBOX__GET(free_count); i++)
		clear_entry(&threads[free_threads[i]]);
	trim_kept_blocks();
}

static void switch_on(void)
{
	struct tailbox__recorder *r = &tailbox__recorder;

	close_slots();
	close_entries();
	is_off = false;
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
	is_off = true;
	atomic_fetch_add(&r->epoch, 1);
	/* What a thread asks from here on, it is told. */
	tailbox__barrier();
}

bool tailbox__recorder_set(bool on)
{
	bool is_changed;

	pthread_mutex_lock(&lock);
	is_changed = tailbox__recorder_is_open() && on == is_off;
	if (is_changed && on)
		switch_on();
	else if (is_changed)
		switch_off();
	pthread_mutex_unlock(&lock);
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
	struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	struct tailbox__anchor a;
	uint64_t seq;

	/* Not after it was switched off. */
	pthread_mutex_lock(&lock);
	if (is_off || !tailbox__recorder_is_open())
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
	pthread_mutex_unlock(&lock);
}

void tailbox__barrier(void)
{
	if (tailbox__recorder.has_membarrier)
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	/* Otherwise every begin has a full fence of its own. */
}
