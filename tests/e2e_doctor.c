/* tests/e2e_doctor.c - `tailbox doctor` on states that a healthy service does
 * not reach by itself.
 *
 * SPDX-License-Identifier: MIT
 *
 * The service is this process; the doctor is the command, which reaches it
 * from outside, as it does any other.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tailbox.h>

#include "controller/admin.h"
#include "controller/internal.h"
#include "controller/settings.h"
#include "core/daemons.h"
#include "core/recorder.h"

static char dir[64];
static char report[65536];

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/tailbox-doctor-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(setenv("TAILBOX_DIR", dir, 1), 0);
	unsetenv("RUNTIME_DIRECTORY");
	unsetenv("TAILBOX_ARTIFACTS");
	unsetenv("STATE_DIRECTORY");
	unsetenv("TAILBOX");
	unsetenv("TAILBOX_CONFIG");
	unsetenv("TAILBOX_TOKEN");
	ck_assert_int_eq(tailbox_start("patient", NULL), 0);
}

static void teardown(void)
{
	tailbox_stop();
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Run the command on target; the report is in `report`. Its exit status. */
static int doctor(const char *target)
{
	const char *build = getenv("top_builddir");
	char line[768];
	int status;
	size_t n;
	FILE *in;

	snprintf(line, sizeof(line), "%s/tailbox doctor '%s' 2>&1",
	         build ? build : ".", target);
	in = popen(line, "r");
	ck_assert_ptr_nonnull(in);
	n = fread(report, 1, sizeof(report) - 1, in);
	report[n] = '\0';
	status = pclose(in);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The line of a check has the state and the text. */
static void finds(const char *state, const char *check, const char *text)
{
	char start[64];
	const char *at, *end, *found;

	snprintf(start, sizeof(start), "  %-9s %-13s ", state, check);
	at = strstr(report, start);
	ck_assert_msg(at != NULL, "no line \"%s\" in:\n%s", start, report);
	end = strchr(at, '\n');
	found = strstr(at, text);
	ck_assert_msg(found != NULL && end != NULL && found < end,
	              "no \"%s\" in the line \"%s\" of:\n%s", text, start,
	              report);
}

START_TEST(daemons_that_are_not_recorded_are_named)
{
	struct tailbox__daemon seen = { .listen_fd = -1, .port = 80,
		                        .workers = 1, .is_recorded = true };
	struct tailbox__daemon not = { .listen_fd = -1, .port = 8081 };

	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "daemons", "0 seen");
	finds("degraded", "daemons", "mend: start daemons by");
	ck_assert_int_eq(tailbox__daemon_add(&seen), 0);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("ok", "daemons", "1 seen, 1 recorded");
	snprintf(not.note, sizeof(not.note), "option 99 is not known");
	ck_assert_int_eq(tailbox__daemon_add(&not), 0);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "daemons", "2 seen, 1 recorded");
	finds("degraded", "daemons", "(port 8081) is not: option 99 is not "
	                             "known");
	tailbox__daemon_remove(seen.number);
	tailbox__daemon_remove(not.number);
}
END_TEST

START_TEST(switched_off_is_degraded)
{
	ck_assert_int_eq(tailbox__switch(false, "the night shift"), 1);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "recording", "off: ");
	finds("degraded", "recording", "by the night shift, ");
	finds("degraded", "recording", "mend: tailbox on ");
	finds("ok", "threads", "sleep while recording is off");
	ck_assert_int_eq(tailbox__switch(true, "the day shift"), 1);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("ok", "recording", "requests begun");
	finds("ok", "threads", "sampler runs");
}
END_TEST

START_TEST(losses_are_told_by_kind)
{
	struct tailbox__tape_header *h = tailbox__recorder.tape.header;

	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("ok", "losses", "none");
	TAILBOX__SET(h->losses[TAILBOX__LOSS_NAMES], 7);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "losses", "7 names");
}
END_TEST

START_TEST(connections_beyond_the_limit_on_files_are_told)
{
	struct tailbox__daemon d = { .listen_fd = -1, .is_recorded = true,
		                     .connection_limit = 100000000 };

	ck_assert_int_eq(tailbox__daemon_add(&d), 0);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "limits", "for at most 100000000 connections");
	tailbox__daemon_remove(d.number);
}
END_TEST

/* What a setting was replaced by is said as long as the service runs. */
START_TEST(notes_of_the_start_are_told)
{
	struct tailbox_options o;

	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	tailbox_stop();
	tailbox_options_init(&o);
	o.tape_bytes = 3;
	ck_assert_int_eq(tailbox_start("patient", &o), 0);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "notes", "tape_bytes 3 is not");
}
END_TEST

/* --- not this process's own -------------------------------------------- */

