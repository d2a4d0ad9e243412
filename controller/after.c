/* controller/after.c - what is done with an artifact once it is there.
 *
 * SPDX-License-Identifier: MIT
 *
 * Its headline is made by a child, then it is handed to the operator's program:
 * that takes as long as it takes. So neither the thread that placed the artifact
 * waits for it, nor the end of the window nor the next arm: artifacts stand in a
 * line, and a thread that lives as long as the line works it off. There are two
 * lines, or a program that hangs would keep the next artifact from its headline.
 * A line has a bound; who comes when it is full is counted and goes without.
 *
 * The controller's lock guards all of it, and is not held while a child runs.
 */
#include "controller/after.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "controller/settings.h"
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
static void hand_over(struct tailbox__after *a);

static struct line headlines = { .thread = "tailbox-line",
	                         .work = make_headline };
static struct line programs = { .thread = "tailbox-hand",
	                        .work = hand_over };
/* But how many wait, and what handover.c knows. */
static struct tailbox__after_status status;
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
		pthread_cond_broadcast(&tailbox__c.after_changed);
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

/* Stand in a line. False: it has no place there. */
static bool join(struct line *l, const struct tailbox__after *a)
{
	bool is_first;

	if (!stand(l, a, &is_first))
		return false;
	if (!is_first || tailbox__thread_detached(line_thread, l) == 0)
		return true;
	/* It waits for the thread of the next one. */
	tailbox__lock();
	l->is_running = false;
	pthread_cond_broadcast(&tailbox__c.after_changed);
	tailbox__unlock();
	return true;
}

/* --- headlines ---------------------------------------------------------- */

/* With lock held. */
static void note_failure(const char *name, const char *why)
{
	snprintf(status.headline_error, sizeof(status.headline_error),
	         "%.255s: %s", name, why);
}

static void hand_over(struct tailbox__after *a)
{
	tailbox__hand_over(a, &must_stop);
}

/* Its headline is known, or will not be. */
static void go_on(const struct tailbox__after *a)
{
	if (a->wishes.program[0] == '\0' || join(&programs, a))
		return;
	tailbox__handover_drop(
	        a, 0,
	        atomic_load_explicit(&must_stop, memory_order_relaxed)
	                ? "the service stops"
	                : "too many artifacts are waiting");
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
	go_on(a);
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
	if (a->wishes.headline && join(&headlines, a))
		return;
	if (a->wishes.headline) {
		tailbox__lock();
		status.headlines_dropped++;
		note_failure(a->name,
		             "too many artifacts are waiting for theirs");
		tailbox__unlock();
	}
	go_on(a);
}

void tailbox__after_made(const struct tailbox__artifact_key *key,
                         const char *name)
{
	struct tailbox__after a = { .name = "" };

	snprintf(a.kind, sizeof(a.kind), "%s",
	         tailbox__artifact_kind_name(key->kind));
	tailbox__artifact_id(a.id, key);
	snprintf(a.name, sizeof(a.name), "%s", name);
	tailbox__settings_wishes(&a.wishes);
	tailbox__after(&a);
}

void tailbox__after_open(void)
{
	tailbox__lock();
	memset(&status, 0, sizeof(status));
	headlines.count = programs.count = 0;
	tailbox__handover_reset();
	atomic_store_explicit(&must_stop, false, memory_order_relaxed);
	tailbox__unlock();
}

void tailbox__after_close(void)
{
	tailbox__lock();
	/* relaxed: it carries no data */
	atomic_store_explicit(&must_stop, true, memory_order_relaxed);
	pthread_cond_broadcast(&tailbox__c.after_changed);
	tailbox__unlock();
}

/* Those that still stand there, of a service that stops. */
static void send_home(struct line *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		const struct tailbox__after *a =
		        &l->items[(l->first + i) % TAILBOX__AFTER_MAX];
		if (a->wishes.program[0] != '\0')
			tailbox__handover_drop(a, 0, "the service stops");
	}
	l->count = 0;
}

void tailbox__after_wait(void)
{
	tailbox__lock();
	while (headlines.is_running || programs.is_running)
		pthread_cond_wait(&tailbox__c.after_changed, &tailbox__c.lock);
	tailbox__unlock();
	/* Nobody else touches a line any more. */
	send_home(&headlines);
	send_home(&programs);
}

void tailbox__after_in_child(void)
{
	headlines.is_running = programs.is_running = false;
	headlines.count = programs.count = 0;
	atomic_store_explicit(&must_stop, true, memory_order_relaxed);
}

void tailbox__after_status(struct tailbox__after_status *out)
{
	tailbox__lock();
	*out = status;
	out->headlines_waiting = headlines.count;
	tailbox__handover_status(&out->handover);
	out->handover.waiting = programs.count;
	tailbox__unlock();
}
