/* core/utf8.h - read UTF-8 that may be wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_UTF8_H
#define TAILBOX_CORE_UTF8_H 1

#include <stddef.h>
#include <stdint.h>

#define TAILBOX__UTF8_INVALID UINT32_MAX

/* The first character of len >= 1 bytes: gives the number of its bytes and
 * the code point. Where there is none, *cp is TAILBOX__UTF8_INVALID and the
 * number says how many bytes one U+FFFD stands for (the longest beginning of
 * a well-formed sequence, else 1). Overlong forms, surrogates and values
 * above U+10FFFF are invalid. Any thread. */
size_t tailbox__utf8_next(const char *s, size_t len, uint32_t *cp);

#endif
