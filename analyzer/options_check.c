/* analyzer/options_check.c - which values may stand together.
 *
 * SPDX-License-Identifier: MIT
 *
 * The rules of spec/analysis.md section 16.1 in its order, as a table; the
 * list of patterns comes last. Bounds of types are no rules: the readers see
 * to them, and those of the 8-bit options follow from their rules.
 */
#include "analyzer/options_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define O(name) TAILBOX__OPT_##name

struct rule {
	enum {
		AT_MOST,   /* a number */
		AT_LEAST,  /* a number */
		NOT_ABOVE, /* another option */
		NOT_BELOW, /* another option */
		NOT_ABOVE_HALF /* of another option */
	} kind;
	enum tailbox__option which;
	unsigned than; /* the number, or the other option */
};

#define RATIO(name)                                                            \
	{ AT_LEAST, O(name##_NUM), 1 }, { AT_LEAST, O(name##_DEN), 1 },        \
	{ NOT_BELOW, O(name##_NUM), O(name##_DEN) }

static const struct rule rules[] = {
	{ AT_MOST, O(QUEUEING_TRIGGER_PERMILLE), 1000 },
	{ AT_MOST, O(BLOCKING_STRONG_NONZERO_PERMILLE), 1000 },
	{ NOT_ABOVE, O(CONFIDENCE_MEDIUM), O(CONFIDENCE_HIGH) },
	{ AT_MOST, O(CONFIDENCE_HIGH), 100 },
	{ AT_MOST, O(CONFIDENCE_AMBIGUITY_MIN_SCORE), 100 },
	{ AT_MOST, O(CONFIDENCE_AMBIGUITY_GAP), 100 },
	{ AT_MOST, O(DOWNSTREAM_MARGIN), 100 },
	{ AT_LEAST, O(ROUTE_LIMIT), 1 },
	RATIO(ROUTE_FASTEST),
	RATIO(ROUTE_GLOBAL),
	{ AT_LEAST, O(TEMPORAL_MIN_SEGMENT_REQUESTS), 1 },
	{ NOT_ABOVE_HALF, O(TEMPORAL_MIN_SEGMENT_REQUESTS),
	  O(TEMPORAL_MIN_REQUESTS) },
	{ AT_MOST, O(TEMPORAL_SHARE_SHIFT_PERMILLE), 1000 },
	RATIO(TEMPORAL_P95),
};

static bool is_kept(const struct tailbox__analyzer_options *o,
                    const struct rule *r)
{
	const uint64_t value = o->v[r->which];

	switch (r->kind) {
	case AT_MOST:
		return value <= r->than;
	case AT_LEAST:
		return value >= r->than;
	case NOT_ABOVE:
		return value <= o->v[r->than];
	case NOT_BELOW:
		return value >= o->v[r->than];
	case NOT_ABOVE_HALF:
		break;
	}
	/* The product saturates: the greatest number is its own double. */
	return (value > UINT64_MAX / 2 ? UINT64_MAX : value * 2) <=
	       o->v[r->than];
}

static int broken(const struct tailbox__analyzer_options *o,
                  const struct rule *r, struct tailbox__error *err)
{
	static const char *const words[] = {
		[AT_MOST] = "at most", [AT_LEAST] = "at least",
		[NOT_ABOVE] = "at most", [NOT_BELOW] = "at least",
		[NOT_ABOVE_HALF] = "at most half of",
	};
	const char *path = tailbox__option_path(r->which);
	enum tailbox__option other;

	if (r->kind == AT_MOST || r->kind == AT_LEAST)
		return tailbox__fail(err, -EINVAL,
		                     "%s: must be %s %u, is %" PRIu64, path,
		                     words[r->kind], r->than, o->v[r->which]);
	other = (enum tailbox__option)r->than;
	return tailbox__fail(err, -EINVAL,
	                     "%s: must be %s %s (%" PRIu64 "), is %" PRIu64,
	                     path, words[r->kind], tailbox__option_path(other),
	                     o->v[other], o->v[r->which]);
}

static int check_patterns(const struct tailbox__analyzer_options *o,
                          struct tailbox__error *err)
{
	const char *path = tailbox__option_path(O(DOWNSTREAM_PATTERNS));

	if (o->patterns.count == 0)
		return tailbox__fail(err, -EINVAL,
		                     "%s: must have at least one entry", path);
	for (size_t i = 0; i < o->patterns.count; i++) {
		const char *one = o->patterns.items[i];
		if (tailbox__is_blank(one, strlen(one)))
			return tailbox__fail(err, -EINVAL,
			                     "%s: must have no blank entry; "
			                     "number %zu is one", path, i + 1);
	}
	return 0;
}

int tailbox__analyzer_options_validate(
	const struct tailbox__analyzer_options *o, struct tailbox__error *err)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!is_kept(o, &rules[i]))
			return broken(o, &rules[i], err);
	return check_patterns(o, err);
}
