/* analyzer/compare_internal.h - between the parts of a comparison.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_ANALYZER_COMPARE_INTERNAL_H
#define TAILBOX_ANALYZER_COMPARE_INTERNAL_H 1

#include "analyzer/compare.h"

/* The requests of a run, ready to be drawn from. */
struct tailbox__cmp_sample {
	const struct tailbox__run *run;
	struct tailbox__boot_item *items; /* rising latency; row: of the result,
	                                     UINT32_MAX = of no row */
	/* The same, grouped by row: row r is [first[r], first[r + 1]). Row 0
	 * of all requests has none here. */
	struct tailbox__boot_item *grouped;
	size_t *first;
	uint64_t *with_ingress; /* by row: requests that waited in the socket */
	size_t count;
	uint32_t blocks;
};
void tailbox__cmp_sample_fini(struct tailbox__cmp_sample *s);

/* compare_side.c: losses, suspects, shares; normalizes the run. 0 or -ENOMEM.
 */
int tailbox__cmp_side(struct tailbox__run *run,
                      const struct tailbox__analyzer_options *o, unsigned side,
                      struct tailbox__compare *c);
/* compare_rows.c: make the rows of c and both samples. 0, -ENOMEM, -ENOENT.
 * Samples are zeroed before, and safe to fini after. */
int tailbox__cmp_rows(const struct tailbox__compare_options *o,
                      struct tailbox__cmp_sample s[TAILBOX__SIDES],
                      struct tailbox__compare *c, struct tailbox__error *err);
/* The items of a row. */
const struct tailbox__boot_item *
tailbox__cmp_items(const struct tailbox__cmp_sample *s,
                   const struct tailbox__compare *c, size_t row, size_t *n);

/* Nearest thousandth, for showing. */
static inline int64_t tailbox__cmp_permille(int64_t ppm)
{
	return (ppm + (ppm < 0 ? -500 : 500)) / 1000;
}

#endif
