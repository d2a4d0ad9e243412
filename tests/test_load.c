/* tests/test_load.c - the loader: kinds of files, packing, extensions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "analyzer/load.h"
#include "core/alloc.h"
#include "core/metrics.h"
#include "core/tailbox.h"
#include "tests/sample_runs.h"

static struct tailbox__run *run;
static struct tailbox__error error;

static void teardown(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__run_destroy(run);
	run = NULL;
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

static int load_file(const char *bytes, size_t len)
{
	const int fd = sample_file(bytes, len);

	tailbox__run_destroy(run);
	error = (struct tailbox__error)TAILBOX__ERROR_INIT;

	const int ret = tailbox__load_fd(fd, &run, &error);

	close(fd);
	ck_assert_int_eq(ret == 0, run != NULL);
	ck_assert_int_eq(ret, error.code);
	return ret;
}

/* In gzip's format, for free(). */
static char *packed(const char *bytes, size_t len, size_t *out_len)
{
	z_stream z = { 0 };

	SAMPLE_MUST(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8,
	                         Z_DEFAULT_STRATEGY) == Z_OK);

	const size_t room = deflateBound(&z, len);
	char *out = malloc(room);

	SAMPLE_MUST(out);
	z.next_in = (unsigned char *)(uintptr_t)bytes;
	z.avail_in = (unsigned)len;
	z.next_out = (unsigned char *)out;
	z.avail_out = (unsigned)room;
	SAMPLE_MUST(deflate(&z, Z_FINISH) == Z_STREAM_END);
	*out_len = z.total_out;
	deflateEnd(&z);
	return out;
}

/* The run in `run` writes the same document as the one given. */
static void expect_json(const char *want, size_t want_len)
{
	size_t len;
	char *got = sample_json(run, &len);

	sample_assert_same(got, len, want, want_len);
	free(got);
}

START_TEST(what_is_written_is_read_back)
{
	struct tailbox__run *(*const samples[])(void) = {
		sample_tiny, sample_example, sample_full
	};
	struct tailbox__run *sample = samples[_i]();
	size_t json_len, native_len;
	char *json = sample_json(sample, &json_len);
	char *native = sample_native(sample, &native_len);

	tailbox__run_destroy(sample);
	ck_assert_msg(load_file(json, json_len) == 0, "%s", error.text);
	expect_json(json, json_len);
	ck_assert_msg(load_file(native, native_len) == 0, "%s", error.text);
	expect_json(json, json_len);

	char *gz = packed(json, json_len, &json_len);
	char *gz_native = packed(native, native_len, &native_len);

	free(json);
	json = sample_json(run, &native_len);
	ck_assert_msg(load_file(gz, json_len) == 0, "%s", error.text);
	expect_json(json, native_len);
	free(gz_native);
	free(gz);
	free(native);
	free(json);
}
END_TEST

START_TEST(values_come_back_in_the_order_of_a_run)
{
	struct tailbox__run *sample = sample_full();
	size_t len, k = 0;
	char *json = sample_json(sample, &len);

	ck_assert_int_eq(load_file(json, len), 0);
	free(json);
	for (size_t i = 0; i < sample->values.count; i++) {
		const struct tailbox__run_value *v = &sample->values.items[i];

		/* A state that is no letter is not written. */
		if (v->metric == TAILBOX__METRIC_WORKER_STATE &&
		    v->value < ' ')
			continue;
		ck_assert_uint_lt(k, run->values.count);

		const struct tailbox__run_value *w = &run->values.items[k++];

		ck_assert_uint_eq(w->snapshot, v->snapshot);
		ck_assert_uint_eq(w->metric, v->metric);
		if (tailbox__metric_info[v->metric].scope !=
		    TAILBOX__SCOPE_POOL)
			ck_assert_uint_eq(w->subject, v->subject);
		if (!tailbox__metric_is_name(v->metric))
			ck_assert_uint_eq(w->value, v->value);
	}
	ck_assert_uint_eq(k, run->values.count);
	tailbox__run_destroy(sample);
}
END_TEST

struct writer {
	const char *bytes;
	size_t len;
	int fd;
};

