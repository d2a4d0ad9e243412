/* analyzer/own_cpu.c - threads that were ready and had no CPU.
 *
 * SPDX-License-Identifier: MIT
 *
 * The kernel counts for each thread how long it stood in a run queue; samples
 * say it of each worker from one sample to the next. Of a request that was on
 * that worker meanwhile it is told in proportion to the time they share. So it
 * is exact over many requests and rough of one.
 */
#include "analyzer/own.h"

#include <errno.h>
#include <inttypes.h>

#include "core/alloc.h"
#include "core/metrics.h"

#define ADD(list, ...) tailbox__texts_add(list, __VA_ARGS__)

enum {
	LEAST_OF_READY = 200, /* permille of the time workers wanted a CPU */
	STARVED_READY = 750, /* three times as long as they run: then ... */
	STARVED_LEAST = 100, /* ... so much of the slow requests' time is it */
	STARVED_TAIL = 600,  /* or so much, however long they run */
	LEAST_THROTTLED = 50, /* permille of the run */
	OWN_LEAST = 700       /* permille of all CPUs: we are the load */
};

struct machine { /* over the run */
	struct tailbox__own_total process, throttled;
	bool has_process, has_throttled;
	uint64_t cpus; /* 0 = not known */
};
struct cpu {
	uint64_t cpu_us, runq_us; /* of all workers' steps */
	uint64_t tail_us, all_us; /* of requests */
	size_t steps, requests;
	struct machine m;
};

/* --- machine -------------------------------------------------------------- */

static void look_at_machine(const struct tailbox__run *run, struct machine *m)
{
	*m = (struct machine){ .cpus = 0 };
	m->has_process = tailbox__own_total(
		run, TAILBOX__METRIC_PROCESS_CPU_US, &m->process);
	m->has_throttled = tailbox__own_total(
		run, TAILBOX__METRIC_CGROUP_THROTTLED_US, &m->throttled);
	for (size_t i = 0; i < run->values.count; i++) {
		const struct tailbox__run_value *v = &run->values.items[i];

		if (v->metric == TAILBOX__METRIC_CPUS_ONLINE &&
		    v->value != TAILBOX__NONE && v->value > m->cpus)
			m->cpus = v->value;
	}
}

/* --- requests ------------------------------------------------------------- */

