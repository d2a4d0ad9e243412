/* controller/window.c - windows: arm, disarm, drain.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md 10.3 to 10.5. At most one window exists:
 *
 *   DISABLED --arm--> ACTIVE --disarm, duration, seal, stop--> CLOSING
 *      ^                                                          |
 *      |      drained, or drain_timeout: assembled and placed     |
 *      +----------------------------------------------------------+
 *      |      strict lifecycle with open requests: stays CLOSING
 *   FAILED <--------- any other error --------------------------- +
 *
 * Nothing here is seen by a writer. A window is two ticks, and which requests
 * lie between them is read off the tape. After the closing tick is taken a
 * membarrier makes every begin before it visible; then the finisher waits
 * until no slot holds a request of the window (a slot is given up after the
 * record is published), reads the tape once more, and has them all.
 */
#include "controller/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/recorder.h"
#include "core/tailbox.h"
#include "sampler/sampler.h"

static const struct {
	uint32_t cadence_ms;
	uint64_t retention;
} sampling[] = { /* spec section 11 */
	[TAILBOX__MODE_LIGHT] = { TAILBOX__CADENCE_LIGHT_MS, 5000 },
	[TAILBOX__MODE_INVESTIGATION] = { 100, 50000 },
};

void tailbox__activation_init(struct tailbox__activation *a,
                              enum tailbox__mode mode)
{
	memset(a, 0, sizeof(*a));
	a->mode = mode;
	a->limits = tailbox__limits_of(mode);
}

uint32_t tailbox__window_open(uint64_t from, uint64_t until)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	const uint64_t used = TAILBOX__GET(tape->header->slots_used);
	uint32_t n = 0;

	for (uint64_t i = 0; i < used; i++) {
		const struct tailbox__slot *s = &tape->slots[i];
		/* Pairs with the release that ends a request: where the slot
		 * is seen idle, the record is published. */
		const uint64_t state = atomic_load_explicit(
		        &s->state, memory_order_acquire);
		if (state == TAILBOX__SLOT_STARTING) {
			n++; /* its line is about to be known */
		} else if (state == TAILBOX__SLOT_OPEN) {
			const uint64_t line = TAILBOX__GET(s->line);
			n += line >= from && line < until &&
			     !(TAILBOX__GET(s->flags) & TAILBOX__REQ_DISCARD);
		}
	}
	return n;
}

/* --- arming ------------------------------------------------------------ */

static int check(const struct tailbox__activation *a,
                 struct tailbox__error *err)
{
	if (a->mode != TAILBOX__MODE_LIGHT &&
	    a->mode != TAILBOX__MODE_INVESTIGATION)
		return tailbox__fail(err, -EINVAL, "no such mode");
	if (a->policy != TAILBOX__POLICY_CONTINUE &&
	    a->policy != TAILBOX__POLICY_SEAL)
		return tailbox__fail(err, -EINVAL, "no such policy");
	if (a->sample_interval_ms &&
	    (a->sample_interval_ms < 10 || a->sample_interval_ms > 60000))
		return tailbox__fail(err, -EINVAL,
		                     "sample interval: 10 to 60000 ms");
	if (a->is_interval_zero && !a->no_sampler && !a->sample_interval_ms)
		return tailbox__fail(err, -EINVAL,
		                     "the configuration has a sampler "
		                     "interval of 0");
	if (a->drain_timeout_ms > 600000)
		return tailbox__fail(err, -EINVAL,
		                     "drain timeout: at most 600000 ms");
	if (a->duration_ms > UINT64_MAX / 2000000)
		return tailbox__fail(err, -EINVAL, "duration: too long");
	if (!memchr(a->note, '\0', sizeof(a->note)))
		return tailbox__fail(err, -EINVAL, "note: more than %u bytes",
		                     TAILBOX__NOTE_MAX);
	if (!memchr(a->cause, '\0', sizeof(a->cause)))
		return tailbox__fail(err, -EINVAL, "cause: more than %u bytes",
		                     TAILBOX__CAUSE_MAX);
	if (a->lookback_ms > UINT64_MAX / 2000000)
		return tailbox__fail(err, -EINVAL, "lookback: too long");
	return 0;
}

/* Whether a window may be armed; its number. Takes lock. */
static int next_id(uint64_t *id, struct tailbox__error *err)
{
	const struct tailbox__controller *c = &tailbox__c;
	int ret = 0;

	tailbox__lock();
	*id = c->next_id;
	if (!c->is_started || c->is_stopping) {
		ret = tailbox__fail(err, -TAILBOX_ESTATE, "not started");
	} else if (!tailbox__recorder_is_on()) {
		ret = tailbox__fail(err, -ECANCELED,
		                    "recording is switched off%s%s: switch it "
		                    "on first",
		                    c->flip.by[0] ? " by " : "", c->flip.by);
	} else if (c->window.state == TAILBOX__WINDOW_ACTIVE ||
	           c->window.state == TAILBOX__WINDOW_CLOSING) {
		*id = c->window.id;
		ret = tailbox__fail(err, -TAILBOX_ESTATE,
		                    "window %llu is %s",
		                    (unsigned long long)*id,
		                    c->window.state == TAILBOX__WINDOW_ACTIVE
		                            ? "armed already"
		                            : "still closing");
	}
	tailbox__unlock();
	return ret;
}

