/* analyzer/json_tree.c - small JSON as a tree, by yajl.
 *
 * SPDX-License-Identifier: MIT
 *
 * yajl frees a tree by recursion, so the depth is looked at first.
 */
#include "analyzer/json_tree.h"

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

tailbox__tree *tailbox__tree_parse(const char *text, size_t len)
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
	tailbox__tree *root = yajl_tree_parse(copy, why, sizeof(why));
	tailbox__free(copy);
	return root;
}

void tailbox__tree_free(tailbox__tree *root)
{
	if (root)
		yajl_tree_free(root);
}

tailbox__tree *tailbox__tree_member(tailbox__tree *j, const char *key)
{
	const char *path[] = { key, NULL };

	return YAJL_IS_OBJECT(j) ? yajl_tree_get(j, path, yajl_t_any) : NULL;
}

size_t tailbox__tree_count(tailbox__tree *j)
{
	return YAJL_IS_ARRAY(j) ? YAJL_GET_ARRAY(j)->len : 0;
}

tailbox__tree *tailbox__tree_at(tailbox__tree *j, size_t i)
{
	return i < tailbox__tree_count(j) ? YAJL_GET_ARRAY(j)->values[i] : NULL;
}

const char *tailbox__tree_text(tailbox__tree *j, const char *key)
{
	tailbox__tree *v = tailbox__tree_member(j, key);

	return YAJL_GET_STRING(v);
}

uint64_t tailbox__tree_number(tailbox__tree *j, const char *key, uint64_t otherwise)
{
	tailbox__tree *v = tailbox__tree_member(j, key);

	if (!YAJL_IS_INTEGER(v) || YAJL_GET_INTEGER(v) < 0)
		return otherwise;
	return (uint64_t)YAJL_GET_INTEGER(v);
}

bool tailbox__tree_is_true(tailbox__tree *j, const char *key)
{
	tailbox__tree *v = tailbox__tree_member(j, key);

	return YAJL_IS_TRUE(v);
}

bool tailbox__tree_is_false(tailbox__tree *j, const char *key)
{
	tailbox__tree *v = tailbox__tree_member(j, key);

	return YAJL_IS_FALSE(v);
}

const char *tailbox__tree_string(tailbox__tree *j)
{
	return YAJL_GET_STRING(j);
}
