/* core/request_line.c - a finished request as one line: logfmt, or JSON.
 *
 * SPDX-License-Identifier: MIT
 *
 * Logfmt as Go's kr/logfmt and its like read it: key=value, a value with a
 * blank, '=', '"' or anything outside printable ASCII is quoted like a JSON
 * string. Keys are ours, but for the names of waits: of those what could not
 * stand in a key becomes '_'.
 *
 * A time is not known where both its ends were not seen: then its field is
 * left out, or null in JSON.
 */
#include "core/request_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/json_put.h"
#include "core/utf8.h"

/* --- reading -------------------------------------------------------------- */

static uint64_t ns_of(struct tailbox__clock_scale scale, uint32_t packed)
{
	return tailbox__ticks_to_ns(scale, tailbox__unpack(packed));
}

static void read_phases(struct tailbox__line *l,
                        struct tailbox__clock_scale scale,
                        const struct tailbox__rec_request *q)
{
	const uint32_t packed[TAILBOX__PHASE_COUNT] = {
		[TAILBOX__PHASE_HEADERS] = q->headers,
		[TAILBOX__PHASE_BODY] = q->body,
		[TAILBOX__PHASE_HANDLER] = q->handler,
		[TAILBOX__PHASE_SUSPENDED] = q->suspended,
		[TAILBOX__PHASE_SEND] = q->send,
	};

	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++)
		l->phases_ns[i] = q->known & 1u << i ? ns_of(scale, packed[i])
		                                     : TAILBOX__NONE;
	/* Those two are in a further record. */
	l->phases_ns[TAILBOX__PHASE_INGRESS] = TAILBOX__NONE;
	l->phases_ns[TAILBOX__PHASE_RESUME] = TAILBOX__NONE;
}

static void read_more(struct tailbox__line *l, struct tailbox__reader *r,
                      struct tailbox__clock_scale scale, unsigned known,
                      const struct tailbox__rec_more *m)
{
	if (known & TAILBOX__KNOWN_INGRESS && m->ingress) {
		const uint64_t ns = ns_of(scale, m->ingress);
		l->phases_ns[TAILBOX__PHASE_INGRESS] = ns;
		l->total_ns += ns;
		l->holder_number = m->holder_number;
		l->holder_route = tailbox__reader_name(r, m->holder_route,
		                                       NULL);
	}
	if (known & TAILBOX__KNOWN_RESUME)
		l->phases_ns[TAILBOX__PHASE_RESUME] = ns_of(scale, m->resume);
	if (known & TAILBOX__KNOWN_BYTES_IN)
		l->bytes_in = m->bytes_in;
	if (known & TAILBOX__KNOWN_BYTES_OUT)
		l->bytes_out = m->bytes_out;
}

/* An id of up to two records. */
static void read_id(struct tailbox__line *l, size_t *len,
                    const struct tailbox__rec_id *rec)
{
	const size_t n = rec->len < sizeof(rec->text) ? rec->len
	                                              : sizeof(rec->text);

	if (*len + n >= sizeof(l->id_text))
		return;
	memcpy(l->id_text + *len, rec->text, n);
	*len += n;
	l->id_text[*len] = '\0';
}