static void copy_tape(const char *to)
{
	size_t size = tailbox__recorder.tape.file_bytes;
	char *text = malloc(size);
	int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	ck_assert(text != NULL && fd >= 0);
	ck_assert_int_eq(pread(tailbox__recorder.tape.fd, text, size, 0),
	                 (ssize_t)size);
	ck_assert_int_eq(write(fd, text, size), (ssize_t)size);
	close(fd);
	free(text);
}

static void patch(const char *path, size_t at, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, n, (off_t)at), (ssize_t)n);
	close(fd);
}

START_TEST(another_version_is_told)
{
	static const char old[16] = "0.0.1";
	char path[128];

	snprintf(path, sizeof(path), "%s/old.1.tape", dir);
	copy_tape(path);
	ck_assert_int_eq(doctor(path), 1); /* its process is gone */
	finds("fail", "process", "ended without closing its tape");
	finds("ok", "versions", "tape format 1 of 1");
	patch(path, offsetof(struct tailbox__tape_header, tailbox_version),
	      old, sizeof(old));
	ck_assert_int_eq(doctor(path), 1);
	finds("degraded", "versions", "library 0.0.1, command ");
}
END_TEST

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	return fd;
}

/* A socket that takes connections and never answers; then one whose tape is
 * of another format. */
START_TEST(a_deaf_socket_fails)
{
	char path[100], tape[100];
	const uint32_t version = 99;
	int fd;

	snprintf(path, sizeof(path), "%s/deaf.%ld.sock", dir, (long)getpid());
	snprintf(tape, sizeof(tape), "%s/deaf.%ld.tape", dir, (long)getpid());
	fd = listen_at(path);
	ck_assert_int_eq(doctor("deaf"), 1);
	finds("fail", "admin socket", "does not answer: no answer in time");
	finds("fail", "admin socket", "mend: if the process hangs");
	ck_assert_ptr_nonnull(strstr(report, "checks failed\n"));
	close(fd);
	copy_tape(tape);
	patch(tape, offsetof(struct tailbox__tape_header, version), &version,
	      sizeof(version));
	ck_assert_int_eq(doctor("deaf"), 1);
	finds("fail", "versions", "there is a tape, and this command");
	finds("fail", "versions", "tape version 99, this program reads 1");
}
END_TEST

/* The socket under another name, with no tape beside it: as ssh carries it. */
START_TEST(a_socket_alone_tells_what_it_can)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/carried", dir);
	ck_assert_int_eq(link(tailbox__admin_path(), path), 0);
	ck_assert_int_eq(doctor(path), 0);
	finds("ok", "recording", "requests begun");
	finds("ok", "artifacts", "not seen from here");
	finds("ok", "versions", "library ");
	ck_assert_ptr_null(strstr(report, " run folder "));
	ck_assert_ptr_null(strstr(report, " fallocate "));
	ck_assert_ptr_null(strstr(report, " threads "));
}
END_TEST

/* One connection after the other to the admin server's socket. */
static void carry(int from, const char *to)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char block[4096];

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", to);
	for (;;) {
		int near = accept(from, NULL, NULL);
		int far = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ssize_t n = read(near, block, sizeof(block));

		if (n > 0 && !connect(far, (struct sockaddr *)&at, sizeof(at)) &&
		    write(far, block, (size_t)n) == n)
			while ((n = read(far, block, sizeof(block))) > 0)
				if (write(near, block, (size_t)n) != n)
					break;
		close(near);
		close(far);
	}
}

/* Who listens is not the service: what /proc knows of him is not told. */
START_TEST(a_socket_that_another_process_carries)
{
	char admin[100], path[100], word[32], byte;
	int fd, ready[2], rc;
	pid_t child;

	snprintf(admin, sizeof(admin), "%s", tailbox__admin_path());
	snprintf(path, sizeof(path), "%s/carried", dir);
	fd = listen_at(path);
	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		/* From now on the kernel names the child as the peer. */
		if (listen(fd, 4) == 0 && write(ready[1], "", 1) == 1)
			carry(fd, admin);
		_exit(1);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	rc = doctor(path);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	close(fd), close(ready[0]), close(ready[1]);
	ck_assert_int_eq(rc, 0);
	finds("ok", "process", "lives");
	finds("ok", "recording", "requests begun");
	finds("ok", "artifacts", "not seen from here");
	snprintf(word, sizeof(word), "pid %ld", (long)child);
	ck_assert_ptr_null(strstr(report, word));
	ck_assert_ptr_null(strstr(report, " /proc "));
	ck_assert_ptr_null(strstr(report, " limits "));
	ck_assert_ptr_null(strstr(report, "is mapped"));
}
END_TEST

/* --- settings, TCP, a URL ------------------------------------------------ */

