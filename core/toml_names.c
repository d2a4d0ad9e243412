/* core/toml_names.c - paths of keys and tables, and which were there before.
 *
 * SPDX-License-Identifier: MIT
 *
 * A path is kept in one canonical form: its parts joined by dots, a part that
 * is not a bare key in quotes with escapes. So two paths are the same when
 * their bytes are, and messages can show them.
 *
 * [a.b] makes a table a that may still get a header of its own, once. The
 * list is searched from end to end; it is short (TAILBOX__TOML_NAMES_MAX).
 */
#include "core/toml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/tailbox.h"

enum { IMPLICIT, TABLE, VALUE };

/* --- paths -------------------------------------------------------------- */

static bool is_bare(const char *part, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const char c = part[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return len > 0;
}

static bool put(char *path, size_t *len, const char *s, size_t n)
{
	if (n > TAILBOX__TOML_PATH_MAX - *len)
		return false;
	memcpy(path + *len, s, n);
	*len += n;
	return true;
}

static bool put_quoted(char *path, size_t *len, const char *part, size_t n)
{
	bool ok = put(path, len, "\"", 1);

	for (size_t i = 0; ok && i < n; i++) {
		const unsigned char c = (unsigned char)part[i];
		char escape[8];

		if (c == '"' || c == '\\')
			ok = put(path, len, "\\", 1);
		if (c < 0x20 || c == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", c);
			ok = put(path, len, escape, 6);
		} else {
			ok = ok && put(path, len, part + i, 1);
		}
	}
	return ok && put(path, len, "\"", 1);
}

bool tailbox__toml_path_add(char path[TAILBOX__TOML_PATH_MAX + 1],
                            const char *part, size_t n)
{
	size_t len = strlen(path);
	bool ok = len == 0 || put(path, &len, ".", 1);

	ok = ok && (is_bare(part, n) ? put(path, &len, part, n)
	                             : put_quoted(path, &len, part, n));
	path[len] = '\0';
	return ok;
}

/* The end of the part that begins at `path`. */
static const char *part_end(const char *path)
{
	bool is_quoted = false;

	for (; *path != '\0' && (is_quoted || *path != '.'); path++) {
		if (is_quoted && *path == '\\')
			path++;
		else if (*path == '"')
			is_quoted = !is_quoted;
	}
	return path;
}

/* --- the list ----------------------------------------------------------- */

static uint64_t hash_of(const char *s, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
	return h;
}

static struct tailbox__toml_name *find(struct tailbox__toml *t,
                                       const char *path, size_t len)
{
	const uint64_t hash = hash_of(path, len);

	for (size_t i = 0; i < t->names.count; i++) {
		struct tailbox__toml_name *n = &t->names.items[i];
		if (n->hash == hash && n->len == len &&
		    memcmp(t->name_bytes.items + n->at, path, len) == 0)
			return n;
	}
	return NULL;
}

static int keep_bytes(struct tailbox__toml *t, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char *to = tailbox__list_add(&t->name_bytes);
		if (to == NULL)
			return -ENOMEM;
		*to = s[i];
	}
	return 0;
}

static int add(struct tailbox__toml *t, const char *path, size_t len,
               uint32_t line, uint32_t kind, struct tailbox__error *err)
{
	const size_t at = t->name_bytes.count;
	struct tailbox__toml_name *n;

	if (t->names.count >= TAILBOX__TOML_NAMES_MAX)
		return tailbox__fail(err, -TAILBOX_EMALFORMED,
		                     "more than %u keys and tables",
		                     TAILBOX__TOML_NAMES_MAX);
	if (keep_bytes(t, path, len) != 0)
		return tailbox__fail(err, -ENOMEM, "out of memory");
	n = tailbox__list_add(&t->names);
	if (n == NULL)
		return tailbox__fail(err, -ENOMEM, "out of memory");
	n->hash = hash_of(path, len);
	n->at = (uint32_t)at;
	n->len = (uint32_t)len;
	n->line = line;
	n->kind = kind;
	return 0;
}

int tailbox__toml_note_key(struct tailbox__toml *t, const char *path,
                           uint32_t line, struct tailbox__error *err)
{
	const struct tailbox__toml_name *n = find(t, path, strlen(path));

	if (n == NULL)
		return add(t, path, strlen(path), line, VALUE, err);
	return tailbox__fail(err, -TAILBOX_EMALFORMED,
	                     n->kind == VALUE
	                             ? "%s has a value already, in line %u"
	                             : "%s is a table, in line %u",
	                     path, (unsigned)n->line);
}

/* The tables that are around it. */
static int note_parents(struct tailbox__toml *t, const char *path,
                        uint32_t line, struct tailbox__error *err)
{
	const char *end = part_end(path);

	for (; *end != '\0'; end = part_end(end + 1)) {
		const size_t len = (size_t)(end - path);
		const struct tailbox__toml_name *n = find(t, path, len);
		int rc = 0;

		if (n == NULL)
			rc = add(t, path, len, line, IMPLICIT, err);
		else if (n->kind == VALUE)
			rc = tailbox__fail(err, -TAILBOX_EMALFORMED,
			                   "%.*s is no table, it has a value "
			                   "in line %u",
			                   (int)len, path, (unsigned)n->line);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int tailbox__toml_note_table(struct tailbox__toml *t, const char *path,
                             uint32_t line, bool *usable,
                             struct tailbox__error *err)
{
	struct tailbox__toml_name *n;
	int rc = note_parents(t, path, line, err);

	*usable = false;
	if (rc != 0)
		return rc;
	n = find(t, path, strlen(path));
	if (n == NULL || n->kind == IMPLICIT) {
		*usable = true;
		if (n == NULL)
			return add(t, path, strlen(path), line, TABLE, err);
		n->kind = TABLE;
		n->line = line;
		return 0;
	}
	*usable = n->kind == TABLE;
	return tailbox__fail(err, -TAILBOX_EMALFORMED,
	                     n->kind == TABLE
	                             ? "table %s is there already, in line %u"
	                             : "%s is no table, it has a value in "
	                               "line %u",
	                     path, (unsigned)n->line);
}
