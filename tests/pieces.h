/* tests/pieces.h - a document that a loader gets piece by piece.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_PIECES_H
#define TESTS_PIECES_H 1

#include <stddef.h>
#include <string.h>

struct input {
	const void *bytes;
	size_t len, at, step; /* at most `step` bytes at a time */
};

static inline long read_input(void *cls, char *buf, size_t room)
{
	struct input *in = cls;
	size_t n = in->len - in->at;

	if (n > in->step)
		n = in->step;
	if (n > room)
		n = room;
	memcpy(buf, (const char *)in->bytes + in->at, n);
	in->at += n;
	return (long)n;
}

#endif
