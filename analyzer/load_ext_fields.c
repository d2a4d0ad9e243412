/* analyzer/load_ext_fields.c - the fields of our extension members.
 *
 * SPDX-License-Identifier: MIT
 *
 * A row per key of core/run_json_ext.c, metrics apart: those have a table of
 * their own (core/metrics.h).
 */
#include "analyzer/load_ext.h"

#include <errno.h>
#include <string.h>

#include "core/metrics.h"
#include "core/record.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* U64_KNOWN: and the bit of `flags` that says so. EVENT_KNOWN and NOT: the
 * same of a standard event; NOT: `false` sets it. */
enum type { U8, U16, U32, U64, US, STR, PHASE, TERM, HOLD, HEX, FLAG, IN,
            U64_KNOWN, EVENT_KNOWN, NOT, END };

#define OF_EXT(key, type, member)                                              \
	{                                                                      \
		key, type, 0, offsetof(struct tailbox__run_ext, member)        \
	}
#define OF_OPEN(key, type, member)                                             \
	{                                                                      \
		key, type, 0, offsetof(struct tailbox__run_open, member)       \
	}
#define OF_HOLD(key, type, member)                                             \
	{                                                                      \
		key, type, 0, offsetof(struct tailbox__run_hold, member)       \
	}
#define OF_STACK(key, type, member)                                            \
	{                                                                      \
		key, type, 0, offsetof(struct tailbox__run_stack, member)      \
	}
#define OF_FRAME(key, type, member)                                            \
	{                                                                      \
		key, type, 0, offsetof(struct tailbox__run_frame, member)      \
	}
#define OF_REQUEST(key, type, bit, member)                                     \
	{                                                                      \
		key, type, bit, offsetof(struct tailbox__run_request, member)  \
	}
#define OF_SPAN(key, type, bit, member)                                        \
	{                                                                      \
		key, type, bit, offsetof(struct tailbox__run_span, member)     \
	}
#define HEX_EXT(key, size, member)                                             \
	{                                                                      \
		key, HEX, size, offsetof(struct tailbox__run_ext, member)      \
	}
#define FLAG_EXT(key, bit)                                                     \
	{                                                                      \
		key, FLAG, bit, offsetof(struct tailbox__run_ext, ext_flags)   \
	}

static const struct tailbox__ext_field request_fields[] = {
	OF_EXT("status", U16, status),
	OF_EXT("bytes_in", U64, bytes_in),
	OF_EXT("bytes_out", U64, bytes_out),
	OF_EXT("worker", U32, worker),
	OF_EXT("connection_id", U64, connection),
	OF_EXT("termination", TERM, termination),
	OF_EXT("reader_us", US, reader_ns),
	HEX_EXT("trace_id", 16, trace_id),
	HEX_EXT("parent_id", 8, parent_id),
	OF_EXT("trace_flags", U8, trace_flags),
	OF_EXT("number", U64, number),
	OF_EXT("daemon", U16, daemon),
	OF_EXT("handler_calls", U32, handler_calls),
	FLAG_EXT("no_handler", TAILBOX__EXT_NO_HANDLER),
	FLAG_EXT("upgraded", TAILBOX__EXT_UPGRADED),
	FLAG_EXT("body_discarded", TAILBOX__EXT_BODY_DISCARDED),
};

static const struct tailbox__ext_field phase_fields[] = {
#define P(i)                                                                   \
	{                                                                      \
		NULL, US, 0, offsetof(struct tailbox__run_ext, phase_ns[i])    \
	}
	P(0), P(1), P(2), P(3), P(4), P(5), P(6),
#undef P
};
_Static_assert(COUNT(phase_fields) == TAILBOX__PHASE_COUNT,
               "a row per phase; its key is tailbox__phase_names[row]");

static const struct tailbox__ext_field holder_fields[] = {
	OF_EXT("number", U64, holder_number),
	OF_EXT("route", STR, holder_route),
	OF_EXT("held_us", US, holder_ns),
};

static const struct tailbox__ext_field span_fields[] = {
	{"site", STR, 0, offsetof(struct tailbox__run_span, site)},
};

