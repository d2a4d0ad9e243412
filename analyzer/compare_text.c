/* analyzer/compare_text.c - a comparison as lines of at most 80 columns.
 *
 * SPDX-License-Identifier: MIT
 *
 * First the verdict, then what speaks against trusting it, then the figures:
 * who only reads the top has what matters.
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/compare_internal.h"
#include "analyzer/timeline_text.h"

enum { ROUTES_SHOWN = 20, ROOM = 48 };
#define DAY_US UINT64_C(86400000000)

static const char *const words[TAILBOX__SIDES] = { "before", "after" };
static const char *const verdict_words[TAILBOX__VERDICT_COUNT] = {
	"no difference shown", "improved", "regressed", "cannot judge"
};

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* "+12.3%"; large ones without the digit that would mean nothing. */
static const char *show_change(char buf[ROOM], int64_t ppm)
{
	const int64_t permille = tailbox__cmp_permille(ppm);
	const uint64_t n = (uint64_t)(permille < 0 ? -permille : permille);
	const char sign = permille < 0 ? '-' : '+';

	if (permille == 0)
		snprintf(buf, ROOM, "0.0%%");
	else if (n > 9999990)
		snprintf(buf, ROOM, ">%c999999%%", sign);
	else if (n >= 10000)
		snprintf(buf, ROOM, "%c%" PRIu64 "%%", sign, (n + 5) / 10);
	else
		snprintf(buf, ROOM, "%c%" PRIu64 ".%" PRIu64 "%%", sign, n / 10,
		         n % 10);
	return buf;
}

/* --- head ----------------------------------------------------------------- */

static void put_str(FILE *out, const struct tailbox__run *run, tailbox__str s,
                    size_t columns)
{
	size_t len;
	const char *text = tailbox__run_text(run, s, &len);

	tailbox__show_text(out, text, len, columns);
}

static void put_side(const struct tailbox__compare *c,
                     const struct tailbox__run *run, unsigned side, FILE *out)
{
	const struct tailbox__run_meta *m = &run->meta;
	char when[TAILBOX__SHOW_ROOM];

	fprintf(out, "%-6s  ", words[side]);
	put_str(out, run, m->service_name, 16);
	if (m->service_version) {
		fputc(' ', out);
		put_str(out, run, m->service_version, 10);
	}
	fprintf(out, "  %s UTC  %" PRIu64 " request%s\n",
	        tailbox__show_utc(when, m->started_ms), c->sides[side].requests,
	        plural(c->sides[side].requests));
}

static void put_caveat(FILE *out, unsigned side, uint64_t n, const char *what)
{
	if (n)
		fprintf(out, "%-6s  %" PRIu64 " %s\n", words[side], n, what);
}

/* Losses of either run; then whether there is enough of it at all. */
static void put_caveats(const struct tailbox__compare *c, FILE *out)
{
	for (unsigned k = 0; k < TAILBOX__SIDES; k++) {
		const struct tailbox__compare_side *s = &c->sides[k];
		put_caveat(out, k, s->lost, "items LOST or CUT OFF");
		put_caveat(out, k, s->excluded,
		           "requests were not valid and are LEFT OUT");
		put_caveat(out, k, s->unfinished,
		           "requests had not finished and are LEFT OUT");
	}
	for (unsigned k = 0; k < TAILBOX__SIDES; k++) {
		const uint64_t n = c->rows[0].requests[k];
		if (n < tailbox__compare_needed(TAILBOX__COMPARE_P99))
			fprintf(out,
			        "%-6s  SMALL: %" PRIu64 " request%s; p50 needs "
			        "%" PRIu64 ", p95 %" PRIu64 ", p99 %" PRIu64
			        "\n",
			        words[k], n, plural(n),
			        tailbox__compare_needed(TAILBOX__COMPARE_P50),
			        tailbox__compare_needed(TAILBOX__COMPARE_P95),
			        tailbox__compare_needed(TAILBOX__COMPARE_P99));
	}
}

