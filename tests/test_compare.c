/* tests/test_compare.c - two runs side by side.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "analyzer/bootstrap.h"
#include "analyzer/compare.h"
#include "tests/compare_fixture.h"

#ifdef COMPARE_LONG /* tests/long_compare: half a minute */
enum { PAIRS = 200, PLANTED = 20 };
#else
enum { PAIRS = 60, PLANTED = 5 };
#endif
#define MS 1000u

static void allow_all(void)
{
	tailbox__alloc_fail_after(-1);
}

/* n requests of a route, one each gap_us, base to base + spread - 1. */
static void add_many(struct tailbox__run *run, const char *route, unsigned n,
                     uint64_t gap_us, uint64_t base, uint64_t spread)
{
	for (unsigned i = 0; i < n; i++)
		plan_add(run, route, i * gap_us,
		         base + (i * 2654435761u >> 7) % spread);
}

static struct tailbox__compare compare(struct tailbox__run *before,
                                       struct tailbox__run *after,
                                       const char *route, unsigned permille)
{
	struct tailbox__compare_options o;
	struct tailbox__compare c;

	tailbox__compare_options_init(&o);
	o.route = route;
	o.min_effect_permille = permille;
	ck_assert_int_eq(tailbox__compare(before, after, &o, &c, NULL), 0);
	return c;
}

static char *text_of(const struct tailbox__compare *c,
                     const struct tailbox__run *a, const struct tailbox__run *b)
{
	char *text = NULL;
	size_t size, column = 0;
	FILE *f = open_memstream(&text, &size);

	tailbox__compare_text(c, a, b, f);
	fclose(f);
	for (size_t i = 0; i < size; i++) {
		column = text[i] == '\n' ? 0 : column + 1;
		ck_assert_uint_le(column, 80);
	}
	return text;
}

static void fini(struct tailbox__compare *c, struct tailbox__run *a,
                 struct tailbox__run *b)
{
	free(text_of(c, a, b));
	tailbox__compare_fini(c);
	tailbox__run_destroy(a);
	tailbox__run_destroy(b);
}

/* --- the bootstrap -------------------------------------------------------- */

START_TEST(blocks_are_half_a_second_and_have_no_gaps)
{
	struct tailbox__boot_item items[] = {
		{ 1700000, 4, 0, 0 },
		{ 0, 1, 0, 0 },
		{ 499999, 2, 0, 0 },
		{ 500000, 3, 0, 0 },
		{ UINT64_MAX, 5, 0, 0 }
	};
	const uint32_t want[] = { 0, 0, 1, 2, 3 };
	uint64_t us;

	ck_assert_uint_eq(tailbox__boot_blocks(items, 5, &us), 4);
	ck_assert_uint_eq(us, 500000);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(items[i].latency_us, i + 1);
		ck_assert_uint_eq(items[i].block, want[i]);
	}
	ck_assert_uint_eq(tailbox__boot_blocks(items, 0, &us), 0);
}
END_TEST

START_TEST(blocks_beyond_the_most_are_joined)
{
	const uint32_t most = TAILBOX__BOOT_BLOCKS_MAX;
	struct tailbox__boot_item *items = calloc(most + 1, sizeof(*items));
	uint64_t us;

	for (uint32_t i = 0; i <= most; i++)
		items[i].time_us = (uint64_t)i * 500000;
	ck_assert_uint_eq(tailbox__boot_blocks(items, most - 1, &us), most - 1);
	ck_assert_uint_eq(tailbox__boot_blocks(items, most, &us), most);
	ck_assert_uint_eq(us, 500000);
	ck_assert_uint_eq(tailbox__boot_blocks(items, most + 1, &us),
	                  most / 2 + 1);
	ck_assert_uint_eq(us, 1000000);
	free(items);
}
END_TEST

