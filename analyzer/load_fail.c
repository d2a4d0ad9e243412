/* analyzer/load_fail.c - the errors of the Run JSON loader, in words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/load_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/tailbox.h"

/* "requests[3].latency_us" for where we are; "document" at the top. */
static const char *path(const struct tailbox__decoder *d, char *buf,
                        size_t size)
{
	size_t n = 0;

	snprintf(buf, size, "document");
	for (unsigned i = 0; i < d->depth && n < size; i++) {
		const struct tailbox__frame *f = &d->frames[i];

		if (!f->shape)
			n += (size_t)snprintf(buf + n, size - n,
			                      "[%" PRIu64 "]",
			                      f->count ? f->count - 1 : 0);
		else if (f->member)
			n += (size_t)snprintf(buf + n, size - n, "%s%s",
			                      n ? "." : "", f->member->name);
	}
	return buf;
}

int tailbox__load_fail(struct tailbox__decoder *d, int code, const char *what)
{
	char where[128];

	return tailbox__fail(d->err, code, "%s: %s",
	                     path(d, where, sizeof(where)), what);
}

int tailbox__load_no_memory(struct tailbox__decoder *d)
{
	return tailbox__fail(d->err, -ENOMEM, "out of memory");
}

int tailbox__load_bad_text(struct tailbox__decoder *d)
{
	return tailbox__load_fail(
		d, -TAILBOX_EMALFORMED,
		"the string is not valid UTF-8 or has half a surrogate "
		"pair");
}

enum tailbox__load_kind tailbox__load_wanted(const struct tailbox__decoder *d)
{
	const struct tailbox__frame *f = &d->frames[d->depth - 1];

	if (f->shape)
		return (enum tailbox__load_kind)f->member->kind;
	return f->member->kind == TAILBOX__LOAD_STRINGS ? TAILBOX__LOAD_STR
	                                                : TAILBOX__LOAD_OBJECT;
}

static const char *expectation(enum tailbox__load_kind kind)
{
	switch (kind) {
	case TAILBOX__LOAD_U64:
		return "expected an unsigned integer";
	case TAILBOX__LOAD_U32:
		return "expected an unsigned 32-bit integer";
	case TAILBOX__LOAD_STR:
		return "expected a string";
	case TAILBOX__LOAD_BOOL:
	case TAILBOX__LOAD_NOT:
		return "expected true or false";
	case TAILBOX__LOAD_MODE:
		return "expected \"light\" or \"investigation\"";
	case TAILBOX__LOAD_REASON:
		return "expected \"manual_disarm\", \"shutdown\" or "
		       "\"auto_seal_on_limits_hit\"";
	case TAILBOX__LOAD_ARRAY:
	case TAILBOX__LOAD_STRINGS:
		return "expected an array";
	case TAILBOX__LOAD_OBJECT:
	case TAILBOX__LOAD_EXT:
		break;
	}
	return "expected an object";
}

int tailbox__load_mismatch(struct tailbox__decoder *d)
{
	return tailbox__load_fail(d, -TAILBOX_ESHAPE,
	                          expectation(tailbox__load_wanted(d)));
}
