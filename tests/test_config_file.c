/* tests/test_config_file.c - settings out of files: each key at its edges, the
 * two families of tables, what is said about mistakes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/config_file.h"
#include "core/json.h"
#include "core/tailbox.h"

static struct tailbox__config config, before;
static struct tailbox__config_report report;

static void setup(void)
{
	tailbox__config_init(&config);
}

static void put_the_allocator_back(void)
{
	tailbox__alloc_fail_after(-1);
}

static int read_text(const char *text)
{
	return tailbox__config_read(&config, text, strlen(text), &report);
}

/* All messages, "LINE:COLUMN: text" each, in a buffer used again. */
static const char *messages(void)
{
	static char out[16384];
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < report.count; i++) {
		char line[400];
		tailbox__config_message_text(line, sizeof(line), "f",
		                             &report.items[i]);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s\n", line);
	}
	return out;
}

static void takes(const char *text)
{
	ck_assert_msg(read_text(text) == 0, "%s\nrefused: %s", text,
	              messages());
	ck_assert_msg(report.count == 0, "%s\n%s", text, messages());
}

static void refuses(const char *text, const char *message)
{
	tailbox__config_init(&config);
	before = config;
	ck_assert_msg(read_text(text) == -TAILBOX_ESHAPE, "taken: %s", text);
	ck_assert_msg(strcmp(messages(), message) == 0, "%s\n%s\nnot %s", text,
	              messages(), message);
	ck_assert(memcmp(&config, &before, sizeof(config)) == 0);
}

static void warns(const char *text, const char *message)
{
	tailbox__config_init(&config);
	ck_assert_msg(read_text(text) == 0, "%s\nrefused: %s", text,
	              messages());
	ck_assert_str_eq(messages(), message);
}

/* --- each key at its edges ---------------------------------------------- */

/* "[table]\nname = VALUE\n" */
static const char *setting(unsigned key, const char *value)
{
	static char text[1 << 16];

	snprintf(text, sizeof(text), "[%s]\n%s = %s\n",
	         tailbox__config_keys[key].table,
	         tailbox__config_keys[key].name, value);
	return text;
}

/* A number for a key as a file has it. */
static const char *number(unsigned key, uint64_t v)
{
	static char text[64];
	const char *unit = "";

	if (tailbox__config_keys[key].type == TAILBOX__CONFIG_COUNT)
		snprintf(text, sizeof(text), "%" PRIu64, v);
	else {
		unit = tailbox__config_keys[key].type == TAILBOX__CONFIG_SIZE
		               ? "B"
		       : tailbox__config_keys[key].type ==
		                       TAILBOX__CONFIG_MICROS
		               ? "us" : "ms";
		snprintf(text, sizeof(text), "\"%" PRIu64 "%s\"", v, unit);
	}
	return text;
}

static void wrong(unsigned key, const char *value, const char *words)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.%s", tailbox__config_keys[key].table,
	         tailbox__config_keys[key].name);
	before = config;
	ck_assert_msg(read_text(setting(key, value)) == -TAILBOX_ESHAPE,
	              "%s = %s is taken", name, value);
	ck_assert_uint_eq(report.items[0].line, 2);
	ck_assert_uint_eq(report.items[0].column, 1);
	ck_assert_msg(strstr(report.items[0].text, words) != NULL &&
	                      strncmp(report.items[0].text, name,
	                              strlen(name)) == 0,
	              "%s = %s: %s", name, value, report.items[0].text);
	ck_assert(memcmp(&config, &before, sizeof(config)) == 0);
}

static void right(unsigned key, const char *value)
{
	takes(setting(key, value));
	ck_assert_uint_eq(config.origin[key].from, TAILBOX__FROM_FILE);
	ck_assert_uint_eq(config.origin[key].line, 2);
}

