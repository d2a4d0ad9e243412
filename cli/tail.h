/* cli/tail.h - finished requests of a tape, as it fills.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_TAIL_H
#define TAILBOX_CLI_TAIL_H 1

#include "core/request_line.h"

struct cli__tail_filter {
	uint64_t slow_ns;  /* at least so long */
	const char *route; /* NULL = all */
	unsigned status_from, status_to; /* 0, 0 = all */
};

/* "500", "5xx", "4xx". False: it is none. */
bool cli__tail_status(const char *text, struct cli__tail_filter *f);

struct cli__tail;
/* From now on; since: or of those that ended after this tick. NULL: out of
 * memory. */
struct cli__tail *cli__tail_create(struct tailbox__reader *r,
                                   const struct cli__tail_filter *filter,
                                   uint64_t since);
void cli__tail_destroy(struct cli__tail *t); /* NULL allowed */
/* Called for a request; what it gives back other than 0 ends the poll. */
typedef int (*cli__tail_fn)(void *cls, const struct tailbox__line *line);
/* Look once at the tape and hand out, in the order of their ends, the requests
 * that were found by the look before: their waits are known by now. 0, what
 * fn gave, or -errno. */
int cli__tail_poll(struct cli__tail *t, cli__tail_fn fn, void *cls);
/* Those that the tape kept because they were slow, failed or cancelled, oldest
 * first; since: as above. 0, what fn gave, or -errno. */
int cli__tail_kept(struct tailbox__reader *r,
                   const struct cli__tail_filter *filter, uint64_t since,
                   cli__tail_fn fn, void *cls);
/* Requests that ended since the start and were overwritten before they were
 * read; right when the service rests, else by those of the last moment. */
uint64_t cli__tail_skipped(const struct cli__tail *t);
/* Blocks and names of the tape that cannot be, met so far. */
uint64_t cli__tail_damaged(const struct cli__tail *t);

#endif
