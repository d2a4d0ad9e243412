/* cli/cmd_doctor.h - `tailbox doctor`: a table of checks.
 *
 * SPDX-License-Identifier: MIT
 *
 * A check looks at one thing, says in one line what it found, and judges it.
 * It never changes anything: what it tries on files goes by a file that has
 * no name.
 */
#ifndef TAILBOX_CLI_CMD_DOCTOR_H
#define TAILBOX_CLI_CMD_DOCTOR_H 1

#include <sys/types.h>

#include "analyzer/json_tree.h"
#include "cli/http.h"

enum cli__health {
	CLI__HEALTHY,
	CLI__DEGRADED, /* it goes on, with less */
	CLI__FAILED,   /* it does not do its work */
	CLI__HEALTH_COUNT
};

struct cli__finding {
	enum cli__health health;
	char found[640]; /* one line */
	char mend[320];  /* "" = the check's own */
};

/* Who is looked at. */
struct cli__patient {
	const struct cli__service *service; /* NULL = this machine */
	bool is_named;   /* TARGET was given */
	pid_t pid;       /* as we see it; 0 = not from here, or gone */
	char word[CLI__PATH_MAX];    /* how to name it in a command */
	char run_dir[CLI__PATH_MAX]; /* "" = none */
	bool is_of_unit;             /* it goes when the service stops */
	bool is_elsewhere;           /* its files are not where we see them */
	bool is_carried;             /* its socket is, by another process */
	struct cli__http http;       /* of /status */
	uint64_t answer_us;
	tailbox__tree *status;          /* NULL = no answer */
	tailbox__tree *kept;            /* of /artifacts; NULL = no answer */
	struct tailbox__reader *reader; /* of its tape; NULL = none */
	struct tailbox__error tape_error;
};

struct cli__check {
	const char *name;
	/* False: it does not apply, or nothing can be told: no line. */
	bool (*look)(struct cli__patient *p, struct cli__finding *f);
	const char *mend;
};
extern const struct cli__check cli__machine_checks[]; /* ended by name NULL */
extern const struct cli__check cli__service_checks[];

/* Fill in what was found; gives true. */
bool cli__found(struct cli__finding *f, enum cli__health health,
                const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A mend of this very case. */
void cli__mend(struct cli__finding *f, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

uint64_t cli__doctor_ns(void); /* CLOCK_MONOTONIC */
/* The first line of a small file into buf; 0 or -errno, buf "" then. */
int cli__doctor_read(const char *path, char *buf, size_t size);

/* --- cmd_doctor_folder.c -------------------------------------------------- */

bool cli__check_run_folder(struct cli__patient *p, struct cli__finding *f);
bool cli__check_fallocate(struct cli__patient *p, struct cli__finding *f);
/* Where files of `path` would lie: itself, or the nearest folder above that
 * is there. */
void cli__present_part(const char *path, char *at, size_t size);
/* A file without a name in `folder`; -errno. */
int cli__nameless(const char *folder);

/* --- cmd_doctor_artifacts.c ----------------------------------------------- */

bool cli__check_artifacts(struct cli__patient *p, struct cli__finding *f);

/* --- cmd_doctor_admin.c --------------------------------------------------- */

/* Ask its admin server, if it has one: fills http, status, kept. */
void cli__doctor_ask(struct cli__patient *p);
bool cli__check_socket(struct cli__patient *p, struct cli__finding *f);
bool cli__check_url(struct cli__patient *p, struct cli__finding *f);
bool cli__check_tcp(struct cli__patient *p, struct cli__finding *f);
bool cli__check_config(struct cli__patient *p, struct cli__finding *f);

/* --- cmd_doctor_memory.c -------------------------------------------------- */

bool cli__check_tape_size(struct cli__patient *p, struct cli__finding *f);
bool cli__check_tape(struct cli__patient *p, struct cli__finding *f);

/* --- cmd_doctor_kernel.c -------------------------------------------------- */

bool cli__check_clock(struct cli__patient *p, struct cli__finding *f);
bool cli__check_tcp_info(struct cli__patient *p, struct cli__finding *f);
bool cli__check_membarrier(struct cli__patient *p, struct cli__finding *f);
bool cli__check_proc(struct cli__patient *p, struct cli__finding *f);
bool cli__check_psi(struct cli__patient *p, struct cli__finding *f);
bool cli__check_limits(struct cli__patient *p, struct cli__finding *f);

/* --- cmd_doctor_service.c ------------------------------------------------- */

bool cli__check_process(struct cli__patient *p, struct cli__finding *f);
bool cli__check_recording(struct cli__patient *p, struct cli__finding *f);
bool cli__check_mhd(struct cli__patient *p, struct cli__finding *f);
bool cli__check_daemons(struct cli__patient *p, struct cli__finding *f);
bool cli__check_threads(struct cli__patient *p, struct cli__finding *f);
bool cli__check_losses(struct cli__patient *p, struct cli__finding *f);
bool cli__check_versions(struct cli__patient *p, struct cli__finding *f);
bool cli__check_notes(struct cli__patient *p, struct cli__finding *f);

#endif
