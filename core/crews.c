/* core/crews.c - which threads record on which tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * A thread registers at its first use: it takes an entry (and with it the
 * part-filled blocks of the thread that had the entry before) and gives it
 * back when it ends. That takes a lock and a system call once in the life of
 * a thread. All else is lock-free: core/blocks.c.
 *
 * A crew is the threads of one tape, with all that they write by. A handler may
 * last over any number of stops and starts, and goes on with the crew it began
 * with. So a crew is taken apart, its memory unmapped, only when each of its
 * threads has registered with another tape or has ended. (A thread that
 * registers in the last round of its destructors stays a member for good: one
 * crew more is kept.)
 *
 * Some calls use the tape that is open without being a member: a name is looked
 * up, a request of another thread is tagged. They take no lock and do not enter
 * the kernel, so only the scheduler can hold them up in the middle: for that
 * the last tape that was closed stays, one more and as a rule up to KEPT more.
 *
 * The structs themselves are used again and never freed.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/internal.h"

/* Crews without members that are kept behind the last one, and their bytes if
 * they are more than one: address space, hardly any memory. */
#define KEPT 7u
#define KEPT_BYTES ((uint64_t)32 << 20)

__thread struct tailbox__thread *tailbox__self
        __attribute__((tls_model("initial-exec")));
__thread uint32_t tailbox__self_epoch
        __attribute__((tls_model("initial-exec")));

static pthread_key_t key;
static int has_key;
/* With lock. All there are, each put in front once; those whose tape is closed,
 * the last one first; and those that may be used again. */
static struct tailbox__crew *all, *closed, *spare;
/* Entries of threads that have gone, the last one on top; those below `bare`
 * have no blocks any more. With lock; the count is a hint for who has none. */
static uint32_t free_threads[TAILBOX__THREADS_MAX], bare, kept_blocks;
static tailbox__a32 free_count;

static void forget_self(void)
{
	tailbox__self = NULL;
	tailbox__self_epoch = 0;
}

