/* tests/test_failures_shown.c - the groups as text and as JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/failures_fixture.h"

static char *text_of(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(tailbox__failures_text(&f, run, out), 0);
	fclose(out);
	return text;
}

static void expect_text(const char *want)
{
	char *text = text_of();

	ck_assert_msg(strstr(text, want) != NULL, "no \"%s\" in\n%s", want,
	              text);
	free(text);
}

START_TEST(text_says_it_in_one_sentence)
{
	add_outage();
	make(TAILBOX__NONE);
	expect_text("14 timeouts\n");
	expect_text("\n  12 of 14 timeouts waited on db_pool, 10 of 10 in use "
	            "(2 of 2 samples), up to\n      37 waiting, up to 11 "
	            "ahead\n");
	expect_text("      95% of their time, median 1.90 s, at most 1.90 s\n");
	expect_text("      shared: route /report: 12 of 12 (0.9% of all "
	            "others)\n");
	expect_text("      shared: began at 00:00:11.000 within 1.10 s of ");
	expect_text("  2 of 14 timeouts stayed in stage render\n");
	expect_text("next: tailbox timeline TARGET --request r00001\n");
}
END_TEST

START_TEST(text_shows_three_groups_and_counts_the_rest)
{
	for (unsigned i = 0; i < 15; i++) {
		char name[] = { 'w', (char)('a' + (i < 5 ? i : i < 9 ? i - 5
		                           : i < 12 ? i - 9 : 0)), 0 };
		wait_in(bad("/r", i * S, 1000, "error"), name, 0, 900, 0);
	}
	make(TAILBOX__NONE); /* wa 6, wb 3, wc 3, wd 2, we 1 */
	expect_text("  6 of 15 errors waited on wa");
	expect_text("  3 of 15 errors waited on wc");
	expect_text("  3 more in 2 smaller groups: see --json\n");
	char *text = text_of();
	ck_assert_ptr_null(strstr(text, "waited on wd"));
	free(text);
}
END_TEST

START_TEST(text_tells_when_there_is_nothing)
{
	add_good(3, "/x", 0, S);
	make(TAILBOX__NONE);
	expect_text("\nno request failed\n");
	make(2 * S);
	expect_text("no request failed, and none took 2.00 s or longer\n");
	bad("/r", 0, 10, "error");
	make(2 * S);
	expect_text("\n1 error\n");
	expect_text("  1 of 1 error stayed where nothing was measured\n"
	            "      100% of its time, 10 us\n");
	char *text = text_of();
	ck_assert_ptr_null(strstr(text, "in common"));
	free(text);
	bad("/r", 7 * S, 10, "error");
	make(2 * S);
	expect_text("nothing else in common that stands out");
}
END_TEST

START_TEST(text_is_harmless_and_narrow)
{
	char name[200];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memcpy(name, "a\x1b[2J\n\xe2\x80\xae", 9);
	run->meta.service_name = run->meta.service_version =
	        tailbox__run_cstr(run, name);
	for (unsigned i = 0; i < 6; i++) {
		const uint32_t r = bad(name, i * MS, 1000, "error");
		struct tailbox__run_ext *x = ext_of(r);

		if (i < 3)
			wait_in(r, name, 0, 900, UINT64_MAX - 1);
		else
			x->phase_ns[TAILBOX__PHASE_INGRESS] = 900 * 1000;
		add_stage(r, name, 900, 950)->flags |= TAILBOX__FAILED;
		x->holder_route = x->tag_key[0] = x->tag_value[0] =
		        tailbox__run_cstr(run, name);
	}
	add_good(300, "/x", 0, S);
	for (uint32_t i = 6; i < 306; i++)
		ext_of(i);
	add_look(500, name, UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1);
	make(1);
	char *text = text_of();
	for (const char *c = text; *c; c++)
		ck_assert((unsigned char)*c >= 0x20 || *c == '\n');
	ck_assert_ptr_null(strstr(text, "\xe2\x80\xae"));
	ck_assert_ptr_nonnull(strstr(text, "a\\x1b[2J\\x0a"));
	for (const char *line = text; *line;) {
		const size_t n = strcspn(line, "\n");
		ck_assert_msg(n <= 80, "%.*s", (int)n, line);
		line += n + (line[n] == '\n');
	}
	free(text);
}
END_TEST

START_TEST(json_has_every_group_and_null_for_the_unknown)
{
	struct tailbox__json j;

	add_outage();
	bad("/r", 0, 10, "error");
	make(TAILBOX__NONE);
	tailbox__json_init(&j, false);
	ck_assert_int_eq(tailbox__failures_json(&f, run, &j), 0);
	char *text = tailbox__json_take(&j, NULL);
	static const char *const want[] = {
		"\"requests\":215,\"slow_us\":null,",
		"{\"kind\":\"cancelled\",\"requests\":0,\"groups\":[]}",
		"{\"blocked\":{\"kind\":\"wait\",\"name\":\"db_pool\"},"
		"\"requests\":12,\"blocked_permille\":950,"
		"\"p50_blocked_us\":1900000,\"max_blocked_us\":1900000,"
		"\"longest_request_id\":\"r00001\",\"unfinished_there\":0,",
		"\"resource\":{\"samples\":2,\"max_in_use\":10,\"size\":10,"
		"\"full_samples\":2,\"max_waiting\":37,"
		"\"max_oldest_wait_us\":null,\"max_depth_at_start\":11}",
		"{\"what\":\"route\",\"key\":null,\"value\":\"/report\","
		"\"requests\":12,\"other_requests\":2,"
		"\"other_requests_known\":203}",
		/* Together: clang takes them for a lost comma otherwise. */
		("\"moment\":{\"from_run_us\":10000000,"
		 "\"to_run_us\":11100000,\"requests\":12,"),
		"{\"blocked\":{\"kind\":\"unexplained\",\"name\":null},",
		"\"resource\":null,\"shared\":[],\"moment\":null}",
	};
	for (size_t i = 0; i < COUNT(want); i++)
		ck_assert_msg(strstr(text, want[i]) != NULL, "no %s in\n%s",
		              want[i], text);
	ck_assert_ptr_null(strstr(text, "\"kind\":\"slow\""));
	tailbox__free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("failures_shown");
	TCase *t = failures_case(s);

	tcase_add_test(t, text_says_it_in_one_sentence);
	tcase_add_test(t, text_shows_three_groups_and_counts_the_rest);
	tcase_add_test(t, text_tells_when_there_is_nothing);
	tcase_add_test(t, text_is_harmless_and_narrow);
	tcase_add_test(t, json_has_every_group_and_null_for_the_unknown);
	return sample_run_suite(s);
}
