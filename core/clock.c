/* core/clock.c - choose the clock and measure it.
 *
 * SPDX-License-Identifier: MIT
 *
 * The TSC is taken only where the kernel keeps its own time by it: it has
 * then checked that all processors agree, which the CPUID bit alone does not
 * say. That is so by the name of its clock source, or, in virtual machines,
 * where that source is the host's page of TSC and scale: libc may read it
 * without entering the kernel only while the host vouches for the TSC on all
 * processors, and whether it does shows in what a reading costs. There the
 * TSC may step when the machine is moved or resumed, which the kernel's time
 * does not: the follower compares the two once a second and counts it.
 * The rate is measured against CLOCK_MONOTONIC over two milliseconds;
 * readers get a better one from the two anchors of the tape, which lie
 * further and further apart.
 */
#include "core/clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

struct tailbox__clock tailbox__clock = {
	.kind = TAILBOX__CLOCK_MONOTONIC,
	.hz = 1000000000u,
	.res_ns = 1,
	.jiffy_us = 4000
};

static uint64_t mono_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t tailbox__clock_slow(void)
{
	if (tailbox__clock.kind == TAILBOX__CLOCK_INJECTED)
		return tailbox__clock.injected();
#if defined(__x86_64__)
	if (tailbox__clock.kind == TAILBOX__CLOCK_TSC)
		return __rdtsc();
#endif
	return mono_ns(CLOCK_MONOTONIC);
}

void tailbox__anchor_take(struct tailbox__anchor *a)
{
	uint64_t best = UINT64_MAX;

	/* The tightest of a few: the pair belongs to the midpoint. */
	for (int i = 0; i < 8; i++) {
		uint64_t before = mono_ns(CLOCK_MONOTONIC);
		uint64_t tick = tailbox__now();
		uint64_t wall = mono_ns(CLOCK_REALTIME);
		uint64_t after = mono_ns(CLOCK_MONOTONIC);
		if (after - before < best) {
			best = after - before;
			a->tick = tick;
			a->wall_ns = wall;
			a->mono_ns = before + (after - before) / 2;
		}
	}
}

#if defined(__x86_64__)
/* The cheapest of many calls, in cycles. */
static uint64_t cost_of(bool is_clock)
{
	uint64_t best = UINT64_MAX;
	struct timespec ts;

	for (int i = 0; i < 64; i++) {
		uint64_t before = __rdtsc(), cost;

		if (is_clock)
			clock_gettime(CLOCK_MONOTONIC, &ts);
		else
			(void)syscall(SYS_getppid);
		cost = __rdtsc() - before;
		if (cost < best)
			best = cost;
	}
	return best;
}
#endif

bool tailbox__clock_is_by_tsc(const char *source)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;

	/* The TSC runs at one rate in all states of the processor. */
	if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & 1u << 8))
		return false;
	if (strcmp(source, "tsc") == 0)
		return true;
	if (strcmp(source, "kvm-clock") != 0 &&
	    strcmp(source, "hyperv_clocksource_tsc_page") != 0)
		return false;
	return cost_of(true) < cost_of(false) / 2;
#else
	(void)source;
	return false;
#endif
}

static bool kernel_uses_tsc(void)
{
	char text[64] = "";
	int fd = open("/sys/devices/system/clocksource/clocksource0/"
	              "current_clocksource", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return tailbox__clock_is_by_tsc(text);
}

bool tailbox__clock_has_stepped(const struct tailbox__anchor *before,
                                const struct tailbox__anchor *now, uint64_t hz)
{
	const uint64_t real = now->mono_ns - before->mono_ns;
	const uint64_t ticks = now->tick - before->tick;
	uint64_t shown, off;

	if ((int64_t)ticks < 0)
		return true;
	shown = tailbox__ticks_to_ns(tailbox__scale_of_hz(hz), ticks);
	off = shown > real ? shown - real : real - shown;
	return off > 10000000u + real / 100;
}

static uint64_t measure_hz(void)
{
	struct tailbox__anchor a, b;

	tailbox__anchor_take(&a);
	do
		tailbox__anchor_take(&b);
	while (b.mono_ns - a.mono_ns < 2000000);
	return (uint64_t)((unsigned __int128)(b.tick - a.tick) * 1000000000u /
	                  (b.mono_ns - a.mono_ns));
}

static uint32_t measure_resolution(void)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 64; i++) {
		uint64_t a = tailbox__now(), b;
		do
			b = tailbox__now();
		while (b == a);
		if (b - a < best)
			best = b - a;
	}
	best = best * 1000000000u / tailbox__clock.hz;
	return best ? (uint32_t)best : 1;
}

void tailbox__clock_init(void)
{
	struct timespec coarse;

	if (tailbox__clock.kind == TAILBOX__CLOCK_INJECTED)
		return;
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &coarse) == 0 &&
	    coarse.tv_sec == 0 && coarse.tv_nsec > 0)
		tailbox__clock.jiffy_us = (uint32_t)(coarse.tv_nsec / 1000);
	if (tailbox__clock.kind == TAILBOX__CLOCK_TSC)
		return;
	if (kernel_uses_tsc()) {
		tailbox__clock.kind = TAILBOX__CLOCK_TSC;
		tailbox__clock.hz = measure_hz();
	}
	tailbox__clock.res_ns = measure_resolution();
}

void tailbox__clock_inject(uint64_t (*fn)(void), uint64_t hz)
{
	tailbox__clock.injected = fn;
	tailbox__clock.kind =
	        fn ? TAILBOX__CLOCK_INJECTED : TAILBOX__CLOCK_MONOTONIC;
	tailbox__clock.hz = fn ? hz : 1000000000u;
	tailbox__clock.res_ns = 1;
}

struct tailbox__clock_scale tailbox__scale_of_hz(uint64_t hz)
{
	struct tailbox__clock_scale s;

	if (hz == 0)
		hz = 1000000000u;
	s.mult = (uint64_t)(((unsigned __int128)1000000000u << 32) / hz);
	return s;
}
