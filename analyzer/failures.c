/* analyzer/failures.c - bad requests in groups by where they were blocked.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each bad request is taken apart once and becomes a member: its kind, the
 * piece that took most of its time, how long. Sorted by kind and piece, a
 * group is a stretch of the members; what it has is found from that stretch,
 * and for all groups together what other requests have (failures_shared.c).
 * So the work grows with the requests and not with requests times groups,
 * whatever names a file is made of.
 */
#include "analyzer/failures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/failures_internal.h"
#include "core/alloc.h"
#include "core/validate.h"

const char *const tailbox__failure_names[TAILBOX__FAILURE_COUNT] = {
	"error", "timeout", "cancelled", "rejected", "slow"
};

/* --- which requests ------------------------------------------------------- */

/* COUNT: none of them, it did not fail. */
static enum tailbox__failure kind_of(struct tailbox__fail_work *w,
                                     const struct tailbox__run_request *r)
{
	size_t len;
	const char *outcome = tailbox__run_text(w->run, r->outcome, &len);

	for (unsigned k = 0; k < TAILBOX__FAILURE_SLOW; k++)
		if (len == strlen(tailbox__failure_names[k]) &&
		    !memcmp(outcome, tailbox__failure_names[k], len))
			return (enum tailbox__failure)k;
	if (len != 2 || memcmp(outcome, "ok", 2))
		w->out->unknown_outcomes++;
	return w->out->slow_us != TAILBOX__NONE &&
	                       r->latency_us >= w->out->slow_us
	               ? TAILBOX__FAILURE_SLOW
	               : TAILBOX__FAILURE_COUNT;
}

/* Of two that took as long: waits before stages before phases, then by text.
 * The order of numbers is that of the file, and tells nothing. */
static bool is_before(const struct tailbox__run *run,
                      const struct tailbox__apart_piece *a,
                      const struct tailbox__apart_piece *b)
{
	static const unsigned rank[] = { [TAILBOX__PIECE_WAIT] = 0,
		                         [TAILBOX__PIECE_STAGE] = 1,
		                         [TAILBOX__PIECE_PHASE] = 2,
		                         [TAILBOX__PIECE_READER] = 3 };

	if (a->us != b->us)
		return a->us > b->us;
	if (a->kind != b->kind)
		return rank[a->kind] < rank[b->kind];
	if (a->kind == TAILBOX__PIECE_PHASE)
		return a->phase < b->phase;
	return tailbox__run_compare(run, a->name, b->name) < 0;
}

static void find_piece(const struct tailbox__fail_work *w,
                       struct tailbox__fail_member *m)
{
	const struct tailbox__apart *a = &w->apart;

	m->piece = UINT32_MAX;
	for (size_t i = 0; i < a->seen_count; i++)
		if (m->piece == UINT32_MAX ||
		    is_before(w->run, &a->pieces[a->seen[i]],
		              &a->pieces[m->piece]))
			m->piece = a->seen[i];
	m->us = m->piece == UINT32_MAX ? 0 : a->pieces[m->piece].us;
	if (a->left_us > m->us) {
		m->piece = UINT32_MAX;
		m->us = a->left_us;
	}
}

static int find_members(struct tailbox__fail_work *w)
{
	for (size_t i = 0; i < w->run->requests.count; i++) {
		const enum tailbox__failure kind =
		        kind_of(w, &w->run->requests.items[i]);
		struct tailbox__fail_member *m;

		if (kind == TAILBOX__FAILURE_COUNT)
			continue;
		if (tailbox__apart_request(&w->apart, (uint32_t)i) < 0)
			return -ENOMEM;
		m = tailbox__list_add(&w->members);
		if (!m)
			return -ENOMEM;
		m->kind = kind;
		m->request = (uint32_t)i;
		find_piece(w, m);
		w->out->kinds[kind].count++;
	}
	return 0;
}

/* --- groups --------------------------------------------------------------- */

static int by_group(const void *va, const void *vb)
{
	const struct tailbox__fail_member *a = va, *b = vb;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->piece != b->piece)
		return a->piece < b->piece ? -1 : 1;
	return (a->request > b->request) - (a->request < b->request);
}

static int take_times(const struct tailbox__run *run,
                      struct tailbox__failure_group *g,
                      const struct tailbox__fail_member *members, size_t n)
{
	struct tailbox__series s = { .items = NULL };
	int rc = 0;

	g->longest = members[0].request;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct tailbox__fail_member *m = &members[i];

		g->blocked_us = tailbox__sat_add(g->blocked_us, m->us);
		g->latency_us = tailbox__sat_add(
		        g->latency_us,
		        run->requests.items[m->request].latency_us);
		if (m->us > g->max_blocked_us) {
			g->max_blocked_us = m->us;
			g->longest = m->request;
		}
		rc = tailbox__series_add(&s, m->us);
	}
	if (rc == 0)
		g->p50_blocked_us = tailbox__series_percentile(&s, 50);
	tailbox__series_fini(&s);
	return rc;
}

static void take_piece(const struct tailbox__fail_work *w, uint32_t number,
                       struct tailbox__failure_group *g)
{
	const struct tailbox__apart_piece *p;