/* Whether `epoch` is that of the tape that is open, on or off. With lock. */
static bool is_of_tape(uint32_t epoch)
{
	const uint32_t now = TAILBOX__GET(tailbox__recorder.epoch);

	return tailbox__recorder.is_off ? epoch + 1 == now
	                                : (now & 1) && epoch == now;
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
static void trim_kept_blocks(struct tailbox__crew *crew)
{
	const uint32_t most = crew->header->blocks_max / 8;

	while (kept_blocks > most && bare < TAILBOX__GET(free_count)) {
		struct tailbox__thread *t = &crew->threads[free_threads[bare++]];
		kept_blocks -= tailbox__blocks_of(t);
		tailbox__blocks_retire(t);
	}
}

void tailbox__threads_settle(void)
{
	struct tailbox__crew *crew = tailbox__recorder.crew;

	for (uint32_t i = 0; i < TAILBOX__GET(free_count); i++)
		clear_entry(&crew->threads[free_threads[i]]);
	trim_kept_blocks(crew);
}

static void put_entry(struct tailbox__thread *t)
{
	const uint32_t n = TAILBOX__GET(free_count);

	tailbox__slots_flush(t);
	if (!tailbox__recorder.is_off)
		clear_entry(t);
	t->held_count = t->look = 0;
	t->look_at = t->busy_since = 0;
	free_threads[n] = t->index;
	TAILBOX__SET(free_count, n + 1);
	kept_blocks += tailbox__blocks_of(t);
	if (!tailbox__recorder.is_off)
		trim_kept_blocks(t->crew);
}

/* This thread is no member of any crew now. With lock. */
static void leave(void)
{
	struct tailbox__thread *t = tailbox__self;

	if (t == NULL)
		return;
	if (is_of_tape(tailbox__self_epoch))
		put_entry(t);
	t->crew->members--;
	forget_self();
}

/* The thread ends: its entry, blocks and spare slots go to the next one. */
static void thread_gone(void *arg)
{
	(void)arg; /* it may be of a crew that the thread has left */
	pthread_mutex_lock(&tailbox__recorder.lock);
	leave();
	pthread_mutex_unlock(&tailbox__recorder.lock);
}

void tailbox__crews_init(void)
{
	has_key = pthread_key_create(&key, thread_gone) == 0;
}

/* --- registration ------------------------------------------------------ */

static struct tailbox__thread *take_entry(struct tailbox__crew *crew)
{
	struct tailbox__tape_header *h = crew->header;
	const uint32_t n = TAILBOX__GET(free_count);
	struct tailbox__thread *t;
	uint64_t used;

	if (n > 0) {
		t = &crew->threads[free_threads[n - 1]];
		TAILBOX__SET(free_count, n - 1);
		if (bare >= n)
			bare = n - 1;
		kept_blocks -= tailbox__blocks_of(t);
		return t;
	}
	used = TAILBOX__GET(h->threads_used);
	if (used >= h->threads_max)
		return NULL;
	t = &crew->threads[used];
	memset(t, 0, sizeof(*t));
	t->crew = crew;
	t->index = (uint32_t)used;
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

/* With lock, while it is recording. */
static struct tailbox__thread *join(void)
{
	struct tailbox__thread *t;

	leave();
	t = take_entry(tailbox__recorder.crew);
	if (t == NULL)
		return NULL;
	t->crew->members++;
	tailbox__self = t;
	tailbox__self_epoch = t->epoch;
	/* Who is not told of its end would never leave. */
	if (!has_key || pthread_setspecific(key, t) != 0) {
		leave();
		return NULL;
	}
	t->self = pthread_self();
	/* Release: whoever finds the tid finds the handle. */
	atomic_store_explicit(&t->entry->tid, (uint32_t)syscall(SYS_gettid),
	                      memory_order_release);
	return t;
}

struct tailbox__thread *tailbox__thread_register(void)
{
	struct tailbox__thread *t;

	/* What the thread has waits for it while it is off; a callback of the
	 * application that is running has to find it there when it returns.
	 * Beyond the table nobody queues for the lock, with each callback. */
	if (!tailbox__is_recording() || (tailbox__self == NULL && is_full()))
		return NULL;
	pthread_mutex_lock(&tailbox__recorder.lock);
	if (tailbox__self != NULL &&
	    tailbox__self_epoch == TAILBOX__GET(tailbox__recorder.epoch))
		t = tailbox__self; /* it went on just now */
	else if (!tailbox__is_recording())
		t = NULL; /* off again */
	else
		t = join();
	pthread_mutex_unlock(&tailbox__recorder.lock);
	return t;
}

bool tailbox__thread_stack(uint32_t index, uint32_t tid, uintptr_t *low,
                           uintptr_t *high)
{
	struct tailbox__crew *crew;
	const struct tailbox__thread *t;
	pthread_attr_t attr;
	void *at = NULL;
	size_t bytes = 0;
	bool is_known = false;

	/* With the lock a thread that is there cannot go: thread_gone() has to
	 * wait, and so the handle stays good. */
	pthread_mutex_lock(&tailbox__recorder.lock);
	crew = tailbox__recorder.crew;
	if (tailbox__is_recording() &&
	    index < TAILBOX__GET(crew->header->threads_used)) {
		t = &crew->threads[index];
		if (atomic_load_explicit(&t->entry->tid,
		                         memory_order_acquire) == tid &&
		    pthread_getattr_np(t->self, &attr) == 0) {
			is_known = pthread_attr_getstack(&attr, &at, &bytes) ==
			           0;
			pthread_attr_destroy(&attr);
		}
	}
	pthread_mutex_unlock(&tailbox__recorder.lock);
	*low = (uintptr_t)at;
	*high = (uintptr_t)at + bytes;
	return is_known && *high > *low;
}

/* --- crews ------------------------------------------------------------- */

/* On a cache line, which the allocator does not promise. */
static struct tailbox__crew *make(void)
{
	const size_t line = _Alignof(struct tailbox__crew);
	struct tailbox__crew *c;
	char *memory = tailbox__zalloc(1, sizeof(*c) + line);

	if (memory == NULL)
		return NULL;
	c = (void *)(memory + (line - (uintptr_t)memory % line) % line);
	c->next_of_all = all;
	all = c; /* what is never freed is no leak */
	return c;
}

int tailbox__crew_take(struct tailbox__crew **crew)
{
	struct tailbox__crew *c;

	pthread_mutex_lock(&tailbox__recorder.lock);
	c = spare;
	if (c != NULL)
		spare = c->next;
	else
		c = make();
	pthread_mutex_unlock(&tailbox__recorder.lock);
	*crew = c;
	return c != NULL ? 0 : -ENOMEM;
}

void tailbox__crew_put(struct tailbox__crew *crew)
{
	pthread_mutex_lock(&tailbox__recorder.lock);
	crew->next = spare;
	spare = crew;
	pthread_mutex_unlock(&tailbox__recorder.lock);
}

void tailbox__crew_open(struct tailbox__crew *crew,
                        const struct tailbox__tape *tape)
{
	static uint64_t opened;

	/* Another one for each tape, in the upper bits too. */
	TAILBOX__SET(crew->salt, ++opened * 0x9e3779b97f4a7c15ull);
	TAILBOX__SET(crew->header, (struct tailbox__tape_header *)tape->header);
	crew->bytes = tape->file_bytes;
	TAILBOX__SET(crew->blocks_active, 0);
	TAILBOX__SET(crew->free_slots, 0);
	TAILBOX__SET(crew->owed_slots, 0);
	tailbox__names_open(crew);
	no_free_threads();
	tailbox__recorder.crew = crew;
}

void tailbox__crew_close(void)
{
	struct tailbox__crew *c = tailbox__recorder.crew, **at;
	uint64_t bytes = 0;
	uint32_t n = 0;

	no_free_threads();
	c->next = closed;
	closed = c;
	for (at = &c->next; (c = *at) != NULL;) {
		if (c->members > 0 || n == 0 ||
		    (n < KEPT && bytes + c->bytes <= KEPT_BYTES)) {
			n += c->members == 0;
			bytes += c->members == 0 ? c->bytes : 0;
			at = &c->next;
			continue;
		}
		*at = c->next;
		munmap(TAILBOX__GET(c->header), c->bytes);
		c->next = spare;
		spare = c;
	}
}

/* Whoever of the parent's was in the middle of what, it is not here; but this
 * thread may be. All of it stays as it is. */
void tailbox__crews_in_child(void)
{
	closed = spare = NULL;
	no_free_threads();
	forget_self();
}
