/* analyzer/own_requests.c - workers that are held, slow clients, late resumes.
 *
 * SPDX-License-Identifier: MIT
 *
 * All of it from phases of requests; each is a share of the slow requests'
 * time, as the standard's stages are.
 */
#include "analyzer/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "analyzer/timeline.h"
#include "analyzer/timeline_text.h"
#include "core/alloc.h"
#include "core/metrics.h"

#define ADD(list, ...) tailbox__texts_add(list, __VA_ARGS__)

enum { LEAST_REQUESTS = 3 };

/* --- one phase ------------------------------------------------------------ */

struct row {
	enum tailbox__suspect_kind kind;
	enum tailbox__own_time time;
	enum tailbox__phase phase; /* that has to be known */
	const char *title, *what;  /* "answers being read" */
	const char *checks[2];
	const char *none; /* why no request has the phase; NULL: not known */
};

static const struct row rows[] = {
	{ TAILBOX__SUSPECT_UPLOAD, TAILBOX__OWN_BODY, TAILBOX__PHASE_BODY,
	  "clients send their bodies slowly", "waiting for bodies",
	  { "look at who the clients are: tailbox timeline shows their "
	    "connections",
	    "bound it with MHD_OPTION_CONNECTION_TIMEOUT, or take uploads on a "
	    "route of their own" },
	  "no request had a body" },
	{ TAILBOX__SUSPECT_DOWNLOAD, TAILBOX__OWN_SEND, TAILBOX__PHASE_SEND,
	  "clients read their answers slowly", "sending answers",
	  { "compare bytes_out and the send phase of the slow requests",
	    "look at the sockets: ss -tni has their send queues and round trip "
	    "times" },
	  NULL },
	{ TAILBOX__SUSPECT_RESUME, TAILBOX__OWN_RESUME, TAILBOX__PHASE_RESUME,
	  "resumed requests are taken up late", "between resume and handler",
	  { "look for what holds the worker of the connection when it is "
	    "resumed",
	    "check that MHD_USE_ITC is in effect: without it a resume waits "
	    "for the next event" },
	  "no request was suspended" },
};

static int tell_phase(struct tailbox__case *c, const struct row *row,
                      const struct tailbox__own_sum *sum, uint64_t tail,
                      uint64_t all)
{
	struct tailbox__suspect *s = tailbox__own_add(
		c, row->kind, tailbox__own_score(tail, all, sum->count), "%s",
		row->title);
	int rc = s ? 0 : -ENOMEM;

	if (rc == 0)
		rc = ADD(&s->evidence,
		         PERCENT_FORMAT " of the slowest requests' time went "
		         "by %s", PERCENT(tail), row->what);
	if (rc == 0)
		rc = ADD(&s->evidence,
		         "of all requests' time it was " PERCENT_FORMAT
		         ", in %zu of %zu requests",
		         PERCENT(all), sum->count, c->part->request_count);
	for (int i = 0; rc == 0 && i < 2; i++)
		rc = ADD(&s->next_checks, "%s", row->checks[i]);
	if (rc == 0)
		rc = tailbox__own_figure(s, "tail_permille", tail);
	if (rc == 0)
		rc = tailbox__own_figure(s, "requests", sum->count);
	return rc;
}

/* Whether any phase was recorded: then one that is missing did not occur. */
static bool has_phases(const struct tailbox__own_part *p)
{
	for (unsigned k = 0; k < TAILBOX__PHASE_COUNT; k++)
		if (p->phases_known[k] > 0)
			return true;
	return false;
}

static int judge_phase(struct tailbox__case *c, const struct row *row,
                       const struct tailbox__own_part *p)
{
	const struct tailbox__own_sum *sum = &p->of[row->time];
	const uint64_t tail = tailbox__own_tail(c, sum->tail_us);
	const uint64_t all = tailbox__own_all(c, sum->all_us);

	if (p->phases_known[row->phase] == 0)
		return row->none && has_phases(p)
		               ? tailbox__own_rule(c, row->kind,
		                                   TAILBOX__RULING_OUT, "%s",
		                                   row->none)
		               : tailbox__own_rule(c, row->kind,
		                                   TAILBOX__RULING_CANNOT_TELL,
		                                   "no such phase recorded");
	if (tail >= TAILBOX__OWN_LEAST_TAIL && sum->count >= LEAST_REQUESTS)
		return tell_phase(c, row, sum, tail, all);
	return tailbox__own_rule(c, row->kind, TAILBOX__RULING_OUT,
	                         PERCENT_FORMAT " of slow requests' time",
	                         PERCENT(tail));
}

