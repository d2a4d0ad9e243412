/* middleware/options.h - take a daemon's options apart.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_MIDDLEWARE_OPTIONS_H
#define TAILBOX_MIDDLEWARE_OPTIONS_H 1

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>

typedef void *(*tailbox__uri_log_fn)(void *cls, const char *uri,
                                     struct MHD_Connection *connection);

/* Arrays nested deeper are left to the server library, untouched. */
#define TAILBOX__OPTIONS_DEPTH_MAX 16
/* Room kept behind `count` for the wrapper's own options and the end. */
#define TAILBOX__OPTIONS_SPARE 4u

struct tailbox__options {
	/* All options in their order, arrays flattened, without the three
	 * below; ends with MHD_OPTION_END. */
	struct MHD_OptionItem *items;
	size_t count, room;
	/* The last of each that was given; NULL = none, or NULL was given. */
	MHD_RequestCompletedCallback completed;
	void *completed_cls;
	MHD_NotifyConnectionCallback connection;
	void *connection_cls;
	tailbox__uri_log_fn uri_log;
	void *uri_log_cls;
	/* Facts for status; 0 = not given. */
	unsigned pool_size, connection_limit, timeout_s, backlog;
	size_t memory_limit;
	int unknown; /* the option at which the walk gave up */
};

/* Walk the variable arguments of MHD_start_daemon: *ap is used up, so hand
 * over a copy. 0, -ENOTSUP (o->unknown says which option) or -ENOMEM.
 * Whatever the result, tailbox__options_fini(). */
int tailbox__options_from_va(struct tailbox__options *o, va_list *ap);
/* The same for an array; NULL = no options. */
int tailbox__options_from_array(struct tailbox__options *o,
                                const struct MHD_OptionItem *array);
/* Append within the spare room: at most TAILBOX__OPTIONS_SPARE - 1 times. */
void tailbox__options_append(struct tailbox__options *o, int option,
                             intptr_t value, void *ptr_value);
void tailbox__options_fini(struct tailbox__options *o);

#endif
