/* cli/top_terminal.h - a terminal that is always put back as it was.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_TOP_TERMINAL_H
#define TAILBOX_CLI_TOP_TERMINAL_H 1

#include <stdbool.h>

/* Take the whole screen. False: told. One at a time. */
bool cli__terminal_open(void);
/* Put it back; nothing when it is not taken. */
void cli__terminal_close(void);
/* The signal that asked for an end: SIGINT, SIGTERM, SIGHUP, SIGQUIT; or 0. */
int cli__terminal_signal(void);
/* Stop, where a signal asked for it, with the terminal as it was before. True
 * when it goes on again: draw. */
bool cli__terminal_stop(void);

#endif
