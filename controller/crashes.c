/* controller/crashes.c - at a start: tapes of crashes become artifacts.
 *
 * SPDX-License-Identifier: MIT
 *
 * A thread of its own, which ends when it is done: the start does not wait for
 * it, and no failure of it is one of the start. Who takes a tape has it
 * (core/recover.h), so services that start at once, and `tailbox recover`,
 * share the work. Oldest first, so that their numbers are in order of time.
 *
 * A tape that cannot be recovered (no folder, a full disk, damage) is kept for
 * the next start. More than TAPES_KEPT of them would fill the memory that
 * tapes live in: the oldest go, are counted and said.
 *
 * A tape of this process is never opened: closing it would drop the lock that
 * says that this process is alive. It may be another copy's of tailbox.
 */
#include "controller/after.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/daemons.h"
#include "core/fd.h"
#include "core/recorder.h"
#include "core/recover.h"
#include "core/tailbox.h"
#include "core/tape_run.h"

enum {
	TAPES_KEPT = 10, /* that cannot be recovered */
	TAPES_MAX = 1000, /* that one start looks at */
	NICE = 10
};
/* Of each tape, so that a huge one does not take as much memory: that of the
 * usual size is taken whole. */
#define NEWEST_BYTES ((uint64_t)16 << 20)

struct left {
	uint64_t at_ns; /* of the file: about when it was made */
	bool is_kept;
	char name[NAME_MAX + 1];
};

struct crashes {
	int dirfd; /* the run folder */
	TAILBOX__LIST(struct left) tapes;
};

static bool is_stopping(void)
{
	tailbox__lock();
	const bool is = tailbox__c.is_stopping;
	tailbox__unlock();
	return is;
}

/* --- which tapes --------------------------------------------------------- */

/* SERVICE.PID.tape, or SERVICE.PID.N.tape of one that was moved aside. Of
 * "shop" may be one of a service "shop.1": the tape tells. */
static bool has_our_name(const char *name)
{
	const char *service = tailbox__c.config.service;
	const size_t len = strlen(service);

	if (strncmp(name, service, len) != 0 || name[len] != '.')
		return false;
	const char *at = name + len + 1;
	at += strspn(at, "0123456789.");
	return at > name + len + 1 && strcmp(at, "tape") == 0;
}

/* Ours is known without /proc, which has the other copy's. */
static bool is_of_this_process(const struct stat *st)
{
	struct stat own;

	return fstat(tailbox__recorder.tape.fd, &own) != 0 ||
	       (own.st_dev == st->st_dev && own.st_ino == st->st_ino) ||
	       tailbox__fd_is_open_here(st);
}

static int look(struct crashes *c, const char *name)
{
	struct stat st;

	if (!has_our_name(name) || strlen(name) > NAME_MAX ||
	    fstatat(c->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode) || is_of_this_process(&st))
		return 0;
	struct left *l = tailbox__list_add(&c->tapes);
	if (!l)
		return -ENOMEM;
	l->at_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
	           (uint64_t)st.st_mtim.tv_nsec;
	memcpy(l->name, name, strlen(name) + 1);
	return 0;
}

