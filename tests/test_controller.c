/* tests/test_controller.c - windows from arm to artifact.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <tailbox/span.h>

#include "tests/controller_fixture.h"

/* --- the state machine ------------------------------------------------- */

START_TEST(before_the_first_window_it_is_disabled)
{
	const struct tailbox__window_status s = window();
	uint64_t id;

	ck_assert_int_eq(s.state, TAILBOX__WINDOW_DISABLED);
	ck_assert_uint_eq(s.id, 1);
	ck_assert_int_eq(tailbox__disarm(&id, NULL, NULL),
	                 TAILBOX__DISARM_ALREADY);
	ck_assert_uint_eq(id, 1);
}
END_TEST

START_TEST(a_window_has_what_began_in_it_and_nothing_else)
{
	requests(3);
	ck_assert_uint_eq(arm(NULL), 1);
	requests(5);
	disarm();
	requests(7);
	struct tailbox__run *run = load(1);

	ck_assert_uint_eq(run->requests.count, 5);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_MANUAL_DISARM);
	ck_assert_str_eq(tailbox__run_text(run, run->meta.run_id, NULL),
	                 "test-generation-1");
	ck_assert_uint_eq(extra(run, "window"), 1);
	ck_assert_uint_eq(extra(run, "lost_requests"), 0);
	ck_assert_uint_eq(extra(run, "lost_blocks"), 0);
	ck_assert_uint_eq(run->meta.unfinished_count, 0);
	tailbox__run_destroy(run);
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_DISABLED);
	ck_assert_uint_eq(window().id, 2);
}
END_TEST

START_TEST(an_armed_window_says_so_and_refuses_another)
{
	struct tailbox__activation a = light();
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	uint64_t id = 0;

	snprintf(a.note, sizeof(a.note), "why");
	a.limits.max_requests = 9;
	arm(&a);
	ck_assert_int_eq(tailbox__arm(&a, &id, &err), -TAILBOX_ESTATE);
	ck_assert_uint_eq(id, 1);
	ck_assert_ptr_nonnull(strstr(err.text, "window 1"));
	const struct tailbox__window_status s = window();

	ck_assert_int_eq(s.state, TAILBOX__WINDOW_ACTIVE);
	ck_assert(s.is_accepting && !s.is_closing && !s.is_finalizing);
	ck_assert_str_eq(s.activation.note, "why");
	ck_assert_uint_eq(s.activation.limits.max_requests, 9);
	ck_assert(strncmp(s.artifact, "test-20", 7) == 0);
	ck_assert_str_eq(s.last_error, "");
	disarm();
	struct tailbox__run *run = load(1);
	ck_assert_str_eq(
	        tailbox__run_text(run, tailbox__run_extra(run, "note")->text,
	                          NULL),
	        "why");
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_bad_activation_is_refused_and_uses_up_no_number)
{
	struct tailbox__activation bad[5];

	for (int i = 0; i < 5; i++)
		bad[i] = light();
	bad[0].mode = (enum tailbox__mode)7;
	bad[1].policy = (enum tailbox__run_end_policy)7;
	bad[2].sample_interval_ms = 9;
	bad[3].sample_interval_ms = 60001;
	memset(bad[4].note, 'x', sizeof(bad[4].note));
	for (int i = 0; i < 5; i++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		ck_assert_int_eq(tailbox__arm(&bad[i], NULL, &err), -EINVAL);
		ck_assert_str_ne(err.text, "");
	}
	ck_assert_uint_eq(arm(NULL), 1);
}
END_TEST

