/* core/cover.h - how far back a tape reaches, without a gap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_COVER_H
#define TAILBOX_CORE_COVER_H 1

#include "core/reader.h"

struct tailbox__cover {
	/* No record of a request that began at this tick or later has been
	 * overwritten, nor any of its stages, waits and gauge moves. 0: nothing
	 * has ever been. */
	uint64_t from_tick;
	/* The same of samples. */
	uint64_t samples_tick;
	uint64_t overwritten; /* blocks, since the tape began */
};

/* As the tape is now: read the records first, and what was read is covered
 * from there on. 0, -ENOMEM, -errno. */
int tailbox__cover(struct tailbox__reader *r, struct tailbox__cover *out);
/* How far back a run can reach that was to begin at `asked`: not before what
 * is covered, before the tape began, or before recording was switched on. */
uint64_t tailbox__cover_from(const struct tailbox__reader *r,
                             const struct tailbox__cover *c, uint64_t asked);

#endif
