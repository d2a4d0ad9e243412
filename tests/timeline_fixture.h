/* tests/timeline_fixture.h - runs that are built by hand, and their timeline
 * as text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_TIMELINE_FIXTURE_H
#define TAILBOX_TESTS_TIMELINE_FIXTURE_H 1

#include "analyzer/timeline.h"
#include "analyzer/timeline_model.h"
#include "analyzer/timeline_text.h"
#include "tests/sample_runs.h"

#define MS 1000u /* in us */

static inline struct tailbox__run *new_run(void)
{
	struct tailbox__run *run;

	ck_assert_int_eq(tailbox__run_create(&run), 0);
	run->meta.run_id = tailbox__run_cstr(run, "shop-generation-3");
	run->meta.service_name = tailbox__run_cstr(run, "shop");
	run->meta.service_version = tailbox__run_cstr(run, "1.4.2");
	run->meta.host = tailbox__run_cstr(run, "web-7");
	run->meta.has_pid = true;
	run->meta.pid = 912;
	run->meta.started_ms = 1763608361000; /* 2025-11-20 03:12:41 */
	run->meta.finalized_ms = 1763608421000;
	return run;
}

static inline size_t add_request(struct tailbox__run *run, const char *id,
                                 const char *route, uint64_t start_us,
                                 uint64_t us, const char *outcome)
{
	struct tailbox__run_request *r = tailbox__list_add(&run->requests);

	ck_assert_ptr_nonnull(r);
	r->id = tailbox__run_cstr(run, id);
	r->route = tailbox__run_cstr(run, route);
	r->outcome = tailbox__run_cstr(run, outcome);
	r->start_ms = run->meta.started_ms + start_us / 1000;
	r->end_ms = r->start_ms + us / 1000;
	r->start_us = start_us;
	r->end_us = start_us + us;
	r->latency_us = us;
	r->flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
	return run->requests.count - 1;
}

static inline struct tailbox__run_ext *add_ext(struct tailbox__run *run,
                                               size_t i, unsigned status)
{
	struct tailbox__run_ext *e =
	        sample_add_ext(run, &run->requests.items[i]);

	e->status = (uint16_t)status;
	return e;
}

/* `at` counts from the start of request i. */
static inline struct tailbox__run_span *add_span(struct tailbox__run *run,
                                                 bool wait, size_t i,
                                                 const char *name, uint64_t at,
                                                 uint64_t us)
{
	struct tailbox__run_span *s = wait ? tailbox__list_add(&run->queues)
	                                   : tailbox__list_add(&run->stages);

	ck_assert_ptr_nonnull(s);
	s->request = run->requests.items[i].id;
	s->name = tailbox__run_cstr(run, name);
	s->start_us = run->requests.items[i].start_us + at;
	s->end_us = s->start_us + us;
	s->dur_us = us;
	s->depth = TAILBOX__NONE;
	s->flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
	return s;
}

/* A report that waited for a worker and a connection, then did ten queries. */
static inline void add_report(struct tailbox__run *run)
{
	size_t i = add_request(run, "report-1", "GET /report", 3000 * MS,
	                       1330 * MS, "ok");
	struct tailbox__run_ext *e = add_ext(run, i, 200);

	e->number = 81;
	e->worker = 3;
	e->connection = 17;
	e->bytes_in = 0;
	e->bytes_out = 12345;
	e->phase_ns[TAILBOX__PHASE_INGRESS] = 198000000;
	e->phase_ns[TAILBOX__PHASE_HEADERS] = 90000;
	e->phase_ns[TAILBOX__PHASE_HANDLER] = 1098000000;
	e->phase_ns[TAILBOX__PHASE_SEND] = 30000000;
	e->reader_ns = 12000000;
	e->holder_number = 80;
	e->holder_ns = 204000000;
	e->holder_route = tailbox__run_cstr(run, "GET /report");
	memset(e->trace_id, 0xab, sizeof(e->trace_id));
	add_span(run, true, i, "mhd.ingress", 0, 198 * MS);
	struct tailbox__run_span *s =
	        add_span(run, true, i, "db_pool", 200 * MS, 420 * MS);
	s->depth = 3;
	s->site = tailbox__run_cstr(run, "shop_db.c:88 pool_get");
	add_span(run, false, i, "build", 630 * MS, 600 * MS);
	for (unsigned k = 0; k < 10; k++)
		add_span(run, false, i, "db_query", (640 + 55 * k) * MS,
		         50 * MS);
}

/* A checkout that failed: suspended, with a failed and a partial stage. */
static inline void add_checkout(struct tailbox__run *run)
{
	size_t i = add_request(run, "checkout-1", "POST /checkout", 5000 * MS,
	                       800 * MS, "error");
	struct tailbox__run_ext *e = add_ext(run, i, 503);

	e->phase_ns[TAILBOX__PHASE_HEADERS] = 0;
	e->phase_ns[TAILBOX__PHASE_HANDLER] = 200000000;
	e->phase_ns[TAILBOX__PHASE_SUSPENDED] = 500000000;
	e->phase_ns[TAILBOX__PHASE_SEND] = 800000;
	add_span(run, false, i, "tx", 10 * MS, 180 * MS)->flags |=
	        TAILBOX__FAILED;
	add_span(run, false, i, "supplier", 200 * MS, 400 * MS)->flags |=
	        TAILBOX__PARTIAL | TAILBOX__FAILED;
}

static inline struct tailbox__run *sample(void)
{
	struct tailbox__run *run = new_run();

	for (unsigned k = 0; k < 8; k++) {
		char id[16];
		snprintf(id, sizeof(id), "item-%u", k);
		add_request(run, id, "/items/{id}", k * 10 * MS, MS + 100 * k,
		            k ? "ok" : "timeout");
	}
	add_report(run);
	add_checkout(run);
	return run;
}

static inline char *text_of(const struct tailbox__run *run,
                            const struct tailbox__timeline_options *o)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(tailbox__timeline_text(run, o, f, &err), 0);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

static inline size_t longest_line(const char *text)
{
	size_t longest = 0;

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, "\n");
		longest = len > longest ? len : longest;
		p += len + (p[len] == '\n');
	}
	return longest;
}

#endif
