/* controller/admin_socket.c - the Unix socket of the admin server.
 *
 * SPDX-License-Identifier: MIT
 *
 * Access control is the file's mode and its folder's. The mode is set on the
 * descriptor before bind(), which Linux carries over to the file: no moment
 * with a wider mode, and no umask(), which would be the whole process's.
 *
 * sun_path holds 107 bytes and a folder may be deeper than that. Then the
 * address goes through /proc/self/fd, which is short; a client needs the
 * same trick or changes into the folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/admin_internal.h"

/* A client that finds it full is turned away at once, unlike on TCP. */
#define BACKLOG 1024

static int make_address(struct sockaddr_un *a, int dirfd, const char *dir,
                        const char *name)
{
	int n;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	n = snprintf(a->sun_path, sizeof(a->sun_path), "%s/%s", dir, name);
	if (n < 0 || n >= (int)sizeof(a->sun_path))
		n = snprintf(a->sun_path, sizeof(a->sun_path),
		             "/proc/self/fd/%d/%s", dirfd, name);
	return n < 0 || n >= (int)sizeof(a->sun_path) ? -ENAMETOOLONG : 0;
}

/* Whether somebody listens there: then it is not ours to replace (a process
 * of the same number in another pid namespace, say). */
static bool is_alive(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool alive;

	if (fd < 0)
		return true;
	alive = connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 ||
	        errno != ECONNREFUSED;
	close(fd);
	return alive;
}

static int bind_over(int fd, const struct sockaddr_un *a, int dirfd,
                     const char *name)
{
	struct stat st;

	if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	if (is_alive(a))
		return -EADDRINUSE;
	if (unlinkat(dirfd, name, 0) != 0 && errno != ENOENT)
		return -errno;
	return bind(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 ? 0
	                                                             : -errno;
}

int tailbox__admin_listen(int dirfd, const char *dir, const char *name,
                          struct tailbox__error *err)
{
	struct sockaddr_un a;
	int fd, rc;

	rc = make_address(&a, dirfd, dir, name);
	if (rc != 0)
		return tailbox__fail(err, rc, "socket name %s is too long",
		                     name);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return tailbox__fail(err, -errno, "cannot make a socket: %s",
		                     tailbox_strerror(errno));
	rc = fchmod(fd, 0600) == 0 ? 0 : -errno;
	if (rc == 0)
		rc = bind_over(fd, &a, dirfd, name);
	if (rc == 0 && listen(fd, BACKLOG) != 0) {
		rc = -errno;
		unlinkat(dirfd, name, 0);
	}
	if (rc == 0)
		return fd;
	close(fd);
	return tailbox__fail(err, rc, "cannot listen on %s in %s: %s", name,
	                     dir, tailbox_strerror(rc));
}
