/* tests/test_assemble.c - from records to a run, one rule after the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/metrics.h"
#include "tests/assemble_fixture.h"

/* --- requests ---------------------------------------------------------- */

START_TEST(nothing_gives_a_run_with_nothing_but_its_metadata)
{
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 0);
	ck_assert_uint_eq(run->schema_version, 2);
	ck_assert_str_eq(text(run->meta.service_name), "test");
	ck_assert_str_eq(text(run->meta.service_version), "1.0");
	ck_assert_str_eq(text(run->meta.run_id), "test-generation-1");
	ck_assert_uint_eq(run->meta.pid, (uint32_t)getpid());
	ck_assert(run->meta.core.present);
	ck_assert_uint_eq(extra("armed_at_run_us"), 0);
	ck_assert_uint_eq(extra("sealed_at_run_us"), 1000000);
	ck_assert_uint_eq(extra("clock_hz"), 1000000000);
	ck_assert_uint_eq(extra("late_spans"), 0);
	ck_assert_uint_eq(extra("lost_blocks"), 0);
	ck_assert(run->meta.finalized_ms >= run->meta.started_ms);
	ck_assert(!run->truncation.limits_hit);
}
END_TEST

START_TEST(a_run_without_a_given_id_gets_a_random_uuid)
{
	fixture_config.run_id = NULL;
	const char *id = text(finish()->meta.run_id);

	ck_assert_uint_eq(strlen(id), 40);
	ck_assert(strncmp(id, "run-", 4) == 0);
	ck_assert(id[18] == '4' && strchr("89ab", id[23]) != NULL);
	ck_assert(id[12] == '-' && id[17] == '-' && id[22] == '-' &&
	          id[27] == '-');
}
END_TEST

START_TEST(times_of_a_request_follow_from_its_ticks)
{
	feed_request(7, 1500 * US + 999, 2500 * US + 1);
	const struct tailbox__run *run = finish();
	const struct tailbox__run_request *r = &run->requests.items[0];
	char id[80];

	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(r->start_us, 1500);
	ck_assert_uint_eq(r->end_us, 4001);
	ck_assert_uint_eq(r->latency_us, 2500);
	ck_assert_uint_eq(r->start_ms, run->meta.started_ms + 1);
	ck_assert_uint_eq(r->end_ms, run->meta.started_ms + 4);
	ck_assert_str_eq(text(r->route), "/items/{id}");
	ck_assert_str_eq(text(r->kind), "http");
	ck_assert_str_eq(text(r->outcome), "ok");
	snprintf(id, sizeof(id), "_items__id_-%llu-7",
	         (unsigned long long)r->start_ms);
	ck_assert_str_eq(text(r->id), id);
}
END_TEST

START_TEST(membership_goes_by_the_line)
{
	const uint64_t length = fixture_config.until_tick - T0;

	feed_request(1, (uint64_t)-1, 10 * US); /* one tick too early */
	feed_request(2, 0, 10 * US);
	feed_request(3, length - 1, 10 * US);
	feed_request(4, length, 10 * US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_uint_eq(run->ext.items[0].number, 2);
	ck_assert_uint_eq(run->ext.items[1].number, 3);
	ck_assert(!run->truncation.limits_hit);
}
END_TEST

START_TEST(the_first_lines_are_admitted_and_stand_in_finish_order)
{
	/* Lines 1, 2, 3, 4; the second ends last. Fed in another order. */
	fixture_config.limits.max_requests = 3;
	feed_request(14, 4 * US, US);
	feed_request(12, 2 * US, 90 * US);
	feed_request(11, 1 * US, 5 * US);
	feed_request(13, 3 * US, 1 * US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 3);
	ck_assert_uint_eq(run->ext.items[0].number, 13);
	ck_assert_uint_eq(run->ext.items[1].number, 11);
	ck_assert_uint_eq(run->ext.items[2].number, 12);
	ck_assert_uint_eq(run->truncation.dropped_requests, 1);
	ck_assert(run->truncation.limits_hit);
}
END_TEST

/* limit = 5 + _i - 1 against 5 requests, one of them open. */
START_TEST(request_limit_one_below_at_and_above)
{
	const uint64_t limit = (uint64_t)(5 + _i - 1);

	fixture_config.limits.max_requests = limit;
	feed_open(1, 0); /* the earliest: always admitted */
	for (uint64_t i = 2; i <= 5; i++)
		feed_request(i, i * US, US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->meta.unfinished_count, 1);
	ck_assert_uint_eq(run->requests.count, limit < 5 ? 3 : 4);
	ck_assert_uint_eq(run->truncation.dropped_requests, limit < 5);
	ck_assert_int_eq(run->truncation.limits_hit, limit < 5);
}
END_TEST

START_TEST(equal_lines_are_admitted_by_number)
{
	fixture_config.limits.max_requests = 2;
	feed_request(9, 5, US);
	feed_request(3, 5, US);
	feed_request(6, 5, US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->ext.items[0].number, 3);
	ck_assert_uint_eq(run->ext.items[1].number, 6);
}
END_TEST

START_TEST(a_number_that_is_fed_twice_counts_once)
{
	feed_request(3, 5, US);
	feed_request(3, 5, US);
	ck_assert_uint_eq(finish()->requests.count, 1);
}
END_TEST

START_TEST(what_the_caller_left_out_counts_as_dropped)
{
	tailbox__assembly_add_dropped(assembly(), 1, 2, 3, 4);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->truncation.dropped_requests, 1);
	ck_assert_uint_eq(run->truncation.dropped_stages, 2);
	ck_assert_uint_eq(run->truncation.dropped_queues, 3);
	ck_assert_uint_eq(run->truncation.dropped_inflight_snapshots, 4);
	ck_assert(run->truncation.limits_hit);
}
END_TEST

