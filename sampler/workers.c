/* sampler/workers.c - what each worker does: CPU, run queue, state, hold.
 *
 * SPDX-License-Identifier: MIT
 *
 * Workers are the threads of the tape that ran a callback of a recorded
 * daemon, and the threads that came into being with a daemon and have not run
 * one yet: an idle worker is worth as much to know as a busy one. (Thread
 * names prove nothing: a thread that a handler starts inherits its name.)
 * Where MHD makes a thread per connection, that second kind is its acceptor
 * and left out.
 *
 * A sample has room for about 25 workers. When there are more, the ones that
 * have been held longest are shown, then the first ones; the others are not in
 * this sample at all. The sums (busy workers, requests behind them) are over
 * all.
 *
 * Each worker costs three descriptors of the service, which are its and not
 * ours to use up: at most TAILBOX__WORKERS_MAX threads are kept open, fewer
 * under a small RLIMIT_NOFILE; what the files would tell of the workers beyond
 * is unknown. Where the chosen ones change from sample to sample, a thread
 * whose files were closed in between has no CPU time to tell at first: a
 * delta needs two looks.
 *
 * wchan is the dearest of the three (the kernel unwinds a stack and searches
 * its symbols: 7 to 10 us with cold caches, as much as the other two). It is
 * read where it says something: of a worker that sleeps in the application or
 * on a disk. Of others it is known while they have not run since the last
 * look, which is taken every WCHAN_EVERY samples; else it is left out. The
 * system call is asked for of a worker that is stuck: held for a clock tick
 * and asleep, once for each sleep; its file is not kept open.
 */
#include "sampler/workers.h"

#include <stdio.h>
#include <sys/resource.h>

#include "core/clock.h"

enum { FILES_MIN = 2, WCHAN_EVERY = 10 };

void tailbox__workers_init(struct tailbox__workers *w)
{
	const struct tailbox__proc_file closed = TAILBOX__PROC_FILE;
	struct rlimit limit;

	w->files_max = TAILBOX__WORKERS_MAX;
	/* About a tenth of what the process may open. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur / 32 < w->files_max)
		w->files_max = (uint32_t)(limit.rlim_cur / 32);
	if (w->files_max < FILES_MIN)
		w->files_max = FILES_MIN;
	for (uint32_t i = 0; i < TAILBOX__WORKERS_MAX; i++) {
		struct tailbox__worker_files *f = &w->files[i];

		f->tid = 0;
		f->last_used = 0;
		f->schedstat = f->stat = f->wchan = closed;
		f->has_last = false;
		f->wchan_name = f->syscall_name = TAILBOX__NAME_NONE;
		f->wchan_sample = 0;
	}
	w->sample = 0;
	w->chosen_count = 0;
}

static void close_files(struct tailbox__worker_files *f)
{
	tailbox__proc_close(&f->schedstat);
	tailbox__proc_close(&f->stat);
	tailbox__proc_close(&f->wchan);
	f->tid = 0;
	f->last_used = 0;
	f->has_last = false;
	f->wchan_name = f->syscall_name = TAILBOX__NAME_NONE;
	f->wchan_sample = 0;
}

void tailbox__workers_close(struct tailbox__workers *w)
{
	for (uint32_t i = 0; i < TAILBOX__WORKERS_MAX; i++)
		close_files(&w->files[i]);
}

/* --- who they are --------------------------------------------------------- */

/* Keep the worker when there is room, or in the place of the one that has
 * been held for the shortest time. */
static void consider(struct tailbox__workers *w, uint32_t max,
                     const struct tailbox__worker *one)
{
	if (w->chosen_count < max) {
		w->chosen[w->chosen_count++] = *one;
		return;
	}
	if (max == 0)
		return;
	struct tailbox__worker *least = &w->chosen[max - 1];
	for (uint32_t i = max - 1; i-- > 0;)
		if (w->chosen[i].held_ticks < least->held_ticks)
			least = &w->chosen[i];
	if (one->held_ticks > least->held_ticks)
		*least = *one;
}

static const struct tailbox__daemon *
recorded(const struct tailbox__daemon *daemons, uint32_t count,
         uint32_t number)
{
	for (uint32_t i = 0; i < count; i++)
		if (daemons[i].number == number && daemons[i].is_recorded)
			return &daemons[i];
	return NULL;
}

static bool has_entry(const struct tailbox__scan *scan, uint32_t tid)
{
	for (uint32_t i = 0; i < scan->thread_count; i++)
		if (scan->threads[i].tid == tid)
			return true;
	return false;
}

/* Those of the daemon's threads that are on no entry of the tape. */
static void find_unseen(struct tailbox__workers *w,
                        const struct tailbox__scan *scan,
                        const struct tailbox__daemon *d, uint32_t max)
{
	if (d->mode != TAILBOX__DAEMON_SINGLE &&
	    d->mode != TAILBOX__DAEMON_POOL)
		return;
	for (uint32_t i = 0; i < d->tid_count && i < 64; i++) {
		const struct tailbox__worker one = {
			.tid = d->tids[i],
			.subject = TAILBOX__WORKER_UNSEEN_OF(d->number, i),
			.thread = UINT32_MAX,
		};

		if (one.tid != 0 && !has_entry(scan, one.tid) &&
		    !tailbox__is_own_thread(one.tid))
			consider(w, max, &one);
	}
}

static void sort_by_subject(struct tailbox__worker *of, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		const struct tailbox__worker one = of[i];
		uint32_t at = i;

		for (; at > 0 && of[at - 1].subject > one.subject; at--)
			of[at] = of[at - 1];
		of[at] = one;
	}
}

