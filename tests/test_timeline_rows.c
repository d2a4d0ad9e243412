/* tests/test_timeline_rows.c - the parts of a timeline: how figures and
 * foreign text are written, and which rows the spans of a request become.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/timeline_fixture.h"

/* --- figures ------------------------------------------------------------ */

START_TEST(percentile_takes_the_index_of_the_spec)
{
	uint64_t v[1000];

	for (size_t i = 0; i < 1000; i++)
		v[i] = i;
	for (size_t n = 1; n <= 1000; n++) {
		static const unsigned ps[] = { 50, 95, 99 };
		for (size_t k = 0; k < 3; k++) {
			size_t at = ((n - 1) * ps[k] + 99) / 100;
			at = at < n - 1 ? at : n - 1;
			ck_assert_uint_eq(tailbox__percentile(v, n, ps[k]),
			                  at);
		}
	}
}
END_TEST

START_TEST(times_have_three_digits_and_their_unit)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 812, "0.81 us" },
		{ 9996, "10.0 us" },
		{ 90000, "90 us" },
		{ 999499, "999 us" },
		{ 999500, "1.00 ms" },
		{ 999000, "999 us" },
		{ 1400000, "1.40 ms" },
		{ 9996000, "10.0 ms" },
		{ 99960000, "100 ms" },
		{ 999499999, "999 ms" },
		{ 999500000, "1.00 s" },
		{ 1330000000, "1.33 s" },
		{ 75200000000, "75.2 s" },
		{ UINT64_MAX, "18446744074 s" },
	};
	char buf[TAILBOX__SHOW_ROOM];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(tailbox__show_ns(buf, cases[i].ns),
		                 cases[i].text);
	ck_assert_str_eq(tailbox__show_us(buf, 29), "29 us");
	ck_assert_str_eq(tailbox__show_us(buf, UINT64_MAX),
	                 "18446744073710 s");
	ck_assert_str_eq(tailbox__show_coarse(buf, 23456789, 4000000),
	                 "23 ms");
	ck_assert_str_eq(tailbox__show_bytes(buf, 1023), "1023 B");
	ck_assert_str_eq(tailbox__show_bytes(buf, 1024), "1.0 KiB");
	ck_assert_str_eq(tailbox__show_bytes(buf, (1 << 20) - 1), "1023.9 KiB");
	ck_assert_str_eq(tailbox__show_bytes(buf, UINT64_MAX), "15.9 EiB");
	ck_assert_str_eq(tailbox__show_utc(buf, 1763608361007),
	                 "2025-11-20 03:12:41");
	ck_assert_str_eq(tailbox__show_clock_ms(buf, 1763608361007),
	                 "03:12:41.007");
	ck_assert_str_eq(tailbox__show_utc(buf, UINT64_MAX), "?");
}
END_TEST

START_TEST(foreign_text_is_cut_to_its_columns)
{
	static const struct {
		const char *in;
		size_t columns;
		const char *out;
	} cases[] = {
		{ "abc", 3, "abc" },     { "abcd", 3, "a.." },
		{ "abcd", 2, ".." },     { "abcd", 1, "." },
		{ "abcd", 0, "" },
		{ "\xc3\xa9\xc3\xa9", 2, "\xc3\xa9\xc3\xa9" },
		{ "\n", 4, "\\x0a" },    { "\n", 3, ".." },
		{ "", 3, "" },           { "a\nb", 5, "a.." },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = NULL;
		size_t size;
		FILE *f = open_memstream(&text, &size);
		size_t used = tailbox__show_text(f, cases[i].in,
		                                 strlen(cases[i].in),
		                                 cases[i].columns);
		fclose(f);
		ck_assert_str_eq(text, cases[i].out);
		ck_assert_uint_le(used, cases[i].columns);
		free(text);
	}
}
END_TEST

/* --- rows --------------------------------------------------------------- */

static size_t count_rows(const struct tailbox__tl_request *r, const char *name,
                         const struct tailbox__run *run, size_t *parent)
{
	size_t n = 0, len;

	for (size_t i = r->phase_rows; i < r->rows.count; i++) {
		const struct tailbox__tl_row *row = &r->rows.items[i];
		if (strcmp(tailbox__tl_row_name(run, row, &len), name))
			continue;
		n++;
		*parent = row->parent;
	}
	return n;
}

START_TEST(four_spans_of_a_name_share_a_line_three_do_not)
{
	for (unsigned n = 1; n <= 6; n++) {
		struct tailbox__run *run = new_run();
		struct tailbox__tl_request r;
		size_t parent;
		size_t i = add_request(run, "a", "/a", 0, 100 * MS, "ok");
		for (unsigned k = 0; k < n; k++)
			add_span(run, false, i, "q", k * 10 * MS, 5 * MS);
		ck_assert_int_eq(tailbox__tl_request(run, i, &r), 0);
		ck_assert_uint_eq(count_rows(&r, "q", run, &parent),
		                  n < 4 ? n : 1);
		ck_assert_uint_eq(r.covered_ns, n * 5000000ull);
		tailbox__tl_request_fini(&r);
		tailbox__run_destroy(run);
	}
}
END_TEST

