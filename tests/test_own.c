/* tests/test_own.c - suspects of ours from the phases of requests, and
 * input that makes no sense.
 *
 * SPDX-License-Identifier: MIT
 *
 * doc/analysis.md, "Suspects of tailbox's own". What is expected is counted by
 * hand from what is written here.
 */
#include "tests/own_fixture.h"

/* --- scores and single phases ------------------------------------------ */

START_TEST(a_score_adds_up_and_is_capped_unless_all_points_the_same_way)
{
	ck_assert_uint_eq(tailbox__own_score(0, 0, 0), 24);
	ck_assert_uint_eq(tailbox__own_score(11, 0, 0), 25);
	ck_assert_uint_eq(tailbox__own_score(10, 35, 0), 25);
	ck_assert_uint_eq(tailbox__own_score(10, 34, 7), 24);
	ck_assert_uint_eq(tailbox__own_score(10, 34, 8), 25);
	ck_assert_uint_eq(tailbox__own_score(500, 100, 100), 24 + 45 + 2 + 8);
	ck_assert_uint_eq(tailbox__own_score(960, 920, 20), 100);
	ck_assert_uint_eq(tailbox__own_score(959, 920, 20), 95);
	ck_assert_uint_eq(tailbox__own_score(960, 919, 20), 95);
	ck_assert_uint_eq(tailbox__own_score(960, 920, 19), 95);
	ck_assert_uint_eq(tailbox__own_score(NONE, NONE, 0), 95);
}
END_TEST

static const struct {
	enum tailbox__suspect_kind kind;
	enum tailbox__phase phase;
} phases[] = {
	{ TAILBOX__SUSPECT_UPLOAD, TAILBOX__PHASE_BODY },
	{ TAILBOX__SUSPECT_DOWNLOAD, TAILBOX__PHASE_SEND },
	{ TAILBOX__SUSPECT_RESUME, TAILBOX__PHASE_RESUME },
};

/* So much of a phase over the first n of 20 requests. */
static void spread(size_t which, uint32_t n, uint64_t us)
{
	again();
	base(20);
	for (uint32_t i = 0; i < n; i++) {
		phase(i, phases[which].phase, us / n + (i == 0 ? us % n : 0));
		ext(i)->bytes_out = 16384;
	}
}

START_TEST(a_phase_is_told_from_a_fifth_of_the_time_in_three_requests)
{
	for (size_t k = 0; k < COUNT(phases); k++) {
		const enum tailbox__suspect_kind kind = phases[k].kind;

		spread(k, 4, 3999);
		analyze();
		EXPECT_OUT(kind, "19.9% of slow requests' time");
		spread(k, 4, 4000);
		ck_assert_uint_eq(score_of(kind), 24 + 18 + 5);
		EXPECT_LIKELY(kind);
		ck_assert_uint_eq(figure(kind, "tail_permille"), 200);
		ck_assert_uint_eq(figure(kind, "requests"), 4);
		ck_assert(tells(&suspect(kind)->evidence,
		                "20.0% of the slowest requests' time"));
		ck_assert(tells(&suspect(kind)->evidence, "in 4 of 20"));
		ck_assert_uint_eq(suspect(kind)->next_checks.count, 2);
		spread(k, 3, 4020);
		ck_assert_uint_eq(score_of(kind), 24 + 18 + 5);
		ck_assert_uint_eq(figure(kind, "tail_permille"), 201);
		spread(k, 2, 20000);
		analyze();
		EXPECT_OUT(kind, "100.0% of slow requests' time");
		spread(k, 20, 20000);
		ck_assert_uint_eq(score_of(kind), 100);
	}
}
END_TEST

