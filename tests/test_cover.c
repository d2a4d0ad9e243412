/* tests/test_cover.c - how far back a tape reaches, against what was recorded.
 *
 * SPDX-License-Identifier: MIT
 *
 * The clock is injected and goes on by one tick with each look, so that no two
 * things happen at once and every instant is known.
 */
#include <pthread.h>

#include "core/cover.h"
#include "core/tailbox.h"
#include "tests/recorder_fixture.h"

#define T0 1000000000000u

static _Atomic uint64_t ticks;

static uint64_t clock_one_on(void)
{
	return atomic_fetch_add(&ticks, 1);
}

static void cover_open(void)
{
	atomic_store(&ticks, T0);
	tailbox__clock_inject(clock_one_on, 1000000000);
	fixture_open(TAILBOX__TAPE_MIN);
}

static void cover_close(void)
{
	fixture_close();
	tailbox__clock_inject(NULL, 0);
}

/* --- what was recorded, and what is read -------------------------------- */

struct truth {
	uint64_t number, line;
};
enum { TRUTH_MAX = 200000 };
static struct truth truth[TRUTH_MAX];
static _Atomic size_t truth_count;

static void request(void)
{
	tailbox_request r = tailbox_request_begin("/job", NULL);
	const struct tailbox__slot *s = tailbox__slot_of(r);
	const size_t i = atomic_fetch_add(&truth_count, 1);

	ck_assert_uint_lt(i, TRUTH_MAX);
	truth[i] = (struct truth){ TAILBOX__GET(s->number),
		                   TAILBOX__GET(s->line) };
	tailbox_request_finish(r, NULL);
}

static void requests(size_t count)
{
	for (size_t i = 0; i < count; i++)
		request();
}

static unsigned per_block(void)
{
	return (tailbox__recorder.tape.header->block_bytes - 64) / 64;
}

/* Enough to overwrite everything that may be. */
static size_t a_round(void)
{
	return (size_t)tailbox__recorder.tape.header->blocks_max * per_block();
}

static struct tailbox__cover cover_of(struct tailbox__reader *r)
{
	struct tailbox__cover c;

	ck_assert_int_eq(tailbox__cover(r, &c), 0);
	return c;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct found {
	uint64_t numbers[TRUTH_MAX];
	size_t count;
};
static struct found found;

static int take(void *cls, unsigned kind, uint32_t thread, const char *records,
                size_t bytes)
{
	struct tailbox__rec_request q;

	(void)cls, (void)thread;
	if (kind != TAILBOX__BLOCK_REQUESTS)
		return 0;
	for (size_t at = 0; at < bytes; at += sizeof(q)) {
		memcpy(&q, records + at, sizeof(q));
		if (q.type == TAILBOX__REC_REQUEST)
			found.numbers[found.count++] = q.number;
	}
	return 0;
}

static bool is_found(uint64_t number)
{
	return bsearch(&number, found.numbers, found.count, sizeof(number),
	               by_number) != NULL;
}

/* Read by a reader that comes late. All that began in the covered time must be
 * there, each once. */
static struct tailbox__cover check(void)
{
	struct tailbox__reader *r;
	struct tailbox__cover c;
	size_t covered = 0;

