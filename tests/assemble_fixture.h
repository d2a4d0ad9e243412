/* tests/assemble_fixture.h - assemblies out of records made by hand.
 *
 * SPDX-License-Identifier: MIT
 *
 * A recorder is open for its names and its clock, which is injected: one tick
 * is 1 ns unless a test says otherwise, and the tape begins at T0.
 */
#ifndef TAILBOX_TESTS_ASSEMBLE_FIXTURE_H
#define TAILBOX_TESTS_ASSEMBLE_FIXTURE_H 1

#include <errno.h>

#include "core/alloc.h"
#include "core/assemble.h"
#include "core/tailbox.h"
#include "core/validate.h"
#include "tests/recorder_fixture.h"

#define T0 1000000000000u
#define US 1000u /* ticks */
#define MS 1000000u

static uint64_t fixture_now = T0;
static struct tailbox__reader *fixture_reader;
static struct tailbox__assembly_config fixture_config;
static struct tailbox__assembly *fixture_assembly;
static struct tailbox__run *fixture_run;

static inline uint64_t fixture_clock(void)
{
	return fixture_now;
}

static inline void assemble_open_hz(uint64_t hz)
{
	fixture_now = T0;
	tailbox__clock_inject(fixture_clock, hz);
	fixture_open(TAILBOX__TAPE_MIN);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &fixture_reader, NULL),
	                 0);
	fixture_config = (struct tailbox__assembly_config){
		.from_tick = T0,
		.until_tick = T0 + 1000 * (uint64_t)MS,
		.armed_tick = T0,
		.limits = tailbox__limits_of(TAILBOX__MODE_LIGHT),
		.end_reason = TAILBOX__END_MANUAL_DISARM,
		.run_id = "test-generation-1",
	};
}

static inline void assemble_open(void)
{
	assemble_open_hz(1000000000);
}

static inline void assemble_close(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__assembly_destroy(fixture_assembly);
	fixture_assembly = NULL;
	tailbox__run_destroy(fixture_run);
	fixture_run = NULL;
	tailbox__reader_close(fixture_reader);
	fixture_reader = NULL;
	fixture_close();
	tailbox__clock_inject(NULL, 0);
}

/* The assembly of fixture_config, made at its first use. */
static inline struct tailbox__assembly *assembly(void)
{
	if (!fixture_assembly)
		ck_assert_int_eq(
		        tailbox__assembly_create(fixture_reader,
		                                 &fixture_config,
		                                 &fixture_assembly),
		        0);
	return fixture_assembly;
}

static inline void feed(unsigned kind, const void *records, size_t bytes)
{
	ck_assert_int_eq(
	        tailbox__assembly_add(assembly(), kind, 0, records, bytes), 0);
}

/* A request that began `at` ns after T0. */
static inline struct tailbox__rec_request
request(uint64_t number, uint64_t at, uint64_t total, const char *route)
{
	return (struct tailbox__rec_request){
		.type = TAILBOX__REC_REQUEST,
		.route = tailbox__name_cstr(route),
		.status = 200,
		.termination = TAILBOX__TERM_COMPLETED,
		.number = number,
		.line = T0 + at,
		.total = tailbox__pack_up(total),
		.kind = TAILBOX__NAME_HTTP,
	};
}

static inline void feed_request(uint64_t number, uint64_t at, uint64_t total)
{
	const struct tailbox__rec_request r =
	        request(number, at, total, "/items/{id}");

	feed(TAILBOX__BLOCK_REQUESTS, &r, sizeof(r));
}

/* A request with what follows it, in one batch. */
struct long_request {
	struct tailbox__rec_request request;
	union {
		struct tailbox__rec_more more;
		struct tailbox__rec_trace trace;
		struct tailbox__rec_reader reader;
		struct tailbox__rec_id id;
	} rest[4];
};

static inline void feed_long(struct long_request *r, unsigned more)
{
	r->request.more = (uint8_t)more;
	feed(TAILBOX__BLOCK_REQUESTS, r, 64 * (1 + (size_t)more));
}

