/* tests/test_report.c - reports that are built by hand, in both forms.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/report.h"
#include "analyzer/report_page.h"
#include "core/alloc.h"

static struct tailbox__run *run;
static struct tailbox__analyzer_options o;
static struct tailbox__report rep;

/* --- building reports ----------------------------------------------------- */

static void add_suspect(struct tailbox__report_slice *s,
                        enum tailbox__suspect_kind kind, unsigned score)
{
	struct tailbox__suspect *one;

	if (!s->suspects)
		s->suspects = tailbox__zalloc(4, sizeof(*s->suspects));
	ck_assert_ptr_nonnull(s->suspects);
	s->suspect_room = 4;
	one = &s->suspects[s->suspect_count++];
	one->kind = kind;
	one->score = score;
	one->confidence = TAILBOX__CONFIDENCE_MEDIUM;
}

static void add(struct tailbox__texts *t, const char *text)
{
	ck_assert_int_eq(tailbox__texts_add(t, "%s", text), 0);
}

static void fill(struct tailbox__report_slice *s, uint64_t requests)
{
	s->request_count = requests;
	s->p50_us = requests ? 10 : TAILBOX__NONE;
	s->p95_us = requests ? 20 : TAILBOX__NONE;
	s->p99_us = TAILBOX__NONE; /* or the greatest latency there is */
	s->p95_queue_permille = requests ? 833 : TAILBOX__NONE;
	s->p95_service_permille = requests ? 1000 : TAILBOX__NONE;
	add_suspect(s, TAILBOX__SUSPECT_DOWNSTREAM, 88);
}

static void begin(void)
{
	ck_assert_int_eq(tailbox__run_create(&run), 0);
	run->meta.service_name = tailbox__run_cstr(run, "shop");
	run->meta.started_ms = 1763608361000; /* 2025-11-20 03:12:41 */
	run->meta.finalized_ms = 1763608421000;
	ck_assert_int_eq(tailbox__analyzer_options_init(&o), 0);
	memset(&rep, 0, sizeof(rep));
	rep.is_compat = true;
	fill(&rep.whole, 3);
}