static void edges_of_number(unsigned key)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	const bool has_unit = k->type != TAILBOX__CONFIG_COUNT;
	const uint64_t *at = tailbox__config_at(&config, key);

	right(key, number(key, k->min));
	ck_assert_uint_eq(*at, k->min);
	right(key, number(key, k->max));
	ck_assert_uint_eq(*at, k->max);
	if (k->min > 0)
		wrong(key, number(key, k->min - 1), "it takes");
	if (k->type == TAILBOX__CONFIG_MICROS) {
		right(key, number(key, 0)); /* none */
		ck_assert_uint_eq(*at, 0);
		right(key, number(key, k->max));
	} else if (k->min > 0) {
		wrong(key, number(key, 0), "it takes");
	}
	wrong(key, number(key, k->max + 1), "it takes");
	wrong(key, number(key, UINT64_MAX), "it takes");
	if (has_unit) {
		wrong(key, "30", "without a unit");
		wrong(key, "\"30\"", "a unit");
		wrong(key, "\"30 s\"", "a unit");
		wrong(key, "\"30x\"", "a unit");
		wrong(key, "\"\"", "digit");
		wrong(key, "\"-1s\"", "digit");
		wrong(key, "\"99999999999999999999s\"", "too large");
		wrong(key, k->type == TAILBOX__CONFIG_SIZE ? "\"30s\""
		                                           : "\"30MiB\"",
		      "a unit");
		wrong(key, k->type == TAILBOX__CONFIG_SIZE
		                   ? "\"18446744073709551615TiB\""
		           : k->type == TAILBOX__CONFIG_MICROS
		                   ? "\"18446744073709551615ms\""
		                   : "\"18446744073709551615d\"",
		      "too large");
	} else {
		wrong(key, "-1", "it takes");
		wrong(key, "\"30\"", "is a text");
	}
	wrong(key, "true", "it takes");
	wrong(key, "['30s']", "it takes");
}

/* Texts that look like something at any length: they have tests of their own. */
static bool has_look(unsigned key)
{
	return key == TAILBOX__KEY_ADMIN_LISTEN ||
	       key == TAILBOX__KEY_TRIGGERS_ERROR_RATE ||
	       key == TAILBOX__KEY_TRIGGERS_ACCEPT_QUEUE ||
	       key == TAILBOX__KEY_TRIGGERS_SIGNAL ||
	       key == TAILBOX__KEY_HOLDS_STACK;
}

static bool is_of_paths(unsigned key)
{
	return key == TAILBOX__KEY_ROUTES_PATTERNS ||
	       key == TAILBOX__KEY_ARTIFACTS_ON_ARTIFACT ||
	       key == TAILBOX__KEY_TRIGGERS_ROUTE_P99;
}

/* A text of n bytes that this key takes. */
static const char *long_text(unsigned key, size_t n)
{
	static char text[2048];

	text[0] = '"';
	memset(text + 1, 'x', n);
	if (is_of_paths(key))
		text[1] = '/';
	if (key == TAILBOX__KEY_TRIGGERS_ROUTE_P99)
		memcpy(text + n - 3, " 1ms", 4);
	memcpy(text + 1 + n, "\"", 2);
	return text;
}

static void edges_of_text(unsigned key)
{
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	const char *at = tailbox__config_at(&config, key);

	if (!has_look(key)) {
		right(key, long_text(key, k->max));
		ck_assert_uint_eq(strlen(at), k->max);
		wrong(key, long_text(key, k->max + 1), "bytes");
		if (k->min > 0) {
			right(key, long_text(key, k->min));
			wrong(key, long_text(key, k->min - 1), "bytes");
		} else {
			right(key, "\"\"");
			ck_assert_str_eq(at, "");
		}
	}
	wrong(key, "1", "is a number");
	wrong(key, "true", "is a flag");
	wrong(key, "[]", "is an array");
	if (k->min > 1)
		wrong(key, "\"sixteen bytes\\u0009xxx\"", "control");
	else
		wrong(key, "\"/\\u0001\"", "control");
}

