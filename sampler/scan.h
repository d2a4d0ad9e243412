/* sampler/scan.h - one look over the tape's threads and open slots.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_SAMPLER_SCAN_H
#define TAILBOX_SAMPLER_SCAN_H 1

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/recorder.h"
#include "sampler/pools.h"
#include "sampler/values.h"

/* Descriptors polled for one worker, and in one sample for all of them: a
 * service of many stuck workers must not be slowed down by our looking. */
#define TAILBOX__BEHIND_MAX 256u
#define TAILBOX__BEHIND_TOTAL_MAX 1024u
/* A worker that is idle is looked at from so many connections on: as many
 * events as MHD's epoll loop takes at a time. So few of them are polled at
 * first, or a 32nd part if that is more: enough to meet one of 128. */
#define TAILBOX__LOOP_EVENTS 128u
#define TAILBOX__LOOP_FIRST 8u

/* A thread of the tape as it was at the look. */
struct tailbox__scan_thread {
	uint32_t tid;    /* 0 = no thread has the entry now */
	uint32_t daemon; /* it runs this one's callbacks; 0 = none */
	uint64_t held_ticks; /* in the application for so long; 0 = is not */
	uint32_t hold_slot;
	uint16_t route;      /* that holds it; 0 = none or not known yet */
	uint32_t connections;
	uint64_t behind; /* requests that wait behind the hold; UNKNOWN when
	                    it is not a long one: nobody looked */
	uint64_t ready;  /* requests that wait though it is not held; UNKNOWN
	                    below LOOP_EVENTS connections, and when it has not
	                    been idle for as long as a long hold */
	uint64_t last_seen; /* tick of its last callback's end, before that */
	/* Slots whose next request would have to wait: first is index plus
	 * 1, the rest follows by scan.next. */
	uint32_t first, candidates;
};

/* A pool and the oldest wait for it. */
struct tailbox__scan_pool {
	uint16_t name; /* on the tape */
	int kind;
	uint64_t waiting, busy, capacity; /* capacity may be UNKNOWN */
	uint64_t oldest_ticks; /* UNKNOWN: no marked wait */
};

struct tailbox__scan {
	struct tailbox__scan_thread *threads; /* threads_max of them */
	uint32_t *next; /* slots_max: chains of candidates, index plus 1 */
	uint32_t thread_count;
	struct tailbox__scan_pool pools[TAILBOX_POOLS_MAX];
	uint32_t pool_count;
	uint32_t turn; /* number of the look */
	/* sums */
	uint64_t open, connections, suspended, resumes;
	/* room for one poll */
	struct pollfd fds[TAILBOX__BEHIND_MAX];
	uint32_t polled[TAILBOX__BEHIND_MAX];     /* slot indexes */
	uint64_t connection[TAILBOX__BEHIND_MAX]; /* whose they were */
	struct tailbox__pool_look looks[TAILBOX_POOLS_MAX];
};

/* Room for the tape that is open. 0 or -ENOMEM. */
int tailbox__scan_init(struct tailbox__scan *s);
void tailbox__scan_fini(struct tailbox__scan *s);
/* Whether the thread has run no callback since it was looked at. */
bool tailbox__scan_is_still(const struct tailbox__scan *s, uint32_t thread);
/* Fill everything. now: tick. long_hold: from so many ticks on a hold counts
 * as one that keeps others waiting. */
void tailbox__scan(struct tailbox__scan *s, uint64_t now, uint64_t long_hold);

#endif
