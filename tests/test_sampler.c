/* tests/test_sampler.c - samples on an open tape, read back by a reader.
 *
 * SPDX-License-Identifier: MIT
 *
 * Workers are made here: a thread entry that says "held since" and slots with
 * sockets of ours are all that the sampler ever sees of a server.
 * e2e_sampler.c has the real one.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <tailbox/sample.h>

#include "core/alloc.h"
#include "core/run.h"
#include "sampler/sample.h"
#include "sampler/sampler.h"
#include "tests/test_sampler_fixture.h"

static struct tailbox__thread *self;

static void open_tape(void)
{
	fixture_open(TAILBOX__TAPE_DEFAULT);
	samples_open();
	self = tailbox__thread_get();
	ck_assert_ptr_nonnull(self);
}

static void close_tape(void)
{
	tailbox__sampler_stop();
	samples_close();
	fixture_close();
}

static uint64_t ms_ago(uint64_t ms)
{
	return tailbox__now() - tailbox__us_to_ticks(ms * 1000);
}

/* One sample by the calling thread, read back. */
static void sample_now(struct tailbox__sampling *s)
{
	size_t before = samples_read();

	ck_assert(tailbox__sample_take(s, 100, TAILBOX__UNKNOWN));
	ck_assert_uint_eq(samples_read(), before + 1);
}

static struct tailbox__sampling *sampling(void)
{
	struct tailbox__sampling *s;

	ck_assert_int_eq(tailbox__sampling_create(&s), 0);
	return s;
}

static struct tailbox__daemon add_daemon(enum tailbox__daemon_mode mode,
                                         uint32_t workers)
{
	struct tailbox__daemon d = {
		.mode = mode,
		.workers = workers,
		.listen_fd = -1,
		.is_recorded = true,
	};

	ck_assert_int_eq(tailbox__daemon_add(&d), 0);
	return d;
}

struct helper {
	pthread_t thread;
	sem_t is_there, may_end;
	uint32_t tid;
	bool is_ours;
	int pipe_fd; /* 0 = none */
};

static void *help(void *arg)
{
	struct helper *h = arg;

	if (h->is_ours)
		tailbox__own_thread(true);
	h->tid = (uint32_t)syscall(SYS_gettid);
	sem_post(&h->is_there);
	sem_wait(&h->may_end);
	/* Somewhere else in the kernel until the pipe is closed. */
	if (h->pipe_fd) {
		char c;
		while (read(h->pipe_fd, &c, 1) < 0 && errno == EINTR)
			;
	}
	if (h->is_ours)
		tailbox__own_thread(false);
	return NULL;
}

static void helper_start(struct helper *h, bool is_ours)
{
	h->is_ours = is_ours;
	h->pipe_fd = 0;
	sem_init(&h->is_there, 0, 0);
	sem_init(&h->may_end, 0, 0);
	ck_assert_int_eq(pthread_create(&h->thread, NULL, help, h), 0);
	sem_wait(&h->is_there);
}

static void helper_end(struct helper *h)
{
	char path[64];

	sem_post(&h->may_end);
	pthread_join(h->thread, NULL);
	snprintf(path, sizeof(path), "/proc/self/task/%u", h->tid);
	while (access(path, F_OK) == 0)
		sched_yield();
}

/* --- the thread ----------------------------------------------------------- */

START_TEST(the_first_sample_comes_at_once_and_is_whole)
{
	ck_assert_int_eq(tailbox__sampler_start(60000), 0);
	ck_assert_uint_eq(tailbox__sampler_interval(), 60000);
	samples_wait(1);
	const struct tailbox__rec_sample *s = &sample.rec;
	ck_assert_uint_eq(s->alive_tasks, 0);
	ck_assert_uint_eq(s->worker_count, UINT32_MAX);
	ck_assert_uint_eq(s->global_queue_depth, 0);
	ck_assert_uint_eq(s->local_queue_depth, 0);
	ck_assert_uint_eq(s->blocking_queue_depth, 0);
	ck_assert_uint_eq(s->remote_schedule_count, 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_CONNECTIONS, 0), 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_BUSY_WORKERS, 0), 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_SUSPENDED, 0), 0);
	/* There was no deadline to be late for. */
	ck_assert(!has(TAILBOX__METRIC_SAMPLER_LATE_US, 0));
	ck_assert(has(TAILBOX__METRIC_PROCESS_CPU_US, 0));
	ck_assert_uint_gt(known(TAILBOX__METRIC_RSS_BYTES, 0), 0);
}
END_TEST

START_TEST(a_start_is_one_at_a_time)
{
	struct tailbox__sampler_cost cost;

	tailbox__sampler_stop();
	ck_assert_int_eq(tailbox__sampler_start(60000), 0);
	ck_assert_int_eq(tailbox__sampler_start(60000), -EALREADY);
	samples_wait(1);
	tailbox__sampler_stop();
	tailbox__sampler_stop();
	ck_assert_uint_eq(tailbox__sampler_interval(), 0);
	tailbox__sampler_cost(&cost);
	ck_assert_uint_eq(cost.samples, 1);
	ck_assert_uint_gt(cost.cpu_ns, 0);
	/* And again; the cost is counted from the start. */
	ck_assert_int_eq(tailbox__sampler_start(60000), 0);
	samples_wait(2);
}
END_TEST

START_TEST(ticks_come_and_a_new_interval_counts_at_once)
{
	struct tailbox__sampler_cost cost;

	ck_assert_int_eq(tailbox__sampler_start(60000), 0);
	samples_wait(1);
	tailbox__sampler_set_interval(50000);
	samples_wait(2);
	ck_assert(!has(TAILBOX__METRIC_SAMPLER_LATE_US, 0));
	tailbox__sampler_set_interval(10);
	samples_wait(3);
	samples_wait(6);
	ck_assert(has(TAILBOX__METRIC_SAMPLER_LATE_US, 0));
	tailbox__sampler_set_interval(0);
	ck_assert_uint_eq(tailbox__sampler_interval(), 0);
	/* Parked: what is under way ends, then the count stands. */
	uint64_t before;
	do {
		tailbox__sampler_cost(&cost);
		before = cost.samples;
		usleep(30000);
		tailbox__sampler_cost(&cost);
	} while (cost.samples != before);
	tailbox__sampler_set_interval(60000);
	samples_wait(before + 1);
}
END_TEST

