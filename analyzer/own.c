/* analyzer/own.c - what requests were in, and what held up others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/apart.h"
#include "core/alloc.h"

/* --- requests by their number ----------------------------------------------- */

struct numbered {
	uint64_t number;
	uint32_t request;
};

static int by_number(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (x->request > y->request) - (x->request < y->request);
}

static uint32_t find(const struct numbered *of, size_t n, uint64_t number)
{
	size_t low = 0, high = n;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (of[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && of[low].number == number ? of[low].request
	                                           : UINT32_MAX;
}

/* The first request of each connection, by the time of its beginning. */
static void mark_first(struct tailbox__own *own, struct numbered *of, size_t n)
{
	const struct tailbox__run *run = own->run;

	for (size_t i = 0; i < n; i++) {
		const struct tailbox__run_request *r =
		        &run->requests.items[of[i].request];

		of[i].number = tailbox__own_ext(run, r)->connection;
	}
	qsort(of, n, sizeof(*of), by_number);
	for (size_t i = 0, first = 0; i < n; i++) {
		const struct tailbox__run_request *of_first =
		        &run->requests.items[of[first].request];

		if (of[i].number != of[first].number)
			first = i;
		else if (run->requests.items[of[i].request].start_us <
		         of_first->start_us)
			first = i;
		if (i + 1 == n || of[i + 1].number != of[i].number)
			own->split[of[first].request].is_first =
			        of[first].number != 0;
	}
}

/* Who held up whom. */
static int link_holders(struct tailbox__own *own)
{
	const struct tailbox__run *run = own->run;
	struct numbered *of = tailbox__alloc(run->requests.count, sizeof(*of));
	size_t n = 0;

	if (!of)
		return -ENOMEM;
	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_ext *x =
		        tailbox__own_ext(run, &run->requests.items[i]);

		if (x && x->number)
			of[n++] = (struct numbered){ x->number, (uint32_t)i };
	}
	qsort(of, n, sizeof(*of), by_number);
	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_ext *x =
		        tailbox__own_ext(run, &run->requests.items[i]);
		const uint32_t holder = x && x->holder_number
		                                ? find(of, n, x->holder_number)
		                                : UINT32_MAX;

		own->split[i].holder = holder;
		if (holder != UINT32_MAX)
			own->split[holder].has_held = true;
	}
	mark_first(own, of, n);
	tailbox__free(of);
	return 0;
}

/* --- what a request was in --------------------------------------------------- */

int tailbox__own_waits(const struct tailbox__own *own,
                       const struct tailbox__children *of,
                       struct tailbox__scratch *scratch, size_t i, size_t *n)
{
	const uint32_t from = of->first[i], to = of->first[i + 1];

	*n = 0;
	if (tailbox__scratch_events(scratch, to - from) < 0)
		return -ENOMEM;
	for (uint32_t k = from; k < to; k++)
		if (own->run->queues.items[of->events[k]].name != own->ingress)
			scratch->events[(*n)++] = of->events[k];
	return 0;
}

static tailbox__str longest(const struct tailbox__run_span *items,
                            const uint32_t *events, size_t n)
{
	const struct tailbox__run_span *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (!best || items[events[i]].dur_us > best->dur_us)
			best = &items[events[i]];
	return best ? best->name : 0;
}

/* Union of stages and waits, less the waits, is what is left for stages; with
 * durations only it is at most what they say. */
static int split(struct tailbox__own *own, const struct tailbox__index *index,
                 struct tailbox__scratch *scratch, size_t i)
{
	const struct tailbox__run *run = own->run;
	const struct tailbox__run_request *r = &run->requests.items[i];
	const struct tailbox__run_ext *x = tailbox__own_ext(run, r);
	struct tailbox__own_split *s = &own->split[i];
	const uint32_t from = index->stages.first[i];
	const size_t stages = index->stages.first[i + 1] - from;
	uint64_t handler, marked, stage_us;
	size_t waits;
	int rc = tailbox__own_waits(own, &index->queues, scratch, i, &waits);

