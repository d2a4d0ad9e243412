/* tests/test_fill.c - [tape] history: how fast a tape fills, kept from one run
 * to the next, and the size that makes of a time.
 *
 * SPDX-License-Identifier: MIT
 *
 * Seconds pass by a number that is handed over, not by waiting.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/controller_fixture.h"

#define MIB ((uint64_t)1 << 20)
#define S UINT64_C(1000000000)

/* --- a size of a time --------------------------------------------------- */

START_TEST(a_history_is_rounded_up)
{
	static const struct {
		uint64_t fill, ms, bytes;
	} cases[] = {
		{ 0, 0, MIB },
		{ 0, 60000, MIB },
		{ MIB, 1000, MIB },
		{ MIB + 1, 1000, 2 * MIB },
		{ MIB, 60000, 64 * MIB },
		{ 1024 * MIB, 1000, 1024 * MIB },
		{ 1024 * MIB + 1, 1000, UINT64_MAX },
		{ UINT64_MAX, UINT64_MAX, UINT64_MAX },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_uint_eq(tailbox__tape_for(cases[i].fill, cases[i].ms),
		                  cases[i].bytes);
}
END_TEST

static uint64_t size_of(uint64_t bytes, uint64_t history_ms, uint64_t fill)
{
	const struct tailbox__tape_wish w = { bytes, history_ms, fill };

	return tailbox__tape_size(&w, fixture_dirfd, 0);
}

START_TEST(a_history_is_bounded_by_a_size_and_by_memory)
{
	struct statvfs fs;

	/* Without one: as it was said, rounded down. */
	ck_assert_uint_eq(size_of(3 * MIB, 0, 99 * MIB), 2 * MIB);
	ck_assert_uint_eq(size_of(1, 0, 0), MIB);
	/* A rate that is not known: the default, or less where less is said. */
	ck_assert_uint_eq(size_of(0, 60000, 0), size_of(0, 0, 0));
	ck_assert_uint_eq(size_of(4 * MIB, 60000, 0), 4 * MIB);
	/* Not below the default for a service that has little to do. */
	ck_assert_uint_eq(size_of(64 * MIB, 60000, 1), 16 * MIB);
	ck_assert_uint_eq(size_of(64 * MIB, 60000, MIB / 2), 32 * MIB);
	ck_assert_uint_eq(size_of(100 * MIB, 60000, 9 * MIB), 64 * MIB);
	/* Nobody said how much it may be: a quarter of the room. */
	ck_assert_int_eq(fstatvfs(fixture_dirfd, &fs), 0);
	const uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
	const uint64_t most = size_of(0, 60000, UINT64_MAX / 2);
	ck_assert_uint_ge(most, MIB);
	ck_assert_uint_le(most, 1024 * MIB);
	ck_assert(most == MIB || most <= room / 4);
}
END_TEST

/* --- from run to run ---------------------------------------------------- */

static void put_file(const char *text, size_t len)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/.test.fill", artifact_dir);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static uint64_t kept(void)
{
	return tailbox__fill_read(artifact_dir, "test");
}

START_TEST(what_we_did_not_write_is_not_read)
{
	static const char *const bad[] = {
		"", "1", "00000000000000000001", "0000000000000000001x\n",
		"-0000000000000000001\n", "+0000000000000000001\n",
		"                   1\n", "99999999999999999999\r",
		"99999999999999999999\n", "18446744073709551615\n",
	};
	char path[160];

	ck_assert_uint_eq(kept(), 0);
	put_file("00000000000001234567\n", 21);
	ck_assert_uint_eq(kept(), 1234567);
	/* What lies behind it is not ours. */
	put_file("00000000000001234567\nmore", 25);
	ck_assert_uint_eq(kept(), 1234567);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_file(bad[i], strlen(bad[i]));
		ck_assert_msg(kept() == 0, "%s", bad[i]);
	}
	put_file("0000\00000000000000001\n", 21);
	ck_assert_uint_eq(kept(), 0);
	snprintf(path, sizeof(path), "%s/.test.fill", artifact_dir);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_uint_eq(kept(), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/dev/zero", path), 0);
	ck_assert_uint_eq(kept(), 0);
	ck_assert_uint_eq(tailbox__fill_read("/nowhere", "test"), 0);
}
END_TEST

/* Fill `blocks` blocks, then stop the follower: its seconds are real ones. */
static uint64_t fill(uint64_t blocks)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	const uint64_t from = TAILBOX__GET(h->next_ticket);

	while (TAILBOX__GET(h->next_ticket) < from + blocks)
		requests(1);
	ck_assert_int_eq(tailbox__switch(false, "test"), 1);
	return blocks * h->block_bytes;
}

