/* tests/test_artifact.c - the native artifact: write, place, load.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <zlib.h>

#include "core/artifact_format.h"
#include "core/tailbox.h"
#include "tests/sample_runs.h"

/* Stands before the C library's when this program is linked, so that a file
 * system without RENAME_NOREPLACE can be played. */
static int rename_error;

int renameat2(int from_dir, const char *from, int to_dir, const char *to,
              unsigned flags)
{
	if (rename_error) {
		errno = rename_error;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

static void reset(void)
{
	tailbox__alloc_fail_after(-1);
	rename_error = 0;
}

static int load_bytes(const char *bytes, size_t len, struct tailbox__run **run,
                      struct tailbox__error *err)
{
	int fd = sample_file(bytes, len);
	int rc = tailbox__artifact_read(fd, run, err);

	close(fd);
	ck_assert_msg(!rc == !!*run, "rc %d", rc);
	return rc;
}

/* Load bytes that must not load; gives the code. */
static int load_wrong(const char *bytes, size_t len,
                      struct tailbox__error *err)
{
	struct tailbox__run *run = (void *)&len;
	long live = tailbox__alloc_live();

	*err = (struct tailbox__error)TAILBOX__ERROR_INIT;
	int rc = load_bytes(bytes, len, &run, err);
	ck_assert_int_lt(rc, 0);
	ck_assert_ptr_null(run);
	ck_assert_int_eq(err->code, rc);
	ck_assert_int_gt((int)strlen(err->text), 0);
	ck_assert_int_eq(tailbox__alloc_live(), live);
	return rc;
}

/* --- round trips --------------------------------------------------------- */

static struct tailbox__run *(*const samples[])(void) = {
	sample_empty, sample_tiny, sample_example, sample_full,
};

START_TEST(run_comes_back_as_it_was)
{
	struct tailbox__run *run = samples[_i](), *back;
	size_t len, json_len, back_len;
	char *bytes = sample_native(run, &len);
	char *json = sample_json(run, &json_len);

	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	char *back_json = sample_json(back, &back_len);
	sample_assert_same(back_json, back_len, json, json_len);
	ck_assert_uint_eq(tailbox__run_str_count(back),
	                  tailbox__run_str_count(run));

	/* Bytes again: what JSON leaves out came back, too. */
	size_t again_len;
	char *again = sample_native(back, &again_len);
	ck_assert_uint_eq(again_len, len);
	ck_assert(!memcmp(again, bytes, len));

	/* New strings go on after the loaded ones. */
	uint32_t count = tailbox__run_str_count(back);
	ck_assert_uint_eq(tailbox__run_cstr(back, "a new text"), count + 1);
	ck_assert_uint_eq(tailbox__run_cstr(back, "shop") != 0, 1);

	free(again);
	free(back_json);
	free(json);
	free(bytes);
	tailbox__run_destroy(back);
	tailbox__run_destroy(run);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}
END_TEST

START_TEST(large_run_comes_back)
{
	struct tailbox__run *run = sample_full(), *back;
	char id[64];

	for (unsigned i = 0; i < 50000; i++) {
		struct tailbox__run_request *r =
		        tailbox__list_add(&run->requests);
		*r = run->requests.items[0];
		snprintf(id, sizeof(id), "_items__id_-1767225600200-%u", i);
		r->id = tailbox__run_cstr(run, id);
	}
	size_t len, again_len;
	char *bytes = sample_native(run, &len);
	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	char *again = sample_native(back, &again_len);
	ck_assert_uint_eq(again_len, len);
	ck_assert(!memcmp(again, bytes, len));
	free(again);
	free(bytes);
	tailbox__run_destroy(back);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(pipe_can_be_written_and_read)
{
	struct tailbox__run *run = sample_full(), *back;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(tailbox__artifact_write(run, fds[1]), 0);
	close(fds[1]);
	ck_assert_int_eq(tailbox__artifact_read(fds[0], &back, NULL), 0);
	close(fds[0]);
	ck_assert_uint_eq(back->requests.count, run->requests.count);
	tailbox__run_destroy(back);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(info_tells_without_loading)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__artifact_info info, other;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	size_t len;
	char *bytes = sample_native(run, &len);
	int fd = sample_file(bytes, len);

	ck_assert_int_eq(tailbox__artifact_info(fd, &info, NULL), 0);
	ck_assert_uint_eq(info.file_bytes, len);
	ck_assert_uint_eq(info.requests, 2);
	ck_assert_uint_eq(info.started_ms, 1767225600000);
	ck_assert_uint_eq(info.finalized_ms, 1767225603000);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);

	/* Another run has another checksum. */
	run->queues.items[0].dur_us++;
	free(bytes);
	bytes = sample_native(run, &len);
	int other_fd = sample_file(bytes, len);
	ck_assert_int_eq(tailbox__artifact_info(other_fd, &other, NULL), 0);
	ck_assert_uint_ne(info.checksum, other.checksum);

	ck_assert_int_eq(ftruncate(fd, (off_t)len - 1), 0);
	ck_assert_int_eq(tailbox__artifact_info(fd, &info, &err),
	                 -TAILBOX_ETRUNCATED);
	ck_assert_uint_eq(err.offset, len - 1);
	ck_assert_int_eq(ftruncate(fd, (off_t)len + 1), 0);
	ck_assert_int_eq(tailbox__artifact_info(fd, &info, NULL),
	                 -TAILBOX_EDAMAGED);
	ck_assert_int_eq(ftruncate(fd, 63), 0);
	ck_assert_int_eq(tailbox__artifact_info(fd, &info, NULL),
	                 -TAILBOX_ETRUNCATED);
	ck_assert_int_eq(tailbox__artifact_info(-1, &info, NULL), -EBADF);
	bytes[len - 1] ^= 1;
	ck_assert_int_eq(pwrite(other_fd, bytes, len, 0), (ssize_t)len);
	ck_assert_int_eq(tailbox__artifact_info(other_fd, &info, NULL),
	                 -TAILBOX_EDAMAGED);
	close(fd);
	close(other_fd);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(own_files_are_recognised)
{
	ck_assert_int_eq(tailbox__artifact_is_ours("TBXRUN\r\n....", 12), 1);
	ck_assert_int_eq(tailbox__artifact_is_ours("TBXRUN\n.....", 12), 0);
	ck_assert_int_eq(tailbox__artifact_is_ours("TBXRUN\r\n", 7), 0);
	ck_assert_int_eq(tailbox__artifact_is_ours("{\"schema", 8), 0);
}
END_TEST

/* --- wrong files --------------------------------------------------------- */

START_TEST(file_cut_at_each_byte_is_truncated)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);

	for (size_t cut = 0; cut < len; cut++) {
		ck_assert_int_eq(load_wrong(bytes, cut, &err),
		                 -TAILBOX_ETRUNCATED);
		ck_assert_uint_eq(err.offset, cut);
	}
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(each_flipped_byte_is_found)
{
	static const char masks[] = { 1, 0x20, -1 };
	struct tailbox__run *run = sample_full();
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);

	for (size_t at = 0; at < len; at++)
		for (size_t m = 0; m < sizeof(masks); m++) {
			bytes[at] ^= masks[m];
			int rc = load_wrong(bytes, len, &err);
			bytes[at] ^= masks[m];
			if (at < 8)
				ck_assert_int_eq(rc, -TAILBOX_EFOREIGN);
			else
				ck_assert(rc == -TAILBOX_EDAMAGED ||
				          rc == -TAILBOX_ETRUNCATED);
		}
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(bytes_after_the_end_are_damage)
{
	struct tailbox__run *run = sample_tiny();
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);
	char *longer = malloc(len + 1);

	memcpy(longer, bytes, len);
	longer[len] = 0;
	ck_assert_int_eq(load_wrong(longer, len + 1, &err),
	                 -TAILBOX_EDAMAGED);
	ck_assert_uint_eq(err.offset, len);
	free(longer);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

/* Make all checksums and totals right again, so that what is wrong reaches
 * the checks behind them. */
static void reseal(char *bytes, size_t len)
{
	struct tailbox__artifact_header *h = (void *)bytes;
	struct tailbox__artifact_totals totals = { 0 };
	struct tailbox__artifact_part head;
	size_t at = sizeof(*h);

	h->file_bytes = len;
	h->checksum = tailbox__artifact_header_crc(h);
	tailbox__artifact_count(&totals, h->checksum);
	totals.parts = 0;
	while (len - at >= sizeof(head)) {
		memcpy(&head, bytes + at, sizeof(head));
		char *payload = bytes + at + sizeof(head);
		if (head.bytes > len - at - sizeof(head))
			return;
		if (head.kind == TAILBOX__PART_END) {
			struct tailbox__artifact_end end = {
				len, totals.parts, totals.checksum
			};
			if (head.bytes == sizeof(end))
				memcpy(payload, &end, sizeof(end));
		}
		head.checksum = (uint32_t)crc32_z(
		        tailbox__artifact_head_crc(head),
		        (const Bytef *)payload, head.bytes);
		memcpy(bytes + at, &head, sizeof(head));
		tailbox__artifact_count(&totals, head.checksum);
		at += sizeof(head) + head.bytes;
	}
}

/* A run that was let in must be safe to use, wherever it came from. */
static void use(struct tailbox__run *run)
{
	size_t len;

	free(sample_json(run, &len));
	free(sample_native(run, &len));
	tailbox__run_destroy(run);
}

START_TEST(each_forged_byte_is_refused_or_harmless)
{
	static const char masks[] = { 1, 8, -128, -1 };
	struct tailbox__run *run = sample_full(), *back;
	size_t len;
	char *bytes = sample_native(run, &len);
	char *forged = malloc(len);
	unsigned refused = 0, taken = 0;

	for (size_t at = 8; at < len; at++)
		for (size_t m = 0; m < sizeof(masks); m++) {
			memcpy(forged, bytes, len);
			forged[at] ^= masks[m];
			reseal(forged, len);
			int rc = load_bytes(forged, len, &back, NULL);
			if (rc) {
				refused++;
				continue;
			}
			taken++;
			use(back);
		}
	ck_assert_uint_gt(refused, 1000);
	ck_assert_uint_gt(taken, 1000);
	free(forged);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

/* The part of a kind; NULL when it is not there. */
static char *part_of(char *bytes, size_t len, uint32_t kind)
{
	struct tailbox__artifact_part head;

	for (size_t at = 64; at < len; at += sizeof(head) + head.bytes) {
		memcpy(&head, bytes + at, sizeof(head));
		if (head.kind == kind)
			return bytes + at;
	}
	return NULL;
}

START_TEST(part_of_unknown_kind_is_skipped)
{
	struct tailbox__run *run = sample_full(), *back;
	const uint32_t snap = TAILBOX__KIND('S', 'N', 'A', 'P');
	const uint32_t open_kind = TAILBOX__KIND('O', 'P', 'E', 'N');
	const uint32_t later = TAILBOX__KIND('N', 'E', 'W', '!');
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);

	memcpy(part_of(bytes, len, open_kind), &later, 4);
	/* Its checksum covers the kind: not resealed, this is damage. */
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	reseal(bytes, len);
	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	ck_assert_uint_eq(back->open.count, 0);
	ck_assert_uint_eq(back->requests.count, 2);
	tailbox__run_destroy(back);

	/* Values without their snapshots point nowhere. */
	memcpy(part_of(bytes, len, snap), &later, 4);
	reseal(bytes, len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

/* Cut the last 8 bytes off each item of REXT. Gives the length. */
static size_t make_older(char *bytes, size_t len)
{
	const size_t now = sizeof(struct tailbox__run_ext);
	const uint32_t then = TAILBOX__ARTIFACT_OLDER_EXT;
	char *part = part_of(bytes, len, TAILBOX__KIND('R', 'E', 'X', 'T'));
	struct tailbox__artifact_part head;

	memcpy(&head, part, sizeof(head));
	char *items = part + sizeof(head), *end = items + head.bytes;
	const size_t count = head.bytes / now, cut = count * (now - then);

	ck_assert_uint_ge(count, 1);
	for (size_t i = 0; i < count; i++)
		memmove(items + i * then, items + i * now, then);
	memmove(end - cut, end, len - (size_t)(end - bytes));
	head.item_bytes = then;
	head.bytes = count * then;
	memcpy(part, &head, sizeof(head));
	reseal(bytes, len - cut);
	return len - cut;
}

START_TEST(items_of_an_older_version_are_read)
{
	struct tailbox__run *run = sample_full(), *back;
	size_t len;

	run->ext.items[0].reader_ns = 5000;
	char *bytes = sample_native(run, &len);
	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	ck_assert_uint_eq(back->ext.items[0].reader_ns, 5000);
	tailbox__run_destroy(back);

	len = make_older(bytes, len);
	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	ck_assert_uint_eq(back->ext.count, run->ext.count);
	for (size_t i = 0; i < run->ext.count; i++) {
		ck_assert_uint_eq(back->ext.items[i].reader_ns, TAILBOX__NONE);
		ck_assert_int_eq(memcmp(&back->ext.items[i],
		                        &run->ext.items[i],
		                        TAILBOX__ARTIFACT_OLDER_EXT), 0);
	}
	use(back);

	/* Neither this nor that length. */
	uint32_t wrong = TAILBOX__ARTIFACT_OLDER_EXT - 8;
	struct tailbox__error err;
	memcpy(part_of(bytes, len, TAILBOX__KIND('R', 'E', 'X', 'T')) +
	               offsetof(struct tailbox__artifact_part, item_bytes),
	       &wrong, sizeof(wrong));
	reseal(bytes, len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(metrics_of_a_later_version_are_removed)
{
	struct tailbox__run *run = sample_full(), *back;
	size_t len, count = run->values.count;
	char *bytes;

	run->values.items[0].metric = TAILBOX__METRIC_COUNT;
	run->values.items[0].subject = UINT32_MAX;
	run->values.items[3].metric = UINT16_MAX;
	bytes = sample_native(run, &len);
	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	ck_assert_uint_eq(back->values.count, count - 2);
	ck_assert_uint_eq(back->values.items[0].metric,
	                  run->values.items[1].metric);
	tailbox__run_destroy(back);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

static void expect(const char *bytes, size_t len, int code, uint64_t offset)
{
	struct tailbox__error err;

	ck_assert_int_eq(load_wrong(bytes, len, &err), code);
	ck_assert_uint_eq(err.offset, offset);
}

START_TEST(other_version_and_byte_order_are_told_apart)
{
	struct tailbox__run *run = sample_tiny();
	struct tailbox__artifact_header *h;
	size_t len;
	char *bytes = sample_native(run, &len);

	h = (void *)bytes;
	h->version = 2;
	expect(bytes, len, -TAILBOX_EDAMAGED, 0);
	reseal(bytes, len);
	expect(bytes, len, -TAILBOX_EVERSION, 12);
	h->version = 1;
	h->byte_order = 0x04030201;
	expect(bytes, len, -TAILBOX_EFOREIGN, 8);
	h->byte_order = 0x04030202;
	reseal(bytes, len);
	expect(bytes, len, -TAILBOX_EDAMAGED, 8);
	expect("{\"schema_version\": 2}", 21, -TAILBOX_EFOREIGN, 0);
	expect("T{", 2, -TAILBOX_EFOREIGN, 0);
	expect("", 0, -TAILBOX_ETRUNCATED, 0);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

/* A few bytes must not be able to ask for gigabytes. */
START_TEST(claimed_length_is_not_believed)
{
	static const uint64_t claims[] = { 1 << 20, 1 << 21, 1ull << 40,
		                           (uint64_t)PTRDIFF_MAX + 1,
		                           UINT64_MAX };
	struct tailbox__run *run = sample_tiny();
	struct tailbox__artifact_part head;
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		memcpy(&head, bytes + 64, sizeof(head));
		head.bytes = claims[i];
		memcpy(bytes + 64, &head, sizeof(head));
		int rc = load_wrong(bytes, len, &err);
		ck_assert_int_eq(rc, claims[i] > PTRDIFF_MAX
		                             ? -TAILBOX_EDAMAGED
		                             : -TAILBOX_ETRUNCATED);
	}
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

/* Strings must be there once, or equal text would have two numbers. */
START_TEST(string_that_is_there_twice_is_damage)
{
	struct tailbox__run *run = sample_empty();
	struct tailbox__error err;
	size_t len;

	tailbox__run_cstr(run, "ab");
	tailbox__run_cstr(run, "ac");
	char *bytes = sample_native(run, &len);
	char *strings = part_of(bytes, len, TAILBOX__PART_STRINGS) + 24;
	ck_assert_int_eq(strings[12], 'c');
	strings[12] = 'b';
	reseal(bytes, len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	ck_assert_uint_eq(err.offset, 64 + 24 + 7);
	strings[12] = 'c';
	strings[13] = 'x'; /* where a NUL has to be */
	reseal(bytes, len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(part_that_is_there_twice_is_damage)
{
	struct tailbox__run *run = sample_full();
	const uint32_t stages = TAILBOX__KIND('S', 'T', 'A', 'G');
	struct tailbox__error err;
	size_t len;
	char *bytes = sample_native(run, &len);

	memcpy(part_of(bytes, len, TAILBOX__KIND('Q', 'U', 'E', 'U')), &stages,
	       4);
	reseal(bytes, len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	ck_assert_ptr_nonnull(strstr(err.text, "STAG"));
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(error_says_which_item)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__error err;
	size_t len;

	run->requests.items[1].ext = 3;
	char *bytes = sample_native(run, &len);
	size_t at = (size_t)(part_of(bytes, len,
	                             TAILBOX__KIND('R', 'E', 'Q', 'S')) -
	                     bytes);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	ck_assert_uint_eq(err.offset, at + 24 + 64);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(extra_key_that_is_there_twice_is_damage)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__error err;
	size_t len;

	run->meta.extra.items[1].key = run->meta.extra.items[0].key;
	char *bytes = sample_native(run, &len);
	ck_assert_int_eq(load_wrong(bytes, len, &err), -TAILBOX_EDAMAGED);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(read_survives_each_failing_allocation)
{
	struct tailbox__run *run = sample_full(), *back;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	long live = tailbox__alloc_live(), n;
	size_t len;
	char *bytes = sample_native(run, &len);
	int rc = -ENOMEM;

	for (n = 0; rc; n++) {
		err = (struct tailbox__error)TAILBOX__ERROR_INIT;
		back = (void *)&rc;
		int fd = sample_file(bytes, len);
		tailbox__alloc_fail_after(n);
		rc = tailbox__artifact_read(fd, &back, &err);
		tailbox__alloc_fail_after(-1);
		close(fd);
		if (!rc)
			break;
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_int_eq(err.code, -ENOMEM);
		ck_assert_ptr_null(back);
		ck_assert_int_eq(tailbox__alloc_live(), live);
	}
	ck_assert_int_gt(n, 15);
	tailbox__run_destroy(back);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(unreadable_input_is_its_errno)
{
	struct tailbox__run *run;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(tailbox__artifact_read(fd, &run, &err), -EISDIR);
	ck_assert_int_eq(err.code, -EISDIR);
	ck_assert_int_eq(tailbox__artifact_read(-1, &run, NULL), -EBADF);
	close(fd);
}
END_TEST

/* --- writing and placing ------------------------------------------------- */

START_TEST(full_disk_is_an_error)
{
	struct tailbox__run *run = sample_tiny();
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(tailbox__artifact_write(run, fd), -ENOSPC);
	ck_assert_int_eq(tailbox__artifact_write(run, -1), -EBADF);
	close(fd);
	tailbox__run_destroy(run);
}
END_TEST

static char folder[64];
static int folder_fd = -1;

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/test_artifact.XXXXXX");
	SAMPLE_MUST(mkdtemp(folder));
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SAMPLE_MUST(folder_fd >= 0);
}

/* Names in the folder, "." and ".." not counted. */
static unsigned name_count(bool unlink_them)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	unsigned count = 0;

	SAMPLE_MUST(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		count++;
		if (unlink_them)
			unlinkat(folder_fd, e->d_name, 0);
	}
	closedir(dir);
	return count;
}

static void remove_folder(void)
{
	reset();
	name_count(true);
	close(folder_fd);
	rmdir(folder);
}

static const int rename_errors[] = { 0, EINVAL, ENOSYS };

START_TEST(artifact_is_placed_whole)
{
	struct tailbox__run *run = sample_full(), *back;
	struct stat st;

	rename_error = rename_errors[_i];
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, "a.tailbox",
	                                         NULL),
	                 0);
	ck_assert_uint_eq(name_count(false), 1);
	int fd = openat(folder_fd, "a.tailbox", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(tailbox__artifact_read(fd, &back, NULL), 0);
	close(fd);
	tailbox__run_destroy(back);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(existing_name_is_left_alone)
{
	struct tailbox__run *run = sample_tiny();
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char text[8] = "";

	int fd = openat(folder_fd, "old", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, "mine", 4), 4);
	rename_error = rename_errors[_i];
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, "old", &err),
	                 -EEXIST);
	ck_assert_int_eq(err.code, -EEXIST);
	ck_assert_uint_eq(name_count(false), 1);
	ck_assert_int_eq(pread(fd, text, sizeof(text), 0), 4);
	ck_assert_str_eq(text, "mine");
	close(fd);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(failed_rename_leaves_nothing)
{
	struct tailbox__run *run = sample_tiny();

	rename_error = EIO;
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, "a", NULL),
	                 -EIO);
	ck_assert_uint_eq(name_count(false), 0);
	tailbox__run_destroy(run);
}
END_TEST

/* The limit on file sizes plays the full disk: it cuts a write in the
 * middle. */
START_TEST(failed_write_leaves_nothing)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct rlimit old, small;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1000;
	/* No check in between: libcheck writes a file, too. */
	const int set = setrlimit(RLIMIT_FSIZE, &small);
	int rc = tailbox__artifact_place(run, folder_fd, "a", &err);
	setrlimit(RLIMIT_FSIZE, &old);
	ck_assert_int_eq(set, 0);
	ck_assert_int_eq(rc, -EFBIG);
	ck_assert_int_eq(err.code, -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.text, "write"));
	ck_assert_uint_eq(name_count(false), 0);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(only_file_names_are_taken)
{
	static const char *const wrong[] = { "", ".", "..", "a/b", "/a" };
	struct tailbox__run *run = sample_tiny();
	char name[300];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(tailbox__artifact_place(run, folder_fd,
		                                         wrong[i], NULL),
		                 -EINVAL);
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, NULL, NULL),
	                 -EINVAL);
	ck_assert_int_eq(tailbox__artifact_place(run, -1, "a", NULL), -EBADF);
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, name, NULL),
	                 -EINVAL);
	ck_assert_uint_eq(name_count(false), 0);
	name[255] = '\0';
	ck_assert_int_eq(tailbox__artifact_place(run, folder_fd, name, NULL),
	                 0);
	ck_assert_uint_eq(name_count(false), 1);
	tailbox__run_destroy(run);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("artifact");
	TCase *load = tcase_create("load");
	TCase *place = tcase_create("place");

	tcase_set_timeout(load, 60);
	tcase_add_checked_fixture(load, NULL, reset);
	tcase_add_loop_test(load, run_comes_back_as_it_was, 0,
	                    sizeof(samples) / sizeof(samples[0]));
	tcase_add_test(load, large_run_comes_back);
	tcase_add_test(load, pipe_can_be_written_and_read);
	tcase_add_test(load, info_tells_without_loading);
	tcase_add_test(load, own_files_are_recognised);
	tcase_add_test(load, file_cut_at_each_byte_is_truncated);
	tcase_add_test(load, each_flipped_byte_is_found);
	tcase_add_test(load, bytes_after_the_end_are_damage);
	tcase_add_test(load, each_forged_byte_is_refused_or_harmless);
	tcase_add_test(load, part_of_unknown_kind_is_skipped);
	tcase_add_test(load, items_of_an_older_version_are_read);
	tcase_add_test(load, metrics_of_a_later_version_are_removed);
	tcase_add_test(load, other_version_and_byte_order_are_told_apart);
	tcase_add_test(load, claimed_length_is_not_believed);
	tcase_add_test(load, string_that_is_there_twice_is_damage);
	tcase_add_test(load, part_that_is_there_twice_is_damage);
	tcase_add_test(load, error_says_which_item);
	tcase_add_test(load, extra_key_that_is_there_twice_is_damage);
	tcase_add_test(load, read_survives_each_failing_allocation);
	tcase_add_test(load, unreadable_input_is_its_errno);
	tcase_add_test(load, full_disk_is_an_error);
	suite_add_tcase(suite, load);

	tcase_add_checked_fixture(place, make_folder, remove_folder);
	tcase_add_loop_test(place, artifact_is_placed_whole, 0, 3);
	tcase_add_loop_test(place, existing_name_is_left_alone, 0, 3);
	tcase_add_test(place, failed_rename_leaves_nothing);
	tcase_add_test(place, failed_write_leaves_nothing);
	tcase_add_test(place, only_file_names_are_taken);
	suite_add_tcase(suite, place);
	return suite;
}

int main(void)
{
	return sample_run_suite(make_suite());
}
