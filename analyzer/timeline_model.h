/* analyzer/timeline_model.h - what a timeline shows, before it is drawn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_ANALYZER_TIMELINE_MODEL_H
#define TAILBOX_ANALYZER_TIMELINE_MODEL_H 1

#include "analyzer/timeline.h"

struct tailbox__tl_route {
	tailbox__str route;
	size_t n, errors; /* errors: outcome "error" or "timeout" */
	uint64_t p50, p95, p99, max; /* us */
};

struct tailbox__tl_summary {
	struct tailbox__tl_route all; /* route 0; n may be 0 */
	struct tailbox__tl_route *routes; /* worst p99 first */
	size_t route_count;
	size_t *slowest; /* indexes of requests, slowest first */
	size_t slowest_count;
};

/* Compute. 0, -ENOMEM, -ENOENT (see tailbox__timeline_text). Always safe to
 * fini. */
int tailbox__tl_summarize(const struct tailbox__run *run,
                          const struct tailbox__timeline_options *o,
                          struct tailbox__tl_summary *out,
                          struct tailbox__error *err);
void tailbox__tl_summary_fini(struct tailbox__tl_summary *s);

/* --- timeline_kept.c ----------------------------------------------------- */

size_t tailbox__tl_kept_count(const struct tailbox__run *run);
/* run->kept, which must be there, with the metadata of the run: to be read and
 * not destroyed. */
struct tailbox__run tailbox__tl_kept_view(const struct tailbox__run *run);
/* The list of them; nothing where there are none. */
void tailbox__tl_kept(const struct tailbox__run *run, FILE *out);
/* As tailbox__tl_summarize(); a request that is asked for and is not in the run
 * is looked for among the kept ones. *of: where the summary's indexes point,
 * the run or *kept. */
int tailbox__tl_summarize_any(const struct tailbox__run *run,
                              const struct tailbox__timeline_options *o,
                              struct tailbox__tl_summary *out,
                              struct tailbox__run *kept,
                              const struct tailbox__run **of,
                              struct tailbox__error *err);

enum tailbox__tl_kind {
	TAILBOX__TL_PHASE,
	TAILBOX__TL_WAIT,
	TAILBOX__TL_STAGE
};

/* One line of a waterfall. Spans of one name under one parent share a line
 * when they are many. */
struct tailbox__tl_row {
	enum tailbox__tl_kind kind;
	unsigned phase;      /* PHASE: enum tailbox__phase */
	tailbox__str name;   /* else */
	unsigned depth;      /* 0 = directly in the request */
	size_t count;        /* spans on this line */
	bool has_start;      /* start_ns is known ... */
	bool is_start_guessed; /* ... or laid out in the order of phases */
	bool is_partial, is_failed; /* one of them is */
	uint64_t start_ns;   /* from the request's start; the first one's */
	uint64_t total_ns;   /* sum over the spans */
	tailbox__str site;   /* the first one's */
	uint64_t ahead;      /* waits: most that waited before; NONE unknown */
	size_t parent, first_child, last_child, next; /* rows; TL_NO_ROW */
	size_t first_item;   /* chain of items on this line */
};
#define TAILBOX__TL_NO_ROW SIZE_MAX

struct tailbox__tl_item { /* one span */
	const struct tailbox__run_span *span;
	bool is_wait;
	bool has_place;
	uint64_t start_ns, end_ns; /* from the request's start, cut to it */
	unsigned depth;
	size_t outer;     /* item that contains it; TL_NO_ROW */
	size_t row, next; /* its line; next item of the same line */
};

struct tailbox__tl_request {
	const struct tailbox__run_request *request;
	const struct tailbox__run_ext *ext; /* NULL = none */
	uint64_t latency_ns;
	TAILBOX__LIST(struct tailbox__tl_row) rows; /* phases in order first */
	size_t phase_rows;      /* rows[0..phase_rows) are phases */
	size_t first_span_row;  /* roots, linked by next; TL_NO_ROW */
	size_t last_span_row;
	TAILBOX__LIST(struct tailbox__tl_item) items;
	size_t hidden_items;    /* beyond TAILBOX__TL_ITEMS_MAX */
	uint64_t phases_ns;     /* sum of the known ones */
	uint64_t covered_ns;    /* union of all spans but the ingress wait */
};
#define TAILBOX__TL_ITEMS_MAX 20000u
#define TAILBOX__TL_DEPTH_MAX 8u

/* Lay out one request. 0 or -ENOMEM; always safe to fini. */
int tailbox__tl_request(const struct tailbox__run *run, size_t index,
                        struct tailbox__tl_request *out);
void tailbox__tl_request_fini(struct tailbox__tl_request *r);

/* Its steps: an empty line; lines for the items, sorted by start. NULL or
 * -ENOMEM when out of memory. */
struct tailbox__tl_row *tailbox__tl_add_row(struct tailbox__tl_request *r,
                                            enum tailbox__tl_kind kind);
int tailbox__tl_make_rows(struct tailbox__tl_request *r);

/* Draw one waterfall, its number first. */
void tailbox__tl_draw(const struct tailbox__run *run,
                      const struct tailbox__tl_request *r, size_t number,
                      size_t width, FILE *out);
/* Its head alone: route, outcome, when, ids. */
void tailbox__tl_head(const struct tailbox__run *run,
                      const struct tailbox__tl_request *r, size_t number,
                      size_t width, FILE *out);
/* What the signs mean. */
void tailbox__tl_legend(FILE *out);

/* Name of a row: "handler", or the span's. len may not be NULL. */
const char *tailbox__tl_row_name(const struct tailbox__run *run,
                                 const struct tailbox__tl_row *row,
                                 size_t *len);
/* Run offset, in us, of the end of the run as far as it is known. */
uint64_t tailbox__tl_run_end_us(const struct tailbox__run *run);
/* The longest holds, longest first, equal ones by their starts: their indexes.
 * Gives how many. */
#define TAILBOX__TL_HOLDS 5u
size_t tailbox__tl_longest_holds(const struct tailbox__run *run,
                                 size_t shown[TAILBOX__TL_HOLDS]);
/* What the run's limits cut off, by kind. */
struct tailbox__tl_cut {
	const char *key, *what; /* "dropped_queues", "waits" */
	uint64_t n;
};
enum { TAILBOX__TL_CUTS = 6 };
void tailbox__tl_cuts(const struct tailbox__run *run,
                      struct tailbox__tl_cut cuts[TAILBOX__TL_CUTS]);
/* Whether a further fact of the run counts what the recorder lost. */
bool tailbox__tl_is_loss(const struct tailbox__run *run,
                         const struct tailbox__run_pair *pair);

/* --- timeline_stacks.c --------------------------------------------------- */

/* The last stacks of held workers; nothing where there are none. */
void tailbox__tl_put_stacks(const struct tailbox__run *run, FILE *out,
                            size_t width);
/* The same as members: how many there are, the last, and their frames. */
void tailbox__tl_put_stacks_json(struct tailbox__json *j,
                                 const struct tailbox__run *run);

#endif
