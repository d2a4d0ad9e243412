/* cli/analyze_assert.c - `tailbox analyze --assert`: a gate for CI.
 *
 * SPDX-License-Identifier: MIT
 *
 * 3: one failed; 4: none failed, one cannot be judged. That one failed is
 * certain whatever the others would have said, so 3 goes before 4. The report
 * and the lines are on standard output in all cases: they are the result. Of
 * JSON, which CI puts into a file, what is not ok is said on standard error
 * too.
 */
#include "cli/analyze_assert.h"

#include <errno.h>
#include <inttypes.h>

#include "cli/output.h"

enum { GATE_FAILED = 3, GATE_UNJUDGED = 4 };

/* Columns count characters, from 1. */
static uint64_t column_of(const char *text, uint64_t offset)
{
	uint64_t column = 1;

	for (uint64_t i = 0; i < offset && text[i]; i++)
		column += ((unsigned char)text[i + 1] & 0xc0) != 0x80;
	return column;
}

static int refuse(const struct cli__command *self, const char *text,
                  const struct tailbox__error *err)
{
	if (err->offset == UINT64_MAX)
		return cli__usage(self, "--assert: %s", err->text);
	return cli__usage(self, "--assert \"%s\": column %" PRIu64 ": %s", text,
	                  column_of(text, err->offset), err->text);
}

bool cli__asserts_take(const struct cli__command *self,
                       const struct cli__list *given, bool is_compat,
                       struct tailbox__asserts *out, int *rc)
{
	for (size_t i = 0; i < given->count; i++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		const int e = tailbox__asserts_add(out, given->items[i],
		                                   is_compat, &err);
		if (e == 0)
			continue;
		*rc = e == -ENOMEM ? cli__no_memory()
		                   : refuse(self, given->items[i], &err);
		return false;
	}
	return true;
}

int cli__asserts_begin(const struct cli__command *self,
                       struct tailbox__asserts *a,
                       const struct tailbox__run *run)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	return tailbox__asserts_begin(a, run, &err) == 0
	               ? CLI__DONE
	               : cli__usage(self, "--assert: %s", err.text);
}

int cli__asserts_end(const struct tailbox__asserts *a, bool is_json)
{
	const uint64_t failed =
		tailbox__asserts_count(a, TAILBOX__ASSERT_FAILED);
	const uint64_t unjudged =
		tailbox__asserts_count(a, TAILBOX__ASSERT_CANNOT_JUDGE);

	if (a->items.count > 0 && !is_json)
		fputc('\n', cli__out());
	for (size_t i = 0; i < a->items.count; i++) {
		const struct tailbox__assertion *one = &a->items.items[i];

		if (!is_json)
			tailbox__assertion_text(one, cli__out());
		else if (one->verdict != TAILBOX__ASSERT_OK)
			tailbox__assertion_text(one, stderr);
	}
	if (failed + unjudged == 0)
		return CLI__DONE;
	const int rc = cli__put_now();
	if (rc != CLI__DONE)
		return rc;
	cli__say("gate %s: of %zu assertion%s %" PRIu64 " failed, %" PRIu64
	         " cannot be judged",
	         failed ? "failed" : "cannot be judged", a->items.count,
	         a->items.count == 1 ? "" : "s", failed, unjudged);
	return failed ? GATE_FAILED : GATE_UNJUDGED;
}
