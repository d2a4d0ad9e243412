/* tests/faults/service.c - the recorded service that the faults happen to.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nothing but the public headers, as any service: one daemon of two workers
 * that answers "ok". Its words go to standard error, the log of tailbox too;
 * standard output gets "listening on 127.0.0.1:PORT" once it serves. SIGTERM
 * ends it. Only what a row needs is an option:
 *
 *	--name NAME        service name (victim)
 *	--tape-bytes N     size of the tape (1 MiB)
 *	--drain MS         drain timeout (default of tailbox)
 *	--mhd-option N     another daemon first, with an option of this number
 *	--deep             options nested deeper than tailbox looks
 *	--port N           (any)
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>
#include <tailbox/mhd.h>

#define DEPTH 40

static const char *name = "victim";
static int odd_option, port;
static int is_deep;

/* "/wait/MS" answers after so many milliseconds, all else at once. */
static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *url, const char *method,
                              const char *version, const char *upload,
                              size_t *upload_size, void **req_cls)
{
	static char text[] = "ok\n";
	enum MHD_Result rc;

	(void)cls, (void)method, (void)version, (void)upload;
	/* An answer to the first call would end the connection. */
	if (*req_cls == NULL || *upload_size > 0) {
		*req_cls = text;
		*upload_size = 0;
		return MHD_YES;
	}
	if (strncmp(url, "/wait/", 6) == 0) {
		const long ms = strtol(url + 6, NULL, 10);
		const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
		nanosleep(&t, NULL);
	}
	struct MHD_Response *r = MHD_create_response_from_buffer(
	        sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return rc;
}

static void say(void *cls, const char *line)
{
	(void)cls;
	fprintf(stderr, "%s\n", line);
}

static const struct MHD_OptionItem *deep(const struct MHD_OptionItem *inner)
{
	static struct MHD_OptionItem items[DEPTH][2];

	for (int i = 0; i < DEPTH; i++) {
		items[i][0].option = MHD_OPTION_ARRAY;
		items[i][0].ptr_value = (void *)(intptr_t)inner;
		items[i][1].option = MHD_OPTION_END;
		inner = items[i];
	}
	return inner;
}

static struct MHD_Daemon *serve(void)
{
	static struct sockaddr_in here;
	struct MHD_OptionItem items[] = {
		{ MHD_OPTION_THREAD_POOL_SIZE, 2, NULL },
		{ MHD_OPTION_SOCK_ADDR, 0, &here },
		{ MHD_OPTION_END, 0, NULL },
	};

	here.sin_family = AF_INET;
	here.sin_port = htons((uint16_t)port);
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return tailbox_mhd_start_daemon(
	        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
	        MHD_OPTION_ARRAY, is_deep ? deep(items) : items,
	        MHD_OPTION_END);
}

/* What the daemon is started with is what plain libmicrohttpd gets, so what
 * that makes of the option it makes here too. */
static void try_odd_option(void)
{
	struct MHD_Daemon *d = tailbox_mhd_start_daemon(
	        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
	        odd_option, (void *)0, (void *)0, MHD_OPTION_END);

	fprintf(stderr, "daemon with option %d: %s\n", odd_option,
	        d ? "started" : "refused");
	tailbox_mhd_stop_daemon(d);
}

static void take(int argc, char **argv, struct tailbox_options *o)
{
	static const struct option known[] = {
		{ "name", 1, NULL, 'n' },       { "tape-bytes", 1, NULL, 't' },
		{ "drain", 1, NULL, 'd' },      { "mhd-option", 1, NULL, 'o' },
		{ "deep", 0, NULL, 'D' },       { "port", 1, NULL, 'p' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	o->tape_bytes = 1 << 20;
	o->log = say;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'n':
			name = optarg;
			break;
		case 't':
			o->tape_bytes = strtoull(optarg, NULL, 10);
			break;
		case 'd':
			o->drain_timeout_ms =
			        (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			odd_option = (int)strtol(optarg, NULL, 10);
			break;
		case 'D':
			is_deep = 1;
			break;
		case 'p':
			port = (int)strtol(optarg, NULL, 10);
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	const union MHD_DaemonInfo *info;
	struct tailbox_options o;
	struct MHD_Daemon *d;
	sigset_t ends;
	int sig, rc;

	tailbox_options_init(&o);
	take(argc, argv, &o);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	rc = tailbox_start(name, &o);
	fprintf(stderr, "tailbox_start: %s\n", rc ? tailbox_strerror(rc) : "0");
	if (odd_option)
		try_odd_option();
	d = serve();
	if (d == NULL) {
		fprintf(stderr, "no daemon\n");
		return 1;
	}
	info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);
	printf("listening on 127.0.0.1:%u\n", info ? info->port : 0u);
	fflush(stdout);
	sigwait(&ends, &sig);
	tailbox_mhd_stop_daemon(d);
	tailbox_stop();
	return 0;
}
