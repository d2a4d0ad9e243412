/* cli/sock.c - Unix sockets by path, however long, and who is behind one.
 *
 * SPDX-License-Identifier: MIT
 *
 * A socket's file outlives its process, and a process number is given again.
 * Only the kernel knows whether a socket is served and by whom, and it tells
 * when one connects: the server need not accept for that.
 */
#include "cli/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(((struct cli__sock_path *)0)->text) ==
                       sizeof(((struct sockaddr_un *)0)->sun_path),
               "what fits into an address");

/* O_PATH needs no right to read the socket; connect() checks the rights to
 * it all the same. */
int cli__sock_path_open(struct cli__sock_path *p, const char *path)
{
	size_t len = strlen(path);

	p->fd = -1;
	if (len < sizeof(p->text)) {
		memcpy(p->text, path, len + 1);
		return 0;
	}
	p->fd = open(path, O_PATH | O_CLOEXEC);
	if (p->fd < 0)
		return -errno;
	snprintf(p->text, sizeof(p->text), "/proc/self/fd/%d", p->fd);
	return 0;
}

void cli__sock_path_close(struct cli__sock_path *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static int try_connect(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	memcpy(a.sun_path, path, strlen(path) + 1);
	/* EAGAIN: its queue is full, so there is one. */
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 ||
	    errno == EAGAIN)
		return fd;
	int rc = -errno;
	close(fd);
	return rc;
}

int cli__sock_probe(const char *path, uint32_t *pid)
{
	struct cli__sock_path p;
	struct ucred who = { .pid = 0 };
	socklen_t size = sizeof(who);
	int rc = cli__sock_path_open(&p, path);

	if (pid)
		*pid = 0;
	if (rc < 0)
		return rc;
	rc = try_connect(p.text);
	cli__sock_path_close(&p);
	if (rc < 0)
		return rc;
	if (pid && getsockopt(rc, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
	    who.pid > 0)
		*pid = (uint32_t)who.pid;
	close(rc);
	return 0;
}
