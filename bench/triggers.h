/* bench/triggers.h - every trigger that goes by figures, with bounds that
 * nothing reaches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_BENCH_TRIGGERS_H
#define TAILBOX_BENCH_TRIGGERS_H 1

#include <stdbool.h>
#include <stdio.h>

#include "controller/trigger_watch.h"

/* From the follower's next pass on: all, with a percentile of `route` among
 * them, or none. */
static inline void bench_triggers(bool are_on, const char *route)
{
	static struct tailbox__config settings;
	struct tailbox__config_triggers *c = &settings.triggers;

	tailbox__config_init(&settings);
	if (are_on) {
		c->slow = c->open = c->held = 60000;
		c->p99_factor = 1000;
		c->p99_floor = 60000;
		snprintf(c->error_rate, sizeof(c->error_rate), "100%%");
		snprintf(c->accept_queue, sizeof(c->accept_queue), "100%%");
		snprintf(c->route_p99.items[0], sizeof(c->route_p99.items[0]),
		         "%s 60s", route);
		c->route_p99.count = 1;
	}
	tailbox__trigger_set(c);
}

#endif
