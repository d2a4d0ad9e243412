/* cli/cmd_analyze.c - `tailbox analyze`: what made the slow requests slow?
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/analysis.md section 18. The order of work is part of it: who gives a
 * bad artifact and a bad option is told of the artifact. The analysis takes
 * any run; that a doubtful one is refused is up to here.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "analyzer/report.h"
#include "analyzer/timeline_text.h"
#include "cli/analyze_assert.h"
#include "cli/cmd_analyze.h"
#include "cli/load.h"
#include "cli/report_view.h"
#include "core/alloc.h"
#include "core/fd.h"
#include "core/toml.h"
#include "core/validate.h"

enum { ISSUES_SHOWN = 8, LOCATION = 96, CODES_MAX = 32 };

struct job {
	const char *name; /* of the artifact */
	struct tailbox__run *run;
	struct tailbox__inspection in; /* of the run */
	const char *config; /* NULL = none */
	struct cli__list overrides;
	enum cli__view view;
	struct cli__view_names names;
	struct tailbox__asserts asserts;
	bool is_permissive, is_compat;
	bool is_failures;
	uint64_t slow_ms; /* 0 = none */
};

/* --- the artifact --------------------------------------------------------- */

static void put_issue(const char *before, const struct tailbox__issue *is)
{
	char where[LOCATION];

	tailbox__issue_location(is, where, sizeof(where));
	fprintf(stderr, "%s%s: %s: %s\n", before, where,
	        tailbox__issue_code_name(is->code), is->text);
}

/* The distinct codes of errors in alphabetical order. */
static size_t codes_of(const struct tailbox__inspection *in,
                       const char *codes[CODES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < in->issues.count; i++) {
		const struct tailbox__issue *is = &in->issues.items[i];
		const char *name = tailbox__issue_code_name(is->code);
		size_t at = 0;
		if (is->is_warning)
			continue;
		while (at < n && strcmp(codes[at], name) < 0)
			at++;
		if (n == CODES_MAX || (at < n && !strcmp(codes[at], name)))
			continue;
		memmove(codes + at + 1, codes + at, (n - at) * sizeof(*codes));
		codes[at] = name;
		n++;
	}
	return n;
}

/* What is wrong altogether, then the first findings. */
static int refuse(const struct job *job, const struct tailbox__inspection *in)
{
	const char *codes[CODES_MAX];
	size_t n = codes_of(in, codes), shown = 0;
	char list[512] = "";

	for (size_t i = 0, at = 0; i < n && at < sizeof(list); i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s",
		                       i ? ", " : "", codes[i]);
	cli__say("%s: invalid: %s", job->name, list);
	for (size_t i = 0; i < in->issues.count && shown < ISSUES_SHOWN; i++) {
		if (in->issues.items[i].is_warning)
			continue;
		put_issue("  ", &in->issues.items[i]);
		shown++;
	}
	size_t more = in->error_count - shown;
	if (more)
		fprintf(stderr, "  ... and %zu more\n", more);
	fputs("  --allow-ambiguous-artifact analyzes what is left without "
	      "these\n",
	      stderr);
	return CLI__NO;
}

static bool has_request_left(const struct tailbox__run *run,
                             const struct tailbox__inspection *in)
{
	const uint16_t *out = in->excluded[TAILBOX__SECTION_REQUESTS];

	for (size_t i = 0; i < run->requests.count; i++)
		if (!out || !out[i])
			return true;
	return false;
}

static int judge(const struct job *job, const struct tailbox__inspection *in)
{
	if (in->error_count && !job->is_permissive)
		return refuse(job, in);
	for (size_t i = 0; job->is_permissive && i < in->issues.count; i++)
		put_issue("warning: ", &in->issues.items[i]);
	if (!has_request_left(job->run, in))
		return cli__fail("%s: no request%s to analyze", job->name,
		                 job->run->requests.count ? " is left" : "");
	return CLI__DONE;
}

static int check(struct job *job)
{
	if (job->run->meta.finalized_ms == TAILBOX__NONE)
		return cli__fail("%s: not finalized, a live snapshot: analyze "
		                 "takes a run that has ended",
		                 job->name);
	if (tailbox__inspect(job->run, &job->in) < 0)
		return cli__no_memory();
	return judge(job, &job->in);
}

