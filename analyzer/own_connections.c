/* analyzer/own_connections.c - connections: no more are taken, or they wait to
 * be accepted.
 *
 * SPDX-License-Identifier: MIT
 *
 * Who waits in the kernel has no request yet. What is seen of it: the depth of
 * the accept queue in samples, and the wait of a connection's first request.
 */
#include "analyzer/own.h"

#include <errno.h>
#include <inttypes.h>

#include "core/metrics.h"

#define ADD(list, ...) tailbox__texts_add(list, __VA_ARGS__)

enum {
	FULL_LEAST = 200, /* permille of samples in which no more were taken */
	QUEUE_LEAST = 4   /* connections waiting, in FULL_LEAST of samples */
};

struct connections {
	size_t samples, full;          /* full: at the limit */
	size_t queue_samples, queued;  /* queued: QUEUE_LEAST or more */
	uint64_t most, limit;          /* of all daemons together */
	uint64_t queue_most, queue_limit;
	uint64_t overflows; /* while it ran; NONE = not known */
	bool has_limit, has_queue;
};

/* The values of one sample: of how many daemons the connections are is not
 * told by each, so with several their limits are taken together. */
struct one {
	uint64_t connections, limit, queue;
	bool has_connections, has_limit, has_queue;
};

static void end_sample(struct connections *c, const struct one *s)
{
	if (s->has_queue) {
		c->has_queue = true;
		c->queue_samples++;
		c->queued += s->queue >= QUEUE_LEAST;
	}
	if (!s->has_connections || !s->has_limit)
		return;
	c->has_limit = true;
	c->samples++;
	c->most = s->connections > c->most ? s->connections : c->most;
	c->limit = s->limit > c->limit ? s->limit : c->limit;
	c->full += s->connections >= s->limit;
}

static void take(struct connections *c, struct one *s,
                 const struct tailbox__run_value *v)
{
	switch (v->metric) {
	case TAILBOX__METRIC_CONNECTIONS:
		s->connections = v->value;
		s->has_connections = true;
		break;
	case TAILBOX__METRIC_CONNECTION_LIMIT:
		s->limit = tailbox__sat_add(s->limit, v->value);
		s->has_limit = true;
		break;
	case TAILBOX__METRIC_ACCEPT_QUEUE:
		s->has_queue = true;
		s->queue = v->value > s->queue ? v->value : s->queue;
		c->queue_most = v->value > c->queue_most ? v->value
		                                         : c->queue_most;
		break;
	case TAILBOX__METRIC_ACCEPT_QUEUE_LIMIT:
		c->queue_limit = v->value > c->queue_limit ? v->value
		                                           : c->queue_limit;
		break;
	default:
		break;
	}
}

static void look(const struct tailbox__run *run, struct connections *c)
{
	struct tailbox__own_total lost;
	struct one s = { .has_limit = false };

	*c = (struct connections){ .overflows = TAILBOX__NONE };
	if (tailbox__own_total(run, TAILBOX__METRIC_LISTEN_OVERFLOWS, &lost))
		c->overflows = lost.grown;
	for (size_t i = 0; i < run->values.count; i++) {
		const struct tailbox__run_value *v = &run->values.items[i];

		if (i > 0 && v->snapshot != v[-1].snapshot) {
			end_sample(c, &s);
			s = (struct one){ .has_limit = false };
		}
		take(c, &s, v);
	}
	end_sample(c, &s);
}

/* Waits for acceptance are one cause with what stands in the queue: the larger
 * share of the two, of the requests' time or of the samples. */
static unsigned score(const struct tailbox__case *c,
                      const struct tailbox__own_part *p, uint64_t samples,
                      size_t n)
{
	const struct tailbox__own_sum *sum = &p->of[TAILBOX__OWN_ACCEPT];
	const uint64_t tail = tailbox__own_tail(c, sum->tail_us);
	const uint64_t all = tailbox__own_all(c, sum->all_us);

	return tailbox__own_score(tail > samples ? tail : samples,
	                          all > samples ? all : samples, n);
}

