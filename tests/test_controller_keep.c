/* tests/test_controller_keep.c - which artifacts stay: caps, pins, JSON beside
 * them, names that are never used again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "core/run_json.h"
#include "tests/controller_fixture.h"

static void again(struct tailbox__controller_config c)
{
	tailbox__controller_stop();
	start_as(c);
}

static uint64_t capture(unsigned count)
{
	const uint64_t id = arm(NULL);

	requests(count);
	disarm();
	return id;
}

static struct tailbox__artifact_entry entry(uint64_t id)
{
	struct tailbox__artifact_entry e;
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, id);
	ck_assert_int_eq(tailbox__artifact_find(number, &e), 0);
	return e;
}

static bool is_there(uint64_t id)
{
	struct tailbox__artifact_entry e;
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, id);
	return tailbox__artifact_find(number, &e) == 0;
}

static bool was_said(const char *part)
{
	bool was = false;

	pthread_mutex_lock(&log_lock);
	for (size_t i = 0; i < log_count; i++)
		was |= strstr(log_lines[i], part) != NULL;
	pthread_mutex_unlock(&log_lock);
	return was;
}

static long count(void)
{
	static struct tailbox__artifact_entry e[200];

	return tailbox__artifacts(e, 200, NULL);
}

static bool exists(const char *name, const char *suffix)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s%s", artifact_dir, name, suffix);
	return lstat(path, &st) == 0;
}

static void put_file(const char *path, const char *text)
{
	const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)),
	                 (ssize_t)strlen(text));
	close(fd);
}

static struct tailbox__folder_status folder(void)
{
	struct tailbox__folder_status s;

	tailbox__folder_status(&s);
	return s;
}

/* --- caps -------------------------------------------------------------- */

START_TEST(the_oldest_go_beyond_the_count)
{
	again((struct tailbox__controller_config){ .max_count = 3 });
	for (uint64_t i = 1; i <= 3; i++)
		capture(1);
	ck_assert_int_eq(count(), 3); /* at the cap: none */
	ck_assert_uint_eq(folder().deleted, 0);
	capture(1);
	ck_assert_int_eq(count(), 3);
	ck_assert(!is_there(1));
	ck_assert(is_there(2));
	capture(1);
	ck_assert(!is_there(2));
	ck_assert(is_there(5));
	ck_assert_uint_eq(folder().deleted, 2);
	ck_assert_uint_gt(folder().deleted_bytes, 128);
	ck_assert(was_said("deleted test-"));
}
END_TEST

START_TEST(the_oldest_go_beyond_the_bytes)
{
	uint64_t bytes;

	capture(0);
	bytes = entry(1).bytes;
	/* Room for three of these, and not for a byte more. */
	again((struct tailbox__controller_config){ .max_size = 3 * bytes });
	for (uint64_t i = 1; i <= 4; i++)
		capture(0);
	ck_assert_int_eq(count(), 3);
	ck_assert(!is_there(1));
	ck_assert(is_there(2));
	ck_assert_uint_eq(folder().deleted, 2); /* and the earlier process's */
	again((struct tailbox__controller_config){ .max_size = 3 * bytes - 1 });
	capture(0);
	ck_assert_int_eq(count(), 2);
}
END_TEST

START_TEST(the_newest_stays_whatever_the_caps)
{
	again((struct tailbox__controller_config){ .max_count = 1,
	                                           .max_size = 1 });
	capture(100);
	ck_assert_int_eq(count(), 1);
	capture(1);
	ck_assert_int_eq(count(), 1);
	ck_assert(is_there(2));
}
END_TEST

START_TEST(what_is_not_ours_stays)
{
	char path[512];

	again((struct tailbox__controller_config){ .max_count = 1 });
	capture(1);
	snprintf(path, sizeof(path), "%s/test-20200101T000000Z-1.tailbox",
	         artifact_dir);
	put_file(path, "named as ours, but no artifact");
	snprintf(path, sizeof(path), "%s/other-20200101T000000Z-1.tailbox",
	         artifact_dir);
	put_file(path, "of another service");
	snprintf(path, sizeof(path), "%s/test-20200101T000000Z-2.part",
	         artifact_dir);
	put_file(path, "left by a dead process");
	snprintf(path, sizeof(path), "%s/notes.txt", artifact_dir);
	put_file(path, "of the operator");
	capture(1);
	ck_assert_int_eq(count(), 1);
	ck_assert(exists("test-20200101T000000Z-1", ".tailbox"));
	ck_assert(exists("other-20200101T000000Z-1", ".tailbox"));
	ck_assert(exists("test-20200101T000000Z-2", ".part"));
	ck_assert(exists("notes", ".txt"));
	ck_assert_uint_eq(folder().deleted, 1);
}
END_TEST

