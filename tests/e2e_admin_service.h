/* tests/e2e_admin_service.h - a service with its admin server in a folder of
 * its own, and bytes that come from there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_E2E_ADMIN_SERVICE_H
#define TAILBOX_TESTS_E2E_ADMIN_SERVICE_H 1

#include <check.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/admin.h"

static char folder[64];

static inline void start_recorder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	unsetenv("TAILBOX");
	unsetenv("TAILBOX_ARTIFACTS");
	unsetenv("STATE_DIRECTORY");
	unsetenv("TAILBOX_CONFIG");
	setenv("TAILBOX_DIR", folder, 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
}

static inline int remove_one(const char *path, const struct stat *st, int type,
                             struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void stop(void)
{
	tailbox_stop();
	unsetenv("TAILBOX_DIR");
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Between two looks at something that is waited for. */
static inline void moment(void)
{
	struct timespec ts = { 0, 2000000 };

	nanosleep(&ts, NULL);
}

/* --- bytes ------------------------------------------------------------- */

struct bytes {
	char *p; /* with a NUL behind */
	size_t n;
};

static inline void append(struct bytes *b, const char *data, size_t n)
{
	b->p = realloc(b->p, b->n + n + 1);
	if (b->p == NULL)
		abort();
	memcpy(b->p + b->n, data, n);
	b->n += n;
	b->p[b->n] = '\0';
}

/* All that comes until the end; closes fd. */
static inline struct bytes hear(int fd)
{
	struct bytes b = { NULL, 0 };
	char buf[65536];
	ssize_t n;

	append(&b, "", 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		append(&b, buf, (size_t)n);
	close(fd);
	return b;
}

/* -1 when it was refused. */
static inline int dial_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", tailbox__admin_path());
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

#endif
