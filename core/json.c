/* core/json.c - write JSON text into a growing buffer.
 *
 * SPDX-License-Identifier: MIT
 *
 * Layout and escapes: spec/run-artifact.md section 2, "Writer". Strings are
 * looked through eight bytes at a time for one that cannot be copied as it is
 * (below 0x20, a quote, a backslash, or not ASCII); characters beyond ASCII
 * are checked one by one and copied.
 */
#include "core/json.h"

#include <assert.h>

#include "core/alloc.h"
#include "core/utf8.h"

#define ONES 0x0101010101010101u
#define HIGH 0x8080808080808080u

enum { FIRST_ROOM = 1024, INDENT = 2, U64_DIGITS = 20 };

void tailbox__json_init(struct tailbox__json *j, bool pretty)
{
	*j = (struct tailbox__json){ .is_pretty = pretty };
}

void tailbox__json_fini(struct tailbox__json *j)
{
	tailbox__free(j->buf);
	*j = (struct tailbox__json){ .is_pretty = j->is_pretty };
}

void tailbox__json_drop(struct tailbox__json *j)
{
	j->len = 0;
}

static bool grow(struct tailbox__json *j, size_t need)
{
	size_t want;

	if (j->has_failed)
		return false;
	if (__builtin_add_overflow(j->len, need, &want))
		want = SIZE_MAX; /* which no allocator gives */
	if (want < j->room + j->room / 2)
		want = j->room + j->room / 2;
	if (want < FIRST_ROOM)
		want = FIRST_ROOM;
	char *buf = tailbox__realloc(j->buf, want, 1);
	if (!buf) {
		j->has_failed = true;
		return false;
	}
	j->buf = buf;
	j->room = want;
	return true;
}

static inline bool reserve(struct tailbox__json *j, size_t need)
{
	return j->room - j->len >= need ? !j->has_failed : grow(j, need);
}

static void put(struct tailbox__json *j, const char *s, size_t len)
{
	if (!len || !reserve(j, len))
		return;
	memcpy(j->buf + j->len, s, len);
	j->len += len;
}

static void put_char(struct tailbox__json *j, char c)
{
	if (reserve(j, 1))
		j->buf[j->len++] = c;
}

char *tailbox__json_take(struct tailbox__json *j, size_t *len)
{
	put_char(j, '\0');
	char *text = j->has_failed ? NULL : j->buf;
	if (len)
		*len = text ? j->len - 1 : 0;
	if (text)
		j->buf = NULL;
	tailbox__json_fini(j);
	return text;
}

static void new_line(struct tailbox__json *j)
{
	size_t spaces = (size_t)j->depth * INDENT;

	if (!reserve(j, spaces + 1))
		return;
	j->buf[j->len] = '\n';
	memset(j->buf + j->len + 1, ' ', spaces);
	j->len += spaces + 1;
}

/* What stands between the value before and the next one (or its key). */
static void separate(struct tailbox__json *j)
{
	uint64_t bit = UINT64_C(1) << j->depth;

	if (j->is_after_key) {
		j->is_after_key = false;
		return;
	}
	if (!j->depth)
		return;
	if (j->has_items & bit)
		put_char(j, ',');
	j->has_items |= bit;
	if (j->is_pretty)
		new_line(j);
}

static void begin(struct tailbox__json *j, char bracket)
{
	separate(j);
	put_char(j, bracket);
	assert(j->depth < TAILBOX__JSON_MAX_DEPTH);
	j->depth++;
	j->has_items &= ~(UINT64_C(1) << j->depth);
}

static void end(struct tailbox__json *j, char bracket)
{
	assert(j->depth > 0 && !j->is_after_key);
	bool had_items = j->has_items >> j->depth & 1;
	j->depth--;
	if (had_items && j->is_pretty)
		new_line(j);
	put_char(j, bracket);
}

void tailbox__json_begin_object(struct tailbox__json *j)
{
	begin(j, '{');
}

void tailbox__json_end_object(struct tailbox__json *j)
{
	end(j, '}');
}

void tailbox__json_begin_array(struct tailbox__json *j)
{
	begin(j, '[');
}

void tailbox__json_end_array(struct tailbox__json *j)
{
	end(j, ']');
}

/* The high bit of each byte of w that equals c. False alarms only above a
 * true one, which is harmless: the word is then looked at byte by byte. */
