/* tests/test_reader_writer.c - what became of a tape's writer: by the lock and
 * by when its holder began, never by the number alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "recorder_fixture.h"

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

static pid_t writer = -1;
static char tape[256];

/* A process that records until it is killed. Checks nothing by itself: its
 * failure is seen as a pipe that ends. */
static void writer_runs(int out)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;

	if (tailbox__recorder_open(fixture_dirfd, fixture_dir, "test", "1.0",
	                           1 << 20, &err) == 0 &&
	    write(out, "!", 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static void start_writer(void)
{
	int ends[2];
	char c;

	fixture_folder();
	ck_assert_int_eq(pipe(ends), 0);
	writer = fork();
	ck_assert_int_ge(writer, 0);
	if (writer == 0)
		writer_runs(ends[1]);
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &c, 1), 1);
	close(ends[0]);
	snprintf(tape, sizeof(tape), "%s/test.%ld.tape", fixture_dir,
	         (long)writer);
}

static void kill_writer(void)
{
	if (writer > 0) {
		kill(writer, SIGKILL);
		waitpid(writer, NULL, 0);
	}
	writer = -1;
}

static void teardown(void)
{
	kill_writer();
	fixture_close();
}

static enum tailbox__writer_state state(uint32_t *pid)
{
	struct tailbox__reader *r;
	enum tailbox__writer_state s;

	ck_assert_int_eq(tailbox__reader_open(tape, &r, NULL), 0);
	s = tailbox__reader_writer(r);
	*pid = tailbox__reader_writer_pid(r);
	tailbox__reader_close(r);
	return s;
}

/* Add to a field of the header behind the writer's back. */
static void add_to(size_t offset, uint64_t n)
{
	uint64_t v;
	int fd = open(tape, O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &v, sizeof(v), (off_t)offset), sizeof(v));
	v += n;
	ck_assert_int_eq(pwrite(fd, &v, sizeof(v), (off_t)offset), sizeof(v));
	close(fd);
}

START_TEST(live_then_stopped_then_dead)
{
	uint32_t pid;
	int status;

	ck_assert_int_eq(state(&pid), TAILBOX__WRITER_LIVE);
	ck_assert_uint_eq(pid, (uint32_t)writer);
	kill(writer, SIGSTOP);
	ck_assert_int_eq(waitpid(writer, &status, WUNTRACED), writer);
	ck_assert_int_eq(state(&pid), TAILBOX__WRITER_STOPPED);
	ck_assert_uint_eq(pid, (uint32_t)writer);
	kill_writer();
	ck_assert_int_eq(state(&pid), TAILBOX__WRITER_DEAD);
	ck_assert_uint_eq(pid, 0);
}
END_TEST

/* The number was given again: to who holds the lock, but began later. */
START_TEST(lock_of_a_process_that_began_at_another_time_is_not_the_writers)
{
	size_t at = offsetof(struct tailbox__tape_header, pid_started);
	uint32_t pid;

	add_to(at, 1);
	ck_assert_int_eq(state(&pid), TAILBOX__WRITER_DEAD);
	ck_assert_uint_eq(pid, 0);
	add_to(at, UINT64_MAX); /* - 1 */
	ck_assert_int_eq(state(&pid), TAILBOX__WRITER_LIVE);
}
END_TEST

/* The writer had no /proc to read the time from: the lock alone decides. */
START_TEST(unknown_start_leaves_it_to_the_lock)
{
	size_t at = offsetof(struct tailbox__tape_header, pid_started);
	struct tailbox__reader *r;
	uint64_t started;
	uint32_t pid;

	ck_assert_int_eq(tailbox__reader_open(tape, &r, NULL), 0);
	started = tailbox__reader_header(r)->pid_started;
	tailbox__reader_close(r);
	ck_assert_uint_ne(started, 0);
	add_to(at, -started);
	ck_assert_int_eq(state(&pid), TAILBOX__WRITER_LIVE);
	ck_assert_uint_eq(pid, (uint32_t)writer);
}
END_TEST

/* The process is there, under its number and with its start: without the lock
 * (it is another program by now, say) nobody writes. */
START_TEST(process_without_the_lock_is_no_writer)
{
	char copy[sizeof(tape)], piece[4096];
	uint32_t pid;
	ssize_t n;

	snprintf(copy, sizeof(copy), "%s/copy.tape", fixture_dir);
	int from = open(tape, O_RDONLY | O_CLOEXEC);
	int to = open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(from, 0);
	ck_assert_int_ge(to, 0);
	while ((n = read(from, piece, sizeof(piece))) > 0)
		ck_assert_int_eq(write(to, piece, (size_t)n), n);
	close(from);
	close(to);
	snprintf(tape, sizeof(tape), "%s", copy);
	ck_assert_int_eq(state(&pid), TAILBOX__WRITER_DEAD);
	ck_assert_uint_eq(pid, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reader_writer");
	TCase *t = tcase_create("writer");
	int failed;

	tcase_add_checked_fixture(t, start_writer, teardown);
	tcase_add_test(t, live_then_stopped_then_dead);
	tcase_add_test(
	        t, lock_of_a_process_that_began_at_another_time_is_not_the_writers);
	tcase_add_test(t, unknown_start_leaves_it_to_the_lock);
	tcase_add_test(t, process_without_the_lock_is_no_writer);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