	found.count = 0;
	ck_assert_int_eq(
	        tailbox__reader_open_fd(tailbox__recorder.tape.fd, &r, NULL),
	        0);
	ck_assert_int_eq(tailbox__reader_poll(r, take, NULL), 0);
	c = cover_of(r);
	tailbox__reader_close(r);
	qsort(found.numbers, found.count, sizeof(found.numbers[0]), by_number);
	for (size_t i = 1; i < found.count; i++)
		ck_assert_uint_ne(found.numbers[i - 1], found.numbers[i]);
	for (size_t i = 0; i < truth_count; i++) {
		if (truth[i].line < c.from_tick)
			continue;
		covered++;
		ck_assert_msg(is_found(truth[i].number),
		              "a request that began %llu ticks after the start "
		              "of the covered time is missing",
		              (unsigned long long)(truth[i].line -
		                                   c.from_tick));
	}
	ck_assert_uint_gt(covered, 0);
	return c;
}

static void forget(void)
{
	truth_count = 0;
}

/* --- a thread that does as it is told ----------------------------------- */

struct helper {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t todo;
	bool is_over;
};

static void *help(void *arg)
{
	struct helper *h = arg;

	pthread_mutex_lock(&h->lock);
	while (!h->is_over) {
		if (h->todo) {
			requests(h->todo);
			h->todo = 0;
			pthread_cond_broadcast(&h->changed);
		}
		pthread_cond_wait(&h->changed, &h->lock);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static void helper_start(struct helper *h)
{
	memset(h, 0, sizeof(*h));
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
	ck_assert_int_eq(pthread_create(&h->thread, NULL, help, h), 0);
}

static void helper_do(struct helper *h, size_t count)
{
	pthread_mutex_lock(&h->lock);
	h->todo = count;
	pthread_cond_broadcast(&h->changed);
	while (h->todo)
		pthread_cond_wait(&h->changed, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

static void helper_end(struct helper *h)
{
	pthread_mutex_lock(&h->lock);
	h->is_over = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
}

/* --- tests -------------------------------------------------------------- */

START_TEST(a_tape_that_has_not_gone_round_has_everything)
{
	forget();
	/* The last ticket before the first block is taken again. */
	requests((tailbox__recorder.tape.header->blocks_max - 1) *
	         (size_t)per_block());
	const struct tailbox__cover c = check();
	ck_assert_uint_eq(c.from_tick, 0);
	ck_assert_uint_eq(c.samples_tick, 0);
	ck_assert_uint_eq(c.overwritten, 0);
	ck_assert_uint_eq(found.count, truth_count);
}
END_TEST

START_TEST(one_block_more_and_the_first_is_gone)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;
	const struct tailbox__block *second = fixture_block(2);

	forget();
	requests(tape->header->blocks_max * (size_t)per_block() + 1);
	const struct tailbox__cover c = check();
	ck_assert_uint_eq(c.overwritten, 1);
	ck_assert_uint_eq(c.from_tick, TAILBOX__GET(second->first_tick) + 1);
	/* Exactly: the one before was in the block that is gone. */
	ck_assert_uint_lt(truth[per_block() - 1].line, c.from_tick);
	ck_assert(!is_found(truth[per_block() - 1].number));
	ck_assert(is_found(truth[per_block()].number));
}
END_TEST

START_TEST(a_thread_that_is_idle_for_long_limits_nothing)
{
	struct helper idle;

	forget();
	helper_start(&idle);
	helper_do(&idle, 10);
	requests(a_round() * 2 + 7);
	const struct tailbox__cover c = check();
	/* Its only block is there still, and its requests. */
	for (size_t i = 0; i < 10; i++)
		ck_assert(is_found(truth[i].number));
	const uint64_t now = atomic_load(&ticks);
	ck_assert_uint_gt(c.from_tick, truth[9].line);
	ck_assert_uint_gt(now - c.from_tick, (now - T0) / 4);
	helper_end(&idle);
}
END_TEST

START_TEST(a_block_that_was_passed_over_and_is_full_is_read)
{
	struct helper slow;

	forget();
	helper_start(&slow);
	helper_do(&slow, 10);
	requests(a_round() + 7); /* passes it over */
	helper_do(&slow, per_block()); /* fills it, and goes on in another */
	check();
	for (size_t i = 0; i < 10; i++)
		ck_assert(is_found(truth[i].number));
	helper_end(&slow);
}
END_TEST

START_TEST(what_a_slow_thread_loses_ends_the_covered_time)
{
	struct helper slow;

	forget();
	helper_start(&slow);
	helper_do(&slow, 10);
	requests(a_round() + 7);
	/* It is full now, and old by its number: it goes within a round. */
	const size_t last = truth_count + per_block() - 11;
	helper_do(&slow, per_block());
	requests(a_round());
	const struct tailbox__cover c = check();
	ck_assert(!is_found(truth[last].number));
	ck_assert_uint_gt(c.from_tick, truth[last].line);
	helper_end(&slow);
}
END_TEST

START_TEST(threads_of_all_speeds_for_many_rounds)
{
	static const size_t speeds[] = { 1, 3, 17, 150, 900 };
	enum { HELPERS = 5, STEPS = 90 };
	struct helper h[HELPERS];

	forget();
	for (int i = 0; i < HELPERS; i++)
		helper_start(&h[i]);
	for (int step = 0; step < STEPS; step++) {
		for (int i = 0; i < HELPERS; i++)
			helper_do(&h[i], speeds[(i * 7 + step) % 3 == 0
			                                ? i
			                                : (i + step) % 2 * i]);
		if (step % 9 == 8)
			check();
	}
	for (int i = 0; i < HELPERS; i++)
		helper_end(&h[i]);
	ck_assert_uint_gt(check().overwritten, 0);
}
END_TEST

START_TEST(a_reader_of_the_past_gives_what_another_has_read)
{
	struct tailbox__reader *ahead, *past;

	forget();
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &ahead, NULL),
	                 0);
	requests(100);
	found.count = 0;
	ck_assert_int_eq(tailbox__reader_poll(ahead, take, NULL), 0);
	ck_assert_uint_eq(found.count, 100);
	/* In the same block, and in a new one. */
	requests(100);
	found.count = 0;
	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd,
	                                         &past, NULL),
	                 0);
	ck_assert_int_eq(tailbox__reader_poll_past(past, ahead, take, NULL), 0);
	ck_assert_uint_eq(found.count, 100);
	tailbox__reader_close(past);
	ck_assert_int_eq(tailbox__reader_poll(ahead, take, NULL), 0);
	ck_assert_uint_eq(found.count, 200);
	for (size_t i = 0; i < 200; i++)
		ck_assert_uint_eq(found.numbers[i], truth[i].number);
	tailbox__reader_close(ahead);
}
END_TEST

