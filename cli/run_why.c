/* cli/run_why.c - nothing is recorded: the likely cause.
 *
 * SPDX-License-Identifier: MIT
 *
 * From what the process has loaded, what its file holds, and whether the agent
 * was loaded at all. What the agent itself refuses it says itself.
 */
#include "cli/run.h"

#include <string.h>
#include <sys/wait.h>

#include "cli/proc.h"
#include "core/alloc.h"

#define MAPS_MAX ((size_t)8 << 20)

/* The loader maps the agent before the libraries of the program: one without
 * it is another program, started by the first in its own place. */
void cli__run_watch(struct cli__run *r)
{
	size_t len;
	char *maps = cli__proc_read((uint32_t)r->pid, "maps", MAPS_MAX, &len);

	if (maps != NULL && strstr(maps, "/libmicrohttpd.so")) {
		r->has_mhd = true;
		r->is_another = strstr(maps, r->library) == NULL;
	}
	tailbox__free(maps);
}

bool cli__run_is_told(const struct cli__run *r)
{
	return r->board != NULL && atomic_load(&r->board->taken) > 0;
}

static const char *cause(const struct cli__run *r)
{
	if (atomic_load(&r->board->loaded) == 0)
		return "the loader did not load the agent into it";
	if (r->is_static_mhd)
		return "libmicrohttpd is linked into it, where the agent "
		       "cannot reach it; link it as a shared library";
	if (r->is_another)
		return "it has become another program (exec), which is "
		       "recorded only with --children";
	if (r->has_mhd && r->status != -1)
		return "it has started no daemon of libmicrohttpd";
	if (r->has_mhd)
		return "it has started no daemon so far, or calls it past the "
		       "agent (dlsym(), -Bsymbolic); it is recorded when it "
		       "does";
	if (r->is_script)
		return "it is a script, and recorded is what a script starts "
		       "only with --children";
	return "it loads no libmicrohttpd; programs that it starts are "
	       "recorded with --children";
}

void cli__run_say_why(const struct cli__run *r)
{
	cli__say("%s is not recorded: %s", r->argv[0], cause(r));
}
