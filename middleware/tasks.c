/* middleware/tasks.c - which threads came into being with a daemon.
 *
 * SPDX-License-Identifier: MIT
 *
 * Idle workers never run a callback, so they have to be found another way.
 * Names alone do not do: a thread that a handler makes inherits its worker's
 * name, and right after the start not all workers have theirs. So the task
 * list is taken before and after, and names only settle what is unclear.
 */
#include "middleware/tasks.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/alloc.h"

#define TRIES 10 /* a millisecond each */

void tailbox__tasks_take(struct tailbox__tasks *t)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;

	memset(t, 0, sizeof(*t));
	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		unsigned long tid = strtoul(e->d_name, NULL, 10);
		if (tid == 0)
			continue;
		if (t->count == t->room) {
			size_t room = t->room ? 2 * t->room : 64;
			void *p = tailbox__realloc(t->tids, room,
			                           sizeof(*t->tids));
			if (p == NULL) {
				/* A part would make old threads look new. */
				tailbox__tasks_fini(t);
				break;
			}
			t->tids = p;
			t->room = room;
		}
		t->tids[t->count++] = (uint32_t)tid;
	}
	closedir(dir);
}

void tailbox__tasks_fini(struct tailbox__tasks *t)
{
	tailbox__free(t->tids);
	t->tids = NULL;
	t->count = t->room = 0;
}

static bool has(const struct tailbox__tasks *t, uint32_t tid)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->tids[i] == tid)
			return true;
	return false;
}

static bool is_named(uint32_t tid)
{
	char path[64], name[16] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%u/comm", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, name, sizeof(name) - 1);
	close(fd);
	return n >= 4 && memcmp(name, "MHD-", 4) == 0;
}

/* Keep those with a name of the library's, in place. */
static uint32_t named(uint32_t *tids, uint32_t count, uint32_t *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		if (is_named(tids[i]))
			out[n++] = tids[i];
	return n;
}

static uint32_t settle(uint32_t *tids, uint32_t count, uint32_t expected,
                       uint32_t *out)
{
	const struct timespec ms = { 0, 1000000 };
	uint32_t n = named(tids, count, out);

	for (int i = 0; i < TRIES && n < expected; i++) {
		nanosleep(&ms, NULL);
		n = named(tids, count, out);
	}
	return n;
}

uint32_t tailbox__tasks_since(const struct tailbox__tasks *before,
                              uint32_t expected, uint32_t *out, uint32_t max)
{
	struct tailbox__tasks now;
	uint32_t *fresh, *chosen, count = 0;

	if (before->count == 0)
		return 0;
	tailbox__tasks_take(&now);
	fresh = tailbox__alloc(now.count + 1, 2 * sizeof(*fresh));
	if (fresh == NULL)
		now.count = 0;
	for (size_t i = 0; i < now.count; i++)
		if (!has(before, now.tids[i]))
			fresh[count++] = now.tids[i];
	chosen = fresh;
	if (count > expected && fresh != NULL) {
		chosen = fresh + now.count + 1;
		count = settle(fresh, count, expected, chosen);
	}
	if (count > max)
		count = max;
	for (uint32_t i = 0; i < count; i++)
		out[i] = chosen[i];
	tailbox__free(fresh);
	tailbox__tasks_fini(&now);
	return count;
}
