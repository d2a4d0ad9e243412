/* tests/sample_runs.h - runs that several suites use, and their bytes.
 *
 * SPDX-License-Identifier: MIT
 *
 * For use while allocations succeed: a failure ends the test.
 */
#ifndef TAILBOX_TESTS_SAMPLE_RUNS_H
#define TAILBOX_TESTS_SAMPLE_RUNS_H 1

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/artifact.h"
#include "core/metrics.h"
#include "core/run.h"
#include "core/run_json.h"

/* Unlike check's own assertions, works outside of a test as well. */
#define SAMPLE_MUST(condition)                                                 \
	do {                                                                   \
		if (!(condition))                                              \
			ck_abort_msg("%s", #condition);                        \
	} while (0)

static inline struct tailbox__run *sample_empty(void)
{
	struct tailbox__run *run;

	SAMPLE_MUST(tailbox__run_create(&run) == 0);
	return run;
}

/* The smallest run that makes sense: doc/format.md shows its bytes. */
static inline struct tailbox__run *sample_tiny(void)
{
	struct tailbox__run *run = sample_empty();

	run->meta.run_id = tailbox__run_cstr(run, "run-1");
	run->meta.service_name = tailbox__run_cstr(run, "shop");
	run->meta.started_ms = 1767225600000;
	run->meta.finalized_ms = 1767225603000;
	run->meta.has_pid = true;
	run->meta.pid = 912;
	struct tailbox__run_request *r = tailbox__list_add(&run->requests);
	r->id = tailbox__run_cstr(run, "a-1");
	r->route = tailbox__run_cstr(run, "/");
	r->outcome = tailbox__run_cstr(run, "ok");
	r->start_ms = 1767225600200;
	r->end_ms = 1767225600214;
	r->start_us = 200150;
	r->end_us = 214650;
	r->latency_us = 14500;
	r->flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
	return run;
}

static inline struct tailbox__run_ext *
sample_add_ext(struct tailbox__run *run, struct tailbox__run_request *r)
{
	struct tailbox__run_ext *e = tailbox__list_add(&run->ext);

	e->bytes_in = e->bytes_out = e->reader_ns = TAILBOX__NONE;
	e->worker = UINT32_MAX;
	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++)
		e->phase_ns[i] = TAILBOX__NONE;
	r->ext = (uint32_t)run->ext.count;
	return e;
}

/* The example of spec/run-artifact.md section 6. */
static inline struct tailbox__run *sample_example(void)
{
	const uint64_t t0 = 1767225600000;
	struct tailbox__run *run = sample_empty();
	struct tailbox__run_meta *m = &run->meta;

	m->run_id = tailbox__run_cstr(
	        run, "run-5b1f0c1e-2a44-4c52-8f0e-9d1f6a7b3c20");
	m->service_name = tailbox__run_cstr(run, "catalog");
	m->host = tailbox__run_cstr(run, "shop-2");
	m->started_ms = t0;
	m->finalized_ms = t0 + 3000;
	m->has_pid = true;
	m->pid = 912;
	m->core.present = true;
	m->core.limits = tailbox__limits_of(TAILBOX__MODE_LIGHT);
	m->sampler.present = true;
	m->sampler.cadence_ms = 500;
	m->sampler.retention = 5000;

	tailbox__str id =
	        tailbox__run_cstr(run, "_items__id_-1767225600200-0");
	struct tailbox__run_request *r = tailbox__list_add(&run->requests);
	*r = (struct tailbox__run_request){
		.id = id,
		.route = tailbox__run_cstr(run, "/items/{id}"),
		.kind = tailbox__run_cstr(run, "http"),
		.outcome = tailbox__run_cstr(run, "ok"),
		.start_ms = t0 + 200, .start_us = 200150,
		.end_ms = t0 + 214, .end_us = 214650,
		.latency_us = 14500,
		.flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US,
	};
	struct tailbox__run_ext *e = sample_add_ext(run, r);
	e->status = 200;
	e->worker = 3;
	e->phase_ns[TAILBOX__PHASE_HANDLER] = 13900999;
	e->phase_ns[TAILBOX__PHASE_SEND] = 400000;

	struct tailbox__run_span *s = tailbox__list_add(&run->stages);
	*s = (struct tailbox__run_span){
		.request = id,
		.name = tailbox__run_cstr(run, "inventory_db"),
		.start_ms = t0 + 205, .start_us = 205000,
		.end_ms = t0 + 213, .end_us = 213200,
		.dur_us = 8200,
		.depth = TAILBOX__NONE,
		.flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US,
	};
	s = tailbox__list_add(&run->queues);
	*s = (struct tailbox__run_span){
		.request = id,
		.name = tailbox__run_cstr(run, "db_pool"),
		.start_ms = t0 + 201, .start_us = 201000,
		.end_ms = t0 + 204, .end_us = 204900,
		.dur_us = 3900,
		.depth = 2,
		.flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US |
		         TAILBOX__PARTIAL,
	};
	struct tailbox__run_gauge *g = tailbox__list_add(&run->inflight);
	*g = (struct tailbox__run_gauge){
		.gauge = tailbox__run_cstr(run, "items_inflight"),
		.at_ms = t0 + 200, .at_us = 200180,
		.count = 1,
		.flags = TAILBOX__HAS_START_US,
	};
	struct tailbox__run_snapshot *x = tailbox__list_add(&run->snapshots);
	*x = (struct tailbox__run_snapshot){
		.at_ms = t0, .at_us = 700,
		.alive_tasks = 5, .global_queue_depth = 2,
		.remote_schedule_count = 17, .worker_count = 4,
		.flags = TAILBOX__HAS_START_US | TAILBOX__HAS_WORKERS,
	};
	return run;
}

