/* core/tape_kept.c - the requests that a tape has kept, for a run.
 *
 * SPDX-License-Identifier: MIT
 *
 * They are of another time than the run, or were dropped from it: among its
 * requests they would make rates and percentiles of its time wrong. So they
 * are a run beside it. A request is in one of the two: what the run has, open
 * or finished, is left out here. The ring is read after the blocks; what left
 * these before they were read had been kept by then.
 */
#include "core/tape_feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/kept.h"

struct taking {
	struct tailbox__tape_feed feed;
	uint64_t *numbers; /* of the run's requests, ascending */
	size_t count;
	uint64_t from;
	uint64_t taken, older, cut_spans, incomplete;
};

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int collect_numbers(struct taking *t, const struct tailbox__run *run)
{
	const size_t max = run->requests.count + run->open.count;

	t->numbers = tailbox__alloc(max + 1, sizeof(*t->numbers));
	if (!t->numbers)
		return -ENOMEM;
	for (size_t i = 0; i < run->requests.count; i++) {
		const uint32_t ext = run->requests.items[i].ext;
		if (ext)
			t->numbers[t->count++] = run->ext.items[ext - 1].number;
	}
	for (size_t i = 0; i < run->open.count; i++)
		t->numbers[t->count++] = run->open.items[i].number;
	qsort(t->numbers, t->count, sizeof(*t->numbers), by_value);
	return 0;
}

static int take(void *cls, const struct tailbox__kept_request *k)
{
	struct taking *t = cls;
	struct tailbox__rec_request q;

	memcpy(&q, k->records, sizeof(q));
	if (bsearch(&q.number, t->numbers, t->count, sizeof(*t->numbers),
	            by_value))
		return 0;
	if (q.line < t->from) {
		t->older++;
		return 0;
	}
	const uint64_t damaged = t->feed.damage.records;
	int ret = tailbox__tape_feed(&t->feed, TAILBOX__BLOCK_REQUESTS, q.thread,
	                             k->records, k->record_bytes);
	if (ret < 0 || t->feed.damage.records > damaged)
		return ret;
	t->taken++;
	t->cut_spans += k->cut_spans;
	t->incomplete += (k->why & TAILBOX__RARE_INCOMPLETE) != 0;
	return tailbox__tape_feed(&t->feed, TAILBOX__BLOCK_SPANS, q.thread,
	                          (const char *)k->spans,
	                          k->span_count * sizeof(*k->spans));
}

static int make(struct taking *t, struct tailbox__run *run)
{
	const struct tailbox__assembly_config config = {
		.until_tick = UINT64_MAX,
		.cut_tick = 1, /* it ends with the last of them */
		.limits = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
		            UINT64_MAX },
		.kept_of = run,
	};

	int ret = tailbox__assembly_create(t->feed.reader, &config,
	                                   &t->feed.assembly);
	if (ret == 0)
		ret = tailbox__reader_kept(t->feed.reader, take, t);
	if (ret == 0 && t->taken)
		ret = tailbox__assembly_finish(t->feed.assembly, &run->kept,
		                               NULL);
	tailbox__assembly_destroy(t->feed.assembly);
	return ret;
}

static int put_facts(const struct taking *t,
                     const struct tailbox__kept_status *s,
                     struct tailbox__run *run)
{
	const struct {
		const char *key;
		uint64_t number;
	} facts[] = {
		{ "kept_requests", run->kept ? run->kept->requests.count : 0 },
		{ "kept_older", t->older },
		{ "kept_slow_us", s->slow_ns / 1000 },
		{ "kept_overwritten", s->overwritten },
		{ "kept_passed_over", s->passed_over },
		{ "kept_cut_spans", t->cut_spans },
		{ "kept_incomplete", t->incomplete },
	};
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(facts) / sizeof(facts[0]);
	     i++)
		ret = tailbox__run_set_extra(run, facts[i].key, NULL,
		                             facts[i].number);
	return ret;
}

int tailbox__tape_feed_kept(struct tailbox__tape_feed *f,
                            struct tailbox__run *run, uint64_t from)
{
	struct taking t = { .feed = *f, .from = from };
	struct tailbox__kept_status status;

	tailbox__kept_status(f->reader, &status);
	t.feed.damage = (struct tailbox__tape_damage){ 0 };
	int ret = status.bytes ? collect_numbers(&t, run) : 0;
	/* A section that makes no sense is met, and counted, too. */
	if (ret == 0)
		ret = make(&t, run);
	if (ret == 0 && status.bytes)
		ret = put_facts(&t, &status, run);
	tailbox__free(t.numbers);
	f->damage.records += t.feed.damage.records;
	return ret;
}
