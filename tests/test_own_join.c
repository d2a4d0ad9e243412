/* tests/test_own_join.c - suspects of ours among the standard ones.
 *
 * SPDX-License-Identifier: MIT
 *
 * doc/analysis.md: what explains what, and what is likely, ruled out, or
 * cannot be told. Then what must not change a report, and no memory.
 */
#include <errno.h>

#include "tests/own_fixture.h"

#define QUEUE TAILBOX__SUSPECT_QUEUE
#define BLOCKING TAILBOX__SUSPECT_BLOCKING
#define EXECUTOR TAILBOX__SUSPECT_EXECUTOR
#define DOWNSTREAM TAILBOX__SUSPECT_DOWNSTREAM
#define CPU TAILBOX__SUSPECT_CPU
#define LIMIT TAILBOX__SUSPECT_CONNECTIONS
#define LOCK TAILBOX__SUSPECT_LOCK
#define SPINNING TAILBOX__SUSPECT_SPINNING
#define BLOCKED TAILBOX__SUSPECT_WORKER_BLOCKED
#define UPLOAD TAILBOX__SUSPECT_UPLOAD
#define DOWNLOAD TAILBOX__SUSPECT_DOWNLOAD
#define RESUME TAILBOX__SUSPECT_RESUME
#define ACCEPT TAILBOX__SUSPECT_ACCEPT
#define NOBODY TAILBOX__SUSPECT_COUNT
#define METRIC(name) TAILBOX__METRIC_##name

/* --- what explains what ------------------------------------------------ */

/* Analyse; `other` is explained by `deeper` (NOBODY: stands for itself). */
static void expect(enum tailbox__suspect_kind other,
                   enum tailbox__suspect_kind deeper)
{
	const struct tailbox__suspect *s, *d;

	analyze();
	s = suspect(other);
	ck_assert_ptr_nonnull(s);
	ck_assert_msg(s->explained_by == deeper, "%s by %d",
	              tailbox__suspect_names[other], (int)s->explained_by);
	ck_assert_int_eq(tells(&s->notes, "accounts for the same time"),
	                 deeper != NOBODY);
	if (deeper == NOBODY)
		return;
	d = suspect(deeper);
	ck_assert_ptr_nonnull(d);
	ck_assert(tells(&s->notes, tailbox__suspect_names[deeper]));
	ck_assert_int_eq(d->explained_by, NOBODY);
	ck_assert_uint_ge(d->score, s->score);
	ck_assert_int_le(s->confidence, TAILBOX__CONFIDENCE_MEDIUM);
	ck_assert(d < s); /* stands behind it */
}

/* 30 requests; a third of them hold for 1 ms, the next third waits for them,
 * 300 thousandths of the time. */
static void blocked(void)
{
	again();
	base(30);
	for (uint32_t i = 0; i < 10; i++) {
		handler(i, "/h", 1000);
		behind(10 + i, i, 900);
	}
}

/* Holders are in a wait for so long and then in a stage. */
static void holders_in(uint64_t wait, uint64_t stage)
{
	blocked();
	for (uint32_t i = 0; i < 10; i++) {
		add_queue(i, 0, wait, NONE);
		add_stage(i, "db", wait, wait + stage);
	}
}

START_TEST(marked_waits_of_holders_explain_the_blocked_worker)
{
	holders_in(500, 0);
	expect(BLOCKED, QUEUE);
	holders_in(499, 0);
	expect(BLOCKED, NOBODY);
	holders_in(0, 500);
	expect(BLOCKED, DOWNSTREAM);
	holders_in(0, 499);
	expect(BLOCKED, NOBODY);
	/* Half is known of both together: of neither alone. */
	holders_in(300, 300);
	expect(BLOCKED, NOBODY);
}
END_TEST

static void looks(unsigned n, int state, const char *wchan)
{
	for (unsigned i = 0; i < n; i++) {
		const uint32_t s = sample(run->snapshots.count * 1000);

		value(s, METRIC(WORKER_STATE), 0, (uint64_t)state);
		if (wchan)
			value(s, METRIC(WORKER_WCHAN), 0,
			      tailbox__run_cstr(run, wchan));
		value(s, METRIC(WORKER_HELD_US), 0, 1000);
	}
}

