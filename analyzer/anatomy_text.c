/* analyzer/anatomy_text.c - the anatomy of slow requests, as text and JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/analysis.h"
#include "analyzer/anatomy.h"
#include "analyzer/timeline_text.h"

#define LABEL 22u /* columns */
#define BAR 30u

/* What a phase is to somebody who does not know ours. */
static const char *const phase_labels[TAILBOX__PHASE_COUNT] = {
	[TAILBOX__PHASE_INGRESS] = "wait for a worker",
	[TAILBOX__PHASE_HEADERS] = "headers",
	[TAILBOX__PHASE_BODY] = "upload of the body",
	[TAILBOX__PHASE_HANDLER] = "handler",
	[TAILBOX__PHASE_SUSPENDED] = "suspended",
	[TAILBOX__PHASE_RESUME] = "resume delay",
	[TAILBOX__PHASE_SEND] = "send",
};

void tailbox__piece_label(const struct tailbox__run *run,
                          const struct tailbox__piece *p, char *buf,
                          size_t size)
{
	const bool is_wait = p->kind == TAILBOX__PIECE_WAIT;
	size_t len, used;

	if (p->kind == TAILBOX__PIECE_PHASE) {
		snprintf(buf, size, "%s", phase_labels[p->phase]);
		return;
	}
	if (p->kind == TAILBOX__PIECE_READER) {
		snprintf(buf, size, "content reader");
		return;
	}
	snprintf(buf, size, is_wait ? "wait " : "stage ");
	used = strlen(buf);
	const char *name = tailbox__run_text(run, p->name, &len);
	tailbox__show_into(buf + used, size - used, name, len, SIZE_MAX);
}

static uint64_t mean(uint64_t sum, uint64_t n)
{
	return n == 0 ? 0 : sum / n;
}

/* --- JSON -------------------------------------------------------------------------- */

static void put_u64(struct tailbox__json *j, const char *key, uint64_t value)
{
	tailbox__json_key(j, key);
	tailbox__json_u64(j, value);
}

void tailbox__piece_json(const struct tailbox__run *run,
                         const struct tailbox__piece *p,
                         struct tailbox__json *j)
{
	static const char *const kinds[] = { "phase", "wait", "stage",
		                             "phase" };
	size_t len;
	const char *name = tailbox__run_text(run, p->name, &len);

	tailbox__json_key(j, "kind");
	tailbox__json_cstr(j, kinds[p->kind]);
	tailbox__json_key(j, "name");
	if (p->kind == TAILBOX__PIECE_PHASE)
		tailbox__json_cstr(j, tailbox__phase_names[p->phase]);
	else if (p->kind == TAILBOX__PIECE_READER)
		tailbox__json_cstr(j, "reader");
	else
		tailbox__json_string(j, name, len);
}

static void put_piece(const struct tailbox__anatomy *a,
                      const struct tailbox__run *run,
                      const struct tailbox__piece *p, struct tailbox__json *j)
{
	tailbox__json_begin_object(j);
	tailbox__piece_json(run, p, j);
	put_u64(j, "slowest_mean_us", mean(p->tail_us, a->tail_count));
	put_u64(j, "slowest_permille", tailbox__permille(p->tail_us,
	                                                  a->tail_us));
	put_u64(j, "typical_mean_us", mean(p->typical_us, a->typical_count));
	put_u64(j, "typical_permille", tailbox__permille(p->typical_us,
	                                                  a->typical_us));
	tailbox__json_end_object(j);
}

int tailbox__anatomy_json(const struct tailbox__anatomy *a,
                          const struct tailbox__run *run,
                          struct tailbox__json *j)
{
	tailbox__json_begin_object(j);
	put_u64(j, "slowest_count", a->tail_count);
	put_u64(j, "slowest_mean_us", mean(a->tail_us, a->tail_count));
	put_u64(j, "typical_count", a->typical_count);
	put_u64(j, "typical_mean_us", mean(a->typical_us, a->typical_count));
	tailbox__json_key(j, "parts");
	tailbox__json_begin_array(j);
	for (size_t i = 0; i < a->count; i++)
		put_piece(a, run, &a->pieces[i], j);
	tailbox__json_end_array(j);
	put_u64(j, "slowest_unexplained_us",
	        mean(a->tail_left_us, a->tail_count));
	put_u64(j, "typical_unexplained_us",
	        mean(a->typical_left_us, a->typical_count));
	put_u64(j, "approximate_events", a->approximate_events);
	tailbox__json_end_object(j);
	return tailbox__json_ok(j) ? 0 : -ENOMEM;
}

