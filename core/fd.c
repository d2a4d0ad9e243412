/* core/fd.c - read and write all of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/fd.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux moves at most 2 GiB a call; stay below on purpose. */
enum { MOST_BYTES = 1 << 30, FDS_TRIED = 4096 };

static size_t piece(size_t left)
{
	return left < MOST_BYTES ? left : MOST_BYTES;
}

uint64_t tailbox__fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) != 0 ||
	    limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

/* A write that begins at the limit is met with the signal; one that only ends
 * beyond it is cut short. None of our files is opened to append. */
static bool is_at_limit(int fd)
{
	const uint64_t limit = tailbox__fd_limit();
	struct stat st;

	if (limit == UINT64_MAX || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	const off_t at = lseek(fd, 0, SEEK_CUR);
	return at >= 0 && (uint64_t)at >= limit;
}

static bool is_same(int fd, const struct stat *st)
{
	struct stat own;

	return fstat(fd, &own) == 0 && own.st_dev == st->st_dev &&
	       own.st_ino == st->st_ino;
}

bool tailbox__fd_is_open_here(const struct stat *st)
{
	DIR *dir = opendir("/proc/self/fd");
	bool found = false;

	for (const struct dirent *d; dir && !found && (d = readdir(dir));)
		if (d->d_name[0] != '.')
			found = is_same((int)strtol(d->d_name, NULL, 10), st);
	if (dir)
		closedir(dir);
	/* Without /proc: the numbers that a start may have been given. */
	for (int fd = 0; !dir && !found && fd < FDS_TRIED; fd++)
		found = is_same(fd, st);
	return found;
}

int tailbox__fd_write(int fd, const void *buf, size_t len)
{
	const char *from = buf;

	while (len) {
		if (is_at_limit(fd))
			return -EFBIG;
		ssize_t n = write(fd, from, piece(len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO; /* or this would never end */
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

long tailbox__fd_read(int fd, void *buf, size_t len)
{
	char *to = buf;
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, to + done, piece(len - done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (long)done;
}
