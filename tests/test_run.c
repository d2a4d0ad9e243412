/* tests/test_run.c - the run in memory, the allocator and error texts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <limits.h>

#include "core/error.h"
#include "core/tailbox.h"
#include "core/utf8.h"
#include "tests/sample_runs.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void allow_all(void)
{
	tailbox__alloc_fail_after(-1);
}

/* --- core/alloc.c -------------------------------------------------------- */

START_TEST(live_blocks_are_counted)
{
	void *a = tailbox__alloc(3, 5);
	void *b = tailbox__zalloc(3, 5);
	char *c = tailbox__strdup("abc");

	ck_assert_int_eq(tailbox__alloc_live(), 3);
	a = tailbox__realloc(a, 100, 1);
	ck_assert_int_eq(tailbox__alloc_live(), 3);
	void *d = tailbox__realloc(NULL, 1, 1);
	ck_assert_int_eq(tailbox__alloc_live(), 4);
	ck_assert_str_eq(c, "abc");
	for (int i = 0; i < 15; i++)
		ck_assert_int_eq(((char *)b)[i], 0);
	tailbox__free(a);
	tailbox__free(b);
	tailbox__free(c);
	tailbox__free(d);
	tailbox__free(NULL);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
	ck_assert_ptr_null(tailbox__strdup(NULL));
}
END_TEST

START_TEST(nothing_is_a_block_too)
{
	void *a = tailbox__alloc(0, 8);
	void *b = tailbox__zalloc(8, 0);
	void *c = tailbox__realloc(NULL, 0, 0);

	ck_assert(a && b && c);
	c = tailbox__realloc(c, 0, 1);
	ck_assert_ptr_nonnull(c);
	tailbox__free(a);
	tailbox__free(b);
	tailbox__free(c);
}
END_TEST

START_TEST(overflow_gives_null)
{
	void *p = tailbox__alloc(1, 1);

	ck_assert_ptr_null(tailbox__alloc(SIZE_MAX, 2));
	ck_assert_ptr_null(tailbox__zalloc(SIZE_MAX / 2 + 1, 2));
	ck_assert_ptr_null(tailbox__alloc(SIZE_MAX, 1));
	ck_assert_ptr_null(tailbox__realloc(p, SIZE_MAX / 4, 8));
	ck_assert_int_eq(tailbox__alloc_live(), 1);
	tailbox__free(p);
}
END_TEST

/* Sizes around the bounds of a large block and of its last page. */
START_TEST(large_blocks_are_whole_zero_and_moved)
{
	const size_t mib = 1 << 20;
	const size_t sizes[] = { 2 * mib - 1, 2 * mib, 2 * mib + 1,
		                 4 * mib - mib / 4 - 1, 4 * mib - mib / 4,
		                 6 * mib + 1 };

	tailbox__alloc_prefer_huge();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const size_t n = sizes[i];
		char *a = tailbox__alloc(n, 1);
		ck_assert_ptr_nonnull(a);
		memset(a, 'a', n);
		tailbox__free(a);
		/* Most likely the same memory. */
		char *z = tailbox__zalloc(n, 1);
		ck_assert_ptr_nonnull(z);
		ck_assert(z[0] == 0 && memcmp(z, z + 1, n - 1) == 0);
		for (size_t at = 0; at < n; at += 4096)
			z[at] = (char)(at / 4096);
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			const size_t both = n < sizes[k] ? n : sizes[k];
			char *m = tailbox__alloc(n, 1);
			ck_assert_ptr_nonnull(m);
			memcpy(m, z, n);
			m = tailbox__realloc(m, sizes[k], 1);
			ck_assert_ptr_nonnull(m);
			ck_assert_mem_eq(m, z, both);
			tailbox__free(m);
		}
		tailbox__free(z);
	}
	ck_assert_int_eq(tailbox__alloc_live(), 0);
	tailbox__alloc_fail_after(0);
	ck_assert_ptr_null(tailbox__alloc(4, mib));
	ck_assert_ptr_null(tailbox__zalloc(4, mib));
	ck_assert_ptr_null(tailbox__realloc(NULL, 4, mib));
}
END_TEST

