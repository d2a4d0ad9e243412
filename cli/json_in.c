/* cli/json_in.c - small JSON as a tree, by yajl.
 *
 * SPDX-License-Identifier: MIT
 *
 * yajl frees a tree by recursion, so the depth is looked at first.
 */
#include "cli/json_in.h"

#include <string.h>
#include <yajl/yajl_tree.h>

#include "core/alloc.h"

enum { DEPTH_MAX = 32 };

static bool is_flat_enough(const char *text, size_t len)
{
	int depth = 0;
	bool is_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '"')
			is_string = !is_string;
		else if (is_string && c == '\\')
			i++;
		else if (!is_string && (c == '{' || c == '['))
			depth++;
		else if (!is_string && (c == '}' || c == ']'))
			depth--;
		if (depth > DEPTH_MAX)
			return false;
	}
	return true;
}

cli__json *cli__json_parse(const char *text, size_t len)
{
	char why[128];

	/* yajl takes a C string. */
	if (!len || memchr(text, '\0', len) || !is_flat_enough(text, len))
		return NULL;
	char *copy = tailbox__alloc(len + 1, 1);
	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	cli__json *root = yajl_tree_parse(copy, why, sizeof(why));
	tailbox__free(copy);
	return root;
}

void cli__json_free(cli__json *root)
{
	if (root)
		yajl_tree_free(root);
}

cli__json *cli__json_member(cli__json *j, const char *key)
{
	const char *path[] = { key, NULL };

	return YAJL_IS_OBJECT(j) ? yajl_tree_get(j, path, yajl_t_any) : NULL;
}

size_t cli__json_count(cli__json *j)
{
	return YAJL_IS_ARRAY(j) ? YAJL_GET_ARRAY(j)->len : 0;
}

cli__json *cli__json_at(cli__json *j, size_t i)
{
	return i < cli__json_count(j) ? YAJL_GET_ARRAY(j)->values[i] : NULL;
}

const char *cli__json_text(cli__json *j, const char *key)
{
	cli__json *v = cli__json_member(j, key);

	return YAJL_GET_STRING(v);
}

uint64_t cli__json_number(cli__json *j, const char *key, uint64_t otherwise)
{
	cli__json *v = cli__json_member(j, key);

	if (!YAJL_IS_INTEGER(v) || YAJL_GET_INTEGER(v) < 0)
		return otherwise;
	return (uint64_t)YAJL_GET_INTEGER(v);
}

bool cli__json_is_true(cli__json *j, const char *key)
{
	cli__json *v = cli__json_member(j, key);

	return YAJL_IS_TRUE(v);
}
