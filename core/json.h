/* core/json.h - write JSON text into a growing buffer.
 *
 * SPDX-License-Identifier: MIT
 *
 *	struct tailbox__json j;
 *	tailbox__json_init(&j, false);
 *	tailbox__json_begin_object(&j);
 *	tailbox__json_key(&j, "open");
 *	tailbox__json_u64(&j, 5);
 *	tailbox__json_end_object(&j);
 *	if (tailbox__json_ok(&j))
 *		use(j.buf, j.len);
 *	tailbox__json_fini(&j);
 *
 * Commas, newlines and indents come by themselves. Out of memory is kept
 * until asked for: after it every call does nothing. A writer that streams
 * takes buf[0..len) now and then and calls tailbox__json_drop().
 * Threads: one thread per object.
 */
#ifndef TAILBOX_CORE_JSON_H
#define TAILBOX_CORE_JSON_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TAILBOX__JSON_MAX_DEPTH 63u

struct tailbox__json {
	char *buf; /* NULL until the first byte; not NUL-terminated */
	size_t len, room;
	uint64_t has_items; /* bit d: a container at depth d has a member */
	unsigned depth;
	bool is_pretty;
	bool is_after_key;
	bool has_failed;
};

/* pretty: the reference layout of spec/run-artifact.md section 2 (two-space
 * indent, one member per line); else no white space at all. */
void tailbox__json_init(struct tailbox__json *j, bool pretty);
void tailbox__json_fini(struct tailbox__json *j);
/* Forget the bytes written so far, keep the nesting and the memory. */
void tailbox__json_drop(struct tailbox__json *j);
/* False when memory ran out: the text then is incomplete. */
static inline bool tailbox__json_ok(const struct tailbox__json *j)
{
	return !j->has_failed;
}
/* Hand the text over, NUL-terminated, for tailbox__free(); NULL when memory
 * ran out. len may be NULL. The writer is as after _fini. */
char *tailbox__json_take(struct tailbox__json *j, size_t *len);

void tailbox__json_begin_object(struct tailbox__json *j);
void tailbox__json_end_object(struct tailbox__json *j);
void tailbox__json_begin_array(struct tailbox__json *j);
void tailbox__json_end_array(struct tailbox__json *j);

/* Any bytes: what is not UTF-8 becomes U+FFFD; NULs are escaped. */
void tailbox__json_key_len(struct tailbox__json *j, const char *s, size_t len);
void tailbox__json_string(struct tailbox__json *j, const char *s, size_t len);
void tailbox__json_u64(struct tailbox__json *j, uint64_t value);
void tailbox__json_i64(struct tailbox__json *j, int64_t value);
void tailbox__json_bool(struct tailbox__json *j, bool value);
void tailbox__json_null(struct tailbox__json *j);
/* A value that is JSON text already, such as a formatted fraction. */
void tailbox__json_raw(struct tailbox__json *j, const char *s, size_t len);

/* Inline on purpose: the length of a literal is known to the compiler. */
static inline void tailbox__json_key(struct tailbox__json *j, const char *s)
{
	tailbox__json_key_len(j, s, strlen(s));
}

/* NULL is written as null. */
static inline void tailbox__json_cstr(struct tailbox__json *j, const char *s)
{
	if (s)
		tailbox__json_string(j, s, strlen(s));
	else
		tailbox__json_null(j);
}

#endif
