/* controller/admin_status.c - GET /status: what tailbox does, and what it lost.
 *
 * SPDX-License-Identifier: MIT
 *
 * Numbers come from the tape's counters and copies; the locks on the way (the
 * window's, the list of daemons) are held for a copy only, never across a
 * callback of the application. So this answers when all else is stuck.
 */
#include <linux/magic.h>
#include <stddef.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/admin_status.h"
#include "core/alloc.h"
#include "core/recorder.h"

static uint64_t mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void gather(struct tailbox__status *s)
{
	s->facts = tailbox__admin_facts;
	if (gethostname(s->host, sizeof(s->host) - 1) != 0)
		s->host[0] = '\0';
	s->uptime_ms = mono_ms() - s->facts->started_mono_ms;
	s->is_on = s->facts->is_recorded && tailbox__recorder_is_on();
	tailbox__switch_status(&s->flip);
	tailbox__cost_status(&s->cost);
	if (s->facts->has_controller) {
		tailbox__folder_status(&s->folder);
		tailbox__after_status(&s->after);
	}
	s->has_numbers = s->has_window = s->facts->has_controller;
	if (s->has_numbers)
		tailbox__recorder_status(&s->rec);
	if (s->has_window) {
		tailbox__window_status(&s->window);
		tailbox__snapshot_status(&s->snapshot);
		tailbox__trigger_status(&s->triggers);
	}
	if (s->facts->has_sampler)
		tailbox__sampler_cost(&s->sampler);
	tailbox__settings_status(&s->settings);
	s->daemon_count = tailbox__daemons(s->daemons);
}

uint64_t tailbox__status_tape_for(const struct tailbox__status *s, uint64_t ms)
{
	const uint64_t now = tailbox__recorder.tape.file_bytes;
	const uint64_t holds = s->rec.history_ms;
	uint64_t bytes = TAILBOX__TAPE_MIN;

	if (!s->has_numbers || holds == TAILBOX__NONE || holds == 0)
		return TAILBOX__NONE;
	while (bytes <= TAILBOX__TAPE_MAX &&
	       (unsigned __int128)bytes * holds < (unsigned __int128)now * ms)
		bytes *= 2;
	return bytes <= TAILBOX__TAPE_MAX ? bytes : TAILBOX__NONE;
}

uint64_t tailbox__status_next_tape(const struct tailbox__status *s)
{
	const struct tailbox__tape *t = &tailbox__recorder.tape;
	struct tailbox__tape_wish wish = s->facts->wish;

	if (!s->has_numbers || !wish.history_ms || s->rec.fill == TAILBOX__NONE)
		return TAILBOX__NONE;
	wish.fill = s->rec.fill;
	/* This one is gone by then. */
	return tailbox__tape_size(&wish, t->fd, t->file_bytes);
}

const char *tailbox__status_why_not(const struct tailbox__status *s)
{
	if (s->is_on)
		return NULL;
	return s->facts->is_recorded ? "switched off" : s->facts->why_not;
}

/* --- the table of numbers ---------------------------------------------- */

#define AT(member) offsetof(struct tailbox__recorder_status, member)

const struct tailbox__status_number tailbox__status_losses[] = {
	{ "requests", "requests", AT(lost_requests) },
	{ "spans", "spans", AT(lost_spans) },
	{ "holds", "holds", AT(lost_holds) },
	{ "late_spans", "late spans", AT(late_spans) },
	{ "tags", "tags", AT(lost_tags) },
	{ "names", "names", AT(lost_names) },
	{ "threads", "requests on threads beyond the table", AT(lost_threads) },
	{ "slots", "requests or connections without a slot", AT(lost_slots) },
	{ "connections", "connections beyond the table", AT(lost_connections) },
	{ "clock_steps", "jumps of the clock", AT(clock_steps) },
	{ "blocks", "blocks recycled unread", AT(lost_blocks) },
	{ NULL, NULL, 0 }
};

const struct tailbox__status_number tailbox__status_counters[] = {
	{ "begun", "begun", AT(begun) },
	{ "finished", "finished", AT(finished) },
	{ "discarded", "discarded", AT(discarded) },
	{ "spans", "spans", AT(spans) },
	{ "gauge_moves", "gauge moves", AT(moves) },
	{ "holds", "holds", AT(holds) },
	{ NULL, NULL, 0 }
};