	if (rc < 0)
		return rc;
	s->wait_us = tailbox__attributed(scratch, run->queues.items,
	                                 scratch->events, waits, false,
	                                 r->latency_us, &rc);
	s->wait = longest(run->queues.items, scratch->events, waits);
	stage_us = tailbox__attributed(scratch, run->stages.items,
	                               index->stages.events + from, stages,
	                               false, r->latency_us, &rc);
	s->stage = longest(run->stages.items, index->stages.events + from,
	                   stages);
	/* A wait lies in a stage or beside it: which is not worth another
	 * union. Where both are long the wait is the deeper one. */
	s->stage_us = stage_us > s->wait_us ? stage_us - s->wait_us : 0;
	handler = x && x->phase_ns[TAILBOX__PHASE_HANDLER] != TAILBOX__NONE
	                  ? x->phase_ns[TAILBOX__PHASE_HANDLER] / 1000
	                  : 0;
	marked = stage_us > s->wait_us ? stage_us : s->wait_us;
	s->bare_us = handler > marked ? handler - marked : 0;
	return rc;
}

int tailbox__own_make(const struct tailbox__run *run,
                      const struct tailbox__index *index,
                      struct tailbox__scratch *scratch,
                      struct tailbox__own *out)
{
	const size_t strings = tailbox__run_str_count(run);
	int rc = 0;

	*out = (struct tailbox__own){ .run = run };
	for (uint32_t i = 1; i <= strings && !out->ingress; i++)
		if (!strcmp(tailbox__run_text(run, i, NULL), TAILBOX__INGRESS_WAIT))
			out->ingress = i;
	out->split = tailbox__zalloc(run->requests.count, sizeof(*out->split));
	out->touched = tailbox__alloc(strings + 1, 3 * sizeof(*out->touched));
	for (int k = 0; k < TAILBOX__OWN_BY; k++)
		out->sums[k] = tailbox__zalloc(strings + 1, sizeof(uint64_t));
	if (!out->split || !out->touched || !out->sums[0] || !out->sums[1] ||
	    !out->sums[2])
		return -ENOMEM;
	for (size_t i = 0; rc == 0 && i < run->requests.count; i++)
		rc = split(out, index, scratch, i);
	if (rc == 0)
		rc = link_holders(out);
	return rc == 0 ? tailbox__own_looks_make(out) : rc;
}

void tailbox__own_fini(struct tailbox__own *own)
{
	tailbox__free(own->split);
	tailbox__free(own->looks);
	tailbox__free(own->touched);
	for (int k = 0; k < TAILBOX__OWN_BY; k++)
		tailbox__free(own->sums[k]);
	*own = (struct tailbox__own){ .run = NULL };
}

/* --- sums of a part ------------------------------------------------------------ */

uint64_t tailbox__own_tail(const struct tailbox__case *c, uint64_t us)
{
	return tailbox__permille(us, c->figures->tail_sum);
}

uint64_t tailbox__own_all(const struct tailbox__case *c, uint64_t us)
{
	return tailbox__permille(us, c->figures->latency_sum);
}

unsigned tailbox__own_score(uint64_t tail_permille, uint64_t all_permille,
                            size_t n)
{
	const uint64_t t = tailbox__min_u64(tail_permille, 1000);
	const uint64_t a = tailbox__min_u64(all_permille, 1000);

	return tailbox__score(24 + t / 11 + a / 35 + tailbox__sample_credit(n),
	                      95, t >= 960 && a >= 920 && n >= 20);
}

static void add(struct tailbox__own_sum *to, uint64_t us, bool is_tail)
{
	to->all_us = tailbox__sat_add(to->all_us, us);
	if (is_tail)
		to->tail_us = tailbox__sat_add(to->tail_us, us);
	to->count += us > 0;
}

static void add_name(struct tailbox__own *own, int which, tailbox__str name,
                     uint64_t us)
{
	uint64_t *to = &own->sums[which][name];

	if (us == 0 || name == 0)
		return;
	if (*to == 0)
		own->touched[own->touched_count++] = name;
	*to = tailbox__sat_add(*to, us);
}

