/* analyzer/screen_findings.c - the first screen: what is ruled out, and what
 * cannot be told.
 *
 * SPDX-License-Identifier: MIT
 *
 * Figures stand in two columns; one that is too wide has a line of its own.
 * Kinds that lack the same thing share an entry.
 */
#include <stdio.h>
#include <string.h>

#include "analyzer/screen_line.h"
#include "analyzer/timeline_text.h"

#define INDENT TAILBOX__SL_INDENT
#define WIDTH TAILBOX__SCREEN_WIDTH

enum { CELL_AT = 45, LONE_OUT = 11, LONE_UNKNOWN = 13 }; /* columns */

/* The kind as a thing that is well or not, beside a figure. */
static const char *const things[TAILBOX__SUSPECT_COUNT] = {
	[TAILBOX__SUSPECT_QUEUE] = "queues",
	[TAILBOX__SUSPECT_BLOCKING] = "offload pools",
	[TAILBOX__SUSPECT_EXECUTOR] = "workers",
	[TAILBOX__SUSPECT_DOWNSTREAM] = "stages",
	[TAILBOX__SUSPECT_UNKNOWN] = "others",
	[TAILBOX__SUSPECT_CPU] = "CPU",
	[TAILBOX__SUSPECT_CONNECTIONS] = "connections",
	[TAILBOX__SUSPECT_LOCK] = "locks",
	[TAILBOX__SUSPECT_SPINNING] = "spinning",
	[TAILBOX__SUSPECT_WORKER_BLOCKED] = "blocked worker",
	[TAILBOX__SUSPECT_UPLOAD] = "slow uploads",
	[TAILBOX__SUSPECT_DOWNLOAD] = "slow downloads",
	[TAILBOX__SUSPECT_RESUME] = "resume delay",
	[TAILBOX__SUSPECT_ACCEPT] = "accept queue",
	[TAILBOX__SUSPECT_LOOP] = "event loop",
};

/* Words in front of the lines from `first` on. */
static void mark(struct tailbox__sl_screen *s, size_t first, const char *one,
                 const char *two)
{
	memcpy(s->lines[first].text, one, strlen(one));
	if (s->count > first + 1)
		memcpy(s->lines[first + 1].text, two, strlen(two));
}

/* --- ruled out ------------------------------------------------------------ */

struct cell {
	char text[TAILBOX__SL_BYTES];
	size_t len, columns;
	bool is_used;
};

static size_t make_cells(const struct tailbox__report *r,
                         struct cell cells[TAILBOX__SUSPECT_COUNT])
{
	size_t n = 0;

	for (size_t i = 0; i < r->findings.count; i++) {
		const struct tailbox__finding *f = &r->findings.items[i];
		struct cell *c = &cells[n];
		if (f->ruling != TAILBOX__RULING_OUT ||
		    n == TAILBOX__SUSPECT_COUNT)
			continue;
		const char *text = f->text ? f->text : "";

		c->len = (size_t)snprintf(c->text, 32, "%s%s", things[f->kind],
		                          *text ? ": " : "");
		c->len += tailbox__show_into(c->text + c->len,
		                             sizeof(c->text) - c->len, text,
		                             strlen(text),
		                             WIDTH - INDENT - c->len);
		c->columns = tailbox__show_columns(c->text, c->len);
		c->is_used = false;
		n++;
	}
	return n;
}

/* The next one from i on that is narrow enough; n = none. */
static size_t find_cell(const struct cell *cells, size_t i, size_t n,
                        size_t columns)
{
	while (i < n && (cells[i].is_used || cells[i].columns > columns))
		i++;
	return i;
}

