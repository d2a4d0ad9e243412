/* analyzer/load.h - load an artifact, native or Run JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_ANALYZER_LOAD_H
#define TAILBOX_ANALYZER_LOAD_H 1

#include "core/run.h"

/* Load what fd holds, told apart by its first bytes; gzip of either is
 * unpacked. Pipes work. *out is NULL on error; err has place and reason.
 * 0, -errno, or -TAILBOX_E... of core/artifact.h and, for JSON (spec section
 * 2), -TAILBOX_EMALFORMED, -TAILBOX_ETRUNCATED, -TAILBOX_ESHAPE,
 * -TAILBOX_EVERSION. */
int tailbox__load_fd(int fd, struct tailbox__run **out,
                     struct tailbox__error *err);
/* By path; "-" = standard input. */
int tailbox__load_path(const char *path, struct tailbox__run **out,
                       struct tailbox__error *err);

/* Run JSON in memory or fed in pieces by read_fn (returns bytes, 0 at the
 * end, or -errno). A schema number other than 2 in a document of the right
 * shape: -TAILBOX_EVERSION. */
typedef long (*tailbox__read_fn)(void *cls, char *buf, size_t room);
int tailbox__load_json(tailbox__read_fn read_fn, void *cls,
                       struct tailbox__run **out, struct tailbox__error *err);

#endif
