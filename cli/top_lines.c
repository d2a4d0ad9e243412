/* cli/top_lines.c - put the lines of top's frames together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/top_lines.h"

#include <stdarg.h>
#include <string.h>

#include "analyzer/timeline_text.h"
#include "core/alloc.h"

void cli__line(struct cli__line *l, const char *fmt, ...)
{
	const size_t room = sizeof(l->at) - l->len;
	va_list args;

	va_start(args, fmt);
	const int n = vsnprintf(l->at + l->len, room, fmt, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

void cli__line_text(struct cli__line *l, const char *text, size_t columns)
{
	l->len += tailbox__show_into(l->at + l->len, sizeof(l->at) - l->len,
	                             text, strlen(text), columns);
}

void cli__line_padded(struct cli__line *l, const char *text, size_t columns)
{
	const size_t from = l->len;

	cli__line_text(l, text, columns);
	size_t used = tailbox__show_columns(l->at + from, l->len - from);
	for (; used < columns; used++)
		cli__line(l, " ");
}

void cli__line_ns(struct cli__line *l, int width, uint64_t ns)
{
	char text[TAILBOX__SHOW_ROOM];

	cli__line(l, "%*s", width,
	          ns == TAILBOX__NONE ? "-" : tailbox__show_ns(text, ns));
}

static bool add_row(struct cli__top_text *out, const char *s, size_t len,
                    enum cli__top_line kind, size_t item)
{
	if (out->row_count == out->row_room) {
		const size_t room = out->row_room ? out->row_room * 2 : 64;
		struct cli__top_row *rows =
		        tailbox__realloc(out->rows, room, sizeof(*rows));
		if (!rows)
			return false;
		out->rows = rows;
		out->row_room = room;
	}
	char *text = tailbox__realloc(out->text, out->len + len + 2, 1);
	if (!text)
		return false;
	out->text = text;
	memcpy(text + out->len, s, len);
	memcpy(text + out->len + len, "\n", 2);
	const struct cli__top_row *before =
	        out->row_count ? &out->rows[out->row_count - 1] : NULL;
	out->rows[out->row_count++] = (struct cli__top_row){
		.at = out->len,
		.len = len,
		.kind = kind,
		.item = item,
		.is_first = !before || before->kind != kind ||
		            before->item != item,
	};
	out->len += len + 1;
	return true;
}

void cli__line_end(struct cli__line *l, struct cli__top_text *out,
                   unsigned columns, enum cli__top_line kind, size_t item)
{
	char cut[sizeof(l->at)];

	while (l->len && l->at[l->len - 1] == ' ')
		l->len--;
	const size_t n = tailbox__show_into(cut, sizeof(cut), l->at, l->len,
	                                    columns);
	if (!out->has_failed)
		out->has_failed = !add_row(out, cut, n, kind, item);
	l->len = 0;
}

bool cli__line_wrap(struct cli__line *l, struct cli__top_text *out,
                    unsigned columns, size_t more, const char *indent)
{
	if (tailbox__show_columns(l->at, l->len) + more <= columns)
		return false;
	cli__line_end(l, out, columns, CLI__TOP_PLAIN, 0);
	cli__line(l, "%s", indent);
	return true;
}

void cli__top_text_fini(struct cli__top_text *t)
{
	tailbox__free(t->text);
	tailbox__free(t->rows);
	memset(t, 0, sizeof(*t));
}

const char *cli__top_state(const struct cli__top *t)
{
	static const char *const states[] = { "LIVE", "STOPPED", "CLOSED",
		                              "DEAD" };

	return states[t->writer];
}

uint64_t cli__top_behind(const struct cli__top_worker *w)
{
	if (!*w->held)
		return 0;
	if (w->behind_unread == TAILBOX__NONE)
		return w->behind_open ? w->behind_open : TAILBOX__NONE;
	return w->behind_unread + w->behind_open;
}
