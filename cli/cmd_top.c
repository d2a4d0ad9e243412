/* cli/cmd_top.c - `tailbox top`: what a process does, from its tape alone.
 *
 * SPDX-License-Identifier: MIT
 *
 * The process is asked for nothing, so this shows one that hangs, is stopped
 * or is dead as well as one that runs.
 */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/target.h"
#include "cli/top_model.h"

enum { COLUMNS = 100, COLUMNS_MIN = 40, COLUMNS_MAX = 400 };

/* Of the terminal that is written to; 0: it is none. */
static unsigned terminal_columns(void)
{
	struct winsize w;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || !w.ws_col)
		return 80;
	if (w.ws_col < COLUMNS_MIN)
		return COLUMNS_MIN;
	return w.ws_col < COLUMNS_MAX ? w.ws_col : COLUMNS_MAX;
}

static int once(struct cli__top_source *s, const char *path, bool is_json,
                unsigned columns)
{
	struct cli__top_view v = { .columns = columns, .filter = "" };
	struct cli__top_text text = { .len = 0 };
	const char *why;
	const struct cli__top *t = cli__top_frame(s, &why);

	if (!t)
		return cli__fail("%s: %s", path, why);
	if (is_json) {
		struct tailbox__json j;
		tailbox__json_init(&j, true);
		cli__top_json(t, &j);
		return cli__put_json(&j);
	}
	cli__top_render(t, &v, &text);
	const bool ok = !text.has_failed;
	if (ok)
		fwrite(text.text, 1, text.len, cli__out());
	cli__top_text_fini(&text);
	return ok ? CLI__DONE : cli__no_memory();
}

int cli__top_command(const struct cli__command *self, int argc, char **argv)
{
	bool is_once = false, is_json = false;
	uint64_t interval_ms = 1000, width = 0;
	const struct cli__option options[] = {
		{ "once", '1', CLI__FLAG, &is_once, 0, 0 },
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ "interval", 'i', CLI__DURATION, &interval_ms, 100, 60000 },
		{ "width", 'w', CLI__COUNT, &width, COLUMNS_MIN, COLUMNS_MAX },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__target t;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc) ||
	    !cli__target_service(self, first < argc ? argv[first] : NULL, &t,
	                         &rc))
		return rc;
	if (t.service.url[0])
		return cli__fail("%s: a tape is read on its own machine, not "
		                 "over a URL; tailbox status asks it",
		                 t.service.url);
	if (!t.service.tape[0])
		return cli__fail("%s (pid %u) has no tape", t.service.name,
		                 (unsigned)t.service.pid);
	struct cli__top_source *s = cli__top_open(t.service.tape);
	if (!s)
		return CLI__NO;
	if (is_once || is_json) {
		if (!width)
			width = terminal_columns();
		rc = once(s, cli__tape_place(&t.service), is_json,
		          width ? (unsigned)width : COLUMNS);
	} else {
		rc = cli__top_screen(s, cli__tape_place(&t.service),
		                    interval_ms);
	}
	cli__top_close(s);
	return rc;
}
