/* tests/test_screen.c - the first screen: what it says, and that it fits.
 *
 * SPDX-License-Identifier: MIT
 *
 * Reports are filled by hand where an analysis of a small run would not give
 * what is looked at. That whole screens are as they were is up to
 * tests/cli_screen.sh and its golden files.
 */
#include <errno.h>
#include <stdlib.h>

#include "analyzer/screen.h"
#include "analyzer/timeline_text.h"
#include "analyzer/verdict.h"
#include "tests/analyze_fixture.h"

static struct tailbox__screen_names names;

static void begin_screen(void)
{
	begin();
	names = (struct tailbox__screen_names){ "shop#42", "shop" };
	run->meta.started_ms = 1763608361000; /* 2025-11-20 03:12:41 */
	run->meta.finalized_ms = 1763608421000;
	run->meta.has_pid = true;
	run->meta.pid = 912;
}

/* For free(). */
static char *screen(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(tailbox__screen(&rep, run, &o, &names, f), 0);
	fclose(f);
	return text;
}

static void has(const char *part)
{
	char *text = screen();

	ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part,
	              text);
	free(text);
}

static void lacks(const char *part)
{
	char *text = screen();

	ck_assert_msg(strstr(text, part) == NULL, "\"%s\" in:\n%s", part, text);
	free(text);
}

static void fits(const char *text)
{
	unsigned lines = 0;

	for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
		const size_t n = strcspn(at, "\n");

		ck_assert_msg(tailbox__show_columns(at, n) <= 80 &&
		                      tailbox__show_is_plain(at, n),
		              "wide or unclean: %.*s", (int)n, at);
		ck_assert_msg(at[n] == '\n', "the last line has no end");
		ck_assert_msg(n == 0 || at[n - 1] != ' ', "a blank at the end");
		lines++;
	}
	ck_assert_msg(lines <= 25, "%u lines:\n%s", lines, text);
}