START_TEST(draws_of_equal_blocks_are_the_percentile)
{
	static const unsigned percents[] = { 50, 99 };
	uint64_t *draws = calloc(2 * TAILBOX__BOOT_DRAWS, sizeof(*draws));
	struct tailbox__boot_item items[40 * 101];

	/* Each block has 100 times each of 0..100 us: no draw differs. */
	for (uint32_t v = 0, at = 0; v <= 100; v++)
		for (uint32_t b = 0; b < 40; b++)
			items[at++] = (struct tailbox__boot_item){ 0, v, 0, b };
	ck_assert_int_eq(tailbox__boot_draw(items, 40 * 101, 40, 1, percents, 2,
	                                    draws),
	                 0);
	for (unsigned i = 0; i < TAILBOX__BOOT_DRAWS; i++) {
		ck_assert_uint_eq(draws[i], 50);
		ck_assert_uint_eq(draws[TAILBOX__BOOT_DRAWS + i], 99);
	}
	free(draws);
}
END_TEST

/* Of independent requests the p-th percentile is the k-th smallest with the
 * binomial chance; for the median of a uniform the standard error is
 * 1 / (2 sqrt(n)) of the range. */
START_TEST(draws_vary_as_the_closed_form_says)
{
	static const unsigned percents[] = { 50 };
	const unsigned n = 10000, blocks = 500;
	uint64_t *draws = calloc(TAILBOX__BOOT_DRAWS, sizeof(*draws));
	struct tailbox__boot_item *items = calloc(n, sizeof(*items));
	uint64_t s = 7;
	double sum = 0, squares = 0;

	for (unsigned i = 0; i < n; i++)
		items[i] = (struct tailbox__boot_item){
			0, 100000 + 100 * i, 0,
			(uint32_t)(plan_unit(&s) * blocks)
		};
	ck_assert_int_eq(tailbox__boot_draw(items, n, blocks, 1, percents, 1,
	                                    draws),
	                 0);
	for (unsigned i = 0; i < TAILBOX__BOOT_DRAWS; i++) {
		sum += (double)draws[i];
		squares += (double)draws[i] * (double)draws[i];
	}
	const double mean = sum / TAILBOX__BOOT_DRAWS;
	const double sd = sqrt(squares / TAILBOX__BOOT_DRAWS - mean * mean);
	ck_assert_double_eq_tol(mean, 600000, 2000);
	ck_assert_double_eq_tol(sd, 1000000 / (2 * sqrt(n)), 700);
	free(items);
	free(draws);
}
END_TEST

START_TEST(ratios_saturate_and_zero_counts_as_one)
{
	ck_assert_uint_eq(tailbox__boot_ratio(1000, 1100), 1100000);
	ck_assert_uint_eq(tailbox__boot_ratio(0, 0), 1000000);
	ck_assert_uint_eq(tailbox__boot_ratio(0, 3), 3000000);
	ck_assert_uint_eq(tailbox__boot_ratio(4, 0), 250000);
	ck_assert_uint_eq(tailbox__boot_ratio(UINT64_MAX, 0), 1);
	ck_assert_uint_eq(tailbox__boot_ratio(0, UINT64_MAX),
	                  TAILBOX__BOOT_RATIO_MAX);
}
END_TEST

START_TEST(an_interval_is_widened_alike_in_both_directions)
{
	const struct tailbox__boot_tail many[2] = { { 0, 4000000, 1000 },
		                                    { 0, 4000000, 1000 } };
	const struct tailbox__boot_tail few[2] = { { 0, 4000000, 1000 },
		                                   { 0, 20, 1000 } };
	const struct tailbox__boot_tail tied[2] = { { 0, 4000000, 4000 },
		                                    { 0, 4000000, 1000 } };
	uint64_t low = 500000, high = 2000000;

	/* One of many blocks: as it is. */
	tailbox__boot_widen(1000000, 1, many, &low, &high);
	ck_assert_uint_eq(low, 500000);
	ck_assert_uint_eq(high, 2000000);
	/* Student's t of 19 degrees of freedom at 0.0005: 3.883 / 3.291. */
	tailbox__boot_widen(1000000, 1, few, &low, &high);
	ck_assert_uint_le(2175000, high); /* two terms of it */
	ck_assert_uint_le(high, 2181000);
	low = 500000, high = 2000000;
	/* Four times the variance. */
	tailbox__boot_widen(1000000, 1, tied, &low, &high);
	ck_assert_uint_eq(high, 3000000);
	ck_assert_uint_eq(low, 333333);
	/* An interval beside the estimate is stretched to hold it. */
	low = high = 1500000;
	tailbox__boot_widen(1000000, 1000, many, &low, &high);
	ck_assert_uint_eq(low, 1000000);
	ck_assert_uint_gt(high, 1700000);
}
END_TEST

