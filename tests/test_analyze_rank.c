/* tests/test_analyze_rank.c - from scores to confidence, notes and order.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md sections 7, 8 and 9: every row of the table of caps, for
 * the kinds that it applies to and for those that it does not.
 */
#include <stddef.h>

#include "tests/analyze_fixture.h"

#define A TAILBOX__SUSPECT_QUEUE
#define B TAILBOX__SUSPECT_BLOCKING
#define C TAILBOX__SUSPECT_EXECUTOR
#define D TAILBOX__SUSPECT_DOWNSTREAM
#define E TAILBOX__SUSPECT_UNKNOWN
#define LOW TAILBOX__CONFIDENCE_LOW
#define MEDIUM TAILBOX__CONFIDENCE_MEDIUM
#define HIGH TAILBOX__CONFIDENCE_HIGH
#define NONE TAILBOX__NONE

#define FEW "few finished requests"
#define DROPPED "dropped by the limits"
#define UNFINISHED_WAITS "unfinished waits"
#define UNFINISHED_STAGES "unfinished stages"
#define NO_QUEUES "no evidence of queues"
#define NO_DEPTHS "never recorded"
#define NO_LOCAL "local depths are missing"
#define CLOSE "scores of the leading suspects are close"

/* A run with one suspect, of high confidence. */
static void add_only(enum tailbox__suspect_kind kind, unsigned requests)
{
	again();
	add_requests(requests);
	switch (kind) {
	case A: /* 95 */
		wait_in_all(990, 40);
		break;
	case B: /* 32 + 24 + 12 + 12 + 8 = 88 */
		add_snapshots(100, 0, 0, 24, 4);
		break;
	case C: /* 34 + 55 + 8 = 97 */
		add_snapshots(100, 40, 0, 0, 4);
		break;
	case D: /* 95 */
		stage_in_all("db", 900);
		break;
	case E:
	default:
		break;
	}
}

static const struct tailbox__suspect *only(enum tailbox__suspect_kind kind)
{
	analyze();
	ck_assert_uint_eq(rep.whole.suspect_count, 1);
	ck_assert_int_eq(rep.whole.suspects[0].kind, kind);
	return &rep.whole.suspects[0];
}

static void expect_high(enum tailbox__suspect_kind kind)
{
	const struct tailbox__suspect *s = only(kind);

	ck_assert_int_eq(s->confidence, HIGH);
	ck_assert_uint_eq(s->notes.count, 0);
}

#define EXPECT(kind, bucket, ...)                                              \
	do {                                                                   \
		const struct tailbox__suspect *s_ = only(kind);                \
		ck_assert_int_eq(s_->confidence, bucket);                      \
		EXPECT_TEXTS(&s_->notes, __VA_ARGS__);                         \
	} while (0)

static const enum tailbox__suspect_kind kinds[] = { A, B, C, D };

/* --- buckets ----------------------------------------------------------- */

START_TEST(confidence_begins_at_its_thresholds)
{
	add_only(C, 20);
	run->snapshots.count = 1; /* 34 + 55 = 89 */
	for (unsigned high = 88; high <= 90; high++) {
		o.v[TAILBOX__OPT_CONFIDENCE_HIGH] = high;
		ck_assert_int_eq(only(C)->confidence,
		                 high <= 89 ? HIGH : MEDIUM);
	}
	for (unsigned medium = 88; medium <= 90; medium++) {
		o.v[TAILBOX__OPT_CONFIDENCE_MEDIUM] = medium;
		ck_assert_int_eq(only(C)->confidence,
		                 medium <= 89 ? MEDIUM : LOW);
	}
}
END_TEST

START_TEST(insufficient_evidence_keeps_its_bucket_and_has_no_notes)
{
	o.v[TAILBOX__OPT_CONFIDENCE_HIGH] = 50;
	o.v[TAILBOX__OPT_CONFIDENCE_MEDIUM] = 50;
	run->truncation.dropped_requests = 1;
	ck_assert_int_eq(only(E)->confidence, HIGH);
	ck_assert_uint_eq(only(E)->notes.count, 0);
	o.v[TAILBOX__OPT_CONFIDENCE_HIGH] = 51;
	ck_assert_int_eq(only(E)->confidence, MEDIUM);
	o.v[TAILBOX__OPT_CONFIDENCE_MEDIUM] = 51;
	ck_assert_int_eq(only(E)->confidence, LOW);
}
END_TEST

/* --- rows 1 to 4: all kinds -------------------------------------------- */

START_TEST(without_a_cause_nothing_is_lowered)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		add_only(kinds[i], 20);
		expect_high(kinds[i]);
	}
}
END_TEST

