/* core/run_json.h - Run JSON (schema 2) as a stream.
 *
 * SPDX-License-Identifier: MIT
 *
 * The writer is pulled: a caller asks for the next bytes, so that a server
 * can send a run of any size from a fixed buffer without a thread of its own.
 */
#ifndef TAILBOX_CORE_RUN_JSON_H
#define TAILBOX_CORE_RUN_JSON_H 1

#include "core/run.h"

struct tailbox__run_json; /* a cursor */

/* Begin. run: borrowed until _close. 0 or -ENOMEM. */
int tailbox__run_json_open(const struct tailbox__run *run,
                           struct tailbox__run_json **out);
/* The next at most `room` bytes into buf. Returns the number, 0 at the end,
 * or -ENOMEM. room >= 1. */
long tailbox__run_json_read(struct tailbox__run_json *j, char *buf,
                            size_t room);
void tailbox__run_json_close(struct tailbox__run_json *j); /* NULL allowed */

/* All of it to fd, 0 or -errno. */
int tailbox__run_json_write(const struct tailbox__run *run, int fd);

/* For other documents that tell of a run. What is in the member `tailbox` of a
 * request, into the object that is open: doc/format.md lists the keys. */
struct tailbox__json;
void tailbox__run_json_request_facts(struct tailbox__json *j,
                                     const struct tailbox__run *run,
                                     const struct tailbox__run_ext *e);
/* One element of `open_requests`, of `holds`. */
void tailbox__run_json_open_request(struct tailbox__json *j,
                                    const struct tailbox__run *run,
                                    const struct tailbox__run_open *o);
void tailbox__run_json_hold(struct tailbox__json *j,
                            const struct tailbox__run *run,
                            const struct tailbox__run_hold *h);

#endif