START_TEST(a_tail_is_told_by_blocks_not_by_requests)
{
	struct tailbox__boot_item items[400];
	struct tailbox__boot_tail t;

	/* 40 blocks of 10; the 80 largest fill 8 neighbours. */
	for (uint32_t i = 0; i < 400; i++)
		items[i] = (struct tailbox__boot_item){ 0, i, 0, i / 10 };
	ck_assert_int_eq(tailbox__boot_tail(items, 400, 320, 40, &t), 0);
	ck_assert_uint_eq(t.blocks, 40);
	ck_assert_uint_eq(t.effective, 8);
	ck_assert_uint_gt(t.dependence, 4000);
	/* One of each block. */
	for (uint32_t i = 0; i < 400; i++)
		items[i].block = i % 40;
	ck_assert_int_eq(tailbox__boot_tail(items, 400, 360, 40, &t), 0);
	ck_assert_uint_eq(t.effective, 40);
	ck_assert_uint_eq(t.dependence, 1000);
	ck_assert_int_eq(tailbox__boot_tail(items, 0, 0, 0, &t), 0);
	ck_assert_uint_eq(t.effective, 0);
}
END_TEST

/* --- verdicts ------------------------------------------------------------- */

START_TEST(the_same_run_twice_has_no_difference)
{
	const struct plan p = { 3, 20, 500, 0, .1, 0, 0 };
	struct tailbox__run *a = plan_make(&p), *b = plan_make(&p);
	struct tailbox__compare c = compare(a, b, NULL, 10);

	ck_assert_int_eq(c.verdict, TAILBOX__VERDICT_NO_DIFFERENCE);
	ck_assert_uint_eq(c.row_count, 1 + PLAN_ROUTES);
	ck_assert_uint_eq(c.counts[TAILBOX__VERDICT_REGRESSED], 0);
	ck_assert_uint_eq(c.counts[TAILBOX__VERDICT_IMPROVED], 0);
	ck_assert_int_eq(c.rows[0].cells[0].change_ppm, 0);
	ck_assert_int_lt(c.rows[0].cells[0].low_ppm, 0);
	ck_assert_int_gt(c.rows[0].cells[0].high_ppm, 0);
	fini(&c, a, b);
}
END_TEST

START_TEST(twice_as_slow_is_regressed_and_back_is_improved)
{
	struct tailbox__run *a = plan_run(), *b = plan_run();

	add_many(a, "/a", 4000, 5 * MS, 1000, 100);
	add_many(b, "/a", 4000, 5 * MS, 2000, 200);
	struct tailbox__compare c = compare(a, b, NULL, 100);
	ck_assert_int_eq(c.verdict, TAILBOX__VERDICT_REGRESSED);
	ck_assert_uint_eq(c.counts[TAILBOX__VERDICT_REGRESSED], 6);
	ck_assert_int_ge(c.rows[0].cells[0].change_ppm, 980000);
	ck_assert_int_le(c.rows[0].cells[0].change_ppm, 1020000);
	tailbox__compare_fini(&c);
	c = compare(b, a, "/a", 100);
	ck_assert_int_eq(c.verdict, TAILBOX__VERDICT_IMPROVED);
	ck_assert_uint_eq(c.row_count, 1);
	ck_assert_uint_eq(c.counts[TAILBOX__VERDICT_IMPROVED], 3);
	ck_assert_int_lt(c.rows[0].cells[0].change_ppm, -490000);
	fini(&c, b, a);
}
END_TEST

START_TEST(a_sure_but_small_difference_is_not_claimed)
{
	struct tailbox__run *a = plan_run(), *b = plan_run();

	add_many(a, "/a", 4000, 5 * MS, 10000, 10);
	add_many(b, "/a", 4000, 5 * MS, 10700, 10);
	struct tailbox__compare c = compare(a, b, NULL, 100);
	ck_assert_int_gt(c.rows[0].cells[0].low_ppm, 60000);
	ck_assert_int_eq(c.verdict, TAILBOX__VERDICT_NO_DIFFERENCE);
	tailbox__compare_fini(&c);
	c = compare(a, b, NULL, 50);
	ck_assert_int_eq(c.verdict, TAILBOX__VERDICT_REGRESSED);
	fini(&c, a, b);
}
END_TEST

