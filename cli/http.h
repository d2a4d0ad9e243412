/* cli/http.h - HTTP to an admin server: its Unix socket, or a URL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CLI_HTTP_H
#define TAILBOX_CLI_HTTP_H 1

#include "cli/cli.h"
#include "cli/target.h"

#define CLI__HTTP_CONNECT_MS 300      /* on this machine */
#define CLI__HTTP_CONNECT_URL_MS 3000
#define CLI__HTTP_ANSWER_MAX ((size_t)16 << 20) /* bytes kept in memory */

struct cli__http {
	/* in */
	const char *sock, *url; /* cli__http_to(); url goes first */
	bool is_post;
	const char *path; /* "/arm?mode=light", escaped already */
	long total_ms;    /* 0 = no end as long as bytes come */
	int to_fd;        /* a 200's body goes here; -1 = into body */
	/* out */
	long status;      /* of the answer; 0 = none */
	bool is_timeout;
	struct cli__text body; /* cli__http_fini() */
	char why[256];    /* when the call failed */
};

/* Where h goes: the service of a target. */
void cli__http_to(const struct cli__target *t, struct cli__http *h);
/* 0: an answer came, see status. -1: none came whole, see why. */
int cli__http(struct cli__http *h);
void cli__http_fini(struct cli__http *h);
/* Before the process ends: give back what the calls left. */
void cli__http_end(void);

/* Ask the service of a target. Failures, and answers that are not 200, are
 * told on standard error with the server's reason. On true the body is in h
 * or in to_fd. Does cli__http_to(). */
bool cli__ask(const struct cli__target *t, struct cli__http *h);
/* Tell why an answer that is not 200 is none; gives CLI__NO. */
int cli__http_told(const struct cli__target *t, const struct cli__http *h);
/* What to do about an answer of a URL; "" = the server's words are enough. */
const char *cli__http_hint(const struct cli__service *s, long status);

/* --- the token of URL targets (cli/token.c) ------------------------------- */

/* --token-file FILE goes before TAILBOX_TOKEN. False: told, and *rc. */
bool cli__token_load(int *rc);
/* NULL = none was given. */
const char *cli__token(void);

/* Percent-encode for a query. buf gets "" when it does not fit. */
const char *cli__escape(char *buf, size_t size, const char *s);

#endif
