/* tests/test_config_file_controller.c - the [controller] tables of a file:
 * what they require, refuse and warn of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/config_file_fixture.h"

#define LEAST                                                                  \
	"[controller]\n[controller.activation]\nmode = 'light'\n"              \
	"[controller.activation.sink]\ntype = 'local_json'\n"                  \
	"output_path = 'runs/a.json'\n"

START_TEST(mixed_families_are_refused_with_both_lines)
{
	refuses("[tape]\nsize = '2MiB'\n" LEAST,
	        "f:3:1: a file has either flat tables or [controller] tables: "
	        "[tape] is in line 1, [controller...] in line 3\n");
	refuses(LEAST "[window]\nmode = 'light'\n",
	        "f:7:1: a file has either flat tables or [controller] tables: "
	        "[window] is in line 7, [controller...] in line 1\n");
}
END_TEST

START_TEST(least_controller_file_gives_its_own_defaults)
{
	/* What the program says about windows does not count any more. */
	config.window.strict_lifecycle = true;
	config.window.max_requests = 7;
	config.window.policy = TAILBOX__POLICY_SEAL;
	config.window.arm_at_start = true;
	config.sampler.interval = 50;
	takes(LEAST);
	ck_assert_uint_eq(config.window.mode, TAILBOX__MODE_LIGHT);
	ck_assert(!config.window.strict_lifecycle);
	ck_assert_uint_eq(config.window.policy, TAILBOX__POLICY_CONTINUE);
	ck_assert_uint_eq(config.window.max_requests, TAILBOX__NONE);
	ck_assert(config.window.arm_at_start); /* this one falls back */
	ck_assert(!config.sampler.enabled);
	ck_assert_uint_eq(config.sampler.interval, TAILBOX__NONE);
	ck_assert(config.artifacts.local_json);
	ck_assert_str_eq(config.artifacts.output_path, "runs/a.json");
	ck_assert_uint_eq(config.origin[TAILBOX__KEY_WINDOW_MODE].line, 3);
	ck_assert_uint_eq(config.origin[TAILBOX__KEY_SAMPLER_ENABLED].line, 0);
	ck_assert_uint_eq(config.origin[TAILBOX__KEY_SAMPLER_ENABLED].from,
	                  TAILBOX__FROM_FILE);
}
END_TEST

static const struct {
	const char *text, *message;
} incomplete[] = {
	{ "[controller]\n",
	  "f:1:1: [controller.activation] is missing\n"
	  "f:1:1: [controller.activation.sink] is missing\n" },
	{ "[controller]\n[controller.activation]\n",
	  "f:1:1: [controller.activation.sink] is missing\n"
	  "f:2:1: controller.activation.mode is missing\n" },
	{ "[controller.activation]\nmode = 'light'\n"
	  "[controller.activation.sink]\n",
	  "f:3:1: controller.activation.sink.type is missing\n"
	  "f:3:1: controller.activation.sink.output_path is missing\n" },
	{ LEAST "[controller.activation.runtime_sampler]\n",
	  "f:7:1: controller.activation.runtime_sampler.enabled_for_armed_runs "
	  "is missing\n" },
	{ LEAST "[controller.activation.run_end_policy]\n",
	  "f:7:1: controller.activation.run_end_policy.kind is missing\n" },
};

START_TEST(required_tables_and_keys)
{
	refuses(incomplete[_i].text, incomplete[_i].message);
}
END_TEST

#define SAMPLER                                                                \
	LEAST "[controller.activation.runtime_sampler]\n"                      \
	      "enabled_for_armed_runs = true\n"
#define LIMITS LEAST "[controller.activation.capture_limits_override]\n"
#define POLICY LEAST "[controller.activation.run_end_policy]\n"

static const struct {
	const char *text, *message;
} wrong_values[] = {
	{ "[controller]\nservice_name = ' '\n[controller.activation]\n"
	  "mode = 'light'\n[controller.activation.sink]\ntype = 'local_json'\n"
	  "output_path = 'x'\n",
	  "f:2:1: controller.service_name: \" \" is blank\n" },
	{ "[controller]\nservice_name = ''\n[controller.activation]\n"
	  "mode = 'light'\n[controller.activation.sink]\ntype = 'local_json'\n"
	  "output_path = 'x'\n",
	  "f:2:1: controller.service_name has a text of 0 bytes: it takes 1 "
	  "to 63\n" },
	{ LIMITS "max_requests = -1",
	  "f:8:1: controller.activation.capture_limits_override.max_requests "
	  "takes a whole number, 0 or more\n" },
	{ LIMITS "max_stages = '5'",
	  "f:8:1: controller.activation.capture_limits_override.max_stages "
	  "takes a whole number, 0 or more\n" },
	{ SAMPLER "mode_override = 'dark'",
	  "f:9:1: controller.activation.runtime_sampler.mode_override is "
	  "\"dark\": it takes \"light\" or \"investigation\"\n" },
	{ SAMPLER "interval_ms = '5ms'",
	  "f:9:1: controller.activation.runtime_sampler.interval_ms takes a "
	  "whole number, 0 or more\n" },
	{ POLICY "kind = 'stop'",
	  "f:8:1: controller.activation.run_end_policy.kind is \"stop\": it "
	  "takes \"continue_after_limits_hit\" or "
	  "\"auto_seal_on_limits_hit\"\n" },
	{ "[controller]\ninitially_enabled = 1\n[controller.activation]\n"
	  "mode = 'light'\nstrict_lifecycle = 'no'\n"
	  "[controller.activation.sink]\ntype = 'http'\noutput_path = 1\n",
	  "f:2:1: controller.initially_enabled is a number: it takes true or "
	  "false\n"
	  "f:5:1: controller.activation.strict_lifecycle is a text: it takes "
	  "true or false\n"
	  "f:7:1: controller.activation.sink.type takes \"local_json\"\n"
	  "f:8:1: controller.activation.sink.output_path is a number: it takes "
	  "a text of 1 to 1023 bytes\n" },
	{ "[controller]\nactivation = 'x'\n",
	  "f:2:1: controller.activation is a table, not a value\n"
	  "f:1:1: [controller.activation] is missing\n"
	  "f:1:1: [controller.activation.sink] is missing\n" },
	{ LEAST "[controller.service_name]\n",
	  "f:7:1: controller.service_name is a value, not a table\n" },
};