/* --- text -------------------------------------------------------------------------- */

/* "12.3 ms": at most 9 columns, whatever the artifact claims. */
static const char *show(uint64_t us, char buf[24])
{
	const uint64_t s = us / 1000000, day = 86400;

	if (us < 10000)
		snprintf(buf, 24, "%" PRIu64 ".%02u ms", us / 1000,
		         (unsigned)(us % 1000 / 10));
	else if (us < 1000000)
		snprintf(buf, 24, "%" PRIu64 ".%u ms", us / 1000,
		         (unsigned)(us % 1000 / 100));
	else if (s < 10000)
		snprintf(buf, 24, "%" PRIu64 ".%02u s", s,
		         (unsigned)(us % 1000000 / 10000));
	else if (s < 100 * day)
		snprintf(buf, 24, "%" PRIu64 " s", s);
	else if (s / day < 1000000)
		snprintf(buf, 24, "%" PRIu64 " d", s / day);
	else
		snprintf(buf, 24, "%" PRIu64 " yr", s / day / 365);
	return buf;
}

static void put_row(const struct tailbox__anatomy *a, const char *label,
                    uint64_t tail_us, uint64_t typical_us, FILE *out)
{
	/* A part is no more than the whole, in what we made ourselves. */
	const uint64_t permille = tailbox__min_u64(
	        tailbox__permille(tail_us, a->tail_us), 1000);
	const unsigned marks = (unsigned)(permille * BAR / 1000);
	char slow[24], typical[24], bar[BAR + 1];

	memset(bar, '#', marks);
	memset(bar + marks, ' ', BAR - marks);
	bar[BAR] = '\0';
	fputs("\n  ", out);
	tailbox__show_padded(out, label, strlen(label), LABEL);
	fprintf(out, " %s %3" PRIu64 "%% %9s %9s", bar, (permille + 5) / 10,
	        show(mean(tail_us, a->tail_count), slow),
	        show(mean(typical_us, a->typical_count), typical));
}

/* A part that shows: half a percent of the slowest or more. */
static bool is_shown(const struct tailbox__anatomy *a, uint64_t tail_us)
{
	return tailbox__permille(tail_us, a->tail_us) >= 5;
}

void tailbox__anatomy_text(const struct tailbox__anatomy *a,
                           const struct tailbox__run *run, size_t rows,
                           FILE *out)
{
	uint64_t tail_rest = 0, typical_rest = 0;
	char label[160];

	if (a->tail_count == 0)
		return;
	snprintf(label, sizeof(label), "%" PRIu64 " slowest beside %" PRIu64
	         " typical (p40-p60)", a->tail_count, a->typical_count);
	fprintf(out, "\n  %-*.*s %9s %9s", (int)(LABEL + 1 + BAR + 5),
	        (int)(LABEL + 1 + BAR + 5), label,
	        "slowest", "typical");
	for (size_t i = 0; i < a->count; i++) {
		const struct tailbox__piece *p = &a->pieces[i];

		if (i >= rows || !is_shown(a, p->tail_us)) {
			tail_rest = tailbox__sat_add(tail_rest, p->tail_us);
			typical_rest = tailbox__sat_add(typical_rest,
			                                p->typical_us);
			continue;
		}
		tailbox__piece_label(run, p, label, sizeof(label));
		put_row(a, label, p->tail_us, p->typical_us, out);
	}
	if (is_shown(a, tail_rest))
		put_row(a, "the rest", tail_rest, typical_rest, out);
	if (is_shown(a, a->tail_left_us))
		put_row(a, "unexplained", a->tail_left_us, a->typical_left_us,
		        out);
}