START_TEST(no_settings_are_the_defaults)
{
	ck_assert_uint_eq(folder().max_count, 100);
	ck_assert_uint_eq(folder().max_size, (uint64_t)256 << 20);
	for (int i = 0; i < 101; i++)
		capture(0);
	ck_assert_int_eq(count(), 100);
	ck_assert(!is_there(1));
	ck_assert(is_there(2));
}
END_TEST

START_TEST(without_memory_nothing_is_deleted)
{
	int dirfd;

	for (int i = 0; i < 3; i++)
		capture(0);
	again((struct tailbox__controller_config){ .max_count = 1 });
	dirfd = open(artifact_dir, O_RDONLY | O_DIRECTORY);
	for (long n = 0;; n++) {
		tailbox__alloc_fail_after(n);
		tailbox__folder_trim(dirfd, "");
		tailbox__alloc_fail_after(-1);
		if (folder().deleted != 0)
			break;
		ck_assert_int_eq(count(), 3);
		ck_assert_int_lt(n, 10);
	}
	ck_assert_int_eq(count(), 1);
	close(dirfd);
}
END_TEST

/* --- pins -------------------------------------------------------------- */

START_TEST(what_is_pinned_stays_also_after_a_restart)
{
	struct tailbox__artifact_entry e, again_e;

	again((struct tailbox__controller_config){ .max_count = 2 });
	capture(1);
	e = entry(1);
	ck_assert(!e.is_pinned);
	ck_assert_int_eq(tailbox__artifact_pin(&e, true), 0);
	ck_assert_int_eq(tailbox__artifact_pin(&e, true), 0);
	ck_assert(e.is_pinned);
	ck_assert(entry(1).is_pinned);
	again((struct tailbox__controller_config){ .max_count = 2 });
	for (int i = 0; i < 3; i++)
		capture(1);
	/* It counts: one is left beside it. */
	ck_assert_int_eq(count(), 2);
	ck_assert_int_eq(tailbox__artifact_find(e.name, &again_e), 0);
	ck_assert(again_e.is_pinned);
	ck_assert(is_there(3));
	ck_assert(!is_there(2));
	/* Unpinned it is the oldest again. */
	ck_assert_int_eq(tailbox__artifact_pin(&again_e, false), 0);
	ck_assert_int_eq(tailbox__artifact_pin(&again_e, false), 0);
	ck_assert(!exists(e.name, ".pin"));
	capture(1);
	ck_assert_int_eq(tailbox__artifact_find(e.name, &again_e), -ENOENT);
}
END_TEST

START_TEST(all_pinned_is_more_than_the_cap)
{
	struct tailbox__artifact_entry e;

	again((struct tailbox__controller_config){ .max_count = 2 });
	for (uint64_t i = 1; i <= 4; i++) {
		capture(1);
		e = entry(i);
		ck_assert_int_eq(tailbox__artifact_pin(&e, true), 0);
	}
	ck_assert_int_eq(count(), 4);
	ck_assert_uint_eq(folder().deleted, 0);
}
END_TEST

START_TEST(a_pin_goes_with_its_artifact)
{
	struct tailbox__artifact_entry e;

	capture(1);
	e = entry(1);
	ck_assert_int_eq(tailbox__artifact_pin(&e, true), 0);
	/* By hand it can be deleted all the same. */
	ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	ck_assert(!exists(e.name, ".pin"));
	ck_assert_int_eq(tailbox__artifact_pin(&e, true), -ENOENT);
	ck_assert(!exists(e.name, ".pin"));
	ck_assert_int_eq(tailbox__artifact_delete(&e), -ENOENT);
}
END_TEST

/* --- JSON -------------------------------------------------------------- */

static char *file_text(const char *path, size_t *len)
{
	struct stat st;
	const int fd = open(path, O_RDONLY);
	char *text;

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	text = malloc(*len + 1);
	ck_assert_int_eq(read(fd, text, *len), (ssize_t)*len);
	text[*len] = '\0';
	close(fd);
	return text;
}

