/* controller/admin_report.h - GET /artifacts/ID/report.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CONTROLLER_ADMIN_REPORT_H
#define TAILBOX_CONTROLLER_ADMIN_REPORT_H 1

#include <limits.h>

#include "controller/admin_internal.h"
#include "controller/command.h"

#define TAILBOX__REPORT_WAITERS_MAX 4u

struct tailbox__report_made {
	/* Under the lock. */
	unsigned users; /* its thread is one */
	bool is_done;
	unsigned waiter_count;
	struct MHD_Connection *waiters[TAILBOX__REPORT_WAITERS_MAX];
	/* What it is of; constant. */
	struct tailbox__artifact_entry entry;
	bool as_text;
	char command[TAILBOX__CONFIG_PATH_MAX + 1];
	char path[PATH_MAX + 320];
	/* Of the thread until is_done. */
	struct tailbox__child child;
};

/* Whether the id that is asked for ends in "/report". */
bool tailbox__is_report(const struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_report(struct tailbox__admin_request *q);
/* admin_artifacts.c: the artifact of q->id, or the answer is sent. */
bool tailbox__admin_find_artifact(struct tailbox__admin_request *q,
                                  struct tailbox__artifact_entry *e,
                                  bool *is_native, enum MHD_Result *sent);

/* admin_report_send.c: what a child that is done has made; that there is no
 * command; that something else went wrong. */
enum MHD_Result tailbox__report_send(struct tailbox__admin_request *q,
                                     struct tailbox__report_made *m);
enum MHD_Result tailbox__report_no_command(struct tailbox__admin_request *q,
                                           const char *command,
                                           const char *why);
enum MHD_Result tailbox__report_failed(struct tailbox__admin_request *q,
                                       const char *detail, const char *more);

/* The request of a report ended; NULL allowed. */
void tailbox__report_release(struct tailbox__report_made *m);
void tailbox__admin_report_open(void);
/* The child that runs is killed; nobody waits for it any more. */
void tailbox__admin_report_close(void);
void tailbox__admin_report_in_child(void);

#endif