static int oldest_first(const void *a, const void *b)
{
	const struct left *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int find_tapes(struct crashes *c)
{
	const int fd = openat(c->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int ret = dir ? 0 : -errno;

	for (const struct dirent *d; ret == 0 && c->tapes.count < TAPES_MAX &&
	                             (d = readdir(dir));)
		ret = look(c, d->d_name);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	if (c->tapes.count > 0)
		qsort(c->tapes.items, c->tapes.count, sizeof(*c->tapes.items),
		      oldest_first);
	return ret;
}

/* --- one tape ------------------------------------------------------------ */

static void count_recovered(const char *artifact)
{
	struct tailbox__crash_status *s = &tailbox__c.folder.crashes;

	tailbox__lock();
	s->recovered++;
	snprintf(s->last, sizeof(s->last), "%s", artifact);
	tailbox__unlock();
}

static int place(const struct left *l, const struct tailbox__run *run,
                 struct tailbox__error *err)
{
	const struct tailbox__controller *c = &tailbox__c;
	struct tailbox__artifact_key key = { TAILBOX__ARTIFACT_CRASH,
		                             tailbox__tape_run_second(run),
		                             0 };
	char name[256];

	const int ret =
	        tailbox__folder_place_crash(run, c->config.artifact_dir,
	                                    c->service, &key, name, err);
	if (ret < 0)
		return ret;
	count_recovered(name);
	tailbox__after_made(&key, name);
	tailbox__log("%s was left behind by a crash: %s%s: %zu requests, %zu "
	             "in flight", l->name, name, TAILBOX__ARTIFACT_SUFFIX,
	             run->requests.count, run->open.count);
	return 0;
}

/* 0: recovered, or none of ours to do. Negative: it cannot be. */
static int recover(const struct crashes *c, const struct left *l,
                   struct tailbox__error *err)
{
	const struct tailbox__tape_run_options o = {
		.newest_bytes = NEWEST_BYTES, .is_crash = true
	};
	struct tailbox__left_tape t;
	struct tailbox__run *run = NULL;

	int ret = tailbox__left_tape_take(c->dirfd, l->name, &t, err);
	if (ret == -EBUSY || ret == -TAILBOX_ESTATE || ret == -ENOENT)
		return 0;
	if (ret < 0)
		return ret;
	if (strcmp(tailbox__reader_header(t.reader)->service,
	           tailbox__c.config.service) == 0) {
		ret = tailbox__tape_run(t.reader, &o, &run, NULL, err);
		if (ret == 0)
			ret = place(l, run, err);
		if (ret == 0 &&
		    tailbox__left_tape_remove(&t, c->dirfd, l->name) != 0)
			tailbox__log("cannot remove %s", l->name);
		tailbox__run_destroy(run);
	}
	tailbox__left_tape_release(&t);
	return ret;
}

/* --- all of them --------------------------------------------------------- */

static void note_kept(const struct left *l, const struct tailbox__error *err)
{
	struct tailbox__crash_status *s = &tailbox__c.folder.crashes;

	tailbox__log("%s was left behind by a crash and is kept: %s", l->name,
	             err->text);
	tailbox__lock();
	s->kept++;
	snprintf(s->error, sizeof(s->error), "%.200s: %.200s", l->name,
	         err->text);
	tailbox__unlock();
}

/* The oldest of those that are kept. */
static void drop_some(struct crashes *c)
{
	struct tailbox__crash_status *s = &tailbox__c.folder.crashes;
	size_t kept = 0;

	for (size_t i = c->tapes.count; i-- > 0;) {
		const struct left *l = &c->tapes.items[i];
		if (!l->is_kept || ++kept <= TAPES_KEPT ||
		    tailbox__left_tape_drop(c->dirfd, l->name) != 0)
			continue;
		tailbox__lock();
		s->kept--;
		s->removed++;
		tailbox__unlock();
		tailbox__log("removed %s: there are more than %d tapes that "
		             "cannot be recovered", l->name, TAPES_KEPT);
	}
}

static void trim(void)
{
	const struct tailbox__controller_config *config = &tailbox__c.config;
	char newest[256];

	tailbox__lock();
	memcpy(newest, tailbox__c.folder.crashes.last, sizeof(newest));
	tailbox__unlock();
	const int dirfd = tailbox__folder_open(config->artifact_dir, NULL);
	if (dirfd < 0)
		return;
	if (newest[0] == '\0') {
		tailbox__folder_clean(dirfd);
	} else {
		tailbox__folder_trim_crashes(dirfd, config->max_crashes);
		tailbox__folder_trim(dirfd, newest);
	}
	close(dirfd);
}

static void recover_all(struct crashes *c)
{
	for (size_t i = 0; i < c->tapes.count && !is_stopping(); i++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		struct left *l = &c->tapes.items[i];
		if (recover(c, l, &err) == 0)
			continue;
		l->is_kept = true;
		note_kept(l, &err);
	}
	if (!is_stopping())
		drop_some(c);
	trim();
}

static void *crash_thread(void *arg)
{
	struct crashes c = { .dirfd = -1 };

	(void)arg;
	tailbox__own_thread(true);
	/* Of this thread alone, on Linux: nobody waits for what it does. */
	(void)setpriority(PRIO_PROCESS, 0, NICE);
	c.dirfd = open(tailbox__c.config.run_dir,
	               O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const int ret = c.dirfd < 0 ? -errno : find_tapes(&c);
	if (ret == 0)
		recover_all(&c);
	else
		tailbox__log("cannot look for tapes of crashes: %s",
		             tailbox_strerror(ret));
	tailbox__free(c.tapes.items);
	if (c.dirfd >= 0)
		close(c.dirfd);
	tailbox__own_thread(false);
	return NULL;
}

void tailbox__crashes_start(void)
{
	struct tailbox__controller *c = &tailbox__c;

	c->has_crasher = false;
	if (!c->config.run_dir || !c->config.max_crashes)
		return;
	const int ret = tailbox__thread_start(&c->crasher, crash_thread,
	                                      "tailbox-crash");
	c->has_crasher = ret == 0;
	if (ret < 0)
		tailbox__log("no thread to recover tapes of crashes: %s",
		             tailbox_strerror(ret));
}

void tailbox__crashes_stop(void)
{
	if (tailbox__c.has_crasher)
		pthread_join(tailbox__c.crasher, NULL);
	tailbox__c.has_crasher = false;
}
