/* sampler/sample.h - put one sample together and onto the tape.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_SAMPLER_SAMPLE_H
#define TAILBOX_SAMPLER_SAMPLE_H 1

#include "core/daemons.h"
#include "sampler/listen.h"
#include "sampler/machine.h"
#include "sampler/scan.h"
#include "sampler/workers.h"

/* All memory that the sampler needs. Belongs to its thread. */
struct tailbox__sampling {
	struct tailbox__scan scan;
	struct tailbox__workers workers;
	struct tailbox__machine machine;
	struct tailbox__daemon daemons[TAILBOX__DAEMONS_MAX];
	struct tailbox__accept_queue queues[TAILBOX__DAEMONS_MAX];
	uint32_t daemon_count; /* recorded ones that are there */
	struct tailbox__values values;
};

/* For the tape that is open. *out NULL on error. 0 or -ENOMEM. */
int tailbox__sampling_create(struct tailbox__sampling **out);
/* Also closes all files. NULL allowed. */
void tailbox__sampling_destroy(struct tailbox__sampling *s);
/* Take a sample now and record it under the calling thread. interval_ms: the
 * cadence; late_us: how late this one is, may be UNKNOWN. False when it was
 * not recorded: the recorder is off, or no block was free. */
bool tailbox__sample_take(struct tailbox__sampling *s, uint32_t interval_ms,
                          uint64_t late_us);

#endif
