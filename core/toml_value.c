/* core/toml_value.c - texts, integers and flags of TOML.
 *
 * SPDX-License-Identifier: MIT
 *
 * What people write that is TOML but is not read here gets an error of its
 * own, so that nobody looks for a typing mistake where there is none.
 */
#include "core/toml_internal.h"

#include <string.h>

/* The names of toml_internal.h, short: they stand in every second line. */
#define END TAILBOX__TOML_END
#define WRONG TAILBOX__TOML_WRONG
#define peek tailbox__toml_peek
#define peek_at tailbox__toml_peek_at
#define is_newline tailbox__toml_is_newline
#define is_digit tailbox__toml_is_digit
#define character tailbox__toml_character
#define line_end tailbox__toml_line_end
#define text_at tailbox__toml_text
#define value_at tailbox__toml_value

/* --- texts -------------------------------------------------------------- */

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* n hex digits from `ahead` on; false: that is no character. */
static bool code_point(const struct tailbox__toml *t, size_t ahead, size_t n,
                       uint32_t *cp)
{
	*cp = 0;
	for (size_t i = 0; i < n; i++) {
		const int digit = hex_digit(peek_at(t, ahead + i));
		if (digit < 0)
			return false;
		*cp = *cp << 4 | (uint32_t)digit;
	}
	/* NUL would end the text for everyone who reads it later. */
	return *cp != 0 && *cp <= 0x10ffff && (*cp < 0xd800 || *cp > 0xdfff);
}

static size_t encode(uint32_t cp, char out[4])
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* What the escape at `at` stands for: its bytes in out, *taken of the input.
 * 0: it is none. */
static size_t escape(const struct tailbox__toml *t, char out[4], size_t *taken)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	const int c = peek_at(t, 1);
	const char *p = c > 0 ? strchr(from, c) : NULL;
	uint32_t cp;

	if (p != NULL) {
		*taken = 2;
		out[0] = to[p - from];
		return 1;
	}
	*taken = c == 'u' ? 6 : c == 'U' ? 10 : 0;
	if (*taken == 0 || !code_point(t, 2, *taken - 2, &cp))
		return 0;
	return encode(cp, out);
}

/* One character of a text, which may be an escape. Its bytes are put behind
 * *len in value. */
static int text_character(struct tailbox__toml *t, int quote, size_t *len,
                          struct tailbox__toml_item *item,
                          struct tailbox__error *err)
{
	size_t n, taken;
	char out[4];

	if (quote == '"' && peek(t) == '\\') {
		n = escape(t, out, &taken);
		if (n == 0)
			return WRONG(t, item, err,
			             "no such escape in a text; a backslash is "
			             "written \\\\, or the text in ' '");
	} else {
		const int rc = character(t, item, err);
		if (rc < 0)
			return rc;
		n = taken = (size_t)rc;
		memcpy(out, t->text + t->at, n);
	}
	if (n > TAILBOX__TOML_TEXT_MAX - *len)
		return WRONG(t, item, err, "text of more than %u bytes",
		             TAILBOX__TOML_TEXT_MAX);
	memcpy(t->value + *len, out, n);
	*len += n;
	t->at += taken;
	return 0;
}

/* A text in either kind of quotes, into value. Its length or negative. */
int text_at(struct tailbox__toml *t, struct tailbox__toml_item *item,
                struct tailbox__error *err)
{
	const int quote = peek(t);
	size_t len = 0;

	if (peek_at(t, 1) == quote && peek_at(t, 2) == quote)
		return WRONG(t, item, err,
		             "texts over many lines (%c%c%c) are not read",
		             quote, quote, quote);
	for (t->at++; peek(t) != quote;) {
		int rc;

		if (peek(t) == END || is_newline(t))
			return WRONG(t, item, err, "the text is not closed "
			                           "by %c", quote);
		rc = text_character(t, quote, &len, item, err);
		if (rc < 0)
			return rc;
	}
	t->at++;
	t->value[len] = '\0';
	return (int)len;
}

/* --- values ------------------------------------------------------------- */

