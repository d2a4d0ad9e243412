/* analyzer/json_in.c - JSON as a stream of events, by way of yajl.
 *
 * SPDX-License-Identifier: MIT
 *
 * The one file that knows yajl. What yajl is too generous with is sorted out
 * by json_filter.c before it sees the bytes.
 *
 * Memory: yajl 2.1 never looks whether an allocation succeeded. So ours does
 * not return when there is none: it jumps back to guarded(), out of yajl, and
 * the handle is not used again. All blocks of yajl are in a list, by which
 * they are freed, whatever state yajl was left in. Our callbacks never jump;
 * they return an error code, which yajl turns into "cancelled".
 */
#include "analyzer/json_in.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "analyzer/json_filter.h"
#include "core/alloc.h"
#include "core/tailbox.h"

#define PIECE_BYTES 131072u

struct block { /* before every allocation of yajl */
	struct block *prev, *next;
};

enum step { CREATE, PARSE, COMPLETE, GET_ERROR };

struct reader {
	yajl_handle yajl;
	jmp_buf no_memory;
	struct block blocks; /* a ring; this is its anchor */
	struct tailbox__json_filter filter;
	tailbox__json_fn fn;
	tailbox__json_ahead_fn ahead;
	void *cls;
	struct tailbox__error *err;
	int code; /* of fn, when it refused */
	char *piece;
	size_t have;   /* bytes in piece */
	char *text;    /* in piece: what yajl gets next */
	size_t good;   /* so many bytes of it */
	uint64_t base; /* offset in the input of text[0] */
	/* Offset in the input of the string that text[0] is inside of. */
	uint64_t string;
};

static void *yajl_block(void *cls, size_t size)
{
	struct reader *r = cls;
	struct block *b;

	if (size > SIZE_MAX - sizeof(*b))
		longjmp(r->no_memory, 1);
	b = tailbox__alloc(sizeof(*b) + size, 1);
	if (!b)
		longjmp(r->no_memory, 1);
	b->prev = &r->blocks;
	b->next = r->blocks.next;
	b->next->prev = b->prev->next = b;
	return b + 1;
}

static void yajl_block_free(void *cls, void *p)
{
	struct block *b = p;

	(void)cls;
	if (!p)
		return;
	b--;
	b->prev->next = b->next;
	b->next->prev = b->prev;
	tailbox__free(b);
}

static void *yajl_block_resize(void *cls, void *p, size_t size)
{
	struct reader *r = cls;
	struct block *b = p;

	if (!p)
		return yajl_block(cls, size);
	if (size > SIZE_MAX - sizeof(*b))
		longjmp(r->no_memory, 1);
	b = tailbox__realloc(b - 1, sizeof(*b) + size, 1);
	if (!b)
		longjmp(r->no_memory, 1);
	b->prev->next = b->next->prev = b;
	return b + 1;
}

/* Bytes of the token that an event is about. A string may have been longer
 * in the input than decoded: look for its opening quote. */
static uint64_t token_bytes(const struct reader *r,
                            enum tailbox__json_event event, size_t len)
{
	static const uint8_t fixed[] = {
		[TAILBOX__JSON_NULL] = 4,     [TAILBOX__JSON_FALSE] = 5,
		[TAILBOX__JSON_TRUE] = 4,     [TAILBOX__JSON_OBJECT] = 1,
		[TAILBOX__JSON_ARRAY] = 1,    [TAILBOX__JSON_OBJECT_END] = 1,
		[TAILBOX__JSON_ARRAY_END] = 1};

	if (event == TAILBOX__JSON_NUMBER)
		return len;
	if (event != TAILBOX__JSON_STRING && event != TAILBOX__JSON_KEY)
		return fixed[event];

	const size_t end = yajl_get_bytes_consumed(r->yajl);

	for (size_t i = end < 2 ? 0 : end - 1; i-- > 0;) {
		size_t slashes = 0;

		if (r->text[i] != '"')
			continue;
		while (slashes < i && r->text[i - 1 - slashes] == '\\')
			slashes++;
		if (slashes % 2 == 0)
			return end - i;
	}
	return r->base + end - r->string; /* it began in an earlier piece */
}

static int event(void *cls, enum tailbox__json_event event, const void *text,
                 size_t len)
{
	struct reader *r = cls;

	r->code = r->fn(r->cls, event, text, len);
	if (r->code == 0)
		return 1;
	if (r->err->offset == UINT64_MAX) {
		const uint64_t end = r->base + yajl_get_bytes_consumed(r->yajl);
		const uint64_t bytes = token_bytes(r, event, len);

		r->err->offset = end > bytes ? end - bytes : 0;
	}
	return 0;
}

static int on_null(void *cls)
{
	return event(cls, TAILBOX__JSON_NULL, NULL, 0);
}

static int on_boolean(void *cls, int value)
{
	return event(cls, value ? TAILBOX__JSON_TRUE : TAILBOX__JSON_FALSE,
	             NULL, 0);
}

static int on_number(void *cls, const char *text, size_t len)
{
	return event(cls, TAILBOX__JSON_NUMBER, text, len);
}

static int on_string(void *cls, const unsigned char *text, size_t len)
{
	return event(cls, TAILBOX__JSON_STRING, text, len);
}

static int on_key(void *cls, const unsigned char *text, size_t len)
{
	return event(cls, TAILBOX__JSON_KEY, text, len);
}

static int on_object(void *cls)
{
	return event(cls, TAILBOX__JSON_OBJECT, NULL, 0);
}

