/* core/error.h - an error with a place and a reason.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every function that takes `struct tailbox__error *err` accepts NULL; the
 * first error that is put in wins.
 */
#ifndef TAILBOX_CORE_ERROR_H
#define TAILBOX_CORE_ERROR_H 1

#include <stdint.h>

/* Room for two names: with less, the reason, which comes last, is cut off. */
#define TAILBOX__ERROR_TEXT 800u

struct tailbox__error {
	int code;        /* negative; 0 = none yet */
	uint64_t offset; /* byte offset in the input, UINT64_MAX = not known */
	/* What, where and why; without the name of a file that was read. */
	char text[TAILBOX__ERROR_TEXT];
};

#define TAILBOX__ERROR_INIT { 0, UINT64_MAX, "" }

/* Fill err unless it holds one already, and return code (so that callers can
 * `return tailbox__fail(...)`). fmt as printf. */
int tailbox__fail(struct tailbox__error *err, int code, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

#endif
