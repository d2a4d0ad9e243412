/* analyzer/timeline_draw.c - draw one request as a waterfall.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every line has a label, where it starts, how long it took, and a bar on the
 * request's own axis:
 *
 *    1  1.33 s  GET /report  200 ok
 *      03:12:53.405 UTC (+12.2 s)  worker 3  connection 17
 *                              start      time  0                      1.33 s
 *   wait mhd.ingress               0    198 ms |=====                        |
 *     behind GET /report (81), which held the worker 1.21 s
 *   handler                   198 ms    1.10 s |     ======================  |
 *     wait db_pool            200 ms   21.0 ms |     :                       |
 *     stage db_query x200     221 ms    870 ms |      ###:###### ##########  |
 *   send                      1.30 s   30.0 ms |                            =|
 *
 * Signs are ASCII and differ by shape, not by colour.
 */
#include "analyzer/timeline_model.h"

#include <inttypes.h>
#include <string.h>

#include "analyzer/timeline_text.h"

enum {
	LABEL = 23,
	START = 8,
	TIME = 9,
	BEFORE_BARS = 1 + LABEL + 1 + START + 1 + TIME + 1, /* then | bars | */
	ROWS_MAX = 60,   /* lines of spans per request */
	DETAIL_FROM = 5 /* share of the request, 1/n, that earns details */
};

struct drawing {
	const struct tailbox__run *run;
	const struct tailbox__tl_request *r;
	FILE *out;
	size_t width, bars;
	size_t rows; /* lines of spans so far */
	uint64_t jiffy_ns; /* what an ingress wait is known to */
};

void tailbox__tl_legend(FILE *out)
{
	fputs("  = phase   . wait   # stage   X failed   "
	      "> given up: took at least that long\n"
	      "  ~ a start that is laid out, not recorded   "
	      ": too short to draw\n",
	      out);
}

/* --- bars ----------------------------------------------------------------- */

/* The nearest border between columns: bars that follow each other touch and
 * do not overlap. */
static size_t column(const struct drawing *d, uint64_t ns)
{
	uint64_t latency = d->r->latency_ns;
	unsigned __int128 scaled = (unsigned __int128)ns * d->bars;

	if (ns >= latency)
		return d->bars;
	return (size_t)((scaled + latency / 2) / latency);
}

static void paint(const struct drawing *d, char *bar, uint64_t from,
                  uint64_t to, char sign, bool is_partial)
{
	if (!d->r->latency_ns)
		return;
	size_t at = column(d, from), end = column(d, to);

	if (at >= d->bars)
		at = d->bars - 1;
	if (end <= at)
		end = at + 1;
	/* Under half a column a full one would exaggerate. */
	unsigned __int128 twice = (unsigned __int128)(to - from) * 2 * d->bars;
	if (end - at <= 2 && twice < d->r->latency_ns) {
		bar[at] = is_partial ? '>' : ':';
		return;
	}
	memset(bar + at, sign, end - at);
	if (is_partial)
		bar[end - 1] = '>';
}

static char sign_of(const struct tailbox__tl_item *item)
{
	if (item->is_wait)
		return '.';
	return (item->span->flags & TAILBOX__FAILED) &&
	                       !(item->span->flags & TAILBOX__PARTIAL)
	               ? 'X'
	               : '#';
}

/* A line that many share: a column is drawn when they fill half of it. */
static void paint_many(const struct drawing *d, char *bar,
                       const struct tailbox__tl_row *row)
{
	double filled[TAILBOX__TIMELINE_WIDTH_MAX] = { 0 };
	double per = (double)d->r->latency_ns / (double)d->bars;

	for (size_t i = row->first_item; i != TAILBOX__TL_NO_ROW && per > 0;
	     i = d->r->items.items[i].next) {
		const struct tailbox__tl_item *item = &d->r->items.items[i];
		double from = (double)item->start_ns / per;
		double to = (double)item->end_ns / per;
		if (!item->has_place)
			continue;
		for (size_t c = (size_t)from; c < d->bars && (double)c <= to;
		     c++) {
			double left = from > (double)c ? from : (double)c;
			double right = to < (double)(c + 1) ? to
			                                    : (double)(c + 1);
			filled[c] += right - left;
			bool is_worse = sign_of(item) == 'X';
			if (is_worse || filled[c] < 0.5)
				bar[c] = is_worse ? 'X' : ':';
			else if (bar[c] != 'X')
				bar[c] = sign_of(item);
		}
	}
}

