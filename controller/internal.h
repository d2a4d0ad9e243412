/* controller/internal.h - what the files of the controller share.
 *
 * SPDX-License-Identifier: MIT
 *
 * Locks. `lock` guards all state and is never held over a system call that may
 * wait for a disk. `follow_lock` guards the follower's reader and the spool's
 * file; it may be held over a write. Order: follow_lock, then lock.
 *
 * The instants of arming and disarming are taken under `lock`, and the
 * follower asks for them under `lock` after it has read a batch. So a record
 * with a line after such an instant is never judged without knowing it.
 */
#ifndef TAILBOX_CONTROLLER_INTERNAL_H
#define TAILBOX_CONTROLLER_INTERNAL_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "controller/controller.h"
#include "controller/trigger.h"
#include "core/assemble.h"
#include "core/buckets.h"
#include "core/clock.h"
#include "core/reader.h"

/* Artifacts of a kind that can be found by id. */
#define TAILBOX__MADE_MAX 1000000u

/* --- artifacts.c ------------------------------------------------------- */

/* This process made it: it can be found by its id from now on. Ids of a kind
 * follow each other. With lock held. 0 or -ENOMEM. And take the last back. */
int tailbox__folder_made(const struct tailbox__artifact_key *key);
void tailbox__folder_unmade(const struct tailbox__artifact_key *key);
/* Names of artifacts of the service, newest first; free *out. Their number or
 * -errno. */
long tailbox__folder_list(int dirfd, struct tailbox__artifact_key **out);
/* 0, or -ENOENT for what is no artifact. */
int tailbox__folder_look(int dirfd, const struct tailbox__artifact_key *f,
                         struct tailbox__artifact_entry *e);

/* --- keep.c: caps, pins, JSON beside ------------------------------------ */

bool tailbox__folder_is_pinned(int dirfd, const char *name);
int tailbox__folder_pin(int dirfd, const char *name, bool on);
uint64_t tailbox__folder_json_bytes(int dirfd, const char *name);
/* headline.c. Bytes of what lies there, 0 = nothing; out: "" unless it is one. */
uint64_t tailbox__folder_headline(int dirfd, const char *name,
                                  char out[TAILBOX__HEADLINE_ROOM]);
/* Write the run as JSON, beside the artifact or at `base` and the number (NULL
 * or "": beside it). 0 or -errno. */
int tailbox__folder_place_json(const struct tailbox__run *run, int dirfd,
                               const char *name, const char *base, uint64_t id,
                               struct tailbox__error *err);
/* Delete an artifact and what lies beside it. 0, -ENOENT, -errno. */
int tailbox__folder_remove(int dirfd, const char *name);
/* Remove what killed processes of the service left half done, and say so. */
void tailbox__folder_clean(int dirfd);
/* That, and delete the oldest until the folder is within its caps; never
 * `newest`. */
void tailbox__folder_trim(int dirfd, const char *newest);

/* Delete the oldest crash artifacts beyond `max`, but pinned ones. */
void tailbox__folder_trim_crashes(int dirfd, uint64_t max);

/* --- crashes.c: tapes that were left behind ----------------------------- */

/* A thread that makes crash artifacts of them; none when the configuration
 * says so. A failure is logged and no failure of the start. */
void tailbox__crashes_start(void);
void tailbox__crashes_stop(void);

/* --- rates.c: what the last 10 seconds were like ----------------------- */

enum {
	TAILBOX__RATE_SLICES = 10, /* of one second */
	TAILBOX__RATE_SUB = 32,    /* buckets per doubling: 3% */
	TAILBOX__RATE_BUCKETS = 60 * TAILBOX__RATE_SUB
};

struct tailbox__rates {
	uint64_t start_ns;
	uint64_t second; /* since start, of the present slice */
	struct tailbox__rate_slice {
		uint64_t second, count, max;
		uint64_t tickets; /* blocks that were taken before it */
		uint32_t buckets[TAILBOX__RATE_BUCKETS];
	} slices[TAILBOX__RATE_SLICES];
};

void tailbox__rates_init(struct tailbox__rates *r, uint64_t now_ns,
                         uint64_t tickets);
/* Go on to the slice of now. */
void tailbox__rates_turn(struct tailbox__rates *r, uint64_t now_ns,
                         uint64_t tickets);
