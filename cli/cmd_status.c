/* cli/cmd_status.c - `tailbox status`: ask the process, else read its tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * A process that hangs must not make this hang: it has 350 ms in all for its
 * three answers, then the tape tells. A tape whose writer is stopped or gone
 * is read at once. A URL has no tape to fall back to, and a network between:
 * it has five seconds.
 */
#include <string.h>
#include <time.h>

#include "cli/from_tape.h"
#include "cli/http.h"
#include "analyzer/json_tree.h"
#include "cli/target.h"

enum { BUDGET_MS = 350, BUDGET_URL_MS = 5000, LINES_MAX = 45 };

static const char *const parts[] = { "status", "workers", "requests" };
enum { PARTS = 3 };

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000L + ts.tv_nsec / 1000000;
}

/* Get all parts. 0: all came; 1: told that it refused; -1: does not answer. */
static int ask_all(const struct cli__target *t, bool is_json,
                   struct cli__http h[PARTS], char why[256])
{
	long end = now_ms() + (t->service.url[0] ? BUDGET_URL_MS : BUDGET_MS);

	for (size_t i = 0; i < PARTS; i++) {
		char path[64];
		long left = end - now_ms();
		snprintf(path, sizeof(path), "/%s?format=%s", parts[i],
		         is_json ? "json" : "text");
		cli__http_to(t, &h[i]);
		h[i].path = path;
		h[i].to_fd = -1;
		h[i].total_ms = left > 1 ? left : 1;
		int rc = cli__http(&h[i]);
		h[i].path = NULL;
		if (rc < 0) {
			snprintf(why, 256, "%s", h[i].why);
			return -1;
		}
		if (h[i].status != 200) {
			cli__http_told(t, &h[i]);
			return 1;
		}
	}
	return 0;
}

/* The first lines of a table. */
static void put_lines(const struct cli__http *h)
{
	const char *at = h->body.at ? h->body.at : "", *end = at;
	size_t lines = 0, more = 0;

	for (const char *p = at; *p; p++) {
		if (*p != '\n')
			continue;
		if (lines++ < LINES_MAX)
			end = p + 1;
		else
			more++;
	}
	if (!lines)
		end = at + strlen(at);
	fwrite(at, 1, (size_t)(end - at), cli__out());
	if (more)
		fprintf(cli__out(), "... and %zu more lines\n", more);
}

static int put_text(struct cli__http h[PARTS])
{
	for (size_t i = 0; i < PARTS; i++) {
		if (i)
			fputc('\n', cli__out());
		if (h[i].body.at)
			cli__clean(h[i].body.at);
		put_lines(&h[i]);
	}
	return CLI__DONE;
}

/* The answers as they came, each under its name. */
static int put_json(const struct cli__target *t, struct cli__http h[PARTS])
{
	struct tailbox__json j;

	tailbox__json_init(&j, false);
	tailbox__json_begin_object(&j);
	tailbox__json_key(&j, "source");
	tailbox__json_cstr(&j, t->service.url[0] ? "url" : "socket");
	for (size_t i = 0; i < PARTS; i++) {
		size_t len = h[i].body.len;
		tailbox__tree *check = tailbox__tree_parse(h[i].body.at, len);
		if (!check) {
			tailbox__json_fini(&j);
			return cli__fail("%s: the answer is no JSON",
			                 cli__target_name(t));
		}
		tailbox__tree_free(check);
		while (len && h[i].body.at[len - 1] == '\n')
			len--;
		tailbox__json_key(&j, parts[i]);
		tailbox__json_raw(&j, h[i].body.at, len);
	}
	tailbox__json_end_object(&j);
	return cli__put_json(&j);
}

static int from_socket(const struct cli__target *t, bool is_json)
{
	struct cli__http h[PARTS] = { { .to_fd = -1 } };
	char why[256] = "";
	int rc = ask_all(t, is_json, h, why);

	if (rc == 0)
		rc = is_json ? put_json(t, h) : put_text(h);
	else if (rc < 0 && t->service.tape[0]) {
		cli__say("%s (pid %u): %s; from its tape:", t->service.name,
		         (unsigned)t->service.pid, why);
		rc = cli__tape_status(t->service.tape, is_json);
	} else {
		if (rc < 0)
			cli__say("%s: %s", cli__place(&t->service), why);
		rc = CLI__NO;
	}
	for (size_t i = 0; i < PARTS; i++)
		cli__http_fini(&h[i]);
	return rc;
}

int cli__status(const struct cli__command *self, int argc, char **argv)
{
	bool is_json = false, from_tape = false;
	const struct cli__option options[] = {
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ "tape", 0, CLI__FLAG, &from_tape, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__target t;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc) ||
	    !cli__target_service(self, first < argc ? argv[first] : NULL, &t,
	                         &rc))
		return rc;
	const struct cli__service *s = &t.service;
	if (from_tape && s->url[0])
		return cli__fail("%s: a tape is read on its own machine, not "
		                 "over a URL; leave out --tape", s->url);
	if (from_tape && !s->tape[0])
		return cli__fail("%s (pid %u) has no tape", s->name,
		                 (unsigned)s->pid);
	if (s->tape[0] && (from_tape || !s->sock[0] ||
	                   s->writer != TAILBOX__WRITER_LIVE))
		return cli__tape_status(s->tape, is_json);
	if (!s->sock[0] && !s->url[0])
		return cli__fail("%s (pid %u) has neither tape nor socket",
		                 s->name, (unsigned)s->pid);
	return from_socket(&t, is_json);
}
