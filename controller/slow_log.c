/* controller/slow_log.c - slow requests, to the application's log.
 *
 * SPDX-License-Identifier: MIT
 *
 * The follower compares one number per request. What it finds becomes a line
 * here, at most ten a second: a service in trouble must not fill its disk, nor
 * wait for its log. How many more there were is said when the second is over.
 * Lines are made under follow_lock and said without it, because the log is the
 * application's and may take any time, and call anything.
 *
 * A request's waits are other records, which may not have been read yet: they
 * are left out. tailbox tail has them.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "controller/internal.h"
#include "core/request_line.h"

static _Atomic uint64_t slow_ms; /* relaxed: a number and nothing else */

/* Guarded by follow_lock. */
static struct {
	uint64_t second, lines, more;
} state;

void tailbox__slow_log_set(uint64_t ms)
{
	atomic_store_explicit(&slow_ms, ms, memory_order_relaxed);
}

static uint64_t slow_now(void)
{
	return atomic_load_explicit(&slow_ms, memory_order_relaxed);
}

void tailbox__slow_log_begin(struct tailbox__slow_pass *p)
{
	const uint64_t ms = tailbox__c.config.log ? slow_now() : 0;

	p->ticks = ms ? tailbox__us_to_ticks(ms * 1000) : UINT64_MAX;
	p->count = p->line_count = 0;
}

static bool has_room(void)
{
	const uint64_t second = tailbox__mono_ns() / 1000000000u;

	if (second != state.second) {
		state.second = second;
		state.lines = 0;
	}
	return state.lines < TAILBOX__SLOW_MAX;
}

static void put(struct tailbox__slow_pass *p, const struct tailbox__line *line)
{
	static const char head[] = "msg=\"slow request\" ";
	char *to = p->lines[p->line_count++];

	memcpy(to, head, sizeof(head));
	tailbox__line_logfmt(line, to + sizeof(head) - 1,
	                     sizeof(p->lines[0]) - sizeof(head));
	state.lines++;
}

void tailbox__slow_log_batch(struct tailbox__slow_pass *p,
                             struct tailbox__reader *r, const char *records,
                             size_t bytes)
{
	const uint32_t noted =
	        p->count < TAILBOX__SLOW_MAX ? p->count : TAILBOX__SLOW_MAX;
	const uint64_t slow_ns = slow_now() * 1000000;
	struct tailbox__line line;

	if (!slow_ns)
		return; /* turned off since the pass began */
	(void)tailbox__reader_refresh(r); /* the clock's scale, new names */
	for (uint32_t i = 0; i < noted; i++) {
		if (!tailbox__line_read(&line, r, records + p->at[i],
		                        bytes - p->at[i]) ||
		    line.total_ns < slow_ns)
			continue;
		if (p->line_count < TAILBOX__SLOW_MAX && has_room())
			put(p, &line);
		else
			state.more++;
	}
	state.more += p->count - noted;
}

void tailbox__slow_log_end(struct tailbox__slow_pass *p)
{
	if (!state.more || tailbox__mono_ns() / 1000000000u == state.second)
		return;
	snprintf(p->lines[p->line_count++], sizeof(p->lines[0]),
	         "msg=\"slow requests that were not logged\" count=%" PRIu64,
	         state.more);
	state.more = 0;
}

void tailbox__slow_log_say(const struct tailbox__slow_pass *p)
{
	for (uint32_t i = 0; i < p->line_count; i++)
		tailbox__log("%s", p->lines[i]);
}
