/* tests/test_sampler_pools.c - the registry of pools.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "sampler/pools.h"

static struct tailbox__pool_look looks[TAILBOX_POOLS_MAX];
static long live_before;

static void before(void)
{
	live_before = tailbox__alloc_live();
}

static void after(void)
{
	tailbox__alloc_fail_after(-1);
	ck_assert_int_eq(tailbox__alloc_live(), live_before);
	ck_assert_uint_eq(tailbox__pools(looks), 0);
}

START_TEST(a_pool_shows_what_was_counted)
{
	struct tailbox_pool *p =
	        tailbox_pool_register("db", TAILBOX_POOL_OFFLOAD, 8);

	ck_assert_ptr_nonnull(p);
	tailbox_pool_waiting_add(p, 3);
	tailbox_pool_busy_add(p, 8);
	tailbox_pool_waiting_add(p, -1);
	ck_assert_uint_eq(tailbox_pool_waiting(p), 2);
	ck_assert_uint_eq(tailbox__pools(looks), 1);
	ck_assert_str_eq(looks[0].name, "db");
	ck_assert_int_eq(looks[0].kind, TAILBOX_POOL_OFFLOAD);
	ck_assert_uint_eq(looks[0].capacity, 8);
	ck_assert_uint_eq(looks[0].waiting, 2);
	ck_assert_uint_eq(looks[0].busy, 8);
	tailbox_pool_unregister(p);
}
END_TEST

START_TEST(bad_pools_are_refused_and_null_does_nothing)
{
	ck_assert_ptr_null(tailbox_pool_register(NULL, 0, 1));
	ck_assert_ptr_null(tailbox_pool_register("", 0, 1));
	ck_assert_ptr_null(tailbox_pool_register(" \t\n", 0, 1));
	ck_assert_ptr_null(tailbox_pool_register("x", -1, 1));
	ck_assert_ptr_null(tailbox_pool_register("x", 2, 1));
	tailbox_pool_waiting_add(NULL, 1);
	tailbox_pool_busy_add(NULL, 1);
	ck_assert_uint_eq(tailbox_pool_waiting(NULL), 0);
	tailbox_pool_unregister(NULL);
}
END_TEST

START_TEST(pools_are_bounded)
{
	struct tailbox_pool *p[TAILBOX_POOLS_MAX];

	for (unsigned i = 0; i < TAILBOX_POOLS_MAX; i++) {
		ck_assert_uint_eq(tailbox__pools(looks), i);
		p[i] = tailbox_pool_register("x", 0, i + 1);
		ck_assert_ptr_nonnull(p[i]);
	}
	ck_assert_ptr_null(tailbox_pool_register("one more", 0, 1));
	ck_assert_uint_eq(tailbox__pools(looks), TAILBOX_POOLS_MAX);
	/* A place that is given back is there again. */
	tailbox_pool_unregister(p[10]);
	p[10] = tailbox_pool_register("again", 0, 1);
	ck_assert_ptr_nonnull(p[10]);
	ck_assert_ptr_null(tailbox_pool_register("one more", 0, 1));
	tailbox__pools(looks);
	ck_assert_str_eq(looks[10].name, "again");
	for (unsigned i = 0; i < TAILBOX_POOLS_MAX; i++)
		tailbox_pool_unregister(p[i]);
}
END_TEST

START_TEST(long_names_are_cut_between_characters)
{
	char name[TAILBOX_NAME_MAX + 3];

	memset(name, 'a', sizeof(name));
	name[TAILBOX_NAME_MAX - 1] = '\xc3'; /* e with acute, the last byte */
	name[TAILBOX_NAME_MAX] = '\xa9';     /* of which does not fit */
	name[TAILBOX_NAME_MAX + 1] = '\0';
	struct tailbox_pool *p = tailbox_pool_register(name, 0, 0);
	tailbox__pools(looks);
	ck_assert_uint_eq(strlen(looks[0].name), TAILBOX_NAME_MAX - 1);
	tailbox_pool_unregister(p);

	memset(name, 'b', sizeof(name));
	for (size_t n = TAILBOX_NAME_MAX - 1; n <= TAILBOX_NAME_MAX + 1; n++) {
		name[n] = '\0';
		p = tailbox_pool_register(name, 0, 0);
		tailbox__pools(looks);
		ck_assert_uint_eq(strlen(looks[0].name),
		                  n < TAILBOX_NAME_MAX ? n : TAILBOX_NAME_MAX);
		tailbox_pool_unregister(p);
		name[n] = 'b';
	}
}
END_TEST

