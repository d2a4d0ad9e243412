/* tests/test_timeline_choice.c - which requests a timeline shows: those that
 * were asked for, the slowest, and beside them those that were kept from
 * before.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "tests/timeline_fixture.h"

START_TEST(route_and_request_choose)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__timeline_options o;
	struct tailbox__tl_summary s;
	struct tailbox__run *run = sample();

	tailbox__timeline_options_init(&o);
	o.route = "/items/{id}";
	ck_assert_int_eq(tailbox__tl_summarize(run, &o, &s, &err), 0);
	ck_assert_uint_eq(s.all.n, 8);
	ck_assert_uint_eq(s.route_count, 1);
	ck_assert_uint_eq(s.slowest_count, 5);
	ck_assert_uint_eq(s.slowest[0], 7);
	tailbox__tl_summary_fini(&s);

	static const char *const ways[] = {
		"report-1", "81", "abababababababababababababababab"
	};
	o.route = NULL;
	for (size_t i = 0; i < 3; i++) {
		o.request = ways[i];
		ck_assert_int_eq(tailbox__tl_summarize(run, &o, &s, &err), 0);
		ck_assert_uint_eq(s.slowest_count, 1);
		ck_assert_uint_eq(s.slowest[0], 8);
		tailbox__tl_summary_fini(&s);
	}
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(what_is_not_there_is_an_error_and_prints_nothing)
{
	static const char *const wrong[] = {
		"", "0", "82", "report", "00000000000000000000000000000000"
	};
	struct tailbox__timeline_options o;
	struct tailbox__run *run = sample();
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	tailbox__timeline_options_init(&o);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		o.request = wrong[i];
		ck_assert_int_eq(tailbox__timeline_text(run, &o, f, &err),
		                 -ENOENT);
		ck_assert_str_ne(err.text, "");
	}
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	o.request = NULL;
	o.route = "/none";
	ck_assert_int_eq(tailbox__timeline_text(run, &o, f, &err), -ENOENT);
	ck_assert_str_eq(err.text, "no request of route /none");
	fclose(f);
	ck_assert_uint_eq(size, 0);
	free(text);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(slowest_is_bounded_by_what_there_is)
{
	struct tailbox__timeline_options o;
	struct tailbox__tl_summary s;
	struct tailbox__run *run = sample();

	tailbox__timeline_options_init(&o);
	for (o.slowest = 0; o.slowest < 13; o.slowest++) {
		ck_assert_int_eq(tailbox__tl_summarize(run, &o, &s, NULL), 0);
		ck_assert_uint_eq(s.slowest_count,
		                  o.slowest < 10 ? o.slowest : 10);
		const struct tailbox__run_request *q = run->requests.items;
		for (size_t i = 1; i < s.slowest_count; i++)
			ck_assert_uint_ge(q[s.slowest[i - 1]].latency_us,
			                  q[s.slowest[i]].latency_us);
		tailbox__tl_summary_fini(&s);
	}
	tailbox__run_destroy(run);
}
END_TEST

/* --- kept requests ------------------------------------------------------ */

/* Of a day before the run; each takes longer than the one before. */
static struct tailbox__run *sample_with_kept(unsigned count)
{
	struct tailbox__run *run = sample();

	ck_assert_int_eq(tailbox__run_create_kept(run, &run->kept), 0);
	run->kept->meta.started_ms = run->meta.started_ms - 86400000;
	for (unsigned i = 0; i < count; i++) {
		char id[16];
		snprintf(id, sizeof(id), "kept-%u", i);
		add_request(run->kept, id, "GET /a/route/that/is/long/{id}",
		            i * 60000 * MS, (5000 + i) * MS, "cancelled");
		add_ext(run->kept, i, 503)->number =
		        ((uint64_t)1023 << 40) + i;
		add_span(run->kept, false, i, "lost in time", 1000 * MS,
		         3000 * MS);
	}
	return run;
}

START_TEST(kept_ones_are_listed_and_in_no_figure)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *plain = sample(), *run = sample_with_kept(11);
	char want[200];

	tailbox__timeline_options_init(&o);
	char *without = text_of(plain, &o), *with = text_of(run, &o);
	const size_t n = strlen(without);
	ck_assert_int_eq(strncmp(with, without, n), 0);
	ck_assert_ptr_nonnull(
	        strstr(with + n, "\nkept from before, in no figure above: 11 "
	                         "slow, failed or cancelled, the last:\n"));
	snprintf(want, sizeof(want),
	         "--request\n   5.01 s  GET /a/route/that/..  cancelled "
	         "2025-11-19 03:22:46  %llu\n",
	         (1023ull << 40) + 10);
	ck_assert_msg(strstr(with + n, want) != NULL, "%s", with + n);
	/* The oldest is one too many. */
	snprintf(want, sizeof(want), "  %llu\n", 1023ull << 40);
	ck_assert_ptr_null(strstr(with + n, want));
	ck_assert_uint_le(longest_line(with + n), 80);
	free(with);
	free(without);
	tailbox__run_destroy(run);
	tailbox__run_destroy(plain);
}
END_TEST