START_TEST(no_requests_make_low_and_few_make_medium)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		add_only(kinds[i], 19);
		EXPECT(kinds[i], MEDIUM, FEW);
		o.v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS] = 19;
		expect_high(kinds[i]);
	}
	add_only(B, 0);
	EXPECT(B, LOW, FEW);
	o.v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS] = 0;
	EXPECT(B, LOW, FEW);
	add_only(C, 0);
	EXPECT(C, LOW, FEW);
}
END_TEST

START_TEST(dropped_requests_concern_all_kinds)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		add_only(kinds[i], 20);
		run->truncation.dropped_requests = 1;
		EXPECT(kinds[i], MEDIUM, DROPPED);
	}
}
END_TEST

START_TEST(weak_evidence_alone_lowers_without_a_note_of_its_own)
{
	/* Neither queues nor stages nor samples: only A with trigger 0. */
	add_requests(20);
	o.v[TAILBOX__OPT_QUEUEING_TRIGGER_PERMILLE] = 0;
	o.v[TAILBOX__OPT_CONFIDENCE_HIGH] = 20;
	o.v[TAILBOX__OPT_CONFIDENCE_MEDIUM] = 10;
	EXPECT(A, MEDIUM, NO_QUEUES);
	/* A sample makes it better; row 7 is left. */
	add_snapshots(1, NONE, NONE, NONE, 0);
	EXPECT(A, MEDIUM, NO_QUEUES);
	add_queue(0, 0, 0, NONE);
	expect_high(A);
}
END_TEST

/* --- rows 5 to 15: of a kind ------------------------------------------- */

START_TEST(dropped_events_concern_their_kind_only)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const enum tailbox__suspect_kind k = kinds[i];

		add_only(k, 20);
		run->truncation.dropped_queues = 1;
		if (k == A)
			EXPECT(k, MEDIUM, DROPPED);
		else
			expect_high(k);
		add_only(k, 20);
		run->truncation.dropped_stages = 1;
		if (k == D)
			EXPECT(k, MEDIUM, DROPPED);
		else
			expect_high(k);
		add_only(k, 20);
		run->truncation.dropped_runtime_snapshots = 1;
		if (k == B || k == C)
			EXPECT(k, MEDIUM, DROPPED);
		else
			expect_high(k);
		add_only(k, 20);
		run->truncation.dropped_inflight_snapshots = 1;
		run->truncation.limits_hit = true;
		expect_high(k);
	}
}
END_TEST

START_TEST(a_note_is_not_repeated_and_notes_keep_their_order)
{
	add_only(A, 19);
	run->truncation.dropped_requests = 1;
	run->truncation.dropped_queues = 1;
	EXPECT(A, MEDIUM, FEW, DROPPED);
	add_only(C, 19);
	run->truncation.dropped_requests = 1;
	run->truncation.dropped_runtime_snapshots = 1;
	for (size_t i = 0; i < run->snapshots.count; i++)
		run->snapshots.items[i].local_queue_depth = NONE;
	EXPECT(C, MEDIUM, FEW, DROPPED, NO_DEPTHS, NO_LOCAL);
	/* DROPPED of the second row comes after what stands between. */
	add_only(A, 20);
	for (uint32_t i = 0; i < 20; i++)
		run->queues.items[i].flags |= TAILBOX__PARTIAL;
	run->truncation.dropped_queues = 1;
	EXPECT(A, MEDIUM, UNFINISHED_WAITS, DROPPED);
	run->truncation.dropped_requests = 1;
	EXPECT(A, MEDIUM, DROPPED, UNFINISHED_WAITS);
}
END_TEST

START_TEST(unfinished_evidence_is_told_also_when_nothing_is_lowered)
{
	add_requests(20);
	for (uint32_t i = 0; i < 20; i++)
		add_queue(i, 0, 300, NONE)->flags |= TAILBOX__PARTIAL;
	EXPECT(A, LOW, UNFINISHED_WAITS); /* trap 21 */
	run->truncation.dropped_requests = 1;
	EXPECT(A, LOW, DROPPED, UNFINISHED_WAITS);
	again();
	add_requests(20);
	for (uint32_t i = 0; i < 20; i++)
		add_stage(i, "db", 0, 300)->flags |= TAILBOX__PARTIAL;
	EXPECT(D, LOW, UNFINISHED_STAGES);
	again();
	add_requests(20);
	for (uint32_t i = 0; i < 20; i++)
		add_stage(i, "db", 0, 990)->flags |= TAILBOX__PARTIAL;
	EXPECT(D, MEDIUM, UNFINISHED_STAGES);
	/* With finished ones as the basis it is not told. */
	add_only(D, 20);
	add_stage(0, "db", 0, 10)->flags |= TAILBOX__PARTIAL;
	expect_high(D);
}
END_TEST

