/* controller/artifacts.c - list, find, open and delete artifacts.
 *
 * SPDX-License-Identifier: MIT
 *
 * An artifact is what has a name of ours (core/folder.c takes names
 * apart strictly, so that no path gets through) and a header of ours.
 */
#include "controller/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/artifact.h"
#include "core/tailbox.h"

static bool is_ours(const struct tailbox__artifact_key *f)
{
	const struct tailbox__controller *c = &tailbox__c;

	tailbox__lock();
	/* No process makes its own: they are found by id from any. */
	const bool is = f->kind == TAILBOX__ARTIFACT_CRASH ||
	                (f->id >= 1 && f->id <= c->made[f->kind].count &&
	                 c->made[f->kind].items[f->id - 1] == f->second);
	tailbox__unlock();
	return is;
}

int tailbox__folder_made(const struct tailbox__artifact_key *key)
{
	struct tailbox__controller *c = &tailbox__c;

	if (key->id > TAILBOX__MADE_MAX)
		return 0; /* by its full name only */
	uint64_t *place = tailbox__list_add(&c->made[key->kind]);
	if (!place)
		return -ENOMEM;
	*place = key->second;
	return 0;
}

void tailbox__folder_unmade(const struct tailbox__artifact_key *key)
{
	if (key->id <= TAILBOX__MADE_MAX)
		tailbox__c.made[key->kind].count--;
}

static int open_file(int dirfd, const char *name)
{
	char file[TAILBOX__FILE_NAME_BYTES];

	if (!tailbox__folder_file(file, name, TAILBOX__ARTIFACT_SUFFIX))
		return -ENOENT;
	/* Not to wait on a FIFO that somebody put there. */
	const int fd = openat(dirfd, file,
	                      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	/* A link is none of ours, wherever it leads. */
	return errno == ELOOP ? -ENOENT : -errno;
}

int tailbox__folder_look(int dirfd, const struct tailbox__artifact_key *f,
                         struct tailbox__artifact_entry *e)
{
	struct tailbox__artifact_info info;
	struct stat st;

	memset(e, 0, sizeof(*e));
	tailbox__folder_name(e->name, tailbox__c.service, f);
	const int fd = open_file(dirfd, e->name);
	if (fd < 0)
		return fd;
	int ret = fstat(fd, &st) == 0 ? 0 : -errno;
	if (ret == 0 && !S_ISREG(st.st_mode))
		ret = -TAILBOX_EFOREIGN;
	if (ret == 0)
		ret = tailbox__artifact_info(fd, &info, NULL);
	close(fd);
	if (ret < 0)
		return ret;
	e->key = *f;
	e->is_ours = is_ours(f);
	e->bytes = (uint64_t)st.st_size;
	e->requests = info.requests;
	e->started_ms = info.started_ms;
	e->finalized_ms = info.finalized_ms;
	e->checksum = info.checksum;
	e->is_pinned = tailbox__folder_is_pinned(dirfd, e->name);
	e->json_bytes = tailbox__folder_json_bytes(dirfd, e->name);
	e->headline_bytes =
	        tailbox__folder_headline(dirfd, e->name, e->headline);
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct tailbox__artifact_key *x = a, *y = b;

	if (x->second != y->second)
		return x->second < y->second ? 1 : -1;
	if (x->id != y->id)
		return x->id < y->id ? 1 : -1;
	return (int)x->kind - (int)y->kind;
}

/* The names alone: a folder may hold many more than are wanted. */
static long collect(DIR *dir, struct tailbox__artifact_key **out)
{
	const size_t suffix = strlen(TAILBOX__ARTIFACT_SUFFIX);
	TAILBOX__LIST(struct tailbox__artifact_key) list = { 0 };
	const struct dirent *d;

	while ((d = readdir(dir))) {
		char name[256];
		const size_t len = strlen(d->d_name);
		struct tailbox__artifact_key f;

		if (len <= suffix || len - suffix >= sizeof(name) ||
		    strcmp(d->d_name + len - suffix,
		           TAILBOX__ARTIFACT_SUFFIX) != 0)
			continue;
		memcpy(name, d->d_name, len - suffix);
		name[len - suffix] = '\0';
		if (!tailbox__folder_parse(tailbox__c.service, name, &f))
			continue;
		struct tailbox__artifact_key *to = tailbox__list_add(&list);
		if (!to) {
			tailbox__free(list.items);
			return -ENOMEM;
		}
		*to = f;
	}
	*out = list.items;
	return (long)list.count;
}

static bool is_started(void)
{
	tailbox__lock();
	const bool is = tailbox__c.is_started;
	tailbox__unlock();
	return is;
}

long tailbox__folder_list(int dirfd, struct tailbox__artifact_key **out)
{
	/* A description of its own: fdopendir() takes it, and its position. */
	const int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*out = NULL;
	if (fd < 0)
		return -errno;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		const int code = -errno;
		close(fd);
		return code;
	}
	const long count = collect(dir, out);
	closedir(dir);
	if (count > 0)
		qsort(*out, (size_t)count, sizeof(**out), newest_first);
	return count;
}