START_TEST(tail_and_all_are_told_apart)
{
	/* Of 20 the slowest is p95: 1 ms of 20 ms is slow time. */
	for (uint32_t i = 0; i < 20; i++) {
		add_request("/r", i * 1000, i < 19 ? 1000 - 1 : 1000);
		phase(i, TAILBOX__PHASE_BODY, i == 7 ? 500 : i >= 17 ? 220 : 0);
	}
	/* T = 220, C = 1160 / 19981 = 58 */
	ck_assert_uint_eq(score_of(TAILBOX__SUSPECT_UPLOAD), 24 + 20 + 1);
	ck_assert_uint_eq(figure(TAILBOX__SUSPECT_UPLOAD, "tail_permille"),
	                  220);
}
END_TEST

START_TEST(phases_that_nobody_recorded_cannot_be_told)
{
	base(20);
	analyze();
	EXPECT_CANNOT(TAILBOX__SUSPECT_UPLOAD, "no such phase recorded");
	EXPECT_CANNOT(TAILBOX__SUSPECT_DOWNLOAD, "no such phase recorded");
	EXPECT_CANNOT(TAILBOX__SUSPECT_RESUME, "no such phase recorded");
	EXPECT_CANNOT(BLOCKED, "waits for a worker were not recorded");
	/* Phases are recorded, and these did not occur. */
	phase(3, TAILBOX__PHASE_HANDLER, 0);
	analyze();
	EXPECT_OUT(TAILBOX__SUSPECT_UPLOAD, "no request had a body");
	EXPECT_CANNOT(TAILBOX__SUSPECT_DOWNLOAD, "no such phase recorded");
	EXPECT_OUT(TAILBOX__SUSPECT_RESUME, "no request was suspended");
	EXPECT_CANNOT(BLOCKED, "waits for a worker were not recorded");
	/* On TCP, where accept queues are seen, waits would have been. */
	value(sample(0), TAILBOX__METRIC_ACCEPT_QUEUE, 1, 0);
	analyze();
	EXPECT_OUT(BLOCKED, "no request waited for one");
	phase(3, TAILBOX__PHASE_BODY, 0);
	phase(3, TAILBOX__PHASE_INGRESS, 0);
	analyze();
	EXPECT_OUT(TAILBOX__SUSPECT_UPLOAD, "0.0% of slow requests' time");
	EXPECT_OUT(BLOCKED, "0.0% of slow requests' time waiting");
}
END_TEST

START_TEST(content_readers_are_not_the_fault_of_clients)
{
	spread(1, 20, 20000); /* 1 ms each, all of it */
	for (uint32_t i = 0; i < 20; i++)
		ext(i)->reader_ns = 801000;
	analyze();
	EXPECT_OUT(TAILBOX__SUSPECT_DOWNLOAD, "19.9% of slow requests' time");
	for (uint32_t i = 0; i < 20; i++)
		ext(i)->reader_ns = 700000;
	analyze();
	EXPECT_LIKELY(TAILBOX__SUSPECT_DOWNLOAD);
	ck_assert_uint_eq(figure(TAILBOX__SUSPECT_DOWNLOAD, "tail_permille"),
	                  300);
	/* More than sending took: none is left. */
	for (uint32_t i = 0; i < 20; i++)
		ext(i)->reader_ns = 5000000;
	analyze();
	EXPECT_OUT(TAILBOX__SUSPECT_DOWNLOAD, "0.0% of slow requests' time");
}
END_TEST

START_TEST(small_answers_are_not_the_fault_of_clients)
{
	static const uint64_t bytes[] = { 16383, NONE, 0 };

	for (size_t k = 0; k < COUNT(bytes); k++) {
		spread(1, 20, 20000);
		for (uint32_t i = 0; i < 20; i++)
			ext(i)->bytes_out = bytes[k];
		analyze();
		EXPECT_OUT(TAILBOX__SUSPECT_DOWNLOAD,
		           "0.0% of slow requests' time");
	}
}
END_TEST

/* --- input that makes no sense ----------------------------------------- */

