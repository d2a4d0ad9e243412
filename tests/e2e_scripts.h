/* tests/e2e_scripts.h - a service whose children are scripts.
 *
 * SPDX-License-Identifier: MIT
 *
 * Commands are scripts that are written here; a reload names the next one.
 */
#ifndef TAILBOX_TESTS_E2E_SCRIPTS_H
#define TAILBOX_TESTS_E2E_SCRIPTS_H 1

#include <stdbool.h>
#include <sys/wait.h>

#include <tailbox.h>

#include "tests/e2e_admin_client.h"
#include "tests/e2e_client.h"

static char folder[64]; /* scripts, configuration, marks */

static inline const char *file(const char *name)
{
	static char paths[4][128]; /* of the last four calls */
	static unsigned next;
	char *p = paths[next++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", folder, name);
	return p;
}

static inline void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

/* What the configuration has beside the command. */
static const char *more_config = "";

static inline void write_config(const char *command)
{
	char text[1024];

	snprintf(text, sizeof(text), "[admin]\nreport_command = \"%s\"\n%s",
	         command, more_config);
	write_file(file("conf"), text, 0600);
}

static inline void name_command(const char *command)
{
	write_config(command);
	ck_assert_int_eq(service_call("POST", "/reload"), 200);
}

/* The next command: a script that finds itself in $d. */
static inline void script(const char *text)
{
	char all[2048];

	snprintf(all, sizeof(all), "#!/bin/sh\nd=%s\n%s", folder, text);
	unlink(file("command"));
	write_file(file("command"), all, 0700);
	name_command(file("command"));
}

static inline void capture(int requests)
{
	struct service_reply r;
	bool is_over = false;

	ck_assert_int_eq(service_call("POST", "/arm"), 200);
	for (int i = 0; i < requests; i++)
		tailbox_request_finish(tailbox_request_begin("/cart", "http"),
		                       "ok");
	ck_assert_int_eq(service_call("POST", "/disarm"), 200);
	while (!is_over) {
		r = service_admin("GET", "/status");
		is_over = strstr(r.text, "\"state\": \"disabled\"") != NULL;
		free(r.text);
		usleep(2000);
	}
}

static inline bool has_no_child(void)
{
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD;
}

static inline bool file_is_there(void *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_size > 0;
}

static inline long number_in(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	return strtol(text, NULL, 10);
}

/* Whether a process is gone, or dead and not ours to reap. */
static inline bool is_dead(void *cls)
{
	const long pid = *(const long *)cls;
	char path[64], text[512] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	const ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	const char *state = strrchr(text, ')');
	return n <= 0 || (state != NULL && state[2] == 'Z');
}

#define WAIT_FOR_FILE(name)                                                    \
	e2e_wait(file_is_there, (void *)(uintptr_t)file(name), name)

/* With a command that is not there. */
static inline void scripts_start(const char *more)
{
	more_config = more;
	snprintf(folder, sizeof(folder), "/tmp/tailbox-scripts-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	unsetenv("TAILBOX");
	unsetenv("TAILBOX_ARTIFACTS");
	unsetenv("STATE_DIRECTORY");
	setenv("SECRET_OF_THE_SERVICE", "x", 1);
	setenv("TAILBOX_CONFIG", file("conf"), 1);
	write_config("/nowhere/tailbox");
	service_start(5000);
}

static inline void scripts_stop(void)
{
	service_stop();
	nftw(folder, service_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	ck_assert(has_no_child());
}

#endif