static inline void sample_value(struct tailbox__run *run, uint32_t snapshot,
                                uint16_t metric, uint32_t subject,
                                uint64_t value)
{
	struct tailbox__run_value *v = tailbox__list_add(&run->values);

	*v = (struct tailbox__run_value){
		.snapshot = snapshot, .metric = metric,
		.subject = subject, .value = value,
	};
}

static inline void sample_full_values(struct tailbox__run *run)
{
	struct tailbox__run_snapshot *x = tailbox__list_add(&run->snapshots);

	x->at_ms = 1767225600500;
	x->alive_tasks = x->global_queue_depth = TAILBOX__NONE;
	x->local_queue_depth = x->blocking_queue_depth = TAILBOX__NONE;
	x->remote_schedule_count = TAILBOX__NONE;
	x = tailbox__list_add(&run->snapshots);
	x->at_ms = 1767225601000;
	x->flags = TAILBOX__HAS_WORKERS;

	sample_value(run, 0, TAILBOX__METRIC_RSS_BYTES, 0, 8 << 20);
	tailbox__str pool = tailbox__run_cstr(run, "db \"main\"");
	tailbox__str wchan = tailbox__run_cstr(run, "futex_wait_queue");
	tailbox__str route = tailbox__run_cstr(run, "/report");
	sample_value(run, 2, TAILBOX__METRIC_CONNECTIONS, 0, 17);
	sample_value(run, 2, TAILBOX__METRIC_OPEN_FDS, 0, UINT64_MAX - 1);
	sample_value(run, 2, TAILBOX__METRIC_WORKER_CPU_US, 3, 1500);
	sample_value(run, 2, TAILBOX__METRIC_WORKER_STATE, 3, 'S');
	sample_value(run, 2, TAILBOX__METRIC_WORKER_WCHAN, 3, wchan);
	sample_value(run, 2, TAILBOX__METRIC_WORKER_ROUTE, 3, route);
	sample_value(run, 2, TAILBOX__METRIC_WORKER_CPU_US, 4, 0);
	sample_value(run, 2, TAILBOX__METRIC_WORKER_STATE, 4, 7); /* none */
	sample_value(run, 2, TAILBOX__METRIC_POOL_WAITING, pool, 2);
	sample_value(run, 2, TAILBOX__METRIC_POOL_CAPACITY, pool, 8);
	sample_value(run, 2, TAILBOX__METRIC_ACCEPT_QUEUE, 1, 0);
	sample_value(run, 2, TAILBOX__METRIC_ACCEPT_QUEUE, 2, 5);
	sample_value(run, 2, TAILBOX__METRIC_ACCEPT_QUEUE_LIMIT, 2, 128);
}

static inline void sample_full_request(struct tailbox__run *run)
{
	struct tailbox__run_request *r = tailbox__list_add(&run->requests);

	r->id = tailbox__run_str(run, "nul\0\x01\x1f\x7f id", 10);
	r->route = tailbox__run_cstr(run, "/\"q\"\\\b\f\n\r\t \xc3\xa9");
	r->outcome = tailbox__run_cstr(run, "rejected");
	r->flags = TAILBOX__HAS_END_US;
	struct tailbox__run_ext *e = sample_add_ext(run, r);
	e->number = 99;
	e->connection = 7;
	e->bytes_in = 0;
	e->bytes_out = UINT64_MAX - 1;
	e->reader_ns = 4000999;
	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++)
		e->phase_ns[i] = i * 1000000u + 999u;
	e->holder_number = 98;
	e->holder_ns = 1999999;
	e->holder_route = tailbox__run_cstr(run, "/report");
	for (unsigned i = 0; i < 16; i++)
		e->trace_id[i] = (uint8_t)(i * 17);
	for (unsigned i = 0; i < 8; i++)
		e->parent_id[i] = (uint8_t)(255 - i);
	e->trace_flags = 1;
	e->termination = TAILBOX__TERM_CLIENT_ABORT;
	e->ext_flags = TAILBOX__EXT_NO_HANDLER | TAILBOX__EXT_UPGRADED |
	               TAILBOX__EXT_BODY_DISCARDED;
	e->status = 404;
	e->daemon = 1;
	e->worker = 0;
	e->handler_calls = 3;
	e->tag_key[0] = e->tag_key[2] = tailbox__run_cstr(run, "tenant");
	e->tag_value[0] = tailbox__run_cstr(run, "acme");
	e->tag_value[2] = tailbox__run_cstr(run, "the second is dropped");
	e->tag_key[3] = tailbox__run_cstr(run, "plan\n");
	e->tag_value[3] = tailbox__run_cstr(run, "");
}

