/* agent/agent.h - the parts of the preload agent.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_AGENT_AGENT_H
#define TAILBOX_AGENT_AGENT_H 1

#include <stdbool.h>

#include "core/board.h"

/* Whether a daemon that `caller` starts is to be recorded. The first call
 * starts recording, or says why not. Any thread. */
bool tailbox__agent_attach(const void *caller);
/* Whether this process is recorded; false in a child of one. Any thread. */
bool tailbox__agent_is_attached(void);

/* Take `what` out of the list of LD_PRELOAD, in place: entries are separated
 * by colons or spaces, and only a whole entry (or, where `what` has a
 * separator, a run of them) that is the same text goes, each time it is there.
 * Gives how many went; *is_empty: nothing is left, not even a separator. */
unsigned tailbox__take_out(char *list, const char *what, bool *is_empty);

/* Remember which file standard error is. */
void tailbox__tell_init(void);
/* A line "tailbox: TEXT" to standard error, in one write; false: not written,
 * for descriptor 2 is another file by now. */
bool tailbox__tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
