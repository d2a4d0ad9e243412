/* tests/test_config_file.c - settings out of files: the flat tables, and
 * files that cannot be read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "tests/config_file_fixture.h"

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

int main(void)
{
	Suite *s = suite_create("config_file");
	TCase *tc = new_case(s, "flat", setup, NULL);
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, unknown_keys_are_errors_that_name_the_nearest);
	tcase_add_test(tc, every_mistake_is_told_in_its_order);
	tcase_add_test(tc, messages_are_bounded_and_counted);
	tcase_add_test(tc, one_token_only);
	tcase_add_test(tc, the_analyzers_tables_are_passed_over);
	tcase_add_test(tc, what_is_not_there_stays);
	tc = new_case(s, "files", make_dir, remove_dir);
	tcase_add_test(tc, samples_load);
	tcase_add_test(tc, files_that_cannot_be_read);
	tcase_add_test(tc, a_token_for_all_to_read_is_warned_of);
	tcase_add_test(tc, each_allocation_may_fail);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