/* --- ids, outcomes, extensions ----------------------------------------- */

/* A request with what follows it, in one batch. */
struct long_request {
	struct tailbox__rec_request request;
	union {
		struct tailbox__rec_more more;
		struct tailbox__rec_trace trace;
		struct tailbox__rec_reader reader;
		struct tailbox__rec_id id;
	} rest[4];
};

static void feed_long(struct long_request *r, unsigned more)
{
	r->request.more = (uint8_t)more;
	feed(TAILBOX__BLOCK_REQUESTS, r, 64 * (1 + (size_t)more));
}

static void set_id(struct tailbox__rec_id *r, const char *id, size_t len)
{
	r->type = TAILBOX__REC_ID;
	r->len = (uint8_t)len;
	memcpy(r->text, id, len);
}

static void feed_with_id(uint64_t number, uint64_t at, const char *id)
{
	struct long_request r = { .request = request(number, at, US, "/x") };
	const size_t len = strlen(id);

	set_id(&r.rest[0].id, id, len < 56 ? len : 56);
	if (len > 56)
		set_id(&r.rest[1].id, id + 56, len - 56);
	feed_long(&r, len > 56 ? 2 : 1);
}

START_TEST(an_id_of_the_application_is_taken_unchanged)
{
	static const char longest[] = /* 96 bytes */
	        "0123456789012345678901234567890123456789012345678901234567890"
	        "12345678901234567890123456789\xc3\xa4\xc3\xb6\xc3\xbc";

	feed_with_id(1, 0, " order 7/8 ");
	feed_with_id(2, 1, longest);
	const struct tailbox__run *run = finish();

	ck_assert_str_eq(text(run->requests.items[0].id), " order 7/8 ");
	ck_assert_str_eq(text(run->requests.items[1].id), longest);
}
END_TEST

START_TEST(a_blank_id_is_no_id)
{
	feed_with_id(5, 0, " \t ");
	ck_assert(strncmp(text(finish()->requests.items[0].id), "_x-", 3) ==
	          0);
}
END_TEST

START_TEST(every_character_that_is_no_ascii_letter_or_digit_becomes_one_)
{
	const struct tailbox__rec_request r =
	        request(1, 0, US, "/\xc3\xa4/\xe2\x82\xac.Z9");

	feed(TAILBOX__BLOCK_REQUESTS, &r, sizeof(r));
	ck_assert(strncmp(text(finish()->requests.items[0].id), "_____Z9-",
	                  8) == 0);
}
END_TEST

START_TEST(a_request_without_a_route_is_other)
{
	struct tailbox__rec_request r = request(1, 0, US, "/");

	r.route = r.kind = 0;
	feed(TAILBOX__BLOCK_REQUESTS, &r, sizeof(r));
	const struct tailbox__run *run = finish();

	ck_assert_str_eq(text(run->requests.items[0].route), "{other}");
	ck_assert_uint_eq(run->requests.items[0].kind, 0);
}
END_TEST

START_TEST(finished_requests_with_one_id_are_removed_and_it_is_said)
{
	feed_with_id(1, 0, "same");
	feed_with_id(2, 10 * US, "same");
	feed_with_id(3, 20 * US, "other");
	feed_stage(1, 0, 500);
	feed_stage(3, 20 * US, 500);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(run->stages.count, 1);
	ck_assert_uint_eq(run->meta.warnings.count, 2);
	ck_assert_ptr_nonnull(strstr(text(run->meta.warnings.items[0]),
	                             "duplicate_completed_request_id"));
	ck_assert_ptr_nonnull(strstr(text(run->meta.warnings.items[1]),
	                             "ambiguous_parent_request_id"));
}
END_TEST

START_TEST(the_outcome_is_the_given_one_or_that_of_the_status)
{
	static const struct {
		unsigned status, term;
		const char *name, *outcome;
	} cases[] = {
		{ 200, TAILBOX__TERM_COMPLETED, NULL, "ok" },
		{ 404, TAILBOX__TERM_COMPLETED, NULL, "rejected" },
		{ 408, TAILBOX__TERM_COMPLETED, NULL, "timeout" },
		{ 503, TAILBOX__TERM_COMPLETED, NULL, "error" },
		{ 200, TAILBOX__TERM_TIMEOUT, NULL, "timeout" },
		{ 0, TAILBOX__TERM_CLIENT_ABORT, NULL, "cancelled" },
		{ 200, TAILBOX__TERM_CLIENT_ABORT, NULL, "ok" },
		{ 0, TAILBOX__TERM_WITH_ERROR, NULL, "error" },
		{ 200, TAILBOX__TERM_DAEMON_SHUTDOWN, NULL, "cancelled" },
		{ 500, TAILBOX__TERM_COMPLETED, "mine", "mine" },
		{ 200, 250, NULL, "ok" }, /* a termination from elsewhere */
	};
	const size_t count = sizeof(cases) / sizeof(cases[0]);

	for (size_t i = 0; i < count; i++) {
		struct tailbox__rec_request r =
		        request(i + 1, i * US, US, "/");
		r.status = (uint16_t)cases[i].status;
		r.termination = (uint8_t)cases[i].term;
		if (cases[i].name)
			r.outcome = tailbox__name_cstr(cases[i].name);
		feed(TAILBOX__BLOCK_REQUESTS, &r, sizeof(r));
	}
	const struct tailbox__run *run = finish();
	for (size_t i = 0; i < count; i++)
		ck_assert_str_eq(text(run->requests.items[i].outcome),
		                 cases[i].outcome);
}
END_TEST