static void note(uint64_t after_ns)
{
	tailbox__fill_note(tailbox__c.rates.start_ns + after_ns);
}

START_TEST(the_busiest_ten_seconds_are_kept)
{
	const uint64_t bytes = fill(200);

	note(8 * S);
	ck_assert_uint_eq(kept(), 0); /* too early to tell */
	note(10 * S - 1);
	/* The tape has tables beside its blocks: a sixteenth. */
	ck_assert_uint_ge(kept() * 10, bytes);
	ck_assert_uint_le(kept() * 9, bytes + bytes / 8);
	/* Quiet seconds change nothing. */
	const uint64_t before = kept();
	note(100 * S);
	ck_assert_uint_eq(kept(), before);
	struct tailbox__recorder_status s;
	tailbox__recorder_status(&s);
	ck_assert_uint_eq(s.fill, before);
}
END_TEST

static void again(uint64_t before)
{
	tailbox__controller_stop();
	ck_assert_int_eq(tailbox__switch(true, "test"), 1);
	start_as((struct tailbox__controller_config){ .fill = before });
}

START_TEST(a_young_run_does_not_lower_what_it_found)
{
	struct tailbox__recorder_status s;

	fill(10);
	again(1000000000);
	tailbox__recorder_status(&s);
	ck_assert_uint_eq(s.fill, 1000000000);
	put_file("00000000001000000000\n", 21);
	fill(10);
	note(9 * S + S / 2);
	ck_assert_uint_eq(kept(), 1000000000);
	/* Ten minutes show what is usual. */
	note(601 * S);
	ck_assert_uint_gt(kept(), 0);
	ck_assert_uint_lt(kept(), 1000000000);
}
END_TEST

START_TEST(a_young_run_raises_what_it_found)
{
	fill(10);
	again(1);
	fill(10);
	note(9 * S + S / 2);
	ck_assert_uint_gt(kept(), 1000);
}
END_TEST

/* A change by less than an eighth is not worth a write. */
START_TEST(it_is_written_when_it_has_changed)
{
	fill(100);
	note(9 * S + S / 2);
	const uint64_t first = kept();
	ck_assert_uint_gt(first, 0);
	put_file("", 0);
	note(9 * S + S / 2 + S / 100); /* hardly less */
	tailbox__lock();
	tailbox__c.fill.kept = first - first / 10;
	tailbox__unlock();
	note(9 * S + S / 2);
	ck_assert_uint_eq(kept(), 0);
	tailbox__lock();
	tailbox__c.fill.kept = first - first / 5;
	tailbox__unlock();
	note(9 * S + S / 2);
	ck_assert_uint_eq(kept(), first);
}
END_TEST

START_TEST(an_idle_run_keeps_nothing)
{
	fill(0);
	/* What the sampler's first block tells is over by then. */
	note(700 * S);
	ck_assert_uint_eq(kept(), 0);
}
END_TEST

