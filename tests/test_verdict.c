/* tests/test_verdict.c - each rule of a verdict at its edges, and headlines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "analyzer/timeline_text.h"
#include "analyzer/verdict.h"
#include "tests/analyze_fixture.h"

/* A report by hand: only what a verdict looks at. */
static void fill(uint64_t requests, uint64_t p50_us, uint64_t p99_us)
{
	rep.whole.request_count = requests;
	rep.whole.p50_us = p50_us;
	rep.whole.p99_us = p99_us;
}

static void suspect_is(enum tailbox__suspect_kind kind,
                       enum tailbox__confidence confidence)
{
	struct tailbox__suspect *s = tailbox__list_grow(
	        (void **)&rep.whole.suspects, &rep.whole.suspect_count,
	        &rep.whole.suspect_room, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	s->kind = kind;
	s->confidence = confidence;
	s->score = 50;
	s->explained_by = TAILBOX__SUSPECT_COUNT;
}

static enum tailbox__report_verdict verdict(void)
{
	tailbox__judge(&rep, run, &o);
	return rep.verdict;
}

static void fresh(uint64_t requests, uint64_t p50_us, uint64_t p99_us)
{
	tailbox__report_fini(&rep);
	fill(requests, p50_us, p99_us);
}

#define IS(what) ck_assert_int_eq(verdict(), TAILBOX__REPORT_##what)
#define LOW TAILBOX__CONFIDENCE_LOW
#define MEDIUM TAILBOX__CONFIDENCE_MEDIUM
#define HIGH TAILBOX__CONFIDENCE_HIGH

START_TEST(too_few_goes_by_the_option)
{
	fresh(19, 1000, 1000000);
	suspect_is(TAILBOX__SUSPECT_DOWNSTREAM, HIGH);
	IS(TOO_FEW);
	ck_assert_str_eq(rep.headline, "too few: 19 requests");
	rep.whole.request_count = 20;
	IS(LIKELY);
	o.v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS] = 21;
	IS(TOO_FEW);
	o.v[TAILBOX__OPT_EVIDENCE_LOW_REQUESTS] = 0;
	rep.whole.request_count = 1;
	IS(LIKELY);
	rep.whole.request_count = 0;
	IS(TOO_FEW);
	fresh(1000, 1000, 2000); /* nothing to rank */
	IS(TOO_FEW);
}
END_TEST

START_TEST(likely_takes_medium_confidence)
{
	fresh(100, 1000, 171000);
	suspect_is(TAILBOX__SUSPECT_WORKER_BLOCKED, LOW);
	IS(UNCLEAR);
	rep.whole.suspects[0].confidence = MEDIUM;
	IS(LIKELY);
	ck_assert_str_eq(rep.headline, "requests wait for a held worker: "
	                               "p99 171 ms (medium)");
	rep.whole.suspects[0].kind = TAILBOX__SUSPECT_UNKNOWN;
	IS(UNCLEAR); /* that there is no evidence is no lead */
}
END_TEST

START_TEST(suspects_of_the_core_matter_from_10_ms_on)
{
	fresh(100, 9000, 9999);
	suspect_is(TAILBOX__SUSPECT_DOWNSTREAM, HIGH);
	IS(HEALTHY);
	rep.whole.p99_us = 10000;
	IS(LIKELY);
	rep.whole.p99_us = 9999;
	suspect_is(TAILBOX__SUSPECT_CPU, LOW);
	IS(UNCLEAR); /* one of ours always does */
	rep.whole.suspects[1].confidence = MEDIUM;
	IS(LIKELY);
	ck_assert_ptr_eq(tailbox__lead(&rep), &rep.whole.suspects[1]);
}
END_TEST

START_TEST(a_second_suspect_stands_against_healthy)
{
	fresh(100, 10000, 20000);
	suspect_is(TAILBOX__SUSPECT_QUEUE, LOW);
	IS(HEALTHY);
	suspect_is(TAILBOX__SUSPECT_BLOCKING, MEDIUM);
	IS(UNCLEAR);
}
END_TEST

START_TEST(long_and_slow_tails_have_edges)
{
	ck_assert(tailbox__is_long(1000, 10000));
	ck_assert(!tailbox__is_long(1000, 9999)); /* the floor */
	ck_assert(tailbox__is_long(2000, 14000));
	ck_assert(!tailbox__is_long(2000, 13999)); /* 7 times */
	ck_assert(tailbox__is_long(0, 10000));
	ck_assert(tailbox__is_long(UINT64_MAX / 2, UINT64_MAX)); /* saturates */
	ck_assert(!tailbox__is_long(UINT64_MAX / 2, UINT64_MAX - 1));
	ck_assert(tailbox__is_slow(1000000));
	ck_assert(!tailbox__is_slow(999999));

	fresh(100, 2000, 13999);
	suspect_is(TAILBOX__SUSPECT_UNKNOWN, LOW);
	IS(HEALTHY);
	ck_assert_str_eq(rep.headline, "healthy: 100 requests, p99 14.0 ms");
	rep.whole.p99_us = 14000;
	IS(UNCLEAR);
	ck_assert_str_eq(rep.headline, "unclear: p99 14.0 ms, 7 times p50");
	fresh(100, 999999, 999999);
	suspect_is(TAILBOX__SUSPECT_UNKNOWN, LOW);
	IS(HEALTHY);
	rep.whole.p99_us = 1000000;
	IS(UNCLEAR);
}
END_TEST

