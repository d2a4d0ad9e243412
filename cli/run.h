/* cli/run.h - the parts of `tailbox run`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_RUN_H
#define TAILBOX_CLI_RUN_H 1

#include <sys/types.h>

#include "cli/cli.h"
#include "core/board.h"

struct cli__run {
	/* As it was asked for; NULL = not. */
	const char *agent, *name, *dir, *config, *output;
	uint64_t last_ms; /* 0 = all that the tape holds */
	bool has_children, is_quiet;
	char **argv; /* of the program */
	/* What came of it. */
	char path[CLI__PATH_MAX]; /* of the program */
	char library[CLI__PATH_MAX]; /* the agent; "" = goes on without */
	bool is_script, is_static_mhd, has_mhd, is_another;
	struct tailbox__board *board; /* NULL without the agent */
	int board_fd;
	size_t inherited; /* of its environment: the first are ours */
	bool has_sigpipe; /* it was not ignored: nor is it for the program */
	pid_t pid;
	int status; /* as waitpid() gives it */
};

/* --- cli/run_elf.c -------------------------------------------------------- */

struct cli__run_file {
	char why_not[256]; /* the agent cannot be loaded into it; "" = it can */
	char first[64];    /* a library that must come before it; "" = none */
	bool is_script;
	bool needs_mhd;     /* it names libmicrohttpd among its libraries */
	bool is_static_mhd; /* it has a libmicrohttpd inside */
};
/* Look at a program before it is started. A file that cannot be read, or is no
 * program, says nothing: the kernel will. */
void cli__run_look(const char *path, struct cli__run_file *out);

/* --- cli/run_agent.c ------------------------------------------------------ */

/* Find the agent: r->agent, beside this command, where it is installed. False:
 * told, and there is none. */
bool cli__run_find_agent(struct cli__run *r);
/* The block of memory by which the agent tells. */
bool cli__run_board_open(struct cli__run *r);
/* The environment of the program; NULL: no memory. first: a library that has
 * to be loaded before the agent, "" = none. */
char **cli__run_environment(struct cli__run *r, const char *first);
void cli__run_environment_fini(struct cli__run *r, char **environment);
/* Whether another process has the board mapped: what the program left. */
bool cli__run_has_others(const struct cli__run *r);

/* --- cli/run_program.c ---------------------------------------------------- */

/* Where the program is, by PATH; 0, or 126 or 127 as env(1): told. */
int cli__run_find_program(struct cli__run *r);
/* From here on to go on where nobody reads what we say: the program is started
 * and followed all the same. */
void cli__run_keep_on(struct cli__run *r);
/* Start it and wait for its end. Signals are passed on. 0, or 126: told. */
int cli__run_program(struct cli__run *r, char **environment);
/* Its exit status; death by a signal is died again. */
int cli__run_status(const struct cli__run *r);

/* --- cli/run_why.c -------------------------------------------------------- */

/* Look what the process has loaded. Cheap; while nothing is recorded. */
void cli__run_watch(struct cli__run *r);
/* Whether the agent has told anything, of any process. */
bool cli__run_is_told(const struct cli__run *r);
/* Nothing is recorded so far: say why that may be. */
void cli__run_say_why(const struct cli__run *r);

/* --- cli/run_after.c ------------------------------------------------------ */

/* The program has ended: artifacts of what was recorded, the first screen. */
void cli__run_after(struct cli__run *r);

#endif