START_TEST(children_stay_under_the_stage_that_contains_them)
{
	struct tailbox__run *run = new_run();
	struct tailbox__tl_request r;
	size_t len, seen = 0;
	size_t i = add_request(run, "a", "/a", 7, 100 * MS, "ok");

	add_span(run, false, i, "inner", 60 * MS, 10 * MS);
	add_span(run, false, i, "outer", 50 * MS, 40 * MS);
	add_span(run, false, i, "inner", 10 * MS, 10 * MS);
	add_span(run, false, i, "outer", 0, 40 * MS);
	add_span(run, true, i, "alone", 35 * MS, 20 * MS); /* crosses both */
	ck_assert_int_eq(tailbox__tl_request(run, i, &r), 0);
	ck_assert_uint_eq(r.rows.count, 5);
	for (size_t k = 0; k < r.rows.count; k++) {
		const struct tailbox__tl_row *row = &r.rows.items[k];
		const char *name = tailbox__tl_row_name(run, row, &len);
		if (strcmp(name, "inner")) {
			ck_assert_uint_eq(row->parent, TAILBOX__TL_NO_ROW);
			continue;
		}
		const struct tailbox__tl_row *outer =
		        &r.rows.items[row->parent];
		ck_assert_str_eq(tailbox__tl_row_name(run, outer, &len),
		                 "outer");
		ck_assert_uint_eq(row->start_ns - outer->start_ns, 10000000);
		seen++;
	}
	ck_assert_uint_eq(seen, 2);
	tailbox__tl_request_fini(&r);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(spans_without_place_and_outside_are_harmless)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = new_run();
	size_t i = add_request(run, "a", "/a", 100 * MS, 10 * MS, "ok");
	struct tailbox__run_span *s;

	add_span(run, false, i, "none", 0, 5 * MS)->flags = 0;
	add_span(run, false, i, "after", 50 * MS, 5 * MS);
	add_span(run, false, i, "long", 0, UINT64_MAX / 2);
	s = add_span(run, false, i, "back", 5 * MS, MS);
	s->end_us = s->start_us - 3;
	s = add_span(run, true, i, "before", 0, MS);
	s->start_us = 1;
	add_span(run, true, i, "huge", 0, UINT64_MAX)->depth = UINT64_MAX - 1;
	add_ext(run, i, 0)->phase_ns[TAILBOX__PHASE_SEND] = UINT64_MAX - 1;
	run->ext.items[0].phase_ns[TAILBOX__PHASE_INGRESS] = UINT64_MAX - 1;
	tailbox__timeline_options_init(&o);
	free(text_of(run, &o));
	run->requests.items[i].latency_us = 0;
	free(text_of(run, &o));
	run->requests.items[i].latency_us = UINT64_MAX;
	free(text_of(run, &o));
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(spans_nest_to_a_limit)
{
	struct tailbox__run *run = new_run();
	struct tailbox__tl_request r;
	size_t i = add_request(run, "a", "/a", 0, 1000 * MS, "ok");

	for (unsigned k = 0; k < 30; k++) {
		char name[8];
		snprintf(name, sizeof(name), "s%u", k);
		add_span(run, false, i, name, k * MS, (1000 - 2 * k) * MS);
	}
	ck_assert_int_eq(tailbox__tl_request(run, i, &r), 0);
	ck_assert_uint_eq(r.rows.count, 30);
	for (size_t k = 0; k < 30; k++)
		ck_assert_uint_le(r.rows.items[k].depth,
		                  TAILBOX__TL_DEPTH_MAX);
	tailbox__tl_request_fini(&r);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(spans_beyond_the_limit_are_counted)
{
	struct tailbox__run *run = new_run();
	struct tailbox__tl_request r;
	size_t i = add_request(run, "a", "/a", 0, 1000 * MS, "ok");

	for (unsigned extra = 0; extra < 3; extra++) {
		while (run->stages.count < TAILBOX__TL_ITEMS_MAX - 1 + extra)
			add_span(run, false, i, "q", run->stages.count, 1);
		ck_assert_int_eq(tailbox__tl_request(run, i, &r), 0);
		ck_assert_uint_eq(r.hidden_items, extra > 1 ? extra - 1 : 0);
		ck_assert_uint_eq(r.rows.count, 1);
		tailbox__tl_request_fini(&r);
	}
	tailbox__run_destroy(run);
}
END_TEST

static Suite *timeline_rows_suite(void)
{
	Suite *s = suite_create("timeline_rows");
	TCase *t = tcase_create("timeline_rows");

	tcase_add_checked_fixture(t, NULL, sample_allow_all);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, percentile_takes_the_index_of_the_spec);
	tcase_add_test(t, times_have_three_digits_and_their_unit);
	tcase_add_test(t, foreign_text_is_cut_to_its_columns);
	tcase_add_test(t, four_spans_of_a_name_share_a_line_three_do_not);
	tcase_add_test(t, children_stay_under_the_stage_that_contains_them);
	tcase_add_test(t, spans_without_place_and_outside_are_harmless);
	tcase_add_test(t, spans_nest_to_a_limit);
	tcase_add_test(t, spans_beyond_the_limit_are_counted);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(timeline_rows_suite());

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
