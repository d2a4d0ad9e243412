/* controller/start_internal.h - what the files of tailbox_start() share.
 *
 * SPDX-License-Identifier: MIT
 *
 * With start.c's lock held, but for what admin reads of the facts.
 */
#ifndef TAILBOX_CONTROLLER_START_INTERNAL_H
#define TAILBOX_CONTROLLER_START_INTERNAL_H 1

#include <tailbox.h>

#include "controller/admin.h"
#include "core/error.h"

struct tailbox__start {
	struct tailbox_options options;
	struct tailbox__admin_facts facts;
};
extern struct tailbox__start tailbox__start;

/* To the application's log. */
void tailbox__start_say(const char *fmt, ...)
        __attribute__((format(printf, 1, 2)));
/* The same, and kept for /status. */
void tailbox__start_note(const char *fmt, ...)
        __attribute__((format(printf, 1, 2)));

/* --- start_given.c ----------------------------------------------------- */

/* Take options, environment, configuration, name and version. 0, or
 * -ECANCELED: one of them says off. */
int tailbox__start_take(const char *service,
                        const struct tailbox_options *opts);
/* Descriptor of the run folder, or why there is none. */
int tailbox__start_run_folder(struct tailbox__error *err);
/* PATH, for programs that are started; NULL = there is none. */
const char *tailbox__start_path(void);
/* Choose where artifacts go; the run folder is known. */
void tailbox__start_artifact_folder(void);

#endif
