/* bench/server.c - the emptiest server and its client.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox/mhd.h>

static struct MHD_Response *response;

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static int seen;

	(void)cls, (void)url, (void)method, (void)version, (void)data;
	(void)size;
	/* An answer from the first call would close the connection. */
	if (*req_cls == NULL) {
		*req_cls = &seen;
		return MHD_YES;
	}
	return MHD_queue_response(c, MHD_HTTP_OK, response);
}

static int list_tasks(unsigned *tids, int max)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	while (d != NULL && n < max && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			tids[n++] = (unsigned)strtoul(e->d_name, NULL, 10);
	if (d != NULL)
		closedir(d);
	return n;
}

/* The threads that are there now and were not before. */
static void find_new(struct bench *b, const unsigned *before, int n)
{
	unsigned now[64];
	int count = list_tasks(now, 64);

	for (int i = 0; i < count; i++) {
		int old = 0;
		for (int k = 0; k < n; k++)
			old |= before[k] == now[i];
		if (!old && b->tid_count < 8)
			b->tids[b->tid_count++] = now[i];
	}
}

static int start_daemon(struct bench *b, unsigned workers)
{
	/* A date costs more or less with the digits of the time. */
	unsigned flags = MHD_USE_ERROR_LOG |
	                 (workers > 0 ? MHD_USE_EPOLL_INTERNAL_THREAD
	                              : MHD_USE_EPOLL |
	                                        MHD_USE_SUPPRESS_DATE_NO_CLOCK);
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct MHD_OptionItem o[] = {
		{ MHD_OPTION_SOCK_ADDR, 0, &sa },
		{ workers > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
		  (intptr_t)workers, NULL },
		{ MHD_OPTION_END, 0, NULL }
	};

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (b->is_wrapped)
		b->daemon = tailbox_mhd_start_daemon_array(
		        flags, 0, NULL, NULL, answer, NULL, o);
	else
		b->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, NULL,
		                             MHD_OPTION_ARRAY, o,
		                             MHD_OPTION_END);
	if (b->daemon == NULL)
		return -1;
	b->port = MHD_get_daemon_info(b->daemon, MHD_DAEMON_INFO_BIND_PORT)
	                  ->port;
	return 0;
}

static int connect_one(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	sa.sin_port = htons(port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* Some of a response; the server has its turn when it has no thread. */
static ssize_t receive(const struct bench *b, int fd, char *buf, size_t len)
{
	ssize_t n;

	do {
		if (!b->has_thread && MHD_run(b->daemon) != MHD_YES)
			return -1;
		n = recv(fd, buf, len, b->has_thread ? 0 : MSG_DONTWAIT);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	return n;
}

/* The length of a response: read until the body's end is there. */
static int measure_reply(struct bench *b)
{
	char buf[4096];
	size_t have = 0;

	if (send(b->sockets[0], b->request, strlen(b->request), MSG_NOSIGNAL) <
	    0)
		return -1;
	for (;;) {
		ssize_t n = receive(b, b->sockets[0], buf + have,
		                    sizeof(buf) - 1 - have);
		if (n <= 0)
			return -1;
		have += (size_t)n;
		buf[have] = '\0';
		if (strstr(buf, "\r\n\r\nhello, world") != NULL)
			break;
	}
	b->reply_bytes = (unsigned)have;
	return 0;
}

int bench_start(struct bench *b, unsigned workers, int wrapped,
                const char *path)
{
	unsigned before[64];
	char *request = malloc(256);
	int n;

	memset(b, 0, sizeof(*b));
	b->at_once = BENCH_CONNECTIONS;
	b->is_wrapped = wrapped;
	b->has_thread = workers > 0;
	if (request == NULL)
		return -1;
	snprintf(request, 256, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
	         path);
	b->request = request;
	response = MHD_create_response_from_buffer(
	        12, (void *)(uintptr_t)"hello, world", MHD_RESPMEM_PERSISTENT);
	n = list_tasks(before, 64);
	if (response == NULL || start_daemon(b, workers) != 0) {
		fprintf(stderr, "bench: cannot start the server\n");
		return -1;
	}
	find_new(b, before, n);
	for (int i = 0; i < BENCH_CONNECTIONS; i++) {
		b->sockets[i] = connect_one(b->port);
		if (b->sockets[i] < 0) {
			perror("bench: connect");
			return -1;
		}
	}
	return measure_reply(b);
}

static int read_reply(const struct bench *b, int fd)
{
	char buf[4096];
	unsigned have = 0;

	while (have < b->reply_bytes) {
		ssize_t n = receive(b, fd, buf, b->reply_bytes - have);
		if (n <= 0)
			return -1;
		have += (unsigned)n;
	}
	return 0;
}

int bench_requests(struct bench *b, long n)
{
	size_t len = strlen(b->request);

	for (long i = 0; i < n; i += b->at_once) {
		const int *s = &b->sockets[i % BENCH_CONNECTIONS];
		for (int k = 0; k < b->at_once; k++)
			if (send(s[k], b->request, len, MSG_NOSIGNAL) !=
			    (ssize_t)len)
				return -1;
		for (int k = 0; k < b->at_once; k++)
			if (read_reply(b, s[k]) != 0)
				return -1;
	}
	return 0;
}

void bench_pin(const struct bench *b)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return;
	CPU_ZERO(&one);
	for (int cpu = CPU_SETSIZE; cpu-- > 0;) {
		if (CPU_ISSET(cpu, &all)) {
			CPU_SET(cpu, &one);
			break;
		}
	}
	sched_setaffinity(0, sizeof(one), &one);
	for (int i = 0; i < b->tid_count; i++)
		sched_setaffinity((pid_t)b->tids[i], sizeof(one), &one);
}

uint64_t bench_cpu_ns(const struct bench *b)
{
	uint64_t sum = 0;

	for (int i = 0; i < b->tid_count; i++) {
		char path[64];
		unsigned long long ns = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%u/schedstat",
		         b->tids[i]);
		f = fopen(path, "r");
		if (f != NULL && fscanf(f, "%llu", &ns) == 1)
			sum += ns;
		if (f != NULL)
			fclose(f);
	}
	return sum;
}

void bench_stop(struct bench *b)
{
	for (int i = 0; i < BENCH_CONNECTIONS; i++)
		if (b->sockets[i] > 0)
			close(b->sockets[i]);
	if (b->is_wrapped)
		tailbox_mhd_stop_daemon(b->daemon);
	else
		MHD_stop_daemon(b->daemon);
	MHD_destroy_response(response);
	free((void *)(uintptr_t)b->request);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

void bench_remove(const char *dir)
{
	if (nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
		fprintf(stderr, "bench: %s is left behind\n", dir);
}
