/* analyzer/failures_shared.c - what the members of a group have in common.
 *
 * SPDX-License-Identifier: MIT
 *
 * What a group's members have is written into one list and sorted: equal
 * traits then stand together, those of one request beside each other, and are
 * counted in passing. Few are had by most of a group, and only these are
 * looked for in all other requests, in one pass for all groups.
 *
 * The chance of a trait is that of the hypergeometric distribution (Fisher's
 * exact test, one side): would a random pick from the run look like this?
 * Requests are no random picks, they come in bursts, so this keeps
 * coincidences of small groups out and proves nothing.
 *
 * A span of time is found by looking for the best one. Were all starts
 * random, each pair of members could have been its ends, and those two are in
 * it by construction: hence tries and fixed (a union bound).
 */
#include <errno.h>
#include <stdlib.h>

#include "analyzer/failures_internal.h"
#include "core/alloc.h"

const char *const tailbox__trait_names[TAILBOX__TRAIT_COUNT] = {
	"route", "worker", "holder", "tag", "wait", "failed_stage"
};

/* --- the rule ------------------------------------------------------------- */

/* The chance that n requests, picked at random from all without putting any
 * back, hold m or more of the `have` that have something. The first term is a
 * product of factors below 1 and factors above 1, which are taken in turns so
 * that it stays in the range of a double until the last of these. What is
 * asked about is had more often than on average, so terms fall from there on,
 * and where the first is too small for a double, so is the sum. */
static double at_least(uint64_t m, uint64_t n, uint64_t have, uint64_t all)
{
	const uint64_t lack = all - have;
	uint64_t down = 0, up = 0;
	double term = 1, sum = 0;

	while (down < n || up < n - m) {
		if (up < n - m && (term <= 1 || down == n)) {
			up++;
			term *= (double)(m + up) / (double)up;
			continue;
		}
		term *= (double)(down < m ? have - down : lack - (down - m)) /
		        (double)(all - down);
		down++;
	}
	for (uint64_t x = m; term > 0; x++) {
		sum += term;
		if (x == n || x == have)
			break;
		term *= (double)(have - x) * (double)(n - x) /
		        ((double)(x + 1) * (double)(lack + x + 1 - n));
	}
	return sum;
}

static bool is_most(uint64_t members, uint64_t n)
{
	return (unsigned __int128)members * 1000 >=
	       (unsigned __int128)n * TAILBOX__SHARED_PERMILLE;
}

bool tailbox__is_shared(const struct tailbox__share *s, uint64_t n,
                        double tries, uint64_t fixed)
{
	const uint64_t have = s->members + s->others;
	const uint64_t all = n + s->others_known;

	if (s->members < 2 || s->others_known == 0 || have >= all ||
	    s->members < fixed || !is_most(s->members, n))
		return false;
	if ((unsigned __int128)s->members * s->others_known <
	    (unsigned __int128)s->others * n * TAILBOX__SHARED_TIMES)
		return false;
	return tries * at_least(s->members - fixed, n - fixed, have - fixed,
	                        all - fixed) <
	       TAILBOX__SHARED_CHANCE;
}

/* --- traits of a request -------------------------------------------------- */

static int add_trait(struct tailbox__fail_work *w, uint32_t request,
                     enum tailbox__trait_kind kind, tailbox__str key,
                     uint32_t value)
{
	struct tailbox__fail_trait *t = tailbox__list_add(&w->traits);

	if (!t)
		return -ENOMEM;
	*t = (struct tailbox__fail_trait){ { kind, key, value }, request, 0 };
	return 0;
}

static int add_of_ext(struct tailbox__fail_work *w, uint32_t request,
                      const struct tailbox__run_ext *x)
{
	int rc = 0;

	if (x->worker != UINT32_MAX)
		rc = add_trait(w, request, TAILBOX__TRAIT_WORKER, 0, x->worker);
	if (rc == 0 && x->holder_route)
		rc = add_trait(w, request, TAILBOX__TRAIT_HOLDER, 0,
		               x->holder_route);
	for (unsigned i = 0; rc == 0 && i < 4; i++)
		if (x->tag_key[i])
			rc = add_trait(w, request, TAILBOX__TRAIT_TAG,
			               x->tag_key[i], x->tag_value[i]);
	return rc;
}

