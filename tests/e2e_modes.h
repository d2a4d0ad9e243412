/* tests/e2e_modes.h - the modes of the server library that differ in how a
 * request meets us: what waits for its sockets, and what drives it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_E2E_MODES_H
#define TAILBOX_TESTS_E2E_MODES_H 1

#include "tests/e2e_server.h"

enum { SELECT, POLL, EPOLL, POOL, THREADS, EXTERNAL, MODES };
static const struct {
	const char *name;
	enum e2e_polling polling;
	enum e2e_drive drive;
} e2e_modes[MODES] = {
	{ "select", E2E_SELECT, E2E_SINGLE },
	{ "poll", E2E_POLL, E2E_SINGLE },
	{ "epoll", E2E_EPOLL, E2E_SINGLE },
	{ "pool", E2E_EPOLL, E2E_POOL_2 },
	{ "threads", E2E_SELECT, E2E_THREADS },
	{ "external", E2E_SELECT, E2E_FDSET },
};

/* A daemon that is to be configured further and served: it listens itself. */
static inline struct e2e_server e2e_in_mode(int mode)
{
	return (struct e2e_server){ .polling = e2e_modes[mode].polling,
		                    .drive = e2e_modes[mode].drive,
		                    .listens_itself = true,
		                    .flags = MHD_ALLOW_SUSPEND_RESUME |
		                             MHD_ALLOW_UPGRADE };
}

#endif
