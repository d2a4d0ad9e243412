/* core/internal.h - what the files of the recorder share among themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_INTERNAL_H
#define TAILBOX_CORE_INTERNAL_H 1

#include "core/recorder.h"

/* Count a loss that no thread's entry holds. */
void tailbox__loss(enum tailbox__loss what);

/* Copy text as valid UTF-8 without control bytes, cut to room at a character
 * boundary. Returns the length; no NUL is added. */
size_t tailbox__clean_text(char *to, size_t room, const char *from,
                           size_t len);

/* blocks.c. How many blocks a thread has, and give them all back: of a thread
 * that has gone. */
uint32_t tailbox__blocks_of(const struct tailbox__thread *t);
void tailbox__blocks_retire(struct tailbox__thread *t);

/* crews.c. Once in a process; and in a forked child, whose own lock is new. */
void tailbox__crews_init(void);
void tailbox__crews_in_child(void);
/* A crew for a tape that is about to be opened: 0 or -ENOMEM. Unless it is,
 * it is put back. Both take the lock. */
int tailbox__crew_take(struct tailbox__crew **crew);
void tailbox__crew_put(struct tailbox__crew *crew);
/* The recorder's from now on. With lock. */
void tailbox__crew_open(struct tailbox__crew *crew,
                        const struct tailbox__tape *tape);
/* The recorder's tape is closed; of those closed before, unmap what nobody
 * uses any more. With lock. */
void tailbox__crew_close(void);
/* Take threads that have gone while it was off off the tape. With lock. */
void tailbox__threads_settle(void);
/* Open, and not switched off. */
static inline bool tailbox__is_recording(void)
{
	return TAILBOX__GET(tailbox__recorder.epoch) & 1;
}

/* names.c. Those of a crew whose tape is being opened. */
void tailbox__names_open(struct tailbox__crew *crew);
/* Take slots of tailbox__slot_owe() off the tape; recording is on. One thread
 * at a time. */
void tailbox__slots_settle(void);
/* Give back the slots a thread has at hand. */
void tailbox__slots_flush(struct tailbox__thread *t);

#endif
