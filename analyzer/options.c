/* analyzer/options.c - a set of options: made, compared and told.
 *
 * SPDX-License-Identifier: MIT
 *
 * A set is a plain array of numbers and one list. Whoever changes one (an
 * override, a file) works on a copy of the struct, which shares the list or
 * begins one of its own, and puts it in place of the set when all is well:
 * so a failed change leaves nothing behind, and costs no copy of the list.
 */
#include "analyzer/options_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/alloc.h"

int tailbox__analyzer_options_add_pattern(struct tailbox__analyzer_options *o,
                                          const char *s, size_t len)
{
	char *copy = tailbox__alloc(len + 1, 1), **to;

	if (copy == NULL)
		return -ENOMEM;
	to = tailbox__list_add(&o->patterns);
	if (to == NULL) {
		tailbox__free(copy);
		return -ENOMEM;
	}
	memcpy(copy, s, len);
	copy[len] = '\0';
	*to = copy;
	return 0;
}

int tailbox__analyzer_options_init(struct tailbox__analyzer_options *o)
{
	const char *list =
	        tailbox__option_table[TAILBOX__OPT_DOWNSTREAM_PATTERNS].list;

	memset(o, 0, sizeof(*o));
	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++)
		o->v[i] = tailbox__option_table[i].number;
	while (*list != '\0') {
		const size_t n = strcspn(list, ",");
		if (tailbox__analyzer_options_add_pattern(o, list, n) != 0)
			return -ENOMEM;
		list += n + (list[n] == ',');
	}
	return 0;
}

void tailbox__analyzer_options_fini(struct tailbox__analyzer_options *o)
{
	for (size_t i = 0; i < o->patterns.count; i++)
		tailbox__free(o->patterns.items[i]);
	tailbox__free(o->patterns.items), o->patterns.items = NULL;
	o->patterns.count = o->patterns.room = 0;
}

void tailbox__analyzer_options_become(struct tailbox__analyzer_options *o,
                             struct tailbox__analyzer_options *next)
{
	if (next->patterns.items != o->patterns.items)
		tailbox__analyzer_options_fini(o);
	*o = *next;
	/* So that fini of next would take nothing away. */
	memset(&next->patterns, 0, sizeof(next->patterns));
}

/* --- compared ----------------------------------------------------------- */

static bool is_default_list(const struct tailbox__analyzer_options *o,
                            const char *list)
{
	for (size_t i = 0; i < o->patterns.count; i++) {
		const char *one = o->patterns.items[i];
		const size_t n = strcspn(list, ",");
		/* An item may hold a comma and then is not two of them. */
		if (n == 0 || strlen(one) != n || memcmp(one, list, n) != 0)
			return false;
		list += n + (list[n] == ',');
	}
	return *list == '\0';
}

bool tailbox__option_differs(const struct tailbox__analyzer_options *o,
                             enum tailbox__option which)
{
	const struct tailbox__option_info *info = &tailbox__option_table[which];

	if (info->type == TAILBOX__OPTION_LIST)
		return !is_default_list(o, info->list);
	return o->v[which] != info->number;
}

/* --- told --------------------------------------------------------------- */

static char *joined(const struct tailbox__analyzer_options *o)
{
	size_t size = 1;
	char *text, *to;

	for (size_t i = 0; i < o->patterns.count; i++)
		size += strlen(o->patterns.items[i]) + 1;
	text = to = tailbox__alloc(size, 1);
	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < o->patterns.count; i++) {
		const size_t n = strlen(o->patterns.items[i]);
		if (i > 0)
			*to++ = ',';
		memcpy(to, o->patterns.items[i], n);
		to += n;
	}
	*to = '\0';
	return text;
}

char *tailbox__option_text(const struct tailbox__analyzer_options *o,
                           enum tailbox__option which)
{
	char number[24];

	switch (tailbox__option_table[which].type) {
	case TAILBOX__OPTION_LIST:
		return joined(o);
	case TAILBOX__OPTION_BOOL:
		return tailbox__strdup(o->v[which] != 0 ? "true" : "false");
	case TAILBOX__OPTION_SIZE:
	case TAILBOX__OPTION_U64:
	case TAILBOX__OPTION_U8:
		break;
	}
	snprintf(number, sizeof(number), "%" PRIu64, o->v[which]);
	return tailbox__strdup(number);
}

/* Those that differ, by path. Gives how many. */
static unsigned sort_changed(const struct tailbox__analyzer_options *o,
                             enum tailbox__option order[TAILBOX__OPT_COUNT])
{
	unsigned n = 0;

	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		const enum tailbox__option one = (enum tailbox__option)i;
		unsigned at = n;

		if (!tailbox__option_differs(o, one))
			continue;
		for (; at > 0 && strcmp(tailbox__option_path(order[at - 1]),
		                        tailbox__option_path(one)) > 0; at--)
			order[at] = order[at - 1];
		order[at] = one;
		n++;
	}
	return n;
}

static int write_option(const struct tailbox__analyzer_options *o,
                        enum tailbox__option which, struct tailbox__json *j)
{
	char *text = tailbox__option_text(o, which);

	if (text == NULL) {
		j->has_failed = true; /* half a report is none */
		return -ENOMEM;
	}
	tailbox__json_begin_object(j);
	tailbox__json_key(j, "path");
	tailbox__json_cstr(j, tailbox__option_path(which));
	tailbox__json_key(j, "value");
	tailbox__json_cstr(j, text);
	tailbox__json_end_object(j);
	tailbox__free(text);
	return 0;
}

int tailbox__analyzer_options_json(const struct tailbox__analyzer_options *o,
                          struct tailbox__json *j)
{
	enum tailbox__option order[TAILBOX__OPT_COUNT];
	const unsigned n = sort_changed(o, order);

	if (n > 0) {
		tailbox__json_key(j, "analyzer_config");
		tailbox__json_begin_object(j);
		tailbox__json_key(j, "schema_version");
		tailbox__json_u64(j, 1);
		tailbox__json_key(j, "non_default_options");
		tailbox__json_begin_array(j);
		for (unsigned i = 0; i < n; i++)
			if (write_option(o, order[i], j) != 0)
				return -ENOMEM;
		tailbox__json_end_array(j);
		tailbox__json_end_object(j);
	}
	return tailbox__json_ok(j) ? 0 : -ENOMEM;
}
