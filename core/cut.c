/* core/cut.c - cut the recent past out of a tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * The order matters, as in controller/finish.c: first the open slots, then the
 * records, so that a request that ends in between is in both and not in
 * neither. How far back the tape reaches is asked last: what was overwritten
 * while it was read is then known to be lost, too (core/cover.c).
 *
 * Of a process that runs the time counts back from now, of one that is stopped
 * or gone from the last that its tape shows: the past that can tell something.
 */
#include "core/cut.h"

#include <errno.h>
#include <string.h>

#include "core/cover.h"
#include "core/tailbox.h"
#include "core/tape_feed.h"

struct cut {
	struct tailbox__reader *reader;
	struct tailbox__tape_feed feed;
	const struct tailbox__cut *config;
	uint64_t to;   /* the instant of the cut */
	uint64_t last; /* end of the last record */
	bool is_over;  /* nobody writes any more: `to` is the last record */
};

static uint64_t back(const struct cut *c, uint64_t from)
{
	const struct tailbox__clock_scale s = tailbox__reader_scale(c->reader);
	const uint64_t ms = c->config->last_ms;

	if (!ms || ms > tailbox__ticks_to_ns(s, from) / 1000000)
		return 0;
	return from - tailbox__ns_to_ticks(s, ms * 1000000);
}

static void see_end(struct cut *c, uint64_t from, uint64_t ticks)
{
	/* A tick that cannot be is left out by the feed, too. */
	if (from >= c->feed.first && from <= c->feed.last &&
	    ticks <= c->feed.last - from && from + ticks > c->last)
		c->last = from + ticks;
}

static void see_ends(struct cut *c, const char *records, size_t bytes)
{
	union {
		struct tailbox__rec_request request;
		struct tailbox__rec_sample sample;
	} r;

	for (size_t at = 0; at + sizeof(r) <= bytes; at += sizeof(r)) {
		memcpy(&r, records + at, sizeof(r));
		if (r.request.type == TAILBOX__REC_REQUEST)
			see_end(c, r.request.line,
			        tailbox__unpack(r.request.total));
		else if (r.sample.type == TAILBOX__REC_SAMPLE)
			see_end(c, r.sample.tick, 0);
	}
}

static int feed(void *cls, unsigned kind, uint32_t thread, const char *records,
                size_t bytes)
{
	struct cut *c = cls;

	if (c->is_over && kind != TAILBOX__BLOCK_SPANS)
		see_ends(c, records, bytes);
	return tailbox__tape_feed(&c->feed, kind, thread, records, bytes);
}

/* Where it ends, as far as that is known before the records are read. */
static void find_end(struct cut *c)
{
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(c->reader);
	const uint64_t switched = TAILBOX__GET(h->switched);

	c->to = c->config->cut_tick;
	if (!c->to) {
		if (tailbox__reader_writer(c->reader) == TAILBOX__WRITER_LIVE)
			c->to = tailbox__reader_now(c->reader);
		c->is_over = !c->to;
	}
	if (c->is_over)
		c->to = c->last = tailbox__reader_last_sign(c->reader);
	/* Since then nothing was recorded. */
	if (!TAILBOX__GET(h->recorder_on) && switched && switched < c->to)
		c->to = switched;
}

static int create(struct cut *c)
{
	const struct tailbox__cut *k = c->config;
	const struct tailbox__assembly_config config = {
		.from_tick = back(c, c->to),
		.until_tick = c->is_over ? UINT64_MAX : c->to,
		.cut_tick = c->to,
		.mode = k->mode,
		.limits = k->limits,
		.run_id = k->run_id,
		.note = k->note,
		.sampler = k->sampler,
	};

	return tailbox__assembly_create(c->reader, &config, &c->feed.assembly);
}

/* After everything was read. */
static int cover(struct cut *c)
{
	struct tailbox__past past = { .asked_ms = c->config->last_ms };
	struct tailbox__cover cover;

	int ret = tailbox__cover(c->reader, &cover);
	if (ret < 0)
		return ret;
	if (c->is_over && c->last > c->to)
		c->to = c->last;
	past.from_tick = tailbox__cover_from(c->reader, &cover, back(c, c->to));
	past.to_tick = c->to;
	past.samples_tick = cover.samples_tick;
	past.overwritten = cover.overwritten;
	tailbox__assembly_set_past(c->feed.assembly, &past);
	return 0;
}

static int read_all(struct cut *c)
{
	int ret = tailbox__tape_feed_slots(&c->feed);

	if (ret == 0)
		ret = tailbox__reader_poll(c->reader, feed, c);
	return ret;
}

int tailbox__cut(struct tailbox__reader *r, const struct tailbox__cut *config,
                 struct tailbox__run **out, struct tailbox__error *err)
{
	struct cut c = { .reader = r, .config = config };

	*out = NULL;
	int ret = tailbox__reader_refresh(r);
	if (ret == 0) {
		tailbox__tape_feed_init(&c.feed, r);
		find_end(&c);
		ret = create(&c);
	}
	if (ret == 0)
		ret = read_all(&c);
	if (ret == 0)
		ret = cover(&c);
	if (ret == 0 && config->add_facts)
		ret = config->add_facts(config->cls, c.feed.assembly);
	if (ret == 0)
		ret = tailbox__assembly_finish(c.feed.assembly, out, err);
	if (ret == 0)
		ret = tailbox__tape_feed_kept(&c.feed, *out, back(&c, c.to));
	if (ret == 0)
		ret = tailbox__tape_feed_tell(&c.feed, *out);
	tailbox__assembly_destroy(c.feed.assembly);
	if (ret < 0) {
		tailbox__run_destroy(*out);
		*out = NULL;
		tailbox__fail(err, ret, "cannot cut a snapshot: %s",
		              tailbox_strerror(ret));
	}
	return ret;
}
