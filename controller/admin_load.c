/* controller/admin_load.c - load artifacts without stopping the server.
 *
 * SPDX-License-Identifier: MIT
 *
 * A full window of 300 000 requests is a file of 120 MiB: a quarter of a
 * second from memory, and as long as it takes from a disk that hangs. So a
 * thread loads it, while its client's connection is suspended and /status is
 * answered. When it is there the connection is resumed, and the request is
 * answered again from the start: this time the run is at hand. Clients that
 * fetch the same artifact at one time share one run.
 *
 * `lock` guards the places, but for what a loading thread alone writes before
 * it leaves LOADING: the run and its error, which do not change after that.
 * Users come from the threads of both daemons and of mounted forms. A
 * connection is suspended only while its place is LOADING, and nothing begins
 * to load once is_closed is set: so when nothing is LOADING after that,
 * nothing is suspended, and the server may stop. (It aborts the process when
 * something is.)
 */
#include "controller/admin_load.h"
#include "controller/admin_report.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/artifact.h"
#include "core/daemons.h"

enum state { EMPTY, LOADING, THERE, FAILED };

struct tailbox__loaded {
	/* Under the lock. */
	struct tailbox__artifact_entry entry;
	unsigned users; /* 0 = the place is free */
	bool has_thread;
	pthread_t thread;
	enum state state;
	/* Written by the thread before it leaves LOADING. */
	struct tailbox__run *run;
	struct tailbox__error err;
	int rc;
	/* Under the lock. */
	unsigned waiter_count;
	struct MHD_Connection *waiters[TAILBOX__ADMIN_TRANSFERS_MAX];
};

static struct tailbox__loaded places[TAILBOX__ADMIN_TRANSFERS_MAX];
static unsigned transfers;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t loaded = PTHREAD_COND_INITIALIZER; /* for jobs */
static bool is_closed; /* the server is about to stop */

/* --- transfers --------------------------------------------------------- */

bool tailbox__admin_transfer(struct tailbox__admin_request *q)
{
	pthread_mutex_lock(&lock);
	if (!q->is_transfer && transfers < TAILBOX__ADMIN_TRANSFERS_MAX) {
		transfers++;
		q->is_transfer = true;
	}
	pthread_mutex_unlock(&lock);
	return q->is_transfer;
}

void tailbox__admin_transfer_end(struct tailbox__admin_request *q)
{
	tailbox__load_release(q->loaded), q->loaded = NULL;
	tailbox__report_release(q->report), q->report = NULL;
	tailbox__admin_snapshot_release(q->snapshot), q->snapshot = NULL;
	pthread_mutex_lock(&lock);
	if (q->is_transfer)
		transfers--;
	pthread_mutex_unlock(&lock);
	q->is_transfer = false;
}

/* --- the thread -------------------------------------------------------- */

static void read_run(struct tailbox__loaded *l)
{
	int fd = tailbox__artifact_open(&l->entry);

	l->rc = fd;
	if (fd < 0)
		return;
	l->rc = tailbox__artifact_read(fd, &l->run, &l->err);
	close(fd);
}

static void *load_thread(void *arg)
{
	struct tailbox__loaded *l = arg;

	tailbox__own_thread(true);
	pthread_setname_np(pthread_self(), "tailbox-load");
	read_run(l);
	pthread_mutex_lock(&lock);
	l->state = l->rc == 0 ? THERE : FAILED;
	for (unsigned i = 0; i < l->waiter_count; i++)
		MHD_resume_connection(l->waiters[i]);
	l->waiter_count = 0;
	pthread_cond_broadcast(&loaded);
	pthread_mutex_unlock(&lock);
	tailbox__own_thread(false);
	return NULL;
}

/* --- users ------------------------------------------------------------- */

const struct tailbox__run *tailbox__load_run(const struct tailbox__loaded *l)
{
	return l->run;
}

struct tailbox__loaded *tailbox__load_keep(struct tailbox__loaded *l)
{
	pthread_mutex_lock(&lock);
	l->users++;
	pthread_mutex_unlock(&lock);
	return l;
}

/* While it loads it has users, who wait for it: so the last one to go finds
 * the thread done. */
