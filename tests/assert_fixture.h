/* tests/assert_fixture.h - a list of assertions, and what becomes of one that
 * is judged.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_ASSERT_FIXTURE_H
#define TAILBOX_TESTS_ASSERT_FIXTURE_H 1

#include <stdlib.h>

#include "analyzer/assert_internal.h"
#include "tests/analyze_fixture.h"

#define OK TAILBOX__ASSERT_OK
#define FAILED TAILBOX__ASSERT_FAILED
#define CANNOT TAILBOX__ASSERT_CANNOT_JUDGE

static struct tailbox__asserts list;

static inline void begin_all(void)
{
	begin();
	list = (struct tailbox__asserts){ .came_count = 0 };
}

static inline void end_all(void)
{
	tailbox__asserts_fini(&list);
	end();
}

static inline void once_more(void)
{
	end_all();
	begin_all();
}

static inline int add(const char *text, struct tailbox__error *err)
{
	*err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	return tailbox__asserts_add(&list, text, false, err);
}

static inline const struct tailbox__assertion *parsed(const char *text)
{
	struct tailbox__error err;

	ck_assert_msg(add(text, &err) == 0, "%s: %s", text, err.text);
	return &list.items.items[list.items.count - 1];
}

/* The only assertion, judged of the run as it is. */
static inline const struct tailbox__assertion *judged(const char *text)
{
	tailbox__asserts_fini(&list);
	parsed(text);
	ck_assert_int_eq(tailbox__asserts_begin(&list, run, NULL), 0);
	analyze();
	ck_assert_int_eq(tailbox__asserts_judge(&list, run, &o, &rep), 0);
	return &list.items.items[0];
}

static inline void expect(const char *text, enum tailbox__assert_verdict want)
{
	const struct tailbox__assertion *a = judged(text);

	ck_assert_msg(a->verdict == want, "%s: %s %s", text,
	              tailbox__assert_verdicts[a->verdict], a->reason);
	ck_assert_int_eq(want == CANNOT, a->reason[0] != '\0');
	for (unsigned v = 0; v < TAILBOX__ASSERT_VERDICTS; v++)
		ck_assert_uint_eq(tailbox__asserts_count(
					  &list,
					  (enum tailbox__assert_verdict)v),
		                  v == want);
}

static inline void expect_why(const char *text, const char *why)
{
	expect(text, CANNOT);
	ck_assert_msg(strstr(list.items.items[0].reason, why) != NULL,
	              "%s: %s", text, list.items.items[0].reason);
}

static inline TCase *assert_case(Suite *s)
{
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, begin_all, end_all);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return c;
}

#endif
