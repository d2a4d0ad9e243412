/* cli/from_tape.h - the state of a process, from its tape alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_FROM_TAPE_H
#define TAILBOX_CLI_FROM_TAPE_H 1

#include "cli/cli.h"
#include "core/reader.h"
#include "core/task.h"

/* What the tape shows, copied at once. */
struct cli__tape_view {
	struct tailbox__reader *reader;
	enum tailbox__writer_state writer;
	const struct tailbox__slot **open; /* oldest first */
	size_t open_count;
	const struct tailbox__slot *slots;
	const struct tailbox__thread_entry *threads;
	long slot_count, thread_count;
	uint64_t now;       /* tick up to which the durations count */
	bool is_now_exact;  /* else the last that the tape shows */
	uint32_t pid;       /* of the writer as we see it; 0 = gone or hidden */
};

/* False: told. */
bool cli__tape_view_open(struct cli__tape_view *v, const char *path);
void cli__tape_view_close(struct cli__tape_view *v);

/* Ticks from then to the view's now, in ns. */
uint64_t cli__tape_age_ns(const struct cli__tape_view *v, uint64_t tick);
/* Start of an open request, its ingress wait included. */
uint64_t cli__tape_start(const struct tailbox__slot *s);

/* Kinds of losses, worst first; ended by key NULL. */
struct cli__tape_loss {
	const char *key, *text;
	bool is_header; /* at: index into the header's, else a counter */
	size_t at;
};
extern const struct cli__tape_loss cli__tape_losses[];
uint64_t cli__tape_lost(struct cli__tape_view *v,
                        const struct cli__tape_loss *l);
/* "handler", "completed" ...; "idle" for none. */
const char *cli__tape_hold(uint32_t kind);
const char *cli__tape_phase(uint32_t phase);
/* The slot that a worker is held by; NULL when it is not (any longer). */
const struct tailbox__slot *
cli__tape_held(const struct cli__tape_view *v,
               const struct tailbox__thread_entry *t);

/* What a worker that has been held for a clock tick or longer does in the
 * kernel, asked of the kernel. False: it is not held so long, or its process is
 * gone. */
bool cli__tape_task(const struct cli__tape_view *v,
                    const struct tailbox__thread_entry *t,
                    struct tailbox__task *out);

/* As text, or as one JSON object, to cli__out(). Gives the exit code. */
int cli__tape_status(const char *path, bool is_json);
/* The JSON part of it. */
void cli__tape_json(struct cli__tape_view *v, struct tailbox__json *j);

#endif
