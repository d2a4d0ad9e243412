/* tests/test_assemble_random.c - properties of assemblies of any records.
 *
 * SPDX-License-Identifier: MIT
 *
 * Random but honest records: whatever the writers can leave behind must make
 * a run in which strict validation finds nothing. Then dishonest ones, which
 * must only not hurt; then the lack of memory, at every single allocation.
 */
#include "core/artifact.h"
#include "core/metrics.h"
#include "core/run_json.h"
#include "tests/assemble_fixture.h"

enum { RUNS = 1000 };

static uint64_t seed;

/* xorshift64*: the same on every machine. */
static uint64_t any(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1du;
}

static uint64_t below(uint64_t n)
{
	return n ? any() % n : 0;
}

/* Of any magnitude up to n, small ones as often as large ones. */
static uint64_t up_to(uint64_t n)
{
	const uint64_t v = any() >> below(64);

	return v % (n + 1);
}

/* --- honest records ---------------------------------------------------- */

struct truth {
	uint64_t line, ingress, end; /* ticks, not packed */
	bool is_open;
};

static const char *any_name(void)
{
	static const char *const names[] = {
		"/", "/items/{id}", "db", "\xc3\xa9\xe2\x82\xac", "{other}",
		"a b", "x\"y\\z",
	};

	return names[below(sizeof(names) / sizeof(names[0]))];
}

static void feed_truth(uint64_t number, const struct truth *t)
{
	struct {
		struct tailbox__rec_request request;
		struct tailbox__rec_more more;
		struct tailbox__rec_id id;
	} r = { .request = request(number, t->line - T0, 0, any_name()) };
	unsigned more = 0;

	r.request.total = tailbox__pack_up(t->end - t->line);
	r.request.status = (uint16_t)below(600);
	r.request.termination = (uint8_t)below(TAILBOX__TERM_COUNT);
	r.request.known = (uint16_t)below(128);
	r.request.handler = tailbox__pack(up_to(t->end - t->line));
	if (t->ingress || below(3) == 0) {
		r.more.type = TAILBOX__REC_MORE;
		r.more.ingress = tailbox__pack(t->ingress);
		r.more.holder_number = 1;
		r.more.bytes_in = up_to(1 << 20);
		more++;
		if (below(4) == 0) {
			r.id.type = TAILBOX__REC_ID;
			r.id.len = (uint8_t)snprintf(
			        r.id.text, sizeof(r.id.text), "id %llu",
			        (unsigned long long)number);
			more++;
		}
	}
	r.request.more = (uint8_t)more;
	feed(TAILBOX__BLOCK_REQUESTS, &r, 64 * (1 + (size_t)more));
}

/* Spans of other threads may end, and seem to begin, a little outside. */
static void feed_children(uint64_t number, const struct truth *t)
{
	const uint64_t length = t->end - t->line;

	for (uint64_t n = below(6); n > 0; n--) {
		uint64_t start = t->line + up_to(length);
		uint64_t dur = up_to(t->end - start);
		if (below(10) == 0)
			dur += below(2000);
		if (below(20) == 0)
			start -= below(2000);
		struct tailbox__rec_span s =
		        span(1 + (unsigned)below(2), number, start - T0, dur,
		             any_name());
		s.flags = (uint8_t)below(4);
		s.depth = below(2) ? UINT32_MAX : (uint32_t)below(9);
		feed(TAILBOX__BLOCK_SPANS, &s, sizeof(s));
	}
	for (uint64_t n = below(3); n > 0; n--) {
		const uint64_t at = t->line - T0 + up_to(length);
		feed_up(number, at, any_name());
		if (below(3))
			feed_down(number, at + up_to(length), any_name());
	}
}