/* The file is the run of the artifact, as the server would send it. */
static void check_json(uint64_t id, const char *path)
{
	struct tailbox__run *run = load(id);
	struct tailbox__run_json *j;
	char *text, buf[4096];
	size_t len, at = 0;
	long n;

	text = file_text(path, &len);
	ck_assert_int_eq(tailbox__run_json_open(run, &j), 0);
	while ((n = tailbox__run_json_read(j, buf, sizeof(buf))) > 0) {
		ck_assert_uint_le(at + (size_t)n, len);
		ck_assert_int_eq(memcmp(text + at, buf, (size_t)n), 0);
		at += (size_t)n;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(at, len);
	tailbox__run_json_close(j);
	tailbox__run_destroy(run);
	free(text);
}

START_TEST(json_beside_the_artifact)
{
	struct tailbox__artifact_entry e;
	char path[512];

	again((struct tailbox__controller_config){ .local_json = true,
	                                           .max_count = 1 });
	capture(20);
	e = entry(1);
	snprintf(path, sizeof(path), "%s/%s.json", artifact_dir, e.name);
	check_json(1, path);
	ck_assert_uint_gt(e.json_bytes, e.bytes);
	ck_assert_uint_eq(folder().json_written, 1);
	capture(1);
	ck_assert(!exists(e.name, ".json"));
	e = entry(2);
	ck_assert(exists(e.name, ".json"));
	ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	ck_assert(!exists(e.name, ".json"));
}
END_TEST

START_TEST(json_counts_in_the_bytes)
{
	uint64_t both;

	again((struct tailbox__controller_config){ .local_json = true });
	capture(10);
	both = entry(1).bytes + entry(1).json_bytes;
	again((struct tailbox__controller_config){ .local_json = true,
	                                           .max_size = both * 5 / 2 });
	capture(10);
	ck_assert_int_eq(count(), 2);
	capture(10);
	ck_assert_int_eq(count(), 2);
}
END_TEST

START_TEST(json_at_the_name_of_the_spec)
{
	struct tailbox__artifact_entry e;
	char base[256], path[300], other[300];
	struct stat st;

	snprintf(base, sizeof(base), "%s/out/run.x.json", fixture_dir);
	snprintf(path, sizeof(path), "%s/out/run.x-generation-1.json",
	         fixture_dir);
	snprintf(other, sizeof(other), "%s/out/run.x-generation-2.json",
	         fixture_dir);
	again((struct tailbox__controller_config){ .local_json = true,
	                                           .json_path = base,
	                                           .max_count = 2 });
	capture(5);
	check_json(1, path);
	e = entry(1);
	ck_assert(!exists(e.name, ".json"));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(e.json_bytes, (uint64_t)st.st_size);

	/* A new process begins with 1: what is there is not replaced. */
	again((struct tailbox__controller_config){ .local_json = true,
	                                           .json_path = base,
	                                           .max_count = 2 });
	capture(7);
	ck_assert(was_said("is there already"));
	ck_assert(exists(entry(1).name, ".json"));
	ck_assert_uint_eq(folder().json_lost, 0);
	capture(3);
	check_json(2, other);
	/* The first has gone by the cap, its JSON too. */
	ck_assert_int_ne(stat(path, &st), 0);
	ck_assert_int_eq(count(), 2);

	/* Somebody put another file there: it is not ours to delete. */
	ck_assert_int_eq(unlink(other), 0);
	put_file(other, "another");
	e = entry(2);
	ck_assert_uint_eq(e.json_bytes, 0);
	ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	ck_assert_int_eq(stat(other, &st), 0);
	ck_assert(!exists(e.name, ".json-at"));
	unlink(other);
	snprintf(path, sizeof(path), "%s/out", fixture_dir);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(json_that_cannot_be_written_loses_nothing_else)
{
	char base[300], file[256];

	snprintf(file, sizeof(file), "%s/a/file", fixture_dir);
	put_file(file, "");
	snprintf(base, sizeof(base), "%s/run.json", file);
	again((struct tailbox__controller_config){ .local_json = true,
	                                           .json_path = base });
	capture(5);
	ck_assert_uint_eq(entry(1).json_bytes, 0);
	ck_assert_uint_eq(folder().json_lost, 1);
	ck_assert_uint_eq(folder().json_written, 0);
	ck_assert_msg(strstr(folder().json_error, "run-generation-1.json"),
	              "%s", folder().json_error);
	tailbox__run_destroy(load(1));
	ck_assert_str_eq(window().last_error, "");
}
END_TEST

/* A marker that somebody wrote: no path of it is followed blindly. */
START_TEST(a_forged_note_deletes_nothing)
{
	static const char *const notes[] = { "", "x", "1", "1 2", "1 2 ",
		                             "-1 -1 /etc/passwd",
		                             "1 1 /etc/passwd" };
	struct tailbox__artifact_entry e;
	char path[512];
	struct stat st;

	capture(1);
	e = entry(1);
	snprintf(path, sizeof(path), "%s/%s.json-at", artifact_dir, e.name);
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		put_file(path, notes[i]);
		ck_assert_uint_eq(entry(1).json_bytes, 0);
		unlink(path);
	}
	put_file(path, notes[6]);
	ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
	ck_assert_int_eq(stat("/etc/passwd", &st), 0);
}
END_TEST

/* --- names ------------------------------------------------------------- */

static int reserve(uint64_t id, uint64_t *second, char name[256])
{
	struct tailbox__artifact_key key = { TAILBOX__ARTIFACT_WINDOW, *second,
		                             id };
	const int fd = tailbox__folder_reserve(artifact_dir, "test", &key, name,
	                                       NULL);

	ck_assert_int_ge(fd, 0);
	close(fd);
	*second = key.second;
	tailbox__folder_remove_part(artifact_dir, name);
	return fd;
}

START_TEST(a_name_is_never_used_again)
{
	uint64_t second = 1763608272;
	char name[256];

	/* Taken and gone, as after a delete. */
	reserve(1, &second, name);
	ck_assert_str_eq(name, "test-20251120T031112Z-1");
	reserve(2, &second, name);
	ck_assert_str_eq(name, "test-20251120T031112Z-2");
	/* Another process, in the same second. */
	reserve(1, &second, name);
	ck_assert_str_eq(name, "test-20251120T031113Z-1");
	/* The clock is set back. */
	second = 1763608000;
	reserve(1, &second, name);
	ck_assert_str_eq(name, "test-20251120T031114Z-1");
	second = 1763608274 - 3600;
	reserve(2, &second, name);
	ck_assert_str_eq(name, "test-20251120T031114Z-2");
	/* By more than an hour: it was wrong before. */
	second = 1763608274 - 3601;
	reserve(1, &second, name);
	ck_assert_str_eq(name, "test-20251120T021113Z-1");
	/* Another service has names of its own. */
	struct tailbox__artifact_key key = { TAILBOX__ARTIFACT_WINDOW,
		                             1763608272, 1 };
	close(tailbox__folder_reserve(artifact_dir, "rest", &key, name, NULL));
	ck_assert_str_eq(name, "rest-20251120T031112Z-1");
	/* So has each kind, the second before the first one too. */
	key.kind = TAILBOX__ARTIFACT_CRASH;
	for (int i = 0; i < 2; i++) {
		key.second = 1763608272;
		close(tailbox__folder_reserve(artifact_dir, "rest", &key, name,
		                              NULL));
		tailbox__folder_remove_part(artifact_dir, name);
	}
	ck_assert_str_eq(name, "rest-20251120T031113Z-c1");
}
END_TEST

START_TEST(across_restarts_and_deletes_names_differ)
{
	static char seen[20][256];
	struct tailbox__artifact_entry e;

	for (int i = 0; i < 20; i++) {
		capture(0);
		e = entry(1);
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(seen[k], e.name);
		memcpy(seen[i], e.name, sizeof(e.name));
		ck_assert_int_eq(tailbox__artifact_delete(&e), 0);
		again((struct tailbox__controller_config){ 0 });
	}
}
END_TEST

START_TEST(a_last_name_that_cannot_be_read_is_done_without)
{
	static const char *const texts[] = { "", "x", "12", "-3 4 5",
		                             "99999999999999999999999 1" };
	uint64_t second = 1763608272;
	char path[256], name[256];

	snprintf(path, sizeof(path), "%s/.test.last", artifact_dir);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		unlink(path);
		put_file(path, texts[i]);
		second = 1763608272 + i;
		reserve(1, &second, name);
		ck_assert_uint_eq(second, 1763608272 + i);
	}
	unlink(path);
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	reserve(1, &second, name);
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0); /* must not block */
	reserve(1, &second, name);
	unlink(path);
	/* A process is stopped while it has the lock. */
	put_file(path, "");
	const int fd = open(path, O_RDWR);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	reserve(1, &second, name);
	close(fd);
}
END_TEST