static int tell_limit(struct tailbox__case *c, const struct connections *x,
                      const struct tailbox__own_part *p)
{
	const uint64_t share = tailbox__permille(x->full, x->samples);
	struct tailbox__suspect *s = tailbox__own_add(
		c, TAILBOX__SUSPECT_CONNECTIONS, score(c, p, share, x->samples),
		"connection limit of %" PRIu64 " reached", x->limit);
	int rc = s ? 0 : -ENOMEM;

	if (rc == 0)
		rc = ADD(&s->evidence,
		         "in %zu of %zu samples all %" PRIu64
		         " connections were in use", x->full, x->samples,
		         x->limit);
	if (rc == 0 && x->has_queue)
		rc = ADD(&s->evidence,
		         "up to %" PRIu64 " more waited in the accept queue, "
		         "where no request sees it", x->queue_most);
	if (rc == 0)
		rc = ADD(&s->next_checks,
		         "raise MHD_OPTION_CONNECTION_LIMIT, with the limit on "
		         "open files; lower MHD_OPTION_CONNECTION_TIMEOUT so "
		         "that idle ones go");
	if (rc == 0)
		rc = ADD(&s->next_checks,
		         "see who holds them: ss -tnp state established");
	if (rc == 0)
		rc = tailbox__own_figure(s, "limit", x->limit);
	if (rc == 0)
		rc = tailbox__own_figure(s, "samples_full", x->full);
	return rc == 0 ? tailbox__own_figure(s, "samples", x->samples) : rc;
}

static int judge_limit(struct tailbox__case *c, const struct connections *x,
                       const struct tailbox__own_part *p)
{
	if (!x->has_limit)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_CONNECTIONS,
		                         TAILBOX__RULING_CANNOT_TELL,
		                         "connections were not sampled");
	if (tailbox__permille(x->full, x->samples) >= FULL_LEAST)
		return tell_limit(c, x, p);
	return tailbox__own_rule(c, TAILBOX__SUSPECT_CONNECTIONS,
	                         TAILBOX__RULING_OUT,
	                         "max %" PRIu64 " of %" PRIu64, x->most,
	                         x->limit);
}

static int tell_accept(struct tailbox__case *c, const struct connections *x,
                       const struct tailbox__own_part *p)
{
	const struct tailbox__own_sum *sum = &p->of[TAILBOX__OWN_ACCEPT];
	const uint64_t share = tailbox__permille(x->queued, x->queue_samples);
	struct tailbox__suspect *s = tailbox__own_add(
		c, TAILBOX__SUSPECT_ACCEPT,
		score(c, p, share,
	              x->queue_samples > sum->count ? x->queue_samples
	                                            : sum->count),
		"connections wait to be accepted");
	int rc = s ? 0 : -ENOMEM;

	if (rc == 0 && x->has_queue)
		rc = ADD(&s->evidence,
		         "in %zu of %zu samples %d or more connections waited "
		         "to be accepted, at most %" PRIu64 " of %" PRIu64,
		         x->queued, x->queue_samples, QUEUE_LEAST,
		         x->queue_most, x->queue_limit);
	if (rc == 0)
		rc = ADD(&s->evidence,
		         PERCENT_FORMAT " of the slowest requests' time went "
		         "by before their connection was accepted (%zu "
		         "requests)",
		         PERCENT(tailbox__own_tail(c, sum->tail_us)),
		         sum->count);
	if (rc == 0 && x->overflows != TAILBOX__NONE && x->overflows > 0)
		rc = ADD(&s->evidence,
		         "meanwhile %" PRIu64 " connections were lost to full "
		         "accept queues on this host, ours or others'",
		         x->overflows);
	if (rc == 0)
		rc = ADD(&s->next_checks,
		         "raise MHD_OPTION_LISTEN_BACKLOG_SIZE and "
		         "net.core.somaxconn; have clients keep connections");
	if (rc == 0)
		rc = ADD(&s->next_checks,
		         "see whether workers are held: only they accept");
	if (rc == 0)
		rc = tailbox__own_figure(s, "queue_max",
		                         x->has_queue ? x->queue_most
		                                      : TAILBOX__NONE);
	return rc == 0 ? tailbox__own_figure(s, "listen_overflows",
	                                     x->overflows)
	               : rc;
}

static int judge_accept(struct tailbox__case *c, const struct connections *x,
                        const struct tailbox__own_part *p)
{
	const uint64_t tail =
	        tailbox__own_tail(c, p->of[TAILBOX__OWN_ACCEPT].tail_us);

	if (!x->has_queue && tail < TAILBOX__OWN_LEAST_TAIL)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_ACCEPT,
		                         TAILBOX__RULING_CANNOT_TELL,
		                         "the accept queue was not sampled");
	if (tail >= TAILBOX__OWN_LEAST_TAIL ||
	    tailbox__permille(x->queued, x->queue_samples) >= FULL_LEAST)
		return tell_accept(c, x, p);
	return tailbox__own_rule(c, TAILBOX__SUSPECT_ACCEPT,
	                         TAILBOX__RULING_OUT,
	                         "max %" PRIu64 " of %" PRIu64, x->queue_most,
	                         x->queue_limit);
}

int tailbox__own_connections(struct tailbox__case *c,
                             struct tailbox__own_case *o)
{
	struct connections x;
	int rc;

	look(c->part->run, &x);
	rc = judge_limit(c, &x, &o->part);
	return rc == 0 ? judge_accept(c, &x, &o->part) : rc;
}
