/* cli/cmd_validate.c - `tailbox validate`: is this artifact right?
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md section 9, and what section 3.11 demands beyond it: a
 * run that was finalized and has at least one request left.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/load.h"
#include "core/validate.h"

enum { ISSUES_MAX = 1000, LOCATION = 96 };

struct verdict {
	const char *name; /* of the file */
	const struct tailbox__run *run;
	struct tailbox__inspection in;
	bool is_permissive;
	size_t warnings, left; /* left: requests after normalization */
	bool is_valid;
};

static void judge(struct verdict *v)
{
	const struct tailbox__run *run = v->run;
	const uint16_t *out = v->in.excluded[TAILBOX__SECTION_REQUESTS];

	v->warnings = v->in.issues.count - v->in.error_count;
	for (size_t i = 0; i < run->requests.count; i++)
		v->left += !out || !out[i];
	v->is_valid = run->meta.finalized_ms != TAILBOX__NONE && v->left &&
	              (v->is_permissive || !v->in.error_count);
}

/* Errors; of a permissive reading warnings too. */
static void put_issues(const struct verdict *v)
{
	char where[LOCATION];
	size_t shown = 0, more = 0;

	for (size_t i = 0; i < v->in.issues.count; i++) {
		const struct tailbox__issue *is = &v->in.issues.items[i];
		if (is->is_warning && !v->is_permissive)
			continue;
		if (shown++ >= ISSUES_MAX) {
			more++;
			continue;
		}
		tailbox__issue_location(is, where, sizeof(where));
		fprintf(stderr, "%s%s: %s: %s\n",
		        v->is_permissive ? "warning: " : "", where,
		        tailbox__issue_code_name(is->code), is->text);
	}
	if (more)
		fprintf(stderr, "... and %zu more\n", more);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static int put_invalid(const struct verdict *v)
{
	if (v->run->meta.finalized_ms == TAILBOX__NONE)
		return cli__fail("%s: invalid: not finalized, a live snapshot",
		                 v->name);
	if (v->in.error_count && !v->is_permissive)
		return cli__fail("%s: invalid: %zu finding%s", v->name,
		                 v->in.error_count,
		                 plural(v->in.error_count));
	return cli__fail("%s: invalid: no request%s", v->name,
	                 v->run->requests.count ? " is left" : " in it");
}

static int put_text(const struct verdict *v)
{
	const struct tailbox__run *r = v->run;
	size_t out = r->requests.count - v->left;

	put_issues(v);
	if (!v->is_valid)
		return put_invalid(v);
	fprintf(cli__out(),
	        "%s: valid: %zu request%s, %zu stage%s, %zu queue%s, "
	        "%zu gauge move%s, %zu sample%s",
	        v->name, v->left, plural(v->left), r->stages.count,
	        plural(r->stages.count), r->queues.count,
	        plural(r->queues.count), r->inflight.count,
	        plural(r->inflight.count), r->snapshots.count,
	        plural(r->snapshots.count));
	if (v->in.error_count)
		fprintf(cli__out(), "; %zu finding%s, %zu request%s left out",
		        v->in.error_count, plural(v->in.error_count), out,
		        plural(out));
	if (v->warnings)
		fprintf(cli__out(), "; %zu warning%s", v->warnings,
		        plural(v->warnings));
	fputc('\n', cli__out());
	return CLI__DONE;
}

/* --- as JSON -------------------------------------------------------------- */

static void num(struct tailbox__json *j, const char *key, uint64_t value)
{
	tailbox__json_key(j, key);
	tailbox__json_u64(j, value);
}

static void flag(struct tailbox__json *j, const char *key, bool value)
{
	tailbox__json_key(j, key);
	tailbox__json_bool(j, value);
}

static void str(struct tailbox__json *j, const char *key, const char *text)
{
	tailbox__json_key(j, key);
	tailbox__json_cstr(j, text);
}

static void put_issue(struct tailbox__json *j, const struct tailbox__issue *i)
{
	char where[LOCATION];

	tailbox__issue_location(i, where, sizeof(where));
	tailbox__json_begin_object(j);
	str(j, "location", where);
	str(j, "code", tailbox__issue_code_name(i->code));
	str(j, "severity", i->is_warning ? "warning" : "error");
	str(j, "text", i->text);
	tailbox__json_end_object(j);
}

static void build_json(const struct verdict *v, struct tailbox__json *j)
{
	const struct tailbox__run *r = v->run;

	tailbox__json_init(j, true);
	tailbox__json_begin_object(j);
	str(j, "file", v->name);
	flag(j, "valid", v->is_valid);
	flag(j, "finalized", r->meta.finalized_ms != TAILBOX__NONE);
	num(j, "requests", r->requests.count);
	num(j, "requests_left", v->left);
	num(j, "stages", r->stages.count);
	num(j, "queues", r->queues.count);
	num(j, "inflight", r->inflight.count);
	num(j, "runtime_snapshots", r->snapshots.count);
	num(j, "errors", v->in.error_count);
	num(j, "warnings", v->warnings);
	tailbox__json_key(j, "issues");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < v->in.issues.count && i < ISSUES_MAX; i++)
		put_issue(j, &v->in.issues.items[i]);
	tailbox__json_end_array(j);
	tailbox__json_end_object(j);
}

/* On failure standard output stays empty: the object goes to the other. */
static int put_json(const struct verdict *v)
{
	struct tailbox__json j;

	build_json(v, &j);
	if (v->is_valid)
		return cli__put_json(&j);
	if (tailbox__json_ok(&j))
		fprintf(stderr, "%.*s\n", (int)j.len, j.buf);
	tailbox__json_fini(&j);
	return CLI__NO;
}

/* A tape is no artifact, and which artifact of a service is not guessed. */
static int not_an_artifact(const struct cli__target *t)
{
	char word[CLI__PATH_MAX];

	cli__target_word(t, word, sizeof(word));
	if (strchr(word, '/') && !t->service.url[0] && t->service.tape[0])
		return cli__fail("%s: is a tape, not an artifact; tailbox "
		                 "export --to json %s -o FILE makes one",
		                 cli__tape_place(&t->service), word);
	return cli__fail("%s: is a service; give one of its artifacts, "
	                 "%s#ID: tailbox ls %s lists them",
	                 cli__target_name(t), word, word);
}

int cli__validate(const struct cli__command *self, int argc, char **argv)
{
	struct verdict v = { .name = NULL };
	bool is_json = false;
	const struct cli__option options[] = {
		{ "permissive", 'p', CLI__FLAG, &v.is_permissive, 0, 0 },
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__target t;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 1, 1, &first, &rc) ||
	    !cli__target(self, argv[first], &t, &rc))
		return rc;
	if (t.kind == CLI__TARGET_SERVICE && !t.artifact[0])
		return not_an_artifact(&t);
	struct tailbox__run *run = cli__load(&t);
	if (!run)
		return CLI__NO;
	v.name = strcmp(argv[first], "-") ? argv[first] : "standard input";
	v.run = run;
	if (tailbox__inspect(run, &v.in) < 0) {
		rc = cli__no_memory();
	} else {
		judge(&v);
		rc = is_json ? put_json(&v) : put_text(&v);
	}
	tailbox__inspection_fini(&v.in);
	tailbox__run_destroy(run);
	return rc;
}
