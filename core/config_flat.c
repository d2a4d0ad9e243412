/* core/config_flat.c - the flat tables of a file: what is known, what is near.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/config_internal.h"

#include <stdio.h>
#include <string.h>

/* Letters to insert, delete and change between two names, at most 4. */
static unsigned distance(const char *a, const char *b)
{
	const size_t n = strlen(a), m = strlen(b);
	unsigned row[64], diagonal, above;

	if (n >= 64 || m >= 64)
		return 4;
	for (unsigned k = 0; k <= m; k++)
		row[k] = k;
	for (size_t i = 1; i <= n; i++) {
		diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t k = 1; k <= m; k++) {
			unsigned best = diagonal + (a[i - 1] != b[k - 1]);
			above = row[k];
			if (above + 1 < best)
				best = above + 1;
			if (row[k - 1] + 1 < best)
				best = row[k - 1] + 1;
			row[k] = best;
			diagonal = above;
		}
	}
	return row[m] < 4 ? row[m] : 4;
}

const char *tailbox__config_flat_table(const char *path)
{
	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++)
		if (tailbox__config_is_in(path, tailbox__config_keys[i].table))
			return tailbox__config_keys[i].table;
	return NULL;
}

static const char *nearest_table(const char *path)
{
	const char *best = NULL;
	unsigned least = 4;

	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++) {
		const char *name = tailbox__config_keys[i].table;
		const unsigned n = distance(path, name);
		if (n < least) {
			least = n;
			best = name;
		}
	}
	return distance(path, "controller") < least
	               ? "controller"
	               : best;
}

static void full_name(char out[64], unsigned key)
{
	snprintf(out, 64, "%s.%s", tailbox__config_keys[key].table,
	         tailbox__config_keys[key].name);
}

static int find_key(const char *path)
{
	char name[64];

	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++) {
		full_name(name, i);
		if (strcmp(name, path) == 0)
			return (int)i;
	}
	return -1;
}

/* By its last part in the same table, or a key of that name in another. */
static int nearest_key(const char *path)
{
	const char *dot = strrchr(path, '.');
	const char *last = dot != NULL ? dot + 1 : path;
	unsigned least = 4;
	char name[64];
	int best = -1;

	for (unsigned i = 0; i < TAILBOX__KEY_COUNT; i++) {
		unsigned n;
		full_name(name, i);
		n = distance(path, name);
		if (n == 4 && strcmp(last, tailbox__config_keys[i].name) == 0)
			n = 3;
		if (n < least) {
			least = n;
			best = (int)i;
		}
	}
	return best;
}

static void flat_header(struct tailbox__config_reader *r,
                        const struct tailbox__toml_item *item)
{
	const char *table = tailbox__config_flat_table(item->path), *near;

	r->is_skipping = true;
	if (tailbox__config_is_in(item->path, "analyzer"))
		return;
	if (table != NULL && strcmp(table, item->path) == 0) {
		r->is_skipping = false;
		return;
	}
	if (find_key(item->path) >= 0) {
		tailbox__config_wrong_type(
		        r, (enum tailbox__config_key)find_key(item->path),
		        item);
		return;
	}
	near = nearest_table(item->path);
	tailbox__config_say(r, false, item, "unknown table [%s]%s%s%s",
	                    item->path, near ? "; did you mean [" : "",
	                    near ? near : "", near ? "]?" : "");
}

static void flat_key(struct tailbox__config_reader *r,
                     const struct tailbox__toml_item *item)
{
	const int key = find_key(item->path);
	char name[64] = "";
	int near;

	if (key >= 0) {
		tailbox__config_take(r, (enum tailbox__config_key)key, item);
		return;
	}
	near = nearest_key(item->path);
	if (near >= 0)
		full_name(name, (unsigned)near);
	tailbox__config_say(r, false, item, "unknown key %s%s%s%s", item->path,
	                    near >= 0 ? "; did you mean " : "", name,
	                    near >= 0 ? "?" : "");
}

void tailbox__config_flat_item(struct tailbox__config_reader *r,
                      const struct tailbox__toml_item *item)
{
	if (item->kind == TAILBOX__TOML_TABLE) {
		flat_header(r, item);
		return;
	}
	if (item->kind == TAILBOX__TOML_ELEMENT) {
		if (r->list >= 0)
			tailbox__config_take(
			        r, (enum tailbox__config_key)r->list, item);
		return;
	}
	r->list = -1;
	if (!r->is_skipping)
		flat_key(r, item);
}

void tailbox__config_flat_end(struct tailbox__config_reader *r)
{
	const struct tailbox__config_origin *a =
	        &r->c->origin[TAILBOX__KEY_ADMIN_TOKEN];
	const struct tailbox__config_origin *b =
	        &r->c->origin[TAILBOX__KEY_ADMIN_TOKEN_FILE];
	const struct tailbox__config_admin *admin = &r->c->admin;
	struct tailbox__toml_item at = { .line = b->line, .column = 1 };

	if (a->from == TAILBOX__FROM_FILE && b->from == TAILBOX__FROM_FILE)
		tailbox__config_say(r, false, &at,
		                    "admin.token_file and admin.token (line "
		                    "%u) are both there: only one can be",
		                    (unsigned)a->line);
	at.line = r->c->origin[TAILBOX__KEY_ADMIN_LISTEN].line;
	if (admin->listen[0] != '\0' && admin->token[0] == '\0' &&
	    admin->token_file[0] == '\0')
		tailbox__config_say(r, false, &at,
		                    "admin.listen needs admin.token or "
		                    "admin.token_file: without one everybody "
		                    "could ask");
}
