/* tests/test_anatomy.c - where the time of slow requests goes.
 *
 * SPDX-License-Identifier: MIT
 *
 * Expected sums are counted by hand from intervals that are written here.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/analyze_fixture.h"

static const struct tailbox__piece *piece(enum tailbox__piece_kind kind,
                                          const char *name)
{
	for (size_t i = 0; i < rep.anatomy.count; i++) {
		const struct tailbox__piece *p = &rep.anatomy.pieces[i];

		if (p->kind == kind &&
		    strcmp(kind == TAILBOX__PIECE_PHASE
		                   ? tailbox__phase_names[p->phase]
		                   : tailbox__run_text(run, p->name, NULL),
		           name) == 0)
			return p;
	}
	return NULL;
}

static uint64_t tail_of(enum tailbox__piece_kind kind, const char *name)
{
	const struct tailbox__piece *p = piece(kind, name);

	return p ? p->tail_us : 0;
}

static uint64_t wait_tail(const char *name)
{
	return tail_of(TAILBOX__PIECE_WAIT, name);
}

static uint64_t stage_tail(const char *name)
{
	return tail_of(TAILBOX__PIECE_STAGE, name);
}

/* Phases of a request, in us; NONE where it is not known. */
static struct tailbox__run_ext *add_phases(uint32_t request, uint64_t ingress,
                                           uint64_t handler, uint64_t send)
{
	struct tailbox__run_ext *x = tailbox__list_add(&run->ext);

	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++)
		x->phase_ns[i] = TAILBOX__NONE;
	x->phase_ns[TAILBOX__PHASE_INGRESS] = ingress * 1000;
	x->phase_ns[TAILBOX__PHASE_HANDLER] = handler * 1000;
	x->phase_ns[TAILBOX__PHASE_SEND] = send * 1000;
	x->worker = UINT32_MAX;
	x->reader_ns = TAILBOX__NONE;
	run->requests.items[request].ext = (uint32_t)run->ext.count;
	return x;
}

/* 100 quick requests of 100 us and a slow one; its index. */
static uint32_t one_slow(uint64_t latency_us)
{
	for (unsigned i = 0; i < 100; i++)
		add_request("/quick", i * 1000u, 100);
	return add_request("/slow", 200000, latency_us);
}

START_TEST(groups_are_above_p99_and_p40_to_p60)
{
	for (unsigned i = 1; i <= 1000; i++)
		add_request("/r", i * 10000u, i);
	analyze();
	/* p99 is the item at ceil(999 * 99 / 100) = 990, latency 991. */
	ck_assert_uint_eq(rep.anatomy.tail_count, 9);
	ck_assert_uint_eq(rep.anatomy.tail_us, 9 * 996);
	/* p40 at 400, p60 at 600: latencies 401 to 601. */
	ck_assert_uint_eq(rep.anatomy.typical_count, 201);
	ck_assert_uint_eq(rep.anatomy.typical_us, 201 * 501);
	ck_assert_uint_eq(rep.anatomy.tail_left_us, rep.anatomy.tail_us);
	ck_assert_uint_eq(rep.anatomy.count, 0);
}
END_TEST

START_TEST(where_none_is_above_p99_those_at_it_are_the_slowest)
{
	add_requests(10);
	analyze();
	ck_assert_uint_eq(rep.anatomy.tail_count, 10);
	ck_assert_uint_eq(rep.anatomy.typical_count, 10);
	again();
	analyze(); /* none at all */
	ck_assert_uint_eq(rep.anatomy.tail_count, 0);
	again();
	add_request("/one", 0, 0);
	analyze();
	ck_assert_uint_eq(rep.anatomy.tail_count, 1);
	ck_assert_uint_eq(rep.anatomy.tail_us, 0);
}
END_TEST

START_TEST(each_instant_belongs_to_what_began_last)
{
	const uint32_t r = one_slow(1000);

	/* outer 100-900 holds inner 200-400, which holds a wait 250-300;
	 * a second inner 350-500 overlaps the first one's end. */
	add_stage(r, "outer", 100, 900);
	add_stage(r, "inner", 200, 400);
	add_queue(r, 250, 300, 0);
	add_stage(r, "late", 350, 500);
	analyze();
	ck_assert_uint_eq(wait_tail("pool"), 50);
	ck_assert_uint_eq(stage_tail("inner"), 50 + 50); /* 200-250, 300-350 */
	ck_assert_uint_eq(stage_tail("late"), 150);      /* 350-500 */
	ck_assert_uint_eq(stage_tail("outer"), 100 + 400);
	ck_assert_uint_eq(rep.anatomy.tail_left_us, 200);
	ck_assert_uint_eq(rep.anatomy.tail_us, 1000);
	ck_assert_uint_eq(rep.anatomy.approximate_events, 0);
}
END_TEST

