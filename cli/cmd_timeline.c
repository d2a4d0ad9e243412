/* cli/cmd_timeline.c - `tailbox timeline`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "analyzer/timeline.h"
#include "cli/load.h"

int cli__timeline(const struct cli__command *self, int argc, char **argv)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__timeline_options o;
	uint64_t slowest = TAILBOX__TIMELINE_SLOWEST;
	uint64_t width = TAILBOX__TIMELINE_WIDTH;
	bool is_json = false;
	struct cli__target t;
	int first, rc;

	tailbox__timeline_options_init(&o);
	const struct cli__option options[] = {
		{ "route", 'r', CLI__TEXT, &o.route, 0, 0 },
		{ "request", 0, CLI__TEXT, &o.request, 0, 0 },
		{ "slowest", 's', CLI__COUNT, &slowest, 0,
		  TAILBOX__TIMELINE_SLOWEST_MAX },
		{ "width", 'w', CLI__COUNT, &width,
		  TAILBOX__TIMELINE_WIDTH_MIN, TAILBOX__TIMELINE_WIDTH_MAX },
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc) ||
	    !cli__target(self, first < argc ? argv[first] : NULL, &t, &rc))
		return rc;
	o.slowest = (size_t)slowest;
	o.width = (size_t)width;
	struct tailbox__run *run = cli__load(&t);
	if (!run)
		return CLI__NO;
	if (is_json) {
		struct tailbox__json j;
		tailbox__json_init(&j, true);
		rc = tailbox__timeline_json(run, &o, &j, &err);
		if (rc < 0)
			tailbox__json_fini(&j);
		else
			rc = cli__put_json(&j);
	} else {
		rc = tailbox__timeline_text(run, &o, cli__out(), &err);
	}
	tailbox__run_destroy(run);
	return rc < 0 ? cli__fail("%s", err.text) : rc;
}
