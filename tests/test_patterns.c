/* tests/test_patterns.c - sets of route patterns: published, kept, bounded.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/config.h"
#include "core/patterns.h"
#include "middleware/route.h"

static struct tailbox__config_list list;

static void set(const char *a, const char *b)
{
	memset(&list, 0, sizeof(list));
	if (a != NULL)
		snprintf(list.items[list.count++], sizeof(list.items[0]), "%s",
		         a);
	if (b != NULL)
		snprintf(list.items[list.count++], sizeof(list.items[0]), "%s",
		         b);
	ck_assert_int_eq(tailbox__patterns_set(&list), 0);
}

static void clean_up(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__patterns_clear(); /* kept once more: test_stopped.c */
	tailbox__patterns_clear();
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

/* The label of a target; NULL = no pattern. */
static void gives(const char *target, const char *label)
{
	struct tailbox__route r;
	const bool found = tailbox__route_match(&r, target);

	ck_assert_msg(found == (label != NULL), "%s: %s", target,
	              found ? "matches" : "does not match");
	if (found)
		ck_assert_msg(r.len == strlen(label) &&
		                      memcmp(r.label, label, r.len) == 0,
		              "%s: %.*s", target, (int)r.len, r.label);
}

START_TEST(none_match_without_patterns)
{
	ck_assert_ptr_null(tailbox__patterns_get());
	gives("/", NULL);
	set(NULL, NULL);
	gives("/", NULL);
}
END_TEST

START_TEST(names_stand_for_one_segment)
{
	set("/users/{id}/orders", NULL);
	gives("/users/7/orders", "/users/{id}/orders");
	gives("/users/a%2Fb\xff/orders?x=1", "/users/{id}/orders");
	gives("http://host/users/7/orders", "/users/{id}/orders");
	gives("/users//orders", NULL);
	gives("/users/7/orders/", NULL);
	gives("/users/7/8/orders", NULL);
	gives("/users/7/order", NULL);
	gives("/users/7", NULL);
	gives("/users/", NULL);
	gives("/users/?/orders", NULL);
	gives("*", NULL);
	set("/{a}", "/{a}/{b}");
	gives("/x", "/{a}");
	gives("/x/y", "/{a}/{b}");
	gives("/", NULL);
}
END_TEST

START_TEST(a_star_stands_for_the_rest)
{
	set("/static/*", "/*");
	gives("/static/", "/static/*");
	gives("/static/a/b?c", "/static/*");
	gives("/static?x", "/*");
	gives("/static", "/*");
	gives("/", "/*");
	gives("?q", "/*");
}
END_TEST

START_TEST(the_first_that_matches_counts)
{
	set("/users/me", "/users/{id}");
	gives("/users/me", "/users/me");
	gives("/users/you", "/users/{id}");
	set("/users/{id}", "/users/me");
	gives("/users/me", "/users/{id}");
}
END_TEST

START_TEST(the_generation_tells_of_a_change)
{
	const uint32_t before = tailbox__patterns_generation();
	const struct tailbox__pattern_set *first;

	ck_assert_uint_ne(before, 0);
	set("/a", NULL);
	first = tailbox__patterns_get();
	ck_assert_uint_ne(tailbox__patterns_generation(), before);
	const uint32_t after = tailbox__patterns_generation();
	set("/a", NULL); /* the same: nothing changes */
	ck_assert_uint_eq(tailbox__patterns_generation(), after);
	set("/b", NULL);
	ck_assert_ptr_ne(tailbox__patterns_get(), first);
	ck_assert_str_eq(first->items[0].text, "/a"); /* it stays */
	set("/a", NULL);
	ck_assert_ptr_eq(tailbox__patterns_get(), first);
}
END_TEST

START_TEST(different_sets_are_bounded)
{
	char text[32];

	for (unsigned i = 0; i < TAILBOX__PATTERN_SETS_MAX; i++) {
		snprintf(text, sizeof(text), "/%u", i);
		set(text, NULL);
	}
	snprintf(list.items[0], sizeof(list.items[0]), "/one-more");
	ck_assert_int_eq(tailbox__patterns_set(&list), -ENOSPC);
	gives(text, text); /* the last one is still in force */
	set("/0", NULL);
	gives("/0", "/0");
	for (unsigned i = 0; i < 1000; i++)
		set(i % 2 ? "/1" : "/2", NULL);
	set(NULL, NULL);
	gives("/0", NULL);
}
END_TEST

START_TEST(no_memory_changes_nothing)
{
	set("/a", NULL);
	snprintf(list.items[0], sizeof(list.items[0]), "/b");
	tailbox__alloc_fail_after(0);
	ck_assert_int_eq(tailbox__patterns_set(&list), -ENOMEM);
	tailbox__alloc_fail_after(-1);
	gives("/a", "/a");
	gives("/b", NULL);
}
END_TEST

/* --- a swap while others look ------------------------------------------- */

#define SETS 200u
#define SWAPS 50000u

static bool must_end;
static uint32_t first_generation; /* of "/x/{0}"; the next has "/x/{1}" */

/* The number in the label of a target; UINT32_MAX: not a whole one. */
static uint32_t number_of_label(void)
{
	struct tailbox__route r;
	unsigned long number;
	char *end;

	if (!tailbox__route_match(&r, "/x/1") || r.len < 6)
		return UINT32_MAX;
	number = strtoul(r.label + 4, &end, 10);
	return *end == '}' && end + 1 == r.label + r.len && number < SETS
	               ? (uint32_t)number
	               : UINT32_MAX;
}

/* Whoever reads the generation first gets its set or a newer one: a route is
 * never kept under a generation that is newer than the route is. */
static void *look(void *arg)
{
	long *wrong = arg;

	while (!__atomic_load_n(&must_end, __ATOMIC_RELAXED)) {
		const uint32_t before = tailbox__patterns_generation();
		const uint32_t found = number_of_label();
		const uint32_t after = tailbox__patterns_generation();
		const uint32_t least = (before - first_generation) % SETS;

		if (found == UINT32_MAX)
			++*wrong;
		else if (after - before < SETS / 2 - 1 && /* no longer away */
		         (found + SETS - least) % SETS >= SETS / 2)
			++*wrong;
	}
	return NULL;
}

START_TEST(a_swap_is_seen_whole_and_not_late)
{
	long wrong = 0;
	pthread_t thread;
	char text[32];

	must_end = false;
	set("/x/{0}", NULL);
	first_generation = tailbox__patterns_generation();
	ck_assert_int_eq(pthread_create(&thread, NULL, look, &wrong), 0);
	for (unsigned i = 1; i < SWAPS; i++) {
		snprintf(text, sizeof(text), "/x/{%u}", i % SETS);
		set(text, NULL);
	}
	ck_assert_uint_eq(tailbox__patterns_generation(),
	                  first_generation + SWAPS - 1);
	__atomic_store_n(&must_end, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ck_assert_int_eq(wrong, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("patterns");
	TCase *tc = tcase_create("patterns");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, clean_up, clean_up);
	tcase_add_test(tc, none_match_without_patterns);
	tcase_add_test(tc, names_stand_for_one_segment);
	tcase_add_test(tc, a_star_stands_for_the_rest);
	tcase_add_test(tc, the_first_that_matches_counts);
	tcase_add_test(tc, the_generation_tells_of_a_change);
	tcase_add_test(tc, different_sets_are_bounded);
	tcase_add_test(tc, no_memory_changes_nothing);
	tcase_add_test(tc, a_swap_is_seen_whole_and_not_late);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