START_TEST(what_begins_together_is_nested_by_length)
{
	const uint32_t r = one_slow(1000);

	add_stage(r, "short", 0, 10);
	add_stage(r, "long", 0, 100);
	add_stage(r, "none", 50, 50); /* covers nothing */
	add_stage(r, "next", 100, 130); /* touches: not nested */
	add_queue(r, 130, 140, 0);
	analyze();
	ck_assert_uint_eq(stage_tail("short"), 10);
	ck_assert_uint_eq(stage_tail("long"), 90);
	ck_assert_uint_eq(stage_tail("next"), 30);
	ck_assert_ptr_null(piece(TAILBOX__PIECE_STAGE, "none"));
	ck_assert_uint_eq(wait_tail("pool"), 10);
	ck_assert_uint_eq(rep.anatomy.tail_left_us, 1000 - 140);
}
END_TEST

START_TEST(events_are_taken_off_the_handler_and_then_further)
{
	const uint32_t r = one_slow(1000);

	add_phases(r, 300, 400, 250);
	add_stage(r, "db", 300, 600); /* in the handler: 100 are left of it */
	analyze();
	ck_assert_uint_eq(stage_tail("db"), 300);
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_PHASE, "handler"), 100);
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_PHASE, "ingress_wait"), 300);
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_PHASE, "send"), 250);
	ck_assert_uint_eq(rep.anatomy.tail_left_us, 50);
	again();
	const uint32_t q = one_slow(1000);
	add_phases(q, 300, 400, 250);
	add_stage(q, "db", 300, 800); /* 100 more than the handler: of send */
	analyze();
	ck_assert_ptr_null(piece(TAILBOX__PIECE_PHASE, "handler"));
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_PHASE, "send"), 150);
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_PHASE, "ingress_wait"), 300);
	ck_assert_uint_eq(rep.anatomy.tail_left_us, 50);
}
END_TEST

START_TEST(the_content_reader_is_taken_off_sending)
{
	const uint32_t r = one_slow(1000);

	add_phases(r, 300, 400, 250)->reader_ns = 200000;
	analyze();
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_PHASE, "send"), 50);
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_READER, ""), 200);
	ck_assert_uint_eq(rep.anatomy.tail_left_us, 50);
	again();
	/* It says more than there is: no more than the phase is it. */
	const uint32_t q = one_slow(1000);
	add_phases(q, 300, 400, 250)->reader_ns = 900000;
	analyze();
	ck_assert_ptr_null(piece(TAILBOX__PIECE_PHASE, "send"));
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_READER, ""), 250);
	ck_assert_uint_eq(rep.anatomy.tail_left_us, 50);
}
END_TEST

START_TEST(the_ingress_wait_counts_once)
{
	const uint32_t r = one_slow(1000);
	struct tailbox__run_span *q = add_queue(r, 0, 300, 0);

	q->name = tailbox__run_cstr(run, "mhd.ingress");
	analyze();
	ck_assert_uint_eq(wait_tail("mhd.ingress"), 300); /* no phases */
	again();
	const uint32_t p = one_slow(1000);
	q = add_queue(p, 0, 300, 0);
	q->name = tailbox__run_cstr(run, "mhd.ingress");
	add_phases(p, 300, 700, 0);
	analyze();
	ck_assert_uint_eq(wait_tail("mhd.ingress"), 0);
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_PHASE, "ingress_wait"), 300);
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_PHASE, "handler"), 700);
	ck_assert_uint_eq(rep.anatomy.tail_left_us, 0);
}
END_TEST

START_TEST(parts_never_exceed_the_latency)
{
	const uint32_t r = one_slow(1000);
	struct tailbox__run_span *s;

	s = add_stage(r, "a", 0, 800);
	s->flags = 0; /* no intervals: one after the other */
	s = add_stage(r, "b", 0, 800);
	s->flags = 0;
	add_phases(r, 500, 5000, 5000); /* rounded up beyond it, and more */
	analyze();
	ck_assert_uint_eq(stage_tail("a"), 800);
	ck_assert_uint_eq(stage_tail("b"), 200);
	ck_assert_uint_eq(rep.anatomy.tail_left_us, 0);
	ck_assert_uint_eq(tail_of(TAILBOX__PIECE_PHASE, "handler"), 0);
	ck_assert_uint_eq(rep.anatomy.approximate_events, 2);
}
END_TEST