START_TEST(extensions_carry_what_the_records_know)
{
	struct long_request r = { .request = request(9, US, 900, "/") };
	struct tailbox__rec_more *m = &r.rest[0].more;
	struct tailbox__rec_trace *t = &r.rest[1].trace;

	r.rest[2].reader.type = TAILBOX__REC_READER;
	r.rest[2].reader.ticks = 40;
	r.request.known = TAILBOX__KNOWN_HANDLER | TAILBOX__KNOWN_RESUME;
	r.request.handler = tailbox__pack(300);
	r.request.send = tailbox__pack(100); /* but not known */
	r.request.thread = 3;
	r.request.calls = 2;
	r.request.connection = 77;
	r.request.flags = TAILBOX__REQ_UPGRADED;
	m->type = TAILBOX__REC_MORE;
	m->bytes_in = 5;
	m->bytes_out = UINT64_MAX;
	m->resume = tailbox__pack(50);
	m->daemon = 2;
	m->tag_count = 1;
	m->tags[0] = tailbox__name_cstr("tenant") |
	             (uint32_t)tailbox__name_cstr("acme") << 16;
	t->type = TAILBOX__REC_TRACE;
	t->hi = 0x0102030405060708;
	t->lo = 0x090a0b0c0d0e0f10;
	t->parent = 0x1112131415161718;
	t->flags = 1;
	feed_long(&r, 3);
	const struct tailbox__run_ext *x = &finish()->ext.items[0];

	ck_assert_uint_eq(x->reader_ns, 40);
	ck_assert_uint_eq(x->number, 9);
	ck_assert_uint_eq(x->connection, 77);
	ck_assert_uint_eq(x->bytes_in, 5);
	ck_assert_uint_eq(x->bytes_out, TAILBOX__NONE);
	ck_assert_uint_eq(x->phase_ns[TAILBOX__PHASE_HANDLER], 300);
	ck_assert_uint_eq(x->phase_ns[TAILBOX__PHASE_RESUME], 50);
	ck_assert_uint_eq(x->phase_ns[TAILBOX__PHASE_SEND], TAILBOX__NONE);
	ck_assert_uint_eq(x->phase_ns[TAILBOX__PHASE_INGRESS], TAILBOX__NONE);
	ck_assert_uint_eq(x->worker, 3);
	ck_assert_uint_eq(x->handler_calls, 2);
	ck_assert_uint_eq(x->daemon, 2);
	ck_assert_uint_eq(x->ext_flags, TAILBOX__EXT_UPGRADED);
	ck_assert_str_eq(text(x->tag_key[0]), "tenant");
	ck_assert_str_eq(text(x->tag_value[0]), "acme");
	for (unsigned i = 0; i < 16; i++)
		ck_assert_uint_eq(x->trace_id[i], i + 1);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(x->parent_id[i], i + 0x11);
	ck_assert_uint_eq(x->trace_flags, 1);
}
END_TEST

/* --- stages and queues ------------------------------------------------- */

START_TEST(spans_join_their_request_and_stand_in_end_order)
{
	feed_stage(1, 6 * US, 2 * US); /* its request comes later */
	feed_stage(1, 1 * US, 3 * US);
	feed_wait(1, 0, 1 * US);
	feed_request(1, 0, 10 * US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->stages.count, 2);
	ck_assert_uint_eq(run->stages.items[0].end_us, 4);
	ck_assert_uint_eq(run->stages.items[1].end_us, 8);
	ck_assert_uint_eq(run->stages.items[1].dur_us, 2);
	ck_assert_uint_eq(run->stages.items[0].request,
	                  run->requests.items[0].id);
	ck_assert_uint_eq(run->queues.count, 1);
	ck_assert_str_eq(text(run->queues.items[0].name), "db_pool");
	ck_assert_uint_eq(run->queues.items[0].depth, TAILBOX__NONE);
}
END_TEST

START_TEST(spans_of_requests_that_are_not_in_are_ignored_in_silence)
{
	fixture_config.limits.max_requests = 1;
	feed_request(1, 0, 10 * US);
	feed_request(2, US, 10 * US); /* dropped */
	feed_open(3, 0);              /* dropped as well: number 3 */
	feed_stage(2, US, US);
	feed_stage(3, US, US);
	feed_stage(99, US, US); /* unheard of */
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->stages.count, 0);
	ck_assert_uint_eq(run->truncation.dropped_stages, 0);
	ck_assert_uint_eq(run->truncation.dropped_requests, 2);
	ck_assert_uint_eq(extra("late_spans"), 0);
}
END_TEST

START_TEST(spans_of_an_unfinished_request_are_left_out)
{
	feed_open(1, 0);
	feed_stage(1, US, US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->stages.count, 0);
	ck_assert_uint_eq(extra("late_spans"), 0);
}
END_TEST

/* Ends one tick before, with, and one tick after its request. */
START_TEST(a_span_that_ends_after_its_request_is_late)
{
	feed_request(1, 0, 1000);
	feed_stage(1, 500, (uint64_t)(500 + _i - 1));
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->stages.count, _i < 2);
	ck_assert_uint_eq(extra("late_spans"), _i == 2);
	ck_assert(!run->truncation.limits_hit);
}
END_TEST

