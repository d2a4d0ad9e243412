/* tests/test_analyzer_options_paths.c - overrides that name no option: what
 * is said, and which path was meant.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/analyzer_options_fixture.h"

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

int main(void)
{
	Suite *s = suite_create("analyzer_options_paths");
	SRunner *r = srunner_create(s);
	TCase *tc = new_case(s, "options");
	int failed;

	tcase_add_test(tc, one_equals_sign);
	tcase_add_loop_test(tc, unknown_paths_and_what_was_meant, 0,
	                    (int)COUNT(paths));
	tcase_add_test(tc, of_equally_near_paths_the_first_is_suggested);
	tcase_add_test(tc, messages_show_foreign_text_harmlessly);
	tcase_add_test(tc, shown_text_fits);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
