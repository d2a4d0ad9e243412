/* core/summaries.c - issues as text: places and grouped summaries.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md 9.4 and 9.7. The text is bounded: one entry per code,
 * section and action, however many issues there are.
 */
#include "core/validate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/alloc.h"

#define CODES (TAILBOX__ISSUE_INVALID_WORKER_COUNT + 1)
#define SAMPLES 5

static const char *const code_names[CODES] = {
	[TAILBOX__ISSUE_UNSUPPORTED_SCHEMA_VERSION] =
		"unsupported_schema_version",
	[TAILBOX__ISSUE_EMPTY_REQUIRED_FIELD] = "empty_required_field",
	[TAILBOX__ISSUE_INVERTED_INTERVAL] = "inverted_interval",
	[TAILBOX__ISSUE_PARTIAL_RUN_RELATIVE_INTERVAL] =
		"partial_run_relative_interval",
	[TAILBOX__ISSUE_DURATION_MISMATCH] = "duration_mismatch",
	[TAILBOX__ISSUE_DUPLICATE_COMPLETED_REQUEST_ID] =
		"duplicate_completed_request_id",
	[TAILBOX__ISSUE_AMBIGUOUS_PARENT_REQUEST_ID] =
		"ambiguous_parent_request_id",
	[TAILBOX__ISSUE_ORPHAN_REQUEST_SCOPED_EVENT] =
		"orphan_request_scoped_event",
	[TAILBOX__ISSUE_PARENT_REQUEST_EXCLUDED] = "parent_request_excluded",
	[TAILBOX__ISSUE_CHILD_INTERVAL_OUTSIDE_REQUEST] =
		"child_interval_outside_request",
	[TAILBOX__ISSUE_PRECISE_INTERVAL_VALIDATION_UNAVAILABLE] =
		"precise_interval_validation_unavailable",
	[TAILBOX__ISSUE_INVALID_WORKER_COUNT] = "invalid_worker_count",
};

static const char *const section_names[TAILBOX__SECTION_COUNT] = {
	"metadata", "request",   "stage",
	"queue",    "in-flight", "runtime snapshot",
};

enum action { /* in the order of the spec */
	      EXCLUDED,
	      WORKER_CLEARED,
	      OFFSETS_CLEARED,
	      UNAVAILABLE,
	      FAILED,
	      ACTION_COUNT
};

static const char *const action_texts[ACTION_COUNT] = {
	[EXCLUDED] = "removed from the analysis",
	[WORKER_CLEARED] = "worker count removed, sample kept",
	[OFFSETS_CLEARED] = "run offsets removed, duration kept",
	[UNAVAILABLE] = "no run offsets, duration used as it is",
	[FAILED] = "reported only, nothing removed",
};

struct group {
	size_t count;
	const struct tailbox__issue *samples[SAMPLES];
};

#define GROUPS ((size_t)CODES * TAILBOX__SECTION_COUNT * ACTION_COUNT)

const char *tailbox__issue_code_name(unsigned code)
{
	return code && code < CODES ? code_names[code] : "";
}

const char *tailbox__section_name(unsigned section)
{
	return section < TAILBOX__SECTION_COUNT ? section_names[section] : "";
}

int tailbox__issue_location(const struct tailbox__issue *i, char *buf,
                            size_t size)
{
	const char *section = tailbox__section_name(i->section);
	const char *dot = i->field ? "." : "";
	const char *field = i->field ? i->field : "";

	if (i->index == UINT64_MAX)
		return snprintf(buf, size, "%s%s%s", section, dot, field);
	return snprintf(buf, size, "%s[%" PRIu64 "]%s%s", section, i->index,
	                dot, field);
}

/* What became of the event that an issue is about. A wall interval that is
 * inverted always excludes, so a code 3 that is left is that of offsets. */
static enum action action_of(const struct tailbox__inspection *in,
                             const struct tailbox__issue *i)
{
	if (i->section == TAILBOX__SECTION_METADATA)
		return FAILED;
	if (in->excluded[i->section] && in->excluded[i->section][i->index])
		return EXCLUDED;
	if (i->code == TAILBOX__ISSUE_INVALID_WORKER_COUNT)
		return WORKER_CLEARED;
	if (i->code == TAILBOX__ISSUE_PRECISE_INTERVAL_VALIDATION_UNAVAILABLE)
		return UNAVAILABLE;
	return OFFSETS_CLEARED;
}

static bool is_lifecycle(const struct tailbox__issue *i)
{
	return i->section != TAILBOX__SECTION_METADATA &&
	       i->code !=
	               TAILBOX__ISSUE_PRECISE_INTERVAL_VALIDATION_UNAVAILABLE;
}

static int emit_group(const struct group *g, enum action action,
                      int (*emit)(void *cls, const char *text), void *cls)
{
	const struct tailbox__issue *first = g->samples[0];
	char text[512];
	int n = snprintf(text, sizeof(text), "%s: %zu in section %s: %s (%s ",
	                 tailbox__issue_code_name(first->code), g->count,
	                 tailbox__section_name(first->section),
	                 action_texts[action],
	                 first->index == UINT64_MAX ? "field" : "index");

	for (size_t i = 0; i < SAMPLES && g->samples[i]; i++) {
		const struct tailbox__issue *s = g->samples[i];
		const char *comma = i ? ", " : "";

		if (s->index == UINT64_MAX)
			n += snprintf(text + n, sizeof(text) - (size_t)n,
			              "%s%s", comma, s->field ? s->field : "-");
		else
			n += snprintf(text + n, sizeof(text) - (size_t)n,
			              "%s%" PRIu64, comma, s->index);
	}
	snprintf(text + n, sizeof(text) - (size_t)n, "%s)",
	         g->count > SAMPLES ? ", ..." : "");
	return emit(cls, text);
}

int tailbox__summaries(const struct tailbox__inspection *in, bool lifecycle,
                       int (*emit)(void *cls, const char *text), void *cls)
{
	struct group *groups = tailbox__zalloc(GROUPS, sizeof(*groups));
	int ret = 0;

	if (!groups)
		return -ENOMEM;
	for (size_t k = 0; k < in->issues.count; k++) {
		const struct tailbox__issue *i = &in->issues.items[k];

		if (lifecycle && !is_lifecycle(i))
			continue;

		const unsigned row =
		        i->code * (unsigned)TAILBOX__SECTION_COUNT + i->section;
		struct group *g =
		        &groups[row * ACTION_COUNT + action_of(in, i)];

		if (g->count < SAMPLES)
			g->samples[g->count] = i;
		g->count++;
	}
	for (size_t k = 0; k < GROUPS; k++) {
		if (groups[k].count == 0)
			continue;
		ret = emit_group(&groups[k], k % ACTION_COUNT, emit, cls);
		if (ret < 0)
			break;
	}
	tailbox__free(groups);
	return ret < 0 ? ret : 0;
}