START_TEST(ticks_are_on_a_grid)
{
	ck_assert_int_eq(tailbox__sampler_start(20), 0);
	samples_wait(1);
	uint64_t first = sample.rec.tick;
	samples_wait(11);
	uint64_t took = tailbox__ticks_to_ns(
	        tailbox__scale_of_hz(tailbox__clock.hz),
	        sample.rec.tick - first);
	/* Ten intervals at least, but for the start of the first. */
	ck_assert_uint_ge(took, 190000000);
}
END_TEST

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

START_TEST(an_application_asks_for_a_sample)
{
	struct tailbox__sampler_cost cost;
	uint64_t start;

	ck_assert_int_eq(tailbox_sample_now(), -TAILBOX_ESTATE);
	ck_assert_int_eq(tailbox__sampler_start(60000), 0);
	do {
		tailbox__sampler_cost(&cost);
	} while (cost.samples < 1);
	/* A storm of calls is few samples: at most one in 10 ms. */
	start = now_ms();
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(tailbox_sample_now(), 0);
	do {
		tailbox__sampler_cost(&cost);
	} while (cost.samples < 2);
	ck_assert_uint_le(cost.samples, 2 + (now_ms() - start) / 10 + 1);
	/* And the one that is due comes, without any more calls. */
	const uint64_t before = cost.samples;
	ck_assert_int_eq(tailbox_sample_now(), 0);
	do {
		tailbox__sampler_cost(&cost);
	} while (cost.samples <= before);
	tailbox__sampler_park(true);
	ck_assert_int_eq(tailbox_sample_now(), -ECANCELED);
	tailbox__sampler_park(false);
	tailbox__sampler_stop();
	ck_assert_int_eq(tailbox_sample_now(), -TAILBOX_ESTATE);
}
END_TEST

START_TEST(without_a_tape_there_is_no_start)
{
	ck_assert_int_eq(tailbox__sampler_start(100), -TAILBOX_ESTATE);
	tailbox__sampler_stop();
	tailbox__sampler_set_interval(100);
	ck_assert_uint_eq(tailbox__sampler_interval(), 0);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	long live = tailbox__alloc_live();
	int rc = -ENOMEM;

	for (long n = 0; rc != 0; n++) {
		ck_assert_int_lt(n, 20);
		tailbox__alloc_fail_after(n);
		rc = tailbox__sampler_start(60000);
		tailbox__alloc_fail_after(-1);
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_int_eq(tailbox__alloc_live(), live);
		ck_assert_uint_eq(tailbox__sampler_interval(), 0);
	}
	tailbox__sampler_stop();
	ck_assert_int_eq(tailbox__alloc_live(), live);
}
END_TEST

START_TEST(start_and_stop_leave_nothing)
{
	bool was_listed;
	uint64_t fds = 0;

	for (int i = 0; i < 30; i++) {
		ck_assert_int_eq(tailbox__sampler_start(10), 0);
		samples_wait(samples_read() + 1);
		tailbox__sampler_stop();
		if (i == 5)
			fds = tailbox__open_fds(&was_listed);
	}
	ck_assert_uint_eq(tailbox__open_fds(&was_listed), fds);
}
END_TEST

START_TEST(while_off_there_are_no_samples)
{
	struct tailbox__sampling *s = sampling();

	tailbox__recorder_set(false);
	ck_assert(!tailbox__sample_take(s, 100, 0));
	tailbox__recorder_set(true);
	sample_now(s);
	tailbox__sampling_destroy(s);
	tailbox__sampling_destroy(NULL);
}
END_TEST

static volatile sig_atomic_t signalled_tid;

static void on_signal(int number)
{
	(void)number;
	signalled_tid = (sig_atomic_t)syscall(SYS_gettid);
}

START_TEST(the_thread_takes_no_signals)
{
	sigset_t usr1;

	ck_assert_int_eq(tailbox__sampler_start(10), 0);
	samples_wait(1);
	signal(SIGUSR1, on_signal);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	/* Blocked here: if the sampler could take it, it would. */
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	kill(getpid(), SIGUSR1);
	samples_wait(samples_read() + 3);
	ck_assert_int_eq(signalled_tid, 0);
	pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	ck_assert_int_eq(signalled_tid, (int)syscall(SYS_gettid));
	signal(SIGUSR1, SIG_DFL);
}
END_TEST

