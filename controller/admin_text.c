/* controller/admin_text.c - text that grows, and tables of it.
 *
 * SPDX-License-Identifier: MIT
 *
 * A table is written as rows of cells with tabs between, then set in columns:
 * whoever fills a row need not know how wide its neighbours are. Names never
 * hold tabs or newlines: the recorder replaces control bytes.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/admin_internal.h"
#include "core/alloc.h"

#define COLUMNS_MAX 16u
#define GAP 2

static bool make_room(struct tailbox__text *t, size_t more)
{
	size_t room = t->room ? t->room : 1024;
	char *p;

	if (t->has_failed)
		return false;
	while (room - t->len < more)
		room *= 2;
	if (room == t->room)
		return true;
	p = tailbox__realloc(t->buf, room, 1);
	if (p == NULL) {
		t->has_failed = true;
		return false;
	}
	t->buf = p;
	t->room = room;
	return true;
}

void tailbox__text_add(struct tailbox__text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0 || !make_room(t, (size_t)n + 1))
		return;
	va_start(args, fmt);
	vsnprintf(t->buf + t->len, (size_t)n + 1, fmt, args);
	va_end(args);
	t->len += (size_t)n;
}

void tailbox__text_fini(struct tailbox__text *t)
{
	tailbox__free(t->buf);
	*t = (struct tailbox__text)TAILBOX__TEXT_INIT;
}

/* --- tables ------------------------------------------------------------ */

/* Characters, not bytes: what does not begin with 10xxxxxx. */
static size_t width(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

struct columns {
	size_t width[COLUMNS_MAX];
	bool is_right[COLUMNS_MAX];
};

/* Length of the cell at p; its last byte is followed by a tab or newline. */
static size_t cell(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && *q != '\t' && *q != '\n')
		q++;
	return (size_t)(q - p);
}

static void measure(struct columns *c, const char *p, const char *end)
{
	bool is_first_row = true;
	size_t column = 0;

	memset(c, 0, sizeof(*c));
	while (p < end) {
		size_t n = cell(p, end), w;
		if (is_first_row && *p == '>' && column < COLUMNS_MAX) {
			c->is_right[column] = true;
			p++, n--;
		}
		w = width(p, n);
		if (column < COLUMNS_MAX && w > c->width[column])
			c->width[column] = w;
		p += n;
		column++;
		if (p < end && *p++ == '\n')
			column = 0, is_first_row = false;
	}
}

static void set_cell(struct tailbox__text *t, const struct columns *c,
                     size_t column, const char *p, size_t n, bool is_last)
{
	size_t w = width(p, n), all = column < COLUMNS_MAX ? c->width[column]
	                                                   : w;
	int pad = all > w ? (int)(all - w) : 0;
	bool is_right = column < COLUMNS_MAX && c->is_right[column];

	tailbox__text_add(t, "%*s%.*s%*s", is_right ? pad : 0, "", (int)n, p,
	                  is_last ? 0 : (is_right ? 0 : pad) + GAP, "");
}

void tailbox__text_table(struct tailbox__text *t,
                         const struct tailbox__text *rows)
{
	const char *p = rows->buf, *end = p + rows->len;
	bool is_first_row = true;
	struct columns c;
	size_t column = 0;

	if (rows->has_failed || rows->buf == NULL) {
		t->has_failed |= rows->has_failed;
		return;
	}
	measure(&c, p, end);
	while (p < end) {
		size_t n;
		if (is_first_row && *p == '>')
			p++;
		n = cell(p, end);
		set_cell(t, &c, column, p, n, p + n == end || p[n] == '\n');
		p += n;
		column++;
		if (p < end && *p++ == '\n') {
			tailbox__text_add(t, "\n");
			column = 0, is_first_row = false;
		}
	}
}

/* --- units ------------------------------------------------------------- */

struct scale {
	uint64_t from, per;
	const char *name;
};

/* Three digits or so: 1.33 s, 13.3 s, 133 s. */
static const char *scaled(char *buf, uint64_t v, const struct scale *s)
{
	uint64_t milli;

	if (v == TAILBOX__NONE) {
		snprintf(buf, TAILBOX__UNIT_TEXT, "-");
		return buf;
	}
	while (v < s->from)
		s++;
	if (s->per == 1 || v / s->per >= 100) {
		snprintf(buf, TAILBOX__UNIT_TEXT, "%" PRIu64 " %s",
		         v / s->per, s->name);
		return buf;
	}
	milli = v / s->per * 1000 + v % s->per * 1000 / s->per;
	if (milli >= 10000)
		snprintf(buf, TAILBOX__UNIT_TEXT, "%u.%u %s",
		         (unsigned)(milli / 1000),
		         (unsigned)(milli % 1000 / 100), s->name);
	else
		snprintf(buf, TAILBOX__UNIT_TEXT, "%u.%02u %s",
		         (unsigned)(milli / 1000),
		         (unsigned)(milli % 1000 / 10), s->name);
	return buf;
}

const char *tailbox__text_us(char buf[TAILBOX__UNIT_TEXT], uint64_t us)
{
	static const struct scale time_scale[] = {
		{ 48 * 3600000000u * (uint64_t)1, 24 * 3600000000u, "d" },
		{ 2 * 3600000000u, 3600000000u, "h" },
		{ 120000000, 60000000, "min" },
		{ 1000000, 1000000, "s" },
		{ 1000, 1000, "ms" },
		{ 0, 1, "us" }
	};

	return scaled(buf, us, time_scale);
}

const char *tailbox__text_time(char buf[TAILBOX__UNIT_TEXT], uint64_t ms)
{
	time_t at = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == TAILBOX__NONE || gmtime_r(&at, &tm) == NULL ||
	    strftime(buf, TAILBOX__UNIT_TEXT, "%Y-%m-%d %H:%M:%S UTC", &tm) ==
	            0)
		snprintf(buf, TAILBOX__UNIT_TEXT, "-");
	return buf;
}
