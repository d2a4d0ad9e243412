/* tests/test_run_json.c - the JSON text writer and Run JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "core/json.h"
#include "core/utf8.h"
#include "tests/sample_runs.h"

static void allow_all(void)
{
	tailbox__alloc_fail_after(-1);
}

/* --- core/json.c --------------------------------------------------------- */

static void assert_text(struct tailbox__json *j, const char *want)
{
	size_t len;
	char *text = tailbox__json_take(j, &len);

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, want);
	ck_assert_uint_eq(len, strlen(want));
	tailbox__free(text);
}

static void put_mixed(struct tailbox__json *j)
{
	tailbox__json_begin_object(j);
	tailbox__json_key(j, "a");
	tailbox__json_begin_array(j);
	tailbox__json_u64(j, 1);
	tailbox__json_begin_object(j);
	tailbox__json_end_object(j);
	tailbox__json_begin_array(j);
	tailbox__json_end_array(j);
	tailbox__json_i64(j, -2);
	tailbox__json_end_array(j);
	tailbox__json_key(j, "b");
	tailbox__json_bool(j, true);
	tailbox__json_key(j, "c");
	tailbox__json_bool(j, false);
	tailbox__json_key(j, "d");
	tailbox__json_null(j);
	tailbox__json_key(j, "e");
	tailbox__json_cstr(j, NULL);
	tailbox__json_key(j, "f");
	tailbox__json_raw(j, "1.25", 4);
	tailbox__json_end_object(j);
}

START_TEST(compact_layout_has_no_white_space)
{
	struct tailbox__json j;

	tailbox__json_init(&j, false);
	put_mixed(&j);
	assert_text(&j, "{\"a\":[1,{},[],-2],\"b\":true,\"c\":false,"
	                "\"d\":null,\"e\":null,\"f\":1.25}");
}
END_TEST

START_TEST(pretty_layout_is_the_reference_layout)
{
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	put_mixed(&j);
	assert_text(&j, "{\n"
	                "  \"a\": [\n"
	                "    1,\n"
	                "    {},\n"
	                "    [],\n"
	                "    -2\n"
	                "  ],\n"
	                "  \"b\": true,\n"
	                "  \"c\": false,\n"
	                "  \"d\": null,\n"
	                "  \"e\": null,\n"
	                "  \"f\": 1.25\n"
	                "}");
}
END_TEST

static const struct {
	uint64_t value;
	const char *text;
} numbers[] = {
	{ 0, "0" }, { 9, "9" }, { 10, "10" }, { 99, "99" }, { 100, "100" },
	{ 101, "101" }, { 12345, "12345" }, { UINT32_MAX, "4294967295" },
	{ UINT64_MAX, "18446744073709551615" },
};

START_TEST(u64_is_written_in_full)
{
	struct tailbox__json j;

	tailbox__json_init(&j, false);
	tailbox__json_u64(&j, numbers[_i].value);
	assert_text(&j, numbers[_i].text);
}
END_TEST

START_TEST(numbers_around_powers_of_ten_equal_printf)
{
	struct tailbox__json j;
	char want[32];

	tailbox__json_init(&j, false);
	for (uint64_t p = 1; p <= UINT64_MAX / 10; p *= 10)
		for (uint64_t v = p - 1; v <= p + 1; v++) {
			tailbox__json_drop(&j);
			tailbox__json_u64(&j, v);
			snprintf(want, sizeof(want), "%" PRIu64, v);
			ck_assert_uint_eq(j.len, strlen(want));
			ck_assert(!memcmp(j.buf, want, j.len));
		}
	tailbox__json_fini(&j);
}
END_TEST

