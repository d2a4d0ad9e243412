/* tests/test_trigger.c - triggers: each figure at its edge, and who loses.
 *
 * SPDX-License-Identifier: MIT
 *
 * One tick is one microsecond, and time is what the test says.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/trigger.h"
#include "core/alloc.h"
#include "core/error.h"
#include "core/metrics.h"

#define HZ 1000000u
#define MS 1000u /* ticks */
#define HALF TAILBOX__TRIGGER_HALF_NS

static struct tailbox__config settings;
static struct tailbox__config_triggers *c;
static struct tailbox__triggers t;
static struct tailbox__firing fired[TAILBOX__TRIGGER_KINDS];
static struct tailbox__trigger_desk desk;

static const char *name_of(void *cls, uint16_t number)
{
	static const char *const names[] = { "", "GET /a", "GET /b", "/job",
		                             "GET /a" };
	static char made[32];

	(void)cls;
	if (number < 5)
		return names[number];
	snprintf(made, sizeof(made), "GET /%u", (unsigned)number);
	return made;
}

static void begin(void)
{
	tailbox__config_init(&settings);
	c = &settings.triggers;
	memset(&desk, 0, sizeof(desk));
	memset(&t, 0, sizeof(t));
}

static void end(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__triggers_fini(&t);
}

static void start(void)
{
	tailbox__triggers_fini(&t);
	ck_assert_int_eq(tailbox__triggers_init(&t, c, HZ, name_of, NULL), 0);
}

static unsigned judge(uint64_t now_ns)
{
	return tailbox__triggers_judge(&t, now_ns, fired);
}

static void request(uint64_t ticks, uint16_t route, unsigned status)
{
	const struct tailbox__rec_request q = { .route = route, .number = 7,
		                                .status = (uint16_t)status };

	tailbox__triggers_request(&t, ticks, &q, tailbox__request_is_failed(&q));
}

static void requests(unsigned count, uint64_t ticks, uint16_t route,
                     unsigned status)
{
	while (count-- > 0)
		request(ticks, route, status);
}

/* --- off ----------------------------------------------------------------- */

START_TEST(without_settings_only_a_call_fires)
{
	start();
	requests(1000, UINT64_MAX / 2, 1, 500);
	tailbox__triggers_open(&t, UINT64_MAX / 2, 1, 1, 1);
	tailbox__triggers_held(&t, UINT64_MAX / 2, 1, 1, 1);
	ck_assert_uint_eq(judge(1), 0);
	tailbox__triggers_asked(&t, TAILBOX__TRIGGER_CALL, 0, "not called");
	ck_assert_uint_eq(judge(1), 0);
	tailbox__triggers_asked(&t, TAILBOX__TRIGGER_CALL, 3, "disk full");
	ck_assert_uint_eq(judge(1), 1);
	ck_assert_int_eq(fired[0].kind, TAILBOX__TRIGGER_CALL);
	ck_assert_uint_eq(fired[0].count, 3);
	ck_assert_uint_eq(fired[0].figure, TAILBOX__NONE);
	ck_assert_str_eq(fired[0].what, "disk full");
	ck_assert_uint_eq(judge(1), 0);
}
END_TEST

/* --- one by one ---------------------------------------------------------- */

START_TEST(a_slow_request_at_its_bound)
{
	c->slow = 200;
	start();
	request(200 * MS - 1, 1, 200);
	ck_assert_uint_eq(judge(1), 0);
	request(200 * MS, 1, 200);
	ck_assert_uint_eq(judge(1), 1);
	ck_assert_int_eq(fired[0].kind, TAILBOX__TRIGGER_SLOW);
	ck_assert_uint_eq(fired[0].figure, 200000);
	ck_assert_uint_eq(fired[0].bound, 200000);
	ck_assert_uint_eq(fired[0].number, 7);
	ck_assert_str_eq(fired[0].what, "GET /a");
	/* Several in a pass: all are counted, the worst is named. */
	request(200 * MS + 1, 1, 200);
	request(900 * MS, 2, 200);
	request(300 * MS, 3, 200);
	ck_assert_uint_eq(judge(1), 1);
	ck_assert_uint_eq(fired[0].count, 3);
	ck_assert_uint_eq(fired[0].figure, 900000);
	ck_assert_str_eq(fired[0].what, "GET /b");
}
END_TEST

