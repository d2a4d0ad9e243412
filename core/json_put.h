/* core/json_put.h - members of an object, null where nothing is known.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_JSON_PUT_H
#define TAILBOX_CORE_JSON_PUT_H 1

#include "core/json.h"
#include "core/run.h"

/* TAILBOX__NONE gives null. */
static inline void put_num(struct tailbox__json *j, const char *key,
                           uint64_t value)
{
	tailbox__json_key(j, key);
	if (value == TAILBOX__NONE)
		tailbox__json_null(j);
	else
		tailbox__json_u64(j, value);
}

/* NULL gives null. */
static inline void put_word(struct tailbox__json *j, const char *key,
                            const char *word)
{
	tailbox__json_key(j, key);
	tailbox__json_cstr(j, word);
}

/* NULL and "" give null. */
static inline void put_word_or_null(struct tailbox__json *j, const char *key,
                                    const char *text)
{
	put_word(j, key, text && *text ? text : NULL);
}

static inline void put_flag(struct tailbox__json *j, const char *key,
                            bool value)
{
	tailbox__json_key(j, key);
	tailbox__json_bool(j, value);
}

/* A string of the run; 0 gives null. */
static inline void put_str(struct tailbox__json *j,
                           const struct tailbox__run *run, const char *key,
                           tailbox__str s)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	tailbox__json_key(j, key);
	if (s)
		tailbox__json_string(j, text, len);
	else
		tailbox__json_null(j);
}

#endif
