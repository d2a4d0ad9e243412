/* analyzer/json_tree.h - read the small JSON that the admin server answers with.
 *
 * SPDX-License-Identifier: MIT
 *
 * Artifacts are read by analyzer/load.h; this is for answers of a few
 * kilobytes that are easier to walk as a tree.
 */
#ifndef TAILBOX_ANALYZER_JSON_TREE_H
#define TAILBOX_ANALYZER_JSON_TREE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct yajl_val_s tailbox__tree; /* a value; part of its tree */

/* NULL when it is no JSON or nests deeper than 32. */
tailbox__tree *tailbox__tree_parse(const char *text, size_t len);
void tailbox__tree_free(tailbox__tree *root); /* NULL allowed */

/* Member of an object; NULL when absent or j is no object or NULL. */
tailbox__tree *tailbox__tree_member(tailbox__tree *j, const char *key);
/* Items of an array; 0 for anything else. */
size_t tailbox__tree_count(tailbox__tree *j);
tailbox__tree *tailbox__tree_at(tailbox__tree *j, size_t i);
/* The text of a member, NULL when it is none. */
const char *tailbox__tree_text(tailbox__tree *j, const char *key);
/* The value of a member, `otherwise` when it is no integer >= 0. */
uint64_t tailbox__tree_number(tailbox__tree *j, const char *key, uint64_t otherwise);
bool tailbox__tree_is_true(tailbox__tree *j, const char *key);
bool tailbox__tree_is_false(tailbox__tree *j, const char *key);
/* The text that a value itself is, NULL when it is none. */
const char *tailbox__tree_string(tailbox__tree *j);

#endif
