/* tests/test_analyzer_options.c - what an analysis can be told: defaults,
 * overrides, files, rules, and how the options are shown.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/options.h"
#include "analyzer/options_internal.h"
#include "core/alloc.h"
#include "core/tailbox.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LIST_PATH "downstream.blocking_correlated_stage_patterns"
#define V1 "[analyzer]\nschema_version = 1\n"

static struct tailbox__analyzer_options o;

static void begin(void)
{
	ck_assert_int_eq(tailbox__analyzer_options_init(&o), 0);
}

/* Nothing is left behind, whatever the test did. */
static void end(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__analyzer_options_fini(&o);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

/* All options as one text, "path=value" lines; NULL-free, static. */
static const char *all_of(const struct tailbox__analyzer_options *x)
{
	static char out[2][16384];
	static unsigned turn;
	char *to = out[turn++ % 2];
	size_t n = 0;

	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		char *text = tailbox__option_text(x, (enum tailbox__option)i);
		ck_assert_ptr_nonnull(text);
		n += (size_t)snprintf(to + n, sizeof(out[0]) - n, "%s=%s\n",
		                      tailbox__option_path(
		                              (enum tailbox__option)i), text);
		ck_assert_uint_lt(n, sizeof(out[0]));
		tailbox__free(text);
	}
	return to;
}

static const char *value_of(const char *path)
{
	static char value[512];
	enum tailbox__option i = tailbox__option_find(path, strlen(path));
	char *text;

	ck_assert_int_ne(i, TAILBOX__OPT_COUNT);
	text = tailbox__option_text(&o, i);
	ck_assert_ptr_nonnull(text);
	snprintf(value, sizeof(value), "%s", text);
	tailbox__free(text);
	return value;
}

static void takes(const char *argument)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const int rc = tailbox__analyzer_options_set(&o, argument, &err);

	ck_assert_msg(rc == 0, "%s: %s", argument, err.text);
	ck_assert_int_eq(err.code, 0);
}

/* Refused with all of these words (one text, parted by "|"), nothing
 * changed. */
static void refused(int rc, int want, const char *what, const char *before,
                    const struct tailbox__error *err, const char *words)
{
	char one[256];

	ck_assert_msg(rc == want, "%s: %d, not %d: %s", what, rc, want,
	              err->text);
	ck_assert_int_eq(err->code, want);
	ck_assert_str_eq(all_of(&o), before);
	while (*words != '\0') {
		const size_t n = strcspn(words, "|");
		snprintf(one, sizeof(one), "%.*s", (int)n, words);
		ck_assert_msg(strstr(err->text, one) != NULL,
		              "%s: no \"%s\" in \"%s\"", what, one, err->text);
		words += n + (words[n] == '|');
	}
}

static void refuses(const char *argument, const char *words)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const char *before = all_of(&o);
	const int rc = tailbox__analyzer_options_set(&o, argument, &err);

	refused(rc, -EINVAL, argument, before, &err, words);
	ck_assert_int_eq(tailbox__analyzer_options_set(&o, argument, NULL),
	                 -EINVAL);
}

static void loads(const char *text)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const int rc = tailbox__analyzer_options_load(&o, "f.toml", text,
	                                              strlen(text), &err);

	ck_assert_msg(rc == 0, "%s: %s", text, err.text);
	ck_assert_int_eq(err.code, 0);
}

static void load_refuses(const char *text, int want, const char *words)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const char *before = all_of(&o);
	const int rc = tailbox__analyzer_options_load(&o, "f.toml", text,
	                                              strlen(text), &err);

	refused(rc, want, text, before, &err, words);
	ck_assert_msg(strncmp(err.text, "f.toml:", 7) == 0, "%s", err.text);
	ck_assert_int_eq(tailbox__analyzer_options_load(&o, "f.toml", text,
	                                       strlen(text), NULL), want);
}

/* --- the table ---------------------------------------------------------- */

/* spec/analysis.md section 16, copied. */
static const char standard[] =
	"queueing.trigger_permille=300\n"
	"blocking.min_nonzero_samples_for_signal=2\n"
	"blocking.strong_p95_threshold=12\n"
	"blocking.strong_peak_threshold=20\n"
	"blocking.strong_nonzero_share_permille=700\n"
	"blocking.strong_min_samples=30\n"
	"executor.min_global_queue_p95_for_signal=1\n"
	"executor.min_runnable_queue_per_worker_p95_milli_for_signal=500\n"
	"downstream.min_stage_samples=3\n"
	"downstream.blocking_correlated_stage_patterns="
	"spawn_blocking,blocking_path,blocking\n"
	"downstream.blocking_correlation_score_margin=2\n"
	"confidence.medium_score_threshold=65\n"
	"confidence.high_score_threshold=85\n"
	"confidence.ambiguity_min_score=60\n"
	"confidence.ambiguity_score_gap=4\n"
	"evidence.low_completed_request_threshold=20\n"
	"route.min_request_count=3\n"
	"route.breakdown_limit=10\n"
	"route.emit_on_divergent_suspects=true\n"
	"route.slowest_to_fastest_p95_ratio_numerator=3\n"
	"route.slowest_to_fastest_p95_ratio_denominator=2\n"
	"route.slowest_to_global_p95_ratio_numerator=5\n"
	"route.slowest_to_global_p95_ratio_denominator=4\n"
	"temporal.min_request_count=20\n"
	"temporal.min_segment_request_count=8\n"
	"temporal.share_shift_permille=200\n"
	"temporal.p95_shift_ratio_numerator=3\n"
	"temporal.p95_shift_ratio_denominator=2\n"
	"temporal.emit_on_suspect_shift=true\n"
	"temporal.suppress_runtime_sparse_suspect_shift_without_supporting_"
	"movement=true\n";

START_TEST(defaults_and_their_order)
{
	ck_assert_str_eq(all_of(&o), standard);
	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++)
		ck_assert(!tailbox__option_differs(&o,
		                                   (enum tailbox__option)i));
	ck_assert_int_eq(tailbox__analyzer_options_validate(&o, NULL), 0);
	ck_assert_uint_eq(o.patterns.count, 3);
	ck_assert_str_eq(o.patterns.items[1], "blocking_path");
}
END_TEST

/* A number of the enumeration is that of the row it is meant for. */
START_TEST(numbers_mean_their_paths)
{
	static const struct {
		enum tailbox__option which;
		const char *path;
	} some[] = {
		{ TAILBOX__OPT_QUEUEING_TRIGGER_PERMILLE,
		  "queueing.trigger_permille" },
		{ TAILBOX__OPT_EXECUTOR_MIN_GLOBAL_P95,
		  "executor.min_global_queue_p95_for_signal" },
		{ TAILBOX__OPT_DOWNSTREAM_PATTERNS, LIST_PATH },
		{ TAILBOX__OPT_DOWNSTREAM_MARGIN,
		  "downstream.blocking_correlation_score_margin" },
		{ TAILBOX__OPT_ROUTE_GLOBAL_DEN,
		  "route.slowest_to_global_p95_ratio_denominator" },
		{ TAILBOX__OPT_TEMPORAL_SUPPRESS_SPARSE,
		  "temporal.suppress_runtime_sparse_suspect_shift_without_"
		  "supporting_movement" },
	};

	for (size_t i = 0; i < COUNT(some); i++)
		ck_assert_str_eq(tailbox__option_path(some[i].which),
		                 some[i].path);
	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		const char *path =
		        tailbox__option_path((enum tailbox__option)i);
		ck_assert_uint_le(strlen(path), TAILBOX__OPTION_PATH_MAX);
		ck_assert_uint_eq(tailbox__option_find(path, strlen(path)), i);
	}
}
END_TEST

