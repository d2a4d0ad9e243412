/* controller/admin_index.c - GET / and GET /healthz.
 *
 * SPDX-License-Identifier: MIT
 *
 * The index is for someone with a terminal on a bad night: every line of it
 * that does not begin with '#' can be pasted as it is.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/admin_internal.h"

static const struct {
	const char *method, *call, *what;
} calls[] = {
	{ "", "status?format=text", "what is recorded, what was lost, "
	                            "windows, own cost" },
	{ "", "requests?format=text", "open requests, oldest first" },
	{ "", "requests?kept=1&format=text",
	  "slow, failed and cancelled ones that were kept" },
	{ "", "workers?format=text", "which request holds each worker" },
	{ "", "artifacts?format=text", "windows, snapshots, crashes" },
	{ "-X POST ", "arm?mode=light&duration=30s&format=text",
	  "capture a window" },
	{ "-X POST ", "disarm?format=text", "end it now" },
	{ "-X POST ", "snapshot?last=60s&format=text",
	  "keep what the tape has of the last minute" },
	{ "-X POST ", "recorder?on=0&format=text",
	  "kill switch: record nothing; on=1 records again" },
	{ "", "config?format=text", "the settings, and where each came "
	                            "from" },
	{ "-X POST ", "reload?format=text",
	  "read the configuration file again" },
	{ "--compressed ", "artifacts/1", "window 1 as Run JSON" },
	{ "-OJ ", "artifacts/1.tailbox", "window 1 as a native file" },
	{ "", "artifacts/1/report?format=text",
	  "what made the slow requests of window 1 slow" },
	{ "-X POST ", "artifacts/1/pin?on=1",
	  "keep it: the oldest others go when the folder is full" },
	{ "-X DELETE ", "artifacts/1", "delete it" },
	{ "", "healthz", "is this server alive" },
};

static void add_in_quotes(struct tailbox__text *t, const char *s)
{
	tailbox__text_add(t, "'");
	for (; *s != '\0'; s++)
		if (*s == '\'')
			tailbox__text_add(t, "'\\''");
		else
			tailbox__text_add(t, "%c", *s);
	tailbox__text_add(t, "'");
}

/* For a shell: quoted where there is a byte that it may take apart. */
static void add_quoted(struct tailbox__text *t, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789/._-+,@%=:";

	if (s[strspn(s, plain)] == '\0') {
		tailbox__text_add(t, "%s", s);
		return;
	}
	add_in_quotes(t, s);
}

/* The socket as curl takes it; a path beyond its limit goes by its folder. */
static void add_socket(struct tailbox__text *t)
{
	const char *path = tailbox__admin_path();
	struct sockaddr_un a;
	bool is_short = strlen(path) < sizeof(a.sun_path);

	if (!is_short) {
		tailbox__text_add(t, "cd ");
		add_quoted(t, tailbox__admin_facts->run_dir);
		tailbox__text_add(t, " && ");
	}
	tailbox__text_add(t, "curl -s --unix-socket ");
	add_quoted(t, is_short ? path : tailbox__admin_socket_name());
	tailbox__text_add(t, " ");
}

/* By the name that the client came with. On TCP that was checked; an
 * application that mounts us may let any name in, so it is quoted. */
static void add_url(struct tailbox__text *t,
                    const struct tailbox__admin_request *q, const char *call)
{
	struct tailbox__text url = TAILBOX__TEXT_INIT;
	const char *host = "localhost";

	if (q->via != TAILBOX__VIA_UNIX)
		host = MHD_lookup_connection_value(
		        q->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
	tailbox__text_add(&url, "http://%s%s/%s",
	                  host != NULL ? host : "localhost", q->prefix, call);
	if (url.buf != NULL)
		add_in_quotes(t, url.buf);
	tailbox__text_fini(&url);
}

static void add_call(struct tailbox__text *t,
                     const struct tailbox__admin_request *q, size_t i)
{
	if (q->via == TAILBOX__VIA_UNIX)
		add_socket(t);
	else if (q->is_trusted)
		tailbox__text_add(t, "curl -s ");
	else
		tailbox__text_add(t, "curl -s -H \"Authorization: Bearer "
		                     "$TAILBOX_TOKEN\" ");
	tailbox__text_add(t, "%s", calls[i].method);
	add_url(t, q, calls[i].call);
	tailbox__text_add(t, "\n");
}

enum MHD_Result tailbox__admin_index(struct tailbox__admin_request *q)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;

	tailbox__text_add(&t, "tailbox: %s, pid %ld%s%s\n",
	                  tailbox__admin_facts->service, (long)getpid(),
	                  tailbox__admin_facts->is_recorded
	                          ? ""
	                          : ", not recorded: ",
	                  tailbox__admin_facts->is_recorded
	                          ? ""
	                          : tailbox__admin_facts->why_not);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		tailbox__text_add(&t, "\n# %s\n", calls[i].what);
		add_call(&t, q, i);
	}
	return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
}

enum MHD_Result tailbox__admin_health(struct tailbox__admin_request *q)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;

	tailbox__text_add(&t, "ok\n");
	return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
}
