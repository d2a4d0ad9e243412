/* tests/test_config_file_values.c - each key at its edges, and the texts
 * that must look like something.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>

#include "tests/config_file_fixture.h"

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

int main(void)
{
	Suite *s = suite_create("config_file_values");
	TCase *tc = new_case(s, "values", setup, NULL);
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, each_key_at_its_edges, 0, TAILBOX__KEY_COUNT);
	tcase_add_test(tc, listen_addresses);
	tcase_add_test(tc, programs_have_absolute_paths);
	tcase_add_test(tc, triggers);
	tcase_add_test(tc, route_patterns);
	tcase_add_test(tc, names_tokens_and_hosts);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