/* What whoever recorded it had to say, which no report repeats. */
static void put_warnings(const struct tailbox__run *run)
{
	const struct tailbox__run_meta *m = &run->meta;

	for (size_t i = 0; i < m->warnings.count; i++) {
		size_t len;
		const char *text =
		        tailbox__run_text(run, m->warnings.items[i], &len);
		fputs("warning: ", stderr);
		tailbox__show_text(stderr, text, len, SIZE_MAX);
		fputc('\n', stderr);
	}
	if (m->unfinished_count)
		fprintf(stderr,
		        "warning: %" PRIu64 " request%s had not finished and "
		        "%s not in the analysis\n",
		        m->unfinished_count,
		        m->unfinished_count == 1 ? "" : "s",
		        m->unfinished_count == 1 ? "is" : "are");
}

/* --- options -------------------------------------------------------------- */

/* Up to `room` bytes of a file or pipe; -errno. */
static long read_file(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	long n = tailbox__fd_read(fd, text, room);
	close(fd);
	return n;
}

static int options_error(const struct tailbox__error *err, int rc)
{
	return cli__fail("%s", err->text[0] ? err->text : tailbox_strerror(rc));
}

static int take_file(const char *path, struct tailbox__analyzer_options *o)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char *text = tailbox__alloc(TAILBOX__TOML_SIZE_MAX + 1, 1);
	int rc = CLI__DONE;

	if (!text)
		return cli__no_memory();
	long n = read_file(path, text, TAILBOX__TOML_SIZE_MAX + 1);
	if (n < 0) {
		rc = cli__fail("%s: %s", path, tailbox_strerror((int)n));
	} else if (n > (long)TAILBOX__TOML_SIZE_MAX) {
		rc = cli__fail("%s: has more than %u bytes", path,
		               TAILBOX__TOML_SIZE_MAX);
	} else {
		int e = tailbox__analyzer_options_load(o, path, text, (size_t)n,
		                                       &err);
		if (e < 0)
			rc = options_error(&err, e);
	}
	tailbox__free(text);
	return rc;
}

/* Each override is checked on top of those before it. */
static int take_options(const struct job *job,
                        struct tailbox__analyzer_options *o)
{
	int rc = job->config ? take_file(job->config, o) : CLI__DONE;

	for (size_t i = 0; rc == CLI__DONE && i < job->overrides.count; i++) {
		struct tailbox__error err = TAILBOX__ERROR_INIT;
		int e = tailbox__analyzer_options_set(
			o, job->overrides.items[i], &err);
		if (e < 0)
			rc = options_error(&err, e);
	}
	return rc;
}

/* --- the analysis --------------------------------------------------------- */

static int analyze(struct job *job, const struct tailbox__analyzer_options *o)
{
	struct tailbox__report report;
	int rc;

	if (tailbox__analyze_inspected(job->run, &job->in, o, job->is_compat,
	                               &report) < 0 ||
	    tailbox__asserts_judge(&job->asserts, job->run, o, &report) < 0) {
		rc = cli__no_memory();
	} else {
		report.asserts = &job->asserts;
		rc = cli__put_report(job->view, &job->names, &report, job->run,
		                     o);
	}
	if (rc == CLI__DONE)
		rc = cli__asserts_end(&job->asserts,
		                      job->view == CLI__VIEW_JSON);
	tailbox__report_fini(&report);
	return rc;
}

static int work(const struct cli__command *self, struct job *job)
{
	struct tailbox__analyzer_options o;
	int rc = check(job);

	if (rc == CLI__DONE)
		rc = cli__asserts_begin(self, &job->asserts, job->run);
	if (rc != CLI__DONE)
		return rc;
	put_warnings(job->run);
	if (job->is_failures)
		return cli__analyze_failures(job->run, job->slow_ms,
		                             job->view == CLI__VIEW_JSON);
	if (tailbox__analyzer_options_init(&o) < 0)
		rc = cli__no_memory();
	else
		rc = take_options(job, &o);
	if (rc == CLI__DONE)
		rc = analyze(job, &o);
	tailbox__analyzer_options_fini(&o);
	return rc;
}

static int load_and_work(const struct cli__command *self, const char *arg,
                         struct job *job)
{
	struct cli__target t;
	int rc;