START_TEST(a_forked_child_has_no_sampler)
{
	struct tailbox_pool *p = tailbox_pool_register("x", 0, 1);
	bool was_listed;
	uint64_t before = tailbox__open_fds(&was_listed);

	ck_assert_int_eq(tailbox__sampler_start(10), 0);
	samples_wait(5);
	pid_t child = fork();
	if (child == 0) {
		struct tailbox__sampler_cost cost;

		tailbox__sampler_in_child();
		tailbox__sampler_stop();
		tailbox__sampler_cost(&cost);
		tailbox_pool_unregister(p);
		/* The tape's own descriptor is closed in a child. */
		_exit(cost.samples != 0 || tailbox__sampler_interval() != 0 ||
		      tailbox__sampler_start(10) == -EALREADY ||
		      tailbox__open_fds(&was_listed) > before);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	samples_wait(samples_read() + 1);
	tailbox_pool_unregister(p);
}
END_TEST

/* --- daemons -------------------------------------------------------------- */

START_TEST(worker_count_sums_fixed_numbers_only)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon pool = add_daemon(TAILBOX__DAEMON_POOL, 4);
	struct tailbox__daemon single = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	struct tailbox__daemon outer =
	        add_daemon(TAILBOX__DAEMON_EXTERNAL, 1);

	sample_now(s);
	ck_assert_uint_eq(sample.rec.worker_count, 6);
	struct tailbox__daemon threads =
	        add_daemon(TAILBOX__DAEMON_THREADS, 0);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.worker_count, UINT32_MAX);
	tailbox__daemon_remove(threads.number);
	/* One that is not recorded does not count. */
	struct tailbox__daemon other = { .mode = TAILBOX__DAEMON_THREADS,
		                         .listen_fd = -1,
		                         .connection_limit = 5 };
	ck_assert_int_eq(tailbox__daemon_add(&other), 0);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.worker_count, 6);
	ck_assert(!has(TAILBOX__METRIC_CONNECTION_LIMIT,
	               (uint16_t)other.number));
	tailbox__daemon_remove(pool.number);
	tailbox__daemon_remove(single.number);
	tailbox__daemon_remove(outer.number);
	tailbox__daemon_remove(other.number);
	tailbox__sampling_destroy(s);
}
END_TEST

static void listen_on(struct tailbox__daemon *d, struct sockaddr *addr,
                      socklen_t len)
{
	struct stat st;

	d->mode = TAILBOX__DAEMON_POOL;
	d->workers = 2;
	d->is_recorded = true;
	d->connection_limit = 100;
	d->listen_fd = socket(addr->sa_family, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(d->listen_fd, addr, len), 0);
	ck_assert_int_eq(listen(d->listen_fd, 33), 0);
	ck_assert_int_eq(getsockname(d->listen_fd, addr, &len), 0);
	ck_assert_int_eq(fstat(d->listen_fd, &st), 0);
	d->listen_dev = st.st_dev;
	d->listen_ino = st.st_ino;
	ck_assert_int_eq(tailbox__daemon_add(d), 0);
}

START_TEST(one_unreadable_accept_queue_makes_the_sum_null)
{
	struct tailbox__sampling *s = sampling();
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct tailbox__daemon a = { 0 }, b, c = { 0 };
	int client = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listen_on(&a, (void *)&in, sizeof(in));
	ck_assert_int_eq(connect(client, (void *)&in, sizeof(in)), 0);
	do
		sample_now(s);
	while (sample.rec.global_queue_depth != 1);
	uint16_t number = (uint16_t)a.number;
	ck_assert_uint_eq(value(TAILBOX__METRIC_ACCEPT_QUEUE, number), 1);
	ck_assert_uint_eq(value(TAILBOX__METRIC_ACCEPT_QUEUE_LIMIT, number),
	                  33);
	ck_assert_uint_eq(value(TAILBOX__METRIC_CONNECTION_LIMIT, number),
	                  100);
	/* The same socket under two daemons is one queue. */
	b = a;
	ck_assert_int_eq(tailbox__daemon_add(&b), 0);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, 1);
	ck_assert_uint_eq(sample.rec.worker_count, 4);
	tailbox__daemon_remove(b.number);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/sock", fixture_dir);
	listen_on(&c, (void *)&un, sizeof(un));
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, UINT64_MAX);
	ck_assert_uint_eq(value(TAILBOX__METRIC_ACCEPT_QUEUE, number), 1);
	ck_assert(!has(TAILBOX__METRIC_ACCEPT_QUEUE, (uint16_t)c.number));
	tailbox__daemon_remove(c.number);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, 1);
	/* Closed without our knowing. */
	close(a.listen_fd);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, UINT64_MAX);
	ck_assert_uint_eq(sample.rec.worker_count, 2);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	tailbox__daemon_remove(a.number);
	close(client);
	close(c.listen_fd);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(a_daemon_that_was_stopped_behind_our_back_is_gone)
{
	struct tailbox__sampling *s = sampling();
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct helper worker;
	struct tailbox__daemon d = { .tid_count = 1 };

	helper_start(&worker, false);
	d.tids[0] = worker.tid;
	listen_on(&d, (void *)&in, sizeof(in));
	/* Quiesced: it works on what it has, and waits for no more. */
	close(d.listen_fd);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, UINT64_MAX);
	ck_assert_uint_eq(sample.rec.worker_count, 2);
	helper_end(&worker);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.global_queue_depth, 0);
	ck_assert_uint_eq(sample.rec.worker_count, UINT32_MAX);
	ck_assert(!has(TAILBOX__METRIC_CONNECTION_LIMIT, (uint16_t)d.number));
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

/* --- what waits behind a held worker -------------------------------------- */

static struct tailbox__slot *connection(int fd)
{
	static uint64_t number;
	struct tailbox__slot *s = tailbox__slot_take(self);

	ck_assert_ptr_nonnull(s);
	TAILBOX__SET(s->connection, ++number);
	TAILBOX__SET(s->fd, (uint32_t)fd + 1);
	return s;
}

static void hold(const struct tailbox__daemon *d, const char *route,
                 uint64_t ms)
{
	TAILBOX__SET(self->entry->worker, d->number << 16 | 1);
	TAILBOX__SET(self->entry->hold_route, tailbox__name_cstr(route));
	TAILBOX__SET(self->entry->hold_slot, UINT32_MAX);
	TAILBOX__SET(self->entry->hold_since, ms ? ms_ago(ms) : 0);
}

struct pair {
	int server, client;
};

static struct pair pair(void)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	return (struct pair){ fds[0], fds[1] };
}

static void say(const struct pair *p)
{
	ck_assert_int_eq(send(p->client, "GET", 3, 0), 3);
}