START_TEST(a_cap_that_lowers_nothing_is_not_told)
{
	add_only(A, 19);
	for (uint32_t i = 0; i < 19; i++) { /* 22 + 35 + 1: low */
		run->queues.items[i].end_us =
		        run->queues.items[i].start_us + 500;
		run->queues.items[i].dur_us = 500;
		run->queues.items[i].depth = NONE;
		run->queues.items[i].end_ms = run->queues.items[i].start_ms;
	}
	run->truncation.dropped_requests = 1;
	run->truncation.dropped_queues = 1;
	analyze();
	ck_assert_uint_eq(rep.whole.suspects[0].score, 22 + 35 + 1);
	ck_assert_int_eq(rep.whole.suspects[0].confidence, LOW);
	ck_assert_uint_eq(rep.whole.suspects[0].notes.count, 0);
	/* Low for its score, and no requests: the same. */
	again();
	add_snapshots(3, 0, 0, 1, 4);
	analyze();
	ck_assert_int_eq(suspect(B)->confidence, LOW);
	ck_assert_uint_eq(suspect(B)->notes.count, 0);
}
END_TEST

static void forget(size_t field)
{
	for (size_t i = 0; i < run->snapshots.count; i++) {
		struct tailbox__run_snapshot *s = &run->snapshots.items[i];

		*(uint64_t *)(void *)((char *)s + field) = NONE;
	}
}
#define FORGET(field) forget(offsetof(struct tailbox__run_snapshot, field))

START_TEST(a_depth_that_is_null_in_all_lowers_what_is_of_the_runtime)
{
	add_only(B, 20);
	FORGET(local_queue_depth);
	EXPECT(B, MEDIUM, NO_DEPTHS);
	run->snapshots.items[7].local_queue_depth = 0;
	expect_high(B);
	FORGET(global_queue_depth);
	EXPECT(B, MEDIUM, NO_DEPTHS);
	run->snapshots.items[7].global_queue_depth = 0;
	expect_high(B);
	FORGET(alive_tasks);
	FORGET(remote_schedule_count);
	expect_high(B);
	add_only(C, 20);
	FORGET(blocking_queue_depth);
	EXPECT(C, MEDIUM, NO_DEPTHS);
	run->snapshots.items[7].blocking_queue_depth = 0;
	expect_high(C);
	run->snapshots.items[7].local_queue_depth = NONE;
	EXPECT(C, MEDIUM, NO_LOCAL);
	add_only(A, 20);
	add_snapshots(1, NONE, NONE, NONE, 0);
	expect_high(A);
}
END_TEST

