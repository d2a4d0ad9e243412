/* tests/test_analyzer_options_file.c - options out of files, and each file that
 * is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/analyzer_options_fixture.h"

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

int main(void)
{
	Suite *s = suite_create("analyzer_options_file");
	SRunner *r = srunner_create(s);
	TCase *tc = new_case(s, "options");
	int failed;

	tcase_add_test(tc, a_file_may_hold_every_option);
	tcase_add_test(tc, files_that_are_taken);
	tcase_add_test(tc, values_of_a_file_are_judged_once_at_the_end);
	tcase_add_test(tc, lists_of_a_file_are_kept_as_written);
	tcase_add_loop_test(tc, each_wrong_file_is_refused, 0,
	                    (int)COUNT(wrong_files));
	tcase_add_test(tc, files_that_are_too_large_have_no_line);
	tcase_add_test(tc, a_file_cut_anywhere_changes_all_or_nothing);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
