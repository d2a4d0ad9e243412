/* tests/test_start.c - tailbox_start() and tailbox_stop(): environment,
 * options, everything that may be in their way, fork, no leaks.
 *
 * SPDX-License-Identifier: MIT
 *
 * What was noted is read where a user reads it: from /status, by a client of
 * a few lines that also reaches sockets whose path is too long for curl.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
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

static void clear_environment(void)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
}

static void setup(void)
{
	clear_environment();
	snprintf(base, sizeof(base), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(run, sizeof(run), "%s/run", base);
	setenv("TAILBOX_DIR", run, 1);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void teardown(void)
{
	tailbox__alloc_fail_after(-1);
	tailbox_stop();
	clear_environment();
	if (mounted[0] != '\0')
		umount2(mounted, MNT_DETACH);
	mounted[0] = '\0';
	nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* --- a client ---------------------------------------------------------- */

static int dial(const char *path)
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
static const char *ask(const char *method, const char *target)
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

static const char *status(void)
{
	return ask("GET", "/status");
}

#define has(text, what)                                                        \
	ck_assert_msg(strstr(text, what) != NULL, "no %s in: %s", what, text)
#define has_not(text, what)                                                    \
	ck_assert_msg(strstr(text, what) == NULL, "%s in: %s", what, text)

