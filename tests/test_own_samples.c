/* tests/test_own_samples.c - suspects of ours from samples.
 *
 * SPDX-License-Identifier: MIT
 *
 * doc/analysis.md, "Suspects of tailbox's own": locks, long computing, CPU,
 * connections. Of 20 requests of 1000 us one thousandth is 20 us.
 */
#include "tests/own_fixture.h"

#define LOCK TAILBOX__SUSPECT_LOCK
#define SPINNING TAILBOX__SUSPECT_SPINNING
#define CPU TAILBOX__SUSPECT_CPU
#define LIMIT TAILBOX__SUSPECT_CONNECTIONS
#define ACCEPT TAILBOX__SUSPECT_ACCEPT
#define METRIC(name) TAILBOX__METRIC_##name

/* --- what held workers were in ----------------------------------------- */

/* A sample with a worker that is held for so long. */
static void looked(uint64_t held_us, int state, const char *wchan)
{
	const uint32_t s = sample(run->snapshots.count * 1000);

	value(s, METRIC(WORKER_STATE), 0, (uint64_t)state);
	if (wchan)
		value(s, METRIC(WORKER_WCHAN), 0,
		      tailbox__run_cstr(run, wchan));
	value(s, METRIC(WORKER_HELD_US), 0, held_us);
}

/* 20 requests with so much unmarked time in all, by /r. */
static void unmarked(uint64_t us)
{
	again();
	base(20);
	for (uint32_t i = 0; i < 20; i++)
		phase(i, TAILBOX__PHASE_HANDLER,
		      us / 20 + (i == 0 ? us % 20 : 0));
}

/* n samples of each state. */
static void looks(unsigned futex, unsigned running, unsigned other)
{
	while (futex-- > 0)
		looked(1000, 'S', "futex_do_wait");
	while (running-- > 0)
		looked(1000, 'R', NULL);
	while (other-- > 0)
		looked(1000, 'S', "poll_schedule");
}

START_TEST(a_lock_is_told_by_half_of_the_samples_of_held_workers)
{
	unmarked(4000);
	looks(5, 2, 3);
	ck_assert_uint_eq(score_of(LOCK), 24 + 18 + 5 + 3);
	EXPECT_LIKELY(LOCK);
	EXPECT_OUT(SPINNING, "in 2 of 10 samples");
	ck_assert_str_eq(suspect(LOCK)->title, "lock contention in /r");
	ck_assert_uint_eq(figure(LOCK, "tail_permille"), 200);
	ck_assert_uint_eq(figure(LOCK, "samples"), 10);
	ck_assert_uint_eq(figure(LOCK, "samples_so"), 5);
	ck_assert(is_name((tailbox__str)figure(LOCK, "route"), "/r"));
	ck_assert(tells(&suspect(LOCK)->evidence,
	                "slept in futex_do_wait in 5 of 10 samples"));
	ck_assert_uint_eq(suspect(LOCK)->next_checks.count, 1);
	looks(0, 0, 1);
	analyze();
	EXPECT_OUT(LOCK, "in 5 of 11 samples");
	unmarked(3999);
	looks(10, 0, 0);
	analyze();
	EXPECT_OUT(LOCK, "19.9% in unmarked handlers");
	EXPECT_OUT(SPINNING, "19.9% in unmarked handlers");
}
END_TEST

START_TEST(long_computing_is_told_by_half_of_the_samples)
{
	unmarked(4000);
	looks(2, 5, 3);
	run->meta.has_pid = true;
	run->meta.pid = 912;
	ck_assert_uint_eq(score_of(SPINNING), 24 + 18 + 5 + 3);
	EXPECT_OUT(LOCK, "in 2 of 10 samples");
	ck_assert_str_eq(suspect(SPINNING)->title, "/r computes for long");
	ck_assert_uint_eq(figure(SPINNING, "samples_so"), 5);
	ck_assert_uint_eq(suspect(SPINNING)->next_checks.count, 2);
	looks(0, 0, 1);
	analyze();
	EXPECT_OUT(SPINNING, "in 5 of 11 samples");
	/* Half of them each: both. */
	unmarked(4000);
	looks(5, 5, 0);
	analyze();
	EXPECT_LIKELY(LOCK);
	EXPECT_LIKELY(SPINNING);
}
END_TEST