/* Those of a request behind what is in the list; one may be there twice. */
static int add_traits(struct tailbox__fail_work *w, uint32_t request)
{
	const struct tailbox__run_request *r = &w->run->requests.items[request];
	const struct tailbox__run_ext *x = tailbox__fail_ext(w->run, r);
	const struct tailbox__children *q = &w->index.queues;
	const struct tailbox__children *st = &w->index.stages;
	int rc = add_trait(w, request, TAILBOX__TRAIT_ROUTE, 0, r->route);

	if (rc == 0 && x)
		rc = add_of_ext(w, request, x);
	for (uint32_t i = q->first[request];
	     rc == 0 && i < q->first[request + 1]; i++)
		rc = add_trait(w, request, TAILBOX__TRAIT_WAIT, 0,
		               w->run->queues.items[q->events[i]].name);
	for (uint32_t i = st->first[request];
	     rc == 0 && i < st->first[request + 1]; i++) {
		const struct tailbox__run_span *e =
		        &w->run->stages.items[st->events[i]];

		if (e->flags & TAILBOX__FAILED)
			rc = add_trait(w, request, TAILBOX__TRAIT_FAILED_STAGE,
			               0, e->name);
	}
	return rc;
}

static void count_known(const struct tailbox__run *run, uint32_t request,
                        uint64_t known[TAILBOX__TRAIT_COUNT])
{
	const struct tailbox__run_ext *x =
	        tailbox__fail_ext(run, &run->requests.items[request]);

	known[TAILBOX__TRAIT_ROUTE]++;
	known[TAILBOX__TRAIT_WORKER] += x && x->worker != UINT32_MAX;
	known[TAILBOX__TRAIT_HOLDER] += x != NULL;
	known[TAILBOX__TRAIT_TAG] += x != NULL;
	known[TAILBOX__TRAIT_WAIT]++;
	known[TAILBOX__TRAIT_FAILED_STAGE]++;
}

/* --- in a group ----------------------------------------------------------- */

static int compare_traits(const struct tailbox__trait *a,
                          const struct tailbox__trait *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->value > b->value) - (a->value < b->value);
}

static int by_trait(const void *va, const void *vb)
{
	const struct tailbox__fail_trait *a = va, *b = vb;
	const int order = compare_traits(&a->trait, &b->trait);

	return order != 0 ? order
	                  : (a->request > b->request) -
	                            (a->request < b->request);
}

/* That a group waits where it waits is no news. */
static bool is_own(const struct tailbox__failure_group *g,
                   const struct tailbox__apart *apart,
                   const struct tailbox__trait *t)
{
	if (t->kind != TAILBOX__TRAIT_WAIT)
		return false;
	if (g->is_wait)
		return t->value == g->piece.name;
	return g->is_for_worker && t->value == apart->ingress;
}

int tailbox__fail_traits(struct tailbox__fail_work *w,
                         struct tailbox__failure_group *g,
                         const struct tailbox__fail_member *members, size_t n)
{
	uint64_t known[TAILBOX__TRAIT_COUNT] = { 0 };
	const struct tailbox__fail_trait *t;
	size_t end;
	int rc = 0;

	w->traits.count = 0;
	for (size_t i = 0; rc == 0 && n > 1 && i < n; i++) {
		count_known(w->run, members[i].request, known);
		rc = add_traits(w, members[i].request);
	}
	if (rc < 0 || w->traits.count == 0)
		return rc;
	t = w->traits.items;
	qsort(w->traits.items, w->traits.count, sizeof(*t), by_trait);
	for (size_t i = 0; i < w->traits.count; i = end) {
		struct tailbox__shared *s;
		uint64_t count = 1;

		for (end = i + 1; end < w->traits.count &&
		                  !compare_traits(&t[i].trait, &t[end].trait);
		     end++)
			count += t[end].request != t[end - 1].request;
		if (!is_most(count, n) || is_own(g, &w->apart, &t[i].trait))
			continue;
		s = tailbox__list_grow((void **)&g->shared, &g->shared_count,
		                       &g->shared_room, sizeof(*s));
		if (!s)
			return -ENOMEM;
		s->trait = t[i].trait;
		s->share.members = count;
		/* Of the members, for tailbox__fail_compare(). */
		s->share.others_known = known[s->trait.kind];
	}
	return 0;
}

