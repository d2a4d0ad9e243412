/* tests/test_start_environment.c - what tailbox_start() takes from the
 * environment: whether it records, and the folders that it uses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/start_fixture.h"

START_TEST(off_is_off)
{
	static const char *const words[] = { "off", "OFF", "0", "no", "false" };

	setenv("TAILBOX", words[_i], 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), -ECANCELED);
	ck_assert_int_eq(tailbox_is_recording(), 0);
	ck_assert_int_ne(access(run, F_OK), 0);
	ck_assert_ptr_null(tailbox_request_begin("/", NULL));
	tailbox_stop();
	/* A later start looks again. */
	setenv("TAILBOX", "on", 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	has(status(), "\"notes\": []");
}
END_TEST

START_TEST(misspelt_switch_records_and_is_noted)
{
	setenv("TAILBOX", "of\nf", 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	has(status(), "TAILBOX=of?f is neither off nor on");
}
END_TEST

START_TEST(run_folder_by_precedence)
{
	char runtime[96], list[200], inner[128], option[96], shm[64];
	struct tailbox_options o;

	snprintf(runtime, sizeof(runtime), "%s/runtime", base);
	ck_assert_int_eq(mkdir(runtime, 0755), 0);
	snprintf(list, sizeof(list), "%s:%s/second", runtime, base);
	snprintf(inner, sizeof(inner), "%s/tailbox", runtime);
	snprintf(option, sizeof(option), "%s/option", base);
	snprintf(shm, sizeof(shm), "/dev/shm/tailbox-%lu",
	         (unsigned long)geteuid());
	setenv("RUNTIME_DIRECTORY", list, 1);
	tailbox_options_init(&o);
	o.run_dir = option;

	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	tape_is_in(run);
	tailbox_stop();
	unsetenv("TAILBOX_DIR");
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	tape_is_in(option);
	tailbox_stop();
	o.run_dir = " ";
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	tape_is_in(inner);
	has(status(), "not the end of the service");
	tailbox_stop();
	unsetenv("RUNTIME_DIRECTORY");
	o.run_dir = NULL;
	o.tape_bytes = 1 << 20;
	if (tailbox_start("shop", &o) == 0)
		tape_is_in(shm); /* a machine without /dev/shm has none */
}
END_TEST

START_TEST(unusable_run_folder_gives_way_to_the_next)
{
	struct tailbox_options o;
	char option[96];

	setenv("TAILBOX_DIR", "/proc/no/such", 1);
	snprintf(option, sizeof(option), "%s/option", base);
	tailbox_options_init(&o);
	o.run_dir = option;
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	tape_is_in(option);
	has(status(), "TAILBOX_DIR cannot be used: cannot create folder "
	              "/proc/no/such");
}
END_TEST

START_TEST(link_as_run_folder_is_refused)
{
	struct tailbox_options o;
	char option[96], target[96];

	snprintf(target, sizeof(target), "%s/target", base);
	ck_assert_int_eq(mkdir(target, 0700), 0);
	ck_assert_int_eq(symlink(target, run), 0);
	snprintf(option, sizeof(option), "%s/option", base);
	tailbox_options_init(&o);
	o.run_dir = option;
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	tape_is_in(option);
	has(status(), "TAILBOX_DIR cannot be used");
}
END_TEST

START_TEST(relative_run_folder_is_made_absolute)
{
	char here[4096];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	ck_assert_int_eq(chdir(base), 0);
	setenv("TAILBOX_DIR", "run//", 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	ck_assert_int_eq(chdir("/"), 0);
	tape_is_in(run);
	tailbox_stop();
	ck_assert(!exists(run, own("shop", "tape")));
	ck_assert(!exists(run, own("shop", "sock")));
	ck_assert_int_eq(chdir(here), 0);
}
END_TEST

static void artifacts_are_in(const struct tailbox_options *o, const char *dir)
{
	char want[256];

	ck_assert_int_eq(tailbox_start("shop", o), 0);
	snprintf(want, sizeof(want), "\"artifact_folder\": \"%s\"", dir);
	has(status(), want);
	tailbox_stop();
}

START_TEST(artifact_folder_by_precedence)
{
	struct tailbox_options o;
	char env[96], option[96], state[96], list[256], dir[128];

	snprintf(env, sizeof(env), "%s/env", base);
	snprintf(option, sizeof(option), "%s/option", base);
	snprintf(state, sizeof(state), "%s/state", base);
	snprintf(list, sizeof(list), "%s:/else", state);
	tailbox_options_init(&o);
	o.artifact_dir = option;
	setenv("TAILBOX_ARTIFACTS", env, 1);
	setenv("STATE_DIRECTORY", list, 1);
	artifacts_are_in(&o, env);
	unsetenv("TAILBOX_ARTIFACTS");
	artifacts_are_in(&o, option);
	snprintf(dir, sizeof(dir), "%s/tailbox", state);
	artifacts_are_in(NULL, dir);
	unsetenv("STATE_DIRECTORY");
	snprintf(dir, sizeof(dir), "%s/artifacts", run);
	artifacts_are_in(NULL, dir);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("start_environment");
	TCase *t = tcase_create("start_environment");

	tcase_add_checked_fixture(t, start_setup, start_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, off_is_off, 0, 5);
	tcase_add_test(t, misspelt_switch_records_and_is_noted);
	tcase_add_test(t, run_folder_by_precedence);
	tcase_add_test(t, unusable_run_folder_gives_way_to_the_next);
	tcase_add_test(t, link_as_run_folder_is_refused);
	tcase_add_test(t, relative_run_folder_is_made_absolute);
	tcase_add_test(t, artifact_folder_by_precedence);
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