START_TEST(few_samples_and_short_holds_tell_nothing)
{
	unmarked(20000);
	analyze();
	EXPECT_CANNOT(LOCK, "no sample of a held worker");
	looks(4, 0, 0);
	for (unsigned i = 0; i < 9; i++)
		looked(999, 'S', "futex_do_wait");
	looked(NONE, 'S', "futex_do_wait");
	analyze();
	EXPECT_CANNOT(LOCK, "only 4 samples of held workers");
	EXPECT_CANNOT(SPINNING, "only 4 samples of held workers");
	looks(1, 0, 0);
	ck_assert_uint_eq(score_of(LOCK), 100);
}
END_TEST

START_TEST(what_could_not_be_read_is_told_apart)
{
	unmarked(20000);
	for (unsigned i = 0; i < 5; i++)
		looked(1000, 'S', NULL);
	looks(2, 2, 0);
	analyze(); /* 5 of 9 */
	EXPECT_CANNOT(LOCK,
	              "what held workers were in was not readable");
	EXPECT_CANNOT(SPINNING,
	              "what held workers were in was not readable");
	looks(0, 0, 1);
	analyze();
	EXPECT_OUT(LOCK, "in 2 of 10 samples");
	unmarked(20000); /* of no state, with a name: asleep there */
	for (unsigned i = 0; i < 5; i++)
		looked(1000, 0, "futex_wait");
	looked(1000, 'R' + 256, "x"); /* no letter */
	analyze();
	EXPECT_LIKELY(LOCK);
	ck_assert_uint_eq(figure(LOCK, "samples_so"), 5);
	EXPECT_OUT(SPINNING, "in 0 of 6 samples");
}
END_TEST

START_TEST(time_behind_holders_that_mark_nothing_counts_too)
{
	base(20);
	handler(0, "/h", 1000);
	for (uint32_t i = 1; i < 4; i++)
		behind(i, 0, 1000);
	looks(5, 0, 0);
	ck_assert_uint_eq(score_of(LOCK), 24 + 18 + 5); /* n: 1 request */
	ck_assert_str_eq(suspect(LOCK)->title, "lock contention in /h");
	/* What the holder has marked does not. */
	add_queue(0, 0, 1, NONE);
	analyze();
	EXPECT_OUT(LOCK, "19.9% in unmarked handlers");
	/* Of holders that are not in the run, the route at least. */
	again();
	base(20);
	for (uint32_t i = 1; i < 6; i++) {
		phase(i, TAILBOX__PHASE_INGRESS, 1000);
		ext(i)->holder_route = tailbox__run_cstr(run, "/gone");
	}
	looks(5, 0, 0);
	analyze();
	ck_assert_str_eq(suspect(LOCK)->title, "lock contention in /gone");
}
END_TEST

/* --- CPU --------------------------------------------------------------- */

/* 20 requests on worker 1, one after the other for 20 ms, in 5 steps of 4 ms,
 * in each of which the worker ran and stood ready for so long. */
static void ran(uint64_t cpu_us, uint64_t runq_us)
{
	again();
	base(20);
	for (uint32_t i = 0; i < 20; i++) {
		ext(i)->worker = 1;
		phase(i, TAILBOX__PHASE_HANDLER, 1000);
	}
	for (uint32_t i = 0; i <= 5; i++)
		used(sample(i * 4000), 1, cpu_us, runq_us);
}

/* Totals of the machine from the first to the last sample. */
static void machine(enum tailbox__metric metric, uint64_t first, uint64_t last)
{
	struct tailbox__run_value *v;

	for (uint32_t i = 0; i < 2; i++) {
		v = tailbox__list_add(&run->values);
		*v = (struct tailbox__run_value){
			.snapshot = i ? 5 : 0, .metric = (uint16_t)metric,
			.value = i ? last : first
		};
	}
}

