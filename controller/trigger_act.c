/* controller/trigger_act.c - the thread that acts on a trigger.
 *
 * SPDX-License-Identifier: MIT
 *
 * It may block: for the time that an artifact waits for what follows, and for
 * a disk. The follower only hands over a firing and goes on, and what fires
 * meanwhile is counted at the desk.
 */
#include "controller/trigger_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/internal.h"
#include "controller/settings.h"
#include "core/daemons.h"
#include "core/tailbox.h"

#define LONG_NS 3600000000000u
#define BUSY_NS 100000000u

enum { BUSY_TRIES = 600 }; /* a minute */

/* The result of an action. */
struct outcome {
	char artifact[TAILBOX__ARTIFACT_ID_BYTES];
	struct tailbox__error err;
	bool is_failed;
};

/* With lock held: sleep, but not into a stop. */
static void sleep_until(uint64_t until_ns)
{
	struct tailbox__controller *c = &tailbox__c;

	for (;;) {
		const uint64_t now = tailbox__mono_ns();
		if (now >= until_ns || !c->has_actor)
			return;
		tailbox__wait(&c->wake_actor, until_ns - now);
	}
}

static void cut(void)
{
	tailbox__lock();
	tailbox__desk_cut(&tailbox__c.desk);
	tailbox__unlock();
}

/* Called and left without lock. */
static void make_snapshot(const struct tailbox__config_triggers *config,
                          const char *cause, struct outcome *o)
{
	struct tailbox__artifact_key key;
	struct tailbox__activation a;
	struct tailbox__snapshot s;
	char name[256];
	int ret;

	tailbox__settings_activation(&a, NULL);
	tailbox__snapshot_init(&s, a.mode);
	s.last_ms = config->lookback + config->after;
	s.limits = a.limits;
	snprintf(s.cause, sizeof(s.cause), "%s", cause);
	/* What fires while it is being cut is not known to be in it. */
	cut();
	ret = tailbox__snapshot_take(&s, &key, name, &o->err);
	/* Somebody asks for one at this moment: after that. */
	for (int i = 0; ret == -EBUSY && i < BUSY_TRIES; i++) {
		tailbox__lock();
		tailbox__wait(&tailbox__c.snapshot_done, BUSY_NS);
		tailbox__unlock();
		o->err.code = 0;
		ret = tailbox__snapshot_take(&s, &key, name, &o->err);
	}
	o->is_failed = ret < 0;
	if (!o->is_failed)
		tailbox__artifact_id(o->artifact, &key);
}

static void make_window(const struct tailbox__config_triggers *config,
                        const char *cause, struct outcome *o)
{
	struct tailbox__artifact_key key = { .kind = TAILBOX__ARTIFACT_WINDOW };
	struct tailbox__activation a;

	tailbox__settings_activation(&a, NULL);
	a.duration_ms = config->duration;
	a.lookback_ms = config->lookback;
	snprintf(a.cause, sizeof(a.cause), "%s", cause);
	o->is_failed = tailbox__arm(&a, &key.id, &o->err) < 0;
	if (o->is_failed)
		return;
	tailbox__artifact_id(o->artifact, &key);
	/* Until it closes, by whatever: what fires meanwhile is in it. */
	tailbox__lock();
	const uint64_t until = tailbox__mono_ns() + config->duration * 1000000;
	while (tailbox__c.window.state == TAILBOX__WINDOW_ACTIVE &&
	       tailbox__c.window.id == key.id && tailbox__c.has_actor &&
	       tailbox__mono_ns() < until)
		tailbox__wait(&tailbox__c.wake_actor, 100000000);
	tailbox__unlock();
	cut();
}

/* With lock held, and left so. */
static void act(void)
{
	struct tailbox__controller *c = &tailbox__c;
	const struct tailbox__trigger_entry *e = tailbox__desk_in_hand(&c->desk);
	struct outcome o = { .err = TAILBOX__ERROR_INIT };
	static struct tailbox__config_triggers config; /* 16 KiB */
	char cause[TAILBOX__NOTE_MAX + 1];

	tailbox__firing_text(cause, sizeof(cause), &e->firing);
	const uint64_t fired_ns = c->desk.fired_ns;
	tailbox__unlock();
	tailbox__trigger_config(&config);
	tailbox__log("trigger: %s", cause);
	if (config.action == TAILBOX__ACTION_ARM) {
		make_window(&config, cause, &o);
	} else {
		tailbox__lock();
		sleep_until(fired_ns + config.after * 1000000);
		tailbox__unlock();
		make_snapshot(&config, cause, &o);
	}
	tailbox__lock();
	tailbox__desk_done(&c->desk, o.artifact,
	                   o.is_failed ? o.err.text : NULL, config.cooldown,
	                   tailbox__mono_ns());
	tailbox__unlock();
	/* After it: whoever reads this finds it so in status. */
	if (o.is_failed)
		tailbox__log("trigger: nothing was kept: %s", o.err.text);
	else
		tailbox__log("trigger: %s %s keeps it",
		             config.action == TAILBOX__ACTION_ARM ? "window"
		                                                  : "snapshot",
		             o.artifact);
	tailbox__lock();
}

static bool is_in_hand(const struct tailbox__trigger_desk *d)
{
	return d->state == TAILBOX__DESK_TAKEN;
}

static void *act_thread(void *arg)
{
	struct tailbox__controller *c = &tailbox__c;

	(void)arg;
	tailbox__own_thread(true);
	tailbox__lock();
	while (c->has_actor || is_in_hand(&c->desk)) {
		if (is_in_hand(&c->desk))
			act();
		else
			tailbox__wait(&c->wake_actor, LONG_NS);
	}
	tailbox__unlock();
	tailbox__own_thread(false);
	return NULL;
}

int tailbox__actor_start(void)
{
	struct tailbox__controller *c = &tailbox__c;

	c->has_actor = true;
	const int ret = tailbox__thread_start(&c->actor, act_thread,
	                                      "tailbox-trigger");
	if (ret < 0)
		c->has_actor = false;
	return ret;
}

void tailbox__actor_stop(void)
{
	struct tailbox__controller *c = &tailbox__c;

	tailbox__lock();
	const bool has_actor = c->has_actor;
	c->has_actor = false;
	if (has_actor)
		pthread_cond_signal(&c->wake_actor);
	tailbox__unlock();
	if (has_actor)
		pthread_join(c->actor, NULL);
}

void tailbox__trigger_status(struct tailbox__trigger_status *out)
{
	const uint64_t now = tailbox__mono_ns();

	tailbox__trigger_config(&out->config);
	tailbox__lock();
	out->desk = tailbox__c.desk;
	tailbox__unlock();
	out->cooling_ms = out->desk.state == TAILBOX__DESK_COOLING &&
	                                  out->desk.cool_ns > now
	                          ? (out->desk.cool_ns - now) / 1000000
	                          : 0;
	tailbox__trigger_signal_trouble(out->signal_trouble);
}
