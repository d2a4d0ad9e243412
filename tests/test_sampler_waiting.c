/* tests/test_sampler_waiting.c - requests that are there and wait for their
 * worker: behind a hold, and before one that sleeps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/sampling_fixture.h"

START_TEST(ready_requests_behind_a_held_worker_are_counted)
{
	enum { SILENT, READY, CLOSED, CLOSED_READY, HEADERS, IN_HANDLER,
	       HOLDER, COUNT };
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	uint16_t index = (uint16_t)self->index;
	struct tailbox__slot *slots[COUNT];
	struct pair p[COUNT];

	for (int i = 0; i < COUNT; i++) {
		p[i] = pair();
		slots[i] = connection(p[i].server);
		if (i != SILENT && i != CLOSED)
			say(&p[i]);
		if (i == CLOSED || i == CLOSED_READY)
			close(p[i].client);
		if (i >= HEADERS)
			tailbox__request_open(self, slots[i], 0, 0, 0,
			                      TAILBOX__PHASE_HEADERS);
		/* HOLDER stays: its worker is in the URI logger. */
		if (i == IN_HANDLER)
			TAILBOX__SET(slots[i]->phase, TAILBOX__PHASE_HANDLER);
	}
	hold(&d, "/report", 200);
	TAILBOX__SET(self->entry->hold_slot,
	             (uint32_t)(slots[HOLDER] - tailbox__recorder.tape.slots));
	sample_now(s);
	/* READY, CLOSED_READY and HEADERS. */
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_BEHIND, index), 3);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 3);
	ck_assert_uint_eq(sample.rec.alive_tasks, 3);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_CONNECTIONS, index),
	                  COUNT);
	ck_assert_uint_eq(value(TAILBOX__METRIC_CONNECTIONS, 0), COUNT);
	ck_assert_uint_eq(value(TAILBOX__METRIC_BUSY_WORKERS, 0), 1);
	ck_assert_uint_ge(known(TAILBOX__METRIC_WORKER_HELD_US, index),
	                  199000);
	ck_assert_uint_lt(value(TAILBOX__METRIC_WORKER_HELD_US, index),
	                  60000000);
	ck_assert_str_eq(name(value(TAILBOX__METRIC_WORKER_ROUTE, index)),
	                 "/report");
	/* One that is read before the worker gets to it, one more. */
	char buf[8];
	ck_assert_int_eq(recv(p[READY].server, buf, 8, 0), 3);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 2);
	say(&p[SILENT]);
	say(&p[READY]);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 4);
	/* A short hold is nobody's queue. */
	hold(&d, "/report", 0);
	TAILBOX__SET(self->entry->hold_since, tailbox__now());
	sample_now(s);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	ck_assert(!has(TAILBOX__METRIC_WORKER_BEHIND, index));
	/* Nor is none. */
	hold(&d, "/report", 0);
	sample_now(s);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_HELD_US, index), 0);
	ck_assert(!has(TAILBOX__METRIC_WORKER_ROUTE, index));
	ck_assert_uint_eq(value(TAILBOX__METRIC_BUSY_WORKERS, 0), 0);
	for (int i = 0; i < COUNT; i++) {
		close(p[i].server);
		if (i != CLOSED && i != CLOSED_READY)
			close(p[i].client);
	}
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

/* The poll's limit: one below, at, one above, far above. */
START_TEST(more_connections_than_are_polled_are_scaled)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	const uint32_t most = TAILBOX__BEHIND_MAX;
	struct pair ready = pair(), silent = pair();

	say(&ready);
	hold(&d, "/", 50);
	/* Every second one is ready; they may share a descriptor. */
	for (uint32_t i = 1; i <= 2 * most + 8; i++) {
		connection(i % 2 ? ready.server : silent.server);
		if (i < most - 1 || (i > most + 1 && i != 2 * most + 8))
			continue;
		sample_now(s);
		uint64_t exact = (i + 1) / 2;
		if (i <= most)
			ck_assert_uint_eq(sample.rec.local_queue_depth, exact);
		/* Evenly chosen out of a pattern of two: the worst case is
		 * that one kind is chosen alone. */
		ck_assert_uint_le(sample.rec.local_queue_depth, i);
	}
	/* All ready: the scale gives the exact number. */
	ck_assert_int_ge(dup2(ready.server, silent.server), 0);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 2 * most + 8);
	/* None: */
	char buf[8];
	ck_assert_int_eq(recv(ready.server, buf, 8, 0), 3);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_BEHIND,
	                        (uint16_t)self->index),
	                  0);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(a_quarter_ready_scales_to_a_quarter)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	struct pair ready = pair(), silent = pair();

	say(&ready);
	hold(&d, "/", 50);
	/* In runs of 100, so that no step of the choice resonates. */
	for (int i = 0; i < 800; i++)
		connection(i / 100 % 4 == 0 ? ready.server : silent.server);
	sample_now(s);
	ck_assert_uint_ge(sample.rec.local_queue_depth, 190);
	ck_assert_uint_le(sample.rec.local_queue_depth, 210);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

