/* cli/top_recent.c - what the records of a tape tell of its last seconds.
 *
 * SPDX-License-Identifier: MIT
 *
 * Requests go into slices by the second in which they ended, whatever order
 * their blocks come in; a slice whose place a later second took is gone. Each
 * is a log-linear histogram, so that neither memory nor time depends on how
 * many requests there are, and the percentiles are right within 0.8%.
 */
#include "cli/top_recent.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/buckets.h"
#include "core/metrics.h"

int cli__recent_create(uint64_t zero, uint64_t hz, struct cli__recent **out)
{
	struct cli__recent *c = tailbox__zalloc(1, sizeof(*c));

	*out = c;
	if (!c)
		return -ENOMEM;
	c->zero = zero;
	c->hz = hz ? hz : 1;
	c->last = zero;
	c->limit = UINT64_MAX / 2;
	return 0;
}

void cli__recent_destroy(struct cli__recent *c)
{
	if (c)
		tailbox__free(c->moves.items);
	tailbox__free(c);
}

/* --- requests ------------------------------------------------------------- */

/* The time up to `tick` counts as seen; false: it is none of this tape. */
static bool saw(struct cli__recent *c, uint64_t tick)
{
	if (tick < c->zero || tick > c->limit)
		return false;
	if (tick > c->last)
		c->last = tick;
	return true;
}

/* NULL: its place has a later second. */
static struct cli__recent_slice *slice_of(struct cli__recent *c, uint64_t tick)
{
	const uint64_t second = (tick - c->zero) / c->hz;
	struct cli__recent_slice *s = &c->slices[second % CLI__RECENT_SLICES];

	if (s->second > second)
		return NULL;
	if (s->second < second) {
		memset(s, 0, sizeof(*s));
		s->second = second;
	}
	return s;
}

static void take_request(struct cli__recent *c,
                         const struct tailbox__rec_request *q)
{
	const uint64_t total = tailbox__unpack(q->total);

	if (q->line > c->limit || total > c->limit ||
	    !saw(c, q->line + total))
		return;
	struct cli__recent_slice *s = slice_of(c, q->line + total);
	if (!s)
		return;
	s->count++;
	s->status_5xx += q->status / 100 == 5;
	if (total > s->max)
		s->max = total;
	s->buckets[tailbox__bucket(total, CLI__RECENT_SUB)]++;
}

/* --- samples and moves ---------------------------------------------------- */

static void take_values(struct cli__recent *c, const char *at)
{
	struct tailbox__rec_values v;

	memcpy(&v, at, sizeof(v));
	if (v.type != TAILBOX__REC_VALUES)
		return;
	for (unsigned i = 0; i < v.count && i < 4; i++) {
		if (c->value_count >= CLI__RECENT_VALUES_MAX)
			return;
		c->values[c->value_count++] = (struct cli__recent_value){
			v.of[i].metric, v.of[i].subject, v.value[i]
		};
	}
}

static void take_sample(struct cli__recent *c,
                        const struct tailbox__rec_sample *s, const char *at,
                        size_t more)
{
	if (!saw(c, s->tick) || s->tick < c->sample.tick)
		return;
	c->sample = *s;
	c->value_count = 0;
	for (size_t i = 0; i < more; i++)
		take_values(c, at + i * sizeof(struct tailbox__rec_values));
	const uint64_t cpu =
	        cli__recent_value(c, TAILBOX__METRIC_PROCESS_CPU_US, 0);
	if (cpu == TAILBOX__NONE)
		return;
	const size_t i = c->cpu_count++ % CLI__RECENT_CPU_MAX;
	c->cpu[i].tick = s->tick;
	c->cpu[i].cpu_us = cpu;
}

