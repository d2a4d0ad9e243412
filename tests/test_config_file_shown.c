/* tests/test_config_file_shown.c - settings as a text that can be read
 * again and as JSON, units, names of outputs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/alloc.h"
#include "core/json.h"
#include "tests/config_file_fixture.h"

static void put_the_allocator_back(void)
{
	tailbox__alloc_fail_after(-1);
}

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

int main(void)
{
	Suite *s = suite_create("config_file_shown");
	TCase *tc = new_case(s, "text", setup, put_the_allocator_back);
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, what_is_shown_says_where_it_is_from);
	tcase_add_test(tc, what_is_shown_can_be_read);
	tcase_add_test(tc, json_has_each_value_and_its_origin);
	tcase_add_test(tc, units_go_there_and_back);
	tcase_add_test(tc, output_names_are_those_of_the_spec);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