START_TEST(failing_is_counted_in_allocations)
{
	tailbox__alloc_fail_after(2);
	void *a = tailbox__alloc(1, 1);
	void *b = tailbox__realloc(a, 2, 1);
	ck_assert(a && b);
	ck_assert_ptr_null(tailbox__alloc(1, 1));
	ck_assert_ptr_null(tailbox__zalloc(1, 1));
	ck_assert_ptr_null(tailbox__strdup("x"));
	ck_assert_ptr_null(tailbox__realloc(b, 3, 1));
	tailbox__free(b);
	tailbox__alloc_fail_after(-5);
	b = tailbox__alloc(1, 1);
	ck_assert_ptr_nonnull(b);
	tailbox__free(b);
}
END_TEST

/* --- core/error.c -------------------------------------------------------- */

START_TEST(every_code_of_either_sign_has_a_text)
{
	static const int codes[] = { 0, 1, -1, INT_MIN, INT_MAX, INT_MIN + 1,
		                     1023, 1032, 4096, ENOENT, EHWPOISON };

	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		const char *text = tailbox_strerror(codes[i]);
		ck_assert_ptr_nonnull(text);
		ck_assert_int_gt((int)strlen(text), 0);
		if (codes[i] != INT_MIN)
			ck_assert_ptr_eq(text, tailbox_strerror(-codes[i]));
	}
	ck_assert_str_eq(tailbox_strerror(-ENOENT),
	                 "No such file or directory");
	ck_assert_str_eq(tailbox_strerror(INT_MIN), "unknown error");
	ck_assert_str_eq(tailbox_strerror(INT_MAX), "unknown error");
}
END_TEST

START_TEST(own_codes_have_texts_that_differ)
{
	for (int a = TAILBOX_EMALFORMED; a <= TAILBOX_EINVALIDRUN; a++) {
		ck_assert_str_ne(tailbox_strerror(-a), "unknown error");
		for (int b = TAILBOX_EMALFORMED; b < a; b++)
			ck_assert_str_ne(tailbox_strerror(a),
			                 tailbox_strerror(b));
	}
}
END_TEST

START_TEST(version_is_that_of_the_header)
{
	char want[32];

	snprintf(want, sizeof(want), "%d.%d.%d", TAILBOX_VERSION_MAJOR,
	         TAILBOX_VERSION_MINOR, TAILBOX_VERSION_PATCH);
	ck_assert_str_eq(tailbox_version(), want);
	ck_assert_str_eq(TAILBOX_VERSION, want);
}
END_TEST

START_TEST(first_error_wins_and_is_cut_to_fit)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char text[2 * sizeof(err.text)];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(tailbox__fail(NULL, -5, "%s", text), -5);
	ck_assert_int_eq(tailbox__fail(&err, -ENOENT, "%s", text), -ENOENT);
	ck_assert_int_eq(tailbox__fail(&err, -EIO, "later"), -EIO);
	ck_assert_int_eq(err.code, -ENOENT);
	ck_assert_uint_eq(err.offset, UINT64_MAX);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
}
END_TEST

/* --- strings ------------------------------------------------------------- */