static inline unsigned tailbox__rate_bucket(uint64_t ticks)
{
	return tailbox__bucket(ticks, TAILBOX__RATE_SUB);
}
static inline void tailbox__slice_add(struct tailbox__rate_slice *s,
                                      uint64_t ticks)
{
	s->count++;
	s->buckets[tailbox__rate_bucket(ticks)]++;
	if (ticks > s->max)
		s->max = ticks;
}
/* The slice of now, for many at once. */
static inline struct tailbox__rate_slice *
tailbox__rates_now(struct tailbox__rates *r)
{
	return &r->slices[r->second % TAILBOX__RATE_SLICES];
}
static inline void tailbox__rates_add(struct tailbox__rates *r, uint64_t ticks)
{
	tailbox__slice_add(tailbox__rates_now(r), ticks);
}
/* Blocks that were taken in the last *span_ms, at most 10 s; *span_ms 0: not
 * known. tickets: those taken by now. */
uint64_t tailbox__rates_taken(const struct tailbox__rates *r, uint64_t now_ns,
                              uint64_t tickets, uint64_t *span_ms);
/* rate_milli, percentiles and history_ms of out. */
void tailbox__rates_tell(const struct tailbox__rates *r, uint64_t now_ns,
                         uint64_t tickets, uint64_t blocks_max,
                         struct tailbox__recorder_status *out);

/* --- fill.c: how fast the tape fills, for the next start ---------------- */

struct tailbox__fill { /* bytes a second; 0 = not known */
	uint64_t before;  /* of an earlier run */
	uint64_t busiest; /* 10 s of this one */
	uint64_t kept;    /* what the folder says by now */
	uint64_t start_ns;
	int error; /* of the last try to keep it */
};
/* At a start. */
void tailbox__fill_open(uint64_t before);
/* About once a second. May write a small file; without lock. */
void tailbox__fill_note(uint64_t now_ns);

/* --- spool.c: the armed window's records, in a file -------------------- */

/* How much of each kind: kept in the spool, and left out because it is far
 * beyond the limits. */
struct tailbox__spool_counts {
	uint64_t requests, stages, waits, moves, samples;
	uint64_t left_requests, left_stages, left_waits, left_moves;
	uint64_t holds, left_holds;
	uint64_t stacks, left_stacks;
	uint64_t bytes;
	int error; /* first that befell it; it takes nothing more */
};

struct tailbox__spool; /* guarded by follow_lock */

/* fd: taken over. max_samples: the sampler's retention. NULL without memory;
 * fd is then still the caller's. */
struct tailbox__spool *tailbox__spool_create(int fd, uint64_t from,
                                             const struct tailbox__limits *l,
                                             uint64_t max_samples);
void tailbox__spool_destroy(struct tailbox__spool *s); /* NULL allowed */
/* In a forked child: close the descriptor, leave the memory. */
void tailbox__spool_forget(struct tailbox__spool *s); /* NULL allowed */
/* Nothing that began before it is kept from now on. */
void tailbox__spool_set_from(struct tailbox__spool *s, uint64_t from);
/* It takes nothing more; `error` is told as its own. */
void tailbox__spool_fail(struct tailbox__spool *s, int error);
/* Keep of a batch what may belong to [from, until). */
void tailbox__spool_add(struct tailbox__spool *s, uint64_t until, unsigned kind,
                        uint32_t thread, const char *records, size_t bytes);
struct tailbox__spool_counts
tailbox__spool_counts(const struct tailbox__spool *s);
/* Write out what is buffered. 0 or -errno, also of an earlier failure. */
int tailbox__spool_flush(struct tailbox__spool *s);
/* Feed the first `bytes` of the file to an assembly. The only call that needs
 * no lock: what was flushed does not change. 0, -ENOMEM, -errno. */
int tailbox__spool_feed(const struct tailbox__spool *s, uint64_t bytes,
                        struct tailbox__assembly *a);

/* --- slow_log.c: slow requests, to the application's log --------------- */

enum { TAILBOX__SLOW_MAX = 10 }; /* lines a second */

/* What one pass of the follower found; lines to say without a lock held. */
struct tailbox__slow_pass {
	uint64_t ticks; /* as slow as this; UINT64_MAX = nothing is logged */
	uint64_t rare_ticks; /* as slow as this is kept: rare.c */
	uint32_t count; /* in this batch */
	size_t at[TAILBOX__SLOW_MAX]; /* the first of them */
	uint32_t line_count;
	char lines[TAILBOX__SLOW_MAX + 1][480];
};

