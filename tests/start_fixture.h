/* tests/start_fixture.h - tailbox_start() in a folder of its own, without
 * anything in the environment that the test has not set.
 *
 * SPDX-License-Identifier: MIT
 *
 * What was noted is read where a user reads it: from /status, by a client of a
 * few lines that also reaches sockets whose path is too long for curl.
 */
#ifndef TAILBOX_TESTS_START_FIXTURE_H
#define TAILBOX_TESTS_START_FIXTURE_H 1

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/admin.h"
#include "core/alloc.h"
#include "core/recorder.h"

static char base[64]; /* folder of the test */
static char run[96];  /* base/run, named by TAILBOX_DIR */
static char mounted[96];

static const char *const variables[] = {
	"TAILBOX", "TAILBOX_DIR", "TAILBOX_ARTIFACTS", "RUNTIME_DIRECTORY",
	"STATE_DIRECTORY", "TAILBOX_CONFIG"
};

static inline void clear_environment(void)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
}

static inline void start_setup(void)
{
	clear_environment();
	snprintf(base, sizeof(base), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(run, sizeof(run), "%s/run", base);
	setenv("TAILBOX_DIR", run, 1);
}

static inline int remove_one(const char *path, const struct stat *st, int type,
                             struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void start_teardown(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox_stop();
	clear_environment();
	if (mounted[0] != '\0')
		umount2(mounted, MNT_DETACH);
	mounted[0] = '\0';
	nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* --- a client ----------------------------------------------------------- */

static inline int dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), dir = -1, rc;
	const char *name = strrchr(path, '/');

	ck_assert_int_ge(fd, 0);
	if (strlen(path) < sizeof(a.sun_path)) {
		snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	} else {
		char folder[4096];
		snprintf(folder, sizeof(folder), "%.*s", (int)(name - path),
		         path);
		dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
		snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d%s",
		         dir, name);
	}
	rc = connect(fd, (struct sockaddr *)&a, sizeof(a));
	if (dir >= 0)
		close(dir);
	if (rc == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* The whole answer, in a buffer that the next call uses again. */
static inline const char *ask(const char *method, const char *target)
{
	static char buf[65536];
	char request[512];
	size_t len = 0;
	ssize_t n;
	int fd = dial(tailbox__admin_path());

	ck_assert_msg(fd >= 0, "connect: %s", strerror(-fd));
	n = snprintf(request, sizeof(request),
	             "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method,
	             target);
	ck_assert_int_eq(write(fd, request, (size_t)n), n);
	while ((n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	close(fd);
	return buf;
}

static inline const char *status(void)
{
	return ask("GET", "/status");
}

/* --- what is there ------------------------------------------------------ */

#define has(text, what)                                                        \
	ck_assert_msg(strstr(text, what) != NULL, "no %s in: %s", what, text)

static inline bool exists(const char *dir, const char *name)
{
	char path[800];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static inline const char *own(const char *service, const char *suffix)
{
	static char name[2][160];
	static int turn;

	turn = !turn;
	snprintf(name[turn], sizeof(name[0]), "%s.%ld.%s", service,
	         (long)getpid(), suffix);
	return name[turn];
}

static inline void tape_is_in(const char *dir)
{
	const char *path = tailbox__recorder.tape.path;
	size_t n = strlen(dir);

	ck_assert_msg(strncmp(path, dir, n) == 0 && path[n] == '/' &&
	                      strchr(path + n + 1, '/') == NULL,
	              "tape is %s, not in %s", path, dir);
}

#endif