START_TEST(a_span_that_begins_before_its_request_is_left_out_too)
{
	feed_request(1, 1000, 1000);
	feed_stage(1, 999, 10);
	finish();
	ck_assert_uint_eq(fixture_run->stages.count, 0);
	ck_assert_uint_eq(extra("late_spans"), 1);
}
END_TEST

START_TEST(late_spans_add_to_what_the_caller_knows)
{
	feed_request(1, 0, 1000);
	feed_stage(1, 500, 501);
	ck_assert_int_eq(tailbox__assembly_set_extra(assembly(), "late_spans",
	                                             NULL, 41), 0);
	finish();
	ck_assert_uint_eq(extra("late_spans"), 42);
}
END_TEST

START_TEST(partial_and_failed_spans_say_so)
{
	struct tailbox__rec_span s[4];

	feed_request(1, 0, 100 * US);
	s[0] = span(TAILBOX__SPAN_STAGE, 1, US, US, "a");
	s[1] = span(TAILBOX__SPAN_STAGE, 1, 2 * US, US, "a");
	s[1].flags = TAILBOX__SPAN_FAILED;
	s[2] = span(TAILBOX__SPAN_STAGE, 1, 3 * US, US, "a");
	s[2].flags = TAILBOX__SPAN_PARTIAL;
	s[3] = span(TAILBOX__SPAN_WAIT, 1, 4 * US, US, "b");
	s[3].flags = TAILBOX__SPAN_PARTIAL | TAILBOX__SPAN_FAILED;
	s[3].depth = 7;
	s[3].site = tailbox__name_cstr("shop.c:12 pay");
	feed(TAILBOX__BLOCK_SPANS, s, sizeof(s));
	const struct tailbox__run *run = finish();
	const uint32_t mask = TAILBOX__PARTIAL | TAILBOX__FAILED;

	ck_assert_uint_eq(run->stages.items[0].flags & mask, 0);
	ck_assert_uint_eq(run->stages.items[1].flags & mask, TAILBOX__FAILED);
	ck_assert_uint_eq(run->stages.items[2].flags & mask, mask);
	ck_assert_uint_eq(run->queues.items[0].flags & mask, TAILBOX__PARTIAL);
	ck_assert_uint_eq(run->queues.items[0].depth, 7);
	ck_assert_str_eq(text(run->queues.items[0].site), "shop.c:12 pay");
}
END_TEST

/* limit = 5 + _i - 1 against 5 stages and 5 waits. */
START_TEST(span_limits_one_below_at_and_above)
{
	const uint64_t limit = (uint64_t)(5 + _i - 1);

	fixture_config.limits.max_stages = limit;
	fixture_config.limits.max_queues = limit;
	feed_request(1, 0, 100 * US);
	for (uint64_t i = 5; i > 0; i--) {
		feed_stage(1, i * US, US);
		feed_wait(1, i * US, US);
	}
	const struct tailbox__run *run = finish();
	const size_t kept = limit < 5 ? 4 : 5;

	ck_assert_uint_eq(run->stages.count, kept);
	ck_assert_uint_eq(run->queues.count, kept);
	ck_assert_uint_eq(run->stages.items[kept - 1].end_us, kept + 1);
	ck_assert_uint_eq(run->truncation.dropped_stages, limit < 5);
	ck_assert_uint_eq(run->truncation.dropped_queues, limit < 5);
	ck_assert_int_eq(run->truncation.limits_hit, limit < 5);
}
END_TEST

START_TEST(an_ingress_wait_is_a_queue_event_with_its_holder)
{
	struct long_request r = { .request = request(2, 60 * MS, MS, "/") };
	struct tailbox__rec_more *m = &r.rest[0].more;

	m->type = TAILBOX__REC_MORE;
	m->ingress = tailbox__pack(50 * MS);
	m->bytes_out = UINT64_MAX;
	m->holder_number = 1;
	m->holder_ms = 55;
	m->holder_route = tailbox__name_cstr("/report");
	feed_long(&r, 1);
	const struct tailbox__run *run = finish();
	const struct tailbox__run_span *q = &run->queues.items[0];
	const struct tailbox__run_ext *x = &run->ext.items[0];

	ck_assert_uint_eq(run->queues.count, 1);
	ck_assert_str_eq(text(q->name), "mhd.ingress");
	ck_assert_uint_eq(q->start_us, 10000);
	ck_assert_uint_eq(q->end_us, 60000);
	ck_assert_uint_eq(q->dur_us, 50000);
	ck_assert_uint_eq(run->requests.items[0].start_us, 10000);
	ck_assert_uint_eq(run->requests.items[0].latency_us, 51000);
	ck_assert_uint_eq(x->phase_ns[TAILBOX__PHASE_INGRESS], 50 * MS);
	ck_assert_uint_eq(x->holder_number, 1);
	ck_assert_uint_eq(x->holder_ns, 55 * (uint64_t)MS);
	ck_assert_str_eq(text(x->holder_route), "/report");
}
END_TEST

START_TEST(zero_is_the_earliest_start_even_before_the_arming)
{
	struct long_request r = { .request = request(2, 5 * MS, MS, "/") };

	r.rest[0].more.type = TAILBOX__REC_MORE;
	r.rest[0].more.ingress = tailbox__pack(25 * MS);
	feed_long(&r, 1);
	feed_sample(1 * MS);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.items[0].start_us, 0);
	ck_assert_uint_eq(extra("armed_at_run_us"), 20000);
	ck_assert_uint_eq(extra("sealed_at_run_us"), 1020000);
	ck_assert_uint_eq(run->snapshots.items[0].at_us, 21000);
	ck_assert_uint_eq(run->snapshots.items[0].at_ms,
	                  run->meta.started_ms + 21);
}
END_TEST

