/* core/assemble_past.c - runs that begin in the past: snapshots, lookback.
 *
 * SPDX-License-Identifier: MIT
 *
 * What the tape still has of requests that began before the run is counted and
 * no more: a run that takes them would look complete for a time in which some
 * are missing. An open one that gets its record while the tape is read counts
 * once.
 */
#include "core/assemble_plan.h"

#include <errno.h>
#include <stdlib.h>

void tailbox__assembly_set_past(struct tailbox__assembly *a,
                                const struct tailbox__past *past)
{
	a->past = *past;
	if (a->past.from_tick < a->config.from_tick)
		a->past.from_tick = a->config.from_tick;
}

static int by_number(const void *a, const void *b)
{
	const struct tailbox__older *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

void tailbox__older_done(struct tailbox__assembly *a, uint64_t number)
{
	const struct tailbox__older key = { number, false };
	struct tailbox__older *open = NULL;

	if (a->older_open.count)
		open = bsearch(&key, a->older_open.items, a->older_open.count,
		               sizeof(key), by_number);
	if (open)
		open->is_done = true;
	a->older++;
}

int tailbox__older_add_open(struct tailbox__assembly *a, uint64_t number)
{
	struct tailbox__older *o = tailbox__list_add(&a->older_open);

	if (!o)
		return -ENOMEM;
	o->number = number;
	return 0;
}

void tailbox__older_sort(struct tailbox__assembly *a)
{
	if (a->older_open.count)
		qsort(a->older_open.items, a->older_open.count,
		      sizeof(*a->older_open.items), by_number);
}

/* Those that were fed before it was known that the tape does not reach so far
 * count too. */
static void count_older(const struct tailbox__plan *p, uint64_t *done,
                        uint64_t *open)
{
	const struct tailbox__assembly *a = p->a;

	*done = a->older + a->past.older;
	*open = 0;
	for (size_t i = 0; i < a->older_open.count; i++)
		*open += !a->older_open.items[i].is_done;
	for (size_t i = 0; i < a->entries.count; i++) {
		const struct tailbox__entry *e = &a->entries.items[i];
		if (e->line < a->past.from_tick &&
		    tailbox__plan_find(p, e->number) == e)
			++*(e->is_open ? open : done);
	}
}

int tailbox__plan_put_past(struct tailbox__plan *p)
{
	const struct tailbox__past *t = &p->a->past;
	uint64_t done, open;

	if (!t->to_tick)
		return 0;
	count_older(p, &done, &open);
	const struct {
		const char *key;
		uint64_t number;
		bool is_known;
	} facts[] = {
		{ "asked_us", t->asked_ms * 1000, t->asked_ms != 0 },
		{ "covered_us",
		  t->to_tick > t->from_tick
		          ? tailbox__plan_duration_us(p, t->from_tick,
		                                      t->to_tick)
		          : 0,
		  true },
		{ "covered_from_run_us", tailbox__plan_us(p, t->from_tick),
		  true },
		{ "samples_from_run_us", tailbox__plan_us(p, t->samples_tick),
		  t->samples_tick > t->from_tick },
		{ "older_requests", done, true },
		{ "older_open", open, true },
		{ "overwritten_blocks", t->overwritten, true },
	};
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (facts[i].is_known &&
		    tailbox__run_set_extra(p->run, facts[i].key, NULL,
		                           facts[i].number) < 0)
			return -ENOMEM;
	return 0;
}
