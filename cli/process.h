/* cli/process.h - a recorded process by its number, wherever its files are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_PROCESS_H
#define TAILBOX_CLI_PROCESS_H 1

#include "cli/services.h"

enum cli__process {
	CLI__PROCESS_FOUND,
	CLI__PROCESS_NONE,     /* no process has this number */
	CLI__PROCESS_PLAIN,    /* it lives and has no tape or socket of ours */
	CLI__PROCESS_FORBIDDEN /* we may not look into it */
};

/* Find the tape and socket of process `pid`, in a container too: by what
 * /proc tells of it. FOUND: `out` is filled and its files are held open until
 * this command ends. */
enum cli__process cli__process(uint32_t pid, struct cli__service *out);

#endif
