/* tests/test_controller_keep_json.c - the JSON beside an artifact, or where it
 * was asked for: it comes, counts and goes with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/run_json.h"
#include "tests/keep_fixture.h"

static char *file_text(const char *path, size_t *len)
{
	struct stat st;
	const int fd = open(path, O_RDONLY);
	char *text;

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	text = malloc(*len + 1);
	ck_assert_int_eq(read(fd, text, *len), (ssize_t)*len);
	text[*len] = '\0';
	close(fd);
	return text;
}

/* The file is the run of the artifact, as the server would send it. */
static void check_json(uint64_t id, const char *path)
{
	struct tailbox__run *run = load(id);
	struct tailbox__run_json *j;
	char *text, buf[4096];
	size_t len, at = 0;
	long n;

	text = file_text(path, &len);
	ck_assert_int_eq(tailbox__run_json_open(run, &j), 0);
	while ((n = tailbox__run_json_read(j, buf, sizeof(buf))) > 0) {
		ck_assert_uint_le(at + (size_t)n, len);
		ck_assert_int_eq(memcmp(text + at, buf, (size_t)n), 0);
		at += (size_t)n;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(at, len);
	tailbox__run_json_close(j);
	tailbox__run_destroy(run);
	free(text);
}

START_TEST(json_beside_the_artifact)
{
	struct tailbox__artifact_entry e;
	char path[512];

	again((struct tailbox__controller_config){ .local_json = true,
	                                           .max_count = 1 });
	capture(20);
	e = entry(1);
	snprintf(path, sizeof(path), "%s/%s.json", artifact_dir, e.name);
	check_json(1, path);
	ck_assert_uint_gt(e.json_bytes, e.bytes);
	ck_assert_uint_eq(folder().json_written, 1);
	capture(1);
	ck_assert(!exists(e.name, ".json"));
	e = entry(2);
	ck_assert(exists(e.name, ".json"));
	ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	ck_assert(!exists(e.name, ".json"));
}
END_TEST

START_TEST(json_counts_in_the_bytes)
{
	uint64_t both;

	again((struct tailbox__controller_config){ .local_json = true });
	capture(10);
	both = entry(1).bytes + entry(1).json_bytes;
	again((struct tailbox__controller_config){ .local_json = true,
	                                           .max_size = both * 5 / 2 });
	capture(10);
	ck_assert_int_eq(count(), 2);
	capture(10);
	ck_assert_int_eq(count(), 2);
}
END_TEST

START_TEST(json_at_the_name_of_the_spec)
{
	struct tailbox__artifact_entry e;
	char base[256], path[300], other[300];
	struct stat st;

	snprintf(base, sizeof(base), "%s/out/run.x.json", fixture_dir);
	snprintf(path, sizeof(path), "%s/out/run.x-generation-1.json",
	         fixture_dir);
	snprintf(other, sizeof(other), "%s/out/run.x-generation-2.json",
	         fixture_dir);
	again((struct tailbox__controller_config){ .local_json = true,
	                                           .json_path = base,
	                                           .max_count = 2 });
	capture(5);
	check_json(1, path);
	e = entry(1);
	ck_assert(!exists(e.name, ".json"));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(e.json_bytes, (uint64_t)st.st_size);

	/* A new process begins with 1: what is there is not replaced. */
	again((struct tailbox__controller_config){ .local_json = true,
	                                           .json_path = base,
	                                           .max_count = 2 });
	capture(7);
	ck_assert(was_said("is there already"));
	ck_assert(exists(entry(1).name, ".json"));
	ck_assert_uint_eq(folder().json_lost, 0);
	capture(3);
	check_json(2, other);
	/* The first has gone by the cap, its JSON too. */
	ck_assert_int_ne(stat(path, &st), 0);
	ck_assert_int_eq(count(), 2);

	/* Somebody put another file there: it is not ours to delete. */
	ck_assert_int_eq(unlink(other), 0);
	put_file(other, "another");
	e = entry(2);
	ck_assert_uint_eq(e.json_bytes, 0);
	ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	ck_assert_int_eq(stat(other, &st), 0);
	ck_assert(!exists(e.name, ".json-at"));
	unlink(other);
	snprintf(path, sizeof(path), "%s/out", fixture_dir);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(json_that_cannot_be_written_loses_nothing_else)
{
	char base[300], file[256];

	snprintf(file, sizeof(file), "%s/a/file", fixture_dir);
	put_file(file, "");
	snprintf(base, sizeof(base), "%s/run.json", file);
	again((struct tailbox__controller_config){ .local_json = true,
	                                           .json_path = base });
	capture(5);
	ck_assert_uint_eq(entry(1).json_bytes, 0);
	ck_assert_uint_eq(folder().json_lost, 1);
	ck_assert_uint_eq(folder().json_written, 0);
	ck_assert_msg(strstr(folder().json_error, "run-generation-1.json"),
	              "%s", folder().json_error);
	tailbox__run_destroy(load(1));
	ck_assert_str_eq(window().last_error, "");
}
END_TEST

/* A marker that somebody wrote: no path of it is followed blindly. */
START_TEST(a_forged_note_deletes_nothing)
{
	static const char *const notes[] = { "", "x", "1", "1 2", "1 2 ",
		                             "-1 -1 /etc/passwd",
		                             "1 1 /etc/passwd" };
	struct tailbox__artifact_entry e;
	char path[512];
	struct stat st;

	capture(1);
	e = entry(1);
	snprintf(path, sizeof(path), "%s/%s.json-at", artifact_dir, e.name);
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		put_file(path, notes[i]);
		ck_assert_uint_eq(entry(1).json_bytes, 0);
		unlink(path);
	}
	put_file(path, notes[6]);
	ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	ck_assert_int_eq(stat("/etc/passwd", &st), 0);
}
END_TEST

static Suite *controller_keep_json_suite(void)
{
	Suite *s = suite_create("controller_keep_json");
	TCase *t = tcase_create("controller_keep_json");

	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, json_beside_the_artifact);
	tcase_add_test(t, json_counts_in_the_bytes);
	tcase_add_test(t, json_at_the_name_of_the_spec);
	tcase_add_test(t, json_that_cannot_be_written_loses_nothing_else);
	tcase_add_test(t, a_forged_note_deletes_nothing);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(controller_keep_json_suite());

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
