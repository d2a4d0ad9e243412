/* core/run_json_ext.c - the `tailbox` members of Run JSON.
 *
 * SPDX-License-Identifier: MIT
 *
 * The rule for all of them: what is not known is left out. A reader thus may
 * take each key that is there as measured.
 */
#include "core/run_json_out.h"

#include "core/metrics.h"

#define NS_PER_US 1000u

static void begin_ext(struct tailbox__json *j)
{
	tailbox__json_key(j, "tailbox");
	tailbox__json_begin_object(j);
}

/* A number that is left out when it has the value for "not known". */
static void num_unless(struct tailbox__json *j, const char *key,
                       uint64_t value, uint64_t unknown)
{
	if (value != unknown)
		tailbox__run_json_num(j, key, value);
}

static void str_if_any(struct tailbox__json *j, const struct tailbox__run *run,
                       const char *key, tailbox__str s)
{
	if (s)
		tailbox__run_json_str(j, run, key, s);
}

static void flag_if_set(struct tailbox__json *j, const char *key, bool value)
{
	if (!value)
		return;
	tailbox__json_key(j, key);
	tailbox__json_bool(j, true);
}

/* Left out when all bytes are 0; gives whether it was written. */
static bool hex_if_any(struct tailbox__json *j, const char *key,
                       const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	char text[32];
	uint8_t any = 0;

	for (size_t i = 0; i < count; i++) {
		any |= bytes[i];
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	if (!any)
		return false;
	tailbox__json_key(j, key);
	tailbox__json_string(j, text, 2 * count);
	return true;
}

static void put_phases(struct tailbox__json *j,
                       const struct tailbox__run_ext *e)
{
	bool is_open = false;

	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++) {
		if (e->phase_ns[i] == TAILBOX__NONE)
			continue;
		if (!is_open) {
			tailbox__json_key(j, "phases_us");
			tailbox__json_begin_object(j);
			is_open = true;
		}
		tailbox__run_json_num(j, tailbox__phase_names[i],
		                      e->phase_ns[i] / NS_PER_US);
	}
	if (is_open)
		tailbox__json_end_object(j);
}

static void put_holder(struct tailbox__json *j, const struct tailbox__run *run,
                       const struct tailbox__run_ext *e)
{
	if (!e->holder_number && !e->holder_route)
		return;
	tailbox__json_key(j, "held_by");
	tailbox__json_begin_object(j);
	num_unless(j, "number", e->holder_number, 0);
	str_if_any(j, run, "route", e->holder_route);
	tailbox__run_json_num(j, "held_us", e->holder_ns / NS_PER_US);
	tailbox__json_end_object(j);
}

/* Whether tag i counts: complete, and the first of its key (a JSON object
 * must not name a key twice). */
static bool has_tag(const struct tailbox__run_ext *e, unsigned i)
{
	if (!e->tag_key[i] || !e->tag_value[i])
		return false;
	for (unsigned k = 0; k < i; k++)
		if (e->tag_key[k] == e->tag_key[i] && e->tag_value[k])
			return false;
	return true;
}

static void put_tags(struct tailbox__json *j, const struct tailbox__run *run,
                     const struct tailbox__run_ext *e)
{
	bool is_open = false;

	for (unsigned i = 0; i < sizeof(e->tag_key) / sizeof(e->tag_key[0]);
	     i++) {
		if (!has_tag(e, i))
			continue;
		if (!is_open) {
			tailbox__json_key(j, "tags");
			tailbox__json_begin_object(j);
			is_open = true;
		}
		size_t len, value_len;
		const char *key = tailbox__run_text(run, e->tag_key[i], &len);
		const char *value =
		        tailbox__run_text(run, e->tag_value[i], &value_len);
		tailbox__json_key_len(j, key, len);
		tailbox__json_string(j, value, value_len);
	}
	if (is_open)
		tailbox__json_end_object(j);
}

static void put_trace(struct tailbox__json *j,
                      const struct tailbox__run_ext *e)
{
	bool has_trace = hex_if_any(j, "trace_id", e->trace_id,
	                            sizeof(e->trace_id));
	hex_if_any(j, "parent_id", e->parent_id, sizeof(e->parent_id));
	if (has_trace)
		tailbox__run_json_num(j, "trace_flags", e->trace_flags);
}

