/* tests/e2e_crash.c - what a crash leaves becomes an artifact at the next start.
 *
 * SPDX-License-Identifier: MIT
 *
 * Services are children of this process that end by SIGKILL or in order.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tailbox.h>

#include "analyzer/load.h"
#include "core/folder.h"
#include "core/record.h"

static char dir[64], artifacts[80], config[80], off[80];

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/dev/shm/tailbox-crash-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(artifacts, sizeof(artifacts), "%s/artifacts", dir);
	snprintf(config, sizeof(config), "%s/conf", dir);
	snprintf(off, sizeof(off), "%s/off", dir);
	write_file(off, "[artifacts]\nmax_crashes = 0\n");
}

static void teardown(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void start(const char *settings)
{
	struct tailbox_options o;

	tailbox_options_init(&o);
	o.run_dir = dir;
	o.tape_bytes = 1u << 20;
	o.config = access(settings, F_OK) == 0 ? settings : NULL;
	if (tailbox_start("victim", &o) != 0)
		_exit(3);
}

/* A service that finishes 20 requests and dies in a stage of another. It takes
 * no tape itself: it would be killed while it does, now and then. */
static void crash(void)
{
	struct tailbox_span span;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		static struct tailbox_site site = {
			.name = "stuck", .file = "shop.c", .line = 7,
			.function = "answer", .kind = TAILBOX_SPAN_STAGE
		};
		start(off);
		for (int i = 0; i < 20; i++)
			tailbox_request_finish(
			        tailbox_request_begin("/done", "job"), "ok");
		tailbox_request r = tailbox_request_begin("/hangs", "job");
		tailbox_span_begin(&span, r, &site, TAILBOX_DEPTH_UNKNOWN);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* How many files of the folder end so. */
static unsigned count(const char *folder, const char *end)
{
	DIR *d = opendir(folder);
	const size_t n = strlen(end);
	unsigned found = 0;

	for (const struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		const size_t len = strlen(e->d_name);
		found += len > n && strcmp(e->d_name + len - n, end) == 0;
	}
	if (d != NULL)
		closedir(d);
	return found;
}

/* A service that starts, gets time for `tapes` to be left, and ends. */
static pid_t begin_service(unsigned tapes)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	start(config);
	for (int i = 0; i < 1000 && count(dir, ".tape") > tapes; i++)
		usleep(10000);
	tailbox_stop();
	_exit(0);
}

static void end_service(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Its own tape is there while it runs. */
static void one_service(unsigned tapes)
{
	end_service(begin_service(tapes + 1));
}

/* The crash artifact of that number, for tailbox__run_destroy(). */
static struct tailbox__run *load(uint64_t id)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run = NULL;
	DIR *d = opendir(artifacts);
	char path[400];

	ck_assert_ptr_nonnull(d);
	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		struct tailbox__artifact_key key;
		char name[256];
		snprintf(name, sizeof(name), "%.*s",
		         (int)strcspn(e->d_name, "."), e->d_name);
		if (strstr(e->d_name, ".tailbox") == NULL ||
		    !tailbox__folder_parse("victim", name, &key) ||
		    key.kind != TAILBOX__ARTIFACT_CRASH || key.id != id)
			continue;
		ck_assert_msg(run == NULL, "two artifacts c%llu",
		              (unsigned long long)id);
		snprintf(path, sizeof(path), "%s/%s", artifacts, e->d_name);
		ck_assert_msg(tailbox__load_path(path, &run, &err) == 0, "%s",
		              err.text);
	}
	closedir(d);
	return run;
}

START_TEST(a_tape_of_a_crash_becomes_an_artifact_at_the_next_start)
{
	struct tailbox__run *run;
	const struct tailbox__run_open *o;

	crash();
	ck_assert_uint_eq(count(dir, ".tape"), 1);
	ck_assert_uint_eq(count(dir, ".sock"), 1);
	one_service(0);
	ck_assert_uint_eq(count(dir, ".tape"), 0);
	ck_assert_uint_eq(count(dir, ".sock"), 0);
	run = load(1);
	ck_assert_ptr_nonnull(run);
	ck_assert_uint_eq(run->requests.count, 20);
	ck_assert_uint_eq(run->open.count, 1);
	o = &run->open.items[0];
	ck_assert_str_eq(tailbox__run_text(run, o->route, NULL), "/hangs");
	ck_assert_str_eq(tailbox__run_text(run, o->where, NULL), "stuck");
	ck_assert_str_eq(tailbox__run_text(run, o->site, NULL),
	                 "shop.c:7 answer");
	ck_assert_uint_eq(o->where_kind, TAILBOX__OPEN_IN_STAGE);
	ck_assert_str_eq(
	        tailbox__run_text(
	                run, tailbox__run_extra(run, "end_detail")->text, NULL),
	        "crash");
	ck_assert_uint_eq(tailbox__run_extra(run, "damaged")->number, 0);
	tailbox__run_destroy(run);
	/* Nor is a .part left there. */
	ck_assert_uint_eq(count(artifacts, ".part"), 0);
}
END_TEST

