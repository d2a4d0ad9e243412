/* core/validate.c - one inspection of a run, for strict and permissive use.
 *
 * SPDX-License-Identifier: MIT
 *
 * spec/run-artifact.md section 9. The inspection never changes the run: it
 * leaves a list of issues, and per event a mask of the codes that exclude it
 * and whether its offsets are cleared. core/normalize.c acts on that.
 *
 * Ids are string numbers of the run, and equal text has equal numbers, so the
 * state of an id is an entry of an array. Whether a text is blank is found
 * once per string, not once per event.
 *
 * The list is never sorted: 9.3 orders it by section, index, code and field,
 * so each event is judged first (struct verdict) and then reported in that
 * order. Only the codes 6 of requests need a look at all requests, which is
 * why those are judged in one pass and reported in a second.
 */
#include "core/validate.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"

#define TOLERANCE_US 2000u

#define BIT(code) (1u << (code))

enum { /* the codes, short */
       VERSION = TAILBOX__ISSUE_UNSUPPORTED_SCHEMA_VERSION,
       BLANK = TAILBOX__ISSUE_EMPTY_REQUIRED_FIELD,
       INVERTED = TAILBOX__ISSUE_INVERTED_INTERVAL,
       PARTIAL = TAILBOX__ISSUE_PARTIAL_RUN_RELATIVE_INTERVAL,
       MISMATCH = TAILBOX__ISSUE_DURATION_MISMATCH,
       DUPLICATE = TAILBOX__ISSUE_DUPLICATE_COMPLETED_REQUEST_ID,
       AMBIGUOUS = TAILBOX__ISSUE_AMBIGUOUS_PARENT_REQUEST_ID,
       ORPHAN = TAILBOX__ISSUE_ORPHAN_REQUEST_SCOPED_EVENT,
       EXCLUDED = TAILBOX__ISSUE_PARENT_REQUEST_EXCLUDED,
       OUTSIDE = TAILBOX__ISSUE_CHILD_INTERVAL_OUTSIDE_REQUEST,
       UNAVAILABLE = TAILBOX__ISSUE_PRECISE_INTERVAL_VALIDATION_UNAVAILABLE,
       WORKERS = TAILBOX__ISSUE_INVALID_WORKER_COUNT
};

/* Required texts in the order of their names, which is the order in which
 * blank ones of one event are reported. */
enum {
	F_GAUGE,
	F_OUTCOME,
	F_QUEUE,
	F_REQUEST_ID,
	F_ROUTE,
	F_RUN_ID,
	F_SERVICE_NAME,
	F_STAGE,
	F_COUNT
};

static const struct {
	const char *name, *blank;
} fields[F_COUNT] = {
	[F_GAUGE] = {"gauge", "the gauge has no name"},
	[F_OUTCOME] = {"outcome", "outcome is blank"},
	[F_QUEUE] = {"queue", "the queue has no name"},
	[F_REQUEST_ID] = {"request_id", "request_id is blank"},
	[F_ROUTE] = {"route", "route is blank"},
	[F_RUN_ID] = {"run_id", "run_id is blank"},
	[F_SERVICE_NAME] = {"service_name", "service_name is blank"},
	[F_STAGE] = {"stage", "the stage has no name"},
};

static const char *const texts[] = {
	[VERSION] = "this schema version is not supported",
	[INVERTED] = "the run offset of the end is before that of the start",
	[PARTIAL] = "only one of the two run offsets is given",
	[MISMATCH] = "duration and run offsets differ by more than 2000 us",
	[DUPLICATE] = "the id is not unique among finished requests",
	[AMBIGUOUS] = "more than one request has the parent's id",
	[ORPHAN] = "no request has this id",
	[EXCLUDED] = "every request with this id was excluded",
	[OUTSIDE] = "the run offsets lie outside those of the request",
	[UNAVAILABLE] = "no run offsets, so exact checks are not possible",
	[WORKERS] = "the worker count must be positive",
};

/* What was found about one event, before it is reported. */
struct verdict {
	uint16_t codes;    /* bit per code, without 3(b) */
	uint16_t excluded; /* those of them that exclude, with 3(b) */
	uint16_t blank;    /* bit per field */
	bool is_wall_inverted;
	bool is_cleared;
};

