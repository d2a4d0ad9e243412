/* middleware/daemon.h - what the hooks know of their daemon.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_MIDDLEWARE_DAEMON_H
#define TAILBOX_MIDDLEWARE_DAEMON_H 1

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

#include "core/record.h"
#include "middleware/options.h"

/* One per recorded daemon: the closure of all hooks. Complete before
 * MHD_start_daemon is called, because callbacks run before it returns; but
 * for `number`, which is 0 until then. */
struct tailbox__mhd {
	/* the application's; NULL = none, but for the handler */
	MHD_AccessHandlerCallback handler;
	void *handler_cls;
	tailbox__uri_log_fn uri_log;
	void *uri_log_cls;
	MHD_RequestCompletedCallback completed;
	void *completed_cls;
	MHD_NotifyConnectionCallback connection;
	void *connection_cls;
	/* in ticks */
	uint64_t jiffy, eighth, millisecond, long_request;
	bool can_suspend;     /* MHD_ALLOW_SUSPEND_RESUME */
	bool is_per_connection; /* a thread for each connection */
	bool is_tls;          /* the wire's bytes are not the response's */
	tailbox__a32 number;
	/* under the lock of daemon.c */
	struct MHD_Daemon *daemon; /* NULL until it has started */
	struct tailbox__mhd *next;
};

#endif
