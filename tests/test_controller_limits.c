/* tests/test_controller_limits.c - windows that have reached an end of what
 * there is: their limits, the disk, memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/resource.h>

#include <tailbox/span.h>

#include "tests/controller_fixture.h"

/* 9, 10 and 11 requests against a limit of 10. */
START_TEST(a_window_that_goes_on_counts_what_it_drops)
{
	struct tailbox__activation a = light();
	const unsigned count = (unsigned)(9 + _i);

	a.limits.max_requests = 10;
	arm(&a);
	requests(count);
	disarm();
	struct tailbox__run *run = load(1);

	ck_assert_uint_eq(run->requests.count, count < 10 ? count : 10);
	ck_assert_uint_eq(run->truncation.dropped_requests,
	                  count > 10 ? count - 10 : 0);
	tailbox__run_destroy(run);
}
END_TEST

/* More than one pass of the follower, so that the spool stops at its cutoff:
 * what it leaves out still counts. */
START_TEST(what_the_spool_leaves_out_counts_as_dropped)
{
	struct tailbox__activation a = light();

	a.limits.max_requests = 100;
	arm(&a);
	requests(150);
	wait_until_spooled(100);
	requests(2000);
	disarm();
	struct tailbox__run *run = load(1);

	ck_assert_uint_eq(run->requests.count, 100);
	ck_assert_uint_eq(run->truncation.dropped_requests, 2050);
	ck_assert(run->truncation.limits_hit);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_seal_closes_the_window_by_itself)
{
	struct tailbox__activation a = light();

	a.limits.max_requests = 10;
	a.policy = TAILBOX__POLICY_SEAL;
	arm(&a);
	requests(25);
	wait_for(": test-");
	struct tailbox__run *run = load(1);

	ck_assert_uint_eq(run->requests.count, 10);
	ck_assert_uint_eq(run->truncation.dropped_requests, 1);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_AUTO_SEAL);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_seal_by_spans_looks_closely_before_it_closes)
{
	struct tailbox__activation a = light();

	a.limits.max_stages = 2;
	a.policy = TAILBOX__POLICY_SEAL;
	tailbox_request before = tailbox_request_begin("/before", NULL);
	arm(&a);
	/* Four stages that do not belong: suspected, and acquitted. */
	for (int i = 0; i < 4; i++)
		TAILBOX_STAGE(before, "s") { }
	tailbox_request_finish(before, NULL);
	requests(1);
	wait_until_spooled(1);
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_ACTIVE);
	tailbox_request r = tailbox_request_begin("/in", NULL);
	for (int i = 0; i < 3; i++)
		TAILBOX_STAGE(r, "s") { }
	tailbox_request_finish(r, NULL);
	wait_for(": test-");
	struct tailbox__run *run = load(1);

	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_AUTO_SEAL);
	ck_assert_uint_eq(run->stages.count, 2);
	ck_assert_uint_eq(run->truncation.dropped_stages, 1);
	tailbox__run_destroy(run);
}
END_TEST

/* --- when the disk says no ---------------------------------------------- */

static void replace_folder_by_file(void)
{
	remove_folder(artifact_dir);
	const int fd = open(artifact_dir, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

START_TEST(a_folder_that_cannot_be_made_is_an_error_of_the_arm)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const struct tailbox__activation a = light();

	tailbox__controller_stop();
	replace_folder_by_file();
	start_with(0);
	wait_for("cannot open artifact folder");
	ck_assert_int_eq(tailbox__arm(&a, NULL, &err), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(err.text, artifact_dir));
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_DISABLED);
	unlink(artifact_dir);
	ck_assert_uint_eq(arm(NULL), 1);
}
END_TEST

START_TEST(a_folder_that_vanishes_is_made_again)
{
	arm(NULL);
	requests(2);
	remove_folder(artifact_dir);
	disarm();
	struct tailbox__run *run = load(1);
	ck_assert_uint_eq(run->requests.count, 2);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(an_artifact_that_cannot_be_placed_is_lost_and_only_that)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	uint64_t id = 0;

	arm(NULL);
	requests(2);
	replace_folder_by_file();
	tailbox__disarm(NULL, NULL, NULL);
	wait_for("is lost");
	const struct tailbox__window_status s = window();
	ck_assert_int_eq(s.state, TAILBOX__WINDOW_FAILED);
	ck_assert_str_ne(s.last_error, "");
	/* Later callers get the same text. */
	for (int i = 0; i < 2; i++) {
		memset(&err, 0, sizeof(err));
		ck_assert_int_eq(tailbox__disarm(&id, NULL, &err), -ENOTDIR);
		ck_assert_str_eq(err.text, s.last_error);
		ck_assert_uint_eq(id, 1);
	}
	unlink(artifact_dir);
	ck_assert_uint_eq(arm(NULL), 2);
	requests(1);
	disarm();
	tailbox__run_destroy(load(2));
}
END_TEST

