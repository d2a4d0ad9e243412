/* tests/test_sampler.c - the sampler's thread: its start, ticks and stop, and
 * samples while everything changes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#include <tailbox/sample.h>

#include "core/alloc.h"
#include "tests/sampling_fixture.h"

START_TEST(the_first_sample_comes_at_once_and_is_whole)
{
	ck_assert_int_eq(tailbox__sampler_start(60000), 0);
	ck_assert_uint_eq(tailbox__sampler_interval(), 60000);
	samples_wait(1);
	const struct tailbox__rec_sample *s = &sample.rec;
	ck_assert_uint_eq(s->alive_tasks, 0);
	ck_assert_uint_eq(s->worker_count, UINT32_MAX);
	ck_assert_uint_eq(s->global_queue_depth, 0);
	ck_assert_uint_eq(s->local_queue_depth, 0);
	ck_assert_uint_eq(s->blocking_queue_depth, 0);
	ck_assert_uint_eq(s->remote_schedule_count, 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_CONNECTIONS, 0), 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_BUSY_WORKERS, 0), 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_SUSPENDED, 0), 0);
	/* There was no deadline to be late for. */
	ck_assert(!has(TAILBOX__METRIC_SAMPLER_LATE_US, 0));
	ck_assert(has(TAILBOX__METRIC_PROCESS_CPU_US, 0));
	ck_assert_uint_gt(known(TAILBOX__METRIC_RSS_BYTES, 0), 0);
}
END_TEST

START_TEST(a_start_is_one_at_a_time)
{
	struct tailbox__sampler_cost cost;

	tailbox__sampler_stop();
	ck_assert_int_eq(tailbox__sampler_start(60000), 0);
	ck_assert_int_eq(tailbox__sampler_start(60000), -EALREADY);
	samples_wait(1);
	tailbox__sampler_stop();
	tailbox__sampler_stop();
	ck_assert_uint_eq(tailbox__sampler_interval(), 0);
	tailbox__sampler_cost(&cost);
	ck_assert_uint_eq(cost.samples, 1);
	ck_assert_uint_gt(cost.cpu_ns, 0);
	/* And again; the cost is counted from the start. */
	ck_assert_int_eq(tailbox__sampler_start(60000), 0);
	samples_wait(2);
}
END_TEST

START_TEST(ticks_come_and_a_new_interval_counts_at_once)
{
	struct tailbox__sampler_cost cost;

	ck_assert_int_eq(tailbox__sampler_start(60000), 0);
	samples_wait(1);
	tailbox__sampler_set_interval(50000);
	samples_wait(2);
	ck_assert(!has(TAILBOX__METRIC_SAMPLER_LATE_US, 0));
	tailbox__sampler_set_interval(10);
	samples_wait(3);
	samples_wait(6);
	ck_assert(has(TAILBOX__METRIC_SAMPLER_LATE_US, 0));
	tailbox__sampler_set_interval(0);
	ck_assert_uint_eq(tailbox__sampler_interval(), 0);
	/* Parked: what is under way ends, then the count stands. */
	uint64_t before;
	do {
		tailbox__sampler_cost(&cost);
		before = cost.samples;
		usleep(30000);
		tailbox__sampler_cost(&cost);
	} while (cost.samples != before);
	tailbox__sampler_set_interval(60000);
	samples_wait(before + 1);
}
END_TEST

START_TEST(ticks_are_on_a_grid)
{
	ck_assert_int_eq(tailbox__sampler_start(20), 0);
	samples_wait(1);
	uint64_t first = sample.rec.tick;
	samples_wait(11);
	uint64_t took = tailbox__ticks_to_ns(
	        tailbox__scale_of_hz(tailbox__clock.hz),
	        sample.rec.tick - first);
	/* Ten intervals at least, but for the start of the first. */
	ck_assert_uint_ge(took, 190000000);
}
END_TEST

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

