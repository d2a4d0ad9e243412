/* tests/test_config.c - settings: defaults, and the table that describes them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"

static struct tailbox__config config;

START_TEST(each_key_has_a_row_and_a_place_of_its_own)
{
	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++) {
		const struct tailbox__config_key_info *k =
		        &tailbox__config_keys[i];

		ck_assert_ptr_nonnull(k->table);
		ck_assert_ptr_nonnull(k->summary);
		ck_assert_uint_lt(k->at, offsetof(struct tailbox__config,
		                                  origin));
		ck_assert_uint_le(k->min, k->max);
		ck_assert_int_eq(k->type == TAILBOX__CONFIG_CHOICE,
		                 k->choices != NULL);
		for (unsigned n = 0; n < i; n++) {
			const struct tailbox__config_key_info *o =
			        &tailbox__config_keys[n];
			ck_assert(o->at != k->at);
			ck_assert(strcmp(o->table, k->table) != 0 ||
			          strcmp(o->name, k->name) != 0);
		}
	}
}
END_TEST

START_TEST(a_default_is_in_range_or_says_what_unset_means)
{
	tailbox__config_init(&config);
	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++) {
		const struct tailbox__config_key_info *k =
		        &tailbox__config_keys[i];

		ck_assert_uint_eq(config.origin[i].from,
		                  TAILBOX__FROM_DEFAULT);
		if (tailbox__config_is_unset(&config, i))
			ck_assert_ptr_nonnull(k->unset);
		else
			ck_assert(k->def >= k->min && k->def <= k->max);
	}
}
END_TEST

START_TEST(defaults_are_those_of_the_design)
{
	memset(&config, 0xff, sizeof(config));
	tailbox__config_init(&config);
	ck_assert(config.recorder.enabled);
	ck_assert_str_eq(config.service.name, "");
	ck_assert_uint_eq(config.tape.size, 0);
	ck_assert_uint_eq(config.window.mode, TAILBOX__MODE_LIGHT);
	ck_assert_uint_eq(config.window.policy, TAILBOX__POLICY_CONTINUE);
	ck_assert(!config.window.arm_at_start);
	ck_assert(!config.window.strict_lifecycle);
	ck_assert_uint_eq(config.window.duration, 0);
	ck_assert_uint_eq(config.window.drain_timeout, 10000);
	ck_assert_uint_eq(config.window.max_requests, TAILBOX__NONE);
	ck_assert(config.sampler.enabled);
	ck_assert_uint_eq(config.sampler.mode, TAILBOX__NONE);
	ck_assert_uint_eq(config.routes.patterns.count, 0);
	ck_assert_uint_eq(config.rare.size, TAILBOX__NONE);
	ck_assert_uint_eq(config.rare.slow, 500);
	ck_assert_uint_eq(config.log.slow, 0);
	ck_assert_str_eq(config.admin.listen, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *tc = tcase_create("table");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, each_key_has_a_row_and_a_place_of_its_own);
	tcase_add_test(tc, a_default_is_in_range_or_says_what_unset_means);
	tcase_add_test(tc, defaults_are_those_of_the_design);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