static struct tailbox__suspect *add_suspect(enum tailbox__suspect_kind kind,
                                            const char *title)
{
	struct tailbox__suspect *s = tailbox__list_grow(
	        (void **)&rep.whole.suspects, &rep.whole.suspect_count,
	        &rep.whole.suspect_room, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	s->kind = kind;
	s->score = 88;
	s->confidence = TAILBOX__CONFIDENCE_HIGH;
	s->explained_by = TAILBOX__SUSPECT_COUNT;
	if (title) {
		s->title = tailbox__alloc(strlen(title) + 1, 1);
		ck_assert_ptr_nonnull(s->title);
		memcpy(s->title, title, strlen(title) + 1);
	}
	return s;
}

static void add_finding(enum tailbox__suspect_kind kind,
                        enum tailbox__ruling ruling, const char *text)
{
	struct tailbox__finding *f = tailbox__list_add(&rep.findings);

	f->kind = kind;
	f->ruling = ruling;
	f->text = tailbox__alloc(strlen(text) + 1, 1);
	ck_assert_ptr_nonnull(f->text);
	memcpy(f->text, text, strlen(text) + 1);
}

static void say(struct tailbox__texts *t, const char *text)
{
	ck_assert_int_eq(tailbox__texts_add(t, "%s", text), 0);
}

/* The rulings of the analysis: these tests make their own. */
static void forget_findings(void)
{
	for (size_t i = 0; i < rep.findings.count; i++)
		tailbox__free(rep.findings.items[i].text);
	rep.findings.count = 0;
}

/* A run of 400 requests, 4 of them slow, and the report that a blocked worker
 * would get. */
static void block_worker(void)
{
	for (unsigned i = 0; i < 400; i++)
		add_request("/item", i * 150000u, i % 100 ? 1400 : 171000);
	analyze();
	forget_findings();
	tailbox__texts_fini(&rep.whole.suspects[0].evidence);
	tailbox__texts_fini(&rep.whole.suspects[0].next_checks);
	tailbox__texts_fini(&rep.whole.suspects[0].notes);
	rep.whole.suspect_count = 0; /* insufficient_evidence was all */
	struct tailbox__suspect *s = add_suspect(
	        TAILBOX__SUSPECT_WORKER_BLOCKED,
	        "worker blocked by GET /report");
	say(&s->evidence, "It held a worker for 50 ms or more 71 times.");
	say(&s->next_checks, "move GET /report to a pool");
	s = add_suspect(TAILBOX__SUSPECT_EXECUTOR, NULL);
	s->explained_by = TAILBOX__SUSPECT_WORKER_BLOCKED;
	rep.verdict = TAILBOX__REPORT_LIKELY;
	add_finding(TAILBOX__SUSPECT_CPU, TAILBOX__RULING_OUT,
	            "1.6 of 4.0 cores, 0 ms throttled");
	add_finding(TAILBOX__SUSPECT_ACCEPT, TAILBOX__RULING_OUT,
	            "max 0 of 511");
	add_finding(TAILBOX__SUSPECT_DOWNLOAD, TAILBOX__RULING_OUT,
	            "send p99 3 ms");
	add_finding(TAILBOX__SUSPECT_DOWNSTREAM, TAILBOX__RULING_CANNOT_TELL,
	            "no stage marked in GET /report");
}

START_TEST(a_blocked_worker)
{
	block_worker();
	has("\nLIKELY   worker blocked by GET /report"
	    "                            score 88, high\n"
	    "         It held a worker for 50 ms or more 71 times.\n");
	has("\nthen     workers do not keep up with requests (88, high, the "
	    "same time)\n");
	has("\nRULED    CPU: 1.6 of 4.0 cores, 0 ms ");
	has("\nCANNOT TELL  stages: no stage marked in GET /report\n");
	has("\nNEXT  1  tailbox timeline --request r00001 shop#42  # the "
	    "slowest, 171 ms\n"
	    "      2  gdb -p 912 -batch -ex 't a a bt'  # while it holds\n");
	has("      3  move GET /report to a pool\n"
	    "         tailbox analyze --all shop#42  # ");
	char *text = screen();
	fits(text);
	free(text);
}
END_TEST

START_TEST(rulings_stand_in_two_columns)
{
	block_worker();
	has("RULED    CPU: 1.6 of 4.0 cores, 0 ms throttled\n"
	    "OUT      accept queue: max 0 of 511          "
	    "slow downloads: send p99 3 ms\n");
	tailbox__free(rep.findings.items[0].text);
	rep.findings.items[0].text = NULL;
	has("RULED    CPU                                 "
	    "accept queue: max 0 of 511\n"
	    "OUT      slow downloads: send p99 3 ms\n");
	rep.findings.items[1].ruling = TAILBOX__RULING_LIKELY;
	has("RULED OUT  CPU                               "
	    "slow downloads: send p99 3 ms\n");
	lacks("accept queue");
}
END_TEST

START_TEST(what_lacks_the_same_shares_an_entry)
{
	block_worker();
	add_finding(TAILBOX__SUSPECT_LOCK, TAILBOX__RULING_CANNOT_TELL,
	            "no samples");
	add_finding(TAILBOX__SUSPECT_RESUME, TAILBOX__RULING_CANNOT_TELL,
	            "no samples");
	has("CANNOT   stages: no stage marked in GET /report\n"
	    "TELL     locks, resume delay: no samples\n");
}
END_TEST

START_TEST(what_is_not_known_is_not_zero)
{
	block_worker();
	lacks("0 lost");
	has("nothing cut off");
	has("  failed 0\n"); /* no status anywhere: outcomes */
	ck_assert_int_eq(tailbox__run_set_extra(run, "lost_spans", NULL, 0), 0);
	has("complete, 0 lost\n");
	ck_assert_int_eq(tailbox__run_set_extra(run, "lost_spans", NULL, 7), 0);
	run->truncation.dropped_queues = 3;
	has("INCOMPLETE\nLOST     spans 7; beyond the limits: waits 3\n");
	run->meta.has_pid = false;
	lacks("pid");
	lacks("gdb");
}
END_TEST

START_TEST(no_request_has_no_percentile)
{
	analyze();
	has("\n0 requests\n");
	has("TOO FEW  no request has ended\n");
	has("NEXT  1  tailbox capture 60s shop  # more of them\n");
	lacks("p50");
	lacks("timeline");
}
END_TEST

static void set_writer(const char *writer)
{
	ck_assert_int_eq(tailbox__run_set_extra(run, "writer", writer, 0), 0);
}

/* Nothing is asked of a pid that is nobody's, or of another process by now. */
START_TEST(a_process_that_has_ended_is_not_asked)
{
	static const char *const ended[] = { "closed", "dead" };

	block_worker();
	names.service = NULL;
	run->meta.service_name = tailbox__run_cstr(run, "the shop");
	set_writer("stopped");
	has("      2  gdb -p 912 -batch -ex 't a a bt'  # while it holds\n");
	for (size_t i = 0; i < COUNT(ended); i++) {
		set_writer(ended[i]);
		has("\nNEXT  1  tailbox timeline --request r00001 shop#42  # "
		    "the slowest, 171 ms\n"
		    "      2  move GET /report to a pool\n");
		lacks("-p 912");
	}
	rep.verdict = TAILBOX__REPORT_TOO_FEW;
	has("\nNEXT  1  tailbox timeline --request r00001 shop#42  # "
	    "the slowest, 171 ms\n"
	    "      2  tailbox capture 60s 'the shop'  # when it runs "
	    "again\n");
	run->meta.service_name = tailbox__run_cstr(run, "-x");
	has("      2  record for longer, or under more load\n");
	names.service = "shop"; /* lives, and the run is of the one before */
	has("      2  tailbox capture 60s shop  # more of them\n");
}
END_TEST

START_TEST(what_was_in_flight_comes_first)
{
	block_worker();
	run->meta.unfinished_count = 3;
	set_writer("live");
	lacks("--slowest 0");
	set_writer("dead");
	has("\nNEXT  1  tailbox timeline --slowest 0 shop#42  # what was in "
	    "flight\n"
	    "      2  tailbox timeline --request r00001 shop#42  # the "
	    "slowest, 171 ms\n"
	    "      3  move GET /report to a pool\n");
	names.artifact = NULL;
	has("FILE is what was given on standard input\n");
}
END_TEST

START_TEST(names_are_quoted_for_the_shell)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ "a b.json", " 'a b.json'  #" },
		{ "it's", " 'it'\\''s'  #" },
		{ "$(id)", " '$(id)'  #" },
		{ "~x", " '~x'  #" },
		{ "#1", " '#1'  #" },
		{ "", " ''" },
		{ "-x", " -- -x  #" },
		{ "a\nb", " FILE  #" },
		{ "a\x1b[2J", " FILE  #" },
		{ "\xff", " FILE  #" },
		{ "\xe6\xbc\xa2", " '\xe6\xbc\xa2'  #" },
	};

	block_worker();
	for (size_t i = 0; i < COUNT(cases); i++) {
		names.artifact = cases[i].name;
		has(cases[i].want);
	}
	names.artifact = NULL;
	has("tailbox analyze --all FILE");
	has("FILE is what was given on standard input\n");
}
END_TEST