static void feed_any(uint64_t hz)
{
	const uint64_t requests = below(40);
	const uint64_t window = fixture_config.until_tick - T0;

	for (uint64_t i = 1; i <= requests; i++) {
		struct truth t = { .line = T0 + up_to(window) };
		const uint64_t number = below(3) << 40 | i;

		t.end = t.line + up_to(hz * 100);
		if (below(5) == 0)
			t.ingress = up_to(hz);
		if (below(8) == 0)
			feed_open(number, t.line - T0);
		else
			feed_truth(number, &t);
		feed_children(number, &t);
	}
	for (uint64_t i = below(20); i > 0; i--)
		feed_sample(up_to(window));
}

static void any_limits(struct tailbox__limits *l)
{
	if (below(2))
		return; /* the defaults: never reached */
	l->max_requests = below(50);
	l->max_stages = below(50);
	l->max_queues = below(50);
	l->max_inflight_snapshots = below(50);
	l->max_runtime_snapshots = below(20);
}

/* --- what must hold ---------------------------------------------------- */

/* A strict little reader of JSON: syntax only. Gives what is left. */
static const char *value(const char *at);

static const char *space(const char *at)
{
	while (at && (*at == ' ' || *at == '\n'))
		at++;
	return at;
}

static const char *string(const char *at)
{
	if (!at || *at++ != '"')
		return NULL;
	for (; *at != '"'; at++) {
		if ((unsigned char)*at < 0x20)
			return NULL;
		if (*at == '\\' && !strchr("\"\\/bfnrtu", *++at))
			return NULL;
	}
	return at + 1;
}

static const char *many(const char *at, char close, bool has_names)
{
	at = space(at + 1);
	if (*at == close)
		return at + 1;
	for (;;) {
		if (has_names) {
			at = space(string(at));
			if (!at || *at++ != ':')
				return NULL;
		}
		at = space(value(space(at)));
		if (!at)
			return NULL;
		if (*at == close)
			return at + 1;
		if (*at++ != ',')
			return NULL;
		at = space(at);
	}
}

static const char *value(const char *at)
{
	if (!at)
		return NULL;
	if (*at == '{')
		return many(at, '}', true);
	if (*at == '[')
		return many(at, ']', false);
	if (*at == '"')
		return string(at);
	const size_t word = strspn(at, "truefalsn0123456789");
	return word ? at + word : NULL;
}

static void assert_json(const struct tailbox__run *run)
{
	FILE *f = tmpfile();

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(tailbox__run_json_write(run, fileno(f)), 0);
	const long n = ftell(f) < 0 ? 0 : lseek(fileno(f), 0, SEEK_END);
	char *json = calloc(1, (size_t)n + 1);
	ck_assert_ptr_nonnull(json);
	ck_assert_int_eq(pread(fileno(f), json, (size_t)n, 0), n);
	const char *end = value(json);
	ck_assert_msg(end != NULL && *end == '\0', "not JSON: %s", json);
	free(json);
	fclose(f);
}

static void assert_loads_again(const struct tailbox__run *run)
{
	FILE *f = tmpfile();
	struct tailbox__run *loaded;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(tailbox__artifact_write(run, fileno(f)), 0);
	ck_assert_int_eq(lseek(fileno(f), 0, SEEK_SET), 0);
	ck_assert_int_eq(tailbox__artifact_read(fileno(f), &loaded, NULL), 0);
	ck_assert_uint_eq(loaded->requests.count, run->requests.count);
	assert_no_issue(loaded);
	tailbox__run_destroy(loaded);
	fclose(f);
}

static void assert_sorted(const struct tailbox__run *run)
{
	for (size_t i = 1; i < run->requests.count; i++)
		ck_assert_uint_ge(run->requests.items[i].end_us,
		                  run->requests.items[i - 1].end_us);
	for (size_t i = 1; i < run->stages.count; i++)
		ck_assert_uint_ge(run->stages.items[i].end_us,
		                  run->stages.items[i - 1].end_us);
	for (size_t i = 1; i < run->queues.count; i++)
		ck_assert_uint_ge(run->queues.items[i].end_us,
		                  run->queues.items[i - 1].end_us);
	for (size_t i = 1; i < run->inflight.count; i++)
		ck_assert_uint_ge(run->inflight.items[i].at_us,
		                  run->inflight.items[i - 1].at_us);
	for (size_t i = 1; i < run->snapshots.count; i++)
		ck_assert_uint_ge(run->snapshots.items[i].at_us,
		                  run->snapshots.items[i - 1].at_us);
}

