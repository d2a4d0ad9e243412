/* cli/json_in.h - read the small JSON that the admin server answers with.
 *
 * SPDX-License-Identifier: MIT
 *
 * Artifacts are read by analyzer/load.h; this is for answers of a few
 * kilobytes that are easier to walk as a tree.
 */
#ifndef TAILBOX_CLI_JSON_IN_H
#define TAILBOX_CLI_JSON_IN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct yajl_val_s cli__json; /* a value; part of its tree */

/* NULL when it is no JSON or nests deeper than 32. */
cli__json *cli__json_parse(const char *text, size_t len);
void cli__json_free(cli__json *root); /* NULL allowed */

/* Member of an object; NULL when absent or j is no object or NULL. */
cli__json *cli__json_member(cli__json *j, const char *key);
/* Items of an array; 0 for anything else. */
size_t cli__json_count(cli__json *j);
cli__json *cli__json_at(cli__json *j, size_t i);
/* The text of a member, NULL when it is none. */
const char *cli__json_text(cli__json *j, const char *key);
/* The value of a member, `otherwise` when it is no integer >= 0. */
uint64_t cli__json_number(cli__json *j, const char *key, uint64_t otherwise);
bool cli__json_is_true(cli__json *j, const char *key);

#endif
