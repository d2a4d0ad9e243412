/* sampler/sampler.c - the thread: when samples are taken.
 *
 * SPDX-License-Identifier: MIT
 *
 * Deadlines are absolute and lie on a grid that begins with the first sample
 * or the last change of the interval, so that time spent sampling does not
 * add up. A tick that was missed altogether (a stopped process, a machine out
 * of CPU) is not made up for: the next sample says how late it was, which is
 * a sign of CPU pressure by itself.
 *
 * A condition variable on CLOCK_MONOTONIC and no timerfd: a new interval, the
 * stop and the deadline are one wait then, without a descriptor. The lock is
 * held for decisions only, never while a sample is taken, so that
 * tailbox__sampler_set_interval() does not wait for a slow /proc.
 *
 * A sample that was asked for lies beside the grid and does not move it.
 *
 * Parked, by the kill switch, it waits without a deadline; its interval is kept.
 *
 * The thread takes no signals: they are the application's.
 */
#include "sampler/sampler.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include <tailbox/sample.h>

#include "sampler/sample.h"

/* Between two that were asked for. */
#define ASKED_NS 10000000u
/* Enough for our frames many times over; a service that locks its memory
 * pays for the stack of each thread. */
#define STACK_BYTES (256u * 1024u)
/* A sample takes a tenth of a millisecond; more only on a machine in distress,
 * and the kill switch does not wait for that. */
#define PARK_NS 500000000u

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool is_running;
	bool must_stop;
	bool is_parked;
	bool is_taking; /* a sample is under way */
	bool is_due; /* take a sample now, and begin a new grid */
	bool is_asked; /* take one now, and leave the grid as it is */
	uint64_t asked_ns; /* when the last of those was taken */
	uint32_t interval_ms;
	struct tailbox__sampling *sampling;
} sampler = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Written by the thread, read by anybody; the values need not match. */
static _Atomic uint64_t cpu_ns, samples;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void wait_until(uint64_t deadline_ns)
{
	const struct timespec t = {
		.tv_sec = (time_t)(deadline_ns / 1000000000u),
		.tv_nsec = (long)(deadline_ns % 1000000000u),
	};

	pthread_cond_timedwait(&sampler.changed, &sampler.lock, &t);
}

/* Wait for the next tick with the lock held. False: stop. Otherwise the lock
 * is held still, *deadline_ns is the tick after this one and *late_us how
 * late this one is (UNKNOWN for the first of a grid). */
static bool wait_for_tick(uint64_t *deadline_ns, uint64_t *late_us)
{
	while (!sampler.must_stop) {
		const uint64_t step = (uint64_t)sampler.interval_ms * 1000000u;

		if (step == 0 || sampler.is_parked) {
			pthread_cond_wait(&sampler.changed, &sampler.lock);
			continue;
		}
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		if (sampler.is_due) {
			sampler.is_due = false;
			*deadline_ns = now + step;
			*late_us = TAILBOX__UNKNOWN;
			return true;
		}
		if (sampler.is_asked && now - sampler.asked_ns >= ASKED_NS) {
			sampler.is_asked = false;
			sampler.asked_ns = now;
			*late_us = TAILBOX__UNKNOWN;
			return true;
		}
		if (now >= *deadline_ns) {
			*late_us = (now - *deadline_ns) / 1000;
			*deadline_ns +=
			        ((now - *deadline_ns) / step + 1) * step;
			return true;
		}
		wait_until(sampler.is_asked &&
		                           sampler.asked_ns + ASKED_NS <
		                                   *deadline_ns
		                   ? sampler.asked_ns + ASKED_NS
		                   : *deadline_ns);
	}
	return false;
}

static void *run(void *arg)
{
	struct tailbox__sampling *sampling = arg;
	uint64_t deadline_ns = 0, late_us;

	tailbox__own_thread(true);
	pthread_setname_np(pthread_self(), "tailbox-sampler");
	pthread_mutex_lock(&sampler.lock);
	while (wait_for_tick(&deadline_ns, &late_us)) {
		uint32_t interval_ms = sampler.interval_ms;

		sampler.is_taking = true;
		pthread_mutex_unlock(&sampler.lock);
		bool is_recorded =
		        tailbox__sample_take(sampling, interval_ms, late_us);
		atomic_store_explicit(&cpu_ns,
		                      clock_ns(CLOCK_THREAD_CPUTIME_ID),
		                      memory_order_relaxed);
		atomic_fetch_add_explicit(&samples, is_recorded,
		                          memory_order_relaxed);
		pthread_mutex_lock(&sampler.lock);
		sampler.is_taking = false;
		/* For who parks it; nobody else waits here. */
		pthread_cond_broadcast(&sampler.changed);
	}
	pthread_mutex_unlock(&sampler.lock);
	tailbox__own_thread(false);
	return NULL;
}