START_TEST(run_queue_time_is_shared_out_by_time)
{
	/* 800 of 4000 are a fifth of each request. */
	ran(3200, 800);
	ck_assert_uint_eq(score_of(CPU), 24 + 18 + 5 + 3);
	EXPECT_LIKELY(CPU);
	ck_assert_uint_eq(figure(CPU, "tail_permille"), 200);
	ck_assert_uint_eq(figure(CPU, "cpu_us"), 5 * 3200);
	ck_assert_uint_eq(figure(CPU, "run_queue_us"), 5 * 800);
	ck_assert_uint_eq(figure(CPU, "throttled_us"), NONE);
	ck_assert_str_eq(suspect(CPU)->title,
	                 "workers wait for a CPU: whose is not known");
	ck_assert(tells(&suspect(CPU)->evidence,
	                "20.0% of the time they wanted one (4 of 20 ms)"));
	ran(3196, 796); /* 199 of 1000 */
	analyze();
	EXPECT_OUT(CPU, "ready without one 19.9% of slow requests' time");
	ran(3201, 800); /* ready for 199.9 of what they wanted */
	analyze();
	EXPECT_OUT(CPU, "ready without one 20.0% of slow requests' time");
}
END_TEST

START_TEST(only_time_on_the_worker_counts)
{
	ran(0, 4000);
	for (uint32_t i = 0; i < 20; i++) {
		phase(i, TAILBOX__PHASE_HANDLER, 30);
		phase(i, TAILBOX__PHASE_INGRESS, 40);
		phase(i, TAILBOX__PHASE_HEADERS, 50);
		phase(i, TAILBOX__PHASE_RESUME, 60);
		phase(i, TAILBOX__PHASE_SEND, 70);
		phase(i, TAILBOX__PHASE_BODY, 1000);
		phase(i, TAILBOX__PHASE_SUSPENDED, 1000);
	}
	analyze();
	ck_assert_uint_eq(figure(CPU, "tail_permille"), 250);
	ext(0)->worker = UINT32_MAX;
	ext(1)->worker = 2; /* was not sampled */
	run->requests.items[2].flags = TAILBOX__HAS_START_US;
	run->requests.items[3].flags = TAILBOX__HAS_END_US;
	analyze();
	ck_assert_uint_eq(figure(CPU, "tail_permille"), 200);
}
END_TEST

/* What request 0, from..to on worker 1, stood ready, in 100 us: as well as
 * thousandths of its time tell. */
static uint64_t ready_between(uint64_t from, uint64_t to)
{
	struct tailbox__run_request *r = &run->requests.items[0];

	r->start_us = from;
	r->end_us = to;
	r->start_ms = wall_of(from);
	r->end_ms = wall_of(to);
	r->latency_us = to - from;
	analyze();
	return figure(CPU, "tail_permille") * r->latency_us / 100000;
}

START_TEST(a_request_gets_its_part_of_each_step)
{
	base(1);
	ext(0)->worker = 1;
	phase(0, TAILBOX__PHASE_HANDLER, 100000000);
	/* Steps of 100 ms: 10, 20, 30 and 40 ms of each; 60 % of it throttled,
	 * so that it is always told. */
	for (uint32_t i = 0; i < 5; i++) {
		const uint32_t s = sample(1000000 + i * 100000);

		used(s, 0, 1, 99999);
		used(s, 1, 0, i * 10000);
		value(s, METRIC(CGROUP_THROTTLED_US), 0, i * 60000);
		used(s, 2, 1, 99999);
	}
	ck_assert_uint_eq(ready_between(1000000, 1100000), 100);
	ck_assert_uint_eq(ready_between(1000000, 1050000), 50);
	ck_assert_uint_eq(ready_between(1050000, 1150000), 50 + 100);
	ck_assert_uint_eq(ready_between(1050000, 1250000), 50 + 200 + 150);
	ck_assert_uint_eq(ready_between(1100000, 1300000), 200 + 300);
	ck_assert_uint_eq(ready_between(1210000, 1220000), 30);
	ck_assert_uint_eq(ready_between(0, 9000000), 990);
	ck_assert_uint_eq(ready_between(1390000, 1500000), 39);
	ck_assert_uint_eq(ready_between(1400000, 9000000), 0);
	ck_assert_uint_eq(ready_between(0, 1000000), 0);
	ck_assert_uint_eq(ready_between(1200000, 1200000), 0);
	/* A step that was not read is of nobody, those around it stay. */
	for (size_t i = 0; i < run->values.count; i++) {
		struct tailbox__run_value *v = &run->values.items[i];

		if (v->snapshot == 2 && v->subject == 1)
			v->metric = METRIC(WORKER_CONNECTIONS);
	}
	ck_assert_uint_eq(ready_between(1050000, 1350000), 549);
}
END_TEST

