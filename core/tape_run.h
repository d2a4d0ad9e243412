/* core/tape_run.h - all that a tape holds, as one run.
 *
 * SPDX-License-Identifier: MIT
 *
 * For tapes of processes that are dead (a crash artifact), and for those that
 * live and are only looked at. A tape has no checksums, and a file that calls
 * itself a tape may hold anything: what cannot be is left out, counted, and
 * told in the run.
 */
#ifndef TAILBOX_CORE_TAPE_RUN_H
#define TAILBOX_CORE_TAPE_RUN_H 1

#include "core/reader.h"
#include "core/run.h"
#include "core/tape_feed.h"

struct tailbox__tape_run_options {
	/* Take about that much of the newest blocks, so that a huge tape costs
	 * no more memory than a usual one; 0 = all of it. What is older is
	 * told by the key "left_out_blocks". */
	uint64_t newest_bytes;
	bool is_crash; /* its writer is dead: end_detail "crash" */
};

/* o: NULL = all of it. damage: NULL = not wanted; it is in the run as well
 * (key "damaged", and a warning that says what). 0, -ENOMEM, -errno; err says
 * why. *out NULL on error. */
int tailbox__tape_run(struct tailbox__reader *r,
                      const struct tailbox__tape_run_options *o,
                      struct tailbox__run **out,
                      struct tailbox__tape_damage *damage,
                      struct tailbox__error *err);

/* The second (UTC) of a tape's last sign of life: of the crash, where its
 * writer is dead. run: what was made of it. */
uint64_t tailbox__tape_run_second(const struct tailbox__run *run);

#endif
