/* tests/test_crowd.c - many threads on one tape: who finds a block, who finds
 * none, and what is counted then.
 *
 * SPDX-License-Identifier: MIT
 *
 * On a tape of 1 MiB, which has few blocks and few entries for threads. Threads
 * are kept where a test wants them by barriers, not by time.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include <tailbox.h>

#include "tests/recorder_fixture.h"

enum { CROWD_MAX = 160 };

static const struct tailbox__tape_header *header(void)
{
	return tailbox__recorder.tape.header;
}

static void setup(void)
{
	fixture_open(TAILBOX__TAPE_MIN);
}

static void request(void)
{
	tailbox_request_finish(tailbox_request_begin("/job", NULL), NULL);
}

static uint64_t per_block(void)
{
	return (header()->block_bytes - sizeof(struct tailbox__block)) / 64;
}

/* --- a crowd ------------------------------------------------------------ */

static struct crowd {
	pthread_t threads[CROWD_MAX];
	unsigned count, requests;
	bool with_span;
	pthread_barrier_t here, go; /* the crowd and the test */
} crowd;

static void *stand(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < crowd.requests; i++) {
		tailbox_request r = tailbox_request_begin("/crowd", NULL);
		if (crowd.with_span)
			TAILBOX_STAGE(r, "step") {
			}
		tailbox_request_finish(r, NULL);
	}
	pthread_barrier_wait(&crowd.here);
	pthread_barrier_wait(&crowd.go);
	return NULL;
}

/* Threads that have each recorded so many requests, and stay. */
static void gather(unsigned count, unsigned requests, bool with_span)
{
	ck_assert_uint_le(count, CROWD_MAX);
	crowd.count = count;
	crowd.requests = requests;
	crowd.with_span = with_span;
	ck_assert_int_eq(pthread_barrier_init(&crowd.here, NULL, count + 1), 0);
	ck_assert_int_eq(pthread_barrier_init(&crowd.go, NULL, count + 1), 0);
	for (unsigned i = 0; i < count; i++)
		ck_assert_int_eq(pthread_create(&crowd.threads[i], NULL, stand,
		                                NULL), 0);
	pthread_barrier_wait(&crowd.here);
}

static void disperse(void)
{
	pthread_barrier_wait(&crowd.go);
	for (unsigned i = 0; i < crowd.count; i++)
		pthread_join(crowd.threads[i], NULL);
	pthread_barrier_destroy(&crowd.here);
	pthread_barrier_destroy(&crowd.go);
}

static struct {
	uint64_t begun, finished, lost, spans, lost_spans;
} sum;

static void count(void)
{
	const struct tailbox__tape *tape = &tailbox__recorder.tape;

	memset(&sum, 0, sizeof(sum));
	for (uint64_t i = 0; i < TAILBOX__GET(header()->threads_used); i++) {
		const struct tailbox__thread_entry *e = &tape->threads[i];
		sum.begun += TAILBOX__GET(e->begun);
		sum.finished += TAILBOX__GET(e->finished);
		sum.lost += TAILBOX__GET(e->lost_requests);
		sum.spans += TAILBOX__GET(e->spans);
		sum.lost_spans += TAILBOX__GET(e->lost_spans);
	}
}

/* Requests and spans that a reader finds. */
static void read_all(size_t *requests, size_t *spans)
{
	struct fixture_records got = { 0 };
	struct tailbox__reader *r;

	ck_assert_int_eq(tailbox__reader_open_fd(tailbox__recorder.tape.fd, &r,
	                                         NULL), 0);
	ck_assert_int_eq(tailbox__reader_poll(r, fixture_collect, &got), 0);
	*requests = fixture_count(&got);
	*spans = got.len[TAILBOX__BLOCK_SPANS] / 32;
	fixture_forget(&got);
	tailbox__reader_close(r);
}

/* --- blocks -------------------------------------------------------------- */

/* A hundred blocks in a row are held by threads that have nothing to say: who
 * writes on finds those behind them, round after round. */
START_TEST(a_crowd_that_stands_starves_nobody)
{
	gather(100, 1, false);
	for (uint64_t i = 0; i < 4 * header()->blocks_max * per_block(); i++)
		request();
	count();
	ck_assert_uint_eq(sum.lost, 0);
	ck_assert_uint_eq(sum.finished, sum.begun);
	disperse();
}
END_TEST

/* Each of them has a block of two kinds, and there are fewer. What finds none
 * is counted; as soon as there are some again nothing is lost any more. */
