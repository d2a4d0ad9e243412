/* analyzer/own_stacks.c - where a route was while it held a worker.
 *
 * SPDX-License-Identifier: MIT
 *
 * Of each stack one frame counts: the innermost that is not the C library's or
 * the server's. That is where somebody can change something; that it waited in
 * nanosleep() or for a mutex is what brought it there.
 */
#include "analyzer/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/timeline_text.h"
#include "core/alloc.h"

#define ADD(list, ...) tailbox__texts_add(list, __VA_ARGS__)

static bool is_of_the_system(const struct tailbox__run *run,
                             const struct tailbox__run_frame *f)
{
	static const char *const files[] = {
		"libc.",  "libc-",   "libpthread", "ld-",
		"linux-", "libgcc_", "libtailbox.", "libmicrohttpd."
	};
	const char *path = tailbox__run_text(run, f->module, NULL);
	const char *slash = strrchr(path, '/');
	const char *file = slash != NULL ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strncmp(file, files[i], strlen(files[i])) == 0)
			return true;
	return file[0] == '\0';
}

static int by_place(const void *a, const void *b)
{
	const struct tailbox__run_frame *x =
	        *(const struct tailbox__run_frame *const *)a;
	const struct tailbox__run_frame *y =
	        *(const struct tailbox__run_frame *const *)b;

	if (x->module != y->module)
		return x->module < y->module ? -1 : 1;
	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	if (x->function || x->offset == y->offset)
		return 0;
	return x->offset < y->offset ? -1 : 1;
}

/* One frame of each stack of the route, if it has one. Their number. */
static size_t places_of(const struct tailbox__run *run, tailbox__str route,
                        const struct tailbox__run_frame **places)
{
	size_t n = 0;
	uint32_t taken = UINT32_MAX; /* the stack that has its place */

	for (size_t i = 0; i < run->frames.count; i++) {
		const struct tailbox__run_frame *f = &run->frames.items[i];
		if (f->stack == taken ||
		    run->stacks.items[f->stack].route != route ||
		    is_of_the_system(run, f))
			continue;
		taken = f->stack;
		places[n++] = f;
	}
	return n;
}

static int tell(const struct tailbox__run *run, struct tailbox__suspect *s,
                const struct tailbox__run_frame *f, size_t so, size_t of)
{
	char name[TAILBOX__OWN_NAME_SIZE], module[TAILBOX__OWN_NAME_SIZE];
	const char *path = tailbox__run_text(run, f->module, NULL);
	const char *slash = strrchr(path, '/');

	if (slash != NULL)
		path = slash + 1;
	tailbox__show_into(module, sizeof(module), path, strlen(path), 40);
	if (f->function)
		return ADD(&s->evidence,
		           "%zu of %zu stacks taken of it meanwhile were in %s "
		           "of %s%s", so, of,
		           tailbox__own_label(run, f->function, name), module,
		           f->flags & TAILBOX__FRAME_GUESSED ? ", as it looks"
		                                             : "");
	return ADD(&s->evidence,
	           "%zu of %zu stacks taken of it meanwhile were in %s at "
	           "0x%" PRIx64 ": addr2line -fie FILE 0x%" PRIx64,
	           so, of, module, f->offset, f->offset);
}

int tailbox__own_tell_stacks(const struct tailbox__run *run,
                             tailbox__str route, struct tailbox__suspect *s)
{
	size_t best = 0, longest = 0, of = 0;
	int rc = 0;

	if (route == 0 || run->stacks.count == 0)
		return 0;
	const struct tailbox__run_frame **places =
	        tailbox__alloc(run->stacks.count, sizeof(*places));
	if (places == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < run->stacks.count; i++)
		of += run->stacks.items[i].route == route;
	const size_t n = places_of(run, route, places);
	if (n > 0)
		qsort(places, n, sizeof(*places), by_place);
	for (size_t i = 0, from = 0; i < n; i++) {
		if (by_place(&places[from], &places[i]) != 0)
			from = i;
		if (i + 1 - from > longest) {
			longest = i + 1 - from;
			best = from;
		}
	}
	if (n > 0)
		rc = tell(run, s, places[best], longest, of);
	tailbox__free(places);
	return rc;
}