enum { ID_SEEN = 1, ID_UNIQUE = 2, ID_DUPLICATE = 4 };

struct state {
	const struct tailbox__run *run;
	struct tailbox__inspection *out;
	uint8_t *is_blank; /* per string */
	uint8_t *ids;      /* per string: ID_... */
	uint32_t *parents; /* per string: the request of a unique id */
	bool is_out_of_memory;
};

static void report(struct state *s, unsigned code, unsigned section,
                   uint64_t index, const char *field, const char *text)
{
	struct tailbox__issue *i = tailbox__list_add(&s->out->issues);

	if (!i) {
		s->is_out_of_memory = true;
		return;
	}
	i->code = (uint8_t)code;
	i->section = (uint8_t)section;
	i->is_warning = code == UNAVAILABLE;
	i->index = index;
	i->field = field;
	i->text = text ? text : texts[code];
	s->out->error_count += !i->is_warning;
}

/* Keep what is to be done about an event. It is nothing already: a section
 * without findings stays as it was given, untouched. */
static void dispose(struct state *s, const struct verdict *v, unsigned section,
                    size_t index)
{
	if (v->excluded) {
		s->out->excluded[section][index] = v->excluded;
		s->out->changes++;
	}
	if (v->is_cleared) {
		s->out->cleared[section][index] = 1;
		s->out->changes++;
	}
}

/* Report what was found about one event in the order of 9.3. */
static void report_verdict(struct state *s, const struct verdict *v,
                           unsigned section, size_t index)
{
	if (v->codes == 0 && !v->is_wall_inverted)
		return;
	for (unsigned f = 0; v->blank >> f; f++)
		if (v->blank & BIT(f))
			report(s, BLANK, section, index, fields[f].name,
			       fields[f].blank);
	if (v->codes & BIT(INVERTED))
		report(s, INVERTED, section, index, NULL, NULL);
	if (v->is_wall_inverted)
		report(s, INVERTED, section, index,
		       section == TAILBOX__SECTION_QUEUES
		               ? "waited_until_unix_ms"
		               : "finished_at_unix_ms",
		       "the wall clock time of the end is before the start");
	for (unsigned c = PARTIAL; c <= UNAVAILABLE; c++)
		if (v->codes & BIT(c))
			report(s, c, section, index,
			       c >= DUPLICATE && c <= EXCLUDED ? "request_id"
			                                       : NULL,
			       NULL);
}

/* The code that two offsets and a duration deserve: 3(c), 4, 5, 11 or 0. */
static unsigned judge_offsets(uint32_t flags, uint64_t start, uint64_t end,
                              uint64_t duration)
{
	const uint32_t both = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;

	if ((flags & both) == 0)
		return UNAVAILABLE;
	if ((flags & both) != both)
		return PARTIAL;
	if (end < start)
		return INVERTED;

	uint64_t measured = end - start;
	uint64_t apart =
		measured > duration ? measured - duration : duration - measured;
	return apart > TOLERANCE_US ? MISMATCH : 0;
}

static void judge_blank(const struct state *s, struct verdict *v,
                        tailbox__str text, unsigned field)
{
	if (s->is_blank[text]) {
		v->blank |= BIT(field);
		v->codes |= BIT(BLANK);
		v->excluded |= BIT(BLANK);
	}
}

static void judge_times(struct verdict *v, uint64_t start_ms, uint64_t end_ms,
                        unsigned offsets_code)
{
	if (end_ms < start_ms) {
		v->is_wall_inverted = true;
		v->excluded |= BIT(INVERTED);
	}
	if (offsets_code)
		v->codes |= BIT(offsets_code);
	v->is_cleared = offsets_code && offsets_code != UNAVAILABLE;
}

static struct verdict judge_request(const struct state *s,
                                    const struct tailbox__run_request *r)
{
	struct verdict v = {0};

	judge_blank(s, &v, r->outcome, F_OUTCOME);
	judge_blank(s, &v, r->id, F_REQUEST_ID);
	judge_blank(s, &v, r->route, F_ROUTE);
	judge_times(
		&v, r->start_ms, r->end_ms,
		judge_offsets(r->flags, r->start_us, r->end_us, r->latency_us));
	return v;
}

