/* sampler/values.h - the values of one sample, while it is put together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_SAMPLER_VALUES_H
#define TAILBOX_SAMPLER_VALUES_H 1

#include <stdint.h>

#include "core/metrics.h"
#include "core/record.h"

/* A value that is not known: it is left out, never written as 0. */
#define TAILBOX__UNKNOWN UINT64_MAX

/* A sample and its values are one reservation, so they share one block: the
 * sample is one of its records and the rest hold four values each. */
#define TAILBOX__SAMPLE_RECORDS                                                \
	((TAILBOX__BLOCK_LEAST - sizeof(struct tailbox__block)) /              \
	 sizeof(struct tailbox__rec_sample))
#define TAILBOX__VALUES_MAX (4u * (unsigned)(TAILBOX__SAMPLE_RECORDS - 1))

struct tailbox__values {
	unsigned count;
	struct tailbox__value {
		uint16_t metric, subject;
		uint64_t value;
	} of[TAILBOX__VALUES_MAX];
};

static inline unsigned
tailbox__values_room(const struct tailbox__values *v)
{
	return TAILBOX__VALUES_MAX - v->count;
}

/* Leaves out what is unknown, and what there is no room for: callers look at
 * the room first, so that an object is in the sample whole or not at all. */
static inline void tailbox__values_add(struct tailbox__values *v,
                                       enum tailbox__metric metric,
                                       uint16_t subject, uint64_t value)
{
	if (value == TAILBOX__UNKNOWN || v->count == TAILBOX__VALUES_MAX)
		return;
	v->of[v->count++] =
	        (struct tailbox__value){ (uint16_t)metric, subject, value };
}

#endif