static void put_verdict(const struct tailbox__compare *c, FILE *out)
{
	fprintf(out,
	        "%s: %" PRIu64 " regressed, %" PRIu64 " improved, "
	        "%" PRIu64 " no difference shown,\n    %" PRIu64
	        " cannot be judged\n",
	        verdict_words[c->verdict],
	        c->counts[TAILBOX__VERDICT_REGRESSED],
	        c->counts[TAILBOX__VERDICT_IMPROVED],
	        c->counts[TAILBOX__VERDICT_NO_DIFFERENCE],
	        c->counts[TAILBOX__VERDICT_CANNOT_JUDGE]);
}

/* --- rows ----------------------------------------------------------------- */

static void put_reason(const struct tailbox__compare_row *row,
                       const struct tailbox__compare_cell *cell, FILE *out)
{
	const uint64_t *n = row->requests;
	const uint32_t *b = row->blocks;
	const uint32_t tail[] = { cell->tails[0].effective,
		                  cell->tails[1].effective };

	fputs("  cannot judge: ", out);
	switch (cell->reason) {
	case TAILBOX__UNJUDGED_NONE_BEFORE:
		fputs("only after", out);
		break;
	case TAILBOX__UNJUDGED_NONE_AFTER:
		fputs(n[TAILBOX__BEFORE] ? "only before" : "no request", out);
		break;
	case TAILBOX__UNJUDGED_FEW_REQUESTS:
		fprintf(out, "%" PRIu64 " of %" PRIu64 " requests",
		        n[0] < n[1] ? n[0] : n[1], cell->needed);
		break;
	case TAILBOX__UNJUDGED_FEW_BLOCKS:
		fprintf(out, "%" PRIu32 " of %" PRIu64 " blocks",
		        b[0] < b[1] ? b[0] : b[1], cell->needed);
		break;
	case TAILBOX__UNJUDGED_FEW_TAIL_BLOCKS:
		fprintf(out, "a few moments, %" PRIu32 " of %" PRIu64,
		        tail[0] < tail[1] ? tail[0] : tail[1], cell->needed);
		break;
	case TAILBOX__UNJUDGED_WIDE:
		fputs("too uncertain", out);
		break;
	case TAILBOX__UNJUDGED_NOT:
	case TAILBOX__UNJUDGED_COUNT:
		break;
	}
}

static void put_cell(const struct tailbox__compare_row *row,
                     enum tailbox__compare_metric m, FILE *out)
{
	const struct tailbox__compare_cell *cell = &row->cells[m];
	char change[ROOM] = "-", low[ROOM], high[ROOM], interval[2 * ROOM] = "";

	fprintf(out, "  %s ", tailbox__compare_metrics[m]);
	for (unsigned k = 0; k < TAILBOX__SIDES; k++) {
		char time[TAILBOX__SHOW_ROOM] = "-";
		if (cell->us[k] != TAILBOX__NONE && cell->us[k] > DAY_US)
			snprintf(time, sizeof(time), ">1 day");
		else if (cell->us[k] != TAILBOX__NONE)
			tailbox__show_us(time, cell->us[k]);
		fprintf(out, " %8s", time);
	}
	if (row->requests[TAILBOX__BEFORE] && row->requests[TAILBOX__AFTER])
		show_change(change, cell->change_ppm);
	fprintf(out, " %8s", change);
	if (cell->has_interval)
		snprintf(interval, sizeof(interval), "%s to %s",
		         show_change(low, cell->low_ppm),
		         show_change(high, cell->high_ppm));
	if (cell->verdict == TAILBOX__VERDICT_CANNOT_JUDGE &&
	    !cell->has_interval) {
		put_reason(row, cell, out);
	} else {
		fprintf(out, "  %-18s", interval);
		if (cell->verdict == TAILBOX__VERDICT_CANNOT_JUDGE)
			fputs("  too uncertain", out);
		else
			fprintf(out, "  %s", verdict_words[cell->verdict]);
	}
	fputc('\n', out);
}

static bool has_claim(const struct tailbox__compare_row *row)
{
	for (unsigned m = 0; m < TAILBOX__COMPARE_METRICS; m++)
		if (row->cells[m].verdict == TAILBOX__VERDICT_IMPROVED ||
		    row->cells[m].verdict == TAILBOX__VERDICT_REGRESSED)
			return true;
	return false;
}