START_TEST(a_worker_cannot_stand_ready_for_longer_than_there_was)
{
	ran(10, 400000);
	analyze();
	ck_assert_uint_eq(figure(CPU, "tail_permille"), 1000);
	ck_assert_uint_eq(figure(CPU, "run_queue_us"), 5 * 4000);
}
END_TEST

START_TEST(without_steps_cpu_cannot_be_told)
{
	const char *const text = "run queue times of workers were not sampled";

	ran(0, 4000);
	run->snapshots.count = 1;
	analyze();
	EXPECT_CANNOT(CPU, text);
	ran(0, 4000);
	for (size_t i = 0; i < 6; i++)
		run->snapshots.items[i].flags = 0; /* no run offset */
	analyze();
	EXPECT_CANNOT(CPU, text);
	ran(0, 4000);
	for (size_t i = 0; i < 6; i++)
		run->snapshots.items[i].at_us = 77;
	analyze();
	EXPECT_CANNOT(CPU, text);
	ran(0, 4000); /* each sample of another worker */
	for (size_t i = 0; i < run->values.count; i++)
		run->values.items[i].subject = run->values.items[i].snapshot;
	analyze();
	EXPECT_CANNOT(CPU, text);
	ran(0, 4000);
	for (size_t i = 0; i < run->values.count; i++)
		run->values.items[i].subject = (uint32_t)i; /* of all kinds */
	analyze();
	EXPECT_CANNOT(CPU, text);
}
END_TEST

START_TEST(starved_is_three_quarters_ready_and_a_tenth_of_the_time)
{
	/* 100 of 1000 us of each request, told for 75 % ready alone. */
	ran(133, 400);
	ck_assert_uint_gt(score_of(CPU), 0);
	ck_assert_uint_eq(figure(CPU, "tail_permille"), 100);
	ran(134, 400);
	analyze();
	EXPECT_OUT(CPU, "ready without one 10.0% of slow requests' time");
	ran(100, 396);
	analyze();
	EXPECT_OUT(CPU, "ready without one 9.9% of slow requests' time");
}
END_TEST

START_TEST(whose_cpus_they_are_is_told)
{
	/* 20 ms, 2 CPUs: 40 ms in all. */
	ran(3200, 800);
	machine(METRIC(PROCESS_CPU_US), 100, 28100);
	machine(METRIC(CPUS_ONLINE), 2, 2);
	analyze();
	ck_assert_str_eq(suspect(CPU)->title,
	                 "workers wait for a CPU: its own threads");
	ck_assert(tells(&suspect(CPU)->evidence,
	                "the process itself used 70.0% of 2 CPUs"));
	ck_assert(tells(&suspect(CPU)->next_checks, "top -H"));
	run->values.items[run->values.count - 3].value -= 1;
	analyze();
	ck_assert_str_eq(
	        suspect(CPU)->title,
	        "workers wait for a CPU: neighbours on the machine");
	ck_assert(tells(&suspect(CPU)->next_checks, "pidstat"));
	run->values.items[run->values.count - 3].value = 99; /* went down */
	analyze();
	ck_assert_str_eq(suspect(CPU)->title,
	                 "workers wait for a CPU: whose is not known");
}
END_TEST

START_TEST(a_quota_is_told_from_a_twentieth_of_the_time_on)
{
	ran(10, 0);
	machine(METRIC(CGROUP_THROTTLED_US), 5000, 5999); /* of 20 ms */
	analyze();
	EXPECT_OUT(CPU, "ready without one 0.0% of slow requests' time, 0 ms "
	                "throttled");
	run->values.items[run->values.count - 1].value = 6000;
	ck_assert_uint_eq(score_of(CPU), 24);
	ck_assert_uint_eq(figure(CPU, "throttled_us"), 1000);
	ck_assert_str_eq(suspect(CPU)->title,
	                 "workers wait for a CPU: the CPU quota of its cgroup");
	ck_assert(tells(&suspect(CPU)->evidence,
	                "throttled for 1 ms of 20 ms"));
	ck_assert(tells(&suspect(CPU)->next_checks, "raise the CPU quota"));
	run->values.items[run->values.count - 1].value = 4999; /* down */
	analyze();
	EXPECT_OUT(CPU, "ready without one 0.0% of slow requests' time");
}
END_TEST

