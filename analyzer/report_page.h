/* analyzer/report_page.h - lines that are wrapped.
 *
 * SPDX-License-Identifier: MIT
 *
 * A line is written into memory, with as many calls as it takes, and put out
 * by tailbox__page_end(), which breaks it at blanks where it is too wide. So
 * whoever writes it knows of no column.
 * Threads: one thread per object.
 */
#ifndef TAILBOX_ANALYZER_REPORT_PAGE_H
#define TAILBOX_ANALYZER_REPORT_PAGE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { TAILBOX__PAGE_WIDTH = 80 }; /* columns */

struct tailbox__page {
	FILE *out;        /* borrowed */
	FILE *line;       /* write here */
	char *text;       /* what was written there */
	size_t len, room;
	bool has_failed;  /* no memory */
	bool has_lines;
};

/* 0 or -ENOMEM; always safe to fini. */
int tailbox__page_init(struct tailbox__page *p, FILE *out);
/* 0, or -ENOMEM when something is missing on the page. */
int tailbox__page_fini(struct tailbox__page *p);
/* Put the line out, its continuations below its column `indent`; no break is
 * made before that. An empty one gives an empty line. Newlines stand between
 * lines, none after the last. */
void tailbox__page_end(struct tailbox__page *p, unsigned indent);
/* A foreign text, made harmless (timeline_text.h); it stays one line. */
void tailbox__page_text(struct tailbox__page *p, const char *s, size_t len);

#endif
