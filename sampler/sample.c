/* sampler/sample.c - put one sample together and onto the tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * The standard keys are whole in every sample (spec section 4): a depth with
 * nothing in it is 0. Only the accept queues belong to the kernel and may be
 * unreadable; one that is makes global_queue_depth null, for the sum of the
 * others would be a guess. Servers that are not recorded are not counted
 * anywhere.
 *
 * Everything else is a list of values (core/metrics.h) behind the sample. The
 * sample and its values are one reservation and so never torn apart, but a
 * block has room for VALUES_MAX of them. Machine and daemons go first, the
 * room of the pools is kept, and the workers get what is left, whole ones
 * only. So a sample with very many pools and daemons shows few workers or
 * none, and beyond that fewer pools; the standard keys count them all the
 * same.
 */
#include "sampler/sample.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/clock.h"

/* A hold that takes longer keeps others waiting, whatever the cadence. */
#define LONG_HOLD_MS 10u

enum {
	OWN_VALUES = 4, /* machine values that are made here */
	DAEMON_VALUES = 3,
	POOL_VALUES = 4
};

static_assert(sizeof(struct tailbox__rec_sample) == 64, "record size");
static_assert(sizeof(struct tailbox__rec_values) == 64, "record size");

int tailbox__sampling_create(struct tailbox__sampling **out)
{
	struct tailbox__sampling *s = tailbox__zalloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return -ENOMEM;
	if (tailbox__scan_init(&s->scan) != 0) {
		tailbox__free(s);
		return -ENOMEM;
	}
	tailbox__workers_init(&s->workers);
	tailbox__machine_init(&s->machine);
	*out = s;
	return 0;
}

void tailbox__sampling_destroy(struct tailbox__sampling *s)
{
	if (!s)
		return;
	tailbox__workers_close(&s->workers);
	tailbox__machine_close(&s->machine);
	tailbox__scan_fini(&s->scan);
	tailbox__free(s);
}

/* --- daemons -------------------------------------------------------------- */

static bool is_a_thread(uint32_t tid)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/task/%u", tid);
	return tid != 0 && access(path, F_OK) == 0;
}

/* A daemon that was stopped without our knowing stays in the list. It is gone
 * when its socket is and none of its threads is there. (The socket alone may
 * be gone: a quiesced daemon goes on without.) */
static bool is_gone(const struct tailbox__daemon *d,
                    const struct tailbox__scan *scan)
{
	if (d->listen_fd < 0 || d->tid_count == 0 || tailbox__is_listening(d))
		return false;
	for (uint32_t i = 0; i < scan->thread_count; i++)
		if (scan->threads[i].tid != 0 &&
		    scan->threads[i].daemon == d->number)
			return false;
	for (uint32_t i = 0; i < d->tid_count && i < 64; i++)
		if (is_a_thread(d->tids[i]))
			return false;
	return true;
}

/* The recorded ones that are there, in the order of the list, and their
 * accept queues. */
static void find_daemons(struct tailbox__sampling *s)
{
	uint32_t all = tailbox__daemons(s->daemons), kept = 0;

	for (uint32_t i = 0; i < all; i++) {
		const struct tailbox__daemon *d = &s->daemons[i];

		if (!d->is_recorded)
			continue;
		struct tailbox__accept_queue q = tailbox__accept_queue(d);
		if (q.now == TAILBOX__UNKNOWN && is_gone(d, &s->scan))
			continue;
		if (kept != i)
			s->daemons[kept] = *d;
		s->queues[kept++] = q;
	}
	s->daemon_count = kept;
}

/* UINT32_MAX where there is no fixed number. */
static uint32_t worker_count(const struct tailbox__sampling *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->daemon_count; i++) {
		const struct tailbox__daemon *d = &s->daemons[i];

		if (d->mode == TAILBOX__DAEMON_THREADS ||
		    (d->mode == TAILBOX__DAEMON_POOL && d->workers == 0))
			return UINT32_MAX;
		sum += d->mode == TAILBOX__DAEMON_POOL ? d->workers : 1;
	}
	return sum && sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

/* Two daemons may listen on one socket: its queue counts once. */
static bool is_counted(const struct tailbox__sampling *s, uint32_t upto)
{
	const struct tailbox__daemon *d = &s->daemons[upto];

	for (uint32_t i = 0; i < upto; i++)
		if (s->daemons[i].listen_fd >= 0 &&
		    s->daemons[i].listen_dev == d->listen_dev &&
		    s->daemons[i].listen_ino == d->listen_ino)
			return true;
	return false;
}

/* Adds the values of the daemons, gives the sum of their accept queues. */
static uint64_t add_daemons(struct tailbox__sampling *s)
{
	struct tailbox__values *out = &s->values;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->daemon_count; i++) {
		const struct tailbox__daemon *d = &s->daemons[i];
		const struct tailbox__accept_queue q = s->queues[i];

		if (d->listen_fd >= 0) {
			if (q.now == TAILBOX__UNKNOWN ||
			    sum == TAILBOX__UNKNOWN)
				sum = TAILBOX__UNKNOWN;
			else if (!is_counted(s, i))
				sum += q.now;
		}
		uint16_t number = (uint16_t)d->number;
		if (d->connection_limit)
			tailbox__values_add(out,
			                    TAILBOX__METRIC_CONNECTION_LIMIT,
			                    number, d->connection_limit);
		tailbox__values_add(out, TAILBOX__METRIC_ACCEPT_QUEUE, number,
		                    q.now);
		tailbox__values_add(out, TAILBOX__METRIC_ACCEPT_QUEUE_LIMIT,
		                    number, q.limit);
	}
	return sum;
}

