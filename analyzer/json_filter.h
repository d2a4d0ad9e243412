/* analyzer/json_filter.h - what stands between the input and yajl.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_ANALYZER_JSON_FILTER_H
#define TAILBOX_ANALYZER_JSON_FILTER_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that may be held back at the end of a piece: a surrogate pair. */
#define TAILBOX__JSON_FILTER_HELD 12u

struct tailbox__json_filter { /* zeroed = before the first byte */
	uint64_t depth;       /* open objects and arrays */
	bool is_in_string;
	bool is_done;   /* the outermost one has been closed */
	bool stops;     /* set by the caller: stop after an element */
	bool is_stopped;
	uint8_t number; /* where in a number we are */
	size_t quote;   /* in the last piece: where the last string began;
	                 * SIZE_MAX = none began there */
};

/* Look through the next piece, which begins where the last result said, and
 * mark lone surrogate escapes in it. Returns how many bytes may go on to the
 * parser; less than len where
 *   *why != NULL: the byte there is not allowed, and why;
 *   else, if is_stopped: an object has just ended that is inside two others
 *                 or arrays, as an element of `requests` is;
 *   else:         the rest (at most TAILBOX__JSON_FILTER_HELD - 1 bytes) can
 *                 be judged only together with what follows it.
 * A lone surrogate escape becomes as many bytes 0xff: not UTF-8, so a string
 * that is decoded fails and one that is skipped passes. */
size_t tailbox__json_filter(struct tailbox__json_filter *f, char *piece,
                            size_t len, const char **why);

#endif