START_TEST(ready_requests_behind_a_held_worker_are_counted)
{
	enum { SILENT, READY, CLOSED, CLOSED_READY, HEADERS, IN_HANDLER,
	       HOLDER, COUNT };
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	uint16_t index = (uint16_t)self->index;
	struct tailbox__slot *slots[COUNT];
	struct pair p[COUNT];

	for (int i = 0; i < COUNT; i++) {
		p[i] = pair();
		slots[i] = connection(p[i].server);
		if (i != SILENT && i != CLOSED)
			say(&p[i]);
		if (i == CLOSED || i == CLOSED_READY)
			close(p[i].client);
		if (i >= HEADERS)
			tailbox__request_open(self, slots[i], 0, 0, 0,
			                      TAILBOX__PHASE_HEADERS);
		/* HOLDER stays: its worker is in the URI logger. */
		if (i == IN_HANDLER)
			TAILBOX__SET(slots[i]->phase, TAILBOX__PHASE_HANDLER);
	}
	hold(&d, "/report", 200);
	TAILBOX__SET(self->entry->hold_slot,
	             (uint32_t)(slots[HOLDER] - tailbox__recorder.tape.slots));
	sample_now(s);
	/* READY, CLOSED_READY and HEADERS. */
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_BEHIND, index), 3);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 3);
	ck_assert_uint_eq(sample.rec.alive_tasks, 3);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_CONNECTIONS, index),
	                  COUNT);
	ck_assert_uint_eq(value(TAILBOX__METRIC_CONNECTIONS, 0), COUNT);
	ck_assert_uint_eq(value(TAILBOX__METRIC_BUSY_WORKERS, 0), 1);
	ck_assert_uint_ge(known(TAILBOX__METRIC_WORKER_HELD_US, index),
	                  199000);
	ck_assert_uint_lt(value(TAILBOX__METRIC_WORKER_HELD_US, index),
	                  60000000);
	ck_assert_str_eq(name(value(TAILBOX__METRIC_WORKER_ROUTE, index)),
	                 "/report");
	/* One that is read before the worker gets to it, one more. */
	char buf[8];
	ck_assert_int_eq(recv(p[READY].server, buf, 8, 0), 3);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 2);
	say(&p[SILENT]);
	say(&p[READY]);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 4);
	/* A short hold is nobody's queue. */
	hold(&d, "/report", 0);
	TAILBOX__SET(self->entry->hold_since, tailbox__now());
	sample_now(s);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	ck_assert(!has(TAILBOX__METRIC_WORKER_BEHIND, index));
	/* Nor is none. */
	hold(&d, "/report", 0);
	sample_now(s);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_HELD_US, index), 0);
	ck_assert(!has(TAILBOX__METRIC_WORKER_ROUTE, index));
	ck_assert_uint_eq(value(TAILBOX__METRIC_BUSY_WORKERS, 0), 0);
	for (int i = 0; i < COUNT; i++) {
		close(p[i].server);
		if (i != CLOSED && i != CLOSED_READY)
			close(p[i].client);
	}
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

/* The poll's limit: one below, at, one above, far above. */
START_TEST(more_connections_than_are_polled_are_scaled)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	const uint32_t most = TAILBOX__BEHIND_MAX;
	struct pair ready = pair(), silent = pair();

	say(&ready);
	hold(&d, "/", 50);
	/* Every second one is ready; they may share a descriptor. */
	for (uint32_t i = 1; i <= 2 * most + 8; i++) {
		connection(i % 2 ? ready.server : silent.server);
		if (i < most - 1 || (i > most + 1 && i != 2 * most + 8))
			continue;
		sample_now(s);
		uint64_t exact = (i + 1) / 2;
		if (i <= most)
			ck_assert_uint_eq(sample.rec.local_queue_depth, exact);
		/* Evenly chosen out of a pattern of two: the worst case is
		 * that one kind is chosen alone. */
		ck_assert_uint_le(sample.rec.local_queue_depth, i);
	}
	/* All ready: the scale gives the exact number. */
	ck_assert_int_ge(dup2(ready.server, silent.server), 0);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 2 * most + 8);
	/* None: */
	char buf[8];
	ck_assert_int_eq(recv(ready.server, buf, 8, 0), 3);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_BEHIND,
	                        (uint16_t)self->index),
	                  0);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(a_quarter_ready_scales_to_a_quarter)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	struct pair ready = pair(), silent = pair();

	say(&ready);
	hold(&d, "/", 50);
	/* In runs of 100, so that no step of the choice resonates. */
	for (int i = 0; i < 800; i++)
		connection(i / 100 % 4 == 0 ? ready.server : silent.server);
	sample_now(s);
	ck_assert_uint_ge(sample.rec.local_queue_depth, 190);
	ck_assert_uint_le(sample.rec.local_queue_depth, 210);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

/* --- what waits though no handler holds the worker ------------------------ */

#define READY TAILBOX__METRIC_WORKER_READY

/* A sample in which that thread was seen asleep, as our entry's. */
static void sample_asleep(struct tailbox__sampling *s, const struct helper *h)
{
	TAILBOX__SET(self->entry->tid, h->tid);
	do
		sample_now(s);
	while (value(TAILBOX__METRIC_WORKER_STATE, (uint16_t)self->index) !=
	       'S');
}

