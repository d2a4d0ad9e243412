/* analyzer/assert_text.c - assertions and what became of them.
 *
 * SPDX-License-Identifier: MIT
 *
 * Times are written to the microsecond: three digits, as elsewhere, would show
 * 200 ms for what failed at 200.4.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/assert.h"
#include "analyzer/timeline_text.h"

static enum tailbox__assert_unit unit_of(const struct tailbox__assertion *a)
{
	return a->metric == TAILBOX__ASSERT_SUSPECT
	               ? TAILBOX__UNIT_SCORE
	               : tailbox__assert_metrics[a->metric].unit;
}

/* value / scale with no zeros at its end; scale is a power of ten. */
static void put_decimal(FILE *out, uint64_t value, uint64_t scale)
{
	uint64_t rest = value % scale;

	fprintf(out, "%" PRIu64, value / scale);
	if (rest)
		fputc('.', out);
	while (rest) {
		scale /= 10;
		fprintf(out, "%" PRIu64, rest / scale);
		rest %= scale;
	}
}

static void put_value(FILE *out, const struct tailbox__assertion *a)
{
	switch (unit_of(a)) {
	case TAILBOX__UNIT_US:
		put_decimal(out, a->value,
		            a->value >= 1000000 ? 1000000
		            : a->value >= 1000  ? 1000
		                                : 1);
		fputs(a->value >= 1000000 ? " s"
		      : a->value >= 1000  ? " ms"
		                          : " us",
		      out);
		break;
	case TAILBOX__UNIT_PPM:
		put_decimal(out, a->value, 10000);
		fputc('%', out);
		break;
	case TAILBOX__UNIT_REQUESTS:
		fprintf(out, "%" PRIu64, a->value);
		break;
	case TAILBOX__UNIT_SCORE:
		fprintf(out, "score %" PRIu64 ", %s confidence", a->value,
		        tailbox__confidence_names[a->confidence]);
		break;
	}
}

void tailbox__assertion_text(const struct tailbox__assertion *a, FILE *out)
{
	static const char *const words[TAILBOX__ASSERT_VERDICTS] = {
		"ok", "failed", "cannot be judged"
	};

	fputs("assert ", out);
	tailbox__show_text(out, a->text, strlen(a->text), SIZE_MAX);
	fprintf(out, ": %s", words[a->verdict]);
	if (a->verdict == TAILBOX__ASSERT_CANNOT_JUDGE)
		fprintf(out, ": %s", a->reason);
	if (a->has_value) {
		fputs(a->verdict == TAILBOX__ASSERT_CANNOT_JUDGE
		              ? "; what is there: "
		              : ", ",
		      out);
		put_value(out, a);
	}
	fputc('\n', out);
}

static void put_text(struct tailbox__json *j, const char *key, const char *text)
{
	tailbox__json_key(j, key);
	tailbox__json_cstr(j, text);
}

static void put_one(struct tailbox__json *j, const struct tailbox__assertion *a)
{
	static const char *const units[] = {
		[TAILBOX__UNIT_US] = "us",
		[TAILBOX__UNIT_PPM] = "ppm",
		[TAILBOX__UNIT_REQUESTS] = "requests",
		[TAILBOX__UNIT_SCORE] = "score",
	};
	const bool is_judged = a->verdict != TAILBOX__ASSERT_CANNOT_JUDGE;

	tailbox__json_begin_object(j);
	put_text(j, "assertion", a->text);
	put_text(j, "verdict", tailbox__assert_verdicts[a->verdict]);
	tailbox__json_key(j, "value");
	if (a->has_value)
		tailbox__json_u64(j, a->value);
	else
		tailbox__json_null(j);
	put_text(j, "unit", units[unit_of(a)]);
	put_text(j, "reason", is_judged ? NULL : a->reason);
	tailbox__json_end_object(j);
}

void tailbox__asserts_json(const struct tailbox__asserts *a,
                           struct tailbox__json *j)
{
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < a->items.count; i++)
		put_one(j, &a->items.items[i]);
	tailbox__json_end_array(j);
}
