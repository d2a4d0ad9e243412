/* tests/test_analyze_quality.c - what the evidence lacks, and the warnings.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md sections 10 and 11, and the summaries of section 2. W9 to
 * W11 are in test_analyze_routes.c and test_analyze_segments.c.
 */
#include "tests/analyze_fixture.h"

#define B TAILBOX__SUSPECT_BLOCKING
#define D TAILBOX__SUSPECT_DOWNSTREAM
#define NONE TAILBOX__NONE
#define PRESENT TAILBOX__EVIDENCE_PRESENT
#define MISSING TAILBOX__EVIDENCE_MISSING
#define PARTIAL TAILBOX__EVIDENCE_PARTIAL
#define TRUNCATED TAILBOX__EVIDENCE_TRUNCATED

#define L1 "some evidence is unfinished"
#define L2 "few requests ("
#define L3 "without queues and stages"
#define L4 "no samples of the runtime"
#define L4P "some depths are missing"
#define L5 "evidence was dropped"
#define L6 "the run was cleaned up: "
#define W1 "a limit of the capture was hit"
#define W3 "few requests: "
#define W4 "queues are suspected without"
#define W6 "no samples of the runtime: its side"
#define W6P "to tell workers from offload pools"
#define W7 "the ranking is ambiguous"
#define W8 "some waits or stages are unfinished"

/* Everything is there, and complete. No suspect: it is too little. */
static void add_all(unsigned requests)
{
	again();
	add_requests(requests);
	wait_in_all(10, NONE);
	if (requests > 0)
		add_stage(0, "db", 0, 10);
	add_snapshots(3, 0, 0, 0, 4);
	add_gauge("g", 0, 1);
}

static const struct tailbox__report_quality *quality(void)
{
	analyze();
	return &rep.whole.quality;
}

START_TEST(complete_evidence_is_strong_and_counted)
{
	add_all(20);
	const struct tailbox__report_quality *q = quality();

	ck_assert_int_eq(q->quality, TAILBOX__QUALITY_STRONG);
	ck_assert_uint_eq(q->requests, 20);
	ck_assert_uint_eq(q->queues, 20);
	ck_assert_uint_eq(q->stages, 1);
	ck_assert_uint_eq(q->snapshots, 3);
	ck_assert_uint_eq(q->inflight, 1);
	ck_assert_int_eq(q->request_status, PRESENT);
	ck_assert_int_eq(q->queue_status, PRESENT);
	ck_assert_int_eq(q->stage_status, PRESENT);
	ck_assert_int_eq(q->snapshot_status, PRESENT);
	ck_assert_int_eq(q->inflight_status, PRESENT);
	ck_assert(!q->truncation.limits_hit);
	ck_assert_uint_eq(q->limitations.count, 0);
	ck_assert_uint_eq(rep.whole.warnings.count, 0);
}
END_TEST

START_TEST(without_anything_all_is_missing_and_weak)
{
	const struct tailbox__report_quality *q = quality();

	ck_assert_int_eq(q->quality, TAILBOX__QUALITY_WEAK);
	ck_assert_int_eq(q->request_status, MISSING);
	ck_assert_int_eq(q->queue_status, MISSING);
	ck_assert_int_eq(q->stage_status, MISSING);
	ck_assert_int_eq(q->snapshot_status, MISSING);
	ck_assert_int_eq(q->inflight_status, MISSING);
	EXPECT_TEXTS(&q->limitations, L2, L3, L4);
	EXPECT_TEXTS(&rep.whole.warnings, W3 "0", W6);
}
END_TEST

START_TEST(missing_requests_stand_before_dropped_ones)
{
	run->truncation.dropped_requests = 1;
	ck_assert_int_eq(quality()->request_status, MISSING);
	add_all(5);
	run->truncation.dropped_requests = 1;
	ck_assert_int_eq(quality()->request_status, TRUNCATED);
	ck_assert_int_eq(quality()->quality, TAILBOX__QUALITY_WEAK);
	ck_assert(quality()->truncation.limits_hit);
}
END_TEST

START_TEST(few_requests_are_partial_and_weak)
{
	for (unsigned n = 19; n <= 20; n++) {
		add_all(n);
		ck_assert_int_eq(quality()->request_status,
		                 n < 20 ? PARTIAL : PRESENT);
		ck_assert_int_eq(quality()->quality,
		                 n < 20 ? TAILBOX__QUALITY_WEAK
		                        : TAILBOX__QUALITY_STRONG);
	}
	add_all(19);
	quality();
	EXPECT_TEXTS(&rep.whole.quality.limitations, L2 "19, fewer than 20)");
	EXPECT_TEXTS(&rep.whole.warnings, W3 "19");
}
END_TEST