/* --- values ------------------------------------------------------------- */

/* What an option takes at its edges and what it does not, beside each other;
 * first what has to be set before. */
static const struct {
	const char *before, *path, *taken, *refused, *words;
} edges[] = {
#define U64_MAX "18446744073709551615"
#define U64_OVER "18446744073709551616"
#define ANY(path) { "", path, "0 1 " U64_MAX, U64_OVER " -1", path "|whole" }
#define PERMILLE(path) { "", path, "0 1 999 1000", "1001 " U64_MAX, \
	path ": must be at most 1000" }
#define SCORE(path) { "", path, "0 1 99 100", "101 255", \
	path ": must be at most 100" }
#define BYTE(path) { "", path, "", "256 -1 1000", path "|0 to 255" }
	PERMILLE("queueing.trigger_permille"),
	ANY("blocking.min_nonzero_samples_for_signal"),
	ANY("blocking.strong_p95_threshold"),
	ANY("blocking.strong_peak_threshold"),
	PERMILLE("blocking.strong_nonzero_share_permille"),
	ANY("blocking.strong_min_samples"),
	ANY("executor.min_global_queue_p95_for_signal"),
	ANY("executor.min_runnable_queue_per_worker_p95_milli_for_signal"),
	ANY("downstream.min_stage_samples"),
	SCORE("downstream.blocking_correlation_score_margin"),
	BYTE("downstream.blocking_correlation_score_margin"),
	{ "", "confidence.medium_score_threshold", "0 84 85", "86 255",
	  "confidence.medium_score_threshold: must be at most "
	  "confidence.high_score_threshold (85)" },
	{ "confidence.high_score_threshold=100",
	  "confidence.medium_score_threshold", "99 100", "101",
	  "confidence.high_score_threshold (100), is 101" },
	BYTE("confidence.medium_score_threshold"),
	{ "", "confidence.high_score_threshold", "65 66 99 100", "101 255",
	  "confidence.high_score_threshold: must be at most 100" },
	{ "", "confidence.high_score_threshold", "65", "64 0",
	  "confidence.medium_score_threshold: must be at most" },
	BYTE("confidence.high_score_threshold"),
	SCORE("confidence.ambiguity_min_score"),
	BYTE("confidence.ambiguity_min_score"),
	SCORE("confidence.ambiguity_score_gap"),
	BYTE("confidence.ambiguity_score_gap"),
	ANY("evidence.low_completed_request_threshold"),
	ANY("route.min_request_count"),
	{ "", "route.breakdown_limit", "1 2 " U64_MAX, "0",
	  "route.breakdown_limit: must be at least 1, is 0" },
#define RATIO(path, den, under, over) \
	{ "", path "_numerator", #den " " U64_MAX, #under, path \
	  "_numerator: must be at least " path "_denominator (" #den ")" }, \
	{ "", path "_numerator", "", "0", \
	  path "_numerator: must be at least 1, is 0" }, \
	{ "", path "_denominator", "1 " #den, "0", \
	  path "_denominator: must be at least 1, is 0" }, \
	{ "", path "_denominator", "", #over " " U64_MAX, \
	  path "_numerator: must be at least " path "_denominator" }
	RATIO("route.slowest_to_fastest_p95_ratio", 2, 1, 4),
	RATIO("route.slowest_to_global_p95_ratio", 4, 3, 6),
	RATIO("temporal.p95_shift_ratio", 2, 1, 4),
	{ "", "temporal.min_request_count", "16 17 " U64_MAX, "15 0",
	  "temporal.min_segment_request_count|half of "
	  "temporal.min_request_count" },
	{ "", "temporal.min_segment_request_count", "1 9 10", "11 " U64_MAX,
	  "temporal.min_segment_request_count|half of "
	  "temporal.min_request_count (20)" },
	{ "", "temporal.min_segment_request_count", "1", "0",
	  "temporal.min_segment_request_count: must be at least 1, is 0" },
	/* Twice 2^63 is one too many, and saturates. */
	{ "temporal.min_request_count=18446744073709551614",
	  "temporal.min_segment_request_count", "9223372036854775807",
	  "9223372036854775808", "half of" },
	{ "temporal.min_request_count=" U64_MAX,
	  "temporal.min_segment_request_count",
	  "9223372036854775807 9223372036854775808 " U64_MAX, "0",
	  "at least 1" },
	PERMILLE("temporal.share_shift_permille"),
#define FLAG(path) { "", path, "false true", \
	"True 1 0 yes TRUE truefalse tru", path "|true or false" }
	FLAG("route.emit_on_divergent_suspects"),
	FLAG("temporal.emit_on_suspect_shift"),
	FLAG("temporal.suppress_runtime_sparse_suspect_shift_without_"
	     "supporting_movement"),
};

/* The next word of *at in "path=word". */
static bool next_word(char argument[256], const char *path, const char **at)
{
	const size_t n = strcspn(*at, " ");

	if (n == 0)
		return false;
	snprintf(argument, 256, "%s=%.*s", path, (int)n, *at);
	*at += n + ((*at)[n] == ' ');
	return true;
}

START_TEST(edges_of_each_option)
{
	const char *at = edges[_i].taken;
	char argument[256];

	if (*edges[_i].before != '\0')
		takes(edges[_i].before);
	while (next_word(argument, edges[_i].path, &at)) {
		takes(argument);
		ck_assert_str_eq(value_of(edges[_i].path),
		                 strchr(argument, '=') + 1);
	}
	/* Refused from the defaults: the words name these. */
	end();
	begin();
	if (*edges[_i].before != '\0')
		takes(edges[_i].before);
	at = edges[_i].refused;
	while (next_word(argument, edges[_i].path, &at))
		refuses(argument, edges[_i].words);
}
END_TEST

START_TEST(each_option_has_edges)
{
	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		const char *path =
		        tailbox__option_path((enum tailbox__option)i);
		size_t k = 0;
		while (k < COUNT(edges) && strcmp(edges[k].path, path) != 0)
			k++;
		ck_assert_msg(k < COUNT(edges) ||
		                      i == TAILBOX__OPT_DOWNSTREAM_PATTERNS,
		              "%s has none", path);
	}
}
END_TEST

START_TEST(numbers_as_they_are_written)
{
	static const char *const taken[][2] = {
		{ "+7", "7" }, { "007", "7" }, { "+0", "0" }, { "1", "1" },
		{ "+" U64_MAX, U64_MAX },
		{ "000000000000000000000000000000001", "1" },
	};
	static const char *const none[] = {
		"", "+", "++1", "-0", "- 1", " 1", "1 ", "1\t", "\n1", "0x10",
		"1e3", "1.0", "1_000", "1,000", "ten", "\xd9\xa1", "+-1",
		"184467440737095516150", "99999999999999999999",
	};
	char argument[128];

	for (size_t i = 0; i < COUNT(taken); i++) {
		snprintf(argument, sizeof(argument),
		         "blocking.strong_min_samples=%s", taken[i][0]);
		takes(argument);
		ck_assert_str_eq(value_of("blocking.strong_min_samples"),
		                 taken[i][1]);
	}
	for (size_t i = 0; i < COUNT(none); i++) {
		snprintf(argument, sizeof(argument),
		         "blocking.strong_min_samples=%s", none[i]);
		refuses(argument, "blocking.strong_min_samples: \"|expected: "
		                  "a whole number, 0 to " U64_MAX);
		snprintf(argument, sizeof(argument),
		         "confidence.ambiguity_score_gap=%s", none[i]);
		refuses(argument,
		        "confidence.ambiguity_score_gap: \"|0 to 255");
	}
	refuses("blocking.strong_min_samples=ten", "\"ten\" is no value");
	takes("confidence.ambiguity_score_gap=+0100");
	ck_assert_str_eq(value_of("confidence.ambiguity_score_gap"), "100");
	refuses("temporal.emit_on_suspect_shift=", "true or false");
	refuses("temporal.emit_on_suspect_shift= true", "true or false");
}
END_TEST

