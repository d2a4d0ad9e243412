/* tests/test_start_options.c - what tailbox_start() is told by its caller:
 * names, sizes and times, also those that cannot be.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/resource.h>

#include "tests/start_fixture.h"

START_TEST(service_names_become_file_names)
{
	static const struct {
		const char *given, *shown;
	} names[] = {
		{ "shop", "shop" },
		{ "my shop/1", "my_shop_1" },
		{ "caf\xc3\xa9-2.x_", "caf_-2.x_" },
		{ "..", ".." },
		{ "a\nb", "a_b" },
		/* 63 bytes are kept, and no half of a character. */
		{ "012345678901234567890123456789012345678901234567890123456789"
		  "01234",
		  "012345678901234567890123456789012345678901234567890123456789"
		  "012" },
		{ "012345678901234567890123456789012345678901234567890123456789"
		  "01\xc3\xa9",
		  "012345678901234567890123456789012345678901234567890123456789"
		  "01" },
	};
	bool is_same = strcmp(names[_i].given, names[_i].shown) == 0;

	ck_assert_int_eq(tailbox_start(names[_i].given, NULL), 0);
	ck_assert(exists(run, own(names[_i].shown, "tape")));
	ck_assert(exists(run, own(names[_i].shown, "sock")));
	if (is_same)
		has(status(), "\"notes\": []");
	else
		has(status(), "is shown as ");
}
END_TEST

START_TEST(no_service_name_is_the_program)
{
	ck_assert_int_eq(tailbox_start(_i ? " \t" : NULL, NULL), 0);
	ck_assert(exists(run, own(program_invocation_short_name, "tape")));
}
END_TEST

START_TEST(bad_values_are_replaced_and_named)
{
	static const struct {
		uint64_t tape;
		uint32_t interval, drain;
		const char *noted; /* NULL = it is good */
	} values[] = {
		{ 0, 0, 0, NULL },
		{ 1 << 20, 10, 600000, NULL },
		{ 0, 60000, 1, NULL },
		{ (1 << 20) - 1, 0, 0, "tape_bytes 1048575 is not" },
		{ ((uint64_t)1 << 30) + 1, 0, 0, "tape_bytes 1073741825 is" },
		{ 0, 9, 0, "sample_interval_ms 9 is not" },
		{ 0, 60001, 0, "sample_interval_ms 60001 is not" },
		{ 0, 0, 600001, "drain_timeout_ms 600001 is over" },
	};
	struct tailbox_options o;

	tailbox_options_init(&o);
	o.tape_bytes = values[_i].tape;
	o.sample_interval_ms = values[_i].interval;
	o.drain_timeout_ms = values[_i].drain;
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	if (values[_i].noted != NULL)
		has(status(), values[_i].noted);
	else
		has(status(), "\"notes\": []");
	if (values[_i].tape == 1 << 20)
		ck_assert_uint_eq(tailbox__recorder.tape.file_bytes, 1 << 20);
}
END_TEST

/* The kernel ends who makes a file larger than RLIMIT_FSIZE, by a signal. The
 * limit is there for the call only: libcheck writes files, too. */
static int start_below(rlim_t limit)
{
	struct rlimit before, small;
	int rc, set;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = limit;
	set = setrlimit(RLIMIT_FSIZE, &small);
	rc = tailbox_start("shop", NULL);
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert_int_eq(set, 0);
	return rc;
}

START_TEST(a_limit_on_file_sizes_is_kept_to)
{
	static const struct {
		rlim_t limit;
		uint64_t tape; /* 0 = none */
	} rows[] = {
		{ (5 << 20) + 1, 4 << 20 }, { (4 << 20) - 1, 2 << 20 },
		{ 1 << 20, 1 << 20 },       { (1 << 20) - 1, 0 },
		{ 0, 0 },
	};
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/settings", base);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs("[window]\narm_at_start = true\n", f);
	fclose(f);
	setenv("TAILBOX_CONFIG", path, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int rc = start_below(rows[i].limit);
		if (rows[i].tape != 0) {
			ck_assert_int_eq(rc, 0);
			ck_assert_uint_eq(tailbox__recorder.tape.file_bytes,
			                  rows[i].tape);
		} else {
			ck_assert_int_eq(rc, -EFBIG);
			has(status(), "RLIMIT_FSIZE");
		}
		tailbox_stop();
	}
}
END_TEST

START_TEST(options_of_other_sizes)
{
	struct {
		struct tailbox_options o;
		uint64_t newer[2];
	} big;

	memset(&big, 0, sizeof(big));
	tailbox_options_init(&big.o);
	big.o.service_version = "2.0";
	big.o.tape_bytes = 1;
	/* An older caller: fields behind its size are not looked at. */
	big.o.size = offsetof(struct tailbox_options, tape_bytes);
	ck_assert_int_eq(tailbox_start("shop", &big.o), 0);
	has(status(), "\"notes\": []");
	has(status(), "\"service_version\": \"2.0\"");
	tailbox_stop();
	/* A newer one: what we do not know has to be zero. */
	big.o.tape_bytes = 0;
	big.o.size = sizeof(big);
	ck_assert_int_eq(tailbox_start("shop", &big.o), 0);
	has(status(), "\"notes\": []");
	tailbox_stop();
	big.newer[1] = 1;
	ck_assert_int_eq(tailbox_start("shop", &big.o), 0);
	has(status(), "options that this library does not know");
	has(status(), "\"service_version\": \"2.0\"");
	tailbox_stop();
	/* Not initialised. */
	for (int i = 0; i < 2; i++) {
		big.o.size = i ? SIZE_MAX : 0;
		ck_assert_int_eq(tailbox_start("shop", &big.o), 0);
		has(status(), "options.size is");
		has(status(), "\"service_version\": null");
		tailbox_stop();
	}
}
END_TEST

START_TEST(long_version_is_cut)
{
	struct tailbox_options o;
	char version[80];

	memset(version, 'v', sizeof(version) - 1);
	version[sizeof(version) - 1] = '\0';
	tailbox_options_init(&o);
	o.service_version = version;
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	has(status(), "service_version is cut to 63 bytes");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("start_options");
	TCase *t = tcase_create("start_options");

	tcase_add_checked_fixture(t, start_setup, start_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, service_names_become_file_names, 0, 7);
	tcase_add_loop_test(t, no_service_name_is_the_program, 0, 2);
	tcase_add_loop_test(t, bad_values_are_replaced_and_named, 0, 8);
	tcase_add_test(t, a_limit_on_file_sizes_is_kept_to);
	tcase_add_test(t, options_of_other_sizes);
	tcase_add_test(t, long_version_is_cut);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