START_TEST(an_application_asks_for_a_sample)
{
	struct tailbox__sampler_cost cost;
	uint64_t start;

	ck_assert_int_eq(tailbox_sample_now(), -TAILBOX_ESTATE);
	ck_assert_int_eq(tailbox__sampler_start(60000), 0);
	do {
		tailbox__sampler_cost(&cost);
	} while (cost.samples < 1);
	/* A storm of calls is few samples: at most one in 10 ms. */
	start = now_ms();
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(tailbox_sample_now(), 0);
	do {
		tailbox__sampler_cost(&cost);
	} while (cost.samples < 2);
	ck_assert_uint_le(cost.samples, 2 + (now_ms() - start) / 10 + 1);
	/* And the one that is due comes, without any more calls. */
	const uint64_t before = cost.samples;
	ck_assert_int_eq(tailbox_sample_now(), 0);
	do {
		tailbox__sampler_cost(&cost);
	} while (cost.samples <= before);
	tailbox__sampler_park(true);
	ck_assert_int_eq(tailbox_sample_now(), -ECANCELED);
	tailbox__sampler_park(false);
	tailbox__sampler_stop();
	ck_assert_int_eq(tailbox_sample_now(), -TAILBOX_ESTATE);
}
END_TEST

START_TEST(without_a_tape_there_is_no_start)
{
	ck_assert_int_eq(tailbox__sampler_start(100), -TAILBOX_ESTATE);
	tailbox__sampler_stop();
	tailbox__sampler_set_interval(100);
	ck_assert_uint_eq(tailbox__sampler_interval(), 0);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	long live = tailbox__alloc_live();
	int rc = -ENOMEM;

	for (long n = 0; rc != 0; n++) {
		ck_assert_int_lt(n, 20);
		tailbox__alloc_fail_after(n);
		rc = tailbox__sampler_start(60000);
		tailbox__alloc_fail_after(-1);
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_int_eq(tailbox__alloc_live(), live);
		ck_assert_uint_eq(tailbox__sampler_interval(), 0);
	}
	tailbox__sampler_stop();
	ck_assert_int_eq(tailbox__alloc_live(), live);
}
END_TEST

START_TEST(start_and_stop_leave_nothing)
{
	bool was_listed;
	uint64_t fds = 0;

	for (int i = 0; i < 30; i++) {
		ck_assert_int_eq(tailbox__sampler_start(10), 0);
		samples_wait(samples_read() + 1);
		tailbox__sampler_stop();
		if (i == 5)
			fds = tailbox__open_fds(&was_listed);
	}
	ck_assert_uint_eq(tailbox__open_fds(&was_listed), fds);
}
END_TEST

START_TEST(while_off_there_are_no_samples)
{
	struct tailbox__sampling *s = sampling();

	tailbox__recorder_set(false);
	ck_assert(!tailbox__sample_take(s, 100, 0));
	tailbox__recorder_set(true);
	sample_now(s);
	tailbox__sampling_destroy(s);
	tailbox__sampling_destroy(NULL);
}
END_TEST

static volatile sig_atomic_t signalled_tid;

static void on_signal(int number)
{
	(void)number;
	signalled_tid = (sig_atomic_t)syscall(SYS_gettid);
}

START_TEST(the_thread_takes_no_signals)
{
	sigset_t usr1;

	ck_assert_int_eq(tailbox__sampler_start(10), 0);
	samples_wait(1);
	signal(SIGUSR1, on_signal);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	/* Blocked here: if the sampler could take it, it would. */
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	kill(getpid(), SIGUSR1);
	samples_wait(samples_read() + 3);
	ck_assert_int_eq(signalled_tid, 0);
	pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	ck_assert_int_eq(signalled_tid, (int)syscall(SYS_gettid));
	signal(SIGUSR1, SIG_DFL);
}
END_TEST