	g->is_explained = number != UINT32_MAX;
	if (!g->is_explained)
		return;
	p = &w->apart.pieces[number];
	g->piece.kind = p->kind;
	g->piece.phase = p->phase;
	g->piece.name = p->name;
	g->is_wait = p->kind == TAILBOX__PIECE_WAIT;
	g->is_for_worker =
	        g->is_wait ? !strcmp(tailbox__run_text(w->run, p->name, NULL),
	                             TAILBOX__INGRESS_WAIT)
	                   : p->kind == TAILBOX__PIECE_PHASE &&
	                             p->phase == TAILBOX__PHASE_INGRESS;
}

static int add_group(struct tailbox__fail_work *w,
                     const struct tailbox__fail_member *members, size_t n)
{
	struct tailbox__failure_kind *k = &w->out->kinds[members->kind];
	struct tailbox__failure_group *g = tailbox__list_grow(
	        (void **)&k->groups, &k->group_count, &k->group_room,
	        sizeof(*g));
	int rc;

	if (!g)
		return -ENOMEM;
	g->count = n;
	take_piece(w, members->piece, g);
	rc = take_times(w->run, g, members, n);
	if (rc == 0)
		rc = tailbox__fail_traits(w, g, members, n);
	if (rc == 0)
		rc = tailbox__fail_moment(w, g, members, n);
	return rc < 0 ? rc : tailbox__fail_state(w, g, members, n);
}

static int find_groups(struct tailbox__fail_work *w)
{
	const size_t n = w->members.count;
	const struct tailbox__fail_member *m = w->members.items;
	size_t end;
	int rc = 0;

	if (n == 0)
		return 0;
	qsort(w->members.items, n, sizeof(*m), by_group);
	for (size_t i = 0; rc == 0 && i < n; i = end) {
		for (end = i + 1; end < n && m[end].kind == m[i].kind &&
		                  m[end].piece == m[i].piece;)
			end++;
		rc = add_group(w, m + i, end - i);
	}
	return rc < 0 ? rc : tailbox__fail_compare(w);
}

static int largest_first(const void *va, const void *vb, void *run)
{
	const struct tailbox__failure_group *a = va, *b = vb;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	if (a->blocked_us != b->blocked_us)
		return a->blocked_us > b->blocked_us ? -1 : 1;
	if (a->is_explained != b->is_explained)
		return a->is_explained ? -1 : 1;
	if (a->piece.kind != b->piece.kind)
		return a->piece.kind < b->piece.kind ? -1 : 1;
	if (a->piece.phase != b->piece.phase)
		return a->piece.phase < b->piece.phase ? -1 : 1;
	return tailbox__run_compare(run, a->piece.name, b->piece.name);
}

/* --- all of it ------------------------------------------------------------ */

static int normalize(struct tailbox__run *run, struct tailbox__failures *out)
{
	const size_t count = run->requests.count;
	struct tailbox__inspection in;
	const int rc = tailbox__inspect(run, &in);

	if (rc == 0)
		tailbox__normalize(run, &in);
	tailbox__inspection_fini(&in);
	out->excluded = count - run->requests.count;
	return rc;
}

static void fini_work(struct tailbox__fail_work *w)
{
	tailbox__index_fini(&w->index);
	tailbox__apart_fini(&w->apart);
	tailbox__free(w->members.items);
	tailbox__free(w->traits.items);
	tailbox__free(w->starts);
	tailbox__free(w->looks);
	tailbox__free(w->values_of);
	tailbox__free(w->open_by_name);
	tailbox__free(w->spans.items);
}

int tailbox__failures_make(struct tailbox__run *run, uint64_t slow_us,
                           struct tailbox__failures *out)
{
	struct tailbox__fail_work w = { .run = run, .out = out };
	int rc;

	*out = (struct tailbox__failures){ .slow_us = slow_us };
	out->lost = tailbox__losses_of(run);
	out->unfinished = run->meta.unfinished_count;
	rc = normalize(run, out);
	out->requests = run->requests.count;
	if (rc == 0)
		rc = tailbox__index_make(run, &w.index);
	if (rc == 0)
		rc = tailbox__apart_init(&w.apart, run, &w.index);
	if (rc == 0)
		rc = find_members(&w);
	if (rc == 0 && w.members.count > 0)
		rc = tailbox__fail_state_init(&w);
	if (rc == 0)
		rc = find_groups(&w);
	for (unsigned k = 0; rc == 0 && k < TAILBOX__FAILURE_COUNT; k++)
		if (out->kinds[k].group_count > 0)
			qsort_r(out->kinds[k].groups, out->kinds[k].group_count,
			        sizeof(*out->kinds[k].groups), largest_first,
			        run);
	fini_work(&w);
	return rc;
}

void tailbox__failures_fini(struct tailbox__failures *f)
{
	for (unsigned k = 0; k < TAILBOX__FAILURE_COUNT; k++) {
		struct tailbox__failure_kind *kind = &f->kinds[k];

		for (size_t i = 0; i < kind->group_count; i++)
			tailbox__free(kind->groups[i].shared);
		tailbox__free(kind->groups);
	}
	*f = (struct tailbox__failures){ .requests = 0 };
}
