/* analyzer/assert_parse.c - read an assertion.
 *
 * SPDX-License-Identifier: MIT
 *
 * Routes hold nearly any character, blanks and parentheses too, and nothing
 * that follows one holds a ')'. So a route ends at the last ')' of the text
 * and needs no quotes.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzer/assert.h"
#include "core/alloc.h"

const struct tailbox__assert_metric
	tailbox__assert_metrics[TAILBOX__ASSERT_METRICS] = {
		[TAILBOX__ASSERT_P50] = { "p50", TAILBOX__UNIT_US, 50 },
		[TAILBOX__ASSERT_P95] = { "p95", TAILBOX__UNIT_US, 95 },
		[TAILBOX__ASSERT_P99] = { "p99", TAILBOX__UNIT_US, 99 },
		[TAILBOX__ASSERT_MAX] = { "max", TAILBOX__UNIT_US, 100 },
		[TAILBOX__ASSERT_MEAN] = { "mean", TAILBOX__UNIT_US, 0 },
		[TAILBOX__ASSERT_COUNT] = { "count", TAILBOX__UNIT_REQUESTS,
	                                    0 },
		[TAILBOX__ASSERT_ERROR_RATE] = { "error_rate",
	                                         TAILBOX__UNIT_PPM, 0 },
		[TAILBOX__ASSERT_QUEUE_SHARE] = { "queue_share",
	                                          TAILBOX__UNIT_PPM, 95 },
		[TAILBOX__ASSERT_SERVICE_SHARE] = { "service_share",
	                                            TAILBOX__UNIT_PPM, 95 },
	};

const struct tailbox__assert_suspect
	tailbox__assert_suspects[TAILBOX__SUSPECT_COUNT] = {
		[TAILBOX__SUSPECT_QUEUE] = { TAILBOX__BASIS_QUEUES, true,
	                                     true },
		[TAILBOX__SUSPECT_BLOCKING] = { TAILBOX__BASIS_BLOCKING, false,
	                                        true },
		[TAILBOX__SUSPECT_EXECUTOR] = { TAILBOX__BASIS_RUN_QUEUES,
	                                        false, true },
		[TAILBOX__SUSPECT_DOWNSTREAM] = { TAILBOX__BASIS_STAGES, true,
	                                          true },
		[TAILBOX__SUSPECT_UNKNOWN] = { TAILBOX__BASIS_REQUESTS, true,
	                                       true },
		[TAILBOX__SUSPECT_CPU] = { TAILBOX__BASIS_FINDING, false,
					   false },
		[TAILBOX__SUSPECT_CONNECTIONS] = { TAILBOX__BASIS_FINDING,
						   false, false },
		[TAILBOX__SUSPECT_LOCK] = { TAILBOX__BASIS_FINDING, false,
					    false },
		[TAILBOX__SUSPECT_SPINNING] = { TAILBOX__BASIS_FINDING, false,
						false },
		[TAILBOX__SUSPECT_WORKER_BLOCKED] = { TAILBOX__BASIS_FINDING,
						      true, false },
		[TAILBOX__SUSPECT_UPLOAD] = { TAILBOX__BASIS_FINDING, true,
					      false },
		[TAILBOX__SUSPECT_DOWNLOAD] = { TAILBOX__BASIS_FINDING, true,
						false },
		[TAILBOX__SUSPECT_RESUME] = { TAILBOX__BASIS_FINDING, true,
					      false },
		[TAILBOX__SUSPECT_ACCEPT] = { TAILBOX__BASIS_FINDING, false,
					      false },
		[TAILBOX__SUSPECT_LOOP] = { TAILBOX__BASIS_FINDING, false,
					    false },
	};

struct unit {
	const char *name;
	enum tailbox__assert_unit of;
	uint64_t scale;
};
static const struct unit units[] = {
	{ "us", TAILBOX__UNIT_US, 1 },      { "ms", TAILBOX__UNIT_US, 1000 },
	{ "s", TAILBOX__UNIT_US, 1000000 }, { "%", TAILBOX__UNIT_PPM, 10000 },
	{ "", TAILBOX__UNIT_REQUESTS, 1 },  { "", TAILBOX__UNIT_SCORE, 1 },
};

/* What a value must end with, and the finest step of it, for messages. */
static const char *const unit_names[] = {
	[TAILBOX__UNIT_US] = "us, ms or s",
	[TAILBOX__UNIT_PPM] = "%",
	[TAILBOX__UNIT_REQUESTS] = "no unit",
	[TAILBOX__UNIT_SCORE] = "no unit",
};
static const char *const unit_steps[] = {
	[TAILBOX__UNIT_US] = "1us",
	[TAILBOX__UNIT_PPM] = "0.0001%",
	[TAILBOX__UNIT_REQUESTS] = "1",
	[TAILBOX__UNIT_SCORE] = "1",
};