static void *write_slowly(void *cls)
{
	struct writer *w = cls;

	for (size_t i = 0; i < w->len; i++)
		if (write(w->fd, w->bytes + i, 1) != 1)
			break;
	close(w->fd);
	return NULL;
}

static void load_through_pipe(const char *bytes, size_t len)
{
	int ends[2];
	pthread_t thread;

	SAMPLE_MUST(pipe(ends) == 0);

	struct writer w = { bytes, len, ends[1] };

	SAMPLE_MUST(pthread_create(&thread, NULL, write_slowly, &w) == 0);
	tailbox__run_destroy(run);
	error = (struct tailbox__error)TAILBOX__ERROR_INIT;
	ck_assert_msg(tailbox__load_fd(ends[0], &run, &error) == 0, "%s",
	              error.text);
	pthread_join(thread, NULL);
	close(ends[0]);
}

START_TEST(a_pipe_may_hold_either_kind_packed_or_not)
{
	struct tailbox__run *sample = sample_full();
	size_t len[4];
	char *bytes[4] = { sample_json(sample, &len[0]),
		           sample_native(sample, &len[1]) };

	tailbox__run_destroy(sample);
	bytes[2] = packed(bytes[0], len[0], &len[2]);
	bytes[3] = packed(bytes[1], len[1], &len[3]);
	for (int i = 0; i < 4; i++) {
		load_through_pipe(bytes[i], len[i]);
		expect_json(bytes[0], len[0]);
	}
	for (int i = 0; i < 4; i++)
		free(bytes[i]);
}
END_TEST

START_TEST(a_native_artifact_is_read_from_the_present_position)
{
	struct tailbox__run *sample = sample_tiny();
	size_t len;
	char *native = sample_native(sample, &len);
	char *text = malloc(len + 3);

	tailbox__run_destroy(sample);
	memcpy(text, "abc", 3);
	memcpy(text + 3, native, len);

	const int fd = sample_file(text, len + 3);

	SAMPLE_MUST(lseek(fd, 3, SEEK_SET) == 3);
	ck_assert_int_eq(tailbox__load_fd(fd, &run, NULL), 0);
	close(fd);
	free(text);
	free(native);
}
END_TEST

START_TEST(packed_in_several_members_with_zeroes_behind)
{
	struct tailbox__run *sample = sample_example();
	size_t len, first_len, second_len;
	char *json = sample_json(sample, &len);
	char *first = packed(json, len / 2, &first_len);
	char *second = packed(json + len / 2, len - len / 2, &second_len);
	char *all = calloc(1, first_len + second_len + 1000);

	tailbox__run_destroy(sample);
	memcpy(all, first, first_len);
	memcpy(all + first_len, second, second_len);
	ck_assert_int_eq(load_file(all, first_len + second_len), 0);
	expect_json(json, len);
	ck_assert_int_eq(load_file(all, first_len + second_len + 1000), 0);
	all[first_len + second_len + 100] = 'x';
	ck_assert_int_eq(load_file(all, first_len + second_len + 1000),
	                 -TAILBOX_EDAMAGED);
	/* Half of the document, properly packed. */
	ck_assert_int_eq(load_file(all, first_len), -TAILBOX_ETRUNCATED);
	free(all);
	free(second);
	free(first);
	free(json);
}
END_TEST

START_TEST(a_packed_file_cut_or_damaged_at_each_byte)
{
	struct tailbox__run *sample = sample_tiny();
	size_t json_len, len;
	char *json = sample_json(sample, &json_len);
	char *gz = packed(json, json_len, &len);

	tailbox__run_destroy(sample);
	for (size_t n = 2; n < len; n++)
		ck_assert_int_eq(load_file(gz, n), -TAILBOX_ETRUNCATED);
	for (size_t i = 2; i < len; i++) {
		gz[i] ^= 0x55;
		load_file(gz, len);
		gz[i] ^= 0x55;
	}
	gz[len - 5] ^= 1; /* of the CRC */
	ck_assert_int_eq(load_file(gz, len), -TAILBOX_EDAMAGED);
	free(gz);
	free(json);
}
END_TEST