#define TOKEN "correct-horse-battery"

static void put_config(const char *text)
{
	char path[80];
	FILE *f;

	snprintf(path, sizeof(path), "%s/shop.conf", dir);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(setenv("TAILBOX_CONFIG", path, 1), 0);
}

static void start_again(void)
{
	tailbox_stop();
	ck_assert_int_eq(tailbox_start("patient", NULL), 0);
}

START_TEST(a_configuration_is_told)
{
	static struct tailbox__config_report r;

	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("ok", "configuration", "no file");
	finds("ok", "admin TCP", "off");
	put_config("[window]\nmode = 'light'\n");
	start_again();
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("ok", "configuration", "/shop.conf");
	put_config("[window]\nmode = 'investigation'\n[tape]\nsize = '2MiB'\n");
	ck_assert_int_eq(tailbox__reload(&r), 0);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "configuration", "tape.size");
	finds("degraded", "configuration", "mend: start the service again");
	put_config("[window]\nmode = 'lite'\n");
	ck_assert_int_lt(tailbox__reload(&r), 0);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "configuration", "what was read before is in force");
	finds("degraded", "configuration", "/shop.conf:2:1: window.mode is ");
	start_again();
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "configuration", "the service runs without it");
	finds("degraded", "configuration", "/shop.conf:2:1: window.mode is ");
	finds("degraded", "configuration", "mend: correct it");
	ck_assert_int_eq(unlink(getenv("TAILBOX_CONFIG")), 0);
	start_again();
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "configuration", "/shop.conf: No such file");
}
END_TEST

/* As if the tape had filled so fast for 10 s: the second in which it does is
 * the ninth, once the follower has turned to it. */
static void fill_fast(unsigned requests)
{
	struct tailbox__controller *c = &tailbox__c;
	uint64_t second = 0;

	tailbox__lock();
	c->rates.start_ns -= 8000000000u;
	tailbox__unlock();
	for (int i = 0; i < 60000 && second < 8; i++) {
		usleep(1000);
		tailbox__lock();
		second = c->rates.second;
		tailbox__unlock();
	}
	for (unsigned i = 0; i < requests; i++)
		tailbox_request_finish(tailbox_request_begin("/job", NULL),
		                       NULL);
	for (int i = 0; i < 60000; i++) {
		struct tailbox__recorder_status s;
		tailbox__recorder_status(&s);
		if (s.fill != TAILBOX__NONE)
			return;
		usleep(1000);
	}
	ck_abort_msg("how fast the tape fills is not known");
}

START_TEST(a_history_that_is_not_held_is_told)
{
	put_config("[tape]\nhistory = '20m'\n");
	start_again();
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("ok", "tape", " of history");
	/* 1.3 MB a second: 16 MiB are 13 s of them. */
	fill_fast(200000);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "tape", "; 1200 s are wished");
	finds("degraded", "tape", "mend: restart the service: its tape will");
	put_config("[tape]\nhistory = '20m'\nsize = '16MiB'\n");
	start_again();
	fill_fast(200000);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "tape", "mend: it may take no more: raise size of");
}
END_TEST

START_TEST(tcp_that_did_not_start_is_told)
{
	put_config("[admin]\nlisten = '127.0.0.1:0'\n"
	           "token_file = '/nowhere/token'\n");
	start_again();
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "admin TCP", "did not start: ");
	finds("degraded", "admin TCP", "/nowhere/token");
	finds("degraded", "admin TCP", "mend: correct that, or [admin]");
	/* It is no mistake of the file. */
	finds("ok", "configuration", "/shop.conf");
}
END_TEST

START_TEST(artifacts_are_told_with_caps_and_pins)
{
	struct tailbox__artifact_entry e;
	struct tailbox__activation a;

	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("ok", "artifacts", "0 artifacts (cap 100) of 0 B (cap 256.0 MiB), "
	                         "0 pinned");
	tailbox__activation_init(&a, TAILBOX__MODE_LIGHT);
	ck_assert_int_eq(tailbox__arm(&a, NULL, NULL), 0);
	start_again(); /* the end of a service ends a window */
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("ok", "artifacts", "1 artifact (cap 100) of ");
	ck_assert_int_eq(tailbox__artifacts(&e, 1, NULL), 1);
	ck_assert_int_eq(tailbox__artifact_pin(&e, true), 0);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("ok", "artifacts", ", 1 pinned");
	tailbox__folder_caps(1, 7);
	ck_assert_int_eq(doctor(tailbox__admin_path()), 0);
	finds("degraded", "artifacts", "1 artifact (cap 7) of ");
	finds("degraded", "artifacts", "(cap 1 B), 1 pinned");
	finds("degraded", "artifacts", "over the caps");
	finds("degraded", "artifacts", "mend: unpin or delete some");
}
END_TEST