/* --- a held worker -------------------------------------------------------- */

/* Of the route that held workers: how often, for how long. */
struct holds {
	size_t count;
	uint64_t median_us, longest_us; /* NONE of none */
};

/* The first hold of a route or of one behind it. */
static size_t first_of(const struct tailbox__own *own, uint64_t route)
{
	size_t low = 0, high = own->hold_count;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (own->holds[mid].route < route)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Not those of the part alone: another route may be who holds. */
static struct holds look_at_holds(const struct tailbox__own *own,
                                  tailbox__str route)
{
	const size_t first = first_of(own, route);
	const size_t n = first_of(own, (uint64_t)route + 1) - first;
	const struct tailbox__own_hold *h = own->holds + first;

	if (n == 0)
		return (struct holds){ 0, TAILBOX__NONE, TAILBOX__NONE };
	return (struct holds){ n, h[tailbox__percentile_at(n, 50)].us,
		               h[n - 1].us };
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* All that the route held a worker for, others waiting or not: recorded one by
 * one. Nothing where none is. */
static int tell_exact(const struct tailbox__run *run, tailbox__str route,
                      struct tailbox__suspect *s)
{
	const struct tailbox__run_pair *min =
	        tailbox__run_extra(run, "hold_min_us");
	char least[TAILBOX__SHOW_ROOM], median[TAILBOX__SHOW_ROOM];
	char longest[TAILBOX__SHOW_ROOM];
	size_t n = 0;
	int rc = 0;

	if (min == NULL || min->text || route == 0 || run->holds.count == 0)
		return 0;
	uint64_t *us = tailbox__alloc(run->holds.count, sizeof(*us));
	if (us == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < run->holds.count; i++)
		if (run->holds.items[i].route == route)
			us[n++] = run->holds.items[i].dur_us;
	if (n > 0) {
		qsort(us, n, sizeof(*us), compare_u64);
		rc = ADD(&s->evidence,
		         "in all it held a worker for %s or longer %zu times "
		         "(median %s, longest %s)",
		         tailbox__show_us(least, min->number), n,
		         tailbox__show_us(median,
		                          us[tailbox__percentile_at(n, 50)]),
		         tailbox__show_us(longest, us[n - 1]));
	}
	tailbox__free(us);
	return rc;
}

static int tell_holds(struct tailbox__case *c, struct tailbox__suspect *s,
                      const struct tailbox__own_part *p)
{
	char median[TAILBOX__SHOW_ROOM], longest[TAILBOX__SHOW_ROOM];
	const tailbox__str route = p->top[TAILBOX__OWN_BY_HOLDER];
	const struct holds h = look_at_holds(c->part->own, route);
	const size_t behind = tailbox__own_behind(c->part, route);
	int rc;

	if (h.count > 0)
		rc = ADD(&s->evidence,
		         "%zu of its requests held a worker while others "
		         "waited (median %s, longest %s); %zu requests waited "
		         "behind it",
		         h.count, tailbox__show_us(median, h.median_us),
		         tailbox__show_us(longest, h.longest_us),
		         behind);
	else
		rc = ADD(&s->evidence,
		         "%zu requests waited behind it; those that held the "
		         "worker are not in the run",
		         behind);
	if (rc == 0)
		rc = tell_exact(c->part->run, route, s);
	if (rc == 0)
		rc = tailbox__own_tell_stacks(c->part->run, route, s);
	if (rc == 0)
		rc = tailbox__own_name(s, "route", route);
	if (rc == 0)
		rc = tailbox__own_figure(s, "holds", h.count);
	if (rc == 0)
		rc = tailbox__own_figure(s, "median_us", h.median_us);
	if (rc == 0)
		rc = tailbox__own_figure(s, "longest_us", h.longest_us);
	return rc == 0 ? tailbox__own_figure(s, "requests_behind", behind)
	               : rc;
}

/* What the holders were in, when it is known of most of the wait. */
static int tell_cause(struct tailbox__case *c, struct tailbox__suspect *s,
                      const struct tailbox__own_part *p)
{
	const uint64_t whole = p->of[TAILBOX__OWN_INGRESS].tail_us;
	const uint64_t wait = p->of[TAILBOX__OWN_BEHIND_WAIT].tail_us;
	const uint64_t stage = p->of[TAILBOX__OWN_BEHIND_STAGE].tail_us;
	char name[TAILBOX__OWN_NAME_SIZE];

	if (whole == 0 ||
	    tailbox__permille(tailbox__sat_add(wait, stage), whole) <
	            TAILBOX__OWN_MOST)
		return ADD(&s->evidence,
		           "its handler marks no wait and no stage for most of "
		           "that time");
	return ADD(&s->evidence, "meanwhile its handler was in %s '%s'",
	           wait > stage ? "wait" : "stage",
	           tailbox__own_label(c->part->run,
	                              p->top[wait > stage
	                                             ? TAILBOX__OWN_BY_WAIT
	                                             : TAILBOX__OWN_BY_STAGE],
	                              name));
}

static int tell_blocked(struct tailbox__case *c,
                        const struct tailbox__own_part *p, uint64_t tail,
                        uint64_t all, uint64_t ingress)
{
	const struct tailbox__own_sum *sum = &p->of[TAILBOX__OWN_INGRESS];
	const uint32_t pid = tailbox__run_live_pid(c->part->run);
	char name[TAILBOX__OWN_NAME_SIZE];
	struct tailbox__suspect *s = tailbox__own_add(
		c, TAILBOX__SUSPECT_WORKER_BLOCKED,
		tailbox__own_score(tail, all, sum->count),
		p->top[TAILBOX__OWN_BY_HOLDER]
			? "worker blocked by %s"
			: "workers are held, by whom is not known%.0s",
		tailbox__own_label(c->part->run,
		                   p->top[TAILBOX__OWN_BY_HOLDER], name));
	int rc = s ? tell_holds(c, s, p) : -ENOMEM;

	if (rc == 0)
		rc = ADD(&s->evidence,
		         PERCENT_FORMAT " of the slowest requests' time went "
		         "by waiting for a held worker", PERCENT(ingress));
	if (rc == 0)
		rc = ADD(&s->evidence,
		         "%zu of %zu requests waited for one; their waits are "
		         "known to one clock tick",
		         sum->count, c->part->request_count);
	if (rc == 0)
		rc = tell_cause(c, s, p);
	if (rc == 0)
		rc = tailbox__own_figure(s, "tail_permille", ingress);
	if (rc == 0)
		rc = ADD(&s->next_checks,
		         "mark what this handler does with TAILBOX_STAGE and "
		         "TAILBOX_WAIT, or suspend the connection meanwhile");
	if (rc == 0 && pid != 0)
		rc = ADD(&s->next_checks,
		         "while it holds: gdb -p %" PRIu32
		         " -batch -ex 't a a bt'", pid);
	return rc;
}

/* Such waits are seen on TCP only, as accept queues are: where these were
 * sampled and no request has one, there was none. */
static bool looks_at_sockets(const struct tailbox__run *run)
{
	for (size_t i = 0; i < run->values.count; i++)
		if (run->values.items[i].metric ==
		    TAILBOX__METRIC_ACCEPT_QUEUE)
			return true;
	return false;
}

static int judge_blocked(struct tailbox__case *c,
                         const struct tailbox__own_part *p)
{
	const struct tailbox__own_sum *sum = &p->of[TAILBOX__OWN_INGRESS];
	const struct tailbox__own_sum *held = &p->of[TAILBOX__OWN_BARE_HELD];
	const uint64_t ingress = tailbox__own_tail(c, sum->tail_us);

	if (p->phases_known[TAILBOX__PHASE_INGRESS] == 0)
		return looks_at_sockets(c->part->run)
		               ? tailbox__own_rule(
		                         c, TAILBOX__SUSPECT_WORKER_BLOCKED,
		                         TAILBOX__RULING_OUT,
		                         "no request waited for one")
		               : tailbox__own_rule(
		                         c, TAILBOX__SUSPECT_WORKER_BLOCKED,
		                         TAILBOX__RULING_CANNOT_TELL,
		                         "waits for a worker were not "
		                         "recorded");
	if (ingress < TAILBOX__OWN_LEAST_BEHIND || sum->count < LEAST_REQUESTS)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_WORKER_BLOCKED,
		                         TAILBOX__RULING_OUT,
		                         PERCENT_FORMAT
		                         " of slow requests' time waiting",
		                         PERCENT(ingress));
	/* What held others up counts with them: it has the same cause. */
	return tell_blocked(c, p,
	                    tailbox__own_tail(c, tailbox__sat_add(
	                                                 sum->tail_us,
	                                                 held->tail_us)),
	                    tailbox__own_all(c, tailbox__sat_add(
	                                                sum->all_us,
	                                                held->all_us)),
	                    ingress);
}

int tailbox__own_requests(struct tailbox__case *c, struct tailbox__own_case *o)
{
	int rc = judge_blocked(c, &o->part);

	for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++)
		rc = judge_phase(c, &rows[i], &o->part);
	return rc;
}
