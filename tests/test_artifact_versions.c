/* tests/test_artifact_versions.c - native artifacts of older and later
 * versions, and files of others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/artifact_fixture.h"

START_TEST(part_of_unknown_kind_is_skipped)
{
	struct tailbox__run *run = sample_full(), *back;
	const uint32_t snap = TAILBOX__KIND('S', 'N', 'A', 'P');
	const uint32_t open_kind = TAILBOX__KIND('O', 'P', 'E', 'N');
	const uint32_t later = TAILBOX__KIND('N', 'E', 'W', '!');
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);

	memcpy(part_of(bytes, len, open_kind), &later, 4);
	/* Its checksum covers the kind: not resealed, this is damage. */
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	reseal(bytes, len);
	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	ck_assert_uint_eq(back->open.count, 0);
	ck_assert_uint_eq(back->requests.count, 2);
	tailbox__run_destroy(back);

	/* Values without their snapshots point nowhere. */
	memcpy(part_of(bytes, len, snap), &later, 4);
	reseal(bytes, len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

/* Cut the last 8 bytes off each item of REXT. Gives the length. */
static size_t make_older(char *bytes, size_t len)
{
	const size_t now = sizeof(struct tailbox__run_ext);
	const uint32_t then = TAILBOX__ARTIFACT_OLDER_EXT;
	char *part = part_of(bytes, len, TAILBOX__KIND('R', 'E', 'X', 'T'));
	struct tailbox__artifact_part head;

	memcpy(&head, part, sizeof(head));
	char *items = part + sizeof(head), *end = items + head.bytes;
	const size_t count = head.bytes / now, cut = count * (now - then);

	ck_assert_uint_ge(count, 1);
	for (size_t i = 0; i < count; i++)
		memmove(items + i * then, items + i * now, then);
	memmove(end - cut, end, len - (size_t)(end - bytes));
	head.item_bytes = then;
	head.bytes = count * then;
	memcpy(part, &head, sizeof(head));
	reseal(bytes, len - cut);
	return len - cut;
}

START_TEST(items_of_an_older_version_are_read)
{
	struct tailbox__run *run = sample_full(), *back;
	size_t len;

	run->ext.items[0].reader_ns = 5000;
	char *bytes = sample_native(run, &len);
	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	ck_assert_uint_eq(back->ext.items[0].reader_ns, 5000);
	tailbox__run_destroy(back);

	len = make_older(bytes, len);
	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	ck_assert_uint_eq(back->ext.count, run->ext.count);
	for (size_t i = 0; i < run->ext.count; i++) {
		ck_assert_uint_eq(back->ext.items[i].reader_ns, TAILBOX__NONE);
		ck_assert_int_eq(memcmp(&back->ext.items[i],
		                        &run->ext.items[i],
		                        TAILBOX__ARTIFACT_OLDER_EXT), 0);
	}
	use(back);

	/* Neither this nor that length. */
	uint32_t wrong = TAILBOX__ARTIFACT_OLDER_EXT - 8;
	struct tailbox__error err;
	memcpy(part_of(bytes, len, TAILBOX__KIND('R', 'E', 'X', 'T')) +
	               offsetof(struct tailbox__artifact_part, item_bytes),
	       &wrong, sizeof(wrong));
	reseal(bytes, len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(metrics_of_a_later_version_are_removed)
{
	struct tailbox__run *run = sample_full(), *back;
	size_t len, count = run->values.count;
	char *bytes;

	run->values.items[0].metric = TAILBOX__METRIC_COUNT;
	run->values.items[0].subject = UINT32_MAX;
	run->values.items[3].metric = UINT16_MAX;
	bytes = sample_native(run, &len);
	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	ck_assert_uint_eq(back->values.count, count - 2);
	ck_assert_uint_eq(back->values.items[0].metric,
	                  run->values.items[1].metric);
	tailbox__run_destroy(back);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

static void expect(const char *bytes, size_t len, int code, uint64_t offset)
{
	struct tailbox__error err;

	ck_assert_int_eq(load_wrong(bytes, len, &err), code);
	ck_assert_uint_eq(err.offset, offset);
}

START_TEST(other_version_and_byte_order_are_told_apart)
{
	struct tailbox__run *run = sample_tiny();
	struct tailbox__artifact_header *h;
	size_t len;
	char *bytes = sample_native(run, &len);

	h = (void *)bytes;
	h->version = 2;
	expect(bytes, len, -TAILBOX_EDAMAGED, 0);
	reseal(bytes, len);
	expect(bytes, len, -TAILBOX_EVERSION, 12);
	h->version = 1;
	h->byte_order = 0x04030201;
	expect(bytes, len, -TAILBOX_EFOREIGN, 8);
	h->byte_order = 0x04030202;
	reseal(bytes, len);
	expect(bytes, len, -TAILBOX_EDAMAGED, 8);
	expect("{\"schema_version\": 2}", 21, -TAILBOX_EFOREIGN, 0);
	expect("T{", 2, -TAILBOX_EFOREIGN, 0);
	expect("", 0, -TAILBOX_ETRUNCATED, 0);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("artifact_versions");
	TCase *t = tcase_create("artifact_versions");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, NULL, sample_allow_all);
	tcase_add_test(t, part_of_unknown_kind_is_skipped);
	tcase_add_test(t, items_of_an_older_version_are_read);
	tcase_add_test(t, metrics_of_a_later_version_are_removed);
	tcase_add_test(t, other_version_and_byte_order_are_told_apart);
	suite_add_tcase(suite, t);
	return suite;
}

int main(void)
{
	return sample_run_suite(make_suite());
}
