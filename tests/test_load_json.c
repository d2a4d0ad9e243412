/* tests/test_load_json.c - the loader of Run JSON.
 *
 * SPDX-License-Identifier: MIT
 *
 * Most tests change one place of a complete document and say what comes of
 * it. Each document is loaded whole and byte by byte: the result must be the
 * same, down to the text and the offset of the error.
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/load.h"
#include "core/alloc.h"
#include "core/tailbox.h"
#include "tests/pieces.h"
#include "tests/sample_runs.h"

#define MALFORMED (-TAILBOX_EMALFORMED)
#define TRUNCATED (-TAILBOX_ETRUNCATED)
#define SHAPE (-TAILBOX_ESHAPE)

static const char base[] =
        "{\"schema_version\":2,\"metadata\":{\"run_id\":\"run-1\","
        "\"service_name\":\"shop\",\"service_version\":\"1.4\","
        "\"started_at_unix_ms\":1000,\"finalized_at_unix_ms\":2000,"
        "\"mode\":\"investigation\",\"effective_core_config\":{\"mode\":"
        "\"light\",\"capture_limits\":{\"max_requests\":1,\"max_stages\":2,"
        "\"max_queues\":3,\"max_inflight_snapshots\":4,"
        "\"max_runtime_snapshots\":5},\"strict_lifecycle\":true},"
        "\"effective_tokio_sampler_config\":{\"inherited_mode\":\"light\","
        "\"explicit_mode_override\":\"investigation\",\"resolved_mode\":"
        "\"investigation\",\"resolved_sampler_cadence_ms\":100,"
        "\"resolved_runtime_snapshot_retention\":6},\"host\":\"web-7\","
        "\"pid\":912,\"lifecycle_warnings\":[\"w1\",\"w2\"],"
        "\"unfinished_requests\":{\"count\":9,\"sample\":[{\"request_id\":"
        "\"u1\",\"route\":\"/u\"}]},\"run_end_reason\":\"shutdown\"},"
        "\"requests\":[{\"request_id\":\"a\",\"route\":\"/a\",\"kind\":"
        "\"http\",\"started_at_unix_ms\":1100,\"started_at_run_us\":100,"
        "\"finished_at_unix_ms\":1101,\"finished_at_run_us\":1100,"
        "\"latency_us\":1000,\"outcome\":\"ok\"}],"
        "\"stages\":[{\"request_id\":\"a\",\"stage\":\"db\","
        "\"started_at_unix_ms\":1100,\"started_at_run_us\":200,"
        "\"finished_at_unix_ms\":1101,\"finished_at_run_us\":300,"
        "\"latency_us\":100,\"success\":false,\"completed\":false}],"
        "\"queues\":[{\"request_id\":\"a\",\"queue\":\"pool\","
        "\"waited_from_unix_ms\":1100,\"waited_from_run_us\":400,"
        "\"waited_until_unix_ms\":1101,\"waited_until_run_us\":450,"
        "\"wait_us\":50,\"depth_at_start\":3,\"completed\":true}],"
        "\"inflight\":[{\"gauge\":\"g\",\"at_unix_ms\":1100,"
        "\"at_run_us\":7,\"count\":8}],"
        "\"runtime_snapshots\":[{\"at_unix_ms\":1200,\"at_run_us\":9,"
        "\"alive_tasks\":10,\"worker_count\":4,\"global_queue_depth\":11,"
        "\"local_queue_depth\":12,\"blocking_queue_depth\":13,"
        "\"remote_schedule_count\":14}],"
        "\"truncation\":{\"limits_hit\":true,\"dropped_requests\":15,"
        "\"dropped_stages\":16,\"dropped_queues\":17,"
        "\"dropped_inflight_snapshots\":18,"
        "\"dropped_runtime_snapshots\":19}}";

static const char minimal[] =
        "{\"schema_version\":2,\"metadata\":{\"run_id\":\"r\","
        "\"service_name\":\"s\",\"started_at_unix_ms\":1,\"mode\":\"light\"},"
        "\"requests\":[],\"stages\":[],\"queues\":[],\"inflight\":[],"
        "\"runtime_snapshots\":[]}";

static struct tailbox__run *run;
static struct tailbox__error error;

static int load_in_steps(const char *bytes, size_t len, size_t step)
{
	struct input in = { bytes, len, 0, step };

	tailbox__run_destroy(run);
	run = NULL;
	error = (struct tailbox__error)TAILBOX__ERROR_INIT;

	const int ret = tailbox__load_json(read_input, &in, &run, &error);

	ck_assert_int_eq(ret == 0, run != NULL);
	ck_assert_int_eq(ret, error.code);
	return ret;
}

/* Whole and byte by byte; the run that stays is the last one. */
static int load(const char *bytes, size_t len)
{
	const int ret = load_in_steps(bytes, len, SIZE_MAX);
	const struct tailbox__error first = error;
	const int again = load_in_steps(bytes, len, 1);

	ck_assert_int_eq(ret, again);
	ck_assert_str_eq(first.text, error.text);
	if (ret == SHAPE || ret == TRUNCATED)
		ck_assert_uint_eq(first.offset, error.offset);
	return ret;
}

