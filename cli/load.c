/* cli/load.c - any TARGET as a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "analyzer/load.h"
#include "analyzer/symbols.h"
#include "cli/http.h"
#include "cli/progress.h"
#include "analyzer/json_tree.h"

static void tell(const char *what, const struct tailbox__error *err, int rc)
{
	const char *why = err->text[0] ? err->text : tailbox_strerror(rc);

	if (err->offset == UINT64_MAX)
		cli__say("%s: %s", what, why);
	else
		cli__say("%s: offset %" PRIu64 ": %s", what, err->offset, why);
}

/* Name the frames of stacks: best here, where the files may be. */
static struct tailbox__run *named(struct tailbox__run *run)
{
	if (run && tailbox__symbols_fill(run) < 0)
		cli__say("no memory to look up functions");
	return run;
}

struct tailbox__run *cli__load_file(const char *path)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run;
	bool is_stdin = !strcmp(path, "-");
	int fd = is_stdin ? STDIN_FILENO
	                  : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct cli__progress *progress = cli__progress_start(fd);
	/* What cannot be opened is tried again, for the reason. */
	int rc = fd < 0 ? tailbox__load_path(path, &run, &err)
	                : tailbox__load_fd(fd, &run, &err);

	cli__progress_stop(progress);
	if (fd > STDIN_FILENO)
		close(fd);
	if (rc < 0) {
		tell(is_stdin ? "standard input" : path, &err, rc);
		return NULL;
	}
	return named(run);
}

/* --- a tape --------------------------------------------------------------- */

void cli__tell_damage(const char *path, const struct tailbox__tape_damage *d)
{
	if (tailbox__tape_damaged(d))
		cli__say("%s: is damaged: left out are %" PRIu64 " blocks, %"
		         PRIu64 " records, %" PRIu64 " open requests; %" PRIu64
		         " names are not known", path, d->blocks, d->records,
		         d->slots, d->names);
}

struct tailbox__run *cli__load_tape(const char *path)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__tape_damage damage;
	struct tailbox__reader *r;
	struct tailbox__run *run = NULL;
	int rc = tailbox__reader_open(path, &r, &err);

	if (rc == 0)
		rc = tailbox__tape_run(r, NULL, &run, &damage, &err);
	if (rc < 0)
		tell(path, &err, rc);
	else
		cli__tell_damage(path, &damage);
	tailbox__reader_close(r);
	return rc < 0 ? NULL : named(run);
}

/* --- artifacts of a live service ------------------------------------------ */

static void fill(struct cli__artifact *out, tailbox__tree *one)
{
	const char *name = tailbox__tree_text(one, "name");
	const char *number = tailbox__tree_text(one, "id");

	snprintf(out->id, sizeof(out->id), "%s", number ? number : "");
	out->bytes = tailbox__tree_number(one, "bytes", 0);
	out->requests = tailbox__tree_number(one, "requests", 0);
	snprintf(out->name, sizeof(out->name), "%s", name);
}

/* A name becomes a path of ours and of the server's. */
static bool is_plain_name(const char *name)
{
	return name && *name && *name != '.' && strlen(name) < 250 &&
	       !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                          "abcdefghijklmnopqrstuvwxyz0123456789._-")];
}

static bool is_wanted(tailbox__tree *one, const char *id)
{
	const char *number = tailbox__tree_text(one, "id");

	if (!*id || !strcmp(tailbox__tree_text(one, "name"), id))
		return true;
	return tailbox__tree_is_true(one, "ours") && number &&
	       !strcmp(number, id);
}

int cli__artifact_pick(const char *json, size_t len, const char *id,
                       struct cli__artifact *out)
{
	tailbox__tree *root = tailbox__tree_parse(json, len), *best = NULL;
	tailbox__tree *list = tailbox__tree_member(root, "artifacts");
	uint64_t newest = 0;
	bool best_is_ours = false;

	for (size_t i = 0; i < tailbox__tree_count(list); i++) {
		tailbox__tree *one = tailbox__tree_at(list, i);
		bool ours = tailbox__tree_is_true(one, "ours");
		uint64_t at = tailbox__tree_number(one, "finalized_at_unix_ms", 0);
		if (!is_plain_name(tailbox__tree_text(one, "name")) ||
		    !is_wanted(one, id) || (best && best_is_ours && !ours) ||
		    (best && best_is_ours == ours && at <= newest))
			continue;
		best = one;
		best_is_ours = ours;
		newest = at;
	}
	if (best)
		fill(out, best);
	tailbox__tree_free(root);
	return best ? 0 : 1;
}

static bool is_json(const struct cli__http *h)
{
	tailbox__tree *root = tailbox__tree_parse(h->body.at, h->body.len);

	tailbox__tree_free(root);
	return root != NULL;
}

/* The list has the newest, and whole ones. The service tells of any other, or
 * what is the matter with it, when it is asked for the full name. */
static bool take_name(const char *id, struct cli__artifact *out)
{
	/* No id of a process has one, and every name has. */
	if (!is_plain_name(id) || !strchr(id, '-'))
		return false;
	out->id[0] = '\0';
	out->bytes = out->requests = UINT64_MAX;
	snprintf(out->name, sizeof(out->name), "%s", id);
	return true;
}

bool cli__artifact_find(const struct cli__target *t, const char *id,
                        struct cli__artifact *out)
{
	struct cli__http h = { .path = "/artifacts", .total_ms = 5000,
		               .to_fd = -1 };
	bool ok = cli__ask(t, &h);
	char word[CLI__PATH_MAX];

	if (ok && !is_json(&h)) {
		ok = false;
		cli__say("%s: the answer is no JSON", cli__target_name(t));
	}
	if (ok && cli__artifact_pick(h.body.at, h.body.len, id, out) != 0 &&
	    !take_name(id, out)) {
		ok = false;
		cli__target_word(t, word, sizeof(word));
		if (*id)
			cli__say("%s has no artifact %s; tailbox ls %s lists "
			         "them",
			         cli__target_name(t), id, word);
		else
			cli__say("%s has no artifact yet; tailbox capture 10s "
			         "%s makes one",
			         cli__target_name(t), word);
	}
	cli__http_fini(&h);
	return ok;
}

bool cli__artifact_get(const struct cli__target *t,
                       const struct cli__artifact *a, bool is_json, int fd)
{
	char path[300];
	struct cli__http h = { .path = path, .to_fd = fd };

	snprintf(path, sizeof(path), "/artifacts/%s%s", a->name,
	         is_json ? "" : ".tailbox");
	bool ok = cli__ask(t, &h);
	cli__http_fini(&h);
	return ok;
}

static struct tailbox__run *load_artifact(const struct cli__target *t)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run = NULL;
	struct cli__artifact a;

	if (!cli__artifact_find(t, t->artifact, &a))
		return NULL;
	FILE *f = tmpfile();
	if (!f) {
		cli__say("no temporary file: %s", tailbox_strerror(errno));
		return NULL;
	}
	if (cli__artifact_get(t, &a, false, fileno(f))) {
		int rc = lseek(fileno(f), 0, SEEK_SET) < 0
		                 ? -errno
		                 : tailbox__load_fd(fileno(f), &run, &err);
		if (rc < 0)
			tell(a.name, &err, rc);
	}
	fclose(f);
	return run;
}

struct tailbox__run *cli__load(const struct cli__target *t)
{
	if (t->kind != CLI__TARGET_SERVICE)
		return cli__load_file(t->path);
	if (t->artifact[0] || !t->service.tape[0])
		return load_artifact(t);
	return cli__load_tape(t->service.tape);
}