long tailbox__artifacts(struct tailbox__artifact_entry *out, size_t max,
                        long *older)
{
	struct tailbox__artifact_key *all = NULL;
	long n = 0, i = 0;

	if (older)
		*older = 0;
	if (!is_started())
		return -TAILBOX_ESTATE;
	const int dirfd =
	        tailbox__folder_open(tailbox__c.config.artifact_dir, NULL);
	if (dirfd < 0)
		return dirfd;
	const long count = tailbox__folder_list(dirfd, &all);
	for (; i < count && (size_t)n < max; i++)
		n += tailbox__folder_look(dirfd, &all[i], &out[n]) == 0;
	if (older && count > i)
		*older = count - i;
	tailbox__free(all);
	close(dirfd);
	return count < 0 ? count : n;
}

/* Numbers of crashes go on from process to process, so the folder tells. */
static int by_crash(struct tailbox__artifact_key *f)
{
	struct tailbox__artifact_key *all = NULL;
	const int dirfd =
	        tailbox__folder_open(tailbox__c.config.artifact_dir, NULL);
	int ret = -ENOENT;

	if (dirfd < 0)
		return dirfd;
	const long n = tailbox__folder_list(dirfd, &all);
	for (long i = 0; i < n && ret < 0; i++) {
		if (all[i].kind != f->kind || all[i].id != f->id)
			continue;
		*f = all[i];
		ret = 0;
	}
	tailbox__free(all);
	close(dirfd);
	return n < 0 ? (int)n : ret;
}

/* By id: of this process. `letters`: 0 or 1. */
static int by_id(const char *id, size_t letters,
                 struct tailbox__artifact_key *f)
{
	const struct tailbox__controller *c = &tailbox__c;
	int ret = -ENOENT;

	f->kind = tailbox__folder_kind(*id);
	if (letters != (f->kind != TAILBOX__ARTIFACT_WINDOW))
		return -ENOENT;
	errno = 0;
	f->id = strtoull(id + letters, NULL, 10);
	if (errno != 0)
		return -ENOENT;
	if (f->kind == TAILBOX__ARTIFACT_CRASH)
		return by_crash(f);
	tailbox__lock();
	if (f->id >= 1 && f->id <= c->made[f->kind].count) {
		f->second = c->made[f->kind].items[f->id - 1];
		ret = 0;
	}
	tailbox__unlock();
	return ret;
}

int tailbox__artifact_find(const char *id, struct tailbox__artifact_entry *out)
{
	struct tailbox__artifact_key f;
	size_t numbers = 0, n = 0;
	int ret = 0;

	for (; id[n]; n++) {
		if (n >= 255 || !tailbox__folder_is_char(id[n]))
			return -EINVAL;
		numbers += id[n] >= '0' && id[n] <= '9';
	}
	if (n == 0)
		return -EINVAL;
	if (!is_started())
		return -ENOENT;
	/* No name is so short that but one character is no digit. */
	if (numbers + 1 >= n)
		ret = by_id(id, n - numbers, &f);
	else if (!tailbox__folder_parse(tailbox__c.service, id, &f))
		ret = -ENOENT;
	if (ret < 0)
		return ret;
	const int dirfd =
	        tailbox__folder_open(tailbox__c.config.artifact_dir, NULL);
	if (dirfd < 0)
		return dirfd;
	ret = tailbox__folder_look(dirfd, &f, out);
	close(dirfd);
	return ret;
}

int tailbox__artifact_open(const struct tailbox__artifact_entry *e)
{
	const int dirfd =
	        tailbox__folder_open(tailbox__c.config.artifact_dir, NULL);

	if (dirfd < 0)
		return dirfd;
	const int fd = open_file(dirfd, e->name);
	close(dirfd);
	return fd;
}

int tailbox__artifact_delete(const struct tailbox__artifact_entry *e)
{
	const int dirfd =
	        tailbox__folder_open(tailbox__c.config.artifact_dir, NULL);

	if (dirfd < 0)
		return dirfd;
	const int ret = tailbox__folder_remove(dirfd, e->name);
	close(dirfd);
	return ret;
}

int tailbox__artifact_pin(struct tailbox__artifact_entry *e, bool on)
{
	const int dirfd =
	        tailbox__folder_open(tailbox__c.config.artifact_dir, NULL);

	if (dirfd < 0)
		return dirfd;
	const int ret = tailbox__folder_pin(dirfd, e->name, on);
	close(dirfd);
	if (ret == 0)
		e->is_pinned = on;
	return ret;
}