/* 2 to 3 us is half more, and one step of a clock of 1 us, none of 2 us. */
START_TEST(less_than_a_step_of_the_clock_is_not_claimed)
{
	for (unsigned ns = 1000; ns <= 2000; ns += 1000) {
		struct tailbox__run *a = plan_run(), *b = plan_run();
		add_many(a, "/a", 4000, 5 * MS, 2, 1);
		add_many(b, "/a", 4000, 5 * MS, 3, 1);
		tailbox__run_set_extra(b, "clock_resolution_ns", NULL, ns);
		struct tailbox__compare c = compare(a, b, NULL, 100);
		ck_assert_uint_eq(c.rows[0].cells[2].step_us, ns / 1000);
		ck_assert_int_eq(c.verdict,
		                 ns == 1000 ? TAILBOX__VERDICT_REGRESSED
		                            : TAILBOX__VERDICT_NO_DIFFERENCE);
		fini(&c, a, b);
	}
}
END_TEST

/* Two in a hundred waited in the socket: p99 is known to a jiffy, p50 not. */
START_TEST(a_jiffy_counts_where_requests_waited_in_the_socket)
{
	struct tailbox__run *a = plan_run(), *b = plan_run();

	add_many(a, "/a", 4000, 5 * MS, 1000, 10);
	add_many(b, "/a", 4000, 5 * MS, 2000, 10);
	tailbox__run_set_extra(b, "jiffy_us", NULL, 4000);
	for (size_t i = 0; i < b->requests.count; i += 50) {
		struct tailbox__run_ext *e = tailbox__list_add(&b->ext);
		for (unsigned p = 0; p < TAILBOX__PHASE_COUNT; p++)
			e->phase_ns[p] = TAILBOX__NONE;
		e->phase_ns[TAILBOX__PHASE_INGRESS] = 8000000;
		b->requests.items[i].ext = (uint32_t)b->ext.count;
	}
	struct tailbox__compare c = compare(a, b, NULL, 100);
	ck_assert_uint_eq(c.rows[0].cells[TAILBOX__COMPARE_P50].step_us, 1);
	ck_assert_uint_eq(c.rows[0].cells[TAILBOX__COMPARE_P99].step_us, 4000);
	ck_assert_int_eq(c.rows[1].cells[TAILBOX__COMPARE_P50].verdict,
	                 TAILBOX__VERDICT_REGRESSED);
	ck_assert_int_eq(c.rows[1].cells[TAILBOX__COMPARE_P99].verdict,
	                 TAILBOX__VERDICT_NO_DIFFERENCE);
	fini(&c, a, b);
}
END_TEST

/* --- what cannot be judged ------------------------------------------------ */

START_TEST(too_few_requests_cannot_be_judged)
{
	for (unsigned m = 0; m < TAILBOX__COMPARE_METRICS; m++) {
		const unsigned needed = (unsigned)tailbox__compare_needed(
		        (enum tailbox__compare_metric)m);
		for (unsigned n = needed - 1; n <= needed + 1; n++) {
			struct tailbox__run *a = plan_run(), *b = plan_run();
			add_many(a, "/a", n, 500 * MS, 1000, 400);
			add_many(b, "/a", n + 9, 500 * MS, 1000, 400);
			struct tailbox__compare c = compare(a, b, NULL, 100);
			const bool is_few = c.rows[0].cells[m].reason ==
			                    TAILBOX__UNJUDGED_FEW_REQUESTS;
			ck_assert(is_few == (n < needed));
			fini(&c, a, b);
		}
	}
	ck_assert_uint_eq(tailbox__compare_needed(TAILBOX__COMPARE_P50), 60);
	ck_assert_uint_eq(tailbox__compare_needed(TAILBOX__COMPARE_P95), 600);
	ck_assert_uint_eq(tailbox__compare_needed(TAILBOX__COMPARE_P99), 3000);
}
END_TEST

