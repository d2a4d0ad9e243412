/* cli/top_text.c - a frame of top as text: what --once prints, what the screen
 * shows.
 *
 * SPDX-License-Identifier: MIT
 *
 * What was lost comes right after whose tape it is. A worker or request has a
 * second line where it is in a stage or a wait, so that file and line are
 * there on 80 columns, too.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/timeline_text.h"
#include "cli/top_lines.h"
#include "core/alloc.h"

const char *const cli__top_sort_names[CLI__TOP_SORTS] = { "age", "phase",
	                                                  "route", "worker" };

/* --- the head ------------------------------------------------------------- */

static void put_who(const struct cli__top *t, unsigned columns,
                    struct cli__top_text *out)
{
	struct cli__line l = { .len = 0 };
	char text[TAILBOX__SHOW_ROOM];

	cli__line_text(&l, t->service, 40);
	if (*t->version) {
		cli__line(&l, " ");
		cli__line_text(&l, t->version, 16);
	}
	cli__line(&l, "  pid %" PRIu32 "  %s%s", t->pid, cli__top_state(t),
	          t->is_recording || t->writer == TAILBOX__WRITER_CLOSED
	                  ? ""
	                  : ", RECORDING IS OFF");
	cli__line(&l, "  since %s UTC", tailbox__show_utc(text, t->started_ms));
	cli__line_end(&l, out, columns, CLI__TOP_HEAD, 0);
	if (!t->is_frozen)
		return;
	cli__line(&l, "times count up to its last record, %s UTC",
	          tailbox__show_clock_ms(text, t->as_of_ms));
	if (t->last_record_ns != TAILBOX__NONE)
		cli__line(&l, ", %s ago",
		          tailbox__show_ns(text, t->last_record_ns));
	cli__line_end(&l, out, columns, CLI__TOP_HEAD, 0);
}

static void put_losses(const struct cli__top *t, unsigned columns,
                       struct cli__top_text *out)
{
	struct cli__line l = { .len = 0 };

	for (size_t i = 0; i < t->loss_count; i++) {
		cli__line(&l, "LOST  %" PRIu64 " %s", t->losses[i].count,
		          t->losses[i].text);
		cli__line_end(&l, out, columns, CLI__TOP_LOSS, 0);
	}
	if (t->loss_count)
		return;
	cli__line(&l, "lost      nothing");
	cli__line_end(&l, out, columns, CLI__TOP_PLAIN, 0);
}

static void put_share(struct cli__line *l, uint64_t ppm, const char *of)
{
	if (ppm != TAILBOX__NONE)
		cli__line(l, "  %" PRIu64 ".%02u%% of %s", ppm / 10000,
		          (unsigned)(ppm % 10000 / 100), of);
}

static void put_tape(const struct cli__top *t, unsigned columns,
                     struct cli__top_text *out)
{
	struct cli__line l = { .len = 0 };
	char text[TAILBOX__SHOW_ROOM];

	cli__line(&l, "tape      %s, ",
	          tailbox__show_bytes(text, t->tape_bytes));
	if (t->history_ns == TAILBOX__NONE)
		cli__line(&l, "history not known");
	else
		cli__line(&l, "%s of history%s",
		          tailbox__show_ns(text, t->history_ns),
		          t->has_wrapped ? "" : ", all there is");
	cli__line_end(&l, out, columns, CLI__TOP_PLAIN, 0);
	if (t->own_cpu_ns == TAILBOX__NONE)
		return;
	cli__line(&l, "recorder  %s of CPU", tailbox__show_ns(text, t->own_cpu_ns));
	put_share(&l, t->own_ppm, "one CPU");
	put_share(&l, t->process_ppm, "the process");
	cli__line_end(&l, out, columns, CLI__TOP_PLAIN, 0);
}

static void put_latency(struct cli__line *l, const char *name, uint64_t ns)
{
	cli__line(l, "  %s ", name);
	cli__line_ns(l, 0, ns);
}

static void put_rates(const struct cli__top *t, unsigned columns,
                      struct cli__top_text *out)
{
	const struct cli__top_rates *r = &t->rates;
	struct cli__line l = { .len = 0 };
	char text[TAILBOX__SHOW_ROOM];

