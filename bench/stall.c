/* bench/stall.c - how long can a write to the tape stall a recording thread?
 *
 * SPDX-License-Identifier: MIT
 *
 *     bench/stall DIR [SECONDS [BUSY_DIR]]
 *
 * Two threads begin and finish requests on a tape in DIR, each pair with a
 * clock around it, in bursts with a pause so that the kernel may write dirty
 * pages back in between. With BUSY_DIR a child writes 64 MiB files there and
 * fsyncs them all the while, which keeps writeback and the journal of that file
 * system busy. A page that is under writeback, or was cleaned by it, faults on
 * the next write: on a disk that is the stall. On tmpfs there is no writeback.
 *
 * From this may NOT be concluded what a server's request waits: it takes
 * another 9 us and more in between, so meets fewer stalls; but each as long.
 * What the scheduler takes away (the machine is shared) is in both columns: run
 * it for tmpfs and the disk in turn, and compare. Faults are counted beside.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/recorder.h"
#include "core/tailbox.h"

enum {
	THREADS = 2,
	BURST = 200,
	PAUSE_NS = 200000,
	BUCKETS = 64 * 16, /* 16 per doubling */
	BUSY_BYTES = 64 << 20
};

static atomic_bool is_over;

struct worker {
	pthread_t thread;
	uint64_t counts[BUCKETS], n, max_ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned e;

	if (ns < 16)
		return (unsigned)ns;
	e = 63 - (unsigned)__builtin_clzll(ns);
	return (e - 3) * 16 + ((unsigned)(ns >> (e - 4)) & 15);
}

/* The upper end of a bucket. */
static uint64_t bucket_ns(unsigned b)
{
	unsigned e = b / 16 + 3;

	return b < 16 ? b : (uint64_t)(16 + b % 16 + 1) << (e - 4);
}

static void *work(void *arg)
{
	const struct timespec pause = { 0, PAUSE_NS };
	struct worker *w = arg;

	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		for (int i = 0; i < BURST; i++) {
			const uint64_t from = now_ns();
			tailbox_request r = tailbox_request_begin("/a", "job");
			tailbox_request_finish(r, "ok");
			const uint64_t ns = now_ns() - from;
			w->counts[bucket_of(ns)]++;
			w->n++;
			if (ns > w->max_ns)
				w->max_ns = ns;
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* Until it is killed. */
static void keep_busy(const char *dir)
{
	static char block[1 << 20];
	char path[4096];

	snprintf(path, sizeof(path), "%s/stall.busy", dir);
	for (;;) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		              0600);
		if (fd < 0)
			_exit(1);
		for (size_t at = 0; at < BUSY_BYTES; at += sizeof(block)) {
			memset(block, (int)at, sizeof(block));
			if (write(fd, block, sizeof(block)) < 0)
				break;
		}
		fsync(fd);
		sync();
		close(fd);
	}
}

static uint64_t quantile(const uint64_t counts[], uint64_t n, double q)
{
	uint64_t rank = (uint64_t)((double)n * q), seen = 0;

	for (unsigned b = 0; b < BUCKETS; b++) {
		seen += counts[b];
		if (seen > rank)
			return bucket_ns(b);
	}
	return 0;
}

static void put(const char *dir, struct worker workers[THREADS],
                const struct rusage *before)
{
	uint64_t counts[BUCKETS] = { 0 }, n = 0, max = 0, over_ms = 0;
	struct rusage after;

	getrusage(RUSAGE_SELF, &after);
	for (int i = 0; i < THREADS; i++) {
		for (unsigned b = 0; b < BUCKETS; b++) {
			counts[b] += workers[i].counts[b];
			if (bucket_ns(b) > 1000000)
				over_ms += workers[i].counts[b];
		}
		n += workers[i].n;
		if (workers[i].max_ns > max)
			max = workers[i].max_ns;
	}
	printf("%-20s n %llu  p50 %llu ns  p99.9 %.1f us  p99.99 %.1f us  "
	       "p99.999 %.1f us  max %.2f ms  over 1 ms %llu  faults %ld\n",
	       dir, (unsigned long long)n,
	       (unsigned long long)quantile(counts, n, 0.5),
	       (double)quantile(counts, n, 0.999) / 1e3,
	       (double)quantile(counts, n, 0.9999) / 1e3,
	       (double)quantile(counts, n, 0.99999) / 1e3, (double)max / 1e6,
	       (unsigned long long)over_ms,
	       after.ru_minflt + after.ru_majflt - before->ru_minflt -
	               before->ru_majflt);
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS];
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct rusage before;
	char path[4096];
	pid_t busy = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: bench/stall DIR [SECONDS [BUSY_DIR]]\n");
		return 2;
	}
	const unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10;
	int dirfd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 || tailbox__recorder_open(dirfd, argv[1], "stall", NULL,
	                                        16u << 20, &err) != 0) {
		fprintf(stderr, "%s: %s\n", argv[1], err.text);
		return 1;
	}
	if (argc > 3) {
		busy = fork();
		if (busy == 0)
			keep_busy(argv[3]);
		sleep(1);
	}
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	sleep(seconds);
	atomic_store(&is_over, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	put(argv[1], workers, &before);
	if (busy > 0) {
		kill(busy, SIGKILL);
		waitpid(busy, NULL, 0);
		snprintf(path, sizeof(path), "%s/stall.busy", argv[3]);
		unlink(path);
	}
	tailbox__recorder_close(false);
	return 0;
}
