/* tests/test_validate.c - validation, normalization, summaries.
 *
 * SPDX-License-Identifier: MIT
 *
 * Expected issues are written as text, one per line, in the order of the
 * list: `LOCATION CODE`. They follow from spec/run-artifact.md section 9.
 */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/alloc.h"
#include "core/validate.h"
#include "tests/sample_runs.h"

#define BOTH (TAILBOX__HAS_START_US | TAILBOX__HAS_END_US)

static struct tailbox__run *run;
static struct tailbox__inspection in;

static void setup(void)
{
	ck_assert_int_eq(tailbox__run_create(&run), 0);
	run->meta.run_id = tailbox__run_cstr(run, "run-1");
	run->meta.service_name = tailbox__run_cstr(run, "shop");
	run->meta.started_ms = 1000;
	run->meta.finalized_ms = 2000;
	memset(&in, 0, sizeof(in));
}

static void teardown(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__inspection_fini(&in);
	tailbox__run_destroy(run);
	run = NULL;
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

/* A request [start, end] us with a matching latency. */
static struct tailbox__run_request *request(const char *id, uint64_t start_us,
                                            uint64_t end_us)
{
	struct tailbox__run_request *r = tailbox__list_add(&run->requests);

	r->id = tailbox__run_cstr(run, id);
	r->route = tailbox__run_cstr(run, "/r");
	r->outcome = tailbox__run_cstr(run, "ok");
	r->start_ms = r->end_ms = 1500;
	r->start_us = start_us;
	r->end_us = end_us;
	r->latency_us = end_us - start_us;
	r->flags = BOTH;
	return r;
}

static struct tailbox__run_span *span(bool is_stage, const char *id,
                                      uint64_t start_us, uint64_t end_us)
{
	struct tailbox__run_span *s = is_stage
	                                      ? tailbox__list_add(&run->stages)
	                                      : tailbox__list_add(&run->queues);

	s->request = tailbox__run_cstr(run, id);
	s->name = tailbox__run_cstr(run, "db");
	s->start_ms = s->end_ms = 1500;
	s->start_us = start_us;
	s->end_us = end_us;
	s->dur_us = end_us - start_us;
	s->depth = TAILBOX__NONE;
	s->flags = BOTH;
	return s;
}

static struct tailbox__run_span *stage(const char *id, uint64_t start_us,
                                       uint64_t end_us)
{
	return span(true, id, start_us, end_us);
}

static struct tailbox__run_span *queue(const char *id, uint64_t start_us,
                                       uint64_t end_us)
{
	return span(false, id, start_us, end_us);
}

static void expect_issues(const char *want)
{
	char got[4096] = "";
	size_t n = 0, errors = 0;

	tailbox__inspection_fini(&in);
	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	for (size_t k = 0; k < in.issues.count; k++) {
		const struct tailbox__issue *i = &in.issues.items[k];
		char where[64];

		tailbox__issue_location(i, where, sizeof(where));
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s %s\n",
		                      where, tailbox__issue_code_name(i->code));
		ck_assert_ptr_nonnull(i->text);
		ck_assert_int_eq(i->is_warning, i->code == 11);
		errors += !i->is_warning;
	}
	ck_assert_str_eq(got, want);
	ck_assert_uint_eq(in.error_count, errors);
}

START_TEST(a_sound_run_has_no_issues)
{
	request("a", 100, 200);
	stage("a", 100, 200);
	queue("a", 150, 150);
	expect_issues("");
	tailbox__normalize(run, &in);
	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(run->stages.count, 1);
	ck_assert_uint_eq(run->queues.count, 1);
}
END_TEST

START_TEST(an_empty_run_has_no_issues)
{
	expect_issues("");
	tailbox__normalize(run, &in);
}
END_TEST

START_TEST(metadata_findings_come_first_and_exclude_nothing)
{
	run->schema_version = 3;
	run->meta.run_id = tailbox__run_cstr(run, " \t");
	run->meta.service_name = tailbox__run_cstr(run, "");
	run->meta.finalized_ms = 999;
	request("", 0, 0);
	expect_issues("metadata.schema_version unsupported_schema_version\n"
	              "metadata.run_id empty_required_field\n"
	              "metadata.service_name empty_required_field\n"
	              "metadata.finalized_at_unix_ms inverted_interval\n"
	              "request[0].request_id empty_required_field\n");
}
END_TEST

