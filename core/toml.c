/* core/toml.c - read the subset of TOML that settings are written in.
 *
 * SPDX-License-Identifier: MIT
 *
 * One pass over the text with one place, `at`; the caller pulls items. There
 * is no recursion because nothing that is read nests: an array, the one thing
 * with an inside, is a state of the reader. TOML 1.0 (toml.io) has the rules.
 *
 * After a mistake reading goes on with the next line; out of a broken array,
 * with the next line that can begin something else. So what follows a mistake
 * is judged for itself, as a compiler does.
 */
#include "core/toml_internal.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/tailbox.h"
#include "core/utf8.h"

/* The names of toml_internal.h, short: they stand in every second line. */
#define END TAILBOX__TOML_END
#define WRONG TAILBOX__TOML_WRONG
#define peek tailbox__toml_peek
#define peek_at tailbox__toml_peek_at
#define is_newline tailbox__toml_is_newline
#define is_digit tailbox__toml_is_digit
#define place tailbox__toml_place
#define character tailbox__toml_character
#define line_end tailbox__toml_line_end
#define text_at tailbox__toml_text
#define value_at tailbox__toml_value

void tailbox__toml_init(struct tailbox__toml *t, const char *text, size_t len)
{
	memset(t, 0, sizeof(*t));
	t->text = text;
	t->len = len;
	t->line = 1;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		t->at = t->counted_to = 3; /* a byte order mark */
}

void tailbox__toml_fini(struct tailbox__toml *t)
{
	tailbox__free(t->names.items), t->names.items = NULL;
	tailbox__free(t->name_bytes.items), t->name_bytes.items = NULL;
}

/* --- characters --------------------------------------------------------- */

/* Line and column of `at`. Counts on from where it counted last, so that a
 * long line is not counted again for each thing in it. */
void place(struct tailbox__toml *t, struct tailbox__toml_item *item)
{
	for (; t->counted_to < t->at; t->counted_to++)
		t->columns += (t->text[t->counted_to] & 0xc0) != 0x80;
	item->line = t->line;
	item->column = t->columns + 1;
}

static void take_newline(struct tailbox__toml *t)
{
	t->at += peek(t) == '\r' ? 2 : 1;
	t->line++;
	t->counted_to = t->at;
	t->columns = 0;
}

/* Up to the next newline, or the end. */
static void to_line_end(struct tailbox__toml *t)
{
	const char *end = memchr(t->text + t->at, '\n', t->len - t->at);

	t->at = end ? (size_t)(end - t->text) : t->len;
}

static void skip_blanks(struct tailbox__toml *t)
{
	while (peek(t) == ' ' || peek(t) == '\t')
		t->at++;
}

/* Bytes of the character at `at`, which is none that ends a line; else what
 * is wrong with it. */
int character(struct tailbox__toml *t, struct tailbox__toml_item *item,
                     struct tailbox__error *err)
{
	const int c = peek(t);
	uint32_t cp;
	size_t n;

	if (c == '\t' || (c >= 0x20 && c < 0x7f))
		return 1;
	if (c < 0x80)
		return WRONG(t, item, err, "control character 0x%02x",
		             (unsigned)c);
	n = tailbox__utf8_next(t->text + t->at, t->len - t->at, &cp);
	if (cp == TAILBOX__UTF8_INVALID)
		return WRONG(t, item, err, "byte 0x%02x is not UTF-8",
		             (unsigned)c);
	return (int)n;
}

static int skip_comment(struct tailbox__toml *t,
                        struct tailbox__toml_item *item,
                        struct tailbox__error *err)
{
	if (peek(t) != '#')
		return 0;
	while (peek(t) != END && !is_newline(t)) {
		const int n = character(t, item, err);
		if (n < 0)
			return n;
		t->at += (size_t)n;
	}
	return 0;
}

