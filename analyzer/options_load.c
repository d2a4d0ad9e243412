/* analyzer/options_load.c - options from a file, table [analyzer].
 *
 * SPDX-License-Identifier: MIT
 *
 * The file may be shared with other programs, so whatever is not of
 * [analyzer] is passed over, but for its syntax. Of several mistakes the
 * order of spec/analysis.md section 17 decides which one is told: the first
 * of meaning is kept while reading goes on to the end, because one of syntax
 * behind it comes first. The rules of 16.1 see only the values as they are in
 * the end.
 */
#include "analyzer/options_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "core/alloc.h"
#include "core/tailbox.h"
#include "core/toml.h"

#define TABLE "analyzer"
#define VERSION "schema_version"
/* Together they leave room for the reason in an error. */
#define SHOWN_NAME 256
#define SHOWN_PATH 128

struct load {
	char name[SHOWN_NAME];
	struct tailbox__analyzer_options next;
	struct tailbox__error wrong; /* a key or a type; the first one */
	bool has_table, has_list;
	struct tailbox__toml_item version; /* line 0: none */
};

/* "NAME:LINE:COLUMN: reason" into err. */
__attribute__((format(printf, 5, 6)))
static int fail_at(const struct load *l, struct tailbox__error *err, int code,
                   const struct tailbox__toml_item *at, const char *fmt, ...)
{
	char reason[TAILBOX__ERROR_TEXT - SHOWN_NAME];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(reason, sizeof(reason), fmt, args) < 0)
		reason[0] = '\0';
	va_end(args);
	if (at == NULL || at->line == 0)
		return tailbox__fail(err, code, "%s: %s", l->name, reason);
	return tailbox__fail(err, code, "%s:%u:%u: %s", l->name,
	                     (unsigned)at->line, (unsigned)at->column, reason);
}

/* --- keys and tables ---------------------------------------------------- */

/* Whether some option is in the sub-table of this name. */
static bool is_section(const char *name)
{
	const size_t n = strlen(name);

	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		const char *path = tailbox__option_table[i].path;
		if (strncmp(path, name, n) == 0 && path[n] == '.')
			return true;
	}
	return false;
}

static void wrong_type(struct load *l, const struct tailbox__toml_item *item,
                       const char *name, const char *expected)
{
	fail_at(l, &l->wrong, -EINVAL, item, "%s: must be %s", name, expected);
}

static void unknown(struct load *l, const struct tailbox__toml_item *item,
                    const char *name)
{
	const char *near = tailbox__option_nearest(name, strlen(name));
	const bool is_table = item->kind == TAILBOX__TOML_TABLE;
	char shown[SHOWN_PATH];

	tailbox__option_shown(shown, sizeof(shown), name, strlen(name));
	fail_at(l, &l->wrong, -EINVAL, item, "unknown %s%s%s%s%s%s",
	        is_table ? "table [" TABLE "." : "option ", shown,
	        is_table ? "]" : "", near != NULL ? "; did you mean " : "",
	        near != NULL ? near : "", near != NULL ? "?" : "");
}

static void take_header(struct load *l, const struct tailbox__toml_item *item,
                        const char *name)
{
	if (is_section(name))
		return;
	if (strcmp(name, VERSION) == 0)
		wrong_type(l, item, name, "the number 1, not a table");
	else if (tailbox__option_find(name, strlen(name)) !=
	         TAILBOX__OPT_COUNT)
		wrong_type(l, item, name, "a value, not a table");
	else
		unknown(l, item, name);
}

static bool is_count(const struct tailbox__toml_item *item, uint64_t max)
{
	return item->kind == TAILBOX__TOML_INTEGER && !item->is_negative &&
	       item->number <= max;
}

/* NULL, or what it must be. */
static const char *take_value(struct load *l, enum tailbox__option which,
                              const struct tailbox__toml_item *item)
{
	uint64_t *to = &l->next.v[which];

	switch (tailbox__option_table[which].type) {
	case TAILBOX__OPTION_SIZE:
	case TAILBOX__OPTION_U64:
		*to = item->number;
		return is_count(item, UINT64_MAX) ? NULL
		                                  : "a whole number, 0 or more";
	case TAILBOX__OPTION_U8:
		*to = item->number;
		return is_count(item, UINT8_MAX) ? NULL
		                                 : "a whole number, 0 to 255";
	case TAILBOX__OPTION_BOOL:
		*to = item->flag;
		return item->kind == TAILBOX__TOML_BOOL ? NULL
		                                        : "true or false";
	case TAILBOX__OPTION_LIST:
		break;
	}
	if (item->kind != TAILBOX__TOML_ARRAY)
		return "an array of texts";
	/* The one of before is not ours; a key comes only once. */
	memset(&l->next.patterns, 0, sizeof(l->next.patterns));
	l->has_list = true;
	return NULL;
}

