/* controller/command.h - the installed command, run on an artifact.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CONTROLLER_COMMAND_H
#define TAILBOX_CONTROLLER_COMMAND_H 1

#include "controller/child.h"
#include "core/config.h"

/* Of a child that analyzes. Tests shorten them, before there is one. */
extern struct tailbox__child_limits tailbox__report_limits;

/* Its path, by the settings in force. 0 or -ENOMEM. */
int tailbox__command_find(char path[TAILBOX__CONFIG_PATH_MAX + 1]);
/* NULL, or why it cannot be run: it is not there, ... (static storage). */
const char *tailbox__command_why_not(const char *path);
/* As tailbox__child_run(), after the one that runs: there is one at a time. */
void tailbox__command_run(char *const *argv,
                          const struct tailbox__child_limits *limits,
                          const atomic_bool *stop, struct tailbox__child *out);
void tailbox__command_in_child(void);

#endif
