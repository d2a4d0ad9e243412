/* tests/test_sampler_workers.c - the workers in a sample: their threads, what
 * they sleep in, and which are shown where there are many.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/resource.h>
#include <time.h>

#include "tests/sampling_fixture.h"

START_TEST(workers_that_never_ran_a_callback_are_found)
{
	struct tailbox__sampling *s = sampling();
	struct helper idle, own;

	helper_start(&idle, false);
	helper_start(&own, true);
	struct tailbox__daemon d = {
		.mode = TAILBOX__DAEMON_POOL,
		.workers = 2,
		.listen_fd = -1,
		.is_recorded = true,
		.tid_count = 3,
		.tids = { self->entry->tid, own.tid, idle.tid },
	};
	ck_assert_int_eq(tailbox__daemon_add(&d), 0);
	hold(&d, "/", 0);
	uint16_t subject = TAILBOX__WORKER_UNSEEN_OF(d.number, 2);
	uint16_t seen = (uint16_t)self->index;
	/* It falls asleep right after it has told us its number. */
	do
		sample_now(s);
	while (value(TAILBOX__METRIC_WORKER_STATE, subject) != 'S');
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), 2);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_STATE, seen), 'R');
	ck_assert(has(TAILBOX__METRIC_WORKER_HELD_US, seen));
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_HELD_US, subject), 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_CONNECTIONS, subject),
	                  0);
	ck_assert(!has(TAILBOX__METRIC_WORKER_ROUTE, subject));
	if (has(TAILBOX__METRIC_WORKER_WCHAN, subject))
		ck_assert_ptr_nonnull(
		        strstr(name(value(TAILBOX__METRIC_WORKER_WCHAN,
		                          subject)),
		               "futex"));
	helper_end(&idle);
	sample_now(s);
	ck_assert(!has(TAILBOX__METRIC_WORKER_HELD_US, subject));
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), 1);
	helper_end(&own);
	tailbox__daemon_remove(d.number);
	/* Its callbacks are nobody's now. */
	sample_now(s);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), 0);
	tailbox__sampling_destroy(s);
}
END_TEST

/* What a thread sleeps in, once it sleeps; "0" where the kernel does not
 * tell. */
static void asleep_in(uint32_t tid, char *out, size_t room)
{
	struct tailbox__proc_file stat = TAILBOX__PROC_FILE;
	struct tailbox__proc_file wchan = TAILBOX__PROC_FILE;
	char path[64], text[1024];

	/* It may wake up between the two, and on a busy machine wait for a
	 * CPU to fall asleep on: up to two seconds. */
	for (int tries = 0; tries < 2000; tries++) {
		do {
			snprintf(path, sizeof(path),
			         "/proc/self/task/%u/stat", tid);
			tailbox__proc_read(&stat, path, text, sizeof(text));
		} while (tailbox__parse_state(text) != 'S');
		snprintf(path, sizeof(path), "/proc/self/task/%u/wchan", tid);
		tailbox__proc_read(&wchan, path, out, room);
		if (strcmp(out, "0") != 0)
			break;
		usleep(1000);
	}
	tailbox__proc_close(&stat);
	tailbox__proc_close(&wchan);
}

