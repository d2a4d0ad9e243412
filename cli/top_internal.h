/* cli/top_internal.h - what the files of top's model share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_TOP_INTERNAL_H
#define TAILBOX_CLI_TOP_INTERNAL_H 1

#include <errno.h>
#include <time.h>

#include "analyzer/symbols.h"
#include "cli/top_recent.h"

#define CLI__COST_NOTES 16u

struct cli__top_source {
	struct tailbox__reader *reader;
	struct cli__recent *recent;
	struct tailbox__symbols symbols;
	struct cli__top frame;
	/* of the present frame */
	struct tailbox__clock_scale scale;
	const struct tailbox__slot *slots;
	const struct tailbox__thread_entry *threads;
	long slot_count, thread_count;
	uint64_t now; /* tick up to which ages count */
	uint64_t now_ns; /* CLOCK_MONOTONIC of ours */
	uint64_t whole_since;
	struct cli__cost_note {
		uint64_t at_ns, own_ns, process_ns;
	} notes[CLI__COST_NOTES];
	size_t note_count;
};

/* From a tick to the frame's present. */
uint64_t cli__top_ns(const struct cli__top_source *s, uint64_t tick);
struct cli__top_where cli__top_where(const struct cli__top_source *s,
                                     const struct tailbox__slot *q);
/* The route, in `text` (128 bytes) where it is no name yet. */
const char *cli__top_route(const struct cli__top_source *s,
                           const struct tailbox__slot *q, char *text);
/* The open request that holds a thread; NULL: none. */
const struct tailbox__slot *
cli__top_holder(const struct cli__top_source *s,
                const struct tailbox__thread_entry *e);

/* Parts of the frame; false: out of memory. */
bool cli__top_put_requests(struct cli__top_source *s);
bool cli__top_put_workers(struct cli__top_source *s); /* after requests */
bool cli__top_put_queues(struct cli__top_source *s);
bool cli__top_put_gauges(struct cli__top_source *s);

#endif