/* What the sampler will do in this window. present: it runs. */
static struct tailbox__run_sampler_config
resolve_sampler(const struct tailbox__activation *a)
{
	const struct tailbox__controller_config *c = &tailbox__c.config;
	const enum tailbox__mode mode =
	        a->has_sampler_mode ? a->sampler_mode : a->mode;
	struct tailbox__run_sampler_config s = {
		.present = tailbox__sampler_interval() != 0 && !a->no_sampler,
		.inherited_mode = a->mode,
		.has_override = a->has_sampler_mode,
		.override_mode = a->sampler_mode,
		.resolved_mode = mode,
		.cadence_ms = sampling[mode].cadence_ms,
		.retention = sampling[mode].retention,
	};

	if (a->sample_interval_ms)
		s.cadence_ms = a->sample_interval_ms;
	else if (c->sample_interval_ms && !a->is_interval_by_mode)
		s.cadence_ms = c->sample_interval_ms;
	if (a->has_max_samples)
		s.retention = a->max_samples;
	/* Between windows the sampler goes on: what it sees is not kept. */
	if (a->no_sampler)
		s.retention = 0;
	if (s.retention > a->limits.max_runtime_snapshots)
		s.retention = a->limits.max_runtime_snapshots;
	return s;
}

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec < 0 ? 0
	                     : (uint64_t)ts.tv_sec * 1000 +
	                               (uint64_t)ts.tv_nsec / 1000000;
}

/* With a lookback it begins in the past; how far that is there will be known
 * when it is read (follower.c). */
static void set_start(struct tailbox__window *w)
{
	const uint64_t ms = w->activation.lookback_ms;

	w->armed = w->from = tailbox__now();
	if (!ms)
		return;
	const uint64_t back = tailbox__us_to_ticks(ms * 1000);
	w->from = back < w->armed ? w->armed - back : 0;
	w->is_past_due = true;
}

/* Make the window the present one. From the tick that is taken here on it
 * has every request. */
static int install(struct tailbox__window *w,
                   const struct tailbox__artifact_key *key, int part)
{
	struct tailbox__controller *c = &tailbox__c;
	int ret;

	tailbox__lock();
	ret = tailbox__folder_made(key);
	if (ret == 0) {
		set_start(w);
		w->spool = tailbox__spool_create(part, w->from,
		                                 &w->activation.limits,
		                                 w->sampler.retention);
		if (!w->spool) {
			tailbox__folder_unmade(key);
			ret = -ENOMEM;
		}
	}
	if (ret == 0) {
		w->before.blocks = c->lost_blocks;
		if (w->activation.duration_ms)
			w->end_ns = tailbox__mono_ns() +
			            w->activation.duration_ms * 1000000;
		c->window = *w;
		c->next_id = w->id + 1;
		pthread_cond_signal(&c->wake_finisher);
		/* What is old is recycled first. */
		if (w->is_past_due)
			pthread_cond_signal(&c->wake_follower);
	}
	tailbox__unlock();
	return ret;
}

static int arm(const struct tailbox__activation *a, uint64_t *id,
               struct tailbox__error *err)
{
	struct tailbox__controller *c = &tailbox__c;
	struct tailbox__window w = { .state = TAILBOX__WINDOW_ACTIVE,
		                     .until = UINT64_MAX };

	int ret = next_id(id, err);
	if (ret < 0)
		return ret;
	w.id = *id;
	w.activation = *a;
	w.started_ms = wall_ms();
	w.sampler = resolve_sampler(a);
	tailbox__losses_now(&w.before);
	struct tailbox__artifact_key key = { TAILBOX__ARTIFACT_WINDOW,
		                             w.started_ms / 1000, w.id };
	const int part =
	        tailbox__folder_reserve(c->config.artifact_dir, c->service, &key,
	                                w.name, err);
	if (part < 0)
		return part;
	ret = install(&w, &key, part);
	if (ret < 0) {
		close(part);
		tailbox__folder_remove_part(c->config.artifact_dir, w.name);
		return tailbox__fail(err, ret, "no memory for a window");
	}
	if (w.sampler.present)
		tailbox__sampler_set_interval((uint32_t)w.sampler.cadence_ms);
	tailbox__log("window %llu armed", (unsigned long long)w.id);
	return 0;
}

int tailbox__arm(const struct tailbox__activation *a, uint64_t *id,
                 struct tailbox__error *err)
{
	uint64_t number = 0;

