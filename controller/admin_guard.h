/* controller/admin_guard.h - connections: how many, on TCP how long, and
 * answers that are held back.
 *
 * SPDX-License-Identifier: MIT
 *
 * Threads: start, stop and clear are for the one that starts the server; what
 * takes a connection is for the thread of its daemon.
 */
#ifndef TAILBOX_CONTROLLER_ADMIN_GUARD_H
#define TAILBOX_CONTROLLER_ADMIN_GUARD_H 1

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

/* Connections, on each of the two sockets. */
#define TAILBOX__GUESTS_MAX 64u
#define TAILBOX__TCP_PER_ADDRESS_MAX 32u
/* A client that has not shown a token is cut off after that. */
#define TAILBOX__TCP_STRANGER_MS 10000u
/* Of so many wrong tokens in so long the later ones are answered late. */
#define TAILBOX__WRONG_MAX 5u
#define TAILBOX__WRONG_WINDOW_MS 60000u
#define TAILBOX__WRONG_DELAY_MS 1000u
/* Connections that wait for such an answer. */
#define TAILBOX__HELD_MAX 8u

/* For MHD_OPTION_NOTIFY_CONNECTION. cls: NULL is TCP, all else the Unix
 * socket, which needs no start and stop. */
void tailbox__guard_notify(void *cls, struct MHD_Connection *c, void **context,
                           enum MHD_ConnectionNotificationCode what);
/* The client has shown that it may be here: no deadline of ours any more, and
 * it does not give way to others. */
void tailbox__guard_admit(struct MHD_Connection *c);

/* A wrong token came in: whether the answer to it should be held back. Any
 * thread. */
bool tailbox__guard_wrong(uint64_t now_ns);
/* Suspend the connection until the delay is over; the request is then
 * answered again from where it was. False: too many are held already. */
bool tailbox__guard_hold(struct MHD_Connection *c, uint64_t now_ns);

/* Since the start: wrong tokens; strangers that gave way to others, and that
 * were too slow. Any thread. */
struct tailbox__guard_counts {
	uint64_t wrong_tokens, gave_way, too_slow;
};
void tailbox__guard_counts(struct tailbox__guard_counts *out);

/* The thread that looks at the time: before the daemon starts, and before it
 * stops. After the stop nothing is held, and nothing will be. 0 or -errno. */
int tailbox__guard_start(void);
void tailbox__guard_stop(void);
void tailbox__guard_in_child(void);

/* Tests only: no wrong token was seen; connections that are held now. */
void tailbox__guard_forgive(void);
unsigned tailbox__guard_held(void);

#endif