START_TEST(numbers_go_on_and_services_that_start_at_once_share_the_tapes)
{
	crash();
	one_service(0);
	for (int i = 0; i < 4; i++)
		crash();
	pid_t a = begin_service(2), b = begin_service(2);
	end_service(a);
	end_service(b);
	/* One that ended early left what it had not begun with. */
	one_service(0);
	ck_assert_uint_eq(count(dir, ".tape"), 0);
	ck_assert_uint_eq(count(artifacts, ".tailbox"), 5);
	for (uint64_t id = 1; id <= 5; id++) {
		struct tailbox__run *run = load(id);
		ck_assert_msg(run != NULL, "no c%llu",
		              (unsigned long long)id);
		tailbox__run_destroy(run);
	}
}
END_TEST

START_TEST(the_oldest_crash_artifacts_go)
{
	write_file(config, "[artifacts]\nmax_crashes = 2\n");
	for (int i = 0; i < 3; i++)
		crash();
	one_service(0);
	ck_assert_uint_eq(count(dir, ".tape"), 0);
	ck_assert_uint_eq(count(artifacts, ".tailbox"), 2);
	ck_assert_ptr_null(load(1));
	struct tailbox__run *run = load(3);
	ck_assert_ptr_nonnull(run);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(none_is_made_when_the_configuration_says_so)
{
	write_file(config, "[artifacts]\nmax_crashes = 0\n");
	crash();
	pid_t pid = begin_service(UINT32_MAX);
	end_service(pid);
	ck_assert_uint_eq(count(dir, ".tape"), 1);
	ck_assert_uint_eq(count(artifacts, ".tailbox"), 0);
}
END_TEST

/* A file in place of the folder: nothing can be placed. */
START_TEST(tapes_that_cannot_be_recovered_stay_but_not_for_ever)
{
	int fd = open(artifacts, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
	for (int i = 0; i < 3; i++)
		crash();
	end_service(begin_service(UINT32_MAX));
	ck_assert_uint_eq(count(dir, ".tape"), 3);
	for (int i = 0; i < 9; i++)
		crash();
	one_service(10);
	ck_assert_uint_eq(count(dir, ".tape"), 10);
	unlink(artifacts);
	one_service(0);
	ck_assert_uint_eq(count(dir, ".tape"), 0);
	ck_assert_uint_eq(count(artifacts, ".tailbox"), 10);
}
END_TEST

/* The path of a file there that ends so. Static storage. */
static const char *one(const char *end)
{
	static char path[400];
	DIR *d = opendir(dir);

	path[0] = '\0';
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		if (strstr(e->d_name, end) != NULL && path[0] == '\0')
			snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
	closedir(d);
	ck_assert_msg(path[0] != '\0', "no %s", end);
	return path;
}

/* As another process would take it. */
static int lock_one(void)
{
	const int fd = open(one(".tape"), O_RDONLY | O_CLOEXEC);

	ck_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
	return fd;
}

/* A new process may have the number of the dead one, and no tape. */
START_TEST(a_socket_that_somebody_listens_on_stays)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	crash();
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", one(".sock"));
	unlink(a.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	one_service(0);
	ck_assert_uint_eq(count(dir, ".tape"), 0);
	ck_assert_uint_eq(count(dir, ".sock"), 1);
	close(fd);
}
END_TEST

/* Somebody is at it: it is left to him, and not counted as lost. */
START_TEST(a_tape_that_is_taken_is_left_alone)
{
	crash();
	const int fd = lock_one();
	/* The younger one comes after it. */
	crash();
	one_service(1);
	ck_assert_uint_eq(count(dir, ".tape"), 1);
	ck_assert_uint_eq(count(artifacts, ".tailbox"), 1);
	close(fd);
	one_service(0);
	ck_assert_uint_eq(count(artifacts, ".tailbox"), 2);
}
END_TEST

/* --- by hand --------------------------------------------------------------- */

/* `tailbox recover` with arguments; what it says is in `said`. */
static char said[8192];

static int recover(const char *a, const char *b, const char *c)
{
	const char *build = getenv("top_builddir");
	char tool[512], file[100];
	int status, fd;
	pid_t pid;

	snprintf(tool, sizeof(tool), "%s/tailbox", build ? build : ".");
	snprintf(file, sizeof(file), "%s/said", dir);
	pid = fork();
	if (pid == 0) {
		fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		setenv("TAILBOX_DIR", dir, 1);
		execl(tool, tool, "recover", a, b, c, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	said[read(fd, said, sizeof(said) - 1)] = '\0';
	close(fd);
	unlink(file);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void says(const char *words)
{
	ck_assert_msg(strstr(said, words) != NULL, "\"%s\" is not in: %s",
	              words, said);
}

START_TEST(recover_makes_an_artifact_of_what_is_left)
{
	char copy[100];

	crash();
	mkdir(artifacts, 0700);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	ck_assert_int_eq(recover("--keep", "-o", copy), 0);
	says("20 finished requests, 1 in flight; the tape is kept");
	says("stage stuck for ");
	says("at shop.c:7 answer");
	ck_assert_int_eq(access(copy, F_OK), 0);
	ck_assert_uint_eq(count(dir, ".tape"), 1);
	ck_assert_uint_eq(count(dir, ".sock"), 1);
	ck_assert_int_eq(recover("victim", NULL, NULL), 0);
	says("-c1.tailbox: 20 finished requests, 1 in flight; the tape is "
	     "removed");
	ck_assert_uint_eq(count(dir, ".tape"), 0);
	ck_assert_uint_eq(count(dir, ".sock"), 0);
	struct tailbox__run *run = load(1);
	ck_assert_ptr_nonnull(run);
	tailbox__run_destroy(run);
	ck_assert_int_eq(recover(NULL, NULL, NULL), 0);
	says("no tape was left behind");
}
END_TEST

START_TEST(recover_takes_all_that_is_left_but_with_o_only_one)
{
	crash();
	crash();
	ck_assert_int_eq(recover("-o", "/dev/null", NULL), 2);
	ck_assert_uint_eq(count(dir, ".tape"), 2);
	/* One cannot be had: the other is made, and both are told. */
	ck_assert_int_eq(mkdir(artifacts, 0700) == 0 || errno == EEXIST, 1);
	crash();
	const int fd = lock_one();
	ck_assert_int_eq(recover(NULL, NULL, NULL), 1);
	says("another process is recovering it");
	says("-c2.tailbox: 20 finished requests");
	close(fd);
	ck_assert_int_eq(recover(NULL, NULL, NULL), 0);
	ck_assert_uint_eq(count(dir, ".tape"), 0);
	ck_assert_uint_eq(count(artifacts, ".tailbox"), 3);
}
END_TEST

START_TEST(recover_leaves_a_service_that_lives_alone)
{
	int up[2], status;
	char c;

	ck_assert_int_eq(pipe(up), 0);
	pid_t pid = fork();
	if (pid == 0) {
		start(config);
		ck_assert_int_eq(write(up[1], "x", 1), 1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(up[0], &c, 1), 1);
	ck_assert_int_eq(recover("victim", NULL, NULL), 1);
	says("its process lives");
	ck_assert_uint_eq(count(dir, ".tape"), 1);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close(up[0]);
	close(up[1]);
}
END_TEST

/* A writer at one place of the only tape, and its path. */
static void damage(char path[400], off_t at, const void *bytes, size_t n)
{
	DIR *d = opendir(dir);
	int fd = -1;

	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		if (strstr(e->d_name, ".tape") == NULL)
			continue;
		snprintf(path, 400, "%s/%s", dir, e->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	closedir(d);
	ck_assert(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n);
	close(fd);
}

START_TEST(recover_of_a_damaged_tape_says_what_is_missing)
{
	const uint64_t closed = TAILBOX__END_CLOSED;
	struct tailbox__tape_header h;
	char path[400];
	int fd;

	crash();
	damage(path, 0, "", 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, &h, sizeof(h), 0), sizeof(h));
	close(fd);
	/* The head of every block. */
	for (uint64_t i = 0; i < h.blocks_max; i++)
		damage(path, (off_t)(h.blocks_off + i * h.block_bytes),
		       "\xff\xff\xff\xff\xff\xff\xff\x7f", 8);
	ck_assert_int_eq(recover(path, "--keep", NULL), 0);
	says("is damaged: left out are ");
	says("0 finished requests, 1 in flight");
	damage(path, offsetof(struct tailbox__tape_header, end_state), &closed,
	       sizeof(closed));
	ck_assert_int_eq(recover(path, NULL, NULL), 1);
	says("is in order");
	damage(path, 8, "\x63", 1);
	ck_assert_int_eq(recover(path, NULL, NULL), 1);
	says(path);
	says("tape version");
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crash");
	TCase *t = tcase_create("crash");
	SRunner *sr;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t,
	               a_tape_of_a_crash_becomes_an_artifact_at_the_next_start);
	tcase_add_test(
	        t,
	        numbers_go_on_and_services_that_start_at_once_share_the_tapes);
	tcase_add_test(t, the_oldest_crash_artifacts_go);
	tcase_add_test(t, none_is_made_when_the_configuration_says_so);
	tcase_add_test(t, tapes_that_cannot_be_recovered_stay_but_not_for_ever);
	tcase_add_test(t, a_tape_that_is_taken_is_left_alone);
	tcase_add_test(t, a_socket_that_somebody_listens_on_stays);
	tcase_add_test(t, recover_makes_an_artifact_of_what_is_left);
	tcase_add_test(t, recover_takes_all_that_is_left_but_with_o_only_one);
	tcase_add_test(t, recover_leaves_a_service_that_lives_alone);
	tcase_add_test(t, recover_of_a_damaged_tape_says_what_is_missing);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