void tailbox__load_release(struct tailbox__loaded *l)
{
	struct tailbox__run *run = NULL;
	bool has_thread = false;
	pthread_t thread;

	if (l == NULL)
		return;
	pthread_mutex_lock(&lock);
	if (--l->users == 0) {
		has_thread = l->has_thread;
		thread = l->thread;
		run = l->run;
		l->has_thread = false;
		l->run = NULL;
		l->state = EMPTY;
	}
	pthread_mutex_unlock(&lock);
	if (has_thread)
		pthread_join(thread, NULL);
	tailbox__run_destroy(run);
}

static struct tailbox__loaded *find(const struct tailbox__artifact_entry *e)
{
	for (size_t i = 0; i < TAILBOX__ADMIN_TRANSFERS_MAX; i++)
		if (places[i].users > 0 &&
		    places[i].entry.checksum == e->checksum &&
		    strcmp(places[i].entry.name, e->name) == 0)
			return &places[i];
	return NULL;
}

/* Not tailbox__thread_start(): reading an artifact takes more stack. */
static bool start_thread(struct tailbox__loaded *l)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&l->thread, NULL, load_thread, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0;
}

/* A place that loads the artifact, or NULL. */
static struct tailbox__loaded *begin(const struct tailbox__artifact_entry *e)
{
	struct tailbox__loaded *l = places;

	/* As many places as transfers, but one that has just ended may not
	 * have let go of its run. */
	while (l < places + TAILBOX__ADMIN_TRANSFERS_MAX && l->users > 0)
		l++;
	if (l == places + TAILBOX__ADMIN_TRANSFERS_MAX || is_closed)
		return NULL;
	memset(l, 0, sizeof(*l));
	l->entry = *e;
	l->err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	l->state = LOADING;
	/* It writes without the lock, which nobody minds before it leaves
	 * LOADING. */
	l->has_thread = start_thread(l);
	if (!l->has_thread)
		l->state = EMPTY;
	return l->has_thread ? l : NULL;
}

/* 0 (the connection is suspended), 1 or -EBUSY. */
static int come_in(struct tailbox__admin_request *q,
                   const struct tailbox__artifact_entry *e)
{
	struct tailbox__loaded *l = q->loaded;

	if (l == NULL) {
		l = find(e);
		if (l == NULL)
			l = begin(e);
		if (l == NULL)
			return -EBUSY;
		l->users++;
		q->loaded = l;
	}
	/* A job has no connection, and a thread that may wait. */
	while (q->is_job && l->state == LOADING)
		pthread_cond_wait(&loaded, &lock);
	if (l->state != LOADING)
		return 1;
	MHD_suspend_connection(q->connection);
	l->waiters[l->waiter_count++] = q->connection;
	return 0;
}

int tailbox__load(struct tailbox__admin_request *q,
                  const struct tailbox__artifact_entry *e,
                  struct tailbox__loaded **out, struct tailbox__error *err)
{
	int rc;

	if (!tailbox__admin_transfer(q))
		return -EBUSY;
	pthread_mutex_lock(&lock);
	rc = come_in(q, e);
	pthread_mutex_unlock(&lock);
	if (rc <= 0)
		return rc;
	*out = q->loaded;
	if (q->loaded->rc == 0)
		return 1;
	*err = q->loaded->err;
	return q->loaded->rc;
}

/* --- start and stop ---------------------------------------------------- */

void tailbox__admin_load_open(void)
{
	pthread_mutex_lock(&lock);
	is_closed = false;
	pthread_mutex_unlock(&lock);
}

void tailbox__admin_load_close(void)
{
	const struct timespec moment = { 0, 1000000 };
	bool is_loading = true;

	while (is_loading) {
		is_loading = false;
		pthread_mutex_lock(&lock);
		is_closed = true;
		for (size_t i = 0; i < TAILBOX__ADMIN_TRANSFERS_MAX; i++)
			is_loading |= places[i].state == LOADING;
		pthread_mutex_unlock(&lock);
		if (is_loading)
			nanosleep(&moment, NULL);
	}
}

void tailbox__admin_load_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	pthread_cond_init(&loaded, NULL);
	tailbox__admin_report_in_child();
	tailbox__admin_snapshot_in_child();
	memset(places, 0, sizeof(places));
	transfers = 0;
}