START_TEST(an_open_request_fires_once_when_it_is_too_old)
{
	const uint64_t line = 1000 * MS, bound = 5000 * MS;

	c->open = 5000;
	start();
	for (int look = -1; look <= 3; look++) {
		const uint64_t now = line + bound + (uint64_t)(int64_t)look;
		tailbox__triggers_open(&t, now, line, 9, 2);
		tailbox__triggers_looked_open(&t, now);
		ck_assert_uint_eq(judge(1), look == 0);
	}
	ck_assert_int_eq(fired[0].kind, TAILBOX__TRIGGER_OPEN);
	ck_assert_uint_eq(fired[0].figure, 5000000);
	ck_assert_uint_eq(fired[0].number, 9);
	/* It was over before the first look: that is seen, too; a line that is
	 * ahead of the look is not. */
	start();
	tailbox__triggers_open(&t, line + 2 * bound, line, 9, 2);
	tailbox__triggers_open(&t, line, line + 1, 10, 2);
	ck_assert_uint_eq(judge(1), 1);
	ck_assert_uint_eq(fired[0].count, 1);
}
END_TEST

START_TEST(a_hold_fires_once_when_it_is_too_long)
{
	const uint64_t since = 77 * MS, bound = 1000 * MS;

	c->held = 1000;
	start();
	for (int look = -1; look <= 2; look++) {
		const uint64_t now = since + bound + (uint64_t)(int64_t)look;
		tailbox__triggers_held(&t, now, since, 4711, 3);
		tailbox__triggers_looked_held(&t, now);
		ck_assert_uint_eq(judge(1), look == 0);
	}
	ck_assert_int_eq(fired[0].kind, TAILBOX__TRIGGER_HELD);
	ck_assert_str_eq(fired[0].what, "worker 4711 in /job");
}
END_TEST

/* --- percentiles --------------------------------------------------------- */

static void name_route(const char *text)
{
	snprintf(c->route_p99.items[c->route_p99.count++],
	         TAILBOX__CONFIG_TEXT_MAX + 1, "%s", text);
}

START_TEST(a_route_s_p99_at_its_bound)
{
	name_route("/a 250ms");
	start();
	/* Of 200 requests the 198th decides: two may be over it. */
	requests(197, MS, 1, 200);
	requests(3, 250 * MS - 1, 1, 200);
	requests(500, 900 * MS, 2, 200); /* another route */
	ck_assert_uint_eq(judge(1), 0);
	for (int over = 2; over <= 3; over++) {
		start();
		requests(200 - (unsigned)over, MS, 1, 200);
		requests((unsigned)over, 250 * MS, 1, 200);
		ck_assert_uint_eq(judge(1), over == 3);
	}
	ck_assert_int_eq(fired[0].kind, TAILBOX__TRIGGER_ROUTE_P99);
	ck_assert_uint_eq(fired[0].bound, 250000);
	ck_assert_uint_ge(fired[0].figure, 250000);
	ck_assert_uint_le(fired[0].figure, 250000 * 113 / 100);
	ck_assert_str_eq(fired[0].what, "GET /a");
	/* It stays over: once is enough. Below, and over again: once more. */
	ck_assert_uint_eq(judge(2), 0);
	requests(200, MS, 1, 200);
	ck_assert_uint_eq(judge(3), 0);
	requests(2, 250 * MS, 4, 200); /* the same name, another number */
	ck_assert_uint_eq(judge(4), 1);
}
END_TEST

START_TEST(too_few_requests_are_no_percentile)
{
	for (unsigned n = 99; n <= 101; n++) {
		begin();
		name_route("GET /a 1ms");
		start();
		requests(n, 5 * MS, 1, 200);
		ck_assert_uint_eq(judge(1), n >= 100);
		end();
	}
}
END_TEST

START_TEST(what_is_over_ten_seconds_old_does_not_count)
{
	name_route("/job 10ms");
	start();
	judge(1);
	requests(99, 20 * MS, 3, 200);
	ck_assert_uint_eq(judge(1 + 2 * HALF - 1), 0);
	/* The two halves have gone by: these are alone. */
	ck_assert_uint_eq(judge(1 + 2 * HALF), 0);
	requests(99, 20 * MS, 3, 200);
	ck_assert_uint_eq(judge(2 + 2 * HALF), 0);
	request(20 * MS, 3, 200);
	ck_assert_uint_eq(judge(3 + 2 * HALF), 1);
}
END_TEST

