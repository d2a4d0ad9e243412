/* controller/admin_look.h - one look at the slots and threads of the tape.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CONTROLLER_ADMIN_LOOK_H
#define TAILBOX_CONTROLLER_ADMIN_LOOK_H 1

#include <tailbox.h>

#include "controller/admin_internal.h"
#include "core/clock.h"
#include "core/record.h"

/* Slots, threads and an instant; valid until the next look. */
struct tailbox__look {
	struct tailbox__reader *r;
	struct tailbox__clock_scale scale;
	uint64_t now;
	const struct tailbox__slot *slots;
	const struct tailbox__thread_entry *threads;
	long slot_count, thread_count;
};

/* 0, -ENODATA (not recorded) or another error for tailbox__look_failed(). */
int tailbox__look(struct tailbox__look *l);
enum MHD_Result tailbox__look_failed(struct tailbox__admin_request *q, int rc);
/* From a tick to the look; 0 for what lies behind it. */
uint64_t tailbox__look_us(const struct tailbox__look *l, uint64_t tick);

_Static_assert(TAILBOX_ID_MAX <= TAILBOX_NAME_MAX, "an id fits a route");
/* The bytes kept as id, whatever they are. Their number. */
size_t tailbox__look_id(const struct tailbox__slot *s,
                        char text[TAILBOX_ID_MAX + 1]);
/* The route; while it has no name yet, because no response has earned it
 * one, the middleware leaves what it would be called in the place of the id.
 * "" = none. */
void tailbox__look_route(const struct tailbox__look *l,
                         const struct tailbox__slot *s,
                         char text[TAILBOX_NAME_MAX + 1]);

/* The stage or wait that a request is in. */
struct tailbox__where {
	const char *kind; /* NULL = in no span */
	const char *name, *site;
	uint64_t for_us;
};
struct tailbox__where tailbox__look_where(const struct tailbox__look *l,
                                          const struct tailbox__slot *s);
/* As member `where`; as three cells of a table. */
void tailbox__look_put_where(struct tailbox__json *j,
                             const struct tailbox__where *w);
void tailbox__look_add_where(struct tailbox__text *t,
                             const struct tailbox__where *w);

/* --- admin_stacks.c ------------------------------------------------------ */

/* What was taken of the hold that began at tick `hold` of this thread (index;
 * negative: none), as member `stack`: null where nothing was. Places in files,
 * no names: nothing is looked up in a service. */
void tailbox__look_put_stack(struct tailbox__json *j,
                             const struct tailbox__look *l, long thread,
                             uint64_t hold);
/* The same as a cell: the innermost places, or "-". */
void tailbox__look_add_stack(struct tailbox__text *t,
                             const struct tailbox__look *l, long thread,
                             uint64_t hold);

#endif