static uint64_t phase_us(const struct tailbox__run_ext *x,
                         enum tailbox__phase phase)
{
	const uint64_t ns = x->phase_ns[phase];

	return ns == TAILBOX__NONE ? 0 : ns / 1000;
}

/* Time behind one holder, by what that was in. */
static void add_behind(struct tailbox__own *own, struct tailbox__own_part *p,
                       tailbox__str route, const struct tailbox__own_split *s,
                       uint64_t us, bool is_tail)
{
	const uint64_t sum = s ? s->wait_us + s->stage_us + s->bare_us : 0;
	uint64_t wait = 0, stage = 0;

	if (sum > 0) {
		wait = (uint64_t)((unsigned __int128)us * s->wait_us / sum);
		stage = (uint64_t)((unsigned __int128)us * s->stage_us / sum);
	}
	add(&p->of[TAILBOX__OWN_BEHIND_WAIT], wait, is_tail);
	add(&p->of[TAILBOX__OWN_BEHIND_STAGE], stage, is_tail);
	add(&p->of[TAILBOX__OWN_BEHIND_BARE], us - wait - stage, is_tail);
	if (!is_tail)
		return;
	add_name(own, TAILBOX__OWN_BY_HOLDER, route, us);
	if (s) {
		add_name(own, TAILBOX__OWN_BY_WAIT, s->wait, wait);
		add_name(own, TAILBOX__OWN_BY_STAGE, s->stage, stage);
	}
}

/* The recording names the last of those that were in the way; what waited
 * behind several of them waited behind that one's holder before, and so on.
 * Time before the first of the chain is nobody's on this worker: the connection
 * was not accepted yet. Where the chain breaks, by a request that is not in the
 * run or by its length, the rest counts as behind what broke it. */
enum { CHAIN_MOST = 256 };

static void add_ingress(struct tailbox__own *own, struct tailbox__own_part *p,
                        const struct tailbox__run_ext *x,
                        const struct tailbox__own_split *of, uint64_t us,
                        bool is_tail)
{
	uint32_t holder = of->holder;
	uint64_t left = us, accept = 0, holders = 0;

	for (int i = 0; left > 0 && i < CHAIN_MOST; i++) {
		const struct tailbox__run_request *r;
		const struct tailbox__run_ext *h;
		uint64_t part;

		if (holder == UINT32_MAX)
			break;
		r = &own->run->requests.items[holder];
		h = tailbox__own_ext(own->run, r);
		part = tailbox__min_u64(left,
		                        phase_us(h, TAILBOX__PHASE_HANDLER));
		add_behind(own, p, r->route, &own->split[holder], part,
		           is_tail);
		left -= part;
		holders++;
		if (!h->holder_number && !h->holder_route) {
			accept = of->is_first ? left : 0;
			left -= accept;
			break;
		}
		holder = own->split[holder].holder;
	}
	if (is_tail && us > accept) {
		p->waits++;
		p->holders += holders;
	}
	if (left > 0)
		add_behind(own, p, x->holder_route, NULL, left, is_tail);
	add(&p->of[TAILBOX__OWN_INGRESS], us - accept, is_tail);
	add(&p->of[TAILBOX__OWN_ACCEPT], accept, is_tail);
}

/* Answers that a socket's buffer takes whole are sent at once: when they are
 * late it was not the client. 16 KiB is the kernel's first size of one. */
enum { SEND_BYTES_LEAST = 16384 };

static void add_request(struct tailbox__case *c, struct tailbox__own *own,
                        struct tailbox__own_part *p, size_t i)
{
	const struct tailbox__run_request *r;
	const struct tailbox__own_split *s;
	const struct tailbox__run_ext *x;
	uint32_t at;

