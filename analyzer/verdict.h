/* analyzer/verdict.h - the report in a word and in a sentence.
 *
 * SPDX-License-Identifier: MIT
 *
 * Ours, beside the standard's primary suspect, which always names something:
 * a service that is well has a primary suspect too. The rules, in their order:
 *
 * too few   fewer finished requests than
 *           evidence.low_completed_request_threshold, or nothing was ranked
 * likely    the lead has at least medium confidence
 * unclear   another suspect that matters has, or one of ours is there at all,
 *           or the tail is long or slow, or requests fail or hang
 * healthy   none of these
 */
#ifndef TAILBOX_ANALYZER_VERDICT_H
#define TAILBOX_ANALYZER_VERDICT_H 1

#include "analyzer/report.h"

enum {
	/* A long tail: p99 is so many times p50, where waiting at random alone
	 * (an exponential distribution) gives ln 100 / ln 2 = 6.6 times. */
	TAILBOX__LONG_TIMES = 7,
	/* And at least this. Below it a time slice of the kernel or the two
	 * jiffies of the ingress wait's resolution make any ratio, and a
	 * suspect of the common core tells at most where little time goes. */
	TAILBOX__LONG_FLOOR_US = 10000,
	/* A slow one, whatever p50 is: people lose the thread. */
	TAILBOX__SLOW_US = 1000000,
	/* From 1% on requests fail too often to be called healthy. */
	TAILBOX__FAILED_PERMILLE = 10,
	/* A request that was open for so long at the end hangs. */
	TAILBOX__HANGS_US = 1000000
};

/* What a verdict rests on beside the suspects. */
struct tailbox__vitals {
	size_t slowest; /* index of a request; SIZE_MAX = there is none */
	uint64_t failed; /* status 500 or above; "error" or "timeout" */
	bool is_by_status; /* every request has its status */
	uint64_t unfinished;     /* requests that had not ended */
	uint64_t hanging;        /* of these, known to be open for long */
	uint64_t oldest_open_us; /* NONE = not known */
	uint64_t lost; /* by the recorder: requests, spans, blocks, names... */
	uint64_t cut;  /* beyond the limits of the run */
	bool is_cut;   /* a limit was reached, however much was cut */
	bool is_loss_known; /* the recorder counts its losses */
};
void tailbox__vitals_of(const struct tailbox__run *run,
                        struct tailbox__vitals *out);

/* Whether the tail is long, and whether it is slow. */
bool tailbox__is_long(uint64_t p50_us, uint64_t p99_us);
bool tailbox__is_slow(uint64_t p99_us);
/* Whether requests fail too often. */
bool tailbox__is_failing(const struct tailbox__report *r,
                         const struct tailbox__vitals *v);
/* The first suspect that matters: one of ours, or any but
 * insufficient_evidence where p99 reaches the floor. NULL = there is none. */
const struct tailbox__suspect *tailbox__lead(const struct tailbox__report *r);
/* The lead's title, or the meaning of its kind: harmless, in size bytes and so
 * many columns. Returns the bytes. */
size_t tailbox__suspect_title(const struct tailbox__suspect *s, char *buf,
                              size_t size, size_t columns);
/* Of a report whose slice `whole` and anatomy are filled: set its verdict and
 * headline. Allocates nothing. */
void tailbox__judge(struct tailbox__report *r, const struct tailbox__run *run,
                    const struct tailbox__analyzer_options *o);

#endif
