/* cli/cmd_compare.c - `tailbox compare`: what got slower, and a gate for CI.
 *
 * SPDX-License-Identifier: MIT
 *
 * Exit codes of a gate: 3 a difference was found that --fail-on names, 4 it
 * could not be judged. A gate that could judge nothing at all did not pass,
 * whether or not `inconclusive` was given; with it, all requests (or the route
 * asked for) must be judged in every percentile. Single thin routes are no
 * reason to fail: nearly every service has one. In both cases the comparison
 * itself is on standard output: it is the result.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzer/compare.h"
#include "cli/load.h"
#include "cli/output.h"

enum { GATE_FAILED = 3, GATE_UNJUDGED = 4 };

struct job {
	struct tailbox__compare_options options;
	struct tailbox__run *runs[TAILBOX__SIDES];
	bool is_json;
	bool has_gate, wants_regressed, wants_inconclusive;
};

/* --- option values -------------------------------------------------------- */

/* "5%", "2.5%" in thousandths. */
static bool take_effect(const char *text, unsigned *permille)
{
	unsigned n = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9' && n <= TAILBOX__COMPARE_EFFECT_MAX;
	     at++)
		n = n * 10 + (unsigned)(*at - '0');
	if (at == text)
		return false;
	n *= 10;
	if (*at == '.') {
		if (at[1] < '0' || at[1] > '9')
			return false;
		n += (unsigned)(at[1] - '0');
		at += 2;
	}
	*permille = n;
	return !strcmp(at, "%") && n >= TAILBOX__COMPARE_EFFECT_MIN &&
	       n <= TAILBOX__COMPARE_EFFECT_MAX;
}

static bool take_gate(const char *text, struct job *job)
{
	for (const char *at = text;; at++) {
		const size_t len = strcspn(at, ",");
		if (len == 9 && !strncmp(at, "regressed", len))
			job->wants_regressed = true;
		else if (len == 12 && !strncmp(at, "inconclusive", len))
			job->wants_inconclusive = true;
		else
			return false;
		at += len;
		if (!*at)
			break;
	}
	job->has_gate = true;
	return true;
}

static bool take_metric(const char *text, enum tailbox__compare_metric *to)
{
	for (unsigned m = 0; m < TAILBOX__COMPARE_METRICS; m++) {
		if (strcmp(text, tailbox__compare_metrics[m]))
			continue;
		*to = (enum tailbox__compare_metric)m;
		return true;
	}
	return false;
}

static bool take_values(const struct cli__command *self, const char *gate,
                        const char *effect, const char *metric,
                        struct job *job, int *rc)
{
	if (gate && !take_gate(gate, job))
		*rc = cli__usage(self,
		                 "--fail-on: \"%s\" is not regressed, "
		                 "inconclusive or both",
		                 gate);
	else if (effect &&
	         !take_effect(effect, &job->options.min_effect_permille))
		*rc = cli__usage(self,
		                 "--min-effect: \"%s\" is not 1%% to 1000%%; "
		                 "write 5%%",
		                 effect);
	else if (metric && !take_metric(metric, &job->options.metric))
		*rc = cli__usage(self,
		                 "--metric: \"%s\" is not p50, p95 or p99",
		                 metric);
	else
		return true;
	return false;
}

/* --- the comparison ------------------------------------------------------- */

static int print(const struct job *job, const struct tailbox__compare *c)
{
	const struct tailbox__run *before = job->runs[TAILBOX__BEFORE];
	const struct tailbox__run *after = job->runs[TAILBOX__AFTER];
	struct tailbox__json j;

	if (!job->is_json) {
		tailbox__compare_text(c, before, after, cli__out());
		return CLI__DONE;
	}
	tailbox__json_init(&j, true);
	tailbox__compare_json(c, before, after, &j);
	return cli__put_json(&j);
}

