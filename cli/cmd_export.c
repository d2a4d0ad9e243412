/* cli/cmd_export.c - `tailbox export --to json`: Run JSON of anything.
 *
 * SPDX-License-Identifier: MIT
 *
 * An artifact becomes the same run in its other form. A tape becomes one run
 * of all that it holds, whether its process lives or was killed.
 */
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "cli/load.h"
#include "cli/outfile.h"
#include "core/run_json.h"

static int print(const struct tailbox__run *run)
{
	int rc = tailbox__run_json_write(run, STDOUT_FILENO);

	if (rc < 0)
		return cli__fail("cannot write to standard output: %s",
		                 tailbox_strerror(rc));
	return CLI__DONE;
}

static int save(const struct tailbox__run *run, const char *path)
{
	struct cli__outfile f;

	if (!cli__outfile_open(&f, path))
		return CLI__NO;
	int rc = tailbox__run_json_write(run, f.fd);
	if (rc < 0) {
		cli__say("%s: cannot write: %s", path, tailbox_strerror(rc));
		cli__outfile_abort(&f);
		return CLI__NO;
	}
	return cli__outfile_commit(&f, true) ? CLI__DONE : CLI__NO;
}

int cli__export(const struct cli__command *self, int argc, char **argv)
{
	const char *to = NULL, *path = NULL;
	const struct cli__option options[] = {
		{ "to", 0, CLI__TEXT, &to, 0, 0 },
		{ "output", 'o', CLI__TEXT, &path, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__target t;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc))
		return rc;
	if (!to)
		return cli__usage(self, "--to is missing; there is --to json");
	if (strcmp(to, "json"))
		return cli__usage(self, "--to: \"%s\" is not json", to);
	if (!cli__target(self, first < argc ? argv[first] : NULL, &t, &rc))
		return rc;
	struct tailbox__run *run = cli__load(&t);
	if (!run)
		return CLI__NO;
	rc = path && strcmp(path, "-") ? save(run, path) : print(run);
	tailbox__run_destroy(run);
	return rc;
}