/* --- a full disk ------------------------------------------------------- */

/* A small tmpfs over the artifact folder, until small_disk_end(). */
static bool small_disk(unsigned kib)
{
	char how[32];

	snprintf(how, sizeof(how), "size=%uk,mode=700", kib);
	if (mount("none", artifact_dir, "tmpfs", 0, how) == 0)
		return true;
	fprintf(stderr, "NOT TESTED, a full disk: no right to mount: %s\n",
	        strerror(errno));
	return false;
}

static void small_disk_end(void)
{
	if (artifact_dir[0])
		umount2(artifact_dir, MNT_DETACH);
	controller_close();
}

static void fill(const char *name)
{
	char path[256], block[4096] = "x";

	snprintf(path, sizeof(path), "%s/%s", artifact_dir, name);
	const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}

static void drain(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", artifact_dir, name);
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(full_while_spooling_loses_that_window_only)
{
	if (!small_disk(1024))
		return;
	capture(10);
	const uint64_t id = arm(NULL);
	fill("filler");
	requests(5000);
	ck_assert_int_ge(tailbox__disarm(NULL, NULL, NULL), 0);
	wait_for("is lost: ");
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_FAILED);
	ck_assert_uint_eq(window().id, id);
	ck_assert_msg(strstr(window().last_error, "space") != NULL, "%s",
	              window().last_error);
	ck_assert(!is_there(id));
	drain("filler");
	ck_assert_uint_eq(capture(10), id + 1);
	ck_assert(is_there(id + 1));
	ck_assert(is_there(1));
	ck_assert_int_eq(count(), 2);
}
END_TEST