/* Each edge of how many connections it takes, and of how many are polled. */
START_TEST(requests_before_a_sleeping_worker_are_counted_from_128_on)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	const uint16_t index = (uint16_t)self->index;
	const uint32_t own = TAILBOX__GET(self->entry->tid);
	struct pair ready = pair(), silent = pair();
	struct helper idle;
	char buf[8];

	helper_start(&idle, false);
	say(&ready);
	hold(&d, "/", 0);
	TAILBOX__SET(self->entry->last_seen, ms_ago(20));
	for (uint32_t n = 1; n <= 257; n++) {
		connection(ready.server);
		if (n < 127 || (n > 129 && n < 255))
			continue;
		sample_asleep(s, &idle);
		ck_assert_int_eq(has(READY, index), n >= 128);
		if (n >= 128)
			ck_assert_uint_eq(value(READY, index), n);
		/* Not held, so nobody is behind a hold. */
		ck_assert(!has(TAILBOX__METRIC_WORKER_BEHIND, index));
		ck_assert_uint_eq(sample.rec.local_queue_depth, 0);
	}
	/* Not idle for long. */
	TAILBOX__SET(self->entry->last_seen, tailbox__now());
	sample_now(s);
	ck_assert(!has(READY, index));
	TAILBOX__SET(self->entry->last_seen, ms_ago(20));
	/* One that runs gets to it, */
	TAILBOX__SET(self->entry->tid, own);
	sample_now(s);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_STATE, index), 'R');
	ck_assert(!has(READY, index));
	/* and of one that is held those behind the hold are told. */
	hold(&d, "/", 50);
	TAILBOX__SET(self->entry->tid, idle.tid);
	sample_now(s);
	ck_assert(!has(READY, index));
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_BEHIND, index), 257);
	/* None: looked at, and nothing there. */
	hold(&d, "/", 0);
	ck_assert_int_eq(recv(ready.server, buf, 8, 0), 3);
	sample_asleep(s, &idle);
	ck_assert_uint_eq(value(READY, index), 0);
	/* A client that went is no request. */
	close(ready.client);
	sample_asleep(s, &idle);
	ck_assert_uint_eq(value(READY, index), 0);
	TAILBOX__SET(self->entry->tid, own);
	helper_end(&idle);
	close(ready.server);
	close(silent.server);
	close(silent.client);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

/* 128 of many: whichever they are, some look meets one of them, and then the
 * figure is right within what the second poll's choice may be off. */
START_TEST(few_ready_ones_of_many_are_met_soon)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	const uint16_t index = (uint16_t)self->index;
	const uint32_t own = TAILBOX__GET(self->entry->tid);
	struct pair ready = pair(), silent = pair();
	struct helper idle;
	unsigned looks = 0;

	helper_start(&idle, false);
	say(&ready);
	hold(&d, "/", 0);
	TAILBOX__SET(self->entry->last_seen, ms_ago(20));
	for (uint32_t i = 0; i < 1024; i++)
		connection(i >= 300 && i < 428 ? ready.server : silent.server);
	do {
		sample_asleep(s, &idle);
		ck_assert_uint_lt(looks++, 20);
	} while (value(READY, index) == 0);
	ck_assert_uint_ge(value(READY, index), 120);
	ck_assert_uint_le(value(READY, index), 136);
	TAILBOX__SET(self->entry->tid, own);
	helper_end(&idle);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(a_worker_that_ran_since_the_look_is_not_still)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);

	hold(&d, "/", 0);
	sample_now(s);
	ck_assert(tailbox__scan_is_still(&s->scan, self->index));
	TAILBOX__SET(self->entry->hold_since, tailbox__now());
	ck_assert(!tailbox__scan_is_still(&s->scan, self->index));
	TAILBOX__SET(self->entry->hold_since, 0);
	TAILBOX__SET(self->entry->last_seen, tailbox__now());
	ck_assert(!tailbox__scan_is_still(&s->scan, self->index));
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

/* --- workers -------------------------------------------------------------- */

START_TEST(workers_that_never_ran_a_callback_are_found)
{
	struct tailbox__sampling *s = sampling();
	struct helper idle, own;

	helper_start(&idle, false);
	helper_start(&own, true);
	struct tailbox__daemon d = {
		.mode = TAILBOX__DAEMON_POOL,
		.workers = 2,
		.listen_fd = -1,
		.is_recorded = true,
		.tid_count = 3,
		.tids = { self->entry->tid, own.tid, idle.tid },
	};
	ck_assert_int_eq(tailbox__daemon_add(&d), 0);
	hold(&d, "/", 0);
	uint16_t subject = TAILBOX__WORKER_UNSEEN_OF(d.number, 2);
	uint16_t seen = (uint16_t)self->index;
	/* It falls asleep right after it has told us its number. */
	do
		sample_now(s);
	while (value(TAILBOX__METRIC_WORKER_STATE, subject) != 'S');
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), 2);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_STATE, seen), 'R');
	ck_assert(has(TAILBOX__METRIC_WORKER_HELD_US, seen));
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_HELD_US, subject), 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_WORKER_CONNECTIONS, subject),
	                  0);
	ck_assert(!has(TAILBOX__METRIC_WORKER_ROUTE, subject));
	if (has(TAILBOX__METRIC_WORKER_WCHAN, subject))
		ck_assert_ptr_nonnull(
		        strstr(name(value(TAILBOX__METRIC_WORKER_WCHAN,
		                          subject)),
		               "futex"));
	helper_end(&idle);
	sample_now(s);
	ck_assert(!has(TAILBOX__METRIC_WORKER_HELD_US, subject));
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), 1);
	helper_end(&own);
	tailbox__daemon_remove(d.number);
	/* Its callbacks are nobody's now. */
	sample_now(s);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), 0);
	tailbox__sampling_destroy(s);
}
END_TEST

/* What a thread sleeps in, once it sleeps; "0" where the kernel does not
 * tell. */
static void asleep_in(uint32_t tid, char *out, size_t room)
{
	struct tailbox__proc_file stat = TAILBOX__PROC_FILE;
	struct tailbox__proc_file wchan = TAILBOX__PROC_FILE;
	char path[64], text[1024];

	/* It may wake up between the two, and on a busy machine wait for a
	 * CPU to fall asleep on: up to two seconds. */
	for (int tries = 0; tries < 2000; tries++) {
		do {
			snprintf(path, sizeof(path),
			         "/proc/self/task/%u/stat", tid);
			tailbox__proc_read(&stat, path, text, sizeof(text));
		} while (tailbox__parse_state(text) != 'S');
		snprintf(path, sizeof(path), "/proc/self/task/%u/wchan", tid);
		tailbox__proc_read(&wchan, path, out, room);
		if (strcmp(out, "0") != 0)
			break;
		usleep(1000);
	}
	tailbox__proc_close(&stat);
	tailbox__proc_close(&wchan);
}

