/* tests/analyzer_options_fixture.h - a set of options that each test begins
 * with, what it takes and refuses, and all of it as text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_ANALYZER_OPTIONS_FIXTURE_H
#define TAILBOX_TESTS_ANALYZER_OPTIONS_FIXTURE_H 1

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/options.h"
#include "analyzer/options_internal.h"
#include "core/alloc.h"
#include "core/tailbox.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LIST_PATH "downstream.blocking_correlated_stage_patterns"
#define V1 "[analyzer]\nschema_version = 1\n"
#define U64_MAX "18446744073709551615"
#define O(name) TAILBOX__OPT_##name

static struct tailbox__analyzer_options o;

static inline void begin(void)
{
	ck_assert_int_eq(tailbox__analyzer_options_init(&o), 0);
}

/* Nothing is left behind, whatever the test did. */
static inline void end(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox__analyzer_options_fini(&o);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

/* All options as one text, "path=value" lines; NULL-free, static. */
static inline const char *all_of(const struct tailbox__analyzer_options *x)
{
	static char out[2][16384];
	static unsigned turn;
	char *to = out[turn++ % 2];
	size_t n = 0;

	for (unsigned i = 0; i < TAILBOX__OPT_COUNT; i++) {
		char *text = tailbox__option_text(x, (enum tailbox__option)i);
		ck_assert_ptr_nonnull(text);
		n += (size_t)snprintf(to + n, sizeof(out[0]) - n, "%s=%s\n",
		                      tailbox__option_path(
		                              (enum tailbox__option)i), text);
		ck_assert_uint_lt(n, sizeof(out[0]));
		tailbox__free(text);
	}
	return to;
}

static inline const char *value_of(const char *path)
{
	static char value[512];
	enum tailbox__option i = tailbox__option_find(path, strlen(path));
	char *text;

	ck_assert_int_ne(i, TAILBOX__OPT_COUNT);
	text = tailbox__option_text(&o, i);
	ck_assert_ptr_nonnull(text);
	snprintf(value, sizeof(value), "%s", text);
	tailbox__free(text);
	return value;
}

static inline void takes(const char *argument)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const int rc = tailbox__analyzer_options_set(&o, argument, &err);

	ck_assert_msg(rc == 0, "%s: %s", argument, err.text);
	ck_assert_int_eq(err.code, 0);
}

/* Refused with all of these words (one text, parted by "|"), nothing
 * changed. */
static inline void refused(int rc, int want, const char *what,
                           const char *before,
                           const struct tailbox__error *err,
                           const char *words)
{
	char one[256];

	ck_assert_msg(rc == want, "%s: %d, not %d: %s", what, rc, want,
	              err->text);
	ck_assert_int_eq(err->code, want);
	ck_assert_str_eq(all_of(&o), before);
	while (*words != '\0') {
		const size_t n = strcspn(words, "|");
		snprintf(one, sizeof(one), "%.*s", (int)n, words);
		ck_assert_msg(strstr(err->text, one) != NULL,
		              "%s: no \"%s\" in \"%s\"", what, one, err->text);
		words += n + (words[n] == '|');
	}
}

static inline void refuses(const char *argument, const char *words)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const char *before = all_of(&o);
	const int rc = tailbox__analyzer_options_set(&o, argument, &err);

	refused(rc, -EINVAL, argument, before, &err, words);
	ck_assert_int_eq(tailbox__analyzer_options_set(&o, argument, NULL),
	                 -EINVAL);
}

static inline void loads(const char *text)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const int rc = tailbox__analyzer_options_load(&o, "f.toml", text,
	                                              strlen(text), &err);

	ck_assert_msg(rc == 0, "%s: %s", text, err.text);
	ck_assert_int_eq(err.code, 0);
}

/* The defaults: spec/analysis.md section 16, copied. */
static const char standard[] =
	"queueing.trigger_permille=300\n"
	"blocking.min_nonzero_samples_for_signal=2\n"
	"blocking.strong_p95_threshold=12\n"
	"blocking.strong_peak_threshold=20\n"
	"blocking.strong_nonzero_share_permille=700\n"
	"blocking.strong_min_samples=30\n"
	"executor.min_global_queue_p95_for_signal=1\n"
	"executor.min_runnable_queue_per_worker_p95_milli_for_signal=500\n"
	"downstream.min_stage_samples=3\n"
	"downstream.blocking_correlated_stage_patterns="
	"spawn_blocking,blocking_path,blocking\n"
	"downstream.blocking_correlation_score_margin=2\n"
	"confidence.medium_score_threshold=65\n"
	"confidence.high_score_threshold=85\n"
	"confidence.ambiguity_min_score=60\n"
	"confidence.ambiguity_score_gap=4\n"
	"evidence.low_completed_request_threshold=20\n"
	"route.min_request_count=3\n"
	"route.breakdown_limit=10\n"
	"route.emit_on_divergent_suspects=true\n"
	"route.slowest_to_fastest_p95_ratio_numerator=3\n"
	"route.slowest_to_fastest_p95_ratio_denominator=2\n"
	"route.slowest_to_global_p95_ratio_numerator=5\n"
	"route.slowest_to_global_p95_ratio_denominator=4\n"
	"temporal.min_request_count=20\n"
	"temporal.min_segment_request_count=8\n"
	"temporal.share_shift_permille=200\n"
	"temporal.p95_shift_ratio_numerator=3\n"
	"temporal.p95_shift_ratio_denominator=2\n"
	"temporal.emit_on_suspect_shift=true\n"
	"temporal.suppress_runtime_sparse_suspect_shift_without_supporting_"
	"movement=true\n";

static inline TCase *new_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, begin, end);
	suite_add_tcase(s, tc);
	return tc;
}

#endif
