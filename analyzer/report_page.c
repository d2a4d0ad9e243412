/* analyzer/report_page.c - lines that are wrapped.
 *
 * SPDX-License-Identifier: MIT
 *
 * All text of a line is valid UTF-8 without controls, as that of ours and of
 * tailbox__show_text() is: a column is a character.
 */
#include "analyzer/report_page.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "analyzer/timeline_text.h"
#include "core/alloc.h"

static ssize_t to_line(void *cls, const char *s, size_t len)
{
	struct tailbox__page *p = cls;

	if (len > p->room - p->len) {
		size_t want = p->room + p->room / 2 + len + 128;
		char *grown = tailbox__realloc(p->text, want, 1);
		if (!grown) {
			p->has_failed = true;
			errno = ENOMEM;
			return -1;
		}
		p->text = grown;
		p->room = want;
	}
	memcpy(p->text + p->len, s, len);
	p->len += len;
	return (ssize_t)len;
}

int tailbox__page_init(struct tailbox__page *p, FILE *out)
{
	cookie_io_functions_t io = { .write = to_line };

	memset(p, 0, sizeof(*p));
	p->out = out;
	p->line = fopencookie(p, "w", io);
	p->has_failed = p->line == NULL;
	return p->has_failed ? -ENOMEM : 0;
}

int tailbox__page_fini(struct tailbox__page *p)
{
	if (p->line)
		fclose(p->line);
	p->line = NULL;
	tailbox__free(p->text);
	p->text = NULL;
	return p->has_failed ? -ENOMEM : 0;
}

/* How many bytes go on this line: up to the last blank within `columns`, or,
 * where there is none, up to the first one behind. Blanks before column
 * `from` do not count. */
static size_t fit(const char *s, size_t len, size_t from, size_t columns)
{
	size_t column = 0, last = 0;

	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)s[i] & 0xc0) == 0x80)
			continue; /* not the first byte of a character */
		if (s[i] == ' ' && column > from && s[i - 1] != ' ') {
			if (column > columns)
				return last ? last : i;
			last = i;
		}
		column++;
	}
	return column <= columns || !last ? len : last;
}

void tailbox__page_end(struct tailbox__page *p, unsigned indent)
{
	size_t at = 0, from = indent, columns = TAILBOX__PAGE_WIDTH;

	if (fflush(p->line) || p->has_failed) {
		p->has_failed = true;
		p->len = 0;
		return;
	}
	if (p->has_lines)
		fputc('\n', p->out);
	p->has_lines = true;
	while (at < p->len) {
		size_t n = fit(p->text + at, p->len - at, from, columns);
		fwrite(p->text + at, 1, n, p->out);
		for (at += n; at < p->len && p->text[at] == ' ';)
			at++;
		if (at < p->len)
			fprintf(p->out, "\n%*s", (int)indent, "");
		from = 0;
		columns = TAILBOX__PAGE_WIDTH - indent;
	}
	p->len = 0;
}

void tailbox__page_text(struct tailbox__page *p, const char *s, size_t len)
{
	tailbox__show_text(p->line, s, len, SIZE_MAX);
}
