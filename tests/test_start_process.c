/* tests/test_start_process.c - what tailbox_start() takes from its process and
 * tailbox_stop() gives back: descriptors, threads, memory; and its signals,
 * which are none of ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <malloc.h>
#include <signal.h>

#include "tests/start_fixture.h"

static int count_of(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static long resident_pages(void)
{
	char text[64] = "";
	FILE *f = fopen("/proc/self/statm", "re");
	long pages;

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	ck_assert_int_eq(sscanf(text, "%*d %ld", &pages), 1);
	return pages;
}

static void cycle(void)
{
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	tailbox_request_finish(tailbox_request_begin("/", NULL), NULL);
	has(status(), "\"begun\": 1,");
	has(ask("GET", "/requests"), "\"count\": 0");
	has(ask("GET", "/workers"), "\"workers\": [");
	tailbox_stop();
}

START_TEST(start_and_stop_100_times_leak_nothing)
{
	int fds = 0, threads = 0;
	long live = 0, pages = 0;

	/* Else arenas grow for as long as it takes until each has been the
	 * admin thread's. */
	mallopt(M_ARENA_MAX, 1);
	setenv("TAILBOX_DIR", run, 1);
	for (int i = 0; i < 100; i++) {
		cycle();
		if (i == 49) {
			fds = count_of("/proc/self/fd");
			threads = count_of("/proc/self/task");
			live = tailbox__alloc_live();
			pages = resident_pages();
		}
	}
	ck_assert_int_eq(count_of("/proc/self/fd"), fds);
	ck_assert_int_eq(count_of("/proc/self/task"), threads);
	ck_assert_int_eq(tailbox__alloc_live(), live);
	/* Sanitizers keep what was freed. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	ck_assert_int_le(resident_pages() - pages, 512);
#else
	(void)pages;
#endif
}
END_TEST

/* Start with so much memory: whether it came about as it should. */
static bool starts_with(int allocations)
{
	bool is_complete = false;
	int rc;

	tailbox__alloc_fail_after(allocations);
	rc = tailbox_start("shop", NULL);
	tailbox__alloc_fail_after(-1);
	ck_assert_int_le(rc, 0);
	ck_assert_int_eq(tailbox_is_recording(), rc == 0);
	if (tailbox__admin_path()[0] != '\0')
		is_complete = rc == 0 &&
		              strstr(status(), "\"notes\": []") != NULL;
	tailbox_stop();
	return is_complete;
}

/* Each number of allocations up to the one with which it is complete. Crews
 * live as long as the process, up to as many as are kept: in the first round
 * they are made, in the second there are enough. */
START_TEST(without_memory_the_service_goes_on)
{
	long live = 0;
	int n;

	for (n = 0; n < 200 && !starts_with(n); n++)
		;
	ck_assert_int_gt(n, 1);
	ck_assert_int_lt(n, 200);
	/* This thread is one of the first one's to the end. */
	cycle();
	for (int i = 0; i < 20; i++)
		starts_with(-1);
	live = tailbox__alloc_live();
	for (n = 0; n < 200 && !starts_with(n); n++)
		ck_assert_int_eq(tailbox__alloc_live(), live);
	ck_assert_int_lt(n, 200);
	ck_assert_int_eq(tailbox__alloc_live(), live);
}
END_TEST

/* SigBlk of the thread of that name, 0 when there is none. */
static unsigned long long blocked_in(const char *name)
{
	unsigned long long mask = 0;
	struct dirent *e;
	DIR *d = opendir("/proc/self/task");

	while ((e = readdir(d)) != NULL) {
		char path[300], line[256];
		bool is_it = false;
		FILE *f;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
		         e->d_name);
		f = fopen(path, "re");
		while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
			is_it |= strncmp(line, "Name:\t", 6) == 0 &&
			         strstr(line, name) != NULL;
			if (is_it)
				sscanf(line, "SigBlk: %llx", &mask);
		}
		if (f != NULL)
			fclose(f);
	}
	closedir(d);
	return mask;
}

START_TEST(signals_do_not_run_on_our_thread)
{
	unsigned long long mask;
	sigset_t before, after;

	sigprocmask(SIG_SETMASK, NULL, &before);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	sigprocmask(SIG_SETMASK, NULL, &after);
	ck_assert_int_eq(sigismember(&before, SIGTERM),
	                 sigismember(&after, SIGTERM));
	status(); /* it gets its name with its first request */
	mask = blocked_in("tailbox-admin");
	ck_assert(mask & 1ull << (SIGTERM - 1));
	ck_assert(mask & 1ull << (SIGINT - 1));
	ck_assert(mask & 1ull << (SIGUSR1 - 1));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("start_process");
	TCase *t = tcase_create("start_process");

	tcase_add_checked_fixture(t, start_setup, start_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, start_and_stop_100_times_leak_nothing);
	tcase_add_test(t, without_memory_the_service_goes_on);
	tcase_add_test(t, signals_do_not_run_on_our_thread);
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
