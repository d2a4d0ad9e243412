/* controller/child_start.c - start a child with nothing of the service.
 *
 * SPDX-License-Identifier: MIT
 *
 * vfork(), never fork(): the service may have gigabytes to copy tables of, and
 * locks held by threads that a forked child does not have. Nor posix_spawn():
 * it blocks every signal until it is back, and a child that ends before that
 * sends its SIGCHLD to a thread of the application (see let_in() in child.c).
 * Between vfork() and execve() there are system calls only, on what was made
 * before; all signals but SIGCHLD are blocked, so no handler runs in there.
 * The rest is done from here, on the child's number, once it has begun: nice,
 * limits of memory and CPU, first choice of the OOM killer (the child counts
 * against the service's cgroup). The moment before that is the start of a
 * program that the operator named.
 *
 * No descriptor of the service goes with it, whatever its flags say: neither
 * the lock of the tape nor a listening socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/child_internal.h"

#define FIRST_FREE 3 /* descriptor */

/* Shadow memory of a sanitizer takes terabytes of addresses. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SHADOW true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
	__has_feature(memory_sanitizer)
#define HAS_SHADOW true
#endif
#endif
#ifndef HAS_SHADOW
#define HAS_SHADOW false
#endif

/* PATH for a command that is a script. Nothing of the service's own: its
 * secrets are in there. */
static char *const environment[] = { (char[]){ "PATH=/usr/local/bin:/usr/bin:"
	                                       "/bin" },
	                             (char[]){ "LC_ALL=C" }, NULL };

/* Both ends above the standard ones: an application may have closed those. */
static int make_pipe(int ends[2])
{
	int raw[2], rc = 0;

	if (pipe2(raw, O_CLOEXEC) != 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		ends[i] = fcntl(raw[i], F_DUPFD_CLOEXEC, FIRST_FREE);
		if (ends[i] < 0)
			rc = -errno;
		close(raw[i]);
	}
	if (rc == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
		rc = -errno;
	for (int i = 0; rc != 0 && i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return rc;
}

/* Everything from FIRST_FREE on, whoever opened it, is closed by execve(). */
static void close_others(void)
{
	enum { ON_EXEC = 1u << 2 }; /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */
	struct rlimit l;

#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)FIRST_FREE, ~0u,
	            (unsigned)ON_EXEC) == 0)
		return;
#endif
	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		l.rlim_max = 65536;
	for (rlim_t fd = FIRST_FREE; fd < l.rlim_max; fd++)
		(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

/* In the child, which has the memory of the service: only system calls.
 * Gives errno; does not return else. */
static int become(char *const *argv, char *const *env, int out, int err)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null;

	if (setpgid(0, 0) != 0 || (out >= 0 && dup2(out, STDOUT_FILENO) < 0) ||
	    dup2(err, STDERR_FILENO) < 0)
		return errno;
	null = open("/dev/null", O_RDWR);
	if (null < 0 ||
	    (out < 0 && null != STDOUT_FILENO &&
	     dup2(null, STDOUT_FILENO) < 0) ||
	    (null != STDIN_FILENO && dup2(null, STDIN_FILENO) < 0) ||
	    chdir("/") != 0)
		return errno;
	close_others();
	/* Ignored ones would stay so. Some numbers are the library's own. */
	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &usual, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(argv[0], argv, env);
	return errno;
}

/* errno of a child that did not become the command; 0: it did. It comes by a
 * pipe and not by the memory that both have: under TSan vfork() is fork(). */
static int hear(pid_t pid, int from)
{
	int failed = 0, status;
	ssize_t n;

	while ((n = read(from, &failed, sizeof(failed))) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(failed))
		return 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return failed;
}

/* The child runs on this frame until it is another program. */
static __attribute__((noinline)) int spawn(char *const *argv,
                                           char *const *env, int out, int err,
                                           const int told[2], pid_t *pid)
{
	*pid = vfork();
	if (*pid < 0)
		return -errno;
	if (*pid == 0) {
		const int failed = become(argv, env, out, err);

		(void)!write(told[1], &failed, sizeof(failed));
		_exit(127);
	}
	close(told[1]);
	return -hear(*pid, told[0]);
}

static int start(char *const *argv, char *const *env, int out, int err,
                 pid_t *pid)
{
	int told[2], rc = make_pipe(told);

	if (rc != 0)
		return rc;
	if (fcntl(told[0], F_SETFL, 0) != 0) /* waits */
		rc = -errno;
	else
		rc = spawn(argv, env, out, err, told, pid);
	if (rc != 0 && *pid <= 0)
		close(told[1]);
	close(told[0]);
	return rc;
}

/* Not above what the service has: that takes a privilege. */
static bool limit(pid_t pid, int what, uint64_t soft, uint64_t hard)
{
	struct rlimit l, old;

	if (prlimit(pid, what, NULL, &old) == 0) {
		l.rlim_max = hard < old.rlim_max ? hard : old.rlim_max;
		l.rlim_cur = soft < l.rlim_max ? soft : l.rlim_max;
		if (prlimit(pid, what, &l, NULL) == 0)
			return true;
	}
	return errno == ESRCH; /* it has ended already */
}

static void prefer_for_oom(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/oom_score_adj", (long)pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1000", 4) != 4) {
		/* It is as likely as the service then, no more. */
	}
	close(fd);
}

int tailbox__child_restrain(pid_t pid, const struct tailbox__child_limits *l)
{
	(void)setpriority(PRIO_PROCESS, (id_t)pid, 19);
	prefer_for_oom(pid);
	/* At the soft limit of CPU comes SIGXCPU, which says so; at the hard
	 * one SIGKILL. */
	if (!limit(pid, RLIMIT_CORE, 0, 0) ||
	    (l->cpu_s && !limit(pid, RLIMIT_CPU, l->cpu_s, l->cpu_s + 1)) ||
	    (l->memory_bytes && !HAS_SHADOW &&
	     !limit(pid, RLIMIT_AS, l->memory_bytes, l->memory_bytes)))
		return -errno;
	return 0;
}

int tailbox__child_start(char *const *argv, char *const *env, pid_t *pid,
                         int *out_fd, int *err_fd)
{
	int out[2] = { -1, -1 }, err[2];
	int rc = out_fd != NULL ? make_pipe(out) : 0;

	if (rc != 0)
		return rc;
	rc = make_pipe(err);
	if (rc != 0) {
		if (out_fd != NULL) {
			close(out[0]);
			close(out[1]);
		}
		return rc;
	}
	rc = start(argv, env != NULL ? env : environment, out[1], err[1], pid);
	close(err[1]);
	*err_fd = err[0];
	if (out_fd != NULL) {
		close(out[1]);
		*out_fd = out[0];
	}
	return rc;
}