START_TEST(what_is_in_flight_at_the_disarm_is_in_and_later_ones_are_not)
{
	uint32_t in_flight = 0;

	tailbox_request before = tailbox_request_begin("/before", NULL);
	arm(NULL);
	tailbox_request r = tailbox_request_begin("/in", NULL);
	ck_assert_uint_eq(window().in_flight, 1);
	ck_assert_int_eq(tailbox__disarm(NULL, &in_flight, NULL),
	                 TAILBOX__DISARM_CLOSING);
	ck_assert_uint_eq(in_flight, 1);
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_CLOSING);
	tailbox_request late = tailbox_request_begin("/late", NULL);
	TAILBOX_STAGE(r, "after the disarm") { }
	tailbox_request_finish(r, NULL);
	wait_for(": test-");
	tailbox_request_finish(late, NULL);
	tailbox_request_finish(before, NULL);
	struct tailbox__run *run = load(1);

	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_str_eq(
	        tailbox__run_text(run, run->requests.items[0].route, NULL),
	        "/in");
	ck_assert_uint_eq(run->stages.count, 1);
	ck_assert_uint_gt(run->requests.items[0].end_us,
	                  extra(run, "sealed_at_run_us"));
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(what_never_ends_is_unfinished_after_the_drain_timeout)
{
	tailbox__controller_stop();
	start_with(1);
	arm(NULL);
	tailbox_request r = tailbox_request_begin("/hangs", NULL);
	struct tailbox_site site = { .name = "stuck", .file = "a/b.c",
		                     .function = "f", .line = 3,
		                     .kind = TAILBOX_SPAN_STAGE };
	struct tailbox_span s;
	tailbox_span_begin(&s, r, &site, TAILBOX_DEPTH_UNKNOWN);
	requests(2);
	disarm();
	struct tailbox__run *run = load(1);

	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_uint_eq(run->meta.unfinished_count, 1);
	ck_assert_uint_eq(run->open.count, 1);
	ck_assert_str_eq(tailbox__run_text(run, run->open.items[0].where, NULL),
	                 "stuck");
	ck_assert_str_eq(tailbox__run_text(run, run->open.items[0].site, NULL),
	                 "b.c:3 f");
	ck_assert_uint_eq(run->meta.warnings.count, 1);
	tailbox__run_destroy(run);
	tailbox_span_end(&s, 1);
	tailbox_request_finish(r, NULL);
	/* It is of window 1: not of the next. */
	arm(NULL);
	disarm();
	run = load(2);
	ck_assert_uint_eq(run->requests.count, 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_discarded_request_is_waited_for_by_nobody)
{
	arm(NULL);
	tailbox_request r = tailbox_request_begin("/health", NULL);
	tailbox_request_discard(r);
	ck_assert_uint_eq(window().in_flight, 0);
	disarm();
	tailbox_request_finish(r, NULL);
	struct tailbox__run *run = load(1);
	ck_assert_uint_eq(run->requests.count + run->open.count, 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_duration_ends_the_window_by_itself)
{
	struct tailbox__activation a = light();

	a.duration_ms = 1;
	arm(&a);
	wait_for(": test-");
	struct tailbox__run *run = load(1);

	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_MANUAL_DISARM);
	ck_assert_str_eq(
	        tailbox__run_text(
	                run, tailbox__run_extra(run, "end_detail")->text, NULL),
	        "duration");
	ck_assert_uint_ge(extra(run, "sealed_at_run_us"), 1000);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(stop_seals_at_once_with_what_is_open)
{
	arm(NULL);
	tailbox_request r = tailbox_request_begin("/hangs", NULL);
	requests(3);
	tailbox__controller_stop();
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_DISABLED);
	tailbox_request_finish(r, NULL);
	start_with(0);
	struct tailbox__artifact_entry e;
	ck_assert_int_eq(tailbox__artifacts(&e, 1, NULL), 1);
	ck_assert(!e.is_ours); /* of the controller before */
	struct tailbox__run *run;
	const int fd = tailbox__artifact_open(&e);
	ck_assert_int_eq(tailbox__artifact_read(fd, &run, NULL), 0);
	close(fd);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_SHUTDOWN);
	ck_assert_uint_eq(run->requests.count, 3);
	ck_assert_uint_eq(run->meta.unfinished_count, 1);
	tailbox__run_destroy(run);
}
END_TEST

/* --- strict lifecycle -------------------------------------------------- */

