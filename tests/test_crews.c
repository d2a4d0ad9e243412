/* tests/test_crews.c - threads that are in the middle of it over stops and
 * starts, and what becomes of the memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <semaphore.h>

#include <tailbox/span.h>

#include "core/internal.h"
#include "core/run.h"
#include "tests/recorder_fixture.h"

#define TAPE TAILBOX__TAPE_MIN

/* Linked with --wrap: a thread that is told to stops before it takes the lock
 * of the recorder for the first time, or the second, ... */
static _Thread_local int stops_before_lock;
static sem_t is_before, may_take;

int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	if (m == &tailbox__recorder.lock && stops_before_lock > 0 &&
	    --stops_before_lock == 0) {
		sem_post(&is_before);
		sem_wait(&may_take);
	}
	return __real_pthread_mutex_lock(m);
}

static void setup(void)
{
	fixture_open(TAPE);
	sem_init(&is_before, 0, 0);
	sem_init(&may_take, 0, 0);
}

/* The next tape, of the same folder. */
static void open_again(uint64_t bytes)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	ck_assert_int_eq(tailbox__recorder_open(fixture_dirfd, fixture_dir,
	                                        "test", "1.0", bytes, &err), 0);
}

static void ask(void)
{
	tailbox_request_finish(tailbox_request_begin("/a", NULL), NULL);
}

/* This thread is one of each crew. */
static void start_again(int times)
{
	for (int i = 0; i < times; i++) {
		ask();
		tailbox__recorder_close(false);
		open_again(TAPE);
	}
}

/* Bytes of address space. */
static uint64_t mapped(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

START_TEST(memory_is_flat_over_starts)
{
	uint64_t before;

	start_again(20);
	before = mapped();
	start_again(200);
	ck_assert_uint_le(mapped(), before + TAPE / 2);
}
END_TEST

/* Of large tapes fewer are kept: two of 16 MiB, beside the last. */
START_TEST(address_space_is_bounded)
{
	const uint64_t large = TAILBOX__TAPE_DEFAULT;
	uint64_t before;

	start_again(20);
	before = mapped();
	for (int i = 0; i < 20; i++) {
		tailbox__recorder_close(false);
		open_again(large);
		ck_assert_uint_eq(tailbox__recorder.tape.file_bytes, large);
	}
	ck_assert_uint_le(mapped(), before + 5 * large);
}
END_TEST

/* --- a thread that is asleep in the middle ------------------------------ */

struct sleeper {
	pthread_t thread;
	sem_t joined, may_go;
	struct tailbox__thread *t;
	struct tailbox__slot *slot;
	bool asks; /* of the tape that is open when it may go */
};

static void *sleeps(void *arg)
{
	struct sleeper *s = arg;
	uint32_t epoch;

	s->t = tailbox__thread_get();
	ck_assert_ptr_nonnull(s->t);
	s->slot = tailbox__slot_take(s->t);
	ck_assert_ptr_nonnull(s->slot);
	epoch = s->t->epoch;
	sem_post(&s->joined);
	sem_wait(&s->may_go);
	ck_assert(tailbox__thread_stayed(epoch));
	/* All it had is there, and nobody else's. */
	ck_assert_uint_eq(s->t->epoch, epoch);
	ck_assert_ptr_eq(tailbox__self, s->t);
	tailbox__request_open(s->t, s->slot, TAILBOX__NAME_OTHER,
	                      TAILBOX__NAME_HTTP, TAILBOX__REQ_CORE,
	                      TAILBOX__PHASE_HANDLER);
	tailbox__request_close(s->t, s->slot, tailbox__now(),
	                       TAILBOX__TERM_UNKNOWN, 0);
	tailbox__slot_give(s->t, s->slot);
	if (!s->asks)
		return NULL;
	ask();
	ck_assert(!tailbox__thread_stayed(epoch));
	ck_assert_ptr_ne(tailbox__self, s->t);
	return NULL;
}

static void put_to_sleep(struct sleeper *s, bool asks)
{
	sem_init(&s->joined, 0, 0);
	sem_init(&s->may_go, 0, 0);
	s->asks = asks;
	ck_assert_int_eq(pthread_create(&s->thread, NULL, sleeps, s), 0);
	sem_wait(&s->joined);
}

static void wake(struct sleeper *s)
{
	sem_post(&s->may_go);
	pthread_join(s->thread, NULL);
	sem_destroy(&s->joined);
	sem_destroy(&s->may_go);
}

START_TEST(what_a_thread_has_stays_while_it_is_in_the_middle)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	struct sleeper s;

	put_to_sleep(&s, _i);
	start_again(50);
	ask();
	wake(&s);
	/* Of the tape that is open now only who asked. */
	ck_assert_uint_eq(TAILBOX__GET(tape->header->threads_used), 1 + _i);
	ck_assert_uint_eq(TAILBOX__GET(tape->threads[0].finished), 1);
	ck_assert_uint_eq(TAILBOX__GET(tape->header->slots_used), 1 + _i);
	for (int i = 0; i < 3; i++)
		ask();
	ck_assert_uint_eq(TAILBOX__GET(tape->threads[0].finished), 4);
}
END_TEST