	if (!cli__target(self, arg, &t, &rc))
		return rc;
	job->name = t.kind == CLI__TARGET_STDIN ? "standard input"
	            : arg                       ? arg
	                                        : cli__target_name(&t);
	cli__view_names(&t, arg, &job->names);
	job->run = cli__load(&t);
	if (!job->run)
		return CLI__NO;
	rc = work(self, job);
	tailbox__inspection_fini(&job->in);
	tailbox__run_destroy(job->run);
	job->run = NULL;
	return rc;
}

/* --- the command line ----------------------------------------------------- */

/* The form, from three options that may not contradict each other. */
static bool take_view(const struct cli__command *self, const char *format,
                      bool is_json, bool is_all, struct job *job, int *rc)
{
	job->view = is_json ? CLI__VIEW_JSON : CLI__VIEW_SCREEN;
	if (format && !cli__view_of(format, &job->view))
		*rc = cli__usage(self,
		                 "--format: \"%s\" is not text, json or line",
		                 format);
	else if (is_json && job->view != CLI__VIEW_JSON)
		*rc = cli__usage(self, "--format %s and --json: which one?",
		                 format);
	else if (is_all && job->view == CLI__VIEW_LINE)
		*rc = cli__usage(self, "--all and --format line: which one?");
	else if (job->is_compat && job->view == CLI__VIEW_LINE)
		*rc = cli__usage(self, "--compat: the standard has no line");
	else
		*rc = CLI__DONE;
	if (is_all && job->view == CLI__VIEW_SCREEN)
		job->view = CLI__VIEW_ALL;
	return *rc == CLI__DONE;
}

/* The grouping of failures has neither scores nor a form in the standard. */
static bool take_failures(const struct cli__command *self,
                          const struct job *job, int *rc)
{
	if (!job->is_failures && job->slow_ms)
		*rc = cli__usage(self, "--slow needs --failures");
	else if (job->is_failures && (job->config || job->overrides.count))
		*rc = cli__usage(self, "--failures takes no analyzer options");
	else if (job->is_failures && (job->view == CLI__VIEW_ALL ||
	                              job->view == CLI__VIEW_LINE))
		*rc = cli__usage(self,
		                 "--failures is text or json, and all of it");
	else if (job->is_failures && job->is_compat)
		*rc = cli__usage(self, "--failures and --compat: which one?");
	else
		return true;
	return false;
}

int cli__analyze(const struct cli__command *self, int argc, char **argv)
{
	struct job job = { .name = NULL };
	const char *format = NULL;
	struct cli__list asserts = { NULL, 0, 0 };
	bool is_help = false, is_json = false, is_all = false;
	const struct cli__option options[] = {
		{ "format", 0, CLI__TEXT, &format, 0, 1 },
		{ "json", 0, CLI__FLAG, &is_json, 0, 1 },
		{ "all", 0, CLI__FLAG, &is_all, 0, 1 },
		{ "analyzer-config", 0, CLI__TEXT, &job.config, 0, 1 },
		{ "analyzer-set", 0, CLI__LIST, &job.overrides, 0, 0 },
		{ "set", 0, CLI__LIST, &job.overrides, 0, 0 },
		{ "help-analyzer-options", 0, CLI__FLAG, &is_help, 0, 1 },
		{ "allow-ambiguous-artifact", 0, CLI__FLAG, &job.is_permissive,
		  0, 1 },
		{ "assert", 0, CLI__LIST, &asserts, 0, 0 },
		{ "compat", 0, CLI__FLAG, &job.is_compat, 0, 1 },
		{ "failures", 0, CLI__FLAG, &job.is_failures, 0, 1 },
		{ "slow", 0, CLI__DURATION, &job.slow_ms, 1, CLI__SLOW_MAX_MS },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	int first, rc;

	if (cli__options(self, argc, argv, options, 0, 1, &first, &rc) &&
	    take_view(self, format, is_json, is_all, &job, &rc) &&
	    take_failures(self, &job, &rc) &&
	    cli__asserts_take(self, &asserts, job.is_compat, &job.asserts,
	                      &rc)) {
		if (is_help)
			tailbox__analyzer_options_help(cli__out());
		else
			rc = load_and_work(self, argv[first], &job);
	}
	tailbox__asserts_fini(&job.asserts);
	cli__list_fini(&asserts);
	cli__list_fini(&job.overrides);
	return rc;
}