START_TEST(failing_requests_are_not_healthy)
{
	add_requests(200);
	fresh(200, 1000, 1000);
	suspect_is(TAILBOX__SUSPECT_UNKNOWN, LOW);
	IS(HEALTHY);
	run->requests.items[0].outcome = tailbox__run_cstr(run, "error");
	IS(HEALTHY);
	run->requests.items[1].outcome = tailbox__run_cstr(run, "timeout");
	IS(UNCLEAR); /* 1% */
	ck_assert_str_eq(rep.headline, "unclear: p99 1.00 ms; 1% failed");
	/* A status says more than the outcome. */
	sample_add_ext(run, &run->requests.items[1])->status = 404;
	IS(HEALTHY);
	run->ext.items[0].status = 500;
	IS(UNCLEAR);
	run->ext.items[0].status = 499;
	IS(HEALTHY);
}
END_TEST

static void add_open(uint64_t start_us)
{
	struct tailbox__run_open *one = tailbox__list_add(&run->open);

	one->start_us = start_us;
}

START_TEST(hanging_requests_are_not_healthy)
{
	add_requests(3000); /* the run ends at 3 s */
	run->meta.finalized_ms = run->meta.started_ms;
	fresh(3000, 1000, 1000);
	suspect_is(TAILBOX__SUSPECT_UNKNOWN, LOW);
	run->meta.unfinished_count = 2;
	IS(HEALTHY); /* for how long is not known */
	add_open(TAILBOX__NONE);
	add_open(2000001);
	IS(HEALTHY);
	add_open(2000000);
	IS(UNCLEAR);
	ck_assert_str_eq(rep.headline, "unclear: p99 1.00 ms; 1 had not ended, "
	                               "one for 1.00 s");
	rep.whole.request_count = 3;
	IS(TOO_FEW);
	ck_assert_str_eq(rep.headline, "too few: 3 requests; 1 had not ended, "
	                               "one for 1.00 s");
}
END_TEST

START_TEST(losses_are_in_the_headline)
{
	fresh(100, 1000, 1000);
	suspect_is(TAILBOX__SUSPECT_UNKNOWN, LOW);
	ck_assert_int_eq(tailbox__run_set_extra(run, "lost_blocks", NULL, 0),
	                 0);
	IS(HEALTHY);
	ck_assert_ptr_null(strstr(rep.headline, "incomplete"));
	ck_assert_int_eq(tailbox__run_set_extra(run, "lost_blocks", NULL, 1),
	                 0);
	IS(HEALTHY);
	ck_assert_ptr_nonnull(strstr(rep.headline, "; incomplete"));
	ck_assert_int_eq(tailbox__run_set_extra(run, "lost_blocks", NULL, 0),
	                 0);
	run->truncation.limits_hit = true;
	IS(HEALTHY);
	ck_assert_ptr_nonnull(strstr(rep.headline, "; incomplete"));
}
END_TEST

/* Any title, any figures: the limit, UTF-8, no controls, the end is there. */
START_TEST(headlines_are_short_and_clean)
{
	static const char *const bits[] = { "a", "GET /x", "\x1b[2J", "\n",
		                            "\xe6\xbc\xa2", "\xff",
		                            "\xf0\x9f\x98\x80", "\xc2\x9b",
		                            "\xe2\x80\xae", " " };
	uint64_t seed = 1;

	for (unsigned round = 0; round < 5000; round++) {
		char title[600] = "";
		size_t len = 0;

		fresh(20 + below(&seed, 5000), next_random(&seed) >>
		                                       below(&seed, 64),
		      next_random(&seed) >> below(&seed, 64));
		suspect_is((enum tailbox__suspect_kind)below(
		                   &seed, TAILBOX__SUSPECT_COUNT),
		           (enum tailbox__confidence)below(&seed, 3));
		for (size_t n = below(&seed, 90); n > 0; n--)
			len += (size_t)snprintf(
			        title + len, sizeof(title) - len, "%s",
			        bits[below(&seed, COUNT(bits))]);
		rep.whole.suspects[0].title = tailbox__alloc(len + 1, 1);
		ck_assert_ptr_nonnull(rep.whole.suspects[0].title);
		memcpy(rep.whole.suspects[0].title, title, len + 1);
		run->truncation.limits_hit = below(&seed, 2);
		verdict();
		const size_t n = strlen(rep.headline);
		ck_assert_uint_le(n, TAILBOX__HEADLINE_MAX);
		ck_assert_uint_gt(n, 0);
		ck_assert_msg(tailbox__show_is_plain(rep.headline, n), "%s",
		              rep.headline);
		ck_assert_msg(!run->truncation.limits_hit ||
		                      strstr(rep.headline, "; incomplete"),
		              "%s", rep.headline);
	}
}
END_TEST

START_TEST(an_analysis_ends_with_a_verdict)
{
	add_requests(40);
	analyze();
	ck_assert_int_eq(rep.verdict, TAILBOX__REPORT_HEALTHY);
	ck_assert_str_eq(rep.headline, "healthy: 40 requests, p99 1.00 ms");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verdict");
	TCase *t = tcase_create("verdict");
	SRunner *r;

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, too_few_goes_by_the_option);
	tcase_add_test(t, likely_takes_medium_confidence);
	tcase_add_test(t, suspects_of_the_core_matter_from_10_ms_on);
	tcase_add_test(t, a_second_suspect_stands_against_healthy);
	tcase_add_test(t, long_and_slow_tails_have_edges);
	tcase_add_test(t, failing_requests_are_not_healthy);
	tcase_add_test(t, hanging_requests_are_not_healthy);
	tcase_add_test(t, losses_are_in_the_headline);
	tcase_add_test(t, headlines_are_short_and_clean);
	tcase_add_test(t, an_analysis_ends_with_a_verdict);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
