/* cli/report_view.c - a report as one of the forms that commands print.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/report_view.h"

#include <string.h>

#include "analyzer/screen.h"

bool cli__view_of(const char *word, enum cli__view *out)
{
	if (!strcmp(word, "text"))
		*out = CLI__VIEW_SCREEN;
	else if (!strcmp(word, "json"))
		*out = CLI__VIEW_JSON;
	else if (!strcmp(word, "line"))
		*out = CLI__VIEW_LINE;
	else
		return false;
	return true;
}

void cli__view_names(const struct cli__target *t, const char *arg,
                     struct cli__view_names *out)
{
	char word[CLI__PATH_MAX];

	*out = (struct cli__view_names){ .artifact = "" };
	if (t->kind == CLI__TARGET_SERVICE && cli__is_alive(&t->service))
		cli__target_word(t, out->service, sizeof(out->service));
	if (t->kind == CLI__TARGET_STDIN)
		return;
	if (arg) {
		snprintf(out->artifact, sizeof(out->artifact), "%s", arg);
		return;
	}
	cli__target_word(t, word, sizeof(word));
	snprintf(out->artifact, sizeof(out->artifact), "%s%s%s", word,
	         t->artifact[0] ? "#" : "", t->artifact);
}

static int put_screen(const struct cli__view_names *names,
                      const struct tailbox__report *r,
                      const struct tailbox__run *run,
                      const struct tailbox__analyzer_options *o)
{
	const struct tailbox__screen_names n = {
		.artifact = names->artifact[0] ? names->artifact : NULL,
		.service = names->service[0] ? names->service : NULL,
	};

	return tailbox__screen(r, run, o, &n, cli__out()) < 0 ? cli__no_memory()
	                                                      : CLI__DONE;
}

static int put_text(const struct tailbox__report *r,
                    const struct tailbox__run *run,
                    const struct tailbox__analyzer_options *o)
{
	if (tailbox__report_text(r, run, o, cli__out()) < 0)
		return cli__no_memory();
	fputc('\n', cli__out());
	return CLI__DONE;
}

static int put_json(const struct tailbox__report *r,
                    const struct tailbox__run *run,
                    const struct tailbox__analyzer_options *o)
{
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	if (tailbox__report_json(r, run, o, &j) == 0)
		return cli__put_json(&j);
	tailbox__json_fini(&j);
	return cli__no_memory();
}

int cli__put_report(enum cli__view view, const struct cli__view_names *names,
                    const struct tailbox__report *r,
                    const struct tailbox__run *run,
                    const struct tailbox__analyzer_options *o)
{
	int rc = CLI__DONE;

	switch (view) {
	case CLI__VIEW_JSON:
		return put_json(r, run, o);
	case CLI__VIEW_LINE:
		fprintf(cli__out(), "%s\n", r->headline);
		return CLI__DONE;
	case CLI__VIEW_SCREEN:
		return r->is_compat ? put_text(r, run, o)
		                    : put_screen(names, r, run, o);
	case CLI__VIEW_ALL:
		if (!r->is_compat)
			rc = put_screen(names, r, run, o);
		if (rc == CLI__DONE && !r->is_compat)
			fputc('\n', cli__out());
		return rc == CLI__DONE ? put_text(r, run, o) : rc;
	}
	return rc;
}

int cli__put_first_screen(struct tailbox__run *run,
                          const struct cli__view_names *names)
{
	struct tailbox__analyzer_options o;
	struct tailbox__report r = { .is_compat = false };
	int rc = CLI__DONE;

	if (tailbox__analyzer_options_init(&o) < 0 ||
	    tailbox__analyze(run, &o, false, &r) < 0)
		rc = cli__no_memory();
	else
		rc = put_screen(names, &r, run, &o);
	tailbox__report_fini(&r);
	tailbox__analyzer_options_fini(&o);
	return rc;
}