struct cursor {
	const char *start, *at;
	struct tailbox__error *err;
};

/* The error is about `place`. */
#define COMPLAIN(c, code, place, ...)                                          \
	complain(c, place, tailbox__fail((c)->err, code, __VA_ARGS__))

static int complain(const struct cursor *c, const char *place, int code)
{
	if (c->err)
		c->err->offset = (uint64_t)(place - c->start);
	return code;
}

static void skip_blanks(struct cursor *c)
{
	c->at += strspn(c->at, " \t");
}

/* Letters, digits and underscores; may be empty. */
static size_t take_word(struct cursor *c, const char **word)
{
	skip_blanks(c);
	*word = c->at;
	c->at += strspn(c->at, "abcdefghijklmnopqrstuvwxyz"
	                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	return (size_t)(c->at - *word);
}

static bool is_word(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && !memcmp(word, name, len);
}

/* Bytes of a wrong word that are repeated. */
static int shown(size_t len)
{
	return len < 64 ? (int)len : 64;
}

/* --- names ---------------------------------------------------------------- */

static bool exists(unsigned kind, bool is_compat)
{
	return !is_compat || tailbox__assert_suspects[kind].is_standard;
}

static bool find_suspect(const char *word, size_t len, bool is_compat,
                         enum tailbox__suspect_kind *kind)
{
	for (unsigned k = 0; k < TAILBOX__SUSPECT_COUNT; k++) {
		if (!exists(k, is_compat) ||
		    !is_word(word, len, tailbox__suspect_names[k]))
			continue;
		*kind = (enum tailbox__suspect_kind)k;
		return true;
	}
	return false;
}

/* "a, b, c" of what there is. */
static const char *list_suspects(char *list, size_t size, bool is_compat)
{
	size_t at = 0;

	for (unsigned k = 0; k < TAILBOX__SUSPECT_COUNT && at < size; k++)
		if (exists(k, is_compat))
			at += (size_t)snprintf(list + at, size - at, "%s%s",
			                       at ? ", " : "",
			                       tailbox__suspect_names[k]);
	return list;
}

static const char *list_metrics(char *list, size_t size)
{
	size_t at = 0;

	for (unsigned m = 0; m < TAILBOX__ASSERT_METRICS && at < size; m++)
		at += (size_t)snprintf(list + at, size - at, "%s%s",
		                       at ? ", " : "",
		                       tailbox__assert_metrics[m].name);
	return list;
}

static int take_metric(struct cursor *c, const char *word, size_t len,
                       bool is_compat, struct tailbox__assertion *out)
{
	enum tailbox__suspect_kind kind;
	char list[200];

	for (unsigned m = 0; m < TAILBOX__ASSERT_METRICS; m++) {
		if (!is_word(word, len, tailbox__assert_metrics[m].name))
			continue;
		out->metric = (enum tailbox__metric_asserted)m;
		return 0;
	}
	if (len == 0)
		return COMPLAIN(c, -EINVAL, word,
		                "a metric or \"no\" is expected");
	if (find_suspect(word, len, is_compat, &kind))
		return COMPLAIN(c, -EINVAL, word,
		                "%.*s is a suspect: write \"no %.*s\"",
		                (int)len, word, (int)len, word);
	return COMPLAIN(c, -ENOENT, word, "no metric \"%.*s\"; there are %s",
	                shown(len), word, list_metrics(list, sizeof(list)));
}

static int take_suspect(struct cursor *c, bool is_compat,
                        struct tailbox__assertion *out)
{
	char list[TAILBOX__ERROR_TEXT - 100];
	const char *word;
	const size_t len = take_word(c, &word);

	if (len == 0)
		return COMPLAIN(c, -EINVAL, word, "a suspect is expected");
	if (find_suspect(word, len, is_compat, &out->suspect))
		return 0;
	return COMPLAIN(c, -ENOENT, word, "no suspect \"%.*s\"; there are %s",
	                shown(len), word,
	                list_suspects(list, sizeof(list), is_compat));
}

/* --- the rest ------------------------------------------------------------- */

static int take_route(struct cursor *c, struct tailbox__assertion *out)
{
	skip_blanks(c);
	if (*c->at != '(')
		return 0;
	const char *open = c->at, *end = strrchr(open, ')');
	if (!end)
		return COMPLAIN(c, -EINVAL, open, "this \"(\" is not closed");
	c->at++;
	skip_blanks(c);
	out->route = c->at;
	c->at = end + 1;
	while (end > out->route && strchr(" \t", end[-1]))
		end--;
	if (end <= out->route)
		return COMPLAIN(c, -EINVAL, open + 1, "a route is expected");
	out->route_len = (size_t)(end - out->route);
	return 0;
}

static int take_op(struct cursor *c, struct tailbox__assertion *out)
{
	skip_blanks(c);
	const bool is_less = *c->at == '<',
		   has_equal = *c->at && c->at[1] == '=';
	if (!is_less && *c->at != '>')
		return COMPLAIN(c, -EINVAL, c->at,
		                "<, <=, > or >= is expected");
	c->at += has_equal ? 2 : 1;
	out->op = is_less ? has_equal ? TAILBOX__ASSERT_LE : TAILBOX__ASSERT_LT
	          : has_equal ? TAILBOX__ASSERT_GE
	                      : TAILBOX__ASSERT_GT;
	return 0;
}

struct number { /* its value is digits / tenths */
	uint64_t digits, tenths;
};

/* False: too large, or too many digits after the point. */
static bool take_digits(struct cursor *c, struct number *n)
{
	const char *from = c->at;
	bool is_good = true, has_point = false;

	*n = (struct number){ 0, 1 };
	for (;; c->at++) {
		if (*c->at == '.' && !has_point && c->at > from &&
		    c->at[1] >= '0' && c->at[1] <= '9') {
			has_point = true;
			continue;
		}
		if (*c->at < '0' || *c->at > '9')
			return is_good;
		is_good = is_good &&
		          !__builtin_mul_overflow(n->digits, 10, &n->digits) &&
		          !__builtin_add_overflow(n->digits, *c->at - '0',
		                                  &n->digits) &&
		          (!has_point ||
		           !__builtin_mul_overflow(n->tenths, 10, &n->tenths));
	}
}

static const struct unit *find_unit(const char *s, size_t len,
                                    enum tailbox__assert_unit of)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (units[i].of == of && is_word(s, len, units[i].name))
			return &units[i];
	return NULL;
}

