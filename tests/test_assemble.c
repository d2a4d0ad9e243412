/* tests/test_assemble.c - from records to a run: which requests are in it,
 * and what it says of each.
 *
 * SPDX-License-Identifier: MIT
 */
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

int main(void)
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
	suite_add_tcase(s, t);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