START_TEST(finalization_unknown_or_at_the_start_is_fine)
{
	run->meta.finalized_ms = TAILBOX__NONE;
	expect_issues("");
	run->meta.finalized_ms = run->meta.started_ms;
	expect_issues("");
}
END_TEST

START_TEST(blank_fields_of_a_request_are_sorted_by_name)
{
	struct tailbox__run_request *r = request(" ", 0, 10);

	r->route = tailbox__run_cstr(run, "\xe2\x80\x83"); /* U+2003 */
	r->outcome = tailbox__run_cstr(run, "\xc2\xa0");   /* U+00A0 */
	expect_issues("request[0].outcome empty_required_field\n"
	              "request[0].request_id empty_required_field\n"
	              "request[0].route empty_required_field\n");
	ck_assert_uint_eq(in.excluded[TAILBOX__SECTION_REQUESTS][0], 1u << 2);
}
END_TEST

START_TEST(zero_width_space_and_nul_are_not_blank)
{
	request("\xe2\x80\x8b", 0, 10)->route = tailbox__run_str(run, "", 1);
	expect_issues("");
}
END_TEST

START_TEST(wall_time_may_stand_still_and_one_ms_back_excludes)
{
	struct tailbox__run_request *r = request("a", 0, 10);

	expect_issues("");
	r->end_ms--;
	expect_issues("request[0].finished_at_unix_ms inverted_interval\n");
	ck_assert_uint_eq(in.excluded[TAILBOX__SECTION_REQUESTS][0], 1u << 3);
	ck_assert_uint_eq(in.cleared[TAILBOX__SECTION_REQUESTS][0], 0);
}
END_TEST

START_TEST(both_inversions_of_one_event_the_one_without_field_first)
{
	struct tailbox__run_request *r = request("a", 20, 20);

	r->end_us = 19;
	r->end_ms--;
	r = request("b", 0, 100);

	struct tailbox__run_span *q = queue("b", 20, 20);

	q->end_us = 19;
	q->end_ms--;
	expect_issues("request[0] inverted_interval\n"
	              "request[0].finished_at_unix_ms inverted_interval\n"
	              "queue[0] inverted_interval\n"
	              "queue[0].waited_until_unix_ms inverted_interval\n");
	ck_assert_uint_eq(in.cleared[TAILBOX__SECTION_REQUESTS][0], 1);
	ck_assert_uint_eq(in.cleared[TAILBOX__SECTION_QUEUES][0], 1);
}
END_TEST

START_TEST(duration_may_be_off_by_2000_us_and_not_by_2001)
{
	struct tailbox__run_request *r = request("a", 10000, 20000);

	r->latency_us = 12000;
	expect_issues("");
	r->latency_us = 8000;
	expect_issues("");
	r->latency_us = 12001;
	expect_issues("request[0] duration_mismatch\n");
	r->latency_us = 7999;
	expect_issues("request[0] duration_mismatch\n");
	r->latency_us = UINT64_MAX;
	expect_issues("request[0] duration_mismatch\n");
	tailbox__normalize(run, &in);
	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(run->requests.items[0].flags, 0);
	ck_assert_uint_eq(run->requests.items[0].latency_us, UINT64_MAX);
}
END_TEST

