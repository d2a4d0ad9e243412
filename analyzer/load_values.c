/* analyzer/load_values.c - put the values of Run JSON where they belong.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/load_json.h"

#include <string.h>

#include "core/utf8.h"

bool tailbox__load_u64(const char *text, size_t len, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++) {
		const unsigned digit = (unsigned)text[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*out = value;
	return len > 0;
}

bool tailbox__load_is_utf8(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		uint64_t eight;
		uint32_t cp;

		if (len - i >= sizeof(eight)) {
			memcpy(&eight, text + i, sizeof(eight));
			if ((eight & 0x8080808080808080u) == 0) {
				i += sizeof(eight);
				continue;
			}
		}
		i += tailbox__utf8_next(text + i, len - i, &cp);
		if (cp == TAILBOX__UTF8_INVALID)
			return false;
	}
	return true;
}

void tailbox__load_mark(const struct tailbox__frame *f)
{
	if (f->member->has)
		*(bool *)(f->base + f->member->has) = true;
	if (f->member->flag)
		*(uint32_t *)(f->base + f->shape->flags) |= f->member->flag;
}

static int on_number(struct tailbox__decoder *d, const char *text, size_t len)
{
	const struct tailbox__frame *f = &d->frames[d->depth - 1];
	const struct tailbox__load_member *m = f->member;
	const enum tailbox__load_kind kind = tailbox__load_wanted(d);
	char *place = f->base + m->offset;
	uint64_t value;

	if (kind != TAILBOX__LOAD_U64 && kind != TAILBOX__LOAD_U32)
		return tailbox__load_mismatch(d);
	if (!tailbox__load_u64(text, len, &value))
		return tailbox__load_mismatch(d);
	if (kind == TAILBOX__LOAD_U32) {
		if (value > UINT32_MAX)
			return tailbox__load_mismatch(d);
		*(uint32_t *)place = (uint32_t)value;
	} else {
		/* The greatest integer of a member without a flag stands for
		 * null in a run; the one below it is as good as infinite. */
		if (m->class == TAILBOX__LOAD_NULLABLE && !m->flag &&
		    value == TAILBOX__NONE)
			value--;
		*(uint64_t *)place = value;
	}
	tailbox__load_mark(f);
	return 0;
}

/* The enumerator of a text; -1 = none. */
static int find(const char *const *names, unsigned count, const char *text,
                size_t len)
{
	for (unsigned i = 0; i < count; i++)
		if (names[i] && strlen(names[i]) == len &&
		    memcmp(names[i], text, len) == 0)
			return (int)i;
	return -1;
}

static int on_mode(struct tailbox__decoder *d, const char *text, size_t len)
{
	static const char *const names[] = {
		[TAILBOX__MODE_LIGHT] = "light",
		[TAILBOX__MODE_INVESTIGATION] = "investigation",
	};
	const struct tailbox__frame *f = &d->frames[d->depth - 1];
	const int mode = find(names, 2, text, len);

	if (mode < 0)
		return tailbox__load_mismatch(d);
	*(enum tailbox__mode *)(f->base + f->member->offset) =
		(enum tailbox__mode)mode;
	tailbox__load_mark(f);
	return 0;
}

static int on_reason(struct tailbox__decoder *d, const char *text, size_t len)
{
	static const char *const names[] = {
		[TAILBOX__END_MANUAL_DISARM] = "manual_disarm",
		[TAILBOX__END_SHUTDOWN] = "shutdown",
		[TAILBOX__END_AUTO_SEAL] = "auto_seal_on_limits_hit",
	};
	const struct tailbox__frame *f = &d->frames[d->depth - 1];
	const int reason = find(names, 4, text, len);

	if (reason < 0)
		return tailbox__load_mismatch(d);
	*(enum tailbox__end_reason *)(f->base + f->member->offset) =
		(enum tailbox__end_reason)reason;
	return 0;
}

static int on_string(struct tailbox__decoder *d, const char *text, size_t len)
{
	const struct tailbox__frame *f = &d->frames[d->depth - 1];
	const enum tailbox__load_kind kind = tailbox__load_wanted(d);
	char *place = f->base + f->member->offset;

	/* First, whatever is expected here: a string that cannot be decoded
	 * makes the document malformed. */
	if (!tailbox__load_is_utf8(text, len))
		return tailbox__load_bad_text(d);
	if (kind == TAILBOX__LOAD_MODE)
		return on_mode(d, text, len);
	if (kind == TAILBOX__LOAD_REASON)
		return on_reason(d, text, len);
	if (kind != TAILBOX__LOAD_STR)
		return tailbox__load_mismatch(d);
	if (!f->shape)
		place = tailbox__load_list_add(f->base, sizeof(tailbox__str));

	const tailbox__str number =
		place ? tailbox__run_str(d->run, text, len) : 0;

	if (number == 0)
		return tailbox__load_no_memory(d);
	*(tailbox__str *)place = number;
	return 0;
}

static int on_boolean(struct tailbox__decoder *d, bool value)
{
	const struct tailbox__frame *f = &d->frames[d->depth - 1];
	const enum tailbox__load_kind kind = tailbox__load_wanted(d);

	if (kind == TAILBOX__LOAD_BOOL)
		*(bool *)(f->base + f->member->offset) = value;
	else if (kind != TAILBOX__LOAD_NOT)
		return tailbox__load_mismatch(d);
	else if (!value)
		tailbox__load_mark(f);
	return 0;
}

static int on_null(struct tailbox__decoder *d)
{
	const struct tailbox__frame *f = &d->frames[d->depth - 1];

	if (f->shape && f->member->class == TAILBOX__LOAD_NULLABLE)
		return 0;
	return tailbox__load_mismatch(d);
}

void tailbox__load_nothing_known(const struct tailbox__load_shape *shape,
                                 char *base)
{
	if (shape->none)
		*(uint64_t *)(base + shape->none) = TAILBOX__NONE;
	for (unsigned i = 0; i < shape->member_count; i++) {
		const struct tailbox__load_member *m = &shape->members[i];

		if (m->kind == TAILBOX__LOAD_U64 && !m->flag &&
		    m->class == TAILBOX__LOAD_NULLABLE)
			*(uint64_t *)(base + m->offset) = TAILBOX__NONE;
	}
}

struct any { /* a TAILBOX__LIST */
	void *items;
	size_t count, room;
};

void tailbox__load_list_drop(char *list)
{
	--*(size_t *)(list + offsetof(struct any, count));
}

void *tailbox__load_list_add(char *list, size_t item_bytes)
{
	return tailbox__list_grow(
		(void **)(list + offsetof(struct any, items)),
		(size_t *)(list + offsetof(struct any, count)),
		(size_t *)(list + offsetof(struct any, room)), item_bytes);
}

int tailbox__load_scalar(struct tailbox__decoder *d,
                         enum tailbox__json_event event, const char *text,
                         size_t len)
{
	if (event == TAILBOX__JSON_NUMBER)
		return on_number(d, text, len);
	if (event == TAILBOX__JSON_STRING)
		return on_string(d, text, len);
	if (event == TAILBOX__JSON_NULL)
		return on_null(d);
	return on_boolean(d, event == TAILBOX__JSON_TRUE);
}