	r = tailbox__part_request(c->part, i, &at);
	x = tailbox__own_ext(c->part->run, r);
	s = &own->split[at];
	if (!x)
		return;
	const bool is_tail = r->latency_us >= c->figures->p95;
	const uint64_t ingress = phase_us(x, TAILBOX__PHASE_INGRESS);
	const bool is_large = x->bytes_out != TAILBOX__NONE &&
	                      x->bytes_out >= SEND_BYTES_LEAST;

	p->with_ext++;
	for (unsigned k = 0; k < TAILBOX__PHASE_COUNT; k++)
		p->phases_known[k] += x->phase_ns[k] != TAILBOX__NONE;
	if (x->holder_number || x->holder_route)
		add_ingress(own, p, x, s, ingress, is_tail);
	else
		add(&p->of[TAILBOX__OWN_ACCEPT], ingress, is_tail);
	add(&p->of[TAILBOX__OWN_BODY], phase_us(x, TAILBOX__PHASE_BODY),
	    is_tail);
	add(&p->of[TAILBOX__OWN_SEND],
	    is_large ? phase_us(x, TAILBOX__PHASE_SEND) : 0, is_tail);
	add(&p->of[TAILBOX__OWN_RESUME], phase_us(x, TAILBOX__PHASE_RESUME),
	    is_tail);
	add(&p->of[TAILBOX__OWN_BARE], s->bare_us, is_tail);
	add(&p->of[TAILBOX__OWN_BARE_HELD], s->has_held ? s->bare_us : 0,
	    is_tail);
	add(&p->of[TAILBOX__OWN_WAITS], s->wait_us, is_tail);
	add(&p->of[TAILBOX__OWN_STAGES], s->stage_us, is_tail);
}

/* The name with the largest sum; that of the lower text of equal ones. */
static tailbox__str top(const struct tailbox__own *own, int which)
{
	const uint64_t *sums = own->sums[which];
	tailbox__str best = 0;

	for (size_t i = 0; i < own->touched_count; i++) {
		const tailbox__str name = own->touched[i];

		if (sums[name] == 0 || name == best)
			continue;
		if (best == 0 || sums[name] > sums[best] ||
		    (sums[name] == sums[best] &&
		     tailbox__run_compare(own->run, name, best) < 0))
			best = name;
	}
	return best;
}

static void forget_names(struct tailbox__own *own)
{
	for (size_t i = 0; i < own->touched_count; i++)
		for (int k = 0; k < TAILBOX__OWN_BY; k++)
			own->sums[k][own->touched[i]] = 0;
	own->touched_count = 0;
}

/* The route with most bare time in the tail; the sums are free again. */
static tailbox__str top_bare(struct tailbox__case *c, struct tailbox__own *own)
{
	tailbox__str best;

	for (size_t i = 0; i < c->part->request_count; i++) {
		const struct tailbox__run_request *r;
		uint32_t at;

		r = tailbox__part_request(c->part, i, &at);
		if (r->latency_us >= c->figures->p95)
			add_name(own, TAILBOX__OWN_BY_HOLDER, r->route,
			         own->split[at].bare_us);
	}
	best = top(own, TAILBOX__OWN_BY_HOLDER);
	forget_names(own);
	return best;
}

void tailbox__own_part_make(struct tailbox__case *c,
                            struct tailbox__own_part *out)
{
	struct tailbox__own *own = c->part->own;

	*out = (struct tailbox__own_part){ .with_ext = 0 };
	for (size_t i = 0; i < c->part->request_count; i++)
		add_request(c, own, out, i);
	for (int k = 0; k < TAILBOX__OWN_BY; k++)
		out->top[k] = top(own, k);
	forget_names(own);
	out->bare_route = top_bare(c, own);
	for (size_t i = 0; i < c->part->request_count; i++) {
		const struct tailbox__run_ext *x;
		uint32_t at;

		x = tailbox__own_ext(own->run,
		                     tailbox__part_request(c->part, i, &at));
		out->behind_top += x && x->holder_route &&
		                   x->holder_route ==
		                           out->top[TAILBOX__OWN_BY_HOLDER];
	}
}
