/* controller/trigger_figures.c - figures against bounds.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nothing here is exact by a histogram: whether a percentile is over its bound
 * is told by counting. "p99 is at the bound or over" and "more than one in a
 * hundred is" say the same.
 */
#include "controller/trigger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/clock.h"
#include "core/metrics.h"

const char *const tailbox__trigger_names[TAILBOX__TRIGGER_KINDS] = {
	[TAILBOX__TRIGGER_SLOW] = "slow",
	[TAILBOX__TRIGGER_OPEN] = "open",
	[TAILBOX__TRIGGER_HELD] = "held",
	[TAILBOX__TRIGGER_ROUTE_P99] = "route_p99",
	[TAILBOX__TRIGGER_P99_FACTOR] = "p99_factor",
	[TAILBOX__TRIGGER_ERROR_RATE] = "error_rate",
	[TAILBOX__TRIGGER_ACCEPT_QUEUE] = "accept_queue",
	[TAILBOX__TRIGGER_CALL] = "call",
	[TAILBOX__TRIGGER_SIGNAL] = "signal",
};

static uint64_t ms_to_ticks(const struct tailbox__triggers *t, uint64_t ms)
{
	return (uint64_t)((unsigned __int128)ms * t->hz / 1000);
}

uint64_t tailbox__triggers_us(const struct tailbox__triggers *t, uint64_t ticks)
{
	return (uint64_t)((unsigned __int128)ticks * 1000000 / t->hz);
}

static uint64_t bound_of(const struct tailbox__triggers *t, uint64_t ms)
{
	return ms ? ms_to_ticks(t, ms) : UINT64_MAX;
}

static void set_queue(struct tailbox__triggers *t, const char *text)
{
	uint64_t value;
	bool is_ppm;

	if (!tailbox__config_share(text, &value, &is_ppm))
		return;
	t->queue_ppm = is_ppm ? value : 0;
	t->queue_count = is_ppm ? 0 : value;
}

int tailbox__triggers_init(struct tailbox__triggers *t,
                           const struct tailbox__config_triggers *config,
                           uint64_t hz,
                           const char *(*name)(void *cls, uint16_t number),
                           void *name_cls)
{
	bool is_ppm;

	memset(t, 0, sizeof(*t));
	t->config = *config;
	t->hz = hz;
	t->name = name;
	t->name_cls = name_cls;
	t->slow = bound_of(t, config->slow);
	t->open = bound_of(t, config->open);
	t->held = bound_of(t, config->held);
	tailbox__config_share(config->error_rate, &t->error_ppm, &is_ppm);
	set_queue(t, config->accept_queue);
	if (!config->route_p99.count && !config->p99_factor)
		return 0;
	t->routes = tailbox__zalloc(TAILBOX__TRIGGER_ROUTES,
	                            sizeof(*t->routes));
	t->has_routes = t->routes != NULL;
	return t->routes ? 0 : -ENOMEM;
}

void tailbox__triggers_fini(struct tailbox__triggers *t)
{
	tailbox__free(t->routes), t->routes = NULL;
	t->has_routes = false;
}

/* --- firing -------------------------------------------------------------- */

void tailbox__triggers_fire(struct tailbox__triggers *t,
                            enum tailbox__trigger_kind kind, uint64_t count,
                            uint64_t figure, uint64_t bound, uint64_t number,
                            const char *what)
{
	struct tailbox__firing *f = &t->fired[kind];
	const bool is_worst = !f->count ||
	                      (figure != TAILBOX__NONE && figure > f->figure);

	f->count += count;
	if (!is_worst)
		return;
	f->kind = kind;
	f->figure = figure;
	f->bound = bound;
	f->number = number;
	snprintf(f->what, sizeof(f->what), "%s", what ? what : "");
}

static const char *name_of(const struct tailbox__triggers *t, uint16_t number)
{
	return number && t->name ? t->name(t->name_cls, number) : NULL;
}

