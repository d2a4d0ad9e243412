/* sampler/cgroup.h - the CPU limit that this process runs under.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_SAMPLER_CGROUP_H
#define TAILBOX_SAMPLER_CGROUP_H 1

#include "sampler/proc.h"
#include "sampler/values.h"

#define TAILBOX__CGROUP_PATH_MAX 512u

struct tailbox__cgroup {
	bool is_v1;
	char dir[TAILBOX__CGROUP_PATH_MAX]; /* "" = none */
	struct tailbox__proc_file stat;
	struct tailbox__proc_file quota; /* v2: cpu.max, holds both */
	struct tailbox__proc_file period; /* v1 only */
};

/* What it says now; each may be UNKNOWN. A quota that is not known beside a
 * period that is means that there is no limit. */
struct tailbox__cgroup_look {
	uint64_t quota_us, period_us;
	uint64_t throttled, throttled_us; /* since the group was made */
};

/* Find the group: own_groups is the text of /proc/self/cgroup, root where the
 * hierarchies are mounted ("/sys/fs/cgroup"). Files that were open before are
 * closed first. False: none found. */
bool tailbox__cgroup_find(struct tailbox__cgroup *c, const char *own_groups,
                          const char *root);
void tailbox__cgroup_look(struct tailbox__cgroup *c,
                          struct tailbox__cgroup_look *out);
void tailbox__cgroup_close(struct tailbox__cgroup *c);

/* The path behind "0::" (v2) or behind the list that has the controller "cpu"
 * (v1). False: no such line, no room, or a path that leads out of what we can
 * see ("/.."). */
bool tailbox__parse_own_cgroup(const char *text, bool is_v1, char *out,
                               size_t room);
/* cpu.max: "max 100000" or "200000 100000". */
void tailbox__parse_cpu_max(const char *text, uint64_t *quota_us,
                            uint64_t *period_us);

#endif
