/* cli/top_model.c - one frame of `tailbox top`, out of a tape.
 *
 * SPDX-License-Identifier: MIT
 *
 * Order matters: first the records, then the slots and threads, then the
 * clock. So a request that ended meanwhile is counted late and not twice, and
 * no age is below zero. Where the process is stopped or gone, time stands
 * still at the last thing that the tape tells: a request that has been open
 * for 20 ms when it was stopped stays one of 20 ms.
 */
#include "cli/top_internal.h"

#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/from_tape.h"
#include "cli/top_cost.h"
#include "core/alloc.h"
#include "core/metrics.h"

#define COUNTER(field) offsetof(struct tailbox__thread_entry, field)
#define SECOND UINT64_C(1000000000)

struct cli__top_source *cli__top_open(const char *path)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct cli__top_source *s = tailbox__zalloc(1, sizeof(*s));

	if (!s) {
		cli__no_memory();
		return NULL;
	}
	if (tailbox__reader_open(path, &s->reader, &err) < 0) {
		cli__say("%s: %s", path, err.text);
		cli__top_close(s);
		return NULL;
	}
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(s->reader);
	if (cli__recent_create(h->anchor_tick, h->clock_hz, &s->recent) < 0) {
		cli__no_memory();
		cli__top_close(s);
		return NULL;
	}
	return s;
}

static void forget_frame(struct cli__top *t)
{
	tailbox__free(t->losses);
	tailbox__free(t->workers);
	tailbox__free(t->requests);
	tailbox__free(t->queues);
	tailbox__free(t->accepts);
	tailbox__free(t->gauges);
	memset(t, 0, sizeof(*t));
}

void cli__top_close(struct cli__top_source *s)
{
	if (!s)
		return;
	forget_frame(&s->frame);
	cli__recent_destroy(s->recent);
	tailbox__reader_close(s->reader);
	tailbox__free(s);
}

/* --- time ----------------------------------------------------------------- */

uint64_t cli__top_ns(const struct cli__top_source *s, uint64_t tick)
{
	return tick && tick < s->now
	               ? tailbox__ticks_to_ns(s->scale, s->now - tick)
	               : 0;
}

static void later(uint64_t *last, uint64_t tick, uint64_t limit)
{
	if (tick > *last && tick <= limit)
		*last = tick;
}

/* The last tick that anything on the tape names. */
static uint64_t last_sign(const struct cli__top_source *s, uint64_t limit)
{
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(s->reader);
	uint64_t last = s->recent->last;

	later(&last, TAILBOX__GET(h->now_tick), limit);
	for (long i = 0; i < s->thread_count; i++) {
		later(&last, TAILBOX__GET(s->threads[i].last_seen), limit);
		later(&last, TAILBOX__GET(s->threads[i].hold_since), limit);
	}
	for (long i = 0; i < s->slot_count; i++) {
		const struct tailbox__slot *q = &s->slots[i];
		if (TAILBOX__GET(q->state) != TAILBOX__SLOT_OPEN)
			continue;
		later(&last, TAILBOX__GET(q->line), limit);
		later(&last, tailbox__slot_phase_since(q), limit);
		later(&last, TAILBOX__GET(q->where_since), limit);
	}
	return last;
}

/* --- what stands at the top ----------------------------------------------- */

static void put_identity(struct cli__top_source *s)
{
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(s->reader);
	struct cli__top *t = &s->frame;
	const uint64_t since = s->whole_since;

	t->service = h->service;
	t->version = h->service_version;
	t->pid = tailbox__reader_writer_pid(s->reader);
	if (!t->pid)
		t->pid = h->pid;
	t->is_recording = TAILBOX__GET(h->end_state) == TAILBOX__END_OPEN &&
	                  TAILBOX__GET(h->recorder_on);
	t->started_ms = h->anchor_wall_ns / 1000000;
	t->as_of_ms = tailbox__reader_wall_ns(s->reader, s->now) / 1000000;
	t->tape_bytes = h->file_bytes;
	t->has_wrapped = since > h->anchor_tick;
	t->history_ns = since ? cli__top_ns(s, since) : TAILBOX__NONE;
}

static bool put_losses(struct cli__top_source *s)
{
	struct cli__tape_view v = { .reader = s->reader };
	struct cli__top *t = &s->frame;
	size_t room = 0;

	for (const struct cli__tape_loss *l = cli__tape_losses; l->key; l++)
		room++;
	t->losses = tailbox__alloc(room + 2, sizeof(*t->losses));
	if (!t->losses)
		return false;
	for (const struct cli__tape_loss *l = cli__tape_losses; l->key; l++) {
		const uint64_t n = cli__tape_lost(&v, l);
		if (n)
			t->losses[t->loss_count++] = (struct cli__top_loss){
				l->key, l->text, n
			};
	}
	/* Since we look, that is; the frames' rates miss them. */
	const uint64_t blocks = tailbox__reader_lost_blocks(s->reader);
	if (blocks)
		t->losses[t->loss_count++] = (struct cli__top_loss){
			"unread_blocks",
			"blocks overwritten before this top had read them",
			blocks
		};
	/* As far as all the rest of the frame has met it. */
	const uint64_t damaged = tailbox__reader_damaged_blocks(s->reader) +
	                         tailbox__reader_damaged_names(s->reader);
	if (damaged)
		t->losses[t->loss_count++] = (struct cli__top_loss){
			"damaged", "damaged blocks and names of the tape",
			damaged
		};
	t->begun = tailbox__reader_sum(s->reader, COUNTER(begun));
	t->done = tailbox__reader_sum(s->reader, COUNTER(finished));
	return true;
}

