/* tests/recorder_fixture.h - an open recorder in a folder of its own, and what
 * a reader finds on its tape.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_RECORDER_FIXTURE_H
#define TAILBOX_TESTS_RECORDER_FIXTURE_H 1

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/reader.h"
#include "core/recorder.h"

static char fixture_dir[64];
static int fixture_dirfd = -1;

static inline void fixture_folder(void)
{
	snprintf(fixture_dir, sizeof(fixture_dir), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(fixture_dir));
	fixture_dirfd = open(fixture_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fixture_dirfd, 0);
}

static inline void fixture_open(uint64_t bytes)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	int rc;

	fixture_folder();
	rc = tailbox__recorder_open(fixture_dirfd, fixture_dir, "test", "1.0",
	                            bytes, &err);
	ck_assert_msg(rc == 0, "open: %s", err.text);
}

static inline void fixture_close(void)
{
	struct dirent *e;
	DIR *d;

	tailbox__recorder_close(false);
	if (fixture_dirfd >= 0)
		close(fixture_dirfd);
	fixture_dirfd = -1;
	d = opendir(fixture_dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		char path[400];
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", fixture_dir, e->d_name);
		unlink(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(fixture_dir);
}

/* Everything a poll hands out, by kind. */
struct fixture_records {
	char *bytes[4];
	size_t len[4];
};

static inline int fixture_collect(void *cls, unsigned kind, uint32_t thread,
                                  const char *records, size_t bytes)
{
	struct fixture_records *c = cls;

	(void)thread;
	ck_assert_uint_lt(kind, 4);
	c->bytes[kind] = realloc(c->bytes[kind], c->len[kind] + bytes);
	ck_assert_ptr_nonnull(c->bytes[kind]);
	memcpy(c->bytes[kind] + c->len[kind], records, bytes);
	c->len[kind] += bytes;
	return 0;
}

static inline void fixture_forget(struct fixture_records *c)
{
	for (int i = 0; i < 4; i++)
		free(c->bytes[i]);
	memset(c, 0, sizeof(*c));
}

static inline size_t fixture_count(const struct fixture_records *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->len[TAILBOX__BLOCK_REQUESTS]; i += 64)
		n += c->bytes[TAILBOX__BLOCK_REQUESTS][i] ==
		     TAILBOX__REC_REQUEST;
	return n;
}

/* A block of the open tape. */
static inline struct tailbox__block *fixture_block(uint32_t i)
{
	struct tailbox__tape_header *h = tailbox__recorder.tape.header;

	return (void *)((char *)h + h->blocks_off +
	                (size_t)i * h->block_bytes);
}

#endif
