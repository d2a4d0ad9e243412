/* core/utf8.c - read UTF-8 that may be wrong.
 *
 * SPDX-License-Identifier: MIT
 *
 * The Unicode Standard, table 3-7 (well-formed byte sequences). Only the
 * second byte has a range that depends on the first; that is where overlong
 * forms, surrogates and too large values are told from good ones.
 */
#include "core/utf8.h"

struct lead {
	unsigned char bytes;     /* of the sequence, 0 = no sequence */
	unsigned char low, high; /* range of the second byte */
};

static struct lead lead_of(unsigned char b)
{
	if (b >= 0xc2 && b <= 0xdf)
		return (struct lead){ 2, 0x80, 0xbf };
	if (b == 0xe0)
		return (struct lead){ 3, 0xa0, 0xbf };
	if (b == 0xed)
		return (struct lead){ 3, 0x80, 0x9f };
	if (b >= 0xe1 && b <= 0xef)
		return (struct lead){ 3, 0x80, 0xbf };
	if (b == 0xf0)
		return (struct lead){ 4, 0x90, 0xbf };
	if (b >= 0xf1 && b <= 0xf3)
		return (struct lead){ 4, 0x80, 0xbf };
	if (b == 0xf4)
		return (struct lead){ 4, 0x80, 0x8f };
	return (struct lead){ 0, 0, 0 };
}

size_t tailbox__utf8_next(const char *s, size_t len, uint32_t *cp)
{
	const unsigned char *b = (const unsigned char *)s;

	if (b[0] < 0x80) {
		*cp = b[0];
		return 1;
	}
	*cp = TAILBOX__UTF8_INVALID;
	struct lead lead = lead_of(b[0]);
	if (!lead.bytes)
		return 1;
	uint32_t value = b[0] & (0x7fu >> lead.bytes);
	for (size_t i = 1; i < lead.bytes; i++) {
		if (i == len || b[i] < lead.low || b[i] > lead.high)
			return i;
		value = value << 6 | (b[i] & 0x3fu);
		lead.low = 0x80;
		lead.high = 0xbf;
	}
	*cp = value;
	return lead.bytes;
}