/* 69 columns are the last that a line after a backslash holds. */
START_TEST(long_names_get_a_line_or_are_named_below)
{
	char name[80];

	block_worker();
	names.artifact = name;
	for (unsigned n = 68; n <= 70; n++) {
		char *text;

		memset(name, 'x', n);
		name[n] = '\0';
		text = screen();
		fits(text);
		ck_assert_int_eq(strstr(text, name) != NULL, n <= 69);
		ck_assert_int_eq(strstr(text, "FILE is the artifact") != NULL,
		                 n > 69);
		free(text);
	}
}
END_TEST

START_TEST(the_slowest_is_named_so_that_only_it_is_meant)
{
	block_worker();
	struct tailbox__run_request *r = &run->requests.items[0];
	struct tailbox__run_ext *e = sample_add_ext(run, r);
	e->number = 77;
	has("--request r00001 ");
	r->id = tailbox__run_cstr(run, "an-id-that-is-over-24-columns");
	has("--request 77 ");
	run->requests.items[5].id = tailbox__run_cstr(run, "77");
	has("--request an-id-that-is-over-24-columns ");
	r->id = tailbox__run_str(run, "a\0b", 3);
	has("--slowest 1 ");
}
END_TEST

/* --- it fits -------------------------------------------------------------- */

static const char *const bits[] = { "a", "word ", "GET /x", "\x1b[2J", "\n",
	                            "\xe6\xbc\xa2", "\xff", "\t", "'",
	                            "\xf0\x9f\x98\x80", "\xc2\x9b", " ",
	                            "\xcc\x81", "\xe2\x80\xae", "%s", "\\" };