static void edges_of_list(unsigned key)
{
	const struct tailbox__config_list *at =
	        tailbox__config_at(&config, key);
	static char text[32768];
	const bool has_bound = key == TAILBOX__KEY_TRIGGERS_ROUTE_P99;
	const size_t longest = has_bound          ? TAILBOX_NAME_MAX + 4
	                       : is_of_paths(key) ? TAILBOX_NAME_MAX
	                               : TAILBOX__CONFIG_TEXT_MAX;

	right(key, "[]");
	ck_assert_uint_eq(at->count, 0);
	for (int over = 0; over < 2; over++) {
		size_t n = 1;
		text[0] = '[';
		for (unsigned i = 0; i < TAILBOX__CONFIG_LIST_MAX +
		                                 (unsigned)over; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			                      "\"/%u%s\",", i,
			                      has_bound ? " 1ms" : "");
		if (!is_of_paths(key))
			for (char *p = text; *p != '\0'; p++)
				*p = *p == '/' ? 'h' : *p;
		memcpy(text + n, "]", 2);
		if (!over) {
			right(key, text);
			ck_assert_uint_eq(at->count, TAILBOX__CONFIG_LIST_MAX);
		} else {
			ck_assert_int_ne(read_text(setting(key, text)), 0);
			ck_assert_uint_eq(report.count, 1);
			ck_assert_ptr_nonnull(strstr(messages(),
			                             "more than 64 texts"));
		}
	}
	for (int over = 0; over < 2; over++) {
		snprintf(text, sizeof(text), "[%s]",
		         long_text(key, longest + (size_t)over));
		if (!over)
			right(key, text);
		ck_assert_int_eq(read_text(setting(key, text)) != 0, over);
	}
	ck_assert_int_ne(read_text(setting(key, "['']")), 0);
	wrong(key, "\"/x\"", "is a text");
	wrong(key, "true", "is a flag");
}

START_TEST(each_key_at_its_edges)
{
	const unsigned key = (unsigned)_i;
	const struct tailbox__config_key_info *k = &tailbox__config_keys[key];
	char text[64];

	switch (k->type) {
	case TAILBOX__CONFIG_BOOL:
		right(key, "true");
		ck_assert(*(bool *)tailbox__config_at(&config, key));
		right(key, "false");
		ck_assert(!*(bool *)tailbox__config_at(&config, key));
		wrong(key, "1", "true or false");
		wrong(key, "\"true\"", "true or false");
		break;
	case TAILBOX__CONFIG_COUNT:
	case TAILBOX__CONFIG_SIZE:
	case TAILBOX__CONFIG_DURATION:
	case TAILBOX__CONFIG_MICROS:
		edges_of_number(key);
		break;
	case TAILBOX__CONFIG_CHOICE:
		for (uint64_t i = 0; k->choices[i] != NULL; i++) {
			snprintf(text, sizeof(text), "'%s'", k->choices[i]);
			right(key, text);
			ck_assert_uint_eq(
			        *(uint64_t *)tailbox__config_at(&config, key),
			        i);
		}
		wrong(key, "\"\"", k->choices[0]);
		wrong(key, "\"Light\"", k->choices[1]);
		wrong(key, "0", "is a number");
		wrong(key, "false", "is a flag");
		break;
	case TAILBOX__CONFIG_TEXT:
		edges_of_text(key);
		break;
	case TAILBOX__CONFIG_LIST:
		edges_of_list(key);
		break;
	}
}
END_TEST

/* --- texts that must look like something --------------------------------- */

START_TEST(listen_addresses)
{
	static const char *const good[] = {
		"", "127.0.0.1:9180", "0.0.0.0:0", "[::1]:65535", "[::]:1",
		"localhost:9180", ":9180", "9180"
	};
	static const char *const bad[] = {
		"127.0.0.1", "127.0.0.1:", ":", "127.0.0.1:65536", "65536",
		"127.0.0.1:http", "example.org:9180", "::1:9180", "[::1]",
		"[::1:9180", "[127.0.0.1]:1", "127.0.0.1:-1", "1.2.3:80",
		"127.0.0.1:000080", "[]:1"
	};
	char text[128];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text),
		         "[admin]\nlisten = '%s'\n"
		         "token = 'sixteen-bytes-xx'\n", good[i]);
		takes(text);
		ck_assert_str_eq(config.admin.listen, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "'%s'", bad[i]);
		wrong(TAILBOX__KEY_ADMIN_LISTEN, text, bad[i]);
	}
}
END_TEST

START_TEST(programs_have_absolute_paths)
{
	takes("[artifacts]\non_artifact = '/opt/a b/c'\n");
	ck_assert_str_eq(config.artifacts.on_artifact, "/opt/a b/c");
	wrong(TAILBOX__KEY_ARTIFACTS_ON_ARTIFACT, "'keep'",
	      "is no absolute path");
	wrong(TAILBOX__KEY_ARTIFACTS_ON_ARTIFACT, "'bin/keep'",
	      "is no absolute path");
	wrong(TAILBOX__KEY_ARTIFACTS_ON_ARTIFACT, "' /bin/keep'",
	      "is no absolute path");
	wrong(TAILBOX__KEY_ARTIFACTS_ON_ARTIFACT, "'~/keep'",
	      "is no absolute path");
}
END_TEST