/* With all signals blocked, which the thread inherits. */
static int create_thread(struct tailbox__sampling *sampling)
{
	pthread_attr_t attr;
	sigset_t all, before;

	sigfillset(&all);
	int rc = pthread_attr_init(&attr);
	if (rc != 0)
		return -rc;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&sampler.thread, &attr, run, sampling);
	if (rc == EINVAL) /* thread-local storage that fills the stack */
		rc = pthread_create(&sampler.thread, NULL, run, sampling);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}

static int create_condition(void)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);

	if (rc != 0)
		return -rc;
	rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (rc == 0)
		rc = pthread_cond_init(&sampler.changed, &attr);
	pthread_condattr_destroy(&attr);
	return -rc;
}

/* With the lock held. */
static int start(uint32_t interval_ms)
{
	int rc = tailbox__sampling_create(&sampler.sampling);

	if (rc != 0)
		return rc;
	rc = create_condition();
	if (rc != 0)
		goto no_condition;
	sampler.must_stop = sampler.is_parked = sampler.is_taking = false;
	sampler.is_asked = false;
	sampler.asked_ns = 0;
	sampler.is_due = true;
	sampler.interval_ms = interval_ms;
	atomic_store_explicit(&cpu_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&samples, 0, memory_order_relaxed);
	rc = create_thread(sampler.sampling);
	if (rc != 0)
		goto no_thread;
	sampler.is_running = true;
	return 0;
no_thread:
	pthread_cond_destroy(&sampler.changed);
no_condition:
	tailbox__sampling_destroy(sampler.sampling);
	sampler.sampling = NULL;
	return rc;
}

int tailbox__sampler_start(uint32_t interval_ms)
{
	int rc = -EALREADY;

	if (!tailbox__recorder_is_open())
		return -TAILBOX_ESTATE;
	pthread_mutex_lock(&sampler.lock);
	if (!sampler.is_running)
		rc = start(interval_ms);
	pthread_mutex_unlock(&sampler.lock);
	return rc;
}

void tailbox__sampler_stop(void)
{
	pthread_mutex_lock(&sampler.lock);
	bool is_mine = sampler.is_running && !sampler.must_stop;
	if (is_mine) {
		sampler.must_stop = true;
		pthread_cond_broadcast(&sampler.changed);
	}
	pthread_mutex_unlock(&sampler.lock);
	if (!is_mine)
		return;
	pthread_join(sampler.thread, NULL);

	pthread_mutex_lock(&sampler.lock);
	sampler.is_running = false;
	sampler.interval_ms = 0;
	pthread_cond_destroy(&sampler.changed);
	tailbox__sampling_destroy(sampler.sampling);
	sampler.sampling = NULL;
	pthread_mutex_unlock(&sampler.lock);
}

void tailbox__sampler_set_interval(uint32_t interval_ms)
{
	pthread_mutex_lock(&sampler.lock);
	if (sampler.is_running) {
		sampler.interval_ms = interval_ms;
		sampler.is_due = true;
		pthread_cond_broadcast(&sampler.changed);
	}
	pthread_mutex_unlock(&sampler.lock);
}

void tailbox__sampler_park(bool is_parked)
{
	const uint64_t until = clock_ns(CLOCK_MONOTONIC) + PARK_NS;

	pthread_mutex_lock(&sampler.lock);
	if (sampler.is_running && sampler.is_parked != is_parked) {
		sampler.is_parked = is_parked;
		sampler.is_due = true;
		pthread_cond_broadcast(&sampler.changed);
	}
	while (is_parked && sampler.is_running && sampler.is_taking &&
	       clock_ns(CLOCK_MONOTONIC) < until)
		wait_until(until);
	pthread_mutex_unlock(&sampler.lock);
}

int tailbox_sample_now(void)
{
	int rc = 0;

	pthread_mutex_lock(&sampler.lock);
	if (!sampler.is_running || sampler.must_stop) {
		rc = -TAILBOX_ESTATE;
	} else if (sampler.is_parked || sampler.interval_ms == 0) {
		rc = -ECANCELED;
	} else if (!sampler.is_asked) {
		sampler.is_asked = true;
		pthread_cond_broadcast(&sampler.changed);
	}
	pthread_mutex_unlock(&sampler.lock);
	return rc;
}

uint32_t tailbox__sampler_interval(void)
{
	pthread_mutex_lock(&sampler.lock);
	uint32_t interval_ms = sampler.interval_ms;
	pthread_mutex_unlock(&sampler.lock);
	return interval_ms;
}

void tailbox__sampler_cost(struct tailbox__sampler_cost *out)
{
	out->cpu_ns = atomic_load_explicit(&cpu_ns, memory_order_relaxed);
	out->samples = atomic_load_explicit(&samples, memory_order_relaxed);
}

void tailbox__sampler_in_child(void)
{
	/* The thread is not there, and the lock may be held by one that is
	 * not there either. Its files are ours to close. */
	sampler.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	sampler.is_running = false;
	sampler.must_stop = sampler.is_parked = sampler.is_taking = false;
	sampler.interval_ms = 0;
	tailbox__sampling_destroy(sampler.sampling);
	sampler.sampling = NULL;
	atomic_store_explicit(&cpu_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&samples, 0, memory_order_relaxed);
}
