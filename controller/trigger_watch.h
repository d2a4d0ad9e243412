/* controller/trigger_watch.h - triggers at work: who feeds them, who acts.
 *
 * SPDX-License-Identifier: MIT
 *
 * Needs a controller that is started, but for tailbox__trigger_set(),
 * tailbox_trigger() and the signal.
 */
#ifndef TAILBOX_CONTROLLER_TRIGGER_WATCH_H
#define TAILBOX_CONTROLLER_TRIGGER_WATCH_H 1

#include "controller/trigger.h"

/* New settings, from the follower's next pass on. Any thread. */
void tailbox__trigger_set(const struct tailbox__config_triggers *c);
void tailbox__trigger_config(struct tailbox__config_triggers *out);

/* For the follower, with follow_lock held. */
struct tailbox__triggers *tailbox__trigger_figures(void);
/* After what was read; takes the locks. */
void tailbox__trigger_pass(void);

/* Before the threads, after the threads, in a forked child. */
void tailbox__trigger_open(void);
void tailbox__trigger_close(void);
void tailbox__trigger_forget(void);

/* --- trigger_act.c: the thread that acts -------------------------------- */

int tailbox__actor_start(void);
void tailbox__actor_stop(void);

/* --- trigger_signal.c --------------------------------------------------- */

/* Take the signal of this name, where its disposition is the default, and
 * give back one that was taken before; "" = none. */
void tailbox__trigger_signal_set(const char *name);
/* Give it back. */
void tailbox__trigger_signal_clear(void);
/* In a forked child: the handler would be ours for nobody. */
void tailbox__trigger_signal_in_child(void);
/* Why it is not in use, "" = it is or none is wanted. */
void tailbox__trigger_signal_trouble(char out[160]);
/* Called by the handler. */
void tailbox__trigger_signalled(void);

/* --- for status --------------------------------------------------------- */

struct tailbox__trigger_status {
	struct tailbox__config_triggers config;
	struct tailbox__trigger_desk desk;
	uint64_t cooling_ms; /* still to go; 0 = not cooling */
	char signal_trouble[160];
};
void tailbox__trigger_status(struct tailbox__trigger_status *out);

#endif
