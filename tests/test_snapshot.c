/* tests/test_snapshot.c - snapshots, and windows that look back.
 *
 * SPDX-License-Identifier: MIT
 *
 * Requests of a thread are numbered one after the other. So a run that has all
 * that began in a span of time has, of each thread, numbers without a gap.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <sys/resource.h>

#include "sampler/sampler.h"
#include "tests/controller_fixture.h"

static struct tailbox__run *load_id(const char *id)
{
	struct tailbox__artifact_entry e;
	struct tailbox__inspection in;
	struct tailbox__run *run;

	ck_assert_int_eq(tailbox__artifact_find(id, &e), 0);
	ck_assert(e.is_ours);
	const int fd = tailbox__artifact_open(&e);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tailbox__artifact_read(fd, &run, NULL), 0);
	close(fd);
	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	ck_assert_uint_eq(in.issues.count, 0);
	tailbox__inspection_fini(&in);
	return run;
}

static struct tailbox__run *take(uint64_t last_ms)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__artifact_key key;
	struct tailbox__snapshot s;
	char name[256], id[TAILBOX__ARTIFACT_ID_BYTES];

	tailbox__snapshot_init(&s, TAILBOX__MODE_LIGHT);
	s.limits.max_requests = 10000000;
	s.last_ms = last_ms;
	ck_assert_msg(tailbox__snapshot_take(&s, &key, name, &err) == 0, "%s",
	              err.text);
	ck_assert_int_eq(key.kind, TAILBOX__ARTIFACT_SNAPSHOT);
	ck_assert(strstr(name, "-s") != NULL);
	wait_for("snapshot s"); /* not to be taken for a window's line */
	return load_id(tailbox__artifact_id(id, &key));
}

/* --- threads that work without a pause ---------------------------------- */

enum { WORKERS = 3 };
static struct worker {
	pthread_t thread;
	atomic_bool must_stop;
	_Atomic uint64_t done;
} workers[WORKERS];

static void *work(void *arg)
{
	/* A tape of this size would else go round within one turn of the
	 * reader on a processor, and nothing of it be covered. */
	const struct timespec pause = { 0, 20000 };
	struct worker *w = arg;

	while (!w->must_stop) {
		tailbox_request r = tailbox_request_begin("/job", NULL);
		struct tailbox_span s;
		static struct tailbox_site site = { .name = "step",
			                            .kind = TAILBOX_SPAN_STAGE };

		tailbox_span_begin(&s, r, &site, 0);
		tailbox_span_end(&s, 1);
		tailbox_request_finish(r, NULL);
		w->done++;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void workers_start(void)
{
	for (int i = 0; i < WORKERS; i++) {
		workers[i].must_stop = false;
		workers[i].done = 0;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work,
		                                &workers[i]),
		                 0);
	}
	for (int i = 0; i < WORKERS; i++)
		while (workers[i].done < 1000)
			sched_yield();
}

static void workers_stop(void)
{
	for (int i = 0; i < WORKERS; i++)
		workers[i].must_stop = true;
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
}

static int by_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* No request twice, none missing, and each with its one stage. */
static void check_whole(const struct tailbox__run *run)
{
	const size_t open = run->open.count;
	size_t n = 0;
	uint64_t *numbers = calloc(run->requests.count + open + 1, 8);

	ck_assert(!run->truncation.limits_hit);
	for (size_t i = 0; i < run->requests.count; i++)
		numbers[n++] = run->ext.items[run->requests.items[i].ext - 1]
		                       .number;
	for (size_t i = 0; i < open; i++)
		numbers[n++] = run->open.items[i].number;
	qsort(numbers, n, sizeof(*numbers), by_number);
	for (size_t i = 1; i < n; i++)
		if (numbers[i] >> 40 == numbers[i - 1] >> 40)
			ck_assert_msg(numbers[i] == numbers[i - 1] + 1,
			              "from %llu to %llu of %zu",
			              (unsigned long long)numbers[i - 1],
			              (unsigned long long)numbers[i], n);
	ck_assert_uint_eq(run->stages.count, run->requests.count);
	free(numbers);
}

