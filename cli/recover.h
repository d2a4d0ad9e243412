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

/* Make an artifact of the tape: as `path`, replacing what is there, or with a
 * name of its own (NULL) in the artifact folder: $TAILBOX_ARTIFACTS, else
 * `artifacts` beside the tape, else this folder. Then remove the tape, unless
 * `keep`. Gives the exit code; told. After CLI__DONE: cli__recovered_fini().
 */
int cli__recover_tape(const char *tape, const char *path, bool keep,
                      struct cli__recovered *out);
void cli__recovered_fini(struct cli__recovered *r);

#endif
