/* core/tape.h - open and close the file that is the recorder's memory.
 *
 * SPDX-License-Identifier: MIT
 *
 * Do not open and close the tape's path inside the recording process: closing
 * any descriptor of it drops the process's fcntl lock, which says that it is
 * alive. In-process readers use tailbox__tape.fd.
 */
#ifndef TAILBOX_CORE_TAPE_H
#define TAILBOX_CORE_TAPE_H 1

#include <stdint.h>

#include "core/error.h"
#include "core/record.h"

#define TAILBOX__TAPE_MIN ((uint64_t)1 << 20)
#define TAILBOX__TAPE_DEFAULT ((uint64_t)16 << 20)
#define TAILBOX__TAPE_MAX ((uint64_t)1 << 30)
/* The section of rare requests, its head included: by default this share of
 * the tape, never more than half of it. */
#define TAILBOX__RARE_SHARE 16u
#define TAILBOX__RARE_LEAST ((uint64_t)16 << 10)
#define TAILBOX__RARE_MAX ((uint64_t)64 << 20)
/* What the largest tape has of them. */
#define TAILBOX__NAMES_MOST 4096u
#define TAILBOX__SLOTS_MOST 65536u

/* tape_size.c. How large a tape is to be. */
struct tailbox__tape_wish {
	uint64_t bytes;      /* 0 = by the default rule. With a history: what
	                        the tape takes at most, 0 = by the rule */
	uint64_t history_ms; /* what it is to hold; 0 = nothing was said */
	uint64_t fill; /* bytes of tape a second, as an earlier tape took them;
	                  0 = not known, and then there is the default */
};
/* Bytes, a power of two from 1 MiB to 1 GiB: of bytes rounded down, for a
 * history rounded up. dirfd: where the tape will lie. freed: what is in use
 * there now and will not be then. */
uint64_t tailbox__tape_size(const struct tailbox__tape_wish *w, int dirfd,
                            uint64_t freed);
/* A power of two from 1 MiB to 1 GiB that holds `ms` of history at `fill` bytes
 * a second; UINT64_MAX: none does. */
uint64_t tailbox__tape_for(uint64_t fill, uint64_t ms);

/* The pointers stay when the tape is closed, and so does what they point to,
 * until its crew is taken apart (crews.c): who was in the middle of a record
 * then goes on in memory that has the tape's shape, is full, and is read by
 * nobody. So they say nothing about whether a tape is open
 * (tailbox__recorder_is_open()). They are atomic because such a thread may read
 * them while the next tape is opened; on x86 that costs nothing. Such a thread
 * copies one first: gcc 12 reads it without the atomic load where it is indexed
 * in place. */
struct tailbox__tape {
	int fd; /* -1 = none is open */
	char path[256];
	_Atomic(struct tailbox__tape_header *) header; /* NULL = none yet */
	_Atomic(struct tailbox__name *) names;
	_Atomic(struct tailbox__thread_entry *) threads;
	_Atomic(struct tailbox__slot *) slots;
	struct tailbox__rare *rare; /* the follower's; NULL = the tape keeps none */
	uint64_t file_bytes;
};

/* Create `dirfd/SERVICE.PID.tape` (dir: its path, for messages), fallocate
 * it, map and populate it; halved down to 1 MiB while there is no room.
 * wanted: bytes, 0 = default rule. 0 or -errno; err says why. */
int tailbox__tape_open(struct tailbox__tape *t, int dirfd, const char *dir,
                       const char *service, const char *version,
                       uint64_t wanted, struct tailbox__error *err);
/* Of the tapes that are opened from now on: bytes of the section of rare
 * requests. UINT64_MAX = the default share, 0 = none; what is less than the
 * least is the least. Before start only. */
void tailbox__tape_set_rare(uint64_t bytes);
/* Mark the end, put private memory in its place: file_bytes of it at the
 * header, the caller's to unmap. The file is removed when `remove_file`. Does
 * nothing when none is open. */
void tailbox__tape_close(struct tailbox__tape *t, enum tailbox__end_state how,
                         int remove_file);
/* In a forked child: private memory over the mapping, descriptor closed. */
void tailbox__tape_in_child(struct tailbox__tape *t);

/* Make sure that `path` is a folder of mode 0700 that is ours and not a link;
 * created when missing. Returns an O_DIRECTORY descriptor or -errno. */
int tailbox__run_folder(const char *path, struct tailbox__error *err);

#endif