START_TEST(locks_and_computing_explain_the_blocked_worker)
{
	blocked();
	looks(5, 'S', "futex_wait");
	expect(BLOCKED, LOCK);
	blocked();
	looks(5, 'R', NULL);
	expect(BLOCKED, SPINNING);
	blocked();
	looks(5, 'S', "poll");
	expect(BLOCKED, NOBODY);
}
END_TEST

/* Each of the last 30 requests waits behind n holders of so long. */
static void line(unsigned n, uint64_t each_us)
{
	again();
	base(n + 30);
	for (uint32_t i = 0; i < n; i++) {
		handler(i, "/h", each_us);
		if (i > 0)
			behind(i, i - 1, 0);
	}
	for (uint32_t i = n; i < n + 30; i++) {
		const uint64_t us = n * each_us;

		run->requests.items[i].latency_us = us;
		run->requests.items[i].end_us =
		        run->requests.items[i].start_us + us;
		run->requests.items[i].end_ms =
		        wall_of(run->requests.items[i].end_us);
		behind(i, n - 1, us);
	}
}

static void add_queued(void)
{
	for (unsigned i = 0; i < 10; i++) {
		sample(i * 1000);
		value(i, METRIC(ACCEPT_QUEUE), 1, 9);
	}
}

START_TEST(a_line_of_short_holds_blocks_no_worker)
{
	line(4, 49999);
	expect(BLOCKED, NOBODY); /* nothing says that there are too few */
	line(4, 49999);
	add_queued();
	expect(BLOCKED, ACCEPT);
	line(4, 50000); /* is not short */
	add_queued();
	expect(BLOCKED, NOBODY);
	line(3, 1000); /* are not many */
	add_queued();
	expect(BLOCKED, NOBODY);
	line(4, 49999);
	add_snapshots(100, 40, 0, 0, 4);
	expect(BLOCKED, EXECUTOR);
	line(3, 1000);
	add_snapshots(100, 40, 0, 0, 4);
	expect(EXECUTOR, BLOCKED);
}
END_TEST

static void add_full(void)
{
	for (unsigned i = 0; i < 10; i++) {
		const uint32_t s = sample(50000 + i * 1000);

		value(s, METRIC(CONNECTIONS), 0, 8);
		value(s, METRIC(CONNECTION_LIMIT), 1, 8);
	}
}

START_TEST(a_full_limit_explains_the_accept_queue)
{
	base(20);
	add_queued();
	expect(ACCEPT, NOBODY);
	add_full();
	expect(ACCEPT, LIMIT);
	/* Also what the queue had explained before: all stand behind it. */
	line(4, 1000);
	add_queued();
	expect(BLOCKED, ACCEPT);
	add_full();
	expect(ACCEPT, LIMIT);
	expect(BLOCKED, LIMIT);
}
END_TEST

START_TEST(depths_are_explained_by_who_waits_there)
{
	base(20);
	add_snapshots(100, 40, 0, 0, 4);
	expect(EXECUTOR, NOBODY);
	add_full();
	expect(EXECUTOR, LIMIT);
	again();
	base(20);
	add_queued();
	add_snapshots(100, 40, 0, 0, 4);
	expect(EXECUTOR, ACCEPT);
	blocked();
	add_snapshots(100, 40, 0, 0, 4);
	expect(EXECUTOR, BLOCKED);
	looks(5, 'R', NULL); /* of a chain the deepest */
	expect(EXECUTOR, SPINNING);
	expect(BLOCKED, SPINNING);
}
END_TEST

/* Everything at once: what has a suspect of its own beside the CPU. */
static void all_kinds(uint64_t cpu_us, uint64_t runq_us)
{
	again();
	base(40);
	for (uint32_t i = 0; i < 40; i++) {
		ext(i)->worker = 1;
		phase(i, TAILBOX__PHASE_BODY, 300);
		phase(i, TAILBOX__PHASE_RESUME, 300);
		phase(i, TAILBOX__PHASE_SEND, 300);
		ext(i)->bytes_out = 50000;
		handler(i, i < 20 ? "/a" : "/b", 1000);
		if (i >= 5)
			behind(i, i - 5, 300);
		add_queue(i, 0, 400, 3);
		add_stage(i, "db", 400, 750);
	}
	for (uint32_t i = 0; i <= 10; i++) {
		const uint32_t s = sample(i * 4000);

		run->snapshots.items[i].blocking_queue_depth = 30;
		run->snapshots.items[i].global_queue_depth = 30;
		value(s, METRIC(CONNECTIONS), 0, 8);
		used(s, 1, cpu_us, runq_us);
		value(s, METRIC(WORKER_STATE), 1, i % 2 ? 'R' : 'S');
		value(s, METRIC(WORKER_WCHAN), 1,
		      tailbox__run_cstr(run, "futex_wait"));
		value(s, METRIC(WORKER_HELD_US), 1, 2000);
		value(s, METRIC(CONNECTION_LIMIT), 1, 8);
		value(s, METRIC(ACCEPT_QUEUE), 1, 20);
	}
	run->values.items[3].value = 'R'; /* 6 of 11 */
}

