/* tests/test_mhd_route.c - labels of request targets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <tailbox/ulfius_route.h>

#include "middleware/hooks.h"
#include "middleware/route.h"
#include "tests/recorder_fixture.h"

static void is(const char *target, const char *label)
{
	struct tailbox__route r;

	tailbox__route_make(&r, target);
	ck_assert_msg(r.len == strlen(label) &&
	                      memcmp(r.label, label, r.len) == 0,
	              "%s: \"%.*s\", not \"%s\"", target, (int)r.len, r.label,
	              label);
	/* The hash that was folded on the way is that of the text. */
	ck_assert_uint_eq(r.hash, tailbox__name_hash(r.label, r.len));
}

START_TEST(plain_paths_stay)
{
	is("/", "/");
	is("/hello", "/hello");
	is("/a/b/c/", "/a/b/c/");
	is("//x", "//x");
	is("/api/v1/items", "/api/v1/items");
	is("/deadbeefdead", "/deadbeefdead"); /* hex without a digit: a word */
	is("/index.html", "/index.html");
	is("/a;b=c,d", "/a;b=c,d");
}
END_TEST

START_TEST(the_query_never_shows)
{
	is("/a?password=x", "/a");
	is("/?", "/");
	is("/a/?x=/b/1", "/a/");
	is("?x", "/");
}
END_TEST

START_TEST(ids_are_replaced)
{
	is("/items/42", "/items/{id}");
	is("/items/0/parts/7", "/items/{id}/parts/{id}");
	is("/1", "/{id}");
	is("/1/", "/{id}/");
	is("/x/1234567a", "/x/{id}");   /* 8 hex */
	is("/x/123456a", "/x/123456a"); /* 7 */
	is("/x/123456g8", "/x/123456g8"); /* not hex */
	is("/u/123e4567-e89b-12d3-a456-426614174000/e", "/u/{id}/e");
	is("/k/abcdefghijklmno1", "/k/abcdefghijklmno1"); /* 16 */
	is("/k/abcdefghijklmnop1", "/k/{id}");            /* 17 */
	is("/w/abcdefghijklmnopqrstuvwx", "/w/abcdefghijklmnopqrstuvwx");
	is("/w/abcdefghijklmnopqrstuvwxy", "/w/{id}");
	is("/42?x=1", "/{id}");
}
END_TEST

START_TEST(other_forms_of_target)
{
	is("*", "*");
	is("", "/");
	is("http://host/a/5", "/a/{id}");
	is("HTTPS://user@host:8443/a?b", "/a");
	is("http://host", "/");
	is("http://host?x/y", "/");
	is("host:443", "host:443");
}
END_TEST

START_TEST(odd_bytes_become_marks)
{
	is("/a%20b", "/a?b");
	is("/%2e%2e/x", "/??" "/x"); /* no trigraph */
	is("/100%", "/100?");
	is("/%zz", "/?zz");
	is("/%4", "/?4");
	is("/a\x01\x7f"
	   "b",
	   "/a??b");
	is("/caf\xc3\xa9", "/caf\xc3\xa9");
	is("/\xf0\x9f\x98\x80", "/\xf0\x9f\x98\x80");
	is("/\xc3/x", "/?/x");
	is("/\xc0\xaf", "/??");         /* overlong */
	is("/\xed\xa0\x80", "/???");    /* surrogate */
	is("/\xf5\x80\x80\x80", "/????"); /* above U+10FFFF */
	is("/\xe2\x82", "/??");         /* cut short by the end */
	is("/%31%32", "/??");           /* escaped digits are no id */
}
END_TEST

START_TEST(length_is_bounded_at_a_character)
{
	char target[1024] = "", want[1024] = "";
	struct tailbox__route r;

	for (int i = 0; i < 60; i++) {
		strncat(target, "/a", 3);
		if (i < 55)
			strncat(want, "/a", 3);
	}
	strncat(want, "/", 2); /* 55 * 2 + 1 = 111 */
	ck_assert_uint_eq(strlen(want), TAILBOX_NAME_MAX);
	is(target, want);
	/* One byte short of the limit, at it, and beyond. */
	for (size_t n = TAILBOX_NAME_MAX - 4; n < TAILBOX_NAME_MAX + 4; n++) {
		memset(target, 0, sizeof(target));
		for (size_t i = 0; i < n; i++)
			target[i] = i % 2 ? 'a' : '/';
		tailbox__route_make(&r, target);
		ck_assert_uint_eq(r.len, n < TAILBOX_NAME_MAX
		                                 ? n
		                                 : TAILBOX_NAME_MAX);
		/* A character of two bytes that would be the last. */
		target[n - 1] = '\xc3';
		target[n] = '\xa9';
		tailbox__route_make(&r, target);
		ck_assert_uint_eq(r.len, n + 1 <= TAILBOX_NAME_MAX
		                                 ? n + 1
		                                 : n - 1 < TAILBOX_NAME_MAX
		                                         ? n - 1
		                                         : TAILBOX_NAME_MAX);
		ck_assert_uint_eq(r.hash, tailbox__name_hash(r.label, r.len));
	}
	memset(target, 'x', sizeof(target) - 1);
	target[0] = '/';
	target[sizeof(target) - 1] = '\0';
	is(target, "/{id}");
}
END_TEST

