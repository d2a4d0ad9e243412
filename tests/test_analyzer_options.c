/* tests/test_analyzer_options.c - what an analysis can be told: defaults,
 * the values that each option takes, and the rules between them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/analyzer_options_fixture.h"

/* --- the table ---------------------------------------------------------- */

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

/* --- rules -------------------------------------------------------------- */

/* Each rule broken, from the last to the first, so that each new one is the
 * one that is told: their order. */
static const struct {
	enum tailbox__option which;
	uint64_t value;
	const char *words;
} violations[] = {
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

int main(void)
{
	Suite *s = suite_create("analyzer_options");
	SRunner *r = srunner_create(s);
	TCase *tc = new_case(s, "options");
	int failed;

	tcase_add_test(tc, defaults_and_their_order);
	tcase_add_test(tc, numbers_mean_their_paths);
	tcase_add_loop_test(tc, edges_of_each_option, 0, (int)COUNT(edges));
	tcase_add_test(tc, each_option_has_edges);
	tcase_add_test(tc, numbers_as_they_are_written);
	tcase_add_test(tc, lists_are_split_and_trimmed);
	tcase_add_test(tc, the_first_rule_that_is_broken_is_told);
	tcase_add_test(tc, each_override_must_leave_a_valid_set);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
