/* cli/top_cost.h - CPU time of a process and of the recorder's threads in it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_TOP_COST_H
#define TAILBOX_CLI_TOP_COST_H 1

#include <stdbool.h>
#include <stdint.h>

/* By /proc, as the kernel counts; false: it is not to be seen. */
bool cli__top_cost(uint32_t pid, uint64_t *own_ns, uint64_t *process_ns);

#endif
