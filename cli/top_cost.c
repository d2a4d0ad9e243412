/* cli/top_cost.c - CPU time of a process and of the recorder's threads in it.
 *
 * SPDX-License-Identifier: MIT
 *
 * The recorder's threads are those that carry its names. What recording costs
 * in the application's own threads no clock can tell from outside: /status of
 * the service estimates that.
 */
#include "cli/top_cost.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/proc.h"
#include "core/alloc.h"

enum { THREADS_MAX = 4096 };

static bool is_ours(uint32_t pid, const char *tid)
{
	char name[64];
	size_t len;

	snprintf(name, sizeof(name), "task/%.16s/comm", tid);
	char *text = cli__proc_read(pid, name, 64, &len);
	const bool is = text && !strncmp(text, "tailbox-", 8);
	tailbox__free(text);
	return is;
}

static uint64_t cpu_of(uint32_t pid, const char *tid)
{
	char name[64];
	size_t len;

	snprintf(name, sizeof(name), "task/%.16s/schedstat", tid);
	char *text = cli__proc_read(pid, name, 128, &len);
	const uint64_t ns = text ? strtoull(text, NULL, 10) : 0;
	tailbox__free(text);
	return ns;
}

/* Fields 14 and 15 of stat: its own time in clock ticks. */
static bool process_cpu(uint32_t pid, uint64_t *ns)
{
	size_t len;
	char *text = cli__proc_read(pid, "stat", 1024, &len);
	const char *p = text ? strrchr(text, ')') : NULL;
	uint64_t user = 0, system = 0;
	bool ok = p && sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u "
	                             "%*u %*u %" SCNu64 " %" SCNu64,
	                      &user, &system) == 2;
	const long hz = sysconf(_SC_CLK_TCK);

	tailbox__free(text);
	if (!ok || hz <= 0)
		return false;
	*ns = (user + system) * (UINT64_C(1000000000) / (uint64_t)hz);
	return true;
}

bool cli__top_cost(uint32_t pid, uint64_t *own_ns, uint64_t *process_ns)
{
	char path[64];
	unsigned seen = 0, found = 0;

	*own_ns = 0;
	if (!pid || !process_cpu(pid, process_ns))
		return false;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/task", pid);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		if (e->d_name[0] == '.' || seen++ >= THREADS_MAX ||
		    !is_ours(pid, e->d_name))
			continue;
		*own_ns += cpu_of(pid, e->d_name);
		found++;
	}
	if (dir)
		closedir(dir);
	return found > 0;
}
