/* cli/top_workers.c - workers, queues and gauges of a frame.
 *
 * SPDX-License-Identifier: MIT
 *
 * Who holds a worker stands in its entry on the tape and is of now. What the
 * kernel says of it, and which connections wait unread, only the sampler in
 * the process can see: that is of its last sample, at most half a second old
 * while the process runs.
 */
#include "cli/top_internal.h"

#include <stdlib.h>
#include <string.h>

#include <tailbox.h>

#include "cli/from_tape.h"
#include "core/alloc.h"
#include "core/metrics.h"

#define UNSEEN 0x8000u /* see sampler/workers.h */

/* The sampler's own entry, that is: it writes samples and serves nobody. */
static bool is_sampler(const struct tailbox__thread_entry *e)
{
	return !TAILBOX__GET(e->worker) && !TAILBOX__GET(e->hold_since) &&
	       TAILBOX__GET(e->block_ticket[TAILBOX__BLOCK_SAMPLES]);
}

/* --- workers -------------------------------------------------------------- */

static void put_sampled(const struct cli__top_source *s, uint16_t subject,
                        struct cli__top_worker *w)
{
	const struct cli__recent *c = s->recent;
	const uint64_t state =
	        cli__recent_value(c, TAILBOX__METRIC_WORKER_STATE, subject);
	const uint64_t wchan =
	        cli__recent_value(c, TAILBOX__METRIC_WORKER_WCHAN, subject);

	w->state = state > ' ' && state < 127 ? (char)state : '\0';
	w->wchan = wchan < 65536 ? tailbox__reader_name(s->reader,
	                                                (uint16_t)wchan, NULL)
	                         : "";
}

static void put_stack(struct cli__top_source *s, uint64_t hold,
                      struct cli__top_worker *w)
{
	const struct cli__recent_stack *k =
	        cli__recent_stack(s->recent, w->index, hold);

	if (!k)
		return;
	w->stack_ns = cli__top_ns(s, k->head.tick);
	for (unsigned i = 0; i < k->head.count; i++) {
		struct cli__top_frame *f = &w->stack[w->stack_count++];
		f->module = tailbox__reader_name(
		        s->reader, tailbox__frame_path(k->frame[i]), NULL);
		f->build_id = tailbox__reader_name(
		        s->reader, tailbox__frame_build(k->frame[i]), NULL);
		f->address = tailbox__frame_offset(k->frame[i]);
		f->is_guessed = k->head.guessed >> i & 1;
		f->function = tailbox__symbols_frame(
		        &s->symbols, f->module, f->build_id, f->address, i > 0,
		        &f->function_offset);
		if (!f->function)
			f->function = "";
	}
}

static void put_held(struct cli__top_source *s,
                     const struct tailbox__thread_entry *e,
                     struct cli__top_worker *w)
{
	const uint64_t since = TAILBOX__GET(e->hold_since);
	const struct tailbox__slot *q = cli__top_holder(s, e);
	const uint64_t seen = TAILBOX__GET(e->last_seen);

	w->idle_ns = TAILBOX__NONE;
	if (!since) {
		if (seen)
			w->idle_ns = cli__top_ns(s, seen);
		return;
	}
	w->held = cli__tape_hold(TAILBOX__GET(e->hold_kind));
	w->held_ns = cli__top_ns(s, since);
	w->route = tailbox__reader_name(s->reader, TAILBOX__GET(e->hold_route),
	                                NULL);
	if (q) {
		w->number = TAILBOX__GET(q->number);
		w->where = cli__top_where(s, q);
	}
	put_stack(s, since, w);
	/* Sampled in this very hold, or it says nothing of it. */
	w->behind_unread =
	        s->recent->sample.tick >= since
	                ? cli__recent_value(s->recent,
	                                    TAILBOX__METRIC_WORKER_BEHIND,
	                                    (uint16_t)w->index)
	                : TAILBOX__NONE;
}

/* Routes and open requests, out of the requests that the frame has. */
static void put_of_requests(const struct cli__top *t,
                            struct cli__top_worker *w)
{
	for (size_t i = 0; i < t->request_count; i++) {
		const struct cli__top_request *r = &t->requests[i];
		if (r->worker != w->index)
			continue;
		if (w->number && r->number == w->number)
			w->route = r->route;
		else if (*w->held && !r->is_suspended &&
		         strcmp(r->phase, "headers"))
			w->behind_open++; /* headers: the sampler's */
	}
}

