/* core/config_file.c - settings out of a file.
 *
 * SPDX-License-Identifier: MIT
 *
 * The text is read twice: once for its tables, since the family that a file
 * belongs to decides how each key is judged, and once for all else. Mistakes
 * are collected, so that one look at a file finds them all; values go into a
 * copy, which takes the place of the configuration when there were none.
 */
#include "core/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/fd.h"
#include "core/tailbox.h"

/* --- the report --------------------------------------------------------- */

static void say_at(struct tailbox__config_report *r, bool is_warning,
                   uint32_t line, uint32_t column, const char *text)
{
	struct tailbox__config_message *m;

	if (is_warning)
		r->warnings++;
	else
		r->errors++;
	if (r->count >= TAILBOX__CONFIG_MESSAGES_MAX)
		return;
	m = &r->items[r->count++];
	m->line = line;
	m->column = column;
	m->is_warning = is_warning;
	snprintf(m->text, sizeof(m->text), "%s", text);
	for (char *p = m->text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

void tailbox__config_say(struct tailbox__config_reader *r, bool is_warning,
                         const struct tailbox__toml_item *at, const char *fmt,
                         ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	say_at(r->report, is_warning, at ? at->line : 0, at ? at->column : 0,
	       text);
}

const struct tailbox__config_message *
tailbox__config_first(const struct tailbox__config_report *report)
{
	for (uint32_t i = 0; i < report->count; i++)
		if (!report->items[i].is_warning)
			return &report->items[i];
	return report->count > 0 ? &report->items[0] : NULL;
}

void tailbox__config_message_text(char *out, size_t size, const char *file,
                                  const struct tailbox__config_message *m)
{
	const char *warning = m->is_warning ? "warning: " : "";

	if (m->line == 0)
		snprintf(out, size, "%s: %s%s", file, warning, m->text);
	else
		snprintf(out, size, "%s:%u:%u: %s%s", file, (unsigned)m->line,
		         (unsigned)m->column, warning, m->text);
}

/* --- all of it ---------------------------------------------------------- */

bool tailbox__config_is_in(const char *path, const char *table)
{
	const size_t n = strlen(table);

	return strncmp(path, table, n) == 0 &&
	       (path[n] == '\0' || path[n] == '.');
}

/* Which tables are there? Mistakes are left to the second reading. */
static int look_for_tables(struct tailbox__config_reader *r,
                           struct tailbox__toml *t)
{
	struct tailbox__toml_item item;
	int rc;

	for (;;) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		const char *flat;

		rc = tailbox__toml_next(t, &item, &err);
		if (rc == 0 || rc == -ENOMEM)
			return rc;
		if (rc < 0 || item.kind != TAILBOX__TOML_TABLE)
			continue;
		flat = tailbox__config_flat_table(item.path);
		if (tailbox__config_is_in(item.path, "controller")) {
			if (r->controller_line == 0)
				r->controller_line = item.line;
		} else if (flat != NULL && r->flat_line == 0) {
			r->flat_line = item.line;
			snprintf(r->flat_name, sizeof(r->flat_name), "%s",
			         flat);
		}
	}
}

static int read_items(struct tailbox__config_reader *r,
                      struct tailbox__toml *t)
{
	const bool is_mixed = r->flat_line != 0 && r->controller_line != 0;
	struct tailbox__toml_item item;
	int rc;

	for (;;) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;

		rc = tailbox__toml_next(t, &item, &err);
		if (rc == 0 || rc == -ENOMEM)
			return rc;
		if (rc < 0)
			tailbox__config_say(r, false,
			                    item.line != 0 ? &item : NULL,
			                    "%s", err.text);
		else if (!is_mixed && r->controller_line != 0)
			tailbox__config_controller_item(r, &item);
		else if (!is_mixed)
			tailbox__config_flat_item(r, &item);
	}
}

static void say_mixed(struct tailbox__config_reader *r)
{
	const uint32_t later = r->flat_line > r->controller_line
	                               ? r->flat_line
	                               : r->controller_line;
	const struct tailbox__toml_item at = { .line = later, .column = 1 };

	tailbox__config_say(r, false, &at,
	                    "a file has either flat tables or [controller] "
	                    "tables: [%s] is in line %u, [controller...] in "
	                    "line %u", r->flat_name, (unsigned)r->flat_line,
	                    (unsigned)r->controller_line);
}

