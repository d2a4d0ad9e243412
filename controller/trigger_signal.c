/* controller/trigger_signal.c - a signal as a trigger.
 *
 * SPDX-License-Identifier: MIT
 *
 * Only one that the settings name, and only where nobody else handles or
 * ignores it. The handler adds one to a counter, and the follower reads that;
 * SA_RESTART keeps most system calls of the thread that it comes to going on
 * (poll and epoll_wait return EINTR all the same, as for any signal). What the
 * application does later with the signal is its own: its handler replaces
 * ours, and is left where it is.
 */
#include "controller/trigger_watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controller/internal.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int taken; /* signal number; 0 = none */
static char trouble[160];

static void on_signal(int number)
{
	(void)number;
	tailbox__trigger_signalled(); /* an atomic addition, no errno */
}

static bool is_ours(int number)
{
	struct sigaction now;

	return sigaction(number, NULL, &now) == 0 &&
	       !(now.sa_flags & SA_SIGINFO) && now.sa_handler == on_signal;
}

/* With lock held. */
static void give_back(void)
{
	struct sigaction a = { .sa_handler = SIG_DFL };

	if (taken && is_ours(taken))
		sigaction(taken, &a, NULL);
	taken = 0;
}

static const char *take(int number)
{
	struct sigaction now, a = { .sa_handler = on_signal,
		                    .sa_flags = SA_RESTART };

	if (sigaction(number, NULL, &now) != 0)
		return "cannot be read";
	if (now.sa_flags & SA_SIGINFO)
		return "has a handler of the application";
	if (now.sa_handler == SIG_IGN)
		return "is ignored by the application";
	if (now.sa_handler != SIG_DFL)
		return "has a handler of the application";
	sigemptyset(&a.sa_mask);
	return sigaction(number, &a, NULL) == 0 ? NULL : "cannot be set";
}

void tailbox__trigger_signal_set(const char *name)
{
	const int number = tailbox__config_signal(name);
	const char *why = NULL;

	pthread_mutex_lock(&lock);
	if (number != taken || (taken && !is_ours(taken))) {
		give_back();
		trouble[0] = '\0';
		why = number ? take(number) : NULL;
		if (number && !why)
			taken = number;
		if (why)
			snprintf(trouble, sizeof(trouble),
			         "%s is no trigger: it %s", name, why);
	}
	pthread_mutex_unlock(&lock);
	if (why)
		tailbox__log("triggers: %s is no trigger: it %s", name, why);
}

void tailbox__trigger_signal_clear(void)
{
	pthread_mutex_lock(&lock);
	give_back();
	trouble[0] = '\0';
	pthread_mutex_unlock(&lock);
}

void tailbox__trigger_signal_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	give_back();
}

void tailbox__trigger_signal_trouble(char out[160])
{
	pthread_mutex_lock(&lock);
	if (taken && !is_ours(taken))
		snprintf(out, 160, "%s",
		         "the application has taken the signal since");
	else
		memcpy(out, trouble, sizeof(trouble));
	pthread_mutex_unlock(&lock);
}
