/* tests/faults/clients.c - clients that curl cannot be.
 *
 * SPDX-License-Identifier: MIT
 *
 *	steady PORT        a request each 10 ms, each on a connection of its
 *	                   own, until SIGTERM; prints "begun", at the end
 *	                   "N answered, M failed"
 *	burst PORT N       N requests, one after the other, on one connection
 *	idle N WHERE       N connections that say nothing, until SIGTERM;
 *	loris N WHERE      N that send half a request
 *	                   WHERE: PORT, or the path of a Unix socket; prints
 *	                   "N connected" when as many are as will be at once
 *	stall WHERE PATH   ask for PATH, read 1 KiB and no more, until SIGTERM;
 *	                   prints "stalled" then
 *	links FILE N       N further names of FILE, victim-20010101T000000Z-1
 *	                   and so on, in its folder, which is the present one
 *
 * An answer counts when it is a 200; one that does not come within PATIENCE
 * seconds (environment; 5) has failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t has_ended;

static void end(int sig)
{
	(void)sig;
	has_ended = 1;
}

static void wait_ms(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void be_patient(int fd)
{
	const char *text = getenv("PATIENCE");
	const struct timeval t = { text ? strtol(text, NULL, 10) : 5, 0 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* A port or the path of a Unix socket. */
static int meet(const char *where, int flags)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd, rc;

	if (where[0] == '/') {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", where);
		fd = socket(AF_UNIX, SOCK_STREAM | flags, 0);
	} else {
		in.sin_port = htons((uint16_t)strtoul(where, NULL, 10));
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	}
	if (fd < 0)
		return -errno;
	be_patient(fd);
	rc = where[0] == '/'
	             ? connect(fd, (struct sockaddr *)&un, sizeof(un))
	             : connect(fd, (struct sockaddr *)&in, sizeof(in));
	if (rc == 0 || errno == EINPROGRESS)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static int ask(int fd, const char *path, const char *more)
{
	char text[4096];
	const int n = snprintf(text, sizeof(text),
	                       "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
	                       path, more);

	return send(fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* The service's answers end with its only text. */
static int is_answered(int fd)
{
	char text[1024] = "";
	size_t len = 0;

	while (strstr(text, "\r\n\r\nok\n") == NULL) {
		const ssize_t n =
		        recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n <= 0)
			return 0;
		len += (size_t)n;
		text[len] = '\0';
	}
	return strncmp(text, "HTTP/1.1 200", 12) == 0;
}

static int steady(const char *port)
{
	unsigned long answered = 0, failed = 0;

	/* From here on SIGTERM is heard, and not sooner. */
	puts("begun");
	fflush(stdout);
	while (!has_ended) {
		const int fd = meet(port, 0);
		if (fd >= 0 && ask(fd, "/", "Connection: close\r\n") &&
		    is_answered(fd))
			answered++;
		else if (!has_ended)
			failed++;
		if (fd >= 0)
			close(fd);
		wait_ms(10);
	}
	printf("%lu answered, %lu failed\n", answered, failed);
	return 0;
}

static int burst(const char *port, long n)
{
	const int fd = meet(port, 0);

	for (long i = 0; i < n; i++)
		if (fd < 0 || !ask(fd, "/", "") || !is_answered(fd)) {
			fprintf(stderr, "burst: request %ld failed\n", i);
			return 1;
		}
	return 0;
}

/* A connection that the kernel has no place for yet is tried again: whoever
 * means harm would. */
static int hold(long n, const char *where, const char *words)
{
	const struct rlimit files = { 8192, 8192 };
	int *fds = calloc((size_t)n, sizeof(*fds));
	long count = 0, told = -1;

	setrlimit(RLIMIT_NOFILE, &files);
	if (fds == NULL)
		return 1;
	for (long i = 0; i < n; i++)
		fds[i] = -1;
	while (!has_ended) {
		const long before = count;
		for (long i = 0; i < n; i++) {
			if (fds[i] >= 0)
				continue;
			fds[i] = meet(where, SOCK_NONBLOCK);
			if (fds[i] == -EAGAIN)
				break;
			count += fds[i] >= 0;
			if (fds[i] >= 0 && words[0])
				(void)!send(fds[i], words, strlen(words),
				            MSG_NOSIGNAL);
		}
		if (count == before && told < count) {
			printf("%ld connected\n", told = count);
			fflush(stdout);
		}
		wait_ms(20);
	}
	return 0;
}

static int stall(const char *where, const char *path)
{
	char text[1024];
	const int fd = meet(where, 0);

	if (fd < 0 || !ask(fd, path, "") || recv(fd, text, sizeof(text), 0) <= 0)
		return 1;
	puts("stalled");
	fflush(stdout);
	while (!has_ended)
		wait_ms(20);
	return 0;
}

static int links(const char *file, long n)
{
	char name[64];

	for (long i = 1; i <= n; i++) {
		snprintf(name, sizeof(name),
		         "victim-20010101T000000Z-%ld.tailbox", i);
		if (link(file, name) != 0) {
			perror(name);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction a = { .sa_handler = end };

	sigaction(SIGTERM, &a, NULL);
	if (argc == 3 && strcmp(argv[1], "steady") == 0)
		return steady(argv[2]);
	if (argc == 4 && strcmp(argv[1], "burst") == 0)
		return burst(argv[2], strtol(argv[3], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "idle") == 0)
		return hold(strtol(argv[2], NULL, 10), argv[3], "");
	if (argc == 4 && strcmp(argv[1], "loris") == 0)
		return hold(strtol(argv[2], NULL, 10), argv[3],
		            "GET /status HTTP/1.1\r\nHost: loc");
	if (argc == 4 && strcmp(argv[1], "stall") == 0)
		return stall(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "links") == 0)
		return links(argv[2], strtol(argv[3], NULL, 10));
	fprintf(stderr,
	        "usage: clients steady|burst|idle|loris|stall|links ...\n");
	return 2;
}
