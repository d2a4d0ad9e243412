/* tests/controller_fixture.h - a controller over an open recorder, with an
 * artifact folder of its own.
 *
 * SPDX-License-Identifier: MIT
 *
 * Tests wait for what the controller says in its log, never for time.
 */
#ifndef TAILBOX_TESTS_CONTROLLER_FIXTURE_H
#define TAILBOX_TESTS_CONTROLLER_FIXTURE_H 1

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include <tailbox.h>

#include "controller/internal.h"
#include "core/alloc.h"
#include "core/artifact.h"
#include "core/recorder.h"
#include "core/validate.h"
#include "tests/recorder_fixture.h"

enum { LOG_LINES = 4096 };

/* What never comes is waited for as long as this, on a machine that is as slow
 * as libcheck was told. */
static inline int wait_s(void)
{
	const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");
	const long m = multiplier ? strtol(multiplier, NULL, 10) : 1;

	return 40 * (m > 1 && m < 100 ? (int)m : 1);
}

static char artifact_dir[96];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t log_said = PTHREAD_COND_INITIALIZER;
static char *log_lines[LOG_LINES];
static size_t log_count, log_seen;

static inline void log_line(void *cls, const char *line)
{
	(void)cls;
	pthread_mutex_lock(&log_lock);
	if (log_count < LOG_LINES)
		log_lines[log_count++] = strdup(line);
	pthread_cond_broadcast(&log_said);
	pthread_mutex_unlock(&log_lock);
}

/* The next line that has `part` in it; those before it are passed over. */
static inline const char *wait_for(const char *part)
{
	const char *found = NULL;
	struct timespec until;
	int ret = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += wait_s();
	pthread_mutex_lock(&log_lock);
	while (!found && ret == 0) {
		while (!found && log_seen < log_count) {
			const char *line = log_lines[log_seen++];
			if (strstr(line, part))
				found = line;
		}
		if (!found)
			ret = pthread_cond_timedwait(&log_said, &log_lock,
			                             &until);
	}
	pthread_mutex_unlock(&log_lock);
	ck_assert_msg(found != NULL, "\"%s\" was never said", part);
	return found;
}

/* As a test wants it; what has to be set is. */
static inline void start_as(struct tailbox__controller_config c)
{
	c.service = "test";
	c.artifact_dir = artifact_dir;
	c.log = log_line;
	ck_assert_int_eq(tailbox__controller_start(&c), 0);
}

static inline void start_with(uint32_t drain_ms)
{
	start_as((struct tailbox__controller_config){
	        .drain_timeout_ms = drain_ms });
}

static inline void controller_open_tape(void)
{
	fixture_open((uint64_t)16 << 20);
	snprintf(artifact_dir, sizeof(artifact_dir), "%s/a/b", fixture_dir);
}

static inline void controller_open(void)
{
	controller_open_tape();
	start_with(0);
}

static inline void remove_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char file[512];
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (unlink(file) != 0)
			rmdir(file);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static inline unsigned count_in(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static inline void controller_close(void)
{
	char parent[96];

	tailbox__alloc_fail_after(-1);
	tailbox__controller_stop();
	remove_folder(artifact_dir);
	snprintf(parent, sizeof(parent), "%s/a", fixture_dir);
	remove_folder(parent);
	for (size_t i = 0; i < log_count; i++)
		free(log_lines[i]);
	log_count = log_seen = 0;
	fixture_close();
}

static inline struct tailbox__activation light(void)
{
	struct tailbox__activation a;

	tailbox__activation_init(&a, TAILBOX__MODE_LIGHT);
	return a;
}

static inline uint64_t arm(const struct tailbox__activation *a)
{
	const struct tailbox__activation defaults = light();
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	uint64_t id = 0;
	const int ret = tailbox__arm(a ? a : &defaults, &id, &err);

	ck_assert_msg(ret == 0, "arm: %d %s", ret, err.text);
	return id;
}

/* Disarm and wait until the artifact is there. */
static inline void disarm(void)
{
	ck_assert_int_eq(tailbox__disarm(NULL, NULL, NULL),
	                 TAILBOX__DISARM_CLOSING);
	wait_for(": test-");
}

static inline struct tailbox__window_status window(void)
{
	struct tailbox__window_status s;

	tailbox__window_status(&s);
	return s;
}

/* Wait for a state that nothing is said about. */
static inline void wait_until_spooled(uint64_t requests)
{
	for (int i = 0; i < wait_s() * 1000; i++) {
		const struct timespec ms = { .tv_nsec = 1000000 };
		if (window().spooled_requests >= requests)
			return;
		nanosleep(&ms, NULL);
	}
	ck_abort_msg("the follower never saw %llu requests",
	             (unsigned long long)requests);
}

static inline void requests(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		tailbox_request_finish(tailbox_request_begin("/job", NULL),
		                       NULL);
}

/* The artifact of a window: loaded, and with nothing to find in it. Nor did
 * normalization have anything to mend: the one warning there may be is that
 * of unfinished requests. */
static inline struct tailbox__run *load(uint64_t id)
{
	struct tailbox__artifact_entry e;
	struct tailbox__inspection in;
	struct tailbox__run *run;
	char number[24];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)id);
	ck_assert_int_eq(tailbox__artifact_find(number, &e), 0);
	ck_assert(e.is_ours);
	const int fd = tailbox__artifact_open(&e);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tailbox__artifact_read(fd, &run, NULL), 0);
	close(fd);
	ck_assert_uint_eq(e.requests, run->requests.count);
	ck_assert_int_eq(tailbox__inspect(run, &in), 0);
	ck_assert_uint_eq(in.issues.count, 0);
	tailbox__inspection_fini(&in);
	ck_assert_uint_eq(run->meta.warnings.count,
	                  run->meta.unfinished_count ? 1 : 0);
	return run;
}

static inline uint64_t extra(const struct tailbox__run *run, const char *key)
{
	const struct tailbox__run_pair *x = tailbox__run_extra(run, key);

	ck_assert_msg(x != NULL, "no extra %s", key);
	return x->number;
}

#endif
