/* tests/sampling_fixture.h - samples by the calling thread, of a server that is
 * made here: a thread entry that says "held since" and slots with sockets of
 * ours are all that the sampler ever sees of one. e2e_sampler.c has the real
 * one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_SAMPLING_FIXTURE_H
#define TAILBOX_TESTS_SAMPLING_FIXTURE_H 1

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "core/run.h"
#include "sampler/sample.h"
#include "sampler/sampler.h"
#include "tests/test_sampler_fixture.h"

static struct tailbox__thread *self;

static inline void open_tape(void)
{
	fixture_open(TAILBOX__TAPE_DEFAULT);
	samples_open();
	self = tailbox__thread_get();
	ck_assert_ptr_nonnull(self);
}

static inline void close_tape(void)
{
	tailbox__sampler_stop();
	samples_close();
	fixture_close();
}

static inline uint64_t ms_ago(uint64_t ms)
{
	return tailbox__now() - tailbox__us_to_ticks(ms * 1000);
}

/* One sample by the calling thread, read back. */
static inline void sample_now(struct tailbox__sampling *s)
{
	size_t before = samples_read();

	ck_assert(tailbox__sample_take(s, 100, TAILBOX__UNKNOWN));
	ck_assert_uint_eq(samples_read(), before + 1);
}

static inline struct tailbox__sampling *sampling(void)
{
	struct tailbox__sampling *s;

	ck_assert_int_eq(tailbox__sampling_create(&s), 0);
	return s;
}

static inline struct tailbox__daemon add_daemon(enum tailbox__daemon_mode mode,
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

static inline void *help(void *arg)
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

static inline void helper_start(struct helper *h, bool is_ours)
{
	h->is_ours = is_ours;
	h->pipe_fd = 0;
	sem_init(&h->is_there, 0, 0);
	sem_init(&h->may_end, 0, 0);
	ck_assert_int_eq(pthread_create(&h->thread, NULL, help, h), 0);
	sem_wait(&h->is_there);
}

static inline void helper_end(struct helper *h)
{
	char path[64];

	sem_post(&h->may_end);
	pthread_join(h->thread, NULL);
	snprintf(path, sizeof(path), "/proc/self/task/%u", h->tid);
	while (access(path, F_OK) == 0)
		sched_yield();
}

static inline struct tailbox__slot *connection(int fd)
{
	static uint64_t number;
	struct tailbox__slot *s = tailbox__slot_take(self);

	ck_assert_ptr_nonnull(s);
	TAILBOX__SET(s->connection, ++number);
	TAILBOX__SET(s->fd, (uint32_t)fd + 1);
	return s;
}

static inline void hold(const struct tailbox__daemon *d, const char *route,
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

static inline struct pair pair(void)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	return (struct pair){ fds[0], fds[1] };
}

static inline void say(const struct pair *p)
{
	ck_assert_int_eq(send(p->client, "GET", 3, 0), 3);
}

/* A case in which each test has an open tape. */
static inline TCase *tape_case(Suite *s)
{
	TCase *t = tcase_create("tape");

	tcase_add_checked_fixture(t, open_tape, close_tape);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return t;
}

#endif