static int on_object_end(void *cls)
{
	return event(cls, TAILBOX__JSON_OBJECT_END, NULL, 0);
}

static int on_array(void *cls)
{
	return event(cls, TAILBOX__JSON_ARRAY, NULL, 0);
}

static int on_array_end(void *cls)
{
	return event(cls, TAILBOX__JSON_ARRAY_END, NULL, 0);
}

/* Every call that may allocate inside yajl goes through here. Returns a
 * yajl_status, or -ENOMEM. */
static int guarded(struct reader *r, enum step step)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_boolean,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_start_map = on_object,
		.yajl_map_key = on_key,
		.yajl_end_map = on_object_end,
		.yajl_start_array = on_array,
		.yajl_end_array = on_array_end,
	};
	/* yajl copies this. */
	yajl_alloc_funcs alloc = {yajl_block, yajl_block_resize,
	                          yajl_block_free, r};

	if (setjmp(r->no_memory))
		return tailbox__fail(r->err, -ENOMEM, "out of memory");
	switch (step) {
	case CREATE:
		r->yajl = yajl_alloc(&callbacks, &alloc, r);
		yajl_config(r->yajl, yajl_dont_validate_strings, 1);
		break;
	case PARSE:
		return (int)yajl_parse(r->yajl, (unsigned char *)r->text,
		                       r->good);
	case COMPLETE:
		return (int)yajl_complete_parse(r->yajl);
	case GET_ERROR: {
		/* Freed with all blocks. */
		char *text = (char *)yajl_get_error(r->yajl, 0, NULL, 0);

		text[strcspn(text, "\n")] = '\0';
		tailbox__fail(r->err, -TAILBOX_EMALFORMED, "%s", text);
		break;
	}
	}
	return 0;
}

/* Give yajl what the filter let through. */
static int feed(struct reader *r)
{
	const int status = guarded(r, PARSE);

	if (status < 0 || status == yajl_status_ok)
		return status;
	if (status == yajl_status_client_canceled)
		return r->code;
	r->err->offset = r->base + yajl_get_bytes_consumed(r->yajl);

	const int ret = guarded(r, GET_ERROR);

	return ret < 0 ? ret : -TAILBOX_EMALFORMED;
}

/* The input has ended. Inside an object that is too early; before one, yajl
 * may hold a number that it only now knows to be complete. */
static int finish(struct reader *r)
{
	if (r->filter.is_done)
		return 0;
	if (r->filter.depth == 0) {
		const int status = guarded(r, COMPLETE);

		if (status < 0)
			return status;
		if (status == yajl_status_client_canceled)
			return r->code;
	}
	r->err->offset = r->base + r->have;
	return tailbox__fail(r->err, -TAILBOX_ETRUNCATED,
	                     r->err->offset ? "the input ends early"
	                                    : "the input is empty");
}

/* Deal with the bytes of the piece. What is held back stays in it. */
static int take_piece(struct reader *r)
{
	char *const end = r->piece + r->have;
	const char *why;
	int ret;

	r->text = r->piece;
	do {
		r->good = tailbox__json_filter(&r->filter, r->text,
		                               (size_t)(end - r->text), &why);
		ret = feed(r);
		if (ret < 0)
			return ret;
		if (r->filter.is_in_string && r->filter.quote != SIZE_MAX)
			r->string = r->base + r->filter.quote;
		r->base += r->good;
		r->text += r->good;
		if (why) {
			r->err->offset = r->base;
			return tailbox__fail(r->err, -TAILBOX_EMALFORMED, "%s",
			                     why);
		}
		if (r->filter.is_stopped) {
			r->good = r->ahead(r->cls, r->text,
			                   (size_t)(end - r->text));
			r->base += r->good;
			r->text += r->good;
		}
	} while (r->filter.is_stopped);
	r->have = (size_t)(end - r->text);
	memmove(r->piece, r->text, r->have);
	return 0;
}

static int read_all(struct reader *r, tailbox__read_fn read_fn, void *read_cls)
{
	int ret = guarded(r, CREATE);

	while (ret == 0) {
		const long n =
			read_fn(read_cls, r->piece + r->have, PIECE_BYTES);

		if (n < 0)
			return tailbox__fail(r->err, (int)n, "cannot read: %s",
			                     tailbox_strerror((int)n));
		if (n == 0)
			return finish(r);
		r->have += (size_t)n;
		ret = take_piece(r);
	}
	return ret;
}

int tailbox__json_in(tailbox__read_fn read_fn, void *read_cls,
                     tailbox__json_fn fn, tailbox__json_ahead_fn ahead,
                     void *cls, struct tailbox__error *err)
{
	struct reader *r = tailbox__zalloc(1, sizeof(*r));

	if (!r)
		return tailbox__fail(err, -ENOMEM, "out of memory");
	r->blocks.prev = r->blocks.next = &r->blocks;
	r->fn = fn;
	r->ahead = ahead;
	r->filter.stops = ahead != NULL;
	r->cls = cls;
	r->err = err;
	r->piece = tailbox__alloc(PIECE_BYTES + TAILBOX__JSON_FILTER_HELD, 1);

	const int ret = r->piece ? read_all(r, read_fn, read_cls)
	                         : tailbox__fail(err, -ENOMEM, "out of memory");

	while (r->blocks.next != &r->blocks)
		yajl_block_free(r, r->blocks.next + 1);
	tailbox__free(r->piece);
	tailbox__free(r);
	return ret;
}
