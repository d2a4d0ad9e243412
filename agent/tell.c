/* agent/tell.c - the agent's line on standard error.
 *
 * SPDX-License-Identifier: MIT
 *
 * A program that serves may have closed descriptor 2 long ago, and what has its
 * number now is a client's socket or a database. So it is written to only while
 * it is the file that it was when the agent was loaded.
 */
#include "agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct stat then;
static bool was_there;

void tailbox__tell_init(void)
{
	was_there = fstat(STDERR_FILENO, &then) == 0;
}

static bool is_same(void)
{
	struct stat now;

	return was_there && fstat(STDERR_FILENO, &now) == 0 &&
	       now.st_dev == then.st_dev && now.st_ino == then.st_ino &&
	       now.st_rdev == then.st_rdev;
}

/* Nobody reads it any more, or the file is as long as one may be: the signal of
 * that would end a program that has written nothing. One that was pending
 * before is the program's. */
static bool put(const char *line, size_t len)
{
	static const struct timespec at_once;
	sigset_t ours, mask, pending;
	ssize_t written;

	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);
	sigaddset(&ours, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &ours, &mask);
	sigpending(&pending);
	do
		written = write(STDERR_FILENO, line, len);
	while (written < 0 && errno == EINTR);
	if (sigismember(&pending, SIGPIPE))
		sigdelset(&ours, SIGPIPE);
	if (sigismember(&pending, SIGXFSZ))
		sigdelset(&ours, SIGXFSZ);
	if (written < 0)
		sigtimedwait(&ours, NULL, &at_once);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return written == (ssize_t)len;
}

bool tailbox__tell(const char *fmt, ...)
{
	static const char head[] = "tailbox: ";
	char line[1024];
	va_list args;
	size_t at = sizeof(head) - 1;
	int n;

	memcpy(line, head, at);
	va_start(args, fmt);
	n = vsnprintf(line + at, sizeof(line) - at - 1, fmt, args);
	va_end(args);
	if (n < 0 || !is_same())
		return false;
	at += (size_t)n < sizeof(line) - at - 1 ? (size_t)n
	                                        : sizeof(line) - at - 2;
	line[at++] = '\n';
	return put(line, at);
}
