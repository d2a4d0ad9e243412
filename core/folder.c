/* core/folder.c - the artifact folder and the names in it.
 *
 * SPDX-License-Identifier: MIT
 *
 * An artifact is NAME.tailbox with NAME = SERVICE-YYYYMMDDTHHMMSSZ-ID: the
 * second (UTC) and the number of the window. While its window is open the
 * name is held by NAME.part, created exclusively. An artifact is placed
 * before its .part is removed, so whoever creates a .part and then finds no
 * artifact has a name that was never used.
 *
 * An artifact may be deleted and the clock set back, and a new process counts
 * its windows from 1 again. So .SERVICE.last has the last name that was taken,
 * "SECOND ID", and names only go up from there: a number is worth nothing to
 * who keeps it when it may come to mean something else.
 *
 * A .part that a dead process left behind is never listed and never removed:
 * it is evidence. The folder is opened anew for each use, so that it may be
 * unmounted, removed and made again while the service runs.
 */
#include "core/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/artifact.h"
#include "core/fd.h"
#include "core/tailbox.h"

enum {
	NAME_TRIES = 3600,
	/* A clock that was wrong by more than this when the last name was
	 * taken: better to go by the new one. */
	AHEAD_S = 3600
};

/* --- the folder -------------------------------------------------------- */

static void make_parents(const char *path)
{
	char part[PATH_MAX];
	const size_t len = strlen(path);

	if (len >= sizeof(part))
		return;
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		/* What could not be made shows when the folder is opened. */
		(void)mkdir(part, 0700);
		part[i] = path[i];
	}
}

int tailbox__folder_open(const char *path, struct tailbox__error *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = open(path, flags);

	if (fd < 0 && errno == ENOENT) {
		make_parents(path);
		fd = open(path, flags);
	}
	if (fd >= 0)
		return fd;
	const int code = -errno;
	return tailbox__fail(err, code, "cannot open artifact folder %.400s: %s",
	                     path, tailbox_strerror(code));
}

/* --- names ------------------------------------------------------------- */

bool tailbox__folder_is_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

void tailbox__folder_service(char out[64], const char *service)
{
	size_t n = 0;

	for (; service[n] && n < 63; n++)
		out[n] = tailbox__folder_is_char(service[n]) ? service[n] : '_';
	if (n == 0)
		out[n++] = '_';
	if (out[0] == '.')
		out[0] = '_';
	out[n] = '\0';
}

static const struct {
	const char *name, *letter;
} kinds[TAILBOX__ARTIFACT_KINDS] = {
	[TAILBOX__ARTIFACT_WINDOW] = { "window", "" },
	[TAILBOX__ARTIFACT_SNAPSHOT] = { "snapshot", "s" },
	[TAILBOX__ARTIFACT_CRASH] = { "crash", "c" },
};

const char *tailbox__artifact_kind_name(enum tailbox__artifact_kind kind)
{
	return kinds[kind].name;
}

char *tailbox__artifact_id(char text[TAILBOX__ARTIFACT_ID_BYTES],
                           const struct tailbox__artifact_key *key)
{
	snprintf(text, TAILBOX__ARTIFACT_ID_BYTES, "%s%" PRIu64,
	         kinds[key->kind].letter, key->id);
	return text;
}

void tailbox__folder_name(char name[256], const char *service,
                          const struct tailbox__artifact_key *key)
{
	const time_t at = (time_t)key->second;
	char id[TAILBOX__ARTIFACT_ID_BYTES];
	struct tm tm;

	if (!gmtime_r(&at, &tm))
		memset(&tm, 0, sizeof(tm));
	snprintf(name, 256, "%s-%04d%02d%02dT%02d%02d%02dZ-%s", service,
	         tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	         tm.tm_min, tm.tm_sec, tailbox__artifact_id(id, key));
}

/* `count` digits as a number; false when there are others. */
static bool digits(const char **at, int count, int *out)
{
	*out = 0;
	for (int i = 0; i < count; i++) {
		const char c = *(*at)++;
		if (c < '0' || c > '9')
			return false;
		*out = *out * 10 + (c - '0');
	}
	return true;
}

enum tailbox__artifact_kind tailbox__folder_kind(char letter)
{
	return letter == 's'   ? TAILBOX__ARTIFACT_SNAPSHOT
	       : letter == 'c' ? TAILBOX__ARTIFACT_CRASH
	                       : TAILBOX__ARTIFACT_WINDOW;
}

