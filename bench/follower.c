/* bench/follower.c - what does the follower pay for a record?
 *
 * SPDX-License-Identifier: MIT
 *
 * A thread makes requests with two spans each for a second at a time, and the
 * follower reads them as in any service; its own CPU time over the records it
 * read, as status tells it: without triggers, with all of them. Alternating,
 * medians. Records come in large batches here; a service with few of them pays
 * more for each, because each pass has its price. With "alone" as argument:
 * only what the triggers do with a request, in a loop. With "rare": on the usual
 * tape without and with a section of rare requests, one of 2000 of which fails,
 * so that each pass keeps some and looks for their spans; "rare none": none
 * fails.
 *
 *     follower count N off|on|armed
 *
 * is for callgrind, with --toggle-collect=tailbox__follow: a pass over N
 * requests, without triggers, with all of them, and with a window as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/server.h"
#include "bench/triggers.h"
#include "controller/internal.h"
#include "core/recorder.h"

#define ROUNDS 11

static bool is_rare, has_failures;
static char folder[] = "/dev/shm/tailbox-bench-XXXXXX";

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *of)
{
	qsort(of, ROUNDS, sizeof(*of), by_size);
	return of[ROUNDS / 2];
}

static void make(int requests)
{
	for (int k = 0; k < requests; k++) {
		tailbox_request r = tailbox_request_begin("/job", NULL);
		TAILBOX_STAGE(r, "a") { }
		TAILBOX_STAGE(r, "b") { }
		tailbox_request_finish(
		        r, has_failures && k == requests / 2 ? "error" : NULL);
	}
}

/* 2000 requests at a time, a hundred times a second. */
static void load(void)
{
	for (int i = 0; i < 100; i++) {
		const struct timespec pause = { .tv_nsec = 5000000 };
		make(2000);
		nanosleep(&pause, NULL);
	}
}

static double follow(bool has_triggers)
{
	const struct tailbox__controller_config c = {
		.service = "bench", .artifact_dir = folder
	};
	struct tailbox__recorder_status s;

	bench_triggers(has_triggers && !is_rare, "/job");
	if (tailbox__controller_start(&c) != 0)
		exit(1);
	load();
	tailbox__recorder_status(&s);
	tailbox__controller_stop();
	return (double)s.follower_cpu_ns / (double)s.follower_records;
}

/* What a request costs in the triggers, from a batch as it is read. */
static double alone(bool has_triggers)
{
	static struct tailbox__rec_request q[4096];
	static struct tailbox__config_triggers settings;
	static struct tailbox__triggers t;
	const int loops = 2000;

	bench_triggers(has_triggers, "/job");
	tailbox__trigger_config(&settings);
	if (tailbox__triggers_init(&t, &settings, 1000000000, NULL,
	                           NULL) != 0)
		exit(1);
	for (unsigned i = 0; i < 4096; i++) {
		q[i].total = 1000 + i * 37 % 100000;
		q[i].route = (uint16_t)(1 + i % 16);
		t.route_of[q[i].route] = (uint8_t)(1 + i % 16);
	}
	if (t.routes)
		t.route_count = 16;
	for (unsigned i = 0; t.routes && i < 16; i++)
		t.routes[i].bound = t.routes[i].factor_bound = UINT64_MAX;
	const double start = cpu_ns();
	for (int k = 0; k < loops; k++) {
		for (unsigned i = 0; i < 4096; i++)
			tailbox__triggers_request(
			        &t, tailbox__unpack(q[i].total), &q[i],
			        tailbox__request_is_failed(&q[i]));
		__asm__ volatile("" : : "r"(&t) : "memory");
	}
	const double ns = (cpu_ns() - start) / (4096.0 * loops);
	tailbox__triggers_fini(&t);
	return ns;
}

static int pass(int requests, bool has_triggers, bool is_armed)
{
	const struct tailbox__controller_config c = {
		.service = "bench", .artifact_dir = folder
	};
	struct tailbox__activation a;
	uint64_t id;

	bench_triggers(has_triggers, "/job");
	if (tailbox__controller_start(&c) != 0)
		return 1;
	tailbox__follower_stop();
	tailbox__activation_init(&a, TAILBOX__MODE_INVESTIGATION);
	if (is_armed && tailbox__arm(&a, &id, NULL) != 0)
		return 1;
	make(requests);
	int rc = tailbox__follow();
	if (rc == 0)
		rc = tailbox__follower_start();
	tailbox__controller_stop();
	return rc < 0;
}

static int open_tape(void)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const int dirfd = tailbox__run_folder(folder, &err);
	int rc = dirfd;

	if (dirfd >= 0) {
		rc = tailbox__recorder_open(dirfd, folder, "bench", NULL,
		                            is_rare ? 16 << 20 : 64 << 20,
		                            &err);
		close(dirfd);
	}
	if (rc != 0)
		fprintf(stderr, "%s\n", err.text);
	return rc != 0;
}

static int count(int requests, const char *state)
{
	const bool is_armed = strcmp(state, "armed") == 0;

	if (requests <= 0 || open_tape() != 0)
		return 2;
	const int rc = pass(requests, is_armed || strcmp(state, "on") == 0,
	                    is_armed);
	tailbox__recorder_close(false);
	bench_remove(folder);
	return rc;
}

int main(int argc, char **argv)
{
	const bool is_alone = argc > 1 && strcmp(argv[1], "alone") == 0;
	double ns[2][ROUNDS];

	is_rare = argc > 1 && strcmp(argv[1], "rare") == 0;
	has_failures = is_rare && argc == 2;
	if (!mkdtemp(folder))
		return 1;
	if (argc == 4 && strcmp(argv[1], "count") == 0)
		return count((int)strtol(argv[2], NULL, 10), argv[3]);
	for (int i = 0; i < ROUNDS; i++) {
		for (int on = 0; on < 2; on++) {
			if (is_alone) {
				ns[on][i] = alone(on);
				continue;
			}
			tailbox__tape_set_rare(is_rare && on ? UINT64_MAX : 0);
			if (open_tape() != 0)
				return 1;
			ns[on][i] = follow(on);
			tailbox__recorder_close(false);
		}
	}
	const char *what = is_rare ? "rare" : "triggers";
	const char *unit = is_alone ? "request" : "record";

	printf("%s off  %5.1f ns a %s\n%s on   %5.1f ns a %s\n", what,
	       median(ns[0]), unit, what, median(ns[1]), unit);
	rmdir(folder);
	return 0;
}