static int load_text(const char *text)
{
	return load(text, strlen(text));
}

/* The base document with one place changed. Freed by the caller. */
static char *changed(const char *from, const char *to)
{
	const char *place = strstr(base, from);

	ck_assert_msg(place != NULL, "%s is not in the document", from);
	ck_assert_msg(!strstr(place + 1, from), "%s is there twice", from);

	const size_t size = sizeof(base) + strlen(to);
	char *text = malloc(size);

	snprintf(text, size, "%.*s%s%s", (int)(place - base), base, to,
	         place + strlen(from));
	return text;
}

static int load_changed(const char *from, const char *to)
{
	char *text = changed(from, to);
	const int ret = load_text(text);

	free(text);
	return ret;
}

static void teardown(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__run_destroy(run);
	run = NULL;
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

static void expect_text(tailbox__str s, const char *want)
{
	ck_assert_uint_ne(s, 0);
	ck_assert_str_eq(tailbox__run_text(run, s, NULL), want);
}

START_TEST(metadata_arrives)
{
	ck_assert_int_eq(load_text(base), 0);

	const struct tailbox__run_meta *m = &run->meta;

	ck_assert_uint_eq(run->schema_version, 2);
	expect_text(m->run_id, "run-1");
	expect_text(m->service_name, "shop");
	expect_text(m->service_version, "1.4");
	expect_text(m->host, "web-7");
	ck_assert_uint_eq(m->started_ms, 1000);
	ck_assert_uint_eq(m->finalized_ms, 2000);
	ck_assert_int_eq(m->mode, TAILBOX__MODE_INVESTIGATION);
	ck_assert(m->core.present && m->core.strict_lifecycle);
	ck_assert_int_eq(m->core.mode, TAILBOX__MODE_LIGHT);
	ck_assert_uint_eq(m->core.limits.max_requests, 1);
	ck_assert_uint_eq(m->core.limits.max_stages, 2);
	ck_assert_uint_eq(m->core.limits.max_queues, 3);
	ck_assert_uint_eq(m->core.limits.max_inflight_snapshots, 4);
	ck_assert_uint_eq(m->core.limits.max_runtime_snapshots, 5);
	ck_assert(m->sampler.present && m->sampler.has_override);
	ck_assert_int_eq(m->sampler.inherited_mode, TAILBOX__MODE_LIGHT);
	ck_assert_int_eq(m->sampler.override_mode,
	                 TAILBOX__MODE_INVESTIGATION);
	ck_assert_uint_eq(m->sampler.cadence_ms, 100);
	ck_assert_uint_eq(m->sampler.retention, 6);
	ck_assert(m->has_pid);
	ck_assert_uint_eq(m->pid, 912);
	ck_assert_int_eq(m->end_reason, TAILBOX__END_SHUTDOWN);
	ck_assert_uint_eq(m->warnings.count, 2);
	expect_text(m->warnings.items[1], "w2");
	ck_assert_uint_eq(m->unfinished_count, 9);
	ck_assert_uint_eq(m->unfinished.count, 1);
	expect_text(m->unfinished.items[0].route, "/u");
	ck_assert(run->truncation.limits_hit);
	ck_assert_uint_eq(run->truncation.dropped_requests, 15);
	ck_assert_uint_eq(run->truncation.dropped_runtime_snapshots, 19);
}
END_TEST

START_TEST(events_arrive)
{
	ck_assert_int_eq(load_text(base), 0);

	const struct tailbox__run_request *r = &run->requests.items[0];
	const struct tailbox__run_span *s = &run->stages.items[0];
	const struct tailbox__run_span *q = &run->queues.items[0];
	const struct tailbox__run_gauge *g = &run->inflight.items[0];
	const struct tailbox__run_snapshot *x = &run->snapshots.items[0];
	const uint32_t both = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;

	expect_text(r->id, "a");
	expect_text(r->kind, "http");
	expect_text(r->outcome, "ok");
	ck_assert_uint_eq(r->start_ms, 1100);
	ck_assert_uint_eq(r->end_ms, 1101);
	ck_assert_uint_eq(r->start_us, 100);
	ck_assert_uint_eq(r->end_us, 1100);
	ck_assert_uint_eq(r->latency_us, 1000);
	ck_assert_uint_eq(r->flags, both);
	ck_assert_uint_eq(r->ext, 0);
	ck_assert_uint_eq(s->request, r->id);
	expect_text(s->name, "db");
	ck_assert_uint_eq(s->dur_us, 100);
	ck_assert_uint_eq(s->depth, TAILBOX__NONE);
	ck_assert_uint_eq(s->flags,
	                  both | TAILBOX__FAILED | TAILBOX__PARTIAL);
	expect_text(q->name, "pool");
	ck_assert_uint_eq(q->start_us, 400);
	ck_assert_uint_eq(q->end_us, 450);
	ck_assert_uint_eq(q->dur_us, 50);
	ck_assert_uint_eq(q->depth, 3);
	ck_assert_uint_eq(q->flags, both);
	ck_assert_uint_eq(g->at_us, 7);
	ck_assert_uint_eq(g->count, 8);
	ck_assert_uint_eq(x->at_us, 9);
	ck_assert_uint_eq(x->alive_tasks, 10);
	ck_assert_uint_eq(x->worker_count, 4);
	ck_assert_uint_eq(x->global_queue_depth, 11);
	ck_assert_uint_eq(x->local_queue_depth, 12);
	ck_assert_uint_eq(x->blocking_queue_depth, 13);
	ck_assert_uint_eq(x->remote_schedule_count, 14);
	ck_assert_uint_eq(x->flags,
	                  TAILBOX__HAS_START_US | TAILBOX__HAS_WORKERS);
}
END_TEST

START_TEST(the_smallest_document_gets_the_defaults)
{
	ck_assert_int_eq(load_text(minimal), 0);
	ck_assert_uint_eq(run->meta.finalized_ms, TAILBOX__NONE);
	ck_assert_uint_eq(run->meta.service_version, 0);
	ck_assert(!run->meta.has_pid && !run->meta.core.present);
	ck_assert(!run->meta.sampler.present && !run->truncation.limits_hit);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_NONE);
}
END_TEST

