/* core/daemons.c - the list of servers in this process.
 *
 * SPDX-License-Identifier: MIT
 *
 * Touched when a daemon starts or stops and once per sample, never by a
 * request; so a lock is right here.
 */
#include "core/daemons.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define OWN_MAX 16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tailbox__daemon table[TAILBOX__DAEMONS_MAX];
static uint32_t last_number;
static char library[16];
static uint32_t own[OWN_MAX];
static uint64_t ended_ns; /* CPU time of those that have ended */

int tailbox__daemon_add(struct tailbox__daemon *d)
{
	int rc = -ENOSPC;

	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < TAILBOX__DAEMONS_MAX; i++) {
		if (table[i].number != 0)
			continue;
		d->number = ++last_number;
		table[i] = *d;
		rc = 0;
		break;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

void tailbox__daemon_remove(uint32_t number)
{
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < TAILBOX__DAEMONS_MAX; i++)
		if (number != 0 && table[i].number == number)
			memset(&table[i], 0, sizeof(table[i]));
	pthread_mutex_unlock(&lock);
}

uint32_t tailbox__daemons(struct tailbox__daemon *out)
{
	uint32_t n = 0;

	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < TAILBOX__DAEMONS_MAX; i++)
		if (table[i].number != 0)
			out[n++] = table[i];
	pthread_mutex_unlock(&lock);
	return n;
}

void tailbox__daemon_set_library(const char *version)
{
	pthread_mutex_lock(&lock);
	if (library[0] == '\0')
		snprintf(library, sizeof(library), "%s", version);
	pthread_mutex_unlock(&lock);
}

/* Set once, before the first daemon is added; so it may be read freely by
 * whoever has seen a daemon. */
const char *tailbox__daemon_library(void)
{
	const char *text;

	pthread_mutex_lock(&lock);
	text = library;
	pthread_mutex_unlock(&lock);
	return text;
}

/* The clock of any thread of this process; what pthread_getcpuclockid() makes
 * of the tid, which is all we have of threads that others create. */
static uint64_t cpu_ns(uint32_t tid)
{
	const clockid_t clock = (clockid_t)(~tid << 3 | 6);
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t tailbox__own_threads_cpu_ns(void)
{
	uint64_t sum;

	pthread_mutex_lock(&lock);
	sum = ended_ns;
	for (int i = 0; i < OWN_MAX; i++)
		if (own[i] != 0)
			sum += cpu_ns(own[i]);
	pthread_mutex_unlock(&lock);
	return sum;
}

static tailbox_request (*_Atomic find_request)(void *connection);

void tailbox__set_request_of(tailbox_request (*find)(void *connection))
{
	/* Always the same one, and it depends on nothing: relaxed will do. */
	atomic_store_explicit(&find_request, find, memory_order_relaxed);
}

tailbox_request tailbox__request_of(void *connection)
{
	tailbox_request (*find)(void *c) =
	        atomic_load_explicit(&find_request, memory_order_relaxed);

	return find != NULL ? find(connection) : NULL;
}

void tailbox__own_thread(bool is_started)
{
	uint32_t me = (uint32_t)syscall(SYS_gettid);
	uint32_t from = is_started ? 0 : me, to = is_started ? me : 0;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < OWN_MAX; i++) {
		if (own[i] == from) {
			own[i] = to;
			if (!is_started)
				ended_ns += cpu_ns(me);
			break;
		}
	}
	pthread_mutex_unlock(&lock);
}

bool tailbox__is_own_thread(uint32_t tid)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < OWN_MAX; i++)
		found |= tid != 0 && own[i] == tid;
	pthread_mutex_unlock(&lock);
	return found;
}

void tailbox__daemons_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	memset(table, 0, sizeof(table));
	memset(own, 0, sizeof(own));
	ended_ns = 0;
}
