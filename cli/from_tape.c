/* cli/from_tape.c - what a tape shows of its process.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nothing here asks the process for anything: it may be stopped, hung in its
 * admin thread, or dead for a week. How long something lasts is told up to
 * now where the process still is, else up to the last sign of life on the
 * tape.
 */
#include "cli/from_tape.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/cover.h"
#include "core/run.h"

#define COUNTER(field) offsetof(struct tailbox__thread_entry, field)

uint64_t cli__tape_start(const struct tailbox__slot *s)
{
	uint64_t line = TAILBOX__GET(s->line), wait = tailbox__slot_ingress(s);

	return line > wait ? line - wait : line;
}

uint64_t cli__tape_age_ns(const struct cli__tape_view *v, uint64_t tick)
{
	if (!tick || tick > v->now)
		return 0;
	return tailbox__ticks_to_ns(tailbox__reader_scale(v->reader),
	                            v->now - tick);
}

/* --- the view ------------------------------------------------------------- */

static int by_age(const void *a, const void *b)
{
	const struct tailbox__slot *x = *(const struct tailbox__slot *const *)a;
	const struct tailbox__slot *y = *(const struct tailbox__slot *const *)b;
	uint64_t s = cli__tape_start(x), t = cli__tape_start(y);

	return s < t ? -1 : s > t;
}

static bool collect_open(struct cli__tape_view *v)
{
	v->open = tailbox__alloc((size_t)v->slot_count, sizeof(*v->open));
	if (!v->open)
		return false;
	for (long i = 0; i < v->slot_count; i++)
		if (TAILBOX__GET(v->slots[i].state) == TAILBOX__SLOT_OPEN)
			v->open[v->open_count++] = &v->slots[i];
	if (v->open_count)
		qsort(v->open, v->open_count, sizeof(*v->open), by_age);
	return true;
}

bool cli__tape_view_open(struct cli__tape_view *v, const char *path)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	memset(v, 0, sizeof(*v));
	if (tailbox__reader_open(path, &v->reader, &err) < 0) {
		cli__say("%s: %s", path, err.text);
		return false;
	}
	v->writer = tailbox__reader_writer(v->reader);
	v->slot_count = tailbox__reader_slots(v->reader, &v->slots);
	v->thread_count = tailbox__reader_threads(v->reader, &v->threads);
	if (v->slot_count < 0 || v->thread_count < 0 || !collect_open(v)) {
		cli__say("%s: cannot read it whole", path);
		cli__tape_view_close(v);
		return false;
	}
	if (v->writer == TAILBOX__WRITER_LIVE ||
	    v->writer == TAILBOX__WRITER_STOPPED)
	{
		v->now = tailbox__reader_now(v->reader);
		v->pid = tailbox__reader_writer_pid(v->reader);
	}
	v->is_now_exact = v->now != 0;
	if (!v->now)
		v->now = tailbox__reader_last_sign(v->reader);
	return true;
}

void cli__tape_view_close(struct cli__tape_view *v)
{
	tailbox__free(v->open);
	tailbox__reader_close(v->reader);
	memset(v, 0, sizeof(*v));
}

/* --- its parts ------------------------------------------------------------ */

const struct cli__tape_loss cli__tape_losses[] = {
	{ "lost_requests", "requests (no block was free)", false,
	  COUNTER(lost_requests) },
	{ "lost_spans", "stages or waits (no block was free)", false,
	  COUNTER(lost_spans) },
	{ "lost_holds", "holds (no block was free)", false,
	  COUNTER(lost_holds) },
	{ "late_spans", "stages or waits that outlived their request", false,
	  COUNTER(late_spans) },
	{ "lost_tags", "tags", false, COUNTER(lost_tags) },
	{ "lost_names", "names, shown as {other}", true, TAILBOX__LOSS_NAMES },
	{ "lost_threads", "requests on threads without an entry", true,
	  TAILBOX__LOSS_THREADS },
	{ "lost_slots", "requests or connections without a slot", true,
	  TAILBOX__LOSS_SLOTS },
	{ "lost_connections", "connections beyond the table", true,
	  TAILBOX__LOSS_CONNECTIONS },
	{ "clock_steps", "jumps of the clock: times across one are wrong", true,
	  TAILBOX__LOSS_CLOCK_STEPS },
	{ NULL, NULL, false, 0 }
};

uint64_t cli__tape_lost(struct cli__tape_view *v,
                        const struct cli__tape_loss *l)
{
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(v->reader);

	return l->is_header
	               ? TAILBOX__GET(h->losses[l->at])
	               : tailbox__reader_sum(v->reader, l->at);
}

const char *cli__tape_hold(uint32_t kind)
{
	static const char *const names[] = { "idle", "handler", "uri log",
	                                     "completed", "connection",
	                                     "reader" };

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}

const struct tailbox__slot *
cli__tape_held(const struct cli__tape_view *v,
               const struct tailbox__thread_entry *t)
{
	uint32_t i = TAILBOX__GET(t->hold_slot);

	if (!TAILBOX__GET(t->hold_since) || (long)i >= v->slot_count ||
	    TAILBOX__GET(v->slots[i].state) != TAILBOX__SLOT_OPEN)
		return NULL;
	return &v->slots[i];
}

bool cli__tape_task(const struct cli__tape_view *v,
                    const struct tailbox__thread_entry *t,
                    struct tailbox__task *out)
{
	static const char elsewhere[] =
	        "its threads have other numbers in this pid namespace";
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(v->reader);
	const uint64_t since = TAILBOX__GET(t->hold_since);

	if (v->pid == 0 || since == 0 ||
	    cli__tape_age_ns(v, since) / 1000 < h->jiffy_us)
		return false;
	if (v->pid == h->pid) {
		tailbox__task_look(v->pid, TAILBOX__GET(t->tid), out);
		return true;
	}
	memset(out, 0, sizeof(*out));
	out->syscall_why = out->wchan_why = elsewhere;
	return true;
}

const char *cli__tape_phase(uint32_t phase)
{
	return phase < TAILBOX__PHASE_COUNT ? tailbox__phase_names[phase] : "?";
}