	int ret = check(a, err);
	if (ret == 0) {
		pthread_mutex_lock(&tailbox__c.arm_lock);
		ret = arm(a, &number, err);
		pthread_mutex_unlock(&tailbox__c.arm_lock);
	}
	if (id)
		*id = number;
	return ret;
}

/* --- closing ----------------------------------------------------------- */

void tailbox__window_close(enum tailbox__end_reason reason, const char *detail)
{
	struct tailbox__controller *c = &tailbox__c;
	struct tailbox__window *w = &c->window;

	if (w->state != TAILBOX__WINDOW_ACTIVE)
		return;
	w->until = tailbox__now();
	w->state = TAILBOX__WINDOW_CLOSING;
	w->reason = reason;
	w->end_detail = detail;
	w->drain_ns = tailbox__mono_ns() +
	              (w->activation.drain_timeout_ms
	                       ? (uint64_t)w->activation.drain_timeout_ms
	                       : c->config.drain_timeout_ms) *
	                      1000000;
	/* Under the lock, so that nobody looks at the slots before it. */
	tailbox__barrier();
	pthread_cond_signal(&c->wake_finisher);
}

int tailbox__disarm(uint64_t *id, uint32_t *in_flight,
                    struct tailbox__error *err)
{
	struct tailbox__controller *c = &tailbox__c;
	struct tailbox__window *w = &c->window;
	int ret = TAILBOX__DISARM_ALREADY;
	uint32_t open = 0;

	tailbox__lock();
	const uint64_t number =
	        w->state == TAILBOX__WINDOW_DISABLED ? c->next_id : w->id;
	switch (w->state) {
	case TAILBOX__WINDOW_DISABLED:
		break;
	case TAILBOX__WINDOW_ACTIVE:
	case TAILBOX__WINDOW_CLOSING:
		tailbox__window_close(TAILBOX__END_MANUAL_DISARM, NULL);
		w->is_asked = true;
		pthread_cond_signal(&c->wake_finisher);
		open = tailbox__window_open(w->from, w->until);
		ret = TAILBOX__DISARM_CLOSING;
		break;
	case TAILBOX__WINDOW_FAILED:
		ret = tailbox__fail(err, w->error, "%s", w->last_error);
		break;
	}
	tailbox__unlock();
	if (id)
		*id = number;
	if (in_flight)
		*in_flight = open;
	return ret;
}

/* Requests and samples are counted exactly; spans are not, since some may not
 * belong. Those are suspects for a closer look. */
static bool is_over(const struct tailbox__window *w, bool *is_suspect)
{
	const struct tailbox__spool_counts *n = &w->counts;
	const struct tailbox__limits *max = &w->activation.limits;

	*is_suspect = n->stages + n->left_stages > max->max_stages ||
	              n->waits + n->left_waits > max->max_queues ||
	              n->moves + n->left_moves > max->max_inflight_snapshots;
	return n->requests + n->left_requests > max->max_requests;
}

void tailbox__window_look(void)
{
	struct tailbox__window *w = &tailbox__c.window;
	bool is_suspect;

	if (w->counts.error && !w->last_error[0])
		snprintf(w->last_error, sizeof(w->last_error),
		         "cannot write %s%s in %.400s: %s", w->name,
		         TAILBOX__PART_SUFFIX, tailbox__c.config.artifact_dir,
		         tailbox_strerror(w->counts.error));
	if (w->activation.policy != TAILBOX__POLICY_SEAL ||
	    w->state != TAILBOX__WINDOW_ACTIVE)
		return;
	if (is_over(w, &is_suspect)) {
		tailbox__window_close(TAILBOX__END_AUTO_SEAL, NULL);
	} else if (is_suspect && !w->is_suspect) {
		w->is_suspect = true;
		pthread_cond_signal(&tailbox__c.wake_finisher);
	}
}

void tailbox__window_status(struct tailbox__window_status *out)
{
	const struct tailbox__controller *c = &tailbox__c;
	const struct tailbox__window *w = &c->window;
	bool is_suspect;

	memset(out, 0, sizeof(*out));
	tailbox__lock();
	out->state = w->state;
	out->id = c->next_id;
	if (w->state != TAILBOX__WINDOW_DISABLED) {
		out->id = w->id;
		out->activation = w->activation;
		out->started_ms = w->started_ms;
		memcpy(out->artifact, w->name, sizeof(out->artifact));
		out->is_accepting = w->state == TAILBOX__WINDOW_ACTIVE;
		out->is_closing = w->state == TAILBOX__WINDOW_CLOSING;
		out->is_finalizing = w->is_finalizing;
		out->spooled_requests = w->counts.requests;
		out->spooled_bytes = w->counts.bytes;
		out->limits_hit = is_over(w, &is_suspect) || is_suspect;
		if (w->state != TAILBOX__WINDOW_FAILED)
			out->in_flight = tailbox__window_open(w->from,
			                                      w->until);
	}
	memcpy(out->last_error, w->last_error, sizeof(out->last_error));
	tailbox__unlock();
}