/* As slow as that goes to the log; 0 = nothing does. Any thread. */
void tailbox__slow_log_set(uint64_t slow_ms);
/* Begin a pass. The others: with follow_lock held. */
void tailbox__slow_log_begin(struct tailbox__slow_pass *p);
/* The record at `at` of the batch may be a slow one. */
static inline void tailbox__slow_log_note(struct tailbox__slow_pass *p,
                                          size_t at)
{
	if (p->count < TAILBOX__SLOW_MAX)
		p->at[p->count] = at;
	p->count++;
}
/* The batch is read: make the lines of it. */
void tailbox__slow_log_batch(struct tailbox__slow_pass *p,
                             struct tailbox__reader *r, const char *records,
                             size_t bytes);
/* Make the line of what was left out in the second before. */
void tailbox__slow_log_end(struct tailbox__slow_pass *p);
/* Without a lock held. */
void tailbox__slow_log_say(const struct tailbox__slow_pass *p);

/* --- rare.c: slow, failed and cancelled requests, kept apart ------------ */

/* As slow as that is kept; 0 = only what failed or was cancelled. Any
 * thread. */
void tailbox__rare_set(uint64_t slow_ms);
/* Before the first pass; the others: with follow_lock held. */
void tailbox__rare_open(void);
/* Begin a pass: ticks that a request must take to be kept; UINT64_MAX: the
 * tape has no room for them. */
uint64_t tailbox__rare_begin(void);
/* Whether a finished request failed or was cancelled, perhaps: what it says of
 * its outcome, else how it ended and its status. */
static inline bool tailbox__rare_may_be(const char *record)
{
	uint16_t outcome, status;

	memcpy(&outcome,
	       record + offsetof(struct tailbox__rec_request, outcome), 2);
	if (outcome)
		return outcome > TAILBOX__NAME_OK;
	memcpy(&status, record + offsetof(struct tailbox__rec_request, status),
	       2);
	return status >= 500 ||
	       record[offsetof(struct tailbox__rec_request, termination)] !=
	               TAILBOX__TERM_COMPLETED;
}
/* Its record is at `records`: note it, if it is one. */
void tailbox__rare_note(const char *records, size_t bytes);
/* The pass is over: put those into the tape that were noted. */
void tailbox__rare_end(struct tailbox__reader *r, bool is_last);

/* --- follower.c -------------------------------------------------------- */

/* Read what is new on the tape, and before it the past of a window that has
 * just been armed with a lookback. 0 or -errno. Takes follow_lock. */
int tailbox__follow(void);
/* Start and end the thread. */
int tailbox__follower_start(void);
void tailbox__follower_stop(void);

/* --- window.c, finisher.c ---------------------------------------------- */

#define TAILBOX__CADENCE_LIGHT_MS 500u /* also between windows */

/* What the tape had lost when a window was armed. */
struct tailbox__loss_counts {
	uint64_t requests, spans, holds, late_spans, tags;
	uint64_t names, threads, slots, connections, clock_steps, blocks;
};

struct tailbox__window {
	enum tailbox__window_state state;
	uint64_t id;
	struct tailbox__activation activation;
	struct tailbox__run_sampler_config sampler;
	char name[256];
	uint64_t from, until; /* ticks; until UINT64_MAX while accepting */
	uint64_t armed;  /* tick; from is before it with a lookback */
	bool is_past_due; /* the past is to be read before anything is spooled */
	struct tailbox__past past; /* to_tick 0: no lookback */
	uint64_t started_ms;
	uint64_t end_ns;   /* monotonic: duration; 0 = none */
	uint64_t drain_ns; /* monotonic: when draining is given up */
	enum tailbox__end_reason reason;
	const char *end_detail; /* static; NULL = none */
	bool is_finalizing;
	bool is_held;  /* strict lifecycle forbade the end once */
	bool is_asked; /* disarmed again since */
	bool is_suspect; /* spans seem to be over a limit: look closer */
	uint64_t look_ns; /* not before */
	struct tailbox__spool *spool; /* follow_lock for what is in it */
	struct tailbox__spool_counts counts; /* as of the last batch */
	struct tailbox__loss_counts before;
	int error;
	char last_error[TAILBOX__ERROR_TEXT];
};

