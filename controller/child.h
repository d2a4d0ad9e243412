/* controller/child.h - run a command as a child that cannot harm the service.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CONTROLLER_CHILD_H
#define TAILBOX_CONTROLLER_CHILD_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAILBOX__CHILD_SAID_MAX 1024u

struct tailbox__child_limits {
	uint64_t wall_ms;
	uint64_t term_ms;      /* from SIGTERM to SIGKILL; 0 = SIGKILL at once */
	uint64_t cpu_s;        /* 0 = none */
	uint64_t memory_bytes; /* of address space; 0 = none */
	size_t output_bytes;   /* 0 = nobody wants it: it goes to /dev/null */
};

enum tailbox__child_end {
	TAILBOX__CHILD_EXITED,    /* code */
	TAILBOX__CHILD_UNKNOWN,   /* the application took its exit status */
	TAILBOX__CHILD_KILLED,    /* by signal `code` that was not ours */
	TAILBOX__CHILD_LATE,      /* wall clock or CPU: killed */
	TAILBOX__CHILD_TOO_MUCH,  /* output: killed */
	TAILBOX__CHILD_STOPPED,   /* *stop was set: killed */
	TAILBOX__CHILD_NO_START   /* code: -errno of starting it */
};

struct tailbox__child {
	enum tailbox__child_end end;
	int code;
	char *out; /* standard output, for tailbox__free(); NULL = none */
	size_t len;
	/* The start of standard error, NUL-terminated. */
	char said[TAILBOX__CHILD_SAID_MAX];
};

/* Run argv[0] (a path) with this environment (NULL = a minimal one), and wait.
 * Everything that it leaves in its process group is killed. *stop: set by
 * another thread to end it. Always fills out. Blocks: for a thread that may wait, and that has
 * all signals blocked. */
void tailbox__child_run(char *const *argv, char *const *env,
                        const struct tailbox__child_limits *limits,
                        const atomic_bool *stop, struct tailbox__child *out);

/* child_text.c. What it said, as one line without its own name; `line`, or
 * words that say that there is nothing. */
const char *tailbox__child_last_words(const struct tailbox__child *c,
                                      char *line, size_t size);
/* What is wrong with its end, to stand behind its name: "exit status 1: ..." */
void tailbox__child_why(const struct tailbox__child *c,
                        const struct tailbox__child_limits *limits, char *out,
                        size_t size);

#endif