START_TEST(kept_one_is_drawn_when_it_is_asked_for)
{
	struct tailbox__timeline_options o;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run = sample_with_kept(3);

	tailbox__timeline_options_init(&o);
	o.request = "kept-1";
	char *text = text_of(run, &o);
	ck_assert_ptr_nonnull(strstr(text, "\nkept from before\n"));
	ck_assert_ptr_nonnull(strstr(text, "2025-11-19 03:13:41 UTC"));
	ck_assert_ptr_nonnull(strstr(text, "stage lost in time"));
	ck_assert_ptr_null(strstr(text, "in no figure above"));
	free(text);
	o.request = "item-1"; /* one of the run */
	text = text_of(run, &o);
	ck_assert_ptr_null(strstr(text, "kept from before"));
	free(text);
	o.request = "nobody";
	FILE *f = open_memstream(&text, &(size_t){ 0 });
	ck_assert_int_eq(tailbox__timeline_text(run, &o, f, &err), -ENOENT);
	fclose(f);
	free(text);
	ck_assert_str_eq(err.text, "no request nobody among the 10");
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(kept_ones_have_a_member_of_their_own)
{
	struct tailbox__timeline_options o;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run = sample_with_kept(2);
	struct tailbox__json j;

	tailbox__timeline_options_init(&o);
	tailbox__json_init(&j, false);
	ck_assert_int_eq(tailbox__timeline_json(run, &o, &j, &err), 0);
	char *text = strndup(j.buf, j.len), *kept = strstr(text, "\"kept\":[");
	ck_assert_ptr_nonnull(kept);
	ck_assert_ptr_nonnull(strstr(kept, "\"request_id\":\"kept-0\""));
	ck_assert_ptr_nonnull(strstr(kept, "\"request_id\":\"kept-1\""));
	ck_assert_ptr_nonnull(strstr(kept, "lost in time"));
	*kept = '\0';
	ck_assert_ptr_null(strstr(text, "kept-"));
	free(text);
	tailbox__json_fini(&j);
	tailbox__run_destroy(run);
}
END_TEST

/* --- memory ------------------------------------------------------------- */

START_TEST(every_allocation_may_fail)
{
	struct tailbox__timeline_options o;
	struct tailbox__run *run = sample_with_kept(2);
	long live = tailbox__alloc_live();
	int rc = -ENOMEM;

	tailbox__timeline_options_init(&o);
	for (long n = 0; rc != 0; n++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		char *text = NULL;
		size_t size;
		FILE *f = open_memstream(&text, &size);
		tailbox__alloc_fail_after(n);
		rc = tailbox__timeline_text(run, &o, f, &err);
		tailbox__alloc_fail_after(-1);
		fclose(f);
		free(text);
		ck_assert_int_eq(tailbox__alloc_live(), live);
		if (rc != 0) {
			ck_assert_int_eq(rc, -ENOMEM);
			ck_assert_str_eq(err.text, "out of memory");
		}
	}
	rc = -ENOMEM;
	o.request = "kept-1";
	for (long n = 0; rc != 0; n++) {
		struct tailbox__json j;
		tailbox__json_init(&j, false);
		tailbox__alloc_fail_after(n);
		rc = tailbox__timeline_json(run, &o, &j, NULL);
		tailbox__alloc_fail_after(-1);
		tailbox__json_fini(&j);
		ck_assert_int_eq(tailbox__alloc_live(), live);
	}
	tailbox__run_destroy(run);
}
END_TEST

static Suite *timeline_choice_suite(void)
{
	Suite *s = suite_create("timeline_choice");
	TCase *t = tcase_create("timeline_choice");

	tcase_add_checked_fixture(t, NULL, sample_allow_all);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, route_and_request_choose);
	tcase_add_test(t, what_is_not_there_is_an_error_and_prints_nothing);
	tcase_add_test(t, slowest_is_bounded_by_what_there_is);
	tcase_add_test(t, kept_ones_are_listed_and_in_no_figure);
	tcase_add_test(t, kept_one_is_drawn_when_it_is_asked_for);
	tcase_add_test(t, kept_ones_have_a_member_of_their_own);
	tcase_add_test(t, every_allocation_may_fail);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(timeline_choice_suite());

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