START_TEST(triggers)
{
	static const struct {
		unsigned key;
		const char *good[4], *bad[4];
	} rows[] = {
		{ TAILBOX__KEY_TRIGGERS_ERROR_RATE,
		  { "'5%'", "'0.5%'", "''", NULL },
		  { "'5'", "'0%'", "'101%'", NULL } },
		{ TAILBOX__KEY_TRIGGERS_ACCEPT_QUEUE,
		  { "'80%'", "'100'", "''", NULL },
		  { "'0'", "'all'", "'-1'", NULL } },
		{ TAILBOX__KEY_TRIGGERS_SIGNAL,
		  { "'SIGUSR2'", "'SIGHUP'", "''", NULL },
		  { "'SIGKILL'", "'USR2'", "'12'", NULL } },
		{ TAILBOX__KEY_TRIGGERS_ROUTE_P99,
		  { "['/a 1ms', 'GET /b 2s']", "[]", NULL, NULL },
		  { "['/a']", "['/a 5']", "[' 5ms']", NULL } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; rows[i].good[k]; k++)
			right(rows[i].key, rows[i].good[k]);
		for (size_t k = 0; rows[i].bad[k]; k++)
			ck_assert_int_ne(read_text(setting(rows[i].key,
			                                   rows[i].bad[k])),
			                 0);
	}
}
END_TEST

START_TEST(route_patterns)
{
	static const char *const good[] = {
		"/", "/*", "/users/{id}/orders", "/a/*", "/{a}/{b-2}/{C_3}",
		"/a//b/", "/\xc3\xa9", "/x{y", "/a%20b"
	};
	static const struct {
		const char *pattern, *words;
	} bad[] = {
		{ "users", "begins with /" },
		{ "/*/a", "last segment" },
		{ "/a*", "segment of its own" },
		{ "/a/{id}x", "segment of its own" },
		{ "/a/x{id}", "segment of its own" },
		{ "/{}", "segment of its own" },
		{ "/{a b}", "letters, digits" },
		{ "/{a}{b}", "letters, digits" },
		{ "/a?b", "without ?" },
		{ "/a#b", "without ?" },
	};
	char text[128];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "[\"%s\"]", good[i]);
		if (strcmp(good[i], "/x{y") == 0)
			ck_assert_int_ne(read_text(setting(
			        TAILBOX__KEY_ROUTES_PATTERNS, text)), 0);
		else
			right(TAILBOX__KEY_ROUTES_PATTERNS, text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[\"%s\"]", bad[i].pattern);
		ck_assert_int_ne(read_text(setting(TAILBOX__KEY_ROUTES_PATTERNS,
		                                   text)), 0);
		ck_assert_msg(strstr(messages(), bad[i].words) != NULL,
		              "%s: %s", bad[i].pattern, messages());
	}
}
END_TEST

START_TEST(names_tokens_and_hosts)
{
	wrong(TAILBOX__KEY_SERVICE_NAME, "'  '", "blank");
	wrong(TAILBOX__KEY_ADMIN_TOKEN, "'with a blank in it'", "blank");
	ck_assert_ptr_null(strstr(messages(), "with a blank"));
	wrong(TAILBOX__KEY_ADMIN_TOKEN, "'sixteen-bytes-\xc3\xa9x'", "ASCII");
	ck_assert_int_ne(read_text("[admin]\nallow_hosts = ['http://a']"), 0);
	ck_assert_ptr_nonnull(strstr(messages(), "f:2:16: "));
	takes("[admin]\nallow_hosts = ['a.b-c:9180', '[::1]:80']");
}
END_TEST

/* --- the flat family ---------------------------------------------------- */

