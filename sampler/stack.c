/* sampler/stack.c - the stack of a worker that is held, by a signal.
 *
 * SPDX-License-Identifier: MIT
 *
 * The sampler's side: who is asked and when, and what becomes of the answer.
 * The worker's side, and what passes between the two: sampler/stack_place.c.
 *
 * A worker is due when one callback has held it for so long; a look says when
 * the next one may be, so that nobody looks in vain more often than that. An
 * answer is waited for by looking again, soon and then less and less.
 *
 * A thread that blocks the signal is not sent it: it would stay pending, and
 * be there still in a program that the thread execs.
 */
#include "sampler/stack.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/recorder.h"
#include "sampler/proc.h"
#include "sampler/sampler.h"
#include "sampler/stack_place.h"

#define MS UINT64_C(1000000)
/* How soon an answer is looked for; twice as long each time, up to: */
#define ANSWER_NS MS
#define ANSWER_MOST_NS (64 * MS)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tailbox__stack_status now; /* with lock, as all that follows */
static int taken; /* number of the signal; 0 = none */
static uint64_t second_ns; /* of `sent` */
static unsigned sent;
static uint64_t answer_ns; /* wait for answers; 0 = none is due */

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- on and off ---------------------------------------------------------- */

/* With lock held. */
static void give_back(void)
{
	struct tailbox__stack_place *all = tailbox__stack_places();

	if (taken)
		tailbox__stack_give_back(taken);
	taken = 0;
	answer_ns = 0;
	now.is_on = false;
	/* Who is asked still will not be told any more. */
	for (uint32_t i = 0; all != NULL && i < TAILBOX__THREADS_MAX; i++)
		tailbox__stack_withdraw(&all[i]);
}

const char *tailbox__stack_set(int number, const char *name, uint64_t after_ms)
{
	const char *why = NULL;

	pthread_mutex_lock(&lock);
	now.after_ms = after_ms;
	if (number != taken || (taken && !tailbox__stack_is_ours(taken))) {
		give_back();
		why = number ? tailbox__stack_take(number) : NULL;
		if (number && why == NULL) {
			taken = number;
			now.is_on = true;
		}
		snprintf(now.trouble, sizeof(now.trouble), "%s",
		         why ? why : "");
	}
	snprintf(now.signal, sizeof(now.signal), "%s", number ? name : "");
	pthread_mutex_unlock(&lock);
	tailbox__sampler_look_soon();
	return why;
}

void tailbox__stack_clear(void)
{
	pthread_mutex_lock(&lock);
	give_back();
	memset(&now, 0, sizeof(now));
	pthread_mutex_unlock(&lock);
}

void tailbox__stack_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	give_back();
	memset(&now, 0, sizeof(now));
}

/* --- asking -------------------------------------------------------------- */

/* Whether the thread blocks the signal; true as well where that is not to be
 * known. */
static bool blocks(uint32_t tid, int number)
{
	static const char key[] = "\nSigBlk:\t";
	struct tailbox__proc_file file = TAILBOX__PROC_FILE;
	char path[48], text[16384]; /* a line of it has all groups */

	snprintf(path, sizeof(path), "/proc/self/task/%u/status",
	         (unsigned)tid);
	const long n = tailbox__proc_read(&file, path, text, sizeof(text));
	tailbox__proc_close(&file);
	const char *at = n > 0 ? strstr(text, key) : NULL;
	if (at == NULL)
		return true;
	const uint64_t set = strtoull(at + strlen(key), NULL, 16);
	return set >> (number - 1) & 1;
}

/* What is known of the hold; false when it has ended meanwhile. */
static bool describe(struct tailbox__stack_place *p, uint32_t index,
                     uint64_t hold)
{
	struct tailbox__tape *tape = &tailbox__recorder.tape;
	struct tailbox__thread_entry *e = &tape->threads[index];
	const uint32_t slot = TAILBOX__GET(e->hold_slot);

	memset(&p->rec, 0, sizeof(p->rec));
	p->rec.type = TAILBOX__REC_STACK;
	p->rec.thread = index;
	p->rec.hold = hold;
	p->rec.kind = (uint8_t)TAILBOX__GET(e->hold_kind);
	p->rec.route = TAILBOX__GET(e->hold_route);
	p->rec.tid = p->tid;
	if (slot < tape->header->slots_max &&
	    TAILBOX__GET(tape->slots[slot].state) == TAILBOX__SLOT_OPEN)
		p->rec.number = TAILBOX__GET(tape->slots[slot].number);
	return TAILBOX__GET(e->hold_since) == hold;
}