/* --- in all others -------------------------------------------------------- */

struct wanted { /* what many of some group have, and who else has it */
	struct tailbox__fail_trait *items;
	size_t count, room;
	uint64_t known[TAILBOX__TRAIT_COUNT]; /* requests of the run */
};

static int add_wanted(const struct tailbox__failure_group *g, struct wanted *w)
{
	for (size_t i = 0; i < g->shared_count; i++) {
		struct tailbox__fail_trait *t = tailbox__list_add(w);

		if (!t)
			return -ENOMEM;
		t->trait = g->shared[i].trait;
		t->request = UINT32_MAX;
	}
	return 0;
}

/* All traits that are asked about, each once; sorted. */
static int list_wanted(const struct tailbox__failures *f, struct wanted *w)
{
	size_t kept = 0;

	for (unsigned k = 0; k < TAILBOX__FAILURE_COUNT; k++)
		for (size_t i = 0; i < f->kinds[k].group_count; i++)
			if (add_wanted(&f->kinds[k].groups[i], w) < 0)
				return -ENOMEM;
	if (w->count == 0)
		return 0;
	qsort(w->items, w->count, sizeof(*w->items), by_trait);
	for (size_t i = 1; i < w->count; i++)
		if (compare_traits(&w->items[kept].trait, &w->items[i].trait))
			w->items[++kept] = w->items[i];
	w->count = kept + 1;
	return 0;
}

static struct tailbox__fail_trait *find(const struct wanted *w,
                                        const struct tailbox__trait *t)
{
	size_t low = 0, n = w->count;

	while (n > 0) {
		const size_t half = n / 2;
		const int order =
		        compare_traits(&w->items[low + half].trait, t);

		if (order == 0)
			return &w->items[low + half];
		if (order < 0) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return NULL;
}

/* How many requests of the run have each; `request` is the last one. */
static int count_all(struct tailbox__fail_work *w, struct wanted *wanted)
{
	for (uint32_t r = 0; r < w->run->requests.count; r++) {
		w->traits.count = 0;
		count_known(w->run, r, wanted->known);
		if (add_traits(w, r) < 0)
			return -ENOMEM;
		for (size_t i = 0; i < w->traits.count; i++) {
			struct tailbox__fail_trait *t =
			        find(wanted, &w->traits.items[i].trait);

			if (!t || t->request == r)
				continue;
			t->request = r;
			t->count++;
		}
	}
	return 0;
}

static int by_text(const void *va, const void *vb, void *run)
{
	/* The trait is the first member. */
	const struct tailbox__trait *a = va, *b = vb;
	int order = 0;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == TAILBOX__TRAIT_WORKER)
		return (a->value > b->value) - (a->value < b->value);
	if (a->kind == TAILBOX__TRAIT_TAG)
		order = tailbox__run_compare(run, a->key, b->key);
	return order != 0 ? order
	                  : tailbox__run_compare(run, a->value, b->value);
}

static void keep_shared(const struct tailbox__run *run,
                        const struct wanted *wanted,
                        struct tailbox__failure_group *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->shared_count; i++) {
		struct tailbox__shared s = g->shared[i];

		s.share.others =
		        find(wanted, &s.trait)->count - s.share.members;
		s.share.others_known =
		        wanted->known[s.trait.kind] - s.share.others_known;
		if (tailbox__is_shared(&s.share, g->count, 1, 0))
			g->shared[kept++] = s;
	}
	g->shared_count = kept;
	if (kept > 0)
		qsort_r(g->shared, kept, sizeof(*g->shared), by_text,
		        (void *)run);
}

int tailbox__fail_compare(struct tailbox__fail_work *w)
{
	struct wanted wanted = { .items = NULL };
	int rc = list_wanted(w->out, &wanted);

	if (rc == 0 && wanted.count > 0)
		rc = count_all(w, &wanted);
	for (unsigned k = 0; rc == 0 && k < TAILBOX__FAILURE_COUNT; k++)
		for (size_t i = 0; i < w->out->kinds[k].group_count; i++)
			keep_shared(w->run, &wanted,
			            &w->out->kinds[k].groups[i]);
	tailbox__free(wanted.items);
	return rc;
}
