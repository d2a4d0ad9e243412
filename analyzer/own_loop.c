/* analyzer/own_loop.c - an event loop that sleeps with requests before it.
 *
 * SPDX-License-Identifier: MIT
 *
 * MHD's epoll loop fetches 128 events at a time, and when it got as many it
 * fetches again, with its full timeout, before it serves the first of them.
 * With exactly 128 connections ready, or a multiple, it sleeps until something
 * else happens: measured, doc/analysis.md has the figures. Requests do
 * not show it. Their time begins when their line is read, and that is after the
 * sleep; no handler held the worker, so no wait for one is recorded either.
 *
 * What shows it are samples: a worker that sleeps, ran no callback meanwhile,
 * and has requests in its sockets. From them the time that was waited is worked
 * out by Little's law: so many at a time, times how long they stood there. With
 * it the requests' time would have been longer by as much; shares are of that.
 */
#include "analyzer/own.h"

#include <errno.h>
#include <inttypes.h>

#include "analyzer/timeline_text.h"

#define ADD(list, ...) tailbox__texts_add(list, __VA_ARGS__)

enum {
	/* Events that MHD's loop fetches at a time. */
	LOOP_EVENTS = 128,
	/* So many unserved requests are a stall. The events of the 128 that
	 * are no requests (connections that came or went) are not counted, and
	 * of more than 256 connections their number is an estimate. */
	UNSERVED_LEAST = 64,
	LOOKS_LEAST = 2
};

struct loop {
	size_t wide;    /* looks at a worker with LOOP_EVENTS connections */
	size_t asleep;  /* of those: it slept, unserved requests are known */
	size_t stalled;
	uint64_t most_connections, most_unserved;
	uint64_t waited_us;  /* sum over requests */
	uint64_t longest_us; /* between looks in a row: at least so long */
	uint64_t step_us;    /* the longest between two of them */
	bool has_connections;
};

static bool is_stalled(const struct tailbox__own_look *l)
{
	return l->unserved != TAILBOX__NONE && l->unserved >= UNSERVED_LEAST;
}

