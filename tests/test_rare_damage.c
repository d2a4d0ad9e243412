/* tests/test_rare_damage.c - rare requests in a ring that is damaged, or whose
 * writer was killed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sys/wait.h>

#include "tests/rare_fixture.h"

START_TEST(torn_entry_is_left_out_and_the_others_are_not)
{
	for (unsigned i = 0; i < 5; i++)
		request("/failed", 1, "error");
	settle(5);
	ck_assert_uint_eq(seen.count, 5);
	/* A byte of a record, of a length, of a place. */
	static const size_t bytes[] = { 64 + 8, 16, 8, 4, 0, 127 };
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		const uint64_t before = tailbox__reader_damaged_kept(reader);
		*ring_at(2 * 128 + bytes[i]) ^= 1;
		look_at(reader);
		ck_assert_uint_eq(seen.count, 4);
		ck_assert_uint_eq(tailbox__reader_damaged_kept(reader),
		                  before + 1);
		*ring_at(2 * 128 + bytes[i]) ^= 1;
	}
	look_at(reader);
	ck_assert_uint_eq(seen.count, 5);
}
END_TEST

/* As a writer leaves it that is killed between its steps. */
START_TEST(half_an_entry_is_not_seen)
{
	struct tailbox__rare *rare = tailbox__recorder.tape.rare;

	for (unsigned i = 0; i < 3; i++)
		request("/failed", 1, "error");
	settle(3);
	memset(ring_at(TAILBOX__GET(rare->next)), 0x5a, 100);
	TAILBOX__SET(rare->first, 128);
	look_at(reader);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert_uint_eq(tailbox__reader_damaged_kept(reader), 0);
}
END_TEST

START_TEST(nonsense_in_the_head_is_damage_and_no_more)
{
	struct tailbox__rare *rare = tailbox__recorder.tape.rare;
	static const uint64_t places[][2] = {
		{ 0, UINT64_MAX },        { UINT64_MAX, 0 },
		{ 64, 0 },                { 0, RING + 32 },
		{ 1, 129 },               { UINT64_MAX - 31, UINT64_MAX },
		{ 0, RING },
	};

	pthread_mutex_lock(&tailbox__c.follow_lock);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const uint64_t before = tailbox__reader_damaged_kept(reader);
		TAILBOX__SET(rare->first, places[i][0]);
		TAILBOX__SET(rare->next, places[i][1]);
		look_at(reader);
		ck_assert_uint_eq(seen.count, 0);
		ck_assert_uint_eq(tailbox__reader_damaged_kept(reader),
		                  before + 1);
	}
	/* The writer goes on from nonsense, too. */
	TAILBOX__SET(rare->first, 0);
	TAILBOX__SET(rare->next, RING);
	pthread_mutex_unlock(&tailbox__c.follow_lock);
	request("/failed", 1, "error");
	settle(1);
	ck_assert_uint_eq(seen.count, 1);
}
END_TEST

/* --- after a crash ------------------------------------------------------ */

static void service_that_dies(int to)
{
	open_all(TAPE, UINT64_MAX);
	tailbox_request r = tailbox_request_begin("/slow", NULL);
	TAILBOX_STAGE(r, "work") {
		now += 700000000;
	}
	tailbox_request_finish(r, NULL);
	settle(1);
	flood(3 * TAPE / 64);
	dprintf(to, "%s\n", tailbox__recorder.tape.path);
	for (;;) /* goes on writing until it is killed */
		request("/failed", 1, "error");
}

START_TEST(kill_9_leaves_them_readable)
{
	char path[400] = "";
	int ends[2], status;

	fixture_folder();
	ck_assert_int_eq(pipe(ends), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		service_that_dies(ends[1]);
		_exit(0);
	}
	ck_assert_int_gt(pid, 0);
	close(ends[1]);
	FILE *from = fdopen(ends[0], "r");
	ck_assert_ptr_nonnull(fgets(path, sizeof(path), from));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	path[strcspn(path, "\n")] = '\0';
	struct tailbox__reader *r;
	ck_assert_int_eq(tailbox__reader_open(path, &r, NULL), 0);
	ck_assert_int_eq(tailbox__reader_writer(r), TAILBOX__WRITER_DEAD);
	look_at(r);
	ck_assert_uint_eq(tailbox__reader_damaged_kept(r), 0);
	ck_assert_uint_ge(seen.count, 1);
	if (!strcmp(seen.items[0].route, "/slow")) {
		ck_assert_uint_eq(seen.items[0].spans, 1);
		ck_assert_uint_eq(seen.items[0].span_ticks, 700000000);
	} else { /* those that failed since have overwritten it */
		struct tailbox__kept_status s;
		tailbox__kept_status(r, &s);
		ck_assert_uint_gt(s.overwritten, 0);
	}
	/* And so does what recover makes of it. */
	struct tailbox__run *run;
	ck_assert_int_eq(tailbox__tape_run(r, NULL, &run, NULL, NULL), 0);
	ck_assert_uint_gt(run->requests.count, 0);
	seen_are_there_once(run);
	tailbox__run_destroy(run);
	tailbox__reader_close(r);
	fclose(from);
	/* What it left behind. */
	snprintf(artifact_dir, sizeof(artifact_dir), "%s/a/b", fixture_dir);
	controller_close();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("rare_damage");
	TCase *t = tcase_create("rare_damage");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, rare_open, rare_close);
	tcase_add_test(t, torn_entry_is_left_out_and_the_others_are_not);
	tcase_add_test(t, half_an_entry_is_not_seen);
	tcase_add_test(t, nonsense_in_the_head_is_damage_and_no_more);
	suite_add_tcase(s, t);
	t = tcase_create("crash");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, kill_9_leaves_them_readable);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