/* No file may grow beyond 32 KB (which leaves libcheck its own): as a full
 * disk, with another code. Our threads block SIGXFSZ like every signal, so
 * that nobody is killed by it. */
START_TEST(a_full_disk_loses_the_window_and_nothing_else)
{
	struct rlimit before, none;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	arm(NULL);
	none = before;
	none.rlim_cur = 32768;
	setrlimit(RLIMIT_FSIZE, &none);
	requests(2000); /* more than the spool's buffer */
	wait_until_spooled(1000);
	tailbox__disarm(NULL, NULL, NULL);
	wait_for("is lost");
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_FAILED);
	ck_assert_ptr_nonnull(strstr(window().last_error, ".part in "));
	ck_assert(tailbox_is_recording());
	arm(NULL);
	requests(1);
	disarm();
	struct tailbox__run *run = load(2);
	ck_assert_uint_eq(run->requests.count, 1);
	tailbox__run_destroy(run);
}
END_TEST

/* --- memory ------------------------------------------------------------- */

START_TEST(a_start_without_memory_starts_nothing)
{
	const struct tailbox__controller_config c = {
		.service = "test", .artifact_dir = artifact_dir,
	};
	int ret = -ENOMEM;

	tailbox__controller_stop();
	const long live = tailbox__alloc_live();
	for (long n = 0; ret == -ENOMEM; n++) {
		/* The follower's first pass may run dry as well: that is no
		 * failure of the start, and it goes on later. */
		tailbox__alloc_fail_after(n);
		ret = tailbox__controller_start(&c);
		tailbox__alloc_fail_after(-1);
		if (ret == -ENOMEM)
			ck_assert_int_eq(tailbox__alloc_live(), live);
	}
	ck_assert_int_eq(ret, 0);
	arm(NULL);
	tailbox__controller_stop();
	ck_assert_int_eq(tailbox__alloc_live(), live);
}
END_TEST

/* But for the last name that was taken, which stays taken. */
START_TEST(an_arm_without_memory_leaves_all_as_it_was)
{
	const struct tailbox__activation a = light();
	char last[128];
	int ret = -ENOMEM;

	snprintf(last, sizeof(last), "%s/.test.last", artifact_dir);

	for (long n = 0; ret == -ENOMEM; n++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		tailbox__alloc_fail_after(n);
		ret = tailbox__arm(&a, NULL, &err);
		tailbox__alloc_fail_after(-1);
		if (ret == 0)
			break;
		ck_assert_int_eq(ret, -ENOMEM);
		ck_assert_int_eq(window().state, TAILBOX__WINDOW_DISABLED);
		ck_assert_uint_eq(window().id, 1);
		ck_assert_uint_eq(count_in(artifact_dir),
		                  2 + (access(last, F_OK) == 0));
	}
	ck_assert_int_eq(ret, 0);
	requests(1);
	disarm();
	tailbox__run_destroy(load(1));
}
END_TEST

START_TEST(an_end_without_memory_loses_the_window_and_says_so)
{
	arm(NULL);
	requests(1);
	tailbox__alloc_fail_after(0);
	tailbox__disarm(NULL, NULL, NULL);
	wait_for("is lost");
	tailbox__alloc_fail_after(-1);
	ck_assert_int_eq(tailbox__disarm(NULL, NULL, NULL), -ENOMEM);
	ck_assert_uint_eq(arm(NULL), 2);
}
END_TEST

static Suite *controller_limits_suite(void)
{
	Suite *s = suite_create("controller_limits");
	TCase *t = tcase_create("controller_limits");

	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, a_window_that_goes_on_counts_what_it_drops, 0,
	                    3);
	tcase_add_test(t, what_the_spool_leaves_out_counts_as_dropped);
	tcase_add_test(t, a_seal_closes_the_window_by_itself);
	tcase_add_test(t, a_seal_by_spans_looks_closely_before_it_closes);
	tcase_add_test(t, a_folder_that_cannot_be_made_is_an_error_of_the_arm);
	tcase_add_test(t, a_folder_that_vanishes_is_made_again);
	tcase_add_test(
	        t, an_artifact_that_cannot_be_placed_is_lost_and_only_that);
	tcase_add_test(t, a_full_disk_loses_the_window_and_nothing_else);
	tcase_add_test(t, a_start_without_memory_starts_nothing);
	tcase_add_test(t, an_arm_without_memory_leaves_all_as_it_was);
	tcase_add_test(t, an_end_without_memory_loses_the_window_and_says_so);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(controller_limits_suite());

	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