/* Each holds the memory of its own tape, not of those that came after. */
START_TEST(sleepers_hold_their_own_tape_only)
{
	struct sleeper s[3];
	uint64_t before, with;

	start_again(20);
	before = mapped();
	for (int i = 0; i < 3; i++) {
		put_to_sleep(&s[i], true);
		start_again(20);
	}
	with = mapped();
	start_again(100);
	ck_assert_uint_le(mapped(), with + TAPE / 2);
	for (int i = 0; i < 3; i++)
		wake(&s[i]);
	start_again(20);
	/* The tapes; a crew and a stack stay for those to come. */
	ck_assert_uint_le(mapped() + 3 * TAPE, with + TAPE / 2);
	ck_assert_uint_ge(with, before + 3 * TAPE);
}
END_TEST

/* --- registering and leaving again -------------------------------------- */

static void *asks_of_each(void *arg)
{
	atomic_bool *is_over = arg;

	while (!atomic_load(is_over))
		ask();
	return NULL;
}

START_TEST(threads_ask_over_starts)
{
	atomic_bool is_over = false;
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
		                                asks_of_each, &is_over), 0);
	start_again(200);
	atomic_store(&is_over, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	/* Whoever was one of the present crew has gone. */
	ck_assert_uint_eq(tailbox__recorder.crew->members, 0);
	ask();
	ck_assert_uint_eq(tailbox__recorder.crew->members, 1);
}
END_TEST

/* --- between a look and the lock ---------------------------------------- */

struct other {
	pthread_t thread;
	sem_t done, may_go;
	struct tailbox__thread *t, *then;
	bool has_stayed;
};

static void *holds_an_entry(void *arg)
{
	struct other *o = arg;

	o->t = tailbox__thread_get();
	sem_post(&o->done);
	sem_wait(&o->may_go);
	return NULL;
}

/* It saw "on" before the lock, and finds "off" with it. */
static void *asks_while_it_is_switched(void *arg)
{
	struct other *o = arg;
	uint32_t epoch;

	o->t = tailbox__thread_get();
	epoch = o->t->epoch;
	sem_post(&o->done);
	sem_wait(&o->may_go);
	stops_before_lock = 1;
	ck_assert_ptr_null(tailbox__thread_register());
	sem_post(&o->done);
	sem_wait(&o->may_go);
	o->then = tailbox__thread_get();
	o->has_stayed = tailbox__thread_stayed(epoch);
	return NULL;
}

static void start_other(struct other *o, void *(*fn)(void *))
{
	sem_init(&o->done, 0, 0);
	sem_init(&o->may_go, 0, 0);
	ck_assert_int_eq(pthread_create(&o->thread, NULL, fn, o), 0);
	sem_wait(&o->done);
}