START_TEST(a_native_artifact_cut_at_each_byte)
{
	struct tailbox__run *sample = sample_tiny();
	size_t len;
	char *native = sample_native(sample, &len);

	tailbox__run_destroy(sample);
	ck_assert_int_eq(load_file(native, 0), -TAILBOX_ETRUNCATED);
	for (size_t n = 1; n < len; n++)
		ck_assert_msg(load_file(native, n) == -TAILBOX_ETRUNCATED,
		              "%zu: %s", n, error.text);
	free(native);
}
END_TEST

START_TEST(files_that_are_neither)
{
	ck_assert_int_eq(load_file("", 0), -TAILBOX_ETRUNCATED);
	ck_assert_int_eq(load_file("TBXRUM\r\n", 8), -TAILBOX_EMALFORMED);
	ck_assert_int_eq(load_file("\x1f", 1), -TAILBOX_EMALFORMED);
	ck_assert_int_eq(load_file("\x1f\x8b", 2), -TAILBOX_ETRUNCATED);
	ck_assert_int_eq(load_file("\x1f\x8bxyz", 5), -TAILBOX_EDAMAGED);
	ck_assert_int_eq(load_file("PK\x03\x04", 4), -TAILBOX_EMALFORMED);
}
END_TEST

START_TEST(paths)
{
	char path[] = "/tmp/tailbox-load-XXXXXX";
	const int fd = mkstemp(path);
	struct tailbox__run *sample = sample_tiny();

	SAMPLE_MUST(fd >= 0 && tailbox__run_json_write(sample, fd) == 0);
	close(fd);
	tailbox__run_destroy(sample);
	ck_assert_int_eq(tailbox__load_path(path, &run, &error), 0);
	tailbox__run_destroy(run);
	unlink(path);
	error = (struct tailbox__error)TAILBOX__ERROR_INIT;
	ck_assert_int_eq(tailbox__load_path(path, &run, &error), -ENOENT);
	ck_assert_ptr_null(run);
	ck_assert_str_eq(error.text,
	                 "cannot open: No such file or directory");
	ck_assert_int_eq(tailbox__load_path("/", &run, NULL), -EISDIR);
	ck_assert_int_eq(tailbox__load_fd(-1, &run, NULL), -EBADF);
}
END_TEST

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
	struct tailbox__run *sample = sample_full();
	size_t len, gz_len;
	char *bytes = _i ? sample_native(sample, &len)
	                 : sample_json(sample, &len);
	char *gz = packed(bytes, len, &gz_len);
	const int fd = sample_file(gz, gz_len);
	long n = 0;
	int ret;

	tailbox__run_destroy(sample);
	do {
		tailbox__alloc_fail_after(n++);
		SAMPLE_MUST(lseek(fd, 0, SEEK_SET) == 0);
		ret = tailbox__load_fd(fd, &run, NULL);
		tailbox__alloc_fail_after(-1);
		if (ret != 0) {
			ck_assert_int_eq(ret, -ENOMEM);
			ck_assert_ptr_null(run);
			ck_assert_int_eq(tailbox__alloc_live(), 0);
		}
	} while (ret != 0);
	ck_assert_int_gt(n, 10);
	close(fd);
	free(gz);
	free(bytes);
}
END_TEST

/* A document around extensions of the top level, metadata, one request, one
 * stage and one snapshot. */
static void load_ext(const char *top, const char *metadata,
                     const char *request, const char *stage,
                     const char *snapshot)
{
	char text[8192];
	const int n = snprintf(
	        text, sizeof(text),
	        "{\"schema_version\":2,\"metadata\":{\"tailbox\":%s,"
	        "\"run_id\":\"r\",\"service_name\":\"s\","
	        "\"started_at_unix_ms\":1,\"mode\":\"light\"},"
	        "\"requests\":[{\"request_id\":\"a\",\"route\":\"/\","
	        "\"started_at_unix_ms\":1,\"finished_at_unix_ms\":1,"
	        "\"latency_us\":1,\"tailbox\":%s,\"outcome\":\"ok\"}],"
	        "\"stages\":[{\"request_id\":\"a\",\"stage\":\"db\","
	        "\"started_at_unix_ms\":1,\"finished_at_unix_ms\":1,"
	        "\"latency_us\":1,\"tailbox\":%s,\"success\":true}],"
	        "\"queues\":[],\"inflight\":[],\"runtime_snapshots\":["
	        "{\"at_unix_ms\":1,\"tailbox\":%s},{\"at_unix_ms\":2}],"
	        "\"tailbox\":%s}",
	        metadata, request, stage, snapshot, top);

	SAMPLE_MUST(n < (int)sizeof(text));
	ck_assert_msg(load_file(text, (size_t)n) == 0, "%s", error.text);
}

