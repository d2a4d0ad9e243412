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
	{ "", "workers?format=text", "which request holds each worker" },
	{ "", "artifacts?format=text", "finished windows" },
	{ "-X POST ", "arm?mode=light&duration=30s&format=text",
	  "capture a window" },
	{ "-X POST ", "disarm?format=text", "end it now" },
	{ "-X POST ", "recorder?on=0&format=text",
	  "kill switch: record nothing; on=1 records again" },
	{ "--compressed ", "artifacts/1", "window 1 as Run JSON" },
	{ "-OJ ", "artifacts/1.tailbox", "window 1 as a native file" },
	{ "-X DELETE ", "artifacts/1", "delete it" },
	{ "", "healthz", "is this server alive" },
};

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
	tailbox__text_add(t, "'");
	for (; *s != '\0'; s++)
		if (*s == '\'')
			tailbox__text_add(t, "'\\''");
		else
			tailbox__text_add(t, "%c", *s);
	tailbox__text_add(t, "'");
}

/* The socket as curl takes it; a path beyond its limit goes by its folder. */
static void add_curl(struct tailbox__text *t)
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
		add_curl(&t);
		tailbox__text_add(&t, "%s'http://localhost/%s'\n",
		                  calls[i].method, calls[i].call);
	}
	return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
}

enum MHD_Result tailbox__admin_health(struct tailbox__admin_request *q)
{
	struct tailbox__text t = TAILBOX__TEXT_INIT;

	tailbox__text_add(&t, "ok\n");
	return tailbox__admin_send_text(q, MHD_HTTP_OK, &t);
}
