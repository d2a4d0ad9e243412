/* core/folder_sweep.c - what killed processes left half done.
 *
 * SPDX-License-Identifier: MIT
 *
 * A window's records (NAME.part) and a file on its way to its name (.NAME.tmp)
 * are locked by who writes them, for as long as that lives: SIGKILL lets go of
 * the lock and leaves the file. A service that is killed again and again would
 * fill the disk with them, for the caps count artifacts only. Where the file
 * system has no locks nothing is removed.
 */
#include "core/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* It is locked a moment after it is there. */
#define YOUNG_S 60

static bool ends_in(const char *file, const char *suffix)
{
	const size_t n = strlen(file), len = strlen(suffix);

	return n > len && strcmp(file + n - len, suffix) == 0;
}

static bool is_ours(const char *service, const char *file)
{
	const size_t n = strlen(service);
	struct tailbox__artifact_key key;
	char name[256];

	if (ends_in(file, TAILBOX__PART_SUFFIX)) {
		snprintf(name, sizeof(name), "%.*s",
		         (int)(strlen(file) - strlen(TAILBOX__PART_SUFFIX)),
		         file);
		return tailbox__folder_parse(service, name, &key);
	}
	return ends_in(file, TAILBOX__TEMPORARY_SUFFIX) && file[0] == '.' &&
	       strncmp(file + 1, service, n) == 0 && file[1 + n] == '-';
}

static bool remove_orphan(int dirfd, const char *file, uint64_t *bytes)
{
	bool is_gone = false;
	struct stat st;
	const int fd = openat(dirfd, file,
	                      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_mtime < time(NULL) - YOUNG_S &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0)
		is_gone = unlinkat(dirfd, file, 0) == 0;
	if (is_gone)
		*bytes += (uint64_t)st.st_size;
	close(fd);
	return is_gone;
}

unsigned tailbox__folder_sweep(int dirfd, const char *service, uint64_t *bytes)
{
	const int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	unsigned n = 0;

	*bytes = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	for (const struct dirent *d; (d = readdir(dir));)
		if (is_ours(service, d->d_name))
			n += remove_orphan(fd, d->d_name, bytes);
	closedir(dir);
	return n;
}
