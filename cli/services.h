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
#define CLI__URL_MAX 512u

struct cli__service {
	char name[64], version[64];
	uint32_t pid;       /* as we see it, 0 = not known */
	uint32_t inner_pid; /* as its file names have it */
	/* Where to open them; "" = none. */
	char tape[CLI__PATH_MAX], sock[CLI__PATH_MAX];
	/* What to call them where that is not the same; "" = it is. */
	char shown_tape[CLI__PATH_MAX], shown_sock[CLI__PATH_MAX];
	char url[CLI__URL_MAX]; /* in their place; "" = none */
	/* Without a tape: LIVE or DEAD by the process. */
	enum tailbox__writer_state writer;
	uint64_t started_ms; /* wall; 0 = not known */
	uint64_t begun, finished, open, lost;
	uint64_t dev, ino; /* of the tape */
	bool is_by_pid; /* its files were found by its number: cli/process.h */
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
/* Facts of a socket, and of the tape beside it when there is one that can be
 * read. Always gives a service; a writer that is DEAD: nobody listens. */
void cli__service_of_socket(const char *path, struct cli__service *out);
/* Live, or stopped by a signal: its process is there. */
bool cli__is_alive(const struct cli__service *s);
/* "live", "stopped", "closed", "dead"; of a live one "unrecorded" when it has
 * no tape, "unreadable" when it has one that we cannot read. */
const char *cli__state_name(const struct cli__service *s);
/* What to call its tape, and whatever it was found by. */
const char *cli__tape_place(const struct cli__service *s);
const char *cli__place(const struct cli__service *s);
/* The table of `tailbox ls`: those left behind stand below those that live. */
void cli__put_services(const struct cli__services *s, FILE *out);
/* The i-th run folder; false when there is none. Unset ones are skipped. */
bool cli__run_folder(unsigned i, char *path, size_t size);

#endif
