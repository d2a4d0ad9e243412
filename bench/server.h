/* bench/server.h - a server that answers "hello, world" and a counted client
 * for it, in one process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_BENCH_SERVER_H
#define TAILBOX_BENCH_SERVER_H 1

#include <stdint.h>

#define BENCH_CONNECTIONS 16

struct bench {
	struct MHD_Daemon *daemon;
	int is_wrapped, has_thread;
	uint16_t port;
	int sockets[BENCH_CONNECTIONS];
	int at_once; /* BENCH_CONNECTIONS, or less: a divisor of it */
	unsigned tids[8]; /* of the server's threads */
	int tid_count;
	const char *request;
	unsigned reply_bytes; /* of one response, measured */
};

/* Start the daemon (workers 1 = single thread, 0 = none: it
 * runs in bench_requests(); wrapped or plain) and open the
 * connections. path: of the GET. 0 or -1 with a line on stderr. */
int bench_start(struct bench *b, unsigned workers, int wrapped,
                const char *path);
/* n requests (a multiple of BENCH_CONNECTIONS) over the connections in turn,
 * b->at_once of them in flight at a time. 0 or -1. */
int bench_requests(struct bench *b, long n);
/* Put the calling thread and the server's threads on the last processor, so
 * that they take turns in the same way in every slice and nothing of ours that
 * runs beside them shares it. */
void bench_pin(const struct bench *b);
/* CPU time of the server's threads so far, in ns. */
uint64_t bench_cpu_ns(const struct bench *b);
void bench_stop(struct bench *b);

/* Remove a folder and what is in it. */
void bench_remove(const char *dir);

#endif