bool tailbox__line_read(struct tailbox__line *l, struct tailbox__reader *r,
                        const char *records, size_t bytes)
{
	const struct tailbox__clock_scale scale = tailbox__reader_scale(r);
	struct tailbox__rec_request q;
	size_t id_len = 0;

	if (bytes < sizeof(q))
		return false;
	memcpy(&q, records, sizeof(q));
	if (q.type != TAILBOX__REC_REQUEST)
		return false;
	l->number = q.number;
	l->end = q.line + tailbox__unpack(q.total);
	l->end_wall_ns = tailbox__reader_wall_ns(r, l->end);
	l->total_ns = ns_of(scale, q.total);
	l->route = tailbox__reader_name(r, q.route, NULL);
	l->kind = tailbox__reader_name(r, q.kind, NULL);
	l->status = q.status;
	l->worker = q.thread;
	l->outcome = q.outcome
	                     ? tailbox__reader_name(r, q.outcome, NULL)
	                     : tailbox__outcome_of(
	                               q.status,
	                               q.termination < TAILBOX__TERM_COUNT
	                                       ? q.termination
	                                       : TAILBOX__TERM_UNKNOWN);
	l->bytes_in = l->bytes_out = l->reader_ns = TAILBOX__NONE;
	l->holder_number = 0;
	l->holder_route = "";
	l->wait_count = l->stage_count = 0;
	l->kept_why = l->cut_spans = 0;
	l->id_text[0] = '\0';
	read_phases(l, scale, &q);
	for (size_t i = 1; i <= q.more && (i + 1) * 64 <= bytes; i++) {
		union {
			uint8_t type;
			struct tailbox__rec_more more;
			struct tailbox__rec_reader reader;
			struct tailbox__rec_id id;
		} u;
		memcpy(&u, records + i * 64, 64);
		if (u.type == TAILBOX__REC_MORE)
			read_more(l, r, scale, q.known, &u.more);
		else if (u.type == TAILBOX__REC_READER)
			l->reader_ns = tailbox__ticks_to_ns(scale,
			                                    u.reader.ticks);
		else if (u.type == TAILBOX__REC_ID)
			read_id(l, &id_len, &u.id);
	}
	l->id = l->id_text;
	return true;
}

static void add_time(struct tailbox__line_wait *list, unsigned *count,
                     const char *name, uint64_t ns)
{
	unsigned i = 0;

	while (i < *count && strcmp(list[i].name, name))
		i++;
	if (i == TAILBOX__LINE_WAITS_MAX) {
		i--;
		list[i].name = "other";
	} else if (i == *count) {
		list[(*count)++] = (struct tailbox__line_wait){ name, 0 };
	}
	list[i].ns += ns;
}

void tailbox__line_wait(struct tailbox__line *l, const char *name, uint64_t ns)
{
	add_time(l->waits, &l->wait_count, name, ns);
}

bool tailbox__line_kept(struct tailbox__line *l, struct tailbox__reader *r,
                        const struct tailbox__kept_request *k)
{
	const struct tailbox__clock_scale scale = tailbox__reader_scale(r);

	if (!tailbox__line_read(l, r, k->records, k->record_bytes))
		return false;
	l->kept_why = k->why;
	l->cut_spans = k->cut_spans;
	for (size_t i = 0; i < k->span_count; i++) {
		const struct tailbox__rec_span *s = &k->spans[i];
		const char *name = tailbox__reader_name(r, s->name, NULL);
		const uint64_t ns = ns_of(scale, s->dur);
		if (s->type == TAILBOX__SPAN_WAIT)
			tailbox__line_wait(l, name, ns);
		else if (s->type == TAILBOX__SPAN_STAGE)
			add_time(l->stages, &l->stage_count, name, ns);
	}
	return true;
}

static const char *const why_names[] = { "slow", "failed", "cancelled" };

/* --- logfmt --------------------------------------------------------------- */

struct out {
	char *buf;
	size_t size, len, field; /* field: where the present one began */
	bool is_full;
};

static void put(struct out *o, const char *s, size_t n)
{
	if (o->is_full || n >= o->size - o->len) {
		o->is_full = true;
		return;
	}
	memcpy(o->buf + o->len, s, n);
	o->len += n;
}

static void begin(struct out *o, const char *key)
{
	if (o->is_full)
		return;
	o->field = o->len;
	if (o->len)
		put(o, " ", 1);
	put(o, key, strlen(key));
	put(o, "=", 1);
}

/* A field that does not fit is left out whole, and so are all after it. */
static void end(struct out *o)
{
	if (o->is_full)
		o->len = o->field;
}

bool tailbox__logfmt_is_bare(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '=' || *c == '"' ||
		    *c == '\\')
			return false;
	return *text != '\0';
}

