/* demo/slow_client.c - clients on a bad line, bounded in number and time.
 *
 * N threads with one connection each either read a page a little at a time,
 * or send an order in drips. Nothing is wrong with the service then; it waits
 * for its client. A library would be of no help: it reads and writes as fast
 * as it can, and receive buffer and segments must be as small as they are on
 * such a line: over loopback the kernel takes in a megabyte at once on behalf
 * of a client that does not read.
 *
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 64u
#define SECONDS_MAX 600u
#define RECEIVE_BUFFER 8192
#define SEGMENT_SIZE 1448 /* as over Ethernet */
#define READ_SIZE 32768u /* at a time, then a pause: 1.3 MB/s */
#define READ_PAUSE_MS 25
#define DRIPS 20u /* of an order's body, a pause after each: 0.5 s */
#define DRIP_PAUSE_MS 25
#define STUCK_S 5 /* then a call gives up */

struct crowd {
	uint16_t port;
	unsigned long clients;
	unsigned long seconds;
	const char *page; /* NULL: orders are sent */
	struct timespec started;
	atomic_ulong done; /* relaxed: read after pthread_join() */
};

static void nap(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static bool is_over(const struct crowd *w)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)(now.tv_sec - w->started.tv_sec) >= w->seconds;
}

/* --- one exchange, on a connection of its own ----------------------------- */

static bool set(int fd, int level, int name, const void *value, socklen_t size)
{
	return setsockopt(fd, level, name, value, size) == 0;
}

static int dial(uint16_t port)
{
	const struct sockaddr_in there = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct timeval stuck = { STUCK_S, 0 };
	const int buffer = RECEIVE_BUFFER, segment = SEGMENT_SIZE;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* Before connect(): it offers window and segment size. */
	if (set(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)) &&
	    set(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment)) &&
	    set(fd, SOL_SOCKET, SO_RCVTIMEO, &stuck, sizeof(stuck)) &&
	    set(fd, SOL_SOCKET, SO_SNDTIMEO, &stuck, sizeof(stuck)) &&
	    connect(fd, (const struct sockaddr *)&there, sizeof(there)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		size -= (size_t)n;
	}
	return true;
}

/* Up to the end of the connection, which both requests ask for. */
static bool read_slowly(int fd, long pause_ms)
{
	char data[READ_SIZE];
	size_t since_pause = 0;
	bool is_answered = false;
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), 0)) > 0) {
		is_answered = true;
		since_pause += (size_t)n;
		if (since_pause >= READ_SIZE && pause_ms > 0) {
			nap(pause_ms);
			since_pause = 0;
		}
	}
	return n == 0 && is_answered;
}

static bool download(int fd, const char *page)
{
	char head[160];
	int n = snprintf(head, sizeof(head),
	                 "GET %s HTTP/1.1\r\nHost: shop\r\n"
	                 "Connection: close\r\n\r\n",
	                 page);

	return send_all(fd, head, (size_t)n) && read_slowly(fd, READ_PAUSE_MS);
}

static bool upload(int fd)
{
	/* JSON takes any number of blanks at its end. */
	static const char order[] = "{\"item\":7,\"quantity\":1}";
	static const char drip[] = "                    ";
	char head[200];
	size_t size = sizeof(order) - 1 + DRIPS * (sizeof(drip) - 1);
	int n = snprintf(head, sizeof(head),
	                 "POST /checkout HTTP/1.1\r\nHost: shop\r\n"
	                 "Connection: close\r\n"
	                 "Content-Type: application/json\r\n"
	                 "Content-Length: %zu\r\n\r\n%s",
	                 size, order);

	if (!send_all(fd, head, (size_t)n))
		return false;
	for (unsigned i = 0; i < DRIPS; i++) {
		nap(DRIP_PAUSE_MS);
		if (!send_all(fd, drip, sizeof(drip) - 1))
			return false;
	}
	return read_slowly(fd, 0);
}

static void *client(void *cls)
{
	struct crowd *w = cls;

	while (!is_over(w)) {
		int fd = dial(w->port);
		bool is_done = fd >= 0 && (w->page != NULL ?
		                                   download(fd, w->page) :
		                                   upload(fd));

		if (fd >= 0)
			close(fd);
		if (!is_done)
			nap(100); /* no busy loop where nobody listens */
		else
			atomic_fetch_add_explicit(&w->done, 1,
			                          memory_order_relaxed);
	}
	return NULL;
}

/* --- the program ---------------------------------------------------------- */

static const char usage[] =
	"usage: slow_client --port N --download PATH|--upload [options]\n"
	"Clients on a bad line, for a demo shop on 127.0.0.1.\n"
	"  --port N         where the shop listens\n"
	"  --download PATH  read this page a little at a time\n"
	"  --upload         send orders in drips\n"
	"  --clients N      at the same time, 1 to 64 (default 4)\n"
	"  --seconds N      for so long, at most 600 (default 10)\n"
	"  --help           this text\n"
	"Exit code: 0 something was answered, 1 nothing, 2 usage.\n";

static bool read_option(const char *text, unsigned long max,
                        unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 &&
	       *value >= 1 && *value <= max;
}

/* Returns -1 to go on, else the exit code. */
static int read_options(int argc, char **argv, struct crowd *w)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "download", required_argument, NULL, 'd' },
		{ "upload", no_argument, NULL, 'u' },
		{ "clients", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	unsigned long port = 0;
	bool is_good = true, is_upload = false;
	int c;

	while (is_good &&
	       (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'p':
			is_good = read_option(optarg, 65535, &port);
			break;
		case 'd':
			is_good = *optarg == '/' && strlen(optarg) <= 64;
			w->page = optarg;
			break;
		case 'u':
			is_upload = true;
			break;
		case 'c':
			is_good = read_option(optarg, CLIENTS_MAX, &w->clients);
			break;
		case 't':
			is_good = read_option(optarg, SECONDS_MAX, &w->seconds);
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			is_good = false;
		}
	}
	w->port = (uint16_t)port;
	if (is_good && optind == argc && port != 0 &&
	    is_upload == (w->page == NULL))
		return -1;
	fputs(usage, stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct crowd w = { .clients = 4, .seconds = 10 };
	pthread_t thread[CLIENTS_MAX];
	unsigned long n = 0;
	int result = read_options(argc, argv, &w);

	if (result >= 0)
		return result;
	clock_gettime(CLOCK_MONOTONIC, &w.started);
	while (n < w.clients &&
	       pthread_create(&thread[n], NULL, &client, &w) == 0)
		n++;
	for (unsigned long i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	unsigned long done = atomic_load_explicit(&w.done,
	                                          memory_order_relaxed);
	printf("%lu requests were answered\n", done);
	return done > 0 ? 0 : 1;
}
