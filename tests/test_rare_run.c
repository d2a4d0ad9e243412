/* tests/test_rare_run.c - rare requests in a run: those that its blocks forgot
 * are beside it, and none is there twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/rare_fixture.h"

static struct tailbox__run *snapshot(uint64_t last_ms, uint64_t max_requests)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char name[256], id[TAILBOX__ARTIFACT_ID_BYTES];
	struct tailbox__artifact_entry e;
	struct tailbox__artifact_key key;
	struct tailbox__snapshot s;
	struct tailbox__run *run;

	tailbox__snapshot_init(&s, TAILBOX__MODE_LIGHT);
	s.limits.max_requests = max_requests;
	s.last_ms = last_ms;
	ck_assert_msg(tailbox__snapshot_take(&s, &key, name, &err) == 0, "%s",
	              err.text);
	ck_assert_int_eq(tailbox__artifact_find(
	                         tailbox__artifact_id(id, &key), &e),
	                 0);
	const int fd = tailbox__artifact_open(&e);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tailbox__artifact_read(fd, &run, NULL), 0);
	close(fd);
	return run;
}

static void each_is_there_once(const struct tailbox__run *run)
{
	look_at(reader);
	seen_are_there_once(run);
}

static const char *text(const struct tailbox__run *run, tailbox__str s)
{
	return tailbox__run_text(run, s, NULL);
}

START_TEST(snapshot_has_what_the_blocks_forgot_and_nothing_twice)
{
	slow_with_spans("/before");
	settle(1);
	flood(3 * TAPE / 64);
	request("/after", 600, NULL);
	request("/failed", 1, "error");
	settle(3);
	struct tailbox__run *run = snapshot(0, UINT64_MAX);
	ck_assert_ptr_nonnull(run->kept);
	ck_assert_uint_eq(run->kept->requests.count, 1);
	const struct tailbox__run_request *q = &run->kept->requests.items[0];
	ck_assert_str_eq(text(run, q->route), "/before");
	ck_assert_str_eq(text(run, q->outcome), "timeout");
	ck_assert_uint_eq(q->latency_us, 800000);
	ck_assert_uint_lt(q->start_ms, run->meta.started_ms);
	ck_assert_uint_eq(run->kept->stages.count, 1);
	ck_assert_str_eq(text(run, run->kept->stages.items[0].name), "work");
	ck_assert_uint_eq(run->kept->stages.items[0].dur_us, 700000);
	ck_assert_uint_eq(run->kept->stages.items[0].request, q->id);
	ck_assert_uint_eq(run->kept->queues.count, 1);
	ck_assert_uint_eq(run->kept->queues.items[0].depth, 3);
	ck_assert_uint_eq(run->kept->queues.items[0].start_us, 700000);
	ck_assert_uint_eq(extra(run, "kept_requests"), 1);
	ck_assert_uint_eq(extra(run, "kept_older"), 0);
	ck_assert_uint_eq(extra(run, "kept_slow_us"), 500000);
	ck_assert_uint_eq(extra(run, "kept_overwritten"), 0);
	each_is_there_once(run);
	/* The time of the run is not stretched by it. */
	ck_assert_uint_eq(run->requests.items[0].latency_us, 1000);
	ck_assert_uint_eq(extra(run, "covered_from_run_us"), 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(snapshot_leaves_out_what_was_not_asked_for)
{
	slow_with_spans("/before");
	settle(1);
	now += 60ull * 1000000000;
	flood(3 * TAPE / 64);
	struct tailbox__run *run = snapshot(60000, UINT64_MAX);
	ck_assert_ptr_null(run->kept);
	ck_assert_uint_eq(extra(run, "kept_requests"), 0);
	ck_assert_uint_eq(extra(run, "kept_older"), 1);
	tailbox__run_destroy(run);
}
END_TEST

/* Beyond the limit a run drops the last ones, whatever they were. */
START_TEST(dropped_ones_are_beside_the_run)
{
	request("/fast", 1, NULL);
	request("/first", 600, NULL);
	request("/second", 700, "error");
	settle(2);
	struct tailbox__run *run = snapshot(0, 2);
	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_uint_eq(run->truncation.dropped_requests, 1);
	ck_assert_ptr_nonnull(run->kept);
	ck_assert_uint_eq(run->kept->requests.count, 1);
	ck_assert_str_eq(text(run, run->kept->requests.items[0].route),
	                 "/second");
	each_is_there_once(run);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(one_id_for_many_is_no_reason_to_lose_one)
{
	for (unsigned i = 0; i < 3; i++) {
		tailbox_request r = tailbox_request_begin("/again", NULL);
		tailbox_request_set_id(r, "the client's own");
		now += 600000000;
		tailbox_request_finish(r, NULL);
	}
	settle(3);
	flood(3 * TAPE / 64);
	struct tailbox__run *run = snapshot(0, UINT64_MAX);
	ck_assert_uint_eq(run->kept->requests.count, 3);
	each_is_there_once(run);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(window_has_none)
{
	slow_with_spans("/before");
	settle(1);
	flood(3 * TAPE / 64);
	const uint64_t id = arm(NULL);
	request("/in it", 600, NULL);
	disarm();
	struct tailbox__run *run = load(id);
	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_ptr_null(run->kept);
	ck_assert_ptr_null(tailbox__run_extra(run, "kept_requests"));
	tailbox__run_destroy(run);
}
END_TEST

/* What cannot be is left out and told, and the rest is there. */
START_TEST(damaged_ring_leaves_the_run_as_it_is)
{
	struct tailbox__tape_damage damage;
	struct tailbox__run *run;

	request("/failed", 1, "error");
	slow_with_spans("/before");
	settle(2);
	flood(3 * TAPE / 64);
	*ring_at(64 + 20) ^= 0x40;
	ck_assert_int_eq(tailbox__tape_run(reader, NULL, &run, &damage, NULL),
	                 0);
	ck_assert_uint_eq(damage.kept, 1);
	ck_assert_uint_eq(tailbox__tape_damaged(&damage), 1);
	ck_assert_uint_eq(extra(run, "damaged"), 1);
	ck_assert_uint_gt(run->requests.count, 1000);
	ck_assert_uint_eq(run->kept->requests.count, 1);
	ck_assert_str_eq(text(run, run->kept->requests.items[0].route),
	                 "/before");
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	struct tailbox__run *run = NULL;
	int ret = -ENOMEM;
	long n = 0;

	slow_with_spans("/before");
	request("/failed", 1, "error");
	settle(2);
	flood(2 * TAPE / 64);
	tailbox__controller_stop(); /* nobody else allocates */
	tailbox__reader_close(reader);
	const long live = tailbox__alloc_live();
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, NULL),
	                 0);
	for (; ret == -ENOMEM; n++) {
		tailbox__reader_rewind(reader);
		tailbox__alloc_fail_after(n);
		ret = tailbox__tape_run(reader, NULL, &run, NULL, NULL);
		tailbox__alloc_fail_after(-1);
		ck_assert(ret == -ENOMEM ? run == NULL : ret == 0);
	}
	ck_assert_int_gt((int)n, 10);
	ck_assert_ptr_nonnull(run->kept);
	ck_assert_uint_eq(run->kept->requests.count, 2);
	tailbox__run_destroy(run);
	tailbox__reader_close(reader);
	ck_assert_int_eq(tailbox__alloc_live(), live);
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, NULL),
	                 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("rare_run");
	TCase *t = tcase_create("rare_run");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, rare_open, rare_close);
	tcase_add_test(t,
	               snapshot_has_what_the_blocks_forgot_and_nothing_twice);
	tcase_add_test(t, snapshot_leaves_out_what_was_not_asked_for);
	tcase_add_test(t, dropped_ones_are_beside_the_run);
	tcase_add_test(t, one_id_for_many_is_no_reason_to_lose_one);
	tcase_add_test(t, window_has_none);
	tcase_add_test(t, damaged_ring_leaves_the_run_as_it_is);
	tcase_add_test(t, every_allocation_may_fail);
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
