/* core/recorder.h - the writing side of the tape: threads, slots, records.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nothing here allocates, locks, calls the kernel or logs, but for what says
 * so. A cache line of the tape is written by one thread at a time: a thread's
 * entry and blocks by itself, a slot by whoever holds its request.
 */
#ifndef TAILBOX_CORE_RECORDER_H
#define TAILBOX_CORE_RECORDER_H 1

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <tailbox.h>

#include "core/clock.h"
#include "core/record.h"
#include "core/tape.h"

/* Where a thread writes records of one kind. */
struct tailbox__out {
	char *next, *end;             /* in the present block */
	struct tailbox__block *block; /* NULL = none */
	uint64_t pub;      /* what block->pub says: ticket << 16 | units */
	uint64_t blocks;   /* taken so far */
};

#define TAILBOX__OUT(t, kind) ((t)->out[(kind) - 1])

#define TAILBOX__NAMES_ROOM (2 * TAILBOX__NAMES_MOST)
/* Threads that a recorder has at most: index of the table's last, plus 1. */
#define TAILBOX__THREADS_MAX 1024u

/* Private to a thread; one of a crew's. What every request needs
 * comes first, in two cache lines that no other thread's struct shares. */
struct tailbox__thread {
	_Alignas(64) struct tailbox__thread_entry *entry; /* on the tape */
	uint64_t number_base; /* index << 40; a request's number is this with
	                         entry->begun, which is never reset */
	uint32_t index;  /* of the entry */
	uint32_t epoch;  /* of the recorder it is registered with */
	/* The middleware's memory of what held this worker. */
	uint64_t look_at;         /* TCP_INFO: not before this tick */
	uint64_t busy_since;      /* start of the present run of callbacks */
	uint32_t look;            /* reads still due after a hold */
	uint32_t held_count;      /* in all; the ring holds the last 16 */
	bool needs_fence; /* no membarrier: begin has a fence of its own */
	struct tailbox__crew *crew;
	_Alignas(64) struct tailbox__out out[3]; /* by block kind less 1 */
	struct tailbox__held {
		uint64_t start, end, number;
		uint16_t route;
	} held[16];
	uint32_t free_slots[16];  /* slots at hand for new connections */
	uint32_t free_slot_count;
	pthread_t self; /* valid while the entry has its tid */
};

/* crews.c. The threads of one tape, and by what they write on it: nobody who is
 * in the middle of something when it is closed meets those of the next. */
struct tailbox__crew {
	/* Blocks that are being written in, and those that are booked; with
	 * each block that changes hands, so on a line of its own. */
	_Alignas(64) tailbox__a32 blocks_active;
	/* slots.c: stacks of slots by index plus 1; the first with a tag << 32
	 * against ABA, the other of those given up while off. */
	_Alignas(64) tailbox__a64 free_slots;
	tailbox__a32 owed_slots;
	/* Set when its tape is opened. (Atomic: whoever is asleep with it may
	 * wake up when it is another tape's; see crews.c.) */
	_Alignas(64) _Atomic(struct tailbox__tape_header *) header;
	tailbox__a64 salt; /* of the handles of its requests */
	uint64_t bytes; /* of the memory behind the header */
	/* With lock. */
	uint32_t members; /* threads that have neither left nor ended */
	struct tailbox__crew *next, *next_of_all;
	struct tailbox__thread threads[TAILBOX__THREADS_MAX];
	/* names.c: numbers by hash, 0 = none. At most half of it is in use. */
	tailbox__a32 names[TAILBOX__NAMES_ROOM];
	tailbox__a32 links[TAILBOX__SLOTS_MOST]; /* of the stacks */
};

struct tailbox__recorder {
	struct tailbox__tape tape;
	/* Of the tape that is open, or the last that was; NULL = none yet. */
	_Atomic(struct tailbox__crew *) crew;
	_Atomic int on;       /* requests are recorded */
	_Atomic int is_open;  /* there is a tape, on or off */
	tailbox__a32 epoch;  /* advances at every open and close; odd = open */
	uint64_t hash_seed; /* of names; nobody outside learns it */
	uint64_t trace_id;  /* upper half of the trace ids made here */
	/* In ticks. Relaxed: a worker that learns of another threshold a
	 * moment later records one hold more or less. */
	tailbox__a64 hold_min;    /* UINT64_MAX: holds are not recorded */
	tailbox__a64 hold_notice; /* from here on a hold is worth a look: the
	                             smaller of hold_min and an eighth of a
	                             jiffy */
	bool has_membarrier;
	/* Who registers, leaves, opens, closes, switches. */
	_Alignas(64) pthread_mutex_t lock;
	bool is_off; /* with lock: switched off, epoch is one too many */
};