START_TEST(nothing_is_covered_before_the_tape_or_the_switch)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	struct tailbox__cover c = { 0 };
	struct tailbox__reader *r;

	ck_assert_int_eq(
	        tailbox__reader_open_fd(tailbox__recorder.tape.fd, &r, NULL),
	        0);
	ck_assert_uint_eq(tailbox__cover_from(r, &c, 5), h->anchor_tick);
	ck_assert_uint_eq(tailbox__cover_from(r, &c, T0 + 1000), T0 + 1000);
	c.from_tick = T0 + 2000;
	ck_assert_uint_eq(tailbox__cover_from(r, &c, T0 + 1000), T0 + 2000);
	atomic_store(&ticks, T0 + 5000);
	ck_assert(tailbox__recorder_set(false));
	ck_assert(tailbox__recorder_set(true));
	ck_assert_int_eq(tailbox__reader_refresh(r), 0);
	ck_assert_uint_ge(tailbox__cover_from(r, &c, T0 + 1000), T0 + 5001);
	tailbox__reader_close(r);
}
END_TEST

static Suite *cover_suite(void)
{
	Suite *suite = suite_create("cover");
	TCase *t = tcase_create("cover");

	tcase_add_checked_fixture(t, cover_open, cover_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_tape_that_has_not_gone_round_has_everything);
	tcase_add_test(t, one_block_more_and_the_first_is_gone);
	tcase_add_test(t, a_thread_that_is_idle_for_long_limits_nothing);
	tcase_add_test(t, a_block_that_was_passed_over_and_is_full_is_read);
	tcase_add_test(t, what_a_slow_thread_loses_ends_the_covered_time);
	tcase_add_test(t, threads_of_all_speeds_for_many_rounds);
	tcase_add_test(t, a_reader_of_the_past_gives_what_another_has_read);
	tcase_add_test(t, nothing_is_covered_before_the_tape_or_the_switch);
	suite_add_tcase(suite, t);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(cover_suite());

	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