START_TEST(without_cpu_everything_takes_longer)
{
	static const enum tailbox__suspect_kind by_cpu[] = {
		QUEUE, EXECUTOR, DOWNSTREAM, SPINNING, BLOCKED, RESUME, ACCEPT
	};
	static const enum tailbox__suspect_kind by_none[] = {
		BLOCKING, LIMIT, UPLOAD, DOWNLOAD, CPU
	};

	all_kinds(1000, 3000); /* T = 750, ready for 750 */
	for (size_t i = 0; i < COUNT(by_cpu); i++)
		expect(by_cpu[i], CPU);
	for (size_t i = 0; i < COUNT(by_none); i++)
		expect(by_none[i], NOBODY);
	/* Short of CPU, and not starved: T = 500, ready for 500. */
	all_kinds(2000, 2000);
	expect(CPU, NOBODY);
	expect(DOWNSTREAM, NOBODY);
	expect(RESUME, NOBODY);
	expect(ACCEPT, LIMIT);
}
END_TEST

START_TEST(starved_is_one_of_three)
{
	all_kinds(3000, 2396); /* T = 599 */
	expect(RESUME, NOBODY);
	all_kinds(3000, 2400); /* T = 600, ready for 444 */
	expect(RESUME, CPU);
	all_kinds(134, 400); /* T = 100, ready for 749 */
	expect(RESUME, NOBODY);
	all_kinds(133, 400);
	expect(RESUME, CPU);
	all_kinds(0, 396); /* T = 99 */
	expect(RESUME, NOBODY);
	all_kinds(4000, 400); /* T = 100, ready for 90; and a quota */
	for (uint32_t i = 0; i < 2; i++) {
		struct tailbox__run_value *v = tailbox__list_add(&run->values);

		*v = (struct tailbox__run_value){
			.snapshot = i * 10,
			.metric = METRIC(CGROUP_THROTTLED_US),
			.value = i * 1999
		};
	}
	expect(RESUME, NOBODY);
	run->values.items[run->values.count - 1].value = 2000; /* of 40 ms */
	expect(RESUME, CPU);
	all_kinds(4000, 396); /* T = 99: a quota that the tail does not feel */
	for (uint32_t i = 0; i < 2; i++) {
		struct tailbox__run_value *v = tailbox__list_add(&run->values);

		*v = (struct tailbox__run_value){
			.snapshot = i * 10,
			.metric = METRIC(CGROUP_THROTTLED_US),
			.value = i * 20000
		};
	}
	expect(RESUME, NOBODY);
}
END_TEST

/* Handlers that run all the time, half of it without a CPU. */
static void compute(uint64_t each)
{
	again();
	for (uint32_t i = 0; i < 20; i++) {
		add_request("/r", i * each, each);
		ext(i)->worker = 1;
		phase(i, TAILBOX__PHASE_HANDLER, each);
	}
	for (uint32_t i = 0; i <= 10; i++) {
		const uint32_t s = sample(i * 40000);

		used(s, 1, 20000, 20000);
		value(s, METRIC(WORKER_STATE), 1, 'R');
		value(s, METRIC(WORKER_HELD_US), 1, 2000);
	}
}

START_TEST(who_computes_for_long_waits_for_a_cpu)
{
	compute(20000); /* 10 ms with a CPU */
	expect(CPU, TAILBOX__SUSPECT_SPINNING);
	compute(19998);
	expect(CPU, NOBODY);
	expect(TAILBOX__SUSPECT_SPINNING, NOBODY);
}
END_TEST