/* Moves a terminal's cursor, or turns the text around. */
static bool is_unsafe(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) ||
	       (cp >= 0x200b && cp <= 0x200f) ||
	       (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff;
}

static void put_quoted(struct out *o, const char *s)
{
	size_t left = strlen(s), n;
	char text[8];
	uint32_t cp;

	put(o, "\"", 1);
	for (; left; s += n, left -= n) {
		n = tailbox__utf8_next(s, left, &cp);
		if (cp == TAILBOX__UTF8_INVALID) {
			put(o, "\xef\xbf\xbd", 3);
		} else if (is_unsafe(cp)) {
			snprintf(text, sizeof(text), "\\u%04x",
			         (unsigned)cp & 0xffff);
			put(o, text, 6);
		} else {
			if (*s == '"' || *s == '\\')
				put(o, "\\", 1);
			put(o, s, n);
		}
	}
	put(o, "\"", 1);
}

static void put_text(struct out *o, const char *key, const char *value)
{
	if (!*value)
		return;
	begin(o, key);
	if (tailbox__logfmt_is_bare(value))
		put(o, value, strlen(value));
	else
		put_quoted(o, value);
	end(o);
}

static void put_number(struct out *o, const char *key, uint64_t value)
{
	char text[24];

	if (value == TAILBOX__NONE)
		return;
	begin(o, key);
	put(o, text,
	    (size_t)snprintf(text, sizeof(text), "%" PRIu64, value));
	end(o);
}

static size_t ms_text(char text[32], uint64_t ns)
{
	return (size_t)snprintf(text, 32, "%" PRIu64 ".%03u", ns / 1000000,
	                        (unsigned)(ns / 1000 % 1000));
}

static void put_ms(struct out *o, const char *key, uint64_t ns)
{
	char text[32];

	if (ns == TAILBOX__NONE)
		return;
	begin(o, key);
	put(o, text, ms_text(text, ns));
	end(o);
}

/* "wait.NAME_ms", "stage.NAME_ms" */
static void put_wait(struct out *o, const char *what,
                     const struct tailbox__line_wait *w)
{
	char key[160];
	const int n = snprintf(key, sizeof(key), "%s.%s_ms", what, w->name);

	if (n < 0 || (size_t)n >= sizeof(key))
		return;
	for (char *c = key; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '=' || *c == '"' ||
		    *c == '\\')
			*c = '_';
	put_ms(o, key, w->ns);
}

/* "2025-11-20T03:12:41.007Z"; "" for what has no date. */
static void utc(char text[40], uint64_t wall_ns)
{
	const time_t s = (time_t)(wall_ns / 1000000000u);
	struct tm tm;
	size_t n = 0;

	text[0] = '\0';
	if (gmtime_r(&s, &tm))
		n = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	if (n)
		snprintf(text + n, 40 - n, ".%03uZ",
		         (unsigned)(wall_ns / 1000000 % 1000));
}

/* As timeline --request takes it. */
static const char *id_or_number(const struct tailbox__line *l, char text[24])
{
	if (*l->id)
		return l->id;
	snprintf(text, 24, "%" PRIu64, l->number);
	return text;
}

/* "kept=slow,failed" */
static void put_kept(struct out *o, const struct tailbox__line *l)
{
	bool is_first = true;

	if (!l->kept_why)
		return;
	begin(o, "kept");
	for (unsigned i = 0; i < 3; i++) {
		if (!(l->kept_why & 1u << i))
			continue;
		if (!is_first)
			put(o, ",", 1);
		put(o, why_names[i], strlen(why_names[i]));
		is_first = false;
	}
	end(o);
	if (l->kept_why & TAILBOX__RARE_INCOMPLETE)
		put_text(o, "spans", "incomplete");
	put_number(o, "cut_spans", l->cut_spans ? l->cut_spans : TAILBOX__NONE);
}