void tailbox__triggers_slow(struct tailbox__triggers *t, uint64_t ticks,
                            const struct tailbox__rec_request *q)
{
	tailbox__triggers_fire(t, TAILBOX__TRIGGER_SLOW, 1,
	                       tailbox__triggers_us(t, ticks),
	                       t->config.slow * 1000, q->number,
	                       name_of(t, q->route));
}

/* Whether an age came to its bound since the last look. */
static bool is_due(uint64_t since, uint64_t bound, uint64_t seen, uint64_t now)
{
	if (bound == UINT64_MAX || since > now || now - since < bound)
		return false;
	return since + bound > seen;
}

void tailbox__triggers_open(struct tailbox__triggers *t, uint64_t now,
                            uint64_t line, uint64_t number, uint16_t route)
{
	if (is_due(line, t->open, t->open_until, now))
		tailbox__triggers_fire(t, TAILBOX__TRIGGER_OPEN, 1,
		                       tailbox__triggers_us(t, now - line),
		                       t->config.open * 1000, number,
		                       name_of(t, route));
}

void tailbox__triggers_looked_open(struct tailbox__triggers *t, uint64_t now)
{
	t->open_until = now;
}

void tailbox__triggers_held(struct tailbox__triggers *t, uint64_t now,
                            uint64_t since, uint32_t tid, uint16_t route)
{
	char what[TAILBOX__TRIGGER_WHAT];

	if (!is_due(since, t->held, t->held_until, now))
		return;
	const char *name = name_of(t, route);
	snprintf(what, sizeof(what), "worker %u%s%.100s", (unsigned)tid,
	         name ? " in " : "", name ? name : "");
	tailbox__triggers_fire(t, TAILBOX__TRIGGER_HELD, 1,
	                       tailbox__triggers_us(t, now - since),
	                       t->config.held * 1000, 0, what);
}

void tailbox__triggers_looked_held(struct tailbox__triggers *t, uint64_t now)
{
	t->held_until = now;
}

void tailbox__triggers_asked(struct tailbox__triggers *t,
                             enum tailbox__trigger_kind kind, uint64_t count,
                             const char *reason)
{
	if (count)
		tailbox__triggers_fire(t, kind, count, TAILBOX__NONE,
		                       TAILBOX__NONE, 0, reason);
}

/* --- accept queues ------------------------------------------------------- */

struct queue {
	uint16_t daemon;
	uint64_t now, limit; /* NONE = not told */
};

static struct queue *queue_of(struct queue *queues, unsigned *count,
                              uint16_t daemon)
{
	for (unsigned i = 0; i < *count; i++)
		if (queues[i].daemon == daemon)
			return &queues[i];
	if (*count == TAILBOX__TRIGGER_DAEMONS)
		return NULL;
	queues[*count] = (struct queue){ daemon, TAILBOX__NONE,
		                         TAILBOX__NONE };
	return &queues[(*count)++];
}

static void take_values(struct queue *queues, unsigned *count,
                        const struct tailbox__rec_values *v)
{
	for (unsigned i = 0; i < v->count && i < 4; i++) {
		const uint16_t metric = v->of[i].metric;
		struct queue *q;

		if (metric != TAILBOX__METRIC_ACCEPT_QUEUE &&
		    metric != TAILBOX__METRIC_ACCEPT_QUEUE_LIMIT)
			continue;
		q = queue_of(queues, count, v->of[i].subject);
		if (q && metric == TAILBOX__METRIC_ACCEPT_QUEUE)
			q->now = v->value[i];
		else if (q)
			q->limit = v->value[i];
	}
}

/* The bound of a queue in connections; NONE: it has none. */
static uint64_t queue_bound(const struct tailbox__triggers *t,
                            const struct queue *q)
{
	if (t->queue_count)
		return t->queue_count;
	if (q->limit == TAILBOX__NONE || q->limit == 0)
		return TAILBOX__NONE;
	/* Upwards: 80% of 11 is 9, and 0 would always be reached. */
	return (uint64_t)(((unsigned __int128)q->limit * t->queue_ppm +
	                   999999) /
	                  1000000);
}

