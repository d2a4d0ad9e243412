/* middleware/route.c - a name of low cardinality for a request target.
 *
 * SPDX-License-Identifier: MIT
 *
 * One pass over the bytes: each is copied, hashed, and its class is added to
 * what the segment has seen. At the end of a segment that decides whether it
 * looks like an id; if so, label and hash go back to where the segment began
 * and "{id}" is put there. A hash that is a left fold over the bytes allows
 * that for the price of one saved word.
 *
 * An id is: all digits; at least 8 hex digits, one of them a decimal one; more
 * than 16 bytes with a digit in it; more than 24 bytes. A UUID is the last.
 *
 * Bytes that are not plain ASCII leave the fast loop: a percent escape may
 * hide anything (a slash, invalid UTF-8), so it becomes one "?".
 */
#include "middleware/route.h"

#include <string.h>
#include <strings.h>

#include "core/patterns.h"
#include "core/recorder.h"
#include "middleware/hint.h"

enum {
	DIGIT = 1, /* 0-9 */
	HEX = 2,   /* a-f A-F */
	OTHER = 4, /* any other plain character */
	ODD = 8,   /* %, controls, DEL, above 0x7f */
	SLASH = 16,
	END = 32   /* NUL, ? */
};

#define LONG_WITH_DIGIT 16
#define LONG_IN_ANY_CASE 24
#define SHORTEST_HEX 8

#define D DIGIT
#define H HEX
#define O OTHER
#define X ODD
static const unsigned char class_of[256] = {
	END, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	/* space ! " # $ % & ' ( ) * + , - . / */
	O, O, O, O, O, X, O, O, O, O, O, O, O, O, O, SLASH,
	/* 0-9 : ; < = > ? */
	D, D, D, D, D, D, D, D, D, D, O, O, O, O, O, END,
	/* @ A-O */
	O, H, H, H, H, H, H, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	/* ` a-o */
	O, H, H, H, H, H, H, O, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
};
#undef D
#undef H
#undef O
#undef X

static bool looks_like_id(unsigned seen, size_t len)
{
	if (len > LONG_IN_ANY_CASE)
		return true;
	if (!(seen & DIGIT))
		return false;
	if (len > LONG_WITH_DIGIT || seen == DIGIT)
		return true;
	return !(seen & (OTHER | ODD)) && len >= SHORTEST_HEX;
}

static bool is_hex(unsigned char c)
{
	return class_of[c] & (DIGIT | HEX);
}

/* Bytes of the well-formed UTF-8 sequence at s, else 0. Reads no further than
 * the first byte that does not fit, so the final NUL ends it. */
static size_t utf8(const unsigned char *s)
{
	unsigned lo = 0x80, hi = 0xbf;
	size_t n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3
	                                       : s[0] < 0xf5 ? 4 : 0;

	if (s[0] == 0xe0)
		lo = 0xa0; /* overlong */
	else if (s[0] == 0xed)
		hi = 0x9f; /* surrogates */
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f; /* above U+10FFFF */
	for (size_t i = 1; i < n; i++) {
		if (s[i] < lo || s[i] > hi)
			return 0;
		lo = 0x80;
		hi = 0xbf;
	}
	return n;
}

/* One odd byte, escape or sequence at *from: what stands for it, at most 4
 * bytes; returns how many. */
static size_t odd(const unsigned char **from, char *out)
{
	const unsigned char *s = *from;
	size_t n = s[0] >= 0x80 ? utf8(s) : 0;

	if (n != 0) {
		memcpy(out, s, n);
		*from += n;
		return n;
	}
	*from += s[0] == '%' && is_hex(s[1]) && is_hex(s[2]) ? 3 : 1;
	out[0] = '?';
	return 1;
}

/* Where the path begins. A target in absolute form has scheme and authority
 * before it, and they are the client's choice: they never reach a name. */
static const char *path_of(const char *target)
{
	const char *rest = NULL;

	if (target[0] == '/')
		return target;
	if (strncasecmp(target, "http://", 7) == 0)
		rest = target + 7;
	else if (strncasecmp(target, "https://", 8) == 0)
		rest = target + 8;
	if (rest == NULL)
		return target[0] == '\0' || target[0] == '?' ? "/" : target;
	rest += strcspn(rest, "/?");
	return *rest == '/' ? rest : "/";
}

