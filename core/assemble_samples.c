/* core/assemble_samples.c - samples become runtime snapshots and values.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/assemble_plan.h"

#include <errno.h>
#include <string.h>

#include "core/metrics.h"

/* What a value is about, in the run's terms; false = not to be kept. */
static bool subject_of(struct tailbox__plan *p, unsigned metric,
                       uint16_t subject, uint32_t *out, int *ret)
{
	if (tailbox__metric_info[metric].scope != TAILBOX__SCOPE_POOL) {
		*out = subject;
		return true;
	}
	*out = tailbox__plan_name(p, subject);
	if (subject && !*out)
		*ret = -ENOMEM;
	return *out != 0;
}

static int put_value(struct tailbox__plan *p, uint32_t snapshot,
                     unsigned metric, uint16_t subject, uint64_t value)
{
	uint32_t about;
	int ret = 0;

	if (metric >= TAILBOX__METRIC_COUNT || value == TAILBOX__NONE ||
	    !subject_of(p, metric, subject, &about, &ret))
		return ret;
	if (tailbox__metric_is_name(metric)) {
		const uint16_t name = (uint16_t)value;
		value = tailbox__plan_name(p, name);
		if (!value)
			return name ? -ENOMEM : 0;
	}
	struct tailbox__run_value *v = tailbox__list_add(&p->run->values);
	if (!v)
		return -ENOMEM;
	v->snapshot = snapshot;
	v->metric = (uint16_t)metric;
	v->subject = about;
	v->value = value;
	return 0;
}

static bool is_before(const struct tailbox__run_value *a,
                      const struct tailbox__run_value *b)
{
	const unsigned sa = tailbox__metric_info[a->metric].scope;
	const unsigned sb = tailbox__metric_info[b->metric].scope;

	if (sa != sb)
		return sa < sb;
	if (a->subject != b->subject)
		return a->subject < b->subject;
	return a->metric < b->metric;
}

/* By scope, then subject. By insertion: at most 1020 values come in one
 * sample, and they come nearly in order. */
static void order_values(struct tailbox__run_value *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct tailbox__run_value moving = v[i];
		size_t at = i;
		for (; at && is_before(&moving, &v[at - 1]); at--)
			v[at] = v[at - 1];
		v[at] = moving;
	}
}

static int put_values(struct tailbox__plan *p, const struct tailbox__unit *u,
                      unsigned more)
{
	const uint32_t snapshot = (uint32_t)(p->run->snapshots.count - 1);
	const size_t first = p->run->values.count;

	for (unsigned i = 1; i <= more; i++) {
		struct tailbox__rec_values r;
		memcpy(&r, &u[i], sizeof(r));
		if (r.type != TAILBOX__REC_VALUES)
			continue;
		for (unsigned k = 0; k < r.count && k < 4; k++) {
			int ret = put_value(p, snapshot, r.of[k].metric,
			                    r.of[k].subject, r.value[k]);
			if (ret < 0)
				return ret;
		}
	}
	if (p->run->values.count > first)
		order_values(p->run->values.items + first,
		             p->run->values.count - first);
	return 0;
}

static int put_sample(struct tailbox__plan *p, const struct tailbox__key *k)
{
	const struct tailbox__unit *u = &p->a->units.items[k->index];
	struct tailbox__run_snapshot *s = tailbox__list_add(&p->run->snapshots);
	struct tailbox__rec_sample r;

	if (!s)
		return -ENOMEM;
	memcpy(&r, u, sizeof(r));
	s->at_us = tailbox__plan_us(p, k->tick);
	s->at_ms = tailbox__plan_ms(p, s->at_us);
	s->flags = TAILBOX__HAS_START_US;
	s->alive_tasks = r.alive_tasks;
	s->global_queue_depth = r.global_queue_depth;
	s->local_queue_depth = r.local_queue_depth;
	s->blocking_queue_depth = r.blocking_queue_depth;
	s->remote_schedule_count = r.remote_schedule_count;
	/* No worker at all is not a number of workers: validation code 12. */
	if (r.worker_count && r.worker_count != UINT32_MAX) {
		s->worker_count = r.worker_count;
		s->flags |= TAILBOX__HAS_WORKERS;
	}
	return put_values(p, u, r.more);
}

int tailbox__plan_put_samples(struct tailbox__plan *p)
{
	for (size_t i = 0; i < p->samples.count; i++) {
		int ret = put_sample(p, &p->samples.items[i]);
		if (ret < 0)
			return ret;
	}
	return 0;
}
