/* cli/top_detail.c - everything that a frame holds of one worker or request.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/symbols.h"
#include "analyzer/timeline_text.h"
#include "cli/top_lines.h"

struct sheet {
	struct cli__line l;
	struct cli__top_text *out;
	unsigned columns;
};

static void end(struct sheet *s, enum cli__top_line kind)
{
	cli__line_end(&s->l, s->out, s->columns, kind, 0);
}

static void label(struct sheet *s, const char *name)
{
	cli__line(&s->l, "%-14s", name);
}

static void put_text(struct sheet *s, const char *name, const char *text)
{
	if (!*text)
		return;
	label(s, name);
	cli__line_text(&s->l, text, s->columns);
	end(s, CLI__TOP_PLAIN);
}

static void put_ns(struct sheet *s, const char *name, uint64_t ns)
{
	if (ns == TAILBOX__NONE)
		return;
	label(s, name);
	cli__line_ns(&s->l, 9, ns);
	end(s, CLI__TOP_PLAIN);
}

static void put_number(struct sheet *s, const char *name, uint64_t n)
{
	label(s, name);
	if (n == TAILBOX__NONE)
		cli__line(&s->l, "not known");
	else
		cli__line(&s->l, "%" PRIu64, n);
	end(s, CLI__TOP_PLAIN);
}

static void put_where(struct sheet *s, const struct cli__top_where *w)
{
	if (!w->is_in)
		return;
	label(s, w->is_wait ? "in wait" : "in stage");
	cli__line_text(&s->l, w->name, 48);
	cli__line(&s->l, " for ");
	cli__line_ns(&s->l, 0, w->for_ns);
	end(s, CLI__TOP_PLAIN);
	put_text(s, "at", w->site);
}

static void put_stack(struct sheet *s, const struct cli__top_worker *w)
{
	char text[TAILBOX__FRAME_ROOM];

	if (!w->stack_count)
		return;
	end(s, CLI__TOP_PLAIN);
	cli__line(&s->l, "STACK, ");
	cli__line_ns(&s->l, 0, w->stack_ns);
	cli__line(&s->l, " ago");
	end(s, CLI__TOP_TITLE);
	for (unsigned i = 0; i < w->stack_count; i++) {
		const struct cli__top_frame *f = &w->stack[i];
		tailbox__frame_text(text, sizeof(text), f->module, f->build_id,
		                    f->address, f->function,
		                    f->function_offset, f->is_guessed);
		cli__line_text(&s->l, text, s->columns);
		end(s, CLI__TOP_PLAIN);
	}
}

void cli__top_render_worker(const struct cli__top *t,
                            const struct cli__top_worker *w, unsigned columns,
                            struct cli__top_text *out)
{
	struct sheet s = { .out = out, .columns = columns };
	const char state[2] = { w->state, '\0' };

	if (w->index == UINT32_MAX)
		cli__line(&s.l, "WORKER that never ran a callback");
	else
		cli__line(&s.l, "WORKER %" PRIu32 "  tid %" PRIu32, w->index,
		          w->tid);
	end(&s, CLI__TOP_TITLE);
	if (w->daemon)
		put_number(&s, "daemon", w->daemon);
	else
		put_text(&s, "of", "the application");
	put_text(&s, "held by", w->held);
	put_ns(&s, "held for", *w->held ? w->held_ns : TAILBOX__NONE);
	put_ns(&s, "idle for", w->idle_ns);
	put_text(&s, "route", w->route);
	if (w->number)
		put_number(&s, "request", w->number);
	put_where(&s, &w->where);
	put_number(&s, "behind it", cli__top_behind(w));
	put_number(&s, "finished", w->finished);
	put_number(&s, "connections", w->connections);
	put_text(&s, "kernel state", state);
	put_text(&s, "sleeps in", w->wchan);
	put_ns(&s, "sampled", t->sample_age_ns);
	put_stack(&s, w);
	end(&s, CLI__TOP_PLAIN);
	cli__line(&s.l, "OPEN REQUESTS ON IT");
	end(&s, CLI__TOP_TITLE);
	for (size_t i = 0; i < t->request_count; i++) {
		const struct cli__top_request *r = &t->requests[i];
		if (r->worker != w->index)
			continue;
		cli__line_ns(&s.l, 9, r->age_ns);
		cli__line(&s.l, "  ");
		cli__line_padded(&s.l, r->route, 24);
		cli__line(&s.l, " %-12s %" PRIu64, r->phase, r->number);
		end(&s, CLI__TOP_PLAIN);
	}
}

static void put_phases(struct sheet *s, const struct cli__top_request *r)
{
	end(s, CLI__TOP_PLAIN);
	cli__line(&s->l, "PHASES, the present one so far");
	end(s, CLI__TOP_TITLE);
	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++)
		put_ns(s, tailbox__phase_names[i], r->phases_ns[i]);
}

void cli__top_render_request(const struct cli__top *t,
                             const struct cli__top_request *r,
                             unsigned columns, struct cli__top_text *out)
{
	struct sheet s = { .out = out, .columns = columns };
	char text[TAILBOX__SHOW_ROOM], trace[40];

	(void)t;
	cli__line(&s.l, "REQUEST %" PRIu64, r->number);
	end(&s, CLI__TOP_TITLE);
	put_text(&s, "id", r->id);
	if (r->trace_hi | r->trace_lo) {
		snprintf(trace, sizeof(trace), "%016" PRIx64 "%016" PRIx64,
		         r->trace_hi, r->trace_lo);
		put_text(&s, "trace", trace);
	}
	put_text(&s, "route", r->route);
	put_text(&s, "kind", r->kind);
	label(&s, "since");
	cli__line(&s.l, "%s UTC", tailbox__show_clock_ms(text, r->since_ms));
	end(&s, CLI__TOP_PLAIN);
	put_ns(&s, "open for", r->age_ns);
	put_text(&s, "phase", r->phase);
	put_ns(&s, "for", r->phase_ns);
	if (r->is_suspended)
		put_text(&s, "suspended", "yes");
	put_where(&s, &r->where);
	if (r->behind.number) {
		label(&s, r->behind.is_ingress ? "was behind" : "behind");
		cli__line_text(&s.l, r->behind.route, 40);
		cli__line(&s.l, " (%" PRIu64 "), ", r->behind.number);
		cli__line_ns(&s.l, 0, r->behind.held_ns);
		end(&s, CLI__TOP_PLAIN);
	}
	if (r->worker != UINT32_MAX)
		put_number(&s, "worker", r->worker);
	if (r->connection)
		put_number(&s, "connection", r->connection);
	put_number(&s, "handler calls", r->calls);
	put_number(&s, "bytes in", r->bytes_in);
	put_number(&s, "bytes out", r->bytes_out);
	for (unsigned i = 0; i < r->tag_count; i++)
		put_text(&s, r->tags[i].key, r->tags[i].value);
	put_phases(&s, r);
}
