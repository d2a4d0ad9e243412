/* controller/keep.c - which artifacts stay: caps, pins, and what lies beside.
 *
 * SPDX-License-Identifier: MIT
 *
 * After each placing the oldest artifacts of this service go, until count and
 * bytes are within the caps. Kept in any case are those that are pinned, the
 * newest, and what is no artifact of this service by name and header. Other
 * processes of the service do the same in the same folder at the same time:
 * what is gone already is no failure.
 *
 * What killed processes left goes at the same time (core/folder_sweep.c).
 *
 * Beside NAME.tailbox may be
 *	NAME.pin	it is pinned; empty
 *	NAME.json	the run as JSON
 *	NAME.json-at	where the JSON is instead: "INODE BYTES PATH"
 *	NAME.headline	what an analysis says of it, one line
 * They count with the artifact and go with it. A file at PATH goes only while
 * it is that inode of that size: else somebody has put another one there.
 */
#include "controller/after.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/artifact.h"
#include "core/fd.h"
#include "core/run_json.h"
#include "core/tailbox.h"

#define PIN ".pin"
#define JSON ".json"
#define JSON_AT ".json-at"

static bool has(int dirfd, const char *name, const char *suffix,
                struct stat *st)
{
	char file[TAILBOX__FILE_NAME_BYTES];

	return tailbox__folder_file(file, name, suffix) &&
	       fstatat(dirfd, file, st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st->st_mode);
}

/* 0, -ENOENT, -errno */
static int drop(int dirfd, const char *name, const char *suffix)
{
	char file[TAILBOX__FILE_NAME_BYTES];

	if (!tailbox__folder_file(file, name, suffix))
		return -ENOENT;
	return unlinkat(dirfd, file, 0) == 0 ? 0 : -errno;
}

/* --- pins -------------------------------------------------------------- */

bool tailbox__folder_is_pinned(int dirfd, const char *name)
{
	struct stat st;

	return has(dirfd, name, PIN, &st);
}

int tailbox__folder_pin(int dirfd, const char *name, bool on)
{
	char file[TAILBOX__FILE_NAME_BYTES];
	struct stat st;
	int ret;

	if (!on) {
		ret = drop(dirfd, name, PIN);
		return ret == -ENOENT ? 0 : ret;
	}
	if (!tailbox__folder_file(file, name, PIN))
		return -ENAMETOOLONG;
	const int fd = openat(dirfd, file,
	                      O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
	                              O_NONBLOCK,
	                      0600);
	if (fd < 0)
		return -errno;
	/* A pin is a promise: it outlives a power cut. */
	ret = fsync(fd) == 0 || errno == EINVAL ? 0 : -errno;
	close(fd);
	if (ret == 0 && fsync(dirfd) != 0 && errno != EINVAL)
		ret = -errno;
	/* Deleted meanwhile: a pin of nothing is litter. */
	if (ret == 0 && !has(dirfd, name, TAILBOX__ARTIFACT_SUFFIX, &st)) {
		drop(dirfd, name, PIN);
		ret = -ENOENT;
	}
	return ret;
}

/* --- JSON beside ------------------------------------------------------- */

/* Where the JSON of an artifact is, when it still is what was put there. */
static bool find_json(int dirfd, const char *name, char path[PATH_MAX],
                      struct stat *st)
{
	char file[TAILBOX__FILE_NAME_BYTES], text[PATH_MAX + 64];
	uint64_t inode, bytes;
	int at = 0;

	if (!tailbox__folder_file(file, name, JSON_AT))
		return false;
	const int fd = openat(dirfd, file,
	                      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	const ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	if (sscanf(text, "%" SCNu64 " %" SCNu64 " %n", &inode, &bytes, &at) !=
	            2 ||
	    at == 0 || strlen(text + at) >= PATH_MAX)
		return false;
	memcpy(path, text + at, strlen(text + at) + 1);
	return lstat(path, st) == 0 && S_ISREG(st->st_mode) &&
	       (uint64_t)st->st_ino == inode && (uint64_t)st->st_size == bytes;
}

uint64_t tailbox__folder_json_bytes(int dirfd, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (has(dirfd, name, JSON, &st) || find_json(dirfd, name, path, &st))
		return (uint64_t)st.st_size;
	return 0;
}

/* Write down where it is. Without that it would never be deleted, so it goes
 * again when it cannot be written down. */
static int note_json(int dirfd, const char *name, const char *path,
                     struct tailbox__error *err)
{
	char file[TAILBOX__FILE_NAME_BYTES], text[PATH_MAX + 64];
	struct stat st;
	int ret = -ENAMETOOLONG, fd = -1;

