/* controller/trigger_desk.c - one artifact at a time, and who lost.
 *
 * SPDX-License-Identifier: MIT
 *
 *   IDLE --a firing--> TAKEN --cut--> CUT --done--> COOLING --time--> IDLE
 *
 * One episode is one artifact. A list of every firing would hold nothing but
 * the last second of a storm, so firings of one kind that met the same fate in
 * one episode are one entry with a count and the worst figure.
 */
#include "controller/trigger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const tailbox__trigger_results[TAILBOX__TRIGGER_RESULTS] = {
	[TAILBOX__TRIGGER_UNDER_WAY] = "under_way",
	[TAILBOX__TRIGGER_MADE] = "made",
	[TAILBOX__TRIGGER_COVERED] = "covered",
	[TAILBOX__TRIGGER_COOLING] = "cooling",
	[TAILBOX__TRIGGER_FAILED] = "failed",
};

static uint64_t kept(const struct tailbox__trigger_desk *d)
{
	return d->entries < TAILBOX__TRIGGER_LAST ? d->entries
	                                          : TAILBOX__TRIGGER_LAST;
}

static struct tailbox__trigger_entry *
find(struct tailbox__trigger_desk *d, enum tailbox__trigger_kind kind,
     enum tailbox__trigger_result result)
{
	for (uint64_t i = 0; i < kept(d); i++) {
		struct tailbox__trigger_entry *e = &d->last[i];
		if (e->episode == d->episode && e->firing.kind == kind &&
		    e->result == result)
			return e;
	}
	return NULL;
}

static void add(struct tailbox__trigger_desk *d,
                const struct tailbox__firing *f, uint64_t count,
                enum tailbox__trigger_result result, uint64_t wall_ms)
{
	struct tailbox__trigger_entry *e = NULL;

	if (result != TAILBOX__TRIGGER_UNDER_WAY)
		e = find(d, f->kind, result);
	if (e) {
		e->firing.count += count;
		if (f->figure == TAILBOX__NONE || f->figure <= e->firing.figure)
			return;
		count = e->firing.count;
	} else {
		e = &d->last[d->entries++ % TAILBOX__TRIGGER_LAST];
		e->episode = d->episode;
		e->result = result;
		e->at_ms = wall_ms;
		memcpy(e->artifact, d->artifact, sizeof(e->artifact));
	}
	e->firing = *f;
	e->firing.count = count;
}

/* Those that do not get an artifact of their own. */
static void lose(struct tailbox__trigger_desk *d,
                 const struct tailbox__firing *f, uint64_t count,
                 uint64_t wall_ms)
{
	const bool is_in = d->state == TAILBOX__DESK_TAKEN;

	if (!count)
		return;
	if (is_in)
		d->counts[f->kind].covered += count;
	else
		d->counts[f->kind].cooling += count;
	add(d, f, count,
	    is_in ? TAILBOX__TRIGGER_COVERED : TAILBOX__TRIGGER_COOLING,
	    wall_ms);
}

bool tailbox__desk_take(struct tailbox__trigger_desk *d,
                        const struct tailbox__firing *f, uint64_t now_ns,
                        uint64_t wall_ms)
{
	d->counts[f->kind].fired += f->count;
	if (d->state == TAILBOX__DESK_COOLING && now_ns >= d->cool_ns)
		d->state = TAILBOX__DESK_IDLE;
	if (d->state != TAILBOX__DESK_IDLE) {
		lose(d, f, f->count, wall_ms);
		return false;
	}
	d->state = TAILBOX__DESK_TAKEN;
	d->episode++;
	d->fired_ns = now_ns;
	d->artifact[0] = '\0';
	add(d, f, 1, TAILBOX__TRIGGER_UNDER_WAY, wall_ms);
	lose(d, f, f->count - 1, wall_ms);
	return true;
}

void tailbox__desk_cut(struct tailbox__trigger_desk *d)
{
	if (d->state == TAILBOX__DESK_TAKEN)
		d->state = TAILBOX__DESK_CUT;
}

