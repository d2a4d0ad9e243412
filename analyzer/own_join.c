/* analyzer/own_join.c - suspects of ours among the standard ones.
 *
 * SPDX-License-Identifier: MIT
 *
 * Two suspects may account for the same time: a request waits for a worker
 * which a handler holds which waits for a lock. The deepest that the recording
 * shows is the one to look at first, so it explains the others: it takes the
 * best score of them, since it accounts for their time too, and they come
 * behind it, of medium confidence at most.
 */
#include "analyzer/own.h"

#include <errno.h>
#include <inttypes.h>

#define ADD(list, ...) tailbox__texts_add(list, __VA_ARGS__)

/* The end of the chain. It has none in a ring: see join(). */
static struct tailbox__suspect *root(const struct tailbox__case *c,
                                     struct tailbox__suspect *s)
{
	while (s->explained_by != TAILBOX__SUSPECT_COUNT)
		s = tailbox__suspect_find(c, s->explained_by);
	return s;
}

static void join(const struct tailbox__case *c,
                 enum tailbox__suspect_kind deeper,
                 enum tailbox__suspect_kind other)
{
	struct tailbox__suspect *a = tailbox__suspect_find(c, deeper);
	struct tailbox__suspect *b = tailbox__suspect_find(c, other);

	if (!a || !b || b->explained_by != TAILBOX__SUSPECT_COUNT)
		return;
	a = root(c, a);
	if (a == b)
		return;
	b->explained_by = a->kind;
	if (a->score < b->score)
		a->score = b->score;
}

/* Of most of the time behind held workers the holders were in one thing. */
static void join_holders(const struct tailbox__case *c,
                         const struct tailbox__own_part *p)
{
	const uint64_t whole = p->of[TAILBOX__OWN_INGRESS].tail_us;
	const uint64_t wait = p->of[TAILBOX__OWN_BEHIND_WAIT].tail_us;
	const uint64_t stage = p->of[TAILBOX__OWN_BEHIND_STAGE].tail_us;

	if (whole == 0)
		return;
	if (tailbox__permille(wait, whole) >= TAILBOX__OWN_MOST)
		join(c, TAILBOX__SUSPECT_QUEUE,
		     TAILBOX__SUSPECT_WORKER_BLOCKED);
	if (tailbox__permille(stage, whole) >= TAILBOX__OWN_MOST)
		join(c, TAILBOX__SUSPECT_DOWNSTREAM,
		     TAILBOX__SUSPECT_WORKER_BLOCKED);
}

/* A wait behind many short holds, one after the other, is a line: no handler
 * is to blame, there are too few workers for what comes. */
static void join_line(const struct tailbox__case *c,
                      const struct tailbox__own_part *p)
{
	enum { MANY = 4, SHORT_US = 50000 };

	if (p->holders == 0 || p->holders < p->waits * MANY ||
	    p->of[TAILBOX__OWN_INGRESS].tail_us / p->holders >= SHORT_US)
		return;
	join(c, TAILBOX__SUSPECT_ACCEPT, TAILBOX__SUSPECT_WORKER_BLOCKED);
	join(c, TAILBOX__SUSPECT_EXECUTOR, TAILBOX__SUSPECT_WORKER_BLOCKED);
}

/* Who computes for long stands in the run queue for long: of what a handler
 * took, the part that it had a CPU. A short need that waits long is the
 * machine's fault, a long one is its own. */
static bool computes_for_long(const struct tailbox__own_case *o)
{
	enum { LONG_US = 10000 };
	const uint64_t bare = o->part.of[TAILBOX__OWN_BARE].tail_us;
	const uint64_t each =
	        o->part.tail_count ? bare / o->part.tail_count : 0;

	return tailbox__sat_mul(each, 1000 - tailbox__min_u64(o->ready, 1000)) /
	               1000 >= LONG_US;
}

