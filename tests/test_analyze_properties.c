/* tests/test_analyze_properties.c - what must not change a report.
 *
 * SPDX-License-Identifier: MIT
 *
 * Random runs, each as a recipe that is built again under other conditions:
 * other order of the input, other names, other clocks, no memory. What a
 * report says is compared as a text of all figures.
 *
 * By the spec only gauge samples of one gauge at one moment are told apart by
 * their place in the input; these runs have none, so that every list may be
 * shuffled. Ties that names decide (stages, routes, gauges, ids) are rare
 * here, for times are wide random numbers; where they may occur, names keep
 * their order.
 */
#include <errno.h>
#include <stdarg.h>

#include "tests/analyze_fixture.h"

#define REQUESTS_MAX 60u
#define RUNS 150u

struct conditions {
	uint64_t seed;
	uint64_t shuffle; /* 0 = as built */
	enum { PLAIN, LONGER, REVERSED } names;
	uint64_t add_ms, add_us; /* to all clocks */
	bool has_names_first; /* of the pool, last one first */
};

/* --- names ------------------------------------------------------------- */

/* Name number i of a family; patterns of the pool's stages are kept. */
static const char *name_of(const struct conditions *c, const char *family,
                           uint64_t i, char *to, size_t room)
{
	const bool is_pool = *family == 's' && i == 3;
	const char *const tail = is_pool ? "blocking" : "";

	switch (c->names) {
	case PLAIN:
		snprintf(to, room, "%s%02u%s", family, (unsigned)i, tail);
		break;
	case LONGER: /* the same order */
		snprintf(to, room, "%s%02u-%s-%s", family, 5 + (unsigned)i * 3,
		         family, tail);
		break;
	case REVERSED:
		snprintf(to, room, "%s%02u%s", *family == 's' ? "x" : "y",
		         99 - (unsigned)i, tail);
		break;
	}
	return to;
}

static tailbox__str name(const struct conditions *c, const char *family,
                         uint64_t i)
{
	char text[64];

	return tailbox__run_cstr(run, name_of(c, family, i, text,
	                                      sizeof(text)));
}

/* --- building ---------------------------------------------------------- */

static void shuffle(void *items, size_t n, size_t size, uint64_t *seed)
{
	char *const v = items, kept[128];

	SAMPLE_MUST(size <= sizeof(kept));
	for (size_t i = n; i > 1; i--) {
		const size_t k = below(seed, i);

		memcpy(kept, v + k * size, size);
		memcpy(v + k * size, v + (i - 1) * size, size);
		memcpy(v + (i - 1) * size, kept, size);
	}
}
#define SHUFFLE(list, seed)                                                    \
	shuffle((list).items, (list).count, sizeof(*(list).items), seed)

/* Up to `most` spans, `bias` eighths of them queues. */
static void add_random_spans(const struct conditions *c, uint32_t r,
                             uint64_t *seed, uint64_t most, uint64_t bias)
{
	const uint64_t latency = run->requests.items[r].latency_us;

	for (uint64_t n = below(seed, most + 1); n-- > 0; ) {
		const uint64_t from = below(seed, latency / 2);
		const uint64_t to = from + below(seed, latency - from);
		struct tailbox__run_span *s;

		if (below(seed, 8) < bias) {
			const uint64_t depth = below(seed, 60);
			s = add_queue(r, from, to, depth < 40 ? depth
			                                      : TAILBOX__NONE);
			s->name = name(c, "q", below(seed, 3));
		} else {
			s = add_stage(r, "", from, to);
			s->name = name(c, "s", below(seed, 5));
		}
		if (below(seed, 6) == 0)
			s->flags |= TAILBOX__PARTIAL;
	}
}

static void add_random_requests(const struct conditions *c, uint64_t *seed)
{
	const uint64_t n = below(seed, REQUESTS_MAX);
	const uint64_t routes = 1 + below(seed, 4), most = below(seed, 5);
	const uint64_t bias = below(seed, 9), slow = below(seed, 2);

	for (uint32_t i = 0; i < n; i++) {
		const uint64_t route = below(seed, routes);
		const uint64_t at = i * 100000u + below(seed, 90000);
		uint64_t latency = 1000 + below(seed, 1000000);

		if (i > n / 2 && slow)
			latency *= 4;
		add_request("", at, latency);
		run->requests.items[i].route = name(c, "/", route);
		run->requests.items[i].id = name(c, "r", i);
		add_random_spans(c, i, seed, most, bias);
	}
}