START_TEST(what_a_worker_sleeps_in_is_never_the_last_one)
{
	struct tailbox__sampling *s = sampling();
	struct helper worker;
	char in_futex[128], now[128];
	int pipe_fds[2];

	ck_assert_int_eq(pipe(pipe_fds), 0);
	helper_start(&worker, false);
	worker.pipe_fd = pipe_fds[0];
	asleep_in(worker.tid, in_futex, sizeof(in_futex));
	struct tailbox__daemon d = {
		.mode = TAILBOX__DAEMON_SINGLE, .workers = 1,
		.listen_fd = -1, .is_recorded = true,
		.tid_count = 1, .tids = { worker.tid },
	};
	ck_assert_int_eq(tailbox__daemon_add(&d), 0);
	uint16_t subject = TAILBOX__WORKER_UNSEEN_OF(d.number, 0);
	bool tells = in_futex[0] && strcmp(in_futex, "0") != 0;
	/* It has not run: what was seen once holds, without a look. (Where
	 * there is no schedstat to say so, it is left out.) */
	if (access("/proc/self/schedstat", R_OK) != 0)
		tells = false;
	for (int i = 0; i < 30; i++) {
		sample_now(s);
		if (!tells)
			ck_assert(!has(TAILBOX__METRIC_WORKER_WCHAN, subject));
		else
			ck_assert_str_eq(
			        name(known(TAILBOX__METRIC_WORKER_WCHAN,
			                   subject)),
			        in_futex);
	}
	sem_post(&worker.may_end);
	do
		asleep_in(worker.tid, now, sizeof(now));
	while (tells && (strcmp(now, "0") == 0 || strcmp(now, in_futex) == 0));
	for (int i = 0; i < 30; i++) {
		sample_now(s);
		if (has(TAILBOX__METRIC_WORKER_WCHAN, subject))
			ck_assert_str_eq(
			        name(value(TAILBOX__METRIC_WORKER_WCHAN,
			                   subject)),
			        now);
	}
	ck_assert(has(TAILBOX__METRIC_WORKER_WCHAN, subject) == tells);
	close(pipe_fds[1]);
	helper_end(&worker);
	close(pipe_fds[0]);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(cpu_time_is_that_since_the_last_sample)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	uint16_t index = (uint16_t)self->index;

	hold(&d, "/", 0);
	sample_now(s);
	/* One look is no difference. */
	ck_assert(!has(TAILBOX__METRIC_WORKER_CPU_US, index));
	ck_assert(!has(TAILBOX__METRIC_WORKER_RUNQ_US, index));
	if (access("/proc/self/schedstat", R_OK) == 0) {
		struct timespec a, b;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		do
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		while ((b.tv_sec - a.tv_sec) * 1000000 +
		               (b.tv_nsec - a.tv_nsec) / 1000 <
		       20000);
		sample_now(s);
		/* The kernel adds up by ticks of the scheduler. */
		ck_assert_uint_ge(value(TAILBOX__METRIC_WORKER_CPU_US, index),
		                  10000);
		ck_assert_uint_lt(value(TAILBOX__METRIC_WORKER_CPU_US, index),
		                  10000000);
		ck_assert(has(TAILBOX__METRIC_WORKER_RUNQ_US, index));
	}
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

/* More workers than fit: entries of our own making, all of this thread. */
START_TEST(of_many_workers_the_longest_held_are_shown)
{
	enum { WORKERS = 200, HELD = 5 };
	struct tailbox__sampling *s = sampling();
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_THREADS, 0);
	struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	bool was_listed;

	ck_assert_uint_ge(h->threads_max, WORKERS);
	for (uint32_t i = self->index + 1; i < WORKERS; i++) {
		struct tailbox__thread_entry *e =
		        &tailbox__recorder.tape.threads[i];

		TAILBOX__SET(e->tid, self->entry->tid);
		TAILBOX__SET(e->worker, d.number << 16 | 1);
		TAILBOX__SET(e->resumes, 2);
		if (i >= WORKERS - HELD)
			TAILBOX__SET(e->hold_since, ms_ago(30));
	}
	TAILBOX__SET(h->threads_used, WORKERS);
	uint64_t fds = tailbox__open_fds(&was_listed);
	sample_now(s);
	ck_assert_uint_eq(value(TAILBOX__METRIC_BUSY_WORKERS, 0), HELD);
	unsigned shown = subjects(TAILBOX__METRIC_WORKER_CONNECTIONS);
	ck_assert_uint_ge(shown, 20);
	ck_assert_uint_le(shown, TAILBOX__WORKERS_MAX);
	for (uint16_t i = WORKERS - HELD; i < WORKERS; i++)
		ck_assert_uint_ge(known(TAILBOX__METRIC_WORKER_HELD_US, i),
		                  29000);
	/* Shown whole or not at all, and in order. */
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), shown);
	ck_assert(is_in_order());
	ck_assert_uint_le(sample.count, TAILBOX__VALUES_MAX);
	ck_assert_uint_eq(sample.rec.remote_schedule_count,
	                  2 * (WORKERS - self->index - 1));
	/* Descriptors are the service's. */
	ck_assert_uint_le(tailbox__open_fds(&was_listed),
	                  fds + 3 * TAILBOX__WORKERS_MAX + 10);
	tailbox__sampling_destroy(s);
	TAILBOX__SET(h->threads_used, self->index + 1);
	tailbox__daemon_remove(d.number);
}
END_TEST

