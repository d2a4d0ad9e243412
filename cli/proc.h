/* cli/proc.h - what /proc tells of a process in other namespaces.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_PROC_H
#define TAILBOX_CLI_PROC_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file of /proc/PID in memory, at most `max` bytes and a NUL; NULL when it
 * cannot be read. Freed by tailbox__free(). */
char *cli__proc_read(uint32_t pid, const char *name, size_t max, size_t *len);
/* Its number and its user in its own namespaces; ours where /proc is silent. */
void cli__proc_inside(uint32_t pid, uint32_t *inner_pid, uint64_t *inner_uid);
/* Whether a path means the same file to it and to us. */
bool cli__proc_is_our_root(uint32_t pid);

#endif
