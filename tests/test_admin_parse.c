/* tests/test_admin_parse.c - what the admin server reads out of a request:
 * headers, numbers and ranges.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/admin.h"
#include "controller/admin_internal.h"

START_TEST(accept_encoding_is_weighed)
{
	static const struct {
		const char *header;
		bool is_gzip;
	} rows[] = {
		{ NULL, false },
		{ "", false },
		{ "gzip", true },
		{ "GZIP", true },
		{ "x-gzip", true },
		{ "deflate, gzip, br", true },
		{ "deflate,br", false },
		{ "gzip;q=0", false },
		{ "gzip; q=0.0", false },
		{ "gzip ; q = 0.001", true },
		{ "gzip;q=0.5, identity", false },
		{ "gzip;q=0.5, identity;q=0.4", true },
		{ "identity;q=1, gzip;q=1", true },
		{ "*", true },
		{ "*;q=0", false },
		{ "gzip;q=0, *", false },
		{ "gzip;q=x", false },
		{ "gzipped", false },
		{ ",,;;q=1,", false },
		{ "gzip;foo=1;q=0", false },
	};
	ck_assert_msg(tailbox__admin_wants_gzip(rows[_i].header) ==
	                      rows[_i].is_gzip,
	              "%s", rows[_i].header);
}
END_TEST

START_TEST(if_none_match_is_a_list)
{
	static const struct {
		const char *header;
		bool has;
	} rows[] = {
		{ NULL, false },
		{ "", false },
		{ "\"a\"", true },
		{ "W/\"a\"", true },
		{ "*", true },
		{ "\"b\", \"a\"", true },
		{ "\"b\",W/\"a\"", true },
		{ "\"b,\"a\"", false },
		{ "\"x, \"a\"\"", false },
		{ "a", false },
		{ "\"ab\"", false },
		{ "\"", false },
		{ "b, \"a\"", true },
	};
	ck_assert_msg(tailbox__admin_has_tag(rows[_i].header, "\"a\"") ==
	                      rows[_i].has,
	              "%s", rows[_i].header);
}
END_TEST

START_TEST(numbers_have_limits)
{
	uint64_t v = 0;

	ck_assert(tailbox__admin_count("0", 0, 5, &v) && v == 0);
	ck_assert(tailbox__admin_count("5", 0, 5, &v) && v == 5);
	ck_assert(!tailbox__admin_count("6", 0, 5, &v));
	ck_assert(!tailbox__admin_count("1", 2, 5, &v));
	ck_assert(!tailbox__admin_count("", 0, 5, &v));
	ck_assert(!tailbox__admin_count("-1", 0, 5, &v));
	ck_assert(!tailbox__admin_count("+1", 0, 5, &v));
	ck_assert(!tailbox__admin_count("1 ", 0, 5, &v));
	ck_assert(!tailbox__admin_count("0x1", 0, 5, &v));
	ck_assert(!tailbox__admin_count("99999999999999999999", 0, UINT64_MAX,
	                                &v));
	ck_assert(tailbox__admin_duration("500ms", 1, 1000, &v) && v == 500);
	ck_assert(tailbox__admin_duration("1s", 1, 1000, &v) && v == 1000);
	ck_assert(tailbox__admin_duration("2m", 1, 120000, &v) && v == 120000);
	ck_assert(tailbox__admin_duration("1h", 1, 3600000, &v));
	ck_assert(!tailbox__admin_duration("1001ms", 1, 1000, &v));
	ck_assert(!tailbox__admin_duration("2s", 1, 1000, &v));
	ck_assert(!tailbox__admin_duration("0s", 1, 1000, &v));
	ck_assert(!tailbox__admin_duration("9223372036854775807h", 1,
	                                   UINT64_MAX, &v));
	ck_assert(!tailbox__admin_duration("1", 1, 1000, &v));
	ck_assert(!tailbox__admin_duration("s", 1, 1000, &v));
	ck_assert(!tailbox__admin_duration("1.5s", 1, 5000, &v));
	ck_assert(!tailbox__admin_duration("1sec", 1, 5000, &v));
}
END_TEST

START_TEST(ranges_are_cut_to_the_file)
{
	static const struct {
		const char *header;
		int rc;
		uint64_t first, count;
	} rows[] = {
		{ NULL, 0, 0, 0 },
		{ "bytes=0-9", 1, 0, 10 },
		{ "Bytes=5-5", 1, 5, 1 },
		{ "bytes=9-", 1, 9, 91 },
		{ "bytes=99-", 1, 99, 1 },
		{ "bytes=100-", -1, 0, 0 },
		{ "bytes=0-900000000000000000", 1, 0, 100 },
		{ "bytes=0-99999999999999999999", 0, 0, 0 },
		{ "bytes=-1", 1, 99, 1 },
		{ "bytes=-1000", 1, 0, 100 },
		{ "bytes=-0", -1, 0, 0 },
		{ "bytes=-", 0, 0, 0 },
		{ "bytes=2-1", 0, 0, 0 },
		{ "bytes=0-1,3-4", 0, 0, 0 },
		{ "lines=0-1", 0, 0, 0 },
		{ "bytes=a-b", 0, 0, 0 },
	};
	uint64_t first = 0, count = 0;

	ck_assert_int_eq(tailbox__admin_range(rows[_i].header, 100, &first,
	                                      &count), rows[_i].rc);
	if (rows[_i].rc == 1) {
		ck_assert_uint_eq(first, rows[_i].first);
		ck_assert_uint_eq(count, rows[_i].count);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin_parse");
	TCase *t = tcase_create("parse");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, accept_encoding_is_weighed, 0, 20);
	tcase_add_loop_test(t, if_none_match_is_a_list, 0, 13);
	tcase_add_test(t, numbers_have_limits);
	tcase_add_loop_test(t, ranges_are_cut_to_the_file, 0, 16);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