static size_t hostile(uint64_t *seed, char *text, size_t size, size_t most)
{
	size_t len = 0;

	for (size_t n = below(seed, most); n > 0 && len + 8 < size; n--)
		len += (size_t)snprintf(text + len, size - len, "%s",
		                        bits[below(seed, COUNT(bits))]);
	text[len] = '\0';
	return len;
}

static tailbox__str hostile_name(uint64_t *seed)
{
	char text[600];
	const size_t n = hostile(seed, text, sizeof(text),
	                         below(seed, 4) ? 12 : 120);

	if (n > 2 && below(seed, 4) == 0)
		text[n / 2] = '\0'; /* within: the length tells */
	return tailbox__run_str(run, n ? text : "x", n ? n : 1);
}

static uint64_t any_number(uint64_t *seed)
{
	return next_random(seed) >> below(seed, 64);
}

static void any_meta(uint64_t *seed)
{
	struct tailbox__run_meta *m = &run->meta;
	static const char *const keys[] = { "lost_spans", "lost_blocks",
		                            "lost_\x1b\xe6\xbc\xa2_names",
		                            "late_spans", "lost_requests" };

	m->service_name = hostile_name(seed);
	m->service_version = below(seed, 2) ? hostile_name(seed) : 0;
	m->host = below(seed, 2) ? hostile_name(seed) : 0;
	m->pid = (uint32_t)next_random(seed);
	m->has_pid = below(seed, 2);
	m->started_ms = any_number(seed);
	m->finalized_ms = below(seed, 2) ? any_number(seed) : TAILBOX__NONE;
	m->unfinished_count = below(seed, 3) ? 0 : any_number(seed);
	for (size_t i = below(seed, COUNT(keys) + 1); i > 0; i--)
		ck_assert_int_eq(tailbox__run_set_extra(run, keys[i - 1], NULL,
		                                        any_number(seed)),
		                 0);
	if (below(seed, 2))
		set_writer("dead");
	run->truncation.limits_hit = below(seed, 2);
	run->truncation.dropped_queues = below(seed, 2) ? any_number(seed) : 0;
	run->truncation.dropped_stages = below(seed, 2) ? any_number(seed) : 0;
}

static void any_report(uint64_t *seed)
{
	char text[600];

	rep.verdict = (enum tailbox__report_verdict)below(seed, 4);
	for (size_t n = below(seed, 12); n > 0; n--) {
		hostile(seed, text, sizeof(text), 30);
		struct tailbox__suspect *s = add_suspect(
		        (enum tailbox__suspect_kind)below(
		                seed, TAILBOX__SUSPECT_COUNT),
		        below(seed, 2) ? text : NULL);
		for (size_t k = below(seed, 6); k > 0; k--) {
			hostile(seed, text, sizeof(text), 100);
			say(&s->evidence, text);
			say(&s->next_checks, text);
			say(&s->notes, text);
		}
	}
	/* It is likely only where something is. */
	if (!tailbox__lead(&rep) && rep.verdict == TAILBOX__REPORT_LIKELY)
		rep.verdict = TAILBOX__REPORT_UNCLEAR;
	for (unsigned k = 0; below(seed, 3) && k < TAILBOX__SUSPECT_COUNT;
	     k++) {
		hostile(seed, text, sizeof(text), 40);
		if (k != TAILBOX__SUSPECT_UNKNOWN)
			add_finding((enum tailbox__suspect_kind)k,
			            (enum tailbox__ruling)below(seed, 3), text);
	}
	for (size_t k = 0; k < rep.anatomy.count; k++)
		rep.anatomy.pieces[k].tail_us = any_number(seed);
}

