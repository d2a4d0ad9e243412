/* tests/test_analyzer_options_shown.c - how options are shown: what differs
 * from the defaults, the JSON of a report, the help.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/analyzer_options_fixture.h"

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

int main(void)
{
	Suite *s = suite_create("analyzer_options_shown");
	SRunner *r = srunner_create(s);
	TCase *tc = new_case(s, "options");
	int failed;

	tcase_add_test(tc, what_differs);
	tcase_add_test(tc, json_of_defaults_is_nothing);
	tcase_add_test(tc, json_is_sorted_and_of_texts);
	tcase_add_test(tc, json_of_all_options_is_sorted);
	tcase_add_test(tc, help_is_complete_and_narrow);
	tcase_add_test(tc, help_tells_what_is_allowed);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