START_TEST(equal_text_has_equal_numbers)
{
	struct tailbox__run *run = sample_empty();
	size_t len;

	ck_assert_uint_eq(tailbox__run_str_count(run), 0);
	ck_assert_uint_eq(tailbox__run_cstr(run, "a"), 1);
	ck_assert_uint_eq(tailbox__run_cstr(run, ""), 2);
	ck_assert_uint_eq(tailbox__run_str(run, "a\0b", 3), 3);
	ck_assert_uint_eq(tailbox__run_str(run, "a\0c", 3), 4);
	ck_assert_uint_eq(tailbox__run_str(run, "a\0", 2), 5);
	ck_assert_uint_eq(tailbox__run_cstr(run, "a"), 1);
	ck_assert_uint_eq(tailbox__run_str(run, NULL, 0), 2);
	ck_assert_uint_eq(tailbox__run_str(run, "a\0b", 3), 3);
	ck_assert_uint_eq(tailbox__run_str_count(run), 5);

	const char *text = tailbox__run_text(run, 3, &len);
	ck_assert_uint_eq(len, 3);
	ck_assert(!memcmp(text, "a\0b", 4)); /* with the NUL after it */
	ck_assert_str_eq(tailbox__run_text(run, 1, NULL), "a");
	ck_assert_str_eq(tailbox__run_text(run, 0, &len), "");
	ck_assert_uint_eq(len, 0);
	ck_assert_str_eq(tailbox__run_text(run, 6, &len), "");
	ck_assert_uint_eq(len, 0);
	ck_assert_str_eq(tailbox__run_text(run, UINT32_MAX, NULL), "");
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(many_texts_keep_number_and_place)
{
	enum { MANY = 200000 };
	struct tailbox__run *run = sample_empty();
	const char **at = malloc(MANY * sizeof(*at));
	char text[32];
	size_t bad = 0; /* each assertion writes a line for libcheck */

	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "id-%u", i);
		bad += tailbox__run_cstr(run, text) != i + 1;
		at[i] = tailbox__run_text(run, i + 1, NULL);
	}
	for (uint32_t i = MANY; i-- > 0;) {
		snprintf(text, sizeof(text), "id-%u", i);
		bad += tailbox__run_cstr(run, text) != i + 1;
		bad += tailbox__run_text(run, i + 1, NULL) != at[i];
		bad += strcmp(at[i], text) != 0;
	}
	ck_assert_uint_eq(bad, 0);
	ck_assert_uint_eq(tailbox__run_str_count(run), MANY);
	free(at);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(long_text_is_kept_whole)
{
	static const size_t sizes[] = { 2047, 2048, 1 << 20, 3 << 20 };
	struct tailbox__run *run = sample_empty();

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		char *text = malloc(sizes[i]);
		size_t len;
		memset(text, 'a' + (int)i, sizes[i]);
		tailbox__str s = tailbox__run_str(run, text, sizes[i]);
		ck_assert_uint_gt(s, 0);
		ck_assert_uint_eq(tailbox__run_cstr(run, "between"), 2);
		ck_assert_uint_eq(tailbox__run_str(run, text, sizes[i]), s);
		const char *got = tailbox__run_text(run, s, &len);
		ck_assert_uint_eq(len, sizes[i]);
		ck_assert(!memcmp(got, text, len));
		free(text);
	}
	ck_assert_uint_eq(tailbox__run_str(run, "", (size_t)UINT32_MAX), 0);
	tailbox__run_destroy(run);
}
END_TEST

/* Whatever fails, numbers stay dense and known texts are found. */
START_TEST(failed_intern_changes_nothing)
{
	struct tailbox__run *run = sample_empty();
	char text[32];

	for (uint32_t i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "text number %u", i);
		tailbox__str s = 0;
		for (long n = 0; !s; n++) {
			ck_assert_int_lt(n, 10);
			ck_assert_uint_eq(tailbox__run_str_count(run), i);
			tailbox__alloc_fail_after(n);
			s = tailbox__run_cstr(run, text);
		}
		tailbox__alloc_fail_after(0);
		ck_assert_uint_eq(s, i + 1);
		ck_assert_uint_eq(tailbox__run_cstr(run, text), s);
		ck_assert_uint_eq(tailbox__run_cstr(run, "text number 0"), 1);
	}
	tailbox__run_destroy(run);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}
END_TEST

/* --- the run ------------------------------------------------------------- */

START_TEST(empty_run_is_as_documented)
{
	struct tailbox__run *run = sample_empty();

	ck_assert_uint_eq(run->schema_version, 2);
	ck_assert_int_eq(run->meta.mode, TAILBOX__MODE_LIGHT);
	ck_assert_uint_eq(run->meta.finalized_ms, TAILBOX__NONE);
	ck_assert_uint_eq(run->requests.count, 0);
	tailbox__run_destroy(run);
	tailbox__run_destroy(NULL);
}
END_TEST