/* --- snapshots ----------------------------------------------------------- */

START_TEST(a_snapshot_has_all_there_is_when_nothing_else_is_asked)
{
	requests(500);
	tailbox_request open = tailbox_request_begin("/long", NULL);
	struct tailbox__run *run = take(0);

	ck_assert_uint_eq(run->requests.count, 500);
	ck_assert_uint_eq(run->meta.unfinished_count, 1);
	ck_assert_uint_eq(extra(run, "snapshot"), 1);
	ck_assert_uint_eq(extra(run, "covered_from_run_us"), 0);
	ck_assert_uint_eq(extra(run, "older_requests"), 0);
	ck_assert_uint_eq(extra(run, "older_open"), 0);
	ck_assert_uint_eq(extra(run, "overwritten_blocks"), 0);
	ck_assert_ptr_null(tailbox__run_extra(run, "asked_us"));
	ck_assert_ptr_null(tailbox__run_extra(run, "armed_at_run_us"));
	ck_assert_ptr_null(tailbox__run_extra(run, "cause"));
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_NONE);
	ck_assert_str_eq(tailbox__run_text(run, run->meta.run_id, NULL),
	                 "test-snapshot-1");
	tailbox__run_destroy(run);
	tailbox_request_finish(open, NULL);
	run = take(0);
	ck_assert_uint_eq(extra(run, "snapshot"), 2);
	ck_assert_uint_eq(run->requests.count, 501);
	tailbox__run_destroy(run);
}
END_TEST

/* The first record of a request on the tape. */
static char *first_record(void)
{
	const struct tailbox__tape *t = &tailbox__recorder.tape;

	for (uint32_t i = 0; i < t->header->blocks_max; i++) {
		struct tailbox__block *b = fixture_block(i);
		if (TAILBOX__HEAD_KIND(TAILBOX__GET(b->head)) ==
		    TAILBOX__BLOCK_REQUESTS)
			return (char *)(b + 1);
	}
	ck_abort_msg("no request is on the tape");
}

