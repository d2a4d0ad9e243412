/* controller/after.h - what is done with an artifact once it is there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CONTROLLER_AFTER_H
#define TAILBOX_CONTROLLER_AFTER_H 1

#include <stdatomic.h>

#include "controller/internal.h"

#define TAILBOX__HEADLINE_SUFFIX ".headline"
/* Artifacts that wait; beyond them the newest goes without. */
#define TAILBOX__AFTER_MAX 16u

struct tailbox__after {
	char kind[12]; /* "window", "snapshot", "crash" */
	char id[24];   /* as it is asked for: "3" */
	char name[256];
	struct tailbox__wishes wishes;
	char headline[TAILBOX__HEADLINE_ROOM]; /* "" = not known */
};

/* --- after.c ------------------------------------------------------------ */

/* An artifact was placed. Waits for nothing. */
void tailbox__after(const struct tailbox__after *a);
/* The same of one that no window left: by the settings of now. */
void tailbox__after_made(const struct tailbox__artifact_key *key,
                         const char *name);
void tailbox__after_open(void);
/* Nothing begins any more, and what runs is told to end. */
void tailbox__after_close(void);
/* After that: until all of it has ended. */
void tailbox__after_wait(void);
void tailbox__after_in_child(void);

/* --- handover.c ----------------------------------------------------------- */

/* Between the tries, and from SIGTERM to SIGKILL. Tests shorten them. */
struct tailbox__handover_times {
	uint64_t pause_ms[2], term_ms;
};
extern struct tailbox__handover_times tailbox__handover_times;

/* Start its program, with all tries. Blocks as long as they take. */
void tailbox__hand_over(const struct tailbox__after *a,
                        const atomic_bool *stop);
/* It is not handed over (any more), after so many tries. */
void tailbox__handover_drop(const struct tailbox__after *a, unsigned tries,
                            const char *why);
/* With lock held. */
void tailbox__handover_reset(void);
void tailbox__handover_status(struct tailbox__handover_status *out);

/* --- headline.c --------------------------------------------------------- */

/* A line with its newline, as a headline: 1 to TAILBOX__HEADLINE_BYTES bytes of
 * UTF-8 without control characters. False: out is "". */
bool tailbox__headline_take(const char *line, size_t len,
                            char out[TAILBOX__HEADLINE_ROOM]);
/* 0, -ENOENT (the artifact is gone), -errno. */
int tailbox__folder_place_headline(int dirfd, const char *name,
                                   const char *headline,
                                   struct tailbox__error *err);

enum tailbox__headline_made {
	TAILBOX__HEADLINE_MADE,
	TAILBOX__HEADLINE_FAILED,     /* out has it all the same if only the
	                                 folder would not take it */
	TAILBOX__HEADLINE_NO_COMMAND, /* nothing was tried */
	TAILBOX__HEADLINE_NOT_WANTED  /* the artifact is gone, or we stop */
};
/* Have the headline made and keep it beside the artifact; why: "" or what
 * failed. Blocks as long as a child may take. */
enum tailbox__headline_made
tailbox__headline_make(const char *folder, const char *name,
                       const atomic_bool *stop,
                       char out[TAILBOX__HEADLINE_ROOM], char *why,
                       size_t size);

#endif