START_TEST(more_writers_than_blocks_lose_no_longer_than_they_are)
{
	size_t requests, spans;

	ck_assert_uint_lt(header()->blocks_max, 2 * 120);
	gather(120, 3, true);
	count();
	ck_assert_uint_eq(sum.begun, 360);
	ck_assert_uint_eq(sum.finished + sum.lost, 360);
	ck_assert_uint_eq(sum.spans, 360); /* those that were lost, too */
	ck_assert_uint_gt(sum.lost + sum.lost_spans, 0);
	read_all(&requests, &spans);
	/* All blocks were taken before one record was lost. */
	ck_assert_uint_eq(requests / 3 + spans / 3, header()->blocks_max);
	ck_assert_uint_eq(requests, sum.finished);
	ck_assert_uint_eq(spans + sum.lost_spans, 360);
	request();
	const uint64_t lost = sum.lost;
	count();
	ck_assert_uint_eq(sum.lost, lost + 1);
	disperse();
	for (unsigned i = 0; i < 1000; i++)
		request();
	count();
	ck_assert_uint_eq(sum.lost, lost + 1);
}
END_TEST

/* They fill blocks in turns, all at a time, with hardly a block to spare. */
static void *write_on(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&crowd.here);
	for (unsigned i = 0; i < crowd.requests; i++)
		request();
	pthread_barrier_wait(&crowd.go);
	return NULL;
}

START_TEST(who_has_a_block_finds_the_next_one)
{
	const unsigned n = 110;

	gather(110, 1, false); /* as many that stand */
	disperse();
	crowd.count = n;
	crowd.requests = 2000;
	ck_assert_int_eq(pthread_barrier_init(&crowd.here, NULL, n + 1), 0);
	ck_assert_int_eq(pthread_barrier_init(&crowd.go, NULL, n + 1), 0);
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(pthread_create(&crowd.threads[i], NULL,
		                                write_on, NULL), 0);
	pthread_barrier_wait(&crowd.here);
	disperse();
	count();
	ck_assert_uint_eq(sum.begun, 110 + 2000 * n);
	ck_assert_uint_eq(sum.lost, 0);
}
END_TEST

/* --- threads that go ------------------------------------------------------ */

/* What they held is not held for ever. */
START_TEST(a_crowd_that_has_gone_leaves_its_blocks)
{
	size_t requests, spans;

	gather(120, 1, false);
	disperse();
	for (uint64_t i = 0; i < 2 * header()->blocks_max * per_block(); i++)
		request();
	read_all(&requests, &spans);
	/* An eighth may wait for those that come. */
	ck_assert_uint_ge(requests, (header()->blocks_max -
	                             header()->blocks_max / 8 - 2) *
	                                    per_block());
	count();
	ck_assert_uint_eq(sum.lost, 0);
}
END_TEST

/* One after the other they go on in the block of the one before, also when a
 * crowd was there earlier. */
START_TEST(threads_that_come_and_go_fill_their_blocks)
{
	size_t requests, spans;

	gather(120, 1, false);
	disperse();
	const uint64_t before = TAILBOX__GET(header()->next_ticket);
	for (unsigned i = 0; i < 1000; i++) {
		gather(1, 1, false);
		disperse();
	}
	ck_assert_uint_le(TAILBOX__GET(header()->next_ticket),
	                  before + 1000 / per_block() + 1);
	read_all(&requests, &spans);
	ck_assert_uint_eq(requests, 1120);
}
END_TEST

/* --- threads beyond the table --------------------------------------------- */

static uint64_t lost_threads(void)
{
	return TAILBOX__GET(header()->losses[TAILBOX__LOSS_THREADS]);
}

START_TEST(a_request_beyond_the_table_is_counted_once)
{
	const unsigned max = header()->threads_max;
	request();
	gather(max + 9, 2, true);
	/* This one has an entry; of the others, ten have none. */
	ck_assert_uint_eq(lost_threads(), 20);
	count();
	ck_assert_uint_eq(sum.begun, 1 + 2 * (max - 1));
	request();
	ck_assert_uint_eq(lost_threads(), 20);
	disperse();
	gather(max - 1, 1, true);
	ck_assert_uint_eq(lost_threads(), 20);
	disperse();
}
END_TEST

static void *end_it(void *request)
{
	tailbox_request_finish(request, NULL);
	return NULL;
}

/* Begun where there is an entry, ended where there is none. */
START_TEST(an_end_beyond_the_table_is_counted_once)
{
	tailbox_request r;
	pthread_t t;

	request();
	gather(header()->threads_max - 1, 1, false);
	r = tailbox_request_begin("/job", NULL);
	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(pthread_create(&t, NULL, end_it, r), 0);
	pthread_join(t, NULL);
	ck_assert_uint_eq(lost_threads(), 1);
	disperse();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crowd");
	TCase *t = tcase_create("crowd");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, fixture_close);
	tcase_add_test(t, a_crowd_that_stands_starves_nobody);
	tcase_add_test(t, more_writers_than_blocks_lose_no_longer_than_they_are);
	tcase_add_test(t, who_has_a_block_finds_the_next_one);
	tcase_add_test(t, a_crowd_that_has_gone_leaves_its_blocks);
	tcase_add_test(t, threads_that_come_and_go_fill_their_blocks);
	tcase_add_test(t, a_request_beyond_the_table_is_counted_once);
	tcase_add_test(t, an_end_beyond_the_table_is_counted_once);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