static inline uint64_t equal_bytes(uint64_t w, unsigned char c)
{
	uint64_t x = w ^ ONES * c;
	return (x - ONES) & ~x & HIGH;
}

static inline bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* How many bytes from s on can be copied as they are, ASCII only. */
static size_t plain_run(const char *s, size_t len)
{
	size_t n = 0;

	for (; len - n >= sizeof(uint64_t); n += sizeof(uint64_t)) {
		uint64_t w;
		memcpy(&w, s + n, sizeof(w));
		uint64_t special = w | (w - ONES * 0x20) | equal_bytes(w, '"') |
		                   equal_bytes(w, '\\');
		if (special & HIGH)
			break;
	}
	while (n < len && is_plain((unsigned char)s[n]))
		n++;
	return n;
}

static void put_control(struct tailbox__json *j, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	size_t len = 2;

	switch (c) {
	case '\b': text[1] = 'b'; break;
	case '\f': text[1] = 'f'; break;
	case '\n': text[1] = 'n'; break;
	case '\r': text[1] = 'r'; break;
	case '\t': text[1] = 't'; break;
	case '"':
	case '\\': text[1] = (char)c; break;
	default: len = sizeof(text);
	}
	put(j, text, len);
}

/* One character that is not plain; gives the number of its bytes. */
static size_t put_special(struct tailbox__json *j, const char *s, size_t len)
{
	uint32_t cp;

	if (!((unsigned char)*s & 0x80)) {
		put_control(j, (unsigned char)*s);
		return 1;
	}
	size_t n = tailbox__utf8_next(s, len, &cp);
	if (cp == TAILBOX__UTF8_INVALID)
		put(j, "\xef\xbf\xbd", 3); /* U+FFFD */
	else
		put(j, s, n);
	return n;
}

static void put_string(struct tailbox__json *j, const char *s, size_t len)
{
	put_char(j, '"');
	for (;;) {
		size_t n = plain_run(s, len);
		put(j, s, n);
		s += n;
		len -= n;
		if (!len)
			break;
		n = put_special(j, s, len);
		s += n;
		len -= n;
	}
	put_char(j, '"');
}

void tailbox__json_string(struct tailbox__json *j, const char *s, size_t len)
{
	separate(j);
	put_string(j, s, len);
}

void tailbox__json_key_len(struct tailbox__json *j, const char *s, size_t len)
{
	assert(!j->is_after_key);
	separate(j);
	put_string(j, s, len);
	put(j, ": ", j->is_pretty ? 2 : 1);
	j->is_after_key = true;
}

/* Writes the digits so that they end at `end`; gives where they begin. */
static char *digits_before(char *end_at, uint64_t value)
{
	static const char pairs[] = "00010203040506070809"
	                            "10111213141516171819"
	                            "20212223242526272829"
	                            "30313233343536373839"
	                            "40414243444546474849"
	                            "50515253545556575859"
	                            "60616263646566676869"
	                            "70717273747576777879"
	                            "80818283848586878889"
	                            "90919293949596979899";

	while (value >= 100) {
		end_at -= 2;
		memcpy(end_at, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		end_at -= 2;
		memcpy(end_at, pairs + value * 2, 2);
	} else {
		*--end_at = (char)('0' + value);
	}
	return end_at;
}

void tailbox__json_u64(struct tailbox__json *j, uint64_t value)
{
	char text[U64_DIGITS];
	char *from = digits_before(text + sizeof(text), value);

	separate(j);
	put(j, from, (size_t)(text + sizeof(text) - from));
}

void tailbox__json_i64(struct tailbox__json *j, int64_t value)
{
	char text[U64_DIGITS + 1];
	/* Through unsigned: -INT64_MIN does not exist. */
	uint64_t positive = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char *from = digits_before(text + sizeof(text), positive);

	if (value < 0)
		*--from = '-';
	separate(j);
	put(j, from, (size_t)(text + sizeof(text) - from));
}

void tailbox__json_bool(struct tailbox__json *j, bool value)
{
	tailbox__json_raw(j, value ? "true" : "false", value ? 4 : 5);
}

void tailbox__json_null(struct tailbox__json *j)
{
	tailbox__json_raw(j, "null", 4);
}

void tailbox__json_raw(struct tailbox__json *j, const char *s, size_t len)
{
	separate(j);
	put(j, s, len);
}