static void put_connections(const struct cli__top_source *s,
                            struct cli__top_worker *w)
{
	for (long i = 0; i < s->slot_count; i++)
		w->connections +=
		        TAILBOX__GET(s->slots[i].state) !=
		                TAILBOX__SLOT_FREE &&
		        TAILBOX__GET(s->slots[i].connection) &&
		        TAILBOX__GET(s->slots[i].thread) == w->index;
}

static void put_worker(struct cli__top_source *s, uint32_t index)
{
	const struct tailbox__thread_entry *e = &s->threads[index];
	struct cli__top *t = &s->frame;
	struct cli__top_worker *w = &t->workers[t->worker_count++];

	*w = (struct cli__top_worker){
		.index = index,
		.tid = TAILBOX__GET(e->tid),
		.daemon = TAILBOX__GET(e->worker) >> 16,
		.held = "",
		.route = "",
		.wchan = "",
		.where = { .name = "", .site = "" },
		.finished = TAILBOX__GET(e->finished),
	};
	put_held(s, e, w);
	put_sampled(s, (uint16_t)index, w);
	put_of_requests(t, w);
	put_connections(s, w);
	t->held_count += *w->held != '\0';
}

/* Threads of a daemon that never ran a callback: they have no entry, the
 * sampler found them. Not more than there are workers without one: the sample
 * may be older than their first request. */
static void put_unseen(struct cli__top_source *s, size_t with_entry)
{
	const struct cli__recent *c = s->recent;
	struct cli__top *t = &s->frame;
	const uint32_t workers = c->sample.tick ? c->sample.worker_count : 0;
	size_t left = workers > with_entry ? workers - with_entry : 0;

	for (size_t i = 0; i < c->value_count && left; i++) {
		const struct cli__recent_value *v = &c->values[i];
		if (v->metric != TAILBOX__METRIC_WORKER_HELD_US ||
		    !(v->subject & UNSEEN))
			continue;
		struct cli__top_worker *w = &t->workers[t->worker_count++];
		*w = (struct cli__top_worker){
			.index = UINT32_MAX,
			.daemon = v->subject >> 6 & 0x1ff,
			.held = "",
			.route = "",
			.where = { .name = "", .site = "" },
			.idle_ns = TAILBOX__NONE,
		};
		put_sampled(s, v->subject, w);
		left--;
	}
}

bool cli__top_put_workers(struct cli__top_source *s)
{
	struct cli__top *t = &s->frame;
	size_t of_daemons = 0;

	t->workers = tailbox__alloc((size_t)s->thread_count +
	                                    s->recent->value_count + 1,
	                            sizeof(*t->workers));
	if (!t->workers)
		return false;
	for (long i = 0; i < s->thread_count; i++) {
		const struct tailbox__thread_entry *e = &s->threads[i];
		if (!TAILBOX__GET(e->tid) || is_sampler(e))
			continue;
		of_daemons += TAILBOX__GET(e->worker) != 0;
		put_worker(s, (uint32_t)i);
	}
	put_unseen(s, of_daemons);
	return true;
}

/* --- queues --------------------------------------------------------------- */

static struct cli__top_queue *queue(struct cli__top *t, const char *name)
{
	for (size_t i = 0; i < t->queue_count; i++)
		if (!strcmp(t->queues[i].name, name))
			return &t->queues[i];
	struct cli__top_queue *q = &t->queues[t->queue_count++];
	*q = (struct cli__top_queue){ .name = name,
		                      .pool_waiting = TAILBOX__NONE,
		                      .busy = TAILBOX__NONE,
		                      .capacity = TAILBOX__NONE,
		                      .oldest_ns = TAILBOX__NONE };
	return q;
}

static void put_pool(struct cli__top_source *s,
                     const struct cli__recent_value *v)
{
	const char *name = tailbox__reader_name(s->reader, v->subject, NULL);
	struct cli__top_queue *q = queue(&s->frame, name);

	q->is_pool = true;
	q->pool_waiting = v->value;
	q->busy = cli__recent_value(s->recent, TAILBOX__METRIC_POOL_BUSY,
	                            v->subject);
	q->capacity = cli__recent_value(
	        s->recent, TAILBOX__METRIC_POOL_CAPACITY, v->subject);
}