static inline void sample_full_open(struct tailbox__run *run)
{
	struct tailbox__run_open *o = tailbox__list_add(&run->open);

	o->id = tailbox__run_cstr(run, "open-1");
	o->route = tailbox__run_cstr(run, "/slow");
	o->start_us = 5;
	o->number = 100;
	o->since_us = 2000;
	o->where = tailbox__run_cstr(run, "db_query");
	o->site = tailbox__run_cstr(run, "shop.c:12 answer");
	o->worker = 3;
	o->phase = TAILBOX__PHASE_HANDLER;
	o->connection = 12;
	o = tailbox__list_add(&run->open);
	o->id = tailbox__run_cstr(run, "open-2");
	o->route = o->id;
	o->since_us = TAILBOX__NONE;
	o->worker = UINT32_MAX;
	o->phase = TAILBOX__PHASE_COUNT;
}

static inline void sample_full_holds(struct tailbox__run *run)
{
	struct tailbox__run_hold *h = tailbox__list_add(&run->holds);

	h->request = run->requests.items[0].id;
	h->route = run->requests.items[0].route;
	h->start_us = 2500;
	h->dur_us = 1333000;
	h->number = 99;
	h->worker = 3;
	h->kind = 1; /* handler */
	h = tailbox__list_add(&run->holds);
	h->start_us = 3000;
	h->worker = UINT32_MAX;
	h->kind = 4; /* for a connection, of no length */
}

static inline void sample_full_stacks(struct tailbox__run *run)
{
	struct tailbox__run_stack *s = tailbox__list_add(&run->stacks);
	struct tailbox__run_frame *f;

	s->request = run->requests.items[0].id;
	s->route = run->requests.items[0].route;
	s->at_us = 102500;
	s->held_us = 100000;
	s->number = 99;
	s->worker = 3;
	s->kind = 1; /* handler */
	s->end = 2;  /* unsound */
	s = tailbox__list_add(&run->stacks);
	s->at_us = s->held_us = TAILBOX__NONE;
	s->worker = UINT32_MAX;
	for (unsigned i = 0; i < 3; i++) {
		f = tailbox__list_add(&run->frames);
		f->stack = i / 2;
		f->offset = 4711 + i;
		if (i == 2) /* in no module */
			break;
		f->module = tailbox__run_cstr(run, "/usr/lib/libc.so.6");
		f->build_id = tailbox__run_cstr(run, "93ac61ec5a8eb139");
		f->flags = i ? TAILBOX__FRAME_GUESSED : 0;
	}
	run->frames.items[1].function = tailbox__run_cstr(run, "nanosleep");
	run->frames.items[1].function_offset = 19;
}

/* Two that the tape kept, the second with as little as there may be. */
static inline void sample_full_kept(struct tailbox__run *run)
{
	SAMPLE_MUST(tailbox__run_create_kept(run, &run->kept) == 0);

	struct tailbox__run *kept = run->kept;
	struct tailbox__run_request *r = tailbox__list_add(&kept->requests);
	*r = run->requests.items[0];
	r->id = tailbox__run_cstr(run, "kept-1");
	r->latency_us = 1333000;
	r->outcome = tailbox__run_cstr(run, "error");
	*tailbox__list_add(&kept->ext) = run->ext.items[r->ext - 1];
	r->ext = 1;
	struct tailbox__run_span *s = tailbox__list_add(&kept->stages);
	*s = run->stages.items[0];
	s->request = r->id;
	s = tailbox__list_add(&kept->queues);
	*s = run->queues.items[0];
	s->request = r->id;
	s->depth = 7;
	s->site = tailbox__run_cstr(run, "shop.c:41 take");
	s->flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US |
	           TAILBOX__PARTIAL;
	r = tailbox__list_add(&kept->requests);
	r->id = tailbox__run_cstr(run, "kept-2");
	r->route = tailbox__run_cstr(run, "/slow");
	r->outcome = tailbox__run_cstr(run, "cancelled");
	r->end_ms = UINT64_MAX - 1;
}