static void end(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__report_fini(&rep);
	tailbox__analyzer_options_fini(&o);
	tailbox__run_destroy(run);
	run = NULL;
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

static void set_trend(const char *gauge, size_t len)
{
	rep.trend.is_known = true;
	rep.trend.gauge = tailbox__run_str(run, gauge, len);
	rep.trend.sample_count = 4;
	rep.trend.peak_count = 9;
	rep.trend.p95_count = 8;
	rep.trend.growth_delta = 5;
}

/* Everything that a report can have. */
static void fill_all(void)
{
	static const char *const names[] = { "early", "late" };

	set_trend("open", 4);
	add(&rep.whole.warnings, "a warning");
	add(&rep.whole.quality.limitations, "a limitation");
	add(&rep.whole.quality.limitations, "another one");
	add(&rep.whole.suspects[0].evidence, "an evidence");
	add(&rep.whole.suspects[0].next_checks, "a check");
	add(&rep.whole.suspects[0].notes, "a note");
	add_suspect(&rep.whole, TAILBOX__SUSPECT_QUEUE, 40);
	for (unsigned i = 0; i < 2; i++) {
		struct tailbox__report_route *r =
		        tailbox__list_add(&rep.routes);
		r->route = tailbox__run_cstr(run, i ? "/b" : "/a");
		fill(&r->slice, 1);
		struct tailbox__report_segment *s =
		        tailbox__list_add(&rep.segments);
		s->name = names[i];
		fill(&s->slice, 2);
	}
	o.v[TAILBOX__OPT_ROUTE_LIMIT] = 7;
}

/* For free(). */
static char *text_of(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(tailbox__report_text(&rep, run, &o, f), 0);
	fclose(f);
	return text;
}

static void expect_text(const char *want)
{
	char *text = text_of();

	ck_assert_str_eq(text, want);
	free(text);
}

static void expect_part(const char *want)
{
	char *text = text_of();

	ck_assert_msg(strstr(text, want) != NULL, "no \"%s\" in:\n%s", want,
	              text);
	free(text);
}

static void expect_json(const char *want)
{
	struct tailbox__json j;

	tailbox__json_init(&j, false);
	ck_assert_int_eq(tailbox__report_json(&rep, run, &o, &j), 0);
	char *text = tailbox__json_take(&j, NULL);
	ck_assert_ptr_nonnull(text);
	ck_assert_msg(strstr(text, want) != NULL, "no %s in:\n%s", want, text);
	tailbox__free(text);
}

/* --- text ----------------------------------------------------------------- */

START_TEST(text_of_the_least_report)
{
	expect_text("analysis of shop, 2025-11-20 03:12:41 UTC (60.0 s)\n"
	            "requests    3\n"
	            "latency     p50 10 us, p95 20 us, "
	            "p99 18446744073709551615 us\n"
	            "p95 shares  queue share 83.3%, service share 100.0% "
	            "(each its own p95)\n"
	            "in flight   none\n"
	            "suspect     downstream_stage_dominates, medium "
	            "confidence, score 88\n"
	            "            one stage takes most of the slow requests' "
	            "time\n"
	            "quality     weak");
}
END_TEST

START_TEST(text_of_a_full_report)
{
	fill_all();
	expect_part("in flight   open: 4 samples, peak 9, p95 8, "
	            "net growth +5, rate not available\n");
	expect_part("quality     weak: a limitation (and 1 more)\n"
	            "\n"
	            "warnings\n"
	            "  - a warning\n"
	            "\n"
	            "evidence\n"
	            "  - an evidence\n"
	            "\n"
	            "why the confidence is not higher\n"
	            "  - a note\n"
	            "\n"
	            "next checks\n"
	            "  - a check\n"
	            "\n"
	            "other suspects\n"
	            "  - application_queue_saturation, medium confidence, "
	            "score 40\n"
	            "\n"
	            "routes, and the first suspect of each\n"
	            "  - /a: 1 request, p95 20 us, "
	            "downstream_stage_dominates (medium)\n");
	expect_part("options that are not the default\n"
	            "  - route.breakdown_limit = 7\n"
	            "\n"
	            "halves, and the first suspect of each\n"
	            "  - early: 2 requests, p95 20 us, "
	            "downstream_stage_dominates (medium)\n"
	            "  - late: ");
}
END_TEST

START_TEST(figures_that_are_missing_say_so)
{
	tailbox__report_fini(&rep);
	memset(&rep, 0, sizeof(rep));
	rep.is_compat = true;
	fill(&rep.whole, 0);
	expect_part("latency     p50 not available, p95 not available, "
	            "p99 not available\n"
	            "p95 shares  queue share not available, "
	            "service share not available\n");
	expect_json("\"p99_latency_us\":null,"
	            "\"p95_queue_share_permille\":null,"
	            "\"p95_service_share_permille\":null,"
	            "\"inflight_trend\":null");
}
END_TEST

START_TEST(growth_has_a_sign_and_any_size)
{
	set_trend("g", 1);
	rep.trend.growth_delta = -3;
	rep.trend.has_rate = true;
	rep.trend.growth_per_sec_milli = -1500;
	expect_part("net growth -3, rate -1.500/s\n");
	rep.trend.growth_delta = INT64_MAX;
	rep.trend.growth_per_sec_milli = 7;
	expect_part("net growth +9223372036854775807, rate\n"
	            "            +0.007/s\n");
	rep.trend.growth_delta = 0;
	rep.trend.growth_per_sec_milli = INT64_MIN;
	expect_part(" -9223372036854775.808/s\n");
	expect_json("\"growth_delta\":0,"
	            "\"growth_per_sec_milli\":-9223372036854775808}");
	rep.trend.sample_count = 1;
	expect_part("1 sample, peak 9, p95 8, net growth not available,");
}
END_TEST

START_TEST(foreign_texts_stay_on_their_line)
{
	static const char gauge[] = "a\0b\n- \x1b[2J\xc2\x9b";

	set_trend(gauge, sizeof(gauge) - 1);
	expect_part("\nin flight   a\\x00b\\x0a- \\x1b[2J\\xc2\\x9b: 4 ");
	expect_json("\"gauge\":\"a\\u0000b\\n- \\u001b[2J\xc2\x9b\"");
	add(&rep.whole.suspects[0].evidence, "one\ntwo\x7f");
	expect_part("\n  - one\\x0atwo\\x7f");
}
END_TEST

/* --- lines ---------------------------------------------------------------- */

static void expect_line(const char *line, unsigned indent, const char *want)
{
	struct tailbox__page p;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_int_eq(tailbox__page_init(&p, f), 0);
	fputs(line, p.line);
	tailbox__page_end(&p, indent);
	ck_assert_int_eq(tailbox__page_fini(&p), 0);
	fclose(f);
	ck_assert_str_eq(text, want);
	free(text);
}

START_TEST(lines_break_behind_eighty_columns)
{
	char line[128], want[128];

	expect_line("", 4, "");
	for (int n = 75; n <= 79; n++) {
		/* n columns, a blank, "x": 80 are taken as they are. */
		snprintf(line, sizeof(line), "%0*d x", n, 0);
		snprintf(want, sizeof(want), "%0*d%sx", n, 0,
		         n + 2 > 80 ? "\n    " : " ");
		expect_line(line, 4, want);
	}
}
END_TEST

START_TEST(columns_are_characters)
{
	char line[256] = "", want[256];

	for (unsigned i = 0; i < 78; i++)
		memcpy(line + 2 * i, "\xc3\xa9", 2);
	memcpy(line + 156, " x", 3);
	expect_line(line, 0, line);
	memcpy(line + 156, " xy", 4);
	snprintf(want, sizeof(want), "%.156s\nxy", line);
	expect_line(line, 0, want);
}
END_TEST

START_TEST(a_long_word_is_left_whole)
{
	char line[256], want[256];

	/* No break at the blanks that belong to the entry's mark. */
	snprintf(line, sizeof(line), "  - %0100d b", 0);
	snprintf(want, sizeof(want), "  - %0100d\n    b", 0);
	expect_line(line, 4, want);
	snprintf(line, sizeof(line), "  - a   %0100d", 0);
	snprintf(want, sizeof(want), "  - a\n    %0100d", 0);
	expect_line(line, 4, want);
	snprintf(line, sizeof(line), "%080d   ", 0);
	snprintf(want, sizeof(want), "%080d", 0);
	expect_line(line, 4, want);
}
END_TEST

/* --- json ----------------------------------------------------------------- */

START_TEST(json_has_arrays_without_members)
{
	expect_json("{\"request_count\":3,\"p50_latency_us\":10,"
	            "\"p95_latency_us\":20,"
	            "\"p99_latency_us\":18446744073709551615,");
	expect_json("\"limitations\":[]},\"primary_suspect\":{\"kind\":"
	            "\"downstream_stage_dominates\",\"score\":88,"
	            "\"confidence\":\"medium\",\"evidence\":[],"
	            "\"next_checks\":[],\"confidence_notes\":[]},"
	            "\"secondary_suspects\":[],\"route_breakdowns\":[],"
	            "\"temporal_segments\":[]}");
}
END_TEST

START_TEST(json_of_a_full_report)
{
	fill_all();
	expect_json("\"warnings\":[\"a warning\"],\"evidence_quality\":{");
	expect_json("\"secondary_suspects\":[{\"kind\":"
	            "\"application_queue_saturation\"");
	expect_json("\"route_breakdowns\":[{\"route\":\"/a\","
	            "\"request_count\":1,\"p50_latency_us\":10,");
	expect_json("{\"name\":\"late\",\"request_count\":2,"
	            "\"started_at_unix_ms\":0,\"finished_at_unix_ms\":0,"
	            "\"p50_latency_us\":10,");
	expect_json("\"secondary_suspects\":[],\"warnings\":[]}],"
	            "\"analyzer_config\":{\"schema_version\":1,"
	            "\"non_default_options\":[{\"path\":"
	            "\"route.breakdown_limit\",\"value\":\"7\"}]}}");
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	fill_all();
	const long live = tailbox__alloc_live();

	for (long n = 0, rc = -ENOMEM; rc != 0; n++) {
		FILE *f = fopen("/dev/null", "w");
		ck_assert_ptr_nonnull(f);
		tailbox__alloc_fail_after(n);
		rc = tailbox__report_text(&rep, run, &o, f);
		tailbox__alloc_fail_after(-1);
		fclose(f);
		ck_assert(rc == 0 || rc == -ENOMEM);
		ck_assert_int_eq(tailbox__alloc_live(), live);
		ck_assert_int_lt(n, 100);
	}
	for (long n = 0, rc = -ENOMEM; rc != 0; n++) {
		struct tailbox__json j;
		tailbox__json_init(&j, true);
		tailbox__alloc_fail_after(n);
		rc = tailbox__report_json(&rep, run, &o, &j);
		tailbox__alloc_fail_after(-1);
		ck_assert_int_eq(rc, tailbox__json_ok(&j) ? 0 : -ENOMEM);
		tailbox__json_fini(&j);
		ck_assert_int_eq(tailbox__alloc_live(), live);
		ck_assert_int_lt(n, 100);
	}
}
END_TEST

START_TEST(what_is_ours_is_one_member)
{
	struct tailbox__finding *f = tailbox__list_add(&rep.findings);

	rep.is_compat = false;
	rep.verdict = TAILBOX__REPORT_UNCLEAR;
	snprintf(rep.headline, sizeof(rep.headline), "unclear: x");
	f->kind = TAILBOX__SUSPECT_CPU;
	f->ruling = TAILBOX__RULING_OUT;
	f->text = tailbox__zalloc(8, 1);
	ck_assert_ptr_nonnull(f->text);
	memcpy(f->text, "1 core", 7);
	f = tailbox__list_add(&rep.findings);
	f->kind = TAILBOX__SUSPECT_LOCK;
	f->ruling = TAILBOX__RULING_CANNOT_TELL;
	f = tailbox__list_add(&rep.findings);
	f->kind = TAILBOX__SUSPECT_LOOP;
	struct tailbox__suspect *s = &rep.whole.suspects[0];
	s->explained_by = TAILBOX__SUSPECT_LOCK;
	struct tailbox__figure *g = tailbox__list_add(&s->figures);
	g->key = "longest_us";
	g->value = 7;
	g = tailbox__list_add(&s->figures);
	g->key = "route";
	g->name = tailbox__run_cstr(run, "/a");
	g = tailbox__list_add(&s->figures);
	g->key = "held_us";
	g->value = TAILBOX__NONE;
	expect_json("\"tailbox\":{\"verdict\":\"unclear\","
	            "\"headline\":\"unclear: x\",\"tail_anatomy\":{");
	expect_json("},\"ruled_out\":[{\"kind\":\"cpu_starvation\","
	            "\"figure\":\"1 core\"}],\"cannot_tell\":[{\"kind\":"
	            "\"lock_contention\",\"missing\":null}],\"suspects\":[{"
	            "\"kind\":\"downstream_stage_dominates\","
	            "\"title\":null,\"explained_by\":\"lock_contention\","
	            "\"figures\":{\"longest_us\":7,\"route\":\"/a\","
	            "\"held_us\":null}}]}}");
	expect_part("ruled out\n  - cpu_starvation: 1 core\n");
	expect_part("cannot tell\n  - lock_contention");
	rep.is_compat = true;
	char *text = text_of();
	ck_assert_ptr_null(strstr(text, "ruled out"));
	free(text);
}
END_TEST

static Suite *report_suite(void)
{
	Suite *s = suite_create("report");
	TCase *t = tcase_create("report");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, what_is_ours_is_one_member);
	tcase_add_test(t, text_of_the_least_report);
	tcase_add_test(t, text_of_a_full_report);
	tcase_add_test(t, figures_that_are_missing_say_so);
	tcase_add_test(t, growth_has_a_sign_and_any_size);
	tcase_add_test(t, foreign_texts_stay_on_their_line);
	tcase_add_test(t, lines_break_behind_eighty_columns);
	tcase_add_test(t, columns_are_characters);
	tcase_add_test(t, a_long_word_is_left_whole);
	tcase_add_test(t, json_has_arrays_without_members);
	tcase_add_test(t, json_of_a_full_report);
	tcase_add_test(t, every_allocation_may_fail);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(report_suite());

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