/* A minute of requests of 20 ms; gives the time then. */
static uint64_t settle(uint64_t ticks)
{
	uint64_t now = 1;

	judge(now);
	for (int i = 0; i < 12; i++) {
		requests(100, ticks, 1, 200);
		now += HALF;
		ck_assert_uint_eq(judge(now), 0);
	}
	return now;
}

START_TEST(a_p99_against_what_it_used_to_be)
{
	c->p99_factor = 4;
	c->p99_floor = 50;
	start();
	uint64_t now = settle(20 * MS);
	const uint64_t bound = t.routes[0].factor_bound;

	ck_assert_uint_ge(bound, 4 * 20 * MS * 88 / 100);
	ck_assert_uint_le(bound, 4 * 20 * MS * 113 / 100);
	/* With 100 of the last half and 100 now: three of them decide. */
	requests(97, 20 * MS, 1, 200);
	requests(3, bound - 1, 1, 200);
	ck_assert_uint_eq(judge(now + 1), 0);
	requests(2, bound, 1, 200);
	ck_assert_uint_eq(judge(now + 2), 0);
	request(bound, 1, 200);
	ck_assert_uint_eq(judge(now + 3), 1);
	ck_assert_int_eq(fired[0].kind, TAILBOX__TRIGGER_P99_FACTOR);
	ck_assert_uint_eq(fired[0].bound, bound);
}
END_TEST

START_TEST(a_factor_has_a_floor)
{
	c->p99_factor = 4;
	c->p99_floor = 50;
	start();
	uint64_t now = settle(1 * MS);

	ck_assert_uint_eq(t.routes[0].factor_bound, 50 * MS);
	requests(100, 50 * MS - 1, 1, 200);
	ck_assert_uint_eq(judge(now + 1), 0);
	requests(3, 50 * MS, 1, 200);
	ck_assert_uint_eq(judge(now + 2), 1);
}
END_TEST

START_TEST(routes_are_bounded_and_those_that_are_named_have_a_place)
{
	c->p99_factor = 4;
	name_route("/90 10ms");
	start();
	for (uint16_t route = 5; route < 205; route++)
		if (route != 90)
			request(MS, route, 200);
	ck_assert_uint_eq(t.route_count, TAILBOX__TRIGGER_ROUTES - 1);
	requests(100, 10 * MS, 90, 200);
	ck_assert_uint_eq(t.route_count, TAILBOX__TRIGGER_ROUTES);
	ck_assert_uint_eq(judge(1), 1);
	ck_assert_str_eq(fired[0].what, "GET /90");
}
END_TEST

START_TEST(without_memory_the_rest_works)
{
	c->slow = 200;
	c->p99_factor = 4;
	tailbox__alloc_fail_after(0);
	ck_assert_int_eq(tailbox__triggers_init(&t, c, HZ, name_of, NULL),
	                 -ENOMEM);
	tailbox__alloc_fail_after(-1);
	request(200 * MS, 1, 200);
	ck_assert_uint_eq(judge(1), 1);
}
END_TEST

/* --- rates --------------------------------------------------------------- */

START_TEST(an_error_rate_at_its_bound)
{
	snprintf(c->error_rate, sizeof(c->error_rate), "5%%");
	for (unsigned failed = 9; failed <= 11; failed++) {
		start();
		requests(200 - failed, MS, 1, 200);
		requests(failed, MS, 1, 503);
		ck_assert_uint_eq(judge(1), failed >= 10);
		ck_assert_uint_eq(judge(2), 0);
	}
	ck_assert_int_eq(fired[0].kind, TAILBOX__TRIGGER_ERROR_RATE);
	ck_assert_uint_eq(fired[0].figure, 55000);
	ck_assert_uint_eq(fired[0].bound, 50000);
	ck_assert_str_eq(fired[0].what, "11 of 200 requests failed");
	for (unsigned n = 99; n <= 101; n++) {
		start();
		requests(n, MS, 1, 500);
		ck_assert_uint_eq(judge(1), n >= 100);
	}
}
END_TEST

