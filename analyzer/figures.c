/* analyzer/figures.c - what every suspect is built from: latencies, shares of
 * waiting, depths, the trend.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 3. Also the state of worker counts (5.C), which is
 * judged before a run is normalized.
 */
#include <errno.h>

#include "analyzer/own.h"
#include "core/alloc.h"

/* --- shares of one request ------------------------------------------------ */

/* Queue events of a request: depths and counts, and whether one is partial. */
static bool look_at_queues(const struct tailbox__part *p, uint32_t from,
                           uint32_t to, struct tailbox__figures *f)
{
	const uint32_t *events = p->index->queues.events;
	bool has_partial = false;

	for (uint32_t i = from; i < to; i++) {
		const struct tailbox__run_span *e =
		        &p->run->queues.items[events[i]];
		const uint64_t depth = e->depth != TAILBOX__NONE ? e->depth : 0;

		if (e->flags & TAILBOX__PARTIAL) {
			has_partial = true;
			f->queue_partial++;
		} else if (depth > f->completed_depth) {
			f->completed_depth = depth;
		}
		if (depth > f->observed_depth)
			f->observed_depth = depth;
	}
	f->queue_count += to - from;
	return has_partial;
}

static void add_shares(struct tailbox__figures *f, uint64_t latency,
                       uint64_t completed, uint64_t observed)
{
	tailbox__shares_add(&f->completed,
	                    tailbox__permille(completed, latency));
	tailbox__shares_add(&f->observed, tailbox__permille(observed, latency));
	tailbox__shares_add(&f->service,
	                    tailbox__permille(latency - completed, latency));
}

/* What the request waited for but for a worker: as long as nothing is partial
 * what is known of it already. */
static int look_without_ingress(const struct tailbox__part *p,
                                struct tailbox__scratch *scratch, uint32_t at,
                                struct tailbox__figures *f)
{
	const struct tailbox__own_split *s = &p->own->split[at];
	const uint64_t latency = p->run->requests.items[at].latency_us;
	const uint64_t observed = tailbox__permille(s->wait_us, latency);
	uint64_t completed = observed;
	int rc = 0;

	f->own_queue_count += s->wait_count;
	if (latency == 0)
		return 0;
	if (p->index->queues.partial_count > 0) {
		size_t n;

		rc = tailbox__own_waits(p->own, &p->index->queues, scratch, at,
		                        &n);
		completed = rc < 0 ? 0
		                   : tailbox__attributed(
		                             scratch, p->run->queues.items,
		                             scratch->events, n, true, latency,
		                             &rc);
		completed = tailbox__permille(completed, latency);
		tailbox__shares_add(&f->own_observed, observed);
	}
	tailbox__shares_add(&f->own_completed, completed);
	return rc;
}

static int look_at_request(const struct tailbox__part *p,
                           struct tailbox__scratch *scratch, size_t i,
                           struct tailbox__figures *f)
{
	const struct tailbox__children *q = &p->index->queues;
	const struct tailbox__children *st = &p->index->stages;
	const struct tailbox__run_request *r;
	uint64_t completed, observed;
	uint32_t at, from, to;
	bool has_partial;
	int rc = 0;

	r = tailbox__part_request(p, i, &at);
	from = q->first[at];
	to = q->first[at + 1];
	if (tailbox__series_add(&f->latency, r->latency_us) < 0)
		return -ENOMEM;
	f->latency_sum = tailbox__sat_add(f->latency_sum, r->latency_us);
	has_partial = look_at_queues(p, from, to, f);
	f->stage_count += st->first[at + 1] - st->first[at];
	for (uint32_t k = st->first[at];
	     st->partial_count > 0 && k < st->first[at + 1]; k++)
		f->stage_partial += (p->run->stages.items[st->events[k]].flags &
		                     TAILBOX__PARTIAL) != 0;
	if (p->own)
		rc = look_without_ingress(p, scratch, at, f);
	else
		f->own_queue_count += to - from;
	if (rc < 0 || r->latency_us == 0)
		return rc;
	completed = tailbox__attributed(scratch, p->run->queues.items,
	                                q->events + from, to - from, true,
	                                r->latency_us, &rc);
	observed = !has_partial
	                   ? completed
	                   : tailbox__attributed(scratch, p->run->queues.items,
	                                         q->events + from, to - from,
	                                         false, r->latency_us, &rc);
	if (rc == 0)
		add_shares(f, r->latency_us, completed, observed);
	return rc;
}

