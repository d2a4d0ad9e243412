/* cli/services.h - which processes are recorded, and which were.
 *
 * SPDX-License-Identifier: MIT
 *
 * From the tapes and sockets in the run folders: $TAILBOX_DIR,
 * $RUNTIME_DIRECTORY/tailbox, /dev/shm/tailbox-UID. No process is asked.
 */
#ifndef TAILBOX_CLI_SERVICES_H
#define TAILBOX_CLI_SERVICES_H 1

#include "cli/cli.h"
#include "core/reader.h"

#define CLI__SERVICES_MAX 4096u

struct cli__service {
	char name[64], version[64];
	uint32_t pid;
	char tape[CLI__PATH_MAX]; /* "" = none */
	char sock[CLI__PATH_MAX]; /* "" = none */
	/* Without a tape: LIVE or DEAD by the process. */
	enum tailbox__writer_state writer;
	uint64_t started_ms; /* wall; 0 = not known */
	uint64_t begun, finished, open, lost;
	uint64_t dev, ino; /* of the tape */
	bool is_unreadable; /* there is a tape, but of no use: tape is "" */
};

struct cli__services {
	struct cli__service *items;
	size_t count, room;
};

/* Find all: those that live first, then by name and pid. Files that cannot be
 * read are named on standard error when `tell`. 0 or an exit code (told). */
int cli__services(struct cli__services *out, bool tell);
void cli__services_fini(struct cli__services *s);
/* Facts of one tape. False (and told, when `tell`) when it cannot be read. */
bool cli__service_of_tape(const char *path, struct cli__service *out,
                          bool tell);
/* Live, or stopped by a signal: its process is there. */
bool cli__is_alive(const struct cli__service *s);
/* "live", "stopped", "closed", "dead"; of a live one "unrecorded" when it has
 * no tape, "unreadable" when it has one that we cannot read. */
const char *cli__state_name(const struct cli__service *s);
/* The table of `tailbox ls`. */
void cli__put_services(const struct cli__services *s, FILE *out);
/* The i-th run folder; false when there is none. Unset ones are skipped. */
bool cli__run_folder(unsigned i, char *path, size_t size);

#endif