START_TEST(few_descriptors_mean_few_files)
{
	struct rlimit before, low;
	struct tailbox__workers w;

	getrlimit(RLIMIT_NOFILE, &before);
	static const struct {
		rlim_t limit;
		uint32_t want;
	} of[] = { { 20, 2 },   { 64, 2 },    { 96, 3 },
		   { 256, 8 },  { 1023, 31 }, { 1024, 32 } };
	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		low = before;
		low.rlim_cur = of[i].limit;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
		tailbox__workers_init(&w);
		setrlimit(RLIMIT_NOFILE, &before);
		ck_assert_uint_eq(w.files_max, of[i].want);
	}
}
END_TEST

/* --- pools ---------------------------------------------------------------- */

START_TEST(pools_and_their_oldest_wait)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox_pool *db =
	        tailbox_pool_register("db", TAILBOX_POOL_RESOURCE, 4);
	struct tailbox_pool *jobs =
	        tailbox_pool_register("jobs", TAILBOX_POOL_OFFLOAD, 0);
	struct tailbox_pool *more =
	        tailbox_pool_register("mail", TAILBOX_POOL_OFFLOAD, 2);
	uint16_t db_name = tailbox__name_cstr("db");
	uint16_t jobs_name = tailbox__name_cstr("jobs");

	tailbox_pool_waiting_add(db, 7);
	tailbox_pool_busy_add(db, 4);
	tailbox_pool_waiting_add(jobs, 5);
	tailbox_pool_waiting_add(more, 6);
	tailbox_request r = tailbox_request_begin("/a", NULL);
	TAILBOX_WAIT(r, "db", 6) {
		tailbox_request q = tailbox_request_begin("/b", NULL);
		/* Inside a stage of the same name it does not wait. */
		TAILBOX_STAGE(q, "jobs") {
			struct tailbox__slot *slot = tailbox__slot_of(r);

			TAILBOX__SET(slot->line, ms_ago(90));
			TAILBOX__SET(slot->where_since, ms_ago(70));
			sample_now(s);
		}
		tailbox_request_finish(q, NULL);
	}
	ck_assert_uint_eq(sample.rec.blocking_queue_depth, 11);
	ck_assert_uint_eq(sample.rec.alive_tasks, 2);
	ck_assert_uint_eq(value(TAILBOX__METRIC_CONNECTIONS, 0), 0);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_WAITING, db_name), 7);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_BUSY, db_name), 4);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_CAPACITY, db_name), 4);
	uint64_t oldest = value(TAILBOX__METRIC_POOL_OLDEST_US, db_name);
	ck_assert_uint_ge(oldest, 70000);
	ck_assert_uint_lt(oldest, 60000000);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_WAITING, jobs_name), 5);
	ck_assert(!has(TAILBOX__METRIC_POOL_CAPACITY, jobs_name));
	ck_assert(!has(TAILBOX__METRIC_POOL_OLDEST_US, jobs_name));
	sample_now(s);
	ck_assert(!has(TAILBOX__METRIC_POOL_OLDEST_US, db_name));
	tailbox_request_finish(r, NULL);
	/* Two of one name are shown as one. */
	struct tailbox_pool *twin =
	        tailbox_pool_register("db", TAILBOX_POOL_RESOURCE, 3);
	tailbox_pool_waiting_add(twin, 2);
	sample_now(s);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_POOL_WAITING), 3);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_WAITING, db_name), 9);
	ck_assert_uint_eq(value(TAILBOX__METRIC_POOL_CAPACITY, db_name), 7);
	ck_assert_uint_eq(sample.rec.blocking_queue_depth, 11);
	tailbox_pool_unregister(db);
	tailbox_pool_unregister(jobs);
	tailbox_pool_unregister(more);
	tailbox_pool_unregister(twin);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(as_many_pools_as_fit_are_shown_whole)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox_pool *pools[TAILBOX_POOLS_MAX];
	char text[16];

	for (unsigned i = 0; i < TAILBOX_POOLS_MAX; i++) {
		snprintf(text, sizeof(text), "pool %u", i);
		pools[i] = tailbox_pool_register(text, TAILBOX_POOL_OFFLOAD,
		                                 9);
		tailbox_pool_waiting_add(pools[i], 1);
	}
	struct tailbox__daemon d = add_daemon(TAILBOX__DAEMON_SINGLE, 1);
	hold(&d, "/", 0);
	sample_now(s);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_POOL_WAITING),
	                  TAILBOX_POOLS_MAX);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_WORKER_HELD_US), 0);
	/* Daemons go first. Each count, so that a whole pool ends at every
	 * place of the record. */
	struct tailbox__daemon more[62];
	for (int i = 0; i < 62; i++) {
		more[i] = (struct tailbox__daemon){
			.mode = TAILBOX__DAEMON_SINGLE,
			.listen_fd = -1,
			.is_recorded = true,
			.connection_limit = 7,
		};
		ck_assert_int_eq(tailbox__daemon_add(&more[i]), 0);
		sample_now(s);
		ck_assert_uint_eq(subjects(TAILBOX__METRIC_CONNECTION_LIMIT),
		                  (unsigned)i + 1);
		ck_assert_uint_eq(subjects(TAILBOX__METRIC_POOL_WAITING),
		                  subjects(TAILBOX__METRIC_POOL_CAPACITY));
	}
	ck_assert_uint_le(sample.count, TAILBOX__VALUES_MAX);
	unsigned shown = subjects(TAILBOX__METRIC_POOL_WAITING);
	ck_assert_uint_ge(shown, 50);
	ck_assert_uint_lt(shown, TAILBOX_POOLS_MAX);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_POOL_BUSY), shown);
	ck_assert_uint_eq(subjects(TAILBOX__METRIC_POOL_CAPACITY), shown);
	/* Those left out count in the sum. */
	ck_assert_uint_eq(sample.rec.blocking_queue_depth,
	                  TAILBOX_POOLS_MAX);
	ck_assert(has(TAILBOX__METRIC_BUSY_WORKERS, 0));
	for (unsigned i = 0; i < TAILBOX_POOLS_MAX; i++)
		tailbox_pool_unregister(pools[i]);
	for (int i = 0; i < 62; i++)
		tailbox__daemon_remove(more[i].number);
	tailbox__daemon_remove(d.number);
	tailbox__sampling_destroy(s);
}
END_TEST