const struct tailbox__trigger_entry *
tailbox__desk_in_hand(const struct tailbox__trigger_desk *d)
{
	for (uint64_t i = 0; i < kept(d); i++)
		if (d->last[i].episode == d->episode &&
		    d->last[i].result == TAILBOX__TRIGGER_UNDER_WAY)
			return &d->last[i];
	return NULL;
}

/* Where nothing was made nobody was covered, either. */
static void settle(struct tailbox__trigger_desk *d,
                   struct tailbox__trigger_entry *e, bool is_made)
{
	const enum tailbox__trigger_kind kind = e->firing.kind;

	memcpy(e->artifact, d->artifact, sizeof(e->artifact));
	if (e->result == TAILBOX__TRIGGER_UNDER_WAY) {
		e->result = is_made ? TAILBOX__TRIGGER_MADE
		                    : TAILBOX__TRIGGER_FAILED;
	} else if (e->result == TAILBOX__TRIGGER_COVERED && !is_made) {
		e->result = TAILBOX__TRIGGER_FAILED;
		d->counts[kind].covered -= e->firing.count;
	} else {
		return;
	}
	if (e->result == TAILBOX__TRIGGER_MADE)
		d->counts[kind].made += e->firing.count;
	else if (e->result == TAILBOX__TRIGGER_FAILED)
		d->counts[kind].failed += e->firing.count;
}

void tailbox__desk_done(struct tailbox__trigger_desk *d, const char *artifact,
                        const char *error, uint64_t cooldown_ms,
                        uint64_t now_ns)
{
	if (d->state != TAILBOX__DESK_TAKEN && d->state != TAILBOX__DESK_CUT)
		return;
	snprintf(d->artifact, sizeof(d->artifact), "%s",
	         artifact && !error ? artifact : "");
	if (error)
		snprintf(d->error, sizeof(d->error), "%s", error);
	for (uint64_t i = 0; i < kept(d); i++)
		if (d->last[i].episode == d->episode)
			settle(d, &d->last[i], !error);
	d->state = TAILBOX__DESK_COOLING;
	d->cool_ns = d->fired_ns + cooldown_ms * 1000000;
	if (d->cool_ns < now_ns)
		d->cool_ns = now_ns;
}

/* --- for people ---------------------------------------------------------- */

static void figures(char out[80], const struct tailbox__firing *f)
{
	const char *unit = "";
	uint64_t scale = 1;

	switch (f->kind) {
	case TAILBOX__TRIGGER_SLOW:
	case TAILBOX__TRIGGER_OPEN:
	case TAILBOX__TRIGGER_HELD:
	case TAILBOX__TRIGGER_ROUTE_P99:
	case TAILBOX__TRIGGER_P99_FACTOR:
		unit = " ms";
		scale = 1000;
		break;
	case TAILBOX__TRIGGER_ERROR_RATE:
		unit = "%";
		scale = 10000;
		break;
	case TAILBOX__TRIGGER_ACCEPT_QUEUE:
	case TAILBOX__TRIGGER_CALL:
	case TAILBOX__TRIGGER_SIGNAL:
	case TAILBOX__TRIGGER_KINDS:
		break;
	}
	snprintf(out, 80, "%" PRIu64 "%s, bound %" PRIu64 "%s",
	         f->figure / scale, unit, f->bound / scale, unit);
}

char *tailbox__firing_text(char *out, size_t size,
                           const struct tailbox__firing *f)
{
	char numbers[80] = "";

	if (f->figure != TAILBOX__NONE)
		figures(numbers, f);
	snprintf(out, size, "%s%s%.*s%s%s", tailbox__trigger_names[f->kind],
	         f->what[0] ? " " : "", TAILBOX__TRIGGER_WHAT - 1, f->what,
	         numbers[0] ? ": " : "", numbers);
	return out;
}