START_TEST(wrong_values_of_a_controller_file)
{
	refuses(wrong_values[_i].text, wrong_values[_i].message);
}
END_TEST

START_TEST(unknown_keys_of_a_controller_file_are_warnings)
{
	warns(LEAST "flush = true\n[controller.activation.extra]\nx = ['y']\n"
	            "[other]\nz = 1\n[analyzer]\ny = 2\n",
	      "f:7:1: warning: unknown key controller.activation.sink.flush\n"
	      "f:8:1: warning: unknown table [controller.activation.extra]\n"
	      "f:10:1: warning: unknown table [other]\n");
	ck_assert_uint_eq(report.warnings, 3);
	ck_assert(config.artifacts.local_json);
}
END_TEST

START_TEST(limits_of_a_controller_file_at_their_edges)
{
	takes(LIMITS "max_requests = 0\nmax_stages = 10000000\n"
	             "max_queues = 1\nmax_inflight_snapshots = 2\n"
	             "max_runtime_snapshots = 3\n");
	ck_assert_uint_eq(config.window.max_requests, 0);
	ck_assert_uint_eq(config.window.max_stages, 10000000);
	ck_assert_uint_eq(config.window.max_queues, 1);
	ck_assert_uint_eq(config.window.max_inflight_snapshots, 2);
	ck_assert_uint_eq(config.window.max_runtime_snapshots, 3);
	warns(LIMITS "max_requests = 10000001\n",
	      "f:8:1: warning: controller.activation.capture_limits_override."
	      "max_requests is 10000001: 10000000 is taken\n");
	warns(LIMITS "max_queues = 18446744073709551615\n",
	      "f:8:1: warning: controller.activation.capture_limits_override."
	      "max_queues is 18446744073709551615: 10000000 is taken\n");
	ck_assert_uint_eq(config.window.max_queues, 10000000);
	refuses(LIMITS "max_queues = 18446744073709551616\n",
	        "f:8:14: 18446744073709551616: a number over 2^64 - 1\n");
}
END_TEST

START_TEST(sampler_of_a_controller_file_at_its_edges)
{
	takes(SAMPLER "mode_override = 'investigation'\ninterval_ms = 10\n"
	              "max_runtime_snapshots = 0\n");
	ck_assert(config.sampler.enabled);
	ck_assert_uint_eq(config.sampler.mode, TAILBOX__MODE_INVESTIGATION);
	ck_assert_uint_eq(config.sampler.interval, 10);
	ck_assert_uint_eq(config.sampler.max_runtime_snapshots, 0);
	takes(SAMPLER "interval_ms = 60000\n");
	ck_assert_uint_eq(config.sampler.interval, 60000);
	/* found out when a window is armed */
	takes(SAMPLER "interval_ms = 0\n");
	ck_assert_uint_eq(config.sampler.interval, 0);
	warns(SAMPLER "interval_ms = 9\n",
	      "f:9:1: warning: controller.activation.runtime_sampler."
	      "interval_ms is 9: 10 is taken\n");
	warns(SAMPLER "interval_ms = 60001\n",
	      "f:9:1: warning: controller.activation.runtime_sampler."
	      "interval_ms is 60001: 60000 is taken\n");
}
END_TEST

START_TEST(texts_of_a_controller_file_at_their_edges)
{
	char name[80], text[512];

	memset(name, 'n', sizeof(name));
	memcpy(name + 62, "\xc3\xa9", 3); /* over the limit within a letter */
	snprintf(text, sizeof(text),
	         "[controller]\nservice_name = '%s'\n[controller.activation]\n"
	         "mode = 'light'\n[controller.activation.sink]\n"
	         "type = 'local_json'\noutput_path = ''\n", name);
	warns(text, "f:2:1: warning: controller.service_name is cut to 62 "
	            "bytes\n"
	            "f:7:1: warning: controller.activation.sink.output_path is "
	            "empty: tailtriage-run.json is taken\n");
	ck_assert_uint_eq(strlen(config.service.name), 62);
	ck_assert_str_eq(config.artifacts.output_path, "tailtriage-run.json");
}
END_TEST

#define LOOP(tc, test, table)                                                  \
	tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *s = suite_create("config_file_controller");
	TCase *tc = new_case(s, "controller", setup, NULL);
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, mixed_families_are_refused_with_both_lines);
	tcase_add_test(tc, least_controller_file_gives_its_own_defaults);
	LOOP(tc, required_tables_and_keys, incomplete);
	LOOP(tc, wrong_values_of_a_controller_file, wrong_values);
	tcase_add_test(tc, unknown_keys_of_a_controller_file_are_warnings);
	tcase_add_test(tc, limits_of_a_controller_file_at_their_edges);
	tcase_add_test(tc, sampler_of_a_controller_file_at_its_edges);
	tcase_add_test(tc, texts_of_a_controller_file_at_their_edges);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
