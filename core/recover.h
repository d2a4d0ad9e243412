/* core/recover.h - take a tape that a crash left behind, and give it up.
 *
 * SPDX-License-Identifier: MIT
 *
 * A tape is taken by flock(), beside the fcntl() lock of its writer: so of two
 * services that start at once, and a `tailbox recover`, one gets it, and what
 * dies on the way leaves the tape as it was. It is removed only when what was
 * made of it is on disk.
 *
 * Not for the process's own tape: closing any descriptor of it would drop the
 * lock that says that it is alive (core/tape.h).
 */
#ifndef TAILBOX_CORE_RECOVER_H
#define TAILBOX_CORE_RECOVER_H 1

#include "core/reader.h"

struct tailbox__left_tape {
	int fd; /* open and locked */
	struct tailbox__reader *reader;
};

/* Take `name` in the folder dirfd. 0; -EBUSY: its writer lives, or another
 * process is at it; -TAILBOX_ESTATE: it was closed in order; -ENOENT;
 * -TAILBOX_E... or -errno: it cannot be read. err says which. The tape stays
 * as it is in any case; t is to be released after 0 only. */
int tailbox__left_tape_take(int dirfd, const char *name,
                            struct tailbox__left_tape *t,
                            struct tailbox__error *err);
/* Let go of it. The file stays. */
void tailbox__left_tape_release(struct tailbox__left_tape *t);
/* Remove the file, before the release, and the admin socket beside it that
 * nobody listens on. Not what took its name meanwhile: a new process of the
 * same number moves the old tape aside. 0, -ENOENT (it was moved), -errno. */
int tailbox__left_tape_remove(const struct tailbox__left_tape *t, int dirfd,
                              const char *name);

/* Remove a file of a tape's name that cannot be recovered, unless a process
 * holds a lock on it. 0, -EBUSY, -errno. */
int tailbox__left_tape_drop(int dirfd, const char *name);

#endif
