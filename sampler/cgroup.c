/* sampler/cgroup.c - the CPU limit that this process runs under.
 *
 * SPDX-License-Identifier: MIT
 *
 * Version 1 and 2 of control groups tell the same in other files, and a
 * machine may have both mounted: the CPU controller is then in one of them
 * only, so the one that has the limit's files wins, version 1 asked first.
 *
 * A limit binds from any level: the quota of a pod or a slice throttles its
 * children as well. So we walk from our group up to the mount and take the
 * level with the least CPU time per period; without any limit our own group.
 * In a container the path of /proc/self/cgroup may be one of the machine
 * outside, of which only our own folder is mounted: then the mount is our
 * group.
 *
 * The places of the mounts are those that systemd, Docker and Kubernetes use.
 * /proc/self/mountinfo would give every other place too, but it is thousands
 * of lines on some container hosts.
 */
#include "sampler/cgroup.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LEVELS_MAX = 32, TEXT_MAX = 2048 };

static const char *const v1_mounts[] = { "cpu", "cpu,cpuacct",
	                                 "cpuacct,cpu" };
static const char *const v2_mounts[] = { "", "unified" };

/* --- parsers -------------------------------------------------------------- */

/* Whether the list a,b,c that ends at ':' has the word "cpu". */
static bool has_cpu(const char *list)
{
	while (*list != ':' && *list != '\0') {
		size_t n = strcspn(list, ",:\n");

		if (n == 3 && memcmp(list, "cpu", 3) == 0)
			return true;
		list += n;
		if (*list == '\n')
			return false;
		list += *list == ',';
	}
	return false;
}

/* The path in one line of /proc/self/cgroup, if it is the line we want. */
static const char *path_of_line(const char *line, bool is_v1)
{
	size_t n = strcspn(line, ":\n");

	if (line[n] != ':')
		return NULL;
	const char *list = line + n + 1;
	n = strcspn(list, ":\n");
	if (list[n] != ':' || list[n + 1] != '/')
		return NULL;
	bool is_ours = is_v1 ? has_cpu(list) :
	                       n == 0 && strncmp(line, "0:", 2) == 0;
	return is_ours ? list + n + 1 : NULL;
}

bool tailbox__parse_own_cgroup(const char *text, bool is_v1, char *out,
                               size_t room)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		const char *path = path_of_line(line, is_v1);

		if (path) {
			size_t n = (size_t)(line + len - path);

			if (n >= room)
				return false;
			memcpy(out, path, n);
			out[n] = '\0';
			return strncmp(out, "/..", 3) != 0;
		}
		line += len;
		line += *line == '\n';
	}
	return false;
}

void tailbox__parse_cpu_max(const char *text, uint64_t *quota_us,
                            uint64_t *period_us)
{
	const char *at = text;

	*quota_us = TAILBOX__UNKNOWN;
	*period_us = TAILBOX__UNKNOWN;
	if (strncmp(text, "max ", 4) == 0) {
		*period_us = tailbox__parse_number(text + 4, NULL);
		return;
	}
	uint64_t quota = tailbox__parse_number(text, &at);
	if (quota == TAILBOX__UNKNOWN)
		return;
	/* Without the period a quota says nothing. */
	*period_us = tailbox__parse_number(at, NULL);
	if (*period_us != TAILBOX__UNKNOWN)
		*quota_us = quota;
}

/* --- the files ------------------------------------------------------------ */

static long read_in(const struct tailbox__cgroup *c,
                    struct tailbox__proc_file *f, const char *name, char *buf)
{
	char path[TAILBOX__CGROUP_PATH_MAX + 32];
	long n = tailbox__proc_read(f, NULL, buf, TEXT_MAX);

	if (n >= 0 || f->fd == TAILBOX__PROC_ABSENT)
		return n;
	snprintf(path, sizeof(path), "%s/%s", c->dir, name);
	return tailbox__proc_read(f, path, buf, TEXT_MAX);
}

static void look_at_limit(struct tailbox__cgroup *c,
                          struct tailbox__cgroup_look *out)
{
	char text[TEXT_MAX];

	out->quota_us = TAILBOX__UNKNOWN;
	out->period_us = TAILBOX__UNKNOWN;
	if (!c->is_v1) {
		if (read_in(c, &c->quota, "cpu.max", text) >= 0)
			tailbox__parse_cpu_max(text, &out->quota_us,
			                       &out->period_us);
		return;
	}
	/* -1 is "no limit", and not a number here. */
	if (read_in(c, &c->quota, "cpu.cfs_quota_us", text) >= 0)
		out->quota_us = tailbox__parse_number(text, NULL);
	if (read_in(c, &c->period, "cpu.cfs_period_us", text) >= 0)
		out->period_us = tailbox__parse_number(text, NULL);
}