START_TEST(offsets_alone_inverted_or_absent_exclude_each_other)
{
	request("a", 0, 10)->flags = TAILBOX__HAS_START_US;
	request("b", 0, 10)->flags = TAILBOX__HAS_END_US;
	request("c", 0, 10)->flags = 0;
	request("d", 11, 10)->latency_us = 99999;
	expect_issues("request[0] partial_run_relative_interval\n"
	              "request[1] partial_run_relative_interval\n"
	              "request[2] precise_interval_validation_unavailable\n"
	              "request[3] inverted_interval\n");
	ck_assert_uint_eq(in.error_count, 3);
	tailbox__normalize(run, &in);
	ck_assert_uint_eq(run->requests.count, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(run->requests.items[i].flags, 0);
}
END_TEST

START_TEST(a_child_may_touch_its_request_but_not_leave_it)
{
	request("a", 100, 200);
	stage("a", 99, 200);
	stage("a", 100, 200);
	stage("a", 100, 201);
	queue("a", 99, 99);
	expect_issues("stage[0] child_interval_outside_request\n"
	              "stage[2] child_interval_outside_request\n"
	              "queue[0] child_interval_outside_request\n");
	tailbox__normalize(run, &in);
	ck_assert_uint_eq(run->stages.count, 1);
	ck_assert_uint_eq(run->stages.items[0].start_us, 100);
	ck_assert_uint_eq(run->queues.count, 0);
}
END_TEST

START_TEST(containment_is_judged_by_the_offsets_after_clearing)
{
	request("a", 100, 200)->latency_us = 99999; /* cleared */
	stage("a", 0, 999);
	request("b", 100, 200);
	stage("b", 0, 999)->dur_us = 99999;         /* cleared */
	stage("b", 0, 999)->flags = 0;
	expect_issues("request[0] duration_mismatch\n"
	              "stage[1] duration_mismatch\n"
	              "stage[2] precise_interval_validation_unavailable\n");
}
END_TEST

START_TEST(duplicate_ids_exclude_every_bearer_and_its_children)
{
	request("a", 0, 100);
	request("b", 0, 100);
	request("a", 0, 100);
	request("a", 0, 100)->outcome = tailbox__run_cstr(run, "");
	stage("a", 0, 10);
	queue("b", 0, 10);
	expect_issues("request[0].request_id duplicate_completed_request_id\n"
	              "request[2].request_id duplicate_completed_request_id\n"
	              "request[3].outcome empty_required_field\n"
	              "request[3].request_id duplicate_completed_request_id\n"
	              "stage[0].request_id ambiguous_parent_request_id\n");
	ck_assert_uint_eq(in.excluded[TAILBOX__SECTION_REQUESTS][3],
	                  1u << 2 | 1u << 6);
	tailbox__normalize(run, &in);
	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(run->stages.count, 0);
	ck_assert_uint_eq(run->queues.count, 1);
}
END_TEST

START_TEST(one_valid_and_one_invalid_bearer_make_a_unique_id)
{
	request("a", 0, 1000)->end_ms--;
	request("a", 100, 200);
	stage("a", 50, 60);   /* inside the invalid one only */
	stage("a", 100, 200);
	expect_issues("request[0].finished_at_unix_ms inverted_interval\n"
	              "stage[0] child_interval_outside_request\n");
}
END_TEST

START_TEST(two_invalid_bearers_are_excluded_and_not_duplicates)
{
	request("a", 0, 1000)->end_ms--;
	request("a", 0, 1000)->end_ms--;
	queue("a", 0, 10);
	expect_issues("request[0].finished_at_unix_ms inverted_interval\n"
	              "request[1].finished_at_unix_ms inverted_interval\n"
	              "queue[0].request_id parent_request_excluded\n");
}
END_TEST

START_TEST(an_unknown_parent_is_an_orphan)
{
	request("a", 0, 100);
	stage("b", 0, 10);
	queue("A", 0, 10);
	expect_issues("stage[0].request_id orphan_request_scoped_event\n"
	              "queue[0].request_id orphan_request_scoped_event\n");
}
END_TEST

START_TEST(a_blank_child_id_is_also_judged_as_a_parent_id)
{
	request("a", 0, 100);
	stage("", 0, 10);
	request(" ", 0, 100); /* the blank id " " is known, and excluded */
	stage(" ", 0, 10)->name = tailbox__run_cstr(run, "");
	expect_issues("request[1].request_id empty_required_field\n"
	              "stage[0].request_id empty_required_field\n"
	              "stage[0].request_id orphan_request_scoped_event\n"
	              "stage[1].request_id empty_required_field\n"
	              "stage[1].stage empty_required_field\n"
	              "stage[1].request_id parent_request_excluded\n");
}
END_TEST

START_TEST(blank_queue_name_sorts_before_request_id)
{
	struct tailbox__run_span *q = queue("\n", 0, 0);

	q->name = tailbox__run_cstr(run, "");
	expect_issues("queue[0].queue empty_required_field\n"
	              "queue[0].request_id empty_required_field\n"
	              "queue[0].request_id orphan_request_scoped_event\n");
}
END_TEST

START_TEST(an_invalid_child_gets_the_parent_rule_too)
{
	request("a", 100, 200);
	stage("a", 0, 10)->end_ms--;
	expect_issues("stage[0].finished_at_unix_ms inverted_interval\n"
	              "stage[0] child_interval_outside_request\n");
	ck_assert_uint_eq(in.excluded[TAILBOX__SECTION_STAGES][0],
	                  1u << 3 | 1u << 10);
}
END_TEST

START_TEST(gauges_without_a_name_and_samples_without_workers)
{
	struct tailbox__run_gauge *g = tailbox__list_add(&run->inflight);

	g->gauge = tailbox__run_cstr(run, "\r\n");
	g = tailbox__list_add(&run->inflight);
	g->gauge = tailbox__run_cstr(run, "g");

	struct tailbox__run_snapshot *s = tailbox__list_add(&run->snapshots);

	s->flags = 0; /* absent */
	s = tailbox__list_add(&run->snapshots);
	s->flags = TAILBOX__HAS_WORKERS | TAILBOX__HAS_START_US;
	s = tailbox__list_add(&run->snapshots);
	s->flags = TAILBOX__HAS_WORKERS;
	s->worker_count = 1;
	expect_issues("in-flight[0].gauge empty_required_field\n"
	              "runtime snapshot[1].worker_count "
	              "invalid_worker_count\n");
	ck_assert_ptr_null(in.excluded[TAILBOX__SECTION_SNAPSHOTS]);
	tailbox__normalize(run, &in);
	ck_assert_uint_eq(run->inflight.count, 1);
	ck_assert_uint_eq(run->snapshots.count, 3);
	ck_assert_uint_eq(run->snapshots.items[1].flags,
	                  TAILBOX__HAS_START_US);
	ck_assert_uint_eq(run->snapshots.items[2].worker_count, 1);
}
END_TEST

START_TEST(ids_that_differ_after_a_nul_are_two)
{
	request("x", 0, 10)->id = tailbox__run_str(run, "a\0b", 3);
	request("x", 0, 10)->id = tailbox__run_str(run, "a\0c", 3);
	request("a", 0, 10);
	expect_issues("");
}
END_TEST

START_TEST(normalizing_takes_extension_data_along)
{
	for (unsigned i = 0; i < 6; i++) {
		char id[2] = { (char)('a' + i), 0 };
		struct tailbox__run_request *r = request(id, 0, 10);

		if (i == 2)
			continue; /* has none */

		struct tailbox__run_ext *e = tailbox__list_add(&run->ext);

		e->number = i;
		r->ext = (uint32_t)run->ext.count;
		if (i == 1 || i == 4)
			r->end_ms--; /* to be removed */
	}
	/* Not in the order of the requests. */
	run->requests.items[0].ext = 5;
	run->ext.items[4].number = 0;
	run->requests.items[5].ext = 1;
	run->ext.items[0].number = 5;
	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	tailbox__normalize(run, &in);
	ck_assert_uint_eq(run->requests.count, 4);
	ck_assert_uint_eq(run->ext.count, 3);
	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_request *r = &run->requests.items[i];
		const char id = *tailbox__run_text(run, r->id, NULL);

		if (id == 'c') {
			ck_assert_uint_eq(r->ext, 0);
			continue;
		}
		ck_assert_uint_ge(r->ext, 1);
		ck_assert_uint_le(r->ext, 3);
		ck_assert_uint_eq(run->ext.items[r->ext - 1].number,
		                  (uint64_t)(id - 'a'));
		ck_assert_uint_eq(run->ext.items[r->ext - 1].reserved2, 0);
	}
}
END_TEST

