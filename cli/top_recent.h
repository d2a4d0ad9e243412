/* cli/top_recent.h - what the records of a tape tell of its last seconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_TOP_RECENT_H
#define TAILBOX_CLI_TOP_RECENT_H 1

#include "cli/top_model.h"

#define CLI__RECENT_SECONDS 10u
#define CLI__RECENT_SLICES 16u
#define CLI__RECENT_SUB 64u /* buckets per doubling: 0.8% */
#define CLI__RECENT_BUCKETS (59u * CLI__RECENT_SUB)
#define CLI__RECENT_VALUES_MAX 1020u /* of a sample: 255 records of 4 */
#define CLI__RECENT_CPU_MAX 128u
#define CLI__RECENT_STACKS 64u

struct cli__recent {
	uint64_t zero, hz; /* a slice is a second since this tick */
	uint64_t limit;    /* later ticks are damage */
	uint64_t last;     /* tick of the last thing that a record tells */
	struct cli__recent_slice {
		uint64_t second, count, status_5xx, max;
		uint32_t buckets[CLI__RECENT_BUCKETS];
	} slices[CLI__RECENT_SLICES];
	/* the newest sample */
	struct tailbox__rec_sample sample; /* tick 0 = none */
	struct cli__recent_value {
		uint16_t metric, subject;
		uint64_t value;
	} values[CLI__RECENT_VALUES_MAX];
	size_t value_count;
	/* CPU time of the process, by sample */
	struct {
		uint64_t tick, cpu_us;
	} cpu[CLI__RECENT_CPU_MAX];
	size_t cpu_count; /* ever */
	/* the last stacks that were taken of held workers */
	struct cli__recent_stack {
		struct tailbox__rec_stack head;
		uint64_t frame[TAILBOX__STACK_DEPTH];
	} stacks[CLI__RECENT_STACKS];
	size_t stack_count; /* ever */
	/* gauge moves of requests that may be open */
	struct {
		struct cli__recent_move {
			uint64_t number;
			uint16_t name;
			int8_t by;
		} *items;
		size_t count, room;
	} moves;
};

/* zero, hz of the tape; 0 or -ENOMEM. Freed by cli__recent_destroy(). */
int cli__recent_create(uint64_t zero, uint64_t hz, struct cli__recent **out);
void cli__recent_destroy(struct cli__recent *c); /* NULL allowed */
/* For tailbox__reader_poll(); cls is a struct cli__recent. */
int cli__recent_take(void *cls, unsigned kind, uint32_t thread,
                     const char *records, size_t bytes);
/* Rates up to `now`, of what is whole since the tick `since`. */
void cli__recent_rates(const struct cli__recent *c, uint64_t now,
                       uint64_t since, struct tailbox__clock_scale scale,
                       struct cli__top_rates *out);
/* CPU of the process within the last ten seconds, of one CPU in millionths;
 * TAILBOX__NONE without two samples of that time. */
uint64_t cli__recent_cpu_ppm(const struct cli__recent *c, uint64_t now);
/* A value of the newest sample, TAILBOX__NONE when it has none. */
uint64_t cli__recent_value(const struct cli__recent *c, unsigned metric,
                           uint16_t subject);
/* What was taken of the hold of a thread that began at this tick, or NULL. */
const struct cli__recent_stack *
cli__recent_stack(const struct cli__recent *c, uint32_t thread, uint64_t hold);

#endif