static void inspect_metadata(struct state *s)
{
	const struct tailbox__run_meta *m = &s->run->meta;
	const unsigned section = TAILBOX__SECTION_METADATA;

	if (s->run->schema_version != 2)
		report(s, VERSION, section, UINT64_MAX, "schema_version", NULL);
	if (s->is_blank[m->run_id])
		report(s, BLANK, section, UINT64_MAX, "run_id",
		       fields[F_RUN_ID].blank);
	if (s->is_blank[m->service_name])
		report(s, BLANK, section, UINT64_MAX, "service_name",
		       fields[F_SERVICE_NAME].blank);
	if (m->finalized_ms != TAILBOX__NONE && m->finalized_ms < m->started_ms)
		report(s, INVERTED, section, UINT64_MAX, "finalized_at_unix_ms",
		       "the run was finalized before it started");
}

/* 9.2 steps 2 to 4. An id is counted only where the request is valid: one
 * valid and one invalid bearer make a unique id. */
static void inspect_requests(struct state *s)
{
	const unsigned section = TAILBOX__SECTION_REQUESTS;
	const size_t n = s->run->requests.count;

	for (size_t i = 0; i < n; i++) {
		const struct tailbox__run_request *r =
			&s->run->requests.items[i];
		const struct verdict v = judge_request(s, r);
		uint8_t *id = &s->ids[r->id];

		*id |= ID_SEEN;
		if (v.excluded)
			continue;
		*id |= *id & ID_UNIQUE ? ID_DUPLICATE : ID_UNIQUE;
		s->parents[r->id] = (uint32_t)i;
	}
	for (size_t i = 0; i < n && !s->is_out_of_memory; i++) {
		const struct tailbox__run_request *r =
			&s->run->requests.items[i];
		struct verdict v = judge_request(s, r);

		if (s->ids[r->id] & ID_DUPLICATE) {
			v.codes |= BIT(DUPLICATE);
			v.excluded |= BIT(DUPLICATE);
		}
		dispose(s, &v, section, i);
		report_verdict(s, &v, section, i);
	}
}

/* Codes 7 to 10 for a child whose own offsets are judged already. */
static unsigned judge_parent(const struct state *s,
                             const struct tailbox__run_span *c,
                             const struct verdict *v)
{
	const uint32_t both = TAILBOX__HAS_START_US | TAILBOX__HAS_END_US;
	const uint8_t id = s->ids[c->request];

	if (id & ID_DUPLICATE)
		return AMBIGUOUS;
	if (!(id & ID_SEEN))
		return ORPHAN;
	if (!(id & ID_UNIQUE))
		return EXCLUDED;

	const uint32_t parent = s->parents[c->request];
	const struct tailbox__run_request *p = &s->run->requests.items[parent];

	if (s->out->cleared[TAILBOX__SECTION_REQUESTS][parent] ||
	    v->is_cleared || (p->flags & c->flags & both) != both)
		return 0;
	return c->start_us < p->start_us || c->end_us > p->end_us ? OUTSIDE : 0;
}

static void inspect_spans(struct state *s, unsigned section,
                          const struct tailbox__run_span *items, size_t n,
                          unsigned name_field)
{
	for (size_t i = 0; i < n && !s->is_out_of_memory; i++) {
		const struct tailbox__run_span *c = &items[i];
		struct verdict v = {0};

		judge_blank(s, &v, c->name, name_field);
		judge_blank(s, &v, c->request, F_REQUEST_ID);
		judge_times(&v, c->start_ms, c->end_ms,
		            judge_offsets(c->flags, c->start_us, c->end_us,
		                          c->dur_us));

		const unsigned code = judge_parent(s, c, &v);

		if (code) {
			v.codes |= BIT(code);
			v.excluded |= BIT(code);
		}
		dispose(s, &v, section, i);
		report_verdict(s, &v, section, i);
	}
}

