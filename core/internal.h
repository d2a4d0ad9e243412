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

/* Tables beside the tape. */
void tailbox__names_open(void);
void tailbox__slots_open(void);
void tailbox__slots_close(void);
/* Take slots of tailbox__slot_owe() off the tape; recording is on. One thread
 * at a time. */
void tailbox__slots_settle(void);
/* Give back the slots a thread has at hand. */
void tailbox__slots_flush(struct tailbox__thread *t);

#endif
