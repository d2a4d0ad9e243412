/* core/config_file.h - settings out of a file, and what is wrong with it.
 *
 * SPDX-License-Identifier: MIT
 *
 * A file holds either the flat tables of config.h or the [controller...]
 * tables of spec/run-artifact.md section 10.7. It is taken whole or not at
 * all. In the flat tables an unknown key is an error, in [controller...] a
 * warning; [analyzer...] is the analyzer's and passed over.
 */
#ifndef TAILBOX_CORE_CONFIG_FILE_H
#define TAILBOX_CORE_CONFIG_FILE_H 1

#include "core/config.h"

#define TAILBOX__CONFIG_MESSAGES_MAX 32u

struct tailbox__config_message {
	uint32_t line, column; /* 0 = about the file as a whole */
	bool is_warning;
	char text[240]; /* one line of UTF-8, no control characters */
};

/* What was found in a file, in its order; about 8 KiB. */
struct tailbox__config_report {
	uint32_t count, errors, warnings; /* errors, warnings: all of them */
	struct tailbox__config_message items[TAILBOX__CONFIG_MESSAGES_MAX];
};

/* Put what the text says over *c. report: is set; NULL allowed. 0 (there may
 * be warnings), -TAILBOX_ESHAPE (errors; *c is as before), -ENOMEM (too). */
int tailbox__config_read(struct tailbox__config *c, const char *text,
                         size_t len, struct tailbox__config_report *report);
/* The same with a file; c->file becomes `path`. A file that cannot be read
 * is an error in the report, and -errno. Blocks while it reads; a pipe or
 * device is refused. */
int tailbox__config_load(struct tailbox__config *c, const char *path,
                         struct tailbox__config_report *report);
/* The first error, else the first warning; NULL: nothing to say. */
const struct tailbox__config_message *
tailbox__config_first(const struct tailbox__config_report *report);
/* "FILE:LINE:COLUMN: text", without what is 0. Cut to size. */
void tailbox__config_message_text(char *out, size_t size, const char *file,
                                  const struct tailbox__config_message *m);

#endif