extern struct tailbox__recorder tailbox__recorder
        __attribute__((visibility("hidden")));

/* Open the tape and the tables. 0 or negative; err says why. Called by
 * tailbox_start(). dirfd as tailbox__tape_open(). */
int tailbox__recorder_open(int dirfd, const char *dir, const char *service,
                           const char *version, uint64_t tape_bytes,
                           struct tailbox__error *err);
/* keep_file: leave the tape behind. Workers may be in the middle of anything:
 * what they hold of the tape stays valid for as long as they do, if they are
 * registered with it; else over some closes (crews.c). */
void tailbox__recorder_close(bool keep_file);
/* The kill switch. While off nothing is written to the tape, with one rest:
 * requests that were open when it went off. A callback of the application that
 * was running then ends as if it were on, once; and until it is over such a
 * request may change words of its own slot. Says whether it made a difference.
 * Any thread; takes a lock and enters the kernel. */
bool tailbox__recorder_set(bool on);

/* Record holds of min_us or more one by one; 0 = none. After an open it is
 * TAILBOX__HOLD_MIN_US. Any thread. */
#define TAILBOX__HOLD_MIN_US 1000u
void tailbox__recorder_set_hold_min(uint64_t min_us);

static inline bool tailbox__recorder_is_on(void)
{
	return atomic_load_explicit(&tailbox__recorder.on,
	                            memory_order_relaxed);
}

/* Whether a tape is open, and then its pointers are this tape's. */
static inline bool tailbox__recorder_is_open(void)
{
	/* Pairs with the release of tailbox__recorder_open(). */
	return atomic_load_explicit(&tailbox__recorder.is_open,
	                            memory_order_acquire);
}

/* This thread's state; registers it at first use (a system call for the tid).
 * NULL when off, not open, or the table is full: who loses something by that
 * counts it, by tailbox__lost_to_table(). */
extern __thread struct tailbox__thread *tailbox__self
        __attribute__((tls_model("initial-exec"), visibility("hidden")));
/* The epoch in which tailbox__self was registered, 0 while it is NULL; a
 * recorder that is open has another. The same as in *self, in one load less. */
extern __thread uint32_t tailbox__self_epoch
        __attribute__((tls_model("initial-exec"), visibility("hidden")));
struct tailbox__thread *tailbox__thread_register(void);
static inline struct tailbox__thread *tailbox__thread_get(void)
{
	if (__builtin_expect(tailbox__self_epoch ==
	                             TAILBOX__GET(tailbox__recorder.epoch),
	                     1) &&
	    __builtin_expect(tailbox__self != NULL, 1))
		return tailbox__self;
	return tailbox__thread_register();
}
/* Whether this thread, which was registered in `epoch`, is so still. If not,
 * its state of then, and a slot of then, may be gone. To be asked after each
 * call of the application: in it the thread may have registered with another
 * tape. */
static inline bool tailbox__thread_stayed(uint32_t epoch)
{
	return __builtin_expect(tailbox__self_epoch == epoch, 1);
}
/* Whether this thread is registered with the recorder that is open now, and
 * that is the one of `epoch`: then tailbox__self is its state. */
static inline bool tailbox__thread_is_of(uint32_t epoch)
{
	return tailbox__self_epoch == epoch &&
	       TAILBOX__GET(tailbox__recorder.epoch) == epoch;
}

/* Bounds of the stack of the thread that has this entry and tid now; false:
 * it has gone, or they are not to be had. Any thread; takes a lock, enters the
 * kernel and may allocate. */
bool tailbox__thread_stack(uint32_t index, uint32_t tid, uintptr_t *low,
                           uintptr_t *high);

/* --- names ------------------------------------------------------------- */

/* Intern; TAILBOX__NAME_OTHER when the table is full (counted). len is cut to
 * TAILBOX_NAME_MAX at a character boundary, invalid UTF-8 becomes '?'. len 0
 * gives TAILBOX__NAME_NONE. Lock-free; the text is copied once per tape. */
uint16_t tailbox__name(const char *text, size_t len);
uint16_t tailbox__name_cstr(const char *text);
/* Find without interning: 0 when it is not there. hash from
 * tailbox__name_hash over exactly these bytes (valid, short enough). */
uint16_t tailbox__name_find(uint64_t hash, const char *text, size_t len);
/* The hash: start with tailbox__recorder.hash_seed, one step per byte, then
 * _end; a caller may hash while it reads the path. */