static void take_key(struct load *l, const struct tailbox__toml_item *item,
                     const char *name)
{
	const enum tailbox__option which =
	        tailbox__option_find(name, strlen(name));
	const char *expected;

	if (strcmp(name, VERSION) == 0) {
		l->version = *item;
		if (!is_count(item, UINT64_MAX))
			wrong_type(l, item, name, "the number 1");
	} else if (is_section(name)) {
		wrong_type(l, item, name, "a table");
	} else if (which == TAILBOX__OPT_COUNT) {
		unknown(l, item, name);
	} else {
		expected = take_value(l, which, item);
		if (expected != NULL)
			wrong_type(l, item, name, expected);
	}
}

/* Kept as it is written: with commas and outer spaces. */
static int take_element(struct load *l, const struct tailbox__toml_item *item,
                        const char *name)
{
	/* Others had an error at their key. */
	if (tailbox__option_find(name, strlen(name)) !=
	    TAILBOX__OPT_DOWNSTREAM_PATTERNS)
		return 0;
	return tailbox__analyzer_options_add_pattern(&l->next, item->text,
	                                             item->len);
}

static int take_item(struct load *l, const struct tailbox__toml_item *item)
{
	const size_t n = strlen(TABLE);
	const char *name;

	if (strncmp(item->path, TABLE, n) != 0 ||
	    (item->path[n] != '.' && item->path[n] != '\0'))
		return 0;
	l->has_table = true;
	name = item->path + n + 1; /* not there when it is the table itself */
	if (item->path[n] == '\0') {
		if (item->kind != TAILBOX__TOML_TABLE)
			wrong_type(l, item, TABLE, "a table");
	} else if (item->kind == TAILBOX__TOML_TABLE) {
		take_header(l, item, name);
	} else if (item->kind == TAILBOX__TOML_ELEMENT) {
		return take_element(l, item, name);
	} else {
		take_key(l, item, name);
	}
	return 0;
}

/* --- all of it ---------------------------------------------------------- */

/* All items up to the end, or the first mistake of syntax. */
static int read_items(struct load *l, struct tailbox__toml *t,
                      struct tailbox__error *err)
{
	for (;;) {
		struct tailbox__error bad = TAILBOX__ERROR_INIT;
		struct tailbox__toml_item item;
		int rc = tailbox__toml_next(t, &item, &bad);

		if (rc == 0)
			return 0;
		if (rc == -TAILBOX_EMALFORMED)
			return fail_at(l, err, rc, &item, "%s", bad.text);
		if (rc > 0)
			rc = take_item(l, &item);
		if (rc != 0)
			return tailbox__fail(err, rc, "out of memory");
	}
}

static int judge(const struct load *l, struct tailbox__error *err)
{
	struct tailbox__error broken = TAILBOX__ERROR_INIT;
	int rc;

	if (!l->has_table)
		return fail_at(l, err, -EINVAL, NULL,
		               "there is no table [" TABLE "]");
	if (l->wrong.code != 0)
		return tailbox__fail(err, l->wrong.code, "%s", l->wrong.text);
	if (l->version.line == 0)
		return fail_at(l, err, -EINVAL, NULL,
		               VERSION " = 1 is missing in [" TABLE "]");
	if (l->version.number != 1)
		return fail_at(l, err, -EINVAL, &l->version,
		               VERSION " must be 1, which is the only one");
	rc = tailbox__analyzer_options_validate(&l->next, &broken);
	return rc == 0 ? 0 : fail_at(l, err, rc, NULL, "%s", broken.text);
}

/* One allocation for what is too large for a stack. */
struct work {
	struct tailbox__toml toml;
	struct load load;
};

int tailbox__analyzer_options_load(struct tailbox__analyzer_options *o,
                                   const char *name, const char *text,
                                   size_t len, struct tailbox__error *err)
{
	struct work *w = tailbox__zalloc(1, sizeof(*w));
	int rc;

	if (w == NULL)
		return tailbox__fail(err, -ENOMEM, "out of memory");
	tailbox__option_shown(w->load.name, sizeof(w->load.name), name,
	                      strlen(name));
	w->load.next = *o;
	w->load.wrong.offset = UINT64_MAX;
	tailbox__toml_init(&w->toml, text, len);
	rc = read_items(&w->load, &w->toml, err);
	tailbox__toml_fini(&w->toml);
	if (rc == 0)
		rc = judge(&w->load, err);
	if (rc == 0)
		tailbox__analyzer_options_become(o, &w->load.next);
	else if (w->load.has_list)
		tailbox__analyzer_options_fini(&w->load.next);
	tailbox__free(w);
	return rc;
}
