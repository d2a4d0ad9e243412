/* cli/load.h - any TARGET as a run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_LOAD_H
#define TAILBOX_CLI_LOAD_H 1

#include "cli/target.h"
#include "core/run.h"
#include "core/tape_run.h"

/* An artifact file or standard input ("-"); what goes wrong is told as
 * "FILE: offset N: reason". NULL then. */
struct tailbox__run *cli__load_file(const char *path);
/* All that a tape holds, as one run; open requests as unfinished. */
struct tailbox__run *cli__load_tape(const char *path);
/* To standard error what was left out; nothing where nothing was. */
void cli__tell_damage(const char *path, const struct tailbox__tape_damage *d);
/* Whatever the target is: its file, its artifact over HTTP ("#ID"), or its
 * tape; of a socket without a tape the newest artifact. */
struct tailbox__run *cli__load(const struct cli__target *t);

/* --- artifacts of a live service ------------------------------------------ */

struct cli__artifact { /* UINT64_MAX, "" = not known */
	char id[24]; /* "3", "s1", "c1" */
	char name[256];
	uint64_t bytes, requests;
};
/* Look one up: by id of this process or by name; "" = the newest one of
 * this process, else the newest. False: told. */
bool cli__artifact_find(const struct cli__target *t, const char *id,
                        struct cli__artifact *out);
/* The same of a listing that was fetched; 0 = there, 1 = not there. */
int cli__artifact_pick(const char *json, size_t len, const char *id,
                       struct cli__artifact *out);
/* Download into fd. is_json: as Run JSON, else native. False: told. */
bool cli__artifact_get(const struct cli__target *t,
                       const struct cli__artifact *a, bool is_json, int fd);

#endif
