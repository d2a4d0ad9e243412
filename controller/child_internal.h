/* controller/child_internal.h - between the files of a child.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CONTROLLER_CHILD_INTERNAL_H
#define TAILBOX_CONTROLLER_CHILD_INTERNAL_H 1

#include <sys/types.h>

#include "controller/child.h"

/* child_start.c. Start it (env: NULL = minimal); out_fd, err_fd: our ends of
 * its output, which do not block; the caller's, also after a failure unless
 * they are untouched. out_fd NULL: nobody wants that. 0 or -errno. */
int tailbox__child_start(char *const *argv, char *const *env, pid_t *pid,
                         int *out_fd, int *err_fd);
/* What can be set only now that it is there. 0 or -errno: let it not go on. */
int tailbox__child_restrain(pid_t pid, const struct tailbox__child_limits *l);

#endif
