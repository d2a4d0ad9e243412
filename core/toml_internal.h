/* core/toml_internal.h - what the files of the TOML reader share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_TOML_INTERNAL_H
#define TAILBOX_CORE_TOML_INTERNAL_H 1

#include "core/toml.h"

#include "core/tailbox.h"

#define TAILBOX__TOML_END (-1)
#define TAILBOX__TOML_WRONG(t, item, err, ...)                                 \
	(tailbox__toml_place(t, item),                                         \
	 tailbox__fail(err, -TAILBOX_EMALFORMED, __VA_ARGS__))

static inline int tailbox__toml_peek_at(const struct tailbox__toml *t,
                                        size_t ahead)
{
	return ahead < t->len - t->at ? (unsigned char)t->text[t->at + ahead]
	                              : TAILBOX__TOML_END;
}

static inline int tailbox__toml_peek(const struct tailbox__toml *t)
{
	return tailbox__toml_peek_at(t, 0);
}

static inline bool tailbox__toml_is_newline(const struct tailbox__toml *t)
{
	return tailbox__toml_peek(t) == '\n' ||
	       (tailbox__toml_peek(t) == '\r' &&
	        tailbox__toml_peek_at(t, 1) == '\n');
}

static inline bool tailbox__toml_is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* toml.c: line and column of `at` into the item. */
void tailbox__toml_place(struct tailbox__toml *t,
                         struct tailbox__toml_item *item);
/* Bytes of the character at `at`, which is none that ends a line; negative:
 * it is wrong. */
int tailbox__toml_character(struct tailbox__toml *t,
                            struct tailbox__toml_item *item,
                            struct tailbox__error *err);
/* Nothing but a comment may follow in the line. 0 or negative. */
int tailbox__toml_line_end(struct tailbox__toml *t,
                           struct tailbox__toml_item *item,
                           struct tailbox__error *err);

/* toml_value.c: a text in either kind of quotes, into t->value. Its length or
 * negative. */
int tailbox__toml_text(struct tailbox__toml *t,
                       struct tailbox__toml_item *item,
                       struct tailbox__error *err);
/* The value behind a key; for an array only its beginning. 0 or negative. */
int tailbox__toml_value(struct tailbox__toml *t,
                        struct tailbox__toml_item *item,
                        struct tailbox__error *err);

#endif