/* Requests of [from, until) that are open or about to be. */
uint32_t tailbox__window_open(uint64_t from, uint64_t until);
/* Call with lock held. The first reason wins. */
void tailbox__window_close(enum tailbox__end_reason reason, const char *detail);
/* After a batch was spooled, with lock held. */
void tailbox__window_look(void);
int tailbox__finisher_start(void);
void tailbox__finisher_stop(void);

/* --- finish.c: from a spool to an artifact ----------------------------- */

/* Assemble the window and place its artifact; text says what is in it. Only
 * the finisher thread. 0, -TAILBOX_ESTATE (strict lifecycle), -errno. */
int tailbox__window_finish(const struct tailbox__window *w, char text[240],
                           struct tailbox__error *err);
/* Whether a limit has been hit: 1, 0, or -errno. */
int tailbox__window_try(const struct tailbox__window *w);
/* Facts that do not depend on the window. 0 or -ENOMEM. */
int tailbox__put_daemons(struct tailbox__assembly *a);
/* The native file NAME.tailbox. 0 or -errno. */
int tailbox__place_native(const struct tailbox__run *run, int dirfd,
                          const char *name, struct tailbox__error *err);
void tailbox__losses_now(struct tailbox__loss_counts *out);

/* --- cost.c ------------------------------------------------------------ */

enum { TAILBOX__COST_NOTES = 12 };

struct tailbox__cost_note {
	uint64_t at_ns, threads_ns, process_ns, finished;
};
struct tailbox__costs {
	uint64_t request_milli_ns;
	uint64_t count; /* of notes in all */
	struct tailbox__cost_note notes[TAILBOX__COST_NOTES];
};
/* 1/1000 ns per request; takes a millisecond, touches no tape. NONE without
 * memory. */
uint64_t tailbox__cost_measure(void);
/* How things stand, about once a second. */
void tailbox__cost_note(void);
/* What lies between two notes; a share that is not known is left as it is. */
void tailbox__cost_shares(const struct tailbox__cost_note *from,
                          const struct tailbox__cost_note *to,
                          uint64_t request_milli_ns,
                          struct tailbox__cost_status *out);

/* --- all of it --------------------------------------------------------- */

struct tailbox__controller {
	struct tailbox__controller_config config;
	char service[64]; /* as in names */
	bool is_started, is_stopping;
	pthread_mutex_t lock, follow_lock;
	pthread_mutex_t arm_lock; /* one arm at a time; before `lock` */
	pthread_cond_t wake_finisher, wake_follower; /* with lock */
	pthread_cond_t after_changed; /* for after.c; with lock */
	pthread_cond_t snapshot_done, wake_actor; /* with lock */
	pthread_t follower, finisher, crasher, actor;
	bool has_follower, has_finisher, has_crasher, has_actor;

	struct tailbox__reader *reader; /* follow_lock */
	struct tailbox__window window;
	uint64_t next_id; /* of a window */
	struct tailbox__snapshot_status snapshot;
	struct tailbox__artifact_key snapshot_key; /* that is under way */
	char snapshot_name[256];
	/* Seconds of the names of this process's artifacts 1, 2, ... */
	TAILBOX__LIST(uint64_t) made[TAILBOX__ARTIFACT_KINDS];

	struct tailbox__rates rates;
	struct tailbox__fill fill; /* lock */
	uint64_t lost_blocks, follower_cpu_ns, follower_records;
	int follow_error; /* of the last pass */
	struct tailbox__trigger_desk desk; /* lock */
	struct tailbox__costs costs;
	struct tailbox__folder_status folder; /* without the caps */
	struct tailbox__switch_status flip; /* is_on: not kept here */
};

extern struct tailbox__controller tailbox__c;

void tailbox__lock(void);
void tailbox__unlock(void);
/* Wait on a condition for at most `ns`; lock is held. */
void tailbox__wait(pthread_cond_t *cond, uint64_t ns);
uint64_t tailbox__mono_ns(void);
/* To the application's log. Without lock. */
void tailbox__log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A thread that blocks all signals. 0 or -errno. */
int tailbox__thread_start(pthread_t *thread, void *(*run)(void *),
                          const char *name);
/* The same with the stack of any thread, for what reads artifacts or starts a
 * child, and nobody to join it. 0 or -errno. */
int tailbox__thread_detached(void *(*run)(void *), void *arg);

#endif