START_TEST(the_largest_numbers_do_no_harm)
{
	base(20);
	for (uint32_t i = 0; i < 20; i++) {
		run->requests.items[i].latency_us = NONE;
		for (unsigned k = 0; k < TAILBOX__PHASE_COUNT; k++)
			ext(i)->phase_ns[k] = NONE - 1;
		if (i > 0)
			ext(i)->holder_number = i;
		ext(i)->bytes_out = NONE - 1;
		add_stage(i, "s", 0, 10)->dur_us = NONE;
		add_queue(i, 0, 10, NONE - 1)->flags = 0;
	}
	for (uint32_t i = 0; i < 5; i++) {
		sample(i * 1000);
		for (uint16_t m = 0; m < TAILBOX__METRIC_COUNT; m++)
			if (!tailbox__metric_is_name(m))
				value(i, m, 0, NONE - i % 2);
	}
	sums();
	analyze();
	ck_assert_uint_eq(rep.findings.count, TAILBOX__SUSPECT_COUNT - 1);
}
END_TEST

START_TEST(no_requests_and_no_phases_give_no_suspects)
{
	add_requests(3);
	sample_add_ext(run, &run->requests.items[0]);
	analyze();
	for (unsigned k = TAILBOX__SUSPECT_OWN; k < TAILBOX__SUSPECT_COUNT; k++)
		ck_assert_ptr_null(suspect(k));
	again();
	tailbox__list_add(&run->ext); /* of a request that is not there */
	analyze();
	for (unsigned k = TAILBOX__SUSPECT_OWN; k < TAILBOX__SUSPECT_COUNT; k++)
		EXPECT_CANNOT(k, "not in this artifact");
	again();
	base(20);
	for (uint32_t i = 0; i < 20; i++) {
		run->requests.items[i].latency_us = 0;
		phase(i, TAILBOX__PHASE_BODY, 1000);
	}
	analyze();
	EXPECT_OUT(TAILBOX__SUSPECT_UPLOAD, "0.0% of slow requests' time");
}
END_TEST

START_TEST(names_are_shown_in_sixty_bytes_without_controls)
{
	static const struct {
		const char *name;
		size_t len;
		const char *shown;
	} rows[] = {
		{ "/0123456789012345678901234567890123456x9", 40,
		  "/0123456789012345678901234567890123456x9" },
		{ "/0123456789012345678901234567890123456x89", 41,
		  "/012345678901234567890123456789012345..." },
		/* 37 bytes end within the last letter but two */
		{ "/01234567890123456789012345678901234\u00e9\u00e9\u00e9", 42,
		  "/01234567890123456789012345678901234..." },
		{ "a\n\x1b[1m\x7f\0b", 9, "a??[1m??b" },
		{ "a\xc2\x85\xc2\x9f\u00a0", 7, "a??\u00a0" },
		{ "a\xff\xc3z\xe2\x82", 6, "a??z?" },
		{ "", 0, "(no name)" },
	};
	char buf[TAILBOX__OWN_NAME_SIZE];

	for (size_t i = 0; i < COUNT(rows); i++) {
		const tailbox__str s =
		        tailbox__run_str(run, rows[i].name, rows[i].len);
		const char *shown = tailbox__own_label(run, s, buf);

		ck_assert_str_eq(shown, rows[i].shown);
		ck_assert(is_clean(shown));
		ck_assert_uint_le(strlen(shown), 40);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("own");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 120);
	tcase_add_test(
	        t,
	        a_score_adds_up_and_is_capped_unless_all_points_the_same_way);
	tcase_add_test(
	        t, a_phase_is_told_from_a_fifth_of_the_time_in_three_requests);
	tcase_add_test(t, tail_and_all_are_told_apart);
	tcase_add_test(t, phases_that_nobody_recorded_cannot_be_told);
	tcase_add_test(t, content_readers_are_not_the_fault_of_clients);
	tcase_add_test(t, small_answers_are_not_the_fault_of_clients);
	tcase_add_test(t, the_largest_numbers_do_no_harm);
	tcase_add_test(t, no_requests_and_no_phases_give_no_suspects);
	tcase_add_test(t, names_are_shown_in_sixty_bytes_without_controls);
	suite_add_tcase(s, t);
	return sample_run_suite(s);
}