static int read_text(struct tailbox__config_reader *r, const char *text,
                     size_t len)
{
	struct tailbox__toml *t = tailbox__alloc(1, sizeof(*t));
	int rc;

	if (t == NULL)
		return -ENOMEM;
	tailbox__toml_init(t, text, len);
	rc = look_for_tables(r, t);
	tailbox__toml_fini(t);
	if (rc == 0) {
		if (r->flat_line != 0 && r->controller_line != 0)
			say_mixed(r);
		else if (r->controller_line != 0)
			tailbox__config_controller_begin(r);
		tailbox__toml_init(t, text, len);
		rc = read_items(r, t);
		tailbox__toml_fini(t);
	}
	tailbox__free(t);
	if (rc != 0)
		return rc;
	if (r->controller_line == 0)
		tailbox__config_flat_end(r);
	else if (r->flat_line == 0)
		tailbox__config_controller_end(r);
	return r->report->errors > 0 ? -TAILBOX_ESHAPE : 0;
}

int tailbox__config_read(struct tailbox__config *c, const char *text,
                         size_t len, struct tailbox__config_report *report)
{
	struct work {
		struct tailbox__config c;
		struct tailbox__config_report report;
	} *w = tailbox__alloc(1, sizeof(*w));
	struct tailbox__config_reader r = { .list = -1 };
	int rc;

	if (report != NULL)
		memset(report, 0, sizeof(*report));
	if (w == NULL)
		return -ENOMEM;
	w->c = *c;
	r.c = &w->c;
	r.report = report != NULL ? report : &w->report;
	memset(r.report, 0, sizeof(*r.report));
	rc = read_text(&r, text, len);
	if (rc == 0)
		*c = w->c;
	tailbox__free(w);
	return rc;
}

/* --- files -------------------------------------------------------------- */

/* Open a plain file; nothing that could hold the reader up. */
static int open_file(const char *path, struct stat *st, const char **why)
{
	/* NONBLOCK: a pipe without a writer must not stop a service. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = fd;

	if (fd < 0) {
		rc = -errno;
		*why = tailbox_strerror(rc);
		return rc;
	}
	if (fstat(fd, st) != 0) {
		rc = -errno;
		*why = tailbox_strerror(rc);
	} else if (!S_ISREG(st->st_mode)) {
		rc = S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
		*why = S_ISDIR(st->st_mode) ? "is a folder"
		                            : "is not a plain file";
	} else if (st->st_size > (off_t)TAILBOX__TOML_SIZE_MAX) {
		rc = -EFBIG;
		*why = "has more than 262144 bytes";
	}
	if (rc < 0)
		close(fd);
	return rc;
}

static void warn_of_mode(const struct tailbox__config *c,
                         const struct stat *st,
                         struct tailbox__config_report *report)
{
	const struct tailbox__config_origin *o =
	        &c->origin[TAILBOX__KEY_ADMIN_TOKEN];

	if (o->from == TAILBOX__FROM_FILE && (st->st_mode & 07) != 0)
		say_at(report, true, o->line, 1,
		       "the token can be read by every user: chmod o-rwx");
}

static int load(struct tailbox__config *c, const char *path, char *text,
                struct tailbox__config_report *report, const char **why)
{
	struct stat st = { 0 };
	const int fd = open_file(path, &st, why);
	long n;
	int rc;

	if (fd < 0)
		return fd;
	n = tailbox__fd_read(fd, text, TAILBOX__TOML_SIZE_MAX + 1);
	close(fd);
	if (n < 0) {
		*why = tailbox_strerror((int)n);
		return (int)n;
	}
	rc = tailbox__config_read(c, text, (size_t)n, report);
	if (rc == 0) {
		snprintf(c->file, sizeof(c->file), "%s", path);
		warn_of_mode(c, &st, report);
	}
	return rc;
}

int tailbox__config_load(struct tailbox__config *c, const char *path,
                         struct tailbox__config_report *report)
{
	struct tailbox__config_report unseen;
	const char *why = NULL;
	char *text;
	int rc;

	_Static_assert(TAILBOX__TOML_SIZE_MAX == 262144, "a message says so");
	if (report == NULL)
		report = &unseen;
	memset(report, 0, sizeof(*report));
	text = tailbox__alloc(TAILBOX__TOML_SIZE_MAX + 1, 1);
	if (text == NULL)
		rc = -ENOMEM;
	else if (strlen(path) > TAILBOX__CONFIG_PATH_MAX)
		rc = -ENAMETOOLONG;
	else
		rc = load(c, path, text, report, &why);
	tailbox__free(text);
	if (rc < 0 && report->errors == 0)
		say_at(report, false, 0, 0,
		       why != NULL ? why : tailbox_strerror(rc));
	return rc;
}