/* The first look at a worker at an instant or later. */
static size_t first_of(const struct tailbox__own *own, uint32_t worker,
                       uint64_t at)
{
	size_t low = 0, high = own->look_count;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;
		const struct tailbox__own_look *l = &own->looks[mid];

		if (l->worker < worker || (l->worker == worker &&
		                           l->at_us < at))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Of the step that ends with a look, what lies between two instants. */
static uint64_t part_of(const struct tailbox__own *own, uint32_t worker,
                        size_t i, uint64_t from, uint64_t to)
{
	struct tailbox__own_step s;
	uint64_t a, b;

	if (i >= own->look_count || own->looks[i].worker != worker ||
	    !tailbox__own_step(own, i, &s))
		return 0;
	a = s.from_us > from ? s.from_us : from;
	b = tailbox__min_u64(s.to_us, to);
	return b <= a ? 0
	              : (uint64_t)((unsigned __int128)s.runq_us * (b - a) /
	                           (s.to_us - s.from_us));
}

/* How long the worker stood in a run queue between two instants. Only the
 * steps at both ends are looked at, for those between there are sums: a long
 * request may span all samples, and all requests may be long. */
static uint64_t waited(const struct tailbox__own *own, uint32_t worker,
                       uint64_t from, uint64_t to)
{
	size_t i, k;

	if (to <= from)
		return 0;
	i = first_of(own, worker, from);
	k = first_of(own, worker, to);
	if (i == k)
		return part_of(own, worker, i, from, to);
	return part_of(own, worker, i, from, to) + own->looks[k - 1].ready_us -
	       own->looks[i].ready_us + part_of(own, worker, k, from, to);
}

/* Time in which a request depended on its worker: not while it was suspended
 * or its client was slow. */
static uint64_t on_worker(const struct tailbox__run_ext *x)
{
	static const enum tailbox__phase of[] = {
		TAILBOX__PHASE_INGRESS, TAILBOX__PHASE_HEADERS,
		TAILBOX__PHASE_HANDLER, TAILBOX__PHASE_RESUME,
		TAILBOX__PHASE_SEND
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		if (x->phase_ns[of[i]] != TAILBOX__NONE)
			sum += x->phase_ns[of[i]] / 1000;
	return sum;
}

static void look_at_requests(struct tailbox__case *c, struct cpu *out)
{
	const struct tailbox__own *own = c->part->own;

	for (size_t i = 0; i < c->part->request_count; i++) {
		const struct tailbox__run_request *r;
		const struct tailbox__run_ext *x;
		uint64_t us;
		uint32_t at;

		r = tailbox__part_request(c->part, i, &at);
		x = tailbox__own_ext(own->run, r);
		if (!x || x->worker == UINT32_MAX ||
		    !(r->flags & TAILBOX__HAS_START_US) ||
		    !(r->flags & TAILBOX__HAS_END_US))
			continue;
		us = tailbox__min_u64(waited(own, x->worker, r->start_us,
		                             r->end_us), on_worker(x));
		out->all_us = tailbox__sat_add(out->all_us, us);
		out->requests += us > 0;
		if (r->latency_us >= c->figures->p95)
			out->tail_us = tailbox__sat_add(out->tail_us, us);
	}
}

static void look_at_steps(const struct tailbox__own *own, struct cpu *out)
{
	struct tailbox__own_step s;

	for (size_t i = 0; i < own->look_count; i++) {
		if (!tailbox__own_step(own, i, &s))
			continue;
		out->steps++;
		out->cpu_us = tailbox__sat_add(out->cpu_us, s.cpu_us);
		out->runq_us = tailbox__sat_add(out->runq_us, s.runq_us);
	}
}

/* --- telling -------------------------------------------------------------- */

/* What the process used: NONE = not known. */
static uint64_t of_all_cpus(const struct machine *m)
{
	return m->has_process && m->cpus > 0
	               ? tailbox__permille(
	                         m->process.grown,
	                         tailbox__sat_mul(m->process.span_us, m->cpus))
	               : TAILBOX__NONE;
}

static bool is_throttled(const struct machine *m)
{
	return m->has_throttled &&
	       tailbox__permille(m->throttled.grown, m->throttled.span_us) >=
	               LEAST_THROTTLED;
}

static const char *whose(const struct machine *m)
{
	const uint64_t own = of_all_cpus(m);

	return is_throttled(m)        ? "the CPU quota of its cgroup"
	       : own == TAILBOX__NONE ? "whose is not known"
	       : own >= OWN_LEAST     ? "its own threads"
	                              : "neighbours on the machine";
}

static int tell_whose(struct tailbox__case *c, struct tailbox__suspect *s,
                      const struct machine *m)
{
	const uint64_t own = of_all_cpus(m);
	const uint32_t pid = tailbox__run_live_pid(c->part->run);
	int rc = 0;

	if (is_throttled(m))
		rc = ADD(&s->evidence,
		         "its cgroup was throttled for %" PRIu64 " ms of "
		         "%" PRIu64 " ms", m->throttled.grown / 1000,
		         m->throttled.span_us / 1000);
	if (rc == 0 && own != TAILBOX__NONE)
		rc = ADD(&s->evidence,
		         "the process itself used " PERCENT_FORMAT " of "
		         "%" PRIu64 " CPUs", PERCENT(own), m->cpus);
	if (rc == 0)
		rc = ADD(&s->next_checks, "%s",
		         is_throttled(m)
		                 ? "raise the CPU quota, or run fewer threads"
		         : own == TAILBOX__NONE || own < OWN_LEAST
		                 ? "see who uses the CPUs: top, pidstat -u 1; "
		                   "move them or give the service CPUs of its "
		                   "own"
		                 : "see which of its threads use the CPUs: top "
		                   "-H -p PID; give them a lower priority");
	if (rc == 0 && pid != 0)
		rc = ADD(&s->next_checks,
		         "perf sched record -p %" PRIu32
		         " sleep 5; perf sched latency", pid);
	return rc;
}

static int tell(struct tailbox__case *c, const struct cpu *u, uint64_t tail,
                uint64_t all, uint64_t ready)
{
	struct tailbox__suspect *s = tailbox__own_add(
		c, TAILBOX__SUSPECT_CPU,
		tailbox__own_score(tail, all, u->requests),
		"workers wait for a CPU: %s", whose(&u->m));
	int rc = s ? 0 : -ENOMEM;

	if (rc == 0)
		rc = ADD(&s->evidence,
		         "workers stood ready without a CPU for " PERCENT_FORMAT
		         " of the time they wanted one (%" PRIu64 " of %" PRIu64
		         " ms)",
		         PERCENT(ready), u->runq_us / 1000,
		         tailbox__sat_add(u->runq_us, u->cpu_us) / 1000);
	if (rc == 0)
		rc = ADD(&s->evidence,
		         "that is about " PERCENT_FORMAT
		         " of the slowest requests' time",
		         PERCENT(tail));
	if (rc == 0)
		rc = tell_whose(c, s, &u->m);
	if (rc == 0)
		rc = tailbox__own_figure(s, "tail_permille", tail);
	if (rc == 0)
		rc = tailbox__own_figure(s, "cpu_us", u->cpu_us);
	if (rc == 0)
		rc = tailbox__own_figure(s, "run_queue_us", u->runq_us);
	return rc == 0 ? tailbox__own_figure(s, "throttled_us",
	                                     u->m.has_throttled
	                                             ? u->m.throttled.grown
	                                             : TAILBOX__NONE)
	               : rc;
}

static int rule_out(struct tailbox__case *c, const struct cpu *u, uint64_t tail)
{
	char throttled[48] = "";

	if (u->m.has_throttled)
		snprintf(throttled, sizeof(throttled),
		         ", %" PRIu64 " ms throttled",
		         u->m.throttled.grown / 1000);
	if (u->m.has_process && u->m.cpus > 0) {
		const uint64_t tenths =
		        tailbox__sat_mul(u->m.process.grown, 10) /
		        u->m.process.span_us;

		return tailbox__own_rule(c, TAILBOX__SUSPECT_CPU,
		                         TAILBOX__RULING_OUT,
		                         "%" PRIu64 ".%" PRIu64 " of %" PRIu64
		                         " CPUs%s", tenths / 10, tenths % 10,
		                         u->m.cpus, throttled);
	}
	return tailbox__own_rule(c, TAILBOX__SUSPECT_CPU, TAILBOX__RULING_OUT,
	                         "ready without one " PERCENT_FORMAT
	                         " of slow requests' time%s",
	                         PERCENT(tail), throttled);
}

int tailbox__own_cpu(struct tailbox__case *c, struct tailbox__own_case *o)
{
	struct cpu u = { .cpu_us = 0 };
	uint64_t tail, all, ready;

	look_at_steps(c->part->own, &u);
	if (u.steps == 0)
		return tailbox__own_rule(c, TAILBOX__SUSPECT_CPU,
		                         TAILBOX__RULING_CANNOT_TELL,
		                         "run queue times of workers were not "
		                         "sampled");
	look_at_machine(c->part->run, &u.m);
	look_at_requests(c, &u);
	tail = tailbox__own_tail(c, u.tail_us);
	all = tailbox__own_all(c, u.all_us);
	ready = tailbox__permille(u.runq_us,
	                          tailbox__sat_add(u.runq_us, u.cpu_us));
	o->ready = ready;
	o->is_starved = tail >= STARVED_TAIL ||
	                (tail >= STARVED_LEAST &&
	                 (is_throttled(&u.m) || ready >= STARVED_READY));
	if (o->is_starved || is_throttled(&u.m) ||
	    (tail >= TAILBOX__OWN_LEAST_TAIL && ready >= LEAST_OF_READY))
		return tell(c, &u, tail, all, ready);
	return rule_out(c, &u, tail);
}