START_TEST(full_while_placing_loses_that_window_only)
{
	if (!small_disk(1024))
		return;
	const uint64_t id = arm(NULL);
	requests(2000);
	wait_until_spooled(2000);
	fill("filler"); /* what is spooled has its room */
	ck_assert_int_ge(tailbox__disarm(NULL, NULL, NULL), 0);
	wait_for("is lost: ");
	ck_assert_int_eq(window().state, TAILBOX__WINDOW_FAILED);
	ck_assert_msg(strstr(window().last_error, "space") != NULL, "%s",
	              window().last_error);
	drain("filler");
	capture(10);
	ck_assert(!is_there(id));
	ck_assert(is_there(id + 1));
	ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(full_while_writing_json_loses_the_json_only)
{
	if (!small_disk(400))
		return;
	again((struct tailbox__controller_config){ .local_json = true });
	/* Natively 64 bytes a request and more; as JSON some 400. */
	capture(900);
	ck_assert(is_there(1));
	tailbox__run_destroy(load(1));
	ck_assert_uint_eq(entry(1).json_bytes, 0);
	ck_assert_uint_eq(folder().json_lost, 1);
	ck_assert_msg(strstr(folder().json_error, "space") != NULL, "%s",
	              folder().json_error);
	/* The temporary file is gone, or nothing would fit now. */
	capture(50);
	ck_assert_uint_gt(entry(2).json_bytes, 0);
	ck_assert_uint_eq(folder().json_written, 1);
}
END_TEST

START_TEST(a_folder_that_vanished_is_made_again)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	const struct tailbox__activation a = light();
	char parent[128];

	capture(1);
	snprintf(parent, sizeof(parent), "%s/a", fixture_dir);
	/* While a window is open, too: its spool has a descriptor. */
	arm(NULL);
	requests(5);
	remove_folder(artifact_dir);
	remove_folder(parent);
	disarm();
	ck_assert_uint_eq(entry(2).requests, 5);
	/* Something else in its place: said, and over when that has gone. */
	remove_folder(artifact_dir);
	put_file(artifact_dir, "");
	ck_assert_int_lt(tailbox__arm(&a, NULL, &err), 0);
	ck_assert_msg(strstr(err.text, artifact_dir) != NULL, "%s", err.text);
	unlink(artifact_dir);
	capture(1);
	ck_assert_int_eq(count(), 1);
}
END_TEST

/* --- what killed processes left ------------------------------------------ */

enum { KEEP_LOCKED = 1, IS_YOUNG = 2 };

/* A file in the artifact folder, an hour old; its descriptor, which has it
 * locked or not. */
static int left_behind(const char *file, int how)
{
	const struct timespec old[2] = { { time(NULL) - 3600, 0 },
		                         { time(NULL) - 3600, 0 } };
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", artifact_dir, file);
	put_file(path, "half");
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	if (how & KEEP_LOCKED)
		ck_assert_int_eq(flock(fd, LOCK_SH), 0);
	if (!(how & IS_YOUNG))
		ck_assert_int_eq(futimens(fd, old), 0);
	return fd;
}

