/* analyzer/options_set.c - one override, PATH=VALUE.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 17: syntax, path, value and then all the rules, so
 * that the order of overrides matters (trap 17). Numbers are as Rust reads
 * them, since the options are tailtriage's: decimal digits, perhaps behind a
 * plus.
 */
#include "analyzer/options_internal.h"

#include <errno.h>
#include <string.h>

/* Room for a foreign text in a message. */
#define SHOWN 240

static int no_memory(struct tailbox__error *err)
{
	return tailbox__fail(err, -ENOMEM, "out of memory");
}

static bool is_number(const char *s, uint64_t max, uint64_t *number)
{
	uint64_t n = 0;

	if (*s == '+')
		s++;
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		const unsigned digit = (unsigned char)*s - (unsigned)'0';
		if (digit > 9 || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*number = n;
	return true;
}

/* The parts between commas. 0, -EINVAL (one is empty), -ENOMEM. */
static int take_list(struct tailbox__analyzer_options *o, const char *s)
{
	for (;;) {
		const char *end = s + strcspn(s, ",");
		const bool is_last = *end == '\0';
		size_t len = (size_t)(end - s);

		tailbox__trim(&s, &len);
		if (len == 0)
			return -EINVAL;
		if (tailbox__analyzer_options_add_pattern(o, s, len) != 0)
			return -ENOMEM;
		if (is_last)
			return 0;
		s = end + 1;
	}
}

/* 0; -EINVAL and what would be right; -ENOMEM. */
static int take_value(struct tailbox__analyzer_options *o,
                      enum tailbox__option which, const char *value,
                      const char **expected)
{
	uint64_t *to = &o->v[which];

	switch (tailbox__option_table[which].type) {
	case TAILBOX__OPTION_SIZE:
	case TAILBOX__OPTION_U64:
		*expected = "a whole number, 0 to 18446744073709551615";
		return is_number(value, UINT64_MAX, to) ? 0 : -EINVAL;
	case TAILBOX__OPTION_U8:
		*expected = "a whole number, 0 to 255";
		return is_number(value, UINT8_MAX, to) ? 0 : -EINVAL;
	case TAILBOX__OPTION_BOOL:
		*expected = "true or false";
		*to = strcmp(value, "true") == 0;
		return *to != 0 || strcmp(value, "false") == 0 ? 0 : -EINVAL;
	case TAILBOX__OPTION_LIST:
		break;
	}
	*expected = "texts joined by commas, none of them empty";
	/* What is there is o's and stays so until all is well. */
	memset(&o->patterns, 0, sizeof(o->patterns));
	return take_list(o, value);
}

static int unknown(const char *path, size_t len, struct tailbox__error *err)
{
	const char *near = tailbox__option_nearest(path, len);
	char shown[SHOWN];

	return tailbox__fail(err, -EINVAL, "unknown option \"%s\"%s%s%s",
	                     tailbox__option_shown(shown, sizeof(shown), path,
	                                           len),
	                     near != NULL ? "; did you mean " : "",
	                     near != NULL ? near : "",
	                     near != NULL ? "?" : "");
}

static int change(struct tailbox__analyzer_options *next,
                  enum tailbox__option which, const char *value,
                  struct tailbox__error *err)
{
	const char *expected = "";
	const int rc = take_value(next, which, value, &expected);
	char shown[SHOWN];

	if (rc == -ENOMEM)
		return no_memory(err);
	if (rc == 0)
		return tailbox__analyzer_options_validate(next, err);
	return tailbox__fail(err, rc, "%s: \"%s\" is no value; expected: %s",
	                     tailbox__option_path(which),
	                     tailbox__option_shown(shown, sizeof(shown), value,
	                                           strlen(value)),
	                     expected);
}

int tailbox__analyzer_options_set(struct tailbox__analyzer_options *o,
                                  const char *argument,
                                  struct tailbox__error *err)
{
	const char *equals = strchr(argument, '=');
	struct tailbox__analyzer_options next = *o;
	enum tailbox__option which;
	char shown[SHOWN];
	int rc;

	if (equals == NULL || strchr(equals + 1, '=') != NULL)
		return tailbox__fail(
		        err, -EINVAL, "\"%s\" is not PATH=VALUE with one =",
		        tailbox__option_shown(shown, sizeof(shown), argument,
		                              strlen(argument)));
	which = tailbox__option_find(argument, (size_t)(equals - argument));
	if (which == TAILBOX__OPT_COUNT)
		return unknown(argument, (size_t)(equals - argument), err);
	rc = change(&next, which, equals + 1, err);
	if (rc == 0)
		tailbox__analyzer_options_become(o, &next);
	else if (next.patterns.items != o->patterns.items)
		tailbox__analyzer_options_fini(&next);
	return rc;
}