START_TEST(a_normalized_run_is_sound)
{
	request("a", 0, 100);
	request("a", 0, 100);
	request("b", 100, 0);
	request("c", 0, 100)->start_ms = 9999;
	stage("a", 0, 1);
	stage("b", 0, 1);
	stage("c", 0, 1);
	queue("b", 5, 1);
	queue("", 0, 1);
	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	ck_assert_uint_gt(in.error_count, 0);
	tailbox__normalize(run, &in);
	tailbox__inspection_fini(&in);
	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	ck_assert_uint_eq(in.error_count, 0);
	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(run->stages.count, 1);
	ck_assert_uint_eq(run->queues.count, 1);
}
END_TEST

/* Summaries: every entry in a line of its own. */
static char lines[8192];

static int collect(void *cls, const char *text)
{
	const size_t n = strlen(lines);

	(void)cls;
	snprintf(lines + n, sizeof(lines) - n, "%s\n", text);
	return 0;
}

static void summarize(bool lifecycle)
{
	lines[0] = '\0';
	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	ck_assert_int_eq(tailbox__summaries(&in, lifecycle, collect, NULL), 0);
	tailbox__inspection_fini(&in);
}

START_TEST(summaries_group_by_code_section_and_action)
{
	run->meta.service_name = tailbox__run_cstr(run, "");
	for (int i = 0; i < 7; i++)
		request("dup", 0, 10);
	request("x", 0, 10)->flags = 0;
	request("dup", 0, 10)->flags = 0; /* code 11 on an excluded one */
	request("y", 0, 10)->latency_us = 99999;

	struct tailbox__run_snapshot *s = tailbox__list_add(&run->snapshots);

	s->flags = TAILBOX__HAS_WORKERS;
	summarize(false);
	ck_assert_str_eq(
	        lines,
	        "empty_required_field: 1 in section metadata: reported only, "
	        "nothing removed (field service_name)\n"
	        "duration_mismatch: 1 in section request: run offsets removed, "
	        "duration kept (index 9)\n"
	        "duplicate_completed_request_id: 8 in section request: removed "
	        "from the analysis (index 0, 1, 2, 3, 4, ...)\n"
	        "precise_interval_validation_unavailable: 1 in section "
	        "request: removed from the analysis (index 8)\n"
	        "precise_interval_validation_unavailable: 1 in section "
	        "request: no run offsets, duration used as it is (index 7)\n"
	        "invalid_worker_count: 1 in section runtime snapshot: worker "
	        "count removed, sample kept (index 0)\n");
	summarize(true);
	ck_assert_str_eq(
	        lines,
	        "duration_mismatch: 1 in section request: run offsets removed, "
	        "duration kept (index 9)\n"
	        "duplicate_completed_request_id: 8 in section request: removed "
	        "from the analysis (index 0, 1, 2, 3, 4, ...)\n"
	        "invalid_worker_count: 1 in section runtime snapshot: worker "
	        "count removed, sample kept (index 0)\n");
}
END_TEST

