/* core/recover.c - take a tape that a crash left behind, and give it up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <tailbox.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u
#endif

static bool is_it(int fd, int dirfd, const char *name)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 &&
	       fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Read-only is enough for flock(), and all that a reader of somebody else's
 * tape may have. */
static int open_locked(int dirfd, const char *name, struct tailbox__error *err)
{
	const int fd = openat(dirfd, name,
	                      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return tailbox__fail(err, -errno, "cannot open: %s",
		                     tailbox_strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close(fd);
		return rc == -EBUSY
		               ? tailbox__fail(err, rc, "another process is "
		                                        "recovering it")
		               : tailbox__fail(err, rc, "cannot lock: %s",
		                               tailbox_strerror(rc));
	}
	/* Whoever had it before us may have removed it. */
	if (!is_it(fd, dirfd, name)) {
		close(fd);
		return tailbox__fail(err, -ENOENT, "was just removed");
	}
	return fd;
}

int tailbox__left_tape_take(int dirfd, const char *name,
                            struct tailbox__left_tape *t,
                            struct tailbox__error *err)
{
	int rc;

	*t = (struct tailbox__left_tape){ .fd = -1 };
	t->fd = open_locked(dirfd, name, err);
	if (t->fd < 0)
		return t->fd;
	rc = tailbox__reader_open_fd(t->fd, &t->reader, err);
	if (rc == 0) {
		switch (tailbox__reader_writer(t->reader)) {
		case TAILBOX__WRITER_LIVE:
		case TAILBOX__WRITER_STOPPED:
			rc = tailbox__fail(err, -EBUSY, "its process lives");
			break;
		case TAILBOX__WRITER_CLOSED:
			rc = tailbox__fail(err, -TAILBOX_ESTATE,
			                   "was closed in order");
			break;
		case TAILBOX__WRITER_DEAD:
			break;
		}
	}
	if (rc != 0)
		tailbox__left_tape_release(t);
	return rc;
}

void tailbox__left_tape_release(struct tailbox__left_tape *t)
{
	tailbox__reader_close(t->reader);
	t->reader = NULL;
	if (t->fd >= 0) {
		/* A child that was forked meanwhile has the descriptor, and
		 * with it the lock. */
		(void)flock(t->fd, LOCK_UN);
		close(t->fd);
	}
	t->fd = -1;
}

/* The admin socket of the same process, SERVICE.PID.sock, which no killed one
 * removes: without its tape it would be listed as left behind for ever. Only
 * when nobody listens on it: a new process may have the number. */
static void remove_socket(int dirfd, const char *tape)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *end = strrchr(tape, '.');
	char name[NAME_MAX + 1];
	struct stat st;

	if (end == NULL || strcmp(end, ".tape") != 0)
		return;
	/* The names differ in their ends, so it fits where the tape's did. */
	snprintf(name, sizeof(name), "%.*s.sock", (int)(end - tape), tape);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISSOCK(st.st_mode) ||
	    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s",
	             dirfd, name) >= (int)sizeof(a.sun_path))
		return;
	const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	const int fd = socket(AF_UNIX, type, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0 &&
	    errno == ECONNREFUSED)
		(void)unlinkat(dirfd, name, 0);
	close(fd);
}

/* A look at the name and then unlink() could remove a tape that came between.
 * A name of our own for it first, and a look at that. */
static int remove_tape(const struct tailbox__left_tape *t, int dirfd,
                       const char *name)
{
	char ours[NAME_MAX + 1];
	int n = snprintf(ours, sizeof(ours), ".%s.%ld", name, (long)getpid());

	if (n < 0 || n >= (int)sizeof(ours))
		return -ENAMETOOLONG;
	if (!is_it(t->fd, dirfd, name))
		return -ENOENT;
	if (renameat2(dirfd, name, dirfd, ours, RENAME_NOREPLACE) != 0) {
		/* A file system without the flag; not on tmpfs or ext4. */
		if (errno != EINVAL && errno != ENOSYS)
			return -errno;
		return unlinkat(dirfd, name, 0) == 0 ? 0 : -errno;
	}
	if (is_it(t->fd, dirfd, ours))
		return unlinkat(dirfd, ours, 0) == 0 ? 0 : -errno;
	(void)renameat2(dirfd, ours, dirfd, name, RENAME_NOREPLACE);
	return -ENOENT;
}

int tailbox__left_tape_remove(const struct tailbox__left_tape *t, int dirfd,
                              const char *name)
{
	const int rc = remove_tape(t, dirfd, name);

	if (rc == 0)
		remove_socket(dirfd, name);
	return rc;
}

int tailbox__left_tape_drop(int dirfd, const char *name)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct tailbox__left_tape t = { .fd = open_locked(dirfd, name, NULL) };
	int rc = -EBUSY;

	if (t.fd < 0)
		return t.fd;
	if (fcntl(t.fd, F_GETLK, &lock) != 0)
		rc = -errno;
	else if (lock.l_type == F_UNLCK)
		rc = tailbox__left_tape_remove(&t, dirfd, name);
	tailbox__left_tape_release(&t);
	return rc;
}