static void put_waits(struct cli__top *t)
{
	for (size_t i = 0; i < t->request_count; i++) {
		const struct cli__top_where *w = &t->requests[i].where;
		if (!w->is_wait)
			continue;
		struct cli__top_queue *q = queue(t, w->name);
		q->waiting++;
		if (q->oldest_ns == TAILBOX__NONE || w->for_ns > q->oldest_ns)
			q->oldest_ns = w->for_ns;
	}
}

static int by_waiting(const void *a, const void *b)
{
	const struct cli__top_queue *x = a, *y = b;

	if (x->waiting != y->waiting)
		return x->waiting > y->waiting ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void put_accept(struct cli__top_source *s,
                       const struct cli__recent_value *v)
{
	const struct cli__recent *c = s->recent;

	s->frame.accepts[s->frame.accept_count++] = (struct cli__top_accept){
		v->subject, v->value,
		cli__recent_value(c, TAILBOX__METRIC_ACCEPT_QUEUE_LIMIT,
		                  v->subject),
		cli__recent_value(c, TAILBOX__METRIC_CONNECTION_LIMIT,
		                  v->subject)
	};
}

bool cli__top_put_queues(struct cli__top_source *s)
{
	const struct cli__recent *c = s->recent;
	struct cli__top *t = &s->frame;

	t->queues = tailbox__alloc(t->request_count + c->value_count + 1,
	                           sizeof(*t->queues));
	t->accepts = tailbox__alloc(c->value_count + 1, sizeof(*t->accepts));
	if (!t->queues || !t->accepts)
		return false;
	for (size_t i = 0; i < c->value_count; i++) {
		if (c->values[i].metric == TAILBOX__METRIC_POOL_WAITING)
			put_pool(s, &c->values[i]);
		else if (c->values[i].metric == TAILBOX__METRIC_ACCEPT_QUEUE)
			put_accept(s, &c->values[i]);
	}
	put_waits(t);
	if (t->queue_count)
		qsort(t->queues, t->queue_count, sizeof(*t->queues),
		      by_waiting);
	t->connections =
	        cli__recent_value(c, TAILBOX__METRIC_CONNECTIONS, 0);
	t->suspended = cli__recent_value(c, TAILBOX__METRIC_SUSPENDED, 0);
	t->sample_age_ns = c->sample.tick ? cli__top_ns(s, c->sample.tick)
	                                  : TAILBOX__NONE;
	return true;
}

/* --- gauges --------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Forget the moves of requests that have ended: nothing is in flight by them. */
static bool keep_open(struct cli__top_source *s)
{
	const struct cli__top *t = &s->frame;
	struct cli__recent *c = s->recent;
	uint64_t *numbers = tailbox__alloc(t->request_count + 1, 8);
	size_t kept = 0;

	if (!numbers)
		return false;
	for (size_t i = 0; i < t->request_count; i++)
		numbers[i] = t->requests[i].number;
	if (t->request_count)
		qsort(numbers, t->request_count, 8, by_number);
	for (size_t i = 0; i < c->moves.count; i++)
		if (bsearch(&c->moves.items[i].number, numbers,
		            t->request_count, 8, by_number))
			c->moves.items[kept++] = c->moves.items[i];
	c->moves.count = kept;
	tailbox__free(numbers);
	return true;
}

bool cli__top_put_gauges(struct cli__top_source *s)
{
	const struct cli__recent *c = s->recent;
	struct cli__top *t = &s->frame;

	if (!keep_open(s))
		return false;
	t->gauges = tailbox__alloc(c->moves.count + 1, sizeof(*t->gauges));
	if (!t->gauges)
		return false;
	for (size_t i = 0; i < c->moves.count; i++) {
		const char *name = tailbox__reader_name(
		        s->reader, c->moves.items[i].name, NULL);
		size_t at = 0;
		while (at < t->gauge_count && strcmp(t->gauges[at].name, name))
			at++;
		if (at == t->gauge_count)
			t->gauges[t->gauge_count++] =
			        (struct cli__top_gauge){ name, 0 };
		t->gauges[at].value += c->moves.items[i].by;
	}
	return true;
}
