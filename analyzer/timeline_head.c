/* analyzer/timeline_head.c - who a request was: the lines above its waterfall.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/timeline_model.h"
#include "analyzer/timeline_text.h"

struct head {
	const struct tailbox__run *run;
	const struct tailbox__tl_request *r;
	FILE *out;
	size_t width;
};

struct facts { /* facts side by side, wrapped */
	FILE *out;
	size_t column, width;
};

static void put_fact(struct facts *f, const char *name, const char *text,
                     size_t len)
{
	size_t need = strlen(name) + (len < f->width ? len : f->width);

	if (f->column && f->column + 2 + need > f->width) {
		fputc('\n', f->out);
		f->column = 0;
	}
	f->column += (size_t)fprintf(f->out, "%s%s",
	                             f->column ? "  " : "    ", name);
	f->column += tailbox__show_text(f->out, text, len, f->width - 16);
}

static void put_number(struct facts *f, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put_fact(f, name, text, strlen(text));
}

static void put_bytes(struct facts *f, const char *name, uint64_t value)
{
	char text[TAILBOX__SHOW_ROOM];

	if (value == TAILBOX__NONE)
		return;
	tailbox__show_bytes(text, value);
	put_fact(f, name, text, strlen(text));
}

static void put_ext_facts(struct facts *f, const struct tailbox__run_ext *e)
{
	static const char *const flags[] = { "answered without the handler",
	                                     "upgraded",
	                                     "body not read to its end" };
	char hex[33];

	if (e->worker != UINT32_MAX)
		put_number(f, "worker ", e->worker);
	if (e->connection)
		put_number(f, "connection ", e->connection);
	put_bytes(f, "in ", e->bytes_in);
	put_bytes(f, "out ", e->bytes_out);
	if (e->termination > TAILBOX__TERM_COMPLETED &&
	    e->termination < TAILBOX__TERM_COUNT) {
		const char *name = tailbox__term_names[e->termination];
		put_fact(f, "ended: ", name, strlen(name));
	}
	for (unsigned i = 0; i < 3; i++)
		if (e->ext_flags & 1u << i)
			put_fact(f, "", flags[i], strlen(flags[i]));
	if (e->number)
		put_number(f, "number ", e->number);
	for (unsigned i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", e->trace_id[i]);
	if (strspn(hex, "0") != 32)
		put_fact(f, "trace ", hex, 32);
}

static void put_facts(const struct head *d)
{
	const struct tailbox__run_request *q = d->r->request;
	struct facts f = { d->out, 0, d->width };
	char when[2 * TAILBOX__SHOW_ROOM], clock[TAILBOX__SHOW_ROOM];
	char offset[TAILBOX__SHOW_ROOM];
	size_t len;

	tailbox__show_clock_ms(clock, q->start_ms);
	if (d->run->is_kept) /* of another day, perhaps */
		snprintf(when, sizeof(when), "%s UTC",
		         tailbox__show_utc(offset, q->start_ms));
	else if (q->flags & TAILBOX__HAS_START_US)
		snprintf(when, sizeof(when), "%s UTC (+%s)", clock,
		         tailbox__show_us(offset, q->start_us));
	else
		snprintf(when, sizeof(when), "%s UTC", clock);
	put_fact(&f, "", when, strlen(when));
	if (d->r->ext)
		put_ext_facts(&f, d->r->ext);
	const char *id = tailbox__run_text(d->run, q->id, &len);
	put_fact(&f, "id ", id, len);
	for (unsigned i = 0; d->r->ext && i < 4; i++) {
		char key[32];
		const char *k = tailbox__run_text(d->run,
		                                  d->r->ext->tag_key[i], &len);
		snprintf(key, sizeof(key), "%.28s ", k);
		const char *v = tailbox__run_text(
		        d->run, d->r->ext->tag_value[i], &len);
		/* A key that is no plain word could hold anything. */
		if (d->r->ext->tag_key[i] &&
		    k[strspn(k, "abcdefghijklmnopqrstuvwxyz"
		                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] ==
		            '\0')
			put_fact(&f, key, v, len);
	}
	fputc('\n', d->out);
}

static void put_title(const struct head *d, size_t number)
{
	const struct tailbox__run_request *q = d->r->request;
	char time[TAILBOX__SHOW_ROOM];
	size_t len, used;

	used = (size_t)fprintf(d->out, "%3zu  %s  ", number,
	                       tailbox__show_us(time, q->latency_us));
	const char *route = tailbox__run_text(d->run, q->route, &len);
	tailbox__show_text(d->out, route, len, d->width - used - 24);
	fputs("  ", d->out);
	if (d->r->ext && d->r->ext->status)
		fprintf(d->out, "%u ", d->r->ext->status);
	else if (d->r->ext)
		fputs("no response, ", d->out);
	const char *outcome = tailbox__run_text(d->run, q->outcome, &len);
	tailbox__show_text(d->out, outcome, len, 10);
	fputc('\n', d->out);
}

void tailbox__tl_head(const struct tailbox__run *run,
                      const struct tailbox__tl_request *r, size_t number,
                      size_t width, FILE *out)
{
	struct head h = { run, r, out, width };

	put_title(&h, number);
	put_facts(&h);
}