/* --- gauges ------------------------------------------------------------ */

static void assert_gauge(size_t i, const char *gauge, uint64_t count,
                         uint64_t at_us)
{
	ck_assert_uint_lt(i, fixture_run->inflight.count);
	const struct tailbox__run_gauge *g = &fixture_run->inflight.items[i];

	ck_assert_str_eq(text(g->gauge), gauge);
	ck_assert_uint_eq(g->count, count);
	ck_assert_uint_eq(g->at_us, at_us);
}

START_TEST(gauges_count_the_moves_of_admitted_requests_in_tick_order)
{
	feed_request(1, 0, 100 * US);
	feed_open(2, 0);
	feed_down(1, 4 * US, "jobs"); /* fed first, happens last */
	feed_up(1, 1 * US, "jobs");
	feed_up(2, 2 * US, "jobs"); /* of an unfinished request: counts */
	feed_up(9, 2 * US, "jobs"); /* of nobody: does not */
	feed_down(2, 3 * US, "other"); /* never up */
	finish();
	ck_assert_uint_eq(fixture_run->inflight.count, 3);
	assert_gauge(0, "jobs", 1, 1);
	assert_gauge(1, "jobs", 2, 2);
	assert_gauge(2, "jobs", 1, 4);
}
END_TEST

START_TEST(a_gauge_that_falls_to_zero_closes_with_zero_and_may_begin_anew)
{
	feed_request(1, 0, 100 * US);
	feed_up(1, 1 * US, "jobs");
	feed_down(1, 2 * US, "jobs");
	feed_down(1, 3 * US, "jobs"); /* at 0: ignored */
	feed_up(1, 4 * US, "jobs");
	finish();
	ck_assert_uint_eq(fixture_run->inflight.count, 3);
	assert_gauge(1, "jobs", 0, 2);
	assert_gauge(2, "jobs", 1, 4);
}
END_TEST

START_TEST(a_full_section_drops_snapshots_but_keeps_the_value)
{
	fixture_config.limits.max_inflight_snapshots = 2;
	feed_request(1, 0, 100 * US);
	for (uint64_t i = 1; i <= 3; i++)
		feed_up(1, i * US, "jobs");
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->inflight.count, 2);
	ck_assert_uint_eq(run->truncation.dropped_inflight_snapshots, 1);
	ck_assert(run->truncation.limits_hit);
}
END_TEST

START_TEST(a_label_over_the_limit_is_refused_and_its_way_down_too)
{
	fixture_config.limits.max_inflight_snapshots = 1;
	feed_request(1, 0, 100 * US);
	feed_request(2, 0, 100 * US);
	feed_up(1, 1 * US, "a");   /* live: a */
	feed_up(2, 2 * US, "b");   /* refused */
	feed_down(1, 3 * US, "a"); /* live: none; the section is full */
	feed_up(1, 4 * US, "b");   /* live: b */
	feed_down(2, 5 * US, "b"); /* of the refused guard: nothing */
	feed_up(2, 6 * US, "a");   /* refused: b is live still */
	feed_down(1, 7 * US, "b"); /* of the live one: no room for it */
	const struct tailbox__run *run = finish();

	assert_gauge(0, "a", 1, 1);
	/* b at 2, a at 3, b at 4, a at 6, b at 7; had the move at 5 counted,
	 * it would have been dropped too, and the one at 6 not be refused. */
	ck_assert_uint_eq(run->truncation.dropped_inflight_snapshots, 5);
}
END_TEST

START_TEST(with_no_room_for_gauges_every_way_up_is_a_drop)
{
	fixture_config.limits.max_inflight_snapshots = 0;
	feed_request(1, 0, 100 * US);
	feed_up(1, 1 * US, "a");
	feed_down(1, 2 * US, "a");
	feed_up(1, 3 * US, "b");
	ck_assert_uint_eq(finish()->truncation.dropped_inflight_snapshots, 2);
}
END_TEST

/* --- samples ----------------------------------------------------------- */

START_TEST(samples_of_the_window_in_tick_order)
{
	const uint64_t length = fixture_config.until_tick - T0;

	feed_sample(3 * US);
	feed_sample(length);
	feed_sample(length - 1);
	feed_sample((uint64_t)-1);
	feed_sample(0);
	const struct tailbox__run *run = finish();
	const struct tailbox__run_snapshot *s = run->snapshots.items;

	ck_assert_uint_eq(run->snapshots.count, 3);
	ck_assert_uint_eq(s[0].at_us, 0);
	ck_assert_uint_eq(s[1].at_us, 3);
	ck_assert_uint_eq(s[1].alive_tasks, 3 * US);
	ck_assert_uint_eq(s[1].global_queue_depth, TAILBOX__NONE);
	ck_assert_uint_eq(s[1].worker_count, 4);
	ck_assert(s[1].flags & TAILBOX__HAS_WORKERS);
}
END_TEST

START_TEST(the_samplers_own_retention_is_no_truncation)
{
	fixture_config.sampler = (struct tailbox__run_sampler_config){
		.present = true, .cadence_ms = 500, .retention = 2
	};
	for (uint64_t i = 0; i < 5; i++)
		feed_sample(i);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->snapshots.count, 2);
	ck_assert(!run->truncation.limits_hit);
	ck_assert_uint_eq(run->meta.sampler.retention, 2);
}
END_TEST