	if (!r->span_ns) {
		cli__line(&l, "last 10 s not covered");
		cli__line_end(&l, out, columns, CLI__TOP_PLAIN, 0);
		return;
	}
	const uint64_t tenths = (uint64_t)((unsigned __int128)r->finished *
	                                   10000000000u / r->span_ns);
	/* In whole tenths: it ends somewhere in the present second. */
	snprintf(text, sizeof(text), "last %" PRIu64 ".%u s",
	         r->span_ns / 1000000000,
	         (unsigned)(r->span_ns / 100000000 % 10));
	cli__line(&l, "%-10s %" PRIu64 ".%u/s", text, tenths / 10,
	          (unsigned)(tenths % 10));
	put_latency(&l, "p50", r->p50_ns);
	put_latency(&l, "p95", r->p95_ns);
	put_latency(&l, "p99", r->p99_ns);
	put_latency(&l, "max", r->max_ns);
	cli__line(&l, "  5xx %" PRIu64, r->status_5xx);
	cli__line_end(&l, out, columns, CLI__TOP_PLAIN, 0);
}

static void put_of(struct cli__line *l, uint64_t now, uint64_t limit)
{
	if (now == TAILBOX__NONE)
		cli__line(l, "?");
	else
		cli__line(l, "%" PRIu64, now);
	if (limit != TAILBOX__NONE)
		cli__line(l, " of %" PRIu64, limit);
}

static void put_counts(const struct cli__top *t, unsigned columns,
                       struct cli__top_text *out)
{
	struct cli__line l = { .len = 0 };
	uint64_t limit = TAILBOX__NONE;

	cli__line(&l, "requests  %" PRIu64 " open, %" PRIu64 " finished",
	          t->open, t->done);
	if (t->connections != TAILBOX__NONE) {
		if (t->accept_count == 1)
			limit = t->accepts[0].connection_limit;
		cli__line(&l, "   connections ");
		put_of(&l, t->connections, limit);
	}
	if (t->suspended != TAILBOX__NONE && t->suspended)
		cli__line(&l, "   suspended %" PRIu64, t->suspended);
	if (t->cpu_ppm != TAILBOX__NONE) {
		cli__line_wrap(&l, out, columns, 16, "          ");
		cli__line(&l, "   CPUs %" PRIu64 ".%02u", t->cpu_ppm / 1000000,
		          (unsigned)(t->cpu_ppm % 1000000 / 10000));
	}
	cli__line_end(&l, out, columns, CLI__TOP_PLAIN, 0);
}

/* --- queues and gauges ---------------------------------------------------- */

static void put_queue(struct cli__line *l, const struct cli__top_queue *q)
{
	cli__line(l, "%s ", q->is_pool ? "pool" : "wait");
	cli__line_text(l, q->name, 24);
	cli__line(l, " %" PRIu64 " waiting", q->waiting);
	if (q->oldest_ns != TAILBOX__NONE) {
		cli__line(l, ", oldest ");
		cli__line_ns(l, 0, q->oldest_ns);
	}
	if (q->is_pool) {
		cli__line(l, ", busy ");
		put_of(l, q->busy, q->capacity);
	}
}

static void put_queues(const struct cli__top *t, unsigned columns,
                       struct cli__top_text *out)
{
	struct cli__line l = { .len = 0 };
	const char *gap = "";

	cli__line(&l, "queues    ");
	for (size_t i = 0; i < t->accept_count; i++, gap = "   ") {
		if (cli__line_wrap(&l, out, columns, 24, "          "))
			gap = "";
		cli__line(&l, "%saccept ", gap);
		put_of(&l, t->accepts[i].now, t->accepts[i].limit);
	}
	for (size_t i = 0; i < t->queue_count; i++, gap = "   ") {
		struct cli__line one = { .len = 0 };
		put_queue(&one, &t->queues[i]);
		if (cli__line_wrap(&l, out, columns,
		                   tailbox__show_columns(one.at, one.len) + 3,
		                   "          "))
			gap = "";
		cli__line(&l, "%s%s", gap, one.at);
	}
	if (*gap)
		cli__line_end(&l, out, columns, CLI__TOP_PLAIN, 0);
	if (!t->gauge_count)
		return;
	l.len = 0;
	cli__line(&l, "gauges    ");
	for (size_t i = 0; i < t->gauge_count; i++) {
		cli__line_wrap(&l, out, columns, 36, "          ");
		cli__line_text(&l, t->gauges[i].name, 24);
		cli__line(&l, " %" PRId64 "   ", t->gauges[i].value);
	}
	cli__line_end(&l, out, columns, CLI__TOP_PLAIN, 0);
}

/* --- workers -------------------------------------------------------------- */

static void put_where(const struct cli__top_where *w, unsigned columns,
                      struct cli__top_text *out, enum cli__top_line kind,
                      size_t item)
{
	struct cli__line l = { .len = 0 };

	if (!w->is_in)
		return;
	cli__line(&l, "           in %s ", w->is_wait ? "wait" : "stage");
	cli__line_text(&l, w->name, 24);
	cli__line(&l, " for ");
	cli__line_ns(&l, 0, w->for_ns);
	if (*w->site) {
		cli__line(&l, "  at ");
		cli__line_text(&l, w->site, 60);
	}
	cli__line_end(&l, out, columns, kind, item);
}

