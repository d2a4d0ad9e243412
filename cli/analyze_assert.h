/* cli/analyze_assert.h - `tailbox analyze --assert`: from words to exit codes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_ANALYZE_ASSERT_H
#define TAILBOX_CLI_ANALYZE_ASSERT_H 1

#include "analyzer/assert.h"
#include "cli/cli.h"

/* Parse what --assert gave; before anything is loaded. On false *rc is the
 * exit code. The list must outlive out. */
bool cli__asserts_take(const struct cli__command *self,
                       const struct cli__list *given, bool is_compat,
                       struct tailbox__asserts *out, int *rc);
/* Look for the routes in the run as it was loaded. An exit code. */
int cli__asserts_begin(const struct cli__command *self,
                       struct tailbox__asserts *a,
                       const struct tailbox__run *run);
/* After the report was printed: the lines, and the exit code. */
int cli__asserts_end(const struct tailbox__asserts *a, bool is_json);

#endif
