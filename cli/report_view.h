/* cli/report_view.h - a report as one of the forms that commands print.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_REPORT_VIEW_H
#define TAILBOX_CLI_REPORT_VIEW_H 1

#include "analyzer/report.h"
#include "cli/target.h"

enum cli__view {
	CLI__VIEW_SCREEN, /* the first screen; of a compat report its text */
	CLI__VIEW_ALL,    /* and behind it the whole text */
	CLI__VIEW_LINE,   /* the headline */
	CLI__VIEW_JSON
};

/* "text", "json", "line". False: it is none of these. */
bool cli__view_of(const char *word, enum cli__view *out);

/* How commands that are suggested name the artifact, and the live service it
 * is of; "" = no such name. */
struct cli__view_names {
	char artifact[CLI__PATH_MAX + 300], service[CLI__PATH_MAX];
};
/* Of a target; arg as it was typed, NULL = left out. */
void cli__view_names(const struct cli__target *t, const char *arg,
                     struct cli__view_names *out);

/* Print it to cli__out(). Gives the exit code. */
int cli__put_report(enum cli__view view, const struct cli__view_names *names,
                    const struct tailbox__report *r,
                    const struct tailbox__run *run,
                    const struct tailbox__analyzer_options *o);
/* Analyse with the defaults and print the first screen; for commands that
 * have just made an artifact. Gives the exit code. */
int cli__put_first_screen(struct tailbox__run *run,
                          const struct cli__view_names *names);

#endif