/* Odd values for every place: none is an error, none is taken. */
START_TEST(odd_extension_data_is_passed_over)
{
	static const char *const odd[] = {
		"null", "3", "-1.5e99", "\"\\ud800\"", "\"\xff\"", "[]", "{}",
		"[[[]]]", "[{}]", "[{\"x\":[{}]},3,\"x\",null,[1]]",
		"{\"x\":{\"y\":[1]},\"\xff\":\"\\udc00\",\"worker\":[{}]}",
		"{\"status\":65536,\"bytes_in\":-1,\"worker\":4294967296,"
		"\"termination\":\"x\",\"trace_id\":\"12\","
		"\"parent_id\":\"zzzzzzzzzzzzzzzz\",\"trace_flags\":256,"
		"\"no_handler\":1,\"upgraded\":false,\"phases_us\":{"
		"\"handler\":18446744073709551615,\"x\":1,\"send\":null},"
		"\"held_by\":[1],\"tags\":{\"k\":\"\xff\",\"l\":3}}",
		"{\"site\":\"\\ud800\"}",
		"{\"workers\":[{\"cpu_us\":5}],\"pools\":[{\"name\":\"\xff\","
		"\"waiting\":1},{\"name\":3,\"busy\":1}],\"daemons\":{},"
		"\"connections\":\"x\",\"rss_bytes\":1.5}",
		("{\"open_requests\":[{\"route\":\"/\"},3,[],{\"request_id\":5,"
		 "\"worker\":2}, 7]}"),
		("{\"kept_requests\":[{},3,{\"request_id\":\"k\",\"route\":\"/\"},"
		 "{\"request_id\":\"k\",\"route\":\"/\",\"outcome\":\"\xff\","
		 "\"tailbox\":{\"status\":\"x\"}},[[{}]],{\"tailbox\":3},"
		 "{\"tailbox\":[{\"tailbox\":{}}]}],"
		 "\"kept_stages\":{},\"kept_queues\":[{\"queue\":\"q\"},"
		 "{\"tailbox\":{\"tailbox\":{\"site\":\"x\"}}}]}"),
	};
	const char *o = odd[_i];

	load_ext(o, o, o, o, o);
	ck_assert_uint_eq(run->values.count, 0);
	ck_assert_uint_eq(run->open.count, 0);
	ck_assert_uint_eq(run->stages.items[0].site, 0);
	ck_assert_uint_le(run->ext.count, 1);
	if (run->kept) {
		ck_assert_uint_eq(run->kept->requests.count, 0);
		ck_assert_uint_eq(run->kept->stages.count, 0);
		ck_assert_uint_eq(run->kept->queues.count, 0);
	}
	if (run->ext.count == 0)
		return;

	const struct tailbox__run_ext *e = &run->ext.items[0];

	ck_assert_uint_eq(run->requests.items[0].ext, 1);
	ck_assert_uint_eq(e->status, 0);
	ck_assert_uint_eq(e->bytes_in, TAILBOX__NONE);
	ck_assert_uint_eq(e->worker, UINT32_MAX);
	ck_assert_uint_eq(e->termination, TAILBOX__TERM_UNKNOWN);
	ck_assert_uint_eq(e->ext_flags, 0);
	ck_assert_uint_eq(e->holder_number, 0);
	ck_assert_uint_eq(e->tag_key[0], 0);
	ck_assert_uint_eq(e->trace_flags, 0);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(e->parent_id[i], 0);
	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++)
		ck_assert_uint_eq(e->phase_ns[i], TAILBOX__NONE);
}
END_TEST

/* What stands around an odd one is taken; the first `tailbox` counts, and what
 * follows it belongs to the item again. */