/* --- snapshots ------------------------------------------------------------- */

static int add_known(struct tailbox__series *s, uint64_t value)
{
	return value == TAILBOX__NONE ? 0 : tailbox__series_add(s, value);
}

static int look_at_snapshots(const struct tailbox__part *p,
                             struct tailbox__figures *f)
{
	for (size_t i = 0; i < p->snapshot_count; i++) {
		const struct tailbox__run_snapshot *s = &p->snapshots[i];

		if (add_known(&f->blocking, s->blocking_queue_depth) < 0 ||
		    add_known(&f->global, s->global_queue_depth) < 0 ||
		    add_known(&f->local, s->local_queue_depth) < 0 ||
		    add_known(&f->alive, s->alive_tasks) < 0)
			return -ENOMEM;
	}
	f->global_p95 = tailbox__series_percentile(&f->global, 95);
	f->local_p95 = tailbox__series_percentile(&f->local, 95);
	f->alive_p95 = tailbox__series_percentile(&f->alive, 95);
	f->has_no_blocking = p->snapshot_count > 0 && f->blocking.count == 0;
	f->has_no_global = p->snapshot_count > 0 && f->global.count == 0;
	f->has_no_local = p->snapshot_count > 0 && f->local.count == 0;
	return 0;
}

void tailbox__classify_workers(const struct tailbox__run_snapshot *s, size_t n,
                               enum tailbox__workers *status, uint64_t *count)
{
	bool has_zero = false, has_two = false, lacks_one = false;
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i].global_queue_depth == TAILBOX__NONE)
			continue;
		if (!(s[i].flags & TAILBOX__HAS_WORKERS)) {
			lacks_one = true;
			continue;
		}
		has_zero = has_zero || s[i].worker_count == 0;
		has_two = has_two || (value != 0 && s[i].worker_count != value);
		value = s[i].worker_count;
	}
	*count = value;
	*status = has_zero     ? TAILBOX__WORKERS_INVALID_ZERO
	          : value == 0 ? TAILBOX__WORKERS_HISTORICAL_ABSENT
	          : has_two    ? TAILBOX__WORKERS_INCONSISTENT
	          : lacks_one  ? TAILBOX__WORKERS_PARTIAL
	                       : TAILBOX__WORKERS_COMPLETE;
}

/* --- all together ----------------------------------------------------------- */

int tailbox__figures_make(const struct tailbox__part *p,
                          struct tailbox__scratch *scratch,
                          struct tailbox__figures *f)
{
	int rc;

	*f = (struct tailbox__figures){ .p50 = TAILBOX__NONE };
	rc = tailbox__series_reserve(&f->latency, p->request_count);
	for (size_t i = 0; rc == 0 && i < p->request_count; i++)
		rc = look_at_request(p, scratch, i, f);
	if (rc == 0)
		rc = look_at_snapshots(p, f);
	if (rc == 0)
		rc = tailbox__trend_find(p, &f->trend);
	f->is_growing = f->trend.is_known && f->trend.sample_count >= 2 &&
	                f->trend.growth_delta > 0;
	f->p50 = tailbox__series_percentile(&f->latency, 50);
	f->p95 = tailbox__series_percentile(&f->latency, 95);
	f->p99 = tailbox__series_percentile(&f->latency, 99);
	f->completed_p95 = tailbox__shares_percentile(&f->completed, 95);
	f->observed_p95 = tailbox__shares_percentile(&f->observed, 95);
	f->own_completed_p95 =
	        p->own ? tailbox__shares_percentile(&f->own_completed, 95)
	               : f->completed_p95;
	f->own_observed_p95 =
	        !p->own ? f->observed_p95
	        : p->index->queues.partial_count > 0
	                ? tailbox__shares_percentile(&f->own_observed, 95)
	                : f->own_completed_p95;
	f->service_p95 = tailbox__shares_percentile(&f->service, 95);
	for (size_t i = 0; i < f->latency.count; i++)
		if (f->latency.items[i] >= f->p95)
			f->tail_sum = tailbox__sat_add(f->tail_sum,
			                               f->latency.items[i]);
	return rc;
}

void tailbox__figures_fini(struct tailbox__figures *f)
{
	tailbox__series_fini(&f->latency);
	tailbox__series_fini(&f->blocking);
	tailbox__series_fini(&f->global);
	tailbox__series_fini(&f->local);
	tailbox__series_fini(&f->alive);
}
