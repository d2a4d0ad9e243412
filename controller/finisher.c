/* controller/finisher.c - the thread that ends windows.
 *
 * SPDX-License-Identifier: MIT
 *
 * It closes what has a duration, waits for the requests of a closed window
 * (a look at the slots every 10 ms, until the drain timeout), and has the
 * artifact assembled and placed. No disk and no large window delays anything
 * but the next window.
 */
#include "controller/after.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/daemons.h"
#include "core/recorder.h"
#include "core/tailbox.h"
#include "sampler/sampler.h"

enum {
	DRAIN_POLL_NS = 10000000,
	LONG_NS = 1000000000,
	LOOK_MIN_NS = 1000000000
};

/* The spool belongs to the follower's passes until it is taken from them. */
static void drop_spool(void)
{
	struct tailbox__controller *c = &tailbox__c;

	pthread_mutex_lock(&c->follow_lock);
	tailbox__lock();
	struct tailbox__spool *spool = c->window.spool;
	c->window.spool = NULL;
	tailbox__unlock();
	pthread_mutex_unlock(&c->follow_lock);
	tailbox__spool_destroy(spool);
}

/* The window's cadence ends with it (the sampler is stopped first). A parked
 * sampler stays parked. */
static void restore_sampler(void)
{
	const uint32_t ms = tailbox__c.config.sample_interval_ms;

	if (tailbox__sampler_interval())
		tailbox__sampler_set_interval(
		        ms ? ms : TAILBOX__CADENCE_LIGHT_MS);
}

/* What the end came to; with lock held. */
static void settle(struct tailbox__window *w, int ret, bool is_held,
                   const struct tailbox__error *err)
{
	w->is_finalizing = false;
	w->is_asked = false;
	w->is_held = is_held;
	if (ret == 0) {
		memset(w, 0, sizeof(*w));
		return;
	}
	memcpy(w->last_error, err->text, sizeof(w->last_error));
	if (is_held)
		return;
	w->error = ret;
	w->state = TAILBOX__WINDOW_FAILED;
}

static void go_on(const struct tailbox__window *w)
{
	struct tailbox__after a = { .kind = "window",
		                    .wishes = w->activation.wishes };

	snprintf(a.id, sizeof(a.id), "%" PRIu64, w->id);
	memcpy(a.name, w->name, sizeof(a.name));
	tailbox__after(&a);
}

/* Where it begins is known when its past was read; that may be due still.
 * Called and left with lock held. */
static void settle_start(void)
{
	while (tailbox__c.window.is_past_due) {
		tailbox__unlock();
		(void)tailbox__follow(); /* a failure is the spool's then */
		tailbox__lock();
	}
}

/* Assemble and place. Called and left with lock held. After the closing only
 * this thread changes the window, but for what `lock` guards. */
static void finalize(void)
{
	struct tailbox__controller *c = &tailbox__c;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__window w;
	char text[240] = "";

	settle_start();
	c->window.is_finalizing = true;
	c->window.last_error[0] = '\0';
	w = c->window;
	tailbox__unlock();
	if (w.sampler.present)
		restore_sampler();
	const int ret = tailbox__window_finish(&w, text, &err);
	tailbox__lock();
	/* At a stop there is no later try; while off no request ends. */
	const bool is_held = ret == -TAILBOX_ESTATE && !c->is_stopping &&
	                     tailbox__recorder_is_on();
	tailbox__unlock();
	if (!is_held) {
		drop_spool();
		tailbox__folder_remove_part(c->config.artifact_dir, w.name);
	}
	tailbox__lock();
	settle(&c->window, ret, is_held, &err);
	tailbox__unlock();
	if (ret == 0)
		go_on(&w);
	if (ret == 0)
		tailbox__log("window %llu: %s", (unsigned long long)w.id, text);
	else
		tailbox__log("window %llu %s: %s", (unsigned long long)w.id,
		             is_held ? "stays open" : "is lost", err.text);
	tailbox__lock();
}

/* Seal policy: spans seem to be over a limit. Called and left with lock. */
static void look_closer(void)
{
	struct tailbox__controller *c = &tailbox__c;

	settle_start();
	const struct tailbox__window w = c->window;
	tailbox__unlock();
	const uint64_t start = tailbox__mono_ns();
	const int hit = tailbox__window_try(&w);
	const uint64_t now = tailbox__mono_ns();
	tailbox__lock();
	if (c->window.state != TAILBOX__WINDOW_ACTIVE)
		return;
	if (hit > 0) {
		tailbox__window_close(TAILBOX__END_AUTO_SEAL, NULL);
		return;
	}
	/* At most a twentieth of a CPU goes into looking. */
	c->window.look_ns = now + (now - start) * 20 + LOOK_MIN_NS;
}

static uint64_t until_ns(uint64_t then, uint64_t now, uint64_t most)
{
	if (then <= now)
		return 0;
	return then - now < most ? then - now : most;
}

/* Do what is due; gives how long to wait for more. With lock held. */
static uint64_t work(void)
{
	struct tailbox__controller *c = &tailbox__c;
	struct tailbox__window *w = &c->window;
	uint64_t now = tailbox__mono_ns(), wait = LONG_NS;

	if (w->state == TAILBOX__WINDOW_ACTIVE && w->end_ns &&
	    now >= w->end_ns)
		tailbox__window_close(TAILBOX__END_MANUAL_DISARM, "duration");
	if (w->state == TAILBOX__WINDOW_ACTIVE) {
		if (w->is_suspect && now >= w->look_ns) {
			look_closer();
			return 0;
		}
		if (w->end_ns)
			wait = until_ns(w->end_ns, now, wait);
		if (w->is_suspect)
			wait = until_ns(w->look_ns, now, wait);
		return wait;
	}
	if (w->state != TAILBOX__WINDOW_CLOSING)
		return wait;
	const bool is_drained = !tailbox__window_open(w->from, w->until);
	const bool is_late = now >= w->drain_ns && (!w->is_held || w->is_asked);
	if (!is_drained && !is_late && !c->is_stopping &&
	    tailbox__recorder_is_on())
		return DRAIN_POLL_NS;
	finalize();
	return 0;
}

static void *finish_thread(void *arg)
{
	struct tailbox__controller *c = &tailbox__c;

	(void)arg;
	tailbox__own_thread(true);
	tailbox__lock();
	while (!c->is_stopping ||
	       c->window.state == TAILBOX__WINDOW_ACTIVE ||
	       c->window.state == TAILBOX__WINDOW_CLOSING) {
		const uint64_t ns = work();
		if (ns && !c->is_stopping)
			tailbox__wait(&c->wake_finisher, ns);
	}
	tailbox__unlock();
	tailbox__own_thread(false);
	return NULL;
}

int tailbox__finisher_start(void)
{
	return tailbox__thread_start(&tailbox__c.finisher, finish_thread,
	                             "tailbox-finish");
}

void tailbox__finisher_stop(void)
{
	tailbox__lock();
	pthread_cond_signal(&tailbox__c.wake_finisher);
	tailbox__unlock();
	pthread_join(tailbox__c.finisher, NULL);
}
