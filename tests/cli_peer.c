/* tests/cli_peer.c - what the cli_* scripts point the command at.
 *
 * SPDX-License-Identifier: MIT
 *
 *	cli_peer service NAME		a recorded process with three requests, and
 *					one more by each SIGUSR1
 *	cli_peer url ARTIFACT TOKEN	an admin server on a port, as far as the
 *					command asks; its paths misbehave
 *
 * Each prints its process number, and `url` its port, on one line when it is
 * ready. Ends by SIGTERM, by SIGHUP without tailbox_stop(), or after five minutes
 * whatever happens.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <microhttpd.h>

#include <tailbox.h>

#include "controller/admin.h"

enum { LIFE_S = 300 };

static int wait_for_end(void)
{
	sigset_t set;
	int sig;

	fflush(stdout);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigwait(&set, &sig);
	return sig;
}

/* Before any thread is made: they inherit the mask. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	alarm(LIFE_S);
}

/* --- a service ------------------------------------------------------------ */

static void do_request(void)
{
	tailbox_request_finish(tailbox_request_begin("/peer", "job"), "ok");
}

/* The admin server on a port too; its number, 0 = it did not start. */
static unsigned open_port(const char *secret)
{
	static struct tailbox__config_admin c;
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	snprintf(c.listen, sizeof(c.listen), "127.0.0.1:0");
	snprintf(c.token, sizeof(c.token), "%s", secret);
	if (tailbox__admin_start_tcp(&c, &err) != 1) {
		fprintf(stderr, "cli_peer: %s\n", err.text);
		return 0;
	}
	const char *colon = strrchr(tailbox__admin_tcp(), ':');
	return colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
}

/* PEER_DIR is a run folder that only the program knows of; PEER_TOKEN opens a
 * port. */
static int serve(const char *name)
{
	struct tailbox_options o;
	int sig;

	tailbox_options_init(&o);
	o.run_dir = getenv("PEER_DIR");
	tailbox_start(name, &o);
	for (int i = 0; i < 3; i++)
		do_request();
	const char *secret = getenv("PEER_TOKEN");
	printf("%ld %u\n", (long)getpid(), secret ? open_port(secret) : 0);
	while ((sig = wait_for_end()) == SIGUSR1)
		do_request();
	if (sig == SIGHUP) /* ends in order, without a stop */
		return 0;
	tailbox_stop();
	return sig == SIGTERM ? 0 : 1;
}

/* --- an admin server ------------------------------------------------------ */

static const char *artifact, *token;
static unsigned port;

struct answer {
	unsigned status;
	const char *text;
};

static const char list[] =
        "{\"artifacts\": [{\"id\": \"1\", \"name\": \"far-1\", \"ours\": true,"
        " \"requests\": 1, \"bytes\": 1, \"started_at_unix_ms\": 1000,"
        " \"finalized_at_unix_ms\": 2000}]}\n";

static const struct {
	const char *method, *path;
	struct answer answer;
} calls[] = {
	{ "GET", "/artifacts", { 200, list } },
	{ "GET", "/status", { 200, "{\"service\": \"far\"}\n" } },
	{ "GET", "/workers", { 200, "{}\n" } },
	{ "GET", "/requests", { 200, "{}\n" } },
	{ "POST", "/arm", { 200, "{\"id\": 1}\n" } },
	{ "POST", "/disarm", { 200, "{\"result\": \"done\", \"id\": 1}\n" } },
	{ "POST", "/recorder", { 200, "{\"on\": true}\n" } },
};

/* What a path below one of these gets. */
static const struct {
	const char *prefix;
	struct answer answer;
} moods[] = {
	{ "/moved/", { 302, "" } },
	{ "/forbidden/", { 403, "no\n" } },
	{ "/wronghost/",
	  { 421, "{\"error\": \"wrong_host\", \"detail\": \"not a name of "
	         "this server\"}\n" } },
	{ "/page/", { 200, "<html>welcome</html>\n" } },
	{ "/broken/", { 500, "{\"error\": \"broken\"}\n" } },
};

static enum MHD_Result reply(struct MHD_Connection *c, struct answer a)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
	        strlen(a.text), (void *)(uintptr_t)a.text,
	        MHD_RESPMEM_PERSISTENT);

	if (a.status == 302)
		MHD_add_response_header(r, "Location", "http://127.0.0.1:1/");
	enum MHD_Result ok = MHD_queue_response(c, a.status, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result send_file(struct MHD_Connection *c)
{
	struct stat st = { 0 };
	int fd = open(artifact, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0)
		return MHD_NO;
	struct MHD_Response *r = MHD_create_response_from_fd(
	        (uint64_t)st.st_size, fd);
	enum MHD_Result ok = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return ok;
}

static bool has_token(struct MHD_Connection *c)
{
	const char *h = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
	                                            "Authorization");

	return h && !strncmp(h, "Bearer ", 7) && !strcmp(h + 7, token);
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c,
                              const char *path, const char *method,
                              const char *version, const char *data,
                              size_t *size, void **req_cls)
{
	static const char unknown[] = "{\"error\": \"unauthorized\"}\n";

	(void)cls, (void)version, (void)data;
	*size = 0;
	if (!*req_cls) {
		*req_cls = &port;
		return MHD_YES;
	}
	if (!strncmp(path, "/silent/", 8)) {
		MHD_suspend_connection(c);
		return MHD_YES;
	}
	for (size_t i = 0; i < sizeof(moods) / sizeof(moods[0]); i++)
		if (!strncmp(path, moods[i].prefix, strlen(moods[i].prefix)))
			return reply(c, moods[i].answer);
	if (!has_token(c))
		return reply(c, (struct answer){ 401, unknown });
	if (!strncmp(path, "/mounted/", 9))
		path += 8;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(path, calls[i].path) &&
		    !strcmp(method, calls[i].method))
			return reply(c, calls[i].answer);
	if (!strcmp(path, "/artifacts/far-1.tailbox"))
		return send_file(c);
	return reply(c, (struct answer){ 404, "not here\n" });
}

static int serve_url(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET };

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	struct MHD_Daemon *d = MHD_start_daemon(
	        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
	                MHD_ALLOW_SUSPEND_RESUME,
	        0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR, &here,
	        MHD_OPTION_END);
	const union MHD_DaemonInfo *info =
	        d ? MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	if (!info) {
		fputs("cli_peer: cannot listen\n", stderr);
		return 1;
	}
	port = info->port;
	printf("%ld %u\n", (long)getpid(), port);
	/* Suspended connections are not resumed: the daemon is not stopped. */
	return wait_for_end() == SIGTERM ? 0 : 1;
}

int main(int argc, char **argv)
{
	block_signals();
	if (argc == 3 && !strcmp(argv[1], "service"))
		return serve(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "url")) {
		artifact = argv[2];
		token = argv[3];
		return serve_url();
	}
	fputs("usage: cli_peer service NAME | url ARTIFACT TOKEN\n", stderr);
	return 2;
}
