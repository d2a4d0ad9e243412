/* tests/test_crews.c - threads that are in the middle of it over stops and
 * starts, and what becomes of the memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <semaphore.h>

#include "core/internal.h"
#include "core/run.h"
#include "tests/recorder_fixture.h"

#define TAPE TAILBOX__TAPE_MIN

static void setup(void)
{
	fixture_open(TAPE);
}

/* The next tape, of the same folder. */
static void open_again(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	ck_assert_int_eq(tailbox__recorder_open(fixture_dirfd, fixture_dir,
	                                        "test", "1.0", TAPE, &err), 0);
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
		open_again();
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
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
