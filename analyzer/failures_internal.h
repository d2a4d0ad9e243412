/* analyzer/failures_internal.h - between the parts of failures*.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_ANALYZER_FAILURES_INTERNAL_H
#define TAILBOX_ANALYZER_FAILURES_INTERNAL_H 1

#include "analyzer/analysis.h"
#include "analyzer/failures.h"

struct tailbox__fail_member {
	enum tailbox__failure kind;
	uint32_t piece; /* number in apart; UINT32_MAX = unexplained */
	uint32_t request;
	uint64_t us; /* time in the piece */
};

struct tailbox__fail_look { /* of the sampler */
	uint64_t at_us;
	uint32_t snapshot;
};

struct tailbox__fail_work {
	const struct tailbox__run *run; /* normalized */
	struct tailbox__index index;
	struct tailbox__apart apart;
	struct tailbox__failures *out;
	TAILBOX__LIST(struct tailbox__fail_member) members;

	/* failures_shared.c */
	TAILBOX__LIST(struct tailbox__fail_trait) traits;
	uint64_t *starts; /* of all requests, ascending */
	size_t start_count;

	/* failures_state.c */
	struct tailbox__fail_look *looks; /* by time */
	size_t look_count;
	uint32_t *values_of; /* of snapshot s: values[of[s]..of[s + 1]) */
	uint64_t *open_by_name;
	uint64_t open_by_phase[TAILBOX__PHASE_COUNT];
	TAILBOX__LIST(struct tailbox__interval) spans;
};

struct tailbox__fail_trait {
	struct tailbox__trait trait;
	uint32_t request;
	uint64_t count;
};

static inline const struct tailbox__run_ext *
tailbox__fail_ext(const struct tailbox__run *run,
                  const struct tailbox__run_request *r)
{
	return r->ext != 0 && r->ext <= run->ext.count
	               ? &run->ext.items[r->ext - 1]
	               : NULL;
}

/* Of a group whose n members these are: what many of them have, with what is
 * known of the members; and the moment. 0 or -ENOMEM. */
int tailbox__fail_traits(struct tailbox__fail_work *w,
                         struct tailbox__failure_group *g,
                         const struct tailbox__fail_member *members, size_t n);
int tailbox__fail_moment(struct tailbox__fail_work *w,
                         struct tailbox__failure_group *g,
                         const struct tailbox__fail_member *members, size_t n);
/* Of all groups: count the others, keep what is shared. 0 or -ENOMEM. */
int tailbox__fail_compare(struct tailbox__fail_work *w);

/* What every group needs, once; then of a group. 0 or -ENOMEM. */
int tailbox__fail_state_init(struct tailbox__fail_work *w);
int tailbox__fail_state(struct tailbox__fail_work *w,
                        struct tailbox__failure_group *g,
                        const struct tailbox__fail_member *members, size_t n);

#endif
