/* controller/child.c - run a command as a child that cannot harm the service.
 *
 * SPDX-License-Identifier: MIT
 *
 * The child is found dead by waitid() with WNOWAIT: as long as it is not
 * reaped its number is its own, so the whole group can be killed. That is how
 * a grandchild goes that holds our pipe. Where the application ignores SIGCHLD
 * or waits for any child, the status is taken away (ECHILD): the child is gone
 * then, and its number is not used any more.
 */
#include "controller/child.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/child_internal.h"
#include "controller/internal.h"
#include "core/alloc.h"

#define TICK_MS 20 /* how soon an end without an end of its pipes is seen */
/* Blocks a tick that are read of a standard error of which enough is known: so
 * that it need not wait, nor we spend a CPU on it. */
#define UNHEARD_MAX 16u
#define TERM_STOP_MS 250u /* from SIGTERM to SIGKILL, at a stop */
/* For one that was killed to be gone: it is at nice 19, and dies when it has
 * its turn. At a stop somebody waits for it. */
#define TIDY_MS 10000u
#define TIDY_STOP_MS 500u

struct run {
	const struct tailbox__child_limits *limits;
	struct tailbox__child *to;
	pid_t pid;
	int out, err; /* our ends; -1 = ended */
	size_t room, said;
	bool is_gone;  /* it has ended, or nobody knows any more */
	bool is_taken; /* its status, by the application */
};

/* --- SIGCHLD ------------------------------------------------------------ */

/* The kernel drops a SIGCHLD that nobody handles, unless the thread that made
 * the child blocks it: then it goes to a thread of the application, whose
 * epoll_wait() fails with EINTR. So it is let in here, but not where it has a
 * handler: that is to run on a thread of the application, as always. */
static void let_in(sigset_t *before)
{
	struct sigaction sa;
	sigset_t one;

	sigemptyset(&one);
	if (sigaction(SIGCHLD, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL)
		sigaddset(&one, SIGCHLD);
	pthread_sigmask(SIG_UNBLOCK, &one, before);
}

/* --- reading ------------------------------------------------------------ */

/* False: no more of it than this. */
static bool keep(struct run *r, const char *block, size_t n)
{
	struct tailbox__child *to = r->to;

	if (n > r->limits->output_bytes - to->len)
		return false;
	if (n > r->room - to->len) {
		const size_t room = 2 * (to->len + n);
		char *grown = tailbox__realloc(to->out, room, 1);
		if (grown == NULL)
			return false;
		to->out = grown;
		r->room = room;
	}
	memcpy(to->out + to->len, block, n);
	to->len += n;
	return true;
}

/* What there is of one pipe. False: standard output is too much. */
static bool take(struct run *r, int *fd)
{
	char block[4096];
	unsigned unheard = 0;

	while (*fd >= 0) {
		const ssize_t n = read(*fd, block, sizeof(block));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			close(*fd), *fd = -1;
		} else if (fd == &r->out) {
			if (!keep(r, block, (size_t)n))
				return false;
		} else {
			const size_t free = sizeof(r->to->said) - 1 - r->said;
			const size_t m = (size_t)n < free ? (size_t)n : free;
			memcpy(r->to->said + r->said, block, m);
			r->said += m;
			/* One who never stops is not listened to for ever. */
			if (free == 0 && ++unheard == UNHEARD_MAX)
				return true;
		}
	}
	return true;
}

static void look(struct run *r)
{
	siginfo_t info;

	info.si_pid = 0;
	if (waitid(P_PID, (id_t)r->pid, &info,
	           WEXITED | WNOHANG | WNOWAIT) == 0) {
		r->is_gone = info.si_pid == r->pid;
	} else if (errno == ECHILD) {
		r->is_gone = r->is_taken = true;
	}
}

/* --- ending ------------------------------------------------------------- */

static void kill_group(const struct run *r)
{
	if (!r->is_taken)
		(void)kill(-r->pid, SIGKILL);
}

static void note_status(struct run *r, int status)
{
	struct tailbox__child *to = r->to;

	if (to->end != TAILBOX__CHILD_EXITED)
		return; /* why it was killed is known */
	if (WIFEXITED(status)) {
		to->code = WEXITSTATUS(status);
		return;
	}
	to->code = WTERMSIG(status);
	to->end = to->code == SIGXCPU ? TAILBOX__CHILD_LATE
	                              : TAILBOX__CHILD_KILLED;
}