/* The example with every other field in use as well. */
static inline struct tailbox__run *sample_full(void)
{
	struct tailbox__run *run = sample_example();
	struct tailbox__run_meta *m = &run->meta;

	m->service_version = tailbox__run_cstr(run, "1.4.2");
	m->mode = TAILBOX__MODE_INVESTIGATION;
	m->core.mode = TAILBOX__MODE_INVESTIGATION;
	m->core.strict_lifecycle = true;
	m->sampler.inherited_mode = TAILBOX__MODE_INVESTIGATION;
	m->sampler.has_override = true;
	m->end_reason = TAILBOX__END_AUTO_SEAL;
	*tailbox__list_add(&m->warnings) = tailbox__run_cstr(run, "first");
	*tailbox__list_add(&m->warnings) = tailbox__run_cstr(run, "");
	m->unfinished_count = 6;
	for (unsigned i = 0; i < 6; i++) {
		char id[] = "u0";
		id[1] = (char)('0' + i);
		struct tailbox__run_unfinished *u =
		        tailbox__list_add(&m->unfinished);
		u->id = tailbox__run_cstr(run, id);
		u->route = tailbox__run_cstr(run, "/slow");
	}
	tailbox__run_set_extra(run, "armed_at_run_us", NULL, 400);
	tailbox__run_set_extra(run, "note", "before \"release\"", 0);
	run->stages.items[0].site = tailbox__run_cstr(run, "shop.c:40 list");
	run->stages.items[0].flags = TAILBOX__FAILED | TAILBOX__PARTIAL;
	run->queues.items[0].depth = TAILBOX__NONE;
	run->queues.items[0].flags = TAILBOX__HAS_START_US;
	run->inflight.items[0].flags = 0;
	run->truncation = (struct tailbox__run_truncation){
		true, 1, 2, 3, 4, UINT64_MAX
	};
	sample_full_request(run);
	sample_full_values(run);
	sample_full_open(run);
	sample_full_holds(run);
	sample_full_stacks(run);
	sample_full_kept(run);
	return run;
}

/* Everything that an open file holds, for free(). */
static inline char *sample_slurp(int fd, size_t *len)
{
	struct stat st;

	SAMPLE_MUST(fstat(fd, &st) == 0);
	char *bytes = malloc((size_t)st.st_size + 1);
	SAMPLE_MUST(bytes);
	SAMPLE_MUST(pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size);
	bytes[st.st_size] = '\0';
	*len = (size_t)st.st_size;
	return bytes;
}

/* A file in memory with these bytes, positioned at its start. */
static inline int sample_file(const char *bytes, size_t len)
{
	int fd = memfd_create("sample", MFD_CLOEXEC);

	SAMPLE_MUST(fd >= 0);
	SAMPLE_MUST(write(fd, bytes, len) == (ssize_t)len);
	SAMPLE_MUST(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* The run as Run JSON, for free(). */
static inline char *sample_json(const struct tailbox__run *run, size_t *len)
{
	int fd = memfd_create("json", MFD_CLOEXEC);

	SAMPLE_MUST(fd >= 0);
	SAMPLE_MUST(tailbox__run_json_write(run, fd) == 0);
	char *text = sample_slurp(fd, len);
	close(fd);
	return text;
}

/* The run as a native artifact, for free(). */
static inline char *sample_native(const struct tailbox__run *run, size_t *len)
{
	int fd = memfd_create("native", MFD_CLOEXEC);

	SAMPLE_MUST(fd >= 0);
	SAMPLE_MUST(tailbox__artifact_write(run, fd) == 0);
	char *bytes = sample_slurp(fd, len);
	close(fd);
	return bytes;
}

static inline void sample_assert_same(const char *got, size_t got_len,
                                      const char *want, size_t want_len)
{
	size_t at = 0;

	while (at < got_len && at < want_len && got[at] == want[at])
		at++;
	if (at == got_len && at == want_len)
		return;
	size_t from = at > 60 ? at - 60 : 0;
	ck_abort_msg("differs at byte %zu of %zu (want %zu):\n%.120s\nwant:\n"
	             "%.120s", at, got_len, want_len, got + from, want + from);
}

/* A file of the source tree, by its path in it, for free(). */
static inline char *sample_source(const char *path, size_t *len)
{
	const char *top = getenv("top_srcdir");
	char full[4096];

	snprintf(full, sizeof(full), "%s/%s", top ? top : ".", path);
	FILE *f = fopen(full, "re");
	SAMPLE_MUST(f);
	char *bytes = sample_slurp(fileno(f), len);
	fclose(f);
	return bytes;
}

/* What a test does at its end that let allocations fail. */
static inline void sample_allow_all(void)
{
	tailbox__alloc_fail_after(-1);
}

/* main() of a suite: CK_FORK and the rest of check's environment count. */
static inline int sample_run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
