/* cli/progress.c - how far a large file has been read.
 *
 * SPDX-License-Identifier: MIT
 *
 * A thread looks at the file's position four times a second. So the loaders
 * know nothing of it, and it costs them nothing.
 */
#include "cli/progress.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/alloc.h"

enum { FIRST_MS = 1000, NEXT_MS = 250 };

struct cli__progress {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool is_over; /* under lock */
	int fd;
	off_t size;
};

/* Wait; false when it is over. */
static bool wait_ms(struct cli__progress *p, long ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (until.tv_nsec / 1000000 + ms) / 1000;
	until.tv_nsec = (until.tv_nsec / 1000000 + ms) % 1000 * 1000000;
	while (!p->is_over &&
	       pthread_cond_timedwait(&p->change, &p->lock, &until) == 0)
		; /* woken for nothing, or because it is over */
	return !p->is_over;
}

static void *watch(void *arg)
{
	struct cli__progress *p = arg;
	long ms = FIRST_MS;
	bool has_told = false;

	pthread_mutex_lock(&p->lock);
	for (; wait_ms(p, ms); ms = NEXT_MS) {
		const off_t at = lseek(p->fd, 0, SEEK_CUR);

		fprintf(stderr, "\rreading: %3d%% of %.0f MB",
		        (int)((double)at / (double)p->size * 100),
		        (double)p->size / 1e6);
		has_told = true;
	}
	if (has_told) /* back, and erase to the end of the line */
		fputs("\r\033[K", stderr);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static bool init(struct cli__progress *p)
{
	pthread_condattr_t attr;
	bool ok = pthread_condattr_init(&attr) == 0;

	if (!ok)
		return false;
	ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
	     pthread_cond_init(&p->change, &attr) == 0;
	pthread_condattr_destroy(&attr);
	return ok && pthread_mutex_init(&p->lock, NULL) == 0;
}

struct cli__progress *cli__progress_start(int fd)
{
	struct cli__progress *p;
	struct stat st;

	if (!isatty(STDERR_FILENO) || fstat(fd, &st) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_size == 0)
		return NULL;
	p = tailbox__zalloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->fd = fd;
	p->size = st.st_size;
	if (init(p) && pthread_create(&p->thread, NULL, watch, p) == 0)
		return p;
	tailbox__free(p);
	return NULL;
}

void cli__progress_stop(struct cli__progress *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_over = true;
	pthread_cond_signal(&p->change);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->change);
	pthread_mutex_destroy(&p->lock);
	tailbox__free(p);
}
