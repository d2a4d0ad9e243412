/* core/tape.c - the file that is the recorder's memory.
 *
 * SPDX-License-Identifier: MIT
 *
 * The room is taken with posix_fallocate before anything is mapped: on a full
 * tmpfs a page that was only promised (ftruncate) is a SIGBUS in a worker
 * later, and that would be our failure killing the service.
 */
#include "core/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "core/clock.h"
#include "core/daemons.h"
#include "core/fd.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u
#endif

_Static_assert(sizeof(struct tailbox__name) == 128, "name");
_Static_assert(sizeof(struct tailbox__thread_entry) == 256, "thread entry");
_Static_assert(sizeof(struct tailbox__slot) == 384, "slot");
_Static_assert(sizeof(struct tailbox__block) == 64, "block");
_Static_assert(sizeof(struct tailbox__rec_request) == 64, "request");
_Static_assert(sizeof(struct tailbox__rec_more) == 64, "more");
_Static_assert(sizeof(struct tailbox__rec_reader) == 64, "reader");
_Static_assert(sizeof(struct tailbox__rec_trace) == 64, "trace");
_Static_assert(sizeof(struct tailbox__rec_id) == 64, "id");
_Static_assert(sizeof(struct tailbox__rec_connection) == 64, "connection");
_Static_assert(sizeof(struct tailbox__rec_span) == 32, "span");
_Static_assert(sizeof(struct tailbox__rec_sample) == 64, "sample");
_Static_assert(sizeof(struct tailbox__rec_values) == 64, "values");
_Static_assert(sizeof(struct tailbox__rare) == 128, "rare");
_Static_assert(sizeof(struct tailbox__kept) == 64, "kept");
_Static_assert(sizeof(struct tailbox__tape_header) <= 4096, "header");

int tailbox__run_folder(const char *path, struct tailbox__error *err)
{
	struct stat st;
	int fd;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return tailbox__fail(err, -errno, "cannot create folder %s: %s",
		                     path, tailbox_strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return tailbox__fail(err, -errno, "cannot open folder %s: %s",
		                     path, tailbox_strerror(errno));
	if (fstat(fd, &st) != 0 || st.st_uid != geteuid()) {
		close(fd);
		return tailbox__fail(err, -EPERM,
		                     "folder %s belongs to another user", path);
	}
	if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) != 0) {
		close(fd);
		return tailbox__fail(err, -EPERM,
		                     "folder %s is open to others", path);
	}
	return fd;
}

static int take_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	return fcntl(fd, F_SETLK, &lock) == 0 ? 0 : -errno;
}

/* Whether a living process writes into it: -EBUSY; this one: -EALREADY, and it
 * is not even opened. Nor is what is no file, a link or a folder that somebody
 * put there. */