START_TEST(the_better_score_is_taken_over)
{
	for (unsigned turn = 0; turn < 2; turn++) {
		again();
		base(100);
		for (uint32_t i = 0; i < 10; i++) { /* T = C = 200 */
			handler(i, "/h", 1000);
			behind(10 + i, i, 1000);
		}
		add_snapshots(1, turn ? 2 : 40, 0, 0, 4);
		ck_assert_uint_eq(score_of(EXECUTOR), turn ? 34 + 5 : 34 + 55);
		ck_assert_uint_eq(suspect(BLOCKED)->score,
		                  turn ? 24 + 18 + 5 + 1 : 34 + 55);
	}
}
END_TEST

START_TEST(what_is_explained_is_no_rival)
{
	blocked();
	add_snapshots(100, 40, 0, 0, 4); /* both 97 */
	analyze();
	ck_assert_uint_eq(suspect(EXECUTOR)->score, 97);
	ck_assert_uint_eq(suspect(BLOCKED)->score, 97);
	ck_assert_int_eq(suspect(BLOCKED)->confidence,
	                 TAILBOX__CONFIDENCE_HIGH);
	ck_assert(!tells(&suspect(BLOCKED)->notes, "close"));
	ck_assert_int_eq(suspect(EXECUTOR)->confidence,
	                 TAILBOX__CONFIDENCE_MEDIUM);
	ck_assert_ptr_eq(suspect(BLOCKED), &rep.whole.suspects[0]);
}
END_TEST

/* --- findings ---------------------------------------------------------- */

static void expect_findings(void)
{
	size_t n = 0;

	for (unsigned k = 0; k < NOBODY; k++) {
		const struct tailbox__finding *f = &rep.findings.items[n];
		const struct tailbox__suspect *s = suspect(k);

		if (k == TAILBOX__SUSPECT_UNKNOWN)
			continue;
		ck_assert_uint_lt(n++, rep.findings.count);
		ck_assert_uint_eq(f->kind, k);
		ck_assert_int_eq(f->ruling == TAILBOX__RULING_LIKELY,
		                 f->text == NULL);
		ck_assert_int_eq(f->ruling == TAILBOX__RULING_LIKELY,
		                 s && (k >= TAILBOX__SUSPECT_OWN ||
		                       s->confidence >
		                               TAILBOX__CONFIDENCE_LOW));
	}
	ck_assert_uint_eq(rep.findings.count, n);
}

START_TEST(there_is_one_finding_of_each_kind_in_their_order)
{
	analyze();
	expect_findings();
	base(20);
	analyze();
	expect_findings();
	all_kinds(1000, 3000);
	analyze();
	expect_findings();
	all_kinds(4000, 0);
	analyze();
	expect_findings();
}
END_TEST

START_TEST(standard_kinds_are_ruled_out_with_their_figure)
{
	base(20);
	analyze();
	EXPECT_CANNOT(QUEUE, "no wait is marked");
	EXPECT_CANNOT(BLOCKING, "no offload pool is registered");
	EXPECT_CANNOT(EXECUTOR, "no samples");
	EXPECT_CANNOT(DOWNSTREAM, "no stage is marked");
	wait_in_all(100, NONE);
	stage_in_all("db", 0);
	add_snapshots(30, 1, 0, 0, 4);
	analyze();
	EXPECT_OUT(QUEUE, "10.0% of request time at p95");
	EXPECT_OUT(BLOCKING, "depth 0 at p95");
	EXPECT_OUT(EXECUTOR, "1 wait at p95");
	/* Waits for a worker are none that anybody marked. */
	for (size_t i = 0; i < run->queues.count; i++)
		run->queues.items[i].name =
		        tailbox__run_cstr(run, "mhd.ingress");
	analyze();
	EXPECT_CANNOT(QUEUE, "no wait is marked");
	/* A suspect of low confidence is ruled out. */
	again();
	base(20);
	stage_in_all("db", 250);
	analyze();
	ck_assert_int_eq(suspect(DOWNSTREAM)->confidence,
	                 TAILBOX__CONFIDENCE_LOW);
	ck_assert_int_eq(finding(DOWNSTREAM)->ruling, TAILBOX__RULING_OUT);
	ck_assert_str_eq(finding(DOWNSTREAM)->text,
	                 "no stage above 25.0% of slow requests' time");
}
END_TEST

