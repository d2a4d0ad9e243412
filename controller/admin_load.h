/* controller/admin_load.h - artifacts in memory, loaded beside the server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CONTROLLER_ADMIN_LOAD_H
#define TAILBOX_CONTROLLER_ADMIN_LOAD_H 1

#include "controller/admin_internal.h"
#include "core/run.h"

struct tailbox__loaded;

/* The run of an artifact, for this request until it ends.
 * 1: *out has it. 0: it is being loaded; the connection is suspended and the
 * request is answered again from the start when it is there. -EBUSY: too many
 * at a time; else why it cannot be loaded, err says more. */
int tailbox__load(struct tailbox__admin_request *q,
                  const struct tailbox__artifact_entry *e,
                  struct tailbox__loaded **out, struct tailbox__error *err);
const struct tailbox__run *tailbox__load_run(const struct tailbox__loaded *l);
/* One more user / one less (NULL allowed); the last one frees the run. */
struct tailbox__loaded *tailbox__load_keep(struct tailbox__loaded *l);
void tailbox__load_release(struct tailbox__loaded *l);

/* admin_stream.c: the run as JSON, gzipped or not; NULL without memory. */
struct MHD_Response *tailbox__admin_stream(struct tailbox__loaded *l,
                                           bool is_gzip);

#endif