static void assert_within_limits(const struct tailbox__run *run)
{
	const struct tailbox__limits *l = &run->meta.core.limits;

	ck_assert_uint_le(run->requests.count + run->open.count,
	                  l->max_requests);
	ck_assert_uint_le(run->stages.count, l->max_stages);
	ck_assert_uint_le(run->queues.count, l->max_queues);
	ck_assert_uint_le(run->inflight.count, l->max_inflight_snapshots);
	ck_assert_uint_le(run->snapshots.count, l->max_runtime_snapshots);
	ck_assert_uint_eq(run->ext.count, run->requests.count);
}

static void assert_durations(const struct tailbox__run *run)
{
	for (size_t i = 0; i < run->requests.count; i++) {
		const struct tailbox__run_request *r = &run->requests.items[i];
		const uint64_t by_offsets = r->end_us - r->start_us;
		ck_assert_uint_le(r->latency_us, by_offsets + 1);
		ck_assert_uint_le(by_offsets, r->latency_us + 2);
		ck_assert_uint_eq(r->start_ms, run->meta.started_ms +
		                                       r->start_us / 1000);
	}
}

/* Normalization would hide what the rules got wrong: it must have had nothing
 * to do. The one warning there may be is that of unfinished requests. */
static void assert_nothing_was_mended(const struct tailbox__run *run)
{
	ck_assert_uint_eq(run->meta.warnings.count,
	                  run->meta.unfinished_count ? 1 : 0);
}

/* A clock that gives no round numbers: TSCs do not. */
static void open_odd(void)
{
	assemble_open_hz(2893201117u);
}

START_TEST(a_thousand_random_assemblies_have_no_issue)
{
	seed = 0x9e3779b97f4a7c15u;
	const struct tailbox__assembly_config config = fixture_config;

	for (int i = 0; i < RUNS; i++) {
		fixture_config = config;
		fixture_config.until_tick = T0 + up_to(2893201117u * 60);
		fixture_config.seal_on_limits = below(3) == 0;
		any_limits(&fixture_config.limits);
		feed_any(2893201117u);
		const struct tailbox__run *run = finish();
		assert_sorted(run);
		assert_within_limits(run);
		assert_durations(run);
		assert_nothing_was_mended(run);
		if (i % 10 == 0) {
			assert_json(run);
			assert_loads_again(run);
		}
		again();
	}
}
END_TEST

/* 1,000,000 pairs of ticks: what lies inside in ticks does so in us, and no
 * offset moves back. */
START_TEST(conversion_is_monotone)
{
	const struct tailbox__clock_scale s =
	        tailbox__reader_scale(fixture_reader);
	uint64_t before = 0, ticks = 0, bad = 0;

	/* Counted: each assertion writes a line for libcheck. */
	seed = 77;
	for (int i = 0; i < 1000000; i++) {
		ticks += up_to(1 << 16);
		const uint64_t us = tailbox__ticks_to_ns(s, ticks) / 1000;
		bad += us < before;
		before = us;
	}
	ck_assert_uint_eq(bad, 0);
}
END_TEST

START_TEST(packed_durations_keep_children_inside)
{
	uint64_t bad = 0;

	seed = 78;
	for (int i = 0; i < 1000000; i++) {
		const uint64_t total = up_to((uint64_t)1 << 58);
		const uint64_t child = up_to(total);
		bad += tailbox__unpack(tailbox__pack(child)) >
		       tailbox__unpack(tailbox__pack_up(total));
	}
	ck_assert_uint_eq(bad, 0);
}
END_TEST