START_TEST(a_forked_child_has_no_sampler)
{
	struct tailbox_pool *p = tailbox_pool_register("x", 0, 1);
	bool was_listed;
	uint64_t before = tailbox__open_fds(&was_listed);

	ck_assert_int_eq(tailbox__sampler_start(10), 0);
	samples_wait(5);
	pid_t child = fork();
	if (child == 0) {
		struct tailbox__sampler_cost cost;

		tailbox__sampler_in_child();
		tailbox__sampler_stop();
		tailbox__sampler_cost(&cost);
		tailbox_pool_unregister(p);
		/* The tape's own descriptor is closed in a child. */
		_exit(cost.samples != 0 || tailbox__sampler_interval() != 0 ||
		      tailbox__sampler_start(10) == -EALREADY ||
		      tailbox__open_fds(&was_listed) > before);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	samples_wait(samples_read() + 1);
	tailbox_pool_unregister(p);
}
END_TEST

/* --- torture -------------------------------------------------------------- */

static atomic_bool must_end;

static void *work(void *arg)
{
	const struct pair *p = arg;
	struct tailbox__thread *t = tailbox__thread_get();
	uint64_t number = 1000000 * (uint64_t)t->index;

	TAILBOX__SET(t->entry->worker, 1u << 16 | 1);
	while (!atomic_load(&must_end)) {
		struct tailbox__slot *s = tailbox__slot_take(t);

		TAILBOX__SET(s->connection, ++number);
		TAILBOX__SET(s->fd, (uint32_t)p->server + 1);
		TAILBOX__SET(t->entry->hold_since, ms_ago(20));
		TAILBOX__SET(t->entry->hold_route, TAILBOX__NAME_HTTP);
		tailbox__request_open(t, s, TAILBOX__NAME_HTTP, 0, 0,
		                      TAILBOX__PHASE_HEADERS);
		TAILBOX_WAIT(tailbox__handle_of(s), "db", 1) {
			TAILBOX__SET(t->entry->hold_since, 0);
		}
		tailbox__request_close(t, s, tailbox__now(), 1, 0);
		tailbox__slot_give(t, s);
	}
	return NULL;
}

START_TEST(samples_are_taken_while_everything_changes)
{
	struct tailbox_pool *db = tailbox_pool_register("db", 0, 4);
	struct pair p = pair();
	pthread_t threads[3];

	say(&p);
	atomic_store(&must_end, false);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, work, &p);
	ck_assert_int_eq(tailbox__sampler_start(10), 0);
	for (int i = 0; i < 50; i++) {
		struct tailbox__daemon d =
		        add_daemon(TAILBOX__DAEMON_POOL, 3);
		struct tailbox__sampler_cost cost;

		tailbox__sampler_set_interval(10 + (uint32_t)i % 2);
		uint64_t before;
		tailbox__sampler_cost(&cost);
		before = cost.samples;
		while (cost.samples == before) {
			tailbox__sampler_cost(&cost);
			usleep(500);
		}
		tailbox__daemon_remove(d.number);
	}
	atomic_store(&must_end, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	tailbox__sampler_stop();
	tailbox_pool_unregister(db);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sampler");
	TCase *t = tcase_create("closed");

	tcase_add_test(t, without_a_tape_there_is_no_start);
	suite_add_tcase(s, t);

	t = tape_case(s);
	tcase_add_test(t, the_first_sample_comes_at_once_and_is_whole);
	tcase_add_test(t, a_start_is_one_at_a_time);
	tcase_add_test(t, ticks_come_and_a_new_interval_counts_at_once);
	tcase_add_test(t, ticks_are_on_a_grid);
	tcase_add_test(t, an_application_asks_for_a_sample);
	tcase_add_test(t, every_allocation_may_fail);
	tcase_add_test(t, start_and_stop_leave_nothing);
	tcase_add_test(t, while_off_there_are_no_samples);
	tcase_add_test(t, the_thread_takes_no_signals);
	tcase_add_test(t, a_forked_child_has_no_sampler);
	tcase_add_test(t, samples_are_taken_while_everything_changes);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