static void end_other(struct other *o)
{
	sem_post(&o->may_go);
	pthread_join(o->thread, NULL);
	sem_destroy(&o->done);
	sem_destroy(&o->may_go);
}

START_TEST(off_is_no_reason_to_leave)
{
	struct other asks, holds;

	start_other(&asks, asks_while_it_is_switched);
	sem_post(&asks.may_go);
	sem_wait(&is_before);
	tailbox__recorder_set(false);
	sem_post(&may_take);
	sem_wait(&asks.done);
	tailbox__recorder_set(true);
	start_other(&holds, holds_an_entry);
	end_other(&asks);
	ck_assert(asks.has_stayed);
	ck_assert_ptr_eq(asks.then, asks.t);
	ck_assert_ptr_ne(asks.then, holds.t);
	end_other(&holds);
	ck_assert_uint_eq(tailbox__recorder.crew->members, 0);
}
END_TEST

/* It looked the request up, or is about to, while two tapes come and go. */
static tailbox_request of_the_first;

static void *finishes(void *arg)
{
	stops_before_lock = 1;
	tailbox_request_finish(of_the_first, NULL);
	return arg;
}

static void *moves(void *arg)
{
	stops_before_lock = 1;
	tailbox_gauge_up(of_the_first, "gauge");
	return arg;
}

static void *ends_a_span(void *arg)
{
	static struct tailbox_site site = { "stage", "f.c", "f", 1,
		                            TAILBOX_SPAN_STAGE, 0 };
	struct tailbox_span span;

	tailbox_span_begin(&span, of_the_first, &site, 0);
	stops_before_lock = 1;
	tailbox_span_end(&span, 1);
	return arg;
}

START_TEST(what_waited_for_the_lock_is_not_of_the_next_tape)
{
	void *(*const calls[])(void *) = { finishes, moves, ends_a_span };
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	pthread_t thread;

	tailbox__recorder_close(false);
	open_again((uint64_t)64 << 20);
	of_the_first = tailbox_request_begin("/a", NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, calls[_i / 2], NULL),
	                 0);
	sem_wait(&is_before);
	for (int i = 0; i <= 8 * (_i % 2); i++) {
		tailbox__recorder_close(false);
		open_again((uint64_t)64 << 20);
		ask();
	}
	sem_post(&may_take);
	pthread_join(thread, NULL);
	/* Of the new tape: what was asked above. */
	ck_assert_uint_le(TAILBOX__GET(tape->header->threads_used), 2);
	ck_assert_uint_eq(TAILBOX__GET(tape->threads[0].finished), 1);
	ck_assert_uint_eq(TAILBOX__GET(tape->threads[1].finished), 0);
	ck_assert_uint_eq(TAILBOX__GET(tape->threads[1].moves), 0);
	ck_assert_uint_eq(TAILBOX__GET(tape->threads[1].spans), 0);
}
END_TEST

static void *opens(void *arg)
{
	stops_before_lock = *(int *)arg;
	open_again(TAPE);
	sem_post(&is_before); /* or behind the last one */
	return NULL;
}

/* Whatever another thread does between two steps of an open. */
START_TEST(an_open_is_on_or_off)
{
	pthread_t opener;
	int lock = _i + 1;

	tailbox__recorder_close(false);
	ck_assert_int_eq(pthread_create(&opener, NULL, opens, &lock), 0);
	sem_wait(&is_before);
	tailbox__recorder_set(false);
	sem_post(&may_take);
	pthread_join(opener, NULL);
	ck_assert_int_eq(tailbox_is_recording(),
	                 tailbox_request_begin("/a", NULL) != NULL);
	tailbox__recorder_set(true);
	ck_assert(tailbox_is_recording());
	ck_assert_ptr_nonnull(tailbox_request_begin("/a", NULL));
}
END_TEST