START_TEST(lists_are_split_and_trimmed)
{
	takes(LIST_PATH "=one");
	ck_assert_uint_eq(o.patterns.count, 1);
	ck_assert_str_eq(o.patterns.items[0], "one");
	takes(LIST_PATH "= \ta b \v\f\r\n,x,  \xc3\xa9 ");
	ck_assert_uint_eq(o.patterns.count, 3);
	ck_assert_str_eq(o.patterns.items[0], "a b");
	ck_assert_str_eq(o.patterns.items[1], "x");
	ck_assert_str_eq(o.patterns.items[2], "\xc3\xa9");
	ck_assert_str_eq(value_of(LIST_PATH), "a b,x,\xc3\xa9");
	refuses(LIST_PATH "=", LIST_PATH ": \"|joined by commas");
	refuses(LIST_PATH "= ", "none of them empty");
	refuses(LIST_PATH "=,", "none of them empty");
	refuses(LIST_PATH "=a,", "\"a,\" is no value");
	refuses(LIST_PATH "=,a", "none of them empty");
	refuses(LIST_PATH "=a, \t,b", "\"a, ?,b\" is no value");
	refuses(LIST_PATH "=a,\xc2\xa0", "none of them empty");
	/* White space is Unicode's. */
	takes(LIST_PATH "=\xe3\x80\x80" "a\xc2\xa0" "b\xe2\x80\x89,"
	      "\xc2\x85" "c");
	ck_assert_uint_eq(o.patterns.count, 2);
	ck_assert_str_eq(o.patterns.items[0], "a\xc2\xa0" "b");
	ck_assert_str_eq(o.patterns.items[1], "c");
	takes(LIST_PATH "=x,y,z");
	/* A failure elsewhere leaves the list alone. */
	refuses("route.breakdown_limit=0", "at least 1");
	ck_assert_uint_eq(o.patterns.count, 3);
}
END_TEST

/* --- arguments and paths ------------------------------------------------ */

START_TEST(one_equals_sign)
{
	static const char *const wrong[] = {
		"", "route.breakdown_limit", "route.breakdown_limit==5",
		"route.breakdown_limit=5=", "=a=b", "==",
		LIST_PATH "=a=b",
	};
	char words[160];

	for (size_t i = 0; i < COUNT(wrong); i++) {
		snprintf(words, sizeof(words), "\"%s\" is not PATH=VALUE",
		         wrong[i]);
		refuses(wrong[i], words);
	}
	/* Syntax before path, path before value, value before rules. */
	refuses("nonsense=1=2", "PATH=VALUE");
	refuses("nonsense=-1", "unknown option");
	o.v[TAILBOX__OPT_ROUTE_LIMIT] = 0;
	refuses("route.min_request_count=-1", "whole number");
	refuses("route.min_request_count=1", "route.breakdown_limit");
	takes("route.breakdown_limit=1");
}
END_TEST

/* The path that is suggested, or NULL. */
static const struct {
	const char *path, *near;
} paths[] = {
	{ "queueing.triger_permille", "queueing.trigger_permille" },
	{ "queueing.trigger_permilles", "queueing.trigger_permille" },
	{ "Queueing.trigger_permille", "queueing.trigger_permille" },
	{ " queueing.trigger_permille", "queueing.trigger_permille" },
	{ "queueing.trigger_permille ", "queueing.trigger_permille" },
	{ "ueing.trigger_permille", "queueing.trigger_permille" },   /* 3 */
	{ "eing.trigger_permille", NULL },                           /* 4 */
	{ "xyzqueueing.trigger_permille", "queueing.trigger_permille" },
	{ "wxyzqueueing.trigger_permille", NULL },
	{ "queueing.trigger_permillexyz", "queueing.trigger_permille" },
	{ "queueing.trigger_permillewxyz", NULL },
	{ "queueing.trigger_permXXXe", "queueing.trigger_permille" },
	{ "queueing.trigger_perXXXXe", NULL },
	/* Two bytes, three and four are one character each. */
	{ "queueing.trigger_p\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80ille",
	  "queueing.trigger_permille" },
	{ "queueing.trigger_\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9ille", NULL },
	{ "\xc3\xa9\xc3\xa9\xc3\xa9queueing.trigger_permille",
	  "queueing.trigger_permille" },
	/* What is no UTF-8 counts as well. */
	{ "queueing.trigger_permill\xff\xff\xff", "queueing.trigger_permille" },
	{ "queueing.trigger_permill\xff\xff\xff\xff", NULL },
	{ "route.slowest_to_globat_p95_ratio_numerator",
	  "route.slowest_to_global_p95_ratio_numerator" },
	{ "route.slowest_to_global_p95_ratio_enominator",
	  "route.slowest_to_global_p95_ratio_denominator" },
	{ "temporal.min_request_cuont", "temporal.min_request_count" },
	{ "tempor.min_request_count", "temporal.min_request_count" },
	{ "analyzer.route.breakdown_limit", NULL },
	{ "trigger_permille", NULL },
	{ "queueing", NULL },
	{ "", NULL },
	{ "temporal.suppress_runtime_sparse_suspect_shift_without_supporting_"
	  "movements",
	  "temporal.suppress_runtime_sparse_suspect_shift_without_supporting_"
	  "movement" },
};

START_TEST(unknown_paths_and_what_was_meant)
{
	char argument[256], words[256];
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	snprintf(argument, sizeof(argument), "%s=1", paths[_i].path);
	if (paths[_i].near != NULL) {
		snprintf(words, sizeof(words), "did you mean %s?",
		         paths[_i].near);
		refuses(argument, words);
		return;
	}
	refuses(argument, "unknown option \"");
	tailbox__analyzer_options_set(&o, argument, &err);
	ck_assert_ptr_null(strstr(err.text, "did you mean"));
}
END_TEST

/* Characters from one path and from the other, counted by hand. */
START_TEST(of_equally_near_paths_the_first_is_suggested)
{
	/* 3 and 3: u, e, r in it, or d and e before it and o in it. By name
	 * the other one would be first. */
	refuses("route.slowest_to_global_p95_ratio_nxminator=1",
	        "did you mean route.slowest_to_global_p95_ratio_numerator?");
	refuses("temporal.p95_shift_ratio_nxminator=1",
	        "did you mean temporal.p95_shift_ratio_numerator?");
	/* 3 and 3 */
	refuses("blocking.strong_pxyz_threshold=1",
	        "did you mean blocking.strong_p95_threshold?");
	refuses("blocking.strong_xyk_threshold=1",
	        "did you mean blocking.strong_p95_threshold?");
	/* 2 and 1: nearer wins over first. */
	refuses("blocking.strong_pek_threshold=1",
	        "did you mean blocking.strong_peak_threshold?");
	/* 1 and 2 */
	refuses("blocking.strong_pe5_threshold=1",
	        "did you mean blocking.strong_p95_threshold?");
	refuses("temporal.p95_shift_ratio_enominator=1",
	        "did you mean temporal.p95_shift_ratio_denominator?");
}
END_TEST

