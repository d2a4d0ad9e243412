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

struct tailbox__tape {
	int fd; /* -1 = none */
	char path[256];
	struct tailbox__tape_header *header; /* NULL = none */
	struct tailbox__name *names;
	struct tailbox__thread_entry *threads;
	struct tailbox__slot *slots;
	struct tailbox__rare *rare; /* NULL = the tape keeps none */
	char *blocks;
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
/* Mark the end, unmap. The file is removed when `remove_file`. */
void tailbox__tape_close(struct tailbox__tape *t, enum tailbox__end_state how,
                         int remove_file);
/* In a forked child: private memory over the mapping, descriptor closed. */
void tailbox__tape_in_child(struct tailbox__tape *t);

/* Make sure that `path` is a folder of mode 0700 that is ours and not a link;
 * created when missing. Returns an O_DIRECTORY descriptor or -errno. */
int tailbox__run_folder(const char *path, struct tailbox__error *err);

#endif