static void inspect_inflight(struct state *s)
{
	const unsigned section = TAILBOX__SECTION_INFLIGHT;

	for (size_t i = 0; i < s->run->inflight.count; i++) {
		struct verdict v = {0};

		judge_blank(s, &v, s->run->inflight.items[i].gauge, F_GAUGE);
		dispose(s, &v, section, i);
		report_verdict(s, &v, section, i);
	}
}

static void inspect_snapshots(struct state *s)
{
	const unsigned section = TAILBOX__SECTION_SNAPSHOTS;

	for (size_t i = 0; i < s->run->snapshots.count; i++) {
		const struct tailbox__run_snapshot *x =
			&s->run->snapshots.items[i];

		if (!(x->flags & TAILBOX__HAS_WORKERS) || x->worker_count)
			continue;
		s->out->cleared[section][i] = 1;
		s->out->changes++;
		report(s, WORKERS, section, i, "worker_count", NULL);
	}
}

/* Everything that is needed, so that only the issue list grows later. */
static int reserve(struct state *s)
{
	const struct tailbox__run *run = s->run;
	const size_t strings = (size_t)tailbox__run_str_count(run) + 1;
	const size_t counts[TAILBOX__SECTION_COUNT] = {
		[TAILBOX__SECTION_REQUESTS] = run->requests.count,
		[TAILBOX__SECTION_STAGES] = run->stages.count,
		[TAILBOX__SECTION_QUEUES] = run->queues.count,
		[TAILBOX__SECTION_INFLIGHT] = run->inflight.count,
		[TAILBOX__SECTION_SNAPSHOTS] = run->snapshots.count,
	};

	s->is_blank = tailbox__alloc(strings, sizeof(*s->is_blank));
	s->ids = tailbox__zalloc(strings, sizeof(*s->ids));
	s->parents = tailbox__alloc(strings, sizeof(*s->parents));
	if (!s->is_blank || !s->ids || !s->parents)
		return -1;
	for (unsigned c = 0; c < TAILBOX__SECTION_COUNT; c++) {
		if (counts[c] == 0)
			continue;
		if (c != TAILBOX__SECTION_SNAPSHOTS) {
			s->out->excluded[c] = tailbox__zalloc(
				counts[c], sizeof(*s->out->excluded[c]));
			if (!s->out->excluded[c])
				return -1;
		}
		if (c == TAILBOX__SECTION_INFLIGHT)
			continue;
		s->out->cleared[c] = tailbox__zalloc(counts[c], 1);
		if (!s->out->cleared[c])
			return -1;
	}
	/* String 0 is "none"; where text is required that is blank too. */
	for (size_t i = 0; i < strings; i++) {
		size_t len;
		const char *text =
			tailbox__run_text(run, (tailbox__str)i, &len);

		/* Most begin with a letter, a digit or a slash. Where char has
		 * no sign, the first byte of a wide space is above them. */
		s->is_blank[i] = !(len > 0 && *text > ' ' && *text <= '~') &&
		                 tailbox__is_blank(text, len);
	}
	return 0;
}

int tailbox__inspect(const struct tailbox__run *run,
                     struct tailbox__inspection *out)
{
	struct state s = {.run = run, .out = out};

	memset(out, 0, sizeof(*out));
	s.is_out_of_memory = reserve(&s) != 0;
	if (!s.is_out_of_memory) {
		inspect_metadata(&s);
		inspect_requests(&s);
		inspect_spans(&s, TAILBOX__SECTION_STAGES, run->stages.items,
		              run->stages.count, F_STAGE);
		inspect_spans(&s, TAILBOX__SECTION_QUEUES, run->queues.items,
		              run->queues.count, F_QUEUE);
		inspect_inflight(&s);
		inspect_snapshots(&s);
	}
	tailbox__free(s.parents);
	tailbox__free(s.ids);
	tailbox__free(s.is_blank);
	if (!s.is_out_of_memory)
		return 0;
	tailbox__inspection_fini(out);
	return -ENOMEM;
}

void tailbox__inspection_fini(struct tailbox__inspection *in)
{
	for (unsigned c = 0; c < TAILBOX__SECTION_COUNT; c++) {
		tailbox__free(in->excluded[c]);
		tailbox__free(in->cleared[c]);
	}
	tailbox__free(in->issues.items);
	memset(in, 0, sizeof(*in));
}