START_TEST(messages_show_foreign_text_harmlessly)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	static char argument[100000];

	refuses("a\nb\x1b[31m\x7f\xc2\x85\xff\xc3\xa9=1",
	        "unknown option \"a?b?[31m???\xc3\xa9\"");
	memset(argument, 'x', sizeof(argument) - 1);
	refuses(argument, "xxx..\" is not PATH=VALUE");
	argument[sizeof(argument) - 2] = '=';
	refuses(argument, "unknown option \"xxx|xxx..\"");
	memcpy(argument, "route.breakdown_limit=", 22);
	argument[sizeof(argument) - 2] = 'x';
	refuses(argument, "route.breakdown_limit: \"xx|xx..\" is no value; "
	                  "expected: a whole number");
	ck_assert_int_eq(tailbox__analyzer_options_set(&o, argument, &err),
	                 -EINVAL);
	ck_assert_uint_lt(strlen(err.text), 400);
}
END_TEST

/* Into six bytes, its NUL among them: cut between characters. */
START_TEST(shown_text_fits)
{
	static const char *const texts[][2] = {
		{ "", "" }, { "abcde", "abcde" }, { "abcdef", "abc.." },
		{ "abc\xc3\xa9", "abc\xc3\xa9" },
		{ "abcd\xc3\xa9", "abc.." },
		{ "ab\xc3\xa9x", "ab\xc3\xa9x" },
		{ "ab\xc3\xa9xy", "ab.." },
		{ "\xf0\x9f\x98\x80x", "\xf0\x9f\x98\x80x" },
		{ "\xf0\x9f\x98\x80xy", ".." },
		{ "\xff\xfe\xfd\xfc\xfb", "?????" },
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		char *room = malloc(6); /* to the byte, for ASan */
		ck_assert_ptr_nonnull(room);
		ck_assert_ptr_eq(tailbox__option_shown(room, 6, texts[i][0],
		                                       strlen(texts[i][0])),
		                 room);
		ck_assert_str_eq(room, texts[i][1]);
		free(room);
	}
}
END_TEST

/* --- rules -------------------------------------------------------------- */

/* Each rule broken, from the last to the first, so that each new one is the
 * one that is told: their order. */