START_TEST(suspended_requests_are_counted)
{
	struct tailbox__sampling *s = sampling();
	struct tailbox__slot *slot = connection(0);

	tailbox__request_open(self, slot, 0, 0, 0, TAILBOX__PHASE_HEADERS);
	TAILBOX__SET(slot->flags, TAILBOX__REQ_SUSPENDED);
	sample_now(s);
	ck_assert_uint_eq(value(TAILBOX__METRIC_SUSPENDED, 0), 1);
	ck_assert_uint_eq(sample.rec.alive_tasks, 1);
	TAILBOX__SET(slot->flags, 0);
	TAILBOX__SET(slot->state, TAILBOX__SLOT_STARTING);
	sample_now(s);
	ck_assert_uint_eq(value(TAILBOX__METRIC_SUSPENDED, 0), 0);
	ck_assert_uint_eq(sample.rec.alive_tasks, 1);
	TAILBOX__SET(slot->state, TAILBOX__SLOT_IDLE);
	sample_now(s);
	ck_assert_uint_eq(sample.rec.alive_tasks, 0);
	tailbox__sampling_destroy(s);
}
END_TEST

/* --- torture -------------------------------------------------------------- */

static atomic_bool must_end;

static void *work(void *arg)
{
	const struct pair *p = arg;
	struct tailbox__thread *t = tailbox__thread_get();
	uint64_t number = 1000000 * (uint64_t)t->index;

	TAILBOX__SET(t->entry->worker, 1u << 16 | 1);
	while (!atomic_load(&must_end)) {
		struct tailbox__slot *s = tailbox__slot_take(t);

		TAILBOX__SET(s->connection, ++number);
		TAILBOX__SET(s->fd, (uint32_t)p->server + 1);
		TAILBOX__SET(t->entry->hold_since, ms_ago(20));
		TAILBOX__SET(t->entry->hold_route, TAILBOX__NAME_HTTP);
		tailbox__request_open(t, s, TAILBOX__NAME_HTTP, 0, 0,
		                      TAILBOX__PHASE_HEADERS);
		TAILBOX_WAIT(tailbox__handle_of(s), "db", 1) {
			TAILBOX__SET(t->entry->hold_since, 0);
		}
		tailbox__request_close(t, s, tailbox__now(), 1, 0);
		tailbox__slot_give(t, s);
	}
	return NULL;
}

START_TEST(samples_are_taken_while_everything_changes)
{
	struct tailbox_pool *db = tailbox_pool_register("db", 0, 4);
	struct pair p = pair();
	pthread_t threads[3];

	say(&p);
	atomic_store(&must_end, false);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, work, &p);
	ck_assert_int_eq(tailbox__sampler_start(10), 0);
	for (int i = 0; i < 50; i++) {
		struct tailbox__daemon d =
		        add_daemon(TAILBOX__DAEMON_POOL, 3);
		struct tailbox__sampler_cost cost;

		tailbox__sampler_set_interval(10 + (uint32_t)i % 2);
		uint64_t before;
		tailbox__sampler_cost(&cost);
		before = cost.samples;
		while (cost.samples == before) {
			tailbox__sampler_cost(&cost);
			usleep(500);
		}
		tailbox__daemon_remove(d.number);
	}
	atomic_store(&must_end, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	tailbox__sampler_stop();
	tailbox_pool_unregister(db);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sampler");
	TCase *t = tcase_create("closed");

	tcase_add_test(t, without_a_tape_there_is_no_start);
	suite_add_tcase(s, t);

	t = tcase_create("tape");
	tcase_add_checked_fixture(t, open_tape, close_tape);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, the_first_sample_comes_at_once_and_is_whole);
	tcase_add_test(t, a_start_is_one_at_a_time);
	tcase_add_test(t, ticks_come_and_a_new_interval_counts_at_once);
	tcase_add_test(t, ticks_are_on_a_grid);
	tcase_add_test(t, an_application_asks_for_a_sample);
	tcase_add_test(t, every_allocation_may_fail);
	tcase_add_test(t, start_and_stop_leave_nothing);
	tcase_add_test(t, while_off_there_are_no_samples);
	tcase_add_test(t, the_thread_takes_no_signals);
	tcase_add_test(t, a_forked_child_has_no_sampler);
	tcase_add_test(t, worker_count_sums_fixed_numbers_only);
	tcase_add_test(t, one_unreadable_accept_queue_makes_the_sum_null);
	tcase_add_test(t,
	               a_daemon_that_was_stopped_behind_our_back_is_gone);
	tcase_add_test(t, ready_requests_behind_a_held_worker_are_counted);
	tcase_add_test(t, more_connections_than_are_polled_are_scaled);
	tcase_add_test(t, a_quarter_ready_scales_to_a_quarter);
	tcase_add_test(
	        t, requests_before_a_sleeping_worker_are_counted_from_128_on);
	tcase_add_test(t, few_ready_ones_of_many_are_met_soon);
	tcase_add_test(t, a_worker_that_ran_since_the_look_is_not_still);
	tcase_add_test(t, workers_that_never_ran_a_callback_are_found);
	tcase_add_test(t, what_a_worker_sleeps_in_is_never_the_last_one);
	tcase_add_test(t, cpu_time_is_that_since_the_last_sample);
	tcase_add_test(t, of_many_workers_the_longest_held_are_shown);
	tcase_add_test(t, few_descriptors_mean_few_files);
	tcase_add_test(t, pools_and_their_oldest_wait);
	tcase_add_test(t, as_many_pools_as_fit_are_shown_whole);
	tcase_add_test(t, suspended_requests_are_counted);
	tcase_add_test(t, samples_are_taken_while_everything_changes);
	suite_add_tcase(s, t);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