/* --- pools ---------------------------------------------------------------- */

static uint64_t offload_waiting(const struct tailbox__scan *scan)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < scan->pool_count; i++)
		if (scan->pools[i].kind == TAILBOX_POOL_OFFLOAD)
			sum += scan->pools[i].waiting;
	return sum;
}

static void add_pools(struct tailbox__sampling *s)
{
	struct tailbox__clock_scale scale =
	        tailbox__scale_of_hz(tailbox__clock.hz);
	struct tailbox__values *out = &s->values;

	for (uint32_t i = 0; i < s->scan.pool_count; i++) {
		const struct tailbox__scan_pool *p = &s->scan.pools[i];

		if (tailbox__values_room(out) < POOL_VALUES)
			return;
		tailbox__values_add(out, TAILBOX__METRIC_POOL_WAITING, p->name,
		                    p->waiting);
		tailbox__values_add(out, TAILBOX__METRIC_POOL_BUSY, p->name,
		                    p->busy);
		tailbox__values_add(out, TAILBOX__METRIC_POOL_CAPACITY,
		                    p->name, p->capacity);
		if (p->oldest_ticks != TAILBOX__UNKNOWN)
			tailbox__values_add(
			        out, TAILBOX__METRIC_POOL_OLDEST_US, p->name,
			        tailbox__ticks_to_ns(scale, p->oldest_ticks) /
			                1000);
	}
}

/* --- one sample ----------------------------------------------------------- */

/* Values that the workers may have. */
static unsigned room_of_workers(const struct tailbox__sampling *s)
{
	unsigned others = OWN_VALUES + TAILBOX__MACHINE_VALUES_MAX +
	                  DAEMON_VALUES * s->daemon_count +
	                  POOL_VALUES * s->scan.pool_count;

	return others < TAILBOX__VALUES_MAX ? TAILBOX__VALUES_MAX - others : 0;
}

static uint64_t mono_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void add_machine(struct tailbox__sampling *s, uint64_t late_us)
{
	struct tailbox__values *out = &s->values;

	tailbox__values_add(out, TAILBOX__METRIC_CONNECTIONS, 0,
	                    s->scan.connections);
	tailbox__values_add(out, TAILBOX__METRIC_SUSPENDED, 0,
	                    s->scan.suspended);
	tailbox__values_add(out, TAILBOX__METRIC_BUSY_WORKERS, 0,
	                    s->workers.busy);
	tailbox__values_add(out, TAILBOX__METRIC_SAMPLER_LATE_US, 0, late_us);
	tailbox__machine_add(&s->machine, mono_ns(), out);
}

static bool record(struct tailbox__thread *t,
                   struct tailbox__rec_sample *sample,
                   const struct tailbox__values *values)
{
	unsigned more = (values->count + 3) / 4;
	size_t bytes = sizeof(*sample) * (1 + more);
	char *at = tailbox__reserve(t, TAILBOX__BLOCK_SAMPLES, bytes);

	if (!at)
		return false;
	sample->type = TAILBOX__REC_SAMPLE;
	sample->more = (uint8_t)more;
	tailbox__store(at, sample, sizeof(*sample));
	for (unsigned i = 0; i < values->count; i += 4) {
		struct tailbox__rec_values rec;

		memset(&rec, 0, sizeof(rec));
		rec.type = TAILBOX__REC_VALUES;
		while (rec.count < 4 && i + rec.count < values->count) {
			const struct tailbox__value *v =
			        &values->of[i + rec.count];

			rec.of[rec.count].metric = v->metric;
			rec.of[rec.count].subject = v->subject;
			rec.value[rec.count++] = v->value;
		}
		at += sizeof(rec);
		tailbox__store(at, &rec, sizeof(rec));
	}
	tailbox__publish(t, TAILBOX__BLOCK_SAMPLES, bytes);
	return true;
}

bool tailbox__sample_take(struct tailbox__sampling *s, uint32_t interval_ms,
                          uint64_t late_us)
{
	struct tailbox__thread *t =
	        tailbox__recorder_is_on() ? tailbox__thread_get() : NULL;
	uint32_t long_ms = interval_ms < LONG_HOLD_MS ? interval_ms :
	                                                LONG_HOLD_MS;
	struct tailbox__rec_sample sample;

	if (!t)
		return false;
	memset(&sample, 0, sizeof(sample));
	sample.tick = tailbox__now();
	tailbox__scan(&s->scan, sample.tick,
	              tailbox__us_to_ticks((uint64_t)long_ms * 1000));
	find_daemons(s);
	tailbox__workers_find(&s->workers, &s->scan, s->daemons,
	                      s->daemon_count, room_of_workers(s));
	s->values.count = 0;
	add_machine(s, late_us);
	sample.global_queue_depth = add_daemons(s);
	tailbox__workers_add(&s->workers, &s->scan, &s->values);
	add_pools(s);

	sample.worker_count = worker_count(s);
	sample.alive_tasks = s->scan.open;
	sample.local_queue_depth = s->workers.behind;
	sample.blocking_queue_depth = offload_waiting(&s->scan);
	sample.remote_schedule_count = s->scan.resumes;
	return record(t, &sample, &s->values);
}
