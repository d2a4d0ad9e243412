/* tests/test_assert_text.c - assertions as text: their grammar, and how
 * verdicts are printed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "tests/assert_fixture.h"

/* --- the grammar ---------------------------------------------------------- */

START_TEST(values_are_taken_in_every_unit)
{
	static const struct {
		const char *text;
		enum tailbox__metric_asserted metric;
		enum tailbox__assert_op op;
		uint64_t limit;
	} rows[] = {
		{ "p50 < 1us", TAILBOX__ASSERT_P50, TAILBOX__ASSERT_LT, 1 },
		{ "p95<=200ms", TAILBOX__ASSERT_P95, TAILBOX__ASSERT_LE,
		  200000 },
		{ " p99\t> 1.5 s ", TAILBOX__ASSERT_P99, TAILBOX__ASSERT_GT,
		  1500000 },
		{ "max >= 0.001ms", TAILBOX__ASSERT_MAX, TAILBOX__ASSERT_GE,
		  1 },
		{ "mean < 1.000000s", TAILBOX__ASSERT_MEAN, TAILBOX__ASSERT_LT,
		  1000000 },
		{ "count > 0", TAILBOX__ASSERT_COUNT, TAILBOX__ASSERT_GT, 0 },
		{ "count<18446744073709551615", TAILBOX__ASSERT_COUNT,
		  TAILBOX__ASSERT_LT, UINT64_MAX },
		{ "error_rate < 0.0001%", TAILBOX__ASSERT_ERROR_RATE,
		  TAILBOX__ASSERT_LT, 1 },
		{ "queue_share <= 100%", TAILBOX__ASSERT_QUEUE_SHARE,
		  TAILBOX__ASSERT_LE, 1000000 },
		{ "service_share > 12.5 %", TAILBOX__ASSERT_SERVICE_SHARE,
		  TAILBOX__ASSERT_GT, 125000 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct tailbox__assertion *a = parsed(rows[i].text);

		ck_assert_int_eq(a->metric, rows[i].metric);
		ck_assert_int_eq(a->op, rows[i].op);
		ck_assert_uint_eq(a->limit, rows[i].limit);
		ck_assert_ptr_null(a->route);
	}
}
END_TEST

START_TEST(a_route_ends_at_the_last_parenthesis)
{
	static const struct {
		const char *text, *route;
	} rows[] = {
		{ "p99(/checkout) < 200ms", "/checkout" },
		{ "p99 ( GET /a (old) x ) < 200ms", "GET /a (old) x" },
		{ "p99(<) > 1s", "<" },
		{ "no insufficient_evidence(/a above 3) above 4",
		  "/a above 3" },
		{ "no downstream_stage_dominates ({other})", "{other}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct tailbox__assertion *a = parsed(rows[i].text);

		ck_assert_uint_eq(a->route_len, strlen(rows[i].route));
		ck_assert_int_eq(
			memcmp(a->route, rows[i].route, a->route_len), 0);
	}
}
END_TEST

START_TEST(wrong_ones_say_where_and_why)
{
	static const struct {
		const char *text;
		int code;
		uint64_t offset;
		const char *why;
	} rows[] = {
		{ "", -EINVAL, 0, "a metric or \"no\" is expected" },
		{ "  < 3ms", -EINVAL, 2, "a metric or \"no\"" },
		{ "p98 < 3ms", -ENOENT, 0, "no metric \"p98\"; there are p50," },
		{ "P99 < 3ms", -ENOENT, 0, "no metric \"P99\"" },
		{ "insufficient_evidence", -EINVAL, 0, "write \"no insuff" },
		{ "p99", -EINVAL, 3, "<, <=, > or >= is expected" },
		{ "p99 = 3ms", -EINVAL, 4, "<, <=, > or >= is expected" },
		{ "p99 == 3ms", -EINVAL, 4, "<, <=, > or >= is expected" },
		{ "p99(/a < 3ms", -EINVAL, 3, "is not closed" },
		{ "p99() < 3ms", -EINVAL, 4, "a route is expected" },
		{ "p99( \t) < 3ms", -EINVAL, 4, "a route is expected" },
		{ "p99 <", -EINVAL, 5, "a number is expected" },
		{ "p99 < ms", -EINVAL, 6, "a number is expected" },
		{ "p99 < -3ms", -EINVAL, 6, "a number is expected" },
		{ "p99 < .5ms", -EINVAL, 6, "a number is expected" },
		{ "p99 < 5.ms", -EINVAL, 7, "takes us, ms or s" },
		{ "p99 < 1.2.3ms", -EINVAL, 9, "takes us, ms or s" },
		{ "p99 < 3", -EINVAL, 7, "takes us, ms or s, as in 200ms" },
		{ "p99 < 3%", -EINVAL, 7, "takes us, ms or s" },
		{ "p99 < 3m", -EINVAL, 7, "takes us, ms or s" },
		{ "p99 < 3ns", -EINVAL, 7, "takes us, ms or s" },
		{ "error_rate < 3", -EINVAL, 14, "takes %, as in 0.1%" },
		{ "error_rate < 100.0001%", -EINVAL, 13, "at most 100%" },
		{ "error_rate < 0.00001%", -EINVAL, 13, "finer than 0.0001%" },
		{ "count > 3ms", -EINVAL, 9, "takes no unit" },
		{ "count > 3.5", -EINVAL, 8, "finer than 1" },
		{ "p99 < 0.5us", -EINVAL, 6, "finer than 1us" },
		{ "p99 < 0.0001ms", -EINVAL, 6, "finer than 1us" },
		{ "p99 < 18446744073709551616us", -EINVAL, 6, "too large" },
		{ "p99 < 18446744073709552s", -EINVAL, 6, "too large" },
		{ "p99 < 0.00000000000000000000001s", -EINVAL, 6,
		  "too large" },
		{ "p99 < 3ms 4", -EINVAL, 10, "nothing may follow" },
		{ "no", -EINVAL, 2, "a suspect is expected" },
		{ "no (/a)", -EINVAL, 3, "a suspect is expected" },
		{ "no luck", -ENOENT, 3, "no suspect \"luck\"; there are app" },
		{ "no p99", -ENOENT, 3, "no suspect \"p99\"" },
		{ "no blocking_pool_pressure (/a)", -EINVAL, 26,
		  "told of the whole run only" },
		{ "no executor_pressure_suspected(/a)", -EINVAL, 30,
		  "told of the whole run only" },
		{ "no insufficient_evidence above", -EINVAL, 30,
		  "a number is expected" },
		{ "no insufficient_evidence above 101", -EINVAL, 31,
		  "at most 100" },
		{ "no insufficient_evidence above 5 x", -EINVAL, 33,
		  "takes no unit" },
		{ "no insufficient_evidence below 5", -EINVAL, 25,
		  "nothing may follow" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tailbox__error err;
		int rc = add(rows[i].text, &err);

		ck_assert_msg(rc == rows[i].code, "%s: %d", rows[i].text, rc);
		ck_assert_int_eq(err.code, rc);
		ck_assert_msg(err.offset == rows[i].offset, "%s: at %u",
		              rows[i].text, (unsigned)err.offset);
		ck_assert_msg(strstr(err.text, rows[i].why) != NULL, "%s: %s",
		              rows[i].text, err.text);
		ck_assert_int_eq(tailbox__asserts_add(&list, rows[i].text,
		                                      false, NULL),
		                 rc);
	}
	ck_assert_uint_eq(list.items.count, 0);
}
END_TEST

START_TEST(length_and_number_have_limits)
{
	char text[TAILBOX__ASSERTION_BYTES_MAX + 2];
	struct tailbox__error err;

	memset(text, ' ', sizeof(text));
	memcpy(text, "p99 < 3ms", 9);
	text[TAILBOX__ASSERTION_BYTES_MAX - 1] = '\0';
	parsed(text);
	text[TAILBOX__ASSERTION_BYTES_MAX - 1] = ' ';
	text[TAILBOX__ASSERTION_BYTES_MAX] = '\0';
	parsed(text);
	text[TAILBOX__ASSERTION_BYTES_MAX] = ' ';
	text[TAILBOX__ASSERTION_BYTES_MAX + 1] = '\0';
	ck_assert_int_eq(add(text, &err), -E2BIG);
	ck_assert_uint_eq(err.offset, TAILBOX__ASSERTION_BYTES_MAX);
	/* A wrong word of any length fits the error. */
	memset(text, 'x', TAILBOX__ASSERTION_BYTES_MAX);
	text[TAILBOX__ASSERTION_BYTES_MAX] = '\0';
	ck_assert_int_eq(add(text, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "service_share"));

	while (list.items.count < TAILBOX__ASSERTIONS_MAX)
		parsed("p99 < 3ms");
	ck_assert_int_eq(add("p99 < 3ms", &err), -E2BIG);
	ck_assert_uint_eq(err.offset, UINT64_MAX);
	ck_assert_uint_eq(list.items.count, TAILBOX__ASSERTIONS_MAX);
}
END_TEST

/* Whoever adds a suspect says here what rules it out. */
START_TEST(every_suspect_can_be_ruled_out)
{
	for (unsigned k = 0; k < TAILBOX__SUSPECT_COUNT; k++) {
		const struct tailbox__assert_suspect *s =
			&tailbox__assert_suspects[k];
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		char text[128];

		snprintf(text, sizeof(text), "no %s",
		         tailbox__suspect_names[k]);
		ck_assert_uint_eq(parsed(text)->suspect, k);
		ck_assert_msg(s->basis != TAILBOX__BASIS_UNKNOWN,
		              "%s has no basis in assert_parse.c", text);
		ck_assert_int_eq(tailbox__asserts_add(&list, text, true, &err),
		                 s->is_standard ? 0 : -ENOENT);
		tailbox__asserts_fini(&list);
	}
}
END_TEST

/* --- what is printed ------------------------------------------------------ */

static void expect_line(const char *text, const char *want)
{
	char *line = NULL;
	size_t size;
	FILE *f;

	judged(text);
	f = open_memstream(&line, &size);
	tailbox__assertion_text(&list.items.items[0], f);
	fclose(f);
	ck_assert_str_eq(line, want);
	free(line);
}

START_TEST(lines_have_all_digits)
{
	add_request("/a\x1b", 0, 243117);
	add_request("/b", 0, 900);
	add_request("/c", 0, 12000000);
	add_request("/d", 0, 1000001);
	run->requests.items[0].outcome = tailbox__run_cstr(run, "error");
	expect_line("max(/b) < 200ms",
	            "assert max(/b) < 200ms: ok, 900 us\n");
	expect_line("max(/c) < 200ms",
	            "assert max(/c) < 200ms: failed, 12 s\n");
	expect_line("max(/d) < 200ms",
	            "assert max(/d) < 200ms: failed, 1.000001 s\n");
	expect_line("max(/a\x1b) < 200ms",
	            "assert max(/a\\x1b) < 200ms: failed, 243.117 ms\n");
	expect_line("count > 9", "assert count > 9: failed, 4\n");
	expect_line("error_rate < 1%", "assert error_rate < 1%: failed, 25%\n");
	expect_line("p99 < 1s", "assert p99 < 1s: cannot be judged: p99 needs "
	                        "101 requests, there are 4\n");
	run->truncation.dropped_requests = 3;
	expect_line("max < 15 s",
	            "assert max < 15 s: cannot be judged: requests are missing "
	            "(3 dropped); what is there: 12 s\n");
	expect_line("error_rate < 1%",
	            "assert error_rate < 1%: failed, 25%\n");
	expect_line("no insufficient_evidence above 49",
	            "assert no insufficient_evidence above 49: failed, score "
	            "50, low confidence\n");
}
END_TEST

static char *report_json(void)
{
	struct tailbox__json j;
	size_t len;

	rep.asserts = &list;
	tailbox__json_init(&j, true);
	ck_assert_int_eq(tailbox__report_json(&rep, run, &o, &j), 0);
	return tailbox__json_take(&j, &len);
}

START_TEST(json_has_them_in_our_member)
{
	static const char want[] =
		"    \"assertions\": [\n"
		"      {\n"
		"        \"assertion\": \"max < 2ms\",\n"
		"        \"verdict\": \"ok\",\n"
		"        \"value\": 1000,\n"
		"        \"unit\": \"us\",\n"
		"        \"reason\": null\n"
		"      },\n"
		"      {\n"
		"        \"assertion\": \"p99 < 2ms\",\n"
		"        \"verdict\": \"cannot_judge\",\n"
		"        \"value\": null,\n"
		"        \"unit\": \"us\",\n"
		"        \"reason\": \"p99 needs 101 requests, there are 30\"\n"
		"      }\n"
		"    ]\n";
	char *text;

	add_requests(30);
	parsed("max < 2ms");
	parsed("p99 < 2ms");
	ck_assert_int_eq(tailbox__asserts_begin(&list, run, NULL), 0);
	analyze();
	ck_assert_int_eq(tailbox__asserts_judge(&list, run, &o, &rep), 0);
	text = report_json();
	ck_assert_ptr_nonnull(strstr(text, want));
	tailbox__free(text);
	rep.is_compat = true;
	text = report_json();
	ck_assert_ptr_null(strstr(text, "assertions"));
	tailbox__free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("assert_text");
	TCase *c = assert_case(s);

	tcase_add_test(c, values_are_taken_in_every_unit);
	tcase_add_test(c, a_route_ends_at_the_last_parenthesis);
	tcase_add_test(c, wrong_ones_say_where_and_why);
	tcase_add_test(c, length_and_number_have_limits);
	tcase_add_test(c, every_suspect_can_be_ruled_out);
	tcase_add_test(c, lines_have_all_digits);
	tcase_add_test(c, json_has_them_in_our_member);
	return sample_run_suite(s);
}