static void judge_queues(struct tailbox__triggers *t, const struct queue *q,
                         unsigned count)
{
	const bool was_over = t->is_queue_over;
	char what[TAILBOX__TRIGGER_WHAT];

	t->is_queue_over = false;
	for (; count > 0; count--, q++) {
		const uint64_t bound = queue_bound(t, q);

		if (bound == TAILBOX__NONE || q->now == TAILBOX__NONE ||
		    q->now < bound)
			continue;
		t->is_queue_over = true;
		if (was_over)
			continue;
		snprintf(what, sizeof(what), "daemon %u", (unsigned)q->daemon);
		tailbox__triggers_fire(t, TAILBOX__TRIGGER_ACCEPT_QUEUE, 1,
		                       q->now, bound, 0, what);
	}
}

void tailbox__triggers_samples(struct tailbox__triggers *t,
                               const char *records, size_t bytes)
{
	struct queue queues[TAILBOX__TRIGGER_DAEMONS];
	struct tailbox__rec_values v;
	unsigned count = 0;
	bool has_sample = false;

	if (!t->queue_ppm && !t->queue_count)
		return;
	for (size_t at = 0; at + sizeof(v) <= bytes; at += sizeof(v)) {
		memcpy(&v, records + at, sizeof(v));
		if (v.type == TAILBOX__REC_SAMPLE) {
			if (has_sample)
				judge_queues(t, queues, count);
			has_sample = true;
			count = 0;
		} else if (v.type == TAILBOX__REC_VALUES) {
			take_values(queues, &count, &v);
		}
	}
	if (has_sample)
		judge_queues(t, queues, count);
}

/* --- rates --------------------------------------------------------------- */

static void judge_errors(struct tailbox__triggers *t)
{
	const uint64_t n = t->count[0] + t->count[1];
	const uint64_t failed = t->failed[0] + t->failed[1];
	char what[TAILBOX__TRIGGER_WHAT];

	if (!t->error_ppm)
		return;
	const bool is_over = n >= t->config.min_count && failed &&
	                     (unsigned __int128)failed * 1000000 >=
	                             (unsigned __int128)n * t->error_ppm;
	if (is_over && !t->is_error_over) {
		snprintf(what, sizeof(what), "%llu of %llu requests failed",
		         (unsigned long long)failed, (unsigned long long)n);
		tailbox__triggers_fire(t, TAILBOX__TRIGGER_ERROR_RATE, 1,
		                       failed * 1000000 / n, t->error_ppm, 0,
		                       what);
	}
	t->is_error_over = is_over;
}

static void turn(struct tailbox__triggers *t, uint64_t now_ns)
{
	if (t->half_ns == 0 || now_ns < t->half_ns) {
		t->half_ns = now_ns ? now_ns : 1;
		return;
	}
	/* After a long stop both halves are over; twice is enough. */
	for (int i = 0; i < 2; i++) {
		if (now_ns - t->half_ns < TAILBOX__TRIGGER_HALF_NS)
			return;
		t->half ^= 1;
		t->count[t->half] = t->failed[t->half] = 0;
		if (t->routes)
			tailbox__triggers_turn_routes(t);
		t->half_ns += TAILBOX__TRIGGER_HALF_NS;
	}
	if (now_ns - t->half_ns >= TAILBOX__TRIGGER_HALF_NS)
		t->half_ns = now_ns;
}

unsigned tailbox__triggers_judge(struct tailbox__triggers *t, uint64_t now_ns,
                                 struct tailbox__firing
                                         out[TAILBOX__TRIGGER_KINDS])
{
	unsigned n = 0;

	judge_errors(t);
	if (t->routes)
		tailbox__triggers_judge_routes(t);
	for (int i = 0; i < TAILBOX__TRIGGER_KINDS; i++) {
		if (!t->fired[i].count)
			continue;
		out[n++] = t->fired[i];
		t->fired[i].count = 0;
	}
	turn(t, now_ns);
	return n;
}
