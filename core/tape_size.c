/* core/tape_size.c - how large a tape is to be.
 *
 * SPDX-License-Identifier: MIT
 *
 * A tape's memory is taken when it is opened and does not change, and at that
 * time nobody knows how fast it will fill. So a history is turned into bytes by
 * how fast an earlier tape of the service filled, and what that gives is a wish
 * like any other: it ends where the memory does. It asks for more than the
 * default, never for less: who wants a small tape says its size.
 */
#include "core/tape.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

static uint64_t read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return UINT64_MAX;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0 || text[0] < '0' || text[0] > '9')
		return UINT64_MAX; /* "max" too */
	return strtoull(text, NULL, 10);
}

/* The memory limit of our cgroup where it can be seen without effort: inside
 * a container it is at the root of what is mounted. */
static uint64_t cgroup_limit(void)
{
	uint64_t v2 = read_number("/sys/fs/cgroup/memory.max");
	uint64_t v1 = read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
	return v2 < v1 ? v2 : v1;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What a tape takes at most when nobody has said so. */
static uint64_t most(int dirfd, uint64_t freed)
{
	const uint64_t bytes = least(cgroup_limit() / 32, TAILBOX__TAPE_MAX);
	struct statvfs fs;

	if (fstatvfs(dirfd, &fs) != 0)
		return bytes;
	return least(bytes,
	             ((uint64_t)fs.f_bavail * fs.f_frsize + freed) / 4);
}

/* Round down to a power of two, at least the minimum: halving stays tidy. */
static uint64_t tidy(uint64_t bytes)
{
	uint64_t b = TAILBOX__TAPE_MAX;

	while (b > bytes && b > TAILBOX__TAPE_MIN)
		b /= 2;
	return b;
}

uint64_t tailbox__tape_for(uint64_t fill, uint64_t ms)
{
	uint64_t bytes = TAILBOX__TAPE_MIN;

	while (bytes <= TAILBOX__TAPE_MAX && (unsigned __int128)bytes * 1000 <
	                                             (unsigned __int128)fill * ms)
		bytes *= 2;
	return bytes <= TAILBOX__TAPE_MAX ? bytes : UINT64_MAX;
}

uint64_t tailbox__tape_size(const struct tailbox__tape_wish *w, int dirfd,
                            uint64_t freed)
{
	uint64_t bytes = TAILBOX__TAPE_DEFAULT, wished;

	if (w->bytes && !w->history_ms)
		return tidy(w->bytes);
	wished = tailbox__tape_for(w->fill, w->history_ms);
	if (wished > bytes)
		bytes = wished;
	return tidy(least(bytes, w->bytes ? w->bytes : most(dirfd, freed)));
}
