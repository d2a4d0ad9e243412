/* cli/run_program.c - start the program, pass on signals, wait for its end.
 *
 * SPDX-License-Identifier: MIT
 *
 * The program stays in our process group, so a terminal treats the two as one:
 * Ctrl-C reaches both, the program decides, and we wait for it. What comes
 * from the kernel (a terminal) has reached it already and is not passed on; what
 * somebody sends to us is. SIGKILL and SIGSTOP cannot be passed on: the program
 * then lives on, recorded.
 */
#include "cli/run.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>

enum {
	WATCH_MS = 100, /* while nothing is recorded */
	PATIENCE_MS = 5000,
	NOT_STARTED = 126,
	NOT_FOUND = 127
};

static const int passed_on[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
	                         SIGUSR1, SIGUSR2, SIGALRM, SIGCONT };

/* --- where it is ---------------------------------------------------------- */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

/* As execvp(): an empty part of PATH is the present folder. */
static bool search(struct cli__run *r, const char *list)
{
	while (list != NULL) {
		const size_t n = strcspn(list, ":");
		const int len = snprintf(r->path, sizeof(r->path), "%.*s%s%s",
		                         (int)n, list, n ? "/" : "./",
		                         r->argv[0]);
		if (len > 0 && len < (int)sizeof(r->path) &&
		    is_program(r->path))
			return true;
		list = list[n] == ':' ? list + n + 1 : NULL;
	}
	return false;
}

int cli__run_find_program(struct cli__run *r)
{
	const char *name = r->argv[0], *list = getenv("PATH");

	if (strchr(name, '/') == NULL) {
		if (*name != '\0' && search(r, list ? list : "/bin:/usr/bin"))
			return 0;
		cli__say("%s: no such program in PATH", name);
		return NOT_FOUND;
	}
	if (snprintf(r->path, sizeof(r->path), "%s", name) >=
	    (int)sizeof(r->path)) {
		cli__say("%.60s...: the path is too long", name);
		return NOT_FOUND;
	}
	if (access(name, F_OK) == 0)
		return 0; /* if it cannot be started, the kernel says why */
	cli__say("%s: %s", name, tailbox_strerror(errno));
	return errno == ENOENT || errno == ENOTDIR ? NOT_FOUND : NOT_STARTED;
}

/* --- start ---------------------------------------------------------------- */

static void all_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(set, passed_on[i]);
}

void cli__run_keep_on(struct cli__run *r)
{
	r->has_sigpipe = signal(SIGPIPE, SIG_IGN) == SIG_DFL;
}

/* With the signals as we found them. */
static int spawn(struct cli__run *r, char **environment, const sigset_t *mask)
{
	posix_spawnattr_t attr;
	sigset_t defaults;
	int error = posix_spawnattr_init(&attr);

	sigemptyset(&defaults);
	if (r->has_sigpipe)
		sigaddset(&defaults, SIGPIPE);
	if (error == 0) {
		posix_spawnattr_setsigmask(&attr, mask);
		posix_spawnattr_setsigdefault(&attr, &defaults);
		posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
		                                        POSIX_SPAWN_SETSIGDEF);
		error = posix_spawn(&r->pid, r->path, NULL, &attr, r->argv,
		                    environment);
		posix_spawnattr_destroy(&attr);
	}
	if (error == 0)
		return 0;
	cli__say("%s: cannot be started: %s", r->path, tailbox_strerror(error));
	return error == ENOENT ? NOT_FOUND : NOT_STARTED;
}

/* --- wait ----------------------------------------------------------------- */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool has_ended(struct cli__run *r)
{
	return waitpid(r->pid, &r->status, WNOHANG) == r->pid;
}

/* While nothing is recorded we look by the clock, then only signals count. */
static void wait_for(struct cli__run *r, const sigset_t *set)
{
	const uint64_t begun = now_ms();
	const struct timespec step = { 0, WATCH_MS * 1000000L };
	bool is_watching = r->board != NULL;
	siginfo_t info;

	for (;;) {
		const int sig = is_watching ? sigtimedwait(set, &info, &step)
		                            : sigwaitinfo(set, &info);
		if (has_ended(r))
			return;
		if (sig > 0 && sig != SIGCHLD && info.si_code != SI_KERNEL)
			kill(r->pid, sig);
		if (!is_watching)
			continue;
		cli__run_watch(r);
		is_watching = !cli__run_is_told(r);
		if (is_watching && now_ms() - begun >= PATIENCE_MS) {
			cli__run_say_why(r);
			is_watching = false;
		}
	}
}

int cli__run_program(struct cli__run *r, char **environment)
{
	sigset_t set, before;

	/* Blocked from here on: one that comes between start and wait is not
	 * lost, and the program's end is not, either. */
	all_signals(&set);
	sigprocmask(SIG_BLOCK, &set, &before);
	/* Ignored, as a parent may have left it, we would not see it end. */
	signal(SIGCHLD, SIG_DFL);
	int rc = spawn(r, environment, &before);
	if (rc == 0)
		wait_for(r, &set);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

/* --- its end -------------------------------------------------------------- */

int cli__run_status(const struct cli__run *r)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t set;

	if (WIFEXITED(r->status))
		return WEXITSTATUS(r->status);
	/* The core, if any, is the program's. */
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(r->status), SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(r->status));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(WTERMSIG(r->status));
	return 128 + WTERMSIG(r->status);
}
