/* cli/cmd_analyze.h - what `tailbox analyze` may do in place of its report.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_CMD_ANALYZE_H
#define TAILBOX_CLI_CMD_ANALYZE_H 1

#include "cli/cli.h"
#include "core/run.h"

#define CLI__SLOW_MAX_MS UINT64_C(86400000)

/* --failures: of a run that was judged fit for an analysis, and is normalized
 * on the way. slow_ms 0: slow requests were not asked for. The exit code. */
int cli__analyze_failures(struct tailbox__run *run, uint64_t slow_ms,
                          bool is_json);

#endif
