/* sampler/workers.h - what each worker does: CPU, run queue, state, hold.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_SAMPLER_WORKERS_H
#define TAILBOX_SAMPLER_WORKERS_H 1

#include "core/daemons.h"
#include "sampler/proc.h"
#include "sampler/scan.h"
#include "sampler/values.h"

/* Workers that one sample shows. Each keeps three files open. */
#define TAILBOX__WORKERS_MAX 32u
/* Values per worker. */
#define TAILBOX__WORKER_VALUES_MAX 9u

/* The subject of a worker is its thread's index on the tape. One that has
 * never run a callback has none; until it does it goes by this number, which
 * no thread index reaches: place is that in the daemon's list of threads. */
#define TAILBOX__WORKER_UNSEEN 0x8000u
#define TAILBOX__WORKER_UNSEEN_OF(daemon, place)                               \
	((uint16_t)(TAILBOX__WORKER_UNSEEN | ((daemon) & 0x1ffu) << 6 |        \
	            ((place) & 0x3fu)))

/* The files of a thread. */
struct tailbox__worker_files {
	uint32_t tid;       /* 0 = free */
	uint32_t last_used; /* number of the sample */
	struct tailbox__proc_file schedstat, stat, wchan;
	bool has_last;
	uint32_t last_opened; /* of schedstat, when last was read */
	uint64_t last_run_ns, last_wait_ns, last_slices;
	/* What it sleeps in, while it has not run since: name, 0 = unknown. */
	uint16_t wchan_name;
	char wchan_state;
	uint32_t wchan_sample; /* of the last look */
	uint16_t syscall_name; /* the same of its system call */
};

struct tailbox__worker {
	uint32_t tid;
	uint16_t subject;
	uint32_t thread; /* index in the scan; UINT32_MAX = never seen */
	uint64_t held_ticks;
};

struct tailbox__workers {
	struct tailbox__worker_files files[TAILBOX__WORKERS_MAX];
	uint32_t files_max; /* of those, by the limit on descriptors */
	uint32_t sample;
	/* the chosen ones, by subject */
	struct tailbox__worker chosen[TAILBOX__WORKERS_MAX];
	uint32_t chosen_count;
	/* sums over all workers, chosen or not */
	uint64_t busy, behind;
};

void tailbox__workers_init(struct tailbox__workers *w);
void tailbox__workers_close(struct tailbox__workers *w);
/* Find the workers of these daemons, and choose those that fit into `room`
 * values. */
void tailbox__workers_find(struct tailbox__workers *w,
                           const struct tailbox__scan *scan,
                           const struct tailbox__daemon *daemons,
                           uint32_t daemon_count, unsigned room);
/* Look at the chosen ones and add their values. */
void tailbox__workers_add(struct tailbox__workers *w,
                          const struct tailbox__scan *scan,
                          struct tailbox__values *out);

#endif
