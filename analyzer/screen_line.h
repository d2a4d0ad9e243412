/* analyzer/screen_line.h - between the parts of the first screen.
 *
 * SPDX-License-Identifier: MIT
 *
 * A screen is built in memory as lines that cannot become too wide: whatever
 * is put on one is counted in columns and cut. Foreign texts come in by
 * functions that make them harmless.
 */
#ifndef TAILBOX_ANALYZER_SCREEN_LINE_H
#define TAILBOX_ANALYZER_SCREEN_LINE_H 1

#include "analyzer/screen.h"
#include "analyzer/verdict.h"

enum {
	TAILBOX__SL_INDENT = 9, /* columns before what a word in front is of */
	TAILBOX__SL_ROOM = 64,  /* lines, while it is being built */
	TAILBOX__SL_BYTES = 4 * (int)TAILBOX__SCREEN_WIDTH + 1
};

struct tailbox__sl_line {
	char text[TAILBOX__SL_BYTES];
	size_t len, columns;
};

/* How much of each part there may be: the less, the less room there is. */
struct tailbox__sl_budget {
	unsigned evidence, others, rows, out, unknown, checks;
	bool has_blanks;
};

struct tailbox__sl_screen {
	const struct tailbox__report *r;
	const struct tailbox__run *run;
	const struct tailbox__analyzer_options *o;
	const struct tailbox__screen_names *names;
	const struct tailbox__sl_budget *budget;
	struct tailbox__vitals vitals;
	struct tailbox__sl_line *lines; /* _ROOM of them */
	size_t count;
	/* What --request takes for the slowest one; "" = nothing does. */
	char request[TAILBOX__SL_BYTES];
	bool is_cut; /* something was left out */
};

/* Begin a line with a word of ours in its first columns; "" = none. */
void tailbox__sl_begin(struct tailbox__sl_screen *s, const char *word,
                       size_t indent);
/* On the present line: text of ours, which is ASCII; cut at the end. */
void tailbox__sl_put(struct tailbox__sl_screen *s, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* A foreign text in at most so many columns. */
void tailbox__sl_text(struct tailbox__sl_screen *s, const char *text,
                      size_t len, size_t columns);
void tailbox__sl_name(struct tailbox__sl_screen *s, tailbox__str name,
                      size_t columns);
/* Columns that are left on the present line. */
size_t tailbox__sl_left(const struct tailbox__sl_screen *s);
/* A foreign text over at most `most` lines, the first of them with the word in
 * front. Gives how many it took; cut with ".." where there would be more. */
unsigned tailbox__sl_wrap(struct tailbox__sl_screen *s, const char *word,
                          size_t indent, const char *text, unsigned most);
void tailbox__sl_blank(struct tailbox__sl_screen *s);

/* A text that is put together, and cut where it becomes too long. */
struct tailbox__sl_string {
	char at[800];
	size_t len;
};
void tailbox__sl_add(struct tailbox__sl_string *t, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* screen_head.c: whose run, losses, figures. */
void tailbox__sl_head(struct tailbox__sl_screen *s);
/* screen_verdict.c: the verdict with its evidence. */
void tailbox__sl_verdict(struct tailbox__sl_screen *s);
/* screen_findings.c: ruled out, cannot tell. */
void tailbox__sl_findings(struct tailbox__sl_screen *s);
/* screen_next.c: what to type. */
void tailbox__sl_find_request(struct tailbox__sl_screen *s);
void tailbox__sl_next(struct tailbox__sl_screen *s);

#endif
