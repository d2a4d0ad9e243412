/* controller/child_start.c - start a child with nothing of the service.
 *
 * SPDX-License-Identifier: MIT
 *
 * posix_spawn(), never fork(): the service may have gigabytes to copy tables
 * of, and locks held by threads that a forked child does not have. What its
 * attributes cannot say is done from here, on the child's number, once it has
 * begun: nice, limits of memory and CPU, first choice of the OOM killer (the
 * child counts against the service's cgroup). The moment before that is the
 * start of a program that the operator named.
 *
 * No descriptor of the service goes with it, whatever its flags say: neither
 * the lock of the tape nor a listening socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#ifndef TAILBOX_HAS_CLOSEFROM
#include <dirent.h>
#include <stdlib.h>
#endif

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

/* Everything from FIRST_FREE on is closed in the child. */
static int close_others(posix_spawn_file_actions_t *a)
{
#ifdef TAILBOX_HAS_CLOSEFROM
	return posix_spawn_file_actions_addclosefrom_np(a, FIRST_FREE);
#else
	/* Those that are open now. What another thread opens from here on
	 * without O_CLOEXEC goes with the child; ours all have it. */
	DIR *d = opendir("/proc/self/fd");
	int rc = d == NULL ? errno : 0;

	for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;) {
		const long fd = strtol(e->d_name, NULL, 10);
		if (fd >= FIRST_FREE)
			rc = posix_spawn_file_actions_addclose(a, (int)fd);
	}
	if (d != NULL)
		closedir(d);
	return rc;
#endif
}

static int set_actions(posix_spawn_file_actions_t *a, int out, int err)
{
	int rc = posix_spawn_file_actions_addopen(a, STDIN_FILENO, "/dev/null",
	                                          O_RDONLY, 0);

	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(a, out, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(a, err, STDERR_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_addchdir_np(a, "/");
	if (rc == 0)
		rc = close_others(a);
	return rc;
}

/* A process group of its own, no signal blocked or ignored. */
static int set_attributes(posix_spawnattr_t *a)
{
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	rc = posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP |
	                                         POSIX_SPAWN_SETSIGMASK |
	                                         POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawnattr_setpgroup(a, 0);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(a, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(a, &all);
	return rc;
}

static int spawn(char *const *argv, int out, int err, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int rc = posix_spawn_file_actions_init(&actions);

	if (rc != 0)
		return -rc;
	rc = posix_spawnattr_init(&attributes);
	if (rc == 0) {
		rc = set_actions(&actions, out, err);
		if (rc == 0)
			rc = set_attributes(&attributes);
		if (rc == 0)
			rc = posix_spawn(pid, argv[0], &actions, &attributes,
			                 argv, environment);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -rc;
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
	    !limit(pid, RLIMIT_CPU, l->cpu_s, l->cpu_s + 1) ||
	    (l->memory_bytes && !HAS_SHADOW &&
	     !limit(pid, RLIMIT_AS, l->memory_bytes, l->memory_bytes)))
		return -errno;
	return 0;
}

int tailbox__child_start(char *const *argv, pid_t *pid, int *out_fd,
                         int *err_fd)
{
	int out[2], err[2], rc = make_pipe(out);

	if (rc != 0)
		return rc;
	rc = make_pipe(err);
	if (rc != 0) {
		close(out[0]);
		close(out[1]);
		return rc;
	}
	rc = spawn(argv, out[1], err[1], pid);
	close(out[1]);
	close(err[1]);
	*out_fd = out[0];
	*err_fd = err[0];
	return rc;
}
