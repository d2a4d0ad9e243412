/* bench/mhd.c - what does recording cost a server's emptiest request?
 *
 * SPDX-License-Identifier: MIT
 *
 * One process, the same connections throughout; the state (paused, recording,
 * recording with every trigger, armed) is changed every 4,000 requests of a
 * fixed-count client. CPU time of
 * the server's threads by schedstat; differences of neighbours, medians with
 * a 95% interval from order statistics; paused against paused is the noise
 * floor. Client and workers share one processor, which makes their turns the
 * same in every slice. Throughput or separate processes cannot resolve 1% (they were tried).
 * From this may NOT be concluded what happens when caches are full of other
 * work, or on a machine with another cost of a clock read.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <tailbox.h>

#include "bench/server.h"
#include "bench/triggers.h"
#include "controller/controller.h"
#include "controller/internal.h"
#include "core/recorder.h"

#define SLICE 4000
enum state { PAUSED, RECORDING, WATCHED, ARMED };

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

/* Median and the order statistics that bound it with 95% confidence. */
static void report(const char *what, double *v, int n, double base)
{
	int half = (int)ceil(1.96 * sqrt((double)n) / 2), low, high;

	qsort(v, (size_t)n, sizeof(*v), ascending);
	low = n / 2 - half < 0 ? 0 : n / 2 - half;
	high = n / 2 + half > n - 1 ? n - 1 : n / 2 + half;
	printf("  %-24s %+7.1f ns [%+.1f, %+.1f]  %+.2f%%  n %d\n", what,
	       v[n / 2], v[low], v[high], v[n / 2] / base * 100, n);
}

static int set_state(enum state s)
{
	struct tailbox__activation a;
	struct tailbox__window_status w;
	uint64_t id;
	uint32_t in_flight;

	tailbox__recorder_set(s != PAUSED);
	bench_triggers(s == WATCHED, "/");
	if (tailbox__follow() != 0) /* the settings count from here on */
		return -1;
	tailbox__window_status(&w);
	if (s == ARMED && w.state == TAILBOX__WINDOW_DISABLED) {
		tailbox__activation_init(&a, TAILBOX__MODE_LIGHT);
		return tailbox__arm(&a, &id, NULL);
	}
	if (s != ARMED && w.state != TAILBOX__WINDOW_DISABLED) {
		tailbox__disarm(&id, &in_flight, NULL);
		/* The writing of the artifact is not the request's cost. */
		do {
			usleep(2000);
			tailbox__window_status(&w);
		} while (w.state != TAILBOX__WINDOW_DISABLED);
	}
	return 0;
}

static double slice(struct bench *b, enum state s)
{
	uint64_t before;

	if (set_state(s) != 0 || bench_requests(b, 160) != 0) {
		fprintf(stderr, "mhd: the server went away\n");
		exit(1);
	}
	before = bench_cpu_ns(b);
	if (bench_requests(b, SLICE) != 0) {
		fprintf(stderr, "mhd: the server went away\n");
		exit(1);
	}
	return (double)(bench_cpu_ns(b) - before) / SLICE;
}

static double measure(unsigned workers, int at_once, int n)
{
	double *paused = calloc((size_t)n * 5, sizeof(double));
	double *noise = paused + n, *cost = noise + n, *armed = cost + n;
	double *watched = armed + n;
	struct bench b;
	double base, r;

	if (paused == NULL || bench_start(&b, workers, 1, "/") != 0)
		exit(1);
	bench_pin(&b);
	b.at_once = at_once;
	slice(&b, RECORDING);
	for (int i = 0; i < n; i++) {
		/* Both orders in turn, so that a drift cancels. */
		double p1 = slice(&b, PAUSED), p2, q, a, w = 0;
		if (i % 2)
			w = slice(&b, WATCHED);
		r = slice(&b, RECORDING);
		if (i % 2 == 0)
			w = slice(&b, WATCHED);
		a = slice(&b, ARMED);
		p2 = slice(&b, PAUSED);
		q = slice(&b, PAUSED);
		paused[i] = p1;
		cost[i] = r - (p1 + p2) / 2;
		armed[i] = a - r;
		watched[i] = w - r;
		noise[i] = i % 2 ? q - p2 : p2 - q;
	}
	bench_stop(&b);
	qsort(paused, (size_t)n, sizeof(double), ascending);
	base = paused[n / 2];
	printf("%u worker%s, %d request%s at a time, %d slices of %d\n",
	       workers, workers > 1 ? "s" : "", at_once, at_once > 1 ? "s" : "",
	       n, SLICE);
	printf("  %-24s %7.0f ns of CPU per request\n", "paused", base);
	report("paused over paused", noise, n, base);
	report("recording over paused", cost, n, base);
	r = cost[n / 2] / base;
	report("triggers over recording", watched, n, base);
	report("armed over recording", armed, n, base);
	free(paused);
	return r;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 120;
	char dir[] = "/dev/shm/tailbox-bench-XXXXXX";
	struct tailbox_options o;
	double alone, batch;
	int rc;

	if (n < 4 || mkdtemp(dir) == NULL)
		return 2;
	tailbox_options_init(&o);
	o.run_dir = dir;
	rc = tailbox_start("bench", &o);
	if (rc != 0) {
		fprintf(stderr, "mhd: %s\n", tailbox_strerror(rc));
		return 1;
	}
	alone = measure(1, 1, n);
	batch = measure(1, BENCH_CONNECTIONS, n);
	measure(2, 1, n);
	tailbox_stop();
	bench_remove(dir);
	printf("recording over paused, 1 worker: %.2f%% of one request among "
	       "%d; %.2f%% of one alone, at most 2.5%%: %s\n",
	       batch * 100, BENCH_CONNECTIONS, alone * 100,
	       alone <= 0.025 ? "ok" : "MISSED");
	return alone > 0.025;
}