/* The spool keeps what passes the filter: feeding that must give the same. */
START_TEST(the_filter_keeps_all_that_belongs)
{
	seed = 79;
	for (int i = 0; i < 300; i++) {
		char batch[4032];
		const unsigned kind = 1 + (unsigned)below(3);
		const uint64_t window = fixture_config.until_tick - T0;
		size_t n = 0;

		while (n + 128 <= sizeof(batch) && below(30)) {
			const uint64_t at = up_to(2 * window) - window / 2;
			struct tailbox__rec_request r = request(n, at, 9, "/");
			struct tailbox__rec_span s = span(
			        (unsigned)below(6), n, at, 9, "x");
			r.more = (uint8_t)below(2);
			if (kind == TAILBOX__BLOCK_SPANS) {
				memcpy(batch + n, &s, sizeof(s));
				n += sizeof(s);
				continue;
			}
			if (kind == TAILBOX__BLOCK_SAMPLES)
				r.type = TAILBOX__REC_SAMPLE;
			memcpy(batch + n, &r, sizeof(r));
			memset(batch + n + 64, TAILBOX__REC_TRACE, 64);
			n += 64 * (1 + (size_t)r.more);
		}
		char filtered[4032];
		memcpy(filtered, batch, n);
		const size_t kept = tailbox__assembly_filter(
		        &fixture_config, kind, filtered, n);
		ck_assert_uint_le(kept, n);
		/* Once more changes nothing. */
		ck_assert_uint_eq(
		        tailbox__assembly_filter(&fixture_config, kind,
		                                 filtered, kept),
		        kept);
		feed(kind, batch, n);
		const struct tailbox__run *run = finish();
		const size_t requests = run->requests.count;
		const size_t samples = run->snapshots.count;
		again();
		feed(kind, filtered, kept);
		run = finish();
		ck_assert_uint_eq(run->requests.count, requests);
		ck_assert_uint_eq(run->snapshots.count, samples);
		again();
	}
}
END_TEST

/* --- dishonest records ------------------------------------------------- */

START_TEST(any_bytes_at_all_do_no_harm)
{
	seed = 80;
	for (int i = 0; i < 1000; i++) {
		char batch[4032];
		const size_t n = (size_t)below(sizeof(batch) / 32 + 1) * 32;

		for (size_t k = 0; k < n; k += 8) {
			uint64_t word = any() >> below(64);
			memcpy(batch + k, &word, 8);
		}
		/* Types that exist, ticks that may belong. */
		for (size_t k = 0; k + 64 <= n; k += 64) {
			const uint64_t tick = T0 + up_to(US);
			batch[k] = (char)below(8);
			memcpy(batch + k + 16, &tick, 8);
		}
		fixture_config.until_tick = below(2) ? UINT64_MAX : T0 + US;
		fixture_config.seal_on_limits = below(2);
		any_limits(&fixture_config.limits);
		for (unsigned kind = 0; kind < 5; kind++)
			feed(kind, batch, n);
		struct tailbox__slot s;
		memset(&s, (int)below(256), sizeof(s));
		TAILBOX__SET(s.state, TAILBOX__SLOT_OPEN);
		TAILBOX__SET(s.line, T0 + up_to(US));
		ck_assert_int_eq(
		        tailbox__assembly_add_open(assembly(), &s, 1), 0);
		ck_assert_int_eq(tailbox__assembly_finish(assembly(),
		                                          &fixture_run, NULL),
		                 0);
		assert_json(fixture_run);
		again();
	}
}
END_TEST

START_TEST(batches_cut_at_each_byte_do_no_harm)
{
	char batch[256] = { 0 };
	struct tailbox__rec_request r = request(1, 0, US, "/");

	r.more = 3;
	memcpy(batch, &r, sizeof(r));
	for (size_t n = 0; n <= sizeof(batch); n++) {
		/* On the heap, so that a read beyond it is seen. */
		char *cut = malloc(n + 1);
		ck_assert_ptr_nonnull(cut);
		memcpy(cut, batch, n);
		ck_assert_int_eq(
		        tailbox__assembly_add(assembly(),
		                              TAILBOX__BLOCK_REQUESTS, 0, cut,
		                              n),
		        0);
		free(cut);
	}
	/* Only the whole one counts. */
	ck_assert_uint_eq(finish()->requests.count, 1);
}
END_TEST

