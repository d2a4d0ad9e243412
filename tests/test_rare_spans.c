/* tests/test_rare_spans.c - the spans of rare requests: which are kept with
 * them, and what is told of the others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/rare_fixture.h"

static void *stage_elsewhere(void *arg)
{
	TAILBOX_STAGE((tailbox_request)arg, "elsewhere") {
		now += 5000;
	}
	return NULL;
}

START_TEST(spans_of_all_threads_and_passes_are_kept)
{
	tailbox_request other = tailbox_request_begin("/other", NULL);
	tailbox_request r = tailbox_request_begin("/slow", NULL);
	pthread_t thread;

	TAILBOX_STAGE(r, "before") {
		now += 100;
	}
	ck_assert_int_eq(tailbox__follow(), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, stage_elsewhere, r), 0);
	pthread_join(thread, NULL);
	TAILBOX_STAGE(other, "not mine") {
		now += 600000000;
	}
	tailbox_gauge_up(r, "busy");
	TAILBOX_WAIT(r, "pool", 3) {
		now += 30;
	}
	tailbox_gauge_down(r, "busy");
	now += 1;
	tailbox_request_finish(r, NULL);
	settle(1);
	ck_assert_uint_eq(seen.items[0].spans, 3);
	ck_assert_uint_eq(seen.items[0].span_ticks, 100 + 5000 + 30);
	ck_assert_uint_eq(seen.items[0].cut, 0);
	ck_assert_uint_eq(seen.items[0].why, TAILBOX__RARE_SLOW);
	tailbox_request_finish(other, NULL);
	settle(2);
	ck_assert_uint_eq(seen.items[1].spans, 1);
	ck_assert_uint_eq(seen.items[1].span_ticks, 600000000);
}
END_TEST

/* It runs for longer than the tape reaches back. */
START_TEST(spans_that_are_gone_before_it_ends_are_told)
{
	tailbox_request r = tailbox_request_begin("/long", NULL);

	TAILBOX_STAGE(r, "early") {
		now += 700000000;
	}
	for (unsigned i = 0; i < 2 * TAPE / 64; i++) {
		tailbox_request other = tailbox_request_begin("/fast", NULL);
		TAILBOX_STAGE(other, "work") {
			now += 10;
		}
		tailbox_request_finish(other, NULL);
		if (i % 1000 == 0)
			ck_assert_int_eq(tailbox__follow(), 0);
	}
	TAILBOX_STAGE(r, "late") {
		now += 1000;
	}
	tailbox_request_finish(r, NULL);
	settle(1);
	ck_assert_uint_eq(seen.items[0].spans, 1);
	ck_assert_uint_eq(seen.items[0].span_ticks, 1000);
	ck_assert_uint_eq(seen.items[0].why,
	                  TAILBOX__RARE_SLOW | TAILBOX__RARE_INCOMPLETE);
	/* The next one is not. */
	slow_with_spans("/slow");
	settle(2);
	ck_assert_uint_eq(seen.items[1].why,
	                  TAILBOX__RARE_SLOW | TAILBOX__RARE_FAILED);
	ck_assert_uint_eq(seen.items[1].spans, 2);
}
END_TEST

/* The longest stay: here the last ones. */
START_TEST(spans_beyond_the_maximum_are_cut_and_counted)
{
	enum { MAX = TAILBOX__KEPT_SPANS_MAX };
	uint64_t cut = 0;

	for (unsigned n = MAX - 1; n <= MAX + 6; n += n < MAX + 1 ? 1 : 5) {
		tailbox_request r = tailbox_request_begin("/slow", NULL);
		uint64_t sum = 0;
		const size_t i = seen.count;
		for (unsigned k = 1; k <= n; k++) {
			TAILBOX_STAGE(r, "part") {
				now += k;
			}
			sum += k > n - (n < MAX ? n : MAX) ? k : 0;
		}
		now += 1;
		tailbox_request_finish(r, "error");
		settle(i + 1);
		ck_assert_uint_eq(seen.items[i].spans, n < MAX ? n : MAX);
		ck_assert_uint_eq(seen.items[i].cut, n < MAX ? 0 : n - MAX);
		ck_assert_uint_eq(seen.items[i].span_ticks, sum);
		cut += n < MAX ? 0 : n - MAX;
	}
	ck_assert_uint_eq(seen.count, 4);
	ck_assert_uint_eq(told().cut_spans, cut);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("rare_spans");
	TCase *t = tcase_create("rare_spans");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, rare_open, rare_close);
	tcase_add_test(t, spans_of_all_threads_and_passes_are_kept);
	tcase_add_test(t, spans_that_are_gone_before_it_ends_are_told);
	tcase_add_test(t, spans_beyond_the_maximum_are_cut_and_counted);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