size_t tailbox__line_logfmt(const struct tailbox__line *l, char *buf,
                            size_t size)
{
	struct out o = { .buf = buf, .size = size };
	char time_text[40], number[24], key[40];

	utc(time_text, l->end_wall_ns);
	put_text(&o, "time", time_text);
	put_text(&o, "id", id_or_number(l, number));
	put_text(&o, "route", l->route);
	put_text(&o, "kind", l->kind);
	put_number(&o, "status", l->status ? l->status : TAILBOX__NONE);
	put_text(&o, "outcome", l->outcome);
	put_ms(&o, "total_ms", l->total_ns);
	put_kept(&o, l);
	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++) {
		snprintf(key, sizeof(key), "%s_ms", tailbox__phase_names[i]);
		put_ms(&o, key, l->phases_ns[i]);
	}
	put_ms(&o, "reader_ms", l->reader_ns);
	for (unsigned i = 0; i < l->wait_count; i++)
		put_wait(&o, "wait", &l->waits[i]);
	for (unsigned i = 0; i < l->stage_count; i++)
		put_wait(&o, "stage", &l->stages[i]);
	put_number(&o, "worker", l->worker);
	put_number(&o, "bytes_in", l->bytes_in);
	put_number(&o, "bytes_out", l->bytes_out);
	if (l->holder_number) {
		put_text(&o, "behind", l->holder_route);
		put_number(&o, "behind_number", l->holder_number);
	}
	buf[o.len] = '\0';
	return o.len;
}

/* --- JSON ----------------------------------------------------------------- */

static void json_us(struct tailbox__json *j, const char *key, uint64_t ns)
{
	put_num(j, key, ns == TAILBOX__NONE ? ns : ns / 1000);
}

static void json_times(struct tailbox__json *j, const char *key,
                       const struct tailbox__line_wait *list, unsigned count)
{
	tailbox__json_key(j, key);
	tailbox__json_begin_object(j);
	for (unsigned i = 0; i < count; i++)
		json_us(j, list[i].name, list[i].ns);
	tailbox__json_end_object(j);
}

static void json_kept(struct tailbox__json *j, const struct tailbox__line *l)
{
	json_times(j, "stages_us", l->stages, l->stage_count);
	tailbox__json_key(j, "kept");
	tailbox__json_begin_array(j);
	for (unsigned i = 0; i < 3; i++)
		if (l->kept_why & 1u << i)
			tailbox__json_cstr(j, why_names[i]);
	tailbox__json_end_array(j);
	put_num(j, "cut_spans", l->cut_spans);
	tailbox__json_key(j, "spans_incomplete");
	tailbox__json_bool(j, l->kept_why & TAILBOX__RARE_INCOMPLETE);
}

void tailbox__line_json(const struct tailbox__line *l, struct tailbox__json *j)
{
	char text[40], number[24];

	utc(text, l->end_wall_ns);
	tailbox__json_begin_object(j);
	put_word_or_null(j, "time", text);
	put_word_or_null(j, "id", id_or_number(l, number));
	put_num(j, "number", l->number);
	put_word_or_null(j, "route", l->route);
	put_word_or_null(j, "kind", l->kind);
	put_num(j, "status", l->status ? l->status : TAILBOX__NONE);
	put_word_or_null(j, "outcome", l->outcome);
	json_us(j, "total_us", l->total_ns);
	tailbox__json_key(j, "phases_us");
	tailbox__json_begin_object(j);
	for (unsigned i = 0; i < TAILBOX__PHASE_COUNT; i++)
		json_us(j, tailbox__phase_names[i], l->phases_ns[i]);
	tailbox__json_end_object(j);
	json_us(j, "reader_us", l->reader_ns);
	json_times(j, "waits_us", l->waits, l->wait_count);
	put_num(j, "worker", l->worker);
	put_num(j, "bytes_in", l->bytes_in);
	put_num(j, "bytes_out", l->bytes_out);
	put_word_or_null(j, "behind", l->holder_route);
	put_num(j, "behind_number",
	            l->holder_number ? l->holder_number : TAILBOX__NONE);
	if (l->kept_why)
		json_kept(j, l);
	tailbox__json_end_object(j);
}