static const struct tailbox__ext_field open_fields[] = {
	OF_OPEN("request_id", STR, id),
	OF_OPEN("route", STR, route),
	OF_OPEN("started_at_run_us", U64, start_us),
	OF_OPEN("number", U64, number),
	OF_OPEN("phase", PHASE, phase),
	{"phase_since_run_us", U64_KNOWN, TAILBOX__OPEN_HAS_PHASE_SINCE,
         offsetof(struct tailbox__run_open, phase_since_us)},
	OF_OPEN("since_run_us", U64, since_us),
	OF_OPEN("in", STR, where),
	OF_OPEN("in_kind", IN, where_kind),
	OF_OPEN("site", STR, site),
	OF_OPEN("worker", U32, worker),
	{"holds_worker", FLAG, TAILBOX__OPEN_HOLDS_WORKER,
         offsetof(struct tailbox__run_open, flags)},
	OF_OPEN("connection_id", U64, connection),
};

static const struct tailbox__ext_field hold_fields[] = {
	OF_HOLD("worker", U32, worker),
	OF_HOLD("kind", HOLD, kind),
	OF_HOLD("request_id", STR, request),
	OF_HOLD("number", U64, number),
	OF_HOLD("route", STR, route),
	OF_HOLD("started_at_run_us", U64, start_us),
	OF_HOLD("held_us", U64, dur_us),
};

static const struct tailbox__ext_field stack_fields[] = {
	OF_STACK("worker", U32, worker),
	OF_STACK("kind", HOLD, kind),
	OF_STACK("request_id", STR, request),
	OF_STACK("number", U64, number),
	OF_STACK("route", STR, route),
	OF_STACK("at_run_us", U64, at_us),
	OF_STACK("held_us", U64, held_us),
	OF_STACK("end", END, end),
};

static const struct tailbox__ext_field frame_fields[] = {
	OF_FRAME("stack", U32, stack),
	OF_FRAME("module", STR, module),
	OF_FRAME("build_id", STR, build_id),
	OF_FRAME("address", U64, offset),
	OF_FRAME("function", STR, function),
	OF_FRAME("function_offset", U64, function_offset),
	{"guessed", FLAG, TAILBOX__FRAME_GUESSED,
         offsetof(struct tailbox__run_frame, flags)},
};

/* Kept requests and what belongs to them have the members of the standard
 * ones (load_shapes.c), and their `tailbox` is read like theirs. */
static const struct tailbox__ext_field kept_request_fields[] = {
	OF_REQUEST("request_id", STR, 0, id),
	OF_REQUEST("route", STR, 0, route),
	OF_REQUEST("kind", STR, 0, kind),
	OF_REQUEST("started_at_unix_ms", U64, 0, start_ms),
	OF_REQUEST("started_at_run_us", EVENT_KNOWN, TAILBOX__HAS_START_US,
	           start_us),
	OF_REQUEST("finished_at_unix_ms", U64, 0, end_ms),
	OF_REQUEST("finished_at_run_us", EVENT_KNOWN, TAILBOX__HAS_END_US,
	           end_us),
	OF_REQUEST("latency_us", U64, 0, latency_us),
	OF_REQUEST("outcome", STR, 0, outcome),
};

static const struct tailbox__ext_field kept_stage_fields[] = {
	OF_SPAN("request_id", STR, 0, request),
	OF_SPAN("stage", STR, 0, name),
	OF_SPAN("started_at_unix_ms", U64, 0, start_ms),
	OF_SPAN("started_at_run_us", EVENT_KNOWN, TAILBOX__HAS_START_US,
	        start_us),
	OF_SPAN("finished_at_unix_ms", U64, 0, end_ms),
	OF_SPAN("finished_at_run_us", EVENT_KNOWN, TAILBOX__HAS_END_US, end_us),
	OF_SPAN("latency_us", U64, 0, dur_us),
	OF_SPAN("success", NOT, TAILBOX__FAILED, flags),
	OF_SPAN("completed", NOT, TAILBOX__PARTIAL, flags),
};