/* --- what waits though no handler holds the worker ------------------------ */

#define READY TAILBOX__METRIC_WORKER_READY

/* A sample in which that thread was seen asleep, as our entry's. */
static void sample_asleep(struct tailbox__sampling *s, const struct helper *h)
{
	TAILBOX__SET(self->entry->tid, h->tid);
	do
		sample_now(s);
	while (value(TAILBOX__METRIC_WORKER_STATE, (uint16_t)self->index) !=
	       'S');
}

/* Each edge of how many connections it takes, and of how many are polled. */
START_TEST(requests_before_a_sleeping_worker_are_counted_from_128_on)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	const uint16_t index = (uint16_t)self->index;
	const uint32_t own = TAILBOX__GET(self->entry->tid);
	struct pair ready = pair(), silent = pair();
	struct helper idle;
	char buf[8];

	helper_start(&idle, false);
	say(&ready);
	hold(&d, "/", 0);
	TAILBOX__SET(self->entry->last_seen, ms_ago(20));
	for (uint32_t n = 1; n <= 257; n++) {
		connection(ready.server);
		if (n < 127 || (n > 129 && n < 255))
			continue;
		sample_asleep(s, &idle);
		ck_assert_int_eq(has(READY, index), n >= 128);
		if (n >= 128)
			ck_assert_uint_eq(value(READY, index), n);
		/* Not held, so nobody is behind a hold. */
		ck_assert(!has(TAILBOX__METRIC_WORKER_BEHIND, index));
		ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	}
	/* Not idle for long. */
	TAILBOX__SET(self->entry->last_seen, tailbox__now());
	sample_now(s);
	ck_assert(!has(READY, index));
	TAILBOX__SET(self->entry->last_seen, ms_ago(20));
	/* One that runs gets to it, */
	TAILBOX__SET(self->entry->tid, own);
	sample_now(s);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_STATE, index), 'R');
	ck_assert(!has(READY, index));
	/* and of one that is held those behind the hold are told. */
	hold(&d, "/", 50);
	TAILBOX__SET(self->entry->tid, idle.tid);
	sample_now(s);
	ck_assert(!has(READY, index));
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_BEHIND, index), 257);
	/* None: looked at, and nothing there. */
	hold(&d, "/", 0);
	ck_assert_int_eq(recv(ready.server, buf, 8, 0), 3);
	sample_asleep(s, &idle);
	ck_assert_uint_eq(value(READY, index), 0);
	/* A client that went is no request. */
	close(ready.client);
	sample_asleep(s, &idle);
	ck_assert_uint_eq(value(READY, index), 0);
	TAILBOX__SET(self->entry->tid, own);
	helper_end(&idle);
	close(ready.server);
	close(silent.server);
	close(silent.client);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

/* 128 of many: whichever they are, some look meets one of them, and then the
 * figure is right within what the second poll's choice may be off. */
START_TEST(few_ready_ones_of_many_are_met_soon)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	const uint16_t index = (uint16_t)self->index;
	const uint32_t own = TAILBOX__GET(self->entry->tid);
	struct pair ready = pair(), silent = pair();
	struct helper idle;
	unsigned looks = 0;

	helper_start(&idle, false);
	say(&ready);
	hold(&d, "/", 0);
	TAILBOX__SET(self->entry->last_seen, ms_ago(20));
	for (uint32_t i = 0; i < 1024; i++)
		connection(i >= 300 && i < 428 ? ready.server : silent.server);
	do {
		sample_asleep(s, &idle);
		ck_assert_uint_lt(looks++, 20);
	} while (value(READY, index) == 0);
	ck_assert_uint_ge(value(READY, index), 120);
	ck_assert_uint_le(value(READY, index), 136);
	TAILBOX__SET(self->entry->tid, own);
	helper_end(&idle);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(a_worker_that_ran_since_the_look_is_not_still)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);

	hold(&d, "/", 0);
	sample_now(s);
	ck_assert(tailbox__scan_is_still(&s->scan, self->index));
	TAILBOX__SET(self->entry->hold_since, tailbox__now());
	ck_assert(!tailbox__scan_is_still(&s->scan, self->index));
	TAILBOX__SET(self->entry->hold_since, 0);
	TAILBOX__SET(self->entry->last_seen, tailbox__now());
	ck_assert(!tailbox__scan_is_still(&s->scan, self->index));
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sampler_waiting");
	TCase *t = tape_case(s);

	tcase_add_test(t, ready_requests_behind_a_held_worker_are_counted);
	tcase_add_test(t, more_connections_than_are_polled_are_scaled);
	tcase_add_test(t, a_quarter_ready_scales_to_a_quarter);
	tcase_add_test(
	        t, requests_before_a_sleeping_worker_are_counted_from_128_on);
	tcase_add_test(t, few_ready_ones_of_many_are_met_soon);
	tcase_add_test(t, a_worker_that_ran_since_the_look_is_not_still);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
