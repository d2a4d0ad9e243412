/* analyzer/load_ahead.h - read elements that are like the ones before.
 *
 * SPDX-License-Identifier: MIT
 *
 * See load_ahead.c.
 */
#ifndef TAILBOX_ANALYZER_LOAD_AHEAD_H
#define TAILBOX_ANALYZER_LOAD_AHEAD_H 1

#include "core/run.h"

#define TAILBOX__AHEAD_GAP 64u      /* bytes, a multiple of 8 */
#define TAILBOX__AHEAD_MEMBERS 12u  /* of a shape, at most */

/* What stood between a value and the next one, with the name that it was:
 * `,\n      "route": `. Its end may be that of the object. */
struct tailbox__gap {
	uint8_t len;  /* 0 = not known */
	uint8_t next; /* the member whose value follows */
	char bytes[TAILBOX__AHEAD_GAP];
};

struct tailbox__load_shape;
struct tailbox__decoder;

struct tailbox__load_ahead { /* zeroed = nothing known */
	const struct tailbox__load_shape *shape; /* that the rest is about */
	uint32_t required;                       /* bit per member */
	struct tailbox__gap begin;               /* up to the first value */
	struct tailbox__gap gaps[TAILBOX__AHEAD_MEMBERS]; /* after a member */
	tailbox__str last[TAILBOX__AHEAD_MEMBERS]; /* string of a member */
};

/* An element of the array that the decoder is in has just ended, and this is
 * what follows. Take further elements, each from its comma to its closing
 * bracket, as long as they are whole and plain. Returns the bytes taken; what
 * is left is for the parser, which has the last word on it. */
size_t tailbox__load_ahead(struct tailbox__decoder *d, const char *text,
                           size_t len);

#endif