static void add_kept(uint64_t start_ms)
{
	if (!run->kept)
		ck_assert_int_eq(tailbox__run_create_kept(run, &run->kept), 0);
	struct tailbox__run_request *r =
	        tailbox__list_add(&run->kept->requests);
	ck_assert_ptr_nonnull(r);
	r->start_ms = start_ms;
}

START_TEST(kept_ones_have_a_line_and_change_no_figure)
{
	block_worker();
	lacks("KEPT");
	char *without = screen();
	add_kept(1763522000000);
	has("\nKEPT     1 slow or failed request from before, since 2025-11-19 "
	    "03:13:20 UTC\n");
	add_kept(1763521000000);
	has("\nKEPT     2 slow or failed requests from before, since 2025-11-19 "
	    "02:56:40 UTC\n");
	char *with = screen(), *line = strstr(with, "KEPT");
	ck_assert_int_eq(strncmp(with, without, (size_t)(line - with)), 0);
	free(with);
	free(without);
}
END_TEST

START_TEST(whatever_comes_fits_the_screen)
{
	uint64_t seed = 42;
	char name[600];

	for (unsigned round = 0; round < 1500; round++) {
		again();
		any_meta(&seed);
		for (size_t n = below(&seed, 30); n > 0; n--) {
			uint32_t i = add_request("/x", any_number(&seed) >> 2,
			                         any_number(&seed) >> 2);
			struct tailbox__run_request *r =
			        &run->requests.items[i];
			for (size_t k = below(&seed, 4); k > 0; k--) {
				struct tailbox__run_span *s =
				        add_stage(i, "s", 0, r->latency_us);
				s->name = hostile_name(&seed);
			}
		}
		for (size_t n = below(&seed, 3); n > 0; n--)
			add_kept(any_number(&seed));
		analyze();
		if (below(&seed, 4))
			any_report(&seed);
		hostile(&seed, name, sizeof(name), 60);
		names.artifact = below(&seed, 5) ? name : NULL;
		names.service = below(&seed, 2) ? name : NULL;
		char *text = screen();
		fits(text);
		ck_assert_ptr_nonnull(strstr(text, "tailbox analyze"));
		ck_assert_ptr_nonnull(strstr(text, "--all"));
		free(text);
	}
}
END_TEST

/* Nothing leaks, and nothing is written, when memory runs out. */
START_TEST(every_allocation_may_fail)
{
	char *text = NULL;
	size_t len;
	int rc = -ENOMEM;

	block_worker();
	const long live = tailbox__alloc_live();
	for (long n = 0; rc == -ENOMEM; n++) {
		FILE *f = open_memstream(&text, &len);

		ck_assert_ptr_nonnull(f);
		tailbox__alloc_fail_after(n);
		rc = tailbox__screen(&rep, run, &o, &names, f);
		tailbox__alloc_fail_after(-1);
		fclose(f);
		ck_assert_int_eq(tailbox__alloc_live(), live);
		ck_assert(rc == 0 || (rc == -ENOMEM && len == 0));
		ck_assert_int_lt(n, 1000);
		free(text);
	}
	ck_assert_int_eq(rc, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("screen");
	TCase *t = tcase_create("screen");
	SRunner *r;

	tcase_add_checked_fixture(t, begin_screen, end);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_blocked_worker);
	tcase_add_test(t, rulings_stand_in_two_columns);
	tcase_add_test(t, what_lacks_the_same_shares_an_entry);
	tcase_add_test(t, what_is_not_known_is_not_zero);
	tcase_add_test(t, no_request_has_no_percentile);
	tcase_add_test(t, a_process_that_has_ended_is_not_asked);
	tcase_add_test(t, what_was_in_flight_comes_first);
	tcase_add_test(t, names_are_quoted_for_the_shell);
	tcase_add_test(t, long_names_get_a_line_or_are_named_below);
	tcase_add_test(t, the_slowest_is_named_so_that_only_it_is_meant);
	tcase_add_test(t, kept_ones_have_a_line_and_change_no_figure);
	tcase_add_test(t, whatever_comes_fits_the_screen);
	tcase_add_test(t, every_allocation_may_fail);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