static void add_random_samples(const struct conditions *c, uint64_t *seed)
{
	const uint64_t n = below(seed, 4) ? below(seed, 120) : 0;
	const uint64_t workers = below(seed, 3);
	const uint64_t depth = 1 + below(seed, 40);

	for (uint64_t i = 0; i < n; i++) {
		struct tailbox__run_snapshot *s = add_snapshot(
		        i * 50000, below(seed, depth), below(seed, depth),
		        below(seed, 2) * depth);

		if (below(seed, 9) == 0)
			s->local_queue_depth = TAILBOX__NONE;
		if (workers > 0) {
			s->flags |= TAILBOX__HAS_WORKERS;
			s->worker_count = 4;
			if (workers == 2)
				s->worker_count = 1 + (uint32_t)below(seed, 2);
		}
	}
	for (uint64_t i = below(seed, 90); i-- > 0; )
		add_gauge("", i * 60000, below(seed, 200))->gauge =
		        name(c, "g", below(seed, 2));
}

static void move_clocks(uint64_t ms, uint64_t us)
{
	for (size_t i = 0; i < run->requests.count; i++) {
		struct tailbox__run_request *r = &run->requests.items[i];
		r->start_ms += ms, r->end_ms += ms;
		r->start_us += us, r->end_us += us;
	}
	for (size_t i = 0; i < run->stages.count + run->queues.count; i++) {
		struct tailbox__run_span *s =
		        i < run->stages.count
		                ? &run->stages.items[i]
		                : &run->queues.items[i - run->stages.count];
		s->start_ms += ms, s->end_ms += ms;
		s->start_us += us, s->end_us += us;
	}
	for (size_t i = 0; i < run->inflight.count; i++)
		run->inflight.items[i].at_ms += ms,
		        run->inflight.items[i].at_us += us;
	for (size_t i = 0; i < run->snapshots.count; i++)
		run->snapshots.items[i].at_ms += ms,
		        run->snapshots.items[i].at_us += us;
	run->meta.started_ms += ms;
}

static void build(const struct conditions *c)
{
	uint64_t seed = c->seed, mix = c->shuffle;

	again();
	for (uint64_t i = 100; c->has_names_first && i-- > 0; ) {
		static const char *const families[] = { "g", "s", "/", "r",
			                                "q" };
		for (size_t f = 0; f < COUNT(families); f++)
			name(c, families[f], i);
	}
	add_random_requests(c, &seed);
	add_random_samples(c, &seed);
	if (below(&seed, 8) == 0)
		run->truncation.dropped_stages = below(&seed, 100);
	move_clocks(c->add_ms, c->add_us);
	if (mix != 0) {
		SHUFFLE(run->requests, &mix);
		SHUFFLE(run->stages, &mix);
		SHUFFLE(run->queues, &mix);
		SHUFFLE(run->inflight, &mix);
		SHUFFLE(run->snapshots, &mix);
	}
}

/* --- what a report says ------------------------------------------------ */

static char digest[262144];
static size_t digest_len;

static void __attribute__((format(printf, 1, 2))) put(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(digest + digest_len, sizeof(digest) - digest_len, format,
	              args);
	va_end(args);
	SAMPLE_MUST(n >= 0);
	digest_len += (size_t)n;
	SAMPLE_MUST(digest_len < sizeof(digest));
}

/* Without the names, which stand in quotation marks. */
static void put_texts(const struct tailbox__texts *t)
{
	for (size_t i = 0; i < t->count; i++) {
		bool is_name = false;

		for (const char *c = t->items[i]; *c; c++) {
			is_name = is_name != (*c == '\'');
			SAMPLE_MUST(digest_len + 1 < sizeof(digest));
			if (!is_name)
				digest[digest_len++] = *c;
		}
		put("\n");
	}
}

