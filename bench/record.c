/* bench/record.c - what does it cost to begin and finish a request?
 *
 * SPDX-License-Identifier: MIT
 *
 * The record call alone, against a floor loop that does what no recorder can
 * do without: two clock reads and 64 bytes stored, over as much memory. From
 * this may NOT be concluded what a server pays (bench/run.sh mhd says that):
 * here slot and code are always in the nearest cache. CPU time of the thread,
 * variants alternating, medians of 31. Two processors that are threads of one
 * core slow each other down whatever they do: the floor loop on two threads,
 * which share nothing, tells how much. What two threads share are lines of the
 * tape that the other wrote a round ago, so how long a line takes from one to
 * the other stands beside: a host that moves its guest's processors changes it
 * from minute to minute. At the end the same with a controller, whose follower
 * reads along, with every trigger and with none.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/server.h"
#include "bench/triggers.h"
#include "controller/internal.h"
#include "core/recorder.h"
#include "core/run.h"

#define ROUNDS 31
#define EACH 1000000L
#define WORDS (2L << 20) /* 16 MiB, as the tape */

static uint64_t *store;

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void floor_over(uint64_t *words, long n)
{
	long at = 0;

	for (long i = 0; i < n; i++) {
		uint64_t begin = tailbox__now();
		volatile uint64_t *p = &words[at];

		__builtin_prefetch((const void *)p, 1);
		at = at + 8 < WORDS ? at + 8 : 0;
		for (int k = 0; k < 7; k++)
			p[k] = begin + (uint64_t)k;
		p[7] = tailbox__now();
	}
}

static void floor_loop(long n)
{
	floor_over(store, n);
}

static void record_loop(long n)
{
	struct tailbox__thread *t = tailbox__thread_get();
	struct tailbox__slot *s = tailbox__slot_take(t);
	uint16_t route = tailbox__name_cstr("/bench");

	for (long i = 0; i < n; i++) {
		tailbox__request_open(t, s, route, TAILBOX__NAME_HTTP, 0,
		                      TAILBOX__PHASE_HEADERS);
		tailbox__request_close(t, s, tailbox__now(),
		                       TAILBOX__TERM_COMPLETED, 0);
	}
	tailbox__slot_give(t, s);
}

static void api_loop(long n)
{
	for (long i = 0; i < n; i++)
		tailbox_request_finish(tailbox_request_begin("/bench", "job"),
		                       "ok");
}

static double run(void (*loop)(long), long n)
{
	double before = cpu_ns();

	loop(n);
	return (cpu_ns() - before) / (double)n;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), ascending);
	return v[n / 2];
}

/* --- how far apart the processors are ----------------------------------- */

#define TURNS 20000

static _Alignas(128) atomic_int turn;

/* Hands the line on whenever the turn is `mine` of two. */
static void take_turns(int mine)
{
	for (int i = mine; i < 2 * TURNS; i += 2) {
		long spins = 0;

		while (atomic_load_explicit(&turn, memory_order_acquire) != i)
			if (++spins % 4096 == 0)
				sched_yield(); /* there may be one processor */
		atomic_store_explicit(&turn, i + 1, memory_order_release);
	}
}

/* ns for a line from one thread to the other. */
static double line_time(void)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	take_turns(0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 +
	        (double)(b.tv_nsec - a.tv_nsec)) / (2 * TURNS);
}

/* --- two threads: rounds of theirs between those of one ----------------- */

static pthread_barrier_t together;

/* The floor's words of the second thread: its own. */
static void other_floor(long n)
{
	static uint64_t *mine;

	if (mine == NULL)
		mine = aligned_alloc(4096, WORDS * sizeof(*mine));
	if (mine == NULL)
		exit(1);
	floor_over(mine, n);
}

static void *other_thread(void *arg)
{
	double (*out)[ROUNDS] = arg;

	other_floor(1);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&together);
		out[0][i] = run(record_loop, EACH);
		pthread_barrier_wait(&together);
		take_turns(1);
		pthread_barrier_wait(&together);
		out[1][i] = run(other_floor, EACH);
	}
	return NULL;
}

static double median_of_both(double *a, double *b)
{
	return (median(a, ROUNDS) + median(b, ROUNDS)) / 2;
}

/* --- beside a follower, with and without triggers ----------------------- */

