/* cli/top_lines.h - put the lines of top's frames together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_TOP_LINES_H
#define TAILBOX_CLI_TOP_LINES_H 1

#include "cli/top_model.h"

struct cli__line {
	char at[2048];
	size_t len;
};

void cli__line(struct cli__line *l, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
/* A foreign text in at most so many columns; _padded fills them. */
void cli__line_text(struct cli__line *l, const char *text, size_t columns);
void cli__line_padded(struct cli__line *l, const char *text, size_t columns);
/* A duration; "-" when it is not known. width: right-aligned in so many. */
void cli__line_ns(struct cli__line *l, int width, uint64_t ns);
/* End the line: blanks at its end go, what is over the columns is cut. */
void cli__line_end(struct cli__line *l, struct cli__top_text *out,
                   unsigned columns, enum cli__top_line kind, size_t item);
/* End it when `more` columns would be too many, and begin the next one with
 * `indent`: then true. */
bool cli__line_wrap(struct cli__line *l, struct cli__top_text *out,
                    unsigned columns, size_t more, const char *indent);

/* What a writer's state is called. */
const char *cli__top_state(const struct cli__top *t);
/* Connections and requests behind a worker; NONE when not known. */
uint64_t cli__top_behind(const struct cli__top_worker *w);

#endif