START_TEST(sample_limit_one_below_at_and_above)
{
	const uint64_t limit = (uint64_t)(5 + _i - 1);

	fixture_config.limits.max_runtime_snapshots = limit;
	for (uint64_t i = 0; i < 5; i++)
		feed_sample(i);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->snapshots.count, limit < 5 ? 4 : 5);
	ck_assert_uint_eq(run->truncation.dropped_runtime_snapshots,
	                  limit < 5);
}
END_TEST

START_TEST(values_stand_by_scope_and_subject_with_names_as_texts)
{
	const uint16_t pool = tailbox__name_cstr("db");
	struct {
		struct tailbox__rec_sample sample;
		struct tailbox__rec_values values[2];
	} r = {
		.sample = { .type = TAILBOX__REC_SAMPLE, .more = 2,
		            .tick = T0, .worker_count = 0 },
		.values = {
			{ .type = TAILBOX__REC_VALUES, .count = 4,
			  .of = { { TAILBOX__METRIC_POOL_BUSY, pool },
			          { TAILBOX__METRIC_WORKER_ROUTE, 1 },
			          { TAILBOX__METRIC_WORKER_CPU_US, 0 },
			          { 9999, 0 } },
			  .value = { 3, tailbox__name_cstr("/report"), 11,
			             1 } },
			{ .type = TAILBOX__REC_VALUES, .count = 2,
			  .of = { { TAILBOX__METRIC_RSS_BYTES, 0 },
			          { TAILBOX__METRIC_OPEN_FDS, 0 } },
			  .value = { 4096, UINT64_MAX } },
		},
	};

	feed(TAILBOX__BLOCK_SAMPLES, &r, sizeof(r));
	const struct tailbox__run *run = finish();
	const struct tailbox__run_value *v = run->values.items;

	ck_assert_uint_eq(run->values.count, 4);
	ck_assert_uint_eq(v[0].metric, TAILBOX__METRIC_RSS_BYTES);
	ck_assert_uint_eq(v[1].metric, TAILBOX__METRIC_WORKER_CPU_US);
	ck_assert_uint_eq(v[1].value, 11);
	ck_assert_uint_eq(v[2].metric, TAILBOX__METRIC_WORKER_ROUTE);
	ck_assert_str_eq(text((tailbox__str)v[2].value), "/report");
	ck_assert_uint_eq(v[3].metric, TAILBOX__METRIC_POOL_BUSY);
	ck_assert_str_eq(text(v[3].subject), "db");
	/* A count of 0 workers would be a finding of the validation. */
	ck_assert(!(run->snapshots.items[0].flags & TAILBOX__HAS_WORKERS));
	ck_assert_uint_eq(run->meta.warnings.count, 0);
}
END_TEST

/* --- the seal ---------------------------------------------------------- */

START_TEST(a_seal_ends_the_window_at_the_first_request_too_many)
{
	fixture_config.seal_on_limits = true;
	fixture_config.limits.max_requests = 2;
	feed_request(1, 1 * US, 50 * US); /* in flight at the seal: in */
	feed_request(2, 2 * US, US);
	feed_request(3, 4 * US, US); /* the overflow */
	feed_request(4, 5 * US, US); /* found it closed */
	feed_sample(4 * US);
	feed_sample(4 * US + 1);
	feed_stage(1, 30 * US, US); /* after the seal, but of the window */
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_uint_eq(run->truncation.dropped_requests, 1);
	ck_assert_uint_eq(run->snapshots.count, 1);
	ck_assert_uint_eq(run->stages.count, 1);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_AUTO_SEAL);
	ck_assert_uint_eq(extra("sealed_at_run_us"), 4);
}
END_TEST

/* 0: stages, 1: queues, 2: gauges, 3: samples. */
START_TEST(the_overflow_of_any_section_seals)
{
	fixture_config.seal_on_limits = true;
	fixture_config.limits.max_stages = 1;
	fixture_config.limits.max_queues = 1;
	fixture_config.limits.max_inflight_snapshots = 1;
	fixture_config.limits.max_runtime_snapshots = 1;
	feed_request(1, 0, 50 * US);
	feed_request(2, 3 * US, US); /* began before the seal */
	feed_request(3, 4 * US + 1, US);
	feed_request(4, 90 * US, US);
	for (uint64_t i = 2; i <= 4; i += 2) {
		if (_i == 0)
			feed_stage(1, i * US - US, US);
		if (_i == 1)
			feed_wait(1, i * US - US, US);
		if (_i == 2)
			feed_up(1, i * US, "jobs");
		if (_i == 3)
			feed_sample(i * US);
	}
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_uint_eq(run->truncation.dropped_requests, 0);
	ck_assert(run->truncation.limits_hit);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_AUTO_SEAL);
	ck_assert_uint_eq(extra("sealed_at_run_us"), 4);
}
END_TEST

START_TEST(after_a_seal_nobody_counts_what_found_it_closed)
{
	fixture_config.seal_on_limits = true;
	fixture_config.limits.max_requests = 1;
	feed_request(1, US, US);
	feed_request(2, 2 * US, US);
	tailbox__assembly_add_dropped(assembly(), 100, 0, 0, 0);
	ck_assert_uint_eq(finish()->truncation.dropped_requests, 1);
}
END_TEST

START_TEST(without_an_overflow_nothing_seals)
{
	fixture_config.seal_on_limits = true;
	fixture_config.limits.max_requests = 2;
	feed_request(1, US, US);
	feed_request(2, US, US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 2);
	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_MANUAL_DISARM);
	ck_assert_uint_eq(extra("sealed_at_run_us"), 1000000);
}
END_TEST