START_TEST(what_a_worker_sleeps_in_is_never_the_last_one)
{
	struct tailbox__sampling *s = sampling();
	struct helper worker;
	char in_futex[128], now[128];
	int pipe_fds[2];

	ck_assert_int_eq(pipe(pipe_fds), 0);
	helper_start(&worker, false);
	worker.pipe_fd = pipe_fds[0];
	asleep_in(worker.tid, in_futex, sizeof(in_futex));
	struct tailbox__daemon d = {
		.mode = TAILBOX__DAEMON_SINGLE, .workers = 1,
		.listen_fd = -1, .is_recorded = true,
		.tid_count = 1, .tids = { worker.tid },
	};
	ck_assert_int_eq(tailbox__daemon_add(&d), 0);
	uint16_t subject = TAILBOX__WORKER_UNSEEN_OF(d.number, 0);
	bool tells = in_futex[0] && strcmp(in_futex, "0") != 0;
	/* It has not run: what was seen once holds, without a look. (Where
	 * there is no schedstat to say so, it is left out.) */
	if (access("/proc/self/schedstat", R_OK) != 0)
		tells = false;
	for (int i = 0; i < 30; i++) {
		sample_now(s);
		if (!tells)
			ck_assert(!has(TAILBOX__METRIC_WORKER_WCHAN, subject));
		else
			ck_assert_str_eq(
			        name(known(TAILBOX__METRIC_WORKER_WCHAN,
			                   subject)),
			        in_futex);
	}
	sem_post(&worker.may_end);
	do
		asleep_in(worker.tid, now, sizeof(now));
	while (tells && (strcmp(now, "0") == 0 || strcmp(now, in_futex) == 0));
	for (int i = 0; i < 30; i++) {
		sample_now(s);
		if (has(TAILBOX__METRIC_WORKER_WCHAN, subject))
			ck_assert_str_eq(
			        name(value(TAILBOX__METRIC_WORKER_WCHAN,
			                   subject)),
			        now);
	}
	ck_assert(has(TAILBOX__METRIC_WORKER_WCHAN, subject) == tells);
	close(pipe_fds[1]);
	helper_end(&worker);
	close(pipe_fds[0]);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(cpu_time_is_that_since_the_last_sample)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	uint16_t index = (uint16_t)self->index;

	hold(&d, "/", 0);
	sample_now(s);
	/* One look is no difference. */
	ck_assert(!has(TAILBOX__METRIC_WORKER_CPU_US, index));
	ck_assert(!has(TAILBOX__METRIC_WORKER_RUNQ_US, index));
	if (access("/proc/self/schedstat", R_OK) == 0) {
		struct timespec a, b;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		do
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		while ((b.tv_sec - a.tv_sec) * 1000000 +
		               (b.tv_nsec - a.tv_nsec) / 1000 <
		       20000);
		sample_now(s);
		/* The kernel adds up by ticks of the scheduler. */
		ck_assert_uint_ge(value(TAILBOX__METRIC_WORKER_CPU_US, index),
		                  10000);
		ck_assert_uint_lt(value(TAILBOX__METRIC_WORKER_CPU_US, index),
		                  10000000);
		ck_assert(has(TAILBOX__METRIC_WORKER_RUNQ_US, index));
	}
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

/* More workers than fit: entries of our own making, all of this thread. */
START_TEST(of_many_workers_the_longest_held_are_shown)
{
	enum { WORKERS = 200, HELD = 5 };
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_THREADS, 0);
	struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	bool was_listed;

	ck_assert_uint_ge(h->threads_max, WORKERS);
	for (uint32_t i = self->index + 1; i < WORKERS; i++) {
		struct tailbox__thread_entry *e =
		        &tailbox__recorder.tape.threads[i];

		TAILBOX__SET(e->tid, self->entry->tid);
		TAILBOX__SET(e->worker, d.number << 16 | 1);
		TAILBOX__SET(e->resumes, 2);
		if (i >= WORKERS - HELD)
			TAILBOX__SET(e->hold_since, ms_ago(30));
	}
	TAILBOX__SET(h->threads_used, WORKERS);
	uint64_t fds = tailbox__open_fds(&was_listed);
	sample_now(s);
	ck_assert_uint_eq(value(TAILBOX__METRIC_BUSY_WORKERS, 0), HELD);
	unsigned shown = subjects(TAILBOX__METRIC_WORKER_CONNECTIONS);
	ck_assert_uint_ge(shown, 20);
	ck_assert_uint_le(shown, TAILBOX__WORKERS_MAX);
	for (uint16_t i = WORKERS - HELD; i < WORKERS; i++)
		ck_assert_uint_ge(known(TAILBOX__METRIC_WORKER_HELD_US, i),
		                  29000);
	/* Shown whole or not at all, and in order. */
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), shown);
	ck_assert(is_in_order());
	ck_assert_uint_le(sample.count, TAILBOX__VALUES_MAX);
	ck_assert_uint_eq(sample.rec.remote_schedule_count,
	                  2 * (WORKERS - self->index - 1));
	/* Descriptors are the service's. */
	ck_assert_uint_le(tailbox__open_fds(&was_listed),
	                  fds + 3 * TAILBOX__WORKERS_MAX + 10);
	tailbox__sampling_destroy(s);
	TAILBOX__SET(h->threads_used, self->index + 1);
	tailbox__daemon_remove(d.number);
}
END_TEST

START_TEST(few_descriptors_mean_few_files)
{
	struct rlimit before, low;
	struct tailbox__workers w;

	getrlimit(RLIMIT_NOFILE, &before);
	static const struct {
		rlim_t limit;
		uint32_t want;
	} of[] = { { 20, 2 },   { 64, 2 },    { 96, 3 },
		   { 256, 8 },  { 1023, 31 }, { 1024, 32 } };
	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		low = before;
		low.rlim_cur = of[i].limit;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
		tailbox__workers_init(&w);
		setrlimit(RLIMIT_NOFILE, &before);
		ck_assert_uint_eq(w.files_max, of[i].want);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sampler_workers");
	TCase *t = tape_case(s);

	tcase_add_test(t, workers_that_never_ran_a_callback_are_found);
	tcase_add_test(t, what_a_worker_sleeps_in_is_never_the_last_one);
	tcase_add_test(t, cpu_time_is_that_since_the_last_sample);
	tcase_add_test(t, of_many_workers_the_longest_held_are_shown);
	tcase_add_test(t, few_descriptors_mean_few_files);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
