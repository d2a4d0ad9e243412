/* core/error.c - errors: their texts, and the first one that counts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/error.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/tailbox.h"

#define OWN_ERRORS(X)                                                          \
	X(TAILBOX_EMALFORMED, "malformed input: not the expected syntax")      \
	X(TAILBOX_ETRUNCATED, "truncated: the input ends early")               \
	X(TAILBOX_ESHAPE, "wrong shape: a member is wrong or missing")         \
	X(TAILBOX_EVERSION, "format version not supported")                    \
	X(TAILBOX_EFOREIGN, "not a file of tailbox, or of another byte order") \
	X(TAILBOX_EDAMAGED, "damaged: a checksum or an inner bound is wrong")  \
	X(TAILBOX_ESTATE, "not possible in the present state")                 \
	X(TAILBOX_EINVALIDRUN, "the run does not pass strict validation")

/* The C library's text in static storage, or NULL for an unknown code. */
static const char *system_text(int code)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
	return strerrordesc_np(code);
#else
	/* Elsewhere (musl) strerror() has only static texts. */
	return strerror(code);
#endif
}

const char *tailbox_strerror(int code)
{
	/* Through unsigned: -INT_MIN does not exist. */
	unsigned positive = code < 0 ? 0u - (unsigned)code : (unsigned)code;

	switch (positive) {
#define X(name, text) case name: return text;
	OWN_ERRORS(X)
#undef X
	}
	const char *text = NULL;
	if (positive <= INT_MAX)
		text = system_text((int)positive);
	return text ? text : "unknown error";
}

const char *tailbox_version(void)
{
	return TAILBOX_VERSION;
}

int tailbox__fail(struct tailbox__error *err, int code, const char *fmt, ...)
{
	if (!err || err->code)
		return code;
	va_list args;
	va_start(args, fmt);
	/* A text that is too long is cut: vsnprintf() always ends it. */
	if (vsnprintf(err->text, sizeof(err->text), fmt, args) < 0)
		err->text[0] = '\0';
	va_end(args);
	err->code = code;
	return code;
}
