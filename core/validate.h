/* core/validate.h - strict validation and permissive normalization.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md section 9, one inspection for both uses.
 */
#ifndef TAILBOX_CORE_VALIDATE_H
#define TAILBOX_CORE_VALIDATE_H 1

#include "core/run.h"

enum tailbox__section {
	TAILBOX__SECTION_METADATA,
	TAILBOX__SECTION_REQUESTS,
	TAILBOX__SECTION_STAGES,
	TAILBOX__SECTION_QUEUES,
	TAILBOX__SECTION_INFLIGHT,
	TAILBOX__SECTION_SNAPSHOTS,
	TAILBOX__SECTION_COUNT
};

enum tailbox__issue_code { /* numbers of spec 9.1 */
	TAILBOX__ISSUE_UNSUPPORTED_SCHEMA_VERSION = 1,
	TAILBOX__ISSUE_EMPTY_REQUIRED_FIELD,
	TAILBOX__ISSUE_INVERTED_INTERVAL,
	TAILBOX__ISSUE_PARTIAL_RUN_RELATIVE_INTERVAL,
	TAILBOX__ISSUE_DURATION_MISMATCH,
	TAILBOX__ISSUE_DUPLICATE_COMPLETED_REQUEST_ID,
	TAILBOX__ISSUE_AMBIGUOUS_PARENT_REQUEST_ID,
	TAILBOX__ISSUE_ORPHAN_REQUEST_SCOPED_EVENT,
	TAILBOX__ISSUE_PARENT_REQUEST_EXCLUDED,
	TAILBOX__ISSUE_CHILD_INTERVAL_OUTSIDE_REQUEST,
	TAILBOX__ISSUE_PRECISE_INTERVAL_VALIDATION_UNAVAILABLE, /* warning */
	TAILBOX__ISSUE_INVALID_WORKER_COUNT
};

struct tailbox__issue {
	uint8_t code;
	uint8_t section;
	bool is_warning;
	uint64_t index;     /* UINT64_MAX for metadata */
	const char *field;  /* static; NULL = no field */
	const char *text;   /* static: which rule was broken (spec 9.6) */
};

/* Dispositions: bit `code` set in a mask = excluded because of it. */
struct tailbox__inspection {
	TAILBOX__LIST(struct tailbox__issue) issues; /* sorted as spec 9.3 */
	uint16_t *excluded[TAILBOX__SECTION_COUNT];  /* per event; 0 = kept.
	                                                NULL for an empty or
	                                                never excluding section */
	size_t error_count;                          /* issues not warnings */
	uint64_t changes; /* entries of the masks here that are not 0 */
	/* For normalization: per event, whether its offsets get cleared. */
	uint8_t *cleared[TAILBOX__SECTION_COUNT];
};

/* Inspect. The run is not changed. 0 or -ENOMEM; out is always safe to fini.
 */
int tailbox__inspect(const struct tailbox__run *run,
                     struct tailbox__inspection *out);
void tailbox__inspection_fini(struct tailbox__inspection *in);

/* "unsupported_schema_version" ... ; "metadata", "request", "stage", "queue",
 * "in-flight", "runtime snapshot". */
const char *tailbox__issue_code_name(unsigned code);
const char *tailbox__section_name(unsigned section);
/* Location text (9.4): "request[0].route". Returns the length as snprintf. */
int tailbox__issue_location(const struct tailbox__issue *i, char *buf,
                            size_t size);

/* Permissive: remove what is excluded, clear offsets and worker counts, keep
 * order, in place. Extension data of removed requests goes too. */
void tailbox__normalize(struct tailbox__run *run,
                        const struct tailbox__inspection *in);

/* The grouped summaries of 9.7. lifecycle: true = only what changed the
 * output, false = all (analyzer). Calls emit(cls, text) per group, in order.
 * 0 or -ENOMEM. */
int tailbox__summaries(const struct tailbox__inspection *in, bool lifecycle,
                       int (*emit)(void *cls, const char *text), void *cls);

#endif