void tailbox__workers_find(struct tailbox__workers *w,
                           const struct tailbox__scan *scan,
                           const struct tailbox__daemon *daemons,
                           uint32_t daemon_count, unsigned room)
{
	uint32_t max = room / TAILBOX__WORKER_VALUES_MAX;

	if (max > TAILBOX__WORKERS_MAX)
		max = TAILBOX__WORKERS_MAX;
	w->chosen_count = 0;
	w->busy = w->behind = 0;
	for (uint32_t i = 0; i < scan->thread_count; i++) {
		const struct tailbox__scan_thread *t = &scan->threads[i];
		const struct tailbox__worker one = {
			.tid = t->tid,
			.subject = (uint16_t)i,
			.thread = i,
			.held_ticks = t->held_ticks,
		};

		if (t->tid == 0 || t->daemon == 0 ||
		    !recorded(daemons, daemon_count, t->daemon))
			continue;
		w->busy += t->held_ticks != 0;
		if (t->behind != TAILBOX__UNKNOWN)
			w->behind += t->behind;
		consider(w, max, &one);
	}
	for (uint32_t i = 0; i < daemon_count; i++)
		if (daemons[i].is_recorded)
			find_unseen(w, scan, &daemons[i], max);
	sort_by_subject(w->chosen, w->chosen_count);
}

/* --- what they do --------------------------------------------------------- */

/* The files of this thread: kept, or those not used for the longest time.
 * NULL when this sample has used all of them. */
static struct tailbox__worker_files *files_of(struct tailbox__workers *w,
                                              uint32_t tid)
{
	struct tailbox__worker_files *oldest = &w->files[0];

	for (uint32_t i = 0; i < w->files_max; i++) {
		struct tailbox__worker_files *f = &w->files[i];

		if (f->tid == tid) {
			f->last_used = w->sample;
			return f;
		}
		if (f->last_used < oldest->last_used)
			oldest = f;
	}
	if (oldest->last_used == w->sample)
		return NULL;
	close_files(oldest);
	oldest->tid = tid;
	oldest->last_used = w->sample;
	return oldest;
}

static bool read_file(struct tailbox__worker_files *f,
                      struct tailbox__proc_file *file, const char *name,
                      char *buf, size_t room)
{
	char path[64];

	if (tailbox__proc_read(file, NULL, buf, room) >= 0)
		return true;
	if (file->fd == TAILBOX__PROC_ABSENT)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%u/%s", f->tid, name);
	return tailbox__proc_read(file, path, buf, room) >= 0;
}

/* Adds the times; true when the thread has not run since the last look. */
static bool add_times(struct tailbox__worker_files *f, uint16_t subject,
                      struct tailbox__values *out)
{
	char text[128];
	uint64_t run, wait, slices;
	bool is_unmoved = false;

	if (!read_file(f, &f->schedstat, "schedstat", text, sizeof(text)) ||
	    !tailbox__parse_schedstat(text, &run, &wait, &slices)) {
		f->has_last = false;
		return false;
	}
	/* Opened anew: the number belongs to another thread now. */
	if (f->has_last && f->last_opened == f->schedstat.opened &&
	    run >= f->last_run_ns && wait >= f->last_wait_ns) {
		/* In whole us, so that the parts add up over samples. */
		tailbox__values_add(out, TAILBOX__METRIC_WORKER_CPU_US,
		                    subject,
		                    run / 1000 - f->last_run_ns / 1000);
		tailbox__values_add(out, TAILBOX__METRIC_WORKER_RUNQ_US,
		                    subject,
		                    wait / 1000 - f->last_wait_ns / 1000);
		/* Not the time it ran: that is up to a tick old. */
		is_unmoved = slices == f->last_slices;
	}
	f->has_last = true;
	f->last_opened = f->schedstat.opened;
	f->last_run_ns = run;
	f->last_wait_ns = wait;
	f->last_slices = slices;
	return is_unmoved;
}

static uint16_t read_wchan(struct tailbox__worker_files *f)
{
	char text[256], name[TAILBOX_NAME_MAX + 1];

	if (!read_file(f, &f->wchan, "wchan", text, sizeof(text)) ||
	    !tailbox__parse_wchan(text, name, sizeof(name)))
		return TAILBOX__NAME_NONE;
	return tailbox__name_cstr(name);
}