START_TEST(counts_below_zero_read_as_zero)
{
	struct tailbox_pool *p = tailbox_pool_register("x", 0, 0);

	tailbox_pool_waiting_add(p, -2);
	tailbox_pool_busy_add(p, INT32_MIN);
	ck_assert_uint_eq(tailbox_pool_waiting(p), 0);
	tailbox__pools(looks);
	ck_assert_uint_eq(looks[0].waiting, 0);
	ck_assert_uint_eq(looks[0].busy, 0);
	/* The difference is not lost. */
	tailbox_pool_waiting_add(p, 3);
	ck_assert_uint_eq(tailbox_pool_waiting(p), 1);
	/* Nor do wide sums wrap. */
	for (int i = 0; i < 4; i++)
		tailbox_pool_waiting_add(p, INT32_MAX);
	ck_assert_uint_eq(tailbox_pool_waiting(p), UINT32_MAX - 1);
	tailbox__pools(looks);
	ck_assert_uint_eq(looks[0].waiting, 4 * (uint64_t)INT32_MAX + 1);
	tailbox_pool_unregister(p);
}
END_TEST

START_TEST(pools_do_not_share_cache_lines)
{
	struct tailbox_pool *p[8];

	for (int i = 0; i < 8; i++) {
		p[i] = tailbox_pool_register("x", 0, 0);
		ck_assert_uint_eq((uintptr_t)p[i] % 64, 0);
	}
	for (int i = 0; i < 8; i++)
		tailbox_pool_unregister(p[i]);
}
END_TEST

START_TEST(no_memory_is_no_pool)
{
	tailbox__alloc_fail_after(0);
	ck_assert_ptr_null(tailbox_pool_register("x", 0, 1));
	ck_assert_uint_eq(tailbox__pools(looks), 0);
	tailbox__alloc_fail_after(-1);
	struct tailbox_pool *p = tailbox_pool_register("x", 0, 1);
	ck_assert_ptr_nonnull(p);
	tailbox_pool_unregister(p);
}
END_TEST

/* --- threads -------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 20000 };

static void *count_up_and_down(void *arg)
{
	struct tailbox_pool *p = arg;

	for (int i = 0; i < ROUNDS; i++) {
		tailbox_pool_waiting_add(p, 1);
		tailbox_pool_busy_add(p, 2);
		tailbox_pool_waiting_add(p, -1);
		tailbox_pool_busy_add(p, -1);
	}
	return NULL;
}

static void *come_and_go(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS / 20; i++) {
		struct tailbox_pool *p = tailbox_pool_register("come", 1, 5);

		tailbox_pool_busy_add(p, 1);
		tailbox_pool_unregister(p);
	}
	return NULL;
}

START_TEST(threads_count_while_others_look)
{
	struct tailbox_pool *p = tailbox_pool_register("shared", 0, 0);
	pthread_t threads[THREADS + 1];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, count_up_and_down, p);
	pthread_create(&threads[THREADS], NULL, come_and_go, NULL);
	for (int i = 0; i < 1000; i++) {
		uint32_t n = tailbox__pools(looks);

		ck_assert_uint_ge(n, 1);
		ck_assert_uint_le(n, 2);
		ck_assert_str_eq(looks[0].name, "shared");
		ck_assert_uint_le(looks[0].waiting, THREADS);
		if (n == 2)
			ck_assert_str_eq(looks[1].name, "come");
	}
	for (int i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(tailbox__pools(looks), 1);
	ck_assert_uint_eq(looks[0].waiting, 0);
	ck_assert_uint_eq(looks[0].busy, THREADS * ROUNDS);
	tailbox_pool_unregister(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sampler_pools");
	TCase *t = tcase_create("pools");

	tcase_add_checked_fixture(t, before, after);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_pool_shows_what_was_counted);
	tcase_add_test(t, bad_pools_are_refused_and_null_does_nothing);
	tcase_add_test(t, pools_are_bounded);
	tcase_add_test(t, long_names_are_cut_between_characters);
	tcase_add_test(t, counts_below_zero_read_as_zero);
	tcase_add_test(t, pools_do_not_share_cache_lines);
	tcase_add_test(t, no_memory_is_no_pool);
	tcase_add_test(t, threads_count_while_others_look);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
