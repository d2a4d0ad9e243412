/* analyzer/options_internal.h - what the files of the options share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_ANALYZER_OPTIONS_INTERNAL_H
#define TAILBOX_ANALYZER_OPTIONS_INTERNAL_H 1

#include <stddef.h>
#include <stdint.h>

#include "analyzer/options.h"

#define TAILBOX__OPTION_PATH_MAX 79u /* bytes; ASCII only */

enum tailbox__option_type {
	TAILBOX__OPTION_SIZE, /* a count, 64 bits */
	TAILBOX__OPTION_U64,
	TAILBOX__OPTION_U8,
	TAILBOX__OPTION_BOOL,
	TAILBOX__OPTION_LIST
};

/* --- options_table.c ---------------------------------------------------- */

struct tailbox__option_info {
	const char *path;
	enum tailbox__option_type type;
	uint64_t number;  /* the default; 0 or 1 for a bool */
	const char *list; /* the default of a list, joined by "," */
	const char *allowed; /* NULL: all that the type can hold */
	const char *affects, *raising, *lowering;
};
extern const struct tailbox__option_info
        tailbox__option_table[TAILBOX__OPT_COUNT];

/* --- options.c ---------------------------------------------------------- */

/* Append len bytes to the list. 0 or -ENOMEM. */
int tailbox__analyzer_options_add_pattern(struct tailbox__analyzer_options *o,
                                          const char *s, size_t len);
/* *o becomes *next, whose list it takes or had already. next is not to be
 * used after it. */
void tailbox__analyzer_options_become(struct tailbox__analyzer_options *o,
                             struct tailbox__analyzer_options *next);

/* --- options_path.c ----------------------------------------------------- */

/* TAILBOX__OPT_COUNT when no option has this path. */
enum tailbox__option tailbox__option_find(const char *path, size_t len);
/* The path that is at most 3 characters away, the nearest one; NULL when none
 * is that near. */
const char *tailbox__option_nearest(const char *path, size_t len);

/* A foreign text for a message: what is not UTF-8 and control characters
 * become '?', what has no room is cut off and replaced by "..". Returns buf, of
 * 3 bytes at least. */
const char *tailbox__option_shown(char *buf, size_t size, const char *s,
                                  size_t len);

#endif
