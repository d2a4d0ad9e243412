/* core/cut.h - cut the recent past out of a tape: a snapshot.
 *
 * SPDX-License-Identifier: MIT
 *
 * The same for the controller, of its own tape, and for the command, of the
 * tape of a process that need not answer or live.
 */
#ifndef TAILBOX_CORE_CUT_H
#define TAILBOX_CORE_CUT_H 1

#include "core/assemble.h"

struct tailbox__cut {
	uint64_t last_ms;  /* how far back; 0 = all that is there */
	/* Cut here: an instant after which every begin is seen. 0: now where
	 * the writer runs, else the last that the tape shows. */
	uint64_t cut_tick;
	enum tailbox__mode mode;
	struct tailbox__limits limits;
	struct tailbox__run_sampler_config sampler;
	const char *run_id, *note; /* NULL: as tailbox__assembly_config */
	/* Further facts for metadata.tailbox; NULL = none. 0 or -ENOMEM. */
	int (*add_facts)(void *cls, struct tailbox__assembly *a);
	void *cls;
};

/* What was recorded of requests that began in the last `last_ms` is in the
 * run, or in as much of it as the tape covers: metadata says how much. Reads
 * the tape once, by a reader that has read nothing yet. What open requests
 * began before is in no run: it is counted. *out NULL on error. 0, -ENOMEM,
 * -errno. */
int tailbox__cut(struct tailbox__reader *r, const struct tailbox__cut *c,
                 struct tailbox__run **out, struct tailbox__error *err);

#endif