static void put_out(struct tailbox__sl_screen *s)
{
	struct cell cells[TAILBOX__SUSPECT_COUNT];
	const size_t n = make_cells(s->r, cells), first = s->count;
	size_t indent = INDENT;
	unsigned lines = 0;

	/* On one line? Then the words stand side by side. */
	if (s->budget->out == 1 || n == 1 ||
	    (n == 2 && cells[0].columns + 1 < CELL_AT - LONE_OUT &&
	     cells[1].columns <= WIDTH - CELL_AT))
		indent = LONE_OUT;
	for (size_t i = 0; i < n; i++) {
		struct cell *c = &cells[i];
		if (c->is_used)
			continue;
		if (lines++ == s->budget->out) {
			s->is_cut = true;
			break;
		}
		tailbox__sl_begin(s, "", indent);
		tailbox__sl_text(s, c->text, c->len, WIDTH);
		c->is_used = true;
		if (indent + c->columns + 1 >= CELL_AT)
			continue;
		size_t k = find_cell(cells, i + 1, n, WIDTH - CELL_AT);
		if (k == n)
			continue;
		tailbox__sl_put(s, "%*s",
		                (int)(CELL_AT - indent - c->columns), "");
		tailbox__sl_text(s, cells[k].text, cells[k].len, WIDTH);
		cells[k].is_used = true;
	}
	if (s->count > first && indent == INDENT)
		mark(s, first, "RULED", "OUT");
	else if (s->count > first)
		mark(s, first, "RULED OUT", "");
}

/* --- cannot tell ---------------------------------------------------------- */

struct entry {
	char labels[128];
	const char *text;
};

static void add_entry(struct entry *entries, size_t *n, const char *label,
                      const char *text)
{
	size_t i = 0;

	while (i < *n && strcmp(entries[i].text, text) != 0)
		i++;
	struct entry *e = &entries[i];
	if (i == *n) {
		*n += 1;
		*e = (struct entry){ .text = text };
	}
	const size_t len = strlen(e->labels);
	if (len + strlen(label) + 3 < sizeof(e->labels))
		snprintf(e->labels + len, sizeof(e->labels) - len, "%s%s",
		         len ? ", " : "", label);
}

/* Without rulings, from what the common core says of its evidence. */
static void add_missing(const struct tailbox__report_quality *q,
                        struct entry *entries, size_t *n)
{
	if (q->queue_status == TAILBOX__EVIDENCE_MISSING)
		add_entry(entries, n, "queues", "no wait is marked");
	if (q->stage_status == TAILBOX__EVIDENCE_MISSING)
		add_entry(entries, n, "stages", "none is marked");
	if (q->snapshot_status == TAILBOX__EVIDENCE_MISSING)
		add_entry(entries, n, "workers, offload pools",
		          "no runtime samples");
}

static size_t make_entries(const struct tailbox__report *r,
                           struct entry entries[TAILBOX__SUSPECT_COUNT])
{
	size_t n = 0;

	if (r->findings.count == 0)
		add_missing(&r->whole.quality, entries, &n);
	for (size_t i = 0; i < r->findings.count; i++) {
		const struct tailbox__finding *f = &r->findings.items[i];

		if (f->ruling == TAILBOX__RULING_CANNOT_TELL &&
		    n < TAILBOX__SUSPECT_COUNT)
			add_entry(entries, &n, things[f->kind],
			          f->text ? f->text : "");
	}
	return n;
}

static void put_unknown(struct tailbox__sl_screen *s)
{
	struct entry entries[TAILBOX__SUSPECT_COUNT];
	const size_t n = make_entries(s->r, entries), first = s->count;
	size_t indent = INDENT;
	unsigned lines = 0;

	for (size_t i = 0; i < n; i++) {
		char text[640];

		if (lines >= s->budget->unknown) {
			s->is_cut = true;
			break;
		}
		snprintf(text, sizeof(text), "%.127s: %.500s",
		         entries[i].labels,
		         entries[i].text);
		if (s->budget->unknown == 1 ||
		    (n == 1 && tailbox__show_columns(text, strlen(text)) <=
		                       WIDTH - LONE_UNKNOWN))
			indent = LONE_UNKNOWN;
		/* The ones behind shall have a line, too. */
		const unsigned left = s->budget->unknown - lines;
		const unsigned behind = n - i - 1 < left - 1
		                                ? (unsigned)(n - i - 1)
		                                : left - 1;
		lines += tailbox__sl_wrap(s, "", indent, text, left - behind);
	}
	if (s->count > first && indent == INDENT)
		mark(s, first, "CANNOT", "TELL");
	else if (s->count > first)
		mark(s, first, "CANNOT TELL", "");
}

void tailbox__sl_findings(struct tailbox__sl_screen *s)
{
	put_out(s);
	put_unknown(s);
}