bool tailbox__folder_parse(const char *service, const char *name,
                           struct tailbox__artifact_key *key)
{
	const size_t len = strlen(service);
	char again[256];
	struct tm tm = { 0 };

	if (strncmp(name, service, len) != 0 || name[len] != '-')
		return false;
	const char *at = name + len + 1;
	if (!digits(&at, 4, &tm.tm_year) || !digits(&at, 2, &tm.tm_mon) ||
	    !digits(&at, 2, &tm.tm_mday) || *at++ != 'T' ||
	    !digits(&at, 2, &tm.tm_hour) || !digits(&at, 2, &tm.tm_min) ||
	    !digits(&at, 2, &tm.tm_sec) || at[0] != 'Z' || at[1] != '-')
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	const time_t when = timegm(&tm);
	if (when < 0)
		return false;
	at += 2;
	key->second = (uint64_t)when;
	key->kind = tailbox__folder_kind(*at);
	errno = 0;
	key->id = strtoull(at + (key->kind != TAILBOX__ARTIFACT_WINDOW), NULL,
	                   10);
	/* What we would not have written ourselves is not ours: no signs, no
	 * leading zeros, no 31st of June, nothing behind. */
	tailbox__folder_name(again, service, key);
	return errno == 0 && strcmp(again, name) == 0;
}

bool tailbox__folder_file(char out[TAILBOX__FILE_NAME_BYTES], const char *name,
                          const char *suffix)
{
	const int n = snprintf(out, TAILBOX__FILE_NAME_BYTES, "%s%s", name,
	                       suffix);

	return n > 0 && n < TAILBOX__FILE_NAME_BYTES;
}

/* NAME.part and no NAME.tailbox: the descriptor, -EEXIST, -errno. */
static int take_name(int dirfd, const char *name)
{
	char part[TAILBOX__FILE_NAME_BYTES], done[TAILBOX__FILE_NAME_BYTES];
	struct stat st;

	if (!tailbox__folder_file(part, name, TAILBOX__PART_SUFFIX) ||
	    !tailbox__folder_file(done, name, TAILBOX__ARTIFACT_SUFFIX))
		return -ENAMETOOLONG;
	const int fd =
	        openat(dirfd, part,
	               O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	               0600);
	if (fd < 0)
		return -errno;
	/* Without it, it is not removed when it is an orphan: no matter. */
	(void)flock(fd, LOCK_SH | LOCK_NB);
	if (fstatat(dirfd, done, &st, AT_SYMLINK_NOFOLLOW) != 0 &&
	    errno == ENOENT)
		return fd;
	close(fd);
	unlinkat(dirfd, part, 0);
	return -EEXIST;
}

/* The file with the last name, locked; -1: do without. No wait for a process
 * that is stopped with the lock in its hand. */