static void finds_no(const char *check)
{
	char part[64];

	snprintf(part, sizeof(part), " %s ", check);
	ck_assert_msg(!strstr(report, part), "\"%s\" in:\n%s", part, report);
}

START_TEST(a_url_needs_its_token)
{
	char url[64];

	put_config("[admin]\nlisten = '127.0.0.1:0'\ntoken = '" TOKEN "'\n");
	start_again();
	snprintf(url, sizeof(url), "http://%s", tailbox__admin_tcp());
	ck_assert_int_eq(doctor(url), 1);
	finds("fail", "admin server", "answers with status 401");
	finds("fail", "admin server", "mend: give its token in TAILBOX_TOKEN or "
	                              "by --token-file FILE");
	/* Nothing is said of a service that did not answer. */
	ck_assert_ptr_nonnull(strstr(report, "\n0 ok, 0 degraded, 1 failed\n"));
	ck_assert_int_eq(setenv("TAILBOX_TOKEN", "some-other-token-word", 1), 0);
	ck_assert_int_eq(doctor(url), 1);
	finds("fail", "admin server", "--token-file was refused");
	ck_assert_int_eq(setenv("TAILBOX_TOKEN", TOKEN, 1), 0);
	ck_assert_int_eq(doctor(url), 0);
	finds("degraded", "admin TCP", tailbox__admin_tcp());
	finds("degraded", "admin TCP", "1 wrong token since the start");
	tailbox_stop();
	ck_assert_int_eq(doctor(url), 1);
	finds("fail", "admin server", "does not answer: ");
	ck_assert_ptr_nonnull(strstr(report, "\n0 ok, 0 degraded, 1 failed\n"));
}
END_TEST

START_TEST(a_url_tells_what_it_can)
{
	static const char *const by_machine[] = { "run folder", "fallocate",
		                                  "/proc", "threads", "limits" };
	char url[64];

	put_config("[admin]\nlisten = '127.0.0.1:0'\ntoken = '" TOKEN "'\n");
	start_again();
	ck_assert_int_eq(setenv("TAILBOX_TOKEN", TOKEN, 1), 0);
	snprintf(url, sizeof(url), "http://%s", tailbox__admin_tcp());
	ck_assert_int_eq(doctor(url), 0);
	ck_assert_int_eq(strncmp(report, url, strlen(url)), 0);
	finds("ok", "process", "says the service: pid ");
	finds("ok", "admin server", "answers in ");
	finds("ok", "admin TCP", "listens on 127.0.0.1:");
	finds("ok", "configuration", "/shop.conf");
	finds("ok", "recording", "requests begun");
	finds("ok", "tape", "of history");
	finds("ok", "artifacts", "0 artifacts (cap 100) of ");
	finds("ok", "losses", "none of 0 requests");
	finds("ok", "versions", "library ");
	finds("degraded", "daemons", "0 seen");
	finds_no("admin socket");
	for (size_t i = 0; i < sizeof(by_machine) / sizeof(*by_machine); i++) {
		finds("degraded", by_machine[i], "not seen from here");
		finds("degraded", by_machine[i], "mend: run tailbox doctor "
		                                 "where the service runs");
	}
	TAILBOX__SET(tailbox__recorder.tape.header->losses[TAILBOX__LOSS_NAMES],
	             7);
	ck_assert_int_eq(tailbox__switch(false, "the night shift"), 1);
	ck_assert_int_eq(doctor(url), 0);
	finds("degraded", "losses", "7 names");
	finds("degraded", "recording", "by the night shift, ");
	finds("degraded", "recording", "mend: tailbox on http://127.0.0.1:");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("doctor");
	TCase *t = tcase_create("doctor");
	SRunner *sr;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, daemons_that_are_not_recorded_are_named);
	tcase_add_test(t, switched_off_is_degraded);
	tcase_add_test(t, losses_are_told_by_kind);
	tcase_add_test(t, connections_beyond_the_limit_on_files_are_told);
	tcase_add_test(t, notes_of_the_start_are_told);
	tcase_add_test(t, another_version_is_told);
	tcase_add_test(t, a_deaf_socket_fails);
	tcase_add_test(t, a_socket_alone_tells_what_it_can);
	tcase_add_test(t, a_socket_that_another_process_carries);
	tcase_add_test(t, a_configuration_is_told);
	tcase_add_test(t, a_history_that_is_not_held_is_told);
	tcase_add_test(t, tcp_that_did_not_start_is_told);
	tcase_add_test(t, artifacts_are_told_with_caps_and_pins);
	tcase_add_test(t, a_url_needs_its_token);
	tcase_add_test(t, a_url_tells_what_it_can);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