static const struct tailbox__ext_field kept_queue_fields[] = {
	OF_SPAN("request_id", STR, 0, request),
	OF_SPAN("queue", STR, 0, name),
	OF_SPAN("waited_from_unix_ms", U64, 0, start_ms),
	OF_SPAN("waited_from_run_us", EVENT_KNOWN, TAILBOX__HAS_START_US,
	        start_us),
	OF_SPAN("waited_until_unix_ms", U64, 0, end_ms),
	OF_SPAN("waited_until_run_us", EVENT_KNOWN, TAILBOX__HAS_END_US,
	        end_us),
	OF_SPAN("wait_us", U64, 0, dur_us),
	OF_SPAN("depth_at_start", U64, 0, depth),
	OF_SPAN("completed", NOT, TAILBOX__PARTIAL, flags),
};

_Static_assert(offsetof(struct tailbox__run_request, flags) ==
                       offsetof(struct tailbox__run_span, flags),
               "EVENT_KNOWN sets a bit of either");

#define RUN TAILBOX__LOAD_OF_RUN
#define METADATA TAILBOX__LOAD_OF_METADATA
#define REQUEST TAILBOX__LOAD_OF_REQUEST
#define SPAN TAILBOX__LOAD_OF_SPAN
#define SNAPSHOT TAILBOX__LOAD_OF_SNAPSHOT
#define TABLE(a) .fields = (a), .field_count = COUNT(a)

static const struct tailbox__ext_group groups[] = {
	{.owner = RUN},
	{"open_requests", RUN, .is_array = true, TABLE(open_fields),
         .list = TAILBOX__EXT_OPEN},
	{"holds", RUN, .is_array = true, TABLE(hold_fields),
         .list = TAILBOX__EXT_HOLDS},
	{"stacks", RUN, .is_array = true, TABLE(stack_fields),
         .list = TAILBOX__EXT_STACKS},
	{"stack_frames", RUN, .is_array = true, TABLE(frame_fields),
         .list = TAILBOX__EXT_FRAMES},
	{"kept_requests", RUN, .is_array = true, TABLE(kept_request_fields),
         .list = TAILBOX__EXT_KEPT_REQUESTS},
	{"kept_stages", RUN, .is_array = true, TABLE(kept_stage_fields),
         .list = TAILBOX__EXT_KEPT_STAGES},
	{"kept_queues", RUN, .is_array = true, TABLE(kept_queue_fields),
         .list = TAILBOX__EXT_KEPT_QUEUES},
	{.owner = METADATA, .takes = TAILBOX__EXT_ANY_PAIRS},
	{.owner = REQUEST, TABLE(request_fields)},
	{"phases_us", REQUEST, TABLE(phase_fields)},
	{"held_by", REQUEST, TABLE(holder_fields)},
	{"tags", REQUEST, .takes = TAILBOX__EXT_ANY_STRINGS},
	{.owner = SPAN, TABLE(span_fields)},
	{.owner = SNAPSHOT,
         .takes = TAILBOX__EXT_METRICS,
         .scope = TAILBOX__SCOPE_MACHINE},
	{"daemons", SNAPSHOT, .takes = TAILBOX__EXT_METRICS, .is_array = true,
         .scope = TAILBOX__SCOPE_DAEMON},
	{"workers", SNAPSHOT, .takes = TAILBOX__EXT_METRICS, .is_array = true,
         .scope = TAILBOX__SCOPE_WORKER},
	{"pools", SNAPSHOT, .takes = TAILBOX__EXT_METRICS, .is_array = true,
         .scope = TAILBOX__SCOPE_POOL},
};

static bool is(const char *key, const char *text, size_t len)
{
	return strlen(key) == len && memcmp(key, text, len) == 0;
}

static int find(const char *const *names, int count, const char *text,
                size_t len)
{
	for (int i = 0; i < count; i++)
		if (is(names[i], text, len))
			return i;
	return -1;
}

const struct tailbox__ext_group *
tailbox__ext_find_group(enum tailbox__load_owner owner, const char *key,
                        size_t len)
{
	for (size_t i = 0; i < COUNT(groups); i++) {
		const struct tailbox__ext_group *g = &groups[i];

		if (g->owner != owner)
			continue;
		if (key ? g->key && is(g->key, key, len) : !g->key)
			return g;
	}
	return NULL;
}