START_TEST(waits_for_a_worker_do_not_count_as_queues)
{
	base(20);
	wait_in_all(900, NONE);
	expect(QUEUE, NOBODY);
	for (size_t i = 0; i < run->queues.count; i++)
		run->queues.items[i].name =
		        tailbox__run_cstr(run, "mhd.ingress");
	analyze();
	ck_assert_ptr_null(suspect(QUEUE));
	ck_assert_uint_eq(rep.whole.p95_queue_permille, 900);
}
END_TEST

/* --- without ours ------------------------------------------------------ */

static char *json(bool is_compat)
{
	struct tailbox__json j;
	char *text, *kept;

	tailbox__report_fini(&rep);
	ck_assert_int_eq(tailbox__analyze(run, &o, is_compat, &rep), 0);
	tailbox__json_init(&j, true);
	ck_assert_int_eq(tailbox__report_json(&rep, run, &o, &j), 0);
	text = tailbox__json_take(&j, NULL);
	kept = strdup(text);
	tailbox__free(text);
	return kept;
}

START_TEST(compat_is_as_if_there_were_no_extension_data)
{
	char *with, *without;

	all_kinds(1000, 3000);
	with = json(true);
	ck_assert_uint_eq(rep.findings.count, 0);
	for (unsigned k = TAILBOX__SUSPECT_OWN; k < NOBODY; k++)
		ck_assert_ptr_null(suspect(k));
	run->ext.count = 0;
	run->values.count = 0;
	for (size_t i = 0; i < run->requests.count; i++)
		run->requests.items[i].ext = 0;
	without = json(true);
	ck_assert_str_eq(with, without);
	free(without);
	/* Not asked for either: the standard members are the same. */
	without = json(false);
	const size_t n = strlen(with) - strlen("\n}\n");
	ck_assert_int_eq(strncmp(with, without, n), 0);
	free(without);
	free(with);
}
END_TEST

START_TEST(a_route_has_names_of_its_own)
{
	holders_in(600, 0);
	for (uint32_t i = 0; i < 10; i++) {
		route(10 + i, "/v");
		route(20 + i, "/w");
	}
	o.v[TAILBOX__OPT_ROUTE_MIN_REQUESTS] = 1;
	o.v[TAILBOX__OPT_ROUTE_FASTEST_NUM] = 0;
	analyze();
	ck_assert_uint_eq(rep.routes.count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct tailbox__report_slice *s =
		        &rep.routes.items[i].slice;
		const bool is_behind = is_name(rep.routes.items[i].route, "/v");

		ck_assert_int_eq(find_in(s, BLOCKED) != NULL, is_behind);
		if (is_behind)
			ck_assert(tells(&find_in(s, BLOCKED)->evidence,
			                "in wait 'pool'"));
	}
}
END_TEST

START_TEST(routes_and_halves_have_suspects_from_phases_only)
{
	static const enum tailbox__suspect_kind of_whole[] = {
		CPU, LIMIT, LOCK, SPINNING, ACCEPT, TAILBOX__SUSPECT_LOOP
	};
	size_t blocked_ones = 0;

	o.v[TAILBOX__OPT_ROUTE_MIN_REQUESTS] = 1;
	o.v[TAILBOX__OPT_ROUTE_GLOBAL_NUM] = 0;
	all_kinds(1000, 3000);
	o.v[TAILBOX__OPT_ROUTE_MIN_REQUESTS] = 1;
	o.v[TAILBOX__OPT_ROUTE_GLOBAL_NUM] = 0;
	o.v[TAILBOX__OPT_ROUTE_FASTEST_NUM] = 0;
	analyze();
	ck_assert_uint_eq(rep.routes.count, 2);
	for (size_t i = 0; i < rep.routes.count; i++) {
		const struct tailbox__report_slice *s =
		        &rep.routes.items[i].slice;

		for (size_t k = 0; k < COUNT(of_whole); k++)
			ck_assert_ptr_null(find_in(s, of_whole[k]));
		ck_assert_ptr_nonnull(find_in(s, UPLOAD));
		blocked_ones += find_in(s, BLOCKED) != NULL;
	}
	ck_assert_uint_eq(blocked_ones, 2);
	for (size_t i = 0; i < rep.segments.count; i++)
		for (size_t k = 0; k < COUNT(of_whole); k++)
			ck_assert_ptr_null(find_in(
			        &rep.segments.items[i].slice, of_whole[k]));
	expect_findings();
}
END_TEST

