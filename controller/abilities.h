/* controller/abilities.h - what the kernel and the sandbox let this process do.
 *
 * SPDX-License-Identifier: MIT
 *
 * None of it stops a recording. Each is tried, not guessed from versions: a
 * seccomp filter of a container may refuse what the kernel has.
 */
#ifndef TAILBOX_CONTROLLER_ABILITIES_H
#define TAILBOX_CONTROLLER_ABILITIES_H 1

#include <stdbool.h>

enum tailbox__ability {
	TAILBOX__ABILITY_NO,
	TAILBOX__ABILITY_YES,
	TAILBOX__ABILITY_UNKNOWN /* no TCP socket to try it on, for one */
};

/* Whether getsockopt(TCP_INFO) answers. Four system calls, on a socket of its
 * own that is never connected. *error: errno of the refusal, else 0. Any
 * thread. */
enum tailbox__ability tailbox__ability_tcp_info(int *error);
/* How libmicrohttpd came into this process: "shared", when a library of that
 * name is loaded, else "static". Any thread. */
const char *tailbox__ability_mhd_linked(void);

#endif