/* Append n bytes to label and hash; 0: no room, nothing is done. */
static inline size_t put(char *to, const char *end, uint64_t *hash,
                         const char *text, size_t n)
{
	if ((size_t)(end - to) < n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		to[i] = text[i];
		*hash = tailbox__hash_step(*hash, (unsigned char)text[i]);
	}
	return n;
}

/* The rest of a segment from its first odd byte on: where label and hash are
 * then. False: no more room, the rest of the target is left out. */
static __attribute__((noinline)) bool rest_of(const unsigned char **from,
                                              char **to, const char *end,
                                              uint64_t *hash, unsigned *seen)
{
	unsigned class;
	char text[4];

	while (!((class = class_of[**from]) & (SLASH | END))) {
		size_t n = 1;
		text[0] = (char)**from;
		if (class == ODD)
			n = odd(from, text);
		else
			++*from;
		*seen |= class;
		n = put(*to, end, hash, text, n);
		if (n == 0)
			return false;
		*to += n;
	}
	return true;
}

/* Locals, not a struct, and an index for both sides: the loop has to live in
 * registers, for it is paid for each byte of each request. */
void tailbox__route_make(struct tailbox__route *r, const char *target)
{
	const unsigned char *s = (const unsigned char *)path_of(target);
	char *to = r->label, *const end = r->label + TAILBOX_NAME_MAX;
	uint64_t hash = tailbox__recorder.hash_seed;
	bool has_room = true;

	if (LIKELY(*s == '/'))
		goto slash;
	for (;;) {
		const uint64_t hash_start = hash;
		const size_t room = (size_t)(end - to);
		unsigned c, seen = 0, class;
		size_t i = 0, len;

		for (c = *s; (class = class_of[c]) < ODD; c = s[++i]) {
			if (UNLIKELY(i == room)) {
				has_room = false;
				break;
			}
			hash = tailbox__hash_step(hash, (unsigned char)c);
			to[i] = (char)c;
			seen |= class;
		}
		len = i;
		to += i;
		s += i;
		if (UNLIKELY(class == ODD)) {
			const unsigned char *from = s;
			has_room = rest_of(&from, &to, end, &hash, &seen);
			len += (size_t)(from - s);
			s = from;
		}
		/* Of a segment that was cut, as much as was seen decides. */
		if (UNLIKELY(len != 0 && looks_like_id(seen, len))) {
			to = end - room;
			hash = hash_start;
			to += put(to, end, &hash, "{id}", 4);
		}
		if (!has_room || *s != '/')
			break;
slash:
		if (UNLIKELY(to == end))
			break;
		hash = tailbox__hash_step(hash, '/');
		*to++ = '/';
		s++;
	}
	r->len = (size_t)(to - r->label);
	r->hash = tailbox__hash_end(hash);
}

/* --- patterns ----------------------------------------------------------- */

static bool is_end(char c)
{
	return c == '\0' || c == '?';
}

/* Braces stand around whole segments only: the configuration saw to it. */
static bool matches(const char *p, const char *path)
{
	for (; *p != '\0'; p++) {
		if (*p == '*' && p[1] == '\0')
			return true;
		if (*p != '{') {
			if (*p != *path)
				return false;
			path++;
			continue;
		}
		if (*path == '/' || is_end(*path))
			return false;
		path += strcspn(path, "/?");
		p += strcspn(p, "}");
	}
	return is_end(*path);
}

bool tailbox__route_match(struct tailbox__route *r, const char *target)
{
	const struct tailbox__pattern_set *set = tailbox__patterns_get();
	const char *path;

	if (LIKELY(set == NULL))
		return false;
	path = path_of(target);
	for (uint32_t i = 0; i < set->count; i++) {
		const struct tailbox__pattern *p = &set->items[i];
		if (!matches(p->text, path))
			continue;
		r->len = p->len;
		memcpy(r->label, p->text, p->len);
		r->hash = tailbox__name_hash(r->label, r->len);
		return true;
	}
	return false;
}