/* Blanks, comments and empty lines. */
static int skip_space(struct tailbox__toml *t, struct tailbox__toml_item *item,
                      struct tailbox__error *err)
{
	for (;;) {
		int rc;

		skip_blanks(t);
		rc = skip_comment(t, item, err);
		if (rc < 0 || !is_newline(t))
			return rc;
		take_newline(t);
	}
}

/* Nothing but a comment may follow in the line. */
int line_end(struct tailbox__toml *t, struct tailbox__toml_item *item,
                    struct tailbox__error *err)
{
	int rc;

	skip_blanks(t);
	rc = skip_comment(t, item, err);
	if (rc < 0)
		return rc;
	if (peek(t) != END && !is_newline(t))
		return WRONG(t, item, err,
		             "the line should end here, or a comment begin");
	if (peek(t) != END)
		take_newline(t);
	t->is_line_done = true;
	return 0;
}

/* --- keys and tables ---------------------------------------------------- */

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       is_digit(c) || c == '_' || c == '-';
}

/* A bare or quoted key, behind the path. */
static int key(struct tailbox__toml *t, char *path,
               struct tailbox__toml_item *item, struct tailbox__error *err)
{
	const char *part = t->text + t->at;
	size_t len = 0;

	if (peek(t) == '"' || peek(t) == '\'') {
		const int n = text_at(t, item, err);
		if (n < 0)
			return n;
		part = t->value;
		len = (size_t)n;
	} else {
		for (; is_bare(peek_at(t, len)); len++)
			;
		if (len == 0)
			return WRONG(t, item, err, "a key or a [table] should "
			                           "stand here");
		t->at += len;
	}
	if (!tailbox__toml_path_add(path, part, len))
		return WRONG(t, item, err, "key of more than %u bytes",
		             TAILBOX__TOML_PATH_MAX);
	return 0;
}

static int header_path(struct tailbox__toml *t, struct tailbox__toml_item *item,
                       struct tailbox__error *err)
{
	t->at++;
	if (peek(t) == '[')
		return WRONG(t, item, err,
		             "arrays of tables ([[ ]]) are not read");
	for (;;) {
		int rc;

		skip_blanks(t);
		rc = key(t, t->table, item, err);
		if (rc < 0)
			return rc;
		skip_blanks(t);
		if (peek(t) != '.')
			break;
		t->at++;
	}
	if (peek(t) != ']')
		return WRONG(t, item, err, "] is missing");
	t->at++;
	return 0;
}

static int header(struct tailbox__toml *t, struct tailbox__toml_item *item,
                  struct tailbox__error *err)
{
	struct tailbox__toml_item here;
	bool is_usable;
	int rc;

	t->is_table_bad = true;
	t->table[0] = '\0';
	place(t, item);
	here = *item; /* an error about the whole is said where it begins */
	rc = header_path(t, item, err);
	if (rc == 0)
		rc = line_end(t, item, err);
	if (rc < 0)
		return rc;
	rc = tailbox__toml_note_table(t, t->table, here.line, &is_usable, err);
	t->is_table_bad = !is_usable;
	item->kind = TAILBOX__TOML_TABLE;
	item->path = t->table;
	item->line = here.line;
	item->column = here.column;
	return rc;
}

static int key_and_value(struct tailbox__toml *t,
                         struct tailbox__toml_item *item,
                         struct tailbox__error *err)
{
	struct tailbox__toml_item here;
	int rc;

	memcpy(t->path, t->table, sizeof(t->path));
	place(t, item);
	here = *item;
	rc = key(t, t->path, item, err);
	if (rc < 0)
		return rc;
	skip_blanks(t);
	if (peek(t) == '.')
		return WRONG(t, item, err, "dotted keys are not read; use "
		                           "[%.100s]", t->path);
	if (peek(t) != '=')
		return WRONG(t, item, err, "= is missing behind the key");
	t->at++;
	skip_blanks(t);
	rc = value_at(t, item, err);
	if (rc < 0)
		return rc;
	item->path = t->path;
	item->line = here.line;
	item->column = here.column;
	return t->is_table_bad ? 0
	                       : tailbox__toml_note_key(t, t->path, here.line,
	                                                err);
}