/* Shares since the oldest note of the last ten seconds, at first since the
 * recorder's start. */
static void put_cost(struct cli__top_source *s)
{
	struct cli__top *t = &s->frame;
	struct cli__cost_note now = { s->now_ns, 0, 0 }, from = { 0, 0, 0 };
	const struct tailbox__tape_header *h =
	        tailbox__reader_header(s->reader);

	t->own_cpu_ns = t->own_ppm = t->process_ppm = TAILBOX__NONE;
	if (!tailbox__reader_writer_pid(s->reader) ||
	    !cli__top_cost(t->pid, &now.own_ns, &now.process_ns))
		return;
	t->own_cpu_ns = now.own_ns;
	from.at_ns = now.at_ns - cli__top_ns(s, h->anchor_tick);
	for (unsigned i = CLI__COST_NOTES; i > 0; i--) {
		const struct cli__cost_note *n =
		        &s->notes[(s->note_count + CLI__COST_NOTES - i) %
		                  CLI__COST_NOTES];
		if (i > s->note_count || now.at_ns - n->at_ns > 11 * SECOND ||
		    now.at_ns - n->at_ns < SECOND / 2)
			continue;
		from = *n;
		break;
	}
	if (!s->note_count ||
	    now.at_ns - s->notes[(s->note_count - 1) % CLI__COST_NOTES].at_ns >
	            SECOND)
		s->notes[s->note_count++ % CLI__COST_NOTES] = now;
	const uint64_t own = now.own_ns - from.own_ns;
	const uint64_t process = now.process_ns - from.process_ns;
	if (now.own_ns < from.own_ns || now.process_ns < from.process_ns)
		return; /* a thread of ours has ended */
	if (now.at_ns > from.at_ns)
		t->own_ppm = (uint64_t)((unsigned __int128)own * 1000000 /
		                        (now.at_ns - from.at_ns));
	if (process >= SECOND / 10) /* known in steps of 10 ms */
		t->process_ppm = (uint64_t)((unsigned __int128)own * 1000000 /
		                            process);
}

/* --- all ------------------------------------------------------------------ */

/* Records, then slots and threads, then the time. Gives what failed. */
static const char *look(struct cli__top_source *s)
{
	struct timespec ts;

	if (tailbox__reader_refresh(s->reader) < 0)
		return "the tape was cut or overwritten";
	const enum tailbox__writer_state writer =
	        tailbox__reader_writer(s->reader);
	const uint64_t clock = tailbox__reader_now(s->reader);
	s->scale = tailbox__reader_scale(s->reader);
	/* A second: what is recorded while it is read. */
	s->recent->limit = clock ? clock + s->recent->hz : UINT64_MAX / 2;
	const int rc =
	        tailbox__reader_poll(s->reader, cli__recent_take, s->recent);
	if (rc < 0)
		return rc == -ENOMEM ? "out of memory"
		                     : "the tape cannot be read to its end";
	s->slot_count = tailbox__reader_slots(s->reader, &s->slots);
	s->thread_count = tailbox__reader_threads(s->reader, &s->threads);
	if (s->slot_count < 0 || s->thread_count < 0)
		return "the tape cannot be read whole";
	s->whole_since = tailbox__reader_whole_since(s->reader);
	s->frame.writer = writer;
	const uint64_t last = last_sign(s, s->recent->limit);
	s->frame.is_frozen = writer != TAILBOX__WRITER_LIVE || !clock;
	s->now = s->frame.is_frozen ? last : tailbox__reader_now(s->reader);
	s->frame.last_record_ns =
	        clock ? tailbox__ticks_to_ns(s->scale,
	                                     clock > last ? clock - last : 0)
	              : TAILBOX__NONE;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	s->now_ns = (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
	return NULL;
}

const struct cli__top *cli__top_frame(struct cli__top_source *s,
                                      const char **why)
{
	forget_frame(&s->frame);
	*why = look(s);
	if (*why)
		return NULL;
	put_identity(s);
	put_cost(s);
	cli__recent_rates(s->recent, s->now, s->whole_since, s->scale,
	                  &s->frame.rates);
	s->frame.cpu_ppm = cli__recent_cpu_ppm(s->recent, s->now);
	if (!cli__top_put_requests(s) || !cli__top_put_workers(s) ||
	    !cli__top_put_queues(s) || !cli__top_put_gauges(s) ||
	    !put_losses(s)) {
		*why = "out of memory";
		return NULL;
	}
	return &s->frame;
}