static bool exists(const char *dir, const char *name)
{
	char path[800];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static const char *own(const char *service, const char *suffix)
{
	static char name[2][160];
	static int turn;

	turn = !turn;
	snprintf(name[turn], sizeof(name[0]), "%s.%ld.%s", service,
	         (long)getpid(), suffix);
	return name[turn];
}

/* --- the plain way ----------------------------------------------------- */

START_TEST(starts_records_and_leaves_nothing_behind)
{
	ck_assert_int_eq(tailbox_is_recording(), 0);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	ck_assert_int_eq(tailbox_is_recording(), 1);
	ck_assert(exists(run, own("shop", "tape")));
	ck_assert(exists(run, own("shop", "sock")));
	ck_assert_uint_eq(mode_of(run), 0700);
	ck_assert_uint_eq(mode_of(tailbox__admin_path()), 0600);
	has(status(), "\"notes\": []");
	tailbox_stop();
	ck_assert_int_eq(tailbox_is_recording(), 0);
	ck_assert(!exists(run, own("shop", "tape")));
	ck_assert(!exists(run, own("shop", "sock")));
}
END_TEST

START_TEST(second_start_is_refused_and_the_first_stays)
{
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	ck_assert_int_eq(tailbox_start("other", NULL), -EALREADY);
	ck_assert(exists(run, own("shop", "tape")));
	ck_assert(!exists(run, own("other", "tape")));
	has(status(), "\"service\": \"shop\"");
}
END_TEST

START_TEST(stop_without_start_does_nothing)
{
	tailbox_stop();
	tailbox_stop();
	ck_assert_int_eq(tailbox_is_recording(), 0);
}
END_TEST

static void count_line(void *cls, const char *line)
{
	ck_assert_ptr_null(strchr(line, '\n'));
	ck_assert_int_eq(strncmp(line, "tailbox: ", 9), 0);
	++*(_Atomic int *)cls;
}

START_TEST(log_gets_lines)
{
	struct tailbox_options o;
	_Atomic int lines = 0;
	int before;

	tailbox_options_init(&o);
	o.log = count_line;
	o.log_cls = &lines;
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	ck_assert_int_ge(lines, 2); /* tape and socket */
	before = lines;
	tailbox_stop();
	ck_assert_int_gt(lines, before);
}
END_TEST

/* --- the environment --------------------------------------------------- */

START_TEST(off_is_off)
{
	static const char *const words[] = { "off", "OFF", "0", "no", "false" };

	setenv("TAILBOX", words[_i], 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), -ECANCELED);
	ck_assert_int_eq(tailbox_is_recording(), 0);
	ck_assert_int_ne(access(run, F_OK), 0);
	ck_assert_ptr_null(tailbox_request_begin("/", NULL));
	tailbox_stop();
	/* A later start looks again. */
	setenv("TAILBOX", "on", 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	has(status(), "\"notes\": []");
}
END_TEST

START_TEST(misspelt_switch_records_and_is_noted)
{
	setenv("TAILBOX", "of\nf", 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	has(status(), "TAILBOX=of?f is neither off nor on");
}
END_TEST

static void tape_is_in(const char *dir)
{
	const char *path = tailbox__recorder.tape.path;
	size_t n = strlen(dir);

	ck_assert_msg(strncmp(path, dir, n) == 0 && path[n] == '/' &&
	                      strchr(path + n + 1, '/') == NULL,
	              "tape is %s, not in %s", path, dir);
}

START_TEST(run_folder_by_precedence)
{
	char runtime[96], list[200], inner[128], option[96], shm[64];
	struct tailbox_options o;

	snprintf(runtime, sizeof(runtime), "%s/runtime", base);
	ck_assert_int_eq(mkdir(runtime, 0755), 0);
	snprintf(list, sizeof(list), "%s:%s/second", runtime, base);
	snprintf(inner, sizeof(inner), "%s/tailbox", runtime);
	snprintf(option, sizeof(option), "%s/option", base);
	snprintf(shm, sizeof(shm), "/dev/shm/tailbox-%lu",
	         (unsigned long)geteuid());
	setenv("RUNTIME_DIRECTORY", list, 1);
	tailbox_options_init(&o);
	o.run_dir = option;

	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	tape_is_in(run);
	tailbox_stop();
	unsetenv("TAILBOX_DIR");
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	tape_is_in(option);
	tailbox_stop();
	o.run_dir = " ";
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	tape_is_in(inner);
	has(status(), "not the end of the service");
	tailbox_stop();
	unsetenv("RUNTIME_DIRECTORY");
	o.run_dir = NULL;
	o.tape_bytes = 1 << 20;
	if (tailbox_start("shop", &o) == 0)
		tape_is_in(shm); /* a machine without /dev/shm has none */
}
END_TEST

START_TEST(unusable_run_folder_gives_way_to_the_next)
{
	struct tailbox_options o;
	char option[96];

	setenv("TAILBOX_DIR", "/proc/no/such", 1);
	snprintf(option, sizeof(option), "%s/option", base);
	tailbox_options_init(&o);
	o.run_dir = option;
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	tape_is_in(option);
	has(status(), "TAILBOX_DIR cannot be used: cannot create folder "
	              "/proc/no/such");
}
END_TEST

START_TEST(link_as_run_folder_is_refused)
{
	struct tailbox_options o;
	char option[96], target[96];

	snprintf(target, sizeof(target), "%s/target", base);
	ck_assert_int_eq(mkdir(target, 0700), 0);
	ck_assert_int_eq(symlink(target, run), 0);
	snprintf(option, sizeof(option), "%s/option", base);
	tailbox_options_init(&o);
	o.run_dir = option;
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	tape_is_in(option);
	has(status(), "TAILBOX_DIR cannot be used");
}
END_TEST

START_TEST(relative_run_folder_is_made_absolute)
{
	char here[4096];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	ck_assert_int_eq(chdir(base), 0);
	setenv("TAILBOX_DIR", "run//", 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	ck_assert_int_eq(chdir("/"), 0);
	tape_is_in(run);
	tailbox_stop();
	ck_assert(!exists(run, own("shop", "tape")));
	ck_assert(!exists(run, own("shop", "sock")));
	ck_assert_int_eq(chdir(here), 0);
}
END_TEST

static void artifacts_are_in(const struct tailbox_options *o, const char *dir)
{
	char want[256];

	ck_assert_int_eq(tailbox_start("shop", o), 0);
	snprintf(want, sizeof(want), "\"artifact_folder\": \"%s\"", dir);
	has(status(), want);
	tailbox_stop();
}

START_TEST(artifact_folder_by_precedence)
{
	struct tailbox_options o;
	char env[96], option[96], state[96], list[256], dir[128];

	snprintf(env, sizeof(env), "%s/env", base);
	snprintf(option, sizeof(option), "%s/option", base);
	snprintf(state, sizeof(state), "%s/state", base);
	snprintf(list, sizeof(list), "%s:/else", state);
	tailbox_options_init(&o);
	o.artifact_dir = option;
	setenv("TAILBOX_ARTIFACTS", env, 1);
	setenv("STATE_DIRECTORY", list, 1);
	artifacts_are_in(&o, env);
	unsetenv("TAILBOX_ARTIFACTS");
	artifacts_are_in(&o, option);
	snprintf(dir, sizeof(dir), "%s/tailbox", state);
	artifacts_are_in(NULL, dir);
	unsetenv("STATE_DIRECTORY");
	snprintf(dir, sizeof(dir), "%s/artifacts", run);
	artifacts_are_in(NULL, dir);
}
END_TEST

/* --- options ----------------------------------------------------------- */

START_TEST(service_names_become_file_names)
{
	static const struct {
		const char *given, *shown;
	} names[] = {
		{ "shop", "shop" },
		{ "my shop/1", "my_shop_1" },
		{ "caf\xc3\xa9-2.x_", "caf_-2.x_" },
		{ "..", ".." },
		{ "a\nb", "a_b" },
		/* 63 bytes are kept, and no half of a character. */
		{ "012345678901234567890123456789012345678901234567890123456789"
		  "01234",
		  "012345678901234567890123456789012345678901234567890123456789"
		  "012" },
		{ "012345678901234567890123456789012345678901234567890123456789"
		  "01\xc3\xa9",
		  "012345678901234567890123456789012345678901234567890123456789"
		  "01" },
	};
	bool is_same = strcmp(names[_i].given, names[_i].shown) == 0;

	ck_assert_int_eq(tailbox_start(names[_i].given, NULL), 0);
	ck_assert(exists(run, own(names[_i].shown, "tape")));
	ck_assert(exists(run, own(names[_i].shown, "sock")));
	if (is_same)
		has(status(), "\"notes\": []");
	else
		has(status(), "is shown as ");
}
END_TEST

START_TEST(no_service_name_is_the_program)
{
	ck_assert_int_eq(tailbox_start(_i ? " \t" : NULL, NULL), 0);
	ck_assert(exists(run, own(program_invocation_short_name, "tape")));
}
END_TEST

START_TEST(bad_values_are_replaced_and_named)
{
	static const struct {
		uint64_t tape;
		uint32_t interval, drain;
		const char *noted; /* NULL = it is good */
	} values[] = {
		{ 0, 0, 0, NULL },
		{ 1 << 20, 10, 600000, NULL },
		{ 0, 60000, 1, NULL },
		{ (1 << 20) - 1, 0, 0, "tape_bytes 1048575 is not" },
		{ ((uint64_t)1 << 30) + 1, 0, 0, "tape_bytes 1073741825 is" },
		{ 0, 9, 0, "sample_interval_ms 9 is not" },
		{ 0, 60001, 0, "sample_interval_ms 60001 is not" },
		{ 0, 0, 600001, "drain_timeout_ms 600001 is over" },
	};
	struct tailbox_options o;

	tailbox_options_init(&o);
	o.tape_bytes = values[_i].tape;
	o.sample_interval_ms = values[_i].interval;
	o.drain_timeout_ms = values[_i].drain;
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	if (values[_i].noted != NULL)
		has(status(), values[_i].noted);
	else
		has(status(), "\"notes\": []");
	if (values[_i].tape == 1 << 20)
		ck_assert_uint_eq(tailbox__recorder.tape.file_bytes, 1 << 20);
}
END_TEST

/* The kernel ends who makes a file larger than RLIMIT_FSIZE, by a signal. The
 * limit is there for the call only: libcheck writes files, too. */
static int start_below(rlim_t limit)
{
	struct rlimit before, small;
	int rc, set;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = limit;
	set = setrlimit(RLIMIT_FSIZE, &small);
	rc = tailbox_start("shop", NULL);
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert_int_eq(set, 0);
	return rc;
}

START_TEST(a_limit_on_file_sizes_is_kept_to)
{
	static const struct {
		rlim_t limit;
		uint64_t tape; /* 0 = none */
	} rows[] = {
		{ (5 << 20) + 1, 4 << 20 }, { (4 << 20) - 1, 2 << 20 },
		{ 1 << 20, 1 << 20 },       { (1 << 20) - 1, 0 },
		{ 0, 0 },
	};
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/settings", base);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs("[window]\narm_at_start = true\n", f);
	fclose(f);
	setenv("TAILBOX_CONFIG", path, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int rc = start_below(rows[i].limit);
		if (rows[i].tape != 0) {
			ck_assert_int_eq(rc, 0);
			ck_assert_uint_eq(tailbox__recorder.tape.file_bytes,
			                  rows[i].tape);
		} else {
			ck_assert_int_eq(rc, -EFBIG);
			has(status(), "RLIMIT_FSIZE");
		}
		tailbox_stop();
	}
}
END_TEST

START_TEST(options_of_other_sizes)
{
	struct {
		struct tailbox_options o;
		uint64_t newer[2];
	} big;

	memset(&big, 0, sizeof(big));
	tailbox_options_init(&big.o);
	big.o.service_version = "2.0";
	big.o.tape_bytes = 1;
	/* An older caller: fields behind its size are not looked at. */
	big.o.size = offsetof(struct tailbox_options, tape_bytes);
	ck_assert_int_eq(tailbox_start("shop", &big.o), 0);
	has(status(), "\"notes\": []");
	has(status(), "\"service_version\": \"2.0\"");
	tailbox_stop();
	/* A newer one: what we do not know has to be zero. */
	big.o.tape_bytes = 0;
	big.o.size = sizeof(big);
	ck_assert_int_eq(tailbox_start("shop", &big.o), 0);
	has(status(), "\"notes\": []");
	tailbox_stop();
	big.newer[1] = 1;
	ck_assert_int_eq(tailbox_start("shop", &big.o), 0);
	has(status(), "options that this library does not know");
	has(status(), "\"service_version\": \"2.0\"");
	tailbox_stop();
	/* Not initialised. */
	for (int i = 0; i < 2; i++) {
		big.o.size = i ? SIZE_MAX : 0;
		ck_assert_int_eq(tailbox_start("shop", &big.o), 0);
		has(status(), "options.size is");
		has(status(), "\"service_version\": null");
		tailbox_stop();
	}
}
END_TEST

START_TEST(long_version_is_cut)
{
	struct tailbox_options o;
	char version[80];

	memset(version, 'v', sizeof(version) - 1);
	version[sizeof(version) - 1] = '\0';
	tailbox_options_init(&o);
	o.service_version = version;
	ck_assert_int_eq(tailbox_start("shop", &o), 0);
	has(status(), "service_version is cut to 63 bytes");
}
END_TEST

/* --- no room ----------------------------------------------------------- */

/* A tmpfs of so many bytes at TAILBOX_DIR; false when we may not. */
static bool mount_at_run(const char *size)
{
	ck_assert_int_eq(mkdir(run, 0700), 0);
	if (mount("tailbox", run, "tmpfs", 0, size) != 0) {
		printf("no tmpfs may be mounted here: %s\n", strerror(errno));
		return false;
	}
	snprintf(mounted, sizeof(mounted), "%s", run);
	return true;
}

START_TEST(full_disk_is_told_and_does_no_harm)
{
	const char *s;

	if (!mount_at_run("size=512k,mode=0700"))
		return;
	ck_assert_int_eq(tailbox_start("shop", NULL), -ENOSPC);
	ck_assert_int_eq(tailbox_is_recording(), 0);
	ck_assert_int_eq(tailbox_start("shop", NULL), -EALREADY);
	ck_assert(!exists(run, own("shop", "tape")));
	s = status();
	has(s, "HTTP/1.1 200");
	has(s, "\"on\": false");
	has(s, "\"why_not\": \"no room for a tape of 1 MiB");
	has(s, "\"tape\": null");
	has(s, "\"begun\": null");
	has(s, "\"window\": null");
	has(ask("GET", "/status?format=text"), "recorded  no: no room");
	has(ask("POST", "/arm"), "HTTP/1.1 503");
	has(ask("POST", "/arm"), "\"error\": \"not_recorded\"");
	has(ask("POST", "/disarm"), "HTTP/1.1 503");
	has(ask("GET", "/requests"), "\"error\": \"not_recorded\"");
	has(ask("GET", "/workers"), "HTTP/1.1 503");
	has(ask("GET", "/artifacts"), "HTTP/1.1 503");
	has(ask("GET", "/artifacts/1"), "HTTP/1.1 503");
	has(ask("GET", "/healthz"), "HTTP/1.1 200");
	tailbox_stop();
	ck_assert(!exists(run, own("shop", "sock")));
}
END_TEST

START_TEST(small_disk_gives_a_small_tape)
{
	if (!mount_at_run("size=3m,mode=0700"))
		return;
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	ck_assert_uint_eq(tailbox__recorder.tape.file_bytes, 1 << 20);
	has(status(), "\"bytes\": 1048576");
	has(status(), "a restart of the service; not a reboot");
}
END_TEST

/* A folder that holds a socket, but whose tape's path is over the limit. */
START_TEST(deep_folder_has_its_socket)
{
	char dir[512], name[121];

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(dir, sizeof(dir), "%s/%s", base, name);
	setenv("TAILBOX_DIR", dir, 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	tape_is_in(dir);
	ck_assert_uint_gt(strlen(tailbox__admin_path()), 108);
	has(status(), "HTTP/1.1 200");
	has(ask("GET", "/"), "cd ");
	tailbox_stop();
	ck_assert(!exists(dir, own("shop", "sock")));
	/* Deeper than a tape may be: unrecorded, and still told. */
	ck_assert_int_eq(mkdir(dir, 0700) == 0 || errno == EEXIST, 1);
	snprintf(dir + strlen(dir), sizeof(dir) - strlen(dir), "/%s", name);
	setenv("TAILBOX_DIR", dir, 1);
	ck_assert_int_eq(tailbox_start("shop", NULL), -ENAMETOOLONG);
	has(status(), "\"on\": false");
}
END_TEST

/* --- the socket's place is taken --------------------------------------- */

static int bind_at(const char *path, bool is_listening)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(mkdir(run, 0700), 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (is_listening)
		ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

START_TEST(socket_of_a_dead_process_is_replaced)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", run, own("shop", "sock"));
	close(bind_at(path, true));
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	has(status(), "\"notes\": []");
}
END_TEST

START_TEST(socket_of_a_living_process_is_left_alone)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", run, own("shop", "sock"));
	fd = bind_at(path, true);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	ck_assert_int_eq(tailbox_is_recording(), 1);
	ck_assert_str_eq(tailbox__admin_path(), "");
	tailbox_stop();
	ck_assert_int_eq(access(path, F_OK), 0);
	close(fd);
}
END_TEST

START_TEST(file_in_place_of_the_socket_is_left_alone)
{
	char path[256];
	int fd;

	ck_assert_int_eq(mkdir(run, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s", run, own("shop", "sock"));
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	ck_assert_int_eq(tailbox_is_recording(), 1);
	ck_assert_str_eq(tailbox__admin_path(), "");
	tailbox_stop();
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

/* --- the process ------------------------------------------------------- */

static int in_child(int to_parent)
{
	char answer = 0;

	if (tailbox_is_recording() || tailbox_request_begin("/", NULL) ||
	    tailbox__admin_path()[0] != '\0')
		return 1;
	tailbox_stop(); /* not started here */
	if (tailbox_start("shop", NULL) != 0)
		return 2;
	if (!exists(run, own("shop", "tape")) ||
	    !exists(run, own("shop", "sock")))
		return 3;
	tailbox_request_finish(tailbox_request_begin("/", NULL), NULL);
	if (strstr(status(), "\"begun\": 1,") == NULL)
		return 4;
	tailbox_stop();
	if (exists(run, own("shop", "tape")))
		return 5;
	return write(to_parent, &answer, 1) == 1 ? 0 : 6;
}

/* TSan does not allow threads in the child of a process with threads. */
#if defined(__SANITIZE_THREAD__)
#define MAY_START_IN_CHILD 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MAY_START_IN_CHILD 0
#endif
#endif
#ifndef MAY_START_IN_CHILD
#define MAY_START_IN_CHILD 1
#endif

/* The C library's allocator can be used in a child whatever its parent's other
 * threads were doing; that of ASan (clang 14, gcc 12) has locks that fork() does
 * not look after. A child hung once under ASan; that this was why is likely and
 * not shown. */
#if defined(__SANITIZE_ADDRESS__)
#define FORKS_AT_ANY_TIME 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FORKS_AT_ANY_TIME 0
#endif
#endif
#ifndef FORKS_AT_ANY_TIME
#define FORKS_AT_ANY_TIME 1
#endif

/* Whether all threads but this one sleep. */
static bool others_sleep(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *e;
	bool all = true;

	ck_assert_ptr_nonnull(dir);
	while ((e = readdir(dir)) != NULL) {
		char path[300], stat[512] = "";
		FILE *f;

		if (e->d_name[0] == '.' ||
		    strtol(e->d_name, NULL, 10) == (long)gettid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/stat",
		         e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		stat[fread(stat, 1, sizeof(stat) - 1, f)] = '\0';
		fclose(f);

		const char *end = strrchr(stat, ')');

		all &= end != NULL && end[1] == ' ' && end[2] == 'S';
	}
	closedir(dir);
	return all;
}

static void wait_for_a_good_time(void)
{
	for (int i = 0; !FORKS_AT_ANY_TIME && i < 10000 && !others_sleep(); i++)
		usleep(1000);
}

START_TEST(forked_child_records_on_its_own)
{
	int to_parent[2], state;
	char answer;
	pid_t pid;

	if (!MAY_START_IN_CHILD)
		return;
	ck_assert_int_eq(pipe2(to_parent, O_CLOEXEC), 0);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	has(status(), "HTTP/1.1 200");
	wait_for_a_good_time();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(in_child(to_parent[1]));
	/* The parent goes on meanwhile. */
	tailbox_request_finish(tailbox_request_begin("/", NULL), NULL);
	has(status(), "\"begun\": 1,");
	ck_assert_int_eq(waitpid(pid, &state, 0), pid);
	ck_assert_msg(WIFEXITED(state) && WEXITSTATUS(state) == 0,
	              "the child ended with %x", (unsigned)state);
	ck_assert_int_eq(read(to_parent[0], &answer, 1), 1);
	ck_assert(exists(run, own("shop", "tape")));
	has(status(), "\"on\": true");
	close(to_parent[0]);
	close(to_parent[1]);
}
END_TEST

START_TEST(child_does_not_keep_the_socket_of_its_parent)
{
	int hold[2], ready[2], state, fd;
	char path[256], c = 'x';
	pid_t pid;

	ck_assert_int_eq(pipe2(hold, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	snprintf(path, sizeof(path), "%s", tailbox__admin_path());
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(hold[1]);
		if (write(ready[1], &c, 1) != 1)
			_exit(2);
		_exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
	}
	/* Until it is past fork(), what runs there has the socket still. */
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	/* Keep the file, so that only a listener could answer. */
	snprintf(path, sizeof(path), "%s/kept", base);
	ck_assert_int_eq(link(tailbox__admin_path(), path), 0);
	tailbox_stop();
	fd = dial(path);
	ck_assert_int_eq(fd, -ECONNREFUSED);
	close(hold[0]);
	close(hold[1]);
	close(ready[0]);
	close(ready[1]);
	ck_assert_int_eq(waitpid(pid, &state, 0), pid);
	ck_assert_int_eq(state, 0);
}
END_TEST

static int count_of(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static long resident_pages(void)
{
	char text[64] = "";
	FILE *f = fopen("/proc/self/statm", "re");
	long pages;

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	ck_assert_int_eq(sscanf(text, "%*d %ld", &pages), 1);
	return pages;
}

static void cycle(void)
{
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	tailbox_request_finish(tailbox_request_begin("/", NULL), NULL);
	has(status(), "\"begun\": 1,");
	has(ask("GET", "/requests"), "\"count\": 0");
	has(ask("GET", "/workers"), "\"workers\": [");
	tailbox_stop();
}

START_TEST(start_and_stop_100_times_leak_nothing)
{
	int fds = 0, threads = 0;
	long live = 0, pages = 0;

	setenv("TAILBOX_DIR", run, 1);
	for (int i = 0; i < 100; i++) {
		cycle();
		if (i == 49) {
			fds = count_of("/proc/self/fd");
			threads = count_of("/proc/self/task");
			live = tailbox__alloc_live();
			pages = resident_pages();
		}
	}
	ck_assert_int_eq(count_of("/proc/self/fd"), fds);
	ck_assert_int_eq(count_of("/proc/self/task"), threads);
	ck_assert_int_eq(tailbox__alloc_live(), live);
	/* The allocator's arenas grow in steps until each has been the one of
	 * the admin thread. Sanitizers keep what was freed. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	ck_assert_int_le(resident_pages() - pages, 512);
#else
	(void)pages;
#endif
}
END_TEST

START_TEST(without_memory_the_service_goes_on)
{
	long live;
	int n, complete = 0;

	/* Tables that live as long as the process. */
	cycle();
	live = tailbox__alloc_live();
	for (n = 0; n < 200 && !complete; n++) {
		int rc;
		tailbox__alloc_fail_after(n);
		rc = tailbox_start("shop", NULL);
		tailbox__alloc_fail_after(-1);
		ck_assert_int_le(rc, 0);
		ck_assert_int_eq(tailbox_is_recording(), rc == 0);
		if (tailbox__admin_path()[0] != '\0') {
			const char *s = status();
			complete = rc == 0 && strstr(s, "\"notes\": []");
		}
		tailbox_stop();
		ck_assert_int_eq(tailbox__alloc_live(), live);
	}
	ck_assert(complete);
	ck_assert_int_gt(n, 1);
}
END_TEST

/* SigBlk of the thread of that name, 0 when there is none. */
static unsigned long long blocked_in(const char *name)
{
	unsigned long long mask = 0;
	struct dirent *e;
	DIR *d = opendir("/proc/self/task");

	while ((e = readdir(d)) != NULL) {
		char path[300], line[256];
		bool is_it = false;
		FILE *f;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
		         e->d_name);
		f = fopen(path, "re");
		while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
			is_it |= strncmp(line, "Name:\t", 6) == 0 &&
			         strstr(line, name) != NULL;
			if (is_it)
				sscanf(line, "SigBlk: %llx", &mask);
		}
		if (f != NULL)
			fclose(f);
	}
	closedir(d);
	return mask;
}

START_TEST(signals_do_not_run_on_our_thread)
{
	unsigned long long mask;
	sigset_t before, after;

	sigprocmask(SIG_SETMASK, NULL, &before);
	ck_assert_int_eq(tailbox_start("shop", NULL), 0);
	sigprocmask(SIG_SETMASK, NULL, &after);
	ck_assert_int_eq(sigismember(&before, SIGTERM),
	                 sigismember(&after, SIGTERM));
	status(); /* it gets its name with its first request */
	mask = blocked_in("tailbox-admin");
	ck_assert(mask & 1ull << (SIGTERM - 1));
	ck_assert(mask & 1ull << (SIGINT - 1));
	ck_assert(mask & 1ull << (SIGUSR1 - 1));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("start");
	TCase *t = tcase_create("start");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, starts_records_and_leaves_nothing_behind);
	tcase_add_test(t, second_start_is_refused_and_the_first_stays);
	tcase_add_test(t, stop_without_start_does_nothing);
	tcase_add_test(t, log_gets_lines);
	tcase_add_loop_test(t, off_is_off, 0, 5);
	tcase_add_test(t, misspelt_switch_records_and_is_noted);
	tcase_add_test(t, run_folder_by_precedence);
	tcase_add_test(t, unusable_run_folder_gives_way_to_the_next);
	tcase_add_test(t, link_as_run_folder_is_refused);
	tcase_add_test(t, relative_run_folder_is_made_absolute);
	tcase_add_test(t, artifact_folder_by_precedence);
	tcase_add_loop_test(t, service_names_become_file_names, 0, 7);
	tcase_add_loop_test(t, no_service_name_is_the_program, 0, 2);
	tcase_add_loop_test(t, bad_values_are_replaced_and_named, 0, 8);
	tcase_add_test(t, a_limit_on_file_sizes_is_kept_to);
	tcase_add_test(t, options_of_other_sizes);
	tcase_add_test(t, long_version_is_cut);
	tcase_add_test(t, full_disk_is_told_and_does_no_harm);
	tcase_add_test(t, small_disk_gives_a_small_tape);
	tcase_add_test(t, deep_folder_has_its_socket);
	tcase_add_test(t, socket_of_a_dead_process_is_replaced);
	tcase_add_test(t, socket_of_a_living_process_is_left_alone);
	tcase_add_test(t, file_in_place_of_the_socket_is_left_alone);
	tcase_add_test(t, forked_child_records_on_its_own);
	tcase_add_test(t, child_does_not_keep_the_socket_of_its_parent);
	tcase_add_test(t, start_and_stop_100_times_leak_nothing);
	tcase_add_test(t, without_memory_the_service_goes_on);
	tcase_add_test(t, signals_do_not_run_on_our_thread);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
