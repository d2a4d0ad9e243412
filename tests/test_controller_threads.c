/* tests/test_controller_threads.c - windows and the threads of the process,
 * its signals and its children.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sys/wait.h>

#include <tailbox/span.h>

#include "tests/controller_fixture.h"

static atomic_bool must_end;
static atomic_ulong work_done, work_wanted;
static pthread_mutex_t work_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_there = PTHREAD_COND_INITIALIZER;

/* Without a bound the load would be all that the machine has. */
static void want_work(unsigned long more)
{
	pthread_mutex_lock(&work_lock);
	atomic_fetch_add(&work_wanted, more);
	pthread_cond_broadcast(&work_there);
	pthread_mutex_unlock(&work_lock);
}

static void end_work(void)
{
	atomic_store(&must_end, true);
	want_work(0);
}

static void wait_for_more(void)
{
	pthread_mutex_lock(&work_lock);
	while (!atomic_load(&must_end) &&
	       atomic_load(&work_done) >= atomic_load(&work_wanted))
		pthread_cond_wait(&work_there, &work_lock);
	pthread_mutex_unlock(&work_lock);
}

static void *work(void *arg)
{
	(void)arg;
	while (!atomic_load(&must_end)) {
		if (atomic_load(&work_done) >= atomic_load(&work_wanted))
			wait_for_more();
		tailbox_request r = tailbox_request_begin("/work", "job");
		TAILBOX_WAIT(r, "pool", 1) { }
		TAILBOX_STAGE(r, "step") {
			tailbox_gauge_up(r, "steps");
			tailbox_gauge_down(r, "steps");
		}
		tailbox_request_finish(r, NULL);
		atomic_fetch_add(&work_done, 1);
	}
	return NULL;
}

struct numbers {
	uint64_t *items;
	size_t count, room;
};

static int by_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

enum { WORKERS = 3, CYCLES = 100, PER_CYCLE = 20, LOAD = 2000 };

static void wait_for_work(unsigned long more)
{
	unsigned long until = atomic_load(&work_done) + more;

	/* The workers may have come to the end of what was wanted. */
	if (until > atomic_load(&work_wanted))
		want_work(LOAD);
	while (atomic_load(&work_done) < until)
		sched_yield();
}

/* One cycle with load before, in and after the window. */
static void cycle(uint64_t id)
{
	want_work(LOAD);
	wait_for_work(LOAD / 100);
	ck_assert_uint_eq(arm(NULL), id);
	wait_for_work(PER_CYCLE);
	disarm();
}

static void add_numbers(uint64_t id, struct numbers *numbers)
{
	struct tailbox__run *run = load(id);

	ck_assert_uint_ge(run->requests.count, PER_CYCLE - WORKERS);
	ck_assert_uint_eq(extra(run, "lost_blocks"), 0);
	ck_assert_uint_eq(run->stages.count, run->requests.count);
	ck_assert_uint_eq(run->queues.count, run->requests.count);
	ck_assert_uint_eq(run->inflight.count, 2 * run->requests.count);
	for (size_t i = 0; i < run->ext.count; i++)
		*tailbox__list_add(numbers) = run->ext.items[i].number;
	tailbox__run_destroy(run);
}

START_TEST(a_hundred_cycles_under_load_share_no_request)
{
	struct numbers numbers = { 0 };
	pthread_t threads[WORKERS];
	unsigned fds = 0, tasks = 0;

	for (int i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (uint64_t id = 1; id <= CYCLES; id++) {
		cycle(id);
		if (id == 10) {
			fds = count_in("/proc/self/fd");
			tasks = count_in("/proc/self/task");
		}
	}
	ck_assert_uint_eq(count_in("/proc/self/fd"), fds);
	ck_assert_uint_eq(count_in("/proc/self/task"), tasks);
	end_work();
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (uint64_t id = 1; id <= CYCLES; id++)
		add_numbers(id, &numbers);
	qsort(numbers.items, numbers.count, sizeof(*numbers.items), by_number);
	for (size_t i = 1; i < numbers.count; i++)
		ck_assert_uint_ne(numbers.items[i], numbers.items[i - 1]);
	tailbox__free(numbers.items);
}
END_TEST

static void *exact_work(void *arg)
{
	requests(*(unsigned *)arg);
	return NULL;
}

START_TEST(every_request_of_every_thread_is_there)
{
	pthread_t threads[4];
	unsigned count = 5000;

	arm(NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, exact_work, &count);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	disarm();
	struct tailbox__run *run = load(1);
	ck_assert_uint_eq(run->requests.count, 4 * count);
	tailbox__run_destroy(run);
}
END_TEST

/* --- spans that end elsewhere while the request ends -------------------- */

struct shared {
	_Atomic(tailbox_request) request;
	atomic_uint rounds;
};

static void *spans_elsewhere(void *arg)
{
	struct shared *s = arg;

	while (!atomic_load(&must_end)) {
		TAILBOX_STAGE(atomic_load(&s->request), "elsewhere") { }
	}
	return NULL;
}

START_TEST(spans_on_other_threads_never_lie_outside_their_request)
{
	struct shared s = { .rounds = 0 };
	pthread_t threads[2];

	arm(NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, spans_elsewhere, &s);
	for (int i = 0; i < 20000; i++) {
		tailbox_request r = tailbox_request_begin("/x", NULL);
		atomic_store(&s.request, r);
		tailbox_request_finish(r, NULL);
	}
	atomic_store(&must_end, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	disarm();
	tailbox__run_destroy(load(1)); /* which validates */
}
END_TEST

/* --- our threads, fork -------------------------------------------------- */

START_TEST(our_threads_block_every_signal)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	unsigned found = 0;

	while ((e = readdir(d))) {
		char path[300], line[256];
		bool is_ours = false;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
		         e->d_name);
		FILE *f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f)) {
			if (strstr(line, "Name:\ttailbox-"))
				is_ours = true;
			if (!is_ours || strncmp(line, "SigBlk:", 7) != 0)
				continue;
			const uint64_t mask = strtoull(line + 7, NULL, 16);
			ck_assert(mask & 1u << (SIGTERM - 1));
			ck_assert(mask & 1u << (SIGXFSZ - 1));
			found++;
		}
		if (f)
			fclose(f);
	}
	closedir(d);
	ck_assert_uint_ge(found, 2);
}
END_TEST

START_TEST(a_forked_child_has_no_window)
{
	arm(NULL);
	requests(1);
	const pid_t pid = fork();
	if (pid == 0) {
		struct tailbox__window_status s;
		tailbox__controller_in_child();
		tailbox__window_status(&s);
		tailbox__controller_stop();
		_exit(s.state == TAILBOX__WINDOW_DISABLED ? 0 : 1);
	}
	int status = -1;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	requests(1);
	disarm();
	struct tailbox__run *run = load(1);
	ck_assert_uint_eq(run->requests.count, 2);
	tailbox__run_destroy(run);
}
END_TEST

static Suite *controller_threads_suite(void)
{
	Suite *s = suite_create("controller_threads");
	TCase *t = tcase_create("controller_threads");

	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_hundred_cycles_under_load_share_no_request);
	tcase_add_test(t, every_request_of_every_thread_is_there);
	tcase_add_test(t,
	               spans_on_other_threads_never_lie_outside_their_request);
	tcase_add_test(t, our_threads_block_every_signal);
	tcase_add_test(t, a_forked_child_has_no_window);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(controller_threads_suite());

	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
