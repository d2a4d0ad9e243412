/* middleware/route.h - a name of low cardinality for a request target.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_MIDDLEWARE_ROUTE_H
#define TAILBOX_MIDDLEWARE_ROUTE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tailbox.h>

struct tailbox__route {
	uint64_t hash; /* of the label, as tailbox__name_find() wants it */
	size_t len;    /* 1..TAILBOX_NAME_MAX */
	char label[TAILBOX_NAME_MAX + 1]; /* valid UTF-8, not terminated */
};

/* Make the label of a raw request target ("/a/b?x=y", "http://host/a", "*"),
 * which is any bytes up to NUL: the path without its query, segments that
 * look like ids replaced by "{id}", percent escapes, control characters and
 * invalid UTF-8 by "?". Cut at a character. Never fails. Any thread. */
void tailbox__route_make(struct tailbox__route *r, const char *target);

/* The label of the first pattern in force that the path of a target matches,
 * and true; false: there is none, r is not touched. {name} stands for one
 * segment that is not empty, a last segment * for the rest, which may be.
 * Any thread. */
bool tailbox__route_match(struct tailbox__route *r, const char *target);

#endif