/* Bytes of a word: all up to what can follow a value. */
static size_t word_len(const struct tailbox__toml *t)
{
	size_t n = 0;

	for (int c; (c = peek_at(t, n)) > 0x20 && c < 0x7f; n++)
		if (strchr(",]}#", c) != NULL)
			break;
	return n;
}

/* Why a word is no integer, or NULL and the item has it. */
static const char *integer(const char *s, size_t len,
                           struct tailbox__toml_item *item)
{
	const uint64_t max = *s == '-' ? (uint64_t)1 << 63 : UINT64_MAX;
	const bool has_sign = *s == '-' || *s == '+';
	uint64_t v = 0;

	item->is_negative = *s == '-';
	s += has_sign;
	len -= has_sign;
	if (len == 0)
		return "a sign without a number";
	if (len > 1 && s[0] == '0')
		return "numbers are decimal and do not begin with 0";
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '_' && i > 0 && i + 1 < len && s[i - 1] != '_')
			continue;
		if (!is_digit(s[i]))
			return "not an integer; only digits, and _ between "
			       "them; with a unit it is a text in quotes";
		const unsigned digit = (unsigned)(s[i] - '0');
		if (v > (max - digit) / 10)
			return item->is_negative ? "a number under -2^63"
			                         : "a number over 2^64 - 1";
		v = v * 10 + digit;
	}
	item->number = v;
	item->is_negative = item->is_negative && v != 0;
	return NULL;
}

/* What people write that is TOML, or might be, and is not read here. */
static const char *why_not(const char *s, size_t len)
{
	const bool is_number = is_digit(*s) || *s == '-' || *s == '+';

	if (len > 4 && is_digit(*s) &&
	    (memchr(s, ':', len) != NULL || s[4] == '-'))
		return "dates and times are not read";
	if (is_number && len > 1 &&
	    (memchr(s, '.', len) != NULL ||
	     (memchr(s, 'e', len) != NULL && !memchr(s, 'x', len))))
		return "numbers with a point or an exponent are not read";
	if ((len == 3 && (memcmp(s, "inf", 3) == 0 ||
	                  memcmp(s, "nan", 3) == 0)) ||
	    (len == 4 && (*s == '-' || *s == '+') &&
	     (memcmp(s + 1, "inf", 3) == 0 || memcmp(s + 1, "nan", 3) == 0)))
		return "inf and nan are not read";
	return is_number ? NULL
	                 : "not a value: texts stand in quotes, a flag is "
	                   "true or false";
}

static int word(struct tailbox__toml *t, struct tailbox__toml_item *item,
                struct tailbox__error *err)
{
	const char *s = t->text + t->at, *why;
	const size_t len = word_len(t);

	if (len == 0)
		return WRONG(t, item, err, "a value is missing: a text in "
		                           "quotes, a number, true or false");
	if ((len == 4 && memcmp(s, "true", 4) == 0) ||
	    (len == 5 && memcmp(s, "false", 5) == 0)) {
		item->kind = TAILBOX__TOML_BOOL;
		item->flag = len == 4;
	} else {
		why = why_not(s, len);
		if (why == NULL)
			why = integer(s, len, item);
		if (why != NULL)
			return WRONG(t, item, err, "%.*s: %s",
			             len > 40 ? 40 : (int)len, s, why);
		item->kind = TAILBOX__TOML_INTEGER;
	}
	t->at += len;
	return line_end(t, item, err);
}

/* The value behind a key; for an array only its beginning. */
int value_at(struct tailbox__toml *t, struct tailbox__toml_item *item,
                 struct tailbox__error *err)
{
	const int c = peek(t);
	int len;

	if (c == '[') {
		t->at++;
		t->is_in_array = true;
		t->needs_comma = false;
		t->array_line = t->line;
		item->kind = TAILBOX__TOML_ARRAY;
		return 0;
	}
	if (c == '{')
		return WRONG(t, item, err, "inline tables are not read; give "
		                           "it a [%.100s] of its own", t->path);
	if (c != '"' && c != '\'')
		return word(t, item, err);
	len = text_at(t, item, err);
	if (len < 0)
		return len;
	item->kind = TAILBOX__TOML_TEXT;
	item->text = t->value;
	item->len = (size_t)len;
	return line_end(t, item, err);
}
