/* tests/test_artifact_damage.c - native artifacts that are cut, damaged or
 * forged.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/artifact_fixture.h"

START_TEST(file_cut_at_each_byte_is_truncated)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);

	for (size_t cut = 0; cut < len; cut++) {
		ck_assert_int_eq(load_wrong(bytes, cut, &err),
		                 -TAILBOX_ETRUNCATED);
		ck_assert_uint_eq(err.offset, cut);
	}
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(each_flipped_byte_is_found)
{
	static const char masks[] = { 1, 0x20, -1 };
	struct tailbox__run *run = sample_full();
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);

	for (size_t at = 0; at < len; at++)
		for (size_t m = 0; m < sizeof(masks); m++) {
			bytes[at] ^= masks[m];
			int rc = load_wrong(bytes, len, &err);
			bytes[at] ^= masks[m];
			if (at < 8)
				ck_assert_int_eq(rc, -TAILBOX_EFOREIGN);
			else
				ck_assert(rc == -TAILBOX_EDAMAGED ||
				          rc == -TAILBOX_ETRUNCATED);
		}
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(bytes_after_the_end_are_damage)
{
	struct tailbox__run *run = sample_tiny();
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);
	char *longer = malloc(len + 1);

	memcpy(longer, bytes, len);
	longer[len] = 0;
	ck_assert_int_eq(load_wrong(longer, len + 1, &err),
	                 -TAILBOX_EDAMAGED);
	ck_assert_uint_eq(err.offset, len);
	free(longer);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(each_forged_byte_is_refused_or_harmless)
{
	static const char masks[] = { 1, 8, -128, -1 };
	struct tailbox__run *run = sample_full(), *back;
	size_t len;
	char *bytes = sample_native(run, &len);
	char *forged = malloc(len);
	unsigned refused = 0, taken = 0;

	for (size_t at = 8; at < len; at++)
		for (size_t m = 0; m < sizeof(masks); m++) {
			memcpy(forged, bytes, len);
			forged[at] ^= masks[m];
			reseal(forged, len);
			int rc = load_bytes(forged, len, &back, NULL);
			if (rc) {
				refused++;
				continue;
			}
			taken++;
			use(back);
		}
	ck_assert_uint_gt(refused, 1000);
	ck_assert_uint_gt(taken, 1000);
	free(forged);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

/* A few bytes must not be able to ask for gigabytes. */
START_TEST(claimed_length_is_not_believed)
{
	static const uint64_t claims[] = { 1 << 20, 1 << 21, 1ull << 40,
		                           (uint64_t)PTRDIFF_MAX + 1,
		                           UINT64_MAX };
	struct tailbox__run *run = sample_tiny();
	struct tailbox__artifact_part head;
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		memcpy(&head, bytes + 64, sizeof(head));
		head.bytes = claims[i];
		memcpy(bytes + 64, &head, sizeof(head));
		int rc = load_wrong(bytes, len, &err);
		ck_assert_int_eq(rc, claims[i] > PTRDIFF_MAX
		                             ? -TAILBOX_EDAMAGED
		                             : -TAILBOX_ETRUNCATED);
	}
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

/* Strings must be there once, or equal text would have two numbers. */
START_TEST(string_that_is_there_twice_is_damage)
{
	struct tailbox__run *run = sample_empty();
	struct tailbox__error err;
	size_t len;

	tailbox__run_cstr(run, "ab");
	tailbox__run_cstr(run, "ac");
	char *bytes = sample_native(run, &len);
	char *strings = part_of(bytes, len, TAILBOX__PART_STRINGS) + 24;
	ck_assert_int_eq(strings[12], 'c');
	strings[12] = 'b';
	reseal(bytes, len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	ck_assert_uint_eq(err.offset, 64 + 24 + 7);
	strings[12] = 'c';
	strings[13] = 'x'; /* where a NUL has to be */
	reseal(bytes, len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(part_that_is_there_twice_is_damage)
{
	struct tailbox__run *run = sample_full();
	const uint32_t stages = TAILBOX__KIND('S', 'T', 'A', 'G');
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);

	memcpy(part_of(bytes, len, TAILBOX__KIND('Q', 'U', 'E', 'U')), &stages,
	       4);
	reseal(bytes, len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	ck_assert_ptr_nonnull(strstr(err.text, "STAG"));
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(error_says_which_item)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__error err;
	size_t len;

	run->requests.items[1].ext = 3;
	char *bytes = sample_native(run, &len);
	size_t at = (size_t)(part_of(bytes, len,
	                             TAILBOX__KIND('R', 'E', 'Q', 'S')) -
	                     bytes);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	ck_assert_uint_eq(err.offset, at + 24 + 64);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(extra_key_that_is_there_twice_is_damage)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__error err;
	size_t len;

	run->meta.extra.items[1].key = run->meta.extra.items[0].key;
	char *bytes = sample_native(run, &len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("artifact_damage");
	TCase *t = tcase_create("artifact_damage");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, NULL, sample_allow_all);
	tcase_add_test(t, file_cut_at_each_byte_is_truncated);
	tcase_add_test(t, each_flipped_byte_is_found);
	tcase_add_test(t, bytes_after_the_end_are_damage);
	tcase_add_test(t, each_forged_byte_is_refused_or_harmless);
	tcase_add_test(t, claimed_length_is_not_believed);
	tcase_add_test(t, string_that_is_there_twice_is_damage);
	tcase_add_test(t, part_that_is_there_twice_is_damage);
	tcase_add_test(t, error_says_which_item);
	tcase_add_test(t, extra_key_that_is_there_twice_is_damage);
	suite_add_tcase(suite, t);
	return suite;
}

int main(void)
{
	return sample_run_suite(make_suite());
}
