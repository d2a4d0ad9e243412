/* tests/own_fixture.h - runs with what tailbox alone records.
 *
 * SPDX-License-Identifier: MIT
 *
 * A base of requests of 1000 us each has one latency: all of them are slow
 * ones, so the share of the slow requests' time is that of all time, and with
 * 20 of them one thousandth is 20 us.
 */
#ifndef TAILBOX_TESTS_OWN_FIXTURE_H
#define TAILBOX_TESTS_OWN_FIXTURE_H 1

#include "analyzer/own.h"
#include "core/utf8.h"
#include "tests/analyze_fixture.h"

#define NONE TAILBOX__NONE
#define BLOCKED TAILBOX__SUSPECT_WORKER_BLOCKED

static inline struct tailbox__run_ext *ext(uint32_t request)
{
	struct tailbox__run_request *r = &run->requests.items[request];

	if (r->ext == 0) {
		struct tailbox__run_ext *x = sample_add_ext(run, r);

		x->number = request + 1;
		x->connection = request + 1;
	}
	return &run->ext.items[r->ext - 1];
}

static inline void phase(uint32_t request, enum tailbox__phase which,
                         uint64_t us)
{
	ext(request)->phase_ns[which] = us * 1000;
}

static inline void base(unsigned n)
{
	add_requests(n);
	for (uint32_t i = 0; i < n; i++)
		ext(i);
}

static inline void route(uint32_t request, const char *name)
{
	run->requests.items[request].route = tailbox__run_cstr(run, name);
}

static inline void handler(uint32_t request, const char *name, uint64_t us)
{
	route(request, name);
	phase(request, TAILBOX__PHASE_HANDLER, us);
}

/* `request` waited so long for the worker that `holder` held. */
static inline void behind(uint32_t request, uint32_t holder, uint64_t us)
{
	phase(request, TAILBOX__PHASE_INGRESS, us);
	ext(request)->holder_number = ext(holder)->number;
	ext(request)->holder_route = run->requests.items[holder].route;
}

static inline void value(uint32_t snapshot, enum tailbox__metric metric,
                         uint32_t subject, uint64_t v)
{
	struct tailbox__run_value *to = tailbox__list_add(&run->values);

	to->snapshot = snapshot;
	to->metric = (uint16_t)metric;
	to->subject = subject;
	to->value = v;
}

/* A sample without depths; its index. */
static inline uint32_t sample(uint64_t at_us)
{
	add_snapshot(at_us, NONE, NONE, NONE);
	return (uint32_t)run->snapshots.count - 1;
}

/* What a worker did since the sample before. */
static inline void used(uint32_t snapshot, uint32_t worker, uint64_t cpu_us,
                        uint64_t runq_us)
{
	value(snapshot, TAILBOX__METRIC_WORKER_CPU_US, worker, cpu_us);
	value(snapshot, TAILBOX__METRIC_WORKER_RUNQ_US, worker, runq_us);
}

static inline const struct tailbox__finding *
finding(enum tailbox__suspect_kind kind)
{
	for (size_t i = 0; i < rep.findings.count; i++)
		if (rep.findings.items[i].kind == kind)
			return &rep.findings.items[i];
	ck_abort_msg("no finding of kind %d", (int)kind);
}

static inline void expect_ruling(enum tailbox__suspect_kind kind,
                                 enum tailbox__ruling ruling, const char *text)
{
	const struct tailbox__finding *f = finding(kind);

	ck_assert_msg(f->ruling == ruling, "%s is %s: %s",
	              tailbox__suspect_names[kind],
	              tailbox__ruling_names[f->ruling],
	              f->text ? f->text : "");
	ck_assert_int_eq(suspect(kind) != NULL,
	                 ruling == TAILBOX__RULING_LIKELY);
	if (text)
		ck_assert_str_eq(f->text, text);
	else
		ck_assert_ptr_null(f->text);
}
#define EXPECT_LIKELY(kind) expect_ruling(kind, TAILBOX__RULING_LIKELY, NULL)
#define EXPECT_OUT(kind, text) expect_ruling(kind, TAILBOX__RULING_OUT, text)
#define EXPECT_CANNOT(kind, text)                                              \
	expect_ruling(kind, TAILBOX__RULING_CANNOT_TELL, text)

static inline uint64_t figure(enum tailbox__suspect_kind kind, const char *key)
{
	const struct tailbox__suspect *s = suspect(kind);

	ck_assert_ptr_nonnull(s);
	for (size_t i = 0; i < s->figures.count; i++)
		if (!strcmp(s->figures.items[i].key, key))
			return s->figures.items[i].name
			               ? s->figures.items[i].name
			               : s->figures.items[i].value;
	ck_abort_msg("no figure %s", key);
}

/* What the requests were in, of the whole run, and two that are asked for. */
static tailbox__str bare_route;
static const char *behind_route;
static size_t behind_count; /* behind behind_route, or else the top holder */

static inline struct tailbox__own_part sums(void)
{
	struct tailbox__scratch scratch = { .intervals = NULL };
	struct tailbox__own_part out;
	struct tailbox__figures f;
	struct tailbox__index index;
	struct tailbox__own own;

	ck_assert_int_eq(tailbox__index_make(run, &index), 0);
	ck_assert_int_eq(tailbox__own_make(run, &index, &scratch, &own), 0);
	const struct tailbox__part part = {
		.run = run, .index = &index, .o = &o, .own = &own,
		.request_count = run->requests.count
	};
	ck_assert_int_eq(tailbox__figures_make(&part, &scratch, &f), 0);
	struct tailbox__case c = { .part = &part, .figures = &f,
		                   .scratch = &scratch };
	tailbox__own_part_make(&c, &out);
	bare_route = tailbox__own_bare_route(&c);
	behind_count = tailbox__own_behind(
		&part, behind_route ? tailbox__run_cstr(run, behind_route)
	                            : out.top[TAILBOX__OWN_BY_HOLDER]);
	tailbox__figures_fini(&f);
	tailbox__own_fini(&own);
	tailbox__index_fini(&index);
	tailbox__scratch_fini(&scratch);
	return out;
}

static inline bool is_name(tailbox__str s, const char *name)
{
	return strcmp(tailbox__run_text(run, s, NULL), name) == 0;
}

/* Whether a text is UTF-8 without controls. */
static inline bool is_clean(const char *text)
{
	for (size_t i = 0, len = strlen(text); i < len; ) {
		uint32_t cp;

		i += tailbox__utf8_next(text + i, len - i, &cp);
		if (cp == TAILBOX__UTF8_INVALID || cp < 0x20 ||
		    (cp >= 0x7f && cp < 0xa0))
			return false;
	}
	return true;
}

#endif