/* The group is killed and the child reaped, if it still is ours. A process
 * that the kernel cannot end now (a hanging disk) stays behind as a zombie in
 * the end: nobody waits for it. */
static void finish(struct run *r, const atomic_bool *stop)
{
	const uint64_t start = tailbox__mono_ns();
	bool was_reaped = false;
	int status = 0;

	while (!r->is_taken && !was_reaped) {
		/* relaxed: it carries no data */
		const uint64_t ms =
		        atomic_load_explicit(stop, memory_order_relaxed)
		                ? TIDY_STOP_MS
		                : TIDY_MS;
		const bool is_last =
		        tailbox__mono_ns() - start > ms * 1000000u;
		const pid_t rc = (kill_group(r),
		                  waitpid(r->pid, &status, WNOHANG));
		if (rc == r->pid)
			was_reaped = true;
		else if (rc < 0 && errno == ECHILD)
			r->is_taken = true;
		else if (is_last)
			return;
		else
			(void)poll(NULL, 0, 1);
	}
	if (was_reaped)
		note_status(r, status);
	else if (r->to->end == TAILBOX__CHILD_EXITED)
		r->to->end = TAILBOX__CHILD_UNKNOWN;
}

/* What there is to hear, for at most a tick. False: standard output is too
 * much. */
static bool hear(struct run *r)
{
	const bool is_full = r->said == sizeof(r->to->said) - 1;
	struct pollfd p[2] = { { r->out, POLLIN, 0 },
		               { is_full ? -1 : r->err, POLLIN, 0 } };

	(void)poll(p, 2, TICK_MS);
	/* Looked before the last reading, or its last words are lost. */
	look(r);
	const bool fits = take(r, &r->out);
	(void)take(r, &r->err);
	return fits;
}

/* SIGTERM, and some time to tidy up, for one that has had its time. */
static void ask_to_end(struct run *r, const atomic_bool *stop)
{
	const uint64_t start = tailbox__mono_ns();
	uint64_t ms = r->limits->term_ms;

	if (ms == 0 || r->is_gone ||
	    (r->to->end != TAILBOX__CHILD_LATE &&
	     r->to->end != TAILBOX__CHILD_STOPPED))
		return;
	(void)kill(-r->pid, SIGTERM);
	while (!r->is_gone && tailbox__mono_ns() - start < ms * 1000000u) {
		if (!hear(r))
			return;
		/* relaxed: it carries no data */
		if (atomic_load_explicit(stop, memory_order_relaxed) &&
		    ms > TERM_STOP_MS)
			ms = TERM_STOP_MS;
	}
}

static void attend(struct run *r, const atomic_bool *stop)
{
	const uint64_t end =
	        tailbox__mono_ns() + r->limits->wall_ms * 1000000u;
	struct tailbox__child *to = r->to;
	bool fits = true;

	while (!r->is_gone && to->end == TAILBOX__CHILD_EXITED) {
		fits = hear(r);
		if (!fits)
			to->end = TAILBOX__CHILD_TOO_MUCH;
		else if (r->is_gone)
			break;
		/* relaxed: it carries no data */
		else if (atomic_load_explicit(stop, memory_order_relaxed))
			to->end = TAILBOX__CHILD_STOPPED;
		else if (tailbox__mono_ns() > end)
			to->end = TAILBOX__CHILD_LATE;
	}
}

void tailbox__child_run(char *const *argv, char *const *env,
                        const struct tailbox__child_limits *limits,
                        const atomic_bool *stop, struct tailbox__child *to)
{
	struct run r = { .limits = limits, .to = to, .out = -1, .err = -1 };
	sigset_t before;
	int rc;

	memset(to, 0, sizeof(*to));
	let_in(&before);
	rc = tailbox__child_start(argv, env, &r.pid,
	                          limits->output_bytes != 0 ? &r.out : NULL,
	                          &r.err);
	if (rc != 0) {
		to->end = TAILBOX__CHILD_NO_START;
		to->code = rc;
	} else {
		rc = tailbox__child_restrain(r.pid, limits);
		if (rc != 0) {
			to->end = TAILBOX__CHILD_NO_START;
			to->code = rc;
		}
		attend(&r, stop);
		ask_to_end(&r, stop);
		finish(&r, stop);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r.out >= 0)
		close(r.out);
	if (r.err >= 0)
		close(r.err);
}