static int take_value(struct cursor *c, enum tailbox__assert_unit unit,
                      uint64_t *value)
{
	skip_blanks(c);
	const char *from = c->at;
	struct number n;
	const bool is_good = take_digits(c, &n);
	if (c->at == from)
		return COMPLAIN(c, -EINVAL, from, "a number is expected");
	skip_blanks(c);
	const char *end = c->at;
	const size_t len = strcspn(end, " \t");
	const struct unit *u = find_unit(end, len, unit);
	c->at += len;
	if (!u)
		return COMPLAIN(c, -EINVAL, end,
		                "this number takes %s, as in %s",
		                unit_names[unit],
		                unit == TAILBOX__UNIT_US    ? "200ms"
		                : unit == TAILBOX__UNIT_PPM ? "0.1%"
		                                            : "100");
	if (!is_good || __builtin_mul_overflow(n.digits, u->scale, value))
		return COMPLAIN(c, -EINVAL, from, "the number is too large");
	if (*value % n.tenths)
		return COMPLAIN(c, -EINVAL, from, "it is finer than %s",
		                unit_steps[unit]);
	*value /= n.tenths;
	if (unit == TAILBOX__UNIT_PPM && *value > 1000000)
		return COMPLAIN(c, -EINVAL, from, "a share is at most 100%%");
	if (unit == TAILBOX__UNIT_SCORE && *value > 100)
		return COMPLAIN(c, -EINVAL, from, "a score is at most 100");
	return 0;
}

