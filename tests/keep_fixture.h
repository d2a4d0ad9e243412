/* tests/keep_fixture.h - artifacts that are made one after the other, and
 * which of them are there still.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_TESTS_KEEP_FIXTURE_H
#define TAILBOX_TESTS_KEEP_FIXTURE_H 1

#include <inttypes.h>
#include <sys/stat.h>

#include "tests/controller_fixture.h"

static inline void again(struct tailbox__controller_config c)
{
	tailbox__controller_stop();
	start_as(c);
}

static inline uint64_t capture(unsigned count)
{
	const uint64_t id = arm(NULL);

	requests(count);
	disarm();
	return id;
}

static inline struct tailbox__artifact_entry entry(uint64_t id)
{
	struct tailbox__artifact_entry e;
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, id);
	ck_assert_int_eq(tailbox__artifact_find(number, &e), 0);
	return e;
}

static inline bool is_there(uint64_t id)
{
	struct tailbox__artifact_entry e;
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, id);
	return tailbox__artifact_find(number, &e) == 0;
}

static inline bool was_said(const char *part)
{
	bool was = false;

	pthread_mutex_lock(&log_lock);
	for (size_t i = 0; i < log_count; i++)
		was |= strstr(log_lines[i], part) != NULL;
	pthread_mutex_unlock(&log_lock);
	return was;
}

static inline long count(void)
{
	static struct tailbox__artifact_entry e[200];

	return tailbox__artifacts(e, 200, NULL);
}

static inline bool exists(const char *name, const char *suffix)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s%s", artifact_dir, name, suffix);
	return lstat(path, &st) == 0;
}

static inline void put_file(const char *path, const char *text)
{
	const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)),
	                 (ssize_t)strlen(text));
	close(fd);
}

static inline struct tailbox__folder_status folder(void)
{
	struct tailbox__folder_status s;

	tailbox__folder_status(&s);
	return s;
}

#endif
