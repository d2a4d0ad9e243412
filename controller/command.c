/* controller/command.c - the installed command, run on an artifact.
 *
 * SPDX-License-Identifier: MIT
 *
 * Reports over HTTP and headlines both analyze, and an analysis may take a
 * CPU and a GiB for a while: so there is one child at a time, whoever asks.
 * Who waits looks for his turn every few milliseconds, on a thread that has
 * nothing else to do; a condition would have to be woken by whoever stops him.
 */
#include "controller/command.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/settings.h"
#include "core/alloc.h"

#define TURN_MS 5

/* 300 000 requests with 600 000 stages, the most that a window holds by
 * default, took 3 s of CPU and 110 MiB as Run JSON. A busy machine gives to
 * nice 19 what is left, so the clock has more patience. */
struct tailbox__child_limits tailbox__report_limits = {
	.wall_ms = 60000,
	.cpu_s = 20,
	.memory_bytes = (uint64_t)1 << 30,
	.output_bytes = (size_t)4 << 20,
};

static atomic_bool is_busy;

int tailbox__command_find(char path[TAILBOX__CONFIG_PATH_MAX + 1])
{
	struct tailbox__config *c = tailbox__alloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	tailbox__settings_copy(c);
	snprintf(path, TAILBOX__CONFIG_PATH_MAX + 1, "%s",
	         c->admin.report_command[0] != '\0' ? c->admin.report_command
	                                            : TAILBOX_BINDIR
	                 "/tailbox");
	tailbox__free(c);
	return 0;
}

const char *tailbox__command_why_not(const char *path)
{
	/* What a path is relative to is not the service's business. */
	if (path[0] != '/')
		return "the path is not absolute";
	return access(path, X_OK) == 0 ? NULL : tailbox_strerror(-errno);
}

void tailbox__command_run(char *const *argv,
                          const struct tailbox__child_limits *limits,
                          const atomic_bool *stop, struct tailbox__child *out)
{
	/* relaxed, all three: the turn hands over no data */
	while (atomic_exchange_explicit(&is_busy, true, memory_order_relaxed)) {
		if (atomic_load_explicit(stop, memory_order_relaxed)) {
			memset(out, 0, sizeof(*out));
			out->end = TAILBOX__CHILD_STOPPED;
			return;
		}
		(void)poll(NULL, 0, TURN_MS);
	}
	tailbox__child_run(argv, NULL, limits, stop, out);
	atomic_store_explicit(&is_busy, false, memory_order_relaxed);
}

void tailbox__command_in_child(void)
{
	atomic_store_explicit(&is_busy, false, memory_order_relaxed);
}
