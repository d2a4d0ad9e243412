/* tests/test_admin_parse.c - what the admin server reads out of a request:
 * headers, numbers and ranges; and the addresses that it may listen on and be
 * called by.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "controller/admin.h"
#include "controller/admin_internal.h"

/* --- headers and parameters -------------------------------------------- */

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

/* --- addresses --------------------------------------------------------- */

static const struct {
	const char *text;
	int family; /* 0 = refused */
	unsigned port;
	const char *host;
} addresses[] = {
	{ "127.0.0.1:9180", AF_INET, 9180, "127.0.0.1" },
	{ "[::1]:9180", AF_INET6, 9180, "::1" },
	{ "[::]:1", AF_INET6, 1, "::" },
	{ "0.0.0.0:0", AF_INET, 0, "0.0.0.0" },
	{ "localhost:80", AF_INET, 80, "127.0.0.1" },
	/* Nothing said is loopback. */
	{ ":9180", AF_INET, 9180, "127.0.0.1" },
	{ "9180", AF_INET, 9180, "127.0.0.1" },
	{ "127.0.0.1:65535", AF_INET, 65535, "127.0.0.1" },
	{ "127.0.0.1:65536", 0, 0, NULL },
	{ "127.0.0.1", 0, 0, NULL },
	{ "127.0.0.1:", 0, 0, NULL },
	{ "127.0.0.1: 80", 0, 0, NULL },
	{ "127.0.0.1:-1", 0, 0, NULL },
	{ "::1", 0, 0, NULL },
	{ "::1:80", 0, 0, NULL },
	{ "[::1]", 0, 0, NULL },
	{ "[]:1", 0, 0, NULL },
	{ "[:1", 0, 0, NULL },
	{ "example.org:80", 0, 0, NULL },
	{ "*:80", 0, 0, NULL },
	{ "127.1:80", 0, 0, NULL },
	{ "", 0, 0, NULL },
};

START_TEST(listen_takes_an_address_and_a_port)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__tcp_address a;
	char host[INET6_ADDRSTRLEN];
	int rc = tailbox__tcp_address(addresses[_i].text, &a, &err);

	if (addresses[_i].family == 0) {
		ck_assert_int_eq(rc, -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, addresses[_i].text));
		return;
	}
	ck_assert_msg(rc == 0, "%s: %s", addresses[_i].text, err.text);
	ck_assert_int_eq(a.addr.ss_family, addresses[_i].family);
	if (a.addr.ss_family == AF_INET) {
		const struct sockaddr_in *s = (void *)&a.addr;
		ck_assert_uint_eq(ntohs(s->sin_port), addresses[_i].port);
		inet_ntop(AF_INET, &s->sin_addr, host, sizeof(host));
	} else {
		const struct sockaddr_in6 *s = (void *)&a.addr;
		ck_assert_uint_eq(ntohs(s->sin6_port), addresses[_i].port);
		inet_ntop(AF_INET6, &s->sin6_addr, host, sizeof(host));
	}
	ck_assert_str_eq(host, addresses[_i].host);
}
END_TEST

static const struct {
	const char *text;
	bool is_host; /* with local address 10.0.0.7 and port 9180 */
	bool is_allowed; /* by ops.example and gate.example:8443 */
} hosts[] = {
	{ "localhost:9180", true, false },
	{ "LOCALHOST:9180", true, false },
	{ "127.0.0.1:9180", true, false },
	{ "[::1]:9180", true, false },
	{ "[0:0:0:0:0:0:0:1]:9180", true, false },
	{ "10.0.0.7:9180", true, false },
	{ "10.0.0.8:9180", false, false },
	{ "localhost", false, false },
	{ "localhost:80", false, false },
	{ "localhost.:9180", false, false },
	{ "localhost:9180.evil.example", false, false },
	{ "localhost:9180x", false, false },
	{ "localhost:09180", true, false },
	{ "evil.example:9180", false, false },
	{ "127.0.0.1.evil.example:9180", false, false },
	{ "a@127.0.0.1:9180", false, false },
	{ "[::1:9180", false, false },
	{ "[::1]9180", false, false },
	{ "::1", false, false },
	{ ":9180", false, false },
	{ "", false, false },
	{ "ops.example", false, true },
	{ "OPS.example:1234", false, true },
	{ "ops.example.evil", false, false },
	{ "xops.example", false, false },
	{ "gate.example:8443", false, true },
	{ "gate.example:8444", false, false },
	{ "gate.example", false, false },
};

START_TEST(host_is_ours_or_allowed)
{
	static struct tailbox__config_list l;
	const char *text = hosts[_i].text;

	l.count = 2;
	strncpy(l.items[0], "ops.example", sizeof(l.items[0]) - 1);
	strncpy(l.items[1], "gate.example:8443", sizeof(l.items[1]) - 1);
	ck_assert_msg(tailbox__admin_is_host(text, "10.0.0.7", 9180) ==
	                      hosts[_i].is_host, "%s", text);
	ck_assert_msg(tailbox__admin_is_allowed_host(&l, text) ==
	                      hosts[_i].is_allowed, "%s", text);
	/* At port 80 it may be left out. */
	ck_assert(tailbox__admin_is_host("localhost", "", 80));
	ck_assert(!tailbox__admin_is_host("", "", 80));
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
	tcase_add_loop_test(t, listen_takes_an_address_and_a_port, 0,
	                    sizeof(addresses) / sizeof(addresses[0]));
	tcase_add_loop_test(t, host_is_ours_or_allowed, 0,
	                    sizeof(hosts) / sizeof(hosts[0]));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