START_TEST(what_a_failure_is)
{
	struct tailbox__rec_request q = { .status = 499 };

	ck_assert(!tailbox__request_is_failed(&q));
	q.status = 500;
	ck_assert(tailbox__request_is_failed(&q));
	q.outcome = TAILBOX__NAME_OK; /* the application knows better */
	ck_assert(!tailbox__request_is_failed(&q));
	q.status = 200;
	q.outcome = TAILBOX__NAME_ERROR;
	ck_assert(tailbox__request_is_failed(&q));
	q.outcome = TAILBOX__NAME_TIMEOUT;
	ck_assert(tailbox__request_is_failed(&q));
	q.outcome = TAILBOX__NAME_CANCELLED;
	ck_assert(!tailbox__request_is_failed(&q));
	q.outcome = 0;
	q.termination = TAILBOX__TERM_CLIENT_ABORT;
	ck_assert(!tailbox__request_is_failed(&q));
	q.termination = TAILBOX__TERM_TIMEOUT;
	ck_assert(tailbox__request_is_failed(&q));
}
END_TEST

/* --- accept queues ------------------------------------------------------- */

static void sample(uint64_t now, uint64_t limit)
{
	struct {
		struct tailbox__rec_sample s;
		struct tailbox__rec_values v;
	} r;

	memset(&r, 0, sizeof(r));
	r.s.type = TAILBOX__REC_SAMPLE;
	r.s.more = 1;
	r.v.type = TAILBOX__REC_VALUES;
	r.v.count = 3;
	r.v.of[0].metric = TAILBOX__METRIC_CONNECTIONS;
	r.v.value[0] = 100000;
	r.v.of[1].metric = TAILBOX__METRIC_ACCEPT_QUEUE;
	r.v.of[1].subject = 2;
	r.v.value[1] = now;
	r.v.of[2].metric = TAILBOX__METRIC_ACCEPT_QUEUE_LIMIT;
	r.v.of[2].subject = 2;
	r.v.value[2] = limit;
	tailbox__triggers_samples(&t, (const char *)&r, sizeof(r));
}