static void put_slice(const struct tailbox__report_slice *s)
{
	put("%ju %ju %ju %ju %ju %ju\n", (uintmax_t)s->request_count,
	    (uintmax_t)s->p50_us, (uintmax_t)s->p95_us, (uintmax_t)s->p99_us,
	    (uintmax_t)s->p95_queue_permille,
	    (uintmax_t)s->p95_service_permille);
	put("quality %d %ju %ju %ju %ju %ju\n", (int)s->quality.quality,
	    (uintmax_t)s->quality.requests, (uintmax_t)s->quality.queues,
	    (uintmax_t)s->quality.stages, (uintmax_t)s->quality.snapshots,
	    (uintmax_t)s->quality.inflight);
	put("status %d %d %d %d %d\n", (int)s->quality.request_status,
	    (int)s->quality.queue_status, (int)s->quality.stage_status,
	    (int)s->quality.snapshot_status, (int)s->quality.inflight_status);
	put_texts(&s->quality.limitations);
	put_texts(&s->warnings);
	for (size_t i = 0; i < s->suspect_count; i++) {
		put("suspect %d %u %d\n", (int)s->suspects[i].kind,
		    s->suspects[i].score, (int)s->suspects[i].confidence);
		put_texts(&s->suspects[i].evidence);
		put_texts(&s->suspects[i].next_checks);
		put_texts(&s->suspects[i].notes);
	}
}

/* Into `digest`; the wall clock of segments without what was added to it. */
static void tell(uint64_t add_ms)
{
	analyze();
	digest_len = 0;
	put_slice(&rep.whole);
	put("trend %d %ju %ju %ju %jd %d %jd\n", rep.trend.is_known,
	    (uintmax_t)rep.trend.sample_count, (uintmax_t)rep.trend.peak_count,
	    (uintmax_t)rep.trend.p95_count, (intmax_t)rep.trend.growth_delta,
	    rep.trend.has_rate, (intmax_t)rep.trend.growth_per_sec_milli);
	for (size_t i = 0; i < rep.routes.count; i++)
		put_slice(&rep.routes.items[i].slice);
	for (size_t i = 0; i < rep.segments.count; i++) {
		put("%s %ju %ju\n", rep.segments.items[i].name,
		    (uintmax_t)(rep.segments.items[i].start_ms - add_ms),
		    (uintmax_t)(rep.segments.items[i].end_ms - add_ms));
		put_slice(&rep.segments.items[i].slice);
	}
}

static char *json_text(void)
{
	struct tailbox__json j;
	char *text;

	tailbox__json_init(&j, true);
	ck_assert_int_eq(tailbox__report_json(&rep, run, &o, &j), 0);
	text = tailbox__json_take(&j, NULL);
	ck_assert_ptr_nonnull(text);
	return text;
}

/* All runs again under those conditions: the figures stay. */
static void expect_same(const struct conditions *other)
{
	static char before[sizeof(digest)];

	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		struct conditions c = { .seed = seed };

		build(&c);
		tell(0);
		memcpy(before, digest, digest_len + 1);
		c = *other;
		c.seed = seed;
		c.shuffle *= seed;
		build(&c);
		tell(c.add_ms);
		ck_assert_msg(strcmp(before, digest) == 0,
		              "run %d\n%s--- now ---\n%s", (int)seed, before,
		              digest);
	}
}

/* --- the properties ---------------------------------------------------- */

/* Else the other tests would show less than they seem to. */
START_TEST(random_runs_have_all_that_a_report_can_have)
{
	unsigned kinds[TAILBOX__SUSPECT_COUNT] = { 0 };
	unsigned routes = 0, segments = 0, growing = 0, ambiguous = 0;

	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		build(&(struct conditions){ .seed = seed });
		analyze();
		for (size_t i = 0; i < rep.whole.suspect_count; i++)
			kinds[rep.whole.suspects[i].kind]++;
		routes += rep.routes.count > 1;
		segments += rep.segments.count == 2;
		growing += rep.trend.growth_delta > 0;
		ambiguous += tells(&rep.whole.warnings, "ambiguous");
		ck_assert(!tells(&rep.whole.quality.limitations, "cleaned up"));
	}
	for (size_t i = 0; i < TAILBOX__SUSPECT_OWN; i++)
		ck_assert_uint_gt(kinds[i], 0);
	ck_assert_uint_gt(routes, RUNS / 8);
	ck_assert_uint_gt(segments, RUNS / 8);
	ck_assert_uint_gt(growing, RUNS / 8);
	ck_assert_uint_gt(ambiguous, 5);
}
END_TEST