START_TEST(a_folder_that_cannot_be_written_is_said_once)
{
	struct tailbox__recorder_status s;
	char path[160];

	fill(100);
	snprintf(path, sizeof(path), "%s/.test.fill", artifact_dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	note(9 * S + S / 2);
	wait_for("how fast the tape fills is not kept");
	const size_t said = log_count;
	note(9 * S + S / 2);
	ck_assert_uint_eq(log_count, said);
	tailbox__recorder_status(&s);
	ck_assert_uint_eq(s.fill, TAILBOX__NONE); /* nothing to go by */
	ck_assert_int_eq(rmdir(path), 0);
	note(9 * S + S / 2);
	ck_assert_uint_gt(kept(), 0);
}
END_TEST

/* A service may lower its limit after the start; the signal would end it. */
START_TEST(a_limit_of_file_sizes_is_kept_to)
{
	struct rlimit limit, none;

	fill(100);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	none = (struct rlimit){ 0, limit.rlim_max };
	/* Nothing of check in between: it writes to a file, too. */
	const int was_set = setrlimit(RLIMIT_FSIZE, &none);
	note(9 * S + S / 2);
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(was_set, 0);
	wait_for("how fast the tape fills is not kept");
	ck_assert_uint_eq(kept(), 0);
	note(9 * S + S / 2);
	ck_assert_uint_gt(kept(), 0);
}
END_TEST

/* --- as a service has it ------------------------------------------------ */

static void service_open(void)
{
	fixture_folder();
	snprintf(artifact_dir, sizeof(artifact_dir), "%s/artifacts",
	         fixture_dir);
	ck_assert_int_eq(mkdir(artifact_dir, 0700), 0);
	ck_assert_int_eq(chmod(fixture_dir, 0700), 0);
	ck_assert_int_eq(setenv("TAILBOX_DIR", fixture_dir, 1), 0);
	unsetenv("TAILBOX");
	unsetenv("TAILBOX_ARTIFACTS");
	unsetenv("STATE_DIRECTORY");
}

static void service_close(void)
{
	tailbox_stop();
	remove_folder(artifact_dir);
	close(fixture_dirfd);
	fixture_dirfd = -1;
	remove_folder(fixture_dir);
}

static void service(const char *settings, uint64_t bytes)
{
	struct tailbox_options o;
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", fixture_dir);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(settings, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(setenv("TAILBOX_CONFIG", path, 1), 0);
	tailbox_options_init(&o);
	o.tape_bytes = bytes;
	ck_assert_int_eq(tailbox_start("test", &o), 0);
}

START_TEST(the_next_start_takes_what_the_last_run_shows)
{
	/* Half a MiB a second: a minute takes 30. */
	put_file("00000000000000524288\n", 21);
	service("[tape]\nhistory = '60s'\nsize = '64MiB'\n", 0);
	ck_assert_uint_eq(tailbox__recorder.tape.file_bytes, 32 * MIB);
	tailbox_stop();
	/* A size in the file is the most, whatever the program said. */
	service("[tape]\nhistory = '60s'\nsize = '4MiB'\n", 64 * MIB);
	ck_assert_uint_eq(tailbox__recorder.tape.file_bytes, 4 * MIB);
	tailbox_stop();
	/* What the program said is for who says nothing of a history. */
	service("[tape]\nhistory = '1s'\n", MIB);
	ck_assert_uint_eq(tailbox__recorder.tape.file_bytes, size_of(0, 0, 0));
	tailbox_stop();
	service("", MIB);
	ck_assert_uint_eq(tailbox__recorder.tape.file_bytes, MIB);
}
END_TEST

START_TEST(the_follower_keeps_it)
{
	uint64_t second = 0;

	service("", 0);
	/* As if it had run for 8 s; the follower turns to that second. */
	tailbox__lock();
	tailbox__c.rates.start_ns -= 8 * S;
	tailbox__unlock();
	for (int i = 0; i < wait_s() * 1000 && second < 8; i++) {
		usleep(1000);
		tailbox__lock();
		second = tailbox__c.rates.second;
		tailbox__unlock();
	}
	requests(100000);
	for (int i = 0; i < wait_s() * 1000 && !kept(); i++)
		usleep(1000);
	/* Records of 64 bytes in 9 to 10 s, of blocks that have their share of
	 * the tape's tables. */
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	const uint64_t bytes = UINT64_C(64) * 100000 / h->block_bytes *
	                       (h->file_bytes / h->blocks_max);
	ck_assert_uint_ge(kept(), bytes / 12);
	ck_assert_uint_le(kept(), bytes / 8);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fill");
	TCase *size = tcase_create("size"), *run = tcase_create("run");
	TCase *all = tcase_create("service");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(size, controller_open_tape, controller_close);
	tcase_add_test(size, a_history_is_rounded_up);
	tcase_add_test(size, a_history_is_bounded_by_a_size_and_by_memory);
	tcase_add_checked_fixture(run, controller_open, controller_close);
	tcase_add_test(run, what_we_did_not_write_is_not_read);
	tcase_add_test(run, the_busiest_ten_seconds_are_kept);
	tcase_add_test(run, a_young_run_does_not_lower_what_it_found);
	tcase_add_test(run, a_young_run_raises_what_it_found);
	tcase_add_test(run, it_is_written_when_it_has_changed);
	tcase_add_test(run, an_idle_run_keeps_nothing);
	tcase_add_test(run, a_folder_that_cannot_be_written_is_said_once);
	tcase_add_test(run, a_limit_of_file_sizes_is_kept_to);
	tcase_add_checked_fixture(all, service_open, service_close);
	tcase_add_test(all, the_next_start_takes_what_the_last_run_shows);
	tcase_add_test(all, the_follower_keeps_it);
	suite_add_tcase(s, size);
	suite_add_tcase(s, run);
	suite_add_tcase(s, all);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