static int apply_gate(const struct job *job, const struct tailbox__compare *c)
{
	const uint64_t *n = c->counts;
	const uint64_t judged = n[TAILBOX__VERDICT_NO_DIFFERENCE] +
	                        n[TAILBOX__VERDICT_IMPROVED] +
	                        n[TAILBOX__VERDICT_REGRESSED];

	if (job->wants_regressed && n[TAILBOX__VERDICT_REGRESSED]) {
		cli__say("gate failed: %" PRIu64 " of %" PRIu64
		         " percentiles regressed",
		         n[TAILBOX__VERDICT_REGRESSED], judged);
		return GATE_FAILED;
	}
	if (judged == 0) {
		cli__say("gate cannot be judged: no percentile can");
		return GATE_UNJUDGED;
	}
	if (job->wants_inconclusive && c->is_first_unjudged) {
		cli__say("gate cannot be judged: not every percentile of %s "
		         "can",
		         job->options.route ? "the route" : "all requests");
		return GATE_UNJUDGED;
	}
	return CLI__DONE;
}

static int conclude(const struct job *job, const struct tailbox__compare *c)
{
	int rc = print(job, c);

	if (rc != CLI__DONE || !job->has_gate)
		return rc;
	const int gate = apply_gate(job, c);
	if (gate != CLI__DONE)
		rc = cli__put_now();
	return rc == CLI__DONE ? gate : rc;
}

static int compare(const struct cli__command *self, const struct job *job)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__compare c;
	int rc = tailbox__compare(job->runs[TAILBOX__BEFORE],
	                          job->runs[TAILBOX__AFTER], &job->options, &c,
	                          &err);

	if (rc == -ENOENT)
		rc = cli__usage(self, "--route: %s", err.text);
	else if (rc < 0)
		rc = cli__no_memory();
	else
		rc = conclude(job, &c);
	tailbox__compare_fini(&c);
	return rc;
}

static int load(const struct cli__command *self, const char *arg,
                struct tailbox__run **out)
{
	struct cli__target t;
	int rc;

	if (!cli__target(self, arg, &t, &rc))
		return rc;
	*out = cli__load(&t);
	if (!*out)
		return CLI__NO;
	/* A window that is open has no end to compare with. A tape has one:
	 * now. */
	if ((*out)->meta.finalized_ms == TAILBOX__NONE)
		return cli__fail("%s: not finalized, a live snapshot: compare "
		                 "takes runs that have ended",
		                 strcmp(arg, "-") ? arg : "standard input");
	return CLI__DONE;
}

static int load_and_compare(const struct cli__command *self,
                            char *const *targets, struct job *job)
{
	int rc = CLI__DONE;

	if (!strcmp(targets[0], "-") && !strcmp(targets[1], "-"))
		return cli__usage(self, "standard input is one artifact, not "
		                        "two");
	for (unsigned k = 0; rc == CLI__DONE && k < TAILBOX__SIDES; k++)
		rc = load(self, targets[k], &job->runs[k]);
	if (rc == CLI__DONE)
		rc = compare(self, job);
	for (unsigned k = 0; k < TAILBOX__SIDES; k++)
		tailbox__run_destroy(job->runs[k]);
	return rc;
}

int cli__compare(const struct cli__command *self, int argc, char **argv)
{
	struct job job = { .runs = { NULL, NULL } };
	const char *gate = NULL, *effect = NULL, *metric = NULL;
	int first, rc;

	tailbox__compare_options_init(&job.options);
	const struct cli__option options[] = {
		{ "route", 'r', CLI__TEXT, &job.options.route, 0, 1 },
		{ "metric", 0, CLI__TEXT, &metric, 0, 1 },
		{ "fail-on", 0, CLI__TEXT, &gate, 0, 1 },
		{ "min-effect", 0, CLI__TEXT, &effect, 0, 1 },
		{ "json", 0, CLI__FLAG, &job.is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	if (!cli__options(self, argc, argv, options, 2, 2, &first, &rc) ||
	    !take_values(self, gate, effect, metric, &job, &rc))
		return rc;
	return load_and_compare(self, argv + first, &job);
}