static void join_all(const struct tailbox__case *c,
                     const struct tailbox__own_case *o)
{
	static const enum tailbox__suspect_kind all[] = {
		TAILBOX__SUSPECT_DOWNSTREAM, TAILBOX__SUSPECT_EXECUTOR,
		TAILBOX__SUSPECT_LOCK,       TAILBOX__SUSPECT_SPINNING,
		TAILBOX__SUSPECT_WORKER_BLOCKED, TAILBOX__SUSPECT_RESUME,
		TAILBOX__SUSPECT_ACCEPT,     TAILBOX__SUSPECT_QUEUE
	};

	if (computes_for_long(o))
		join(c, TAILBOX__SUSPECT_SPINNING, TAILBOX__SUSPECT_CPU);
	/* Without a CPU everything takes longer. */
	if (o->is_starved)
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
			join(c, TAILBOX__SUSPECT_CPU, all[i]);
	/* Clients waited longer for a loop that slept than is recorded at all
	 * of the slow requests: shares of that are of the lesser part. */
	if (o->asleep >= TAILBOX__OWN_MOST) {
		join(c, TAILBOX__SUSPECT_LOOP, TAILBOX__SUSPECT_WORKER_BLOCKED);
		join(c, TAILBOX__SUSPECT_LOOP, TAILBOX__SUSPECT_EXECUTOR);
	}
	join_holders(c, &o->part);
	join_line(c, &o->part);
	join(c, TAILBOX__SUSPECT_LOCK, TAILBOX__SUSPECT_WORKER_BLOCKED);
	join(c, TAILBOX__SUSPECT_SPINNING, TAILBOX__SUSPECT_WORKER_BLOCKED);
	/* Where no more are taken, the queue is where they stand. */
	join(c, TAILBOX__SUSPECT_CONNECTIONS, TAILBOX__SUSPECT_ACCEPT);
	/* Depths of ours are accept queues and who waits behind a hold. */
	join(c, TAILBOX__SUSPECT_WORKER_BLOCKED, TAILBOX__SUSPECT_EXECUTOR);
	join(c, TAILBOX__SUSPECT_CONNECTIONS, TAILBOX__SUSPECT_EXECUTOR);
	join(c, TAILBOX__SUSPECT_ACCEPT, TAILBOX__SUSPECT_EXECUTOR);
}

int tailbox__own_join(struct tailbox__case *c,
                      const struct tailbox__own_case *o)
{
	char name[TAILBOX__OWN_NAME_SIZE];
	struct tailbox__suspect *queue;
	tailbox__str wait;
	int rc = 0;

	join_all(c, o);
	/* The standard's sentences name no wait; its title may. */
	queue = tailbox__suspect_find(c, TAILBOX__SUSPECT_QUEUE);
	wait = queue ? tailbox__own_wait(c) : 0;
	if (wait)
		rc = tailbox__own_title(queue, "requests wait for %s",
		                        tailbox__own_label(c->part->run, wait,
		                                           name));
	/* What explained may have been explained itself, later. */
	for (size_t i = 0; i < c->slice->suspect_count; i++) {
		struct tailbox__suspect *s = &c->slice->suspects[i];
		const enum tailbox__suspect_kind deepest = root(c, s)->kind;

		if (deepest != s->kind)
			s->explained_by = deepest;
	}
	for (size_t i = 0; rc == 0 && i < c->slice->suspect_count; i++) {
		struct tailbox__suspect *s = &c->slice->suspects[i];

		if (s->explained_by == TAILBOX__SUSPECT_LOOP)
			rc = ADD(&s->notes,
			         "clients waited for longer because of "
			         "event_loop_stall, which no request shows");
		else if (s->explained_by != TAILBOX__SUSPECT_COUNT)
			rc = ADD(&s->notes,
			         "%s accounts for the same time and lies "
			         "deeper",
			         tailbox__suspect_names[s->explained_by]);
	}
	return rc;
}

int tailbox__own_suspects(struct tailbox__case *c)
{
	struct tailbox__own_case o = { .is_starved = false };
	int rc;

	if (!c->part->own || c->part->request_count == 0)
		return 0;
	tailbox__own_part_make(c, &o.part);
	if (o.part.with_ext == 0)
		return 0;
	rc = tailbox__own_requests(c, &o);
	/* Samples are of the whole: a route has none of its own. */
	if (rc == 0 && c->report)
		rc = tailbox__own_held(c, &o);
	if (rc == 0 && c->report)
		rc = tailbox__own_cpu(c, &o);
	if (rc == 0 && c->report)
		rc = tailbox__own_connections(c, &o);
	if (rc == 0 && c->report)
		rc = tailbox__own_loop(c, &o);
	return rc == 0 ? tailbox__own_join(c, &o) : rc;
}