START_TEST(what_rules_cpu_out_is_how_many_were_used)
{
	ran(10, 0);
	machine(METRIC(PROCESS_CPU_US), 0, 31000);
	machine(METRIC(CPUS_ONLINE), 4, 4);
	analyze();
	EXPECT_OUT(CPU, "1.5 of 4 CPUs");
	machine(METRIC(CGROUP_THROTTLED_US), 0, 0);
	analyze();
	EXPECT_OUT(CPU, "1.5 of 4 CPUs, 0 ms throttled");
	/* A sample without a run offset has no place in it. */
	run->snapshots.items[5].flags = 0;
	analyze();
	EXPECT_OUT(CPU, "ready without one 0.0% of slow requests' time");
}
END_TEST

/* --- connections ------------------------------------------------------- */

static void connections(uint64_t n, uint64_t limit)
{
	const uint32_t s = sample(run->snapshots.count * 1000);

	value(s, METRIC(CONNECTIONS), 0, n);
	value(s, METRIC(CONNECTION_LIMIT), 1, limit);
}

START_TEST(the_limit_is_told_from_a_fifth_of_the_samples)
{
	base(20);
	for (unsigned i = 0; i < 10; i++)
		connections(i < 2 ? 8 : 7, 8);
	ck_assert_uint_eq(score_of(LIMIT), 24 + 18 + 5 + 1);
	EXPECT_LIKELY(LIMIT);
	ck_assert_str_eq(suspect(LIMIT)->title,
	                 "connection limit of 8 reached");
	ck_assert_uint_eq(figure(LIMIT, "limit"), 8);
	ck_assert_uint_eq(figure(LIMIT, "samples_full"), 2);
	ck_assert_uint_eq(figure(LIMIT, "samples"), 10);
	EXPECT_TEXTS(&suspect(LIMIT)->evidence,
	             "in 2 of 10 samples all 8 connections were in use");
	EXPECT_CANNOT(ACCEPT, "the accept queue was not sampled");
	connections(7, 8);
	analyze();
	EXPECT_OUT(LIMIT, "max 8 of 8");
}
END_TEST

START_TEST(limits_of_several_daemons_are_taken_together)
{
	base(20);
	for (unsigned i = 0; i < 10; i++) {
		connections(12, 5);
		value(i, METRIC(CONNECTION_LIMIT), 2, 8);
	}
	analyze();
	EXPECT_OUT(LIMIT, "max 12 of 13");
	sample(99000); /* says nothing */
	value(10, METRIC(CONNECTIONS), 0, 99);
	analyze();
	EXPECT_OUT(LIMIT, "max 12 of 13");
	again();
	base(20);
	sample(0);
	value(0, METRIC(CONNECTIONS), 0, 99);
	analyze();
	EXPECT_CANNOT(LIMIT, "connections were not sampled");
}
END_TEST

/* n of 10 samples with so many in the queue, of 511. */
static void queued(unsigned n, uint64_t depth)
{
	again();
	base(20);
	for (unsigned i = 0; i < 10; i++) {
		sample(i * 1000);
		value(i, METRIC(ACCEPT_QUEUE), 1, i < n ? depth : 0);
		value(i, METRIC(ACCEPT_QUEUE_LIMIT), 1, 511);
		value(i, METRIC(LISTEN_OVERFLOWS), 0, 100 + i);
	}
}

START_TEST(the_accept_queue_is_told_from_four_in_a_fifth_of_the_samples)
{
	queued(2, 3);
	analyze();
	EXPECT_OUT(ACCEPT, "max 3 of 511");
	queued(1, 400);
	analyze();
	EXPECT_OUT(ACCEPT, "max 400 of 511");
	queued(2, 4);
	ck_assert_uint_eq(score_of(ACCEPT), 24 + 18 + 5 + 1);
	EXPECT_LIKELY(ACCEPT);
	ck_assert_uint_eq(figure(ACCEPT, "queue_max"), 4);
	ck_assert_uint_eq(figure(ACCEPT, "listen_overflows"), 9);
	EXPECT_TEXTS(&suspect(ACCEPT)->evidence,
	             "in 2 of 10 samples 4 or more connections waited to be "
	             "accepted, at most 4 of 511",
	             "0.0% of the slowest requests' time", "9 connections");
	queued(10, 5);
	for (unsigned i = 0; i < 10; i++)
		value(i, METRIC(ACCEPT_QUEUE), 2, 0); /* the deeper counts */
	run->values.items[29].value = 3; /* and went down */
	analyze();
	ck_assert_uint_eq(figure(ACCEPT, "listen_overflows"), NONE);
	ck_assert_uint_eq(figure(ACCEPT, "queue_max"), 5);
}
END_TEST

