/* cli/cmd_arm.c - `tailbox arm` and `tailbox disarm`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/timeline_text.h"
#include "analyzer/json_tree.h"
#include "cli/window.h"

enum { ANSWER_MS = 5000, NOTE_MAX = 255 };

bool cli__window_check(const struct cli__command *self,
                       const struct cli__window *w, int *rc)
{
	if (w->mode && strcmp(w->mode, "light") &&
	    strcmp(w->mode, "investigation"))
		*rc = cli__usage(self, "--mode: \"%s\" is not light or "
		                       "investigation", w->mode);
	else if (w->policy && strcmp(w->policy, "continue") &&
	         strcmp(w->policy, "seal"))
		*rc = cli__usage(self, "--policy: \"%s\" is not continue or "
		                       "seal", w->policy);
	else if (w->note && strlen(w->note) > NOTE_MAX)
		*rc = cli__usage(self, "--note: longer than %d bytes",
		                 NOTE_MAX);
	else
		return true;
	return false;
}

static void add_param(char *path, size_t size, const char *name,
                      const char *value)
{
	char escaped[3 * NOTE_MAX + 4];
	size_t len = strlen(path);

	snprintf(path + len, size - len, "%c%s=%s",
	         strchr(path, '?') ? '&' : '?', name,
	         cli__escape(escaped, sizeof(escaped), value));
}

static void add_number(char *path, size_t size, const char *name, uint64_t n,
                       const char *unit)
{
	char text[40];

	snprintf(text, sizeof(text), "%" PRIu64 "%s", n, unit);
	add_param(path, size, name, text);
}

bool cli__window_arm(const struct cli__target *t, const struct cli__window *w,
                     struct cli__http *h, uint64_t *id)
{
	char path[2048] = "/arm";

	if (w->mode)
		add_param(path, sizeof(path), "mode", w->mode);
	if (w->duration_ms)
		add_number(path, sizeof(path), "duration", w->duration_ms,
		           "ms");
	if (w->lookback_ms)
		add_number(path, sizeof(path), "lookback", w->lookback_ms,
		           "ms");
	if (w->note)
		add_param(path, sizeof(path), "note", w->note);
	if (w->has_max_requests)
		add_number(path, sizeof(path), "max_requests", w->max_requests,
		           "");
	if (w->policy)
		add_param(path, sizeof(path), "policy",
		          *w->policy == 's' ? "auto_seal_on_limits_hit"
		                            : "continue_after_limits_hit");
	if (w->is_strict)
		add_param(path, sizeof(path), "strict", "1");
	h->is_post = true;
	h->path = path;
	h->total_ms = ANSWER_MS;
	h->to_fd = -1;
	bool ok = cli__ask(t, h);
	h->path = NULL;
	if (!ok)
		return false;
	tailbox__tree *j = tailbox__tree_parse(h->body.at, h->body.len);
	*id = tailbox__tree_number(j, "id", 0);
	tailbox__tree_free(j);
	if (!*id)
		cli__say("%s: the answer to arm makes no sense",
		         cli__target_name(t));
	return *id != 0;
}

bool cli__window_disarm(const struct cli__target *t, struct cli__http *h)
{
	h->is_post = true;
	h->path = "/disarm";
	h->total_ms = ANSWER_MS;
	h->to_fd = -1;
	return cli__ask(t, h);
}

int cli__arm(const struct cli__command *self, int argc, char **argv)
{
	struct cli__window w = { .max_requests = UINT64_MAX };
	bool is_json = false;
	const struct cli__option options[] = {
		{ "duration", 'd', CLI__DURATION, &w.duration_ms, 1,
		  86400000 },
		{ "lookback", 0, CLI__DURATION, &w.lookback_ms, 1, 86400000 },
		{ "mode", 'm', CLI__TEXT, &w.mode, 0, 0 },
		{ "note", 'n', CLI__TEXT, &w.note, 0, 0 },
		{ "max-requests", 0, CLI__COUNT, &w.max_requests, 0,
		  UINT32_MAX },
		{ "policy", 0, CLI__TEXT, &w.policy, 0, 0 },
		{ "strict", 0, CLI__FLAG, &w.is_strict, 0, 0 },
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	char word[CLI__PATH_MAX], dur[TAILBOX__SHOW_ROOM];
	struct cli__http h = { .to_fd = -1 };
	struct cli__target t;
	uint64_t id;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc) ||
	    !cli__window_check(self, &w, &rc) ||
	    !cli__target_service(self, first < argc ? argv[first] : NULL, &t,
	                         &rc))
		return rc;
	w.has_max_requests = w.max_requests != UINT64_MAX;
	if (!cli__window_arm(&t, &w, &h, &id)) {
		cli__http_fini(&h);
		return CLI__NO;
	}
	if (is_json) {
		fwrite(h.body.at, 1, h.body.len, cli__out());
	} else {
		cli__target_word(&t, word, sizeof(word));
		fprintf(cli__out(), "armed: window %" PRIu64 " of %s\n", id,
		        word);
		if (w.duration_ms)
			fprintf(cli__out(), "it ends by itself after %s; then"
			                    ": tailbox fetch %s#%" PRIu64 "\n",
			        tailbox__show_us(dur, w.duration_ms * 1000),
			        word, id);
		else
			fprintf(cli__out(), "it ends with: tailbox disarm %s\n",
			        word);
	}
	cli__http_fini(&h);
	return CLI__DONE;
}

static void put_disarmed(const struct cli__target *t, tailbox__tree *j)
{
	const char *result = tailbox__tree_text(j, "result");
	const char *artifact = tailbox__tree_text(j, "artifact");
	uint64_t id = tailbox__tree_number(j, "id", 0);
	uint64_t open = tailbox__tree_number(j, "in_flight", 0);
	char word[CLI__PATH_MAX];
	FILE *out = cli__out();

	cli__target_word(t, word, sizeof(word));
	if (result && !strcmp(result, "already_disabled")) {
		fputs("nothing was armed\n", out);
		return;
	}
	if (result && !strcmp(result, "closing"))
		fprintf(out, "closing: window %" PRIu64
		             ", %" PRIu64 " request%s in flight\n",
		        id, open, open == 1 ? "" : "s");
	else
		fprintf(out, "done: window %" PRIu64 "\n", id);
	if (artifact && *artifact) {
		fputs("artifact  ", out);
		tailbox__show_text(out, artifact, strlen(artifact), 255);
		fputc('\n', out);
	}
	fprintf(out, "next      tailbox timeline %s#%" PRIu64 "\n", word, id);
}

int cli__disarm(const struct cli__command *self, int argc, char **argv)
{
	bool is_json = false;
	const struct cli__option options[] = {
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__http h = { .to_fd = -1 };
	struct cli__target t;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc) ||
	    !cli__target_service(self, first < argc ? argv[first] : NULL, &t,
	                         &rc))
		return rc;
	rc = CLI__NO;
	if (cli__window_disarm(&t, &h)) {
		tailbox__tree *j = tailbox__tree_parse(h.body.at, h.body.len);
		rc = CLI__DONE;
		if (!j)
			rc = cli__fail("%s: the answer is no JSON",
			               cli__target_name(&t));
		else if (is_json)
			fwrite(h.body.at, 1, h.body.len, cli__out());
		else
			put_disarmed(&t, j);
		tailbox__tree_free(j);
	}
	cli__http_fini(&h);
	return rc;
}