void tailbox__run_json_request_facts(struct tailbox__json *j,
                                     const struct tailbox__run *run,
                                     const struct tailbox__run_ext *e)
{
	num_unless(j, "status", e->status, 0);
	num_unless(j, "bytes_in", e->bytes_in, TAILBOX__NONE);
	num_unless(j, "bytes_out", e->bytes_out, TAILBOX__NONE);
	num_unless(j, "worker", e->worker, UINT32_MAX);
	num_unless(j, "connection_id", e->connection, 0);
	if (e->termination != TAILBOX__TERM_UNKNOWN &&
	    e->termination < TAILBOX__TERM_COUNT) {
		tailbox__json_key(j, "termination");
		tailbox__json_cstr(j, tailbox__term_names[e->termination]);
	}
	put_phases(j, e);
	if (e->reader_ns != TAILBOX__NONE)
		tailbox__run_json_num(j, "reader_us", e->reader_ns / NS_PER_US);
	put_trace(j, e);
	num_unless(j, "number", e->number, 0);
	num_unless(j, "daemon", e->daemon, 0);
	num_unless(j, "handler_calls", e->handler_calls, 0);
	flag_if_set(j, "no_handler", e->ext_flags & TAILBOX__EXT_NO_HANDLER);
	flag_if_set(j, "upgraded", e->ext_flags & TAILBOX__EXT_UPGRADED);
	flag_if_set(j, "body_discarded",
	            e->ext_flags & TAILBOX__EXT_BODY_DISCARDED);
	put_holder(j, run, e);
	put_tags(j, run, e);
}

void tailbox__run_json_request_ext(struct tailbox__json *j,
                                   const struct tailbox__run *run,
                                   const struct tailbox__run_request *r)
{
	if (!r->ext || r->ext > run->ext.count)
		return;
	begin_ext(j);
	tailbox__run_json_request_facts(j, run, &run->ext.items[r->ext - 1]);
	tailbox__json_end_object(j);
}

void tailbox__run_json_span_ext(struct tailbox__json *j,
                                const struct tailbox__run *run,
                                const struct tailbox__run_span *s)
{
	if (!s->site)
		return;
	begin_ext(j);
	tailbox__run_json_str(j, run, "site", s->site);
	tailbox__json_end_object(j);
}

/* A metric whose value does not fit its kind is not known. */
static bool is_shown(const struct tailbox__run_value *v)
{
	if (v->metric >= TAILBOX__METRIC_COUNT)
		return false;
	if (v->metric == TAILBOX__METRIC_WORKER_STATE)
		return v->value > ' ' && v->value < 0x7f;
	if (tailbox__metric_is_name(v->metric))
		return v->value > 0 && v->value <= UINT32_MAX;
	return true;
}

static void put_value(struct tailbox__json *j, const struct tailbox__run *run,
                      const struct tailbox__run_value *v)
{
	const char *key = tailbox__metric_info[v->metric].key;

	if (v->metric == TAILBOX__METRIC_WORKER_STATE) {
		char letter = (char)v->value;
		tailbox__json_key(j, key);
		tailbox__json_string(j, &letter, 1);
	} else if (tailbox__metric_is_name(v->metric)) {
		tailbox__run_json_str(j, run, key, (tailbox__str)v->value);
	} else {
		tailbox__run_json_num(j, key, v->value);
	}
}

static void put_subject(struct tailbox__json *j, const struct tailbox__run *run,
                        enum tailbox__scope scope, uint32_t subject)
{
	switch (scope) {
	case TAILBOX__SCOPE_WORKER:
		tailbox__run_json_num(j, "worker", subject);
		break;
	case TAILBOX__SCOPE_DAEMON:
		tailbox__run_json_num(j, "daemon", subject);
		break;
	case TAILBOX__SCOPE_POOL:
		tailbox__run_json_str(j, run, "name", subject);
		break;
	case TAILBOX__SCOPE_MACHINE:
		break;
	}
}

