/* cli/outfile.h - write a file so that it is there whole or not at all.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_OUTFILE_H
#define TAILBOX_CLI_OUTFILE_H 1

#include "cli/cli.h"

struct cli__outfile {
	int fd;
	bool is_direct; /* a device or pipe: written as it is */
	char path[CLI__PATH_MAX];
	char temp[CLI__PATH_MAX + 16];
};

/* Open for writing what will be `path`. False: told. One at a time; SIGINT,
 * SIGTERM and SIGHUP remove the temporary file while it is open. */
bool cli__outfile_open(struct cli__outfile *f, const char *path);
/* Make it the file. replace: over an existing one. Else a name that is taken
 * gets ".2", ".3"...: f->path tells what it became. False: told. */
bool cli__outfile_commit(struct cli__outfile *f, bool replace);
void cli__outfile_abort(struct cli__outfile *f);

#endif
