/* core/run_json.c - Run JSON (schema 2) as a stream.
 *
 * SPDX-License-Identifier: MIT
 *
 * The document is a row of sections; each has text before its items, items,
 * and text after them. A step writes one of these into the scratch buffer, and
 * _read hands out what is there. The scratch thus holds about SCRATCH_BYTES
 * and the largest single item, whatever the size of the run.
 *
 * Members, order and presence classes: spec/run-artifact.md section 3.
 */
#include "core/run_json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/alloc.h"
#include "core/fd.h"
#include "core/run_json_out.h"

enum {
	SCRATCH_BYTES = 16 * 1024, /* written ahead, at least */
	WRITE_BYTES = 64 * 1024
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define META_COUNT COUNT_OF(tailbox__run_json_meta)
#define SECTION_COUNT (META_COUNT + COUNT_OF(tailbox__run_json_events))

enum step { STEP_BEGIN, STEP_ITEMS, STEP_END };

struct tailbox__run_json {
	struct tailbox__run_json_out out;
	size_t sent;    /* bytes of out.json.buf handed out */
	size_t section; /* SECTION_COUNT: all is written */
	enum step step;
	size_t index;   /* of the next item */
};

static const struct tailbox__run_json_section *section_of(size_t n)
{
	return n < META_COUNT ? &tailbox__run_json_meta[n]
	                      : &tailbox__run_json_events[n - META_COUNT];
}

static void take_step(struct tailbox__run_json *c)
{
	const struct tailbox__run_json_section *s = section_of(c->section);

	switch (c->step) {
	case STEP_BEGIN:
		s->begin(&c->out);
		c->index = 0;
		c->step = STEP_ITEMS;
		break;
	case STEP_ITEMS:
		if (c->index < s->count(c->out.run))
			s->item(&c->out, c->index++);
		else
			c->step = STEP_END;
		break;
	case STEP_END:
		s->end(&c->out);
		c->section++;
		c->step = STEP_BEGIN;
		break;
	}
}

/* Write ahead into the empty scratch buffer. */
static void refill(struct tailbox__run_json *c)
{
	tailbox__json_drop(&c->out.json);
	c->sent = 0;
	while (c->section < SECTION_COUNT && c->out.json.len < SCRATCH_BYTES &&
	       tailbox__json_ok(&c->out.json))
		take_step(c);
}

int tailbox__run_json_open(const struct tailbox__run *run,
                           struct tailbox__run_json **out)
{
	struct tailbox__run_json *c = tailbox__zalloc(1, sizeof(*c));

	*out = c;
	if (!c)
		return -ENOMEM;
	c->out.run = run;
	tailbox__json_init(&c->out.json, true);
	return 0;
}

long tailbox__run_json_read(struct tailbox__run_json *c, char *buf,
                            size_t room)
{
	size_t done = 0;

	if (room > LONG_MAX)
		room = LONG_MAX;
	while (done < room) {
		if (c->sent == c->out.json.len)
			refill(c);
		/* Half an item must not get out; a failure stays one. */
		if (!tailbox__json_ok(&c->out.json))
			return -ENOMEM;
		size_t n = c->out.json.len - c->sent;
		if (!n)
			break;
		if (n > room - done)
			n = room - done;
		memcpy(buf + done, c->out.json.buf + c->sent, n);
		c->sent += n;
		done += n;
	}
	return (long)done;
}

void tailbox__run_json_close(struct tailbox__run_json *c)
{
	if (!c)
		return;
	tailbox__json_fini(&c->out.json);
	tailbox__free(c);
}

int tailbox__run_json_write(const struct tailbox__run *run, int fd)
{
	struct tailbox__run_json *c;
	int rc = tailbox__run_json_open(run, &c);

	if (rc)
		return rc;
	char *buf = tailbox__alloc(WRITE_BYTES, 1);
	long n = buf ? 1 : -ENOMEM;
	while (n > 0 && !rc) {
		n = tailbox__run_json_read(c, buf, WRITE_BYTES);
		if (n > 0)
			rc = tailbox__fd_write(fd, buf, (size_t)n);
	}
	tailbox__free(buf);
	tailbox__run_json_close(c);
	return rc ? rc : (int)n;
}