START_TEST(the_same_run_gives_the_same_bytes)
{
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		const struct conditions c = { .seed = seed };
		char *first, *second;

		build(&c);
		analyze();
		first = json_text();
		/* Analysed, it is the same run still: it was sound. */
		analyze();
		second = json_text();
		ck_assert_str_eq(first, second);
		tailbox__free(second);
		/* Made anew, too; also with another pool of strings. */
		char *const kept = strdup(first);
		tailbox__free(first);
		build(&(struct conditions){ .seed = seed,
		                            .has_names_first = true });
		analyze();
		second = json_text();
		ck_assert_str_eq(kept, second);
		free(kept);
		tailbox__free(second);
	}
}
END_TEST

START_TEST(the_order_of_the_input_does_not_matter_to_a_byte)
{
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		char *text;

		build(&(struct conditions){ .seed = seed });
		analyze();
		text = json_text();
		char *const kept = strdup(text);
		tailbox__free(text);
		build(&(struct conditions){ .seed = seed,
		                            .shuffle = seed * 77 });
		analyze();
		text = json_text();
		ck_assert_str_eq(kept, text);
		free(kept);
		tailbox__free(text);
	}
}
END_TEST

START_TEST(names_in_the_same_order_do_not_matter)
{
	expect_same(&(struct conditions){ .names = LONGER });
	expect_same(&(struct conditions){ .names = LONGER, .shuffle = 5 });
}
END_TEST

START_TEST(names_in_another_order_do_not_matter_either)
{
	expect_same(&(struct conditions){ .names = REVERSED });
	expect_same(&(struct conditions){ .names = REVERSED, .shuffle = 7,
	                                  .has_names_first = true });
}
END_TEST

START_TEST(the_zero_of_a_clock_does_not_matter)
{
	expect_same(&(struct conditions){ .add_ms = 1767225600000u });
	expect_same(&(struct conditions){ .add_us = 86400000000u });
	expect_same(&(struct conditions){ .add_ms = 77, .add_us = 1 });
}
END_TEST

/* --- without memory ---------------------------------------------------- */

/* The next allocation that fails, until none does. Times tried. */
static long fail_each(const struct conditions *c, bool with_damage)
{
	long n = 0;
	int rc;

	do {
		build(c);
		if (with_damage) { /* so that there are summaries */
			run->requests.items[0].flags = 0;
			run->requests.items[1].end_us += 2001;
			run->meta.service_name = tailbox__run_cstr(run, "");
		}
		const long live = tailbox__alloc_live();
		tailbox__alloc_fail_after(n++);
		rc = tailbox__analyze(run, &o, false, &rep);
		tailbox__alloc_fail_after(-1);
		if (rc != 0) {
			ck_assert_int_eq(rc, -ENOMEM);
			tailbox__report_fini(&rep);
			ck_assert_int_eq(tailbox__alloc_live(), live);
		}
	} while (rc != 0);
	return n;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct conditions c = { .seed = seed };
		long n;

		build(&c);
		n = fail_each(&c, run->requests.count > 1);
		ck_assert_int_gt(n, 20);
		/* And the last one is as if nothing had been. */
		ck_assert_uint_ge(rep.whole.suspect_count, 1);
	}
}
END_TEST

START_TEST(json_without_memory_is_reported_and_leaks_nothing)
{
	struct tailbox__json j;
	long n = 0;
	int rc;

	build(&(struct conditions){ .seed = 3 });
	analyze();
	const long live = tailbox__alloc_live();
	do {
		tailbox__json_init(&j, false);
		tailbox__alloc_fail_after(n++);
		rc = tailbox__report_json(&rep, run, &o, &j);
		tailbox__alloc_fail_after(-1);
		ck_assert(rc == 0 || rc == -ENOMEM);
		ck_assert_int_eq(rc == 0, tailbox__json_ok(&j));
		tailbox__json_fini(&j);
		ck_assert_int_eq(tailbox__alloc_live(), live);
	} while (rc != 0);
	ck_assert_int_gt(n, 2);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("analyze_properties");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, random_runs_have_all_that_a_report_can_have);
	tcase_add_test(t, the_same_run_gives_the_same_bytes);
	tcase_add_test(t, the_order_of_the_input_does_not_matter_to_a_byte);
	tcase_add_test(t, names_in_the_same_order_do_not_matter);
	tcase_add_test(t, names_in_another_order_do_not_matter_either);
	tcase_add_test(t, the_zero_of_a_clock_does_not_matter);
	tcase_add_test(t,
	               every_failing_allocation_is_reported_and_leaks_nothing);
	tcase_add_test(t, json_without_memory_is_reported_and_leaks_nothing);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
