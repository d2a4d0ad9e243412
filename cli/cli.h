/* cli/cli.h - what every command of `tailbox` uses: options, output, failure.
 *
 * SPDX-License-Identifier: MIT
 *
 * Results go to cli__out() and reach standard output only when the command
 * ends with CLI__DONE. So nothing is on standard output after a failure.
 */
#ifndef TAILBOX_CLI_CLI_H
#define TAILBOX_CLI_CLI_H 1

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/json.h"

enum { /* exit codes */
	CLI__DONE = 0,
	CLI__NO = 1,   /* the input or the service said no */
	CLI__USAGE = 2 /* the command line is wrong */
};

#define CLI__PATH_MAX 1024u

struct cli__command {
	const char *name;
	const char *arguments; /* "[TARGET]" */
	const char *summary;   /* one line */
	const char *help;      /* options and what to know, whole lines */
	int (*run)(const struct cli__command *self, int argc, char **argv);
};
extern const struct cli__command cli__commands[]; /* ended by name NULL */

int cli__ls(const struct cli__command *self, int argc, char **argv);
int cli__status(const struct cli__command *self, int argc, char **argv);
int cli__arm(const struct cli__command *self, int argc, char **argv);
int cli__disarm(const struct cli__command *self, int argc, char **argv);
int cli__on(const struct cli__command *self, int argc, char **argv);
int cli__off(const struct cli__command *self, int argc, char **argv);
int cli__capture(const struct cli__command *self, int argc, char **argv);
int cli__snapshot(const struct cli__command *self, int argc, char **argv);
int cli__why(const struct cli__command *self, int argc, char **argv);
int cli__fetch(const struct cli__command *self, int argc, char **argv);
int cli__validate(const struct cli__command *self, int argc, char **argv);
int cli__export(const struct cli__command *self, int argc, char **argv);
int cli__recover(const struct cli__command *self, int argc, char **argv);
int cli__run(const struct cli__command *self, int argc, char **argv);
int cli__config(const struct cli__command *self, int argc, char **argv);
int cli__doctor(const struct cli__command *self, int argc, char **argv);
int cli__timeline(const struct cli__command *self, int argc, char **argv);
int cli__analyze(const struct cli__command *self, int argc, char **argv);
int cli__compare(const struct cli__command *self, int argc, char **argv);
int cli__tail_command(const struct cli__command *self, int argc, char **argv);
int cli__top_command(const struct cli__command *self, int argc, char **argv);
int cli__overview(void); /* `tailbox` alone */
void cli__help_target(FILE *out); /* `tailbox help target` */
/* To standard error what is wrong in a file of settings; nothing when nothing
 * is. */
void cli__config_tell(const char *file);

/* --- options -------------------------------------------------------------- */

enum cli__option_type {
	CLI__FLAG,     /* bool */
	CLI__TEXT,     /* const char * */
	CLI__LIST,     /* struct cli__list: may be given more than once */
	CLI__DURATION, /* uint64_t, ms */
	CLI__COUNT     /* uint64_t */
};

/* What a LIST gave, in the order of the command line; two options may fill
 * one list. Starts zeroed; cli__list_fini() in any case. */
struct cli__list {
	const char **items;
	size_t count, room;
};
void cli__list_fini(struct cli__list *l);

struct cli__option {
	const char *name; /* long; NULL ends the table */
	char letter;      /* 0 = none */
	enum cli__option_type type;
	void *to;
	/* DURATION, COUNT: the range. FLAG, TEXT: max 1 = twice is an error,
	 * 0 = the last one counts. */
	uint64_t min, max;
};

/* What --token-file, which every command takes, gave; NULL = nothing. */
extern const char *cli__token_file;
#define CLI__TOKEN_MAX 512u /* bytes */

/* Parse. On true argv[*first] is the first argument that is no option and
 * there are `min` to `max` of those; of CLI__REST the first one ends the
 * options, and what follows is not looked at. On false *rc is the exit code
 * (help was printed: CLI__DONE). */
#define CLI__REST INT_MAX
bool cli__options(const struct cli__command *self, int argc, char **argv,
                  const struct cli__option *options, int min, int max,
                  int *first, int *rc);

/* "30s", "500ms", "2m", "1h", "1.5s" to ms. False: no number, no unit, or
 * more than 1000 days. */
bool cli__duration(const char *text, uint64_t *ms);
bool cli__count(const char *text, uint64_t *value); /* digits only */

/* --- output and failure --------------------------------------------------- */

FILE *cli__out(void);
/* A line "tailbox: ..." on standard error. */
void cli__say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same; gives CLI__NO. */
int cli__fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same with how to call the command; gives CLI__USAGE. */
int cli__usage(const struct cli__command *self, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
int cli__no_memory(void);
/* Write a JSON text and a newline to cli__out() and finish j. Gives the exit
 * code. */
int cli__put_json(struct tailbox__json *j);
/* Whether text holds nothing that moves a terminal's cursor; for texts from
 * a service. Puts '?' in place of such bytes. */
void cli__clean(char *text);

/* --- growing text --------------------------------------------------------- */

struct cli__text { /* NUL-terminated when not empty */
	char *at;
	size_t len, room, max; /* max: 0 = no limit */
	bool has_failed;       /* no memory, or over max */
};
bool cli__text_add(struct cli__text *t, const char *s, size_t len);
void cli__text_fini(struct cli__text *t);

#endif
