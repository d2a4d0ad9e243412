/* analyzer/screen.h - the first screen: what to know before anything else.
 *
 * SPDX-License-Identifier: MIT
 *
 * At most 25 lines of 80 columns, whatever the run holds: whose it is and what
 * is missing from it, the figures, the verdict with its evidence, where the
 * time of the slowest goes, what is ruled out, what cannot be told, and what
 * to type next. Where that is too much the least important goes, and the last
 * line tells that there is more.
 */
#ifndef TAILBOX_ANALYZER_SCREEN_H
#define TAILBOX_ANALYZER_SCREEN_H 1

#include <stdio.h>

#include "analyzer/report.h"

#define TAILBOX__SCREEN_LINES 25u
#define TAILBOX__SCREEN_WIDTH 80u

/* What the analysis does not know: TARGETs for the commands that are
 * suggested, as they were typed; they are quoted here. Borrowed. */
struct tailbox__screen_names {
	const char *artifact; /* NULL = it came from standard input */
	const char *service;  /* a live one; NULL = by the pid in the run */
};

/* Each line ends with a newline; write errors stay on the stream. 0 or
 * -ENOMEM: then nothing was written. */
int tailbox__screen(const struct tailbox__report *r,
                    const struct tailbox__run *run,
                    const struct tailbox__analyzer_options *o,
                    const struct tailbox__screen_names *names, FILE *out);

#endif