static void ask(struct tailbox__stack_place *p, uint32_t index, uint32_t tid,
                uint64_t hold)
{
	p->last_hold = hold;
	if (atomic_load_explicit(&p->turn, memory_order_acquire) !=
	    TAILBOX__STACK_FREE)
		return; /* an earlier question is open */
	if (blocks(tid, taken)) {
		now.blocked++;
		return;
	}
	/* Each time: numbers of threads come again, stacks need not. */
	if (!tailbox__thread_stack(index, tid, &p->low, &p->high)) {
		now.failed++;
		return;
	}
	p->tid = tid;
	if (!describe(p, index, hold))
		return;
	/* Somebody who put the default back would have us kill the process. */
	if (!tailbox__stack_is_ours(taken))
		return;
	p->hold = hold;
	now.asked++;
	sent++;
	atomic_store_explicit(&p->turn, TAILBOX__STACK_ASKED,
	                      memory_order_release);
	if (syscall(SYS_tgkill, getpid(), (pid_t)tid, taken) != 0) {
		atomic_store_explicit(&p->turn, TAILBOX__STACK_FREE,
		                      memory_order_relaxed);
		now.failed++;
		return;
	}
	answer_ns = ANSWER_NS;
}

/* --- what was answered --------------------------------------------------- */

static bool record(const struct tailbox__rec_stack *head,
                   const struct tailbox__stack *s)
{
	const uint32_t more = (s->count + TAILBOX__FRAMES_PER_RECORD - 1) /
	                      TAILBOX__FRAMES_PER_RECORD;
	const size_t bytes = sizeof(*head) * (1 + more);
	struct tailbox__thread *t = tailbox__thread_get();
	char *at = t ? tailbox__reserve(t, TAILBOX__BLOCK_SAMPLES, bytes)
	             : NULL;

	if (at == NULL)
		return false;
	struct tailbox__rec_stack rec = *head;
	rec.more = (uint8_t)more;
	rec.count = (uint8_t)s->count;
	rec.end = (uint8_t)s->end;
	rec.guessed = s->guessed;
	tailbox__store(at, &rec, sizeof(rec));
	for (uint32_t i = 0; i < s->count;) {
		struct tailbox__rec_frames f;

		memset(&f, 0, sizeof(f));
		f.type = TAILBOX__REC_FRAMES;
		while (f.count < TAILBOX__FRAMES_PER_RECORD && i < s->count)
			f.frame[f.count++] = s->frame[i++];
		at += sizeof(f);
		tailbox__store(at, &f, sizeof(f));
	}
	tailbox__publish(t, TAILBOX__BLOCK_SAMPLES, bytes);
	return true;
}

/* False: the thread has not answered yet. The lock is given up meanwhile: who
 * asks what the workers do is not to wait for the dynamic linker. */
static bool collect(struct tailbox__stack_place *p)
{
	/* Pairs with the release in answer(). */
	const uint32_t turn =
	        atomic_load_explicit(&p->turn, memory_order_acquire);

	if (turn == TAILBOX__STACK_ANSWERED) {
		struct tailbox__stack found;
		pthread_mutex_unlock(&lock);
		tailbox__stack_resolve(&p->raw, &found);
		pthread_mutex_lock(&lock);
		p->shown = found;
		p->shown_hold = p->hold;
		p->shown_tick = p->rec.tick = p->tick;
		if (record(&p->rec, &p->shown))
			now.taken++;
		else
			now.failed++;
	} else if (turn == TAILBOX__STACK_LATE) {
		now.late++;
	} else {
		return turn == TAILBOX__STACK_FREE;
	}
	atomic_store_explicit(&p->turn, TAILBOX__STACK_FREE,
	                      memory_order_relaxed);
	return true;
}

