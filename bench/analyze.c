/* bench/analyze.c - what `tailbox analyze` costs, in time and memory.
 *
 * SPDX-License-Identifier: MIT
 *
 *     bench/analyze native IN OUT     write the run in IN as a native artifact
 *     bench/analyze own IN OUT        the same, with what a recorder of ours
 *                                     knows of each request made up
 *     bench/analyze time ROUNDS TAILBOX FILE...
 *
 * The last runs `TAILBOX analyze --json FILE` as a process of its own, on
 * each file in turn and ROUNDS times over, after one round that does not
 * count, and prints a line per file:
 *
 *     FILE BYTES  WALL  CPU CPU-LEAST CPU-MOST  RSS
 *
 * seconds (medians, but for least and most), bytes. CPU is user and system
 * time of the process with all its threads: on a machine that others use too
 * it is what can be compared, while wall time only says how long it took.
 *
 * The files come from the page cache: nothing here is about disks. RSS is the
 * kernel's peak (ru_maxrss), libraries and the report included.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>

#include "analyzer/load.h"
#include "core/artifact.h"

enum { ROUNDS_MAX = 99, FILES_MAX = 16 };

struct cost {
	double wall[ROUNDS_MAX], cpu[ROUNDS_MAX], rss[ROUNDS_MAX];
};

/* A fifth of the handler's time in the other phases; a request in ten waited
 * behind the one before it on its worker, of 4. */
static int add_ext(struct tailbox__run *run)
{
	for (size_t i = 0; i < run->requests.count; i++) {
		struct tailbox__run_request *r = &run->requests.items[i];
		struct tailbox__run_ext *x = tailbox__list_add(&run->ext);
		const uint64_t tenth = r->latency_us * 100;

		if (x == NULL)
			return -ENOMEM;
		for (int k = 0; k < TAILBOX__PHASE_COUNT; k++)
			x->phase_ns[k] = TAILBOX__NONE;
		x->number = i + 1;
		x->connection = 1 + i % 64;
		x->bytes_in = 0;
		x->bytes_out = 1000 + i * 37 % 100000;
		x->phase_ns[TAILBOX__PHASE_HEADERS] = tenth;
		x->phase_ns[TAILBOX__PHASE_HANDLER] = 8 * tenth;
		x->phase_ns[TAILBOX__PHASE_SEND] = tenth;
		x->worker = i % 4;
		x->handler_calls = 2;
		x->status = 200;
		x->daemon = 1;
		x->termination = TAILBOX__TERM_COMPLETED;
		if (i % 10 == 9) {
			x->phase_ns[TAILBOX__PHASE_INGRESS] = tenth;
			x->holder_number = x->number - 4;
			x->holder_route = r[-4].route;
			x->holder_ns = tenth;
		}
		r->ext = (uint32_t)run->ext.count;
	}
	return 0;
}

static int native(const char *from, const char *to, bool has_ext)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run;
	int rc = tailbox__load_path(from, &run, &err), fd;

	if (rc < 0) {
		fprintf(stderr, "%s: %s\n", from, err.text);
		return 1;
	}
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : has_ext ? add_ext(run) : 0;
	if (rc == 0)
		rc = tailbox__artifact_write(run, fd);
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", to, tailbox_strerror(rc));
	if (fd >= 0)
		close(fd);
	tailbox__run_destroy(run);
	return rc < 0;
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void become(const char *tailbox, const char *file)
{
	const int nowhere = open("/dev/null", O_WRONLY);

	dup2(nowhere, STDOUT_FILENO);
	execl(tailbox, tailbox, "analyze", "--json", file, (char *)NULL);
	_exit(127);
}

static bool measure(const char *tailbox, const char *file, struct cost *c,
                    int at)
{
	const double begin = now();
	const pid_t pid = fork();
	struct rusage u;
	int status;

	if (pid == 0)
		become(tailbox, file);
	if (pid < 0 || wait4(pid, &status, 0, &u) != pid || status != 0) {
		fprintf(stderr, "%s analyze --json %s: failed\n", tailbox,
		        file);
		return false;
	}
	c->wall[at] = now() - begin;
	c->cpu[at] = seconds_of(u.ru_utime) + seconds_of(u.ru_stime);
	c->rss[at] = (double)u.ru_maxrss * 1024;
	return true;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void tell(const char *file, struct cost *c, int n)
{
	struct stat st;

	qsort(c->wall, (size_t)n, sizeof(*c->wall), ascending);
	qsort(c->cpu, (size_t)n, sizeof(*c->cpu), ascending);
	qsort(c->rss, (size_t)n, sizeof(*c->rss), ascending);
	if (stat(file, &st) < 0)
		st.st_size = 0;
	printf("%s %lld  %.3f  %.3f %.3f %.3f  %.0f\n", file,
	       (long long)st.st_size, c->wall[n / 2], c->cpu[n / 2], c->cpu[0],
	       c->cpu[n - 1], c->rss[n - 1]);
}

static int time_all(int rounds, const char *tailbox, int n, char **files)
{
	static struct cost costs[FILES_MAX];

	for (int round = -1; round < rounds; round++)
		for (int i = 0; i < n; i++)
			if (!measure(tailbox, files[i], &costs[i],
			             round < 0 ? 0 : round))
				return 1;
	for (int i = 0; i < n; i++)
		tell(files[i], &costs[i], rounds);
	return 0;
}

int main(int argc, char **argv)
{
	const long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

	if (argc == 4 && (strcmp(argv[1], "native") == 0 ||
	                  strcmp(argv[1], "own") == 0))
		return native(argv[2], argv[3], argv[1][0] == 'o');
	if (argc > 4 && argc - 4 <= FILES_MAX &&
	    strcmp(argv[1], "time") == 0 && rounds > 0 && rounds <= ROUNDS_MAX)
		return time_all((int)rounds, argv[3], argc - 4, argv + 4);
	fputs("usage: analyze native|own IN OUT\n"
	      "       analyze time ROUNDS TAILBOX FILE...\n", stderr);
	return 2;
}