START_TEST(what_a_killed_process_left_goes)
{
	static const struct {
		const char *file;
		int how;
		bool stays;
	} all[] = {
		{ "test-20260102T030405Z-7.part", 0, false },
		{ ".test-20260102T030405Z-7.tailbox.12.34.tmp", 0, false },
		{ "test-20260102T030406Z-8.part", KEEP_LOCKED, true },
		{ ".test-20260102T030406Z-8.json.12.34.tmp", KEEP_LOCKED, true },
		{ "test-20260102T030407Z-9.part", IS_YOUNG, true },
		{ "other-20260102T030405Z-7.part", 0, true },
		{ ".other-20260102T030405Z-7.tailbox.12.34.tmp", 0, true },
		{ "test-notes.part", 0, true },
		{ "test.tmp", 0, true },
		{ ".test.last.tmp", 0, true },
	};
	enum { COUNT = sizeof(all) / sizeof(all[0]) };
	int fd[COUNT];

	capture(1);
	for (int i = 0; i < COUNT; i++)
		fd[i] = left_behind(all[i].file, all[i].how);
	capture(1);
	for (int i = 0; i < COUNT; i++) {
		ck_assert_msg(exists(all[i].file, "") == all[i].stays, "%s",
		              all[i].file);
		close(fd[i]);
	}
	ck_assert(was_said("removed 2 files of 8 bytes"));
	ck_assert_int_eq(count(), 2);
}
END_TEST

/* Writes a file, and finds its descriptor's lock in the way of another's. */
static int try_lock(const void *cls, int fd)
{
	bool *was_locked = *(bool *const *)cls;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	const int own = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(own, 0);
	*was_locked = flock(own, LOCK_EX | LOCK_NB) != 0;
	close(own);
	return 0;
}

START_TEST(what_is_being_written_is_locked)
{
	bool was_locked = false, *const told = &was_locked;

	struct tailbox__artifact_key key = { .kind = TAILBOX__ARTIFACT_WINDOW,
		                             .second = 1, .id = 1 };
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char name[256], path[512];
	const int part =
	        tailbox__folder_reserve(artifact_dir, "test", &key, name, &err);

	ck_assert_int_ge(part, 0);
	snprintf(path, sizeof(path), "%s/%s.part", artifact_dir, name);
	const int fd = open(path, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), -1);
	close(part);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
	const int dirfd = tailbox__folder_open(artifact_dir, &err);
	ck_assert_int_ge(dirfd, 0);
	ck_assert_int_eq(tailbox__file_place(try_lock, &told, dirfd, "it",
	                                     &err), 0);
	close(dirfd);
	ck_assert(was_locked);
}
END_TEST

static Suite *keep_suite(void)
{
	Suite *s = suite_create("controller_keep");
	TCase *t = tcase_create("keep"), *full = tcase_create("full");

	tcase_add_checked_fixture(t, controller_open, controller_close);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_oldest_go_beyond_the_count);
	tcase_add_test(t, the_oldest_go_beyond_the_bytes);
	tcase_add_test(t, the_newest_stays_whatever_the_caps);
	tcase_add_test(t, what_is_not_ours_stays);
	tcase_add_test(t, no_settings_are_the_defaults);
	tcase_add_test(t, without_memory_nothing_is_deleted);
	tcase_add_test(t, what_is_pinned_stays_also_after_a_restart);
	tcase_add_test(t, all_pinned_is_more_than_the_cap);
	tcase_add_test(t, a_pin_goes_with_its_artifact);
	tcase_add_test(t, json_beside_the_artifact);
	tcase_add_test(t, json_counts_in_the_bytes);
	tcase_add_test(t, json_at_the_name_of_the_spec);
	tcase_add_test(t, json_that_cannot_be_written_loses_nothing_else);
	tcase_add_test(t, a_forged_note_deletes_nothing);
	tcase_add_test(t, a_name_is_never_used_again);
	tcase_add_test(t, across_restarts_and_deletes_names_differ);
	tcase_add_test(t, a_last_name_that_cannot_be_read_is_done_without);
	tcase_add_test(t, a_folder_that_vanished_is_made_again);
	tcase_add_test(t, what_a_killed_process_left_goes);
	tcase_add_test(t, what_is_being_written_is_locked);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(full, controller_open, small_disk_end);
	tcase_set_timeout(full, 60);
	tcase_add_test(full, full_while_spooling_loses_that_window_only);
	tcase_add_test(full, full_while_placing_loses_that_window_only);
	tcase_add_test(full, full_while_writing_json_loses_the_json_only);
	suite_add_tcase(s, full);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(keep_suite());

	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
