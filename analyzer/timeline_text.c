/* analyzer/timeline_text.c - how a time, a date or a foreign text is shown.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/timeline_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "core/utf8.h"

/* value / unit with three digits; from 1000 on whole. Rounded to nearest, and
 * looked at after rounding, so that 9.996 becomes 10.0 and not 10.00. */
static const char *three_digits(char *buf, uint64_t value, uint64_t unit,
                                const char *name)
{
	static const struct {
		unsigned scale, below;
		int digits;
	} forms[] = { { 100, 1000, 2 }, { 10, 1000, 1 } };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		unsigned scale = forms[i].scale;
		if (value / unit >= forms[i].below / scale)
			continue;
		uint64_t n = (value * scale + unit / 2) / unit;
		if (n < forms[i].below) {
			snprintf(buf, TAILBOX__SHOW_ROOM,
			         "%" PRIu64 ".%0*" PRIu64 " %s", n / scale,
			         forms[i].digits, n % scale, name);
			return buf;
		}
	}
	uint64_t whole = value / unit + (value % unit >= (unit + 1) / 2);
	snprintf(buf, TAILBOX__SHOW_ROOM, "%" PRIu64 " %s", whole, name);
	return buf;
}

const char *tailbox__show_ns(char *buf, uint64_t ns)
{
	if (!ns) {
		snprintf(buf, TAILBOX__SHOW_ROOM, "0");
		return buf;
	}
	/* Measured in microseconds, or just round: no digits to make up. */
	if (ns < 1000000 && ns % 1000 == 0) {
		snprintf(buf, TAILBOX__SHOW_ROOM, "%" PRIu64 " us", ns / 1000);
		return buf;
	}
	/* 999.5 of a unit would be shown as 1000 of it. */
	if (ns < 999500)
		return three_digits(buf, ns, 1000, "us");
	if (ns < 999500000)
		return three_digits(buf, ns, 1000000, "ms");
	return three_digits(buf, ns, 1000000000, "s");
}

const char *tailbox__show_us(char *buf, uint64_t us)
{
	if (us > UINT64_MAX / 1000)
		return three_digits(buf, us, 1000000, "s");
	return tailbox__show_ns(buf, us * 1000);
}

const char *tailbox__show_coarse(char *buf, uint64_t ns, uint64_t step_ns)
{
	if (step_ns < 1000000)
		return tailbox__show_ns(buf, ns);
	uint64_t ms = ns / 1000000 + (ns % 1000000 >= 500000);
	if (ms < 1000) {
		snprintf(buf, TAILBOX__SHOW_ROOM, "%" PRIu64 " ms", ms);
		return buf;
	}
	/* Hundredths of a second are no finer than a step of 4 or 10 ms. */
	return three_digits(buf, ms, 1000, "s");
}

/* Years beyond 9999 come from damaged files only. */
static bool utc_of(uint64_t unix_ms, struct tm *tm)
{
	time_t t = (time_t)(unix_ms / 1000);

	return unix_ms / 1000 < UINT64_C(253402300800) && gmtime_r(&t, tm);
}

