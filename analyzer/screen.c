/* analyzer/screen.c - the first screen: its lines, and how they are made to
 * fit.
 *
 * SPDX-License-Identifier: MIT
 *
 * The screen is built with a generous budget, and again with a smaller one as
 * long as it has too many lines. So each part decides by itself what of it
 * matters most, and a table keeps the sum: nothing is cut off from behind.
 * With the last budget no part can be too long (screen_head.c and its like
 * bound what does not depend on it): 7 lines of head, 6 of verdict, 6 of
 * anatomy, 2 of findings, 4 of commands.
 */
#include "analyzer/screen.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "analyzer/report_page.h"
#include "analyzer/screen_line.h"
#include "analyzer/timeline_text.h"
#include "core/alloc.h"

#define WIDTH TAILBOX__SCREEN_WIDTH

static const struct tailbox__sl_budget budgets[] = {
	{ 3, 2, 6, 4, 3, 3, true },  { 3, 2, 5, 3, 2, 3, true },
	{ 3, 1, 5, 3, 2, 2, true },  { 3, 1, 4, 2, 2, 2, true },
	{ 3, 1, 4, 2, 1, 2, false }, { 2, 1, 3, 2, 1, 2, false },
	{ 2, 1, 3, 1, 1, 1, false }, { 1, 1, 2, 1, 1, 1, false },
};

/* --- lines ---------------------------------------------------------------- */

static struct tailbox__sl_line *last(const struct tailbox__sl_screen *s)
{
	return &s->lines[s->count - 1];
}

void tailbox__sl_begin(struct tailbox__sl_screen *s, const char *word,
                       size_t indent)
{
	/* Budgets keep far away from this; if not, the last line suffers. */
	if (s->count < TAILBOX__SL_ROOM)
		s->count++;
	*last(s) = (struct tailbox__sl_line){ .len = 0 };
	tailbox__sl_put(s, "%-*s", (int)indent, word);
}

void tailbox__sl_blank(struct tailbox__sl_screen *s)
{
	if (s->budget->has_blanks)
		tailbox__sl_begin(s, "", 0);
}

size_t tailbox__sl_left(const struct tailbox__sl_screen *s)
{
	return WIDTH - last(s)->columns;
}

void tailbox__sl_put(struct tailbox__sl_screen *s, const char *format, ...)
{
	struct tailbox__sl_line *l = last(s);
	char text[WIDTH + 1];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tailbox__sl_text(s, text, strlen(text), WIDTH - l->columns);
}

void tailbox__sl_text(struct tailbox__sl_screen *s, const char *text,
                      size_t len, size_t columns)
{
	struct tailbox__sl_line *l = last(s);
	const size_t left = WIDTH - l->columns;
	const size_t n = tailbox__show_into(l->text + l->len,
	                                    sizeof(l->text) - l->len, text, len,
	                                    columns < left ? columns : left);

	l->columns += tailbox__show_columns(l->text + l->len, n);
	l->len += n;
}

void tailbox__sl_name(struct tailbox__sl_screen *s, tailbox__str name,
                      size_t columns)
{
	size_t len;
	const char *text = tailbox__run_text(s->run, name, &len);

	tailbox__sl_text(s, text, len, columns);
}

unsigned tailbox__sl_wrap(struct tailbox__sl_screen *s, const char *word,
                          size_t indent, const char *text, unsigned most)
{
	size_t left = strlen(text);
	unsigned lines = 0;

	while (lines < most && (left > 0 || lines == 0)) {
		size_t n = tailbox__show_fit(text, left, WIDTH - indent);

		lines++;
		tailbox__sl_begin(s, lines == 1 ? word : "", indent);
		if (lines == most) {
			s->is_cut = s->is_cut || n < left;
			n = left;
		}
		tailbox__sl_text(s, text, n, WIDTH);
		for (text += n, left -= n; left > 0 && *text == ' '; left--)
			text++;
	}
	return lines;
}

void tailbox__sl_add(struct tailbox__sl_string *t, const char *format, ...)
{
	const size_t room = sizeof(t->at) - t->len;
	va_list args;

	va_start(args, format);
	const int n = vsnprintf(t->at + t->len, room, format, args);
	va_end(args);
	t->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* --- parts ---------------------------------------------------------------- */

/* The table of where the time goes is written as a text; each of its lines
 * begins with its newline. The page is memory to write to, nothing more. */
static int put_anatomy(struct tailbox__sl_screen *s)
{
	struct tailbox__page p;
	int rc;

	if (s->r->anatomy.tail_count == 0)
		return 0;
	rc = tailbox__page_init(&p, NULL);
	if (rc == 0) {
		tailbox__anatomy_text(&s->r->anatomy, s->run, s->budget->rows,
		                      p.line);
		rc = fflush(p.line) || p.has_failed ? -ENOMEM : 0;
	}
	if (rc == 0)
		tailbox__sl_blank(s);
	for (size_t at = 0; rc == 0 && at < p.len;) {
		const char *end = memchr(p.text + at + 1, '\n', p.len - at - 1);
		const size_t next = end ? (size_t)(end - p.text) : p.len;

		tailbox__sl_begin(s, "", 0);
		tailbox__sl_text(s, p.text + at + 1, next - at - 1, WIDTH);
		at = next;
	}
	tailbox__page_fini(&p);
	return rc;
}

static int build(struct tailbox__sl_screen *s)
{
	s->count = 0;
	s->is_cut = false;
	tailbox__sl_head(s);
	tailbox__sl_blank(s);
	tailbox__sl_verdict(s);
	int rc = put_anatomy(s);
	if (rc == 0) {
		tailbox__sl_findings(s);
		tailbox__sl_next(s);
	}
	return rc;
}

int tailbox__screen(const struct tailbox__report *r,
                    const struct tailbox__run *run,
                    const struct tailbox__analyzer_options *o,
                    const struct tailbox__screen_names *names, FILE *out)
{
	const size_t levels = sizeof(budgets) / sizeof(budgets[0]);
	struct tailbox__sl_screen s = { .r = r, .run = run, .o = o,
		                        .names = names };
	int rc = 0;

	s.lines = tailbox__alloc(TAILBOX__SL_ROOM, sizeof(*s.lines));
	if (!s.lines)
		return -ENOMEM;
	tailbox__vitals_of(run, &s.vitals);
	tailbox__sl_find_request(&s);
	for (size_t i = 0; rc == 0 && i < levels; i++) {
		s.budget = &budgets[i];
		rc = build(&s);
		if (s.count <= TAILBOX__SCREEN_LINES)
			break;
	}
	for (size_t i = 0; rc == 0 && i < s.count; i++) {
		struct tailbox__sl_line *l = &s.lines[i];
		while (l->len > 0 && l->text[l->len - 1] == ' ')
			l->len--;
		fprintf(out, "%.*s\n", (int)l->len, l->text);
	}
	tailbox__free(s.lines);
	return rc;
}