START_TEST(too_few_blocks_cannot_be_judged)
{
	const unsigned least = TAILBOX__COMPARE_BLOCKS_MIN;

	for (unsigned n = least - 1; n <= least + 1; n++) {
		struct tailbox__run *a = plan_run(), *b = plan_run();
		add_many(a, "/a", 100 * n, 5 * MS, 1000, 400);
		add_many(b, "/a", 100 * n + 500, 5 * MS, 1000, 400);
		struct tailbox__compare c = compare(a, b, NULL, 100);
		ck_assert_uint_eq(c.rows[0].blocks[TAILBOX__BEFORE], n);
		ck_assert_int_eq(c.rows[0].cells[0].reason,
		                 n < least ? TAILBOX__UNJUDGED_FEW_BLOCKS
		                           : TAILBOX__UNJUDGED_NOT);
		fini(&c, a, b);
	}
}
END_TEST

START_TEST(a_few_bad_moments_cannot_be_judged)
{
	struct tailbox__run *a = plan_run(), *b = plan_run();

	add_many(a, "/a", 10000, 5 * MS, 1000, 400);
	add_many(b, "/a", 10000, 5 * MS, 1000, 400);
	for (unsigned i = 5000; i < 5200; i++)
		b->requests.items[i].latency_us = 900000;
	for (unsigned i = 5000; i < 5200; i++) {
		b->requests.items[i].end_us = i * 5 * MS + 900000;
		b->requests.items[i].end_ms =
		        b->requests.items[i].start_ms + 900;
	}
	struct tailbox__compare c = compare(a, b, NULL, 100);
	ck_assert_int_eq(c.rows[0].cells[TAILBOX__COMPARE_P99].reason,
	                 TAILBOX__UNJUDGED_FEW_TAIL_BLOCKS);
	ck_assert_int_eq(c.rows[0].cells[TAILBOX__COMPARE_P50].reason,
	                 TAILBOX__UNJUDGED_NOT);
	ck_assert_int_eq(c.verdict, TAILBOX__VERDICT_CANNOT_JUDGE);
	fini(&c, a, b);
}
END_TEST

START_TEST(no_request_and_one_request_cannot_be_judged)
{
	for (unsigned n = 0; n < 2; n++) {
		for (unsigned m = 0; m < 2; m++) {
			struct tailbox__run *a = plan_run(), *b = plan_run();
			add_many(a, "/a", n, MS, 1000, 10);
			add_many(b, "/b", m, MS, 1000, 10);
			struct tailbox__compare c = compare(a, b, NULL, 100);
			ck_assert_int_eq(c.verdict,
			                 TAILBOX__VERDICT_CANNOT_JUDGE);
			ck_assert_uint_eq(c.row_count, 1 + n + m);
			ck_assert_int_eq(
			        c.rows[0].cells[0].reason,
			        !n   ? TAILBOX__UNJUDGED_NONE_BEFORE
			        : !m ? TAILBOX__UNJUDGED_NONE_AFTER
			             : TAILBOX__UNJUDGED_FEW_REQUESTS);
			char *text = text_of(&c, a, b);
			ck_assert_ptr_nonnull(strstr(text, "SMALL"));
			free(text);
			fini(&c, a, b);
		}
	}
}
END_TEST

START_TEST(routes_that_came_and_went_are_rows)
{
	struct tailbox__run *a = plan_run(), *b = plan_run();
	struct tailbox__compare_options o;
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	add_many(a, "/both", 200, 100 * MS, 1000, 10);
	add_many(a, "/old", 100, 200 * MS, 1000, 10);
	add_many(b, "/new", 150, 100 * MS, 1000, 10);
	add_many(b, "/both", 200, 100 * MS, 1000, 10);
	struct tailbox__compare c = compare(a, b, NULL, 100);
	ck_assert_uint_eq(c.row_count, 4);
	ck_assert_mem_eq(c.rows[1].route, "/both", 5);
	ck_assert_uint_eq(c.rows[1].requests[TAILBOX__AFTER], 200);
	ck_assert_int_eq(c.rows[1].cells[0].reason, TAILBOX__UNJUDGED_NOT);
	ck_assert_mem_eq(c.rows[2].route, "/new", 4);
	ck_assert_int_eq(c.rows[2].cells[0].reason,
	                 TAILBOX__UNJUDGED_NONE_BEFORE);
	ck_assert_int_eq(c.rows[3].cells[0].reason,
	                 TAILBOX__UNJUDGED_NONE_AFTER);
	tailbox__compare_fini(&c);
	tailbox__compare_options_init(&o);
	o.route = "/bot";
	ck_assert_int_eq(tailbox__compare(a, b, &o, &c, &err), -ENOENT);
	ck_assert_str_eq(err.text, "no request of route /bot in either run");
	tailbox__compare_fini(&c);
	tailbox__run_destroy(a);
	tailbox__run_destroy(b);
}
END_TEST

