/* cli/cmd_snapshot.c - `tailbox snapshot` and `tailbox why`.
 *
 * SPDX-License-Identifier: MIT
 *
 * The service is asked when it answers: it knows best which requests it has.
 * Else its tape tells. What was done, and how far back it reaches, is said.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <tailbox.h>

#include "analyzer/json_tree.h"
#include "analyzer/timeline_text.h"
#include "cli/http.h"
#include "cli/load.h"
#include "cli/report_view.h"
#include "cli/snapshot.h"
#include "core/json_put.h"

enum {
	ANSWER_MS = 15000,
	NOTE_MAX = 255,
	BUSY_TRIES = 40, /* while another one is being made */
	BUSY_MS = 250,
	WHY_MS = 60000,
	LAST_MAX_MS = 86400000
};

/* --- by the service ------------------------------------------------------- */

static void make_path(char *path, size_t size, const struct cli__snapshot *s)
{
	char note[3 * NOTE_MAX + 4], last[40] = "", mode[32] = "";

	if (s->last_ms)
		snprintf(last, sizeof(last), "&last=%" PRIu64 "ms",
		         s->last_ms);
	if (s->mode)
		snprintf(mode, sizeof(mode), "&mode=%s", s->mode);
	snprintf(path, size, "/snapshot?format=json%s%s%s%s", last, mode,
	         s->note ? "&note=" : "",
	         s->note ? cli__escape(note, sizeof(note), s->note) : "");
}

static bool is_busy(const struct cli__http *h)
{
	if (h->status != 409)
		return false;
	tailbox__tree *j = tailbox__tree_parse(h->body.at, h->body.len);
	const char *error = tailbox__tree_text(j, "error");
	const bool is = error && !strcmp(error, "snapshot_under_way");
	tailbox__tree_free(j);
	return is;
}

static int post(const struct cli__target *t, const struct cli__snapshot *s,
                struct cli__http *h)
{
	const struct timespec pause = { 0, BUSY_MS * 1000000L };
	char path[1200];
	int rc = -1;

	make_path(path, sizeof(path), s);
	for (int i = 0; i < BUSY_TRIES; i++) {
		if (i) {
			cli__http_fini(h);
			nanosleep(&pause, NULL);
		}
		memset(h, 0, sizeof(*h));
		cli__http_to(t, h);
		h->is_post = true;
		h->path = path;
		h->total_ms = ANSWER_MS;
		h->to_fd = -1;
		rc = cli__http(h);
		h->path = NULL;
		if (rc < 0 || !is_busy(h))
			break;
	}
	return rc;
}

enum asked { MADE, REFUSED, NO_ANSWER };

/* The name of the artifact that it made. NO_ANSWER: why says so. */
static enum asked ask(const struct cli__target *t,
                      const struct cli__snapshot *s, struct cli__artifact *a,
                      char why[256])
{
	struct cli__http h;
	enum asked result = REFUSED;

	if (post(t, s, &h) < 0) {
		snprintf(why, 256, "%s", h.why);
		result = NO_ANSWER;
	} else if (h.status == 404 || h.status == 503) {
		/* An older library, or no controller: the tape is there. */
		snprintf(why, 256, "it makes no snapshots (%ld)", h.status);
		result = NO_ANSWER;
	} else if (h.status != 200) {
		cli__http_told(t, &h);
	} else {
		tailbox__tree *j = tailbox__tree_parse(h.body.at, h.body.len);
		const char *name = tailbox__tree_text(j, "artifact");
		if (name && *name && !strchr(name, '/') && *name != '.' &&
		    strlen(name) < 250) {
			memset(a, 0, sizeof(*a));
			snprintf(a->name, sizeof(a->name), "%s", name);
			result = MADE;
		} else {
			cli__say("%s: the answer to snapshot makes no sense",
			         cli__target_name(t));
		}
		tailbox__tree_free(j);
	}
	cli__http_fini(&h);
	return result;
}

/* --- the file ------------------------------------------------------------- */

static bool save(const struct cli__target *t, const struct cli__snapshot *s,
                 const struct cli__artifact *a, struct cli__outfile *f)
{
	char name[300];

	if (a)
		snprintf(name, sizeof(name), "%s.tailbox", a->name);
	else
		cli__snapshot_name(t, name, sizeof(name));
	if (!cli__outfile_open(f, s->path ? s->path : name))
		return false;
	if (!(a ? cli__artifact_get(t, a, false, f->fd)
	        : cli__snapshot_tape(t, s, f))) {
		cli__outfile_abort(f);
		return false;
	}
	return cli__outfile_commit(f, s->path != NULL);
}