/* --- texts ------------------------------------------------------------- */

START_TEST(titles_and_evidence_stand_hostile_names)
{
	static const char *const names[] = {
		"/\x1b[31m\n\r\t\x01x", "/\xff\xfe\x80\xc3",
		"/0123456789012345678901234567890123456789012345678901234567",
		"/0123456789012345678901234567890123\u4e2d\u6587\u4e2d\u6587",
		"/\u202e\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d",
		"/\u00e9\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d",
		"/01\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d\u6587\u4e2d",
		"/%s%n%d", ""
	};

	for (size_t k = 0; k < COUNT(names); k++) {
		again();
		all_kinds(1000, 3000);
		for (uint32_t i = 0; i < 40; i++) {
			route(i, names[k]);
			if (ext(i)->holder_number)
				ext(i)->holder_route =
				        run->requests.items[i].route;
		}
		run->meta.has_pid = true;
		run->meta.pid = 912;
		tailbox__report_fini(&rep);
		ck_assert_int_eq(tailbox__analyze(run, &o, false, &rep), 0);
		for (size_t i = 0; i < rep.whole.suspect_count; i++) {
			const struct tailbox__suspect *s =
			        &rep.whole.suspects[i];

			if (s->kind < TAILBOX__SUSPECT_OWN)
				continue;
			ck_assert_uint_le(strlen(s->title), 60);
			ck_assert(is_clean(s->title));
			for (size_t t = 0; t < s->evidence.count; t++)
				ck_assert(is_clean(s->evidence.items[t]));
			for (size_t t = 0; t < s->next_checks.count; t++)
				ck_assert(is_clean(s->next_checks.items[t]));
		}
		for (size_t i = 0; i < rep.findings.count; i++)
			ck_assert(!rep.findings.items[i].text ||
			          is_clean(rep.findings.items[i].text));
	}
}
END_TEST

/* --- properties -------------------------------------------------------- */

static void random_run(uint64_t seed, bool is_renamed)
{
	uint64_t s = seed;
	char name[32];

	again();
	for (uint32_t i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), is_renamed ? "/%c-long" : "/%c",
		         (char)('a' + below(&s, 5)));
		add_request(name, i * 3000, 500 + below(&s, 9000));
		ext(i)->worker = (uint32_t)below(&s, 3);
		ext(i)->connection = below(&s, 20);
		ext(i)->bytes_out = below(&s, 40000);
		for (unsigned k = 0; k < TAILBOX__PHASE_COUNT; k++)
			if (below(&s, 3) > 0)
				phase(i, k, below(&s, 3000));
		if (i > 0 && below(&s, 2))
			behind(i, (uint32_t)below(&s, i), below(&s, 9000));
		if (below(&s, 2))
			add_queue(i, 0, below(&s, 400), NONE);
		if (below(&s, 2))
			add_stage(i, "db", 0, below(&s, 400));
	}
	for (uint32_t i = 0; i < 30; i++) {
		sample(i * 6000 + below(&s, 1000));
		value(i, METRIC(CONNECTIONS), 0, below(&s, 9));
		value(i, METRIC(PROCESS_CPU_US), 0, i * 1000);
		value(i, METRIC(LISTEN_OVERFLOWS), 0, i);
		for (uint32_t w = 0; w < 3; w++) {
			used(i, w, below(&s, 4000), below(&s, 4000));
			value(i, METRIC(WORKER_STATE), w,
			      below(&s, 2) ? 'R' : 'S');
			value(i, METRIC(WORKER_WCHAN), w,
			      tailbox__run_cstr(run, "futex_x"));
			value(i, METRIC(WORKER_HELD_US), w, below(&s, 3000));
		}
		value(i, METRIC(CONNECTION_LIMIT), 1, 8);
		value(i, METRIC(ACCEPT_QUEUE), 1, below(&s, 8));
	}
}

/* Turn the order of everything around; values stay with their samples. */
static void turn_around(void)
{
	const size_t n = run->snapshots.count, m = run->values.count;
	struct tailbox__run_value *v = run->values.items;

#define TURN(list)                                                             \
	for (size_t i = 0, k = (list).count; i + 1 < k--; i++) {               \
		const __typeof__((list).items[0]) kept = (list).items[i];      \
		(list).items[i] = (list).items[k];                             \
		(list).items[k] = kept;                                        \
	}
	TURN(run->requests);
	TURN(run->queues);
	TURN(run->stages);
	TURN(run->snapshots);
	TURN(run->values);
#undef TURN
	for (size_t i = 0; i < m; i++)
		v[i].snapshot = (uint32_t)(n - 1) - v[i].snapshot;
}

