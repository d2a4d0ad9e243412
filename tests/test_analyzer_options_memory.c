/* tests/test_analyzer_options_memory.c - options when memory runs out: all or
 * nothing, and nothing left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/analyzer_options_fixture.h"

START_TEST(init_without_memory)
{
	tailbox__analyzer_options_fini(&o);
	for (long n = 0;; n++) {
		int rc;

		tailbox__alloc_fail_after(n);
		rc = tailbox__analyzer_options_init(&o);
		tailbox__alloc_fail_after(-1);
		if (rc == 0) {
			ck_assert_int_ge(n, 4);
			return;
		}
		ck_assert_int_eq(rc, -ENOMEM);
		tailbox__analyzer_options_fini(&o);
		ck_assert_int_eq(tailbox__alloc_live(), 0);
		ck_assert_int_lt(n, 100);
	}
}
END_TEST

static int set_list(struct tailbox__error *err)
{
	return tailbox__analyzer_options_set(
		&o, LIST_PATH "=a,b,c,d,e,f,g,h,i,j,k,l", err);
}

static int load_list(struct tailbox__error *err)
{
	static const char text[] =
	        "[analyzer]\nschema_version = 1\n[analyzer.downstream]\n"
	        "blocking_correlated_stage_patterns = ['a', 'b', 'c', 'd',"
	        "'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l']\n";

	return tailbox__analyzer_options_load(&o, "f", text, sizeof(text) - 1,
	                                      err);
}

static int (*const changes[])(struct tailbox__error *err) = { set_list,
	                                                      load_list };

START_TEST(changes_without_memory)
{
	const long live = tailbox__alloc_live();

	for (long n = 0;; n++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		int rc;

		tailbox__alloc_fail_after(n);
		rc = changes[_i](&err);
		tailbox__alloc_fail_after(-1);
		if (rc == 0) {
			ck_assert_int_ge(n, 12);
			ck_assert_str_eq(value_of(LIST_PATH),
			                 "a,b,c,d,e,f,g,h,i,j,k,l");
			return;
		}
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_int_eq(err.code, -ENOMEM);
		ck_assert_str_eq(err.text, "out of memory");
		ck_assert_int_eq(tailbox__alloc_live(), live);
		ck_assert_str_eq(all_of(&o), standard);
		ck_assert_int_lt(n, 100);
	}
}
END_TEST

/* Numbers need none. */
START_TEST(numbers_are_set_without_memory)
{
	tailbox__alloc_fail_after(0);
	takes("route.breakdown_limit=7");
	takes("temporal.emit_on_suspect_shift=false");
	ck_assert_ptr_null(tailbox__option_text(&o, O(ROUTE_LIMIT)));
	ck_assert_ptr_null(tailbox__option_text(&o, O(ROUTE_ON_DIVERGENT)));
	ck_assert_ptr_null(tailbox__option_text(&o, O(DOWNSTREAM_PATTERNS)));
}
END_TEST

START_TEST(json_without_memory)
{
	long live;

	takes("route.breakdown_limit=7");
	takes(LIST_PATH "=x,y");
	live = tailbox__alloc_live();
	for (long n = 0;; n++) {
		struct tailbox__json j;
		int rc;

		tailbox__alloc_fail_after(n);
		tailbox__json_init(&j, true);
		tailbox__json_begin_object(&j);
		rc = tailbox__analyzer_options_json(&o, &j);
		tailbox__json_end_object(&j);
		tailbox__alloc_fail_after(-1);
		ck_assert_int_eq(tailbox__json_ok(&j), rc == 0);
		tailbox__json_fini(&j);
		ck_assert_int_eq(tailbox__alloc_live(), live);
		if (rc == 0) {
			ck_assert_int_ge(n, 3);
			return;
		}
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_int_lt(n, 100);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("analyzer_options_memory");
	SRunner *r = srunner_create(s);
	TCase *tc = new_case(s, "options");
	int failed;

	tcase_add_test(tc, init_without_memory);
	tcase_add_loop_test(tc, changes_without_memory, 0,
	                    (int)COUNT(changes));
	tcase_add_test(tc, numbers_are_set_without_memory);
	tcase_add_test(tc, json_without_memory);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