START_TEST(kept_requests_are_read_like_others)
{
	load_ext("{\"kept_queues\":[{\"depth_at_start\":4,\"tailbox\":{\"site\":"
	         "\"a.c:1 f\"},\"queue\":\"q\",\"request_id\":\"k\","
	         "\"wait_us\":7}],\"kept_requests\":[null,{\"tailbox\":{"
	         "\"status\":503,\"phases_us\":{\"send\":9},\"tags\":{\"a\":"
	         "\"b\"},\"x\":{\"tailbox\":{}}},\"latency_us\":12,"
	         "\"request_id\":\"k\",\"route\":\"/r\",\"outcome\":\"error\","
	         "\"kind\":null,\"started_at_run_us\":5}],"
	         "\"kept_stages\":[{\"request_id\":\"k\",\"stage\":\"s\","
	         "\"success\":true,\"completed\":false},{\"request_id\":\"k\","
	         "\"stage\":\"t\",\"success\":false}]}",
	         "{}", "{\"status\":200}", "{}", "{}");
	const struct tailbox__run *kept = run->kept;

	ck_assert_ptr_nonnull(kept);
	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(run->ext.count, 1);
	ck_assert_uint_eq(kept->requests.count, 1);
	const struct tailbox__run_request *r = &kept->requests.items[0];
	ck_assert_str_eq(tailbox__run_text(run, r->route, NULL), "/r");
	ck_assert_uint_eq(r->kind, 0);
	ck_assert_uint_eq(r->latency_us, 12);
	ck_assert_uint_eq(r->flags, TAILBOX__HAS_START_US);
	ck_assert_uint_eq(r->start_us, 5);
	ck_assert_uint_eq(r->ext, 1);
	ck_assert_uint_eq(kept->ext.items[0].status, 503);
	ck_assert_uint_eq(kept->ext.items[0].phase_ns[TAILBOX__PHASE_SEND],
	                  9000);
	ck_assert_str_eq(tailbox__run_text(run, kept->ext.items[0].tag_value[0],
	                                   NULL),
	                 "b");
	ck_assert_uint_eq(kept->stages.count, 2);
	ck_assert_uint_eq(kept->stages.items[0].flags, TAILBOX__PARTIAL);
	ck_assert_uint_eq(kept->stages.items[1].flags, TAILBOX__FAILED);
	ck_assert_uint_eq(kept->stages.items[0].depth, TAILBOX__NONE);
	ck_assert_uint_eq(kept->queues.count, 1);
	ck_assert_uint_eq(kept->queues.items[0].depth, 4);
	ck_assert_uint_eq(kept->queues.items[0].dur_us, 7);
	ck_assert_str_eq(tailbox__run_text(run, kept->queues.items[0].site,
	                                   NULL),
	                 "a.c:1 f");
}
END_TEST

START_TEST(values_in_any_order_are_sorted_and_taken_once)
{
	load_ext("{}", "{}", "{}", "{}",
	         "{\"workers\":[{\"cpu_us\":5,\"worker\":9},{\"worker\":1,"
	         "\"cpu_us\":6,\"cpu_us\":6,\"state\":\"R\"}],"
	         "\"daemons\":[{\"daemon\":1,\"accept_queue\":7}],"
	         "\"pools\":[{\"name\":\"p\",\"busy\":8}],\"open_fds\":3,"
	         "\"connections\":2}");

	static const struct {
		unsigned metric, subject, value;
	} want[] = {
		{ TAILBOX__METRIC_CONNECTIONS, 0, 2 },
		{ TAILBOX__METRIC_OPEN_FDS, 0, 3 },
		{ TAILBOX__METRIC_WORKER_CPU_US, 1, 6 },
		{ TAILBOX__METRIC_WORKER_STATE, 1, 'R' },
		{ TAILBOX__METRIC_WORKER_CPU_US, 9, 5 },
		{ TAILBOX__METRIC_POOL_BUSY, 0, 8 },
		{ TAILBOX__METRIC_ACCEPT_QUEUE, 1, 7 },
	};

	ck_assert_uint_eq(run->values.count, 7);
	for (size_t i = 0; i < 7; i++) {
		const struct tailbox__run_value *v = &run->values.items[i];

		ck_assert_uint_eq(v->snapshot, 0);
		ck_assert_uint_eq(v->metric, want[i].metric);
		ck_assert_uint_eq(v->value, want[i].value);
		if (v->metric == TAILBOX__METRIC_POOL_BUSY)
			ck_assert_str_eq(
			        tailbox__run_text(run, v->subject, NULL), "p");
		else
			ck_assert_uint_eq(v->subject, want[i].subject);
	}
}
END_TEST