static void look_at_stat(struct tailbox__cgroup *c,
                         struct tailbox__cgroup_look *out)
{
	char text[TEXT_MAX];

	out->throttled = TAILBOX__UNKNOWN;
	out->throttled_us = TAILBOX__UNKNOWN;
	if (read_in(c, &c->stat, "cpu.stat", text) < 0)
		return;
	out->throttled = tailbox__parse_keyed(text, "nr_throttled");
	if (!c->is_v1) {
		out->throttled_us =
		        tailbox__parse_keyed(text, "throttled_usec");
		return;
	}
	uint64_t ns = tailbox__parse_keyed(text, "throttled_time");
	if (ns != TAILBOX__UNKNOWN)
		out->throttled_us = ns / 1000;
}

void tailbox__cgroup_look(struct tailbox__cgroup *c,
                          struct tailbox__cgroup_look *out)
{
	if (!c->dir[0]) {
		*out = (struct tailbox__cgroup_look){
			TAILBOX__UNKNOWN, TAILBOX__UNKNOWN, TAILBOX__UNKNOWN,
			TAILBOX__UNKNOWN
		};
		return;
	}
	look_at_limit(c, out);
	look_at_stat(c, out);
}

void tailbox__cgroup_close(struct tailbox__cgroup *c)
{
	tailbox__proc_close(&c->stat);
	tailbox__proc_close(&c->quota);
	tailbox__proc_close(&c->period);
}

/* --- finding it ----------------------------------------------------------- */

static bool join(char *out, const char *a, const char *b, const char *c)
{
	int n = snprintf(out, TAILBOX__CGROUP_PATH_MAX, "%s%s%s", a, b, c);

	return n > 0 && n < (int)TAILBOX__CGROUP_PATH_MAX;
}

static bool has_file(const char *dir, const char *name)
{
	char path[TAILBOX__CGROUP_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, R_OK) == 0;
}

/* CPU time per period in ppm, UNKNOWN (which is above all) without limit. */
static uint64_t tightness(const struct tailbox__cgroup_look *l)
{
	uint64_t share;

	if (l->quota_us == TAILBOX__UNKNOWN ||
	    l->period_us == TAILBOX__UNKNOWN || l->period_us == 0 ||
	    __builtin_mul_overflow(l->quota_us, 1000000u, &share))
		return TAILBOX__UNKNOWN;
	return share / l->period_us;
}

/* From c->dir upwards: leave in c->dir the level that limits most. */
static void choose_level(struct tailbox__cgroup *c, size_t mount_len)
{
	struct tailbox__cgroup at = *c;
	uint64_t least = TAILBOX__UNKNOWN;

	for (int level = 0; level < LEVELS_MAX; level++) {
		struct tailbox__cgroup_look look;

		look_at_limit(&at, &look);
		tailbox__cgroup_close(&at);
		if (tightness(&look) < least) {
			least = tightness(&look);
			memcpy(c->dir, at.dir, sizeof(c->dir));
		}
		char *last = strrchr(at.dir, '/');
		if (!last || (size_t)(last - at.dir) < mount_len)
			return;
		*last = '\0';
	}
}

/* Our group below one mount; false when the mount is not of this kind. */
static bool find_below(struct tailbox__cgroup *c, const char *mount,
                       const char *own_groups)
{
	const char *mark = c->is_v1 ? "cpu.cfs_quota_us" : "cgroup.controllers";
	char own[TAILBOX__CGROUP_PATH_MAX];

	if (!has_file(mount, mark) ||
	    !tailbox__parse_own_cgroup(own_groups, c->is_v1, own, sizeof(own)))
		return false;
	if (strcmp(own, "/") == 0)
		own[0] = '\0';
	if (!join(c->dir, mount, own, "") || !has_file(c->dir, "cpu.stat"))
		join(c->dir, mount, "", "");
	choose_level(c, strlen(mount));
	return true;
}

bool tailbox__cgroup_find(struct tailbox__cgroup *c, const char *own_groups,
                          const char *root)
{
	char mount[TAILBOX__CGROUP_PATH_MAX];

	tailbox__cgroup_close(c);
	c->is_v1 = true;
	for (unsigned i = 0; i < sizeof(v1_mounts) / sizeof(*v1_mounts); i++)
		if (join(mount, root, "/", v1_mounts[i]) &&
		    find_below(c, mount, own_groups))
			return true;
	c->is_v1 = false;
	for (unsigned i = 0; i < sizeof(v2_mounts) / sizeof(*v2_mounts); i++)
		if (join(mount, root, v2_mounts[i][0] ? "/" : "",
		         v2_mounts[i]) &&
		    find_below(c, mount, own_groups))
			return true;
	c->dir[0] = '\0';
	return false;
}