static inline struct tailbox__rec_span span(unsigned type, uint64_t number,
                                            uint64_t at, uint64_t dur,
                                            const char *name)
{
	return (struct tailbox__rec_span){
		.type = (uint8_t)type,
		.name = tailbox__name_cstr(name),
		.dur = tailbox__pack(dur),
		.number = number,
		.start = T0 + at,
		.depth = UINT32_MAX,
	};
}

static inline void feed_span(unsigned type, uint64_t number, uint64_t at,
                             uint64_t dur, const char *name)
{
	const struct tailbox__rec_span s = span(type, number, at, dur, name);

	feed(TAILBOX__BLOCK_SPANS, &s, sizeof(s));
}

static inline void feed_stage(uint64_t number, uint64_t at, uint64_t dur)
{
	feed_span(TAILBOX__SPAN_STAGE, number, at, dur, "db_query");
}

static inline void feed_wait(uint64_t number, uint64_t at, uint64_t dur)
{
	feed_span(TAILBOX__SPAN_WAIT, number, at, dur, "db_pool");
}

static inline void feed_up(uint64_t number, uint64_t at, const char *gauge)
{
	feed_span(TAILBOX__SPAN_GAUGE_UP, number, at, 0, gauge);
}

static inline void feed_down(uint64_t number, uint64_t at, const char *gauge)
{
	feed_span(TAILBOX__SPAN_GAUGE_DOWN, number, at, 0, gauge);
}

static inline void feed_sample(uint64_t at)
{
	const struct tailbox__rec_sample s = {
		.type = TAILBOX__REC_SAMPLE,
		.worker_count = 4,
		.tick = T0 + at,
		.alive_tasks = at,
		.global_queue_depth = UINT64_MAX,
	};

	feed(TAILBOX__BLOCK_SAMPLES, &s, sizeof(s));
}

static inline struct tailbox__slot open_slot(uint64_t number, uint64_t at,
                                             const char *route)
{
	struct tailbox__slot s;

	memset(&s, 0, sizeof(s));
	TAILBOX__SET(s.state, TAILBOX__SLOT_OPEN);
	TAILBOX__SET(s.number, number);
	TAILBOX__SET(s.line, T0 + at);
	TAILBOX__SET(s.phase_since, T0 + at);
	TAILBOX__SET(s.route, tailbox__name_cstr(route));
	return s;
}

static inline void feed_open(uint64_t number, uint64_t at)
{
	const struct tailbox__slot s = open_slot(number, at, "/report");

	ck_assert_int_eq(tailbox__assembly_add_open(assembly(), &s, 1), 0);
}

/* Strict validation of the run: nothing at all, not even a warning. */
static inline void assert_no_issue(const struct tailbox__run *run)
{
	struct tailbox__inspection in;
	char where[128] = "";

	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	if (in.issues.count)
		tailbox__issue_location(&in.issues.items[0], where,
		                        sizeof(where));
	ck_assert_msg(in.issues.count == 0, "%zu issues, first at %s: %s",
	              in.issues.count, where,
	              in.issues.count ? in.issues.items[0].text : "");
	tailbox__inspection_fini(&in);
}

static inline struct tailbox__run *finish(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const int ret =
	        tailbox__assembly_finish(assembly(), &fixture_run, &err);

	ck_assert_msg(ret == 0, "finish: %d %s", ret, err.text);
	assert_no_issue(fixture_run);
	return fixture_run;
}

/* Drop what was made and begin again, with the same config. */
static inline void again(void)
{
	tailbox__assembly_destroy(fixture_assembly);
	fixture_assembly = NULL;
	tailbox__run_destroy(fixture_run);
	fixture_run = NULL;
}

static inline const char *text(tailbox__str s)
{
	return tailbox__run_text(fixture_run, s, NULL);
}

static inline uint64_t extra(const char *key)
{
	const struct tailbox__run_pair *x =
	        tailbox__run_extra(fixture_run, key);

	ck_assert_msg(x != NULL, "no extra %s", key);
	return x->number;
}

#endif