START_TEST(waits_to_be_accepted_are_told_without_samples)
{
	base(20);
	phase(0, TAILBOX__PHASE_INGRESS, 3999);
	analyze();
	EXPECT_CANNOT(ACCEPT, "the accept queue was not sampled");
	EXPECT_CANNOT(LIMIT, "connections were not sampled");
	phase(0, TAILBOX__PHASE_INGRESS, 4000);
	ck_assert_uint_eq(score_of(ACCEPT), 24 + 18 + 5);
	ck_assert_uint_eq(figure(ACCEPT, "queue_max"), NONE);
	ck_assert_uint_eq(figure(ACCEPT, "listen_overflows"), NONE);
	EXPECT_TEXTS(&suspect(ACCEPT)->evidence,
	             "20.0% of the slowest requests' time went by before "
	             "their connection was accepted (1 requests)");
	/* The larger share counts: of samples ... */
	connections(8, 8);
	analyze();
	ck_assert_uint_eq(suspect(LIMIT)->score, 95);
	/* ... or of the waits. */
	for (unsigned i = 0; i < 4; i++)
		connections(7, 8);
	phase(0, TAILBOX__PHASE_INGRESS, 8000);
	analyze();
	ck_assert_uint_eq(suspect(LIMIT)->score, 24 + 36 + 11);
}
END_TEST

START_TEST(thousands_of_workers_are_told_apart)
{
	base(20);
	for (uint32_t i = 0; i < 20; i++) {
		ext(i)->worker = 4999 - i;
		phase(i, TAILBOX__PHASE_HANDLER, 1000);
	}
	for (uint32_t s = 0; s < 6; s++) {
		sample(s * 4000);
		for (uint32_t w = 0; w < 5000; w++)
			used(s, w, 0, w >= 4990 ? 4000 : 0);
	}
	analyze(); /* half of the requests were on busy ones */
	ck_assert_uint_eq(figure(CPU, "tail_permille"), 500);
	ck_assert_uint_eq(figure(CPU, "run_queue_us"), 10 * 5 * 4000);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("own_samples");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 120);
	tcase_add_test(t,
	               a_lock_is_told_by_half_of_the_samples_of_held_workers);
	tcase_add_test(t, long_computing_is_told_by_half_of_the_samples);
	tcase_add_test(t, few_samples_and_short_holds_tell_nothing);
	tcase_add_test(t, what_could_not_be_read_is_told_apart);
	tcase_add_test(t, time_behind_holders_that_mark_nothing_counts_too);
	tcase_add_test(t, run_queue_time_is_shared_out_by_time);
	tcase_add_test(t, only_time_on_the_worker_counts);
	tcase_add_test(t, a_request_gets_its_part_of_each_step);
	tcase_add_test(t,
	               a_worker_cannot_stand_ready_for_longer_than_there_was);
	tcase_add_test(t, without_steps_cpu_cannot_be_told);
	tcase_add_test(
	        t, starved_is_three_quarters_ready_and_a_tenth_of_the_time);
	tcase_add_test(t, whose_cpus_they_are_is_told);
	tcase_add_test(t, a_quota_is_told_from_a_twentieth_of_the_time_on);
	tcase_add_test(t, what_rules_cpu_out_is_how_many_were_used);
	tcase_add_test(t, the_limit_is_told_from_a_fifth_of_the_samples);
	tcase_add_test(t, limits_of_several_daemons_are_taken_together);
	tcase_add_test(
	        t,
	        the_accept_queue_is_told_from_four_in_a_fifth_of_the_samples);
	tcase_add_test(t, waits_to_be_accepted_are_told_without_samples);
	tcase_add_test(t, thousands_of_workers_are_told_apart);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
