/* cli/cmd_ls.c - `tailbox` alone and `tailbox ls`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/timeline_text.h"
#include "cli/http.h"
#include "analyzer/json_tree.h"
#include "cli/load.h"
#include "cli/target.h"

static void put_folders(FILE *out)
{
	char folder[CLI__PATH_MAX];

	for (unsigned i = 0; cli__run_folder(i, folder, sizeof(folder)); i++)
		if (folder[0])
			fprintf(out, "  looked in %s\n", folder);
}

/* --- the overview --------------------------------------------------------- */

/* What one would do next: on a live service, else on what is left. */
static void put_next(const struct cli__services *s, FILE *out)
{
	const struct cli__service *one = &s->items[0];
	struct cli__target t = { .service = *one };
	char word[CLI__PATH_MAX];

	cli__target_word(&t, word, sizeof(word));
	fputs("\nnext\n", out);
	if (one->writer == TAILBOX__WRITER_LIVE && one->sock[0]) {
		fprintf(out,
		        "  tailbox status %-20s what it does now\n"
		        "  tailbox capture 10s %-15s record a window, fetch "
		        "it\n"
		        "  tailbox timeline %-18s the slowest on its tape\n",
		        word, word, word);
	} else {
		fprintf(out,
		        "  tailbox status %-20s what it was doing\n"
		        "%s"
		        "  tailbox timeline %-18s the slowest on its tape\n"
		        "  tailbox export --to json %s -o run.json\n",
		        word,
		        one->tape[0] && one->writer == TAILBOX__WRITER_DEAD
		                ? "  tailbox recover                      make "
		                  "an artifact of its tape\n"
		                : "", word, word);
	}
}

int cli__overview(void)
{
	struct cli__services s;
	FILE *out = cli__out();
	int rc = cli__services(&s, true);

	if (rc != 0)
		return rc;
	if (s.count) {
		cli__put_services(&s, out);
		put_next(&s, out);
	} else {
		fputs("no recorded service\n", out);
		put_folders(out);
		fputs("\nnext\n"
		      "  call tailbox_start() in a service, see README\n"
		      "  tailbox timeline FILE            look at an artifact\n"
		      "  tailbox --help                   all commands\n",
		      out);
	}
	cli__services_fini(&s);
	return CLI__DONE;
}

/* --- ls ------------------------------------------------------------------- */

static void num(struct tailbox__json *j, const char *key, uint64_t value)
{
	tailbox__json_key(j, key);
	tailbox__json_u64(j, value);
}

static void str(struct tailbox__json *j, const char *key, const char *text)
{
	if (!*text)
		return;
	tailbox__json_key(j, key);
	tailbox__json_cstr(j, text);
}

static int put_json(const struct cli__services *s)
{
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__json_key(&j, "services");
	tailbox__json_begin_array(&j);
	for (size_t i = 0; i < s->count; i++) {
		const struct cli__service *one = &s->items[i];
		tailbox__json_begin_object(&j);
		str(&j, "service", one->name);
		str(&j, "version", one->version);
		num(&j, "pid", one->pid);
		str(&j, "state", cli__state_name(one));
		tailbox__json_key(&j, "is_left_behind");
		tailbox__json_bool(&j, !cli__is_alive(one));
		str(&j, "tape", one->tape);
		str(&j, "socket", one->sock);
		if (one->tape[0]) {
			num(&j, "recorded_since_unix_ms", one->started_ms);
			num(&j, "begun", one->begun);
			num(&j, "finished", one->finished);
			num(&j, "open", one->open);
			num(&j, "lost", one->lost);
		}
		tailbox__json_end_object(&j);
	}
	tailbox__json_end_array(&j);
	tailbox__json_end_object(&j);
	return cli__put_json(&j);
}

static int list_services(bool is_json)
{
	struct cli__services s;
	int rc = cli__services(&s, true);

	if (rc != 0)
		return rc;
	if (is_json) {
		rc = put_json(&s);
	} else if (s.count) {
		cli__put_services(&s, cli__out());
	} else {
		cli__say("no recorded service");
		put_folders(stderr);
	}
	cli__services_fini(&s);
	return rc;
}

/* --- ls TARGET ------------------------------------------------------------ */

static size_t name_columns(tailbox__tree *list)
{
	size_t most = 4, n;

	for (size_t i = 0; i < tailbox__tree_count(list); i++) {
		const char *name = tailbox__tree_text(
		        tailbox__tree_at(list, i), "name");
		n = name ? tailbox__show_columns(name, strlen(name)) : 0;
		if (n > most)
			most = n;
	}
	return most < 255 ? most : 255;
}

static void put_artifact(tailbox__tree *one, size_t name_width)
{
	const char *name = tailbox__tree_text(one, "name");
	const char *headline = tailbox__tree_text(one, "headline");
	uint64_t from = tailbox__tree_number(one, "started_at_unix_ms", 0);
	const char *id = tailbox__tree_text(one, "id");
	char when[TAILBOX__SHOW_ROOM], bytes[TAILBOX__SHOW_ROOM];
	char shown[24] = "-";
	FILE *out = cli__out();

	if (!name)
		return;
	if (tailbox__tree_is_true(one, "ours") && id &&
	    strspn(id, "cs0123456789") == strlen(id) && strlen(id) < 22)
		snprintf(shown, sizeof(shown), "#%s", id);
	fprintf(out, "%6s %-19s %10" PRIu64 " %9s  ", shown,
	        from ? tailbox__show_utc(when, from) : "-",
	        tailbox__tree_number(one, "requests", 0),
	        tailbox__show_bytes(bytes, tailbox__tree_number(one, "bytes", 0)));
	const size_t used = tailbox__show_text(out, name, strlen(name), 255);
	fprintf(out, "%*s  ", used < name_width ? (int)(name_width - used) : 0,
	        "");
	/* Null, or a service that knows of none. */
	if (!headline || !*headline)
		headline = "-";
	tailbox__show_text(out, headline, strlen(headline), 120);
	fputc('\n', out);
}

static int list_artifacts(const struct cli__target *t, bool is_json)
{
	struct cli__http h = { .path = "/artifacts", .total_ms = 5000,
		               .to_fd = -1 };
	int rc = CLI__NO;

	if (!cli__ask(t, &h))
		goto done;
	tailbox__tree *root = tailbox__tree_parse(h.body.at, h.body.len);
	tailbox__tree *list = tailbox__tree_member(root, "artifacts");
	if (!root) {
		rc = cli__fail("%s: the answer is no JSON",
		               cli__target_name(t));
		goto done;
	}
	rc = CLI__DONE;
	if (is_json) {
		fwrite(h.body.at, 1, h.body.len, cli__out());
	} else {
		const size_t width = name_columns(list);
		fprintf(cli__out(), "%6s %-19s %10s %9s  %-*s  %s\n", "ID",
		        "BEGAN (UTC)", "REQUESTS", "SIZE", (int)width, "NAME",
		        "HEADLINE");
		for (size_t i = 0; i < tailbox__tree_count(list); i++)
			put_artifact(tailbox__tree_at(list, i), width);
	}
	tailbox__tree_free(root);
done:
	cli__http_fini(&h);
	return rc;
}

int cli__ls(const struct cli__command *self, int argc, char **argv)
{
	bool is_json = false;
	const struct cli__option options[] = {
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__target t;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc))
		return rc;
	if (first == argc)
		return list_services(is_json);
	if (!cli__target_service(self, argv[first], &t, &rc))
		return rc;
	return list_artifacts(&t, is_json);
}