/* Who is put to sleep with a tape in hand, as no member, has it over so many
 * more stops than the one that closes it. */
START_TEST(closed_tapes_are_kept)
{
	static const struct {
		uint64_t bytes;
		int stops;
	} rows[] = { { TAPE, 7 }, { (uint64_t)16 << 20, 2 },
		     { (uint64_t)64 << 20, 1 } };
	struct tailbox__tape_header *h;

	for (int i = 0; i < 10; i++) {
		tailbox__recorder_close(false);
		open_again(rows[_i].bytes);
	}
	h = tailbox__recorder.tape.header;
	tailbox__recorder_close(false);
	TAILBOX__SET(h->switched, 4711);
	for (int i = 0; i < rows[_i].stops; i++) {
		open_again(rows[_i].bytes);
		tailbox__recorder_close(false);
		ck_assert_uint_eq(TAILBOX__GET(h->switched), 4711);
	}
}
END_TEST

static void *closes(void *arg)
{
	stops_before_lock = 1;
	tailbox__recorder_close(false);
	return arg;
}

START_TEST(nothing_is_recorded_after_a_close)
{
	pthread_t thread;

	tailbox__recorder_set(false);
	ck_assert_int_eq(pthread_create(&thread, NULL, closes, NULL), 0);
	sem_wait(&is_before);
	tailbox__recorder_set(true);
	sem_post(&may_take);
	pthread_join(thread, NULL);
	ck_assert(!tailbox_is_recording());
	ck_assert(!tailbox__recorder_is_open());
}
END_TEST

/* --- what is of one tape only ------------------------------------------- */

START_TEST(a_handle_is_of_its_tape)
{
	tailbox_request old = tailbox_request_begin("/a", NULL), now;

	for (int i = 0; i < 100; i++) {
		tailbox__recorder_close(false);
		ck_assert_uint_eq(tailbox_request_number(old), 0);
		open_again(TAPE);
		now = tailbox_request_begin("/b", NULL);
		ck_assert_ptr_nonnull(now);
		ck_assert_ptr_ne(now, old);
		tailbox_request_finish(old, NULL);
		tailbox__recorder_set(false);
		tailbox__recorder_set(true);
		ck_assert_uint_ne(tailbox_request_number(now), 0);
		old = now;
	}
}
END_TEST

START_TEST(stack_of_an_entry_that_nobody_has)
{
	uintptr_t low, high;

	for (uint32_t i = 0; i < TAILBOX__THREADS_MAX + 2; i++)
		ck_assert(!tailbox__thread_stack(i, 1, &low, &high));
	tailbox__thread_get();
	ck_assert(!tailbox__thread_stack(0, 1, &low, &high));
	ck_assert(tailbox__thread_stack(0, (uint32_t)gettid(), &low, &high));
	/* Not of a local: a sanitizer may have that elsewhere. */
	const uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	ck_assert(frame > low && frame < high);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crews");
	TCase *t = tcase_create("crews");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, fixture_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, memory_is_flat_over_starts);
	tcase_add_loop_test(t, what_a_thread_has_stays_while_it_is_in_the_middle,
	                    0, 2);
	tcase_add_test(t, sleepers_hold_their_own_tape_only);
	tcase_add_test(t, threads_ask_over_starts);
	tcase_add_test(t, address_space_is_bounded);
	tcase_add_test(t, off_is_no_reason_to_leave);
	tcase_add_test(t, nothing_is_recorded_after_a_close);
	tcase_add_loop_test(t, what_waited_for_the_lock_is_not_of_the_next_tape,
	                    0, 6);
	tcase_add_loop_test(t, an_open_is_on_or_off, 0, 4);
	tcase_add_loop_test(t, closed_tapes_are_kept, 0, 3);
	tcase_add_test(t, a_handle_is_of_its_tape);
	tcase_add_test(t, stack_of_an_entry_that_nobody_has);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
