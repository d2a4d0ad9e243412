/* tests/test_start.c - tailbox_start() and tailbox_stop(): the plain way, and
 * what may be in their way: a full disk, a folder too deep, a socket whose
 * place is taken.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/start_fixture.h"

/* --- the plain way ------------------------------------------------------ */

static mode_t mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_mode & 07777;
}

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

/* --- no room ------------------------------------------------------------ */

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

/* --- the socket's place is taken ---------------------------------------- */

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

static Suite *suite(void)
{
	Suite *s = suite_create("start");
	TCase *t = tcase_create("start");

	tcase_add_checked_fixture(t, start_setup, start_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, starts_records_and_leaves_nothing_behind);
	tcase_add_test(t, second_start_is_refused_and_the_first_stays);
	tcase_add_test(t, stop_without_start_does_nothing);
	tcase_add_test(t, log_gets_lines);
	tcase_add_test(t, full_disk_is_told_and_does_no_harm);
	tcase_add_test(t, small_disk_gives_a_small_tape);
	tcase_add_test(t, deep_folder_has_its_socket);
	tcase_add_test(t, socket_of_a_dead_process_is_replaced);
	tcase_add_test(t, socket_of_a_living_process_is_left_alone);
	tcase_add_test(t, file_in_place_of_the_socket_is_left_alone);
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