START_TEST(create_survives_each_failing_allocation)
{
	struct tailbox__run *run = NULL;
	int rc = -ENOMEM;

	for (long n = 0; rc; n++) {
		ck_assert_int_lt(n, 20);
		run = (void *)&rc;
		tailbox__alloc_fail_after(n);
		rc = tailbox__run_create(&run);
		if (rc) {
			ck_assert_int_eq(rc, -ENOMEM);
			ck_assert_ptr_null(run);
			ck_assert_int_eq(tailbox__alloc_live(), 0);
		}
	}
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(list_items_are_zero_and_stay)
{
	struct tailbox__run *run = sample_empty();

	for (uint64_t i = 0; i < 1000; i++) {
		struct tailbox__run_gauge *g =
		        tailbox__list_add(&run->inflight);
		ck_assert_uint_eq(g->count + g->at_ms + g->flags, 0);
		memset(g, 0xff, sizeof(*g));
		g->count = i;
	}
	ck_assert_uint_eq(run->inflight.count, 1000);
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert_uint_eq(run->inflight.items[i].count, i);
	run->inflight.count = 1; /* taken back: the next one is zero again */
	ck_assert_uint_eq(tailbox__list_add(&run->inflight)->at_ms, 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(failed_append_changes_nothing)
{
	struct tailbox__run *run = sample_empty();

	tailbox__alloc_fail_after(0);
	ck_assert_ptr_null(tailbox__list_add(&run->open));
	ck_assert_uint_eq(run->open.count, 0);
	tailbox__alloc_fail_after(1);
	size_t count = 0;
	while (tailbox__list_add(&run->open))
		count++;
	ck_assert_uint_eq(run->open.count, count);
	ck_assert_uint_gt(count, 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(extra_is_replaced_by_key)
{
	struct tailbox__run *run = sample_empty();

	ck_assert_ptr_null(tailbox__run_extra(run, "a"));
	ck_assert_int_eq(tailbox__run_set_extra(run, "a", NULL, 7), 0);
	ck_assert_int_eq(tailbox__run_set_extra(run, "b", "text", 9), 0);
	ck_assert_int_eq(tailbox__run_set_extra(run, "a", "now", 8), 0);
	ck_assert_uint_eq(run->meta.extra.count, 2);
	const struct tailbox__run_pair *a = tailbox__run_extra(run, "a");
	ck_assert_ptr_eq(a, &run->meta.extra.items[0]);
	ck_assert_str_eq(tailbox__run_text(run, a->text, NULL), "now");
	ck_assert_uint_eq(a->number, 0);
	ck_assert_int_eq(tailbox__run_set_extra(run, "a", NULL, 7), 0);
	ck_assert_uint_eq(tailbox__run_extra(run, "a")->text, 0);
	ck_assert_uint_eq(tailbox__run_extra(run, "a")->number, 7);
	ck_assert_ptr_null(tailbox__run_extra(run, "ab"));
	ck_assert_ptr_null(tailbox__run_extra(run, ""));
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(failed_extra_changes_nothing)
{
	struct tailbox__run *run = sample_empty();
	int rc = -ENOMEM;

	for (long n = 0; rc; n++) {
		ck_assert_uint_eq(run->meta.extra.count, 0);
		tailbox__alloc_fail_after(n);
		rc = tailbox__run_set_extra(run, "key", "text", 0);
		ck_assert(rc == 0 || rc == -ENOMEM);
	}
	ck_assert_uint_eq(run->meta.extra.count, 1);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(limits_are_those_of_the_spec)
{
	struct tailbox__limits l = tailbox__limits_of(TAILBOX__MODE_LIGHT);

	ck_assert_uint_eq(l.max_requests, 100000);
	ck_assert_uint_eq(l.max_stages, 200000);
	ck_assert_uint_eq(l.max_queues, 200000);
	ck_assert_uint_eq(l.max_inflight_snapshots, 200000);
	ck_assert_uint_eq(l.max_runtime_snapshots, 100000);
	l = tailbox__limits_of(TAILBOX__MODE_INVESTIGATION);
	ck_assert_uint_eq(l.max_requests, 300000);
	ck_assert_uint_eq(l.max_stages, 600000);
	ck_assert_uint_eq(l.max_queues, 600000);
	ck_assert_uint_eq(l.max_inflight_snapshots, 600000);
	ck_assert_uint_eq(l.max_runtime_snapshots, 300000);
}
END_TEST

static const struct {
	unsigned status;
	enum tailbox__termination term;
	const char *outcome;
} outcomes[] = {
	{ 200, TAILBOX__TERM_COMPLETED, "ok" },
	{ 101, TAILBOX__TERM_COMPLETED, "ok" },
	{ 304, TAILBOX__TERM_COMPLETED, "ok" },
	{ 399, TAILBOX__TERM_COMPLETED, "ok" },
	{ 400, TAILBOX__TERM_COMPLETED, "rejected" },
	{ 407, TAILBOX__TERM_COMPLETED, "rejected" },
	{ 408, TAILBOX__TERM_COMPLETED, "timeout" },
	{ 409, TAILBOX__TERM_COMPLETED, "rejected" },
	{ 499, TAILBOX__TERM_COMPLETED, "rejected" },
	{ 500, TAILBOX__TERM_COMPLETED, "error" },
	{ 599, TAILBOX__TERM_COMPLETED, "error" },
	{ 600, TAILBOX__TERM_COMPLETED, "ok" },
	{ UINT_MAX, TAILBOX__TERM_COMPLETED, "ok" },
	{ 200, TAILBOX__TERM_TIMEOUT, "timeout" },
	{ 0, TAILBOX__TERM_TIMEOUT, "timeout" },
	{ 200, TAILBOX__TERM_DAEMON_SHUTDOWN, "cancelled" },
	{ 0, TAILBOX__TERM_DAEMON_SHUTDOWN, "cancelled" },
	{ 0, TAILBOX__TERM_CLIENT_ABORT, "cancelled" },
	{ 0, TAILBOX__TERM_READ_ERROR, "cancelled" },
	{ 200, TAILBOX__TERM_CLIENT_ABORT, "ok" },
	{ 503, TAILBOX__TERM_READ_ERROR, "error" },
	{ 0, TAILBOX__TERM_WITH_ERROR, "error" },
	{ 200, TAILBOX__TERM_WITH_ERROR, "ok" },
	{ 0, TAILBOX__TERM_UNKNOWN, "cancelled" },
	{ 404, TAILBOX__TERM_UNKNOWN, "rejected" },
};

START_TEST(outcome_follows_status_and_termination)
{
	ck_assert_str_eq(tailbox__outcome_of(outcomes[_i].status,
	                                     outcomes[_i].term),
	                 outcomes[_i].outcome);
}
END_TEST

START_TEST(tables_have_every_name_once)
{
	for (int i = 0; i < TAILBOX__PHASE_COUNT; i++)
		ck_assert_ptr_nonnull(tailbox__phase_names[i]);
	for (int i = 0; i < TAILBOX__TERM_COUNT; i++)
		ck_assert_ptr_nonnull(tailbox__term_names[i]);
	for (int i = 0; i < TAILBOX__METRIC_COUNT; i++)
		for (int k = 0; k < i; k++)
			ck_assert(tailbox__metric_info[i].scope !=
			                  tailbox__metric_info[k].scope ||
			          strcmp(tailbox__metric_info[i].key,
			                 tailbox__metric_info[k].key) != 0);
}
END_TEST

/* --- blank --------------------------------------------------------------- */

static size_t encode(uint32_t cp, char *to)
{
	if (cp < 0x80) {
		to[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		to[0] = (char)(0xc0 | cp >> 6);
		to[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	to[0] = (char)(0xe0 | cp >> 12);
	to[1] = (char)(0x80 | (cp >> 6 & 0x3f));
	to[2] = (char)(0x80 | (cp & 0x3f));
	return 3;
}

START_TEST(white_space_is_exactly_the_table)
{
	static const struct { uint32_t from, to; } table[] = {
		{ 0x09, 0x0d }, { 0x20, 0x20 }, { 0x85, 0x85 },
		{ 0xa0, 0xa0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200a },
		{ 0x2028, 0x2029 }, { 0x202f, 0x202f }, { 0x205f, 0x205f },
		{ 0x3000, 0x3000 },
	};

	for (uint32_t cp = 0; cp < 0x10000; cp++) {
		char text[8] = " ";
		size_t len = 1 + encode(cp, text + 1);
		bool want = false;
		for (size_t i = 0; i < COUNT_OF(table); i++)
			want |= cp >= table[i].from && cp <= table[i].to;
		if (tailbox__is_blank(text, len) != want)
			ck_abort_msg("U+%04X", cp);
	}
}
END_TEST

START_TEST(invalid_bytes_are_not_blank)
{
	ck_assert(tailbox__is_blank("", 0));
	ck_assert(tailbox__is_blank(NULL, 0));
	ck_assert(tailbox__is_blank(" \t\xc2\xa0\xe3\x80\x80 ", 8));
	ck_assert(!tailbox__is_blank(" \xc2", 2));
	ck_assert(!tailbox__is_blank("\xe2\x80", 2));
	ck_assert(!tailbox__is_blank(" \0", 2));
	ck_assert(!tailbox__is_blank(" a ", 3));
}
END_TEST

START_TEST(texts_are_ordered_by_bytes)
{
	struct tailbox__run *run = sample_empty();
	const tailbox__str a = tailbox__run_cstr(run, "a");
	const tailbox__str ab = tailbox__run_cstr(run, "ab");
	const tailbox__str nul = tailbox__run_str(run, "a\0", 2);
	const tailbox__str high = tailbox__run_cstr(run, "\xff");

	ck_assert_int_eq(tailbox__run_compare(run, a, a), 0);
	ck_assert_int_lt(tailbox__run_compare(run, a, ab), 0);
	ck_assert_int_gt(tailbox__run_compare(run, ab, a), 0);
	ck_assert_int_lt(tailbox__run_compare(run, a, nul), 0);
	ck_assert_int_lt(tailbox__run_compare(run, nul, ab), 0);
	ck_assert_int_gt(tailbox__run_compare(run, high, ab), 0);
	ck_assert_int_lt(tailbox__run_compare(run, 0, a), 0); /* no text */
	tailbox__run_destroy(run);
}
END_TEST

static void trims(const char *text, size_t len, const char *want,
                  size_t want_len)
{
	tailbox__trim(&text, &len);
	ck_assert_uint_eq(len, want_len);
	ck_assert(memcmp(text, want, want_len) == 0);
}

START_TEST(white_space_is_trimmed_off_both_ends)
{
	trims("", 0, "", 0);
	trims(" \t", 2, "", 0);
	trims("a", 1, "a", 1);
	trims(" a b ", 5, "a b", 3);
	trims("\xe3\x80\x80\xc2\xa0" "a\xe2\x80\x89", 9, "a", 1);
	trims("a\xc2\x85", 3, "a", 1);
	/* What is no character is no white space, and cuts none in two. */
	trims(" \x85 ", 3, "\x85", 1);
	trims("\xe3\x80 ", 3, "\xe3\x80", 2);
	trims("\xf0\x9f\x98\x80 ", 5, "\xf0\x9f\x98\x80", 4);
	trims("\x80\x80\x80\x80\xa0", 5, "\x80\x80\x80\x80\xa0", 5);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("run");
	TCase *base = tcase_create("base");
	TCase *run = tcase_create("run");

	tcase_add_checked_fixture(base, NULL, allow_all);
	tcase_add_test(base, live_blocks_are_counted);
	tcase_add_test(base, nothing_is_a_block_too);
	tcase_add_test(base, overflow_gives_null);
	tcase_add_test(base, large_blocks_are_whole_zero_and_moved);
	tcase_add_test(base, failing_is_counted_in_allocations);
	tcase_add_test(base, every_code_of_either_sign_has_a_text);
	tcase_add_test(base, own_codes_have_texts_that_differ);
	tcase_add_test(base, version_is_that_of_the_header);
	tcase_add_test(base, first_error_wins_and_is_cut_to_fit);
	suite_add_tcase(suite, base);

	tcase_add_checked_fixture(run, NULL, allow_all);
	tcase_add_test(run, equal_text_has_equal_numbers);
	tcase_add_test(run, many_texts_keep_number_and_place);
	tcase_add_test(run, long_text_is_kept_whole);
	tcase_add_test(run, failed_intern_changes_nothing);
	tcase_add_test(run, empty_run_is_as_documented);
	tcase_add_test(run, create_survives_each_failing_allocation);
	tcase_add_test(run, list_items_are_zero_and_stay);
	tcase_add_test(run, failed_append_changes_nothing);
	tcase_add_test(run, extra_is_replaced_by_key);
	tcase_add_test(run, failed_extra_changes_nothing);
	tcase_add_test(run, limits_are_those_of_the_spec);
	tcase_add_loop_test(run, outcome_follows_status_and_termination, 0,
	                    COUNT_OF(outcomes));
	tcase_add_test(run, tables_have_every_name_once);
	tcase_add_test(run, texts_are_ordered_by_bytes);
	tcase_add_test(run, white_space_is_exactly_the_table);
	tcase_add_test(run, invalid_bytes_are_not_blank);
	tcase_add_test(run, white_space_is_trimmed_off_both_ends);
	suite_add_tcase(suite, run);
	return suite;
}

int main(void)
{
	return sample_run_suite(make_suite());
}