static void put_number(struct cli__line *l, int width, uint64_t n)
{
	if (n == TAILBOX__NONE)
		cli__line(l, "%*s", width, "?");
	else
		cli__line(l, "%*" PRIu64, width, n);
}

static void put_worker(const struct cli__top *t, size_t i, unsigned columns,
                       struct cli__top_text *out)
{
	const struct cli__top_worker *w = &t->workers[i];
	/* What the other columns leave, and a number of 16 digits. */
	const size_t wide = columns > 77 ? columns - 65 : 12;
	struct cli__line l = { .len = 0 };

	if (w->index == UINT32_MAX)
		cli__line(&l, "%6s %8s %c  idle       %9s", "-", "-",
		          w->state ? w->state : '-', "-");
	else if (!*w->held)
		cli__line(&l, "%6" PRIu32 " %8" PRIu32 " %c  idle       ",
		          w->index, w->tid, w->state ? w->state : '-');
	else
		cli__line(&l, "%6" PRIu32 " %8" PRIu32 " %c  %-11s", w->index,
		          w->tid, w->state ? w->state : '-', w->held);
	if (w->index != UINT32_MAX)
		cli__line_ns(&l, 9, *w->held ? w->held_ns : w->idle_ns);
	if (*w->held) {
		put_number(&l, 7, cli__top_behind(w));
		cli__line(&l, "  ");
		cli__line_padded(&l, *w->route ? w->route : "-",
		                 wide > 40 ? 40 : wide);
		if (w->number)
			cli__line(&l, " %" PRIu64, w->number);
	}
	cli__line_end(&l, out, columns, CLI__TOP_WORKER, i);
	put_where(&w->where, columns, out, CLI__TOP_WORKER, i);
}

static bool has(const char *text, const char *filter)
{
	return strcasestr(text, filter) != NULL;
}

static bool shows_worker(const struct cli__top_worker *w, const char *filter)
{
	char tid[16];

	if (!*filter)
		return true;
	snprintf(tid, sizeof(tid), "%" PRIu32, w->tid);
	return has(w->route, filter) || has(w->where.name, filter) ||
	       has(w->where.site, filter) || has(tid, filter);
}

static void put_more(size_t more, const char *what, unsigned columns,
                     struct cli__top_text *out)
{
	struct cli__line l = { .len = 0 };

	if (!more)
		return;
	cli__line(&l, "... and %zu more %s", more, what);
	cli__line_end(&l, out, columns, CLI__TOP_PLAIN, 0);
}

static void put_workers(const struct cli__top *t, const struct cli__top_view *v,
                        struct cli__top_text *out)
{
	struct cli__line l = { .len = 0 };
	size_t shown = 0, more = 0;

	cli__line_end(&l, out, v->columns, CLI__TOP_PLAIN, 0);
	cli__line(&l, "%6s %8s %s %-11s%9s %6s  %s", "WORKER", "TID", "S ",
	          "IN", "FOR", "BEHIND", "ROUTE, REQUEST");
	cli__line_end(&l, out, v->columns, CLI__TOP_TITLE, 0);
	for (size_t i = 0; i < t->worker_count; i++) {
		if (!shows_worker(&t->workers[i], v->filter))
			continue;
		if (v->rows_max && shown >= v->rows_max) {
			more++;
			continue;
		}
		put_worker(t, i, v->columns, out);
		shown++;
	}
	put_more(more, "workers", v->columns, out);
	if (t->worker_count)
		return;
	cli__line(&l, "     -  no thread has recorded");
	cli__line_end(&l, out, v->columns, CLI__TOP_PLAIN, 0);
}

/* --- requests ------------------------------------------------------------- */

static void put_behind(const struct cli__top_request *r, unsigned columns,
                       struct cli__top_text *out, size_t item)
{
	struct cli__line l = { .len = 0 };

	if (!r->behind.number)
		return;
	cli__line(&l, "           %s ",
	          r->behind.is_ingress ? "was read late, behind" : "behind");
	cli__line_text(&l, *r->behind.route ? r->behind.route : "-", 24);
	cli__line(&l, " (%" PRIu64 "), which ", r->behind.number);
	cli__line(&l, r->behind.is_ingress ? "held worker %" PRIu32 " for "
	                                   : "holds worker %" PRIu32 " for ",
	          r->behind.worker);
	cli__line_ns(&l, 0, r->behind.held_ns);
	cli__line_end(&l, out, columns, CLI__TOP_REQUEST, item);
}

static void put_request(const struct cli__top *t, size_t i, unsigned columns,
                        struct cli__top_text *out)
{
	const struct cli__top_request *r = &t->requests[i];
	struct cli__line l = { .len = 0 };
	char phase[40];