/* Make it, from the service or from its tape. */
static bool make(const struct cli__target *t, const struct cli__snapshot *s,
                 struct cli__outfile *f, bool *is_tape)
{
	const struct cli__service *v = &t->service;
	const bool has_tape = v->tape[0];
	struct cli__artifact a;
	char why[256] = "";

	*is_tape = true;
	if (!s->from_tape &&
	    (v->url[0] ||
	     (v->sock[0] && (!has_tape || v->writer == TAILBOX__WRITER_LIVE)))) {
		const enum asked asked = ask(t, s, &a, why);
		*is_tape = asked == NO_ANSWER;
		if (asked == REFUSED)
			return false;
		if (asked == MADE)
			return save(t, s, &a, f);
		cli__say("%s: %s%s", cli__target_name(t), why,
		         has_tape ? "; from its tape" : "");
	}
	if (!has_tape) {
		if (!why[0])
			cli__say("%s (pid %u) has neither tape nor socket",
			         v->name, (unsigned)v->pid);
		return false;
	}
	return save(t, s, NULL, f);
}

/* --- what it came to ------------------------------------------------------ */

static uint64_t fact(const struct tailbox__run *run, const char *key)
{
	const struct tailbox__run_pair *x = tailbox__run_extra(run, key);

	return x ? x->number : TAILBOX__NONE;
}

static const char *text_fact(const struct tailbox__run *run, const char *key)
{
	const struct tailbox__run_pair *x = tailbox__run_extra(run, key);

	return x && x->text ? tailbox__run_text(run, x->text, NULL) : "";
}

static void tell_kept(const struct cli__target *t,
                      const struct tailbox__run *run, FILE *out)
{
	const uint64_t kept = fact(run, "kept_requests");
	const uint64_t older = fact(run, "kept_older");
	char word[CLI__PATH_MAX];

	if (kept && kept != TAILBOX__NONE)
		fprintf(out, "%" PRIu64 " slow or failed request%s kept from "
		             "before that: tailbox timeline\n",
		        kept, kept == 1 ? "" : "s");
	if (older && older != TAILBOX__NONE)
		fprintf(out, "%" PRIu64 " more %s kept from before what was "
		             "asked for: tailbox tail --kept %s\n",
		        older, older == 1 ? "is" : "are",
		        cli__target_word(t, word, sizeof(word)));
}

static void tell(const struct cli__target *t, const struct tailbox__run *run,
                 FILE *out)
{
	const uint64_t asked = fact(run, "asked_us");
	const uint64_t covered = fact(run, "covered_us");
	const uint64_t older = fact(run, "older_open");
	char us[TAILBOX__SHOW_ROOM], word[CLI__PATH_MAX];

	fprintf(out, "%zu requests of the last %s, %" PRIu64 " still open%s%s\n",
	        run->requests.count, tailbox__show_us(us, covered),
	        run->meta.unfinished_count,
	        *text_fact(run, "writer") ? "; the process is " : "",
	        text_fact(run, "writer"));
	/* A few ms pass between the call and the cut. */
	if (asked != TAILBOX__NONE && covered < asked - asked / 50)
		fprintf(out, "the tape reaches no further back: %s were asked "
		             "for\n", tailbox__show_us(us, asked));
	tell_kept(t, run, out);
	if (older && older != TAILBOX__NONE)
		fprintf(out, "%" PRIu64 " open request%s began before that: "
		             "tailbox status %s\n",
		        older, older == 1 ? "" : "s",
		        cli__target_word(t, word, sizeof(word)));
}

static int put_json(const struct tailbox__run *run, const char *path,
                    bool is_tape)
{
	static const char *const keys[] = { "asked_us", "covered_us",
		                            "older_requests", "older_open",
		                            "overwritten_blocks",
		                            "kept_requests",
		                            "kept_older" };
	const char *writer = text_fact(run, "writer");
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__json_key(&j, "file");
	tailbox__json_cstr(&j, path);
	tailbox__json_key(&j, "source");
	tailbox__json_cstr(&j, is_tape ? "tape" : "service");
	tailbox__json_key(&j, "writer");
	tailbox__json_cstr(&j, *writer ? writer : "live");
	put_num(&j, "requests", run->requests.count);
	put_num(&j, "unfinished", run->meta.unfinished_count);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		put_num(&j, keys[i], fact(run, keys[i]));
	tailbox__json_end_object(&j);
	return cli__put_json(&j);
}

