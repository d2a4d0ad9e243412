/* tests/test_cost.c - what the recorder says of its own cost.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/daemons.h"
#include "tests/controller_fixture.h"

static char *tape_copy(void)
{
	const struct tailbox__tape *t = &tailbox__recorder.tape;
	char *copy = malloc(t->file_bytes);

	ck_assert_ptr_nonnull(copy);
	ck_assert_int_eq(pread(t->fd, copy, t->file_bytes, 0),
	                 (ssize_t)t->file_bytes);
	return copy;
}

START_TEST(measuring_touches_no_tape)
{
	char *before = tape_copy(), *after;
	const uint64_t milli_ns = tailbox__cost_measure();

	after = tape_copy();
	ck_assert_int_eq(memcmp(before, after,
	                        tailbox__recorder.tape.file_bytes), 0);
	free(before);
	free(after);
	ck_assert_uint_gt(milli_ns, 1000); /* two clock reads at the least */
	ck_assert_uint_lt(milli_ns, 1000000000);
}
END_TEST

START_TEST(measuring_without_memory_is_not_known)
{
	tailbox__alloc_fail_after(0);
	const uint64_t milli_ns = tailbox__cost_measure();
	tailbox__alloc_fail_after(-1);
	ck_assert_uint_eq(milli_ns, TAILBOX__NONE);
}
END_TEST

#define NS_PER_S UINT64_C(1000000000)

START_TEST(shares_are_of_what_lies_between)
{
	const struct tailbox__cost_note from = { 5 * NS_PER_S, 1000, 2000, 7 };
	struct tailbox__cost_note to = from;
	struct tailbox__cost_status s = { 0, 0, 0, TAILBOX__NONE };

	/* 10 s, threads 5 ms, process 1 s, 100000 requests of 30 ns. */
	to.at_ns += 10 * NS_PER_S;
	to.threads_ns += 5000000;
	to.process_ns += NS_PER_S;
	to.finished += 100000;
	tailbox__cost_shares(&from, &to, 30000, &s);
	ck_assert_uint_eq(s.threads_ppm, 500);
	ck_assert_uint_eq(s.process_ppm, 8000);
	/* Per request nothing is known. */
	s.process_ppm = TAILBOX__NONE;
	tailbox__cost_shares(&from, &to, TAILBOX__NONE, &s);
	ck_assert_uint_eq(s.threads_ppm, 500);
	ck_assert_uint_eq(s.process_ppm, TAILBOX__NONE);
	/* The process did nothing. */
	to.process_ns = from.process_ns;
	tailbox__cost_shares(&from, &to, 30000, &s);
	ck_assert_uint_eq(s.process_ppm, TAILBOX__NONE);
}
END_TEST

static bool has_shares(struct tailbox__cost_status *s)
{
	tailbox__cost_status(s);
	return s->threads_ppm != TAILBOX__NONE;
}

START_TEST(after_a_second_there_are_shares)
{
	struct tailbox__cost_status s, later;

	tailbox__controller_stop();
	tailbox__cost_status(&s);
	ck_assert_uint_eq(s.request_milli_ns, TAILBOX__NONE);
	ck_assert_uint_eq(s.threads_ppm, TAILBOX__NONE);
	start_with(0);
	tailbox__cost_status(&s);
	ck_assert_uint_ne(s.request_milli_ns, TAILBOX__NONE);
	for (int i = 0; i < wait_s() * 100 && !has_shares(&s); i++) {
		const struct timespec ms = { .tv_nsec = 10000000 };
		requests(100);
		nanosleep(&ms, NULL);
	}
	ck_assert_uint_ne(s.threads_ppm, TAILBOX__NONE);
	ck_assert_uint_ne(s.process_ppm, TAILBOX__NONE);
	/* Both are CPU time of one process. */
	ck_assert_uint_le(s.threads_ppm, 2000000);
	ck_assert_uint_gt(s.threads_ns, 0);
	tailbox__cost_status(&later);
	ck_assert_uint_ge(later.threads_ns, s.threads_ns);
	/* What has ended does not go back. */
	tailbox__controller_stop();
	ck_assert_uint_ge(tailbox__own_threads_cpu_ns(), later.threads_ns);
}
END_TEST

static Suite *cost_suite(void)
{
	Suite *s = suite_create("cost");
	TCase *t = tcase_create("cost"), *tape = tcase_create("tape");

	tcase_add_checked_fixture(tape, controller_open_tape, fixture_close);
	tcase_add_test(tape, measuring_touches_no_tape);
	tcase_add_test(tape, measuring_without_memory_is_not_known);
	tcase_add_test(tape, shares_are_of_what_lies_between);
	suite_add_tcase(s, tape);
	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, after_a_second_there_are_shares);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(cost_suite());

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