/* Kinds, scores, figures without names, findings. */
static void tell(char *to, size_t room)
{
	size_t n = 0;

	analyze();
	for (size_t i = 0; i < rep.whole.suspect_count; i++) {
		const struct tailbox__suspect *s = &rep.whole.suspects[i];

		n += (size_t)snprintf(to + n, room - n, "%d %u %d %d\n",
		                      (int)s->kind, s->score,
		                      (int)s->confidence,
		                      (int)s->explained_by);
		for (size_t k = 0; k < s->figures.count; k++)
			if (s->figures.items[k].name == 0)
				n += (size_t)snprintf(
				        to + n, room - n, "%s %ju\n",
				        s->figures.items[k].key,
				        (uintmax_t)s->figures.items[k].value);
	}
	for (size_t i = 0; i < rep.findings.count; i++) {
		const struct tailbox__finding *f = &rep.findings.items[i];

		n += (size_t)snprintf(to + n, room - n, "%d %d %s\n",
		                      (int)f->kind, (int)f->ruling,
		                      f->text ? f->text : "");
	}
	ck_assert_uint_lt(n, room);
}

START_TEST(order_of_the_input_and_names_of_routes_do_not_matter)
{
	static char plain[16384], other[16384];
	unsigned ours = 0;

	for (uint64_t seed = 1; seed <= 60; seed++) {
		random_run(seed, false);
		tell(plain, sizeof(plain));
		for (unsigned k = TAILBOX__SUSPECT_OWN; k < NOBODY; k++)
			ours += suspect(k) != NULL;
		random_run(seed, false);
		turn_around();
		tell(other, sizeof(other));
		ck_assert_str_eq(plain, other);
		random_run(seed, true);
		tell(other, sizeof(other));
		ck_assert_str_eq(plain, other);
	}
	ck_assert_uint_gt(ours, 60);
}
END_TEST

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
	long n = 0, live;
	int rc;

	do {
		all_kinds(1000, 3000);
		run->meta.has_pid = true;
		run->meta.pid = 912;
		live = tailbox__alloc_live();
		tailbox__alloc_fail_after(n++);
		rc = tailbox__analyze(run, &o, false, &rep);
		tailbox__alloc_fail_after(-1);
		if (rc != 0) {
			ck_assert_int_eq(rc, -ENOMEM);
			tailbox__report_fini(&rep);
			ck_assert_int_eq(tailbox__alloc_live(), live);
		}
	} while (rc != 0);
	ck_assert_int_gt(n, 200);
	expect_findings();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("own_join");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, marked_waits_of_holders_explain_the_blocked_worker);
	tcase_add_test(t, locks_and_computing_explain_the_blocked_worker);
	tcase_add_test(t, a_line_of_short_holds_blocks_no_worker);
	tcase_add_test(t, a_full_limit_explains_the_accept_queue);
	tcase_add_test(t, depths_are_explained_by_who_waits_there);
	tcase_add_test(t, without_cpu_everything_takes_longer);
	tcase_add_test(t, starved_is_one_of_three);
	tcase_add_test(t, who_computes_for_long_waits_for_a_cpu);
	tcase_add_test(t, the_better_score_is_taken_over);
	tcase_add_test(t, what_is_explained_is_no_rival);
	tcase_add_test(t, there_is_one_finding_of_each_kind_in_their_order);
	tcase_add_test(t, standard_kinds_are_ruled_out_with_their_figure);
	tcase_add_test(t, waits_for_a_worker_do_not_count_as_queues);
	tcase_add_test(t, compat_is_as_if_there_were_no_extension_data);
	tcase_add_test(t, a_route_has_names_of_its_own);
	tcase_add_test(t, routes_and_halves_have_suspects_from_phases_only);
	tcase_add_test(t, titles_and_evidence_stand_hostile_names);
	tcase_add_test(t, order_of_the_input_and_names_of_routes_do_not_matter);
	tcase_add_test(t,
	               every_failing_allocation_is_reported_and_leaks_nothing);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return sample_run_suite(suite());
}