const struct tailbox__ext_field *
tailbox__ext_find_field(const struct tailbox__ext_group *group, const char *key,
                        size_t len)
{
	for (size_t i = 0; i < group->field_count; i++) {
		const struct tailbox__ext_field *f = &group->fields[i];

		if (is(f->key ? f->key : tailbox__phase_names[i], key, len))
			return f;
	}
	return NULL;
}

int tailbox__ext_intern(struct tailbox__run *run, const char *text, size_t len,
                        tailbox__str *out)
{
	*out = 0;
	if (!tailbox__load_is_utf8(text, len))
		return 0;
	*out = tailbox__run_str(run, text, len);
	return *out ? 0 : -ENOMEM;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void store_hex(const struct tailbox__ext_field *f, char *place,
                      const char *text, size_t len)
{
	uint8_t bytes[16];

	if (len != 2u * f->bytes)
		return;
	for (size_t i = 0; i < f->bytes; i++) {
		const int high = hex_digit(text[2 * i]);
		const int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(place, bytes, f->bytes);
}

int tailbox__ext_store_string(struct tailbox__run *run,
                              const struct tailbox__ext_field *f, char *base,
                              const char *text, size_t len)
{
	char *place = base + f->offset;
	int i;

	switch (f->type) {
	case STR:
		return tailbox__ext_intern(run, text, len,
		                           (tailbox__str *)place);
	case PHASE:
		i = find(tailbox__phase_names, TAILBOX__PHASE_COUNT, text, len);
		if (i >= 0)
			*(uint8_t *)place = (uint8_t)i;
		break;
	case TERM:
		i = find(tailbox__term_names, TAILBOX__TERM_COUNT, text, len);
		if (i >= 0)
			*(uint8_t *)place = (uint8_t)i;
		break;
	case HOLD:
		i = find(tailbox__hold_names + 1, TAILBOX__HOLD_KINDS - 1,
		         text, len);
		if (i >= 0)
			*(uint8_t *)place = (uint8_t)(i + 1);
		break;
	case IN:
		i = find(tailbox__open_in_names, TAILBOX__OPEN_IN_COUNT, text,
		         len);
		if (i > 0)
			*(uint8_t *)place = (uint8_t)i;
		break;
	case END:
		i = find(tailbox__stack_end_names, TAILBOX__STACK_ENDS, text,
		         len);
		if (i >= 0)
			*(uint8_t *)place = (uint8_t)i;
		break;
	case HEX:
		store_hex(f, place, text, len);
		break;
	}
	return 0;
}

void tailbox__ext_store_number(const struct tailbox__ext_field *f, char *base,
                               uint64_t value)
{
	char *place = base + f->offset;

	switch (f->type) {
	case U8:
		if (value <= UINT8_MAX)
			*(uint8_t *)place = (uint8_t)value;
		break;
	case U16:
		if (value <= UINT16_MAX)
			*(uint16_t *)place = (uint16_t)value;
		break;
	case U32:
		if (value <= UINT32_MAX)
			*(uint32_t *)place = (uint32_t)value;
		break;
	case U64:
		*(uint64_t *)place = value;
		break;
	case U64_KNOWN:
		*(uint64_t *)place = value;
		*(uint8_t *)(base + offsetof(struct tailbox__run_open,
		                             flags)) |= f->bytes;
		break;
	case EVENT_KNOWN:
		*(uint64_t *)place = value;
		*(uint32_t *)(base + offsetof(struct tailbox__run_span,
		                              flags)) |= f->bytes;
		break;
	case US: /* kept in ns */
		if (value < UINT64_MAX / 1000)
			*(uint64_t *)place = value * 1000;
		break;
	}
}

void tailbox__ext_store_bool(const struct tailbox__ext_field *f, char *base,
                             bool value)
{
	if (f->type == FLAG && value)
		*(uint8_t *)(base + f->offset) |= f->bytes;
	if (f->type == NOT && !value)
		*(uint32_t *)(base + f->offset) |= f->bytes;
}
