/* core/metrics.c - the table of what the sampler measures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/metrics.h"

const struct tailbox__metric_info
        tailbox__metric_info[TAILBOX__METRIC_COUNT] = {
#define X(id, name, where)                                                     \
	[TAILBOX__METRIC_##id] = { name, TAILBOX__SCOPE_##where },
	TAILBOX__METRICS(X)
#undef X
};
