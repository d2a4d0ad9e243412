/* core/toml.h - read the subset of TOML that settings are written in.
 *
 * SPDX-License-Identifier: MIT
 *
 *	[table] and [table.of.table]; key = value, one in a line, where a key is
 *	bare or quoted and a value is "text", 'text', an integer (decimal, with
 *	underscores), true, false or an array of texts (over many lines, too);
 *	comments.
 *
 * Everything else of TOML (floats, dates, inline tables, arrays of tables,
 * multi-line texts, dotted keys before =, other bases) is an error that says
 * so, as is a key or table that is there twice, and what is not UTF-8.
 * Threads: one thread per object.
 */
#ifndef TAILBOX_CORE_TOML_H
#define TAILBOX_CORE_TOML_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/run.h" /* TAILBOX__LIST */

#define TAILBOX__TOML_SIZE_MAX 262144u /* bytes of a file */
#define TAILBOX__TOML_PATH_MAX 255u    /* of "table.of.table.key" */
#define TAILBOX__TOML_TEXT_MAX 4095u   /* bytes of a text */
#define TAILBOX__TOML_NAMES_MAX 1024u  /* keys and tables in a file */

enum tailbox__toml_kind {
	TAILBOX__TOML_TABLE,
	TAILBOX__TOML_TEXT,
	TAILBOX__TOML_INTEGER,
	TAILBOX__TOML_BOOL,
	TAILBOX__TOML_ARRAY,  /* its texts follow, one item each */
	TAILBOX__TOML_ELEMENT
};

struct tailbox__toml_item {
	enum tailbox__toml_kind kind;
	uint32_t line, column; /* from 1, of the key, element or table; after
	                          an error: where that is. Columns count
	                          characters */
	/* "table.of.table.key"; parts that are not bare stand in quotes. Valid
	 * until the next call, like the text. */
	const char *path;
	const char *text; /* TEXT, ELEMENT: NUL-terminated, none within */
	size_t len;
	bool is_negative; /* INTEGER */
	uint64_t number;  /* INTEGER: without its sign */
	bool flag;        /* BOOL */
};

struct tailbox__toml_name {
	uint64_t hash;
	uint32_t at, len, line;
	uint32_t kind;
};

/* Private but for its size: about 5 KiB. */
struct tailbox__toml {
	const char *text;
	size_t len, at;
	uint32_t line;
	size_t counted_to; /* columns are counted up to here */
	uint32_t columns;
	bool is_in_array, needs_comma;
	uint32_t array_line;
	bool is_line_done; /* a mistake is about a line that was read whole */
	bool is_table_bad; /* its header is wrong: what is in it is skipped */
	char table[TAILBOX__TOML_PATH_MAX + 1];
	char path[TAILBOX__TOML_PATH_MAX + 1];
	char value[TAILBOX__TOML_TEXT_MAX + 1];
	TAILBOX__LIST(struct tailbox__toml_name) names;
	TAILBOX__LIST(char) name_bytes;
};

/* text: borrowed until _fini. */
void tailbox__toml_init(struct tailbox__toml *t, const char *text, size_t len);
void tailbox__toml_fini(struct tailbox__toml *t);
/* The next item: 1. 0 at the end. -TAILBOX_EMALFORMED: something is wrong at
 * item->line and column, err says what; the next call goes on behind it, so
 * that one reading finds all mistakes. -ENOMEM: nothing follows. */
int tailbox__toml_next(struct tailbox__toml *t, struct tailbox__toml_item *item,
                       struct tailbox__error *err);

/* --- toml_names.c: what was there already ------------------------------- */

/* Append a part to a dotted path, quoted where it must be. False: no room. */
bool tailbox__toml_path_add(char path[TAILBOX__TOML_PATH_MAX + 1],
                            const char *part, size_t len);
/* Note a key or a table. 0, -ENOMEM, or -TAILBOX_EMALFORMED when it was there
 * before. *usable: keys of this table may be read all the same. */
int tailbox__toml_note_key(struct tailbox__toml *t, const char *path,
                           uint32_t line, struct tailbox__error *err);
int tailbox__toml_note_table(struct tailbox__toml *t, const char *path,
                             uint32_t line, bool *usable,
                             struct tailbox__error *err);

#endif