/* The settings count when a pass is over. */
static double with(bool has_triggers)
{
	bench_triggers(has_triggers, "/bench");
	if (tailbox__follow() != 0)
		exit(1);
	return run(record_loop, EACH);
}

static int triggers(const char *dir)
{
	const struct tailbox__controller_config c = { .service = "bench",
		                                      .artifact_dir = dir };
	double off[ROUNDS], again[ROUNDS], on[ROUNDS], more[ROUNDS];

	if (tailbox__controller_start(&c) != 0)
		return 1;
	for (int i = 0; i < ROUNDS; i++) {
		off[i] = with(false);
		on[i] = with(true);
		again[i] = with(false);
		more[i] = on[i] - (off[i] + again[i]) / 2;
	}
	tailbox__controller_stop();
	const double none = median(off, ROUNDS);
	const double pair = median(more, ROUNDS); /* sorts them */
	printf("beside a follower        %7.1f ns  (again: %.1f)\n", none,
	       median(again, ROUNDS));
	printf("  with every trigger     %7.1f ns  %+.1f ns in pairs, half of "
	       "them %+.1f to %+.1f\n",
	       median(on, ROUNDS), pair, more[ROUNDS / 4],
	       more[ROUNDS - 1 - ROUNDS / 4]);
	return 0;
}

int main(void)
{
	char dir[] = "/dev/shm/tailbox-bench-XXXXXX";
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	static double f[ROUNDS], f2[ROUNDS], r[ROUNDS], p[ROUNDS];
	static double mine[2][ROUNDS], others[2][ROUNDS], lines[ROUNDS];
	double base, one, two, floor_two;
	pthread_t other;
	int dirfd;

	store = aligned_alloc(4096, WORDS * sizeof(*store));
	if (store == NULL || mkdtemp(dir) == NULL)
		return 1;
	for (long i = 0; i < WORDS; i++)
		store[i] = 0;
	dirfd = tailbox__run_folder(dir, &err);
	if (dirfd < 0 || tailbox__recorder_open(dirfd, dir, "bench", NULL,
	                                        TAILBOX__TAPE_DEFAULT, &err)) {
		fprintf(stderr, "record: %s\n", err.text);
		return 1;
	}
	pthread_barrier_init(&together, NULL, 2);
	if (pthread_create(&other, NULL, other_thread, others) != 0)
		return 1;
	for (int i = 0; i < ROUNDS; i++) {
		f[i] = run(floor_loop, EACH);
		r[i] = run(record_loop, EACH);
		f2[i] = run(floor_loop, EACH);
		p[i] = run(api_loop, EACH);
		pthread_barrier_wait(&together);
		mine[0][i] = run(record_loop, EACH);
		pthread_barrier_wait(&together);
		lines[i] = line_time();
		pthread_barrier_wait(&together);
		atomic_store(&turn, 0); /* both have had their last */
		mine[1][i] = run(floor_loop, EACH);
	}
	pthread_join(other, NULL);
	base = median(f, ROUNDS);
	one = median(r, ROUNDS);
	two = median_of_both(mine[0], others[0]);
	floor_two = median_of_both(mine[1], others[1]);
	printf("floor loop               %7.1f ns  (again: %.1f)\n", base,
	       median(f2, ROUNDS));
	printf("begin+finish             %7.1f ns  %.2f of the floor, "
	       "at most 1.40: %s\n", one, one / base,
	       one / base <= 1.4 ? "ok" : "MISSED");
	printf("begin+finish, 2 threads  %7.1f ns  %+.0f%% over 1, "
	       "at most +15%%: %s\n", two, (two / one - 1) * 100,
	       two / one <= 1.15 ? "ok" : "MISSED");
	const double line = median(lines, ROUNDS); /* sorts them */
	printf("a line to the other       %6.1f ns  (%.0f to %.0f)\n", line,
	       lines[0], lines[ROUNDS - 1]);
	printf("floor loop, 2 threads    %7.1f ns  %+.0f%% over 1: what the "
	       "machine takes\n", floor_two, (floor_two / base - 1) * 100);
	printf("public calls with names  %7.1f ns\n", median(p, ROUNDS));
	const int rc = triggers(dir);
	tailbox__recorder_close(false);
	bench_remove(dir);
	if (rc != 0)
		return rc;
	return !(one / base <= 1.4 && two / one <= 1.15);
}
