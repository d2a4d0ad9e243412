/* tests/test_stopped.c - the recorder is closed while somebody is in it.
 *
 * SPDX-License-Identifier: MIT
 *
 * A worker does not ask whether tailbox_stop() runs. What it holds at that
 * moment (its own state, a slot, a name's number, the patterns) stays memory
 * that it may use until the stop after, and what it writes there is seen by
 * nobody. Here one thread does all of it in turn, so nothing is left to luck;
 * tests/e2e_stop.c has the race.
 */
#include "tests/recorder_fixture.h"

#include <errno.h>
#include <sys/wait.h>

#include "core/config.h"
#include "core/internal.h"
#include "core/patterns.h"
#include "core/run.h"

#define TAPE_BYTES ((uint64_t)1 << 20)

static void open_again(uint64_t bytes)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	int rc = tailbox__recorder_open(fixture_dirfd, fixture_dir, "test",
	                                "1.0", bytes, &err);

	ck_assert_msg(rc == 0, "open: %s", err.text);
}

/* What a worker has in hand when it is interrupted. */
struct worker {
	struct tailbox__thread *t;
	struct tailbox__slot *s, *other;
};

static struct worker interrupted(void)
{
	struct worker w = { .t = tailbox__thread_get() };

	ck_assert_ptr_nonnull(w.t);
	w.s = tailbox__slot_take(w.t);
	w.other = tailbox__slot_take(w.t);
	ck_assert_ptr_nonnull(w.s);
	ck_assert_ptr_nonnull(w.other);
	tailbox__request_open(w.t, w.s, TAILBOX__NAME_OTHER,
	                      TAILBOX__NAME_HTTP, 0, TAILBOX__PHASE_HANDLER);
	return w;
}

/* All that it may do before it notices: more records than a tape has room
 * for, so that blocks are claimed too. */
static void goes_on(struct worker w)
{
	const size_t rounds = TAPE_BYTES / 64 * 2;
	char text[32];
	uint16_t name;

	for (int i = 0; i < 20000; i++) {
		int n = snprintf(text, sizeof(text), "/late/%d", i);
		name = tailbox__name(text, (size_t)n);
		TAILBOX__SET(w.s->route, name);
	}
	for (size_t i = 0; i < rounds; i++) {
		tailbox__hold_record(w.t, TAILBOX__HOLD_HANDLER, 0, 1, 1, 2);
		TAILBOX__SET(w.s->state, TAILBOX__SLOT_OPEN);
		tailbox__request_close(w.t, w.s, tailbox__now(),
		                       TAILBOX__TERM_COMPLETED, 0);
	}
	(void)tailbox__handle_of(w.s);
	tailbox__loss(TAILBOX__LOSS_CONNECTIONS);
	tailbox__slot_owe(w.other);
	tailbox__slot_give(w.t, w.s);
	for (int i = 0; i < 100; i++) {
		struct tailbox__slot *s = tailbox__slot_take(w.t);
		if (s != NULL)
			tailbox__slot_give(i % 2 ? NULL : w.t, s);
	}
}

/* The application's calls, with a handle from before. */
static void calls(tailbox_request r)
{
	static struct tailbox_site site = { .kind = TAILBOX_SPAN_STAGE,
		                            .name = "late" };
	struct tailbox_span span;

	tailbox_span_begin(&span, r, &site, 0);
	tailbox_request_set_route(r, "/late");
	tailbox_request_tag(r, "late", "late");
	tailbox_gauge_up(r, "late");
	tailbox_span_end(&span, 1);
	tailbox_request_finish(r, NULL);
	ck_assert_uint_eq(tailbox_request_number(r), 0);
}

static struct fixture_records records_of_tape(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__reader *reader;
	struct fixture_records got;

	memset(&got, 0, sizeof(got));
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &reader, &err), 0);
	ck_assert_int_ge(tailbox__reader_poll(reader, fixture_collect, &got),
	                 0);
	tailbox__reader_close(reader);
	return got;
}