static inline uint64_t tailbox__hash_step(uint64_t h, unsigned char c)
{
	return (h ^ c) * 0x9fb21c651e98df25ull;
}
static inline uint64_t tailbox__hash_end(uint64_t h)
{
	h ^= h >> 29;
	return h ? h : 1;
}
uint64_t tailbox__name_hash(const char *text, size_t len);

/* --- slots and requests ------------------------------------------------ */

/* A free slot (its state becomes IDLE) or NULL (counted). */
struct tailbox__slot *tailbox__slot_take(struct tailbox__thread *t);
/* Where it is in the table of the thread's tape, whose slot it is. */
uint32_t tailbox__slot_index(const struct tailbox__thread *t,
                             const struct tailbox__slot *s);
void tailbox__slot_give(struct tailbox__thread *t, struct tailbox__slot *s);
/* The same while recording is off: taken off the tape when it is on again. */
void tailbox__slot_owe(struct tailbox__slot *s);

/* The handle of the request that the slot holds now, and back: NULL when the
 * handle is stale. Who takes a lock after that, as tailbox__thread_get() may,
 * asks for the slot in its thread's own tape, which stays: without a thread
 * that is the same. */
tailbox_request tailbox__handle_of(const struct tailbox__slot *s);
struct tailbox__slot *tailbox__slot_of(tailbox_request r);
struct tailbox__slot *tailbox__slot_in(const struct tailbox__thread *t,
                                       tailbox_request r);

/* Where another processor wrote the block's lines the last time, each is as far
 * as that processor is: 30 ns or 170, with the same machine from minute to
 * minute. So they are asked for 16 records ahead, but none behind the block's
 * end, where another thread writes; tailbox__reserve_slow() asks for the first. */
#define TAILBOX__AHEAD 1024
static inline void tailbox__prefetch(const struct tailbox__out *o)
{
	/* Numbers: a thread without a block has NULL. */
	const uintptr_t next = (uintptr_t)o->next, ahead = next + TAILBOX__AHEAD;

	__builtin_prefetch(
	        (const void *)(ahead < (uintptr_t)o->end ? ahead : next), 1);
}

/* Begin a request in an IDLE slot: STARTING, clock, number, OPEN. Returns the
 * tick of the request line. flags: TAILBOX__REQ_CORE or 0. phase: the one it
 * begins in. route and kind are names (0 = none yet). Of the slot only what
 * no bit of `known` or `flags` guards is set anew. */
static inline uint64_t tailbox__request_open(struct tailbox__thread *t,
                                             struct tailbox__slot *s,
                                             uint16_t route, uint16_t kind,
                                             uint32_t flags, uint32_t phase)
{
	uint64_t now, count;

	/* STARTING must be seen before the clock is read. The disarming side
	 * runs membarrier, which makes the order of the plain store real. */
	if (__builtin_expect(t->needs_fence, 0))
		atomic_exchange_explicit(&s->state, TAILBOX__SLOT_STARTING,
		                         memory_order_seq_cst);
	else
		TAILBOX__SET(s->state, TAILBOX__SLOT_STARTING);
	atomic_signal_fence(memory_order_seq_cst);
	now = tailbox__now();
	tailbox__prefetch(&TAILBOX__OUT(t, TAILBOX__BLOCK_REQUESTS));
	count = TAILBOX__GET(t->entry->begun) + 1;
	TAILBOX__SET(t->entry->begun, count);
	TAILBOX__SET(s->number, t->number_base | count);
	TAILBOX__SET(s->line, now);
	TAILBOX__SET(s->names_word, TAILBOX__WORD4(route, kind, 0, 0));
	TAILBOX__SET(s->thread_word, TAILBOX__WORD(t->index, phase));
	TAILBOX__SET(s->flags_word, TAILBOX__WORD(flags, 0));
	atomic_store_explicit(&s->state, TAILBOX__SLOT_OPEN,
	                      memory_order_release);
	return now;
}
/* Something is not recorded because this thread has no entry: one request, span
 * or gauge move. Not counted when that is because of the kill switch. */
void tailbox__lost_to_table(void);
/* Room for n records of 64 bytes (n * 2 of 32) of a kind in one block, or
 * NULL (the caller counts). Publish what was stored with tailbox__publish. */
char *tailbox__reserve_slow(struct tailbox__thread *t, unsigned kind,
                            size_t bytes);