START_TEST(an_overflow_while_draining_comes_too_late_to_seal)
{
	const uint64_t length = fixture_config.until_tick - T0;

	fixture_config.seal_on_limits = true;
	fixture_config.limits.max_stages = 0;
	feed_request(1, 0, 2 * length);
	feed_stage(1, length, US);
	const struct tailbox__run *run = finish();

	ck_assert_int_eq(run->meta.end_reason, TAILBOX__END_MANUAL_DISARM);
	ck_assert_uint_eq(run->truncation.dropped_stages, 1);
}
END_TEST

/* --- unfinished requests ----------------------------------------------- */

START_TEST(unfinished_requests_are_counted_sampled_and_listed)
{
	for (uint64_t i = 7; i > 0; i--)
		feed_open(i, i * US);
	const struct tailbox__run *run = finish();
	const struct tailbox__run_meta *m = &run->meta;

	ck_assert_uint_eq(m->unfinished_count, 7);
	ck_assert_uint_eq(m->unfinished.count, 5);
	ck_assert_uint_eq(run->open.count, 7);
	for (size_t i = 0; i < 7; i++)
		ck_assert_uint_eq(run->open.items[i].number, i + 1);
	ck_assert_uint_eq(m->unfinished.items[4].id, run->open.items[4].id);
	ck_assert_str_eq(text(m->unfinished.items[0].route), "/report");
	ck_assert_uint_eq(m->warnings.count, 1);
	ck_assert_ptr_nonnull(
	        strstr(text(m->warnings.items[0]), "7 requests"));
}
END_TEST

START_TEST(an_open_request_tells_where_it_is)
{
	struct tailbox__slot s = open_slot(4, 3 * US, "/report");
	const uint64_t id[2] = { 0x4142434445464748, 0x49 };

	TAILBOX__SET(s.phase, TAILBOX__PHASE_HANDLER);
	TAILBOX__SET(s.where_kind, TAILBOX_SPAN_STAGE);
	TAILBOX__SET(s.where, tailbox__name_cstr("sum") |
	                              (uint32_t)tailbox__name_cstr("r.c:9 f")
	                                      << 16);
	TAILBOX__SET(s.where_since, T0 + 9 * US);
	TAILBOX__SET(s.ingress, 2 * US);
	TAILBOX__SET(s.known, TAILBOX__KNOWN_INGRESS);
	TAILBOX__SET(s.connection, 5);
	TAILBOX__SET(s.flags, TAILBOX__REQ_HAS_ID);
	TAILBOX__SET(s.id_text[0], id[0]);
	TAILBOX__SET(s.id_text[1], id[1]);
	TAILBOX__SET(s.id_len, 9);
	ck_assert_int_eq(tailbox__assembly_add_open(assembly(), &s, 1), 0);
	const struct tailbox__run_open *o = &finish()->open.items[0];

	ck_assert_uint_eq(o->start_us, 1);
	ck_assert_uint_eq(o->since_us, 9);
	ck_assert_uint_eq(o->phase, TAILBOX__PHASE_HANDLER);
	ck_assert_str_eq(text(o->where), "sum");
	ck_assert_str_eq(text(o->site), "r.c:9 f");
	ck_assert_uint_eq(o->connection, 5);
	ck_assert_str_eq(text(o->id), "HGFEDCBAI");
}
END_TEST

START_TEST(an_open_request_with_a_record_is_finished)
{
	feed_open(1, 5);
	feed_request(1, 5, US);
	const struct tailbox__run *run = finish();

	ck_assert_uint_eq(run->requests.count, 1);
	ck_assert_uint_eq(run->meta.unfinished_count, 0);
	ck_assert_uint_eq(run->meta.warnings.count, 0);
}
END_TEST

START_TEST(slots_that_are_no_open_request_of_the_window_are_passed_over)
{
	struct tailbox__slot s[4] = {
		open_slot(1, 0, "/"),
		open_slot(2, 0, "/"),
		open_slot(3, fixture_config.until_tick - T0, "/"),
		open_slot(4, (uint64_t)-1, "/"),
	};

	TAILBOX__SET(s[0].state, TAILBOX__SLOT_IDLE);
	TAILBOX__SET(s[1].flags, TAILBOX__REQ_DISCARD);
	ck_assert_int_eq(tailbox__assembly_add_open(assembly(), s, 4), 0);
	ck_assert_uint_eq(finish()->meta.unfinished_count, 0);
}
END_TEST

START_TEST(strict_lifecycle_refuses_while_a_request_is_open_and_can_go_on)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	fixture_config.strict_lifecycle = true;
	feed_open(1, 5);
	ck_assert_int_eq(tailbox__assembly_finish(assembly(), &fixture_run,
	                                          &err),
	                 -TAILBOX_ESTATE);
	ck_assert_ptr_null(fixture_run);
	ck_assert_ptr_nonnull(strstr(err.text, "1 requests"));
	feed_request(1, 5, US);
	ck_assert_uint_eq(finish()->requests.count, 1);
	ck_assert(fixture_run->meta.core.strict_lifecycle);
}
END_TEST

START_TEST(a_live_run_is_not_finalized)
{
	fixture_config.is_live = true;
	feed_open(1, 5);
	ck_assert_uint_eq(finish()->meta.finalized_ms, TAILBOX__NONE);
}
END_TEST

