/* controller/controller.c - start and stop, and what its threads share.
 *
 * SPDX-License-Identifier: MIT
 *
 * There is one controller per process, as there is one tape.
 */
#include "controller/after.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/command.h"
#include "controller/trigger_watch.h"
#include "core/alloc.h"
#include "core/recorder.h"
#include "core/tailbox.h"

#define DRAIN_MS_DEFAULT 10000u
/* Enough for our frames many times over; a service that locks its memory pays
 * for the stack of each thread. */
#define STACK_BYTES (256u * 1024u)

struct tailbox__controller tailbox__c = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.follow_lock = PTHREAD_MUTEX_INITIALIZER,
	.arm_lock = PTHREAD_MUTEX_INITIALIZER,
};

void tailbox__lock(void)
{
	pthread_mutex_lock(&tailbox__c.lock);
}

void tailbox__unlock(void)
{
	pthread_mutex_unlock(&tailbox__c.lock);
}

uint64_t tailbox__mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void tailbox__wait(pthread_cond_t *cond, uint64_t ns)
{
	const uint64_t until = tailbox__mono_ns() + ns;
	const struct timespec ts = { .tv_sec = (time_t)(until / 1000000000u),
		                     .tv_nsec = (long)(until % 1000000000u) };

	pthread_cond_timedwait(cond, &tailbox__c.lock, &ts);
}

void tailbox__log(const char *fmt, ...)
{
	const struct tailbox__controller_config *c = &tailbox__c.config;
	char line[512];
	va_list args;

	if (!c->log)
		return;
	va_start(args, fmt);
	if (vsnprintf(line, sizeof(line), fmt, args) < 0)
		line[0] = '\0';
	va_end(args);
	c->log(c->log_cls, line);
}