/* One array of objects, one object per subject; nothing without values. */
static void put_scope(struct tailbox__json *j, const struct tailbox__run *run,
                      const struct tailbox__run_value *values, size_t count,
                      enum tailbox__scope scope, const char *key)
{
	const struct tailbox__run_value *last = NULL;

	for (const struct tailbox__run_value *v = values; v < values + count;
	     v++) {
		if (!is_shown(v) ||
		    tailbox__metric_info[v->metric].scope != scope)
			continue;
		if (!last) {
			tailbox__json_key(j, key);
			tailbox__json_begin_array(j);
		}
		if (!last || last->subject != v->subject) {
			if (last)
				tailbox__json_end_object(j);
			tailbox__json_begin_object(j);
			put_subject(j, run, scope, v->subject);
		}
		put_value(j, run, v);
		last = v;
	}
	if (!last)
		return;
	tailbox__json_end_object(j);
	tailbox__json_end_array(j);
}

void tailbox__run_json_snapshot_ext(struct tailbox__json *j,
                                    const struct tailbox__run *run,
                                    const struct tailbox__run_value *values,
                                    size_t count)
{
	if (!count)
		return;
	begin_ext(j);
	for (size_t i = 0; i < count; i++)
		if (is_shown(&values[i]) &&
		    tailbox__metric_info[values[i].metric].scope ==
		            TAILBOX__SCOPE_MACHINE)
			put_value(j, run, &values[i]);
	put_scope(j, run, values, count, TAILBOX__SCOPE_DAEMON, "daemons");
	put_scope(j, run, values, count, TAILBOX__SCOPE_WORKER, "workers");
	put_scope(j, run, values, count, TAILBOX__SCOPE_POOL, "pools");
	tailbox__json_end_object(j);
}

void tailbox__run_json_open_request(struct tailbox__json *j,
                            const struct tailbox__run *run,
                            const struct tailbox__run_open *o)
{
	tailbox__json_begin_object(j);
	tailbox__run_json_str(j, run, "request_id", o->id);
	tailbox__run_json_str(j, run, "route", o->route);
	num_unless(j, "started_at_run_us", o->start_us, TAILBOX__NONE);
	num_unless(j, "number", o->number, 0);
	if (o->phase < TAILBOX__PHASE_COUNT) {
		tailbox__json_key(j, "phase");
		tailbox__json_cstr(j, tailbox__phase_names[o->phase]);
	}
	if (o->flags & TAILBOX__OPEN_HAS_PHASE_SINCE)
		tailbox__run_json_num(j, "phase_since_run_us",
		                      o->phase_since_us);
	num_unless(j, "since_run_us", o->since_us, TAILBOX__NONE);
	str_if_any(j, run, "in", o->where);
	if (o->where_kind != TAILBOX__OPEN_IN_UNKNOWN) {
		tailbox__json_key(j, "in_kind");
		tailbox__json_cstr(j, tailbox__open_in_names[o->where_kind]);
	}
	str_if_any(j, run, "site", o->site);
	num_unless(j, "worker", o->worker, UINT32_MAX);
	if (o->flags & TAILBOX__OPEN_HOLDS_WORKER) {
		tailbox__json_key(j, "holds_worker");
		tailbox__json_bool(j, true);
	}
	num_unless(j, "connection_id", o->connection, 0);
	tailbox__json_end_object(j);
}

void tailbox__run_json_hold(struct tailbox__json *j,
                            const struct tailbox__run *run,
                            const struct tailbox__run_hold *h)
{
	tailbox__json_begin_object(j);
	num_unless(j, "worker", h->worker, UINT32_MAX);
	if (h->kind && h->kind < TAILBOX__HOLD_KINDS) {
		tailbox__json_key(j, "kind");
		tailbox__json_cstr(j, tailbox__hold_names[h->kind]);
	}
	str_if_any(j, run, "request_id", h->request);
	num_unless(j, "number", h->number, 0);
	str_if_any(j, run, "route", h->route);
	num_unless(j, "started_at_run_us", h->start_us, TAILBOX__NONE);
	num_unless(j, "held_us", h->dur_us, TAILBOX__NONE);
	tailbox__json_end_object(j);
}