static int take_no(struct cursor *c, bool is_compat,
                   struct tailbox__assertion *out)
{
	const char *word, *place;
	int rc = take_suspect(c, is_compat, out);

	out->metric = TAILBOX__ASSERT_SUSPECT;
	out->is_any_score = true;
	skip_blanks(c);
	place = c->at;
	if (rc == 0)
		rc = take_route(c, out);
	if (rc == 0 && out->route &&
	    !tailbox__assert_suspects[out->suspect].has_routes)
		return COMPLAIN(c, -EINVAL, place,
		                "%s is told of the whole run only",
		                tailbox__suspect_names[out->suspect]);
	if (rc < 0)
		return rc;
	place = c->at;
	const size_t len = take_word(c, &word);
	if (!is_word(word, len, "above")) {
		c->at = place;
		return 0;
	}
	out->is_any_score = false;
	return take_value(c, TAILBOX__UNIT_SCORE, &out->limit);
}

static int parse(struct cursor *c, bool is_compat,
                 struct tailbox__assertion *out)
{
	const char *word;
	const size_t len = take_word(c, &word);
	int rc;

	if (is_word(word, len, "no")) {
		rc = take_no(c, is_compat, out);
	} else {
		rc = take_metric(c, word, len, is_compat, out);
		if (rc == 0)
			rc = take_route(c, out);
		if (rc == 0)
			rc = take_op(c, out);
		if (rc == 0)
			rc = take_value(
				c, tailbox__assert_metrics[out->metric].unit,
				&out->limit);
	}
	skip_blanks(c);
	if (rc == 0 && *c->at)
		return COMPLAIN(c, -EINVAL, c->at, "nothing may follow here");
	return rc;
}

int tailbox__asserts_add(struct tailbox__asserts *a, const char *text,
                         bool is_compat, struct tailbox__error *err)
{
	struct cursor c = { text, text, err };
	struct tailbox__assertion one = { .text = text }, *to;
	int rc;

	if (a->items.count == TAILBOX__ASSERTIONS_MAX)
		return tailbox__fail(err, -E2BIG, "more than %u assertions",
		                     TAILBOX__ASSERTIONS_MAX);
	if (strlen(text) > TAILBOX__ASSERTION_BYTES_MAX)
		return COMPLAIN(&c, -E2BIG, text + TAILBOX__ASSERTION_BYTES_MAX,
		                "it has more than %u bytes",
		                TAILBOX__ASSERTION_BYTES_MAX);
	rc = parse(&c, is_compat, &one);
	if (rc < 0)
		return rc;
	to = tailbox__list_add(&a->items);
	if (!to)
		return -ENOMEM;
	*to = one;
	return 0;
}

void tailbox__asserts_fini(struct tailbox__asserts *a)
{
	tailbox__free(a->items.items);
	*a = (struct tailbox__asserts){ .came_count = 0 };
}