START_TEST(workers_that_cannot_be_used_are_named)
{
	static const struct {
		uint32_t first;
		uint32_t flags;
		const char *name;
	} rows[] = {
		{ 5, TAILBOX__HAS_WORKERS, "Inconsistent" },
		{ 0, TAILBOX__HAS_WORKERS, "InvalidZero" },
		{ 4, 0, "Partial" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (unsigned depth = 1; depth < 200; depth += 160) {
			add_only(C, 20);
			for (size_t k = 0; k < 100; k++)
				run->snapshots.items[k].global_queue_depth =
				        depth;
			run->snapshots.items[0].worker_count = rows[i].first;
			run->snapshots.items[0].flags = rows[i].flags;
			analyze();
			/* 34 + 0 + 8: low anyway; 34 + 37 + 8 */
			ck_assert_int_eq(suspect(C)->confidence,
			                 depth > 1 ? MEDIUM : LOW);
			EXPECT_TEXTS(&suspect(C)->notes, rows[i].name);
		}
	}
	/* None at all is not ambiguous. */
	add_only(C, 20);
	for (size_t k = 0; k < 100; k++) {
		run->snapshots.items[k].flags = 0;
		run->snapshots.items[k].global_queue_depth = 150;
		run->snapshots.items[k].local_queue_depth = 60;
	}
	analyze();
	ck_assert_uint_eq(suspect(C)->score, 34 + 37 + 10 + 8);
	ck_assert_int_eq(suspect(C)->confidence, HIGH);
	ck_assert_uint_eq(suspect(C)->notes.count, 0);
}
END_TEST

/* --- row 16 ------------------------------------------------------------ */

/* Stages of score 95 and queues of 22 + 65 + 3 and so much. */
static void add_two(unsigned more)
{
	again();
	add_requests(20);
	stage_in_all("db", 900);
	wait_in_all(910, more * 3 / 2 + more % 2);
}

START_TEST(suspects_that_are_close_are_medium)
{
	add_two(1);
	analyze(); /* 95 and 91 */
	ck_assert_uint_eq(suspect(D)->score, 95);
	ck_assert_uint_eq(suspect(A)->score, 91);
	EXPECT_TEXTS(&suspect(A)->notes, CLOSE);
	EXPECT_TEXTS(&suspect(D)->notes, CLOSE);
	ck_assert_int_eq(suspect(D)->confidence, MEDIUM);
	ck_assert_int_eq(rep.whole.suspects[0].kind, D);
	add_two(0);
	analyze(); /* 95 and 90: too far */
	ck_assert_uint_eq(suspect(A)->score, 90);
	ck_assert_uint_eq(suspect(A)->notes.count, 0);
	ck_assert_int_eq(suspect(D)->confidence, HIGH);
	o.v[TAILBOX__OPT_CONFIDENCE_AMBIGUITY_GAP] = 5;
	analyze();
	EXPECT_TEXTS(&suspect(A)->notes, CLOSE);
	o.v[TAILBOX__OPT_CONFIDENCE_AMBIGUITY_MIN_SCORE] = 90;
	analyze();
	EXPECT_TEXTS(&suspect(A)->notes, CLOSE);
	o.v[TAILBOX__OPT_CONFIDENCE_AMBIGUITY_MIN_SCORE] = 91;
	analyze(); /* one is left, which is no cluster */
	ck_assert_uint_eq(suspect(A)->notes.count, 0);
	ck_assert_uint_eq(suspect(D)->notes.count, 0);
}
END_TEST

START_TEST(of_three_the_one_that_is_far_is_no_member)
{
	add_two(1);
	add_snapshots(100, 0, 0, 24, 4); /* 88 */
	analyze();
	EXPECT_TEXTS(&suspect(A)->notes, CLOSE);
	EXPECT_TEXTS(&suspect(D)->notes, CLOSE);
	ck_assert_uint_eq(suspect(B)->notes.count, 0);
	ck_assert_int_eq(suspect(B)->confidence, HIGH);
	/* So that the lowest score is the primary one (section 9). */
	ck_assert_int_eq(rep.whole.suspects[0].kind, B);
	ck_assert_int_eq(rep.whole.suspects[1].kind, D);
	ck_assert_int_eq(rep.whole.suspects[2].kind, A);
}
END_TEST

/* --- order ------------------------------------------------------------- */

START_TEST(of_equal_confidence_and_score_the_kind_decides)
{
	/* 95 each; B and C: 88 and 97. */
	add_requests(20);
	stage_in_all("db", 900);
	wait_in_all(990, 40);
	add_snapshots(100, 40, 0, 24, 4);
	o.v[TAILBOX__OPT_CONFIDENCE_AMBIGUITY_MIN_SCORE] = 100;
	analyze();
	static const enum tailbox__suspect_kind want[] = { C, A, D, B };
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(rep.whole.suspects[i].kind, want[i]);
	/* Clustered C, A, D (97, 95, 95) fall behind B. */
	o.v[TAILBOX__OPT_CONFIDENCE_AMBIGUITY_MIN_SCORE] = 60;
	analyze();
	static const enum tailbox__suspect_kind then[] = { B, C, A, D };
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(rep.whole.suspects[i].kind, then[i]);
	/* Medium before low, whatever the scores of others. */
	o.v[TAILBOX__OPT_CONFIDENCE_MEDIUM] = 95;
	o.v[TAILBOX__OPT_CONFIDENCE_HIGH] = 100;
	analyze();
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(rep.whole.suspects[i].kind, want[i]);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze_rank");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, confidence_begins_at_its_thresholds);
	tcase_add_test(
	        t, insufficient_evidence_keeps_its_bucket_and_has_no_notes);
	tcase_add_test(t, without_a_cause_nothing_is_lowered);
	tcase_add_test(t, no_requests_make_low_and_few_make_medium);
	tcase_add_test(t, dropped_requests_concern_all_kinds);
	tcase_add_test(
	        t, weak_evidence_alone_lowers_without_a_note_of_its_own);
	tcase_add_test(t, dropped_events_concern_their_kind_only);
	tcase_add_test(t, a_note_is_not_repeated_and_notes_keep_their_order);
	tcase_add_test(
	        t, unfinished_evidence_is_told_also_when_nothing_is_lowered);
	tcase_add_test(t, a_cap_that_lowers_nothing_is_not_told);
	tcase_add_test(
	        t, a_depth_that_is_null_in_all_lowers_what_is_of_the_runtime);
	tcase_add_test(t, workers_that_cannot_be_used_are_named);
	tcase_add_test(t, suspects_that_are_close_are_medium);
	tcase_add_test(t, of_three_the_one_that_is_far_is_no_member);
	tcase_add_test(t, of_equal_confidence_and_score_the_kind_decides);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