START_TEST(routes_beyond_the_most_are_counted)
{
	const unsigned most = TAILBOX__COMPARE_ROUTES_MAX;

	for (unsigned extra = 0; extra < 3; extra++) {
		struct tailbox__run *a = plan_run(), *b = plan_run();
		for (unsigned i = 0; i < most - 1 + extra; i++) {
			char name[16];
			snprintf(name, sizeof(name), "/%u", i);
			plan_add(a, name, i * MS, 1000);
			plan_add(b, name, i * MS, 1000);
		}
		struct tailbox__compare c = compare(a, b, NULL, 100);
		ck_assert_uint_eq(c.row_count, extra ? 1 + most : most);
		ck_assert_uint_eq(c.more_routes, extra > 1 ? extra - 1 : 0);
		fini(&c, a, b);
	}
}
END_TEST

/* --- odd runs ------------------------------------------------------------- */

START_TEST(without_offsets_the_wall_clock_tells_the_block)
{
	struct tailbox__run *a = plan_run(), *b = plan_run();

	add_many(a, "/a", 4000, 5 * MS, 1000, 100);
	add_many(b, "/a", 4000, 5 * MS, 2000, 200);
	for (size_t i = 0; i < b->requests.count; i++)
		b->requests.items[i].flags = 0;
	struct tailbox__compare c = compare(a, b, NULL, 100);
	ck_assert_uint_eq(c.rows[0].blocks[TAILBOX__AFTER], 40);
	ck_assert_int_eq(c.verdict, TAILBOX__VERDICT_REGRESSED);
	fini(&c, a, b);
}
END_TEST

START_TEST(huge_values_are_harmless)
{
	struct tailbox__run *a = plan_run(), *b = plan_run();

	add_many(a, "/a", 4000, 5 * MS, 0, 1);
	add_many(b, "/a", 4000, 5 * MS, 1000, 100);
	for (size_t i = 0; i < b->requests.count; i++) {
		struct tailbox__run_request *r = &b->requests.items[i];
		r->flags = 0;
		r->latency_us = UINT64_MAX - i;
		r->start_ms = i % 3 ? r->start_ms : 0;
		r->end_ms = UINT64_MAX;
		if (i % 100 == 0)
			r->start_ms = UINT64_MAX - 1;
	}
	b->truncation.dropped_requests = UINT64_MAX;
	b->truncation.dropped_stages = UINT64_MAX;
	b->meta.unfinished_count = UINT64_MAX;
	b->meta.started_ms = 0;
	tailbox__run_set_extra(b, "jiffy_us", NULL, UINT64_MAX);
	tailbox__run_set_extra(b, "clock_resolution_ns", NULL, UINT64_MAX);
	tailbox__run_set_extra(b, "lost_names", NULL, UINT64_MAX);
	struct tailbox__compare c = compare(a, b, NULL, 100);
	ck_assert_uint_eq(c.sides[TAILBOX__AFTER].lost, UINT64_MAX);
	fini(&c, a, b);
}
END_TEST