static const struct {
	enum tailbox__option which;
	uint64_t value;
	const char *words;
} violations[] = {
#define O(name) TAILBOX__OPT_##name
#define BROKEN_RATIO(name, path) \
	{ O(name##_NUM), 1, path "_numerator: must be at least " path \
	  "_denominator (2), is 1" }, \
	{ O(name##_DEN), 0, path "_denominator: must be at least 1, is 0" }, \
	{ O(name##_NUM), 0, path "_numerator: must be at least 1, is 0" }
	BROKEN_RATIO(TEMPORAL_P95, "temporal.p95_shift_ratio"),
	{ O(TEMPORAL_SHARE_SHIFT_PERMILLE), 1001,
	  "temporal.share_shift_permille: must be at most 1000, is 1001" },
	{ O(TEMPORAL_MIN_SEGMENT_REQUESTS), 11,
	  "temporal.min_segment_request_count: must be at most half of "
	  "temporal.min_request_count (20), is 11" },
	{ O(TEMPORAL_MIN_SEGMENT_REQUESTS), 0,
	  "temporal.min_segment_request_count: must be at least 1, is 0" },
	BROKEN_RATIO(ROUTE_GLOBAL, "route.slowest_to_global_p95_ratio"),
	BROKEN_RATIO(ROUTE_FASTEST, "route.slowest_to_fastest_p95_ratio"),
	{ O(ROUTE_LIMIT), 0, "route.breakdown_limit: must be at least 1" },
	{ O(DOWNSTREAM_MARGIN), 101,
	  "downstream.blocking_correlation_score_margin: must be at most 100" },
	{ O(CONFIDENCE_AMBIGUITY_GAP), 255,
	  "confidence.ambiguity_score_gap: must be at most 100, is 255" },
	{ O(CONFIDENCE_AMBIGUITY_MIN_SCORE), 101,
	  "confidence.ambiguity_min_score: must be at most 100, is 101" },
	{ O(CONFIDENCE_HIGH), 101,
	  "confidence.high_score_threshold: must be at most 100, is 101" },
	{ O(CONFIDENCE_MEDIUM), 102,
	  "confidence.medium_score_threshold: must be at most "
	  "confidence.high_score_threshold (101), is 102" },
	{ O(BLOCKING_STRONG_NONZERO_PERMILLE), 1001,
	  "blocking.strong_nonzero_share_permille: must be at most 1000" },
	{ O(QUEUEING_TRIGGER_PERMILLE), 1001,
	  "queueing.trigger_permille: must be at most 1000, is 1001" },
};

START_TEST(the_first_rule_that_is_broken_is_told)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	static char blank[] = " \t", *items[] = { NULL, NULL };
	struct tailbox__analyzer_options x = o;

	/* So that the ratio of 5 to 4 breaks like the others. */
	x.v[TAILBOX__OPT_ROUTE_GLOBAL_DEN] = 2;
	items[0] = o.patterns.items[0];
	items[1] = blank;
	x.patterns.items = items;
	x.patterns.count = 2;
	ck_assert_int_eq(tailbox__analyzer_options_validate(&x, &err), -EINVAL);
	ck_assert_str_eq(err.text, LIST_PATH ": must have no blank entry; "
	                                     "number 2 is one");
	x.patterns.count = 0;
	err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	ck_assert_int_eq(tailbox__analyzer_options_validate(&x, &err), -EINVAL);
	ck_assert_str_eq(err.text, LIST_PATH ": must have at least one entry");
	for (size_t i = 0; i < COUNT(violations); i++) {
		x.v[violations[i].which] = violations[i].value;
		err = (struct tailbox__error)TAILBOX__ERROR_INIT;
		ck_assert_int_eq(tailbox__analyzer_options_validate(&x, &err),
		                 -EINVAL);
		ck_assert_int_eq(err.code, -EINVAL);
		ck_assert_msg(strncmp(err.text, violations[i].words,
		                      strlen(violations[i].words)) == 0,
		              "\"%s\", not \"%s\"", err.text,
		              violations[i].words);
		ck_assert_int_eq(tailbox__analyzer_options_validate(&x, NULL),
		                 -EINVAL);
	}
}
END_TEST

/* Trap 17 of the spec. */
START_TEST(each_override_must_leave_a_valid_set)
{
	refuses("confidence.medium_score_threshold=90",
	        "confidence.medium_score_threshold");
	takes("confidence.high_score_threshold=95");
	takes("confidence.medium_score_threshold=90");
	refuses("temporal.min_request_count=10",
	        "temporal.min_segment_request_count|half of "
	        "temporal.min_request_count (10), is 8");
	takes("temporal.min_segment_request_count=5");
	takes("temporal.min_request_count=10");
	refuses("temporal.min_request_count=9", "half of");
	/* The last one for a path wins. */
	takes("route.breakdown_limit=3");
	takes("route.breakdown_limit=4");
	ck_assert_str_eq(value_of("route.breakdown_limit"), "4");
}
END_TEST

/* --- files -------------------------------------------------------------- */

START_TEST(a_file_may_hold_every_option)
{
	char *text = calloc(1, 16384);
	size_t n = (size_t)snprintf(text, 16384, "%s", V1);
	char section[32] = "";

	ck_assert_ptr_nonnull(text);
	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		const struct tailbox__option_info *info =
		        &tailbox__option_table[i];
		const char *dot = strchr(info->path, '.');
		const size_t len = (size_t)(dot - info->path);

		if (strncmp(section, info->path, len) != 0) {
			snprintf(section, sizeof(section), "%.*s", (int)len,
			         info->path);
			n += (size_t)snprintf(text + n, 16384 - n,
			                      "[analyzer.%s]\n", section);
		}
		n += (size_t)snprintf(text + n, 16384 - n, "%s = ", dot + 1);
		if (info->type == TAILBOX__OPTION_LIST)
			n += (size_t)snprintf(text + n, 16384 - n, "['x']\n");
		else if (info->type == TAILBOX__OPTION_BOOL)
			n += (size_t)snprintf(text + n, 16384 - n, "false\n");
		else
			n += (size_t)snprintf(text + n, 16384 - n,
			                      "%" PRIu64 "\n",
			                      info->number + (i % 2 ? 1 : 0));
	}
	loads(text);
	free(text);
	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		const struct tailbox__option_info *info =
		        &tailbox__option_table[i];
		if (info->type == TAILBOX__OPTION_LIST)
			ck_assert_str_eq(value_of(info->path), "x");
		else if (info->type == TAILBOX__OPTION_BOOL)
			ck_assert_str_eq(value_of(info->path), "false");
		else
			ck_assert_uint_eq(o.v[i], info->number + i % 2);
	}
}
END_TEST

START_TEST(files_that_are_taken)
{
	loads(V1);
	ck_assert_str_eq(all_of(&o), standard);
	/* Other tables and keys are not ours, nor are names that begin like
	 * ours; the order of ours is free. */
	loads("top = 'x'\nlist = ['a']\n[tape]\nsize = '1 MiB'\n"
	      "[analyzer.route]\nbreakdown_limit = 18446744073709551615\n"
	      "[analyzers]\nx = -1\n[other.analyzer]\nx = 1\n"
	      "[\"analyzer.x\"]\ny = 1\n"
	      "[analyzer]\nschema_version = +1 # one\n"
	      "[analyzer.queueing]\n[analyzer.\"confidence\"]\n"
	      "'high_score_threshold' = 1_00\nmedium_score_threshold=-0\n");
	ck_assert_str_eq(value_of("route.breakdown_limit"), U64_MAX);
	ck_assert_str_eq(value_of("confidence.high_score_threshold"), "100");
	ck_assert_str_eq(value_of("confidence.medium_score_threshold"), "0");
	/* On top of what is there, and overrides on top of it. */
	loads(V1 "[analyzer.confidence]\nhigh_score_threshold = 50\n");
	ck_assert_str_eq(value_of("route.breakdown_limit"), U64_MAX);
	takes("confidence.high_score_threshold=51");
	ck_assert_str_eq(value_of("confidence.high_score_threshold"), "51");
}
END_TEST

START_TEST(values_of_a_file_are_judged_once_at_the_end)
{
	/* In any order, though the first alone would break a rule. */
	loads(V1 "[analyzer.confidence]\nmedium_score_threshold = 95\n"
	      "high_score_threshold = 96\n[analyzer.temporal]\n"
	      "min_request_count = 2\nmin_segment_request_count = 1\n");
	ck_assert_str_eq(value_of("confidence.medium_score_threshold"), "95");
	ck_assert_str_eq(value_of("temporal.min_request_count"), "2");
}
END_TEST

START_TEST(lists_of_a_file_are_kept_as_written)
{
	loads(V1 "[analyzer.downstream]\nmin_stage_samples = 9\n"
	      "blocking_correlated_stage_patterns = [\n ' a, b ', # one\n"
	      " \"x\",\n]\nblocking_correlation_score_margin = 7\n");
	ck_assert_uint_eq(o.patterns.count, 2);
	ck_assert_str_eq(o.patterns.items[0], " a, b ");
	ck_assert_str_eq(o.patterns.items[1], "x");
	ck_assert_str_eq(value_of(LIST_PATH), " a, b ,x");
	ck_assert_str_eq(value_of("downstream.min_stage_samples"), "9");
	ck_assert_str_eq(
	        value_of("downstream.blocking_correlation_score_margin"), "7");
	/* A file without one leaves it. */
	loads(V1);
	ck_assert_uint_eq(o.patterns.count, 2);
}
END_TEST

#define BAD -TAILBOX_EMALFORMED
static const struct {
	const char *text;
	int code;
	const char *words;
} wrong_files[] = {
	/* syntax */
	{ V1 "x", BAD, "f.toml:3:2: = is missing" },
	{ V1 "[tape]\nx = 1.5\n", BAD, "f.toml:4:5: 1.5: numbers" },
	{ V1 "[analyzer.route]\nbreakdown_limit = 1.5", BAD, "f.toml:4:19: " },
	{ V1 "schema_version = 1\n", BAD, "f.toml:3:1: |already, in line 2" },
	{ V1 "[[analyzer.route]]\n", BAD, "f.toml:3:2: arrays of tables" },
	{ V1 "route.breakdown_limit = 1\n", BAD, "f.toml:3:6: dotted keys" },
	{ V1 "[analyzer.downstream]\nblocking_correlated_stage_patterns = "
	  "['a', 1]\n", BAD, "f.toml:4:44: an array holds texts" },
	{ V1 "[analyzer.downstream]\nblocking_correlated_stage_patterns = ['a'",
	  BAD, "f.toml:4:42: |not closed" },
	/* no table */
	{ "", -EINVAL, "f.toml: there is no table [analyzer]" },
	{ "schema_version = 1\n[route]\nbreakdown_limit = 0\n", -EINVAL,
	  "f.toml: there is no table [analyzer]" },
	/* keys and tables that are unknown */
	{ V1 "x = 1\n", -EINVAL, "f.toml:3:1: unknown option x" },
	{ V1 "x = ['a', 'b']\n", -EINVAL, "f.toml:3:1: unknown option x" },
	{ V1 "trigger_permille = 1\n", -EINVAL, "unknown option trigger" },
	{ V1 "\"route.breakdown_limit\" = 1\n", -EINVAL,
	  "unknown option \"route.breakdown_limit\"" },
	{ V1 "[analyzer.route]\n  breakdown_limits = 1\n", -EINVAL,
	  "f.toml:4:3: unknown option route.breakdown_limits; did you mean "
	  "route.breakdown_limit?" },
	{ V1 "[analyzer.unknown]\n", -EINVAL,
	  "f.toml:3:1: unknown table [analyzer.unknown]" },
	{ V1 "[analyzer.rout]\n", -EINVAL, "unknown table [analyzer.rout]" },
	{ V1 "[analyzer.routes]\n", -EINVAL, "table [analyzer.routes]" },
	{ V1 "[analyzer.\"\"]\n", -EINVAL, "unknown table [analyzer.\"\"]" },
	{ V1 "[analyzer.route.more]\n", -EINVAL,
	  "unknown table [analyzer.route.more]" },
	{ V1 "[analyzer.route]\nx = 1\n[analyzer.y]\n", -EINVAL,
	  "f.toml:4:1: unknown option route.x" },
	{ V1 "[analyzer.route]\nschema_version = 1\n", -EINVAL,
	  "unknown option route.schema_version" },
	/* types */
	{ "analyzer = 1\n", -EINVAL, "f.toml:1:1: analyzer: must be a table" },
	{ "analyzer = ['x']\n", -EINVAL, "f.toml:1:1: analyzer: must be a" },
	{ V1 "route = 1\n", -EINVAL, "f.toml:3:1: route: must be a table" },
	{ V1 "[analyzer.route.breakdown_limit]\n", -EINVAL,
	  "f.toml:3:1: route.breakdown_limit: must be a value" },
	{ "[analyzer.schema_version]\n", -EINVAL,
	  "f.toml:1:1: schema_version: must be the number 1, not a table" },
	{ "[analyzer]\nschema_version = '1'\n", -EINVAL,
	  "f.toml:2:1: schema_version: must be the number 1" },
	{ "[analyzer]\nschema_version = true\n", -EINVAL,
	  "must be the number" },
	{ "[analyzer]\nschema_version = -1\n", -EINVAL, "must be the number" },
	{ "[analyzer]\nschema_version = ['1']\n", -EINVAL,
	  "must be the number" },
	{ V1 "[analyzer.route]\nbreakdown_limit = -1\n", -EINVAL,
	  "f.toml:4:1: route.breakdown_limit: must be a whole number, 0 or" },
	{ V1 "[analyzer.route]\nbreakdown_limit = '1'\n", -EINVAL, "whole" },
	{ V1 "[analyzer.route]\nbreakdown_limit = true\n", -EINVAL, "whole" },
	{ V1 "[analyzer.route]\nbreakdown_limit = ['1']\n", -EINVAL, "whole" },
	{ V1 "[analyzer.queueing]\ntrigger_permille = -5\n", -EINVAL, "whole" },
	{ V1 "[analyzer.route]\nemit_on_divergent_suspects = 1\n", -EINVAL,
	  "route.emit_on_divergent_suspects: must be true or false" },
	{ V1 "[analyzer.route]\nemit_on_divergent_suspects = 'true'\n", -EINVAL,
	  "true or false" },
	{ V1 "[analyzer.confidence]\nambiguity_score_gap = 256\n", -EINVAL,
	  "f.toml:4:1: confidence.ambiguity_score_gap: must be a whole number, "
	  "0 to 255" },
	{ V1 "[analyzer.downstream]\nblocking_correlated_stage_patterns = 'a'",
	  -EINVAL, LIST_PATH ": must be an array of texts" },
	{ V1 "[analyzer.downstream]\nblocking_correlated_stage_patterns = 1",
	  -EINVAL, "array of texts" },
	/* the version */
	{ "[analyzer]\n", -EINVAL,
	  "f.toml: schema_version = 1 is missing in [analyzer]" },
	{ "[analyzer.route]\nbreakdown_limit = 1\n", -EINVAL,
	  "f.toml: schema_version = 1 is missing" },
	{ "[analyzer]\nschema_version = 0\n", -EINVAL,
	  "f.toml:2:1: schema_version must be 1" },
	{ "[analyzer]\n schema_version = 2\n", -EINVAL, "f.toml:2:2: " },
	{ "[analyzer]\nschema_version = 18446744073709551615\n", -EINVAL,
	  "schema_version must be 1" },
	/* the rules */
	{ V1 "[analyzer.route]\nbreakdown_limit = 0\n", -EINVAL,
	  "f.toml: route.breakdown_limit: must be at least 1, is 0" },
	{ V1 "[analyzer.confidence]\nambiguity_score_gap = 255\n", -EINVAL,
	  "f.toml: confidence.ambiguity_score_gap: must be at most 100" },
	{ V1 "[analyzer.confidence]\nhigh_score_threshold = 64\n", -EINVAL,
	  "confidence.medium_score_threshold: must be at most" },
	{ V1 "[analyzer.downstream]\nblocking_correlated_stage_patterns = []\n",
	  -EINVAL, "f.toml: " LIST_PATH ": must have at least one entry" },
	{ V1 "[analyzer.downstream]\nblocking_correlated_stage_patterns = "
	  "['a', '']\n", -EINVAL, LIST_PATH ": must have no blank entry" },
	{ V1 "[analyzer.downstream]\nblocking_correlated_stage_patterns = "
	  "['a', 'b', \" \\t\\u00a0\\u3000\"]\n", -EINVAL, "number 3 is one" },
	/* the order of all these, one by one taken away */
	{ "[x]\n[analyzer]\nschema_version = 2\ny = 1\nroute = 1\nz\n", BAD,
	  "f.toml:6:2: " },
	{ "[analyzer.route]\ny = 1\nbreakdown_limit = 0\n[x]\n[x]\n", BAD,
	  "f.toml:5:1: table x is there already" },
	{ "[analyzer]\nschema_version = 2\ny = 1\nroute = 1\n", -EINVAL,
	  "f.toml:3:1: unknown option y" },
	{ "[analyzer]\nschema_version = 2\nroute = 1\ny = 1\n", -EINVAL,
	  "f.toml:3:1: route: must be a table" },
	{ "[analyzer]\n[analyzer.route]\nbreakdown_limit = 0\ny = 1\n", -EINVAL,
	  "f.toml:4:1: unknown option route.y" },
	{ "[analyzer]\n[analyzer.route]\nbreakdown_limit = 0\n", -EINVAL,
	  "schema_version = 1 is missing" },
	{ "[analyzer]\nschema_version = 2\n[analyzer.route]\nbreakdown_limit = "
	  "0\n", -EINVAL, "f.toml:2:1: schema_version must be 1" },
	/* several rules: 16.1 decides, not the file */
	{ V1 "[analyzer.route]\nbreakdown_limit = 0\n[analyzer.queueing]\n"
	  "trigger_permille = 1001\n", -EINVAL, "queueing.trigger_permille" },
};

START_TEST(each_wrong_file_is_refused)
{
	load_refuses(wrong_files[_i].text, wrong_files[_i].code,
	             wrong_files[_i].words);
	/* Nor from a set that has a list of its own. */
	takes(LIST_PATH "=mine");
	load_refuses(wrong_files[_i].text, wrong_files[_i].code,
	             wrong_files[_i].words);
	ck_assert_str_eq(value_of(LIST_PATH), "mine");
}
END_TEST

START_TEST(files_that_are_too_large_have_no_line)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char *text = malloc(262145);
	char name[1000];

	ck_assert_ptr_nonnull(text);
	memset(text, '\n', 262145);
	memcpy(text, V1, strlen(V1));
	ck_assert_int_eq(
		tailbox__analyzer_options_load(&o, "f", text, 262144, &err), 0);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	name[3] = '\n';
	ck_assert_int_eq(
		tailbox__analyzer_options_load(&o, name, text, 262145, &err),
		BAD);
	ck_assert_ptr_nonnull(strstr(err.text, "nnn?nnn"));
	ck_assert_ptr_nonnull(strstr(err.text, "nn..: more than 262144 bytes"));
	free(text);
}
END_TEST

START_TEST(a_file_cut_anywhere_changes_all_or_nothing)
{
	static const char text[] =
	        "[analyzer]\nschema_version = 1\n[analyzer.downstream]\n"
	        "blocking_correlated_stage_patterns = ['a', 'b']\n"
	        "[analyzer.route]\nbreakdown_limit = 12\n";

	for (size_t n = 0; n < sizeof(text); n++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		const char *before;
		char *cut = malloc(n + 1); /* to the byte, for ASan */

		ck_assert_ptr_nonnull(cut);
		memcpy(cut, text, n);
		end();
		begin();
		before = all_of(&o);
		if (tailbox__analyzer_options_load(&o, "f", cut, n, &err) !=
		    0) {
			ck_assert_int_ne(err.code, 0);
			ck_assert_str_eq(all_of(&o), before);
		}
		free(cut);
	}
	ck_assert_str_eq(value_of(LIST_PATH), "a,b");
	ck_assert_str_eq(value_of("route.breakdown_limit"), "12");
}
END_TEST

/* --- how they are shown ------------------------------------------------- */

START_TEST(what_differs)
{
	const enum tailbox__option list = TAILBOX__OPT_DOWNSTREAM_PATTERNS;

	takes("route.emit_on_divergent_suspects=false");
	ck_assert(tailbox__option_differs(&o, O(ROUTE_ON_DIVERGENT)));
	takes("route.emit_on_divergent_suspects=true");
	ck_assert(!tailbox__option_differs(&o, O(ROUTE_ON_DIVERGENT)));
	takes("route.breakdown_limit=11");
	ck_assert(tailbox__option_differs(&o, O(ROUTE_LIMIT)));
	takes("route.breakdown_limit=+010");
	ck_assert(!tailbox__option_differs(&o, O(ROUTE_LIMIT)));
	takes(LIST_PATH "=spawn_blocking,blocking_path");
	ck_assert(tailbox__option_differs(&o, list));
	takes(LIST_PATH "=spawn_blocking,blocking_path,blocking,more");
	ck_assert(tailbox__option_differs(&o, list));
	takes(LIST_PATH "=blocking,blocking_path,spawn_blocking");
	ck_assert(tailbox__option_differs(&o, list));
	takes(LIST_PATH "=spawn_blocking,blocking_path,blockin");
	ck_assert(tailbox__option_differs(&o, list));
	takes(LIST_PATH "= spawn_blocking ,blocking_path, blocking");
	ck_assert(!tailbox__option_differs(&o, list));
	/* Reads the same, but is one text. */
	loads(V1 "[analyzer.downstream]\nblocking_correlated_stage_patterns = "
	      "['spawn_blocking,blocking_path,blocking']\n");
	ck_assert(tailbox__option_differs(&o, list));
}
END_TEST

static const char *json_of(bool is_pretty)
{
	static char text[8192];
	struct tailbox__json j;

	tailbox__json_init(&j, is_pretty);
	tailbox__json_begin_object(&j);
	tailbox__json_key(&j, "a");
	tailbox__json_u64(&j, 1);
	ck_assert_int_eq(tailbox__analyzer_options_json(&o, &j), 0);
	tailbox__json_key(&j, "b");
	tailbox__json_u64(&j, 2);
	tailbox__json_end_object(&j);
	ck_assert_uint_lt(j.len, sizeof(text));
	memcpy(text, j.buf, j.len);
	text[j.len] = '\0';
	tailbox__json_fini(&j);
	return text;
}

START_TEST(json_of_defaults_is_nothing)
{
	ck_assert_str_eq(json_of(false), "{\"a\":1,\"b\":2}");
}
END_TEST

START_TEST(json_is_sorted_and_of_texts)
{
	takes("temporal.emit_on_suspect_shift=false");
	takes("route.breakdown_limit=" U64_MAX);
	takes("queueing.trigger_permille=1");
	takes(LIST_PATH "=a \"b\" , c");
	takes("confidence.medium_score_threshold=0");
	takes("blocking.strong_peak_threshold=5");
	takes("blocking.strong_p95_threshold=6");
	ck_assert_str_eq(
	        json_of(false),
	        "{\"a\":1,\"analyzer_config\":{\"schema_version\":1,"
	        "\"non_default_options\":["
	        "{\"path\":\"blocking.strong_p95_threshold\",\"value\":\"6\"},"
	        "{\"path\":\"blocking.strong_peak_threshold\",\"value\":\"5\"},"
	        "{\"path\":\"confidence.medium_score_threshold\","
	        "\"value\":\"0\"},"
	        "{\"path\":\"" LIST_PATH "\",\"value\":\"a \\\"b\\\",c\"},"
	        "{\"path\":\"queueing.trigger_permille\",\"value\":\"1\"},"
	        "{\"path\":\"route.breakdown_limit\",\"value\":\"" U64_MAX
	        "\"},{\"path\":\"temporal.emit_on_suspect_shift\","
	        "\"value\":\"false\"}]},\"b\":2}");
}
END_TEST

START_TEST(json_of_all_options_is_sorted)
{
	const char *json, *at;
	char last[128] = "", path[128];
	unsigned n = 0;

	takes(LIST_PATH "=x");
	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++)
		o.v[i] ^= 1; /* not valid, but told all the same */
	json = json_of(true);
	for (at = json; (at = strstr(at, "\"path\": \"")) != NULL; n++) {
		at += 9;
		snprintf(path, sizeof(path), "%.*s", (int)strcspn(at, "\""),
		         at);
		ck_assert_int_lt(strcmp(last, path), 0);
		memcpy(last, path, sizeof(last));
	}
	ck_assert_uint_eq(n, TAILBOX__OPT_COUNT);
}
END_TEST

