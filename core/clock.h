/* core/clock.h - the one clock of the recording: ticks.
 *
 * SPDX-License-Identifier: MIT
 *
 * A tick is a TSC cycle where the kernel itself keeps time by the TSC, else a
 * nanosecond of CLOCK_MONOTONIC. Ticks never go backwards on one thread.
 * Converting them is the reader's work: see struct tailbox__clock_scale.
 */
#ifndef TAILBOX_CORE_CLOCK_H
#define TAILBOX_CORE_CLOCK_H 1

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum tailbox__clock_kind {
	TAILBOX__CLOCK_MONOTONIC = 1,
	TAILBOX__CLOCK_TSC = 2,
	TAILBOX__CLOCK_INJECTED = 3 /* tests */
};

struct tailbox__clock {
	uint32_t kind;
	uint64_t (*injected)(void);
	uint64_t hz;       /* ticks per second, measured at start */
	uint32_t res_ns;   /* measured resolution, at least 1 */
	uint32_t jiffy_us; /* resolution of tcpi_last_data_recv and the like */
};

extern struct tailbox__clock tailbox__clock
        __attribute__((visibility("hidden"))); /* no detour by the GOT */

/* Choose and calibrate; about 2 ms. Idempotent. */
void tailbox__clock_init(void);
/* Tests, before start only: NULL goes back to the real clock. hz: ticks per
 * second of fn. */
void tailbox__clock_inject(uint64_t (*fn)(void), uint64_t hz);

uint64_t tailbox__clock_slow(void);

/* Now, in ticks. Any thread; about 10 ns with the TSC. */
static inline uint64_t tailbox__now(void)
{
#if defined(__x86_64__)
	if (__builtin_expect(tailbox__clock.kind == TAILBOX__CLOCK_TSC, 1))
		return __rdtsc();
#endif
	return tailbox__clock_slow();
}

/* One instant on three clocks. */
struct tailbox__anchor {
	uint64_t tick, mono_ns, wall_ns;
};
void tailbox__anchor_take(struct tailbox__anchor *a);
/* Between two anchors the ticks went on by another time than the kernel's
 * clock: by more than 1% and 10 ms. hz: ticks per second. */
bool tailbox__clock_has_stepped(const struct tailbox__anchor *before,
                                const struct tailbox__anchor *now,
                                uint64_t hz);
/* Whether a kernel whose clock source has this name keeps time by the TSC of
 * this machine. About 20 us for those of virtual machines. */
bool tailbox__clock_is_by_tsc(const char *source);

static inline uint64_t tailbox__us_to_ticks(uint64_t us)
{
	return (uint64_t)((unsigned __int128)us * tailbox__clock.hz / 1000000u);
}

/* ns = ticks * mult >> shift, monotone. */
struct tailbox__clock_scale {
	uint64_t mult; /* 2^32 * ns per tick */
};
struct tailbox__clock_scale tailbox__scale_of_hz(uint64_t hz);
static inline uint64_t tailbox__ticks_to_ns(struct tailbox__clock_scale s,
                                            uint64_t ticks)
{
	return (uint64_t)(((unsigned __int128)ticks * s.mult) >> 32);
}
static inline uint64_t tailbox__ns_to_ticks(struct tailbox__clock_scale s,
                                            uint64_t ns)
{
	return s.mult ? (uint64_t)(((unsigned __int128)ns << 32) / s.mult) : 0;
}

#endif