	cli__line_ns(&l, 9, r->age_ns);
	cli__line(&l, "  ");
	cli__line_padded(&l, *r->route ? r->route : "-",
	                 columns > 100 ? 40 : 24);
	snprintf(phase, sizeof(phase), "%s", r->phase);
	cli__line(&l, " %-12s ", phase);
	cli__line_ns(&l, 9, r->phase_ns);
	if (r->worker == UINT32_MAX)
		cli__line(&l, " %6s", "-");
	else
		cli__line(&l, " %6" PRIu32, r->worker);
	cli__line(&l, "  ");
	if (*r->id)
		cli__line_text(&l, r->id, columns > 80 ? columns - 66 : 14);
	else
		cli__line(&l, "%" PRIu64, r->number);
	cli__line_end(&l, out, columns, CLI__TOP_REQUEST, i);
	put_where(&r->where, columns, out, CLI__TOP_REQUEST, i);
	put_behind(r, columns, out, i);
}

static bool shows_request(const struct cli__top_request *r, const char *filter)
{
	char number[24];

	if (!*filter)
		return true;
	snprintf(number, sizeof(number), "%" PRIu64, r->number);
	return has(r->route, filter) || has(r->id, filter) ||
	       has(r->phase, filter) || has(r->where.name, filter) ||
	       has(r->where.site, filter) || has(number, filter);
}

static int compare(const struct cli__top *t, enum cli__top_sort sort, size_t a,
                   size_t b)
{
	const struct cli__top_request *x = &t->requests[a];
	const struct cli__top_request *y = &t->requests[b];
	int c = 0;

	if (sort == CLI__TOP_BY_PHASE && x->phase_ns != y->phase_ns)
		return x->phase_ns > y->phase_ns ? -1 : 1;
	if (sort == CLI__TOP_BY_ROUTE)
		c = strcmp(x->route, y->route);
	if (sort == CLI__TOP_BY_WORKER && x->worker != y->worker)
		return x->worker < y->worker ? -1 : 1;
	return c ? c : a < b ? -1 : a > b; /* oldest first */
}

struct order {
	const struct cli__top *t;
	enum cli__top_sort sort;
};

static int by_order(const void *a, const void *b, void *cls)
{
	const struct order *o = cls;

	return compare(o->t, o->sort, *(const size_t *)a, *(const size_t *)b);
}

/* The requests that the filter leaves, sorted. NULL: out of memory. */
static size_t *choose(const struct cli__top *t, const struct cli__top_view *v,
                      size_t *count)
{
	struct order o = { t, v->sort };
	size_t *list = tailbox__alloc(t->request_count + 1, sizeof(*list));

	*count = 0;
	for (size_t i = 0; list && i < t->request_count; i++)
		if (shows_request(&t->requests[i], v->filter))
			list[(*count)++] = i;
	if (list && *count)
		qsort_r(list, *count, sizeof(*list), by_order, &o);
	return list;
}

static void put_requests(const struct cli__top *t,
                         const struct cli__top_view *v,
                         struct cli__top_text *out)
{
	struct cli__line l = { .len = 0 };
	size_t count, *list = choose(t, v, &count);
	const size_t shown =
	        v->rows_max && count > v->rows_max ? v->rows_max : count;

	if (!list) {
		out->has_failed = true;
		return;
	}
	cli__line_end(&l, out, v->columns, CLI__TOP_PLAIN, 0);
	cli__line(&l, "%9s  %-*s %-12s %9s %6s  %s", "OPEN FOR",
	          v->columns > 100 ? 40 : 24, "ROUTE", "PHASE", "FOR",
	          "WORKER", "REQUEST");
	cli__line_end(&l, out, v->columns, CLI__TOP_TITLE, 0);
	for (size_t i = 0; i < shown; i++)
		put_request(t, list[i], v->columns, out);
	put_more(count - shown, "requests", v->columns, out);
	if (!count) {
		cli__line(&l, "        -  %s", t->request_count
		                                       ? "none that the filter "
		                                         "leaves"
		                                       : "none is open");
		cli__line_end(&l, out, v->columns, CLI__TOP_PLAIN, 0);
	}
	tailbox__free(list);
}

void cli__top_render(const struct cli__top *t, const struct cli__top_view *v,
                     struct cli__top_text *out)
{
	put_who(t, v->columns, out);
	put_losses(t, v->columns, out);
	put_tape(t, v->columns, out);
	put_rates(t, v->columns, out);
	put_counts(t, v->columns, out);
	put_queues(t, v->columns, out);
	put_workers(t, v, out);
	put_requests(t, v, out);
}