static void put_bar(const struct drawing *d, const struct tailbox__tl_row *row)
{
	char bar[TAILBOX__TIMELINE_WIDTH_MAX + 1];

	memset(bar, ' ', d->bars);
	bar[d->bars] = '\0';
	if (row->kind == TAILBOX__TL_PHASE) {
		uint64_t left = d->r->latency_ns - row->start_ns;
		uint64_t ns = row->total_ns < left ? row->total_ns : left;
		if (ns)
			paint(d, bar, row->start_ns, row->start_ns + ns, '=',
			      false);
	}
	if (row->count > 1) {
		paint_many(d, bar, row);
	} else if (row->first_item != TAILBOX__TL_NO_ROW) {
		const struct tailbox__tl_item *item =
		        &d->r->items.items[row->first_item];
		if (item->has_place)
			paint(d, bar, item->start_ns, item->end_ns,
			      sign_of(item), row->is_partial);
	}
	fprintf(d->out, "|%s|\n", bar);
}

/* --- lines ---------------------------------------------------------------- */

static void put_label(const struct drawing *d,
                      const struct tailbox__tl_row *row)
{
	static const char *const before[] = { "", "wait ", "stage " };
	char times[24] = "";
	size_t len, used;
	bool is_ingress = row->kind == TAILBOX__TL_PHASE &&
	                  row->phase == TAILBOX__PHASE_INGRESS;
	const char *name = tailbox__tl_row_name(d->run, row, &len);

	if (row->count > 1)
		snprintf(times, sizeof(times), " x%zu", row->count);
	used = row->kind == TAILBOX__TL_PHASE ? 0 : 2 + 2 * row->depth;
	fprintf(d->out, " %*s", (int)used, "");
	const char *kind = is_ingress ? "wait " : before[row->kind];
	size_t room = LABEL - used;
	if (strlen(kind) + 8 > room)
		kind = "";
	fputs(kind, d->out);
	room -= strlen(kind);
	size_t for_name = strlen(times) < room ? room - strlen(times) : 0;
	size_t put = tailbox__show_text(d->out, name, len, for_name);
	fprintf(d->out, "%-*s ", (int)(room - put), times);
}

static void put_row(const struct drawing *d, const struct tailbox__tl_row *row)
{
	char text[TAILBOX__SHOW_ROOM], shown[TAILBOX__SHOW_ROOM + 4];
	bool is_phase = row->kind == TAILBOX__TL_PHASE;
	bool is_coarse = is_phase && row->phase == TAILBOX__PHASE_INGRESS;
	bool after_coarse = is_phase && d->r->rows.items[0].phase ==
	                                        TAILBOX__PHASE_INGRESS;

	put_label(d, row);
	shown[0] = '\0';
	if (row->has_start)
		snprintf(shown, sizeof(shown), "%s%s",
		         row->is_start_guessed ? "~" : "",
		         after_coarse ? tailbox__show_coarse(text,
		                                             row->start_ns,
		                                             d->jiffy_ns)
		                      : tailbox__show_ns(text, row->start_ns));
	if (!strcmp(shown, "0 ms"))
		shown[1] = '\0';
	fprintf(d->out, "%*s ", START, shown);
	if (is_coarse)
		tailbox__show_coarse(text, row->total_ns, d->jiffy_ns);
	else if (is_phase)
		tailbox__show_ns(text, row->total_ns);
	else
		tailbox__show_us(text, row->total_ns / 1000);
	snprintf(shown, sizeof(shown), "%s%s", row->is_partial ? ">=" : "",
	         text);
	fprintf(d->out, "%*s ", TIME, shown);
	put_bar(d, row);
}

/* Who held the worker while data lay in the socket. */
static void put_holder(const struct drawing *d)
{
	const struct tailbox__run_ext *e = d->r->ext;
	char text[TAILBOX__SHOW_ROOM];
	size_t len;

	if (!e->holder_route && !e->holder_number) {
		fprintf(d->out, "   +-%" PRIu64 " ms\n", d->jiffy_ns / 1000000);
		return;
	}
	const char *route = tailbox__run_text(d->run, e->holder_route, &len);
	fputs("   behind ", d->out);
	if (e->holder_route)
		tailbox__show_text(d->out, route, len, d->width - 64);
	else
		fputs("a request", d->out);
	if (e->holder_number)
		fprintf(d->out, " (%" PRIu64 ")", e->holder_number);
	if (e->holder_ns)
		fprintf(d->out, ", which held the worker %s",
		        tailbox__show_coarse(text, e->holder_ns, 1000000));
	fprintf(d->out, "; +-%" PRIu64 " ms\n", d->jiffy_ns / 1000000);
}

/* Where in the source, and how long the queue was: for lines that matter. */
static void put_detail(const struct drawing *d,
                       const struct tailbox__tl_row *row)
{
	size_t len, indent = 5 + 2 * row->depth;

	if (row->total_ns < d->r->latency_ns / DETAIL_FROM ||
	    (!row->site && (row->ahead == TAILBOX__NONE || !row->ahead)))
		return;
	fprintf(d->out, "%*s", (int)indent, "");
	if (row->ahead != TAILBOX__NONE && row->ahead) {
		char text[64];
		snprintf(text, sizeof(text), "%s%" PRIu64 " waited before it%s",
		         row->count > 1 ? "up to " : "", row->ahead,
		         row->site ? ", " : "");
		fputs(text, d->out);
		indent += strlen(text);
	}
	if (row->site) {
		const char *site = tailbox__run_text(d->run, row->site, &len);
		fputs("at ", d->out);
		tailbox__show_text(d->out, site, len, d->width - indent - 3);
	}
	fputc('\n', d->out);
}