START_TEST(unknown_keys_are_errors_that_name_the_nearest)
{
	refuses("[window]\nmod = 'light'",
	        "f:2:1: unknown key window.mod; did you mean window.mode?\n");
	refuses("[windw]\nmode = 1\n[window]\nmode = 'light'",
	        "f:1:1: unknown table [windw]; did you mean [window]?\n");
	refuses("[admin]\nmax_requests = 1",
	        "f:2:1: unknown key admin.max_requests; did you mean "
	        "window.max_requests?\n");
	refuses("[window]\nfrobnicate = 1",
	        "f:2:1: unknown key window.frobnicate\n");
	refuses("[controler]\n", "f:1:1: unknown table [controler]; did you "
	                         "mean [controller]?\n");
	refuses("[zzzzzzzzz]\n", "f:1:1: unknown table [zzzzzzzzz]\n");
	refuses("mode = 'light'", "f:1:1: unknown key mode; did you mean "
	                          "window.mode?\n");
	refuses("[window.mode]\n", "f:1:1: window.mode is a table: it takes "
	                           "\"light\" or \"investigation\"\n");
	refuses("[window.more]\nx = 1\n",
	        "f:1:1: unknown table [window.more]\n");
	refuses("window = 1", "f:1:1: unknown key window\n");
}
END_TEST

START_TEST(every_mistake_is_told_in_its_order)
{
	refuses("[window]\nmode = 'lite'\nduration = 30\n[tape]\nsize = 1.5\n"
	        "size = '1KiB'\n",
	        "f:2:1: window.mode is \"lite\": it takes \"light\" or "
	        "\"investigation\"\n"
	        "f:3:1: window.duration is a number without a unit: it takes a "
	        "duration with its unit, \"1ms\" to \"1d\"\n"
	        "f:5:8: 1.5: numbers with a point or an exponent are not "
	        "read\n"
	        "f:6:1: tape.size is 1KiB: it takes a size with its unit, "
	        "\"1MiB\" to \"1GiB\"\n");
}
END_TEST

START_TEST(messages_are_bounded_and_counted)
{
	char text[2048] = "[window]\n";
	size_t n = strlen(text);

	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "qqqqq%d = 1\n",
		                      i);
	ck_assert_int_ne(read_text(text), 0);
	ck_assert_uint_eq(report.errors, 40);
	ck_assert_uint_eq(report.count, TAILBOX__CONFIG_MESSAGES_MAX);
}
END_TEST

START_TEST(one_token_only)
{
	refuses("[admin]\nallow_hosts = []\nlisten = '127.0.0.1:0'\n",
	        "f:3:1: admin.listen needs admin.token or admin.token_file: "
	        "without one everybody could ask\n");
	refuses("[admin]\ntoken = 'sixteen-bytes-xx'\ntoken_file = '/x'\n",
	        "f:3:1: admin.token_file and admin.token (line 2) are both "
	        "there: only one can be\n");
}
END_TEST

START_TEST(the_analyzers_tables_are_passed_over)
{
	takes("[analyzer]\nschema_version = 1\n[analyzer.queueing]\nx = 1\n"
	      "[window]\nmode = 'investigation'\n");
	ck_assert_uint_eq(config.window.mode, TAILBOX__MODE_INVESTIGATION);
}
END_TEST

START_TEST(what_is_not_there_stays)
{
	config.tape.size = 12345;
	config.origin[TAILBOX__KEY_TAPE_SIZE].from = TAILBOX__FROM_PROGRAM;
	takes("[window]\nmode = 'investigation'\n");
	ck_assert_uint_eq(config.tape.size, 12345);
	ck_assert_uint_eq(config.origin[TAILBOX__KEY_TAPE_SIZE].from,
	                  TAILBOX__FROM_PROGRAM);
	ck_assert_uint_eq(config.origin[TAILBOX__KEY_WINDOW_MODE].line, 2);
}
END_TEST

/* --- the controller family ---------------------------------------------- */

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

/* --- files -------------------------------------------------------------- */

static char dir[64];