	if (stat(path, &st) != 0)
		return tailbox__fail(err, -errno, "%s is gone again", path);
	const int n = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %s",
	                       (uint64_t)st.st_ino, (uint64_t)st.st_size, path);
	if (n > 0 && n < (int)sizeof(text) &&
	    tailbox__folder_file(file, name, JSON_AT)) {
		fd = openat(dirfd, file,
		            O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
		                    O_NOFOLLOW,
		            0600);
		ret = fd < 0 ? -errno : 0;
	}
	if (fd >= 0) {
		ret = tailbox__fd_write(fd, text, (size_t)n);
		close(fd);
	}
	if (ret < 0) {
		unlink(path);
		drop(dirfd, name, JSON_AT);
		tailbox__fail(err, ret, "cannot write %s%s: %s", name, JSON_AT,
		              tailbox_strerror(ret));
	}
	return ret;
}

/* Place it at a path, by the folder of that. */
static int place_at(const struct tailbox__run *run, const char *path,
                    struct tailbox__error *err)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const char *file = slash ? slash + 1 : path;

	snprintf(folder, sizeof(folder), "%.*s",
	         slash ? (int)(slash - path) + (slash == path) : 1,
	         slash ? path : ".");
	const int dirfd = tailbox__folder_open(folder, err);
	if (dirfd < 0)
		return dirfd;
	const int ret = tailbox__run_place(run, tailbox__run_json_write, dirfd,
	                                   file, err);
	close(dirfd);
	return ret;
}

static int place_beside(const struct tailbox__run *run, int dirfd,
                        const char *name, struct tailbox__error *err)
{
	char file[TAILBOX__FILE_NAME_BYTES];

	if (!tailbox__folder_file(file, name, JSON))
		return tailbox__fail(err, -ENAMETOOLONG, "name too long");
	return tailbox__run_place(run, tailbox__run_json_write, dirfd, file,
	                          err);
}

int tailbox__folder_place_json(const struct tailbox__run *run, int dirfd,
                               const char *name, const char *base, uint64_t id,
                               struct tailbox__error *err)
{
	struct tailbox__error taken = TAILBOX__ERROR_INIT;
	char path[PATH_MAX];

	if (!base || !base[0])
		return place_beside(run, dirfd, name, err);
	if (!tailbox__config_output_name(path, sizeof(path), base, id))
		return tailbox__fail(err, -ENAMETOOLONG, "%s: path too long",
		                     base);
	const int ret = place_at(run, path, &taken);
	if (ret == 0)
		return note_json(dirfd, name, path, err);
	/* Of an earlier process, whose windows had the same numbers. */
	if (ret == -EEXIST) {
		tailbox__log("%s is there already; the JSON is beside the "
		             "artifact", path);
		return place_beside(run, dirfd, name, err);
	}
	return tailbox__fail(err, ret, "%s: %s", path, taken.text);
}

/* --- deleting ---------------------------------------------------------- */

int tailbox__folder_remove(int dirfd, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	/* Last what makes it an artifact: as long as that is there, the rest
	 * can be found. */
	if (find_json(dirfd, name, path, &st))
		unlink(path);
	drop(dirfd, name, JSON_AT);
	if (has(dirfd, name, JSON, &st))
		drop(dirfd, name, JSON);
	drop(dirfd, name, TAILBOX__HEADLINE_SUFFIX);
	const int ret = drop(dirfd, name, TAILBOX__ARTIFACT_SUFFIX);
	if (ret == 0 || ret == -ENOENT) {
		drop(dirfd, name, PIN);
		/* One that was being made: after this none is kept. */
		drop(dirfd, name, TAILBOX__HEADLINE_SUFFIX);
	}
	return ret;
}

struct kept {
	char name[256];
	uint64_t bytes;
	bool is_pinned;
};

