/* cli/progress.h - how far a large file has been read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_PROGRESS_H
#define TAILBOX_CLI_PROGRESS_H 1

struct cli__progress;

/* From now on tell how far fd has been read, from the second second on and on
 * standard error. NULL, and nothing is told, where that is no terminal, fd no
 * regular file (-1 is allowed), or no thread to be had. */
struct cli__progress *cli__progress_start(int fd);
/* Take it off the screen again. NULL is allowed. fd must still be open. */
void cli__progress_stop(struct cli__progress *p);

#endif
