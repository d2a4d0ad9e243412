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
 * `lock` guards what the two threads share: state, waiters, is_closed. All
 * else belongs to the thread of the server. A connection is suspended only
 * while its place is LOADING, and nothing begins to load once is_closed is
 * set: so when nothing is LOADING after that, nothing is suspended, and the
 * server may stop. (It aborts the process when something is.)
 */
#include "controller/admin_load.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/artifact.h"
#include "core/daemons.h"

enum state { EMPTY, LOADING, THERE, FAILED };

struct tailbox__loaded {
	struct tailbox__artifact_entry entry;
	unsigned users; /* 0 = the place is free */
	bool has_thread;
	pthread_t thread;
	/* Written by the thread before it leaves LOADING. */
	struct tailbox__run *run;
	struct tailbox__error err;
	int rc;
	/* Under the lock. */
	enum state state;
	unsigned waiter_count;
	struct MHD_Connection *waiters[TAILBOX__ADMIN_TRANSFERS_MAX];
};

static struct tailbox__loaded places[TAILBOX__ADMIN_TRANSFERS_MAX];
static unsigned transfers;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_closed; /* the server is about to stop */

/* --- transfers --------------------------------------------------------- */

bool tailbox__admin_transfer(struct tailbox__admin_request *q)
{
	if (q->is_transfer)
		return true;
	if (transfers == TAILBOX__ADMIN_TRANSFERS_MAX)
		return false;
	transfers++;
	q->is_transfer = true;
	return true;
}

void tailbox__admin_transfer_end(struct tailbox__admin_request *q)
{
	tailbox__load_release(q->loaded), q->loaded = NULL;
	if (q->is_transfer)
		transfers--;
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

static void set_state(struct tailbox__loaded *l, enum state state)
{
	pthread_mutex_lock(&lock);
	l->state = state;
	for (unsigned i = 0; i < l->waiter_count; i++)
		MHD_resume_connection(l->waiters[i]);
	l->waiter_count = 0;
	pthread_mutex_unlock(&lock);
}

static void *load_thread(void *arg)
{
	struct tailbox__loaded *l = arg;

	tailbox__own_thread(true);
	pthread_setname_np(pthread_self(), "tailbox-load");
	read_run(l);
	set_state(l, l->rc == 0 ? THERE : FAILED);
	tailbox__own_thread(false);
	return NULL;
}

static void join(struct tailbox__loaded *l)
{
	if (l->has_thread)
		pthread_join(l->thread, NULL);
	l->has_thread = false;
}

/* --- users ------------------------------------------------------------- */

const struct tailbox__run *tailbox__load_run(const struct tailbox__loaded *l)
{
	return l->run;
}

struct tailbox__loaded *tailbox__load_keep(struct tailbox__loaded *l)
{
	l->users++;
	return l;
}

void tailbox__load_release(struct tailbox__loaded *l)
{
	if (l == NULL || --l->users > 0)
		return;
	join(l);
	tailbox__run_destroy(l->run), l->run = NULL;
	set_state(l, EMPTY);
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

/* A place in state LOADING, or NULL. */
static struct tailbox__loaded *
take_place(const struct tailbox__artifact_entry *e)
{
	struct tailbox__loaded *l = places;

	/* As many places as transfers, but one that has just ended may not
	 * have let go of its run. */
	while (l < places + TAILBOX__ADMIN_TRANSFERS_MAX && l->users > 0)
		l++;
	if (l == places + TAILBOX__ADMIN_TRANSFERS_MAX)
		return NULL;
	pthread_mutex_lock(&lock);
	if (is_closed) {
		l = NULL;
	} else {
		memset(l, 0, sizeof(*l));
		l->state = LOADING;
	}
	pthread_mutex_unlock(&lock);
	if (l == NULL)
		return NULL;
	l->entry = *e;
	l->err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	return l;
}

static struct tailbox__loaded *begin(const struct tailbox__artifact_entry *e)
{
	struct tailbox__loaded *l = take_place(e);

	if (l == NULL)
		return NULL;
	/* It inherits the mask that blocks all signals. */
	l->has_thread = pthread_create(&l->thread, NULL, load_thread, l) == 0;
	if (!l->has_thread) {
		read_run(l);
		set_state(l, l->rc == 0 ? THERE : FAILED);
	}
	return l;
}

/* Whether the request has to wait; its connection then is suspended. */
static bool waits(struct tailbox__loaded *l, struct tailbox__admin_request *q)
{
	bool is_loading;

	pthread_mutex_lock(&lock);
	is_loading = l->state == LOADING;
	if (is_loading) {
		MHD_suspend_connection(q->connection);
		l->waiters[l->waiter_count++] = q->connection;
	}
	pthread_mutex_unlock(&lock);
	return is_loading;
}

int tailbox__load(struct tailbox__admin_request *q,
                  const struct tailbox__artifact_entry *e,
                  struct tailbox__loaded **out, struct tailbox__error *err)
{
	struct tailbox__loaded *l = q->loaded;

	if (!tailbox__admin_transfer(q))
		return -EBUSY;
	if (l == NULL) {
		l = find(e);
		if (l == NULL)
			l = begin(e);
		if (l == NULL)
			return -EBUSY;
		q->loaded = tailbox__load_keep(l);
	}
	if (waits(l, q))
		return 0;
	join(l);
	*out = l;
	if (l->rc == 0)
		return 1;
	*err = l->err;
	return l->rc;
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
	memset(places, 0, sizeof(places));
	transfers = 0;
}