static void make_dir(void)
{
	setup();
	snprintf(dir, sizeof(dir), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void remove_dir(void)
{
	static const char *const names[] = { "file", "pipe", "big" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_of(names[i]));
	ck_assert_int_eq(rmdir(dir), 0);
	tailbox__alloc_fail_after(-1);
}

static const char *file_of(const char *text, mode_t mode)
{
	const char *path = path_of("file");
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

static const char *sample(const char *name)
{
	static char path[4200];
	const char *top = getenv("top_srcdir");

	snprintf(path, sizeof(path), "%s/tests/config/%s", top ? top : ".",
	         name);
	return path;
}

START_TEST(samples_load)
{
	ck_assert_int_eq(tailbox__config_load(&config, sample("flat.toml"),
	                                      &report), 0);
	ck_assert_str_eq(messages(), "");
	ck_assert_str_eq(config.file, sample("flat.toml"));
	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++)
		ck_assert_msg(config.origin[i].from ==
		                      (i == TAILBOX__KEY_ADMIN_TOKEN
		                               ? TAILBOX__FROM_DEFAULT
		                               : TAILBOX__FROM_FILE),
		              "flat.toml does not set %s.%s",
		              tailbox__config_keys[i].table,
		              tailbox__config_keys[i].name);
	ck_assert_uint_eq(config.window.max_requests, 50000);
	ck_assert_str_eq(config.routes.patterns.items[2], "/static/*");
	ck_assert_uint_eq(config.rare.size, 512 << 10);
	ck_assert_uint_eq(config.rare.slow, 250);
	ck_assert_uint_eq(config.log.slow, 200);
	setup();
	ck_assert_int_eq(tailbox__config_load(
	                         &config, sample("controller.toml"), &report),
	                 0);
	ck_assert_str_eq(messages(), "");
	ck_assert_str_eq(config.service.name, "checkout-service");
	ck_assert_uint_eq(config.sampler.interval, 200);
	ck_assert_int_eq(tailbox__config_load(
	                         &config, sample("controller-least.toml"),
	                         &report), 0);
	ck_assert_str_eq(config.artifacts.output_path, "runs/out");
	ck_assert_int_eq(tailbox__config_load(&config, sample("mistakes.toml"),
	                                      &report), -TAILBOX_ESHAPE);
	ck_assert_uint_ge(report.errors, 8);
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
	char big[128];
	int fd;

	before = config;
	ck_assert_int_eq(tailbox__config_load(&config, path_of("none"),
	                                      &report), -ENOENT);
	ck_assert_str_eq(messages(), "f: No such file or directory\n");
	ck_assert_int_eq(tailbox__config_load(&config, dir, &report), -EISDIR);
	ck_assert_str_eq(messages(), "f: is a folder\n");
	ck_assert_int_eq(mkfifo(path_of("pipe"), 0600), 0);
	ck_assert_int_eq(tailbox__config_load(&config, path_of("pipe"),
	                                      &report), -EINVAL);
	ck_assert_str_eq(messages(), "f: is not a plain file\n");
	snprintf(big, sizeof(big), "%s", path_of("big"));
	fd = open(big, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(ftruncate(fd, 262145), 0);
	close(fd);
	ck_assert_int_eq(tailbox__config_load(&config, big, &report), -EFBIG);
	if (geteuid() != 0) {
		ck_assert_int_eq(tailbox__config_load(
		                         &config, file_of("", 0), &report),
		                 -EACCES);
		ck_assert_str_eq(messages(), "f: Permission denied\n");
	}
	ck_assert_int_lt(tailbox__config_load(&config, path_of("none"), NULL),
	                 0);
	ck_assert(memcmp(&config, &before, sizeof(config)) == 0);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}
END_TEST

START_TEST(a_token_for_all_to_read_is_warned_of)
{
	static const char text[] = "[admin]\ntoken = 'sixteen-bytes-xx'\n";

	ck_assert_int_eq(tailbox__config_load(&config, file_of(text, 0640),
	                                      &report), 0);
	ck_assert_uint_eq(report.count, 0);
	ck_assert_int_eq(tailbox__config_load(&config, file_of(text, 0644),
	                                      &report), 0);
	ck_assert_str_eq(messages(), "f:2:1: warning: the token can be read by "
	                             "every user: chmod o-rwx\n");
}
END_TEST

START_TEST(each_allocation_may_fail)
{
	const char *path = file_of("[window]\nmode = 'investigation'\n", 0600);

	before = config;
	for (long n = 0;; n++) {
		int rc;

		tailbox__alloc_fail_after(n);
		rc = tailbox__config_load(&config, path, &report);
		tailbox__alloc_fail_after(-1);
		ck_assert_int_eq(tailbox__alloc_live(), 0);
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_uint_eq(report.errors, 1);
		ck_assert(memcmp(&config, &before, sizeof(config)) == 0);
		ck_assert_int_lt(n, 50);
	}
	ck_assert_uint_eq(config.window.mode, TAILBOX__MODE_INVESTIGATION);
}
END_TEST

/* --- as text ------------------------------------------------------------ */

struct shown {
	char at[65536];
	size_t len;
};

static void put(void *cls, const char *text, size_t len)
{
	struct shown *s = cls;

	ck_assert_uint_lt(s->len + len, sizeof(s->at));
	memcpy(s->at + s->len, text, len);
	s->len += len;
	s->at[s->len] = '\0';
}

static const char *shown(void)
{
	static struct shown s;

	s.len = 0;
	tailbox__config_show(&config, put, &s);
	return s.at;
}

#define has(text, what)                                                        \
	ck_assert_msg(strstr(text, what) != NULL, "no %s in: %s", what, text)

START_TEST(what_is_shown_says_where_it_is_from)
{
	config.tape.size = 4 << 20;
	config.origin[TAILBOX__KEY_TAPE_SIZE].from = TAILBOX__FROM_PROGRAM;
	snprintf(config.tape.dir, sizeof(config.tape.dir), "/run/\"x\"");
	config.origin[TAILBOX__KEY_TAPE_DIR].from = TAILBOX__FROM_ENVIRONMENT;
	takes("[window]\nmode = 'investigation'\nduration = '90s'\n"
	      "[admin]\ntoken = 'sixteen-bytes-xx'\n");
	has(shown(), "[tape]\ndir = \"/run/\\\"x\\\"\"  # environment\n"
	             "size = \"4MiB\"  # program\n");
	has(shown(), "mode = \"investigation\"  # file, line 2\n");
	has(shown(), "duration = \"90s\"  # file, line 3\n");
	has(shown(), "drain_timeout = \"10s\"  # default\n");
	has(shown(), "# max_requests: by the mode  # default\n");
	has(shown(), "token = \"...\"  # file, line 5\n");
	ck_assert_ptr_null(strstr(shown(), "sixteen"));
}
END_TEST

START_TEST(what_is_shown_can_be_read)
{
	ck_assert_int_eq(tailbox__config_load(&config, sample("flat.toml"),
	                                      &report), 0);
	before = config;
	setup();
	takes(shown()); /* of the defaults */
	setup();
	config = before;
	const char *text = shown();
	setup();
	takes(text);
	ck_assert(memcmp(&config, &before,
	                 offsetof(struct tailbox__config, origin)) == 0);
}
END_TEST

START_TEST(json_has_each_value_and_its_origin)
{
	struct tailbox__json j;
	char *text;

	takes("[window]\nmode = 'investigation'\n[admin]\n"
	      "token = 'sixteen-bytes-xx'\n[routes]\npatterns = ['/a', '/b']\n");
	tailbox__json_init(&j, false);
	tailbox__config_json(&config, &j);
	text = tailbox__json_take(&j, NULL);
	ck_assert_ptr_nonnull(text);
	has(text, "{\"file\":null,\"values\":{\"service.name\":{\"value\":null,"
	          "\"from\":\"default\",\"line\":null}");
	has(text, "\"window.mode\":{\"value\":\"investigation\",\"from\":"
	          "\"file\",\"line\":2}");
	has(text, "\"admin.token\":{\"value\":\"...\"");
	has(text, "\"routes.patterns\":{\"value\":[\"/a\",\"/b\"]");
	has(text, "\"window.drain_timeout\":{\"value\":10000,");
	ck_assert_ptr_null(strstr(text, "sixteen"));
	tailbox__free(text);
}
END_TEST

START_TEST(units_go_there_and_back)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} durations[] = {
		{ 0, "0ms" }, { 1, "1ms" }, { 999, "999ms" }, { 1000, "1s" },
		{ 1500, "1500ms" }, { 90000, "90s" }, { 60000, "1m" },
		{ 3600000, "1h" }, { 86400000, "1d" }
	};
	char text[32];
	const char *why;
	uint64_t v;

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		tailbox__config_duration_text(text, durations[i].ms);
		ck_assert_str_eq(text, durations[i].text);
		ck_assert(tailbox__config_duration(text, &v, &why));
		ck_assert_uint_eq(v, durations[i].ms);
	}
	for (uint64_t us = 10; us <= 10000000; us = us * 7 + 3) {
		tailbox__config_micros_text(text, us);
		ck_assert(tailbox__config_micros(text, &v, &why));
		ck_assert_uint_eq(v, us);
	}
	tailbox__config_micros_text(text, 1500);
	ck_assert_str_eq(text, "1500us");
	tailbox__config_micros_text(text, 10000000);
	ck_assert_str_eq(text, "10s");
	ck_assert(!tailbox__config_micros("1m", &v, &why));
	ck_assert(!tailbox__config_duration("1us", &v, &why));
	for (uint64_t b = 1; b < (uint64_t)1 << 50; b = b * 3 + 1) {
		tailbox__config_size_text(text, b);
		ck_assert(tailbox__config_size(text, &v, &why));
		ck_assert_uint_eq(v, b);
	}
	tailbox__config_size_text(text, 16 << 20);
	ck_assert_str_eq(text, "16MiB");
}
END_TEST

