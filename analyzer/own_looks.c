/* analyzer/own_looks.c - what the sampler saw of each worker.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/own.h"

#include <errno.h>
#include <stdlib.h>

#include "core/alloc.h"
#include "core/metrics.h"

static bool is_of_worker(unsigned metric)
{
	return metric < TAILBOX__METRIC_COUNT &&
	       tailbox__metric_info[metric].scope == TAILBOX__SCOPE_WORKER;
}

static void take(struct tailbox__own_look *to,
                 const struct tailbox__run_value *v)
{
	switch (v->metric) {
	case TAILBOX__METRIC_WORKER_CPU_US:
		to->cpu_us = v->value;
		break;
	case TAILBOX__METRIC_WORKER_RUNQ_US:
		to->runq_us = v->value;
		break;
	case TAILBOX__METRIC_WORKER_HELD_US:
		to->held_us = v->value;
		break;
	case TAILBOX__METRIC_WORKER_STATE:
		to->state = (uint8_t)v->value;
		break;
	case TAILBOX__METRIC_WORKER_WCHAN:
		to->wchan = (tailbox__str)v->value;
		break;
	default:
		break;
	}
}

static int by_worker(const void *a, const void *b)
{
	const struct tailbox__own_look *x = a, *y = b;

	if (x->worker != y->worker)
		return x->worker < y->worker ? -1 : 1;
	return (x->snapshot > y->snapshot) - (x->snapshot < y->snapshot);
}

/* By worker, then by snapshot, so that the look before is the one before. */
int tailbox__own_looks_make(struct tailbox__own *own)
{
	const struct tailbox__run *run = own->run;
	struct tailbox__own_look *l = NULL;
	size_t most = 0;

	for (size_t i = 0; i < run->values.count; i++)
		most += is_of_worker(run->values.items[i].metric);
	own->looks = tailbox__alloc(most, sizeof(*own->looks));
	if (!own->looks)
		return -ENOMEM;
	for (size_t i = 0; i < run->values.count; i++) {
		const struct tailbox__run_value *v = &run->values.items[i];

		if (!is_of_worker(v->metric) ||
		    v->snapshot >= run->snapshots.count)
			continue;
		if (!l || l->snapshot != v->snapshot ||
		    l->worker != v->subject) {
			l = &own->looks[own->look_count++];
			*l = (struct tailbox__own_look){
				.snapshot = v->snapshot,
				.worker = v->subject,
				.cpu_us = TAILBOX__NONE,
				.runq_us = TAILBOX__NONE,
				.held_us = TAILBOX__NONE,
			};
		}
		take(l, v);
	}
	qsort(own->looks, own->look_count, sizeof(*own->looks), by_worker);
	return 0;
}

bool tailbox__own_step(const struct tailbox__own *own, size_t i,
                       struct tailbox__own_step *out)
{
	const struct tailbox__own_look *b = &own->looks[i], *a = b - 1;
	const struct tailbox__run_snapshot *at = own->run->snapshots.items;

	if (i == 0 || a->worker != b->worker ||
	    !(at[a->snapshot].flags & TAILBOX__HAS_START_US) ||
	    !(at[b->snapshot].flags & TAILBOX__HAS_START_US) ||
	    b->cpu_us == TAILBOX__NONE || b->runq_us == TAILBOX__NONE)
		return false;
	*out = (struct tailbox__own_step){
		.from_us = at[a->snapshot].at_us,
		.to_us = at[b->snapshot].at_us,
		.cpu_us = b->cpu_us,
		.runq_us = b->runq_us,
	};
	return out->to_us > out->from_us;
}