START_TEST(every_byte_gives_a_clean_label)
{
	uint32_t seed = 1;

	for (int round = 0; round < 20000; round++) {
		struct tailbox__route r;
		char target[160];
		size_t n = 0;
		target[n++] = '/';
		while (n < sizeof(target) - 1) {
			seed = seed * 1103515245u + 12345u;
			target[n++] = (char)(seed >> 16);
			if ((seed >> 24) % 4 == 0)
				target[n - 1] = "/%a7"[(seed >> 28) % 4];
		}
		target[n] = '\0';
		tailbox__route_make(&r, target);
		ck_assert_uint_ge(r.len, 1);
		ck_assert_uint_le(r.len, TAILBOX_NAME_MAX);
		ck_assert_uint_eq(r.hash, tailbox__name_hash(r.label, r.len));
		/* What core would make of it is what it is already. */
		uint16_t name = tailbox__name(r.label, r.len);
		if (name != TAILBOX__NAME_OTHER)
			ck_assert_uint_eq(tailbox__name_find(r.hash, r.label,
			                                     r.len), name);
	}
}
END_TEST

static void open_small(void)
{
	fixture_open(TAILBOX__TAPE_MIN);
}

static const char good[] =
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

START_TEST(traceparent_is_parsed)
{
	struct tailbox__traceparent p;

	ck_assert(tailbox__trace_parse(good, strlen(good), &p));
	ck_assert_uint_eq(p.hi, 0x4bf92f3577b34da6ull);
	ck_assert_uint_eq(p.lo, 0xa3ce929d0e0e4736ull);
	ck_assert_uint_eq(p.parent, 0x00f067aa0ba902b7ull);
	ck_assert_uint_eq(p.flags, 1);
	/* A later version may say more. */
	ck_assert(tailbox__trace_parse("01-4bf92f3577b34da6a3ce929d0e0e4736-"
	                               "00f067aa0ba902b7-01-what",
	                               60, &p));
}
END_TEST

START_TEST(traceparent_is_strict)
{
	struct tailbox__traceparent p;
	char text[64];
	size_t len = strlen(good);

	for (size_t cut = 0; cut < len; cut++)
		ck_assert(!tailbox__trace_parse(good, cut, &p));
	for (size_t i = 0; i < len; i++) {
		static const char wrong[] = "gG-_ ";
		for (size_t k = 0; wrong[k]; k++) {
			memcpy(text, good, len + 1);
			if (text[i] == wrong[k])
				continue;
			text[i] = wrong[k];
			ck_assert(!tailbox__trace_parse(text, len, &p));
		}
	}
	memcpy(text, good, len + 1);
	text[len] = '-'; /* version 00 ends there */
	ck_assert(!tailbox__trace_parse(text, len + 1, &p));
	memcpy(text, "ff", 2);
	ck_assert(!tailbox__trace_parse(text, len, &p));
	memcpy(text, good, len);
	memset(text + 3, '0', 32);
	ck_assert(!tailbox__trace_parse(text, len, &p));
	memcpy(text, good, len);
	memset(text + 36, '0', 16);
	ck_assert(!tailbox__trace_parse(text, len, &p));
}
END_TEST

static void endpoint_is(const char *method, const char *prefix,
                        const char *format, const char *route)
{
	char have[TAILBOX_ULFIUS_ROUTE_SIZE];

	memset(have, 'x', sizeof(have));
	tailbox_ulfius_route(have, method, prefix, format);
	ck_assert_str_eq(have, route);
}

START_TEST(an_endpoint_of_ulfius_is_a_route)
{
	endpoint_is("GET", "/users", ":id", "GET /users/{id}");
	endpoint_is("GET", "/users/", "/@id/", "GET /users/{id}");
	endpoint_is("PUT", NULL, "a/:b/c/:d", "PUT /a/{b}/c/{d}");
	endpoint_is("POST", "api", NULL, "POST /api");
	endpoint_is("GET", "", "/files/*", "GET /files/*");
	endpoint_is("*", "/a:b", "c@d", "/a:b/c@d");
	endpoint_is("*", NULL, NULL, "/");
	endpoint_is(NULL, "", "", "/");
	endpoint_is("GET", "//", "/", "GET /");
	endpoint_is("", "/:", "@", "/{}/{}");
}
END_TEST

START_TEST(an_endpoint_of_ulfius_is_cut)
{
	char format[TAILBOX_NAME_MAX + 2], route[2 * TAILBOX_NAME_MAX];

	for (size_t n = TAILBOX_NAME_MAX - 3; n < sizeof(format); n++) {
		memset(format, 'a', n);
		format[n] = '\0';
		snprintf(route, sizeof(route), "/%s", format);
		route[TAILBOX_NAME_MAX] = '\0';
		endpoint_is("*", NULL, format, route);
		snprintf(route, sizeof(route), "%s /", format);
		route[TAILBOX_NAME_MAX] = '\0';
		endpoint_is(format, NULL, NULL, route);
		format[0] = ':';
		snprintf(route, sizeof(route), "/{%s}", format + 1);
		route[TAILBOX_NAME_MAX] = '\0';
		endpoint_is(NULL, format, NULL, route);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mhd_route");
	TCase *t = tcase_create("label");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, open_small, fixture_close);
	tcase_add_test(t, plain_paths_stay);
	tcase_add_test(t, the_query_never_shows);
	tcase_add_test(t, ids_are_replaced);
	tcase_add_test(t, other_forms_of_target);
	tcase_add_test(t, odd_bytes_become_marks);
	tcase_add_test(t, length_is_bounded_at_a_character);
	tcase_add_test(t, every_byte_gives_a_clean_label);
	tcase_add_test(t, an_endpoint_of_ulfius_is_a_route);
	tcase_add_test(t, an_endpoint_of_ulfius_is_cut);
	tcase_add_test(t, traceparent_is_parsed);
	tcase_add_test(t, traceparent_is_strict);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
