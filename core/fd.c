/* core/fd.c - read and write all of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/fd.h"

#include <errno.h>
#include <unistd.h>

/* Linux moves at most 2 GiB a call; stay below on purpose. */
enum { MOST_BYTES = 1 << 30 };

static size_t piece(size_t left)
{
	return left < MOST_BYTES ? left : MOST_BYTES;
}

int tailbox__fd_write(int fd, const void *buf, size_t len)
{
	const char *from = buf;

	while (len) {
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