static void put_row(const struct tailbox__compare_row *row, FILE *out)
{
	char numbers[2 * ROOM];

	snprintf(numbers, sizeof(numbers), "%" PRIu64 " | %" PRIu64,
	         row->requests[TAILBOX__BEFORE], row->requests[TAILBOX__AFTER]);
	fputc('\n', out);
	if (row->route)
		tailbox__show_text(out, row->route, row->route_len,
		                   76 - strlen(numbers) - 9);
	else
		fputs("all requests", out);
	fprintf(out, "  (%s requests)\n", numbers);
	for (unsigned m = 0; m < TAILBOX__COMPARE_METRICS; m++)
		if (row->cells[m].is_wanted)
			put_cell(row, (enum tailbox__compare_metric)m, out);
}

/* The first ones, and every one that something is claimed of. */
static void put_rows(const struct tailbox__compare *c, FILE *out)
{
	uint64_t hidden = 0;

	fprintf(out, "\n         before    after   change  %-18s  verdict\n",
	        "99.9% interval");
	for (size_t r = 0; r < c->row_count; r++) {
		if (r <= ROUTES_SHOWN || has_claim(&c->rows[r]))
			put_row(&c->rows[r], out);
		else
			hidden++;
	}
	if (hidden)
		fprintf(out,
		        "\n%" PRIu64 " more route%s without a difference: see "
		        "--json or --route\n",
		        hidden, plural(hidden));
	if (c->more_routes)
		fprintf(out,
		        "\n%" PRIu64 " route%s with fewer requests NOT "
		        "COMPARED: more than %u\n",
		        c->more_routes, plural(c->more_routes),
		        TAILBOX__COMPARE_ROUTES_MAX);
}

/* --- the rest ------------------------------------------------------------- */

static void put_share(FILE *out, uint64_t permille)
{
	if (permille == TAILBOX__NONE)
		fputs("not known", out);
	else
		fprintf(out, "%" PRIu64 ".%" PRIu64 "%%", permille / 10,
		        permille % 10);
}

static void put_shares(const struct tailbox__compare *c, FILE *out)
{
	fputs("\nshares at p95, all requests (shown, not judged)\n  waits  ",
	      out);
	put_share(out, c->sides[TAILBOX__BEFORE].queue_permille);
	fputs(" -> ", out);
	put_share(out, c->sides[TAILBOX__AFTER].queue_permille);
	fputs("   service  ", out);
	put_share(out, c->sides[TAILBOX__BEFORE].service_permille);
	fputs(" -> ", out);
	put_share(out, c->sides[TAILBOX__AFTER].service_permille);
	fputc('\n', out);
}

static void put_suspect(const struct tailbox__compare_suspect *s,
                        enum tailbox__suspect_kind kind, FILE *out)
{
	const bool *is_there = s->is_there;
	bool is_second = false;

	if (!is_there[TAILBOX__BEFORE] && !is_there[TAILBOX__AFTER])
		return;
	fprintf(out, "  %-6s %-29s",
	        !is_there[TAILBOX__AFTER]    ? "went"
	        : !is_there[TAILBOX__BEFORE] ? "came"
	                                     : "stayed",
	        tailbox__suspect_names[kind]);
	for (unsigned k = 0; k < TAILBOX__SIDES; k++) {
		if (!is_there[k])
			continue;
		fprintf(out, "%s%3u, %s", is_second ? " -> " : "  score ",
		        s->score[k],
		        tailbox__confidence_names[s->confidence[k]]);
		is_second = true;
	}
	fputc('\n', out);
}

void tailbox__compare_text(const struct tailbox__compare *c,
                           const struct tailbox__run *before,
                           const struct tailbox__run *after, FILE *out)
{
	const unsigned effect = c->min_effect_permille;

	put_verdict(c, out);
	put_side(c, before, TAILBOX__BEFORE, out);
	put_side(c, after, TAILBOX__AFTER, out);
	put_caveats(c, out);
	put_rows(c, out);
	put_shares(c, out);
	fputs("\nsuspects\n", out);
	for (unsigned k = 0; k < TAILBOX__SUSPECT_COUNT; k++)
		put_suspect(&c->suspects[k], (enum tailbox__suspect_kind)k,
		            out);
	fprintf(out,
	        "\nA difference is claimed where the interval excludes 0, "
	        "reaches %u.%u%%, and it is\nat least a step of the clock. The "
	        "intervals hold all together.\n",
	        effect / 10, effect % 10);
}