START_TEST(strict_lifecycle_waits_for_the_last_request)
{
	struct tailbox__activation a = light();

	tailbox__controller_stop();
	start_with(1);
	a.strict_lifecycle = true;
	arm(&a);
	tailbox_request r = tailbox_request_begin("/slow", NULL);
	tailbox__disarm(NULL, NULL, NULL);
	wait_for("stays open");
	struct tailbox__window_status s = window();
	ck_assert_int_eq(s.state, TAILBOX__WINDOW_CLOSING);
	ck_assert_ptr_nonnull(strstr(s.last_error, "1 requests"));
	/* Asked again: tried again. */
	ck_assert_int_eq(tailbox__disarm(NULL, NULL, NULL),
	                 TAILBOX__DISARM_CLOSING);
	wait_for("stays open");
	ck_assert_int_eq(tailbox__arm(&a, NULL, NULL), -TAILBOX_ESTATE);
	tailbox_request_finish(r, NULL);
	wait_for(": test-");
	struct tailbox__run *run = load(1);
	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(run->meta.unfinished_count, 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(strict_lifecycle_and_stop_leave_no_artifact)
{
	struct tailbox__activation a = light();

	a.strict_lifecycle = true;
	arm(&a);
	tailbox_request r = tailbox_request_begin("/slow", NULL);
	tailbox__controller_stop();
	wait_for("is lost");
	tailbox_request_finish(r, NULL);
	start_with(0);
	struct tailbox__artifact_entry e;
	ck_assert_int_eq(tailbox__artifacts(&e, 1, NULL), 0);
}
END_TEST

/* --- limits ------------------------------------------------------------ */

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

/* --- when the disk says no --------------------------------------------- */

START_TEST(a_folder_that_cannot_be_made_is_an_error_of_the_arm)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const struct tailbox__activation a = light();

	tailbox__controller_stop();
	remove_folder(artifact_dir);
	/* A file where the folder should be. */
	const int fd = open(artifact_dir, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
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

static void replace_folder_by_file(void)
{
	remove_folder(artifact_dir);
	const int fd = open(artifact_dir, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

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

/* --- many threads ------------------------------------------------------ */

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

static unsigned count_in(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
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

/* --- spans that end elsewhere while the request ends ------------------- */

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

/* --- our threads, fork, memory ----------------------------------------- */

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

START_TEST(calls_without_a_controller_do_nothing)
{
	const struct tailbox__activation a = light();
	struct tailbox__recorder_status s;
	struct tailbox__artifact_entry e;

	tailbox__controller_stop();
	tailbox__controller_stop();
	ck_assert_int_eq(tailbox__arm(&a, NULL, NULL), -TAILBOX_ESTATE);
	ck_assert_int_eq(tailbox__disarm(NULL, NULL, NULL),
	                 TAILBOX__DISARM_ALREADY);
	ck_assert_int_lt(tailbox__artifacts(&e, 1, NULL), 0);
	ck_assert_int_eq(tailbox__artifact_find("1", &e), -ENOENT);
	tailbox__recorder_status(&s);
	ck_assert_uint_eq(s.rate_milli, 0);
}
END_TEST

START_TEST(the_recorder_status_tells_what_was_recorded)
{
	struct tailbox__recorder_status s;

	arm(NULL);
	requests(200);
	tailbox_request r = tailbox_request_begin("/open", NULL);
	TAILBOX_STAGE(r, "s") { }
	wait_until_spooled(200);
	tailbox__recorder_status(&s);
	ck_assert_uint_eq(s.begun, 201);
	ck_assert_uint_eq(s.finished, 200);
	ck_assert_uint_eq(s.spans, 1);
	ck_assert_uint_eq(s.open_requests, 1);
	ck_assert_uint_gt(s.rate_milli, 0);
	ck_assert_uint_le(s.p50_us, s.p95_us);
	ck_assert_uint_le(s.p95_us, s.p99_us);
	ck_assert_uint_le(s.p99_us, s.max_us);
	ck_assert_uint_ge(s.follower_records, 200);
	ck_assert_uint_eq(s.lost_requests + s.lost_spans + s.lost_blocks, 0);
	tailbox_request_finish(r, NULL);
}
END_TEST

static Suite *controller_suite(void)
{
	Suite *s = suite_create("controller");
	TCase *t = tcase_create("windows");

	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, before_the_first_window_it_is_disabled);
	tcase_add_test(t, a_window_has_what_began_in_it_and_nothing_else);
	tcase_add_test(t, an_armed_window_says_so_and_refuses_another);
	tcase_add_test(t, a_bad_activation_is_refused_and_uses_up_no_number);
	tcase_add_test(
	        t,
	        what_is_in_flight_at_the_disarm_is_in_and_later_ones_are_not);
	tcase_add_test(t,
	               what_never_ends_is_unfinished_after_the_drain_timeout);
	tcase_add_test(t, a_discarded_request_is_waited_for_by_nobody);
	tcase_add_test(t, a_duration_ends_the_window_by_itself);
	tcase_add_test(t, stop_seals_at_once_with_what_is_open);
	tcase_add_test(t, strict_lifecycle_waits_for_the_last_request);
	tcase_add_test(t, strict_lifecycle_and_stop_leave_no_artifact);
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
	tcase_add_test(t, a_hundred_cycles_under_load_share_no_request);
	tcase_add_test(t, every_request_of_every_thread_is_there);
	tcase_add_test(t,
	               spans_on_other_threads_never_lie_outside_their_request);
	tcase_add_test(t, our_threads_block_every_signal);
	tcase_add_test(t, a_forked_child_has_no_window);
	tcase_add_test(t, a_start_without_memory_starts_nothing);
	tcase_add_test(t, an_arm_without_memory_leaves_all_as_it_was);
	tcase_add_test(t, an_end_without_memory_loses_the_window_and_says_so);
	tcase_add_test(t, calls_without_a_controller_do_nothing);
	tcase_add_test(t, the_recorder_status_tells_what_was_recorded);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(controller_suite());

	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