int tailbox__thread_start(pthread_t *thread, void *(*run)(void *),
                          const char *name)
{
	pthread_attr_t attr;
	sigset_t all, before;

	int ret = pthread_attr_init(&attr);
	if (ret != 0)
		return -ret;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	/* The application's signals are for its own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(thread, &attr, run, NULL);
	if (ret == EINVAL) /* thread-local storage that fills the stack */
		ret = pthread_create(thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (ret == 0)
		pthread_setname_np(*thread, name);
	return -ret;
}

int tailbox__thread_detached(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int ret = pthread_attr_init(&attr);

	if (ret != 0)
		return -ret;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&thread, &attr, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

static int init_conditions(struct tailbox__controller *c)
{
	pthread_condattr_t attr;

	int ret = pthread_condattr_init(&attr);
	if (ret != 0)
		return -ret;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_t *const all[] = { &c->wake_finisher, &c->wake_follower,
		                        &c->after_changed, &c->snapshot_done,
		                        &c->wake_actor };
	size_t n = 0;
	while (ret == 0 && n < sizeof(all) / sizeof(all[0])) {
		ret = pthread_cond_init(all[n], &attr);
		n += ret == 0;
	}
	while (ret != 0 && n > 0)
		pthread_cond_destroy(all[--n]);
	pthread_condattr_destroy(&attr);
	return -ret;
}

/* A folder that cannot be had now is no failure: it is tried again for each
 * window, and the arm says what is wrong. */
static void try_folder(const struct tailbox__controller *c)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const int fd = tailbox__folder_open(c->config.artifact_dir, &err);

	if (fd >= 0)
		close(fd);
	else
		tailbox__log("%s", err.text);
}

static void clean_up(struct tailbox__controller *c)
{
	pthread_cond_destroy(&c->wake_finisher);
	pthread_cond_destroy(&c->wake_follower);
	pthread_cond_destroy(&c->after_changed);
	pthread_cond_destroy(&c->snapshot_done);
	pthread_cond_destroy(&c->wake_actor);
	tailbox__trigger_close();
	tailbox__reader_close(c->reader);
	c->reader = NULL;
	tailbox__lock();
	for (int i = 0; i < TAILBOX__ARTIFACT_KINDS; i++)
		tailbox__free(c->made[i].items);
	memset(c->made, 0, sizeof(c->made));
	memset(&c->window, 0, sizeof(c->window));
	c->is_started = false;
	tailbox__unlock();
}

/* Of a start that fails. */
static void stop_finisher(void)
{
	tailbox__lock();
	tailbox__c.is_stopping = true;
	tailbox__unlock();
	tailbox__finisher_stop();
}

static int start_threads(void)
{
	int ret = tailbox__follower_start();

	if (ret < 0)
		return ret;
	ret = tailbox__finisher_start();
	if (ret == 0) {
		ret = tailbox__actor_start();
		if (ret == 0)
			return 0;
		stop_finisher();
	}
	tailbox__follower_stop();
	return ret;
}

int tailbox__controller_start(const struct tailbox__controller_config *config)
{
	struct tailbox__controller *c = &tailbox__c;

	if (c->is_started)
		return -EALREADY;
	if (!tailbox__recorder_is_open())
		return -TAILBOX_ESTATE;
	int ret = init_conditions(c);
	if (ret < 0)
		return ret;
	c->config = *config;
	if (!c->config.drain_timeout_ms)
		c->config.drain_timeout_ms = DRAIN_MS_DEFAULT;
	tailbox__folder_service(c->service, config->service);
	c->next_id = 1;
	c->is_stopping = false;
	c->lost_blocks = c->follower_cpu_ns = c->follower_records = 0;
	c->follow_error = 0;
	memset(&c->folder, 0, sizeof(c->folder));
	memset(&c->snapshot, 0, sizeof(c->snapshot));
	memset(&c->costs, 0, sizeof(c->costs));
	c->costs.request_milli_ns = tailbox__cost_measure();
	tailbox__rates_init(
	        &c->rates, tailbox__mono_ns(),
	        TAILBOX__GET(tailbox__recorder.tape.header->next_ticket));
	tailbox__fill_open(c->config.fill);
	tailbox__trigger_open();
	ret = tailbox__reader_open_fd(tailbox__recorder.tape.fd, &c->reader,
	                              NULL);
	if (ret == 0) {
		tailbox__reader_map(c->reader, tailbox__recorder.tape.header,
		                    tailbox__recorder.tape.file_bytes);
		try_folder(c);
		tailbox__after_open();
		tailbox__rare_open();
		ret = start_threads();
	}
	if (ret < 0) {
		clean_up(c);
		return ret;
	}
	tailbox__lock();
	c->is_started = true;
	tailbox__unlock();
	tailbox__crashes_start();
	return 0;
}

void tailbox__controller_stop(void)
{
	struct tailbox__controller *c = &tailbox__c;

	/* First: what fired is kept, and that needs all the rest. */
	tailbox__actor_stop();
	/* After an arm that is under way, and before any other. */
	pthread_mutex_lock(&c->arm_lock);
	tailbox__lock();
	const bool is_started = c->is_started && !c->is_stopping;
	if (is_started) {
		c->is_stopping = true;
		tailbox__window_close(TAILBOX__END_SHUTDOWN, NULL);
	}
	/* It uses the tape and the folder. */
	while (is_started && c->snapshot.is_under_way)
		pthread_cond_wait(&c->snapshot_done, &c->lock);
	tailbox__unlock();
	pthread_mutex_unlock(&c->arm_lock);
	if (!is_started)
		return;
	/* Its children first: they end while the last window is written. */
	tailbox__after_close();
	tailbox__finisher_stop();
	tailbox__follower_stop();
	pthread_mutex_lock(&c->follow_lock);
	tailbox__rare_end(c->reader, true);
	pthread_mutex_unlock(&c->follow_lock);
	tailbox__crashes_stop();
	tailbox__after_wait();
	clean_up(c);
}

/* The threads are the parent's, and so is what they were in the middle of:
 * nothing is freed, only forgotten. The descriptors are closed. */
void tailbox__controller_in_child(void)
{
	struct tailbox__controller *c = &tailbox__c;
	struct tailbox__spool *spool = c->window.spool;

	tailbox__spool_forget(spool);
	memset(c, 0, sizeof(*c));
	tailbox__trigger_forget();
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->follow_lock, NULL);
	pthread_mutex_init(&c->arm_lock, NULL);
	tailbox__after_in_child();
	tailbox__command_in_child();
}
