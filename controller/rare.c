/* controller/rare.c - slow, failed and cancelled requests, kept apart.
 *
 * SPDX-License-Identifier: MIT
 *
 * The tape forgets the oldest first, and a flood of fast requests makes that
 * soon. What matters later is copied into a section of its own: the follower
 * notes such requests in the pass in which it reads them anyway, and when the
 * pass is over looks for their stages and waits and puts both into the ring.
 *
 * Their spans were read before them, in any of the passes while they ran, and
 * may be many: so nothing of that is remembered, but the blocks are read once
 * more, for all that were noted at once. That may take milliseconds when they
 * ran for long. So after a look it waits 19 times as long as the look took:
 * it takes no more than a twentieth of a CPU, and what was noted meanwhile is
 * still in the blocks. More than fit in here until then are passed over, and
 * counted.
 *
 * All but the threshold is guarded by follow_lock.
 */
#include <stdatomic.h>
#include <string.h>

#include "controller/internal.h"
#include "core/kept.h"
#include "core/recorder.h"

enum {
	NOTES_MAX = 64,
	REST = 19, /* times what a look took */
	WORDS = 16 /* of 64 bits: a bit per noted number, about */
};

struct note {
	uint64_t number, start, end;
	struct tailbox__kept_request kept; /* its pointers are set at the end */
	char records[64 * TAILBOX__KEPT_UNITS_MAX];
	struct tailbox__rec_span spans[TAILBOX__KEPT_SPANS_MAX];
};

static _Atomic uint64_t slow_ms; /* relaxed: a number and nothing else */

static struct {
	uint64_t ticks;   /* of this pass; UINT64_MAX = off */
	uint64_t look_ns; /* not before */
	unsigned count;
	struct note notes[NOTES_MAX];
	uint64_t numbers[WORDS];
} state;

void tailbox__rare_set(uint64_t ms)
{
	atomic_store_explicit(&slow_ms, ms, memory_order_relaxed);
}

void tailbox__rare_open(void)
{
	state.count = 0;
	state.look_ns = 0;
	memset(state.numbers, 0, sizeof(state.numbers));
}

uint64_t tailbox__rare_begin(void)
{
	struct tailbox__rare *rare = tailbox__recorder.tape.rare;
	const uint64_t ms =
	        atomic_load_explicit(&slow_ms, memory_order_relaxed);

	/* A tick less than none is none that is slow. */
	state.ticks = rare && ms ? tailbox__us_to_ticks(ms * 1000)
	                         : UINT64_MAX;
	if (rare && tailbox__recorder_is_on() &&
	    TAILBOX__GET(rare->slow) != (ms ? state.ticks : 0))
		TAILBOX__SET(rare->slow, ms ? state.ticks : 0);
	return state.ticks;
}

/* --- noting --------------------------------------------------------------- */

static uint64_t *word_of(uint64_t number, uint64_t *bit)
{
	const uint64_t h = number * 0x9e3779b97f4a7c15u >> 54; /* 10 bits */

	*bit = (uint64_t)1 << h % 64;
	return &state.numbers[h / 64];
}

static uint32_t why_of(const struct tailbox__rec_request *q, uint64_t ticks)
{
	/* Given up by the application, too: nobody says how it ended. */
	const bool is_cancelled =
	        q->outcome ? q->outcome == TAILBOX__NAME_CANCELLED
	                   : q->termination >= TAILBOX__TERM_DAEMON_SHUTDOWN ||
	                             (q->termination == TAILBOX__TERM_UNKNOWN &&
	                              !q->status);

	return (ticks >= state.ticks ? TAILBOX__RARE_SLOW : 0) |
	       (tailbox__request_is_failed(q) ? TAILBOX__RARE_FAILED : 0) |
	       (is_cancelled ? TAILBOX__RARE_CANCELLED : 0);
}

/* Ticks that it waited before its line. */
static uint64_t ingress_of(const struct tailbox__rec_request *q,
                           const char *records, size_t bytes)
{
	for (size_t at = 64; at + 64 <= bytes && at <= q->more * 64u;
	     at += 64) {
		struct tailbox__rec_more m;
		memcpy(&m, records + at, sizeof(m));
		if (m.type == TAILBOX__REC_MORE)
			return tailbox__unpack(m.ingress);
	}
	return 0;
}

