/* cli/cmd_run.c - `tailbox run -- PROGRAM`: record a program as it is.
 *
 * SPDX-License-Identifier: MIT
 *
 * The program is started in any case, and its exit status is ours. Where it
 * cannot be recorded that is said, and it runs as it would have without us.
 */
#include "cli/run.h"

#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "core/alloc.h"

enum { LAST_MAX_MS = 86400000 };

/* Whether the agent can get in; what is in the way is said. */
static bool prepare(struct cli__run *r, struct cli__run_file *file)
{
	cli__run_look(r->path, file);
	r->is_script = file->is_script;
	r->is_static_mhd = file->is_static_mhd;
	r->has_mhd = file->needs_mhd;
	if (file->why_not[0] != '\0') {
		cli__say("%s is not recorded: %s", r->argv[0], file->why_not);
		return false;
	}
	return cli__run_find_agent(r) && cli__run_board_open(r);
}

static int start(struct cli__run *r)
{
	struct cli__run_file file;
	char **environment = environ;
	int rc = cli__run_find_program(r);

	if (rc != 0)
		return rc;
	if (prepare(r, &file)) {
		environment = cli__run_environment(r, file.first);
		if (environment == NULL) /* of the command: give up early */
			return cli__no_memory();
	}
	rc = cli__run_program(r, environment);
	if (environment != environ)
		cli__run_environment_fini(r, environment);
	if (rc != 0)
		return rc;
	if (r->board != NULL)
		cli__run_after(r);
	return cli__run_status(r);
}

int cli__run(const struct cli__command *self, int argc, char **argv)
{
	struct cli__run r = { .status = -1 };
	const struct cli__option options[] = {
		{ "last", 'l', CLI__DURATION, &r.last_ms, 1, LAST_MAX_MS },
		{ "output", 'o', CLI__TEXT, &r.output, 0, 0 },
		{ "name", 0, CLI__TEXT, &r.name, 0, 0 },
		{ "config", 0, CLI__TEXT, &r.config, 0, 0 },
		{ "dir", 0, CLI__TEXT, &r.dir, 0, 0 },
		{ "agent", 0, CLI__TEXT, &r.agent, 0, 0 },
		{ "children", 0, CLI__FLAG, &r.has_children, 0, 0 },
		{ "no-report", 0, CLI__FLAG, &r.is_quiet, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	int first, rc;

	if (!cli__options(self, argc, argv, options, 1, CLI__REST, &first,
	                  &rc))
		return rc;
	if (r.output != NULL && !strcmp(r.output, "-"))
		return cli__usage(self, "-o -: standard output is the "
		                        "program's; use a file");
	if (r.config != NULL)
		cli__config_tell(r.config);
	r.argv = argv + first;
	cli__run_keep_on(&r);
	return start(&r);
}