static void put_spans(struct drawing *d, size_t first)
{
	for (size_t i = first; i != TAILBOX__TL_NO_ROW;
	     i = d->r->rows.items[i].next) {
		const struct tailbox__tl_row *row = &d->r->rows.items[i];
		if (d->rows++ < ROWS_MAX) {
			put_row(d, row);
			put_detail(d, row);
		}
		put_spans(d, row->first_child);
	}
}

/* A line without a bar: a rest that no phase or span explains. */
static void put_rest(const struct drawing *d, const char *label, uint64_t ns)
{
	char text[TAILBOX__SHOW_ROOM];

	fprintf(d->out, " %-*s %*s %*s\n", LABEL, label, START, "", TIME,
	        tailbox__show_ns(text, ns));
}

/* What of the handler's time no stage or wait covers. Only where spans can
 * have been nowhere else. */
static void put_unmarked(const struct drawing *d)
{
	const struct tailbox__run_ext *e = d->r->ext;

	if (!e || e->phase_ns[TAILBOX__PHASE_HANDLER] == TAILBOX__NONE)
		return;
	uint64_t handler = e->phase_ns[TAILBOX__PHASE_HANDLER];
	uint64_t suspended = e->phase_ns[TAILBOX__PHASE_SUSPENDED];
	if (handler < d->r->latency_ns / DETAIL_FROM ||
	    (suspended != TAILBOX__NONE && suspended))
		return;
	if (!d->r->items.count) {
		fputs("   no stage or wait is marked in this handler\n",
		      d->out);
		return;
	}
	for (size_t i = 0; i < d->r->items.count; i++)
		if (!d->r->items.items[i].has_place)
			return;
	uint64_t rest = handler > d->r->covered_ns
	                        ? handler - d->r->covered_ns
	                        : 0;
	if (rest >= d->r->latency_ns / 20)
		put_rest(d, "  in none of these", rest);
}

static void put_rows(struct drawing *d)
{
	const struct tailbox__tl_request *r = d->r;
	size_t i = 0;

	for (; i < r->phase_rows &&
	       r->rows.items[i].phase != TAILBOX__PHASE_SEND;
	     i++) {
		put_row(d, &r->rows.items[i]);
		if (r->rows.items[i].phase == TAILBOX__PHASE_INGRESS)
			put_holder(d);
	}
	put_spans(d, r->first_span_row);
	if (d->rows > ROWS_MAX)
		fprintf(d->out, "   ... and %zu more lines\n",
		        d->rows - ROWS_MAX);
	if (r->hidden_items)
		fprintf(d->out, "   ... and %zu more stages and waits\n",
		        r->hidden_items);
	put_unmarked(d);
	if (i < r->phase_rows) {
		put_row(d, &r->rows.items[i]);
		if (r->ext->reader_ns != TAILBOX__NONE && r->ext->reader_ns)
			put_rest(d, "  in the content reader",
			         r->ext->reader_ns);
	}
	uint64_t rest = r->latency_ns > r->phases_ns
	                        ? r->latency_ns - r->phases_ns
	                        : 0;
	if (r->phase_rows && rest > r->latency_ns / 20)
		put_rest(d, "in no known phase", rest);
}

/* --- all ------------------------------------------------------------------ */

/* An artifact that does not say gets the coarsest that Linux has. */
static uint64_t jiffy_of(const struct tailbox__run *run)
{
	const struct tailbox__run_pair *jiffy =
	        tailbox__run_extra(run, "jiffy_us");

	if (!jiffy || !jiffy->number || jiffy->number > 10000)
		return 10000000;
	return jiffy->number * 1000;
}

void tailbox__tl_draw(const struct tailbox__run *run,
                      const struct tailbox__tl_request *r, size_t number,
                      size_t width, FILE *out)
{
	struct drawing d = { .run = run, .r = r, .out = out, .width = width };
	char text[TAILBOX__SHOW_ROOM];

	d.bars = width - BEFORE_BARS - 2;
	d.jiffy_ns = jiffy_of(run);
	tailbox__tl_head(run, r, number, width, out);
	if (!r->rows.count) {
		fputs("    no phase, stage or wait was recorded\n", out);
		return;
	}
	fprintf(out, " %-*s %*s %*s  0%*s\n", LABEL, "", START, "start", TIME,
	        "time", (int)d.bars - 1,
	        tailbox__show_us(text, r->request->latency_us));
	put_rows(&d);
}