/* All artifacts of the service, newest first; -ENOMEM, -errno. */
static long take_stock(int dirfd, struct kept **out, uint64_t *bytes)
{
	struct tailbox__artifact_key *keys = NULL;
	struct tailbox__artifact_entry e;
	long n = 0;

	*out = NULL;
	*bytes = 0;
	const long count = tailbox__folder_list(dirfd, &keys);
	if (count > 0)
		*out = tailbox__alloc((size_t)count, sizeof(**out));
	for (long i = 0; *out && i < count; i++) {
		if (tailbox__folder_look(dirfd, &keys[i], &e) != 0)
			continue;
		struct kept *k = &(*out)[n++];
		memcpy(k->name, e.name, sizeof(k->name));
		k->bytes = e.bytes + e.json_bytes + e.headline_bytes;
		k->is_pinned = e.is_pinned;
		*bytes += k->bytes;
	}
	tailbox__free(keys);
	return count > 0 && !*out ? -ENOMEM : count < 0 ? count : n;
}

static void count_deleted(uint64_t bytes)
{
	tailbox__lock();
	tailbox__c.folder.deleted++;
	tailbox__c.folder.deleted_bytes += bytes;
	tailbox__unlock();
}

void tailbox__folder_clean(int dirfd)
{
	uint64_t bytes;
	const unsigned n =
	        tailbox__folder_sweep(dirfd, tailbox__c.service, &bytes);

	if (n > 0)
		tailbox__log("removed %u file%s of %" PRIu64 " bytes that a "
		             "killed process left in %.200s", n,
		             n == 1 ? "" : "s", bytes,
		             tailbox__c.config.artifact_dir);
}

void tailbox__folder_trim(int dirfd, const char *newest)
{
	struct tailbox__folder_status caps;
	struct kept *all;
	uint64_t bytes;

	tailbox__folder_clean(dirfd);
	tailbox__folder_status(&caps);
	const long n = take_stock(dirfd, &all, &bytes);
	if (n < 0)
		tailbox__log("cannot look for old artifacts: %s",
		             tailbox_strerror((int)n));
	uint64_t count = n > 0 ? (uint64_t)n : 0;
	for (long i = n - 1; i > 0; i--) {
		const bool is_many = count > caps.max_count;
		if (!is_many && bytes <= caps.max_size)
			break;
		if (all[i].is_pinned || strcmp(all[i].name, newest) == 0)
			continue;
		const int ret = tailbox__folder_remove(dirfd, all[i].name);
		if (ret < 0 && ret != -ENOENT) {
			tailbox__log("cannot delete %s: %s", all[i].name,
			             tailbox_strerror(ret));
			continue;
		}
		count--;
		bytes -= all[i].bytes;
		if (ret < 0)
			continue; /* by another process, and counted there */
		count_deleted(all[i].bytes);
		tailbox__log("deleted %s, the oldest: the folder has more than "
		             "%" PRIu64 " %s", all[i].name,
		             is_many ? caps.max_count : caps.max_size,
		             is_many ? "artifacts" : "bytes");
	}
	tailbox__free(all);
}

void tailbox__folder_trim_crashes(int dirfd, uint64_t max)
{
	struct tailbox__artifact_key *keys = NULL;
	struct tailbox__artifact_entry e;
	uint64_t count = 0;
	const long n = tailbox__folder_list(dirfd, &keys);

	for (long i = 0; i < n; i++) {
		if (keys[i].kind != TAILBOX__ARTIFACT_CRASH ||
		    tailbox__folder_look(dirfd, &keys[i], &e) != 0 ||
		    e.is_pinned || ++count <= max)
			continue;
		if (tailbox__folder_remove(dirfd, e.name) != 0)
			continue;
		count_deleted(e.bytes + e.json_bytes);
		tailbox__log("deleted %s, the oldest: the folder has more than "
		             "%" PRIu64 " crash artifacts", e.name, max);
	}
	tailbox__free(keys);
}

void tailbox__folder_caps(uint64_t max_size, uint64_t max_count)
{
	tailbox__lock();
	tailbox__c.config.max_size = max_size;
	tailbox__c.config.max_count = max_count;
	tailbox__unlock();
}

void tailbox__folder_status(struct tailbox__folder_status *out)
{
	const struct tailbox__controller_config *config = &tailbox__c.config;

	tailbox__lock();
	*out = tailbox__c.folder;
	out->max_size = config->max_size ? config->max_size
	                                 : TAILBOX__FOLDER_SIZE_DEFAULT;
	out->max_count = config->max_count ? config->max_count
	                                   : TAILBOX__FOLDER_COUNT_DEFAULT;
	tailbox__unlock();
}
