/* cli/cmd_config.c - `tailbox config check|show|reload`.
 *
 * SPDX-License-Identifier: MIT
 *
 * check and show of a file read it as a service would, but know neither the
 * program's settings nor its environment; show of a service asks it.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "analyzer/json_tree.h"
#include "cli/http.h"
#include "core/alloc.h"
#include "core/config_file.h"
#include "core/fd.h"
#include "core/toml.h"

enum { ANSWER_MS = 5000 };

struct work {
	struct tailbox__config config;
	struct tailbox__config_report report;
};

/* --- files -------------------------------------------------------------- */

/* Lines as compilers write them, so that editors find the place. */
static void say_all(const char *file, const struct tailbox__config_report *r)
{
	char line[CLI__PATH_MAX + 320];

	for (uint32_t i = 0; i < r->count; i++) {
		tailbox__config_message_text(line, sizeof(line), file,
		                             &r->items[i]);
		cli__clean(line);
		fprintf(stderr, "%s\n", line);
	}
	if (r->errors + r->warnings > r->count)
		fprintf(stderr, "... and %u more\n",
		        (unsigned)(r->errors + r->warnings - r->count));
}

static int read_stdin(struct work *w)
{
	char *text = tailbox__alloc(TAILBOX__TOML_SIZE_MAX + 1, 1);
	long n;
	int rc;

	if (!text)
		return -ENOMEM;
	n = tailbox__fd_read(STDIN_FILENO, text, TAILBOX__TOML_SIZE_MAX + 1);
	rc = n < 0 ? (int)n
	           : tailbox__config_read(&w->config, text, (size_t)n,
	                                  &w->report);
	tailbox__free(text);
	return rc;
}

/* What a file gives on top of the defaults. *rc: as tailbox__config_load().
 * NULL: told. */
static struct work *load(const char *file, int *rc)
{
	struct work *w = tailbox__zalloc(1, sizeof(*w));

	if (!w) {
		cli__no_memory();
		return NULL;
	}
	tailbox__config_init(&w->config);
	*rc = strcmp(file, "-") ? tailbox__config_load(&w->config, file,
	                                               &w->report)
	                        : read_stdin(w);
	if (*rc != 0 && w->report.errors == 0) {
		cli__say("%s: %s", file, tailbox_strerror(*rc));
		tailbox__free(w);
		return NULL;
	}
	return w;
}

/* A service goes on without a file that is wrong. */
void cli__config_tell(const char *file)
{
	int rc;
	struct work *w = load(file, &rc);

	if (w)
		say_all(file, &w->report);
	tailbox__free(w);
}

static void put_messages(struct tailbox__json *j, const char *key,
                         const struct tailbox__config_report *r, bool warnings)
{
	tailbox__json_key(j, key);
	tailbox__json_begin_array(j);
	for (uint32_t i = 0; i < r->count; i++) {
		const struct tailbox__config_message *m = &r->items[i];
		if (m->is_warning != warnings)
			continue;
		tailbox__json_begin_object(j);
		tailbox__json_key(j, "line");
		if (m->line)
			tailbox__json_u64(j, m->line);
		else
			tailbox__json_null(j);
		tailbox__json_key(j, "column");
		if (m->line)
			tailbox__json_u64(j, m->column);
		else
			tailbox__json_null(j);
		tailbox__json_key(j, "text");
		tailbox__json_cstr(j, m->text);
		tailbox__json_end_object(j);
	}
	tailbox__json_end_array(j);
}

static int check_json(const char *file, const struct work *w, bool is_valid)
{
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__json_key(&j, "file");
	tailbox__json_cstr(&j, file);
	tailbox__json_key(&j, "valid");
	tailbox__json_bool(&j, is_valid);
	put_messages(&j, "errors", &w->report, false);
	put_messages(&j, "warnings", &w->report, true);
	tailbox__json_end_object(&j);
	if (is_valid)
		return cli__put_json(&j);
	if (tailbox__json_ok(&j))
		fprintf(stderr, "%.*s\n", (int)j.len, j.buf);
	tailbox__json_fini(&j);
	return CLI__NO;
}