static void add_wchan(struct tailbox__worker_files *f, uint16_t subject,
                      char state, bool is_unmoved, bool is_held,
                      uint32_t sample, struct tailbox__values *out)
{
	bool is_asleep = state == 'S' || state == 'D';

	/* One that was woken and waits for a CPU has not run either, but its
	 * state has changed. */
	if (!is_unmoved || state != f->wchan_state)
		f->wchan_name = f->syscall_name = TAILBOX__NAME_NONE;
	f->wchan_state = state;
	if (!is_asleep)
		return;
	if (f->wchan_name == TAILBOX__NAME_NONE &&
	    (is_held || state == 'D' || f->wchan_sample == 0 ||
	     sample - f->wchan_sample >= WCHAN_EVERY)) {
		f->wchan_name = read_wchan(f);
		f->wchan_sample = sample;
	}
	if (f->wchan_name != TAILBOX__NAME_NONE)
		tailbox__values_add(out, TAILBOX__METRIC_WORKER_WCHAN, subject,
		                    f->wchan_name);
}

/* After add_wchan(): that one forgets what an earlier sleep was in. */
static void add_syscall(struct tailbox__worker_files *f, uint16_t subject,
                        char state, uint64_t held_ticks,
                        struct tailbox__values *out)
{
	char name[32];

	if ((state != 'S' && state != 'D') ||
	    held_ticks < tailbox__us_to_ticks(tailbox__clock.jiffy_us))
		return;
	if (f->syscall_name == TAILBOX__NAME_NONE &&
	    tailbox__task_syscall(0, f->tid, name, sizeof(name), NULL))
		f->syscall_name = tailbox__name_cstr(name);
	if (f->syscall_name != TAILBOX__NAME_NONE)
		tailbox__values_add(out, TAILBOX__METRIC_WORKER_SYSCALL,
		                    subject, f->syscall_name);
}

/* What the kernel tells; *letter: its state, stays 0 where unknown. False when
 * there is no such thread, as far as we can see. */
static bool add_task(struct tailbox__worker_files *f, uint16_t subject,
                     uint64_t held_ticks, uint32_t sample,
                     struct tailbox__values *out, char *letter)
{
	char text[1024];

	if (!read_file(f, &f->stat, "stat", text, sizeof(text)))
		return false;
	char state = *letter = tailbox__parse_state(text);
	bool is_unmoved = add_times(f, subject, out);

	if (state)
		tailbox__values_add(out, TAILBOX__METRIC_WORKER_STATE, subject,
		                    (unsigned char)state);
	add_wchan(f, subject, state, is_unmoved, held_ticks != 0, sample, out);
	add_syscall(f, subject, state, held_ticks, out);
	return true;
}

/* What the tape tells. A worker without an entry never was in the
 * application and never had a connection. */
static void add_hold(const struct tailbox__worker *one,
                     const struct tailbox__scan *scan,
                     struct tailbox__clock_scale scale,
                     struct tailbox__values *out)
{
	static const struct tailbox__scan_thread unseen = {
		.behind = TAILBOX__UNKNOWN
	};
	const struct tailbox__scan_thread *t =
	        one->thread == UINT32_MAX ? &unseen :
	                                    &scan->threads[one->thread];

	tailbox__values_add(out, TAILBOX__METRIC_WORKER_HELD_US, one->subject,
	                    tailbox__ticks_to_ns(scale, t->held_ticks) / 1000);
	if (t->held_ticks && t->route != TAILBOX__NAME_NONE)
		tailbox__values_add(out, TAILBOX__METRIC_WORKER_ROUTE,
		                    one->subject, t->route);
	tailbox__values_add(out, TAILBOX__METRIC_WORKER_BEHIND, one->subject,
	                    t->behind);
	tailbox__values_add(out, TAILBOX__METRIC_WORKER_CONNECTIONS,
	                    one->subject, t->connections);
}

/* Requests that lay there when the scan looked, while the worker sleeps now
 * and was in no callback in between: nobody woke it for them. What is ready
 * for one that runs, or has run, is simply next. Of a held worker there is no
 * such figure, so that the values per worker are no more than before. */
static void add_ready(const struct tailbox__worker *one, char state,
                      const struct tailbox__scan *scan,
                      struct tailbox__values *out)
{
	if (one->thread != UINT32_MAX && state == 'S' &&
	    tailbox__scan_is_still(scan, one->thread))
		tailbox__values_add(out, TAILBOX__METRIC_WORKER_READY,
		                    one->subject,
		                    scan->threads[one->thread].ready);
}

void tailbox__workers_add(struct tailbox__workers *w,
                          const struct tailbox__scan *scan,
                          struct tailbox__values *out)
{
	struct tailbox__clock_scale scale =
	        tailbox__scale_of_hz(tailbox__clock.hz);

	w->sample++;
	for (uint32_t i = 0; i < w->chosen_count; i++) {
		const struct tailbox__worker *one = &w->chosen[i];
		struct tailbox__worker_files *f = files_of(w, one->tid);
		char state = 0;
		bool is_there = f && add_task(f, one->subject,
		                              one->held_ticks, w->sample, out,
		                              &state);

		/* A thread of a daemon's list that has ended since. */
		if (is_there || one->thread != UINT32_MAX)
			add_hold(one, scan, scale, out);
		add_ready(one, state, scan, out);
	}
}
