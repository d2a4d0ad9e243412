/* controller/after.c - what is done with an artifact once it is there.
 *
 * SPDX-License-Identifier: MIT
 *
 * Its headline is made by a child, which takes as long as it takes. So neither
 * the thread that placed the artifact waits for it, nor the end of the window
 * nor the next arm: artifacts stand in a line, and a thread that lives as long
 * as the line works it off. A line has a bound; who comes when it is full is
 * counted and goes without.
 *
 * The controller's lock guards all of it, and is not held while a child runs.
 */
#include "controller/after.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/daemons.h"
#include "core/tailbox.h"

struct line {
	const char *thread; /* its name */
	void (*work)(struct tailbox__after *a);
	struct tailbox__after items[TAILBOX__AFTER_MAX];
	unsigned first, count;
	bool is_running; /* its thread */
};

static void make_headline(struct tailbox__after *a);

static struct line headlines = { .thread = "tailbox-line",
	                         .work = make_headline };
static struct tailbox__after_status status; /* but `waiting` */
static atomic_bool must_stop = true;

/* --- a line ------------------------------------------------------------- */

/* The next one; false when there is none or none is to begin. */
static bool next(struct line *l, struct tailbox__after *a)
{
	tailbox__lock();
	/* relaxed: it is written under the lock */
	const bool is = l->count > 0 &&
	                !atomic_load_explicit(&must_stop, memory_order_relaxed);
	if (is) {
		*a = l->items[l->first];
		l->first = (l->first + 1) % TAILBOX__AFTER_MAX;
		l->count--;
	}
	tailbox__unlock();
	return is;
}

/* False: somebody has come meanwhile. */
static bool leave(struct line *l)
{
	tailbox__lock();
	const bool may = l->count == 0 ||
	                 atomic_load_explicit(&must_stop, memory_order_relaxed);
	if (may) {
		l->is_running = false;
		/* Last of all: who stops waits for it. */
		pthread_cond_broadcast(&tailbox__c.after_ended);
	}
	tailbox__unlock();
	return may;
}

static void *line_thread(void *arg)
{
	struct tailbox__after a;
	struct line *l = arg;

	pthread_setname_np(pthread_self(), l->thread);
	do {
		tailbox__own_thread(true);
		while (next(l, &a))
			l->work(&a);
		tailbox__own_thread(false);
	} while (!leave(l));
	return NULL;
}

/* Whether it has a place; *is_first: the thread is the caller's to start. */
static bool stand(struct line *l, const struct tailbox__after *a,
                  bool *is_first)
{
	tailbox__lock();
	const bool has = l->count < TAILBOX__AFTER_MAX &&
	                 !atomic_load_explicit(&must_stop, memory_order_relaxed);
	*is_first = has && !l->is_running;
	if (has) {
		l->items[(l->first + l->count++) % TAILBOX__AFTER_MAX] = *a;
		l->is_running = true;
	}
	tailbox__unlock();
	return has;
}

/* Stand in a line. False: it has no place there, nor will it be called. */
static bool join(struct line *l, const struct tailbox__after *a)
{
	bool is_first;

	if (!stand(l, a, &is_first))
		return false;
	if (!is_first || tailbox__thread_detached(line_thread, l) == 0)
		return true;
	/* Nobody else works it off: whoever has come meanwhile goes too, and
	 * is not called; the next one tries again. */
	tailbox__lock();
	l->count = 0;
	l->is_running = false;
	pthread_cond_broadcast(&tailbox__c.after_ended);
	tailbox__unlock();
	return false;
}

/* --- headlines ---------------------------------------------------------- */

/* With lock held. */
static void note_failure(const char *name, const char *why)
{
	snprintf(status.headline_error, sizeof(status.headline_error),
	         "%.255s: %s", name, why);
}

static void make_headline(struct tailbox__after *a)
{
	char why[300];
	const enum tailbox__headline_made made = tailbox__headline_make(
	        tailbox__c.config.artifact_dir, a->name, &must_stop,
	        a->headline, why, sizeof(why));

	tailbox__lock();
	status.headlines += made == TAILBOX__HEADLINE_MADE;
	status.headlines_failed += made == TAILBOX__HEADLINE_FAILED;
	if (why[0] != '\0' && made != TAILBOX__HEADLINE_NOT_WANTED)
		note_failure(a->name, why);
	if (strcmp(status.name, a->name) == 0)
		memcpy(status.headline, a->headline, sizeof(status.headline));
	tailbox__unlock();
	if (made == TAILBOX__HEADLINE_FAILED)
		tailbox__log("no headline of %s: %s", a->name, why);
}

/* --- all of it ---------------------------------------------------------- */

static void note_last(const struct tailbox__after *a)
{
	tailbox__lock();
	memcpy(status.kind, a->kind, sizeof(status.kind));
	memcpy(status.name, a->name, sizeof(status.name));
	status.headline[0] = '\0';
	tailbox__unlock();
}

void tailbox__after(const struct tailbox__after *a)
{
	note_last(a);
	if (!a->wishes.headline || join(&headlines, a))
		return;
	tailbox__lock();
	status.headlines_dropped++;
	note_failure(a->name, "too many artifacts are waiting for theirs");
	tailbox__unlock();
}

void tailbox__after_open(void)
{
	tailbox__lock();
	memset(&status, 0, sizeof(status));
	headlines.count = 0;
	atomic_store_explicit(&must_stop, false, memory_order_relaxed);
	tailbox__unlock();
}

void tailbox__after_close(void)
{
	tailbox__lock();
	/* relaxed: it carries no data */
	atomic_store_explicit(&must_stop, true, memory_order_relaxed);
	tailbox__unlock();
}

void tailbox__after_wait(void)
{
	tailbox__lock();
	while (headlines.is_running)
		pthread_cond_wait(&tailbox__c.after_ended, &tailbox__c.lock);
	tailbox__unlock();
}

void tailbox__after_in_child(void)
{
	headlines.is_running = false;
	headlines.count = 0;
	atomic_store_explicit(&must_stop, true, memory_order_relaxed);
}

void tailbox__after_status(struct tailbox__after_status *out)
{
	tailbox__lock();
	*out = status;
	out->headlines_waiting = headlines.count;
	tailbox__unlock();
}