/* Read what the help prints. */
static char *help(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	tailbox__analyzer_options_help(out);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

START_TEST(help_is_complete_and_narrow)
{
	char *text = help(), *at = text, line[256];

	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		const struct tailbox__option_info *info =
		        &tailbox__option_table[i];
		const bool is_bool = info->type == TAILBOX__OPTION_BOOL;
		char *next, *value;

		/* In the order of the registry. */
		snprintf(line, sizeof(line), "%s%s\n", i > 0 ? "\n" : "",
		         info->path);
		at = i > 0 ? strstr(at, line) : at;
		ck_assert_ptr_nonnull(at);
		ck_assert_int_eq(strncmp(at, line, strlen(line)), 0);
		at += strlen(line);
		value = tailbox__option_text(&o, (enum tailbox__option)i);
		snprintf(line, sizeof(line), "    default  %s\n    type     ",
		         value);
		tailbox__free(value);
		ck_assert_int_eq(strncmp(at, line, strlen(line)), 0);
		next = strstr(at, "\n\n");
		if (next == NULL)
			next = at + strlen(at);
		*next = '\0';
		ck_assert_ptr_nonnull(strstr(at, "\n    affects  "));
		ck_assert_ptr_nonnull(strstr(at, is_bool
		                                         ? "\n    true     "
		                                         : "\n    raising  "));
		ck_assert_ptr_nonnull(strstr(at, is_bool
		                                         ? "\n    false    "
		                                         : "\n    lowering "));
		if (i + 1 < TAILBOX__OPT_COUNT)
			*next = '\n';
	}
	free(text);
	text = help();
	for (at = text; *at != '\0'; at += strcspn(at, "\n") + 1) {
		ck_assert_uint_le(strcspn(at, "\n"), 80);
		if (strcspn(at, "\n") > 0)
			ck_assert_int_ne(at[strcspn(at, "\n") - 1], ' ');
		for (size_t i = 0; i < strcspn(at, "\n"); i++)
			ck_assert(at[i] >= ' ' && at[i] <= '~');
	}
	free(text);
}
END_TEST