const struct tailbox__status_number tailbox__status_present[] = {
	{ "open_requests", "open requests", AT(open_requests) },
	{ "connections", "connections", AT(connections) },
	{ "suspended", "suspended", AT(suspended) },
	{ NULL, NULL, 0 }
};

const struct tailbox__status_number tailbox__status_latencies[] = {
	{ "p50_us", "p50", AT(p50_us) },
	{ "p95_us", "p95", AT(p95_us) },
	{ "p99_us", "p99", AT(p99_us) },
	{ "max_us", "max", AT(max_us) },
	{ NULL, NULL, 0 }
};

static bool is_present(const struct tailbox__status_number *n)
{
	const struct tailbox__status_number *p = tailbox__status_present;

	for (; p->key != NULL; p++)
		if (p == n)
			return true;
	return false;
}

uint64_t tailbox__status_value(const struct tailbox__status *s,
                               const struct tailbox__status_number *n)
{
	uint64_t v = TAILBOX__NONE;

	/* What is open now is seen only while it is recorded. */
	if (s->has_numbers && (s->is_on || !is_present(n)))
		memcpy(&v, (const char *)&s->rec + n->at, sizeof(v));
	return v;
}

uint64_t tailbox__status_lost(const struct tailbox__status *s)
{
	const struct tailbox__status_number *n;
	uint64_t sum = 0;

	for (n = tailbox__status_losses; s->has_numbers && n->key; n++)
		sum += tailbox__status_value(s, n);
	return sum;
}

const char *tailbox__status_survives(const struct tailbox__admin_facts *f)
{
	struct statfs fs;
	bool is_memory;

	if (!f->is_recorded || statfs(f->run_dir, &fs) != 0)
		return NULL;
	is_memory = fs.f_type == TMPFS_MAGIC ||
	            (unsigned long)fs.f_type == RAMFS_MAGIC;
	if (f->is_run_dir_of_service)
		return "a killed process; not the end of the service, which "
		       "removes its runtime folder";
	return is_memory ? "a killed process and a restart of the service; "
	                   "not a reboot"
	                 : "a killed process, a restart and a reboot; after a "
	                   "power cut only what the kernel had written";
}

const char *tailbox__status_clock_name(void)
{
	switch (tailbox__clock.kind) {
	case TAILBOX__CLOCK_TSC:
		return "tsc";
	case TAILBOX__CLOCK_INJECTED:
		return "injected";
	}
	return "monotonic";
}

const char *tailbox__status_mode_name(enum tailbox__mode mode)
{
	return mode == TAILBOX__MODE_INVESTIGATION ? "investigation" : "light";
}

const char *tailbox__status_state_name(enum tailbox__window_state state)
{
	switch (state) {
	case TAILBOX__WINDOW_DISABLED:
		return "disabled";
	case TAILBOX__WINDOW_ACTIVE:
		return "active";
	case TAILBOX__WINDOW_CLOSING:
		return "closing";
	case TAILBOX__WINDOW_FAILED:
		return "failed";
	}
	return NULL;
}

const char *tailbox__status_daemon_mode(enum tailbox__daemon_mode mode)
{
	switch (mode) {
	case TAILBOX__DAEMON_SINGLE:
		return "single";
	case TAILBOX__DAEMON_POOL:
		return "pool";
	case TAILBOX__DAEMON_THREADS:
		return "thread per connection";
	case TAILBOX__DAEMON_EXTERNAL:
		return "external";
	}
	return NULL;
}

uint64_t tailbox__status_follower_ns_milli(const struct tailbox__status *s)
{
	if (!s->has_numbers || s->rec.follower_records == 0)
		return TAILBOX__NONE;
	return (uint64_t)((unsigned __int128)s->rec.follower_cpu_ns * 1000 /
	                  s->rec.follower_records);
}

enum MHD_Result tailbox__admin_status(struct tailbox__admin_request *q)
{
	struct tailbox__status *s = tailbox__zalloc(1, sizeof(*s));
	enum MHD_Result rc;

	if (s == NULL)
		return MHD_NO;
	gather(s);
	rc = q->as_text ? tailbox__status_text(q, s)
	                : tailbox__status_json(q, s);
	tailbox__free(s);
	return rc;
}