START_TEST(an_accept_queue_at_its_bound)
{
	static const struct {
		const char *text;
		uint64_t limit, bound;
	} rows[] = { { "80%", 100, 80 }, { "80%", 11, 9 }, { "1%", 10, 1 },
		     { "12", 511, 12 }, { "12", TAILBOX__NONE, 12 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(c->accept_queue, sizeof(c->accept_queue), "%s",
		         rows[i].text);
		start();
		sample(rows[i].bound - 1, rows[i].limit);
		ck_assert_uint_eq(judge(1), 0);
		sample(rows[i].bound, rows[i].limit);
		ck_assert_uint_eq(judge(1), 1);
		ck_assert_int_eq(fired[0].kind, TAILBOX__TRIGGER_ACCEPT_QUEUE);
		ck_assert_uint_eq(fired[0].figure, rows[i].bound);
		ck_assert_str_eq(fired[0].what, "daemon 2");
		sample(rows[i].bound + 1, rows[i].limit);
		ck_assert_uint_eq(judge(1), 0);
		sample(0, rows[i].limit);
		sample(rows[i].bound + 1, rows[i].limit);
		ck_assert_uint_eq(judge(1), 1);
	}
	/* What is not known fires nothing. */
	snprintf(c->accept_queue, sizeof(c->accept_queue), "80%%");
	start();
	sample(100, TAILBOX__NONE);
	sample(TAILBOX__NONE, 100);
	ck_assert_uint_eq(judge(1), 0);
}
END_TEST

/* --- the desk ------------------------------------------------------------ */

static struct tailbox__firing firing(enum tailbox__trigger_kind kind,
                                     uint64_t count, uint64_t figure)
{
	const struct tailbox__firing f = { .kind = kind, .count = count,
		                           .figure = figure, .bound = 1 };

	return f;
}

static bool take(enum tailbox__trigger_kind kind, uint64_t count,
                 uint64_t figure, uint64_t now)
{
	const struct tailbox__firing f = firing(kind, count, figure);

	return tailbox__desk_take(&desk, &f, now, now / 1000000);
}

START_TEST(a_thousand_make_one_artifact_and_999_losers)
{
	unsigned made = 0;

	for (unsigned i = 0; i < 100; i++)
		made += take(TAILBOX__TRIGGER_SLOW, 10, 100 + i, 5);
	ck_assert_uint_eq(made, 1);
	tailbox__desk_cut(&desk);
	tailbox__desk_done(&desk, "s1", NULL, 60000, 6);
	ck_assert_uint_eq(desk.counts[TAILBOX__TRIGGER_SLOW].fired, 1000);
	ck_assert_uint_eq(desk.counts[TAILBOX__TRIGGER_SLOW].made, 1);
	ck_assert_uint_eq(desk.counts[TAILBOX__TRIGGER_SLOW].covered, 999);
	ck_assert_uint_eq(desk.entries, 2);
	ck_assert_int_eq(desk.last[0].result, TAILBOX__TRIGGER_MADE);
	ck_assert_int_eq(desk.last[1].result, TAILBOX__TRIGGER_COVERED);
	ck_assert_uint_eq(desk.last[1].firing.count, 999);
	ck_assert_uint_eq(desk.last[1].firing.figure, 199);
	ck_assert_str_eq(desk.last[0].artifact, "s1");
	ck_assert_str_eq(desk.last[1].artifact, "s1");
}
END_TEST

START_TEST(a_cooldown_ends_to_the_nanosecond)
{
	const uint64_t cooldown = 60000000000u;

	ck_assert(take(TAILBOX__TRIGGER_HELD, 1, 5, 1000));
	ck_assert_ptr_nonnull(tailbox__desk_in_hand(&desk));
	ck_assert(!take(TAILBOX__TRIGGER_OPEN, 1, 5, 1001));
	tailbox__desk_cut(&desk);
	ck_assert(!take(TAILBOX__TRIGGER_OPEN, 2, 5, 1002));
	tailbox__desk_done(&desk, "7", NULL, 60000, 1003);
	ck_assert_ptr_null(tailbox__desk_in_hand(&desk));
	ck_assert(!take(TAILBOX__TRIGGER_OPEN, 3, 5, 1000 + cooldown - 1));
	ck_assert_uint_eq(desk.counts[TAILBOX__TRIGGER_OPEN].covered, 1);
	ck_assert_uint_eq(desk.counts[TAILBOX__TRIGGER_OPEN].cooling, 5);
	ck_assert(take(TAILBOX__TRIGGER_OPEN, 1, 5, 1000 + cooldown));
	/* One that takes longer than the cool-down. */
	tailbox__desk_done(&desk, "8", NULL, 0, 1000 + 2 * cooldown);
	ck_assert(!take(TAILBOX__TRIGGER_OPEN, 1, 5, 999 + 2 * cooldown));
	ck_assert(take(TAILBOX__TRIGGER_OPEN, 1, 5, 1000 + 2 * cooldown));
}
END_TEST

START_TEST(where_nothing_was_made_nobody_was_covered)
{
	ck_assert(take(TAILBOX__TRIGGER_CALL, 4, TAILBOX__NONE, 1));
	tailbox__desk_done(&desk, NULL, "disk full", 1000, 2);
	ck_assert_str_eq(desk.error, "disk full");
	ck_assert_uint_eq(desk.counts[TAILBOX__TRIGGER_CALL].failed, 4);
	ck_assert_uint_eq(desk.counts[TAILBOX__TRIGGER_CALL].covered, 0);
	ck_assert_uint_eq(desk.counts[TAILBOX__TRIGGER_CALL].made, 0);
	ck_assert_int_eq(desk.last[0].result, TAILBOX__TRIGGER_FAILED);
	/* And it is not tried again at once. */
	ck_assert(!take(TAILBOX__TRIGGER_CALL, 1, TAILBOX__NONE, 3));
	/* Nothing in hand: done says nothing. */
	tailbox__desk_done(&desk, "s9", NULL, 1000, 4);
	ck_assert_uint_eq(desk.counts[TAILBOX__TRIGGER_CALL].made, 0);
}
END_TEST

START_TEST(the_list_holds_the_last_and_counts_all)
{
	for (unsigned i = 0; i < 100; i++) {
		ck_assert(take(TAILBOX__TRIGGER_SLOW, 3, i, i));
		tailbox__desk_done(&desk, "s1", NULL, 0, i);
	}
	ck_assert_uint_eq(desk.counts[TAILBOX__TRIGGER_SLOW].fired, 300);
	ck_assert_uint_eq(desk.entries, 200);
	for (unsigned i = 0; i < TAILBOX__TRIGGER_LAST; i++)
		ck_assert_uint_gt(desk.last[i].episode,
		                  100 - TAILBOX__TRIGGER_LAST / 2);
}
END_TEST

START_TEST(a_firing_as_text)
{
	struct tailbox__firing f = firing(TAILBOX__TRIGGER_SLOW, 1, 213456);
	char text[256];

	f.bound = 200000;
	snprintf(f.what, sizeof(f.what), "GET /x");
	ck_assert_str_eq(tailbox__firing_text(text, sizeof(text), &f),
	                 "slow GET /x: 213 ms, bound 200 ms");
	f.kind = TAILBOX__TRIGGER_ERROR_RATE;
	f.figure = 60000;
	f.bound = 50000;
	f.what[0] = '\0';
	ck_assert_str_eq(tailbox__firing_text(text, sizeof(text), &f),
	                 "error_rate: 6%, bound 5%");
	f.kind = TAILBOX__TRIGGER_CALL;
	f.figure = TAILBOX__NONE;
	snprintf(f.what, sizeof(f.what), "why");
	ck_assert_str_eq(tailbox__firing_text(text, sizeof(text), &f),
	                 "call why");
}
END_TEST

/* --- settings ------------------------------------------------------------ */

START_TEST(shares_and_routes_of_the_settings)
{
	static const struct {
		const char *text;
		uint64_t value;
		bool is_ppm;
	} rows[] = { { "5%", 50000, true },    { "0.5%", 5000, true },
		     { "100%", 1000000, true }, { "0.0001%", 1, true },
		     { "12", 12, false },      { "1", 1, false } };
	static const char *const bad[] = { "", "%", "0%", "0", "101%",
		                           "100.1%", "5 %", "-1", "5.%", "x",
		                           "0.00001%", "12345678901", "5%%" };
	uint64_t value, ms;
	bool is_ppm;
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert(tailbox__config_share(rows[i].text, &value, &is_ppm));
		ck_assert_uint_eq(value, rows[i].value);
		ck_assert(is_ppm == rows[i].is_ppm);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(!tailbox__config_share(bad[i], &value, &is_ppm),
		              "%s", bad[i]);
		ck_assert_uint_eq(value, 0);
	}
	ck_assert(tailbox__config_route_bound("GET /a 250ms", &len, &ms));
	ck_assert_uint_eq(len, 6);
	ck_assert_uint_eq(ms, 250);
	ck_assert(!tailbox__config_route_bound("/a", &len, &ms));
	ck_assert(!tailbox__config_route_bound(" 5ms", &len, &ms));
	ck_assert(!tailbox__config_route_bound("/a 0ms", &len, &ms));
	ck_assert(!tailbox__config_route_bound("/a 250", &len, &ms));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trigger");
	TCase *tc = tcase_create("trigger");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, without_settings_only_a_call_fires);
	tcase_add_test(tc, a_slow_request_at_its_bound);
	tcase_add_test(tc, an_open_request_fires_once_when_it_is_too_old);
	tcase_add_test(tc, a_hold_fires_once_when_it_is_too_long);
	tcase_add_test(tc, a_route_s_p99_at_its_bound);
	tcase_add_test(tc, too_few_requests_are_no_percentile);
	tcase_add_test(tc, what_is_over_ten_seconds_old_does_not_count);
	tcase_add_test(tc, a_p99_against_what_it_used_to_be);
	tcase_add_test(tc, a_factor_has_a_floor);
	tcase_add_test(tc, routes_are_bounded_and_those_that_are_named_have_a_place);
	tcase_add_test(tc, without_memory_the_rest_works);
	tcase_add_test(tc, an_error_rate_at_its_bound);
	tcase_add_test(tc, what_a_failure_is);
	tcase_add_test(tc, an_accept_queue_at_its_bound);
	tcase_add_test(tc, a_thousand_make_one_artifact_and_999_losers);
	tcase_add_test(tc, a_cooldown_ends_to_the_nanosecond);
	tcase_add_test(tc, where_nothing_was_made_nobody_was_covered);
	tcase_add_test(tc, the_list_holds_the_last_and_counts_all);
	tcase_add_test(tc, a_firing_as_text);
	tcase_add_test(tc, shares_and_routes_of_the_settings);
	suite_add_tcase(s, tc);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