START_TEST(help_tells_what_is_allowed)
{
	static const char *const blocks[] = {
		"queueing.trigger_permille\n    default  300\n"
		"    type     number of 64 bits: 0 to 1000\n",
		"route.breakdown_limit\n    default  10\n"
		"    type     count of 64 bits: 1 or more\n",
		"confidence.ambiguity_score_gap\n    default  4\n"
		"    type     number of 8 bits: 0 to 100\n",
		"route.emit_on_divergent_suspects\n    default  true\n"
		"    type     true or false\n",
		LIST_PATH "\n"
		"    default  spawn_blocking,blocking_path,blocking\n"
		"    type     list of texts: at least one, none blank\n",
		"downstream.min_stage_samples\n    default  3\n"
		"    type     count of 64 bits: 0 or more\n",
	};
	char *text = help();

	for (size_t i = 0; i < COUNT(blocks); i++)
		ck_assert_msg(strstr(text, blocks[i]) != NULL, "%s%s",
		              blocks[i], text);
	free(text);
}
END_TEST

/* --- out of memory ------------------------------------------------------ */

START_TEST(init_without_memory)
{
	tailbox__analyzer_options_fini(&o);
	for (long n = 0;; n++) {
		int rc;

		tailbox__alloc_fail_after(n);
		rc = tailbox__analyzer_options_init(&o);
		tailbox__alloc_fail_after(-1);
		if (rc == 0) {
			ck_assert_int_ge(n, 4);
			return;
		}
		ck_assert_int_eq(rc, -ENOMEM);
		tailbox__analyzer_options_fini(&o);
		ck_assert_int_eq(tailbox__alloc_live(), 0);
		ck_assert_int_lt(n, 100);
	}
}
END_TEST

