/* controller/handover.c - start a program with each finished artifact.
 *
 * SPDX-License-Identifier: MIT
 *
 * The program is the operator's (artifacts.on_artifact): it uploads, or tells
 * somebody. It runs as a child in the way of a report, without shell, at nice
 * 19, in a process group of its own, and gets the artifact's path as its one
 * argument; of the service's environment it has PATH and nothing else, for
 * there may be secrets in it. One at a time; on its line in after.c others
 * wait, so a program that hangs delays hand-overs and nothing else.
 *
 * The status is guarded by the controller's lock.
 */
#include "controller/after.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/child.h"
#include "core/tailbox.h"

#define TRIES 3

struct tailbox__handover_times tailbox__handover_times = {
	.pause_ms = { 1000, 5000 },
	.term_ms = 5000,
};

static struct tailbox__handover_status status;

/* --- what it is given ---------------------------------------------------- */

#define PATH_USUAL "/usr/local/bin:/usr/bin:/bin"

struct given {
	char path[PATH_MAX + TAILBOX__FILE_NAME_BYTES];
	char artifact[PATH_MAX + TAILBOX__FILE_NAME_BYTES + 32];
	char id[64], kind[64], name[300], service[128], headline[200];
	char search[4096 + 8];
	char *all[8];
};

static void give(struct given *g, const struct tailbox__after *a)
{
	const struct tailbox__controller_config *c = &tailbox__c.config;

	snprintf(g->path, sizeof(g->path), "%s/%s%s", c->artifact_dir, a->name,
	         TAILBOX__ARTIFACT_SUFFIX);
	snprintf(g->artifact, sizeof(g->artifact), "TAILBOX_ARTIFACT=%s",
	         g->path);
	snprintf(g->id, sizeof(g->id), "TAILBOX_ID=%s", a->id);
	snprintf(g->kind, sizeof(g->kind), "TAILBOX_KIND=%s", a->kind);
	snprintf(g->name, sizeof(g->name), "TAILBOX_NAME=%s", a->name);
	snprintf(g->service, sizeof(g->service), "TAILBOX_SERVICE=%s",
	         c->service);
	snprintf(g->headline, sizeof(g->headline), "TAILBOX_HEADLINE=%s",
	         a->headline);
	snprintf(g->search, sizeof(g->search), "PATH=%s",
	         c->path != NULL && c->path[0] != '\0' ? c->path : PATH_USUAL);
	char *const all[] = { g->search, g->artifact, g->id,       g->kind,
		              g->name,   g->service,  g->headline, NULL };
	memcpy(g->all, all, sizeof(all));
}

/* --- status --------------------------------------------------------------- */

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void note(const struct tailbox__after *a, const char *result,
                 unsigned tries, const char *detail)
{
	tailbox__lock();
	memcpy(status.name, a->name, sizeof(status.name));
	status.result = result;
	status.tries = tries;
	status.at_ms = wall_ms();
	snprintf(status.detail, sizeof(status.detail), "%s", detail);
	tailbox__unlock();
}

static void count(uint64_t *counter)
{
	tailbox__lock();
	(*counter)++;
	tailbox__unlock();
}

void tailbox__handover_drop(const struct tailbox__after *a, unsigned tries,
                            const char *why)
{
	count(&status.dropped);
	note(a, "dropped", tries, why);
	tailbox__log("%s is not handed over: %s", a->name, why);
}

void tailbox__handover_reset(void)
{
	memset(&status, 0, sizeof(status));
	status.at_ms = TAILBOX__NONE;
}

void tailbox__handover_status(struct tailbox__handover_status *out)
{
	*out = status;
}

/* --- trying --------------------------------------------------------------- */

/* True: it is settled, and there is no further try. */
static bool settle(const struct tailbox__after *a, unsigned tries,
                   const struct tailbox__child *c, const char *why)
{
	switch (c->end) {
	case TAILBOX__CHILD_EXITED:
		if (c->code != 0)
			return false;
		count(&status.succeeded);
		note(a, "succeeded", tries, "");
		tailbox__log("%s was handed to %s", a->name,
		             a->wishes.program);
		return true;
	case TAILBOX__CHILD_UNKNOWN:
		/* Perhaps it did its work: twice may be worse than once. */
		count(&status.unknown);
		note(a, "unknown", tries, why);
		return true;
	case TAILBOX__CHILD_STOPPED:
		tailbox__handover_drop(a, tries, "the service stops");
		return true;
	case TAILBOX__CHILD_LATE:
		count(&status.timed_out);
		return false;
	case TAILBOX__CHILD_KILLED:
	case TAILBOX__CHILD_TOO_MUCH:
	case TAILBOX__CHILD_NO_START:
		return false;
	}
	return false;
}

static bool try_once(const struct tailbox__after *a, struct given *g,
                     unsigned tries, const atomic_bool *stop, char *why,
                     size_t size)
{
	const struct tailbox__child_limits limits = {
		.wall_ms = a->wishes.program_ms,
		.term_ms = tailbox__handover_times.term_ms,
	};
	char program[TAILBOX__CONFIG_PATH_MAX + 1];
	char *argv[] = { program, g->path, NULL };
	struct tailbox__child c;

	memcpy(program, a->wishes.program, sizeof(program));
	note(a, "running", tries, why);
	count(&status.started);
	tailbox__child_run(argv, g->all, &limits, stop, &c);
	if (c.end == TAILBOX__CHILD_NO_START) {
		tailbox__lock();
		status.started--;
		tailbox__unlock();
	}
	tailbox__child_why(&c, &limits, why, size);
	return settle(a, tries, &c, why);
}

/* False: the service stops. */
static bool pause_for(uint64_t ms, const atomic_bool *stop)
{
	const uint64_t end = tailbox__mono_ns() + ms * 1000000u;
	uint64_t now;
	bool is_stopped;

	tailbox__lock();
	/* relaxed: it is written under the lock */
	while (!(is_stopped = atomic_load_explicit(stop,
	                                           memory_order_relaxed)) &&
	       (now = tailbox__mono_ns()) < end)
		tailbox__wait(&tailbox__c.after_changed, end - now);
	tailbox__unlock();
	return !is_stopped;
}

void tailbox__hand_over(const struct tailbox__after *a, const atomic_bool *stop)
{
	struct given g;
	char why[300] = "";

	give(&g, a);
	for (unsigned i = 1; i <= TRIES; i++) {
		if (i > 1 &&
		    !pause_for(tailbox__handover_times.pause_ms[i - 2], stop)) {
			tailbox__handover_drop(a, i - 1, "the service stops");
			return;
		}
		if (access(g.path, F_OK) != 0) {
			tailbox__handover_drop(a, i - 1,
			                       "the artifact is gone");
			return;
		}
		if (try_once(a, &g, i, stop, why, sizeof(why)))
			return;
	}
	count(&status.failed);
	note(a, "failed", TRIES, why);
	tailbox__log("%s was not handed over: %s: %s", a->name,
	             a->wishes.program, why);
}
