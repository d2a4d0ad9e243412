/* controller/admin_status.h - what the two forms of /status share.
 *
 * SPDX-License-Identifier: MIT
 *
 * Counters are one table for the JSON and the text, so that none can be
 * forgotten in one of them.
 */
#ifndef TAILBOX_CONTROLLER_ADMIN_STATUS_H
#define TAILBOX_CONTROLLER_ADMIN_STATUS_H 1

#include "controller/admin_internal.h"
#include "controller/settings.h"
#include "controller/trigger_watch.h"
#include "core/daemons.h"
#include "sampler/sampler.h"

/* Everything /status shows, copied at one instant. */
struct tailbox__status {
	const struct tailbox__admin_facts *facts;
	char host[65];
	uint64_t uptime_ms;
	bool is_on;
	struct tailbox__switch_status flip;
	struct tailbox__folder_status folder;
	struct tailbox__after_status after;
	struct tailbox__cost_status cost;
	bool has_numbers; /* `rec`, from the controller */
	struct tailbox__recorder_status rec;
	struct tailbox__settings_status settings;
	bool has_window;
	struct tailbox__window_status window;
	struct tailbox__snapshot_status snapshot; /* has_window */
	struct tailbox__trigger_status triggers; /* with has_window */
	struct tailbox__sampler_cost sampler;
	struct tailbox__daemon daemons[TAILBOX__DAEMONS_MAX];
	uint32_t daemon_count;
};

/* A member of tailbox__recorder_status. Tables end with key NULL. */
struct tailbox__status_number {
	const char *key, *words;
	size_t at;
};
extern const struct tailbox__status_number tailbox__status_losses[];
extern const struct tailbox__status_number tailbox__status_counters[];
extern const struct tailbox__status_number tailbox__status_present[];
extern const struct tailbox__status_number tailbox__status_latencies[];

/* NONE without the controller. */
uint64_t tailbox__status_value(const struct tailbox__status *s,
                               const struct tailbox__status_number *n);
/* The sum of the losses. */
uint64_t tailbox__status_lost(const struct tailbox__status *s);
/* CPU time of the follower per record, in thousandths of a ns. */
uint64_t tailbox__status_follower_ns_milli(const struct tailbox__status *s);

/* The size to set for a tape that holds `ms` at the rate of the last 10 s: a
 * power of two, as tapes are. NONE: the rate is not known, or 1 GiB is not
 * enough. */
uint64_t tailbox__status_tape_for(const struct tailbox__status *s, uint64_t ms);
/* The size of the next start's tape, by the history that is wished and how fast
 * this one fills. NONE: none is wished, or how fast is not known yet. */
uint64_t tailbox__status_next_tape(const struct tailbox__status *s);
/* NULL = it is recorded. */
const char *tailbox__status_why_not(const struct tailbox__status *s);
/* What the tape survives, by where it lies; NULL = not known. */
const char *tailbox__status_survives(const struct tailbox__admin_facts *f);
const char *tailbox__status_clock_name(void);
const char *tailbox__status_mode_name(enum tailbox__mode mode);
const char *tailbox__status_state_name(enum tailbox__window_state state);
const char *tailbox__status_daemon_mode(enum tailbox__daemon_mode mode);

void tailbox__status_put_triggers(struct tailbox__json *j,
                                  const struct tailbox__status *s);
void tailbox__status_add_triggers(struct tailbox__text *t,
                                  const struct tailbox__status *s);
enum MHD_Result tailbox__status_json(struct tailbox__admin_request *q,
                                     const struct tailbox__status *s);
enum MHD_Result tailbox__status_text(struct tailbox__admin_request *q,
                                     const struct tailbox__status *s);

#endif