/* Rows of `what is changed`, `to what`, `result`, `path in the error`. */
static const struct row {
	const char *from, *to;
	int ret;
	const char *path;
} rows[] = {
	/* Unknown members, at any level, also repeated. */
	{ "\"outcome\"", "\"x\":1,\"x\":[2],\"outcome\"", 0, NULL },
	{ "\"count\":9", "\"x\":{\"y\":{}},\"count\":9", 0, NULL },
	{ "{\"max_requests\"", "{\"\":null,\"max_requests\"", 0, NULL },
	{ "\"host\"", "\"x\":-0.5e+77,\"y\":1e999,\"host\"", 0, NULL },
	{ "\"host\"", "\"x\":99999999999999999999999,\"host\"", 0, NULL },
	{ "\"host\"", "\"x\":\"\\ud800\",\"host\"", 0, NULL },
	{ "\"host\"", "\"x\":[\"\\udc00\\ud83d\"],\"host\"", 0, NULL },
	{ "\"host\"", "\"x\":{\"\\ud83d\":\"\xff\"},\"host\"", 0, NULL },
	{ "\"host\"", "\"x\":\"\xed\xa0\x80\",\"host\"", 0, NULL },
	/* Known members are known by their decoded name. */
	{ "\"host\"", "\"\\u0068ost\"", 0, NULL },
	/* A known member twice. */
	{ "\"outcome\"", "\"route\":\"/b\",\"outcome\"", SHAPE,
	  "requests[0].route: " },
	{ "\"host\":", "\"host\":null,\"host\":", SHAPE, "metadata.host: " },
	{ "\"truncation\"", "\"stages\":[],\"truncation\"", SHAPE,
	  "stages: " },
	/* Integers. */
	{ "\"latency_us\":1000", "\"latency_us\":10.0", SHAPE,
	  "requests[0].latency_us: expected an unsigned integer" },
	{ "\"latency_us\":1000", "\"latency_us\":1e1", SHAPE,
	  "requests[0].latency_us: " },
	{ "\"latency_us\":1000", "\"latency_us\":-0", SHAPE,
	  "requests[0].latency_us: " },
	{ "\"latency_us\":1000", "\"latency_us\":-1", SHAPE,
	  "requests[0].latency_us: " },
	{ "\"latency_us\":1000", "\"latency_us\":\"10\"", SHAPE,
	  "requests[0].latency_us: " },
	{ "\"latency_us\":1000", "\"latency_us\":18446744073709551616", SHAPE,
	  "requests[0].latency_us: " },
	{ "\"latency_us\":1000", "\"latency_us\":18446744073709551615", 0,
	  NULL },
	{ "\"latency_us\":1000", "\"latency_us\":null", SHAPE,
	  "requests[0].latency_us: " },
	{ "\"latency_us\":1000", "\"latency_us\":true", SHAPE,
	  "requests[0].latency_us: " },
	{ "\"latency_us\":1000", "\"latency_us\":{}", SHAPE,
	  "requests[0].latency_us: " },
	{ "\"pid\":912", "\"pid\":4294967295", 0, NULL },
	{ "\"pid\":912", "\"pid\":4294967296", SHAPE, "metadata.pid: " },
	{ "\"pid\":912", "\"pid\":-1", SHAPE, "metadata.pid: " },
	{ "\"worker_count\":4", "\"worker_count\":4294967296", SHAPE,
	  "runtime_snapshots[0].worker_count: " },
	{ "\"worker_count\":4", "\"worker_count\":0", 0, NULL },
	/* Enumerations. */
	{ "\"mode\":\"investigation\"", "\"mode\":\"Light\"", SHAPE,
	  "metadata.mode: " },
	{ "\"mode\":\"investigation\"", "\"mode\":\"light \"", SHAPE,
	  "metadata.mode: " },
	{ "\"mode\":\"investigation\"", "\"mode\":null", SHAPE,
	  "metadata.mode: " },
	{ "\"shutdown\"", "\"manual_disarm\"", 0, NULL },
	{ "\"shutdown\"", "\"auto_seal_on_limits_hit\"", 0, NULL },
	{ "\"shutdown\"", "\"SHUTDOWN\"", SHAPE, "metadata.run_end_reason: " },
	{ "\"shutdown\"", "\"\"", SHAPE, "metadata.run_end_reason: " },
	/* Texts. */
	{ "\"web-7\"", "\"\xff\"", MALFORMED, "metadata.host: " },
	{ "\"web-7\"", "\"\xc0\xaf\"", MALFORMED, "metadata.host: " },
	{ "\"web-7\"", "\"\xed\xa0\x80\"", MALFORMED, "metadata.host: " },
	{ "\"web-7\"", "\"\xf4\x90\x80\x80\"", MALFORMED, "metadata.host: " },
	{ "\"web-7\"", "\"abcdefghijkl\xe2\x82\"", MALFORMED,
	  "metadata.host: " },
	{ "\"web-7\"", "\"\\ud800\"", MALFORMED, "metadata.host: " },
	{ "\"web-7\"", "\"\\udc00\"", MALFORMED, "metadata.host: " },
	{ "\"web-7\"", "\"\\ud83d\\u0041\"", MALFORMED, "metadata.host: " },
	{ "\"web-7\"", "\"\\ud83dx\"", MALFORMED, "metadata.host: " },
	{ "\"web-7\"", "\"\\ud83d\\n\"", MALFORMED, "metadata.host: " },
	{ "\"web-7\"", "\"\\ud83d\\ud83d\\ude00\"", MALFORMED,
	  "metadata.host: " },
	{ "\"web-7\"", "\"\\\\ud800\"", 0, NULL },
	{ "\"w2\"", "\"\\ud800\"", MALFORMED, "lifecycle_warnings[1]: " },
	{ "\"w2\"", "2", SHAPE, "lifecycle_warnings[1]: expected a string" },
	{ "\"web-7\"", "7", SHAPE, "metadata.host: expected a string" },
	{ "\"mode\":\"light\"", "\"mode\":\"\\ud800\"", MALFORMED, NULL },
	{ "1100,\"started_at_run_us\":100", "\"\xff\"", MALFORMED, NULL },
	/* Syntax, in known and in unknown members. */
	{ "\"web-7\"", "\"a\nb\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":\"a\tb\",\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":{\"a\x01\":1},\"host\"", MALFORMED, NULL },
	{ "\"pid\":912", "\"pid\":0912", MALFORMED, NULL },
	{ "\"pid\":912", "\"pid\":-012", MALFORMED, NULL },
	{ "\"pid\":912", "\"pid\":00", MALFORMED, NULL },
	{ "\"web-7\"", "01", MALFORMED, NULL },
	{ "\"host\"", "\"x\":[01],\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":[-01.5],\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":[0,-0,0.05,1e05,100,-0.0e-00],\"host\"", 0,
	  NULL },
	{ "\"w2\"", "\"w2\",", MALFORMED, NULL },
	{ "\"outcome\":\"ok\"", "\"outcome\":\"ok\",", MALFORMED, NULL },
	{ "\"host\"", "\"x\":[1,],\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":{\"y\":1,},\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\v\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\f\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\xc2\xa0\"host\"", MALFORMED, NULL },
	{ "\"host\"", " \t\r\n\"host\"", 0, NULL },
	{ "\"host\"", "/* x */\"host\"", MALFORMED, NULL },
	{ "\"host\"", "'x':1,\"host\"", MALFORMED, NULL },
	{ "\"host\"", "x:1,\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":NaN,\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":.5,\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":1.,\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":+1,\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":\"\\x\",\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":\"\\u12g4\",\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":\"\\ud83d\\u12\",\"host\"", MALFORMED, NULL },
	{ "\"host\"", "\"x\":[},\"host\"", MALFORMED, NULL },
	{ "\"w2\"]", "\"w2\"}", MALFORMED, NULL },
	/* A name that is not text, of a member that would be unknown. */
	{ "\"host\"", "\"\\ud800\":1,\"host\"", MALFORMED, "metadata: " },
	/* null, by presence class. */
	{ "\"run-1\"", "null", SHAPE, "metadata.run_id: " },
	{ "\"1.4\"", "null", 0, NULL },
	{ "\"finalized_at_unix_ms\":2000", "\"finalized_at_unix_ms\":null", 0,
	  NULL },
	{ "[\"w1\",\"w2\"]", "null", SHAPE, "metadata.lifecycle_warnings: " },
	{ "{\"count\":9,\"sample\":[{\"request_id\":\"u1\",\"route\":\"/u\"}]}",
	  "null", SHAPE, "metadata.unfinished_requests: " },
	{ "\"completed\":true", "\"completed\":null", SHAPE,
	  "queues[0].completed: " },
	{ "\"limits_hit\":true", "\"limits_hit\":null", SHAPE,
	  "truncation.limits_hit: " },
	{ "\"started_at_run_us\":100", "\"started_at_run_us\":null", 0, NULL },
	{ "\"depth_at_start\":3", "\"depth_at_start\":null", 0, NULL },
	{ "\"worker_count\":4", "\"worker_count\":null", 0, NULL },
	{ "\"investigation\",\"resolved_mode\"", "null,\"resolved_mode\"", 0,
	  NULL },
	{ "\"http\"", "null", 0, NULL },
	{ "\"shutdown\"", "null", 0, NULL },
	/* Missing members. */
	{ "\"schema_version\":2,", "", SHAPE,
	  "document: \"schema_version\" is missing" },
	{ "\"inflight\":", "\"in_flight\":", SHAPE,
	  "document: \"inflight\" is missing" },
	{ ",\"outcome\":\"ok\"", "", SHAPE,
	  "requests[0]: \"outcome\" is missing" },
	{ ",\"route\":\"/u\"", "", SHAPE, "unfinished_requests.sample[0]: " },
	{ "\"max_queues\":3,", "", SHAPE,
	  "metadata.effective_core_config.capture_limits: " },
	{ "\"dropped_queues\":17,", "", SHAPE, "truncation: " },
	{ "\"success\":false,", "", SHAPE, "stages[0]: " },
	{ ",\"completed\":false", "", 0, NULL },
	{ "\"limits_hit\":true,", "", 0, NULL },
	/* Wrong containers. */
	{ "\"requests\":[{", "\"requests\":[3,{", SHAPE,
	  "requests[0]: expected an object" },
	{ "\"requests\":[{", "\"requests\":[[],{", SHAPE, "requests[0]: " },
	{ "\"requests\":[{", "\"requests\":[null,{", SHAPE, "requests[0]: " },
	{ "{\"gauge\":\"g\",\"at_unix_ms\":1100,\"at_run_us\":7,\"count\":8}",
	  "{\"gauge\":\"g\",\"at_unix_ms\":1,\"count\":8},true", SHAPE,
	  "inflight[1]: expected an object" },
	{ "[\"w1\",\"w2\"]", "{}", SHAPE,
	  "lifecycle_warnings: expected an array" },
	/* The schema number counts only once everything is decoded. */
	{ "\"schema_version\":2", "\"schema_version\":1", -TAILBOX_EVERSION,
	  "schema_version" },
	{ "{\"schema_version\":2,\"metadata\":{\"run_id\":\"run-1\",",
	  "{\"schema_version\":1,\"metadata\":{", SHAPE, "metadata: " },
	{ "\"schema_version\":2", "\"schema_version\":\"2\"", SHAPE,
	  "schema_version: " },
	/* `tailbox` is an extension: whatever it is, it is no error. */
	{ "\"outcome\"", "\"tailbox\":3,\"outcome\"", 0, NULL },
	{ "\"outcome\"", "\"tailbox\":[[{}]],\"outcome\"", 0, NULL },
	{ "\"outcome\"", "\"tailbox\":\"\\ud800\",\"outcome\"", 0, NULL },
	{ "\"outcome\"", "\"tailbox\":{},\"tailbox\":{},\"outcome\"", 0,
	  NULL },
};

START_TEST(section_2)
{
	const struct row *r = &rows[_i];
	const int ret = load_changed(r->from, r->to);

	ck_assert_msg(ret == r->ret, "%s: %d at %" PRIu64 ": %s", r->to, ret,
	              error.offset, error.text);
	if (r->path)
		ck_assert_msg(strstr(error.text, r->path) != NULL,
		              "%s: %s", r->to, error.text);
	if (ret < 0 && ret != -TAILBOX_EVERSION)
		ck_assert_uint_ne(error.offset, UINT64_MAX);
}
END_TEST

/* What follows the object, and what precedes it. */
static const struct {
	const char *before, *after;
	int ret;
} around[] = {
	{ "", " \t\r\n ", 0 },      { "", "x", MALFORMED },
	{ "", " \"", MALFORMED },   { "", "{}", MALFORMED },
	{ "", " tru", MALFORMED },  { "", "1", MALFORMED },
	{ "", ",", MALFORMED },     { "", "}", MALFORMED },
	{ "", "\v", MALFORMED },    { "", "\xef\xbb\xbf", MALFORMED },
	{ " \t\r\n", "", 0 },       { "\xef\xbb\xbf", "", MALFORMED },
	{ "\f", "", MALFORMED },    { "[", "]", SHAPE },
	{ "1 ", "", SHAPE },        { "\"x\"", "", SHAPE },
	{ "nul", "", MALFORMED },   { "]", "", MALFORMED },
};

START_TEST(around_the_object)
{
	char text[sizeof(minimal) + 32];

	snprintf(text, sizeof(text), "%s%s%s", around[_i].before, minimal,
	         around[_i].after);
	ck_assert_msg(load_text(text) == around[_i].ret, "%s: %s", text,
	              error.text);
}
END_TEST

START_TEST(documents_that_are_no_object)
{
	static const struct {
		const char *text;
		int ret;
	} all[] = {
		{ "", TRUNCATED },    { "  \n", TRUNCATED },
		{ "nul", TRUNCATED }, { "null", SHAPE },
		{ "12", SHAPE },      { "\"run\"", SHAPE },
		{ "[]", SHAPE },      { "run", MALFORMED },
		{ "{", TRUNCATED },   { "{\"", TRUNCATED },
		{ "-", TRUNCATED },   { "\"ab", TRUNCATED },
		{ "{}", SHAPE },      { "012", MALFORMED },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ck_assert_msg(load_text(all[i].text) == all[i].ret, "%s: %s",
		              all[i].text, error.text);
	ck_assert_int_eq(load("{}\0", 3), SHAPE);

	char text[sizeof(minimal) + 1];

	memcpy(text, minimal, sizeof(minimal));
	ck_assert_int_eq(load(text, sizeof(minimal)), MALFORMED); /* + NUL */
}
END_TEST

START_TEST(the_error_says_where)
{
	ck_assert_int_eq(load_changed("\"latency_us\":1000",
	                              "\"latency_us\":10.0"),
	                 SHAPE);
	ck_assert_str_eq(error.text, "requests[0].latency_us: expected an "
	                             "unsigned integer");
	ck_assert_uint_eq(error.offset,
	                  (uint64_t)(strstr(base, "\"latency_us\":1000") -
	                             base) +
	                          strlen("\"latency_us\":"));
	/* Longer in the input than decoded. */
	ck_assert_int_eq(load_changed("\"pid\":912", "\"pid\":\"\\\\\\\"9\""),
	                 SHAPE);
	ck_assert_uint_eq(error.offset,
	                  (uint64_t)(strstr(base, "\"pid\":912") - base) +
	                          strlen("\"pid\":"));
	ck_assert_int_eq(load_changed("\"pid\":912", "\"pid\":01"), MALFORMED);
	ck_assert_uint_eq(error.offset,
	                  (uint64_t)(strstr(base, "\"pid\":912") - base) +
	                          strlen("\"pid\":0"));
	ck_assert_int_eq(load_text("{\"metadata\":"), TRUNCATED);
	ck_assert_uint_eq(error.offset, strlen("{\"metadata\":"));
}
END_TEST

START_TEST(the_earlier_error_wins)
{
	/* Shape first, syntax later, and the other way round. */
	ck_assert_int_eq(load_changed("\"run-1\"", "3,\"x\":01"), SHAPE);
	ck_assert_int_eq(load_changed("\"run-1\"", "\"r\",\"x\":01,\"host\":3"),
	                 MALFORMED);
	ck_assert_int_eq(load_text("{\"metadata\":3}\v"), SHAPE);
	ck_assert_int_eq(load_text("\v{\"metadata\":3}"), MALFORMED);
}
END_TEST

START_TEST(nul_in_a_known_string_is_kept)
{
	size_t len;

	ck_assert_int_eq(load_changed("\"web-7\"", "\"a\\u0000b\""), 0);
	ck_assert_mem_eq(tailbox__run_text(run, run->meta.host, &len), "a\0b",
	                 4);
	ck_assert_uint_eq(len, 3);
	ck_assert_int_eq(load_changed("\"host\"", "\"host\\u0000\""), 0);
	ck_assert_uint_eq(run->meta.host, 0);
}
END_TEST

START_TEST(escapes_are_decoded)
{
	ck_assert_int_eq(
	        load_changed("\"web-7\"",
	                     "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83D\\uDe00"
	                     "\xf0\x9f\x98\x80\x7f\""),
	        0);
	expect_text(run->meta.host, "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80"
	                            "\xf0\x9f\x98\x80\x7f");
}
END_TEST

START_TEST(absent_is_not_zero)
{
	ck_assert_int_eq(load_changed("\"at_run_us\":9,", ""), 0);
	ck_assert_uint_eq(run->snapshots.items[0].flags,
	                  TAILBOX__HAS_WORKERS);
	ck_assert_int_eq(load_changed("\"alive_tasks\":10,", ""), 0);
	ck_assert_uint_eq(run->snapshots.items[0].alive_tasks, TAILBOX__NONE);
	ck_assert_int_eq(load_changed("\"worker_count\":4",
	                              "\"worker_count\":0"),
	                 0);
	ck_assert(run->snapshots.items[0].flags & TAILBOX__HAS_WORKERS);
	ck_assert_int_eq(load_changed(",\"depth_at_start\":3", ""), 0);
	ck_assert_uint_eq(run->queues.items[0].depth, TAILBOX__NONE);
}
END_TEST

/* A run has no room for both null and 2^64-1 there. */
START_TEST(the_greatest_depth_is_not_taken_for_null)
{
	ck_assert_int_eq(load_changed("\"depth_at_start\":3",
	                              "\"depth_at_start\":"
	                              "18446744073709551615"),
	                 0);
	ck_assert_uint_eq(run->queues.items[0].depth, UINT64_MAX - 1);
	ck_assert_int_eq(load_changed("\"finished_at_run_us\":1100",
	                              "\"finished_at_run_us\":"
	                              "18446744073709551615"),
	                 0);
	ck_assert_uint_eq(run->requests.items[0].end_us, UINT64_MAX);
}
END_TEST

/* Unknown values of 100000 levels, and beyond one piece. */
START_TEST(deep_nesting_in_unknown_members_is_passed_over)
{
	const size_t deep = 100000;
	const size_t size = sizeof(minimal) + 8 * deep;
	char *text = malloc(size);
	size_t n = (size_t)snprintf(text, size, "{\"x\":");

	memset(text + n, '[', deep);
	memset(text + n + deep, ']', deep);
	n += 2 * deep;
	n += (size_t)snprintf(text + n, size - n, ",\"y\":");
	for (size_t i = 0; i < deep; i++)
		n += (size_t)snprintf(text + n, size - n, "{\"\":");
	text[n++] = '0';
	memset(text + n, '}', deep);
	n += deep;
	n += (size_t)snprintf(text + n, size - n, ",%s", minimal + 1);
	ck_assert_int_eq(load_in_steps(text, n, SIZE_MAX), 0);
	ck_assert_int_eq(load_in_steps(text, n, 4097), 0);
	ck_assert_int_eq(load_in_steps(text, n - 1, SIZE_MAX), TRUNCATED);
	free(text);
}
END_TEST

START_TEST(a_string_longer_than_a_piece_arrives)
{
	const size_t len = 600000;
	char *text = malloc(sizeof(minimal) + 2 * len + 32);
	const char *place = strstr(minimal, "\"r\"");
	size_t n = (size_t)snprintf(text, 32, "{\"x\":\"");

	memset(text + n, 'y', len);
	n += len;
	n += (size_t)snprintf(text + n, sizeof(minimal), "\",%.*s\"",
	                     (int)(place - minimal - 1), minimal + 1);
	memset(text + n, 'z', len);
	n += len;
	n += (size_t)snprintf(text + n, sizeof(minimal), "%s", place + 1);
	ck_assert_int_eq(load_in_steps(text, n, SIZE_MAX), 0);

	size_t got;

	tailbox__run_text(run, run->meta.run_id, &got);
	ck_assert_uint_eq(got, len + 1);
	free(text);
}
END_TEST

START_TEST(a_document_cut_at_each_byte_is_truncated)
{
	for (size_t n = 0; n < sizeof(base) - 1; n++) {
		ck_assert_int_eq(load_in_steps(base, n, SIZE_MAX), TRUNCATED);
		ck_assert_uint_eq(error.offset, n);
	}
}
END_TEST

START_TEST(a_document_with_any_byte_changed_does_no_harm)
{
	char text[sizeof(base)];

	for (size_t i = 0; i < sizeof(base) - 1; i++)
		for (unsigned k = 0; k < 8; k++) {
			memcpy(text, base, sizeof(base));
			text[i] = "\"\\{}[,\0\xff"[k];
			load_in_steps(text, sizeof(base) - 1, SIZE_MAX);
		}
}
END_TEST

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
	/* Parts that need memory inside yajl: deep, and in two pieces. */
	static const char extra[] =
	        "\"x\":[[[[{\"\\u0041\":\"\\n\"}]]]],\"tailbox\":{"
	        "\"status\":200,\"tags\":{\"k\":\"v\"}},\"outcome\"";
	char *text = changed("\"outcome\"", extra);
	long n = 0;
	int ret;

	do {
		struct input in = { text, strlen(text), 0, 100 };

		error = (struct tailbox__error)TAILBOX__ERROR_INIT;
		tailbox__alloc_fail_after(n++);
		ret = tailbox__load_json(read_input, &in, &run, &error);
		tailbox__alloc_fail_after(-1);
		if (ret != 0) {
			ck_assert_int_eq(ret, -ENOMEM);
			ck_assert_int_eq(error.code, -ENOMEM);
			ck_assert_ptr_null(run);
			ck_assert_int_eq(tailbox__alloc_live(), 0);
		}
	} while (ret != 0);
	ck_assert_int_gt(n, 20);
	free(text);
}
END_TEST

static long failing_read(void *cls, char *buf, size_t room)
{
	(void)cls;
	(void)buf;
	(void)room;
	return -EIO;
}

START_TEST(an_error_of_the_reader_is_passed_on)
{
	ck_assert_int_eq(tailbox__load_json(failing_read, NULL, &run, &error),
	                 -EIO);
	ck_assert_ptr_null(run);
	ck_assert_int_eq(tailbox__load_json(failing_read, NULL, &run, NULL),
	                 -EIO);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("load_json");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, metadata_arrives);
	tcase_add_test(t, events_arrive);
	tcase_add_test(t, the_smallest_document_gets_the_defaults);
	tcase_add_loop_test(t, section_2, 0,
	                    sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(t, around_the_object, 0,
	                    sizeof(around) / sizeof(around[0]));
	tcase_add_test(t, documents_that_are_no_object);
	tcase_add_test(t, the_error_says_where);
	tcase_add_test(t, the_earlier_error_wins);
	tcase_add_test(t, nul_in_a_known_string_is_kept);
	tcase_add_test(t, escapes_are_decoded);
	tcase_add_test(t, absent_is_not_zero);
	tcase_add_test(t, the_greatest_depth_is_not_taken_for_null);
	tcase_add_test(t, deep_nesting_in_unknown_members_is_passed_over);
	tcase_add_test(t, a_string_longer_than_a_piece_arrives);
	tcase_add_test(t, a_document_cut_at_each_byte_is_truncated);
	tcase_add_test(t, a_document_with_any_byte_changed_does_no_harm);
	tcase_add_test(t,
	               every_failing_allocation_is_reported_and_leaks_nothing);
	tcase_add_test(t, an_error_of_the_reader_is_passed_on);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