START_TEST(losses_and_hostile_routes_are_shown)
{
	struct tailbox__run *a = plan_run(), *b = plan_run();

	add_many(a, "\x1b[2J/a", 10, MS, 1000, 10);
	add_many(b, "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	         10, MS, 1000, 10);
	a->truncation.dropped_requests = 12;
	tailbox__run_set_extra(a, "lost_spans", NULL, 3);
	b->meta.unfinished_count = 2;
	struct tailbox__compare c = compare(a, b, NULL, 100);
	char *text = text_of(&c, a, b);
	ck_assert_ptr_null(strchr(text, 0x1b));
	ck_assert_ptr_nonnull(strstr(text, "before  15 items LOST"));
	ck_assert_ptr_nonnull(strstr(text, "after   2 requests had not"));
	free(text);
	fini(&c, a, b);
}
END_TEST

START_TEST(suspects_come_and_go)
{
	struct tailbox__run *a = plan_run(), *b = plan_run();

	add_many(a, "/a", 200, 100 * MS, 10000, 10);
	add_many(b, "/a", 200, 100 * MS, 10000, 10);
	for (size_t i = 0; i < b->requests.count; i++) {
		struct tailbox__run_span *q = tailbox__list_add(&b->queues);
		q->request = b->requests.items[i].id;
		q->name = tailbox__run_cstr(b, "db_pool");
		q->start_ms = b->requests.items[i].start_ms;
		q->end_ms = q->start_ms + 9;
		q->start_us = b->requests.items[i].start_us;
		q->end_us = q->start_us + 9000;
		q->dur_us = 9000;
		q->depth = 30;
		q->flags = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
	}
	struct tailbox__compare c = compare(a, b, NULL, 100);
	const struct tailbox__compare_suspect *s = c.suspects;
	ck_assert(!s[TAILBOX__SUSPECT_QUEUE].is_there[TAILBOX__BEFORE]);
	ck_assert(s[TAILBOX__SUSPECT_QUEUE].is_there[TAILBOX__AFTER]);
	ck_assert(s[TAILBOX__SUSPECT_UNKNOWN].is_there[TAILBOX__BEFORE]);
	ck_assert_uint_gt(c.sides[TAILBOX__AFTER].queue_permille, 800);
	char *text = text_of(&c, a, b);
	ck_assert_ptr_nonnull(strstr(text, "came   application_queue"));
	ck_assert_ptr_nonnull(strstr(text, "went   insufficient_evidence"));
	free(text);
	fini(&c, a, b);
}
END_TEST

START_TEST(the_same_runs_give_the_same_text)
{
	const struct plan p = { 5, 15, 500, .5, .1, 0, 0 };
	const struct plan q = { 6, 15, 500, .5, .1, ALL_ROUTES, 1.5 };
	char *texts[2];

	for (unsigned i = 0; i < 2; i++) {
		struct tailbox__run *a = plan_make(&p), *b = plan_make(&q);
		struct tailbox__compare c = compare(a, b, NULL, 100);
		texts[i] = text_of(&c, a, b);
		fini(&c, a, b);
	}
	ck_assert_str_eq(texts[0], texts[1]);
	free(texts[0]);
	free(texts[1]);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	struct tailbox__run *a = plan_run(), *b = plan_run();
	struct tailbox__compare_options o;
	struct tailbox__compare c;
	int rc = -ENOMEM;

	add_many(a, "/a", 100, 200 * MS, 1000, 10);
	add_many(b, "/a", 100, 200 * MS, 1000, 10);
	add_many(b, "/b", 100, 200 * MS, 1000, 10);
	tailbox__compare_options_init(&o);
	for (long n = 0; rc != 0; n++) {
		const long live = tailbox__alloc_live();
		tailbox__alloc_fail_after(n);
		rc = tailbox__compare(a, b, &o, &c, NULL);
		tailbox__alloc_fail_after(-1);
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, -ENOMEM);
		tailbox__compare_fini(&c);
		ck_assert_int_eq(tailbox__alloc_live(), live);
	}
	rc = -ENOMEM;
	for (long n = 0; rc != 0; n++) {
		struct tailbox__json j;
		tailbox__json_init(&j, false);
		tailbox__alloc_fail_after(n);
		rc = tailbox__compare_json(&c, a, b, &j);
		tailbox__alloc_fail_after(-1);
		tailbox__json_fini(&j);
	}
	fini(&c, a, b);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}
END_TEST

/* --- rates: what is promised ---------------------------------------------- */

/* Nothing differs but chance: calm ones, ones whose load wanders for longer
 * than a block, and ones that stand still now and then. */