static int open_last(int dirfd, const char *service)
{
	char file[TAILBOX__FILE_NAME_BYTES];

	snprintf(file, sizeof(file), ".%s.last", service);
	const int fd = openat(dirfd, file,
	                      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
	                              O_NONBLOCK,
	                      0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A line for each kind, each as long: written over, with nothing left behind
 * it, and of what has no line yet nothing was taken. */
enum { LINE_BYTES = 42 };
static off_t line_of(const struct tailbox__artifact_key *key)
{
	return (off_t)key->kind * LINE_BYTES;
}

/* Go on to a second in which no such name was taken. */
static void skip_taken(int last, struct tailbox__artifact_key *key)
{
	uint64_t last_second, last_id;
	char text[LINE_BYTES + 1];

	const ssize_t n = pread(last, text, LINE_BYTES, line_of(key));
	if (n <= 0)
		return;
	text[n] = '\0';
	if (sscanf(text, "%" SCNu64 " %" SCNu64, &last_second, &last_id) != 2 ||
	    last_second > key->second + AHEAD_S)
		return;
	if (last_second > key->second)
		key->second = last_second;
	if (last_second == key->second && key->id <= last_id)
		key->second++;
}

static void keep_taken(int last, const struct tailbox__artifact_key *key)
{
	char text[64];
	const int n = snprintf(text, sizeof(text), "%020" PRIu64 " %020" PRIu64
	                       "\n", key->second, key->id);

	/* On a full disk what is there guards still. */
	if ((uint64_t)line_of(key) + LINE_BYTES > tailbox__fd_limit())
		return;
	if (n != LINE_BYTES || pwrite(last, text, LINE_BYTES, line_of(key)) != n)
		return;
}

/* --- crashes ----------------------------------------------------------- */

/* The number of the last crash artifact: by the file with the last names, and
 * by the names that are there. 0 = none. */
static uint64_t last_crash(int last, int dirfd, const char *service)
{
	const struct tailbox__artifact_key crash = {
		.kind = TAILBOX__ARTIFACT_CRASH
	};
	const int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t second, id = 0;
	char text[LINE_BYTES + 1];

	const ssize_t n = last < 0 ? 0
	                           : pread(last, text, LINE_BYTES,
	                                   line_of(&crash));
	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%" SCNu64 " %" SCNu64, &second, &id) != 2)
		id = 0;
	for (const struct dirent *d; dir && (d = readdir(dir));) {
		struct tailbox__artifact_key key;
		char name[256];
		/* NAME.tailbox, NAME.part and what else lies beside. */
		const char *dot = strrchr(d->d_name, '.');
		snprintf(name, sizeof(name), "%.*s",
		         dot ? (int)(dot - d->d_name) : 0, d->d_name);
		if (tailbox__folder_parse(service, name, &key) &&
		    key.kind == TAILBOX__ARTIFACT_CRASH && key.id > id &&
		    key.id < UINT64_MAX)
			id = key.id;
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return id;
}

/* Who takes the next number waits a moment for who is taking one. */
static int open_last_patiently(int dirfd, const char *service)
{
	const struct timespec moment = { 0, 1000000 };
	int last = -1;

	for (int i = 0; i < 100 && last < 0; i++) {
		last = open_last(dirfd, service);
		if (last < 0)
			nanosleep(&moment, NULL);
	}
	return last;
}

int tailbox__folder_place_crash(const struct tailbox__run *run,
                                const char *path, const char *service,
                                struct tailbox__artifact_key *key,
                                char name[256], struct tailbox__error *err)
{
	struct tailbox__error why = TAILBOX__ERROR_INIT;
	char file[TAILBOX__FILE_NAME_BYTES];
	const int part = tailbox__folder_reserve(path, service, key, name, err);

	if (part < 0)
		return part;
	const int dirfd = tailbox__folder_open(path, err);
	int ret = dirfd;
	if (dirfd >= 0) {
		ret = tailbox__folder_file(file, name, TAILBOX__ARTIFACT_SUFFIX)
		              ? tailbox__artifact_place(run, dirfd, file, &why)
		              : -ENAMETOOLONG;
		close(dirfd);
		if (ret < 0)
			tailbox__fail(err, ret, "%s in %.400s: %s", name, path,
			              why.text[0] ? why.text
			                          : tailbox_strerror(ret));
	}
	tailbox__folder_remove_part(path, name);
	close(part);
	return ret < 0 ? ret : 0;
}

int tailbox__folder_reserve(const char *path, const char *service,
                            struct tailbox__artifact_key *key, char name[256],
                            struct tailbox__error *err)
{
	const int dirfd = tailbox__folder_open(path, err);
	int fd = -EEXIST;

	if (dirfd < 0)
		return dirfd;
	const bool is_crash = key->kind == TAILBOX__ARTIFACT_CRASH;
	const int last = is_crash ? open_last_patiently(dirfd, service)
	                          : open_last(dirfd, service);
	if (is_crash && key->id == 0)
		key->id = last_crash(last, dirfd, service) + 1;
	else if (last >= 0)
		skip_taken(last, key);
	for (int i = 0; i < NAME_TRIES && fd == -EEXIST; i++) {
		tailbox__folder_name(name, service, key);
		fd = take_name(dirfd, name);
		if (fd == -EEXIST)
			key->second++;
	}
	if (last >= 0) {
		if (fd >= 0)
			keep_taken(last, key);
		close(last); /* the lock with it */
	}
	close(dirfd);
	if (fd < 0)
		tailbox__fail(err, fd, "cannot create %s%s in %.400s: %s", name,
		              TAILBOX__PART_SUFFIX, path,
		              tailbox_strerror(fd));
	return fd;
}

void tailbox__folder_remove_part(const char *path, const char *name)
{
	char part[TAILBOX__FILE_NAME_BYTES];
	const int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return;
	if (tailbox__folder_file(part, name, TAILBOX__PART_SUFFIX))
		unlinkat(dirfd, part, 0);
	close(dirfd);
}