const char *tailbox__show_utc(char *buf, uint64_t unix_ms)
{
	struct tm tm;

	if (!utc_of(unix_ms, &tm) ||
	    !strftime(buf, TAILBOX__SHOW_ROOM, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(buf, TAILBOX__SHOW_ROOM, "?");
	return buf;
}

const char *tailbox__show_clock(char *buf, uint64_t unix_ms)
{
	struct tm tm;

	if (!utc_of(unix_ms, &tm) ||
	    !strftime(buf, TAILBOX__SHOW_ROOM, "%H:%M:%S", &tm))
		snprintf(buf, TAILBOX__SHOW_ROOM, "?");
	return buf;
}

const char *tailbox__show_clock_ms(char *buf, uint64_t unix_ms)
{
	size_t len = strlen(tailbox__show_clock(buf, unix_ms));

	if (buf[0] != '?')
		snprintf(buf + len, TAILBOX__SHOW_ROOM - len, ".%03u",
		         (unsigned)(unix_ms % 1000));
	return buf;
}

/* Controls, what turns or hides text, line and paragraph ends. */
static bool is_unsafe(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x061c ||
	       (cp >= 0x200b && cp <= 0x200f) ||
	       (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff ||
	       (cp >= 0xfff9 && cp <= 0xfffb) ||
	       (cp >= 0xe0000 && cp <= 0xe0fff) || cp == TAILBOX__UTF8_INVALID;
}

/* What terminals give two columns: East Asian wide characters and emoji. By
 * whole blocks: one too many leaves a blank, one too few breaks the line. */
static bool is_wide(uint32_t cp)
{
	return (cp >= 0x1100 && cp <= 0x115f) ||
	       (cp >= 0x231a && cp <= 0x23ff) ||
	       (cp >= 0x25fd && cp <= 0x27bf) ||
	       (cp >= 0x2b1b && cp <= 0x2b55) ||
	       (cp >= 0x2e80 && cp <= 0xa4cf) ||
	       (cp >= 0xa960 && cp <= 0xa97f) ||
	       (cp >= 0xac00 && cp <= 0xd7a3) ||
	       (cp >= 0xf900 && cp <= 0xfaff) ||
	       (cp >= 0xfe10 && cp <= 0xfe6f) ||
	       (cp >= 0xff00 && cp <= 0xff60) ||
	       (cp >= 0xffe0 && cp <= 0xffe6) ||
	       (cp >= 0x16fe0 && cp <= 0x1b2ff) ||
	       (cp >= 0x1f000 && cp <= 0x1faff) ||
	       (cp >= 0x20000 && cp <= 0x3fffd);
}

/* One character at s: its bytes, and the columns it takes when shown. */
static size_t character(const char *s, size_t len, size_t *columns,
                        bool *unsafe)
{
	uint32_t cp;
	size_t n = tailbox__utf8_next(s, len, &cp);

	*unsafe = is_unsafe(cp);
	*columns = *unsafe ? 4 * n : is_wide(cp) ? 2 : 1;
	return n;
}

size_t tailbox__show_text(FILE *out, const char *s, size_t len, size_t columns)
{
	size_t used = 0, width, keep, at;
	bool unsafe;

	/* Where to cut: everything, or all but what ".." needs. */
	for (at = 0; at < len && used <= columns; used += width)
		at += character(s + at, len - at, &width, &unsafe);
	bool is_cut = used > columns;
	keep = is_cut ? (columns > 2 ? columns - 2 : 0) : columns;

	used = 0;
	for (at = 0; at < len;) {
		size_t n = character(s + at, len - at, &width, &unsafe);
		if (used + width > keep)
			break;
		if (!unsafe)
			fwrite(s + at, 1, n, out);
		for (size_t i = 0; unsafe && i < n; i++)
			fprintf(out, "\\x%02x", (unsigned char)s[at + i]);
		used += width;
		at += n;
	}
	for (unsigned i = 0; is_cut && i < 2 && used < columns; i++, used++)
		fputc('.', out);
	return used;
}

void tailbox__show_padded(FILE *out, const char *s, size_t len, size_t columns)
{
	size_t used = tailbox__show_text(out, s, len, columns);

	for (; used < columns; used++)
		fputc(' ', out);
}

size_t tailbox__show_columns(const char *s, size_t len)
{
	size_t sum = 0, width;
	bool unsafe;

	for (size_t at = 0; at < len; sum += width)
		at += character(s + at, len - at, &width, &unsafe);
	return sum;
}

size_t tailbox__show_fit(const char *s, size_t len, size_t columns)
{
	size_t used = 0, blank = 0, width;
	bool unsafe;

	for (size_t at = 0; at < len;) {
		size_t n = character(s + at, len - at, &width, &unsafe);
		if (s[at] == ' ')
			blank = at;
		if (used + width > columns)
			/* At least a character, or nobody gets on. */
			return blank ? blank : at ? at : n;
		used += width;
		at += n;
	}
	return len;
}

bool tailbox__show_is_plain(const char *s, size_t len)
{
	size_t width;
	bool unsafe = false;

	for (size_t at = 0; at < len && !unsafe;)
		at += character(s + at, len - at, &width, &unsafe);
	return !unsafe;
}

size_t tailbox__show_into(char *buf, size_t size, const char *s, size_t len,
                          size_t columns)
{
	size_t used = 0, column = 0, whole = 0, width;
	bool unsafe, is_cut = false;

	for (size_t at = 0; at < len;) {
		size_t n = character(s + at, len - at, &width, &unsafe);
		size_t bytes = unsafe ? 4 * n : n;
		is_cut = used + bytes >= size || column + width > columns;
		if (is_cut)
			break;
		for (size_t i = 0; unsafe && i < n; i++)
			snprintf(buf + used + 4 * i, 5, "\\x%02x",
			         (unsigned char)s[at + i]);
		if (!unsafe)
			memcpy(buf + used, s + at, n);
		used += bytes;
		column += width;
		at += n;
		if (used + 2 < size && column + 2 <= columns)
			whole = used;
	}
	if (is_cut) {
		used = whole;
		for (int i = 0; i < 2 && used + 1 < size && columns >= 2; i++)
			buf[used++] = '.';
	}
	buf[used] = '\0';
	return used;
}
