/* tests/test_controller_folder.c - names, the artifact folder, rolling
 * figures.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/stat.h>

#include "tests/controller_fixture.h"

/* --- names ------------------------------------------------------------- */

static bool parse(const char *name, struct tailbox__artifact_key *key)
{
	return tailbox__folder_parse("shop", name, key);
}

START_TEST(a_name_is_service_second_and_number)
{
	static const struct {
		struct tailbox__artifact_key key;
		const char *name, *id, *kind;
	} rows[] = {
		{ { TAILBOX__ARTIFACT_WINDOW, 1763608272, 3 },
		  "shop-20251120T031112Z-3", "3", "window" },
		{ { TAILBOX__ARTIFACT_SNAPSHOT, 1763608272, 3 },
		  "shop-20251120T031112Z-s3", "s3", "snapshot" },
		{ { TAILBOX__ARTIFACT_CRASH, 1763608272, 1 },
		  "shop-20251120T031112Z-c1", "c1", "crash" },
		{ { TAILBOX__ARTIFACT_WINDOW, 0, UINT64_MAX },
		  "shop-19700101T000000Z-18446744073709551615",
		  "18446744073709551615", "window" },
		{ { TAILBOX__ARTIFACT_SNAPSHOT, 0, UINT64_MAX },
		  "shop-19700101T000000Z-s18446744073709551615",
		  "s18446744073709551615", "snapshot" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct tailbox__artifact_key *want = &rows[i].key;
		char name[256], id[TAILBOX__ARTIFACT_ID_BYTES];
		struct tailbox__artifact_key key;

		tailbox__folder_name(name, "shop", want);
		ck_assert_str_eq(name, rows[i].name);
		ck_assert(parse(name, &key));
		ck_assert_int_eq(key.kind, want->kind);
		ck_assert_uint_eq(key.second, want->second);
		ck_assert_uint_eq(key.id, want->id);
		ck_assert_str_eq(tailbox__artifact_id(id, &key), rows[i].id);
		ck_assert_str_eq(tailbox__artifact_kind_name(key.kind),
		                 rows[i].kind);
	}
}
END_TEST

START_TEST(nothing_else_is_a_name)
{
	static const char *const no[] = {
		"", "shop", "shop-", "shop-1", "shop-20251120T031112Z",
		"shop-20251120T031112Z-", "shop-20251120T031112Z-03",
		"shop-20251120T031112Z-+3", "shop-20251120T031112Z--3",
		"shop-20251120T031112Z-3 ", "shop-20251120T031112Z-3x",
		"shop-20251120T031112Z- 3", "shop-20251120t031112z-3",
		"shop-20250230T031112Z-3", "shop-20251120T241112Z-3",
		"shop-20251120T031160Z-3", "shop-2025112T0031112Z-3",
		"shop-19691231T235959Z-3",
		"shop-20251120T031112Z-18446744073709551616",
		"shopx-20251120T031112Z-3", "sho-20251120T031112Z-3",
		"shop-eu-20251120T031112Z-3", "../shop-20251120T031112Z-3",
		"shop-20251120T031112Z-3.tailbox", "-20251120T031112Z-3",
		"shop-20251120T031112Z-s", "shop-20251120T031112Z-x3",
		"shop-20251120T031112Z-S3", "shop-20251120T031112Z-sc3",
		"shop-20251120T031112Z-s03", "shop-20251120T031112Z-c+3",
	};
	struct tailbox__artifact_key key;

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		ck_assert_msg(!parse(no[i], &key), "%s", no[i]);
}
END_TEST

START_TEST(a_service_becomes_a_part_of_a_file_name)
{
	static const char *const cases[][2] = {
		{ "shop", "shop" },         { "", "_" },
		{ "a/b c", "a_b_c" },       { ".hidden", "_hidden" },
		{ "..", "_." },             { "A.b-c_9", "A.b-c_9" },
		{ "caf\xc3\xa9", "caf__" },
	};
	char out[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tailbox__folder_service(out, cases[i][0]);
		ck_assert_str_eq(out, cases[i][1]);
	}
	char lengthy[200];
	memset(lengthy, 'x', 199);
	lengthy[199] = '\0';
	tailbox__folder_service(out, lengthy);
	ck_assert_uint_eq(strlen(out), 63);
}
END_TEST

static void touch(const char *file)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", artifact_dir, file);
	const int fd = open(path, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static bool exists(const char *file)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", artifact_dir, file);
	return lstat(path, &st) == 0;
}

START_TEST(a_name_that_was_used_is_not_used_again)
{
	struct tailbox__artifact_key key = { TAILBOX__ARTIFACT_WINDOW,
		                             1763608272, 3 };
	char name[256];

	touch("test-20251120T031112Z-3.tailbox");
	touch("test-20251120T031113Z-3.part"); /* evidence of a dead one */
	const int fd = tailbox__folder_reserve(artifact_dir, "test", &key, name,
	                                       NULL);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_str_eq(name, "test-20251120T031114Z-3");
	ck_assert_uint_eq(key.second, 1763608274);
	ck_assert(exists("test-20251120T031114Z-3.part"));
	/* The vain try left nothing behind. */
	ck_assert(!exists("test-20251120T031112Z-3.part"));
	tailbox__folder_remove_part(artifact_dir, name);
	ck_assert(!exists("test-20251120T031114Z-3.part"));
	ck_assert(exists("test-20251120T031113Z-3.part"));
}
END_TEST

START_TEST(the_folder_and_its_parents_are_made_for_us_alone)
{
	char path[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s/a/b/c//d/", fixture_dir);
	const int fd = tailbox__folder_open(path, NULL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	close(fd);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/a/b/c", fixture_dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	rmdir(path);
}
END_TEST

/* --- what lies there --------------------------------------------------- */

START_TEST(artifacts_are_listed_newest_first)
{
	struct tailbox__artifact_entry e[5];
	long older;

	for (int i = 0; i < 4; i++) {
		arm(NULL);
		requests((unsigned)i);
		disarm();
	}
	ck_assert_int_eq(tailbox__artifacts(e, 5, &older), 4);
	ck_assert_int_eq(older, 0);
	for (uint64_t i = 0; i < 4; i++) {
		ck_assert_uint_eq(e[i].key.id, 4 - i);
		ck_assert_uint_eq(e[i].requests, 3 - i);
		ck_assert(e[i].is_ours);
		ck_assert_uint_gt(e[i].bytes, 64);
		ck_assert_uint_ge(e[i].finalized_ms, e[i].started_ms);
	}
	/* As many as there is room for, no more: the newest. */
	ck_assert_int_eq(tailbox__artifacts(e, 2, &older), 2);
	ck_assert_int_eq(older, 2);
	ck_assert_uint_eq(e[1].key.id, 3);
	ck_assert_int_eq(tailbox__artifacts(NULL, 0, NULL), 0);
}
END_TEST

START_TEST(only_artifacts_of_this_service_are_listed)
{
	struct tailbox__artifact_entry e[5];
	char path[512];

	arm(NULL); /* its .part is there now */
	touch("test-20251120T031113Z-3.part");
	touch("test-20251120T031113Z-3.tailbox"); /* empty: no header */
	touch("other-20251120T031113Z-3.tailbox");
	touch("test-x.tailbox");
	touch(".tailbox");
	snprintf(path, sizeof(path), "%s/test-20251120T031114Z-4.tailbox",
	         artifact_dir);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof(path), "%s/test-20251120T031115Z-5.tailbox",
	         artifact_dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0); /* must not block */
	ck_assert_int_eq(tailbox__artifacts(e, 5, NULL), 0);
	/* They are there, and that they are no artifacts is no secret. */
	ck_assert_int_eq(tailbox__artifact_find("test-20251120T031113Z-3", e),
	                 -TAILBOX_ETRUNCATED);
	ck_assert_int_eq(tailbox__artifact_find("test-20251120T031114Z-4", e),
	                 -ENOENT);
	ck_assert_int_eq(tailbox__artifact_find("test-20251120T031115Z-5", e),
	                 -TAILBOX_EFOREIGN);
	ck_assert_int_eq(tailbox__artifact_find("test-20251120T031116Z-6", e),
	                 -ENOENT);
	disarm();
	ck_assert_int_eq(tailbox__artifacts(e, 5, NULL), 1);
	ck_assert(!exists("test-20251120T031113Z-1.part"));
}
END_TEST

START_TEST(artifacts_are_found_by_number_and_by_name)
{
	struct tailbox__artifact_entry e, by_name;

	arm(NULL);
	disarm();
	ck_assert_int_eq(tailbox__artifact_find("1", &e), 0);
	ck_assert_int_eq(tailbox__artifact_find(e.name, &by_name), 0);
	ck_assert_str_eq(e.name, by_name.name);
	ck_assert_uint_eq(e.checksum, by_name.checksum);
	ck_assert_int_eq(tailbox__artifact_find("2", &e), -ENOENT);
	ck_assert_int_eq(tailbox__artifact_find("0", &e), -ENOENT);
	ck_assert_int_eq(tailbox__artifact_find("99999999999999999999999", &e),
	                 -ENOENT);
}
END_TEST

START_TEST(no_path_gets_through)
{
	static const char *const bad[] = {
		"", "/", "../1", "a/b", "1/", "x\n", "\xc3\xa9", "a b",
		"1%2f", "test\\1",
	};
	struct tailbox__artifact_entry e;
	char lengthy[400];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(tailbox__artifact_find(bad[i], &e), -EINVAL);
	memset(lengthy, '1', 399);
	lengthy[399] = '\0';
	ck_assert_int_eq(tailbox__artifact_find(lengthy, &e), -EINVAL);
	ck_assert_int_eq(tailbox__artifact_find("..", &e), -ENOENT);
	ck_assert_int_eq(tailbox__artifact_find(".", &e), -ENOENT);
}
END_TEST

START_TEST(a_deleted_artifact_is_gone)
{
	struct tailbox__artifact_entry e;

	arm(NULL);
	disarm();
	ck_assert_int_eq(tailbox__artifact_find("1", &e), 0);
	ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	ck_assert_int_eq(tailbox__artifact_delete(&e), -ENOENT);
	ck_assert_int_eq(tailbox__artifact_open(&e), -ENOENT);
	ck_assert_int_eq(tailbox__artifact_find("1", &e), -ENOENT);
}
END_TEST

START_TEST(a_list_without_memory_says_so)
{
	struct tailbox__artifact_entry e[2];

	arm(NULL);
	disarm();
	tailbox__alloc_fail_after(0);
	const long ret = tailbox__artifacts(e, 2, NULL);
	tailbox__alloc_fail_after(-1);
	ck_assert_int_eq(ret, -ENOMEM);
	ck_assert_int_eq(tailbox__artifacts(e, 2, NULL), 1);
}
END_TEST

/* --- rolling figures --------------------------------------------------- */

#define S UINT64_C(1000000000)

static struct tailbox__rates rates;
static struct tailbox__recorder_status told;

static void inject(void)
{
	static const struct tailbox__recorder_status none;

	tailbox__clock_inject(tailbox__mono_ns, 1000000000);
	tailbox__rates_init(&rates, 100 * S, 50);
	told = none;
}

static void inject_back(void)
{
	tailbox__clock_inject(NULL, 0);
}

static void tell(uint64_t now, uint64_t tickets)
{
	tailbox__rates_tell(&rates, now, tickets, 1000, &told);
}

START_TEST(nothing_seen_is_nothing_known)
{
	tell(100 * S, 50);
	ck_assert_uint_eq(told.rate_milli, 0);
	ck_assert_uint_eq(told.p50_us, TAILBOX__NONE);
	ck_assert_uint_eq(told.max_us, TAILBOX__NONE);
	ck_assert_uint_eq(told.history_ms, TAILBOX__NONE);
}
END_TEST

START_TEST(percentiles_are_right_to_three_percent)
{
	/* 1 to 1000 us, once each, in any order. */
	for (uint64_t i = 0; i < 1000; i++)
		tailbox__rates_add(&rates, (i * 387 % 1000 + 1) * 1000);
	tell(101 * S, 150);
	ck_assert_uint_eq(told.max_us, 1000);
	ck_assert_uint_ge(told.p50_us, 485);
	ck_assert_uint_le(told.p50_us, 515);
	ck_assert_uint_ge(told.p95_us, 922);
	ck_assert_uint_le(told.p95_us, 979);
	ck_assert_uint_ge(told.p99_us, 961);
	ck_assert_uint_le(told.p99_us, 1000);
	/* 1000 in one second; 100 blocks of 1000 in one second. */
	ck_assert_uint_eq(told.rate_milli, 1000000);
	ck_assert_uint_eq(told.history_ms, 10000);
}
END_TEST

START_TEST(every_value_falls_into_its_bucket)
{
	for (unsigned shift = 0; shift < 64; shift++) {
		const uint64_t v = UINT64_C(1) << shift;
		ck_assert_uint_lt(tailbox__rate_bucket(v),
		                  TAILBOX__RATE_BUCKETS);
		ck_assert_uint_lt(tailbox__rate_bucket(v - 1),
		                  tailbox__rate_bucket(v));
	}
	ck_assert_uint_lt(tailbox__rate_bucket(UINT64_MAX),
	                  TAILBOX__RATE_BUCKETS);
	tailbox__rates_add(&rates, UINT64_MAX);
	tailbox__rates_add(&rates, 0);
	tell(101 * S, 50);
	ck_assert_uint_eq(told.p50_us, 0);
	ck_assert_uint_eq(told.max_us, UINT64_MAX / 1000);
}
END_TEST

/* One request per second: ten slices are kept, the oldest goes. */
START_TEST(after_ten_seconds_the_oldest_is_forgotten)
{
	for (uint64_t i = 0; i < 25; i++) {
		tailbox__rates_turn(&rates, (100 + i) * S, 50 + i);
		tailbox__rates_add(&rates, i ? 1000 : 900000000);
	}
	tell(125 * S - 1, 75);
	/* Ten in nearly ten seconds. */
	ck_assert_uint_eq(told.rate_milli, 10 * 1000000 / 9999);
	ck_assert_uint_eq(told.max_us, 1);
	/* The follower is late: what is too old does not count. */
	tell(129 * S, 75);
	ck_assert_uint_eq(told.rate_milli, 5 * 1000000 / 9000);
	tell(500 * S, 75);
	ck_assert_uint_eq(told.rate_milli, 0);
	ck_assert_uint_eq(told.p50_us, TAILBOX__NONE);
}
END_TEST

START_TEST(a_long_stop_forgets_all)
{
	tailbox__rates_add(&rates, 1000);
	tailbox__rates_turn(&rates, 100000 * S, 60);
	tell(100000 * S, 60);
	ck_assert_uint_eq(told.rate_milli, 0);
	tailbox__rates_add(&rates, 1000);
	tell(100001 * S - 1, 61);
	ck_assert_uint_eq(told.p50_us, 1);
}
END_TEST

static Suite *folder_suite(void)
{
	Suite *s = suite_create("controller_folder");
	TCase *t = tcase_create("folder"), *r = tcase_create("rates");

	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_add_test(t, a_name_is_service_second_and_number);
	tcase_add_test(t, nothing_else_is_a_name);
	tcase_add_test(t, a_service_becomes_a_part_of_a_file_name);
	tcase_add_test(t, a_name_that_was_used_is_not_used_again);
	tcase_add_test(t, the_folder_and_its_parents_are_made_for_us_alone);
	tcase_add_test(t, artifacts_are_listed_newest_first);
	tcase_add_test(t, only_artifacts_of_this_service_are_listed);
	tcase_add_test(t, artifacts_are_found_by_number_and_by_name);
	tcase_add_test(t, no_path_gets_through);
	tcase_add_test(t, a_deleted_artifact_is_gone);
	tcase_add_test(t, a_list_without_memory_says_so);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(r, inject, inject_back);
	tcase_add_test(r, nothing_seen_is_nothing_known);
	tcase_add_test(r, percentiles_are_right_to_three_percent);
	tcase_add_test(r, every_value_falls_into_its_bucket);
	tcase_add_test(r, after_ten_seconds_the_oldest_is_forgotten);
	tcase_add_test(r, a_long_stop_forgets_all);
	suite_add_tcase(s, r);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(folder_suite());

	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
