/* cli/sock.h - Unix sockets by path, however long, and who is behind one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_SOCK_H
#define TAILBOX_CLI_SOCK_H 1

#include <stdbool.h>
#include <stdint.h>

/* A path that fits into an address: the same one, or one through a
 * descriptor of the file, good until it is closed. */
struct cli__sock_path {
	int fd; /* -1 = none was needed */
	char text[108];
};
/* 0, or -errno and nothing to close. */
int cli__sock_path_open(struct cli__sock_path *p, const char *path);
void cli__sock_path_close(struct cli__sock_path *p);

/* Whether somebody listens, without asking anything of them: 0, or -errno;
 * -ECONNREFUSED: left behind. pid: of who called listen(), as we see it; 0 =
 * not known. NULL allowed. */
int cli__sock_probe(const char *path, uint32_t *pid);

#endif