static inline char *tailbox__reserve(struct tailbox__thread *t, unsigned kind,
                                     size_t bytes)
{
	char *p = TAILBOX__OUT(t, kind).next;
	if (__builtin_expect((size_t)(TAILBOX__OUT(t, kind).end - p) < bytes, 0))
		return tailbox__reserve_slow(t, kind, bytes);
	return p;
}
static inline void tailbox__publish(struct tailbox__thread *t, unsigned kind,
                                    size_t bytes)
{
	struct tailbox__out *o = &TAILBOX__OUT(t, kind);

	o->next += bytes;
	o->pub += bytes / TAILBOX__UNIT;
	/* Pairs with the reader's load of pub before it reads records. */
	atomic_store_explicit(&o->block->pub, o->pub, memory_order_release);
}
/* End a request at tick `now`: writes the record and what belongs to it (or
 * counts a loss; nothing when discarded), then the slot is IDLE.
 * send: ticks of the send phase, valid with TAILBOX__KNOWN_SEND in known. */
void tailbox__request_close(struct tailbox__thread *t, struct tailbox__slot *s,
                            uint64_t now, unsigned termination, uint64_t send);
/* The same, for a request of which `known` is what the slot says: in place
 * for the usual one, a GET without anything to say about it, whose durations
 * are short; no branch of it is taken. */
static inline void tailbox__request_close_usual(struct tailbox__thread *t,
                                                struct tailbox__slot *s,
                                                uint64_t now,
                                                unsigned termination,
                                                uint64_t send, uint32_t known)
{
	struct tailbox__out *o = &TAILBOX__OUT(t, TAILBOX__BLOCK_REQUESTS);
	tailbox__a64 *w = (tailbox__a64 *)(void *)o->next;
	uint64_t line = TAILBOX__GET(s->line), total = now - line;
	uint64_t headers = TAILBOX__GET(s->headers);
	uint64_t handler = TAILBOX__GET(s->handler);
	uint64_t calls = TAILBOX__GET(s->calls);
	/* Not as one word with `known`, which was just stored by itself. */
	uint32_t flags = TAILBOX__GET(s->flags);

	if (__builtin_expect(flags | (known ^ TAILBOX__KNOWN_USUAL), 0) ||
	    __builtin_expect((total | headers | handler | send) >> 27 |
	                             calls >> 16, 0) ||
	    __builtin_expect(o->next == o->end, 0)) {
		tailbox__request_close(t, s, now, termination, send);
		return;
	}
	/* struct tailbox__rec_request; see put_request() of request.c. */
	TAILBOX__SET(w[0], TAILBOX__WORD4(TAILBOX__REC_REQUEST,
	                                  termination |
	                                          TAILBOX__GET(s->phase) << 8,
	                                  t->index, TAILBOX__KNOWN_USUAL));
	TAILBOX__SET(w[1], TAILBOX__GET(s->number));
	TAILBOX__SET(w[2], line);
	TAILBOX__SET(w[3], TAILBOX__WORD(total, headers));
	TAILBOX__SET(w[4], handler << 32);
	TAILBOX__SET(w[5], send << 32);
	TAILBOX__SET(w[6], TAILBOX__GET(s->names_word));
	TAILBOX__SET(w[7], TAILBOX__WORD(calls << 16,
	                                 TAILBOX__GET(s->connection)));
	tailbox__publish(t, TAILBOX__BLOCK_REQUESTS, 64);
	TAILBOX__ADD(t->entry->finished, 1);
	atomic_store_explicit(&s->state, TAILBOX__SLOT_IDLE,
	                      memory_order_release);
}
/* Copy n bytes (a multiple of 8) of a record into tape memory. */
static inline void tailbox__store(char *to, const void *from, size_t n)
{
	tailbox__a64 *t = (tailbox__a64 *)(void *)to;
	for (size_t i = 0; i < n / 8; i++) {
		uint64_t word; /* memcpy: records are not made of words */
		memcpy(&word, (const char *)from + i * 8, sizeof(word));
		TAILBOX__SET(t[i], word);
	}
}

/* One callback of the application that held this thread from tick `since` to
 * `now`; kind: enum tailbox__hold; route: a name, 0 = not known yet; number:
 * of the request, 0 = none. Writes a record or counts a loss. */
void tailbox__hold_record(struct tailbox__thread *t, unsigned kind,
                          uint16_t route, uint64_t number, uint64_t since,
                          uint64_t now);

/* --- for the reading side in this process ------------------------------ */

/* Wait until no thread is between reading the clock and publishing what it
 * began before `tick` was taken: membarrier. After it, every request whose
 * line is before tick is visible as STARTING or OPEN or has its record. */
void tailbox__barrier(void);
/* Requests STARTING, or OPEN with a line before tick. */
uint32_t tailbox__open_before(uint64_t tick);
/* Refresh the second anchor (the follower, about once a second). */
void tailbox__recorder_anchor(void);

#endif
