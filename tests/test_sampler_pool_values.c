/* tests/test_sampler_pool_values.c - the pools in a sample, and requests that
 * are suspended.
 *
 * SPDX-License-Identifier: MIT
 */
#include <tailbox/sample.h>

#include "tests/sampling_fixture.h"

START_TEST(pools_and_their_oldest_wait)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox_pool *db =
	        tailbox_pool_register("db", TAILBOX_POOL_RESOURCE, 4);
	struct tailbox_pool *jobs =
	        tailbox_pool_register("jobs", TAILBOX_POOL_OFFLOAD, 0);
	struct tailbox_pool *more =
	        tailbox_pool_register("mail", TAILBOX_POOL_OFFLOAD, 2);
	uint16_t db_name = tailbox__name_cstr("db");
	uint16_t jobs_name = tailbox__name_cstr("jobs");

	tailbox_pool_waiting_add(db, 7);
	tailbox_pool_busy_add(db, 4);
	tailbox_pool_waiting_add(jobs, 5);
	tailbox_pool_waiting_add(more, 6);
	tailbox_request r = tailbox_request_begin("/a", NULL);
	TAILBOX_WAIT(r, "db", 6) {
		tailbox_request q = tailbox_request_begin("/b", NULL);
		/* Inside a stage of the same name it does not wait. */
		TAILBOX_STAGE(q, "jobs") {
			struct tailbox__slot *slot = tailbox__slot_of(r);

			TAILBOX__SET(slot->line, ms_ago(90));
			TAILBOX__SET(slot->where_since, ms_ago(70));
			sample_now(s);
		}
		tailbox_request_finish(q, NULL);
	}
	ck_assert_uint_eq(sample.rec.blocking_queue_depth, 11);
	ck_assert_uint_eq(sample.rec.alive_tasks, 2);
	ck_assert_uint_eq(value(TAILBOX__METRIC_CONNECTIONS, 0), 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_WAITING, db_name), 7);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_BUSY, db_name), 4);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_CAPACITY, db_name), 4);
	uint64_t oldest = value(TAILBOX__METRIC_POOL_OLDEST_US, db_name);
	ck_assert_uint_ge(oldest, 70000);
	ck_assert_uint_lt(oldest, 60000000);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_WAITING, jobs_name), 5);
	ck_assert(!has(TAILBOX__METRIC_POOL_CAPACITY, jobs_name));
	ck_assert(!has(TAILBOX__METRIC_POOL_OLDEST_US, jobs_name));
	sample_now(s);
	ck_assert(!has(TAILBOX__METRIC_POOL_OLDEST_US, db_name));
	tailbox_request_finish(r, NULL);
	/* Two of one name are shown as one. */
	struct tailbox_pool *twin =
	        tailbox_pool_register("db", TAILBOX_POOL_RESOURCE, 3);
	tailbox_pool_waiting_add(twin, 2);
	sample_now(s);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_POOL_WAITING), 3);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_WAITING, db_name), 9);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_CAPACITY, db_name), 7);
	ck_assert_uint_eq(sample.rec.blocking_queue_depth, 11);
	tailbox_pool_unregister(db);
	tailbox_pool_unregister(jobs);
	tailbox_pool_unregister(more);
	tailbox_pool_unregister(twin);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(as_many_pools_as_fit_are_shown_whole)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox_pool *pools[TAILBOX_POOLS_MAX];
	char text[16];

	for (unsigned i = 0; i < TAILBOX_POOLS_MAX; i++) {
		snprintf(text, sizeof(text), "pool %u", i);
		pools[i] = tailbox_pool_register(text, TAILBOX_POOL_OFFLOAD,
		                                 9);
		tailbox_pool_waiting_add(pools[i], 1);
	}
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	hold(&d, "/", 0);
	sample_now(s);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_POOL_WAITING),
	                  TAILBOX_POOLS_MAX);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), 0);
	/* Daemons go first. Each count, so that a whole pool ends at every
	 * place of the record. */
	struct tailbox__daemon more[62];
	for (int i = 0; i < 62; i++) {
		more[i] = (struct tailbox__daemon){
			.mode = TAILBOX__DAEMON_SINGLE,
			.listen_fd = -1,
			.is_recorded = true,
			.connection_limit = 7,
		};
		ck_assert_int_eq(tailbox__daemon_add(&more[i]), 0);
		sample_now(s);
		ck_assert_uint_eq(subjects(TAILBOX__METRIC_CONNECTION_LIMIT),
		                  (unsigned)i + 1);
		ck_assert_uint_eq(subjects(TAILBOX__METRIC_POOL_WAITING),
		                  subjects(TAILBOX__METRIC_POOL_CAPACITY));
	}
	ck_assert_uint_le(sample.count, TAILBOX__VALUES_MAX);
	unsigned shown = subjects(TAILBOX__METRIC_POOL_WAITING);
	ck_assert_uint_ge(shown, 50);
	ck_assert_uint_lt(shown, TAILBOX_POOLS_MAX);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_POOL_BUSY), shown);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_POOL_CAPACITY), shown);
	/* Those left out count in the sum. */
	ck_assert_uint_eq(sample.rec.blocking_queue_depth,
	                  TAILBOX_POOLS_MAX);
	ck_assert(has(TAILBOX__METRIC_BUSY_WORKERS, 0));
	for (unsigned i = 0; i < TAILBOX_POOLS_MAX; i++)
		tailbox_pool_unregister(pools[i]);
	for (int i = 0; i < 62; i++)
		tailbox__daemon_remove(more[i].number);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(suspended_requests_are_counted)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__slot *slot = connection(0);

	tailbox__request_open(self, slot, 0, 0, 0, TAILBOX__PHASE_HEADERS);
	TAILBOX__SET(slot->flags, TAILBOX__REQ_SUSPENDED);
	sample_now(s);
	ck_assert_uint_eq(value(TAILBOX__METRIC_SUSPENDED, 0), 1);
	ck_assert_uint_eq(sample.rec.alive_tasks, 1);
	TAILBOX__SET(slot->flags, 0);
	TAILBOX__SET(slot->state, TAILBOX__SLOT_STARTING);
	sample_now(s);
	ck_assert_uint_eq(value(TAILBOX__METRIC_SUSPENDED, 0), 0);
	ck_assert_uint_eq(sample.rec.alive_tasks, 1);
	TAILBOX__SET(slot->state, TAILBOX__SLOT_IDLE);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.alive_tasks, 0);
	tailbox__sampling_destroy(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sampler_pool_values");
	TCase *t = tape_case(s);

	tcase_add_test(t, pools_and_their_oldest_wait);
	tcase_add_test(t, as_many_pools_as_fit_are_shown_whole);
	tcase_add_test(t, suspended_requests_are_counted);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
