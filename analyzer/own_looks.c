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
	case TAILBOX__METRIC_WORKER_CONNECTIONS:
		to->connections = v->value;
		break;
	case TAILBOX__METRIC_WORKER_READY:
		to->unserved = v->value;
		break;
	case TAILBOX__METRIC_WORKER_STATE:
		to->state = v->value < 128 ? (uint8_t)v->value : 0;
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
	return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

static bool begins_look(const struct tailbox__run *run, size_t i, size_t before)
{
	const struct tailbox__run_value *v = run->values.items;

	return before == SIZE_MAX || v[i].snapshot != v[before].snapshot ||
	       v[i].subject != v[before].subject;
}

static uint64_t at_of(const struct tailbox__run_snapshot *at)
{
	return at->flags & TAILBOX__HAS_START_US ? at->at_us : TAILBOX__NONE;
}

/* Fill in the looks, if there is room for them; count them. The values of a
 * look stand together. */
static size_t collect(const struct tailbox__run *run,
                      struct tailbox__own_look *looks)
{
	size_t count = 0, before = SIZE_MAX;

	for (size_t i = 0; i < run->values.count; i++) {
		const struct tailbox__run_value *v = &run->values.items[i];

		if (!is_of_worker(v->metric) ||
		    v->snapshot >= run->snapshots.count)
			continue;
		if (begins_look(run, i, before)) {
			const struct tailbox__run_snapshot *at =
			        &run->snapshots.items[v->snapshot];

			if (looks)
				looks[count] = (struct tailbox__own_look){
					.worker = v->subject,
					.at_us = at_of(at),
					.cpu_us = TAILBOX__NONE,
					.runq_us = TAILBOX__NONE,
					.held_us = TAILBOX__NONE,
					.connections = TAILBOX__NONE,
					.unserved = TAILBOX__NONE,
				};
			count++;
		}
		if (looks)
			take(&looks[count - 1], v);
		before = i;
	}
	return count;
}

/* By worker, then by time, so that the look before is the one before. */
int tailbox__own_looks_make(struct tailbox__own *own)
{
	const size_t count = collect(own->run, NULL);
	struct tailbox__own_step s;

	own->looks = tailbox__alloc(count, sizeof(*own->looks));
	if (!own->looks)
		return -ENOMEM;
	own->look_count = collect(own->run, own->looks);
	qsort(own->looks, count, sizeof(*own->looks), by_worker);
	for (size_t i = 0; i < count; i++) {
		struct tailbox__own_look *l = &own->looks[i];

		l->ready_us = i > 0 && l[-1].worker == l->worker
		                      ? l[-1].ready_us
		                      : 0;
		if (tailbox__own_step(own, i, &s))
			l->ready_us += s.runq_us;
	}
	return 0;
}

bool tailbox__own_step(const struct tailbox__own *own, size_t i,
                       struct tailbox__own_step *out)
{
	const struct tailbox__own_look *b = &own->looks[i];

	/* Looks whose time is not known come last. */
	if (i == 0 || b[-1].worker != b->worker ||
	    b->at_us == TAILBOX__NONE || b->at_us <= b[-1].at_us ||
	    b->cpu_us == TAILBOX__NONE || b->runq_us == TAILBOX__NONE)
		return false;
	*out = (struct tailbox__own_step){
		.from_us = b[-1].at_us,
		.to_us = b->at_us,
		.cpu_us = b->cpu_us,
		/* It cannot have waited for longer than there was. */
		.runq_us = tailbox__min_u64(b->runq_us,
		                            b->at_us - b[-1].at_us),
	};
	return true;
}

bool tailbox__own_total(const struct tailbox__run *run, unsigned metric,
                        struct tailbox__own_total *out)
{
	uint64_t first = 0, last = 0, from = TAILBOX__NONE, to = 0;

	for (size_t i = 0; i < run->values.count; i++) {
		const struct tailbox__run_value *v = &run->values.items[i];
		const struct tailbox__run_snapshot *at;

		if (v->metric != metric || v->snapshot >= run->snapshots.count)
			continue;
		at = &run->snapshots.items[v->snapshot];
		if (!(at->flags & TAILBOX__HAS_START_US))
			continue;
		if (from == TAILBOX__NONE || at->at_us < from) {
			from = at->at_us;
			first = v->value;
		}
		if (at->at_us >= to) {
			to = at->at_us;
			last = v->value;
		}
	}
	if (from == TAILBOX__NONE || to <= from || last < first)
		return false;
	*out = (struct tailbox__own_total){ last - first, to - from };
	return true;
}