/* --- the look ------------------------------------------------------------ */

static bool may_send(uint64_t at_ns)
{
	if (at_ns - second_ns >= 1000 * MS) {
		second_ns = at_ns;
		sent = 0;
	}
	return sent < TAILBOX__STACKS_PER_SECOND;
}

/* Looks at one thread; gives in how many ns it is due. */
static uint64_t look_at(uint32_t i, uint64_t at_ns, uint64_t tick)
{
	const struct tailbox__clock_scale scale =
	        tailbox__scale_of_hz(tailbox__clock.hz);
	const uint64_t after_ns = now.after_ms * MS;
	struct tailbox__thread_entry *e = &tailbox__recorder.tape.threads[i];
	struct tailbox__stack_place *p = &tailbox__stack_places()[i];
	const uint32_t tid =
	        atomic_load_explicit(&e->tid, memory_order_acquire);
	const uint64_t since = TAILBOX__GET(e->hold_since);

	if (!taken || tid == 0 || since == 0 || since >= tick ||
	    since == p->last_hold)
		return after_ns;
	const uint64_t held_ns = tailbox__ticks_to_ns(scale, tick - since);
	if (held_ns < after_ns)
		return after_ns - held_ns;
	if (!may_send(at_ns))
		return second_ns + 1000 * MS - at_ns;
	ask(p, i, tid, since);
	return after_ns;
}

static uint64_t look(uint64_t at_ns)
{
	struct tailbox__tape *tape = &tailbox__recorder.tape;
	struct tailbox__stack_place *all = tailbox__stack_places();
	uint64_t used = TAILBOX__GET(tape->header->threads_used);
	uint64_t next_ns = now.after_ms * MS;
	bool is_waiting = false;
	const uint64_t tick = tailbox__now();

	if (used > TAILBOX__THREADS_MAX)
		used = TAILBOX__THREADS_MAX;
	for (uint32_t i = 0; i < used; i++) {
		if (all[i].tid != TAILBOX__GET(tape->threads[i].tid))
			tailbox__stack_withdraw(&all[i]); /* it has gone */
		is_waiting |= !collect(&all[i]);
		const uint64_t due_ns = look_at(i, at_ns, tick);
		next_ns = due_ns < next_ns ? due_ns : next_ns;
	}
	if (answer_ns != 0) {
		next_ns = answer_ns < next_ns ? answer_ns : next_ns;
		if (!is_waiting && answer_ns != ANSWER_NS)
			answer_ns = 0;
		else if (answer_ns < ANSWER_MOST_NS)
			answer_ns *= 2;
	}
	return next_ns;
}

uint64_t tailbox__stack_look(void)
{
	uint64_t at_ns = mono_ns(), next_ns = UINT64_MAX;

	pthread_mutex_lock(&lock);
	if (taken && tailbox__recorder_is_on() && tailbox__stack_is_ours(taken))
		next_ns = at_ns + look(at_ns);
	else if (taken) /* off for now, or somebody else took the signal */
		next_ns = at_ns + 1000 * MS;
	pthread_mutex_unlock(&lock);
	return next_ns;
}

/* --- for readers --------------------------------------------------------- */

bool tailbox__stack_of(uint32_t thread, uint64_t hold,
                       struct tailbox__stack *out, uint64_t *tick)
{
	bool has = false;

	pthread_mutex_lock(&lock);
	const struct tailbox__stack_place *all = tailbox__stack_places();
	if (all != NULL && thread < TAILBOX__THREADS_MAX && hold != 0 &&
	    all[thread].shown_hold == hold) {
		*out = all[thread].shown;
		*tick = all[thread].shown_tick;
		has = true;
	}
	pthread_mutex_unlock(&lock);
	return has;
}

void tailbox__stack_status(struct tailbox__stack_status *out)
{
	pthread_mutex_lock(&lock);
	*out = now;
	if (taken && !tailbox__stack_is_ours(taken)) {
		out->is_on = false;
		snprintf(out->trouble, sizeof(out->trouble), "%s",
		         "the application has taken the signal since");
	}
	pthread_mutex_unlock(&lock);
}
