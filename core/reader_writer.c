/* core/reader_writer.c - what became of the process that wrote a tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * A process number says little: it is given again after a death, and it is
 * another one in each pid namespace. The lock on the tape is the writer's as
 * long as it lives, the kernel gives it back at whatever end, and it names its
 * holder in our namespace. Only a backup program, say, could hold one in its
 * place: the time at which the holder began tells.
 */
#include "core/reader.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/reader_internal.h"

/* Fields 3 and 22 of /proc/PID/stat; a name in field 2 may hold anything. */
static char process_state(uint32_t pid, uint64_t *started)
{
	char path[40], text[1024], *p;
	unsigned field = 2;
	ssize_t n;
	int fd;

	*started = 0;
	snprintf(path, sizeof(path), "/proc/%u/stat", (unsigned)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return '\0';
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strrchr(text, ')');
	if (p == NULL || p[1] != ' ')
		return '\0';
	for (char *at = p; *at != '\0' && field < 22; at++)
		if (*at == ' ' && ++field == 22)
			*started = strtoull(at + 1, NULL, 10);
	return p[2];
}

/* In a time namespace the same process began at another time. */
static bool has_our_clock(uint32_t pid)
{
	char path[40], ours[64], theirs[64];
	ssize_t n, m;

	snprintf(path, sizeof(path), "/proc/%u/ns/time", (unsigned)pid);
	n = readlink("/proc/self/ns/time", ours, sizeof(ours));
	m = readlink(path, theirs, sizeof(theirs));
	return n > 0 && n == m && memcmp(ours, theirs, (size_t)n) == 0;
}

/* Whether this process holds the lock of a tape that another one wrote: its
 * number, known from both sides, is then of no other process. */
static bool is_other(const struct tailbox__reader *r, uint32_t pid,
                     uint64_t started)
{
	return started != 0 && r->header.pid_started != 0 &&
	       started != r->header.pid_started && has_our_clock(pid);
}

static enum tailbox__writer_state find_writer(struct tailbox__reader *r,
                                              uint32_t *pid)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	uint64_t end = 0, started;
	uint32_t holder;
	char letter;

	*pid = 0;
	(void)tailbox__reader_at(r, &end, sizeof(end),
	                         offsetof(struct tailbox__tape_header,
	                                  end_state));
	if (end == TAILBOX__END_CLOSED || end == TAILBOX__END_EXITED)
		return TAILBOX__WRITER_CLOSED;
	if (fcntl(r->fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
		return TAILBOX__WRITER_DEAD;
	/* Of a pid namespace that is not below ours: the header's number is
	 * somebody else's here. */
	if (lock.l_pid <= 0)
		return TAILBOX__WRITER_LIVE;
	holder = (uint32_t)lock.l_pid;
	letter = process_state(holder, &started);
	if (is_other(r, holder, started))
		return TAILBOX__WRITER_DEAD;
	*pid = holder;
	return letter == 'T' || letter == 't' ? TAILBOX__WRITER_STOPPED
	                                      : TAILBOX__WRITER_LIVE;
}

enum tailbox__writer_state tailbox__reader_writer(struct tailbox__reader *r)
{
	uint32_t pid;

	return find_writer(r, &pid);
}

uint32_t tailbox__reader_writer_pid(struct tailbox__reader *r)
{
	uint32_t pid;

	(void)find_writer(r, &pid);
	return pid;
}