static int put_report_json(struct tailbox__run *run,
                           const struct cli__view_names *names)
{
	struct tailbox__analyzer_options o;
	struct tailbox__report r = { .is_compat = false };
	int rc = CLI__NO;

	if (tailbox__analyzer_options_init(&o) < 0 ||
	    tailbox__analyze(run, &o, false, &r) < 0)
		rc = cli__no_memory();
	else
		rc = cli__put_report(CLI__VIEW_JSON, names, &r, run, &o);
	tailbox__report_fini(&r);
	tailbox__analyzer_options_fini(&o);
	return rc;
}

static int show(const struct cli__target *t, struct tailbox__run *run,
                const char *path, bool is_why, bool is_json, bool is_tape)
{
	struct cli__view_names names;

	cli__view_names(t, path, &names);
	if (is_json && is_why) {
		cli__say("saved %s", path); /* stdout is the report's */
		return put_report_json(run, &names);
	}
	if (is_json)
		return put_json(run, path, is_tape);
	fprintf(cli__out(), "saved %s%s\n", path,
	        is_tape ? ", from the tape" : "");
	tell(t, run, cli__out());
	if (!run->requests.count && !run->meta.unfinished_count)
		return CLI__DONE; /* nothing to say about nothing */
	if (!is_why) {
		fprintf(cli__out(), "next      tailbox analyze %s\n", path);
		return CLI__DONE;
	}
	fputc('\n', cli__out());
	return cli__put_first_screen(run, &names);
}

/* --- the commands --------------------------------------------------------- */

static bool check(const struct cli__command *self,
                  const struct cli__snapshot *s, int *rc)
{
	if (s->mode && strcmp(s->mode, "light") &&
	    strcmp(s->mode, "investigation"))
		*rc = cli__usage(self, "--mode: \"%s\" is not light or "
		                       "investigation", s->mode);
	else if (s->note && strlen(s->note) > NOTE_MAX)
		*rc = cli__usage(self, "--note: longer than %d bytes",
		                 NOTE_MAX);
	else if (s->path && !strcmp(s->path, "-"))
		*rc = cli__usage(self, "-o -: what was done is printed there; "
		                       "use a file");
	else
		return true;
	return false;
}

static bool has_place(const struct cli__target *t,
                      const struct cli__snapshot *s, int *rc)
{
	if (!s->from_tape || t->service.tape[0])
		return true;
	*rc = t->service.url[0]
	              ? cli__fail("%s: a tape is read on its own machine, not "
	                          "over a URL; leave out --tape",
	                          t->service.url)
	              : cli__fail("%s (pid %u) has no tape", t->service.name,
	                          (unsigned)t->service.pid);
	return false;
}

static int snapshot(const struct cli__command *self, int argc, char **argv,
                    bool is_why)
{
	struct cli__snapshot s = { .last_ms = is_why ? WHY_MS : 0 };
	bool is_json = false, is_tape;
	const struct cli__option options[] = {
		{ "last", 'l', CLI__DURATION, &s.last_ms, 1, LAST_MAX_MS },
		{ "output", 'o', CLI__TEXT, &s.path, 0, 0 },
		{ "mode", 'm', CLI__TEXT, &s.mode, 0, 0 },
		{ "note", 'n', CLI__TEXT, &s.note, 0, 0 },
		{ "tape", 0, CLI__FLAG, &s.from_tape, 0, 0 },
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__outfile f;
	struct cli__target t;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc) ||
	    !check(self, &s, &rc) ||
	    !cli__target_service(self, first < argc ? argv[first] : NULL, &t,
	                         &rc) ||
	    !has_place(&t, &s, &rc))
		return rc;
	if (!make(&t, &s, &f, &is_tape))
		return CLI__NO;
	if (f.is_direct) /* a device: there is nothing to read back */
		return CLI__DONE;
	struct tailbox__run *run = cli__load_file(f.path);
	if (!run)
		return CLI__NO;
	rc = show(&t, run, f.path, is_why, is_json, is_tape);
	tailbox__run_destroy(run);
	return rc;
}

int cli__snapshot(const struct cli__command *self, int argc, char **argv)
{
	return snapshot(self, argc, argv, false);
}

int cli__why(const struct cli__command *self, int argc, char **argv)
{
	return snapshot(self, argc, argv, true);
}
