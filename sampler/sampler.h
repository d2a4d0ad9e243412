/* sampler/sampler.h - the thread that samples workers, queues, the machine.
 *
 * SPDX-License-Identifier: MIT
 *
 * Samples go onto the tape like everything else; whether a window keeps them
 * is the reader's decision. Registered pools: tailbox/pool.h.
 */
#ifndef TAILBOX_SAMPLER_SAMPLER_H
#define TAILBOX_SAMPLER_SAMPLER_H 1

#include <stdbool.h>
#include <stdint.h>

/* Start the thread; one sample at once, then one per interval (ms). Needs an
 * open recorder. 0 or -errno; -EALREADY. */
int tailbox__sampler_start(uint32_t interval_ms);
/* Signal and join. Does nothing when not started. */
void tailbox__sampler_stop(void);
/* New interval from the next tick on; the next tick is taken at once. Any
 * thread. 0 = parked (no samples). */
void tailbox__sampler_set_interval(uint32_t interval_ms);
uint32_t tailbox__sampler_interval(void);
/* Park: no samples and no wakeups; waits, not long, for one that is under
 * way. Or go on, at the interval there is. Any thread. */
void tailbox__sampler_park(bool is_parked);

/* Have the stacks looked at (sampler/stack.h) at once. Any thread. */
void tailbox__sampler_look_soon(void);

/* Public: tailbox_sample_now() of tailbox/sample.h. */

/* CPU time that the sampler used so far, and samples taken. */
struct tailbox__sampler_cost {
	uint64_t cpu_ns, samples;
};
void tailbox__sampler_cost(struct tailbox__sampler_cost *out);
/* In a forked child: forget the thread. */
void tailbox__sampler_in_child(void);

#endif