START_TEST(i64_has_both_ends)
{
	struct tailbox__json j;

	tailbox__json_init(&j, false);
	tailbox__json_begin_array(&j);
	tailbox__json_i64(&j, INT64_MIN);
	tailbox__json_i64(&j, INT64_MAX);
	tailbox__json_i64(&j, 0);
	tailbox__json_end_array(&j);
	assert_text(&j, "[-9223372036854775808,9223372036854775807,0]");
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} strings[] = {
	{ "", 0, "\"\"" },
	{ "\"\\/", 3, "\"\\\"\\\\/\"" },
	{ "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
	{ "\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"" },
	{ "12345678\x0b", 9, "\"12345678\\u000b\"" },
	{ "1234567\"12345678", 16, "\"1234567\\\"12345678\"" },
	{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98", 9,
	  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98\"" },
	/* Invalid: alone, cut, overlong, surrogate, above U+10FFFF. */
	{ "\x80", 1, "\"\xef\xbf\xbd\"" },
	{ "a\xc3", 2, "\"a\xef\xbf\xbd\"" },
	{ "\xe2\x82z", 3, "\"\xef\xbf\xbdz\"" },
	{ "\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "\xf4\x90\x80\x80", 4,
	  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "\xff\xfe", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
};

START_TEST(string_is_escaped_and_valid)
{
	struct tailbox__json j;

	tailbox__json_init(&j, false);
	tailbox__json_string(&j, strings[_i].bytes, strings[_i].len);
	assert_text(&j, strings[_i].text);
}
END_TEST

START_TEST(special_byte_is_found_at_every_place)
{
	static const unsigned char special[] = { 0, 0x1f, '"', '\\', 0x80 };
	struct tailbox__json j;
	char text[33];

	tailbox__json_init(&j, false);
	for (size_t len = 1; len < sizeof(text); len++)
		for (size_t at = 0; at < len; at++)
			for (size_t k = 0; k < sizeof(special); k++) {
				memset(text, '~', sizeof(text));
				text[at] = (char)special[k];
				tailbox__json_drop(&j);
				tailbox__json_string(&j, text, len);
				ck_assert_uint_gt(j.len, len + 2);
				/* What stands before it is unchanged. */
				ck_assert(!memcmp(j.buf + 1, text, at));
				if (at + 1 < len)
					ck_assert_int_eq(j.buf[j.len - 2],
					                 '~');
			}
	tailbox__json_fini(&j);
}
END_TEST

/* An oracle that shares nothing with the code: count the code points that
 * encode to each length and decode them back. */
START_TEST(utf8_takes_every_scalar_value_and_nothing_else)
{
	for (uint32_t cp = 0; cp <= 0x110000; cp++) {
		unsigned char b[4];
		size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3
		                                                         : 4;
		static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
		for (size_t i = n - 1, v = cp; n > 1 && i; i--, v >>= 6)
			b[i] = (unsigned char)(0x80 | (v & 0x3f));
		b[0] = (unsigned char)(lead[n] | cp >> 6 * (n - 1));
		uint32_t got;
		size_t used = tailbox__utf8_next((char *)b, n, &got);
		bool is_scalar =
		        cp < 0x110000 && (cp < 0xd800 || cp > 0xdfff);
		/* A million assertions take long; a million ifs do not. */
		if (is_scalar ? got != cp || used != n
		              : got != TAILBOX__UTF8_INVALID)
			ck_abort_msg("U+%04X: got %x", cp, got);
	}
}
END_TEST

START_TEST(utf8_never_reads_past_the_end)
{
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++)
			for (size_t len = 1; len <= 2; len++) {
				/* On the heap, for the sanitizer. */
				char *s = malloc(len);
				uint32_t cp;
				s[0] = (char)a;
				if (len > 1)
					s[1] = (char)b;
				size_t n = tailbox__utf8_next(s, len, &cp);
				if (n < 1 || n > len)
					ck_abort_msg("%x %x", a, b);
				free(s);
			}
}
END_TEST

START_TEST(writer_out_of_memory_is_kept)
{
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	tailbox__alloc_fail_after(0);
	put_mixed(&j);
	tailbox__alloc_fail_after(-1);
	ck_assert(!tailbox__json_ok(&j));
	put_mixed(&j);
	ck_assert_ptr_null(tailbox__json_take(&j, NULL));
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}
END_TEST

START_TEST(deepest_nesting_is_written)
{
	struct tailbox__json j;

	tailbox__json_init(&j, false);
	for (unsigned i = 0; i < TAILBOX__JSON_MAX_DEPTH; i++)
		tailbox__json_begin_array(&j);
	tailbox__json_u64(&j, 1);
	tailbox__json_u64(&j, 2);
	for (unsigned i = 0; i < TAILBOX__JSON_MAX_DEPTH; i++)
		tailbox__json_end_array(&j);
	ck_assert_uint_eq(j.len, 2 * TAILBOX__JSON_MAX_DEPTH + 3);
	tailbox__json_fini(&j);
}
END_TEST

/* --- core/run_json*.c ---------------------------------------------------- */

static void assert_json_is(struct tailbox__run *run, const char *path)
{
	size_t len, want_len;
	char *got = sample_json(run, &len);
	char *want = sample_source(path, &want_len);

	sample_assert_same(got, len, want, want_len);
	free(got);
	free(want);
	tailbox__run_destroy(run);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

START_TEST(example_of_the_spec_is_written_byte_for_byte)
{
	assert_json_is(sample_example(), "tests/data/spec-example.json");
}
END_TEST

START_TEST(every_extension_is_written)
{
	assert_json_is(sample_full(), "tests/data/full-run.json");
}
END_TEST

START_TEST(empty_run_has_all_members)
{
	static const char want[] =
	        "{\n"
	        "  \"schema_version\": 2,\n"
	        "  \"metadata\": {\n"
	        "    \"run_id\": \"\",\n"
	        "    \"service_name\": \"\",\n"
	        "    \"service_version\": null,\n"
	        "    \"started_at_unix_ms\": 0,\n"
	        "    \"finalized_at_unix_ms\": null,\n"
	        "    \"mode\": \"light\",\n"
	        "    \"effective_core_config\": null,\n"
	        "    \"effective_tokio_sampler_config\": null,\n"
	        "    \"host\": null,\n"
	        "    \"pid\": null,\n"
	        "    \"lifecycle_warnings\": [],\n"
	        "    \"unfinished_requests\": {\n"
	        "      \"count\": 0,\n"
	        "      \"sample\": []\n"
	        "    },\n"
	        "    \"run_end_reason\": null\n"
	        "  },\n"
	        "  \"requests\": [],\n"
	        "  \"stages\": [],\n"
	        "  \"queues\": [],\n"
	        "  \"inflight\": [],\n"
	        "  \"runtime_snapshots\": [],\n"
	        "  \"truncation\": {\n"
	        "    \"limits_hit\": false,\n"
	        "    \"dropped_requests\": 0,\n"
	        "    \"dropped_stages\": 0,\n"
	        "    \"dropped_queues\": 0,\n"
	        "    \"dropped_inflight_snapshots\": 0,\n"
	        "    \"dropped_runtime_snapshots\": 0\n"
	        "  }\n"
	        "}";
	struct tailbox__run *run = sample_empty();
	size_t len;
	char *got = sample_json(run, &len);

	sample_assert_same(got, len, want, strlen(want));
	free(got);
	tailbox__run_destroy(run);
}
END_TEST

static const size_t rooms[] = { 1, 2, 7, 100, 4096, 1 << 20 };

START_TEST(pieces_of_any_size_make_the_same_text)
{
	struct tailbox__run *run = sample_full();
	size_t len, at = 0;
	char *want = sample_json(run, &len);
	char *buf = malloc(rooms[_i]);
	struct tailbox__run_json *j;
	long n;

	ck_assert_int_eq(tailbox__run_json_open(run, &j), 0);
	while ((n = tailbox__run_json_read(j, buf, rooms[_i])) > 0) {
		ck_assert_uint_le((size_t)n, rooms[_i]);
		ck_assert_uint_le(at + (size_t)n, len);
		ck_assert(!memcmp(want + at, buf, (size_t)n));
		at += (size_t)n;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(at, len);
	ck_assert_int_eq(tailbox__run_json_read(j, buf, 1), 0);
	tailbox__run_json_close(j);
	tailbox__run_json_close(NULL);
	free(buf);
	free(want);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(scratch_does_not_grow_with_the_run)
{
	struct tailbox__run *run = sample_example();
	struct tailbox__run_request first = run->requests.items[0];
	struct tailbox__run_json *j;
	char buf[4096];
	long n;

	for (unsigned i = 0; i < 100000; i++)
		*tailbox__list_add(&run->requests) = first;
	ck_assert_int_eq(tailbox__run_json_open(run, &j), 0);
	/* The cursor's buffer may grow during the first items only. */
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_gt(tailbox__run_json_read(j, buf, sizeof(buf)),
		                 0);
	tailbox__alloc_fail_after(0);
	while ((n = tailbox__run_json_read(j, buf, sizeof(buf))) > 0)
		;
	tailbox__alloc_fail_after(-1);
	ck_assert_int_eq(n, 0);
	tailbox__run_json_close(j);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(write_survives_each_failing_allocation)
{
	struct tailbox__run *run = sample_full();
	long live = tailbox__alloc_live();
	int fd = memfd_create("json", MFD_CLOEXEC), rc = -ENOMEM;
	long n;

	for (n = 0; rc; n++) {
		tailbox__alloc_fail_after(n);
		rc = tailbox__run_json_write(run, fd);
		tailbox__alloc_fail_after(-1);
		ck_assert(rc == 0 || rc == -ENOMEM);
		ck_assert_int_eq(tailbox__alloc_live(), live);
	}
	ck_assert_int_gt(n, 3);
	tailbox__alloc_fail_after(0);
	struct tailbox__run_json *j = (void *)&rc;
	ck_assert_int_eq(tailbox__run_json_open(run, &j), -ENOMEM);
	ck_assert_ptr_null(j);
	tailbox__alloc_fail_after(-1);
	close(fd);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(read_after_out_of_memory_stays_an_error)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__run_json *j;
	char buf[64];

	ck_assert_int_eq(tailbox__run_json_open(run, &j), 0);
	tailbox__alloc_fail_after(0);
	ck_assert_int_eq(tailbox__run_json_read(j, buf, 64), -ENOMEM);
	tailbox__alloc_fail_after(-1);
	ck_assert_int_eq(tailbox__run_json_read(j, buf, 64), -ENOMEM);
	tailbox__run_json_close(j);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(full_disk_is_an_error)
{
	struct tailbox__run *run = sample_example();
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(tailbox__run_json_write(run, fd), -ENOSPC);
	ck_assert_int_eq(tailbox__run_json_write(run, -1), -EBADF);
	close(fd);
	tailbox__run_destroy(run);
}
END_TEST

/* Numbers that point nowhere may be in a run that is still being made. */
START_TEST(wrong_numbers_are_left_out)
{
	struct tailbox__run *run = sample_tiny();
	size_t len;

	run->requests.items[0].ext = 1;
	run->requests.items[0].kind = 1000;
	struct tailbox__run_snapshot *x = tailbox__list_add(&run->snapshots);
	x->at_ms = 1;
	sample_value(run, 0, TAILBOX__METRIC_COUNT, 0, 1);
	sample_value(run, 0, TAILBOX__METRIC_WORKER_ROUTE, 0, 0);
	sample_value(run, 0, TAILBOX__METRIC_WORKER_ROUTE, 0, UINT64_MAX);
	sample_value(run, 9, TAILBOX__METRIC_CONNECTIONS, 0, 1);
	char *text = sample_json(run, &len);
	ck_assert_ptr_null(strstr(text, "phases_us"));
	ck_assert_ptr_null(strstr(text, "workers\""));
	ck_assert_ptr_nonnull(strstr(text, "\"kind\": \"\""));
	free(text);
	tailbox__run_destroy(run);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("run_json");
	TCase *json = tcase_create("json");
	TCase *doc = tcase_create("document");

	tcase_add_checked_fixture(json, NULL, allow_all);
	tcase_add_test(json, compact_layout_has_no_white_space);
	tcase_add_test(json, pretty_layout_is_the_reference_layout);
	tcase_add_loop_test(json, u64_is_written_in_full, 0,
	                    sizeof(numbers) / sizeof(numbers[0]));
	tcase_add_test(json, numbers_around_powers_of_ten_equal_printf);
	tcase_add_test(json, i64_has_both_ends);
	tcase_add_loop_test(json, string_is_escaped_and_valid, 0,
	                    sizeof(strings) / sizeof(strings[0]));
	tcase_add_test(json, special_byte_is_found_at_every_place);
	tcase_add_test(json, utf8_takes_every_scalar_value_and_nothing_else);
	tcase_add_test(json, utf8_never_reads_past_the_end);
	tcase_add_test(json, writer_out_of_memory_is_kept);
	tcase_add_test(json, deepest_nesting_is_written);
	suite_add_tcase(suite, json);

	tcase_add_checked_fixture(doc, NULL, allow_all);
	tcase_add_test(doc, example_of_the_spec_is_written_byte_for_byte);
	tcase_add_test(doc, every_extension_is_written);
	tcase_add_test(doc, empty_run_has_all_members);
	tcase_add_loop_test(doc, pieces_of_any_size_make_the_same_text, 0,
	                    sizeof(rooms) / sizeof(rooms[0]));
	tcase_add_test(doc, scratch_does_not_grow_with_the_run);
	tcase_add_test(doc, write_survives_each_failing_allocation);
	tcase_add_test(doc, read_after_out_of_memory_stays_an_error);
	tcase_add_test(doc, full_disk_is_an_error);
	tcase_add_test(doc, wrong_numbers_are_left_out);
	suite_add_tcase(suite, doc);
	return suite;
}

int main(void)
{
	return sample_run_suite(make_suite());
}
