/* cli/cmd_doctor_admin.c - checks of the admin server, and of the settings that
 * it tells.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/cmd_doctor.h"

#include <inttypes.h>
#include <string.h>

#include "analyzer/timeline_text.h"

#define ANSWER_MS 2000
#define ANSWER_URL_MS 5000
#define ANSWER_SLOW_US 350000u /* `tailbox status` waits no longer */
#define ANSWER_SLOW_URL_US 2000000u

/* --- asking --------------------------------------------------------------- */

/* NULL: no answer, or none that is one. The call stays in h. */
static tailbox__tree *ask(const struct cli__service *s, const char *path,
                          struct cli__http *h)
{
	const struct cli__target t = { .service = *s };
	tailbox__tree *answer = NULL;

	*h = (struct cli__http){ .path = path, .to_fd = -1,
		                 .total_ms = s->url[0] ? ANSWER_URL_MS
		                                       : ANSWER_MS };
	cli__http_to(&t, h);
	if (cli__http(h) == 0 && h->status == 200)
		answer = tailbox__tree_parse(h->body.at, h->body.len);
	h->sock = h->url = NULL; /* t goes */
	return answer;
}

void cli__doctor_ask(struct cli__patient *p)
{
	const struct cli__service *s = p->service;
	uint64_t begun = cli__doctor_ns();
	struct cli__http h;

	if (!s->url[0] &&
	    (!s->sock[0] || s->writer != TAILBOX__WRITER_LIVE))
		return;
	p->status = ask(s, "/status", &p->http);
	p->answer_us = (cli__doctor_ns() - begun) / 1000;
	if (!p->status)
		return;
	p->kept = ask(s, "/artifacts", &h);
	cli__http_fini(&h);
}

/* --- does it answer ------------------------------------------------------- */

bool cli__check_socket(struct cli__patient *p, struct cli__finding *f)
{
	const struct cli__service *s = p->service;
	char took[TAILBOX__SHOW_ROOM];

	if (s->url[0] || !cli__is_alive(s) ||
	    s->writer == TAILBOX__WRITER_STOPPED)
		return false;
	if (!s->sock[0]) {
		cli__mend(f, "see the service's log for why there is none, "
		             "start it again");
		return cli__found(f, CLI__FAILED, "there is none: only the "
		                                  "tape tells");
	}
	tailbox__show_us(took, p->answer_us);
	if (p->http.status && p->http.status != 200) {
		cli__mend(f, "look at what listens on that socket");
		return cli__found(f, CLI__FAILED, "%s answers with status %ld",
		                  s->sock, p->http.status);
	}
	if (!p->http.status) {
		cli__mend(f, "if the process hangs: tailbox status %s, then "
		             "gdb -p %ld -batch -ex 't a a bt'",
		          p->word, (long)p->pid);
		return cli__found(f, CLI__FAILED, "%s does not answer: %s "
		                                  "(after %s)",
		                  s->sock, p->http.why, took);
	}
	if (!p->status) {
		cli__mend(f, "look at what listens on that socket");
		return cli__found(f, CLI__FAILED, "%s answers, but not with "
		                                  "JSON", s->sock);
	}
	cli__mend(f, "see whether the machine has CPU time left");
	return cli__found(f,
	                  p->answer_us > ANSWER_SLOW_US ? CLI__DEGRADED
	                                                : CLI__HEALTHY,
	                  "%s answers in %s", s->sock, took);
}

/* The server's own words for an answer that is no 200. */
static void told(const struct cli__http *h, char *buf, size_t size)
{
	tailbox__tree *j = tailbox__tree_parse(h->body.at ? h->body.at : "",
	                                       h->body.len);
	const char *error = tailbox__tree_text(j, "error");

	snprintf(buf, size, "%s%.80s", error ? ", " : "", error ? error : "");
	tailbox__tree_free(j);
}