START_TEST(facts_of_the_caller_win_over_those_of_the_tape)
{
	fixture_config.note = "before the fix";
	fixture_config.end_detail = "duration";
	ck_assert_int_eq(tailbox__assembly_set_extra(assembly(), "lost_names",
	                                             NULL, 3), 0);
	ck_assert_int_eq(tailbox__assembly_set_extra(assembly(), "daemons",
	                                             "1 pool 2", 0), 0);
	finish();
	ck_assert_uint_eq(extra("lost_names"), 3);
	ck_assert_str_eq(
	        text(tailbox__run_extra(fixture_run, "daemons")->text),
	        "1 pool 2");
	ck_assert_str_eq(text(tailbox__run_extra(fixture_run, "note")->text),
	                 "before the fix");
	ck_assert_str_eq(
	        text(tailbox__run_extra(fixture_run, "end_detail")->text),
	        "duration");
}
END_TEST

START_TEST(a_finished_assembly_cannot_be_finished_again)
{
	struct tailbox__run *run;

	finish();
	ck_assert_int_eq(tailbox__assembly_finish(assembly(), &run, NULL),
	                 -TAILBOX_ESTATE);
	ck_assert_ptr_null(run);
}
END_TEST

static Suite *assemble_suite(void)
{
	Suite *s = suite_create("assemble");
	TCase *t = tcase_create("rules");

	tcase_add_checked_fixture(t, assemble_open, assemble_close);
	tcase_add_test(t, nothing_gives_a_run_with_nothing_but_its_metadata);
	tcase_add_test(t, a_run_without_a_given_id_gets_a_random_uuid);
	tcase_add_test(t, times_of_a_request_follow_from_its_ticks);
	tcase_add_test(t, membership_goes_by_the_line);
	tcase_add_test(
	        t, the_first_lines_are_admitted_and_stand_in_finish_order);
	tcase_add_loop_test(t, request_limit_one_below_at_and_above, 0, 3);
	tcase_add_test(t, equal_lines_are_admitted_by_number);
	tcase_add_test(t, a_number_that_is_fed_twice_counts_once);
	tcase_add_test(t, what_the_caller_left_out_counts_as_dropped);
	tcase_add_test(t, an_id_of_the_application_is_taken_unchanged);
	tcase_add_test(t, a_blank_id_is_no_id);
	tcase_add_test(
	        t,
	        every_character_that_is_no_ascii_letter_or_digit_becomes_one_);
	tcase_add_test(t, a_request_without_a_route_is_other);
	tcase_add_test(
	        t, finished_requests_with_one_id_are_removed_and_it_is_said);
	tcase_add_test(t, the_outcome_is_the_given_one_or_that_of_the_status);
	tcase_add_test(t, extensions_carry_what_the_records_know);
	tcase_add_test(t, spans_join_their_request_and_stand_in_end_order);
	tcase_add_test(
	        t, spans_of_requests_that_are_not_in_are_ignored_in_silence);
	tcase_add_test(t, spans_of_an_unfinished_request_are_left_out);
	tcase_add_loop_test(t, a_span_that_ends_after_its_request_is_late, 0,
	                    3);
	tcase_add_test(t,
	               a_span_that_begins_before_its_request_is_left_out_too);
	tcase_add_test(t, late_spans_add_to_what_the_caller_knows);
	tcase_add_test(t, partial_and_failed_spans_say_so);
	tcase_add_loop_test(t, span_limits_one_below_at_and_above, 0, 3);
	tcase_add_test(t, an_ingress_wait_is_a_queue_event_with_its_holder);
	tcase_add_test(t, zero_is_the_earliest_start_even_before_the_arming);
	tcase_add_test(
	        t, gauges_count_the_moves_of_admitted_requests_in_tick_order);
	tcase_add_test(
	        t,
	        a_gauge_that_falls_to_zero_closes_with_zero_and_may_begin_anew);
	tcase_add_test(t, a_full_section_drops_snapshots_but_keeps_the_value);
	tcase_add_test(
	        t, a_label_over_the_limit_is_refused_and_its_way_down_too);
	tcase_add_test(t, with_no_room_for_gauges_every_way_up_is_a_drop);
	tcase_add_test(t, samples_of_the_window_in_tick_order);
	tcase_add_test(t, the_samplers_own_retention_is_no_truncation);
	tcase_add_loop_test(t, sample_limit_one_below_at_and_above, 0, 3);
	tcase_add_test(
	        t, values_stand_by_scope_and_subject_with_names_as_texts);
	tcase_add_test(t, a_seal_ends_the_window_at_the_first_request_too_many);
	tcase_add_loop_test(t, the_overflow_of_any_section_seals, 0, 4);
	tcase_add_test(t, after_a_seal_nobody_counts_what_found_it_closed);
	tcase_add_test(t, without_an_overflow_nothing_seals);
	tcase_add_test(t, an_overflow_while_draining_comes_too_late_to_seal);
	tcase_add_test(t, unfinished_requests_are_counted_sampled_and_listed);
	tcase_add_test(t, an_open_request_tells_where_it_is);
	tcase_add_test(t, an_open_request_with_a_record_is_finished);
	tcase_add_test(
	        t,
	        slots_that_are_no_open_request_of_the_window_are_passed_over);
	tcase_add_test(
	        t,
	        strict_lifecycle_refuses_while_a_request_is_open_and_can_go_on);
	tcase_add_test(t, a_live_run_is_not_finalized);
	tcase_add_test(t, facts_of_the_caller_win_over_those_of_the_tape);
	tcase_add_test(t, a_finished_assembly_cannot_be_finished_again);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(assemble_suite());

	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
