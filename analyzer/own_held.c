/* analyzer/own_held.c - what handlers do that mark nothing: wait for a lock,
 * or compute.
 *
 * SPDX-License-Identifier: MIT
 *
 * That a handler took time which nothing is marked in is known of each request
 * exactly; what it did is known of the moments of samples only. So a share of
 * the time is told from the former and its kind from most of the latter.
 */
#include "analyzer/own.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ADD(list, ...) tailbox__texts_add(list, __VA_ARGS__)

enum {
	HELD_LEAST_US = 1000, /* shorter holds are the server's usual work */
	LOOKS_LEAST = 5,
	MOST = 500 /* permille of the looks */
};

struct looks {
	size_t count, unknown, futex, running;
	tailbox__str wchan; /* of a futex */
};

static void count(const struct tailbox__own *own, struct looks *out)
{
	*out = (struct looks){ .count = 0 };
	for (size_t i = 0; i < own->look_count; i++) {
		const struct tailbox__own_look *l = &own->looks[i];
		const char *text;

		if (l->held_us == TAILBOX__NONE || l->held_us < HELD_LEAST_US)
			continue;
		out->count++;
		text = tailbox__run_text(own->run, l->wchan, NULL);
		if (l->state == 'R') {
			out->running++;
		} else if (!strncmp(text, "futex_", 6)) {
			out->futex++;
			out->wchan = l->wchan;
		} else if (l->state == 0 || l->wchan == 0) {
			out->unknown++;
		}
	}
}

static int tell(struct tailbox__case *c, const struct looks *l, bool is_lock,
                const struct tailbox__own_part *p, uint64_t tail, uint64_t all)
{
	const struct tailbox__own_sum *sum = &p->of[TAILBOX__OWN_BARE];
	const uint32_t pid = tailbox__run_live_pid(c->part->run);
	char name[TAILBOX__OWN_NAME_SIZE], wchan[TAILBOX__OWN_NAME_SIZE];
	/* Where the slow ones have none of their own, that of the holders. */
	const tailbox__str own = tailbox__own_bare_route(c);
	const tailbox__str of = own ? own : p->top[TAILBOX__OWN_BY_HOLDER];
	const char *route = tailbox__own_label(c->part->run, of, name);
	struct tailbox__suspect *s = tailbox__own_add(
		c, is_lock ? TAILBOX__SUSPECT_LOCK : TAILBOX__SUSPECT_SPINNING,
		tailbox__own_score(tail, all, sum->count),
		is_lock ? "lock contention in %s" : "%s computes for long",
		route);
	int rc = s ? 0 : -ENOMEM;

	if (rc == 0 && is_lock)
		rc = ADD(&s->evidence,
		         "workers that a handler held slept in %s in %zu of "
		         "%zu samples",
		         tailbox__own_label(c->part->run, l->wchan, wchan),
		         l->futex, l->count);
	else if (rc == 0)
		rc = ADD(&s->evidence,
		         "workers that a handler held were running in %zu of "
		         "%zu samples", l->running, l->count);
	if (rc == 0)
		rc = ADD(&s->evidence,
		         PERCENT_FORMAT " of the slowest requests' time went "
		         "by in handlers where nothing is marked, or behind "
		         "them",
		         PERCENT(tail));
	if (rc == 0)
		rc = ADD(&s->next_checks, "%s",
		         is_lock ? "mark the wait with TAILBOX_WAIT to have "
		                   "its name; hold the lock for shorter"
		                 : "take the work off the worker, or mark it "
		                   "with TAILBOX_STAGE to see which part it "
		                   "is");
	if (rc == 0 && pid != 0)
		rc = is_lock ? ADD(&s->next_checks,
		                   "who holds it: gdb -p %" PRIu32
		                   " -batch -ex 't a a bt'", pid)
		             : ADD(&s->next_checks,
		                   "perf top -p %" PRIu32, pid);
	if (rc == 0)
		rc = tailbox__own_name(s, "route", of);
	if (rc == 0)
		rc = tailbox__own_figure(s, "tail_permille", tail);
	if (rc == 0)
		rc = tailbox__own_figure(s, "samples", l->count);
	return rc == 0 ? tailbox__own_figure(s, "samples_so",
	                                     is_lock ? l->futex : l->running)
	               : rc;
}

static int rule(struct tailbox__case *c, enum tailbox__suspect_kind kind,
                const struct looks *l, size_t so, uint64_t tail)
{
	if (tail < TAILBOX__OWN_LEAST_TAIL)
		return tailbox__own_rule(c, kind, TAILBOX__RULING_OUT,
		                         PERCENT_FORMAT
		                         " in unmarked handlers",
		                         PERCENT(tail));
	if (l->count == 0)
		return tailbox__own_rule(c, kind, TAILBOX__RULING_CANNOT_TELL,
		                         "no sample of a held worker");
	if (c->part->run->snapshots.count == 0 || l->count < LOOKS_LEAST)
		return tailbox__own_rule(c, kind, TAILBOX__RULING_CANNOT_TELL,
		                         "only %zu sample%s of held workers",
		                         l->count, l->count == 1 ? "" : "s");
	if (l->unknown * 2 > l->count)
		return tailbox__own_rule(c, kind, TAILBOX__RULING_CANNOT_TELL,
		                         "what held workers were in was not "
		                         "readable");
	return tailbox__own_rule(c, kind, TAILBOX__RULING_OUT,
	                         "in %zu of %zu samples", so, l->count);
}

int tailbox__own_held(struct tailbox__case *c, struct tailbox__own_case *o)
{
	const struct tailbox__own_part *p = &o->part;
	const uint64_t tail = tailbox__own_tail(
		c, tailbox__sat_add(p->of[TAILBOX__OWN_BARE].tail_us,
	                            p->of[TAILBOX__OWN_BEHIND_BARE].tail_us));
	const uint64_t all = tailbox__own_all(
		c, tailbox__sat_add(p->of[TAILBOX__OWN_BARE].all_us,
	                            p->of[TAILBOX__OWN_BEHIND_BARE].all_us));
	struct looks l;
	int rc = 0;

	count(c->part->own, &l);
	const bool is_enough =
	        l.count >= LOOKS_LEAST && tail >= TAILBOX__OWN_LEAST_TAIL;
	const bool is_lock =
	        is_enough && tailbox__permille(l.futex, l.count) >= MOST;
	const bool is_spin =
	        is_enough && tailbox__permille(l.running, l.count) >= MOST;
	if (is_lock)
		rc = tell(c, &l, true, p, tail, all);
	if (rc == 0 && is_spin) /* as well: half of them each */
		rc = tell(c, &l, false, p, tail, all);
	if (rc == 0)
		rc = rule(c, TAILBOX__SUSPECT_LOCK, &l, l.futex, tail);
	return rc == 0 ? rule(c, TAILBOX__SUSPECT_SPINNING, &l, l.running, tail)
	               : rc;
}