bool cli__check_url(struct cli__patient *p, struct cli__finding *f)
{
	const struct cli__service *s = p->service;
	char took[TAILBOX__SHOW_ROOM], words[96];

	if (!s->url[0])
		return false;
	tailbox__show_us(took, p->answer_us);
	if (!p->http.status) {
		cli__mend(f, "see that the service runs, that [admin] listen "
		             "is set, and the way there");
		return cli__found(f, CLI__FAILED, "does not answer: %s (after "
		                                  "%s)", p->http.why, took);
	}
	if (p->http.status != 200) {
		const char *hint = cli__http_hint(s, p->http.status);
		told(&p->http, words, sizeof(words));
		cli__mend(f, "%s", *hint ? hint
		                         : "give the URL of a tailbox admin "
		                           "server");
		return cli__found(f, CLI__FAILED, "answers with status %ld%s",
		                  p->http.status, words);
	}
	if (!tailbox__tree_text(p->status, "service")) {
		cli__mend(f, "give the URL of a tailbox admin server");
		return cli__found(f, CLI__FAILED,
		                  "answers, but not as a tailbox admin server");
	}
	cli__mend(f, "see whether that machine has CPU time left, and the way "
	             "there");
	return cli__found(f,
	                  p->answer_us > ANSWER_SLOW_URL_US ? CLI__DEGRADED
	                                                    : CLI__HEALTHY,
	                  "answers in %s", took);
}

/* --- TCP ------------------------------------------------------------------ */

bool cli__check_tcp(struct cli__patient *p, struct cli__finding *f)
{
	tailbox__tree *admin = tailbox__tree_member(p->status, "admin");
	tailbox__tree *config = tailbox__tree_member(p->status, "config");
	const char *tcp = tailbox__tree_text(admin, "tcp");
	const char *trouble = tailbox__tree_text(config, "trouble");
	uint64_t wrong = tailbox__tree_number(admin, "wrong_tokens",
	                                      UINT64_MAX);

	if (!p->status)
		return false;
	if (wrong == UINT64_MAX) {
		cli__mend(f, "start the service again with the library of this "
		             "version");
		return cli__found(f, CLI__DEGRADED, "the service does not know");
	}
	/* Its only cause is this. */
	if (!tcp && trouble) {
		cli__mend(f, "correct that, or [admin] of its file, then "
		             "start the service again");
		return cli__found(f, CLI__DEGRADED, "did not start: %s",
		                  trouble);
	}
	cli__found(f, wrong ? CLI__DEGRADED : CLI__HEALTHY, "%s%s",
	           tcp ? "listens on " : "off", tcp ? tcp : "");
	size_t len = strlen(f->found);
	if (wrong) {
		snprintf(f->found + len, sizeof(f->found) - len,
		         ", %" PRIu64 " wrong token%s since the start", wrong,
		         wrong == 1 ? "" : "s");
		cli__mend(f, "look for a client with an old token, or somebody "
		             "who guesses");
	} else if (tcp) {
		snprintf(f->found + len, sizeof(f->found) - len,
		         ", no wrong token seen");
	}
	return true;
}

/* --- configuration -------------------------------------------------------- */

bool cli__check_config(struct cli__patient *p, struct cli__finding *f)
{
	tailbox__tree *config = tailbox__tree_member(p->status, "config");
	const char *file = tailbox__tree_text(config, "file");
	const char *error = tailbox__tree_text(config, "last_error");
	const char *restart = tailbox__tree_text(config, "restart_needed");

	if (!p->status)
		return false;
	if (!config) {
		cli__mend(f, "start the service again with the library of this "
		             "version");
		return cli__found(f, CLI__DEGRADED, "the service does not know");
	}
	if (!file)
		return cli__found(f, CLI__HEALTHY, "no file");
	if (error || !tailbox__tree_is_true(config, "loaded")) {
		bool is_in_force = tailbox__tree_is_true(config, "loaded");
		cli__mend(f, "correct it where the service runs (tailbox config "
		             "check FILE), then tailbox config reload %.160s",
		          p->word);
		/* The reason begins with the file and the line. */
		return cli__found(f, CLI__DEGRADED, "%s: %s",
		                  is_in_force ? "the last reload failed, what "
		                                "was read before is in force"
		                              : "not loaded, the service runs "
		                                "without it",
		                  error ? error : file);
	}
	if (restart) {
		cli__mend(f, "start the service again");
		return cli__found(f, CLI__DEGRADED,
		                  "%.300s, read again; in force after a "
		                  "restart: %.200s", file, restart);
	}
	return cli__found(f, CLI__HEALTHY, "%s", file);
}