void tailbox__rare_note(const char *records, size_t bytes)
{
	struct tailbox__rare *rare = tailbox__recorder.tape.rare;
	struct tailbox__rec_request q;

	memcpy(&q, records, sizeof(q));
	const uint64_t total = tailbox__unpack(q.total);
	const uint64_t ingress = ingress_of(&q, records, bytes);
	const uint32_t why = why_of(&q, total + ingress);
	size_t size = ((size_t)q.more + 1) * 64;

	if (!rare || !why || size > bytes ||
	    size > sizeof(state.notes[0].records))
		return;
	if (state.count == NOTES_MAX) {
		TAILBOX__ADD(rare->passed_over, 1);
		return;
	}
	struct note *n = &state.notes[state.count++];
	uint64_t bit;
	n->number = q.number;
	n->start = q.line - (ingress < q.line ? ingress : q.line);
	n->end = q.line + total;
	n->kept = (struct tailbox__kept_request){ .why = why,
		                                  .record_bytes = size };
	memcpy(n->records, records, size);
	*word_of(q.number, &bit) |= bit;
}

/* --- spans ---------------------------------------------------------------- */

/* One too many: the longest stay, for they tell where the time went. */
static void put_longest(struct note *n, const struct tailbox__rec_span *s)
{
	struct tailbox__rec_span *shortest = &n->spans[0];

	n->kept.cut_spans++;
	for (size_t i = 1; i < TAILBOX__KEPT_SPANS_MAX; i++)
		if (tailbox__unpack(n->spans[i].dur) <
		    tailbox__unpack(shortest->dur))
			shortest = &n->spans[i];
	if (tailbox__unpack(s->dur) > tailbox__unpack(shortest->dur))
		*shortest = *s;
}

static void put_span(const struct tailbox__rec_span *s)
{
	for (unsigned i = 0; i < state.count; i++) {
		struct note *n = &state.notes[i];
		if (n->number != s->number)
			continue;
		/* Late, as it will be to a run. */
		if (s->start < n->start ||
		    s->start + tailbox__unpack(s->dur) > n->end)
			return;
		if (n->kept.span_count < TAILBOX__KEPT_SPANS_MAX)
			n->spans[n->kept.span_count++] = *s;
		else
			put_longest(n, s);
		return;
	}
}

static int take_spans(void *cls, unsigned kind, uint32_t thread,
                      const char *records, size_t bytes)
{
	struct tailbox__rec_span s;

	(void)cls, (void)kind, (void)thread;
	for (size_t at = 0; at + sizeof(s) <= bytes; at += sizeof(s)) {
		uint64_t bit;
		memcpy(&s, records + at, sizeof(s));
		if (!(*word_of(s.number, &bit) & bit))
			continue;
		if (s.type == TAILBOX__SPAN_STAGE ||
		    s.type == TAILBOX__SPAN_WAIT)
			put_span(&s);
	}
	return 0;
}

/* --- keeping -------------------------------------------------------------- */

static void look(struct tailbox__reader *r)
{
	uint64_t from = UINT64_MAX, to = 0, whole_from;

	for (unsigned i = 0; i < state.count; i++) {
		const struct note *n = &state.notes[i];
		from = n->start < from ? n->start : from;
		to = n->end > to ? n->end : to;
	}
	/* What cannot be read is left out: the requests are here. */
	(void)tailbox__reader_spans(r, from, to, take_spans, NULL, &whole_from);
	for (unsigned i = 0; i < state.count; i++)
		if (state.notes[i].start < whole_from)
			state.notes[i].kept.why |= TAILBOX__RARE_INCOMPLETE;
}

void tailbox__rare_end(struct tailbox__reader *r, bool is_last)
{
	const uint64_t before = tailbox__mono_ns();

	/* While recording is off nothing is written, and nothing forgotten. */
	if (!state.count || !tailbox__recorder_is_on() ||
	    (before < state.look_ns && !is_last))
		return;
	look(r);
	for (unsigned i = 0; i < state.count; i++) {
		struct note *n = &state.notes[i];
		n->kept.records = n->records;
		n->kept.spans = n->spans;
		tailbox__kept_put(&tailbox__recorder.tape, &n->kept);
	}
	tailbox__rare_open();
	const uint64_t now = tailbox__mono_ns();
	state.look_ns = now + REST * (now - before);
}