static int check_free(int dirfd, const char *name)
{
	struct stat st;
	int fd, rc;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (tailbox__fd_is_open_here(&st))
		return -EALREADY;
	fd = openat(dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = take_lock(fd);
	close(fd);
	return rc != 0 ? -EBUSY : 0;
}

/* A tape of this name that is there already was left by a dead process that
 * had our pid: what it recorded is evidence, so it is moved aside. */
static int move_aside(int dirfd, const char *name)
{
	char other[NAME_MAX + 1];
	int rc = check_free(dirfd, name);

	if (rc != 0)
		return rc;
	for (int i = 1; i < 1000; i++) {
		snprintf(other, sizeof(other), "%.*s.%d.tape",
		         (int)(strlen(name) - 5), name, i);
		if (renameat2(dirfd, name, dirfd, other, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int create(struct tailbox__tape *t, int dirfd, const char *name,
                  struct tailbox__error *err)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, rc;

	t->fd = openat(dirfd, name, flags, 0600);
	if (t->fd < 0 && errno == EEXIST) {
		rc = move_aside(dirfd, name);
		if (rc == -EALREADY)
			return tailbox__fail(
			        err, -EBUSY, "another copy of tailbox in this "
			        "process records in %s", t->path);
		if (rc != 0)
			return tailbox__fail(
			        err, rc, "%s is there and %s: %s", t->path,
			        rc == -EBUSY ? "another process records in it"
			                     : "cannot be moved aside",
			        tailbox_strerror(rc));
		t->fd = openat(dirfd, name, flags, 0600);
	}
	if (t->fd < 0)
		return tailbox__fail(err, -errno, "cannot create tape %s: %s",
		                     t->path, tailbox_strerror(errno));
	rc = take_lock(t->fd);
	if (rc != 0)
		return tailbox__fail(err, rc, "cannot lock tape %s: %s", t->path,
		                     tailbox_strerror(rc));
	return 0;
}

static int allocate(struct tailbox__tape *t, uint64_t bytes,
                    struct tailbox__error *err)
{
	const uint64_t limit = tailbox__fd_limit();
	int rc;

	while (bytes > limit && bytes > TAILBOX__TAPE_MIN)
		bytes /= 2;
	if (bytes > limit)
		return tailbox__fail(err, -EFBIG,
		                     "no tape of 1 MiB in %s: no file of this "
		                     "process may be over %llu bytes "
		                     "(RLIMIT_FSIZE)",
		                     t->path, (unsigned long long)limit);
	for (;;) {
		rc = posix_fallocate(t->fd, 0, (off_t)bytes);
		if (rc == 0)
			break;
		/* What was taken before the failure must go back first. */
		if (ftruncate(t->fd, 0) != 0)
			return -errno;
		if (rc == EINTR)
			continue;
		if (bytes / 2 < TAILBOX__TAPE_MIN)
			return tailbox__fail(
			        err, -rc, "no room for a tape of 1 MiB in %s: %s",
			        t->path, tailbox_strerror(rc));
		bytes /= 2;
	}
	t->file_bytes = bytes;
	return 0;
}

static void read_text(const char *path, char *to, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, room - 1);

	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = '\0';
	to[strcspn(to, "\n")] = '\0';
}

static uint64_t process_started(void)
{
	char text[1024], *p, *save = NULL;
	uint64_t value = 0;

	read_text("/proc/self/stat", text, sizeof(text));
	p = strrchr(text, ')'); /* the name may hold anything */
	if (p == NULL)
		return 0;
	p = strtok_r(p + 1, " ", &save); /* field 3 */
	for (int field = 3; p != NULL && field < 22; field++)
		p = strtok_r(NULL, " ", &save);
	if (p != NULL)
		value = strtoull(p, NULL, 10);
	return value;
}

static uint32_t clamp(uint64_t v, uint32_t low, uint32_t high)
{
	return v < low ? low : v > high ? high : (uint32_t)v;
}

static uint64_t wanted_rare = UINT64_MAX;

void tailbox__tape_set_rare(uint64_t bytes)
{
	wanted_rare = bytes;
}

/* A ring is a whole number of units, and the section begins on a page. */
static uint64_t rare_bytes(uint64_t tape_bytes)
{
	uint64_t bytes = wanted_rare == UINT64_MAX
	                         ? tape_bytes / TAILBOX__RARE_SHARE
	                         : wanted_rare;

	if (bytes == 0)
		return 0;
	if (bytes < TAILBOX__RARE_LEAST)
		bytes = TAILBOX__RARE_LEAST;
	if (bytes > tape_bytes / 2)
		bytes = tape_bytes / 2;
	if (bytes > TAILBOX__RARE_MAX)
		bytes = TAILBOX__RARE_MAX;
	return bytes / 64 * 64;
}

/* Names, threads and slots take a sixteenth, rare requests by default another;
 * the rest is blocks. */
static void lay_out(struct tailbox__tape_header *h, uint64_t bytes,
                    uint64_t rare)
{
	h->version = TAILBOX__TAPE_VERSION;
	h->byte_order = TAILBOX__BYTE_ORDER;
	h->file_bytes = bytes;
	h->name_bytes = sizeof(struct tailbox__name);
	h->thread_bytes = sizeof(struct tailbox__thread_entry);
	h->slot_bytes = sizeof(struct tailbox__slot);
	h->block_bytes = bytes < (8u << 20) ? TAILBOX__BLOCK_LEAST
	                                    : TAILBOX__BLOCK_MOST;
	h->names_max = clamp(bytes / 8192, 256, TAILBOX__NAMES_MOST);
	h->threads_max = clamp(bytes / 16384, 128, 1024);
	h->slots_max = clamp(bytes / 8192, 128, TAILBOX__SLOTS_MOST);
	h->names_off = 4096;
	h->threads_off = h->names_off + (uint64_t)h->names_max * h->name_bytes;
	h->slots_off =
	        h->threads_off + (uint64_t)h->threads_max * h->thread_bytes;
	h->blocks_off = h->slots_off + (uint64_t)h->slots_max * h->slot_bytes;
	h->blocks_off = (h->blocks_off + 4095) / 4096 * 4096;
	h->rare_bytes = rare;
	if (h->rare_bytes) {
		h->rare_off = h->blocks_off;
		h->blocks_off += (h->rare_bytes + 4095) / 4096 * 4096;
	}
	h->blocks_max = (uint32_t)((bytes - h->blocks_off) / h->block_bytes);
}

static void identify(struct tailbox__tape_header *h, const char *service,
                     const char *version)
{
	struct tailbox__anchor a;

	h->pid = (uint32_t)getpid();
	h->pid_started = process_started();
	h->clock_kind = tailbox__clock.kind;
	h->clock_hz = tailbox__clock.hz;
	h->clock_res_ns = tailbox__clock.res_ns;
	h->jiffy_us = tailbox__clock.jiffy_us;
	read_text("/proc/sys/kernel/random/boot_id", h->boot_id,
	          sizeof(h->boot_id));
	snprintf(h->service, sizeof(h->service), "%s", service);
	snprintf(h->service_version, sizeof(h->service_version), "%s",
	         version ? version : "");
	snprintf(h->mhd_version, sizeof(h->mhd_version), "%s",
	         tailbox__daemon_library());
	snprintf(h->tailbox_version, sizeof(h->tailbox_version), "%s",
	         TAILBOX_VERSION);
	tailbox__anchor_take(&a);
	h->anchor_tick = a.tick;
	h->anchor_mono_ns = a.mono_ns;
	h->anchor_wall_ns = a.wall_ns;
	TAILBOX__SET(h->now_tick, a.tick);
	TAILBOX__SET(h->now_mono_ns, a.mono_ns);
	TAILBOX__SET(h->now_wall_ns, a.wall_ns);
	TAILBOX__SET(h->end_state, TAILBOX__END_OPEN);
	TAILBOX__SET(h->recorder_on, 1);
}

static int map(struct tailbox__tape *t, struct tailbox__error *err)
{
	struct tailbox__tape_header *h;
	char *p;

	p = mmap(NULL, t->file_bytes, PROT_READ | PROT_WRITE,
	         MAP_SHARED | MAP_POPULATE, t->fd, 0);
	if (p == MAP_FAILED)
		return tailbox__fail(err, -errno, "cannot map tape %s: %s",
		                     t->path, tailbox_strerror(errno));
	h = (void *)p;
	lay_out(h, t->file_bytes, rare_bytes(t->file_bytes));
	t->names = (void *)(p + h->names_off);
	t->threads = (void *)(p + h->threads_off);
	t->slots = (void *)(p + h->slots_off);
	t->rare = h->rare_bytes ? (void *)(p + h->rare_off) : NULL;
	t->header = h;
	return 0;
}

/* All of it at once, the descriptor last: a child that is forked meanwhile by
 * another thread knows of the tape as a whole or of none. (Of one that it does
 * not know it keeps the descriptor and the mapping, and touches neither.) */
static void publish(struct tailbox__tape *t, const struct tailbox__tape *made)
{
	memcpy(t->path, made->path, sizeof(t->path));
	t->names = made->names;
	t->threads = made->threads;
	t->slots = made->slots;
	t->rare = made->rare;
	t->file_bytes = made->file_bytes;
	t->header = made->header;
	atomic_signal_fence(memory_order_seq_cst);
	t->fd = made->fd;
}

int tailbox__tape_open(struct tailbox__tape *t, int dirfd, const char *dir,
                       const char *service, const char *version,
                       uint64_t wanted, struct tailbox__error *err)
{
	const struct tailbox__tape_wish size = { .bytes = wanted };
	struct tailbox__tape made = { .fd = -1 };
	char name[128];
	int rc;

	snprintf(name, sizeof(name), "%s.%ld.tape", service, (long)getpid());
	if (snprintf(made.path, sizeof(made.path), "%s/%s", dir, name) >=
	    (int)sizeof(made.path))
		return tailbox__fail(err, -ENAMETOOLONG,
		                     "run folder's path is too long");
	rc = create(&made, dirfd, name, err);
	if (rc != 0 && made.fd < 0)
		return rc;
	if (rc == 0)
		rc = allocate(&made, tailbox__tape_size(&size, dirfd, 0), err);
	if (rc == 0)
		rc = map(&made, err);
	if (rc != 0) {
		unlinkat(dirfd, name, 0);
		close(made.fd);
		return rc;
	}
	identify(made.header, service, version);
	atomic_store_explicit(&made.header->magic, TAILBOX__TAPE_MAGIC,
	                      memory_order_release);
	publish(t, &made);
	return 0;
}

/* Private memory over the mapping, of the same shape and without a name left.
 * Moved there in one step: at no instant is the shape not there. */
static void map_private(struct tailbox__tape *t)
{
	struct tailbox__tape_header *h;

	h = mmap(NULL, t->file_bytes, PROT_READ | PROT_WRITE,
	         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (h == MAP_FAILED)
		return; /* then the old mapping stays: no harm either */
	lay_out(h, t->file_bytes, t->header->rare_bytes);
	TAILBOX__SET(h->names_used, h->names_max);
	if (mremap(h, t->file_bytes, t->file_bytes,
	           MREMAP_MAYMOVE | MREMAP_FIXED, t->header) == MAP_FAILED)
		munmap(h, t->file_bytes);
}

void tailbox__tape_close(struct tailbox__tape *t, enum tailbox__end_state how,
                         int remove_file)
{
	if (t->fd < 0)
		return;
	atomic_store_explicit(&t->header->end_state, how, memory_order_release);
	if (remove_file)
		unlink(t->path);
	map_private(t);
	close(t->fd);
	t->fd = -1;
}

void tailbox__tape_in_child(struct tailbox__tape *t)
{
	if (t->fd < 0)
		return;
	map_private(t);
	/* Closing is harmless: the lock belongs to the parent. */
	close(t->fd);
	t->fd = -1;
}