static void take_stack(struct cli__recent *c,
                       const struct tailbox__rec_stack *head, const char *at,
                       size_t more)
{
	struct cli__recent_stack *s =
	        &c->stacks[c->stack_count % CLI__RECENT_STACKS];
	unsigned n = 0;

	if (!saw(c, head->tick))
		return;
	for (size_t i = 0; i < more; i++) {
		struct tailbox__rec_frames f;
		memcpy(&f, at + i * sizeof(f), sizeof(f));
		for (unsigned k = 0; f.type == TAILBOX__REC_FRAMES &&
		                     k < f.count &&
		                     k < TAILBOX__FRAMES_PER_RECORD &&
		                     n < TAILBOX__STACK_DEPTH;
		     k++)
			s->frame[n++] = f.frame[k];
	}
	s->head = *head;
	if (s->head.count > n)
		s->head.count = (uint8_t)n;
	c->stack_count++;
}

const struct cli__recent_stack *
cli__recent_stack(const struct cli__recent *c, uint32_t thread, uint64_t hold)
{
	const size_t n = c->stack_count < CLI__RECENT_STACKS
	                         ? c->stack_count
	                         : CLI__RECENT_STACKS;

	for (size_t i = 0; i < n; i++)
		if (c->stacks[i].head.thread == thread &&
		    c->stacks[i].head.hold == hold)
			return &c->stacks[i];
	return NULL;
}

static int take_span(struct cli__recent *c, const struct tailbox__rec_span *s)
{
	const uint64_t dur = tailbox__unpack(s->dur);

	if (s->start > c->limit || dur > c->limit || !saw(c, s->start + dur))
		return 0;
	if (s->type != TAILBOX__SPAN_GAUGE_UP &&
	    s->type != TAILBOX__SPAN_GAUGE_DOWN)
		return 0;
	struct cli__recent_move *m = tailbox__list_add(&c->moves);
	if (!m)
		return -ENOMEM;
	m->number = s->number;
	m->name = s->name;
	m->by = s->type == TAILBOX__SPAN_GAUGE_UP ? 1 : -1;
	return 0;
}

static int take_spans(struct cli__recent *c, const char *at, size_t bytes)
{
	struct tailbox__rec_span s;

	for (size_t i = 0; i + sizeof(s) <= bytes; i += sizeof(s)) {
		memcpy(&s, at + i, sizeof(s));
		if (take_span(c, &s) != 0)
			return -ENOMEM;
	}
	return 0;
}

int cli__recent_take(void *cls, unsigned kind, uint32_t thread,
                     const char *records, size_t bytes)
{
	struct cli__recent *c = cls;
	union {
		struct tailbox__rec_request request;
		struct tailbox__rec_sample sample;
		struct tailbox__rec_stack stack;
	} u;

	(void)thread;
	if (kind == TAILBOX__BLOCK_SPANS)
		return take_spans(c, records, bytes);
	for (size_t at = 0; at + sizeof(u) <= bytes; at += sizeof(u)) {
		memcpy(&u, records + at, sizeof(u));
		const size_t left = (bytes - at) / sizeof(u) - 1;
		if (kind == TAILBOX__BLOCK_REQUESTS &&
		    u.request.type == TAILBOX__REC_REQUEST)
			take_request(c, &u.request);
		else if (kind == TAILBOX__BLOCK_SAMPLES &&
		         u.sample.type == TAILBOX__REC_SAMPLE)
			take_sample(c, &u.sample, records + at + sizeof(u),
			            u.sample.more < left ? u.sample.more
			                                 : left);
		else if (kind == TAILBOX__BLOCK_SAMPLES &&
		         u.stack.type == TAILBOX__REC_STACK)
			take_stack(c, &u.stack, records + at + sizeof(u),
			           u.stack.more < left ? u.stack.more : left);
	}
	return 0;
}

uint64_t cli__recent_value(const struct cli__recent *c, unsigned metric,
                           uint16_t subject)
{
	for (size_t i = 0; i < c->value_count; i++)
		if (c->values[i].metric == metric &&
		    c->values[i].subject == subject)
			return c->values[i].value;
	return TAILBOX__NONE;
}

