/* bench/instructions.c - serve N requests in one state, for callgrind.
 *
 * SPDX-License-Identifier: MIT
 *
 *     instructions N off|paused|recording PATH
 *
 * bench/run.sh runs it under callgrind at two N: the difference, divided, is
 * exact to the instruction and the same on every run; CI compares it.
 * `off` is the plain server. The client's share is in all states the same:
 * server and client are one thread, or it would depend on how they meet, and
 * responses have no date, which costs more or less with the time of day.
 * The clock is injected, a microsecond per look: under callgrind real time
 * runs fifty times too slow for the requests, and what is done once per
 * millisecond would be done every time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "bench/server.h"
#include "core/recorder.h"

static uint64_t microseconds(void)
{
	static _Atomic uint64_t now = 1000000000u;

	return atomic_fetch_add_explicit(&now, 1000, memory_order_relaxed);
}

int main(int argc, char **argv)
{
	char dir[] = "/dev/shm/tailbox-bench-XXXXXX";
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct bench b;
	long n = argc > 3 ? strtol(argv[1], NULL, 10) : 0;
	int is_off = argc > 3 && strcmp(argv[2], "off") == 0;
	int dirfd, rc;

	if (n <= 0 || mkdtemp(dir) == NULL)
		return 2;
	tailbox__clock_inject(microseconds, 1000000000u);
	dirfd = tailbox__run_folder(dir, &err);
	if (!is_off && tailbox__recorder_open(dirfd, dir, "bench", NULL,
	                                      TAILBOX__TAPE_MIN, &err) != 0) {
		fprintf(stderr, "instructions: %s\n", err.text);
		return 1;
	}
	if (bench_start(&b, 0, !is_off, argv[3]) != 0)
		return 1;
	if (strcmp(argv[2], "paused") == 0)
		tailbox__recorder_set(false);
	rc = bench_requests(&b, n);
	bench_stop(&b);
	tailbox__recorder_close(false);
	bench_remove(dir);
	return rc != 0;
}
