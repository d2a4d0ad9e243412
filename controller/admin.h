/* controller/admin.h - the admin server: it answers when every worker is stuck.
 *
 * SPDX-License-Identifier: MIT
 *
 * Libmicrohttpd daemons of its own (one thread, few connections): on a Unix
 * socket in the run folder, and on TCP where the settings say so. They are
 * never wrapped and never measured, and no answer waits for a lock that a
 * thread of the application could hold.
 */
#ifndef TAILBOX_CONTROLLER_ADMIN_H
#define TAILBOX_CONTROLLER_ADMIN_H 1

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "core/error.h"
#include "core/tape.h"

#define TAILBOX__NOTES_MAX 16u
#define TAILBOX__NOTE_TEXT 512u

/* What tailbox_start() found out: written before the server starts and not
 * changed while it runs. */
struct tailbox__admin_facts {
	char service[64];         /* as in file names */
	char service_version[64]; /* "" = unknown */
	char run_dir[PATH_MAX];   /* absolute */
	char artifact_dir[PATH_MAX];
	bool is_run_dir_of_service; /* goes away when the service stops */
	struct tailbox__tape_wish wish; /* the tape was opened by it */
	bool is_recorded;         /* the tape is open */
	bool has_controller, has_sampler;
	char why_not[TAILBOX__ERROR_TEXT]; /* when it is not recorded */
	uint64_t started_ms;      /* wall */
	uint64_t started_mono_ms;
	/* Values that were replaced, parts that did not start. */
	uint32_t note_count, notes_lost;
	char notes[TAILBOX__NOTES_MAX][TAILBOX__NOTE_TEXT];
};

/* Start it. dirfd: the run folder; taken, also on failure. facts: borrowed
 * until stop. 0 or -errno; err says why. */
int tailbox__admin_start(const struct tailbox__admin_facts *facts, int dirfd,
                         struct tailbox__error *err);
/* After that: read the token, and listen on TCP too where the settings have an
 * address. c: copied. 1: it listens; 0: no address is set; -errno: it does
 * not, err says why, and the Unix socket goes on. */
int tailbox__admin_start_tcp(const struct tailbox__config_admin *c,
                             struct tailbox__error *err);
/* Stop, join, remove the socket. Does nothing when not started. */
void tailbox__admin_stop(void);
/* The path of the socket, "" when not started. */
const char *tailbox__admin_path(void);
/* "127.0.0.1:9180", "" when it does not listen on TCP. */
const char *tailbox__admin_tcp(void);
/* In a forked child: the thread is not there, the socket is the parent's. */
void tailbox__admin_in_child(void);
/* The same of tailbox_admin_handle(), which may be called when not started. */
void tailbox__mount_in_child(void);

#endif
