/* controller/switch.c - the kill switch.
 *
 * SPDX-License-Identifier: MIT
 *
 * Off is at once: nobody waits for open requests, since whoever throws it may
 * do so because of them. They are cut: in the window that off has closed they
 * are unfinished, elsewhere they leave no record. How many is counted.
 *
 * The admin server stays, or nobody could switch it on again.
 */
#include "controller/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/recorder.h"
#include "core/tailbox.h"
#include "sampler/sampler.h"

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* With lock held. */
static void note(const char *by)
{
	struct tailbox__switch_status *s = &tailbox__c.flip;

	s->count++;
	s->at_ms = wall_ms();
	snprintf(s->by, sizeof(s->by), "%s", by);
}

/* With lock held; gives the number of requests that are cut. */
static uint32_t switch_off(const char *by)
{
	struct tailbox__controller *c = &tailbox__c;

	if (!tailbox__recorder_is_on())
		return 0;
	c->flip.window = c->window.state == TAILBOX__WINDOW_ACTIVE
	                         ? c->window.id
	                         : 0;
	tailbox__window_close(TAILBOX__END_MANUAL_DISARM, "recorder_off");
	tailbox__recorder_set(false);
	/* After it: what began before is to be seen now. */
	const uint32_t cut = tailbox__window_open(0, UINT64_MAX);
	note(by);
	c->flip.cut += cut;
	if (c->is_started) /* a window that drained drains no more */
		pthread_cond_signal(&c->wake_finisher);
	return cut;
}

/* With lock held. */
static int switch_on(const char *by)
{
	struct tailbox__controller *c = &tailbox__c;

	if (tailbox__recorder_is_on())
		return 0;
	/* Going on takes what was open off the tape, and the window that it
	 * belongs to may not have read it yet. */
	if (c->window.state == TAILBOX__WINDOW_CLOSING)
		return -EBUSY;
	tailbox__recorder_set(true);
	c->flip.window = 0;
	note(by);
	if (c->is_started)
		pthread_cond_signal(&c->wake_follower);
	return 1;
}

int tailbox__switch(bool on, const char *by)
{
	struct tailbox__controller *c = &tailbox__c;
	uint32_t cut = 0;
	int ret;

	if (!tailbox__recorder_is_open())
		return -TAILBOX_ESTATE;
	/* After an arm that is under way. */
	pthread_mutex_lock(&c->arm_lock);
	tailbox__lock();
	if (on) {
		ret = switch_on(by);
	} else {
		ret = tailbox__recorder_is_on();
		cut = switch_off(by);
	}
	tailbox__unlock();
	if (ret >= 0)
		tailbox__sampler_park(!on);
	pthread_mutex_unlock(&c->arm_lock);
	if (ret > 0 && on)
		tailbox__log("recording switched on by %s", by);
	else if (ret > 0)
		tailbox__log("recording switched off by %s, "
		             "%u open requests were cut", by, (unsigned)cut);
	return ret;
}

void tailbox__switch_status(struct tailbox__switch_status *out)
{
	tailbox__lock();
	*out = tailbox__c.flip;
	tailbox__unlock();
	if (!out->count)
		out->at_ms = TAILBOX__NONE;
	out->is_on = tailbox__recorder_is_on();
}

void tailbox__switch_reset(void)
{
	tailbox__lock();
	memset(&tailbox__c.flip, 0, sizeof(tailbox__c.flip));
	tailbox__unlock();
}
