/* analyzer/own_text.c - suspects of ours in words and figures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/utf8.h"

static bool is_shown(uint32_t cp)
{
	return cp >= 0x20 && (cp < 0x7f || cp >= 0xa0) &&
	       cp != TAILBOX__UTF8_INVALID;
}

/* What is no text or a control becomes '?'; a name that is cut ends with "..."
 * and never within a character. */
const char *tailbox__own_label(const struct tailbox__run *run, tailbox__str s,
                               char buf[TAILBOX__OWN_NAME_SIZE])
{
	enum { MOST = 40 };
	size_t len, n = 0, cut = 0;
	const char *text = tailbox__run_text(run, s, &len);

	if (len == 0)
		return "(no name)";
	for (size_t i = 0; i < len; ) {
		uint32_t cp;
		const size_t bytes = tailbox__utf8_next(text + i, len - i, &cp);
		const size_t more = is_shown(cp) ? bytes : 1;

		if (n + more > MOST) {
			memcpy(buf + cut, "...", 4);
			return buf;
		}
		memcpy(buf + n, is_shown(cp) ? text + i : "?", more);
		n += more;
		i += bytes;
		if (n <= MOST - 3)
			cut = n;
	}
	buf[n] = '\0';
	return buf;
}

static char *format(const char *text, va_list args)
{
	va_list again;
	char *out;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, text, again);
	va_end(again);
	out = len < 0 ? NULL : tailbox__alloc((size_t)len + 1, 1);
	if (out)
		vsnprintf(out, (size_t)len + 1, text, args);
	return out;
}

struct tailbox__suspect *tailbox__own_add(struct tailbox__case *c,
                                          enum tailbox__suspect_kind kind,
                                          unsigned score, const char *title,
                                          ...)
{
	struct tailbox__suspect *s = tailbox__suspect_add(c, kind, score);
	va_list args;

	if (!s)
		return NULL;
	va_start(args, title);
	s->title = format(title, args);
	va_end(args);
	if (!s->title || tailbox__own_rule(c, kind, TAILBOX__RULING_LIKELY,
	                                   NULL) < 0)
		return NULL;
	return s;
}

int tailbox__own_title(struct tailbox__suspect *s, const char *title, ...)
{
	va_list args;

	va_start(args, title);
	s->title = format(title, args);
	va_end(args);
	return s->title ? 0 : -ENOMEM;
}

static int add_figure(struct tailbox__suspect *s, struct tailbox__figure figure)
{
	struct tailbox__figure *to = tailbox__list_add(&s->figures);

	if (!to)
		return -ENOMEM;
	*to = figure;
	return 0;
}

int tailbox__own_figure(struct tailbox__suspect *s, const char *key,
                        uint64_t value)
{
	return add_figure(s, (struct tailbox__figure){ key, 0, value });
}

int tailbox__own_name(struct tailbox__suspect *s, const char *key,
                      tailbox__str name)
{
	return add_figure(s, (struct tailbox__figure){ key, name, 0 });
}

int tailbox__own_rule(struct tailbox__case *c, enum tailbox__suspect_kind kind,
                      enum tailbox__ruling ruling, const char *text, ...)
{
	struct tailbox__report *r = c->report;
	struct tailbox__finding *to;
	va_list args;

	if (!r)
		return 0;
	for (size_t i = 0; i < r->findings.count; i++)
		if (r->findings.items[i].kind == kind)
			return 0;
	to = tailbox__list_add(&r->findings);
	if (!to)
		return -ENOMEM;
	to->kind = kind;
	to->ruling = ruling;
	if (!text)
		return 0;
	va_start(args, text);
	to->text = format(text, args);
	va_end(args);
	return to->text ? 0 : -ENOMEM;
}