START_TEST(metadata_keeps_texts_and_integers)
{
	load_ext("{}",
	         "{\"note\":\"x\",\"armed_at_run_us\":5,\"f\":1.5,\"b\":true,"
	         "\"note\":\"y\",\"n\":null,\"o\":{\"p\":1},\"a\":[1]}",
	         "{}", "{}", "{}");
	ck_assert_uint_eq(run->meta.extra.count, 2);
	ck_assert_str_eq(
	        tailbox__run_text(run, tailbox__run_extra(run, "note")->text,
	                          NULL),
	        "y");
	ck_assert_uint_eq(tailbox__run_extra(run, "armed_at_run_us")->number,
	                  5);
}
END_TEST

START_TEST(the_first_four_tags_and_the_known_fields_count)
{
	load_ext("{}", "{}",
	         "{\"tags\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\",\"d\":\"4\","
	         "\"e\":\"5\"},"
	         "\"trace_id\":\"000102030405060708090a0b0c0d0eff\","
	         "\"later\":{\"status\":1},\"status\":503,\"upgraded\":true,"
	         "\"reader_us\":7,"
	         "\"phases_us\":{\"send\":18446744073709550}}",
	         "{\"site\":\"a.c:1 f\"}", "{}");

	const struct tailbox__run_ext *e = &run->ext.items[0];

	ck_assert_str_eq(tailbox__run_text(run, e->tag_value[3], NULL), "4");
	ck_assert_uint_eq(e->trace_id[1], 1);
	ck_assert_uint_eq(e->trace_id[15], 0xff);
	ck_assert_uint_eq(e->status, 503);
	ck_assert_uint_eq(e->reader_ns, 7000);
	ck_assert_uint_eq(e->ext_flags, TAILBOX__EXT_UPGRADED);
	ck_assert_uint_eq(e->phase_ns[TAILBOX__PHASE_SEND],
	                  UINT64_C(18446744073709550000));
	ck_assert_str_eq(
	        tailbox__run_text(run, run->stages.items[0].site, NULL),
	        "a.c:1 f");
}
END_TEST

START_TEST(an_artifact_with_all_its_extensions_cut_at_each_byte)
{
	struct tailbox__run *sample = sample_full();
	size_t len;
	char *json = sample_json(sample, &len);

	tailbox__run_destroy(sample);
	for (size_t n = 0; n < len; n++)
		ck_assert_int_eq(load_file(json, n), -TAILBOX_ETRUNCATED);
	free(json);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("load");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, what_is_written_is_read_back, 0, 3);
	tcase_add_test(t, values_come_back_in_the_order_of_a_run);
	tcase_add_test(t, a_pipe_may_hold_either_kind_packed_or_not);
	tcase_add_test(t,
	               a_native_artifact_is_read_from_the_present_position);
	tcase_add_test(t, packed_in_several_members_with_zeroes_behind);
	tcase_add_test(t, a_packed_file_cut_or_damaged_at_each_byte);
	tcase_add_test(t, a_native_artifact_cut_at_each_byte);
	tcase_add_test(t, files_that_are_neither);
	tcase_add_test(t, paths);
	tcase_add_loop_test(
	        t, every_failing_allocation_is_reported_and_leaks_nothing, 0,
	        2);
	tcase_add_loop_test(t, odd_extension_data_is_passed_over, 0, 16);
	tcase_add_test(t, kept_requests_are_read_like_others);
	tcase_add_test(t, values_in_any_order_are_sorted_and_taken_once);
	tcase_add_test(t, metadata_keeps_texts_and_integers);
	tcase_add_test(t, the_first_four_tags_and_the_known_fields_count);
	tcase_add_test(t,
	               an_artifact_with_all_its_extensions_cut_at_each_byte);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
