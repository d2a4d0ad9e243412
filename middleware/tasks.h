/* middleware/tasks.h - which threads came into being with a daemon.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_MIDDLEWARE_TASKS_H
#define TAILBOX_MIDDLEWARE_TASKS_H 1

#include <stddef.h>
#include <stdint.h>

struct tailbox__tasks {
	uint32_t *tids;
	size_t count, room;
};

/* The threads of this process now; empty when they cannot be listed. */
void tailbox__tasks_take(struct tailbox__tasks *t);
void tailbox__tasks_fini(struct tailbox__tasks *t);

/* Those that were made since `before`, at most `max`, into out; returns the
 * number. expected: how many the daemon makes. Other threads of the
 * application may start at the same time: when there are more, only those
 * count that bear the server library's names, which they give themselves
 * shortly after they start; that is waited for, some milliseconds. */
uint32_t tailbox__tasks_since(const struct tailbox__tasks *before,
                              uint32_t expected, uint32_t *out, uint32_t max);

#endif
