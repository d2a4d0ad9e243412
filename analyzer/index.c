/* analyzer/index.c - the events of each request, and the names of stages.
 *
 * SPDX-License-Identifier: MIT
 *
 * Ids are numbers of the run's pool, so a table from number to request takes
 * the place of a hash; events are then put in order by counting. What a
 * normalized run holds belongs to a request of it; an event that does not is
 * left out, so that no run can break this.
 */
#include <errno.h>

#include "analyzer/analysis.h"
#include "core/alloc.h"

/* Request of each string, UINT32_MAX = none. */
static uint32_t *requests_by_id(const struct tailbox__run *run)
{
	const size_t n = tailbox__run_str_count(run);
	uint32_t *of = tailbox__alloc(n + 1, sizeof(*of));

	if (!of)
		return NULL;
	for (size_t i = 0; i <= n; i++)
		of[i] = UINT32_MAX;
	for (size_t i = 0; i < run->requests.count; i++)
		of[run->requests.items[i].id] = (uint32_t)i;
	of[0] = UINT32_MAX; /* no id */
	return of;
}

static int group(const uint32_t *request_of, size_t request_count,
                 const struct tailbox__run_span *events, size_t n,
                 struct tailbox__children *out)
{
	uint32_t *first = tailbox__zalloc(request_count + 2, sizeof(*first));
	uint32_t *order = tailbox__alloc(n, sizeof(*order));

	out->first = first;
	out->events = order;
	if (!first || !order)
		return -ENOMEM;
	/* Counted one place further on, so that after the second pass, which
	 * advances them, the sums stand where they belong. */
	for (size_t i = 0; i < n; i++) {
		const uint32_t r = request_of[events[i].request];
		if (r != UINT32_MAX)
			first[r + 2]++;
		out->partial_count += (events[i].flags & TAILBOX__PARTIAL) != 0;
	}
	for (size_t r = 2; r < request_count + 2; r++)
		first[r] += first[r - 1];
	for (size_t i = 0; i < n; i++) {
		const uint32_t r = request_of[events[i].request];
		if (r != UINT32_MAX)
			order[first[r + 1]++] = (uint32_t)i;
	}
	return 0;
}

static int number_names(const struct tailbox__run *run,
                        struct tailbox__index *out)
{
	const size_t n = tailbox__run_str_count(run);
	size_t room = 0;

	out->name_of = tailbox__alloc(n + 1, sizeof(*out->name_of));
	if (!out->name_of)
		return -ENOMEM;
	for (size_t i = 0; i <= n; i++)
		out->name_of[i] = UINT32_MAX;
	for (size_t i = 0; i < run->stages.count; i++) {
		const tailbox__str name = run->stages.items[i].name;
		tailbox__str *to;

		if (out->name_of[name] != UINT32_MAX)
			continue;
		out->name_of[name] = (uint32_t)out->name_count;
		to = tailbox__list_grow((void **)&out->names, &out->name_count,
		                        &room, sizeof(*out->names));
		if (!to)
			return -ENOMEM;
		*to = name;
	}
	return 0;
}

int tailbox__index_make(const struct tailbox__run *run,
                        struct tailbox__index *out)
{
	uint32_t *request_of;
	int rc;

	*out = (struct tailbox__index){ .name_of = NULL };
	request_of = requests_by_id(run);
	if (!request_of)
		return -ENOMEM;
	rc = group(request_of, run->requests.count, run->queues.items,
	           run->queues.count, &out->queues);
	if (rc == 0)
		rc = group(request_of, run->requests.count, run->stages.items,
		           run->stages.count, &out->stages);
	tailbox__free(request_of);
	return rc != 0 ? rc : number_names(run, out);
}

void tailbox__index_fini(struct tailbox__index *index)
{
	tailbox__free(index->queues.first);
	tailbox__free(index->queues.events);
	tailbox__free(index->stages.first);
	tailbox__free(index->stages.events);
	tailbox__free(index->name_of);
	tailbox__free(index->names);
	*index = (struct tailbox__index){ .name_of = NULL };
}