START_TEST(the_largest_part_of_the_slowest_comes_first)
{
	const uint32_t r = one_slow(1000);

	add_stage(r, "small", 0, 100);
	add_stage(r, "large", 100, 700);
	add_queue(r, 700, 900, 0);
	analyze();
	ck_assert_uint_eq(rep.anatomy.count, 3);
	ck_assert_str_eq(tailbox__run_text(run, rep.anatomy.pieces[0].name,
	                                   NULL), "large");
	ck_assert_int_eq(rep.anatomy.pieces[1].kind, TAILBOX__PIECE_WAIT);
}
END_TEST

/* A slow sum by instants against the sweep. */
START_TEST(random_events_agree_with_instants)
{
	uint64_t state = 7;

	for (int round = 0; round < 200; round++) {
		uint64_t covered = 0, sum = 0;
		bool is_in[500] = { false };
		const uint32_t r = one_slow(500);

		for (unsigned i = below(&state, 12); i > 0; i--) {
			const uint64_t from = below(&state, 500);
			const uint64_t to = from + below(&state, 500 - from);
			if (below(&state, 2))
				add_stage(r, below(&state, 2) ? "x" : "y", from,
				          to);
			else
				add_queue(r, from, to, 0);
			for (uint64_t t = from; t < to; t++)
				is_in[t] = true;
		}
		for (unsigned t = 0; t < 500; t++)
			covered += is_in[t];
		analyze();
		for (size_t i = 0; i < rep.anatomy.count; i++)
			sum += rep.anatomy.pieces[i].tail_us;
		ck_assert_uint_eq(sum, covered);
		ck_assert_uint_eq(rep.anatomy.tail_left_us, 500 - covered);
		again();
	}
}
END_TEST

static char *text_of(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	tailbox__anatomy_text(&rep.anatomy, run, 2, f);
	fclose(f);
	return text;
}

START_TEST(text_shows_what_counts)
{
	const uint32_t r = one_slow(1000000);
	char *text;

	analyze();
	text = text_of();
	ck_assert_ptr_nonnull(strstr(text, "unexplained"));
	ck_assert_ptr_nonnull(strstr(text, "100%    1.00 s   0.10 ms"));
	free(text);
	add_stage(r, "a\x1b[2Jb", 0, 500000);
	add_stage(r, "second", 500000, 700000);
	add_stage(r, "third", 700000, 900000);
	add_stage(r, "tiny", 900000, 904000);
	analyze();
	text = text_of();
	ck_assert_ptr_nonnull(strstr(text, "stage a\\x1b[2Jb"));
	ck_assert_ptr_nonnull(strstr(text, " 50%  500.0 ms"));
	ck_assert_ptr_nonnull(strstr(text, "the rest"));
	ck_assert_ptr_null(strstr(text, "third"));
	for (const char *line = text; *line;) {
		const size_t n = strcspn(line, "\n");
		ck_assert_uint_le(n, 80);
		line += n + (line[n] == '\n');
	}
	free(text);
}
END_TEST

START_TEST(compat_leaves_it_out)
{
	struct tailbox__json j;
	char *text;

	one_slow(1000);
	for (int compat = 0; compat < 2; compat++) {
		analyze();
		rep.is_compat = compat;
		tailbox__json_init(&j, true);
		ck_assert_int_eq(tailbox__report_json(&rep, run, &o, &j), 0);
		text = tailbox__json_take(&j, NULL);
		ck_assert_int_eq(strstr(text, "tail_anatomy") == NULL, compat);
		tailbox__free(text);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("anatomy");
	TCase *t = tcase_create("anatomy");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, groups_are_above_p99_and_p40_to_p60);
	tcase_add_test(t, where_none_is_above_p99_those_at_it_are_the_slowest);
	tcase_add_test(t, each_instant_belongs_to_what_began_last);
	tcase_add_test(t, what_begins_together_is_nested_by_length);
	tcase_add_test(t, events_are_taken_off_the_handler_and_then_further);
	tcase_add_test(t, the_content_reader_is_taken_off_sending);
	tcase_add_test(t, the_ingress_wait_counts_once);
	tcase_add_test(t, parts_never_exceed_the_latency);
	tcase_add_test(t, the_largest_part_of_the_slowest_comes_first);
	tcase_add_test(t, random_events_agree_with_instants);
	tcase_add_test(t, text_shows_what_counts);
	tcase_add_test(t, compat_leaves_it_out);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
