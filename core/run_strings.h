/* core/run_strings.h - the string pool of a run, seen from inside.
 *
 * SPDX-License-Identifier: MIT
 *
 * For run.c and the native artifact only; others use tailbox__run_str() and
 * tailbox__run_text(). Chunks hold, in the order of the numbers and without
 * gaps, each string as its length (u32, unaligned), its bytes and a NUL. The
 * strings part of the native artifact is these bytes as they are.
 */
#ifndef TAILBOX_CORE_RUN_STRINGS_H
#define TAILBOX_CORE_RUN_STRINGS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TAILBOX__STR_MAX_BYTES 0xfffffff0u /* of one string */

struct tailbox__chunk {
	struct tailbox__chunk *next;
	char *bytes;
	size_t used, room;
};

struct tailbox__run_strings {
	struct tailbox__chunk *first, *last;
	const char **text;  /* text[number - 1]; the length is at text - 4 */
	uint32_t count;     /* strings */
	uint32_t text_room; /* items of text */
	uint64_t *slots;    /* hash << 32 | number; 0 = free */
	size_t slot_mask;   /* slots - 1; slots are a power of two */
	uint64_t seed;
	uint64_t bytes;     /* used in all chunks */
};

/* NULL when out of memory. */
struct tailbox__run_strings *tailbox__strings_create(void);
void tailbox__strings_destroy(struct tailbox__run_strings *s);

/* The number of the text, put in if it is new; 0 when out of room. */
uint32_t tailbox__strings_put(struct tailbox__run_strings *s, const char *text,
                              size_t len);

/* The number of the text, 0 if it is not there. */
uint32_t tailbox__strings_find(const struct tailbox__run_strings *s,
                               const char *text, size_t len);

/* Whether the string of that number (any number) has the text. */
static inline bool tailbox__strings_is(const struct tailbox__run_strings *s,
                                       uint32_t number, const char *text,
                                       size_t len)
{
	uint32_t have;

	if (number == 0 || number > s->count)
		return false;
	memcpy(&have, s->text[number - 1] - sizeof(have), sizeof(have));
	return have == len && memcmp(s->text[number - 1], text, len) == 0;
}

/* Take over a block in the layout above, from tailbox__alloc(), into an empty
 * pool. 0, -ENOMEM, or -TAILBOX_EDAMAGED (bounds, no NUL, a text twice) with
 * *at = the offset in the block. The block belongs to the pool on success
 * and stays the caller's on failure; the pool is then fit only for destroy. */
int tailbox__strings_adopt(struct tailbox__run_strings *s, char *bytes,
                           size_t len, size_t *at);

#endif