START_TEST(what_cannot_be_is_left_out_and_told)
{
	requests(5);
	struct tailbox__run *run = take(0);
	ck_assert_uint_eq(run->requests.count, 5);
	ck_assert_uint_eq(tailbox__run_extra(run, "damaged")->number, 0);
	tailbox__run_destroy(run);
	*first_record() = 99; /* the type */
	run = take(0);
	ck_assert_uint_eq(run->requests.count, 4);
	ck_assert_uint_eq(tailbox__run_extra(run, "damaged")->number, 1);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(what_began_before_is_counted_and_left_out)
{
	const struct timespec pause = { 0, 80000000 };

	requests(40);
	tailbox_request open = tailbox_request_begin("/long", NULL);
	nanosleep(&pause, NULL);
	const uint64_t before = tailbox__mono_ns();
	requests(7);
	struct tailbox__run *run = take(40);

	if (tailbox__mono_ns() - before < 35000000) { /* else too slow for it */
		ck_assert_uint_eq(run->requests.count, 7);
		ck_assert_uint_eq(extra(run, "older_requests"), 40);
	}
	ck_assert_uint_eq(run->meta.unfinished_count, 0);
	ck_assert_uint_eq(extra(run, "older_open"), 1);
	ck_assert_uint_eq(extra(run, "asked_us"), 40000);
	ck_assert_uint_le(extra(run, "covered_us"), 40000);
	ck_assert_uint_ge(extra(run, "covered_us"), 39990);
	tailbox__run_destroy(run);
	tailbox_request_finish(open, NULL);
}
END_TEST

START_TEST(under_load_none_is_missing_and_the_tape_says_how_far_it_reaches)
{
	workers_start();
	for (int i = 0; i < 4; i++) {
		struct tailbox__run *run = take(i % 2 ? 50 : 0);
		check_whole(run);
		/* In 50 ms no worker may have had a turn: then all that
		 * they did before is counted as older. */
		ck_assert_uint_gt(run->requests.count +
		                          extra(run, "older_requests"),
		                  0);
		if (i % 2 == 0)
			ck_assert_uint_gt(run->requests.count, 0);
		ck_assert_uint_gt(extra(run, "covered_us"), 0);
		tailbox__run_destroy(run);
	}
	/* Until the tape has gone round. */
	while (TAILBOX__GET(tailbox__recorder.tape.header->next_ticket) <
	       2 * tailbox__recorder.tape.header->blocks_max)
		sched_yield();
	struct tailbox__run *run = take(600000);
	workers_stop();
	check_whole(run);
	ck_assert_uint_eq(extra(run, "asked_us"), 600000000);
	ck_assert_uint_lt(extra(run, "covered_us"), 600000000);
	ck_assert_uint_gt(extra(run, "overwritten_blocks"), 0);
	ck_assert_uint_gt(extra(run, "older_requests"), 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_snapshot_and_a_window_leave_each_other_alone)
{
	struct tailbox__run *run;

	requests(10);
	const uint64_t id = arm(NULL);
	requests(20);
	run = take(0);
	ck_assert_uint_eq(run->requests.count, 30);
	tailbox__run_destroy(run);
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_ACTIVE);
	requests(5);
	disarm();
	run = load(id);
	ck_assert_uint_eq(run->requests.count, 25);
	ck_assert_ptr_null(tailbox__run_extra(run, "covered_us"));
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_told_and_loses_that_one_only)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__snapshot_status st;
	struct tailbox__snapshot s;
	char moved[128];

	requests(3);
	tailbox__run_destroy(take(0));
	snprintf(moved, sizeof(moved), "%s.moved", artifact_dir);
	ck_assert_int_eq(rename(artifact_dir, moved), 0);
	const int fd = open(artifact_dir, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	tailbox__snapshot_init(&s, TAILBOX__MODE_LIGHT);
	ck_assert_int_eq(tailbox__snapshot_take(&s, NULL, NULL, &err),
	                 -ENOTDIR);
	ck_assert(strstr(err.text, artifact_dir) != NULL);
	tailbox__snapshot_status(&st);
	ck_assert_uint_eq(st.made, 1);
	ck_assert_uint_eq(st.failed, 1);
	ck_assert_str_eq(st.last_error, err.text);
	unlink(artifact_dir);
	ck_assert_int_eq(rename(moved, artifact_dir), 0);
	struct tailbox__run *run = take(0);
	ck_assert_uint_eq(extra(run, "snapshot"), 2);
	tailbox__run_destroy(run);
	tailbox__snapshot_status(&st);
	ck_assert_str_eq(st.last_error, "");
}
END_TEST

static unsigned files_in(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* As a full disk: the file cannot grow. (The limit is of this process, which
 * the test has for itself.) */
START_TEST(a_full_disk_is_told_and_leaves_nothing)
{
	const struct rlimit tight = { 200, RLIM_INFINITY };
	const struct rlimit wide = { RLIM_INFINITY, RLIM_INFINITY };
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__artifact_entry e;
	struct tailbox__snapshot s;

	requests(50);
	tailbox__snapshot_init(&s, TAILBOX__MODE_LIGHT);
	/* No check in between: libcheck writes a file, too. */
	const int set = setrlimit(RLIMIT_FSIZE, &tight);
	const int ret = tailbox__snapshot_take(&s, NULL, NULL, &err);
	setrlimit(RLIMIT_FSIZE, &wide);
	ck_assert_int_eq(set, 0);
	ck_assert_int_eq(ret, -EFBIG);
	ck_assert(strstr(err.text, artifact_dir) != NULL);
	ck_assert_uint_eq(files_in(artifact_dir), 0);
	ck_assert_int_eq(tailbox__artifact_find("s1", &e), -ENOENT);
	tailbox__run_destroy(take(0));
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
	struct tailbox__snapshot s;

	tailbox__snapshot_init(&s, TAILBOX__MODE_LIGHT);
	s.last_ms = UINT64_MAX;
	ck_assert_int_eq(tailbox__snapshot_take(&s, NULL, NULL, NULL), -EINVAL);
	s.last_ms = 0;
	memset(s.cause, 'x', sizeof(s.cause));
	ck_assert_int_eq(tailbox__snapshot_take(&s, NULL, NULL, NULL), -EINVAL);
	s.cause[0] = '\0';
	memset(s.note, 'x', sizeof(s.note));
	ck_assert_int_eq(tailbox__snapshot_take(&s, NULL, NULL, NULL), -EINVAL);
	s.note[0] = '\0';
	tailbox__controller_stop();
	ck_assert_int_eq(tailbox__snapshot_take(&s, NULL, NULL, NULL),
	                 -TAILBOX_ESTATE);
}
END_TEST

START_TEST(the_cause_is_in_the_artifact)
{
	struct tailbox__snapshot s;

	tailbox__snapshot_init(&s, TAILBOX__MODE_INVESTIGATION);
	snprintf(s.cause, sizeof(s.cause), "slow GET /report");
	snprintf(s.note, sizeof(s.note), "a note");
	ck_assert_int_eq(tailbox__snapshot_take(&s, NULL, NULL, NULL), 0);
	struct tailbox__run *run = load_id("s1");
	ck_assert_str_eq(
	        tailbox__run_text(run, tailbox__run_extra(run, "cause")->text,
	                          NULL),
	        "slow GET /report");
	ck_assert_str_eq(
	        tailbox__run_text(run, tailbox__run_extra(run, "note")->text,
	                          NULL),
	        "a note");
	ck_assert_int_eq(run->meta.mode, TAILBOX__MODE_INVESTIGATION);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(what_was_before_the_switch_went_off_can_be_cut)
{
	requests(12);
	ck_assert_int_eq(tailbox__switch(false, "test"), 1);
	struct tailbox__run *run = take(0);
	ck_assert_uint_eq(run->requests.count, 12);
	tailbox__run_destroy(run);
	ck_assert_int_eq(tailbox__switch(true, "test"), 1);
	/* Between off and on nothing was recorded: it is not covered. */
	run = take(0);
	ck_assert_uint_eq(run->requests.count, 0);
	ck_assert_uint_eq(extra(run, "older_requests"), 12);
	tailbox__run_destroy(run);
}
END_TEST

/* --- lookback ------------------------------------------------------------ */

START_TEST(a_window_may_begin_before_it_is_armed)
{
	struct tailbox__activation a = light();

	requests(30);
	a.lookback_ms = 60000;
	snprintf(a.cause, sizeof(a.cause), "because");
	const uint64_t id = arm(&a);
	requests(4);
	disarm();
	struct tailbox__run *run = load(id);
	ck_assert_uint_eq(run->requests.count, 34);
	ck_assert_uint_eq(extra(run, "asked_us"), 60000000);
	/* The tape is younger than that. */
	ck_assert_uint_lt(extra(run, "covered_us"), 60000000);
	ck_assert_uint_eq(extra(run, "covered_us"),
	                  extra(run, "armed_at_run_us"));
	ck_assert(tailbox__run_extra(run, "cause") != NULL);
	tailbox__run_destroy(run);
}
END_TEST

/* Passes of the follower without a pause: so most arms come in the midst of
 * one, between two of its batches. */
static atomic_bool must_rest;

static void *follow_on(void *arg)
{
	(void)arg;
	while (!must_rest)
		tailbox__follow();
	return NULL;
}

START_TEST(a_window_is_armed_in_the_midst_of_a_pass)
{
	struct tailbox__activation a = light();
	pthread_t thread;

	a.limits.max_requests = a.limits.max_stages = 10000000;
	a.lookback_ms = 30;
	workers_start();
	ck_assert_int_eq(pthread_create(&thread, NULL, follow_on, NULL), 0);
	for (int i = 0; i < 20; i++) {
		const uint64_t id = arm(&a);
		disarm();
		struct tailbox__run *run = load(id);
		check_whole(run);
		tailbox__run_destroy(run);
	}
	must_rest = true;
	pthread_join(thread, NULL);
	workers_stop();
}
END_TEST

START_TEST(at_the_seam_no_request_is_missing_or_there_twice)
{
	struct tailbox__activation a = light();

	a.limits.max_requests = a.limits.max_stages = 10000000;
	a.lookback_ms = 50;
	workers_start();
	for (int i = 0; i < 12; i++) {
		const uint64_t id = arm(&a);
		size_t before = 0;

		/* At once, or after some passes of the follower. */
		if (i % 3 == 1)
			wait_until_spooled(1);
		if (i % 3 == 2)
			tailbox__follow();
		disarm();
		struct tailbox__run *run = load(id);
		check_whole(run);
		const uint64_t armed = extra(run, "armed_at_run_us");
		for (size_t k = 0; k < run->requests.count; k++)
			before += run->requests.items[k].start_us < armed;
		ck_assert_uint_gt(before, 0);
		ck_assert_uint_ge(extra(run, "covered_us"), 49990);
		ck_assert_uint_le(extra(run, "covered_us"), 50000);
		tailbox__run_destroy(run);
	}
	workers_stop();
}
END_TEST

static void small_open(void)
{
	fixture_open((uint64_t)2 << 20);
	snprintf(artifact_dir, sizeof(artifact_dir), "%s/a/b", fixture_dir);
	start_with(0);
}

static void open_and_sample(void)
{
	controller_open();
	ck_assert_int_eq(tailbox__sampler_start(10), 0);
}

static void close_all(void)
{
	tailbox__sampler_stop();
	controller_close();
}

START_TEST(samples_are_those_of_the_covered_time)
{
	struct tailbox__sampler_cost cost;

	do {
		requests(1);
		tailbox__sampler_cost(&cost);
	} while (cost.samples < 8);
	struct tailbox__run *run = take(30);
	ck_assert_uint_gt(run->snapshots.count, 0);
	ck_assert_uint_lt(run->snapshots.count, 8);
	ck_assert(run->meta.sampler.present);
	ck_assert_uint_eq(run->meta.sampler.cadence_ms, 10);
	tailbox__run_destroy(run);
}
END_TEST

static Suite *snapshot_suite(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *t = tcase_create("snapshot"), *s = tcase_create("samples");

	tcase_add_checked_fixture(t, small_open, controller_close);
	tcase_set_timeout(t, 120);
	tcase_add_test(t,
	               a_snapshot_has_all_there_is_when_nothing_else_is_asked);
	tcase_add_test(t, what_cannot_be_is_left_out_and_told);
	tcase_add_test(t, what_began_before_is_counted_and_left_out);
	tcase_add_test(
	        t,
	        under_load_none_is_missing_and_the_tape_says_how_far_it_reaches);
	tcase_add_test(t, a_snapshot_and_a_window_leave_each_other_alone);
	tcase_add_test(
	        t, a_folder_that_is_not_there_is_told_and_loses_that_one_only);
	tcase_add_test(t, a_full_disk_is_told_and_leaves_nothing);
	tcase_add_test(t, what_cannot_be_is_refused);
	tcase_add_test(t, the_cause_is_in_the_artifact);
	tcase_add_test(t, what_was_before_the_switch_went_off_can_be_cut);
	tcase_add_test(t, a_window_may_begin_before_it_is_armed);
	tcase_add_test(t, at_the_seam_no_request_is_missing_or_there_twice);
	tcase_add_test(t, a_window_is_armed_in_the_midst_of_a_pass);
	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(s, open_and_sample, close_all);
	tcase_add_test(s, samples_are_those_of_the_covered_time);
	suite_add_tcase(suite, s);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(snapshot_suite());

	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