/* --- arrays ------------------------------------------------------------- */

/* 1: an element. 0: the array is over. */
static int element(struct tailbox__toml *t, struct tailbox__toml_item *item,
                   struct tailbox__error *err)
{
	for (;;) {
		int rc = skip_space(t, item, err);
		int len;

		if (rc < 0)
			return rc;
		if (peek(t) == END)
			return WRONG(t, item, err,
			             "the array of line %u is not closed by ]",
			             (unsigned)t->array_line);
		if (peek(t) == ']') {
			t->at++;
			t->is_in_array = false;
			return line_end(t, item, err);
		}
		if (t->needs_comma) {
			if (peek(t) != ',')
				return WRONG(t, item, err,
				             "a comma or ] is missing in the "
				             "array of line %u",
				             (unsigned)t->array_line);
			t->at++;
			t->needs_comma = false;
			continue;
		}
		place(t, item);
		if (peek(t) != '"' && peek(t) != '\'')
			return WRONG(t, item, err,
			             "an array holds texts, in quotes");
		struct tailbox__toml_item here = *item;
		len = text_at(t, item, err);
		if (len < 0)
			return len;
		*item = here;
		item->kind = TAILBOX__TOML_ELEMENT;
		item->path = t->path;
		item->text = t->value;
		item->len = (size_t)len;
		t->needs_comma = true;
		return 1;
	}
}

/* --- all of it ---------------------------------------------------------- */

/* Whether a line seems to begin something: [ or key = . */
static bool begins_something(struct tailbox__toml *t)
{
	size_t n = 0;

	if (peek(t) == '[')
		return true;
	while (is_bare(peek_at(t, n)))
		n++;
	if (n == 0)
		return false;
	while (peek_at(t, n) == ' ' || peek_at(t, n) == '\t')
		n++;
	return peek_at(t, n) == '=';
}

/* Behind a mistake. */
static void recover(struct tailbox__toml *t)
{
	const bool was_in_array = t->is_in_array;

	t->is_in_array = false;
	if (t->is_line_done && !was_in_array)
		return;
	for (;;) {
		to_line_end(t);
		if (peek(t) == END)
			return;
		take_newline(t);
		if (!was_in_array)
			return;
		skip_blanks(t);
		if (peek(t) == END || begins_something(t))
			return;
		if (peek(t) == ']') {
			to_line_end(t);
			return;
		}
	}
}

static int next(struct tailbox__toml *t, struct tailbox__toml_item *item,
                struct tailbox__error *err)
{
	for (;;) {
		int rc;

		memset(item, 0, sizeof(*item));
		t->is_line_done = false;
		if (t->is_in_array) {
			rc = element(t, item, err);
			if (rc == 1 && t->is_table_bad)
				continue;
			if (rc != 0)
				return rc;
			continue;
		}
		rc = skip_space(t, item, err);
		if (rc < 0 || peek(t) == END)
			return rc;
		rc = peek(t) == '[' ? header(t, item, err)
		                    : key_and_value(t, item, err);
		if (rc < 0)
			return rc;
		if (item->kind == TAILBOX__TOML_TABLE || !t->is_table_bad)
			return 1;
	}
}

int tailbox__toml_next(struct tailbox__toml *t, struct tailbox__toml_item *item,
                       struct tailbox__error *err)
{
	int rc;

	if (t->len > TAILBOX__TOML_SIZE_MAX) {
		memset(item, 0, sizeof(*item));
		t->at = t->len = 0;
		return tailbox__fail(err, -TAILBOX_EMALFORMED,
		                     "more than %u bytes",
		                     TAILBOX__TOML_SIZE_MAX);
	}
	rc = next(t, item, err);
	if (rc == -TAILBOX_EMALFORMED)
		recover(t);
	return rc;
}
