/* cli/cmd_analyze_failures.c - `tailbox analyze --failures`.
 *
 * SPDX-License-Identifier: MIT
 *
 * That requests failed is no reason to exit with another code: it was asked
 * what they have in common, and that is told.
 */
#include "cli/cmd_analyze.h"

#include "analyzer/failures.h"

static int print(const struct tailbox__failures *f,
                 const struct tailbox__run *run, bool is_json)
{
	struct tailbox__json j;

	if (!is_json)
		return tailbox__failures_text(f, run, cli__out()) < 0
		               ? cli__no_memory()
		               : CLI__DONE;
	tailbox__json_init(&j, true);
	tailbox__failures_json(f, run, &j);
	return cli__put_json(&j);
}

int cli__analyze_failures(struct tailbox__run *run, uint64_t slow_ms,
                          bool is_json)
{
	struct tailbox__failures f;
	int rc;

	if (tailbox__failures_make(
	            run, slow_ms == 0 ? TAILBOX__NONE : slow_ms * 1000, &f) < 0)
		rc = cli__no_memory();
	else
		rc = print(&f, run, is_json);
	tailbox__failures_fini(&f);
	return rc;
}
