/* cli/target.h - TARGET: what a command is about, the same everywhere.
 *
 * SPDX-License-Identifier: MIT
 *
 * `tailbox help target` is its documentation.
 */
#ifndef TAILBOX_CLI_TARGET_H
#define TAILBOX_CLI_TARGET_H 1

#include "cli/cli.h"
#include "cli/services.h"

enum cli__target_kind {
	CLI__TARGET_SERVICE, /* `service`; `artifact` when "#ID" was given */
	CLI__TARGET_FILE,    /* an artifact: `path` */
	CLI__TARGET_STDIN    /* an artifact; path is "-" */
};

struct cli__target {
	enum cli__target_kind kind;
	/* Or a tape, or a socket, by its path; or a URL: then it has neither
	 * tape nor socket, and cli__ask() knows the way. */
	struct cli__service service;
	char artifact[256];          /* "" = none given */
	char path[CLI__PATH_MAX];
};

/* Find it. arg NULL: the only recorded service of this user. On false *rc is
 * the exit code and standard error says why. */
bool cli__target(const struct cli__command *self, const char *arg,
                 struct cli__target *out, int *rc);
/* The same for commands about a process or its tape: no "#ID". */
bool cli__target_service(const struct cli__command *self, const char *arg,
                         struct cli__target *out, int *rc);
/* The same for commands about an artifact that a service has: "#ID" or not. */
bool cli__target_artifact(const struct cli__command *self, const char *arg,
                          struct cli__target *out, int *rc);
/* How to name this service in another command: its name, its pid where the
 * name is not enough, else its path or URL. buf: CLI__PATH_MAX bytes. */
const char *cli__target_word(const struct cli__target *t, char *buf,
                             size_t size);
/* What to call it in a message: the service's name, or the URL. */
const char *cli__target_name(const struct cli__target *t);

#endif