START_TEST(cleared_offsets_of_an_excluded_event_count_as_excluded)
{
	struct tailbox__run_request *r = request("a", 20, 20);

	r->end_us = 10;
	r->end_ms--;
	summarize(true);
	ck_assert_str_eq(lines, "inverted_interval: 2 in section request: "
	                        "removed from the analysis (index 0, 0)\n");
}
END_TEST

static int refuse(void *cls, const char *text)
{
	(void)text;
	++*(int *)cls;
	return -ENOMEM;
}

START_TEST(an_error_of_emit_ends_the_summaries)
{
	int calls = 0;

	request("", 0, 0);
	stage("", 0, 0);
	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	ck_assert_int_eq(tailbox__summaries(&in, false, refuse, &calls),
	                 -ENOMEM);
	ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
	long n = 0;
	int ret;

	for (int i = 0; i < 40; i++)
		request("", 0, 10); /* so that the list grows often */
	stage("b", 0, 10);
	queue("b", 0, 10);
	tailbox__list_add(&run->inflight);
	tailbox__list_add(&run->snapshots);

	const long live = tailbox__alloc_live();

	do {
		tailbox__alloc_fail_after(n++);
		ret = tailbox__inspect(run, &in);
		tailbox__alloc_fail_after(-1);
		if (ret != 0) {
			ck_assert_int_eq(ret, -ENOMEM);
			ck_assert_int_eq(tailbox__alloc_live(), live);
			ck_assert_uint_eq(in.issues.count, 0);
		}
	} while (ret != 0);
	ck_assert_int_gt(n, 10);
	tailbox__alloc_fail_after(0);
	ck_assert_int_eq(tailbox__summaries(&in, false, collect, NULL),
	                 -ENOMEM);
}
END_TEST