START_TEST(pairs_of_the_same_claim_at_most_one_difference)
{
	static const struct plan plans[] = {
		{ 0, 20, 500, 0, .15, 0, 0 },
		{ 0, 20, 500, .2, .15, 0, 0 },
		{ 0, 30, 400, 1, .1, 0, 0 },
		{ 0, 15, 1000, 0, .05, 0, 0 }
	};
	uint64_t claims = 0;

	for (unsigned i = 0; i < PAIRS; i++) {
		struct plan p = plans[i % 4];
		p.seed = 20000 + 2 * i;
		struct tailbox__run *a = plan_make(&p);
		p.seed++;
		struct tailbox__run *b = plan_make(&p);
		struct tailbox__compare c = compare(a, b, NULL, 100);
		claims += c.counts[TAILBOX__VERDICT_REGRESSED] +
		          c.counts[TAILBOX__VERDICT_IMPROVED];
		ck_assert_uint_gt(c.counts[TAILBOX__VERDICT_NO_DIFFERENCE], 0);
		tailbox__compare_fini(&c);
		tailbox__run_destroy(a);
		tailbox__run_destroy(b);
	}
	ck_assert_uint_le(claims, 1);
}
END_TEST

START_TEST(planted_regressions_of_p99_are_all_found)
{
	unsigned found = 0;

	for (unsigned i = 0; i < PLANTED; i++) {
		struct plan p = { 30000 + 2 * i, 120, 2000, 0, .07, ALL_ROUTES,
			          0 };
		struct tailbox__run *a = plan_make(&p);
		p.seed++;
		p.factor = 1.1;
		struct tailbox__run *b = plan_make(&p);
		struct tailbox__compare c = compare(a, b, NULL, 100);
		found += c.rows[0].cells[TAILBOX__COMPARE_P99].verdict ==
		         TAILBOX__VERDICT_REGRESSED;
		/* Half of the requests have not changed. */
		ck_assert_int_eq(c.rows[0].cells[TAILBOX__COMPARE_P50].verdict,
		                 TAILBOX__VERDICT_NO_DIFFERENCE);
		tailbox__compare_fini(&c);
		tailbox__run_destroy(a);
		tailbox__run_destroy(b);
	}
	ck_assert_uint_eq(found, PLANTED);
}
END_TEST

static Suite *compare_suite(void)
{
	Suite *s = suite_create("compare");
	TCase *t = tcase_create("compare");
	TCase *rates = tcase_create("rates");

	tcase_add_checked_fixture(t, NULL, allow_all);
	tcase_set_timeout(t, 120);
	tcase_set_timeout(rates, 600);
	tcase_add_test(t, blocks_are_half_a_second_and_have_no_gaps);
	tcase_add_test(t, blocks_beyond_the_most_are_joined);
	tcase_add_test(t, draws_of_equal_blocks_are_the_percentile);
	tcase_add_test(t, draws_vary_as_the_closed_form_says);
	tcase_add_test(t, ratios_saturate_and_zero_counts_as_one);
	tcase_add_test(t, an_interval_is_widened_alike_in_both_directions);
	tcase_add_test(t, a_tail_is_told_by_blocks_not_by_requests);
	tcase_add_test(t, the_same_run_twice_has_no_difference);
	tcase_add_test(t, twice_as_slow_is_regressed_and_back_is_improved);
	tcase_add_test(t, a_sure_but_small_difference_is_not_claimed);
	tcase_add_test(t, less_than_a_step_of_the_clock_is_not_claimed);
	tcase_add_test(t, a_jiffy_counts_where_requests_waited_in_the_socket);
	tcase_add_test(t, too_few_requests_cannot_be_judged);
	tcase_add_test(t, too_few_blocks_cannot_be_judged);
	tcase_add_test(t, a_few_bad_moments_cannot_be_judged);
	tcase_add_test(t, no_request_and_one_request_cannot_be_judged);
	tcase_add_test(t, routes_that_came_and_went_are_rows);
	tcase_add_test(t, routes_beyond_the_most_are_counted);
	tcase_add_test(t, without_offsets_the_wall_clock_tells_the_block);
	tcase_add_test(t, huge_values_are_harmless);
	tcase_add_test(t, losses_and_hostile_routes_are_shown);
	tcase_add_test(t, suspects_come_and_go);
	tcase_add_test(t, the_same_runs_give_the_same_text);
	tcase_add_test(t, every_allocation_may_fail);
	tcase_add_test(rates, pairs_of_the_same_claim_at_most_one_difference);
	tcase_add_test(rates, planted_regressions_of_p99_are_all_found);
	suite_add_tcase(s, t);
	suite_add_tcase(s, rates);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(compare_suite());

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
