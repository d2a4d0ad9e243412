/* analyzer/options_path.c - find an option by its path, or the one meant.
 *
 * SPDX-License-Identifier: MIT
 *
 * The edit distance is the classic one (Wagner and Fischer, 1974): characters
 * inserted, deleted or replaced, one each. It is counted over code points,
 * because a person who typed one wrong letter typed one, however many bytes
 * it has. One row of the matrix is kept, over the path of the table, which is
 * ASCII and short; the foreign path is read character by character and may
 * have any length.
 */
#include "analyzer/options_internal.h"

#include <string.h>

#include "core/utf8.h"

#define FAR 4u /* too far to be meant */

/* At most FAR. */
static unsigned distance(const char *s, size_t len, const char *path)
{
	const size_t n = strlen(path);
	unsigned row[TAILBOX__OPTION_PATH_MAX + 1];
	unsigned chars = 0;

	for (unsigned k = 0; k <= n; k++)
		row[k] = k;
	for (size_t at = 0; at < len; chars++) {
		unsigned diagonal = chars;
		uint32_t cp;

		/* Each character too many is one to delete. */
		if (chars >= n + FAR)
			return FAR;
		at += tailbox__utf8_next(s + at, len - at, &cp);
		row[0] = chars + 1;
		for (size_t k = 1; k <= n; k++) {
			const unsigned above = row[k];
			unsigned best = diagonal;
			best += cp != (unsigned char)path[k - 1];
			if (above + 1 < best)
				best = above + 1;
			if (row[k - 1] + 1 < best)
				best = row[k - 1] + 1;
			row[k] = best;
			diagonal = above;
		}
	}
	return row[n] < FAR ? row[n] : FAR;
}

const char *tailbox__option_nearest(const char *path, size_t len)
{
	const char *best = NULL;
	unsigned least = FAR;

	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		const char *one = tailbox__option_table[i].path;
		const unsigned n = distance(path, len, one);
		if (n < least) {
			least = n;
			best = one;
		}
	}
	return best;
}

enum tailbox__option tailbox__option_find(const char *path, size_t len)
{
	unsigned i = 0;

	for (; i < TAILBOX__OPT_COUNT; i++) {
		const char *one = tailbox__option_table[i].path;
		if (strlen(one) == len && memcmp(one, path, len) == 0)
			break;
	}
	return (enum tailbox__option)i;
}

const char *tailbox__option_path(enum tailbox__option which)
{
	return tailbox__option_table[which].path;
}

const char *tailbox__option_shown(char *buf, size_t size, const char *s,
                                  size_t len)
{
	size_t n = 0, safe = 0; /* up to here there is room for ".." */

	for (size_t at = 0; at < len;) {
		uint32_t cp;
		size_t bytes = tailbox__utf8_next(s + at, len - at, &cp);
		const char *from = s + at;

		at += bytes;
		/* INVALID is above all of them. */
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp > 0x10ffff) {
			from = "?";
			bytes = 1;
		}
		if (n + bytes >= size) {
			memcpy(buf + safe, "..", 2);
			n = safe + 2;
			break;
		}
		memcpy(buf + n, from, bytes);
		n += bytes;
		if (n + 2 < size)
			safe = n;
	}
	buf[n] = '\0';
	return buf;
}