START_TEST(a_worker_goes_on_after_the_stop)
{
	struct worker w;
	tailbox_request r;

	fixture_open(TAPE_BYTES);
	w = interrupted();
	r = tailbox_request_begin("/a", NULL);
	tailbox__recorder_close(false);
	goes_on(w);
	calls(r);
	ck_assert_int_eq(tailbox_is_recording(), 0);
	ck_assert_ptr_null(tailbox_request_begin("/b", NULL));
	fixture_close();
}
END_TEST

/* The sizes: of the tape after. */
static const uint64_t sizes[] = { TAPE_BYTES, 2 * TAPE_BYTES,
	                          16 * TAPE_BYTES };

START_TEST(a_worker_goes_on_after_the_next_start)
{
	struct fixture_records got;
	struct worker w, mine;
	tailbox_request r;

	fixture_open(TAPE_BYTES);
	w = interrupted();
	r = tailbox_request_begin("/a", NULL);
	tailbox__recorder_close(false);
	open_again(sizes[_i]);
	mine = interrupted(); /* has the entry that w.t had */
	goes_on(w);
	calls(r);
	tailbox__request_close(mine.t, mine.s, tailbox__now(),
	                       TAILBOX__TERM_COMPLETED, 0);
	got = records_of_tape();
	ck_assert_uint_eq(fixture_count(&got), 1);
	ck_assert_uint_eq(got.len[TAILBOX__BLOCK_SPANS], 0);
	fixture_forget(&got);
	fixture_close();
}
END_TEST

/* Two stops: what was in hand before the first is gone, what came between the
 * two is not. */
START_TEST(it_holds_at_every_stop)
{
	struct worker w;

	fixture_open(TAPE_BYTES);
	tailbox__recorder_close(false);
	for (int i = 0; i < 10; i++) {
		open_again(sizes[i % 3]);
		w = interrupted();
		tailbox__recorder_close(false);
		goes_on(w);
	}
	fixture_close();
}
END_TEST

START_TEST(a_child_of_a_worker_goes_on)
{
	struct fixture_records got;
	struct worker w;
	int status;
	pid_t pid;

	fixture_open(TAPE_BYTES);
	w = interrupted();
	pid = fork();
	if (pid == 0) {
		goes_on(w);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	got = records_of_tape();
	ck_assert_uint_eq(fixture_count(&got), 0);
	fixture_forget(&got);
	fixture_close();
}
END_TEST

START_TEST(patterns_in_hand_stay_until_the_stop_after)
{
	static struct tailbox__config_list l = { .count = 1 };
	const struct tailbox__pattern_set *set;

	snprintf(l.items[0], sizeof(l.items[0]), "/first/{x}");
	ck_assert_int_eq(tailbox__patterns_set(&l), 0);
	set = tailbox__patterns_get();
	tailbox__patterns_clear();
	ck_assert_ptr_null(tailbox__patterns_get());
	ck_assert_uint_eq(set->count, 1);
	ck_assert_str_eq(set->items[0].text, "/first/{x}");
	snprintf(l.items[0], sizeof(l.items[0]), "/second");
	ck_assert_int_eq(tailbox__patterns_set(&l), 0);
	ck_assert_uint_eq(set->count, 1);
	ck_assert_str_eq(set->items[0].text, "/first/{x}");
	/* None of the start before is in force again, nor of the count. */
	ck_assert_str_eq(tailbox__patterns_get()->items[0].text, "/second");
	ck_assert_ptr_null(tailbox__patterns_get()->older);
	tailbox__patterns_clear();
	tailbox__patterns_clear();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stopped");
	TCase *t = tcase_create("stopped");
	SRunner *sr;
	int failed;

	tcase_add_test(t, a_worker_goes_on_after_the_stop);
	tcase_add_loop_test(t, a_worker_goes_on_after_the_next_start, 0,
	                    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(t, it_holds_at_every_stop);
	tcase_add_test(t, a_child_of_a_worker_goes_on);
	tcase_add_test(t, patterns_in_hand_stay_until_the_stop_after);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