START_TEST(names_of_codes_and_sections_are_bounded)
{
	ck_assert_str_eq(tailbox__issue_code_name(0), "");
	ck_assert_str_eq(tailbox__issue_code_name(13), "");
	ck_assert_str_eq(tailbox__issue_code_name(UINT_MAX), "");
	ck_assert_str_eq(tailbox__issue_code_name(12), "invalid_worker_count");
	ck_assert_str_eq(tailbox__section_name(6), "");
	ck_assert_str_eq(tailbox__section_name(4), "in-flight");

	char buf[4];
	const struct tailbox__issue i = { .section = 1,
		                          .index = UINT64_MAX - 1,
		                          .field = "route" };

	ck_assert_int_eq(tailbox__issue_location(&i, buf, sizeof(buf)), 35);
	ck_assert_str_eq(buf, "req");
}
END_TEST

/* Not a benchmark: a quadratic step would take minutes. */
START_TEST(two_hundred_thousand_requests_do_not_take_long)
{
	for (int i = 0; i < 200000; i++) {
		char id[16];

		snprintf(id, sizeof(id), "r%d", i % 199999);
		request(id, 0, 100);
		stage(id, 0, 100);
	}

	const clock_t before = clock();

	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	ck_assert_int_lt((clock() - before) / CLOCKS_PER_SEC, 5);
	ck_assert_uint_eq(in.issues.count, 4);
	tailbox__normalize(run, &in);
	ck_assert_uint_eq(run->requests.count, 199998);
	ck_assert_uint_eq(run->stages.count, 199998);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("validate");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_sound_run_has_no_issues);
	tcase_add_test(t, an_empty_run_has_no_issues);
	tcase_add_test(t, metadata_findings_come_first_and_exclude_nothing);
	tcase_add_test(t, finalization_unknown_or_at_the_start_is_fine);
	tcase_add_test(t, blank_fields_of_a_request_are_sorted_by_name);
	tcase_add_test(t, zero_width_space_and_nul_are_not_blank);
	tcase_add_test(
	        t, wall_time_may_stand_still_and_one_ms_back_excludes);
	tcase_add_test(
	        t, both_inversions_of_one_event_the_one_without_field_first);
	tcase_add_test(t, duration_may_be_off_by_2000_us_and_not_by_2001);
	tcase_add_test(t, offsets_alone_inverted_or_absent_exclude_each_other);
	tcase_add_test(t, a_child_may_touch_its_request_but_not_leave_it);
	tcase_add_test(t,
	               containment_is_judged_by_the_offsets_after_clearing);
	tcase_add_test(t, duplicate_ids_exclude_every_bearer_and_its_children);
	tcase_add_test(t, one_valid_and_one_invalid_bearer_make_a_unique_id);
	tcase_add_test(t,
	               two_invalid_bearers_are_excluded_and_not_duplicates);
	tcase_add_test(t, an_unknown_parent_is_an_orphan);
	tcase_add_test(t, a_blank_child_id_is_also_judged_as_a_parent_id);
	tcase_add_test(t, blank_queue_name_sorts_before_request_id);
	tcase_add_test(t, an_invalid_child_gets_the_parent_rule_too);
	tcase_add_test(t, gauges_without_a_name_and_samples_without_workers);
	tcase_add_test(t, ids_that_differ_after_a_nul_are_two);
	tcase_add_test(t, normalizing_takes_extension_data_along);
	tcase_add_test(t, a_normalized_run_is_sound);
	tcase_add_test(t, summaries_group_by_code_section_and_action);
	tcase_add_test(
	        t, cleared_offsets_of_an_excluded_event_count_as_excluded);
	tcase_add_test(t, an_error_of_emit_ends_the_summaries);
	tcase_add_test(t,
	               every_failing_allocation_is_reported_and_leaks_nothing);
	tcase_add_test(t, names_of_codes_and_sections_are_bounded);
	tcase_add_test(t, two_hundred_thousand_requests_do_not_take_long);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
