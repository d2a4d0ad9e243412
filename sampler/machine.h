/* sampler/machine.h - the machine, the container and the process as a whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_SAMPLER_MACHINE_H
#define TAILBOX_SAMPLER_MACHINE_H 1

#include "sampler/cgroup.h"
#include "sampler/proc.h"
#include "sampler/values.h"

/* The most values that tailbox__machine_add() adds. */
#define TAILBOX__MACHINE_VALUES_MAX 16u

struct tailbox__machine {
	struct tailbox__proc_file psi[3]; /* cpu, io, memory */
	struct tailbox__proc_file netstat, statm;
	struct tailbox__cgroup cgroup;
	uint64_t next_ns;         /* CLOCK_MONOTONIC: next slow look */
	uint64_t next_cgroup_ns;  /* next search for the group */
	uint64_t next_listing_ns; /* next listing of the descriptors */
	char text[16384];
};

void tailbox__machine_init(struct tailbox__machine *m);
void tailbox__machine_close(struct tailbox__machine *m);
/* The process's CPU time at each call, the rest once a second. mono_ns: now
 * on CLOCK_MONOTONIC. */
void tailbox__machine_add(struct tailbox__machine *m, uint64_t mono_ns,
                          struct tailbox__values *out);

/* How many descriptors the process has open: UNKNOWN when it cannot be told.
 * *was_listed: it had to be counted one by one. */
uint64_t tailbox__open_fds(bool *was_listed);

#endif