static int check(const char *file, bool is_json)
{
	int rc;
	struct work *w = load(file, &rc);

	if (!w)
		return CLI__NO;
	const bool is_valid = rc == 0;
	if (is_json) {
		rc = check_json(file, w, is_valid);
	} else {
		say_all(file, &w->report);
		rc = is_valid ? CLI__DONE : CLI__NO;
		if (is_valid && w->report.warnings)
			fprintf(cli__out(), "%s: valid, %u warning%s\n", file,
			        (unsigned)w->report.warnings,
			        w->report.warnings == 1 ? "" : "s");
		else if (is_valid)
			fprintf(cli__out(), "%s: valid\n", file);
	}
	tailbox__free(w);
	return rc;
}

static void put(void *cls, const char *text, size_t len)
{
	fwrite(text, 1, len, cls);
}

static int show_file(const char *file, bool is_json)
{
	struct tailbox__json j;
	int rc;
	struct work *w = load(file, &rc);

	if (!w)
		return CLI__NO;
	say_all(file, &w->report);
	if (rc != 0) {
		rc = CLI__NO;
	} else if (is_json) {
		tailbox__json_init(&j, true);
		tailbox__config_json(&w->config, &j);
		rc = cli__put_json(&j);
	} else {
		tailbox__config_show(&w->config, put, cli__out());
	}
	tailbox__free(w);
	return rc;
}

/* --- services ----------------------------------------------------------- */

static int ask(const struct cli__target *t, const char *path, bool is_post)
{
	struct cli__http h = { .to_fd = -1, .is_post = is_post, .path = path,
		               .total_ms = ANSWER_MS };
	int rc = CLI__NO;

	if (cli__ask(t, &h)) {
		if (h.body.at)
			cli__clean(h.body.at);
		fwrite(h.body.at ? h.body.at : "", 1, h.body.len, cli__out());
		rc = CLI__DONE;
	}
	cli__http_fini(&h);
	return rc;
}

/* What is a plain file and no tape is a configuration; a word without a slash
 * and a dot is rather the name of a service. */
static bool is_config_file(const char *arg)
{
	const char *end = strrchr(arg, '.');
	struct stat st;

	if (!strcmp(arg, "-"))
		return true;
	if (!strchr(arg, '/') && !end)
		return false;
	if (strstr(arg, "://") || (end && !strcmp(end, ".tape")))
		return false;
	return stat(arg, &st) == 0 && S_ISREG(st.st_mode);
}

static int of_service(const struct cli__command *self, const char *arg,
                      const char *path, bool is_post)
{
	struct cli__target t;
	int rc;

	if (!cli__target_service(self, arg, &t, &rc))
		return rc;
	return ask(&t, path, is_post);
}

int cli__config(const struct cli__command *self, int argc, char **argv)
{
	bool is_json = false;
	const struct cli__option options[] = {
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	int first, rc;

	if (!cli__options(self, argc, argv, options, 1, 2, &first, &rc))
		return rc;
	const char *verb = argv[first];
	const char *arg = first + 1 < argc ? argv[first + 1] : NULL;
	if (!strcmp(verb, "check"))
		return arg ? check(arg, is_json)
		           : cli__usage(self, "check needs a FILE");
	if (!strcmp(verb, "show")) {
		if (arg && is_config_file(arg))
			return show_file(arg, is_json);
		return of_service(self, arg, is_json ? "/config"
		                                     : "/config?format=text",
		                  false);
	}
	if (!strcmp(verb, "reload"))
		return of_service(self, arg, is_json ? "/reload"
		                                     : "/reload?format=text",
		                  true);
	return cli__usage(self, "%s: not check, show or reload", verb);
}
