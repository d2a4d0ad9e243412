/* core/artifact_place.c - put an artifact into its folder, whole or not.
 *
 * SPDX-License-Identifier: MIT
 *
 * A temporary name in the same folder, write, fsync, rename that does not
 * replace, fsync of the folder. A name is given only to bytes that are on
 * disk, and an artifact never takes the place of another one: names are not
 * reused (DESIGN.md section 1), so a name that exists is a mistake somewhere.
 */
#include "core/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "core/folder.h"
#include "core/tailbox.h"

enum { NAME_BYTES = 256, NAME_SHOWN = 180 };

/* A name that starts with a dot is left out of lists of the folder. */
static void temporary_name(char *buf, size_t size, const char *name)
{
	struct timespec now;

	/* The pid tells processes apart, the time attempts of one: a stamp
	 * that is taken makes open() fail, nothing worse. */
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(buf, size, ".%.*s.%ld.%" PRIu64 TAILBOX__TEMPORARY_SUFFIX,
	         NAME_SHOWN, name, (long)getpid(),
	         (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

static int write_file(tailbox__file_writer *write, const void *cls, int fd,
                      struct tailbox__error *err)
{
	int rc = write(cls, fd);

	if (rc)
		return tailbox__fail(err, rc, "cannot write: %s",
		                     tailbox_strerror(rc));
	if (fsync(fd)) {
		rc = -errno;
		return tailbox__fail(err, rc, "cannot fsync: %s",
		                     tailbox_strerror(rc));
	}
	return 0;
}

/* Give `from` the name `to` unless there is one of that name. */
static int rename_new(int dirfd, const char *from, const char *to)
{
	if (!renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE))
		return 0;
	/* Some file systems do not know the flag, old kernels not the call. */
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (linkat(dirfd, from, dirfd, to, 0))
		return -errno;
	/* It is placed now, whether or not the second name goes. */
	unlinkat(dirfd, from, 0);
	return 0;
}

/* A folder on a file system that cannot do it gives EINVAL: then there is
 * nothing to wait for. */
static int sync_folder(int dirfd)
{
	if (!fsync(dirfd) || errno == EINVAL)
		return 0;
	return -errno;
}

static bool is_file_name(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	return len > 0 && len < NAME_BYTES && !strchr(name, '/') &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int tailbox__artifact_place(const struct tailbox__run *run, int dirfd,
                            const char *name, struct tailbox__error *err)
{
	return tailbox__run_place(run, tailbox__artifact_write, dirfd, name,
	                          err);
}

struct run_in_a_form {
	const struct tailbox__run *run;
	tailbox__run_writer *write;
};

static int write_run(const void *cls, int fd)
{
	const struct run_in_a_form *r = cls;

	return r->write(r->run, fd);
}

int tailbox__run_place(const struct tailbox__run *run,
                       tailbox__run_writer *write, int dirfd,
                       const char *name, struct tailbox__error *err)
{
	const struct run_in_a_form r = { run, write };

	return tailbox__file_place(write_run, &r, dirfd, name, err);
}

int tailbox__file_place(tailbox__file_writer *write, const void *cls,
                        int dirfd, const char *name,
                        struct tailbox__error *err)
{
	char temporary[NAME_BYTES];

	if (!is_file_name(name))
		return tailbox__fail(err, -EINVAL, "not a file name");
	temporary_name(temporary, sizeof(temporary), name);
	int fd = openat(dirfd, temporary,
	                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	                0600);
	if (fd < 0) {
		int rc = -errno;
		return tailbox__fail(err, rc, "cannot create a file: %s",
		                     tailbox_strerror(rc));
	}
	/* Who sweeps the folder leaves it alone; see folder_sweep.c. */
	(void)flock(fd, LOCK_SH | LOCK_NB);
	int rc = write_file(write, cls, fd, err);
	/* close() reports late errors of network file systems. */
	if (close(fd) && !rc && errno != EINTR) {
		rc = -errno;
		tailbox__fail(err, rc, "cannot close: %s",
		              tailbox_strerror(rc));
	}
	if (!rc) {
		rc = rename_new(dirfd, temporary, name);
		if (rc)
			tailbox__fail(err, rc, "cannot give it its name: %s",
			              tailbox_strerror(rc));
	}
	if (rc) {
		unlinkat(dirfd, temporary, 0);
		return rc;
	}
	rc = sync_folder(dirfd);
	if (rc)
		tailbox__fail(err, rc,
		              "placed, but cannot fsync the folder: %s",
		              tailbox_strerror(rc));
	return rc;
}