uint64_t cli__recent_cpu_ppm(const struct cli__recent *c, uint64_t now)
{
	const size_t n = c->cpu_count < CLI__RECENT_CPU_MAX
	                         ? c->cpu_count
	                         : CLI__RECENT_CPU_MAX;
	const uint64_t span = CLI__RECENT_SECONDS * c->hz;
	const uint64_t from = now > span ? now - span : 0;
	size_t oldest = n, newest = n;

	for (size_t i = 0; i < n; i++) {
		if (c->cpu[i].tick < from || c->cpu[i].tick > now)
			continue;
		if (oldest == n || c->cpu[i].tick < c->cpu[oldest].tick)
			oldest = i;
		if (newest == n || c->cpu[i].tick > c->cpu[newest].tick)
			newest = i;
	}
	if (oldest == newest ||
	    c->cpu[newest].cpu_us < c->cpu[oldest].cpu_us)
		return TAILBOX__NONE;
	/* us of CPU per second = millionths of one CPU */
	return (uint64_t)((unsigned __int128)(c->cpu[newest].cpu_us -
	                                      c->cpu[oldest].cpu_us) *
	                  c->hz / (c->cpu[newest].tick - c->cpu[oldest].tick));
}

/* --- rates ---------------------------------------------------------------- */

struct merged {
	uint64_t count, status_5xx, max;
	uint64_t buckets[CLI__RECENT_BUCKETS];
};

static uint64_t percentile(const struct merged *m, unsigned percent,
                           struct tailbox__clock_scale scale)
{
	const uint64_t rank = (m->count * percent + 99) / 100;
	uint64_t seen = 0, ticks = m->max;

	for (unsigned b = 0; b < CLI__RECENT_BUCKETS; b++) {
		seen += m->buckets[b];
		if (seen >= rank) {
			ticks = tailbox__bucket_middle(b, CLI__RECENT_SUB);
			break;
		}
	}
	return tailbox__ticks_to_ns(scale, ticks < m->max ? ticks : m->max);
}

static void merge(struct merged *m, const struct cli__recent_slice *s)
{
	m->count += s->count;
	m->status_5xx += s->status_5xx;
	if (s->max > m->max)
		m->max = s->max;
	for (unsigned b = 0; b < CLI__RECENT_BUCKETS; b++)
		m->buckets[b] += s->buckets[b];
}

/* The present second and the nine before it, of those that are whole: so the
 * span is what it is, and is told. */
void cli__recent_rates(const struct cli__recent *c, uint64_t now,
                       uint64_t since, struct tailbox__clock_scale scale,
                       struct cli__top_rates *out)
{
	struct merged m = { .count = 0 };

	*out = (struct cli__top_rates){
		.p50_ns = TAILBOX__NONE,
		.p95_ns = TAILBOX__NONE,
		.p99_ns = TAILBOX__NONE,
		.max_ns = TAILBOX__NONE,
	};
	if (now < c->zero || since > now)
		return;
	const uint64_t last = (now - c->zero) / c->hz;
	uint64_t first = last >= CLI__RECENT_SECONDS
	                         ? last - CLI__RECENT_SECONDS + 1
	                         : 0;
	if (since > c->zero && first * c->hz < since - c->zero)
		first = (since - c->zero + c->hz - 1) / c->hz;
	if (first > last)
		return;
	for (unsigned i = 0; i < CLI__RECENT_SLICES; i++)
		if (c->slices[i].second >= first && c->slices[i].second <= last)
			merge(&m, &c->slices[i]);
	out->span_ns = tailbox__ticks_to_ns(scale,
	                                    now - c->zero - first * c->hz);
	out->finished = m.count;
	out->status_5xx = m.status_5xx;
	if (!m.count)
		return;
	out->p50_ns = percentile(&m, 50, scale);
	out->p95_ns = percentile(&m, 95, scale);
	out->p99_ns = percentile(&m, 99, scale);
	out->max_ns = tailbox__ticks_to_ns(scale, m.max);
}
