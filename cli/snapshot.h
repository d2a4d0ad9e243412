/* cli/snapshot.h - the recent past of a service as a file of ours.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_SNAPSHOT_H
#define TAILBOX_CLI_SNAPSHOT_H 1

#include "cli/outfile.h"
#include "cli/target.h"

struct cli__snapshot {
	uint64_t last_ms; /* 0 = all that is there */
	const char *mode, *note, *path; /* NULL = default */
	bool from_tape; /* whatever the service would answer */
};

/* From its tape, into f (open already): cli/snapshot_tape.c. The name that the
 * file gets when none is given. False: told. */
bool cli__snapshot_tape(const struct cli__target *t,
                        const struct cli__snapshot *s, struct cli__outfile *f);
void cli__snapshot_name(const struct cli__target *t, char *name, size_t size);

#endif