/* --- without memory ---------------------------------------------------- */

static int assemble_all(struct tailbox__run **out)
{
	struct tailbox__assembly *a = NULL;
	const struct tailbox__rec_request r = request(1, 0, 9 * US, "/");
	const struct tailbox__rec_span s = span(1, 1, US, US, "db");
	const struct tailbox__rec_span u = span(3, 1, US, 0, "jobs");
	const struct tailbox__rec_sample m = {
		.type = TAILBOX__REC_SAMPLE, .tick = T0
	};
	const struct tailbox__slot o = open_slot(2, US, "/");

	*out = NULL;
	int ret = tailbox__assembly_create(fixture_reader, &fixture_config, &a);
	if (ret < 0)
		ck_assert_ptr_null(a);
	if (ret == 0)
		ret = tailbox__assembly_add(a, TAILBOX__BLOCK_REQUESTS, 0,
		                            (const char *)&r, sizeof(r));
	if (ret == 0)
		ret = tailbox__assembly_add(a, TAILBOX__BLOCK_SPANS, 0,
		                            (const char *)&s, sizeof(s));
	if (ret == 0)
		ret = tailbox__assembly_add(a, TAILBOX__BLOCK_SPANS, 0,
		                            (const char *)&u, sizeof(u));
	if (ret == 0)
		ret = tailbox__assembly_add(a, TAILBOX__BLOCK_SAMPLES, 0,
		                            (const char *)&m, sizeof(m));
	if (ret == 0)
		ret = tailbox__assembly_add_open(a, &o, 1);
	if (ret == 0)
		ret = tailbox__assembly_set_extra(a, "window", NULL, 1);
	if (ret == 0)
		ret = tailbox__assembly_finish(a, out, NULL);
	tailbox__assembly_destroy(a);
	return ret;
}

START_TEST(every_allocation_that_fails_is_told)
{
	const bool is_sealing = _i;
	int ret = -ENOMEM;
	long n = 0;

	fixture_config.note = "a note";
	fixture_config.run_id = _i ? NULL : "given";
	fixture_config.seal_on_limits = is_sealing;
	fixture_config.limits.max_stages = is_sealing ? 0 : 10;
	/* What the reader keeps is the reader's. */
	ck_assert_int_eq(assemble_all(&fixture_run), 0);
	tailbox__run_destroy(fixture_run);
	for (; ret == -ENOMEM; n++) {
		const long live = tailbox__alloc_live();
		tailbox__alloc_fail_after(n);
		ret = assemble_all(&fixture_run);
		tailbox__alloc_fail_after(-1);
		ck_assert(ret == 0 || ret == -ENOMEM);
		if (ret == 0)
			break;
		ck_assert_ptr_null(fixture_run);
		ck_assert_int_eq(tailbox__alloc_live(), live);
	}
	ck_assert_int_gt(n, 20);
	assert_no_issue(fixture_run);
}
END_TEST

static Suite *assemble_suite(void)
{
	Suite *s = suite_create("assemble_random");
	TCase *odd = tcase_create("odd clock");
	TCase *t = tcase_create("round clock");

	tcase_add_checked_fixture(odd, open_odd, assemble_close);
	tcase_add_test(odd, a_thousand_random_assemblies_have_no_issue);
	tcase_add_test(odd, conversion_is_monotone);
	tcase_set_timeout(odd, 60);
	suite_add_tcase(s, odd);
	tcase_add_checked_fixture(t, assemble_open, assemble_close);
	tcase_add_test(t, packed_durations_keep_children_inside);
	tcase_add_test(t, the_filter_keeps_all_that_belongs);
	tcase_add_test(t, any_bytes_at_all_do_no_harm);
	tcase_add_test(t, batches_cut_at_each_byte_do_no_harm);
	tcase_add_loop_test(t, every_allocation_that_fails_is_told, 0, 2);
	tcase_set_timeout(t, 60);
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
