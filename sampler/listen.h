/* sampler/listen.h - the accept queue of a daemon's listen socket.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_SAMPLER_LISTEN_H
#define TAILBOX_SAMPLER_LISTEN_H 1

#include "core/daemons.h"
#include "sampler/values.h"

struct tailbox__accept_queue {
	uint64_t now, limit; /* UNKNOWN: not TCP, closed, or another socket */
};

/* Whether the number is the daemon's listen socket still. Any thread. */
bool tailbox__is_listening(const struct tailbox__daemon *d);
/* Any thread; never touches the socket's data. */
struct tailbox__accept_queue
tailbox__accept_queue(const struct tailbox__daemon *d);

#endif