START_TEST(dropped_events_stand_before_missing_and_partial_ones)
{
	for (int has = 0; has < 2; has++) {
		add_all(20);
		run->stages.items[0].flags |= TAILBOX__PARTIAL;
		if (!has)
			run->queues.count = run->stages.count =
			        run->snapshots.count = run->inflight.count = 0;
		run->truncation.dropped_queues = 1;
		run->truncation.dropped_stages = 2;
		run->truncation.dropped_runtime_snapshots = 3;
		run->truncation.dropped_inflight_snapshots = 4;
		quality();
		ck_assert_int_eq(rep.whole.quality.queue_status, TRUNCATED);
		ck_assert_int_eq(rep.whole.quality.stage_status, TRUNCATED);
		ck_assert_int_eq(rep.whole.quality.snapshot_status, TRUNCATED);
		ck_assert_int_eq(rep.whole.quality.inflight_status, TRUNCATED);
	}
}
END_TEST

START_TEST(one_truncated_family_makes_partial)
{
	static const struct tailbox__run_truncation rows[] = {
		{ .dropped_queues = 1 },
		{ .dropped_stages = 1 },
		{ .dropped_runtime_snapshots = 1 },
		{ .dropped_inflight_snapshots = 1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		add_all(20);
		run->truncation = rows[i];
		ck_assert_int_eq(quality()->quality, TAILBOX__QUALITY_PARTIAL);
		EXPECT_TEXTS(&rep.whole.quality.limitations, L5);
		ck_assert_uint_eq(rep.whole.warnings.count, 2);
	}
	/* The mark alone, without a counter, does not. */
	add_all(20);
	run->truncation.limits_hit = true;
	ck_assert_int_eq(quality()->quality, TAILBOX__QUALITY_STRONG);
	EXPECT_TEXTS(&rep.whole.quality.limitations, L5);
	EXPECT_TEXTS(&rep.whole.warnings, W1);
}
END_TEST

START_TEST(without_queues_and_stages_it_is_partial_without_samples_weak)
{
	add_all(20);
	run->queues.count = 0;
	ck_assert_int_eq(quality()->quality, TAILBOX__QUALITY_STRONG);
	ck_assert_uint_eq(rep.whole.quality.limitations.count, 0);
	run->stages.count = 0;
	ck_assert_int_eq(quality()->quality, TAILBOX__QUALITY_PARTIAL);
	EXPECT_TEXTS(&rep.whole.quality.limitations, L3);
	run->snapshots.count = 0;
	ck_assert_int_eq(quality()->quality, TAILBOX__QUALITY_WEAK);
	EXPECT_TEXTS(&rep.whole.quality.limitations, L3, L4);
	/* No samples, but events: strong. */
	add_all(20);
	run->snapshots.count = run->inflight.count = 0;
	ck_assert_int_eq(quality()->quality, TAILBOX__QUALITY_STRONG);
	EXPECT_TEXTS(&rep.whole.quality.limitations, L4);
	/* L3: missing or truncated, each. */
	add_all(20);
	run->queues.count = 0;
	run->truncation.dropped_stages = 1;
	quality();
	EXPECT_TEXTS(&rep.whole.quality.limitations, L3, L5);
}
END_TEST

START_TEST(unfinished_events_make_partial_and_are_counted)
{
	add_all(20);
	run->queues.items[3].flags |= TAILBOX__PARTIAL;
	quality();
	ck_assert_int_eq(rep.whole.quality.queue_status, PARTIAL);
	ck_assert_int_eq(rep.whole.quality.stage_status, PRESENT);
	ck_assert_int_eq(rep.whole.quality.quality, TAILBOX__QUALITY_PARTIAL);
	EXPECT_TEXTS(&rep.whole.quality.limitations,
	             L1 " and gives lower bounds (queues: 19 finished, 1 not; "
	                "stages: 1 finished, 0 not)");
	EXPECT_TEXTS(&rep.whole.warnings, W8);
	add_all(20);
	run->stages.items[0].flags |= TAILBOX__PARTIAL;
	quality();
	ck_assert_int_eq(rep.whole.quality.queue_status, PRESENT);
	ck_assert_int_eq(rep.whole.quality.stage_status, PARTIAL);
	ck_assert_int_eq(rep.whole.quality.quality, TAILBOX__QUALITY_PARTIAL);
	EXPECT_TEXTS(&rep.whole.warnings, W8);
}
END_TEST

START_TEST(a_depth_that_is_null_in_all_makes_samples_partial)
{
	for (int field = 0; field < 4; field++) {
		add_all(20);
		for (size_t i = 0; i < 3; i++) {
			struct tailbox__run_snapshot *s =
			        &run->snapshots.items[i];
			uint64_t *const of[] = { &s->blocking_queue_depth,
				                 &s->local_queue_depth,
				                 &s->global_queue_depth,
				                 &s->alive_tasks };
			*of[field] = NONE;
		}
		quality();
		ck_assert_int_eq(rep.whole.quality.snapshot_status,
		                 field < 3 ? PARTIAL : PRESENT);
		ck_assert_int_eq(rep.whole.quality.quality,
		                 field < 3 ? TAILBOX__QUALITY_PARTIAL
		                           : TAILBOX__QUALITY_STRONG);
		if (field < 3)
			EXPECT_TEXTS(&rep.whole.quality.limitations, L4P);
		/* Without B and C it is no warning. */
		ck_assert_uint_eq(rep.whole.warnings.count, 0);
		run->truncation.dropped_runtime_snapshots = 1;
		quality();
		EXPECT_TEXTS(&rep.whole.quality.limitations, L5);
	}
}
END_TEST

START_TEST(limitations_keep_their_order)
{
	add_all(3);
	run->stages.count = 0;
	run->queues.items[0].flags |= TAILBOX__PARTIAL;
	run->truncation.dropped_queues = 7;
	for (size_t i = 0; i < 3; i++)
		run->snapshots.items[i].local_queue_depth = NONE;
	run->requests.items[2].flags = 0; /* a summary */
	quality();
	EXPECT_TEXTS(&rep.whole.quality.limitations, L1, L2, L3, L4P, L5, L6);
}
END_TEST

/* --- warnings ---------------------------------------------------------- */

START_TEST(warnings_keep_their_order)
{
	add_requests(10);
	wait_in_all(990, 40); /* A of 22 + 70 + 26 + 1: 95 */
	stage_in_all("db", 900); /* D of 24 + 81 + 25 + 1: 95 */
	run->stages.items[0].flags |= TAILBOX__PARTIAL;
	run->truncation = (struct tailbox__run_truncation){
		.dropped_requests = 11,
		.dropped_stages = 22,
		.dropped_queues = 33,
		.dropped_inflight_snapshots = 44,
		.dropped_runtime_snapshots = 55,
	};
	run->requests.items[9].flags = 0;
	run->meta.service_name = tailbox__run_cstr(run, "");
	analyze();
	ck_assert_uint_eq(suspect(D)->score, 95);
	EXPECT_TEXTS(&rep.whole.warnings, "empty_required_field",
	             "precise_interval_validation_unavailable", W1,
	             "11 requests were dropped: limit max_requests",
	             "22 stages were dropped: limit max_stages",
	             "33 queues were dropped: limit max_queues",
	             "44 in-flight samples were dropped: limit "
	             "max_inflight_snapshots",
	             "55 runtime samples were dropped: limit "
	             "max_runtime_snapshots",
	             W3 "10", W7, W8);
}
END_TEST

START_TEST(each_summary_is_a_warning_and_a_limitation)
{
	add_all(22);
	run->queues.count = 20; /* those of the two requests would be others */
	run->requests.items[20].flags = 0;
	run->requests.items[21].end_us += 2001;
	quality();
	EXPECT_TEXTS(&rep.whole.warnings, "duration_mismatch",
	             "precise_interval_validation_unavailable");
	ck_assert_uint_eq(rep.whole.quality.limitations.count, 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert_ptr_nonnull(
		        strstr(rep.whole.quality.limitations.items[i],
		               rep.whole.warnings.items[i]));
	ck_assert_uint_eq(rep.whole.request_count, 22);
}
END_TEST

START_TEST(what_normalization_removes_does_not_count)
{
	add_all(22);
	run->requests.items[0].end_ms--;
	run->requests.items[0].start_ms++;
	add_stage(1, "db", 0, 5)->request = tailbox__run_cstr(run, "nobody");
	add_gauge(" ", 0, 5);
	quality();
	ck_assert_uint_eq(rep.whole.quality.requests, 21);
	ck_assert_uint_eq(rep.whole.quality.queues, 21);
	ck_assert_uint_eq(rep.whole.quality.stages, 0);
	ck_assert_uint_eq(rep.whole.quality.inflight, 1);
	ck_assert_uint_eq(rep.trend.peak_count, 1);
	/* An unfinished event that is removed is no reason for W8. */
	ck_assert(!tells(&rep.whole.warnings, W8));
	add_all(20);
	add_stage(1, "db", 0, 5)->request = tailbox__run_cstr(run, "nobody");
	run->stages.items[1].flags |= TAILBOX__PARTIAL;
	quality();
	ck_assert(!tells(&rep.whole.warnings, W8));
	ck_assert_int_eq(rep.whole.quality.stage_status, PRESENT);
}
END_TEST

START_TEST(queues_suspected_without_queues_are_a_warning)
{
	add_requests(20);
	o.v[TAILBOX__OPT_QUEUEING_TRIGGER_PERMILLE] = 0;
	analyze();
	EXPECT_TEXTS(&rep.whole.warnings, W4, W6);
	add_queue(0, 0, 0, NONE);
	analyze();
	EXPECT_TEXTS(&rep.whole.warnings, W6);
}
END_TEST

START_TEST(an_unknown_runtime_is_excused_by_the_score_of_the_primary)
{
	/* 22 + 59 + 0 + 3 = 84 and, with a depth of 2, 85. */
	for (uint64_t depth = 1; depth <= 2; depth++) {
		again();
		add_requests(20);
		wait_in_all(839, depth);
		analyze();
		ck_assert_uint_eq(rep.whole.suspects[0].score, 83 + depth);
		ck_assert_int_eq(tells(&rep.whole.warnings, W6), depth < 2);
	}
	/* By the score, not by the confidence it came to (trap 22). */
	run->truncation.dropped_requests = 1;
	analyze();
	ck_assert_int_eq(rep.whole.suspects[0].confidence,
	                 TAILBOX__CONFIDENCE_MEDIUM);
	ck_assert(!tells(&rep.whole.warnings, W6));
	o.v[TAILBOX__OPT_CONFIDENCE_HIGH] = 86;
	analyze();
	ck_assert(tells(&rep.whole.warnings, W6));
	again();
	add_requests(20);
	stage_in_all("db", 900);
	analyze();
	ck_assert(!tells(&rep.whole.warnings, W6));
}
END_TEST

START_TEST(depths_to_tell_workers_from_pools_are_asked_for)
{
	static const struct {
		uint64_t global, local, blocking;
		bool is_warned;
	} rows[] = {
		{ 0, 0, 9, false },    { 9, 0, 0, false },
		{ NONE, 0, 9, false }, { 0, NONE, 9, true },
		{ 9, 0, NONE, true },  { 9, NONE, NONE, true },
		{ 0, NONE, 0, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		again();
		add_requests(20);
		add_snapshots(1, rows[i].global, rows[i].local,
		              rows[i].blocking, 0);
		analyze();
		ck_assert_msg(tells(&rep.whole.warnings, W6P) ==
		                      rows[i].is_warned,
		              "%zu", i);
	}
}
END_TEST

START_TEST(two_close_high_scores_are_ambiguous)
{
	/* C: 34 + 25 + 1 = 60; B: 32 + P + P/2 + 12 + 1 */
	static const struct {
		uint64_t blocking;
		unsigned score;
		bool is_ambiguous;
	} rows[] = { { 9, 58, false }, { 10, 60, true },
		     { 12, 63, true }, { 13, 64, true },
		     { 14, 66, false } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		again();
		add_requests(20);
		add_snapshots(8, 2, 0, rows[i].blocking, 1);
		analyze();
		ck_assert_uint_eq(suspect(B)->score, rows[i].score);
		ck_assert_msg(tells(&rep.whole.warnings, W7) ==
		                      rows[i].is_ambiguous,
		              "%zu", i);
	}
	/* One alone is not, whatever the options are. */
	again();
	add_snapshots(8, NONE, 0, 12, 1);
	o.v[TAILBOX__OPT_CONFIDENCE_AMBIGUITY_MIN_SCORE] = 0;
	o.v[TAILBOX__OPT_CONFIDENCE_AMBIGUITY_GAP] = 100;
	analyze();
	ck_assert(!tells(&rep.whole.warnings, W7));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze_quality");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, complete_evidence_is_strong_and_counted);
	tcase_add_test(t, without_anything_all_is_missing_and_weak);
	tcase_add_test(t, missing_requests_stand_before_dropped_ones);
	tcase_add_test(t, few_requests_are_partial_and_weak);
	tcase_add_test(t, dropped_events_stand_before_missing_and_partial_ones);
	tcase_add_test(t, one_truncated_family_makes_partial);
	tcase_add_test(
	        t,
	        without_queues_and_stages_it_is_partial_without_samples_weak);
	tcase_add_test(t, unfinished_events_make_partial_and_are_counted);
	tcase_add_test(t, a_depth_that_is_null_in_all_makes_samples_partial);
	tcase_add_test(t, limitations_keep_their_order);
	tcase_add_test(t, warnings_keep_their_order);
	tcase_add_test(t, each_summary_is_a_warning_and_a_limitation);
	tcase_add_test(t, what_normalization_removes_does_not_count);
	tcase_add_test(t, queues_suspected_without_queues_are_a_warning);
	tcase_add_test(
	        t, an_unknown_runtime_is_excused_by_the_score_of_the_primary);
	tcase_add_test(t, depths_to_tell_workers_from_pools_are_asked_for);
	tcase_add_test(t, two_close_high_scores_are_ambiguous);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
