/* analyzer/own_part.c - what the requests of a part were in, in sums.
 *
 * SPDX-License-Identifier: MIT
 */
#include "analyzer/own.h"

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

/* Most requests have nothing of most of it. */
static inline void add(struct tailbox__own_sum *to, uint64_t us, bool is_tail)
{
	if (us == 0)
		return;
	to->all_us = tailbox__sat_add(to->all_us, us);
	if (is_tail)
		to->tail_us = tailbox__sat_add(to->tail_us, us);
	to->count++;
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

/* us * a / sum. The wide division is slow, and rarely needed. */
static uint64_t share(uint64_t us, uint64_t a, uint64_t sum)
{
	return (us | a) >> 32 ? (uint64_t)((unsigned __int128)us * a / sum)
	                      : us * a / sum;
}

/* Time behind one holder, by what that was in. */
static void add_behind(struct tailbox__own *own, struct tailbox__own_part *p,
                       tailbox__str route, const struct tailbox__own_split *s,
                       uint64_t us, bool is_tail)
{
	const uint64_t marked = s ? s->wait_us + s->stage_us : 0;
	uint64_t wait = 0, stage = 0;

	if (marked > 0) {
		const uint64_t sum = marked + s->bare_us;

		wait = share(us, s->wait_us, sum);
		stage = share(us, s->stage_us, sum);
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

/* One link after the other of those that held the worker: see walk(). */
struct chain {
	const struct tailbox__own *own;
	uint64_t left;      /* of the wait, before what was walked over */
	tailbox__str route; /* of who is next; of the last one at the end */
	uint32_t holder;    /* who is next; UINT32_MAX = none in the run */
	unsigned links;
	bool is_whole; /* the last one waited for nobody */
};

static struct chain chain_of(const struct tailbox__own *own,
                             const struct tailbox__run_ext *x,
                             const struct tailbox__own_split *s, uint64_t us)
{
	return (struct chain){ own, us, x->holder_route, s->holder, 0, false };
}

/* The recording names one of those that were in the way; what waited behind
 * several of them waited behind that one's holder before, and so on. Time
 * before the first of the chain is nobody's on this worker: the connection was
 * not accepted yet. Where the chain breaks, by a request that is not in the
 * run or whose handler time is not known, or by its length, the rest counts as
 * behind what broke it. Holds below a clock tick are not recorded, so real
 * chains are short. */
enum { CHAIN_MOST = 64 };

/* The next link, and the time behind it; false = there is none. */
static bool walk(struct chain *c, uint32_t *holder, uint64_t *us)
{
	const struct tailbox__own_link *l;

	if (c->left == 0 || c->is_whole || c->holder == UINT32_MAX ||
	    c->links == CHAIN_MOST)
		return false;
	*holder = c->holder;
	l = &c->own->links[c->holder];
	c->links++;
	if (l->handler_us == TAILBOX__NONE) {
		*us = 0;
		c->route = l->route;
		c->holder = UINT32_MAX;
		return true;
	}
	*us = tailbox__min_u64(c->left, l->handler_us);
	c->left -= *us;
	c->is_whole = !l->is_held;
	c->route = c->is_whole ? l->route : l->holder_route;
	c->holder = l->holder;
	return true;
}

static void add_ingress(struct tailbox__own *own, struct tailbox__own_part *p,
                        const struct tailbox__run_ext *x,
                        const struct tailbox__own_split *of, uint64_t us,
                        bool is_tail)
{
	struct chain chain = chain_of(own, x, of, us);
	uint64_t part, accept;
	uint32_t holder;

	while (walk(&chain, &holder, &part))
		add_behind(own, p, own->links[holder].route,
		           &own->split[holder], part, is_tail);
	accept = chain.is_whole && of->is_first ? chain.left : 0;
	if (is_tail && us > accept) {
		p->waits++;
		p->holders += chain.links;
	}
	if (chain.left > accept)
		add_behind(own, p, chain.route, NULL, chain.left, is_tail);
	add(&p->of[TAILBOX__OWN_INGRESS], us - accept, is_tail);
	add(&p->of[TAILBOX__OWN_ACCEPT], accept, is_tail);
}

/* Behind something that nobody knows: another recorder's, or dropped. */
static void add_unknown(struct tailbox__own_part *p, uint64_t us, bool is_tail)
{
	add(&p->of[TAILBOX__OWN_INGRESS], us, is_tail);
	add(&p->of[TAILBOX__OWN_BEHIND_BARE], us, is_tail);
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
	p->tail_count += is_tail;
	for (unsigned k = 0; k < TAILBOX__PHASE_COUNT; k++)
		p->phases_known[k] += x->phase_ns[k] != TAILBOX__NONE;
	if (ingress == 0)
		; /* it did not wait, or that is not known */
	else if (x->holder_number || x->holder_route)
		add_ingress(own, p, x, s, ingress, is_tail);
	else if (s->is_first)
		add(&p->of[TAILBOX__OWN_ACCEPT], ingress, is_tail);
	else
		add_unknown(p, ingress, is_tail);
	add(&p->of[TAILBOX__OWN_BODY], phase_us(x, TAILBOX__PHASE_BODY),
	    is_tail);
	if (is_large)
		add(&p->of[TAILBOX__OWN_SEND], phase_us(x, TAILBOX__PHASE_SEND),
		    is_tail);
	add(&p->of[TAILBOX__OWN_RESUME], phase_us(x, TAILBOX__PHASE_RESUME),
	    is_tail);
	add(&p->of[TAILBOX__OWN_BARE], s->bare_us, is_tail);
	if (s->has_held)
		add(&p->of[TAILBOX__OWN_BARE_HELD], s->bare_us, is_tail);
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

/* The name with most of it in the tail; sums are free again. */
static tailbox__str top_of_tail(struct tailbox__case *c, bool is_wait)
{
	const int which = is_wait ? TAILBOX__OWN_BY_WAIT
	                          : TAILBOX__OWN_BY_HOLDER;
	struct tailbox__own *own = c->part->own;
	tailbox__str best;

	for (size_t i = 0; i < c->part->request_count; i++) {
		const struct tailbox__own_split *s;
		const struct tailbox__run_request *r;
		uint32_t at;

		r = tailbox__part_request(c->part, i, &at);
		s = &own->split[at];
		if (r->latency_us >= c->figures->p95)
			add_name(own, which, is_wait ? s->wait : r->route,
			         is_wait ? s->wait_us : s->bare_us);
	}
	best = top(own, which);
	forget_names(own);
	return best;
}

tailbox__str tailbox__own_bare_route(struct tailbox__case *c)
{
	return top_of_tail(c, false);
}

tailbox__str tailbox__own_wait(struct tailbox__case *c)
{
	return top_of_tail(c, true);
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
}

/* Whether a request waited for a worker that the route held. */
static bool is_behind(const struct tailbox__part *p, size_t i,
                      tailbox__str route)
{
	const struct tailbox__run_ext *x;
	struct chain chain;
	uint32_t at, holder;
	uint64_t us;

	x = tailbox__own_ext(p->run, tailbox__part_request(p, i, &at));
	if (!x || (!x->holder_number && !x->holder_route))
		return false;
	chain = chain_of(p->own, x, &p->own->split[at],
	                 phase_us(x, TAILBOX__PHASE_INGRESS));
	while (walk(&chain, &holder, &us))
		if (us > 0 && p->own->links[holder].route == route)
			return true;
	return chain.left > 0 && chain.route == route &&
	       !(chain.is_whole && p->own->split[at].is_first);
}

size_t tailbox__own_behind(const struct tailbox__part *p, tailbox__str route)
{
	size_t n = 0;

	for (size_t i = 0; i < p->request_count; i++)
		n += is_behind(p, i, route);
	return n;
}