static int set_list(struct tailbox__error *err)
{
	return tailbox__analyzer_options_set(
		&o, LIST_PATH "=a,b,c,d,e,f,g,h,i,j,k,l", err);
}

static int load_list(struct tailbox__error *err)
{
	static const char text[] =
	        "[analyzer]\nschema_version = 1\n[analyzer.downstream]\n"
	        "blocking_correlated_stage_patterns = ['a', 'b', 'c', 'd',"
	        "'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l']\n";

	return tailbox__analyzer_options_load(&o, "f", text, sizeof(text) - 1,
	                                      err);
}

static int (*const changes[])(struct tailbox__error *err) = { set_list,
	                                                      load_list };

START_TEST(changes_without_memory)
{
	const long live = tailbox__alloc_live();

	for (long n = 0;; n++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		int rc;

		tailbox__alloc_fail_after(n);
		rc = changes[_i](&err);
		tailbox__alloc_fail_after(-1);
		if (rc == 0) {
			ck_assert_int_ge(n, 12);
			ck_assert_str_eq(value_of(LIST_PATH),
			                 "a,b,c,d,e,f,g,h,i,j,k,l");
			return;
		}
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_int_eq(err.code, -ENOMEM);
		ck_assert_str_eq(err.text, "out of memory");
		ck_assert_int_eq(tailbox__alloc_live(), live);
		ck_assert_str_eq(all_of(&o), standard);
		ck_assert_int_lt(n, 100);
	}
}
END_TEST

/* Numbers need none. */
START_TEST(numbers_are_set_without_memory)
{
	tailbox__alloc_fail_after(0);
	takes("route.breakdown_limit=7");
	takes("temporal.emit_on_suspect_shift=false");
	ck_assert_ptr_null(tailbox__option_text(&o, O(ROUTE_LIMIT)));
	ck_assert_ptr_null(tailbox__option_text(&o, O(ROUTE_ON_DIVERGENT)));
	ck_assert_ptr_null(tailbox__option_text(&o, O(DOWNSTREAM_PATTERNS)));
}
END_TEST

START_TEST(json_without_memory)
{
	long live;

	takes("route.breakdown_limit=7");
	takes(LIST_PATH "=x,y");
	live = tailbox__alloc_live();
	for (long n = 0;; n++) {
		struct tailbox__json j;
		int rc;

		tailbox__alloc_fail_after(n);
		tailbox__json_init(&j, true);
		tailbox__json_begin_object(&j);
		rc = tailbox__analyzer_options_json(&o, &j);
		tailbox__json_end_object(&j);
		tailbox__alloc_fail_after(-1);
		ck_assert_int_eq(tailbox__json_ok(&j), rc == 0);
		tailbox__json_fini(&j);
		ck_assert_int_eq(tailbox__alloc_live(), live);
		if (rc == 0) {
			ck_assert_int_ge(n, 3);
			return;
		}
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_int_lt(n, 100);
	}
}
END_TEST

static TCase *new_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, begin, end);
	suite_add_tcase(s, tc);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("analyzer_options");
	SRunner *r = srunner_create(s);
	TCase *tc = new_case(s, "overrides");
	int failed;

	tcase_add_test(tc, defaults_and_their_order);
	tcase_add_test(tc, numbers_mean_their_paths);
	tcase_add_loop_test(tc, edges_of_each_option, 0, (int)COUNT(edges));
	tcase_add_test(tc, each_option_has_edges);
	tcase_add_test(tc, numbers_as_they_are_written);
	tcase_add_test(tc, lists_are_split_and_trimmed);
	tcase_add_test(tc, one_equals_sign);
	tcase_add_loop_test(tc, unknown_paths_and_what_was_meant, 0,
	                    (int)COUNT(paths));
	tcase_add_test(tc, of_equally_near_paths_the_first_is_suggested);
	tcase_add_test(tc, messages_show_foreign_text_harmlessly);
	tcase_add_test(tc, shown_text_fits);
	tcase_add_test(tc, the_first_rule_that_is_broken_is_told);
	tcase_add_test(tc, each_override_must_leave_a_valid_set);
	tc = new_case(s, "files");
	tcase_add_test(tc, a_file_may_hold_every_option);
	tcase_add_test(tc, files_that_are_taken);
	tcase_add_test(tc, values_of_a_file_are_judged_once_at_the_end);
	tcase_add_test(tc, lists_of_a_file_are_kept_as_written);
	tcase_add_loop_test(tc, each_wrong_file_is_refused, 0,
	                    (int)COUNT(wrong_files));
	tcase_add_test(tc, files_that_are_too_large_have_no_line);
	tcase_add_test(tc, a_file_cut_anywhere_changes_all_or_nothing);
	tc = new_case(s, "shown");
	tcase_add_test(tc, what_differs);
	tcase_add_test(tc, json_of_defaults_is_nothing);
	tcase_add_test(tc, json_is_sorted_and_of_texts);
	tcase_add_test(tc, json_of_all_options_is_sorted);
	tcase_add_test(tc, help_is_complete_and_narrow);
	tcase_add_test(tc, help_tells_what_is_allowed);
	tc = new_case(s, "memory");
	tcase_add_test(tc, init_without_memory);
	tcase_add_loop_test(tc, changes_without_memory, 0,
	                    (int)COUNT(changes));
	tcase_add_test(tc, numbers_are_set_without_memory);
	tcase_add_test(tc, json_without_memory);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