START_TEST(output_names_are_those_of_the_spec)
{
	static const struct {
		const char *base, *name;
	} cases[] = {
		{ "dir/stem.ext", "dir/stem-generation-7.ext" },
		{ "dir/stem", "dir/stem-generation-7.json" },
		{ "a.b.json", "a.b-generation-7.json" },
		{ "/x/.hidden", "/x/.hidden-generation-7.json" },
		{ "/x/", "/x/tailtriage-run-generation-7.json" },
		{ "..", "tailtriage-run-generation-7.json" },
		{ "d.x/stem", "d.x/stem-generation-7.json" },
	};
	char name[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert(tailbox__config_output_name(name, sizeof(name),
		                                      cases[i].base, 7));
		ck_assert_str_eq(name, cases[i].name);
	}
	ck_assert(tailbox__config_output_name(name, 26, "dir/stem.ext", 7));
	ck_assert(!tailbox__config_output_name(name, 25, "dir/stem.ext", 7));
}
END_TEST

#define LOOP(tc, test, table)                                                  \
	tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *s = suite_create("config_file");
	TCase *tc = tcase_create("values");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, each_key_at_its_edges, 0, TAILBOX__KEY_COUNT);
	tcase_add_test(tc, listen_addresses);
	tcase_add_test(tc, programs_have_absolute_paths);
	tcase_add_test(tc, triggers);
	tcase_add_test(tc, route_patterns);
	tcase_add_test(tc, names_tokens_and_hosts);
	suite_add_tcase(s, tc);
	tc = tcase_create("flat");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, unknown_keys_are_errors_that_name_the_nearest);
	tcase_add_test(tc, every_mistake_is_told_in_its_order);
	tcase_add_test(tc, messages_are_bounded_and_counted);
	tcase_add_test(tc, one_token_only);
	tcase_add_test(tc, the_analyzers_tables_are_passed_over);
	tcase_add_test(tc, what_is_not_there_stays);
	suite_add_tcase(s, tc);
	tc = tcase_create("controller");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, mixed_families_are_refused_with_both_lines);
	tcase_add_test(tc, least_controller_file_gives_its_own_defaults);
	LOOP(tc, required_tables_and_keys, incomplete);
	LOOP(tc, wrong_values_of_a_controller_file, wrong_values);
	tcase_add_test(tc, unknown_keys_of_a_controller_file_are_warnings);
	tcase_add_test(tc, limits_of_a_controller_file_at_their_edges);
	tcase_add_test(tc, sampler_of_a_controller_file_at_its_edges);
	tcase_add_test(tc, texts_of_a_controller_file_at_their_edges);
	suite_add_tcase(s, tc);
	tc = tcase_create("files");
	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_test(tc, samples_load);
	tcase_add_test(tc, files_that_cannot_be_read);
	tcase_add_test(tc, a_token_for_all_to_read_is_warned_of);
	tcase_add_test(tc, each_allocation_may_fail);
	suite_add_tcase(s, tc);
	tc = tcase_create("text");
	tcase_add_checked_fixture(tc, setup, put_the_allocator_back);
	tcase_add_test(tc, what_is_shown_says_where_it_is_from);
	tcase_add_test(tc, what_is_shown_can_be_read);
	tcase_add_test(tc, json_has_each_value_and_its_origin);
	tcase_add_test(tc, units_go_there_and_back);
	tcase_add_test(tc, output_names_are_those_of_the_spec);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
