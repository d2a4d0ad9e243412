/* cli/output.h - the end of a command.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_OUTPUT_H
#define TAILBOX_CLI_OUTPUT_H 1

#include "cli/cli.h"

/* Write what the command printed, if it ended well. Gives the exit code. */
int cli__finish(int rc);
/* Write it now, whatever the exit code will be: for a verdict, which is a
 * result also when it is "no". CLI__DONE, or the code of a failure (told). */
int cli__put_now(void);
/* The same to another descriptor: of a command whose standard output is not
 * its own. */
int cli__put_on(int fd);
/* All of it to fd; 0 or -errno. */
int cli__write_all(int fd, const char *s, size_t len);

#endif
