/* cli/recover.h - from a tape that was left behind to an artifact on disk.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_RECOVER_H
#define TAILBOX_CLI_RECOVER_H 1

#include "cli/cli.h"
#include "core/tape_run.h"

struct cli__recovered {
	struct tailbox__run *run;
	struct tailbox__tape_damage damage;
	char tape[CLI__PATH_MAX];
	char artifact[CLI__PATH_MAX + 300]; /* where it is */
	bool is_removed; /* the tape */
};

struct cli__recover_wish {
	const char *path; /* NULL = a name of its own in the artifact folder:
	                     $TAILBOX_ARTIFACTS, else `artifacts` beside the
	                     tape, else this folder */
	bool replace;     /* what is at `path`; else ".2" and so on */
	bool keep;        /* the tape */
};

/* Make an artifact of the tape; then remove the tape, unless it is to be kept.
 * Gives the exit code; told. After CLI__DONE: cli__recovered_fini(). */
int cli__recover_tape(const char *tape, const struct cli__recover_wish *wish,
                      struct cli__recovered *out);
/* What was in flight, and the first screen, to cli__out(). The exit code. */
int cli__recovered_screen(const struct cli__recovered *r);
void cli__recovered_fini(struct cli__recovered *r);

#endif