/* From look i - 1 to look i of one worker; NONE = not known. */
static uint64_t step_to(const struct tailbox__own *own, size_t i)
{
	const struct tailbox__own_look *b = &own->looks[i];

	if (i == 0 || b[-1].worker != b->worker ||
	    b->at_us == TAILBOX__NONE || b->at_us <= b[-1].at_us)
		return TAILBOX__NONE;
	return b->at_us - b[-1].at_us;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The looks are by worker, then by time. */
static void look(const struct tailbox__own *own, struct loop *x)
{
	uint64_t row_us = 0; /* stalled at each look in it */

	*x = (struct loop){ .wide = 0 };
	for (size_t i = 0; i < own->look_count; i++) {
		const struct tailbox__own_look *l = &own->looks[i];
		const uint64_t step_us = step_to(own, i);

		if (l->connections != TAILBOX__NONE) {
			x->has_connections = true;
			x->wide += l->connections >= LOOP_EVENTS;
			x->most_connections = most(x->most_connections,
			                           l->connections);
		}
		if (l->unserved != TAILBOX__NONE) {
			x->asleep++;
			x->most_unserved = most(x->most_unserved, l->unserved);
		}
		if (!is_stalled(l))
			continue;
		x->stalled++;
		if (step_us == TAILBOX__NONE || !is_stalled(l - 1))
			row_us = 0;
		else
			row_us = tailbox__sat_add(row_us, step_us);
		x->longest_us = most(x->longest_us, row_us);
		if (step_us == TAILBOX__NONE)
			continue;
		x->step_us = most(x->step_us, step_us);
		x->waited_us = tailbox__sat_add(
			x->waited_us, tailbox__sat_mul(l->unserved, step_us));
	}
}

/* Share of what the time would be, had it been recorded. Beyond a century the
 * product of a share would saturate. */
static uint64_t share(const struct loop *x, uint64_t recorded_us)
{
	const uint64_t us = tailbox__min_u64(x->waited_us, UINT64_MAX / 4000);

	return tailbox__permille(us, tailbox__sat_add(recorded_us, us));
}

static int add_evidence(struct tailbox__suspect *s, const struct loop *x,
                        uint64_t tail)
{
	char waited[TAILBOX__SHOW_ROOM], longest[TAILBOX__SHOW_ROOM];
	char step[TAILBOX__SHOW_ROOM];
	int rc;

	rc = ADD(&s->evidence,
	         "a worker slept with up to %" PRIu64 " requests unserved in "
	         "%zu of %zu samples, %s at a stretch (samples are %s apart)",
	         x->most_unserved, x->stalled, x->wide,
	         tailbox__show_us(longest, x->longest_us),
	         tailbox__show_us(step, x->step_us));
	if (rc == 0)
		rc = ADD(&s->evidence,
		         "clients waited %s for it in all, which no request "
		         "shows: " PERCENT_FORMAT " of slow requests' time "
		         "with it",
		         tailbox__show_us(waited, x->waited_us),
		         PERCENT(tail));
	return rc == 0 ? ADD(&s->evidence,
	                     "MHD's epoll loop sleeps when exactly %d events "
	                     "or a multiple are ready; a worker had up to "
	                     "%" PRIu64 " connections", LOOP_EVENTS,
	                     x->most_connections)
	               : rc;
}

static int add_checks(struct tailbox__suspect *s)
{
	int rc = ADD(&s->next_checks,
	             "have fewer than %d connections on a worker: more of them "
	             "by MHD_OPTION_THREAD_POOL_SIZE, or a lower "
	             "MHD_OPTION_CONNECTION_LIMIT", LOOP_EVENTS);

	if (rc == 0)
		rc = ADD(&s->next_checks,
		         "or use MHD_USE_POLL, which has no such loop");
	return rc == 0 ? ADD(&s->next_checks,
	                     "until then a short MHD_OPTION_CONNECTION_TIMEOUT "
	                     "ends each stall, but closes some connections "
	                     "unanswered")
	               : rc;
}

static int tell(struct tailbox__case *c, const struct loop *x, uint64_t tail)
{
	const uint64_t all = share(x, c->figures->latency_sum);
	struct tailbox__suspect *s = tailbox__own_add(
		c, TAILBOX__SUSPECT_LOOP,
		tailbox__own_score(tail, all, x->wide),
		"the event loop sleeps with %" PRIu64 " requests ready",
		x->most_unserved);
	const struct {
		const char *key;
		uint64_t value;
	} figures[] = {
		{ "tail_permille", tail },
		{ "waited_us", x->waited_us },
		{ "longest_us", x->longest_us },
		{ "unserved_max", x->most_unserved },
		{ "connections_max", x->most_connections },
		{ "samples", x->wide },
		{ "samples_so", x->stalled },
	};
	int rc = s ? add_evidence(s, x, tail) : -ENOMEM;

	if (rc == 0)
		rc = add_checks(s);
	for (size_t i = 0; rc == 0 && i < sizeof(figures) / sizeof(figures[0]);
	     i++)
		rc = tailbox__own_figure(s, figures[i].key, figures[i].value);
	return rc;
}

/* Connections enough for it, and it was looked for. */
static int judge(struct tailbox__case *c, const struct loop *x,
                 struct tailbox__own_case *o)
{
	const uint64_t tail = share(x, c->figures->tail_sum);

	if (x->stalled == 0)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_LOOP,
		                         TAILBOX__RULING_OUT,
		                         "at most %" PRIu64 " requests ready "
		                         "while a worker slept",
		                         x->most_unserved);
	if (x->stalled < LOOKS_LEAST)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_LOOP,
		                         TAILBOX__RULING_CANNOT_TELL,
		                         "%" PRIu64 " requests unserved in "
		                         "only 1 of %zu samples",
		                         x->most_unserved, x->wide);
	if (tail < TAILBOX__OWN_LEAST_TAIL)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_LOOP,
		                         TAILBOX__RULING_OUT,
		                         PERCENT_FORMAT
		                         " of slow requests' time",
		                         PERCENT(tail));
	o->asleep = tail;
	return tell(c, x, tail);
}

int tailbox__own_loop(struct tailbox__case *c, struct tailbox__own_case *o)
{
	struct loop x;

	look(c->part->own, &x);
	if (!x.has_connections)
		return tailbox__own_rule(
			c, TAILBOX__SUSPECT_LOOP, TAILBOX__RULING_CANNOT_TELL,
			"connections of workers were not sampled");
	if (x.wide == 0)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_LOOP,
		                         TAILBOX__RULING_OUT,
		                         "max %" PRIu64 " of %d on a worker",
		                         x.most_connections, LOOP_EVENTS);
	if (x.asleep == 0)
		return tailbox__own_rule(
			c, TAILBOX__SUSPECT_LOOP, TAILBOX__RULING_CANNOT_TELL,
			"no sample has the requests before a sleeping worker");
	return judge(c, &x, o);
}
